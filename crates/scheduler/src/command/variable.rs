//! Session variables: `DECLARE`, `SET VARIABLE`, `DROP TEMPORARY VARIABLE`.

use std::collections::HashSet;
use std::sync::Arc;

use spark::expr::CastMode;
use spark::plan::Node;
use spark::types::{DataType, quote_identifier};
use spark::{Error, Expr, Literal, Plan, Result};

use crate::literals;
use crate::names::Variable;
use crate::operation::Table;
use crate::session::Session;

/// Declares variables.
pub async fn declare(
    session: &Arc<Session>,
    names: Vec<Vec<String>>,
    replace: bool,
    data_type: Option<DataType>,
    default: Option<Expr>,
    default_text: String,
) -> Result<Table> {
    let expr = default.unwrap_or(Expr::Literal(Literal::Null(DataType::Null)));
    if has_subquery(&expr) {
        let name = names.first().map(|n| key(n)).transpose()?.unwrap_or_default();
        return Err(Error::analysis("INVALID_DEFAULT_VALUE.SUBQUERY_EXPRESSION")
            .param("statement", "DECLARE VARIABLE")
            .param("colName", shown(&name))
            .param("defaultValue", default_text)
            .with_message("The default of a variable is no subquery."));
    }
    super::function::refuse_in_definition(session, &expr, "CreateVariable")?;
    let expr = match &data_type {
        Some(to) => Expr::Cast { child: Box::new(expr), to: to.clone(), mode: CastMode::Session },
        None => expr,
    };
    let (evaluated_type, value) = default_value(session, expr).await?;
    let default = if default_text.is_empty() { "null".to_string() } else { default_text };
    let mut seen = HashSet::new();
    for name in &names {
        let key = key(name)?;
        if !seen.insert(key.clone()) {
            return Err(Error::analysis("DUPLICATE_VARIABLE_NAME_INSIDE_DECLARE")
                .param("variableName", quote_identifier(&key))
                .with_message(format!("The variable {key} is declared twice.")));
        }
        let mut held = session.names.lock();
        if !replace && held.variables.contains_key(&key) {
            return Err(Error::analysis("VARIABLE_ALREADY_EXISTS")
                .param("variableName", shown(&key))
                .with_message(format!("There is a variable {key} already.")));
        }
        let variable = Variable {
            value: value.clone(),
            data_type: data_type.clone().unwrap_or_else(|| evaluated_type.clone()),
            default: Some(default.clone()),
        };
        held.variables.insert(key.clone(), (key, variable));
    }
    Ok(Table::empty())
}

/// The value of a variable's default, which is computed from no rows.
async fn default_value(session: &Arc<Session>, expr: Expr) -> Result<(DataType, Literal)> {
    let inner = match &expr {
        Expr::Cast { child, .. } => (**child).clone(),
        other => other.clone(),
    };
    let constant = constant(session, expr).await?;
    if constant.is_constant || constant.is_random {
        return Ok((constant.data_type, constant.value));
    }
    let printed = self::constant(session, inner).await?.printed;
    Err(Error::analysis("UNSUPPORTED_EXPR_FOR_OPERATOR")
        .param("operator", "CreateVariable")
        .param("invalidExprSqls", format!("\"{printed}\"")))
}

fn has_subquery(expr: &Expr) -> bool {
    let mut found = false;
    expr.clone().visit_mut(&mut |e| found |= matches!(e, Expr::Subquery(_)));
    found
}

/// The key of a variable's name.
fn key(name: &[String]) -> Result<String> {
    match name {
        [only] => Ok(only.to_lowercase()),
        [schema, only] if schema.eq_ignore_ascii_case("session") => Ok(only.to_lowercase()),
        [catalog, schema, only] if catalog.eq_ignore_ascii_case("system") && schema.eq_ignore_ascii_case("session") => {
            Ok(only.to_lowercase())
        }
        _ => Err(unresolved(name)),
    }
}

fn shown(key: &str) -> String {
    format!("`system`.`session`.{}", quote_identifier(key))
}

fn unresolved(name: &[String]) -> Error {
    Error::analysis("UNRESOLVED_VARIABLE")
        .param("variableName", crate::catalog::shown(name))
        .param("searchPath", "[`system`.`session`]")
        .with_message(format!("There is no variable {}.", crate::catalog::shown(name)))
}

/// Whether there is such a variable.
pub fn exists(session: &Session, name: &[String]) -> bool {
    key(name).is_ok_and(|k| session.names.lock().variables.contains_key(&k))
}

/// A variable with its key: by its name alone, or behind `session` or a block's label.
fn find(session: &Session, name: &[String]) -> Result<(String, Variable)> {
    let settings = session.settings();
    if name.len() == 1 && !settings.looks_in_session() {
        return Err(unresolved(name).param("searchPath", settings.search_path_shown()));
    }
    let names = session.names.lock();
    let missing = || {
        let current = format!("{}.{}", quote_identifier(&names.catalog), quote_identifier(&names.database));
        unresolved(name).param("searchPath", format!("[`system`.`builtin`, `system`.`session`, {current}]"))
    };
    let (owner, last) = match name {
        [only] => (None, only.to_lowercase()),
        [owner, only] => (Some(owner.as_str()), only.to_lowercase()),
        [system, session, only] if system.eq_ignore_ascii_case("system") && session.eq_ignore_ascii_case("session") => {
            (Some("session"), only.to_lowercase())
        }
        _ => return Err(missing()),
    };
    if let Some(owner) = owner {
        let is_label = names.labels.iter().any(|l| l.eq_ignore_ascii_case(owner));
        if !owner.eq_ignore_ascii_case("session") && !is_label {
            return Err(missing());
        }
        let hidden = crate::names::hidden(owner, &last);
        if let Some((_, variable)) = names.variables.get(&hidden) {
            return Ok((hidden, variable.clone()));
        }
    }
    match names.variables.get(&last) {
        Some((_, variable)) => Ok((last, variable.clone())),
        None => Err(missing()),
    }
}

/// `DROP TEMPORARY VARIABLE`.
pub fn drop(session: &Session, name: &[String], if_exists: bool) -> Result<Table> {
    let key = key(name)?;
    let removed = session.names.lock().variables.remove(&key);
    match removed {
        None if !if_exists => Err(Error::analysis("VARIABLE_NOT_FOUND")
            .param("variableName", shown(&key))
            .with_message("There is no such variable.")),
        _ => Ok(Table::empty()),
    }
}

/// `SET VARIABLE a = x, b = y`: all values first, then all assignments.
pub async fn set(session: &Arc<Session>, assignments: Vec<(Vec<String>, Expr)>) -> Result<Table> {
    let mut targets = Vec::new();
    let mut exprs = Vec::new();
    for (name, expr) in assignments {
        let (key, variable) = find(session, &name)?;
        if targets.contains(&key) {
            return Err(duplicate(&key));
        }
        if mentions_default(&expr) {
            return Err(Error::analysis("DEFAULT_PLACEMENT_INVALID")
                .with_message("DEFAULT can only stand alone as a value to assign."));
        }
        let expr = match expr.unpositioned() {
            Expr::Default => Expr::Text(variable.default.clone().unwrap_or_else(|| "null".into())),
            _ => expr,
        };
        exprs.push(Expr::Cast { child: Box::new(expr), to: variable.data_type.clone(), mode: CastMode::Session });
        targets.push(key);
    }
    let values = values(session, exprs).await?;
    assign(session, &targets, values);
    Ok(Table::empty())
}

/// True if the word `DEFAULT` stands inside the expression.
fn mentions_default(expr: &Expr) -> bool {
    let mut found = false;
    expr.clone().visit_mut(&mut |e| found |= is_default_word(e));
    found && !matches!(expr.unpositioned(), Expr::Default)
}

/// `DEFAULT` where it was read as a name.
fn is_default_word(expr: &Expr) -> bool {
    let Expr::Attribute(a) = expr else { return false };
    a.plan_id.is_none() && matches!(a.parts.as_slice(), [only] if only.eq_ignore_ascii_case("default"))
}

fn duplicate(key: &str) -> Error {
    Error::analysis("DUPLICATE_ASSIGNMENTS")
        .param("nameList", quote_identifier(key))
        .with_message(format!("The variable {key} is assigned twice."))
}

fn assign(session: &Session, targets: &[String], values: Vec<Literal>) {
    let mut held = session.names.lock();
    for (key, value) in targets.iter().zip(values) {
        if let Some((_, variable)) = held.variables.get_mut(key) {
            variable.value = value;
        }
    }
}

/// `SET VARIABLE (a, b) = (query)`, and the `INTO` of `EXECUTE IMMEDIATE`.
pub async fn set_from(session: &Arc<Session>, names: &[Vec<String>], query: &Plan) -> Result<Table> {
    let mut targets = Vec::new();
    let mut types = Vec::new();
    let mut defaults = Vec::new();
    for name in names {
        let (key, variable) = find(session, name)?;
        if targets.contains(&key) {
            return Err(duplicate(&key));
        }
        targets.push(key);
        types.push(variable.data_type);
        defaults.push(variable.default.unwrap_or_else(|| "null".into()));
    }
    let mut query = query.clone();
    put_defaults(&mut query, &defaults);
    let (analyzed, batches) = session.collect(&query, session.settings(), 2).await?;
    if analyzed.schema.fields.len() != targets.len() {
        return Err(Error::analysis("ASSIGNMENT_ARITY_MISMATCH")
            .param("numTarget", targets.len().to_string())
            .param("numExpr", analyzed.schema.fields.len().to_string())
            .with_message("The query has another number of columns than there are variables."));
    }
    let rows: usize = batches.iter().map(arrow::array::RecordBatch::num_rows).sum();
    if rows > 1 {
        return Err(Error::runtime("ROW_SUBQUERY_TOO_MANY_ROWS")
            .with_message("A query that sets variables gave more than one row."));
    }
    let first = batches.iter().find(|b| b.num_rows() > 0);
    let mut exprs = Vec::new();
    for ((field, &column), to) in analyzed.schema.fields.iter().zip(&analyzed.columns).zip(types) {
        let literal = match first {
            Some(batch) => literals::literal(batch.column(column), 0, &field.data_type)?,
            None => Literal::Null(field.data_type.clone()),
        };
        exprs.push(Expr::Cast { child: Box::new(Expr::Literal(literal)), to, mode: CastMode::Session });
    }
    let values = values(session, exprs).await?;
    assign(session, &targets, values);
    Ok(Table::empty())
}

/// Puts the variables' defaults where the query's output says `DEFAULT`.
fn put_defaults(plan: &mut Plan, defaults: &[String]) {
    let replace = |exprs: &mut Vec<Expr>| {
        for (expr, default) in exprs.iter_mut().zip(defaults) {
            let value = expr.unpositioned();
            if matches!(value, Expr::Default) || is_default_word(value) {
                *expr = Expr::Text(default.clone());
            }
        }
    };
    match &mut plan.node {
        Node::Project { exprs, .. } => replace(exprs),
        Node::InlineTable { rows } => rows.iter_mut().for_each(replace),
        Node::Limit { input, .. }
        | Node::Offset { input, .. }
        | Node::Sort { input, .. }
        | Node::With { input, .. } => {
            put_defaults(input, defaults);
        }
        _ => {}
    }
}

/// The values of expressions that refer to no rows.
pub async fn values(session: &Arc<Session>, exprs: Vec<Expr>) -> Result<Vec<Literal>> {
    Ok(typed_values(session, exprs).await?.into_iter().map(|(_, v)| v).collect())
}

async fn typed_values(session: &Arc<Session>, exprs: Vec<Expr>) -> Result<Vec<(DataType, Literal)>> {
    let named = exprs.into_iter().enumerate().map(|(i, e)| e.alias(format!("v{i}"))).collect();
    let plan = Plan::from(Node::Project { input: Plan::boxed(Node::OneRow), exprs: named });
    let (analyzed, batches) = session.collect(&plan, session.settings(), 1).await?;
    let Some(batch) = batches.iter().find(|b| b.num_rows() > 0) else {
        return Err(Error::internal("a row of constants is missing"));
    };
    let fields = analyzed.schema.fields.iter().zip(&analyzed.columns);
    fields.map(|(f, &c)| Ok((f.data_type.clone(), literals::literal(batch.column(c), 0, &f.data_type)?))).collect()
}

/// An expression that refers to no rows, with its value and how it came by it.
struct Constant {
    data_type: DataType,
    value: Literal,
    /// As Spark prints the expression.
    printed: String,
    /// Neither aggregates, windows, generators, subqueries nor chance.
    is_constant: bool,
    is_random: bool,
}

async fn constant(session: &Arc<Session>, expr: Expr) -> Result<Constant> {
    use datafusion::common::tree_node::TreeNode;
    use datafusion::logical_expr::{Expr as DfExpr, LogicalPlan};
    let plan = Plan::from(Node::Project { input: Plan::boxed(Node::OneRow), exprs: vec![expr] });
    let (analyzed, batches) = session.collect(&plan, session.settings(), 1).await?;
    let ([field], [column], Some(batch)) =
        (analyzed.schema.fields.as_slice(), analyzed.columns.as_slice(), batches.iter().find(|b| b.num_rows() > 0))
    else {
        return Err(Error::internal("a constant is missing"));
    };
    let plain = |p: &LogicalPlan| matches!(p, LogicalPlan::Projection(_) | LogicalPlan::EmptyRelation(_));
    let asks = |e: &DfExpr| matches!(e, DfExpr::ScalarSubquery(_) | DfExpr::Exists(_) | DfExpr::InSubquery(_));
    let is = |test: &dyn Fn(&LogicalPlan) -> bool| analyzed.plan.exists(|p| Ok(test(p))).unwrap_or(true);
    let uses_rows = is(&|p| !plain(p) || p.expressions().iter().any(|e| e.exists(|e| Ok(asks(e))).unwrap_or(true)));
    let is_random = is(&|p| p.expressions().iter().any(DfExpr::is_volatile));
    Ok(Constant {
        data_type: field.data_type.clone(),
        value: literals::literal(batch.column(*column), 0, &field.data_type)?,
        printed: field.name.clone(),
        is_constant: !uses_rows && !is_random,
        is_random: is_random && !uses_rows,
    })
}

/// An argument of `EXECUTE IMMEDIATE`, or its text: a constant.
async fn parameter(session: &Arc<Session>, expr: Expr) -> Result<Constant> {
    let origin = match &expr {
        Expr::At { origin, .. } => Some(origin.clone()),
        _ => None,
    };
    let has_sql = super::function::refuse_in_definition(session, &expr, "Parameter").is_err();
    let found = constant(session, expr).await?;
    match found.is_constant && !has_sql {
        true => Ok(found),
        false => Err(Error::analysis("UNSUPPORTED_EXPR_FOR_PARAMETER")
            .param("invalidExprSql", format!("\"{}\"", found.printed))
            .with_message(format!("{} is no constant, as a parameter must be.", found.printed))
            .at(origin.as_ref())),
    }
}

/// `EXECUTE IMMEDIATE`.
pub async fn execute_immediate(
    session: &Arc<Session>,
    text: Expr,
    into: Vec<Vec<String>>,
    using: Vec<Expr>,
    op: &crate::operation::OperationContext,
) -> Result<Table> {
    let found = parameter(session, text).await?;
    let text_type = found.data_type;
    let text = match found.value {
        Literal::String(text) => text,
        Literal::Null(_) if text_type.is_string() => {
            return Err(Error::analysis("NULL_QUERY_STRING_EXECUTE_IMMEDIATE")
                .param("varName", quote_identifier(&found.printed))
                .with_message("The statement to execute is null."));
        }
        _ => {
            return Err(Error::analysis("INVALID_EXPR_TYPE_FOR_QUERY_EXECUTE_IMMEDIATE")
                .param("exprType", format!("\"{}\"", text_type.sql()))
                .with_message("The statement to execute must be a string."));
        }
    };
    let parsed = sql::parse_statement(&text, &sql::ParseOptions::from(&session.settings()));
    if let Err(e) = parsed
        && e.condition() == "PARSE_SYNTAX_ERROR"
    {
        return Err(e.at(Some(&whole(&text))));
    }
    let begins = text.trim_start().get(..5).is_some_and(|w| w.eq_ignore_ascii_case("BEGIN"));
    if begins && sql::parse_statement(&text, &sql::ParseOptions::from(&session.settings())).is_ok() {
        return Err(Error::analysis("SQL_SCRIPT_IN_EXECUTE_IMMEDIATE")
            .param("sqlString", &text)
            .with_message("EXECUTE IMMEDIATE runs one statement, not a script."));
    }
    let (mut named, mut positional) = arguments(session, &text, using)?;
    for argument in named.iter_mut().map(|(_, e)| e).chain(&mut positional) {
        let value = parameter(session, argument.clone()).await?.value;
        *argument = Expr::Literal(value);
    }
    for name in &into {
        find(session, name).map_err(|_| {
            Error::analysis("UNRESOLVED_COLUMN.WITHOUT_SUGGESTION")
                .param("objectName", crate::catalog::shown(name))
                .with_message(format!("There is no variable {}.", crate::catalog::shown(name)))
        })?;
    }
    let shown = text.to_uppercase();
    let plan = Plan::from(Node::Sql { text, named_args: named, positional_args: positional });
    if into.is_empty() {
        return session.execute_here(plan, op).await?.collect().await;
    }
    if session.command_of(&plan)?.is_some() {
        return Err(Error::analysis("INVALID_STATEMENT_FOR_EXECUTE_INTO")
            .param("sqlString", shown)
            .with_message("INTO takes the row of a query."));
    }
    set_from(session, &into, &plan).await
}

/// A whole text as the place of an error.
fn whole(text: &str) -> Arc<spark::Origin> {
    let units = u32::try_from(text.encode_utf16().count()).unwrap_or(u32::MAX);
    Arc::new(spark::Origin::Sql(spark::SqlOrigin {
        text: text.into(),
        start: 0,
        stop: units.saturating_sub(1),
        line: 1,
        column: 0,
        object_type: "".into(),
        object_name: "".into(),
    }))
}

/// The arguments as the statement's markers want them: a variable is named after itself.
#[allow(clippy::type_complexity)]
fn arguments(session: &Session, text: &str, using: Vec<Expr>) -> Result<(Vec<(String, Expr)>, Vec<Expr>)> {
    if using.is_empty() {
        return Ok((Vec::new(), Vec::new()));
    }
    let (has_named, has_positional) = crate::statement::markers(session, text)?;
    if has_named && has_positional {
        return Err(Error::analysis("INVALID_QUERY_MIXED_QUERY_PARAMETERS")
            .with_message("A statement has named markers or question marks, not both."));
    }
    if !has_named {
        let plain = using.into_iter().map(|e| match e.unpositioned() {
            Expr::Alias { child, .. } => (**child).clone(),
            _ => e,
        });
        return Ok((Vec::new(), plain.collect()));
    }
    let mut named = Vec::new();
    let mut unnamed = Vec::new();
    for argument in using {
        match argument.unpositioned() {
            Expr::Alias { child, names, .. } if names.len() == 1 => named.push((names[0].clone(), (**child).clone())),
            Expr::Attribute(column) => named.push((column.parts.last().cloned().unwrap_or_default(), argument.clone())),
            other => unnamed.push(format!("\"{}\"", literal_text(other))),
        }
    }
    if unnamed.is_empty() {
        return Ok((named, Vec::new()));
    }
    Err(Error::analysis("ALL_PARAMETERS_MUST_BE_NAMED")
        .param("exprs", unnamed.join(", "))
        .with_message("Every argument of a statement with named markers needs a name."))
}

fn literal_text(expr: &Expr) -> String {
    match expr {
        Expr::Literal(Literal::Integer(n)) => n.to_string(),
        Expr::Literal(Literal::String(text)) => text.clone(),
        _ => String::new(),
    }
}
