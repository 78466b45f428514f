//! The operator of `WITH RECURSIVE`: the rows of an anchor, and then, round by round, what a step makes
//! of the rows of the round before. The analyzer makes it, the planner runs it.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use datafusion::common::{DFSchemaRef, Result, internal_err};
use datafusion::logical_expr::{Expr, Extension, LogicalPlan, UserDefinedLogicalNodeCore};

/// How far a recursion may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Limits {
    /// Rounds: `spark.sql.cteRecursionLevelLimit`, or what the CTE itself says.
    pub levels: Option<u64>,
    /// Rows: `spark.sql.cteRecursionRowLimit`.
    pub rows: Option<u64>,
}

/// `anchor UNION ALL step`, where the step reads the round before under the name of the recursion.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Recursion {
    /// The table that the step reads, as often as it likes.
    pub table: String,
    pub anchor: LogicalPlan,
    pub step: LogicalPlan,
    /// Columns of both, nullable where those of one of them are.
    pub schema: DFSchemaRef,
    pub limits: Limits,
}

impl Recursion {
    /// The operator as a plan.
    pub fn plan(self) -> LogicalPlan {
        LogicalPlan::Extension(Extension { node: Arc::new(self) })
    }

    /// True if `plan` is this operator itself.
    pub fn is(plan: &LogicalPlan) -> bool {
        matches!(plan, LogicalPlan::Extension(e) if e.node.as_any().is::<Recursion>())
    }
}

impl PartialOrd for Recursion {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        self.table.partial_cmp(&other.table)
    }
}

impl UserDefinedLogicalNodeCore for Recursion {
    fn name(&self) -> &str {
        "Recursion"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.anchor, &self.step]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        Vec::new()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "Recursion: {}", self.table)
    }

    fn with_exprs_and_inputs(&self, _: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        let Ok([anchor, step]) = <[_; 2]>::try_from(inputs) else {
            return internal_err!("a recursion has an anchor and a step");
        };
        let (table, schema) = (self.table.clone(), Arc::clone(&self.schema));
        Ok(Recursion { table, anchor, step, schema, limits: self.limits })
    }
}
