//! The roles clients connect to: `serve`, and with a registration port `scheduler`.

use std::net::SocketAddr;
use std::time::Duration;

use connect::ServeOptions;
use scheduler::{ClusterConfig, Engine, EngineConfig};
use tokio::net::{TcpListener, lookup_host};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use crate::config::{Plane, Serve};
use crate::error::{Error, Result};
use crate::health::Health;
use crate::runtime;
use crate::scratch::Scratch;
use crate::shutdown::Signals;

/// Spark's own key for the token that clients must present.
const TOKEN: &str = "spark.connect.authenticate.token";

/// What the cluster may still clean up once nobody is served any more.
const CLEANUP: Duration = Duration::from_secs(2);

/// What happens between the last answer to a client and the end of the executors' plane: executors
/// that belong to this process leave while the scheduler can still hear them.
#[derive(Clone, Default)]
pub struct Farewell {
    /// Cancelled when the last client is served.
    pub served: CancellationToken,
    /// Cancelled when the executors are gone.
    pub gone: CancellationToken,
}

impl Farewell {
    /// For a process that has no executors of its own.
    fn to_nobody() -> Self {
        let farewell = Farewell::default();
        farewell.gone.cancel();
        farewell
    }
}

/// Runs the role until it is asked to stop and has drained.
pub fn run(config: Serve, plane: Option<Plane>) -> Result<()> {
    let network = runtime::network()?;
    let query = runtime::query(config.threads)?;
    let outcome = network.block_on(async {
        let signals = Signals::listen()?;
        let shutdown = CancellationToken::new();
        // The front door bounds its own drain; this is for what else may hang.
        let grace = config.drain_timeout + CLEANUP * 2;
        let work = serve(config, plane, query.handle().clone(), shutdown.clone(), Farewell::to_nobody());
        signals.govern(shutdown, grace, work).await
    });
    query.shutdown_background();
    network.shutdown_background();
    outcome
}

/// Serves clients until `shutdown`; returns when the last request is answered.
pub async fn serve(
    config: Serve,
    plane: Option<Plane>,
    query: Handle,
    shutdown: CancellationToken,
    farewell: Farewell,
) -> Result<()> {
    let listener = TcpListener::bind(&config.listen)
        .await
        .map_err(|e| Error::system(format!("cannot listen on {}: {e}", config.listen)))?;
    let scratch = Scratch::new(config.data_dir.as_deref())?;
    let health = Health::new(shutdown.clone());
    // The health port answers while the rest drains.
    let drained = CancellationToken::new();
    let health_port = health.clone().serve(config.health_listen.clone(), drained.clone());
    let clients = async {
        let engine = engine(&config, plane, &scratch, query).await?;
        let options = ServeOptions {
            token: config.conf.iter().find(|(key, _)| key == TOKEN).map(|(_, value)| value.clone()),
            drain: config.drain_timeout,
        };
        health.set_ready(engine.cluster().cloned());
        tracing::info!(listen = config.listen, "ready for Spark Connect");
        let served = connect::serve(engine.clone(), listener, options, shutdown).await;
        farewell.served.cancel();
        farewell.gone.cancelled().await;
        if let Some(cluster) = engine.cluster() {
            cluster.shutdown(CLEANUP).await;
        }
        drained.cancel();
        served.map_err(|e| Error::system(e.to_string()))
    };
    tokio::try_join!(clients, health_port)?;
    Ok(())
}

async fn engine(config: &Serve, plane: Option<Plane>, scratch: &Scratch, runtime: Handle) -> Result<Engine> {
    let cluster = match &plane {
        Some(plane) => Some(cluster_config(plane, scratch).await?),
        None => None,
    };
    let config = EngineConfig {
        memory_bytes: Some(usize::try_from(config.memory).unwrap_or(usize::MAX)),
        threads: config.threads,
        data_dir: scratch.path().to_owned(),
        conf: config.conf.clone(),
        cluster,
        runtime,
    };
    Engine::new(config).await.map_err(|e| Error::system(e.to_string()))
}

async fn cluster_config(plane: &Plane, scratch: &Scratch) -> Result<ClusterConfig> {
    Ok(ClusterConfig {
        listen: resolve(&plane.listen).await?,
        advertise_host: Some(plane.advertise_host.clone()),
        spill_dir: Some(scratch.path().join("results")),
        ..ClusterConfig::default()
    })
}

/// The first address a `HOST:PORT` stands for.
pub async fn resolve(address: &str) -> Result<SocketAddr> {
    let mut found = lookup_host(address).await.map_err(|e| Error::usage(format!("{address}: {e}")))?;
    found.next().ok_or_else(|| Error::usage(format!("{address} stands for no address")))
}
