//! `SET PATH`: where a session looks for unqualified tables, functions and variables.

use spark::command::PathEntry;
use spark::conf::ConfView;
use spark::{Error, Result};

use crate::operation::Table;
use crate::session::Session;

const KEY: &str = "spark.sql.path.enabled";

const DEFAULT: &str = "spark.sql.defaultPath";

/// Sets the path.
///
/// # Errors
/// `UNSUPPORTED_FEATURE.SET_PATH_WHEN_DISABLED`, `DUPLICATE_SQL_PATH_ENTRY`.
pub fn set(session: &Session, entries: Vec<PathEntry>) -> Result<Table> {
    if !session.conf().view().get_bool(KEY, false) {
        return Err(Error::analysis("UNSUPPORTED_FEATURE.SET_PATH_WHEN_DISABLED")
            .param("config", KEY)
            .with_message(format!("The search path is set where {KEY} is true.")));
    }
    let default = default_path(&session.conf().view())?;
    let before = session.names.lock().path.clone().unwrap_or_else(|| default.clone());
    let mut path: Vec<PathEntry> = Vec::new();
    for entry in entries {
        match entry {
            PathEntry::Default => path.extend(default.clone()),
            PathEntry::System => path.push(system("builtin")),
            PathEntry::Path => path.extend(before.clone()),
            other => path.push(other),
        }
    }
    for (i, entry) in path.iter().enumerate() {
        let name = written(entry);
        if path[..i].iter().any(|e| written(e).eq_ignore_ascii_case(&name)) {
            return Err(Error::analysis("DUPLICATE_SQL_PATH_ENTRY")
                .param("pathEntry", &name)
                .with_message(format!("{name} is in the path twice.")));
        }
    }
    session.names.lock().path = Some(path);
    Ok(Table::empty())
}

/// The path that a session has, if that is not the standard.
pub fn in_force(own: Option<&[PathEntry]>, conf: &ConfView) -> Option<Vec<PathEntry>> {
    if !conf.get_bool(KEY, false) {
        return None;
    }
    let path = own.map_or_else(|| default_path(conf).ok(), |own| Some(own.to_vec()))?;
    (path != standard()).then_some(path)
}

/// What `spark.sql.defaultPath` says, or the standard.
fn default_path(conf: &ConfView) -> Result<Vec<PathEntry>> {
    let text = conf.get(DEFAULT).unwrap_or_default();
    if text.trim().is_empty() {
        return Ok(standard());
    }
    let mut path = Vec::new();
    for entry in sql::parse_path(text, &sql::ParseOptions::default())? {
        match entry {
            PathEntry::Default => path.extend(standard()),
            PathEntry::System => path.push(system("builtin")),
            other => path.push(other),
        }
    }
    Ok(path)
}

/// Refuses a value of `spark.sql.defaultPath` that is no path.
///
/// # Errors
/// `INVALID_CONF_VALUE.REQUIREMENT`.
pub fn check_default(key: &str, value: &str) -> Result<()> {
    let is_path = || {
        let entries = sql::parse_path(value, &sql::ParseOptions::default());
        entries.is_ok_and(|entries| !entries.contains(&PathEntry::Path))
    };
    if key != DEFAULT || value.trim().is_empty() || is_path() {
        return Ok(());
    }
    const REQUIREMENT: &str = "The value must be empty or a comma-separated SET PATH element list (same grammar \
                               as SET PATH, except PATH is not allowed).";
    Err(Error::new(spark::ErrorKind::IllegalArgument, "INVALID_CONF_VALUE.REQUIREMENT")
        .param("confName", key)
        .param("confValue", value)
        .param("confRequirement", REQUIREMENT)
        .with_message(format!("'{value}' is no search path.")))
}

fn system(schema: &str) -> PathEntry {
    PathEntry::Schema(vec!["system".to_string(), schema.to_string()])
}

fn standard() -> Vec<PathEntry> {
    vec![system("builtin"), system("session"), PathEntry::CurrentSchema]
}

fn written(entry: &PathEntry) -> String {
    match entry {
        PathEntry::Schema(name) => name.join("."),
        _ => "current_schema".to_string(),
    }
}

/// The schemas of a path, now that the current one is known.
pub fn schemas(path: &[PathEntry], catalog: &str, database: &str) -> Vec<Vec<String>> {
    let resolved = |entry: &PathEntry| match entry {
        PathEntry::Schema(name) => name.clone(),
        _ => vec![catalog.to_string(), database.to_string()],
    };
    path.iter().map(resolved).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_current_schema_is_found_late() {
        let path = vec![system("builtin"), PathEntry::CurrentSchema];
        assert_eq!(schemas(&path, "c", "d"), [["system", "builtin"], ["c", "d"]]);
        assert_eq!(written(&path[1]), "current_schema");
    }
}
