//! What `CREATE FUNCTION … RETURN` refuses: a definition is typed once, with arguments that are no
//! constants, so that its mistakes are said when it is made.

use std::sync::Arc;

use analyzer::world;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::logical_expr::LogicalPlan;
use functions::Build;
use spark::command::{FunctionBody, FunctionReturn, SqlFunction};
use spark::plan::Node;
use spark::types::{DataType, quote_identifier};
use spark::{Error, ErrorKind, Expr, Plan, Result};

use crate::catalog::shown;
use crate::naming::Place;
use crate::session::Session;

/// What typing a definition tells of it.
pub struct Checked {
    /// The type of a scalar function's body.
    pub result: Option<DataType>,
    pub deterministic: bool,
}

/// Refuses a definition for what it says, before its names are looked up.
///
/// # Errors
/// `DUPLICATE_ROUTINE_*`, `USER_DEFINED_FUNCTIONS.*`, `UNSUPPORTED_CHAR_OR_VARCHAR_AS_STRING`.
pub fn check_definition(function: &SqlFunction) -> Result<()> {
    check_types(function)?;
    check_returns(function)?;
    check_parameters(function)
}

/// Strings of a function have no lengths.
fn check_types(function: &SqlFunction) -> Result<()> {
    let returned: Vec<&DataType> = match &function.returns {
        None => Vec::new(),
        Some(FunctionReturn::Scalar(ty)) => vec![ty],
        Some(FunctionReturn::Table(fields)) => fields.iter().map(|f| &f.data_type).collect(),
    };
    let mut all = function.params.iter().map(|p| &p.field.data_type).chain(returned);
    match all.any(has_length) {
        false => Ok(()),
        true => Err(Error::analysis("UNSUPPORTED_CHAR_OR_VARCHAR_AS_STRING")
            .with_message("A parameter or result of a function is no CHAR or VARCHAR.")),
    }
}

fn has_length(ty: &DataType) -> bool {
    match ty {
        DataType::Char(_) | DataType::Varchar(_) => true,
        DataType::Array { element, .. } => has_length(element),
        DataType::Map { key, value, .. } => has_length(key) || has_length(value),
        DataType::Struct(s) => s.fields.iter().any(|f| has_length(&f.data_type)),
        _ => false,
    }
}

/// Refuses a body that is no body of a function of its kind.
///
/// # Errors
/// `USER_DEFINED_FUNCTIONS.*`, `INVALID_TEMP_OBJ_REFERENCE`, `INVALID_SQL_FUNCTION_DATA_ACCESS`.
pub fn check_body_kind(session: &Session, function: &SqlFunction, place: &Place) -> Result<()> {
    let defaults = function.params.iter().filter_map(|p| p.default.as_ref().map(|(e, _)| e));
    let own = match &function.body {
        FunctionBody::Expression(expr) => Some(expr),
        FunctionBody::Query(_) => None,
    };
    if own.into_iter().chain(defaults).any(has_complex_call) {
        return Err(Error::analysis("USER_DEFINED_FUNCTIONS.CANNOT_CONTAIN_COMPLEX_FUNCTIONS")
            .param("queryText", &function.text)
            .with_message("The expression of a function has no aggregates, windows or generators."));
    }
    if !function.temporary {
        refuse_temporary(session, function, place)?;
    }
    match function.contains_sql == Some(true) && reads_data(function) {
        false => Ok(()),
        true => Err(Error::analysis("INVALID_SQL_FUNCTION_DATA_ACCESS")
            .with_message("A function that CONTAINS SQL only reads no tables.")),
    }
}

/// True if a function reads tables or views.
pub fn reads_data(function: &SqlFunction) -> bool {
    !super::view::tables(&mut body_plan(function)).is_empty()
}

fn body_plan(function: &SqlFunction) -> Plan {
    match &function.body {
        FunctionBody::Query(plan) => (**plan).clone(),
        FunctionBody::Expression(expr) => {
            Plan::from(Node::Project { input: Plan::boxed(Node::OneRow), exprs: vec![expr.clone()] })
        }
    }
}

/// A temporary function that a plan calls by its name alone.
fn temporary_call(session: &Session, plan: &mut Plan) -> Option<String> {
    let temporary: Vec<String> = session.names.lock().functions.keys().cloned().collect();
    let mut found = None;
    plan.visit_exprs_mut(&mut |e| {
        if let Expr::Function(f) = e
            && let [only] = f.name.as_slice()
            && temporary.contains(&only.to_lowercase())
        {
            found = Some(only.clone());
        }
    });
    found
}

/// A permanent function calls no temporary one.
fn refuse_temporary(session: &Session, function: &SqlFunction, place: &Place) -> Result<()> {
    let mut plan = body_plan(function);
    let names: Vec<String> = function.params.iter().map(|p| p.field.name.clone()).collect();
    let other = super::view::temporary_view(session, &plan)
        .map(|name| ("VIEW", name))
        .or_else(|| super::view::named_variable(session, &plan, &names).map(|name| ("VARIABLE", name)));
    if let Some((kind, name)) = other {
        return Err(Error::analysis("INVALID_TEMP_OBJ_REFERENCE")
            .param("obj", "FUNCTION")
            .param("objName", shown(&place.parts()[1..]))
            .param("tempObj", kind)
            .param("tempObjName", shown(&name))
            .with_message("A permanent function cannot refer to what is temporary."));
    }
    let Some(name) = temporary_call(session, &mut plan) else { return Ok(()) };
    Err(Error::analysis("INVALID_TEMP_OBJ_REFERENCE")
        .param("obj", "FUNCTION")
        .param("objName", shown(&place.parts()[1..]))
        .param("tempObj", "FUNCTION")
        .param("tempObjName", quote_identifier(&name))
        .with_message("A permanent function cannot call a temporary one."))
}

/// The columns of a table function's result have names of their own.
fn check_returns(function: &SqlFunction) -> Result<()> {
    let Some(FunctionReturn::Table(fields)) = &function.returns else { return Ok(()) };
    let name = function.name.last().cloned().unwrap_or_default();
    let FunctionBody::Query(query) = &function.body else {
        return Err(Error::analysis("USER_DEFINED_FUNCTIONS.SQL_TABLE_UDF_BODY_MUST_BE_A_QUERY")
            .param("name", name)
            .with_message("A function that returns a table returns a query."));
    };
    if fields.is_empty() && has_unnamed_column(query) {
        return Err(Error::analysis("USER_DEFINED_FUNCTIONS.SQL_TABLE_UDF_MISSING_COLUMN_NAMES")
            .param("functionName", quote_identifier(&name))
            .with_message("The columns of a function's table have names."));
    }
    let is_twice = |i: &usize| fields[..*i].iter().any(|f| f.name.eq_ignore_ascii_case(&fields[*i].name));
    let columns: Vec<String> = (0..fields.len()).filter(is_twice).map(|i| quote_identifier(&fields[i].name)).collect();
    if columns.is_empty() {
        return Ok(());
    }
    Err(Error::analysis("DUPLICATE_ROUTINE_RETURNS_COLUMNS")
        .param("routineName", name)
        .param("columns", columns.join(", "))
        .with_message("Two columns of the function's result have one name."))
}

fn holds_subquery(expr: &Expr) -> bool {
    let mut found = false;
    expr.clone().visit_mut(&mut |e| found |= matches!(e, Expr::Subquery(_)));
    found
}

fn check_parameters(function: &SqlFunction) -> Result<()> {
    let mut twice: Vec<String> = Vec::new();
    for (i, param) in function.params.iter().enumerate() {
        let name = &param.field.name;
        if function.params[..i].iter().any(|p| p.field.name.eq_ignore_ascii_case(name)) {
            twice.push(quote_identifier(&name.to_lowercase()));
        }
        if param.default.as_ref().is_some_and(|(default, _)| holds_subquery(default)) {
            return Err(Error::analysis("USER_DEFINED_FUNCTIONS.NOT_A_VALID_DEFAULT_EXPRESSION")
                .param("functionName", function.name.last().cloned().unwrap_or_default())
                .param("parameterName", name)
                .with_message("The default of a parameter is no subquery."));
        }
        if let (Some(_), Some(next)) = (&param.default, function.params.get(i + 1))
            && next.default.is_none()
        {
            return Err(Error::analysis("USER_DEFINED_FUNCTIONS.NOT_A_VALID_DEFAULT_PARAMETER_POSITION")
                .param("functionName", function.name.last().cloned().unwrap_or_default())
                .param("parameterName", name)
                .param("nextParameterName", &next.field.name)
                .with_message("Parameters with a default come last."));
        }
    }
    if twice.is_empty() {
        return Ok(());
    }
    Err(Error::analysis("DUPLICATE_ROUTINE_PARAMETER_NAMES")
        .param("routineName", function.name.last().cloned().unwrap_or_default())
        .param("names", twice.join(", "))
        .with_message("Two parameters of the function have one name."))
}

/// True if there is an aggregate, window or generator in an expression outside its subqueries.
fn has_complex_call(expr: &Expr) -> bool {
    let own = match expr {
        Expr::Subquery(_) => return false,
        Expr::Window { .. } => true,
        Expr::Function(f) => f.name.last().is_some_and(|name| {
            let builtin = functions::registry::function(&name.to_lowercase());
            builtin.is_some_and(|b| matches!(b.build, Build::Aggregate(_) | Build::Window(_) | Build::Generator(_)))
        }),
        _ => false,
    };
    let mut found = own;
    expr.clone().for_each_child_mut(&mut |child| found |= has_complex_call(child));
    found
}

/// True if a query that is a plain `SELECT` computes a column without naming it.
fn has_unnamed_column(query: &Plan) -> bool {
    let Node::Project { exprs, .. } = &query.node else { return false };
    exprs.iter().any(|e| {
        !matches!(e.unpositioned(), Expr::Alias { .. } | Expr::Attribute(_) | Expr::Star(_) | Expr::ExtractValue { .. })
    })
}

/// Types the body, with columns as arguments: what is wrong with it is said when it is created.
///
/// # Errors
/// What analysis finds.
pub async fn check_body(session: &Arc<Session>, function: &Arc<world::SqlFunction>, place: &Place) -> Result<Checked> {
    check_defaults(session, function, place).await?;
    // The function under its own name is what is being defined; it cannot call itself.
    let probe = format!("\u{0}{}", place.name.to_lowercase());
    session.names.lock().functions.insert(probe.clone(), Arc::clone(function));
    let checked = analyze_probe(session, function, &probe).await;
    session.names.lock().functions.remove(&probe);
    match checked {
        Ok(analyzed) => {
            let result = match &function.body {
                world::SqlFunctionBody::Scalar { .. } => analyzed.schema.fields.first().map(|f| f.data_type.clone()),
                world::SqlFunctionBody::Table { .. } => None,
            };
            Ok(Checked { result, deterministic: !draws(&analyzed.plan) })
        }
        // A value that is null here and not later.
        Err(e) if e.kind() != ErrorKind::Analysis && e.kind() != ErrorKind::Parse => {
            Ok(Checked { result: None, deterministic: true })
        }
        Err(e) => Err(as_missing_routine(e, place)),
    }
}

/// The analysis of a call whose arguments are columns of one row.
async fn analyze_probe(
    session: &Arc<Session>,
    function: &world::SqlFunction,
    probe: &str,
) -> Result<analyzer::Analyzed> {
    let name = format!("system.session.{}", quote_identifier(probe));
    let columns: Vec<String> = function.parameters.iter().map(|(name, _, _)| quote_identifier(name)).collect();
    let nulls: Vec<String> =
        function.parameters.iter().map(|(_, ty, _)| format!("CAST(NULL AS {})", ty.sql())).collect();
    let typed: Vec<String> = nulls.iter().zip(&columns).map(|(null, column)| format!("{null} AS {column}")).collect();
    let row = if typed.is_empty() { "1".to_string() } else { typed.join(", ") };
    let args = columns.join(", ");
    let settings = session.settings();
    let parse = |text: &str| sql::parse_query(text, &sql::ParseOptions::from(&settings));
    let world::SqlFunctionBody::Table { .. } = &function.body else {
        let plan = parse(&format!("SELECT {name}({args}) AS v FROM (SELECT {row})"))?;
        return session.analyze(&plan, session.settings()).await;
    };
    if !columns.is_empty() {
        let lateral = parse(&format!("SELECT t.* FROM (SELECT {row}), LATERAL {name}({args}) AS t"))?;
        match session.analyze(&lateral, session.settings()).await {
            Err(e) if needs_constant(e.condition()) => return Err(e),
            _ => {}
        }
    }
    let constant = parse(&format!("SELECT * FROM {name}({})", nulls.join(", ")))?;
    match session.analyze(&constant, session.settings()).await {
        // Columns get their types where the function is used.
        Err(e) if is_cast_of_column(&e) => session.analyze(&parse("SELECT 1")?, session.settings()).await,
        analyzed => analyzed,
    }
}

/// True if an error stands in the text of the function, not in the call that probes it.
fn is_inside_body(error: &Error) -> bool {
    let contexts = &error.data().contexts;
    !contexts.is_empty() && !contexts.iter().any(|c| c.fragment.contains('\0'))
}

fn is_cast_of_column(error: &Error) -> bool {
    error.condition().starts_with("DATATYPE_MISMATCH.CAST") && !is_inside_body(error)
}

/// True for what analysis says where it needs a constant.
fn needs_constant(condition: &str) -> bool {
    const CONDITIONS: [&str; 4] = [
        "INVALID_INLINE_TABLE.CANNOT_EVALUATE_EXPRESSION_IN_INLINE_TABLE",
        "INVALID_LIMIT_LIKE_EXPRESSION.IS_UNFOLDABLE",
        "NON_FOLDABLE_ARGUMENT",
        "DATATYPE_MISMATCH.NON_FOLDABLE_INPUT",
    ];
    CONDITIONS.contains(&condition)
}

/// True if a plan draws values by chance.
fn draws(plan: &LogicalPlan) -> bool {
    let mut found = false;
    let _ = plan.apply_with_subqueries(|p| {
        found |= p.expressions().iter().any(|e| e.is_volatile());
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    });
    found
}

/// Defaults are values of their parameters' types, without columns.
async fn check_defaults(session: &Arc<Session>, function: &world::SqlFunction, place: &Place) -> Result<()> {
    let exprs: Vec<Expr> = function
        .parameters
        .iter()
        .filter_map(|(_, ty, default)| {
            let child = Box::new(default.clone()?);
            Some(Expr::Cast { child, to: ty.clone(), mode: spark::expr::CastMode::Session })
        })
        .collect();
    if exprs.is_empty() {
        return Ok(());
    }
    let plan = Plan::from(Node::Project { input: Plan::boxed(Node::OneRow), exprs });
    match session.analyze(&plan, session.settings()).await {
        Err(e) if matches!(e.kind(), ErrorKind::Analysis | ErrorKind::Parse) => Err(as_missing_routine(e, place)),
        _ => Ok(()),
    }
}

/// A routine that a definition calls in vain is named with the schema it was looked for in.
fn as_missing_routine(error: Error, place: &Place) -> Error {
    let missing = ["UNRESOLVED_ROUTINE", "UNRESOLVABLE_TABLE_VALUED_FUNCTION"].contains(&error.condition());
    let parameters = &error.data().parameters;
    let name = parameters.get("routineName").or_else(|| parameters.get("name")).cloned();
    match name {
        Some(name) if missing && !name.contains("`.`") => Error::new(ErrorKind::NoSuchObject, "ROUTINE_NOT_FOUND")
            .param("routineName", format!("{}.{name}", quote_identifier(&place.namespace)))
            .with_message(format!("There is no function {name}.")),
        _ => error,
    }
}
