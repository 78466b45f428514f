//! CSV records: their fields, and the fields as values.

use serde::{Deserialize, Serialize};
use spark::Result;
use spark::types::DataType;

use super::builder::{Builders, Scalar};
use super::{RowFormat, malformed};
use crate::source::Options;

/// Where a field ends, and what follows.
enum End<'a> {
    Field(&'a str),
    Record(&'a str),
}

/// What follows the first line.
fn after_line(text: &str) -> &str {
    text.split_once('\n').map_or("", |(_, rest)| rest)
}

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
            header: o.csv_bool("header", false)?,
            infer_schema: o.csv_bool("inferSchema", false)?,
            prefer_date: o.csv_bool("preferDate", true)?,
            trim_left: o.csv_bool("ignoreLeadingWhiteSpace", false)?,
            trim_right: o.csv_bool("ignoreTrailingWhiteSpace", false)?,
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
        let mut rest = text;
        while !rest.is_empty() {
            // A comment ends with its line, whatever is in it.
            let comment = self.comment.is_some_and(|c| rest.starts_with(c));
            let next = if comment { after_line(rest) } else { self.split(rest, true).1 };
            records.push(rest[..rest.len() - next.len()].trim_end_matches('\n').trim_end_matches('\r'));
            rest = next;
        }
        records
    }

    /// The fields of a record; `None` for nulls.
    pub fn fields(&self, record: &str) -> Vec<Option<String>> {
        self.split(record, false).0
    }

    /// The fields of the first record and what follows it. Where `lines`, a line end outside of quotes ends
    /// a record; else the text is one.
    fn split<'a>(&self, text: &'a str, lines: bool) -> (Vec<Option<String>>, &'a str) {
        let mut fields = Vec::new();
        let mut rest = text;
        loop {
            let (field, end) = self.field(rest, lines);
            fields.push(field);
            match end {
                End::Field(next) => rest = next,
                End::Record(next) => return (fields, next),
            }
        }
    }

    /// The first field, and how it ends.
    fn field<'a>(&self, text: &'a str, lines: bool) -> (Option<String>, End<'a>) {
        let start = if self.trim_left { text.trim_start_matches([' ', '\t']) } else { text };
        if let Some(quote) = self.quote
            && let Some(body) = start.strip_prefix(quote)
        {
            let (value, end) = self.quoted(body, quote, lines);
            let value = if value.is_empty() { self.empty.clone() } else { value };
            return ((value != self.null).then_some(value), end);
        }
        let (value, end) = self.plain(start, lines);
        let value = if self.trim_right { value.trim_end_matches([' ', '\t']) } else { value };
        // Nothing at all is a null, whatever stands for one.
        ((!value.is_empty() && value != self.null).then(|| value.to_string()), end)
    }

    /// A value up to the separator or the end of the record.
    fn plain<'a>(&self, text: &'a str, lines: bool) -> (&'a str, End<'a>) {
        let separator = text.find(&self.separator);
        let line = if lines { text.find('\n') } else { None };
        match (separator, line) {
            (Some(at), line) if line.is_none_or(|l| at < l) => {
                (&text[..at], End::Field(&text[at + self.separator.len()..]))
            }
            (_, Some(at)) => (text[..at].trim_end_matches('\r'), End::Record(&text[at + 1..])),
            _ => (text, End::Record("")),
        }
    }

    /// What follows a closing quote: the separator or the end of the record; `None` if it closes nothing.
    fn after_quote<'a>(&self, rest: &'a str, lines: bool) -> Option<End<'a>> {
        let after = rest.trim_start_matches(' ');
        if after.is_empty() {
            return Some(End::Record(""));
        }
        if let Some(next) = after.strip_prefix(self.separator.as_str()) {
            return Some(End::Field(next));
        }
        let line = after.strip_prefix('\r').unwrap_or(after).strip_prefix('\n').filter(|_| lines);
        line.map(End::Record)
    }

    /// A quoted field's value, up to its closing quote. A quote inside that nothing escapes makes it a plain
    /// value, its quotes and all; where no quote closes it, the rest of the text is the value.
    fn quoted<'a>(&self, body: &'a str, quote: char, lines: bool) -> (String, End<'a>) {
        let mut value = String::new();
        let mut chars = body.char_indices().peekable();
        while let Some((i, c)) = chars.next() {
            let next = chars.peek().map(|(_, n)| *n);
            if Some(c) == self.escape && c != quote && (next == Some(quote) || next == self.escape) {
                value.extend(next);
                chars.next();
            } else if c != quote {
                value.push(c);
            } else if self.escape == Some(quote) && next == Some(quote) {
                value.push(quote);
                chars.next();
            } else {
                if let Some(end) = self.after_quote(&body[i + c.len_utf8()..], lines) {
                    return (value, end);
                }
                let (plain, end) = self.plain(&body[i..], lines);
                return (format!("{quote}{value}{plain}"), end);
            }
        }
        (value, End::Record(""))
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

    #[test]
    fn quotes_that_close_nothing() {
        for (record, expect) in [
            (r#""a""b",c"#, vec![r#""a""b""#, "c"]),
            (r#""open,c"#, vec!["open,c"]),
            (r#"x"y,z"#, vec![r#"x"y"#, "z"]),
            (r#""a" ,b"#, vec!["a", "b"]),
        ] {
            let found: Vec<String> = fields(record, &[]).into_iter().flatten().collect();
            assert_eq!(found, expect, "{record}");
        }
        assert_eq!(fields(",\"\",x", &[("nullValue", "x"), ("emptyValue", "E")]), [None, Some("E".to_string()), None]);
    }
}
