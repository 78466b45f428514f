//! Text to tokens. Comments and blanks are dropped; hints (`/*+ … */`) are kept.

use std::sync::Arc;

use spark::{Error, Result};

use crate::keywords::Kw;

/// What a token is. The text is the span of the token in the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tok {
    /// An unquoted word, with the keyword it spells.
    Word(Option<Kw>),
    /// `` `quoted` ``.
    Quoted,
    /// `'…'` or `r'…'`.
    Str,
    /// `"…"` or `r"…"`.
    DoubleQuoted,
    /// `$$…$$` or `$tag$…$tag$`: text in another language.
    Code,
    /// Digits only.
    Int,
    /// With a point and without an exponent.
    Dec,
    /// With an exponent.
    Exp,
    /// With the suffix `L`, `S`, `Y`, `F`, `D` or `BD`.
    BigInt,
    SmallInt,
    TinyInt,
    Float,
    Double,
    BigDecimal,
    /// Punctuation and operators. `>` comes alone, so that `ARRAY<ARRAY<INT>>` closes.
    Sym(&'static str),
    /// A character that means nothing.
    Unknown,
    Eof,
}

/// A token with its span in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token {
    pub tok: Tok,
    pub start: u32,
    pub end: u32,
}

/// Symbols, longest first where one begins another.
const SYMBOLS: &[&str] = &[
    "/*+", "<=>", "==", "<>", "!=", "<=", ">=", "||", "|>", "->", "=>", "<<", "::", "*/", "(", ")", "[", "]", ",", ".",
    ":", "=", "<", ">", "+", "-", "*", "/", "%", "~", "&", "|", "^", ";", "?", "!", "{", "}", "@", "$",
];

/// Room for tokens is taken ahead for texts up to this; what is longer is mostly long literals.
const MAX_EXPECTED: usize = 64 << 10;

/// The tokens of `text`, ending in [`Tok::Eof`].
pub fn tokenize(text: &Arc<str>) -> Result<Vec<Token>> {
    let mut lexer = Lexer {
        text,
        bytes: text.as_bytes(),
        pos: 0,
        tokens: Vec::with_capacity(text.len().min(MAX_EXPECTED) / 4 + 4),
    };
    while lexer.next_token()? {}
    let end = text.len() as u32;
    lexer.tokens.push(Token { tok: Tok::Eof, start: end, end });
    Ok(lexer.tokens)
}

struct Lexer<'a> {
    text: &'a str,
    bytes: &'a [u8],
    pos: usize,
    tokens: Vec<Token>,
}

impl Lexer<'_> {
    /// Adds a token; false at the end.
    fn next_token(&mut self) -> Result<bool> {
        self.skip_blanks()?;
        let Some(&byte) = self.bytes.get(self.pos) else { return Ok(false) };
        let start = self.pos;
        let tok = match byte {
            b'\'' => self.string(b'\'', Tok::Str),
            b'"' => self.string(b'"', Tok::DoubleQuoted),
            b'`' => self.back_quoted(),
            b'$' => self.code(),
            b'r' | b'R' if matches!(self.byte(1), Some(b'\'' | b'"')) && self.raw_end().is_some() => self.raw_string(),
            b'0'..=b'9' => self.number_or_word(),
            b'.' if matches!(self.byte(1), Some(b'0'..=b'9')) => self.number().unwrap_or_else(|| self.symbol()),
            _ if is_word_byte(byte) || self.letter_at(self.pos) > 0 => self.word(),
            _ => self.symbol(),
        };
        self.tokens.push(Token { tok, start: start as u32, end: self.pos as u32 });
        Ok(true)
    }

    fn byte(&self, ahead: usize) -> Option<u8> {
        self.bytes.get(self.pos + ahead).copied()
    }

    fn rest(&self) -> &[u8] {
        &self.bytes[self.pos..]
    }

    fn skip_blanks(&mut self) -> Result<()> {
        loop {
            match self.byte(0) {
                Some(b' ' | b'\t' | b'\r' | b'\n') => self.pos += 1,
                // Unicode blanks that editors paste.
                Some(0xc2) if self.byte(1) == Some(0xa0) => self.pos += 2,
                Some(0xe3) if self.rest().starts_with("\u{3000}".as_bytes()) => self.pos += 3,
                Some(b'-') if self.byte(1) == Some(b'-') => self.line_comment(),
                Some(b'/') if self.byte(1) == Some(b'*') && self.byte(2) != Some(b'+') => self.bracketed_comment()?,
                _ => return Ok(()),
            }
        }
    }

    /// A backslash at the end of the line carries the comment on.
    fn line_comment(&mut self) {
        while let Some(byte) = self.byte(0) {
            self.pos += 1;
            match byte {
                b'\\' if self.byte(0) == Some(b'\n') => self.pos += 1,
                b'\n' => return,
                _ => {}
            }
        }
    }

    fn bracketed_comment(&mut self) -> Result<()> {
        let mut depth = 0usize;
        while self.pos < self.bytes.len() {
            if self.rest().starts_with(b"/*") {
                depth += 1;
                self.pos += 2;
            } else if self.rest().starts_with(b"*/") {
                depth -= 1;
                self.pos += 2;
                if depth == 0 {
                    return Ok(());
                }
            } else {
                self.pos += 1;
            }
        }
        Err(Error::parse("UNCLOSED_BRACKETED_COMMENT")
            .with_message("A bracketed comment is never closed; add */ where it ends"))
    }

    /// A quoted string; a doubled quote stands for one. An unclosed quote is an unknown character.
    fn string(&mut self, quote: u8, tok: Tok) -> Tok {
        let mut at = self.pos + 1;
        while let Some(&byte) = self.bytes.get(at) {
            if byte == b'\\' {
                at += 2;
            } else if byte != quote {
                at += 1;
            } else if self.bytes.get(at + 1) == Some(&quote) {
                at += 2;
            } else {
                self.pos = at + 1;
                return tok;
            }
        }
        self.pos += 1;
        Tok::Unknown
    }

    fn raw_end(&self) -> Option<usize> {
        let quote = self.byte(1)?;
        let body = self.pos + 2;
        self.bytes[body..].iter().position(|&b| b == quote).map(|len| body + len + 1)
    }

    fn raw_string(&mut self) -> Tok {
        let tok = if self.byte(1) == Some(b'"') { Tok::DoubleQuoted } else { Tok::Str };
        self.pos = self.raw_end().unwrap_or(self.pos + 1);
        tok
    }

    /// Text between two dollar signs with an optional tag between them, and the same again.
    fn code(&mut self) -> Tok {
        let rest = &self.text[self.pos..];
        let is_tag = |tag: &str| tag.bytes().all(is_word_byte) && !tag.starts_with(|c: char| c.is_ascii_digit());
        let fence = rest[1..].find('$').filter(|&end| is_tag(&rest[1..=end])).map(|end| &rest[..end + 2]);
        match fence.and_then(|fence| Some(rest[fence.len()..].find(fence)? + 2 * fence.len())) {
            Some(length) => {
                self.pos += length;
                Tok::Code
            }
            None => self.symbol(),
        }
    }

    fn back_quoted(&mut self) -> Tok {
        let mut at = self.pos + 1;
        while let Some(&byte) = self.bytes.get(at) {
            if byte != b'`' {
                at += 1;
            } else if self.bytes.get(at + 1) == Some(&b'`') {
                at += 2;
            } else {
                self.pos = at + 1;
                return Tok::Quoted;
            }
        }
        self.pos += 1;
        Tok::Unknown
    }

    /// The length of the letter at `at` if it is not ASCII, else 0.
    fn letter_at(&self, at: usize) -> usize {
        if self.bytes.get(at).is_none_or(u8::is_ascii) {
            return 0;
        }
        self.text.get(at..).and_then(|s| s.chars().next()).filter(|c| c.is_alphabetic()).map_or(0, char::len_utf8)
    }

    /// The end of the word that begins at `at`.
    fn word_end(&self, mut at: usize) -> usize {
        loop {
            match self.bytes.get(at) {
                Some(&byte) if is_word_byte(byte) => at += 1,
                _ => match self.letter_at(at) {
                    0 => return at,
                    len => at += len,
                },
            }
        }
    }

    fn word(&mut self) -> Tok {
        let start = self.pos;
        self.pos = self.word_end(start);
        Tok::Word(Kw::lookup(&self.text[start..self.pos]))
    }

    /// What begins with a digit is the longest of a number and a word (`1abc` is a name).
    fn number_or_word(&mut self) -> Tok {
        let word_end = self.word_end(self.pos);
        let start = self.pos;
        if let Some(tok) = self.number() {
            if self.pos >= word_end {
                return tok;
            }
            self.pos = start;
        }
        if self.bytes[start..word_end].iter().all(u8::is_ascii_digit) {
            self.pos = word_end;
            return Tok::Int;
        }
        self.word()
    }

    fn digits(&self, mut at: usize) -> usize {
        while matches!(self.bytes.get(at), Some(b'0'..=b'9')) {
            at += 1;
        }
        at
    }

    /// A number at the position, unless a word character follows it.
    fn number(&mut self) -> Option<Tok> {
        let mut at = self.digits(self.pos);
        let mut tok = Tok::Int;
        if self.bytes.get(at) == Some(&b'.') {
            tok = Tok::Dec;
            at = self.digits(at + 1);
        }
        if matches!(self.bytes.get(at), Some(b'e' | b'E')) {
            let sign = matches!(self.bytes.get(at + 1), Some(b'+' | b'-')) as usize;
            let end = self.digits(at + 1 + sign);
            if end > at + 1 + sign {
                tok = Tok::Exp;
                at = end;
            }
        }
        let (tok, at) = self.suffix(tok, at);
        if self.bytes.get(at).is_some_and(|&b| is_word_byte(b)) || self.letter_at(at) > 0 {
            return None;
        }
        self.pos = at;
        Some(tok)
    }

    fn suffix(&self, tok: Tok, at: usize) -> (Tok, usize) {
        let whole = tok == Tok::Int;
        let next = |ahead: usize| self.bytes.get(at + ahead).map(u8::to_ascii_uppercase);
        match (next(0), next(1)) {
            (Some(b'L'), _) if whole => (Tok::BigInt, at + 1),
            (Some(b'S'), _) if whole => (Tok::SmallInt, at + 1),
            (Some(b'Y'), _) if whole => (Tok::TinyInt, at + 1),
            (Some(b'F'), _) => (Tok::Float, at + 1),
            (Some(b'D'), _) => (Tok::Double, at + 1),
            (Some(b'B'), Some(b'D')) => (Tok::BigDecimal, at + 2),
            _ => (tok, at),
        }
    }

    fn symbol(&mut self) -> Tok {
        for symbol in SYMBOLS {
            if self.rest().starts_with(symbol.as_bytes()) {
                self.pos += symbol.len();
                return Tok::Sym(symbol);
            }
        }
        self.pos += self.text[self.pos..].chars().next().map_or(1, char::len_utf8);
        Tok::Unknown
    }
}

fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Byte offsets to what Spark counts in: UTF-16 units, lines and columns.
#[derive(Debug)]
pub struct Positions {
    /// Empty if the text is ASCII.
    utf16: Vec<u32>,
    line_starts: Vec<u32>,
}

impl Positions {
    pub fn new(text: &str) -> Self {
        let mut utf16 = Vec::new();
        if !text.is_ascii() {
            utf16.resize(text.len() + 1, 0);
            let mut units = 0;
            for (at, c) in text.char_indices() {
                for slot in &mut utf16[at..at + c.len_utf8()] {
                    *slot = units;
                }
                units += c.len_utf16() as u32;
            }
            utf16[text.len()] = units;
        }
        let breaks = text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(at, _)| at as u32 + 1);
        Positions { utf16, line_starts: std::iter::once(0).chain(breaks).collect() }
    }

    /// The UTF-16 index of a byte offset.
    pub fn utf16(&self, byte: u32) -> u32 {
        self.utf16.get(byte as usize).copied().unwrap_or(byte)
    }

    /// The 1-based line and 0-based column of a byte offset.
    pub fn line_column(&self, byte: u32) -> (u32, u32) {
        let line = self.line_starts.partition_point(|&start| start <= byte);
        let start = self.line_starts[line - 1];
        (line as u32, self.utf16(byte) - self.utf16(start))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &[(&str, Tok)]) {
        let text: Arc<str> = text.into();
        let tokens = tokenize(&text).unwrap();
        let got: Vec<(&str, Tok)> =
            tokens[..tokens.len() - 1].iter().map(|t| (&text[t.start as usize..t.end as usize], t.tok)).collect();
        assert_eq!(got, expect, "{text}");
    }

    #[test]
    fn numbers_and_words() {
        check(
            "1 1.5 .5 5. 1e3 1.e-3d",
            &[
                ("1", Tok::Int),
                ("1.5", Tok::Dec),
                (".5", Tok::Dec),
                ("5.", Tok::Dec),
                ("1e3", Tok::Exp),
                ("1.e-3d", Tok::Double),
            ],
        );
        check(
            "1L 2s 3Y 4f 1.5BD 12abc _x",
            &[
                ("1L", Tok::BigInt),
                ("2s", Tok::SmallInt),
                ("3Y", Tok::TinyInt),
                ("4f", Tok::Float),
                ("1.5BD", Tok::BigDecimal),
                ("12abc", Tok::Word(None)),
                ("_x", Tok::Word(None)),
            ],
        );
        check("t.1a", &[("t", Tok::Word(None)), (".", Tok::Sym(".")), ("1a", Tok::Word(None))]);
    }

    #[test]
    fn strings_and_comments() {
        check(
            "'a''b' 'it\\'s' r'\\' \"x\"",
            &[("'a''b'", Tok::Str), ("'it\\'s'", Tok::Str), ("r'\\'", Tok::Str), ("\"x\"", Tok::DoubleQuoted)],
        );
        check("a -- c\n/* x /* y */ z */ `b``c`", &[("a", Tok::Word(None)), ("`b``c`", Tok::Quoted)]);
        check("'abc", &[("'", Tok::Unknown), ("abc", Tok::Word(None))]);
        assert_eq!(tokenize(&"select /* x".into()).unwrap_err().condition(), "UNCLOSED_BRACKETED_COMMENT");
    }

    #[test]
    fn positions_count_utf16_units() {
        let positions = Positions::new("é😀x\ny");
        assert_eq!(positions.utf16(2), 1);
        assert_eq!(positions.utf16(6), 3);
        assert_eq!(positions.line_column(8), (2, 0));
    }
}
