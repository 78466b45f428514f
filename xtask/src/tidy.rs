//! The repository's own rules, from ARCHITECTURE.md. `cargo test -p xtask` checks them too.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use walkdir::WalkDir;

use crate::shell::{Error, Result, fail, root};
use crate::source::{functions, without_comments_and_literals};

/// Crates that may depend on the distributed engine.
const BALLISTA: &[&str] = &["scheduler", "executor", "planner"];

/// Crates that must reach neither DataFusion nor Arrow, however indirectly.
const PLAIN: &[&str] = &["spark", "sql", "proto", "meta"];

/// Crates that must be functions of their input alone, and what would make them more than that.
const PURE: &[&str] = &["analyzer", "functions", "sql"];
const IMPURE: &[(&str, &str)] = &[
    ("async ", "is asynchronous"),
    (".await", "is asynchronous"),
    ("Instant::now", "reads a clock"),
    ("SystemTime::now", "reads a clock"),
    ("Utc::now", "reads a clock"),
    ("Local::now", "reads a clock"),
    ("thread_rng", "draws unseeded randomness"),
    ("rand::rng(", "draws unseeded randomness"),
    ("rand::random", "draws unseeded randomness"),
    ("from_os_rng", "draws unseeded randomness"),
    ("from_entropy", "draws unseeded randomness"),
    ("OsRng", "draws unseeded randomness"),
    ("new_v4(", "draws unseeded randomness"),
    ("now_v7(", "draws unseeded randomness"),
];

/// `xtask/ceilings.toml`: what no file and no function may exceed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Ceilings {
    file_lines: usize,
    function_lines: usize,
}

/// Checks every rule; the error lists what breaks them.
pub fn run() -> Result<()> {
    let mut broken = dependency_rules()?;
    for file in rust_files() {
        let text = read(&file)?;
        let shown = file.strip_prefix(root()).unwrap_or(&file).display().to_string();
        broken.extend(file_rules(&shown, &text).into_iter().map(|rule| format!("{shown}: {rule}")));
    }
    broken.extend(ceiling_rules()?);
    match broken.is_empty() {
        true => Ok(()),
        false => fail(format!("{} broken rules\n  {}", broken.len(), broken.join("\n  "))),
    }
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|e| Error(format!("cannot read {}: {e}", path.display())))
}

/// Every `.rs` file of the repository, in order.
fn rust_files() -> Vec<PathBuf> {
    let kept = |name: &str| name != "target" && !(name.starts_with('.') && name.len() > 1);
    WalkDir::new(root())
        .sort_by_file_name()
        .into_iter()
        .filter_entry(|e| e.depth() == 0 || kept(&e.file_name().to_string_lossy()))
        .flatten()
        .map(walkdir::DirEntry::into_path)
        .filter(|path| path.extension().is_some_and(|e| e == "rs"))
        .collect()
}

fn file_rules(path: &str, text: &str) -> Vec<String> {
    let mut broken = Vec::new();
    if !text.starts_with("//!") {
        broken.push("must open with `//!` and say its purpose".to_owned());
    }
    let Some(owner) = path.strip_prefix("crates/").and_then(|rest| rest.split('/').next()) else { return broken };
    let code = without_comments_and_literals(text);
    if !["connect", "proto"].contains(&owner) && code.contains("spark_connect") {
        broken.push("only `connect` may name Spark Connect messages".to_owned());
    }
    if PURE.contains(&owner) {
        let code = code.split("#[cfg(test)]").next().unwrap_or_default();
        let found = IMPURE.iter().filter(|(token, _)| code.contains(token));
        broken.extend(found.map(|(token, does)| format!("`{owner}` must be pure, but `{token}` {does}")));
    }
    broken
}

/// The part of `Cargo.lock` that matters here.
#[derive(Deserialize)]
struct Lock {
    package: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    source: Option<String>,
    #[serde(default)]
    dependencies: Vec<String>,
}

fn dependency_rules() -> Result<Vec<String>> {
    let text = read(&root().join("Cargo.lock"))?;
    let lock: Lock = toml::from_str(&text).map_err(|e| Error(format!("Cargo.lock: {e}")))?;
    let mut graph: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for package in &lock.package {
        // A dependency is written `name`, `name version` or `name version (source)`.
        let names = package.dependencies.iter().filter_map(|d| d.split(' ').next());
        graph.entry(&package.name).or_default().extend(names);
    }
    let members = lock.package.iter().filter(|p| p.source.is_none()).map(|p| p.name.as_str());
    Ok(members.flat_map(|member| member_rules(member, &graph)).collect())
}

fn member_rules(member: &str, graph: &BTreeMap<&str, BTreeSet<&str>>) -> Vec<String> {
    let mut broken = Vec::new();
    let direct = |prefix: &str| graph.get(member).is_some_and(|all| all.iter().any(|d| d.starts_with(prefix)));
    if direct("ballista") && !BALLISTA.contains(&member) {
        broken.push(format!("`{member}` must not depend on Ballista"));
    }
    if direct("raft") && member != "meta" {
        broken.push(format!("`{member}` must not depend on raft"));
    }
    if PLAIN.contains(&member) {
        let heavy = reach(member, graph).into_iter().filter(|d| d.starts_with("datafusion") || d.starts_with("arrow"));
        broken.extend(heavy.map(|d| format!("`{member}` must not reach `{d}`")));
    }
    broken
}

fn reach<'a>(from: &'a str, graph: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut open = vec![from];
    while let Some(name) = open.pop() {
        let next = graph.get(name).into_iter().flatten().copied();
        open.extend(next.filter(|d| reached.insert(*d)));
    }
    reached
}

fn ceiling_rules() -> Result<Vec<String>> {
    let path = root().join("xtask").join("ceilings.toml");
    let ceilings: Ceilings = toml::from_str(&read(&path)?).map_err(|e| Error(format!("{}: {e}", path.display())))?;
    let mut broken = Vec::new();
    for file in rust_files() {
        let text = read(&file)?;
        let shown = file.strip_prefix(root()).unwrap_or(&file).display().to_string();
        let lines = text.lines().count();
        if lines > ceilings.file_lines {
            broken.push(format!("{shown}: {lines} lines, the ceiling is {}", ceilings.file_lines));
        }
        for function in functions(&text) {
            if function.lines > ceilings.function_lines {
                let (name, lines, line) = (&function.name, function.lines, function.first_line);
                broken.push(format!(
                    "{shown}:{line}: `{name}` has {lines} lines, the ceiling is {}",
                    ceilings.function_lines
                ));
            }
        }
    }
    Ok(broken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_keeps_its_rules() {
        if let Err(error) = run() {
            panic!("{error}");
        }
    }

    #[test]
    fn broken_rules_are_found() {
        let check = |path: &str, text: &str, expect: usize| assert_eq!(file_rules(path, text).len(), expect, "{text}");
        check("crates/sql/src/lib.rs", "//! ok\nfn f() {}", 0);
        check("crates/sql/src/lib.rs", "fn f() {}", 1);
        check("crates/sql/src/lib.rs", "//! x\n// async in words\nfn f() {}", 0);
        check("crates/sql/src/lib.rs", "//! x\nasync fn f() { Instant::now() }", 2);
        check("crates/sql/src/lib.rs", "//! x\nfn f() {}\n#[cfg(test)]\nmod t { fn g() { Instant::now() } }", 0);
        check("crates/scheduler/src/lib.rs", "//! x\nasync fn f() {}", 0);
        check("crates/scheduler/src/lib.rs", "//! x\nuse proto::spark_connect::Plan;", 1);
        check("crates/connect/src/lib.rs", "//! x\nuse proto::spark_connect::Plan;", 0);
    }

    #[test]
    fn forbidden_dependencies_are_found() {
        let graph = BTreeMap::from([
            ("sql", BTreeSet::from(["spark", "serde"])),
            ("spark", BTreeSet::from(["arrow-schema"])),
            ("connect", BTreeSet::from(["ballista-core"])),
        ]);
        assert_eq!(member_rules("sql", &graph), ["`sql` must not reach `arrow-schema`"]);
        assert_eq!(member_rules("connect", &graph), ["`connect` must not depend on Ballista"]);
    }
}
