//! An operator that ends its input with an error when its task is over before its time.

use std::fmt;
use std::sync::Arc;
use std::task::Poll;

use datafusion::common::{Result, exec_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::StreamExt;
use planner::one_input;
use tokio_util::sync::CancellationToken;

/// Passes its input on until it is stopped.
#[derive(Debug)]
pub(crate) struct StopExec {
    input: Arc<dyn ExecutionPlan>,
    stop: CancellationToken,
}

impl StopExec {
    pub(crate) fn new(input: Arc<dyn ExecutionPlan>, stop: CancellationToken) -> Self {
        StopExec { input, stop }
    }
}

impl DisplayAs for StopExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("StopExec")
    }
}

impl ExecutionPlan for StopExec {
    one_input!(StopExec, |this, input| StopExec::new(input, this.stop.clone()));

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let mut input = self.input.execute(partition, context)?;
        let schema = input.schema();
        let mut stopped = Box::pin(self.stop.clone().cancelled_owned());
        let batches = futures::stream::poll_fn(move |cx| {
            if stopped.as_mut().poll(cx).is_ready() {
                // An early end without an error would be taken for the whole result.
                return Poll::Ready(Some(exec_err!("the task was stopped")));
            }
            input.poll_next_unpin(cx)
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, batches)))
    }
}
