//! Whether the Arrow IPC stream of a client can be read at all. Arrow's reader makes room for as much as
//! a message says it has and stops the process or panics where that is wrong, so what a message says is
//! held against the bytes there are before the reader sees it.

use arrow::ipc::{
    self, BodyCompression, Buffer, DateUnit, Endianness, Field, FieldNode, IntervalUnit, MessageHeader, Precision,
    RecordBatch, TimeUnit, Type,
};
use arrow_schema::{ArrowError, DataType, FieldRef, Schema};
use spark::{Error, ErrorKind, Result};

/// A batch has at most so many rows: what a client sends at once is far smaller.
const MAX_ROWS: i64 = i32::MAX as i64;

/// A compressed buffer unpacks to at most so many bytes.
const MAX_UNPACKED: i64 = i32::MAX as i64;

type Checked<T> = std::result::Result<T, ArrowError>;

/// Checks every message of a stream.
///
/// # Errors
/// `CONNECT_INVALID_PLAN.CANNOT_PARSE`.
pub fn stream(data: &[u8]) -> Result<()> {
    messages(data).map_err(|e| {
        Error::new(ErrorKind::InvalidPlan, "CONNECT_INVALID_PLAN.CANNOT_PARSE")
            .param("errorMsg", e.to_string())
            .with_message(format!("The local relation is not an Arrow IPC stream: {e}"))
    })
}

fn bad(what: &str) -> ArrowError {
    ArrowError::IpcError(what.to_string())
}

fn messages(data: &[u8]) -> Checked<()> {
    let cut = || bad("a message is longer than the stream");
    let mut schema: Option<Schema> = None;
    let mut rest = data;
    while let Some((head, tail)) = rest.split_first_chunk::<4>() {
        let (length, tail) = match *head {
            [0xFF, 0xFF, 0xFF, 0xFF] => tail.split_first_chunk::<4>().ok_or_else(cut)?,
            _ => (head, tail),
        };
        let length = usize::try_from(i32::from_le_bytes(*length)).map_err(|_| cut())?;
        if length == 0 {
            return Ok(());
        }
        let (metadata, tail) = tail.split_at_checked(length).ok_or_else(cut)?;
        let message = ipc::root_as_message(metadata).map_err(|e| bad(&e.to_string()))?;
        let body = usize::try_from(message.bodyLength()).map_err(|_| cut())?;
        let (body, tail) = tail.split_at_checked(body).ok_or_else(cut)?;
        match message.header_type() {
            MessageHeader::Schema => {
                let found = message.header_as_schema().ok_or_else(|| bad("a schema is missing"))?;
                known(found.endianness() == Endianness::Little, || bad("the bytes are the wrong way round"))?;
                let fields = found.fields().ok_or_else(|| bad("a schema has no fields"))?;
                fields.iter().try_for_each(field)?;
                schema = Some(ipc::convert::fb_to_schema(found));
            }
            MessageHeader::RecordBatch => {
                let batch = message.header_as_record_batch().ok_or_else(|| bad("a batch is missing"))?;
                buffers(&batch, body)?;
                let schema = schema.as_ref().ok_or_else(|| bad("a batch comes before the schema"))?;
                Walk::new(&batch).columns(schema)?;
            }
            MessageHeader::DictionaryBatch => {
                let batch = message.header_as_dictionary_batch().and_then(|d| d.data());
                buffers(&batch.ok_or_else(|| bad("a dictionary is missing"))?, body)?;
            }
            _ => return Err(bad("a message is neither schema nor data")),
        }
        rest = tail;
    }
    Ok(())
}

/// Checks that a field's type is one that Arrow can have.
fn field(field: Field<'_>) -> Checked<()> {
    let unknown = || bad(&format!("the type of the field {} is unknown", field.name().unwrap_or_default()));
    let children = field.children().unwrap_or_default();
    known(field.name().is_some(), unknown)?;
    if let Some(dictionary) = field.dictionary() {
        let index = dictionary.indexType().ok_or_else(unknown)?;
        known(matches!(index.bitWidth(), 8 | 16 | 32 | 64), unknown)?;
    }
    let fits = match field.type_type() {
        Type::Null | Type::Bool | Type::Struct_ => true,
        Type::Binary | Type::LargeBinary | Type::BinaryView | Type::Utf8 | Type::LargeUtf8 | Type::Utf8View => true,
        Type::Int => field.type_as_int().is_some_and(|t| matches!(t.bitWidth(), 8 | 16 | 32 | 64)),
        Type::FloatingPoint => field
            .type_as_floating_point()
            .is_some_and(|t| [Precision::HALF, Precision::SINGLE, Precision::DOUBLE].contains(&t.precision())),
        Type::Date => field.type_as_date().is_some_and(|t| [DateUnit::DAY, DateUnit::MILLISECOND].contains(&t.unit())),
        Type::Time => field.type_as_time().is_some_and(|t| match t.bitWidth() {
            32 => [TimeUnit::SECOND, TimeUnit::MILLISECOND].contains(&t.unit()),
            64 => [TimeUnit::MICROSECOND, TimeUnit::NANOSECOND].contains(&t.unit()),
            _ => false,
        }),
        Type::Timestamp => field.type_as_timestamp().is_some_and(|t| is_time_unit(t.unit())),
        Type::Duration => field.type_as_duration().is_some_and(|t| is_time_unit(t.unit())),
        Type::Interval => field.type_as_interval().is_some_and(|t| {
            [IntervalUnit::YEAR_MONTH, IntervalUnit::DAY_TIME, IntervalUnit::MONTH_DAY_NANO].contains(&t.unit())
        }),
        Type::Decimal => field.type_as_decimal().is_some_and(|t| {
            let most = match t.bitWidth() {
                32 => 9,
                64 => 18,
                128 => 38,
                256 => 76,
                _ => 0,
            };
            (1..=most).contains(&t.precision()) && (-most..=most).contains(&t.scale())
        }),
        Type::FixedSizeBinary => field.type_as_fixed_size_binary().is_some_and(|t| t.byteWidth() >= 0),
        Type::List | Type::LargeList | Type::ListView | Type::LargeListView => children.len() == 1,
        Type::FixedSizeList => {
            children.len() == 1 && field.type_as_fixed_size_list().is_some_and(|t| t.listSize() >= 0)
        }
        Type::Map => {
            let entries = (children.len() == 1).then(|| children.get(0));
            entries.is_some_and(|e| e.type_type() == Type::Struct_ && e.children().unwrap_or_default().len() == 2)
        }
        _ => false,
    };
    known(fits, unknown)?;
    children.iter().try_for_each(self::field)
}

fn is_time_unit(unit: TimeUnit) -> bool {
    [TimeUnit::SECOND, TimeUnit::MILLISECOND, TimeUnit::MICROSECOND, TimeUnit::NANOSECOND].contains(&unit)
}

fn known(holds: bool, error: impl FnOnce() -> ArrowError) -> Checked<()> {
    if holds { Ok(()) } else { Err(error()) }
}

/// Checks that a batch's buffers are inside its body, and how large they are once unpacked.
fn buffers(batch: &RecordBatch<'_>, body: &[u8]) -> Checked<()> {
    known((0..=MAX_ROWS).contains(&batch.length()), || bad("a batch has too many rows"))?;
    for buffer in batch.buffers().unwrap_or_default() {
        let range = usize::try_from(buffer.offset()).ok().zip(usize::try_from(buffer.length()).ok());
        let bytes = range.and_then(|(start, length)| body.get(start..start.checked_add(length)?));
        let bytes = bytes.ok_or_else(|| bad("a buffer is outside of its message"))?;
        known(buffer.offset() % 8 == 0, || bad("a buffer begins inside of a word"))?;
        if batch.compression().is_some() {
            check_unpacked(batch.compression(), bytes)?;
        }
    }
    for node in batch.nodes().unwrap_or_default() {
        let sound = (0..=MAX_ROWS).contains(&node.length()) && (0..=node.length()).contains(&node.null_count());
        known(sound, || bad("a column has a wrong number of rows"))?;
    }
    Ok(())
}

fn check_unpacked(compression: Option<BodyCompression<'_>>, bytes: &[u8]) -> Checked<()> {
    let Some((size, _)) = bytes.split_first_chunk::<8>().filter(|_| compression.is_some()) else { return Ok(()) };
    // -1 is Arrow's mark of a buffer that is not compressed.
    known((-1..=MAX_UNPACKED).contains(&i64::from_le_bytes(*size)), || bad("a buffer unpacks to too much"))
}

/// A batch's nodes and buffers in the order in which its columns have them.
struct Walk<'a> {
    nodes: Box<dyn Iterator<Item = &'a FieldNode> + 'a>,
    buffers: Box<dyn Iterator<Item = &'a Buffer> + 'a>,
    views: Box<dyn Iterator<Item = i64> + 'a>,
    compressed: bool,
}

impl<'a> Walk<'a> {
    fn new(batch: &RecordBatch<'a>) -> Self {
        Walk {
            nodes: Box::new(batch.nodes().into_iter().flatten()),
            buffers: Box::new(batch.buffers().into_iter().flatten()),
            views: Box::new(batch.variadicBufferCounts().into_iter().flatten()),
            compressed: batch.compression().is_some(),
        }
    }

    fn columns(&mut self, schema: &Schema) -> Checked<()> {
        schema.fields().iter().try_for_each(|f| self.column(f))
    }

    /// Passes a buffer of values of so many bytes each.
    fn values(&mut self, width: usize) -> Checked<()> {
        let buffer = self.buffers.next().ok_or_else(|| bad("a column has too few buffers"))?;
        let whole = usize::try_from(buffer.length()).is_ok_and(|length| length.is_multiple_of(width.max(1)));
        known(self.compressed || whole, || bad("a buffer ends inside of a value"))
    }

    fn column(&mut self, field: &FieldRef) -> Checked<()> {
        let node = self.nodes.next().ok_or_else(|| bad("a batch has too few columns"))?;
        let data_type = field.data_type();
        if *data_type != DataType::Null {
            let validity = self.buffers.next().ok_or_else(|| bad("a column has too few buffers"))?;
            let room = validity.length().saturating_mul(8) >= node.length();
            known(node.null_count() == 0 || self.compressed || room, || bad("a column says too little of its nulls"))?;
        }
        match data_type {
            DataType::Null => Ok(()),
            DataType::Utf8 | DataType::Binary => self.values(4).and_then(|()| self.values(1)),
            DataType::LargeUtf8 | DataType::LargeBinary => self.values(8).and_then(|()| self.values(1)),
            DataType::Utf8View | DataType::BinaryView => {
                let more = self.views.next().ok_or_else(|| bad("a column of views has no buffers"))?;
                self.values(16)?;
                (0..more).try_for_each(|_| self.values(1))
            }
            DataType::List(child) | DataType::Map(child, _) => {
                self.values(4)?;
                self.column(child)
            }
            DataType::LargeList(child) => {
                self.values(8)?;
                self.column(child)
            }
            DataType::ListView(child) => {
                self.values(4).and_then(|()| self.values(4))?;
                self.column(child)
            }
            DataType::LargeListView(child) => {
                self.values(8).and_then(|()| self.values(8))?;
                self.column(child)
            }
            DataType::FixedSizeList(child, _) => self.column(child),
            DataType::Struct(fields) => fields.iter().try_for_each(|f| self.column(f)),
            DataType::Dictionary(index, _) => self.values(index.primitive_width().unwrap_or(1)),
            other => self.values(other.primitive_width().unwrap_or(1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, ListArray, RecordBatch, StringArray};
    use arrow::datatypes::Int32Type;
    use arrow::ipc::reader::StreamReader;
    use arrow::ipc::writer::StreamWriter;

    use super::stream;

    fn sample() -> Vec<u8> {
        let lists = ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(1), None]), None, Some(vec![])]);
        let columns: [(&str, ArrayRef); 3] = [
            ("n", Arc::new(Int64Array::from(vec![Some(1), None, Some(3)]))),
            ("s", Arc::new(StringArray::from(vec![Some("a"), Some("bc"), None]))),
            ("l", Arc::new(lists)),
        ];
        let batch = RecordBatch::try_from_iter(columns).unwrap_or_else(|e| panic!("{e}"));
        let mut out = Vec::new();
        let mut writer = StreamWriter::try_new(&mut out, &batch.schema()).unwrap_or_else(|e| panic!("{e}"));
        writer.write(&batch).and_then(|()| writer.finish()).unwrap_or_else(|e| panic!("{e}"));
        drop(writer);
        out
    }

    #[test]
    fn takes_what_a_writer_wrote() {
        assert!(stream(&sample()).is_ok());
        assert!(stream(&[]).is_ok());
    }

    /// Whatever one byte is changed to: refused here, or read without a panic.
    #[test]
    fn lets_through_only_what_can_be_read() {
        let good = sample();
        for at in 0..good.len() {
            for value in [0, 1, 0x7F, 0x80, 0xFF] {
                let mut data = good.clone();
                data[at] = value;
                if stream(&data).is_ok() {
                    let read = std::panic::catch_unwind(|| {
                        StreamReader::try_new(&data[..], None).map(|r| r.filter_map(Result::ok).count()).ok()
                    });
                    assert!(read.is_ok(), "byte {at} as {value}");
                }
            }
        }
    }

    #[test]
    fn refuses_lengths_beyond_the_stream() {
        for length in [i32::MAX, 1 << 20, -2] {
            let mut data = vec![0xFF; 4];
            data.extend(length.to_le_bytes());
            data.extend([0; 16]);
            assert!(stream(&data).is_err(), "{length}");
        }
    }
}
