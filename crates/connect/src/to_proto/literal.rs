//! Literals of observed metrics. Clients up to 4.3 read element types only from the fields that the
//! newer protocol deprecates, so those are the ones filled.

use proto::spark_connect::expression::Literal as Message;
use proto::spark_connect::expression::literal::{self, LiteralType};
use spark::Literal;

use super::data_type::data_type;

/// The message of a literal.
pub fn literal(value: &Literal) -> Message {
    Message { data_type: None, literal_type: Some(kind(value)) }
}

#[allow(deprecated)]
fn kind(value: &Literal) -> LiteralType {
    match value {
        Literal::Null(t) => LiteralType::Null(data_type(t)),
        Literal::Boolean(b) => LiteralType::Boolean(*b),
        Literal::Byte(n) => LiteralType::Byte(i32::from(*n)),
        Literal::Short(n) => LiteralType::Short(i32::from(*n)),
        Literal::Integer(n) => LiteralType::Integer(*n),
        Literal::Long(n) => LiteralType::Long(*n),
        Literal::Float(x) => LiteralType::Float(*x),
        Literal::Double(x) => LiteralType::Double(*x),
        Literal::Decimal { unscaled, precision, scale } => LiteralType::Decimal(literal::Decimal {
            value: decimal_text(*unscaled, *scale),
            precision: Some(i32::from(*precision)),
            scale: Some(i32::from(*scale)),
        }),
        Literal::String(s) => LiteralType::String(s.clone()),
        Literal::Binary(bytes) => LiteralType::Binary(bytes.clone().into()),
        Literal::Date(days) => LiteralType::Date(*days),
        Literal::Timestamp(micros) => LiteralType::Timestamp(*micros),
        Literal::TimestampNtz(micros) => LiteralType::TimestampNtz(*micros),
        Literal::TimestampNanos { nanos, ltz, precision } => {
            let epoch_micros = nanos.div_euclid(1000) as i64;
            let nanos_within_micro = nanos.rem_euclid(1000) as i32;
            let precision = Some(i32::from(*precision));
            if *ltz {
                LiteralType::TimestampLtzNanos(literal::TimestampLtzNanos {
                    epoch_micros,
                    nanos_within_micro,
                    precision,
                })
            } else {
                LiteralType::TimestampNtzNanos(literal::TimestampNtzNanos {
                    epoch_micros,
                    nanos_within_micro,
                    precision,
                })
            }
        }
        Literal::Time { nanos, precision } => {
            LiteralType::Time(literal::Time { nano: *nanos, precision: Some(i32::from(*precision)) })
        }
        Literal::CalendarInterval { months, days, micros } => {
            LiteralType::CalendarInterval(literal::CalendarInterval {
                months: *months,
                days: *days,
                microseconds: *micros,
            })
        }
        Literal::YearMonthInterval { months, .. } => LiteralType::YearMonthInterval(*months),
        Literal::DayTimeInterval { micros, .. } => LiteralType::DayTimeInterval(*micros),
        Literal::Array { element_type, values } => LiteralType::Array(literal::Array {
            element_type: Some(data_type(element_type)),
            elements: values.iter().map(literal).collect(),
        }),
        Literal::Map { key_type, value_type, entries } => LiteralType::Map(literal::Map {
            key_type: Some(data_type(key_type)),
            value_type: Some(data_type(value_type)),
            keys: entries.iter().map(|(k, _)| literal(k)).collect(),
            values: entries.iter().map(|(_, v)| literal(v)).collect(),
        }),
        Literal::Struct { data_type: t, values } => LiteralType::Struct(literal::Struct {
            struct_type: Some(data_type(t)),
            elements: values.iter().map(literal).collect(),
        }),
    }
}

/// `123` with scale 2 is `1.23`.
fn decimal_text(unscaled: i128, scale: i8) -> String {
    let Ok(scale) = usize::try_from(scale) else {
        return format!("{unscaled}{}", "0".repeat(usize::from(scale.unsigned_abs())));
    };
    if scale == 0 {
        return unscaled.to_string();
    }
    let digits = format!("{:0>width$}", unscaled.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    format!("{}{whole}.{fraction}", if unscaled < 0 { "-" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::from_proto::Reader;
    use spark::{DataType, StructField, StructType};

    #[test]
    fn decimals_are_plain_text() {
        for (unscaled, scale, text) in [(123, 2, "1.23"), (-5, 1, "-0.5"), (0, 2, "0.00"), (7, 0, "7"), (7, -2, "700")]
        {
            assert_eq!(decimal_text(unscaled, scale), text);
        }
    }

    #[test]
    fn literals_survive_both_ways() -> spark::Result<()> {
        let row = StructType::new(vec![StructField::new("x", DataType::Integer, true)]);
        for value in [
            Literal::Null(DataType::Integer),
            Literal::Long(1),
            Literal::Decimal { unscaled: 100, precision: 3, scale: 2 },
            Literal::Array { element_type: DataType::Integer, values: vec![Literal::Integer(1)] },
            Literal::Struct { data_type: DataType::Struct(row), values: vec![Literal::Integer(1)] },
            Literal::Time { nanos: 5, precision: 6 },
        ] {
            assert_eq!(Reader::default().literal(literal(&value))?, value);
        }
        Ok(())
    }
}
