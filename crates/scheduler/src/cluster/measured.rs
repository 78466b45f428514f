//! The operators of a job that ended, with what they measured: its stages as one tree.

use std::collections::HashMap;
use std::sync::Arc;

use ballista_core::execution_plans::ShuffleReaderExec;
use ballista_scheduler::state::execution_graph::ExecutionGraphBox;
use ballista_scheduler::state::execution_stage::{ExecutionStage, SuccessfulStage};
use datafusion::physical_plan::ExecutionPlan;
use planner::operator_metrics::{Path, Report, Value};

use crate::operation::OperatorMetrics;

/// What a stage's tasks measured, by operator.
type Stage = HashMap<Path, (String, Vec<Value>)>;

/// Where the walk comes to.
struct Place {
    stage: usize,
    path: Path,
    plan: Arc<dyn ExecutionPlan>,
    parent: i64,
}

/// All operators of a job, parents first; the root of a stage stands below what reads it.
pub(super) fn operators(graph: &ExecutionGraphBox) -> Vec<OperatorMetrics> {
    let stages: HashMap<usize, &SuccessfulStage> = graph
        .stages()
        .iter()
        .filter_map(|(&id, stage)| if let ExecutionStage::Successful(stage) = stage { Some((id, stage)) } else { None })
        .collect();
    let reports: HashMap<usize, Stage> =
        stages.iter().map(|(&id, stage)| (id, Report::of_stage(&stage.stage_metrics))).collect();
    let root = |id: usize, parent: i64| {
        let plan = Arc::clone(&stages.get(&id)?.plan);
        Some(Place { stage: id, path: Path::new(), plan, parent })
    };
    let last = stages.iter().find(|(_, stage)| stage.output_links.is_empty());
    let mut todo: Vec<Place> = last.and_then(|(&id, _)| root(id, -1)).into_iter().collect();
    let mut operators = Vec::new();
    while let Some(place) = todo.pop() {
        let id = operators.len() as i64;
        let measured = reports.get(&place.stage).and_then(|stage| stage.get(&place.path)).cloned();
        let (name, values) = measured.unwrap_or_else(|| (place.plan.name().to_owned(), Vec::new()));
        operators.push(OperatorMetrics { name, id, parent: place.parent, values });
        if let Some(reader) = place.plan.downcast_ref::<ShuffleReaderExec>() {
            todo.extend(root(reader.stage_id, id));
        }
        let children = place.plan.children().into_iter().enumerate().rev();
        todo.extend(children.map(|(i, child)| {
            let mut path = place.path.clone();
            path.push(u16::try_from(i).unwrap_or(u16::MAX));
            Place { stage: place.stage, path, plan: Arc::clone(child), parent: id }
        }));
    }
    operators
}
