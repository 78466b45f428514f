//! The health port: `/healthz` while the process lives, `/readyz` while it takes work, `/metrics`.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Result};
use crate::limits;

/// Shared with the role: it says when it is ready, shutdown says when it no longer is.
#[derive(Clone)]
pub struct Health {
    ready: Arc<AtomicBool>,
    started: Instant,
    shutdown: CancellationToken,
}

impl Health {
    pub fn new(shutdown: CancellationToken) -> Self {
        Health { ready: Arc::new(AtomicBool::new(false)), started: Instant::now(), shutdown }
    }

    /// From now on the process takes work, until it is asked to stop.
    pub fn set_ready(&self) {
        self.ready.store(true, Ordering::Relaxed);
    }

    fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed) && !self.shutdown.is_cancelled()
    }

    /// Serves the port, if there is one, until `stop`: it must still answer while the role drains.
    pub async fn serve(self, listen: Option<String>, stop: CancellationToken) -> Result<()> {
        let Some(listen) = listen else { return Ok(()) };
        let listener =
            TcpListener::bind(&listen).await.map_err(|e| Error::system(format!("cannot listen on {listen}: {e}")))?;
        let router = Router::new()
            .route("/healthz", get(|| async { "ok\n" }))
            .route("/readyz", get(readyz))
            .route("/metrics", get(metrics))
            .with_state(self);
        axum::serve(listener, router)
            .with_graceful_shutdown(stop.cancelled_owned())
            .await
            .map_err(|e| Error::system(format!("health port: {e}")))
    }
}

async fn readyz(State(health): State<Health>) -> (StatusCode, &'static str) {
    match health.is_ready() {
        true => (StatusCode::OK, "ready\n"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "not ready\n"),
    }
}

async fn metrics(State(health): State<Health>) -> String {
    let (resident, peak) = limits::resident_memory();
    let mut text = String::new();
    let mut gauge = |name: &str, help: &str, value: f64| {
        // Writing to a string cannot fail.
        let _ =
            writeln!(text, "# HELP firesteel_{name} {help}\n# TYPE firesteel_{name} gauge\nfiresteel_{name} {value}");
    };
    gauge("ready", "1 while the process takes work.", f64::from(u8::from(health.is_ready())));
    gauge("uptime_seconds", "Seconds since the process started.", health.started.elapsed().as_secs_f64());
    gauge("resident_memory_bytes", "Memory resident now.", resident as f64);
    gauge("resident_memory_peak_bytes", "The most memory that was resident.", peak as f64);
    text
}
