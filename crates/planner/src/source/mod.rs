//! Reading: files of every format and ranges, as tables whose Arrow schema is the canonical one of
//! their Spark schema.

pub mod bad_files;
pub mod defaults;
mod file_columns;
pub mod guarded;
pub mod known_options;
pub mod listing;
mod mismatch;
pub mod options;
pub mod parquet;
pub mod partitions;
pub mod paths;
pub mod range;
pub mod registry;
pub mod rows;
pub mod stores;
pub mod table;

use std::sync::Arc;

use datafusion::execution::SessionState;
use spark::types::{DataType, StructField, StructType};
use spark::{Error, Result};

pub use bad_files::BadFiles;
pub use defaults::AddedDefaults;
pub use options::Options;
pub use registry::Registry;
pub use table::{FileTable, Format};

/// Files to read, with everything the session decides about them.
#[derive(Debug, Clone)]
pub struct ReadRequest {
    /// Lower case: `parquet`, `csv`, `json`, `text`.
    pub format: String,
    pub paths: Vec<String>,
    pub options: Options,
    /// The user's schema; inferred where absent.
    pub schema: Option<StructType>,
    pub time_zone: Arc<str>,
    pub case_sensitive: bool,
    /// `spark.sql.sources.partitionColumnTypeInference.enabled`.
    pub infer_partition_types: bool,
    /// `spark.sql.parquet.mergeSchema`.
    pub merge_parquet_schemas: bool,
    /// Partition columns that are known beforehand (a catalog's table), by name.
    pub partition_columns: Option<Vec<String>>,
    /// `spark.sql.files.ignoreCorruptFiles` and its kin.
    pub bad_files: BadFiles,
    /// An empty or absent directory is a table without rows (a catalog's table), not an error.
    pub allow_empty: bool,
    /// The partitions that a catalog knows, where it does: other folders are not the table's.
    pub registry: Option<Registry>,
    /// Values of columns in files that were written before the columns were there.
    pub added_defaults: AddedDefaults,
}

/// A table over files.
#[derive(Clone)]
pub struct Opened {
    pub schema: StructType,
    pub table: Arc<FileTable>,
}

/// Lists the files of `request`, finds their schema and partition columns, and makes a table of them.
///
/// # Errors
/// `PATH_NOT_FOUND`, `UNABLE_TO_INFER_SCHEMA`, `FAILED_READ_FILE.*` and the conditions of bad options.
pub async fn open(state: &SessionState, request: ReadRequest) -> Result<Opened> {
    table::check_known(&request.format)?;
    let listed = listing::list(state.runtime_env(), &request).await?;
    let partitions = partitions::infer(&listed, &request)?;
    known_options::check_read(&request.format, &request.options)?;
    let format = Format::new(&request)?;
    let files = partitions.keep(listed.files);
    let files = files.into_iter().map(|file| file_columns::with_values(file, &listed.store)).collect::<Vec<_>>();
    let files = format.readable(files);
    let data_schema = match &request.schema {
        Some(schema) => checked(&request, schema)?,
        None => format.infer(state, &listed.store, &files, &request).await?,
    };
    rows::check_corrupt(&request, &data_schema)?;
    let data_schema = without(&data_schema, &partitions.columns, request.case_sensitive);
    let data_schema = nullable(&data_schema);
    let mut schema = data_schema.clone();
    schema.fields.extend(partitions.columns.iter().cloned());
    check_duplicates(&schema, request.case_sensitive)?;
    let told = format.with_statistics(state, &listed.store, files, &data_schema).await?;
    let table =
        FileTable::new(listed.store, told.files, &data_schema, &partitions.columns, format.with_schema(&data_schema))
            .with_mismatches(told.mismatches)
            .with_spellings(&told.spellings);
    Ok(Opened { schema, table: Arc::new(table) })
}

fn checked(request: &ReadRequest, schema: &StructType) -> Result<StructType> {
    rows::check_read(request, schema)?;
    Ok(schema.clone())
}

fn without(schema: &StructType, columns: &[StructField], case_sensitive: bool) -> StructType {
    let is_partition = |name: &str| columns.iter().any(|c| same_name(&c.name, name, case_sensitive));
    StructType::new(schema.fields.iter().filter(|f| !is_partition(&f.name)).cloned().collect())
}

/// Equal names, by the session's case sensitivity.
pub fn same_name(a: &str, b: &str, case_sensitive: bool) -> bool {
    if case_sensitive { a == b } else { a.to_lowercase() == b.to_lowercase() }
}

/// A file may always hold nulls, whatever its schema claims.
fn nullable(schema: &StructType) -> StructType {
    match DataType::Struct(schema.clone()).as_nullable() {
        DataType::Struct(s) => s,
        _ => schema.clone(),
    }
}

fn check_duplicates(schema: &StructType, case_sensitive: bool) -> Result<()> {
    let mut seen = std::collections::HashSet::new();
    for field in &schema.fields {
        let key = if case_sensitive { field.name.clone() } else { field.name.to_lowercase() };
        if !seen.insert(key.clone()) {
            return Err(Error::analysis("COLUMN_ALREADY_EXISTS")
                .param("columnName", spark::types::quote_identifier(&key))
                .with_message(format!("The column `{key}` occurs more than once in the schema.")));
        }
    }
    Ok(())
}
