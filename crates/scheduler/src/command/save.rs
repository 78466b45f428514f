//! `saveAsTable`, `insertInto` and `df.writeTo`.

use std::sync::Arc;

use planner::write::SaveMode;
use spark::command::{WriteOperation, WriteOperationV2};
use spark::types::DataType;
use spark::{Error, Expr, Plan, Result};

use super::insert::{self, Put, Target, arranged, dynamic};
use super::table;
use crate::catalog::{Kind, TableEntry, table_exists, table_not_found};
use crate::naming::Place;
use crate::operation::{OperationContext, Table};
use crate::session::Session;
use crate::snapshot::short_name;

/// `df.write.saveAsTable`.
pub async fn save_as_table(
    session: &Arc<Session>,
    write: &WriteOperation,
    name: &[String],
    op: &OperationContext,
) -> Result<Table> {
    if !write.cluster_by.is_empty() && write.bucket_by.is_some() {
        return Err(Error::analysis("SPECIFY_CLUSTER_BY_WITH_BUCKETING_IS_NOT_ALLOWED")
            .with_message("A table is clustered or bucketed, not both."));
    }
    if !write.cluster_by.is_empty() && !write.partition_by.is_empty() {
        return Err(Error::analysis("SPECIFY_CLUSTER_BY_WITH_PARTITIONED_BY_IS_NOT_ALLOWED")
            .with_message("A table is clustered or partitioned, not both."));
    }
    if name.len() > 3 {
        return Err(Error::analysis("_LEGACY_ERROR_TEMP_1310")
            .param("quote", name.join("."))
            .with_message(format!("No table can be called {}.", name.join("."))));
    }
    if !write.sort_by.is_empty() && write.bucket_by.is_none() {
        return Err(sorted_without_buckets());
    }
    let place = session.place(name)?;
    let catalog = &session.engine().shared().catalog;
    let mode = write.mode.to_ascii_lowercase();
    if let Some(entry) = catalog.table(&place.namespace, &place.name) {
        match mode.as_str() {
            "ignore" => return Ok(Table::empty()),
            "append" => return append(session, write, &place, &entry, op).await,
            "overwrite" => {
                // The rows may come from the table itself: they are complete before it goes.
                return replace(session, write, &place, op).await;
            }
            _ => return Err(table_exists(&place.parts())),
        }
    }
    create(session, write, &place, Vec::new(), op).await
}

/// `SORT_BY_WITHOUT_BUCKETING`.
pub(super) fn sorted_without_buckets() -> Error {
    Error::analysis("SORT_BY_WITHOUT_BUCKETING").with_message("sortBy is for buckets: see bucketBy.")
}

/// Buckets as Spark prints them.
fn bucketing(bucket: Option<(&[String], &[String], i32)>) -> String {
    let Some((columns, sorted, number)) = bucket else { return "not bucketed".to_string() };
    let sorted = match sorted {
        [] => String::new(),
        sorted => format!(", sort columns: [{}]", sorted.join(", ")),
    };
    format!("{number} buckets, bucket columns: [{}]{sorted}", columns.join(", "))
}

/// Appends rows of which everything that is said must be as the table has it.
async fn append(
    session: &Arc<Session>,
    write: &WriteOperation,
    place: &Place,
    entry: &TableEntry,
    op: &OperationContext,
) -> Result<Table> {
    let settings = session.settings();
    let table = place.parts().join(".");
    let default = settings.conf.get("spark.sql.sources.default").unwrap_or("parquet");
    let provider = short_name(write.format.as_deref().unwrap_or(default));
    if entry.view.is_none() && !provider.eq_ignore_ascii_case(&entry.provider) {
        return Err(Error::analysis("_LEGACY_ERROR_TEMP_1159")
            .param("tableName", &table)
            .param("existingProvider", provider_class(&entry.provider))
            .param("specifiedProvider", provider_class(&provider))
            .with_message(format!("The table {table} holds {}, not {provider}.", entry.provider)));
    }
    let analyzed = session.analyze(&write.input, settings.clone()).await?;
    let existing = entry.schema()?;
    if analyzed.schema.fields.len() != existing.fields.len() {
        return Err(Error::analysis("_LEGACY_ERROR_TEMP_1161")
            .param("tableName", &table)
            .param("existingTableSchema", DataType::Struct(existing).simple_string())
            .param("querySchema", DataType::Struct(analyzed.schema.clone()).simple_string())
            .with_message(format!("The table {table} has another number of columns than the rows.")));
    }
    let same = write.partition_by.len() == entry.partition_columns.len()
        && write.partition_by.iter().zip(&entry.partition_columns).all(|(a, b)| a.eq_ignore_ascii_case(b));
    if !same {
        return Err(Error::analysis("_LEGACY_ERROR_TEMP_1163")
            .param("tableName", &table)
            .param("specifiedPartCols", write.partition_by.join(", "))
            .param("existingPartCols", entry.partition_columns.join(", "))
            .with_message(format!("The table {table} is partitioned otherwise.")));
    }
    let specified = bucketing(write.bucket_by.as_ref().map(|(n, c)| (c.as_slice(), write.sort_by.as_slice(), *n)));
    let existing = bucketing(entry.bucket.as_ref().map(|(c, s, n)| (c.as_slice(), s.as_slice(), *n)));
    if specified != existing {
        return Err(Error::analysis("_LEGACY_ERROR_TEMP_1164")
            .param("tableName", &table)
            .param("specifiedBucketString", specified)
            .param("existingBucketString", existing)
            .with_message(format!("The table {table} has other buckets.")));
    }
    let target = Target { place, entry, columns: Vec::new(), by_name: true, fixed: Vec::new() };
    let rows = arranged(session, &analyzed, &target, &settings).await?;
    insert::into_table(session, place, entry, &rows, Put::of(SaveMode::Append), op).await
}

/// A provider by the name of its class in Spark.
fn provider_class(provider: &str) -> String {
    match provider.to_ascii_lowercase().as_str() {
        "parquet" => "ParquetDataSourceV2".to_string(),
        "csv" => "CSVDataSourceV2".to_string(),
        "json" => "JsonDataSourceV2".to_string(),
        "text" => "TextDataSourceV2".to_string(),
        "orc" => "OrcDataSourceV2".to_string(),
        "xml" => "XmlFileFormat".to_string(),
        other => other.to_string(),
    }
}

fn new_entry(session: &Session, write: &WriteOperation, place: &Place) -> Result<TableEntry> {
    let conf = session.conf().view();
    let provider = short_name(
        write.format.as_deref().unwrap_or_else(|| conf.get("spark.sql.sources.default").unwrap_or("parquet")),
    );
    let path = write.options.iter().find(|(k, _)| k.eq_ignore_ascii_case("path")).map(|(_, v)| v.clone());
    let location = match &path {
        Some(path) => planner::source::paths::locate(path)?.display,
        None => table::default_location(session, place)?,
    };
    Ok(TableEntry {
        name: place.name.clone(),
        kind: if path.is_some() { Kind::External } else { Kind::Managed },
        provider,
        schema_json: String::new(),
        partition_columns: write.partition_by.clone(),
        bucket: write.bucket_by.as_ref().map(|(n, columns)| (columns.clone(), write.sort_by.clone(), *n)),
        location,
        options: write.options.iter().filter(|(k, _)| !k.eq_ignore_ascii_case("path")).cloned().collect(),
        properties: Vec::new(),
        comment: None,
        created_micros: chrono::Utc::now().timestamp_micros(),
        owner: session.user().to_string(),
        view: None,
        statistics: None,
        column_statistics: Default::default(),
        collation: None,
        registry: None,
        added_defaults: Default::default(),
    })
}

async fn create(
    session: &Arc<Session>,
    write: &WriteOperation,
    place: &Place,
    properties: Vec<(String, String)>,
    op: &OperationContext,
) -> Result<Table> {
    let mut entry = TableEntry { properties, ..new_entry(session, write, place)? };
    let settings = session.settings();
    let analyzed = session.analyze(&write.input, settings.clone()).await?;
    let columns = &analyzed.schema.fields;
    let is_column = |n: &str| columns.iter().any(|f| planner::source::same_name(&f.name, n, settings.case_sensitive));
    if let Some(name) = entry.partition_columns.iter().find(|n| !is_column(n)) {
        let all: Vec<_> = columns.iter().map(|f| spark::types::quote_identifier(&f.name)).collect();
        return Err(Error::analysis("COLUMN_NOT_DEFINED_IN_TABLE")
            .param("colType", "partition")
            .param("colName", spark::types::quote_identifier(name))
            .param("tableName", crate::catalog::shown(&place.parts()))
            .param("tableCols", all.join(", "))
            .with_message(format!("The partition column {name} is not among the columns of the table.")));
    }
    entry.schema_json = table::ordered(&analyzed.schema, &entry.partition_columns).to_json().to_string();
    super::definition::check_layout(place, &entry)?;
    insert::into_new(session, place, entry, &analyzed, op).await
}

async fn replace(
    session: &Arc<Session>,
    write: &WriteOperation,
    place: &Place,
    op: &OperationContext,
) -> Result<Table> {
    let mut entry = new_entry(session, write, place)?;
    let settings = session.settings();
    let analyzed = session.analyze(&write.input, settings.clone()).await?;
    entry.schema_json = table::ordered(&analyzed.schema, &entry.partition_columns).to_json().to_string();
    let target = Target { place, entry: &entry, columns: Vec::new(), by_name: true, fixed: Vec::new() };
    let rows = arranged(session, &analyzed, &target, &settings).await?;
    let written = insert::into_entry(session, &entry, &rows, Put::of(SaveMode::Overwrite), op).await?;
    entry.registry = super::partition::registry_of(&settings, &entry.partition_columns, &written.partitions);
    session.engine().shared().catalog.put_table(&place.namespace, entry, true)?;
    session.set_cached_table(place, None)?;
    Ok(Table::empty())
}

async fn into(
    session: &Arc<Session>,
    place: &Place,
    entry: &TableEntry,
    input: &Plan,
    mode: SaveMode,
    by_name: bool,
    op: &OperationContext,
) -> Result<Table> {
    let settings = session.settings();
    let analyzed = session.analyze(input, settings.clone()).await?;
    let target = Target { place, entry, columns: Vec::new(), by_name, fixed: Vec::new() };
    let rows = arranged(session, &analyzed, &target, &settings).await?;
    insert::into_table(session, place, entry, &rows, Put::of(mode), op).await
}

/// `df.write.insertInto`: by position.
pub async fn insert_into(
    session: &Arc<Session>,
    write: &WriteOperation,
    name: &[String],
    op: &OperationContext,
) -> Result<Table> {
    if write.bucket_by.is_some() {
        return Err(Error::analysis("_LEGACY_ERROR_TEMP_1312")
            .param("operation", "insertInto")
            .with_message("insertInto takes the table's own buckets."));
    }
    if !write.partition_by.is_empty() {
        return Err(Error::analysis("PARTITION_BY_NOT_ALLOWED_WITH_INSERT_INTO")
            .param("tableName", name.join("."))
            .with_message("insertInto takes the table's own partitioning."));
    }
    let (place, entry) = session.table_entry(name, "INSERT").map_err(|e| with_builtin_path(session, e))?;
    let overwrite = write.mode.eq_ignore_ascii_case("overwrite");
    let mode = match (overwrite, dynamic(&session.settings()) && !entry.partition_columns.is_empty()) {
        (false, _) => SaveMode::Append,
        (true, true) => SaveMode::OverwriteDynamic,
        (true, false) => SaveMode::Overwrite,
    };
    into(session, &place, &entry, &write.input, mode, false, op).await
}

/// Spark looks for the target of a DataFrame's rows among the built-in names, too.
fn with_builtin_path(session: &Session, error: Error) -> Error {
    if error.condition() != "TABLE_OR_VIEW_NOT_FOUND" {
        return error;
    }
    let names = session.names.lock();
    let current = crate::catalog::shown(&[names.catalog.to_string(), names.database.to_string()]);
    error.param("searchPath", format!("[`system`.`builtin`, `system`.`session`, {current}]"))
}

/// The buckets that `bucket(number, column…)` asks for.
fn buckets(f: &spark::expr::UnresolvedFunction) -> Option<(i32, Vec<String>)> {
    let (number, columns) = f.args.split_first()?;
    let Expr::Literal(spark::Literal::Integer(number)) = number.unpositioned() else { return None };
    let column = |e: &Expr| match e.unpositioned() {
        Expr::Attribute(a) => a.parts.last().cloned(),
        _ => None,
    };
    let columns = columns.iter().map(column).collect::<Option<Vec<_>>>()?;
    (f.name == ["bucket"] && !columns.is_empty()).then_some((*number, columns))
}

/// The refusal to partition by what is computed of a column.
fn unsupported_transform(transform: &Expr) -> Error {
    let Expr::Function(f) = transform.unpositioned() else { return Error::unsupported("partitioning by a transform") };
    let argument = |e: &Expr| match e.unpositioned() {
        Expr::Attribute(a) => a.parts.join("."),
        _ => String::new(),
    };
    let arguments: Vec<String> = f.args.iter().map(argument).collect();
    let shown = format!("{}({})", f.name.join("."), arguments.join(", "));
    Error::new(spark::ErrorKind::Unsupported, "UNSUPPORTED_PARTITION_TRANSFORM")
        .param("transform", spark::types::quote_identifier(&shown))
        .with_message(format!("Tables are partitioned by columns, not by {shown}."))
}

/// `df.writeTo`.
pub async fn v2(session: &Arc<Session>, write: WriteOperationV2, op: &OperationContext) -> Result<Table> {
    let place = session.place(&write.table)?;
    let existing = session.engine().shared().catalog.table(&place.namespace, &place.name);
    let mut partition_by = Vec::new();
    let mut bucket_by = None;
    for expr in &write.partition_by {
        match expr.unpositioned() {
            Expr::Attribute(column) => partition_by.extend(column.parts.last().cloned()),
            Expr::Function(f) if bucket_by.is_none() && buckets(f).is_some() => bucket_by = buckets(f),
            other => return Err(unsupported_transform(other)),
        }
    }
    let v1 = WriteOperation {
        input: write.input.clone(),
        format: write.format.clone(),
        target: spark::command::WriteTarget::SaveAsTable(write.table.clone()),
        mode: "error".into(),
        options: write.options.clone(),
        partition_by,
        sort_by: Vec::new(),
        bucket_by,
        cluster_by: write.cluster_by.clone(),
    };
    match (write.mode.as_str(), existing) {
        ("create", Some(_)) => Err(table_exists(&place.parts())),
        ("create", None) => create(session, &v1, &place, write.properties.clone(), op).await,
        // The session's catalog has tables of the first version only, as it has in Spark.
        ("replace" | "create_or_replace", _) => Err(Error::analysis("UNSUPPORTED_FEATURE.TABLE_OPERATION")
            .param("tableName", crate::catalog::shown(&place.parts()))
            .param("operation", "REPLACE TABLE AS SELECT")
            .with_message(format!("The table {} cannot be replaced by a query.", place.parts().join(".")))),
        ("append" | "overwrite_partitions" | "overwrite", Some(_)) => Err(Error::analysis("_LEGACY_ERROR_TEMP_1012")
            .param("identifier", crate::catalog::shown(&place.parts()))
            .with_message("writeTo adds to tables of other catalogs; use insertInto or saveAsTable.")),
        (_, None) => Err(with_builtin_path(session, table_not_found(&write.table))),
        (other, Some(_)) => Err(Error::unsupported(format!("the write mode {other}"))),
    }
}
