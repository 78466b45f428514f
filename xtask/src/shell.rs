//! Running programs, and saying what is being done.

use std::env;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A failure, told in words.
#[derive(Debug)]
pub struct Error(pub String);

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

pub type Result<T> = std::result::Result<T, Error>;

/// An error with this message.
pub fn fail<T>(message: impl Into<String>) -> Result<T> {
    Err(Error(message.into()))
}

/// Announces a step.
pub fn step(what: &str) {
    println!("\n-- {what}");
}

/// The root of the repository that cargo was started in. Clones may share a folder of built things, so
/// where this program was built says nothing.
pub fn root() -> PathBuf {
    let manifest = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let manifest = Path::new(&manifest);
    manifest.parent().unwrap_or(manifest).to_owned()
}

/// Where what outlives a build is kept: virtual environments, generated data.
pub fn cache() -> Result<PathBuf> {
    let base = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|p| p.is_absolute());
    let base = base.or_else(|| env::var_os("HOME").map(|home| Path::new(&home).join(".cache")));
    let Some(base) = base else { return fail("HOME is not set, so there is no place for caches") };
    let folder = base.join("firesteel");
    fs::create_dir_all(&folder).map_err(|e| Error(format!("cannot create {}: {e}", folder.display())))?;
    Ok(folder)
}

/// Runs a program to its end, its output shown; anything but success is an error.
pub fn run(command: &mut Command) -> Result<()> {
    let shown = show(command);
    let status = command.status().map_err(|e| Error(format!("cannot run {shown}: {e}")))?;
    if status.success() { Ok(()) } else { fail(format!("{shown}: {status}")) }
}

/// Whether a program can be started and succeeds, its output thrown away.
pub fn works(command: &mut Command) -> bool {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|s| s.success())
}

fn show(command: &Command) -> String {
    let mut text = command.get_program().to_string_lossy().into_owned();
    for argument in command.get_args() {
        text.push(' ');
        text.push_str(&argument.to_string_lossy());
    }
    text
}
