//! Aggregates a small table in one go, in the order in which its groups appear.
//!
//! DataFusion aggregates every table in parts that it spreads by a hash of the groups. For a few rows of
//! one partition that costs more than it saves, and the groups come out in an order that nobody can see
//! a reason for.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};
use datafusion::physical_plan::statistics::{StatisticsArgs, StatisticsContext};
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};

use crate::in_order::{in_order, merge_in_order};

/// Rows that one task aggregates at once: those of a batch.
const MAX_ROWS: usize = 8192;

/// The pass; see the module.
#[derive(Debug, Clone, Copy)]
pub struct SmallAggregate;

impl PhysicalOptimizerRule for SmallAggregate {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        rewritten(plan, |input| {
            let one = input.output_partitioning().partition_count() == 1;
            Ok((one && is_small(input, true)).then(|| Arc::clone(input)))
        })
    }

    fn name(&self) -> &str {
        "firesteel_small_aggregate"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// Does so for a small table in several partitions, which are read in their order: spread by a hash as
/// they come, the groups of every run would have another order.
#[derive(Debug, Clone, Copy)]
pub struct MergedAggregate;

impl PhysicalOptimizerRule for MergedAggregate {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        rewritten(plan, |input| {
            let several = input.output_partitioning().partition_count() > 1;
            match several && is_small(input, false) {
                true => Ok(Some(in_order(merge_in_order(Arc::clone(input))?))),
                false => Ok(None),
            }
        })
    }

    fn name(&self) -> &str {
        "firesteel_merged_aggregate"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// `plan` with both parts of an aggregation as one over what `one_input` makes of its input.
fn rewritten(
    plan: Arc<dyn ExecutionPlan>,
    one_input: impl Fn(&Arc<dyn ExecutionPlan>) -> Result<Option<Arc<dyn ExecutionPlan>>>,
) -> Result<Arc<dyn ExecutionPlan>> {
    plan.transform_up(|node| {
        let Some(last) = node.downcast_ref::<AggregateExec>() else { return Ok(Transformed::no(node)) };
        let first = last.input().downcast_ref::<AggregateExec>();
        let Some(first) = first
            .filter(|first| *last.mode() == AggregateMode::FinalPartitioned && *first.mode() == AggregateMode::Partial)
        else {
            return Ok(Transformed::no(node));
        };
        let Some(input) = one_input(first.input())? else { return Ok(Transformed::no(node)) };
        let one = AggregateExec::try_new(
            AggregateMode::Single,
            first.group_expr().clone(),
            first.aggr_expr().to_vec(),
            first.filter_expr().to_vec(),
            input,
            first.input_schema(),
        )?;
        Ok(Transformed::yes(Arc::new(one.with_limit_options(last.limit_options())) as Arc<dyn ExecutionPlan>))
    })
    .data()
}

/// True if a plan has few rows; by an estimate only where nothing is lost by a wrong one.
fn is_small(plan: &Arc<dyn ExecutionPlan>, by_estimate: bool) -> bool {
    let statistics = StatisticsContext::new().compute(plan.as_ref(), &StatisticsArgs::new());
    statistics.is_ok_and(|s| match s.num_rows {
        Precision::Exact(rows) => rows <= MAX_ROWS,
        Precision::Inexact(rows) => by_estimate && rows <= MAX_ROWS,
        Precision::Absent => false,
    })
}
