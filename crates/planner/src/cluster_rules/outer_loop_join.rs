//! One task for a nested loop join that answers for its build side.
//!
//! Such a join collects its left side and remembers which of its rows were matched. The memory is
//! shared between the partitions of one process only: spread over tasks, every task would emit the
//! left rows that *its* share of the right side did not match. Bringing the right side into one
//! partition puts the join into one task.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::joins::NestedLoopJoinExec;
use datafusion::physical_plan::limit::GlobalLimitExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties, replace_children_if_necessary};

use super::is_broadcast_safe;

/// The pass; see the module.
#[derive(Debug, Clone, Copy)]
pub struct OuterLoopJoin;

impl PhysicalOptimizerRule for OuterLoopJoin {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
            let Some(join) = node.downcast_ref::<NestedLoopJoinExec>() else {
                return Ok(Transformed::no(node));
            };
            if is_broadcast_safe(*join.join_type()) || join.right().output_partitioning().partition_count() == 1 {
                return Ok(Transformed::no(node));
            }
            let left = Arc::clone(join.left());
            let right = Arc::new(CoalescePartitionsExec::new(Arc::clone(join.right())));
            // The join does not ask for one partition, so whoever looks at distribution again would take
            // that away; a limit without an end does ask.
            let right = Arc::new(GlobalLimitExec::new(right, 0, None));
            Ok(Transformed::yes(replace_children_if_necessary(node, vec![left, right])?))
        })
        .data()
    }

    fn name(&self) -> &str {
        "firesteel_outer_loop_join"
    }

    fn schema_check(&self) -> bool {
        true
    }
}
