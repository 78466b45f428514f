//! What the embedded scheduler needs to know.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use planner::stage_lint::MAX_ENCODED_PLAN;

/// Configuration of [`super::Cluster::start`].
#[derive(Debug, Clone)]
pub struct ClusterConfig {
    /// Where executors reach the scheduler; port 0 picks a free one.
    pub listen: SocketAddr,
    /// The name under which executors reach this process; the listening address if absent.
    pub advertise_host: Option<String>,
    /// The port that goes with it when executors come through a proxy; the listening one if absent.
    pub advertise_port: Option<u16>,
    /// An executor silent for this long is given up, in whole seconds.
    pub executor_timeout: Duration,
    /// How often silent executors are looked for, in whole seconds.
    pub expire_interval: Duration,
    /// How long running jobs wait for an executor when the last one is gone, in whole seconds.
    pub no_executors_grace: Duration,
    /// An executor that leaves is given up when silent for this long, in whole seconds.
    pub termination_grace: Duration,
    /// Partitions of one stage that go into one task at most; 0 lets a task take all free cores.
    pub max_partitions_per_task: usize,
    /// Attempts at a task, and at a stage, before its job fails.
    pub max_attempts: usize,
    /// How often a job is run anew when executors took its results or its progress with them.
    pub job_retries: usize,
    /// Result bytes of one job that are kept in memory before they spill.
    pub result_memory: usize,
    /// Where results spill; the system's temporary directory if absent.
    pub spill_dir: Option<PathBuf>,
    /// Larger encoded plans are not submitted.
    pub max_encoded_plan: usize,
    /// Largest message to and from executors.
    pub max_message_size: usize,
    /// How often the watchdog looks at running jobs.
    pub watchdog_interval: Duration,
}

impl Default for ClusterConfig {
    fn default() -> Self {
        ClusterConfig {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            advertise_host: None,
            advertise_port: None,
            executor_timeout: Duration::from_secs(15),
            expire_interval: Duration::from_secs(1),
            no_executors_grace: Duration::from_secs(60),
            termination_grace: Duration::from_secs(5),
            max_partitions_per_task: 0,
            max_attempts: 4,
            job_retries: 3,
            result_memory: 64 << 20,
            spill_dir: None,
            max_encoded_plan: MAX_ENCODED_PLAN,
            max_message_size: 256 << 20,
            watchdog_interval: Duration::from_secs(1),
        }
    }
}
