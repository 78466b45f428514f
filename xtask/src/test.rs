//! `cargo xtask test`: every test, the quick ones first.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cargo::{Profile, build_binary, cargo, require_c_compiler};
use crate::compat;
use crate::python::{LIGHT, NEWEST, Python};
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
    let light = Python::with_client(LIGHT)?;
    let newest = Python::with_client(NEWEST)?;
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
    let logs = cache()?.join("test");
    fs::create_dir_all(&logs).map_err(|e| Error(format!("cannot create {}: {e}", logs.display())))?;
    let suite = Suite { binary: &binary, data: &data, logs: &logs, filter: pyspark };
    suite.on_embedded(&light, LIGHT.version)?;
    suite.on_embedded(&newest, NEWEST.version)?;
    if pyspark.is_none() {
        compat::ask(&newest, &binary, compat::Mode::Promises)?;
    }
    suite.on_cluster(&light, LIGHT.version)
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
            shell::run(
                Command::new(binary).args(["data", benchmark, "--scale", SCALE, "--out"]).arg(folder.join(benchmark)),
            )?;
        }
        fs::write(&mark, "").map_err(|e| Error(format!("cannot write {}: {e}", mark.display())))?;
    }
    Ok(folder)
}

/// The PySpark tests and what they need.
struct Suite<'a> {
    binary: &'a Path,
    data: &'a Path,
    logs: &'a Path,
    filter: Option<&'a str>,
}

impl Suite<'_> {
    fn on_embedded(&self, python: &Python, version: &str) -> Result<()> {
        step(&format!("PySpark {version} on the embedded engine"));
        let server = Server::serve(self.binary, self.logs.join("serve.log"), &[])?;
        self.pytest(python, &server, "local")
    }

    fn on_cluster(&self, python: &Python, version: &str) -> Result<()> {
        step(&format!("PySpark {version} on a cluster"));
        let options = ["--vcores=1", "--memory=2g"];
        let cluster = Server::cluster(self.binary, 2, self.logs.join("cluster.log"), &options)?;
        self.pytest(python, &cluster, "cluster")
    }

    fn pytest(&self, python: &Python, server: &Server, runner: &str) -> Result<()> {
        let mut command = python.command();
        command.current_dir(root().join("tests").join("pyspark"));
        // Before it knows our options, pytest takes every word that is a path for a folder of tests: the
        // folder is named, and paths stay in one word with their option.
        command.args(["-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir=.", "."]);
        command.arg(format!("--remote={}", server.address()));
        command.arg(format!("--data={}", self.data.display())).arg(format!("--binary={}", self.binary.display()));
        command.args([format!("--runner={runner}"), format!("--pid={}", server.pid())]);
        if let Some(expression) = self.filter {
            command.args(["-k", expression]);
        }
        let outcome = shell::run(&mut command);
        if outcome.is_err() {
            eprintln!("the server's log: {}", server.log().display());
        }
        outcome
    }
}
