//! `df.stat`, `describe`, `summary`, samples.

use spark::plan::Sample;
use spark::{Error, Plan, Result};

use crate::context::Analyzer;
use crate::scope::Rel;

impl Analyzer<'_> {
    pub(super) fn sample(&mut self, _sample: &Sample) -> Result<Rel> {
        Err(Error::unsupported("sample"))
    }

    pub(super) fn describe(&mut self, _input: &Plan, _columns: &[String]) -> Result<Rel> {
        Err(Error::unsupported("describe"))
    }

    pub(super) fn summary(&mut self, _input: &Plan, _statistics: &[String]) -> Result<Rel> {
        Err(Error::unsupported("summary"))
    }

    pub(super) fn two_columns(&mut self, input: &Plan, function: &str, prefix: &str, a: &str, b: &str) -> Result<Rel> {
        let rel = self.relation(input)?;
        let call = spark::Expr::call(function, vec![spark::Expr::attribute([a]), spark::Expr::attribute([b])]);
        self.project_rel(&rel, &[call.alias(format!("{prefix}({a}, {b})"))])
    }

    pub(super) fn crosstab(&mut self, _input: &Plan, _a: &str, _b: &str) -> Result<Rel> {
        Err(Error::unsupported("crosstab"))
    }
}
