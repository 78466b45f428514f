//! Record batches → `ArrowBatch` messages: every batch is an IPC stream of its own, with its schema
//! and exactly one record batch, cut into chunks where the client takes them.

use arrow::array::RecordBatch;
use arrow::ipc::writer::StreamWriter;
use arrow_schema::SchemaRef;
use bytes::Bytes;
use proto::spark_connect::execute_plan_response::ArrowBatch;
use spark::{Error, Result};

/// A message must stay below what clients accept (128 MiB) with room for its envelope.
pub const MAX_BATCH_BYTES: usize = 120 << 20;

/// Smallest and largest chunk a client may ask for.
const MIN_CHUNK_BYTES: i64 = 1024;

/// Turns the batches of one result into messages; counts the rows that went before.
#[derive(Debug)]
pub struct BatchEncoder {
    chunk_bytes: Option<usize>,
    rows: i64,
    sent: bool,
}

impl BatchEncoder {
    /// `chunk_bytes`: the size the client prefers, if it takes chunks.
    pub fn new(chunk_bytes: Option<usize>) -> Self {
        BatchEncoder { chunk_bytes, rows: 0, sent: false }
    }

    /// The chunk size for what the client asks: at least 1 KB, at most a whole message.
    pub fn chunk_size(allowed: bool, preferred: Option<i64>) -> Option<usize> {
        let max = MAX_BATCH_BYTES as i64;
        allowed.then(|| preferred.unwrap_or(max).clamp(MIN_CHUNK_BYTES, max) as usize)
    }

    /// The messages of one batch; none for an empty batch after others.
    pub fn encode(&mut self, batch: &RecordBatch) -> Result<Vec<ArrowBatch>> {
        if batch.num_rows() == 0 && self.sent {
            return Ok(Vec::new());
        }
        let data = ipc_stream(&batch.schema(), Some(batch))?;
        let rows = batch.num_rows();
        if data.len() > MAX_BATCH_BYTES && rows > 1 {
            let mut messages = self.encode(&batch.slice(0, rows / 2))?;
            messages.extend(self.encode(&batch.slice(rows / 2, rows - rows / 2))?);
            return Ok(messages);
        }
        self.sent = true;
        let start = self.rows;
        self.rows += rows as i64;
        Ok(self.messages(data.into(), rows as i64, start))
    }

    /// Whether a batch went out: a result without any is not one.
    pub fn any_sent(&self) -> bool {
        self.sent
    }

    fn messages(&self, data: Bytes, row_count: i64, start: i64) -> Vec<ArrowBatch> {
        let Some(chunk) = self.chunk_bytes else {
            let whole = ArrowBatch { row_count, data, start_offset: Some(start), ..Default::default() };
            return vec![whole];
        };
        let count = data.len().div_ceil(chunk).max(1);
        (0..count)
            .map(|i| ArrowBatch {
                row_count,
                data: data.slice(i * chunk..data.len().min((i + 1) * chunk)),
                start_offset: Some(start),
                chunk_index: Some(i as i64),
                num_chunks_in_batch: Some(count as i64),
            })
            .collect()
    }
}

/// A complete IPC stream of the schema and at most one batch.
pub fn ipc_stream(schema: &SchemaRef, batch: Option<&RecordBatch>) -> Result<Vec<u8>> {
    let failed = |e: arrow_schema::ArrowError| Error::internal(format!("encoding an Arrow batch: {e}"));
    let rows = batch.map_or(0, RecordBatch::num_rows);
    let mut out = Vec::with_capacity(512 + rows * 16);
    let mut writer = StreamWriter::try_new(&mut out, schema).map_err(failed)?;
    if let Some(batch) = batch {
        writer.write(batch).map_err(failed)?;
    }
    writer.finish().map_err(failed)?;
    drop(writer);
    Ok(out)
}

/// All batches as one IPC stream: the result of a SQL command, which travels inside a relation.
pub fn ipc_table(schema: &SchemaRef, batches: &[RecordBatch]) -> Result<Vec<u8>> {
    let failed = |e: arrow_schema::ArrowError| Error::internal(format!("encoding an Arrow batch: {e}"));
    let batch = arrow::compute::concat_batches(schema, batches).map_err(failed)?;
    ipc_stream(schema, Some(&batch))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int32Array, StringArray};
    use arrow::ipc::reader::StreamReader;
    use arrow_schema::{DataType, Field, Schema};

    use super::*;

    fn batch(rows: i32) -> Result<RecordBatch> {
        let schema = Arc::new(Schema::new(vec![
            Field::new("a", DataType::Int32, false),
            Field::new("s", DataType::Utf8, false),
        ]));
        let numbers = Int32Array::from_iter_values(0..rows);
        let texts = StringArray::from_iter_values((0..rows).map(|i| "x".repeat(i as usize % 100)));
        RecordBatch::try_new(schema, vec![Arc::new(numbers), Arc::new(texts)])
            .map_err(|e| Error::internal(e.to_string()))
    }

    fn read(data: &[u8]) -> Vec<usize> {
        StreamReader::try_new(data, None).into_iter().flatten().flatten().map(|b| b.num_rows()).collect()
    }

    #[test]
    fn every_message_is_a_stream_of_one_batch() -> Result<()> {
        let mut encoder = BatchEncoder::new(None);
        for (rows, start) in [(3, 0), (5, 3), (1, 8)] {
            let messages = encoder.encode(&batch(rows)?)?;
            assert_eq!(messages.len(), 1);
            assert_eq!(read(&messages[0].data), [rows as usize]);
            assert_eq!((messages[0].row_count, messages[0].start_offset), (i64::from(rows), Some(start)));
        }
        assert!(encoder.encode(&batch(0)?)?.is_empty());
        Ok(())
    }

    #[test]
    fn an_empty_result_has_one_empty_batch() -> Result<()> {
        let mut encoder = BatchEncoder::new(None);
        let messages = encoder.encode(&batch(0)?)?;
        assert_eq!((messages.len(), messages[0].row_count, messages[0].start_offset), (1, 0, Some(0)));
        assert_eq!(read(&messages[0].data), [0]);
        Ok(())
    }

    #[test]
    fn chunks_add_up_to_the_stream() -> Result<()> {
        let whole = BatchEncoder::new(None).encode(&batch(500)?)?;
        let mut encoder = BatchEncoder::new(BatchEncoder::chunk_size(true, Some(1024)));
        let chunks = encoder.encode(&batch(500)?)?;
        assert!(chunks.len() > 2);
        let joined: Vec<u8> = chunks.iter().flat_map(|c| c.data.to_vec()).collect();
        assert_eq!(joined, whole[0].data);
        for (i, chunk) in chunks.iter().enumerate() {
            assert_eq!(chunk.chunk_index, Some(i as i64));
            assert_eq!(chunk.num_chunks_in_batch, Some(chunks.len() as i64));
            assert_eq!((chunk.row_count, chunk.start_offset), (500, Some(0)));
        }
        Ok(())
    }

    #[test]
    fn chunk_sizes_are_clamped() {
        for (allowed, preferred, size) in [
            (false, Some(5), None),
            (true, Some(5), Some(1024)),
            (true, Some(2000), Some(2000)),
            (true, Some(i64::MAX), Some(MAX_BATCH_BYTES)),
            (true, None, Some(MAX_BATCH_BYTES)),
        ] {
            assert_eq!(BatchEncoder::chunk_size(allowed, preferred), size);
        }
    }
}
