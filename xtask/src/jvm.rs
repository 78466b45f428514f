//! `cargo xtask jvm`: programs in Scala and Java, through the clients Spark publishes for the JVM.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cargo::{Profile, build_binary};
use crate::python::{NEWEST, Python};
use crate::server::Server;
use crate::shell::{Error, Result, cache, fail, root, run, step, works};

/// What the compiler of the Scala programs is made of.
const COMPILER: &[&str] = &["scala-compiler-", "scala-library-", "scala-reflect-"];

/// The clients themselves, which hold most of what they use under names of their own.
const CLIENTS: &[&str] = &["spark-connect-client-jvm_", "spark-connect-client-jdbc_"];

/// What the clients ask for beside them. The last stands in for `spark-connect-shims`, a few empty classes
/// that pip does not have.
const LIBRARIES: &[&str] = &[
    "scala-library-",
    "scala-reflect-",
    "scala-xml_",
    "scala-parser-combinators_",
    "spark-common-utils",
    "spark-sketch_",
    "spark-variant_",
    "spark-unsafe_",
    "spark-tags_",
    "antlr4-runtime-",
    "commons-",
    "icu4j-",
    "jackson-",
    "json4s-",
    "jsr305-",
    "kryo-",
    "minlog-",
    "objenesis-",
    "paranamer-",
    "log4j-",
    "slf4j-api-",
    "xbean-asm9-",
    "zstd-jni-",
    "spark-core_",
];

/// What Arrow and the client's readers of dates reach into, and a JVM that is quick to start.
const OPTIONS: &[&str] = &[
    "--add-opens=java.base/java.nio=ALL-UNNAMED",
    "--add-opens=java.base/java.lang=ALL-UNNAMED",
    "--add-opens=java.base/java.lang.invoke=ALL-UNNAMED",
    "--add-opens=java.base/java.util=ALL-UNNAMED",
    "--add-opens=java.base/sun.util.calendar=ALL-UNNAMED",
    "-XX:TieredStopAtLevel=1",
    "-Xss8m",
    "-Xmx1g",
];

/// Compiles the programs of `tests/jvm` and runs them against the embedded engine, or against `remote`.
/// `spark`: that is a Spark, which runs what we refuse.
pub fn jvm(remote: Option<&str>, spark: bool) -> Result<()> {
    require_jdk()?;
    let jars = Jars::of(&Python::with_client(NEWEST)?)?;
    let folder = cache()?.join("jvm");
    fs::create_dir_all(&folder).map_err(|e| Error(format!("cannot create {}: {e}", folder.display())))?;
    step("compiling the Scala programs");
    let classes = compile(&jars, &folder)?;
    match remote {
        Some(address) => programs(&jars, &classes, address, spark),
        None => {
            step("building firesteel");
            let binary = build_binary(Profile::Dev)?;
            let log = folder.join("serve.log");
            let server = Server::serve(&binary, log.clone(), &[])?;
            let outcome = programs(&jars, &classes, &server.address(), spark);
            if outcome.is_err() {
                eprintln!("the server's log: {}", log.display());
            }
            outcome
        }
    }
}

fn require_jdk() -> Result<()> {
    if works(Command::new("javac").arg("-version")) && works(Command::new("java").arg("-version")) {
        return Ok(());
    }
    fail(
        "a JDK (17 or later) is needed. Install one: `apt-get install default-jdk-headless` (Debian, Ubuntu), \
         `dnf install java-17-openjdk-devel` (Fedora), `brew install openjdk` (macOS)",
    )
}

fn programs(jars: &Jars, classes: &Path, address: &str, spark: bool) -> Result<()> {
    let path = jars.path(&[CLIENTS, LIBRARIES].concat(), &[classes])?;
    step("the Scala client");
    let mut scala = java(&path);
    scala.args(["Main", address]).args(spark.then_some("spark"));
    run(&mut scala)?;
    step("the JDBC driver");
    run(java(&path).arg(sources().join("Jdbc.java")).arg(address))
}

fn java(path: &str) -> Command {
    let mut command = Command::new("java");
    command.arg(format!("-Dlog4j2.configurationFile={}", sources().join("log4j2.properties").display()));
    command.args(OPTIONS).args(["-cp", path]);
    command
}

fn sources() -> PathBuf {
    root().join("tests").join("jvm")
}

/// Compiles what has changed since it was compiled last: the folder of the classes.
fn compile(jars: &Jars, folder: &Path) -> Result<PathBuf> {
    let classes = folder.join("classes");
    let mut files = Vec::new();
    let mut text = String::new();
    for file in list(&sources())? {
        if file.extension().is_some_and(|e| e == "scala") {
            text += &fs::read_to_string(&file).map_err(|e| Error(format!("cannot read {}: {e}", file.display())))?;
            files.push(file);
        }
    }
    // Written last: classes without it are of an interrupted run, or of other sources.
    let mark = folder.join("compiled");
    if fs::read_to_string(&mark).is_ok_and(|compiled| compiled == text) {
        return Ok(classes);
    }
    let _ = fs::remove_dir_all(&classes);
    fs::create_dir_all(&classes).map_err(|e| Error(format!("cannot create {}: {e}", classes.display())))?;
    let mut compiler = java(&jars.path(COMPILER, &[])?);
    compiler.args(["scala.tools.nsc.Main", "-nowarn", "-d"]).arg(&classes);
    compiler.arg("-cp").arg(jars.path(&[CLIENTS, LIBRARIES].concat(), &[])?).args(&files);
    run(&mut compiler)?;
    fs::write(&mark, text).map_err(|e| Error(format!("cannot write {}: {e}", mark.display())))?;
    Ok(classes)
}

/// The jars that come with PySpark.
struct Jars(Vec<PathBuf>);

impl Jars {
    fn of(python: &Python) -> Result<Self> {
        let folder = python.packages()?.join("pyspark").join("jars");
        let mut jars = list(&folder)?;
        jars.extend(list(&folder.join("connect-repl"))?);
        Ok(Jars(jars))
    }

    /// A class path of `folders` and the jars whose names begin so, in that order.
    fn path(&self, prefixes: &[&str], folders: &[&Path]) -> Result<String> {
        let mut path: Vec<String> = folders.iter().map(|folder| folder.display().to_string()).collect();
        for prefix in prefixes {
            let name = |jar: &Path| jar.file_name().is_some_and(|n| n.to_string_lossy().starts_with(prefix));
            let before = path.len();
            path.extend(self.0.iter().filter(|jar| name(jar)).map(|jar| jar.display().to_string()));
            if path.len() == before {
                return fail(format!("PySpark {} has no jar called {prefix}…", NEWEST.version));
            }
        }
        Ok(path.join(":"))
    }
}

/// What is in a folder, in order.
fn list(folder: &Path) -> Result<Vec<PathBuf>> {
    let unreadable = |e| Error(format!("cannot read {}: {e}", folder.display()));
    let entries = fs::read_dir(folder).map_err(unreadable)?;
    let mut files = entries.map(|e| e.map(|e| e.path())).collect::<std::io::Result<Vec<_>>>().map_err(unreadable)?;
    files.sort();
    Ok(files)
}
