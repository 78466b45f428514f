//! Decimal arithmetic: exact results, rounded half up to the result's scale.

use std::sync::Arc;

use arrow::array::{Array, AsArray, Decimal128Array, Int64Array};
use arrow::datatypes::{DataType as Arrow, Decimal128Type, i256};
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::ColumnarValue;
use num_bigint::BigInt;
use num_traits::{Signed, ToPrimitive, Zero};
use spark::Error;

use super::int_kernels::{OnFailure, on_failure, remainder_by_zero};
use crate::error::{divide_by_zero, fail};
use crate::kernel::{Kernel, KernelArgs};

pub const ADD: Kernel = Kernel::new("decimal_add", |a| run(a, Kind::Add));
pub const SUBTRACT: Kernel = Kernel::new("decimal_subtract", |a| run(a, Kind::Subtract));
pub const MULTIPLY: Kernel = Kernel::new("decimal_multiply", |a| run(a, Kind::Multiply));
pub const DIVIDE: Kernel = Kernel::new("decimal_divide", |a| run(a, Kind::Divide));
pub const REMAINDER: Kernel = Kernel::new("decimal_remainder", |a| run(a, Kind::Remainder));
pub const PMOD: Kernel = Kernel::new("decimal_pmod", |a| run(a, Kind::Pmod));
pub const INTEGRAL_DIVIDE: Kernel = Kernel::new("decimal_integral_divide", integral_divide);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Pmod,
}

/// Scales of the operands and the type of the result.
struct Shape {
    left: i32,
    right: i32,
    precision: u8,
    scale: i32,
}

fn scale_of(ty: &Arrow) -> Result<i32> {
    match ty {
        Arrow::Decimal128(_, s) => Ok(i32::from(*s)),
        other => internal_err!("decimal arithmetic on {other}"),
    }
}

fn run(args: &KernelArgs, kind: Kind) -> Result<ColumnarValue> {
    let (l, r) = (args.array(0)?, args.array(1)?);
    let Arrow::Decimal128(precision, scale) = *args.return_type() else {
        return internal_err!("decimal arithmetic that yields {}", args.return_type());
    };
    let shape =
        Shape { left: scale_of(l.data_type())?, right: scale_of(r.data_type())?, precision, scale: i32::from(scale) };
    let (l, r) = (l.as_primitive::<Decimal128Type>(), r.as_primitive::<Decimal128Type>());
    let failure = on_failure(args);
    let mut out = Decimal128Array::builder(l.len());
    for i in 0..l.len() {
        if l.is_null(i) || r.is_null(i) {
            out.append_null();
            continue;
        }
        match compute(kind, l.value(i), r.value(i), &shape) {
            Ok(v) => out.append_value(v),
            Err(_) if failure == OnFailure::Null => out.append_null(),
            Err(f) => return fail(f.error(&shape)),
        }
    }
    Ok(ColumnarValue::Array(Arc::new(out.finish().with_precision_and_scale(precision, scale)?)))
}

/// Why there is no result.
enum Failure {
    DivideByZero,
    RemainderByZero,
    /// The exact value: unscaled, scale.
    OutOfRange(BigInt, i32),
}

impl Failure {
    fn error(self, shape: &Shape) -> Error {
        match self {
            Failure::DivideByZero => divide_by_zero(),
            Failure::RemainderByZero => remainder_by_zero(),
            Failure::OutOfRange(value, scale) => {
                out_of_range(&plain_string(&value, scale), shape.precision, shape.scale)
            }
        }
    }
}

/// `NUMERIC_VALUE_OUT_OF_RANGE.WITH_SUGGESTION`.
pub fn out_of_range(value: &str, precision: u8, scale: i32) -> Error {
    Error::arithmetic("NUMERIC_VALUE_OUT_OF_RANGE.WITH_SUGGESTION")
        .param("value", value)
        .param("precision", precision.to_string())
        .param("scale", scale.to_string())
        .param("config", "\"spark.sql.ansi.enabled\"")
        .with_message(format!("{value} does not fit DECIMAL({precision},{scale})."))
}

/// A decimal without an exponent.
pub fn plain_string(unscaled: &BigInt, scale: i32) -> String {
    let digits = unscaled.abs().to_string();
    let sign = if unscaled.is_negative() { "-" } else { "" };
    if scale <= 0 {
        let zeros = if unscaled.is_zero() { 0 } else { scale.unsigned_abs() as usize };
        return format!("{sign}{digits}{}", "0".repeat(zeros));
    }
    let scale = scale as usize;
    let digits = format!("{digits:0>width$}", width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    format!("{sign}{whole}.{fraction}")
}

fn compute(kind: Kind, l: i128, r: i128, shape: &Shape) -> Result<i128, Failure> {
    if let Some(v) = small(kind, l, r, shape) {
        return Ok(v);
    }
    let common = shape.left.max(shape.right);
    let scaled = |v: i128, s: i32| BigInt::from(v) * power(common - s);
    match kind {
        Kind::Add => fit(scaled(l, shape.left) + scaled(r, shape.right), common, shape),
        Kind::Subtract => fit(scaled(l, shape.left) - scaled(r, shape.right), common, shape),
        Kind::Multiply => fit(BigInt::from(l) * BigInt::from(r), shape.left + shape.right, shape),
        Kind::Divide if r == 0 => Err(Failure::DivideByZero),
        Kind::Divide => divide(l, r, shape),
        _ if r == 0 => Err(Failure::RemainderByZero),
        Kind::Remainder => fit(scaled(l, shape.left) % scaled(r, shape.right), common, shape),
        Kind::Pmod => {
            let divisor = scaled(r, shape.right);
            let mut rest = scaled(l, shape.left) % &divisor;
            if rest.is_negative() {
                rest = (rest + &divisor) % &divisor;
            }
            fit(rest, common, shape)
        }
    }
}

/// The usual case, in 128 bits: nothing to round and room to spare.
fn small(kind: Kind, l: i128, r: i128, shape: &Shape) -> Option<i128> {
    let value = match kind {
        Kind::Add | Kind::Subtract if shape.left.max(shape.right) == shape.scale => {
            let l = l.checked_mul(small_power(shape.scale - shape.left)?)?;
            let r = r.checked_mul(small_power(shape.scale - shape.right)?)?;
            if kind == Kind::Add { l.checked_add(r)? } else { l.checked_sub(r)? }
        }
        Kind::Multiply if shape.left + shape.right == shape.scale => l.checked_mul(r)?,
        Kind::Multiply => {
            let excess = small_power(shape.left + shape.right - shape.scale)?;
            round_half_up(l.checked_mul(r)?, excess)?
        }
        Kind::Divide if r != 0 => {
            let l = l.checked_mul(small_power(shape.scale + shape.right - shape.left)?)?;
            round_half_up(l, r)?
        }
        _ => return None,
    };
    (value.unsigned_abs() < small_power(i32::from(shape.precision))?.unsigned_abs()).then_some(value)
}

/// `n / d` rounded half away from zero.
pub fn round_half_up(n: i128, d: i128) -> Option<i128> {
    let quotient = n.checked_div(d)?;
    let rest = n.checked_rem(d)?;
    if rest.unsigned_abs() >= d.unsigned_abs() - rest.unsigned_abs() {
        let up = if (n < 0) == (d < 0) { 1 } else { -1 };
        return quotient.checked_add(up);
    }
    Some(quotient)
}

/// `10^n` where it fits 128 bits.
pub fn small_power(n: i32) -> Option<i128> {
    10i128.checked_pow(u32::try_from(n).ok()?)
}

/// `10^n`.
pub fn power(n: i32) -> BigInt {
    BigInt::from(10).pow(n.max(0).unsigned_abs())
}

fn divide(l: i128, r: i128, shape: &Shape) -> Result<i128, Failure> {
    let shift = shape.scale + shape.right - shape.left;
    let (n, d) = if shift >= 0 {
        (BigInt::from(l) * power(shift), BigInt::from(r))
    } else {
        (BigInt::from(l), BigInt::from(r) * power(-shift))
    };
    let quotient = big_half_up(&n, &d);
    bounded(&quotient, shape.precision).ok_or(Failure::OutOfRange(quotient, shape.scale))
}

/// `n / d` rounded half away from zero.
pub fn big_half_up(n: &BigInt, d: &BigInt) -> BigInt {
    let quotient = n / d;
    let rest = n % d;
    if rest.abs() * 2 >= d.abs() && !rest.is_zero() {
        return if n.is_negative() == d.is_negative() { quotient + 1 } else { quotient - 1 };
    }
    quotient
}

fn fit(exact: BigInt, scale: i32, shape: &Shape) -> Result<i128, Failure> {
    rescale(&exact, scale, shape.precision, shape.scale).ok_or(Failure::OutOfRange(exact, scale))
}

/// The value at another scale, rounded half up; `None` if it has more than `precision` digits.
pub fn rescale(value: &BigInt, from: i32, precision: u8, to: i32) -> Option<i128> {
    let scaled = if to >= from { value * power(to - from) } else { big_half_up(value, &power(from - to)) };
    bounded(&scaled, precision)
}

fn bounded(value: &BigInt, precision: u8) -> Option<i128> {
    let value = value.to_i128()?;
    (value.unsigned_abs() < small_power(i32::from(precision))?.unsigned_abs()).then_some(value)
}

fn integral_divide(args: &KernelArgs) -> Result<ColumnarValue> {
    let (l, r) = (args.array(0)?, args.array(1)?);
    let (left, right) = (scale_of(l.data_type())?, scale_of(r.data_type())?);
    let common = left.max(right);
    let (l, r) = (l.as_primitive::<Decimal128Type>(), r.as_primitive::<Decimal128Type>());
    let failure = on_failure(args);
    let mut out = Int64Array::builder(l.len());
    for i in 0..l.len() {
        if l.is_null(i) || r.is_null(i) {
            out.append_null();
        } else if r.value(i) == 0 {
            match failure {
                OnFailure::Null => out.append_null(),
                OnFailure::Error => return fail(divide_by_zero()),
            }
        } else {
            let n = BigInt::from(l.value(i)) * power(common - left);
            let d = BigInt::from(r.value(i)) * power(common - right);
            out.append_value(low_bits(&(n / d)));
        }
    }
    Ok(ColumnarValue::Array(Arc::new(out.finish())))
}

/// The low 64 bits, as Java narrows.
fn low_bits(value: &BigInt) -> i64 {
    let wide = value
        .to_i128()
        .map_or_else(|| i256::from_string(&value.to_string()).map_or(0, |v| v.to_parts().0 as i128), |v| v);
    wide as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kind: Kind, l: (i128, i32), r: (i128, i32), precision: u8, scale: i32, expected: Option<i128>) {
        let shape = Shape { left: l.1, right: r.1, precision, scale };
        assert_eq!(compute(kind, l.0, r.0, &shape).ok(), expected, "{} {}", l.0, r.0);
    }

    #[test]
    fn values() {
        check(Kind::Add, (15, 1), (1, 0), 12, 1, Some(25));
        check(Kind::Divide, (10, 1), (2, 0), 7, 6, Some(500_000));
        check(Kind::Divide, (1, 0), (3, 0), 10, 6, Some(333_333));
        check(Kind::Divide, (-2, 0), (3, 0), 10, 6, Some(-666_667));
        check(Kind::Multiply, (125, 2), (1, 0), 10, 1, Some(13));
        check(Kind::Multiply, (10i128.pow(38) - 1, 0), (10, 0), 38, 0, None);
        check(Kind::Remainder, (2, 0), (18, 1), 2, 1, Some(2));
        check(Kind::Pmod, (-7, 0), (3, 0), 2, 0, Some(2));
    }
}
