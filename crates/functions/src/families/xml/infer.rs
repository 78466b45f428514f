//! The schema of XML texts: `schema_of_xml`.

use spark::types::{DataType, StructField, StructType};

use super::dom::{Document, Id};
use super::read::Naming;
use crate::families::json::infer::merge as merge_plain;

/// The type of an element, with `VOID` for empty ones.
pub fn infer(doc: &Document, id: Id, naming: &Naming) -> DataType {
    let mut fields: Vec<StructField> = Vec::new();
    if !naming.exclude_attributes {
        for (name, value) in doc.attributes(id) {
            let name = format!("{}{name}", naming.attribute_prefix);
            fields.push(StructField::new(name, scalar(value, naming), true));
        }
    }
    for child in doc.elements(id) {
        let ty = infer(doc, child, naming);
        match fields.iter_mut().find(|f| f.name == doc.name(child)) {
            Some(known) => {
                let old = std::mem::replace(&mut known.data_type, DataType::Null);
                let element = match old {
                    DataType::Array { element, .. } => (*element).clone(),
                    other => other,
                };
                known.data_type = DataType::array(merge(element, ty, naming), true);
            }
            None => fields.push(StructField::new(doc.name(child), ty, true)),
        }
    }
    let text = naming.text(doc.own_text(id));
    if fields.is_empty() {
        return scalar(&text, naming);
    }
    if !text.is_empty() {
        fields.push(StructField::new(naming.value_tag.clone(), scalar(&text, naming), true));
    }
    fields.sort_by(|a, b| a.name.cmp(&b.name));
    DataType::Struct(StructType::new(fields))
}

/// The type of elements of both types: one that repeats is an array, and one that is text in some places has
/// it beside its attributes and children.
pub fn merge(a: DataType, b: DataType, naming: &Naming) -> DataType {
    let with_text = |s: StructType, ty: DataType, naming: &Naming| {
        let mut fields = s.fields;
        for field in fields.iter_mut().filter(|f| f.name == naming.value_tag) {
            let old = std::mem::replace(&mut field.data_type, DataType::Null);
            field.data_type = merge(old, ty.clone(), naming);
        }
        DataType::Struct(StructType::new(fields))
    };
    let has_text = |s: &StructType| s.fields.iter().any(|f| f.name == naming.value_tag);
    match (a, b) {
        (DataType::Array { element: a, .. }, DataType::Array { element: b, .. }) => {
            DataType::array(merge((*a).clone(), (*b).clone(), naming), true)
        }
        (DataType::Null, other) | (other, DataType::Null) => other,
        (DataType::Array { element, .. }, other) | (other, DataType::Array { element, .. }) => {
            DataType::array(merge((*element).clone(), other, naming), true)
        }
        (DataType::Struct(a), DataType::Struct(b)) => merge_structs(a, b, naming),
        (DataType::Struct(s), other) | (other, DataType::Struct(s)) if has_text(&s) => with_text(s, other, naming),
        (a, b) => merge_plain(a, b),
    }
}

fn merge_structs(a: StructType, b: StructType, naming: &Naming) -> DataType {
    let mut out = a.fields;
    for field in b.fields {
        match out.iter_mut().find(|f| f.name == field.name) {
            Some(known) => {
                let old = std::mem::replace(&mut known.data_type, DataType::Null);
                known.data_type = merge(old, field.data_type, naming);
            }
            None => out.push(field),
        }
    }
    out.sort_by(|a, b| a.name.cmp(&b.name));
    DataType::Struct(StructType::new(out))
}

/// The type of rows so far with one more: a row is a struct, whatever else it is.
pub fn merge_rows(so_far: DataType, row: DataType, naming: &Naming) -> DataType {
    let row = match row {
        DataType::Struct(_) => row,
        DataType::Null => DataType::Struct(StructType::default()),
        text => DataType::Struct(StructType::new(vec![StructField::new(naming.value_tag.clone(), text, true)])),
    };
    merge(so_far, row, naming)
}

fn scalar(text: &str, naming: &Naming) -> DataType {
    let digits = text.bytes().any(|b| b.is_ascii_digit());
    if text.is_empty() {
        DataType::Null
    } else if !naming.infer {
        DataType::STRING
    } else if text.parse::<i64>().is_ok() {
        DataType::Long
    } else if let Some(decimal) = decimal(text).filter(|_| naming.prefers_decimal) {
        decimal
    } else if digits && text.parse::<f64>().is_ok() {
        DataType::Double
    } else if text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false") {
        DataType::Boolean
    } else if digits && text.len() == 10 && sql::parse_date(text).is_some() {
        DataType::Date
    } else if digits && sql::parse_timestamp(text).is_some() {
        DataType::Timestamp
    } else {
        DataType::STRING
    }
}

/// The type of a number that a decimal holds as it is written.
fn decimal(text: &str) -> Option<DataType> {
    let (digits, exponent) = crate::families::text_data::number::decimal_digits(text)?;
    let scale = u8::try_from(-exponent).ok()?;
    let digits = digits.to_string();
    let precision = u8::try_from(digits.trim_start_matches('-').len()).ok()?.max(scale);
    (precision <= 38).then(|| DataType::decimal(precision, scale as i8))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families::text_data::options::OptionMap;

    #[test]
    fn infers() {
        let naming = Naming::of(&OptionMap::default());
        for (text, expected) in [
            ("<p><a>1</a></p>", "STRUCT<a: BIGINT>"),
            ("<p><a>1</a><b>\"2\"</b></p>", "STRUCT<a: BIGINT, b: STRING>"),
            ("<p><a x=\"2\">1</a><a>3</a></p>", "STRUCT<a: ARRAY<STRUCT<_VALUE: BIGINT, _x: BIGINT>>>"),
            ("<p><a><c>1</c></a><a><c>1</c><c>x</c></a></p>", "STRUCT<a: ARRAY<STRUCT<c: ARRAY<STRING>>>>"),
            ("<p><time>14:30:45</time></p>", "STRUCT<time: TIMESTAMP>"),
        ] {
            let Some(doc) = Document::parse(text) else { panic!("{text}") };
            assert_eq!(infer(&doc, doc.root().unwrap_or(0), &naming).sql(), expected, "{text}");
        }
    }
}
