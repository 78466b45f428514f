//! Virtual environments with a released PySpark client, kept outside the clone and made on demand.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::shell::{Error, Result, cache, fail, run, step, works};

/// What every environment gets beside a client: its optional parts, and the test runner.
const COMMON: &[&str] = &[
    "pandas>=2.2,<3",
    "pyarrow>=15",
    "numpy>=1.26",
    "grpcio>=1.67",
    "grpcio-status>=1.67",
    "googleapis-common-protos>=1.65",
    "zstandard>=0.25",
    "pytest>=8",
];

/// A released client.
pub struct Client {
    pub version: &'static str,
    /// What pip installs: the client alone where it is published, else the whole of PySpark.
    package: &'static str,
}

/// The client alone, quick to install.
pub const LIGHT: &Client = &Client { version: "4.2.0", package: "pyspark-client==4.2.0" };

/// The newest client, whose answers are the specification.
pub const NEWEST: &Client = &Client { version: "4.3.0", package: "pyspark==4.3.0" };

/// Packages for a task that needs no client.
pub struct Tools {
    pub name: &'static str,
    pub packages: &'static [&'static str],
}

/// A virtual environment.
pub struct Python {
    folder: PathBuf,
}

impl Python {
    /// The environment for `client`, made if it is not there yet.
    pub fn with_client(client: &Client) -> Result<Self> {
        let packages: Vec<&str> = [client.package].into_iter().chain(COMMON.iter().copied()).collect();
        Self::with(client.version, &packages)
    }

    /// An environment with `tools`, made if it is not there yet.
    pub fn with_tools(tools: &Tools) -> Result<Self> {
        Self::with(tools.name, tools.packages)
    }

    fn with(name: &str, packages: &[&str]) -> Result<Self> {
        let python = Python { folder: cache()?.join(format!("venv-{name}")) };
        // Written last: an environment without it was interrupted while being made, and one made
        // for other packages is out of date.
        let mark = python.folder.join("complete");
        let wanted = packages.join("\n");
        if fs::read_to_string(&mark).is_ok_and(|made| made == wanted) && works(python.command().arg("--version")) {
            return Ok(python);
        }
        step(&format!("installing {} into {}", packages[0], python.folder.display()));
        let base = interpreter()?;
        let _ = fs::remove_dir_all(&python.folder);
        run(Command::new(&base).args(["-m", "venv"]).arg(&python.folder))?;
        let mut install = python.command();
        install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(packages);
        run(&mut install)?;
        fs::write(&mark, wanted).map_err(|e| Error(format!("cannot write {}: {e}", mark.display())))?;
        Ok(python)
    }

    /// Where its packages are.
    pub fn packages(&self) -> Result<PathBuf> {
        let lib = self.folder.join("lib");
        let unreadable = |e| Error(format!("cannot read {}: {e}", lib.display()));
        let mut versions = fs::read_dir(&lib).map_err(unreadable)?.flatten().map(|e| e.path().join("site-packages"));
        match versions.find(|folder| folder.is_dir()) {
            Some(folder) => Ok(folder),
            None => fail(format!("{} has no site-packages", lib.display())),
        }
    }

    /// A command that runs this Python, deaf to the caller's own Python settings.
    pub fn command(&self) -> Command {
        let mut command = Command::new(self.folder.join("bin").join("python"));
        command.env_remove("PYTHONPATH").env_remove("PYTHONHOME").env_remove("SPARK_REMOTE");
        command.env_remove("SPARK_HOME").env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }
}

/// A Python 3.10 or later that can make virtual environments, or advice on how to get one.
fn interpreter() -> Result<PathBuf> {
    let recent = "import sys; sys.exit(sys.version_info < (3, 10))";
    let names = ["python3", "python3.13", "python3.12", "python3.11", "python3.10"];
    let found: Vec<&str> = names.into_iter().filter(|name| works(Command::new(name).args(["-c", recent]))).collect();
    let complete = |name: &&str| works(Command::new(name).args(["-c", "import ensurepip, venv"]));
    match found.iter().find(|name| complete(name)) {
        Some(name) => Ok(Path::new(name).to_owned()),
        None if found.is_empty() => fail(
            "Python 3.10 or later is needed. Install it: `apt-get install python3 python3-venv` \
             (Debian, Ubuntu), `dnf install python3` (Fedora), `brew install python` (macOS)",
        ),
        None => fail(
            "python3 is there but cannot make virtual environments. On Debian and Ubuntu that is a \
             package of its own: `apt-get install python3-venv`",
        ),
    }
}
