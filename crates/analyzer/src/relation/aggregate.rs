//! `GROUP BY`, `HAVING`, grouping sets, and how `ORDER BY` reaches aggregates that are not selected.
//!
//! A select list over groups is typed against the input as if there were no grouping; then every grouping
//! expression and every aggregate in it is replaced by a column of the aggregation. What remains must not
//! use any other column.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{
    Aggregate as DfAggregate, Expr as DfExpr, Filter, GroupingSet, LogicalPlan, WindowFunctionDefinition,
};
use functions::error::from_datafusion;
use functions::families::collation::{is_collated, key_expr};
use functions::{Generator, Typed};
use spark::expr::UnresolvedFunction;
use spark::plan::{Aggregate, GroupKind};
use spark::types::DataType;
use spark::{Error, Expr, Plan, Result};

use crate::context::Analyzer;
use crate::decorrelate::{Place, mentions_outer, uses_outer, without_outer};
use crate::expr::Scope;
use crate::expr::function::{aggregate_origin, builtin_name};
use crate::expr::list::Item;
use crate::expr::window::contains_window;
use crate::relation::group_check::{check_grouping_calls, check_subqueries, missing_aggregation, windows_printed};
use crate::scope::{Attr, Made, Rel, project};

/// An aggregation with all it takes to build it again with more aggregates.
#[derive(Clone)]
pub(crate) struct Grouped {
    pub input: Rel,
    /// Grouping expressions over the input, and the columns they become.
    pub keys: Vec<Key>,
    /// Grouping sets as indexes into `keys`; `None` for a plain `GROUP BY`.
    pub sets: Option<Vec<Vec<usize>>>,
    /// Aggregates over the input, and the columns they become.
    pub aggregates: Vec<(DfExpr, String)>,
    /// The select list as typed against the input, for names in `HAVING` and `ORDER BY`.
    pub selected: Vec<(String, Typed)>,
    /// The select list over the aggregation.
    pub values: Vec<(Typed, Option<Attr>, String)>,
    /// `HAVING` over the aggregation.
    pub having: Option<DfExpr>,
    /// Generators among `values`, by their place: there stand the lists they take apart.
    pub generators: Vec<(usize, Generator, Vec<String>)>,
    /// Attributes of the output, kept when the aggregation is built again.
    pub output: Vec<Attr>,
}

/// A grouping key.
#[derive(Clone)]
pub(crate) struct Key {
    pub expr: DfExpr,
    pub attr: Attr,
}

/// True if there is an aggregate in `expr` that is not a window's.
pub(crate) fn contains_aggregate(expr: &DfExpr) -> bool {
    let mut found = false;
    let _ = expr.apply(|e| {
        Ok(match e {
            DfExpr::AggregateFunction(_) => {
                found = true;
                TreeNodeRecursion::Stop
            }
            _ => TreeNodeRecursion::Continue,
        })
    });
    found
}

/// The aggregates of an expression that Spark would list for an operator that takes none.
pub(crate) fn aggregates_printed(typed: &Typed) -> String {
    format!("\"{}\"", first_call(&typed.name, &typed.expr).unwrap_or_else(|| typed.name.clone()))
}

/// The first aggregate call in the printed form of `expr`.
fn first_call(printed: &str, expr: &DfExpr) -> Option<String> {
    let mut name = None;
    let _ = expr.apply(|e| {
        if let DfExpr::AggregateFunction(f) = e {
            name.get_or_insert(f.func.name().to_string());
        }
        Ok(TreeNodeRecursion::Continue)
    });
    let start = printed.find(&format!("{}(", name?))?;
    let mut depth = 0i32;
    for (i, c) in printed[start..].char_indices() {
        match c {
            '(' => depth += 1,
            ')' if depth == 1 => return Some(printed[start..=start + i].to_string()),
            ')' => depth -= 1,
            _ => {}
        }
    }
    None
}

impl Analyzer<'_> {
    pub(super) fn aggregate(&mut self, aggregate: &Aggregate) -> Result<Rel> {
        if let GroupKind::Pivot { column, values } = &aggregate.kind {
            return self.api_pivot(aggregate, column, values);
        }
        let grouped = self.grouped(aggregate)?;
        self.build_grouped(grouped)
    }

    /// A select list with aggregates and no grouping.
    ///
    /// # Errors
    /// `MISSING_GROUP_BY`.
    pub fn global_aggregate(&mut self, rel: &Rel, items: Vec<Item>) -> Result<Rel> {
        let grouped = self.group_items(rel.aggregated(), Vec::new(), None, items)?;
        self.build_grouped(grouped)
    }

    fn grouped(&mut self, aggregate: &Aggregate) -> Result<Grouped> {
        let mut rel = self.relation(&aggregate.input)?.aggregated();
        let mut grouping = aggregate.grouping.clone();
        let mut aggregates = aggregate.aggregates.clone();
        let mut session = None;
        let both: Vec<Expr> = grouping.iter().chain(&aggregates).cloned().collect();
        if let Some(mut windowed) = self.time_windows(&rel, &both)? {
            aggregates = windowed.exprs.split_off(grouping.len());
            grouping = windowed.exprs;
            (rel, session) = (windowed.rel, windowed.is_session.then_some(windowed.attr));
        }
        let mut scope = Scope::new(&rel, "GROUP BY");
        let mut exprs = Vec::new();
        if aggregate.prepend_grouping {
            exprs.extend(grouping.iter().filter(|g| analytic(g).is_none()).cloned());
        }
        exprs.extend(aggregates);
        if self.settings.group_by_ordinal && grouping.iter().any(is_position) && exprs.iter().any(is_star) {
            return Err(Error::analysis("STAR_GROUP_BY_POS")
                .with_message("A star cannot be selected where GROUP BY names positions of the select list."));
        }
        let items = self.select_list(&exprs, &mut scope)?;
        let (keys, sets) = match self.keys(&aggregate.kind, &grouping, &items, &rel) {
            Ok(found) => found,
            Err(e) => return Err(self.with_qualified_names(e, &rel, &exprs, &grouping, &items)),
        };
        if let Some(session) = session.filter(|s| keys.iter().any(|k| k.expr == s.expr())) {
            rel = self.merge_sessions(rel, &session, &keys)?;
        }
        let has_keys = !keys.is_empty();
        let by_windows = keys.iter().any(|k| contains_window(&k.expr));
        self.group_items(rel, keys, sets, items).map_err(|e| match (&aggregate.kind, e.condition()) {
            (GroupKind::All, "MISSING_AGGREGATION" | "MISSING_GROUP_BY") if !by_windows && !has_keys => {
                Error::analysis("UNRESOLVED_ALL_IN_GROUP_BY")
                    .with_message("GROUP BY ALL finds no grouping that covers what is selected beside aggregates.")
            }
            _ => e,
        })
    }

    /// An error about an aggregate among the keys, which shows its columns with their qualifiers.
    fn with_qualified_names(
        &mut self,
        error: Error,
        rel: &Rel,
        exprs: &[Expr],
        grouping: &[Expr],
        items: &[Item],
    ) -> Error {
        let find = |name: &str| error.data().parameters.get(name).cloned().unwrap_or_default();
        let item = match error.condition() {
            "GROUP_BY_POS_AGGREGATE" => find("index").parse::<usize>().ok().and_then(|n| n.checked_sub(1)),
            "GROUP_BY_AGGREGATE" => {
                let wanted = find("sqlExpr");
                items.iter().position(|i| matches!(i, Item::Value { typed, .. } if typed.name == wanted))
            }
            _ => return error,
        };
        let shown = self.printed_qualified(|this| match item {
            Some(i) => {
                let list = this.select_list(exprs, &mut Scope::new(rel, "GROUP BY"))?;
                Ok(list.into_iter().nth(i).and_then(|item| match item {
                    Item::Value { typed, name, .. } => Some((typed.name, name)),
                    Item::Generator { .. } => None,
                }))
            }
            None => {
                let mut scope = Scope::new(rel, "GROUP BY");
                let keys = grouping.iter().filter_map(|g| this.resolve(g, &mut scope).ok());
                let is_aggregate = |e: &DfExpr| contains_aggregate(e) || is_windowed_aggregate(e);
                Ok(keys.into_iter().find(|k| is_aggregate(&k.expr)).map(|k| (k.name, String::new())))
            }
        });
        let (Ok(Some((printed, _))), name) = (shown, item.and_then(|i| item_name(&items[i]))) else { return error };
        match error.condition() {
            "GROUP_BY_POS_AGGREGATE" => {
                let name = spark::types::quote_if_needed(&name.unwrap_or_default());
                error.param("aggExpr", format!("{printed} AS {name}"))
            }
            _ => {
                error.param("sqlExpr", printed).at(item.and_then(|i| exprs.get(i)).and_then(aggregate_origin).as_ref())
            }
        }
    }

    /// The keys and sets of a grouping.
    #[allow(clippy::type_complexity)]
    pub(super) fn keys(
        &mut self,
        kind: &GroupKind,
        grouping: &[Expr],
        items: &[Item],
        rel: &Rel,
    ) -> Result<(Vec<Typed>, Option<Vec<Vec<usize>>>)> {
        let mut keys: Vec<Typed> = Vec::new();
        match kind {
            GroupKind::All => {
                for item in items {
                    if let Item::Value { typed, .. } = item
                        && !contains_aggregate(&typed.expr)
                        && !is_windowed_aggregate(&typed.expr)
                    {
                        refuse_lateral_alias(typed)?;
                        add_key(&mut keys, typed.clone());
                    }
                }
                Ok((keys, None))
            }
            GroupKind::Rollup | GroupKind::Cube => {
                let name = if *kind == GroupKind::Rollup { "rollup" } else { "cube" };
                let call = Expr::call(name, grouping.to_vec());
                self.keys(&GroupKind::GroupBy, &[call], items, rel)
            }
            GroupKind::GroupingSets(sets) => {
                for g in grouping {
                    let typed = self.key(g, items, rel)?;
                    add_key(&mut keys, typed);
                }
                let mut out = Vec::new();
                for set in sets {
                    out.push(self.key_indexes(set, items, rel, &mut keys)?);
                }
                Ok((keys, Some(out)))
            }
            GroupKind::GroupBy | GroupKind::Pivot { .. } => {
                let mut sets: Vec<Vec<usize>> = vec![Vec::new()];
                let mut is_analytic = false;
                for g in grouping {
                    let own = match analytic(g) {
                        Some(f) => {
                            is_analytic = true;
                            self.analytic_sets(f, items, rel, &mut keys)?
                        }
                        None => vec![self.key_indexes(std::slice::from_ref(g), items, rel, &mut keys)?],
                    };
                    sets = sets.iter().flat_map(|a| own.iter().map(|b| union(a, b))).collect();
                }
                Ok((keys, is_analytic.then_some(sets)))
            }
        }
    }

    /// The sets of a `ROLLUP`, `CUBE` or `GROUPING SETS`.
    fn analytic_sets(
        &mut self,
        f: &UnresolvedFunction,
        items: &[Item],
        rel: &Rel,
        keys: &mut Vec<Typed>,
    ) -> Result<Vec<Vec<usize>>> {
        let name = builtin_name(&f.name).unwrap_or_default();
        if name == "grouping_sets" {
            let mut sets = Vec::new();
            for arg in &f.args {
                match analytic(arg) {
                    Some(inner) => sets.extend(self.analytic_sets(inner, items, rel, keys)?),
                    None => sets.push(self.key_indexes(row_members(arg), items, rel, keys)?),
                }
            }
            return Ok(sets);
        }
        let mut groups = Vec::new();
        for arg in &f.args {
            groups.push(self.key_indexes(row_members(arg), items, rel, keys)?);
        }
        if name == "rollup" {
            return Ok((0..=groups.len()).rev().map(|n| groups[..n].concat()).collect());
        }
        if groups.len() > 16 {
            return Err(Error::analysis("GROUPING_SIZE_LIMIT_EXCEEDED").param("maxSize", "16"));
        }
        let all = 1usize << groups.len();
        Ok((0..all)
            .map(|mask| {
                groups
                    .iter()
                    .enumerate()
                    .filter(|(i, _)| mask & (1 << (groups.len() - 1 - i)) == 0)
                    .flat_map(|(_, g)| g.clone())
                    .collect()
            })
            .collect())
    }

    fn key_indexes(&mut self, exprs: &[Expr], items: &[Item], rel: &Rel, keys: &mut Vec<Typed>) -> Result<Vec<usize>> {
        exprs
            .iter()
            .map(|e| {
                let typed = self.key(e, items, rel)?;
                Ok(add_key(keys, typed))
            })
            .collect()
    }

    /// One grouping expression: a position in the select list, an expression over the input, or an alias
    /// of the select list.
    fn key(&mut self, expr: &Expr, items: &[Item], rel: &Rel) -> Result<Typed> {
        if let Expr::Literal(spark::Literal::Integer(n)) = expr.unpositioned()
            && self.settings.group_by_ordinal
        {
            return ordinal(*n, items).map_err(|e| match expr {
                Expr::At { origin, .. } => e.at(Some(origin)),
                _ => e,
            });
        }
        let mut scope = Scope::new(rel, "GROUP BY");
        let typed = match self.resolve(expr, &mut scope) {
            Ok(typed) => typed,
            Err(e) => match self.alias_key(expr, items) {
                Some(typed) => {
                    refuse_lateral_alias(&typed)?;
                    typed
                }
                None => return Err(e),
            },
        };
        if contains_aggregate(&typed.expr) || is_windowed_aggregate(&typed.expr) {
            return Err(Error::analysis("GROUP_BY_AGGREGATE")
                .param("sqlExpr", typed.name.clone())
                .at(aggregate_origin(expr).as_ref()));
        }
        if let DataType::Variant = typed.ty {
            return Err(Error::analysis("GROUP_EXPRESSION_TYPE_IS_NOT_ORDERABLE")
                .param("sqlExpr", format!("\"{}\"", typed.name))
                .param("dataType", format!("\"{}\"", typed.ty.sql())));
        }
        Ok(typed)
    }

    fn alias_key(&mut self, expr: &Expr, items: &[Item]) -> Option<Typed> {
        let Expr::Attribute(a) = expr.unpositioned() else { return None };
        let [name] = a.parts.as_slice() else { return None };
        if !self.settings.group_by_aliases {
            return None;
        }
        let found = items.iter().find_map(|item| match item {
            Item::Value { typed, name: n, .. } if self.same_name(n, name) => Some(typed.clone()),
            _ => None,
        })?;
        // A variable of that name may have been asked for; an alias settles it.
        self.needs.retain(|n| !matches!(n, crate::Need::Variable(v) if v == &a.parts));
        Some(found)
    }

    /// The aggregation of a typed select list.
    pub(super) fn group_items(
        &mut self,
        rel: Rel,
        keys: Vec<Typed>,
        sets: Option<Vec<Vec<usize>>>,
        items: Vec<Item>,
    ) -> Result<Grouped> {
        self.refuse_round(&rel)?;
        let keys = keys
            .into_iter()
            .map(|typed| {
                let attr = match (&typed.expr, sets.is_some()) {
                    (DfExpr::Column(c), false) => crate::scope::column_id(c),
                    _ => None,
                };
                let attr = match attr {
                    Some(id) => Attr { id, ..self.fresh_attr(typed.name.clone(), &typed) },
                    None => self.fresh_attr(typed.name.clone(), &typed),
                };
                Key { expr: typed.expr, attr }
            })
            .collect();
        let mut grouped = Grouped {
            input: rel,
            keys,
            sets,
            aggregates: Vec::new(),
            selected: Vec::new(),
            values: Vec::new(),
            having: None,
            generators: Vec::new(),
            output: Vec::new(),
        };
        let correlated = self.refuse_outer_keys(&grouped, &items);
        for item in items {
            let (mut typed, attr, name) = match item {
                Item::Value { typed, attr, name } => (typed, attr, name),
                Item::Generator { generator, names } => {
                    let list = Typed::new(generator.list.clone(), DataType::Null, true, generator.name.clone());
                    let name = generator.name.clone();
                    grouped.generators.push((grouped.values.len(), generator, names));
                    (list, None, name)
                }
            };
            grouped.selected.push((name.clone(), typed.clone()));
            typed.expr = self.over_groups(typed.expr.clone(), &mut grouped)?;
            // With grouping sets a key is null in the sets without it.
            if grouped.sets.is_some() && grouped.keys.iter().any(|k| k.attr.expr() == typed.expr) {
                typed.nullable = true;
            }
            let attr = attr.filter(|a| grouped.sets.is_none() && a.expr() == typed.expr);
            grouped.values.push((typed, attr, name));
        }
        correlated?;
        refuse_windows_as_keys(&grouped)?;
        if grouped.sets.is_some() && !self.outer.is_empty() && uses_outer(&grouped.input.plan) {
            return Err(Error::analysis(
                "UNSUPPORTED_SUBQUERY_EXPRESSION_CATEGORY.ACCESSING_OUTER_QUERY_COLUMN_IS_NOT_ALLOWED",
            )
            .with_message("Below grouping sets a subquery cannot use columns of the query around it."));
        }
        Ok(grouped)
    }

    /// An aggregation inside a subquery has no columns of the enclosing query.
    fn refuse_outer_keys(&self, grouped: &Grouped, items: &[Item]) -> Result<()> {
        if self.outer.is_empty() {
            return Ok(());
        }
        let mut shown: Vec<String> = Vec::new();
        for key in grouped.keys.iter().filter(|k| mentions_outer(&k.expr)) {
            shown.push(format!("\"{}\"", without_outer(&key.attr.name)));
        }
        for item in items {
            if let Item::Value { typed, name, .. } = item
                && mentions_outer(&typed.expr)
            {
                let name = spark::types::quote_if_needed(name);
                shown.push(format!("\"{} AS {name}\"", without_outer(&typed.name)));
            }
        }
        if shown.is_empty() {
            return Ok(());
        }
        Err(Error::analysis("UNSUPPORTED_SUBQUERY_EXPRESSION_CATEGORY.CORRELATED_REFERENCE")
            .param("sqlExprs", shown.join(",")))
    }

    /// `expr` with keys and aggregates replaced by columns of the aggregation.
    pub(super) fn over_groups(&mut self, expr: DfExpr, grouped: &mut Grouped) -> Result<DfExpr> {
        check_subqueries(&expr, grouped, &self.function_subqueries)?;
        self.try_over_groups(expr, grouped, &[])?.map_err(|name| missing_aggregation(&name, grouped))
    }

    /// [`Analyzer::over_groups`] of a clause that sees the output `shown`: a column that is neither is
    /// not there at all.
    pub(super) fn over_output(&mut self, expr: DfExpr, grouped: &mut Grouped, shown: &Rel) -> Result<DfExpr> {
        let known: Vec<(String, DfExpr)> = shown
            .output
            .iter()
            .zip(&grouped.values)
            .filter(|(a, _)| !grouped.keys.iter().any(|k| k.attr.id == a.id))
            .map(|(a, (typed, _, _))| (a.column_name(), typed.expr.clone()))
            .collect();
        self.try_over_groups(expr, grouped, &known)?.map_err(|column| {
            let found = grouped.input.output.iter().chain(&grouped.input.hidden).find(|a| a.column_name() == column);
            let name = found.map_or(column, |a| a.name.clone());
            self.unresolved(&[name], &Scope::new(shown, "HAVING"))
        })
    }

    /// The expression over the aggregation, or the first column that it has no business with. `known` are
    /// columns that stand for expressions over the aggregation.
    fn try_over_groups(
        &mut self,
        expr: DfExpr,
        grouped: &mut Grouped,
        known: &[(String, DfExpr)],
    ) -> Result<std::result::Result<DfExpr, String>> {
        check_grouping_calls(&expr, grouped, &self.grouping_calls)?;
        let mut missing: Option<String> = None;
        let rewritten = expr.transform_down(|e| {
            // A window is computed over the groups, so what it uses is asked for first.
            if let Some(key) = grouped.keys.iter().find(|k| k.expr == e && !contains_window(&e)) {
                return Ok(Transformed::new(key.attr.expr(), true, TreeNodeRecursion::Jump));
            }
            match e {
                DfExpr::AggregateFunction(_) => {
                    let column = self.aggregate_column(e, grouped);
                    Ok(Transformed::new(column, true, TreeNodeRecursion::Jump))
                }
                DfExpr::Column(c) if known.iter().any(|(name, _)| *name == c.name) => {
                    let found = known.iter().find(|(name, _)| *name == c.name).map(|(_, e)| e.clone());
                    let found = found.unwrap_or(DfExpr::Column(c));
                    Ok(Transformed::new(found, true, TreeNodeRecursion::Jump))
                }
                DfExpr::Column(c) => {
                    missing.get_or_insert(c.name.clone());
                    Ok(Transformed::new(DfExpr::Column(c), false, TreeNodeRecursion::Stop))
                }
                other => Ok(Transformed::no(other)),
            }
        });
        if let Some(name) = missing {
            return Ok(Err(name));
        }
        rewritten.map(|t| Ok(t.data)).map_err(from_datafusion)
    }

    fn aggregate_column(&mut self, expr: DfExpr, grouped: &mut Grouped) -> DfExpr {
        let expr = grouping_over_keys(expr, &grouped.keys);
        if let Some(bits) = self.over_unused_keys(&expr, grouped) {
            return bits;
        }
        let name = match grouped.aggregates.iter().find(|(e, _)| *e == expr) {
            Some((_, name)) => name.clone(),
            None => {
                let name = format!("#{}", self.fresh_id());
                grouped.aggregates.push((expr, name.clone()));
                name
            }
        };
        DfExpr::Column(datafusion::common::Column::new_unqualified(name))
    }

    /// `grouping(…)` of keys that no set names, whose bits are set in every group.
    fn over_unused_keys(&mut self, expr: &DfExpr, grouped: &mut Grouped) -> Option<DfExpr> {
        use datafusion::logical_expr::lit;
        let DfExpr::AggregateFunction(f) = expr else { return None };
        let sets = grouped.sets.clone().filter(|_| f.func.name() == "grouping")?;
        let place = |arg: &DfExpr| grouped.keys.iter().position(|k| k.attr.expr() == *arg);
        let is_used = |arg: &DfExpr| place(arg).is_none_or(|i| sets.iter().any(|set| set.contains(&i)));
        let used: Vec<bool> = f.params.args.iter().map(is_used).collect();
        if used.iter().all(|u| *u) {
            return None;
        }
        let mut bits = lit(0i32);
        for (i, (arg, is_used)) in f.params.args.iter().zip(&used).enumerate() {
            let weight = lit(1i32.checked_shl((used.len() - 1 - i) as u32).unwrap_or_default());
            let mut one = f.clone();
            one.params.args = vec![arg.clone()];
            bits = bits
                + match is_used {
                    true => self.aggregate_column(DfExpr::AggregateFunction(one), grouped) * weight,
                    false => weight,
                };
        }
        Some(bits)
    }

    /// Builds the plan: keys, aggregation, `HAVING`, select list.
    pub(super) fn build_grouped(&mut self, mut grouped: Grouped) -> Result<Rel> {
        let plan = self.aggregate_plan(&grouped)?;
        let keys: Vec<Attr> = grouped.keys.iter().map(|k| k.attr.clone()).collect();
        let mut below = Rel::new(plan, keys, Made::Opaque, &[&grouped.input]);
        if let Some(having) = &grouped.having {
            let mut exprs = [having.clone()];
            // Below another subquery DataFusion does not plan it.
            let only_exists = !having.exists(|e| Ok(matches!(e, DfExpr::InSubquery(_)))).unwrap_or(true);
            let place = if only_exists && !self.outer.is_empty() { Place::Operand } else { Place::Filter };
            below = self.lift_subqueries(&below, &mut exprs, place)?;
            let [predicate] = exprs;
            let filter = Filter::try_new(predicate, Arc::new(below.plan.clone())).map_err(from_datafusion)?;
            below.plan = LogicalPlan::Filter(filter);
        }
        let mut rel = self.project_values(&below, grouped.values.clone())?;
        if !grouped.generators.is_empty() {
            return self.taken_apart(&rel, grouped.generators);
        }
        if !grouped.output.is_empty() {
            rel = self.keep_ids(rel, &grouped.output)?;
        }
        grouped.output = rel.output.clone();
        rel.made = std::rc::Rc::new(Made::Aggregate(Box::new(grouped)));
        Ok(rel)
    }

    /// The first columns of `rel` under the attribute ids they had before.
    fn keep_ids(&mut self, rel: Rel, output: &[Attr]) -> Result<Rel> {
        let mut exprs = Vec::new();
        let mut seen = std::collections::HashSet::new();
        let mut all = Vec::new();
        for (i, attr) in rel.output.iter().enumerate() {
            let kept = output.get(i).cloned().unwrap_or_else(|| attr.clone());
            if seen.insert(kept.id) {
                exprs.push(attr.expr().alias(kept.column_name()));
            }
            all.push(kept);
        }
        Ok(Rel { plan: project(exprs, &rel.plan)?, output: all, ..rel })
    }

    fn aggregate_plan(&mut self, grouped: &Grouped) -> Result<LogicalPlan> {
        let grouped = &self.without_subqueries(grouped)?;
        let input = self.keyed_input(grouped)?;
        let mut columns: Vec<DfExpr> = grouped.keys.iter().map(|k| k.attr.expr()).collect();
        let mut representatives = Vec::new();
        if grouped.sets.is_none() {
            // Strings with a collation are grouped by their keys; a group shows its first string.
            for (column, key) in columns.iter_mut().zip(&grouped.keys) {
                let compared = match &key.attr.ty {
                    ty if is_collated(ty) => key_expr(column.clone(), ty),
                    // Maps are equal whatever the order of their entries.
                    DataType::Map { .. } => {
                        let entries = self.call("map_entries", vec![key.attr.typed()])?;
                        self.call("sort_array", vec![entries])?.expr
                    }
                    _ => continue,
                };
                let first = datafusion::functions_aggregate::first_last::first_value(column.clone(), vec![]);
                representatives.push(first.alias(key.attr.column_name()));
                *column = compared.alias(format!("#{}", self.fresh_id()));
            }
        }
        let group = match &grouped.sets {
            None => columns,
            Some(sets) => {
                let sets = sets.iter().map(|set| set.iter().map(|i| columns[*i].clone()).collect()).collect();
                vec![DfExpr::GroupingSet(GroupingSet::GroupingSets(sets))]
            }
        };
        let mut aggregates: Vec<DfExpr> =
            grouped.aggregates.iter().map(|(e, name)| e.clone().alias(name.clone())).collect();
        aggregates.extend(representatives);
        if group.is_empty() && aggregates.is_empty() {
            let count = datafusion::functions_aggregate::count::count(datafusion::logical_expr::lit(1i64));
            aggregates.push(count.alias(format!("#{}", self.fresh_id())));
        }
        let aggregate = DfAggregate::try_new(Arc::new(input), group, aggregates).map_err(from_datafusion)?;
        with_unused_keys(LogicalPlan::Aggregate(aggregate), grouped)
    }

    /// The aggregation with the subqueries of keys and aggregates as columns of its input.
    fn without_subqueries(&mut self, grouped: &Grouped) -> Result<Grouped> {
        let mut grouped = grouped.clone();
        let mut exprs: Vec<DfExpr> = grouped.keys.iter().map(|k| k.expr.clone()).collect();
        exprs.extend(grouped.aggregates.iter().map(|(e, _)| e.clone()));
        if !exprs.iter().any(super::project::has_subquery) {
            return Ok(grouped);
        }
        let needed = super::project::needed_columns(&exprs);
        let source = grouped.input.with_columns(&needed).unwrap_or_else(|| grouped.input.clone());
        grouped.input = self.lift_subqueries(&source, &mut exprs, Place::Operand)?;
        let mut exprs = exprs.into_iter();
        for (key, expr) in grouped.keys.iter_mut().zip(exprs.by_ref()) {
            key.expr = expr;
        }
        for ((aggregate, _), expr) in grouped.aggregates.iter_mut().zip(exprs) {
            *aggregate = expr;
        }
        Ok(grouped)
    }

    /// The input with a column for each key that is not one already.
    fn keyed_input(&mut self, grouped: &Grouped) -> Result<LogicalPlan> {
        let mut used: Vec<DfExpr> = grouped.aggregates.iter().map(|(e, _)| e.clone()).collect();
        used.extend(grouped.keys.iter().map(|k| k.expr.clone()));
        let needed = super::project::needed_columns(&used);
        let source = grouped.input.with_columns(&needed).unwrap_or_else(|| grouped.input.clone());
        let computed: Vec<&Key> = grouped.keys.iter().filter(|k| k.expr != k.attr.expr()).collect();
        if computed.is_empty() {
            return Ok(source.plan);
        }
        let mut exprs = super::project::plan_columns(&source.plan);
        exprs.extend(computed.iter().map(|k| k.expr.clone().alias(k.attr.column_name())));
        project(exprs, &source.plan)
    }

    pub(super) fn having(&mut self, input: &Plan, condition: &Expr) -> Result<Rel> {
        let rel = self.relation(input)?;
        let Made::Aggregate(grouped) = &*rel.made else {
            // `HAVING` without aggregates or grouping filters the one group there is.
            return self.filter_rel(&rel, condition);
        };
        let mut grouped = (**grouped).clone();
        let before = std::mem::take(&mut self.outer_aggregates);
        let typed = self.over_selected(&grouped, "HAVING", |this, scope| this.condition(condition, scope));
        grouped.aggregates.extend(std::mem::replace(&mut self.outer_aggregates, before));
        let typed = typed?;
        if contains_window(&typed.expr) {
            return Err(Error::analysis("WINDOW_FUNCTION_NOT_ALLOWED_IN_CLAUSE").param("clauseName", "HAVING"));
        }
        let expr = self
            .over_output(typed.expr, &mut grouped, &rel)
            .map_err(|e| crate::expr::attribute::at_column(e, [condition]))?;
        grouped.having = Some(match grouped.having.take() {
            Some(before) => before.and(expr),
            None => expr,
        });
        self.build_grouped(grouped)
    }

    /// Types something against the select list's names and, behind them, the aggregation's input.
    pub(super) fn over_selected<T>(
        &mut self,
        grouped: &Grouped,
        clause: &'static str,
        resolve: impl FnOnce(&mut Self, &mut Scope) -> Result<T>,
    ) -> Result<T> {
        let input = grouped.input.clone();
        let mut scope = Scope::new(&input, clause);
        scope.selected = grouped.selected.clone();
        resolve(self, &mut scope)
    }

    /// `grouping(key)` and `grouping_id(keys…)`.
    pub fn grouping_call(&mut self, name: &str, f: &UnresolvedFunction, scope: &mut Scope) -> Result<Typed> {
        let mut args = Vec::new();
        for arg in &f.args {
            args.push(self.resolve(arg, scope)?);
        }
        let names: Vec<&str> = args.iter().map(|a| a.name.as_str()).collect();
        let printed = format!("{name}({})", names.join(", "));
        let exprs: Vec<DfExpr> = args.iter().map(|a| a.expr.clone()).collect();
        let call = DfExpr::AggregateFunction(datafusion::logical_expr::expr::AggregateFunction::new_udf(
            datafusion::functions_aggregate::grouping::grouping_udaf(),
            exprs,
            false,
            None,
            vec![],
            None,
        ));
        let short = self.settings.conf.get_bool("spark.sql.legacy.integerGroupingId", false);
        let ty = match name {
            "grouping" => DataType::Byte,
            _ if short => DataType::Integer,
            _ => DataType::Long,
        };
        let cast = datafusion::logical_expr::cast(call, functions::types::to_arrow(&ty));
        if let (Some(origin), "SELECT" | "GROUP BY") = (&scope.origin, scope.clause) {
            self.grouping_calls.push((cast.clone(), origin.clone()));
        }
        Ok(Typed::new(cast, ty, false, printed))
    }
}

/// Keys that no set of groupings names, which are null in every group.
fn with_unused_keys(plan: LogicalPlan, grouped: &Grouped) -> Result<LogicalPlan> {
    let Some(sets) = &grouped.sets else { return Ok(plan) };
    let keys = grouped.keys.iter().enumerate();
    let unused: Vec<&Key> = keys.filter(|(i, _)| !sets.iter().any(|set| set.contains(i))).map(|(_, k)| k).collect();
    if unused.is_empty() {
        return Ok(plan);
    }
    let mut exprs = super::project::plan_columns(&plan);
    exprs.extend(unused.iter().map(|k| Typed::null(k.attr.ty.clone()).expr.alias(k.attr.column_name())));
    project(exprs, &plan)
}

/// `grouping(…)` is about keys, so its arguments are the keys' columns; without arguments, all of them.
fn grouping_over_keys(expr: DfExpr, keys: &[Key]) -> DfExpr {
    let DfExpr::AggregateFunction(mut f) = expr else { return expr };
    if f.func.name() == "grouping" {
        let column = |e: &DfExpr| keys.iter().find(|k| k.expr == *e).map(|k| k.attr.expr());
        f.params.args = if f.params.args.is_empty() {
            keys.iter().map(|k| k.attr.expr()).collect()
        } else {
            f.params.args.iter().map(|e| column(e).unwrap_or_else(|| e.clone())).collect()
        };
    }
    DfExpr::AggregateFunction(f)
}

/// True if `expr` has an aggregate over a window.
fn is_windowed_aggregate(expr: &DfExpr) -> bool {
    let is_aggregate = |e: &DfExpr| match e {
        DfExpr::WindowFunction(w) => matches!(w.fun, WindowFunctionDefinition::AggregateUDF(_)),
        _ => false,
    };
    expr.exists(|e| Ok(is_aggregate(e))).unwrap_or(false)
}

/// Rows are not grouped by what windows over the groups yield.
fn refuse_windows_as_keys(grouped: &Grouped) -> Result<()> {
    match grouped.keys.iter().find(|k| contains_window(&k.expr)) {
        None => Ok(()),
        Some(key) => Err(Error::analysis("UNSUPPORTED_EXPR_FOR_OPERATOR")
            .param("operator", "Aggregate")
            .param("invalidExprSqls", windows_printed(&key.attr.name))),
    }
}

/// An entry of the select list that uses another's alias is no key.
fn refuse_lateral_alias(typed: &Typed) -> Result<()> {
    match typed.name.contains("lateralAliasReference(") {
        true => Err(Error::analysis("UNSUPPORTED_FEATURE.LATERAL_COLUMN_ALIAS_IN_GROUP_BY")),
        false => Ok(()),
    }
}

fn is_position(expr: &Expr) -> bool {
    matches!(expr.unpositioned(), Expr::Literal(spark::Literal::Integer(_)))
}

fn is_star(expr: &Expr) -> bool {
    matches!(expr.unpositioned(), Expr::Star(_))
}

fn item_name(item: &Item) -> Option<String> {
    match item {
        Item::Value { name, .. } => Some(name.clone()),
        Item::Generator { .. } => None,
    }
}

/// Adds a key unless it is there; its index.
fn add_key(keys: &mut Vec<Typed>, typed: Typed) -> usize {
    match keys.iter().position(|k| k.expr == typed.expr) {
        Some(i) => i,
        None => {
            keys.push(typed);
            keys.len() - 1
        }
    }
}

fn union(a: &[usize], b: &[usize]) -> Vec<usize> {
    let mut out = a.to_vec();
    out.extend(b.iter().filter(|i| !a.contains(i)));
    out
}

/// The call, if `expr` is `ROLLUP(…)`, `CUBE(…)` or `GROUPING SETS (…)`.
fn analytic(expr: &Expr) -> Option<&UnresolvedFunction> {
    let Expr::Function(f) = expr.unpositioned() else { return None };
    let name = builtin_name(&f.name)?;
    matches!(name.as_str(), "rollup" | "cube" | "grouping_sets").then_some(f)
}

/// The members of a row, or the expression itself.
fn row_members(expr: &Expr) -> &[Expr] {
    match expr.unpositioned() {
        Expr::Row(members) => members,
        _ => std::slice::from_ref(expr),
    }
}

fn ordinal(n: i32, items: &[Item]) -> Result<Typed> {
    let item = usize::try_from(n).ok().and_then(|n| n.checked_sub(1)).and_then(|i| items.get(i));
    match item {
        Some(Item::Value { typed, .. }) if contains_aggregate(&typed.expr) => {
            Err(Error::analysis("GROUP_BY_POS_AGGREGATE")
                .param("index", n.to_string())
                .param("aggExpr", typed.name.clone()))
        }
        Some(Item::Value { typed, .. }) => Ok(typed.clone()),
        _ => Err(Error::analysis("GROUP_BY_POS_OUT_OF_RANGE")
            .param("index", n.to_string())
            .param("size", items.len().to_string())),
    }
}
