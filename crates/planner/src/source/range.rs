//! `spark.range`: a table of consecutive numbers in as many partitions as asked for.
//!
//! Its physical form is a file scan over pseudo files, one for each partition, because that is the
//! kind of leaf that a stage can be sliced by; the file range of each says which partition it is.

use std::sync::Arc;

use arrow::array::{Int64Array, RecordBatch};
use arrow::datatypes::{DataType as Arrow, Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{ColumnStatistics, Result, ScalarValue, Statistics, exec_datafusion_err};
use datafusion::datasource::TableType;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{
    FileGroup, FileOpenFuture, FileOpener, FileScanConfig, FileScanConfigBuilder, FileSource,
};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::Expr;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::projection::ProjectionExprs;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use futures::StreamExt;
use object_store::ObjectStore;
use serde::{Deserialize, Serialize};

/// A range of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    pub start: i64,
    pub end: i64,
    pub step: i64,
    pub partitions: i64,
}

impl Range {
    /// How many numbers there are.
    pub fn rows(&self) -> i128 {
        let (start, end, step) = (i128::from(self.start), i128::from(self.end), i128::from(self.step));
        let span = end - start;
        if step == 0 || (span > 0) != (step > 0) || span == 0 {
            return 0;
        }
        (span.abs() + step.abs() - 1) / step.abs()
    }

    /// Index of the first number of `partition`.
    fn first(&self, partition: i64) -> i128 {
        i128::from(partition) * self.rows() / i128::from(self.partitions.max(1))
    }

    /// The number at `index`; indexes below [`Self::rows`] are in range of `i64`.
    fn at(&self, index: i128) -> i64 {
        (i128::from(self.start) + index * i128::from(self.step)) as i64
    }
}

/// The table of a [`Range`].
#[derive(Debug)]
pub struct RangeTable {
    pub range: Range,
    schema: SchemaRef,
}

impl RangeTable {
    pub fn new(range: Range) -> Self {
        RangeTable { range: Range { partitions: range.partitions.max(1), ..range }, schema: range_schema() }
    }
}

fn range_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("id", Arrow::Int64, true)]))
}

#[async_trait]
impl TableProvider for RangeTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let groups = (0..self.range.partitions)
            .map(|i| FileGroup::new(vec![PartitionedFile::new(format!("range/{i}"), 1).with_range(i, i + 1)]))
            .collect();
        let config =
            FileScanConfigBuilder::new(ObjectStoreUrl::local_filesystem(), Arc::new(RangeSource::new(self.range)))
                .with_file_groups(groups)
                .with_statistics(statistics(&self.range))
                .with_projection_indices(projection.cloned())?
                .with_limit(limit)
                .with_preserve_order(true)
                .build();
        Ok(DataSourceExec::from_data_source(config))
    }
}

fn statistics(range: &Range) -> Statistics {
    let rows = usize::try_from(range.rows()).unwrap_or(usize::MAX);
    let column = if rows == 0 {
        ColumnStatistics::new_unknown()
    } else {
        let (a, b) = (range.at(0), range.at(range.rows() - 1));
        ColumnStatistics {
            null_count: Precision::Exact(0),
            min_value: Precision::Exact(ScalarValue::Int64(Some(a.min(b)))),
            max_value: Precision::Exact(ScalarValue::Int64(Some(a.max(b)))),
            distinct_count: Precision::Exact(rows),
            ..ColumnStatistics::new_unknown()
        }
    };
    Statistics {
        num_rows: Precision::Exact(rows),
        total_byte_size: Precision::Exact(rows.saturating_mul(8)),
        column_statistics: vec![column],
    }
}

/// The file source behind a range.
#[derive(Clone)]
pub struct RangeSource {
    pub range: Range,
    table_schema: TableSchema,
    projection: ProjectionExprs,
    batch_size: usize,
    metrics: ExecutionPlanMetricsSet,
}

impl RangeSource {
    pub fn new(range: Range) -> Self {
        let schema = range_schema();
        RangeSource {
            range,
            projection: ProjectionExprs::from_indices(&[0], &schema),
            table_schema: TableSchema::builder(schema).build(),
            batch_size: 8192,
            metrics: ExecutionPlanMetricsSet::new(),
        }
    }
}

impl FileSource for RangeSource {
    fn create_file_opener(
        &self,
        _store: Arc<dyn ObjectStore>,
        _config: &FileScanConfig,
        _partition: usize,
    ) -> Result<Arc<dyn FileOpener>> {
        let schema = range_schema();
        let output = Arc::new(self.projection.project_schema(&schema)?);
        Ok(Arc::new(RangeOpener {
            range: self.range,
            batch_size: self.batch_size,
            projection: self.projection.clone(),
            schema,
            output,
        }))
    }

    fn table_schema(&self) -> &TableSchema {
        &self.table_schema
    }

    fn with_batch_size(&self, batch_size: usize) -> Arc<dyn FileSource> {
        Arc::new(RangeSource { batch_size, ..self.clone() })
    }

    fn projection(&self) -> Option<&ProjectionExprs> {
        Some(&self.projection)
    }

    fn metrics(&self) -> &ExecutionPlanMetricsSet {
        &self.metrics
    }

    fn file_type(&self) -> &str {
        "range"
    }

    fn supports_repartitioning(&self) -> bool {
        false
    }

    fn try_pushdown_projection(&self, projection: &ProjectionExprs) -> Result<Option<Arc<dyn FileSource>>> {
        let projection = self.projection.try_merge(projection)?;
        Ok(Some(Arc::new(RangeSource { projection, ..self.clone() })))
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        datafusion::physical_plan::apply_expression_roots(self.projection.iter(), f)
    }
}

struct RangeOpener {
    range: Range,
    batch_size: usize,
    projection: ProjectionExprs,
    schema: SchemaRef,
    output: SchemaRef,
}

impl FileOpener for RangeOpener {
    fn open(&self, file: PartitionedFile) -> Result<FileOpenFuture> {
        let part = file.range.as_ref().ok_or_else(|| exec_datafusion_err!("a range's partition has no number"))?.start;
        let range = self.range;
        let (first, last) = (range.first(part), range.first(part + 1));
        let (schema, output) = (Arc::clone(&self.schema), Arc::clone(&self.output));
        let projector = self.projection.make_projector(&schema)?;
        let size = self.batch_size.max(1) as i128;
        let batches = futures::stream::iter(
            (0..).map(move |i: i128| first + i * size).take_while(move |at| *at < last),
        )
        .map(move |from| {
            let to = (from + size).min(last);
            let values: Int64Array = (from..to).map(|i| Some(range.at(i))).collect();
            let batch = RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(values)])?;
            let projected = projector.project_batch(&batch)?;
            debug_assert_eq!(projected.num_columns(), output.fields().len());
            Ok(projected)
        });
        Ok(Box::pin(async move { Ok(batches.boxed()) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(range: Range) -> Vec<Vec<i64>> {
        (0..range.partitions).map(|p| (range.first(p)..range.first(p + 1)).map(|i| range.at(i)).collect()).collect()
    }

    #[test]
    fn ranges_are_split_evenly() {
        for (start, end, step, partitions, expect) in [
            (0, 5, 1, 2, vec![vec![0, 1], vec![2, 3, 4]]),
            (5, 0, -2, 1, vec![vec![5, 3, 1]]),
            (0, 0, 1, 2, vec![vec![], vec![]]),
            (0, 10, -1, 1, vec![vec![]]),
            (i64::MIN, i64::MAX, i64::MAX, 1, vec![vec![i64::MIN, -1, i64::MAX - 1]]),
        ] {
            assert_eq!(numbers(Range { start, end, step, partitions }), expect, "{start} {end} {step}");
        }
    }
}
