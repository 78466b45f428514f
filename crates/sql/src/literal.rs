//! Constants: numbers, strings, typed literals and intervals.

use spark::{DataType, Error, Expr, Literal, Result};

use crate::datetime::{self, Zone};
use crate::error;
use crate::interval::{self, Interval, NarrowError};
use crate::keywords::Kw;
use crate::lexer::Tok;
use crate::parser::Parser;

impl Parser<'_> {
    /// True if a string literal is next.
    pub fn at_string(&self) -> bool {
        self.string_at(0)
    }

    pub fn string_at(&self, ahead: usize) -> bool {
        match self.peek_at(ahead) {
            Tok::Str => true,
            Tok::DoubleQuoted => !self.options.double_quoted_identifiers,
            _ => false,
        }
    }

    /// One or more adjacent string literals as one value.
    pub fn string(&mut self) -> Result<String> {
        if !self.at_string() {
            return match self.parameter_value() {
                Some(Literal::String(value)) => Ok(value),
                _ => self.unexpected_marker(String::new()),
            };
        }
        let mut value = String::new();
        while self.at_string() {
            value.push_str(&self.one_string());
        }
        Ok(value)
    }

    /// Exactly one string literal.
    pub fn single_string(&mut self) -> Result<String> {
        if self.at_string() { Ok(self.one_string()) } else { Err(self.syntax_error()) }
    }

    fn one_string(&mut self) -> String {
        let token = self.advance();
        unquote(self.text_of(token), self.options.escaped_string_literals)
    }

    /// True if a number is `ahead`.
    pub fn number_at(&self, ahead: usize) -> bool {
        matches!(
            self.peek_at(ahead),
            Tok::Int
                | Tok::Dec
                | Tok::Exp
                | Tok::BigInt
                | Tok::SmallInt
                | Tok::TinyInt
                | Tok::Float
                | Tok::Double
                | Tok::BigDecimal
        )
    }

    /// A number, with its minus sign if there is one.
    pub fn number(&mut self) -> Result<Literal> {
        let mark = self.mark();
        let negative = self.eat_sym("-");
        let token = self.advance();
        let text = self.text_of(token).to_string();
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic() && !matches!(c, 'e' | 'E'));
        let signed = if negative { format!("-{digits}") } else { digits.to_string() };
        let ranged = |type_name: &str, min: &str, max: &str| {
            self.error(mark, "INVALID_NUMERIC_LITERAL_RANGE")
                .param("rawStrippedQualifier", &signed)
                .param("minValue", min)
                .param("maxValue", max)
                .param("typeName", type_name)
                .with_message(format!("{signed} does not fit into {type_name} ({min} to {max})"))
        };
        match token.tok {
            Tok::Int => integer(&signed).ok_or_else(|| decimal_too_wide(&signed)),
            Tok::TinyInt => signed.parse().map(Literal::Byte).map_err(|_| ranged("tinyint", "-128", "127")),
            Tok::SmallInt => signed.parse().map(Literal::Short).map_err(|_| ranged("smallint", "-32768", "32767")),
            Tok::BigInt => {
                let bounds = (i64::MIN.to_string(), i64::MAX.to_string());
                signed.parse().map(Literal::Long).map_err(|_| ranged("bigint", &bounds.0, &bounds.1))
            }
            Tok::Float => match signed.parse::<f32>() {
                Ok(value) if value.is_finite() => Ok(Literal::Float(value)),
                _ => Err(ranged("float", "-3.4028234663852886E+38", "3.4028234663852886E+38")),
            },
            Tok::Exp if self.options.exponent_as_decimal => decimal(&signed).ok_or_else(|| decimal_too_wide(&signed)),
            Tok::Double | Tok::Exp => match signed.parse::<f64>() {
                Ok(value) if value.is_finite() => Ok(Literal::Double(value)),
                _ => Err(ranged("double", "-1.7976931348623157E+308", "1.7976931348623157E+308")),
            },
            Tok::BigDecimal => decimal(&signed).ok_or_else(|| decimal_too_wide(&signed).at(Some(&self.origin(mark)))),
            Tok::Dec => decimal(&signed).ok_or_else(|| decimal_too_wide(&signed)),
            _ => Err(self.syntax_error()),
        }
    }

    /// An integer without sign, for clauses such as `INTO 4 BUCKETS`.
    pub fn integer(&mut self) -> Result<i64> {
        if self.peek() != Tok::Int {
            return match self.parameter_value() {
                Some(Literal::Integer(value)) => Ok(value.into()),
                Some(Literal::Long(value)) => Ok(value),
                _ => self.unexpected_marker(0),
            };
        }
        let token = self.advance();
        self.text_of(token).parse().map_err(|_| error::syntax(&error::token_text(self.text_of(token)), "", 1, 0))
    }

    /// A word followed by a string: `DATE '…'` and its like.
    pub fn typed_literal(&mut self) -> Result<Expr> {
        let mark = self.mark();
        let word = self.advance();
        let name = self.text_of(word).to_string();
        let value = self.single_string()?;
        let upper = name.to_ascii_uppercase();
        if upper.starts_with("TIMESTAMP") && self.options.timestamp_nanos && fraction_digits(&value) > 9 {
            let shown = quote_value(&value);
            return Err(self
                .error(mark, "INVALID_TIMESTAMP_LITERAL_PRECISION")
                .param("value", &shown)
                .with_message(format!("{shown} has more than 9 digits after the second")));
        }
        if upper == "TIME" && fraction_digits(&value) > 9 {
            let shown = quote_value(&value);
            return Err(self
                .error(mark, "INVALID_TIME_LITERAL_PRECISION")
                .param("value", &shown)
                .with_message(format!("{shown} has more than 9 digits after the second")));
        }
        let literal = match upper.as_str() {
            "DATE" => self.date(&value).map(Literal::Date),
            "TIMESTAMP_NTZ" => self.timestamp_ntz(&value),
            "TIMESTAMP_LTZ" => self.timestamp_ltz(&value),
            "TIMESTAMP" => self.timestamp(&value),
            "TIME" => datetime::parse_time(&value)
                .map(|nanos| Literal::Time { nanos, precision: fraction_digits(&value).clamp(6, 9) as u8 }),
            "INTERVAL" => return self.interval_text(mark, &value),
            "X" => hex(&value).map(Literal::Binary),
            _ => {
                return Err(self
                    .error(mark, "UNSUPPORTED_TYPED_LITERAL")
                    .param("unsupportedType", format!("\"{upper}\""))
                    .param("supportedTypes", SUPPORTED_TYPED_LITERALS)
                    .with_message(format!("There are no literals of type {upper}")));
            }
        };
        literal
            .map(Expr::Literal)
            .ok_or_else(|| error::invalid_typed_literal(&upper, &quote_value(&value)).at(Some(&self.origin(mark))))
    }

    fn zone(&self) -> Zone {
        Zone::parse(&self.options.time_zone).unwrap_or(Zone::Fixed(0))
    }

    fn date(&self, value: &str) -> Option<i32> {
        datetime::special_date(value, self.zone(), self.options.now_micros).or_else(|| datetime::parse_date(value))
    }

    fn timestamp_ltz(&self, value: &str) -> Option<Literal> {
        if let Some(micros) = datetime::special_instant(value, self.zone(), self.options.now_micros) {
            return Some(Literal::Timestamp(micros));
        }
        let parsed = datetime::parse_timestamp(value)?;
        let zone = parsed.zone.unwrap_or(self.zone());
        let day = if parsed.time_only { datetime::local_midnight(zone, self.options.now_micros)? } else { 0 };
        let micros = zone.to_utc(parsed.micros.checked_add(day)?)?;
        Some(self.nanos(value, true, micros, parsed.nanos).unwrap_or(Literal::Timestamp(micros)))
    }

    /// The timestamp as written with more than six digits after the second, if it is and they count.
    fn nanos(&self, value: &str, ltz: bool, micros: i64, below: i64) -> Option<Literal> {
        let precision = u8::try_from(fraction_digits(value)).ok().filter(|p| (7..=9).contains(p))?;
        self.options.timestamp_nanos.then(|| Literal::TimestampNanos {
            nanos: i128::from(micros) * 1000 + i128::from(below),
            ltz,
            precision,
        })
    }

    fn timestamp_ntz(&self, value: &str) -> Option<Literal> {
        if let Some(micros) = datetime::special_instant(value, self.zone(), self.options.now_micros) {
            let offset = self.zone().offset_at(micros)? as i64 * interval::MICROS_PER_SECOND;
            let is_epoch = value.trim().eq_ignore_ascii_case("epoch");
            return Some(Literal::TimestampNtz(if is_epoch { 0 } else { micros + offset }));
        }
        let parsed = datetime::parse_timestamp(value)?;
        let wall_clock = || {
            let nanos = self.nanos(value, false, parsed.micros, parsed.nanos);
            nanos.unwrap_or(Literal::TimestampNtz(parsed.micros))
        };
        (!parsed.time_only).then(wall_clock)
    }

    /// `TIMESTAMP '…'`: by the session's timestamp type, but with a zone always an instant.
    fn timestamp(&self, value: &str) -> Option<Literal> {
        let zoned = datetime::parse_timestamp(value).is_some_and(|t| t.zone.is_some());
        if self.options.timestamp_ntz && !zoned { self.timestamp_ntz(value) } else { self.timestamp_ltz(value) }
    }

    /// `INTERVAL 'text'`.
    fn interval_text(&self, mark: usize, value: &str) -> Result<Expr> {
        let parsed = interval::parse_multi_units(value)
            .map_err(|_| error::invalid_typed_literal("INTERVAL", &quote_value(value)).at(Some(&self.origin(mark))))?;
        let units: Vec<String> = value
            .split(char::is_whitespace)
            .map(interval::singular)
            .filter(|u| u != "interval" && !u.is_empty() && u.bytes().all(|b| b.is_ascii_lowercase()))
            .collect();
        self.interval_literal(mark, parsed, &units)
    }

    fn interval_literal(&self, mark: usize, value: Interval, units: &[String]) -> Result<Expr> {
        if self.options.legacy_interval {
            let Interval { months, days, micros } = value;
            return Ok(Expr::Literal(Literal::CalendarInterval { months, days, micros }));
        }
        interval::narrow(value, units).map(Expr::Literal).map_err(|e| {
            let literal = self.source_since(mark).to_string();
            match e {
                NarrowError::Overflow => Error::arithmetic("INTERVAL_ARITHMETIC_OVERFLOW.WITHOUT_SUGGESTION")
                    .with_message(format!("The interval does not fit into its type: {literal}")),
                NarrowError::Mixed => self
                    .error(mark, "_LEGACY_ERROR_TEMP_0029")
                    .param("literal", &literal)
                    .with_message(format!("An interval has either years and months, or days and times: {literal}")),
            }
        })
    }

    /// True at `INTERVAL` if units follow rather than something else.
    pub fn at_interval(&self) -> bool {
        if !self.at_kw(Kw::INTERVAL) {
            return false;
        }
        let signed = (self.sym_at(1, "-") || self.sym_at(1, "+")) as usize;
        (self.number_at(1 + signed) || self.string_at(1 + signed))
            && (signed == 0 || self.unit_at(2 + signed) || self.string_at(2))
    }

    /// The unit `ahead`, in lower case as written.
    fn unit_at(&self, ahead: usize) -> bool {
        matches!(self.peek_at(ahead), Tok::Word(_)) && is_unit(self.text_of(self.token(ahead)))
    }

    /// An interval written with units, or `INTERVAL 'text'`.
    pub fn interval(&mut self) -> Result<Expr> {
        let mark = self.mark();
        if self.string_at(1) && !self.interval_units_follow() {
            return self.typed_literal();
        }
        self.advance();
        let (mut text, mut units) = (String::new(), Vec::new());
        let mut from_to: Option<Literal> = None;
        let body = self.mark();
        loop {
            let (value, is_string) = self.interval_value()?;
            if !self.unit_at(0) {
                return Err(self.syntax_error());
            }
            let token = self.advance();
            let unit = self.text_of(token).to_string();
            if self.at_kw(Kw::TO) && self.unit_at(1) {
                self.advance();
                let end = self.advance();
                let end = self.text_of(end).to_string();
                from_to = Some(self.unit_to_unit(body, &value, is_string, &unit, &end)?);
                if units.is_empty() && !self.interval_value_follows() {
                    break;
                }
                self.take_rest_of_interval();
                return Err(self.single_from_to(mark));
            }
            self.check_interval_number(body, &value, is_string)?;
            text.push_str(&format!(" {value} {unit}"));
            units.push(interval::singular(&unit));
            if !self.interval_value_follows() {
                break;
            }
        }
        if let Some(literal) = from_to {
            return Ok(Expr::Literal(literal));
        }
        let parsed = interval::parse_multi_units(&text)?;
        self.interval_literal(mark, parsed, &units)
    }

    fn single_from_to(&self, mark: usize) -> Error {
        self.error(mark, "_LEGACY_ERROR_TEMP_0024")
            .with_message("An interval literal has room for one pair of units joined by TO, and nothing else")
    }

    /// Takes further values and units, so that the error's position covers them.
    fn take_rest_of_interval(&mut self) {
        while self.interval_value_follows() {
            self.advance();
            while !self.unit_at(0) {
                self.advance();
            }
            self.advance();
            if self.at_kw(Kw::TO) && self.unit_at(1) {
                self.advance();
                self.advance();
            }
        }
    }

    /// True if `value unit` is next.
    fn interval_value_follows(&self) -> bool {
        let signed = (self.at_sym("-") || self.at_sym("+")) as usize;
        (self.number_at(signed) || self.string_at(signed)) && self.unit_at(signed + 1)
    }

    /// True if a unit comes after the string (or strings) that follow `INTERVAL`.
    fn interval_units_follow(&self) -> bool {
        let mut ahead = 1;
        while self.string_at(ahead) {
            ahead += 1;
        }
        self.unit_at(ahead)
    }

    /// The value as text with its sign applied, and whether it was a string.
    fn interval_value(&mut self) -> Result<(String, bool)> {
        let minus = self.eat_sym("-");
        if !minus {
            self.eat_sym("+");
        }
        if self.at_string() {
            let value = self.string()?;
            let value = match (minus, value.strip_prefix('-')) {
                (false, _) => value,
                (true, Some(positive)) => positive.to_string(),
                (true, None) => format!("-{value}"),
            };
            return Ok((value, true));
        }
        if !matches!(self.peek(), Tok::Int | Tok::Dec) {
            return Err(self.syntax_error());
        }
        let token = self.advance();
        let digits = self.text_of(token);
        Ok((if minus { format!("-{digits}") } else { digits.to_string() }, false))
    }

    fn check_interval_number(&self, body: usize, value: &str, is_string: bool) -> Result<()> {
        if is_string && value.chars().any(char::is_alphabetic) {
            return Err(self
                .error(body, "_LEGACY_ERROR_TEMP_0026")
                .param("value", value)
                .with_message(format!("Before a unit an interval has a number, not {value}")));
        }
        Ok(())
    }

    fn unit_to_unit(&self, body: usize, value: &str, is_string: bool, from: &str, to: &str) -> Result<Literal> {
        let origin = self.origin(body);
        let (from, to) = (interval::singular(from), interval::singular(to));
        if !is_string {
            return Err(self
                .error(body, "_LEGACY_ERROR_TEMP_0027")
                .with_message("The value before a pair of units joined by TO is a string"));
        }
        let located = |e: Error| e.at(Some(&origin));
        match interval::interval_type(&from, &to) {
            Some(DataType::YearMonthInterval { start: 0, end: 1 }) => {
                let months = interval::parse_year_month(value).map_err(located)?;
                Ok(if self.options.legacy_interval {
                    Literal::CalendarInterval { months, days: 0, micros: 0 }
                } else {
                    Literal::YearMonthInterval { months, start: 0, end: 1 }
                })
            }
            Some(DataType::DayTimeInterval { start, end }) if start < end => {
                let micros = interval::parse_day_time(value, start, end).map_err(located)?;
                Ok(if self.options.legacy_interval {
                    let days = (micros / interval::MICROS_PER_DAY) as i32;
                    Literal::CalendarInterval { months: 0, days, micros: micros % interval::MICROS_PER_DAY }
                } else {
                    Literal::DayTimeInterval { micros, start, end }
                })
            }
            _ => Err(self
                .error(body, "INVALID_INTERVAL_FORMAT.UNSUPPORTED_FROM_TO_EXPRESSION")
                .param("input", value)
                .param("from", &from)
                .param("to", &to)
                .with_message(format!("There is no interval from {from} to {to}"))),
        }
    }
}

const SUPPORTED_TYPED_LITERALS: &str =
    "\"DATE\", \"TIMESTAMP_NTZ\", \"TIMESTAMP_LTZ\", \"TIMESTAMP\", \"INTERVAL\", \"X\", \"TIME\"";

fn is_unit(word: &str) -> bool {
    matches!(
        interval::singular(word).as_str(),
        "year" | "month" | "week" | "day" | "hour" | "minute" | "second" | "millisecond" | "microsecond" | "nanosecond"
    )
}

/// A string as Spark shows it in parameters.
fn quote_value(value: &str) -> String {
    format!("'{value}'")
}

/// The value of a string literal: quotes off, escapes applied.
pub fn unquote(text: &str, keep_escapes: bool) -> String {
    let (body, quote) = match text.as_bytes().first() {
        Some(b'r' | b'R') => return text[2..text.len() - 1].to_string(),
        Some(&quote) => (&text[1..text.len() - 1], quote as char),
        None => return String::new(),
    };
    let mut out = String::with_capacity(body.len());
    let mut chars = body.chars().peekable();
    while let Some(c) = chars.next() {
        if c == quote {
            chars.next();
            out.push(c);
        } else if c != '\\' || keep_escapes {
            out.push(c);
        } else {
            unescape(&mut chars, &mut out);
        }
    }
    out
}

/// What follows a backslash.
fn unescape(chars: &mut std::iter::Peekable<std::str::Chars<'_>>, out: &mut String) {
    let rest: String = chars.clone().take(9).collect();
    let coded = |len: usize, radix: u32, skip: usize| {
        let digits = rest.get(skip..skip + len)?;
        digits.chars().all(|c| c.is_digit(radix)).then(|| u32::from_str_radix(digits, radix).ok()).flatten()
    };
    let (code, len) = match rest.as_bytes().first() {
        Some(b'u') => (coded(4, 16, 1), 5),
        Some(b'U') => (coded(8, 16, 1), 9),
        Some(b'0' | b'1') => (coded(3, 8, 0), 3),
        _ => (None, 0),
    };
    if let Some(decoded) = code.and_then(|c| surrogate_aware(c, chars, len)) {
        out.push(decoded);
        return;
    }
    match chars.next() {
        Some('0') => out.push('\0'),
        Some('b') => out.push('\u{8}'),
        Some('n') => out.push('\n'),
        Some('r') => out.push('\r'),
        Some('t') => out.push('\t'),
        Some('Z') => out.push('\u{1a}'),
        // Kept for LIKE, where they matter.
        Some(c @ ('%' | '_')) => out.extend(['\\', c]),
        Some(c) => out.push(c),
        None => out.push('\\'),
    }
}

/// The character of a code, taking a second `\uXXXX` where the first is half of a pair.
fn surrogate_aware(code: u32, chars: &mut std::iter::Peekable<std::str::Chars<'_>>, len: usize) -> Option<char> {
    let mut ahead = chars.clone();
    ahead.by_ref().take(len).for_each(drop);
    let mut value = code;
    if (0xd800..0xdc00).contains(&code) {
        let next: String = ahead.clone().take(6).collect();
        let low = next.strip_prefix("\\u").and_then(|digits| u32::from_str_radix(digits, 16).ok());
        if let Some(low @ 0xdc00..0xe000) = low {
            ahead.by_ref().take(6).for_each(drop);
            value = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        }
    }
    let decoded = char::from_u32(value).unwrap_or('?');
    *chars = ahead;
    Some(decoded)
}

/// Digits after the point of a timestamp's text.
fn fraction_digits(text: &str) -> usize {
    text.split_once('.').map_or(0, |(_, rest)| rest.bytes().take_while(u8::is_ascii_digit).count())
}

/// `X'…'`: an odd number of digits has a zero before it.
fn hex(text: &str) -> Option<Vec<u8>> {
    let padded = if text.len() % 2 == 1 { format!("0{text}") } else { text.to_string() };
    if !padded.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    (0..padded.len()).step_by(2).map(|at| u8::from_str_radix(&padded[at..at + 2], 16).ok()).collect()
}

/// The smallest of int, long and decimal that holds the digits.
fn integer(text: &str) -> Option<Literal> {
    if let Ok(value) = text.parse() {
        return Some(Literal::Integer(value));
    }
    if let Ok(value) = text.parse() {
        return Some(Literal::Long(value));
    }
    decimal(text)
}

/// A decimal literal with the precision and scale it is written with.
pub fn decimal(text: &str) -> Option<Literal> {
    let lower = text.to_ascii_lowercase();
    let (mantissa, exponent) = match lower.split_once('e') {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (lower.as_str(), 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut digits = format!("{whole}{fraction}");
    let mut scale = i32::try_from(fraction.len()).ok()?.checked_sub(exponent)?;
    if scale < 0 {
        if scale < -38 {
            return None;
        }
        digits.extend(std::iter::repeat_n('0', scale.unsigned_abs() as usize));
        scale = 0;
    }
    let significant = i32::try_from(digits.trim_start_matches(['-', '0']).len()).ok()?;
    let precision = significant.max(scale).max(1);
    if precision > 38 || scale > 38 {
        return None;
    }
    let unscaled = digits.parse().ok()?;
    Some(Literal::Decimal { unscaled, precision: precision as u8, scale: scale as i8 })
}

fn decimal_too_wide(text: &str) -> Error {
    let lower = text.to_ascii_lowercase();
    let (mantissa, exponent) = lower.split_once('e').unwrap_or((&lower, "0"));
    let scale = mantissa.split_once('.').map_or(0, |(_, fraction)| fraction.len() as i64);
    let significant = mantissa.trim_start_matches(['-', '0', '.']).bytes().filter(u8::is_ascii_digit).count() as i64;
    let exponent: i64 = exponent.parse().unwrap_or(0);
    let zeros = exponent.saturating_sub(scale).max(0);
    let digits = significant.saturating_add(zeros).max(scale.saturating_sub(exponent));
    Error::new(spark::ErrorKind::Arithmetic, "DECIMAL_PRECISION_EXCEEDS_MAX_PRECISION")
        .param("precision", digits.to_string())
        .param("maxPrecision", "38")
        .with_message(format!("{text} has more than the 38 digits of a decimal"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings() {
        for (text, expect) in [
            (r"'a\nb'", "a\nb"),
            ("'it''s'", "it's"),
            (r"'\u0041\101\0x'", "AA\0x"),
            (r"'a\%b\_'", r"a\%b\_"),
            (r"r'a\n'", r"a\n"),
            (r#""d""q""#, "d\"q"),
            (r"'\ud83d\ude00'", "😀"),
            (r"'\\'", "\\"),
        ] {
            assert_eq!(unquote(text, false), expect, "{text}");
        }
    }

    #[test]
    fn decimals() {
        for (text, unscaled, precision, scale) in
            [("1.50", 150, 3, 2), ("0.001", 1, 3, 3), ("-12.3", -123, 3, 1), ("5.", 5, 1, 0), ("1e2", 100, 3, 0)]
        {
            assert_eq!(decimal(text), Some(Literal::Decimal { unscaled, precision, scale }), "{text}");
        }
    }
}
