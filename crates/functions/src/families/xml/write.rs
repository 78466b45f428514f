//! Values as XML: `to_xml`.

use std::ops::Range;

use datafusion::common::Result;
use spark::types::StructField;

use crate::families::csv::write_simple;
use crate::families::text_data::cells::{Cells, range};
use crate::families::text_data::options::OptionMap;
use crate::families::text_data::stamp::Stamps;

/// Writes values by options.
pub struct Writer {
    stamps: Stamps,
    row_tag: String,
    indent: String,
    attribute_prefix: String,
    value_tag: String,
    null: Option<String>,
    array_element: String,
}

impl Writer {
    /// A writer in the session's zone.
    ///
    /// # Errors
    /// For options that make no sense.
    pub fn new(options: &OptionMap, zone: &str) -> Result<Writer> {
        Ok(Writer {
            stamps: Stamps::new(options, zone, false)?,
            row_tag: options.get("rowTag").unwrap_or("ROW").to_string(),
            indent: options.get("indent").unwrap_or("    ").to_string(),
            attribute_prefix: options.get("attributePrefix").unwrap_or("_").to_string(),
            value_tag: options.get("valueTag").unwrap_or("_VALUE").to_string(),
            null: options.get("nullValue").map(str::to_string),
            array_element: options.get("arrayElementName").unwrap_or("item").to_string(),
        })
    }

    /// One row.
    ///
    /// # Errors
    /// For values that have no text.
    pub fn row(&self, cells: &Cells, row: usize, out: &mut String) -> Result<()> {
        self.element(&self.row_tag, cells, row, 0, out)?;
        if self.indent.is_empty() {
            out.push('\n');
        }
        Ok(())
    }

    /// One row on lines of its own below a root element.
    ///
    /// # Errors
    /// For values that have no text.
    pub fn row_below(&self, cells: &Cells, row: usize, out: &mut String) -> Result<()> {
        // Elements begin new lines behind what there is.
        out.push(' ');
        self.element(&self.row_tag, cells, row, 1, out)?;
        out.remove(0);
        Ok(())
    }

    fn line(&self, depth: usize, out: &mut String) {
        if !self.indent.is_empty() && !out.is_empty() {
            out.push('\n');
            out.extend(std::iter::repeat_n(self.indent.as_str(), depth));
        }
    }

    fn element(&self, name: &str, cells: &Cells, row: usize, depth: usize, out: &mut String) -> Result<()> {
        if cells.is_null(row) {
            if let Some(null) = &self.null {
                self.line(depth, out);
                out.push_str(&format!("<{name}>{}</{name}>", escaped(null)));
            }
            return Ok(());
        }
        if let Cells::List(list, items) = cells {
            return range(list.value_offsets(), row).try_for_each(|i| self.item(name, items, i, depth, out));
        }
        self.line(depth, out);
        out.push_str(&format!("<{name}"));
        match cells {
            Cells::Row(_, fields) => self.fields(fields, row, depth, out)?,
            Cells::Map(map, keys, values) => {
                out.push('>');
                self.entries(range(map.value_offsets(), row), keys, values, depth, out)?;
            }
            Cells::Variant(_, value, metadata) => {
                out.push('>');
                let mut text = String::new();
                let (value, metadata) = (value.value(row), metadata.value(row));
                crate::families::variant::write_json(value, metadata, self.stamps.zone, &mut text)?;
                out.push_str(&escaped(&text));
            }
            _ => {
                out.push('>');
                out.push_str(&escaped(&self.text(cells, row)?));
            }
        }
        out.push_str(&format!("</{name}>"));
        Ok(())
    }

    /// An item of a list: an element of the list's name, but a list in a list has elements of its own.
    fn item(&self, name: &str, items: &Cells, i: usize, depth: usize, out: &mut String) -> Result<()> {
        if !matches!(items, Cells::List(..)) {
            return self.element(name, items, i, depth, out);
        }
        self.line(depth, out);
        out.push_str(&format!("<{name}>"));
        self.element(&self.array_element, items, i, depth + 1, out)?;
        self.line(depth, out);
        out.push_str(&format!("</{name}>"));
        Ok(())
    }

    /// What stands in the opening tag of a struct, and behind it.
    fn fields(&self, fields: &[(StructField, Cells)], row: usize, depth: usize, out: &mut String) -> Result<()> {
        for (field, cells) in fields {
            if let Some(attribute) = self.attribute(&field.name).filter(|_| !cells.is_null(row)) {
                out.push_str(&format!(" {attribute}=\"{}\"", escaped_attribute(&self.text(cells, row)?)));
            }
        }
        out.push('>');
        let start = out.len();
        let mut nested = false;
        for (field, cells) in fields.iter().filter(|(f, _)| self.attribute(&f.name).is_none()) {
            if field.name == self.value_tag {
                out.push_str(&escaped(&self.text(cells, row)?));
            } else {
                self.element(&field.name, cells, row, depth + 1, out)?;
                nested = true;
            }
        }
        if nested && out.len() > start {
            self.line(depth, out);
        }
        Ok(())
    }

    /// An element for each entry of a map, named as its key.
    fn entries(
        &self,
        entries: Range<usize>,
        keys: &Cells,
        values: &Cells,
        depth: usize,
        out: &mut String,
    ) -> Result<()> {
        let any = !entries.is_empty();
        for i in entries {
            self.element(&self.text(keys, i)?, values, i, depth + 1, out)?;
        }
        if any {
            self.line(depth, out);
        }
        Ok(())
    }

    fn text(&self, cells: &Cells, row: usize) -> Result<String> {
        let mut text = String::new();
        write_simple(cells, row, &self.stamps, &mut text)?;
        Ok(text)
    }

    /// The attribute a field is written as.
    fn attribute<'a>(&self, name: &'a str) -> Option<&'a str> {
        if name == self.value_tag || self.attribute_prefix.is_empty() {
            return None;
        }
        name.strip_prefix(self.attribute_prefix.as_str()).filter(|n| !n.is_empty())
    }
}

fn escaped(text: &str) -> std::borrow::Cow<'_, str> {
    match text.contains(['&', '<']) {
        true => text.replace('&', "&amp;").replace('<', "&lt;").into(),
        false => text.into(),
    }
}

fn escaped_attribute(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}
