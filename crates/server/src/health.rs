//! The health port: `/healthz` while the process lives, `/readyz` while it takes work, `/metrics`, `/status`.

use std::fmt::Write;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use scheduler::Cluster;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Result};
use crate::limits;

/// Shared with the role: it says when it is ready, shutdown says when it no longer is.
#[derive(Clone)]
pub struct Health {
    /// Set once the role is ready, with its cluster if it has one.
    ready: Arc<OnceLock<Option<Cluster>>>,
    started: Instant,
    shutdown: CancellationToken,
}

impl Health {
    pub fn new(shutdown: CancellationToken) -> Self {
        Health { ready: Arc::default(), started: Instant::now(), shutdown }
    }

    /// From now on the process takes work, until it is asked to stop.
    pub fn set_ready(&self, cluster: Option<Cluster>) {
        // A second call would say the same.
        let _ = self.ready.set(cluster);
    }

    fn is_ready(&self) -> bool {
        self.ready.get().is_some() && !self.shutdown.is_cancelled()
    }

    fn cluster(&self) -> Option<&Cluster> {
        self.ready.get()?.as_ref()
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
            .route("/status", get(status))
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
        // An empty sum of floats is -0; adding 0 makes it plain.
        let value = value + 0.0;
        // Writing to a string cannot fail.
        let _ =
            writeln!(text, "# HELP firesteel_{name} {help}\n# TYPE firesteel_{name} gauge\nfiresteel_{name} {value}");
    };
    gauge("ready", "1 while the process takes work.", f64::from(u8::from(health.is_ready())));
    gauge("uptime_seconds", "Seconds since the process started.", health.started.elapsed().as_secs_f64());
    gauge("resident_memory_bytes", "Memory resident now.", resident as f64);
    gauge("resident_memory_peak_bytes", "The most memory that was resident.", peak as f64);
    if let Some(cluster) = health.cluster() {
        let executors = cluster.executors().await;
        let active = executors.iter().filter(|e| e.active);
        gauge("executors", "Executors that take tasks.", active.clone().count() as f64);
        gauge("vcores", "Tasks they can run at once.", active.clone().map(|e| f64::from(e.vcores)).sum());
        gauge("busy_vcores", "Tasks they run now.", active.map(|e| f64::from(e.busy)).sum());
        gauge("running_jobs", "Jobs on the cluster that have not ended.", cluster.running_jobs() as f64);
    }
    text
}

/// What `firesteel status` prints of a cluster.
async fn status(State(health): State<Health>) -> Json<Value> {
    let mut executors = Vec::new();
    if let Some(cluster) = health.cluster() {
        executors = cluster.executors().await;
    }
    let executors: Vec<Value> = executors
        .into_iter()
        .map(|e| {
            json!({
                "id": e.id, "address": format!("{}:{}", e.host, e.port), "vcores": e.vcores, "busy": e.busy,
                "active": e.active, "silent_seconds": e.silent_for.as_secs(),
            })
        })
        .collect();
    let jobs = health.cluster().map_or(0, Cluster::running_jobs);
    Json(json!({ "ready": health.is_ready(), "running_jobs": jobs, "executors": executors }))
}
