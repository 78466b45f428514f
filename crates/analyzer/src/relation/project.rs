//! `SELECT`, `WHERE`, aliases, limits and the other operators over one input.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{
    Aggregate, Distinct, DistinctOn, Expr as DfExpr, Filter, Limit, LogicalPlan, LogicalPlanBuilder,
};
use functions::error::from_datafusion;
use functions::families::collation::{is_collated, key_expr};
use functions::families::random::POSITIONAL;
use functions::operators::{Kind, Operator};
use functions::{Generator, KernelUdf, Typed, fold};
use spark::expr::WindowSpec;
use spark::types::DataType;
use spark::{Error, Expr, Plan, Result};

use crate::context::Analyzer;
use crate::decorrelate::Place;
use crate::expr::Scope;
use crate::expr::list::Item;
use crate::expr::window::contains_window;
use crate::relation::aggregate::contains_aggregate;
use crate::scope::{Attr, Made, Rel, project};

impl Analyzer<'_> {
    pub(super) fn project(&mut self, input: &Plan, exprs: &[Expr]) -> Result<Rel> {
        let rel = self.relation(input)?;
        self.project_rel(&rel, exprs)
    }

    /// `SELECT exprs FROM rel`: a global aggregation if an aggregate is among them.
    ///
    /// # Errors
    /// As the expressions.
    pub fn project_rel(&mut self, rel: &Rel, exprs: &[Expr]) -> Result<Rel> {
        if let Some(windowed) = self.time_windows(rel, exprs)? {
            return self.project_windowed(&windowed.rel, &windowed.exprs);
        }
        self.project_windowed(rel, exprs)
    }

    /// As [`Self::project_rel`], where time windows are columns of `rel` already.
    fn project_windowed(&mut self, rel: &Rel, exprs: &[Expr]) -> Result<Rel> {
        let mut scope = Scope::new(rel, "SELECT");
        let items = match self.select_list(exprs, &mut scope) {
            Ok(items) => items,
            Err(e) if e.condition().starts_with("UNRESOLVED_COLUMN") => {
                return self.project_over_generator(rel, exprs)?.ok_or(e);
            }
            Err(e) => return Err(e),
        };
        let aggregates = |item: &Item| match item {
            Item::Value { typed, .. } => contains_aggregate(&typed.expr),
            Item::Generator { generator, .. } => contains_aggregate(&generator.list),
        };
        if items.iter().any(aggregates) {
            return self.global_aggregate(rel, items);
        }
        self.project_items(rel, items)
    }

    /// A select list with a generator whose columns later entries use: the generator goes first.
    fn project_over_generator(&mut self, rel: &Rel, exprs: &[Expr]) -> Result<Option<Rel>> {
        let named = |e: &Expr| match e.unpositioned() {
            Expr::Alias { child, names, .. } => match child.unpositioned() {
                Expr::Function(f) => Some((f.clone(), names.clone())),
                _ => None,
            },
            _ => None,
        };
        if exprs.iter().any(|e| matches!(e.unpositioned(), Expr::Star(_) | Expr::Regex { .. })) {
            return Ok(None);
        }
        for (i, expr) in exprs.iter().enumerate() {
            let Some((call, names)) = named(expr) else { continue };
            let Some(generator) = self.generator(&call, &mut Scope::new(rel, "SELECT"))? else { continue };
            if contains_aggregate(&generator.list) {
                return Ok(None);
            }
            let (generated, columns) = self.generate(rel, generator, &names)?;
            let mut list = exprs[..i].to_vec();
            list.extend(columns.iter().map(|c| Expr::attribute(vec![c.name.clone()])));
            list.extend_from_slice(&exprs[i + 1..]);
            return self.project_windowed(&generated, &list).map(Some);
        }
        Ok(None)
    }

    /// A projection of typed entries; generators and window functions get operators of their own.
    ///
    /// # Errors
    /// `UDTF_ALIAS_NUMBER_MISMATCH`.
    pub fn project_items(&mut self, rel: &Rel, items: Vec<Item>) -> Result<Rel> {
        if items.iter().any(|i| matches!(i, Item::Generator { .. })) {
            return self.project_generators(rel, items);
        }
        let values = items.into_iter().filter_map(|i| match i {
            Item::Value { typed, attr, name } => Some((typed, attr, name)),
            Item::Generator { .. } => None,
        });
        self.project_values(rel, values.collect())
    }

    /// A projection of plain values.
    ///
    /// # Errors
    /// If the plan cannot be built: a defect.
    pub fn project_values(&mut self, rel: &Rel, values: Vec<(Typed, Option<Attr>, String)>) -> Result<Rel> {
        let (rel, values) = self.lift_windows(rel, values)?;
        let (rel, values) = self.lift_values(rel, values)?;
        let mut output = Vec::with_capacity(values.len());
        let mut exprs: Vec<DfExpr> = Vec::with_capacity(values.len());
        let mut seen = std::collections::HashSet::new();
        for (typed, attr, name) in values {
            match attr {
                Some(attr) => {
                    if seen.insert(attr.id) {
                        exprs.push(attr.expr());
                    }
                    output.push(Attr { name, ..attr });
                }
                None => {
                    let attr = self.fresh_attr(name, &typed);
                    exprs.push(typed.expr.alias(attr.column_name()));
                    output.push(attr);
                }
            }
        }
        if let Some((input, merged)) = crate::scope::merged(&rel, &exprs) {
            let plan = crate::scope::project_knowing(merged.clone(), &input.plan, rel.plan.schema())?;
            return Ok(Rel::new(plan, output, Made::Project { input, exprs: merged }, &[&rel]));
        }
        let needed = needed_columns(&exprs);
        let source = rel.with_columns(&needed).unwrap_or_else(|| rel.clone());
        let plan = if exprs.is_empty() {
            // DataFusion keeps the row count of a projection without columns only below operators that ask.
            project(vec![datafusion::logical_expr::lit(true).alias("#0")], &source.plan)?
        } else {
            project(exprs.clone(), &source.plan)?
        };
        Ok(Rel::new(plan, output, Made::Project { input: source, exprs }, &[&rel]))
    }

    /// Computes correlated subqueries in joins of their own, where DataFusion would not.
    #[allow(clippy::type_complexity)]
    fn lift_values(
        &mut self,
        rel: Rel,
        mut values: Vec<(Typed, Option<Attr>, String)>,
    ) -> Result<(Rel, Vec<(Typed, Option<Attr>, String)>)> {
        if !values.iter().any(|(t, _, _)| has_subquery(&t.expr)) {
            return Ok((rel, values));
        }
        let mut exprs: Vec<DfExpr> = values.iter().map(|(t, _, _)| t.expr.clone()).collect();
        let lifted = self.lift_subqueries(&rel, &mut exprs, Place::Value)?;
        for ((typed, _, _), expr) in values.iter_mut().zip(exprs) {
            typed.expr = expr;
        }
        Ok((lifted, values))
    }

    /// Computes window functions in operators of their own, below the projection.
    #[allow(clippy::type_complexity)]
    fn lift_windows(
        &mut self,
        rel: &Rel,
        mut values: Vec<(Typed, Option<Attr>, String)>,
    ) -> Result<(Rel, Vec<(Typed, Option<Attr>, String)>)> {
        if !values.iter().any(|(t, _, _)| contains_window(&t.expr)) {
            return Ok((rel.clone(), values));
        }
        self.refuse_round(rel)?;
        let rel = &self.below_windows(rel, &mut values)?;
        let mut found: Vec<(DfExpr, String)> = Vec::new();
        let mut keys: Vec<(DfExpr, DfExpr)> = Vec::new();
        for (typed, _, _) in &mut values {
            let expr = self.with_plain_keys(typed.expr.clone(), &mut keys)?;
            typed.expr = self.replace_windows(expr, &mut found)?;
        }
        let mut used: Vec<DfExpr> = found.iter().map(|(e, _)| e.clone()).collect();
        used.extend(values.iter().map(|(t, _, _)| t.expr.clone()));
        used.extend(keys.iter().map(|(key, _)| key.clone()));
        let made: Vec<DfExpr> = keys.iter().map(|(_, column)| column.clone()).collect();
        let made = needed_columns(&made);
        let needed: Vec<u64> = needed_columns(&used).into_iter().filter(|id| !made.contains(id)).collect();
        let mut source = rel.with_columns(&needed).unwrap_or_else(|| rel.clone());
        if !keys.is_empty() {
            let mut exprs = plan_columns(&source.plan);
            exprs.extend(keys.into_iter().map(|(key, column)| key.alias(column.schema_name().to_string())));
            source.plan = project(exprs, &source.plan)?;
        }
        let (exprs, renamed): (Vec<_>, Vec<_>) =
            found.into_iter().partition(|(e, name)| e.schema_name().to_string() == *name);
        let mut below = source.plan.clone();
        for (expr, name) in renamed {
            let mut columns = plan_columns(&below);
            let own = DfExpr::Column(datafusion::common::Column::new_unqualified(expr.schema_name().to_string()));
            below = LogicalPlanBuilder::window_plan(below, vec![expr]).map_err(from_datafusion)?;
            columns.push(own.alias(name));
            below = project(columns, &below)?;
        }
        let exprs: Vec<DfExpr> = exprs.into_iter().map(|(e, _)| e).collect();
        let plan = LogicalPlanBuilder::window_plan(below, exprs).map_err(from_datafusion)?;
        let mut lifted = Rel::new(plan, rel.output.clone(), Made::Opaque, &[rel]);
        lifted.hidden = rel.hidden.clone();
        lifted.tree = rel.tree.clone();
        Ok((lifted, values))
    }

    /// `rel` with columns for what window functions of `values` cannot compute themselves: other window
    /// functions and subqueries.
    fn below_windows(&mut self, rel: &Rel, values: &mut [(Typed, Option<Attr>, String)]) -> Result<Rel> {
        let mut rel = rel.clone();
        let is_query = |e: &DfExpr| contains_window(e) && has_subquery(e);
        if values.iter().any(|(t, _, _)| is_query(&t.expr)) {
            let mut exprs: Vec<DfExpr> = values.iter().map(|(t, _, _)| t.expr.clone()).collect();
            rel = self.lift_subqueries(&rel, &mut exprs, Place::Operand)?;
            for ((typed, _, _), expr) in values.iter_mut().zip(exprs) {
                typed.expr = expr;
            }
        }
        let mut nested: Vec<DfExpr> = Vec::new();
        for (typed, _, _) in values.iter() {
            collect_nested_windows(&typed.expr, &mut nested);
        }
        if nested.is_empty() {
            return Ok(rel);
        }
        let mut wider = super::columns::all_columns(&rel);
        let first = wider.len();
        wider.extend(nested.iter().map(|e| (Typed::new(e.clone(), DataType::Null, true, "w"), None, "w".to_string())));
        let mut wide = self.project_values(&rel, wider)?;
        let columns: Vec<DfExpr> = wide.output[first..].iter().map(Attr::expr).collect();
        for (typed, _, _) in values.iter_mut() {
            let replaced = typed.expr.clone().transform_down(|e| match nested.iter().position(|n| *n == e) {
                Some(i) => Ok(Transformed::new(columns[i].clone(), true, TreeNodeRecursion::Jump)),
                None => Ok(Transformed::no(e)),
            });
            typed.expr = replaced.map_err(from_datafusion)?.data;
        }
        wide.output = rel.output.clone();
        wide.hidden = rel.hidden.clone();
        wide.tree = rel.tree.clone();
        Ok(wide)
    }

    /// `expr` with columns in place of what its window functions are ordered by, which is added to `keys`:
    /// DataFusion does not always see that rows are sorted by an expression.
    fn with_plain_keys(&mut self, expr: DfExpr, keys: &mut Vec<(DfExpr, DfExpr)>) -> Result<DfExpr> {
        expr.transform_down(|e| match e {
            DfExpr::WindowFunction(mut window) => {
                for sort in &mut window.params.order_by {
                    if matches!(sort.expr, DfExpr::Column(_) | DfExpr::Literal(..)) || contains_window(&sort.expr) {
                        continue;
                    }
                    let known = keys.iter().find(|(key, _)| *key == sort.expr).map(|(_, column)| column.clone());
                    let column = known.unwrap_or_else(|| {
                        let name = format!("#{}", self.fresh_id());
                        let column = DfExpr::Column(datafusion::common::Column::new_unqualified(name));
                        keys.push((sort.expr.clone(), column.clone()));
                        column
                    });
                    sort.expr = column;
                }
                Ok(Transformed::new(DfExpr::WindowFunction(window), true, TreeNodeRecursion::Jump))
            }
            other => Ok(Transformed::no(other)),
        })
        .map(|t| t.data)
        .map_err(from_datafusion)
    }

    /// `expr` with window functions replaced by columns, which are added to `found`.
    fn replace_windows(&self, expr: DfExpr, found: &mut Vec<(DfExpr, String)>) -> Result<DfExpr> {
        expr.transform_down(|e| match e {
            DfExpr::WindowFunction(_) => {
                let name = match found.iter().find(|(f, _)| *f == e) {
                    Some((_, name)) => name.clone(),
                    None => {
                        // DataFusion names the columns of a window operator itself.
                        let mut name = e.schema_name().to_string();
                        // It leaves out what becomes of nulls.
                        if found.iter().any(|(_, other)| *other == name) {
                            name = format!("{name}#{}", found.len());
                        }
                        found.push((e, name.clone()));
                        name
                    }
                };
                let column = DfExpr::Column(datafusion::common::Column::new_unqualified(name));
                Ok(Transformed::new(column, true, TreeNodeRecursion::Jump))
            }
            other => Ok(Transformed::no(other)),
        })
        .map(|t| t.data)
        .map_err(from_datafusion)
    }

    pub(super) fn filter(&mut self, input: &Plan, condition: &Expr) -> Result<Rel> {
        let rel = self.relation(input)?;
        self.filter_rel(&rel, condition)
    }

    /// `rel WHERE condition`; columns that a projection below left out can be used.
    ///
    /// # Errors
    /// As the condition; `INVALID_WHERE_CONDITION` with aggregates.
    pub fn filter_rel(&mut self, rel: &Rel, condition: &Expr) -> Result<Rel> {
        if let Some(windowed) = self.time_windows(rel, std::slice::from_ref(condition))?
            && let [condition] = windowed.exprs.as_slice()
        {
            // Spark shows the window that a condition computes.
            let mut rel = windowed.rel;
            rel.output.insert(0, windowed.attr);
            return self.filter_windowed(&rel, condition);
        }
        self.filter_windowed(rel, condition)
    }

    /// As [`Self::filter_rel`], where time windows are columns of `rel` already.
    fn filter_windowed(&mut self, rel: &Rel, condition: &Expr) -> Result<Rel> {
        let (typed, source) =
            self.resolve_reaching(rel, "WHERE", |this, scope| this.filter_condition(condition, scope))?;
        if contains_window(&typed.expr) {
            return Err(Error::analysis("WINDOW_FUNCTION_NOT_ALLOWED_IN_CLAUSE").param("clauseName", "WHERE"));
        }
        if contains_aggregate(&typed.expr) {
            let printed = self.printed_qualified(|this| this.condition(condition, &mut Scope::new(&source, "WHERE")));
            let list = super::aggregate::aggregates_printed(printed.as_ref().unwrap_or(&typed));
            return Err(Error::analysis("INVALID_WHERE_CONDITION")
                .param("condition", format!("\"{}\"", typed.name))
                .param("expressionList", list.trim_matches('"')));
        }
        self.filter_typed(&source, typed, rel)
    }

    /// A filter by a typed condition over `source`, showing the columns of `shown`.
    ///
    /// # Errors
    /// If the plan cannot be built: a defect.
    pub fn filter_typed(&mut self, source: &Rel, condition: Typed, shown: &Rel) -> Result<Rel> {
        let mut exprs = [condition.expr];
        let source = &self.lift_subqueries(source, &mut exprs, Place::Filter)?;
        let [predicate] = exprs;
        let (plan, predicate) = self.pinned(source, predicate)?;
        let filter = Filter::try_new(predicate, Arc::new(plan)).map_err(from_datafusion)?;
        let made = Made::Pass { input: source.clone() };
        let mut out = Rel::new(LogicalPlan::Filter(filter), shown.output.clone(), made, &[shown]);
        out.hidden = shown.hidden.clone();
        Ok(out.with_hidden(shown.hidden.clone()))
    }

    /// Types something against `rel` and, where a column is missing, against the relations it was made
    /// from; the relation returned has the columns that were used.
    ///
    /// # Errors
    /// The error against `rel` itself if nothing below helps.
    pub fn resolve_reaching<T: Reaching>(
        &mut self,
        rel: &Rel,
        clause: &'static str,
        mut resolve: impl FnMut(&mut Self, &mut Scope) -> Result<T>,
    ) -> Result<(T, Rel)> {
        if clause != "ORDER BY" {
            return self.reaching(rel, clause, resolve);
        }
        // What the query itself has below comes before columns of the queries around it.
        let own = self.without_outer_queries(|this| this.reaching(rel, clause, &mut resolve));
        own.unwrap_or_else(|| self.reaching(rel, clause, &mut resolve))
    }

    /// What `resolve` makes without the columns of enclosing queries; nothing if there are no such queries
    /// or it cannot do without them.
    pub fn without_outer_queries<T>(&mut self, resolve: impl FnOnce(&mut Self) -> Result<T>) -> Option<Result<T>> {
        if self.outer.is_empty() {
            return None;
        }
        let before = std::mem::replace(&mut self.hides_outer, true);
        let own = resolve(self);
        self.hides_outer = before;
        (own.is_ok() || !self.needs.is_empty()).then_some(own)
    }

    fn reaching<T: Reaching>(
        &mut self,
        rel: &Rel,
        clause: &'static str,
        mut resolve: impl FnMut(&mut Self, &mut Scope) -> Result<T>,
    ) -> Result<(T, Rel)> {
        let first = match resolve(self, &mut Scope::new(rel, clause)) {
            Ok(typed) => {
                let source = rel.with_columns(&typed.columns()).unwrap_or_else(|| rel.clone());
                return Ok((typed, source));
            }
            Err(e) => e,
        };
        if clause == "ORDER BY" && first.condition() == "AMBIGUOUS_REFERENCE" {
            return self.resolve_below(rel, first, resolve);
        }
        if !self.needs.is_empty() || !is_missing_column(&first) {
            return Err(first);
        }
        let mut candidates: Vec<Rel> = crate::expr::attribute::below(rel).cloned().collect();
        candidates.truncate(64);
        for below in candidates {
            // Columns of `rel` come first, then what only the relation below has.
            let mut scope_rel = rel.clone();
            let shown: Vec<u64> = rel.output.iter().map(|a| a.id).collect();
            scope_rel.hidden.extend(below.output.iter().filter(|a| !shown.contains(&a.id)).cloned());
            scope_rel.tree = tree_with(&rel.tree, &below);
            if let Ok(typed) = resolve(self, &mut Scope::new(&scope_rel, clause))
                && let Some(source) = rel.with_columns(&typed.columns())
            {
                return Ok((typed, source));
            }
        }
        Err(first)
    }

    /// What is ambiguous among the columns of `rel` is looked for in the relations it was made from.
    fn resolve_below<T: Reaching>(
        &mut self,
        rel: &Rel,
        ambiguous: Error,
        mut resolve: impl FnMut(&mut Self, &mut Scope) -> Result<T>,
    ) -> Result<(T, Rel)> {
        for below in crate::expr::attribute::below(rel).take(64).cloned().collect::<Vec<_>>() {
            if let Ok(typed) = resolve(self, &mut Scope::new(&below, "ORDER BY"))
                && let Some(source) = rel.with_columns(&typed.columns())
            {
                return Ok((typed, source));
            }
        }
        let name = ambiguous.data().parameters.get("name").cloned().unwrap_or_default();
        let Ok(parts) = self.parse_identifier(&name) else { return Err(ambiguous) };
        let error = self.unresolved(&parts, &Scope::new(rel, "ORDER BY"));
        Err(match ambiguous.data().contexts.first() {
            Some(context) => error.or_context(context),
            None => error,
        })
    }

    pub(super) fn limit(&mut self, input: &Plan, limit: &Expr) -> Result<Rel> {
        let rel = self.relation(input)?;
        let n = self.row_count(limit, "limit", &rel)?;
        if let LogicalPlan::Limit(Limit { skip: Some(skip), fetch: None, .. }) = &rel.plan
            && let DfExpr::Literal(datafusion::scalar::ScalarValue::Int64(Some(skip)), _) = skip.as_ref()
            && n + skip > i64::from(i32::MAX)
        {
            return Err(Error::analysis("SUM_OF_LIMIT_AND_OFFSET_EXCEEDS_MAX_INT")
                .param("limit", n.to_string())
                .param("offset", skip.to_string()));
        }
        Ok(self.limit_rel(&rel, 0, Some(n)))
    }

    pub(super) fn offset(&mut self, input: &Plan, offset: &Expr) -> Result<Rel> {
        let rel = self.relation(input)?;
        let n = self.row_count(offset, "offset", &rel)?;
        Ok(self.limit_rel(&rel, n, None))
    }

    /// `rel OFFSET skip LIMIT fetch`.
    pub fn limit_rel(&mut self, rel: &Rel, skip: i64, fetch: Option<i64>) -> Rel {
        let lit = datafusion::logical_expr::lit::<i64>;
        let plan = LogicalPlan::Limit(Limit {
            skip: (skip > 0).then(|| Box::new(lit(skip))),
            fetch: fetch.map(|n| Box::new(lit(n))),
            input: Arc::new(in_place(&rel.plan)),
        });
        Rel::new(plan, rel.output.clone(), Made::Pass { input: rel.clone() }, &[rel]).with_hidden(rel.hidden.clone())
    }

    fn row_count(&mut self, expr: &Expr, what: &str, rel: &Rel) -> Result<i64> {
        let mut scope = Scope::new(rel, if what == "offset" { "OFFSET" } else { "LIMIT" });
        let typed = self.resolve(expr, &mut scope)?;
        let origin = match expr {
            Expr::At { origin, .. } => Some(origin),
            _ => None,
        };
        let error = |sub: &str| {
            Error::analysis(format!("INVALID_LIMIT_LIKE_EXPRESSION.{sub}"))
                .at(origin)
                .param("name", what)
                .param("expr", format!("\"{}\"", typed.name))
        };
        if !typed.foldable() {
            return Err(error("IS_UNFOLDABLE"));
        }
        if typed.ty != DataType::Integer {
            return Err(error("DATA_TYPE").param("dataType", format!("\"{}\"", typed.ty.sql())));
        }
        fold::evaluate(&typed)?;
        match fold::integer(&typed) {
            None => Err(error("IS_NULL")),
            Some(n) if n < 0 => Err(error("IS_NEGATIVE").param("v", n.to_string())),
            Some(n) => Ok(n),
        }
    }

    pub(super) fn distinct(&mut self, input: &Plan) -> Result<Rel> {
        let rel = self.relation(input)?;
        self.distinct_rel(&rel)
    }

    /// `SELECT DISTINCT * FROM rel`.
    ///
    /// # Errors
    /// `UNSUPPORTED_FEATURE.SET_OPERATION_ON_MAP_TYPE` for columns without equality.
    pub fn distinct_rel(&mut self, rel: &Rel) -> Result<Rel> {
        self.check_comparable(rel)?;
        if rel.output.iter().any(|a| is_collated(&a.ty)) {
            let on = rel.output.iter().map(|a| key_expr(a.expr(), &a.ty)).collect();
            let select = dedup_columns(&rel.output);
            let distinct =
                DistinctOn::try_new(on, select, None, Arc::new(rel.plan.clone())).map_err(from_datafusion)?;
            let plan = LogicalPlan::Distinct(Distinct::On(distinct));
            return Ok(Rel::new(plan, rel.output.clone(), Made::Opaque, &[rel]));
        }
        let input = rel.exact_plan()?;
        let plan = LogicalPlan::Distinct(Distinct::All(Arc::new(input)));
        Ok(Rel::new(plan, rel.output.clone(), Made::Opaque, &[rel]))
    }

    pub(super) fn check_comparable(&self, rel: &Rel) -> Result<()> {
        for attr in &rel.output {
            let sub = match incomparable_part(&attr.ty) {
                Some(DataType::Map { .. }) => "SET_OPERATION_ON_MAP_TYPE",
                Some(_) => "SET_OPERATION_ON_VARIANT_TYPE",
                None => continue,
            };
            return Err(Error::analysis(format!("UNSUPPORTED_FEATURE.{sub}"))
                .param("colName", spark::types::quote_identifier(&attr.name))
                .param("dataType", format!("\"{}\"", attr.ty.sql())));
        }
        Ok(())
    }

    pub(super) fn deduplicate(&mut self, input: &Plan, columns: &[String], all: bool) -> Result<Rel> {
        let rel = self.relation(input)?;
        if all || columns.is_empty() {
            return self.distinct_rel(&rel);
        }
        let mut on = Vec::new();
        for name in columns {
            let matches: Vec<&Attr> = rel.output.iter().filter(|a| self.same_name(&a.name, name)).collect();
            if matches.is_empty() {
                let names: Vec<&str> = rel.output.iter().map(|a| a.name.as_str()).collect();
                return Err(Error::analysis("UNRESOLVED_COLUMN_AMONG_FIELD_NAMES")
                    .param("colName", name)
                    .param("fieldNames", names.join(", "))
                    .with_message(format!("There is no column {name} among {}.", names.join(", "))));
            }
            on.extend(matches.into_iter().map(|a| key_expr(a.expr(), &a.ty)));
        }
        let select: Vec<DfExpr> = dedup_columns(&rel.output);
        let distinct = DistinctOn::try_new(on, select, None, Arc::new(rel.plan.clone())).map_err(from_datafusion)?;
        let plan = LogicalPlan::Distinct(Distinct::On(distinct));
        Ok(Rel::new(plan, rel.output.clone(), Made::Opaque, &[&rel]))
    }

    pub(super) fn subquery_alias(&mut self, input: &Plan, alias: &[String], columns: &[String]) -> Result<Rel> {
        let rel = match &input.node {
            spark::Node::InlineTable { rows } => self.inline_table(rows, columns)?,
            _ => self.relation(input)?,
        };
        if let spark::Node::TableFunction { name, .. } = &input.node
            && !columns.is_empty()
            && columns.len() != rel.output.len()
        {
            return Err(Error::analysis("NUM_TABLE_VALUE_ALIASES_MISMATCH")
                .param("funcName", crate::expr::attribute::quoted(name))
                .param("aliasesNum", columns.len().to_string())
                .param("outColsNum", rel.output.len().to_string()));
        }
        self.alias_rel(&rel, alias, columns)
    }

    /// `rel AS alias(columns)`.
    ///
    /// # Errors
    /// `ASSIGNMENT_ARITY_MISMATCH`-like if the number of names is wrong.
    pub fn alias_rel(&mut self, rel: &Rel, alias: &[String], columns: &[String]) -> Result<Rel> {
        if !columns.is_empty() && columns.len() != rel.output.len() {
            return Err(Error::analysis("ASSIGNMENT_ARITY_MISMATCH")
                .param("numExpr", columns.len().to_string())
                .param("numTarget", rel.output.len().to_string())
                .with_message(format!("{} names were given to {} columns.", columns.len(), rel.output.len())));
        }
        let mut output = rel.output.clone();
        for (i, attr) in output.iter_mut().enumerate() {
            attr.qualifier = alias.to_vec();
            if let Some(name) = columns.get(i) {
                attr.name = name.clone();
                attr.metadata = attr.metadata.without("__autoGeneratedAlias");
            }
        }
        Ok(rel.renamed(output))
    }

    pub(super) fn with_windows(&mut self, input: &Plan, windows: &[(String, WindowSpec)]) -> Result<Rel> {
        self.windows.push(windows.iter().cloned().collect());
        let rel = self.relation(input);
        self.windows.pop();
        rel
    }

    /// The first rows as text, one string column for each column; the scheduler lays them out.
    pub(super) fn show(&mut self, input: &Plan, rows: i32) -> Result<Rel> {
        let rel = self.relation(input)?;
        let mut values = Vec::new();
        for attr in rel.output.clone() {
            let name = attr.name.clone();
            let typed = self.call("to_pretty_string", vec![attr.typed()])?;
            values.push((typed, None, name));
        }
        let shown = self.limit_rel(&rel, 0, Some(i64::from(rows.max(0)) + 1));
        self.project_values(&shown, values)
    }

    /// Generators among the entries of a select list: each row of one meets each row of the next.
    fn project_generators(&mut self, rel: &Rel, items: Vec<Item>) -> Result<Rel> {
        let mut source = rel.clone();
        let mut values: Vec<(Typed, Option<Attr>, String)> = Vec::new();
        for item in items {
            match item {
                Item::Value { typed, attr, name } => values.push((typed, attr, name)),
                Item::Generator { generator, names } => {
                    let (generated, columns) =
                        self.generate(&source, generator, &names).map_err(|e| match e.condition() {
                            "UDTF_ALIAS_NUMBER_MISMATCH" => e.nowhere(),
                            _ => e,
                        })?;
                    values.extend(columns.into_iter().map(|a| (a.typed(), Some(a.clone()), a.name)));
                    source = generated;
                }
            }
        }
        self.project_values(&source, values)
    }

    /// The lists at some places of `rel` taken apart by the generators they are of.
    ///
    /// # Errors
    /// `UDTF_ALIAS_NUMBER_MISMATCH`.
    pub fn taken_apart(&mut self, rel: &Rel, generators: Vec<(usize, Generator, Vec<String>)>) -> Result<Rel> {
        let value = |a: &Attr| Item::Value { typed: a.typed(), attr: Some(a.clone()), name: a.name.clone() };
        let mut items: Vec<Item> = rel.output.iter().map(value).collect();
        for (place, generator, names) in generators {
            let list = rel.output.get(place).ok_or_else(|| Error::internal("a list was computed"))?.expr();
            items[place] = Item::Generator { generator: Generator { list, ..generator }, names };
        }
        self.project_generators(rel, items)
    }
}

/// Adds the window functions that stand inside other window functions of `expr`.
fn collect_nested_windows(expr: &DfExpr, out: &mut Vec<DfExpr>) {
    let _ = expr.apply(|e| {
        let DfExpr::WindowFunction(_) = e else { return Ok(TreeNodeRecursion::Continue) };
        let _ = e.apply_children(|child| {
            child.apply(|inner| match inner {
                DfExpr::WindowFunction(_) => {
                    if !out.contains(inner) {
                        out.push(inner.clone());
                    }
                    Ok(TreeNodeRecursion::Jump)
                }
                _ => Ok(TreeNodeRecursion::Continue),
            })
        });
        Ok(TreeNodeRecursion::Jump)
    });
}

/// `plan` such that a limit above it does not move below functions of a row's partition and number.
fn in_place(plan: &LogicalPlan) -> LogicalPlan {
    let mut below = plan;
    while let LogicalPlan::Projection(projection) = below {
        if projection.expr.iter().any(knows_place) {
            return Operator::plan(Kind::InPlace, plan.clone());
        }
        below = &projection.input;
    }
    plan.clone()
}

fn knows_place(expr: &DfExpr) -> bool {
    let found = expr.exists(|e| {
        let DfExpr::ScalarFunction(call) = e else { return Ok(false) };
        let udf: &dyn std::any::Any = call.func.inner().as_ref();
        Ok(udf.downcast_ref::<KernelUdf>().is_some_and(|k| POSITIONAL.contains(&k.kernel.name)))
    });
    found.unwrap_or(false)
}

/// What [`Analyzer::resolve_reaching`] can carry: it knows the columns it uses.
pub(crate) trait Reaching {
    fn columns(&self) -> Vec<u64>;
}

impl Reaching for Typed {
    fn columns(&self) -> Vec<u64> {
        needed_columns(std::slice::from_ref(&self.expr))
    }
}

impl Reaching for Vec<Typed> {
    fn columns(&self) -> Vec<u64> {
        let exprs: Vec<DfExpr> = self.iter().map(|t| t.expr.clone()).collect();
        needed_columns(&exprs)
    }
}

impl Reaching for Vec<crate::expr::window::Order> {
    fn columns(&self) -> Vec<u64> {
        let exprs: Vec<DfExpr> = self.iter().map(|o| o.typed.expr.clone()).collect();
        needed_columns(&exprs)
    }
}

/// True if there is a subquery in `expr`.
pub(crate) fn has_subquery(expr: &DfExpr) -> bool {
    expr.exists(|e| Ok(matches!(e, DfExpr::ScalarSubquery(_) | DfExpr::Exists(_) | DfExpr::InSubquery(_))))
        .unwrap_or(false)
}

/// The attributes that expressions use.
pub(crate) fn needed_columns(exprs: &[DfExpr]) -> Vec<u64> {
    let mut seen = std::collections::HashSet::new();
    let mut out = Vec::new();
    for expr in exprs {
        for column in expr.column_refs() {
            out.extend(crate::scope::column_id(column).filter(|id| seen.insert(*id)));
        }
    }
    out
}

/// Each column of an output once.
pub(crate) fn dedup_columns(output: &[Attr]) -> Vec<DfExpr> {
    let mut seen = std::collections::HashSet::new();
    output.iter().filter(|a| seen.insert(a.id)).map(Attr::expr).collect()
}

/// The map or variant in a type, which has no equality.
fn incomparable_part(ty: &DataType) -> Option<&DataType> {
    match ty {
        DataType::Map { .. } | DataType::Variant => Some(ty),
        DataType::Array { element, .. } => incomparable_part(element),
        DataType::Struct(s) => s.fields.iter().find_map(|f| incomparable_part(&f.data_type)),
        _ => None,
    }
}

fn is_missing_column(error: &Error) -> bool {
    let condition = error.condition();
    condition.starts_with("UNRESOLVED_COLUMN") || condition == "CANNOT_RESOLVE_DATAFRAME_COLUMN"
}

/// The tree of `rel` in which the columns of `below` count as visible.
fn tree_with(tree: &std::rc::Rc<crate::scope::Tree>, below: &Rel) -> std::rc::Rc<crate::scope::Tree> {
    let mut hidden = tree.hidden.clone();
    hidden.extend(below.output.iter().cloned());
    std::rc::Rc::new(crate::scope::Tree {
        plan_id: None,
        output: tree.output.clone(),
        hidden,
        children: vec![below.tree.clone()],
    })
}

/// The columns of a plan. The number that DataFusion gives grouping sets is none: it is gone once what
/// asks for it has been answered.
pub(super) fn plan_columns(plan: &LogicalPlan) -> Vec<DfExpr> {
    let fields = plan.schema().fields().iter().filter(|f| f.name() != Aggregate::INTERNAL_GROUPING_ID);
    fields.map(|f| DfExpr::Column(datafusion::common::Column::new_unqualified(f.name()))).collect()
}
