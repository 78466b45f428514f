//! `cargo xtask conformance`: replays answers recorded from Spark and compares with the floor.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use serde_json::Value;

use crate::cargo::{Profile, build_binary};
use crate::floor::Floor;
use crate::python::{NEWEST, Python};
use crate::server::Server;
use crate::shell::{Error, Result, cache, fail, step};

/// What to replay, and what to do with the outcome.
pub struct Request {
    pub dir: PathBuf,
    pub update_floor: bool,
    pub only: Vec<String>,
    pub remote: Option<String>,
}

/// Seconds one statement and one corpus may take: a hang must not become a hung build.
const STATEMENT_SECONDS: &str = "20";
const CORPUS_SECONDS: &str = "420";

/// A corpus, and how it is replayed.
struct Corpus {
    name: &'static str,
    program: &'static str,
    arguments: &'static [&'static str],
    /// What Spark's own runs of these cases set on the server.
    server: &'static [&'static str],
}

const CORPORA: &[Corpus] = &[
    Corpus {
        name: "functions",
        program: "run_corpus.py",
        arguments: &["functions.jsonl", "--jobs", "2", "--timeout", STATEMENT_SECONDS, "--max-seconds", CORPUS_SECONDS],
        server: &[],
    },
    Corpus {
        name: "sql_tests",
        program: "run_corpus.py",
        // One job: the files share the catalog.
        arguments: &["sql_tests.jsonl", "--timeout", STATEMENT_SECONDS, "--max-seconds", CORPUS_SECONDS],
        server: &[],
    },
    Corpus {
        name: "doctests",
        program: "doctest_connect.py",
        arguments: &["--group", "core", "--timeout", STATEMENT_SECONDS, "--module-timeout", CORPUS_SECONDS],
        server: &["--conf=spark.sql.timeType.enabled=true"],
    },
];

/// Replays the corpora, prints what passes, and fails below the floor.
pub fn run(request: &Request) -> Result<()> {
    let dir =
        fs::canonicalize(&request.dir).map_err(|e| Error(format!("no corpora in {}: {e}", request.dir.display())))?;
    if let Some(unknown) = request.only.iter().find(|name| CORPORA.iter().all(|c| c.name != **name)) {
        return fail(format!("there is no corpus `{unknown}`"));
    }
    let python = Python::with_client(NEWEST)?;
    let reports = cache()?.join("conformance");
    fs::create_dir_all(&reports).map_err(|e| Error(format!("cannot create {}: {e}", reports.display())))?;
    let binary = match request.remote {
        Some(_) => None,
        None => Some(build_binary(Profile::Dev)?),
    };

    let mut floor = Floor::read()?;
    let mut passed = BTreeMap::new();
    for corpus in CORPORA.iter().filter(|c| request.only.is_empty() || request.only.iter().any(|n| n == c.name)) {
        let run = Run { corpus, dir: &dir, reports: &reports, python: &python };
        let count = match (&binary, &request.remote) {
            (Some(binary), _) => run.on_own_server(binary)?,
            (None, Some(remote)) => run.on(remote)?,
            (None, None) => return fail("no server to ask"),
        };
        println!("{}: {count} pass, the floor is {}", corpus.name, floor.of(corpus.name));
        passed.insert(corpus.name.to_owned(), count);
    }
    if request.update_floor {
        floor.raise(&passed);
        floor.write()?;
    }
    floor.check(&passed)
}

/// One corpus being replayed.
struct Run<'a> {
    corpus: &'a Corpus,
    dir: &'a Path,
    reports: &'a Path,
    python: &'a Python,
}

impl Run<'_> {
    /// A server of its own for each corpus: they change the catalog, and one that dies ends only its own.
    fn on_own_server(&self, binary: &Path) -> Result<u64> {
        let log = self.reports.join(format!("{}.server.log", self.corpus.name));
        let mut server = Server::serve(binary, log, self.corpus.server)?;
        let count = self.on(&server.address())?;
        if !server.is_alive() {
            return fail(format!("the server died during {}; see {}", self.corpus.name, server.log().display()));
        }
        Ok(count)
    }

    fn on(&self, remote: &str) -> Result<u64> {
        step(&format!("replaying {} against {remote}", self.corpus.name));
        let started = Instant::now();
        let report = self.reports.join(format!("{}.json", self.corpus.name));
        // An old report must not be taken for this run's.
        let _ = fs::remove_file(&report);
        let mut command = self.python.command();
        self.arguments(&mut command, remote, &report);
        // Exit code 1 means that some cases fail, which is what the floor is for.
        let status = command.status().map_err(|e| Error(format!("cannot run {}: {e}", self.corpus.program)))?;
        println!("({:.0} s, {status})", started.elapsed().as_secs_f64());
        count_passed(&report)
    }

    fn arguments(&self, command: &mut Command, remote: &str, report: &Path) {
        command.current_dir(self.dir).arg(self.corpus.program).args(self.corpus.arguments);
        command.arg("--remote").arg(format!("sc://{remote}")).arg("--out").arg(report);
    }
}

/// Counts the cases that pass in a report of either program.
fn count_passed(report: &Path) -> Result<u64> {
    let text = fs::read_to_string(report).map_err(|e| Error(format!("no report {}: {e}", report.display())))?;
    let report: Value = serde_json::from_str(&text).map_err(|e| Error(format!("{}: {e}", report.display())))?;
    let cases = report["results"].as_array().or_else(|| report["tests"].as_array());
    let Some(cases) = cases else { return fail("the report lists no cases") };
    let passes = |case: &&Value| matches!(case["status"].as_str(), Some("pass" | "passed"));
    Ok(cases.iter().filter(passes).count() as u64)
}
