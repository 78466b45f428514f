//! `cargo xtask compat`: COMPAT.md, made by asking a server for everything there is to ask for.

use std::fs;
use std::path::Path;

use crate::cargo::{Profile, build_binary};
use crate::python::{NEWEST, Python};
use crate::server::Server;
use crate::shell::{self, Error, Result, cache, root, step};

/// What to do with the page.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Write it.
    Write,
    /// Fail if it would change.
    Check,
    /// Fail only where it says more than is so: what came to work since may be missing from it.
    Promises,
}

/// Builds a server and asks it.
pub fn run(mode: Mode) -> Result<()> {
    let python = Python::with_client(NEWEST)?;
    let binary = build_binary(Profile::Dev)?;
    ask(&python, &binary, mode)
}

/// Asks a server of this binary.
pub fn ask(python: &Python, binary: &Path, mode: Mode) -> Result<()> {
    step("asking a server what it supports");
    let logs = cache()?.join("compat");
    fs::create_dir_all(&logs).map_err(|e| Error(format!("cannot create {}: {e}", logs.display())))?;
    let server = Server::serve(binary, logs.join("serve.log"), &[])?;
    let mut command = python.command();
    command.arg(root().join("tests").join("compat").join("page.py"));
    command.args(["--remote", &server.address()]).arg(match mode {
        Mode::Write => "--write",
        Mode::Check => "--check",
        Mode::Promises => "--promises",
    });
    shell::run(&mut command)
}
