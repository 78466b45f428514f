//! Runs stages: Ballista's engine, with a ledger of the tasks and errors in their envelope.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ballista_core::JobId;
use ballista_core::serde::protobuf::{RuntimeStatsReport, ShuffleWritePartition, TaskColumnStats, WindowStateReport};
use ballista_executor::execution_engine::{DefaultExecutionEngine, ExecutionEngine, QueryStageExecutor};
use datafusion::common::{Result, exec_err};
use datafusion::execution::TaskContext;
use datafusion::physical_plan::metrics::MetricsSet;
use datafusion::physical_plan::{ExecutionPlan, replace_children_if_necessary};
use datafusion::prelude::SessionConfig;
use parking_lot::Mutex;
use planner::block_pool::BlockPool;
use planner::error_envelope;
use planner::operator_metrics::Report;
use planner::task_probe::{TaskName, TaskState};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::in_turn::in_turn;
use crate::stop::StopExec;
use crate::whole::whole_reads;

/// Ended tasks that are remembered, so that the scheduler can be told that they ended.
const REMEMBERED: usize = 16 << 10;

/// Idle fetch connections are closed after this time.
const KEEP_CONNECTIONS: Duration = Duration::from_secs(300);

/// Jobs that are remembered as over, so that late tasks of theirs do not start.
const JOBS_OVER: usize = 4 << 10;

/// How long the tasks of a forgotten job may take to end before their files are removed anyway.
const UNWINDING: Duration = Duration::from_secs(5);

/// How often something that should happen soon is looked for.
const GLANCE: Duration = Duration::from_millis(5);

/// Which tasks run and which have ended.
#[derive(Default)]
pub(crate) struct TaskLedger(Mutex<Ledger>);

#[derive(Default)]
struct Ledger {
    /// Attempts of a task may overlap: an aborted one unwinds while the next runs.
    running: HashMap<TaskName, Vec<Attempt>>,
    ended: VecDeque<TaskName>,
    over: VecDeque<String>,
    attempts: u64,
}

struct Attempt {
    number: u64,
    stop: CancellationToken,
}

impl TaskLedger {
    /// Tasks that have not reported their end yet.
    pub(crate) fn running(&self) -> usize {
        self.0.lock().running.values().map(Vec::len).sum()
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

    /// Stops the tasks of a job, those to come included, and waits for their end, but not long.
    pub(crate) async fn end_job(&self, job: &str) {
        self.stop_job(job);
        let started = Instant::now();
        while self.runs_job(job) && started.elapsed() < UNWINDING {
            sleep(GLANCE).await;
        }
    }

    /// Stops every task and waits for their end, but not long.
    pub(crate) async fn end_all(&self) {
        self.0.lock().running.values().flatten().for_each(|attempt| attempt.stop.cancel());
        let started = Instant::now();
        while self.running() > 0 && started.elapsed() < UNWINDING {
            sleep(GLANCE).await;
        }
    }

    /// The jobs that tasks run for.
    pub(crate) fn jobs(&self) -> Vec<String> {
        self.0.lock().running.keys().map(|task| task.job.clone()).collect()
    }

    fn stop_job(&self, job: &str) {
        let mut ledger = self.0.lock();
        if ledger.over.len() == JOBS_OVER {
            ledger.over.pop_front();
        }
        ledger.over.push_back(job.to_owned());
        let running = ledger.running.iter().filter(|(task, _)| task.job == job);
        running.flat_map(|(_, attempts)| attempts).for_each(|attempt| attempt.stop.cancel());
    }

    fn runs_job(&self, job: &str) -> bool {
        self.0.lock().running.keys().any(|task| task.job == job)
    }

    fn begin(self: &Arc<Self>, task: TaskName) -> RunningTask {
        let mut ledger = self.0.lock();
        ledger.attempts += 1;
        let number = ledger.attempts;
        let stop = CancellationToken::new();
        if ledger.over.contains(&task.job) {
            stop.cancel();
        }
        let attempt = Attempt { number, stop: stop.clone() };
        ledger.running.entry(task.clone()).or_default().push(attempt);
        RunningTask { ledger: Arc::clone(self), task, number, stop }
    }
}

/// Held from the decoding of a task until its end has been handed to the reporter.
struct RunningTask {
    ledger: Arc<TaskLedger>,
    task: TaskName,
    number: u64,
    stop: CancellationToken,
}

impl Drop for RunningTask {
    fn drop(&mut self) {
        self.stop.cancel();
        let mut ledger = self.ledger.0.lock();
        if let Some(attempts) = ledger.running.get_mut(&self.task) {
            attempts.retain(|a| a.number != self.number);
            if attempts.is_empty() {
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
        let plan = stoppable(in_turn(whole_reads(plan)?)?, &running.stop)?;
        let file = file_name();
        let inner = self.inner.create_query_stage_exec(
            job_id,
            stage_id,
            file,
            global_output_partition_ids,
            Arc::clone(&plan),
            work_dir,
            config,
        )?;
        Ok(Arc::new(TrackedStage { inner, root: plan, running }))
    }
}

/// What is given out as the number of the task, which becomes the name of its file.
///
/// Ballista's own numbers name different files alike: a stage that is rolled back counts its tasks
/// from zero again, over other partitions, and a reader takes a file of that name that it finds on
/// its own executor for the one that it was sent to another executor for. No two files in the
/// cluster may have the same name.
fn file_name() -> usize {
    let (name, _) = uuid::Uuid::new_v4().as_u64_pair();
    name as usize
}

/// Puts a stop right below the shuffle writer: what the writer has spawned outlives its task.
fn stoppable(writer: Arc<dyn ExecutionPlan>, stop: &CancellationToken) -> Result<Arc<dyn ExecutionPlan>> {
    let children = writer.children();
    let [input] = children.as_slice() else {
        return exec_err!("{} is not the root of a stage", writer.name());
    };
    let input: Arc<dyn ExecutionPlan> = Arc::new(StopExec::new(Arc::clone(input), stop.clone()));
    replace_children_if_necessary(writer, vec![input])
}

/// Whether an operator was put into the stage here, with one input that it hands on.
fn is_ours(operator: &str) -> bool {
    matches!(operator, "StopExec" | "WholeExec")
}

/// One task's stage; its life is the task's entry in the ledger.
struct TrackedStage {
    inner: Arc<dyn QueryStageExecutor>,
    /// Of the shape of what runs, which is made of it.
    root: Arc<dyn ExecutionPlan>,
    running: RunningTask,
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
        // An aborted task is dropped here; what it has spawned must end too.
        let _stop = self.running.stop.clone().drop_guard();
        if self.running.stop.is_cancelled() {
            // Before the writer makes its files.
            return exec_err!("the job of this task is over");
        }
        // What leaves here is turned into a string: the last place where the error is typed.
        self.inner.execute_query_stage(task_id, context).await.map_err(error_envelope::seal)
    }

    fn collect_plan_metrics(&self) -> Vec<MetricsSet> {
        Report::of_task(&self.root, self.inner.collect_plan_metrics(), is_ours).into_metrics()
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

    #[tokio::test]
    async fn the_ledger_follows_a_task() {
        let ledger = Arc::new(TaskLedger::default());
        let task = TaskName { job: "j".into(), stage: 1, task: 0 };
        assert_eq!(ledger.state(&task), TaskState::Unknown);
        let first = ledger.begin(task.clone());
        let second = ledger.begin(task.clone());
        assert_ne!(first.number, second.number);
        assert_eq!(ledger.running(), 2);
        drop(first);
        assert_eq!(ledger.state(&task), TaskState::Running);
        drop(second);
        assert_eq!((ledger.running(), ledger.state(&task)), (0, TaskState::Finished));
        ledger.end_job("j").await;
        assert!(ledger.begin(task).stop.is_cancelled(), "late tasks do not start");
    }
}
