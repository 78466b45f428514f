//! `cargo xtask demo`: a PySpark job on the embedded engine and on a cluster, side by side.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::cargo::{Profile, build_binary};
use crate::python::{LIGHT, Python};
use crate::server::Server;
use crate::shell::{self, Error, Result, cache, fail, root, step};

const EXECUTORS: usize = 3;

/// Builds, generates, runs, compares and cleans up.
pub fn run(scale: f64, dev: bool) -> Result<()> {
    let profile = if dev { Profile::Dev } else { Profile::Release };
    let python = Python::with_client(LIGHT)?;
    step("building firesteel (the first time this takes a while: it builds the query engine)");
    let binary = build_binary(profile)?;
    let work = Work::new()?;
    let data = work.0.join("tpch");
    step(&format!("generating TPC-H at scale {scale}"));
    shell::run(Command::new(&binary).args(["data", "tpch", "--scale", &scale.to_string(), "--out"]).arg(&data))?;

    step("the embedded engine: one process");
    let embedded = {
        let server = Server::serve(&binary, work.0.join("serve.log"), &[])?;
        job(&python, &server, &work.0, &data, "embedded", "local")?
    };
    step(&format!("a cluster: one scheduler, {EXECUTORS} executors"));
    let cluster = {
        let server = Server::cluster(&binary, EXECUTORS, work.0.join("cluster.log"), &[])?;
        job(&python, &server, &work.0, &data, "cluster", "cluster")?
    };
    compare(&embedded, &cluster)
}

/// A folder for the demo's data and logs, removed at the end.
struct Work(PathBuf);

impl Work {
    fn new() -> Result<Self> {
        let folder = cache()?.join(format!("demo-{}", std::process::id()));
        fs::create_dir_all(&folder).map_err(|e| Error(format!("cannot create {}: {e}", folder.display())))?;
        Ok(Work(folder))
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Runs the program against a server; its report comes back as JSON.
fn job(python: &Python, server: &Server, work: &Path, data: &Path, name: &str, runner: &str) -> Result<Value> {
    let report = work.join(format!("{name}.json"));
    let mut command = python.command();
    command.arg(root().join("tests").join("pyspark").join("demo_job.py"));
    command.args(["--remote", &server.address(), "--runner", runner]);
    command.arg("--data").arg(data).arg("--out").arg(work.join(name)).arg("--report").arg(&report);
    if let Err(error) = shell::run(&mut command) {
        let log = fs::read_to_string(server.log()).unwrap_or_default();
        eprintln!("the server's log:\n{log}");
        return Err(error);
    }
    let text = fs::read_to_string(&report).map_err(|e| Error(format!("no report {}: {e}", report.display())))?;
    serde_json::from_str(&text).map_err(|e| Error(format!("{}: {e}", report.display())))
}

/// Prints both runs' times step by step; different answers are a failure.
fn compare(embedded: &Value, cluster: &Value) -> Result<()> {
    step("side by side");
    println!("{:<34} {:>12} {:>12}", "step", "embedded", "cluster");
    let steps = |report: &Value| report["steps"].as_array().cloned().unwrap_or_default();
    for (one, other) in steps(embedded).iter().zip(&steps(cluster)) {
        let seconds = |step: &Value| step["seconds"].as_f64().unwrap_or(f64::NAN);
        let name = one["name"].as_str().unwrap_or_default();
        println!("{name:<34} {:>10.2} s {:>10.2} s", seconds(one), seconds(other));
    }
    if embedded["answers"] != cluster["answers"] {
        return fail("the two runs answered differently");
    }
    println!("\nboth runs gave the same answers");
    Ok(())
}
