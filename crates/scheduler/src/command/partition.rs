//! Partitions of tables: the catalog's registry of them, and the statements that name them by their values.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use planner::source::partitions::escape;
use planner::source::registry::{Partition, Registry};
use spark::command::PartitionSpec;
use spark::expr::CastMode;
use spark::types::{DataType, quote_identifier};
use spark::{Error, Expr, Literal, Result, Settings};

use crate::catalog::{Kind, TableEntry, shown};
use crate::naming::Place;
use crate::session::Session;

/// The folder of a null.
const NULL_FOLDER: &str = planner::source::partitions::NULL_NAME;

/// Partitions that one table may have: the catalog keeps all of them in memory.
const MAX_PARTITIONS: usize = 200_000;

/// A partition, or several of them: values of some of the partition columns, in their order.
pub struct Selected {
    values: Vec<(String, Option<String>)>,
    is_full: bool,
}

impl Selected {
    /// `` PARTITION (`p` = 1, `q` = x) ``.
    fn shown(&self) -> String {
        self.shown_with(NULL_FOLDER)
    }

    fn shown_with(&self, null: &str) -> String {
        let parts: Vec<String> = self
            .values
            .iter()
            .map(|(c, v)| format!("{} = {}", quote_identifier(c), v.as_deref().unwrap_or(null)))
            .collect();
        format!("PARTITION ({})", parts.join(", "))
    }

    /// `p=1/q=x`.
    pub fn path(&self) -> String {
        let folder =
            |v: &Option<String>| v.as_deref().filter(|v| !v.is_empty()).map_or_else(|| NULL_FOLDER.to_string(), escape);
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
        let known = entry.registry.as_ref().and_then(|r| r.get(&self.path())).cloned().unwrap_or_default();
        let location = location_of(entry, &self.path(), &known);
        let mut out = vec![
            ("Partition Values".to_string(), format!("[{}]", values.join(", "))),
            ("Location".to_string(), location),
        ];
        out.extend(redact.listed(&entry.options).map(|options| ("Storage Properties".to_string(), options)));
        out.push(("Created Time".into(), super::show::created(known.created_micros)));
        out.push(("Last Access".into(), "UNKNOWN".into()));
        if let Some((bytes, rows)) = known.statistics {
            let rows = rows.map(|r| format!(", {r} rows")).unwrap_or_default();
            out.push(("Partition Statistics".into(), format!("{bytes} bytes{rows}")));
        }
        out
    }

    /// Refuses an empty value, which no folder can have.
    fn checked(self) -> Result<Self> {
        if !self.values.iter().any(|(_, v)| v.as_deref() == Some("")) {
            return Ok(self);
        }
        let spec: Vec<String> =
            self.values.iter().map(|(c, v)| format!("{c}={}", v.as_deref().unwrap_or(NULL_FOLDER))).collect();
        Err(Error::analysis("INVALID_PARTITION_SPEC")
            .param("details", format!("The spec ([{}]) contains an empty partition column value", spec.join(", ")))
            .with_message("No partition is named by an empty value."))
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
    let settings = session.settings();
    let is = |a: &str, b: &str| planner::source::same_name(a, b, settings.case_sensitive);
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
        let text = text_of(session, value.clone(), ty).await?;
        let declared = field.and_then(|f| f.metadata.get("__CHAR_VARCHAR_TYPE_STRING")).and_then(|v| v.as_str());
        let fit = |text: String| functions::families::string::limit::fitted_to(text, declared.unwrap_or_default());
        values.push((name, text.map(fit).transpose()?));
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
        return selected.checked();
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
        exprs: vec![cast(cast(cast(value, DataType::STRING), ty), DataType::STRING).alias("v")],
    });
    let rows = session.query_rows(&plan, &session.settings()).await?;
    let analyzer::Answer::Rows(rows) = rows else { return Err(Error::internal("a constant is a row")) };
    match rows.into_iter().next().and_then(|r| r.into_iter().next()) {
        Some(Literal::String(text)) => Ok(Some(text)),
        _ => Ok(None),
    }
}

/// Where a partition's files are.
pub fn location_of(entry: &TableEntry, path: &str, partition: &Partition) -> String {
    let below = || format!("{}/{path}", entry.location.trim_end_matches('/'));
    partition.location.clone().unwrap_or_else(below)
}

/// A partition that begins to be known now.
fn new_partition(location: Option<String>) -> Partition {
    Partition { location, created_micros: chrono::Utc::now().timestamp_micros(), statistics: None }
}

/// `spark.sql.hive.manageFilesourcePartitions`.
fn manages(settings: &Settings) -> bool {
    settings.conf.get_bool("spark.sql.hive.manageFilesourcePartitions", true)
}

/// The registry of a new table with those partition columns and partitions.
pub fn registry_of(settings: &Settings, columns: &[String], partitions: &BTreeSet<String>) -> Option<Registry> {
    let all = || partitions.iter().map(|path| (path.clone(), new_partition(None))).collect();
    (!columns.is_empty() && manages(settings)).then(all)
}

/// The partitions whose files a query of the table reads; none if those of all folders.
pub fn known<'a>(entry: &'a TableEntry, settings: &Settings) -> Option<&'a Registry> {
    entry.registry.as_ref().filter(|_| manages(settings))
}

fn not_found(list: &str, table: &str) -> Error {
    Error::analysis("PARTITIONS_NOT_FOUND")
        .param("partitionList", list)
        .param("tableName", table)
        .with_message(format!("The table {table} has no partition {list}."))
}

fn list(of: &[&Selected]) -> String {
    of.iter().map(|s| s.shown()).collect::<Vec<_>>().join(", ")
}

/// The error for partitions that are not there.
pub fn missing(of: &[&Selected], place: &Place) -> Error {
    not_found(&list(of), &shown(&place.parts()[1..]))
}

fn there_already(of: &[&Selected], place: &Place) -> Error {
    Error::new(spark::ErrorKind::AlreadyExists, "PARTITIONS_ALREADY_EXIST")
        .param("partitionList", list(of))
        .param("tableName", shown(&place.parts()[1..]))
        .with_message(format!("There is a {} already.", list(of)))
}

/// The table's registry; refuses a table without one.
///
/// # Errors
/// `_LEGACY_ERROR_TEMP_1250` where the session leaves partitions to the folders, `_LEGACY_ERROR_TEMP_1251`
/// where the table has always done so.
pub fn partitioned<'a>(session: &Session, place: &Place, entry: &'a TableEntry, action: &str) -> Result<&'a Registry> {
    let condition = match &entry.registry {
        _ if !manages(&session.settings()) => "_LEGACY_ERROR_TEMP_1250",
        Some(registry) if !entry.partition_columns.is_empty() => return Ok(registry),
        _ => "_LEGACY_ERROR_TEMP_1251",
    };
    Err(Error::analysis(condition).param("action", action).param("tableName", &place.name).with_message(format!(
        "{action} needs a table whose partitions the catalog knows, and {} is none.",
        place.name
    )))
}

/// Where a table's files are, if that is a folder of this machine.
fn folder(entry: &TableEntry) -> Result<PathBuf> {
    match entry.location.strip_prefix("file:") {
        Some(path) => Ok(PathBuf::from(path)),
        None => Err(Error::unsupported("changing partitions of tables that are not on a local disk")),
    }
}

/// Changes the registry, and makes one where there is none.
fn change(session: &Session, place: &Place, change: impl FnOnce(&mut Registry)) -> Result<()> {
    session.engine().shared().catalog.update_table(&place.namespace, &place.name, |t| {
        let registry = t.registry.get_or_insert_default();
        change(registry);
        if registry.len() > MAX_PARTITIONS {
            return Err(Error::unsupported(format!("a table with more than {MAX_PARTITIONS} partitions")));
        }
        Ok(())
    })
}

/// Enters the partitions that a write gave rows, and strikes out those it removed.
///
/// # Errors
/// If the catalog cannot be saved, or there are too many.
pub fn written(
    session: &Session,
    place: &Place,
    entry: &TableEntry,
    new: &BTreeSet<String>,
    gone: &BTreeSet<String>,
) -> Result<()> {
    let Some(registry) = known(entry, &session.settings()) else { return Ok(()) };
    if gone.is_empty() && new.iter().all(|p| registry.contains(p)) {
        return Ok(());
    }
    change(session, place, |registry| {
        let all = registry.change();
        all.retain(|path, _| !gone.contains(path));
        for path in new {
            all.entry(path.clone()).or_insert_with(|| new_partition(None));
        }
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
    let registry = partitioned(session, place, entry, "ALTER TABLE ADD PARTITION")?;
    let mut added = Vec::new();
    for (spec, location) in partitions {
        added.push((select_one(session, place, entry, &spec).await?, location));
    }
    let there: Vec<&Selected> = added.iter().map(|(s, _)| s).filter(|s| registry.contains(&s.path())).collect();
    if !there.is_empty() && !if_not_exists {
        return Err(there_already(&there, place));
    }
    let mut new = Vec::new();
    for (selected, location) in added.iter().filter(|(s, _)| !registry.contains(&s.path())) {
        let path = selected.path();
        let location = match location {
            Some(location) => Some(made(session, place, location)?),
            None => {
                make_below(entry, &path)?;
                None
            }
        };
        new.push((path, new_partition(location)));
    }
    change(session, place, |all| all.change().extend(new))
}

/// Makes the folder of a partition, where folders can be empty.
fn make_below(entry: &TableEntry, path: &str) -> Result<()> {
    folder(entry).map_or(Ok(()), |folder| make(&folder.join(path)))
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
    let files = std::fs::read_dir(folder).map(|d| d.flatten().map(|e| e.path()).collect()).unwrap_or_default();
    let files: Vec<PathBuf> = files;
    for file in files.into_iter().filter(|f| f.is_file()) {
        std::fs::remove_file(&file).map_err(|e| Error::internal(format!("cannot remove {}: {e}", file.display())))?;
    }
    Ok(())
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
    let registry = partitioned(session, place, entry, "ALTER TABLE ... SET LOCATION")?;
    let selected = select_one(session, place, entry, spec).await?;
    let path = selected.path();
    if !registry.contains(&path) {
        return Err(missing(&[&selected], place));
    }
    let location = made(session, place, location)?;
    change(session, place, |all| {
        if let Some(partition) = all.change().get_mut(&path) {
            partition.location = Some(location);
        }
    })
}

/// What stays of the registry when the table itself is said to be elsewhere: partitions are where they were.
pub fn stay_behind(entry: &mut TableEntry) {
    let old = entry.location.trim_end_matches('/').to_string();
    for (path, partition) in entry.registry.iter_mut().flat_map(|r| r.change().iter_mut()) {
        partition.location.get_or_insert_with(|| format!("{old}/{path}"));
    }
}

/// The partitions in folders of their own, as a write needs them.
///
/// # Errors
/// If a location cannot be understood.
pub fn located(entry: &TableEntry, settings: &Settings) -> Result<Vec<(String, planner::source::paths::Location)>> {
    let Some(registry) = known(entry, settings) else { return Ok(Vec::new()) };
    registry.located().map(|(path, at)| Ok((path.clone(), planner::source::paths::locate(at)?))).collect()
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

/// `DROP [IF EXISTS] PARTITION (…), …`: each names one partition.
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
    let registry = partitioned(session, place, entry, "ALTER TABLE DROP PARTITION")?;
    let mut all = Vec::new();
    for spec in partitions {
        all.push(select(session, place, entry, &spec).await?.checked()?);
    }
    let is_there = |s: &&Selected| registry.contains(&s.path());
    let absent: Vec<&Selected> = all.iter().filter(|s| !is_there(s)).collect();
    if !absent.is_empty() && !if_exists {
        return Err(missing(&absent, place));
    }
    let gone: BTreeSet<String> = all.iter().filter(is_there).map(Selected::path).collect();
    for path in gone.iter().filter(|_| entry.kind == Kind::Managed) {
        // What is in a folder of its own is not the table's to remove.
        if registry.get(path).is_some_and(|p| p.location.is_none()) {
            remove(&folder(entry)?.join(path))?;
        }
    }
    change(session, place, |all| all.change().retain(|p, _| !gone.contains(p)))
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
    let registry = partitioned(session, place, entry, "ALTER TABLE RENAME PARTITION")?;
    let (from, to) = (select_one(session, place, entry, from).await?, select_one(session, place, entry, to).await?);
    let (old, new) = (from.path(), to.path());
    let Some(known) = registry.get(&old) else { return Err(missing(&[&from], place)) };
    if registry.contains(&new) {
        return Err(there_already(&[&to], place));
    }
    let mut renamed = known.clone();
    if entry.kind == Kind::External {
        renamed.location = Some(location_of(entry, &old, known));
    } else if known.location.is_none() {
        let folder = folder(entry)?;
        let target = folder.join(&new);
        if let Some(parent) = target.parent() {
            make(parent)?;
        }
        make(&folder.join(&old))?;
        std::fs::rename(folder.join(&old), &target)
            .map_err(|e| Error::internal(format!("cannot move a partition to {}: {e}", target.display())))?;
    }
    change(session, place, |all| {
        let all = all.change();
        all.remove(&old);
        all.insert(new, renamed);
    })
}

/// `TRUNCATE TABLE … PARTITION (…)`.
///
/// # Errors
/// `PARTITIONS_NOT_FOUND` for columns the table is not partitioned by, or a partition it does not have.
pub async fn truncate(session: &Arc<Session>, place: &Place, entry: &TableEntry, spec: &PartitionSpec) -> Result<()> {
    if entry.kind == Kind::External {
        return Err(Error::analysis("CANNOT_TRUNCATE_EXTERNAL_TABLE")
            .param("tableName", shown(&place.parts()))
            .with_message("The files of an external table are not removed."));
    }
    if entry.partition_columns.is_empty() {
        return Err(Error::analysis("_LEGACY_ERROR_TEMP_1267")
            .param("tableIdentWithDB", shown(&place.parts()))
            .with_message("A table without partitions is truncated as a whole."));
    }
    let registry = partitioned(session, place, entry, "TRUNCATE TABLE ... PARTITION")?;
    let selected = select(session, place, entry, spec).await?.checked()?;
    let meant: Vec<(&String, &Partition)> = registry.iter().filter(|(p, _)| selected.holds(p)).collect();
    if meant.is_empty() && selected.is_full {
        return Err(not_found(&selected.shown_with("null"), &shown(&place.parts()[1..])));
    }
    for (path, partition) in meant {
        empty_partition(entry, path, partition)?;
    }
    Ok(())
}

fn empty_partition(entry: &TableEntry, path: &str, partition: &Partition) -> Result<()> {
    if let Some(location) = &partition.location {
        return empty(location);
    }
    let path = folder(entry)?.join(path);
    remove(&path)?;
    make(&path)
}

/// Empties the partitions that are not below the table's folder.
///
/// # Errors
/// If files cannot be removed.
pub fn truncate_located(entry: &TableEntry) -> Result<()> {
    entry.registry.iter().flat_map(Registry::located).try_for_each(|(_, location)| empty(location))
}

/// The one partition of a `DESCRIBE`.
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
    let is_there = entry.registry.as_ref().is_some_and(|r| r.contains(&selected.path()));
    if is_there { Ok(selected) } else { Err(missing(&[&selected], place)) }
}

/// `MSCK REPAIR TABLE … {ADD | DROP | SYNC} PARTITIONS` and `RECOVER PARTITIONS`: makes partitions of the
/// folders below the table's, and forgets those whose folders are gone.
///
/// # Errors
/// `NOT_A_PARTITIONED_TABLE`, and failures of the store.
pub async fn recover(
    session: &Arc<Session>,
    place: &Place,
    entry: &TableEntry,
    (add, drop): (bool, bool),
    operation: &str,
) -> Result<()> {
    if entry.partition_columns.is_empty() {
        return Err(Error::analysis("NOT_A_PARTITIONED_TABLE")
            .param("operation", operation)
            .param("tableIdentWithDB", shown(&place.parts()))
            .with_message(format!("{operation} needs a table with partition columns.")));
    }
    let state = &session.engine().shared().state;
    let sensitive = session.settings().case_sensitive;
    let columns = &entry.partition_columns;
    let found =
        planner::source::listing::partition_folders(state.runtime_env(), &entry.location, columns, sensitive).await?;
    let paths: BTreeSet<&String> = found.iter().map(|(path, _)| path).collect();
    let is_gone = |path: &String, partition: &Partition| match &partition.location {
        Some(location) => location.strip_prefix("file:").is_some_and(|p| !Path::new(p).exists()),
        None => !paths.contains(path),
    };
    let known = entry.registry.clone().unwrap_or_default();
    let gone: BTreeSet<&String> = known.iter().filter(|(p, k)| drop && is_gone(p, k)).map(|(p, _)| p).collect();
    change(session, place, |all| {
        let all = all.change();
        all.retain(|path, _| !gone.contains(path));
        for (path, location) in found.iter().filter(|_| add) {
            all.entry(path.clone()).or_insert_with(|| new_partition(location.clone()));
        }
    })
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
