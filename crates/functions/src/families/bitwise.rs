//! Bitwise operators and functions.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int8Array, Int32Array, Int64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType as Arrow, Int32Type, Int64Type};
use datafusion::common::Result as DfResult;
use datafusion::logical_expr::{ColumnarValue, Operator, binary_expr};
use spark::types::DataType;
use spark::{Error, ErrorKind, Result};

use crate::call::Call;
use crate::coerce::{Expected, cast_implicitly, promote_string, tightest_type};
use crate::error::fail;
use crate::families::operators::decimal_operand;
use crate::kernel::{Kernel, KernelArgs, KernelUdf};
use crate::registry::{Build, Function};
use crate::typed::Typed;
use crate::types::to_arrow;

/// What users call.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "&", build: Build::Scalar(|c| binary(c, Operator::BitwiseAnd, "&")) },
    Function { name: "|", build: Build::Scalar(|c| binary(c, Operator::BitwiseOr, "|")) },
    Function { name: "^", build: Build::Scalar(|c| binary(c, Operator::BitwiseXor, "^")) },
    Function { name: "~", build: Build::Scalar(not) },
    Function { name: "<<", build: Build::Scalar(|c| shift(c, &SHIFT_LEFT)) },
    Function { name: ">>", build: Build::Scalar(|c| shift(c, &SHIFT_RIGHT)) },
    Function { name: ">>>", build: Build::Scalar(|c| shift(c, &SHIFT_RIGHT_UNSIGNED)) },
    Function { name: "shiftleft", build: Build::Scalar(|c| shift(c, &SHIFT_LEFT)) },
    Function { name: "shiftright", build: Build::Scalar(|c| shift(c, &SHIFT_RIGHT)) },
    Function { name: "shiftrightunsigned", build: Build::Scalar(|c| shift(c, &SHIFT_RIGHT_UNSIGNED)) },
    Function { name: "bit_count", build: Build::Scalar(bit_count) },
    Function { name: "bit_get", build: Build::Scalar(bit_get) },
    Function { name: "getbit", build: Build::Scalar(bit_get) },
];

/// What they run.
pub const KERNELS: &[Kernel] = &[BIT_NOT, SHIFT_LEFT, SHIFT_RIGHT, SHIFT_RIGHT_UNSIGNED, BIT_COUNT, BIT_GET];

const BIT_NOT: Kernel = Kernel::new("bitwise_not", bit_not_kernel);
const SHIFT_LEFT: Kernel =
    Kernel::new("shiftleft", |a| shift_kernel(a, |v, n| v.wrapping_shl(n), |v, n| v.wrapping_shl(n)));
const SHIFT_RIGHT: Kernel =
    Kernel::new("shiftright", |a| shift_kernel(a, |v, n| v.wrapping_shr(n), |v, n| v.wrapping_shr(n)));
const SHIFT_RIGHT_UNSIGNED: Kernel = Kernel::new("shiftrightunsigned", |a| {
    shift_kernel(
        a,
        |v, n| v.cast_unsigned().wrapping_shr(n).cast_signed(),
        |v, n| v.cast_unsigned().wrapping_shr(n).cast_signed(),
    )
});
const BIT_COUNT: Kernel = Kernel::new("bit_count", bit_count_kernel);
const BIT_GET: Kernel = Kernel::new("bit_get", bit_get_kernel);

/// A binary operator on integers of one type.
fn binary(call: Call, op: Operator, symbol: &str) -> Result<Typed> {
    call.arity(2..=2)?;
    let name = format!("({} {symbol} {})", call.args[0].name, call.args[1].name);
    let (l, r) = (&call.args[0], &call.args[1]);
    let Some(common) = operand_type(&l.ty, &r.ty, call.settings) else {
        let is_decimal = |t: &Typed| matches!(t.ty, DataType::Decimal { .. });
        let shown = |t: &Typed, other: &Typed| {
            if is_decimal(other) && t.ty.is_integral() { decimal_operand(t, call.settings).ty } else { t.ty.clone() }
        };
        return Err(Error::analysis("DATATYPE_MISMATCH.BINARY_OP_DIFF_TYPES")
            .param("sqlExpr", format!("\"{name}\""))
            .param("left", format!("\"{}\"", shown(l, r).sql()))
            .param("right", format!("\"{}\"", shown(r, l).sql()))
            .at(call.origin.as_ref()));
    };
    if !common.is_integral() {
        return Err(Error::analysis("DATATYPE_MISMATCH.BINARY_OP_WRONG_TYPE")
            .param("sqlExpr", format!("\"{name}\""))
            .param("inputType", "\"INTEGRAL\"")
            .param("actualDataType", format!("\"{}\"", common.sql()))
            .at(call.origin.as_ref()));
    }
    let l = cast_implicitly(l, &common, call.settings);
    let r = cast_implicitly(r, &common, call.settings);
    let nullable = l.nullable || r.nullable;
    Ok(Typed::new(binary_expr(l.expr, op, r.expr), common, nullable, name))
}

/// The type both operands are cast to; it may be one that has no bits.
fn operand_type(a: &DataType, b: &DataType, settings: &spark::Settings) -> Option<DataType> {
    use DataType as T;
    match (a, b) {
        (T::Null, T::Null) => Some(T::Integer),
        (a, b) if a.same_type(b) => Some(a.clone()),
        (T::Decimal { .. }, T::Float | T::Double) | (T::Float | T::Double, T::Decimal { .. }) => Some(T::Double),
        _ => {
            let tightest = tightest_type(a, b, settings).filter(|t| t.is_integral() || t.is_string());
            tightest.or_else(|| promote_string(a, b).filter(|_| settings.ansi))
        }
    }
}

fn not(mut call: Call) -> Result<Typed> {
    call.arity(1..=1)?;
    let name = format!("~{}", call.args[0].name);
    // A string is not made a number here.
    if call.args[0].ty.is_string() {
        return Err(call.unexpected_type(0, "\"INTEGRAL\"").param("sqlExpr", format!("\"{name}\"")));
    }
    call.expect(0, Expected::Integral)?;
    let (ty, nullable) = (call.args[0].ty.clone(), call.args[0].nullable);
    Ok(call.kernel(&BIT_NOT, ty, nullable).named(name))
}

fn shift(mut call: Call, kernel: &'static Kernel) -> Result<Typed> {
    call.arity(2..=2)?;
    let name = match call.name.as_str() {
        symbol @ ("<<" | ">>" | ">>>") => format!("({} {symbol} {})", call.args[0].name, call.args[1].name),
        _ => call.display_name(),
    };
    let expected = Expected::OneOf(vec![Expected::Type(DataType::Integer), Expected::Type(DataType::Long)]);
    call.expect_all(&[expected, Expected::Type(DataType::Integer)])?;
    let (ty, nullable) = (call.args[0].ty.clone(), call.any_nullable());
    Ok(call.kernel(kernel, ty, nullable).named(name))
}

fn bit_count(mut call: Call) -> Result<Typed> {
    call.arity(1..=1)?;
    if call.args[0].ty.is_string() {
        return Err(call.unexpected_type(0, "(\"INTEGRAL\" or \"BOOLEAN\")"));
    }
    call.expect(0, Expected::OneOf(vec![Expected::Integral, Expected::Type(DataType::Boolean)]))?;
    let nullable = call.any_nullable();
    Ok(call.kernel(&BIT_COUNT, DataType::Integer, nullable))
}

fn bit_get(mut call: Call) -> Result<Typed> {
    call.arity(2..=2)?;
    call.expect_all(&[Expected::Integral, Expected::Type(DataType::Integer)])?;
    let bits = match call.args[0].ty {
        DataType::Byte => "8",
        DataType::Short => "16",
        DataType::Integer => "32",
        _ => "64",
    };
    let options = call.options().with_extra(format!("{bits} {}", call.name));
    let name = call.display_name();
    let nullable = call.any_nullable();
    let value = cast_implicitly(&call.args[0], &DataType::Long, call.settings);
    let expr =
        KernelUdf::call(&BIT_GET, to_arrow(&DataType::Byte), options, vec![value.expr, call.args[1].expr.clone()]);
    Ok(Typed::new(expr, DataType::Byte, nullable, name))
}

fn bit_not_kernel(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let array = args.array(0)?;
    let wide = cast(&array, &Arrow::Int64)?;
    let out: Int64Array = wide.as_primitive::<Int64Type>().unary(|v| !v);
    Ok(ColumnarValue::Array(cast(&out, array.data_type())?))
}

fn shift_kernel(args: &KernelArgs, int: fn(i32, u32) -> i32, long: fn(i64, u32) -> i64) -> DfResult<ColumnarValue> {
    let (value, by) = (args.array(0)?, args.array(1)?);
    let by = by.as_primitive::<Int32Type>();
    let out: ArrayRef = if *value.data_type() == Arrow::Int32 {
        let pairs = value.as_primitive::<Int32Type>().iter().zip(by);
        Arc::new(pairs.map(|(v, n)| Some(int(v?, n?.cast_unsigned()))).collect::<Int32Array>())
    } else {
        let pairs = value.as_primitive::<Int64Type>().iter().zip(by);
        Arc::new(pairs.map(|(v, n)| Some(long(v?, n?.cast_unsigned()))).collect::<Int64Array>())
    };
    Ok(ColumnarValue::Array(out))
}

/// Bits set in the value widened to 64 bits, as Java counts.
fn bit_count_kernel(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let wide = cast(&args.array(0)?, &Arrow::Int64)?;
    let out: Int32Array = wide.as_primitive::<Int64Type>().unary(|v| v.count_ones().cast_signed());
    Ok(ColumnarValue::Array(Arc::new(out)))
}

fn bit_get_kernel(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let (value, position) = (args.array(0)?, args.array(1)?);
    let (bits, function) = args.extra().split_once(' ').unwrap_or((args.extra(), "bit_get"));
    let bits: i32 = bits.parse().unwrap_or(64);
    let (value, position) = (value.as_primitive::<Int64Type>(), position.as_primitive::<Int32Type>());
    let mut out = Int8Array::builder(value.len());
    for (v, p) in value.iter().zip(position) {
        let (Some(v), Some(p)) = (v, p) else {
            out.append_null();
            continue;
        };
        if !(0..bits).contains(&p) {
            return fail(
                Error::new(ErrorKind::IllegalArgument, "INVALID_PARAMETER_VALUE.BIT_POSITION_RANGE")
                    .param("functionName", format!("`{function}`"))
                    .param("parameter", "`pos`")
                    .param("upper", bits.to_string())
                    .param("invalidValue", p.to_string()),
            );
        }
        out.append_value(((v >> p) & 1) as i8);
    }
    Ok(ColumnarValue::Array(Arc::new(out.finish())))
}
