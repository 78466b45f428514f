//! JSON records as rows.

use serde::{Deserialize, Serialize};
use spark::Result;
use spark::types::{DataType, StructType};

use super::builder::{Builders, ColumnBuilder, Scalar};
use super::json_text::{self, Json as Value, Leniency};
use super::values::{Readers, decimal, grouped_decimal};
use super::{RowFormat, malformed, single};
use crate::source::Options;

/// How JSON is read.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Json {
    leniency: Leniency,
    pub primitives_as_string: bool,
    pub prefers_decimal: bool,
    pub infer_timestamp: bool,
    pub drop_all_null: bool,
}

impl Json {
    pub fn new(o: &Options) -> Result<Self> {
        Ok(Json {
            leniency: Leniency {
                single_quotes: o.bool("allowSingleQuotes", true)?,
                unquoted_names: o.bool("allowUnquotedFieldNames", false)?,
                comments: o.bool("allowComments", false)?,
                non_numeric: o.bool("allowNonNumericNumbers", true)?,
                leading_zeros: o.bool("allowNumericLeadingZeros", false)?,
                any_escape: o.bool("allowBackslashEscapingAnyCharacter", false)?,
                control_chars: o.bool("allowUnquotedControlChars", false)?,
            },
            primitives_as_string: o.bool("primitivesAsString", false)?,
            prefers_decimal: o.bool("prefersDecimal", false)?,
            infer_timestamp: o.bool("inferTimestamp", false)?,
            drop_all_null: o.bool("dropFieldIfAllNull", false)?,
        })
    }

    /// The objects of a record: one, or those of an array; `None` if it is malformed. A record is its first
    /// value, whatever follows that.
    pub(super) fn objects(&self, record: &str) -> Option<Vec<Value>> {
        match json_text::parse_first(record, self.leniency)? {
            Some(Value::Array(values, _)) => Some(values),
            first => Some(first.into_iter().collect()),
        }
    }

    pub(super) fn read(&self, format: &RowFormat, record: &str, out: &mut Builders) -> Result<()> {
        if record.trim().is_empty() {
            return Ok(());
        }
        if format.single_variant.is_some() {
            return single::row(format, record, functions::families::variant::of_json(record), true, out);
        }
        let Some(objects) = self.objects(record) else {
            return bad_row(format, record, out);
        };
        for object in objects {
            match object {
                Value::Object(fields, _) => self.row(format, record, &fields, out)?,
                Value::Null => {}
                _ => bad_row(format, record, out)?,
            }
        }
        Ok(())
    }

    fn row(&self, format: &RowFormat, record: &str, fields: &[(String, Value)], out: &mut Builders) -> Result<()> {
        let find = |name: &str| fields.iter().rev().find(|(k, _)| k == name).map(|(_, v)| v);
        let bad = out.fields.iter().any(|&i| {
            let field = &format.schema.fields[i];
            find(&field.name).is_some_and(|v| !fits(v, &field.data_type, &format.readers))
        });
        if bad && !malformed(format, record)? {
            return Ok(());
        }
        for ((column, &i), absent) in out.columns.iter_mut().zip(&out.fields).zip(&out.absent) {
            let field = &format.schema.fields[i];
            match find(&field.name) {
                _ if field.name == format.corrupt_column && bad => column.append_string(record),
                Some(value) => append(column, value, &field.data_type, (&format.readers, record)),
                None if *absent == Scalar::Null => column.append_null(),
                None => column.append(absent.clone()),
            }
        }
        out.rows += 1;
        Ok(())
    }
}

/// A row of nulls with the record in the corrupt column.
pub(super) fn bad_row(format: &RowFormat, record: &str, out: &mut Builders) -> Result<()> {
    if !malformed(format, record)? {
        return Ok(());
    }
    for (column, &i) in out.columns.iter_mut().zip(&out.fields) {
        if format.schema.fields[i].name == format.corrupt_column {
            column.append_string(record)
        } else {
            column.append_null()
        }
    }
    out.rows += 1;
    Ok(())
}

/// Whether the value has a form as `ty`.
fn fits(value: &Value, ty: &DataType, readers: &Readers) -> bool {
    match (value, ty) {
        (Value::Null, _) | (_, DataType::Variant) => true,
        (Value::Array(values, _), DataType::Array { element, .. }) => values.iter().all(|v| fits(v, element, readers)),
        (Value::Object(fields, _), DataType::Map { value, .. }) => fields.iter().all(|(_, v)| fits(v, value, readers)),
        (Value::Object(fields, _), DataType::Struct(s)) => fields_fit(fields, s, readers),
        (v, ty) if ty.is_complex() => matches!(v, Value::Null),
        (_, ty) if ty.is_string() => true,
        (v, ty) => scalar(v, ty, readers, "").is_some(),
    }
}

fn fields_fit(fields: &[(String, Value)], s: &StructType, readers: &Readers) -> bool {
    s.fields.iter().all(|f| fields.iter().filter(|(k, _)| *k == f.name).all(|(_, v)| fits(v, &f.data_type, readers)))
}

/// Adds a value of a record to a column; what does not fit is null.
pub fn append(column: &mut ColumnBuilder, value: &Value, ty: &DataType, (readers, record): (&Readers, &str)) {
    match (value, ty) {
        (value, DataType::Variant) => match functions::families::variant::of_json(&value.compact()) {
            Some(encoded) => column.append_struct(|columns| {
                for (column, bytes) in columns.iter_mut().zip(<[Vec<u8>; 2]>::from(encoded)) {
                    column.append(Scalar::Bytes(bytes));
                }
            }),
            None => column.append_null(),
        },
        (Value::Array(values, _), DataType::Array { .. }) => column.append_list(|inner, element| {
            values.iter().for_each(|v| append(inner, v, element, (readers, record)));
            values.len()
        }),
        (Value::Object(fields, _), DataType::Map { .. }) => column.append_map(|keys, values, types| {
            for (k, v) in fields {
                keys.append(readers.value(k, &types.0).unwrap_or(Scalar::Null));
                append(values, v, &types.1, (readers, record));
            }
            fields.len()
        }),
        (Value::Object(fields, _), DataType::Struct(s)) => column.append_struct(|columns| {
            for (column, field) in columns.iter_mut().zip(&s.fields) {
                match fields.iter().rev().find(|(k, _)| *k == field.name) {
                    Some((_, v)) => append(column, v, &field.data_type, (readers, record)),
                    None => column.append_null(),
                }
            }
        }),
        (v, ty) if !ty.is_complex() => column.append(scalar(v, ty, readers, record).unwrap_or(Scalar::Null)),
        _ => column.append_null(),
    }
}

fn scalar(value: &Value, ty: &DataType, readers: &Readers, record: &str) -> Option<Scalar> {
    match (value, ty) {
        (Value::Null, _) => Some(Scalar::Null),
        (Value::String(text), t) if t.is_string() => Some(Scalar::Text(text.clone())),
        (other, t) if t.is_string() => Some(Scalar::Text(other.written(record))),
        (Value::Bool(b), DataType::Boolean) => Some(Scalar::Boolean(*b)),
        (Value::Number(text), DataType::Decimal { precision, scale }) => {
            decimal(text, *precision, *scale).map(Scalar::Decimal)
        }
        (Value::Number(text), DataType::Float | DataType::Double) => readers.float(text).map(Scalar::Float),
        (Value::Number(text), t) if t.is_integral() => readers.value(text, t),
        (Value::Number(text), DataType::Timestamp) => {
            text.parse::<i64>().ok()?.checked_mul(1_000_000).map(Scalar::Integral)
        }
        (Value::String(text), DataType::Float | DataType::Double) if readers.names_numbers() => {
            let special = text.chars().any(|c| c.is_alphabetic());
            if special { readers.float(text).filter(|f| !f.is_finite()).map(Scalar::Float) } else { None }
        }
        (Value::String(text), DataType::Decimal { precision, scale }) => {
            grouped_decimal(text, *precision, *scale).map(Scalar::Decimal)
        }
        (Value::String(text), DataType::Binary) => unbase64(text).map(Scalar::Bytes),
        (
            Value::String(text),
            DataType::Date
            | DataType::Timestamp
            | DataType::TimestampNtz
            | DataType::TimestampNanos { .. }
            | DataType::Time(_),
        ) => readers.value(text, ty),
        (_, DataType::Null) => Some(Scalar::Null),
        _ => None,
    }
}

fn unbase64(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count) = (0u32, 0);
    for b in text.bytes().filter(|b| *b != b'=' && !b.is_ascii_whitespace()) {
        let value = match b {
            b'A'..=b'Z' => b - b'A',
            b'a'..=b'z' => b - b'a' + 26,
            b'0'..=b'9' => b - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    Some(out)
}
