//! A stage of their own for sides of unions that cannot share the union's.
//!
//! A task of a union takes partitions of some sides and none of the others. A side that is sorted
//! partition by partition is left with a sort of nothing, which DataFusion's own checks refuse; one that
//! counts its rows would count the partitions of the union as its own. [`OwnStage`] on top of a side
//! makes the stage planner cut below the union: it has a partition left when nothing is left of its
//! input, which is what the planner takes as the sign that a side cannot be cut down with the union.

use std::fmt;
use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, Partitioning};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::union::UnionExec;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, EmptyRecordBatchStream, ExecutionPlan, ExecutionPlanProperties, PlanProperties,
    replace_children_if_necessary,
};

use crate::codec::{NodeCodec, plain_codec};
use crate::one_input;
use crate::row_position::RowPositionExec;

/// The pass; see the module.
#[derive(Debug, Clone, Copy)]
pub struct UnionSides;

impl PhysicalOptimizerRule for UnionSides {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
            if !node.is::<UnionExec>() || !node.children().into_iter().any(needs_stage) {
                return Ok(Transformed::no(node));
            }
            let sides = node.children().into_iter().map(|side| match needs_stage(side) {
                true => Arc::new(OwnStage::new(Arc::clone(side))) as Arc<dyn ExecutionPlan>,
                false => Arc::clone(side),
            });
            let sides = sides.collect();
            Ok(Transformed::yes(replace_children_if_necessary(node, sides)?))
        })
        .data()
    }

    fn name(&self) -> &str {
        "firesteel_union_sides"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// Whether a side of a union cannot be cut down with the union: something in its own stage is sorted
/// or counted partition by partition.
pub(crate) fn needs_stage(node: &Arc<dyn ExecutionPlan>) -> bool {
    let is_border = node.is::<RepartitionExec>()
        || node.is::<CoalescePartitionsExec>()
        || node.is::<SortPreservingMergeExec>()
        || node.is::<OwnStage>();
    let sorts = node.downcast_ref::<SortExec>().is_some_and(SortExec::preserve_partitioning);
    !is_border && (sorts || node.is::<RowPositionExec>() || node.children().into_iter().any(needs_stage))
}

/// The last operator of a stage; see the module.
#[derive(Debug)]
pub(crate) struct OwnStage {
    input: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
}

impl OwnStage {
    fn new(input: Arc<dyn ExecutionPlan>) -> Self {
        let properties = match input.output_partitioning().partition_count() {
            0 => Arc::new(PlanProperties::new(
                EquivalenceProperties::new(input.schema()),
                Partitioning::UnknownPartitioning(1),
                input.pipeline_behavior(),
                input.boundedness(),
            )),
            _ => Arc::clone(input.properties()),
        };
        OwnStage { input, properties }
    }
}

impl DisplayAs for OwnStage {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("OwnStage")
    }
}

impl ExecutionPlan for OwnStage {
    one_input!(OwnStage, |_, input| OwnStage::new(input));

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        if self.input.output_partitioning().partition_count() == 0 {
            return Ok(Box::pin(EmptyRecordBatchStream::new(self.schema())));
        }
        self.input.execute(partition, context)
    }
}

/// The operator has nothing to tell but itself.
pub(crate) static OWN_STAGE: NodeCodec = plain_codec!(OwnStage, "own_stage", |input| Arc::new(OwnStage::new(input)));
