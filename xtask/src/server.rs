//! A `firesteel` process started for a task and stopped when the task is over.

use std::fs::File;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::shell::{Error, Result, fail};

/// A development build may take this long to listen, a release build a fraction of a second.
const START: Duration = Duration::from_secs(30);

/// How long a server may take to end after SIGTERM.
const STOP: Duration = Duration::from_secs(45);

/// A moment between two looks at the process.
#[expect(clippy::disallowed_methods, reason = "xtask has no runtime whose threads this could block")]
fn pause() {
    std::thread::sleep(Duration::from_millis(20));
}

/// A running server.
pub struct Server {
    child: Child,
    port: u16,
    log: PathBuf,
}

impl Server {
    /// Starts the embedded engine; `log` takes what it prints.
    pub fn serve(binary: &Path, log: PathBuf, extra: &[&str]) -> Result<Self> {
        let port = free_port()?;
        let mut command = Command::new(binary);
        command.arg("serve").arg(format!("--listen=127.0.0.1:{port}")).args(extra);
        Self::start(command, port, log)
    }

    /// Starts a cluster of `executors` processes.
    pub fn cluster(binary: &Path, executors: usize, log: PathBuf, extra: &[&str]) -> Result<Self> {
        let (port, plane) = (free_port()?, free_port()?);
        let mut command = Command::new(binary);
        command.arg("cluster").arg(format!("--listen=127.0.0.1:{port}"));
        command.arg(format!("--cluster-listen=127.0.0.1:{plane}"));
        command.arg(format!("--executors={executors}")).args(extra);
        Self::start(command, port, log)
    }

    fn start(mut command: Command, port: u16, log: PathBuf) -> Result<Self> {
        let open = |e| Error(format!("cannot write {}: {e}", log.display()));
        let file = File::create(&log).map_err(open)?;
        command.stdin(Stdio::null()).stdout(file.try_clone().map_err(open)?).stderr(file);
        let child = command.spawn().map_err(|e| Error(format!("cannot start the server: {e}")))?;
        let mut server = Server { child, port, log };
        server.wait_until_it_listens()?;
        Ok(server)
    }

    fn wait_until_it_listens(&mut self) -> Result<()> {
        let started = Instant::now();
        while started.elapsed() < START {
            if let Ok(Some(status)) = self.child.try_wait() {
                return fail(format!("the server ended as it started ({status}); see {}", self.log.display()));
            }
            if TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return Ok(());
            }
            pause();
        }
        fail(format!("the server did not listen within {} s; see {}", START.as_secs(), self.log.display()))
    }

    /// Where clients connect, as `HOST:PORT`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it still runs.
    pub fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// What it printed.
    pub fn log(&self) -> &Path {
        &self.log
    }
}

impl Drop for Server {
    /// Ends it in an orderly way, as `kill` does; insists if that takes too long.
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.child.id().to_string()).stderr(Stdio::null()).status();
        let asked = Instant::now();
        while asked.elapsed() < STOP {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            pause();
        }
        eprintln!("the server did not end on SIGTERM; killing it (log: {})", self.log.display());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port nobody listens on now. Another process may take it before the server does: then the
/// server says so and ends.
fn free_port() -> Result<u16> {
    let bound = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
    bound.map(|address| address.port()).map_err(|e| Error(format!("no free port: {e}")))
}
