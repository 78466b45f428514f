//! Where a plan is cut into stages, and what a stage knows of its inputs.
//!
//! Optimizer rules see a plan as a whole: that a column is constant below a shuffle is known above it
//! too. A stage knows nothing of what it reads but the partitioning. [`seal`] shows a stage as its
//! executors will see it: each input is a [`StageInput`], which keeps the plan behind it so that the
//! plan can be put together again.

use std::fmt;
use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Result, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, Partitioning};
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::joins::{HashJoinExec, PartitionMode};
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::union::UnionExec;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties, replace_children_if_necessary,
};

use crate::no_input;

/// The output of another stage, of which nothing but shape and partitioning is known.
#[derive(Debug, Clone)]
pub(crate) struct StageInput {
    source: Arc<dyn ExecutionPlan>,
    is_gathered: bool,
    properties: Arc<PlanProperties>,
}

impl StageInput {
    /// What `node` reads from another stage with the plan `source`.
    fn below(node: &Arc<dyn ExecutionPlan>, source: &Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
        // A merge trusts the order that the other stage was given.
        let merged = node.downcast_ref::<SortPreservingMergeExec>().map(|merge| merge.expr().clone());
        let known = EquivalenceProperties::new_with_orderings(source.schema(), merged);
        let partitioning = Partitioning::UnknownPartitioning(source.output_partitioning().partition_count());
        StageInput::leaf(source, known, partitioning, node.is::<CoalescePartitionsExec>())
    }

    fn leaf(
        source: &Arc<dyn ExecutionPlan>,
        known: EquivalenceProperties,
        partitioning: Partitioning,
        is_gathered: bool,
    ) -> Arc<dyn ExecutionPlan> {
        let properties = PlanProperties::new(known, partitioning, EmissionType::Incremental, Boundedness::Bounded);
        Arc::new(StageInput { source: Arc::clone(source), is_gathered, properties: Arc::new(properties) })
    }

    /// What the input stands for: a repartitioning with all below it, or the plan of the other stage.
    pub(crate) fn source(&self) -> &Arc<dyn ExecutionPlan> {
        &self.source
    }

    /// Whether its partitions are brought together in any order.
    pub(crate) fn is_gathered(&self) -> bool {
        self.is_gathered
    }
}

impl DisplayAs for StageInput {
    fn fmt_as(&self, _t: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "StageInput: partitioning={}", self.properties.partitioning)
    }
}

impl ExecutionPlan for StageInput {
    no_input!(StageInput);

    fn execute(&self, _partition: usize, _context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        internal_err!("a stage's input stands for a plan and is never run")
    }
}

/// Whether what `node` reads from its child number `child` was written by another stage.
pub(crate) fn is_cut(node: &Arc<dyn ExecutionPlan>, child: usize) -> bool {
    let broadcast = node
        .downcast_ref::<HashJoinExec>()
        .is_some_and(|join| child == 0 && *join.partition_mode() == PartitionMode::CollectLeft);
    // A side of a union shares the stage if it can; it must also do without.
    let gathered = node.is::<CoalescePartitionsExec>() || node.is::<SortPreservingMergeExec>();
    broadcast || gathered || node.is::<UnionExec>()
}

/// The stage whose last operator is `plan`, over its inputs.
///
/// # Errors
/// If an operator cannot be built over inputs of which it knows so little.
pub(crate) fn seal(plan: &Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    if let Some(repartition) = plan.downcast_ref::<RepartitionExec>() {
        let known = EquivalenceProperties::new(plan.schema());
        return Ok(StageInput::leaf(plan, known, repartition.partitioning().clone(), false));
    }
    let mut children = Vec::new();
    for (number, child) in plan.children().into_iter().enumerate() {
        children.push(match is_cut(plan, number) {
            true if child.is::<StageInput>() => Arc::clone(child),
            true => StageInput::below(plan, child),
            false => seal(child)?,
        });
    }
    replace_children_if_necessary(Arc::clone(plan), children)
}

/// Whether all that [`seal`] would cut is cut.
pub(crate) fn is_sealed(plan: &Arc<dyn ExecutionPlan>) -> bool {
    let mut children = plan.children().into_iter().enumerate();
    let whole = |(number, child): (usize, &Arc<dyn ExecutionPlan>)| match is_cut(plan, number) {
        true => child.is::<StageInput>(),
        false => is_sealed(child),
    };
    !plan.is::<RepartitionExec>() && children.all(whole)
}

/// `stage` with every input replaced by what `plan_of` makes of it.
///
/// # Errors
/// Those of `plan_of`, and if an operator cannot be built over what it made.
pub(crate) fn unseal(
    stage: Arc<dyn ExecutionPlan>,
    mut plan_of: impl FnMut(&StageInput) -> Result<Arc<dyn ExecutionPlan>>,
) -> Result<Arc<dyn ExecutionPlan>> {
    stage
        .transform_up(|node| match node.downcast_ref::<StageInput>() {
            Some(input) => plan_of(input).map(Transformed::yes),
            None => Ok(Transformed::no(node)),
        })
        .data()
}

/// Calls `check` with every stage of the plan, sealed, until it finds something.
///
/// # Errors
/// If a stage cannot be built.
pub(crate) fn find<T>(
    plan: &Arc<dyn ExecutionPlan>,
    check: &mut impl FnMut(&Arc<dyn ExecutionPlan>) -> Option<T>,
) -> Result<Option<T>> {
    let stage = seal(plan)?;
    if let Some(found) = check(&stage) {
        return Ok(Some(found));
    }
    find_in_inputs(&stage, check)
}

fn find_in_inputs<T>(
    node: &Arc<dyn ExecutionPlan>,
    check: &mut impl FnMut(&Arc<dyn ExecutionPlan>) -> Option<T>,
) -> Result<Option<T>> {
    if let Some(input) = node.downcast_ref::<StageInput>() {
        return match input.source().downcast_ref::<RepartitionExec>() {
            Some(repartition) => find(repartition.input(), check),
            None => find(input.source(), check),
        };
    }
    for child in node.children() {
        if let Some(found) = find_in_inputs(child, check)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}
