//! A JSON reader with the leniencies that Spark's has and its options add.
//!
//! It reads one value and leaves what follows it alone, as Spark does. Numbers keep their text.

use std::borrow::Cow;

use crate::families::text_data::number::write_double;
use crate::families::text_data::options::OptionMap;

/// How deep values may nest.
const MAX_DEPTH: usize = 1000;

/// A JSON value; strings without escapes are borrowed.
#[derive(Debug, Clone, PartialEq)]
pub enum Json<'a> {
    Null,
    Bool(bool),
    /// Digits, perhaps with a sign.
    Int(&'a str),
    /// With a point or an exponent.
    Float(&'a str),
    /// `NaN`, `Infinity` and the like, unquoted.
    NotANumber(f64),
    Text(Cow<'a, str>),
    List(Vec<Json<'a>>),
    /// In order of appearance, repeated keys too.
    Object(Vec<(Cow<'a, str>, Json<'a>)>),
}

/// What is allowed besides strict JSON.
#[derive(Debug, Clone, Copy)]
pub struct Leniency {
    pub comments: bool,
    pub unquoted_names: bool,
    pub single_quotes: bool,
    pub leading_zeros: bool,
    pub not_a_number: bool,
    pub any_escape: bool,
    pub control_chars: bool,
}

impl Leniency {
    /// What functions without options allow.
    pub const DEFAULT: Leniency = Leniency {
        comments: false,
        unquoted_names: false,
        single_quotes: true,
        leading_zeros: false,
        not_a_number: false,
        any_escape: false,
        control_chars: false,
    };

    /// By options.
    pub fn of(options: &OptionMap) -> Leniency {
        Leniency {
            comments: options.flag("allowComments", false),
            unquoted_names: options.flag("allowUnquotedFieldNames", false),
            single_quotes: options.flag("allowSingleQuotes", true),
            leading_zeros: options.flag("allowNumericLeadingZeros", false),
            not_a_number: options.flag("allowNonNumericNumbers", true),
            any_escape: options.flag("allowBackslashEscapingAnyCharacter", false),
            control_chars: options.flag("allowUnquotedControlChars", false),
        }
    }
}

/// What is wrong with a text, and where.
#[derive(Debug, Clone, PartialEq)]
pub struct Malformed {
    pub reason: &'static str,
    pub at: usize,
}

/// Reads the first value in `text`; `Ok(None)` if there is nothing but white space.
///
/// # Errors
/// If it is malformed.
pub fn parse(text: &str, leniency: Leniency) -> Result<Option<Json<'_>>, Malformed> {
    let mut reader = Reader { text, at: 0, leniency };
    reader.space()?;
    if reader.at == text.len() {
        return Ok(None);
    }
    reader.value(0).map(Some)
}

/// [`parse`] that also wants nothing to follow the value.
///
/// # Errors
/// As [`parse`].
pub fn parse_whole(text: &str, leniency: Leniency) -> Result<Option<Json<'_>>, Malformed> {
    let mut reader = Reader { text, at: 0, leniency };
    reader.space()?;
    if reader.at == text.len() {
        return Ok(None);
    }
    let value = reader.value(0)?;
    reader.space()?;
    if reader.at < text.len() { Err(reader.bad("text after the value")) } else { Ok(Some(value)) }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    leniency: Leniency,
}

type Parsed<T> = Result<T, Malformed>;

impl<'a> Reader<'a> {
    fn bad(&self, reason: &'static str) -> Malformed {
        Malformed { reason, at: self.at }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) -> Parsed<()> {
        loop {
            match self.peek() {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.at += 1,
                Some(b'/') if self.leniency.comments => self.comment()?,
                _ => return Ok(()),
            }
        }
    }

    fn comment(&mut self) -> Parsed<()> {
        let rest = &self.text[self.at..];
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map(|end| end + 2).ok_or_else(|| self.bad("unclosed comment"))?
        } else {
            return Err(self.bad("unexpected character"));
        };
        self.at += length;
        Ok(())
    }

    fn value(&mut self, depth: usize) -> Parsed<Json<'a>> {
        if depth > MAX_DEPTH {
            return Err(self.bad("nested too deeply"));
        }
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.list(depth),
            Some(b'"') => self.string(b'"').map(Json::Text),
            Some(b'\'') if self.leniency.single_quotes => self.string(b'\'').map(Json::Text),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b'+') if self.leniency.not_a_number => self.word(),
            Some(c) if c.is_ascii_alphabetic() => self.word(),
            Some(_) => Err(self.bad("unexpected character")),
            None => Err(self.bad("unexpected end")),
        }
    }

    fn object(&mut self, depth: usize) -> Parsed<Json<'a>> {
        self.at += 1;
        let mut fields = Vec::new();
        self.space()?;
        if self.eat(b'}') {
            return Ok(Json::Object(fields));
        }
        loop {
            let name = self.name()?;
            self.space()?;
            if !self.eat(b':') {
                return Err(self.bad("a colon is missing"));
            }
            self.space()?;
            fields.push((name, self.value(depth + 1)?));
            self.space()?;
            if self.eat(b'}') {
                return Ok(Json::Object(fields));
            }
            if !self.eat(b',') {
                return Err(self.bad("a comma is missing"));
            }
            self.space()?;
        }
    }

    fn list(&mut self, depth: usize) -> Parsed<Json<'a>> {
        self.at += 1;
        let mut items = Vec::new();
        self.space()?;
        if self.eat(b']') {
            return Ok(Json::List(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            self.space()?;
            if self.eat(b']') {
                return Ok(Json::List(items));
            }
            if !self.eat(b',') {
                return Err(self.bad("a comma is missing"));
            }
            self.space()?;
        }
    }

    fn eat(&mut self, b: u8) -> bool {
        let found = self.peek() == Some(b);
        self.at += usize::from(found);
        found
    }

    fn name(&mut self) -> Parsed<Cow<'a, str>> {
        match self.peek() {
            Some(b'"') => self.string(b'"'),
            Some(b'\'') if self.leniency.single_quotes => self.string(b'\''),
            Some(_) if self.leniency.unquoted_names => {
                let rest = &self.text[self.at..];
                let end = rest
                    .find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '$' | '-' | '@' | '#' | '*')))
                    .unwrap_or(rest.len());
                if end == 0 {
                    return Err(self.bad("a name is missing"));
                }
                self.at += end;
                Ok(Cow::Borrowed(&rest[..end]))
            }
            _ => Err(self.bad("a name is missing")),
        }
    }

    fn string(&mut self, quote: u8) -> Parsed<Cow<'a, str>> {
        self.at += 1;
        let start = self.at;
        let mut owned: Option<String> = None;
        let mut run = start;
        loop {
            match self.peek() {
                None => return Err(self.bad("unclosed string")),
                Some(b) if b == quote => {
                    let tail = &self.text[run..self.at];
                    self.at += 1;
                    return Ok(match owned {
                        None => Cow::Borrowed(tail),
                        Some(mut text) => {
                            text.push_str(tail);
                            Cow::Owned(text)
                        }
                    });
                }
                Some(b'\\') => {
                    let text = owned.get_or_insert_with(String::new);
                    text.push_str(&self.text[run..self.at]);
                    self.at += 1;
                    let c = self.escape()?;
                    if let Some(text) = owned.as_mut() {
                        text.push(c);
                    }
                    run = self.at;
                }
                Some(b) if b < 0x20 && !self.leniency.control_chars => return Err(self.bad("control character")),
                Some(_) => self.at += 1,
            }
        }
    }

    fn escape(&mut self) -> Parsed<char> {
        let Some(c) = self.text[self.at..].chars().next() else { return Err(self.bad("unclosed string")) };
        self.at += c.len_utf8();
        Ok(match c {
            'b' => '\x08',
            't' => '\t',
            'n' => '\n',
            'f' => '\x0C',
            'r' => '\r',
            '"' | '/' | '\\' => c,
            'u' => self.unicode()?,
            '\'' if self.leniency.single_quotes => c,
            _ if self.leniency.any_escape => c,
            _ => return Err(self.bad("unknown escape")),
        })
    }

    /// Four digits, or two times four for a pair of surrogates; a lone one becomes `?`.
    fn unicode(&mut self) -> Parsed<char> {
        let first = self.hex()?;
        if !(0xD800..0xE000).contains(&first) {
            return Ok(char::from_u32(u32::from(first)).unwrap_or('?'));
        }
        if first < 0xDC00 && self.text[self.at..].starts_with("\\u") {
            let mark = self.at;
            self.at += 2;
            let second = self.hex()?;
            if let Some(Ok(c)) = char::decode_utf16([first, second]).next() {
                return Ok(c);
            }
            self.at = mark;
        }
        Ok('?')
    }

    fn hex(&mut self) -> Parsed<u16> {
        let digits = self.text.as_bytes().get(self.at..self.at + 4).and_then(|d| std::str::from_utf8(d).ok());
        let digits = digits.filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
        let value = digits.and_then(|d| u16::from_str_radix(d, 16).ok()).ok_or_else(|| self.bad("bad escape"))?;
        self.at += 4;
        Ok(value)
    }

    fn number(&mut self) -> Parsed<Json<'a>> {
        let start = self.at;
        let negative = self.eat(b'-');
        if negative && self.leniency.not_a_number && self.peek() == Some(b'I') {
            self.at = start;
            return self.word();
        }
        let digits = self.digits();
        if digits == 0 {
            return Err(self.bad("a digit is missing"));
        }
        let leading = &self.text.as_bytes()[self.at - digits..self.at];
        let mut kept_from = start;
        if digits > 1 && leading[0] == b'0' {
            if !self.leniency.leading_zeros {
                return Err(self.bad("leading zero"));
            }
            if !negative {
                let zeros = leading.iter().take_while(|b| **b == b'0').count().min(digits - 1);
                kept_from = self.at - digits + zeros;
            }
        }
        let mut float = false;
        if self.eat(b'.') {
            float = true;
            if self.digits() == 0 {
                return Err(self.bad("a digit is missing"));
            }
        }
        if let Some(b'e' | b'E') = self.peek() {
            float = true;
            self.at += 1;
            if !self.eat(b'+') {
                self.eat(b'-');
            }
            if self.digits() == 0 {
                return Err(self.bad("a digit is missing"));
            }
        }
        if self.peek().is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return Err(self.bad("unexpected character in a number"));
        }
        let text = &self.text[kept_from..self.at];
        Ok(if float { Json::Float(text) } else { Json::Int(text) })
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while self.peek().is_some_and(|b| b.is_ascii_digit()) {
            self.at += 1;
        }
        self.at - start
    }

    fn word(&mut self) -> Parsed<Json<'a>> {
        let rest = &self.text[self.at..];
        let end = rest
            .bytes()
            .position(|b| !(b.is_ascii_alphanumeric() || b == b'_' || b == b'$' || b == b'+' || b == b'-'))
            .unwrap_or(rest.len());
        let value = match &rest[..end] {
            "null" => Json::Null,
            "true" => Json::Bool(true),
            "false" => Json::Bool(false),
            "NaN" if self.leniency.not_a_number => Json::NotANumber(f64::NAN),
            "Infinity" | "+Infinity" | "+INF" | "INF" if self.leniency.not_a_number => Json::NotANumber(f64::INFINITY),
            "-Infinity" | "-INF" if self.leniency.not_a_number => Json::NotANumber(f64::NEG_INFINITY),
            _ => return Err(self.bad("unknown word")),
        };
        self.at += end;
        Ok(value)
    }
}

impl Json<'_> {
    /// Writes the value without white space, as Spark writes back what it has read.
    pub fn write(&self, out: &mut String) {
        match self {
            Json::Null => out.push_str("null"),
            Json::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
            Json::Int(text) => out.push_str(text),
            Json::Float(text) => write_float_text(text, out),
            Json::NotANumber(v) => {
                out.push('"');
                write_double(*v, out);
                out.push('"');
            }
            Json::Text(text) => write_string(text, out),
            Json::List(items) => {
                out.push('[');
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    item.write(out);
                }
                out.push(']');
            }
            Json::Object(fields) => {
                out.push('{');
                for (i, (name, value)) in fields.iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    write_string(name, out);
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }

    /// The value as a string column has it: strings bare, everything else as JSON.
    pub fn write_bare(&self, out: &mut String) {
        match self {
            Json::Text(text) => out.push_str(text),
            other => other.write(out),
        }
    }
}

/// Floating point numbers are written back as doubles.
fn write_float_text(text: &str, out: &mut String) {
    match text.parse::<f64>() {
        Ok(v) if v.is_finite() => write_double(v, out),
        Ok(v) => {
            out.push('"');
            write_double(v, out);
            out.push('"');
        }
        Err(_) => out.push_str(text),
    }
}

/// A quoted string with what JSON requires escaped.
pub fn write_string(text: &str, out: &mut String) {
    out.push('"');
    let mut run = 0;
    for (i, b) in text.bytes().enumerate() {
        let escape = match b {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0x08 => "\\b",
            0x0C => "\\f",
            0..=0x1F => "",
            _ => continue,
        };
        out.push_str(&text[run..i]);
        if escape.is_empty() {
            out.push_str(&format!("\\u{b:04X}"));
        } else {
            out.push_str(escape);
        }
        run = i + 1;
    }
    out.push_str(&text[run..]);
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let written = match parse(text, Leniency::DEFAULT) {
            Ok(Some(json)) => {
                let mut out = String::new();
                json.write(&mut out);
                out
            }
            Ok(None) => "nothing".into(),
            Err(_) => "malformed".into(),
        };
        assert_eq!(written, expected, "{text}");
    }

    #[test]
    fn reads_and_writes() {
        for (text, expected) in [
            (r#" { "a" : [1, 2.50, -0.0, 1e3] } trailing"#, r#"{"a":[1,2.5,-0.0,1000.0]}"#),
            (r#"{'a':"b\u00e9\/\n\ud83d\ude00"}"#, "{\"a\":\"bé/\\n😀\"}"),
            ("", "nothing"),
            ("  ", "nothing"),
            ("[1,]", "malformed"),
            (r#"{"a":1"#, "malformed"),
            ("01", "malformed"),
            ("nul", "malformed"),
            ("\"a\u{1}\"", "malformed"),
            ("NaN", "malformed"),
            ("[]", "[]"),
            ("\"\\u0001\"", "\"\\u0001\""),
        ] {
            check(text, expected);
        }
        check(&"[".repeat(5000), "malformed");
    }
}
