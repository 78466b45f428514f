//! Puts DataFusion's exchanges in the place of ours, once its rules cannot remove them any more.
//!
//! In this process the rows of a partition come in the order of the partitions they came from, then of
//! their own, as on a Spark of one process. Tasks on executors do not know which of a stage's partitions
//! they are, and a shuffle does not keep an order: there rows without a key are placed by a hash of the
//! whole row, and partitions that are coalesced are shuffled.

use std::sync::Arc;

use datafusion::arrow::compute::SortOptions;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::ScalarUDF;
use datafusion::physical_expr::expressions::{Column, lit};
use datafusion::physical_expr::{LexOrdering, Partitioning, PhysicalExpr, PhysicalSortExpr, ScalarFunctionExpr};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::projection::{ProjectionExec, ProjectionExpr};
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use functions::families::placement::{row_hash_udf, slot_udf, turn_udf};

use super::exec::{CoalesceExec, ExchangeExec, JoinHintExec, OnePartitionExec};
use crate::row_position::RowPositionExec;

/// The column of a row's bucket.
const BUCKET: &str = "#bucket";

/// The pass; see the module.
#[derive(Debug, Clone, Copy)]
pub struct Lowering {
    pub distributed: bool,
}

impl PhysicalOptimizerRule for Lowering {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
            if let Some(hint) = node.downcast_ref::<JoinHintExec>() {
                return Ok(Transformed::yes(Arc::clone(&hint.input)));
            }
            if let Some(exchange) = node.downcast_ref::<ExchangeExec>() {
                let lowered = if self.distributed { shuffled(exchange, config) } else { in_process(exchange, config) };
                return lowered.map(Transformed::yes);
            }
            match node.downcast_ref::<CoalesceExec>() {
                Some(coalesce) if self.distributed => coalesced(&node, coalesce).map(Transformed::yes),
                _ => Ok(Transformed::no(node)),
            }
        })
        .data()
    }

    fn name(&self) -> &str {
        "firesteel_exchange"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn call(
    udf: ScalarUDF,
    args: Vec<Arc<dyn PhysicalExpr>>,
    input: &Arc<dyn ExecutionPlan>,
    config: &ConfigOptions,
) -> Result<Arc<dyn PhysicalExpr>> {
    let call = ScalarFunctionExpr::try_new(Arc::new(udf), args, &input.schema(), Arc::new(config.clone()))?;
    Ok(Arc::new(call))
}

/// The first `count` columns of `plan`.
fn columns(plan: &Arc<dyn ExecutionPlan>, count: usize) -> Vec<Arc<dyn PhysicalExpr>> {
    let schema = plan.schema();
    schema.fields().iter().take(count).enumerate().map(|(i, f)| Arc::new(Column::new(f.name(), i)) as _).collect()
}

fn named(plan: &Arc<dyn ExecutionPlan>, count: usize) -> Vec<ProjectionExpr> {
    let schema = plan.schema();
    columns(plan, count)
        .into_iter()
        .zip(schema.fields())
        .map(|(expr, field)| ProjectionExpr { expr, alias: field.name().clone() })
        .collect()
}

fn ascending(exprs: impl IntoIterator<Item = Arc<dyn PhysicalExpr>>) -> Option<LexOrdering> {
    let options = SortOptions { descending: false, nulls_first: true };
    LexOrdering::new(exprs.into_iter().map(|expr| PhysicalSortExpr { expr, options }))
}

/// The exchange within this process; the order of rows is kept.
fn in_process(exchange: &ExchangeExec, config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
    if exchange.buckets <= 1 {
        return Ok(Arc::new(CoalesceExec::new(Arc::clone(&exchange.input), 1)));
    }
    let width = exchange.input.schema().fields().len();
    let mut input = Arc::clone(&exchange.input);
    if exchange.bucket.is_none() && width > 0 {
        let hash = call(row_hash_udf(), columns(&input, width), &input, config)?;
        if let Some(ordering) = ascending([hash]) {
            input = Arc::new(SortExec::new(ordering, input).with_preserve_partitioning(true));
        }
    }
    let mut counted: Arc<dyn ExecutionPlan> = Arc::new(RowPositionExec::in_order(input));
    let position: Vec<Arc<dyn PhysicalExpr>> = columns(&counted, width + 2).split_off(width);
    let bucket = match &exchange.bucket {
        Some(bucket) => Arc::clone(bucket),
        None => call(turn_udf(exchange.buckets), position.clone(), &counted, config)?,
    };
    let mut exprs = named(&counted, width + 2);
    exprs.push(ProjectionExpr { expr: bucket, alias: BUCKET.to_owned() });
    counted = Arc::new(ProjectionExec::try_new(exprs, counted)?);
    let bucket: Arc<dyn PhysicalExpr> = Arc::new(Column::new(BUCKET, width + 2));
    let mut moved: Arc<dyn ExecutionPlan> = if exchange.partitions == 1 {
        Arc::new(CoalesceExec::new(counted, 1))
    } else {
        let slot = slot_udf(exchange.buckets, exchange.partitions);
        let key = call(slot, vec![Arc::clone(&bucket)], &counted, config)?;
        let by = Partitioning::Hash(vec![key], exchange.partitions);
        Arc::new(RepartitionExec::try_new(counted, by)?.with_preserve_order())
    };
    // Buckets that share a partition are read together from each of the partitions they came from.
    let [partition, row] = position.as_slice() else { return internal_err!("a position is a partition and a row") };
    let order = [Arc::clone(partition), bucket, Arc::clone(row)];
    if exchange.partitions < exchange.buckets
        && let Some(ordering) = ascending(order)
    {
        moved = Arc::new(SortExec::new(ordering, moved).with_preserve_partitioning(true));
    }
    Ok(Arc::new(ProjectionExec::try_new(named(&moved, width), moved)?))
}

/// The exchange as a shuffle between executors.
fn shuffled(exchange: &ExchangeExec, config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
    let input = Arc::clone(&exchange.input);
    if exchange.partitions <= 1 {
        return Ok(one_partition(input));
    }
    let keys = match &exchange.bucket {
        Some(bucket) => {
            let slot = slot_udf(exchange.buckets, exchange.partitions);
            vec![call(slot, vec![Arc::clone(bucket)], &input, config)?]
        }
        None => whole_row(&input),
    };
    Ok(Arc::new(RepartitionExec::try_new(input, Partitioning::Hash(keys, exchange.partitions))?))
}

fn one_partition(input: Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
    if input.output_partitioning().partition_count() == 1 {
        input
    } else {
        Arc::new(OnePartitionExec::new(Arc::new(CoalescePartitionsExec::new(input))))
    }
}

/// All columns; a constant where there are none.
fn whole_row(input: &Arc<dyn ExecutionPlan>) -> Vec<Arc<dyn PhysicalExpr>> {
    let all = columns(input, usize::MAX);
    if all.is_empty() { vec![lit(0i64)] } else { all }
}

fn coalesced(node: &Arc<dyn ExecutionPlan>, coalesce: &CoalesceExec) -> Result<Arc<dyn ExecutionPlan>> {
    let input = Arc::clone(&coalesce.input);
    let (from, to) = (input.output_partitioning().partition_count(), node.output_partitioning().partition_count());
    if to == 1 {
        return Ok(one_partition(input));
    }
    if from <= to {
        return Ok(input);
    }
    let keys = whole_row(&input);
    Ok(Arc::new(RepartitionExec::try_new(input, Partitioning::Hash(keys, to))?))
}
