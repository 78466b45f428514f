//! Logs to standard error: for people on a terminal, as JSON lines elsewhere.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::cli::{LogArgs, LogFormat};
use crate::error::{Error, Result};

/// The engine's own events at `info`; its libraries only when something is wrong.
const DEFAULT_FILTER: &str =
    "warn,ballista_scheduler::state::execution_stage=error,firesteel=info,connect=info,scheduler=info,executor=info";

/// Installs the subscriber for the whole process.
pub fn start(args: &LogArgs) -> Result<()> {
    let text = args.level.as_deref().unwrap_or(DEFAULT_FILTER);
    let filter = EnvFilter::try_new(text).map_err(|e| Error::usage(format!("--log {text}: {e}")))?;
    let format = args.format.unwrap_or(if io::stderr().is_terminal() { LogFormat::Human } else { LogFormat::Json });
    let registry = tracing_subscriber::registry().with(filter);
    let started = match format {
        LogFormat::Human => {
            registry.with(fmt::layer().with_writer(io::stderr).with_ansi(io::stderr().is_terminal())).try_init()
        }
        LogFormat::Json => registry.with(fmt::layer().json().flatten_event(true).with_writer(io::stderr)).try_init(),
    };
    started.map_err(|e| Error::system(format!("cannot start logging: {e}")))
}
