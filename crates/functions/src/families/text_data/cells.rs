//! Columns of any type, taken apart once so that writers can walk their values.

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, Date32Array, Decimal128Array, DurationMicrosecondArray,
    Float32Array, Float64Array, Int32Array, Int64Array, IntervalYearMonthArray, ListArray, MapArray, StringArray,
    StructArray, Time64NanosecondArray, TimestampMicrosecondArray,
};
use arrow::compute::cast;
use arrow::datatypes::DataType as Arrow;
use datafusion::common::Result;
use spark::types::{DataType, StructField};

use crate::kernel::downcast;

/// A column by its Spark type.
pub enum Cells {
    Null,
    Bool(BooleanArray),
    /// Any integral type, with its own type.
    Int(Int64Array, DataType),
    Float(Float32Array),
    Double(Float64Array),
    Decimal(Decimal128Array, u8, i8),
    Text(StringArray),
    Bytes(BinaryArray),
    Date(Date32Array),
    Timestamp(TimestampMicrosecondArray),
    TimestampNtz(TimestampMicrosecondArray),
    /// Counts of nanoseconds, of UTC if the flag is set.
    TimestampNanos(Decimal128Array, bool),
    Time(Time64NanosecondArray, u8),
    YearMonth(IntervalYearMonthArray, u8, u8),
    DayTime(DurationMicrosecondArray, u8, u8),
    Calendar(StructArray, Int32Array, Int32Array, Int64Array),
    List(ListArray, Box<Cells>),
    Map(MapArray, Box<Cells>, Box<Cells>),
    Row(StructArray, Vec<(StructField, Cells)>),
    Variant(StructArray, BinaryArray, BinaryArray),
}

impl Cells {
    /// Takes `array` apart.
    ///
    /// # Errors
    /// If it does not have the canonical type of `ty`.
    pub fn new(array: &ArrayRef, ty: &DataType) -> Result<Cells> {
        Ok(match ty {
            DataType::Null => Cells::Null,
            DataType::Boolean => Cells::Bool(downcast::<BooleanArray>(array)?.clone()),
            DataType::Byte | DataType::Short | DataType::Integer | DataType::Long => {
                let wide = cast(array, &Arrow::Int64)?;
                Cells::Int(downcast::<Int64Array>(&wide)?.clone(), ty.clone())
            }
            DataType::Float => Cells::Float(downcast::<Float32Array>(array)?.clone()),
            DataType::Double => Cells::Double(downcast::<Float64Array>(array)?.clone()),
            DataType::Decimal { precision, scale } => {
                Cells::Decimal(downcast::<Decimal128Array>(array)?.clone(), *precision, *scale)
            }
            DataType::String { .. } | DataType::Char(_) | DataType::Varchar(_) => {
                let text = cast(array, &Arrow::Utf8)?;
                Cells::Text(downcast::<StringArray>(&text)?.clone())
            }
            DataType::Binary => Cells::Bytes(downcast::<BinaryArray>(array)?.clone()),
            DataType::Date => Cells::Date(downcast::<Date32Array>(array)?.clone()),
            DataType::Timestamp => Cells::Timestamp(downcast::<TimestampMicrosecondArray>(array)?.clone()),
            DataType::TimestampNtz => Cells::TimestampNtz(downcast::<TimestampMicrosecondArray>(array)?.clone()),
            DataType::TimestampNanos { ltz, .. } => {
                Cells::TimestampNanos(downcast::<Decimal128Array>(array)?.clone(), *ltz)
            }
            DataType::Time(p) => Cells::Time(downcast::<Time64NanosecondArray>(array)?.clone(), *p),
            DataType::YearMonthInterval { start, end } => {
                Cells::YearMonth(downcast::<IntervalYearMonthArray>(array)?.clone(), *start, *end)
            }
            DataType::DayTimeInterval { start, end } => {
                Cells::DayTime(downcast::<DurationMicrosecondArray>(array)?.clone(), *start, *end)
            }
            DataType::CalendarInterval => {
                let s = downcast::<StructArray>(array)?.clone();
                let months = downcast::<Int32Array>(s.column(0))?.clone();
                let days = downcast::<Int32Array>(s.column(1))?.clone();
                let micros = downcast::<Int64Array>(s.column(2))?.clone();
                Cells::Calendar(s, months, days, micros)
            }
            DataType::Array { element, .. } => {
                let list = downcast::<ListArray>(array)?.clone();
                let items = Cells::new(list.values(), element)?;
                Cells::List(list, Box::new(items))
            }
            DataType::Map { key, value, .. } => {
                let map = downcast::<MapArray>(array)?.clone();
                let (keys, values) = (Cells::new(map.keys(), key)?, Cells::new(map.values(), value)?);
                Cells::Map(map, Box::new(keys), Box::new(values))
            }
            DataType::Struct(s) => {
                let parts = array.as_struct().clone();
                let cells = s.fields.iter().zip(parts.columns());
                let cells =
                    cells.map(|(f, c)| Ok((f.clone(), Cells::new(c, &f.data_type)?))).collect::<Result<Vec<_>>>()?;
                Cells::Row(parts, cells)
            }
            DataType::Variant => {
                let s = downcast::<StructArray>(array)?.clone();
                let value = downcast::<BinaryArray>(s.column(0))?.clone();
                let metadata = downcast::<BinaryArray>(s.column(1))?.clone();
                Cells::Variant(s, value, metadata)
            }
            DataType::Udt { sql_type, .. } => Cells::new(array, sql_type)?,
            DataType::Geometry(_) | DataType::Geography(_) => {
                return datafusion::common::not_impl_err!("{} cannot be written as text", ty.simple_string());
            }
        })
    }

    /// True if `row` is null.
    pub fn is_null(&self, row: usize) -> bool {
        match self {
            Cells::Null => true,
            Cells::Bool(a) => a.is_null(row),
            Cells::Int(a, _) => a.is_null(row),
            Cells::Float(a) => a.is_null(row),
            Cells::Double(a) => a.is_null(row),
            Cells::Decimal(a, ..) => a.is_null(row),
            Cells::Text(a) => a.is_null(row),
            Cells::Bytes(a) => a.is_null(row),
            Cells::Date(a) => a.is_null(row),
            Cells::Timestamp(a) | Cells::TimestampNtz(a) => a.is_null(row),
            Cells::TimestampNanos(a, _) => a.is_null(row),
            Cells::Time(a, _) => a.is_null(row),
            Cells::YearMonth(a, ..) => a.is_null(row),
            Cells::DayTime(a, ..) => a.is_null(row),
            Cells::Calendar(a, ..) => a.is_null(row),
            Cells::List(a, _) => a.is_null(row),
            Cells::Map(a, ..) => a.is_null(row),
            Cells::Row(a, _) => a.is_null(row),
            Cells::Variant(a, ..) => a.is_null(row),
        }
    }
}

/// The elements of list or map entry `row`.
pub fn range(offsets: &[i32], row: usize) -> std::ops::Range<usize> {
    offsets[row] as usize..offsets[row + 1] as usize
}
