//! Writes one table as one parquet file, its row groups encoded in parallel and appended in order.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use arrow::datatypes::SchemaRef;
use indicatif::ProgressBar;
use parquet::arrow::arrow_writer::{
    ArrowColumnChunk, ArrowRowGroupWriterFactory, ArrowWriter, ArrowWriterOptions, compute_leaves,
};
use parquet::basic::Compression;
use parquet::errors::Result as ParquetResult;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;

use super::source::{Chunk, Table};
use crate::error::{Error, Result};

/// What a finished file holds.
pub struct Written {
    pub rows: u64,
    pub bytes: u64,
}

type Encoded = (usize, ParquetResult<Vec<ArrowColumnChunk>>);

/// Writes `table` to `<out>/<name>.parquet` on `threads` threads. The file takes its name only when
/// it is whole, so an interrupted run leaves no half table behind.
pub fn write(table: Table, out: &Path, threads: usize, bar: &ProgressBar) -> Result<Written> {
    let path = out.join(format!("{}.parquet", table.name));
    let partial = Partial(out.join(format!(".{}.parquet.partial", table.name)));
    let rows = write_file(&table, &partial.0, threads, bar)
        .map_err(|e| Error::data(format!("writing {}: {e}", path.display())))?;
    fs::rename(&partial.0, &path).map_err(|e| Error::io("rename to", &path, e))?;
    let bytes = fs::metadata(&path).map_err(|e| Error::io("read", &path, e))?.len();
    Ok(Written { rows, bytes })
}

/// Removes the unfinished file however the writing ends; once renamed there is nothing to remove.
struct Partial(PathBuf);

impl Drop for Partial {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn write_file(table: &Table, path: &Path, threads: usize, bar: &ProgressBar) -> ParquetResult<u64> {
    let (mut file, factory) = open(&table.schema, path)?;
    let workers = threads.min(table.chunks.len()).max(1);
    let queue = Queue { next: AtomicUsize::new(0), stop: AtomicBool::new(false), chunks: &table.chunks };
    thread::scope(|scope| {
        // One finished row group may wait per worker; more would only hold memory.
        let (sender, receiver) = sync_channel(workers);
        for _ in 0..workers {
            let sender = sender.clone();
            scope.spawn(|| queue.encode(&table.schema, &factory, sender));
        }
        drop(sender);
        let appended = append(&mut file, receiver, bar);
        queue.stop.store(true, Ordering::Relaxed);
        appended
    })?;
    let metadata = file.close()?;
    Ok(u64::try_from(metadata.file_metadata().num_rows()).unwrap_or_default())
}

fn open(
    schema: &SchemaRef,
    path: &Path,
) -> ParquetResult<(SerializedFileWriter<BufWriter<File>>, ArrowRowGroupWriterFactory)> {
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    // Without Arrow's own schema in the footer, every reader sees plain strings, dates and decimals.
    let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
    let file = BufWriter::new(File::create(path)?);
    ArrowWriter::try_new_with_options(file, schema.clone(), options)?.into_serialized_writer()
}

/// The chunks not yet taken by a worker.
struct Queue<'a> {
    next: AtomicUsize,
    stop: AtomicBool,
    chunks: &'a [Chunk],
}

impl Queue<'_> {
    fn encode(&self, schema: &SchemaRef, factory: &ArrowRowGroupWriterFactory, out: SyncSender<Encoded>) {
        while !self.stop.load(Ordering::Relaxed) {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(chunk) = self.chunks.get(index) else { return };
            if out.send((index, encode(chunk, index, schema, factory))).is_err() {
                return;
            }
        }
    }
}

fn encode(
    chunk: &Chunk,
    index: usize,
    schema: &SchemaRef,
    factory: &ArrowRowGroupWriterFactory,
) -> ParquetResult<Vec<ArrowColumnChunk>> {
    let mut columns = factory.create_column_writers(index)?;
    for batch in chunk() {
        let batch = batch?;
        let mut writers = columns.iter_mut();
        for (field, array) in schema.fields().iter().zip(batch.columns()) {
            for (leaf, writer) in compute_leaves(field, array)?.iter().zip(writers.by_ref()) {
                writer.write(leaf)?;
            }
        }
    }
    columns.into_iter().map(|column| column.close()).collect()
}

/// Appends row groups in table order, holding back those that finish early.
fn append(
    file: &mut SerializedFileWriter<BufWriter<File>>,
    encoded: Receiver<Encoded>,
    bar: &ProgressBar,
) -> ParquetResult<()> {
    let mut early = BTreeMap::new();
    let mut next = 0;
    for (index, columns) in encoded {
        early.insert(index, columns?);
        while let Some(columns) = early.remove(&next) {
            let mut row_group = file.next_row_group()?;
            for column in columns {
                column.append_to_row_group(&mut row_group)?;
            }
            row_group.close()?;
            next += 1;
            bar.inc(1);
        }
    }
    Ok(())
}
