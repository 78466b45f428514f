//! Hash join where its build side is known to fit, sort-merge join otherwise.
//!
//! DataFusion's hash join cannot spill, and a task on an executor owns a slice of the memory. The
//! sessions of the cluster therefore let DataFusion plan hash joins (so that small build sides are
//! collected and broadcast), and this pass turns each partitioned one whose build side is unknown
//! or too large into a sort-merge join, which spills.
//!
//! A collected build side is sent to every task of the probe side. Joins that answer for rows of the
//! build side cannot be spread like that. Ballista would repartition them on its own, but too late:
//! what is above them already counts on the partitions they had. They are partitioned here, before
//! distribution is enforced, and small sides collected that Ballista would collect.

use std::sync::Arc;

use datafusion::arrow::compute::SortOptions;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{JoinType, Result};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::joins::{HashJoinExec, PartitionMode, SortMergeJoinExec};
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::statistics::{StatisticsArgs, StatisticsContext};

use super::collected_join::{collected, stays_collected};

/// The pass; see the module.
#[derive(Debug, Clone)]
pub struct JoinChoice {
    /// Largest estimated build side, in bytes per partition, that a task may hold as a hash table.
    pub max_build_bytes_per_partition: usize,
}

impl Default for JoinChoice {
    fn default() -> Self {
        // Estimates do not count the hash table itself and shrink through filters by a guess, so
        // the budget is well below what a task owns.
        JoinChoice { max_build_bytes_per_partition: 32 << 20 }
    }
}

impl PhysicalOptimizerRule for JoinChoice {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        let partitions = config.execution.target_partitions.max(1);
        plan.transform_up(|node| {
            let Some(join) = node.downcast_ref::<HashJoinExec>() else {
                return Ok(Transformed::no(node));
            };
            if join.null_aware {
                return Ok(Transformed::no(node));
            }
            match join.partition_mode() {
                PartitionMode::CollectLeft if stays_collected(join, config) => return Ok(Transformed::no(node)),
                PartitionMode::Auto => return Ok(Transformed::no(node)),
                PartitionMode::Partitioned | PartitionMode::CollectLeft => {}
            }
            if let Some(collected) = collected(join, config)? {
                return Ok(Transformed::yes(collected));
            }
            if !self.build_fits(join, partitions) {
                return Ok(Transformed::yes(sort_merge(join)?));
            }
            let partitioned = join.builder().with_partition_mode(PartitionMode::Partitioned);
            Ok(Transformed::yes(partitioned.recompute_properties().build_exec()?))
        })
        .data()
    }

    fn name(&self) -> &str {
        "firesteel_join_choice"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// Whether each row of the join is decided by one row of the probe side.
pub(crate) fn is_broadcast_safe(join_type: JoinType) -> bool {
    match join_type {
        JoinType::Inner | JoinType::Right | JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => true,
        JoinType::Left | JoinType::Full | JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark => false,
    }
}

impl JoinChoice {
    fn build_fits(&self, join: &HashJoinExec, partitions: usize) -> bool {
        let build = join.left();
        let Ok(stats) = StatisticsContext::new().compute(build.as_ref(), &StatisticsArgs::new()) else {
            return false;
        };
        let bytes = match (stats.total_byte_size.get_value(), stats.num_rows.get_value()) {
            (Some(bytes), _) => *bytes,
            (None, Some(rows)) => rows.saturating_mul(row_width(build)),
            (None, None) => return false,
        };
        bytes / partitions <= self.max_build_bytes_per_partition
    }
}

/// A guess at the bytes of one row, for when only the count is known.
fn row_width(plan: &Arc<dyn ExecutionPlan>) -> usize {
    const VARIABLE: usize = 32;
    plan.schema().fields().iter().map(|f| f.data_type().primitive_width().unwrap_or(VARIABLE)).sum::<usize>().max(1)
}

/// The same join by sorting and merging.
pub(crate) fn sort_merge(join: &HashJoinExec) -> Result<Arc<dyn ExecutionPlan>> {
    let merged: Arc<dyn ExecutionPlan> = Arc::new(SortMergeJoinExec::try_new(
        Arc::clone(join.left()),
        Arc::clone(join.right()),
        join.on().to_vec(),
        join.filter().cloned(),
        *join.join_type(),
        vec![SortOptions::default(); join.on().len()],
        join.null_equality(),
    )?);
    let Some(projection) = &join.projection else {
        return Ok(merged);
    };
    let schema = merged.schema();
    let columns: Vec<_> = projection
        .iter()
        .map(|&i| {
            let name = schema.field(i).name();
            (Arc::new(Column::new(name, i)) as _, name.clone())
        })
        .collect();
    Ok(Arc::new(ProjectionExec::try_new(columns, merged)?))
}
