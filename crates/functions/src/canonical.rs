//! Arrays from outside in the canonical Arrow types of plans.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, Int32Array, Int64Array, IntervalMonthDayNanoArray, ListArray, MapArray, StructArray,
};
use arrow::compute::cast;
use arrow::datatypes::DataType as Arrow;
use spark::types::DataType;
use spark::{Error, Result};

use crate::types::{calendar_interval_fields, list_field, map_entries_field, to_arrow, variant_fields};

/// `array`, whose values mean `data_type`, as the canonical Arrow type of it.
///
/// # Errors
/// If the values cannot be of that type.
pub fn to_canonical(array: &ArrayRef, data_type: &DataType) -> Result<ArrayRef> {
    let target = to_arrow(data_type);
    if *array.data_type() == target {
        return Ok(array.clone());
    }
    match (data_type, array.data_type()) {
        (DataType::CalendarInterval, Arrow::Interval(_)) => calendar_intervals(array),
        (DataType::Array { element, .. }, _) => list(array, element),
        (DataType::Map { key, value, .. }, Arrow::Map(..)) => map(array, key, value),
        (DataType::Struct(s), Arrow::Struct(_)) => {
            let source = downcast::<StructArray>(array)?;
            let columns = s
                .fields
                .iter()
                .enumerate()
                .map(|(i, f)| {
                    let column = source.column_by_name(&f.name).or_else(|| source.columns().get(i));
                    let column = column.ok_or_else(|| Error::internal(format!("field {} is missing", f.name)))?;
                    to_canonical(column, &f.data_type)
                })
                .collect::<Result<Vec<_>>>()?;
            structure(target, columns, source)
        }
        (DataType::Variant, Arrow::Struct(_)) => {
            let source = downcast::<StructArray>(array)?;
            let columns = ["value", "metadata"]
                .iter()
                .map(|n| {
                    let column = source.column_by_name(n).ok_or_else(|| Error::internal("not a variant"))?;
                    to_canonical(column, &DataType::Binary)
                })
                .collect::<Result<Vec<_>>>()?;
            structure(Arrow::Struct(variant_fields()), columns, source)
        }
        (DataType::Udt { sql_type, .. }, _) => to_canonical(array, sql_type),
        (DataType::TimestampNanos { ltz, precision }, Arrow::Timestamp(..)) => {
            crate::nanos::from_arrow_timestamps(array, *ltz, *precision).map_err(crate::error::from_datafusion)
        }
        _ => cast(array, &target).map_err(|e| Error::internal(format!("cannot read {}: {e}", array.data_type()))),
    }
}

fn structure(target: Arrow, columns: Vec<ArrayRef>, source: &StructArray) -> Result<ArrayRef> {
    let Arrow::Struct(fields) = target else { return Err(Error::internal("a struct was expected")) };
    StructArray::try_new_with_length(fields, columns, source.nulls().cloned(), source.len())
        .map(|a| Arc::new(a) as ArrayRef)
        .map_err(|e| Error::internal(e.to_string()))
}

fn list(array: &ArrayRef, element: &DataType) -> Result<ArrayRef> {
    let item = match array.data_type() {
        Arrow::List(f) | Arrow::LargeList(f) | Arrow::FixedSizeList(f, _) | Arrow::ListView(f) => f.data_type().clone(),
        other => return Err(Error::internal(format!("{other} is not a list"))),
    };
    let plain = cast(array, &Arrow::List(list_field(item))).map_err(|e| Error::internal(e.to_string()))?;
    let source = downcast::<ListArray>(&plain)?;
    let values = to_canonical(source.values(), element)?;
    ListArray::try_new(list_field(to_arrow(element)), source.offsets().clone(), values, source.nulls().cloned())
        .map(|a| Arc::new(a) as ArrayRef)
        .map_err(|e| Error::internal(e.to_string()))
}

fn map(array: &ArrayRef, key: &DataType, value: &DataType) -> Result<ArrayRef> {
    let source = downcast::<MapArray>(array)?;
    let field = map_entries_field(to_arrow(key), to_arrow(value));
    let Arrow::Struct(fields) = field.data_type().clone() else {
        return Err(Error::internal("map entries are a struct"));
    };
    let columns = vec![to_canonical(source.keys(), key)?, to_canonical(source.values(), value)?];
    let entries = StructArray::try_new(fields, columns, None).map_err(|e| Error::internal(e.to_string()))?;
    MapArray::try_new(field, source.offsets().clone(), entries, source.nulls().cloned(), false)
        .map(|a| Arc::new(a) as ArrayRef)
        .map_err(|e| Error::internal(e.to_string()))
}

fn calendar_intervals(array: &ArrayRef) -> Result<ArrayRef> {
    let source = downcast::<IntervalMonthDayNanoArray>(array)?;
    let columns: Vec<ArrayRef> = vec![
        Arc::new(source.iter().map(|v| v.map(|i| i.months)).collect::<Int32Array>()),
        Arc::new(source.iter().map(|v| v.map(|i| i.days)).collect::<Int32Array>()),
        Arc::new(source.iter().map(|v| v.map(|i| i.nanoseconds / 1000)).collect::<Int64Array>()),
    ];
    StructArray::try_new(calendar_interval_fields(), columns, source.nulls().cloned())
        .map(|a| Arc::new(a) as ArrayRef)
        .map_err(|e| Error::internal(e.to_string()))
}

fn downcast<T: Array + 'static>(array: &ArrayRef) -> Result<&T> {
    array
        .as_any()
        .downcast_ref::<T>()
        .ok_or_else(|| Error::internal(format!("unexpected array of {}", array.data_type())))
}
