//! Keeps a sort below an aggregate whose result depends on the order of its rows.
//!
//! DataFusion leaves out a sort whose order no operator above it asks for. `first`, `collect_list` and
//! their like do not ask, and still whoever sorts below them means it. [`KeptOrder`] puts an operator
//! above such a sort that asks for its order and does nothing else.

use std::fmt;
use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{Distribution, EquivalenceProperties, LexOrdering, OrderingRequirements};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, InputDistributionRequirements,
    PlanProperties, replace_children_if_necessary,
};
use functions::aggregate::KernelUdaf;

use crate::codec::{NodeCodec, plain_codec};
use crate::one_input;

/// Aggregates that see the order of their rows.
const ORDERED: &[&str] = &["first", "last", "collect_list", "collect_set", "listagg"];

/// Its input, in the order of the sort below.
#[derive(Debug)]
pub struct KeptOrderExec {
    input: Arc<dyn ExecutionPlan>,
    order: LexOrdering,
    /// The order is of all rows, not of each partition's.
    global: bool,
    properties: Arc<PlanProperties>,
}

impl KeptOrderExec {
    /// Keeps `order` of `input`.
    pub fn new(input: Arc<dyn ExecutionPlan>, order: LexOrdering, global: bool) -> Self {
        // No order is promised: a rule that knew one would take the sort for needless again.
        let properties = PlanProperties::new(
            EquivalenceProperties::new(input.schema()),
            input.output_partitioning().clone(),
            input.pipeline_behavior(),
            input.boundedness(),
        );
        KeptOrderExec { input, order, global, properties: Arc::new(properties) }
    }
}

impl DisplayAs for KeptOrderExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "KeptOrderExec: [{}]", self.order)
    }
}

impl ExecutionPlan for KeptOrderExec {
    one_input! {
        KeptOrderExec,
        |this, input| KeptOrderExec::new(input, this.order.clone(), this.global),
        |this| this.order.iter().map(|key| &key.expr)
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn required_input_distribution(&self) -> Vec<Distribution> {
        self.input_distribution_requirements().into_per_child()
    }

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        let wanted = if self.global { Distribution::SinglePartition } else { Distribution::UnspecifiedDistribution };
        InputDistributionRequirements::new(vec![wanted])
    }

    fn required_input_ordering(&self) -> Vec<Option<OrderingRequirements>> {
        vec![Some(OrderingRequirements::from(self.order.clone()))]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![false]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        self.input.execute(partition, context)
    }
}

/// An executor has nothing to keep any more: what arrives is the input.
pub(crate) static KEPT_ORDER: NodeCodec = plain_codec!(KeptOrderExec, "kept_order", |input| input);

/// The pass; see the module.
#[derive(Debug, Clone, Copy)]
pub struct KeptOrder;

impl PhysicalOptimizerRule for KeptOrder {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
            let Some(aggregate) = node.downcast_ref::<AggregateExec>() else { return Ok(Transformed::no(node)) };
            let first = matches!(
                aggregate.mode(),
                AggregateMode::Partial | AggregateMode::Single | AggregateMode::SinglePartitioned
            );
            if !first || !sees_order(aggregate) {
                return Ok(Transformed::no(node));
            }
            match keep(aggregate.input())? {
                Some(input) => Ok(Transformed::yes(replace_children_if_necessary(Arc::clone(&node), vec![input])?)),
                None => Ok(Transformed::no(node)),
            }
        })
        .data()
    }

    fn name(&self) -> &str {
        "firesteel_kept_order"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn sees_order(aggregate: &AggregateExec) -> bool {
    aggregate.aggr_expr().iter().any(|a| {
        let udaf: &dyn std::any::Any = a.fun().inner().as_ref();
        udaf.downcast_ref::<KernelUdaf>().is_some_and(|k| ORDERED.contains(&k.kernel.name))
    })
}

/// `plan` with the nearest sort kept, if its order reaches the top.
fn keep(plan: &Arc<dyn ExecutionPlan>) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    if let Some(sort) = plan.downcast_ref::<SortExec>() {
        let kept = KeptOrderExec::new(Arc::clone(plan), sort.expr().clone(), !sort.preserve_partitioning());
        return Ok(Some(Arc::new(kept)));
    }
    let children = plan.children();
    match (children.as_slice(), plan.maintains_input_order().as_slice()) {
        ([child], [true]) => match keep(child)? {
            Some(kept) => replace_children_if_necessary(Arc::clone(plan), vec![kept]).map(Some),
            None => Ok(None),
        },
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::{ArrayRef, AsArray, Int32Array, RecordBatch};
    use datafusion::arrow::datatypes::{DataType, Int32Type};
    use datafusion::execution::session_state::SessionStateBuilder;
    use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
    use datafusion::prelude::{SessionConfig, SessionContext, col};
    use functions::Options;
    use functions::families::aggregate::first;

    use super::*;
    use crate::row_position::with_row_rules;

    /// The first or last `v` of each `k`, with the rows in the order of `v`.
    async fn check(kernel: usize, expect: [i32; 2]) -> Result<()> {
        let state = SessionStateBuilder::new()
            .with_default_features()
            .with_config(SessionConfig::new().with_target_partitions(4).with_round_robin_repartition(false))
            .with_physical_optimizer_rules(with_row_rules(&PhysicalOptimizer::new().rules))
            .build();
        let numbers = |values: [i32; 4]| Arc::new(Int32Array::from(values.to_vec())) as ArrayRef;
        let batch = RecordBatch::try_from_iter([("k", numbers([7, 7, 8, 7])), ("v", numbers([3, 1, 2, 4]))])?;
        let call = KernelUdaf::call(
            &first::KERNELS[kernel],
            DataType::Int32,
            Options::ansi(true),
            vec![col("v")],
            false,
            None,
            Vec::new(),
        );
        let rows = SessionContext::new_with_state(state)
            .read_batch(batch)?
            .sort(vec![col("v").sort(true, true)])?
            .aggregate(vec![col("k")], vec![call.alias("edge")])?
            .sort(vec![col("k").sort(true, true)])?
            .collect()
            .await?;
        let rows = datafusion::arrow::compute::concat_batches(&rows[0].schema(), &rows)?;
        assert_eq!(rows.column(1).as_primitive::<Int32Type>().values(), &expect);
        Ok(())
    }

    #[tokio::test]
    async fn first_and_last_see_the_sort_below() -> Result<()> {
        check(0, [1, 2]).await?;
        check(1, [4, 2]).await
    }
}
