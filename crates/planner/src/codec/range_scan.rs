//! Wire form of a scan over a range of numbers.

use super::*;
use crate::source::range::{Range, RangeSource};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfig, FileScanConfigBuilder, FileSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::physical_expr::projection::{ProjectionExpr, ProjectionExprs};
use serde::{Deserialize, Serialize};

/// Scans of [`RangeSource`]; other scans are DataFusion's business.
pub(super) static RANGE_SCAN: NodeCodec = NodeCodec { name: "range_scan", encode: encode_scan, decode: decode_scan };

#[derive(Serialize, Deserialize)]
struct RangeScan {
    range: Range,
    /// Numbers of the range's partitions, by partition of the scan.
    groups: Vec<Vec<i64>>,
    /// Encoded expressions over the range's one column, with the names of their results.
    projection: Vec<(Vec<u8>, String)>,
    limit: Option<usize>,
}

fn encode_scan(node: &Arc<dyn ExecutionPlan>, encoder: &Encoder<'_>) -> Result<Option<Vec<u8>>> {
    let Some(scan) = node.downcast_ref::<DataSourceExec>() else {
        return Ok(None);
    };
    let source: &dyn std::any::Any = scan.data_source().as_ref();
    let Some(config) = source.downcast_ref::<FileScanConfig>() else {
        return Ok(None);
    };
    let source: &dyn std::any::Any = config.file_source().as_ref();
    let Some(source) = source.downcast_ref::<RangeSource>() else {
        return Ok(None);
    };
    let number = |file: &PartitionedFile| file.range.as_ref().map(|r| r.start);
    let groups = config.file_groups.iter().map(|group| group.iter().map(number).collect());
    let groups: Option<Vec<Vec<i64>>> = groups.collect();
    let projection = source.projection().into_iter().flat_map(ProjectionExprs::iter);
    let message = RangeScan {
        range: source.range,
        groups: groups.ok_or_else(|| exec_datafusion_err!("a range's partition has no number"))?,
        projection: projection.map(|p| Ok((encoder.expr(&p.expr)?, p.alias.clone()))).collect::<Result<_>>()?,
        limit: config.limit,
    };
    match serde_json::to_vec(&message) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(e) => exec_err!("a range could not be encoded: {e}"),
    }
}

fn decode_scan(body: &[u8], _: &[Arc<dyn ExecutionPlan>], decoder: &Decoder<'_>) -> Result<Arc<dyn ExecutionPlan>> {
    let message: RangeScan =
        serde_json::from_slice(body).map_err(|e| exec_datafusion_err!("a range arrived malformed: {e}"))?;
    let source = RangeSource::new(message.range);
    let schema = Arc::clone(source.table_schema().table_schema());
    let projection = message
        .projection
        .iter()
        .map(|(expr, alias)| Ok(ProjectionExpr::new(decoder.expr(expr, &schema)?, alias)))
        .collect::<Result<Vec<_>>>()?;
    let source = source
        .try_pushdown_projection(&ProjectionExprs::new(projection))?
        .ok_or_else(|| exec_datafusion_err!("a range took no projection"))?;
    Ok(DataSourceExec::from_data_source(scan(source, message.groups, message.limit)))
}

fn scan(source: Arc<dyn FileSource>, groups: Vec<Vec<i64>>, limit: Option<usize>) -> FileScanConfig {
    let file = |i: i64| PartitionedFile::new(format!("range/{i}"), 1).with_range(i, i + 1);
    let group = |numbers: Vec<i64>| FileGroup::new(numbers.into_iter().map(file).collect());
    FileScanConfigBuilder::new(ObjectStoreUrl::local_filesystem(), source)
        .with_file_groups(groups.into_iter().map(group).collect())
        .with_limit(limit)
        .with_preserve_order(true)
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::range::RangeTable;
    use datafusion::physical_plan::{collect, displayable};
    use datafusion::prelude::SessionContext;

    #[tokio::test]
    async fn a_range_comes_back_with_its_rows() {
        let ctx = SessionContext::new();
        let range = Range { start: 3, end: 100, step: 7, partitions: 3 };
        ctx.register_table("r", Arc::new(RangeTable::new(range))).expect("table");
        let codec = FiresteelCodec::default();
        for sql in ["SELECT * FROM r", "SELECT id + 1, id FROM r LIMIT 5", "SELECT count(*), sum(id) FROM r"] {
            let plan = ctx.sql(sql).await.expect(sql).create_physical_plan().await.expect(sql);
            let bytes = codec.encode_plan(&plan).expect(sql);
            let back = codec.decode_plan(&bytes, &ctx.task_ctx()).expect(sql);
            assert_eq!(plan.schema(), back.schema(), "{sql}");
            let shown = |p: &Arc<dyn ExecutionPlan>| displayable(p.as_ref()).indent(false).to_string();
            assert_eq!(shown(&plan), shown(&back), "{sql}");
            let rows = collect(plan, ctx.task_ctx()).await.expect(sql);
            assert_eq!(rows, collect(back, ctx.task_ctx()).await.expect(sql), "{sql}");
        }
    }
}
