//! Keeps the right side of `AND` and `OR` from being evaluated where the left side has decided.
//!
//! `a <> 0 AND 1 / a > 0` must not divide by zero. DataFusion evaluates both sides over a whole batch;
//! [`ShortCircuit`] rewrites those whose right side may raise an error into a `CASE`, which evaluates a
//! branch only for its rows. It runs after every other physical rule: the optimizer sees plain logic.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::expressions::{BinaryExpr, CaseExpr, lit, not};
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::filter::{FilterExec, FilterExecBuilder};
use datafusion::physical_plan::projection::{ProjectionExec, ProjectionExpr};
use functions::KernelUdf;
use functions::fallible::may_fail;

/// The pass; see the module.
#[derive(Debug, Clone, Copy)]
pub struct ShortCircuit;

impl PhysicalOptimizerRule for ShortCircuit {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
            let new = if let Some(projection) = node.downcast_ref::<ProjectionExec>() {
                rewrite_projection(projection)?
            } else if let Some(filter) = node.downcast_ref::<FilterExec>() {
                rewrite_filter(filter)?
            } else {
                None
            };
            Ok(match new {
                Some(new) => Transformed::yes(new),
                None => Transformed::no(node),
            })
        })
        .data()
    }

    fn name(&self) -> &str {
        "firesteel_short_circuit"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn rewrite_projection(projection: &ProjectionExec) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let mut any = false;
    let exprs = projection
        .expr()
        .iter()
        .map(|e| {
            let expr = guarded(&e.expr)?;
            any |= expr.transformed;
            Ok(ProjectionExpr { expr: expr.data, alias: e.alias.clone() })
        })
        .collect::<Result<Vec<_>>>()?;
    if !any {
        return Ok(None);
    }
    Ok(Some(Arc::new(ProjectionExec::try_new(exprs, Arc::clone(projection.input()))?)))
}

fn rewrite_filter(filter: &FilterExec) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let predicate = guarded(filter.predicate())?;
    if !predicate.transformed {
        return Ok(None);
    }
    Ok(Some(Arc::new(FilterExecBuilder::from(filter).with_predicate(predicate.data).build()?)))
}

fn guarded(expr: &Arc<dyn PhysicalExpr>) -> Result<Transformed<Arc<dyn PhysicalExpr>>> {
    Arc::clone(expr).transform_up(|e| {
        let Some(logic) = e.downcast_ref::<BinaryExpr>() else { return Ok(Transformed::no(e)) };
        let decided = match logic.op() {
            Operator::And => false,
            Operator::Or => true,
            _ => return Ok(Transformed::no(e)),
        };
        if !fails(logic.right())? {
            return Ok(Transformed::no(e));
        }
        let left = Arc::clone(logic.left());
        let condition = if decided { left } else { not(left)? };
        let case = CaseExpr::try_new(None, vec![(condition, lit(decided))], Some(Arc::clone(&e)))?;
        Ok(Transformed::yes(Arc::new(case) as Arc<dyn PhysicalExpr>))
    })
}

/// True if some call inside may raise an error.
fn fails(expr: &Arc<dyn PhysicalExpr>) -> Result<bool> {
    let mut found = false;
    expr.apply(|e| {
        if let Some(call) = e.downcast_ref::<ScalarFunctionExpr>() {
            let udf: &dyn std::any::Any = call.fun().inner().as_ref();
            found |= udf.downcast_ref::<KernelUdf>().is_some_and(may_fail);
        }
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(found)
}
