//! SQL functions: `CREATE FUNCTION … RETURN`, `DROP FUNCTION`. Temporary ones live with the session;
//! the others are kept in the catalog as their statement, which is parsed when they are used.

use std::sync::Arc;

use analyzer::world;
use functions::Build;
use spark::command::{Command, FunctionBody, FunctionReturn, SqlFunction};
use spark::expr::CastMode;
use spark::types::{StructType, quote_identifier};
use spark::{Error, ErrorKind, Expr, Literal, Plan, Result};

use crate::catalog::{FunctionEntry, SESSION_CATALOG, schema_not_found, shown};
use crate::naming::Place;
use crate::operation::Table;
use crate::session::Session;

/// `CREATE FUNCTION … RETURN`.
pub async fn create(session: &Arc<Session>, function: SqlFunction) -> Result<Table> {
    let place = session.place(&function.name)?;
    let catalog = &session.engine().shared().catalog;
    if !function.temporary && !catalog.has_namespace(&place.namespace) {
        return Err(schema_not_found(&[SESSION_CATALOG.to_string(), place.namespace]));
    }
    check_parameters(&function)?;
    let key = place.name.to_lowercase();
    let exists = match function.temporary {
        true => session.names.lock().functions.contains_key(&key),
        false => catalog.function(&place.namespace, &place.name).is_some(),
    };
    if exists && function.if_not_exists {
        return Ok(Table::empty());
    }
    if exists && !function.replace {
        let name = if function.temporary { shown(&function.name) } else { shown(&place.parts()[1..]) };
        return Err(Error::new(ErrorKind::AlreadyExists, "ROUTINE_ALREADY_EXISTS")
            .param("routineName", name)
            .param("newRoutineType", "routine")
            .param("existingRoutineType", "routine")
            .with_message(format!("There is a function {key} already.")));
    }
    let complex = match &function.body {
        FunctionBody::Expression(expr) => has_complex_call(expr),
        FunctionBody::Query(_) => false,
    };
    if complex {
        return Err(Error::analysis("USER_DEFINED_FUNCTIONS.CANNOT_CONTAIN_COMPLEX_FUNCTIONS")
            .param("queryText", &function.text)
            .with_message("The expression of a function has no aggregates, windows or generators."));
    }
    if !function.temporary {
        refuse_temporary(session, &function, &place)?;
    }
    let (temporary, statement) = (function.temporary, function.statement.clone());
    let name = if temporary { vec![place.name.clone()] } else { place.parts() };
    let built = Arc::new(build(function, name)?);
    check_body(session, &place, &built).await?;
    if temporary {
        session.names.lock().functions.insert(key, built);
    } else {
        let entry = FunctionEntry { name: place.name.clone(), statement };
        catalog.update(&place.namespace, |n| {
            n.functions.insert(key, entry);
            Ok(())
        })?;
    }
    Ok(Table::empty())
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
    let mut plan = match &function.body {
        FunctionBody::Query(plan) => (**plan).clone(),
        FunctionBody::Expression(expr) => Plan::from(spark::plan::Node::Project {
            input: Plan::boxed(spark::plan::Node::OneRow),
            exprs: vec![expr.clone()],
        }),
    };
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
    let is_twice = |i: &usize| fields[..*i].iter().any(|f| f.name.eq_ignore_ascii_case(&fields[*i].name));
    let columns: Vec<String> = (0..fields.len()).filter(is_twice).map(|i| quote_identifier(&fields[i].name)).collect();
    if columns.is_empty() {
        return Ok(());
    }
    Err(Error::analysis("DUPLICATE_ROUTINE_RETURNS_COLUMNS")
        .param("routineName", function.name.last().cloned().unwrap_or_default())
        .param("columns", columns.join(", "))
        .with_message("Two columns of the function's result have one name."))
}

fn holds_subquery(expr: &Expr) -> bool {
    let mut found = false;
    expr.clone().visit_mut(&mut |e| found |= matches!(e, Expr::Subquery(_)));
    found
}

fn check_parameters(function: &SqlFunction) -> Result<()> {
    check_returns(function)?;
    let mut twice: Vec<String> = Vec::new();
    for (i, param) in function.params.iter().enumerate() {
        let name = &param.field.name;
        if function.params[..i].iter().any(|p| p.field.name.eq_ignore_ascii_case(name)) {
            twice.push(quote_identifier(name));
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

/// The function as analysis uses it, under its full name.
fn build(function: SqlFunction, name: Vec<String>) -> Result<world::SqlFunction> {
    let parameters =
        function.params.into_iter().map(|p| (p.field.name, p.field.data_type, p.default.map(|(e, _)| e))).collect();
    let body = match (function.body, function.returns) {
        (FunctionBody::Expression(expr), returns) => {
            let returns = match returns {
                Some(FunctionReturn::Scalar(ty)) => Some(ty),
                Some(FunctionReturn::Table(_)) => {
                    return Err(Error::unsupported("a table function made of an expression"));
                }
                None => None,
            };
            world::SqlFunctionBody::Scalar { expr, returns }
        }
        (FunctionBody::Query(plan), Some(FunctionReturn::Scalar(returns))) => {
            let subquery = spark::expr::Subquery {
                kind: spark::expr::SubqueryKind::Scalar,
                plan: spark::expr::SubqueryPlan::Plan(plan),
            };
            world::SqlFunctionBody::Scalar { expr: Expr::Subquery(Box::new(subquery)), returns: Some(returns) }
        }
        (FunctionBody::Query(plan), returns) => {
            let returns = match returns {
                Some(FunctionReturn::Table(fields)) if !fields.is_empty() => Some(StructType::new(fields)),
                _ => None,
            };
            world::SqlFunctionBody::Table { plan: *plan, returns }
        }
    };
    Ok(world::SqlFunction { name, parameters, body })
}

/// Types the body with nulls as arguments: what is wrong with it is said when it is created.
async fn check_body(session: &Arc<Session>, place: &Place, function: &Arc<world::SqlFunction>) -> Result<()> {
    // The function under its own name is what is being defined; it cannot call itself.
    let probe = format!("\u{0}{}", place.name.to_lowercase());
    let null = |ty: &spark::DataType| Expr::Cast {
        child: Box::new(Expr::Literal(Literal::Null(spark::DataType::Null))),
        to: ty.clone(),
        mode: CastMode::Session,
    };
    let args: Vec<Expr> = function.parameters.iter().map(|(_, ty, _)| null(ty)).collect();
    let plan = match &function.body {
        world::SqlFunctionBody::Scalar { .. } => Plan::from(spark::plan::Node::Project {
            input: Plan::boxed(spark::plan::Node::OneRow),
            exprs: vec![Expr::call(&probe, args).alias("v")],
        }),
        world::SqlFunctionBody::Table { .. } => {
            Plan::from(spark::plan::Node::TableFunction { name: vec![probe.clone()], args })
        }
    };
    session.names.lock().functions.insert(probe.clone(), Arc::clone(function));
    let checked = session.analyze(&plan, session.settings()).await;
    session.names.lock().functions.remove(&probe);
    match checked {
        Ok(_) => Ok(()),
        Err(e) if e.condition() == "UNRESOLVED_ROUTINE" && names_itself(&e, place) => {
            Err(Error::analysis("ROUTINE_NOT_FOUND").param("routineName", shown(&place.parts()[1..])))
        }
        // A value that is null here and not later.
        Err(e) if e.kind() != ErrorKind::Analysis && e.kind() != ErrorKind::Parse => Ok(()),
        Err(e) => Err(e),
    }
}

fn names_itself(error: &Error, place: &Place) -> bool {
    let named = error.data().parameters.get("routineName");
    named.is_some_and(|n| n.trim_matches('`').eq_ignore_ascii_case(&place.name))
}

/// A user's function by name: a temporary one, or one of the catalog.
///
/// # Errors
/// If a stored statement is damaged.
pub fn find(session: &Session, name: &[String]) -> Result<Option<Arc<world::SqlFunction>>> {
    if let [only] = name
        && let Some(function) = session.names.lock().functions.get(&only.to_lowercase())
    {
        return Ok(Some(Arc::clone(function)));
    }
    if let [schema, only] | [_, schema, only] = name
        && schema.eq_ignore_ascii_case("session")
    {
        return Ok(session.names.lock().functions.get(&only.to_lowercase()).cloned());
    }
    let Ok(place) = session.place(name) else { return Ok(None) };
    let Some(entry) = session.engine().shared().catalog.function(&place.namespace, &place.name) else {
        return Ok(None);
    };
    let statement = sql::parse_statement(&entry.statement, &sql::ParseOptions::default())?;
    let sql::Statement::Command(Command::CreateSqlFunction(function)) = statement else {
        return Err(Error::internal("a stored function is no statement"));
    };
    let full = vec![SESSION_CATALOG.to_string(), place.namespace.to_lowercase(), entry.name];
    Ok(Some(Arc::new(build(*function, full)?)))
}

/// The names of all user functions as `SHOW FUNCTIONS` prints them.
pub fn names(session: &Session) -> Vec<String> {
    let (database, mut all) = {
        let names = session.names.lock();
        (names.database.to_string(), names.functions.keys().cloned().collect::<Vec<_>>())
    };
    if let Some(namespace) = session.engine().shared().catalog.namespace(&database) {
        let full = |f: &FunctionEntry| format!("{SESSION_CATALOG}.{}.{}", namespace.name, f.name.to_lowercase());
        all.extend(namespace.functions.values().map(full));
    }
    all
}

/// `REFRESH FUNCTION`: statements are read anew by every use.
pub fn refresh(session: &Session, name: &[String]) -> Result<Table> {
    if let [only] = name
        && functions::registry::function(&only.to_lowercase()).is_some()
    {
        return Err(Error::analysis("_LEGACY_ERROR_TEMP_1256")
            .param("functionName", only)
            .with_message("A built-in function is not refreshed."));
    }
    match find(session, name)? {
        Some(_) => Ok(Table::empty()),
        None => Err(not_found(&session.place(name)?)),
    }
}

fn not_found(place: &Place) -> Error {
    Error::new(ErrorKind::NoSuchObject, "ROUTINE_NOT_FOUND")
        .param("routineName", shown(&place.parts()[1..]))
        .with_message(format!("There is no function {}.", place.name))
}

/// `DROP [TEMPORARY] FUNCTION`.
pub fn drop(session: &Session, name: &[String], if_exists: bool, temporary: bool) -> Result<Table> {
    let place = session.place(name)?;
    if !temporary && name.len() > 1 && !session.engine().shared().catalog.has_namespace(&place.namespace) {
        return Err(schema_not_found(&[SESSION_CATALOG.to_string(), place.namespace]));
    }
    let key = place.name.to_lowercase();
    let removed = match temporary {
        true => session.names.lock().functions.remove(&key).is_some(),
        false => {
            let catalog = &session.engine().shared().catalog;
            catalog.function(&place.namespace, &place.name).is_some()
                && catalog.update(&place.namespace, |n| Ok(n.functions.remove(&key).is_some()))?
        }
    };
    if removed {
        return Ok(Table::empty());
    }
    if functions::registry::function(&key).is_some() && name.len() == 1 {
        return Err(Error::analysis("FORBIDDEN_OPERATION")
            .param("statement", "DROP")
            .param("objectType", "FUNCTION")
            .param("objectName", shown(name))
            .with_message("A built-in function cannot be dropped."));
    }
    let is_temporary = name.len() == 1 && session.names.lock().functions.contains_key(&key);
    if !temporary && is_temporary {
        return Err(Error::analysis("EXPECT_PERSISTENT_FUNCTION_NOT_TEMP")
            .param("functionName", shown(name))
            .param("operation", "DROP FUNCTION")
            .param("alternative", " Please use DROP TEMPORARY FUNCTION to drop a temporary function.")
            .with_message(format!("{} is a temporary function.", shown(name))));
    }
    match (if_exists, temporary) {
        (true, _) => Ok(Table::empty()),
        (false, true) => Err(Error::new(ErrorKind::NoSuchObject, "ROUTINE_NOT_FOUND")
            .param("routineName", shown(name))
            .with_message(format!("There is no temporary function {}.", shown(name)))),
        (false, false) => Err(not_found(&place)),
    }
}
