//! `firesteel`: every role of the engine in one binary. This file only reads the command and starts it.

mod cli;
mod cluster;
mod config;
mod data;
mod error;
mod executor_role;
mod health;
mod limits;
mod memory;
mod runtime;
mod scratch;
mod serve;
mod shutdown;
mod status;
mod telemetry;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};
use config::Resolved;
use error::Result;

/// Returns freed memory sooner and allocates faster than the system's under many threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("firesteel: {error}");
            ExitCode::from(error.code())
        }
    }
}

fn run(cli: Cli) -> Result<()> {
    config::check_environment()?;
    let file = config::read(cli.config.as_deref())?;
    match cli.command {
        Command::Role(role) => {
            let file = file.complete(&cli.log, &role)?;
            let resolved = file.resolve(&role)?;
            telemetry::start(&file.log)?;
            start(resolved, &file.log)
        }
        Command::Config { role } => {
            let file = file.complete(&cli.log, &role)?;
            file.resolve(&role)?;
            print!("{}", file.print(&role)?);
            Ok(())
        }
        Command::Data(args) => {
            telemetry::start(&cli.log)?;
            data::run(&args)
        }
        Command::Status(args) => runtime::network()?.block_on(status::run(&args)),
    }
}

fn start(role: Resolved, log: &cli::LogArgs) -> Result<()> {
    memory::give_back()?;
    match role {
        Resolved::Serve(serve) => serve::run(serve, None),
        Resolved::Scheduler(serve, plane) => serve::run(serve, Some(plane)),
        Resolved::Executor(executor) => executor_role::run(executor),
        Resolved::Cluster(serve, plane, workers) => cluster::run(serve, plane, workers, log),
    }
}
