//! What one executor needs to know.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use datafusion::common::Result;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::prelude::SessionConfig;

/// Builds the runtime (object stores, caches) that the tasks of a session share.
pub type RuntimeProducer = Arc<dyn Fn(&SessionConfig) -> Result<Arc<RuntimeEnv>> + Send + Sync>;

/// Configuration of [`crate::run`].
#[derive(Clone)]
pub struct ExecutorConfig {
    /// Host of the scheduler.
    pub scheduler_host: String,
    /// Port of the scheduler's cluster endpoint.
    pub scheduler_port: u16,
    /// How long to wait for the scheduler at the start.
    pub connect_timeout: Duration,
    /// Address to listen on.
    pub bind_host: String,
    /// The name under which others reach this executor; always announced.
    pub external_host: String,
    /// Port of the Flight service; 0 picks a free one.
    pub flight_port: u16,
    /// Port of the task service; 0 picks a free one.
    pub task_port: u16,
    /// Tasks that may run at the same time.
    pub vcores: usize,
    /// Bytes that the tasks may hold in memory before they spill; without it nothing spills.
    pub memory: Option<u64>,
    /// Holds a directory of this process's own; removed at the end.
    pub work_dir: PathBuf,
    /// How often to tell the scheduler that this executor lives, in whole seconds.
    pub heartbeat: Duration,
    /// How long to go on serving shuffle files after the last task when asked to leave.
    pub drain_timeout: Duration,
    /// Where to answer `/healthz` and `/readyz`.
    pub health_listen: Option<SocketAddr>,
    /// Builds the runtime of a session; DataFusion's with the spill directory if absent.
    pub runtime: Option<RuntimeProducer>,
    /// Largest message on any channel.
    pub max_message_size: usize,
}

impl Default for ExecutorConfig {
    fn default() -> Self {
        ExecutorConfig {
            scheduler_host: "127.0.0.1".to_owned(),
            scheduler_port: 50050,
            connect_timeout: Duration::from_secs(60),
            bind_host: "127.0.0.1".to_owned(),
            external_host: "127.0.0.1".to_owned(),
            flight_port: 0,
            task_port: 0,
            vcores: std::thread::available_parallelism().map_or(1, usize::from),
            memory: None,
            work_dir: std::env::temp_dir().join("firesteel"),
            heartbeat: Duration::from_secs(1),
            drain_timeout: Duration::from_secs(20),
            health_listen: None,
            runtime: None,
            max_message_size: 256 << 20,
        }
    }
}
