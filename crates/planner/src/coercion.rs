//! DataFusion's passes that cost the square of an expression's depth, left out where that is large.
//!
//! The analyzer types every expression itself, so that type coercion finds next to nothing to do; it
//! asks for the type of each operand at each level though. The others look for something to share or to
//! move at each level by looking at everything below it; without them a query is as right.

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::optimizer::analyzer::type_coercion::TypeCoercion;
use datafusion::optimizer::{Analyzer, AnalyzerRule, ApplyOrder, OptimizerConfig, OptimizerRule};
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

/// Optimizer passes that are left out for operators with a deep expression.
const COSTLY: [&str; 3] = ["common_sub_expression_eliminate", "extract_leaf_expressions", "push_down_leaf_projections"];

/// A costly pass, for operators with no deep expression.
#[derive(Debug)]
struct ShallowRule(Arc<dyn OptimizerRule + Send + Sync>);

impl OptimizerRule for ShallowRule {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        self.0.apply_order()
    }

    fn rewrite(&self, plan: LogicalPlan, config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let deep = match self.0.apply_order() {
            Some(_) => has_deep_expression_itself(&plan)?,
            None => has_deep_expression(&plan)?,
        };
        if deep { Ok(Transformed::no(plan)) } else { self.0.rewrite(plan, config) }
    }
}

/// `base` with costly passes kept from deep expressions.
pub fn optimizer_rules(base: &[Arc<dyn OptimizerRule + Send + Sync>]) -> Vec<Arc<dyn OptimizerRule + Send + Sync>> {
    let shallow = |rule: &Arc<dyn OptimizerRule + Send + Sync>| -> Arc<dyn OptimizerRule + Send + Sync> {
        if COSTLY.contains(&rule.name()) { Arc::new(ShallowRule(Arc::clone(rule))) } else { Arc::clone(rule) }
    };
    base.iter().map(shallow).collect()
}

fn has_deep_expression_itself(node: &LogicalPlan) -> Result<bool> {
    let mut found = false;
    node.apply_expressions(|expr| {
        found = found || is_deeper(expr, MAX_DEPTH)?;
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(found)
}

fn has_deep_expression(plan: &LogicalPlan) -> Result<bool> {
    let mut found = false;
    plan.apply_with_subqueries(|node| {
        found = has_deep_expression_itself(node)?;
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
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
    fn costly_passes_are_known_by_name() {
        let base = datafusion::optimizer::Optimizer::new().rules;
        let names: Vec<&str> = base.iter().map(|r| r.name()).collect();
        assert!(COSTLY.iter().all(|costly| names.contains(costly)), "{names:?}");
        let ours = optimizer_rules(&base);
        assert_eq!(ours.iter().map(|r| r.name()).collect::<Vec<_>>(), names);
    }

    #[test]
    fn depth_is_measured_along_the_deepest_branch() -> Result<()> {
        for (levels, deep) in [(1, false), (MAX_DEPTH - 2, false), (MAX_DEPTH, true), (10 * MAX_DEPTH, true)] {
            let sum = (0..levels).fold(col("a"), |sum, _| lit(1) + sum);
            assert_eq!(is_deeper(&sum, MAX_DEPTH)?, deep, "{levels}");
        }
        Ok(())
    }
}
