//! XML records: the elements of one name, wherever they stand in a file.

use functions::error::from_datafusion;
use functions::families::json::infer::canonical;
use functions::families::text_data::datum::Datum;
use functions::families::text_data::options::{OptionMap, ParseMode, ReadSpec};
use functions::families::xml::dom::Document;
use functions::families::xml::infer::{infer, merge_rows};
use functions::families::xml::read::{Naming, Reader};
use serde::{Deserialize, Serialize};
use spark::types::{DataType, StructField, StructType};
use spark::{Error, ErrorKind, Result};

use super::builder::{Builders, ColumnBuilder, Scalar};
use super::json::bad_row;
use super::{Mode, RowFormat, single};
use crate::source::Options;

/// How XML is read.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Xml {
    row_tag: String,
    infer_schema: bool,
    options: OptionMap,
}

impl Xml {
    /// By a reader's options.
    ///
    /// # Errors
    /// `XML_ROW_TAG_MISSING`.
    pub fn new(o: &Options) -> Result<Self> {
        Ok(Xml {
            row_tag: row_tag(o)?,
            infer_schema: o.bool("inferSchema", true)?,
            options: OptionMap::from_pairs(o.pairs().iter().cloned()),
        })
    }

    /// Reads all the rows of a file.
    pub(super) fn read(&self, format: &RowFormat, text: &str, out: &mut Builders) -> Result<()> {
        let spec = ReadSpec {
            schema: match format.single_variant {
                Some(_) => DataType::Variant,
                None => DataType::Struct(format.schema.clone()),
            },
            options: self.options.clone(),
            mode: if format.mode == Mode::Permissive { ParseMode::Permissive } else { ParseMode::FailFast },
            corrupt_record: format.corrupt_column.clone(),
            empty_is_null: false,
        };
        let reader = Reader::new(&spec, &format.readers.time_zone).map_err(from_datafusion)?;
        for record in Records::new(text, &self.row_tag) {
            // Behind what is not well-formed nothing can be found: the rest of the file is lost with it.
            let Some(record) = record.filter(|r| Document::parse(r).is_some()) else {
                return bad_row(format, text, out);
            };
            match reader.record(record) {
                Ok(Datum::Row(parts)) => row(format, parts, out),
                Ok(Datum::Variant { value, metadata }) => {
                    single::row(format, record, Some((value, metadata)), true, out)?;
                }
                Ok(_) => row(format, Vec::new(), out),
                Err(_) if format.mode == Mode::DropMalformed => {}
                Err(error) => return Err(from_datafusion(error)),
            }
        }
        Ok(())
    }
}

/// What the files that were looked at say of the schema.
pub(super) struct Inferred {
    merged: DataType,
    corrupt: bool,
    naming: Naming,
}

impl Inferred {
    pub fn new(xml: &Xml) -> Self {
        Inferred { merged: DataType::Null, corrupt: false, naming: Naming::of(&xml.options) }
    }

    /// Adds a file.
    pub fn add(&mut self, xml: &Xml, text: &str) {
        for record in Records::new(text, &xml.row_tag) {
            let Some(document) = record.and_then(Document::parse) else {
                self.corrupt = true;
                return;
            };
            let ty = infer(&document, document.root().unwrap_or(0), &self.naming);
            self.merged = merge_rows(std::mem::replace(&mut self.merged, DataType::Null), ty, &self.naming);
        }
    }

    /// Whether something was not well-formed.
    pub fn corrupt(&self) -> bool {
        self.corrupt
    }

    /// The schema of all of them.
    pub fn finish(self, format: &RowFormat, xml: &Xml) -> StructType {
        let mut schema = match canonical(&self.merged) {
            Some(DataType::Struct(schema)) => schema,
            _ => StructType::default(),
        };
        if !xml.infer_schema {
            schema = as_strings(&schema);
        }
        if self.corrupt && format.mode == Mode::Permissive {
            schema.fields.push(StructField::new(&format.corrupt_column, DataType::STRING, true));
            schema.fields.sort_by(|a, b| a.name.cmp(&b.name));
        }
        schema
    }
}

/// The schema with strings for all values.
fn as_strings(schema: &StructType) -> StructType {
    fn of(ty: &DataType) -> DataType {
        match ty {
            DataType::Struct(s) => DataType::Struct(as_strings(s)),
            DataType::Array { element, .. } => DataType::array(of(element), true),
            _ => DataType::STRING,
        }
    }
    StructType::new(schema.fields.iter().map(|f| StructField::new(&f.name, of(&f.data_type), true)).collect())
}

/// The option `rowTag`, which there is no default of.
///
/// # Errors
/// `XML_ROW_TAG_MISSING`.
pub fn row_tag(o: &Options) -> Result<String> {
    match o.get("rowTag") {
        None => Err(Error::analysis("XML_ROW_TAG_MISSING")
            .param("rowTag", "`rowTag`")
            .with_message("The option rowTag must say which elements are rows.")),
        Some("") => {
            Err(Error::new(ErrorKind::IllegalArgument, "").with_message("The option rowTag must not be empty."))
        }
        Some(tag) if tag.starts_with('<') || tag.ends_with('>') => Err(Error::new(ErrorKind::IllegalArgument, "")
            .with_message("The option rowTag is the name of an element, without angle brackets.")),
        Some(tag) => Ok(tag.to_string()),
    }
}

/// Adds a row of the whole schema to the columns that are wanted.
fn row(format: &RowFormat, mut parts: Vec<Datum>, out: &mut Builders) {
    for (column, &i) in out.columns.iter_mut().zip(&out.fields) {
        let value = parts.get_mut(i).map_or(Datum::Null, |v| std::mem::replace(v, Datum::Null));
        append(column, value, &format.schema.fields[i].data_type);
    }
    out.rows += 1;
}

fn append(column: &mut ColumnBuilder, value: Datum, ty: &DataType) {
    match (value, ty) {
        (Datum::List(values), DataType::Array { .. }) => column.append_list(|inner, element| {
            let count = values.len();
            values.into_iter().for_each(|v| append(inner, v, element));
            count
        }),
        (Datum::Map(entries), DataType::Map { .. }) => column.append_map(|keys, values, types| {
            let count = entries.len();
            for (k, v) in entries {
                append(keys, k, &types.0);
                append(values, v, &types.1);
            }
            count
        }),
        (Datum::Row(parts), DataType::Struct(s)) => column.append_struct(|columns| {
            for ((column, field), value) in columns.iter_mut().zip(&s.fields).zip(parts) {
                append(column, value, &field.data_type);
            }
        }),
        (Datum::Variant { value, metadata }, DataType::Variant) => single::append(column, Some((value, metadata))),
        (_, ty) if ty.is_complex() => column.append_null(),
        (value, _) => column.append(match value {
            Datum::Bool(v) => Scalar::Boolean(v),
            Datum::Int(v) => Scalar::Integral(v),
            Datum::Float(v) => Scalar::Float(v),
            Datum::Decimal(v) => Scalar::Decimal(v),
            Datum::Text(v) => Scalar::Text(v),
            Datum::Bytes(v) => Scalar::Bytes(v),
            _ => Scalar::Null,
        }),
    }
}

/// The elements called `tag` that are not inside of another, in a text that need not be well-formed:
/// `None` is one that has no end, and the last.
struct Records<'a> {
    text: &'a str,
    tag: &'a str,
    at: usize,
}

/// What stands at a `<`.
enum Markup {
    /// A comment, a declaration, character data, or an element of another name.
    Other,
    Open,
    /// An element without contents.
    Empty,
    Close,
}

impl<'a> Records<'a> {
    fn new(text: &'a str, tag: &'a str) -> Self {
        Records { text, tag, at: 0 }
    }

    /// The next markup: where it begins, where it ends, what it is.
    fn markup(&self, from: usize) -> Option<(usize, usize, Markup)> {
        let start = from + self.text.get(from..)?.find('<')?;
        let rest = &self.text[start..];
        for (open, close) in [("<!--", "-->"), ("<![CDATA[", "]]>"), ("<?", "?>")] {
            if let Some(inside) = rest.strip_prefix(open) {
                let end = inside.find(close)? + open.len() + close.len();
                return Some((start, start + end, Markup::Other));
            }
        }
        let length = tag_length(rest)?;
        let kind = match (self.is_ours(&rest[1..]), rest.strip_prefix("</")) {
            (true, _) if rest[..length].ends_with("/>") => Markup::Empty,
            (true, _) => Markup::Open,
            (false, Some(name)) if self.is_ours(name) => Markup::Close,
            _ => Markup::Other,
        };
        Some((start, start + length, kind))
    }

    fn is_ours(&self, name: &str) -> bool {
        let behind = name.strip_prefix(self.tag).and_then(|rest| rest.chars().next());
        behind.is_some_and(|c| c.is_whitespace() || c == '>' || c == '/')
    }
}

/// How long the tag is that a text begins with; quoted values may hold `>`.
fn tag_length(text: &str) -> Option<usize> {
    let mut quote = None;
    for (i, b) in text.bytes().enumerate() {
        match (quote, b) {
            (Some(q), _) if q == b => quote = None,
            (None, b'"' | b'\'') => quote = Some(b),
            (None, b'>') => return Some(i + 1),
            _ => {}
        }
    }
    None
}

impl<'a> Iterator for Records<'a> {
    type Item = Option<&'a str>;

    fn next(&mut self) -> Option<Option<&'a str>> {
        let (mut depth, mut first) = (0usize, 0);
        while let Some((start, end, kind)) = self.markup(self.at) {
            self.at = end;
            if depth == 0 && !matches!(kind, Markup::Close | Markup::Other) {
                first = start;
            }
            match kind {
                Markup::Open => depth += 1,
                Markup::Close if depth == 1 => return Some(Some(&self.text[first..end])),
                Markup::Close => depth = depth.saturating_sub(1),
                Markup::Empty if depth == 0 => return Some(Some(&self.text[first..end])),
                Markup::Empty | Markup::Other => {}
            }
        }
        self.at = self.text.len();
        (depth > 0).then_some(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_found() {
        let check = |text: &str, expect: &[Option<&str>]| {
            assert_eq!(Records::new(text, "r").collect::<Vec<_>>(), expect, "{text}");
        };
        check("<x><r>1</r> <r a='>'/><rr/><r >2</r></x>", &[Some("<r>1</r>"), Some("<r a='>'/>"), Some("<r >2</r>")]);
        check("<r><r>1</r></r>", &[Some("<r><r>1</r></r>")]);
        check("<r><![CDATA[</r>]]><!-- </r> --></r>", &[Some("<r><![CDATA[</r>]]><!-- </r> --></r>")]);
        check("<!-- <r>1</r> --><r>2</r><r>3", &[Some("<r>2</r>"), None]);
        check("</r><r>1</r><", &[Some("<r>1</r>")]);
        check("", &[]);
    }
}
