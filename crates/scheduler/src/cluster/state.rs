//! The state of the executors, with an account of who holds how many cores.
//!
//! Ballista's own state returns cores without asking whether they were taken: a status that arrives
//! twice makes an executor larger than it is, and a launch that failed may leave it smaller. This
//! wrapper keeps the account and returns no more than was taken; the watchdog settles what was not
//! returned. As every task is bound here, this is also where inputs are mended before they are read,
//! and as everything about executors passes here, where it is known when each was heard of last.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use async_trait::async_trait;
use ballista_core::JobId;
use ballista_core::error::Result;
use ballista_core::serde::protobuf::ExecutorHeartbeat;
use ballista_core::serde::scheduler::{ExecutorData, ExecutorMetadata};
use ballista_scheduler::cluster::memory::InMemoryClusterState;
use ballista_scheduler::cluster::{BoundTask, ClusterState, ClusterStateEventStream, ExecutorSlot};
use ballista_scheduler::config::TaskDistributionPolicy;
use ballista_scheduler::state::task_manager::JobInfoCache;
use parking_lot::Mutex;
use planner::row_position;

use super::awake::{AwakeClock, seconds_now};
use super::mend;

/// The wrapper; see the module.
#[derive(Default)]
pub(super) struct AccountedState {
    inner: InMemoryClusterState,
    taken: Mutex<HashMap<String, u32>>,
    members: Mutex<u64>,
    broken: Mutex<HashSet<JobId>>,
    /// When executors answered a question, in seconds since 1970.
    answered: Mutex<HashMap<String, u64>>,
    /// Executors that registered and have not been told yet which jobs are over.
    joined: Mutex<Vec<ExecutorMetadata>>,
    awake: AwakeClock,
}

impl AccountedState {
    /// Cores taken on each executor.
    pub(super) fn taken(&self) -> HashMap<String, u32> {
        self.taken.lock().clone()
    }

    /// A number that changes whenever an executor is lost.
    pub(super) fn losses(&self) -> u64 {
        *self.members.lock()
    }

    /// Whether a job was found to have inputs that are not whole; it is answered once.
    pub(super) fn take_broken(&self, job: &JobId) -> bool {
        self.broken.lock().remove(job)
    }

    /// Takes note that an executor answered a question: as good as a heartbeat.
    pub(super) fn answered(&self, executor: &str) {
        self.answered.lock().insert(executor.to_owned(), seconds_now());
    }

    /// Executors that registered since this was asked before.
    pub(super) fn take_joined(&self) -> Vec<ExecutorMetadata> {
        std::mem::take(&mut self.joined.lock())
    }

    /// The clock that shows whether this process has listened.
    pub(super) fn awake(&self) -> &AwakeClock {
        &self.awake
    }

    /// The heartbeat at the time of the last sign of life that was or could not be heard.
    fn vouched(&self, mut heartbeat: ExecutorHeartbeat) -> ExecutorHeartbeat {
        let answered = self.answered.lock().get(&heartbeat.executor_id).copied().unwrap_or(0);
        heartbeat.timestamp = heartbeat.timestamp.max(answered).max(self.awake.since());
        heartbeat
    }

    /// The jobs whose inputs are whole, mended where they had to be.
    async fn sound(&self, jobs: Arc<HashMap<JobId, JobInfoCache>>) -> Arc<HashMap<JobId, JobInfoCache>> {
        let mut broken = HashSet::new();
        for (id, job) in jobs.iter() {
            if let Err(e) = mend::mend(&mut *job.execution_graph.write().await) {
                tracing::warn!(job = %id, "its inputs are not whole: {e}");
                broken.insert(id.clone());
            }
        }
        if broken.is_empty() {
            return jobs;
        }
        let sound = jobs.iter().filter(|(id, _)| !broken.contains(*id));
        let sound = sound.map(|(id, job)| (id.clone(), job.clone())).collect();
        self.broken.lock().extend(broken);
        Arc::new(sound)
    }

    /// Cuts what is to be returned down to what was taken.
    fn settle(&self, slots: Vec<ExecutorSlot>) -> Vec<ExecutorSlot> {
        let mut taken = self.taken.lock();
        slots
            .into_iter()
            .filter_map(|(executor, vcores)| {
                let held = taken.get_mut(&executor)?;
                let returned = vcores.min(*held);
                *held -= returned;
                (returned > 0).then_some((executor, returned))
            })
            .collect()
    }
}

#[async_trait]
impl ClusterState for AccountedState {
    async fn init(&self) -> Result<()> {
        self.inner.init().await
    }

    async fn bind_schedulable_tasks(
        &self,
        distribution: TaskDistributionPolicy,
        active_jobs: Arc<HashMap<JobId, JobInfoCache>>,
        executors: Option<HashSet<String>>,
    ) -> Result<Vec<BoundTask>> {
        let active_jobs = self.sound(active_jobs).await;
        let mut bound = self.inner.bind_schedulable_tasks(distribution, active_jobs, executors).await?;
        let mut taken = self.taken.lock();
        for (executor, task) in &mut bound {
            *taken.entry(executor.clone()).or_default() += task.vcores_consumed;
            // Only here is it known which partitions a task takes.
            task.plan = row_position::numbered(Arc::clone(&task.plan), &task.global_input_partition_ids)?;
        }
        Ok(bound)
    }

    async fn unbind_tasks(&self, executor_slots: Vec<ExecutorSlot>) -> Result<()> {
        let settled = self.settle(executor_slots);
        self.inner.unbind_tasks(settled).await
    }

    async fn register_executor(&self, metadata: ExecutorMetadata, spec: ExecutorData) -> Result<()> {
        let joined = metadata.clone();
        self.inner.register_executor(metadata, spec).await?;
        self.taken.lock().remove(&joined.id);
        self.joined.lock().push(joined);
        Ok(())
    }

    async fn save_executor_metadata(&self, metadata: ExecutorMetadata) -> Result<()> {
        self.inner.save_executor_metadata(metadata).await
    }

    async fn get_executor_metadata(&self, executor_id: &str) -> Result<ExecutorMetadata> {
        self.inner.get_executor_metadata(executor_id).await
    }

    async fn registered_executor_metadata(&self) -> Vec<ExecutorMetadata> {
        self.inner.registered_executor_metadata().await
    }

    async fn save_executor_heartbeat(&self, heartbeat: ExecutorHeartbeat) -> Result<()> {
        self.inner.save_executor_heartbeat(heartbeat).await
    }

    async fn remove_executor(&self, executor_id: &str) -> Result<()> {
        *self.members.lock() += 1;
        self.taken.lock().remove(executor_id);
        self.answered.lock().remove(executor_id);
        self.inner.remove_executor(executor_id).await
    }

    fn executor_heartbeats(&self) -> HashMap<String, ExecutorHeartbeat> {
        let heartbeats = self.inner.executor_heartbeats().into_iter();
        heartbeats.map(|(id, heartbeat)| (id, self.vouched(heartbeat))).collect()
    }

    fn get_executor_heartbeat(&self, executor_id: &str) -> Option<ExecutorHeartbeat> {
        self.inner.get_executor_heartbeat(executor_id).map(|heartbeat| self.vouched(heartbeat))
    }

    async fn cluster_state_events(&self) -> Result<ClusterStateEventStream> {
        self.inner.cluster_state_events().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_a_sign_of_life() {
        let state = AccountedState::default();
        let heartbeat = |timestamp| ExecutorHeartbeat { executor_id: "a".to_owned(), timestamp, ..Default::default() };
        assert_eq!(state.vouched(heartbeat(5)).timestamp, 5);
        state.answered("a");
        assert!(state.vouched(heartbeat(5)).timestamp > 5);
        let later = seconds_now() + 100;
        assert_eq!(state.vouched(heartbeat(later)).timestamp, later);
    }

    #[test]
    fn no_more_is_returned_than_was_taken() {
        let state = AccountedState::default();
        state.taken.lock().insert("a".to_owned(), 3);
        let settle = |slots: &[(&str, u32)]| state.settle(slots.iter().map(|(id, n)| ((*id).to_owned(), *n)).collect());
        assert_eq!(settle(&[("a", 2), ("b", 1)]), [("a".to_owned(), 2)]);
        assert_eq!(settle(&[("a", 2)]), [("a".to_owned(), 1)]);
        assert_eq!(settle(&[("a", 1)]), []);
        assert_eq!(state.taken()["a"], 0);
    }
}
