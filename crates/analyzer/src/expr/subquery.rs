//! Subqueries as expressions: scalar, `EXISTS`, `IN`.

use std::sync::Arc;

use datafusion::common::Spans;
use datafusion::logical_expr::expr::{Exists, InSubquery};
use datafusion::logical_expr::{Expr as DfExpr, LogicalPlan, Subquery as DfSubquery};
use functions::Typed;
use functions::families::collation::{collations_differ, is_collated, key_expr};
use spark::expr::{Subquery, SubqueryKind, SubqueryPlan};
use spark::types::DataType;
use spark::{Error, Expr, Plan, Result};

use crate::context::{Analyzer, OuterScope};
use crate::decorrelate::always_has_a_row;
use crate::expr::Scope;
use crate::scope::{Attr, Rel};

impl Analyzer<'_> {
    /// Types a subquery.
    ///
    /// # Errors
    /// `INVALID_SUBQUERY_EXPRESSION.*`, and what is wrong inside.
    pub fn subquery(&mut self, subquery: &Subquery, scope: &mut Scope) -> Result<Typed> {
        let plan = self.subquery_plan(&subquery.plan)?;
        match &subquery.kind {
            SubqueryKind::Scalar => self.scalar_subquery(&plan, scope),
            SubqueryKind::Exists => {
                let (rel, used) = self.inner(&plan, scope)?;
                let name = format!("exists({})", outer_names(&used, &rel.plan));
                if always_has_a_row(&rel.plan) {
                    return Ok(Typed::new(datafusion::logical_expr::lit(true), DataType::Boolean, false, name));
                }
                let expr = DfExpr::Exists(Exists::new(make(rel.plan, &used), false));
                Ok(Typed::new(expr, DataType::Boolean, false, name))
            }
            SubqueryKind::In(values) => self.in_subquery(values, &plan, scope),
            SubqueryKind::TableArg { .. } => Err(Error::unsupported("a table argument outside a table function")),
        }
    }

    /// The plan of a subquery, also where it is a reference of the enclosing `WithRelations`.
    ///
    /// # Errors
    /// If there is no such reference.
    pub fn subquery_plan(&mut self, plan: &SubqueryPlan) -> Result<Plan> {
        match plan {
            SubqueryPlan::Plan(plan) => Ok((**plan).clone()),
            SubqueryPlan::Ref(id) => {
                self.references.iter().rev().flatten().find(|p| p.plan_id == Some(*id)).cloned().ok_or_else(|| {
                    Error::new(spark::ErrorKind::InvalidPlan, "CONNECT_INVALID_PLAN.INVALID_ONE_OF_FIELD_NOT_SET")
                        .with_message(format!("no relation with plan id {id} came with this query"))
                })
            }
        }
    }

    /// Analyses an inner query with the columns of `scope` in reach, and the columns it used.
    ///
    /// # Errors
    /// What is wrong inside.
    pub fn inner(&mut self, plan: &Plan, scope: &Scope) -> Result<(Rel, Vec<Attr>)> {
        let takes_aggregates = scope.clause == "HAVING";
        self.outer.push(OuterScope { rel: scope.rel.clone(), used: Vec::new(), takes_aggregates });
        let boundary = std::mem::replace(&mut self.cte_boundary, self.ctes.len());
        let hides = std::mem::replace(&mut self.hides_outer, false);
        let rel = self.relation(plan);
        self.hides_outer = hides;
        self.cte_boundary = boundary;
        let mut used = self.outer.pop().map(|s| s.used).unwrap_or_default();
        let rel = rel?;
        if takes_aggregates {
            // Columns under aggregates of the outer query are not asked for themselves.
            let there = crate::decorrelate::outer_occurrences(&rel.plan);
            used.retain(|a| there.contains(&a.column_name()));
        }
        Ok((rel, used))
    }

    fn scalar_subquery(&mut self, plan: &Plan, scope: &Scope) -> Result<Typed> {
        let (rel, used) = self.inner(plan, scope)?;
        let [column] = rel.output.as_slice() else {
            return Err(Error::analysis(
                "INVALID_SUBQUERY_EXPRESSION.SCALAR_SUBQUERY_RETURN_MORE_THAN_ONE_OUTPUT_COLUMN",
            )
            .param("number", rel.output.len().to_string())
            .at(scope.origin.as_ref()));
        };
        let name = format!("scalarsubquery({})", outer_names(&used, &rel.plan));
        let plan = self.one_value(rel.exact_plan()?, &column.ty, scope.origin.as_ref())?;
        let expr = DfExpr::ScalarSubquery(make(plan, &used));
        Ok(Typed::new(expr, column.ty.clone(), true, name))
    }

    fn in_subquery(&mut self, values: &[Expr], plan: &Plan, scope: &mut Scope) -> Result<Typed> {
        let members = members(values);
        let values = members.as_slice();
        let mut typed = Vec::with_capacity(values.len());
        for value in values {
            typed.push(self.resolve(value, scope)?);
        }
        let (rel, used) = self.inner(plan, scope)?;
        let printed: Vec<String> = typed.iter().map(|t| t.name.clone()).collect();
        let head = |quote: &str| match printed.as_slice() {
            [one] => one.clone(),
            many => {
                let named = |(i, n): (usize, &String)| format!("{quote}{}{quote}, {n}", member_name(&values[i], i, n));
                let named: Vec<String> = many.iter().enumerate().map(named).collect();
                format!("named_struct({})", named.join(", "))
            }
        };
        let outer = outer_names(&used, &rel.plan);
        let name = format!("({} IN (listquery({outer})))", head(""));
        let sql = format!("({} IN (listquery({outer})))", head("'"));
        if typed.len() != rel.output.len() {
            let left: Vec<String> = typed.iter().map(|t| format!("\"{}\"", t.name)).collect();
            let right: Vec<String> = rel.output.iter().map(|a| format!("\"{}\"", a.name)).collect();
            return Err(Error::analysis("DATATYPE_MISMATCH.IN_SUBQUERY_LENGTH_MISMATCH")
                .param("sqlExpr", format!("\"{sql}\""))
                .param("leftLength", typed.len().to_string())
                .param("leftColumns", left.join(", "))
                .param("rightLength", rel.output.len().to_string())
                .param("rightColumns", right.join(", "))
                .at(scope.origin.as_ref()));
        }
        let (left, inner) = self.in_operands(typed, &rel, &sql, scope)?;
        let nullable = left.nullable || inner.output.iter().any(|a| a.nullable);
        if left.literal().is_some_and(datafusion::scalar::ScalarValue::is_null) && self.null_in_nothing_is_null() {
            return Ok(Typed::null(DataType::Boolean).named(name));
        }
        let subquery = make(inner.exact_plan()?, &used);
        let place = |expr| match &scope.origin {
            Some(origin) => functions::kernel::placed(expr, origin),
            None => expr,
        };
        let expr = DfExpr::InSubquery(InSubquery::new(Box::new(place(left.expr)), subquery, false));
        Ok(Typed::new(expr, DataType::Boolean, nullable, name))
    }

    /// `spark.sql.legacy.nullInEmptyListBehavior`, which unless set is how it is outside ANSI mode.
    fn null_in_nothing_is_null(&self) -> bool {
        self.settings.conf.get_bool("spark.sql.legacy.nullInEmptyListBehavior", !self.settings.ansi)
    }

    /// Both sides of an `IN` cast to their common type; several columns become one struct.
    fn in_operands(&mut self, typed: Vec<Typed>, rel: &Rel, name: &str, scope: &Scope) -> Result<(Typed, Rel)> {
        let shown = |t: &Typed, attr: Option<&Attr>| {
            let path: Vec<String> = match attr {
                Some(a) => a.qualifier.iter().chain([&a.name]).map(|p| spark::types::quote_if_needed(p)).collect(),
                None => vec![t.name.clone()],
            };
            format!("{}:{}", path.join("."), t.ty.simple_string())
        };
        let mut left = Vec::new();
        let mut right = Vec::new();
        for (value, column) in typed.iter().zip(&rel.output) {
            if collations_differ(&value.ty, &column.ty) {
                return Err(Error::analysis("INDETERMINATE_COLLATION_IN_EXPRESSION")
                    .param("expr", format!("\"{name}\""))
                    .with_message(format!("The collation to compare by in {name} is not determined."))
                    .at(scope.origin.as_ref()));
            }
            let Some(common) = functions::coerce::wider_type(&value.ty, &column.ty, &self.settings) else {
                let types =
                    |all: Vec<&DataType>| all.iter().map(|t| format!("\"{}\"", t.sql())).collect::<Vec<_>>().join(", ");
                return Err(Error::analysis("DATATYPE_MISMATCH.IN_SUBQUERY_DATA_TYPE_MISMATCH")
                    .param("sqlExpr", format!("\"{name}\""))
                    .param(
                        "mismatchedColumns",
                        format!(
                            "({}, {})",
                            shown(value, self.plain_column(value, scope).as_ref()),
                            shown(&column.typed(), Some(column))
                        ),
                    )
                    .param("leftType", types(typed.iter().map(|t| &t.ty).collect()))
                    .param("rightType", types(rel.output.iter().map(|a| &a.ty).collect()))
                    .at(scope.origin.as_ref()));
            };
            let keyed = |mut typed: Typed| {
                if let Some(origin) = &scope.origin {
                    typed.expr = functions::kernel::placed(typed.expr, origin);
                }
                // Strings with a collation are equal if their keys are.
                if is_collated(&common) {
                    typed.expr = key_expr(typed.expr, &common);
                }
                typed
            };
            left.push(keyed(functions::coerce::cast_implicitly(value, &common, &self.settings)));
            right.push(keyed(functions::coerce::cast_implicitly(&column.typed(), &common, &self.settings)));
        }
        if let ([l], [r]) = (left.as_slice(), right.as_slice()) {
            return Ok((l.clone(), self.single_column(rel, r.clone())?));
        }
        // The left side is packed; the right side stays a list of columns, compared one by one.
        let mut args = Vec::new();
        for (i, value) in left.into_iter().enumerate() {
            args.push(self.literal_string(&format!("col{}", i + 1)));
            args.push(value);
        }
        let left = self.call("named_struct", args)?;
        let values = right.into_iter().map(|r| (r.clone(), None, r.name)).collect();
        Ok((left, self.project_values(rel, values)?))
    }

    /// `SELECT value FROM rel`.
    fn single_column(&mut self, rel: &Rel, value: Typed) -> Result<Rel> {
        let item = crate::expr::list::Item::Value { attr: None, name: value.name.clone(), typed: value };
        self.project_items(rel, vec![item])
    }
}

/// A DataFusion subquery that uses the given columns of the enclosing query.
pub(crate) fn make(plan: LogicalPlan, used: &[Attr]) -> DfSubquery {
    let outer_ref_columns = used
        .iter()
        .map(|a| {
            let field = arrow_schema::Field::new(a.column_name(), functions::types::to_arrow(&a.ty), true);
            DfExpr::OuterReferenceColumn(field.into(), datafusion::common::Column::new_unqualified(a.column_name()))
        })
        .collect();
    DfSubquery { subquery: Arc::new(plan), outer_ref_columns, spans: Spans::new() }
}

/// The name of member `i` of a row, as `named_struct` gets it.
/// The values that are looked for: those of a struct where one is made in the `IN` itself.
fn members(values: &[Expr]) -> Vec<Expr> {
    let [only] = values else { return values.to_vec() };
    match only.unpositioned() {
        Expr::Function(f) if matches!(f.name.as_slice(), [n] if n.eq_ignore_ascii_case("struct")) => f.args.clone(),
        Expr::Function(f) if matches!(f.name.as_slice(), [n] if n.eq_ignore_ascii_case("named_struct")) => {
            f.args.iter().skip(1).step_by(2).cloned().collect()
        }
        _ => values.to_vec(),
    }
}

fn member_name(value: &Expr, i: usize, printed: &str) -> String {
    match value.unpositioned() {
        Expr::Attribute(_) => printed.rsplit('.').next().unwrap_or(printed).to_string(),
        _ => format!("col{}", i + 1),
    }
}

/// The columns of the enclosing query that the inner one uses, as often as it does.
fn outer_names(used: &[Attr], plan: &LogicalPlan) -> String {
    let found = crate::decorrelate::outer_occurrences(plan);
    let names = found.iter().filter_map(|c| used.iter().find(|a| a.column_name() == *c)).map(|a| a.name.clone());
    names.collect::<Vec<_>>().join(", ")
}
