//! `cargo xtask`: what a developer runs. It builds, starts and compares; it links nothing of the engine.

mod cargo;
mod codegen;
mod compat;
mod conformance;
mod demo;
mod deploy;
mod floor;
mod fuzz;
mod jvm;
mod lint;
mod python;
mod server;
mod shell;
mod source;
mod test;
mod tidy;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build, generate data and run a PySpark program on the embedded engine and on a cluster
    Demo {
        /// TPC-H scale factor
        #[arg(long, default_value_t = 1.0)]
        scale: f64,
        /// Build without optimization: quicker to build, far slower to run
        #[arg(long)]
        dev: bool,
    },
    /// Run every test: formatting, repository rules, Rust, PySpark
    Test {
        /// Only the PySpark tests whose names match (pytest -k); skips the rest
        #[arg(long, value_name = "EXPRESSION")]
        pyspark: Option<String>,
    },
    /// Replay answers recorded from Spark and compare with the checked-in floor
    Conformance {
        /// Folder with the corpora and the program that replays them
        #[arg(long, value_name = "DIR", default_value = "../shared/conformance")]
        dir: PathBuf,
        /// Raise the floor to what passes now
        #[arg(long)]
        update_floor: bool,
        /// Only these corpora (functions, sql_tests, doctests); repeatable
        #[arg(long, value_name = "NAME")]
        only: Vec<String>,
        /// A running server to ask instead of starting one
        #[arg(long, value_name = "HOST:PORT")]
        remote: Option<String>,
    },
    /// Run the Scala and JDBC programs of tests/jvm; needs a JDK
    Jvm {
        /// A running server to ask instead of starting one
        #[arg(long, value_name = "HOST:PORT")]
        remote: Option<String>,
        /// That server is a Spark, which runs what this one refuses
        #[arg(long, requires = "remote")]
        spark: bool,
    },
    /// Check the Helm chart and the manifests
    Deploy {
        /// Write the checked-in manifests anew
        #[arg(long)]
        update: bool,
    },
    /// Check the repository's own rules
    Tidy,
    /// Run clippy over the workspace; warnings are errors
    Lint,
    /// Write COMPAT.md: ask a server for everything there is to ask for, and note its answers
    Compat {
        /// Only say whether the page is up to date
        #[arg(long)]
        check: bool,
    },
    /// Build the fuzz targets and run them
    Fuzz {
        /// How long each target runs
        #[arg(long, default_value_t = 60)]
        seconds: u64,
        /// Only these targets (sql, plan, response_log)
        #[arg(value_name = "TARGET")]
        only: Vec<String>,
    },
    /// Rebuild Spark's .proto files from a released Python client
    Codegen {
        /// The folder pyspark/sql/connect/proto of that client, if not the newest one
        #[arg(value_name = "DIR")]
        from: Option<PathBuf>,
    },
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().task {
        Task::Demo { scale, dev } => demo::run(scale, dev),
        Task::Test { pyspark } => test::run(pyspark.as_deref()),
        Task::Conformance { dir, update_floor, only, remote } => {
            conformance::run(&conformance::Request { dir, update_floor, only, remote })
        }
        Task::Jvm { remote, spark } => jvm::jvm(remote.as_deref(), spark),
        Task::Deploy { update } => deploy::check(update),
        Task::Tidy => tidy::run(),
        Task::Lint => lint::lint(),
        Task::Compat { check } => compat::run(if check { compat::Mode::Check } else { compat::Mode::Write }),
        Task::Fuzz { seconds, only } => fuzz::fuzz(seconds, &only),
        Task::Codegen { from } => codegen::codegen(from.as_deref()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nxtask: {error}");
            ExitCode::FAILURE
        }
    }
}
