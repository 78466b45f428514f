//! `firesteel cluster`: a scheduler in this process and executors as its children, on one machine.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use futures::future::join_all;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::{Child, ChildStdin, Command};
use tokio_util::sync::CancellationToken;

use crate::cli::{LogArgs, LogFormat};
use crate::config::{Plane, Serve, Workers};
use crate::error::{Error, Result};
use crate::scratch::Scratch;
use crate::serve::Farewell;
use crate::shutdown::Signals;
use crate::{runtime, serve};

/// An executor that lives shorter is restarted only after this long, lest a broken one spin.
const RESTART_PAUSE: Duration = Duration::from_secs(1);

/// How long executors get to end once the scheduler has drained; nothing is left for them to do.
const EXECUTOR_GRACE: Duration = Duration::from_secs(5);

/// Runs the cluster until it is asked to stop, then the scheduler first and its executors after it.
pub fn run(serve: Serve, plane: Plane, workers: Workers, log: &LogArgs) -> Result<()> {
    let network = runtime::network()?;
    let query = runtime::query(serve.threads)?;
    let outcome = network.block_on(async {
        let signals = Signals::listen()?;
        let shutdown = CancellationToken::new();
        // The drain may take its time, and so may the executors after it.
        let grace = serve.drain_timeout + EXECUTOR_GRACE * 2;
        let handle = query.handle().clone();
        let work = govern(serve, plane, workers, log, handle, shutdown.clone());
        signals.govern(shutdown, grace, work).await
    });
    query.shutdown_background();
    network.shutdown_background();
    outcome
}

async fn govern(
    config: Serve,
    plane: Plane,
    workers: Workers,
    log: &LogArgs,
    query: tokio::runtime::Handle,
    shutdown: CancellationToken,
) -> Result<()> {
    let scratch = Scratch::new(workers.work_dir.as_deref())?;
    let template = Template::new(&config, &plane, &workers, log, scratch.path())?;
    println!("scheduler: pid {}, connect to sc://{}", std::process::id(), config.listen);
    let farewell = Farewell::default();
    let scheduler = async {
        let served = serve::serve(config, Some(plane), query, shutdown, farewell.clone()).await;
        // Also when it could not start at all.
        farewell.served.cancel();
        served
    };
    let executors = async {
        let numbers = 1..=workers.executors;
        let kept = join_all(numbers.map(|number| keep_running(&template, number, &farewell.served))).await;
        farewell.gone.cancel();
        kept
    };
    let (served, kept) = tokio::join!(scheduler, executors);
    served.and(kept.into_iter().collect())
}

/// How to start an executor.
struct Template {
    program: PathBuf,
    arguments: Vec<String>,
    work_dir: PathBuf,
}

impl Template {
    fn new(serve: &Serve, plane: &Plane, workers: &Workers, log: &LogArgs, work_dir: &Path) -> Result<Self> {
        let program = env::current_exe().map_err(|e| Error::system(format!("cannot find this program: {e}")))?;
        let mut arguments = vec![
            "executor".to_owned(),
            format!("--scheduler={}", plane.listen),
            format!("--vcores={}", workers.vcores),
            format!("--memory={}", serve.memory),
            format!("--advertise-host={}", plane.advertise_host),
            format!("--drain-timeout={}", serve.drain_timeout.as_secs()),
            "--follow-parent".to_owned(),
        ];
        arguments.extend(log.level.iter().map(|level| format!("--log={level}")));
        arguments.extend(log.format.map(|format| match format {
            LogFormat::Human => "--log-format=human".to_owned(),
            LogFormat::Json => "--log-format=json".to_owned(),
        }));
        Ok(Template { program, arguments, work_dir: work_dir.to_owned() })
    }

    /// Starts executor `number`. Its standard input stays open as long as this process lives, and it
    /// has a process group of its own: a Ctrl-C on the terminal is for the scheduler, which stops
    /// its executors when it no longer needs them.
    fn start(&self, number: usize) -> Result<Started> {
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .arg("--work-dir")
            .arg(self.work_dir.join(number.to_string()))
            .stdin(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        // Everything it needs is on its command line; our own settings are not meant for it.
        for (name, _) in env::vars_os() {
            if name.to_str().is_some_and(|n| n.starts_with("FIRESTEEL_")) {
                command.env_remove(&name);
            }
        }
        let mut child = command.spawn().map_err(|e| Error::system(format!("cannot start an executor: {e}")))?;
        let pid = child.id().ok_or_else(|| Error::system("an executor ended as it started"))?;
        println!("executor {number}: pid {pid}");
        Ok(Started { input: child.stdin.take(), child, pid })
    }
}

/// A running executor.
struct Started {
    child: Child,
    pid: u32,
    /// Held apart from the process, which would close it as soon as it is waited for.
    input: Option<ChildStdin>,
}

/// Keeps executor `number` running, a new process for each that ends, until `stop`.
async fn keep_running(template: &Template, number: usize, stop: &CancellationToken) -> Result<()> {
    while !stop.is_cancelled() {
        let started = Instant::now();
        let Started { mut child, pid, input } = template.start(number)?;
        tokio::select! {
            ended = child.wait() => {
                let status = ended.map_or_else(|e| e.to_string(), |s| s.to_string());
                tracing::warn!(executor = number, pid, status, "executor ended; starting another");
            }
            () = stop.cancelled() => return end(child, pid).await,
        }
        drop(input);
        if started.elapsed() < RESTART_PAUSE {
            tokio::select! {
                () = tokio::time::sleep(RESTART_PAUSE) => {}
                () = stop.cancelled() => {}
            }
        }
    }
    Ok(())
}

/// Asks an executor to end, and insists after a while.
async fn end(mut child: Child, pid: u32) -> Result<()> {
    if let Ok(pid) = i32::try_from(pid) {
        // It may have ended by itself just now.
        let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
    }
    if tokio::time::timeout(EXECUTOR_GRACE, child.wait()).await.is_err() {
        tracing::warn!(pid, "executor did not end in time; killing it");
        child.kill().await.map_err(|e| Error::system(format!("cannot kill executor {pid}: {e}")))?;
    }
    Ok(())
}
