//! `cargo xtask test`: every test, the quick ones first.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cargo::{Profile, build_binary, cargo, require_c_compiler};
use crate::python::{CLIENTS, Python};
use crate::server::Server;
use crate::shell::{self, Error, Result, cache, root, step, works};
use crate::tidy;

/// The scale of the data the tests use.
const SCALE: &str = "0.01";

/// Changes when what `firesteel data` writes does: then the cached data is made anew.
const DATA_VERSION: u32 = 1;

/// Runs everything, or only the PySpark tests that match an expression.
pub fn run(pyspark: Option<&str>) -> Result<()> {
    require_c_compiler()?;
    // Before anything slow: what is missing should be said at once.
    let clients: Vec<Python> = CLIENTS.iter().map(|c| Python::with_client(c)).collect::<Result<_>>()?;
    if pyspark.is_none() {
        step("formatting");
        formatting()?;
        step("repository rules");
        tidy::run()?;
        step("Rust tests");
        rust_tests()?;
    }
    step("building firesteel");
    let binary = build_binary(Profile::Dev)?;
    let data = data(&binary)?;
    python_tests(&binary, &data, &clients, pyspark)
}

fn formatting() -> Result<()> {
    if works(cargo().args(["fmt", "--version"])) {
        return run_cargo(&["fmt", "--all", "--check"]);
    }
    println!("cargo fmt is not installed (`rustup component add rustfmt`): formatting is not checked");
    Ok(())
}

fn rust_tests() -> Result<()> {
    if works(cargo().args(["nextest", "--version"])) {
        run_cargo(&["nextest", "run", "--workspace"])
    } else {
        run_cargo(&["test", "--workspace", "--lib", "--bins", "--tests"])
    }
}

fn run_cargo(arguments: &[&str]) -> Result<()> {
    shell::run(cargo().args(arguments))
}

/// TPC-H and TPC-DS at the tests' scale, made once.
fn data(binary: &Path) -> Result<PathBuf> {
    let folder = cache()?.join(format!("data-{SCALE}-v{DATA_VERSION}"));
    // Written last: a folder without it was interrupted while being filled.
    let mark = folder.join("complete");
    if !mark.exists() {
        step(&format!("generating TPC-H and TPC-DS at scale {SCALE}"));
        for benchmark in ["tpch", "tpcds"] {
            shell::run(Command::new(binary).args(["data", benchmark, "--scale", SCALE, "--out"]).arg(folder.join(benchmark)))?;
        }
        fs::write(&mark, "").map_err(|e| Error(format!("cannot write {}: {e}", mark.display())))?;
    }
    Ok(folder)
}

/// Every client against the embedded engine, then the newest against a cluster of processes.
fn python_tests(binary: &Path, data: &Path, clients: &[Python], filter: Option<&str>) -> Result<()> {
    let logs = cache()?.join("test");
    fs::create_dir_all(&logs).map_err(|e| Error(format!("cannot create {}: {e}", logs.display())))?;
    for (client, version) in clients.iter().zip(CLIENTS) {
        step(&format!("PySpark {version} on the embedded engine"));
        let server = Server::serve(binary, logs.join("serve.log"), &[])?;
        pytest(client, &server, binary, data, "local", filter)?;
    }
    let (Some(client), Some(version)) = (clients.last(), CLIENTS.last()) else { return Ok(()) };
    step(&format!("PySpark {version} on a cluster"));
    let cluster = Server::cluster(binary, 2, logs.join("cluster.log"), &["--vcores=1", "--memory=2g"])?;
    pytest(client, &cluster, binary, data, "cluster", filter)
}

fn pytest(
    python: &Python,
    server: &Server,
    binary: &Path,
    data: &Path,
    runner: &str,
    filter: Option<&str>,
) -> Result<()> {
    let mut command = python.command();
    command.current_dir(root().join("tests").join("pyspark"));
    command.args(["-m", "pytest", "-q", "-p", "no:cacheprovider", "--remote", &server.address()]);
    command.arg("--data").arg(data).arg("--binary").arg(binary).args(["--runner", runner]);
    command.args(["--pid", &server.pid().to_string()]);
    if let Some(expression) = filter {
        command.args(["-k", expression]);
    }
    let outcome = shell::run(&mut command);
    if outcome.is_err() {
        eprintln!("the server's log: {}", server.log().display());
    }
    outcome
}
