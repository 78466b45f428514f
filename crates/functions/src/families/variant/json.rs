//! Variants from JSON and back.

use datafusion::common::Result;

use super::decode::{Content, Scalar, View};
use super::encode::Node;
use crate::cast::format::{date_to_string, timestamp_ntz_to_string};
use crate::families::datetime::zone::{Zone, offset_text};
use crate::families::json::parse::{Json, write_string};
use crate::families::text_data::datum::Datum;
use crate::families::text_data::number::{write_decimal, write_double, write_float};

/// Why a JSON value is no variant.
#[derive(Debug, PartialEq)]
pub enum Refused {
    DuplicateKey(String),
}

/// The JSON value as a variant.
///
/// # Errors
/// If an object has a field twice.
pub fn to_node(json: &Json) -> std::result::Result<Node, Refused> {
    Ok(match json {
        Json::Null => Node::null(),
        Json::Bool(v) => Node::boolean(*v),
        Json::Int(text) => match text.parse::<i64>() {
            Ok(v) => Node::int(v),
            Err(_) => number(text),
        },
        Json::Float(text) => number(text),
        Json::NotANumber(v) => Node::double(*v),
        Json::Text(text) => Node::text(text),
        Json::List(items) => Node::Array(items.iter().map(to_node).collect::<std::result::Result<_, _>>()?),
        Json::Object(fields) => {
            let mut seen = std::collections::HashSet::with_capacity(fields.len());
            let mut out = Vec::with_capacity(fields.len());
            for (name, value) in fields {
                if !seen.insert(name.as_ref()) {
                    return Err(Refused::DuplicateKey(name.to_string()));
                }
                out.push((name.to_string(), to_node(value)?));
            }
            Node::Object(out)
        }
    })
}

/// A decimal if it is written without an exponent and is not too long, else a double.
fn number(text: &str) -> Node {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let plain = text.bytes().all(|b| b.is_ascii_digit() || b == b'-' || b == b'.');
    if plain {
        let scale = text.split_once('.').map_or(0, |(_, fraction)| fraction.len());
        let unscaled: String = text.chars().filter(|c| *c != '.').collect();
        let significant = unscaled.trim_start_matches('-').trim_start_matches('0').len();
        if scale <= 38
            && significant <= 38
            && digits <= 80
            && let Ok(unscaled) = unscaled.parse::<i128>()
        {
            return Node::decimal(unscaled, scale as u8);
        }
    }
    Node::double(text.parse().unwrap_or(f64::NAN))
}

/// The JSON value as a variant datum; `None` if it is refused.
pub fn from_json(json: &Json) -> Option<Datum> {
    let (value, metadata) = to_node(json).ok()?.encode();
    Some(Datum::Variant { value, metadata })
}

/// Writes a variant as JSON; instants are shown in `zone`.
///
/// # Errors
/// `MALFORMED_VARIANT`.
pub fn write_json(value: &[u8], metadata: &[u8], zone: Zone, out: &mut String) -> Result<()> {
    write_view(View::new(value, metadata)?, zone, out)
}

/// [`write_json`] for a part of a variant.
///
/// # Errors
/// `MALFORMED_VARIANT`.
pub fn write_view(view: View, zone: Zone, out: &mut String) -> Result<()> {
    match view.content()? {
        Content::Scalar(scalar) => write_scalar(scalar, zone, out),
        Content::Object(object) => {
            out.push('{');
            for i in 0..object.size() {
                if i > 0 {
                    out.push(',');
                }
                let (key, value) = object.field(i)?;
                write_string(key, out);
                out.push(':');
                write_view(value, zone, out)?;
            }
            out.push('}');
        }
        Content::Array(array) => {
            out.push('[');
            for i in 0..array.size() {
                if i > 0 {
                    out.push(',');
                }
                write_view(array.element(i)?, zone, out)?;
            }
            out.push(']');
        }
    }
    Ok(())
}

fn write_scalar(scalar: Scalar, zone: Zone, out: &mut String) {
    match scalar {
        Scalar::Null => out.push_str("null"),
        Scalar::Bool(v) => out.push_str(if v { "true" } else { "false" }),
        Scalar::Int(v) => out.push_str(&v.to_string()),
        Scalar::Double(v) if v.is_finite() => write_double(v, out),
        Scalar::Float(v) if v.is_finite() => write_float(v, out),
        Scalar::Decimal { unscaled, scale } => {
            let (unscaled, scale) = stripped(unscaled, scale);
            write_decimal(unscaled, scale as i8, out);
        }
        Scalar::Text(v) => write_string(v, out),
        _ => {
            out.push('"');
            write_bare(scalar, zone, out);
            out.push('"');
        }
    }
}

/// Without trailing zeros after the point.
pub fn stripped(mut unscaled: i128, mut scale: u8) -> (i128, u8) {
    while scale > 0 && unscaled % 10 == 0 {
        unscaled /= 10;
        scale -= 1;
    }
    (unscaled, scale)
}

/// The scalar as a string cast shows it.
pub fn write_bare(scalar: Scalar, zone: Zone, out: &mut String) {
    match scalar {
        Scalar::Text(v) => out.push_str(v),
        Scalar::Double(v) => write_double(v, out),
        Scalar::Float(v) => write_float(v, out),
        Scalar::Date(days) => out.push_str(&date_to_string(days)),
        Scalar::TimestampNtz(micros) => out.push_str(&timestamp_ntz_to_string(micros)),
        Scalar::Timestamp(micros) => {
            out.push_str(&timestamp_ntz_to_string(zone.to_local(micros)));
            out.push_str(&offset_text(zone.offset_at(micros.div_euclid(1_000_000))));
        }
        Scalar::Binary(bytes) => {
            use base64::Engine;
            base64::engine::general_purpose::STANDARD.encode_string(bytes, out);
        }
        Scalar::Uuid(bytes) => out.push_str(&uuid::Uuid::from_bytes(bytes).to_string()),
        other => write_scalar(other, zone, out),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{hex, variant};
    use super::*;

    #[test]
    fn encodes_byte_for_byte() {
        for (json, value, metadata) in [
            (r#"{"a":1,"b":0.8}"#, "020200010002080c01200108000000", "01020001026162"),
            ("[1,2,3]", "0303000204060c010c020c03", "010000"),
            (r#"[1, "hello"]"#, "030200020 80c011568656c6c6f", "010000"),
            (r#"{"b":1,"a":2}"#, "0202010002000 40c010c02", "01020001026261"),
        ] {
            let encoded = variant(json).encode();
            assert_eq!((hex(&encoded.0), hex(&encoded.1)), (value.replace(' ', ""), metadata.to_string()), "{json}");
        }
    }

    #[test]
    fn round_trips() {
        for (json, expected) in [
            (r#"{"b":[1.50,1e10,null],"a":{"z":true}}"#, r#"{"a":{"z":true},"b":[1.5,1.0E10,null]}"#),
            ("9223372036854775808", "9223372036854775808"),
            (r#""é\n""#, r#""é\n""#),
            ("[]", "[]"),
        ] {
            let (value, metadata) = variant(json).encode();
            let mut out = String::new();
            assert!(write_json(&value, &metadata, Zone::Fixed(0), &mut out).is_ok());
            assert_eq!(out, expected);
        }
    }
}
