//! How Spark prints literals in column names.

use functions::{Typed, cast, scalar};
use spark::types::DataType;
use spark::{Literal, Settings};

/// The literal as it appears in the name of an expression.
pub(crate) fn literal(literal: &Literal, settings: &Settings) -> String {
    match literal {
        Literal::Null(_) => "NULL".into(),
        Literal::Boolean(v) => v.to_string(),
        Literal::Byte(v) => v.to_string(),
        Literal::Short(v) => v.to_string(),
        Literal::Integer(v) => v.to_string(),
        Literal::Long(v) => v.to_string(),
        Literal::Decimal { unscaled, scale, .. } => cast::format::decimal_string(*unscaled, *scale, false),
        Literal::String(v) => v.clone(),
        Literal::Binary(v) => {
            let hex: String = v.iter().map(|b| format!("{b:02X}")).collect();
            format!("X'{hex}'")
        }
        Literal::Date(_) => format!("DATE '{}'", text(literal, settings)),
        Literal::Timestamp(_) => format!("TIMESTAMP '{}'", text(literal, settings)),
        Literal::TimestampNtz(_) => format!("TIMESTAMP_NTZ '{}'", text(literal, settings)),
        Literal::TimestampNanos { ltz, precision, .. } => {
            let (name, text) = (if *ltz { "LTZ" } else { "NTZ" }, text(literal, settings));
            format!("TIMESTAMP_{name} '{}'", with_digits(&text, usize::from(*precision)))
        }
        Literal::Time { .. } => format!("TIME '{}'", text(literal, settings)),
        Literal::Array { values, .. } => {
            let values: Vec<String> = values.iter().map(|v| self::literal(v, settings)).collect();
            format!("array({})", values.join(", "))
        }
        Literal::Map { entries, .. } => {
            let entries: Vec<String> = entries
                .iter()
                .map(|(k, v)| format!("{}, {}", self::literal(k, settings), self::literal(v, settings)))
                .collect();
            format!("map({})", entries.join(", "))
        }
        Literal::Struct { data_type, values } => {
            let names: Vec<String> = match data_type {
                DataType::Struct(s) => s.fields.iter().map(|f| f.name.clone()).collect(),
                _ => Vec::new(),
            };
            let values: Vec<String> =
                names.iter().zip(values).map(|(n, v)| format!("{n}, {}", self::literal(v, settings))).collect();
            format!("named_struct({})", values.join(", "))
        }
        _ => text(literal, settings),
    }
}

/// The literal as SQL text.
pub(crate) fn literal_sql(value: &Literal, settings: &Settings) -> String {
    let all = |values: &[Literal]| values.iter().map(|v| literal_sql(v, settings)).collect::<Vec<_>>().join(", ");
    match value {
        Literal::Null(ty) if *ty == DataType::Null => "NULL".into(),
        Literal::Null(ty) => format!("CAST(NULL AS {})", ty.sql()),
        Literal::String(v) => format!("'{}'", v.replace('\\', "\\\\").replace('\'', "\\'")),
        Literal::Byte(v) => format!("{v}Y"),
        Literal::Short(v) => format!("{v}S"),
        Literal::Long(v) => format!("{v}L"),
        Literal::Decimal { .. } => format!("{}BD", literal(value, settings)),
        Literal::Array { values, .. } => format!("ARRAY({})", all(values)),
        _ => literal(value, settings),
    }
}

/// The text of a timestamp with that many digits after the second.
fn with_digits(text: &str, digits: usize) -> String {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    format!("{seconds}.{fraction:0<digits$}")
}

/// The literal cast to a string.
fn text(literal: &Literal, settings: &Settings) -> String {
    let cast_to_string = || {
        let expr = scalar::literal_expr(literal).ok()?;
        let typed = Typed::new(expr, literal.data_type(), false, "");
        functions::fold::string(&cast::implicit(&typed, &DataType::STRING, settings))
    };
    cast_to_string().unwrap_or_default()
}
