//! A table over a list of files.

use std::sync::Arc;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::datatypes::{Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::{DFSchema, Result as DfResult, ScalarValue, Statistics};
use datafusion::config::ConfigOptions;
use datafusion::datasource::TableType;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, FileSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::execution::SessionState;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::{Expr, ScalarUDF, TableProviderFilterPushDown};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::projection::ProjectionExpr;
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::projection::ProjectionExec;
use spark::types::{StructField, StructType};
use spark::{Error, Result};

use super::parquet::Parquet;
use super::partitions::arrow_fields;
use super::rows::{self, RowFormat, RowSource};
use super::{ReadRequest, file_columns};

/// Columns that some file holds as another type, with the error that reading them is.
pub(super) type Mismatches = Vec<(String, Error)>;

/// Columns that the files spell differently: the table's name and the files'.
pub(super) type Spellings = Vec<(String, String)>;

/// Files with what their footers say of them.
pub(super) struct Told {
    pub files: Vec<PartitionedFile>,
    pub mismatches: Mismatches,
    pub spellings: Spellings,
}

/// How the bytes of a file become rows.
#[derive(Debug, Clone)]
pub enum Format {
    Parquet(Parquet),
    Rows(Arc<RowFormat>),
}

impl Format {
    /// The format of a request with its options checked.
    ///
    /// # Errors
    /// `DATA_SOURCE_NOT_FOUND` for a format there is none of, and the conditions of bad options.
    pub fn new(request: &ReadRequest) -> Result<Self> {
        match request.format.as_str() {
            "parquet" => Ok(Format::Parquet(Parquet::new(request)?)),
            "csv" | "json" | "xml" | "text" | "binaryfile" => Ok(Format::Rows(Arc::new(RowFormat::new(request)?))),
            other => Err(not_found(other)),
        }
    }

    /// Spark's schema of the files.
    pub(super) async fn infer(
        &self,
        state: &SessionState,
        store: &ObjectStoreUrl,
        files: &[PartitionedFile],
        request: &ReadRequest,
    ) -> Result<StructType> {
        if let Some(fixed) = rows::fixed_schema(request) {
            return Ok(fixed);
        }
        if files.is_empty() {
            return Err(cannot_infer(&request.format));
        }
        match self {
            Format::Parquet(parquet) => parquet.infer(state, store, files).await,
            Format::Rows(format) => {
                let object_store =
                    state.runtime_env().object_store(store).map_err(functions::error::from_datafusion)?;
                rows::infer(format, &object_store, files, &request.format).await
            }
        }
    }

    /// The files with what their footers say of their contents.
    pub(super) async fn with_statistics(
        &self,
        state: &SessionState,
        store: &ObjectStoreUrl,
        files: Vec<PartitionedFile>,
        data_schema: &StructType,
    ) -> Result<Told> {
        match self {
            Format::Parquet(parquet) => parquet.with_statistics(state, store, files, data_schema).await,
            Format::Rows(_) => Ok(Told { files, mismatches: Mismatches::new(), spellings: Spellings::new() }),
        }
    }

    /// The files that are worth opening: Spark takes an empty file for one without rows.
    pub(super) fn readable(&self, mut files: Vec<PartitionedFile>) -> Vec<PartitionedFile> {
        if let Format::Parquet(_) = self {
            files.retain(|f| f.object_meta.size > 0);
        }
        files
    }

    /// The same format for files with these columns.
    pub(super) fn with_schema(&self, schema: &StructType) -> Self {
        match self {
            Format::Parquet(parquet) => Format::Parquet(parquet.clone()),
            Format::Rows(format) => Format::Rows(Arc::new(format.with_schema(schema))),
        }
    }

    fn source(
        &self,
        state: &dyn Session,
        store: &ObjectStoreUrl,
        schema: TableSchema,
        files: &[PartitionedFile],
    ) -> DfResult<Arc<dyn FileSource>> {
        match self {
            Format::Parquet(parquet) => parquet.source(state, store, schema),
            Format::Rows(format) => {
                let splittable = !files.iter().any(|f| rows::is_compressed(f.object_meta.location.as_ref()));
                Ok(Arc::new(RowSource::new(Arc::clone(format), schema, splittable)))
            }
        }
    }
}

/// Refuses formats that are not here.
///
/// # Errors
/// As [`not_found`].
pub fn check_known(format: &str) -> Result<()> {
    match format {
        "parquet" | "csv" | "json" | "xml" | "text" | "binaryfile" => Ok(()),
        other => Err(not_found(other)),
    }
}

/// `DATA_SOURCE_NOT_FOUND`; what Spark has in a package of its own is refused as it is there without it.
pub fn not_found(format: &str) -> Error {
    if format == "avro" {
        return Error::analysis("AVRO_DATA_SOURCE_NOT_ENABLED")
            .param("provider", format)
            .with_message("The data source avro is a package of its own, which this server does not have.");
    }
    if format == "kafka" {
        return Error::analysis("KAFKA_DATA_SOURCE_NOT_ENABLED")
            .param("provider", format)
            .with_message("The data source kafka is a package of its own, which this server does not have.");
    }
    if matches!(format, "noop" | "rate" | "rate-micro-batch" | "console") {
        return Error::analysis("_LEGACY_ERROR_TEMP_1135")
            .param("className", format)
            .with_message(format!("The data source {format} has no table that a query could read."));
    }
    Error::new(spark::ErrorKind::NoSuchObject, "DATA_SOURCE_NOT_FOUND")
        .param("provider", format)
        .with_message(format!("There is no data source called {format}."))
}

/// A format's name as Spark prints it.
pub(crate) fn shown(format: &str) -> &str {
    match format {
        "parquet" => "Parquet",
        "csv" => "CSV",
        "json" => "JSON",
        "xml" => "XML",
        "orc" => "ORC",
        "text" => "Text",
        other => other,
    }
}

/// `UNABLE_TO_INFER_SCHEMA`.
pub fn cannot_infer(format: &str) -> Error {
    let name = shown(format);
    Error::analysis("UNABLE_TO_INFER_SCHEMA")
        .param("format", name)
        .with_message(format!("The schema of {name} cannot be inferred from these files; give one."))
}

/// A table over files; see the module.
#[derive(Debug)]
pub struct FileTable {
    store: ObjectStoreUrl,
    files: Vec<PartitionedFile>,
    format: Format,
    table_schema: TableSchema,
    /// The columns as the files spell them, where that is not how the table does.
    file_schema: Option<TableSchema>,
    partition_schema: SchemaRef,
    partitions: Vec<StructField>,
    mismatches: Mismatches,
    /// The database and the name under which the catalog has it.
    origin: Option<(String, String)>,
}

impl FileTable {
    pub(super) fn new(
        store: ObjectStoreUrl,
        files: Vec<PartitionedFile>,
        data: &StructType,
        partitions: &[StructField],
        format: Format,
    ) -> Self {
        let partition_fields = arrow_fields(partitions);
        let behind = partition_fields.iter().cloned().chain(file_columns::fields()).collect::<Vec<_>>();
        let table_schema = TableSchema::builder(arrow_schema(data)).with_table_partition_cols(behind.clone()).build();
        let stored = match format {
            Format::Parquet(_) => stored_schema(table_schema.file_schema()),
            Format::Rows(_) => None,
        };
        let file_schema = stored.map(|s| TableSchema::builder(s).with_table_partition_cols(behind).build());
        FileTable {
            store,
            files,
            format,
            table_schema,
            file_schema,
            partition_schema: Arc::new(Schema::new(partition_fields)),
            partitions: partitions.to_vec(),
            mismatches: Mismatches::new(),
            origin: None,
        }
    }

    /// Notes the table of the catalog whose files these are, all of them.
    pub fn set_origin(&mut self, namespace: &str, name: &str) {
        self.origin = Some((namespace.to_string(), name.to_string()));
    }

    /// The table of the catalog whose files these are: database and name.
    pub fn origin(&self) -> Option<&(String, String)> {
        self.origin.as_ref()
    }

    /// The table with what is wrong with some of its columns.
    pub(super) fn with_mismatches(self, mismatches: Mismatches) -> Self {
        FileTable { mismatches, ..self }
    }

    /// The table with the files' own spelling of some of its columns.
    pub(super) fn with_spellings(self, spellings: &Spellings) -> Self {
        if spellings.is_empty() {
            return self;
        }
        let own = |f: &Arc<Field>| match spellings.iter().find(|(name, _)| name == f.name()) {
            Some((_, spelled)) => Arc::new(f.as_ref().clone().with_name(spelled)),
            None => Arc::clone(f),
        };
        let as_read = self.file_schema.as_ref().unwrap_or(&self.table_schema);
        let fields: Vec<_> = as_read.file_schema().fields().iter().map(own).collect();
        let behind = self.table_schema.table_partition_cols().clone();
        let file_schema = TableSchema::builder(Arc::new(Schema::new(fields))).with_table_partition_cols(behind).build();
        FileTable { file_schema: Some(file_schema), ..self }
    }

    /// Gives columns that the files spell or store differently the table's names and types.
    fn renamed(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        projection: Option<&Vec<usize>>,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        if self.file_schema.is_none() {
            return Ok(plan);
        }
        let schema = match projection {
            Some(p) => Arc::new(self.schema().project(p)?),
            None => self.schema(),
        };
        let as_read = plan.schema();
        let columns = as_read.fields().iter().zip(schema.fields()).enumerate();
        let columns = columns
            .map(|(i, (from, to))| {
                let column: Arc<dyn PhysicalExpr> = Arc::new(Column::new(from.name(), i));
                let alias = to.name().clone();
                if from.data_type() == to.data_type() {
                    return Ok(ProjectionExpr { expr: column, alias });
                }
                let convert = Arc::new(ScalarUDF::new_from_impl(functions::nanos::of_files(to.data_type().clone())));
                let options = Arc::new(ConfigOptions::default());
                let expr = Arc::new(ScalarFunctionExpr::try_new(convert, vec![column], &as_read, options)?);
                Ok(ProjectionExpr { expr, alias })
            })
            .collect::<DfResult<Vec<_>>>()?;
        Ok(Arc::new(ProjectionExec::try_new(columns, plan)?))
    }

    /// Refuses to read nothing of text records but what is wrong with them: only a record that is read as
    /// something can be wrong.
    fn check_corrupt_column(&self, projection: Option<&Vec<usize>>) -> DfResult<()> {
        let Format::Rows(format) = &self.format else { return Ok(()) };
        let data = self.table_schema.file_schema().fields();
        let wanted: Vec<&str> = match projection {
            Some(p) => p.iter().filter_map(|i| data.get(*i)).map(|f| f.name().as_str()).collect(),
            None => data.iter().map(|f| f.name().as_str()).collect(),
        };
        if format.reports_corrupt() && wanted == [format.corrupt_column.as_str()] {
            return Err(functions::error::external(
                Error::analysis("UNSUPPORTED_FEATURE.QUERY_ONLY_CORRUPT_RECORD_COLUMN")
                    .with_message("A query of raw files cannot be of the column of corrupt records alone."),
            ));
        }
        Ok(())
    }

    /// Refuses columns that some file holds as another type.
    fn check_columns(&self, projection: Option<&Vec<usize>>) -> DfResult<()> {
        let schema = self.table_schema.table_schema();
        let wanted = |name: &str| projection.is_none_or(|p| p.iter().any(|i| schema.field(*i).name() == name));
        match self.mismatches.iter().find(|(name, _)| wanted(name)) {
            Some((_, error)) => Err(functions::error::external(error.clone())),
            None => Ok(()),
        }
    }

    /// Bytes of all files.
    pub fn total_bytes(&self) -> u64 {
        self.files.iter().map(|f| f.object_meta.size).sum()
    }

    /// Rows of all files, where every footer says so.
    pub fn exact_rows(&self) -> Option<usize> {
        self.files.iter().try_fold(0usize, |sum, f| match f.statistics.as_ref()?.num_rows {
            Precision::Exact(n) => Some(sum + n),
            _ => None,
        })
    }

    /// The columns that stand in folder names.
    pub fn partition_columns(&self) -> &[StructField] {
        &self.partitions
    }

    /// URLs of the files as Spark's `inputFiles` gives them.
    pub fn input_files(&self) -> Vec<String> {
        self.files.iter().map(|f| file_columns::url(&self.store, f.object_meta.location.as_ref())).collect()
    }

    /// The files that can hold rows passing `filters`, by their partition columns.
    fn prune(&self, state: &dyn Session, filters: &[Expr]) -> DfResult<Vec<PartitionedFile>> {
        let names: Vec<&String> = self.partition_schema.fields().iter().map(|f| f.name()).collect();
        let on_partitions: Vec<&Expr> = filters
            .iter()
            .filter(|f| !names.is_empty() && f.column_refs().iter().all(|c| names.contains(&&c.name)))
            .collect();
        if on_partitions.is_empty() || self.files.is_empty() {
            return Ok(self.files.clone());
        }
        let columns = (0..names.len())
            .map(|i| ScalarValue::iter_to_array(self.files.iter().map(|f| f.partition_values[i].clone())))
            .collect::<DfResult<Vec<_>>>()?;
        let batch = RecordBatch::try_new(Arc::clone(&self.partition_schema), columns)?;
        let df_schema = DFSchema::try_from(Arc::clone(&self.partition_schema))?;
        let mut keep = vec![true; self.files.len()];
        for filter in on_partitions {
            let unqualified = unqualify(filter.clone())?;
            let physical = state.create_physical_expr(unqualified, &df_schema)?;
            let mask = physical.evaluate(&batch)?.into_array(batch.num_rows())?;
            if let Some(mask) = mask.as_any().downcast_ref::<BooleanArray>() {
                keep.iter_mut().zip(mask.iter()).for_each(|(k, m)| *k &= m == Some(true));
            }
        }
        Ok(self.files.iter().zip(keep).filter(|(_, k)| *k).map(|(f, _)| f.clone()).collect())
    }

    fn statistics(&self, files: &[PartitionedFile]) -> DfResult<Statistics> {
        let schema = self.table_schema.table_schema();
        let all: Option<Vec<&Statistics>> = files.iter().map(|f| f.statistics.as_deref()).collect();
        match all {
            Some(all) if !all.is_empty() => Statistics::try_merge_iter(all, schema),
            _ => {
                let bytes = files.iter().map(|f| f.object_meta.size as usize).sum();
                Ok(Statistics { total_byte_size: Precision::Inexact(bytes), ..Statistics::new_unknown(schema) })
            }
        }
    }
}

/// The schema of the files of a table, where it is not the table's: timestamps with digits below the
/// microsecond have a form of their own in files.
pub(super) fn stored_schema(schema: &SchemaRef) -> Option<SchemaRef> {
    let stored = |f: &Arc<Field>| f.as_ref().clone().with_data_type(functions::nanos::in_files(f.data_type()));
    let fields: Vec<Field> = schema.fields().iter().map(stored).collect();
    let differs = schema.fields().iter().zip(&fields).any(|(a, b)| a.data_type() != b.data_type());
    differs.then(|| Arc::new(Schema::new(fields)))
}

/// The canonical Arrow schema of a Spark schema.
pub fn arrow_schema(schema: &StructType) -> SchemaRef {
    Arc::new(Schema::new(
        schema
            .fields
            .iter()
            .map(|f| Field::new(&f.name, functions::types::to_arrow(&f.data_type), true))
            .collect::<Vec<_>>(),
    ))
}

fn unqualify(expr: Expr) -> DfResult<Expr> {
    use datafusion::common::Column;
    use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
    expr.transform(|e| {
        Ok(match e {
            Expr::Column(c) => Transformed::yes(Expr::Column(Column::new_unqualified(c.name))),
            other => Transformed::no(other),
        })
    })
    .data()
}

/// About as many files in each of `partitions`, in their order: [`FileGroup::split_files`] would sort
/// them by name first.
fn in_turn(files: &[PartitionedFile], partitions: usize) -> Vec<FileGroup> {
    let each = files.len().div_ceil(partitions.max(1)).max(1);
    files.chunks(each).map(|files| FileGroup::new(files.to_vec())).collect()
}

#[async_trait]
impl TableProvider for FileTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(self.table_schema.table_schema())
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> DfResult<Vec<TableProviderFilterPushDown>> {
        let is_partition = |name: &str| self.partition_schema.field_with_name(name).is_ok();
        Ok(filters
            .iter()
            .map(|f| {
                let columns = f.column_refs();
                if !columns.is_empty() && columns.iter().all(|c| is_partition(&c.name)) && !f.is_volatile() {
                    TableProviderFilterPushDown::Exact
                } else {
                    TableProviderFilterPushDown::Unsupported
                }
            })
            .collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        self.check_columns(projection)?;
        self.check_corrupt_column(projection)?;
        let mut files = self.prune(state, filters)?;
        // Spark packs the largest file first, which decides the order of rows.
        files.sort_by_key(|f| std::cmp::Reverse(f.object_meta.size));
        if files.is_empty() {
            let schema = match projection {
                Some(p) => Arc::new(self.schema().project(p)?),
                None => self.schema(),
            };
            return Ok(Arc::new(EmptyExec::new(schema)));
        }
        let statistics = self.statistics(&files)?;
        let as_read = self.file_schema.as_ref().unwrap_or(&self.table_schema);
        let source = self.format.source(state, &self.store, as_read.clone(), &files)?;
        let groups = in_turn(&files, state.config().target_partitions());
        let config = FileScanConfigBuilder::new(self.store.clone(), source)
            .with_file_groups(groups)
            .with_statistics(statistics)
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .build();
        self.renamed(DataSourceExec::from_data_source(config), projection)
    }
}
