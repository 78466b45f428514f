//! The schema of XML texts: `schema_of_xml`.

use spark::types::{DataType, StructField, StructType};

use super::dom::{Document, Id};
use super::read::Naming;
use crate::families::json::infer::merge;

/// The type of an element, with `VOID` for empty ones.
pub fn infer(doc: &Document, id: Id, naming: &Naming) -> DataType {
    let mut fields: Vec<StructField> = Vec::new();
    if !naming.exclude_attributes {
        for (name, value) in doc.attributes(id) {
            let name = format!("{}{name}", naming.attribute_prefix);
            fields.push(StructField::new(name, scalar(value), true));
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
                known.data_type = DataType::array(merge(element, ty), true);
            }
            None => fields.push(StructField::new(doc.name(child), ty, true)),
        }
    }
    let text = naming.text(doc.own_text(id));
    if fields.is_empty() {
        return scalar(&text);
    }
    if !text.is_empty() {
        fields.push(StructField::new(naming.value_tag.clone(), scalar(&text), true));
    }
    fields.sort_by(|a, b| a.name.cmp(&b.name));
    DataType::Struct(StructType::new(fields))
}

fn scalar(text: &str) -> DataType {
    let digits = text.bytes().any(|b| b.is_ascii_digit());
    if text.is_empty() {
        DataType::Null
    } else if text.parse::<i64>().is_ok() {
        DataType::Long
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
            ("<p><a x=\"2\">1</a><a>3</a></p>", "STRUCT<a: ARRAY<STRING>>"),
            ("<p><time>14:30:45</time></p>", "STRUCT<time: TIMESTAMP>"),
        ] {
            let Some(doc) = Document::parse(text) else { panic!("{text}") };
            assert_eq!(infer(&doc, doc.root().unwrap_or(0), &naming).sql(), expected, "{text}");
        }
    }
}
