//! Serving: the listener, gRPC health and reflection, the token check, and shutdown.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use proto::spark_connect::spark_connect_service_server::SparkConnectServiceServer;
use tokio::net::TcpListener;
use tokio::time::MissedTickBehavior;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use tonic::{Request, Status};

use crate::backend::Backend;
use crate::engine::EngineBackend;
use crate::service::Service;
use crate::sessions::Sessions;

/// The largest message, either way.
const MAX_MESSAGE_BYTES: usize = 128 << 20;

/// How often idle sessions, abandoned executions and outdated errors are looked for.
const REAP_INTERVAL: Duration = Duration::from_secs(2);

/// How often a server that is to end looks whether executions still run.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// For so long after the last execution calls are answered: clients ask for settings before they show a result.
const AFTERWARDS: Duration = Duration::from_millis(500);

/// How the front door behaves.
#[derive(Debug, Clone)]
pub struct ServeOptions {
    /// `spark.connect.authenticate.token`: calls must carry it. `None`: anyone may call.
    pub token: Option<String>,
    /// How long running executions may take to end once shutdown was asked for.
    pub drain: Duration,
}

impl Default for ServeOptions {
    fn default() -> Self {
        ServeOptions { token: None, drain: Duration::from_secs(10) }
    }
}

/// Serves an engine; see [`serve_backend`].
pub async fn serve(
    engine: scheduler::Engine,
    listener: TcpListener,
    options: ServeOptions,
    shutdown: CancellationToken,
) -> io::Result<()> {
    serve_backend(Arc::new(EngineBackend(engine)), listener, options, shutdown).await
}

/// Serves until `shutdown` is cancelled and what runs has ended, or the time for that is over.
pub async fn serve_backend(
    backend: Arc<dyn Backend>,
    listener: TcpListener,
    options: ServeOptions,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let sessions = Arc::new(Sessions::new(backend));
    let service = SparkConnectServiceServer::new(Service::new(sessions.clone()))
        .max_decoding_message_size(MAX_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_MESSAGE_BYTES);
    let check = TokenCheck { expected: options.token.map(|t| format!("Bearer {t}").into()) };
    let (health, health_service) = tonic_health::server::health_reporter();
    health.set_serving::<SparkConnectServiceServer<Service>>().await;
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(proto::FILE_DESCRIPTOR_SET)
        .build_v1()
        .map_err(io::Error::other)?;

    // Connections that fail to be accepted concern nobody else.
    let connections = TcpListenerStream::new(listener).filter_map(|accepted| match accepted {
        Ok(stream) => {
            let _ = stream.set_nodelay(true);
            Some(Ok::<_, io::Error>(stream))
        }
        Err(error) => {
            tracing::warn!(%error, "a connection was not accepted");
            None
        }
    });
    let server = Server::builder()
        .tcp_nodelay(true)
        .http2_keepalive_interval(Some(Duration::from_secs(60)))
        .http2_keepalive_timeout(Some(Duration::from_secs(20)))
        .initial_stream_window_size(Some(4 << 20))
        .initial_connection_window_size(Some(16 << 20))
        .add_service(tonic::service::interceptor::InterceptedService::new(service, check))
        .add_service(health_service)
        .add_service(reflection)
        .serve_with_incoming_shutdown(connections, stop_accepting(shutdown.clone(), sessions.clone(), options.drain));

    tokio::select! {
        result = server => result.map_err(io::Error::other),
        () = reap(&sessions) => Ok(()),
        () = overtime(shutdown, options.drain) => {
            tracing::warn!("executions did not end in time; they are cut off");
            Ok(())
        }
    }
    .inspect(|()| sessions.close_all())
}

/// After `shutdown`, lets executions end; then open streams are told to end, too.
async fn stop_accepting(shutdown: CancellationToken, sessions: Arc<Sessions>, drain: Duration) {
    shutdown.cancelled().await;
    let busy = async {
        let mut left = Duration::ZERO;
        loop {
            left = if sessions.is_busy() { AFTERWARDS } else { left.saturating_sub(LOOK_INTERVAL) };
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    };
    let _ = tokio::time::timeout(drain, busy).await;
    sessions.close_all();
}

/// Comes to an end when draining has taken too long.
async fn overtime(shutdown: CancellationToken, drain: Duration) {
    shutdown.cancelled().await;
    tokio::time::sleep(drain + Duration::from_secs(1)).await;
}

async fn reap(sessions: &Sessions) {
    let mut ticks = tokio::time::interval(REAP_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        sessions.reap();
    }
}

/// Refuses calls without the server's token.
#[derive(Debug, Clone)]
struct TokenCheck {
    expected: Option<Arc<str>>,
}

impl tonic::service::Interceptor for TokenCheck {
    fn call(&mut self, request: Request<()>) -> Result<Request<()>, Status> {
        let Some(expected) = &self.expected else { return Ok(request) };
        match request.metadata().get("authorization") {
            None => Err(Status::unauthenticated("No authentication token provided")),
            Some(given) if same(given.as_bytes(), expected.as_bytes()) => Ok(request),
            Some(_) => Err(Status::unauthenticated("Invalid authentication token")),
        }
    }
}

/// Compares in a time that does not tell where the difference is.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |diff, (x, y)| diff | (x ^ y)) == 0
}
