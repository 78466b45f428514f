//! Joins.

use std::sync::Arc;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{JoinType as DfJoinType, NullEquality};
use datafusion::logical_expr::utils::split_conjunction_owned;
use datafusion::logical_expr::{Expr as DfExpr, Join as DfJoin, JoinConstraint, LogicalPlan};
use functions::Typed;
use functions::error::from_datafusion;
use functions::recursion::Recursion;
use spark::plan::{Join, JoinCriteria, JoinType, Tupled};
use spark::types::DataType;
use spark::{Error, Expr, Node, Plan, Result};

use crate::context::Analyzer;
use crate::decorrelate::{Place, uses_outer};
use crate::expr::Scope;
use crate::expr::subquery::make;
use crate::relation::aggregate::contains_aggregate;
use crate::scope::{Attr, Made, Rel};

/// The names shared by the sides of a `USING` or `NATURAL` join, as pairs of columns.
type Pairs = Vec<(Attr, Attr)>;

impl Analyzer<'_> {
    pub(super) fn join(&mut self, join: &Join) -> Result<Rel> {
        let left = self.relation(&join.left)?;
        if join.lateral {
            return self.lateral_join(join, left);
        }
        let right = self.relation(&join.right)?;
        match join.tupled {
            Some(tupled) => self.join_with(&left, &right, join, tupled),
            None => self.join_rels(left, right, join.join_type, &join.criteria),
        }
    }

    /// `joinWith`: pairs of rows. The columns of a side become one before the join, so that a side that is left
    /// out is null as a whole; the condition still sees them.
    fn join_with(&mut self, left: &Rel, right: &Rel, join: &Join, tupled: Tupled) -> Result<Rel> {
        if matches!(join.join_type, JoinType::LeftSemi | JoinType::LeftAnti) {
            let printed = if join.join_type == JoinType::LeftSemi { "LEFT SEMI" } else { "LEFT ANTI" };
            return Err(Error::analysis("INVALID_JOIN_TYPE_FOR_JOINWITH")
                .param("joinType", printed)
                .with_message(format!("Pairs of rows need both sides, and a {printed} join has one.")));
        }
        let (left, l) = self.as_one_column(left, tupled.left)?;
        let (right, r) = self.as_one_column(right, tupled.right)?;
        let joined = self.join_rels(left, right, join.join_type, &join.criteria)?;
        let mut pair = Vec::new();
        for (attr, name) in [(l, "_1"), (r, "_2")] {
            let found = joined.output.iter().find(|a| a.id == attr.id).cloned().unwrap_or(attr);
            pair.push((found.typed(), Some(Attr { qualifier: Vec::new(), ..found }), name.to_string()));
        }
        self.project_values(&joined, pair)
    }

    /// The relation with a column that stands for all of it.
    fn as_one_column(&mut self, side: &Rel, is_struct: bool) -> Result<(Rel, Attr)> {
        let missing = || Error::internal("a side of joinWith has no column");
        if !is_struct {
            let only = side.output.first().cloned().ok_or_else(missing)?;
            return Ok((side.clone(), only));
        }
        let mut members = Vec::new();
        let mut values = Vec::new();
        for attr in &side.output {
            members.extend([self.literal_string(&attr.name), attr.typed()]);
            values.push((attr.typed(), Some(attr.clone()), attr.name.clone()));
        }
        // No name that a condition can say.
        values.push((self.call("named_struct", members)?, None, "\u{0}".to_string()));
        let wide = self.project_values(side, values)?;
        let all = wide.output.last().cloned().ok_or_else(missing)?;
        Ok((wide, all))
    }

    /// Joins two analysed relations.
    ///
    /// # Errors
    /// As the condition; `UNRESOLVED_USING_COLUMN_FOR_JOIN`.
    pub fn join_rels(&mut self, left: Rel, right: Rel, kind: JoinType, criteria: &JoinCriteria) -> Result<Rel> {
        self.refuse_correlated(&left, &right, kind)?;
        match criteria {
            JoinCriteria::None => self.join_on(&left, &right, kind, None),
            JoinCriteria::On(condition) => {
                let typed = self.join_condition(&left, &right, condition)?;
                let (left, right, typed) = self.lift_condition(left, right, typed)?;
                self.join_on(&left, &right, kind, Some(typed))
            }
            JoinCriteria::Using(names) => {
                let pairs = names
                    .iter()
                    .map(|name| {
                        Ok((self.using_column(name, &left, "left")?, self.using_column(name, &right, "right")?))
                    })
                    .collect::<Result<Pairs>>()?;
                self.join_using(left, right, kind, pairs)
            }
            JoinCriteria::Natural => {
                let mut pairs = Vec::new();
                for l in &left.output {
                    if let Some(r) = right.output.iter().find(|r| self.same_name(&r.name, &l.name)) {
                        pairs.push((l.clone(), r.clone()));
                    }
                }
                self.join_using(left, right, kind, pairs)
            }
        }
    }

    /// The side of a join that may be left out has no columns of the enclosing query.
    fn refuse_correlated(&self, left: &Rel, right: &Rel, kind: JoinType) -> Result<()> {
        if self.outer.is_empty() {
            return Ok(());
        }
        let refused = match kind {
            JoinType::Inner | JoinType::Cross => false,
            JoinType::LeftOuter | JoinType::LeftSemi | JoinType::LeftAnti => uses_outer(&right.plan),
            JoinType::RightOuter => uses_outer(&left.plan),
            JoinType::FullOuter => uses_outer(&left.plan) || uses_outer(&right.plan),
        };
        match refused {
            false => Ok(()),
            true => Err(Error::analysis(
                "UNSUPPORTED_SUBQUERY_EXPRESSION_CATEGORY.ACCESSING_OUTER_QUERY_COLUMN_IS_NOT_ALLOWED",
            )
            .with_message("A correlated subquery cannot use outer columns in a side of a join that may be left out.")),
        }
    }

    fn join_condition(&mut self, left: &Rel, right: &Rel, condition: &Expr) -> Result<Typed> {
        let both = both_sides(left, right);
        let mut scope = Scope::new(&both, "JOIN");
        let typed = self.resolve(condition, &mut scope)?;
        if typed.ty != DataType::Boolean {
            return Err(Error::analysis("JOIN_CONDITION_IS_NOT_BOOLEAN_TYPE")
                .param("joinCondition", format!("\"{}\"", typed.name))
                .param("conditionType", format!("\"{}\"", typed.ty.sql())));
        }
        if contains_aggregate(&typed.expr) {
            return Err(Error::analysis("UNSUPPORTED_EXPR_FOR_OPERATOR")
                .param("operator", "Join")
                .param("invalidExprSqls", super::aggregate::aggregates_printed(&typed)));
        }
        if crate::expr::window::contains_window(&typed.expr) {
            return Err(Error::analysis("UNSUPPORTED_EXPR_FOR_OPERATOR")
                .param("operator", "Join")
                .param("invalidExprSqls", super::group_check::windows_printed(&typed.name)));
        }
        self.as_condition(typed)
    }

    /// Subqueries of a condition become columns of the side whose columns they use.
    fn lift_condition(&mut self, left: Rel, right: Rel, condition: Typed) -> Result<(Rel, Rel, Typed)> {
        if !super::project::has_subquery(&condition.expr) {
            return Ok((left, right, condition));
        }
        let (mut left, mut right) = (left, right);
        let mut out: Option<DfExpr> = None;
        for part in split_conjunction_owned(condition.expr.clone()) {
            let mut part = [part];
            if super::project::has_subquery(&part[0]) {
                refuse_values(&part[0])?;
                let used = used_with_outer(&part[0]);
                if used.iter().all(|id| left.has_column(*id)) {
                    left = self.lift_subqueries(&left, &mut part, Place::Value)?;
                } else if used.iter().all(|id| right.has_column(*id)) {
                    right = self.lift_subqueries(&right, &mut part, Place::Value)?;
                } else {
                    return Err(Error::analysis(
                        "UNSUPPORTED_SUBQUERY_EXPRESSION_CATEGORY.UNSUPPORTED_CORRELATED_EXPRESSION_IN_JOIN_CONDITION",
                    )
                    .param("subqueryExpression", condition.name.clone()));
                }
            }
            let [part] = part;
            out = Some(match out {
                None => part,
                Some(before) => before.and(part),
            });
        }
        let expr = out.unwrap_or(condition.expr);
        Ok((left, right, Typed { expr, ..condition }))
    }

    /// `left JOIN right ON condition`.
    ///
    /// # Errors
    /// If a recursive reference stands where the join may leave its rows out.
    pub fn join_on(&mut self, left: &Rel, right: &Rel, kind: JoinType, condition: Option<Typed>) -> Result<Rel> {
        self.refuse_recursion(left, right, kind)?;
        let used: Vec<u64> = condition
            .as_ref()
            .map(|c| super::project::needed_columns(std::slice::from_ref(&c.expr)))
            .unwrap_or_default();
        let reach = |rel: &Rel| {
            let own: Vec<u64> =
                used.iter().copied().filter(|id| rel.hidden.iter().chain(&rel.output).any(|a| a.id == *id)).collect();
            rel.with_columns(&own).unwrap_or_else(|| rel.clone())
        };
        let (l, r) = (reach(left), reach(right));
        let kind = match (kind, &condition) {
            (JoinType::Cross, _) => JoinType::Inner,
            (kind, _) => kind,
        };
        // Outer, semi and anti joins without a condition match everything.
        let filter = condition
            .map(|c| c.expr)
            .or_else(|| (kind != JoinType::Inner).then(|| datafusion::logical_expr::lit(true)));
        let join = DfJoin::try_new(
            Arc::new(l.plan),
            Arc::new(r.plan),
            vec![],
            filter,
            df_type(kind),
            JoinConstraint::On,
            NullEquality::NullEqualsNothing,
            false,
        )
        .map_err(from_datafusion)?;
        let (lo, ro) = sides(left, right, kind);
        let (lh, rh) = hidden_sides(left, right, kind);
        let output = lo.into_iter().chain(ro).collect();
        Ok(Rel::new(LogicalPlan::Join(join), output, Made::Opaque, &[left, right])
            .with_hidden(lh.into_iter().chain(rh).collect()))
    }

    /// A recursive reference must not stand where the join may leave its rows out.
    fn refuse_recursion(&self, left: &Rel, right: &Rel, kind: JoinType) -> Result<()> {
        let (l, r) = match kind {
            JoinType::Inner | JoinType::Cross => (false, false),
            JoinType::LeftOuter | JoinType::LeftSemi | JoinType::LeftAnti => (false, true),
            JoinType::RightOuter => (true, false),
            JoinType::FullOuter => (true, true),
        };
        for side in [(l, left), (r, right)].into_iter().filter(|(refused, _)| *refused).map(|(_, side)| side) {
            self.refuse_round(side)?;
        }
        Ok(())
    }

    /// A join that shows its keys once.
    fn join_using(&mut self, left: Rel, right: Rel, kind: JoinType, pairs: Pairs) -> Result<Rel> {
        let mut condition: Option<Typed> = None;
        for (l, r) in &pairs {
            let equal = self.call("=", vec![l.typed(), r.typed()])?;
            condition = Some(match condition {
                None => equal,
                Some(before) => self.call("and", vec![before, equal])?,
            });
        }
        let joined = self.join_on(&left, &right, kind, condition)?;
        if matches!(kind, JoinType::LeftSemi | JoinType::LeftAnti) {
            let shown = keys_first(&left.output, pairs.iter().map(|(l, _)| l));
            return Ok(joined.renamed(shown));
        }
        let nullable =
            |attr: &Attr| joined.output.iter().find(|a| a.id == attr.id).cloned().unwrap_or_else(|| attr.clone());
        let mut values: Vec<(Typed, Option<Attr>, String)> = Vec::new();
        for (l, r) in &pairs {
            let (l, r) = (nullable(l), nullable(r));
            match kind {
                JoinType::RightOuter => values.push((r.typed(), Some(r.clone()), r.name)),
                JoinType::FullOuter => {
                    let merged = self.call("coalesce", vec![l.typed(), r.typed()])?;
                    values.push((merged, None, l.name));
                }
                _ => values.push((l.typed(), Some(l.clone()), l.name)),
            }
        }
        let is_key = |a: &Attr| pairs.iter().any(|(l, r)| l.id == a.id || r.id == a.id);
        values
            .extend(joined.output.iter().filter(|a| !is_key(a)).map(|a| (a.typed(), Some(a.clone()), a.name.clone())));
        let hidden: Vec<Attr> = pairs.iter().flat_map(|(l, r)| [nullable(l), nullable(r)]).collect();
        let visible = self.project_values(&joined, values)?;
        // The keys of both sides stay in reach: `a.id`, `b.id`.
        let keys: Vec<u64> = hidden.iter().map(|a| a.id).collect();
        let visible = visible.with_columns(&keys).unwrap_or(visible);
        let mut all = hidden;
        all.extend(joined.hidden.iter().cloned());
        Ok(visible.with_hidden(all))
    }

    fn using_column(&self, name: &str, rel: &Rel, side: &str) -> Result<Attr> {
        let found: Vec<&Attr> = rel.output.iter().filter(|a| self.same_name(&a.name, name)).collect();
        match found.as_slice() {
            [one] => Ok((*one).clone()),
            [] => {
                let mut suggestions: Vec<String> =
                    rel.output.iter().map(|a| spark::types::quote_identifier(&a.name)).collect();
                suggestions.sort();
                Err(Error::analysis("UNRESOLVED_USING_COLUMN_FOR_JOIN")
                    .param("colName", spark::types::quote_identifier(name))
                    .param("side", side)
                    .param("suggestion", suggestions.join(", "))
                    .with_message(format!("The {side} side of the join has no column {name}.")))
            }
            many => {
                Err(Error::analysis("AMBIGUOUS_REFERENCE").param("name", spark::types::quote_identifier(name)).param(
                    "referenceNames",
                    format!(
                        "[{}]",
                        many.iter()
                            .map(|a| {
                                crate::expr::attribute::quoted(
                                    &a.qualifier.iter().chain([&a.name]).cloned().collect::<Vec<_>>(),
                                )
                            })
                            .collect::<Vec<_>>()
                            .join(", ")
                    ),
                ))
            }
        }
    }

    /// `left JOIN LATERAL right`: the right side sees the columns of the left.
    fn lateral_join(&mut self, join: &Join, left: Rel) -> Result<Rel> {
        if let Some(rel) = self.lateral_generator(join, &left)? {
            return Ok(rel);
        }
        let scope = Scope::new(&left, "LATERAL");
        let (mut right, used) = self.inner(&join.right, &scope)?;
        self.refuse_correlated(&left, &right, join.join_type).map_err(|e| e.at(scope.origin.as_ref()))?;
        let draws = |e: &DfExpr| e.exists(|e| Ok(functions::families::sample::draws(e))).unwrap_or(false);
        let by_chance = |e: &DfExpr| e.is_volatile() && !draws(e);
        let volatile = right.plan.exists(|p| Ok(p.expressions().iter().any(by_chance))).unwrap_or(false);
        let recursive = right.plan.exists(|p| Ok(Recursion::is(p))).unwrap_or(false);
        if volatile && !recursive && !matches!(left.plan, LogicalPlan::EmptyRelation(_)) {
            return Err(Error::analysis(
                "UNSUPPORTED_SUBQUERY_EXPRESSION_CATEGORY.NON_DETERMINISTIC_LATERAL_SUBQUERIES",
            ));
        }
        let kinds = [JoinType::Inner, JoinType::Cross, JoinType::LeftOuter];
        if used.is_empty() || !kinds.contains(&join.join_type) {
            return self.join_rels(left, right, join.join_type, &join.criteria);
        }
        let (plan, on) = self.lateral_side(&left, &make(right.exact_plan()?, &used))?;
        right.plan = plan;
        right.made = std::rc::Rc::new(Made::Opaque);
        match &join.criteria {
            JoinCriteria::None | JoinCriteria::On(_) => {
                let mut condition = match &join.criteria {
                    JoinCriteria::On(condition) => Some(self.join_condition(&left, &right, condition)?),
                    _ => None,
                };
                refuse_in_lateral(condition.as_ref())?;
                if let Some(on) = on {
                    let both = condition.map_or_else(|| on.clone(), |c| on.clone().and(c.expr));
                    condition = Some(Typed::new(both, DataType::Boolean, true, "lateral"));
                }
                self.join_on(&left, &right, join.join_type, condition)
            }
            criteria => self.join_rels(left, right, join.join_type, criteria),
        }
    }

    /// A generator as the right side of a lateral join adds columns to the left side's rows.
    fn lateral_generator(&mut self, join: &Join, left: &Rel) -> Result<Option<Rel>> {
        if !matches!(join.join_type, JoinType::Inner | JoinType::Cross | JoinType::LeftOuter) {
            return Ok(None);
        }
        if !matches!(join.criteria, JoinCriteria::None) {
            return Ok(None);
        }
        let (alias, names, plan) = strip_alias(&join.right);
        let Node::TableFunction { name, args } = &plan.node else { return Ok(None) };
        let call = spark::expr::UnresolvedFunction { name: name.clone(), args: args.clone(), ..Default::default() };
        let mut scope = Scope::new(left, "LATERAL");
        let Some(generator) = self.generator(&call, &mut scope)? else { return Ok(None) };
        let (rel, mut columns) = self.generate(left, generator, names)?;
        for column in &mut columns {
            column.qualifier = alias.to_vec();
            column.nullable |= join.join_type == JoinType::LeftOuter;
        }
        let mut output = left.output.clone();
        output.extend(columns);
        let shown = rel.renamed(output);
        Ok(Some(shown.tagged(join.right.plan_id)))
    }
}

/// A join's condition has no values of correlated queries.
fn refuse_values(expr: &DfExpr) -> Result<()> {
    let correlated = expr.exists(|e| Ok(matches!(e, DfExpr::ScalarSubquery(s) if !s.outer_ref_columns.is_empty())));
    match correlated.unwrap_or(false) {
        false => Ok(()),
        true => Err(Error::analysis("UNSUPPORTED_SUBQUERY_EXPRESSION_CATEGORY.UNSUPPORTED_CORRELATED_SCALAR_SUBQUERY")
            .with_message("The value of a correlated subquery cannot stand in the condition of a join.")),
    }
}

/// The condition of a lateral join has no subqueries and no functions of chance.
fn refuse_in_lateral(condition: Option<&Typed>) -> Result<()> {
    let Some(condition) = condition else { return Ok(()) };
    if condition.expr.is_volatile() {
        return Err(Error::analysis(
            "UNSUPPORTED_SUBQUERY_EXPRESSION_CATEGORY.LATERAL_JOIN_CONDITION_NON_DETERMINISTIC",
        )
        .param("condition", condition.name.clone()));
    }
    let tests = condition.expr.exists(|e| Ok(matches!(e, DfExpr::Exists(_) | DfExpr::InSubquery(_))));
    match tests.unwrap_or(false) {
        false => Ok(()),
        true => Err(Error::analysis("UNSUPPORTED_SUBQUERY_EXPRESSION_CATEGORY.UNSUPPORTED_IN_EXISTS_SUBQUERY")),
    }
}

/// The attributes an expression uses, also inside its subqueries.
fn used_with_outer(expr: &DfExpr) -> Vec<u64> {
    let mut out = super::project::needed_columns(std::slice::from_ref(expr));
    let _ = expr.apply(|e| {
        let subquery = match e {
            DfExpr::ScalarSubquery(s) => Some(s),
            DfExpr::Exists(e) => Some(&e.subquery),
            DfExpr::InSubquery(i) => Some(&i.subquery),
            _ => None,
        };
        for outer in subquery.into_iter().flat_map(|s| &s.outer_ref_columns) {
            if let DfExpr::OuterReferenceColumn(_, c) = outer {
                out.extend(crate::scope::column_id(c));
            }
        }
        Ok(TreeNodeRecursion::Continue)
    });
    out
}

/// An alias with its column names around a plan.
fn strip_alias(plan: &Plan) -> (&[String], &[String], &Plan) {
    match &plan.node {
        Node::SubqueryAlias { input, alias, columns } => (alias, columns, input),
        _ => (&[], &[], plan),
    }
}

/// The scope of a join's condition.
pub(crate) fn both_sides(left: &Rel, right: &Rel) -> Rel {
    let output = left.output.iter().chain(&right.output).cloned().collect();
    let hidden = left.hidden.iter().chain(&right.hidden).cloned().collect();
    Rel::new(left.plan.clone(), output, Made::Opaque, &[left, right]).with_hidden(hidden)
}

/// Output columns of the sides, nullable where the join may leave them out.
fn sides(left: &Rel, right: &Rel, kind: JoinType) -> (Vec<Attr>, Vec<Attr>) {
    outer_nullable(&left.output, &right.output, kind)
}

fn hidden_sides(left: &Rel, right: &Rel, kind: JoinType) -> (Vec<Attr>, Vec<Attr>) {
    outer_nullable(&left.hidden, &right.hidden, kind)
}

fn outer_nullable(left: &[Attr], right: &[Attr], kind: JoinType) -> (Vec<Attr>, Vec<Attr>) {
    let nullable = |attrs: &[Attr]| attrs.iter().map(Attr::as_nullable).collect::<Vec<_>>();
    match kind {
        JoinType::Inner | JoinType::Cross => (left.to_vec(), right.to_vec()),
        JoinType::LeftOuter => (left.to_vec(), nullable(right)),
        JoinType::RightOuter => (nullable(left), right.to_vec()),
        JoinType::FullOuter => (nullable(left), nullable(right)),
        JoinType::LeftSemi | JoinType::LeftAnti => (left.to_vec(), Vec::new()),
    }
}

fn df_type(kind: JoinType) -> DfJoinType {
    match kind {
        JoinType::Inner | JoinType::Cross => DfJoinType::Inner,
        JoinType::LeftOuter => DfJoinType::Left,
        JoinType::RightOuter => DfJoinType::Right,
        JoinType::FullOuter => DfJoinType::Full,
        JoinType::LeftSemi => DfJoinType::LeftSemi,
        JoinType::LeftAnti => DfJoinType::LeftAnti,
    }
}

/// `keys`, then the other columns.
fn keys_first<'a>(output: &[Attr], keys: impl Iterator<Item = &'a Attr>) -> Vec<Attr> {
    let mut out: Vec<Attr> = keys.cloned().collect();
    let ids: Vec<u64> = out.iter().map(|a| a.id).collect();
    out.extend(output.iter().filter(|a| !ids.contains(&a.id)).cloned());
    out
}
