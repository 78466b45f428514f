//! DataFusion's type coercion, left out where it would take too long.
//!
//! The analyzer types every expression itself, so that coercion finds next to nothing to do. It asks
//! for the type of each operand at each level though, which costs the square of the depth.

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::optimizer::analyzer::type_coercion::TypeCoercion;
use datafusion::optimizer::{Analyzer, AnalyzerRule};
use std::sync::Arc;

/// Expressions nested deeper are taken to be typed.
const MAX_DEPTH: usize = 128;

/// The pass; see the module.
#[derive(Debug, Default)]
pub struct ShallowCoercion {
    coercion: TypeCoercion,
}

impl AnalyzerRule for ShallowCoercion {
    fn analyze(&self, plan: LogicalPlan, config: &ConfigOptions) -> Result<LogicalPlan> {
        if has_deep_expression(&plan)? { Ok(plan) } else { self.coercion.analyze(plan, config) }
    }

    fn name(&self) -> &str {
        self.coercion.name()
    }
}

/// DataFusion's analyzer passes with this one in the place of its own.
pub fn analyzer_rules() -> Vec<Arc<dyn AnalyzerRule + Send + Sync>> {
    let ours: Arc<dyn AnalyzerRule + Send + Sync> = Arc::new(ShallowCoercion::default());
    let all = Analyzer::new().rules.into_iter();
    all.map(|rule| if rule.name() == ours.name() { Arc::clone(&ours) } else { rule }).collect()
}

fn has_deep_expression(plan: &LogicalPlan) -> Result<bool> {
    let mut found = false;
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            found = found || is_deeper(expr, MAX_DEPTH)?;
            Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
        })
    })?;
    Ok(found)
}

fn is_deeper(expr: &Expr, levels: usize) -> Result<bool> {
    let Some(below) = levels.checked_sub(1) else { return Ok(true) };
    let mut found = false;
    expr.apply_children(|child| {
        found = found || is_deeper(child, below)?;
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::logical_expr::{col, lit};

    #[test]
    fn depth_is_measured_along_the_deepest_branch() -> Result<()> {
        for (levels, deep) in [(1, false), (MAX_DEPTH - 2, false), (MAX_DEPTH, true), (10 * MAX_DEPTH, true)] {
            let sum = (0..levels).fold(col("a"), |sum, _| lit(1) + sum);
            assert_eq!(is_deeper(&sum, MAX_DEPTH)?, deep, "{levels}");
        }
        Ok(())
    }
}
