//! The schema of JSON texts: `schema_of_json`.

use spark::types::{DataType, StructField, StructType};
use spark::{Result, Settings};

use super::parse::Json;
use crate::error::from_datafusion;
use crate::families::text_data::number::decimal_digits;
use crate::families::text_data::options::OptionMap;
use crate::families::text_data::stamp::Stamps;

/// How types are guessed.
pub struct Inference {
    primitives_as_string: bool,
    prefers_decimal: bool,
    /// How timestamps look, if any are told from texts.
    stamps: Option<Stamps>,
    /// Without a zone they are wall clocks.
    ntz: bool,
}

impl Inference {
    /// By options, in a session.
    ///
    /// # Errors
    /// `INVALID_TIMEZONE`, and for malformed patterns.
    pub fn of(options: &OptionMap, settings: &Settings) -> Result<Inference> {
        let stamps = options
            .flag("inferTimestamp", false)
            .then(|| Stamps::new(options, &settings.time_zone, true).map_err(from_datafusion))
            .transpose()?;
        Ok(Inference {
            primitives_as_string: options.flag("primitivesAsString", false),
            prefers_decimal: options.flag("prefersDecimal", false),
            stamps,
            ntz: settings.timestamp_ntz,
        })
    }

    /// The type of one value, with `VOID` for nulls.
    pub fn infer(&self, json: &Json) -> DataType {
        match json {
            Json::Null => DataType::Null,
            Json::Text(text) if text.is_empty() => DataType::Null,
            Json::Text(text) => self.text(text),
            Json::List(items) => {
                let element = items.iter().fold(DataType::Null, |ty, item| merge(ty, self.infer(item)));
                DataType::array(element, true)
            }
            Json::Object(fields) => {
                let mut out: Vec<StructField> = Vec::with_capacity(fields.len());
                for (name, value) in fields {
                    let ty = self.infer(value);
                    out.push(StructField::new(name.as_ref(), ty, true));
                }
                out.sort_by(|a, b| a.name.cmp(&b.name));
                DataType::Struct(StructType::new(out))
            }
            _ if self.primitives_as_string => DataType::STRING,
            Json::Bool(_) => DataType::Boolean,
            Json::Int(text) => integral(text),
            Json::Float(text) => self.float(text),
            Json::NotANumber(_) => DataType::Double,
        }
    }

    fn text(&self, text: &str) -> DataType {
        if self.prefers_decimal
            && let Some(decimal) = decimal(text)
        {
            return decimal;
        }
        match &self.stamps {
            Some(stamps) if self.ntz && stamps.parse_timestamp_ntz(text).is_some() => DataType::TimestampNtz,
            Some(stamps) if stamps.parse_timestamp(text).is_some() => DataType::Timestamp,
            _ => DataType::STRING,
        }
    }

    fn float(&self, text: &str) -> DataType {
        if self.prefers_decimal { decimal(text).unwrap_or(DataType::Double) } else { DataType::Double }
    }
}

fn integral(text: &str) -> DataType {
    if text.parse::<i64>().is_ok() { DataType::Long } else { decimal(text).unwrap_or(DataType::Double) }
}

/// The smallest decimal type for a number, if there is one.
fn decimal(text: &str) -> Option<DataType> {
    let (digits, exponent) = decimal_digits(text)?;
    let length = digits.magnitude().to_string().len() as i64;
    let scale = -exponent;
    let (precision, scale) = if scale < 0 { (length - scale, 0) } else { (length.max(scale), scale) };
    (precision <= 38).then(|| DataType::decimal(precision as u8, scale as i8))
}

/// The type that has values of both.
pub fn merge(a: DataType, b: DataType) -> DataType {
    use DataType as T;
    match (a, b) {
        (T::Null, t) | (t, T::Null) => t,
        (a, b) if a == b => a,
        (T::Struct(a), T::Struct(b)) => merge_structs(a, b),
        (T::Array { element: a, .. }, T::Array { element: b, .. }) => T::array(merge((*a).clone(), (*b).clone()), true),
        (T::Long, T::Double) | (T::Double, T::Long) => T::Double,
        (T::Decimal { .. }, T::Double) | (T::Double, T::Decimal { .. }) => T::Double,
        (T::Long, d @ T::Decimal { .. }) | (d @ T::Decimal { .. }, T::Long) => wider(T::decimal(20, 0), d),
        (a @ T::Decimal { .. }, b @ T::Decimal { .. }) => wider(a, b),
        (T::Timestamp, T::TimestampNtz) | (T::TimestampNtz, T::Timestamp) => T::Timestamp,
        _ => T::STRING,
    }
}

fn wider(a: DataType, b: DataType) -> DataType {
    match (&a, &b) {
        (DataType::Decimal { precision: p1, scale: s1 }, DataType::Decimal { precision: p2, scale: s2 }) => {
            let scale = *s1.max(s2);
            let range = (*p1 as i8 - s1).max(*p2 as i8 - s2);
            if range + scale > 38 { DataType::Double } else { DataType::decimal((range + scale) as u8, scale) }
        }
        _ => DataType::STRING,
    }
}

fn merge_structs(a: StructType, b: StructType) -> DataType {
    let mut out = a.fields;
    for field in b.fields {
        match out.iter_mut().find(|f| f.name == field.name) {
            Some(known) => {
                let old = std::mem::replace(&mut known.data_type, DataType::Null);
                known.data_type = merge(old, field.data_type);
            }
            None => out.push(field),
        }
    }
    out.sort_by(|a, b| a.name.cmp(&b.name));
    DataType::Struct(StructType::new(out))
}

/// The final type: what was only ever null is a string, and empty structs disappear.
pub fn canonical(ty: &DataType) -> Option<DataType> {
    match ty {
        DataType::Null => Some(DataType::STRING),
        DataType::Array { element, contains_null } => {
            canonical(element).map(|element| DataType::array(element, *contains_null))
        }
        DataType::Struct(s) => {
            let fields: Vec<StructField> = s
                .fields
                .iter()
                .filter(|f| !f.name.is_empty())
                .filter_map(|f| canonical(&f.data_type).map(|data_type| StructField { data_type, ..f.clone() }))
                .collect();
            (!fields.is_empty()).then(|| DataType::Struct(StructType::new(fields)))
        }
        other => Some(other.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse::{Leniency, parse};
    use super::*;

    #[test]
    fn infers_timestamps() {
        for (ntz, format, text, expected) in [
            (false, None, "2020-01-01 10:11:12", "TIMESTAMP"),
            (true, None, "2020-01-01 10:11:12", "TIMESTAMP_NTZ"),
            (true, None, "2020-01-01 10:11:12Z", "TIMESTAMP"),
            (false, Some("dd/MM/yyyy"), "01/02/2020", "TIMESTAMP"),
            (false, Some("dd/MM/yyyy"), "2020-01-01", "STRING"),
            (false, None, "10:11", "STRING"),
        ] {
            let mut options = serde_json::json!([{ "infertimestamp": "true" }, "Corrected"]);
            if let Some(format) = format {
                options[0]["timestampformat"] = format.into();
            }
            let options: OptionMap = serde_json::from_value(options).unwrap();
            let settings = Settings { timestamp_ntz: ntz, ..Settings::default() };
            let inference = Inference::of(&options, &settings).unwrap();
            assert_eq!(inference.infer(&Json::Text(text.into())).sql(), expected, "{text}");
        }
    }

    #[test]
    fn infers() {
        for (text, expected) in [
            (r#"[{"col":0}]"#, "ARRAY<STRUCT<col: BIGINT>>"),
            (
                r#"{"a":1,"b":1.5,"c":"x","d":null,"e":[1,2.5],"h":[]}"#,
                "STRUCT<a: BIGINT, b: DOUBLE, c: STRING, d: STRING, e: ARRAY<DOUBLE>, h: ARRAY<STRING>>",
            ),
            (r#"[1,"a"]"#, "ARRAY<STRING>"),
            (r#"[{"a":1},{"b":2}]"#, "ARRAY<STRUCT<a: BIGINT, b: BIGINT>>"),
            ("12345678901234567890", "DECIMAL(20,0)"),
            ("null", "STRING"),
        ] {
            let Ok(Some(json)) = parse(text, Leniency::DEFAULT) else { panic!("{text}") };
            let ty = Inference::of(&OptionMap::default(), &Settings::default()).unwrap().infer(&json);
            assert_eq!(canonical(&ty).map(|t| t.sql()).as_deref(), Some(expected), "{text}");
        }
    }
}
