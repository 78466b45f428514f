//! Forgets what is constant on a side of a join that may be missing.
//!
//! DataFusion lets a column that is constant below an outer join be constant above it, where it is null
//! for rows without a partner: a sort by it would be left out. [`OuterSide`] puts an operator above such a
//! side that passes its rows on and knows no constants.

use std::fmt;
use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{JoinType, Result, exec_err};
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::joins::{HashJoinExec, NestedLoopJoinExec, SortMergeJoinExec};
use datafusion::physical_plan::statistics::{ChildStats, StatisticsArgs};
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, Statistics, replace_children_if_necessary,
};

use crate::codec::{NodeCodec, plain_codec};
use crate::{hands_on, one_input};

/// Its input, without its constants.
#[derive(Debug)]
pub(crate) struct OuterSideExec {
    input: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
}

impl OuterSideExec {
    fn new(input: Arc<dyn ExecutionPlan>) -> Self {
        let known = input.properties().equivalence_properties();
        let orderings = known.oeq_class().iter().cloned();
        let known = EquivalenceProperties::new_with_orderings(input.schema(), orderings);
        let properties = Arc::new(input.properties().as_ref().clone().with_eq_properties(known));
        OuterSideExec { input, properties }
    }
}

impl DisplayAs for OuterSideExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "OuterSideExec")
    }
}

impl ExecutionPlan for OuterSideExec {
    one_input!(OuterSideExec, |_, input| OuterSideExec::new(input));
    hands_on!();

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn child_stats_requests(&self, partition: Option<usize>) -> Vec<ChildStats> {
        vec![ChildStats::At(partition)]
    }

    fn statistics_from_inputs(&self, inputs: &[Arc<Statistics>], _: &StatisticsArgs) -> Result<Arc<Statistics>> {
        match inputs {
            [input] => Ok(Arc::clone(input)),
            _ => exec_err!("OuterSideExec has one input"),
        }
    }
}

/// An executor plans no more sorts: what arrives is the input.
pub(crate) static OUTER_SIDE: NodeCodec = plain_codec!(OuterSideExec, "outer_side", |input| input);

/// The pass; see the module.
#[derive(Debug, Clone, Copy)]
pub struct OuterSide;

impl PhysicalOptimizerRule for OuterSide {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
            let Some(kind) = join_type(node.as_ref()) else { return Ok(Transformed::no(node)) };
            let missing = match kind {
                JoinType::Left => [false, true],
                JoinType::Right => [true, false],
                JoinType::Full => [true, true],
                _ => return Ok(Transformed::no(node)),
            };
            let mut changed = false;
            let sides = node.children().into_iter().zip(missing).map(|(side, may_miss)| {
                let constants = may_miss && !side.properties().equivalence_properties().constants().is_empty();
                if !constants || side.is::<OuterSideExec>() {
                    return Arc::clone(side);
                }
                changed = true;
                Arc::new(OuterSideExec::new(Arc::clone(side))) as Arc<dyn ExecutionPlan>
            });
            let sides: Vec<_> = sides.collect();
            match changed {
                true => Ok(Transformed::yes(replace_children_if_necessary(Arc::clone(&node), sides)?)),
                false => Ok(Transformed::no(node)),
            }
        })
        .data()
    }

    fn name(&self) -> &str {
        "firesteel_outer_side"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn join_type(plan: &dyn ExecutionPlan) -> Option<JoinType> {
    if let Some(join) = plan.downcast_ref::<HashJoinExec>() {
        return Some(*join.join_type());
    }
    if let Some(join) = plan.downcast_ref::<NestedLoopJoinExec>() {
        return Some(*join.join_type());
    }
    plan.downcast_ref::<SortMergeJoinExec>().map(|join| join.join_type())
}
