//! Starts the embedded scheduler and answers for its executors.

use std::collections::HashSet;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use axum::extract::ConnectInfo;
use ballista_core::JobId;
use ballista_core::error::BallistaError;
use ballista_core::extension::SessionConfigExt;
use ballista_core::serde::protobuf::executor_status;
use ballista_core::serde::protobuf::scheduler_grpc_server::SchedulerGrpcServer;
use ballista_core::serde::{BallistaCodec, BallistaLogicalExtensionCodec};
use ballista_scheduler::cluster::memory::InMemoryJobState;
use ballista_scheduler::cluster::{BallistaCluster, ClusterState, JobState};
use ballista_scheduler::config::SchedulerConfig;
use ballista_scheduler::metrics::NoopMetricsCollector;
use ballista_scheduler::scheduler_server::{JobIdGenerator, SchedulerServer};
use datafusion::common::{Result, exec_datafusion_err};
use datafusion::prelude::SessionConfig;
use datafusion_proto::protobuf::{LogicalPlanNode, PhysicalPlanNode};
use parking_lot::Mutex;
use planner::FiresteelCodec;
use planner::block_pool::BlockPool;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Status};

use super::config::ClusterConfig;
use super::peers::Peers;
use super::state::AccountedState;
use super::watchdog;

/// Ballista's scheduler as it is embedded here.
pub(super) type Scheduler = SchedulerServer<LogicalPlanNode, PhysicalPlanNode>;

/// Idle connections for results are closed after this time.
const KEEP_CONNECTIONS: Duration = Duration::from_secs(300);

/// How long finished jobs stay in the scheduler's memory, in seconds.
const KEEP_JOB_STATE: u64 = 300;

/// Shuffle data is removed as soon as the results are here; this is the net below that.
const KEEP_JOB_DATA: u64 = 3600;

/// Events of all jobs that may wait for the scheduler's one loop.
const EVENT_BUFFER: u32 = 100_000;

/// A running scheduler for executors to join. Clones share it.
#[derive(Clone)]
pub struct Cluster {
    pub(super) shared: Arc<Shared>,
}

/// What runner and watchdog share.
pub(super) struct Shared {
    pub(super) config: ClusterConfig,
    pub(super) scheduler: Scheduler,
    pub(super) executors: Arc<AccountedState>,
    pub(super) jobs: Arc<dyn JobState>,
    pub(super) codec: FiresteelCodec,
    pub(super) pool: BlockPool,
    pub(super) peers: Peers,
    /// Jobs that the watchdog found to make no progress; whoever waits for one takes it out.
    pub(super) stuck: Mutex<HashSet<JobId>>,
    /// Jobs that somebody waits for, or whose data is still being removed.
    pub(super) live: Mutex<HashSet<JobId>>,
    /// Cleanup that must happen although nobody waits for it.
    pub(super) tasks: TaskTracker,
    pub(super) runtime: Handle,
    address: SocketAddr,
    stop: CancellationToken,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster").field("address", &self.shared.address).finish_non_exhaustive()
    }
}

/// An executor, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecutorInfo {
    /// Unique per process.
    pub id: String,
    /// Where others reach it.
    pub host: String,
    /// Its Flight port.
    pub port: u16,
    /// Tasks it may run at the same time.
    pub vcores: u32,
    /// Cores held by its tasks now.
    pub busy: u32,
    /// Time since it was last heard of, to the second.
    pub silent_for: Duration,
    /// Whether it takes tasks, as opposed to leaving.
    pub active: bool,
}

/// Job identifiers that no other scheduler, before or beside this one, hands out.
struct TimedIds;

#[async_trait]
impl JobIdGenerator for TimedIds {
    async fn next_id(&self) -> String {
        uuid::Uuid::now_v7().to_string()
    }
}

impl Cluster {
    /// Starts the scheduler and listens for executors.
    pub async fn start(config: ClusterConfig) -> Result<Cluster> {
        let listener = TcpListener::bind(config.listen)
            .await
            .map_err(|e| exec_datafusion_err!("cannot listen on {}: {e}", config.listen))?;
        let address = listener.local_addr()?;
        let executors = Arc::new(AccountedState::default());
        let (mut scheduler, jobs) = scheduler(&config, address, &executors);
        scheduler.init().await.map_err(BallistaError::into_datafusion)?;
        let stop = CancellationToken::new();
        let shared = Arc::new(Shared {
            scheduler: scheduler.clone(),
            executors,
            jobs,
            codec: FiresteelCodec::default(),
            pool: BlockPool::new(KEEP_CONNECTIONS),
            peers: Peers::default(),
            stuck: Mutex::default(),
            live: Mutex::default(),
            tasks: TaskTracker::new(),
            runtime: Handle::current(),
            address,
            stop: stop.clone(),
            config,
        });
        let limit = shared.config.max_message_size;
        shared.tasks.spawn(serve(scheduler, listener, limit, stop.clone()));
        let (executors, stopped) = (Arc::clone(&shared.executors), stop.clone());
        shared.tasks.spawn(async move { executors.awake().run(stopped).await });
        shared.tasks.spawn(watchdog::watch(Arc::downgrade(&shared), stop));
        Ok(Cluster { shared })
    }

    /// Where executors reach the scheduler.
    pub fn address(&self) -> SocketAddr {
        self.shared.address
    }

    /// The executors that are registered now, by identifier.
    pub async fn executors(&self) -> Vec<ExecutorInfo> {
        let state = &self.shared.executors;
        let taken = state.taken();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut infos: Vec<ExecutorInfo> = state
            .registered_executor_metadata()
            .await
            .into_iter()
            .map(|e| {
                let heartbeat = state.get_executor_heartbeat(&e.id);
                let heard = heartbeat.as_ref().map_or(0, |h| h.timestamp);
                let status = heartbeat.and_then(|h| h.status).and_then(|s| s.status);
                ExecutorInfo {
                    vcores: e.specification.vcores,
                    busy: taken.get(&e.id).copied().unwrap_or(0),
                    silent_for: now.saturating_sub(Duration::from_secs(heard)),
                    active: matches!(status, Some(executor_status::Status::Active(_))),
                    id: e.id,
                    host: e.host,
                    port: e.port,
                }
            })
            .collect();
        infos.sort_by(|a, b| a.id.cmp(&b.id));
        infos
    }

    /// Cores of the executors that take tasks: what a plan may be spread over.
    pub async fn active_vcores(&self) -> usize {
        let executors = self.executors().await;
        executors.iter().filter(|e| e.active).map(|e| e.vcores as usize).sum()
    }

    /// Waits until at least `count` executors take tasks; whether that came about in time.
    pub async fn wait_for_executors(&self, count: usize, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        loop {
            if self.executors().await.iter().filter(|e| e.active).count() >= count {
                return true;
            }
            if Instant::now() >= deadline {
                return false;
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Jobs that have been submitted and have not ended.
    pub fn running_jobs(&self) -> usize {
        self.shared.scheduler.pending_job_number() + self.shared.scheduler.running_job_number()
    }

    /// A runner that submits to this cluster.
    pub fn runner(&self) -> super::ClusterRunner {
        super::ClusterRunner::new(Arc::clone(&self.shared))
    }

    /// Stops listening and waits for pending cleanup, but not for long.
    pub async fn shutdown(&self, patience: Duration) {
        self.shared.stop.cancel();
        self.shared.tasks.close();
        if tokio::time::timeout(patience, self.shared.tasks.wait()).await.is_err() {
            tracing::warn!("some cleanup of the cluster was left undone");
        }
    }
}

fn scheduler(
    config: &ClusterConfig,
    address: SocketAddr,
    executors: &Arc<AccountedState>,
) -> (Scheduler, Arc<dyn JobState>) {
    let host = config.advertise_host.clone().unwrap_or_else(|| match address.ip() {
        ip if ip.is_unspecified() => "127.0.0.1".to_owned(),
        ip => ip.to_string(),
    });
    let port = config.advertise_port.unwrap_or(address.port());
    let endpoint = format!("{host}:{port}");
    let settings = scheduler_config(config, host, port);
    let jobs: Arc<dyn JobState> = Arc::new(InMemoryJobState::new(
        settings.scheduler_id.clone(),
        // Sessions are only built for plans that arrive over the network, and none may.
        Arc::new(|_| Err(exec_datafusion_err!("this scheduler takes jobs from its own process"))),
        producer(config),
    ));
    let state: Arc<dyn ClusterState> = Arc::clone(executors) as _;
    let codec =
        BallistaCodec::new(Arc::new(BallistaLogicalExtensionCodec::default()), Arc::new(FiresteelCodec::default()));
    let scheduler = SchedulerServer::new(
        endpoint,
        BallistaCluster::new(state, Arc::clone(&jobs)),
        codec,
        Arc::new(settings),
        Arc::new(NoopMetricsCollector::default()),
    );
    (scheduler, jobs)
}

fn scheduler_config(config: &ClusterConfig, host: String, port: u16) -> SchedulerConfig {
    let message_size = u32::try_from(config.max_message_size).unwrap_or(u32::MAX);
    let seconds = |d: Duration| d.as_secs().max(1);
    SchedulerConfig {
        external_host: host,
        bind_host: config.listen.ip().to_string(),
        bind_port: port,
        event_loop_buffer_size: EVENT_BUFFER,
        finished_job_data_clean_up_interval_seconds: KEEP_JOB_DATA,
        finished_job_state_clean_up_interval_seconds: KEEP_JOB_STATE,
        executor_termination_grace_period: seconds(config.termination_grace),
        grpc_server_max_decoding_message_size: message_size,
        grpc_server_max_encoding_message_size: message_size,
        grpc_client_max_message_size: message_size,
        executor_timeout_seconds: seconds(config.executor_timeout),
        expire_dead_executor_interval_seconds: seconds(config.expire_interval),
        no_executors_grace_period_seconds: seconds(config.no_executors_grace),
        task_max_failures: config.max_attempts,
        stage_max_failures: config.max_attempts,
        override_config_producer: Some(producer(config)),
        job_id_generator: Some(Arc::new(TimedIds)),
        ..Default::default()
    }
}

fn producer(config: &ClusterConfig) -> Arc<dyn Fn() -> SessionConfig + Send + Sync> {
    let limit = config.max_message_size;
    Arc::new(move || SessionConfig::new_with_ballista().with_ballista_grpc_client_max_message_size(limit))
}

/// Serves the scheduler's protocol to executors.
async fn serve(scheduler: Scheduler, listener: TcpListener, limit: usize, stop: CancellationToken) {
    let service = SchedulerGrpcServer::new(scheduler).max_decoding_message_size(limit).max_encoding_message_size(limit);
    // Ballista looks for the peer's address where axum would put it.
    let with_peer = |mut request: Request<()>| -> std::result::Result<_, Status> {
        if let Some(peer) = request.remote_addr() {
            request.extensions_mut().insert(ConnectInfo(peer));
        }
        Ok(request)
    };
    let served = tonic::transport::Server::builder()
        .add_service(InterceptedService::new(service, with_peer))
        .serve_with_incoming_shutdown(TcpIncoming::from(listener).with_nodelay(Some(true)), stop.cancelled_owned())
        .await;
    if let Err(e) = served {
        tracing::error!("the scheduler's endpoint for executors stopped: {e}");
    }
}
