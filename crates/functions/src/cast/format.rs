//! Every type as a string, as Java prints it.

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringArray, StringBuilder};
use arrow::compute::{CastOptions, cast, cast_with_options};
use arrow::datatypes::{
    DataType as Arrow, Date32Type, Decimal128Type, DurationMicrosecondType, Float32Type, Float64Type, Int32Type,
    Int64Type, IntervalYearMonthType, Time64NanosecondType, TimestampMicrosecondType,
};
use datafusion::common::Result;
use serde::{Deserialize, Serialize};
use spark::Settings;
use spark::types::DataType;

use super::convert::{Context, Mode, no_such_cast};
use super::interval::{calendar_string, day_time_string, year_month_string};
use crate::error::fail;
use crate::families::datetime::calendar::{MICROS_PER_DAY, civil_from_days};
use crate::families::datetime::zone::Zone;
use crate::families::string::utf8::not_utf8;

/// How bytes are shown (`spark.sql.binaryOutputStyle`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum BinaryStyle {
    /// As text.
    Utf8,
    /// `[97, -1]`.
    Basic,
    /// Without padding.
    Base64,
    /// `61FF`.
    Hex,
    /// `[61 FF]`.
    HexDiscrete,
}

impl BinaryStyle {
    /// What the session asks for; Spark shows bytes by default as `[61 FF]`.
    pub fn of(settings: &Settings) -> BinaryStyle {
        let name = settings.conf.get("spark.sql.binaryOutputStyle").unwrap_or_default().to_ascii_uppercase();
        match name.as_str() {
            "UTF-8" => BinaryStyle::Utf8,
            "BASIC" => BinaryStyle::Basic,
            "BASE64" => BinaryStyle::Base64,
            "HEX" => BinaryStyle::Hex,
            _ => BinaryStyle::HexDiscrete,
        }
    }

    /// The bytes as text.
    pub fn text(self, bytes: &[u8]) -> String {
        let mut out = String::new();
        self.write(bytes, &mut out);
        out
    }

    fn write(self, bytes: &[u8], out: &mut String) {
        use base64::Engine;
        let hex = |separator: &str| bytes.iter().map(|b| format!("{b:02X}")).collect::<Vec<_>>().join(separator);
        match self {
            BinaryStyle::Utf8 => out.push_str(&String::from_utf8_lossy(bytes)),
            BinaryStyle::Basic => {
                let numbers: Vec<String> = bytes.iter().map(|b| (*b as i8).to_string()).collect();
                out.push_str(&format!("[{}]", numbers.join(", ")));
            }
            BinaryStyle::Base64 => base64::engine::general_purpose::STANDARD_NO_PAD.encode_string(bytes, out),
            BinaryStyle::Hex => out.push_str(&hex("")),
            BinaryStyle::HexDiscrete => out.push_str(&format!("[{}]", hex(" "))),
        }
    }
}

/// How values are written.
#[derive(Debug, Clone)]
pub struct Style {
    pub zone: Zone,
    /// What stands for null inside arrays, maps and structs (and for null itself, if `pretty`).
    pub null: &'static str,
    /// Decimals never have an exponent.
    pub plain_decimals: bool,
    /// `df.show`: null is a word.
    pub pretty: bool,
    pub binary: BinaryStyle,
    /// `spark.sql.legacy.castComplexTypesToString.enabled`: maps and structs in square brackets, nothing for
    /// a null inside.
    pub legacy_nesting: bool,
}

impl Style {
    /// As `CAST(… AS STRING)`.
    pub fn cast(context: &Context) -> Self {
        Style {
            zone: context.zone,
            null: if context.legacy_nesting { "" } else { "null" },
            plain_decimals: context.mode != Mode::Legacy,
            pretty: false,
            binary: BinaryStyle::Utf8,
            legacy_nesting: context.legacy_nesting,
        }
    }

    /// As `df.show`.
    pub fn pretty(zone: Zone, binary: BinaryStyle) -> Self {
        Style { zone, null: "NULL", plain_decimals: true, pretty: true, binary, legacy_nesting: false }
    }

    /// What stands around maps and structs.
    fn braces(&self) -> (char, char) {
        if self.legacy_nesting { ('[', ']') } else { ('{', '}') }
    }
}

/// Every value of an array as a string.
///
/// # Errors
/// If the type has no strings.
pub fn to_strings(array: &ArrayRef, from: &DataType, style: &Style) -> Result<ArrayRef> {
    if !style.pretty && (from.is_string() || (*from == DataType::Binary && style.binary == BinaryStyle::Utf8)) {
        return Ok(cast(&text_of_bytes(array)?, &Arrow::Utf8)?);
    }
    let writer = Writer::new(array, from, style)?;
    let mut out = StringBuilder::with_capacity(array.len(), array.len() * 8);
    let mut text = String::new();
    for row in 0..array.len() {
        if writer.is_null(row) && !style.pretty {
            out.append_null();
            continue;
        }
        text.clear();
        writer.write_or_null(row, &mut text)?;
        out.append_value(&text);
    }
    Ok(Arc::new(out.finish()))
}

/// Binary that is not UTF-8 is refused: replaced, it would be another value, and equal to others.
fn text_of_bytes(array: &ArrayRef) -> Result<ArrayRef> {
    if *array.data_type() != Arrow::Binary {
        return Ok(array.clone());
    }
    let bytes = array.as_binary::<i32>();
    match StringArray::try_from_binary(bytes.clone()) {
        Ok(text) => Ok(Arc::new(text)),
        Err(error) => match bytes.iter().flatten().find(|b| std::str::from_utf8(b).is_err()) {
            Some(bad) => fail(not_utf8(bad)),
            // What is not valid is below a null.
            None => Ok(cast_with_options(array, &Arrow::Utf8, &CastOptions { safe: true, ..Default::default() })
                .map_err(|_| error)?),
        },
    }
}

/// Writes the values of one array.
struct Writer<'a> {
    array: &'a ArrayRef,
    kind: Kind<'a>,
    style: &'a Style,
}

enum Kind<'a> {
    Null,
    Boolean,
    Integer(ArrayRef),
    Float,
    Double,
    Decimal(i8),
    Text(ArrayRef),
    Binary,
    Date,
    Timestamp,
    TimestampNtz,
    /// Instants, or wall clocks, with digits below the microsecond.
    TimestampNanos(bool),
    Time,
    YearMonth(u8, u8),
    DayTime(u8, u8),
    Calendar,
    List(Box<Writer<'a>>),
    Map(Box<Writer<'a>>, Box<Writer<'a>>),
    Struct(Vec<Writer<'a>>),
    Variant,
}

impl<'a> Writer<'a> {
    fn new(array: &'a ArrayRef, ty: &DataType, style: &'a Style) -> Result<Self> {
        use DataType as T;
        let kind = match ty {
            T::Null => Kind::Null,
            T::Boolean => Kind::Boolean,
            t if t.is_integral() => Kind::Integer(cast(array, &Arrow::Int64)?),
            T::Float => Kind::Float,
            T::Double => Kind::Double,
            T::Decimal { scale, .. } => Kind::Decimal(*scale),
            t if t.is_string() => Kind::Text(cast(array, &Arrow::Utf8)?),
            T::Binary => Kind::Binary,
            T::Date => Kind::Date,
            T::Timestamp => Kind::Timestamp,
            T::TimestampNtz => Kind::TimestampNtz,
            T::TimestampNanos { ltz, .. } => Kind::TimestampNanos(*ltz),
            T::Time(_) => Kind::Time,
            T::YearMonthInterval { start, end } => Kind::YearMonth(*start, *end),
            T::DayTimeInterval { start, end } => Kind::DayTime(*start, *end),
            T::CalendarInterval => Kind::Calendar,
            T::Array { element, .. } => {
                Kind::List(Box::new(Writer::new(array.as_list::<i32>().values(), element, style)?))
            }
            T::Map { key, value, .. } => {
                let map = array.as_map();
                Kind::Map(
                    Box::new(Writer::new(map.keys(), key, style)?),
                    Box::new(Writer::new(map.values(), value, style)?),
                )
            }
            T::Struct(s) => {
                let columns = array.as_struct().columns();
                let writers = s.fields.iter().zip(columns).map(|(f, c)| Writer::new(c, &f.data_type, style));
                Kind::Struct(writers.collect::<Result<_>>()?)
            }
            T::Variant => Kind::Variant,
            T::Udt { sql_type, .. } => return Writer::new(array, sql_type, style),
            other => return no_such_cast(other, &DataType::STRING),
        };
        Ok(Writer { array, kind, style })
    }

    fn is_null(&self, row: usize) -> bool {
        matches!(self.kind, Kind::Null) || self.array.is_null(row)
    }

    /// A value after what comes before it, which ends in a blank only where something follows.
    fn write_after(&self, before: &str, row: usize, out: &mut String) -> Result<()> {
        let empty = self.style.legacy_nesting && self.is_null(row);
        out.push_str(if empty { before.trim_end() } else { before });
        self.write_or_null(row, out)
    }

    fn write_or_null(&self, row: usize, out: &mut String) -> Result<()> {
        if self.is_null(row) {
            out.push_str(self.style.null);
            return Ok(());
        }
        self.write(row, out)
    }

    fn write(&self, row: usize, out: &mut String) -> Result<()> {
        let a = self.array;
        match &self.kind {
            Kind::Null => out.push_str(self.style.null),
            Kind::Boolean => out.push_str(if a.as_boolean().value(row) { "true" } else { "false" }),
            Kind::Integer(wide) => write_display(out, wide.as_primitive::<Int64Type>().value(row)),
            Kind::Float => out.push_str(&float_to_string(a.as_primitive::<Float32Type>().value(row))),
            Kind::Double => out.push_str(&double_to_string(a.as_primitive::<Float64Type>().value(row))),
            Kind::Decimal(scale) => {
                let unscaled = a.as_primitive::<Decimal128Type>().value(row);
                out.push_str(&decimal_string(unscaled, *scale, self.style.plain_decimals));
            }
            Kind::Text(text) => out.push_str(text.as_string::<i32>().value(row)),
            Kind::Binary => {
                let bytes = a.as_binary::<i32>().value(row);
                let exact = self.style.binary == BinaryStyle::Utf8 && !self.style.pretty;
                if exact && std::str::from_utf8(bytes).is_err() {
                    return fail(not_utf8(bytes));
                }
                self.style.binary.write(bytes, out);
            }
            Kind::Date => write_date(i64::from(a.as_primitive::<Date32Type>().value(row)), out),
            Kind::Timestamp => {
                write_timestamp(self.style.zone.to_local(a.as_primitive::<TimestampMicrosecondType>().value(row)), out);
            }
            Kind::TimestampNtz => write_timestamp(a.as_primitive::<TimestampMicrosecondType>().value(row), out),
            Kind::TimestampNanos(ltz) => {
                let count = a.as_primitive::<Decimal128Type>().value(row);
                write_timestamp_nanos(count, ltz.then_some(self.style.zone), out);
            }
            Kind::Time => write_time(a.as_primitive::<Time64NanosecondType>().value(row), out),
            Kind::YearMonth(start, end) => {
                out.push_str(&year_month_string(a.as_primitive::<IntervalYearMonthType>().value(row), *start, *end));
            }
            Kind::DayTime(start, end) => {
                out.push_str(&day_time_string(a.as_primitive::<DurationMicrosecondType>().value(row), *start, *end));
            }
            Kind::Calendar => out.push_str(&calendar_at(a, row)),
            Kind::List(values) => return self.write_list(values, row, out),
            Kind::Map(keys, values) => return self.write_map(keys, values, row, out),
            Kind::Struct(fields) => return self.write_struct(fields, row, out),
            Kind::Variant => out.push_str(&crate::families::variant::cast::text_at(a, row, self.style.zone)?),
        }
        Ok(())
    }

    fn write_list(&self, values: &Writer, row: usize, out: &mut String) -> Result<()> {
        let offsets = self.array.as_list::<i32>().value_offsets();
        let (start, end) = (offsets[row] as usize, offsets[row + 1] as usize);
        out.push('[');
        for i in start..end {
            values.write_after(if i > start { ", " } else { "" }, i, out)?;
        }
        out.push(']');
        Ok(())
    }

    fn write_map(&self, keys: &Writer, values: &Writer, row: usize, out: &mut String) -> Result<()> {
        let offsets = self.array.as_map().value_offsets();
        let (start, end) = (offsets[row] as usize, offsets[row + 1] as usize);
        let (open, close) = self.style.braces();
        out.push(open);
        for i in start..end {
            keys.write_after(if i > start { ", " } else { "" }, i, out)?;
            values.write_after(" -> ", i, out)?;
        }
        out.push(close);
        Ok(())
    }

    fn write_struct(&self, fields: &[Writer], row: usize, out: &mut String) -> Result<()> {
        let (open, close) = self.style.braces();
        out.push(open);
        for (i, field) in fields.iter().enumerate() {
            field.write_after(if i > 0 { ", " } else { "" }, row, out)?;
        }
        out.push(close);
        Ok(())
    }
}

fn write_display(out: &mut String, value: impl std::fmt::Display) {
    // Writing to a string cannot fail.
    let _ = write!(out, "{value}");
}

fn calendar_at(array: &ArrayRef, row: usize) -> String {
    let parts = array.as_struct();
    calendar_string(
        parts.column(0).as_primitive::<Int32Type>().value(row),
        parts.column(1).as_primitive::<Int32Type>().value(row),
        parts.column(2).as_primitive::<Int64Type>().value(row),
    )
}

/// A string as an SQL literal.
pub fn quoted(s: &str) -> String {
    format!("'{}'", s.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// A double as Java's `Double.toString` prints it.
pub fn double_to_string(v: f64) -> String {
    if v.is_nan() {
        return "NaN".into();
    }
    if v.is_infinite() {
        return if v > 0.0 { "Infinity".into() } else { "-Infinity".into() };
    }
    let shortest = whole_digits(v, 53).unwrap_or_else(|| two_digits(format!("{v:e}"), || format!("{v:.1e}")));
    java_float(&shortest, v == 0.0, v.is_sign_negative())
}

/// The digits of a whole number that has more bits than the type's `significant` ones: Java drops only the
/// digits that these bits say nothing about, which may leave more than needed. `None` for other numbers.
fn whole_digits(v: f64, significant: i32) -> Option<String> {
    let size = v.abs();
    if v.fract() != 0.0 || !(1.0..9.223_372_036_854_776e18).contains(&size) {
        return None;
    }
    let whole = size as u64;
    let exponent = 63 - whole.leading_zeros() as i32;
    if exponent < significant {
        return None;
    }
    let unknown = (f64::from((exponent - significant - 1).max(0)) * std::f64::consts::LOG10_2).floor() as u32;
    let unit = 10_u64.pow(unknown);
    let kept = (whole / unit + u64::from(unknown > 0 && whole % unit >= unit / 2)) * unit;
    let digits = kept.to_string();
    let (first, rest) = digits.split_at(1);
    let rest = rest.trim_end_matches('0');
    let sign = if v < 0.0 { "-" } else { "" };
    Some(format!("{sign}{first}.{}e{}", if rest.is_empty() { "0" } else { rest }, digits.len() - 1))
}

/// A float as Java's `Float.toString` prints it.
pub fn float_to_string(v: f32) -> String {
    if v.is_nan() {
        return "NaN".into();
    }
    if v.is_infinite() {
        return if v > 0.0 { "Infinity".into() } else { "-Infinity".into() };
    }
    let shortest =
        whole_digits(f64::from(v), 24).unwrap_or_else(|| two_digits(format!("{v:e}"), || format!("{v:.1e}")));
    java_float(&shortest, v == 0.0, v.is_sign_negative())
}

/// Java never prints fewer than two digits, and then the nearest two.
fn two_digits(shortest: String, with_two: impl Fn() -> String) -> String {
    if shortest.contains('.') { shortest } else { with_two() }
}

/// Turns `d.ddde±x` into Java's form: plain from 0.001 up to ten million, else with an exponent.
fn java_float(scientific: &str, is_zero: bool, negative: bool) -> String {
    if is_zero {
        return if negative { "-0.0".into() } else { "0.0".into() };
    }
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |m| ("-", m));
    if !(-3..7).contains(&exponent) {
        return format!("{sign}{mantissa}E{exponent}");
    }
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let digits = if mantissa.ends_with(".0") { &digits[..1] } else { digits.as_str() };
    if exponent < 0 {
        return format!("{sign}0.{}{digits}", "0".repeat((-exponent - 1) as usize));
    }
    let whole = exponent as usize + 1;
    if digits.len() <= whole {
        return format!("{sign}{digits}{}.0", "0".repeat(whole - digits.len()));
    }
    format!("{sign}{}.{}", &digits[..whole], &digits[whole..])
}

/// A decimal as Java's `BigDecimal` prints it, `plain` without an exponent.
pub fn decimal_string(unscaled: i128, scale: i8, plain: bool) -> String {
    let digits = unscaled.unsigned_abs().to_string();
    let sign = if unscaled < 0 { "-" } else { "" };
    let scale = i32::from(scale);
    let adjusted = digits.len() as i32 - 1 - scale;
    if !plain && (scale < 0 || adjusted < -6) {
        let (first, rest) = digits.split_at(1);
        let point = if rest.is_empty() { String::new() } else { format!(".{rest}") };
        return format!("{sign}{first}{point}E{adjusted:+}");
    }
    if scale <= 0 {
        let zeros = if unscaled == 0 { 0 } else { scale.unsigned_abs() as usize };
        return format!("{sign}{digits}{}", "0".repeat(zeros));
    }
    let scale = scale as usize;
    let digits = format!("{digits:0>width$}", width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    format!("{sign}{whole}.{fraction}")
}

/// Days since the epoch as `yyyy-MM-dd`.
pub fn date_to_string(days: i32) -> String {
    let mut out = String::with_capacity(10);
    write_date(i64::from(days), &mut out);
    out
}

fn write_date(days: i64, out: &mut String) {
    let date = civil_from_days(days);
    // More than four digits need a sign.
    let year = match date.year {
        y if y > 9999 => format!("+{y}"),
        y if y < 0 => format!("-{:04}", -y),
        y => format!("{y:04}"),
    };
    write_display(out, format_args!("{year}-{:02}-{:02}", date.month, date.day));
}

/// Microseconds since the epoch as `yyyy-MM-dd HH:mm:ss[.ffffff]` in `zone`.
pub fn timestamp_to_string(micros: i64, zone: Zone) -> String {
    timestamp_ntz_to_string(zone.to_local(micros))
}

/// Microseconds of a wall clock as `yyyy-MM-dd HH:mm:ss[.ffffff]`.
pub fn timestamp_ntz_to_string(local: i64) -> String {
    let mut out = String::with_capacity(26);
    write_timestamp(local, &mut out);
    out
}

fn write_timestamp(local: i64, out: &mut String) {
    write_date(local.div_euclid(MICROS_PER_DAY), out);
    out.push(' ');
    write_time(local.rem_euclid(MICROS_PER_DAY) * 1000, out);
}

/// A count of nanoseconds, on the clock of `zone` if it is an instant, as `yyyy-MM-dd HH:mm:ss[.fffffffff]`.
pub fn timestamp_nanos_to_string(count: i128, zone: Option<Zone>) -> String {
    let mut out = String::with_capacity(29);
    write_timestamp_nanos(count, zone, &mut out);
    out
}

fn write_timestamp_nanos(count: i128, zone: Option<Zone>, out: &mut String) {
    let (micros, below) = crate::nanos::split(count);
    let local = zone.map_or(micros, |zone| zone.to_local(micros));
    write_date(local.div_euclid(MICROS_PER_DAY), out);
    out.push(' ');
    write_time(local.rem_euclid(MICROS_PER_DAY) * 1000 + below, out);
}

/// Nanoseconds since midnight as `HH:mm:ss[.ffffff]`.
pub fn time_to_string(nanos: i64) -> String {
    let mut out = String::with_capacity(15);
    write_time(nanos, &mut out);
    out
}

fn write_time(nanos: i64, out: &mut String) {
    let seconds = nanos / 1_000_000_000;
    write_display(out, format_args!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60));
    let fraction = nanos % 1_000_000_000;
    if fraction != 0 {
        let digits = format!("{fraction:09}");
        out.push('.');
        out.push_str(digits.trim_end_matches('0'));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles() {
        for (v, expected) in [
            (1.0, "1.0"),
            (1e10, "1.0E10"),
            (1.0e-5, "1.0E-5"),
            (-1.0e-10, "-1.0E-10"),
            (1.0e7, "1.0E7"),
            (9_999_999.0, "9999999.0"),
            (123_456_789.0, "1.23456789E8"),
            (0.001, "0.001"),
            (0.00123, "0.00123"),
            (100.5, "100.5"),
            (-0.0, "-0.0"),
            (4.9e-324, "4.9E-324"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(double_to_string(v), expected);
        }
        assert_eq!(float_to_string(100_000.0), "100000.0");
        assert_eq!(float_to_string(1.5), "1.5");
        assert_eq!(float_to_string(3.402_823_5e38), "3.4028235E38");
    }

    #[test]
    fn decimals() {
        for (v, scale, plain, scientific) in [
            (10, 8, "0.00000010", "1.0E-7"),
            (0, 8, "0.00000000", "0E-8"),
            (0, 2, "0.00", "0.00"),
            (12300, 2, "123.00", "123.00"),
            (-12, 8, "-0.00000012", "-1.2E-7"),
            (1, 0, "1", "1"),
        ] {
            assert_eq!(decimal_string(v, scale, true), plain);
            assert_eq!(decimal_string(v, scale, false), scientific);
        }
    }

    #[test]
    fn datetimes() {
        assert_eq!(date_to_string(2_932_897), "+10000-01-01");
        assert_eq!(date_to_string(-719_529), "-0001-12-31");
        assert_eq!(timestamp_ntz_to_string(500_000), "1970-01-01 00:00:00.5");
    }
}
