//! The operator of `df.observe`: its input's rows pass through, and metrics are computed of them.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchemaRef, Result, internal_err};
use datafusion::logical_expr::{
    EmptyRelation, Expr, Extension, LogicalPlan, LogicalPlanBuilder, UserDefinedLogicalNodeCore,
};

/// Passes its input through.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Observe {
    pub input: LogicalPlan,
    /// One row of metrics, computed over [`Observe::observed`].
    pub metrics: LogicalPlan,
    /// Tells the observations of a query apart.
    pub id: u64,
}

impl Observe {
    /// The leaf that stands for the observed rows in the plan of the metrics.
    pub fn observed(schema: &DFSchemaRef) -> LogicalPlan {
        LogicalPlan::EmptyRelation(EmptyRelation { produce_one_row: false, schema: Arc::clone(schema) })
    }

    /// The operator as a plan.
    pub fn plan(self) -> LogicalPlan {
        LogicalPlan::Extension(Extension { node: Arc::new(self) })
    }

    /// The plan of the metrics over `rows` in the place of the leaf; columns are taken by name.
    ///
    /// # Errors
    /// If `rows` lacks a column that the metrics use: a defect.
    pub fn metrics_of(&self, rows: LogicalPlan) -> Result<LogicalPlan> {
        let replaced = self.metrics.clone().transform_up(|plan| match &plan {
            LogicalPlan::EmptyRelation(e) if !e.produce_one_row => Ok(Transformed::yes(rows.clone())),
            _ => plan.recompute_schema().map(Transformed::no),
        })?;
        LogicalPlanBuilder::from(replaced.data).build()
    }
}

/// `plan` without observations: where they cannot be made.
///
/// # Errors
/// If an operator does not take its new input: a defect.
pub fn unobserved(plan: &LogicalPlan) -> Result<LogicalPlan> {
    let rewritten = plan.clone().transform_down_with_subqueries(|plan| {
        let mut plan = plan;
        let mut changed = false;
        while let LogicalPlan::Extension(extension) = &plan {
            let Some(observe) = extension.node.as_any().downcast_ref::<Observe>() else { break };
            plan = observe.input.clone();
            changed = true;
        }
        Ok(Transformed::new(plan, changed, TreeNodeRecursion::Continue))
    })?;
    Ok(rewritten.data)
}

impl PartialOrd for Observe {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        self.id.partial_cmp(&other.id)
    }
}

impl UserDefinedLogicalNodeCore for Observe {
    fn name(&self) -> &str {
        "Observe"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        self.input.schema()
    }

    fn expressions(&self) -> Vec<Expr> {
        Vec::new()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "Observe")
    }

    fn with_exprs_and_inputs(&self, _: Vec<Expr>, mut inputs: Vec<LogicalPlan>) -> Result<Self> {
        let (Some(input), true) = (inputs.pop(), inputs.is_empty()) else {
            return internal_err!("Observe has one input");
        };
        Ok(Observe { input, metrics: self.metrics.clone(), id: self.id })
    }

    /// The columns wanted from above, and those of the metrics.
    fn necessary_children_exprs(&self, output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        let mut used = HashSet::new();
        let walk = self.metrics.apply(|plan| {
            for expr in plan.expressions() {
                used.extend(expr.column_refs().into_iter().map(|c| c.name.clone()));
            }
            Ok(TreeNodeRecursion::Continue)
        });
        walk.ok()?;
        let fields = self.input.schema().fields();
        let wanted = (0..fields.len()).filter(|i| output_columns.contains(i) || used.contains(fields[*i].name()));
        Some(vec![wanted.collect()])
    }
}
