//! Takes what no longer counts out of the inputs of stages.
//!
//! When a running stage is rolled back because it lost its input, Ballista runs all of its tasks
//! again but leaves the outputs of those that had finished with the stage that reads them: rows are
//! repeated. What counts is what the tasks that are successful *now* have written; everything else
//! is removed before the first task of the reading stage is bound.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use ballista_core::execution_plans::ShuffleReaderExec;
use ballista_core::serde::protobuf::task_status;
use ballista_core::serde::scheduler::PartitionLocation;
use ballista_scheduler::state::execution_graph::ExecutionGraphBox;
use ballista_scheduler::state::execution_stage::{ExecutionStage, RunningStage};
use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::physical_plan::ExecutionPlan;

/// The partitions that the successful tasks of one stage have written, by task and executor.
pub(super) type Written = HashMap<(usize, String), HashSet<usize>>;

/// What the successful tasks of a stage have written.
pub(super) fn written(stage: &ExecutionStage) -> Written {
    let mut written = Written::new();
    for task in stage.task_infos().unwrap_or_default() {
        if let task_status::Status::Successful(success) = &task.task_status {
            let key = (task.task_id, success.executor_id.clone());
            let partitions = success.partitions.iter().map(|p| p.partition_id as usize);
            written.entry(key).or_default().extend(partitions);
        }
    }
    written
}

/// Whether a location is among what has been written.
pub(super) fn counts(location: &PartitionLocation, written: &Written) -> bool {
    let key = (location.map_partition_id, location.executor_meta.id.clone());
    written.get(&key).is_some_and(|p| p.contains(&location.partition_id.partition_id))
}

/// Mends the stages of a job whose tasks can be bound next.
pub(super) fn mend(graph: &mut ExecutionGraphBox) -> Result<()> {
    // Outputs are left behind by an attempt before the current one.
    if graph.stages().values().all(|stage| attempt(stage) == 0) {
        return Ok(());
    }
    let written: HashMap<usize, Written> = graph.stages().iter().map(|(&id, stage)| (id, written(stage))).collect();
    let mut done = Vec::new();
    while let Some(stage) = graph.fetch_running_stage(&done) {
        done.push(stage.stage_id);
        mend_stage(stage, &written)?;
    }
    Ok(())
}

fn attempt(stage: &ExecutionStage) -> usize {
    match stage {
        ExecutionStage::UnResolved(s) => s.stage_attempt_num,
        ExecutionStage::Resolved(s) => s.stage_attempt_num,
        ExecutionStage::Running(s) => s.stage_attempt_num,
        ExecutionStage::Successful(s) => s.stage_attempt_num,
        ExecutionStage::Failed(s) => s.stage_attempt_num,
    }
}

fn mend_stage(stage: &mut RunningStage, written: &HashMap<usize, Written>) -> Result<()> {
    let mut stale = 0;
    for (input, output) in &mut stage.inputs {
        if let Some(written) = written.get(input) {
            for locations in output.partition_locations.values_mut() {
                stale += clean(locations, written);
            }
        }
    }
    if stale > 0 {
        tracing::warn!(stage = stage.stage_id, stale, "removed outputs that no longer count");
        stage.plan = clean_readers(Arc::clone(&stage.plan), written)?;
    }
    Ok(())
}

/// Removes what does not count, and repetitions; answers how many.
fn clean(locations: &mut Vec<PartitionLocation>, written: &Written) -> usize {
    let before = locations.len();
    let mut seen = HashSet::new();
    locations.retain(|l| {
        let place = (l.map_partition_id, l.partition_id.partition_id, l.executor_meta.id.clone());
        counts(l, written) && seen.insert(place)
    });
    before - locations.len()
}

fn clean_readers(plan: Arc<dyn ExecutionPlan>, written: &HashMap<usize, Written>) -> Result<Arc<dyn ExecutionPlan>> {
    plan.transform_up(|node| {
        let Some(reader) = node.downcast_ref::<ShuffleReaderExec>() else {
            return Ok(Transformed::no(node));
        };
        let Some(written) = written.get(&reader.stage_id) else {
            return Ok(Transformed::no(node));
        };
        let mut partition = reader.partition.clone();
        for locations in &mut partition {
            clean(locations, written);
        }
        let cleaned = if reader.broadcast {
            ShuffleReaderExec::try_new_broadcast(
                reader.stage_id,
                partition.into_iter().flatten().collect(),
                reader.schema(),
                reader.upstream_partition_count,
            )?
        } else {
            let partitioning = reader.properties().partitioning.clone();
            ShuffleReaderExec::try_new(reader.stage_id, partition, reader.schema(), partitioning)?
        };
        Ok(Transformed::yes(Arc::new(cleaned)))
    })
    .data()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ballista_core::serde::scheduler::{
        ExecutorMetadata, ExecutorOperatingSystemSpecification, ExecutorSpecification, PartitionId, PartitionStats,
    };

    fn at(task: usize, executor: &str, partition: usize) -> PartitionLocation {
        PartitionLocation {
            map_partition_id: task,
            partition_id: PartitionId::new(&"j".into(), 1, partition),
            executor_meta: ExecutorMetadata {
                id: executor.to_owned(),
                host: "h".to_owned(),
                port: 1,
                grpc_port: 2,
                specification: ExecutorSpecification::default(),
                os_info: ExecutorOperatingSystemSpecification::default(),
            },
            partition_stats: PartitionStats::default(),
            file_id: Some(task as u64),
            is_sort_shuffle: true,
        }
    }

    #[test]
    fn only_what_successful_tasks_wrote_counts_and_only_once() {
        let written: Written =
            [((0, "a".to_owned()), HashSet::from([0, 1])), ((1, "b".to_owned()), HashSet::from([0]))].into();
        let check = |locations: &[(usize, &str, usize)], kept: usize| {
            let mut list: Vec<_> = locations.iter().map(|(t, e, p)| at(*t, e, *p)).collect();
            assert_eq!(clean(&mut list, &written), locations.len() - kept, "{locations:?}");
        };
        check(&[(0, "a", 0), (1, "b", 0)], 2);
        check(&[(0, "b", 0), (0, "a", 0)], 1);
        check(&[(0, "a", 1), (0, "a", 1)], 1);
        check(&[(1, "b", 1)], 0);
        check(&[(7, "a", 0)], 0);
    }
}
