//! Texts of values, as CSV and JSON files hold them.

use std::sync::{Arc, OnceLock};

use functions::families::text_data::stamp::Stamps;
use serde::{Deserialize, Serialize};
use spark::Result;
use spark::types::DataType;

use super::builder::Scalar;
use crate::source::Options;

/// How dates, times and special numbers are written in the files.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Readers {
    pub time_zone: String,
    /// The options that say how dates and times look.
    formats: Vec<(String, String)>,
    /// Made of the formats when first needed, and again after a journey.
    #[serde(skip)]
    stamps: OnceLock<Option<Arc<Stamps>>>,
    /// Whether JSON may name what is no number as a string.
    named_numbers: bool,
    nan: String,
    positive_inf: String,
    negative_inf: String,
}

impl Readers {
    pub fn new(options: &Options, time_zone: &str) -> Self {
        let own = |key: &str| options.get(key).map(str::to_string);
        Readers {
            time_zone: own("timeZone").unwrap_or_else(|| time_zone.to_string()),
            formats: options.formats(),
            stamps: OnceLock::new(),
            named_numbers: options.bool("allowNonNumericNumbers", true).unwrap_or(true),
            nan: own("nanValue").unwrap_or_else(|| "NaN".into()),
            positive_inf: own("positiveInf").unwrap_or_else(|| "Inf".into()),
            negative_inf: own("negativeInf").unwrap_or_else(|| "-Inf".into()),
        }
    }

    /// True if the option `name` says how something looks.
    pub fn has_format(&self, name: &str) -> bool {
        self.formats.iter().any(|(key, _)| key.eq_ignore_ascii_case(name))
    }

    /// Refuses patterns that are none.
    ///
    /// # Errors
    /// `INVALID_DATETIME_PATTERN…`, `INVALID_TIMEZONE`.
    pub fn check(&self) -> Result<()> {
        Options::new(&self.formats).stamps(&self.time_zone, true).map(drop)
    }

    fn stamps(&self) -> Option<&Stamps> {
        let made = || Options::new(&self.formats).stamps(&self.time_zone, true).ok().map(Arc::new);
        self.stamps.get_or_init(made).as_deref()
    }

    /// The value that `text` is as `ty`; `None` if it is none.
    pub fn value(&self, text: &str, ty: &DataType) -> Option<Scalar> {
        Some(match ty {
            DataType::String { .. } | DataType::Char(_) | DataType::Varchar(_) => Scalar::Text(text.to_string()),
            DataType::Binary => Scalar::Bytes(text.as_bytes().to_vec()),
            DataType::Boolean if text.eq_ignore_ascii_case("true") => Scalar::Boolean(true),
            DataType::Boolean if text.eq_ignore_ascii_case("false") => Scalar::Boolean(false),
            DataType::Byte => Scalar::Integral(text.parse::<i8>().ok()?.into()),
            DataType::Short => Scalar::Integral(text.parse::<i16>().ok()?.into()),
            DataType::Integer => Scalar::Integral(text.parse::<i32>().ok()?.into()),
            DataType::Long => Scalar::Integral(text.parse::<i64>().ok()?),
            DataType::Float | DataType::Double => Scalar::Float(self.float(text)?),
            DataType::Decimal { precision, scale } => Scalar::Decimal(grouped_decimal(text, *precision, *scale)?),
            DataType::Date => Scalar::Integral(self.date(text)?),
            DataType::Timestamp => Scalar::Integral(self.timestamp(text)?),
            DataType::TimestampNtz => Scalar::Integral(self.timestamp_ntz(text)?),
            DataType::TimestampNanos { ltz, precision } => {
                let count = self.stamps()?.parse_nanos(text, *ltz)?;
                Scalar::Decimal(count - count.rem_euclid(10_i128.pow(9 - u32::from(*precision))))
            }
            DataType::Time(_) => Scalar::Integral(sql::parse_time(text)?),
            _ => return None,
        })
    }

    /// Whether strings of JSON may be names of what is no number.
    pub fn names_numbers(&self) -> bool {
        self.named_numbers
    }

    /// A number with Spark's names for what is none.
    pub fn float(&self, text: &str) -> Option<f64> {
        // A double can be spelled as Java prints it, whatever the options say.
        if text == self.nan || text == "NaN" {
            return Some(f64::NAN);
        }
        if text == self.positive_inf || matches!(text, "+Infinity" | "Infinity" | "+INF" | "INF") {
            return Some(f64::INFINITY);
        }
        if text == self.negative_inf || matches!(text, "-Infinity" | "-INF") {
            return Some(f64::NEG_INFINITY);
        }
        let trimmed = text.trim_end_matches(['d', 'D', 'f', 'F']);
        let numeric = trimmed.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c));
        if numeric && !trimmed.to_ascii_lowercase().contains("inf") { trimmed.trim().parse().ok() } else { None }
    }

    /// Days since the epoch.
    pub fn date(&self, text: &str) -> Option<i64> {
        self.stamps()?.parse_date(text).map(i64::from)
    }

    /// Microseconds of the instant.
    pub fn timestamp(&self, text: &str) -> Option<i64> {
        self.stamps()?.parse_timestamp(text)
    }

    /// True if a text of unknown type counts as a date.
    pub fn infers_date(&self, text: &str) -> bool {
        self.stamps().is_some_and(|stamps| stamps.infers_date(text))
    }

    /// True if a text of unknown type counts as an instant.
    pub fn infers_timestamp(&self, text: &str) -> bool {
        self.stamps().is_some_and(|stamps| stamps.infers_timestamp(text))
    }

    /// Microseconds of the wall clock.
    pub fn timestamp_ntz(&self, text: &str) -> Option<i64> {
        self.stamps()?.parse_timestamp_ntz(text)
    }
}

/// As [`decimal`], of a text whose digits may be grouped by commas, wherever they stand before the point.
pub fn grouped_decimal(text: &str, precision: u8, scale: i8) -> Option<i128> {
    let whole = text.split_once('.').map_or(text, |(whole, _)| whole);
    if !whole.contains(',') {
        return decimal(text, precision, scale);
    }
    // Behind the point nothing is grouped.
    decimal(&format!("{}{}", whole.replace(',', ""), &text[whole.len()..]), precision, scale)
}

/// The unscaled value of a number as `DECIMAL(precision, scale)`, rounded half up.
pub fn decimal(text: &str, precision: u8, scale: i8) -> Option<i128> {
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], text[at + 1..].parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (sign, digits) = match mantissa.as_bytes().first()? {
        b'-' => (-1, &mantissa[1..]),
        b'+' => (1, &mantissa[1..]),
        _ => (1, mantissa),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty() || !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit()) {
        return None;
    }
    let all: String = format!("{whole}{fraction}");
    // Digits to keep: those of the value scaled by 10^scale.
    let keep = whole.len() as i64 + i64::from(exponent) + i64::from(scale);
    let mut value: i128 = 0;
    let mut round_up = false;
    for i in 0..keep.max(0) {
        let digit = all.as_bytes().get(i as usize).map_or(0, |b| b - b'0');
        value = value.checked_mul(10)?.checked_add(digit.into())?;
    }
    if keep >= 0
        && let Some(next) = all.as_bytes().get(keep as usize)
    {
        round_up = *next >= b'5';
    }
    value += i128::from(round_up);
    (value < 10i128.checked_pow(precision.into())?).then_some(sign * value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_scaled_and_bounded() {
        for (text, precision, scale, expect) in [
            ("1.5", 5, 2, Some(150)),
            ("-1.005", 5, 2, Some(-101)),
            ("1e2", 5, 0, Some(100)),
            ("99999.9", 5, 0, None),
            ("0.004", 5, 2, Some(0)),
            ("x", 5, 2, None),
            ("", 5, 2, None),
            ("1.", 5, 1, Some(10)),
        ] {
            assert_eq!(decimal(text, precision, scale), expect, "{text}");
        }
    }

    #[test]
    fn digits_may_be_grouped() {
        for (text, expect) in
            [("1,234.5", Some(123_450)), ("1,2,3", Some(12_300)), ("1,", Some(100)), ("1.2,3", None), (",", None)]
        {
            assert_eq!(grouped_decimal(text, 9, 2), expect, "{text}");
        }
    }

    #[test]
    fn floats_have_names() {
        let readers = Readers::new(&Options::default(), "UTC");
        for (text, expect) in [
            ("1e3", Some(1000.0)),
            ("-Inf", Some(f64::NEG_INFINITY)),
            ("inf", None),
            ("nan", None),
            ("1.5f", Some(1.5)),
        ] {
            assert_eq!(readers.float(text), expect, "{text}");
        }
    }
}
