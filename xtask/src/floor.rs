//! The conformance floor: how many cases of each corpus pass, checked in, and only ever raised.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::shell::{Error, Result, fail, root};

const HEADER: &str = "# Cases of each corpus that pass, at least. `cargo xtask conformance --update-floor` raises it;\n\
                      # nothing lowers it.\n\n";

/// Passed cases by corpus.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Floor(BTreeMap<String, u64>);

impl Floor {
    /// The checked-in floor; none at all is a floor of zero.
    pub fn read() -> Result<Self> {
        let path = path();
        if !path.exists() {
            return Ok(Floor::default());
        }
        let text = fs::read_to_string(&path).map_err(|e| Error(format!("cannot read {}: {e}", path.display())))?;
        toml::from_str(&text).map_err(|e| Error(format!("{}: {e}", path.display())))
    }

    /// Writes the floor.
    pub fn write(&self) -> Result<()> {
        let path = path();
        let text = toml::to_string(self).map_err(|e| Error(e.to_string()))?;
        fs::write(&path, format!("{HEADER}{text}")).map_err(|e| Error(format!("cannot write {}: {e}", path.display())))
    }

    /// The least that must pass of `corpus`.
    pub fn of(&self, corpus: &str) -> u64 {
        self.0.get(corpus).copied().unwrap_or(0)
    }

    /// Raises the floor to `passed`, never lowering it.
    pub fn raise(&mut self, passed: &BTreeMap<String, u64>) {
        for (corpus, count) in passed {
            let least = self.0.entry(corpus.clone()).or_default();
            *least = (*least).max(*count);
        }
    }

    /// Fails if any corpus passes less than its floor.
    pub fn check(&self, passed: &BTreeMap<String, u64>) -> Result<()> {
        let below: Vec<String> = passed
            .iter()
            .filter(|(corpus, count)| **count < self.of(corpus))
            .map(|(corpus, count)| format!("{corpus}: {count} pass, the floor is {}", self.of(corpus)))
            .collect();
        if below.is_empty() { Ok(()) } else { fail(format!("below the conformance floor\n  {}", below.join("\n  "))) }
    }
}

fn path() -> PathBuf {
    root().join("tests").join("conformance-floor.toml")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(pairs: &[(&str, u64)]) -> BTreeMap<String, u64> {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), *v)).collect()
    }

    #[test]
    fn a_floor_only_rises() {
        let mut floor = Floor(counts(&[("functions", 10)]));
        floor.raise(&counts(&[("functions", 9), ("sql_tests", 3)]));
        assert_eq!(floor.0, counts(&[("functions", 10), ("sql_tests", 3)]));
        floor.raise(&counts(&[("functions", 11)]));
        assert_eq!(floor.of("functions"), 11);
    }

    #[test]
    fn less_than_the_floor_fails() {
        let floor = Floor(counts(&[("functions", 10)]));
        assert!(floor.check(&counts(&[("functions", 10), ("new", 0)])).is_ok());
        assert!(floor.check(&counts(&[("functions", 9)])).is_err());
    }
}
