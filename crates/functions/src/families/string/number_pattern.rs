//! Number formats of `to_number` and `to_char`: `S99G999D00`, `$9,999.99`, `999PR`.

use spark::{Error, Result};

/// What a format is made of, in order.
#[derive(Debug, Clone, PartialEq)]
enum Token {
    /// So many digits; exactly as many if it starts with `0`.
    Digits {
        count: usize,
        exact: bool,
    },
    Separator,
    Point,
    Dollar,
    /// `S`
    Sign,
    /// `MI`
    Minus,
    /// `PR`
    Brackets,
}

/// A checked format.
#[derive(Debug, Clone, PartialEq)]
pub struct NumberPattern {
    tokens: Vec<Token>,
    point: Option<usize>,
    pub precision: usize,
    pub scale: usize,
}

fn invalid(sub: &str, format: &str) -> Error {
    Error::analysis(format!("INVALID_FORMAT.{sub}"))
        .param("format", format!("'{format}'"))
        .with_message(format!("'{format}' is not a number format."))
}

impl NumberPattern {
    /// Reads a format in any case.
    ///
    /// # Errors
    /// `INVALID_FORMAT` with its sub-conditions.
    pub fn new(text: &str) -> Result<NumberPattern> {
        let format = text.to_uppercase();
        if format.is_empty() {
            return Err(invalid("EMPTY", &format));
        }
        let tokens = tokenize(&format)?;
        let point = tokens.iter().position(|t| *t == Token::Point);
        check(&tokens, point, &format)?;
        let digits = |tokens: &[Token]| -> usize {
            tokens.iter().map(|t| if let Token::Digits { count, .. } = t { *count } else { 0 }).sum()
        };
        let scale = point.map_or(0, |p| digits(&tokens[p..]));
        let precision = digits(&tokens);
        Ok(NumberPattern { tokens, point, precision, scale })
    }

    fn whole(&self) -> &[Token] {
        &self.tokens[..self.point.unwrap_or(self.tokens.len())]
    }

    fn has(&self, token: &Token) -> bool {
        self.tokens.contains(token)
    }

    /// The unscaled value of a text that fits the format.
    pub fn parse(&self, text: &str) -> Option<i128> {
        let mut rest = text;
        let mut negative = false;
        if self.has(&Token::Brackets)
            && let Some(inner) = rest.strip_prefix('<')
        {
            rest = inner.strip_suffix('>')?;
            negative = true;
        }
        let leading = matches!(self.tokens.first(), Some(Token::Sign | Token::Minus));
        let plus = self.has(&Token::Sign);
        if plus || self.has(&Token::Minus) {
            let strip = |s: &'static str| if leading { rest.strip_prefix(s) } else { rest.strip_suffix(s) };
            if let Some(inner) = strip("-") {
                (rest, negative) = (inner, true);
            } else if let Some(inner) = strip("+").filter(|_| plus) {
                rest = inner;
            }
        }
        if self.has(&Token::Dollar) {
            rest = rest.strip_prefix('$')?;
        }
        let (whole, fraction) = match rest.split_once('.') {
            Some((whole, fraction)) if self.point.is_some() => (whole, fraction),
            Some(_) => return None,
            None => (rest, ""),
        };
        let whole = self.parse_whole(whole)?;
        let exact =
            self.point.is_some_and(|p| matches!(self.tokens.get(p + 1), Some(Token::Digits { exact: true, .. })));
        let digits = fraction.bytes().all(|b| b.is_ascii_digit());
        if !digits || fraction.len() > self.scale || (exact && fraction.len() != self.scale) {
            return None;
        }
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let all = format!("{whole}{fraction:0<width$}", width = self.scale);
        let value: i128 = if all.is_empty() { 0 } else { all.parse().ok()? };
        Some(if negative { -value } else { value })
    }

    /// The digits of a whole part: as many groups as the format has from the right, the leftmost one
    /// perhaps shorter.
    fn parse_whole(&self, text: &str) -> Option<String> {
        let mut groups: Vec<(usize, bool)> = vec![(0, false)];
        for token in self.whole() {
            match token {
                Token::Separator => groups.push((0, false)),
                Token::Digits { count, exact } => {
                    if let Some(last) = groups.last_mut() {
                        last.0 += count;
                        last.1 |= exact;
                    }
                }
                _ => {}
            }
        }
        let parts: Vec<&str> = text.split(',').collect();
        if parts.len() > groups.len() {
            return None;
        }
        let missing = groups.len() - parts.len();
        if groups[..missing].iter().any(|(_, exact)| *exact) {
            return None;
        }
        for (i, (part, (count, exact))) in parts.iter().zip(&groups[missing..]).enumerate() {
            let full = *exact || i > 0;
            if !part.bytes().all(|b| b.is_ascii_digit()) || part.len() > *count || (full && part.len() != *count) {
                return None;
            }
        }
        Some(parts.concat())
    }

    /// Writes a number; `#` for digits if it does not fit.
    pub fn write(&self, unscaled: i128, scale: usize, out: &mut String) {
        let digits = format!("{:0>width$}", unscaled.unsigned_abs(), width = scale + 1);
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        let whole = whole.trim_start_matches('0');
        let fraction = fraction.trim_end_matches('0');
        let fits = whole.len() <= self.precision - self.scale && fraction.len() <= self.scale;
        let whole = format!("{whole:0>width$}", width = self.precision - self.scale);
        let fraction = format!("{fraction:0<width$}", width = self.scale);
        let mut text = String::with_capacity(self.tokens.len() + self.precision);
        if unscaled < 0 && self.has(&Token::Brackets) {
            text.push('<');
        }
        let mut digits = fits.then(|| whole.chars());
        let (mut significant, mut below) = (false, false);
        for token in &self.tokens {
            match token {
                Token::Digits { count, .. } if below => match fits {
                    true => text.push_str(&fraction),
                    false => text.push_str(&"#".repeat(*count)),
                },
                Token::Digits { count, exact } => match &mut digits {
                    Some(digits) => write_digits(digits.take(*count), *exact, &mut significant, &mut text),
                    None => text.push_str(&"#".repeat(*count)),
                },
                Token::Separator if !fits || text.ends_with(|c: char| c.is_ascii_digit()) => text.push(','),
                Token::Separator => write_blank(&mut text),
                Token::Point => {
                    if text.ends_with(' ') {
                        text.pop();
                        text.push('0');
                    }
                    if self.scale > 0 {
                        text.push('.');
                    }
                    below = true;
                }
                Token::Dollar => text.push('$'),
                Token::Sign => text.push(if unscaled < 0 { '-' } else { '+' }),
                Token::Minus => text.push(if unscaled < 0 { '-' } else { ' ' }),
                Token::Brackets => text.push_str(if unscaled < 0 { ">" } else { "  " }),
            }
        }
        out.push_str(&text);
    }
}

/// Writes digits; leading zeros are blanks unless the format asks for them.
fn write_digits(digits: impl Iterator<Item = char>, exact: bool, significant: &mut bool, out: &mut String) {
    for digit in digits {
        *significant |= digit != '0';
        match exact || *significant {
            true => out.push(digit),
            false => write_blank(out),
        }
    }
}

/// Writes a blank; a sign stays next to the digits.
fn write_blank(out: &mut String) {
    match out.pop() {
        Some(sign @ ('+' | '-' | '<')) => {
            out.push(' ');
            out.push(sign);
        }
        Some(other) => {
            out.push(other);
            out.push(' ');
        }
        None => out.push(' '),
    }
}

fn tokenize(format: &str) -> Result<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = format;
    while let Some(c) = rest.chars().next() {
        let (token, length) = match c {
            '0' | '9' => {
                let count = rest.bytes().take_while(|b| matches!(b, b'0' | b'9')).count();
                (Token::Digits { count, exact: c == '0' }, count)
            }
            ',' | 'G' => (Token::Separator, 1),
            '.' | 'D' => (Token::Point, 1),
            '$' => (Token::Dollar, 1),
            'S' => (Token::Sign, 1),
            'M' if rest.starts_with("MI") => (Token::Minus, 2),
            'P' if rest.starts_with("PR") => (Token::Brackets, 2),
            _ if !format.contains(['0', '9']) => return Err(invalid("WRONG_NUM_DIGIT", format)),
            c => {
                return Err(invalid("UNEXPECTED_TOKEN", format).param("token", format!("character '{c}''")));
            }
        };
        tokens.push(token);
        rest = &rest[length..];
    }
    Ok(tokens)
}

fn check(tokens: &[Token], point: Option<usize>, format: &str) -> Result<()> {
    let count = |token: &Token| tokens.iter().filter(|t| *t == token).count();
    let first_digits = tokens.iter().position(|t| matches!(t, Token::Digits { .. }));
    let Some(first_digits) = first_digits else { return Err(invalid("WRONG_NUM_DIGIT", format)) };
    if let Some(dollar) = tokens.iter().position(|t| *t == Token::Dollar) {
        if dollar > first_digits {
            return Err(invalid("CUR_MUST_BEFORE_DIGIT", format));
        }
        if point.is_some_and(|p| dollar > p) {
            return Err(invalid("CUR_MUST_BEFORE_DEC", format));
        }
    }
    for (i, _) in tokens.iter().enumerate().filter(|(_, t)| **t == Token::Separator) {
        if point.is_some_and(|p| i > p) {
            return Err(invalid("THOUSANDS_SEPS_MUST_BEFORE_DEC", format));
        }
        let digits =
            |at: Option<usize>| at.and_then(|at| tokens.get(at)).is_some_and(|t| matches!(t, Token::Digits { .. }));
        if !digits(i.checked_sub(1)) || !digits(Some(i + 1)) {
            return Err(invalid("CONT_THOUSANDS_SEPS", format));
        }
    }
    for (token, shown) in [
        (Token::Point, ". or D"),
        (Token::Sign, "S"),
        (Token::Dollar, "$"),
        (Token::Minus, "MI"),
        (Token::Brackets, "PR"),
    ] {
        if count(&token) > 1 {
            return Err(invalid("WRONG_NUM_TOKEN", format).param("token", shown));
        }
    }
    in_order(tokens, format)
}

/// `[MI|S] [$] [0|9|G|,]* [.|D] [0|9]* [PR|MI|S]`
fn in_order(tokens: &[Token], format: &str) -> Result<()> {
    let mut stage = 0;
    for token in tokens {
        let next = match token {
            Token::Sign | Token::Minus => {
                if stage == 0 {
                    1
                } else {
                    5
                }
            }
            Token::Dollar => 2,
            Token::Digits { .. } | Token::Separator => {
                if stage >= 4 {
                    4
                } else {
                    3
                }
            }
            Token::Point => 4,
            Token::Brackets => 5,
        };
        if next < stage || stage == 5 {
            let shown = match token {
                Token::Digits { .. } => "digit sequence",
                Token::Separator => "',' or 'G'",
                Token::Point => "'.' or 'D'",
                Token::Dollar => "'$'",
                Token::Sign => "'S'",
                Token::Minus => "'MI'",
                Token::Brackets => "'PR'",
            };
            return Err(invalid("UNEXPECTED_TOKEN", format).param("token", shown));
        }
        stage = next;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes() {
        for (unscaled, scale, format, expected) in [
            (454, 0, "999", "454"),
            (454, 0, "999999", "   454"),
            (454, 0, "000000", "000454"),
            (-454, 0, "999", "454"),
            (-454, 0, "S999", "-454"),
            (454, 0, "S999", "+454"),
            (-454, 0, "999S", "454-"),
            (454, 0, "MI999", " 454"),
            (454, 0, "999MI", "454 "),
            (-454, 0, "999PR", "<454>"),
            (454, 0, "999PR", "454  "),
            (12345, 0, "999", "###"),
            (123456, 3, "999.9", "###.#"),
            (5, 1, "9.99", "0.50"),
            (5, 1, ".99", ".50"),
            (1234, 0, "9,999,999", "    1,234"),
            (-7812, 2, "S$99.99", "-$78.12"),
            (5, 0, "00G000", "00,005"),
            (0, 0, "999", "   "),
            (0, 0, "9.9", "0.0"),
            (-5, 1, "S9.9", " -.5"),
            (5, 1, "S99.9", "  +.5"),
            (-5, 1, "9.9PR", " <.5>"),
            (-5, 1, "S$9.9", "-$0.5"),
            (0, 0, "$9", "$ "),
            (15, 1, "0,999.9", "0,  1.5"),
            (15, 1, "9,099.9", "  001.5"),
            (-124548, 1, "99G999D9S", "12,454.8-"),
            (45400, 2, "000D00", "454.00"),
        ] {
            let Ok(pattern) = NumberPattern::new(format) else { panic!("{format}") };
            let mut out = String::new();
            pattern.write(unscaled, scale, &mut out);
            assert_eq!(out, expected, "{unscaled} {format}");
        }
    }

    #[test]
    fn reads() {
        for (text, format, expected) in [
            ("454", "999", Some(454)),
            ("454.00", "000.00", Some(45400)),
            ("12,454", "99,999", Some(12454)),
            ("$78.12", "$99.99", Some(7812)),
            ("12,454.8-", "99,999.9S", Some(-124_548)),
            ("-454", "S000", Some(-454)),
            ("<12>", "99PR", Some(-12)),
            ("12", "000", None),
            ("1234", "9,999", None),
            ("12454", "99", None),
            ("-12", "99", None),
            ("", "9", None),
        ] {
            let Ok(pattern) = NumberPattern::new(format) else { panic!("{format}") };
            assert_eq!(pattern.parse(text), expected, "{text} {format}");
        }
    }

    #[test]
    fn refuses() {
        for (format, condition) in [
            ("", "INVALID_FORMAT.EMPTY"),
            ("-000", "INVALID_FORMAT.UNEXPECTED_TOKEN"),
            ("foo", "INVALID_FORMAT.WRONG_NUM_DIGIT"),
            ("9x", "INVALID_FORMAT.UNEXPECTED_TOKEN"),
            ("9.9.9", "INVALID_FORMAT.WRONG_NUM_TOKEN"),
            (",999", "INVALID_FORMAT.CONT_THOUSANDS_SEPS"),
            ("S9S", "INVALID_FORMAT.WRONG_NUM_TOKEN"),
            ("$$9", "INVALID_FORMAT.WRONG_NUM_TOKEN"),
            ("99$", "INVALID_FORMAT.CUR_MUST_BEFORE_DIGIT"),
        ] {
            let error = NumberPattern::new(format).err().map(|e| e.condition().to_string());
            assert_eq!(error.as_deref(), Some(condition), "{format}");
        }
    }
}
