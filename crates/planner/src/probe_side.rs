//! Keeps the probe side of a hash join where it is.
//!
//! When the inputs of a stage are there, the stage planner looks at their true sizes and swaps the
//! sides of a join whose build side is the larger. The order of the probe side, which the join had
//! kept, is lost then, and with it what a window or a merge above counts on. Nothing is swapped whose
//! size is unknown, and of [`ProbeSideExec`] nothing is known but that it is its input.

use std::fmt;
use std::sync::Arc;

use datafusion::common::{Result, exec_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};

use crate::codec::NodeCodec;
use crate::one_input;

/// The operator; see the module.
#[derive(Debug)]
pub(crate) struct ProbeSideExec {
    input: Arc<dyn ExecutionPlan>,
}

impl ProbeSideExec {
    pub(crate) fn new(input: Arc<dyn ExecutionPlan>) -> Self {
        ProbeSideExec { input }
    }
}

impl DisplayAs for ProbeSideExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "ProbeSideExec")
    }
}

impl ExecutionPlan for ProbeSideExec {
    one_input!(ProbeSideExec, |_, input| ProbeSideExec::new(input));

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        self.input.execute(partition, context)
    }
}

/// The operator has nothing to tell but itself.
pub(crate) static PROBE_SIDE: NodeCodec = NodeCodec {
    name: "probe_side",
    encode: |node, _| Ok(node.is::<ProbeSideExec>().then(Vec::new)),
    decode: |_, children, _| match children {
        [input] => Ok(Arc::new(ProbeSideExec::new(Arc::clone(input)))),
        _ => exec_err!("ProbeSideExec has one input"),
    },
};
