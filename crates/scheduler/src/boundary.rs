//! The border between plans and clients: canonical Arrow in, Spark's wire form out.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, Int32Array, IntervalMonthDayNanoArray, ListArray, MapArray, RecordBatch,
    RecordBatchOptions, StructArray, TimestampMicrosecondArray,
};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType as Arrow, Field, Fields, Int32Type, Int64Type, IntervalMonthDayNano, Schema, SchemaRef,
    TimestampMicrosecondType,
};
use functions::types::{distinct_names, to_arrow, to_wire_field};
use spark::types::{DataType, StructType};
use spark::{Error, Result};

/// Casts the batches of one query.
#[derive(Debug, Clone)]
pub struct Boundary {
    schema: StructType,
    columns: Vec<usize>,
    time_zone: Arc<str>,
    wire: SchemaRef,
}

impl Boundary {
    /// `columns` are the indices of the result's columns in a plan's batches.
    pub fn new(schema: StructType, columns: Vec<usize>, time_zone: Arc<str>) -> Self {
        let wire = Arc::new(functions::types::to_wire_schema(&schema, &time_zone));
        Boundary { schema, columns, time_zone, wire }
    }

    /// The schema clients see.
    pub fn wire_schema(&self) -> SchemaRef {
        Arc::clone(&self.wire)
    }

    /// One batch as clients see it.
    ///
    /// # Errors
    /// If a value has no wire form (a calendar interval too long for Arrow's), or the plan does not
    /// yield what analysis said.
    pub fn cast(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let mut arrays = Vec::with_capacity(self.columns.len());
        let mut fields = Vec::with_capacity(self.columns.len());
        for (field, &index) in self.schema.fields.iter().zip(&self.columns) {
            let array = batch
                .columns()
                .get(index)
                .ok_or_else(|| Error::internal(format!("the plan has no column {index} for {}", field.name)))?;
            let wire = to_wire(array, &field.data_type, &self.time_zone)?;
            // What analysis said is never null and still is goes out as nullable, not as garbage.
            let nullable = field.nullable || wire.logical_null_count() > 0;
            let declared = to_wire_field(&field.name, &field.data_type, nullable, &self.time_zone);
            fields.push(declared.with_data_type(wire.data_type().clone()));
            arrays.push(wire);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)
            .map_err(|e| Error::internal(format!("a result does not fit its schema: {e}")))
    }
}

/// One column in wire form.
///
/// # Errors
/// As [`Boundary::cast`].
pub fn to_wire(array: &ArrayRef, ty: &DataType, tz: &str) -> Result<ArrayRef> {
    let canonical = to_arrow(ty);
    let array = if *array.data_type() == canonical || ty.is_complex() {
        Arc::clone(array)
    } else {
        convert(array, &canonical)?
    };
    match ty {
        DataType::Timestamp => {
            let instants = primitive::<TimestampMicrosecondArray>(&array)?;
            Ok(Arc::new(instants.clone().with_timezone(tz)))
        }
        DataType::TimestampNanos { ltz, .. } => {
            functions::nanos::to_arrow_nanos(&array, *ltz, ltz.then_some(tz)).map_err(functions::error::from_datafusion)
        }
        DataType::CalendarInterval => calendar_interval(&array),
        DataType::Variant | DataType::Geometry(_) | DataType::Geography(_) => parts_of(&array, ty),
        DataType::Array { element, contains_null } => list(&array, element, *contains_null, tz),
        DataType::Map { key, value, value_contains_null } => map(&array, key, value, *value_contains_null, tz),
        DataType::Struct(fields) => structure(&array, fields, tz),
        DataType::Udt { sql_type, .. } => to_wire(&array, sql_type, tz),
        _ => Ok(array),
    }
}

fn convert(array: &ArrayRef, to: &Arrow) -> Result<ArrayRef> {
    cast(array, to)
        .map_err(|e| Error::internal(format!("a column is {} where analysis said {to}: {e}", array.data_type())))
}

fn primitive<T: Array + 'static>(array: &ArrayRef) -> Result<&T> {
    array
        .as_any()
        .downcast_ref::<T>()
        .ok_or_else(|| Error::internal(format!("a column is unexpectedly {}", array.data_type())))
}

fn made<T>(result: std::result::Result<T, arrow::error::ArrowError>) -> Result<T> {
    result.map_err(|e| Error::internal(format!("a result does not fit its schema: {e}")))
}

fn calendar_interval(array: &ArrayRef) -> Result<ArrayRef> {
    let parts = primitive::<StructArray>(array)?;
    let months = parts.column(0).as_primitive::<Int32Type>();
    let days = parts.column(1).as_primitive::<Int32Type>();
    let micros = parts.column(2).as_primitive::<Int64Type>();
    let values = (0..parts.len())
        .map(|i| {
            if parts.is_null(i) {
                return Ok(None);
            }
            let nanos = micros
                .value(i)
                .checked_mul(1000)
                .ok_or_else(|| functions::error::overflow("The interval is too long to be sent in nanoseconds.", ""))?;
            Ok(Some(IntervalMonthDayNano::new(months.value(i), days.value(i), nanos)))
        })
        .collect::<Result<Vec<_>>>()?;
    Ok(Arc::new(IntervalMonthDayNanoArray::from(values)))
}

/// A value that is a struct on the wire whose parts are never null.
fn parts_of(array: &ArrayRef, ty: &DataType) -> Result<ArrayRef> {
    let parts = primitive::<StructArray>(array)?;
    let Arrow::Struct(fields) = to_wire_field("v", ty, true, "UTC").data_type().clone() else {
        return Err(Error::internal(format!("the wire form of {} is a struct", ty.sql())));
    };
    // The parts of a null hold nothing, which a non-null field may not say.
    let filled = parts.columns().iter().map(|part| -> Result<ArrayRef> {
        if part.data_type() == &Arrow::Int32 {
            let numbers = part.as_primitive::<Int32Type>();
            return Ok(Arc::new(numbers.iter().map(|n| Some(n.unwrap_or_default())).collect::<Int32Array>()));
        }
        let bytes = primitive::<BinaryArray>(part)?;
        Ok(Arc::new(bytes.iter().map(|b| Some(b.unwrap_or_default())).collect::<BinaryArray>()))
    });
    let filled = filled.collect::<Result<Vec<_>>>()?;
    Ok(Arc::new(made(StructArray::try_new(fields, filled, parts.nulls().cloned()))?))
}

fn child_field(
    name: &str,
    ty: &DataType,
    nullable: bool,
    tz: &str,
    values: &ArrayRef,
    parent_nulls: bool,
) -> Arc<Field> {
    let nullable = nullable || (!parent_nulls && values.logical_null_count() > 0);
    Arc::new(to_wire_field(name, ty, nullable, tz).with_data_type(values.data_type().clone()))
}

fn list(array: &ArrayRef, element: &DataType, contains_null: bool, tz: &str) -> Result<ArrayRef> {
    let array = match array.data_type() {
        Arrow::List(_) => Arc::clone(array),
        _ => convert(array, &to_arrow(&DataType::array(element.clone(), true)))?,
    };
    let list = primitive::<ListArray>(&array)?;
    let values = to_wire(list.values(), element, tz)?;
    let field = child_field("element", element, contains_null, tz, &values, false);
    Ok(Arc::new(made(ListArray::try_new(field, list.offsets().clone(), values, list.nulls().cloned()))?))
}

fn map(array: &ArrayRef, key: &DataType, value: &DataType, value_null: bool, tz: &str) -> Result<ArrayRef> {
    let map = primitive::<MapArray>(array)?;
    let keys = to_wire(map.keys(), key, tz)?;
    let values = to_wire(map.values(), value, tz)?;
    let fields: Fields = vec![
        child_field("key", key, false, tz, &keys, false),
        child_field("value", value, value_null, tz, &values, false),
    ]
    .into();
    let entries = made(StructArray::try_new(fields.clone(), vec![keys, values], None))?;
    let entries_field = Arc::new(Field::new("entries", Arrow::Struct(fields), false));
    Ok(Arc::new(made(MapArray::try_new(entries_field, map.offsets().clone(), entries, map.nulls().cloned(), false))?))
}

fn structure(array: &ArrayRef, ty: &StructType, tz: &str) -> Result<ArrayRef> {
    let parts = primitive::<StructArray>(array)?;
    if parts.num_columns() != ty.fields.len() {
        return Err(Error::internal(format!(
            "a struct has {} fields where analysis said {}",
            parts.num_columns(),
            ty.fields.len()
        )));
    }
    if ty.fields.is_empty() {
        return Ok(Arc::new(StructArray::new_empty_fields(parts.len(), parts.nulls().cloned())));
    }
    let columns =
        ty.fields.iter().zip(parts.columns()).map(|(f, c)| to_wire(c, &f.data_type, tz)).collect::<Result<Vec<_>>>()?;
    let fields: Fields = ty
        .fields
        .iter()
        .zip(distinct_names(ty))
        .zip(&columns)
        .map(|((f, name), c)| {
            // Nulls below a null struct are no nulls of the field.
            let masked = match (parts.nulls(), c.logical_nulls()) {
                (_, None) => true,
                (Some(outer), Some(inner)) => inner.iter().zip(outer.iter()).all(|(valid, outer)| valid || !outer),
                (None, Some(inner)) => inner.null_count() == 0,
            };
            child_field(&name, &f.data_type, f.nullable, tz, c, masked)
        })
        .collect::<Vec<_>>()
        .into();
    Ok(Arc::new(made(StructArray::try_new(fields, columns, parts.nulls().cloned()))?))
}

/// Instants of a wire column back in UTC: for tables the server reads back itself.
pub fn from_wire(array: &ArrayRef, ty: &DataType) -> Result<ArrayRef> {
    match ty {
        DataType::Timestamp => {
            let instants = array.as_primitive_opt::<TimestampMicrosecondType>();
            let instants = instants.ok_or_else(|| Error::internal("a timestamp column is none"))?;
            Ok(Arc::new(instants.clone().with_timezone(functions::types::UTC)))
        }
        DataType::TimestampNanos { .. } => functions::canonical::to_canonical(array, ty),
        _ => convert(array, &to_arrow(ty)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Int32Array, Int64Array};
    use spark::types::StructField;

    #[test]
    fn instants_get_the_session_zone() {
        let array: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![1]).with_timezone("UTC"));
        let wire = to_wire(&array, &DataType::Timestamp, "Asia/Tokyo").unwrap();
        assert_eq!(wire.data_type().to_string(), "Timestamp(µs, \"Asia/Tokyo\")");
    }

    #[test]
    fn long_intervals_are_refused() {
        let months: ArrayRef = Arc::new(Int32Array::from(vec![1]));
        let days: ArrayRef = Arc::new(Int32Array::from(vec![2]));
        for (micros, good) in [(3, true), (i64::MAX, false)] {
            let micros: ArrayRef = Arc::new(Int64Array::from(vec![micros]));
            let fields = functions::types::calendar_interval_fields();
            let array: ArrayRef =
                Arc::new(StructArray::try_new(fields, vec![months.clone(), days.clone(), micros], None).unwrap());
            assert_eq!(to_wire(&array, &DataType::CalendarInterval, "UTC").is_ok(), good);
        }
    }

    #[test]
    fn nested_fields_have_spark_names_and_nullability() {
        let list: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(1)]), None]));
        let wire = to_wire(&list, &DataType::array(DataType::Integer, false), "UTC").unwrap();
        let Arrow::List(field) = wire.data_type() else { panic!("no list") };
        assert_eq!((field.name().as_str(), field.is_nullable()), ("element", false));
    }

    #[test]
    fn columns_are_chosen_by_index() {
        let schema = StructType::new(vec![
            StructField::new("a", DataType::Long, false),
            StructField::new("a", DataType::Long, false),
        ]);
        let plan = Arc::new(Schema::new(vec![Field::new("#1", Arrow::Int64, true)]));
        let batch = RecordBatch::try_new(plan, vec![Arc::new(Int64Array::from(vec![7]))]).unwrap();
        let out = Boundary::new(schema, vec![0, 0], "UTC".into()).cast(&batch).unwrap();
        assert_eq!((out.num_columns(), out.schema().field(1).name().as_str()), (2, "a"));
    }
}
