//! A value of any Spark type, and columns made of such values.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, DurationMicrosecondArray, Float32Array,
    Float64Array, Int8Array, Int16Array, Int32Array, Int64Array, IntervalYearMonthArray, ListArray, MapArray,
    NullArray, StringArray, StructArray, Time64NanosecondArray, TimestampMicrosecondArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::DataType as Arrow;
use datafusion::common::Result;
use spark::types::DataType;

use crate::types::{UTC, calendar_interval_fields, list_field, map_entries_field, to_arrow, variant_fields};

/// A value. Numbers, dates and times are in the unit of their Arrow type.
#[derive(Debug, Clone, PartialEq)]
pub enum Datum {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Decimal(i128),
    Text(String),
    Bytes(Vec<u8>),
    Calendar(i32, i32, i64),
    List(Vec<Datum>),
    Map(Vec<(Datum, Datum)>),
    Row(Vec<Datum>),
    Variant { value: Vec<u8>, metadata: Vec<u8> },
}

impl Datum {
    fn int(&self) -> Option<i64> {
        if let Datum::Int(v) = self { Some(*v) } else { None }
    }

    fn float(&self) -> Option<f64> {
        match self {
            Datum::Float(v) => Some(*v),
            Datum::Int(v) => Some(*v as f64),
            _ => None,
        }
    }

    fn text(&self) -> Option<&str> {
        if let Datum::Text(v) = self { Some(v) } else { None }
    }

    fn bytes(&self) -> Option<&[u8]> {
        if let Datum::Bytes(v) = self { Some(v) } else { None }
    }
}

/// The values as an array of the canonical Arrow type of `ty`; values of another type become null.
///
/// # Errors
/// If a nested array cannot be put together.
pub fn build(values: &[&Datum], ty: &DataType) -> Result<ArrayRef> {
    macro_rules! ints {
        ($array:ty, $native:ty) => {
            Arc::new(values.iter().map(|v| v.int().map(|i| i as $native)).collect::<$array>())
        };
    }
    Ok(match ty {
        DataType::Null => Arc::new(NullArray::new(values.len())),
        DataType::Boolean => {
            let bool = |v: &&Datum| if let Datum::Bool(b) = v { Some(*b) } else { None };
            Arc::new(values.iter().map(bool).collect::<BooleanArray>())
        }
        DataType::Byte => ints!(Int8Array, i8),
        DataType::Short => ints!(Int16Array, i16),
        DataType::Integer => ints!(Int32Array, i32),
        DataType::Long => ints!(Int64Array, i64),
        DataType::Float => Arc::new(values.iter().map(|v| v.float().map(|f| f as f32)).collect::<Float32Array>()),
        DataType::Double => Arc::new(values.iter().map(|v| v.float()).collect::<Float64Array>()),
        DataType::Decimal { precision, scale } => {
            let unscaled = |v: &&Datum| if let Datum::Decimal(d) = v { Some(*d) } else { None };
            let array = values.iter().map(unscaled).collect::<Decimal128Array>();
            Arc::new(array.with_precision_and_scale(*precision, *scale)?)
        }
        DataType::String { .. } | DataType::Char(_) | DataType::Varchar(_) => {
            Arc::new(values.iter().map(|v| v.text()).collect::<StringArray>())
        }
        DataType::Binary => Arc::new(values.iter().map(|v| v.bytes()).collect::<BinaryArray>()),
        DataType::Date => ints!(Date32Array, i32),
        DataType::Timestamp => {
            Arc::new(values.iter().map(|v| v.int()).collect::<TimestampMicrosecondArray>().with_timezone(UTC))
        }
        DataType::TimestampNtz => ints!(TimestampMicrosecondArray, i64),
        DataType::TimestampNanos { ltz, precision } => {
            let count = |v: &&Datum| if let Datum::Decimal(d) = v { Some(*d) } else { None };
            crate::nanos::array(values.iter().map(count), *ltz, *precision)?
        }
        DataType::Time(_) => ints!(Time64NanosecondArray, i64),
        DataType::YearMonthInterval { .. } => ints!(IntervalYearMonthArray, i32),
        DataType::DayTimeInterval { .. } => ints!(DurationMicrosecondArray, i64),
        DataType::CalendarInterval => calendar(values)?,
        DataType::Array { element, .. } => list(values, element)?,
        DataType::Map { key, value, .. } => map(values, key, value)?,
        DataType::Struct(_) => row(values, ty)?,
        DataType::Variant => variant(values)?,
        DataType::Geometry(_) | DataType::Geography(_) => arrow::array::new_null_array(&to_arrow(ty), values.len()),
        DataType::Udt { sql_type, .. } => build(values, sql_type)?,
    })
}

fn calendar(values: &[&Datum]) -> Result<ArrayRef> {
    let part = |v: &&Datum| if let Datum::Calendar(m, d, u) = v { Some((*m, *d, *u)) } else { None };
    let parts: Vec<Option<(i32, i32, i64)>> = values.iter().map(part).collect();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(parts.iter().map(|p| p.map(|p| p.0)).collect::<Int32Array>()),
        Arc::new(parts.iter().map(|p| p.map(|p| p.1)).collect::<Int32Array>()),
        Arc::new(parts.iter().map(|p| p.map(|p| p.2)).collect::<Int64Array>()),
    ];
    let nulls = NullBuffer::from_iter(parts.iter().map(Option::is_some));
    Ok(Arc::new(StructArray::try_new(calendar_interval_fields(), columns, Some(nulls))?))
}

fn variant(values: &[&Datum]) -> Result<ArrayRef> {
    let part = |v: &Datum, metadata_too: bool| match v {
        Datum::Variant { value, metadata } => Some(if metadata_too { metadata.clone() } else { value.clone() }),
        _ => None,
    };
    let columns: Vec<ArrayRef> = vec![
        Arc::new(values.iter().map(|v| part(v, false)).collect::<BinaryArray>()),
        Arc::new(values.iter().map(|v| part(v, true)).collect::<BinaryArray>()),
    ];
    let nulls = NullBuffer::from_iter(values.iter().map(|v| matches!(v, Datum::Variant { .. })));
    Ok(Arc::new(StructArray::try_new(variant_fields(), columns, Some(nulls))?))
}

fn list(values: &[&Datum], element: &DataType) -> Result<ArrayRef> {
    let (mut items, mut lengths, mut valid) = (Vec::new(), Vec::with_capacity(values.len()), Vec::new());
    for v in values {
        let all = if let Datum::List(all) = v { Some(all) } else { None };
        valid.push(all.is_some());
        lengths.push(all.map_or(0, Vec::len));
        items.extend(all.into_iter().flatten());
    }
    let items = build(&items, element)?;
    let offsets = OffsetBuffer::from_lengths(lengths);
    Ok(Arc::new(ListArray::try_new(list_field(to_arrow(element)), offsets, items, Some(valid.into()))?))
}

fn map(values: &[&Datum], key: &DataType, value: &DataType) -> Result<ArrayRef> {
    let (mut keys, mut items, mut lengths, mut valid) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for v in values {
        let all = if let Datum::Map(all) = v { Some(all) } else { None };
        valid.push(all.is_some());
        lengths.push(all.map_or(0, Vec::len));
        for (k, v) in all.into_iter().flatten() {
            keys.push(k);
            items.push(v);
        }
    }
    let field = map_entries_field(to_arrow(key), to_arrow(value));
    let Arrow::Struct(fields) = field.data_type() else {
        return datafusion::common::internal_err!("map entries are a struct");
    };
    let entries = StructArray::try_new(fields.clone(), vec![build(&keys, key)?, build(&items, value)?], None)?;
    let offsets = OffsetBuffer::from_lengths(lengths);
    Ok(Arc::new(MapArray::try_new(field, offsets, entries, Some(valid.into()), false)?))
}

fn row(values: &[&Datum], ty: &DataType) -> Result<ArrayRef> {
    let (DataType::Struct(s), Arrow::Struct(fields)) = (ty, to_arrow(ty)) else {
        return datafusion::common::internal_err!("a row has a struct type");
    };
    let null = Datum::Null;
    let mut columns = Vec::with_capacity(s.fields.len());
    for (i, field) in s.fields.iter().enumerate() {
        let part = |v: &&Datum| match v {
            Datum::Row(parts) => Some(i).filter(|i| *i < parts.len()),
            _ => None,
        };
        let column: Vec<&Datum> = values
            .iter()
            .map(|v| match (v, part(v)) {
                (Datum::Row(parts), Some(i)) => &parts[i],
                _ => &null,
            })
            .collect();
        columns.push(build(&column, &field.data_type)?);
    }
    let nulls = NullBuffer::from_iter(values.iter().map(|v| matches!(v, Datum::Row(_))));
    Ok(Arc::new(StructArray::try_new_with_length(fields, columns, Some(nulls), values.len())?))
}
