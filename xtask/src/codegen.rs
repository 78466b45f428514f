//! `cargo xtask codegen`: rebuilds `proto/spark` from the descriptors inside a released Python client.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::python::{NEWEST, Python};
use crate::shell::{Error, Result, fail, root, run, works};

/// Rewrites the definitions from the client whose `pyspark/sql/connect/proto` folder is `from`, or from
/// the newest one.
pub fn codegen(from: Option<&Path>) -> Result<()> {
    let python = Python::with_client(NEWEST)?;
    let from = match from {
        Some(folder) => folder.to_owned(),
        None => folder_of(&python)?,
    };
    if !from.join("base_pb2.py").exists() {
        return fail(format!("{} is no pyspark/sql/connect/proto: it has no base_pb2.py", from.display()));
    }
    let proto = root().join("proto");
    // The program reads the descriptors with the protobuf package, which every client depends on.
    run(python.command().arg(proto.join("pb2proto.py")).arg("dump").arg(&from).arg(&proto))?;
    let unchanged = works(Command::new("git").current_dir(root()).args(["diff", "--quiet", "--", "proto"]));
    println!("{}", if unchanged { "proto/ is as it was" } else { "proto/ changed: see `git diff proto`" });
    Ok(())
}

/// Where the client's generated code is.
fn folder_of(python: &Python) -> Result<PathBuf> {
    let program = "import pyspark, pathlib; print(pathlib.Path(pyspark.__file__).parent / 'sql/connect/proto')";
    let told = python.command().args(["-c", program]).output().map_err(|e| Error(format!("cannot run Python: {e}")))?;
    Ok(PathBuf::from(String::from_utf8_lossy(&told.stdout).trim()))
}
