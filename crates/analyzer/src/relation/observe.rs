//! `df.observe`: metrics of the rows that pass a point of the query.

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::Expr as DfExpr;
use functions::Typed;
use functions::observe::Observe;
use spark::{Error, Expr, Plan, Result};

use crate::Observation;
use crate::context::Analyzer;
use crate::expr::Scope;
use crate::expr::list::Item;
use crate::expr::window::contains_window;
use crate::relation::aggregate::contains_aggregate;
use crate::scope::{Made, Rel};

impl Analyzer<'_> {
    pub(super) fn collect_metrics(
        &mut self,
        input: &Plan,
        name: &str,
        metrics: &[Expr],
        plan_id: Option<i64>,
    ) -> Result<Rel> {
        if name.is_empty() {
            return Err(Error::new(spark::ErrorKind::IllegalArgument, "").with_message("An observation needs a name."));
        }
        let rel = self.relation(input)?;
        let items = self.select_list(metrics, &mut Scope::new(&rel, "observe")).map_err(|e| match e.condition() {
            "NESTED_AGGREGATE_FUNCTION" => {
                Error::analysis("INVALID_OBSERVED_METRICS.NESTED_AGGREGATES_UNSUPPORTED").param("expr", name)
            }
            _ => e,
        })?;
        check(&items)?;
        let leaf =
            Rel { plan: Observe::observed(rel.plan.schema()), made: std::rc::Rc::new(Made::Opaque), ..rel.clone() };
        let of_rows = self.metrics(&leaf, metrics)?;
        let observation = Observation {
            id: self.fresh_id(),
            name: name.to_string(),
            schema: of_rows.schema(),
            plan: self.metrics(&rel, metrics)?.exact_plan()?,
            plan_id,
        };
        match self.observations.iter().find(|o| o.name == observation.name) {
            None => {}
            // A DataFrame that is used twice is observed twice; the first observation counts.
            Some(before) if before.plan_id == plan_id && before.schema == observation.schema => return Ok(rel),
            Some(_) => {
                return Err(Error::analysis("DUPLICATED_METRICS_NAME")
                    .param("metricName", name)
                    .with_message(format!("Two sets of observed metrics are called {name}.")));
            }
        }
        let observe = Observe { input: rel.plan.clone(), metrics: of_rows.exact_plan()?, id: observation.id };
        self.observations.push(observation);
        let made = Made::Opaque;
        let mut out = Rel::new(observe.plan(), rel.output.clone(), made, &[&rel]).with_hidden(rel.hidden.clone());
        out.hidden.retain(|a| out.plan.schema().fields().iter().any(|f| f.name() == &a.column_name()));
        Ok(out)
    }

    /// One row of metrics.
    fn metrics(&mut self, rel: &Rel, metrics: &[Expr]) -> Result<Rel> {
        let items = self.select_list(metrics, &mut Scope::new(rel, "observe"))?;
        if items.iter().any(|i| matches!(i, Item::Value { typed, .. } if contains_aggregate(&typed.expr))) {
            return self.global_aggregate(rel, items);
        }
        self.project_items(&super::one_row(), items)
    }
}

/// Refuses what is no metric.
fn check(items: &[Item]) -> Result<()> {
    for item in items {
        let Item::Value { typed, name, attr } = item else {
            return Err(Error::unsupported("a generator among observed metrics"));
        };
        if let Some(sub) = fault(typed) {
            let printed = match attr.is_some() || typed.name == *name {
                true => typed.name.clone(),
                false => format!("{} AS {name}", typed.name),
            };
            return Err(
                Error::analysis(format!("INVALID_OBSERVED_METRICS.{sub}")).param("expr", format!("\"{printed}\""))
            );
        }
    }
    Ok(())
}

/// What is wrong with a metric.
fn fault(typed: &Typed) -> Option<&'static str> {
    if contains_window(&typed.expr) {
        return Some("WINDOW_EXPRESSIONS_UNSUPPORTED");
    }
    let mut found = None;
    let walk = typed.expr.apply(|e| {
        let fault = match e {
            DfExpr::AggregateFunction(f) if f.params.args.iter().any(contains_aggregate) => {
                Some("NESTED_AGGREGATES_UNSUPPORTED")
            }
            DfExpr::AggregateFunction(f) if f.params.distinct => Some("AGGREGATE_EXPRESSION_WITH_DISTINCT_UNSUPPORTED"),
            DfExpr::AggregateFunction(f) if f.params.filter.is_some() => {
                Some("AGGREGATE_EXPRESSION_WITH_FILTER_UNSUPPORTED")
            }
            DfExpr::AggregateFunction(_) => return Ok(TreeNodeRecursion::Jump),
            DfExpr::Column(_) => Some("NON_AGGREGATE_FUNC_ARG_IS_ATTRIBUTE"),
            DfExpr::ScalarFunction(f)
                if f.func.signature().volatility == datafusion::logical_expr::Volatility::Volatile =>
            {
                Some("NON_AGGREGATE_FUNC_ARG_IS_NON_DETERMINISTIC")
            }
            _ => return Ok(TreeNodeRecursion::Continue),
        };
        found = fault;
        Ok(TreeNodeRecursion::Stop)
    });
    walk.ok().and(found)
}
