//! CSV records: their fields, and the fields as values.

use serde::{Deserialize, Serialize};
use spark::Result;
use spark::types::DataType;

use super::builder::{Builders, Scalar};
use super::{RowFormat, malformed};
use crate::source::Options;

/// How the fields of a record are told apart.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Csv {
    separator: String,
    quote: Option<char>,
    escape: Option<char>,
    comment: Option<char>,
    pub header: bool,
    pub infer_schema: bool,
    pub prefer_date: bool,
    trim_left: bool,
    trim_right: bool,
    null: String,
    empty: String,
    multi_line: bool,
}

impl Csv {
    pub fn new(o: &Options, multi_line: bool) -> Result<Self> {
        let separator = o.any(&["sep", "delimiter"]).unwrap_or(",").replace("\\t", "\t");
        Ok(Csv {
            separator: if separator.is_empty() { ",".into() } else { separator },
            quote: o.char("quote", Some('"'))?,
            escape: o.char("escape", Some('\\'))?,
            comment: o.char("comment", None)?,
            header: o.bool("header", false)?,
            infer_schema: o.bool("inferSchema", false)?,
            prefer_date: o.bool("preferDate", true)?,
            trim_left: o.bool("ignoreLeadingWhiteSpace", false)?,
            trim_right: o.bool("ignoreTrailingWhiteSpace", false)?,
            null: o.get("nullValue").unwrap_or("").to_string(),
            empty: o.get("emptyValue").unwrap_or("").to_string(),
            multi_line,
        })
    }

    /// Whether a record is no data: empty or a comment.
    pub fn is_skipped(&self, record: &str) -> bool {
        record.trim().is_empty() || self.comment.is_some_and(|c| record.starts_with(c))
    }

    /// The records of a text in which quoted fields may hold line ends.
    pub fn records<'a>(&self, text: &'a str) -> Vec<&'a str> {
        let mut records = Vec::new();
        let (mut start, mut quoted, mut escaped) = (0, false, false);
        for (i, c) in text.char_indices() {
            if escaped {
                escaped = false;
            } else if quoted && Some(c) == self.escape && self.escape != self.quote {
                escaped = true;
            } else if Some(c) == self.quote {
                quoted = !quoted;
            } else if c == '\n' && !quoted {
                records.push(text[start..i].trim_end_matches('\r'));
                start = i + 1;
            }
        }
        if start < text.len() {
            records.push(&text[start..]);
        }
        records
    }

    /// The fields of a record; `None` for nulls.
    pub fn fields(&self, record: &str) -> Vec<Option<String>> {
        let mut fields = Vec::new();
        let mut rest = record;
        loop {
            let (field, next) = self.field(rest);
            fields.push(field);
            match next {
                Some(next) => rest = next,
                None => return fields,
            }
        }
    }

    /// The first field, and what follows the separator behind it.
    fn field<'a>(&self, text: &'a str) -> (Option<String>, Option<&'a str>) {
        let start = if self.trim_left { text.trim_start_matches([' ', '\t']) } else { text };
        if let Some(quote) = self.quote
            && let Some(body) = start.strip_prefix(quote)
            && let Some((value, rest)) = self.quoted(body, quote)
        {
            let value = if value.is_empty() { self.empty.clone() } else { value };
            return (self.null_or(value), rest);
        }
        let (value, rest) = match start.find(&self.separator) {
            Some(at) => (&start[..at], Some(&start[at + self.separator.len()..])),
            None => (start, None),
        };
        let value = if self.trim_right { value.trim_end_matches([' ', '\t']) } else { value };
        (self.null_or(value.to_string()), rest)
    }

    fn null_or(&self, value: String) -> Option<String> {
        (value != self.null && !(value.is_empty() && self.null.is_empty())).then_some(value)
    }

    /// A quoted field's value, up to its closing quote; `None` if nothing closes it properly.
    fn quoted<'a>(&self, body: &'a str, quote: char) -> Option<(String, Option<&'a str>)> {
        let mut value = String::new();
        let mut chars = body.char_indices().peekable();
        while let Some((i, c)) = chars.next() {
            let next = chars.peek().map(|(_, n)| *n);
            if Some(c) == self.escape && c != quote && (next == Some(quote) || next == self.escape) {
                value.extend(next);
                chars.next();
            } else if c == quote {
                let rest = &body[i + c.len_utf8()..];
                let after = rest.trim_start_matches(' ');
                if after.is_empty() {
                    return Some((value, None));
                }
                if let Some(next) = after.strip_prefix(self.separator.as_str()) {
                    return Some((value, Some(next)));
                }
                if self.escape == Some(quote) && next == Some(quote) {
                    value.push(quote);
                    chars.next();
                    continue;
                }
                // A quote inside that nothing escapes belongs to the value.
                value.push(c);
            } else {
                value.push(c);
            }
        }
        None
    }

    pub(super) fn read(&self, format: &RowFormat, record: &str, first_of_file: bool, out: &mut Builders) -> Result<()> {
        if self.multi_line {
            for (i, record) in self.records(record).into_iter().filter(|r| !self.is_skipped(r)).enumerate() {
                if i > 0 || !self.header {
                    self.row(format, record, out)?;
                }
            }
            return Ok(());
        }
        if self.is_skipped(record) || (first_of_file && self.header) {
            return Ok(());
        }
        self.row(format, record, out)
    }

    fn row(&self, format: &RowFormat, record: &str, out: &mut Builders) -> Result<()> {
        let tokens = self.fields(record);
        let corrupt = format.schema.fields.iter().position(|f| f.name == format.corrupt_column);
        let expected = format.schema.fields.len() - usize::from(corrupt.is_some());
        let mut bad = tokens.len() != expected;
        let mut values = Vec::with_capacity(out.fields.len());
        for &field in &out.fields {
            if corrupt == Some(field) {
                values.push(Scalar::Null);
                continue;
            }
            // The corrupt column has no token, wherever it stands.
            let at = field - usize::from(corrupt.is_some_and(|c| c < field));
            let ty = &format.schema.fields[field].data_type;
            values.push(match tokens.get(at).and_then(Option::as_deref) {
                None => Scalar::Null,
                Some(token) => value(format, token, ty).unwrap_or_else(|| {
                    bad = true;
                    Scalar::Null
                }),
            });
        }
        if bad && !malformed(format, record)? {
            return Ok(());
        }
        for ((column, &field), value) in out.columns.iter_mut().zip(&out.fields).zip(values) {
            if bad && corrupt == Some(field) { column.append_string(record) } else { column.append(value) }
        }
        out.rows += 1;
        Ok(())
    }
}

fn value(format: &RowFormat, token: &str, ty: &DataType) -> Option<Scalar> {
    format.readers.value(token, ty)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(record: &str, options: &[(&str, &str)]) -> Vec<Option<String>> {
        let pairs: Vec<(String, String)> = options.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        Csv::new(&Options::new(&pairs), false).unwrap().fields(record)
    }

    #[test]
    fn records_are_cut_into_fields() {
        let some = |v: &[&str]| v.iter().map(|s| (!s.is_empty()).then(|| s.to_string())).collect::<Vec<_>>();
        assert_eq!(fields("a,b,,", &[]), some(&["a", "b", "", ""]));
        assert_eq!(fields("\"a,b\",\"c\\\"d\",e\"f", &[]), some(&["a,b", "c\"d", "e\"f"]));
        assert_eq!(fields("\"a\"\"b\",c", &[("escape", "\"")]), some(&["a\"b", "c"]));
        assert_eq!(fields("a||b", &[("sep", "||")]), some(&["a", "b"]));
        assert_eq!(
            fields(
                "NA, x ",
                &[("nullValue", "NA"), ("ignoreLeadingWhiteSpace", "true"), ("ignoreTrailingWhiteSpace", "true")]
            ),
            some(&["", "x"])
        );
    }

    #[test]
    fn quoted_line_ends_stay_inside() {
        let csv = Csv::new(&Options::default(), true).unwrap();
        assert_eq!(csv.records("a,\"b\nc\"\r\nd"), ["a,\"b\nc\"", "d"]);
    }
}
