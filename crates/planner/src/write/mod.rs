//! Writing files: in parallel by partition, into a staging folder, then moved into place, so that a
//! write that fails leaves nothing.

mod commit;
mod files;
mod parquet;
mod rows;
mod xml;

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::common::runtime::JoinSet;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::runtime_env::RuntimeEnv;
use futures::StreamExt;
use spark::types::{DataType, StructType};
use spark::{Error, Result};

use crate::source::paths::Location;
use crate::source::{Options, same_name};
use commit::Job;
use files::Files;

/// What happens to what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SaveMode {
    Append,
    Overwrite,
    /// Only the partitions that rows are written to are replaced.
    OverwriteDynamic,
    ErrorIfExists,
    Ignore,
}

impl SaveMode {
    /// Reads the mode of a writer.
    ///
    /// # Errors
    /// `INVALID_SAVE_MODE`.
    pub fn parse(mode: &str, dynamic: bool) -> Result<Self> {
        match mode.to_ascii_lowercase().as_str() {
            "append" => Ok(SaveMode::Append),
            "overwrite" if dynamic => Ok(SaveMode::OverwriteDynamic),
            "overwrite" => Ok(SaveMode::Overwrite),
            "" | "error" | "errorifexists" | "default" => Ok(SaveMode::ErrorIfExists),
            "ignore" => Ok(SaveMode::Ignore),
            other => Err(Error::new(spark::ErrorKind::IllegalArgument, "INVALID_SAVE_MODE")
                .param("mode", format!("\"{other}\""))
                .with_message(format!("There is no save mode {other}."))),
        }
    }
}

/// A write.
#[derive(Debug, Clone)]
pub struct WriteSpec {
    pub format: String,
    pub location: Location,
    pub mode: SaveMode,
    pub options: Options,
    /// Columns of the rows, by name and type; `columns` are their places in the batches.
    pub schema: StructType,
    pub columns: Vec<usize>,
    pub partition_by: Vec<String>,
    /// Partitions, as `p=1/q=x`, whose files go to a folder of their own.
    pub located: Vec<(String, Location)>,
    /// The partition, as `p=1`, of which `Overwrite` replaces everything; empty for all.
    pub within: String,
    pub time_zone: Arc<str>,
    pub case_sensitive: bool,
    /// Codec where the options name none.
    pub default_compression: String,
}

/// What was written.
#[derive(Debug, Clone, Default)]
pub struct Written {
    pub rows: u64,
    pub files: usize,
    /// The partitions that there are rows for, as `p=1/q=x`.
    pub partitions: BTreeSet<String>,
    /// False where the mode is `ignore` and there was something.
    pub done: bool,
}

/// Checks the spec before anything runs.
///
/// # Errors
/// Spark's conditions for formats, columns and types that cannot be written.
pub fn check(spec: &WriteSpec) -> Result<()> {
    for name in &spec.partition_by {
        if !spec.schema.fields.iter().any(|f| same_name(&f.name, name, spec.case_sensitive)) {
            return Err(Error::analysis("COLUMN_NOT_DEFINED_IN_TABLE")
                .param("colType", "partition")
                .param("colName", spark::types::quote_identifier(name))
                .param("tableName", "`unknown`")
                .param(
                    "tableCols",
                    spec.schema
                        .fields
                        .iter()
                        .map(|f| spark::types::quote_identifier(&f.name))
                        .collect::<Vec<_>>()
                        .join(", "),
                )
                .with_message(format!("The partition column {name} is not among the columns written.")));
        }
    }
    check_partition_columns(spec)?;
    crate::source::known_options::check_write(&spec.format, &spec.options)?;
    let data = files::data_fields(spec);
    if data.is_empty() && !spec.partition_by.is_empty() {
        return Err(Error::analysis("ALL_PARTITION_COLUMNS_NOT_ALLOWED")
            .with_message("A table needs a column that does not partition it."));
    }
    if data.is_empty() {
        return Err(Error::analysis("EMPTY_SCHEMA_NOT_SUPPORTED_FOR_DATASOURCE")
            .param("format", crate::source::table::shown(&spec.format))
            .with_message("Files without columns cannot be written."));
    }
    check_duplicates(spec)?;
    match spec.format.as_str() {
        "parquet" => data.iter().try_for_each(|(_, f)| parquet::check_type(&f.name, &f.data_type)),
        "csv" | "json" | "xml" | "text" => {
            rows::check(&spec.format, &data.iter().map(|(_, f)| (*f).clone()).collect::<Vec<_>>())
        }
        "binaryfile" => Err(Error::new(spark::ErrorKind::Unsupported, "UNSUPPORTED_FEATURE.WRITE_FOR_BINARY_SOURCE")
            .with_message("Whole files can be read as rows, and not be written.")),
        other => Err(crate::source::table::not_found(other)),
    }
}

/// Each column partitions once, and only plain values do.
fn check_partition_columns(spec: &WriteSpec) -> Result<()> {
    for (i, name) in spec.partition_by.iter().enumerate() {
        if spec.partition_by[..i].iter().any(|before| same_name(before, name, spec.case_sensitive)) {
            let key = if spec.case_sensitive { name.clone() } else { name.to_lowercase() };
            return Err(Error::analysis("COLUMN_ALREADY_EXISTS")
                .param("columnName", spark::types::quote_identifier(&key))
                .with_message(format!("The column `{key}` would partition the files twice.")));
        }
        let field = spec.schema.fields.iter().find(|f| same_name(&f.name, name, spec.case_sensitive));
        let plain = |ty: &DataType| {
            !ty.is_complex() && !matches!(ty, DataType::Variant | DataType::CalendarInterval | DataType::Null)
        };
        if let Some(field) = field.filter(|f| !plain(&f.data_type)) {
            return Err(Error::analysis("INVALID_PARTITION_COLUMN_DATA_TYPE")
                .param("type", format!("\"{}\"", field.data_type.sql()))
                .with_message(format!("A {} does not partition files.", field.data_type.sql())));
        }
    }
    Ok(())
}

fn check_duplicates(spec: &WriteSpec) -> Result<()> {
    let mut seen = std::collections::HashSet::new();
    for field in &spec.schema.fields {
        let key = if spec.case_sensitive { field.name.clone() } else { field.name.to_lowercase() };
        if !seen.insert(key.clone()) {
            return Err(Error::analysis("COLUMN_ALREADY_EXISTS")
                .param("columnName", spark::types::quote_identifier(&key))
                .with_message(format!("The column `{key}` would be written twice.")));
        }
    }
    Ok(())
}

/// Whether a write with this mode has anything to do.
///
/// # Errors
/// `PATH_ALREADY_EXISTS`.
pub async fn admit(runtime: &Arc<RuntimeEnv>, spec: &WriteSpec) -> Result<bool> {
    let job = Job::new(runtime, spec)?;
    match spec.mode {
        SaveMode::Append | SaveMode::Overwrite | SaveMode::OverwriteDynamic => Ok(true),
        SaveMode::Ignore => Ok(!job.exists().await?),
        SaveMode::ErrorIfExists if job.exists().await? => {
            Err(Error::analysis("PATH_ALREADY_EXISTS").param("outputPath", &spec.location.display).with_message(
                format!("There is something at {} already; choose overwrite or append.", spec.location.display),
            ))
        }
        SaveMode::ErrorIfExists => Ok(true),
    }
}

/// Writes the rows of all streams, one task for each.
///
/// # Errors
/// As the streams, and as the store; then nothing is left behind.
pub async fn write(
    runtime: &Arc<RuntimeEnv>,
    streams: Vec<SendableRecordBatchStream>,
    spec: WriteSpec,
) -> Result<Written> {
    let job = Arc::new(Job::new(runtime, &spec)?);
    let spec = Arc::new(spec);
    let mut tasks = JoinSet::new();
    for (partition, stream) in streams.into_iter().enumerate() {
        tasks.spawn(write_partition(Arc::clone(&job), Arc::clone(&spec), partition, stream));
    }
    match gather(tasks).await {
        Ok((rows, staged)) => {
            let files = staged.len();
            let folders = staged.iter().filter_map(|f| f.rsplit_once('/'));
            let partitions = folders.map(|(folder, _)| folder.to_string()).collect();
            job.commit(&spec, staged).await?;
            Ok(Written { rows, files, partitions, done: true })
        }
        Err(e) => {
            job.abort().await;
            Err(e)
        }
    }
}

async fn gather(mut tasks: JoinSet<Result<(u64, Vec<String>)>>) -> Result<(u64, Vec<String>)> {
    let (mut rows, mut staged) = (0, Vec::new());
    while let Some(done) = tasks.join_next().await {
        let (r, s) = done.map_err(|e| Error::internal(format!("a writing task broke: {e}")))??;
        rows += r;
        staged.extend(s);
    }
    Ok((rows, staged))
}

async fn write_partition(
    job: Arc<Job>,
    spec: Arc<WriteSpec>,
    partition: usize,
    mut stream: SendableRecordBatchStream,
) -> Result<(u64, Vec<String>)> {
    let mut files = Files::new(&job, &spec, partition)?;
    let mut rows = 0;
    while let Some(batch) = stream.next().await {
        let batch: RecordBatch = batch.map_err(functions::error::from_datafusion)?;
        rows += batch.num_rows() as u64;
        files.write(&batch).await?;
    }
    Ok((rows, files.finish().await?))
}

/// `UNSUPPORTED_DATA_TYPE_FOR_DATASOURCE`.
pub(crate) fn unsupported_type(format: &str, column: &str, ty: &DataType) -> Error {
    Error::analysis("UNSUPPORTED_DATA_TYPE_FOR_DATASOURCE")
        .param("columnName", spark::types::quote_identifier(column))
        .param("columnType", format!("\"{}\"", ty.sql()))
        .param("format", format)
        .with_message(format!("{format} cannot hold the column `{column}` of type {}.", ty.sql()))
}
