//! Single values: read from text by the rules of casts, shown as Java shows them.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray};
use datafusion::common::Result;
use spark::types::DataType;

use super::cells::{Cells, range};
use super::datum::Datum;
use super::number::{decimal_digits, rescale, write_decimal, write_double, write_float};
use super::stamp::Stamps;
use crate::cast::convert::{Context, Mode, convert};
use crate::cast::{format, interval};

/// The text as a value of `ty` by the rules of `try_cast`; for types that are rare in text data.
pub fn cast_text(text: &str, ty: &DataType, zone: &str) -> Option<Datum> {
    let context = Context::new(Mode::Try, zone).ok()?;
    let array: ArrayRef = Arc::new(StringArray::from(vec![text]));
    let array = convert(&array, &DataType::STRING, ty, &context).ok()?;
    let cells = Cells::new(&array, ty).ok()?;
    datum(&cells, 0).filter(|d| *d != Datum::Null)
}

/// Integers, decimals, dates and timestamps as CSV and XML read them; `None` if the text is none.
pub fn parse_simple(text: &str, ty: &DataType, stamps: &Stamps) -> Option<Datum> {
    match ty {
        DataType::Byte => text.parse::<i8>().ok().map(|v| Datum::Int(v.into())),
        DataType::Short => text.parse::<i16>().ok().map(|v| Datum::Int(v.into())),
        DataType::Integer => text.parse::<i32>().ok().map(|v| Datum::Int(v.into())),
        DataType::Long => text.parse::<i64>().ok().map(Datum::Int),
        DataType::Decimal { precision, scale } => {
            let (digits, exponent) = decimal_digits(&stamps.locale.plain_number(text)?)?;
            rescale(&digits, exponent, *precision, *scale).map(Datum::Decimal)
        }
        DataType::Date => stamps.parse_date(text).map(|d| Datum::Int(d.into())),
        DataType::Timestamp => stamps.parse_timestamp(text).map(Datum::Int),
        DataType::TimestampNtz => stamps.parse_timestamp_ntz(text).map(Datum::Int),
        DataType::TimestampNanos { ltz, .. } => stamps.parse_nanos(text, *ltz).map(Datum::Decimal),
        _ => None,
    }
}

/// The value of `row`, if it is of a simple type.
pub fn datum(cells: &Cells, row: usize) -> Option<Datum> {
    if cells.is_null(row) {
        return Some(Datum::Null);
    }
    Some(match cells {
        Cells::Bool(a) => Datum::Bool(a.value(row)),
        Cells::Int(a, _) => Datum::Int(a.value(row)),
        Cells::Float(a) => Datum::Float(f64::from(a.value(row))),
        Cells::Double(a) => Datum::Float(a.value(row)),
        Cells::Decimal(a, ..) => Datum::Decimal(a.value(row)),
        Cells::Text(a) => Datum::Text(a.value(row).to_string()),
        Cells::Bytes(a) => Datum::Bytes(a.value(row).to_vec()),
        Cells::Date(a) => Datum::Int(i64::from(a.value(row))),
        Cells::Timestamp(a) | Cells::TimestampNtz(a) => Datum::Int(a.value(row)),
        Cells::TimestampNanos(a, _) => Datum::Decimal(a.value(row)),
        Cells::Time(a, _) => Datum::Int(a.value(row)),
        Cells::YearMonth(a, ..) => Datum::Int(i64::from(a.value(row))),
        Cells::DayTime(a, ..) => Datum::Int(a.value(row)),
        Cells::Calendar(_, m, d, u) => Datum::Calendar(m.value(row), d.value(row), u.value(row)),
        _ => return None,
    })
}

/// Times of day and intervals as casts to strings write them.
///
/// # Errors
/// For values that have no text.
pub fn text(cells: &Cells, row: usize) -> Result<String> {
    Ok(match cells {
        Cells::Time(a, _) => format::time_to_string(a.value(row)),
        Cells::YearMonth(a, start, end) => interval::year_month_string(a.value(row), *start, *end),
        Cells::DayTime(a, start, end) => interval::day_time_string(a.value(row), *start, *end),
        Cells::Calendar(_, m, d, u) => interval::calendar_string(m.value(row), d.value(row), u.value(row)),
        _ => return datafusion::common::internal_err!("a value has no text form here"),
    })
}

/// A value as Java's `toString` shows what Spark keeps internally: dates are day numbers, rows and
/// arrays are in brackets.
///
/// # Errors
/// For values that have no text.
pub fn write_java(cells: &Cells, row: usize, out: &mut String) -> Result<()> {
    if cells.is_null(row) {
        out.push_str("null");
        return Ok(());
    }
    match cells {
        Cells::Null => out.push_str("null"),
        Cells::Bool(a) => out.push_str(if a.value(row) { "true" } else { "false" }),
        Cells::Int(a, _) => out.push_str(&a.value(row).to_string()),
        Cells::Float(a) => write_float(a.value(row), out),
        Cells::Double(a) => write_double(a.value(row), out),
        Cells::Decimal(a, _, scale) => write_decimal(a.value(row), *scale, out),
        Cells::Text(a) => out.push_str(a.value(row)),
        Cells::Bytes(a) => out.push_str(&String::from_utf8_lossy(a.value(row))),
        Cells::Date(a) => out.push_str(&a.value(row).to_string()),
        Cells::Timestamp(a) | Cells::TimestampNtz(a) => out.push_str(&a.value(row).to_string()),
        Cells::TimestampNanos(a, _) => {
            let (micros, below) = crate::nanos::split(a.value(row));
            out.push_str(&format!("TimestampNanosVal({micros}, {below})"));
        }
        Cells::Time(a, _) => out.push_str(&a.value(row).to_string()),
        Cells::YearMonth(a, ..) => out.push_str(&a.value(row).to_string()),
        Cells::DayTime(a, ..) => out.push_str(&a.value(row).to_string()),
        Cells::Calendar(..) => out.push_str(&text(cells, row)?),
        Cells::List(list, items) => java_list(range(list.value_offsets(), row), items, out)?,
        Cells::Map(map, keys, values) => {
            let entries = range(map.value_offsets(), row);
            out.push_str("keys: ");
            java_list(entries.clone(), keys, out)?;
            out.push_str(", values: ");
            java_list(entries, values, out)?;
        }
        Cells::Row(_, fields) => {
            out.push('[');
            for (i, (_, cells)) in fields.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_java(cells, row, out)?;
            }
            out.push(']');
        }
        Cells::Variant(_, value, metadata) => crate::families::variant::write_json(
            value.value(row),
            metadata.value(row),
            crate::families::datetime::zone::Zone::Fixed(0),
            out,
        )?,
    }
    Ok(())
}

fn java_list(range: std::ops::Range<usize>, items: &Cells, out: &mut String) -> Result<()> {
    out.push('[');
    let start = range.start;
    for i in range {
        if i > start {
            out.push(',');
        }
        write_java(items, i, out)?;
    }
    out.push(']');
    Ok(())
}

/// A partly converted record as errors show it.
pub fn show(datum: &Datum) -> String {
    let list = |all: &mut dyn Iterator<Item = String>| format!("[{}]", all.collect::<Vec<_>>().join(","));
    match datum {
        Datum::Null => "null".into(),
        Datum::Bool(v) => v.to_string(),
        Datum::Int(v) => v.to_string(),
        Datum::Float(v) => format::double_to_string(*v),
        Datum::Decimal(v) => v.to_string(),
        Datum::Text(v) => v.clone(),
        Datum::Bytes(v) => String::from_utf8_lossy(v).into_owned(),
        Datum::Calendar(m, d, u) => interval::calendar_string(*m, *d, *u),
        Datum::List(all) | Datum::Row(all) => list(&mut all.iter().map(show)),
        Datum::Map(all) => {
            let keys = list(&mut all.iter().map(|(k, _)| show(k)));
            let values = list(&mut all.iter().map(|(_, v)| show(v)));
            format!("keys: {keys}, values: {values}")
        }
        Datum::Variant { .. } => "variant".into(),
    }
}
