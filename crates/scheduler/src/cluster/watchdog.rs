//! Finds what Ballista would wait for in vain, and sets it going again.
//!
//! Once a tick, for every running job:
//! - executors are asked about their tasks: one whose process is gone is removed now instead of when
//!   its heartbeat has been missed for long enough;
//! - a task that its executor has finished, or never had, although the scheduler still waits for
//!   it lost a message: it is reported as killed, which makes the scheduler run it again;
//! - tasks of executors that are not registered are reset;
//! - partitions that wait although nothing happens are offered again;
//! - a job in which nothing runs and nothing waits is stuck, and is run anew;
//! - executors that registered are told which jobs are over: they may hold some of a scheduler that
//!   is gone, or of a time when they were thought to be gone themselves;
//! - cores that no running task holds are given back.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ballista_core::JobId;
use ballista_core::serde::protobuf::failed_task::FailedReason;
use ballista_core::serde::protobuf::scheduler_grpc_server::SchedulerGrpc;
use ballista_core::serde::protobuf::{
    ExecutorStoppedParams, FailedTask, TaskKilled, TaskStatus, UpdateTaskStatusParams, task_status,
};
use ballista_core::serde::scheduler::ExecutorMetadata;
use ballista_scheduler::cluster::ClusterState;
use ballista_scheduler::state::execution_stage::ExecutionStage;
use planner::task_probe::{KeptJobs, TaskName, TaskState};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use uuid::{NoContext, Timestamp, Uuid};

use super::awake::seconds_now;
use super::peers::Answer;
use super::server::Shared;

/// A report that an executor sent may be under way for this long.
const REPORT_UNDERWAY: Duration = Duration::from_secs(3);

/// A task that was sent may take this long to be known to its executor.
const LAUNCH_UNDERWAY: Duration = Duration::from_secs(30);

/// A job that got its identifier may take this long to be known here.
const SUBMISSION_UNDERWAY: Duration = Duration::from_secs(60);

/// Refused connections in a row after which a process counts as gone.
const REFUSALS: u32 = 2;

/// Ticks after which a state that should not last is acted upon.
const PATIENCE: u32 = 3;

/// Watches until `stop`, or until nobody else holds the cluster.
pub(super) async fn watch(shared: Weak<Shared>, stop: CancellationToken) {
    let Some(period) = shared.upgrade().map(|s| s.config.watchdog_interval) else {
        return;
    };
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut memory = Memory::default();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let Some(shared) = shared.upgrade() else {
            return;
        };
        look(&shared, &mut memory).await;
    }
}

/// What the watchdog remembers between two looks.
#[derive(Default)]
struct Memory {
    /// Consecutive refused connections by executor.
    refused: HashMap<String, u32>,
    /// Consecutive looks at which a task was not running where the scheduler believes it to.
    missing: HashMap<(TaskName, usize), u32>,
    /// Consecutive looks at which an executor had running tasks but was not registered.
    unregistered: HashMap<String, u32>,
    /// Consecutive looks at which a job waited with nothing running.
    idle: HashMap<JobId, u32>,
    /// Consecutive looks at which a job had nothing running and nothing to run.
    stalled: HashMap<JobId, u32>,
    /// Consecutive looks at which an executor held more cores than its tasks.
    held: HashMap<String, u32>,
}

/// A task that the scheduler believes to run.
#[derive(Clone)]
struct Believed {
    name: TaskName,
    attempt: usize,
    age: Duration,
    vcores: u32,
}

/// What the scheduler believes at one moment.
#[derive(Default)]
struct Belief {
    by_executor: HashMap<String, Vec<Believed>>,
    /// Jobs with partitions that wait, and nothing running.
    waiting: HashSet<JobId>,
    /// Jobs with nothing running and nothing to run.
    stalled: HashSet<JobId>,
    /// Whether any job runs.
    busy: bool,
    /// Whether some job could not be read because it was being changed.
    partial: bool,
}

async fn look(shared: &Arc<Shared>, memory: &mut Memory) {
    let belief = believe(shared);
    let registered: HashMap<String, ExecutorMetadata> =
        shared.executors.registered_executor_metadata().await.into_iter().map(|e| (e.id.clone(), e)).collect();
    shared.peers.retain(|id| registered.contains_key(id));
    memory.refused.retain(|id, _| registered.contains_key(id));
    reset_unregistered(shared, memory, &belief, &registered).await;
    tell_joined(shared);
    if belief.busy {
        // Also those without tasks: they may hold what running jobs have to read.
        let believed = |id: &str| belief.by_executor.get(id).map_or(&[][..], Vec::as_slice);
        let asked = registered.values().map(|executor| {
            let names: Vec<TaskName> = believed(&executor.id).iter().map(|t| t.name.clone()).collect();
            async move { (executor, shared.peers.ask(executor, &names).await) }
        });
        for (executor, answer) in futures::future::join_all(asked).await {
            act_on(shared, memory, executor, believed(&executor.id), answer).await;
        }
    }
    forget_settled(memory, &belief);
    offer_again(shared, memory, &belief, &registered).await;
    report_stuck(shared, memory, &belief);
    settle_cores(shared, memory, &belief).await;
}

fn believe(shared: &Shared) -> Belief {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut belief = Belief::default();
    for (id, job) in shared.scheduler.state.task_manager.get_running_job_cache().iter() {
        belief.busy = true;
        let Ok(graph) = job.execution_graph.try_read() else {
            belief.partial = true;
            continue;
        };
        let (mut waits, mut runs) = (false, false);
        for stage in graph.stages().values() {
            let ExecutionStage::Running(stage) = stage else {
                continue;
            };
            waits |= stage.available_tasks() > 0;
            for task in &stage.task_infos {
                let task_status::Status::Running(running) = &task.task_status else {
                    continue;
                };
                runs = true;
                let scheduled = Duration::from_millis(task.scheduled_time as u64);
                let name = TaskName { job: id.to_string(), stage: stage.stage_id, task: task.task_id };
                belief.by_executor.entry(running.executor_id.clone()).or_default().push(Believed {
                    name,
                    attempt: stage.stage_attempt_num,
                    age: now.saturating_sub(scheduled),
                    vcores: task.vcores_consumed,
                });
            }
        }
        match (waits, runs) {
            (_, true) => {}
            (true, false) => drop(belief.waiting.insert(id.clone())),
            (false, false) => drop(belief.stalled.insert(id.clone())),
        }
    }
    belief
}

/// Counts up; whether the count has reached the limit.
fn repeated<K: std::hash::Hash + Eq>(counts: &mut HashMap<K, u32>, key: K, limit: u32) -> bool {
    let count = counts.entry(key).or_default();
    *count += 1;
    *count >= limit
}

async fn reset_unregistered(
    shared: &Shared,
    memory: &mut Memory,
    belief: &Belief,
    registered: &HashMap<String, ExecutorMetadata>,
) {
    memory.unregistered.retain(|id, _| belief.by_executor.contains_key(id) && !registered.contains_key(id));
    for id in belief.by_executor.keys().filter(|id| !registered.contains_key(*id)) {
        if repeated(&mut memory.unregistered, id.clone(), PATIENCE) {
            memory.unregistered.remove(id);
            tracing::warn!(executor = id, "resetting tasks of an executor that is not registered");
            forget_executor(shared, id).await;
        }
    }
}

/// Tells executors that have registered which jobs there are.
fn tell_joined(shared: &Arc<Shared>) {
    let joined = shared.executors.take_joined();
    if joined.is_empty() {
        return;
    }
    let horizon = seconds_now().saturating_sub(SUBMISSION_UNDERWAY.as_secs());
    let from = Uuid::new_v7(Timestamp::from_unix(NoContext, horizon, 0)).to_string();
    let jobs = shared.live.lock().iter().map(JobId::to_string).collect();
    let kept = KeptJobs { from, jobs };
    let telling = Arc::clone(shared);
    // One that does not answer must not keep the others from being looked at.
    let told = async move {
        let told = joined.iter().map(|executor| telling.peers.keep_jobs(executor, &kept));
        futures::future::join_all(told).await;
    };
    shared.tasks.spawn_on(told, &shared.runtime);
}

/// Does what an executor's answer asks for.
async fn act_on(shared: &Shared, memory: &mut Memory, executor: &ExecutorMetadata, tasks: &[Believed], answer: Answer) {
    match answer {
        Answer::States(states) => {
            memory.refused.remove(&executor.id);
            shared.executors.answered(&executor.id);
            let lost = lost_tasks(memory, tasks, &states);
            if !lost.is_empty() {
                report_killed(shared, &executor.id, &lost).await;
            }
        }
        Answer::Refused => {
            if repeated(&mut memory.refused, executor.id.clone(), REFUSALS) {
                memory.refused.remove(&executor.id);
                tracing::warn!(executor = executor.id, "its process is gone; giving it up");
                shared.pool.forget(&executor.host, executor.port);
                give_up(shared, &executor.id).await;
            }
        }
        Answer::Silence => {}
    }
}

/// The tasks whose end, or whose beginning, must have been lost.
fn lost_tasks(memory: &mut Memory, tasks: &[Believed], states: &[TaskState]) -> Vec<Believed> {
    let mut lost = Vec::new();
    for (task, state) in tasks.iter().zip(states) {
        let key = (task.name.clone(), task.attempt);
        let patience = match state {
            TaskState::Running => None,
            TaskState::Finished => Some(REPORT_UNDERWAY),
            TaskState::Unknown => Some(LAUNCH_UNDERWAY),
        };
        match patience {
            Some(patience) if task.age > patience => {
                if repeated(&mut memory.missing, key.clone(), PATIENCE) {
                    memory.missing.remove(&key);
                    lost.push(task.clone());
                }
            }
            Some(_) => {}
            None => {
                memory.missing.remove(&key);
            }
        }
    }
    lost
}

/// Tells the scheduler, in the executor's name, that tasks were killed: it runs them again.
async fn report_killed(shared: &Shared, executor: &str, tasks: &[Believed]) {
    let task_status = tasks.iter().map(killed).collect::<Vec<_>>();
    tracing::warn!(executor, tasks = task_status.len(), "reports were lost; running tasks again");
    let request = UpdateTaskStatusParams { executor_id: executor.to_owned(), task_status };
    if let Err(e) = SchedulerGrpc::update_task_status(&shared.scheduler, tonic::Request::new(request)).await {
        tracing::warn!(executor, "lost tasks could not be reset: {e}");
    }
}

fn killed(task: &Believed) -> TaskStatus {
    TaskStatus {
        task_id: task.name.task as u32,
        job_id: task.name.job.clone(),
        stage_id: task.name.stage as u32,
        stage_attempt_num: task.attempt as u32,
        status: Some(task_status::Status::Failed(FailedTask {
            error: "the report of this task's end was lost".to_owned(),
            retryable: true,
            count_to_failures: false,
            failed_reason: Some(FailedReason::TaskKilled(TaskKilled {})),
        })),
        ..Default::default()
    }
}

fn forget_settled(memory: &mut Memory, belief: &Belief) {
    if belief.partial {
        return;
    }
    let believed: HashSet<(&TaskName, usize)> =
        belief.by_executor.values().flatten().map(|t| (&t.name, t.attempt)).collect();
    memory.missing.retain(|(name, attempt), _| believed.contains(&(name, *attempt)));
}

/// Removes an executor and resets its tasks, at once.
async fn give_up(shared: &Shared, executor: &str) {
    let reason = "its process is gone".to_owned();
    let manager = &shared.scheduler.state.executor_manager;
    if let Err(e) = manager.remove_executor(executor, Some(reason.clone())).await {
        tracing::warn!(executor, "could not be removed: {e}");
    }
    forget_executor(shared, executor).await;
    // The scheduler's own event comes later, and starts its clock for an empty cluster.
    let stopped = ExecutorStoppedParams { executor_id: executor.to_owned(), reason };
    let _ = SchedulerGrpc::executor_stopped(&shared.scheduler, tonic::Request::new(stopped)).await;
}

/// Resets the tasks and the shuffle outputs of an executor.
async fn forget_executor(shared: &Shared, executor: &str) {
    let state = &shared.scheduler.state;
    match state.task_manager.executor_lost(executor).await {
        Ok(tasks) if tasks.is_empty() => {}
        Ok(tasks) => {
            if let Err(e) = state.executor_manager.cancel_running_tasks(tasks).await {
                tracing::warn!(executor, "tasks could not be cancelled: {e}");
            }
        }
        Err(e) => tracing::error!(executor, "its loss could not be handled: {e}"),
    }
    kick(shared).await;
}

/// Makes the scheduler offer waiting tasks: a report about no tasks, from an executor it knows.
async fn kick(shared: &Shared) {
    let Some(executor) = shared.executors.executor_heartbeats().into_keys().next() else {
        return;
    };
    let request = UpdateTaskStatusParams { executor_id: executor, task_status: vec![] };
    let _ = SchedulerGrpc::update_task_status(&shared.scheduler, tonic::Request::new(request)).await;
}

async fn offer_again(
    shared: &Shared,
    memory: &mut Memory,
    belief: &Belief,
    registered: &HashMap<String, ExecutorMetadata>,
) {
    memory.idle.retain(|job, _| belief.waiting.contains(job));
    let mut stuck = false;
    for job in &belief.waiting {
        stuck |= repeated(&mut memory.idle, job.clone(), PATIENCE);
    }
    if stuck && !registered.is_empty() {
        memory.idle.clear();
        kick(shared).await;
    }
}

/// Tells whoever waits for them of jobs that will not go on: some report could not be digested.
fn report_stuck(shared: &Shared, memory: &mut Memory, belief: &Belief) {
    memory.stalled.retain(|job, _| belief.stalled.contains(job));
    for job in &belief.stalled {
        if repeated(&mut memory.stalled, job.clone(), PATIENCE) {
            memory.stalled.remove(job);
            tracing::warn!(%job, "nothing runs and nothing waits; the job is stuck");
            shared.stuck.lock().insert(job.clone());
        }
    }
}

/// Gives back cores that are accounted to nobody, once that has lasted.
async fn settle_cores(shared: &Shared, memory: &mut Memory, belief: &Belief) {
    if belief.partial {
        return;
    }
    let taken = shared.executors.taken();
    memory.held.retain(|id, _| taken.contains_key(id));
    let mut returned = false;
    for (id, taken) in taken {
        let tasks = belief.by_executor.get(&id).map_or(&[][..], Vec::as_slice);
        let used: u32 = tasks.iter().map(|t| t.vcores).sum();
        if taken <= used {
            memory.held.remove(&id);
        } else if repeated(&mut memory.held, id.clone(), PATIENCE) {
            memory.held.remove(&id);
            tracing::debug!(executor = id, cores = taken - used, "giving back cores nobody uses");
            returned |= shared.executors.unbind_tasks(vec![(id, taken - used)]).await.is_ok();
        }
    }
    if returned {
        kick(shared).await;
    }
}
