//! The cluster: Ballista's scheduler inside this process, and a runner that uses it.
//!
//! Ballista splits a physical plan into stages, keeps the state of their tasks and drives the
//! executors. What it does not promise is done here: jobs that survive the loss of results, status
//! messages that got lost, cancellation at any moment, results that outlive their executors.

mod awake;
mod buffer;
mod config;
mod job;
mod measured;
mod mend;
mod peers;
mod results;
mod runner;
mod server;
mod session;
mod state;
mod watchdog;

pub use config::ClusterConfig;
pub use runner::ClusterRunner;
pub use server::{Cluster, ExecutorInfo};
pub use session::{planning_state, session_config, session_state};
