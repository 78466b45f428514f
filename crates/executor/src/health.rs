//! `/healthz` and `/readyz`: alive at all, and heard by the scheduler lately.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use ballista_executor::health::ExecutorHealth;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Listens at `address`; the future ends with `stop`.
pub(crate) async fn serve(
    address: SocketAddr,
    health: ExecutorHealth,
    stop: CancellationToken,
) -> std::io::Result<impl Future<Output = ()> + Send> {
    let listener = TcpListener::bind(address).await?;
    let router =
        Router::new().route("/healthz", get(|| async { "ok\n" })).route("/readyz", get(ready)).with_state(health);
    Ok(async move {
        let served = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await;
        if let Err(e) = served {
            tracing::warn!("the health endpoint stopped: {e}");
        }
    })
}

async fn ready(State(health): State<ExecutorHealth>) -> (StatusCode, &'static str) {
    if health.is_ready() {
        (StatusCode::OK, "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "the scheduler has not answered the last heartbeat\n")
    }
}
