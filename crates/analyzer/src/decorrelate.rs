//! Correlated subqueries that DataFusion's own rules do not turn into joins.
//!
//! The subquery is computed once for every distinct combination of the outer values it uses: these
//! values (the *domain*) are joined to its leaves and carried up through every operator, and the result
//! is joined back to the outer rows. After T. Neumann and A. Kemper, "Unnesting Arbitrary Queries",
//! BTW 2015. In filters DataFusion's rules come first, as their plans are cheaper: see [`is_hard`]. It plans
//! `EXISTS` and `IN` nowhere else, so that in other places all of them are computed here.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, JoinType, NullEquality};
use datafusion::logical_expr::builder::unnest_with_options;
use datafusion::logical_expr::expr::{Exists, InSubquery, WindowFunction, WindowFunctionParams};
use datafusion::logical_expr::{
    Aggregate, Distinct, Expr, Filter, Join, JoinConstraint, Limit, LogicalPlan, LogicalPlanBuilder, Operator, Sort,
    Subquery, Union, Unnest, Window, binary_expr, lit, not,
};
use datafusion::scalar::ScalarValue;
use functions::error::from_datafusion;
use functions::recursion::Recursion;
use spark::{Error, Result};

use crate::context::Analyzer;
use crate::scope::{Made, Rel, project};

/// A plan that carries the domain: for each outer column, the column that holds its value.
struct Pushed {
    plan: LogicalPlan,
    map: HashMap<String, String>,
}

/// The distinct outer values.
struct Domain {
    plan: LogicalPlan,
    /// Names of the outer columns, which are also the plan's.
    columns: Vec<String>,
}

/// Where expressions with subqueries stand.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Place {
    /// A filter's predicate: DataFusion plans most subqueries there.
    Filter,
    /// Anywhere else.
    Value,
    /// Below an operator that plans no correlated subquery at all.
    Operand,
}

impl Analyzer<'_> {
    /// `rel` with a column for each subquery in `exprs` that DataFusion could not plan; the expressions
    /// refer to those columns.
    ///
    /// # Errors
    /// If a subquery has an operator that the domain cannot be carried through.
    pub fn lift_subqueries(&mut self, rel: &Rel, exprs: &mut [Expr], place: Place) -> Result<Rel> {
        let mut out = rel.clone();
        for expr in exprs {
            let mut failure = None;
            let start = match place {
                Place::Filter => self.settled(rel, expr)?,
                Place::Value | Place::Operand => expr.clone(),
            };
            let rewritten = start.transform_down(|e| match self.lift(&out, &e, place) {
                Ok(Some((wider, column))) => {
                    out = wider;
                    Ok(Transformed::new(column, true, TreeNodeRecursion::Jump))
                }
                Ok(None) => Ok(Transformed::no(e)),
                Err(error) => {
                    failure.get_or_insert(error);
                    Ok(Transformed::new(e, false, TreeNodeRecursion::Stop))
                }
            });
            if let Some(error) = failure {
                return Err(error);
            }
            *expr = rewritten.map_err(from_datafusion)?.data;
        }
        Ok(out)
    }

    fn lift(&mut self, rel: &Rel, expr: &Expr, place: Place) -> Result<Option<(Rel, Expr)>> {
        match expr {
            // What is read of a round is computed in every round: beside its rows, not before them.
            Expr::ScalarSubquery(s) if s.outer_ref_columns.is_empty() && self.reads_round(&s.subquery) => {
                let value = s.subquery.schema().field(0).name().clone();
                let once = Pushed { plan: s.subquery.as_ref().clone(), map: HashMap::new() };
                self.join_back(rel, once, &value).map(Some)
            }
            Expr::ScalarSubquery(s)
                if (is_hard(&s.subquery, false) || (place == Place::Operand && uses_outer(&s.subquery)))
                    && yields_one_row(&s.subquery) =>
            {
                let pushed = self.unnested(rel, s)?;
                let value = s.subquery.schema().field(0).name().clone();
                let (rel, column) = self.join_back(rel, pushed, &value)?;
                Ok(Some((rel, column)))
            }
            Expr::Exists(e) if place != Place::Filter && !uses_outer(&e.subquery.subquery) => {
                let (rel, found) = self.any_row(rel, &e.subquery.subquery)?;
                Ok(Some((rel, if e.negated { not(found) } else { found })))
            }
            Expr::Exists(e) if place != Place::Filter || is_hard(&e.subquery.subquery, true) => {
                let pushed = self.unnested(rel, &e.subquery)?;
                let flag = format!("#{}", self.fresh_id());
                let mut exprs: Vec<Expr> = pushed.map.values().map(column).collect();
                exprs.push(lit(true).alias(flag.clone()));
                let plan = LogicalPlan::Distinct(Distinct::All(Arc::new(project(exprs, &pushed.plan)?)));
                let (rel, column) = self.join_back(rel, Pushed { plan, map: pushed.map }, &flag)?;
                Ok(Some((rel, if e.negated { column.is_null() } else { column.is_not_null() })))
            }
            // A null that is written is in no list: unknown if the list has anything, else false.
            Expr::InSubquery(i) if is_null(&i.expr) && !uses_outer(&i.subquery.subquery) => {
                let (rel, any) = self.any_row(rel, &i.subquery.subquery)?;
                let unknown = lit(ScalarValue::Boolean(None));
                let found =
                    datafusion::logical_expr::when(any, unknown).otherwise(lit(false)).map_err(from_datafusion)?;
                Ok(Some((rel, if i.negated { not(found) } else { found })))
            }
            // Outside a filter's own conditions Spark asks whether there is an equal row, and for `NOT IN`
            // whether there is one that may be: it does not tell unknown from false.
            Expr::Not(inner) if place != Place::Filter || is_correlated_in(inner) => match inner.as_ref() {
                Expr::InSubquery(i) if !i.negated && (!is_null(&i.expr) || uses_outer(&i.subquery.subquery)) => {
                    self.lift_test(rel, i, true, place).map(Some)
                }
                _ => Ok(None),
            },
            Expr::InSubquery(i) if place != Place::Filter || needs_tests(i, i.negated) => {
                self.lift_test(rel, i, i.negated, place).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// The value of an `IN`, or of a `NOT IN`, that stands anywhere.
    fn lift_test(&mut self, rel: &Rel, i: &InSubquery, negated: bool, place: Place) -> Result<(Rel, Expr)> {
        let outcome = if negated { Outcome::NotFalse } else { Outcome::True };
        let found = test(rel, i, outcome)?;
        let mut exprs = [if negated { not(found) } else { found }];
        let place = if place == Place::Filter { Place::Value } else { place };
        let rel = self.lift_subqueries(rel, &mut exprs, place)?;
        let [value] = exprs;
        Ok((rel, value))
    }

    /// A filter in which every `IN` that DataFusion would not plan is the test for what makes the filter
    /// true, where it stands alone.
    fn settled(&mut self, rel: &Rel, predicate: &Expr) -> Result<Expr> {
        let mut out = Vec::new();
        let predicate = &denials_inside(predicate, false);
        for conjunct in conjuncts(predicate) {
            let (inner, denied) = match conjunct {
                Expr::Not(inner) => (inner.as_ref(), true),
                other => (other, false),
            };
            out.push(match inner {
                Expr::InSubquery(i) if needs_tests(i, i.negated != denied) => match i.negated != denied {
                    false => test(rel, i, Outcome::True)?,
                    true => not(test(rel, i, Outcome::NotFalse)?),
                },
                Expr::InSubquery(_) => conjunct.clone(),
                _ => denials_tested(rel, conjunct)?,
            });
        }
        Ok(out.into_iter().reduce(Expr::and).unwrap_or_else(|| predicate.clone()))
    }

    /// True if a plan without outer columns has rows.
    fn any_row(&mut self, rel: &Rel, plan: &LogicalPlan) -> Result<(Rel, Expr)> {
        let one =
            LogicalPlan::Limit(Limit { skip: None, fetch: Some(Box::new(lit(1i64))), input: Arc::new(plan.clone()) });
        let (count, flag) = (format!("#{}", self.fresh_id()), format!("#{}", self.fresh_id()));
        let counted = datafusion::functions_aggregate::count::count(lit(1i64)).alias(count.clone());
        let aggregate = Aggregate::try_new(Arc::new(one), vec![], vec![counted]).map_err(from_datafusion)?;
        let has = column(&count).gt(lit(0i64)).alias(flag);
        let plan = project(vec![has], &LogicalPlan::Aggregate(aggregate))?;
        let query = Expr::ScalarSubquery(crate::expr::subquery::make(plan, &[]));
        Ok(self.lift(rel, &query, Place::Value)?.unwrap_or_else(|| (rel.clone(), query)))
    }

    /// The plan of a scalar subquery as one that has one row, or fails.
    ///
    /// # Errors
    /// If the plan cannot be built: a defect.
    pub fn one_value(
        &mut self,
        plan: LogicalPlan,
        ty: &spark::DataType,
        origin: Option<&Arc<spark::Origin>>,
    ) -> Result<LogicalPlan> {
        let known = always_has_a_row(&plan) || plan.schema().field(0).is_nullable();
        if known && yields_one_row(&plan) {
            return Ok(plan);
        }
        let [value, count, result] = [0; 3].map(|_| format!("#{}", self.fresh_id()));
        let name = plan.schema().field(0).name().clone();
        let first = datafusion::functions_aggregate::first_last::first_value(column(name), vec![]);
        let rows = datafusion::functions_aggregate::count::count(lit(1i64));
        let aggregates = vec![first.alias(value.clone()), rows.alias(count.clone())];
        let aggregate = Aggregate::try_new(Arc::new(plan), vec![], aggregates).map_err(from_datafusion)?;
        let checked = functions::families::one_row::only_row(column(value), column(count), ty, origin);
        project(vec![checked.alias(result)], &LogicalPlan::Aggregate(aggregate))
    }

    /// The right side of a lateral join as rows of its own, and what they have in common with the rows
    /// of `left`.
    ///
    /// # Errors
    /// If the domain cannot be carried through an operator of the right side.
    pub fn lateral_side(&mut self, left: &Rel, subquery: &Subquery) -> Result<(LogicalPlan, Option<Expr>)> {
        let pushed = self.unnested(left, subquery)?;
        let on = pushed.map.iter().map(|(outer, inner)| same(column(outer), column(inner))).reduce(Expr::and);
        Ok((pushed.plan, on))
    }

    fn unnested(&mut self, rel: &Rel, subquery: &Subquery) -> Result<Pushed> {
        let columns: Vec<String> = subquery
            .outer_ref_columns
            .iter()
            .filter_map(|e| match e {
                Expr::OuterReferenceColumn(_, c) => Some(c.name.clone()),
                _ => None,
            })
            .collect();
        let values = project(columns.iter().map(column).collect(), &rel.plan)?;
        let domain = Domain { plan: LogicalPlan::Distinct(Distinct::All(Arc::new(values))), columns };
        self.push(&subquery.subquery, &domain)
    }

    /// `rel LEFT JOIN pushed` on the outer values; `value` is the column wanted of it.
    fn join_back(&mut self, rel: &Rel, pushed: Pushed, value: &str) -> Result<(Rel, Expr)> {
        let result = format!("#{}", self.fresh_id());
        let mut exprs: Vec<Expr> = pushed.map.values().map(column).collect();
        exprs.push(column(value).alias(result.clone()));
        let right = project(exprs, &pushed.plan)?;
        let on = pushed.map.iter().map(|(outer, inner)| same(column(outer), column(inner)));
        let plan = join(rel.plan.clone(), right, JoinType::Left, on.reduce(Expr::and))?;
        let mut out = Rel::new(plan, rel.output.clone(), Made::Opaque, &[rel]);
        out.hidden = rel.hidden.clone();
        out.tree = rel.tree.clone();
        Ok((out, column(&result)))
    }

    /// The domain under names of its own.
    fn instance(&mut self, domain: &Domain) -> Result<Pushed> {
        let map: HashMap<String, String> =
            domain.columns.iter().map(|c| (c.clone(), format!("#{}", self.fresh_id()))).collect();
        let exprs = domain.columns.iter().map(|c| column(c).alias(map[c].clone())).collect();
        Ok(Pushed { plan: project(exprs, &domain.plan)?, map })
    }

    fn push(&mut self, plan: &LogicalPlan, domain: &Domain) -> Result<Pushed> {
        if !uses_outer(plan) {
            let pushed = self.instance(domain)?;
            let plan = join(pushed.plan, plan.clone(), JoinType::Inner, None)?;
            return Ok(Pushed { plan, map: pushed.map });
        }
        match plan {
            LogicalPlan::Filter(f) => {
                let below = self.push(&f.input, domain)?;
                let predicate = bind(f.predicate.clone(), &below.map)?;
                let filter = Filter::try_new(predicate, Arc::new(below.plan)).map_err(from_datafusion)?;
                Ok(Pushed { plan: LogicalPlan::Filter(filter), map: below.map })
            }
            LogicalPlan::Projection(p) => {
                let below = self.push(&p.input, domain)?;
                let mut exprs = p.expr.iter().map(|e| bind(e.clone(), &below.map)).collect::<Result<Vec<_>>>()?;
                exprs.extend(below.map.values().map(column));
                Ok(Pushed { plan: project(exprs, &below.plan)?, map: below.map })
            }
            LogicalPlan::Aggregate(a) => self.push_aggregate(a, domain),
            LogicalPlan::Distinct(Distinct::All(input)) => {
                let below = self.push(input, domain)?;
                Ok(Pushed { plan: LogicalPlan::Distinct(Distinct::All(Arc::new(below.plan))), map: below.map })
            }
            LogicalPlan::Sort(s) if s.fetch.is_none() => self.push(&s.input, domain),
            LogicalPlan::Limit(l) => self.push_limit(l, domain),
            LogicalPlan::Join(j) => self.push_join(j, domain),
            LogicalPlan::Union(u) => self.push_union(u, domain),
            LogicalPlan::Window(w) => self.push_window(w, domain),
            LogicalPlan::Unnest(u) => self.push_unnest(u, domain),
            plan if Recursion::is(plan) => Err(Error::analysis(
                "UNSUPPORTED_SUBQUERY_EXPRESSION_CATEGORY.ACCESSING_OUTER_QUERY_COLUMN_IS_NOT_ALLOWED",
            )
            .with_message("A recursive query cannot use outer columns.")),
            other => Err(Error::analysis(
                "UNSUPPORTED_SUBQUERY_EXPRESSION_CATEGORY.UNSUPPORTED_CORRELATED_SUBQUERY_IN_JOIN_CONDITION",
            )
            .with_message(format!("A correlated subquery cannot use outer columns below {}.", operator(other)))),
        }
    }

    fn push_aggregate(&mut self, a: &Aggregate, domain: &Domain) -> Result<Pushed> {
        let below = self.push(&a.input, domain)?;
        let mut group = a.group_expr.iter().map(|e| bind(e.clone(), &below.map)).collect::<Result<Vec<_>>>()?;
        let mut aggregates = a.aggr_expr.iter().map(|e| bind(e.clone(), &below.map)).collect::<Result<Vec<_>>>()?;
        let (input, map) = if a.group_expr.is_empty() {
            // Without grouping there is a row even where no input row is: an aggregate over no rows.
            let all = self.instance(domain)?;
            let present = format!("#{}", self.fresh_id());
            let mut exprs: Vec<Expr> = below.plan.schema().fields().iter().map(|f| column(f.name())).collect();
            exprs.push(lit(true).alias(present.clone()));
            let marked = project(exprs, &below.plan)?;
            let on = domain.columns.iter().map(|c| same(column(&all.map[c]), column(&below.map[c])));
            let joined = join(all.plan, marked, JoinType::Left, on.reduce(Expr::and))?;
            aggregates = aggregates.into_iter().map(|e| where_present(e, &present)).collect::<Result<Vec<_>>>()?;
            (joined, all.map)
        } else {
            (below.plan, below.map)
        };
        group.extend(map.values().map(column));
        let aggregate = Aggregate::try_new(Arc::new(input), group, aggregates).map_err(from_datafusion)?;
        Ok(Pushed { plan: LogicalPlan::Aggregate(aggregate), map })
    }

    /// Window functions see the rows of one combination of outer values.
    fn push_window(&mut self, w: &Window, domain: &Domain) -> Result<Pushed> {
        let below = self.push(&w.input, domain)?;
        let mut exprs: Vec<Expr> = below.plan.schema().fields().iter().map(|f| column(f.name())).collect();
        let mut windows = Vec::new();
        for window in &w.window_expr {
            let name = window.schema_name().to_string();
            let bound = bind(window.clone(), &below.map)?;
            let Expr::WindowFunction(mut f) = bound.unalias() else {
                return Err(Error::internal("a window operator computes window functions"));
            };
            f.params.partition_by.extend(below.map.values().map(column));
            let wider = Expr::WindowFunction(f);
            exprs.push(column(wider.schema_name().to_string()).alias(name));
            windows.push(wider);
        }
        let plan = LogicalPlanBuilder::window_plan(below.plan, windows).map_err(from_datafusion)?;
        Ok(Pushed { plan: project(exprs, &plan)?, map: below.map })
    }

    fn push_unnest(&mut self, u: &Unnest, domain: &Domain) -> Result<Pushed> {
        let below = self.push(&u.input, domain)?;
        let plan =
            unnest_with_options(below.plan, u.exec_columns.clone(), u.options.clone()).map_err(from_datafusion)?;
        Ok(Pushed { plan, map: below.map })
    }

    /// A limit for each combination of outer values: rows are numbered within it.
    fn push_limit(&mut self, l: &Limit, domain: &Domain) -> Result<Pushed> {
        let (order, input) = match &*l.input {
            LogicalPlan::Sort(Sort { expr, input, .. }) => (expr.clone(), input),
            _ => (Vec::new(), &l.input),
        };
        let below = self.push(input, domain)?;
        let number = |e: &Option<Box<Expr>>| match e.as_deref() {
            Some(Expr::Literal(ScalarValue::Int64(Some(n)), _)) => Some(*n),
            _ => None,
        };
        let skip = number(&l.skip).unwrap_or(0);
        let Expr::WindowFunction(w) = datafusion::functions_window::expr_fn::row_number() else {
            return Err(Error::internal("row_number is a window function"));
        };
        let params = WindowFunctionParams {
            partition_by: below.map.values().map(column).collect(),
            order_by: order,
            ..w.params
        };
        let window = Expr::WindowFunction(Box::new(WindowFunction { fun: w.fun, params }));
        let n = datafusion::logical_expr::cast(column(window.schema_name().to_string()), arrow_schema::DataType::Int64);
        let numbered = LogicalPlanBuilder::window_plan(below.plan, vec![window]).map_err(from_datafusion)?;
        let mut keep = n.clone().gt(lit(skip));
        if let Some(fetch) = number(&l.fetch) {
            keep = keep.and(n.lt_eq(lit(skip.saturating_add(fetch))));
        }
        let filter = Filter::try_new(keep, Arc::new(numbered)).map_err(from_datafusion)?;
        Ok(Pushed { plan: LogicalPlan::Filter(filter), map: below.map })
    }

    fn push_join(&mut self, j: &Join, domain: &Domain) -> Result<Pushed> {
        let right_first = j.join_type == JoinType::Right || (j.join_type == JoinType::Inner && !uses_outer(&j.left));
        if j.join_type == JoinType::Full {
            return Err(Error::analysis(
                "UNSUPPORTED_SUBQUERY_EXPRESSION_CATEGORY.ACCESSING_OUTER_QUERY_COLUMN_IS_NOT_ALLOWED",
            )
            .with_message("A correlated subquery cannot use outer columns below a full outer join."));
        }
        let (carrier, other) = if right_first { (&j.right, &j.left) } else { (&j.left, &j.right) };
        let carried = self.push(carrier, domain)?;
        let filter = j.filter.clone().map(|f| bind(f, &carried.map)).transpose()?;
        let mut conditions: Vec<Expr> = filter.into_iter().collect();
        conditions.extend(j.on.iter().map(|(l, r)| l.clone().eq(r.clone())));
        let other = if uses_outer(other) {
            let pushed = self.push(other, domain)?;
            conditions.extend(domain.columns.iter().map(|c| same(column(&carried.map[c]), column(&pushed.map[c]))));
            pushed.plan
        } else {
            (**other).clone()
        };
        let (l, r) = if right_first { (other, carried.plan) } else { (carried.plan, other) };
        let plan = join(l, r, j.join_type, conditions.into_iter().reduce(Expr::and))?;
        Ok(Pushed { plan, map: carried.map })
    }

    fn push_union(&mut self, u: &Union, domain: &Domain) -> Result<Pushed> {
        let map: HashMap<String, String> =
            domain.columns.iter().map(|c| (c.clone(), format!("#{}", self.fresh_id()))).collect();
        let mut inputs = Vec::new();
        for input in &u.inputs {
            let pushed = self.push(input, domain)?;
            let mut exprs: Vec<Expr> = u.schema.fields().iter().map(|f| column(f.name())).collect();
            exprs.extend(domain.columns.iter().map(|c| column(&pushed.map[c]).alias(map[c].clone())));
            inputs.push(Arc::new(project(exprs, &pushed.plan)?));
        }
        let union = Union::try_new(inputs).map_err(from_datafusion)?;
        Ok(Pushed { plan: LogicalPlan::Union(union), map })
    }
}

/// True if DataFusion's rules leave the subquery as it is: they pull up filters on outer columns, and
/// above an aggregation or a limit only equalities.
pub(crate) fn is_hard(plan: &LogicalPlan, exists: bool) -> bool {
    hard_below(plan, !exists)
}

fn hard_below(plan: &LogicalPlan, only_equalities: bool) -> bool {
    if !uses_outer(plan) {
        return false;
    }
    let own = plan.expressions().iter().any(mentions_outer);
    let own_is_hard = match plan {
        LogicalPlan::Filter(f) => only_equalities && !conjuncts(&f.predicate).iter().all(|c| is_pullable(c)),
        _ => own,
    };
    let strict = only_equalities
        || matches!(
            plan,
            LogicalPlan::Aggregate(_) | LogicalPlan::Limit(_) | LogicalPlan::Distinct(_) | LogicalPlan::Window(_)
        );
    let blocked = match plan {
        LogicalPlan::Union(_) | LogicalPlan::Limit(_) | LogicalPlan::Window(_) | LogicalPlan::Unnest(_) => true,
        LogicalPlan::Join(j) => j.join_type != JoinType::Inner,
        // Without keys there is a row even of no rows.
        LogicalPlan::Aggregate(a) => !exists_only_plain(a) || (!only_equalities && a.group_expr.is_empty()),
        _ => false,
    };
    own_is_hard || blocked || plan.inputs().iter().any(|i| hard_below(i, strict))
}

/// True for aggregates whose value over no rows DataFusion knows: null, or 0 for `count`.
fn exists_only_plain(a: &Aggregate) -> bool {
    a.aggr_expr.iter().all(|e| match e.clone().unalias() {
        Expr::AggregateFunction(f) => matches!(f.func.name(), "count" | "sum" | "avg" | "min" | "max"),
        _ => false,
    })
}

/// What a test of membership asks of the comparison.
#[derive(Clone, Copy, PartialEq)]
enum Outcome {
    True,
    NotFalse,
}

/// The predicate with every `NOT` of an `AND` or `OR` that has an `IN` moved to its operands.
fn denials_inside(expr: &Expr, denied: bool) -> Expr {
    match expr {
        Expr::Not(inner) if has_in(inner) => denials_inside(inner, !denied),
        Expr::BinaryExpr(b) if matches!(b.op, Operator::And | Operator::Or) && has_in(expr) => {
            let op = match (b.op, denied) {
                (Operator::And, false) | (Operator::Or, true) => Operator::And,
                _ => Operator::Or,
            };
            binary_expr(denials_inside(&b.left, denied), op, denials_inside(&b.right, denied))
        }
        _ if denied => not(expr.clone()),
        _ => expr.clone(),
    }
}

fn has_in(expr: &Expr) -> bool {
    match expr {
        Expr::InSubquery(_) => true,
        Expr::Not(inner) => has_in(inner),
        Expr::BinaryExpr(b) => has_in(&b.left) || has_in(&b.right),
        _ => false,
    }
}

fn is_correlated_in(expr: &Expr) -> bool {
    matches!(expr, Expr::InSubquery(i) if uses_outer(&i.subquery.subquery))
}

/// True for an `IN` that DataFusion's rules would leave as it is: of several columns, or too correlated. For
/// one that is denied any column of the outer query is too many: its join compares one key.
fn needs_tests(i: &InSubquery, denied: bool) -> bool {
    if denied && uses_outer(&i.subquery.subquery) {
        return true;
    }
    if is_null(&i.expr) && !uses_outer(&i.subquery.subquery) {
        return false;
    }
    i.subquery.subquery.schema().fields().len() > 1
        || i.expr.column_refs().is_empty()
        || is_hard(&i.subquery.subquery, true)
}

/// A condition of a filter with each `NOT IN` inside it as the test whether there is a row that may be equal:
/// DataFusion would ask for one that is.
fn denials_tested(rel: &Rel, condition: &Expr) -> Result<Expr> {
    let mut failure = None;
    let tested = condition.clone().transform_down(|e| match &e {
        Expr::InSubquery(i) if i.negated && !is_null(&i.expr) => match test(rel, i, Outcome::NotFalse) {
            Ok(found) => Ok(Transformed::new(not(found), true, TreeNodeRecursion::Jump)),
            Err(error) => {
                failure.get_or_insert(error);
                Ok(Transformed::new(e, false, TreeNodeRecursion::Stop))
            }
        },
        _ => Ok(Transformed::no(e)),
    });
    match failure {
        Some(error) => Err(error),
        None => tested.map(|t| t.data).map_err(from_datafusion),
    }
}

fn is_null(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(v, _) => v.is_null(),
        Expr::Cast(c) => is_null(&c.expr),
        _ => false,
    }
}

/// `EXISTS (rows of the subquery for which the comparison has that outcome)`.
fn test(rel: &Rel, i: &InSubquery, outcome: Outcome) -> Result<Expr> {
    let plan = &i.subquery.subquery;
    let rights: Vec<Expr> = plan.schema().fields().iter().map(|f| column(f.name())).collect();
    let lefts = match (rights.len(), i.expr.as_ref()) {
        (1, left) => vec![left.clone()],
        // Several columns are packed as a struct, perhaps with their names.
        (n, Expr::ScalarFunction(f)) if f.args.len() == n => f.args.clone(),
        (_, Expr::ScalarFunction(f)) => f.args.iter().skip(1).step_by(2).cloned().collect(),
        _ => return Err(Error::internal("several columns are compared as a struct")),
    };
    let mut outer = i.subquery.outer_ref_columns.clone();
    let mut all: Option<Expr> = None;
    for (left, right) in lefts.into_iter().zip(rights) {
        let equal = binary_expr(right, Operator::Eq, as_outer(left, rel, &mut outer)?);
        all = Some(match all {
            None => equal,
            Some(before) => before.and(equal),
        });
    }
    let equal = all.unwrap_or_else(|| lit(true));
    let predicate = match outcome {
        Outcome::True => equal,
        Outcome::NotFalse => equal.is_not_false(),
    };
    let filter = Filter::try_new(predicate, plan.clone()).map_err(from_datafusion)?;
    let subquery = Subquery {
        subquery: Arc::new(LogicalPlan::Filter(filter)),
        outer_ref_columns: outer,
        spans: i.subquery.spans.clone(),
    };
    Ok(Expr::Exists(Exists::new(subquery, false)))
}

/// An expression over `rel` as one of its subqueries sees it.
fn as_outer(expr: Expr, rel: &Rel, outer: &mut Vec<Expr>) -> Result<Expr> {
    expr.transform(|e| match e {
        Expr::Column(c) => {
            let field = rel.plan.schema().field_with_unqualified_name(&c.name)?;
            let seen = Expr::OuterReferenceColumn(field.clone(), c);
            if !outer.contains(&seen) {
                outer.push(seen.clone());
            }
            Ok(Transformed::yes(seen))
        }
        other => Ok(Transformed::no(other)),
    })
    .map(|t| t.data)
    .map_err(from_datafusion)
}

/// An aggregate of the rows where `present` is not null only.
fn where_present(aggregate: Expr, present: &str) -> Result<Expr> {
    aggregate
        .transform_down(|e| match e {
            Expr::AggregateFunction(mut f) => {
                let here = column(present).is_not_null();
                f.params.filter = Some(Box::new(match f.params.filter.take() {
                    Some(filter) => here.and(*filter),
                    None => here,
                }));
                Ok(Transformed::new(Expr::AggregateFunction(f), true, TreeNodeRecursion::Jump))
            }
            other => Ok(Transformed::no(other)),
        })
        .map(|t| t.data)
        .map_err(from_datafusion)
}

/// True if the plan has a row whatever its input: an aggregation without groups.
pub(crate) fn always_has_a_row(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Projection(p) => always_has_a_row(&p.input),
        LogicalPlan::Sort(s) => always_has_a_row(&s.input),
        LogicalPlan::Aggregate(a) => a.group_expr.is_empty(),
        _ => false,
    }
}

/// An equality between an inner and an outer column, or a condition without outer columns.
fn is_pullable(conjunct: &Expr) -> bool {
    if !mentions_outer(conjunct) {
        return true;
    }
    match conjunct {
        Expr::BinaryExpr(b) if b.op == Operator::Eq => {
            let plain = |e: &Expr| matches!(e, Expr::Column(_));
            let outer = |e: &Expr| mentions_outer(e) && e.column_refs().is_empty();
            (plain(&b.left) && outer(&b.right)) || (outer(&b.left) && plain(&b.right))
        }
        _ => false,
    }
}

fn conjuncts(expr: &Expr) -> Vec<&Expr> {
    match expr {
        Expr::BinaryExpr(b) if b.op == Operator::And => {
            let mut out = conjuncts(&b.left);
            out.extend(conjuncts(&b.right));
            out
        }
        other => vec![other],
    }
}

/// True if the plan yields at most one row for given outer values: an aggregation without groups, below
/// projections and filters, or a limit of one.
fn yields_one_row(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Projection(p) => yields_one_row(&p.input),
        LogicalPlan::Filter(f) => yields_one_row(&f.input),
        LogicalPlan::Sort(s) => yields_one_row(&s.input),
        LogicalPlan::Aggregate(a) => a.group_expr.is_empty(),
        LogicalPlan::EmptyRelation(_) => true,
        LogicalPlan::Limit(l) => {
            matches!(l.fetch.as_deref(), Some(Expr::Literal(ScalarValue::Int64(Some(n)), _)) if *n <= 1)
        }
        _ => false,
    }
}

pub(crate) fn uses_outer(plan: &LogicalPlan) -> bool {
    plan.exists(|p| Ok(p.expressions().iter().any(mentions_outer))).unwrap_or(false)
}

pub(crate) fn mentions_outer(expr: &Expr) -> bool {
    expr.exists(|e| Ok(matches!(e, Expr::OuterReferenceColumn(..)))).unwrap_or(false)
}

/// An expression of a subquery as one of the query around it.
pub(crate) fn as_own(expr: &Expr) -> Expr {
    let own = expr.clone().transform(|e| match e {
        Expr::OuterReferenceColumn(_, c) => Ok(Transformed::yes(Expr::Column(c))),
        other => Ok(Transformed::no(other)),
    });
    own.map(|t| t.data).unwrap_or_else(|_| expr.clone())
}

/// A printed expression with `outer(t.a)` shown as `a`.
pub(crate) fn without_outer(printed: &str) -> String {
    let mut out = String::new();
    let mut rest = printed;
    while let Some((before, after)) = rest.split_once("outer(") {
        let Some((path, tail)) = after.split_once(')') else { break };
        out.push_str(before);
        out.push_str(path.rsplit('.').next().unwrap_or(path));
        rest = tail;
    }
    out.push_str(rest);
    out
}

/// The outer columns that a plan uses, each as often as it does and in the order of its operators.
pub(crate) fn outer_occurrences(plan: &LogicalPlan) -> Vec<String> {
    let mut out = Vec::new();
    let _ = plan.apply(|p| {
        for expr in p.expressions() {
            let _ = expr.apply(|e| {
                if let Expr::OuterReferenceColumn(_, c) = e {
                    out.push(c.name.clone());
                }
                Ok(TreeNodeRecursion::Continue)
            });
        }
        Ok(TreeNodeRecursion::Continue)
    });
    out
}

/// `expr` with outer columns replaced by the columns that carry their values.
fn bind(expr: Expr, map: &HashMap<String, String>) -> Result<Expr> {
    expr.transform(|e| match &e {
        Expr::OuterReferenceColumn(_, c) => match map.get(&c.name) {
            Some(name) => Ok(Transformed::yes(column(name))),
            None => Ok(Transformed::no(e)),
        },
        _ => Ok(Transformed::no(e)),
    })
    .map(|t| t.data)
    .map_err(from_datafusion)
}

fn column(name: impl AsRef<str>) -> Expr {
    Expr::Column(Column::new_unqualified(name.as_ref()))
}

/// Equal, or both null.
fn same(left: Expr, right: Expr) -> Expr {
    binary_expr(left, Operator::IsNotDistinctFrom, right)
}

fn join(left: LogicalPlan, right: LogicalPlan, kind: JoinType, filter: Option<Expr>) -> Result<LogicalPlan> {
    let filter = filter.or_else(|| (kind != JoinType::Inner).then(|| lit(true)));
    Join::try_new(
        Arc::new(left),
        Arc::new(right),
        vec![],
        filter,
        kind,
        JoinConstraint::On,
        NullEquality::NullEqualsNothing,
        false,
    )
    .map(LogicalPlan::Join)
    .map_err(from_datafusion)
}

fn operator(plan: &LogicalPlan) -> String {
    plan.display().to_string().split([':', ' ']).next().unwrap_or_default().to_string()
}
