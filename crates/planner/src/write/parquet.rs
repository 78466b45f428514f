//! Parquet files as Spark writes them: its own schema in the footer, Spark's logical types.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, IntervalYearMonthArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType as Arrow, Field, Int32Type, Schema, SchemaRef};
use datafusion::parquet::arrow::AsyncArrowWriter;
use datafusion::parquet::arrow::arrow_writer::ArrowWriterOptions;
use datafusion::parquet::basic::{Compression, GzipLevel, ZstdLevel};
use datafusion::parquet::file::metadata::KeyValue;
use datafusion::parquet::file::properties::WriterProperties;
use object_store::buffered::BufWriter;
use spark::types::{DataType, StructType};
use spark::{Error, Result};

use super::{WriteSpec, unsupported_type};

/// Bytes of a row group held in memory before it is written out.
const ROW_GROUP_BYTES: usize = 64 << 20;

/// A codec by Spark's name.
#[derive(Debug, Clone, Copy)]
pub struct Codec {
    name: &'static str,
    compression: Compression,
}

impl Codec {
    /// What stands before `.parquet` in the file's name.
    pub fn extension(&self) -> &'static str {
        self.name
    }
}

/// A file being written.
pub struct ParquetFile {
    writer: AsyncArrowWriter<BufWriter>,
    schema: SchemaRef,
}

/// Refuses types that parquet has no form for.
///
/// # Errors
/// `UNSUPPORTED_DATA_TYPE_FOR_DATASOURCE`.
pub fn check_type(column: &str, ty: &DataType) -> Result<()> {
    match ty {
        DataType::CalendarInterval => Err(unsupported_type("Parquet", column, ty)),
        DataType::Array { element, .. } => check_type(column, element),
        DataType::Map { key, value, .. } => check_type(column, key).and_then(|()| check_type(column, value)),
        DataType::Struct(s) => s.fields.iter().try_for_each(|f| check_type(column, &f.data_type)),
        _ => Ok(()),
    }
}

impl ParquetFile {
    /// The codec that a write asks for.
    ///
    /// # Errors
    /// `CODEC_NOT_AVAILABLE` for one that is not here.
    pub fn codec(spec: &WriteSpec) -> Result<Codec> {
        let name = spec.options.any(&["compression", "parquet.compression"]).unwrap_or(&spec.default_compression);
        let codec = |name, compression| Ok(Codec { name, compression });
        match name.to_ascii_lowercase().as_str() {
            "snappy" => codec(".snappy", Compression::SNAPPY),
            "none" | "uncompressed" => codec("", Compression::UNCOMPRESSED),
            "gzip" => codec(".gz", Compression::GZIP(GzipLevel::default())),
            "zstd" => codec(".zstd", Compression::ZSTD(ZstdLevel::default())),
            "lz4" => codec(".lz4hadoop", Compression::LZ4),
            "lz4_raw" => codec(".lz4raw", Compression::LZ4_RAW),
            "brotli" => codec(".br", Compression::BROTLI(Default::default())),
            other => Err(Error::new(
                spark::ErrorKind::IllegalArgument,
                "CODEC_NOT_AVAILABLE.WITH_AVAILABLE_CODECS_SUGGESTION",
            )
            .param("codecName", other)
            .param("availableCodecs", "brotli, uncompressed, lzo, snappy, lz4_raw, none, zstd, lz4, gzip")
            .with_message(format!("There is no codec {other}."))),
        }
    }

    pub fn create(file: BufWriter, schema: &StructType, arrow: &SchemaRef, codec: Codec) -> Result<Self> {
        let stored: SchemaRef = Arc::new(Schema::new(
            arrow.fields().iter().map(|f| Field::new(f.name(), stored_type(f.data_type()), true)).collect::<Vec<_>>(),
        ));
        let metadata = vec![
            KeyValue::new("org.apache.spark.version".to_string(), "4.3.0".to_string()),
            KeyValue::new("org.apache.spark.sql.parquet.row.metadata".to_string(), schema.to_json().to_string()),
        ];
        let properties = WriterProperties::builder()
            .set_compression(codec.compression)
            .set_created_by(format!("firesteel version {}", env!("CARGO_PKG_VERSION")))
            .set_key_value_metadata(Some(metadata))
            .set_coerce_types(true)
            .build();
        let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
        let writer = AsyncArrowWriter::try_new_with_options(file, Arc::clone(&stored), options).map_err(failed)?;
        Ok(ParquetFile { writer, schema: stored })
    }

    pub async fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let columns = batch
            .columns()
            .iter()
            .zip(self.schema.fields())
            .map(|(c, f)| stored(c, f.data_type()))
            .collect::<Result<Vec<_>>>()?;
        let batch =
            RecordBatch::try_new(Arc::clone(&self.schema), columns).map_err(|e| Error::internal(e.to_string()))?;
        self.writer.write(&batch).await.map_err(failed)?;
        if self.writer.in_progress_size() > ROW_GROUP_BYTES {
            self.writer.flush().await.map_err(failed)?;
        }
        Ok(())
    }

    pub async fn finish(self) -> Result<()> {
        self.writer.close().await.map(drop).map_err(failed)
    }
}

/// Intervals are stored as the numbers they are made of.
fn stored_type(ty: &Arrow) -> Arrow {
    match ty {
        Arrow::Duration(_) => Arrow::Int64,
        Arrow::Interval(_) => Arrow::Int32,
        other => functions::nanos::in_files(other),
    }
}

fn stored(column: &ArrayRef, ty: &Arrow) -> Result<ArrayRef> {
    if column.data_type() == ty {
        Ok(Arc::clone(column))
    } else if let Some(months) = column.as_any().downcast_ref::<IntervalYearMonthArray>() {
        Ok(Arc::new(months.reinterpret_cast::<Int32Type>()))
    } else if functions::nanos::in_files(column.data_type()) == *ty {
        functions::nanos::in_form(column, ty).map_err(|e| {
            let why = functions::error::from_datafusion(e);
            failed(datafusion::parquet::errors::ParquetError::External(Box::new(why)))
        })
    } else {
        cast(column, ty).map_err(|e| Error::internal(e.to_string()))
    }
}

fn failed(error: datafusion::parquet::errors::ParquetError) -> Error {
    Error::new(spark::ErrorKind::Spark, "TASK_WRITE_FAILED")
        .with_message(format!("A parquet file could not be written: {error}"))
}
