//! XML elements as values of a Spark type: `from_xml`.

use datafusion::common::Result;
use spark::types::{DataType, StructType};

use super::dom::{Document, Id};
use crate::error::fail;
use crate::families::text_data::datum::Datum;
use crate::families::text_data::options::{OptionMap, ParseMode, ReadSpec, malformed_record};
use crate::families::text_data::scalars;
use crate::families::text_data::stamp::Stamps;

/// How attributes and texts are named in rows.
pub struct Naming {
    pub attribute_prefix: String,
    pub value_tag: String,
    pub exclude_attributes: bool,
    pub trim: bool,
    pub null: Option<String>,
    /// Texts that look like numbers, dates or truth values are these.
    pub infer: bool,
    pub prefers_decimal: bool,
}

impl Naming {
    /// By options.
    pub fn of(options: &OptionMap) -> Naming {
        Naming {
            attribute_prefix: options.get("attributePrefix").unwrap_or("_").to_string(),
            value_tag: options.get("valueTag").unwrap_or("_VALUE").to_string(),
            exclude_attributes: options.flag("excludeAttribute", false),
            trim: options.flag("ignoreSurroundingSpaces", true),
            null: options.get("nullValue").map(str::to_string),
            infer: options.flag("inferSchema", true),
            prefers_decimal: options.flag("prefersDecimal", false),
        }
    }

    /// The text as values have it.
    pub fn text(&self, text: String) -> String {
        if self.trim { text.trim().to_string() } else { text }
    }
}

/// Reads records of one schema.
pub struct Reader<'a> {
    spec: &'a ReadSpec,
    naming: Naming,
    stamps: Stamps,
    zone: &'a str,
    corrupt: Option<usize>,
}

impl<'a> Reader<'a> {
    /// A reader in the session's zone.
    ///
    /// # Errors
    /// For options that make no sense.
    pub fn new(spec: &'a ReadSpec, zone: &'a str) -> Result<Reader<'a>> {
        let corrupt = match &spec.schema {
            DataType::Struct(s) => {
                s.fields.iter().position(|f| f.name == spec.corrupt_record && f.data_type.is_string())
            }
            _ => None,
        };
        let stamps = Stamps::new(&spec.options, zone, true)?;
        Ok(Reader { spec, naming: Naming::of(&spec.options), stamps, zone, corrupt })
    }

    /// One record.
    ///
    /// # Errors
    /// `MALFORMED_RECORD_IN_PARSING` in the mode that fails.
    pub fn record(&self, text: &str) -> Result<Datum> {
        let mut state = Convert { reader: self, doc: Document::parse(text), bad: false };
        let value = match (state.doc.take(), &self.spec.schema) {
            (Some(doc), DataType::Struct(schema)) => doc.root().map(|root| state.row(&doc, root, schema)),
            (Some(doc), DataType::Variant) => doc.root().and_then(|root| variant(&doc, root, &self.naming)),
            _ => None,
        };
        let bad = state.bad || value.is_none();
        if !bad {
            return Ok(value.unwrap_or(Datum::Null));
        }
        if self.spec.mode == ParseMode::FailFast {
            return fail(malformed_record(&value.as_ref().map_or(text.to_string(), scalars::show)));
        }
        let DataType::Struct(schema) = &self.spec.schema else { return Ok(Datum::Null) };
        let mut parts = match value {
            Some(Datum::Row(parts)) => parts,
            _ => vec![Datum::Null; schema.fields.len()],
        };
        if let Some(i) = self.corrupt {
            parts[i] = Datum::Text(text.to_string());
        }
        Ok(Datum::Row(parts))
    }
}

struct Convert<'a, 'b> {
    reader: &'a Reader<'b>,
    doc: Option<Document>,
    bad: bool,
}

impl Convert<'_, '_> {
    fn row(&mut self, doc: &Document, id: Id, schema: &StructType) -> Datum {
        let naming = &self.reader.naming;
        let mut parts = vec![Datum::Null; schema.fields.len()];
        let place = |name: &str| schema.fields.iter().position(|f| f.name.eq_ignore_ascii_case(name));
        if !naming.exclude_attributes {
            for (name, value) in doc.attributes(id) {
                if let Some(i) = place(&format!("{}{name}", naming.attribute_prefix)) {
                    match self.scalar(value, &schema.fields[i].data_type) {
                        Some(value) => parts[i] = value,
                        None => self.bad = true,
                    }
                }
            }
        }
        if let Some(i) = place(&self.reader.naming.value_tag) {
            let text = self.reader.naming.text(doc.own_text(id));
            if !text.is_empty() {
                match self.scalar(&text, &schema.fields[i].data_type) {
                    Some(value) => parts[i] = value,
                    None => self.bad = true,
                }
            }
        }
        for child in doc.elements(id) {
            let Some(i) = place(doc.name(child)) else { continue };
            let ty = &schema.fields[i].data_type;
            let element = if let DataType::Array { element, .. } = ty { &**element } else { ty };
            let Some(value) = self.value(doc, child, element) else {
                self.bad = true;
                continue;
            };
            match (&mut parts[i], ty) {
                (Datum::List(items), DataType::Array { .. }) => items.push(value),
                (slot, DataType::Array { .. }) => *slot = Datum::List(vec![value]),
                (slot, _) => *slot = value,
            }
        }
        Datum::Row(parts)
    }

    fn value(&mut self, doc: &Document, id: Id, ty: &DataType) -> Option<Datum> {
        match ty {
            DataType::Struct(schema) => Some(self.row(doc, id, schema)),
            DataType::Map { value, .. } => self.map(doc, id, value),
            DataType::Variant => variant(doc, id, &self.reader.naming),
            DataType::Array { element, .. } => self.value(doc, id, element).map(|v| Datum::List(vec![v])),
            t if t.is_string() && doc.elements(id).next().is_some() => {
                Some(Datum::Text(self.reader.naming.text(doc.inner_xml(id))))
            }
            _ => {
                let text = self.reader.naming.text(doc.own_text(id));
                self.scalar(&text, ty)
            }
        }
    }

    fn map(&mut self, doc: &Document, id: Id, ty: &DataType) -> Option<Datum> {
        let mut entries: Vec<(Datum, Datum)> = Vec::new();
        if !self.reader.naming.exclude_attributes {
            for (name, value) in doc.attributes(id) {
                let key = format!("{}{name}", self.reader.naming.attribute_prefix);
                entries.push((Datum::Text(key), self.scalar(value, ty)?));
            }
        }
        for child in doc.elements(id) {
            let value = self.value(doc, child, ty)?;
            let key = Datum::Text(doc.name(child).to_string());
            match entries.iter_mut().find(|(k, _)| *k == key) {
                Some((_, Datum::List(items))) => match value {
                    Datum::List(more) => items.extend(more),
                    other => items.push(other),
                },
                Some((_, known)) => *known = value,
                None => entries.push((key, value)),
            }
        }
        Some(Datum::Map(entries))
    }

    fn scalar(&self, text: &str, ty: &DataType) -> Option<Datum> {
        let reader = self.reader;
        if reader.naming.null.as_deref() == Some(text) || (text.is_empty() && !ty.is_string()) {
            return Some(Datum::Null);
        }
        match ty {
            t if t.is_string() => Some(Datum::Text(text.to_string())),
            DataType::Boolean => match text.to_ascii_lowercase().as_str() {
                "true" | "1" => Some(Datum::Bool(true)),
                "false" | "0" => Some(Datum::Bool(false)),
                _ => None,
            },
            DataType::Float | DataType::Double => {
                let value: f64 = match text {
                    "Inf" | "+Inf" | "Infinity" => f64::INFINITY,
                    "-Inf" | "-Infinity" => f64::NEG_INFINITY,
                    "NaN" => f64::NAN,
                    _ => text.parse().ok()?,
                };
                Some(Datum::Float(if *ty == DataType::Float { f64::from(value as f32) } else { value }))
            }
            DataType::Array { element, .. } => self.scalar(text, element).map(|v| Datum::List(vec![v])),
            DataType::Struct(schema) => {
                let i = schema.fields.iter().position(|f| f.name == reader.naming.value_tag)?;
                let mut parts = vec![Datum::Null; schema.fields.len()];
                parts[i] = self.scalar(text, &schema.fields[i].data_type)?;
                Some(Datum::Row(parts))
            }
            DataType::Binary => None,
            _ => scalars::parse_simple(text, ty, &reader.stamps)
                .or_else(|| if is_rare(ty) { scalars::cast_text(text, ty, reader.zone) } else { None }),
        }
    }
}

fn is_rare(ty: &DataType) -> bool {
    matches!(ty, DataType::Time(_) | DataType::CalendarInterval) || ty.is_ansi_interval()
}

/// An element as a variant: objects of attributes, text and children.
fn variant(doc: &Document, id: Id, naming: &Naming) -> Option<Datum> {
    use crate::families::variant::encode::Node;
    fn decimal(text: &str) -> Option<Node> {
        let (digits, exponent) = crate::families::text_data::number::decimal_digits(text)?;
        let scale = u8::try_from(-exponent).ok().filter(|s| *s <= 38)?;
        let unscaled = i128::try_from(digits).ok().filter(|d| d.unsigned_abs().to_string().len() <= 38)?;
        let (unscaled, scale) = crate::families::variant::json::stripped(unscaled, scale);
        Some(Node::decimal(unscaled, scale))
    }
    fn scalar(text: &str) -> Node {
        if let Ok(v) = text.parse::<i64>() {
            return Node::int(v);
        }
        match text {
            "" => Node::null(),
            "true" => Node::boolean(true),
            "false" => Node::boolean(false),
            _ => match (decimal(text), text.parse::<f64>()) {
                (Some(node), _) => node,
                (None, Ok(v)) if text.bytes().any(|b| b.is_ascii_digit()) => Node::double(v),
                _ => Node::text(text),
            },
        }
    }
    fn node(doc: &Document, id: Id, naming: &Naming) -> Node {
        let mut fields: Vec<(String, Node)> = Vec::new();
        if !naming.exclude_attributes {
            let prefixed = doc.attributes(id).map(|(n, v)| (format!("{}{n}", naming.attribute_prefix), scalar(v)));
            fields.extend(prefixed);
        }
        for child in doc.elements(id) {
            let value = node(doc, child, naming);
            match fields.iter_mut().find(|(n, _)| n == doc.name(child)) {
                Some((_, Node::Array(items))) => items.push(value),
                Some((_, known)) => {
                    let first = std::mem::replace(known, Node::null());
                    *known = Node::Array(vec![first, value]);
                }
                None => fields.push((doc.name(child).to_string(), value)),
            }
        }
        let text = naming.text(doc.own_text(id));
        if fields.is_empty() {
            return scalar(&text);
        }
        if !text.is_empty() {
            fields.push((naming.value_tag.clone(), scalar(&text)));
        }
        Node::Object(fields)
    }
    let (value, metadata) = node(doc, id, naming).encode();
    Some(Datum::Variant { value, metadata })
}
