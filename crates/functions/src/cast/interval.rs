//! Intervals as text and numbers, and back.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Decimal128Array, DurationMicrosecondArray, Int64Array, IntervalYearMonthArray,
    StringArray,
};
use arrow::datatypes::{DurationMicrosecondType, IntervalYearMonthType};
use datafusion::common::Result;
use num_bigint::BigInt;
use spark::types::DataType;
use spark::{Error, ErrorKind};

use super::convert::{Context, Mode, no_such_cast, overflow};
use super::numeric::{self, Number, fit, for_each_number};
use super::parse::{Decimal, each_or, trim};
use crate::error::fail;
use crate::families::interval::calendar_array;

const MICROS: [i64; 4] = [86_400_000_000, 3_600_000_000, 60_000_000, 1_000_000];
const DAY_TIME_FIELDS: [&str; 4] = ["DAY", "HOUR", "MINUTE", "SECOND"];
const YEAR_MONTH_FIELDS: [&str; 2] = ["YEAR", "MONTH"];

fn fields_text(names: &[&str], start: u8, end: u8) -> String {
    let name = |i: u8| names.get(usize::from(i)).copied().unwrap_or("SECOND");
    if start == end { name(start).to_string() } else { format!("{} TO {}", name(start), name(end)) }
}

/// `INTERVAL '1-2' YEAR TO MONTH`.
pub fn year_month_string(months: i32, start: u8, end: u8) -> String {
    let sign = if months < 0 { "-" } else { "" };
    let months = months.unsigned_abs();
    let body = match (start, end) {
        (0, 0) => format!("{}", months / 12),
        (1, 1) => months.to_string(),
        _ => format!("{}-{}", months / 12, months % 12),
    };
    format!("INTERVAL '{sign}{body}' {}", fields_text(&YEAR_MONTH_FIELDS, start, end))
}

/// `INTERVAL '1 02:03:04.5' DAY TO SECOND`.
pub fn day_time_string(micros: i64, start: u8, end: u8) -> String {
    let sign = if micros < 0 { "-" } else { "" };
    format!(
        "INTERVAL '{sign}{}' {}",
        day_time_body(micros.unsigned_abs(), usize::from(start.min(3)), usize::from(end.min(3))),
        fields_text(&DAY_TIME_FIELDS, start, end)
    )
}

fn day_time_body(mut micros: u64, start: usize, end: usize) -> String {
    let mut text = String::new();
    for (field, unit) in MICROS.iter().enumerate().take(end + 1).skip(start) {
        let unit = unit.unsigned_abs();
        let value = micros / unit;
        micros %= unit;
        match field {
            0 => text.push_str(&value.to_string()),
            f => {
                if f > start {
                    text.push(if f == 1 { ' ' } else { ':' });
                }
                text.push_str(&format!("{value:02}"));
            }
        }
    }
    if end == 3 && micros != 0 {
        let digits = format!("{micros:06}");
        text.push('.');
        text.push_str(digits.trim_end_matches('0'));
    }
    text
}

/// `1 years 2 months 3 days 4 hours 5 minutes 6.7 seconds`, leaving out what is zero.
pub fn calendar_string(months: i32, days: i32, micros: i64) -> String {
    let mut parts = Vec::new();
    let mut push = |value: i64, unit: &str| {
        if value != 0 {
            parts.push(format!("{value} {unit}"));
        }
    };
    push(i64::from(months / 12), "years");
    push(i64::from(months % 12), "months");
    push(i64::from(days), "days");
    push(micros / MICROS[1], "hours");
    push(micros % MICROS[1] / MICROS[2], "minutes");
    let rest = micros % MICROS[2];
    if rest != 0 {
        let sign = if rest < 0 { "-" } else { "" };
        let fraction = format!("{:06}", (rest % 1_000_000).unsigned_abs());
        let fraction = fraction.trim_end_matches('0');
        let point = if fraction.is_empty() { "" } else { "." };
        parts.push(format!("{sign}{}{point}{fraction} seconds", (rest / 1_000_000).unsigned_abs()));
    }
    if parts.is_empty() { "0 seconds".into() } else { parts.join(" ") }
}

/// Intervals as numbers, numbers as intervals, and intervals with other fields.
///
/// # Errors
/// `CAST_OVERFLOW`, in any mode but `try_cast`.
pub fn convert(array: &ArrayRef, from: &DataType, to: &DataType, context: &Context) -> Result<ArrayRef> {
    use DataType as T;
    match (from, to) {
        (T::YearMonthInterval { .. }, T::YearMonthInterval { end, .. }) => {
            let unit = if *end == 0 { 12 } else { 1 };
            let values = array.as_primitive::<IntervalYearMonthType>().iter().map(|m| m.map(|m| m - m % unit));
            Ok(Arc::new(values.collect::<IntervalYearMonthArray>()))
        }
        (T::DayTimeInterval { .. }, T::DayTimeInterval { end, .. }) => {
            let unit = if *end == 3 { 1 } else { MICROS[usize::from(*end)] };
            let values = array.as_primitive::<DurationMicrosecondType>().iter().map(|v| v.map(|v| v - v % unit));
            Ok(Arc::new(values.collect::<DurationMicrosecondArray>()))
        }
        (T::YearMonthInterval { end, .. }, _) => {
            let unit = if *end == 0 { 12 } else { 1 };
            let values = array.as_primitive::<IntervalYearMonthType>().iter().map(|m| m.map(|m| i64::from(m / unit)));
            to_number(&values.collect(), array, from, to, context)
        }
        (T::DayTimeInterval { end, .. }, T::Decimal { precision, scale }) => {
            day_time_to_decimal(array, *end, (*precision, *scale), context)
        }
        (T::DayTimeInterval { end, .. }, _) => {
            let unit = MICROS[usize::from(*end)];
            let values = array.as_primitive::<DurationMicrosecondType>().iter().map(|v| v.map(|v| v / unit));
            to_number(&values.collect(), array, from, to, context)
        }
        (_, T::YearMonthInterval { end, .. }) => from_numbers(array, from, to, context, if *end == 0 { 12 } else { 1 }),
        (_, T::DayTimeInterval { end, .. }) => from_numbers(array, from, to, context, MICROS[usize::from(*end)]),
        _ => no_such_cast(from, to),
    }
}

/// Overflow of an interval is an error in and out of ANSI mode.
fn strict<T>(context: &Context, error: impl FnOnce() -> Error) -> Result<Option<T>> {
    if context.mode == Mode::Try { Ok(None) } else { fail(error()) }
}

fn to_number(
    values: &Int64Array,
    array: &ArrayRef,
    from: &DataType,
    to: &DataType,
    context: &Context,
) -> Result<ArrayRef> {
    let fits = |v: i64| match to {
        DataType::Byte => i8::try_from(v).is_ok(),
        DataType::Short => i16::try_from(v).is_ok(),
        DataType::Integer => i32::try_from(v).is_ok(),
        _ => true,
    };
    for (row, v) in values.iter().enumerate() {
        if v.is_some_and(|v| !fits(v)) {
            let text = interval_at(array, from, row);
            strict::<()>(context, || overflow(&text, from, to))?;
        }
    }
    let kept: Int64Array = values.iter().map(|v| v.filter(|v| fits(*v))).collect();
    numeric::convert(&(Arc::new(kept) as ArrayRef), &DataType::Long, to, context)
}

fn interval_at(array: &ArrayRef, ty: &DataType, row: usize) -> String {
    match ty {
        DataType::YearMonthInterval { start, end } => {
            year_month_string(array.as_primitive::<IntervalYearMonthType>().value(row), *start, *end)
        }
        DataType::DayTimeInterval { start, end } => {
            day_time_string(array.as_primitive::<DurationMicrosecondType>().value(row), *start, *end)
        }
        _ => String::new(),
    }
}

fn day_time_to_decimal(array: &ArrayRef, end: u8, (precision, scale): (u8, i8), context: &Context) -> Result<ArrayRef> {
    let unit = MICROS[usize::from(end)];
    let mut out = Decimal128Array::builder(array.len());
    for v in array.as_primitive::<DurationMicrosecondType>() {
        let fitted = match v {
            None => None,
            // Enough digits to round the quotient once.
            Some(v) => {
                let unscaled = BigInt::from(v) * BigInt::from(10).pow(24) / BigInt::from(unit);
                fit(&Decimal { unscaled, scale: 24 }, precision, scale, context)?
            }
        };
        out.append_option(fitted);
    }
    Ok(Arc::new(out.finish().with_precision_and_scale(precision, scale)?))
}

fn from_numbers(array: &ArrayRef, from: &DataType, to: &DataType, context: &Context, unit: i64) -> Result<ArrayRef> {
    let months = matches!(to, DataType::YearMonthInterval { .. });
    let mut values = Vec::with_capacity(array.len());
    for_each_number(array, |v| {
        let value = match v {
            None => None,
            Some(n) => {
                let scaled = scaled(n, unit).filter(|v| !months || i32::try_from(*v).is_ok());
                match scaled {
                    Some(v) => Some(v),
                    None => strict(context, || overflow(&n.sql(from), from, to))?,
                }
            }
        };
        values.push(value);
        Ok(())
    })?;
    if months {
        let values = values.into_iter().map(|v| v.map(|v| v as i32));
        return Ok(Arc::new(values.collect::<IntervalYearMonthArray>()));
    }
    Ok(Arc::new(values.into_iter().collect::<DurationMicrosecondArray>()))
}

/// The number of units, rounded half up.
fn scaled(n: Number, unit: i64) -> Option<i64> {
    match n {
        Number::Int(v) => v.checked_mul(unit),
        Number::Decimal(v, s) => {
            let exact = Decimal { unscaled: BigInt::from(v) * unit, scale: i32::from(s) };
            exact.rescaled(38, 0).and_then(|v| i64::try_from(v).ok())
        }
        _ => None,
    }
}

/// Strings as intervals of type `to`.
///
/// # Errors
/// `INVALID_INTERVAL_FORMAT` in ANSI mode.
pub fn from_strings(text: &StringArray, to: &DataType, context: &Context) -> Result<ArrayRef> {
    match to {
        DataType::CalendarInterval => {
            let values: Vec<_> = text.iter().map(|s| s.and_then(parse_calendar)).collect();
            Ok(calendar_array(&values))
        }
        DataType::YearMonthInterval { start, end } => {
            let values = parse_each(text, to, context, |s| parse_year_month(s, *start, *end))?;
            Ok(Arc::new(values.into_iter().collect::<IntervalYearMonthArray>()))
        }
        DataType::DayTimeInterval { start, end } => {
            let values = parse_each(text, to, context, |s| parse_day_time(s, *start, *end))?;
            Ok(Arc::new(values.into_iter().collect::<DurationMicrosecondArray>()))
        }
        _ => no_such_cast(&DataType::STRING, to),
    }
}

fn parse_each<T>(
    text: &StringArray,
    to: &DataType,
    context: &Context,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Vec<Option<T>>> {
    each_or(text, parse, |s| strict(context, || unmatched(s, to)))
}

fn unmatched(s: &str, to: &DataType) -> Error {
    let (kind, format, fields) = match to {
        DataType::YearMonthInterval { start, end } => {
            let format = match (start, end) {
                (0, 0) => "y",
                (1, 1) => "m",
                _ => "y-m",
            };
            ("year-month", format.to_string(), fields_text(&YEAR_MONTH_FIELDS, *start, *end))
        }
        DataType::DayTimeInterval { start, end } => {
            let all = ["d", "h", "m", "s.n"];
            let mut format = String::new();
            for i in *start..=*end {
                if i > *start {
                    format.push(if i == 1 { ' ' } else { ':' });
                }
                format.push_str(all[usize::from(i.min(3))]);
            }
            ("day-time", format, fields_text(&DAY_TIME_FIELDS, *start, *end))
        }
        _ => ("", String::new(), String::new()),
    };
    let sub = match to {
        DataType::YearMonthInterval { .. } => "UNMATCHED_FORMAT_STRING",
        _ => "UNMATCHED_FORMAT_STRING_WITH_NOTICE",
    };
    Error::new(ErrorKind::IllegalArgument, format!("INVALID_INTERVAL_FORMAT.{sub}"))
        .param("input", s)
        .param("intervalStr", kind)
        .param("typeName", to.simple_string())
        .param("supportedFormat", format!("`[+|-]{format}`, `INTERVAL [+|-]'[+|-]{format}' {fields}`"))
}

/// Takes `INTERVAL [sign]'…' fields` apart, or gives the text itself: sign and body.
fn body_of<'a>(s: &'a str, fields: &str) -> Option<(i64, &'a str)> {
    let s = trim(s);
    let upper = s.to_ascii_uppercase();
    if !upper.starts_with("INTERVAL") {
        return Some((1, s));
    }
    let rest = trim(&s["INTERVAL".len()..]);
    let (sign, rest) = signed(rest);
    let rest = trim(rest).strip_prefix('\'')?;
    let (body, tail) = rest.split_once('\'')?;
    let tail: Vec<&str> = tail.split_whitespace().collect();
    tail.join(" ").eq_ignore_ascii_case(fields).then_some((sign, trim(body)))
}

fn signed(s: &str) -> (i64, &str) {
    match s.as_bytes().first() {
        Some(b'-') => (-1, &s[1..]),
        Some(b'+') => (1, &s[1..]),
        _ => (1, s),
    }
}

fn digits(s: &str, max: usize) -> Option<i64> {
    ((1..=max).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_digit())).then(|| s.parse().ok()).flatten()
}

/// Months of `y-m`, `y` or `m`, as the fields say.
pub fn parse_year_month(s: &str, start: u8, end: u8) -> Option<i32> {
    let (outer, body) = body_of(s, &fields_text(&YEAR_MONTH_FIELDS, start, end))?;
    let (sign, body) = signed(body);
    let months = match (start, end) {
        (0, 0) => digits(body, 10)?.checked_mul(12)?,
        (1, 1) => digits(body, 10)?,
        _ => {
            let (y, m) = body.split_once('-')?;
            let m = digits(m, 2).filter(|m| *m < 12)?;
            digits(y, 10)?.checked_mul(12)?.checked_add(m)?
        }
    };
    i32::try_from(outer * sign * months).ok()
}

/// Microseconds of `d h:m:s.n` or the part of it that the fields say.
pub fn parse_day_time(s: &str, start: u8, end: u8) -> Option<i64> {
    let (outer, body) = body_of(s, &fields_text(&DAY_TIME_FIELDS, start, end))?;
    let (sign, body) = signed(body);
    let mut rest = body;
    let mut total: i128 = 0;
    for field in start..=end {
        if field > start {
            rest = rest.strip_prefix(if field == 1 { ' ' } else { ':' })?;
        }
        let len = rest.bytes().take_while(u8::is_ascii_digit).count();
        let value = digits(&rest[..len], if field == start { 19 } else { 2 })?;
        let limit = [i64::MAX, 24, 60, 60][usize::from(field.min(3))];
        if field > start && value >= limit {
            return None;
        }
        total += i128::from(value) * i128::from(MICROS[usize::from(field.min(3))]);
        rest = &rest[len..];
    }
    if let (3, Some(fraction)) = (end, rest.strip_prefix('.')) {
        if fraction.is_empty() || fraction.len() > 9 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        total += format!("{fraction:0<6}")[..6].parse::<i128>().ok()?;
        rest = "";
    }
    if !rest.is_empty() {
        return None;
    }
    i64::try_from(i128::from(outer * sign) * total).ok()
}

/// Months, days and microseconds of `[interval] 1 year 2 days 3.5 seconds …`.
pub fn parse_calendar(s: &str) -> Option<(i64, i64, i64)> {
    let lower = trim(s).to_ascii_lowercase();
    let body = lower.strip_prefix("interval").filter(|r| r.starts_with(char::is_whitespace)).unwrap_or(&lower);
    let words: Vec<&str> = body.split_whitespace().collect();
    let mut words = join_signs(&words).into_iter();
    let (mut months, mut days, mut micros) = (0i64, 0i64, 0i64);
    let mut any = false;
    while let Some(number) = words.next() {
        let unit = words.next()?;
        let unit = unit.strip_suffix('s').unwrap_or(&unit);
        any = true;
        if unit == "second" {
            micros = micros.checked_add(seconds(&number)?)?;
            continue;
        }
        let n = crate::cast::parse::integer(&number, true)?;
        match unit {
            "year" => months = months.checked_add(n.checked_mul(12)?)?,
            "month" => months = months.checked_add(n)?,
            "week" => days = days.checked_add(n.checked_mul(7)?)?,
            "day" => days = days.checked_add(n)?,
            "hour" => micros = micros.checked_add(n.checked_mul(MICROS[1])?)?,
            "minute" => micros = micros.checked_add(n.checked_mul(MICROS[2])?)?,
            "millisecond" => micros = micros.checked_add(n.checked_mul(1000)?)?,
            "microsecond" => micros = micros.checked_add(n)?,
            _ => return None,
        }
    }
    i32::try_from(months).ok()?;
    i32::try_from(days).ok()?;
    any.then_some((months, days, micros))
}

/// A sign may stand apart from its number.
fn join_signs(words: &[&str]) -> Vec<String> {
    let mut out: Vec<String> = Vec::with_capacity(words.len());
    for word in words {
        match out.last_mut() {
            Some(last) if last == "-" || last == "+" => last.push_str(word),
            _ => out.push((*word).to_string()),
        }
    }
    out
}

fn seconds(s: &str) -> Option<i64> {
    let (sign, body) = signed(s);
    let (whole, fraction) = body.split_once('.').unwrap_or((body, ""));
    let whole = if whole.is_empty() && !fraction.is_empty() { 0 } else { digits(whole, 19)? };
    if fraction.len() > 9 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let micros = format!("{fraction:0<6}")[..6].parse::<i64>().ok()?;
    whole.checked_mul(1_000_000)?.checked_add(micros)?.checked_mul(sign)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_intervals() {
        let dt = 86_400_000_000 + 2 * MICROS[1] + 3 * MICROS[2] + 4_500_000;
        for (text, expected) in [
            (day_time_string(dt, 0, 3), "INTERVAL '1 02:03:04.5' DAY TO SECOND"),
            (day_time_string(-dt, 0, 3), "INTERVAL '-1 02:03:04.5' DAY TO SECOND"),
            (day_time_string(25 * MICROS[1], 1, 1), "INTERVAL '25' HOUR"),
            (day_time_string(62_000_000, 2, 3), "INTERVAL '01:02' MINUTE TO SECOND"),
            (day_time_string(1_500_000, 3, 3), "INTERVAL '01.5' SECOND"),
            (year_month_string(-14, 0, 1), "INTERVAL '-1-2' YEAR TO MONTH"),
            (year_month_string(36, 0, 0), "INTERVAL '3' YEAR"),
            (calendar_string(14, 25, 18_367_500_000), "1 years 2 months 25 days 5 hours 6 minutes 7.5 seconds"),
            (calendar_string(0, -1, -500_000), "-1 days -0.5 seconds"),
            (calendar_string(0, 0, 0), "0 seconds"),
        ] {
            assert_eq!(text, expected);
        }
    }

    #[test]
    fn intervals_of_text() {
        assert_eq!(parse_day_time("1 02:03:04", 0, 3), Some(86_400_000_000 + 7_384_000_000));
        assert_eq!(parse_day_time("INTERVAL '1' DAY", 0, 0), Some(86_400_000_000));
        assert_eq!(parse_day_time("INTERVAL -'1' DAY", 0, 0), Some(-86_400_000_000));
        assert_eq!(parse_day_time("x", 0, 0), None);
        assert_eq!(parse_day_time("1 25:00:00", 0, 3), None);
        assert_eq!(parse_year_month("1-2", 0, 1), Some(14));
        assert_eq!(parse_year_month("1-12", 0, 1), None);
        assert_eq!(parse_calendar("INTERVAL 1 DAY"), Some((0, 1, 0)));
        assert_eq!(parse_calendar("1 month -2.5 seconds"), Some((1, 0, -2_500_000)));
        assert_eq!(parse_calendar("foo"), None);
    }
}
