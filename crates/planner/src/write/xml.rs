//! XML files: rows as elements below a root.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StructArray};
use functions::error::from_datafusion;
use functions::families::text_data::cells::Cells;
use functions::families::text_data::options::OptionMap;
use functions::families::xml::write::Writer;
use spark::types::{DataType, StructField, StructType};
use spark::{Error, ErrorKind, Result};

use super::WriteSpec;
use crate::source::rows::row_tag;

/// How a file begins where the options do not say.
const DECLARATION: &str = r#"version="1.0" encoding="UTF-8" standalone="yes""#;

/// How XML is laid out.
pub(super) struct XmlForm {
    writer: Writer,
    declaration: String,
    root: String,
    indent: String,
    started: bool,
}

/// Refuses columns that are no elements.
///
/// # Errors
/// `TASK_WRITE_FAILED`, as in Spark, which finds out while it writes; `UNSUPPORTED_DATA_TYPE_FOR_DATASOURCE`.
pub(super) fn check(field: &StructField) -> Result<()> {
    let valid = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':');
    let starts = field.name.starts_with(|c: char| c.is_alphabetic() || c == '_' || c == ':');
    if !starts || !field.name.chars().all(valid) {
        return Err(failed(format!("`{}` is no name of an element", field.name)));
    }
    if field.data_type == DataType::Binary {
        return Err(super::unsupported_type("XML", &field.name, &field.data_type));
    }
    if field.data_type.is_ansi_interval() || field.data_type == DataType::CalendarInterval {
        return Err(failed(format!("XML has no form for the type {}", field.data_type.sql())));
    }
    Ok(())
}

fn failed(why: String) -> Error {
    Error::new(ErrorKind::Spark, "TASK_WRITE_FAILED").with_message(format!("A file could not be written: {why}."))
}

impl XmlForm {
    pub(super) fn new(spec: &WriteSpec) -> Result<Self> {
        row_tag(&spec.options)?;
        let options = OptionMap::from_pairs(spec.options.pairs().iter().cloned());
        let own = |key: &str, default: &str| options.get(key).unwrap_or(default).to_string();
        let (declaration, root, indent) =
            (own("declaration", DECLARATION), own("rootTag", "ROWS"), own("indent", "    "));
        let writer = Writer::new(&options, &spec.time_zone).map_err(from_datafusion)?;
        Ok(XmlForm { writer, declaration, root, indent, started: false })
    }

    /// Adds rows; the first ones open the root.
    pub(super) fn batch(&mut self, batch: &RecordBatch, schema: &StructType, out: &mut Vec<u8>) -> Result<()> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        if !std::mem::replace(&mut self.started, true) {
            if !self.declaration.is_empty() {
                out.extend_from_slice(format!("<?xml {}?>\n", self.declaration).as_bytes());
            }
            out.extend_from_slice(format!("<{}>", self.root).as_bytes());
        }
        let rows: ArrayRef = Arc::new(StructArray::from(batch.clone()));
        let cells = Cells::new(&rows, &DataType::Struct(schema.clone())).map_err(from_datafusion)?;
        let mut text = String::new();
        for row in 0..batch.num_rows() {
            text.clear();
            self.writer.row_below(&cells, row, &mut text).map_err(from_datafusion)?;
            out.extend_from_slice(text.as_bytes());
        }
        Ok(())
    }

    /// Closes the root, if there is one: a file without rows is empty.
    pub(super) fn finish(&self, out: &mut Vec<u8>) {
        if self.started {
            let name = self.root.split_whitespace().next().unwrap_or_default();
            let line = if self.indent.is_empty() { "" } else { "\n" };
            out.extend_from_slice(format!("{line}</{name}>").as_bytes());
        }
    }
}
