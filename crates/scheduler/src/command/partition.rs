//! Partitions of tables: folders that `ALTER TABLE`, `TRUNCATE` and `SHOW PARTITIONS` name by their values.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use planner::source::partitions::escape;
use spark::command::PartitionSpec;
use spark::expr::CastMode;
use spark::types::{DataType, quote_identifier};
use spark::{Error, Expr, Literal, Result};

use crate::catalog::{TableEntry, shown};
use crate::naming::Place;
use crate::session::Session;

/// The folder of a null.
const NULL_FOLDER: &str = "__HIVE_DEFAULT_PARTITION__";

/// A partition, or several of them: values of some of the partition columns, in their order.
pub struct Selected {
    values: Vec<(String, Option<String>)>,
    is_full: bool,
}

impl Selected {
    /// `` PARTITION (`p` = 1, `q` = x) ``.
    fn shown(&self) -> String {
        let parts: Vec<String> = self
            .values
            .iter()
            .map(|(c, v)| format!("{} = {}", quote_identifier(c), v.as_deref().unwrap_or("null")))
            .collect();
        format!("PARTITION ({})", parts.join(", "))
    }

    /// `p=1/q=x`.
    pub fn path(&self) -> String {
        let folder = |v: &Option<String>| v.as_deref().map_or_else(|| NULL_FOLDER.to_string(), escape);
        let parts: Vec<String> = self.values.iter().map(|(c, v)| format!("{}={}", escape(c), folder(v))).collect();
        parts.join("/")
    }

    /// The values by column.
    pub fn values(&self) -> &[(String, Option<String>)] {
        &self.values
    }

    /// What `DESCRIBE` and `SHOW TABLE EXTENDED` tell of the partition.
    pub fn details(&self, entry: &TableEntry, redact: &super::show::Redaction) -> Vec<(String, String)> {
        let null = || NULL_FOLDER.to_string();
        let values: Vec<String> =
            self.values.iter().map(|(c, v)| format!("{c}={}", v.clone().unwrap_or_else(null))).collect();
        let below = || format!("{}/{}", entry.location.trim_end_matches('/'), self.path());
        let location = entry.partition_locations.get(&self.path()).cloned().unwrap_or_else(below);
        let mut out = vec![
            ("Partition Values".to_string(), format!("[{}]", values.join(", "))),
            ("Location".to_string(), location),
        ];
        out.extend(redact.listed(&entry.options).map(|options| ("Storage Properties".to_string(), options)));
        out.push(("Created Time".into(), super::show::created(entry.created_micros)));
        out.push(("Last Access".into(), "UNKNOWN".into()));
        if let Some((bytes, rows)) = entry.partition_statistics.get(&self.path()) {
            let rows = rows.map(|r| format!(", {r} rows")).unwrap_or_default();
            out.push(("Partition Statistics".into(), format!("{bytes} bytes{rows}")));
        }
        out
    }

    /// True if the partition of that path is among them.
    pub fn holds(&self, path: &str) -> bool {
        let folders: Vec<&str> = path.split('/').collect();
        self.path().split('/').filter(|p| !p.is_empty()).all(|wanted| folders.contains(&wanted))
    }
}

/// The values that a specification gives to partition columns.
///
/// # Errors
/// `PARTITIONS_NOT_FOUND` for a column the table is not partitioned by.
pub async fn select(
    session: &Arc<Session>,
    place: &Place,
    entry: &TableEntry,
    spec: &PartitionSpec,
) -> Result<Selected> {
    let is = |a: &str, b: &str| a.eq_ignore_ascii_case(b);
    let unknown: Vec<String> = spec
        .iter()
        .filter(|(name, _)| !entry.partition_columns.iter().any(|c| is(c, name)))
        .map(|(name, _)| quote_identifier(name))
        .collect();
    if !unknown.is_empty() {
        return Err(not_found(&unknown.join(", "), &shown(&place.parts())));
    }
    let schema = entry.schema()?;
    let mut values = Vec::new();
    for column in &entry.partition_columns {
        let Some((_, Some(value))) = spec.iter().find(|(name, _)| is(name, column)) else { continue };
        let field = schema.fields.iter().find(|f| is(&f.name, column));
        let ty = field.map_or(DataType::STRING, |f| f.data_type.clone());
        let name = field.map_or_else(|| column.clone(), |f| f.name.clone());
        values.push((name, text_of(session, value.clone(), ty).await?));
    }
    let is_full = values.len() == entry.partition_columns.len();
    Ok(Selected { values, is_full })
}

/// [`select`] for one partition.
///
/// # Errors
/// Also if a partition column has no value.
pub async fn select_one(
    session: &Arc<Session>,
    place: &Place,
    entry: &TableEntry,
    spec: &PartitionSpec,
) -> Result<Selected> {
    let selected = select(session, place, entry, spec).await?;
    if selected.is_full {
        return Ok(selected);
    }
    let keys: Vec<&str> = spec.iter().map(|(name, _)| name.as_str()).collect();
    Err(Error::analysis("_LEGACY_ERROR_TEMP_1232")
        .param("specKeys", keys.join(", "))
        .param("partitionColumnNames", entry.partition_columns.join(", "))
        .param("tableName", shown(&place.parts()))
        .with_message("A partition is named by values of all partition columns."))
}

/// A constant as the text of a folder.
async fn text_of(session: &Arc<Session>, value: Expr, ty: DataType) -> Result<Option<String>> {
    let cast = |child: Expr, to: DataType| Expr::Cast { child: Box::new(child), to, mode: CastMode::Session };
    let plan = spark::Plan::from(spark::plan::Node::Project {
        input: spark::Plan::boxed(spark::plan::Node::OneRow),
        exprs: vec![cast(cast(value, ty), DataType::STRING).alias("v")],
    });
    let rows = session.query_rows(&plan, &session.settings()).await?;
    let analyzer::Answer::Rows(rows) = rows else { return Err(Error::internal("a constant is a row")) };
    match rows.into_iter().next().and_then(|r| r.into_iter().next()) {
        Some(Literal::String(text)) => Ok(Some(text)),
        _ => Ok(None),
    }
}

fn not_found(list: &str, table: &str) -> Error {
    Error::analysis("PARTITIONS_NOT_FOUND")
        .param("partitionList", list)
        .param("tableName", table)
        .with_message(format!("The table {table} has no partition {list}."))
}

fn missing(selected: &Selected, place: &Place) -> Error {
    not_found(&selected.shown(), &shown(&place.parts()[1..]))
}

/// Refuses a table without partition columns.
///
/// # Errors
/// `_LEGACY_ERROR_TEMP_1251`.
pub fn partitioned(place: &Place, entry: &TableEntry, action: &str) -> Result<()> {
    if !entry.partition_columns.is_empty() {
        return Ok(());
    }
    Err(Error::analysis("_LEGACY_ERROR_TEMP_1251")
        .param("action", action)
        .param("tableName", &place.name)
        .with_message(format!("{action} needs a table with partition columns, and {} has none.", place.name)))
}

/// `p=1/q=x` of every partition: those with files, and those added without.
///
/// # Errors
/// If the table's files cannot be listed.
pub async fn all(session: &Arc<Session>, entry: &TableEntry) -> Result<Vec<String>> {
    let mut names = super::show::partition_names(session, entry).await?;
    names.extend(entry.partitions.iter().filter(|p| !names.contains(p)).cloned().collect::<Vec<_>>());
    names.sort();
    Ok(names)
}

/// Where a table's files are, if that is a folder of this machine.
fn folder(entry: &TableEntry) -> Result<PathBuf> {
    match entry.location.strip_prefix("file:") {
        Some(path) => Ok(PathBuf::from(path)),
        None => Err(Error::unsupported("changing partitions of tables that are not on a local disk")),
    }
}

/// Replaces the list of partitions without files.
fn remember(session: &Session, place: &Place, change: impl FnOnce(&mut Vec<String>)) -> Result<()> {
    session.engine().shared().catalog.update_table(&place.namespace, &place.name, |t| {
        change(&mut t.partitions);
        Ok(())
    })
}

/// `ADD [IF NOT EXISTS] PARTITION (…) …`.
///
/// # Errors
/// `PARTITIONS_ALREADY_EXIST`.
pub async fn add(
    session: &Arc<Session>,
    place: &Place,
    entry: &TableEntry,
    partitions: Vec<(PartitionSpec, Option<String>)>,
    if_not_exists: bool,
) -> Result<()> {
    partitioned(place, entry, "ALTER TABLE ADD PARTITION")?;
    let there = all(session, entry).await?;
    let mut added = Vec::new();
    let mut located = Vec::new();
    for (spec, location) in partitions {
        let selected = select_one(session, place, entry, &spec).await?;
        let path = selected.path();
        if there.contains(&path) {
            if if_not_exists {
                continue;
            }
            return Err(Error::new(spark::ErrorKind::AlreadyExists, "PARTITIONS_ALREADY_EXIST")
                .param("partitionList", selected.shown())
                .param("tableName", shown(&place.parts()[1..]))
                .with_message(format!("There is a {} already.", selected.shown())));
        }
        match location {
            Some(location) => located.push((path.clone(), made(session, place, &location)?)),
            None => make(&folder(entry)?.join(&path))?,
        }
        added.push(path);
    }
    locate(session, place, |all| all.extend(located))?;
    remember(session, place, |all| all.extend(added))
}

/// The location of a partition as the catalog keeps it; the folder is made.
fn made(session: &Session, place: &Place, location: &str) -> Result<String> {
    let location = super::folders::located_in(session, &place.namespace, location)?;
    if let Some(path) = location.strip_prefix("file:") {
        make(Path::new(path))?;
    }
    Ok(location)
}

/// Removes the files of a partition in a folder of its own; folders below it are not the partition's.
fn empty(location: &str) -> Result<()> {
    let Some(folder) = location.strip_prefix("file:") else {
        return Err(Error::unsupported("truncating partitions that are not on a local disk"));
    };
    for file in listed(Path::new(folder)).into_iter().filter(|f| f.is_file()) {
        std::fs::remove_file(&file).map_err(|e| Error::internal(format!("cannot remove {}: {e}", file.display())))?;
    }
    Ok(())
}

/// Changes which partitions have a folder of their own.
fn locate(session: &Session, place: &Place, change: impl FnOnce(&mut BTreeMap<String, String>)) -> Result<()> {
    session.engine().shared().catalog.update_table(&place.namespace, &place.name, |t| {
        change(&mut t.partition_locations);
        Ok(())
    })
}

/// `PARTITION (…) SET LOCATION '…'`.
///
/// # Errors
/// `PARTITIONS_NOT_FOUND`.
pub async fn set_location(
    session: &Arc<Session>,
    place: &Place,
    entry: &TableEntry,
    spec: &PartitionSpec,
    location: &str,
) -> Result<()> {
    partitioned(place, entry, "ALTER TABLE SET LOCATION")?;
    let selected = select_one(session, place, entry, spec).await?;
    let path = selected.path();
    if !all(session, entry).await?.contains(&path) {
        return Err(missing(&selected, place));
    }
    let location = made(session, place, location)?;
    locate(session, place, |all| {
        all.insert(path.clone(), location);
    })?;
    remember(session, place, |all| {
        if !all.contains(&path) {
            all.push(path.clone());
        }
    })
}

/// Where the one partition is that a statement writes, if that is a folder of its own.
///
/// # Errors
/// If rows could go to such a partition among others.
pub async fn own_location(
    session: &Arc<Session>,
    place: &Place,
    entry: &TableEntry,
    spec: &PartitionSpec,
) -> Result<Option<String>> {
    if entry.partition_locations.is_empty() {
        return Ok(None);
    }
    let fixed: PartitionSpec = spec.iter().filter(|(_, v)| v.is_some()).cloned().collect();
    let selected = select(session, place, entry, &fixed).await?;
    if !selected.is_full {
        return Err(Error::unsupported("writing several partitions at once where some have a location of their own"));
    }
    Ok(entry.partition_locations.get(&selected.path()).cloned())
}

fn make(path: &Path) -> Result<()> {
    std::fs::create_dir_all(path).map_err(|e| Error::internal(format!("cannot make {}: {e}", path.display())))
}

fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_dir_all(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::internal(format!("cannot remove {}: {e}", path.display())))
        }
        _ => Ok(()),
    }
}

/// `DROP [IF EXISTS] PARTITION (…), …`.
///
/// # Errors
/// `PARTITIONS_NOT_FOUND`.
pub async fn drop(
    session: &Arc<Session>,
    place: &Place,
    entry: &TableEntry,
    partitions: Vec<PartitionSpec>,
    if_exists: bool,
) -> Result<()> {
    partitioned(place, entry, "ALTER TABLE DROP PARTITION")?;
    let there = all(session, entry).await?;
    let mut gone: Vec<String> = Vec::new();
    for spec in partitions {
        let selected = select(session, place, entry, &spec).await?;
        let found: Vec<String> = there.iter().filter(|p| selected.holds(p)).cloned().collect();
        if found.is_empty() && !if_exists {
            return Err(missing(&selected, place));
        }
        gone.extend(found);
    }
    for path in &gone {
        // What is in a folder of its own is not the table's to remove.
        if !entry.partition_locations.contains_key(path) {
            remove(&folder(entry)?.join(path))?;
        }
    }
    locate(session, place, |all| all.retain(|p, _| !gone.contains(p)))?;
    remember(session, place, |all| all.retain(|p| !gone.contains(p)))
}

/// `PARTITION (…) RENAME TO PARTITION (…)`.
///
/// # Errors
/// `PARTITIONS_NOT_FOUND`, `PARTITIONS_ALREADY_EXIST`.
pub async fn rename(
    session: &Arc<Session>,
    place: &Place,
    entry: &TableEntry,
    from: &PartitionSpec,
    to: &PartitionSpec,
) -> Result<()> {
    partitioned(place, entry, "ALTER TABLE RENAME PARTITION")?;
    let there = all(session, entry).await?;
    let (from, to) = (select_one(session, place, entry, from).await?, select_one(session, place, entry, to).await?);
    if !there.contains(&from.path()) {
        return Err(missing(&from, place));
    }
    if there.contains(&to.path()) {
        return Err(Error::new(spark::ErrorKind::AlreadyExists, "PARTITIONS_ALREADY_EXIST")
            .param("partitionList", to.shown())
            .param("tableName", shown(&place.parts()[1..])));
    }
    if let Some(location) = entry.partition_locations.get(&from.path()).cloned() {
        locate(session, place, |all| {
            all.remove(&from.path());
            all.insert(to.path(), location);
        })?;
        return remember(session, place, |all| {
            all.retain(|p| *p != from.path());
            all.push(to.path());
        });
    }
    let folder = folder(entry)?;
    let target = folder.join(to.path());
    if let Some(parent) = target.parent() {
        make(parent)?;
    }
    std::fs::rename(folder.join(from.path()), &target)
        .map_err(|e| Error::internal(format!("cannot move a partition to {}: {e}", target.display())))?;
    remember(session, place, |all| {
        all.retain(|p| *p != from.path());
        all.push(to.path());
    })
}

/// `TRUNCATE TABLE … PARTITION (…)`.
///
/// # Errors
/// `PARTITIONS_NOT_FOUND` for columns the table is not partitioned by, or values it does not have.
pub async fn truncate(session: &Arc<Session>, place: &Place, entry: &TableEntry, spec: &PartitionSpec) -> Result<()> {
    if entry.partition_columns.is_empty() {
        return Err(Error::analysis("_LEGACY_ERROR_TEMP_1267")
            .param("tableIdentWithDB", shown(&place.parts()))
            .with_message("A table without partitions is truncated as a whole."));
    }
    let selected = select(session, place, entry, spec).await?;
    let there: Vec<String> = all(session, entry).await?.into_iter().filter(|p| selected.holds(p)).collect();
    if there.is_empty() {
        return Err(missing(&selected, place));
    }
    for path in &there {
        if let Some(location) = entry.partition_locations.get(path) {
            empty(location)?;
            continue;
        }
        let path = folder(entry)?.join(path);
        remove(&path)?;
        make(&path)?;
    }
    remember(session, place, |all| {
        let new: Vec<String> = there.into_iter().filter(|p| !all.contains(p)).collect();
        all.extend(new);
    })
}

/// The path of the one partition of a `DESCRIBE`.
///
/// # Errors
/// `PARTITIONS_NOT_FOUND`.
pub async fn found(
    session: &Arc<Session>,
    place: &Place,
    entry: &TableEntry,
    spec: &PartitionSpec,
) -> Result<Selected> {
    let selected = select_one(session, place, entry, spec).await?;
    let path = selected.path();
    let is_there = all(session, entry).await?.contains(&path) || folder(entry).is_ok_and(|f| f.join(&path).is_dir());
    if is_there { Ok(selected) } else { Err(missing(&selected, place)) }
}

/// The files of partitions before a static overwrite, to tell which partitions it did not write to.
pub struct Before {
    folder: PathBuf,
    files: BTreeMap<String, Vec<PathBuf>>,
}

/// Notes the files of the partitions that an overwrite is about.
///
/// # Errors
/// If the table's files cannot be listed.
pub async fn before(session: &Arc<Session>, place: &Place, entry: &TableEntry, spec: &PartitionSpec) -> Result<Before> {
    let fixed: PartitionSpec = spec.iter().filter(|(_, v)| v.is_some()).cloned().collect();
    let selected = select(session, place, entry, &fixed).await?;
    let folder = folder(entry)?;
    let mut files = BTreeMap::new();
    for path in all(session, entry).await?.into_iter().filter(|p| selected.holds(p)) {
        let listed = listed(&folder.join(&path));
        files.insert(path, listed);
    }
    Ok(Before { folder, files })
}

impl Before {
    /// Removes the partitions that still have the same files.
    ///
    /// # Errors
    /// If a folder cannot be removed.
    pub fn remove_untouched(self) -> Result<()> {
        for (path, files) in self.files {
            let path = self.folder.join(path);
            if listed(&path) == files {
                remove(&path)?;
            }
        }
        Ok(())
    }
}

fn listed(path: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(path).map(|d| d.flatten().map(|e| e.path()).collect()).unwrap_or_default();
    files.sort();
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specifications_hold_paths() {
        let selected =
            Selected { values: vec![("p".into(), Some("1".into())), ("q".into(), Some("a/b".into()))], is_full: true };
        assert_eq!(selected.path(), "p=1/q=a%2Fb");
        assert_eq!(selected.shown(), "PARTITION (`p` = 1, `q` = a/b)");
        for (path, holds) in [("p=1/q=a%2Fb", true), ("p=1/q=c", false), ("p=11/q=a%2Fb", false)] {
            assert_eq!(selected.holds(path), holds, "{path}");
        }
    }
}
