//! Tells functions where a row stands: its partition and its number in it.
//!
//! `rand(5)`, `monotonically_increasing_id()` and their like depend on both, and a scalar function sees
//! neither. [`RowPosition`] puts a counting operator below every projection or filter with such a call
//! and gives the call the operator's two columns. It runs before any other physical rule, so that
//! nothing moves the calls into a scan.
//!
//! A task on an executor sees its own partitions only and counts them from zero. Whoever hands out the
//! tasks knows which partitions of the stage they are, and writes it down with [`numbered`].

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Int32Array, Int64Array, RecordBatch};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Result, exec_err, internal_err};
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::expressions::{BinaryExpr, Column, lit};
use datafusion::physical_expr::{
    EquivalenceProperties, LexOrdering, PhysicalExpr, PhysicalSortExpr, ScalarFunctionExpr,
};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::filter::{FilterExec, FilterExecBuilder};
use datafusion::physical_plan::projection::{ProjectionExec, ProjectionExpr};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties};
use functions::KernelUdf;
use functions::families::random::{POSITIONAL, SEEDED};
use futures::StreamExt;

use crate::codec::NodeCodec;
use crate::one_input;

/// Names of the two columns.
const PARTITION: &str = "#partition";
const ROW: &str = "#row";

/// Its input with two more columns: the partition and the row's number in it, from 0.
#[derive(Debug)]
pub struct RowPositionExec {
    input: Arc<dyn ExecutionPlan>,
    schema: SchemaRef,
    /// The rows are known to be ordered by the two columns, and not by any other.
    in_order: bool,
    /// Which partitions of the whole plan these are; without it they are all.
    numbers: Option<Arc<[usize]>>,
    properties: Arc<PlanProperties>,
}

impl RowPositionExec {
    /// Counts the rows of `input`.
    pub fn new(input: Arc<dyn ExecutionPlan>) -> Self {
        RowPositionExec::counting(input, false)
    }

    /// Counts the rows of `input` and says that they are in that order, so that partitions are merged
    /// by it.
    pub fn in_order(input: Arc<dyn ExecutionPlan>) -> Self {
        RowPositionExec::counting(input, true)
    }

    fn counting(input: Arc<dyn ExecutionPlan>, in_order: bool) -> Self {
        let mut fields: Vec<_> = input.schema().fields().iter().cloned().collect();
        fields.push(Arc::new(Field::new(PARTITION, DataType::Int32, false)));
        fields.push(Arc::new(Field::new(ROW, DataType::Int64, false)));
        let schema = Arc::new(Schema::new_with_metadata(fields, input.schema().metadata().clone()));
        let orderings: Vec<LexOrdering> = if in_order {
            let columns = [PARTITION, ROW].into_iter().zip(schema.fields().len() - 2..);
            let keys = columns.map(|(name, i)| PhysicalSortExpr::new_default(Arc::new(Column::new(name, i))));
            LexOrdering::new(keys).into_iter().collect()
        } else {
            input.properties().equivalence_properties().oeq_class().iter().cloned().collect()
        };
        let properties = PlanProperties::new(
            EquivalenceProperties::new_with_orderings(Arc::clone(&schema), orderings),
            input.properties().output_partitioning().clone(),
            input.properties().emission_type,
            input.properties().boundedness,
        );
        RowPositionExec { input, schema, in_order, numbers: None, properties: Arc::new(properties) }
    }

    fn numbered(mut self, numbers: Option<Arc<[usize]>>) -> Self {
        self.numbers = numbers;
        self
    }

    /// The number of a partition in the whole plan.
    fn number(&self, partition: usize) -> Result<i32> {
        let number = match &self.numbers {
            None => Some(partition),
            Some(numbers) => numbers.get(partition).copied(),
        };
        match number.and_then(|number| i32::try_from(number).ok()) {
            Some(number) => Ok(number),
            None => internal_err!("partition {partition} has no number"),
        }
    }
}

/// `plan` as a task runs it that takes `partitions` of its stage, in their order.
///
/// # Errors
/// If an operator does not take its new input.
pub fn numbered(plan: Arc<dyn ExecutionPlan>, partitions: &[usize]) -> Result<Arc<dyn ExecutionPlan>> {
    let numbers: Arc<[usize]> = partitions.into();
    plan.transform_up(|node| match node.downcast_ref::<RowPositionExec>() {
        // A single partition is number 0, whatever the stage has beside it.
        Some(position) if node.output_partitioning().partition_count() > 1 => {
            let position = RowPositionExec::counting(Arc::clone(&position.input), position.in_order);
            Ok(Transformed::yes(Arc::new(position.numbered(Some(Arc::clone(&numbers))))))
        }
        _ => Ok(Transformed::no(node)),
    })
    .data()
}

/// `plan` with each of its scans reading the files of a partition in turn, and no others: by default
/// an idle partition takes files of another, which numbers their rows anew.
fn in_turn(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    plan.transform_down(|node| {
        if !node.is::<DataSourceExec>() {
            return Ok(Transformed::no(node));
        }
        match node.with_preserve_order(true) {
            Some(ordered) => Ok(Transformed::yes(ordered)),
            None => Ok(Transformed::no(node)),
        }
    })
    .data()
}

impl DisplayAs for RowPositionExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "RowPositionExec")
    }
}

impl ExecutionPlan for RowPositionExec {
    one_input!(RowPositionExec, |this, input| {
        RowPositionExec::counting(input, this.in_order).numbered(this.numbers.clone())
    });

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        // Spreading rows over more partitions would number them anew.
        vec![false]
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let input = self.input.execute(partition, context)?;
        let schema = Arc::clone(&self.schema);
        let number = self.number(partition)?;
        let mut next_row = 0i64;
        let batches = input.map(move |batch| {
            let batch = batch?;
            let rows = batch.num_rows() as i64;
            let mut columns: Vec<ArrayRef> = batch.columns().to_vec();
            columns.push(Arc::new(Int32Array::from(vec![number; batch.num_rows()])));
            columns.push(Arc::new((next_row..next_row + rows).collect::<Int64Array>()));
            next_row += rows;
            Ok(RecordBatch::try_new(Arc::clone(&schema), columns)?)
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), batches)))
    }
}

/// The operator has nothing to tell but its partitions.
pub(crate) static ROW_POSITION: NodeCodec = NodeCodec {
    name: "row_position",
    encode: |node, _| {
        let Some(position) = node.downcast_ref::<RowPositionExec>() else { return Ok(None) };
        let numbers = position.numbers.iter().flat_map(|numbers| numbers.iter());
        Ok(Some(numbers.flat_map(|number| (*number as u64).to_le_bytes()).collect()))
    },
    decode: |body, children, _| match (children, body.as_chunks::<8>()) {
        ([input], (numbers, [])) => {
            let position = RowPositionExec::new(in_turn(Arc::clone(input))?);
            let numbers: Arc<[usize]> = numbers.iter().map(|bytes| u64::from_le_bytes(*bytes) as usize).collect();
            Ok(Arc::new(position.numbered((!numbers.is_empty()).then_some(numbers))))
        }
        _ => exec_err!("a counting operator arrived malformed"),
    },
};

/// The pass; see the module.
#[derive(Debug, Clone, Copy)]
pub struct RowPosition;

impl PhysicalOptimizerRule for RowPosition {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
            if let Some(projection) = node.downcast_ref::<ProjectionExec>() {
                return rewrite_projection(projection).map(|new| changed(node, new));
            }
            if let Some(filter) = node.downcast_ref::<FilterExec>() {
                return rewrite_filter(filter).map(|new| changed(node, new));
            }
            Ok(Transformed::no(node))
        })
        .data()
    }

    fn name(&self) -> &str {
        "firesteel_row_position"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn changed(old: Arc<dyn ExecutionPlan>, new: Option<Arc<dyn ExecutionPlan>>) -> Transformed<Arc<dyn ExecutionPlan>> {
    match new {
        Some(new) => Transformed::yes(new),
        None => Transformed::no(old),
    }
}

fn rewrite_projection(projection: &ProjectionExec) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let width = projection.input().schema().fields().len();
    let mut any = false;
    let exprs = projection
        .expr()
        .iter()
        .map(|e| {
            let expr = with_position(&e.expr, width)?;
            any |= expr.transformed;
            Ok(ProjectionExpr { expr: expr.data, alias: e.alias.clone() })
        })
        .collect::<Result<Vec<_>>>()?;
    if !any {
        return Ok(None);
    }
    let input = Arc::new(RowPositionExec::new(in_turn(Arc::clone(projection.input()))?));
    Ok(Some(Arc::new(ProjectionExec::try_new(exprs, input)?)))
}

fn rewrite_filter(filter: &FilterExec) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let width = filter.input().schema().fields().len();
    let predicate = with_position(filter.predicate(), width)?;
    if !predicate.transformed {
        return Ok(None);
    }
    let kept = match filter.projection() {
        Some(columns) => columns.to_vec(),
        None => (0..width).collect(),
    };
    let input = Arc::new(RowPositionExec::new(in_turn(Arc::clone(filter.input()))?));
    let filter = FilterExecBuilder::new(predicate.data, input).apply_projection(Some(kept))?.build()?;
    Ok(Some(Arc::new(filter)))
}

/// The expression with the position of the row in every call that wants it; the columns stand at
/// `width` and after.
fn with_position(expr: &Arc<dyn PhysicalExpr>, width: usize) -> Result<Transformed<Arc<dyn PhysicalExpr>>> {
    Arc::clone(expr).transform_up(|e| {
        let Some(call) = e.downcast_ref::<ScalarFunctionExpr>() else { return Ok(Transformed::no(e)) };
        let udf: &dyn std::any::Any = call.fun().inner().as_ref();
        let wants = udf.downcast_ref::<KernelUdf>().is_some_and(|k| POSITIONAL.contains(&k.kernel.name));
        if !wants || call.args().len() >= 2 {
            return Ok(Transformed::no(e));
        }
        let mut args = call.args().to_vec();
        args.push(Arc::new(Column::new(PARTITION, width)));
        args.push(Arc::new(Column::new(ROW, width + 1)));
        called_with(call, args).map(Transformed::yes)
    })
}

/// The call with other arguments.
fn called_with(call: &ScalarFunctionExpr, args: Vec<Arc<dyn PhysicalExpr>>) -> Result<Arc<dyn PhysicalExpr>> {
    Ok(Arc::new(ScalarFunctionExpr::new(
        call.name(),
        Arc::new(call.fun().clone()),
        args,
        Arc::clone(&call.return_field(&Schema::empty())?),
        Arc::new(call.config_options().clone()),
    )))
}

/// `plan` whose random numbers are drawn with seeds that are `shift` further. A generator starts from its
/// seed and the partition together, so it is the partition that is moved.
///
/// # Errors
/// If an operator does not take its new expressions.
pub(crate) fn seeded_anew(plan: Arc<dyn ExecutionPlan>, shift: u64) -> Result<Arc<dyn ExecutionPlan>> {
    let Ok(shift) = i32::try_from(shift) else { return exec_err!("seeds cannot be moved by {shift}") };
    if shift == 0 {
        return Ok(plan);
    }
    plan.transform_up(|node| {
        if let Some(projection) = node.downcast_ref::<ProjectionExec>() {
            let mut any = false;
            let mut exprs = Vec::with_capacity(projection.expr().len());
            for e in projection.expr() {
                let moved = with_moved_seeds(&e.expr, shift)?;
                any |= moved.transformed;
                exprs.push(ProjectionExpr { expr: moved.data, alias: e.alias.clone() });
            }
            if any {
                let moved = ProjectionExec::try_new(exprs, Arc::clone(projection.input()))?;
                return Ok(Transformed::yes(Arc::new(moved) as _));
            }
        } else if let Some(filter) = node.downcast_ref::<FilterExec>() {
            let predicate = with_moved_seeds(filter.predicate(), shift)?;
            if predicate.transformed {
                let kept = filter.projection().as_ref().map(|columns| columns.to_vec());
                let moved = FilterExecBuilder::new(predicate.data, Arc::clone(filter.input()))
                    .apply_projection(kept)?
                    .with_fetch(filter.fetch())
                    .build()?;
                return Ok(Transformed::yes(Arc::new(moved) as _));
            }
        }
        Ok(Transformed::no(node))
    })
    .data()
}

fn with_moved_seeds(expr: &Arc<dyn PhysicalExpr>, shift: i32) -> Result<Transformed<Arc<dyn PhysicalExpr>>> {
    Arc::clone(expr).transform_up(|e| {
        let Some(call) = e.downcast_ref::<ScalarFunctionExpr>() else { return Ok(Transformed::no(e)) };
        let udf: &dyn std::any::Any = call.fun().inner().as_ref();
        let seeded = udf.downcast_ref::<KernelUdf>().is_some_and(|k| SEEDED.contains(&k.kernel.name));
        let Some(partition) = call.args().len().checked_sub(2).filter(|_| seeded) else {
            return Ok(Transformed::no(e));
        };
        let mut args = call.args().to_vec();
        args[partition] = Arc::new(BinaryExpr::new(Arc::clone(&args[partition]), Operator::Plus, lit(shift)));
        called_with(call, args).map(Transformed::yes)
    })
}

/// `base` with this pass, [`SmallAggregate`](crate::small_aggregate::SmallAggregate) and
/// [`KeptOrder`](crate::kept_order::KeptOrder) and [`OuterSide`](crate::outer_side::OuterSide) before all others and
/// [`ShortCircuit`](crate::short_circuit::ShortCircuit) after them; applying it twice changes nothing.
pub fn with_row_rules(
    base: &[Arc<dyn PhysicalOptimizerRule + Send + Sync>],
) -> Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> {
    let first: [Arc<dyn PhysicalOptimizerRule + Send + Sync>; 5] = [
        Arc::new(RowPosition),
        Arc::new(crate::small_aggregate::SmallAggregate),
        Arc::new(crate::small_aggregate::MergedAggregate),
        Arc::new(crate::kept_order::KeptOrder),
        Arc::new(crate::outer_side::OuterSide),
    ];
    let last: Arc<dyn PhysicalOptimizerRule + Send + Sync> = Arc::new(crate::short_circuit::ShortCircuit);
    let names: Vec<&str> = first.iter().chain([&last]).map(|rule| rule.name()).collect();
    let others: Vec<_> = base.iter().filter(|rule| !names.contains(&rule.name())).cloned().collect();
    first.iter().cloned().chain(others).chain([Arc::clone(&last)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FiresteelCodec;
    use datafusion::arrow::array::AsArray;
    use datafusion::arrow::datatypes::Int32Type;
    use datafusion::datasource::memory::MemorySourceConfig;
    use datafusion::physical_plan::collect;

    fn counted(partitions: usize) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int32, true)]));
        let batch = RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(Int32Array::from(vec![1, 2]))])?;
        let scan = MemorySourceConfig::try_new_exec(&vec![vec![batch]; partitions], schema, None)?;
        Ok(Arc::new(RowPositionExec::new(scan)))
    }

    async fn partitions(plan: Arc<dyn ExecutionPlan>) -> Result<Vec<i32>> {
        let codec = FiresteelCodec::default();
        let context = TaskContext::default();
        let plan = codec.decode_plan(&codec.encode_plan(&plan)?, &context)?;
        let batches = collect(plan, Arc::new(context)).await?;
        let mut seen: Vec<i32> =
            batches.iter().flat_map(|b| b.column(1).as_primitive::<Int32Type>().values().to_vec()).collect();
        seen.sort_unstable();
        seen.dedup();
        Ok(seen)
    }

    #[tokio::test]
    async fn a_task_counts_the_partitions_of_its_stage() -> Result<()> {
        assert_eq!(partitions(counted(3)?).await?, [0, 1, 2]);
        assert_eq!(partitions(numbered(counted(3)?, &[4, 7, 9])?).await?, [4, 7, 9]);
        assert_eq!(partitions(numbered(counted(1)?, &[0])?).await?, [0]);
        assert!(partitions(numbered(counted(3)?, &[4, 7])?).await.is_err(), "a partition without a number");
        Ok(())
    }
}
