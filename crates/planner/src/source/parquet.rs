//! Parquet: schema from the footers, statistics, and DataFusion's reader.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use arrow::datatypes::{Schema, SchemaRef, TimeUnit};
use datafusion::catalog::Session;
use datafusion::common::Statistics;
use datafusion::common::config::TableParquetOptions;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::CachedParquetFileReaderFactory;
use datafusion::datasource::physical_plan::parquet::metadata::DFParquetMetadata;
use datafusion::datasource::physical_plan::{FileSource, ParquetSource};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::execution::SessionState;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::parquet::file::metadata::ParquetMetaData;
use futures::{StreamExt, TryStreamExt};
use object_store::{ObjectMeta, ObjectStore};
use parking_lot::Mutex;
use spark::types::{DataType, StructField, StructType};
use spark::{Error, Result};

use super::table::arrow_schema;
use super::{ReadRequest, same_name};

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
}

impl Parquet {
    pub(super) fn new(request: &ReadRequest) -> Result<Self> {
        Ok(Parquet {
            merge_schema: request.options.bool("mergeSchema", request.merge_parquet_schemas)?,
            case_sensitive: request.case_sensitive,
        })
    }

    pub(super) async fn infer(
        &self,
        state: &SessionState,
        store: &ObjectStoreUrl,
        files: &[PartitionedFile],
    ) -> Result<StructType> {
        let sample = if self.merge_schema { files } else { &files[..1] };
        let object_store = state.runtime_env().object_store(store).map_err(functions::error::from_datafusion)?;
        let reads: Vec<_> = sample.iter().map(|file| file_schema(state, &object_store, &file.object_meta)).collect();
        let schemas: Vec<StructType> = futures::stream::iter(reads).buffered(CONCURRENT_FOOTERS).try_collect().await?;
        let mut merged: Option<StructType> = None;
        for schema in schemas {
            merged = Some(match merged {
                None => schema,
                Some(left) => merge(&left, &schema, self.case_sensitive)?,
            });
        }
        Ok(merged.unwrap_or_default())
    }

    pub(super) async fn with_statistics(
        &self,
        state: &SessionState,
        store: &ObjectStoreUrl,
        files: Vec<PartitionedFile>,
        data: &StructType,
    ) -> Result<Vec<PartitionedFile>> {
        let object_store = state.runtime_env().object_store(store).map_err(functions::error::from_datafusion)?;
        let schema = arrow_schema(data);
        let fingerprint = format!("{store}{:?}", schema.fields());
        let mut reads = Vec::with_capacity(files.len());
        for file in &files {
            reads.push(statistics(state, &object_store, &file.object_meta, &schema, &fingerprint));
        }
        let found: Vec<Arc<Statistics>> =
            futures::stream::iter(reads).buffered(CONCURRENT_FOOTERS).try_collect().await?;
        Ok(files.into_iter().zip(found).map(|(file, statistics)| file.with_statistics(statistics)).collect())
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
        Ok(Arc::new(source))
    }
}

async fn metadata(
    state: &SessionState,
    store: &Arc<dyn ObjectStore>,
    meta: &ObjectMeta,
) -> Result<Arc<ParquetMetaData>> {
    let cache = state.runtime_env().cache_manager.get_file_metadata_cache();
    let hint = state.config_options().execution.parquet.metadata_size_hint;
    DFParquetMetadata::new(store.as_ref(), meta)
        .with_metadata_size_hint(hint)
        .with_file_metadata_cache(Some(cache))
        .fetch_metadata()
        .await
        .map_err(|e| unreadable(meta, &e.to_string()))
}

fn unreadable(meta: &ObjectMeta, why: &str) -> Error {
    let path = format!("file:///{}", meta.location);
    Error::new(spark::ErrorKind::Spark, "FAILED_READ_FILE.CANNOT_READ_FILE_FOOTER")
        .param("path", &path)
        .with_message(format!("The footer of {path} cannot be read: {why}"))
}

async fn file_schema(state: &SessionState, store: &Arc<dyn ObjectStore>, meta: &ObjectMeta) -> Result<StructType> {
    let footer = metadata(state, store, meta).await?;
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
        .map_err(|e| unreadable(meta, &e.to_string()))?;
    spark_schema(&arrow)
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

static STATISTICS: LazyLock<Mutex<HashMap<StatisticsKey, Arc<Statistics>>>> = LazyLock::new(Mutex::default);

async fn statistics(
    state: &SessionState,
    store: &Arc<dyn ObjectStore>,
    meta: &ObjectMeta,
    schema: &SchemaRef,
    fingerprint: &str,
) -> Result<Arc<Statistics>> {
    let modified = meta.last_modified.timestamp_nanos_opt().unwrap_or_default();
    let key = (fingerprint.to_string(), (meta.location.to_string(), meta.size, modified));
    if let Some(found) = STATISTICS.lock().get(&key) {
        return Ok(Arc::clone(found));
    }
    let footer = metadata(state, store, meta).await?;
    let computed = DFParquetMetadata::statistics_from_parquet_metadata(&footer, schema)
        .map_err(functions::error::from_datafusion)?;
    let computed = Arc::new(computed);
    let mut cache = STATISTICS.lock();
    if cache.len() >= MAX_CACHED_STATISTICS {
        cache.clear();
    }
    cache.insert(key, Arc::clone(&computed));
    Ok(computed)
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
                        .param("left", left.to_ddl())
                        .param("right", right.to_ddl())
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
