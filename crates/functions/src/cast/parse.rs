//! Strings into every other type: what Spark reads, and no more.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int8Array,
    Int16Array, Int32Array, Int64Array, StringArray, Time64NanosecondArray, TimestampMicrosecondArray,
};
use arrow::compute::cast;
use arrow::datatypes::DataType as Arrow;
use datafusion::common::Result;
use num_bigint::BigInt;
use num_traits::ToPrimitive;
use spark::types::DataType;
use spark::{Error, ErrorKind};

use super::convert::{Context, invalid_input, no_such_cast};
use super::interval;
use super::numeric::fit;
use crate::families::datetime::calendar::{MICROS_PER_DAY, days_from_civil, month_length};
use crate::families::datetime::zone::Zone;
use crate::families::operators::{plain_string, rescale};
use crate::types::UTC;

/// Strings as values of `to`.
///
/// # Errors
/// `CAST_INVALID_INPUT` and its kin in ANSI mode.
pub fn convert(array: &ArrayRef, to: &DataType, context: &Context) -> Result<ArrayRef> {
    use DataType as T;
    let text = cast(array, &Arrow::Utf8)?;
    let text = text.as_string::<i32>();
    let number = ErrorKind::NumberFormat;
    let exact = context.checks();
    Ok(match to {
        T::Boolean => {
            Arc::new(each(text, to, ErrorKind::Runtime, context, boolean)?.into_iter().collect::<BooleanArray>())
        }
        T::Byte => Arc::new(
            each(text, to, number, context, |s| integer(s, exact)?.to_i8())?.into_iter().collect::<Int8Array>(),
        ),
        T::Short => Arc::new(
            each(text, to, number, context, |s| integer(s, exact)?.to_i16())?.into_iter().collect::<Int16Array>(),
        ),
        T::Integer => Arc::new(
            each(text, to, number, context, |s| integer(s, exact)?.to_i32())?.into_iter().collect::<Int32Array>(),
        ),
        T::Long => {
            Arc::new(each(text, to, number, context, |s| integer(s, exact))?.into_iter().collect::<Int64Array>())
        }
        T::Float => Arc::new(each(text, to, number, context, floating::<f32>)?.into_iter().collect::<Float32Array>()),
        T::Double => Arc::new(each(text, to, number, context, floating::<f64>)?.into_iter().collect::<Float64Array>()),
        T::Decimal { precision, scale } => decimals(text, to, *precision, *scale, context)?,
        T::Date => Arc::new(each(text, to, ErrorKind::DateTime, context, date)?.into_iter().collect::<Date32Array>()),
        T::Timestamp => {
            let values = each(text, to, ErrorKind::DateTime, context, |s| timestamp(s, context.zone, context.now))?;
            Arc::new(values.into_iter().collect::<TimestampMicrosecondArray>().with_timezone(UTC))
        }
        T::TimestampNtz => {
            let values = each(text, to, ErrorKind::DateTime, context, timestamp_ntz)?;
            Arc::new(values.into_iter().collect::<TimestampMicrosecondArray>())
        }
        T::TimestampNanos { ltz, precision } => {
            let values = each(text, to, ErrorKind::DateTime, context, |s| {
                let zone = ltz.then_some((context.zone, context.now));
                timestamp_nanos(s, zone)
            })?;
            crate::nanos::array(values.into_iter(), *ltz, *precision)?
        }
        T::Time(p) => {
            let values = each(text, to, ErrorKind::DateTime, context, |s| time(s).map(|t| truncate_time(t, *p)))?;
            Arc::new(values.into_iter().collect::<Time64NanosecondArray>())
        }
        T::YearMonthInterval { .. } | T::DayTimeInterval { .. } | T::CalendarInterval => {
            interval::from_strings(text, to, context)?
        }
        _ => return no_such_cast(&DataType::STRING, to),
    })
}

/// Every string through `parse`; what it does not take is refused as the mode says.
fn each<T>(
    text: &StringArray,
    to: &DataType,
    kind: ErrorKind,
    context: &Context,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Vec<Option<T>>> {
    each_or(text, parse, |s| context.fail(|| invalid_string(kind, s, to)))
}

/// Every string through `parse`, or through `refused` if that does not take it.
pub(super) fn each_or<T>(
    text: &StringArray,
    parse: impl Fn(&str) -> Option<T>,
    refused: impl Fn(&str) -> Result<Option<T>>,
) -> Result<Vec<Option<T>>> {
    text.iter()
        .map(|s| match s {
            None => Ok(None),
            Some(s) => match parse(s) {
                Some(v) => Ok(Some(v)),
                None => refused(s),
            },
        })
        .collect()
}

/// `CAST_INVALID_INPUT` for a string.
pub fn invalid_string(kind: ErrorKind, s: &str, to: &DataType) -> Error {
    invalid_input(kind, &super::format::quoted(s), &DataType::STRING, to)
}

/// The string without blanks and control characters around it.
pub fn trim(s: &str) -> &str {
    s.trim_matches(|c: char| c.is_whitespace() || c.is_control())
}

/// `t`, `true`, `y`, `yes`, `1` and their opposites.
pub fn boolean(s: &str) -> Option<bool> {
    match trim(s).to_ascii_lowercase().as_str() {
        "t" | "true" | "y" | "yes" | "1" => Some(true),
        "f" | "false" | "n" | "no" | "0" => Some(false),
        _ => None,
    }
}

/// An integer; a fraction is refused if `exact`, else cut off.
pub fn integer(s: &str, exact: bool) -> Option<i64> {
    let s = trim(s);
    let whole = match s.split_once('.') {
        None => s,
        Some(_) if exact => return None,
        Some((whole, fraction)) => {
            if !fraction.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            // A sign or a point alone still counts as zero when a fraction follows it.
            if whole.is_empty() || whole == "-" || whole == "+" {
                return Some(0);
            }
            whole
        }
    };
    let digits = whole.strip_prefix(['+', '-']).unwrap_or(whole);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    whole.parse().ok()
}

/// A floating-point number as Java reads it, besides names of infinity and NaN in any case.
pub fn floating<F: std::str::FromStr + num_traits::Float>(s: &str) -> Option<F> {
    let s = trim(s);
    match s.to_ascii_lowercase().as_str() {
        "nan" => return Some(F::nan()),
        "inf" | "+inf" | "infinity" | "+infinity" => return Some(F::infinity()),
        "-inf" | "-infinity" => return Some(F::neg_infinity()),
        _ => {}
    }
    let s = s.strip_suffix(['d', 'D', 'f', 'F']).unwrap_or(s);
    let plain = s.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'));
    if plain { s.parse().ok() } else { None }
}

/// An exact decimal number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decimal {
    pub unscaled: BigInt,
    pub scale: i32,
}

impl Decimal {
    /// The unscaled value at another scale, rounded half up; `None` beyond `precision` digits.
    pub fn rescaled(&self, precision: u8, scale: i32) -> Option<i128> {
        rescale(&self.unscaled, self.scale, precision, scale)
    }

    /// Without an exponent.
    pub fn plain(&self) -> String {
        plain_string(&self.unscaled, self.scale)
    }

    /// Digits before the point.
    fn integral_digits(&self) -> i64 {
        self.unscaled.magnitude().to_string().len() as i64 - i64::from(self.scale)
    }
}

/// A decimal number with an optional exponent.
pub fn parse_decimal(s: &str) -> Option<Decimal> {
    let (mantissa, exponent) = match s.find(['e', 'E']) {
        None => (s, 0),
        Some(at) => {
            let exponent = &s[at + 1..];
            let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
            if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            (&s[..at], exponent.parse::<i32>().ok()?)
        }
    };
    let (sign, digits) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa.strip_prefix('+').unwrap_or(mantissa)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() && fraction.is_empty() || !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    let unscaled: BigInt = format!("{sign}{whole}{fraction}").parse().ok()?;
    let scale = i32::try_from(fraction.len()).ok()?.checked_sub(exponent)?;
    Some(Decimal { unscaled, scale })
}

/// Longer exponents than this hold no value that fits.
const MAX_EXPONENT: i32 = 1000;

fn decimals(text: &StringArray, to: &DataType, precision: u8, scale: i8, context: &Context) -> Result<ArrayRef> {
    let mut out = Decimal128Array::builder(text.len());
    for s in text {
        let value = match s {
            None => None,
            Some(s) => decimal(s, to, precision, scale, context)?,
        };
        out.append_option(value);
    }
    Ok(Arc::new(out.finish().with_precision_and_scale(precision, scale)?))
}

/// One string as a decimal's unscaled value.
///
/// # Errors
/// `CAST_INVALID_INPUT`, `NUMERIC_OUT_OF_SUPPORTED_RANGE` or `NUMERIC_VALUE_OUT_OF_RANGE` in ANSI mode.
fn decimal(s: &str, to: &DataType, precision: u8, scale: i8, context: &Context) -> Result<Option<i128>> {
    let trimmed = trim(s);
    let Some(value) = parse_decimal(trimmed) else {
        return context.fail(|| invalid_string(ErrorKind::NumberFormat, s, to));
    };
    if value.scale > MAX_EXPONENT {
        return Ok(Some(0));
    }
    if value.integral_digits() > 38 && value.unscaled != BigInt::from(0) {
        return context.fail(|| Error::arithmetic("NUMERIC_OUT_OF_SUPPORTED_RANGE").param("value", trimmed));
    }
    fit(&value, precision, scale, context)
}

/// Digits of a segment, from `min` to `max` of them.
fn number(s: &str, min: usize, max: usize) -> Option<i64> {
    if (min..=max).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_digit()) { s.parse().ok() } else { None }
}

/// A year with an optional sign.
fn year(s: &str, max_digits: usize) -> Option<i64> {
    match s.strip_prefix('-') {
        Some(digits) => Some(-number(digits, 4, max_digits)?),
        None => number(s.strip_prefix('+').unwrap_or(s), 4, max_digits),
    }
}

fn day_number(y: i64, m: i64, d: i64) -> Option<i64> {
    let (m, d) = (u32::try_from(m).ok()?, u32::try_from(d).ok()?);
    ((1..=12).contains(&m) && d >= 1 && d <= month_length(y, m)).then(|| days_from_civil(y, m, d))
}

/// Splits `y`, `y-m` or `y-m-d` and what follows a full date's blank or `T`.
fn date_parts(s: &str) -> (Vec<&str>, Option<&str>) {
    let from = usize::from(s.starts_with(['+', '-']));
    let mut parts = Vec::with_capacity(3);
    let mut start = 0;
    for (at, b) in s.bytes().enumerate().skip(from) {
        if b == b'-' && parts.len() < 2 {
            parts.push(&s[start..at]);
            start = at + 1;
        } else if (b == b' ' || b == b'T') && parts.len() == 2 {
            parts.push(&s[start..at]);
            return (parts, Some(&s[at + 1..]));
        }
    }
    parts.push(&s[start..]);
    (parts, None)
}

fn date_of(parts: &[&str], max_year_digits: usize) -> Option<i64> {
    let y = year(parts.first()?, max_year_digits)?;
    let m = parts.get(1).map_or(Some(1), |p| number(p, 1, 2))?;
    let d = parts.get(2).map_or(Some(1), |p| number(p, 1, 2))?;
    day_number(y, m, d)
}

/// Days since the epoch: `y`, `y-m`, `y-m-d`, the last with anything after a blank or `T`.
pub fn date(s: &str) -> Option<i32> {
    let (parts, _) = date_parts(trim(s));
    i32::try_from(date_of(&parts, 7)?).ok()
}

/// What a timestamp string says.
#[derive(Debug, PartialEq)]
struct Stamp<'a> {
    /// Days since the epoch; `None` if there is only a time of day.
    day: Option<i64>,
    /// Since midnight.
    nanos: i64,
    zone: Option<&'a str>,
}

fn stamp(s: &str) -> Option<Stamp<'_>> {
    let s = trim(s);
    if let Some(rest) = s.strip_prefix('T') {
        return clock(rest).map(|(nanos, zone)| Stamp { day: None, nanos, zone });
    }
    let only_time = s.find(':').is_some_and(|at| at <= 2);
    if only_time {
        return clock(s).map(|(nanos, zone)| Stamp { day: None, nanos, zone });
    }
    let (parts, rest) = date_parts(s);
    let day = date_of(&parts, 6)?;
    let (nanos, zone) = rest.map_or(Some((0, None)), clock)?;
    Some(Stamp { day: Some(day), nanos, zone })
}

/// `h`, `h:m`, `h:m:s[.fraction][zone]` as nanoseconds of the day and the zone.
fn clock(s: &str) -> Option<(i64, Option<&str>)> {
    let mut rest = s;
    let mut fields = [0i64; 3];
    for (i, field) in fields.iter_mut().enumerate() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        *field = number(&rest[..digits], 1, 2)?;
        rest = &rest[digits..];
        match (i, rest.as_bytes().first()) {
            (2, _) => break,
            (_, None) => return in_day(fields, 0).map(|m| (m, None)),
            (_, Some(b':')) => rest = &rest[1..],
            _ => return None,
        }
    }
    let mut below = 0;
    if let Some(fraction) = rest.strip_prefix('.') {
        let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
        for place in 0..9 {
            let digit = fraction.as_bytes().get(place).filter(|_| place < digits).map_or(0, |b| i64::from(b - b'0'));
            below = below * 10 + digit;
        }
        rest = &fraction[digits..];
    }
    let zone = trim(rest);
    Some((in_day(fields, below)?, (!rest.is_empty()).then_some(zone)))
}

fn in_day([h, m, s]: [i64; 3], nanos: i64) -> Option<i64> {
    (h < 24 && m < 60 && s < 60).then_some(((h * 60 + m) * 60 + s) * 1_000_000_000 + nanos)
}

/// Microseconds since the epoch of a timestamp string, in `zone` unless it says otherwise.
pub fn timestamp(s: &str, zone: Zone, now: i64) -> Option<i64> {
    let stamp = stamp(s)?;
    let zone = match stamp.zone {
        Some(text) => Zone::parse(text)?,
        None => zone,
    };
    let day = stamp.day.unwrap_or_else(|| zone.to_local(now).div_euclid(MICROS_PER_DAY));
    zone.to_utc(day.checked_mul(MICROS_PER_DAY)?.checked_add(stamp.nanos / 1000)?)
}

/// Nanoseconds since the epoch of a timestamp string: of an instant in a zone, with the query's time, or of
/// a wall clock.
pub fn timestamp_nanos(s: &str, zone: Option<(Zone, i64)>) -> Option<i128> {
    let micros = match zone {
        Some((zone, now)) => timestamp(s, zone, now)?,
        None => timestamp_ntz(s)?,
    };
    Some(i128::from(micros) * crate::nanos::PER_MICRO + i128::from(stamp(s)?.nanos % 1000))
}

/// Microseconds of a wall clock; a zone is read and ignored, a date must be there.
pub fn timestamp_ntz(s: &str) -> Option<i64> {
    let stamp = stamp(s)?;
    if let Some(text) = stamp.zone {
        Zone::parse(text)?;
    }
    stamp.day?.checked_mul(MICROS_PER_DAY)?.checked_add(stamp.nanos / 1000)
}

/// Nanoseconds since midnight of `h:m[:s[.fraction]]`, optionally with `AM` or `PM`.
pub fn time(s: &str) -> Option<i64> {
    let s = trim(s);
    let s = s.strip_prefix('T').unwrap_or(s);
    let upper = s.to_ascii_uppercase();
    let half = if upper.ends_with("AM") {
        Some(0)
    } else if upper.ends_with("PM") {
        Some(12)
    } else {
        None
    };
    let digits = if half.is_some() { trim(&s[..s.len() - 2]) } else { s };
    let (nanos, zone) = clock(digits)?;
    if zone.is_some() || !digits.contains(':') {
        return None;
    }
    const HOUR: i64 = 3_600_000_000_000;
    match half {
        None => Some(nanos),
        Some(_) if !(HOUR..13 * HOUR).contains(&nanos) => None,
        Some(offset) => Some(nanos % (12 * HOUR) + offset * HOUR),
    }
}

/// The time with no more than `precision` digits of a second.
pub fn truncate_time(nanos: i64, precision: u8) -> i64 {
    let unit = 10i64.pow(9 - u32::from(precision.min(9)));
    nanos - nanos.rem_euclid(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers() {
        for (s, exact, legacy) in [
            (" 12 ", Some(12), Some(12)),
            ("+12", Some(12), Some(12)),
            ("1.9", None, Some(1)),
            (".5", None, Some(0)),
            ("-1.", None, Some(-1)),
            ("1e3", None, None),
            ("", None, None),
            ("9223372036854775808", None, None),
        ] {
            assert_eq!(integer(s, true), exact, "{s}");
            assert_eq!(integer(s, false), legacy, "{s}");
        }
    }

    #[test]
    fn dates() {
        for (s, expected) in [
            ("2020-1-1", day_number(2020, 1, 1)),
            ("2020", day_number(2020, 1, 1)),
            (" 2020-02 ", day_number(2020, 2, 1)),
            ("2020-01-01 xx", day_number(2020, 1, 1)),
            ("2020-01-01T", day_number(2020, 1, 1)),
            ("+10000-01-01", day_number(10000, 1, 1)),
            ("-0001-01-01", day_number(-1, 1, 1)),
            ("2020-13-01", None),
            ("2020-02-30", None),
            ("202-01-01", None),
            ("x", None),
        ] {
            assert_eq!(date(s).map(i64::from), expected, "{s}");
        }
    }

    #[test]
    fn times_keep_nine_digits() {
        for (text, expect) in [
            ("01:02:03.123456789", Some(3_723_123_456_789)),
            ("T1:2:3.1234567899", Some(3_723_123_456_789)),
            ("12:00:00.000000001 AM", Some(1)),
            ("1:02:03.5 PM", Some(46_923_500_000_000)),
            ("13:00:00 PM", None),
            ("24:00:00", None),
        ] {
            assert_eq!(time(text), expect, "{text}");
        }
    }

    #[test]
    fn timestamps() {
        let la = Zone::parse("America/Los_Angeles").unwrap();
        let day = days_from_civil(2020, 1, 1) * MICROS_PER_DAY;
        let at = |h: i64, m: i64, s: i64| Some(day + ((h * 60 + m) * 60 + s) * 1_000_000);
        for (s, expected) in [
            ("2020-01-01 1:2:3", at(9, 2, 3)),
            ("2020-01-01T01:02", at(9, 2, 0)),
            ("2020-01-01", at(8, 0, 0)),
            ("2020-01-01 01:02:03.123456789", at(9, 2, 3).map(|v| v + 123_456)),
            ("2020-01-01 01:02:03Z", at(1, 2, 3)),
            ("2020-01-01 01:02:03+8", at(-7, 2, 3)),
            ("2020-01-01 01:02:03 Europe/Paris", at(0, 2, 3)),
            ("2020-01-01 25:00:00", None),
            ("2020-01-01 01:02 +8", None),
            ("2020-01-01 01:02:03 Foo/Bar", None),
            ("x", None),
        ] {
            assert_eq!(timestamp(s, la, 0), expected, "{s}");
        }
    }

    #[test]
    fn decimals() {
        for (s, expected) in [
            ("1e3", Some((1, -3))),
            ("1.25", Some((125, 2))),
            ("-.5", Some((-5, 1))),
            ("+1.", Some((1, 0))),
            ("abc", None),
            ("1e", None),
            ("", None),
        ] {
            let expected = expected.map(|(u, scale)| Decimal { unscaled: BigInt::from(u), scale });
            assert_eq!(parse_decimal(s), expected, "{s}");
        }
    }
}
