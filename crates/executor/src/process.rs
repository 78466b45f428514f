//! The life of an executor: register, run tasks, drain, leave.
//!
//! Ballista's own process function reacts to signals by itself and may lose the report of the last
//! task when it drains, so its public parts are put together here instead. An executor whose
//! scheduler went away, or gave it up, ends its tasks and joins again as a new one.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use arrow_flight::flight_service_server::FlightServiceServer;
use ballista_core::JobId;
use ballista_core::error::BallistaError;
use ballista_core::extension::SessionConfigExt;
use ballista_core::serde::protobuf::scheduler_grpc_client::SchedulerGrpcClient;
use ballista_core::serde::protobuf::{
    ExecutorRegistration, ExecutorStatus, ExecutorStoppedParams, HeartBeatParams, executor_status,
};
use ballista_core::serde::{BallistaCodec, BallistaLogicalExtensionCodec};
use ballista_core::utils::create_grpc_client_endpoint;
use ballista_executor::execution_engine::QueryStageExecutor;
use ballista_executor::executor::Executor;
use ballista_executor::executor_process::{ExecutorProcessConfig, structure_executor_metadata};
use ballista_executor::executor_server::{self, TERMINATING};
use ballista_executor::health::ExecutorHealth;
use ballista_executor::metrics::ExecutorMetricsCollector;
use ballista_executor::shutdown::ShutdownNotifier;
use datafusion::prelude::SessionConfig;
use datafusion_proto::protobuf::{LogicalPlanNode, PhysicalPlanNode};
use planner::FiresteelCodec;
use planner::codec::function_registry;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tonic::transport::{Channel, server::TcpIncoming};

use crate::config::ExecutorConfig;
use crate::engine::{Engine, TaskLedger};
use crate::flight::ShuffleFlight;
use crate::runtime::Runtimes;
use crate::work_dir::WorkDir;

/// The report of a task's end is on its way for about this long after the task has ended.
const REPORTS_UNDERWAY: Duration = Duration::from_millis(500);

/// How long the parts of the executor may take to stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// Attempts to bind a port that was free a moment ago.
const BIND_ATTEMPTS: usize = 5;

/// Between attempts to join again.
const REJOIN_PAUSE: Duration = Duration::from_secs(1);

/// Why an executor is no member any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// It was asked to leave and has finished its tasks.
    Drained,
    /// The scheduler told it to stop, having given it up.
    StoppedByScheduler,
    /// The scheduler no longer answers, or a service of this process broke.
    Disconnected,
}

/// Why an executor could not run.
#[derive(Debug)]
pub enum ExecutorError {
    /// A directory, port or socket was not to be had.
    Io(io::Error),
    /// The configuration makes no sense.
    Configuration(String),
    /// The scheduler could not be reached in time, or refused this executor.
    Scheduler(String),
}

impl fmt::Display for ExecutorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExecutorError::Io(e) => write!(f, "{e}"),
            ExecutorError::Configuration(e) => write!(f, "{e}"),
            ExecutorError::Scheduler(e) => write!(f, "{e}"),
        }
    }
}

impl std::error::Error for ExecutorError {}

impl From<io::Error> for ExecutorError {
    fn from(e: io::Error) -> Self {
        ExecutorError::Io(e)
    }
}

/// Runs an executor until `shutdown`, after which it finishes its tasks. At most one runs in a process.
///
/// # Errors
/// If it makes no sense or cannot join the first time. Whoever has been a member joins again until
/// it is let in.
pub async fn run(config: ExecutorConfig, shutdown: CancellationToken) -> Result<(), ExecutorError> {
    if config.vcores == 0 {
        return Err(ExecutorError::Configuration("an executor needs at least one core".into()));
    }
    let health = ExecutorHealth::new();
    let stop_health = CancellationToken::new();
    let _stop_health = stop_health.clone().drop_guard();
    let mut probes = JoinSet::new();
    if let Some(address) = config.health_listen {
        probes.spawn(crate::health::serve(address, health.clone(), stop_health).await?);
    }
    let mut deadline = Some(Instant::now() + config.connect_timeout);
    loop {
        match belong(&config, &health, deadline, &shutdown).await {
            Ok(Ended::Drained) => return Ok(()),
            Ok(why) => {
                tracing::warn!(?why, "no longer a member of the cluster; joining again");
                deadline = None;
            }
            Err(e) if deadline.is_some() => return Err(e),
            Err(e) => tracing::warn!("could not join again: {e}"),
        }
        health.mark_heartbeat_failed();
        tokio::select! {
            () = sleep(REJOIN_PAUSE) => {}
            () = shutdown.cancelled() => return Ok(()),
        }
    }
}

/// One membership, from joining to the reason for its end. Nothing is left of it then.
async fn belong(
    config: &ExecutorConfig,
    health: &ExecutorHealth,
    deadline: Option<Instant>,
    shutdown: &CancellationToken,
) -> Result<Ended, ExecutorError> {
    let id = uuid::Uuid::now_v7().to_string();
    let work_dir = WorkDir::create(&config.work_dir, &id)?;
    let scheduler = tokio::select! {
        connected = connect(config, deadline) => connected?,
        () = shutdown.cancelled() => return Ok(Ended::Drained),
    };
    let mut member = Member::join(config, id, work_dir, scheduler, health).await?;
    tracing::info!(
        id = member.metadata.id,
        vcores = config.vcores,
        flight_port = member.metadata.port,
        "executor is ready"
    );
    let ended = member.serve(shutdown).await;
    if ended == Ended::Drained {
        member.drain(config.drain_timeout).await;
    }
    member.stop().await;
    Ok(ended)
}

/// Connects to the scheduler, as long as it takes where there is no deadline.
async fn connect(
    config: &ExecutorConfig,
    deadline: Option<Instant>,
) -> Result<SchedulerGrpcClient<Channel>, ExecutorError> {
    let url = format!("http://{}:{}", config.scheduler_host, config.scheduler_port);
    let mut pause = Duration::from_millis(50);
    loop {
        let endpoint = create_grpc_client_endpoint(url.clone(), Some(&Default::default()))
            .map_err(|e| ExecutorError::Configuration(format!("scheduler address {url}: {e}")))?;
        match endpoint.connect().await {
            Ok(channel) => {
                return Ok(SchedulerGrpcClient::new(channel)
                    .max_encoding_message_size(config.max_message_size)
                    .max_decoding_message_size(config.max_message_size));
            }
            Err(e) if deadline.is_some_and(|deadline| Instant::now() + pause >= deadline) => {
                return Err(ExecutorError::Scheduler(format!("no scheduler at {url}: {e}")));
            }
            Err(_) => sleep(pause).await,
        }
        pause = (pause * 2).min(Duration::from_secs(1));
    }
}

/// A registered executor and everything that runs for it.
struct Member {
    metadata: ExecutorRegistration,
    scheduler: SchedulerGrpcClient<Channel>,
    ledger: Arc<TaskLedger>,
    work_dir: WorkDir,
    stop_requests: mpsc::Receiver<bool>,
    notifier: ShutdownNotifier,
    services: JoinSet<()>,
}

impl Member {
    async fn join(
        config: &ExecutorConfig,
        id: String,
        work_dir: WorkDir,
        scheduler: SchedulerGrpcClient<Channel>,
        health: &ExecutorHealth,
    ) -> Result<Member, ExecutorError> {
        let ledger = Arc::new(TaskLedger::default());
        let notifier = ShutdownNotifier::new();
        let mut services = JoinSet::new();
        let flight_port = serve_flight(config, &work_dir, &ledger, &notifier, &mut services).await?;
        let health = health.clone();
        let (stop_send, stop_requests) = mpsc::channel(1);
        let metadata = register(
            config,
            Registration { id, flight_port, health, stop_send },
            &work_dir,
            &ledger,
            &scheduler,
            &notifier,
            &mut services,
        )
        .await?;
        Ok(Member { metadata, scheduler, ledger, work_dir, stop_requests, notifier, services })
    }

    /// Runs what the scheduler sends until there is a reason to end.
    async fn serve(&mut self, shutdown: &CancellationToken) -> Ended {
        // The heartbeat announces a shutdown when it has failed too often.
        let mut gave_up = self.notifier.subscribe_for_shutdown();
        tokio::select! {
            () = shutdown.cancelled() => Ended::Drained,
            _ = self.stop_requests.recv() => Ended::StoppedByScheduler,
            () = gave_up.recv() => Ended::Disconnected,
            _ = self.services.join_next() => Ended::Disconnected,
        }
    }

    /// Takes no more tasks, finishes those that run, and serves shuffle files for a while.
    async fn drain(&mut self, linger: Duration) {
        TERMINATING.store(true, Ordering::Release);
        tracing::info!("leaving: finishing {} tasks", self.ledger.running());
        self.announce_leaving().await;
        // Tasks may have been bound to this executor while the announcement travelled.
        let mut idle_since = Instant::now();
        while idle_since.elapsed() < REPORTS_UNDERWAY {
            if self.ledger.running() > 0 {
                idle_since = Instant::now();
            }
            sleep(Duration::from_millis(20)).await;
        }
        let deadline = Instant::now() + linger;
        while self.work_dir.holds_jobs() && Instant::now() < deadline {
            sleep(Duration::from_millis(100)).await;
        }
        let gone = ExecutorStoppedParams { executor_id: self.metadata.id.clone(), reason: "drained".to_owned() };
        if let Err(e) = self.scheduler.executor_stopped(gone).await {
            tracing::warn!("the scheduler did not hear that this executor left: {e}");
        }
    }

    /// A heartbeat that says that this executor takes no more tasks.
    async fn announce_leaving(&mut self) {
        let heartbeat = HeartBeatParams {
            executor_id: self.metadata.id.clone(),
            metrics: vec![],
            status: Some(ExecutorStatus { status: Some(executor_status::Status::Terminating(String::new())) }),
            metadata: Some(self.metadata.clone()),
        };
        if let Err(e) = self.scheduler.heart_beat_from_executor(heartbeat).await {
            tracing::warn!("the scheduler did not hear that this executor leaves: {e}");
        }
    }

    async fn stop(mut self) {
        self.ledger.end_all().await;
        let ShutdownNotifier { notify_shutdown, mut shutdown_complete_rx, shutdown_complete_tx } = self.notifier;
        // Nobody listening means that everything has stopped already.
        let _ = notify_shutdown.send(());
        drop((notify_shutdown, shutdown_complete_tx));
        if timeout(STOP_TIMEOUT, shutdown_complete_rx.recv()).await.is_err() {
            tracing::warn!("some part of the executor did not stop in time");
        }
        self.services.shutdown().await;
    }
}

/// Starts the Flight service and answers its port.
async fn serve_flight(
    config: &ExecutorConfig,
    work_dir: &WorkDir,
    ledger: &Arc<TaskLedger>,
    notifier: &ShutdownNotifier,
    services: &mut JoinSet<()>,
) -> Result<u16, ExecutorError> {
    let address = SocketAddr::new(bind_address(config)?, config.flight_port);
    let listener = TcpListener::bind(address).await?;
    let port = listener.local_addr()?.port();
    let directory = utf8(work_dir.shuffle())?;
    let service = FlightServiceServer::new(ShuffleFlight::new(directory, Arc::clone(ledger)))
        .max_decoding_message_size(config.max_message_size)
        .max_encoding_message_size(config.max_message_size);
    let mut stop = notifier.subscribe_for_shutdown();
    services.spawn(async move {
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        let served = tonic::transport::Server::builder()
            .add_service(service)
            .serve_with_incoming_shutdown(incoming, stop.recv())
            .await;
        if let Err(e) = served {
            tracing::error!("the shuffle service stopped: {e}");
        }
    });
    Ok(port)
}

fn bind_address(config: &ExecutorConfig) -> Result<IpAddr, ExecutorError> {
    config
        .bind_host
        .parse()
        .map_err(|_| ExecutorError::Configuration(format!("{} is no IP address to bind", config.bind_host)))
}

fn utf8(path: std::path::PathBuf) -> Result<String, ExecutorError> {
    path.into_os_string()
        .into_string()
        .map_err(|path| ExecutorError::Configuration(format!("work directory {} is not UTF-8", path.display())))
}

struct Registration {
    id: String,
    flight_port: u16,
    health: ExecutorHealth,
    stop_send: mpsc::Sender<bool>,
}

/// Starts the task service and registers; tries other ports when a free one was taken meanwhile.
async fn register(
    config: &ExecutorConfig,
    registration: Registration,
    work_dir: &WorkDir,
    ledger: &Arc<TaskLedger>,
    scheduler: &SchedulerGrpcClient<Channel>,
    notifier: &ShutdownNotifier,
    services: &mut JoinSet<()>,
) -> Result<ExecutorRegistration, ExecutorError> {
    let mut attempt = 0;
    loop {
        attempt += 1;
        let task_port = match config.task_port {
            0 => StdListener::bind((bind_address(config)?, 0))?.local_addr()?.port(),
            port => port,
        };
        let process = Arc::new(process_config(config, &registration, task_port, work_dir)?);
        let metadata = structure_executor_metadata(&process, config.vcores as u32);
        let executor = Arc::new(build_executor(config, metadata.clone(), work_dir, ledger)?);
        let started = executor_server::startup(
            scheduler.clone(),
            process,
            executor,
            codec(),
            registration.stop_send.clone(),
            notifier,
            registration.health.clone(),
        )
        .await;
        match started {
            Ok(server) => {
                services.spawn(async move {
                    // The server logs its own failure; its end is what matters here.
                    let _ = server.await;
                });
                return Ok(metadata);
            }
            // The scheduler's refusal is a Tonic or general error; a taken port is an I/O one.
            Err(BallistaError::IoError(e)) if attempt < BIND_ATTEMPTS && config.task_port == 0 => {
                tracing::debug!("port {task_port} was taken meanwhile: {e}");
            }
            Err(e) => {
                let text = format!("could not join the cluster: {e}");
                return Err(ExecutorError::Scheduler(text));
            }
        }
    }
}

fn codec() -> BallistaCodec<LogicalPlanNode, PhysicalPlanNode> {
    BallistaCodec::new(Arc::new(BallistaLogicalExtensionCodec::default()), Arc::new(FiresteelCodec::default()))
}

/// The parts of Ballista's process configuration that its task service reads.
fn process_config(
    config: &ExecutorConfig,
    registration: &Registration,
    task_port: u16,
    work_dir: &WorkDir,
) -> Result<ExecutorProcessConfig, ExecutorError> {
    let message_size = u32::try_from(config.max_message_size).unwrap_or(u32::MAX);
    Ok(ExecutorProcessConfig {
        executor_id: registration.id.clone(),
        bind_host: config.bind_host.clone(),
        external_host: Some(config.external_host.clone()),
        port: registration.flight_port,
        grpc_port: task_port,
        scheduler_host: config.scheduler_host.clone(),
        scheduler_port: config.scheduler_port,
        vcores: config.vcores,
        work_dir: Some(utf8(work_dir.shuffle())?),
        grpc_max_decoding_message_size: message_size,
        grpc_max_encoding_message_size: message_size,
        executor_heartbeat_interval_seconds: config.heartbeat.as_secs().max(1),
        health: registration.health.clone(),
        ..Default::default()
    })
}

fn build_executor(
    config: &ExecutorConfig,
    metadata: ExecutorRegistration,
    work_dir: &WorkDir,
    ledger: &Arc<TaskLedger>,
) -> Result<Executor, ExecutorError> {
    let runtimes = Runtimes::new(config, &work_dir.spill());
    let executor = Executor::new(
        metadata,
        &utf8(work_dir.shuffle())?,
        runtimes.base,
        Arc::new(SessionConfig::new_with_ballista),
        Arc::new(function_registry()),
        Arc::new(NoMetrics),
        config.vcores,
        Arc::new(Engine::new(Arc::clone(ledger))),
    );
    Ok(executor.with_session_runtime_cache(Some(runtimes.cache)))
}

/// Ballista's default collector prints every finished plan.
struct NoMetrics;

impl ExecutorMetricsCollector for NoMetrics {
    fn record_stage(&self, _: &JobId, _: usize, _: usize, _: Arc<dyn QueryStageExecutor>) {}
}
