//! Round-robin repartitioning becomes hashing by the whole row.
//!
//! The stage planner drops every repartitioning that is not by hash, and a round robin over the
//! rows of a shuffle would not place them again the same way when a task is retried, which loses
//! and repeats rows. Hashing all columns gives the asked number of partitions and the same
//! placement every time; equal rows end up together.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{Partitioning, PhysicalExpr};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::repartition::RepartitionExec;

/// The pass; see the module.
#[derive(Debug, Clone, Copy)]
pub struct RowRepartition;

impl PhysicalOptimizerRule for RowRepartition {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
            let Some(repartition) = node.downcast_ref::<RepartitionExec>() else {
                return Ok(Transformed::no(node));
            };
            let Partitioning::RoundRobinBatch(partitions) = *repartition.partitioning() else {
                return Ok(Transformed::no(node));
            };
            let input = Arc::clone(repartition.input());
            let keys: Vec<Arc<dyn PhysicalExpr>> = input
                .schema()
                .fields()
                .iter()
                .enumerate()
                .map(|(i, f)| Arc::new(Column::new(f.name(), i)) as _)
                .collect();
            if keys.is_empty() {
                // Nothing to hash: the stage linter refuses what is left.
                return Ok(Transformed::no(node));
            }
            let hashed = RepartitionExec::try_new(input, Partitioning::Hash(keys, partitions))?;
            Ok(Transformed::yes(Arc::new(hashed)))
        })
        .data()
    }

    fn name(&self) -> &str {
        "firesteel_row_repartition"
    }

    fn schema_check(&self) -> bool {
        true
    }
}
