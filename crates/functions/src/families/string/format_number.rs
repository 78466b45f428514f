//! `format_number`: grouped digits, or a pattern of `java.text.DecimalFormat`.

use datafusion::common::Result;
use datafusion::logical_expr::ColumnarValue;
use num_bigint::BigInt;
use num_traits::{Signed, Zero};
use spark::Result as SparkResult;
use spark::types::DataType;

use crate::call::Call;
use crate::coerce::Expected;
use crate::families::rows::{self, Ints, Text};
use crate::families::text_data::cells::Cells;
use crate::families::text_data::forms::spec;
use crate::families::text_data::number::decimal_digits;
use crate::kernel::{Kernel, KernelArgs};
use crate::registry::{Build, Function};
use crate::typed::Typed;

/// Functions of this file.
pub const FUNCTIONS: &[Function] = &[Function { name: "format_number", build: Build::Scalar(format_number) }];

const FORMAT_NUMBER: Kernel = Kernel::new("format_number", eval);

/// Kernels of this file.
pub const KERNELS: &[Kernel] = &[FORMAT_NUMBER];

fn format_number(mut call: Call) -> SparkResult<Typed> {
    call.arity(2..=2)?;
    rows::strict(&mut call, 0, Expected::Numeric)?;
    let second = Expected::OneOf(vec![Expected::Type(DataType::Integer), Expected::String]);
    rows::strict(&mut call, 1, second)?;
    let types = (call.args[0].ty.clone(), call.args[1].ty.is_string());
    let options = call.options().with_extra(serde_json::to_string(&types).unwrap_or_default());
    Ok(call.kernel_with(&FORMAT_NUMBER, options, DataType::STRING, true))
}

/// A number of any type in decimal.
enum Number {
    /// Digits × 10^exponent; the flag keeps the sign of a zero.
    Finite {
        digits: BigInt,
        exponent: i64,
        negative: bool,
    },
    NaN,
    Infinite {
        negative: bool,
    },
}

fn number(cells: &Cells, row: usize) -> Option<Number> {
    let float = |text: String, v: f64| {
        if v.is_nan() {
            return Some(Number::NaN);
        }
        if v.is_infinite() {
            return Some(Number::Infinite { negative: v < 0.0 });
        }
        let (digits, exponent) = decimal_digits(&text)?;
        Some(Number::Finite { digits: digits.abs(), exponent, negative: v.is_sign_negative() })
    };
    match cells {
        Cells::Int(a, _) => {
            Some(Number::Finite { digits: BigInt::from(a.value(row)).abs(), exponent: 0, negative: a.value(row) < 0 })
        }
        // A float is formatted as the double it is.
        Cells::Float(a) => float(format!("{:e}", f64::from(a.value(row))), f64::from(a.value(row))),
        Cells::Double(a) => float(format!("{:e}", a.value(row)), a.value(row)),
        Cells::Decimal(a, _, scale) => Some(Number::Finite {
            digits: BigInt::from(a.value(row)).abs(),
            exponent: -i64::from(*scale),
            negative: a.value(row) < 0,
        }),
        _ => None,
    }
}

fn eval(args: &KernelArgs) -> Result<ColumnarValue> {
    let (ty, is_pattern): (DataType, bool) = spec(args)?;
    let cells = Cells::new(&args.value(0)?.to_array(rows::row_count(args))?, &ty)?;
    if is_pattern {
        let patterns = Text::of(args, 1)?;
        let mut last: Option<(String, Pattern)> = None;
        return rows::strings(args, |row, out| {
            let (Some(text), false) = (patterns.get(row), cells.is_null(row)) else { return Ok(false) };
            if last.as_ref().is_none_or(|(t, _)| t != text) {
                last = Some((text.to_string(), Pattern::new(text)));
            }
            let (Some(number), Some((_, pattern))) = (number(&cells, row), &last) else { return Ok(false) };
            pattern.write(&number, out);
            Ok(true)
        });
    }
    let places = Ints::of(args, 1)?;
    rows::strings(args, |row, out| {
        let (Some(places), false) = (places.get(row).filter(|p| *p >= 0), cells.is_null(row)) else { return Ok(false) };
        let Some(number) = number(&cells, row) else { return Ok(false) };
        Pattern::grouped(places.min(1000) as usize).write(&number, out);
        Ok(true)
    })
}

/// A decimal pattern.
#[derive(Debug, Clone, Default)]
struct Pattern {
    prefix: String,
    suffix: String,
    negative_prefix: String,
    negative_suffix: String,
    min_whole: usize,
    max_whole: usize,
    min_fraction: usize,
    max_fraction: usize,
    /// Digits between separators, 0 for none.
    group: usize,
    /// Power of ten the number is multiplied with: percent, per mille.
    shift: i64,
    /// Digits of the exponent, `None` if there is none.
    exponent: Option<usize>,
}

impl Pattern {
    /// `#,###,###,###,###,###,##0` and so many places.
    fn grouped(places: usize) -> Pattern {
        Pattern {
            min_whole: 1,
            max_whole: usize::MAX,
            min_fraction: places,
            max_fraction: places,
            group: 3,
            negative_prefix: "-".into(),
            ..Pattern::default()
        }
    }

    /// Reads a pattern; the empty one groups whole numbers.
    fn new(text: &str) -> Pattern {
        if text.is_empty() {
            return Pattern { min_whole: 0, max_fraction: 0, ..Pattern::grouped(0) };
        }
        let (positive, negative) = split_at_semicolon(text);
        let mut pattern = Pattern::default();
        let (prefix, body, suffix) = affixes(positive, &mut pattern.shift);
        pattern.body(body);
        let (negative_prefix, negative_suffix) = match negative {
            Some(negative) => {
                let (prefix, _, suffix) = affixes(negative, &mut 0);
                (prefix, suffix)
            }
            None => (format!("-{prefix}"), suffix.clone()),
        };
        Pattern { prefix, suffix, negative_prefix, negative_suffix, ..pattern }
    }

    fn body(&mut self, body: &str) {
        let (mantissa, exponent) = match body.split_once('E') {
            Some((mantissa, exponent)) => (mantissa, Some(exponent.len())),
            None => (body, None),
        };
        self.exponent = exponent;
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        self.group = whole.rsplit_once(',').map_or(0, |(_, last)| last.len());
        self.min_whole = whole.matches('0').count();
        self.max_whole = whole.chars().filter(|c| *c != ',').count();
        self.min_fraction = fraction.matches('0').count();
        self.max_fraction = fraction.len();
        // A pattern of optional digits only still writes the one before the point, or else the one behind it.
        if self.min_whole == 0 && self.min_fraction == 0 {
            if self.max_whole > 0 {
                self.min_whole = 1;
            } else if self.max_fraction > 0 && self.exponent.is_none() {
                self.min_fraction = 1;
            }
        }
        if self.exponent.is_none() {
            self.max_whole = usize::MAX;
        }
    }

    fn write(&self, number: &Number, out: &mut String) {
        let negative = match number {
            Number::NaN => {
                out.push_str("NaN");
                return;
            }
            Number::Infinite { negative } | Number::Finite { negative, .. } => *negative,
        };
        out.push_str(if negative { &self.negative_prefix } else { &self.prefix });
        match number {
            Number::Finite { digits, exponent, .. } => match self.exponent {
                None => self.plain(digits, exponent + self.shift, out),
                Some(width) => self.scientific(digits, exponent + self.shift, width, out),
            },
            _ => out.push('∞'),
        }
        out.push_str(if negative { &self.negative_suffix } else { &self.suffix });
    }

    fn plain(&self, digits: &BigInt, exponent: i64, out: &mut String) {
        let scaled = half_even(digits, exponent + self.max_fraction as i64).to_string();
        let padded = format!("{scaled:0>width$}", width = self.max_fraction + 1);
        let (whole, fraction) = padded.split_at(padded.len() - self.max_fraction);
        let whole = whole.trim_start_matches('0');
        let whole = format!("{whole:0>width$}", width = self.min_whole);
        for (i, c) in whole.chars().enumerate() {
            if i > 0 && self.group > 0 && (whole.len() - i) % self.group == 0 {
                out.push(',');
            }
            out.push(c);
        }
        self.fraction(fraction, out);
    }

    fn fraction(&self, fraction: &str, out: &mut String) {
        let kept = fraction.trim_end_matches('0').len().max(self.min_fraction);
        if kept > 0 {
            out.push('.');
            out.push_str(&fraction[..kept.min(fraction.len())]);
        }
    }

    fn scientific(&self, digits: &BigInt, exponent: i64, width: usize, out: &mut String) {
        let whole = self.min_whole.max(1) as i64;
        let length = digits.to_string().len() as i64;
        let mut power = if digits.is_zero() { 0 } else { length + exponent - whole };
        if self.max_whole > self.min_whole && self.max_whole > 1 && !digits.is_zero() {
            // The exponent is a multiple of the most whole digits.
            power = (length + exponent - 1).div_euclid(self.max_whole as i64) * self.max_whole as i64;
        }
        let scaled = half_even(digits, exponent - power + self.max_fraction as i64).to_string();
        let padded = format!("{scaled:0>width$}", width = self.max_fraction + self.min_whole.max(1));
        let (whole, fraction) = padded.split_at(padded.len() - self.max_fraction);
        out.push_str(whole);
        self.fraction(fraction, out);
        out.push('E');
        if power < 0 {
            out.push('-');
        }
        out.push_str(&format!("{:0width$}", power.abs()));
    }
}

/// `digits × 10^exponent` as an integer, halves to the even neighbour.
fn half_even(digits: &BigInt, exponent: i64) -> BigInt {
    if exponent >= 0 {
        return digits * BigInt::from(10).pow(exponent.min(2000) as u32);
    }
    let divisor = BigInt::from(10).pow((-exponent).min(5000) as u32);
    let (quotient, rest) = (digits / &divisor, digits % &divisor);
    let twice = rest * 2u32;
    let up = twice > divisor || (twice == divisor && quotient.bit(0));
    if up { quotient + 1u32 } else { quotient }
}

fn split_at_semicolon(text: &str) -> (&str, Option<&str>) {
    let mut quoted = false;
    for (i, c) in text.char_indices() {
        match c {
            '\'' => quoted = !quoted,
            ';' if !quoted => return (&text[..i], Some(&text[i + 1..])),
            _ => {}
        }
    }
    (text, None)
}

/// The parts before and after the digits, unquoted.
fn affixes<'a>(text: &'a str, shift: &mut i64) -> (String, &'a str, String) {
    let is_body = |c: char| matches!(c, '#' | '0' | ',' | '.');
    let mut quoted = false;
    let mut start = text.len();
    for (i, c) in text.char_indices() {
        match c {
            '\'' => quoted = !quoted,
            c if !quoted && is_body(c) => {
                start = i;
                break;
            }
            _ => {}
        }
    }
    let body = &text[start..];
    let mut end = body.find(|c: char| !is_body(c)).unwrap_or(body.len());
    if body[end..].starts_with('E') {
        let zeros = body[end + 1..].bytes().take_while(|b| *b == b'0').count();
        end += if zeros > 0 { zeros + 1 } else { 0 };
    }
    let mut unquote = |affix: &str| {
        let mut out = String::new();
        let mut quoted = false;
        let mut chars = affix.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '\'' if chars.peek() == Some(&'\'') => out.extend(chars.next()),
                '\'' => quoted = !quoted,
                '%' if !quoted => {
                    *shift = 2;
                    out.push('%');
                }
                '‰' if !quoted => {
                    *shift = 3;
                    out.push('‰');
                }
                '¤' if !quoted => out.push('$'),
                c => out.push(c),
            }
        }
        out
    };
    let prefix = unquote(&text[..start]);
    let suffix = unquote(&body[end..]);
    (prefix, &body[..end], suffix)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &Pattern, text: &str, expected: &str) {
        let Some((digits, exponent)) = decimal_digits(text) else { panic!("{text}") };
        let number = Number::Finite { digits: digits.abs(), exponent, negative: text.starts_with('-') };
        let mut out = String::new();
        pattern.write(&number, &mut out);
        assert_eq!(out, expected, "{text} in {pattern:?}");
    }

    #[test]
    fn places() {
        for (text, places, expected) in [
            ("1234567.891", 2, "1,234,567.89"),
            ("0.5", 0, "0"),
            ("1.5", 0, "2"),
            ("-1234.5678", 3, "-1,234.568"),
            ("-0.001", 2, "-0.00"),
            ("0", 3, "0.000"),
        ] {
            check(&Pattern::grouped(places), text, expected);
        }
    }

    #[test]
    fn patterns() {
        for (text, pattern, expected) in [
            ("12332.123456", "##################.###", "12332.123"),
            ("12332.123456", "#,##0.00", "12,332.12"),
            ("1234.5", "000000.000", "001234.500"),
            ("0.123", "#0.0%", "12.3%"),
            ("12345.678", "0.##E0", "1.23E4"),
            ("5", "$#,##0.00;(#)", "$5.00"),
            ("-5", "$#,##0.00;(#)", "(5.00)"),
            ("1234.5", "", "1,234"),
            ("1234567", "#,####", "123,4567"),
            ("0.125", "#.##", "0.12"),
            ("0.125", ".##", ".12"),
            ("1234.5", "¤#,##0.00", "$1,234.50"),
        ] {
            check(&Pattern::new(pattern), text, expected);
        }
    }
}
