//! Namespaces, tables, permanent views and functions, kept in memory and in one file for each
//! namespace, replaced as a whole.

mod entry;
mod store;

pub use entry::{CLUSTERING, ColumnStatistics, FunctionEntry, Kind, NamespaceEntry, TableEntry, ViewEntry};
pub use store::Catalog;

use spark::types::quote_identifier;
use spark::{Error, ErrorKind};

/// The only catalog that is always there.
pub const SESSION_CATALOG: &str = "spark_catalog";

/// The namespace of global temporary views.
pub const GLOBAL_TEMP: &str = "global_temp";

/// A name as error messages show it.
pub fn shown(parts: &[String]) -> String {
    parts.iter().map(|p| quote_identifier(p)).collect::<Vec<_>>().join(".")
}

/// `SCHEMA_NOT_FOUND`.
pub fn schema_not_found(name: &[String]) -> Error {
    let shown = shown(name);
    Error::new(ErrorKind::NoSuchObject, "SCHEMA_NOT_FOUND")
        .param("schemaName", &shown)
        .with_message(format!("There is no schema {shown}."))
}

/// `TABLE_OR_VIEW_NOT_FOUND`.
pub fn table_not_found(name: &[String]) -> Error {
    let shown = shown(name);
    Error::new(ErrorKind::NoSuchObject, "TABLE_OR_VIEW_NOT_FOUND")
        .param("relationName", &shown)
        .with_message(format!("There is no table or view {shown}."))
}

/// `TABLE_OR_VIEW_ALREADY_EXISTS`.
pub fn table_exists(name: &[String]) -> Error {
    let shown = shown(name);
    Error::new(ErrorKind::AlreadyExists, "TABLE_OR_VIEW_ALREADY_EXISTS")
        .param("relationName", &shown)
        .with_message(format!("There is a table or view {shown} already."))
}

/// `TEMP_TABLE_OR_VIEW_ALREADY_EXISTS`.
pub fn temp_view_exists(name: &str) -> Error {
    let shown = quote_identifier(name);
    Error::new(ErrorKind::AlreadyExists, "TEMP_TABLE_OR_VIEW_ALREADY_EXISTS")
        .param("relationName", &shown)
        .with_message(format!("There is a temporary view {shown} already."))
}
