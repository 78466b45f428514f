//! Scans of parquet files that read strings as views.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::stats::Precision;
use datafusion::common::{Result, Statistics};
use datafusion::datasource::physical_plan::{
    FileGroup, FileScanConfig, FileScanConfigBuilder, FileSource, ParquetSource,
};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::utils::collect_columns;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::filter::FilterExec;

use super::expr::{only_compared, viewed};
use crate::source::guarded::GuardedSource;

/// String columns of a scan of parquet files that can be views.
pub struct ScannedStrings {
    /// By their place in the table.
    table: BTreeSet<usize>,
    /// By their place in the output of the scan.
    pub outputs: HashSet<usize>,
}

impl ScannedStrings {
    /// Those that the scan only hands on, and that the filter above it, if there is one, only compares.
    pub fn of(config: &FileScanConfig, filter: Option<&FilterExec>) -> Option<Self> {
        let source = parquet(&config.file_source)?;
        let file_schema = config.file_source.table_schema().file_schema();
        let projection = source.projection()?;
        let mut found = ScannedStrings { table: BTreeSet::new(), outputs: HashSet::new() };
        for (place, output) in projection.as_ref().iter().enumerate() {
            let Some(read) = output.expr.downcast_ref::<Column>().map(Column::index) else {
                continue;
            };
            let is_string = file_schema.fields().get(read).is_some_and(|f| f.data_type() == &DataType::Utf8);
            let uses = projection.iter().flat_map(|p| collect_columns(&p.expr)).filter(|c| c.index() == read).count();
            let pruned = source.filter().is_none_or(|p| only_compared(&p, read));
            let filtered = filter.is_none_or(|f| only_compared(f.predicate(), place));
            if is_string && uses == 1 && pruned && filtered {
                found.table.insert(read);
                found.outputs.insert(place);
            }
        }
        (!found.table.is_empty()).then_some(found)
    }

    /// The scan with views.
    pub fn read_as_views(&self, config: &FileScanConfig) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let Some(source) = parquet(&config.file_source) else {
            return Ok(None);
        };
        let table = config.file_source.table_schema();
        let fields = table.file_schema().fields().iter().enumerate().map(|(i, field)| match self.table.contains(&i) {
            true => Arc::new(Field::clone(field).with_data_type(DataType::Utf8View)),
            false => Arc::clone(field),
        });
        let schema = Schema::new_with_metadata(fields.collect::<Vec<_>>(), table.file_schema().metadata().clone());
        let table = TableSchema::builder(Arc::new(schema))
            .with_table_partition_cols(table.table_partition_cols().iter().cloned().collect::<Vec<_>>())
            .with_virtual_columns(table.virtual_columns().clone())
            .build();
        let table_schema = Arc::clone(table.table_schema());
        let mut views = ParquetSource::new(table).with_table_parquet_options(source.table_parquet_options().clone());
        if let Some(factory) = source.parquet_file_reader_factory() {
            views = views.with_parquet_file_reader_factory(Arc::clone(factory));
        }
        if let Some(predicate) = source.filter() {
            views = views.with_predicate(viewed(&predicate, &self.table.iter().copied().collect(), &table_schema)?);
        }
        let projected = match source.projection() {
            Some(projection) => views.try_pushdown_projection(projection)?,
            None => return Ok(None),
        };
        let Some(mut file_source) = projected else {
            return Ok(None);
        };
        if let Some(guard) = config.file_source.downcast_ref::<GuardedSource>() {
            file_source = guard.again(file_source);
        }
        let groups = config.file_groups.iter().map(|group| self.without_statistics(group)).collect();
        let statistics = self.forgotten(&config.statistics());
        let config = FileScanConfigBuilder::from(config.clone())
            .with_source(file_source)
            .with_file_groups(groups)
            .with_statistics(statistics)
            .build();
        Ok(Some(DataSourceExec::from_data_source(config)))
    }

    /// The files, with nothing known about the values of the views: what is known has the old type.
    fn without_statistics(&self, group: &FileGroup) -> FileGroup {
        let files = group.iter().map(|file| {
            let mut file = file.clone();
            file.statistics = file.statistics.as_deref().map(|known| Arc::new(self.forgotten(known)));
            file
        });
        FileGroup::new(files.collect())
    }

    fn forgotten(&self, known: &Statistics) -> Statistics {
        let mut known = known.clone();
        for &column in &self.table {
            if let Some(column) = known.column_statistics.get_mut(column) {
                column.min_value = Precision::Absent;
                column.max_value = Precision::Absent;
            }
        }
        known
    }
}

/// The reader of parquet files behind a source.
fn parquet(source: &Arc<dyn FileSource>) -> Option<&ParquetSource> {
    match source.downcast_ref::<GuardedSource>() {
        Some(guard) => guard.parts().0.downcast_ref::<ParquetSource>(),
        None => source.downcast_ref::<ParquetSource>(),
    }
}
