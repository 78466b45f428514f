//! CSV records: their fields, and the fields as values.

use serde::{Deserialize, Serialize};
use spark::types::DataType;
use spark::{Error, ErrorKind, Result};

use super::builder::{Builders, Scalar};
use super::{RowFormat, malformed, single};
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
    /// Whether a time of day, and a timestamp without a zone, are types of their own to the inference.
    pub times: bool,
    pub wall_clock: bool,
    trim_left: bool,
    trim_right: bool,
    null: String,
    empty: String,
    multi_line: bool,
    /// Makes a plain character of the escape that stands behind it.
    escape_of_escape: Option<char>,
    unescaped: Unescaped,
    max_columns: usize,
    /// Characters of a field; nothing is too many where negative.
    max_chars: i64,
    /// Whether the names in a header must be the schema's (`enforceSchema=false`).
    check_header: bool,
    case_sensitive: bool,
}

/// What a quote is that stands inside of a quoted field and that nothing escapes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Unescaped {
    /// The field is plain text up to the next separator.
    StopAtDelimiter,
    /// It is a part of the value, which goes on to the quote that closes it.
    StopAtClosingQuote,
    /// The value up to the next separator is a null.
    SkipValue,
}

impl Unescaped {
    fn of(o: &Options) -> Result<Self> {
        match o.get("unescapedQuoteHandling").map(str::to_ascii_uppercase).as_deref() {
            None | Some("STOP_AT_DELIMITER") => Ok(Unescaped::StopAtDelimiter),
            Some("STOP_AT_CLOSING_QUOTE") => Ok(Unescaped::StopAtClosingQuote),
            Some("SKIP_VALUE") => Ok(Unescaped::SkipValue),
            Some(other @ ("BACK_TO_DELIMITER" | "RAISE_ERROR")) => {
                Err(Error::unsupported(format!("reading csv with unescapedQuoteHandling={other}")))
            }
            Some(other) => Err(Error::new(ErrorKind::IllegalArgument, "")
                .with_message(format!("There is no handling of unescaped quotes called {other}."))),
        }
    }
}

/// The separator that an option's value means: a backslash introduces the characters that cannot be typed.
///
/// # Errors
/// `INVALID_DELIMITER_VALUE.*`, and for an empty one.
pub(crate) fn separator(o: &Options) -> Result<String> {
    let invalid = |sub: &str, given: &str| {
        Error::new(ErrorKind::IllegalArgument, format!("INVALID_DELIMITER_VALUE.{sub}"))
            .param("str", given)
            .with_message(format!("'{given}' is no separator of fields."))
    };
    let given = o.any(&["sep", "delimiter"]).unwrap_or(",");
    if given.is_empty() {
        return Err(Error::new(ErrorKind::IllegalArgument, "").with_message("The separator of fields is empty."));
    }
    let mut out = String::new();
    let mut chars = given.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        out.push(match chars.next() {
            Some('t') => '\t',
            Some('r') => '\r',
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some(c @ ('"' | '\'' | '\\')) => c,
            Some('u') if given == "\\u0000" => return Ok("\0".to_string()),
            Some(_) => return Err(invalid("UNSUPPORTED_SPECIAL_CHARACTER", given)),
            None => return Err(invalid("SINGLE_BACKSLASH", given)),
        });
    }
    Ok(out)
}

impl Csv {
    pub fn new(o: &Options, multi_line: bool, case_sensitive: bool) -> Result<Self> {
        let escape = o.csv_char("escape", Some('\\'))?;
        let max_columns = o.csv_int("maxColumns", 20_480)?;
        let (times, wall_clock) = o.told_apart();
        Ok(Csv {
            separator: separator(o)?,
            quote: o.csv_char("quote", Some('"'))?,
            escape,
            escape_of_escape: o.csv_char("charToEscapeQuoteEscaping", None)?.or(escape),
            unescaped: Unescaped::of(o)?,
            max_columns: usize::try_from(max_columns).unwrap_or(0),
            max_chars: o.csv_int("maxCharsPerColumn", -1)?,
            check_header: !o.csv_bool("enforceSchema", true)?,
            case_sensitive,
            times,
            wall_clock,
            comment: o.csv_char("comment", None)?,
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
            let Some(value) = value else { return (None, end) };
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

    /// What follows a closing quote, maybe behind spaces: the separator or the end of the record; `None` if it
    /// closes nothing.
    fn after_quote<'a>(&self, rest: &'a str, lines: bool, spaced: bool) -> Option<End<'a>> {
        let after = if spaced { rest.trim_start_matches(' ') } else { rest };
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
    /// value, its quotes and all, unless the options say otherwise; where no quote closes it, the rest of the
    /// text is the value.
    fn quoted<'a>(&self, body: &'a str, quote: char, lines: bool) -> (Option<String>, End<'a>) {
        let mut value = String::new();
        let mut chars = body.char_indices().peekable();
        while let Some((i, c)) = chars.next() {
            let next = chars.peek().map(|(_, n)| *n);
            if Some(c) == self.escape && c != quote && next == Some(quote) {
                value.extend(next);
                chars.next();
            } else if Some(c) == self.escape_of_escape && c != quote && next.is_some() && next == self.escape {
                value.extend(next);
                chars.next();
            } else if c != quote {
                value.push(c);
            } else if self.escape == Some(quote) && next == Some(quote) {
                value.push(quote);
                chars.next();
            } else {
                let spaced = self.unescaped != Unescaped::StopAtClosingQuote;
                if let Some(end) = self.after_quote(&body[i + c.len_utf8()..], lines, spaced) {
                    return (Some(value), end);
                }
                if self.unescaped == Unescaped::StopAtClosingQuote {
                    value.push(c);
                    continue;
                }
                let (plain, end) = self.plain(&body[i..], lines);
                let kept = self.unescaped == Unescaped::StopAtDelimiter;
                return (kept.then(|| format!("{quote}{value}{plain}")), end);
            }
        }
        (Some(value), End::Record(""))
    }

    pub(super) fn read(&self, format: &RowFormat, record: &str, first_of_file: bool, out: &mut Builders) -> Result<()> {
        if self.multi_line {
            for (i, record) in self.records(record).into_iter().filter(|r| !self.is_skipped(r)).enumerate() {
                self.line(format, record, i == 0, out)?;
            }
            return Ok(());
        }
        if self.is_skipped(record) {
            return Ok(());
        }
        self.line(format, record, first_of_file, out)
    }

    /// A record that is none to skip: the header or a row.
    fn line(&self, format: &RowFormat, record: &str, first_of_file: bool, out: &mut Builders) -> Result<()> {
        let tokens = self.fields(record);
        self.check_size(record, &tokens)?;
        if first_of_file {
            let names = self.header.then_some(tokens.as_slice());
            out.header = (0..tokens.len()).map(|i| header_name(names, i)).collect();
        }
        if first_of_file && self.header {
            return if self.check_header { self.conform(format, &tokens, out) } else { Ok(()) };
        }
        match format.single_variant {
            Some(_) => self.variant_row(format, record, &tokens, out),
            None => self.row(format, record, tokens, out),
        }
    }

    /// Refuses records that are larger than the options allow.
    ///
    /// # Errors
    /// `MALFORMED_CSV_RECORD`.
    pub(super) fn check_size(&self, record: &str, tokens: &[Option<String>]) -> Result<()> {
        let most = usize::try_from(self.max_chars).unwrap_or(usize::MAX);
        // Bytes are counted first, which is cheap: there are at least as many as characters.
        let long = |t: &String| t.len() > most && t.chars().count() > most;
        if tokens.len() <= self.max_columns && !tokens.iter().flatten().any(long) {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Runtime, "MALFORMED_CSV_RECORD")
            .param("badRecord", record)
            .with_message("A CSV record has more or longer fields than maxColumns and maxCharsPerColumn allow."))
    }

    /// Checks that a header has the names of the columns that are read.
    fn conform(&self, format: &RowFormat, header: &[Option<String>], out: &Builders) -> Result<()> {
        let names: Vec<&str> =
            format.schema.fields.iter().filter(|f| f.name != format.corrupt_column).map(|f| f.name.as_str()).collect();
        let read = out.fields.iter().filter(|i| format.schema.fields[**i].name != format.corrupt_column);
        let read: Vec<usize> =
            read.filter_map(|i| names.iter().position(|n| *n == format.schema.fields[*i].name)).collect();
        // Where some columns are not read, neither are their names.
        if read.len() == names.len() && header.len() != names.len() {
            return Err(nonconforming(header, &names, "the numbers of names differ"));
        }
        for at in read {
            let (found, wanted) = (header.get(at).and_then(Option::as_deref).unwrap_or(""), names[at]);
            if !crate::source::same_name(found, wanted, self.case_sensitive) {
                return Err(nonconforming(header, &names, &format!("{found} stands where {wanted} is expected")));
            }
        }
        Ok(())
    }

    fn variant_row(
        &self,
        format: &RowFormat,
        record: &str,
        tokens: &[Option<String>],
        out: &mut Builders,
    ) -> Result<()> {
        let width = out.header.len();
        let named: Vec<String> = match self.header {
            true => out.header.clone(),
            false => (0..tokens.len()).map(|i| header_name(None, i)).collect(),
        };
        let value = single::object(&named, tokens, &mut out.kinds, &format.readers);
        let whole = !self.header || tokens.len() == width;
        single::row(format, record, value, whole, out)
    }

    fn row(&self, format: &RowFormat, record: &str, tokens: Vec<Option<String>>, out: &mut Builders) -> Result<()> {
        let corrupt = format.schema.fields.iter().position(|f| f.name == format.corrupt_column);
        let expected = format.schema.fields.len() - usize::from(corrupt.is_some());
        let mut bad = tokens.len() != expected;
        let mut values = Vec::with_capacity(out.fields.len());
        for (&field, absent) in out.fields.iter().zip(&out.absent) {
            if corrupt == Some(field) {
                values.push(Scalar::Null);
                continue;
            }
            // The corrupt column has no token, wherever it stands.
            let at = field - usize::from(corrupt.is_some_and(|c| c < field));
            let ty = &format.schema.fields[field].data_type;
            values.push(match tokens.get(at).map(Option::as_deref) {
                None => absent.clone(),
                Some(None) => Scalar::Null,
                Some(_) if *ty == DataType::Variant => Scalar::Null,
                Some(Some(token)) => value(format, token, ty).unwrap_or_else(|| {
                    bad = true;
                    Scalar::Null
                }),
            });
        }
        if bad && !malformed(format, record)? {
            return Ok(());
        }
        out.kinds.resize(format.schema.fields.len(), single::Kind::default());
        for ((column, &field), value) in out.columns.iter_mut().zip(&out.fields).zip(values) {
            let at = field - usize::from(corrupt.is_some_and(|c| c < field));
            if bad && corrupt == Some(field) {
                column.append_string(record);
            } else if format.schema.fields[field].data_type == DataType::Variant {
                let token = tokens.get(at).and_then(Option::as_deref);
                let node = token.map(|t| single::field(Some(t), &mut out.kinds[field], &format.readers).encode());
                single::append(column, node);
            } else {
                column.append(value);
            }
        }
        out.rows += 1;
        Ok(())
    }
}

/// The name of a column by the file's header, if it has one.
fn header_name(header: Option<&[Option<String>]>, at: usize) -> String {
    let name = header.and_then(|names| names.get(at)).and_then(Option::clone);
    name.unwrap_or_else(|| format!("_c{at}"))
}

/// A header whose names are not the schema's.
fn nonconforming(header: &[Option<String>], names: &[&str], why: &str) -> Error {
    let found: Vec<&str> = header.iter().map(|n| n.as_deref().unwrap_or("")).collect();
    Error::new(ErrorKind::IllegalArgument, "").with_message(format!(
        "The CSV header does not conform to the schema: {why} (header: {}; schema: {})",
        found.join(", "),
        names.join(", ")
    ))
}

fn value(format: &RowFormat, token: &str, ty: &DataType) -> Option<Scalar> {
    format.readers.value(token, ty)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(record: &str, options: &[(&str, &str)]) -> Vec<Option<String>> {
        let pairs: Vec<(String, String)> = options.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        Csv::new(&Options::new(&pairs), false, false).unwrap().fields(record)
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
        let csv = Csv::new(&Options::default(), true, false).unwrap();
        assert_eq!(csv.records("a,\"b\nc\"\r\nd"), ["a,\"b\nc\"", "d"]);
    }

    #[test]
    fn quotes_and_escapes_are_what_options_say() {
        for (record, key, value, expect) in [
            (r#""a"b",c"#, "unescapedQuoteHandling", "stop_at_closing_quote", vec![r#"a"b"#, "c"]),
            (r#""a" x,b"#, "unescapedQuoteHandling", "STOP_AT_CLOSING_QUOTE", vec![r#"a" x,b"#]),
            (r#""a"b,c"d,e"#, "unescapedQuoteHandling", "SKIP_VALUE", vec![r#"c"d"#, "e"]),
            (r#""a\\"b",c"#, "charToEscapeQuoteEscaping", "#", vec![r#"a\"b"#, "c"]),
            (r#""a\\"b",c"#, "charToEscapeQuoteEscaping", "", vec![r#""a\"b""#, "c"]),
            (r"a\b", "sep", r"\\", vec!["a", "b"]),
        ] {
            let found: Vec<String> = fields(record, &[(key, value)]).into_iter().flatten().collect();
            assert_eq!(found, expect, "{record} {value}");
        }
        for (given, condition) in [
            ("", ""),
            (r"\x", "INVALID_DELIMITER_VALUE.UNSUPPORTED_SPECIAL_CHARACTER"),
            (r"\", "INVALID_DELIMITER_VALUE.SINGLE_BACKSLASH"),
        ] {
            let error = separator(&Options::new(&[("sep".into(), given.into())])).expect_err(given);
            assert_eq!(error.condition(), condition);
        }
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
