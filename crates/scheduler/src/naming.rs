//! Which object a name of one to three parts means in a session.

use spark::{Error, Result, Settings};

use crate::catalog::{SESSION_CATALOG, TableEntry, table_not_found};
use crate::names::{Relation, key};
use crate::session::Session;

/// A table or view of the catalog, by its full name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub namespace: String,
    pub name: String,
}

impl Place {
    /// All three parts.
    pub fn parts(&self) -> Vec<String> {
        vec![SESSION_CATALOG.to_string(), self.namespace.clone(), self.name.clone()]
    }
}

/// What a name stands for.
pub enum Found {
    Temp(String, Relation),
    Entry(Place, Box<TableEntry>),
    Nothing,
}

impl Found {
    /// An error where nothing was found.
    ///
    /// # Errors
    /// `TABLE_OR_VIEW_NOT_FOUND`.
    pub fn or_missing(self, name: &[String]) -> Result<Found> {
        match self {
            Found::Nothing => Err(table_not_found(name)),
            found => Ok(found),
        }
    }
}

impl Session {
    /// The full name of a table or view, whether it exists or not.
    ///
    /// # Errors
    /// If the name has too many parts or names a catalog there is none of.
    pub(crate) fn place(&self, name: &[String]) -> Result<Place> {
        let current = self.names.lock().database.to_string();
        match name {
            [only] => Ok(Place { namespace: current, name: only.clone() }),
            [namespace, name] => Ok(Place { namespace: namespace.clone(), name: name.clone() }),
            [catalog, namespace, name] if catalog.eq_ignore_ascii_case(SESSION_CATALOG) => {
                Ok(Place { namespace: namespace.clone(), name: name.clone() })
            }
            _ => Err(Error::analysis("REQUIRES_SINGLE_PART_NAMESPACE")
                .param("sessionCatalog", SESSION_CATALOG)
                .param("identifier", crate::catalog::shown(name))
                .with_message("A name has at most a catalog, a schema and a name.")),
        }
    }

    /// The namespace that a name of namespaces means.
    ///
    /// # Errors
    /// As [`Self::place`].
    pub(crate) fn namespace(&self, name: &[String]) -> Result<String> {
        match name {
            [] => Ok(self.names.lock().database.to_string()),
            [only] => Ok(only.clone()),
            [catalog, only] if catalog.eq_ignore_ascii_case(SESSION_CATALOG) => Ok(only.clone()),
            _ => Err(Error::analysis("REQUIRES_SINGLE_PART_NAMESPACE")
                .param("sessionCatalog", SESSION_CATALOG)
                .param("identifier", crate::catalog::shown(name))
                .with_message("The session catalog has namespaces of one part.")),
        }
    }

    /// What a name stands for: temporary views come first.
    ///
    /// # Errors
    /// As [`Self::place`].
    pub(crate) fn find(&self, name: &[String], settings: &Settings) -> Result<Found> {
        if let Some((shown, view)) = self.temp_view(name, settings.case_sensitive) {
            return Ok(Found::Temp(shown, view));
        }
        // A catalog there is none of holds no tables.
        let Ok(place) = self.place(name) else { return Ok(Found::Nothing) };
        Ok(match self.engine().shared().catalog.table(&place.namespace, &place.name) {
            Some(entry) => {
                let namespace = place.namespace.to_lowercase();
                Found::Entry(Place { namespace, name: entry.name.clone() }, Box::new(entry))
            }
            None => Found::Nothing,
        })
    }

    /// The full name of what an unqualified name means along the search path; the name itself where no path
    /// was set or nothing is found.
    ///
    /// # Errors
    /// As [`Self::place`].
    pub(crate) fn on_path(&self, name: &[String], settings: &Settings) -> Result<Vec<String>> {
        let ([only], Some(path)) = (name, &settings.path) else { return Ok(name.to_vec()) };
        for schema in path.iter().filter(|s| !spark::settings::is_system(s, "builtin")) {
            let mut full = schema.clone();
            full.push(only.clone());
            if !matches!(self.find(&full, settings)?, Found::Nothing) {
                return Ok(full);
            }
        }
        Ok(name.to_vec())
    }

    /// A temporary or global temporary view.
    pub(crate) fn temp_view(&self, name: &[String], case_sensitive: bool) -> Option<(String, Relation)> {
        match name {
            [schema, only] if schema.eq_ignore_ascii_case("session") => {
                self.names.lock().temp_views.get(&key(only, case_sensitive)).cloned()
            }
            [catalog, schema, only]
                if catalog.eq_ignore_ascii_case("system") && schema.eq_ignore_ascii_case("session") =>
            {
                self.names.lock().temp_views.get(&key(only, case_sensitive)).cloned()
            }
            [only] => self.names.lock().temp_views.get(&key(only, case_sensitive)).cloned(),
            [namespace, only] if namespace.eq_ignore_ascii_case(crate::catalog::GLOBAL_TEMP) => {
                self.engine().shared().global_views.read().get(&key(only, case_sensitive)).cloned()
            }
            _ => None,
        }
    }

    /// A table or view of the catalog.
    ///
    /// # Errors
    /// `TABLE_OR_VIEW_NOT_FOUND`.
    pub(crate) fn entry(&self, name: &[String]) -> Result<(Place, TableEntry)> {
        match self.find(name, &self.settings())? {
            Found::Entry(place, entry) => Ok((place, *entry)),
            _ => Err(table_not_found(name)),
        }
    }

    /// A table of the catalog that is no view.
    ///
    /// # Errors
    /// `TABLE_OR_VIEW_NOT_FOUND`, `EXPECT_TABLE_NOT_VIEW`.
    pub(crate) fn table_entry(&self, name: &[String], operation: &str) -> Result<(Place, TableEntry)> {
        let view = match self.find(name, &self.settings())? {
            Found::Entry(place, entry) if !entry.is_view() => return Ok((place, *entry)),
            Found::Entry(place, _) => crate::catalog::shown(&place.parts()),
            Found::Temp(shown, _) => crate::catalog::shown(&[shown]),
            Found::Nothing => return Err(table_not_found(name)),
        };
        Err(Error::analysis("EXPECT_TABLE_NOT_VIEW.NO_ALTERNATIVE")
            .param("viewName", &view)
            .param("operation", operation)
            .with_message(format!("{operation} takes a table, and {view} is a view.")))
    }
}

/// Refuses names of schemas, tables and views with anything but letters, digits and underscores.
///
/// # Errors
/// `INVALID_SCHEMA_OR_RELATION_NAME`.
pub fn check_name(name: &str) -> Result<()> {
    let valid = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if valid {
        return Ok(());
    }
    let parts: Vec<String> = name.split('.').map(str::to_string).collect();
    Err(Error::analysis("INVALID_SCHEMA_OR_RELATION_NAME")
        .param("name", crate::catalog::shown(&parts))
        .with_message(format!("The name {name} has a character that names here cannot have.")))
}

/// `CATALOG_NOT_FOUND`.
pub fn catalog_not_found(name: &str) -> Error {
    Error::new(spark::ErrorKind::Spark, "CATALOG_NOT_FOUND")
        .param("catalogName", spark::types::quote_identifier(name))
        .param("config", format!("\"spark.sql.catalog.{name}\""))
        .with_message(format!("There is no catalog {name}."))
}
