//! Spark literals as DataFusion scalars.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, MapArray, StructArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::DataType as Arrow;
use datafusion::logical_expr::Expr;
use datafusion::scalar::ScalarValue;
use spark::types::DataType;
use spark::{Error, Literal, Result};

use crate::error::from_datafusion;
use crate::types::{calendar_interval_fields, map_entries_field, to_arrow};

/// The literal as an expression of the canonical Arrow type.
///
/// # Errors
/// If a nested literal does not fit its declared type.
pub fn literal_expr(literal: &Literal) -> Result<Expr> {
    Ok(Expr::Literal(to_scalar(literal)?, None))
}

/// The literal as a scalar of the canonical Arrow type.
///
/// # Errors
/// If a nested literal does not fit its declared type.
pub fn to_scalar(literal: &Literal) -> Result<ScalarValue> {
    Ok(match literal {
        Literal::Null(t) => ScalarValue::try_from(&to_arrow(t)).map_err(from_datafusion)?,
        Literal::Boolean(v) => ScalarValue::Boolean(Some(*v)),
        Literal::Byte(v) => ScalarValue::Int8(Some(*v)),
        Literal::Short(v) => ScalarValue::Int16(Some(*v)),
        Literal::Integer(v) => ScalarValue::Int32(Some(*v)),
        Literal::Long(v) => ScalarValue::Int64(Some(*v)),
        Literal::Float(v) => ScalarValue::Float32(Some(*v)),
        Literal::Double(v) => ScalarValue::Float64(Some(*v)),
        Literal::Decimal { unscaled, precision, scale } => ScalarValue::Decimal128(Some(*unscaled), *precision, *scale),
        Literal::String(v) => ScalarValue::Utf8(Some(v.clone())),
        Literal::Binary(v) => ScalarValue::Binary(Some(v.clone())),
        Literal::Date(v) => ScalarValue::Date32(Some(*v)),
        Literal::Timestamp(v) => ScalarValue::TimestampMicrosecond(Some(*v), Some(crate::types::UTC.into())),
        Literal::TimestampNtz(v) => ScalarValue::TimestampMicrosecond(Some(*v), None),
        Literal::TimestampNanos { nanos, ltz, precision } => match crate::nanos::storage(*ltz, *precision) {
            Arrow::Decimal128(width, scale) => ScalarValue::Decimal128(Some(*nanos), width, scale),
            other => return Err(Error::internal(format!("{other} holds no nanoseconds"))),
        },
        Literal::Time { nanos, .. } => ScalarValue::Time64Nanosecond(Some(*nanos)),
        Literal::YearMonthInterval { months, .. } => ScalarValue::IntervalYearMonth(Some(*months)),
        Literal::DayTimeInterval { micros, .. } => ScalarValue::DurationMicrosecond(Some(*micros)),
        Literal::CalendarInterval { months, days, micros } => calendar_interval(*months, *days, *micros),
        Literal::Array { element_type, values } => array(element_type, values)?,
        Literal::Map { key_type, value_type, entries } => map(key_type, value_type, entries)?,
        Literal::Struct { data_type, values } => structure(data_type, values)?,
    })
}

fn calendar_interval(months: i32, days: i32, micros: i64) -> ScalarValue {
    let columns: Vec<ArrayRef> = vec![
        Arc::new(arrow::array::Int32Array::from(vec![months])),
        Arc::new(arrow::array::Int32Array::from(vec![days])),
        Arc::new(arrow::array::Int64Array::from(vec![micros])),
    ];
    ScalarValue::Struct(Arc::new(StructArray::new(calendar_interval_fields(), columns, None)))
}

/// The literals as an array of the canonical type of `data_type`.
fn column(data_type: &DataType, values: &[Literal]) -> Result<ArrayRef> {
    let arrow = to_arrow(data_type);
    if values.is_empty() {
        return Ok(arrow::array::new_empty_array(&arrow));
    }
    let scalars = values
        .iter()
        .map(|v| {
            let scalar = to_scalar(v)?;
            if scalar.data_type() == arrow { Ok(scalar) } else { scalar.cast_to(&arrow).map_err(from_datafusion) }
        })
        .collect::<Result<Vec<_>>>()?;
    ScalarValue::iter_to_array(scalars).map_err(from_datafusion)
}

fn array(element: &DataType, values: &[Literal]) -> Result<ScalarValue> {
    let values = column(element, values)?;
    let list = arrow::array::ListArray::new(
        crate::types::list_field(to_arrow(element)),
        OffsetBuffer::from_lengths([values.len()]),
        values,
        None,
    );
    Ok(ScalarValue::List(Arc::new(list)))
}

fn map(key: &DataType, value: &DataType, entries: &[(Literal, Literal)]) -> Result<ScalarValue> {
    let (keys, values): (Vec<Literal>, Vec<Literal>) = entries.iter().cloned().unzip();
    let keys = column(key, &keys)?;
    let values = column(value, &values)?;
    let field = map_entries_field(to_arrow(key), to_arrow(value));
    let Arrow::Struct(fields) = field.data_type() else {
        return Err(Error::internal("map entries are a struct"));
    };
    let entries = StructArray::new(fields.clone(), vec![keys, values], None);
    let offsets = OffsetBuffer::from_lengths([entries.len()]);
    Ok(ScalarValue::Map(Arc::new(MapArray::new(field, offsets, entries, None, false))))
}

fn structure(data_type: &DataType, values: &[Literal]) -> Result<ScalarValue> {
    let (DataType::Struct(s), Arrow::Struct(fields)) = (data_type, to_arrow(data_type)) else {
        return Err(Error::internal("a struct literal has a struct type"));
    };
    let columns = s
        .fields
        .iter()
        .zip(values)
        .map(|(f, v)| column(&f.data_type, std::slice::from_ref(v)))
        .collect::<Result<Vec<_>>>()?;
    let array = StructArray::try_new_with_length(fields, columns, None, 1)
        .map_err(|e| Error::internal(format!("a struct literal does not fit its type: {e}")))?;
    Ok(ScalarValue::Struct(Arc::new(array)))
}
