//! Pure: unresolved plan + snapshot of the world → DataFusion `LogicalPlan`, or what is still needed.

mod context;
mod decorrelate;
mod expr;
mod names;
mod relation;
mod scope;
pub mod world;

use datafusion::logical_expr::LogicalPlan;
use spark::types::StructType;
use spark::{Plan, Result};

pub use world::{Answer, Need, World};

use crate::context::Analyzer;

/// An analysed query.
#[derive(Debug, Clone)]
pub struct Analyzed {
    /// Columns are `#<id>`. `columns` says which of them, in which order, are the result: one that a
    /// query selects twice is there once.
    pub plan: LogicalPlan,
    /// For each column of the result, its index in the schema of `plan`.
    pub columns: Vec<usize>,
    /// Names, types and nullability as Spark reports them, one for each entry of `columns`.
    pub schema: StructType,
    /// `observe(name, …)`: names and metric columns, to be collected while the query runs.
    pub observations: Vec<Observation>,
}

/// Metrics observed at one point of a query.
#[derive(Debug, Clone)]
pub struct Observation {
    /// Of its operator in the plan.
    pub id: u64,
    pub name: String,
    pub schema: StructType,
    /// Computes the metrics (one row) from the plan below the observation point: where they cannot be
    /// gathered as the rows pass.
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
pub fn analyze(plan: &Plan, world: &World) -> Result<Outcome> {
    let mut analyzer = Analyzer::new(world);
    let result = analyzer.relation(plan).and_then(|rel| finish(&mut analyzer, &rel));
    if !analyzer.needs.is_empty() {
        return Ok(Outcome::Needs(analyzer.needs));
    }
    Ok(Outcome::Done(Box::new(result?)))
}

fn finish(analyzer: &mut Analyzer, rel: &scope::Rel) -> Result<Analyzed> {
    let plan = rel.exact_plan()?;
    let index_of = |id: u64| {
        let name = format!("#{id}");
        plan.schema().fields().iter().position(|f| f.name() == &name)
    };
    let columns = rel
        .output
        .iter()
        .map(|a| index_of(a.id).ok_or_else(|| scope::defect(format!("column {} is missing", a.name))))
        .collect::<Result<_>>()?;
    Ok(Analyzed { columns, schema: rel.schema(), plan, observations: std::mem::take(&mut analyzer.observations) })
}
