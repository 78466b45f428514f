//! Decimal arithmetic: exact results, rounded half up to the result's scale.

use std::sync::Arc;

use arrow::array::{Array, AsArray, Decimal128Array, Int64Array};
use arrow::compute::binary;
use arrow::datatypes::{DataType as Arrow, Decimal128Type};
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::ColumnarValue;
use datafusion::scalar::ScalarValue;
use num_bigint::{BigInt, Sign};
use num_traits::{Signed, ToPrimitive, Zero};
use spark::Error;

use super::int_kernels::{Kind, OnFailure, on_failure, remainder_by_zero};
use crate::error::{divide_by_zero, fail};
use crate::kernel::{Kernel, KernelArgs};

pub const ADD: Kernel = Kernel::new("decimal_add", |a| run(a, Kind::Add));
pub const SUBTRACT: Kernel = Kernel::new("decimal_subtract", |a| run(a, Kind::Subtract));
pub const MULTIPLY: Kernel = Kernel::new("decimal_multiply", |a| run(a, Kind::Multiply));
pub const DIVIDE: Kernel = Kernel::new("decimal_divide", |a| run(a, Kind::Divide));
pub const REMAINDER: Kernel = Kernel::new("decimal_remainder", |a| run(a, Kind::Remainder));
pub const PMOD: Kernel = Kernel::new("decimal_pmod", |a| run(a, Kind::Pmod));
pub const INTEGRAL_DIVIDE: Kernel = Kernel::new("decimal_integral_divide", integral_divide);

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
    if let Some(exact) = roomy(args, kind)? {
        return Ok(exact);
    }
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

/// An operand of [`roomy`] arithmetic: one value for every row, or each row's own.
enum Operand<'a> {
    One(i128),
    Each(&'a Decimal128Array),
}

impl<'a> Operand<'a> {
    fn of(value: &'a ColumnarValue) -> Option<Self> {
        match value {
            ColumnarValue::Scalar(ScalarValue::Decimal128(Some(v), ..)) => Some(Operand::One(*v)),
            ColumnarValue::Scalar(_) => None,
            ColumnarValue::Array(array) => array.as_primitive_opt::<Decimal128Type>().map(Operand::Each),
        }
    }

    /// `op` row by row; none if no operand has rows, or their numbers of rows differ.
    fn with(self, other: Self, op: impl Fn(i128, i128) -> i128) -> Option<Decimal128Array> {
        match (self, other) {
            (Operand::Each(l), Operand::Each(r)) => binary(l, r, op).ok(),
            (Operand::Each(l), Operand::One(r)) => Some(l.unary(|l| op(l, r))),
            (Operand::One(l), Operand::Each(r)) => Some(r.unary(|r| op(l, r))),
            (Operand::One(_), Operand::One(_)) => None,
        }
    }
}

/// Sums and products whose type has room for every result of the operands' types, and for every
/// digit of it: no value needs to be looked at. What a null hides may be anything, so it wraps.
fn roomy(args: &KernelArgs, kind: Kind) -> Result<Option<ColumnarValue>> {
    let (left, right) = (args.value(0)?, args.value(1)?);
    let (Arrow::Decimal128(lp, ls), Arrow::Decimal128(rp, rs)) = (left.data_type(), right.data_type()) else {
        return Ok(None);
    };
    let Arrow::Decimal128(precision, scale) = *args.return_type() else {
        return Ok(None);
    };
    let digits = |p: u8, s: i8| i32::from(p) - i32::from(s);
    let (kept, needed) = match kind {
        Kind::Add | Kind::Subtract => (ls.max(rs), digits(lp, ls).max(digits(rp, rs)) + 1 + i32::from(ls.max(rs))),
        Kind::Multiply => (ls.saturating_add(rs), i32::from(lp) + i32::from(rp)),
        Kind::Divide | Kind::Remainder | Kind::Pmod => return Ok(None),
    };
    if kept != scale || needed > i32::from(precision) {
        return Ok(None);
    }
    let (Some(l), Some(r)) = (Operand::of(left), Operand::of(right)) else {
        return Ok(None);
    };
    let factor = |s: i8| small_power(i32::from(scale) - i32::from(s));
    let computed = match (kind, factor(ls), factor(rs)) {
        // Numbers of at most 18 digits fit 64 bits, and a product of such is one instruction.
        (Kind::Multiply, ..) if lp.max(rp) <= 18 => l.with(r, |l, r| i128::from(l as i64) * i128::from(r as i64)),
        (Kind::Multiply, ..) => l.with(r, i128::wrapping_mul),
        (Kind::Add, Some(1), Some(1)) => l.with(r, i128::wrapping_add),
        (Kind::Subtract, Some(1), Some(1)) => l.with(r, i128::wrapping_sub),
        (Kind::Add, Some(lf), Some(rf)) => l.with(r, |l, r| l.wrapping_mul(lf).wrapping_add(r.wrapping_mul(rf))),
        (_, Some(lf), Some(rf)) => l.with(r, |l, r| l.wrapping_mul(lf).wrapping_sub(r.wrapping_mul(rf))),
        _ => None,
    };
    match computed {
        Some(values) => Ok(Some(ColumnarValue::Array(Arc::new(values.with_precision_and_scale(precision, scale)?)))),
        None => Ok(None),
    }
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
    let size = value.iter_u64_digits().next().unwrap_or(0) as i64;
    if value.sign() == Sign::Minus { size.wrapping_neg() } else { size }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::KernelUdf;
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    fn check(kind: Kind, l: (i128, i32), r: (i128, i32), precision: u8, scale: i32, expected: Option<i128>) {
        let shape = Shape { left: l.1, right: r.1, precision, scale };
        assert_eq!(compute(kind, l.0, r.0, &shape).ok(), expected, "{} {}", l.0, r.0);
    }

    /// The results of the roomy way and of the careful one, over columns and constants.
    #[test]
    fn roomy_arithmetic_agrees_with_the_careful_one() {
        let column = |values: &[Option<i128>], p, s| {
            let array = Decimal128Array::from_iter(values.iter().copied()).with_precision_and_scale(p, s);
            ColumnarValue::Array(Arc::new(array.expect("type")))
        };
        let values = [Some(0), Some(1), Some(-250), None, Some(999_999), Some(-999_999)];
        let others = [Some(7), Some(-3), None, None, Some(99_999), Some(99_999)];
        for (kind, kernel, ls, rs, precision, scale) in [
            (Kind::Add, &ADD, 2, 2, 7, 2),
            (Kind::Add, &ADD, 2, 0, 9, 2),
            (Kind::Subtract, &SUBTRACT, 0, 3, 10, 3),
            (Kind::Subtract, &SUBTRACT, 2, 2, 7, 2),
            (Kind::Multiply, &MULTIPLY, 2, 2, 12, 4),
        ] {
            let right = [column(&others, 5, rs), ColumnarValue::Scalar(ScalarValue::Decimal128(Some(-42), 5, rs))];
            for right in right {
                let shape = Shape { left: i32::from(ls), right: i32::from(rs), precision, scale: i32::from(scale) };
                let constant = matches!(right, ColumnarValue::Scalar(_));
                let each = values.iter().zip(&others).map(|(l, r)| {
                    let r = if constant { Some(-42) } else { *r };
                    l.zip(r).and_then(|(l, r)| compute(kind, l, r, &shape).ok())
                });
                let expected = column(&each.collect::<Vec<_>>(), precision, scale).into_array(values.len());
                let udf = KernelUdf::new(kernel, Arrow::Decimal128(precision, scale), Default::default());
                let args = vec![column(&values, 6, ls), right];
                let args = KernelArgs { args: &args, rows: values.len(), udf: &udf };
                let found = roomy(&args, kind).expect("arithmetic").expect("room").into_array(values.len());
                assert_eq!(&found.expect("array"), &expected.expect("array"), "scales {ls} {rs}");
            }
        }
    }

    /// The result by its definition: the exact quotient of two whole numbers, rounded half up.
    fn defined(kind: Kind, l: i128, r: i128, shape: &Shape) -> Option<i128> {
        let tens = |n: i32| BigInt::from(10).pow(n.unsigned_abs());
        // Both operands in units of the finer of the two scales.
        let common = shape.left.max(shape.right);
        let (a, b) = (BigInt::from(l) * tens(common - shape.left), BigInt::from(r) * tens(common - shape.right));
        if b.is_zero() && matches!(kind, Kind::Divide | Kind::Remainder | Kind::Pmod) {
            return None;
        }
        let (n, d) = match kind {
            Kind::Add => (a + b, tens(common)),
            Kind::Subtract => (a - b, tens(common)),
            Kind::Multiply => (a * b, tens(2 * common)),
            Kind::Divide => (a, b),
            Kind::Remainder => (a % b, tens(common)),
            Kind::Pmod if (&a % &b).is_negative() => ((&a % &b + &b) % b, tens(common)),
            Kind::Pmod => (a % b, tens(common)),
        };
        let (n, d) = (n * tens(shape.scale), d);
        let size: BigInt = (n.abs() * 2 + d.abs()) / (d.abs() * 2);
        let value = if n.is_negative() == d.is_negative() { size.clone() } else { -size.clone() };
        (size < tens(i32::from(shape.precision))).then(|| value.to_i128()).flatten()
    }

    #[test]
    fn random_arithmetic_follows_the_definition() {
        let mut rng = StdRng::seed_from_u64(0x0DEC_13A1);
        let kinds = [Kind::Add, Kind::Subtract, Kind::Multiply, Kind::Divide, Kind::Remainder, Kind::Pmod];
        for _ in 0..20_000 {
            let mut side = || {
                let digits = rng.random_range(1..=38);
                let limit = 10i128.pow(digits) - 1;
                (rng.random_range(-limit..=limit), rng.random_range(0..=digits) as i32)
            };
            let ((l, left), (r, right)) = (side(), side());
            // Small divisors, among them zero, as often as large ones.
            let r = if rng.random_bool(0.3) { r % 10 } else { r };
            let precision = rng.random_range(1..=38u8);
            let shape = Shape { left, right, precision, scale: rng.random_range(0..=i32::from(precision)) };
            for kind in kinds {
                let found = compute(kind, l, r, &shape).ok();
                let text = format!("{}: {l}e-{left}, {r}e-{right} as ({precision}, {})", kind as u8, shape.scale);
                assert_eq!(found, defined(kind, l, r, &shape), "{text}");
            }
        }
    }

    #[test]
    fn low_bits_are_those_of_two_s_complement() {
        let of = |shift: u32, rest: i64| (BigInt::from(1) << shift) + BigInt::from(rest);
        for (value, expect) in [
            (BigInt::from(i64::MIN), i64::MIN),
            (of(63, 0), i64::MIN),
            (-of(63, 1), i64::MAX),
            (of(64, 5), 5),
            (-of(64, 5), -5),
            (-of(200, 7), -7),
            (of(250, 0), 0),
        ] {
            assert_eq!(low_bits(&value), expect, "{value}");
        }
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
