//! Parquet: schema from the footers, statistics, and DataFusion's reader.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, LazyLock};

use arrow::datatypes::{Schema, SchemaRef, TimeUnit};
use datafusion::catalog::Session;
use datafusion::common::config::TableParquetOptions;
use datafusion::common::{ColumnStatistics, Statistics};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::CachedParquetFileReaderFactory;
use datafusion::datasource::physical_plan::parquet::metadata::DFParquetMetadata;
use datafusion::datasource::physical_plan::{FileSource, ParquetSource};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::execution::SessionState;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::parquet::file::metadata::ParquetMetaData;
use futures::{FutureExt, StreamExt};
use object_store::{ObjectMeta, ObjectStore};
use parking_lot::Mutex;
use spark::types::{DataType, StructField, StructType};
use spark::{Error, Result};

use super::bad_files::bad_footer;
use super::guarded::GuardedSource;
use super::table::{Mismatches, Spellings, Told, arrow_schema, cannot_infer, stored_schema};
use super::{AddedDefaults, BadFiles, ReadRequest, file_columns, mismatch, same_name};

/// Footers read at a time.
const CONCURRENT_FOOTERS: usize = 16;

/// File statistics kept between queries.
const MAX_CACHED_STATISTICS: usize = 10_000;

/// The key under which Spark keeps its own schema in a footer.
const SPARK_SCHEMA_KEY: &str = "org.apache.spark.sql.parquet.row.metadata";

/// Reads a schema in Spark's JSON form; given by whoever can parse it.
pub type SchemaParser = fn(&str) -> Result<StructType>;

static SCHEMA_PARSER: std::sync::OnceLock<SchemaParser> = std::sync::OnceLock::new();

/// Says how Spark's own schema in footers is read; without, the footer's own types count.
pub fn set_schema_parser(parser: SchemaParser) {
    // The first caller wins; every caller gives the same parser.
    let _ = SCHEMA_PARSER.set(parser);
}

/// Options of the parquet reader.
#[derive(Debug, Clone)]
pub struct Parquet {
    merge_schema: bool,
    case_sensitive: bool,
    bad_files: BadFiles,
    defaults: Arc<AddedDefaults>,
}

impl Parquet {
    pub(super) fn new(request: &ReadRequest) -> Result<Self> {
        Ok(Parquet {
            merge_schema: request.options.bool("mergeSchema", request.merge_parquet_schemas)?,
            case_sensitive: request.case_sensitive,
            bad_files: BadFiles::new(&request.options, request.bad_files)?,
            defaults: Arc::new(request.added_defaults.clone()),
        })
    }

    pub(super) async fn infer(
        &self,
        state: &SessionState,
        store: &ObjectStoreUrl,
        files: &[PartitionedFile],
    ) -> Result<StructType> {
        let object_store = state.runtime_env().object_store(store).map_err(functions::error::from_datafusion)?;
        let reads: Vec<_> = files.iter().map(|f| file_schema(state, store, &object_store, &f.object_meta)).collect();
        let mut schemas = futures::stream::iter(reads).buffered(if self.merge_schema { CONCURRENT_FOOTERS } else { 1 });
        let mut merged: Option<StructType> = None;
        while let Some(schema) = schemas.next().await {
            let schema = match schema {
                Err(error) if self.bad_files.ignore_corrupt => {
                    tracing::warn!(%error, "passing over a file");
                    continue;
                }
                schema => schema?,
            };
            merged = Some(match merged {
                None => schema,
                Some(left) => merge(&left, &schema, self.case_sensitive)?,
            });
            if !self.merge_schema {
                break;
            }
        }
        merged.ok_or_else(|| cannot_infer("parquet"))
    }

    pub(super) async fn with_statistics(
        &self,
        state: &SessionState,
        store: &ObjectStoreUrl,
        files: Vec<PartitionedFile>,
        data: &StructType,
    ) -> Result<Told> {
        let object_store = state.runtime_env().object_store(store).map_err(functions::error::from_datafusion)?;
        let schema = arrow_schema(data);
        let asked = Asked {
            store,
            fingerprint: format!("{store}{}{:?}", self.case_sensitive, schema.fields()),
            schema,
            data,
            case_sensitive: self.case_sensitive,
        };
        let mut reads = Vec::with_capacity(files.len());
        for file in &files {
            reads.push(known(state, &object_store, &file.object_meta, &asked));
        }
        let all: Vec<Result<Arc<Known>>> = futures::stream::iter(reads).buffered(CONCURRENT_FOOTERS).collect().await;
        let mut mismatches = Mismatches::new();
        let mut spellings = Spellings::new();
        let mut told = Vec::with_capacity(files.len());
        for (file, known) in files.into_iter().zip(all) {
            // A bad footer is found again, and judged, when the file is read: perhaps it never is.
            let Ok(known) = known else {
                told.push(file);
                continue;
            };
            for (name, error) in &known.mismatches {
                if mismatches.iter().all(|(n, _)| n != name) {
                    mismatches.push((name.clone(), error.clone()));
                }
            }
            for (name, spelled) in &known.spellings {
                if spellings.iter().all(|(n, _)| n != name) {
                    spellings.push((name.clone(), spelled.clone()));
                }
            }
            told.push(file.with_statistics(self.defaults.unsaid(&known.statistics, &asked.schema)));
        }
        Ok(Told { files: told, mismatches, spellings })
    }

    pub(super) fn source(
        &self,
        state: &dyn Session,
        store: &ObjectStoreUrl,
        schema: TableSchema,
    ) -> datafusion::common::Result<Arc<dyn FileSource>> {
        let options =
            TableParquetOptions { global: state.config_options().execution.parquet.clone(), ..Default::default() };
        let cache = state.runtime_env().cache_manager.get_file_metadata_cache();
        let object_store = state.runtime_env().object_store(store)?;
        let source = ParquetSource::new(schema)
            .with_table_parquet_options(options)
            .with_parquet_file_reader_factory(Arc::new(CachedParquetFileReaderFactory::new(object_store, cache)));
        Ok(GuardedSource::wrap(Arc::new(source), self.bad_files, Arc::clone(&self.defaults)))
    }
}

async fn metadata(
    state: &SessionState,
    url: &ObjectStoreUrl,
    store: &Arc<dyn ObjectStore>,
    meta: &ObjectMeta,
) -> Result<Arc<ParquetMetaData>> {
    let unreadable = |why: &str| bad_footer(&file_columns::url(url, meta.location.as_ref()), why);
    let cache = state.runtime_env().cache_manager.get_file_metadata_cache();
    let hint = state.config_options().execution.parquet.metadata_size_hint;
    let reader = DFParquetMetadata::new(store.as_ref(), meta)
        .with_metadata_size_hint(hint)
        .with_file_metadata_cache(Some(cache));
    // The reader counts on lengths that a corrupt file makes up.
    match AssertUnwindSafe(reader.fetch_metadata()).catch_unwind().await {
        Ok(read) => read.map_err(|e| unreadable(&e.to_string())),
        Err(_) => Err(unreadable("it is corrupt")),
    }
}

async fn file_schema(
    state: &SessionState,
    url: &ObjectStoreUrl,
    store: &Arc<dyn ObjectStore>,
    meta: &ObjectMeta,
) -> Result<StructType> {
    let footer = metadata(state, url, store, meta).await?;
    schema_of(&footer).map_err(|why| bad_footer(&file_columns::url(url, meta.location.as_ref()), &why))
}

/// The schema in a footer, or why there is none.
fn schema_of(footer: &ParquetMetaData) -> std::result::Result<StructType, String> {
    let file = footer.file_metadata();
    let own = file
        .key_value_metadata()
        .and_then(|pairs| pairs.iter().find(|kv| kv.key == SPARK_SCHEMA_KEY))
        .and_then(|kv| kv.value.as_deref());
    if let (Some(json), Some(parse)) = (own, SCHEMA_PARSER.get())
        && let Ok(schema) = parse(json)
    {
        return Ok(schema);
    }
    let arrow = datafusion::parquet::arrow::parquet_to_arrow_schema(file.schema_descr(), file.key_value_metadata())
        .map_err(|e| e.to_string())?;
    spark_schema(&arrow).map_err(|e| e.to_string())
}

/// INT96, which has no zone in Arrow's reading, is an instant in Spark.
fn spark_schema(arrow: &Schema) -> Result<StructType> {
    let mut schema = functions::types::schema_from_arrow(arrow)?;
    for (field, arrow) in schema.fields.iter_mut().zip(arrow.fields()) {
        if matches!(arrow.data_type(), arrow::datatypes::DataType::Timestamp(TimeUnit::Nanosecond, None)) {
            field.data_type = DataType::Timestamp;
        }
    }
    Ok(schema)
}

type StatisticsKey = (String, ObjectMetaKey);
type ObjectMetaKey = (String, u64, i64);

/// What a footer says of a file that is read as some schema.
struct Known {
    statistics: Arc<Statistics>,
    mismatches: Mismatches,
    spellings: Spellings,
}

/// The schema a file is read as.
struct Asked<'a> {
    store: &'a ObjectStoreUrl,
    schema: SchemaRef,
    data: &'a StructType,
    case_sensitive: bool,
    /// Stands for all of it.
    fingerprint: String,
}

static KNOWN: LazyLock<Mutex<HashMap<StatisticsKey, Arc<Known>>>> = LazyLock::new(Mutex::default);

async fn known(
    state: &SessionState,
    store: &Arc<dyn ObjectStore>,
    meta: &ObjectMeta,
    asked: &Asked<'_>,
) -> Result<Arc<Known>> {
    let modified = meta.last_modified.timestamp_nanos_opt().unwrap_or_default();
    let key = (asked.fingerprint.clone(), (meta.location.to_string(), meta.size, modified));
    if let Some(found) = KNOWN.lock().get(&key) {
        return Ok(Arc::clone(found));
    }
    let footer = metadata(state, asked.store, store, meta).await?;
    let path = file_columns::url(asked.store, meta.location.as_ref());
    let (mismatches, spellings) = match schema_of(&footer) {
        Ok(found) => (
            mismatch::find(&path, &footer, &found, asked.data, asked.case_sensitive),
            spellings(&found, asked.data, asked.case_sensitive),
        ),
        Err(_) => (Mismatches::new(), Spellings::new()),
    };
    let stored = stored_schema(&asked.schema);
    let as_read = respelled(stored.as_ref().unwrap_or(&asked.schema), &spellings);
    let mut statistics = DFParquetMetadata::statistics_from_parquet_metadata(&footer, &as_read)
        .map_err(functions::error::from_datafusion)?;
    for (column, (of_file, of_table)) in
        statistics.column_statistics.iter_mut().zip(as_read.fields().iter().zip(asked.schema.fields()))
    {
        // Bounds in the form of the files say nothing to a plan.
        if of_file.data_type() != of_table.data_type() {
            *column = ColumnStatistics::new_unknown();
        }
    }
    let computed = Arc::new(Known { statistics: Arc::new(statistics), mismatches, spellings });
    let mut cache = KNOWN.lock();
    if cache.len() >= MAX_CACHED_STATISTICS {
        cache.clear();
    }
    cache.insert(key, Arc::clone(&computed));
    Ok(computed)
}

/// The columns that the file spells differently.
fn spellings(found: &StructType, wanted: &StructType, case_sensitive: bool) -> Spellings {
    if case_sensitive {
        return Spellings::new();
    }
    let absent = wanted.fields.iter().filter(|w| found.fields.iter().all(|f| f.name != w.name));
    absent
        .filter_map(|w| {
            let spelled = found.fields.iter().find(|f| same_name(&f.name, &w.name, false))?;
            Some((w.name.clone(), spelled.name.clone()))
        })
        .collect()
}

/// The schema with the file's own names.
fn respelled(schema: &SchemaRef, spellings: &Spellings) -> SchemaRef {
    if spellings.is_empty() {
        return Arc::clone(schema);
    }
    let own = |field: &Arc<arrow::datatypes::Field>| match spellings.iter().find(|(name, _)| name == field.name()) {
        Some((_, spelled)) => Arc::new(field.as_ref().clone().with_name(spelled)),
        None => Arc::clone(field),
    };
    Arc::new(Schema::new(schema.fields().iter().map(own).collect::<Vec<_>>()))
}

/// One schema with the columns of both.
///
/// # Errors
/// `CANNOT_MERGE_SCHEMAS` where a column has two types that have no common one.
pub fn merge(left: &StructType, right: &StructType, case_sensitive: bool) -> Result<StructType> {
    let mut fields = left.fields.clone();
    for field in &right.fields {
        match fields.iter_mut().find(|f| same_name(&f.name, &field.name, case_sensitive)) {
            None => fields.push(field.clone()),
            Some(mine) => {
                let merged = merge_types(&mine.data_type, &field.data_type, case_sensitive).ok_or_else(|| {
                    Error::new(spark::ErrorKind::Spark, "CANNOT_MERGE_SCHEMAS")
                        .param("left", format!("\"{}\"", DataType::Struct(left.clone()).sql()))
                        .param("right", format!("\"{}\"", DataType::Struct(right.clone()).sql()))
                        .with_message(format!("The column {} has types that cannot be merged.", field.name))
                })?;
                *mine = StructField { data_type: merged, nullable: mine.nullable || field.nullable, ..mine.clone() };
            }
        }
    }
    Ok(StructType::new(fields))
}

fn merge_types(a: &DataType, b: &DataType, case_sensitive: bool) -> Option<DataType> {
    match (a, b) {
        (a, b) if a.same_type(b) => Some(a.as_nullable()),
        (DataType::Null, other) | (other, DataType::Null) => Some(other.clone()),
        (DataType::Struct(x), DataType::Struct(y)) => merge(x, y, case_sensitive).ok().map(DataType::Struct),
        (DataType::Array { element: x, .. }, DataType::Array { element: y, .. }) => {
            Some(DataType::array(merge_types(x, y, case_sensitive)?, true))
        }
        (DataType::Map { key: k1, value: v1, .. }, DataType::Map { key: k2, value: v2, .. }) => {
            Some(DataType::map(merge_types(k1, k2, case_sensitive)?, merge_types(v1, v2, case_sensitive)?, true))
        }
        (DataType::Decimal { precision: p1, scale: s1 }, DataType::Decimal { precision: p2, scale: s2 })
            if s1 == s2 =>
        {
            Some(DataType::decimal((*p1).max(*p2), *s1))
        }
        _ => None,
    }
}
