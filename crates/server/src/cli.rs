//! The command line. Each option is declared once and is a flag, an environment variable and, where
//! it configures a role, a key of the configuration file under that role's section.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use serde::{Deserialize, Serialize};

use crate::limits::parse_size;

/// A distributed SQL engine that speaks Spark Connect.
#[derive(Debug, Parser)]
#[command(name = "firesteel", version, about, max_term_width = 100)]
pub struct Cli {
    /// Configuration file (TOML); the environment and flags override it
    #[arg(long, global = true, env = "FIRESTEEL_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,

    #[command(flatten)]
    pub log: LogArgs,

    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    #[command(flatten)]
    Role(Role),
    /// Write TPC-H or TPC-DS tables as parquet files
    Data(DataArgs),
    /// Ask a running server how it is
    Status(StatusArgs),
    /// Print the configuration a role would run with, as a configuration file
    Config {
        #[command(subcommand)]
        role: Role,
    },
}

/// A long-running part.
#[derive(Debug, Subcommand)]
pub enum Role {
    /// Everything in one process: the embedded engine
    Serve(ServeArgs),
    /// The scheduler of a cluster: clients connect to it, executors register with it
    Scheduler(SchedulerArgs),
    /// An executor of a cluster
    Executor(ExecutorArgs),
    /// A development cluster on this machine: a scheduler and executor processes
    Cluster(ClusterArgs),
}

/// How to log.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct LogArgs {
    /// What to log: a level, or `target=level` pairs separated by commas [default: info]
    #[arg(long = "log", id = "log", global = true, env = "FIRESTEEL_LOG", value_name = "FILTER")]
    pub level: Option<String>,

    /// How to log [default: human on a terminal, json elsewhere]
    #[arg(long = "log-format", id = "log-format", global = true, env = "FIRESTEEL_LOG_FORMAT", value_name = "FORMAT")]
    pub format: Option<LogFormat>,
}

/// The shapes of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    Human,
    Json,
}

/// What every process that clients connect to takes.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct ServeArgs {
    /// Where Spark Connect clients connect [default: 127.0.0.1:15002]
    #[arg(long, env = "FIRESTEEL_LISTEN", value_name = "HOST:PORT", value_parser = address)]
    pub listen: Option<String>,

    /// Memory for queries, such as 8g [default: 70% of what this process may use]
    #[arg(long, env = "FIRESTEEL_MEMORY", value_name = "SIZE", value_parser = size)]
    pub memory: Option<String>,

    /// Threads for queries [default: the processors this process may use]
    #[arg(long, env = "FIRESTEEL_THREADS", value_name = "N", value_parser = count)]
    pub threads: Option<usize>,

    /// Folder for tables and temporary files [default: a temporary one, removed at the end]
    #[arg(long, env = "FIRESTEEL_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,

    /// Spark configuration every session starts from; repeatable
    #[arg(long = "conf", env = "FIRESTEEL_CONF", value_name = "KEY=VALUE", value_parser = pair, value_delimiter = '\n')]
    #[serde(skip)]
    pub conf: Vec<(String, String)>,

    /// Where /healthz, /readyz and /metrics answer [default: nowhere]
    #[arg(long, env = "FIRESTEEL_HEALTH_LISTEN", value_name = "HOST:PORT", value_parser = address)]
    pub health_listen: Option<String>,

    /// Seconds to let running work finish after SIGTERM [default: 30]
    #[arg(long, env = "FIRESTEEL_DRAIN_TIMEOUT", value_name = "SECONDS")]
    pub drain_timeout: Option<u64>,
}

/// A scheduler: a server that executors register with.
#[derive(Debug, Clone, Default, Args)]
pub struct SchedulerArgs {
    #[command(flatten)]
    pub serve: ServeArgs,

    #[command(flatten)]
    pub plane: PlaneArgs,
}

/// What only a scheduler of a cluster takes.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct PlaneArgs {
    /// Where executors register [default: 127.0.0.1:15050]
    #[arg(long, env = "FIRESTEEL_CLUSTER_LISTEN", value_name = "HOST:PORT", value_parser = address)]
    pub cluster_listen: Option<String>,

    /// Host name executors and peers reach this scheduler by [default: that of --cluster-listen]
    #[arg(long, env = "FIRESTEEL_ADVERTISE_HOST", value_name = "HOST")]
    pub advertise_host: Option<String>,
}

/// An executor.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct ExecutorArgs {
    /// The scheduler's registration address
    #[arg(long, env = "FIRESTEEL_SCHEDULER", value_name = "HOST:PORT")]
    pub scheduler: Option<String>,

    /// Tasks run at once [default: the processors this process may use]
    #[arg(long, env = "FIRESTEEL_VCORES", value_name = "N", value_parser = count)]
    pub vcores: Option<usize>,

    /// Memory for tasks, such as 8g [default: 70% of what this process may use]
    #[arg(long, env = "FIRESTEEL_MEMORY", value_name = "SIZE", value_parser = size)]
    pub memory: Option<String>,

    /// Folder for shuffle and spill files [default: a temporary one, removed at the end]
    #[arg(long, env = "FIRESTEEL_WORK_DIR", value_name = "DIR")]
    pub work_dir: Option<PathBuf>,

    /// Host name others reach this executor by [default: 127.0.0.1]
    #[arg(long, env = "FIRESTEEL_ADVERTISE_HOST", value_name = "HOST")]
    pub advertise_host: Option<String>,

    /// Address to listen on; ports are chosen freely unless given [default: 127.0.0.1]
    #[arg(long, env = "FIRESTEEL_BIND_HOST", value_name = "HOST")]
    pub bind_host: Option<String>,

    /// Port shuffle data is served on [default: a free one]
    #[arg(long, env = "FIRESTEEL_FLIGHT_PORT", value_name = "PORT")]
    pub flight_port: Option<u16>,

    /// Port the scheduler sends tasks to [default: a free one]
    #[arg(long, env = "FIRESTEEL_TASK_PORT", value_name = "PORT")]
    pub task_port: Option<u16>,

    /// Where /healthz, /readyz and /metrics answer [default: nowhere]
    #[arg(long, env = "FIRESTEEL_HEALTH_LISTEN", value_name = "HOST:PORT", value_parser = address)]
    pub health_listen: Option<String>,

    /// Seconds to let running tasks finish after SIGTERM [default: 30]
    #[arg(long, env = "FIRESTEEL_DRAIN_TIMEOUT", value_name = "SECONDS")]
    pub drain_timeout: Option<u64>,

    /// End when standard input closes: how `cluster` takes its executors with it, even if killed
    #[arg(long, hide = true)]
    #[serde(skip)]
    pub follow_parent: bool,
}

/// A cluster of processes on this machine.
#[derive(Debug, Clone, Default, Args)]
pub struct ClusterArgs {
    #[command(flatten)]
    pub serve: ServeArgs,

    #[command(flatten)]
    pub plane: PlaneArgs,

    #[command(flatten)]
    pub workers: WorkerArgs,
}

/// What a development cluster takes beside the scheduler's options; `--memory` is every process's.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct WorkerArgs {
    /// Executor processes to keep running [default: 3]
    #[arg(long, env = "FIRESTEEL_EXECUTORS", value_name = "N", value_parser = count)]
    pub executors: Option<usize>,

    /// Tasks each executor runs at once [default: processors divided by executors, at least 1]
    #[arg(long, env = "FIRESTEEL_VCORES", value_name = "N", value_parser = count)]
    pub vcores: Option<usize>,

    /// Folder under which each executor gets one for its files [default: a temporary one]
    #[arg(long, env = "FIRESTEEL_WORK_DIR", value_name = "DIR")]
    pub work_dir: Option<PathBuf>,
}

/// What to generate.
#[derive(Debug, Args)]
pub struct DataArgs {
    /// Which benchmark's tables
    pub benchmark: Benchmark,

    /// Scale factor; 1 is about a gigabyte of text
    #[arg(long, default_value_t = 1.0)]
    pub scale: f64,

    /// Folder to write to; it will hold one <table>.parquet a table
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,

    /// Threads to generate with [default: the processors this process may use]
    #[arg(long, env = "FIRESTEEL_THREADS", value_name = "N", value_parser = count)]
    pub threads: Option<usize>,
}

/// The benchmarks whose data can be generated.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Benchmark {
    Tpch,
    Tpcds,
}

/// Whom to ask.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Spark Connect address of the server
    #[arg(long, env = "FIRESTEEL_REMOTE", value_name = "HOST:PORT", default_value = "127.0.0.1:15002")]
    pub remote: String,

    /// Its health port: adds its executors and running jobs
    #[arg(long, env = "FIRESTEEL_HEALTH", value_name = "HOST:PORT", value_parser = address)]
    pub health: Option<String>,
}

fn size(text: &str) -> Result<String, String> {
    parse_size(text).map(|_| text.to_owned())
}

fn address(text: &str) -> Result<String, String> {
    match text.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => Ok(text.to_owned()),
        _ => Err("write HOST:PORT".to_owned()),
    }
}

fn count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("must be a whole number above zero".to_owned()),
        Ok(n) => Ok(n),
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE")?;
    Ok((key.trim().to_owned(), value.to_owned()))
}
