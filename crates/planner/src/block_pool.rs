//! Connections to executors for fetching shuffle and result blocks, kept open between fetches.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ballista_core::client::BallistaClient;
use ballista_core::client_pool::{BallistaClientPool, PooledClient};
use ballista_core::error::Result;
use ballista_core::extension::BallistaConfigGrpcEndpoint;
use ballista_core::utils::GrpcClientConfig;
use parking_lot::Mutex;

/// What the error of a read that came up short begins with: its task did nothing wrong, the rows it
/// was to read are gone.
pub const INCOMPLETE_READ: &str = "incomplete shuffle read";

/// Idle connections kept to one executor; more are closed when they come back.
const MAX_IDLE_PER_PEER: usize = 8;

type Peer = (String, u16, GrpcClientConfig);

struct Idle {
    client: BallistaClient,
    since: Instant,
}

/// A pool of fetch connections; see the module.
pub struct BlockPool {
    idle: Arc<Mutex<HashMap<Peer, Vec<Idle>>>>,
    keep: Duration,
}

impl fmt::Debug for BlockPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockPool").field("keep", &self.keep).finish_non_exhaustive()
    }
}

impl BlockPool {
    /// A pool that closes connections unused for `keep`.
    pub fn new(keep: Duration) -> Self {
        BlockPool { idle: Arc::default(), keep }
    }

    /// Closes every idle connection to a peer, for when it is known to be gone.
    pub fn forget(&self, host: &str, port: u16) {
        self.idle.lock().retain(|(h, p, _), _| h != host || *p != port);
    }

    fn evict(&self) {
        let keep = self.keep;
        self.idle.lock().retain(|_, clients| {
            clients.retain(|c| c.since.elapsed() < keep);
            !clients.is_empty()
        });
    }
}

#[async_trait::async_trait]
impl BallistaClientPool for BlockPool {
    async fn acquire(
        &self,
        host: &str,
        port: u16,
        config: &GrpcClientConfig,
        customize_endpoint: Option<Arc<BallistaConfigGrpcEndpoint>>,
    ) -> Result<PooledClient> {
        self.evict();
        let peer = (host.to_owned(), port, config.clone());
        let pooled = self.idle.lock().get_mut(&peer).and_then(Vec::pop);
        let client = match pooled {
            Some(idle) => idle.client,
            None => {
                BallistaClient::try_new(
                    host,
                    port,
                    config.max_message_size,
                    config.use_tls,
                    customize_endpoint,
                    config.io_retries_times,
                    config.io_retry_wait_time_ms,
                    config.initial_connection_window_size,
                    config.initial_stream_window_size,
                )
                .await?
            }
        };
        let idle = Arc::clone(&self.idle);
        let give_back = move |client| {
            let mut idle = idle.lock();
            let clients = idle.entry(peer).or_default();
            if clients.len() < MAX_IDLE_PER_PEER {
                clients.push(Idle { client, since: Instant::now() });
            }
        };
        Ok(PooledClient::new(client, Box::new(give_back)))
    }

    async fn evict_idle(&self) {
        self.evict();
    }
}
