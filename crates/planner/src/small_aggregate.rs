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

/// Rows that one task aggregates at once: those of a batch.
const MAX_ROWS: usize = 8192;

/// The pass; see the module.
#[derive(Debug, Clone, Copy)]
pub struct SmallAggregate;

impl PhysicalOptimizerRule for SmallAggregate {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
            Ok(match node.downcast_ref::<AggregateExec>().map(in_one_go).transpose()?.flatten() {
                Some(aggregate) => Transformed::yes(Arc::new(aggregate) as Arc<dyn ExecutionPlan>),
                None => Transformed::no(node),
            })
        })
        .data()
    }

    fn name(&self) -> &str {
        "firesteel_small_aggregate"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// Both parts of an aggregation as one, if its input is one small partition.
fn in_one_go(last: &AggregateExec) -> Result<Option<AggregateExec>> {
    if *last.mode() != AggregateMode::FinalPartitioned {
        return Ok(None);
    }
    let Some(first) = last.input().downcast_ref::<AggregateExec>() else { return Ok(None) };
    let input = first.input();
    if *first.mode() != AggregateMode::Partial || input.output_partitioning().partition_count() != 1 || !is_small(input)
    {
        return Ok(None);
    }
    AggregateExec::try_new(
        AggregateMode::Single,
        first.group_expr().clone(),
        first.aggr_expr().to_vec(),
        first.filter_expr().to_vec(),
        Arc::clone(input),
        first.input_schema(),
    )
    .map(|one| Some(one.with_limit_options(last.limit_options())))
}

fn is_small(plan: &Arc<dyn ExecutionPlan>) -> bool {
    let statistics = StatisticsContext::new().compute(plan.as_ref(), &StatisticsArgs::new());
    statistics.is_ok_and(|s| match s.num_rows {
        Precision::Exact(rows) | Precision::Inexact(rows) => rows <= MAX_ROWS,
        Precision::Absent => false,
    })
}
