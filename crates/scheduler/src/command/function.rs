//! SQL functions: `CREATE FUNCTION … RETURN`, `DROP FUNCTION`. Temporary ones live with the session;
//! the others are kept in the catalog as their statement, which is parsed when they are used.

use std::sync::Arc;

use analyzer::world;
use functions::families::collation;
use spark::command::{Command, FunctionBody, FunctionReturn, SqlFunction};
use spark::types::{DataType, StructType};
use spark::{Error, ErrorKind, Expr, Result};

use super::function_check::{check_body, check_body_kind, check_definition, reads_data};
use crate::catalog::{FunctionEntry, SESSION_CATALOG, schema_not_found, shown};
use crate::naming::Place;
use crate::operation::Table;
use crate::session::Session;

/// The place of a permanent function that is to be made.
fn new_place(session: &Session, name: &[String]) -> Result<Place> {
    if let [catalog, schema, last] = name
        && catalog.eq_ignore_ascii_case("system")
        && schema.eq_ignore_ascii_case("builtin")
    {
        return Err(forbidden("CREATE", std::slice::from_ref(last)));
    }
    let place = session.place(name)?;
    match session.engine().shared().catalog.has_namespace(&place.namespace) {
        true => Ok(place),
        false => Err(schema_not_found(&[SESSION_CATALOG.to_string(), place.namespace])),
    }
}

fn forbidden(statement: &str, name: &[String]) -> Error {
    Error::analysis("FORBIDDEN_OPERATION")
        .param("statement", statement)
        .param("objectType", "FUNCTION")
        .param("objectName", shown(name))
        .with_message("Built-in functions stay as they are.")
}

fn already_there(name: String) -> Error {
    let message = format!("There is a function {name} already.");
    Error::new(ErrorKind::AlreadyExists, "ROUTINE_ALREADY_EXISTS")
        .param("routineName", name)
        .param("newRoutineType", "routine")
        .param("existingRoutineType", "routine")
        .with_message(message)
}

/// `CREATE FUNCTION … RETURN`.
pub async fn create(session: &Arc<Session>, function: SqlFunction) -> Result<Table> {
    let last = function.name.last().cloned().unwrap_or_default();
    let place = match function.temporary {
        true => session.place(&[last])?,
        false => new_place(session, &function.name)?,
    };
    let catalog = &session.engine().shared().catalog;
    check_definition(&function)?;
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
        return Err(already_there(name));
    }
    check_body_kind(session, &function, &place)?;
    let temporary = function.temporary;
    let mut entry = FunctionEntry {
        name: place.name.clone(),
        statement: function.statement.clone(),
        class: None,
        created_micros: chrono::Utc::now().timestamp_micros(),
        deterministic: function.deterministic,
        returns: None,
    };
    let name = if temporary { vec![place.name.clone()] } else { place.parts() };
    let mut built = Arc::new(build(function, name, &entry)?);
    let checked = check_body(session, &built, &place).await?;
    entry.deterministic = entry.deterministic.or(Some(checked.deterministic));
    entry.returns = checked.result.map(|ty| ty.sql());
    if temporary {
        if let Some(function) = Arc::get_mut(&mut built) {
            complete(function, &entry)?;
        }
        session.names.lock().functions.insert(key, built);
    } else {
        keep(session, &place, entry)?;
    }
    Ok(Table::empty())
}

fn keep(session: &Session, place: &Place, entry: FunctionEntry) -> Result<()> {
    session.engine().shared().catalog.update(&place.namespace, |n| {
        n.functions.insert(place.name.to_lowercase(), entry);
        Ok(())
    })
}

/// What the catalog knows of a function besides its statement.
fn complete(function: &mut world::SqlFunction, entry: &FunctionEntry) -> Result<()> {
    function.about.created_micros = entry.created_micros;
    function.about.deterministic = entry.deterministic.unwrap_or(true);
    if let (world::SqlFunctionBody::Scalar { returns: returns @ None, .. }, Some(kept)) =
        (&mut function.body, &entry.returns)
    {
        *returns = Some(sql::parse_data_type(kept, &sql::ParseOptions::default())?);
    }
    Ok(())
}

/// `CREATE FUNCTION … AS 'class'`: the catalog keeps it, and there is no class to load.
///
/// # Errors
/// If it cannot be kept; for a temporary one `CANNOT_LOAD_FUNCTION_CLASS`.
pub fn create_of_class(
    session: &Session,
    name: &[String],
    class: String,
    [temporary, replace, if_not_exists]: [bool; 3],
) -> Result<Table> {
    if temporary {
        return Err(cannot_load(&class, name));
    }
    let place = new_place(session, name)?;
    if session.engine().shared().catalog.function(&place.namespace, &place.name).is_some() && !replace {
        return match if_not_exists {
            true => Ok(Table::empty()),
            false => Err(already_there(shown(&place.parts()[1..]))),
        };
    }
    let entry = FunctionEntry {
        name: place.name.clone(),
        statement: String::new(),
        class: Some(class),
        created_micros: chrono::Utc::now().timestamp_micros(),
        deterministic: None,
        returns: None,
    };
    keep(session, &place, entry)?;
    Ok(Table::empty())
}

fn cannot_load(class: &str, name: &[String]) -> Error {
    Error::analysis("CANNOT_LOAD_FUNCTION_CLASS")
        .param("className", class)
        .param("functionName", shown(name))
        .with_message(format!("This server runs no Java classes; {class} cannot be loaded."))
}

/// The comment on a column or parameter.
pub fn comment_of(field: &spark::types::StructField) -> Option<String> {
    field.metadata.get("comment").and_then(|c| c.as_str()).map(str::to_string)
}

/// The full name and the class of a permanent function that is a class.
pub fn class_of(session: &Session, name: &[String]) -> Option<(Vec<String>, String)> {
    let place = session.place(name).ok()?;
    let entry = session.engine().shared().catalog.function(&place.namespace, &place.name)?;
    Some((full_name(&place, &entry), entry.class?))
}

fn full_name(place: &Place, entry: &FunctionEntry) -> Vec<String> {
    vec![SESSION_CATALOG.to_string(), place.namespace.to_lowercase(), entry.name.clone()]
}

/// The function as analysis uses it, under its full name.
fn build(function: SqlFunction, name: Vec<String>, entry: &FunctionEntry) -> Result<world::SqlFunction> {
    let about = world::AboutFunction {
        comment: function.comment.clone(),
        reads_data: function.contains_sql == Some(false) || reads_data(&function),
        text: function.text.clone(),
        parameters: function
            .params
            .iter()
            .map(|p| (p.default.as_ref().map(|(_, text)| text.clone()), comment_of(&p.field)))
            .collect(),
        created_micros: entry.created_micros,
        deterministic: entry.deterministic.unwrap_or(true),
    };
    let collation = collation::of_types(function.collation.as_deref())?;
    let typed = |ty: &DataType| collation::by_default(ty, collation.as_ref());
    let parameters = function.params.into_iter();
    let parameters = parameters.map(|p| (p.field.name, typed(&p.field.data_type), p.default.map(|(e, _)| e))).collect();
    let body = match (function.body, function.returns) {
        (FunctionBody::Expression(expr), returns) => {
            let returns = match returns {
                Some(FunctionReturn::Scalar(ty)) => Some(typed(&ty)),
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
            world::SqlFunctionBody::Scalar { expr: Expr::Subquery(Box::new(subquery)), returns: Some(typed(&returns)) }
        }
        (FunctionBody::Query(plan), returns) => {
            let returns = match returns {
                Some(FunctionReturn::Table(fields)) if !fields.is_empty() => Some(StructType::new(fields)),
                _ => None,
            };
            world::SqlFunctionBody::Table { plan: *plan, returns }
        }
    };
    let mut built = world::SqlFunction { name, parameters, body, collation, about };
    complete(&mut built, entry)?;
    Ok(built)
}

/// A user's function by name: a temporary one, or one of the catalog.
///
/// # Errors
/// If a stored statement is damaged.
pub fn find(session: &Session, name: &[String]) -> Result<Option<Arc<world::SqlFunction>>> {
    if let [only] = name {
        if let Some(function) = session.names.lock().functions.get(&only.to_lowercase()) {
            return Ok(Some(Arc::clone(function)));
        }
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
    if let Some(class) = &entry.class {
        return Err(cannot_load(class, &full_name(&place, &entry)));
    }
    let statement = sql::parse_statement(&entry.statement, &sql::ParseOptions::default())?;
    let sql::Statement::Command(Command::CreateSqlFunction(function)) = statement else {
        return Err(Error::internal("a stored function is no statement"));
    };
    Ok(Some(Arc::new(build(*function, full_name(&place, &entry), &entry)?)))
}

/// Refuses a function that is written in SQL in a definition, where its body cannot be put.
///
/// # Errors
/// `UNSUPPORTED_SQL_UDF_USAGE`.
pub fn refuse_in_definition(session: &Session, expr: &Expr, node: &str) -> Result<()> {
    let mut called: Option<Vec<String>> = None;
    expr.clone().visit_mut(&mut |e| {
        if let Expr::Function(f) = e
            && called.is_none()
            && !f.is_operator
            && functions::registry::function(&f.name.join(".").to_lowercase()).is_none()
        {
            called = find(session, &f.name).ok().flatten().map(|found| found.name.clone());
        }
    });
    match called {
        None => Ok(()),
        Some(name) => Err(Error::analysis("UNSUPPORTED_SQL_UDF_USAGE")
            .param("functionName", shown(&name))
            .param("nodeName", node)
            .with_message("A function that is written in SQL cannot be called in a definition.")),
    }
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
    if let [only] = name
        && session.names.lock().functions.contains_key(&only.to_lowercase())
    {
        return Err(Error::analysis("_LEGACY_ERROR_TEMP_1257")
            .param("functionName", only)
            .with_message("A temporary function is not refreshed."));
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
    if let ([catalog, schema, last], false) = (name, temporary)
        && catalog.eq_ignore_ascii_case("system")
        && schema.eq_ignore_ascii_case("builtin")
    {
        return Err(forbidden("DROP", std::slice::from_ref(last)));
    }
    let name = match temporary {
        true => &name[name.len().saturating_sub(1)..],
        false => name,
    };
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
        return Err(forbidden("DROP", name));
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
