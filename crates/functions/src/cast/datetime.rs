//! Dates, timestamps and times into one another and into numbers.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array,
    Time64NanosecondArray, TimestampMicrosecondArray, new_null_array,
};
use arrow::datatypes::{Date32Type, Time64NanosecondType, TimestampMicrosecondType};
use datafusion::common::Result;
use num_bigint::BigInt;
use spark::ErrorKind;
use spark::types::DataType;

use super::convert::{Context, invalid_input, no_such_cast, overflow};
use super::format::{double_to_string, float_to_string, timestamp_to_string};
use super::numeric::{self, Number, fit, for_each_number};
use super::parse::{Decimal, parse_decimal, truncate_time};
use crate::families::datetime::calendar::{MICROS_PER_DAY, MICROS_PER_SECOND, NANOS_PER_DAY};
use crate::types::{UTC, to_arrow};

/// Temporal values as `to`, or numbers as temporal values.
///
/// # Errors
/// As Spark, in ANSI mode.
pub fn convert(array: &ArrayRef, from: &DataType, to: &DataType, context: &Context) -> Result<ArrayRef> {
    use DataType as T;
    match (from, to) {
        (T::Date, T::Timestamp) => {
            Ok(instants(days(array).map(|d| d.and_then(|d| context.zone.to_utc(d * MICROS_PER_DAY)))))
        }
        (T::Date, T::TimestampNtz) => Ok(wall_clocks(days(array).map(|d| d.map(|d| d * MICROS_PER_DAY)))),
        (T::Timestamp, T::Date) => Ok(dates(micros(array).map(|t| t.map(|t| context.zone.to_local(t))))),
        (T::TimestampNtz, T::Date) => Ok(dates(micros(array))),
        (T::Timestamp, T::TimestampNtz) => Ok(wall_clocks(micros(array).map(|t| t.map(|t| context.zone.to_local(t))))),
        (T::TimestampNtz, T::Timestamp) => Ok(instants(micros(array).map(|t| t.and_then(|t| context.zone.to_utc(t))))),
        (T::TimestampNtz, T::Time(p)) => {
            let times = micros(array).map(|t| t.map(|t| truncate_time(t.rem_euclid(MICROS_PER_DAY) * 1000, *p)));
            Ok(Arc::new(times.collect::<Time64NanosecondArray>()))
        }
        (T::Timestamp, T::Time(p)) => {
            let local = micros(array).map(|t| t.map(|t| context.zone.to_local(t)));
            let times = local.map(|t| t.map(|t| truncate_time(t.rem_euclid(MICROS_PER_DAY) * 1000, *p)));
            Ok(Arc::new(times.collect::<Time64NanosecondArray>()))
        }
        // A time of day is one of today's.
        (T::Time(_), T::TimestampNtz) => Ok(wall_clocks(times(array).map(|t| t.map(|t| today(context) + t / 1000)))),
        (T::Time(_), T::Timestamp) => {
            let local = times(array).map(|t| t.map(|t| today(context) + t / 1000));
            Ok(instants(local.map(|t| t.and_then(|t| context.zone.to_utc(t)))))
        }
        (T::Time(_), T::Time(p)) => {
            let times = times(array).map(|t| t.map(|t| truncate_time(t, *p)));
            Ok(Arc::new(times.collect::<Time64NanosecondArray>()))
        }
        (T::Time(_), t) if t.is_numeric() => time_to_number(array, to, context),
        (T::Timestamp, T::Boolean) => Ok(Arc::new(micros(array).map(|t| t.map(|t| t != 0)).collect::<BooleanArray>())),
        (T::Timestamp, t) if t.is_numeric() => timestamp_to_number(array, from, to, context),
        (T::Boolean, T::Timestamp) => Ok(instants(array.as_boolean().iter().map(|b| b.map(i64::from)))),
        (f, T::Timestamp) if f.is_numeric() => number_to_timestamp(array, from, to, context),
        // Outside ANSI mode these casts exist and never have a value.
        (T::Date, _) => Ok(new_null_array(&to_arrow(to), array.len())),
        _ => no_such_cast(from, to),
    }
}

/// Timestamps with digits below the microsecond as `to`, or temporal values as such timestamps.
///
/// # Errors
/// As [`convert`].
pub fn nanos(array: &ArrayRef, from: &DataType, to: &DataType, context: &Context) -> Result<ArrayRef> {
    use DataType as T;
    let in_micros = |ltz: bool| if ltz { T::Timestamp } else { T::TimestampNtz };
    match (from, to) {
        (T::TimestampNanos { ltz: f, .. }, T::TimestampNanos { ltz: t, precision }) => {
            let shift = |count: i128| {
                let (micros, below) = crate::nanos::split(count);
                let shifted = match (f, t) {
                    (true, false) => Some(context.zone.to_local(micros)),
                    (false, true) => context.zone.to_utc(micros),
                    _ => Some(micros),
                };
                shifted.map(|m| i128::from(m) * crate::nanos::PER_MICRO + i128::from(below))
            };
            crate::nanos::array(crate::nanos::counts(array).map(|c| c.and_then(shift)), *t, *precision)
        }
        (T::TimestampNanos { ltz, .. }, T::Time(p)) => {
            let of_day = |count: i128| {
                let (micros, below) = crate::nanos::split(count);
                let local = if *ltz { context.zone.to_local(micros) } else { micros };
                truncate_time(local.rem_euclid(MICROS_PER_DAY) * 1000 + below, *p)
            };
            let times = crate::nanos::counts(array).map(|c| c.map(of_day));
            Ok(Arc::new(times.collect::<Time64NanosecondArray>()))
        }
        (T::Time(_), T::TimestampNanos { ltz, precision }) => {
            let of_today = |time: i64| {
                let local = today(context) + time / 1000;
                let micros = if *ltz { context.zone.to_utc(local)? } else { local };
                Some(i128::from(micros) * crate::nanos::PER_MICRO + i128::from(time % 1000))
            };
            crate::nanos::array(times(array).map(|t| t.and_then(of_today)), *ltz, *precision)
        }
        (T::TimestampNanos { ltz, .. }, _) => {
            super::convert::convert(&crate::nanos::to_micros(array, *ltz), &in_micros(*ltz), to, context)
        }
        (_, T::TimestampNanos { ltz, precision }) => {
            let micros = super::convert::convert(array, from, &in_micros(*ltz), context)?;
            crate::nanos::from_arrow_timestamps(&micros, *ltz, *precision)
        }
        _ => no_such_cast(from, to),
    }
}

/// Midnight of the query's day in microseconds of the local clock.
fn today(context: &Context) -> i64 {
    context.zone.to_local(context.now).div_euclid(MICROS_PER_DAY) * MICROS_PER_DAY
}

fn days(array: &ArrayRef) -> impl Iterator<Item = Option<i64>> {
    array.as_primitive::<Date32Type>().iter().map(|d| d.map(i64::from))
}

fn micros(array: &ArrayRef) -> impl Iterator<Item = Option<i64>> {
    array.as_primitive::<TimestampMicrosecondType>().iter()
}

fn times(array: &ArrayRef) -> impl Iterator<Item = Option<i64>> {
    array.as_primitive::<Time64NanosecondType>().iter()
}

fn instants(values: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(values.collect::<TimestampMicrosecondArray>().with_timezone(UTC))
}

fn wall_clocks(values: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(values.collect::<TimestampMicrosecondArray>())
}

fn dates(local: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(local.map(|t| t.map(|t| t.div_euclid(MICROS_PER_DAY) as i32)).collect::<Date32Array>())
}

fn timestamp_to_number(array: &ArrayRef, from: &DataType, to: &DataType, context: &Context) -> Result<ArrayRef> {
    let seconds = |t: i64| t.div_euclid(MICROS_PER_SECOND);
    match to {
        DataType::Float | DataType::Double => {
            let values: Float64Array = micros(array).map(|t| t.map(|t| t as f64 / MICROS_PER_SECOND as f64)).collect();
            numeric::convert(&(Arc::new(values) as ArrayRef), &DataType::Double, to, context)
        }
        DataType::Decimal { precision, scale } => {
            let mut out = Decimal128Array::builder(array.len());
            for t in micros(array) {
                let fitted = match t {
                    None => None,
                    Some(t) => {
                        let text = double_to_string(t as f64 / MICROS_PER_SECOND as f64);
                        let exact = parse_decimal(&text).unwrap_or(Decimal { unscaled: BigInt::from(t), scale: 6 });
                        fit(&exact, *precision, *scale, context)?
                    }
                };
                out.append_option(fitted);
            }
            Ok(Arc::new(out.finish().with_precision_and_scale(*precision, *scale)?))
        }
        DataType::Long => Ok(Arc::new(micros(array).map(|t| t.map(seconds)).collect::<Int64Array>())),
        _ => {
            if context.checks() {
                check_seconds(array, from, to, context)?;
            }
            // In any mode: what is out of range is null where it is no error.
            let values: Int64Array = micros(array).map(|t| t.map(seconds).filter(|s| fits(*s, to))).collect();
            numeric::convert(&(Arc::new(values) as ArrayRef), &DataType::Long, to, context)
        }
    }
}

/// Raises the overflow of the first timestamp whose seconds do not fit, with the timestamp as value.
fn check_seconds(array: &ArrayRef, from: &DataType, to: &DataType, context: &Context) -> Result<()> {
    for t in micros(array).flatten() {
        if !fits(t.div_euclid(MICROS_PER_SECOND), to) {
            let text = format!("TIMESTAMP '{}'", timestamp_to_string(t, context.zone));
            context.fail::<()>(|| overflow(&text, from, to))?;
        }
    }
    Ok(())
}

fn fits(v: i64, to: &DataType) -> bool {
    match to {
        DataType::Byte => i8::try_from(v).is_ok(),
        DataType::Short => i16::try_from(v).is_ok(),
        DataType::Integer => i32::try_from(v).is_ok(),
        _ => true,
    }
}

fn number_to_timestamp(array: &ArrayRef, from: &DataType, to: &DataType, context: &Context) -> Result<ArrayRef> {
    let mut out = TimestampMicrosecondArray::builder(array.len());
    for_each_number(array, |v| {
        let value = match v {
            None => None,
            // Seconds saturate, as Java's unit conversion does.
            Some(Number::Int(v)) => Some(v.saturating_mul(MICROS_PER_SECOND)),
            Some(Number::Decimal(v, s)) => {
                let unit = 10i128.checked_pow(u32::from(s.unsigned_abs())).unwrap_or(i128::MAX);
                v.checked_mul(1_000_000).map(|v| (v / unit) as i64)
            }
            Some(v) => {
                let double = v.as_f64();
                if double.is_finite() {
                    Some((double * MICROS_PER_SECOND as f64) as i64)
                } else {
                    let text = match v {
                        Number::Float(v) => float_to_string(v),
                        _ => double_to_string(double),
                    };
                    context.fail(|| invalid_input(ErrorKind::DateTime, &text, from, to))?
                }
            }
        };
        out.append_option(value);
        Ok(())
    })?;
    Ok(Arc::new(out.finish().with_timezone(UTC)))
}

fn time_to_number(array: &ArrayRef, to: &DataType, context: &Context) -> Result<ArrayRef> {
    if let DataType::Decimal { precision, scale } = to {
        let mut out = Decimal128Array::builder(array.len());
        for t in times(array) {
            let fitted = match t {
                None => None,
                Some(t) => fit(&Decimal { unscaled: BigInt::from(t), scale: 9 }, *precision, *scale, context)?,
            };
            out.append_option(fitted);
        }
        return Ok(Arc::new(out.finish().with_precision_and_scale(*precision, *scale)?));
    }
    let seconds: Int64Array = times(array).map(|t| t.map(|t| t.rem_euclid(NANOS_PER_DAY) / 1_000_000_000)).collect();
    numeric::convert(&(Arc::new(seconds) as ArrayRef), &DataType::Long, to, context)
}
