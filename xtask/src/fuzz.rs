//! `cargo xtask fuzz`: builds the fuzz targets with coverage instrumentation and runs each for a while.
//!
//! What `cargo fuzz` does, without it and on a stable compiler: the targets look for panics and broken
//! assertions, and need no sanitizer.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cargo::{cargo, require_c_compiler};
use crate::shell::{Error, Result, cache, fail, root, run, step};

const TARGETS: &[&str] = &["sql", "plan", "response_log"];

/// Longest input that is tried: what is found is found in small ones.
const MAX_INPUT_BYTES: &str = "-max_len=4096";

/// Seconds one input may take.
const INPUT_SECONDS: &str = "-timeout=10";

const INSTRUMENTATION: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing";

/// Runs every target, or those named, for `seconds` each; the inputs that fail stay in `fuzz/artifacts`.
pub fn fuzz(seconds: u64, only: &[String]) -> Result<()> {
    if let Some(unknown) = only.iter().find(|name| !TARGETS.contains(&name.as_str())) {
        return fail(format!("there is no fuzz target `{unknown}`: there are {}", TARGETS.join(", ")));
    }
    require_c_compiler()?;
    let folder = root().join("fuzz");
    let binaries = build(&folder)?;
    for target in TARGETS.iter().filter(|t| only.is_empty() || only.iter().any(|o| o == *t)) {
        step(&format!("fuzzing {target} for {seconds} s"));
        let (corpus, artifacts) = (cache()?.join("fuzz-corpus").join(target), folder.join("artifacts").join(target));
        for made in [&corpus, &artifacts] {
            fs::create_dir_all(made).map_err(|e| Error(format!("cannot create {}: {e}", made.display())))?;
        }
        sow(target, &folder.join("seeds"), &corpus)?;
        let mut command = Command::new(binaries.join(target));
        command.arg(&corpus);
        command.args([format!("-max_total_time={seconds}"), format!("-artifact_prefix={}/", artifacts.display())]);
        command.args([MAX_INPUT_BYTES, INPUT_SECONDS, "-print_final_stats=1"]);
        if *target == "sql" {
            command.arg(format!("-dict={}", dictionary()?.display()));
        }
        run(&mut command)?;
    }
    Ok(())
}

/// Puts the seeds kept in the repository into a corpus: a statement a line, or a message in hexadecimal a line.
fn sow(target: &str, seeds: &Path, corpus: &Path) -> Result<()> {
    let inputs: Vec<Vec<u8>> = match target {
        // The first byte of an input chooses the parser's settings.
        "sql" => read(&seeds.join("sql.txt"))?.lines().map(|line| format!("\0{line}").into_bytes()).collect(),
        "plan" => {
            let text = read(&seeds.join("plan.hex"))?;
            text.lines()
                .map(bytes_of)
                .collect::<Option<_>>()
                .ok_or_else(|| Error("bad hexadecimal in plan.hex".into()))?
        }
        _ => Vec::new(),
    };
    for (number, input) in inputs.into_iter().enumerate() {
        let path = corpus.join(format!("seed-{number:04}"));
        fs::write(&path, input).map_err(|e| Error(format!("cannot write {}: {e}", path.display())))?;
    }
    Ok(())
}

fn bytes_of(hex: &str) -> Option<Vec<u8>> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok()).collect()
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|e| Error(format!("cannot read {}: {e}", path.display())))
}

/// The parser's own keywords, as libFuzzer takes words to try.
fn dictionary() -> Result<PathBuf> {
    let source = read(&root().join("crates").join("sql").join("src").join("keywords.rs"))?;
    let is_keyword = |word: &&str| word.len() > 1 && word.chars().all(|c| c.is_ascii_uppercase() || c == '_');
    let words = source.split(|c: char| !c.is_alphanumeric() && c != '_').filter(is_keyword);
    let text: String = words.map(|word| format!("\" {word} \"\n")).collect();
    let path = cache()?.join("fuzz-sql.dict");
    fs::write(&path, text).map_err(|e| Error(format!("cannot write {}: {e}", path.display())))?;
    Ok(path)
}

/// Builds the targets and says where they are. For a named target, so that what runs while building
/// (build scripts, macros) is not instrumented.
fn build(folder: &Path) -> Result<PathBuf> {
    step("building the fuzz targets");
    let host = host()?;
    let target_dir = cache()?.join("fuzz-target");
    let mut command = cargo();
    command.current_dir(folder).args(["build", "--release", "--target", &host]);
    command.env("CARGO_TARGET_DIR", &target_dir).env("RUSTFLAGS", INSTRUMENTATION);
    run(&mut command)?;
    Ok(target_dir.join(host).join("release"))
}

/// The triple that the compiler builds for by itself.
fn host() -> Result<String> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let told = Command::new(rustc).arg("-vV").output().map_err(|e| Error(format!("cannot run rustc: {e}")))?;
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    match told.lines().find_map(|line| line.strip_prefix("host: ")) {
        Some(host) => Ok(host.to_owned()),
        None => fail("rustc does not say what it builds for"),
    }
}
