//! Rows in the order of their partitions, as Spark returns them: where DataFusion merges partitions
//! on the way to the client as they come, here they are read one after the other.
//!
//! The partitions still run at the same time, each a few batches ahead of the reader.

use std::fmt;
use std::sync::Arc;

use datafusion::common::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::common::spawn_buffered;
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion::physical_plan::limit::LimitStream;
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::union::UnionExec;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties};
use futures::StreamExt;

use crate::gathered::GatheredExec;
use crate::one_input;
use crate::recursion::RecursionExec;

/// Batches of a partition that wait for those before it.
const AHEAD: usize = 16;

/// `plan` with partitions merged in their order wherever that order reaches the client.
///
/// # Errors
/// If an operator does not take its new input.
pub fn merge_in_order(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    if let Some(merge) = plan.downcast_ref::<CoalescePartitionsExec>() {
        return Ok(Arc::new(InOrderExec::new(merge_in_order(Arc::clone(merge.input()))?, merge.fetch())));
    }
    if plan.children().is_empty() {
        // Partitions that read files read each its own: by default an idle one takes those of others.
        return Ok(plan.with_preserve_order(true).unwrap_or(plan));
    }
    below(plan)
}

/// Does so in those inputs of an operator whose order it keeps; below one that reorders rows their
/// order means nothing.
fn below(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let mut children = Vec::new();
    let mut changed = false;
    for (child, keeps) in plan.children().into_iter().zip(plan.maintains_input_order()) {
        let in_turn = keeps || gives_in_turn(&plan) || child.is::<GatheredExec>();
        let ordered = if in_turn { merge_in_order(Arc::clone(child))? } else { Arc::clone(child) };
        changed |= !Arc::ptr_eq(child, &ordered);
        children.push(ordered);
    }
    match changed {
        true => plan.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute)),
        false => Ok(plan),
    }
}

/// Operators that give out the rows of all inputs as they come, though they promise no order of values.
fn gives_in_turn(plan: &Arc<dyn ExecutionPlan>) -> bool {
    plan.is::<UnionExec>() || plan.is::<RecursionExec>()
}

/// All partitions of `plan` as one stream, in their order.
pub fn in_order(plan: Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
    if plan.output_partitioning().partition_count() > 1 { Arc::new(InOrderExec::new(plan, None)) } else { plan }
}

/// Reads its partitions one after the other.
#[derive(Debug)]
pub struct InOrderExec {
    input: Arc<dyn ExecutionPlan>,
    fetch: Option<usize>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl InOrderExec {
    /// At most `fetch` rows of `input`.
    pub fn new(input: Arc<dyn ExecutionPlan>, fetch: Option<usize>) -> Self {
        let properties = Arc::clone(CoalescePartitionsExec::new(Arc::clone(&input)).properties());
        InOrderExec { input, fetch, properties, metrics: ExecutionPlanMetricsSet::new() }
    }
}

impl DisplayAs for InOrderExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.fetch {
            Some(fetch) => write!(f, "InOrderExec: fetch={fetch}"),
            None => write!(f, "InOrderExec"),
        }
    }
}

impl ExecutionPlan for InOrderExec {
    one_input!(InOrderExec, |this, input| InOrderExec::new(input, this.fetch));

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn fetch(&self) -> Option<usize> {
        self.fetch
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let partitions = self.input.output_partitioning().partition_count();
        let mut inputs = Vec::with_capacity(partitions);
        for i in 0..partitions {
            let input = self.input.execute(i, Arc::clone(&context))?;
            // The first one is read at once.
            inputs.push(if i == 0 { input } else { spawn_buffered(input, AHEAD) });
        }
        let rows = RecordBatchStreamAdapter::new(self.schema(), futures::stream::iter(inputs).flatten());
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        Ok(Box::pin(LimitStream::new(Box::pin(rows), 0, self.fetch, metrics)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::arrow::array::{Int32Array, RecordBatch};
    use datafusion::arrow::datatypes::{DataType, Field, Schema};
    use datafusion::datasource::memory::MemorySourceConfig;
    use datafusion::logical_expr::physical_planning_context::ScalarSubqueryResults;
    use datafusion::physical_plan::scalar_subquery::ScalarSubqueryExec;
    use datafusion::physical_plan::{collect, limit::GlobalLimitExec};

    fn partitions(count: i32) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = Arc::new(Schema::new(vec![Field::new("a", DataType::Int32, false)]));
        let batch = |n| RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(Int32Array::from(vec![n]))]);
        let parts: Vec<Vec<RecordBatch>> = (0..count)
            .map(|p| (0..30).map(|b| Ok(batch(p * 30 + b)?)).collect::<Result<_>>())
            .collect::<Result<_>>()?;
        Ok(MemorySourceConfig::try_new_exec(&parts, schema, None)?)
    }

    async fn values(plan: Arc<dyn ExecutionPlan>) -> Result<Vec<i32>> {
        let batches = collect(plan, Arc::new(TaskContext::default())).await?;
        let column = |b: &RecordBatch| b.column(0).as_any().downcast_ref::<Int32Array>().map(|c| c.values().to_vec());
        Ok(batches.iter().filter_map(column).flatten().collect())
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn rows_come_partition_by_partition() -> Result<()> {
        for _ in 0..20 {
            let all: Vec<i32> = (0..120).collect();
            assert_eq!(values(in_order(partitions(4)?)).await?, all);
            let merged = Arc::new(CoalescePartitionsExec::new(partitions(4)?).with_fetch(Some(35)));
            let limited = merge_in_order(Arc::new(GlobalLimitExec::new(merged, 2, Some(33))))?;
            assert_eq!(values(limited).await?, all[2..35]);
        }
        Ok(())
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn the_sides_of_a_union_and_what_a_subquery_is_for_are_in_order() -> Result<()> {
        let merged = || -> Result<Arc<dyn ExecutionPlan>> {
            Ok(Arc::new(CoalescePartitionsExec::new(partitions(4)?).with_fetch(Some(50))))
        };
        let all: Vec<i32> = (0..50).collect();
        for _ in 0..20 {
            let union = CoalescePartitionsExec::new(UnionExec::try_new(vec![merged()?, merged()?])?);
            assert_eq!(values(merge_in_order(Arc::new(union))?).await?, [all.clone(), all.clone()].concat());
            let none = ScalarSubqueryResults::new(0);
            let asked = ScalarSubqueryExec::new(merged()?, Vec::new(), none);
            assert_eq!(values(merge_in_order(Arc::new(asked))?).await?, all);
        }
        Ok(())
    }
}
