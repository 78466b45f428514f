//! Joins of small tables with their rows in the order that Spark gives them.
//!
//! Spark collects the smaller side of such a join and reads the other row by row, and of equal ones the
//! left one; DataFusion reads the right one then, and the rows of a cross join come by the other side.
//! Of an outer join Spark reads the side whose rows are all kept, and rows without a match stay where
//! they are; DataFusion has them come last.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{JoinType, Result};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::joins::{CrossJoinExec, HashJoinExec, NestedLoopJoinExec, PartitionMode};
use datafusion::physical_plan::statistics::{StatisticsArgs, StatisticsContext};
use datafusion::physical_plan::{
    ChildrenPropertiesMode, ExecutionPlan, ExecutionPlanProperties, ReplaceChildrenOptions,
};

use crate::arrival::ArrivalExec;
use crate::gathered::GatheredExec;

/// Rows of a side up to which the order is worth more than the choice of the side to collect.
const MAX_ROWS: usize = 20_000;

/// What Spark counts for a row beside its columns.
const ROW_OVERHEAD: usize = 8;

pub(crate) type Rule = Arc<dyn PhysicalOptimizerRule + Send + Sync>;

/// `rules` with this pass behind the one that chooses the sides of joins.
pub fn with_small_join(rules: Vec<Rule>) -> Vec<Rule> {
    behind_join_selection(rules, Arc::new(SmallJoin))
}

/// `rules` with `pass` behind the one that chooses the sides of joins.
pub(crate) fn behind_join_selection(rules: Vec<Rule>, pass: Rule) -> Vec<Rule> {
    rules
        .into_iter()
        .flat_map(|rule| {
            let next = (rule.name() == "join_selection").then(|| Arc::clone(&pass));
            std::iter::once(rule).chain(next)
        })
        .collect()
}

/// The pass; see the module.
#[derive(Debug, Clone, Copy)]
pub struct SmallJoin;

impl PhysicalOptimizerRule for SmallJoin {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
            let turned = if let Some(join) = node.downcast_ref::<HashJoinExec>() {
                match join.join_type() {
                    JoinType::Full => merged_full_join(&node, join)?,
                    kind if kind.is_outer() => turned_outer_join(&node, join)?,
                    _ => turned_hash_join(join)?,
                }
            } else if let Some(join) = node.downcast_ref::<CrossJoinExec>() {
                turned_cross_join(join)?
            } else if let Some(join) = node.downcast_ref::<NestedLoopJoinExec>() {
                turned_loop_join(&node, join)?
            } else {
                None
            };
            Ok(turned.map_or_else(|| Transformed::no(node), Transformed::yes))
        })
        .data()
    }

    fn name(&self) -> &str {
        "firesteel_small_join"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn turned_hash_join(join: &HashJoinExec) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    if *join.partition_mode() != PartitionMode::CollectLeft {
        return Ok(None);
    }
    let (Some(left), Some(right)) = (size(join.left()), size(join.right())) else { return Ok(None) };
    if *join.join_type() == JoinType::Inner && left == right {
        join.swap_inputs(PartitionMode::CollectLeft).map(Some)
    } else {
        Ok(None)
    }
}

/// An outer join whose other side is small reads the side of which it keeps every row.
fn turned_outer_join(node: &Arc<dyn ExecutionPlan>, join: &HashJoinExec) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    if *join.partition_mode() != PartitionMode::CollectLeft {
        return Ok(None);
    }
    match join.join_type() {
        JoinType::Left if size(join.right()).is_some() && is_one(join.right()) => {
            let children = vec![in_order(join.left()), Arc::clone(join.right())];
            let marked = over(node, children)?;
            match marked.downcast_ref::<HashJoinExec>() {
                Some(marked) => marked.swap_inputs(PartitionMode::CollectLeft).map(Some),
                None => Ok(None),
            }
        }
        JoinType::Right if size(join.left()).is_some() && join.right().output_ordering().is_none() => {
            let children = vec![Arc::clone(join.left()), in_order(join.right())];
            over(node, children).map(Some)
        }
        _ => Ok(None),
    }
}

/// The join over other children.
fn over(join: &Arc<dyn ExecutionPlan>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
    Arc::clone(join).replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
}

/// Whether a plan is in one piece, as the side that is collected must be.
fn is_one(plan: &Arc<dyn ExecutionPlan>) -> bool {
    plan.output_partitioning().partition_count() == 1
}

/// `plan` with an order that a join keeps.
fn in_order(plan: &Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
    match plan.output_ordering() {
        Some(_) => Arc::clone(plan),
        None => Arc::new(ArrivalExec::new(Arc::clone(plan))),
    }
}

/// The rows of the left side of a cross join stay together.
fn turned_cross_join(join: &CrossJoinExec) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let (Some(left), Some(right)) = (size(join.left()), size(join.right())) else { return Ok(None) };
    if join.left().is::<GatheredExec>() {
        return Ok(None);
    }
    let whole = CrossJoinExec::new(GatheredExec::of(join.left()), GatheredExec::of(join.right()));
    if left < right { whole.swap_inputs().map(Some) } else { Ok(Some(Arc::new(whole))) }
}

/// So do those of the side that Spark reads row by row where a join has a condition but no keys.
fn turned_loop_join(
    node: &Arc<dyn ExecutionPlan>,
    join: &NestedLoopJoinExec,
) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let (Some(left), Some(right)) = (size(join.left()), size(join.right())) else { return Ok(None) };
    let turn = match join.join_type() {
        JoinType::Inner => left < right,
        JoinType::Left => false,
        JoinType::Right => true,
        _ => return Ok(None),
    };
    if join.left().is::<GatheredExec>() {
        return Ok(None);
    }
    let whole = over(node, vec![GatheredExec::of(join.left()), GatheredExec::of(join.right())])?;
    match whole.downcast_ref::<NestedLoopJoinExec>() {
        Some(join) if turn => join.swap_inputs().map(Some),
        _ => Ok(Some(whole)),
    }
}

/// The rows of a full outer join come by their keys, as those of both sides are merged in Spark.
fn merged_full_join(node: &Arc<dyn ExecutionPlan>, join: &HashJoinExec) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let small = size(join.left()).is_some() && size(join.right()).is_some();
    let collected = *join.partition_mode() == PartitionMode::CollectLeft;
    if !small || !collected || join.projection.is_some() || join.left().is::<GatheredExec>() {
        return Ok(None);
    }
    let columns = join.left().schema().fields().len();
    let mut keys = Vec::new();
    for (left, right) in join.on() {
        let (Some(l), Some(r)) = (left.downcast_ref::<Column>(), right.downcast_ref::<Column>()) else {
            return Ok(None);
        };
        let ty = join.left().schema().field(l.index()).data_type().clone();
        if ty.is_nested() || ty != *join.right().schema().field(r.index()).data_type() {
            return Ok(None);
        }
        keys.push((l.index(), columns + r.index()));
    }
    let whole = over(node, vec![GatheredExec::of(join.left()), GatheredExec::of(join.right())])?;
    Ok(Some(Arc::new(GatheredExec::new(whole, keys))))
}

/// Bytes of a small table as Spark estimates them; `None` if it is not known to be one.
fn size(plan: &Arc<dyn ExecutionPlan>) -> Option<usize> {
    let statistics = StatisticsContext::new().compute(plan.as_ref(), &StatisticsArgs::new()).ok()?;
    match statistics.num_rows {
        Precision::Exact(rows) | Precision::Inexact(rows) if rows <= MAX_ROWS => {
            let columns: usize = plan.schema().fields().iter().map(|f| width(f.data_type())).sum();
            Some(rows * (ROW_OVERHEAD + columns))
        }
        _ => None,
    }
}

/// Bytes that Spark takes a value of a type for.
fn width(ty: &DataType) -> usize {
    match ty {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => 20,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => 100,
        DataType::List(item) | DataType::LargeList(item) => width(item.data_type()),
        DataType::Map(entries, _) => width(entries.data_type()),
        DataType::Struct(fields) => fields.iter().map(|f| width(f.data_type())).sum(),
        DataType::Decimal128(precision, _) if *precision <= 18 => 8,
        other => other.primitive_width().unwrap_or(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{AsArray, Int32Array, RecordBatch};
    use arrow::datatypes::{Field, Int32Type, Schema};
    use datafusion::common::NullEquality;
    use datafusion::datasource::memory::MemorySourceConfig;
    use datafusion::execution::TaskContext;
    use datafusion::physical_plan::collect;

    fn table(values: &[i32]) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int32, true)]));
        let batch = RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(Int32Array::from(values.to_vec()))])?;
        Ok(MemorySourceConfig::try_new_exec(&[vec![batch]], schema, None)?)
    }

    #[tokio::test]
    async fn the_left_one_of_equal_sides_gives_the_order() -> Result<()> {
        let on = vec![(Arc::new(Column::new("n", 0)) as _, Arc::new(Column::new("n", 0)) as _)];
        let join = HashJoinExec::try_new(
            table(&[3, 1, 2])?,
            table(&[1, 2, 3])?,
            on,
            None,
            &JoinType::Inner,
            None,
            PartitionMode::CollectLeft,
            NullEquality::NullEqualsNothing,
            false,
        )?;
        let plan = SmallJoin.optimize(Arc::new(join), &ConfigOptions::default())?;
        let batches = collect(plan, Arc::new(TaskContext::default())).await?;
        let seen: Vec<i32> =
            batches.iter().flat_map(|b| b.column(0).as_primitive::<Int32Type>().values().to_vec()).collect();
        assert_eq!(seen, [3, 1, 2]);
        Ok(())
    }

    #[tokio::test]
    async fn rows_without_a_match_stay_where_they_are() -> Result<()> {
        for (join_type, left, right, expect) in [
            (JoinType::Left, table(&[3, 7, 1, 8])?, table(&[1, 3])?, vec![Some(3), None, Some(1), None]),
            (JoinType::Right, table(&[1, 3])?, table(&[3, 7, 1, 8])?, vec![Some(3), Some(7), Some(1), Some(8)]),
        ] {
            let on = vec![(Arc::new(Column::new("n", 0)) as _, Arc::new(Column::new("n", 0)) as _)];
            let mode = PartitionMode::CollectLeft;
            let nulls = NullEquality::NullEqualsNothing;
            let join = HashJoinExec::try_new(left, right, on, None, &join_type, None, mode, nulls, false)?;
            let plan = SmallJoin.optimize(Arc::new(join), &ConfigOptions::default())?;
            let batches = collect(plan, Arc::new(TaskContext::default())).await?;
            let rows: Vec<Option<i32>> =
                batches.iter().flat_map(|b| b.column(1).as_primitive::<Int32Type>().iter()).collect();
            assert_eq!(rows, expect, "{join_type}");
        }
        Ok(())
    }
}
