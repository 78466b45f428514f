//! Folders of tables: where a location is, and which folders may be removed with their table.
//!
//! A recursive removal is only ever of a folder that was made for one table. Everything else that a
//! location can point at stays, whatever the statement says: there may be anything in it.

use std::path::{Path, PathBuf};

use planner::source::paths;
use spark::{Error, Result};

use crate::catalog::{Kind, TableEntry};
use crate::session::Session;

/// Where a location that a user gave is; a relative one is below `base`.
///
/// # Errors
/// `INVALID_EMPTY_LOCATION`, and what is wrong with the path.
pub fn located(location: &str, base: &str) -> Result<String> {
    let is_relative = paths::local_path(location).is_some_and(|p| !p.trim().is_empty() && !p.starts_with('/'));
    match is_relative {
        true => Ok(paths::locate(&format!("{}/{location}", base.trim_end_matches('/')))?.display),
        false => Ok(paths::locate(location)?.display),
    }
}

/// [`located`] for a table of a namespace.
///
/// # Errors
/// As [`located`].
pub fn located_in(session: &Session, namespace: &str, location: &str) -> Result<String> {
    let catalog = &session.engine().shared().catalog;
    let base = catalog.namespace(namespace).map_or_else(|| catalog.warehouse_location(), |n| n.location);
    located(location, &base)
}

/// What must outlive every table.
struct Kept {
    /// The warehouse and the folders of all schemas: tables are made below them.
    bases: Vec<PathBuf>,
    /// Other folders that are not to be lost: the catalog's, and where the server runs.
    others: Vec<PathBuf>,
    /// Locations of the other tables.
    tables: Vec<PathBuf>,
}

/// True if a folder is below the warehouse or a schema's folder, and holds nothing that must be kept.
fn is_own(folder: &Path, kept: &Kept) -> bool {
    let below = kept.bases.iter().any(|b| folder.starts_with(b) && folder != b.as_path());
    let holds = |inner: &PathBuf| inner.starts_with(folder);
    let has_parent = folder.is_absolute() && folder.parent().is_some_and(|p| p.parent().is_some());
    below && has_parent && !kept.bases.iter().chain(&kept.others).chain(&kept.tables).any(holds)
}

/// The folder of this machine that a location is, without links on the way to it.
fn folder_of(location: &str) -> Option<PathBuf> {
    let path = location.strip_prefix("file:")?;
    let path = paths::absolute(&format!("/{}", path.trim_start_matches('/'))).ok()?;
    Some(std::fs::canonicalize(&path).unwrap_or_else(|_| PathBuf::from(path)))
}

/// The folder of a managed table, if it was made for that table alone.
pub fn own_folder(session: &Session, namespace: &str, entry: &TableEntry) -> Option<PathBuf> {
    if entry.kind != Kind::Managed {
        return None;
    }
    let catalog = &session.engine().shared().catalog;
    let mut kept = Kept { bases: Vec::new(), others: Vec::new(), tables: Vec::new() };
    kept.bases.extend(folder_of(&catalog.warehouse_location()));
    kept.others.extend(std::fs::canonicalize(catalog.folder()));
    kept.others.extend(std::env::current_dir().and_then(std::fs::canonicalize));
    for schema in catalog.namespaces().iter().filter_map(|n| catalog.namespace(n)) {
        kept.bases.extend(folder_of(&schema.location));
        let is_self =
            |name: &str| schema.name.eq_ignore_ascii_case(namespace) && name.eq_ignore_ascii_case(&entry.name);
        let others = schema.tables.values().filter(|t| !t.is_view() && !is_self(&t.name));
        kept.tables.extend(others.filter_map(|t| folder_of(&t.location)));
    }
    folder_of(&entry.location).filter(|folder| is_own(folder, &kept))
}

/// Removes the files of a managed table that is dropped, unless its folder was not made for it.
pub fn remove(session: &Session, namespace: &str, entry: &TableEntry) {
    let Some(folder) = own_folder(session, namespace, entry) else {
        if entry.kind == Kind::Managed {
            tracing::warn!(location = entry.location, "a dropped table's files stay: its folder was not made for it");
        }
        return;
    };
    if let Err(e) = std::fs::remove_dir_all(&folder)
        && e.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(folder = %folder.display(), "a table's files could not be removed: {e}");
    }
}

/// Empties the folder of a managed table.
///
/// # Errors
/// If the folder was not made for the table, or cannot be emptied.
pub fn empty(session: &Session, namespace: &str, entry: &TableEntry) -> Result<()> {
    let Some(folder) = own_folder(session, namespace, entry) else {
        return Err(Error::unsupported("emptying a folder that was not made for the table"));
    };
    let failed = |e: std::io::Error| Error::internal(format!("cannot empty {}: {e}", folder.display()));
    match std::fs::remove_dir_all(&folder) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(failed(e)),
        _ => std::fs::create_dir_all(&folder).map_err(failed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_folders_made_for_a_table_are_its_own() {
        let paths = |all: &[&str]| all.iter().map(PathBuf::from).collect();
        let kept = Kept {
            bases: paths(&["/data/warehouse", "/data/warehouse/d.db", "/srv/schema"]),
            others: paths(&["/data/catalog", "/home/me/project", "/srv/schema/run/cwd"]),
            tables: paths(&["/data/warehouse/other", "/data/warehouse/outer/inner"]),
        };
        let check = |folder: &str, expect: bool| assert_eq!(is_own(Path::new(folder), &kept), expect, "{folder}");
        check("/data/warehouse/t", true);
        check("/data/warehouse/d.db/t", true);
        check("/srv/schema/t", true);
        // The warehouse, a schema's folder, and what is above them.
        check("/data/warehouse", false);
        check("/data/warehouse/d.db", false);
        check("/data", false);
        check("/", false);
        check("/srv", false);
        // Where the server runs, and folders elsewhere.
        check("/home/me/project", false);
        check("/home/me", false);
        check("/srv/schema/run", false);
        check("/elsewhere/t", false);
        // Another table's folder, and one around it.
        check("/data/warehouse/other", false);
        check("/data/warehouse/outer", false);
        check("relative", false);
    }

    #[test]
    fn locations_are_not_empty_and_not_relative_to_the_server() {
        let check = |location: &str, expect: Result<&str, &str>| {
            let got = located(location, "file:/w/d.db");
            assert_eq!(got.as_deref().map_err(|e| e.condition()), expect, "{location}");
        };
        check("/x/y", Ok("file:/x/y"));
        check("x/y", Ok("file:/w/d.db/x/y"));
        check("file:/x", Ok("file:/x"));
        check("", Err("INVALID_EMPTY_LOCATION"));
        check("  ", Err("INVALID_EMPTY_LOCATION"));
        check("file:", Err("INVALID_EMPTY_LOCATION"));
        check("file://", Err("INVALID_EMPTY_LOCATION"));
    }
}
