//! Round-robin repartitioning becomes hashing by the whole row.
//!
//! The stage planner drops every repartitioning that is not by hash, and a round robin over the
//! rows of a shuffle would not place them again the same way when a task is retried, which loses
//! and repeats rows. Hashing all columns gives the asked number of partitions and the same
//! placement every time; equal rows end up together.
//!
//! Rows without columns are given one for the way: Ballista's writer of shuffles cannot count them.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::physical_expr::Partitioning;
use datafusion::physical_expr::expressions::{Column, lit};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::projection::{ProjectionExec, ProjectionExpr};
use datafusion::physical_plan::repartition::RepartitionExec;

/// The name of the column that rows without columns get.
const BALLAST: &str = "#ballast";

/// `input` shuffled by all of its columns.
fn by_row(input: Arc<dyn ExecutionPlan>, partitions: usize) -> Result<Arc<dyn ExecutionPlan>> {
    let schema = input.schema();
    let keys = schema.fields().iter().enumerate().map(|(i, f)| Arc::new(Column::new(f.name(), i)) as _).collect();
    Ok(Arc::new(RepartitionExec::try_new(input, Partitioning::Hash(keys, partitions))?))
}

/// Rows without columns, shuffled by one that they have only on the way.
fn with_ballast(input: &Arc<dyn ExecutionPlan>, partitions: usize) -> Result<Arc<dyn ExecutionPlan>> {
    let ballast = ProjectionExpr { expr: lit(false), alias: BALLAST.to_owned() };
    let laden = Arc::new(ProjectionExec::try_new([ballast], Arc::clone(input))?);
    let moved = by_row(laden, partitions)?;
    let none: [ProjectionExpr; 0] = [];
    Ok(Arc::new(ProjectionExec::try_new(none, moved)?))
}

/// The pass; see the module.
#[derive(Debug, Clone, Copy)]
pub struct RowRepartition;

impl PhysicalOptimizerRule for RowRepartition {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
            let Some(repartition) = node.downcast_ref::<RepartitionExec>() else {
                return Ok(Transformed::no(node));
            };
            let input = repartition.input();
            let width = input.schema().fields().len();
            let partitions = match repartition.partitioning() {
                Partitioning::RoundRobinBatch(partitions) => *partitions,
                Partitioning::Hash(_, partitions) if width == 0 => *partitions,
                _ => return Ok(Transformed::no(node)),
            };
            if width == 0 {
                return with_ballast(input, partitions).map(Transformed::yes);
            }
            Ok(Transformed::yes(by_row(Arc::clone(input), partitions)?))
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
