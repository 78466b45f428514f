//! A lenient JSON reader that keeps numbers as text, as Spark's reader needs it.

/// A JSON value.
#[derive(Debug, Clone, PartialEq)]
pub enum Json {
    Null,
    Bool(bool),
    /// As written.
    Number(String),
    String(String),
    Array(Vec<Json>, Span),
    /// In the order written; a name may occur twice.
    Object(Vec<(String, Json)>, Span),
}

/// Where in the text a value stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    start: usize,
    end: usize,
}

/// What deviates from strict JSON.
#[derive(Debug, Clone, Copy, serde::Serialize, serde::Deserialize)]
pub struct Leniency {
    pub single_quotes: bool,
    pub unquoted_names: bool,
    pub comments: bool,
    pub non_numeric: bool,
    pub leading_zeros: bool,
    pub any_escape: bool,
    pub control_chars: bool,
}

/// Values inside values; deeper ones are malformed.
const MAX_DEPTH: usize = 1000;

/// The first value of a text, whatever follows it; none in one that is blank. `None` if it is not JSON.
pub fn parse_first(text: &str, leniency: Leniency) -> Option<Option<Json>> {
    let mut reader = Reader { text, at: 0, leniency };
    reader.blank();
    if reader.at >= text.len() { Some(None) } else { reader.value(0).map(Some) }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    leniency: Leniency,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn blank(&mut self) {
        loop {
            while self.peek().is_some_and(|b| b.is_ascii_whitespace()) {
                self.at += 1;
            }
            let rest = &self.text[self.at..];
            if self.leniency.comments && rest.starts_with("//") {
                self.at += rest.find('\n').unwrap_or(rest.len());
            } else if self.leniency.comments && rest.starts_with("/*") {
                self.at += rest.find("*/").map_or(rest.len(), |e| e + 2);
            } else {
                return;
            }
        }
    }

    fn value(&mut self, depth: usize) -> Option<Json> {
        if depth > MAX_DEPTH {
            return None;
        }
        self.blank();
        match self.peek()? {
            b'{' => self.object(depth),
            b'[' => self.array(depth),
            b'"' => self.string(b'"').map(Json::String),
            b'\'' if self.leniency.single_quotes => self.string(b'\'').map(Json::String),
            _ => self.word(),
        }
    }

    /// From `start` to where the reader is.
    fn since(&self, start: usize) -> Span {
        Span { start, end: self.at }
    }

    fn object(&mut self, depth: usize) -> Option<Json> {
        let start = self.at;
        self.at += 1;
        let mut fields = Vec::new();
        self.blank();
        if self.eat(b'}') {
            return Some(Json::Object(fields, self.since(start)));
        }
        loop {
            self.blank();
            let name = match self.peek()? {
                b'"' => self.string(b'"')?,
                b'\'' if self.leniency.single_quotes => self.string(b'\'')?,
                _ if self.leniency.unquoted_names => self.bare_name()?,
                _ => return None,
            };
            self.blank();
            if !self.eat(b':') {
                return None;
            }
            fields.push((name, self.value(depth + 1)?));
            self.blank();
            if self.eat(b'}') {
                return Some(Json::Object(fields, self.since(start)));
            }
            if !self.eat(b',') {
                return None;
            }
        }
    }

    fn array(&mut self, depth: usize) -> Option<Json> {
        let start = self.at;
        self.at += 1;
        let mut values = Vec::new();
        self.blank();
        if self.eat(b']') {
            return Some(Json::Array(values, self.since(start)));
        }
        loop {
            values.push(self.value(depth + 1)?);
            self.blank();
            if self.eat(b']') {
                return Some(Json::Array(values, self.since(start)));
            }
            if !self.eat(b',') {
                return None;
            }
        }
    }

    fn bare_name(&mut self) -> Option<String> {
        let rest = &self.text[self.at..];
        let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$' || c == '-')).unwrap_or(rest.len());
        self.at += end;
        (end > 0).then(|| rest[..end].to_string())
    }

    fn string(&mut self, quote: u8) -> Option<String> {
        self.at += 1;
        let mut out = String::new();
        loop {
            let rest = &self.text[self.at..];
            let c = rest.chars().next()?;
            self.at += c.len_utf8();
            match c {
                c if c as u32 == u32::from(quote) => return Some(out),
                '\\' => out.push(self.escape()?),
                c if (c as u32) < 0x20 && !self.leniency.control_chars => return None,
                c => out.push(c),
            }
        }
    }

    fn escape(&mut self) -> Option<char> {
        let c = self.text[self.at..].chars().next()?;
        self.at += c.len_utf8();
        Some(match c {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'b' => '\u{8}',
            'f' => '\u{c}',
            '"' | '\\' | '/' => c,
            '\'' if self.leniency.single_quotes => c,
            'u' => return self.unicode(),
            other if self.leniency.any_escape => other,
            _ => return None,
        })
    }

    fn unicode(&mut self) -> Option<char> {
        let first = self.hex()?;
        if !(0xD800..0xDC00).contains(&first) {
            return Some(char::from_u32(first).unwrap_or('\u{fffd}'));
        }
        if !self.text[self.at..].starts_with("\\u") {
            return Some('\u{fffd}');
        }
        self.at += 2;
        let second = self.hex()?;
        let code = 0x10000 + ((first - 0xD800) << 10) + second.wrapping_sub(0xDC00);
        Some(char::from_u32(code).unwrap_or('\u{fffd}'))
    }

    fn hex(&mut self) -> Option<u32> {
        let digits = self.text.get(self.at..self.at + 4)?;
        self.at += 4;
        u32::from_str_radix(digits, 16).ok()
    }

    /// `true`, `false`, `null`, a number.
    fn word(&mut self) -> Option<Json> {
        let rest = &self.text[self.at..];
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "+-.".contains(c))).unwrap_or(rest.len());
        let word = &rest[..end];
        self.at += end;
        match word {
            "true" => Some(Json::Bool(true)),
            "false" => Some(Json::Bool(false)),
            "null" => Some(Json::Null),
            "NaN" | "Infinity" | "-Infinity" | "+Infinity" | "INF" | "+INF" | "-INF" if self.leniency.non_numeric => {
                Some(Json::Number(word.to_string()))
            }
            _ => self.is_number(word).then(|| Json::Number(word.to_string())),
        }
    }

    fn is_number(&self, word: &str) -> bool {
        let body = word.strip_prefix('-').unwrap_or(word);
        let (mantissa, exponent) = match body.find(['e', 'E']) {
            Some(at) => (&body[..at], Some(&body[at + 1..])),
            None => (body, None),
        };
        let (whole, fraction) = mantissa.split_once('.').map_or((mantissa, None), |(w, f)| (w, Some(f)));
        let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
        let leading = whole.len() > 1 && whole.starts_with('0');
        digits(whole)
            && (!leading || self.leniency.leading_zeros)
            && fraction.is_none_or(digits)
            && exponent.is_none_or(|e| digits(e.strip_prefix(['+', '-']).unwrap_or(e)))
    }
}

impl Json {
    /// The value as a column of strings holds it: arrays and objects as they are written in `text`, which
    /// they were read from.
    pub fn written(&self, text: &str) -> String {
        match self {
            Json::Array(_, span) | Json::Object(_, span) => {
                text.get(span.start..span.end).map_or_else(|| self.compact(), str::to_string)
            }
            other => other.compact(),
        }
    }

    /// The compact text of the value.
    pub fn compact(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) {
        match self {
            Json::Null => out.push_str("null"),
            Json::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
            Json::Number(text) => out.push_str(text),
            Json::String(text) => out.push_str(&serde_json::Value::String(text.clone()).to_string()),
            Json::Array(values, _) => {
                out.push('[');
                for (i, v) in values.iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    v.write(out);
                }
                out.push(']');
            }
            Json::Object(fields, _) => {
                out.push('{');
                for (i, (k, v)) in fields.iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    out.push_str(&serde_json::Value::String(k.clone()).to_string());
                    out.push(':');
                    v.write(out);
                }
                out.push('}');
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULT: Leniency = Leniency {
        single_quotes: true,
        unquoted_names: false,
        comments: false,
        non_numeric: true,
        leading_zeros: false,
        any_escape: false,
        control_chars: false,
    };

    #[test]
    fn texts_are_read() {
        for (text, expect) in [
            ("{\"a\": [1, 2.50, 'x\\u0041'], \"b\": null}", Some("{\"a\":[1,2.50,\"xA\"],\"b\":null}")),
            ("{\"a\": 01}", None),
            ("{\"a\":NaN}", Some("{\"a\":NaN}")),
            ("{\"a\":1", None),
            ("{a:1}", None),
            ("{\"a\":1} {\"a\":2} x", Some("{\"a\":1}")),
        ] {
            let parsed = parse_first(text, DEFAULT).flatten().map(|value| value.compact());
            assert_eq!(parsed.as_deref(), expect, "{text}");
        }
        let deep = "[".repeat(5000);
        assert_eq!(parse_first(&deep, DEFAULT), None);
        assert_eq!(parse_first(" ", DEFAULT), Some(None));
    }
}
