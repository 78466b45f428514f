//! Keeps the probe side of a hash join where it is.
//!
//! When the inputs of a stage are there, the stage planner looks at their true sizes and swaps the
//! sides of a join whose build side is the larger. The order of the probe side, which the join had
//! kept, is lost then, and with it what a window or a merge above counts on. Nothing is swapped whose
//! size is unknown, and of [`ProbeSideExec`] nothing is known but that it is its input.

use std::fmt;
use std::sync::Arc;

use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};

use crate::codec::{NodeCodec, plain_codec};
use crate::{hands_on, one_input};

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

    hands_on!();
}

/// The operator has nothing to tell but itself.
pub(crate) static PROBE_SIDE: NodeCodec =
    plain_codec!(ProbeSideExec, "probe_side", |input| Arc::new(ProbeSideExec::new(input)));
