//! Texts and unit lists of intervals to values.

use spark::{DataType, Error, Literal};

pub const MICROS_PER_SECOND: i64 = 1_000_000;
pub const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND;

/// Months, days and microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Interval {
    pub months: i32,
    pub days: i32,
    pub micros: i64,
}

fn invalid(sub: &str, input: &str) -> Error {
    Error::parse(format!("INVALID_INTERVAL_FORMAT.{sub}"))
        .param("input", input)
        .with_message(format!("{input} cannot be read as an interval"))
}

/// The field of a unit name in lower case without its plural `s`: year-month or day-time.
pub fn field_of(unit: &str) -> Option<Field> {
    Some(match unit {
        "year" => Field::YearMonth(0),
        "month" => Field::YearMonth(1),
        "week" | "day" => Field::DayTime(0),
        "hour" => Field::DayTime(1),
        "minute" => Field::DayTime(2),
        "second" | "millisecond" | "microsecond" => Field::DayTime(3),
        _ => return None,
    })
}

/// A field of one of the two ANSI interval types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    YearMonth(u8),
    DayTime(u8),
}

/// The singular of a unit name, in lower case.
pub fn singular(unit: &str) -> String {
    let lower = unit.to_lowercase();
    lower.strip_suffix('s').map(str::to_string).unwrap_or(lower)
}

/// Why a list of units makes no ANSI interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NarrowError {
    /// Years or months together with days or times.
    Mixed,
    Overflow,
}

/// The literal over the smallest type that has every unit named.
pub fn narrow(interval: Interval, units: &[String]) -> Result<Literal, NarrowError> {
    let (mut year_month, mut day_time) = (Vec::new(), Vec::new());
    for unit in units {
        match field_of(unit) {
            Some(Field::YearMonth(field)) => year_month.push(field),
            Some(Field::DayTime(field)) => day_time.push(field),
            None => return Err(NarrowError::Mixed),
        }
    }
    let bounds = |fields: &[u8]| (fields.iter().min().copied(), fields.iter().max().copied());
    match (bounds(&year_month), bounds(&day_time)) {
        ((Some(start), Some(end)), (None, _)) => Ok(Literal::YearMonthInterval { months: interval.months, start, end }),
        ((None, _), (Some(start), Some(end))) => {
            let days = (interval.days as i64).checked_mul(MICROS_PER_DAY);
            let micros = days.and_then(|days| days.checked_add(interval.micros)).ok_or(NarrowError::Overflow)?;
            Ok(Literal::DayTimeInterval { micros, start, end })
        }
        _ => Err(NarrowError::Mixed),
    }
}

/// Blanks between the parts of an interval text.
fn is_blank(c: char) -> bool {
    c.is_whitespace() || c.is_control()
}

/// `[interval] {[+|-] n unit}…`, as `CAST(text AS INTERVAL)` reads it.
pub fn parse_multi_units(text: &str) -> Result<Interval, Error> {
    let lower = text.trim_matches(is_blank).to_lowercase();
    let mut rest = lower.as_str();
    if rest.is_empty() {
        return Err(invalid("INPUT_IS_EMPTY", text));
    }
    if let Some(after) = rest.strip_prefix("interval") {
        if !after.starts_with(is_blank) {
            return Err(
                invalid(if after.is_empty() { "INPUT_IS_EMPTY" } else { "INVALID_PREFIX" }, text).param("prefix", rest)
            );
        }
        rest = after.trim_start_matches(is_blank);
    }
    let mut sum = Interval::default();
    let mut any = false;
    while !rest.is_empty() {
        rest = one_unit(text, rest, &mut sum)?.trim_start_matches(is_blank);
        any = true;
    }
    if any { Ok(sum) } else { Err(invalid("INPUT_IS_EMPTY", text)) }
}

/// One `[sign] number unit`; what follows it.
fn one_unit<'a>(text: &str, rest: &'a str, sum: &mut Interval) -> Result<&'a str, Error> {
    let (negative, rest) = match rest.as_bytes()[0] {
        b'-' => (true, &rest[1..]),
        b'+' => (false, &rest[1..]),
        _ => (false, rest),
    };
    let rest = rest.trim_start_matches(is_blank);
    let whole_len = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (whole_text, rest) = rest.split_at(whole_len);
    let (fraction, fraction_text, rest) = fraction_nanos(text, rest)?;
    if whole_text.is_empty() && fraction_text.is_empty() {
        let word = rest.split(is_blank).next().unwrap_or_default();
        let sub = if word.is_empty() { "MISSING_NUMBER" } else { "UNRECOGNIZED_NUMBER" };
        return Err(invalid(sub, text).param(if word.is_empty() { "word" } else { "number" }, word));
    }
    let magnitude: i128 = if whole_text.is_empty() {
        0
    } else {
        whole_text.parse().map_err(|_| invalid("ARITHMETIC_EXCEPTION", text))?
    };
    if magnitude > i64::MAX as i128 + negative as i128 {
        return Err(invalid("ARITHMETIC_EXCEPTION", text));
    }
    let value = if negative { -magnitude } else { magnitude };
    if !rest.is_empty() && !rest.starts_with(is_blank) {
        let word = rest.split(is_blank).next().unwrap_or_default();
        return Err(invalid("INVALID_VALUE", text).param("value", format!("{whole_text}{fraction_text}{word}")));
    }
    let rest = rest.trim_start_matches(is_blank);
    let unit_len = rest.find(is_blank).unwrap_or(rest.len());
    let (unit, rest) = rest.split_at(unit_len);
    if unit.is_empty() {
        return Err(invalid("MISSING_UNIT", text).param("word", whole_text));
    }
    let singular = unit.strip_suffix('s').unwrap_or(unit);
    if !fraction_text.is_empty() && singular != "second" {
        return Err(invalid("INVALID_FRACTION", text).param("unit", unit));
    }
    let fraction = if negative { -fraction } else { fraction };
    add_unit(sum, value, singular, fraction)
        .ok_or_else(|| invalid("ARITHMETIC_EXCEPTION", text))?
        .then_some(rest)
        .ok_or_else(|| invalid("INVALID_UNIT", text).param("unit", unit))
}

/// `.digits` as nanoseconds of a second.
fn fraction_nanos<'a>(text: &str, rest: &'a str) -> Result<(i64, &'a str, &'a str), Error> {
    let Some(after) = rest.strip_prefix('.') else { return Ok((0, "", rest)) };
    let len = after.bytes().take_while(u8::is_ascii_digit).count();
    if len > 9 {
        return Err(invalid("INVALID_PRECISION", text).param("value", &rest[..len + 1]));
    }
    let digits = &after[..len];
    let nanos = digits.bytes().chain(std::iter::repeat(b'0')).take(9).fold(0, |sum, d| sum * 10 + (d - b'0') as i64);
    // A lone point is no number.
    if len == 0 {
        return Ok((0, "", after));
    }
    Ok((nanos, &rest[..len + 1], &after[len..]))
}

/// Adds `value` of a unit. `Some(false)` if there is no such unit, `None` if it overflows.
fn add_unit(sum: &mut Interval, value: i128, unit: &str, nanos: i64) -> Option<bool> {
    let months = |sum: &mut Interval, by: i128| {
        sum.months = i32::try_from(sum.months as i128 + value.checked_mul(by)?).ok()?;
        Some(true)
    };
    let days = |sum: &mut Interval, by: i128| {
        sum.days = i32::try_from(sum.days as i128 + value.checked_mul(by)?).ok()?;
        Some(true)
    };
    let micros = |sum: &mut Interval, by: i128| {
        let add = value.checked_mul(by)? + (nanos / 1000) as i128;
        sum.micros = i64::try_from(sum.micros as i128 + add).ok()?;
        Some(true)
    };
    match unit {
        "year" => months(sum, 12),
        "month" => months(sum, 1),
        "week" => days(sum, 7),
        "day" => days(sum, 1),
        "hour" => micros(sum, 3_600_000_000),
        "minute" => micros(sum, 60_000_000),
        "second" => micros(sum, 1_000_000),
        "millisecond" => micros(sum, 1_000),
        "microsecond" => micros(sum, 1),
        _ => Some(false),
    }
}

const DAY_TIME: [&str; 4] = ["day", "hour", "minute", "second"];

/// Splits the sign off, as `[+|-]`.
fn signed(text: &str) -> (bool, &str) {
    match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+' | b'|') => (false, &text[1..]),
        _ => (false, text),
    }
}

/// A value out of the bounds of its field.
fn out_of_range(name: &str, value: &str, max: i64) -> Error {
    let message = format!("requirement failed: {name} {value} outside range [0, {max}]");
    Error::parse("_LEGACY_ERROR_TEMP_0063").param("msg", &message).with_message(message)
}

fn in_range(name: &str, value: &str, max: i64) -> Result<i64, Error> {
    value.parse::<i64>().ok().filter(|v| *v <= max).ok_or_else(|| out_of_range(name, value, max))
}

/// `y-m` as months.
pub fn parse_year_month(text: &str) -> Result<i32, Error> {
    let trimmed = text.trim_matches(|c: char| c <= ' ');
    let (negative, body) = signed(trimmed);
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    let Some((years, months)) = body.split_once('-').filter(|(y, m)| digits(y) && digits(m)) else {
        return Err(unmatched(
            "UNMATCHED_FORMAT_STRING",
            text,
            "year-month",
            "interval year to month",
            "`[+|-]y-m`, `INTERVAL [+|-]'[+|-]y-m' YEAR TO MONTH`",
        ));
    };
    let overflow = |_| invalid("INTERVAL_PARSING", text).param("interval", "year-month");
    let years = in_range("year", years, 178_956_970).map_err(overflow)?;
    let months = in_range("month", months, 11).map_err(overflow)?;
    let total = (years * 12 + months) * if negative { -1 } else { 1 };
    i32::try_from(total).map_err(|_| invalid("INTERVAL_PARSING", text).param("interval", "year-month"))
}

fn unmatched(sub: &str, input: &str, family: &str, type_name: &str, formats: &str) -> Error {
    invalid(sub, input).param("intervalStr", family).param("supportedFormat", formats).param("typeName", type_name)
}

/// `d h:m:s.f` cut to the fields from `start` to `end` (0 = day … 3 = second), as microseconds.
pub fn parse_day_time(text: &str, start: u8, end: u8) -> Result<i64, Error> {
    let trimmed = text.trim_matches(|c: char| c <= ' ');
    let (negative, body) = signed(trimmed);
    let fields = split_day_time(body, start, end).ok_or_else(|| {
        let (from, to) = (DAY_TIME[start as usize], DAY_TIME[end as usize]);
        let shape = day_time_shape(start, end);
        let formats =
            format!("`[+|-]{shape}`, `INTERVAL [+|-]'[+|-]{shape}' {} TO {}`", from.to_uppercase(), to.to_uppercase());
        unmatched(
            "UNMATCHED_FORMAT_STRING_WITH_NOTICE",
            text,
            "day-time",
            &format!("interval {from} to {to}"),
            &formats,
        )
    })?;
    const FIRST_MAX: [i64; 4] = [106_751_991, 2_562_047_788, 153_722_867_280, 9_223_372_036_854];
    const NEXT_MAX: [i64; 4] = [0, 23, 59, 59];
    const UNIT: [i128; 4] = [86_400_000_000, 3_600_000_000, 60_000_000, 1_000_000];
    let mut total: i128 = 0;
    for (i, field) in fields.iter().enumerate() {
        let at = start as usize + i;
        let max = if i == 0 { FIRST_MAX[at] } else { NEXT_MAX[at] };
        let (whole, fraction) = field.split_once('.').unwrap_or((field, ""));
        total += in_range(DAY_TIME[at], whole, max)? as i128 * UNIT[at];
        let micros =
            fraction.bytes().chain(std::iter::repeat(b'0')).take(6).fold(0, |sum, d| sum * 10 + (d - b'0') as i128);
        total += micros;
    }
    let total = if negative { -total } else { total };
    i64::try_from(total).map_err(|_| invalid("ARITHMETIC_EXCEPTION", text))
}

fn day_time_shape(start: u8, end: u8) -> String {
    const LETTERS: [&str; 4] = ["d", "h", "m", "s.n"];
    let mut shape = String::new();
    for field in start..=end {
        if field > start {
            shape.push(if field == 1 { ' ' } else { ':' });
        }
        shape.push_str(LETTERS[field as usize]);
    }
    shape
}

/// The fields of a day-time text, or nothing if it has another shape.
fn split_day_time(body: &str, start: u8, end: u8) -> Option<Vec<&str>> {
    let mut fields = Vec::new();
    let mut rest = body;
    for field in start..=end {
        if field > start {
            rest = rest.strip_prefix(if field == 1 { ' ' } else { ':' })?;
        }
        let mut len = rest.bytes().take_while(u8::is_ascii_digit).count();
        if len == 0 || (field > start && len > 2) {
            return None;
        }
        if field == 3
            && let Some(after) = rest[len..].strip_prefix('.')
        {
            let digits = after.bytes().take_while(u8::is_ascii_digit).count();
            if !(1..=9).contains(&digits) {
                return None;
            }
            len += 1 + digits;
        }
        let (value, after) = rest.split_at(len);
        fields.push(value);
        rest = after;
    }
    rest.is_empty().then_some(fields)
}

/// The type of `INTERVAL start TO end` by unit names; `None` if they do not go together.
pub fn interval_type(start: &str, end: &str) -> Option<DataType> {
    match (field_of(start)?, field_of(end)?) {
        (Field::YearMonth(start), Field::YearMonth(end)) if start <= end => {
            Some(DataType::YearMonthInterval { start, end })
        }
        (Field::DayTime(start), Field::DayTime(end)) if start <= end => Some(DataType::DayTimeInterval { start, end }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn multi_units() {
        let check = |text: &str, months, days, micros| {
            assert_eq!(parse_multi_units(text).unwrap(), Interval { months, days, micros }, "{text}");
        };
        check("1 year 2 months", 14, 0, 0);
        check("interval -1 day +3 hours", 0, -1, 10_800_000_000);
        check("- 1.5 seconds", 0, 0, -1_500_000);
        check("2 weeks 3 microseconds", 0, 14, 3);
        check(".5 second", 0, 0, 500_000);
        for text in ["", "interval", "1", "+", "+.", "1 foo", "1.5 day", "x day", "1day"] {
            assert!(parse_multi_units(text).is_err(), "{text}");
        }
    }

    #[test]
    fn unit_to_unit() {
        assert_eq!(parse_year_month("-1-2").unwrap(), -14);
        assert_eq!(parse_day_time("1 02:03:04.5", 0, 3).unwrap(), 93_784_500_000);
        assert_eq!(parse_day_time("-12:30", 1, 2).unwrap(), -45_000_000_000);
        assert!(parse_day_time("15:40", 1, 3).is_err());
        assert!(parse_day_time("1 25", 0, 1).is_err());
    }
}
