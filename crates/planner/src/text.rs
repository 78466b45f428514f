//! Values as Spark prints them: in `show()`, and in files of text.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{
    Date32Type, Decimal128Type, DurationMicrosecondType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, IntervalYearMonthType, Time64NanosecondType, TimestampMicrosecondType,
};
use functions::cast::format::{self, BinaryStyle};
use functions::families::datetime::zone;
use functions::families::variant::cast::json_at;
use spark::types::DataType;
use sql::Zone;

const MICROS_PER_SECOND: i64 = 1_000_000;
const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND;

/// How a null is shown.
const NULL: &str = "NULL";

/// Prints values of canonical Arrow columns.
#[derive(Debug, Clone, Copy)]
pub struct Printer {
    zone: Zone,
    /// The same zone, for what the kernels print.
    kernels: zone::Zone,
    binary: BinaryStyle,
}

impl Printer {
    /// A printer for a session's time zone; the zone was checked when it was set.
    pub fn new(time_zone: &str) -> Self {
        let zone = Zone::parse(time_zone).unwrap_or(Zone::Fixed(0));
        let kernels = zone::Zone::parse(time_zone).unwrap_or(zone::Zone::Fixed(0));
        Printer { zone, kernels, binary: BinaryStyle::HexDiscrete }
    }

    /// A printer that shows bytes as the session asks.
    pub fn with_binary(self, binary: BinaryStyle) -> Self {
        Printer { binary, ..self }
    }

    /// The value at `row`.
    pub fn cell(&self, array: &ArrayRef, row: usize, ty: &DataType) -> String {
        if array.is_null(row) || array.data_type() == &arrow::datatypes::DataType::Null {
            return NULL.to_string();
        }
        match ty {
            DataType::Null => NULL.to_string(),
            DataType::Boolean => array.as_boolean().value(row).to_string(),
            DataType::Byte => array.as_primitive::<Int8Type>().value(row).to_string(),
            DataType::Short => array.as_primitive::<Int16Type>().value(row).to_string(),
            DataType::Integer => array.as_primitive::<Int32Type>().value(row).to_string(),
            DataType::Long => array.as_primitive::<Int64Type>().value(row).to_string(),
            DataType::Float => float_text(array.as_primitive::<Float32Type>().value(row)),
            DataType::Double => double_text(array.as_primitive::<Float64Type>().value(row)),
            DataType::Decimal { scale, .. } => decimal_text(array.as_primitive::<Decimal128Type>().value(row), *scale),
            DataType::String { .. } | DataType::Char(_) | DataType::Varchar(_) => {
                array.as_string::<i32>().value(row).to_string()
            }
            DataType::Binary => self.binary.text(array.as_binary::<i32>().value(row)),
            DataType::Date => date_text(array.as_primitive::<Date32Type>().value(row).into()),
            DataType::Timestamp => self.instant_text(array.as_primitive::<TimestampMicrosecondType>().value(row)),
            DataType::TimestampNtz => timestamp_text(array.as_primitive::<TimestampMicrosecondType>().value(row)),
            DataType::TimestampNanos { ltz, .. } => {
                let count = array.as_primitive::<Decimal128Type>().value(row);
                format::timestamp_nanos_to_string(count, ltz.then_some(self.kernels))
            }
            DataType::Time(_) => time_text(array.as_primitive::<Time64NanosecondType>().value(row)),
            DataType::YearMonthInterval { start, end } => {
                year_month_text(array.as_primitive::<IntervalYearMonthType>().value(row), *start, *end)
            }
            DataType::DayTimeInterval { start, end } => {
                day_time_text(array.as_primitive::<DurationMicrosecondType>().value(row), *start, *end)
            }
            DataType::CalendarInterval => calendar_text(array, row),
            DataType::Array { .. } | DataType::Map { .. } | DataType::Struct(_) => self.nested(array, row, ty),
            DataType::Udt { sql_type, .. } => self.cell(array, row, sql_type),
            DataType::Variant => json_at(array, row, self.kernels).unwrap_or_else(|_| NULL.to_string()),
            DataType::Geometry(_) | DataType::Geography(_) => generic(array, row),
        }
    }

    fn nested(&self, array: &ArrayRef, row: usize, ty: &DataType) -> String {
        match ty {
            DataType::Array { element, .. } => {
                let values = array.as_list::<i32>().value(row);
                let shown: Vec<String> = (0..values.len()).map(|i| self.cell(&values, i, element)).collect();
                format!("[{}]", shown.join(", "))
            }
            DataType::Map { key, value, .. } => {
                let entries = array.as_map().value(row);
                let shown: Vec<String> = (0..entries.len())
                    .map(|i| {
                        format!(
                            "{} -> {}",
                            self.cell(entries.column(0), i, key),
                            self.cell(entries.column(1), i, value)
                        )
                    })
                    .collect();
                format!("{{{}}}", shown.join(", "))
            }
            DataType::Struct(s) => {
                let parts = array.as_struct();
                let shown: Vec<String> =
                    s.fields.iter().zip(parts.columns()).map(|(f, c)| self.cell(c, row, &f.data_type)).collect();
                format!("{{{}}}", shown.join(", "))
            }
            _ => generic(array, row),
        }
    }

    /// An instant on the session's wall clock.
    pub fn instant_text(&self, micros: i64) -> String {
        let offset = self.zone.offset_at(micros).unwrap_or(0);
        timestamp_text(micros.saturating_add(i64::from(offset) * MICROS_PER_SECOND))
    }
}

fn generic(array: &ArrayRef, row: usize) -> String {
    arrow::util::display::array_value_to_string(array, row).unwrap_or_else(|_| NULL.to_string())
}

/// As Java prints a `double`.
pub fn double_text(value: f64) -> String {
    if value.is_nan() {
        "NaN".into()
    } else if value.is_infinite() {
        if value > 0.0 { "Infinity".into() } else { "-Infinity".into() }
    } else {
        java_float(&format!("{value:e}"), value.abs())
    }
}

/// As Java prints a `float`.
pub fn float_text(value: f32) -> String {
    if value.is_finite() {
        java_float(&format!("{value:e}"), f64::from(value.abs()))
    } else {
        double_text(value.into())
    }
}

/// Lays out `d.ddde±n` as Java does: plain between 10^-3 and 10^7, else with `E`.
fn java_float(scientific: &str, magnitude: f64) -> String {
    let Some((mantissa, exponent)) = scientific.split_once('e') else { return scientific.to_string() };
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |m| ("-", m));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let digits: String = mantissa.chars().filter(|c| *c != '.').collect();
    if magnitude == 0.0 {
        return format!("{sign}0.0");
    }
    if !(1e-3..1e7).contains(&magnitude) {
        let rest = if digits.len() > 1 { &digits[1..] } else { "0" };
        return format!("{sign}{}.{rest}E{exponent}", &digits[..1]);
    }
    if exponent < 0 {
        return format!("{sign}0.{}{digits}", "0".repeat((-exponent - 1) as usize));
    }
    let whole = exponent as usize + 1;
    if digits.len() <= whole {
        format!("{sign}{digits}{}.0", "0".repeat(whole - digits.len()))
    } else {
        format!("{sign}{}.{}", &digits[..whole], &digits[whole..])
    }
}

/// A decimal without an exponent.
pub fn decimal_text(unscaled: i128, scale: i8) -> String {
    if scale <= 0 {
        let zeros = if unscaled == 0 { 0 } else { usize::from(scale.unsigned_abs()) };
        return format!("{unscaled}{}", "0".repeat(zeros));
    }
    let scale = scale as usize;
    let sign = if unscaled < 0 { "-" } else { "" };
    let digits = format!("{:0width$}", unscaled.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    format!("{sign}{whole}.{fraction}")
}

/// A date of the proleptic Gregorian calendar.
pub fn date_text(days: i64) -> String {
    let (year, month, day) = civil(days);
    let year = match year {
        0..=9999 => format!("{year:04}"),
        10_000.. => format!("+{year}"),
        _ => format!("-{:04}", -year),
    };
    format!("{year}-{month:02}-{day:02}")
}

/// Year, month and day of a number of days since 1970-01-01.
fn civil(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    (yoe + era * 400 + i64::from(month <= 2), month, doy - (153 * mp + 2) / 5 + 1)
}

/// A wall clock time; trailing zeros of the fraction are left out.
pub fn timestamp_text(micros: i64) -> String {
    let days = micros.div_euclid(MICROS_PER_DAY);
    format!("{} {}", date_text(days), clock(micros.rem_euclid(MICROS_PER_DAY), 6))
}

fn time_text(nanos: i64) -> String {
    clock(nanos, 9)
}

/// `HH:mm:ss[.fraction]` of units of 10^-`digits` seconds.
fn clock(units: i64, digits: u32) -> String {
    let per_second = 10i64.pow(digits);
    let (seconds, fraction) = (units / per_second, units % per_second);
    let text = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    if fraction == 0 {
        return text;
    }
    let fraction = format!("{fraction:0width$}", width = digits as usize);
    format!("{text}.{}", fraction.trim_end_matches('0'))
}

fn year_month_text(months: i32, start: u8, end: u8) -> String {
    let sign = if months < 0 { "-" } else { "" };
    let months = months.unsigned_abs();
    match (start, end) {
        (0, 0) => format!("INTERVAL '{sign}{}' YEAR", months / 12),
        (1, 1) => format!("INTERVAL '{sign}{months}' MONTH"),
        _ => format!("INTERVAL '{sign}{}-{}' YEAR TO MONTH", months / 12, months % 12),
    }
}

fn day_time_text(micros: i64, start: u8, end: u8) -> String {
    const NAMES: [&str; 4] = ["DAY", "HOUR", "MINUTE", "SECOND"];
    const SIZES: [u64; 4] = [86_400_000_000, 3_600_000_000, 60_000_000, 1_000_000];
    let sign = if micros < 0 { "-" } else { "" };
    let (start, end) = (usize::from(start.min(3)), usize::from(end.min(3)));
    let mut rest = micros.unsigned_abs();
    let mut text = String::new();
    for (field, size) in SIZES.iter().enumerate().take(end + 1).skip(start) {
        if field > start {
            text.push(if field == 1 { ' ' } else { ':' });
        }
        let value = rest / size;
        rest %= size;
        text.push_str(&if field == 0 { value.to_string() } else { format!("{value:02}") });
    }
    if end == 3 && rest > 0 {
        text.push('.');
        text.push_str(format!("{rest:06}").trim_end_matches('0'));
    }
    let unit = if start == end { NAMES[start].to_string() } else { format!("{} TO {}", NAMES[start], NAMES[end]) };
    format!("INTERVAL '{sign}{text}' {unit}")
}

fn calendar_text(array: &ArrayRef, row: usize) -> String {
    let parts = array.as_struct();
    let months = parts.column(0).as_primitive::<Int32Type>().value(row);
    let days = parts.column(1).as_primitive::<Int32Type>().value(row);
    let micros = parts.column(2).as_primitive::<Int64Type>().value(row);
    let mut out: Vec<String> = Vec::new();
    let mut unit = |value: i64, name: &str| {
        if value != 0 {
            out.push(format!("{value} {name}"));
        }
    };
    unit(i64::from(months / 12), "years");
    unit(i64::from(months % 12), "months");
    unit(i64::from(days), "days");
    unit(micros / 3_600_000_000, "hours");
    unit(micros / 60_000_000 % 60, "minutes");
    let rest = micros % 60_000_000;
    if rest != 0 {
        let sign = if rest < 0 { "-" } else { "" };
        let (seconds, fraction) = (rest.abs() / MICROS_PER_SECOND, rest.abs() % MICROS_PER_SECOND);
        let fraction =
            if fraction == 0 { String::new() } else { format!(".{}", format!("{fraction:06}").trim_end_matches('0')) };
        out.push(format!("{sign}{seconds}{fraction} seconds"));
    }
    if out.is_empty() { "0 seconds".into() } else { out.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_print_as_in_java() {
        for (value, expect) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (1.5e10, "1.5E10"),
            (1e7, "1.0E7"),
            (9_999_999.0, "9999999.0"),
            (0.001, "0.001"),
            (0.00012, "1.2E-4"),
            (123.456, "123.456"),
            (f64::NAN, "NaN"),
            (-1e-300, "-1.0E-300"),
        ] {
            assert_eq!(double_text(value), expect);
        }
        assert_eq!(float_text(0.1), "0.1");
    }

    #[test]
    fn decimals_dates_and_times() {
        for (unscaled, scale, expect) in [(110, 2, "1.10"), (-5, 3, "-0.005"), (12, 0, "12"), (12, -2, "1200")] {
            assert_eq!(decimal_text(unscaled, scale), expect);
        }
        for (days, expect) in [
            (0, "1970-01-01"),
            (-1, "1969-12-31"),
            (18_262, "2020-01-01"),
            (-719_529, "-0001-12-31"),
            (2_932_897, "+10000-01-01"),
        ] {
            assert_eq!(date_text(days), expect, "{days}");
        }
        assert_eq!(timestamp_text(120_000), "1970-01-01 00:00:00.12");
        assert_eq!(timestamp_text(-1), "1969-12-31 23:59:59.999999");
    }

    #[test]
    fn intervals() {
        for (micros, start, end, expect) in [
            (86_400_000_000, 0, 0, "INTERVAL '1' DAY"),
            (-3_723_500_000, 0, 3, "INTERVAL '-0 01:02:03.5' DAY TO SECOND"),
            (3_600_000_000, 1, 1, "INTERVAL '01' HOUR"),
        ] {
            assert_eq!(day_time_text(micros, start, end), expect);
        }
        assert_eq!(year_month_text(-14, 0, 1), "INTERVAL '-1-2' YEAR TO MONTH");
    }
}
