//! Building with cargo, and what must be installed for it.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::shell::{Result, fail, root, run, works};

/// How to build.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    Dev,
    Release,
}

/// The cargo that runs us, in the root of the repository.
///
/// It does not hear which package `cargo run` ran: build scripts that watch those variables would run
/// again, and everything above them be built again, whenever somebody builds without us.
pub fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    for (name, _) in env::vars_os() {
        let about_us = ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|p| name.to_string_lossy().starts_with(p));
        if about_us {
            command.env_remove(name);
        }
    }
    command
}

/// Fails with advice unless there is a C compiler, which some dependencies and the linker need.
pub fn require_c_compiler() -> Result<()> {
    if ["cc", "gcc", "clang"].iter().any(|c| works(Command::new(c).arg("--version"))) {
        return Ok(());
    }
    fail(
        "no C compiler found. Install one: `apt-get install build-essential` (Debian, Ubuntu), \
          `dnf install gcc` (Fedora), `xcode-select --install` (macOS)",
    )
}

/// Builds `firesteel` and returns where it is.
pub fn build_binary(profile: Profile) -> Result<PathBuf> {
    require_c_compiler()?;
    let mut command = cargo();
    command.args(["build", "--bin", "firesteel"]);
    match profile {
        // The tests build the whole workspace: the same selection means the same features, and
        // so the same dependencies.
        Profile::Dev => command.arg("--workspace"),
        Profile::Release => command.args(["--release", "--package", "server"]),
    };
    run(&mut command)?;
    let folder = match profile {
        Profile::Dev => "debug",
        Profile::Release => "release",
    };
    Ok(target_dir().join(folder).join("firesteel"))
}

/// Where cargo puts what it builds.
fn target_dir() -> PathBuf {
    match env::var_os("CARGO_TARGET_DIR") {
        // Relative to where cargo was started, which for an alias is the caller's folder.
        Some(folder) if Path::new(&folder).is_absolute() => folder.into(),
        Some(folder) => env::current_dir().unwrap_or_else(|_| root()).join(folder),
        None => root().join("target"),
    }
}
