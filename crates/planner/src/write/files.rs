//! The files that one task writes: one, or one for each partition folder and size limit.

use std::collections::HashMap;

use arrow::array::{Array, ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::SchemaRef;
use arrow::row::{RowConverter, SortField};
use spark::types::{StructField, StructType};
use spark::{Error, Result};
use std::sync::Arc;

use super::WriteSpec;
use super::commit::Job;
use super::parquet::ParquetFile;
use super::rows::RowFile;
use crate::source::partitions::{NULL_NAME, escape};
use crate::source::same_name;
use crate::text::Printer;

/// Partition folders written to at a time; the one opened first is closed for the next.
const MAX_OPEN: usize = 64;

/// The columns that are written into files, with their places in the batches.
pub fn data_fields(spec: &WriteSpec) -> Vec<(usize, &StructField)> {
    let is_partition = |name: &str| spec.partition_by.iter().any(|p| same_name(p, name, spec.case_sensitive));
    spec.columns.iter().copied().zip(&spec.schema.fields).filter(|(_, f)| !is_partition(&f.name)).collect()
}

fn partition_fields(spec: &WriteSpec) -> Vec<(usize, StructField)> {
    spec.partition_by
        .iter()
        .filter_map(|name| {
            let at = spec.schema.fields.iter().position(|f| same_name(&f.name, name, spec.case_sensitive))?;
            Some((spec.columns[at], StructField { name: name.clone(), ..spec.schema.fields[at].clone() }))
        })
        .collect()
}

/// The open files of a task.
pub struct Files<'a> {
    job: &'a Job,
    spec: &'a WriteSpec,
    task: usize,
    data: Vec<usize>,
    data_schema: StructType,
    arrow: SchemaRef,
    partitions: Vec<(usize, StructField)>,
    printer: Printer,
    max_rows: u64,
    open: HashMap<String, OpenFile>,
    order: Vec<String>,
    /// Files of each folder so far.
    counters: HashMap<String, usize>,
    staged: Vec<String>,
}

struct OpenFile {
    writer: Writer,
    relative: String,
    rows: u64,
}

enum Writer {
    Parquet(Box<ParquetFile>),
    Rows(Box<RowFile>),
}

impl<'a> Files<'a> {
    pub fn new(job: &'a Job, spec: &'a WriteSpec, task: usize) -> Result<Self> {
        let fields = data_fields(spec);
        let data_schema =
            StructType::new(fields.iter().map(|(_, f)| StructField { nullable: true, ..(*f).clone() }).collect());
        let max_rows = spec.options.int("maxRecordsPerFile", 0)?;
        Ok(Files {
            job,
            spec,
            task,
            data: fields.iter().map(|(i, _)| *i).collect(),
            arrow: crate::source::table::arrow_schema(&data_schema),
            data_schema,
            partitions: partition_fields(spec),
            printer: Printer::new(&spec.time_zone),
            max_rows: u64::try_from(max_rows).unwrap_or(0),
            open: HashMap::new(),
            order: Vec::new(),
            counters: HashMap::new(),
            staged: Vec::new(),
        })
    }

    /// Writes the rows of a batch to where they belong.
    pub async fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        if self.partitions.is_empty() {
            return self.append(String::new(), batch).await;
        }
        for (folder, rows) in self.split(batch)? {
            let part = take_record_batch(batch, &rows).map_err(|e| Error::internal(e.to_string()))?;
            self.append(folder, &part).await?;
        }
        Ok(())
    }

    /// The rows of a batch by their folder.
    fn split(&self, batch: &RecordBatch) -> Result<Vec<(String, UInt32Array)>> {
        let columns: Vec<ArrayRef> = self.partitions.iter().map(|(i, _)| Arc::clone(batch.column(*i))).collect();
        let fields = columns.iter().map(|c| SortField::new(c.data_type().clone())).collect();
        let rows = RowConverter::new(fields)
            .and_then(|c| c.convert_columns(&columns))
            .map_err(|e| Error::internal(format!("partition columns cannot be compared: {e}")))?;
        let mut groups: indexmap::IndexMap<arrow::row::Row<'_>, Vec<u32>> = indexmap::IndexMap::new();
        for (i, row) in rows.iter().enumerate() {
            groups.entry(row).or_default().push(i as u32);
        }
        Ok(groups.into_values().map(|at| (self.folder(&columns, at[0] as usize), UInt32Array::from(at))).collect())
    }

    fn folder(&self, columns: &[ArrayRef], row: usize) -> String {
        let parts: Vec<String> = self
            .partitions
            .iter()
            .zip(columns)
            .map(|((_, field), column)| {
                let text =
                    if column.is_null(row) { String::new() } else { self.printer.cell(column, row, &field.data_type) };
                let value = if text.is_empty() { NULL_NAME.to_string() } else { escape(&text) };
                format!("{}={value}", escape(&field.name))
            })
            .collect();
        format!("{}/", parts.join("/"))
    }

    async fn append(&mut self, folder: String, batch: &RecordBatch) -> Result<()> {
        let mut offset = 0;
        while offset < batch.num_rows() {
            if !self.open.contains_key(&folder) {
                self.make_room().await?;
                let file = self.create(&folder)?;
                self.open.insert(folder.clone(), file);
                self.order.push(folder.clone());
            }
            let data = self.data_batch(batch)?;
            let Some(file) = self.open.get_mut(&folder) else { return Err(Error::internal("an open file is gone")) };
            let room = if self.max_rows == 0 { u64::MAX } else { self.max_rows - file.rows };
            let take = room.min((batch.num_rows() - offset) as u64) as usize;
            file.writer.write(&data.slice(offset, take)).await?;
            file.rows += take as u64;
            offset += take;
            if self.max_rows > 0 && file.rows >= self.max_rows {
                self.close(&folder).await?;
            }
        }
        Ok(())
    }

    fn data_batch(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let columns = self.data.iter().zip(self.arrow.fields()).map(|(&i, f)| {
            let column = batch.column(i);
            if column.data_type() == f.data_type() {
                Ok(Arc::clone(column))
            } else {
                arrow::compute::cast(column, f.data_type())
            }
        });
        let columns =
            columns.collect::<std::result::Result<Vec<_>, _>>().map_err(|e| Error::internal(e.to_string()))?;
        let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(Arc::clone(&self.arrow), columns, &options)
            .map_err(|e| Error::internal(e.to_string()))
    }

    fn create(&mut self, folder: &str) -> Result<OpenFile> {
        let (task, id) = (self.task, &self.job.id);
        let counter = self.counters.entry(folder.to_string()).or_default();
        let separator = if self.partitions.is_empty() { '-' } else { '.' };
        let stem = format!("{folder}part-{task:05}-{id}{separator}c{counter:03}");
        *counter += 1;
        let (writer, relative) = if self.spec.format == "parquet" {
            let codec = ParquetFile::codec(self.spec)?;
            let relative = format!("{stem}{}.parquet", codec.extension());
            let file = ParquetFile::create(self.job.create(&relative)?, &self.data_schema, &self.arrow, codec)?;
            (Writer::Parquet(Box::new(file)), relative)
        } else {
            let relative = format!("{stem}{}", RowFile::extension(self.spec)?);
            let file = RowFile::create(self.job.create(&relative)?, &self.data_schema, self.spec)?;
            (Writer::Rows(Box::new(file)), relative)
        };
        Ok(OpenFile { writer, relative, rows: 0 })
    }

    async fn make_room(&mut self) -> Result<()> {
        if self.open.len() >= MAX_OPEN
            && let Some(oldest) = self.order.first().cloned()
        {
            self.close(&oldest).await?;
        }
        Ok(())
    }

    async fn close(&mut self, folder: &str) -> Result<()> {
        self.order.retain(|f| f != folder);
        if let Some(file) = self.open.remove(folder) {
            file.writer.finish().await?;
            self.staged.push(file.relative);
        }
        Ok(())
    }

    /// Closes every file; the first task leaves one even without rows, for its schema.
    pub async fn finish(mut self) -> Result<Vec<String>> {
        if self.task == 0 && self.staged.is_empty() && self.open.is_empty() && self.partitions.is_empty() {
            let file = self.create("")?;
            self.open.insert(String::new(), file);
        }
        let open: Vec<String> = self.open.keys().cloned().collect();
        for folder in open {
            self.close(&folder).await?;
        }
        Ok(self.staged)
    }
}

impl Writer {
    async fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        match self {
            Writer::Parquet(file) => file.write(batch).await,
            Writer::Rows(file) => file.write(batch).await,
        }
    }

    async fn finish(self) -> Result<()> {
        match self {
            Writer::Parquet(file) => file.finish().await,
            Writer::Rows(file) => file.finish().await,
        }
    }
}
