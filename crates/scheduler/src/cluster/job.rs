//! One job on the scheduler: submitted, watched, and given up for certain.

use std::sync::Arc;
use std::time::Duration;

use ballista_core::JobId;
use ballista_core::error::BallistaError;
use ballista_core::serde::protobuf::failed_task::FailedReason;
use ballista_core::serde::protobuf::job_status::Status;
use ballista_core::serde::protobuf::{JobStatus, SuccessfulJob, task_status};
use ballista_scheduler::cluster::ClusterState;
use ballista_scheduler::state::execution_graph::ExecutionGraphBox;
use ballista_scheduler::state::execution_stage::ExecutionStage;
use datafusion::common::{DataFusionError, Result};
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use datafusion::prelude::SessionContext;
use planner::block_pool::INCOMPLETE_READ;
use planner::error_envelope;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::measured;
use super::mend::Written;
use super::server::Shared;
use crate::runner::{JobSpec, Progress, StageProgress};

/// Status messages that may wait; what does not fit is found by asking.
const STATUS_BUFFER: usize = 64;

/// How often the scheduler is asked, beside what it tells by itself.
const POLL: Duration = Duration::from_millis(200);

/// A job that the scheduler has not heard of for this long after submission is lost.
const UNKNOWN_FOR: Duration = Duration::from_secs(10);

/// How a job ended.
pub(super) enum Outcome {
    Succeeded(SuccessfulJob),
    /// The executors, not the query, were the reason: running it again may help.
    Lost(String),
    Failed(DataFusionError),
    Cancelled,
}

/// A submitted job. Dropping it gives it up, wherever it stands.
pub(super) struct Job {
    id: JobId,
    shared: Arc<Shared>,
    status: mpsc::Receiver<JobStatus>,
    losses_before: u64,
}

impl Drop for Job {
    fn drop(&mut self) {
        let abandoned = abandon(Arc::clone(&self.shared), self.id.clone());
        self.shared.tasks.spawn_on(abandoned, &self.shared.runtime);
    }
}

impl Job {
    pub(super) async fn submit(
        shared: &Arc<Shared>,
        plan: Arc<dyn ExecutionPlan>,
        ctx: Arc<SessionContext>,
        name: &str,
    ) -> Result<Job> {
        let losses_before = shared.executors.losses();
        let (tx, status) = mpsc::channel(STATUS_BUFFER);
        let id = shared
            .scheduler
            .submit_physical_plan(name, ctx, plan, Some(tx))
            .await
            .map_err(BallistaError::into_datafusion)?;
        shared.live.lock().insert(id.clone());
        Ok(Job { id, shared: Arc::clone(shared), status, losses_before })
    }

    pub(super) fn id(&self) -> &JobId {
        &self.id
    }

    /// Waits for the end of the job.
    pub(super) async fn wait(&mut self, spec: &JobSpec) -> Outcome {
        let mut poll = interval(POLL);
        poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let submitted = Instant::now();
        let mut seen = false;
        loop {
            let status = tokio::select! {
                () = spec.cancel.cancelled() => return Outcome::Cancelled,
                Some(status) = self.status.recv() => status.status,
                _ = poll.tick() => {
                    if self.shared.stuck.lock().remove(&self.id) {
                        return Outcome::Lost("the job makes no progress".to_owned());
                    }
                    if self.shared.executors.take_broken(&self.id) {
                        return Outcome::Lost("a stage would not have read all of its input".to_owned());
                    }
                    self.report(spec).await;
                    status(&self.shared, &self.id).await
                }
            };
            seen |= status.is_some();
            match status {
                Some(Status::Successful(job)) => return Outcome::Succeeded(job),
                Some(Status::Failed(failure)) => return self.failed(failure.error).await,
                Some(Status::Queued(_) | Status::Running(_)) => {}
                None if seen => return Outcome::Lost("the scheduler forgot the job".to_owned()),
                None if submitted.elapsed() > UNKNOWN_FOR => {
                    return Outcome::Lost("the scheduler never heard of the job".to_owned());
                }
                None => {}
            }
        }
    }

    /// The job's last stage, as far as the scheduler still knows it: its partitions, and what its
    /// tasks have written. What its operators measured is told to whom `spec` names.
    pub(super) async fn last_stage(&self, spec: &JobSpec) -> Option<(usize, Written)> {
        let graph = self.graph().await?;
        if let Some(measured) = &spec.measured {
            // Set by an earlier attempt whose results were lost: those that count are much the same.
            let _ = measured.set(measured::operators(&graph));
        }
        let last = graph.stages().values().find(|stage| stage.output_links().is_empty())?;
        Some((last.plan().output_partitioning().partition_count(), Written::by(last)))
    }

    async fn failed(&self, text: String) -> Outcome {
        let typed = error_envelope::decode(&text).is_some();
        if !typed && (text.contains(INCOMPLETE_READ) || self.executors_failed().await) {
            return Outcome::Lost(text);
        }
        Outcome::Failed(error_envelope::open(&text))
    }

    /// Whether executors went while the job ran, or tasks failed for no other reason than that
    /// they could not read from each other.
    async fn executors_failed(&self) -> bool {
        if self.shared.executors.losses() != self.losses_before {
            return true;
        }
        let Some(graph) = self.graph().await else {
            return false;
        };
        let (mut wrong, mut unreachable) = (false, false);
        for task in graph.stages().values().filter_map(ExecutionStage::task_infos).flatten() {
            let task_status::Status::Failed(failure) = &task.task_status else {
                continue;
            };
            match &failure.failed_reason {
                Some(FailedReason::ExecutionError(_)) | None => wrong = true,
                Some(FailedReason::TaskKilled(_)) => {}
                Some(_) => unreachable = true,
            }
        }
        unreachable && !wrong
    }

    async fn graph(&self) -> Option<ExecutionGraphBox> {
        if let Ok(Some(graph)) = self.shared.jobs.get_execution_graph(&self.id).await {
            return Some(graph);
        }
        let running = self.shared.scheduler.state.task_manager.get_running_job_cache();
        let graph = running.get(&self.id)?.execution_graph.read().await;
        Some(graph.cloned())
    }

    async fn report(&self, spec: &JobSpec) {
        let Some(progress) = &spec.progress else {
            return;
        };
        let running = self.shared.scheduler.state.task_manager.get_running_job_cache();
        let Some(job) = running.get(&self.id) else {
            return;
        };
        let now = progress_of(&*job.execution_graph.read().await);
        progress.send_if_modified(|old| {
            let changed = *old != now;
            *old = now;
            changed
        });
    }
}

fn progress_of(graph: &ExecutionGraphBox) -> Progress {
    let mut progress = Progress::default();
    for (&id, stage) in graph.stages() {
        let mut entry = StageProgress { id, ..Default::default() };
        match stage {
            ExecutionStage::Running(stage) => {
                entry.partitions = stage.partitions;
                for task in &stage.task_infos {
                    match &task.task_status {
                        task_status::Status::Successful(_) => {
                            entry.done += task.global_input_partition_ids.len();
                        }
                        task_status::Status::Running(_) => progress.running_tasks += 1,
                        task_status::Status::Failed(_) => {}
                    }
                }
            }
            ExecutionStage::Successful(stage) => {
                entry.partitions = stage.partitions;
                entry.done = stage.partitions;
                entry.finished = true;
            }
            ExecutionStage::Resolved(stage) => entry.partitions = stage.partitions,
            ExecutionStage::UnResolved(_) | ExecutionStage::Failed(_) => {}
        }
        progress.stages.push(entry);
    }
    progress.stages.sort_by_key(|stage| stage.id);
    progress
}

async fn status(shared: &Shared, id: &JobId) -> Option<Status> {
    let known = shared.scheduler.state.task_manager.get_job_status(id).await;
    known.ok().flatten().and_then(|s| s.status)
}

/// Cancels a job that may be anywhere between submission and its end, then removes its data.
///
/// The scheduler forgets a cancellation that comes before the job runs, so it is repeated until
/// the job has ended.
async fn abandon(shared: Arc<Shared>, id: JobId) {
    let started = Instant::now();
    let mut pause = Duration::from_millis(10);
    loop {
        match status(&shared, &id).await {
            Some(Status::Successful(_) | Status::Failed(_)) => break,
            Some(Status::Running(_)) => {
                if let Err(e) = shared.scheduler.cancel_job(id.clone()).await {
                    tracing::warn!(job = %id, "could not be cancelled: {e}");
                }
            }
            Some(Status::Queued(_)) => {}
            None if started.elapsed() > UNKNOWN_FOR => break,
            None => {}
        }
        sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(1));
    }
    remove_data(&shared, &id).await;
    shared.live.lock().remove(&id);
}

/// Ends what is left of the job on every executor, also on those that are leaving, and removes its
/// files there.
async fn remove_data(shared: &Shared, id: &JobId) {
    let executors = shared.executors.registered_executor_metadata().await;
    let forgotten = executors.iter().map(|executor| shared.peers.forget_job(executor, id.as_str()));
    futures::future::join_all(forgotten).await;
}
