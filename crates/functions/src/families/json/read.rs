//! JSON values as values of a Spark type: `from_json`.

use datafusion::common::Result;
use spark::types::DataType;

use super::parse::{Json, Leniency, parse};
use crate::error::fail;
use crate::families::text_data::datum::Datum;
use crate::families::text_data::number::{decimal_digits, rescale};
use crate::families::text_data::options::{ParseMode, ReadSpec, malformed_record};
use crate::families::text_data::scalars;
use crate::families::text_data::stamp::Stamps;

/// Reads records of one schema.
pub struct Reader<'a> {
    spec: &'a ReadSpec,
    leniency: Leniency,
    stamps: Stamps,
    zone: &'a str,
    /// Where in a struct schema the text of malformed records goes.
    corrupt_field: Option<usize>,
}

impl<'a> Reader<'a> {
    /// A reader in the session's zone.
    ///
    /// # Errors
    /// For options that make no sense.
    pub fn new(spec: &'a ReadSpec, zone: &'a str) -> Result<Reader<'a>> {
        let corrupt_field = match &spec.schema {
            DataType::Struct(s) => {
                s.fields.iter().position(|f| f.name == spec.corrupt_record && f.data_type.is_string())
            }
            _ => None,
        };
        let (leniency, stamps) = (Leniency::of(&spec.options), Stamps::new(&spec.options, zone, true)?);
        Ok(Reader { spec, leniency, stamps, zone, corrupt_field })
    }

    /// One record; null for no text.
    ///
    /// # Errors
    /// `MALFORMED_RECORD_IN_PARSING` in the mode that fails.
    pub fn record(&self, text: &str) -> Result<Datum> {
        let mut state = Convert { reader: self, bad: false };
        let value = match parse(text, self.leniency) {
            Ok(None) => return Ok(Datum::Null),
            Ok(Some(Json::Null)) if !matches!(self.spec.schema, DataType::Struct(_) | DataType::Variant) => {
                return Ok(Datum::Null);
            }
            Ok(Some(json)) => state.root(&json),
            Err(_) => None,
        };
        let bad = state.bad || value.is_none();
        if !bad {
            return Ok(value.unwrap_or(Datum::Null));
        }
        if self.spec.mode == ParseMode::FailFast {
            let shown = match &value {
                Some(partial) => scalars::show(partial),
                None => text.to_string(),
            };
            return fail(malformed_record(&shown));
        }
        let DataType::Struct(s) = &self.spec.schema else { return Ok(Datum::Null) };
        let mut parts = match value {
            Some(Datum::Row(parts)) => parts,
            _ => vec![Datum::Null; s.fields.len()],
        };
        if let Some(i) = self.corrupt_field {
            parts[i] = Datum::Text(text.to_string());
        }
        Ok(Datum::Row(parts))
    }
}

struct Convert<'a, 'b> {
    reader: &'a Reader<'b>,
    /// Something below could not be converted; what could be was kept.
    bad: bool,
}

impl Convert<'_, '_> {
    /// The top: an object for a struct or map, an array for an array, or one object in place of it.
    fn root(&mut self, json: &Json) -> Option<Datum> {
        let schema = &self.reader.spec.schema;
        match (schema, json) {
            (DataType::Struct(_), Json::Object(_)) | (DataType::Map { .. }, Json::Object(_)) => {
                self.value(json, schema)
            }
            (DataType::Array { element, .. }, Json::Object(_)) if matches!(**element, DataType::Struct(_)) => {
                self.value(json, element).map(|v| Datum::List(vec![v]))
            }
            (DataType::Array { .. }, Json::List(_)) | (DataType::Variant, _) => self.value(json, schema),
            _ => None,
        }
    }

    /// `None` if the value does not fit the type.
    fn value(&mut self, json: &Json, ty: &DataType) -> Option<Datum> {
        if let DataType::Variant = ty {
            return crate::families::variant::from_json(json);
        }
        match (ty, json) {
            (_, Json::Null) => Some(Datum::Null),
            (DataType::Struct(s), Json::Object(fields)) => Some(self.row(s, fields)),
            (DataType::Map { value, .. }, Json::Object(fields)) => self.map(value, fields),
            (DataType::Array { element, .. }, Json::List(items)) => self.list(element, items),
            (DataType::Boolean, Json::Bool(b)) => Some(Datum::Bool(*b)),
            (DataType::Byte, Json::Int(t)) => t.parse::<i8>().ok().map(|v| Datum::Int(v.into())),
            (DataType::Short, Json::Int(t)) => t.parse::<i16>().ok().map(|v| Datum::Int(v.into())),
            (DataType::Integer, Json::Int(t)) => t.parse::<i32>().ok().map(|v| Datum::Int(v.into())),
            (DataType::Long, Json::Int(t)) => t.parse::<i64>().ok().map(Datum::Int),
            (DataType::Float | DataType::Double, _) => floating(json, ty),
            (DataType::Decimal { precision, scale }, Json::Int(t) | Json::Float(t)) => {
                let (digits, exponent) = decimal_digits(t)?;
                rescale(&digits, exponent, *precision, *scale).map(Datum::Decimal)
            }
            (DataType::Decimal { precision, scale }, Json::Text(t)) => {
                let (digits, exponent) = decimal_digits(&self.reader.stamps.locale.plain_number(t)?)?;
                rescale(&digits, exponent, *precision, *scale).map(Datum::Decimal)
            }
            (t, Json::Text(text)) if t.is_string() => Some(Datum::Text(text.to_string())),
            (t, _) if t.is_string() => {
                let mut out = String::new();
                json.write(&mut out);
                Some(Datum::Text(out))
            }
            (DataType::Timestamp, Json::Int(t)) => t.parse::<i64>().ok()?.checked_mul(1_000_000).map(Datum::Int),
            (_, Json::Text(text)) => self.text(text, ty),
            (DataType::Null, _) => Some(Datum::Null),
            _ => None,
        }
    }

    fn text(&self, text: &str, ty: &DataType) -> Option<Datum> {
        let stamps = &self.reader.stamps;
        match ty {
            DataType::Date => stamps.parse_date(text).map(|d| Datum::Int(d.into())),
            DataType::Timestamp => stamps.parse_timestamp(text).map(Datum::Int),
            DataType::TimestampNtz => stamps.parse_timestamp_ntz(text).map(Datum::Int),
            DataType::TimestampNanos { ltz, .. } => stamps.parse_nanos(text, *ltz).map(Datum::Decimal),
            DataType::Binary => {
                let mut out = Vec::new();
                let clean = text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'='));
                (clean && crate::families::string::base::decode_mime(text, &mut out)).then_some(Datum::Bytes(out))
            }
            DataType::CalendarInterval
            | DataType::YearMonthInterval { .. }
            | DataType::DayTimeInterval { .. }
            | DataType::Time(_) => scalars::cast_text(text, ty, self.reader.zone),
            DataType::Boolean | DataType::Byte | DataType::Short | DataType::Integer | DataType::Long
                if text.is_empty() && self.reader.spec.empty_is_null =>
            {
                Some(Datum::Null)
            }
            _ => None,
        }
    }

    fn row(&mut self, schema: &spark::StructType, fields: &[(std::borrow::Cow<str>, Json)]) -> Datum {
        let mut parts = vec![Datum::Null; schema.fields.len()];
        for (name, json) in fields {
            let Some(i) = schema.fields.iter().position(|f| f.name == *name) else { continue };
            if self.reader.corrupt_field == Some(i) && std::ptr::eq(schema, self.root_schema()) {
                continue;
            }
            match self.value(json, &schema.fields[i].data_type) {
                Some(value) => parts[i] = value,
                None => self.bad = true,
            }
        }
        Datum::Row(parts)
    }

    fn root_schema(&self) -> *const spark::StructType {
        match &self.reader.spec.schema {
            DataType::Struct(s) => s,
            _ => std::ptr::null(),
        }
    }

    fn map(&mut self, ty: &DataType, fields: &[(std::borrow::Cow<str>, Json)]) -> Option<Datum> {
        let mut entries: Vec<(Datum, Datum)> = Vec::with_capacity(fields.len());
        for (name, json) in fields {
            let value = self.value(json, ty)?;
            entries.push((Datum::Text(name.to_string()), value));
        }
        Some(Datum::Map(entries))
    }

    fn list(&mut self, ty: &DataType, items: &[Json]) -> Option<Datum> {
        items.iter().map(|item| self.value(item, ty)).collect::<Option<Vec<_>>>().map(Datum::List)
    }
}

fn floating(json: &Json, ty: &DataType) -> Option<Datum> {
    let value = match json {
        Json::Int(t) | Json::Float(t) if *ty == DataType::Float => f64::from(t.parse::<f32>().ok()?),
        Json::Int(t) | Json::Float(t) => t.parse::<f64>().ok()?,
        Json::NotANumber(v) => *v,
        Json::Text(t) => match t.as_ref() {
            "NaN" => f64::NAN,
            "+INF" | "+Infinity" | "Infinity" => f64::INFINITY,
            "-INF" | "-Infinity" => f64::NEG_INFINITY,
            _ => return None,
        },
        _ => return None,
    };
    Some(Datum::Float(value))
}
