//! The runtime of tasks: one base per session, a memory pool of its own per task.

use std::path::Path;
use std::sync::Arc;

use ballista_executor::runtime_cache::{DefaultSessionRuntimeCache, MemoryPoolPolicy, SessionRuntimeCache};
use datafusion::common::Result;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::prelude::SessionConfig;
use planner::source::stores::EnvironmentStores;

use crate::config::{ExecutorConfig, RuntimeProducer};

/// Sessions whose object store clients and file footers stay cached.
const CACHED_SESSIONS: usize = 64;

/// How runtimes are made: per session with its caches, and per task where no session is at hand.
pub(crate) struct Runtimes {
    pub(crate) base: RuntimeProducer,
    pub(crate) cache: Arc<dyn SessionRuntimeCache>,
}

impl Runtimes {
    pub(crate) fn new(config: &ExecutorConfig, spill_dir: &Path) -> Self {
        let base = match &config.runtime {
            Some(runtime) => Arc::clone(runtime),
            None => default_producer(spill_dir),
        };
        let policy = match config.memory {
            Some(bytes) => fair_share(bytes, config.vcores),
            None => Arc::new(|base, _: &SessionConfig, _| Ok(base)),
        };
        let cache = DefaultSessionRuntimeCache::new(Arc::clone(&base), policy, CACHED_SESSIONS);
        Runtimes { base, cache: Arc::new(cache) }
    }
}

fn default_producer(spill_dir: &Path) -> RuntimeProducer {
    let spill_dir = spill_dir.to_path_buf();
    let stores = Arc::new(EnvironmentStores::default());
    Arc::new(move |_| -> Result<_> {
        RuntimeEnvBuilder::new()
            .with_temp_file_path(&spill_dir)
            .with_object_store_registry(Arc::clone(&stores) as _)
            .build_arc()
    })
}

/// A task gets the share of the memory that its virtual cores are of all, and spills beyond it.
fn fair_share(bytes: u64, vcores: usize) -> MemoryPoolPolicy {
    let total = usize::try_from(bytes).unwrap_or(usize::MAX);
    functions::room::set_memory(total);
    let per_vcore = (total / vcores.max(1)).max(1);
    Arc::new(move |base, _, vcores| {
        let share = per_vcore.saturating_mul(vcores.max(1) as usize).min(total);
        RuntimeEnvBuilder::from_runtime_env(&base).with_memory_pool(Arc::new(FairSpillPool::new(share))).build_arc()
    })
}
