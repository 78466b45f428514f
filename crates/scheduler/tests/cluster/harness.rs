//! A cluster of child processes: this test binary, started again as an executor.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use datafusion::arrow::array::{Int64Array, RecordBatch, StringArray};
use datafusion::arrow::util::pretty::pretty_format_batches;
use datafusion::common::Result;
use datafusion::execution::{SendableRecordBatchStream, SessionStateBuilder};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::{ParquetReadOptions, SessionConfig, SessionContext};
use executor::ExecutorConfig;
use futures::TryStreamExt;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use parquet::arrow::ArrowWriter;
use scheduler::cluster::{Cluster, ClusterConfig, session_state};
use scheduler::operation::Elsewhere;
use scheduler::runner::{JobRunner, JobSpec, Progress};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::gate::{self, SCHEME};

/// Nothing here takes longer unless it hangs.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// Rows of each file of the test table.
pub const ROWS_PER_FILE: i64 = 500;

/// Partitions of shuffles and scans.
const PARTITIONS: usize = 4;

/// Executors started by this process.
static NODES: AtomicUsize = AtomicUsize::new(0);

const ROLE: &str = "FIRESTEEL_TEST_EXECUTOR";

/// Executors are this test in another process; in the test run itself it does nothing.
#[test]
fn executor_process() {
    let Ok(role) = std::env::var(ROLE) else {
        return;
    };
    let mut words = role.split('|');
    let mut word = || words.next().expect("a complete role").to_owned();
    let scheduler_port = word().parse().expect("port");
    let host = word();
    let vcores = word().parse().expect("cores");
    let dir = PathBuf::from(word());
    log_if_asked();
    // The parent holds the other end: whatever becomes of it, this process ends.
    std::thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(3);
    });
    let (gate, spill) = (dir.join("open"), dir.clone());
    let config = ExecutorConfig {
        scheduler_port,
        bind_host: host.clone(),
        external_host: host,
        vcores,
        memory: Some(256 << 20),
        work_dir: dir.join("work"),
        drain_timeout: Duration::from_secs(10),
        runtime: Some(Arc::new(move |_| Ok(gate::runtime(Some(gate.clone()), Some(spill.clone()))))),
        ..Default::default()
    };
    let runtime = tokio::runtime::Runtime::new().expect("runtime");
    let ended = runtime.block_on(async {
        let shutdown = CancellationToken::new();
        let on_signal = shutdown.clone();
        let mut signals =
            tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).expect("signal handler");
        let mut listening = JoinSet::new();
        listening.spawn(async move {
            signals.recv().await;
            on_signal.cancel();
        });
        executor::run(config, shutdown).await
    });
    runtime.shutdown_background();
    match ended {
        Ok(()) => std::process::exit(0),
        other => {
            eprintln!("executor ended: {other:?}");
            std::process::exit(4)
        }
    }
}

/// A child that is an executor.
pub struct Node {
    child: Child,
    pub host: String,
}

impl Node {
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).expect("signal");
    }

    pub async fn exit_code(&mut self) -> Option<i32> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("wait") {
                return status.code();
            }
            assert!(Instant::now() < deadline, "the executor does not end");
            sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Scheduler, executors, a table and a gate.
pub struct Fixture {
    pub cluster: Cluster,
    pub nodes: Vec<Node>,
    pub dir: TempDir,
}

/// How to build a [`Fixture`].
pub struct Setup {
    pub executors: usize,
    pub vcores: usize,
    /// Names of the files of table `t`; those with "gated" in it wait for the gate.
    pub files: Vec<&'static str>,
    pub config: ClusterConfig,
}

impl Default for Setup {
    fn default() -> Self {
        Setup {
            executors: 3,
            vcores: 1,
            files: vec!["a", "b", "c", "d"],
            config: ClusterConfig {
                executor_timeout: Duration::from_secs(4),
                max_partitions_per_task: 1,
                ..Default::default()
            },
        }
    }
}

/// `RUST_LOG` works for the test and its children.
fn log_if_asked() {
    if std::env::var_os("RUST_LOG").is_some() {
        let filter = tracing_subscriber::EnvFilter::from_default_env();
        let logger = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
        // Only the first test of a process can set it.
        let _ = logger.try_init();
    }
}

impl Setup {
    pub async fn start(self) -> Fixture {
        log_if_asked();
        let dir = tempfile::tempdir().expect("temporary directory");
        for (number, name) in self.files.iter().enumerate() {
            write_table(dir.path(), "t", name, number as i64 * ROWS_PER_FILE);
        }
        write_table(dir.path(), "u", "only", ROWS_PER_FILE / 2);
        let spill_dir = Some(dir.path().to_owned());
        let cluster = Cluster::start(ClusterConfig { spill_dir, ..self.config }).await.expect("cluster starts");
        let mut fixture = Fixture { cluster, nodes: Vec::new(), dir };
        for _ in 0..self.executors {
            fixture.add_executor(self.vcores);
        }
        assert!(fixture.cluster.wait_for_executors(self.executors, PATIENCE).await);
        fixture
    }
}

/// A file of 500 rows: `k` is 0 to 9, `v` counts from `first`, `s` is text.
fn write_table(dir: &Path, table: &str, file: &str, first: i64) {
    let range = first..first + ROWS_PER_FILE;
    let batch = RecordBatch::try_from_iter([
        ("k", Arc::new(Int64Array::from_iter_values(range.clone().map(|v| v % 10))) as _),
        ("v", Arc::new(Int64Array::from_iter_values(range.clone())) as _),
        ("s", Arc::new(StringArray::from_iter_values(range.map(|v| format!("s{v}")))) as _),
    ])
    .expect("batch");
    let dir = dir.join(table);
    std::fs::create_dir_all(&dir).expect("directory");
    let file = File::create(dir.join(format!("{file}.parquet"))).expect("file");
    let mut writer = ArrowWriter::try_new(file, batch.schema(), None).expect("writer");
    writer.write(&batch).expect("rows");
    writer.close().expect("file");
}

impl Fixture {
    pub fn add_executor(&mut self, vcores: usize) {
        // An address of its own tells it from the others.
        let number = NODES.fetch_add(1, Ordering::Relaxed);
        let host = format!("127.1.{}.{}", number / 250, number % 250 + 1);
        let role = format!("{}|{host}|{vcores}|{}", self.cluster.address().port(), self.dir.path().display());
        let child = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "harness::executor_process", "--nocapture"])
            .env(ROLE, role)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("child process");
        self.nodes.push(Node { child, host });
    }

    /// Lets the gated files be read.
    pub fn open_gate(&self) {
        File::create(self.dir.path().join("open")).expect("gate");
    }

    /// The child behind an executor.
    pub fn node(&self, host: &str) -> &Node {
        self.nodes.iter().find(|n| n.host == host).expect("a child of ours")
    }

    /// A session with the tables, planning for the cluster or for this process.
    pub async fn session(&self, distributed: bool) -> Arc<SessionContext> {
        let config = SessionConfig::new().with_target_partitions(PARTITIONS);
        let base = SessionStateBuilder::new()
            .with_default_features()
            .with_config(config)
            .with_runtime_env(gate::runtime(None, None))
            .build();
        let state = if distributed { session_state(&base) } else { base };
        let ctx = SessionContext::new_with_state(state);
        for table in ["t", "u"] {
            let url = format!("{SCHEME}://test{}/{table}/", self.dir.path().display());
            ctx.register_parquet(table, url, ParquetReadOptions::default()).await.expect("table");
        }
        Arc::new(ctx)
    }

    pub async fn plan(&self, sql: &str) -> (Arc<dyn ExecutionPlan>, Arc<SessionContext>) {
        let ctx = self.session(true).await;
        let plan = ctx.sql(sql).await.expect(sql).create_physical_plan().await.expect(sql);
        (plan, ctx)
    }

    /// Starts a query on the cluster.
    pub async fn start(&self, sql: &str) -> Running {
        let (plan, ctx) = self.plan(sql).await;
        let (progress, watch) = watch::channel(Progress::default());
        let cancel = CancellationToken::new();
        let measured = Elsewhere::default();
        let spec = JobSpec {
            name: sql.to_owned(),
            cancel: cancel.clone(),
            progress: Some(progress),
            measured: Some(Arc::clone(&measured)),
        };
        let stream = self.cluster.runner().run(plan, ctx, spec).await.expect(sql);
        Running { stream, progress: watch, cancel, measured }
    }

    /// The same query by plain DataFusion.
    pub async fn expected(&self, sql: &str) -> Vec<String> {
        let ctx = self.session(false).await;
        rows(&ctx.sql(sql).await.expect(sql).collect().await.expect(sql))
    }

    /// Runs on the cluster and compares with plain DataFusion, as sets of rows.
    pub async fn check(&self, sql: &str) {
        let running = self.start(sql).await;
        assert_eq!(running.rows().await.expect(sql), self.expected(sql).await, "{sql}");
    }

    /// Waits until nothing of any job is left: no job, no busy core, no file.
    pub async fn settled(&self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let executors = self.cluster.executors().await;
            let busy: u32 = executors.iter().map(|e| e.busy).sum();
            let files: Vec<PathBuf> = executors.iter().flat_map(|e| self.shuffle_files(&e.id)).collect();
            let jobs = self.cluster.running_jobs();
            if busy == 0 && files.is_empty() && jobs == 0 {
                return;
            }
            assert!(Instant::now() < deadline, "left: {busy} busy cores, {jobs} jobs, {files:?}");
            sleep(Duration::from_millis(20)).await;
        }
    }

    fn shuffle_files(&self, executor: &str) -> Vec<PathBuf> {
        let dir = self.dir.path().join(format!("work/executor-{executor}/shuffle"));
        dir.read_dir().map(|d| d.flatten().map(|e| e.path()).collect()).unwrap_or_default()
    }
}

/// A query on the cluster.
pub struct Running {
    pub stream: SendableRecordBatchStream,
    pub progress: watch::Receiver<Progress>,
    pub cancel: CancellationToken,
    pub measured: Elsewhere,
}

impl Running {
    /// All rows, sorted.
    pub async fn rows(self) -> Result<Vec<String>> {
        let batches = tokio::time::timeout(PATIENCE, self.stream.try_collect::<Vec<_>>());
        Ok(rows(&batches.await.expect("the query ends")?))
    }

    /// Waits until the job has come to a certain point.
    pub async fn reaches(&mut self, what: &str, point: impl Fn(&Progress) -> bool) {
        let reached = tokio::time::timeout(PATIENCE, self.progress.wait_for(point)).await;
        let in_time = reached.map(|r| drop(r.expect("the job runs"))).is_ok();
        assert!(in_time, "never: {what}; last: {:?}", self.progress.borrow());
    }
}

/// Rows as text, sorted: partitions come in any order.
pub fn rows(batches: &[RecordBatch]) -> Vec<String> {
    if batches.iter().all(|b| b.num_rows() == 0) {
        return Vec::new();
    }
    let table = pretty_format_batches(batches).expect("printable").to_string();
    let mut lines: Vec<String> = table
        .lines()
        .filter(|l| l.starts_with('|'))
        .skip(1)
        .map(|l| l.split('|').map(str::trim).collect::<Vec<_>>().join("|"))
        .collect();
    lines.sort();
    lines
}

/// Waits for a condition.
pub async fn until(what: &str, condition: impl AsyncFn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition().await {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        sleep(Duration::from_millis(20)).await;
    }
}
