//! Refuses physical plans that would run wrongly, or not at all, once cut into stages.
//!
//! A task runs the stage's plan with its leaves cut down to the task's partitions. Leaves that the
//! stage builder does not know are not cut down, so every task reads all of them and rows are
//! repeated without a word. This and the other silent failures are found here, before submission,
//! with a typed reason that lets the router choose the local runner instead.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{JoinType, Result};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::datasource::sink::DataSinkExec;
use datafusion::datasource::source::DataSourceExec;
use datafusion::logical_expr::ReversedUDWF;
use datafusion::physical_expr::Partitioning;
use datafusion::physical_expr::expressions::DynamicFilterPhysicalExpr;
use datafusion::physical_expr::window::{
    PlainAggregateWindowExpr, SlidingAggregateWindowExpr, StandardWindowExpr, WindowExpr,
};
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::joins::{HashJoinExec, NestedLoopJoinExec, PartitionMode};
use datafusion::physical_plan::placeholder_row::PlaceholderRowExec;
use datafusion::physical_plan::recursive_query::RecursiveQueryExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::scalar_subquery::ScalarSubqueryExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::union::UnionExec;
use datafusion::physical_plan::windows::{BoundedWindowAggExec, WindowAggExec, WindowUDFExpr};
use datafusion::physical_plan::work_table::WorkTableExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};

use crate::cluster_rules::{is_broadcast_safe, lacks, needs_stage};
use crate::codec::FiresteelCodec;
use crate::recursion::{RecursionExec, RoundExec};
use crate::row_position::RowPositionExec;
use crate::stages;

/// Largest encoded plan that is submitted. Every task carries its own copy, several of them in one
/// message, and the executors accept messages of 256 MiB.
pub const MAX_ENCODED_PLAN: usize = 16 << 20;

/// Why a plan cannot run on the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Every task would read all of it.
    UnknownLeaf { node: String, partitions: usize },
    /// Several partitions of generated rows, whose count does not survive the wire.
    GeneratedLeaf { node: String, partitions: usize },
    /// A limit inside an in-memory scan, lost when the scan is cut down.
    LimitInMemoryScan,
    /// The stage planner drops repartitionings that are not by hash.
    Repartition { partitioning: String },
    /// A shuffle does not keep the order of its input.
    OrderedShuffle,
    /// The partition count changes inside a stage.
    PartitionCount { node: String, from: usize, to: usize },
    /// A join whose tasks would each answer for the rows of the whole left side.
    LoopJoin { join_type: JoinType },
    /// Numbers the partitions of a shuffle, or its rows: where these are placed is decided otherwise here
    /// than in one process, and a task that is run again would count them in another order.
    RowPosition,
    /// A collected join that the stage planner would spread over other partitions than planned.
    CollectedJoin { join_type: JoinType },
    /// An operator that needs its input sorted or hashed in a way that cannot be seen inside its stage.
    StageRequirements { reason: String },
    /// A function that may look at its window from the end: its wire form forgets that.
    WindowDirection { name: String },
    /// A side of a union that is sorted partition by partition: a task that takes none of its partitions
    /// is left with a sort of none, which DataFusion's own checks refuse.
    SortBelowUnion,
    /// A sink of DataFusion's: one task, no commit.
    Sink,
    /// Reads a value from another part of the plan through shared memory.
    ScalarSubquery,
    /// Feeds its own output back through shared memory.
    Recursion,
    /// A filter filled in while running, by an operator that may be in another stage.
    DynamicFilter { node: String },
    /// Some node or expression has no wire form.
    Unencodable { reason: String },
    /// Too large to be sent with every task.
    Oversized { bytes: usize, limit: usize },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::UnknownLeaf { node, partitions } => {
                write!(f, "{node} reads {partitions} partitions that cannot be dealt out to tasks")
            }
            Refusal::GeneratedLeaf { node, partitions } => {
                write!(f, "{node} generates {partitions} partitions")
            }
            Refusal::LimitInMemoryScan => f.write_str("an in-memory scan carries a limit"),
            Refusal::Repartition { partitioning } => {
                write!(f, "repartitioning by {partitioning} has no shuffle")
            }
            Refusal::OrderedShuffle => f.write_str("a shuffle would have to keep its input's order"),
            Refusal::PartitionCount { node, from, to } => {
                write!(f, "{node} turns {from} partitions into {to} inside a stage")
            }
            Refusal::LoopJoin { join_type } => {
                write!(f, "a nested loop join of type {join_type} spans several tasks")
            }
            Refusal::RowPosition => f.write_str("rows are numbered as a shuffle brings them"),
            Refusal::CollectedJoin { join_type } => {
                write!(f, "a collected join of type {join_type} cannot be broadcast")
            }
            Refusal::StageRequirements { reason } => {
                write!(f, "a stage counts on what its executors do not know: {reason}")
            }
            Refusal::WindowDirection { name } => write!(f, "{name} may look at its window from the end"),
            Refusal::SortBelowUnion => f.write_str("a side of a union is sorted inside the union's stage"),
            Refusal::Sink => f.write_str("the plan writes through a single-process sink"),
            Refusal::ScalarSubquery => f.write_str("a scalar subquery is evaluated inside the plan"),
            Refusal::Recursion => f.write_str("the plan is recursive"),
            Refusal::DynamicFilter { node } => write!(f, "{node} waits for a dynamic filter"),
            Refusal::Unencodable { reason } => write!(f, "the plan has no wire form: {reason}"),
            Refusal::Oversized { bytes, limit } => {
                write!(f, "the encoded plan takes {bytes} bytes, more than {limit}")
            }
        }
    }
}

impl std::error::Error for Refusal {}

/// Checks a plan; the answer is the size of its encoded form.
pub fn lint(
    plan: &Arc<dyn ExecutionPlan>,
    codec: &FiresteelCodec,
    max_encoded: usize,
) -> std::result::Result<usize, Refusal> {
    let mut refusal = None;
    // The visitor itself cannot fail; the result of the walk is of no interest.
    let walk = plan.apply(|node| {
        refusal = check_node(node)?;
        Ok(if refusal.is_some() { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    });
    if let Some(refusal) = refusal {
        return Err(refusal);
    }
    if let Err(e) = walk {
        return Err(Refusal::Unencodable { reason: e.to_string() });
    }
    let config = ConfigOptions::default();
    match stages::find(plan, &mut |stage| lacks(stage, &config)) {
        Ok(None) => {}
        Ok(Some(reason)) => return Err(Refusal::StageRequirements { reason }),
        Err(e) => return Err(Refusal::StageRequirements { reason: e.strip_backtrace() }),
    }
    let in_memory = memory_bytes(plan);
    // A slice counts as the whole buffer it shares, so only a gross excess is refused unencoded.
    if in_memory / 8 > max_encoded {
        return Err(Refusal::Oversized { bytes: in_memory, limit: max_encoded });
    }
    match codec.encode_plan(plan) {
        Err(e) => Err(Refusal::Unencodable { reason: e.to_string() }),
        Ok(encoded) if encoded.len() > max_encoded => {
            Err(Refusal::Oversized { bytes: encoded.len(), limit: max_encoded })
        }
        Ok(encoded) => Ok(encoded.len()),
    }
}

fn check_node(node: &Arc<dyn ExecutionPlan>) -> Result<Option<Refusal>> {
    let refusal = if node.children().is_empty() {
        check_leaf(node)
    } else if let Some(repartition) = node.downcast_ref::<RepartitionExec>() {
        check_repartition(repartition)
    } else if let Some(join) = node.downcast_ref::<NestedLoopJoinExec>() {
        check_loop_join(join)
    } else if let Some(join) = node.downcast_ref::<HashJoinExec>() {
        check_collected_join(join)
    } else if let Some(windows) = windows(node) {
        check_windows(windows).or_else(|| check_partition_count(node))
    } else if node.is::<UnionExec>() {
        node.children().into_iter().any(needs_stage).then_some(Refusal::SortBelowUnion)
    } else if node.is::<RowPositionExec>() {
        let spread = node.output_partitioning().partition_count() > 1;
        (spread && reads_shuffle(node)).then_some(Refusal::RowPosition)
    } else if node.is::<DataSinkExec>() {
        Some(Refusal::Sink)
    } else if node.is::<ScalarSubqueryExec>() {
        Some(Refusal::ScalarSubquery)
    } else if node.is::<RecursionExec>() || node.is::<RecursiveQueryExec>() {
        Some(Refusal::Recursion)
    } else {
        check_partition_count(node)
    };
    match refusal {
        Some(refusal) => Ok(Some(refusal)),
        None => check_expressions(node),
    }
}

fn check_leaf(node: &Arc<dyn ExecutionPlan>) -> Option<Refusal> {
    let partitions = node.output_partitioning().partition_count();
    if node.is::<RoundExec>() || node.is::<WorkTableExec>() {
        return Some(Refusal::Recursion);
    }
    if let Some(scan) = node.downcast_ref::<DataSourceExec>() {
        let source: &dyn Any = scan.data_source().as_ref();
        if source.is::<FileScanConfig>() {
            return None;
        }
        if source.is::<MemorySourceConfig>() {
            return node.fetch().map(|_| Refusal::LimitInMemoryScan);
        }
    }
    let named = |node: &Arc<dyn ExecutionPlan>| node.name().to_owned();
    match partitions {
        0 | 1 => None,
        _ if node.is::<EmptyExec>() || node.is::<PlaceholderRowExec>() => {
            Some(Refusal::GeneratedLeaf { node: named(node), partitions })
        }
        _ => Some(Refusal::UnknownLeaf { node: named(node), partitions }),
    }
}

fn check_repartition(repartition: &RepartitionExec) -> Option<Refusal> {
    if repartition.input().schema().fields().is_empty() {
        // Ballista's writer of shuffles cannot count the rows of a batch without columns.
        return Some(Refusal::Repartition { partitioning: "nothing, as there are no columns,".to_owned() });
    }
    match repartition.partitioning() {
        Partitioning::Hash(_, _) if repartition.preserve_order() => Some(Refusal::OrderedShuffle),
        Partitioning::Hash(_, _) => None,
        other => Some(Refusal::Repartition { partitioning: other.to_string() }),
    }
}

fn check_loop_join(join: &NestedLoopJoinExec) -> Option<Refusal> {
    let spread = join.right().output_partitioning().partition_count() > 1;
    (spread && !is_broadcast_safe(*join.join_type())).then(|| Refusal::LoopJoin { join_type: *join.join_type() })
}

fn check_collected_join(join: &HashJoinExec) -> Option<Refusal> {
    let collected = *join.partition_mode() != PartitionMode::Partitioned && !join.null_aware;
    (collected && !is_broadcast_safe(*join.join_type()))
        .then(|| Refusal::CollectedJoin { join_type: *join.join_type() })
}

fn windows(node: &Arc<dyn ExecutionPlan>) -> Option<&[Arc<dyn WindowExpr>]> {
    match node.downcast_ref::<BoundedWindowAggExec>() {
        Some(window) => Some(window.window_expr()),
        None => node.downcast_ref::<WindowAggExec>().map(WindowAggExec::window_expr),
    }
}

fn check_windows(windows: &[Arc<dyn WindowExpr>]) -> Option<Refusal> {
    let window = windows.iter().find(|window| forgets_direction(window.as_any()))?;
    Some(Refusal::WindowDirection { name: window.name().to_owned() })
}

/// Whether the function could be turned around without its wire form saying so.
fn forgets_direction(window: &dyn Any) -> bool {
    if let Some(plain) = window.downcast_ref::<PlainAggregateWindowExpr>() {
        return plain.get_aggregate_expr().is_reversed();
    }
    if let Some(sliding) = window.downcast_ref::<SlidingAggregateWindowExpr>() {
        return sliding.get_aggregate_expr().is_reversed();
    }
    let standard = window.downcast_ref::<StandardWindowExpr>().map(|w| w.get_standard_func_expr().as_any());
    standard.and_then(|f| f.downcast_ref::<WindowUDFExpr>()).is_some_and(|call| {
        let turns = matches!(call.fun().reverse_expr(), ReversedUDWF::Reversed(_));
        turns && functions::window_udf::encode(call.fun()).is_none()
    })
}

/// Whether anything in `node`'s own stage is read from a shuffle.
fn reads_shuffle(node: &Arc<dyn ExecutionPlan>) -> bool {
    let mut children = node.children().into_iter().enumerate();
    node.is::<RepartitionExec>() || children.any(|(number, child)| stages::is_cut(node, number) || reads_shuffle(child))
}

fn check_partition_count(node: &Arc<dyn ExecutionPlan>) -> Option<Refusal> {
    let children = node.children();
    let [child] = children.as_slice() else {
        return None;
    };
    if node.is::<CoalescePartitionsExec>() || node.is::<SortPreservingMergeExec>() {
        return None;
    }
    let from = child.output_partitioning().partition_count();
    let to = node.output_partitioning().partition_count();
    (from != to).then(|| Refusal::PartitionCount { node: node.name().to_owned(), from, to })
}

fn check_expressions(node: &Arc<dyn ExecutionPlan>) -> Result<Option<Refusal>> {
    // An operator that fills in a filter holds it too; only those that wait for one are in danger.
    if node.is::<SortExec>() || node.is::<HashJoinExec>() || node.is::<AggregateExec>() {
        return Ok(None);
    }
    let mut found = false;
    node.apply_expressions(&mut |root| {
        root.apply(|expr| {
            found |= expr.is::<DynamicFilterPhysicalExpr>();
            Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
        })
    })?;
    Ok(found.then(|| Refusal::DynamicFilter { node: node.name().to_owned() }))
}

/// Bytes of the batches held by in-memory scans: all of them would be sent.
fn memory_bytes(plan: &Arc<dyn ExecutionPlan>) -> usize {
    let own = plan
        .downcast_ref::<DataSourceExec>()
        .and_then(|scan| {
            let source: &dyn Any = scan.data_source().as_ref();
            source.downcast_ref::<MemorySourceConfig>()
        })
        .map_or(0, |memory| memory.partitions().iter().flatten().map(|b| b.get_array_memory_size()).sum());
    own + plan.children().into_iter().map(memory_bytes).sum::<usize>()
}
