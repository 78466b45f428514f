//! What all sessions of a server share: memory, threads, planning, the catalog, the cluster.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use datafusion::execution::SessionState;
use parking_lot::RwLock;
use spark::{Error, Result};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::cache::Cache;
use crate::catalog::Catalog;
use crate::cluster::{Cluster, ClusterConfig};
use crate::local;
use crate::names::Relation;
use crate::session::Session;

/// Plans analysed and optimised at the same time, for each thread.
const PLANNING_PER_THREAD: usize = 2;

/// How an engine is set up.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// What operators may hold together; unbounded if absent.
    pub memory_bytes: Option<usize>,
    /// Partitions a query is run in.
    pub threads: usize,
    /// Where the catalog, the warehouse and spilled data are.
    pub data_dir: PathBuf,
    /// What every session's configuration starts from.
    pub conf: Vec<(String, String)>,
    /// Embeds a scheduler that executors join.
    pub cluster: Option<ClusterConfig>,
    /// Where query work runs, apart from the network's threads.
    pub runtime: Handle,
}

/// A running engine; clones share it.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub config: EngineConfig,
    pub conf: Arc<Vec<(String, String)>>,
    /// Made when the first query comes: its functions alone are a tenth of an idle server's memory.
    pub state: LazyLock<SessionState, Box<dyn FnOnce() -> SessionState + Send>>,
    /// The state for plans that go to the cluster.
    pub cluster_state: Option<SessionState>,
    pub cluster: Option<Cluster>,
    pub catalog: Catalog,
    /// Global temporary views, by their key, with the name as written.
    pub global_views: RwLock<BTreeMap<String, (String, Relation)>>,
    pub cache: Cache,
    planning: Semaphore,
}

impl Engine {
    /// Starts an engine.
    ///
    /// # Errors
    /// If its folder cannot be made, or the cluster's port cannot be listened on.
    pub async fn new(config: EngineConfig) -> Result<Engine> {
        std::fs::create_dir_all(&config.data_dir)
            .map_err(|e| Error::internal(format!("cannot make {}: {e}", config.data_dir.display())))?;
        let runtime = local::runtime(&config)?;
        let options = local::session_config(&config);
        let make: Box<dyn FnOnce() -> SessionState + Send> = Box::new(move || local::session_state(options, runtime));
        let state = LazyLock::new(make);
        let (cluster, cluster_state) = match &config.cluster {
            Some(cluster) => {
                let started = Cluster::start(cluster.clone()).await.map_err(functions::error::from_datafusion)?;
                (Some(started), Some(crate::cluster::session_state(&state)))
            }
            None => (None, None),
        };
        let planning = Semaphore::new(config.threads.max(1) * PLANNING_PER_THREAD);
        let conf = Arc::new(config.conf.clone());
        planner::source::parquet::set_schema_parser(crate::snapshot::parse_json_schema);
        let catalog = Catalog::open(&config.data_dir)?;
        let cache = Cache::new(&config);
        let shared = Shared {
            config,
            conf,
            state,
            cluster_state,
            cluster,
            catalog,
            global_views: RwLock::default(),
            cache,
            planning,
        };
        Ok(Engine { shared: Arc::new(shared) })
    }

    /// A new session of a user.
    pub fn create_session(&self, user: &str, session_id: &str) -> Arc<Session> {
        Arc::new(Session::new(self.clone(), user, session_id))
    }

    /// The embedded scheduler, if there is one.
    pub fn cluster(&self) -> Option<&Cluster> {
        self.shared.cluster.as_ref()
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Where query work runs, apart from the network's threads.
    pub fn runtime(&self) -> &Handle {
        &self.shared.config.runtime
    }

    /// Leave to plan; bounds how many plans are worked on at once.
    pub(crate) async fn planning(&self) -> Result<SemaphorePermit<'_>> {
        self.shared.planning.acquire().await.map_err(|_| Error::internal("the engine is shutting down"))
    }
}
