//! Cuts large files into more parts than there are threads, so that one part is read while another is decoded.
//!
//! A part reads the columns of its next row group, then decodes them: with a part for each thread, a thread
//! waits whenever its part reads. Only scans whose rows are dealt out or brought together above anyway are cut:
//! nothing else sees how many parts there were, and the parts stay in the order of the file.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::joins::{HashJoinExec, PartitionMode};
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::{ChildrenPropertiesMode, ExecutionPlan, InputOrderMode, ReplaceChildrenOptions};

/// Parts for each thread: one is read while the other is decoded. Each costs a row group's columns in memory.
const PARTS: usize = 2;

/// The pass; see the module.
#[derive(Debug, Clone, Copy)]
pub struct FinerScans;

impl PhysicalOptimizerRule for FinerScans {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_down(|node| {
            if !hides_partitions(&node) {
                return Ok(Transformed::no(node));
            }
            match finer(node.children()[0], config)? {
                Some(input) => over(&node, vec![input]).map(Transformed::yes),
                None => Ok(Transformed::no(node)),
            }
        })
        .data()
    }

    fn name(&self) -> &str {
        "firesteel_finer_scans"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// True for an operator whose output does not tell how many partitions its input has.
fn hides_partitions(plan: &Arc<dyn ExecutionPlan>) -> bool {
    let dealt = plan.downcast_ref::<RepartitionExec>();
    dealt.is_some_and(|r| !r.preserve_order()) || plan.is::<CoalescePartitionsExec>()
}

/// The plan with its scan cut finer, where every operator down to it works on each partition alone.
fn finer(plan: &Arc<dyn ExecutionPlan>, config: &ConfigOptions) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    if let Some(scan) = plan.downcast_ref::<DataSourceExec>() {
        let parts = config.execution.target_partitions.saturating_mul(PARTS);
        let of_files = scan.data_source().as_ref().downcast_ref::<FileScanConfig>().is_some();
        let finer = if of_files { scan.repartitioned(parts, config)? } else { None };
        // Small files stay whole, and with them the plan.
        return Ok(finer.filter(|f| partitions(f) > partitions(plan)));
    }
    let Some(below) = followed(plan) else { return Ok(None) };
    let mut children: Vec<Arc<dyn ExecutionPlan>> = plan.children().into_iter().cloned().collect();
    let Some(child) = finer(&children[below], config)? else { return Ok(None) };
    children[below] = child;
    over(plan, children).map(Some)
}

fn over(plan: &Arc<dyn ExecutionPlan>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
    Arc::clone(plan).replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
}

fn partitions(plan: &Arc<dyn ExecutionPlan>) -> usize {
    plan.properties().output_partitioning().partition_count()
}

/// The child whose partitions are those of the plan, if it works on each of them alone.
fn followed(plan: &Arc<dyn ExecutionPlan>) -> Option<usize> {
    if plan.is::<FilterExec>() || plan.is::<ProjectionExec>() {
        return Some(0);
    }
    if let Some(aggregate) = plan.downcast_ref::<AggregateExec>() {
        let early = *aggregate.mode() == AggregateMode::Partial;
        return (early && *aggregate.input_order_mode() == InputOrderMode::Linear).then_some(0);
    }
    let join = plan.downcast_ref::<HashJoinExec>()?;
    (*join.partition_mode() == PartitionMode::CollectLeft).then_some(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::arrow::util::pretty::pretty_format_batches;
    use datafusion::dataframe::DataFrameWriteOptions;
    use datafusion::physical_plan::{collect, displayable};
    use datafusion::prelude::{ParquetReadOptions, SessionConfig, SessionContext};

    async fn context(folder: &str, smallest: usize) -> SessionContext {
        let config = SessionConfig::new()
            .with_target_partitions(2)
            .set_usize("datafusion.optimizer.repartition_file_min_size", smallest);
        let ctx = SessionContext::new_with_config(config);
        let path = format!("{folder}/t.parquet");
        let table = ctx.sql("SELECT value AS k, value % 7 AS g FROM generate_series(1, 5000)").await.expect("made");
        let one = DataFrameWriteOptions::new().with_single_file_output(true);
        table.write_parquet(&path, one, None).await.expect("written");
        ctx.register_parquet("t", &path, ParquetReadOptions::default()).await.expect("registered");
        ctx
    }

    #[tokio::test]
    async fn scans_below_exchanges_have_more_parts_and_the_same_rows() {
        for (smallest, text, cut) in [
            (0, "SELECT g, count(*), sum(k) FROM t WHERE k > 10 GROUP BY g", true),
            (1 << 30, "SELECT g, count(*), sum(k) FROM t WHERE k > 10 GROUP BY g", false),
            (0, "SELECT count(*), sum(k) FROM t WHERE k > 10", true),
            (0, "SELECT count(*) FROM t a JOIN (VALUES (1), (2)) b(x) ON a.k = b.x", true),
            (0, "SELECT k FROM t WHERE k > 4990", false),
            (0, "SELECT k FROM t WHERE k > 4990 ORDER BY k", false),
        ] {
            let folder = tempfile::tempdir().expect("a folder");
            let ctx = context(folder.path().to_str().expect("a path"), smallest).await;
            let plan = ctx.sql(text).await.expect(text).create_physical_plan().await.expect(text);
            let other = ctx.sql(text).await.expect(text).create_physical_plan().await.expect(text);
            let finer = FinerScans.optimize(other, ctx.state().config_options()).expect(text);
            let shown = displayable(finer.as_ref()).indent(true).to_string();
            assert_eq!(shown.contains("{4 groups"), cut, "{text}\n{shown}");
            let mut answers = Vec::new();
            for plan in [plan, finer] {
                let batches = collect(plan, ctx.task_ctx()).await.expect(text);
                let printed = pretty_format_batches(&batches).expect("prints").to_string();
                let mut lines: Vec<String> = printed.lines().map(str::to_owned).collect();
                lines.sort();
                answers.push(lines);
            }
            assert_eq!(answers[0], answers[1], "{text}");
        }
    }
}
