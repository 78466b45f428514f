//! Tables: `CREATE`, `DROP`, `ALTER`, `TRUNCATE`, `ANALYZE`.

use std::collections::BTreeMap;
use std::sync::Arc;

use functions::families::collation;
use functions::families::string::limit;
use spark::command::{AlterTableAction, ColumnDef, CreateTable};
use spark::types::{DataType, Metadata, StructField, StructType, quote_identifier};
use spark::{Error, Result};

use super::{folders, partition};
use crate::catalog::{
    CLUSTERING, Kind, SESSION_CATALOG, TableEntry, schema_not_found, shown, table_exists, table_not_found,
};
use crate::naming::{Found, Place, check_name};
use crate::operation::{OperationContext, Table};
use crate::session::Session;
use crate::snapshot::short_name;

/// Formats that tables can have.
const PROVIDERS: [&str; 5] = ["parquet", "csv", "json", "text", "xml"];

/// `CREATE TABLE`, with or without a query.
pub async fn create(session: &Arc<Session>, mut create: CreateTable, op: &OperationContext) -> Result<Table> {
    let place = session.place(&create.name)?;
    let namespace = session.engine().shared().catalog.namespace(&place.namespace);
    create.collation = create.collation.or_else(|| namespace?.collation);
    super::definition::check_storage(&create)?;
    super::definition::check_clauses(&create)?;
    check_name(&place.name)?;
    let catalog = &session.engine().shared().catalog;
    if !catalog.has_namespace(&place.namespace) {
        return Err(schema_not_found(&[SESSION_CATALOG.to_string(), place.namespace.clone()]));
    }
    let constrained = create.columns.iter().any(|c| !c.constraints.is_empty());
    if constrained || !create.constraints.is_empty() {
        return Err(refused(&shown(&place.parts()), "CONSTRAINT"));
    }
    match catalog.table(&place.namespace, &place.name) {
        Some(_) if create.if_not_exists => return Ok(Table::empty()),
        Some(_) if create.replace => {
            let operation = if create.query.is_some() { "REPLACE TABLE AS SELECT" } else { "REPLACE TABLE" };
            return Err(refused(&shown(&place.parts()), operation));
        }
        Some(_) => return Err(table_exists(&place.parts())),
        None => {}
    }
    super::definition::check(session, &place, &create).await?;
    let mut entry = entry_of(session, &place, &create)?;
    if create.query.is_none() {
        super::definition::check_layout(&place, &entry)?;
    }
    let Some(query) = create.query else {
        let timed = create.columns.iter().any(|c| c.data_type.any(&|t| matches!(t, DataType::Time(_))));
        if timed && !session.settings().time_type {
            return Err(functions::cast::time_switched_off());
        }
        return finish(session, &place, entry).await;
    };
    let mut settings = session.settings();
    settings.default_collation = collation::of_types(entry.collation.as_deref())?;
    let analyzed = session.analyze(&query, settings).await?;
    let has_time = analyzed.schema.fields.iter().any(|f| f.data_type.any(&|t| matches!(t, DataType::Time(_))));
    if has_time && !session.settings().time_type {
        return Err(functions::cast::time_switched_off());
    }
    let partitions = entry.partition_columns.clone();
    check_columns(&analyzed.schema, &partitions, false, &place)?;
    entry.schema_json = ordered(&analyzed.schema, &partitions).to_json().to_string();
    super::definition::check_layout(&place, &entry)?;
    check_provider_types(&entry)?;
    super::insert::into_new(session, &place, entry, &analyzed, op).await
}

/// What `UNSUPPORTED_FEATURE.TABLE_OPERATION` says.
pub fn refused(table: &str, operation: &str) -> Error {
    Error::analysis("UNSUPPORTED_FEATURE.TABLE_OPERATION")
        .param("tableName", table)
        .param("operation", operation)
        .with_message(format!("Tables of files do not take {operation}."))
}

/// The refusal to change rows in place, of a table that exists.
pub fn unchangeable(session: &Session, table: &spark::Plan, operation: &str) -> Result<Table> {
    let mut plan = table;
    while let spark::plan::Node::SubqueryAlias { input, .. } = &plan.node {
        plan = input;
    }
    let spark::plan::Node::Table { name, .. } = &plan.node else { return Err(refused("`unknown`", operation)) };
    match session.find(name, &session.settings())? {
        Found::Temp(..) => Err(refused("`unknown`", operation)),
        Found::Entry(place, _) => Err(refused(&shown(&place.parts()), operation)),
        Found::Nothing => Err(table_not_found(name).at(plan.origin.as_ref())),
    }
}

/// The refusal of `df.mergeInto`, of a merge that does something, into a table that exists.
pub fn unmergeable(session: &Session, merge: &spark::command::MergeInto) -> Result<Table> {
    if merge.matched.is_empty() && merge.not_matched.is_empty() && merge.not_matched_by_source.is_empty() {
        return Err(Error::new(spark::ErrorKind::Runtime, "NO_MERGE_ACTION_SPECIFIED")
            .with_message("A merge needs at least one action."));
    }
    match session.find(&merge.target, &session.settings())? {
        Found::Nothing => Err(table_not_found(&merge.target)),
        Found::Temp(..) => Err(refused("`unknown`", "MERGE INTO TABLE")),
        Found::Entry(place, _) => Err(refused(&shown(&place.parts()), "MERGE INTO TABLE")),
    }
}

/// `CREATE TABLE … LIKE …`: the columns and format of another table or view, without rows.
pub fn like(
    session: &Session,
    name: &[String],
    source: &[String],
    if_not_exists: bool,
    provider: Option<String>,
    location: Option<String>,
    properties: spark::plan::Options,
) -> Result<Table> {
    let place = session.place(name)?;
    let (schema, partitions, format, options) = match session.find(source, &session.settings())? {
        Found::Temp(_, view) => (view.schema, Vec::new(), None, Vec::new()),
        Found::Entry(_, entry) => {
            let format = (!entry.is_view()).then_some(entry.provider);
            let schema = crate::snapshot::parse_json_schema(&entry.schema_json)?;
            (schema, entry.partition_columns, format, entry.options)
        }
        Found::Nothing => return Err(table_not_found(source)),
    };
    let catalog = &session.engine().shared().catalog;
    if catalog.table(&place.namespace, &place.name).is_some() {
        return if if_not_exists { Ok(Table::empty()) } else { Err(table_exists(&place.parts()[1..])) };
    }
    if let Some(provider) = provider.as_deref().map(short_name).filter(|p| !PROVIDERS.contains(&p.as_str())) {
        return Err(planner::source::table::not_found(&provider));
    }
    let entry = TableEntry {
        name: place.name.clone(),
        kind: if location.is_some() { Kind::External } else { Kind::Managed },
        provider: provider.map(|p| short_name(&p)).or(format).unwrap_or_else(|| "parquet".into()),
        schema_json: schema.to_json().to_string(),
        partition_columns: partitions.clone(),
        bucket: None,
        location: match location {
            Some(path) => folders::located_in(session, &place.namespace, &path)?,
            None => default_location(session, &place)?,
        },
        options,
        properties,
        comment: None,
        created_micros: chrono::Utc::now().timestamp_micros(),
        owner: session.user().to_string(),
        view: None,
        statistics: None,
        column_statistics: Default::default(),
        collation: None,
        registry: super::partition::registry_of(&session.settings(), &partitions, &Default::default()),
        added_defaults: Default::default(),
    };
    check_provider_types(&entry)?;
    if let Some(path) = entry.location.strip_prefix("file:") {
        std::fs::create_dir_all(path).map_err(|e| Error::internal(format!("cannot make {path}: {e}")))?;
    }
    catalog.put_table(&place.namespace, entry, false)?;
    Ok(Table::empty())
}

/// Enters a table and makes its folder.
async fn finish(session: &Arc<Session>, place: &Place, mut entry: TableEntry) -> Result<Table> {
    if entry.schema()?.fields.is_empty() {
        if entry.kind == Kind::Managed {
            return Err(planner::source::table::cannot_infer(&entry.provider));
        }
        let found = inferred(session, &entry).await?;
        entry.partition_columns = found.table.partition_columns().iter().map(|c| c.name.clone()).collect();
        entry.schema_json = found.schema.to_json().to_string();
    }
    let none = std::collections::BTreeSet::new();
    entry.registry = partition::registry_of(&session.settings(), &entry.partition_columns, &none);
    if entry.kind == Kind::Managed
        && let Some(path) = entry.location.strip_prefix("file:")
    {
        let path = std::path::Path::new(path);
        if path.read_dir().is_ok_and(|mut d| d.next().is_some()) {
            return Err(Error::analysis("LOCATION_ALREADY_EXISTS")
                .param("location", format!("'{}'", entry.location))
                .param("identifier", shown(&place.parts()))
                .with_message("The folder of the new table holds something already."));
        }
        std::fs::create_dir_all(path).map_err(|e| Error::internal(format!("cannot make {}: {e}", path.display())))?;
    }
    if may_hold_rows(&entry) {
        entry.added_defaults = existing_defaults(session, &entry.provider, &entry.schema()?.fields).await?;
    }
    session.engine().shared().catalog.put_table(&place.namespace, entry, false)?;
    Ok(Table::empty())
}

/// The values that columns have in files without them.
async fn existing_defaults(
    session: &Arc<Session>,
    provider: &str,
    columns: &[StructField],
) -> Result<BTreeMap<String, String>> {
    let mut defaults = BTreeMap::new();
    for field in columns.iter().filter(|f| has_default(f)) {
        let is_read = match provider.to_ascii_lowercase().as_str() {
            "parquet" => true,
            "csv" | "json" => !field.data_type.is_complex() && field.data_type != DataType::Variant,
            _ => false,
        };
        if !is_read {
            // These readers give nulls for what is not there.
            let what = format!("a DEFAULT of {} for rows that {provider} files hold already", field.name);
            return Err(Error::unsupported(what));
        }
        let value = super::insert::default_value(session, field).await?;
        let text = planner::source::defaults::to_text(&value).map_err(functions::error::from_datafusion)?;
        defaults.insert(field.name.clone(), text);
    }
    Ok(defaults)
}

/// The schema of the files of an external table that lists no columns.
async fn inferred(session: &Session, entry: &TableEntry) -> Result<planner::source::Opened> {
    let mut request = crate::names::table_request(entry, &Vec::new(), &session.settings())?;
    request.schema = None;
    request.partition_columns = None;
    request.allow_empty = false;
    planner::source::open(&session.engine().shared().state, request).await
}

/// The entry that a `CREATE TABLE` describes.
fn entry_of(session: &Session, place: &Place, create: &CreateTable) -> Result<TableEntry> {
    let conf = session.conf().view();
    check_switches(&conf, create)?;
    let provider = match (&create.provider, &create.storage) {
        (Some(provider), _) => short_name(provider),
        (None, Some(storage)) => storage.format.as_deref().map_or("text".to_string(), short_name),
        (None, None) => short_name(conf.get("spark.sql.sources.default").unwrap_or("parquet")),
    };
    if !PROVIDERS.contains(&provider.as_str()) {
        return Err(planner::source::table::not_found(&provider));
    }
    let mut columns = fields(&declared(session, create, &create.columns))?;
    columns.extend(fields(&declared(session, create, &create.partition_columns))?);
    let mut partition_columns: Vec<String> =
        create.partition_columns.iter().filter_map(|c| c.name.last().cloned()).collect();
    let mut bucket = create.bucket.as_ref().map(|b| (b.columns.clone(), b.sort_columns.clone(), b.buckets));
    for transform in &create.partitioning {
        match super::definition::layout_of(transform)? {
            super::definition::Layout::Column(name) => partition_columns.push(name),
            super::definition::Layout::Buckets(columns, count) => bucket = Some((columns, Vec::new(), count)),
        }
    }
    let schema = ordered(&StructType::new(columns), &partition_columns);
    check_columns(&schema, &partition_columns, create.query.is_some(), place)?;
    let in_options = create.options.iter().find(|(k, _)| k.eq_ignore_ascii_case("path")).map(|(_, v)| v.clone());
    if let (Some(one), Some(two)) = (&create.location, &in_options) {
        return Err(Error::parse("_LEGACY_ERROR_TEMP_0032")
            .param("pathOne", one)
            .param("pathTwo", two)
            .with_message(format!("The path is given twice: {one} and {two}.")));
    }
    let path = create.location.clone().or(in_options);
    let kind = if path.is_some() { Kind::External } else { Kind::Managed };
    let location = match path {
        Some(path) => folders::located_in(session, &place.namespace, &path)?,
        None => default_location(session, place)?,
    };
    let mut properties = create.properties.clone();
    if !create.cluster_by.is_empty() {
        properties.push((CLUSTERING.to_string(), serde_json::Value::from(create.cluster_by.clone()).to_string()));
    }
    let entry = TableEntry {
        name: place.name.clone(),
        kind,
        provider,
        schema_json: schema.to_json().to_string(),
        partition_columns,
        bucket,
        location,
        options: create.options.iter().filter(|(k, _)| !k.eq_ignore_ascii_case("path")).cloned().collect(),
        properties,
        comment: create.comment.clone(),
        created_micros: chrono::Utc::now().timestamp_micros(),
        owner: session.user().to_string(),
        view: None,
        statistics: None,
        column_statistics: Default::default(),
        collation: match &create.collation {
            Some(name) => Some(functions::families::collation::name::parse(name)?.text()),
            None => None,
        },
        registry: None,
        added_defaults: Default::default(),
    };
    check_provider_types(&entry)?;
    Ok(entry)
}

/// What the configuration has to say to a `CREATE TABLE`.
fn check_switches(conf: &spark::conf::ConfView, create: &CreateTable) -> Result<()> {
    if create.collation.is_some() {
        check_object_collation(conf)?;
    }
    let bare = create.provider.is_none() && create.storage.is_none();
    if bare && conf.get_bool("spark.sql.legacy.createHiveTableByDefault", false) {
        return Err(Error::analysis("NOT_SUPPORTED_COMMAND_WITHOUT_HIVE_SUPPORT")
            .param("cmd", "CREATE Hive TABLE (AS SELECT)")
            .with_message("This server has no tables of Hive's formats."));
    }
    Ok(())
}

/// Refuses `DEFAULT COLLATION` where `spark.sql.collation.objectLevel.enabled` is off.
pub fn check_object_collation(conf: &spark::conf::ConfView) -> Result<()> {
    if conf.get_bool("spark.sql.collation.objectLevel.enabled", true) {
        return Ok(());
    }
    Err(Error::analysis("UNSUPPORTED_FEATURE.OBJECT_LEVEL_COLLATIONS")
        .with_message("Tables and views have no collation of their own."))
}

/// Column definitions as the session's configuration and the table's collation make them.
fn declared(session: &Session, create: &CreateTable, columns: &[ColumnDef]) -> Vec<ColumnDef> {
    let conf = session.conf().view();
    let as_varchar = conf.get_bool("spark.sql.charAsVarchar", false);
    let collation = collation::of_types(create.collation.as_deref()).unwrap_or_default();
    let adapt = |column: &ColumnDef| {
        let data_type = match &column.data_type {
            DataType::Char(n) if as_varchar => DataType::Varchar(*n),
            ty => collation::by_default(ty, collation.as_ref()),
        };
        ColumnDef { data_type, ..column.clone() }
    };
    columns.iter().map(adapt).collect()
}

/// Where a managed table's files are.
pub fn default_location(session: &Session, place: &Place) -> Result<String> {
    let namespace = session.engine().shared().catalog.namespace(&place.namespace);
    let namespace =
        namespace.ok_or_else(|| schema_not_found(&[SESSION_CATALOG.to_string(), place.namespace.clone()]))?;
    Ok(format!("{}/{}", namespace.location.trim_end_matches('/'), place.name.to_lowercase()))
}

fn check_provider_types(entry: &TableEntry) -> Result<()> {
    let request = crate::names::table_request(entry, &Vec::new(), &spark::Settings::default())?;
    planner::source::rows::check(&request, &entry.schema()?)
}

/// Data columns first, then the partition columns in their order.
pub fn ordered(schema: &StructType, partitions: &[String]) -> StructType {
    let at = |f: &StructField| partitions.iter().position(|p| p.eq_ignore_ascii_case(&f.name));
    let mut fields: Vec<StructField> = schema.fields.iter().filter(|f| at(f).is_none()).cloned().collect();
    let by_name =
        partitions.iter().filter_map(|p| schema.fields.iter().find(|f| f.name.eq_ignore_ascii_case(p)).cloned());
    fields.extend(by_name);
    let clean =
        |f: StructField| StructField { metadata: f.metadata.without("__autoGeneratedAlias"), nullable: true, ..f };
    StructType::new(fields.into_iter().map(clean).collect())
}

fn check_columns(schema: &StructType, partitions: &[String], has_query: bool, place: &Place) -> Result<()> {
    let mut seen = std::collections::HashSet::new();
    for field in &schema.fields {
        if !seen.insert(field.name.to_lowercase()) {
            return Err(Error::analysis("COLUMN_ALREADY_EXISTS")
                .param("columnName", quote_identifier(&field.name.to_lowercase()))
                .with_message(format!("The column {} is defined twice.", field.name)));
        }
    }
    for partition in partitions {
        if !has_query && !schema.fields.iter().any(|f| f.name.eq_ignore_ascii_case(partition)) {
            return Err(Error::analysis("COLUMN_NOT_DEFINED_IN_TABLE")
                .param("colType", "partition")
                .param("colName", quote_identifier(partition))
                .param("tableName", shown(&place.parts()))
                .param(
                    "tableCols",
                    schema.fields.iter().map(|f| quote_identifier(&f.name)).collect::<Vec<_>>().join(", "),
                )
                .with_message(format!("The partition column {partition} is not defined.")));
        }
    }
    if !partitions.is_empty() && partitions.len() == schema.fields.len() {
        return Err(Error::analysis("ALL_PARTITION_COLUMNS_NOT_ALLOWED")
            .with_message("A table needs a column that it is not partitioned by."));
    }
    Ok(())
}

/// The fields that column definitions describe; defaults and the like are in their metadata.
pub fn fields(columns: &[ColumnDef]) -> Result<Vec<StructField>> {
    columns.iter().map(field).collect()
}

fn field(column: &ColumnDef) -> Result<StructField> {
    if !column.constraints.is_empty() {
        return Err(refused("", "CONSTRAINT"));
    }
    if column.generated.is_some() || column.identity.is_some() {
        return Err(Error::analysis("UNSUPPORTED_FEATURE.TABLE_OPERATION")
            .param("tableName", "")
            .param("operation", "generated columns")
            .with_message("Tables of files have no generated columns."));
    }
    let [name] = column.name.as_slice() else { return Err(Error::unsupported("nested columns in definitions")) };
    let mut metadata = Metadata::default();
    let text = |s: &str| serde_json::Value::String(s.to_string());
    if let Some(comment) = &column.comment {
        metadata = metadata.with("comment", text(comment));
    }
    if let Some((_, default)) = &column.default {
        metadata = metadata.with("CURRENT_DEFAULT", text(default)).with("EXISTS_DEFAULT", text(default));
    }
    let mut data_type = column.data_type.clone();
    if limit::is_limited(&data_type) {
        metadata = metadata.with("__CHAR_VARCHAR_TYPE_STRING", text(&data_type.simple_string()));
        data_type = limit::unlimited(&data_type);
    }
    Ok(StructField { name: name.clone(), data_type, nullable: column.nullable, metadata })
}

/// `DROP TABLE`; temporary views count as tables here.
pub fn drop(session: &Session, name: &[String], if_exists: bool, view: bool) -> Result<Table> {
    let settings = session.settings();
    match session.find(name, &settings)? {
        Found::Temp(_, _) => {
            drop_temp(session, name, settings.case_sensitive);
            Ok(Table::empty())
        }
        Found::Entry(place, entry) if view && !entry.is_view() => {
            let kind = if entry.kind == Kind::Managed { "MANAGED" } else { "EXTERNAL" };
            Err(Error::analysis("WRONG_COMMAND_FOR_OBJECT_TYPE")
                .param("operation", "DROP VIEW")
                .param("requiredType", "VIEW or METRIC_VIEW")
                .param("objectName", place.parts().join("."))
                .param("foundType", kind)
                .param("alternative", "DROP TABLE")
                .with_message(format!("DROP VIEW does not take the table {}.", shown(&place.parts()))))
        }
        Found::Entry(place, entry)
            if !view && entry.is_view() && !settings.conf.get_bool("spark.sql.dropTableOnView.enabled", true) =>
        {
            Err(Error::analysis("WRONG_COMMAND_FOR_OBJECT_TYPE")
                .param("operation", "DROP TABLE")
                .param("requiredType", "EXTERNAL or MANAGED")
                .param("objectName", place.parts().join("."))
                .param("foundType", "VIEW")
                .param("alternative", "DROP VIEW")
                .with_message(format!("DROP TABLE does not take the view {}.", shown(&place.parts()))))
        }
        Found::Entry(place, entry) => {
            session.engine().shared().catalog.drop_table(&place.namespace, &place.name)?;
            session.set_cached_table(&place, None)?;
            folders::remove(session, &place.namespace, &entry);
            Ok(Table::empty())
        }
        Found::Nothing if if_exists => Ok(Table::empty()),
        Found::Nothing => Err(table_not_found(&session.place(name)?.parts())),
    }
}

/// Removes a temporary view; false if there is none.
pub fn drop_temp(session: &Session, name: &[String], case_sensitive: bool) -> bool {
    let Some(last) = name.last() else { return false };
    let key = crate::names::key(last, case_sensitive);
    if name.len() == 1 {
        session.names.lock().temp_views.remove(&key).is_some()
    } else {
        session.engine().shared().global_views.write().remove(&key).is_some()
    }
}

/// `ALTER TABLE` and `ALTER VIEW`.
pub async fn alter(session: &Arc<Session>, name: &[String], action: AlterTableAction, of_view: bool) -> Result<Table> {
    if let (Found::Temp(..), AlterTableAction::Rename(to)) = (session.find(name, &session.settings())?, &action) {
        return rename_temp(session, name, to);
    }
    let action = match action {
        AlterTableAction::SetQuery { plan, text } => return super::view::set_query(session, name, plan, text).await,
        other => other,
    };
    let (place, entry) = session.entry(name)?;
    check_kind(name, &place, &entry, &action, of_view)?;
    let catalog = &session.engine().shared().catalog;
    match action {
        AlterTableAction::Rename(to) => return rename(session, &place, &to),
        AlterTableAction::RecoverPartitions => {
            partition::recover(session, &place, &entry, (true, false), "ALTER TABLE RECOVER PARTITIONS").await?;
        }
        AlterTableAction::AddPartitions { partitions, if_not_exists } => {
            partition::add(session, &place, &entry, partitions, if_not_exists).await?;
        }
        AlterTableAction::DropPartitions { partitions, if_exists, .. } => {
            partition::drop(session, &place, &entry, partitions, if_exists).await?;
        }
        AlterTableAction::RenamePartition { from, to } => {
            partition::rename(session, &place, &entry, &from, &to).await?;
        }
        AlterTableAction::SetSerde { serde: None, partition, .. } if !partition.is_empty() => {
            return Err(Error::analysis("_LEGACY_ERROR_TEMP_1247")
                .with_message("Partitions of tables of files have no properties of their own."));
        }
        AlterTableAction::SetSerde { serde: None, properties, .. } => {
            catalog.update_table(&place.namespace, &place.name, |t| {
                t.options.retain(|(k, _)| !properties.iter().any(|(s, _)| s == k));
                t.options.extend(properties);
                Ok(())
            })?;
        }
        AlterTableAction::ClusterBy(columns) => {
            let text = columns.map(|c| serde_json::Value::from(c).to_string());
            catalog.update_table(&place.namespace, &place.name, |t| {
                t.properties.retain(|(k, _)| k != CLUSTERING);
                t.properties.extend(text.map(|text| (CLUSTERING.to_string(), text)));
                Ok(())
            })?;
        }
        AlterTableAction::SetProperties(properties) => catalog.update_table(&place.namespace, &place.name, |t| {
            let (comments, properties): (Vec<_>, Vec<_>) = properties.into_iter().partition(|(k, _)| k == "comment");
            t.comment = comments.into_iter().next_back().map(|(_, text)| text).or(t.comment.take());
            t.properties.retain(|(k, _)| !properties.iter().any(|(s, _)| s == k));
            t.properties.extend(properties);
            Ok(())
        })?,
        AlterTableAction::UnsetProperties { keys, .. } => catalog.update_table(&place.namespace, &place.name, |t| {
            t.comment = t.comment.take().filter(|_| !keys.iter().any(|k| k == "comment"));
            t.properties.retain(|(k, _)| !keys.contains(k));
            Ok(())
        })?,
        AlterTableAction::AddColumns(columns) => add_columns(session, &place, &columns).await?,
        AlterTableAction::SetLocation { partition, location } if !partition.is_empty() => {
            partition::set_location(session, &place, &entry, &partition, &location).await?;
        }
        AlterTableAction::SetLocation { location, .. } => {
            let location = folders::located_in(session, &place.namespace, &location)?;
            catalog.update_table(&place.namespace, &place.name, |t| {
                partition::stay_behind(t);
                t.location = location;
                Ok(())
            })?;
        }
        AlterTableAction::AlterColumns(changes) => {
            if changes.len() > 1 {
                return Err(refused(&shown(&place.parts()), "ALTER COLUMN in bulk"));
            }
            for change in changes {
                alter_column(session, &place, &entry, change).await?;
            }
        }
        AlterTableAction::SetCollation(name) => {
            let name = functions::families::collation::name::parse(&name)?.text();
            catalog.update_table(&place.namespace, &place.name, |t| {
                t.collation = Some(name);
                Ok(())
            })?;
        }
        AlterTableAction::SetSerde { serde: Some(_), .. } => {
            return Err(Error::analysis("UNSUPPORTED_FEATURE.ALTER_TABLE_SERDE_FOR_DATASOURCE_TABLE")
                .param("tableName", shown(&place.parts()))
                .with_message("SERDE is for tables of Hive's formats."));
        }
        AlterTableAction::SchemaBinding(mode) => return super::view::set_schema_mode(session, &place, mode),
        other => return Err(not_alterable(&place, &entry, &other)),
    }
    session.rows_changed(&entry.location);
    Ok(Table::empty())
}

/// The error for an alteration that tables of files do not take: first for columns there are none of.
fn not_alterable(place: &Place, entry: &TableEntry, action: &AlterTableAction) -> Error {
    let schema = match entry.schema() {
        Ok(schema) => schema,
        Err(error) => return error,
    };
    let is_known =
        |c: &Vec<String>| c.first().is_some_and(|n| schema.fields.iter().any(|f| f.name.eq_ignore_ascii_case(n)));
    let (unknown, operation) = match action {
        AlterTableAction::RenameColumn { from, .. } => (Some(from).filter(|c| !is_known(c)), "RENAME COLUMN"),
        AlterTableAction::DropColumns { columns, if_exists } => {
            (columns.iter().find(|c| !is_known(c)).filter(|_| !if_exists), "DROP COLUMN")
        }
        AlterTableAction::ReplaceColumns { .. } => (None, "REPLACE COLUMNS"),
        AlterTableAction::AddConstraint(_) => (None, "ADD CONSTRAINT"),
        AlterTableAction::DropConstraint { .. } => (None, "DROP CONSTRAINT"),
        _ => (None, "ALTER TABLE"),
    };
    match unknown {
        Some(unknown) => no_column(&unknown.join("."), &schema),
        None => refused(&shown(&place.parts()), operation),
    }
}

/// `ALTER TABLE` is for tables, `ALTER VIEW` for views.
fn check_kind(
    name: &[String],
    place: &Place,
    entry: &TableEntry,
    action: &AlterTableAction,
    of_view: bool,
) -> Result<()> {
    match (of_view, entry.is_view()) {
        (true, false) => Err(Error::analysis("EXPECT_VIEW_NOT_TABLE.USE_ALTER_TABLE")
            .param("tableName", shown(name))
            .param("operation", "ALTER VIEW")
            .with_message(format!("{} is a table: use ALTER TABLE.", shown(name)))),
        (false, true) => {
            let operation = match action {
                AlterTableAction::AddColumns(_) => "ALTER TABLE ... ADD COLUMNS",
                AlterTableAction::AddPartitions { .. } => "ALTER TABLE ... ADD PARTITION ...",
                AlterTableAction::DropPartitions { .. } => "ALTER TABLE ... DROP PARTITION ...",
                AlterTableAction::RenamePartition { .. } => "ALTER TABLE ... RENAME TO PARTITION",
                AlterTableAction::RecoverPartitions => "ALTER TABLE ... RECOVER PARTITIONS",
                AlterTableAction::Rename(_) => {
                    return Err(Error::analysis("EXPECT_TABLE_NOT_VIEW.USE_ALTER_VIEW")
                        .param("viewName", shown(name))
                        .param("operation", "ALTER TABLE")
                        .with_message(format!("{} is a view: use ALTER VIEW.", shown(name))));
                }
                AlterTableAction::SetProperties(_) => return Err(use_alter_view(place, "SET TBLPROPERTIES")),
                AlterTableAction::UnsetProperties { .. } => return Err(use_alter_view(place, "UNSET TBLPROPERTIES")),
                _ => return Ok(()),
            };
            Err(Error::analysis("EXPECT_TABLE_NOT_VIEW.NO_ALTERNATIVE")
                .param("viewName", shown(&place.parts()))
                .param("operation", operation)
                .with_message(format!("{operation} takes a table, and {} is a view.", shown(&place.parts()))))
        }
        _ => Ok(()),
    }
}

fn use_alter_view(place: &Place, what: &str) -> Error {
    Error::analysis("EXPECT_TABLE_NOT_VIEW.USE_ALTER_VIEW")
        .param("viewName", shown(&place.parts()))
        .param("operation", format!("ALTER TABLE ... {what}"))
        .with_message(format!("{} is a view: use ALTER VIEW.", shown(&place.parts())))
}

fn rename_temp(session: &Session, name: &[String], to: &[String]) -> Result<Table> {
    let sensitive = session.settings().case_sensitive;
    let (Some(from), Some(to)) = (name.last(), to.last()) else { return Err(Error::internal("a view has a name")) };
    let mut names = session.names.lock();
    let key = crate::names::key(to, sensitive);
    if names.temp_views.contains_key(&key) {
        return Err(crate::catalog::temp_view_exists(to));
    }
    if let Some((_, view)) = names.temp_views.remove(&crate::names::key(from, sensitive)) {
        names.temp_views.insert(key, (to.clone(), view));
    }
    Ok(Table::empty())
}

/// One column's change: its comment or default; Spark's built-in catalog takes no other.
async fn alter_column(
    session: &Arc<Session>,
    place: &Place,
    entry: &TableEntry,
    change: spark::command::AlterColumn,
) -> Result<()> {
    let table = shown(&place.parts());
    let schema = entry.schema()?;
    let name = change.name.first().cloned().unwrap_or_default();
    if change.name.len() > 1 && schema.fields.iter().any(|f| f.name.eq_ignore_ascii_case(&name)) {
        return Err(refused(&table, "ALTER COLUMN with qualified column"));
    }
    let Some(field) = schema.fields.iter().find(|f| f.name.eq_ignore_ascii_case(&name)) else {
        return Err(no_column(&name, &schema));
    };
    if entry.partition_columns.iter().any(|p| p.eq_ignore_ascii_case(&field.name)) {
        return Err(Error::analysis("CANNOT_ALTER_PARTITION_COLUMN")
            .param("tableName", table)
            .param("columnName", quote_identifier(&field.name))
            .with_message(format!("{} is a partition column.", field.name)));
    }
    if change.nullable.is_some() {
        return Err(refused(&table, "ALTER COLUMN ... SET NOT NULL"));
    }
    if change.position.is_some() {
        return Err(refused(&table, "ALTER COLUMN ... FIRST | AFTER"));
    }
    let declared = declared_type(field);
    if let Some(to @ DataType::String { .. }) = &change.data_type
        && matches!(declared, DataType::String { .. })
        && *to != declared
        && *to != DataType::STRING
    {
        return set_type(session, place, &name, to);
    }
    let keeps = matches!(declared, DataType::String { .. }) && change.data_type == Some(DataType::STRING);
    if let Some(to) = &change.data_type
        && !keeps
        && !to.same_type(&declared)
    {
        return Err(Error::analysis("NOT_SUPPORTED_CHANGE_COLUMN")
            .param("table", table)
            .param("originName", quote_identifier(&field.name))
            .param("originType", format!("\"{}\"", declared.sql()))
            .param("newName", quote_identifier(&field.name))
            .param("newType", format!("\"{}\"", to.sql()))
            .with_message(format!("The type of {} cannot be changed.", field.name)));
    }
    if let Some(comment) = change.comment {
        comment_column(session, place, &name, Some(comment))?;
    }
    if let Some(Some((value, text))) = &change.default {
        let shown = quote_identifier(&field.name);
        let statement = "ALTER TABLE ALTER COLUMN";
        super::definition::check_default_value(session, statement, &shown, &declared, value, text).await?;
    }
    if let Some(default) = change.default {
        session.engine().shared().catalog.update_table(&place.namespace, &place.name, |t| {
            let mut schema = t.schema()?;
            for field in schema.fields.iter_mut().filter(|f| f.name.eq_ignore_ascii_case(&name)) {
                field.metadata = match &default {
                    Some((_, text)) => field.metadata.with("CURRENT_DEFAULT", serde_json::Value::String(text.clone())),
                    None => field.metadata.without("CURRENT_DEFAULT"),
                };
            }
            t.schema_json = schema.to_json().to_string();
            Ok(())
        })?;
    }
    Ok(())
}

/// A column's type with the length that it was declared with.
fn declared_type(field: &StructField) -> DataType {
    let raw = field.metadata.get("__CHAR_VARCHAR_TYPE_STRING").and_then(|v| v.as_str());
    let parsed = raw.and_then(|r| sql::parse_data_type(r, &sql::ParseOptions::default()).ok());
    parsed.unwrap_or_else(|| field.data_type.clone())
}

fn set_type(session: &Session, place: &Place, column: &str, to: &DataType) -> Result<()> {
    session.engine().shared().catalog.update_table(&place.namespace, &place.name, |t| {
        let mut schema = t.schema()?;
        for field in schema.fields.iter_mut().filter(|f| f.name.eq_ignore_ascii_case(column)) {
            field.data_type = to.clone();
        }
        t.schema_json = schema.to_json().to_string();
        Ok(())
    })
}

fn no_column(name: &str, schema: &StructType) -> Error {
    let proposal: Vec<String> = schema.fields.iter().map(|f| quote_identifier(&f.name)).collect();
    Error::analysis("UNRESOLVED_COLUMN.WITH_SUGGESTION")
        .param("objectName", quote_identifier(name))
        .param("proposal", proposal.join(", "))
        .with_message(format!("There is no column {name}."))
}

/// Sets the comment of a column.
pub fn comment_column(session: &Session, place: &Place, column: &str, comment: Option<String>) -> Result<()> {
    session.engine().shared().catalog.update_table(&place.namespace, &place.name, |t| {
        let mut schema = t.schema()?;
        let field = schema.fields.iter_mut().find(|f| f.name.eq_ignore_ascii_case(column));
        let Some(field) = field else { return Err(no_column(column, &t.schema()?)) };
        field.metadata = match comment {
            Some(comment) => field.metadata.with("comment", serde_json::Value::String(comment)),
            None => field.metadata.without("comment"),
        };
        t.schema_json = schema.to_json().to_string();
        Ok(())
    })
}

async fn add_columns(session: &Arc<Session>, place: &Place, columns: &[ColumnDef]) -> Result<()> {
    let (_, entry) = session.entry(&place.parts())?;
    if let Some(column) = columns.iter().find(|c| c.name.len() > 1) {
        let schema = entry.schema()?;
        let base = column.name.first().map(String::as_str).unwrap_or_default();
        if !schema.fields.iter().any(|f| f.name.eq_ignore_ascii_case(base)) {
            return Err(no_column(base, &schema));
        }
        return Err(refused(&shown(&place.parts()), "ADD COLUMN with qualified column"));
    }
    if columns.iter().any(|c| !c.nullable) {
        return Err(Error::analysis("_LEGACY_ERROR_TEMP_1052").with_message("A new column takes nulls."));
    }
    for column in columns {
        if let Some((default, text)) = &column.default {
            super::definition::check_default(session, "ALTER TABLE ADD COLUMNS", column, default, text).await?;
        }
    }
    let create = CreateTable { collation: entry.collation.clone(), ..Default::default() };
    let added = fields(&declared(session, &create, columns))?;
    let mut defaults = BTreeMap::new();
    if may_hold_rows(&entry) {
        defaults = existing_defaults(session, &entry.provider, &added).await?;
    }
    session.engine().shared().catalog.update_table(&place.namespace, &place.name, |t| {
        let mut schema = t.schema()?;
        for field in added {
            if schema.fields.iter().any(|f| f.name.eq_ignore_ascii_case(&field.name)) {
                return Err(Error::analysis("COLUMN_ALREADY_EXISTS")
                    .param("columnName", quote_identifier(&field.name.to_lowercase()))
                    .with_message(format!("There is a column {} already.", field.name)));
            }
            schema.fields.push(field);
        }
        t.schema_json = ordered(&schema, &t.partition_columns).to_json().to_string();
        t.added_defaults.extend(defaults);
        Ok(())
    })
}

/// Whether a column has a default that is not null.
fn has_default(field: &StructField) -> bool {
    let text = field.metadata.get("EXISTS_DEFAULT").and_then(|v| v.as_str());
    text.is_some_and(|text| !text.trim().eq_ignore_ascii_case("null"))
}

/// Whether there may be files of the table: there is no looking into stores other than the file system here.
fn may_hold_rows(entry: &TableEntry) -> bool {
    let Some(path) = entry.location.strip_prefix("file:") else { return true };
    std::path::Path::new(path).read_dir().is_ok_and(|mut found| found.next().is_some())
}

fn rename(session: &Session, place: &Place, to: &[String]) -> Result<Table> {
    let target = match to {
        [name] => Place { namespace: place.namespace.clone(), name: name.clone() },
        _ => session.place(to)?,
    };
    let catalog = &session.engine().shared().catalog;
    if !target.namespace.eq_ignore_ascii_case(&place.namespace) {
        return Err(Error::analysis("RENAME_TABLE_SOURCE_DESTINATION_DATABASE_MISMATCH")
            .param("db", quote_identifier(&place.namespace))
            .param("newDb", quote_identifier(&target.namespace))
            .with_message("A table is not moved to another schema by renaming it."));
    }
    check_name(&target.name)?;
    if catalog.table(&target.namespace, &target.name).is_some() {
        return Err(table_exists(&target.parts()[1..]));
    }
    // A folder that was not made for the table stays where it is.
    let own = catalog
        .table(&place.namespace, &place.name)
        .is_some_and(|t| folders::own_folder(session, &place.namespace, &t).is_some());
    // The target's schema is looked for before anything is taken away.
    default_location(session, &target)?;
    let mut entry = catalog.drop_table(&place.namespace, &place.name)?;
    let old = entry.location.clone();
    entry.name = target.name.clone();
    if own {
        entry.location = default_location(session, &target)?;
        if let (Some(from), Some(to)) = (old.strip_prefix("file:"), entry.location.strip_prefix("file:"))
            && std::path::Path::new(from).exists()
        {
            std::fs::rename(from, to).map_err(|e| Error::internal(format!("cannot move {from}: {e}")))?;
        }
    }
    catalog.put_table(&target.namespace, entry, false)?;
    session.rename_cached_table(place, &target);
    Ok(Table::empty())
}

/// `TRUNCATE TABLE`.
pub async fn truncate(session: &Arc<Session>, name: &[String]) -> Result<Table> {
    let (place, entry) = session.table_entry(name, "TRUNCATE TABLE")?;
    if entry.kind == Kind::External {
        return Err(Error::analysis("_LEGACY_ERROR_TEMP_1266")
            .param("tableIdentWithDB", shown(&place.parts()))
            .with_message("An external table cannot be truncated."));
    }
    folders::empty(session, &place.namespace, &entry)?;
    partition::truncate_located(&entry)?;
    session.rows_changed(&entry.location);
    super::statistics::changed(session, &place, &entry).await?;
    Ok(Table::empty())
}
