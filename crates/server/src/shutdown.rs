//! SIGTERM and SIGINT ask for an orderly end; a second one, or a drain that takes too long, forces it.

use std::process;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Result};

/// Exit code of a forced end: that of a shell for SIGTERM.
const FORCED: i32 = 143;

/// Both signals. Made before anything listens, so that an early signal is not lost.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    pub fn listen() -> Result<Self> {
        let on = |kind| signal(kind).map_err(|e| Error::system(format!("cannot listen for signals: {e}")));
        Ok(Signals { terminate: on(SignalKind::terminate())?, interrupt: on(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    /// Runs `work` to its end. A first signal cancels `shutdown`, which `work` answers by draining;
    /// a second signal, or `grace` gone by, ends the process at once.
    pub async fn govern<T>(mut self, shutdown: CancellationToken, grace: Duration, work: impl Future<Output = T>) -> T {
        tokio::pin!(work);
        tokio::select! {
            done = &mut work => return done,
            () = self.next() => {}
        }
        tracing::info!(grace_seconds = grace.as_secs(), "draining; signal again to stop at once");
        shutdown.cancel();
        tokio::select! {
            done = &mut work => done,
            () = self.next() => force("second signal"),
            () = tokio::time::sleep(grace) => force("drain timed out"),
        }
    }
}

fn force(reason: &str) -> ! {
    tracing::warn!(reason, "stopping at once");
    process::exit(FORCED)
}
