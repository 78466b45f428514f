//! An operator that refuses to take less, or more, than what was written for what was written.
//!
//! Ballista's reader of shuffled rows cannot tell a stream that broke off from one that ended: a
//! response that is reset, or a fetching task that goes away, looks like the end of the rows. The
//! writer's count of them, which travels with the place of every block, can tell.

use std::fmt;
use std::sync::Arc;

use ballista_core::error::BallistaError;
use ballista_core::execution_plans::ShuffleReaderExec;
use ballista_core::serde::protobuf::PartitionStats;
use ballista_core::serde::scheduler::PartitionLocation;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{DataFusionError, Result, exec_datafusion_err, exec_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::StreamExt;
use planner::block_pool::INCOMPLETE_READ;
use planner::one_input;

/// Puts a [`WholeExec`] above every reader of shuffled rows.
pub(crate) fn whole_reads(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    plan.transform_up(|node| {
        let Some(reader) = node.downcast_ref::<ShuffleReaderExec>() else {
            return Ok(Transformed::no(node));
        };
        let expected = reader.partition.iter().map(|locations| rows(locations)).collect();
        let broadcast = reader.broadcast;
        Ok(Transformed::yes(Arc::new(WholeExec { input: node, expected, broadcast })))
    })
    .data()
}

/// Rows at all locations, if every one was counted.
fn rows(locations: &[PartitionLocation]) -> Option<u64> {
    let counted = |location: &PartitionLocation| {
        // Ballista gives the count away only in its wire form, where a negative one is none.
        let stats: PartitionStats = location.partition_stats.into();
        u64::try_from(stats.num_rows).ok()
    };
    locations.iter().map(counted).sum()
}

/// Passes its input on and compares the number of its rows with the expected one at its end.
#[derive(Debug)]
struct WholeExec {
    input: Arc<dyn ExecutionPlan>,
    /// Rows by partition; none where nobody counted.
    expected: Vec<Option<u64>>,
    /// Whether every partition reads the first.
    broadcast: bool,
}

impl DisplayAs for WholeExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("WholeExec")
    }
}

impl ExecutionPlan for WholeExec {
    one_input!(WholeExec, |this, input| WholeExec {
        input,
        expected: this.expected.clone(),
        broadcast: this.broadcast
    });

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let input = self.input.execute(partition, context)?;
        let read = if self.broadcast { 0 } else { partition };
        Ok(counted(input, self.expected.get(read).copied().flatten()))
    }
}

/// An error of the reader, told apart from those of the query: what is written can be written again.
/// Those that name the block that is missing are left to the scheduler, which makes just that anew.
fn broken(error: DataFusionError) -> DataFusionError {
    let names_block = match error.find_root() {
        DataFusionError::External(inner) => {
            matches!(inner.downcast_ref::<BallistaError>(), Some(BallistaError::FetchFailed(..)))
        }
        _ => false,
    };
    if names_block { error } else { exec_datafusion_err!("{INCOMPLETE_READ}: {error}") }
}

/// The stream, with an error in place of an end that comes after another number of rows.
fn counted(mut input: SendableRecordBatchStream, expected: Option<u64>) -> SendableRecordBatchStream {
    let schema = input.schema();
    let mut seen = 0;
    let mut over = false;
    let batches = futures::stream::poll_fn(move |cx| {
        if over {
            return None.into();
        }
        input.poll_next_unpin(cx).map(|next| match next {
            Some(Ok(batch)) => {
                seen += batch.num_rows() as u64;
                Some(Ok(batch))
            }
            Some(Err(e)) => Some(Err(broken(e))),
            None => expected.filter(|expected| seen != *expected).map(|expected| {
                over = true;
                exec_err!("{INCOMPLETE_READ}: {seen} of {expected} shuffled rows arrived")
            }),
        })
    });
    Box::pin(RecordBatchStreamAdapter::new(schema, batches))
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::arrow::array::{Int32Array, RecordBatch};
    use datafusion::physical_plan::stream::RecordBatchStreamAdapter;

    #[tokio::test]
    async fn an_end_counts_only_after_all_rows() {
        let batch = |n: i32| {
            let values: Int32Array = (0..n).collect();
            RecordBatch::try_from_iter([("a", Arc::new(values) as _)]).expect("batch")
        };
        let read = async |batches: &[i32], expected: u64| {
            let batches: Vec<_> = batches.iter().map(|n| Ok(batch(*n))).collect();
            let stream = RecordBatchStreamAdapter::new(batch(0).schema(), futures::stream::iter(batches));
            let ends: Vec<_> = counted(Box::pin(stream), Some(expected)).collect().await;
            ends.iter().all(Result::is_ok)
        };
        assert!(read(&[], 0).await);
        assert!(read(&[2, 3], 5).await);
        assert!(!read(&[2, 3], 6).await, "broken off");
        assert!(!read(&[2, 3], 4).await, "repeated");
        assert!(!read(&[], 1).await);
    }

    #[test]
    fn only_blocks_that_are_named_are_left_to_the_scheduler() {
        let named = BallistaError::FetchFailed("e".into(), 1, 2, "gone".into());
        let text = broken(DataFusionError::External(Box::new(named))).to_string();
        assert!(!text.contains(INCOMPLETE_READ), "{text}");
        let text = broken(exec_datafusion_err!("broken pipe")).to_string();
        assert!(text.contains(INCOMPLETE_READ), "{text}");
    }
}
