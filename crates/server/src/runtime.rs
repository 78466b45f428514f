//! Threads: one runtime for the network, one for query work, so that neither stalls the other.

use tokio::runtime::{Builder, Runtime};

use crate::error::{Error, Result};
use crate::memory;

/// Address space for the stack of a thread that reads and plans: deep plans recurse, and reading one
/// wants half of this. Only touched pages cost.
const STACK: usize = 128 << 20;

/// Threads that only move bytes and answer control messages.
const NETWORK_THREADS: usize = 2;

/// The network's runtime: connections, heartbeats, signals, the health port.
pub fn network() -> Result<Runtime> {
    build("network", NETWORK_THREADS)
}

/// The runtime of query work: decoding, analysis, planning, operators.
pub fn query(threads: usize) -> Result<Runtime> {
    build("query", threads)
}

fn build(name: &str, threads: usize) -> Result<Runtime> {
    let runtime = Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_name(name)
        .thread_stack_size(STACK)
        .enable_all()
        .build()
        .map_err(|e| Error::system(format!("cannot start {name} threads: {e}")))?;
    memory::ask_threads_of(runtime.handle());
    Ok(runtime)
}
