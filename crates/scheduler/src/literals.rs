//! Values of canonical Arrow columns as Spark literals.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{
    Date32Type, Decimal128Type, DurationMicrosecondType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, IntervalYearMonthType, Time64NanosecondType, TimestampMicrosecondType,
};
use functions::types::to_arrow;
use spark::types::DataType;
use spark::{Error, Literal, Result};

/// The value at `row`, as a literal of type `ty`.
///
/// # Errors
/// If the column is not of the canonical type and cannot be made so, or the type has no literals.
pub fn literal(array: &ArrayRef, row: usize, ty: &DataType) -> Result<Literal> {
    if array.is_null(row) {
        return Ok(Literal::Null(ty.clone()));
    }
    let canonical = to_arrow(ty);
    if *array.data_type() != canonical && !ty.is_complex() {
        let slice = array.slice(row, 1);
        let cast = arrow::compute::cast(&slice, &canonical)
            .map_err(|e| Error::internal(format!("a {} is not a {canonical}: {e}", array.data_type())))?;
        return literal(&cast, 0, ty);
    }
    Ok(match ty {
        DataType::Null => Literal::Null(DataType::Null),
        DataType::Boolean => Literal::Boolean(array.as_boolean().value(row)),
        DataType::Byte => Literal::Byte(array.as_primitive::<Int8Type>().value(row)),
        DataType::Short => Literal::Short(array.as_primitive::<Int16Type>().value(row)),
        DataType::Integer => Literal::Integer(array.as_primitive::<Int32Type>().value(row)),
        DataType::Long => Literal::Long(array.as_primitive::<Int64Type>().value(row)),
        DataType::Float => Literal::Float(array.as_primitive::<Float32Type>().value(row)),
        DataType::Double => Literal::Double(array.as_primitive::<Float64Type>().value(row)),
        DataType::Decimal { precision, scale } => Literal::Decimal {
            unscaled: array.as_primitive::<Decimal128Type>().value(row),
            precision: *precision,
            scale: *scale,
        },
        DataType::String { .. } | DataType::Char(_) | DataType::Varchar(_) => {
            Literal::String(array.as_string::<i32>().value(row).to_string())
        }
        DataType::Binary => Literal::Binary(array.as_binary::<i32>().value(row).to_vec()),
        DataType::Date => Literal::Date(array.as_primitive::<Date32Type>().value(row)),
        DataType::Timestamp => Literal::Timestamp(array.as_primitive::<TimestampMicrosecondType>().value(row)),
        DataType::TimestampNtz => Literal::TimestampNtz(array.as_primitive::<TimestampMicrosecondType>().value(row)),
        DataType::TimestampNanos { ltz, precision } => Literal::TimestampNanos {
            nanos: array.as_primitive::<Decimal128Type>().value(row),
            ltz: *ltz,
            precision: *precision,
        },
        DataType::Time(precision) => {
            Literal::Time { nanos: array.as_primitive::<Time64NanosecondType>().value(row), precision: *precision }
        }
        DataType::YearMonthInterval { start, end } => Literal::YearMonthInterval {
            months: array.as_primitive::<IntervalYearMonthType>().value(row),
            start: *start,
            end: *end,
        },
        DataType::DayTimeInterval { start, end } => Literal::DayTimeInterval {
            micros: array.as_primitive::<DurationMicrosecondType>().value(row),
            start: *start,
            end: *end,
        },
        DataType::CalendarInterval => calendar_interval(array, row),
        DataType::Array { .. } | DataType::Map { .. } | DataType::Struct(_) => nested(array, row, ty)?,
        DataType::Udt { sql_type, .. } => literal(array, row, sql_type)?,
        other => return Err(Error::unsupported(format!("literals of type {other}"))),
    })
}

fn calendar_interval(array: &ArrayRef, row: usize) -> Literal {
    let parts = array.as_struct();
    Literal::CalendarInterval {
        months: parts.column(0).as_primitive::<Int32Type>().value(row),
        days: parts.column(1).as_primitive::<Int32Type>().value(row),
        micros: parts.column(2).as_primitive::<Int64Type>().value(row),
    }
}

fn nested(array: &ArrayRef, row: usize, ty: &DataType) -> Result<Literal> {
    Ok(match ty {
        DataType::Array { element, .. } => {
            let values = array.as_list::<i32>().value(row);
            Literal::Array { element_type: (**element).clone(), values: all(&values, element)? }
        }
        DataType::Map { key, value, .. } => {
            let entries = array.as_map().value(row);
            let (keys, values) = (all(entries.column(0), key)?, all(entries.column(1), value)?);
            Literal::Map {
                key_type: (**key).clone(),
                value_type: (**value).clone(),
                entries: keys.into_iter().zip(values).collect(),
            }
        }
        DataType::Struct(s) => {
            let parts = array.as_struct();
            let fields = s.fields.iter().zip(parts.columns());
            let values = fields.map(|(f, c)| literal(c, row, &f.data_type)).collect::<Result<_>>()?;
            Literal::Struct { data_type: ty.clone(), values }
        }
        other => return Err(Error::internal(format!("{other} is not nested"))),
    })
}

fn all(values: &ArrayRef, ty: &DataType) -> Result<Vec<Literal>> {
    (0..values.len()).map(|i| literal(values, i, ty)).collect()
}
