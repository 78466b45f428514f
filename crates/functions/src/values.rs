//! Values of any type compared as Spark compares them: NaN equals NaN and is greatest, zeros are
//! equal, nulls come first.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float32Array, Float64Array, ListArray, MapArray, StructArray};
use arrow::datatypes::{DataType as Arrow, Field, Float32Type, Float64Type};
use arrow::row::{RowConverter, Rows, SortField};
use datafusion::common::Result;

/// True if a type has floating point numbers inside.
fn has_floats(ty: &Arrow) -> bool {
    match ty {
        Arrow::Float32 | Arrow::Float64 => true,
        Arrow::List(f) | Arrow::Map(f, _) => has_floats(f.data_type()),
        Arrow::Struct(fields) => fields.iter().any(|f| has_floats(f.data_type())),
        _ => false,
    }
}

/// The array with one NaN and one zero.
pub fn normalize(array: &ArrayRef) -> ArrayRef {
    if !has_floats(array.data_type()) {
        return Arc::clone(array);
    }
    match array.data_type() {
        Arrow::Float32 => {
            let a: Float32Array =
                array.as_primitive::<Float32Type>().unary(|v| if v.is_nan() { f32::NAN } else { v + 0.0 });
            Arc::new(a)
        }
        Arrow::Float64 => {
            let a: Float64Array =
                array.as_primitive::<Float64Type>().unary(|v| if v.is_nan() { f64::NAN } else { v + 0.0 });
            Arc::new(a)
        }
        Arrow::List(field) => {
            let list = array.as_list::<i32>();
            Arc::new(ListArray::new(
                Arc::clone(field),
                list.offsets().clone(),
                normalize(list.values()),
                list.nulls().cloned(),
            ))
        }
        Arrow::Struct(_) => normalize_struct(array.as_struct()),
        Arrow::Map(field, sorted) => {
            let map = array.as_map();
            let entries = normalize_struct(map.entries());
            Arc::new(MapArray::new(
                Arc::clone(field),
                map.offsets().clone(),
                entries.as_struct().clone(),
                map.nulls().cloned(),
                *sorted,
            ))
        }
        _ => Arc::clone(array),
    }
}

fn normalize_struct(array: &StructArray) -> ArrayRef {
    if array.columns().is_empty() {
        return Arc::new(array.clone());
    }
    let columns = array.columns().iter().map(normalize).collect();
    Arc::new(StructArray::new(array.fields().clone(), columns, array.nulls().cloned()))
}

/// The rows of `columns` in a form whose bytes compare as Spark compares, ascending, nulls first.
///
/// # Errors
/// If a type has no order.
pub fn rows(columns: &[ArrayRef]) -> Result<Rows> {
    let normal: Vec<ArrayRef> = columns.iter().map(normalize).collect();
    if normal.is_empty() {
        let one: ArrayRef = Arc::new(arrow::array::NullArray::new(0));
        return rows(&[one]);
    }
    let converter = RowConverter::new(normal.iter().map(|c| SortField::new(c.data_type().clone())).collect())?;
    Ok(converter.convert_columns(&normal)?)
}

/// The rows of several arrays of one type, comparable with each other.
///
/// # Errors
/// If the type has no order.
pub fn rows_of(arrays: &[&ArrayRef]) -> Result<Vec<Rows>> {
    let Some(first) = arrays.first() else { return Ok(Vec::new()) };
    let converter = RowConverter::new(vec![SortField::new(first.data_type().clone())])?;
    arrays.iter().map(|a| Ok(converter.convert_columns(&[normalize(a)])?)).collect()
}

/// A field of a struct inside plans.
pub fn field(name: &str, ty: Arrow) -> Field {
    Field::new(name, ty, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_compare_as_spark_does() {
        let a: ArrayRef = Arc::new(Float64Array::from(vec![
            Some(0.0),
            Some(-0.0),
            Some(f64::NAN),
            Some(-f64::NAN),
            Some(f64::INFINITY),
            None,
        ]));
        let r = rows(&[a]).unwrap();
        assert!(r.row(0) == r.row(1));
        assert!(r.row(2) == r.row(3));
        assert!(r.row(2) > r.row(4));
        assert!(r.row(5) < r.row(0));
    }
}
