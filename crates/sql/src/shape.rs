//! A short spelling of expressions and plans, for tests.

use spark::expr::{FrameBound, SubqueryKind, SubqueryPlan, WindowRef, WindowSpec};
use spark::plan::{GroupKind, JoinCriteria, SortKeys};
use spark::{Expr, Literal, Node, Plan};

/// `(+ a 1)`: operators and calls as lists, names as they are, literals with their type where it is
/// not plain.
pub fn expr(e: &Expr) -> String {
    match e {
        Expr::At { child, .. } => expr(child),
        Expr::Literal(literal) => self::literal(literal),
        Expr::Attribute(a) => a.parts.join("."),
        Expr::LambdaVariable(parts) => format!("\\{}", parts.join(".")),
        Expr::Star(star) => {
            let target: String = star.target.iter().map(|p| format!("{p}.")).collect();
            let except: Vec<String> = star.except.iter().map(|p| p.join(".")).collect();
            if except.is_empty() { format!("{target}*") } else { format!("{target}*-{}", except.join("-")) }
        }
        Expr::Function(f) => {
            let mut out = list(&f.name.join("."), &f.args);
            if f.distinct {
                out = format!("distinct{out}");
            }
            if let Some(filter) = &f.filter {
                out = format!("{out} filter {}", expr(filter));
            }
            if !f.within_group.is_empty() {
                out = format!("{out} within {}", f.within_group.iter().map(sort).collect::<Vec<_>>().join(","));
            }
            match f.ignore_nulls {
                Some(true) => format!("{out} ignore"),
                Some(false) => format!("{out} respect"),
                None => out,
            }
        }
        Expr::Alias { child, names, .. } => format!("{} as {}", expr(child), names.join(",")),
        Expr::Cast { child, to, mode } => format!("(cast:{mode:?} {} {})", expr(child), to.simple_string()),
        Expr::Lambda { body, params } => format!("(\\{} {})", params.join(","), expr(body)),
        Expr::Window { function, window } => format!("{} over {}", expr(function), self::window(window)),
        Expr::ExtractValue { child, extraction } => format!("{}[{}]", expr(child), expr(extraction)),
        Expr::Subquery(s) => {
            let inner = match &s.plan {
                SubqueryPlan::Plan(p) => plan(p),
                SubqueryPlan::Ref(id) => id.to_string(),
            };
            match &s.kind {
                SubqueryKind::Scalar => format!("(scalar {inner})"),
                SubqueryKind::Exists => format!("(exists {inner})"),
                SubqueryKind::In(values) => format!("{} {inner})", list("in", values).trim_end_matches(')')),
                SubqueryKind::TableArg { .. } => format!("(table {inner})"),
            }
        }
        Expr::NamedArgument { name, value } => format!("{name}=>{}", expr(value)),
        Expr::Parameter(p) => format!("{p:?}"),
        Expr::Identifier { name, .. } => format!("(identifier {})", expr(name)),
        Expr::Row(items) => list("row", items),
        Expr::Default => "default".into(),
        other => format!("{other:?}"),
    }
}

fn list(head: &str, args: &[Expr]) -> String {
    let mut out = format!("({head}");
    for arg in args {
        out.push(' ');
        out.push_str(&expr(arg));
    }
    out + ")"
}

fn literal(literal: &Literal) -> String {
    match literal {
        Literal::Null(_) => "null".into(),
        Literal::Boolean(v) => v.to_string(),
        Literal::Integer(v) => v.to_string(),
        Literal::String(v) => format!("{v:?}"),
        other => format!("{other:?}"),
    }
}

fn sort(order: &spark::expr::SortOrder) -> String {
    let nulls = match order.nulls_first {
        Some(true) => "^",
        Some(false) => "_",
        None => "",
    };
    format!("{}{}{nulls}", if order.ascending { "+" } else { "-" }, expr(&order.child))
}

fn window(window: &WindowRef) -> String {
    match window {
        WindowRef::Named(name) => name.clone(),
        WindowRef::Spec(spec) => window_spec(spec),
    }
}

fn window_spec(spec: &WindowSpec) -> String {
    let mut out = String::from("{");
    out.push_str(&spec.partition_by.iter().map(expr).collect::<Vec<_>>().join(","));
    out.push('|');
    out.push_str(&spec.order_by.iter().map(sort).collect::<Vec<_>>().join(","));
    if let Some(frame) = &spec.frame {
        let unit = if frame.is_rows { "rows" } else { "range" };
        out.push_str(&format!("|{unit} {} {}", bound(&frame.lower), bound(&frame.upper)));
    }
    out + "}"
}

fn bound(bound: &FrameBound) -> String {
    match bound {
        FrameBound::Preceding(e) => format!("-{}", expr(e)),
        FrameBound::Following(e) => format!("+{}", expr(e)),
        other => format!("{other:?}"),
    }
}

fn exprs(items: &[Expr]) -> String {
    items.iter().map(expr).collect::<Vec<_>>().join(", ")
}

/// The operators of a plan from the outside in.
pub fn plan(p: &Plan) -> String {
    match &p.node {
        Node::OneRow => "one".into(),
        Node::Table { name, .. } => name.join("."),
        Node::InlineTable { rows } => {
            format!("values[{}]", rows.iter().map(|row| exprs(row)).collect::<Vec<_>>().join("; "))
        }
        Node::TableFunction { name, args } => list(&format!("tvf {}", name.join(".")), args),
        Node::Project { input, exprs: items } => format!("project[{}]({})", exprs(items), plan(input)),
        Node::Filter { input, condition } => format!("filter[{}]({})", expr(condition), plan(input)),
        Node::Having { input, condition } => format!("having[{}]({})", expr(condition), plan(input)),
        Node::Qualify { input, condition } => format!("qualify[{}]({})", expr(condition), plan(input)),
        Node::Distinct { input } => format!("distinct({})", plan(input)),
        Node::Limit { input, limit } => format!("limit[{}]({})", expr(limit), plan(input)),
        Node::Offset { input, offset } => format!("offset[{}]({})", expr(offset), plan(input)),
        Node::Sort { input, order, global } => {
            let keys = match order {
                SortKeys::Keys(keys) => keys.iter().map(sort).collect::<Vec<_>>().join(","),
                SortKeys::All { ascending, .. } => format!("all:{ascending}"),
            };
            format!("{}[{keys}]({})", if *global { "order" } else { "sort" }, plan(input))
        }
        Node::RepartitionBy { input, exprs: items, .. } => format!("distribute[{}]({})", exprs(items), plan(input)),
        Node::SubqueryAlias { input, alias, columns } => {
            let columns = if columns.is_empty() { String::new() } else { format!("({})", columns.join(",")) };
            format!("{}={}{columns}", alias.join("."), plan(input))
        }
        Node::Join(join) => {
            let criteria = match &join.criteria {
                JoinCriteria::None => String::new(),
                JoinCriteria::On(e) => format!(" on {}", expr(e)),
                JoinCriteria::Using(columns) => format!(" using {}", columns.join(",")),
                JoinCriteria::Natural => " natural".into(),
            };
            let lateral = if join.lateral { "lateral " } else { "" };
            format!("({} {:?} {lateral}{}{criteria})", plan(&join.left), join.join_type, plan(&join.right))
        }
        Node::SetOp(op) => {
            format!("({} {:?}{} {})", plan(&op.left), op.kind, if op.all { " all" } else { "" }, plan(&op.right))
        }
        Node::Aggregate(a) => {
            let kind = match &a.kind {
                GroupKind::GroupBy => "group".to_string(),
                GroupKind::GroupingSets(sets) => {
                    format!("sets {}", sets.iter().map(|s| format!("<{}>", exprs(s))).collect::<String>())
                }
                other => format!("{other:?}").to_lowercase(),
            };
            format!("{kind}[{}][{}]({})", exprs(&a.grouping), exprs(&a.aggregates), plan(&a.input))
        }
        Node::With { ctes, recursive, input } => {
            let ctes: Vec<String> =
                ctes.iter().map(|c| format!("{}({})={}", c.name, c.columns.join(","), plan(&c.plan))).collect();
            format!("with{} {} in {}", if *recursive { " recursive" } else { "" }, ctes.join("; "), plan(input))
        }
        Node::WithWindows { input, windows } => {
            let windows: Vec<String> = windows.iter().map(|(n, s)| format!("{n}{}", window_spec(s))).collect();
            format!("windows[{}]({})", windows.join(","), plan(input))
        }
        Node::LateralView(view) => format!(
            "view{}[{} {:?} {}]({})",
            if view.outer { " outer" } else { "" },
            expr(&view.generator),
            view.table,
            view.columns.join(","),
            plan(&view.input)
        ),
        Node::Hint { input, name, params } => format!("hint[{name}({})]({})", exprs(params), plan(input)),
        other => {
            let text = format!("{other:?}");
            text.split([' ', '(', '{']).next().unwrap_or_default().to_lowercase()
        }
    }
}
