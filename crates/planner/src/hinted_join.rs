//! Joins as their hints ask for them: `SHUFFLE_HASH` and `SHUFFLE_MERGE` spread both sides by the keys,
//! `SHUFFLE_REPLICATE_NL` compares every pair. A broadcast is the choice of the sides' statistics alone
//! ([`crate::exchange::JoinHintExec`]). What the kind of join does not allow stays as it was chosen.

use std::sync::Arc;

use datafusion::arrow::datatypes::{Field, Schema};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{JoinSide, JoinType, NullEquality, Result};
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{BinaryExpr, Column};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::joins::utils::{ColumnIndex, JoinFilter};
use datafusion::physical_plan::joins::{HashJoinExec, NestedLoopJoinExec, PartitionMode};
use functions::operators::JoinStrategy;

use crate::cluster_rules::sort_merge;
use crate::exchange::JoinHintExec;
use crate::small_join::{Rule, behind_join_selection};

/// `rules` with this pass behind the one that chooses the sides of joins.
pub fn with_hinted_join(rules: Vec<Rule>) -> Vec<Rule> {
    behind_join_selection(rules, Arc::new(HintedJoin))
}

/// The pass; see the module.
#[derive(Debug, Clone, Copy)]
pub struct HintedJoin;

impl PhysicalOptimizerRule for HintedJoin {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
            let made = match node.downcast_ref::<HashJoinExec>() {
                Some(join) if !join.null_aware => hinted(join)?,
                _ => None,
            };
            Ok(made.map_or_else(|| Transformed::no(node), Transformed::yes))
        })
        .data()
    }

    fn name(&self) -> &str {
        "firesteel_hinted_join"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// The hint to the join above `side`: behind operators that take the rows of one input.
fn hint(side: &Arc<dyn ExecutionPlan>) -> Option<JoinStrategy> {
    if let Some(hint) = side.downcast_ref::<JoinHintExec>() {
        return Some(hint.strategy());
    }
    match side.children().as_slice() {
        [input] if !side.is::<HashJoinExec>() => hint(input),
        _ => None,
    }
}

fn hinted(join: &HashJoinExec) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let hints = [hint(join.left()), hint(join.right())];
    // Of two hints the first in this order counts, as in Spark.
    for strategy in [JoinStrategy::Broadcast, JoinStrategy::Merge, JoinStrategy::Hash, JoinStrategy::Loop] {
        if !hints.contains(&Some(strategy)) {
            continue;
        }
        return match strategy {
            JoinStrategy::Broadcast => Ok(None),
            JoinStrategy::Merge if is_mergeable(*join.join_type()) => sort_merge(join).map(Some),
            JoinStrategy::Hash => partitioned(join, hints[0] == Some(strategy)).map(Some),
            JoinStrategy::Loop if *join.join_type() == JoinType::Inner => nested_loop(join),
            JoinStrategy::Merge | JoinStrategy::Loop => Ok(None),
        };
    }
    Ok(None)
}

fn is_mergeable(join_type: JoinType) -> bool {
    use JoinType as J;
    matches!(
        join_type,
        J::Inner | J::Left | J::Right | J::Full | J::LeftSemi | J::LeftAnti | J::RightSemi | J::RightAnti
    )
}

/// Both sides by the keys, with the hinted one in memory where the kind of join lets it.
fn partitioned(join: &HashJoinExec, left_is_built: bool) -> Result<Arc<dyn ExecutionPlan>> {
    if !left_is_built && join.join_type().supports_swap() {
        return join.swap_inputs(PartitionMode::Partitioned);
    }
    Ok(Arc::new(join.builder().with_partition_mode(PartitionMode::Partitioned).build()?))
}

/// Every row with every row, the equalities among the conditions.
fn nested_loop(join: &HashJoinExec) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let (left, right) = (join.left().schema(), join.right().schema());
    let width = left.fields().len();
    let equal = match join.null_equality() {
        NullEquality::NullEqualsNull => Operator::IsNotDistinctFrom,
        NullEquality::NullEqualsNothing => Operator::Eq,
    };
    let mut condition: Option<Arc<dyn PhysicalExpr>> = None;
    let mut add = |expr: Arc<dyn PhysicalExpr>| {
        condition = Some(match condition.take() {
            Some(before) => Arc::new(BinaryExpr::new(before, Operator::And, expr)),
            None => expr,
        });
    };
    for (l, r) in join.on() {
        let r = moved(r, |i| i + width)?;
        add(Arc::new(BinaryExpr::new(Arc::clone(l), equal, r)));
    }
    if let Some(filter) = join.filter() {
        let places: Vec<usize> = filter
            .column_indices()
            .iter()
            .map(|c| if c.side == JoinSide::Left { c.index } else { c.index + width })
            .collect();
        add(moved(filter.expression(), |i| places.get(i).copied().unwrap_or(i))?);
    }
    let Some(condition) = condition else { return Ok(None) };
    let fields: Vec<Arc<Field>> = left.fields().iter().chain(right.fields()).cloned().collect();
    let of = |side: JoinSide, count: usize| (0..count).map(move |index| ColumnIndex { index, side });
    let columns = of(JoinSide::Left, width).chain(of(JoinSide::Right, right.fields().len())).collect();
    let filter = JoinFilter::new(condition, columns, Arc::new(Schema::new(fields)));
    let looped = NestedLoopJoinExec::try_new(
        Arc::clone(join.left()),
        Arc::clone(join.right()),
        Some(filter),
        join.join_type(),
        join.projection.as_ref().map(|p| p.to_vec()),
    )?;
    Ok(Some(Arc::new(looped)))
}

/// An expression with its columns in other places.
fn moved(expr: &Arc<dyn PhysicalExpr>, place: impl Fn(usize) -> usize) -> Result<Arc<dyn PhysicalExpr>> {
    Arc::clone(expr)
        .transform_up(|e| {
            Ok(match e.downcast_ref::<Column>() {
                Some(c) => {
                    let column: Arc<dyn PhysicalExpr> = Arc::new(Column::new(c.name(), place(c.index())));
                    Transformed::yes(column)
                }
                None => Transformed::no(e),
            })
        })
        .data()
}
