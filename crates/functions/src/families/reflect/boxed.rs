//! The classes of boxed numbers and booleans.

use super::value::{Method, Value, method};
use crate::cast::format::{double_to_string, float_to_string};

/// `java.lang.Integer`.
pub const INTEGER: &[Method] = &[
    method!("parseInt", |a: String| a.parse::<i32>().ok()),
    method!("parseInt", |a: String, r: i32| i32::from_str_radix(&a, radix(r)?).ok()),
    method!("valueOf", |a: String| a.parse::<i32>().ok()),
    method!("valueOf", |a: String, r: i32| i32::from_str_radix(&a, radix(r)?).ok()),
    method!("valueOf", |a: i32| a),
    method!("decode", |a: String| decoded(&a).and_then(|v| i32::try_from(v).ok())),
    method!("parseUnsignedInt", |a: String| unsigned(&a, 10).and_then(|v| u32::try_from(v).ok()).map(|v| v as i32)),
    method!("parseUnsignedInt", |a: String, r: i32| {
        unsigned(&a, radix(r)?).and_then(|v| u32::try_from(v).ok()).map(|v| v as i32)
    }),
    method!("toString", |a: i32| a.to_string()),
    method!("toString", |a: i32, r: i32| digits(a.into(), r)),
    method!("toHexString", |a: i32| format!("{a:x}")),
    method!("toOctalString", |a: i32| format!("{a:o}")),
    method!("toBinaryString", |a: i32| format!("{a:b}")),
    method!("toUnsignedString", |a: i32| (a as u32).to_string()),
    method!("toUnsignedString", |a: i32, r: i32| digits((a as u32).into(), r)),
    method!("toUnsignedLong", |a: i32| i64::from(a as u32)),
    method!("divideUnsigned", |a: i32, b: i32| (a as u32).checked_div(b as u32).map(|v| v as i32)),
    method!("remainderUnsigned", |a: i32, b: i32| (a as u32).checked_rem(b as u32).map(|v| v as i32)),
    method!("compareUnsigned", |a: i32, b: i32| (a as u32).cmp(&(b as u32)) as i32),
    method!("compare", |a: i32, b: i32| a.cmp(&b) as i32),
    method!("signum", |a: i32| a.signum()),
    method!("sum", |a: i32, b: i32| a.wrapping_add(b)),
    method!("max", |a: i32, b: i32| a.max(b)),
    method!("min", |a: i32, b: i32| a.min(b)),
    method!("hashCode", |a: i32| a),
    method!("bitCount", |a: i32| a.count_ones() as i32),
    method!("reverse", |a: i32| a.reverse_bits()),
    method!("reverseBytes", |a: i32| a.swap_bytes()),
    method!("rotateLeft", |a: i32, b: i32| a.rotate_left(b as u32 & 31)),
    method!("rotateRight", |a: i32, b: i32| a.rotate_right(b as u32 & 31)),
    method!("highestOneBit", |a: i32| if a == 0 { 0 } else { (1_u32 << (31 - a.leading_zeros())) as i32 }),
    method!("lowestOneBit", |a: i32| a & a.wrapping_neg()),
    method!("numberOfLeadingZeros", |a: i32| a.leading_zeros() as i32),
    method!("numberOfTrailingZeros", |a: i32| a.trailing_zeros() as i32),
];

/// `java.lang.Long`.
pub const LONG: &[Method] = &[
    method!("parseLong", |a: String| a.parse::<i64>().ok()),
    method!("parseLong", |a: String, r: i32| i64::from_str_radix(&a, radix(r)?).ok()),
    method!("valueOf", |a: String| a.parse::<i64>().ok()),
    method!("valueOf", |a: String, r: i32| i64::from_str_radix(&a, radix(r)?).ok()),
    method!("valueOf", |a: i64| a),
    method!("decode", |a: String| decoded(&a).and_then(|v| i64::try_from(v).ok())),
    method!("parseUnsignedLong", |a: String| unsigned(&a, 10).map(|v| v as i64)),
    method!("parseUnsignedLong", |a: String, r: i32| unsigned(&a, radix(r)?).map(|v| v as i64)),
    method!("toString", |a: i64| a.to_string()),
    method!("toString", |a: i64, r: i32| digits(a.into(), r)),
    method!("toHexString", |a: i64| format!("{a:x}")),
    method!("toOctalString", |a: i64| format!("{a:o}")),
    method!("toBinaryString", |a: i64| format!("{a:b}")),
    method!("toUnsignedString", |a: i64| (a as u64).to_string()),
    method!("toUnsignedString", |a: i64, r: i32| digits((a as u64).into(), r)),
    method!("divideUnsigned", |a: i64, b: i64| (a as u64).checked_div(b as u64).map(|v| v as i64)),
    method!("remainderUnsigned", |a: i64, b: i64| (a as u64).checked_rem(b as u64).map(|v| v as i64)),
    method!("compareUnsigned", |a: i64, b: i64| (a as u64).cmp(&(b as u64)) as i32),
    method!("compare", |a: i64, b: i64| a.cmp(&b) as i32),
    method!("signum", |a: i64| a.signum() as i32),
    method!("sum", |a: i64, b: i64| a.wrapping_add(b)),
    method!("max", |a: i64, b: i64| a.max(b)),
    method!("min", |a: i64, b: i64| a.min(b)),
    method!("hashCode", |a: i64| folded(a as u64)),
    method!("bitCount", |a: i64| a.count_ones() as i32),
    method!("reverse", |a: i64| a.reverse_bits()),
    method!("reverseBytes", |a: i64| a.swap_bytes()),
    method!("rotateLeft", |a: i64, b: i32| a.rotate_left(b as u32 & 63)),
    method!("rotateRight", |a: i64, b: i32| a.rotate_right(b as u32 & 63)),
    method!("highestOneBit", |a: i64| if a == 0 { 0 } else { (1_u64 << (63 - a.leading_zeros())) as i64 }),
    method!("lowestOneBit", |a: i64| a & a.wrapping_neg()),
    method!("numberOfLeadingZeros", |a: i64| a.leading_zeros() as i32),
    method!("numberOfTrailingZeros", |a: i64| a.trailing_zeros() as i32),
];

/// `java.lang.Short`.
pub const SHORT: &[Method] = &[
    method!("parseShort", |a: String| a.parse::<i16>().ok()),
    method!("parseShort", |a: String, r: i32| i16::from_str_radix(&a, radix(r)?).ok()),
    method!("valueOf", |a: String| a.parse::<i16>().ok()),
    method!("valueOf", |a: String, r: i32| i16::from_str_radix(&a, radix(r)?).ok()),
    method!("valueOf", |a: i16| a),
    method!("decode", |a: String| decoded(&a).and_then(|v| i16::try_from(v).ok())),
    method!("toString", |a: i16| a.to_string()),
    method!("toUnsignedInt", |a: i16| i32::from(a as u16)),
    method!("toUnsignedLong", |a: i16| i64::from(a as u16)),
    method!("compare", |a: i16, b: i16| i32::from(a) - i32::from(b)),
    method!("compareUnsigned", |a: i16, b: i16| i32::from(a as u16) - i32::from(b as u16)),
    method!("hashCode", |a: i16| i32::from(a)),
    method!("reverseBytes", |a: i16| a.swap_bytes()),
];

/// `java.lang.Byte`.
pub const BYTE: &[Method] = &[
    method!("parseByte", |a: String| a.parse::<i8>().ok()),
    method!("parseByte", |a: String, r: i32| i8::from_str_radix(&a, radix(r)?).ok()),
    method!("valueOf", |a: String| a.parse::<i8>().ok()),
    method!("valueOf", |a: String, r: i32| i8::from_str_radix(&a, radix(r)?).ok()),
    method!("valueOf", |a: i8| a),
    method!("decode", |a: String| decoded(&a).and_then(|v| i8::try_from(v).ok())),
    method!("toString", |a: i8| a.to_string()),
    method!("toUnsignedInt", |a: i8| i32::from(a as u8)),
    method!("toUnsignedLong", |a: i8| i64::from(a as u8)),
    method!("compare", |a: i8, b: i8| i32::from(a) - i32::from(b)),
    method!("compareUnsigned", |a: i8, b: i8| i32::from(a as u8) - i32::from(b as u8)),
    method!("hashCode", |a: i8| i32::from(a)),
];

/// `java.lang.Double`.
pub const DOUBLE: &[Method] = &[
    method!("parseDouble", |a: String| parsed(&a)),
    method!("valueOf", |a: String| parsed(&a)),
    method!("valueOf", |a: f64| a),
    method!("toString", |a: f64| double_to_string(a)),
    method!("toHexString", |a: f64| hexadecimal(a)),
    method!("compare", |a: f64, b: f64| order(a, b)),
    method!("isNaN", |a: f64| a.is_nan()),
    method!("isInfinite", |a: f64| a.is_infinite()),
    method!("isFinite", |a: f64| a.is_finite()),
    method!("sum", |a: f64, b: f64| a + b),
    method!("max", |a: f64, b: f64| if order(a, b) >= 0 { a } else { b }),
    method!("min", |a: f64, b: f64| if a.is_nan() || (!b.is_nan() && order(a, b) <= 0) { a } else { b }),
    method!("hashCode", |a: f64| folded(bits(a))),
    method!("doubleToLongBits", |a: f64| bits(a) as i64),
    method!("doubleToRawLongBits", |a: f64| a.to_bits() as i64),
    method!("longBitsToDouble", |a: i64| f64::from_bits(a as u64)),
];

/// `java.lang.Float`.
pub const FLOAT: &[Method] = &[
    method!("parseFloat", |a: String| parsed_float(&a)),
    method!("valueOf", |a: String| parsed_float(&a)),
    method!("valueOf", |a: f32| a),
    method!("toString", |a: f32| float_to_string(a)),
    method!("compare", |a: f32, b: f32| order(a.into(), b.into())),
    method!("isNaN", |a: f32| a.is_nan()),
    method!("isInfinite", |a: f32| a.is_infinite()),
    method!("isFinite", |a: f32| a.is_finite()),
    method!("sum", |a: f32, b: f32| a + b),
    method!("max", |a: f32, b: f32| if order(a.into(), b.into()) >= 0 { a } else { b }),
    method!("min", |a: f32, b: f32| {
        if a.is_nan() || (!b.is_nan() && order(a.into(), b.into()) <= 0) { a } else { b }
    }),
    method!("hashCode", |a: f32| float_bits(a)),
    method!("floatToIntBits", |a: f32| float_bits(a)),
    method!("floatToRawIntBits", |a: f32| a.to_bits() as i32),
    method!("intBitsToFloat", |a: i32| f32::from_bits(a as u32)),
];

/// `java.lang.Boolean`.
pub const BOOLEAN: &[Method] = &[
    method!("parseBoolean", |a: Value| is_true(&a)),
    method!("valueOf", |a: bool| a),
    method!("valueOf", |a: String| a.eq_ignore_ascii_case("true")),
    method!("toString", |a: bool| a.to_string()),
    method!("compare", |a: bool, b: bool| i32::from(a) - i32::from(b)),
    method!("hashCode", |a: bool| if a { 1231 } else { 1237 }),
    method!("logicalAnd", |a: bool, b: bool| a & b),
    method!("logicalOr", |a: bool, b: bool| a | b),
    method!("logicalXor", |a: bool, b: bool| a ^ b),
];

fn is_true(value: &Value) -> bool {
    matches!(value, Value::Text(text) if text.eq_ignore_ascii_case("true"))
}

/// A radix in which numbers are read; no other can be.
fn radix(r: i32) -> Option<u32> {
    u32::try_from(r).ok().filter(|r| (2..=36).contains(r))
}

/// A number without a minus.
fn unsigned(text: &str, radix: u32) -> Option<u64> {
    u64::from_str_radix(text, radix).ok()
}

/// A number in a radix; ten where there is none such.
fn digits(v: i128, r: i32) -> String {
    let radix = radix(r).unwrap_or(10);
    let mut rest = v.unsigned_abs();
    let mut out = Vec::new();
    loop {
        out.push(char::from_digit((rest % u128::from(radix)) as u32, radix).unwrap_or('0'));
        rest /= u128::from(radix);
        if rest == 0 {
            break;
        }
    }
    if v < 0 {
        out.push('-');
    }
    out.iter().rev().collect()
}

/// A decimal, `0x`, `#` or octal number with an optional sign.
fn decoded(text: &str) -> Option<i128> {
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (radix, body) =
        if let Some(hex) = rest.strip_prefix("0x").or(rest.strip_prefix("0X")).or(rest.strip_prefix('#')) {
            (16, hex)
        } else if rest.len() > 1 && rest.starts_with('0') {
            (8, &rest[1..])
        } else {
            (10, rest)
        };
    if body.starts_with(['+', '-']) {
        return None;
    }
    let value = i128::from_str_radix(body, radix).ok()?;
    Some(if negative { -value } else { value })
}

/// The halves of a long, one on the other.
pub fn folded(v: u64) -> i32 {
    (v ^ (v >> 32)) as i32
}

/// The bits, of every NaN the same.
pub fn bits(v: f64) -> u64 {
    if v.is_nan() { 0x7ff8_0000_0000_0000 } else { v.to_bits() }
}

/// [`bits`] of a float.
pub fn float_bits(v: f32) -> i32 {
    if v.is_nan() { 0x7fc0_0000 } else { v.to_bits() as i32 }
}

/// -0.0 is less than 0.0, and NaN is the greatest.
fn order(a: f64, b: f64) -> i32 {
    match (a.is_nan(), b.is_nan()) {
        (false, false) => a.total_cmp(&b) as i32,
        (x, y) => i32::from(x) - i32::from(y),
    }
}

/// A number as `Double.parseDouble` takes it: names in one spelling only.
fn parsed(text: &str) -> Option<f64> {
    let text = text.trim_matches(|c: char| c <= ' ');
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest.starts_with(['+', '-']) {
        return None;
    }
    match rest {
        "NaN" => return Some(f64::NAN),
        "Infinity" => return Some(sign * f64::INFINITY),
        _ => {}
    }
    let number = rest.strip_suffix(['d', 'D', 'f', 'F']).unwrap_or(rest);
    if let Some(hex) = rest.strip_prefix("0x").or(rest.strip_prefix("0X")) {
        return from_hexadecimal(hex).map(|v| sign * v);
    }
    let plain = number.bytes().all(|b| b.is_ascii_digit() || b".eE+-".contains(&b));
    if plain { number.parse::<f64>().ok().map(|v| sign * v) } else { None }
}

fn parsed_float(text: &str) -> Option<f32> {
    let trimmed = text.trim_matches(|c: char| c <= ' ');
    let number = trimmed.strip_suffix(['d', 'D', 'f', 'F']).unwrap_or(trimmed);
    let plain = number.bytes().all(|b| b.is_ascii_digit() || b".eE+-".contains(&b));
    if plain { number.parse().ok() } else { parsed(text).map(|v| v as f32) }
}

/// `h.hhhp±d`; the exponent must be there.
fn from_hexadecimal(text: &str) -> Option<f64> {
    let (mantissa, exponent) = text.split_once(['p', 'P'])?;
    let exponent = exponent.strip_suffix(['d', 'D', 'f', 'F']).unwrap_or(exponent);
    let exponent: i32 = exponent.parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    // More digits than a double holds would need rounding of their own.
    if whole.len() + fraction.len() == 0 || whole.len() + fraction.len() > 13 {
        return None;
    }
    let value = u64::from_str_radix(&format!("{whole}{fraction}"), 16).ok()? as f64;
    let shift = exponent.clamp(-5000, 5000) - 4 * fraction.len() as i32;
    Some((0..shift.unsigned_abs()).fold(value, |v, _| if shift < 0 { v / 2.0 } else { v * 2.0 }))
}

/// A double in hexadecimal.
fn hexadecimal(v: f64) -> String {
    if !v.is_finite() {
        return double_to_string(v);
    }
    let sign = if v.is_sign_negative() { "-" } else { "" };
    let (mantissa, exponent) = (v.to_bits() & ((1 << 52) - 1), (v.to_bits() >> 52 & 0x7ff) as i32);
    let fraction = format!("{mantissa:013x}");
    let fraction = match fraction.trim_end_matches('0') {
        "" => "0",
        trimmed => trimmed,
    };
    match (exponent, mantissa) {
        (0, 0) => format!("{sign}0x0.0p0"),
        (0, _) => format!("{sign}0x0.{fraction}p-1022"),
        _ => format!("{sign}0x1.{fraction}p{}", exponent - 1023),
    }
}
