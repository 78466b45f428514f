//! Values as JSON: `to_json`.

use datafusion::common::Result;
use spark::types::DataType;

use super::parse::write_string;
use crate::families::text_data::cells::{Cells, range};
use crate::families::text_data::number::{write_decimal, write_double, write_float};
use crate::families::text_data::options::OptionMap;
use crate::families::text_data::scalars;
use crate::families::text_data::stamp::Stamps;

/// Writes values by options.
pub struct Writer {
    pub stamps: Stamps,
    ignore_nulls: bool,
    pretty: bool,
    sort_keys: bool,
    escape_unicode: bool,
}

impl Writer {
    /// A writer in the session's zone.
    ///
    /// # Errors
    /// For options that make no sense.
    pub fn new(options: &OptionMap, ignore_nulls: bool, zone: &str) -> Result<Writer> {
        Ok(Writer {
            stamps: Stamps::new(options, zone, false)?,
            ignore_nulls: options.flag("ignoreNullFields", ignore_nulls),
            pretty: options.flag("pretty", false),
            sort_keys: options.flag("sortKeys", false),
            escape_unicode: options.flag("writeNonAsciiCharacterAsCodePoint", false),
        })
    }

    /// Writes one value.
    ///
    /// # Errors
    /// For date patterns that cannot be written.
    pub fn value(&self, cells: &Cells, row: usize, out: &mut String) -> Result<()> {
        self.nested(cells, row, 0, out)
    }

    fn nested(&self, cells: &Cells, row: usize, depth: usize, out: &mut String) -> Result<()> {
        if cells.is_null(row) {
            out.push_str("null");
            return Ok(());
        }
        match cells {
            Cells::Row(_, fields) => {
                let mut fields: Vec<_> =
                    fields.iter().filter(|(_, c)| !(self.ignore_nulls && c.is_null(row))).collect();
                if self.sort_keys {
                    fields.sort_by(|a, b| a.0.name.cmp(&b.0.name));
                }
                self.block('{', '}', depth, fields.len(), out, |i, out| {
                    self.name(&fields[i].0.name, out);
                    self.nested(&fields[i].1, row, depth + 1, out)
                })
            }
            Cells::Map(map, keys, values) => {
                let entries = range(map.value_offsets(), row);
                let mut order: Vec<(usize, String)> = Vec::with_capacity(entries.len());
                for i in entries {
                    let mut key = String::new();
                    self.key(keys, i, &mut key)?;
                    order.push((i, key));
                }
                if self.sort_keys {
                    order.sort_by(|a, b| a.1.cmp(&b.1));
                }
                self.block('{', '}', depth, order.len(), out, |i, out| {
                    self.name(&order[i].1, out);
                    self.nested(values, order[i].0, depth + 1, out)
                })
            }
            Cells::List(list, items) => {
                let entries = range(list.value_offsets(), row);
                let start = entries.start;
                // Pretty printing leaves arrays on one line.
                out.push('[');
                for i in entries {
                    if i > start {
                        out.push(',');
                    }
                    if self.pretty {
                        out.push(' ');
                    }
                    self.nested(items, i, depth + 1, out)?;
                }
                if self.pretty {
                    out.push(' ');
                }
                out.push(']');
                Ok(())
            }
            _ => self.scalar(cells, row, out),
        }
    }

    fn block(
        &self,
        open: char,
        close: char,
        depth: usize,
        count: usize,
        out: &mut String,
        mut item: impl FnMut(usize, &mut String) -> Result<()>,
    ) -> Result<()> {
        out.push(open);
        for i in 0..count {
            if i > 0 {
                out.push(',');
            }
            if self.pretty {
                out.push('\n');
                out.extend(std::iter::repeat_n("  ", depth + 1));
            }
            item(i, out)?;
        }
        if self.pretty && count > 0 {
            out.push('\n');
            out.extend(std::iter::repeat_n("  ", depth));
        } else if self.pretty {
            out.push(' ');
        }
        out.push(close);
        Ok(())
    }

    fn name(&self, name: &str, out: &mut String) {
        self.string(name, out);
        out.push_str(if self.pretty { " : " } else { ":" });
    }

    fn string(&self, text: &str, out: &mut String) {
        if !self.escape_unicode || text.is_ascii() {
            return write_string(text, out);
        }
        let mut quoted = String::new();
        write_string(text, &mut quoted);
        for c in quoted.chars() {
            if c.is_ascii() {
                out.push(c);
            } else {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    out.push_str(&format!("\\u{unit:04X}"));
                }
            }
        }
    }

    fn scalar(&self, cells: &Cells, row: usize, out: &mut String) -> Result<()> {
        match cells {
            Cells::Bool(a) => out.push_str(if a.value(row) { "true" } else { "false" }),
            Cells::Int(a, _) => out.push_str(&a.value(row).to_string()),
            Cells::Float(a) => number(a.value(row).is_finite(), out, |out| write_float(a.value(row), out)),
            Cells::Double(a) => number(a.value(row).is_finite(), out, |out| write_double(a.value(row), out)),
            Cells::Decimal(a, _, scale) => write_decimal(a.value(row), *scale, out),
            Cells::Text(a) => self.string(a.value(row), out),
            Cells::Bytes(a) => {
                use base64::Engine;
                out.push('"');
                base64::engine::general_purpose::STANDARD.encode_string(a.value(row), out);
                out.push('"');
            }
            Cells::Date(a) => {
                let mut text = String::new();
                self.stamps.write_date(a.value(row), &mut text);
                self.string(&text, out);
            }
            Cells::Timestamp(a) => {
                let mut text = String::new();
                self.stamps.write_timestamp(a.value(row), &mut text);
                self.string(&text, out);
            }
            Cells::TimestampNtz(a) => {
                let mut text = String::new();
                self.stamps.write_timestamp_ntz(a.value(row), &mut text);
                self.string(&text, out);
            }
            Cells::TimestampNanos(a, ltz) => {
                let mut text = String::new();
                self.stamps.write_nanos(a.value(row), *ltz, &mut text);
                self.string(&text, out);
            }
            Cells::Variant(_, value, metadata) => {
                crate::families::variant::write_json(value.value(row), metadata.value(row), self.stamps.zone, out)?;
            }
            other => self.string(&scalars::text(other, row)?, out),
        }
        Ok(())
    }

    /// A map's key as a name: as Java prints the value.
    fn key(&self, cells: &Cells, row: usize, out: &mut String) -> Result<()> {
        scalars::write_java(cells, row, out)
    }
}

/// NaN and infinities are strings.
fn number(finite: bool, out: &mut String, write: impl FnOnce(&mut String)) {
    if finite {
        return write(out);
    }
    out.push('"');
    write(out);
    out.push('"');
}

/// True if `ty` can be written: a struct, map, array or variant.
pub fn is_writable(ty: &DataType) -> bool {
    matches!(
        ty,
        DataType::Struct(_) | DataType::Map { .. } | DataType::Array { .. } | DataType::Variant | DataType::Null
    )
}
