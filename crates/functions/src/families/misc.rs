//! Functions about the session, the query and its input, and ones that fail on purpose.

use arrow::array::{Array, AsArray};
use arrow::compute::cast as arrow_cast;
use arrow::datatypes::DataType as Arrow;
use datafusion::common::Result as DfResult;
use datafusion::common::tree_node::TreeNode;
use datafusion::logical_expr::{ColumnarValue, Expr, lit};
use datafusion::scalar::ScalarValue;
use spark::types::{DataType, quote_if_needed};
use spark::{Error, Result};

use crate::call::Call;
use crate::coerce::Expected;
use crate::error::fail;
use crate::families::rows::{self, Bytes, Ints, string_literal};
use crate::kernel::{Kernel, KernelArgs, KernelUdf, Options};
use crate::registry::{Build, Function};
use crate::typed::Typed;
use crate::types::to_arrow;

/// What users call.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "current_catalog", build: Build::Scalar(current_catalog) },
    Function { name: "current_database", build: Build::Scalar(current_schema) },
    Function { name: "current_schema", build: Build::Scalar(current_schema) },
    Function { name: "current_path", build: Build::Scalar(current_path) },
    Function { name: "current_user", build: Build::Scalar(current_user) },
    Function { name: "session_user", build: Build::Scalar(current_user) },
    Function { name: "user", build: Build::Scalar(current_user) },
    Function { name: "version", build: Build::Scalar(version) },
    Function { name: "typeof", build: Build::Scalar(type_of) },
    Function { name: "input_file_name", build: Build::Scalar(|c| text(c, "")) },
    Function { name: "input_file_block_start", build: Build::Scalar(no_block) },
    Function { name: "input_file_block_length", build: Build::Scalar(no_block) },
    Function { name: "assert_true", build: Build::Scalar(assert_true) },
    Function { name: "raise_error", build: Build::Scalar(raise_error) },
    Function { name: "bitmap_bit_position", build: Build::Scalar(|c| bitmap(c, &BIT_POSITION)) },
    Function { name: "bitmap_bucket_number", build: Build::Scalar(|c| bitmap(c, &BUCKET_NUMBER)) },
    Function { name: "bitmap_count", build: Build::Scalar(bitmap_count) },
];

/// What they run.
pub const KERNELS: &[Kernel] = &[ASSERT_TRUE, RAISE_ERROR, BIT_POSITION, BUCKET_NUMBER, BITMAP_COUNT, SAID_OF_TYPE];

const SAID_OF_TYPE: Kernel = Kernel::new("said_of_type", said_kernel);

// An error that is raised on purpose must not be raised while planning.
const ASSERT_TRUE: Kernel = Kernel::volatile("assert_true", assert_true_kernel);
const RAISE_ERROR: Kernel = Kernel::volatile("raise_error", raise_error_kernel);
const BIT_POSITION: Kernel = Kernel::new("bitmap_bit_position", |a| numbers(a, bit_position));
const BUCKET_NUMBER: Kernel = Kernel::new("bitmap_bucket_number", |a| numbers(a, bucket_number));
const BITMAP_COUNT: Kernel = Kernel::new("bitmap_count", bitmap_count_kernel);

/// A constant string, printed as the call.
fn text(call: Call, value: &str) -> Result<Typed> {
    call.arity(0..=0)?;
    Ok(string_literal(value).named(call.display_name()))
}

fn current_catalog(call: Call) -> Result<Typed> {
    let catalog = call.settings.current_catalog.clone();
    text(call, &catalog)
}

fn current_schema(mut call: Call) -> Result<Typed> {
    call.arity(0..=0)?;
    call.name = "current_schema".into();
    let database = call.settings.current_database.clone();
    text(call, &database)
}

/// Where unqualified names are looked for, in order.
fn current_path(call: Call) -> Result<Typed> {
    let shown = |schema: &Vec<String>| schema.iter().map(|p| quote_if_needed(p)).collect::<Vec<_>>().join(".");
    let path: Vec<String> = call.settings.search_path().iter().map(shown).collect();
    text(call, &path.join(","))
}

fn current_user(call: Call) -> Result<Typed> {
    let user = call.settings.current_user.clone();
    text(call, &user)
}

/// The version of Spark that this engine answers as, and of the engine.
fn version(call: Call) -> Result<Typed> {
    text(call, concat!("4.3.0 firesteel-", env!("CARGO_PKG_VERSION")))
}

fn type_of(call: Call) -> Result<Typed> {
    call.arity(1..=1)?;
    let text = call.args[0].ty.simple_string();
    Ok(said_of_type(call, &text))
}

/// A text that only the type of the argument decides. An aggregate stays in it: the query has groups.
pub(crate) fn said_of_type(call: Call, text: &str) -> Typed {
    let name = call.display_name();
    let grouped = |e: &Expr| Ok(matches!(e, Expr::AggregateFunction(_)));
    if !call.args[0].expr.exists(grouped).unwrap_or(false) {
        return string_literal(text).named(name);
    }
    let options = call.options().with_extra(text);
    call.kernel_with(&SAID_OF_TYPE, options, DataType::STRING, false)
}

fn said_kernel(args: &KernelArgs) -> DfResult<ColumnarValue> {
    Ok(ColumnarValue::Scalar(ScalarValue::Utf8(Some(args.extra().to_string()))))
}

/// There is no file behind a row that does not come from one.
fn no_block(call: Call) -> Result<Typed> {
    call.arity(0..=0)?;
    let name = call.display_name();
    Ok(Typed::new(lit(-1i64), DataType::Long, false, name))
}

/// The message as raised.
fn user_error(message: &str) -> Error {
    Error::runtime("USER_RAISED_EXCEPTION").param("errorMessage", message).with_message(message)
}

fn assert_true(mut call: Call) -> Result<Typed> {
    call.arity(1..=2)?;
    if call.args.len() == 1 {
        let message = format!("'{}' is not true!", call.args[0].name);
        rows::push_default(&mut call, string_literal(&message));
    }
    let name = call.display_name();
    let condition = &call.args[0];
    if condition.ty != DataType::Boolean && condition.ty != DataType::Null {
        return Err(Error::analysis("DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE")
            .param(
                "sqlExpr",
                format!(
                    "\"(IF({}, NULL, raise_error(USER_RAISED_EXCEPTION, map(errorMessage, {}))))\"",
                    condition.name, call.args[1].name
                ),
            )
            .param("paramIndex", "first")
            .param("requiredType", "\"BOOLEAN\"")
            .param("inputSql", format!("\"{}\"", condition.name))
            .param("inputType", format!("\"{}\"", condition.ty.sql()))
            .at(call.origin.as_ref()));
    }
    call.expect_all(&[Expected::Type(DataType::Boolean), Expected::String])?;
    let options = Options { context: None, ..call.options() };
    Ok(call.kernel_with(&ASSERT_TRUE, options, DataType::Null, true).named(name))
}

fn assert_true_kernel(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let conditions = args.array(0)?;
    let conditions = conditions.as_boolean();
    if let Some(row) = (0..args.rows).find(|row| conditions.is_null(*row) || !conditions.value(*row)) {
        let messages = args.strings(1)?;
        return fail(user_error(if messages.is_null(row) { "" } else { messages.value(row) }));
    }
    Ok(ColumnarValue::Scalar(ScalarValue::Null))
}

/// `raise_error(message)`.
fn raise_error(mut call: Call) -> Result<Typed> {
    call.arity(1..=1)?;
    call.expect(0, Expected::String)?;
    let name = format!("raise_error(USER_RAISED_EXCEPTION, map(errorMessage, {}))", call.args[0].name);
    let exprs = call.exprs();
    let options = Options { context: None, ..call.options() };
    let expr = KernelUdf::call(&RAISE_ERROR, to_arrow(&DataType::Null), options, exprs);
    Ok(Typed::new(expr, DataType::Null, true, name))
}

fn raise_error_kernel(args: &KernelArgs) -> DfResult<ColumnarValue> {
    if args.rows == 0 {
        return Ok(ColumnarValue::Scalar(ScalarValue::Null));
    }
    let messages = arrow_cast(&args.array(0)?, &Arrow::Utf8)?;
    let messages = messages.as_string::<i32>();
    fail(user_error(if messages.is_null(0) { "" } else { messages.value(0) }))
}

fn bitmap(mut call: Call, kernel: &'static Kernel) -> Result<Typed> {
    call.arity(1..=1)?;
    call.expect(0, Expected::Type(DataType::Long))?;
    let nullable = call.any_nullable();
    Ok(call.kernel(kernel, DataType::Long, nullable))
}

fn bitmap_count(mut call: Call) -> Result<Typed> {
    call.arity(1..=1)?;
    rows::strict(&mut call, 0, Expected::Type(DataType::Binary))?;
    let nullable = call.any_nullable();
    Ok(call.kernel(&BITMAP_COUNT, DataType::Long, nullable))
}

/// Bits of a bitmap: 4 KiB of them.
const BITMAP_BITS: i64 = 8 * 4096;

/// Positive values start at 1, in buckets from 1; the others in buckets from 0 down.
fn bucket_number(v: i64) -> i64 {
    if v > 0 { 1 + (v - 1) / BITMAP_BITS } else { v / BITMAP_BITS }
}

fn bit_position(v: i64) -> i64 {
    if v > 0 { (v - 1) % BITMAP_BITS } else { v.wrapping_neg() % BITMAP_BITS }
}

fn numbers(args: &KernelArgs, function: fn(i64) -> i64) -> DfResult<ColumnarValue> {
    let values = Ints::of(args, 0)?;
    rows::longs(args, |row| Ok(values.get(row).map(function)))
}

fn bitmap_count_kernel(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let values = Bytes::of(args, 0)?;
    rows::longs(args, |row| Ok(values.get(row).map(|b| b.iter().map(|b| i64::from(b.count_ones())).sum())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bitmaps() {
        for (v, position, bucket) in
            [(1, 0, 1), (123, 122, 1), (0, 0, 0), (-1, 1, 0), (32_768, 32_767, 1), (32_769, 0, 2)]
        {
            assert_eq!((bit_position(v), bucket_number(v)), (position, bucket), "{v}");
        }
    }
}
