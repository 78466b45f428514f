//! Literal values with their Spark type.

use std::sync::Arc;

use crate::types::DataType;

/// A constant. Units: dates are days and timestamps microseconds since 1970-01-01 (UTC); times of
/// day are nanoseconds since midnight; decimals are unscaled.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// A null of the given type (`DataType::Null` for a bare `NULL`).
    Null(DataType),
    Boolean(bool),
    Byte(i8),
    Short(i16),
    Integer(i32),
    Long(i64),
    Float(f32),
    Double(f64),
    Decimal {
        unscaled: i128,
        precision: u8,
        scale: i8,
    },
    String(String),
    Binary(Vec<u8>),
    Date(i32),
    Timestamp(i64),
    TimestampNtz(i64),
    /// Nanoseconds since 1970-01-01, of UTC or of a wall clock.
    TimestampNanos {
        nanos: i128,
        ltz: bool,
        precision: u8,
    },
    Time {
        nanos: i64,
        precision: u8,
    },
    CalendarInterval {
        months: i32,
        days: i32,
        micros: i64,
    },
    YearMonthInterval {
        months: i32,
        start: u8,
        end: u8,
    },
    DayTimeInterval {
        micros: i64,
        start: u8,
        end: u8,
    },
    Array {
        element_type: DataType,
        values: Vec<Literal>,
    },
    Map {
        key_type: DataType,
        value_type: DataType,
        entries: Vec<(Literal, Literal)>,
    },
    Struct {
        data_type: DataType,
        values: Vec<Literal>,
    },
}

impl Literal {
    /// The literal's Spark type.
    pub fn data_type(&self) -> DataType {
        match self {
            Literal::Null(t) => t.clone(),
            Literal::Boolean(_) => DataType::Boolean,
            Literal::Byte(_) => DataType::Byte,
            Literal::Short(_) => DataType::Short,
            Literal::Integer(_) => DataType::Integer,
            Literal::Long(_) => DataType::Long,
            Literal::Float(_) => DataType::Float,
            Literal::Double(_) => DataType::Double,
            Literal::Decimal { precision, scale, .. } => DataType::decimal(*precision, *scale),
            Literal::String(_) => DataType::STRING,
            Literal::Binary(_) => DataType::Binary,
            Literal::Date(_) => DataType::Date,
            Literal::Timestamp(_) => DataType::Timestamp,
            Literal::TimestampNtz(_) => DataType::TimestampNtz,
            Literal::TimestampNanos { ltz, precision, .. } => {
                DataType::TimestampNanos { ltz: *ltz, precision: *precision }
            }
            Literal::Time { precision, .. } => DataType::Time(*precision),
            Literal::CalendarInterval { .. } => DataType::CalendarInterval,
            Literal::YearMonthInterval { start, end, .. } => DataType::YearMonthInterval { start: *start, end: *end },
            Literal::DayTimeInterval { start, end, .. } => DataType::DayTimeInterval { start: *start, end: *end },
            Literal::Array { element_type, values } => DataType::Array {
                element: Arc::new(element_type.clone()),
                contains_null: values.iter().any(|v| matches!(v, Literal::Null(_))),
            },
            Literal::Map { key_type, value_type, entries } => DataType::Map {
                key: Arc::new(key_type.clone()),
                value: Arc::new(value_type.clone()),
                value_contains_null: entries.iter().any(|(_, v)| matches!(v, Literal::Null(_))),
            },
            Literal::Struct { data_type, .. } => data_type.clone(),
        }
    }

    /// True for a null of any type.
    pub fn is_null(&self) -> bool {
        matches!(self, Literal::Null(_))
    }
}
