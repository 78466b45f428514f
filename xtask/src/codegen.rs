//! `cargo xtask codegen`: rebuilds `proto/spark` from the descriptors inside a released Python client.

use std::path::Path;

use crate::python::{LIGHT, Python};
use crate::shell::{self, Result, fail, root};

/// Rewrites the definitions from the client whose `pyspark/sql/connect/proto` folder is `from`.
pub fn run(from: &Path) -> Result<()> {
    if !from.join("base_pb2.py").exists() {
        return fail(format!("{} is no pyspark/sql/connect/proto: it has no base_pb2.py", from.display()));
    }
    let proto = root().join("proto");
    // The program reads the descriptors with the protobuf package, which every client depends on.
    let python = Python::with_client(LIGHT)?;
    shell::run(python.command().arg(proto.join("pb2proto.py")).arg("dump").arg(from).arg(&proto))
}
