//! Numbers and booleans into one another.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Decimal128Array, Float32Array, Float64Array, PrimitiveArray,
};
use arrow::compute::cast;
use arrow::datatypes::{
    ArrowPrimitiveType, DataType as Arrow, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type,
};
use datafusion::common::Result;
use num_bigint::BigInt;
use spark::types::DataType;

use super::convert::{Context, no_such_cast, overflow};
use super::format::{decimal_string, double_to_string, float_to_string};
use super::parse::{Decimal, parse_decimal};
use crate::families::operators::{out_of_range, round_half_up};

/// A number of any kind, exact.
#[derive(Debug, Clone, Copy)]
pub enum Number {
    Int(i64),
    Float(f32),
    Double(f64),
    /// Unscaled value and scale.
    Decimal(i128, i8),
}

impl Number {
    /// The number with its fraction cut off; `None` for what 128 bits do not hold (or no number).
    fn truncated(self) -> Option<i128> {
        match self {
            Number::Int(v) => Some(i128::from(v)),
            Number::Float(v) => v.is_finite().then_some(v as i128),
            Number::Double(v) => v.is_finite().then_some(v as i128),
            Number::Decimal(v, s) => Some(v / 10i128.checked_pow(u32::from(s.unsigned_abs()))?),
        }
    }

    /// True for the float that the largest long is rounded to: Java compares with it.
    fn is_longs_bound(self, to: &DataType) -> bool {
        *to == DataType::Long
            && matches!(self, Number::Float(_) | Number::Double(_))
            && self.as_f64() == i64::MAX as f64
    }

    /// As Java narrows it outside ANSI mode: floats to the nearest `long` (or `int`), then the low bits.
    fn narrowed(self, to: &DataType) -> i64 {
        let small = !matches!(to, DataType::Long);
        match self {
            Number::Int(v) => v,
            Number::Float(v) if small => i64::from(v as i32),
            Number::Float(v) => v as i64,
            Number::Double(v) if small => i64::from(v as i32),
            Number::Double(v) => v as i64,
            Number::Decimal(..) => self.truncated().unwrap_or(0) as i64,
        }
    }

    /// The nearest double.
    pub fn as_f64(self) -> f64 {
        match self {
            Number::Int(v) => v as f64,
            Number::Float(v) => f64::from(v),
            Number::Double(v) => v,
            Number::Decimal(v, s) => decimal_to_f64(v, s),
        }
    }

    fn as_f32(self) -> f32 {
        match self {
            Number::Int(v) => v as f32,
            Number::Float(v) => v,
            Number::Double(v) => v as f32,
            Number::Decimal(v, s) => decimal_string(v, s, true).parse().unwrap_or(f32::NAN),
        }
    }

    /// The exact decimal; a float by the shortest digits of its double. `None` for no number.
    fn as_decimal(self) -> Option<Decimal> {
        match self {
            Number::Int(v) => Some(Decimal { unscaled: BigInt::from(v), scale: 0 }),
            Number::Decimal(v, s) => Some(Decimal { unscaled: BigInt::from(v), scale: i32::from(s) }),
            Number::Float(_) | Number::Double(_) => {
                let v = self.as_f64();
                v.is_finite().then(|| parse_decimal(&double_to_string(v))).flatten()
            }
        }
    }

    /// As an SQL literal, for errors.
    pub fn sql(self, ty: &DataType) -> String {
        match (self, ty) {
            (Number::Int(v), DataType::Byte) => format!("{v}Y"),
            (Number::Int(v), DataType::Short) => format!("{v}S"),
            (Number::Int(v), DataType::Long) => format!("{v}L"),
            (Number::Int(v), _) => v.to_string(),
            (Number::Float(v), _) => float_to_string(v),
            (Number::Double(v), _) if !v.is_finite() => double_to_string(v),
            (Number::Double(v), _) => format!("{}D", double_to_string(v)),
            (Number::Decimal(v, s), _) => format!("{}BD", decimal_string(v, s, false)),
        }
    }
}

/// The nearest double of a decimal, correctly rounded.
pub fn decimal_to_f64(unscaled: i128, scale: i8) -> f64 {
    if unscaled.unsigned_abs() < 1 << 53 && (0..=22).contains(&scale) {
        return unscaled as f64 / 10f64.powi(i32::from(scale));
    }
    decimal_string(unscaled, scale, true).parse().unwrap_or(f64::NAN)
}

/// Calls `each` with every number of an array.
///
/// # Errors
/// As `each`, or if the array holds no numbers.
pub fn for_each_number(array: &ArrayRef, mut each: impl FnMut(Option<Number>) -> Result<()>) -> Result<()> {
    match array.data_type() {
        Arrow::Float32 => array.as_primitive::<Float32Type>().iter().try_for_each(|v| each(v.map(Number::Float))),
        Arrow::Float64 => array.as_primitive::<Float64Type>().iter().try_for_each(|v| each(v.map(Number::Double))),
        Arrow::Decimal128(_, s) => {
            array.as_primitive::<Decimal128Type>().iter().try_for_each(|v| each(v.map(|v| Number::Decimal(v, *s))))
        }
        _ => {
            let wide = cast(array, &Arrow::Int64)?;
            wide.as_primitive::<Int64Type>().iter().try_for_each(|v| each(v.map(Number::Int)))
        }
    }
}

/// Numbers and booleans as numbers and booleans.
///
/// # Errors
/// Overflow, in ANSI mode.
pub fn convert(array: &ArrayRef, from: &DataType, to: &DataType, context: &Context) -> Result<ArrayRef> {
    match to {
        DataType::Boolean => to_boolean(array),
        DataType::Byte => to_integer::<Int8Type>(array, from, to, context),
        DataType::Short => to_integer::<Int16Type>(array, from, to, context),
        DataType::Integer => to_integer::<Int32Type>(array, from, to, context),
        DataType::Long => to_integer::<Int64Type>(array, from, to, context),
        DataType::Float => {
            let mut out = Float32Array::builder(array.len());
            for_each_number(array, |v| {
                out.append_option(v.map(Number::as_f32));
                Ok(())
            })?;
            Ok(Arc::new(out.finish()))
        }
        DataType::Double => {
            let mut out = Float64Array::builder(array.len());
            for_each_number(array, |v| {
                out.append_option(v.map(Number::as_f64));
                Ok(())
            })?;
            Ok(Arc::new(out.finish()))
        }
        DataType::Decimal { precision, scale } => to_decimal(array, *precision, *scale, context),
        _ => no_such_cast(from, to),
    }
}

fn to_boolean(array: &ArrayRef) -> Result<ArrayRef> {
    let mut out = BooleanArray::builder(array.len());
    for_each_number(array, |v| {
        out.append_option(v.map(|v| match v {
            Number::Int(v) => v != 0,
            Number::Float(v) => v != 0.0,
            Number::Double(v) => v != 0.0,
            Number::Decimal(v, _) => v != 0,
        }));
        Ok(())
    })?;
    Ok(Arc::new(out.finish()))
}

fn to_integer<T>(array: &ArrayRef, from: &DataType, to: &DataType, context: &Context) -> Result<ArrayRef>
where
    T: ArrowPrimitiveType,
    T::Native: TryFrom<i128> + num_traits::NumCast,
{
    let mut out = PrimitiveArray::<T>::builder(array.len());
    for_each_number(array, |v| {
        let Some(v) = v else {
            out.append_null();
            return Ok(());
        };
        if !context.checks() {
            out.append_option(low_bits::<T>(v.narrowed(to)));
            return Ok(());
        }
        let whole = v.truncated().map(|n| if v.is_longs_bound(to) { i128::from(i64::MAX) } else { n });
        match whole.and_then(|n| T::Native::try_from(n).ok()) {
            Some(n) => out.append_value(n),
            None => out.append_option(context.fail(|| overflow(&v.sql(from), from, to))?),
        }
        Ok(())
    })?;
    Ok(Arc::new(out.finish()))
}

/// The low bits of a number, as many as the type has.
fn low_bits<T>(v: i64) -> Option<T::Native>
where
    T: ArrowPrimitiveType,
    T::Native: num_traits::NumCast,
{
    match T::DATA_TYPE {
        Arrow::Int8 => num_traits::cast(v as i8),
        Arrow::Int16 => num_traits::cast(v as i16),
        Arrow::Int32 => num_traits::cast(v as i32),
        _ => num_traits::cast(v),
    }
}

fn to_decimal(array: &ArrayRef, precision: u8, scale: i8, context: &Context) -> Result<ArrayRef> {
    let mut out = Decimal128Array::builder(array.len());
    for_each_number(array, |v| {
        let fitted = match v {
            None => None,
            Some(Number::Decimal(v, s)) if i32::from(scale) == i32::from(s) && fits(v, precision) => Some(v),
            Some(Number::Decimal(v, s)) if small_rescale(v, s, precision, scale).is_some() => {
                small_rescale(v, s, precision, scale)
            }
            Some(Number::Int(v)) if small_rescale(i128::from(v), 0, precision, scale).is_some() => {
                small_rescale(i128::from(v), 0, precision, scale)
            }
            Some(v) => match v.as_decimal() {
                None => None,
                Some(exact) => fit(&exact, precision, scale, context)?,
            },
        };
        out.append_option(fitted);
        Ok(())
    })?;
    Ok(Arc::new(out.finish().with_precision_and_scale(precision, scale)?))
}

/// The usual case: the value at another scale in 128 bits, if it has no more digits than allowed.
fn small_rescale(v: i128, from: i8, precision: u8, to: i8) -> Option<i128> {
    let shift = u32::from((i16::from(to) - i16::from(from)).unsigned_abs());
    let unit = 10i128.checked_pow(shift)?;
    let scaled = if to >= from { v.checked_mul(unit)? } else { round_half_up(v, unit)? };
    fits(scaled, precision).then_some(scaled)
}

fn fits(v: i128, precision: u8) -> bool {
    10u128.checked_pow(u32::from(precision)).is_none_or(|limit| v.unsigned_abs() < limit)
}

/// The decimal rounded to `scale`, or what the mode says if it has more than `precision` digits.
///
/// # Errors
/// `NUMERIC_VALUE_OUT_OF_RANGE.WITH_SUGGESTION` in ANSI mode.
pub fn fit(exact: &Decimal, precision: u8, scale: i8, context: &Context) -> Result<Option<i128>> {
    match exact.rescaled(precision, i32::from(scale)) {
        Some(v) => Ok(Some(v)),
        None => context.fail(|| out_of_range(&exact.plain(), precision, i32::from(scale))),
    }
}
