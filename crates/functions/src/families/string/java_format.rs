//! `java.util.Formatter`'s format strings, in the root locale.

use spark::ErrorKind;

use crate::families::text_data::number::{write_double, write_float};

/// A piece of a format.
#[derive(Debug, Clone, PartialEq)]
pub enum Piece {
    Text(String),
    Spec(Spec),
}

/// `%[index$][flags][width][.precision]conversion`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Spec {
    /// From 1; 0 for the next argument.
    pub index: usize,
    /// `%<`: the argument of the specifier before.
    pub previous: bool,
    left: bool,
    alternate: bool,
    plus: bool,
    space: bool,
    zero: bool,
    group: bool,
    parentheses: bool,
    width: Option<usize>,
    precision: Option<usize>,
    pub conversion: char,
}

impl Spec {
    /// A flag that the conversion does not have; those of integers and floats come in common first.
    fn misplaced_flag(&self) -> Option<char> {
        let signs = [(self.plus, '+'), (self.space, ' '), (self.parentheses, '(')];
        let refused: Vec<(bool, char)> = match self.conversion.to_ascii_lowercase() {
            'b' | 'h' | 's' | 'c' => {
                [&signs[..], &[(self.zero, '0'), (self.group, ','), (self.alternate, '#')]].concat()
            }
            'd' => vec![(self.alternate, '#')],
            'o' | 'x' => [&signs[..], &[(self.group, ',')]].concat(),
            'e' => vec![(self.group, ',')],
            'a' => vec![(self.group, ','), (self.parentheses, '(')],
            'g' => vec![(self.alternate, '#')],
            _ => Vec::new(),
        };
        refused.into_iter().find(|(given, _)| *given).map(|(_, flag)| flag)
    }
}

/// What is formatted.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Null,
    Bool(bool),
    /// With the number of bits of its type.
    Int(i64, u32),
    Float(f32),
    Double(f64),
    Text(String),
    /// Anything else: the class Java names in errors, and its `toString`.
    Other(&'static str, String),
}

/// Java's message for a format that does not fit.
#[derive(Debug)]
pub struct Problem {
    pub kind: ErrorKind,
    pub text: String,
}

impl Problem {
    fn new(kind: ErrorKind, text: impl Into<String>) -> Self {
        Problem { kind, text: text.into() }
    }
}

/// The longest padding that is made.
const MAX_WIDTH: usize = 1 << 24;

/// Reads a format.
///
/// # Errors
/// In Java's words.
pub fn parse(format: &str) -> Result<Vec<Piece>, Problem> {
    let mut pieces = Vec::new();
    let mut text = String::new();
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        text.push_str(&rest[..at]);
        let (spec, length) = specifier(&rest[at + 1..])?;
        rest = &rest[at + 1 + length..];
        if !text.is_empty() {
            pieces.push(Piece::Text(std::mem::take(&mut text)));
        }
        pieces.push(Piece::Spec(spec));
    }
    text.push_str(rest);
    if !text.is_empty() {
        pieces.push(Piece::Text(text));
    }
    Ok(pieces)
}

fn specifier(text: &str) -> Result<(Spec, usize), Problem> {
    let mut spec = Spec::default();
    let bytes = text.as_bytes();
    let digits_from = |at: usize| bytes[at..].iter().take_while(|b| b.is_ascii_digit()).count();
    let unknown = |at: usize| {
        let c = text.get(at..).and_then(|t| t.chars().next()).or_else(|| text.chars().last()).unwrap_or('%');
        Problem::new(ErrorKind::FormatUnknown, format!("Conversion = '{c}'"))
    };
    let mut at = 0;
    let digits = digits_from(0);
    if digits > 0 && bytes.get(digits) == Some(&b'$') {
        spec.index = text[..digits].parse().map_err(|_| unknown(0))?;
        at = digits + 1;
    } else if bytes.first() == Some(&b'<') {
        spec.previous = true;
        at = 1;
    }
    loop {
        let flag = match bytes.get(at) {
            Some(b'-') => &mut spec.left,
            Some(b'#') => &mut spec.alternate,
            Some(b'+') => &mut spec.plus,
            Some(b' ') => &mut spec.space,
            Some(b'0') => &mut spec.zero,
            Some(b',') => &mut spec.group,
            Some(b'(') => &mut spec.parentheses,
            _ => break,
        };
        if std::mem::replace(flag, true) {
            return Err(Problem::new(ErrorKind::FormatDuplicate, format!("Flags = '{}'", char::from(bytes[at]))));
        }
        at += 1;
    }
    let digits = digits_from(at);
    if digits > 0 {
        spec.width = Some(text[at..at + digits].parse().ok().filter(|w| *w <= MAX_WIDTH).ok_or_else(|| unknown(at))?);
        at += digits;
    }
    if bytes.get(at) == Some(&b'.') {
        let digits = digits_from(at + 1);
        if digits == 0 {
            return Err(unknown(at));
        }
        let precision = text[at + 1..at + 1 + digits].parse().ok().filter(|p| *p <= MAX_WIDTH);
        spec.precision = Some(precision.ok_or_else(|| unknown(at))?);
        at += 1 + digits;
    }
    let Some(c) = text.get(at..).and_then(|t| t.chars().next()) else { return Err(unknown(at.saturating_sub(1))) };
    if !"bBhHsScCdoxXeEfgGaAtT%n".contains(c) {
        return Err(Problem::new(ErrorKind::FormatUnknown, format!("Conversion = '{c}'")));
    }
    spec.conversion = c;
    at += c.len_utf8();
    if matches!(c, 't' | 'T') {
        at += text[at..].chars().next().map_or(0, char::len_utf8);
    }
    if spec.width.is_none() && (spec.left || spec.zero) && c != 'n' {
        let flag = if spec.left { "-" } else { "0" };
        return Err(Problem::new(ErrorKind::FormatWidth, format!("%{flag}{c}")));
    }
    if let Some(flag) = spec.misplaced_flag() {
        return Err(Problem::new(ErrorKind::FormatMismatch, format!("Conversion = {c}, Flags = {flag}")));
    }
    if spec.left && spec.zero || spec.plus && spec.space {
        let flags = if spec.left { "-0" } else { "+ " };
        return Err(Problem::new(ErrorKind::FormatFlags, format!("Flags = '{flags}'")));
    }
    if spec.precision.is_some() && matches!(c, 'd' | 'o' | 'x' | 'X' | 'c' | 'C') {
        return Err(Problem::new(ErrorKind::FormatPrecision, spec.precision.unwrap_or(0).to_string()));
    }
    Ok((spec, at))
}

/// Writes the values in the format.
///
/// # Errors
/// In Java's words.
pub fn format(pieces: &[Piece], values: &[Value], out: &mut String) -> Result<(), Problem> {
    let (mut next, mut previous) = (0, None);
    for piece in pieces {
        let spec = match piece {
            Piece::Text(text) => {
                out.push_str(text);
                continue;
            }
            Piece::Spec(spec) => spec,
        };
        match spec.conversion {
            '%' => pad(spec, "%", out),
            'n' => out.push('\n'),
            _ => {
                let index = match (spec.previous, spec.index) {
                    (true, _) => previous.ok_or_else(|| missing(&format!("<{}", spec.conversion)))?,
                    (_, 0) => {
                        next += 1;
                        next - 1
                    }
                    (_, i) => i - 1,
                };
                previous = Some(index);
                let value = values.get(index).ok_or_else(|| missing(&spec.conversion.to_string()))?;
                one(spec, value, out)?;
            }
        }
    }
    Ok(())
}

fn missing(specifier: &str) -> Problem {
    Problem::new(ErrorKind::FormatArgument, format!("Format specifier '%{specifier}'"))
}

fn pad(spec: &Spec, text: &str, out: &mut String) {
    let missing = spec.width.unwrap_or(0).saturating_sub(text.chars().count());
    if !spec.left {
        out.extend(std::iter::repeat_n(' ', missing));
    }
    out.push_str(text);
    if spec.left {
        out.extend(std::iter::repeat_n(' ', missing));
    }
}

fn one(spec: &Spec, value: &Value, out: &mut String) -> Result<(), Problem> {
    let c = spec.conversion;
    let text = match (c.to_ascii_lowercase(), value) {
        ('b', Value::Bool(v)) => cut(spec, &v.to_string()),
        ('b', v) => cut(spec, if *v == Value::Null { "false" } else { "true" }),
        (_, Value::Null) if c != 't' => cut(spec, "null"),
        ('s', v) => cut(spec, &shown(v)),
        ('h', v) => cut(spec, &format!("{:x}", hash(v))),
        ('c', Value::Int(v, bits)) if *bits <= 32 => u32::try_from(*v)
            .ok()
            .and_then(char::from_u32)
            .ok_or_else(|| Problem::new(ErrorKind::FormatCodePoint, format!("Code point = 0x{v:x}")))?
            .to_string(),
        ('d', Value::Int(v, _)) => signed(spec, *v < 0, &grouped(spec, &v.unsigned_abs().to_string())),
        ('o' | 'x', Value::Int(v, bits)) => unsigned(spec, *v, *bits),
        ('e' | 'f' | 'g' | 'a', Value::Float(v)) => floating(spec, f64::from(*v), f64::from(*v)),
        ('e' | 'f' | 'g' | 'a', Value::Double(v)) => floating(spec, *v, *v),
        _ => return Err(Problem::new(ErrorKind::FormatConversion, format!("{c} != {}", class(value)))),
    };
    let text = if c.is_ascii_uppercase() { text.to_uppercase() } else { text };
    pad(spec, &text, out);
    Ok(())
}

fn cut(spec: &Spec, text: &str) -> String {
    match spec.precision {
        Some(precision) => text.chars().take(precision).collect(),
        None => text.to_string(),
    }
}

fn shown(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(v) => out.push_str(&v.to_string()),
        Value::Int(v, _) => out.push_str(&v.to_string()),
        Value::Float(v) => write_float(*v, &mut out),
        Value::Double(v) => write_double(*v, &mut out),
        Value::Text(v) | Value::Other(_, v) => out.push_str(v),
    }
    out
}

fn class(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "java.lang.Boolean",
        Value::Int(_, 8) => "java.lang.Byte",
        Value::Int(_, 16) => "java.lang.Short",
        Value::Int(_, 32) => "java.lang.Integer",
        Value::Int(..) => "java.lang.Long",
        Value::Float(_) => "java.lang.Float",
        Value::Double(_) => "java.lang.Double",
        Value::Text(_) => "org.apache.spark.unsafe.types.UTF8String",
        Value::Other(class, _) => class,
    }
}

/// `hashCode` of the boxed value.
fn hash(value: &Value) -> u32 {
    let fold = |bits: u64| (bits ^ (bits >> 32)) as u32;
    match value {
        Value::Null => 0,
        Value::Bool(v) => {
            if *v {
                1231
            } else {
                1237
            }
        }
        Value::Int(v, 64) => fold(*v as u64),
        Value::Int(v, _) => *v as u32,
        Value::Float(v) => v.to_bits(),
        Value::Double(v) => fold(v.to_bits()),
        Value::Text(v) => murmur3(v.as_bytes(), 42),
        Value::Other(_, v) => v.encode_utf16().fold(0u32, |h, u| h.wrapping_mul(31).wrapping_add(u32::from(u))),
    }
}

/// Spark's string hash: Murmur 3 with the last bytes mixed in one by one.
fn murmur3(bytes: &[u8], seed: u32) -> u32 {
    let mix = |h: u32, k: u32| {
        let k = k.wrapping_mul(0xCC9E_2D51).rotate_left(15).wrapping_mul(0x1B87_3593);
        (h ^ k).rotate_left(13).wrapping_mul(5).wrapping_add(0xE654_6B64)
    };
    let (words, rest) = bytes.as_chunks::<4>();
    let h = words.iter().fold(seed, |h, w| mix(h, u32::from_le_bytes(*w)));
    let h = rest.iter().fold(h, |h, b| mix(h, i32::from(*b as i8) as u32));
    let h = h ^ bytes.len() as u32;
    let h = (h ^ (h >> 16)).wrapping_mul(0x85EB_CA6B);
    let h = (h ^ (h >> 13)).wrapping_mul(0xC2B2_AE35);
    h ^ (h >> 16)
}

/// Thousands separators in the whole part.
fn grouped(spec: &Spec, digits: &str) -> String {
    if !spec.group {
        return digits.to_string();
    }
    let (whole, rest) = digits.split_at(digits.find('.').unwrap_or(digits.len()));
    let mut out = String::new();
    for (i, c) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out + rest
}

/// Sign and zero padding around digits.
fn signed(spec: &Spec, negative: bool, digits: &str) -> String {
    let (before, after) = match negative {
        true if spec.parentheses => ("(", ")"),
        true => ("-", ""),
        false if spec.plus => ("+", ""),
        false if spec.space => (" ", ""),
        false => ("", ""),
    };
    let used = before.len() + digits.len() + after.len();
    let zeros = if spec.zero { spec.width.unwrap_or(0).saturating_sub(used) } else { 0 };
    format!("{before}{}{digits}{after}", "0".repeat(zeros))
}

fn unsigned(spec: &Spec, v: i64, bits: u32) -> String {
    let masked = if bits == 64 { v as u64 } else { v as u64 & ((1 << bits) - 1) };
    let (prefix, digits) =
        if spec.conversion == 'o' { ("0", format!("{masked:o}")) } else { ("0x", format!("{masked:x}")) };
    let prefix = if spec.alternate { prefix } else { "" };
    let zeros = if spec.zero { spec.width.unwrap_or(0).saturating_sub(prefix.len() + digits.len()) } else { 0 };
    format!("{prefix}{}{digits}", "0".repeat(zeros))
}

fn floating(spec: &Spec, v: f64, exact: f64) -> String {
    if !v.is_finite() {
        let text = if v.is_nan() { "NaN" } else { "Infinity" };
        let plain = Spec { zero: false, ..spec.clone() };
        return signed(&plain, v < 0.0, text);
    }
    let precision = spec.precision.unwrap_or(6);
    let magnitude = exact.abs();
    let digits = match spec.conversion.to_ascii_lowercase() {
        'e' => scientific(magnitude, precision),
        'f' => grouped(spec, &fixed(magnitude, precision)),
        'a' => hexadecimal(magnitude),
        _ => {
            let precision = precision.max(1);
            let rounded: f64 = scientific(magnitude, precision - 1).parse().unwrap_or(magnitude);
            if rounded != 0.0 && !(1e-4..10f64.powi(precision.min(300) as i32)).contains(&rounded) {
                scientific(magnitude, precision - 1)
            } else {
                let exponent = if rounded == 0.0 { 0 } else { rounded.log10().floor() as i64 };
                grouped(spec, &fixed(magnitude, (precision as i64 - 1 - exponent).max(0) as usize))
            }
        }
    };
    signed(spec, v.is_sign_negative(), &digits)
}

/// The shortest digits that name the number, with the place of the point: `0.d₁d₂… × 10^point`.
fn shortest(v: f64) -> (Vec<u8>, i64) {
    let text = format!("{v:e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let digits = mantissa.bytes().filter(u8::is_ascii_digit).map(|b| b - b'0').collect();
    (digits, exponent.parse::<i64>().unwrap_or(0) + 1)
}

/// Rounds digits half up so that `keep` of them stay; the point moves if a digit is carried out.
fn round_half_up(digits: &mut Vec<u8>, point: &mut i64, keep: i64) {
    if keep < 0 {
        digits.clear();
        return;
    }
    let keep = keep as usize;
    if keep >= digits.len() {
        return;
    }
    let up = digits[keep] >= 5;
    digits.truncate(keep);
    if !up {
        return;
    }
    for digit in digits.iter_mut().rev() {
        if *digit < 9 {
            *digit += 1;
            return;
        }
        *digit = 0;
    }
    digits.insert(0, 1);
    *point += 1;
}

/// Java rounds the shortest decimal form of a double, half up.
pub fn fixed(v: f64, precision: usize) -> String {
    let (mut digits, mut point) = shortest(v);
    let keep = point + precision as i64;
    round_half_up(&mut digits, &mut point, keep);
    let mut out = String::new();
    let digit = |i: i64| usize::try_from(i).ok().and_then(|i| digits.get(i)).map_or('0', |d| char::from(b'0' + d));
    if point <= 0 || digits.is_empty() {
        out.push('0');
    } else {
        (0..point).for_each(|i| out.push(digit(i)));
    }
    if precision > 0 {
        out.push('.');
        (0..precision as i64).for_each(|i| out.push(if digits.is_empty() { '0' } else { digit(point + i) }));
    }
    out
}

fn scientific(v: f64, precision: usize) -> String {
    let (mut digits, mut point) = if v == 0.0 { (vec![0], 1) } else { shortest(v) };
    round_half_up(&mut digits, &mut point, precision as i64 + 1);
    digits.resize(precision + 1, 0);
    let mut out = String::new();
    out.push(char::from(b'0' + digits[0]));
    if precision > 0 {
        out.push('.');
        out.extend(digits[1..].iter().map(|d| char::from(b'0' + d)));
    }
    let exponent = point - 1;
    out + &format!("e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
}

/// `Double.toHexString`.
fn hexadecimal(v: f64) -> String {
    let bits = v.to_bits();
    let (exponent, mantissa) = ((bits >> 52 & 0x7FF) as i64, bits & ((1 << 52) - 1));
    if exponent == 0 && mantissa == 0 {
        return "0x0.0p0".into();
    }
    let digits = format!("{mantissa:013x}");
    let digits = digits.trim_end_matches('0');
    let digits = if digits.is_empty() { "0" } else { digits };
    if exponent == 0 { format!("0x0.{digits}p-1022") } else { format!("0x1.{digits}p{}", exponent - 1023) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(format_text: &str, values: &[Value], expected: &str) {
        let got = parse(format_text).and_then(|pieces| {
            let mut out = String::new();
            format(&pieces, values, &mut out).map(|()| out)
        });
        assert_eq!(got.unwrap_or_else(|e| format!("!{}", e.text)), expected, "{format_text}");
    }

    #[test]
    fn formats() {
        let int = |v| Value::Int(v, 32);
        for (text, values, expected) in [
            ("%5d|%-5d|%05d|%x|%o", vec![int(42), int(42), int(42), int(255), int(8)], "   42|42   |00042|ff|10"),
            ("%+d|%,d|% d|%(d", vec![int(5), int(1_234_567), int(3), int(-4)], "+5|1,234,567| 3|(4)"),
            ("%x %o", vec![int(-1), int(-1)], "ffffffff 37777777777"),
            (
                "%.2f %10.3f|%-10.1f|%010.2f",
                [1.005, 2.5, 3.13, -2.71159].map(Value::Double).to_vec(),
                "1.01      2.500|3.1       |-000002.71",
            ),
            ("%e %E %.0e", [0.0, 123_456.0, 15.0].map(Value::Double).to_vec(), "0.000000e+00 1.234560E+05 2e+01"),
            (
                "%g %g %g",
                [123_456.0, 1_234_567.0, 0.00001].map(Value::Double).to_vec(),
                "123456 1.23457e+06 1.00000e-05",
            ),
            ("%a", vec![Value::Double(1.0)], "0x1.0p0"),
            (
                "%10s|%-10s|%.3s",
                vec![Value::Text("abc".into()), Value::Text("abc".into()), Value::Text("abcdef".into())],
                "       abc|abc       |abc",
            ),
            ("%2$s %1$s %<s", vec![Value::Text("a".into()), Value::Text("b".into())], "b a a"),
            ("%h", vec![Value::Text("hi".into())], "dff4c098"),
            ("%5d|%.2f", vec![Value::Null, Value::Null], " null|nu"),
            ("%c%%%n", vec![int(65)], "A%\n"),
            ("%d", vec![Value::Text("a".into())], "!d != org.apache.spark.unsafe.types.UTF8String"),
            ("%s %d", vec![Value::Text("a".into())], "!Format specifier '%d'"),
            ("%y", vec![int(1)], "!Conversion = 'y'"),
            ("%-s", vec![int(1)], "!%-s"),
        ] {
            check(text, &values, expected);
        }
    }
}
