//! `df.write`: to a path, into a table, or nowhere.

use std::sync::Arc;

use analyzer::Analyzed;
use futures::StreamExt;
use planner::source::{Options, paths};
use planner::write::{self, SaveMode, WriteSpec, Written};
use spark::command::{WriteOperation, WriteTarget};
use spark::{Error, Result, Settings};

use crate::operation::{OperationContext, Table};
use crate::query;
use crate::route::route;
use crate::session::Session;
use crate::snapshot::short_name;

/// Runs a write.
pub async fn run(session: &Arc<Session>, op: WriteOperation, operation: &OperationContext) -> Result<Table> {
    let settings = session.settings();
    let format = short_name(
        op.format.as_deref().unwrap_or_else(|| settings.conf.get("spark.sql.sources.default").unwrap_or("parquet")),
    );
    match &op.target {
        WriteTarget::SaveAsTable(name) => super::save::save_as_table(session, &op, name, operation).await,
        WriteTarget::InsertInto(name) => super::save::insert_into(session, &op, name, operation).await,
        WriteTarget::None | WriteTarget::Path(_) if format == "noop" => nowhere(session, &op, operation).await,
        target => {
            let from_options = Options::new(&op.options).get("path").map(str::to_string);
            let path = match target {
                WriteTarget::Path(path) => path.clone(),
                _ => from_options.ok_or_else(|| {
                    Error::new(spark::ErrorKind::IllegalArgument, "_LEGACY_ERROR_TEMP_2047")
                        .with_message("A write needs a path.")
                })?,
            };
            let analyzed = session.analyze(&op.input, settings.clone()).await?;
            let spec = spec(&op, format, &path, &analyzed, &settings)?;
            rows(session, &analyzed, spec, operation).await?;
            Ok(Table::empty())
        }
    }
}

/// The first of `names` that is no column of the rows.
fn missing_column<'a>(names: &'a [String], analyzed: &Analyzed, settings: &Settings) -> Option<&'a String> {
    let is = |a: &str, b: &str| planner::source::same_name(a, b, settings.case_sensitive);
    names.iter().find(|n| !analyzed.schema.fields.iter().any(|f| is(&f.name, n)))
}

fn spec(
    op: &WriteOperation,
    format: String,
    path: &str,
    analyzed: &Analyzed,
    settings: &Settings,
) -> Result<WriteSpec> {
    if op.bucket_by.is_none() && !op.sort_by.is_empty() {
        return Err(super::save::sorted_without_buckets());
    }
    if op.bucket_by.is_some() {
        return Err(Error::analysis("_LEGACY_ERROR_TEMP_1312")
            .param("operation", "save")
            .with_message("Buckets need a table to be written to."));
    }
    if let Some(name) = missing_column(&op.partition_by, analyzed, settings) {
        let schema = spark::types::DataType::Struct(analyzed.schema.clone()).simple_string();
        return Err(Error::analysis("_LEGACY_ERROR_TEMP_1155")
            .param("col", name)
            .param("schemaCatalog", schema)
            .with_message(format!("The partition column {name} is not among the columns written.")));
    }
    let mut options = Options::new(&op.options);
    options.set_time_parser(settings);
    options.set_write_defaults(settings);
    let dynamic = options
        .get("partitionOverwriteMode")
        .or_else(|| settings.conf.get("spark.sql.sources.partitionOverwriteMode"))
        .is_some_and(|m| m.eq_ignore_ascii_case("dynamic"));
    Ok(WriteSpec {
        format,
        location: paths::locate(path)?,
        mode: SaveMode::parse(&op.mode, dynamic && !op.partition_by.is_empty())?,
        options,
        schema: analyzed.schema.clone(),
        columns: analyzed.columns.clone(),
        partition_by: op.partition_by.clone(),
        located: Vec::new(),
        within: String::new(),
        time_zone: Arc::clone(&settings.time_zone),
        case_sensitive: settings.case_sensitive,
        default_compression: settings.conf.get("spark.sql.parquet.compression.codec").unwrap_or("snappy").to_string(),
    })
}

/// Runs an analysed query and writes its rows.
pub async fn rows(
    session: &Arc<Session>,
    analyzed: &Analyzed,
    spec: WriteSpec,
    op: &OperationContext,
) -> Result<Written> {
    write::check(&spec)?;
    let state = &session.engine().shared().state;
    if !write::admit(state.runtime_env(), &spec).await? {
        return Ok(Written::default());
    }
    let prepared = route(session.engine(), &analyzed.plan, session.wish()?).await?;
    let streams = prepared.start_partitioned("write", op).await?;
    let location = spec.location.display.clone();
    let written = tokio::select! {
        biased;
        () = op.cancel.cancelled() => Err(query::cancelled()),
        written = write::write(state.runtime_env(), streams, spec) => written,
    };
    // A write that failed may have removed what it was to replace.
    session.rows_changed(&location);
    let written = written?;
    observe(session, analyzed, &prepared, op).await?;
    Ok(written)
}

/// Tells the operation what was observed of the rows that were written.
async fn observe(
    session: &Arc<Session>,
    analyzed: &Analyzed,
    prepared: &query::Prepared,
    op: &OperationContext,
) -> Result<()> {
    let taps = planner::observe::taps(&prepared.plan);
    query::gather(session.engine(), &analyzed.observations, &taps, session.wish()?, op).await;
    Ok(())
}

/// Computes the rows and drops them.
async fn nowhere(session: &Arc<Session>, op: &WriteOperation, operation: &OperationContext) -> Result<Table> {
    let refused = match SaveMode::parse(&op.mode, false)? {
        SaveMode::ErrorIfExists => Some("ErrorIfExists"),
        SaveMode::Ignore => Some("Ignore"),
        SaveMode::Append | SaveMode::Overwrite | SaveMode::OverwriteDynamic => None,
    };
    if let Some(mode) = refused {
        return Err(Error::analysis("UNSUPPORTED_DATA_SOURCE_SAVE_MODE")
            .param("source", "noop")
            .param("createMode", format!("\"{mode}\""))
            .with_message("The data source noop is written in the modes append and overwrite."));
    }
    let analyzed = session.analyze(&op.input, session.settings()).await?;
    let prepared = route(session.engine(), &analyzed.plan, session.wish()?).await?;
    let mut rows = prepared.start("write", operation).await?;
    while let Some(batch) = rows.next().await {
        batch.map_err(functions::error::from_datafusion)?;
        if operation.cancel.is_cancelled() {
            return Err(query::cancelled());
        }
    }
    observe(session, &analyzed, &prepared, operation).await?;
    Ok(Table::empty())
}

/// `INSERT OVERWRITE DIRECTORY`.
pub async fn directory(
    session: &Arc<Session>,
    insert: spark::command::InsertDirectory,
    op: &OperationContext,
) -> Result<Table> {
    let stored = insert.storage.as_ref().and_then(|s| s.format.clone());
    let path = insert.path.clone().or_else(|| Options::new(&insert.options).get("path").map(str::to_string));
    let write = WriteOperation {
        input: insert.query,
        format: insert.provider.or(stored).or_else(|| Some("text".into())),
        target: path.map_or(WriteTarget::None, WriteTarget::Path),
        mode: "overwrite".into(),
        options: insert.options,
        partition_by: Vec::new(),
        sort_by: Vec::new(),
        bucket_by: None,
        cluster_by: Vec::new(),
    };
    Box::pin(run(session, write, op)).await
}
