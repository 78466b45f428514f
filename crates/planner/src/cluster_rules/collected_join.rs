//! Decides which joins are collected the way the stage planner would, while it can still be acted on.
//!
//! The stage planner collects a partitioned join that it thinks small, repartitions a collected one
//! that must not, or should not, be broadcast, and brings the probe side of a null-aware one into one
//! partition. It does so after all rules, when what is above already counts on the partitions and the
//! order that the join had. [`super::JoinChoice`] leaves few such joins; the rest are found here,
//! before the stages' requirements are looked at. And it swaps the sides of joins once it knows how
//! large they are, where their order may be counted on: see [`crate::probe_side`].

use std::sync::Arc;

use ballista_core::config::BallistaConfig;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::physical_expr::{LexOrdering, Partitioning, PhysicalExpr};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::ensure_requirements::EnsureRequirements;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::joins::{HashJoinExec, PartitionMode};
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::statistics::{StatisticsArgs, StatisticsContext};
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties, replace_children_if_necessary};

use super::is_broadcast_safe;
use crate::probe_side::ProbeSideExec;

/// The pass; see the module.
#[derive(Debug, Clone, Copy)]
pub struct CollectedJoin;

impl PhysicalOptimizerRule for CollectedJoin {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        let order = plan.output_ordering().cloned();
        let decided = plan.transform_up(|node| {
            let Some(join) = node.downcast_ref::<HashJoinExec>() else {
                return Ok(Transformed::no(node));
            };
            let changed = match join.partition_mode() {
                _ if join.null_aware => in_one_task(&node, join)?,
                PartitionMode::CollectLeft if !stays_collected(join, config) => Some(partitioned(join, config)?),
                PartitionMode::Partitioned => collected(join, config)?.map(collect_build_side).transpose()?,
                _ => None,
            };
            Ok(changed.map_or_else(|| Transformed::no(node), Transformed::yes))
        })?;
        let plan = if decided.transformed { in_order(decided.data, order, config)? } else { decided.data };
        plan.transform_up(keep_probe_side).data()
    }

    fn name(&self) -> &str {
        "firesteel_collected_join"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// The plan, whose joins may have lost their order, with what it needs of it.
fn in_order(
    plan: Arc<dyn ExecutionPlan>,
    order: Option<LexOrdering>,
    config: &ConfigOptions,
) -> Result<Arc<dyn ExecutionPlan>> {
    let plan = EnsureRequirements::new().optimize(plan, config)?;
    let Some(order) = order else {
        return Ok(plan);
    };
    if plan.equivalence_properties().ordering_satisfy(order.clone())? {
        return Ok(plan);
    }
    let whole: Arc<dyn ExecutionPlan> = match plan.output_partitioning().partition_count() {
        1 => plan,
        _ => Arc::new(CoalescePartitionsExec::new(plan)),
    };
    Ok(Arc::new(SortExec::new(order, whole)))
}

/// Fixes the sides of a join whose order may be counted on.
fn keep_probe_side(node: Arc<dyn ExecutionPlan>) -> Result<Transformed<Arc<dyn ExecutionPlan>>> {
    let Some(join) = node.downcast_ref::<HashJoinExec>() else {
        return Ok(Transformed::no(node));
    };
    let one = join.right().output_partitioning().partition_count() == 1;
    let swappable = one || *join.partition_mode() == PartitionMode::Partitioned;
    if !swappable || join.right().is::<ProbeSideExec>() || join.right().output_ordering().is_none() {
        return Ok(Transformed::no(node));
    }
    let right = Arc::new(ProbeSideExec::new(Arc::clone(join.right())));
    let left = Arc::clone(join.left());
    replace_children_if_necessary(node, vec![left, right]).map(Transformed::yes)
}

/// Whether the stage planner leaves a collected join collected.
pub(super) fn stays_collected(join: &HashJoinExec, config: &ConfigOptions) -> bool {
    is_broadcast_safe(*join.join_type()) && is_small(join.left(), config)
}

/// What the stage planner makes of a partitioned join with a small side; `None` if it stays as it is.
pub(super) fn collected(join: &HashJoinExec, config: &ConfigOptions) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let (left, right) = (is_small(join.left(), config), is_small(join.right(), config));
    let swap = right && (!left || is_larger(join.left(), join.right())?);
    let join_type = if swap { join.join_type().swap() } else { *join.join_type() };
    if !(left || right) || !is_broadcast_safe(join_type) || (swap && !join.join_type().supports_swap()) {
        return Ok(None);
    }
    if swap {
        return join.swap_inputs(PartitionMode::CollectLeft).map(Some);
    }
    join.builder().with_partition_mode(PartitionMode::CollectLeft).recompute_properties().build_exec().map(Some)
}

/// Puts the build side of a join that became collected into one partition. The join may be below the
/// projection that puts swapped columns back.
fn collect_build_side(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let Some(join) = plan.downcast_ref::<HashJoinExec>() else {
        let children = plan.children().into_iter().cloned().map(collect_build_side).collect::<Result<_>>()?;
        return replace_children_if_necessary(plan, children);
    };
    // What was shuffled for the partitioned join need not be.
    let build = match join.left().downcast_ref::<RepartitionExec>() {
        Some(repartition) => repartition.input(),
        None => join.left(),
    };
    let build = match build.output_partitioning().partition_count() {
        1 => Arc::clone(build),
        _ => Arc::new(CoalescePartitionsExec::new(Arc::clone(build))),
    };
    let right = Arc::clone(join.right());
    replace_children_if_necessary(plan, vec![build, right])
}

fn is_small(side: &Arc<dyn ExecutionPlan>, config: &ConfigOptions) -> bool {
    let threshold = match config.extensions.get::<BallistaConfig>() {
        Some(config) => config.broadcast_join_threshold_bytes(),
        None => BallistaConfig::default().broadcast_join_threshold_bytes(),
    };
    estimated_bytes(side).is_some_and(|bytes| bytes < threshold)
}

fn is_larger(left: &Arc<dyn ExecutionPlan>, right: &Arc<dyn ExecutionPlan>) -> Result<bool> {
    let stats = |side: &Arc<dyn ExecutionPlan>| StatisticsContext::new().compute(side.as_ref(), &StatisticsArgs::new());
    let (left, right) = (stats(left)?, stats(right)?);
    let bytes = left.total_byte_size.get_value().zip(right.total_byte_size.get_value());
    let rows = left.num_rows.get_value().zip(right.num_rows.get_value());
    Ok(bytes.or(rows).is_some_and(|(left, right)| left > right))
}

/// The size of a build side by the stage planner's reckoning.
fn estimated_bytes(build: &Arc<dyn ExecutionPlan>) -> Option<usize> {
    let stats = StatisticsContext::new().compute(build.as_ref(), &StatisticsArgs::new()).ok()?;
    // Zero is taken for unknown.
    if let Some(bytes) = stats.total_byte_size.get_value().filter(|bytes| **bytes != 0) {
        return Some(*bytes);
    }
    let rows = stats.num_rows.get_value().filter(|rows| **rows != 0)?;
    let width: usize = build.schema().fields().iter().map(|f| width(f.data_type())).sum();
    Some(rows.saturating_mul(width.max(8)))
}

fn width(data_type: &DataType) -> usize {
    match data_type {
        DataType::Boolean | DataType::Int8 | DataType::UInt8 => 1,
        DataType::Int16 | DataType::UInt16 => 2,
        DataType::Int32 | DataType::UInt32 | DataType::Float32 | DataType::Date32 => 4,
        DataType::Int64 | DataType::UInt64 | DataType::Float64 | DataType::Date64 => 8,
        DataType::Decimal128(_, _) => 16,
        _ => 32,
    }
}

/// The join with its probe side in one partition, if it is not: all that remembers whether a null was
/// seen is in one task then.
fn in_one_task(node: &Arc<dyn ExecutionPlan>, join: &HashJoinExec) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    if join.right().output_partitioning().partition_count() == 1 {
        return Ok(None);
    }
    let right = Arc::new(CoalescePartitionsExec::new(Arc::clone(join.right())));
    replace_children_if_necessary(Arc::clone(node), vec![Arc::clone(join.left()), right]).map(Some)
}

/// The join with both sides hashed by its keys.
fn partitioned(join: &HashJoinExec, config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
    let partitions = config.execution.target_partitions;
    let hashed = |side: &Arc<dyn ExecutionPlan>, keys: Vec<Arc<dyn PhysicalExpr>>| -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(RepartitionExec::try_new(Arc::clone(side), Partitioning::Hash(keys, partitions))?))
    };
    let left = match join.left().downcast_ref::<CoalescePartitionsExec>() {
        Some(collected) => collected.input(),
        None => join.left(),
    };
    let left = hashed(left, join.on().iter().map(|(l, _)| Arc::clone(l)).collect())?;
    let right = hashed(join.right(), join.on().iter().map(|(_, r)| Arc::clone(r)).collect())?;
    join.builder().with_partition_mode(PartitionMode::Partitioned).with_new_children(vec![left, right])?.build_exec()
}
