//! An operator that reads shuffled partitions one after the other.
//!
//! DataFusion brings partitions together as they come. Rows of a limit without an order, of
//! `collect_list` or with numbers would be others in every run; in the order of their partitions they
//! are those that one process answers with, and Spark.

use std::fmt;
use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::common::spawn_buffered;
use datafusion::physical_plan::limit::LimitStream;
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties};
use futures::{StreamExt, TryStreamExt};
use planner::one_input;

/// Partitions that are read ahead of the one whose turn it is: they wait in files, not in an operator.
const PARTITIONS_AHEAD: usize = 4;

/// Batches of each of them.
const BATCHES_AHEAD: usize = 8;

/// Puts an [`InTurnExec`] in the place of every operator that brings partitions together.
pub(crate) fn in_turn(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    plan.transform_up(|node| match node.downcast_ref::<CoalescePartitionsExec>() {
        Some(merge) => Ok(Transformed::yes(Arc::new(InTurnExec::of(merge)))),
        None => Ok(Transformed::no(node)),
    })
    .data()
}

/// Its input's partitions as one, in their order.
#[derive(Debug)]
struct InTurnExec {
    input: Arc<dyn ExecutionPlan>,
    fetch: Option<usize>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl InTurnExec {
    fn of(merge: &CoalescePartitionsExec) -> Self {
        InTurnExec {
            input: Arc::clone(merge.input()),
            fetch: merge.fetch(),
            properties: Arc::clone(merge.properties()),
            metrics: ExecutionPlanMetricsSet::new(),
        }
    }
}

impl DisplayAs for InTurnExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("InTurnExec")
    }
}

impl ExecutionPlan for InTurnExec {
    one_input!(InTurnExec, |this, input| {
        InTurnExec::of(&CoalescePartitionsExec::new(input).with_fetch(this.fetch))
    });

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn fetch(&self) -> Option<usize> {
        self.fetch
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let input = Arc::clone(&self.input);
        let partitions = input.output_partitioning().partition_count();
        let started = move |i: usize| -> Result<SendableRecordBatchStream> {
            let rows = input.execute(i, Arc::clone(&context))?;
            // The first one is read at once.
            Ok(if i == 0 { rows } else { spawn_buffered(rows, BATCHES_AHEAD) })
        };
        let rows = futures::stream::iter(0..partitions)
            .map(move |i| std::future::ready(started(i)))
            .buffered(PARTITIONS_AHEAD)
            .try_flatten();
        let rows = Box::pin(RecordBatchStreamAdapter::new(self.schema(), rows));
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        Ok(Box::pin(LimitStream::new(rows, 0, self.fetch, metrics)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::arrow::array::{AsArray, Int32Array, RecordBatch};
    use datafusion::arrow::datatypes::{DataType, Field, Int32Type, Schema};
    use datafusion::datasource::memory::MemorySourceConfig;
    use datafusion::physical_plan::collect;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn rows_come_partition_by_partition() -> Result<()> {
        let schema = Arc::new(Schema::new(vec![Field::new("a", DataType::Int32, false)]));
        let batch = |n| RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(Int32Array::from(vec![n]))]);
        let partition = |p: i32| (0..30).map(|b| Ok(batch(p * 30 + b)?)).collect::<Result<Vec<_>>>();
        let partitions = (0..9).map(partition).collect::<Result<Vec<_>>>()?;
        for (fetch, expect) in [(None, 270), (Some(65), 65), (Some(0), 0)] {
            let scan = MemorySourceConfig::try_new_exec(&partitions, Arc::clone(&schema), None)?;
            let merge: Arc<dyn ExecutionPlan> = Arc::new(CoalescePartitionsExec::new(scan).with_fetch(fetch));
            let plan = in_turn(merge)?;
            assert_eq!((plan.name(), plan.fetch()), ("InTurnExec", fetch));
            let batches = collect(plan, Arc::new(TaskContext::default())).await?;
            let rows: Vec<i32> =
                batches.iter().flat_map(|b| b.column(0).as_primitive::<Int32Type>().values().to_vec()).collect();
            assert_eq!(rows, (0..expect).collect::<Vec<_>>());
        }
        Ok(())
    }
}
