//! Results of a job between the executors and the client: bounded memory, then files.

use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::ipc::reader::StreamReader;
use datafusion::arrow::ipc::writer::StreamWriter;
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::{DataFusionError, Result, exec_datafusion_err};
use tempfile::{NamedTempFile, TempPath};
use tokio::sync::mpsc;

/// Batches that a client may be behind when they come from a file.
const READ_AHEAD: usize = 2;

/// The memory that the buffers of one job share.
#[derive(Debug, Clone)]
pub(super) struct Budget {
    used: Arc<AtomicUsize>,
    limit: usize,
    spill_dir: PathBuf,
}

impl Budget {
    pub(super) fn new(limit: usize, spill_dir: Option<PathBuf>) -> Self {
        let spill_dir = spill_dir.unwrap_or_else(std::env::temp_dir);
        Budget { used: Arc::default(), limit, spill_dir }
    }

    fn take(&self, bytes: usize) -> bool {
        let taken = self.used.fetch_update(Ordering::AcqRel, Ordering::Acquire, |used| {
            used.checked_add(bytes).filter(|sum| *sum <= self.limit)
        });
        taken.is_ok()
    }
}

/// The rows of one result partition, in order: first those in memory, then those in the file.
pub(super) struct PartitionBuffer {
    budget: Budget,
    memory: Vec<RecordBatch>,
    held: usize,
    spill: Option<Spill>,
}

struct Spill {
    path: TempPath,
    /// Absent once the last batch has been written.
    writer: Option<Box<StreamWriter<BufWriter<File>>>>,
}

impl Drop for PartitionBuffer {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.held, Ordering::AcqRel);
    }
}

impl PartitionBuffer {
    pub(super) fn new(budget: Budget) -> Self {
        PartitionBuffer { budget, memory: Vec::new(), held: 0, spill: None }
    }

    /// Adds a batch at the end.
    pub(super) async fn push(&mut self, batch: RecordBatch) -> Result<()> {
        let bytes = batch.get_array_memory_size();
        // Once a batch is in the file all later ones follow it there, to keep the order.
        if self.spill.is_none() && self.budget.take(bytes) {
            self.held += bytes;
            self.memory.push(batch);
            return Ok(());
        }
        let mut spill = match self.spill.take() {
            Some(spill) => spill,
            None => open(self.budget.spill_dir.clone(), batch.schema()).await?,
        };
        let spill = blocking(move || {
            if let Some(writer) = &mut spill.writer {
                writer.write(&batch)?;
            }
            Ok(spill)
        })
        .await?;
        self.spill = Some(spill);
        Ok(())
    }

    /// Says that no batch follows.
    pub(super) async fn finish(&mut self) -> Result<()> {
        let Some(mut spill) = self.spill.take() else {
            return Ok(());
        };
        let spill = blocking(move || {
            if let Some(mut writer) = spill.writer.take() {
                writer.finish()?;
            }
            Ok(spill)
        })
        .await?;
        self.spill = Some(spill);
        Ok(())
    }

    /// Hands all batches to `tx`; `false` when nobody listens any more.
    pub(super) async fn drain(mut self, tx: &mpsc::Sender<Result<RecordBatch>>) -> Result<bool> {
        for batch in std::mem::take(&mut self.memory) {
            let bytes = batch.get_array_memory_size();
            if tx.send(Ok(batch)).await.is_err() {
                return Ok(false);
            }
            self.budget.used.fetch_sub(bytes, Ordering::AcqRel);
            self.held -= bytes;
        }
        let Some(spill) = self.spill.take() else {
            return Ok(true);
        };
        let (from_file, mut batches) = mpsc::channel(READ_AHEAD);
        let reading = tokio::task::spawn_blocking(move || read(&spill.path, &from_file));
        while let Some(batch) = batches.recv().await {
            if tx.send(Ok(batch)).await.is_err() {
                return Ok(false);
            }
        }
        reading.await.map_err(|e| exec_datafusion_err!("reading spilled results failed: {e}"))??;
        Ok(true)
    }
}

async fn open(dir: PathBuf, schema: SchemaRef) -> Result<Spill> {
    blocking(move || {
        let (file, path) = NamedTempFile::with_prefix_in("firesteel-result-", dir)?.into_parts();
        let writer = StreamWriter::try_new_buffered(file, &schema)?;
        Ok(Spill { path, writer: Some(Box::new(writer)) })
    })
    .await
}

fn read(path: &TempPath, to: &mpsc::Sender<RecordBatch>) -> Result<()> {
    let reader = StreamReader::try_new(BufReader::new(File::open(path)?), None)?;
    for batch in reader {
        if to.blocking_send(batch?).is_err() {
            break;
        }
    }
    Ok(())
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(e) => Err(DataFusionError::Execution(format!("spilling results failed: {e}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::arrow::array::{ArrayRef, Int64Array};

    fn batch(from: i64) -> RecordBatch {
        let column: ArrayRef = Arc::new(Int64Array::from_iter_values(from..from + 100));
        RecordBatch::try_from_iter([("n", column)]).expect("one column")
    }

    async fn through(limit: usize, dir: &tempfile::TempDir) -> (Vec<RecordBatch>, usize) {
        let budget = Budget::new(limit, Some(dir.path().to_owned()));
        let mut buffer = PartitionBuffer::new(budget.clone());
        for i in 0..10 {
            buffer.push(batch(i * 100)).await.expect("push");
        }
        buffer.finish().await.expect("finish");
        let files = dir.path().read_dir().expect("directory").count();
        let (tx, mut rx) = mpsc::channel::<Result<RecordBatch>>(1);
        let collect = async {
            let mut batches = Vec::new();
            while let Some(batch) = rx.recv().await {
                batches.push(batch.expect("batch"));
            }
            batches
        };
        let drain = async move { buffer.drain(&tx).await.expect("drain") };
        let (open, batches) = tokio::join!(drain, collect);
        assert!(open);
        assert_eq!(budget.used.load(Ordering::Acquire), 0, "all memory is given back");
        (batches, files)
    }

    #[tokio::test]
    async fn order_and_rows_survive_any_budget() {
        let expected: Vec<_> = (0..10).map(|i| batch(i * 100)).collect();
        for (limit, spills) in [(usize::MAX, 0), (3000, 1), (0, 1)] {
            let dir = tempfile::tempdir().expect("temporary directory");
            let (batches, files) = through(limit, &dir).await;
            assert_eq!(batches, expected, "limit {limit}");
            assert_eq!(files, spills, "limit {limit}");
            assert_eq!(dir.path().read_dir().expect("directory").count(), 0, "files are removed");
        }
    }

    #[tokio::test]
    async fn a_dropped_buffer_leaves_nothing() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let budget = Budget::new(3000, Some(dir.path().to_owned()));
        let mut buffer = PartitionBuffer::new(budget.clone());
        for i in 0..10 {
            buffer.push(batch(i)).await.expect("push");
        }
        drop(buffer);
        assert_eq!(budget.used.load(Ordering::Acquire), 0);
        assert_eq!(dir.path().read_dir().expect("directory").count(), 0);
    }
}
