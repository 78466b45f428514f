//! Sketches in the binary formats of Apache DataSketches, and Spark's own count-min sketch and bitmaps.

pub mod bitmap;
pub mod count_min;
pub mod hll;
pub mod hll_functions;
pub mod kll;
pub mod kll_functions;
pub mod murmur;
pub mod theta;
pub mod theta_functions;
pub mod top_k;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType as Arrow, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type};
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::lit;
use spark::types::DataType;

use crate::call::Call;
use crate::coerce::Expected;
use crate::fold;
use crate::typed::Typed;

/// The bytes a sketch hashes for each value of a column; `None` for nulls and what sketches skip (empty
/// strings).
///
/// # Errors
/// If sketches take no such values.
pub fn hashed_bytes(array: &ArrayRef, row: usize) -> Result<Option<Vec<u8>>> {
    if array.is_null(row) {
        return Ok(None);
    }
    let long = |v: i64| Some(v.to_le_bytes().to_vec());
    Ok(match array.data_type() {
        Arrow::Int8 => long(i64::from(array.as_primitive::<Int8Type>().value(row))),
        Arrow::Int16 => long(i64::from(array.as_primitive::<Int16Type>().value(row))),
        Arrow::Int32 => long(i64::from(array.as_primitive::<Int32Type>().value(row))),
        Arrow::Int64 => long(array.as_primitive::<Int64Type>().value(row)),
        Arrow::Float32 => long(double_bits(f64::from(array.as_primitive::<Float32Type>().value(row)))),
        Arrow::Float64 => long(double_bits(array.as_primitive::<Float64Type>().value(row))),
        Arrow::Utf8 => Some(array.as_string::<i32>().value(row).as_bytes().to_vec()).filter(|b| !b.is_empty()),
        Arrow::Binary => Some(array.as_binary::<i32>().value(row).to_vec()).filter(|b| !b.is_empty()),
        Arrow::List(_) => list_bytes(&array.as_list::<i32>().value(row))?,
        other => return internal_err!("no sketch of {other}"),
    })
}

/// The Java hash code of a value in Spark's memory.
///
/// # Errors
/// If the value has none here.
pub fn java_hash(array: &ArrayRef, row: usize) -> Result<i32> {
    Ok(match array.data_type() {
        Arrow::Utf8 => count_min::murmur3(array.as_string::<i32>().value(row).as_bytes(), 42),
        Arrow::Boolean => {
            if array.as_boolean().value(row) {
                1231
            } else {
                1237
            }
        }
        Arrow::Float32 => array.as_primitive::<Float32Type>().value(row).to_bits() as i32,
        Arrow::Float64 => long_hash(double_bits(array.as_primitive::<Float64Type>().value(row))),
        Arrow::Int64 | Arrow::Timestamp(..) | Arrow::Duration(_) | Arrow::Time64(_) => {
            long_hash(crate::families::datetime::numbers(array)?.value(row))
        }
        Arrow::Int8 | Arrow::Int16 | Arrow::Int32 | Arrow::Date32 | Arrow::Interval(_) => {
            crate::families::datetime::numbers(array)?.value(row) as i32
        }
        _ => 0,
    })
}

fn long_hash(v: i64) -> i32 {
    (v ^ (v as u64 >> 32) as i64) as i32
}

fn double_bits(v: f64) -> i64 {
    if v.is_nan() { 0x7ff8_0000_0000_0000 } else { (v + 0.0).to_bits() as i64 }
}

fn list_bytes(values: &ArrayRef) -> Result<Option<Vec<u8>>> {
    let mut out = Vec::new();
    match values.data_type() {
        Arrow::Int32 => {
            values.as_primitive::<Int32Type>().iter().for_each(|v| out.extend(v.unwrap_or(0).to_le_bytes()))
        }
        Arrow::Int64 => {
            values.as_primitive::<Int64Type>().iter().for_each(|v| out.extend(v.unwrap_or(0).to_le_bytes()))
        }
        other => return internal_err!("no sketch of lists of {other}"),
    }
    Ok(Some(out).filter(|b| !b.is_empty()))
}

/// Refuses a key column that sketches do not take.
///
/// # Errors
/// `DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE`.
pub(crate) fn expect_key(call: &Call, i: usize, required: &str) -> spark::Result<()> {
    let ok = match &call.args[i].ty {
        DataType::Array { element, .. } => matches!(**element, DataType::Integer | DataType::Long),
        DataType::Integer | DataType::Long | DataType::Float | DataType::Double | DataType::Binary => true,
        t => t.is_string(),
    };
    if ok { Ok(()) } else { Err(call.unexpected_type(i, required)) }
}

/// An integer constant in place `i`, added with its default where it is missing.
///
/// # Errors
/// If it is not a constant within `range`.
pub(crate) fn integer_argument(
    call: &mut Call,
    i: usize,
    name: &str,
    default: i32,
    range: std::ops::RangeInclusive<i64>,
    condition: &str,
) -> spark::Result<i64> {
    while call.args.len() <= i {
        call.args.push(Typed::new(lit(default), DataType::Integer, false, default.to_string()));
    }
    if !call.args[i].foldable() {
        return Err(call
            .mismatch("NON_FOLDABLE_INPUT")
            .param("inputName", format!("`{name}`"))
            .param("inputType", "\"INT\"")
            .param("inputExpr", format!("\"{}\"", call.args[i].name)));
    }
    call.expect(i, Expected::Type(DataType::Integer))?;
    // An error in the constant is the query's; Spark reads a null as nothing set.
    let null = fold::evaluate(&call.args[i])?.is_null();
    let checked = call.name.starts_with("tuple_") && call.name.contains("_agg_");
    if null && checked {
        return Err(call.mismatch("UNEXPECTED_NULL").param("exprName", name));
    }
    match if null { Some(0) } else { fold::integer(&call.args[i]) } {
        Some(v) if range.contains(&v) => Ok(v),
        _ if checked => Err(failed_check(call, condition)),
        found => Err(spark::Error::runtime(condition)
            .param("function", format!("`{}`", call.name))
            .param("min", range.start().to_string())
            .param("max", range.end().to_string())
            .param("value", found.map_or("null".into(), |v| v.to_string()))
            .with_message(format!("{name} must be between {} and {}.", range.start(), range.end()))
            .nowhere()),
    }
}

/// The refusal of an argument's value while types are checked.
pub(crate) fn failed_check(call: &Call, condition: &str) -> spark::Error {
    call.mismatch("TYPE_CHECK_FAILURE_WITH_HINT").param("msg", format!("[{condition}]")).param("hint", "")
}

/// A sketch that is not one.
pub(crate) fn invalid_buffer(condition: &str, function: &str) -> spark::Error {
    spark::Error::runtime(condition)
        .param("function", format!("`{function}`"))
        .with_message(format!("{function} was given bytes that are no sketch of its kind."))
}
