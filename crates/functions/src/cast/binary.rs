//! Strings and integers as binary.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BinaryBuilder};
use arrow::compute::cast;
use arrow::datatypes::{DataType as Arrow, Int64Type};
use datafusion::common::Result;
use spark::types::DataType;

/// The bytes of strings, or the big-endian bytes of integers.
///
/// # Errors
/// If Arrow cannot read the array.
pub fn convert(array: &ArrayRef, from: &DataType) -> Result<ArrayRef> {
    if from.is_string() {
        return Ok(cast(array, &Arrow::Binary)?);
    }
    let width = match from {
        DataType::Byte => 1,
        DataType::Short => 2,
        DataType::Integer => 4,
        _ => 8,
    };
    let wide = cast(array, &Arrow::Int64)?;
    let mut out = BinaryBuilder::new();
    for value in wide.as_primitive::<Int64Type>() {
        match value {
            Some(v) => out.append_value(&v.to_be_bytes()[8 - width..]),
            None => out.append_null(),
        }
    }
    Ok(Arc::new(out.finish()))
}
