//! The operators of pipe syntax that differ from clauses: `EXTEND`, `SET`, `AGGREGATE`.

use functions::Typed;
use spark::expr::UnresolvedStar;
use spark::plan::Aggregate;
use spark::{Error, Expr, Plan, Result};

use crate::context::Analyzer;
use crate::expr::Scope;
use crate::expr::list::Item;
use crate::relation::aggregate::contains_aggregate;
use crate::scope::Rel;

impl Analyzer<'_> {
    /// The columns of `input` and `exprs`.
    pub(super) fn pipe_extend(&mut self, input: &Plan, exprs: &[Expr]) -> Result<Rel> {
        let rel = self.relation(input)?;
        self.refuse_aggregates(&rel, exprs, "EXTEND")?;
        let mut items = vec![Expr::Star(UnresolvedStar::default())];
        items.extend(exprs.iter().cloned());
        self.project_rel(&rel, &items)
    }

    /// Columns that exist get new values, one after the other.
    pub(super) fn pipe_set(&mut self, input: &Plan, assignments: &[(String, Expr)]) -> Result<Rel> {
        let mut rel = self.relation(input)?;
        for (name, value) in assignments {
            // A column that does not exist is refused as any other name would be.
            self.resolve(&Expr::attribute([name.clone()]), &mut Scope::new(&rel, "SET"))?;
            self.refuse_aggregates(&rel, std::slice::from_ref(value), "SET")?;
            rel = self.with_columns_rel(&rel, &[value.clone().alias(name.clone())])?;
        }
        Ok(rel)
    }

    /// Grouping columns, then aggregates, each of which must be one.
    pub(super) fn pipe_aggregate(&mut self, aggregate: &Aggregate) -> Result<Rel> {
        let rel = self.relation(&aggregate.input)?.aggregated();
        // Positions are those of the input's columns.
        let mut grouping = Vec::with_capacity(aggregate.grouping.len());
        for key in &aggregate.grouping {
            let position = match key.unpositioned() {
                Expr::Literal(spark::Literal::Integer(n)) => usize::try_from(*n).ok().and_then(|n| n.checked_sub(1)),
                _ => None,
            };
            grouping.push(match position.and_then(|i| rel.output.get(i)).cloned() {
                Some(attr) => self.bound(crate::expr::list::Bound { typed: attr.typed(), attr: Some(attr) }),
                None => key.clone(),
            });
        }
        let aggregate = &Aggregate { grouping, ..aggregate.clone() };
        let exprs: Vec<Expr> = aggregate.grouping.iter().chain(&aggregate.aggregates).cloned().collect();
        let items = self.select_list(&exprs, &mut Scope::new(&rel, "AGGREGATE"))?;
        for (item, expr) in items.iter().zip(&exprs).skip(aggregate.grouping.len()) {
            let missing =
                |typed: &Typed| !contains_aggregate(&typed.expr) || typed.name.contains("lateralAliasReference(");
            if item_value(item).is_some_and(missing) {
                let condition = "PIPE_OPERATOR_AGGREGATE_EXPRESSION_CONTAINS_NO_AGGREGATE_FUNCTION";
                return Err(positioned(Error::analysis(condition).param("expr", shown(expr)), expr));
            }
        }
        let keys: Vec<Expr> = aggregate.grouping.iter().map(unaliased).collect();
        let (keys, sets) = self.keys(&aggregate.kind, &keys, &items, &rel)?;
        let grouped = self.group_items(rel, keys, sets, items)?;
        self.build_grouped(grouped)
    }

    fn refuse_aggregates(&mut self, rel: &Rel, exprs: &[Expr], clause: &'static str) -> Result<()> {
        if exprs.iter().any(|e| matches!(e.unpositioned(), Expr::Star(_))) {
            return Err(Error::analysis("INVALID_USAGE_OF_STAR_OR_REGEX")
                .param("elem", "'*'")
                .param("prettyName", "expression `pipeexpression`")
                .nowhere());
        }
        let items = self.select_list(exprs, &mut Scope::new(rel, clause))?;
        for (item, expr) in items.iter().zip(exprs) {
            if item_value(item).is_some_and(|typed| contains_aggregate(&typed.expr)) {
                let error = Error::analysis("PIPE_OPERATOR_CONTAINS_AGGREGATE_FUNCTION")
                    .param("expr", shown(&unaliased(expr)))
                    .param("clause", clause);
                return Err(positioned(error, expr));
            }
        }
        Ok(())
    }
}

fn item_value(item: &Item) -> Option<&Typed> {
    match item {
        Item::Value { typed, .. } => Some(typed),
        _ => None,
    }
}

/// The expression without an alias on top.
fn unaliased(expr: &Expr) -> Expr {
    match expr.unpositioned() {
        Expr::Alias { child, .. } => (**child).clone(),
        _ => expr.clone(),
    }
}

fn positioned(error: Error, expr: &Expr) -> Error {
    match expr {
        Expr::At { origin, .. } => error.at(Some(origin)),
        _ => error,
    }
}

/// The text of the expression, as written.
fn shown(expr: &Expr) -> String {
    match expr {
        Expr::At { origin, .. } => match &**origin {
            spark::Origin::Sql(sql) => sql.fragment(),
            spark::Origin::DataFrame { fragment, .. } => fragment.clone(),
        },
        _ => String::new(),
    }
}
