//! Literals.

use proto::spark_connect as pb;
use proto::spark_connect::expression::literal::specialized_array::ValueType;
use proto::spark_connect::expression::literal::{self, LiteralType};
use spark::{DataType, Error, Literal, Result};

use super::errors::invalid;
use super::{Reader, level};

const MAX_PRECISION: usize = 38;

impl Reader {
    /// A literal message.
    pub fn literal(&self, message: pb::expression::Literal) -> Result<Literal> {
        level(|| self.literal_kind(message))
    }

    fn literal_kind(&self, message: pb::expression::Literal) -> Result<Literal> {
        let data_type = message.data_type.map(|t| self.data_type(&t)).transpose()?;
        Ok(match message.literal_type {
            None => {
                return Err(invalid("UNSUPPORTED_LITERAL_TYPE", "A literal without a value.")
                    .param("typeInfo", "LITERALTYPE_NOT_SET(0)"));
            }
            Some(LiteralType::Null(t)) => match data_type {
                Some(declared) => Literal::Null(declared),
                None => Literal::Null(self.data_type(&t)?),
            },
            Some(LiteralType::Binary(bytes)) => Literal::Binary(bytes.to_vec()),
            Some(LiteralType::Boolean(b)) => Literal::Boolean(b),
            Some(LiteralType::Byte(n)) => Literal::Byte(narrow(n)?),
            Some(LiteralType::Short(n)) => Literal::Short(narrow(n)?),
            Some(LiteralType::Integer(n)) => Literal::Integer(n),
            Some(LiteralType::Long(n)) => Literal::Long(n),
            Some(LiteralType::Float(x)) => Literal::Float(x),
            Some(LiteralType::Double(x)) => Literal::Double(x),
            Some(LiteralType::Decimal(d)) => decimal(&d)?,
            Some(LiteralType::String(s)) => Literal::String(s),
            Some(LiteralType::Date(days)) => Literal::Date(days),
            Some(LiteralType::Timestamp(micros)) => Literal::Timestamp(micros),
            Some(LiteralType::TimestampNtz(micros)) => Literal::TimestampNtz(micros),
            Some(LiteralType::CalendarInterval(i)) => {
                Literal::CalendarInterval { months: i.months, days: i.days, micros: i.microseconds }
            }
            Some(LiteralType::YearMonthInterval(months)) => year_month(months, data_type),
            Some(LiteralType::DayTimeInterval(micros)) => day_time(micros, data_type),
            Some(LiteralType::Array(a)) => self.array(a, data_type)?,
            Some(LiteralType::Map(m)) => self.map(m, data_type)?,
            Some(LiteralType::Struct(s)) => self.structure(s, data_type)?,
            Some(LiteralType::SpecializedArray(a)) => specialized(a)?,
            Some(LiteralType::Time(t)) => time(&t)?,
            Some(LiteralType::TimestampNtzNanos(t)) => {
                self.timestamp_nanos(false, t.epoch_micros, t.nanos_within_micro, t.precision)?
            }
            Some(LiteralType::TimestampLtzNanos(t)) => {
                self.timestamp_nanos(true, t.epoch_micros, t.nanos_within_micro, t.precision)?
            }
        })
    }

    fn timestamp_nanos(&self, ltz: bool, micros: i64, below: i32, precision: Option<i32>) -> Result<Literal> {
        let DataType::TimestampNanos { precision, .. } = self.text.timestamp_nanos(ltz, precision)? else {
            return Err(Error::internal("a timestamp of nanoseconds has digits below the microsecond"));
        };
        let nanos = i128::from(micros) * 1000 + i128::from(below);
        let unit = 10_i128.pow(9 - u32::from(precision));
        Ok(Literal::TimestampNanos { nanos: nanos - nanos.rem_euclid(unit), ltz, precision })
    }

    fn array(&self, message: literal::Array, data_type: Option<DataType>) -> Result<Literal> {
        #[allow(deprecated)]
        let declared = match (data_type, &message.element_type) {
            (Some(DataType::Array { element, .. }), _) => Some((*element).clone()),
            (_, Some(t)) => Some(self.data_type(t)?),
            _ => None,
        };
        let values: Vec<Literal> = message.elements.into_iter().map(|e| self.literal(e)).collect::<Result<_>>()?;
        let element_type = declared.or_else(|| values.first().map(Literal::data_type)).ok_or_else(|| {
            invalid("ARRAY_LITERAL_MISSING_DATA_TYPE", "An empty array literal must say what its elements are.")
        })?;
        Ok(Literal::Array { values: typed(values, &element_type), element_type })
    }

    fn map(&self, message: literal::Map, data_type: Option<DataType>) -> Result<Literal> {
        #[allow(deprecated)]
        let declared = match (data_type, &message.key_type, &message.value_type) {
            (Some(DataType::Map { key, value, .. }), _, _) => Some(((*key).clone(), (*value).clone())),
            (_, Some(k), Some(v)) => Some((self.data_type(k)?, self.data_type(v)?)),
            _ => None,
        };
        let keys: Vec<Literal> = message.keys.into_iter().map(|e| self.literal(e)).collect::<Result<_>>()?;
        let values: Vec<Literal> = message.values.into_iter().map(|e| self.literal(e)).collect::<Result<_>>()?;
        let inferred = || Some((keys.first()?.data_type(), values.first()?.data_type()));
        let (key_type, value_type) = declared.or_else(inferred).ok_or_else(|| {
            invalid("MAP_LITERAL_MISSING_DATA_TYPE", "An empty map literal must say what its keys and values are.")
        })?;
        if keys.len() != values.len() {
            return Err(super::errors::assertion("a map literal has as many keys as values"));
        }
        let entries = typed(keys, &key_type).into_iter().zip(typed(values, &value_type)).collect();
        Ok(Literal::Map { key_type, value_type, entries })
    }

    fn structure(&self, message: literal::Struct, data_type: Option<DataType>) -> Result<Literal> {
        #[allow(deprecated)]
        let declared = match (data_type, &message.struct_type) {
            (Some(t), _) => Some(t),
            (None, Some(t)) => Some(self.data_type(t)?),
            _ => None,
        };
        let values: Vec<Literal> = message.elements.into_iter().map(|e| self.literal(e)).collect::<Result<_>>()?;
        let Some(DataType::Struct(schema)) = declared else {
            return Err(invalid("STRUCT_LITERAL_MISSING_DATA_TYPE", "A struct literal must name its fields."));
        };
        if schema.fields.len() != values.len() {
            return Err(super::errors::assertion("a struct literal has a value for every field"));
        }
        let values = values.into_iter().zip(&schema.fields).map(|(v, f)| retype(v, &f.data_type)).collect();
        Ok(Literal::Struct { values, data_type: DataType::Struct(schema) })
    }
}

/// Untyped nulls take the type that was declared for them.
fn retype(value: Literal, declared: &DataType) -> Literal {
    match value {
        Literal::Null(_) => Literal::Null(declared.clone()),
        other => other,
    }
}

fn typed(values: Vec<Literal>, declared: &DataType) -> Vec<Literal> {
    values.into_iter().map(|v| retype(v, declared)).collect()
}

fn narrow<T: TryFrom<i32>>(value: i32) -> Result<T> {
    T::try_from(value).map_err(|_| {
        invalid("ASSERTION_FAILURE", format!("The literal {value} does not fit its type."))
            .param("message", format!("literal {value}"))
    })
}

fn year_month(months: i32, data_type: Option<DataType>) -> Literal {
    match data_type {
        Some(DataType::YearMonthInterval { start, end }) => Literal::YearMonthInterval { months, start, end },
        _ => Literal::YearMonthInterval { months, start: 0, end: 1 },
    }
}

fn day_time(micros: i64, data_type: Option<DataType>) -> Literal {
    match data_type {
        Some(DataType::DayTimeInterval { start, end }) => Literal::DayTimeInterval { micros, start, end },
        _ => Literal::DayTimeInterval { micros, start: 0, end: 3 },
    }
}

fn time(message: &literal::Time) -> Result<Literal> {
    let precision = message.precision.unwrap_or(6);
    let precision = u8::try_from(precision).ok().filter(|p| *p <= 9).ok_or_else(|| {
        Error::analysis("UNSUPPORTED_TIME_PRECISION")
            .param("precision", precision.to_string())
            .with_message(format!("A time has 0 to 9 fractional digits, not {precision}."))
    })?;
    if !(0..86_400_000_000_000).contains(&message.nano) {
        return Err(super::errors::assertion("a time of day lies between midnight and midnight"));
    }
    Ok(Literal::Time { nanos: message.nano, precision })
}

fn specialized(message: literal::SpecializedArray) -> Result<Literal> {
    fn array<T>(values: Vec<T>, element_type: DataType, wrap: impl Fn(T) -> Literal) -> Literal {
        Literal::Array { element_type, values: values.into_iter().map(wrap).collect() }
    }
    Ok(match message.value_type {
        Some(ValueType::Bools(v)) => array(v.values, DataType::Boolean, Literal::Boolean),
        Some(ValueType::Ints(v)) => array(v.values, DataType::Integer, Literal::Integer),
        Some(ValueType::Longs(v)) => array(v.values, DataType::Long, Literal::Long),
        Some(ValueType::Floats(v)) => array(v.values, DataType::Float, Literal::Float),
        Some(ValueType::Doubles(v)) => array(v.values, DataType::Double, Literal::Double),
        Some(ValueType::Strings(v)) => array(v.values, DataType::STRING, Literal::String),
        None => return Err(invalid("ARRAY_LITERAL_NOT_SET", "An array literal without values.")),
    })
}

/// `123.45`, `-1E+3`: the precision and scale are at least the value's own.
fn decimal(message: &literal::Decimal) -> Result<Literal> {
    let bad = || {
        invalid("ASSERTION_FAILURE", format!("'{}' is not a decimal number.", message.value))
            .param("message", format!("decimal {}", message.value))
    };
    let (digits, mut scale) = parse_decimal(message.value.trim()).ok_or_else(bad)?;
    let mut unscaled: i128 = digits.parse().map_err(|_| bad())?;
    let mut precision = digits.trim_start_matches('-').trim_start_matches('0').len().max(1);
    if let Some(declared) = message.scale
        && declared > scale
    {
        let factor = 10i128.checked_pow((declared - scale) as u32).ok_or_else(bad)?;
        unscaled = unscaled.checked_mul(factor).ok_or_else(bad)?;
        precision += (declared - scale) as usize;
        scale = declared;
    }
    precision = precision.max(message.precision.and_then(|p| usize::try_from(p).ok()).unwrap_or(0)).max(scale as usize);
    if precision > MAX_PRECISION {
        return Err(Error::analysis("DECIMAL_PRECISION_EXCEEDS_MAX_PRECISION")
            .param("precision", precision.to_string())
            .param("maxPrecision", MAX_PRECISION.to_string())
            .with_message(format!("A decimal has at most {MAX_PRECISION} digits, not {precision}.")));
    }
    Ok(Literal::Decimal { unscaled, precision: precision as u8, scale: scale as i8 })
}

/// The digits with their sign, and the scale (not negative).
fn parse_decimal(text: &str) -> Option<(String, i32)> {
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], text[at + 1..].trim_start_matches('+').parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa.strip_prefix('+').unwrap_or(mantissa)),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut digits = format!("{whole}{fraction}");
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let mut scale = i32::try_from(fraction.len()).ok()?.checked_sub(exponent)?;
    if scale < 0 {
        if scale < -(MAX_PRECISION as i32) {
            return None;
        }
        digits.push_str(&"0".repeat(scale.unsigned_abs() as usize));
        scale = 0;
    }
    (scale <= MAX_PRECISION as i32).then(|| (format!("{sign}{digits}"), scale))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_take_the_larger_precision() {
        for (value, precision, scale, expected) in [
            ("1.23", Some(10), None, Some((123, 10, 2))),
            ("1.23", None, None, Some((123, 3, 2))),
            ("-0.5", None, None, Some((-5, 1, 1))),
            ("1E+3", None, None, Some((1000, 4, 0))),
            ("5", Some(10), Some(2), Some((500, 10, 2))),
            ("0.00", None, None, Some((0, 2, 2))),
            ("x", None, None, None),
            ("1e99", None, None, None),
        ] {
            let message = literal::Decimal { value: value.into(), precision, scale };
            let expected = expected.map(|(unscaled, precision, scale)| Literal::Decimal { unscaled, precision, scale });
            assert_eq!(decimal(&message).ok(), expected, "{value}");
        }
    }
}
