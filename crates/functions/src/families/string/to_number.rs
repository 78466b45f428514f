//! `to_number`, `try_to_number`, `to_char`, `to_varchar`.

use arrow::array::Array;
use datafusion::common::Result;
use datafusion::logical_expr::ColumnarValue;
use datafusion::scalar::ScalarValue;
use spark::types::DataType;
use spark::{Error, ErrorKind, Result as SparkResult};

use super::number_pattern::NumberPattern;
use crate::call::Call;
use crate::coerce::{self, Expected};
use crate::error::{external, fail};
use crate::families::rows::{self, Text};
use crate::families::text_data::cells::Cells;
use crate::families::text_data::datum::{Datum, build};
use crate::fold;
use crate::kernel::{Kernel, KernelArgs, Options};
use crate::registry::{Build, Function, function};
use crate::typed::Typed;

/// Functions of this file.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "to_number", build: Build::Scalar(to_number) },
    Function { name: "try_to_number", build: Build::Scalar(to_number) },
    Function { name: "to_char", build: Build::Scalar(to_char) },
    Function { name: "to_varchar", build: Build::Scalar(to_char) },
];

const TO_NUMBER: Kernel = Kernel::new("to_number", eval_to_number);
const TO_CHAR: Kernel = Kernel::new("to_char", eval_to_char);

/// Kernels of this file.
pub const KERNELS: &[Kernel] = &[TO_NUMBER, TO_CHAR];

/// The constant format in the second place; `None` for null.
fn format_argument(call: &Call) -> SparkResult<Option<NumberPattern>> {
    let arg = &call.args[1];
    if !arg.foldable() {
        return Err(call
            .mismatch("NON_FOLDABLE_INPUT")
            .param("inputName", "`attributereference`")
            .param("inputType", "\"STRING\"")
            .param("inputExpr", format!("\"{}\"", arg.name)));
    }
    fold::string(arg).map(|f| NumberPattern::new(&f)).transpose().map_err(|e| e.at(call.origin.as_ref()))
}

fn to_number(mut call: Call) -> SparkResult<Typed> {
    call.arity(2..=2)?;
    call.expect_all(&[Expected::String, Expected::String])?;
    call.collate(&[0, 1])?;
    let is_try = call.name == "try_to_number";
    let Some(pattern) = format_argument(&call)? else {
        let ty = DataType::decimal(10, 0);
        return Ok(call.finish(Typed::null(ty.clone()).expr, ty, true));
    };
    if pattern.precision > 38 {
        return Err(Error::arithmetic("DECIMAL_PRECISION_EXCEEDS_MAX_PRECISION")
            .param("precision", pattern.precision.to_string())
            .param("maxPrecision", "38")
            .nowhere());
    }
    let ty = DataType::decimal(pattern.precision as u8, pattern.scale as i8);
    let nullable = is_try || call.any_nullable();
    let options = Options { ansi: !is_try, ..call.options() };
    Ok(call.kernel_with(&TO_NUMBER, options, ty, nullable))
}

fn to_char(mut call: Call) -> SparkResult<Typed> {
    call.arity(2..=2)?;
    match &call.args[0].ty {
        DataType::Date
        | DataType::Timestamp
        | DataType::TimestampNtz
        | DataType::TimestampNanos { .. }
        | DataType::Time(_) => {
            return delegate(call, "date_format");
        }
        DataType::Binary => return binary_to_char(call),
        _ => {}
    }
    call.name = "to_char".into();
    let name = call.display_name();
    let decimal = match &call.args[0].ty {
        DataType::Decimal { precision, scale } => DataType::decimal(*precision, *scale),
        DataType::Byte => DataType::decimal(3, 0),
        DataType::Short => DataType::decimal(5, 0),
        DataType::Integer => DataType::decimal(10, 0),
        DataType::Long => DataType::decimal(20, 0),
        DataType::Float => DataType::decimal(14, 7),
        DataType::Double => DataType::decimal(30, 15),
        DataType::Null => DataType::decimal(10, 0),
        ty if ty.is_string() => DataType::decimal(38, 18),
        _ => return Err(call.unexpected_type(0, "\"DECIMAL\"")),
    };
    call.expect(1, Expected::String)?;
    let pattern = format_argument(&call)?;
    call.args[0] = coerce::cast_implicitly(&call.args[0], &decimal, call.settings);
    let nullable = pattern.is_none() || call.any_nullable();
    let options = call.options().with_extra(serde_json::to_string(&decimal).unwrap_or_default());
    Ok(call.kernel_with(&TO_CHAR, options, DataType::STRING, nullable).named(name))
}

/// The call as one of another function, with all of its arguments.
fn delegate(mut call: Call, name: &str) -> SparkResult<Typed> {
    call.name = name.to_string();
    match function(name).map(|f| &f.build) {
        Some(Build::Scalar(build)) => build(call),
        _ => Err(Error::unsupported(name)),
    }
}

fn binary_to_char(mut call: Call) -> SparkResult<Typed> {
    if !call.args[1].foldable() {
        return Err(Error::analysis("NON_FOLDABLE_ARGUMENT")
            .param("funcName", format!("`{}`", call.name))
            .param("paramName", "`format`")
            .param("paramType", "\"STRING\"")
            .at(call.origin.as_ref()));
    }
    let format = fold::string(&call.args[1]);
    let lower = format.as_deref().map(str::to_ascii_lowercase);
    let target = match lower.as_deref() {
        Some("base64") => "base64",
        Some("hex") => "hex",
        Some("utf-8") => "decode",
        _ => {
            return Err(Error::analysis("INVALID_PARAMETER_VALUE.BINARY_FORMAT")
                .param("functionName", format!("`{}`", call.name))
                .param("parameter", "`format`")
                .param("invalidFormat", format.map_or("NULL".into(), |f| format!("'{f}'")))
                .at(call.origin.as_ref()));
        }
    };
    // `to_varchar` prints as it was called, `to_char` as what it stands for.
    let printed = if call.name == "to_varchar" { "to_varchar" } else { target };
    if target != "decode" {
        call.args.truncate(1);
    }
    let args: Vec<&str> = call.args.iter().map(|a| a.name.as_str()).collect();
    let name = format!("{printed}({})", args.join(", "));
    delegate(call, target).map(|typed| typed.named(name))
}

fn eval_to_number(args: &KernelArgs) -> Result<ColumnarValue> {
    let (text, formats) = (Text::of(args, 0)?, Text::of(args, 1)?);
    let Some(format) = formats.get(0) else {
        return Ok(ColumnarValue::Scalar(ScalarValue::try_from(args.return_type())?));
    };
    let pattern = NumberPattern::new(format).map_err(external)?;
    let mut out = Vec::with_capacity(rows::row_count(args));
    for row in 0..rows::row_count(args) {
        out.push(match text.get(row).map(|s| (s, pattern.parse(s.trim_matches(' ')))) {
            None => Datum::Null,
            Some((_, Some(value))) => Datum::Decimal(value),
            Some((_, None)) if !args.ansi() => Datum::Null,
            Some((s, None)) => {
                return fail(
                    Error::new(ErrorKind::IllegalArgument, "INVALID_FORMAT.MISMATCH_INPUT")
                        .param("inputType", "\"STRING\"")
                        .param("input", s)
                        .param("format", format)
                        .with_message(format!("'{s}' does not fit the format '{format}'.")),
                );
            }
        });
    }
    let out: Vec<&Datum> = out.iter().collect();
    let ty = DataType::decimal(pattern.precision as u8, pattern.scale as i8);
    rows::finish(args, build(&out, &ty)?)
}

fn eval_to_char(args: &KernelArgs) -> Result<ColumnarValue> {
    let ty: DataType = crate::families::text_data::forms::spec(args)?;
    let formats = Text::of(args, 1)?;
    let Some(format) = formats.get(0) else {
        return Ok(ColumnarValue::Scalar(ScalarValue::Utf8(None)));
    };
    let pattern = NumberPattern::new(format).map_err(external)?;
    let cells = Cells::new(&args.value(0)?.to_array(rows::row_count(args))?, &ty)?;
    rows::strings(args, |row, out| match &cells {
        Cells::Decimal(a, _, scale) if a.is_valid(row) => {
            pattern.write(a.value(row), (*scale).max(0) as usize, out);
            Ok(true)
        }
        _ => Ok(false),
    })
}
