//! `saveAsTable`, `insertInto` and `df.writeTo`.

use std::sync::Arc;

use planner::write::SaveMode;
use spark::command::{WriteOperation, WriteOperationV2};
use spark::{Error, Expr, Plan, Result};

use super::insert::{self, Target, arranged, dynamic};
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
    let place = session.place(name)?;
    let catalog = &session.engine().shared().catalog;
    let mode = write.mode.to_ascii_lowercase();
    if let Some(entry) = catalog.table(&place.namespace, &place.name) {
        match mode.as_str() {
            "ignore" => return Ok(Table::empty()),
            "append" => return into(session, &place, &entry, &write.input, SaveMode::Append, true, op).await,
            "overwrite" => {
                // The rows may come from the table itself: they are complete before it goes.
                return replace(session, write, &place, op).await;
            }
            _ => return Err(table_exists(&place.parts())),
        }
    }
    create(session, write, &place, op).await
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
        collation: None,
        partitions: Vec::new(),
    })
}

async fn create(session: &Arc<Session>, write: &WriteOperation, place: &Place, op: &OperationContext) -> Result<Table> {
    let mut entry = new_entry(session, write, place)?;
    let analyzed = session.analyze(&write.input, session.settings()).await?;
    entry.schema_json = table::ordered(&analyzed.schema, &entry.partition_columns).to_json().to_string();
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
    insert::into_entry(session, &entry, &rows, SaveMode::Overwrite, op).await?;
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
    insert::into_entry(session, entry, &rows, mode, op).await
}

/// `df.write.insertInto`: by position.
pub async fn insert_into(
    session: &Arc<Session>,
    write: &WriteOperation,
    name: &[String],
    op: &OperationContext,
) -> Result<Table> {
    if !write.partition_by.is_empty() {
        return Err(
            Error::analysis("_LEGACY_ERROR_TEMP_1309").with_message("insertInto takes the table's own partitioning.")
        );
    }
    let (place, entry) = session.table_entry(name, "INSERT")?;
    let overwrite = write.mode.eq_ignore_ascii_case("overwrite");
    let mode = match (overwrite, dynamic(&session.settings(), &write.options) && !entry.partition_columns.is_empty()) {
        (false, _) => SaveMode::Append,
        (true, true) => SaveMode::OverwriteDynamic,
        (true, false) => SaveMode::Overwrite,
    };
    into(session, &place, &entry, &write.input, mode, false, op).await
}

/// `df.writeTo`.
pub async fn v2(session: &Arc<Session>, write: WriteOperationV2, op: &OperationContext) -> Result<Table> {
    let place = session.place(&write.table)?;
    let existing = session.engine().shared().catalog.table(&place.namespace, &place.name);
    let mut partition_by = Vec::new();
    for expr in &write.partition_by {
        match expr.unpositioned() {
            Expr::Attribute(column) => partition_by.extend(column.parts.last().cloned()),
            _ => return Err(Error::unsupported("partitioning by a transform")),
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
        bucket_by: None,
        cluster_by: write.cluster_by.clone(),
    };
    match (write.mode.as_str(), existing) {
        ("create", Some(_)) => Err(table_exists(&place.parts())),
        ("create" | "create_or_replace", None) => create(session, &v1, &place, op).await,
        ("replace" | "create_or_replace", Some(_)) => replace(session, &v1, &place, op).await,
        ("append", Some(entry)) => into(session, &place, &entry, &write.input, SaveMode::Append, true, op).await,
        ("overwrite_partitions", Some(entry)) => {
            let mode =
                if entry.partition_columns.is_empty() { SaveMode::Overwrite } else { SaveMode::OverwriteDynamic };
            into(session, &place, &entry, &write.input, mode, true, op).await
        }
        ("overwrite", Some(entry)) => match &write.overwrite_condition {
            Some(Expr::Literal(spark::Literal::Boolean(true))) => {
                into(session, &place, &entry, &write.input, SaveMode::Overwrite, true, op).await
            }
            _ => Err(Error::unsupported("overwriting by a condition")),
        },
        (_, None) => Err(table_not_found(&write.table)),
        (other, Some(_)) => Err(Error::unsupported(format!("the write mode {other}"))),
    }
}
