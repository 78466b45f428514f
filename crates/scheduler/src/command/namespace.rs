//! Namespaces: `CREATE`, `DROP`, `ALTER`, `USE`, `COMMENT ON`.

use spark::plan::Options;
use spark::types::quote_identifier;
use spark::{Error, Result};

use crate::catalog::{GLOBAL_TEMP, NamespaceEntry, SESSION_CATALOG, schema_not_found, shown};
use crate::naming::{catalog_not_found, check_name};
use crate::operation::Table;
use crate::session::Session;

/// What `CREATE NAMESPACE` says of a namespace.
#[derive(Debug, Default)]
pub struct Description {
    pub comment: Option<String>,
    pub location: Option<String>,
    pub properties: Options,
    pub collation: Option<String>,
}

/// A collation's name in its canonical spelling.
fn canonical(name: &str) -> Result<String> {
    Ok(functions::families::collation::name::parse(name)?.text())
}

/// `CREATE NAMESPACE`.
pub fn create(session: &Session, name: &[String], if_not_exists: bool, described: Description) -> Result<Table> {
    let Description { comment, location, properties, collation } = described;
    let collation = collation.as_deref().map(canonical).transpose()?;
    let name = session.namespace(name)?;
    let catalog = &session.engine().shared().catalog;
    if name.eq_ignore_ascii_case(GLOBAL_TEMP) {
        return Err(Error::analysis("RESERVED_DATABASE_NAME")
            .param("database", quote_identifier(&name))
            .with_message("That schema is the one of global temporary views."));
    }
    check_name(&name)?;
    if if_not_exists && catalog.has_namespace(&name) {
        return Ok(Table::empty());
    }
    let (described, properties): (Options, Options) =
        properties.into_iter().partition(|(k, _)| k.eq_ignore_ascii_case("comment"));
    let comment = comment.or_else(|| described.into_iter().next().map(|(_, v)| v));
    let location = match location {
        Some(path) => super::folders::located(&path, &catalog.warehouse_location())?,
        None => catalog.namespace_location(&name),
    };
    let owner = session.user().to_string();
    let entry = NamespaceEntry { name, comment, location, properties, owner, collation, ..Default::default() };
    catalog.create_namespace(entry)?;
    Ok(Table::empty())
}

/// `DROP NAMESPACE`; managed tables go with their data.
pub fn drop(session: &Session, name: &[String], if_exists: bool, cascade: bool) -> Result<Table> {
    if name.len() > 2 {
        return Err(Error::analysis("NESTED_DATABASE_UNSUPPORTED_BY_V1_SESSION_CATALOG")
            .param("namespace", shown(name))
            .with_message("The session catalog has no schemas inside schemas."));
    }
    let name = session.namespace(name)?;
    let catalog = &session.engine().shared().catalog;
    if name.eq_ignore_ascii_case("default") {
        return Err(Error::analysis("UNSUPPORTED_FEATURE.DROP_DATABASE")
            .param("database", "`spark_catalog`.`default`")
            .with_message("The default schema cannot be dropped."));
    }
    if if_exists && !catalog.has_namespace(&name) {
        return Ok(Table::empty());
    }
    if let Some(entry) = catalog.namespace(&name).filter(|_| cascade) {
        // While the schema is known, so that its tables' folders are known as theirs.
        for table in entry.tables.values() {
            super::folders::remove(session, &name, table);
        }
    }
    let entry = catalog.drop_namespace(&name, cascade)?;
    session.clear_cached_tables_in(&name);
    if let Some(path) = entry.location.strip_prefix("file:") {
        // A folder with files that are not ours stays.
        std::mem::drop(std::fs::remove_dir(path));
    }
    Ok(Table::empty())
}

/// Sets or, for keys without a value, removes properties.
pub fn alter(session: &Session, name: &[String], set: Options, unset: &[String]) -> Result<Table> {
    let name = session.namespace(name)?;
    session.engine().shared().catalog.update(&name, |n| {
        n.properties.retain(|(k, _)| !unset.contains(k) && !set.iter().any(|(s, _)| s == k));
        n.properties.extend(set);
        Ok(())
    })?;
    Ok(Table::empty())
}

/// `COMMENT ON NAMESPACE`.
pub fn comment(session: &Session, name: &[String], comment: Option<String>) -> Result<Table> {
    let name = session.namespace(name)?;
    session.engine().shared().catalog.update(&name, |n| {
        n.comment = comment;
        Ok(())
    })?;
    Ok(Table::empty())
}

/// `ALTER NAMESPACE … SET LOCATION`.
pub fn set_location(session: &Session, name: &[String], location: &str) -> Result<Table> {
    let name = session.namespace(name)?;
    let location = super::folders::located(location, &session.engine().shared().catalog.warehouse_location())?;
    session.engine().shared().catalog.update(&name, |n| {
        n.location = location;
        Ok(())
    })?;
    Ok(Table::empty())
}

/// `ALTER NAMESPACE … DEFAULT COLLATION`.
pub fn set_collation(session: &Session, name: &[String], collation: &str) -> Result<Table> {
    let name = session.namespace(name)?;
    let collation = canonical(collation)?;
    session.engine().shared().catalog.update(&name, |n| {
        n.collation = Some(collation);
        Ok(())
    })?;
    Ok(Table::empty())
}

/// `USE NAMESPACE`, and `USE` with a catalog before it.
pub fn use_namespace(session: &Session, name: &[String]) -> Result<Table> {
    if let [only] = name
        && only.eq_ignore_ascii_case(SESSION_CATALOG)
    {
        return Ok(Table::empty());
    }
    let catalog_first = name.first().is_some_and(|c| c.eq_ignore_ascii_case(SESSION_CATALOG));
    if name.len() > 1 && !catalog_first {
        let full: Vec<String> = std::iter::once(SESSION_CATALOG.to_string()).chain(name.iter().cloned()).collect();
        return Err(schema_not_found(&full));
    }
    let namespace = session.namespace(name)?;
    match session.engine().shared().catalog.namespace(&namespace) {
        Some(entry) => {
            session.names.lock().database = entry.name.as_str().into();
            Ok(Table::empty())
        }
        None => Err(schema_not_found(&[SESSION_CATALOG.to_string(), namespace])),
    }
}

/// `SET CATALOG`.
pub fn set_catalog(session: &Session, name: &str) -> Result<Table> {
    if !name.eq_ignore_ascii_case(SESSION_CATALOG) {
        return Err(catalog_not_found(name));
    }
    session.names.lock().catalog = SESSION_CATALOG.into();
    Ok(Table::empty())
}
