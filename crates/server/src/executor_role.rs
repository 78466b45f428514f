//! The role that runs tasks: `executor`.

use std::io::{self, Read};
use std::thread;
use std::time::Duration;

use executor::ExecutorConfig;
use tokio_util::sync::CancellationToken;

use crate::config::Executor;
use crate::error::{Error, Result};
use crate::runtime;
use crate::scratch::Scratch;
use crate::serve::resolve;
use crate::shutdown::Signals;

/// Beyond the drain itself: reporting the last tasks, and saying goodbye.
const LEAVING: Duration = Duration::from_secs(10);

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
        let grace = config.drain_timeout + LEAVING;
        let work = executor::run(settings(&config, &scratch).await?, shutdown.clone());
        signals.govern(shutdown, grace, work).await.map_err(|error| Error::system(error.to_string()))
    });
    network.shutdown_background();
    outcome
}

async fn settings(config: &Executor, scratch: &Scratch) -> Result<ExecutorConfig> {
    let wrong = || Error::usage(format!("{} is no HOST:PORT", config.scheduler));
    let (host, port) = config.scheduler.rsplit_once(':').ok_or_else(wrong)?;
    let health_listen = match &config.health_listen {
        Some(listen) => Some(resolve(listen).await?),
        None => None,
    };
    Ok(ExecutorConfig {
        scheduler_host: host.to_owned(),
        scheduler_port: port.parse().map_err(|_| wrong())?,
        bind_host: config.bind_host.clone(),
        external_host: config.advertise_host.clone(),
        flight_port: config.flight_port,
        task_port: config.task_port,
        vcores: config.vcores,
        memory: Some(config.memory),
        work_dir: scratch.path().to_owned(),
        drain_timeout: config.drain_timeout,
        health_listen,
        ..ExecutorConfig::default()
    })
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
