//! Strings, characters, and the classes of `java.util`, `java.net`, `java.time` and `java.math`.

use chrono::{Datelike, NaiveDate};

use super::boxed::{bits, float_bits, folded};
use super::value::{Body, Draw, Method, Value, method};
use crate::cast::format::date_to_string;
use crate::families::url;

/// `java.lang.String`.
pub const STRING: &[Method] = &[method!("valueOf", |a: Value| a.text())];

/// `java.lang.Character`: the methods over code points.
pub const CHARACTER: &[Method] = &[
    method!("isDigit", |a: i32| is(a, |c| c.is_ascii_digit())),
    method!("isLetter", |a: i32| is(a, char::is_alphabetic)),
    method!("isLetterOrDigit", |a: i32| is(a, |c| c.is_alphabetic() || c.is_ascii_digit())),
    method!("isAlphabetic", |a: i32| is(a, char::is_alphabetic)),
    method!("isUpperCase", |a: i32| is(a, char::is_uppercase)),
    method!("isLowerCase", |a: i32| is(a, char::is_lowercase)),
    method!("isWhitespace", |a: i32| is(a, is_java_space)),
    method!("isISOControl", |a: i32| is(a, char::is_control)),
    method!("isValidCodePoint", |a: i32| (0..=0x10_ffff).contains(&a)),
    method!("isBmpCodePoint", |a: i32| (0..=0xffff).contains(&a)),
    method!("isSupplementaryCodePoint", |a: i32| (0x1_0000..=0x10_ffff).contains(&a)),
    method!("charCount", |a: i32| if a >= 0x1_0000 { 2 } else { 1 }),
    method!("toUpperCase", |a: i32| mapped(a, |c| only(c.to_uppercase()))),
    method!("toLowerCase", |a: i32| mapped(a, |c| only(c.to_lowercase()))),
    method!("digit", |a: i32, r: i32| digit(a, r)),
    method!("getNumericValue", |a: i32| digit(a, 36)),
    method!("toString", |a: i32| u32::try_from(a).ok().and_then(char::from_u32).map(String::from)),
];

/// `java.util.UUID`.
pub const UUID: &[Method] = &[
    Method { name: "randomUUID", parameters: &[], body: Body::Drawn(Draw::Uuid) },
    method!("fromString", |a: String| uuid_of(&a)),
];

/// `java.util.Objects`.
pub const OBJECTS: &[Method] = &[
    method!("equals", |a: Value, b: Value| same(&a, &b)),
    method!("deepEquals", |a: Value, b: Value| same(&a, &b)),
    method!("hashCode", |a: Value| hash(&a)),
    method!("toString", |a: Value| a.text()),
    method!("toString", |a: Value, b: String| if a == Value::Null { b } else { a.text() }),
    method!("isNull", |a: Value| a == Value::Null),
    method!("nonNull", |a: Value| a != Value::Null),
    method!("requireNonNull", |a: Value| Some(a).filter(|a| *a != Value::Null)),
    method!("requireNonNull", |a: Value, _message: String| Some(a).filter(|a| *a != Value::Null)),
    method!("requireNonNullElse", |a: Value, b: Value| [a, b].into_iter().find(|v| *v != Value::Null)),
    method!("checkIndex", |a: i32, b: i32| (0..b).contains(&a).then_some(a)),
    method!("checkIndex", |a: i64, b: i64| (0..b).contains(&a).then_some(a)),
];

/// `java.net.URLEncoder`.
pub const URL_ENCODER: &[Method] = &[
    method!("encode", |a: String| url::encode(&a)),
    method!("encode", |a: String, charset: String| is_utf8(&charset).then(|| url::encode(&a))),
];

/// `java.net.URLDecoder`.
pub const URL_DECODER: &[Method] = &[
    method!("decode", |a: String| url::decode(&a)),
    method!("decode", |a: String, charset: String| if is_utf8(&charset) { url::decode(&a) } else { None }),
];

/// `java.time.LocalDate`.
pub const LOCAL_DATE: &[Method] = &[
    method!("parse", |a: String| iso_date(&a).map(shown)),
    method!("of", |y: i32, m: i32, d: i32| {
        NaiveDate::from_ymd_opt(y, u32::try_from(m).ok()?, u32::try_from(d).ok()?).map(shown)
    }),
    method!("ofYearDay", |y: i32, d: i32| NaiveDate::from_yo_opt(y, u32::try_from(d).ok()?).map(shown)),
    method!("ofEpochDay", |a: i64| {
        NaiveDate::from_num_days_from_ce_opt(i32::try_from(a.checked_add(EPOCH)?).ok()?).map(shown)
    }),
];

/// `java.math.BigInteger`.
pub const BIG_INTEGER: &[Method] = &[method!("valueOf", |a: i64| a.to_string())];

/// `java.math.BigDecimal`.
pub const BIG_DECIMAL: &[Method] =
    &[method!("valueOf", |a: i64| a.to_string()), method!("valueOf", |a: f64| decimal_text(a))];

/// 1970-01-01, counted from the first of January of the year 1.
const EPOCH: i64 = 719_163;

fn is(code: i32, question: impl Fn(char) -> bool) -> bool {
    u32::try_from(code).ok().and_then(char::from_u32).is_some_and(question)
}

fn mapped(code: i32, map: impl Fn(char) -> Option<char>) -> i32 {
    u32::try_from(code).ok().and_then(char::from_u32).and_then(map).map_or(code, |c| c as i32)
}

/// The character if it is one; a code point becomes one code point.
fn only(mut chars: impl Iterator<Item = char>) -> Option<char> {
    chars.next().filter(|_| chars.next().is_none())
}

/// Java's white space leaves out the spaces that do not break.
fn is_java_space(c: char) -> bool {
    match c {
        '\u{a0}' | '\u{2007}' | '\u{202f}' | '\u{85}' => false,
        '\u{1c}'..='\u{1f}' => true,
        c => c.is_whitespace(),
    }
}

fn digit(code: i32, radix: i32) -> i32 {
    let radix = u32::try_from(radix).ok().filter(|r| (2..=36).contains(r));
    let c = u32::try_from(code).ok().and_then(char::from_u32);
    radix.zip(c).and_then(|(r, c)| c.to_digit(r)).map_or(-1, |d| d as i32)
}

/// Five hexadecimal numbers between dashes, each cut to its width.
fn uuid_of(text: &str) -> Option<String> {
    if text.len() > 36 {
        return None;
    }
    let parts: Vec<u64> =
        text.split('-').map(|p| i64::from_str_radix(p, 16).ok().map(i64::cast_unsigned)).collect::<Option<_>>()?;
    let [a, b, c, d, e] = parts[..] else { return None };
    let (a, b, c, d) = (a & 0xffff_ffff, b & 0xffff, c & 0xffff, d & 0xffff);
    Some(format!("{a:08x}-{b:04x}-{c:04x}-{d:04x}-{:012x}", e & 0xffff_ffff_ffff))
}

/// Values of one class that `equals` holds equal.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Double(a), Value::Double(b)) => bits(*a) == bits(*b),
        (Value::Float(a), Value::Float(b)) => float_bits(*a) == float_bits(*b),
        _ => a == b,
    }
}

fn hash(value: &Value) -> i32 {
    match value {
        Value::Null => 0,
        Value::Bool(v) => {
            if *v {
                1231
            } else {
                1237
            }
        }
        Value::Byte(v) => i32::from(*v),
        Value::Short(v) => i32::from(*v),
        Value::Int(v) => *v,
        Value::Long(v) => folded(*v as u64),
        Value::Float(v) => float_bits(*v),
        Value::Double(v) => folded(bits(*v)),
        Value::Text(v) => v.encode_utf16().fold(0_i32, |h, c| h.wrapping_mul(31).wrapping_add(c.into())),
    }
}

fn is_utf8(charset: &str) -> bool {
    charset.eq_ignore_ascii_case("UTF-8") || charset.eq_ignore_ascii_case("UTF8")
}

/// `yyyy-MM-dd`, nothing else.
fn iso_date(text: &str) -> Option<NaiveDate> {
    let bytes = text.as_bytes();
    let shaped = bytes.len() == 10
        && bytes.iter().enumerate().all(|(i, b)| if i == 4 || i == 7 { *b == b'-' } else { b.is_ascii_digit() });
    if !shaped {
        return None;
    }
    NaiveDate::from_ymd_opt(text[..4].parse().ok()?, text[5..7].parse().ok()?, text[8..].parse().ok()?)
}

fn shown(date: NaiveDate) -> String {
    date_to_string(date.num_days_from_ce() - EPOCH as i32)
}

/// The decimal of a double's shortest digits: whole with an exponent is printed as `1E+10`.
fn decimal_text(v: f64) -> Option<String> {
    if !v.is_finite() {
        return None;
    }
    let text = crate::cast::format::double_to_string(if v == 0.0 { 0.0 } else { v });
    Some(match text.split_once('E') {
        None => text,
        Some((mantissa, exponent)) => {
            let sign = if exponent.starts_with('-') { "" } else { "+" };
            format!("{mantissa}E{sign}{exponent}")
        }
    })
}
