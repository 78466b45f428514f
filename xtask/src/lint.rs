//! `cargo xtask lint`: clippy over the workspace, warnings refused.

use crate::cargo::{cargo, require_c_compiler};
use crate::shell::{Result, fail, run, step, works};

/// Runs clippy. Not a part of `test`: it checks every dependency anew, which a build shares nothing with.
pub fn lint() -> Result<()> {
    require_c_compiler()?;
    if !works(cargo().args(["clippy", "--version"])) {
        return fail("cargo clippy is not installed: `rustup component add clippy`");
    }
    step("clippy");
    run(cargo().args(["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"]))
}
