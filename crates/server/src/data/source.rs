//! A table to generate: its schema and the independent chunks it is made of.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;

/// Rows of one parquet row group, the size DataFusion and Spark both split work by.
pub const ROW_GROUP_ROWS: u64 = 1 << 20;

/// The batches of one chunk, made as they are asked for.
pub type Batches = Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>>>;

/// Makes one chunk; chunks are independent, so each can be made on a thread of its own.
pub type Chunk = Box<dyn Fn() -> Batches + Send + Sync>;

/// One table; its chunks, in order, are its rows.
pub struct Table {
    pub name: &'static str,
    pub schema: SchemaRef,
    pub chunks: Vec<Chunk>,
}

/// How many chunks make row groups of about `ROW_GROUP_ROWS` out of `rows`.
pub fn chunk_count(rows: u64) -> u64 {
    rows.div_ceil(ROW_GROUP_ROWS).max(1)
}
