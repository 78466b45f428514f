//! Numbers as Java writes them.

use std::fmt::Write;

use crate::cast::format::{double_to_string, float_to_string};

/// `Double.toString`.
pub fn write_double(v: f64, out: &mut String) {
    out.push_str(&double_to_string(v));
}

/// `Float.toString`.
pub fn write_float(v: f32, out: &mut String) {
    out.push_str(&float_to_string(v));
}

/// A decimal with all the digits of its scale.
pub fn write_decimal(unscaled: i128, scale: i8, out: &mut String) {
    if scale <= 0 {
        let _ = write!(out, "{}{}", unscaled, "0".repeat(usize::from(scale.unsigned_abs())));
        return;
    }
    let scale = scale as usize;
    let digits = unscaled.unsigned_abs().to_string();
    if unscaled < 0 {
        out.push('-');
    }
    if digits.len() > scale {
        out.push_str(&digits[..digits.len() - scale]);
        out.push('.');
        out.push_str(&digits[digits.len() - scale..]);
    } else {
        out.push_str("0.");
        out.extend(std::iter::repeat_n('0', scale - digits.len()));
        out.push_str(&digits);
    }
}

/// Reads a decimal number with optional exponent and rounds it half up to `scale`; `None` if it is no
/// number or has more than `precision` digits.
pub fn parse_decimal(text: &str, precision: u8, scale: i8) -> Option<i128> {
    let (digits, exponent) = decimal_digits(text)?;
    rescale(&digits, exponent, precision, scale)
}

/// Sign and digits of a number, and the power of ten they are multiplied with.
pub fn decimal_digits(text: &str) -> Option<(num_bigint::BigInt, i64)> {
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], text[at + 1..].strip_prefix('+').unwrap_or(&text[at + 1..]).parse::<i64>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let unsigned = whole.strip_prefix(['-', '+']).unwrap_or(whole);
    if (unsigned.is_empty() && fraction.is_empty())
        || !unsigned.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit())
    {
        return None;
    }
    let sign = if whole.starts_with('-') { "-" } else { "" };
    let all = format!("{sign}{unsigned}{fraction}");
    Some((all.parse().ok()?, exponent - fraction.len() as i64))
}

/// `digits × 10^exponent` as an unscaled decimal, rounded half up.
pub fn rescale(digits: &num_bigint::BigInt, exponent: i64, precision: u8, scale: i8) -> Option<i128> {
    use num_bigint::BigInt;
    use num_traits::{Signed, ToPrimitive, Zero};
    if digits.is_zero() {
        return Some(0);
    }
    let shift = exponent + i64::from(scale);
    let result = if shift >= 0 {
        if shift > 80 {
            return None;
        }
        digits * BigInt::from(10).pow(shift as u32)
    } else {
        if shift < -2000 {
            return Some(0);
        }
        let divisor = BigInt::from(10).pow((-shift) as u32);
        let half: BigInt = &divisor / 2;
        let rounded: BigInt = (digits.abs() + half) / divisor;
        if digits.is_negative() { -rounded } else { rounded }
    };
    let limit = BigInt::from(10).pow(u32::from(precision));
    if result.abs() >= limit { None } else { result.to_i128() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    #[test]
    fn java_doubles() {
        for (v, expected) in [
            (1.5, "1.5"),
            (1e10, "1.0E10"),
            (1e-7, "1.0E-7"),
            (0.001, "0.001"),
            (1234567.0, "1234567.0"),
            (1e7, "1.0E7"),
            (-0.0, "-0.0"),
            (1.7976931348623157e308, "1.7976931348623157E308"),
            // Java keeps digits that a reader could do without.
            (2f64.powi(60), "1.15292150460684698E18"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            let mut out = String::new();
            write_double(v, &mut out);
            assert_eq!(out, expected);
        }
    }

    #[test]
    fn what_is_written_reads_back_as_the_same_number() {
        let mut rng = StdRng::seed_from_u64(17);
        for _ in 0..50_000 {
            let (wide, narrow) = (f64::from_bits(rng.random()), f32::from_bits(rng.random()));
            let mut text = String::new();
            if wide.is_finite() {
                write_double(wide, &mut text);
                assert_eq!(text.parse::<f64>().map(f64::to_bits), Ok(wide.to_bits()), "{text}");
            }
            text.clear();
            if narrow.is_finite() {
                write_float(narrow, &mut text);
                assert_eq!(text.parse::<f32>().map(f32::to_bits), Ok(narrow.to_bits()), "{text}");
            }
        }
    }

    #[test]
    fn decimals() {
        for (text, precision, scale, expected) in [
            ("123.456", 5, 2, Some(12346)),
            ("-0.5", 3, 0, Some(-1)),
            ("1e3", 5, 1, Some(10000)),
            ("12345", 3, 0, None),
            ("x", 3, 0, None),
            (".5", 3, 1, Some(5)),
        ] {
            assert_eq!(parse_decimal(text, precision, scale), expected, "{text}");
        }
        let mut out = String::new();
        write_decimal(-5, 2, &mut out);
        assert_eq!(out, "-0.05");
    }
}
