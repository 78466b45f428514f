//! The roles clients connect to: `serve`, and with a registration port `scheduler`.

use std::sync::Arc;

use scheduler::{ClusterConfig, Engine, EngineConfig};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::config::{Plane, Serve};
use crate::error::{Error, Result};
use crate::health::Health;
use crate::runtime;
use crate::scratch::Scratch;
use crate::shutdown::Signals;

/// Runs the role until it is asked to stop and has drained.
pub fn run(config: Serve, plane: Option<Plane>) -> Result<()> {
    let network = runtime::network()?;
    let query = runtime::query(config.threads)?;
    let outcome = network.block_on(async {
        let signals = Signals::listen()?;
        let shutdown = CancellationToken::new();
        let grace = config.drain_timeout;
        let work = serve(config, plane, query.handle().clone(), shutdown.clone());
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
    query: tokio::runtime::Handle,
    shutdown: CancellationToken,
) -> Result<()> {
    let listener = TcpListener::bind(&config.listen)
        .await
        .map_err(|e| Error::system(format!("cannot listen on {}: {e}", config.listen)))?;
    let address = listener.local_addr().map_err(|e| Error::system(e.to_string()))?;
    let scratch = Scratch::new(config.data_dir.as_deref())?;
    let health = Health::new(shutdown.clone());
    let stop_health = CancellationToken::new();

    let clients = async {
        let engine = engine(&config, plane, &scratch, query)?;
        health.set_ready();
        tracing::info!(%address, "ready for Spark Connect");
        let served = connect::serve(Arc::new(engine), listener, shutdown).await;
        stop_health.cancel();
        served.map_err(|e| Error::data(e.to_string()))
    };
    tokio::try_join!(clients, health.clone().serve(config.health_listen.clone(), stop_health.clone()))?;
    Ok(())
}
