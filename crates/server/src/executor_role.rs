//! The role that runs tasks: `executor`.

use std::io::{self, Read};
use std::thread;

use executor::ExecutorConfig;
use tokio_util::sync::CancellationToken;

use crate::config::Executor;
use crate::error::{Error, Result};
use crate::runtime;
use crate::scratch::Scratch;
use crate::shutdown::Signals;

/// Runs an executor until it is asked to stop and has finished its tasks.
pub fn run(config: Executor) -> Result<()> {
    let network = runtime::network()?;
    let outcome = network.block_on(async {
        let signals = Signals::listen()?;
        let shutdown = CancellationToken::new();
        if config.follow_parent {
            follow_parent(shutdown.clone())?;
        }
        let scratch = Scratch::new(config.work_dir.as_deref())?;
        let grace = config.drain_timeout;
        let work = executor::run(settings(config, &scratch), shutdown.clone());
        signals.govern(shutdown, grace, work).await.map_err(|e| Error::data(e.to_string()))
    });
    network.shutdown_background();
    outcome
}

/// Cancels `shutdown` when standard input closes, which it does when the parent ends in any way.
fn follow_parent(shutdown: CancellationToken) -> Result<()> {
    let watch = move || {
        let mut byte = [0];
        // Nothing is ever written: this returns at the end of input, or on an error that means it.
        while matches!(io::stdin().read(&mut byte), Ok(1)) {}
        shutdown.cancel();
    };
    thread::Builder::new()
        .name("follow-parent".to_owned())
        .spawn(watch)
        .map(drop)
        .map_err(|e| Error::system(format!("cannot start a thread: {e}")))
}
