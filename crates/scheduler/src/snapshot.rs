//! Finds what analysis asks for: tables, views, files, variables, results of other queries.

use std::sync::Arc;

use analyzer::{Answer, Need, world};
use arrow::array::AsArray;
use datafusion::datasource::provider_as_source;
use planner::source::range::{Range, RangeTable};
use planner::source::rows::{TextRows, infer_texts};
use planner::source::{BadFiles, Options, ReadRequest};
use spark::plan::DataSource;
use spark::types::{DataType, StructField, StructType};
use spark::{Error, Result, Settings};
use sql::ParseOptions;

use crate::session::Session;

/// Reads a schema in Spark's JSON form.
///
/// # Errors
/// If it is none.
pub fn parse_json_schema(json: &str) -> Result<StructType> {
    sql::parse_table_schema(json, &ParseOptions::default())
}

/// The answer to one need.
pub async fn answer(session: &Arc<Session>, need: &Need, settings: &Settings) -> Result<Answer> {
    match need {
        Need::Relation { name, options } => session.find_relation(name, options, settings).await,
        Need::Source(source) => Ok(failed(open_source(session, source, settings).await)),
        Need::Range { start, end, step, partitions } => Ok(range(session, *start, *end, *step, *partitions)),
        Need::Remote(id) => Ok(session.find_remote(id)),
        Need::Function(name) => session.find_function(name),
        Need::Variable(name) => Ok(session.find_variable(name)),
        Need::Query(query) => Ok(failed(Box::pin(session.query_rows(&query.plan, settings)).await)),
        Need::TextSchema { texts, format, options } => {
            Ok(failed(Box::pin(text_schema(session, texts, format, options, settings)).await))
        }
        Need::CommandResult(query) => Ok(failed(Box::pin(session.command_table(&query.plan)).await)),
    }
}

/// The schema of the texts that a query yields.
async fn text_schema(
    session: &Arc<Session>,
    texts: &world::Query,
    format: &str,
    options: &[(String, String)],
    settings: &Settings,
) -> Result<Answer> {
    let (analyzed, batches) = session.collect(&texts.plan, settings.clone(), usize::MAX).await?;
    let columns = analyzed.columns.first().map(|&i| batches.iter().map(move |b| b.column(i)));
    let texts = columns.into_iter().flatten().filter_map(|c| c.as_string_opt::<i32>()).flat_map(|c| c.iter().flatten());
    if format == "xml" {
        return functions::families::xml::functions::schema_of_texts(texts, options).map(Answer::Schema);
    }
    let format = TextRows::format(format, options, &settings.time_zone)?;
    infer_texts(&format, texts).map(Answer::Schema)
}

fn failed(answer: Result<Answer>) -> Answer {
    answer.unwrap_or_else(Answer::Failed)
}

fn range(session: &Session, start: i64, end: i64, step: i64, partitions: Option<i32>) -> Answer {
    let default = || i64::try_from(session.settings().parallelism).unwrap_or(1);
    let partitions = partitions.map_or_else(default, i64::from);
    let table = RangeTable::new(Range { start, end, step, partitions });
    Answer::Table(world::Table {
        name: Vec::new(),
        schema: StructType::new(vec![StructField::new("id", DataType::Long, false)]),
        source: provider_as_source(Arc::new(table)),
    })
}

async fn open_source(session: &Session, source: &DataSource, settings: &Settings) -> Result<Answer> {
    if source.is_streaming {
        return Err(Error::unsupported("streaming reads"));
    }
    let request = read_request(source, settings)?;
    let opened = planner::source::open(&session.engine().shared().state, request).await?;
    Ok(Answer::Table(world::Table {
        name: Vec::new(),
        schema: opened.schema,
        source: provider_as_source(opened.table),
    }))
}

/// Which bad files the session passes over.
pub(crate) fn bad_files(settings: &Settings) -> BadFiles {
    BadFiles {
        ignore_corrupt: settings.conf.get_bool("spark.sql.files.ignoreCorruptFiles", false),
        ignore_missing: settings.conf.get_bool("spark.sql.files.ignoreMissingFiles", false),
    }
}

/// What a read means under the session's settings.
///
/// # Errors
/// For a malformed schema, or a read without paths.
pub fn read_request(source: &DataSource, settings: &Settings) -> Result<ReadRequest> {
    let conf = &settings.conf;
    let format = source.format.as_deref().unwrap_or_else(|| conf.get("spark.sql.sources.default").unwrap_or("parquet"));
    let mut options = Options::new(&source.options);
    let mut paths = source.paths.clone();
    if !paths.is_empty()
        && options.get("path").is_some()
        && !conf.get_bool("spark.sql.legacy.pathOptionBehavior.enabled", false)
    {
        return Err(Error::analysis("_LEGACY_ERROR_TEMP_1306")
            .param("config", "spark.sql.legacy.pathOptionBehavior.enabled")
            .with_message("A read has its paths from the option path or from load, not from both."));
    }
    if let Some(path) = options.get("path") {
        paths.push(path.to_string());
    }
    if let Some(listed) = options.get("paths") {
        let more: Vec<String> = serde_json::from_str(listed).map_err(|_| {
            Error::analysis("INVALID_OPTIONS").with_message("The option paths must be a JSON array of strings.")
        })?;
        paths.extend(more);
    }
    if paths.is_empty() {
        planner::source::table::check_known(&short_name(format))?;
        return Err(no_paths(&short_name(format)));
    }
    for key in ["timeZone"] {
        if options.get(key).is_none() {
            options.set(key, &settings.time_zone);
        }
    }
    options.set_time_parser(settings);
    options.set_read_defaults(settings);
    let schema =
        source.schema.as_deref().map(|s| sql::parse_table_schema(s, &ParseOptions::from(settings))).transpose()?;
    Ok(ReadRequest {
        format: short_name(format),
        paths,
        options,
        schema,
        time_zone: Arc::clone(&settings.time_zone),
        case_sensitive: settings.case_sensitive,
        infer_partition_types: conf.get_bool("spark.sql.sources.partitionColumnTypeInference.enabled", true),
        bad_files: bad_files(settings),
        merge_parquet_schemas: conf.get_bool("spark.sql.parquet.mergeSchema", false),
        partition_columns: None,
        allow_empty: false,
        registry: None,
        added_defaults: Default::default(),
    })
}

fn no_paths(format: &str) -> Error {
    planner::source::table::cannot_infer(format)
}

/// The short name of a format: class names of Spark's own file formats have one too.
pub fn short_name(format: &str) -> String {
    let lower = format.to_ascii_lowercase();
    let known = ["parquet", "csv", "json", "text", "orc", "avro", "xml", "binaryfile", "noop"];
    if known.contains(&lower.as_str()) {
        return lower;
    }
    let class = [
        ("org.apache.spark.sql.execution.datasources.v2.", true),
        ("org.apache.spark.sql.execution.datasources.", true),
        ("org.apache.spark.sql.", true),
        ("com.databricks.spark.", true),
    ]
    .iter()
    .find_map(|(prefix, _)| lower.strip_prefix(prefix).map(str::to_string));
    class
        .and_then(|c| c.split('.').next().map(str::to_string))
        .filter(|c| known.contains(&c.as_str()))
        .unwrap_or_else(|| format.to_string())
}
