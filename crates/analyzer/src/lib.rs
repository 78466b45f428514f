//! Pure: unresolved plan + snapshot of the world → DataFusion `LogicalPlan`, or what is still needed.

pub mod world;

use datafusion::logical_expr::LogicalPlan;
use spark::types::StructType;
use spark::{Plan, Result};

pub use world::{Answer, Need, World};

/// An analysed query.
#[derive(Debug, Clone)]
pub struct Analyzed {
    /// Columns are `#<id>`, in the order of `schema`, of the canonical Arrow types.
    pub plan: LogicalPlan,
    /// Names, types and nullability as Spark reports them.
    pub schema: StructType,
    /// `observe(name, …)`: names and metric columns, to be collected while the query runs.
    pub observations: Vec<Observation>,
}

/// Metrics observed at one point of a query.
#[derive(Debug, Clone)]
pub struct Observation {
    pub name: String,
    pub schema: StructType,
    /// Computes the metrics (one row) from the plan below the observation point.
    pub plan: LogicalPlan,
    pub plan_id: Option<i64>,
}

/// The answer of an analysis.
pub enum Outcome {
    Done(Box<Analyzed>),
    /// Find these, add them to [`World::answers`], ask again.
    Needs(Vec<Need>),
}

/// Analyses `plan`.
///
/// # Errors
/// Spark's condition for what is wrong with the query.
pub fn analyze(_plan: &Plan, _world: &World) -> Result<Outcome> {
    Err(spark::Error::unsupported("analysis"))
}
