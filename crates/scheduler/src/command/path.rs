//! `SET PATH`: where a session looks for unqualified tables, functions and variables.

use spark::command::PathEntry;
use spark::{Error, Result};

use crate::operation::Table;
use crate::session::Session;

const KEY: &str = "spark.sql.path.enabled";

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
    let before = session.names.lock().path.clone().unwrap_or_else(standard);
    let mut path: Vec<PathEntry> = Vec::new();
    for entry in entries {
        match entry {
            PathEntry::Default => path.extend(standard()),
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
    session.names.lock().path = (path != standard()).then_some(path);
    Ok(Table::empty())
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
