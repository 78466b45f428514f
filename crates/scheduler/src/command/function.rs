//! SQL functions: `CREATE FUNCTION … RETURN`, `DROP FUNCTION`.

use std::sync::Arc;

use analyzer::world;
use spark::command::{FunctionBody, FunctionReturn, SqlFunction};
use spark::types::StructType;
use spark::{Error, ErrorKind, Result};

use super::describe::routine_not_found;
use crate::operation::Table;
use crate::session::Session;

/// Creates a function; both kinds live with the session.
pub fn create(session: &Session, function: SqlFunction) -> Result<Table> {
    let Some(key) = function.name.last().map(|n| n.to_lowercase()) else {
        return Err(Error::internal("a function has a name"));
    };
    let mut names = session.names.lock();
    if names.functions.contains_key(&key) {
        if function.if_not_exists {
            return Ok(Table::empty());
        }
        if !function.replace {
            return Err(Error::new(ErrorKind::AlreadyExists, "ROUTINE_ALREADY_EXISTS")
                .param("routineName", crate::catalog::shown(&function.name))
                .param("newRoutineType", "routine")
                .param("existingRoutineType", "routine")
                .with_message(format!("There is a function {key} already.")));
        }
    }
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
            world::SqlFunctionBody::Scalar { expr: spark::Expr::Subquery(Box::new(subquery)), returns: Some(returns) }
        }
        (FunctionBody::Query(plan), returns) => {
            let returns = match returns {
                Some(FunctionReturn::Table(fields)) if !fields.is_empty() => Some(StructType::new(fields)),
                _ => None,
            };
            world::SqlFunctionBody::Table { plan: *plan, returns }
        }
    };
    names.functions.insert(key, Arc::new(world::SqlFunction { name: function.name, parameters, body }));
    Ok(Table::empty())
}

/// `DROP FUNCTION`.
pub fn drop(session: &Session, name: &[String], if_exists: bool) -> Result<Table> {
    let key = name.last().map(|n| n.to_lowercase()).unwrap_or_default();
    let removed = session.names.lock().functions.remove(&key);
    if removed.is_none() && functions::registry::function(&key).is_some() && name.len() == 1 {
        return Err(Error::analysis("FORBIDDEN_OPERATION")
            .param("statement", "DROP FUNCTION")
            .param("objectType", "FUNCTION")
            .param("objectName", crate::catalog::shown(name))
            .with_message("A built-in function cannot be dropped."));
    }
    if removed.is_none() && !if_exists {
        return Err(routine_not_found(session, name));
    }
    Ok(Table::empty())
}
