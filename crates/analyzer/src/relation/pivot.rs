//! `PIVOT` and `UNPIVOT`.

use spark::plan::{Aggregate, SqlPivot, Unpivot};
use spark::{Error, Expr, Literal, Result};

use crate::context::Analyzer;
use crate::scope::Rel;

impl Analyzer<'_> {
    pub(super) fn sql_pivot(&mut self, _pivot: &SqlPivot) -> Result<Rel> {
        Err(Error::unsupported("PIVOT"))
    }

    pub(super) fn api_pivot(&mut self, _aggregate: &Aggregate, _column: &Expr, _values: &[Literal]) -> Result<Rel> {
        Err(Error::unsupported("pivot"))
    }

    pub(super) fn unpivot(&mut self, _unpivot: &Unpivot) -> Result<Rel> {
        Err(Error::unsupported("UNPIVOT"))
    }
}
