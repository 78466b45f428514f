//! Arrays, maps and structs, part by part.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, MapArray, StructArray};
use arrow::datatypes::DataType as Arrow;
use datafusion::common::{Result, internal_err};
use spark::types::DataType;

use super::convert::{self, Context, no_such_cast};
use crate::types::to_arrow;

/// A nested array with every part converted.
///
/// # Errors
/// As the parts.
pub fn convert(array: &ArrayRef, from: &DataType, to: &DataType, context: &Context) -> Result<ArrayRef> {
    match (from, to) {
        (DataType::Array { element: f, .. }, DataType::Array { element: t, .. }) => list(array, f, t, to, context),
        (DataType::Map { key: fk, value: fv, .. }, DataType::Map { key: tk, value: tv, .. }) => {
            map(array, (fk, tk), (fv, tv), to, context)
        }
        (DataType::Struct(f), DataType::Struct(t)) if f.fields.len() == t.fields.len() => {
            let parts = array.as_struct();
            let columns = f
                .fields
                .iter()
                .zip(&t.fields)
                .zip(parts.columns())
                .map(|((f, t), column)| {
                    // What a null struct holds is not to be looked at.
                    let column = masked(column, parts)?;
                    convert::convert(&column, &f.data_type, &t.data_type, context)
                })
                .collect::<Result<Vec<_>>>()?;
            let Arrow::Struct(fields) = to_arrow(to) else { return no_such_cast(from, to) };
            Ok(Arc::new(StructArray::try_new_with_length(fields, columns, parts.nulls().cloned(), parts.len())?))
        }
        _ => no_such_cast(from, to),
    }
}

fn masked(column: &ArrayRef, parent: &StructArray) -> Result<ArrayRef> {
    match parent.nulls() {
        Some(nulls) if nulls.null_count() > 0 => {
            let invalid = arrow::array::BooleanArray::new(!nulls.inner(), None);
            Ok(arrow::compute::nullif(column, &invalid)?)
        }
        _ => Ok(column.clone()),
    }
}

fn list(array: &ArrayRef, from: &DataType, to: &DataType, whole: &DataType, context: &Context) -> Result<ArrayRef> {
    let list = array.as_list::<i32>();
    let values = convert::convert(list.values(), from, to, context)?;
    let Arrow::List(field) = to_arrow(whole) else { return internal_err!("an array type is a list") };
    Ok(Arc::new(ListArray::try_new(field, list.offsets().clone(), values, list.nulls().cloned())?))
}

fn map(
    array: &ArrayRef,
    (fk, tk): (&DataType, &DataType),
    (fv, tv): (&DataType, &DataType),
    whole: &DataType,
    context: &Context,
) -> Result<ArrayRef> {
    let map = array.as_map();
    let keys = convert::convert(map.keys(), fk, tk, context)?;
    let values = convert::convert(map.values(), fv, tv, context)?;
    let Arrow::Map(field, sorted) = to_arrow(whole) else { return internal_err!("a map type is a map") };
    let Arrow::Struct(fields) = field.data_type() else { return internal_err!("map entries are a struct") };
    let entries = StructArray::try_new(fields.clone(), vec![keys, values], None)?;
    Ok(Arc::new(MapArray::try_new(field, map.offsets().clone(), entries, map.nulls().cloned(), sorted)?))
}
