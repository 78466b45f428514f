//! The `*_utf8` functions. Strings inside plans are always valid (docs/adr/0006), so these look at binary
//! arguments before they would become strings.

use datafusion::common::Result;
use datafusion::logical_expr::ColumnarValue;
use spark::types::DataType;
use spark::{Error, ErrorKind, Result as SparkResult};

use crate::call::Call;
use crate::coerce::Expected;
use crate::error::fail;
use crate::families::rows::{self, Bytes};
use crate::kernel::{Kernel, KernelArgs};
use crate::registry::{Build, Function};
use crate::typed::Typed;

/// Functions of this file.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "is_valid_utf8", build: Build::Scalar(is_valid) },
    Function { name: "make_valid_utf8", build: Build::Scalar(make_valid) },
    Function { name: "validate_utf8", build: Build::Scalar(validate) },
    Function { name: "try_validate_utf8", build: Build::Scalar(try_validate) },
];

const IS_VALID: Kernel = Kernel::new("is_valid_utf8", eval_is_valid);
const MAKE_VALID: Kernel = Kernel::new("make_valid_utf8", eval_make_valid);
const VALIDATE: Kernel = Kernel::new("validate_utf8", |args| eval_validate(args, true));
const TRY_VALIDATE: Kernel = Kernel::new("try_validate_utf8", |args| eval_validate(args, false));

/// Kernels of this file.
pub const KERNELS: &[Kernel] = &[IS_VALID, MAKE_VALID, VALIDATE, TRY_VALIDATE];

/// `INVALID_UTF8_STRING` of these bytes.
pub fn not_utf8(bytes: &[u8]) -> Error {
    let shown: String = bytes.iter().map(|b| format!("\\x{b:02X}")).collect();
    Error::new(ErrorKind::IllegalArgument, "INVALID_UTF8_STRING")
        .param("str", &shown)
        .with_message(format!("{shown} is not valid UTF-8."))
}

fn is_valid(mut call: Call) -> SparkResult<Typed> {
    call.arity(1..=1)?;
    call.expect(0, Expected::StringOrBinary)?;
    call.bytes_of_strings();
    Ok(call.kernel(&IS_VALID, DataType::Boolean, true))
}

fn make_valid(call: Call) -> SparkResult<Typed> {
    as_text(call, &MAKE_VALID)
}

fn validate(call: Call) -> SparkResult<Typed> {
    as_text(call, &VALIDATE)
}

fn try_validate(call: Call) -> SparkResult<Typed> {
    as_text(call, &TRY_VALIDATE)
}

fn as_text(mut call: Call, kernel: &'static Kernel) -> SparkResult<Typed> {
    call.arity(1..=1)?;
    call.expect(0, Expected::StringOrBinary)?;
    call.bytes_of_strings();
    let ty = match &call.args[0].ty {
        ty @ DataType::String { .. } => ty.clone(),
        _ => DataType::STRING,
    };
    Ok(call.kernel(kernel, ty, true))
}

fn eval_is_valid(args: &KernelArgs) -> Result<ColumnarValue> {
    let bytes = Bytes::of(args, 0)?;
    rows::booleans(args, |row| Ok(bytes.get(row).map(|b| std::str::from_utf8(b).is_ok())))
}

fn eval_make_valid(args: &KernelArgs) -> Result<ColumnarValue> {
    let bytes = Bytes::of(args, 0)?;
    rows::strings(args, |row, out| {
        let Some(b) = bytes.get(row) else { return Ok(false) };
        out.push_str(&String::from_utf8_lossy(b));
        Ok(true)
    })
}

fn eval_validate(args: &KernelArgs, strict: bool) -> Result<ColumnarValue> {
    let bytes = Bytes::of(args, 0)?;
    rows::strings(args, |row, out| {
        let Some(b) = bytes.get(row) else { return Ok(false) };
        match std::str::from_utf8(b) {
            Ok(s) => {
                out.push_str(s);
                Ok(true)
            }
            Err(_) if strict => fail(not_utf8(b)),
            Err(_) => Ok(false),
        }
    })
}
