//! Row-wise kernels: arguments read by row whether constant or column, results built without an
//! allocation for each row.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayBuilder, ArrayRef, ArrowPrimitiveType, BinaryArray, BinaryBuilder, BooleanBuilder, Int8Array,
    Int16Array, Int32Array, Int64Array, ListBuilder, PrimitiveBuilder, StringArray, StringBuilder,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType as Arrow, Float64Type, Int32Type, Int64Type};
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, Expr};
use datafusion::scalar::ScalarValue;
use spark::Error;
use spark::types::DataType;

use crate::call::Call;
use crate::coerce::Expected;
use crate::error::fail;
use crate::kernel::{Kernel, KernelArgs, downcast};
use crate::room::Room;
use crate::typed::Typed;

/// A string argument.
pub enum Text {
    Const(Option<String>),
    Column(StringArray),
}

impl Text {
    /// Argument `i`.
    pub fn of(args: &KernelArgs, i: usize) -> Result<Text> {
        match args.scalar(i) {
            Some(ScalarValue::Utf8(v) | ScalarValue::LargeUtf8(v) | ScalarValue::Utf8View(v)) => {
                Ok(Text::Const(v.clone()))
            }
            Some(v) if v.is_null() => Ok(Text::Const(None)),
            _ => Ok(Text::Column(args.strings(i)?)),
        }
    }

    /// The value of `row`.
    #[inline]
    pub fn get(&self, row: usize) -> Option<&str> {
        match self {
            Text::Const(v) => v.as_deref(),
            Text::Column(array) => array.is_valid(row).then(|| array.value(row)),
        }
    }

    /// The value if it is the same for every row: `None` for a column, `Some(None)` for a null.
    pub fn constant(&self) -> Option<Option<&str>> {
        match self {
            Text::Const(v) => Some(v.as_deref()),
            Text::Column(_) => None,
        }
    }
}

/// A binary argument; strings give their UTF-8 bytes.
pub enum Bytes {
    Const(Option<Vec<u8>>),
    Column(BinaryArray),
}

impl Bytes {
    /// Argument `i`.
    pub fn of(args: &KernelArgs, i: usize) -> Result<Bytes> {
        match args.scalar(i) {
            Some(ScalarValue::Binary(v)) => Ok(Bytes::Const(v.clone())),
            Some(ScalarValue::Utf8(v)) => Ok(Bytes::Const(v.as_ref().map(|s| s.as_bytes().to_vec()))),
            Some(v) if v.is_null() => Ok(Bytes::Const(None)),
            _ => {
                let array = cast(&args.array(i)?, &Arrow::Binary)?;
                Ok(Bytes::Column(downcast::<BinaryArray>(&array)?.clone()))
            }
        }
    }

    /// The value of `row`.
    #[inline]
    pub fn get(&self, row: usize) -> Option<&[u8]> {
        match self {
            Bytes::Const(v) => v.as_deref(),
            Bytes::Column(array) => array.is_valid(row).then(|| array.value(row)),
        }
    }
}

/// An integral argument of any width.
pub enum Ints {
    Const(Option<i64>),
    Column(Int64Array),
    Narrow(Int32Array),
}

impl Ints {
    /// Argument `i`.
    pub fn of(args: &KernelArgs, i: usize) -> Result<Ints> {
        match args.scalar(i) {
            Some(v) => Ok(Ints::Const(integral(v))),
            None => {
                let array = args.array(i)?;
                if let Some(narrow) = array.as_any().downcast_ref::<Int32Array>() {
                    return Ok(Ints::Narrow(narrow.clone()));
                }
                let array = cast(&array, &Arrow::Int64)?;
                Ok(Ints::Column(downcast::<Int64Array>(&array)?.clone()))
            }
        }
    }

    /// The value of `row`.
    #[inline]
    pub fn get(&self, row: usize) -> Option<i64> {
        match self {
            Ints::Const(v) => *v,
            Ints::Column(array) => array.is_valid(row).then(|| array.value(row)),
            Ints::Narrow(array) => array.is_valid(row).then(|| i64::from(array.value(row))),
        }
    }
}

fn integral(value: &ScalarValue) -> Option<i64> {
    match value {
        ScalarValue::Int8(v) => v.map(i64::from),
        ScalarValue::Int16(v) => v.map(i64::from),
        ScalarValue::Int32(v) => v.map(i64::from),
        ScalarValue::Int64(v) => *v,
        _ => None,
    }
}

/// The integral value of `row` in an array of any integral type.
pub fn integral_at(array: &ArrayRef, row: usize) -> Option<i64> {
    if array.is_null(row) {
        return None;
    }
    let any = array.as_any();
    if let Some(a) = any.downcast_ref::<Int32Array>() {
        return Some(i64::from(a.value(row)));
    }
    if let Some(a) = any.downcast_ref::<Int64Array>() {
        return Some(a.value(row));
    }
    if let Some(a) = any.downcast_ref::<Int16Array>() {
        return Some(i64::from(a.value(row)));
    }
    any.downcast_ref::<Int8Array>().map(|a| i64::from(a.value(row)))
}

/// How many rows to compute: one if every argument is constant.
pub fn row_count(args: &KernelArgs) -> usize {
    if args.all_scalar() { 1 } else { args.rows }
}

/// The array as the kernel's result: a scalar if every argument was one.
pub fn finish(args: &KernelArgs, array: ArrayRef) -> Result<ColumnarValue> {
    if args.all_scalar() {
        return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?));
    }
    Ok(ColumnarValue::Array(array))
}

/// Strings: `row` writes its value to the (empty) buffer and answers false for null.
pub fn strings(args: &KernelArgs, mut row: impl FnMut(usize, &mut String) -> Result<bool>) -> Result<ColumnarValue> {
    let rows = row_count(args);
    let mut out = StringBuilder::with_capacity(rows, rows.saturating_mul(8));
    let mut buffer = String::new();
    let mut room = Room::new();
    for i in 0..rows {
        buffer.clear();
        if row(i, &mut buffer)? {
            check_room(out.values_slice().len(), buffer.len())?;
            room.take(buffer.len())?;
            out.append_value(&buffer);
        } else {
            out.append_null();
        }
    }
    finish(args, Arc::new(out.finish()))
}

/// Strings that are parts of an argument: no copy but the one into the result.
pub fn slices<'a>(args: &KernelArgs, mut row: impl FnMut(usize) -> Result<Option<&'a str>>) -> Result<ColumnarValue> {
    let rows = row_count(args);
    let mut out = StringBuilder::with_capacity(rows, rows.saturating_mul(8));
    for i in 0..rows {
        let value = row(i)?;
        check_room(out.values_slice().len(), value.map_or(0, str::len))?;
        out.append_option(value);
    }
    finish(args, Arc::new(out.finish()))
}

/// Binary values, as [`strings`].
pub fn binaries(args: &KernelArgs, mut row: impl FnMut(usize, &mut Vec<u8>) -> Result<bool>) -> Result<ColumnarValue> {
    let rows = row_count(args);
    let mut out = BinaryBuilder::with_capacity(rows, rows.saturating_mul(8));
    let mut buffer = Vec::new();
    let mut room = Room::new();
    for i in 0..rows {
        buffer.clear();
        if row(i, &mut buffer)? {
            check_room(out.values_slice().len(), buffer.len())?;
            room.take(buffer.len())?;
            out.append_value(&buffer);
        } else {
            out.append_null();
        }
    }
    finish(args, Arc::new(out.finish()))
}

/// 32-bit integers.
pub fn ints(args: &KernelArgs, row: impl FnMut(usize) -> Result<Option<i32>>) -> Result<ColumnarValue> {
    primitives::<Int32Type>(args, row)
}

/// 64-bit integers.
pub fn longs(args: &KernelArgs, row: impl FnMut(usize) -> Result<Option<i64>>) -> Result<ColumnarValue> {
    primitives::<Int64Type>(args, row)
}

/// Doubles.
pub fn doubles(args: &KernelArgs, row: impl FnMut(usize) -> Result<Option<f64>>) -> Result<ColumnarValue> {
    primitives::<Float64Type>(args, row)
}

/// Numbers of one width.
fn primitives<T: ArrowPrimitiveType>(
    args: &KernelArgs,
    mut row: impl FnMut(usize) -> Result<Option<T::Native>>,
) -> Result<ColumnarValue> {
    let rows = row_count(args);
    let mut out = PrimitiveBuilder::<T>::with_capacity(rows);
    for i in 0..rows {
        out.append_option(row(i)?);
    }
    finish(args, Arc::new(out.finish()))
}

/// Booleans.
pub fn booleans(args: &KernelArgs, mut row: impl FnMut(usize) -> Result<Option<bool>>) -> Result<ColumnarValue> {
    let rows = row_count(args);
    let mut out = BooleanBuilder::with_capacity(rows);
    for i in 0..rows {
        out.append_option(row(i)?);
    }
    finish(args, Arc::new(out.finish()))
}

/// Lists of strings: `row` appends the elements and answers false for a null list.
pub fn string_lists(
    args: &KernelArgs,
    mut row: impl FnMut(usize, &mut StringBuilder) -> Result<bool>,
) -> Result<ColumnarValue> {
    let rows = row_count(args);
    let mut out = ListBuilder::new(StringBuilder::new()).with_field(crate::types::list_field(Arrow::Utf8));
    let mut room = Room::new();
    for i in 0..rows {
        let valid = row(i, out.values())?;
        room.take_up_to(out.values().values_slice().len() + ArrayBuilder::len(out.values()) * size_of::<i32>())?;
        out.append(valid);
    }
    finish(args, Arc::new(out.finish()))
}

/// Refuses a column of more bytes than its offsets can count.
fn check_room(used: usize, more: usize) -> Result<()> {
    if used.saturating_add(more) > i32::MAX as usize {
        return fail(too_large("string", used.saturating_add(more)));
    }
    Ok(())
}

/// The error for a value that is larger than a column can hold.
pub fn too_large(function: &str, size: usize) -> Error {
    Error::runtime("COLLECTION_SIZE_LIMIT_EXCEEDED.FUNCTION")
        .param("numberOfElements", size.to_string())
        .param("maxRoundedArrayLength", (i32::MAX - 15).to_string())
        .param("functionName", format!("`{function}`"))
        .with_message(format!("{function} would make a value of {size} bytes, more than a value can have."))
}

/// Types a call that does nothing but check its arguments, run `kernel` and answer null for null.
pub fn plain(mut call: Call, expected: &[Expected], kernel: &'static Kernel, ty: DataType) -> spark::Result<Typed> {
    call.arity(expected.len()..=expected.len())?;
    call.expect_all(expected)?;
    let nullable = call.any_nullable();
    Ok(call.kernel(kernel, ty, nullable))
}

/// [`Call::expect`] for functions that cast nothing but nulls.
pub fn strict(call: &mut Call, i: usize, expected: Expected) -> spark::Result<()> {
    if call.args[i].ty == DataType::Null || expected.accepts(&call.args[i].ty) {
        return call.expect(i, expected);
    }
    Err(call.unexpected_type(i, &expected.describe()))
}

/// An integer constant, printed as itself; for arguments that Spark fills in.
pub fn int_literal(value: i32) -> Typed {
    Typed::new(Expr::Literal(ScalarValue::Int32(Some(value)), None), DataType::Integer, false, value.to_string())
}

/// A string constant, printed as itself.
pub fn string_literal(value: &str) -> Typed {
    Typed::new(Expr::Literal(ScalarValue::Utf8(Some(value.into())), None), DataType::STRING, false, value)
}

/// Adds a constant in last place.
pub fn push_default(call: &mut Call, value: Typed) {
    call.args.push(value);
    call.arg_names.push(String::new());
}

/// The type of argument `i` if it is a string (with its collation) or binary, else `STRING`.
pub fn text_type(call: &Call, i: usize) -> DataType {
    match &call.args[i].ty {
        DataType::Binary => DataType::Binary,
        ty @ DataType::String { .. } => ty.clone(),
        _ => DataType::STRING,
    }
}

/// True if argument `i` is binary.
pub fn is_binary(call: &Call, i: usize) -> bool {
    call.args[i].ty == DataType::Binary
}

/// Runs a kernel on constants: what the tests of the families share.
#[cfg(test)]
pub mod testing {
    use super::*;
    use crate::kernel::{KernelUdf, Options};

    /// The kernel's value for constant arguments.
    pub fn run(kernel: &'static Kernel, ty: &DataType, options: Options, args: &[ScalarValue]) -> Result<ScalarValue> {
        let udf = KernelUdf::new(kernel, crate::types::to_arrow(ty), options);
        let scalars: Vec<ColumnarValue> = args.iter().cloned().map(ColumnarValue::Scalar).collect();
        let constant = match (kernel.eval)(&KernelArgs { args: &scalars, rows: 3, udf: &udf })? {
            ColumnarValue::Scalar(v) => v,
            ColumnarValue::Array(a) => ScalarValue::try_from_array(&a, 0)?,
        };
        let columns: Vec<ColumnarValue> =
            args.iter().map(|v| Ok(ColumnarValue::Array(v.to_array_of_size(2)?))).collect::<Result<_>>()?;
        if !columns.is_empty() {
            let column = match (kernel.eval)(&KernelArgs { args: &columns, rows: 2, udf: &udf })? {
                ColumnarValue::Scalar(v) => v,
                ColumnarValue::Array(a) => ScalarValue::try_from_array(&a, 1)?,
            };
            assert_eq!(constant, column, "{}: constants and columns differ", kernel.name);
        }
        Ok(constant)
    }

    /// A string argument.
    pub fn s(value: &str) -> ScalarValue {
        ScalarValue::Utf8(Some(value.into()))
    }

    /// An integer argument.
    pub fn n(value: i32) -> ScalarValue {
        ScalarValue::Int32(Some(value))
    }

    /// The string result of a string kernel.
    pub fn text(kernel: &'static Kernel, args: &[ScalarValue]) -> String {
        match run(kernel, &DataType::STRING, Options::ansi(true), args) {
            Ok(ScalarValue::Utf8(Some(v))) => v,
            Ok(v) if v.is_null() => "NULL".into(),
            Ok(other) => format!("{other:?}"),
            Err(e) => format!("!{}", crate::error::from_datafusion(e).condition()),
        }
    }

    /// The integer result of an integer kernel, -999 for null.
    pub fn int(kernel: &'static Kernel, args: &[ScalarValue]) -> i32 {
        match run(kernel, &DataType::Integer, Options::ansi(true), args) {
            Ok(ScalarValue::Int32(v)) => v.unwrap_or(-999),
            other => panic!("{other:?}"),
        }
    }
}
