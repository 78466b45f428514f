//! Takes what no longer counts out of the inputs of stages, and finds inputs that are not whole.
//!
//! When a running stage is rolled back because it lost its input, Ballista runs all of its tasks
//! again but leaves the outputs of those that had finished with the stage that reads them: rows are
//! repeated. What counts is what the tasks that are successful *now* have written; everything else
//! is removed before the first task of the reading stage is bound. A stage that is to read anything
//! but exactly what counts would answer wrongly: its job has to be run anew.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use ballista_core::execution_plans::ShuffleReaderExec;
use ballista_core::serde::protobuf::task_status;
use ballista_core::serde::scheduler::PartitionLocation;
use ballista_scheduler::state::execution_graph::ExecutionGraphBox;
use ballista_scheduler::state::execution_stage::{ExecutionStage, RunningStage};
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Result, exec_err};
use datafusion::physical_plan::ExecutionPlan;

/// A partition in a file: names are unique on their executor, whichever attempt wrote them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Block {
    executor: String,
    file: Option<u64>,
    partition: usize,
}

impl Block {
    fn at(location: &PartitionLocation) -> Block {
        Block {
            executor: location.executor_meta.id.clone(),
            file: location.file_id,
            partition: location.partition_id.partition_id,
        }
    }
}

/// What the successful tasks of one stage have written.
#[derive(Debug, Default)]
pub(super) struct Written {
    blocks: HashSet<Block>,
    /// Whether every input partition of the stage has been read by exactly one of these tasks.
    whole: bool,
}

impl Written {
    /// What the successful tasks of a stage have written.
    pub(super) fn by(stage: &ExecutionStage) -> Written {
        let partitions = match stage {
            ExecutionStage::Running(stage) => stage.partitions,
            ExecutionStage::Successful(stage) => stage.partitions,
            _ => return Written::default(),
        };
        let mut written = Written::default();
        let mut readers = vec![0; partitions];
        for task in stage.task_infos().unwrap_or_default() {
            if let task_status::Status::Successful(success) = &task.task_status {
                for &partition in &task.global_input_partition_ids {
                    match readers.get_mut(partition) {
                        Some(readers) => *readers += 1,
                        None => return Written::default(),
                    }
                }
                written.blocks.extend(success.partitions.iter().map(|p| Block {
                    executor: success.executor_id.clone(),
                    file: p.file_id,
                    partition: p.partition_id as usize,
                }));
            }
        }
        written.whole = readers.iter().all(|readers| *readers == 1);
        written
    }

    /// Whether a location is among what has been written.
    pub(super) fn counts(&self, location: &PartitionLocation) -> bool {
        self.blocks.contains(&Block::at(location))
    }

    /// Blocks of these executors and partitions, in files without a name, as if all was read.
    #[cfg(test)]
    pub(super) fn of<'a>(places: impl Iterator<Item = (&'a str, usize)>) -> Written {
        let block =
            |(executor, partition): (&str, usize)| Block { executor: executor.to_owned(), file: None, partition };
        Written { blocks: places.map(block).collect(), whole: true }
    }

    /// Whether every input partition has been read exactly once for it.
    pub(super) fn is_whole(&self) -> bool {
        self.whole
    }
}

/// Mends the stages of a job whose tasks can be bound next.
///
/// # Errors
/// If a stage would not read exactly what its inputs have written.
pub(super) fn mend(graph: &mut ExecutionGraphBox) -> Result<()> {
    // Outputs are left behind by an attempt before the current one.
    if graph.stages().values().all(|stage| attempt(stage) == 0) {
        return Ok(());
    }
    let written: HashMap<usize, Written> = graph.stages().iter().map(|(&id, stage)| (id, Written::by(stage))).collect();
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
        let Some(written) = written.get(input) else {
            return exec_err!("stage {} reads stage {input}, which is unknown", stage.stage_id);
        };
        let mut seen = HashSet::new();
        for locations in output.partition_locations.values_mut() {
            stale += clean(locations, written);
            seen.extend(locations.iter().map(Block::at));
        }
        if !written.whole || seen != written.blocks {
            return exec_err!(
                "stage {} would read {} blocks of the {} of stage {input}",
                stage.stage_id,
                seen.len(),
                written.blocks.len()
            );
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
    locations.retain(|l| written.counts(l) && seen.insert(Block::at(l)));
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
        let block = |(file, executor, partition): (u64, &str, usize)| Block {
            executor: executor.to_owned(),
            file: Some(file),
            partition,
        };
        let blocks = [(0, "a", 0), (0, "a", 1), (1, "b", 0)].into_iter().map(block).collect();
        let written = Written { blocks, whole: true };
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
