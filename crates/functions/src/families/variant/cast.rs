//! Casts of variants to and from other types.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray};
use datafusion::common::Result;
use spark::Error;
use spark::types::DataType;

use super::decode::{Content, Scalar, View};
use super::encode::Node;
use super::json::{stripped, write_bare, write_view};
use crate::cast::{Context, Mode};
use crate::error::fail;
use crate::families::datetime::zone::Zone;
use crate::families::text_data::cells::{Cells, range};
use crate::families::text_data::datum::{Datum, build};
use crate::families::text_data::scalars;

/// The values of `array`, a column of variants or to become one, in the other type.
///
/// # Errors
/// `INVALID_VARIANT_CAST` in ANSI mode, `MALFORMED_VARIANT`.
pub fn convert(array: &ArrayRef, from: &DataType, to: &DataType, context: &Context) -> Result<ArrayRef> {
    let cells = Cells::new(array, from)?;
    let mut values = Vec::with_capacity(array.len());
    for row in 0..array.len() {
        values.push(match (&cells, to) {
            _ if cells.is_null(row) => Datum::Null,
            (Cells::Variant(_, value, metadata), DataType::Variant) => {
                Datum::Variant { value: value.value(row).to_vec(), metadata: metadata.value(row).to_vec() }
            }
            (Cells::Variant(_, value, metadata), _) => {
                let view = View::new(value.value(row), metadata.value(row))?;
                from_view(view, to, context.mode != Mode::Try, context.zone)?
            }
            _ => to_datum(&to_node(&cells, row)?),
        });
    }
    let values: Vec<&Datum> = values.iter().collect();
    build(&values, to)
}

/// A node as a column's value.
pub fn to_datum(node: &Node) -> Datum {
    let (value, metadata) = node.encode();
    Datum::Variant { value, metadata }
}

/// The value of `row` as a variant; structs and maps become objects.
///
/// # Errors
/// For types that variants do not hold.
pub fn to_node(cells: &Cells, row: usize) -> Result<Node> {
    if cells.is_null(row) {
        return Ok(Node::null());
    }
    Ok(match cells {
        Cells::Null => Node::null(),
        Cells::Bool(a) => Node::boolean(a.value(row)),
        Cells::Int(a, _) => Node::int(a.value(row)),
        Cells::Float(a) => Node::float(a.value(row)),
        Cells::Double(a) => Node::double(a.value(row)),
        Cells::Decimal(a, _, scale) => Node::decimal(a.value(row), (*scale).max(0) as u8),
        Cells::Text(a) => Node::text(a.value(row)),
        Cells::Bytes(a) => Node::binary(a.value(row)),
        Cells::Date(a) => Node::date(a.value(row)),
        Cells::Timestamp(a) => Node::timestamp(a.value(row)),
        Cells::TimestampNtz(a) => Node::timestamp_ntz(a.value(row)),
        Cells::List(list, items) => {
            Node::Array(range(list.value_offsets(), row).map(|i| to_node(items, i)).collect::<Result<_>>()?)
        }
        Cells::Map(map, keys, values) => {
            let mut fields = Vec::new();
            for i in range(map.value_offsets(), row) {
                let Cells::Text(names) = &**keys else {
                    return datafusion::common::internal_err!("a variant's field names are strings");
                };
                fields.push((names.value(i).to_string(), to_node(values, i)?));
            }
            fields.sort_by(|a, b| a.0.cmp(&b.0));
            Node::Object(fields)
        }
        Cells::Row(_, fields) => {
            let mut out = Vec::with_capacity(fields.len());
            for (field, cells) in fields {
                out.push((field.name.clone(), to_node(cells, row)?));
            }
            Node::Object(out)
        }
        Cells::Variant(_, value, metadata) => View::new(value.value(row), metadata.value(row))?.node()?,
        Cells::TimestampNanos(..)
        | Cells::Time(..)
        | Cells::YearMonth(..)
        | Cells::DayTime(..)
        | Cells::Calendar(..) => {
            return datafusion::common::internal_err!("analysis refuses this type as a variant");
        }
    })
}

/// A value inside a variant as type `to`; what does not fit is an error if `strict`, else null.
///
/// # Errors
/// `INVALID_VARIANT_CAST`, `MALFORMED_VARIANT`.
pub fn from_view(view: View, to: &DataType, strict: bool, zone: Zone) -> Result<Datum> {
    if *to == DataType::Variant {
        return Ok(to_datum(&view.node()?));
    }
    let converted = match (view.content()?, to) {
        (Content::Scalar(Scalar::Null), _) => Some(Datum::Null),
        (Content::Array(array), DataType::Array { element, .. }) => {
            let mut items = Vec::with_capacity(array.size());
            for i in 0..array.size() {
                items.push(from_view(array.element(i)?, element, strict, zone)?);
            }
            Some(Datum::List(items))
        }
        (Content::Object(object), DataType::Map { value, .. }) => {
            let mut entries = Vec::with_capacity(object.size());
            for i in 0..object.size() {
                let (name, field) = object.field(i)?;
                entries.push((Datum::Text(name.to_string()), from_view(field, value, strict, zone)?));
            }
            Some(Datum::Map(entries))
        }
        (Content::Object(object), DataType::Struct(s)) => {
            let mut parts = Vec::with_capacity(s.fields.len());
            for field in &s.fields {
                parts.push(match object.get(&field.name)? {
                    Some(value) => from_view(value, &field.data_type, strict, zone)?,
                    None => Datum::Null,
                });
            }
            Some(Datum::Row(parts))
        }
        (Content::Scalar(scalar), _) => scalar_to(scalar, to, zone)?,
        (_, t) if t.is_string() => {
            let mut out = String::new();
            write_view(view, zone, &mut out)?;
            Some(Datum::Text(out))
        }
        _ => None,
    };
    match converted {
        Some(value) => Ok(value),
        None if !strict => Ok(Datum::Null),
        None => {
            let mut shown = String::new();
            write_view(view, zone, &mut shown)?;
            fail(
                Error::runtime("INVALID_VARIANT_CAST")
                    .param("value", &shown)
                    .param("dataType", format!("\"{}\"", to.sql()))
                    .with_message(format!(
                        "The variant {shown} is not a {}; use try_variant_get to get NULL.",
                        to.sql()
                    )),
            )
        }
    }
}

/// A scalar by the rules of casts; `None` if it does not fit.
fn scalar_to(scalar: Scalar, to: &DataType, zone: Zone) -> Result<Option<Datum>> {
    let fits = |v: i64, min: i64, max: i64| (min..=max).contains(&v).then_some(Datum::Int(v));
    Ok(match (scalar, to) {
        (Scalar::Int(v), DataType::Byte) => fits(v, i8::MIN.into(), i8::MAX.into()),
        (Scalar::Int(v), DataType::Short) => fits(v, i16::MIN.into(), i16::MAX.into()),
        (Scalar::Int(v), DataType::Integer) => fits(v, i32::MIN.into(), i32::MAX.into()),
        (Scalar::Int(v), DataType::Long) => Some(Datum::Int(v)),
        (Scalar::Int(v), DataType::Double) => Some(Datum::Float(v as f64)),
        (Scalar::Double(v), DataType::Double) => Some(Datum::Float(v)),
        (Scalar::Bool(v), DataType::Boolean) => Some(Datum::Bool(v)),
        (Scalar::Date(v), DataType::Date) => Some(Datum::Int(v.into())),
        (Scalar::Timestamp(v), DataType::Timestamp) => Some(Datum::Int(v)),
        (Scalar::TimestampNtz(v), DataType::TimestampNtz) => Some(Datum::Int(v)),
        (Scalar::Binary(v), DataType::Binary) => Some(Datum::Bytes(v.to_vec())),
        (Scalar::Decimal { unscaled, scale }, t) if t.is_string() => {
            let (unscaled, scale) = stripped(unscaled, scale);
            let mut out = String::new();
            crate::families::text_data::number::write_decimal(unscaled, scale as i8, &mut out);
            Some(Datum::Text(out))
        }
        (Scalar::Text(v), t) if t.is_string() => Some(Datum::Text(v.to_string())),
        (Scalar::Uuid(_), t) if t.is_string() => {
            let mut out = String::new();
            write_bare(scalar, zone, &mut out);
            Some(Datum::Text(out))
        }
        (Scalar::Binary(_) | Scalar::Uuid(_), _) | (_, DataType::Binary) => None,
        _ => by_cast(scalar, to, zone)?,
    })
}

/// Everything else: a column of one value through the cast of its type.
fn by_cast(scalar: Scalar, to: &DataType, zone: Zone) -> Result<Option<Datum>> {
    let (datum, from) = match scalar {
        Scalar::Bool(v) => (Datum::Bool(v), DataType::Boolean),
        Scalar::Int(v) => (Datum::Int(v), DataType::Long),
        Scalar::Float(v) => (Datum::Float(f64::from(v)), DataType::Float),
        Scalar::Double(v) => (Datum::Float(v), DataType::Double),
        Scalar::Decimal { unscaled, scale } => {
            let digits = unscaled.unsigned_abs().to_string().len().max(usize::from(scale)).clamp(1, 38);
            (Datum::Decimal(unscaled), DataType::decimal(digits as u8, scale as i8))
        }
        Scalar::Date(v) => (Datum::Int(v.into()), DataType::Date),
        Scalar::Timestamp(v) => (Datum::Int(v), DataType::Timestamp),
        Scalar::TimestampNtz(v) => (Datum::Int(v), DataType::TimestampNtz),
        Scalar::Text(v) => (Datum::Text(v.to_string()), DataType::STRING),
        Scalar::Null | Scalar::Binary(_) | Scalar::Uuid(_) => return Ok(None),
    };
    if to.is_complex() || !crate::cast::can_cast(&from, to, true) {
        return Ok(None);
    }
    let array = build(&[&datum], &from)?;
    let context = Context { mode: Mode::Try, zone, now: 0, legacy_nesting: false };
    let converted = crate::cast::convert(&array, &from, to, &context)?;
    let cells = Cells::new(&converted, to)?;
    Ok(scalars::datum(&cells, 0).filter(|d| *d != Datum::Null))
}

/// Variants as strings, for casts to strings.
///
/// # Errors
/// `MALFORMED_VARIANT`.
pub fn text_at(array: &ArrayRef, row: usize, zone: Zone) -> Result<String> {
    let Cells::Variant(_, value, metadata) = Cells::new(&array.slice(row, 1), &DataType::Variant)? else {
        return datafusion::common::internal_err!("a variant column is expected");
    };
    match from_view(View::new(value.value(0), metadata.value(0))?, &DataType::STRING, true, zone)? {
        Datum::Text(text) => Ok(text),
        _ => Ok("null".into()),
    }
}

/// A variant as JSON, for tables that people read.
///
/// # Errors
/// `MALFORMED_VARIANT`.
pub fn json_at(array: &ArrayRef, row: usize, zone: Zone) -> Result<String> {
    let Cells::Variant(_, value, metadata) = Cells::new(&array.slice(row, 1), &DataType::Variant)? else {
        return datafusion::common::internal_err!("a variant column is expected");
    };
    let mut out = String::new();
    super::json::write_json(value.value(0), metadata.value(0), zone, &mut out)?;
    Ok(out)
}

/// True where a variant is the null of variants.
pub fn null_flags(cells: &Cells, rows: usize) -> Result<ArrayRef> {
    let Cells::Variant(_, value, _) = cells else {
        return Ok(Arc::new(BooleanArray::from(vec![false; rows])));
    };
    let flags = (0..rows).map(|row| Some(!cells.is_null(row) && value.value(row).first() == Some(&0)));
    Ok(Arc::new(flags.collect::<BooleanArray>()))
}
