//! `ORDER BY` and its kin.

use std::sync::Arc;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{Expr as DfExpr, LogicalPlan, Sort as DfSort};
use spark::expr::SortOrder;
use spark::plan::SortKeys;
use spark::{Error, Expr, Plan, Result};

use crate::context::Analyzer;
use crate::expr::Scope;
use crate::expr::window::{Order, contains_window};
use crate::relation::aggregate::{Grouped, contains_aggregate};
use crate::scope::{Made, Rel};

impl Analyzer<'_> {
    pub(super) fn sort(&mut self, input: &Plan, keys: &SortKeys, global: bool) -> Result<Rel> {
        let rel = self.relation(input)?;
        let sorted = self.sort_keys(&rel, keys)?;
        Ok(if global { sorted } else { self.sorted_within(sorted) })
    }

    fn sort_keys(&mut self, rel: &Rel, keys: &SortKeys) -> Result<Rel> {
        self.refuse_round(rel)?;
        if let SortKeys::Keys(keys) = keys {
            let exprs: Vec<Expr> = keys.iter().map(|k| k.child.clone()).collect();
            if let Some(windowed) = self.time_windows(rel, &exprs)? {
                let keys: Vec<SortOrder> =
                    keys.iter().zip(windowed.exprs).map(|(k, child)| SortOrder { child, ..k.clone() }).collect();
                return self.sort_rel(&windowed.rel, &keys);
            }
        }
        match keys {
            SortKeys::All { ascending, nulls_first } => {
                let columns: Vec<_> = rel.output.iter().map(|a| a.typed()).collect();
                let orders =
                    columns.into_iter().map(|t| self.order(t, *ascending, *nulls_first)).collect::<Result<Vec<_>>>()?;
                Ok(sorted(rel, rel, &orders))
            }
            SortKeys::Keys(keys) => self.sort_rel(rel, keys),
        }
    }

    /// `rel ORDER BY keys`: keys may use columns and aggregates that were not selected.
    ///
    /// # Errors
    /// As the keys; `ORDER_BY_POS_OUT_OF_RANGE`.
    pub fn sort_rel(&mut self, rel: &Rel, keys: &[SortOrder]) -> Result<Rel> {
        let keys = self.ordinals(rel, keys)?;
        if let Made::Aggregate(grouped) = &*rel.made {
            let grouped = (**grouped).clone();
            let own = self.without_outer_queries(|this| this.sort_groups(rel, grouped.clone(), &keys));
            return match own {
                Some(sorted) => sorted,
                None => self.sort_groups(rel, grouped, &keys),
            };
        }
        let (orders, source) = self.resolve_reaching(rel, "ORDER BY", |this, scope| this.orders(&keys, scope))?;
        refuse_subqueries(&orders)?;
        self.refuse_outer_orders(&orders)?;
        if let Some(order) = orders.iter().find(|o| contains_window(&o.typed.expr)) {
            return Err(window_in_sort(&order.typed.name));
        }
        Ok(sorted(&source, rel, &orders))
    }

    /// A sort inside a subquery has no columns of the enclosing query.
    fn refuse_outer_orders(&self, orders: &[Order]) -> Result<()> {
        let outer = orders.iter().filter(|o| crate::decorrelate::mentions_outer(&o.typed.expr));
        let shown: Vec<String> =
            outer.map(|o| format!("\"{}\"", crate::decorrelate::without_outer(&o.name()))).collect();
        match shown.is_empty() {
            true => Ok(()),
            false => Err(Error::analysis("UNSUPPORTED_SUBQUERY_EXPRESSION_CATEGORY.CORRELATED_REFERENCE")
                .param("sqlExprs", shown.join(","))),
        }
    }

    /// Sorts an aggregation. What is not among its output is computed as more columns of it.
    fn sort_groups(&mut self, rel: &Rel, mut grouped: Grouped, keys: &[SortOrder]) -> Result<Rel> {
        let plain = self.orders(keys, &mut Scope::new(rel, "ORDER BY"));
        match plain {
            Ok(orders)
                if !orders.iter().any(|o| contains_aggregate(&o.typed.expr) || contains_window(&o.typed.expr)) =>
            {
                refuse_subqueries(&orders)?;
                return Ok(sorted(rel, rel, &orders));
            }
            Err(e) if !self.needs.is_empty() => {
                // A variable was asked for in vain if the aggregation's input has the column.
                let before = self.needs.len();
                self.needs.retain(|n| !matches!(n, crate::Need::Variable(_)));
                if self.needs.len() == before {
                    return Err(e);
                }
            }
            _ => {}
        }
        let mut orders = self.over_selected(&grouped, "ORDER BY", |this, scope| this.orders(keys, scope))?;
        // Named by its alias a window is selected; written out it would have to be computed for the sort.
        let written = |key: &SortOrder| matches!(key.child.unpositioned(), Expr::Window { .. });
        if let Some((_, order)) = keys.iter().zip(&orders).find(|(key, _)| written(key)) {
            return Err(window_in_sort(&order.typed.name));
        }
        let first = grouped.values.len();
        for order in &orders {
            let mut typed = order.typed.clone();
            typed.expr = self
                .over_output(typed.expr, &mut grouped, rel)
                .map_err(|e| crate::expr::attribute::at_column(e, keys.iter().map(|k| &k.child)))?;
            let name = typed.name.clone();
            grouped.values.push((typed, None, name));
        }
        let wide = self.build_grouped(grouped)?;
        for (i, order) in orders.iter_mut().enumerate() {
            order.typed = wide.output[first + i].typed();
        }
        Ok(sorted(&wide, rel, &orders))
    }

    /// Keys with positions replaced by the columns they stand for.
    fn ordinals(&mut self, rel: &Rel, keys: &[SortOrder]) -> Result<Vec<SortOrder>> {
        keys.iter()
            .map(|key| {
                let Expr::Literal(spark::Literal::Integer(n)) = key.child.unpositioned() else {
                    return Ok(key.clone());
                };
                if !self.settings.order_by_ordinal {
                    return Ok(key.clone());
                }
                let attr = usize::try_from(*n).ok().and_then(|n| n.checked_sub(1)).and_then(|i| rel.output.get(i));
                let Some(attr) = attr.cloned() else {
                    let error = Error::analysis("ORDER_BY_POS_OUT_OF_RANGE")
                        .param("index", n.to_string())
                        .param("size", rel.output.len().to_string());
                    return Err(match &key.child {
                        Expr::At { origin, .. } => error.at(Some(origin)),
                        _ => error,
                    });
                };
                let bound = crate::expr::list::Bound { typed: attr.typed(), attr: Some(attr) };
                Ok(SortOrder { child: self.bound(bound), ..key.clone() })
            })
            .collect()
    }

    pub(super) fn qualify(&mut self, input: &Plan, condition: &Expr) -> Result<Rel> {
        let rel = self.relation(input)?;
        let selected: &[Expr] = match &input.node {
            spark::Node::Project { exprs, .. } => exprs,
            spark::Node::Aggregate(aggregate) => &aggregate.aggregates,
            _ => &[],
        };
        if !selected.iter().chain([condition]).any(has_window) {
            return Err(Error::analysis("QUALIFY_REQUIRES_WINDOW_FUNCTION")
                .with_message("QUALIFY filters by window functions, and there is none here or in the select list.")
                .nowhere());
        }
        let (typed, source) = self.resolve_reaching(&rel, "QUALIFY", |this, scope| this.condition(condition, scope))?;
        let mut values: Vec<_> = source.output.iter().map(|a| (a.typed(), Some(a.clone()), a.name.clone())).collect();
        values.push((typed, None, "qualify".into()));
        let wide = self.project_values(&source, values)?;
        let Some(flag) = wide.output.last().map(|a| a.typed()) else {
            return Err(Error::internal("the condition is a column"));
        };
        self.filter_typed(&wide, flag, &rel)
    }
}

/// True if a window function is written in `expr`.
fn has_window(expr: &Expr) -> bool {
    match expr {
        Expr::Window { .. } => true,
        Expr::At { child, .. }
        | Expr::Alias { child, .. }
        | Expr::Cast { child, .. }
        | Expr::ExtractValue { child, .. } => has_window(child),
        Expr::Function(f) => f.args.iter().any(has_window),
        Expr::Row(values) => values.iter().any(has_window),
        // What is not spelled out here cannot be looked into.
        Expr::Text(_) | Expr::Identifier { .. } => true,
        _ => false,
    }
}

/// Rows are not sorted by `EXISTS` and `IN`, nor by values of correlated queries.
fn refuse_subqueries(orders: &[Order]) -> Result<()> {
    let mut sub = None;
    for order in orders {
        let _ = order.typed.expr.apply(|e| {
            match e {
                DfExpr::ScalarSubquery(s) if !s.outer_ref_columns.is_empty() => {
                    sub.get_or_insert("UNSUPPORTED_CORRELATED_SCALAR_SUBQUERY");
                }
                DfExpr::Exists(_) | DfExpr::InSubquery(_) => {
                    sub.get_or_insert("UNSUPPORTED_IN_EXISTS_SUBQUERY");
                }
                _ => {}
            }
            Ok(TreeNodeRecursion::Continue)
        });
    }
    match sub {
        None => Ok(()),
        Some(sub) => Err(Error::analysis(format!("UNSUPPORTED_SUBQUERY_EXPRESSION_CATEGORY.{sub}"))
            .with_message("Rows cannot be sorted by such a subquery; select it and sort by its name.")),
    }
}

fn window_in_sort(printed: &str) -> Error {
    Error::analysis("UNSUPPORTED_EXPR_FOR_OPERATOR")
        .param("operator", "Sort")
        .param("invalidExprSqls", crate::relation::group_check::windows_printed(printed))
}

/// `source` sorted, showing the columns of `shown`.
fn sorted(source: &Rel, shown: &Rel, orders: &[Order]) -> Rel {
    let plan = LogicalPlan::Sort(DfSort {
        expr: orders.iter().map(Order::sort).collect(),
        input: Arc::new(source.plan.clone()),
        fetch: None,
    });
    Rel::new(plan, shown.output.clone(), Made::Pass { input: source.clone() }, &[shown])
        .with_hidden(shown.hidden.clone())
}
