//! A resolved expression: DataFusion's expression with Spark's type, nullability and printed name.

use datafusion::logical_expr::Expr;
use datafusion::scalar::ScalarValue;
use spark::types::{DataType, Metadata};

use crate::types::to_arrow;

/// An expression after analysis.
#[derive(Debug, Clone)]
pub struct Typed {
    /// Yields the canonical Arrow type of `ty` ([`to_arrow`]).
    pub expr: Expr,
    pub ty: DataType,
    /// By Spark's rules; part of the schema clients see.
    pub nullable: bool,
    /// As Spark prints the expression in a column name; casts that Spark inserts itself are not shown.
    pub name: String,
    /// Column metadata that travels with a plain column reference.
    pub metadata: Metadata,
}

impl Typed {
    /// An expression without column metadata.
    pub fn new(expr: Expr, ty: DataType, nullable: bool, name: impl Into<String>) -> Self {
        Typed { expr, ty, nullable, name: name.into(), metadata: Metadata::default() }
    }

    /// The constant, if the expression is a literal (also below aliases).
    pub fn literal(&self) -> Option<&ScalarValue> {
        let mut expr = &self.expr;
        loop {
            match expr {
                Expr::Literal(value, _) => return Some(value),
                Expr::Alias(alias) => expr = &alias.expr,
                _ => return None,
            }
        }
    }

    /// True for a literal null.
    pub fn is_null_literal(&self) -> bool {
        self.literal().is_some_and(ScalarValue::is_null)
    }

    /// True if the value is the same for every row and does not change between runs: no columns, no
    /// subqueries, nothing random.
    pub fn foldable(&self) -> bool {
        crate::fold::is_foldable(&self.expr)
    }

    /// A typed null, printed `NULL`.
    pub fn null(ty: DataType) -> Self {
        let value = ScalarValue::try_from(&to_arrow(&ty)).unwrap_or(ScalarValue::Null);
        Typed::new(Expr::Literal(value, None), ty, true, "NULL")
    }

    /// The same value under another printed name.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }
}
