//! One job on the scheduler: submitted, watched, and given up for certain.

use std::sync::Arc;
use std::time::Duration;

use ballista_core::JobId;
use ballista_core::error::BallistaError;
use ballista_core::serde::protobuf::failed_task::FailedReason;
use ballista_core::serde::protobuf::job_status::Status;
use ballista_core::serde::protobuf::executor_grpc_client::ExecutorGrpcClient;
use ballista_core::serde::protobuf::{JobStatus, RemoveJobDataParams, SuccessfulJob, task_status};
use ballista_core::utils::{GrpcClientConfig, create_grpc_client_endpoint};
use ballista_scheduler::cluster::ClusterState;
use ballista_scheduler::state::execution_graph::ExecutionGraphBox;
use ballista_scheduler::state::execution_stage::ExecutionStage;
use datafusion::common::{DataFusionError, Result};
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use datafusion::prelude::SessionContext;
use planner::error_envelope;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::server::Shared;
use crate::runner::{JobSpec, Progress, StageProgress};

/// Status messages that may wait; what does not fit is found by asking.
const STATUS_BUFFER: usize = 64;

/// How often the scheduler is asked, beside what it tells by itself.
const POLL: Duration = Duration::from_millis(200);

/// A job that the scheduler has not heard of for this long after submission is lost.
const UNKNOWN_FOR: Duration = Duration::from_secs(10);

/// Tasks that are being cancelled may still write for a moment.
const UNWINDING: Duration = Duration::from_secs(3);

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

    /// Partitions of the job's results, as far as the scheduler still knows.
    pub(super) async fn result_partitions(&self) -> Option<usize> {
        let graph = self.graph().await?;
        let last = graph.stages().values().find(|stage| stage.output_links().is_empty())?;
        Some(last.plan().output_partitioning().partition_count())
    }

    async fn failed(&self, text: String) -> Outcome {
        let typed = error_envelope::decode(&text).is_some();
        if !typed && self.executors_failed().await {
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
    let mut cancelled = false;
    loop {
        match status(&shared, &id).await {
            Some(Status::Successful(_) | Status::Failed(_)) => break,
            Some(Status::Running(_)) => {
                cancelled = true;
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
    if cancelled {
        sleep(UNWINDING).await;
        remove_data(&shared, &id).await;
    }
}

/// Removes the job's files on every executor, also on those that are leaving: they wait for it.
async fn remove_data(shared: &Shared, id: &JobId) {
    shared.scheduler.state.executor_manager.clean_up_job_data(id.clone());
    let config = GrpcClientConfig {
        connect_timeout_seconds: 2,
        timeout_seconds: 5,
        ..Default::default()
    };
    for executor in shared.executors.registered_executor_metadata().await {
        if !super::server::is_leaving(&shared.executors, &executor.id) {
            continue;
        }
        let url = format!("http://{}:{}", executor.host, executor.grpc_port);
        let Ok(endpoint) = create_grpc_client_endpoint(url, Some(&config)) else {
            continue;
        };
        // It may be gone already; then so are the files.
        if let Ok(channel) = endpoint.connect().await {
            let request =
                RemoveJobDataParams { job_id: id.to_string(), remove_stage_ids: vec![] };
            let _ = ExecutorGrpcClient::new(channel).remove_job_data(request).await;
        }
    }
}
