//! What may not stand beside groups: other columns, subqueries, and `grouping` of what is no key.

use std::sync::Arc;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{Expr as DfExpr, LogicalPlan};
use spark::{Error, Result};

use crate::relation::aggregate::Grouped;

/// The first window function in the printed form of an expression.
pub(crate) fn windows_printed(printed: &str) -> String {
    let bytes = printed.as_bytes();
    let Some(over) = printed.find(" OVER (") else { return format!("\"{printed}\"") };
    // Back over the arguments to the function's name.
    let mut depth = 0i32;
    let mut start = over;
    while start > 0 {
        match bytes[start - 1] {
            b')' => depth += 1,
            b'(' if depth == 0 => break,
            b'(' => depth -= 1,
            b' ' if depth == 0 => break,
            _ => {}
        }
        start -= 1;
    }
    let mut end = printed.len();
    depth = 0;
    for (i, c) in printed[over..].char_indices() {
        match c {
            '(' => depth += 1,
            ')' if depth == 1 => {
                end = over + i + 1;
                break;
            }
            ')' => depth -= 1,
            _ => {}
        }
    }
    format!("\"{}\"", &printed[start..end])
}

/// `grouping` and `grouping_id` need grouping sets, and ask for their keys.
pub(super) fn check_grouping_calls(
    expr: &DfExpr,
    grouped: &Grouped,
    calls: &[(DfExpr, Arc<spark::Origin>)],
) -> Result<()> {
    let mut error = None;
    let _ = expr.apply(|e| {
        let (call, is_id) = match e {
            DfExpr::Cast(c) => (c.expr.as_ref(), c.field.data_type() != &arrow_schema::DataType::Int8),
            _ => return Ok(TreeNodeRecursion::Continue),
        };
        if let DfExpr::AggregateFunction(f) = call
            && f.func.name() == "grouping"
        {
            let place = calls.iter().find(|(call, _)| call == e).map(|(_, origin)| origin);
            error = grouping_error(&f.params.args, is_id, grouped).map(|e| match (place, e.condition()) {
                (Some(origin), _) => e.at(Some(origin)),
                (None, "UNSUPPORTED_GROUPING_EXPRESSION") => e.nowhere(),
                (None, _) => e,
            });
        }
        Ok(if error.is_some() { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    });
    error.map_or(Ok(()), Err)
}

/// A column as Spark's plans name it.
fn with_id(attr: &crate::scope::Attr) -> String {
    let long = if attr.ty == spark::DataType::Long { "L" } else { "" };
    format!("{}#{}{long}", attr.name, attr.id)
}

fn grouping_error(args: &[DfExpr], is_id: bool, grouped: &Grouped) -> Option<Error> {
    if grouped.sets.is_none() {
        return Some(Error::analysis("UNSUPPORTED_GROUPING_EXPRESSION").with_message(
            "grouping and grouping_id are about grouping sets; this query has neither those nor ROLLUP or CUBE.",
        ));
    }
    let input = |name: &str| {
        grouped.input.output.iter().chain(&grouped.input.hidden).find(|a| a.column_name() == name).map(with_id)
    };
    let keys: Vec<String> = grouped
        .keys
        .iter()
        .map(|k| match &k.expr {
            DfExpr::Column(c) => input(&c.name).unwrap_or_else(|| k.attr.name.clone()),
            _ => k.attr.name.clone(),
        })
        .collect();
    let known = |e: &DfExpr| grouped.keys.iter().position(|k| k.expr == *e || k.attr.expr() == *e);
    let named = |e: &DfExpr| match e {
        DfExpr::Column(c) => input(&c.name).unwrap_or_else(|| c.name.clone()),
        other => other.to_string(),
    };
    if is_id {
        let asked: Vec<Option<usize>> = args.iter().map(known).collect();
        if args.is_empty() || asked.iter().copied().eq((0..keys.len()).map(Some)) {
            return None;
        }
        return Some(
            Error::analysis("GROUPING_ID_COLUMN_MISMATCH")
                .param("groupingIdColumn", args.iter().map(named).collect::<Vec<_>>().join(","))
                .param("groupByColumns", keys.join(",")),
        );
    }
    let unknown = args.iter().find(|e| known(e).is_none())?;
    Some(
        Error::analysis("GROUPING_COLUMN_MISMATCH")
            .param("grouping", named(unknown))
            .param("groupingColumns", keys.join(",")),
    )
}

/// Subqueries beside aggregates: one with a value of its own must be grouped by, and what it uses of the
/// enclosing query is grouped by.
/// A subquery among `bodies` is the body of a SQL function, whose value need not be grouped by.
pub(super) fn check_subqueries(expr: &DfExpr, grouped: &Grouped, bodies: &[Arc<LogicalPlan>]) -> Result<()> {
    let mut error = None;
    let _ = expr.apply(|e| {
        if grouped.keys.iter().any(|k| k.expr == *e) || matches!(e, DfExpr::AggregateFunction(_)) {
            return Ok(TreeNodeRecursion::Jump);
        }
        let (subquery, is_value) = match e {
            DfExpr::ScalarSubquery(s) => (s, true),
            DfExpr::Exists(e) => (&e.subquery, false),
            DfExpr::InSubquery(i) => (&i.subquery, false),
            _ => return Ok(TreeNodeRecursion::Continue),
        };
        let used: Vec<&str> = subquery
            .outer_ref_columns
            .iter()
            .filter_map(|e| match e {
                DfExpr::OuterReferenceColumn(_, c) => Some(c.name.as_str()),
                _ => None,
            })
            .collect();
        let is_key = grouped.keys.iter().any(|k| match &k.expr {
            DfExpr::ScalarSubquery(key) => key.outer_ref_columns == subquery.outer_ref_columns,
            _ => false,
        });
        let is_body = bodies.iter().any(|b| Arc::ptr_eq(b, &subquery.subquery));
        if is_value && !used.is_empty() && !is_key && !is_body {
            let names: Vec<String> = used.iter().map(|c| input_name(c, grouped)).collect();
            error = Some(
                Error::analysis("SCALAR_SUBQUERY_IS_IN_GROUP_BY_OR_AGGREGATE_FUNCTION")
                    .param("sqlExpr", format!("\"scalarsubquery({})\"", names.join(", "))),
            );
        } else if let Some(column) = used.iter().find(|c| !grouped.keys.iter().any(|k| k.attr.column_name() == **c)) {
            error = Some(missing_aggregation(column, grouped));
        }
        Ok(if error.is_some() { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    });
    error.map_or(Ok(()), Err)
}

/// The name of a column of the aggregation's input.
pub(super) fn input_name(column: &str, grouped: &Grouped) -> String {
    let mut all = grouped.input.output.iter().chain(&grouped.input.hidden);
    all.find(|a| a.column_name() == column).map_or_else(|| column.to_string(), |a| a.name.clone())
}

pub(super) fn missing_aggregation(column: &str, grouped: &Grouped) -> Error {
    let name = input_name(column, grouped);
    if grouped.keys.is_empty() {
        return Error::analysis("MISSING_GROUP_BY")
            .with_message(format!("{name} is selected beside aggregates but there is no GROUP BY."));
    }
    Error::analysis("MISSING_AGGREGATION")
        .param("expression", format!("\"{name}\""))
        .param("expressionAnyValue", format!("\"any_value({name})\""))
        .with_message(format!("{name} is neither grouped by nor aggregated."))
}
