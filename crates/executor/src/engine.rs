//! Runs stages: Ballista's engine, with a ledger of the tasks and errors in their envelope.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ballista_core::JobId;
use ballista_core::serde::protobuf::{
    RuntimeStatsReport, ShuffleWritePartition, TaskColumnStats, WindowStateReport,
};
use ballista_executor::execution_engine::{
    DefaultExecutionEngine, ExecutionEngine, QueryStageExecutor,
};
use datafusion::common::Result;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::metrics::MetricsSet;
use datafusion::prelude::SessionConfig;
use parking_lot::Mutex;
use planner::block_pool::BlockPool;
use planner::error_envelope;
use planner::task_probe::{TaskName, TaskState};

/// Ended tasks that are remembered, so that the scheduler can be told that they ended.
const REMEMBERED: usize = 16 << 10;

/// Idle fetch connections are closed after this time.
const KEEP_CONNECTIONS: Duration = Duration::from_secs(300);

/// Which tasks run and which have ended.
#[derive(Default)]
pub(crate) struct TaskLedger(Mutex<Ledger>);

#[derive(Default)]
struct Ledger {
    /// Attempts of a task may overlap: an aborted one unwinds while the next starts.
    running: HashMap<TaskName, usize>,
    ended: VecDeque<TaskName>,
}

impl TaskLedger {
    /// Tasks that have not reported their end yet.
    pub(crate) fn running(&self) -> usize {
        self.0.lock().running.values().sum()
    }

    pub(crate) fn state(&self, task: &TaskName) -> TaskState {
        let ledger = self.0.lock();
        if ledger.running.contains_key(task) {
            TaskState::Running
        } else if ledger.ended.contains(task) {
            TaskState::Finished
        } else {
            TaskState::Unknown
        }
    }

    fn begin(self: &Arc<Self>, task: TaskName) -> RunningTask {
        *self.0.lock().running.entry(task.clone()).or_default() += 1;
        RunningTask { ledger: Arc::clone(self), task }
    }
}

/// Held from the decoding of a task until its end has been handed to the reporter.
struct RunningTask {
    ledger: Arc<TaskLedger>,
    task: TaskName,
}

impl Drop for RunningTask {
    fn drop(&mut self) {
        let mut ledger = self.ledger.0.lock();
        if let Some(count) = ledger.running.get_mut(&self.task) {
            *count -= 1;
            if *count == 0 {
                ledger.running.remove(&self.task);
            }
        }
        if ledger.ended.len() == REMEMBERED {
            ledger.ended.pop_front();
        }
        let task = self.task.clone();
        ledger.ended.push_back(task);
    }
}

/// The engine of this executor.
pub(crate) struct Engine {
    inner: DefaultExecutionEngine,
    ledger: Arc<TaskLedger>,
}

impl Engine {
    pub(crate) fn new(ledger: Arc<TaskLedger>) -> Self {
        let pool = Arc::new(BlockPool::new(KEEP_CONNECTIONS));
        Engine { inner: DefaultExecutionEngine::with_client_pool(pool), ledger }
    }
}

impl ExecutionEngine for Engine {
    fn create_query_stage_exec(
        &self,
        job_id: JobId,
        stage_id: usize,
        task_id: usize,
        global_output_partition_ids: Vec<usize>,
        plan: Arc<dyn ExecutionPlan>,
        work_dir: &str,
        config: &SessionConfig,
    ) -> Result<Arc<dyn QueryStageExecutor>> {
        let name = TaskName { job: job_id.to_string(), stage: stage_id, task: task_id };
        let running = self.ledger.begin(name);
        let inner = self.inner.create_query_stage_exec(
            job_id,
            stage_id,
            task_id,
            global_output_partition_ids,
            plan,
            work_dir,
            config,
        )?;
        Ok(Arc::new(TrackedStage { inner, _running: running }))
    }
}

/// One task's stage; its life is the task's entry in the ledger.
struct TrackedStage {
    inner: Arc<dyn QueryStageExecutor>,
    _running: RunningTask,
}

impl fmt::Debug for TrackedStage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl fmt::Display for TrackedStage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.inner, f)
    }
}

#[async_trait::async_trait]
impl QueryStageExecutor for TrackedStage {
    async fn execute_query_stage(
        &self,
        task_id: usize,
        context: Arc<TaskContext>,
    ) -> Result<Vec<ShuffleWritePartition>> {
        // What leaves here is turned into a string: the last place where the error is typed.
        self.inner.execute_query_stage(task_id, context).await.map_err(error_envelope::seal)
    }

    fn collect_plan_metrics(&self) -> Vec<MetricsSet> {
        self.inner.collect_plan_metrics()
    }

    fn collect_runtime_stats_reports(&self) -> Vec<RuntimeStatsReport> {
        self.inner.collect_runtime_stats_reports()
    }

    fn collect_window_state_reports(&self) -> Result<Vec<WindowStateReport>> {
        self.inner.collect_window_state_reports()
    }

    fn collect_column_stats(&self) -> Vec<TaskColumnStats> {
        self.inner.collect_column_stats()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ledger_follows_a_task() {
        let ledger = Arc::new(TaskLedger::default());
        let task = TaskName { job: "j".into(), stage: 1, task: 0 };
        assert_eq!(ledger.state(&task), TaskState::Unknown);
        let first = ledger.begin(task.clone());
        let second = ledger.begin(task.clone());
        assert_eq!(ledger.running(), 2);
        drop(first);
        assert_eq!(ledger.state(&task), TaskState::Running);
        drop(second);
        assert_eq!((ledger.running(), ledger.state(&task)), (0, TaskState::Finished));
    }
}
