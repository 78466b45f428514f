//! The file source of text records.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileOpenFuture, FileOpener, FileScanConfig, FileSource};
use datafusion::datasource::projection::{ProjectionOpener, SplitProjection};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::projection::ProjectionExprs;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use futures::StreamExt;
use object_store::ObjectStore;
use spark::types::DataType;

use super::builder::{Builders, Scalar};
use super::lines::{LineSplitter, bytes};
use super::{Encoding, Kind, RowFormat, Shared};
use crate::source::bad_files::{Blame, unreadable};
use crate::source::file_columns;

/// Rows in a batch where the session says nothing.
const BATCH_ROWS: usize = 8192;

/// Reads files of text records.
#[derive(Clone)]
pub struct RowSource {
    format: Shared,
    splittable: bool,
    table_schema: TableSchema,
    projection: SplitProjection,
    batch_size: usize,
    metrics: ExecutionPlanMetricsSet,
}

impl RowSource {
    /// `splittable`: no file of the scan is compressed.
    pub fn new(format: Shared, table_schema: TableSchema, splittable: bool) -> Self {
        RowSource {
            splittable: splittable && format.splittable(),
            format,
            projection: SplitProjection::unprojected(&table_schema),
            table_schema,
            batch_size: BATCH_ROWS,
            metrics: ExecutionPlanMetricsSet::new(),
        }
    }

    /// The format, for the wire.
    pub fn format(&self) -> &RowFormat {
        &self.format
    }

    /// Whether files may be read in parts.
    pub fn splittable(&self) -> bool {
        self.splittable
    }
}

impl FileSource for RowSource {
    fn create_file_opener(
        &self,
        store: Arc<dyn ObjectStore>,
        config: &FileScanConfig,
        _partition: usize,
    ) -> Result<Arc<dyn FileOpener>> {
        let file_schema = self.table_schema.file_schema();
        let fields = self.projection.file_indices.clone();
        let opener = RowOpener {
            store,
            url: config.object_store_url.clone(),
            format: Arc::clone(&self.format),
            schema: Arc::new(file_schema.project(&fields)?),
            types: fields.iter().map(|&i| self.format.schema.fields[i].data_type.clone()).collect(),
            fields,
            batch_size: self.batch_size,
        };
        ProjectionOpener::try_new(self.projection.clone(), Arc::new(opener), file_schema)
    }

    fn table_schema(&self) -> &TableSchema {
        &self.table_schema
    }

    fn with_batch_size(&self, batch_size: usize) -> Arc<dyn FileSource> {
        Arc::new(RowSource { batch_size, ..self.clone() })
    }

    fn projection(&self) -> Option<&ProjectionExprs> {
        Some(&self.projection.source)
    }

    fn metrics(&self) -> &ExecutionPlanMetricsSet {
        &self.metrics
    }

    fn file_type(&self) -> &str {
        match self.format.kind {
            Kind::Csv(_) => "csv",
            Kind::Json(_) => "json",
            Kind::Xml(_) => "xml",
            Kind::Text => "text",
            Kind::Binary => "binaryFile",
        }
    }

    fn supports_repartitioning(&self) -> bool {
        self.splittable
    }

    fn try_pushdown_projection(&self, projection: &ProjectionExprs) -> Result<Option<Arc<dyn FileSource>>> {
        let merged = self.projection.source.try_merge(projection)?;
        let projection = SplitProjection::new(self.table_schema.file_schema(), &merged);
        Ok(Some(Arc::new(RowSource { projection, ..self.clone() })))
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        datafusion::physical_plan::apply_expression_roots(self.projection.source.iter(), f)
    }
}

struct RowOpener {
    store: Arc<dyn ObjectStore>,
    url: ObjectStoreUrl,
    format: Shared,
    schema: SchemaRef,
    types: Vec<DataType>,
    fields: Vec<usize>,
    batch_size: usize,
}

impl FileOpener for RowOpener {
    fn open(&self, file: PartitionedFile) -> Result<FileOpenFuture> {
        let store = Arc::clone(&self.store);
        let format = Arc::clone(&self.format);
        let builders = Builders::new(Arc::clone(&self.schema), self.types.clone(), self.fields.clone());
        let builders = builders.with_defaults(&self.format)?;
        let batch_size = self.batch_size.max(1);
        let path = file_columns::url(&self.url, file.object_meta.location.as_ref());
        let blame = Blame { path: path.clone(), policy: self.format.bad_files };
        Ok(Box::pin(async move {
            let stream = match bytes(&store, &file).await {
                Ok(stream) => stream,
                Err(error) => return blame.judge(error).map_or_else(|| Ok(futures::stream::empty().boxed()), Err),
            };
            let reader = Reader {
                splitter: LineSplitter::new(&file, format.line_separator.as_deref()),
                first: file.range.as_ref().is_none_or(|r| r.start == 0),
                whole: Vec::new(),
                format,
                builders,
                batch_size,
                file,
                path,
                ended: false,
            };
            Ok(blame.guard(batches(stream, reader)))
        }))
    }
}

struct Reader {
    splitter: LineSplitter,
    first: bool,
    whole: Vec<u8>,
    format: Shared,
    builders: Builders,
    batch_size: usize,
    file: PartitionedFile,
    /// The file as Spark prints it.
    path: String,
    ended: bool,
}

fn batches(
    stream: futures::stream::BoxStream<'static, Result<bytes::Bytes>>,
    reader: Reader,
) -> futures::stream::BoxStream<'static, Result<arrow::array::RecordBatch>> {
    futures::stream::try_unfold((stream, reader), |(mut stream, mut reader)| async move {
        while !reader.ended && reader.builders.rows < reader.batch_size {
            match stream.next().await {
                Some(chunk) if !reader.splitter.done => reader.push(&chunk?)?,
                _ => reader.finish()?,
            }
        }
        if reader.builders.rows == 0 {
            return Ok(None);
        }
        let batch = reader.builders.finish()?;
        Ok(Some((batch, (stream, reader))))
    })
    .boxed()
}

impl Reader {
    fn push(&mut self, chunk: &[u8]) -> Result<()> {
        if !self.format.splittable() {
            self.whole.extend_from_slice(chunk);
            return Ok(());
        }
        let (format, builders, first) = (&self.format, &mut self.builders, &mut self.first);
        let path = &self.path;
        self.splitter.push(chunk, &mut |line| record(format, line, first, builders, path))
    }

    fn finish(&mut self) -> Result<()> {
        self.ended = true;
        if matches!(self.format.kind, Kind::Binary) {
            return self.binary_file();
        }
        let (format, builders, first) = (&self.format, &mut self.builders, &mut self.first);
        let path = &self.path;
        let mut on_line = |line: &[u8]| record(format, line, first, builders, path);
        let gathered = std::mem::take(&mut self.whole);
        let encoding = self.format.encoding_of(&gathered);
        let wide = !encoding.splits_at_bytes();
        let whole = if wide { encoding.decode(&gathered).into_owned().into_bytes() } else { gathered };
        if self.format.whole_file {
            return on_line(&whole);
        }
        self.splitter.push(&whole, &mut on_line)?;
        self.splitter.finish(&mut on_line)
    }

    /// `binaryFile`: one row of what is known of the file and its bytes.
    fn binary_file(&mut self) -> Result<()> {
        let meta = &self.file.object_meta;
        for (column, &field) in self.builders.columns.iter_mut().zip(&self.builders.fields) {
            column.append(match field {
                0 => Scalar::Text(format!("file:/{}", meta.location)),
                1 => Scalar::Integral(meta.last_modified.timestamp_micros()),
                2 => Scalar::Integral(i64::try_from(meta.size).unwrap_or(i64::MAX)),
                _ => Scalar::Bytes(std::mem::take(&mut self.whole)),
            });
        }
        self.builders.rows += 1;
        Ok(())
    }
}

fn record(format: &RowFormat, line: &[u8], first: &mut bool, builders: &mut Builders, path: &str) -> Result<()> {
    // What is no text in bytes was turned into one before its lines were found.
    let encoding = if format.encoding.splits_at_bytes() { format.encoding } else { Encoding::Utf8 };
    let text = encoding.decode(line);
    let replaced = encoding == Encoding::Utf8 && matches!(text, Cow::Owned(_));
    if replaced && matches!(format.kind, Kind::Text) && !builders.columns.is_empty() {
        // What the readers of CSV replace, a reader of text would keep.
        let start = std::str::from_utf8(line).map_or_else(|e| e.valid_up_to(), |_| line.len());
        let bad = &line[start..line.len().min(start + 4)];
        return Err(functions::error::external(functions::families::string::utf8::not_utf8(bad)));
    }
    // The header is the first line that is one.
    let skipped = matches!(&format.kind, Kind::Csv(csv) if csv.is_skipped(&text));
    let first_of_file = !skipped && std::mem::take(first);
    format.read(&text, first_of_file, builders).map_err(|e| failed(e, path))
}

/// A record that the mode `FAILFAST` stops at: not a corrupt file, which `ignoreCorruptFiles` would pass over.
fn failed(error: spark::Error, path: &str) -> DataFusionError {
    functions::error::external(unreadable(path, &error.text()))
}
