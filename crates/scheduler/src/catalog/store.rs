//! The catalog's state and its files.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use parking_lot::RwLock;
use spark::types::quote_identifier;
use spark::{Error, ErrorKind, Result};

use super::entry::{FunctionEntry, NamespaceEntry, TableEntry};
use super::{SESSION_CATALOG, schema_not_found, table_exists, table_not_found};

/// The catalog of an engine.
#[derive(Debug)]
pub struct Catalog {
    folder: PathBuf,
    warehouse: PathBuf,
    namespaces: RwLock<BTreeMap<String, NamespaceEntry>>,
}

impl Catalog {
    /// Reads the catalog below `data_dir`, or makes one with the namespace `default`.
    ///
    /// # Errors
    /// If a file cannot be read or is damaged.
    pub fn open(data_dir: &Path) -> Result<Self> {
        let folder = data_dir.join("catalog");
        let warehouse = data_dir.join("warehouse");
        for path in [&folder, &warehouse] {
            std::fs::create_dir_all(path).map_err(|e| broken(path, &e.to_string()))?;
        }
        let mut namespaces = BTreeMap::new();
        let entries = std::fs::read_dir(&folder).map_err(|e| broken(&folder, &e.to_string()))?;
        for path in entries.flatten().map(|e| e.path()).filter(|p| p.extension().is_some_and(|x| x == "json")) {
            let text = std::fs::read_to_string(&path).map_err(|e| broken(&path, &e.to_string()))?;
            let entry: NamespaceEntry = serde_json::from_str(&text).map_err(|e| broken(&path, &e.to_string()))?;
            namespaces.insert(entry.name.to_lowercase(), entry);
        }
        let catalog = Catalog { folder, warehouse, namespaces: RwLock::new(namespaces) };
        if catalog.namespace("default").is_none() {
            let location = format!("file:{}", catalog.warehouse.display());
            catalog.create_namespace(NamespaceEntry {
                name: "default".into(),
                comment: Some("default database".into()),
                location,
                ..Default::default()
            })?;
        }
        Ok(catalog)
    }

    /// The folder of the catalog's own files.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where the folders of managed tables are.
    pub fn warehouse_location(&self) -> String {
        format!("file:{}", self.warehouse.display())
    }

    /// Where managed tables of a new namespace go.
    pub fn namespace_location(&self, name: &str) -> String {
        format!("file:{}/{}.db", self.warehouse.display(), name.to_lowercase())
    }

    /// A namespace's entry.
    pub fn namespace(&self, name: &str) -> Option<NamespaceEntry> {
        self.namespaces.read().get(&name.to_lowercase()).cloned()
    }

    /// Whether there is such a namespace.
    pub fn has_namespace(&self, name: &str) -> bool {
        self.namespaces.read().contains_key(&name.to_lowercase())
    }

    /// The names of all namespaces.
    pub fn namespaces(&self) -> Vec<String> {
        self.namespaces.read().values().map(|n| n.name.clone()).collect()
    }

    /// Adds a namespace.
    ///
    /// # Errors
    /// `SCHEMA_ALREADY_EXISTS`.
    pub fn create_namespace(&self, entry: NamespaceEntry) -> Result<()> {
        let mut namespaces = self.namespaces.write();
        let key = entry.name.to_lowercase();
        if namespaces.contains_key(&key) {
            let shown = quote_identifier(&entry.name);
            return Err(Error::new(ErrorKind::AlreadyExists, "SCHEMA_ALREADY_EXISTS")
                .param("schemaName", &shown)
                .with_message(format!("There is a schema {shown} already.")));
        }
        self.save(&entry)?;
        namespaces.insert(key, entry);
        Ok(())
    }

    /// Changes a namespace; the change is not kept if it fails.
    ///
    /// # Errors
    /// `SCHEMA_NOT_FOUND`, and as `change`.
    pub fn update<T>(&self, name: &str, change: impl FnOnce(&mut NamespaceEntry) -> Result<T>) -> Result<T> {
        let mut namespaces = self.namespaces.write();
        let key = name.to_lowercase();
        let Some(entry) = namespaces.get(&key) else {
            return Err(schema_not_found(&[SESSION_CATALOG.to_string(), name.to_string()]));
        };
        let mut next = entry.clone();
        let value = change(&mut next)?;
        self.save(&next)?;
        namespaces.insert(key, next);
        Ok(value)
    }

    /// Removes a namespace and its entries; the caller removes the data.
    ///
    /// # Errors
    /// `SCHEMA_NOT_FOUND`, or `SCHEMA_NOT_EMPTY` without `cascade`.
    pub fn drop_namespace(&self, name: &str, cascade: bool) -> Result<NamespaceEntry> {
        let mut namespaces = self.namespaces.write();
        let key = name.to_lowercase();
        let Some(entry) = namespaces.get(&key) else {
            return Err(schema_not_found(&[SESSION_CATALOG.to_string(), name.to_string()]));
        };
        let is_empty = entry.tables.is_empty() && entry.functions.is_empty();
        if !is_empty && !cascade {
            let shown = quote_identifier(name);
            return Err(Error::analysis("SCHEMA_NOT_EMPTY")
                .param("schemaName", &shown)
                .with_message(format!("The schema {shown} still holds something.")));
        }
        let path = self.file(&key);
        std::fs::remove_file(&path).map_err(|e| broken(&path, &e.to_string()))?;
        namespaces.remove(&key).ok_or_else(|| Error::internal("a namespace vanished"))
    }

    /// A table or view.
    pub fn table(&self, namespace: &str, name: &str) -> Option<TableEntry> {
        self.namespaces.read().get(&namespace.to_lowercase())?.tables.get(&name.to_lowercase()).cloned()
    }

    /// A function.
    pub fn function(&self, namespace: &str, name: &str) -> Option<FunctionEntry> {
        self.namespaces.read().get(&namespace.to_lowercase())?.functions.get(&name.to_lowercase()).cloned()
    }

    /// Adds a table or view.
    ///
    /// # Errors
    /// `TABLE_OR_VIEW_ALREADY_EXISTS` unless it may be replaced.
    pub fn put_table(&self, namespace: &str, entry: TableEntry, replace: bool) -> Result<()> {
        self.update(namespace, |n| {
            let key = entry.name.to_lowercase();
            if !replace && n.tables.contains_key(&key) {
                return Err(table_exists(&[SESSION_CATALOG.into(), n.name.clone(), entry.name.clone()]));
            }
            n.tables.insert(key, entry);
            Ok(())
        })
    }

    /// Changes a table or view.
    ///
    /// # Errors
    /// `TABLE_OR_VIEW_NOT_FOUND`, and as `change`.
    pub fn update_table<T>(
        &self,
        namespace: &str,
        name: &str,
        change: impl FnOnce(&mut TableEntry) -> Result<T>,
    ) -> Result<T> {
        self.update(namespace, |n| {
            let missing = || table_not_found(&[SESSION_CATALOG.into(), namespace.into(), name.into()]);
            change(n.tables.get_mut(&name.to_lowercase()).ok_or_else(missing)?)
        })
    }

    /// Removes a table's entry.
    ///
    /// # Errors
    /// `TABLE_OR_VIEW_NOT_FOUND`.
    pub fn drop_table(&self, namespace: &str, name: &str) -> Result<TableEntry> {
        self.update(namespace, |n| {
            let missing = || table_not_found(&[SESSION_CATALOG.into(), namespace.into(), name.into()]);
            n.tables.remove(&name.to_lowercase()).ok_or_else(missing)
        })
    }

    fn file(&self, key: &str) -> PathBuf {
        // Names may hold characters that file names may not.
        self.folder.join(format!("{}.json", planner::source::partitions::escape(key)))
    }

    /// Writes beside the file and renames, so that the file is always whole.
    fn save(&self, entry: &NamespaceEntry) -> Result<()> {
        let path = self.file(&entry.name.to_lowercase());
        let text = serde_json::to_vec(entry).map_err(|e| broken(&path, &e.to_string()))?;
        let write = || {
            let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
            file.write_all(&text)?;
            file.as_file().sync_all()?;
            file.persist(&path).map_err(|e| e.error).map(drop)
        };
        write().map_err(|e: std::io::Error| broken(&path, &e.to_string()))
    }
}

fn broken(path: &Path, why: &str) -> Error {
    Error::internal(format!("the catalog's {} cannot be used: {why}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_survive_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let catalog = Catalog::open(folder.path()).unwrap();
        catalog.create_namespace(NamespaceEntry { name: "A/b".into(), ..Default::default() }).unwrap();
        assert!(catalog.create_namespace(NamespaceEntry { name: "a/B".into(), ..Default::default() }).is_err());
        drop(catalog);
        let again = Catalog::open(folder.path()).unwrap();
        assert_eq!(again.namespaces(), ["A/b", "default"]);
        again.drop_namespace("a/b", false).unwrap();
        assert_eq!(Catalog::open(folder.path()).unwrap().namespaces(), ["default"]);
    }
}
