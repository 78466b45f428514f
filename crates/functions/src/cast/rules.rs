//! Which casts Spark has, in ANSI mode and out of it.

use spark::expr::CastMode;
use spark::types::DataType;
use spark::{Error, Settings};

use super::force_nullable;
use crate::typed::Typed;

/// True if a value of `from` may be cast to `to` in ANSI mode (and by `try_cast`).
pub fn can_ansi_cast(from: &DataType, to: &DataType) -> bool {
    use DataType as T;
    match (from, to) {
        (a, b) if a == b => true,
        (T::Null, _) => true,
        (_, T::Null) => false,
        (T::Variant, t) => variant_holds(t),
        (f, T::Variant) => to_variant(f),
        (T::Geometry(_) | T::Geography(_), _) | (_, T::Geometry(_) | T::Geography(_)) => same_geo(from, to),
        (_, t) if t.is_string() => true,
        (f, T::Binary) => f.is_string(),
        (T::Binary, _) => false,
        (f, t) if f.is_string() => !t.is_complex() && !matches!(t, T::Udt { .. }),
        (f, t) if f.is_complex() || t.is_complex() => can_cast_parts(from, to, can_ansi_cast),
        (_, T::Boolean) => from.is_numeric(),
        (T::Boolean, t) => t.is_numeric(),
        (f, t) if f.is_numeric() && t.is_numeric() => true,
        (T::Timestamp | T::TimestampNtz, T::Time(_)) | (T::Time(_), T::Time(_) | T::Timestamp | T::TimestampNtz) => {
            true
        }
        (f @ T::TimestampNanos { .. }, t) | (t, f @ T::TimestampNanos { .. }) => {
            t.is_datetime() || t.is_timestamp_nanos() && f.is_timestamp_nanos() || matches!(t, T::Time(_))
        }
        (f, T::Timestamp) => f.is_numeric() || f.is_datetime(),
        (T::Timestamp, t) if t.is_numeric() => true,
        (f, t) if f.is_datetime() && t.is_datetime() => true,
        (T::Time(_), t) => t.is_numeric() && !matches!(t, T::Float | T::Double),
        _ => can_cast_interval(from, to),
    }
}

/// True if a value of `from` may be cast to `to` outside ANSI mode.
pub fn can_legacy_cast(from: &DataType, to: &DataType) -> bool {
    use DataType as T;
    match (from, to) {
        (f, T::Binary) if f.is_integral() => true,
        (T::Timestamp | T::Date, T::Boolean) | (T::Boolean, T::Timestamp) => true,
        (T::Date, t) if t.is_numeric() => true,
        (f, t)
            if (f.is_complex() || t.is_complex())
                && !matches!(f, T::Null | T::Variant)
                && !matches!(t, T::Variant)
                && !t.is_string() =>
        {
            can_cast_parts(from, to, can_legacy_cast) && keeps_keys(from, to)
        }
        _ => can_ansi_cast(from, to),
    }
}

fn can_cast_interval(from: &DataType, to: &DataType) -> bool {
    use DataType as T;
    match (from, to) {
        (T::YearMonthInterval { .. }, T::YearMonthInterval { .. }) => true,
        (T::DayTimeInterval { .. }, T::DayTimeInterval { .. }) => true,
        (i, n) | (n, i) if i.is_ansi_interval() => n.is_integral() || matches!(n, T::Decimal { .. }),
        _ => false,
    }
}

fn can_cast_parts(from: &DataType, to: &DataType, can: fn(&DataType, &DataType) -> bool) -> bool {
    let nullability = |f: bool, t: bool| !f || t;
    match (from, to) {
        (
            DataType::Array { element: f, contains_null: fnull },
            DataType::Array { element: t, contains_null: tnull },
        ) => can(f, t) && nullability(*fnull || force_nullable(f, t), *tnull),
        (
            DataType::Map { key: fk, value: fv, value_contains_null: fnull },
            DataType::Map { key: tk, value: tv, value_contains_null: tnull },
        ) => can(fk, tk) && can(fv, tv) && nullability(*fnull || force_nullable(fv, tv), *tnull),
        (DataType::Struct(f), DataType::Struct(t)) => {
            f.fields.len() == t.fields.len()
                && f.fields.iter().zip(&t.fields).all(|(f, t)| {
                    can(&f.data_type, &t.data_type)
                        && nullability(f.nullable || force_nullable(&f.data_type, &t.data_type), t.nullable)
                })
        }
        _ => false,
    }
}

/// False for maps whose keys might become null.
fn keeps_keys(from: &DataType, to: &DataType) -> bool {
    match (from, to) {
        (DataType::Map { key: f, .. }, DataType::Map { key: t, .. }) => !force_nullable(f, t),
        _ => true,
    }
}

fn variant_holds(to: &DataType) -> bool {
    match to {
        DataType::Array { element, .. } => variant_holds(element),
        DataType::Map { key, value, .. } => key.is_string() && variant_holds(value),
        DataType::Struct(s) => s.fields.iter().all(|f| variant_holds(&f.data_type)),
        DataType::CalendarInterval
        | DataType::Time(_)
        | DataType::Geometry(_)
        | DataType::Geography(_)
        | DataType::Udt { .. } => false,
        _ => true,
    }
}

fn to_variant(from: &DataType) -> bool {
    match from {
        DataType::Array { element, .. } => to_variant(element),
        // `to_variant_object` is for these: their keys would not come back as they were.
        DataType::Map { .. } | DataType::Struct(_) => false,
        DataType::CalendarInterval
        | DataType::YearMonthInterval { .. }
        | DataType::DayTimeInterval { .. }
        | DataType::TimestampNanos { .. }
        | DataType::Time(_)
        | DataType::Geometry(_)
        | DataType::Geography(_)
        | DataType::Udt { .. } => false,
        _ => true,
    }
}

fn same_geo(from: &DataType, to: &DataType) -> bool {
    matches!(
        (from, to),
        (DataType::Geometry(_), DataType::Geometry(None))
            | (DataType::Geography(_), DataType::Geography(None))
            | (DataType::Geography(_), DataType::Geometry(_))
    )
}

/// The error for a cast that Spark does not have; `name` is the cast as printed.
pub fn refused(typed: &Typed, to: &DataType, mode: CastMode, name: &str, settings: &Settings) -> Error {
    let ansi = match mode {
        CastMode::Session => settings.ansi,
        CastMode::Ansi | CastMode::Try => true,
        CastMode::Legacy => false,
    };
    let error = |sub: &str| {
        Error::analysis(format!("DATATYPE_MISMATCH.{sub}"))
            .param("sqlExpr", format!("\"{name}\""))
            .param("srcType", format!("\"{}\"", typed.ty.sql()))
            .param("targetType", format!("\"{}\"", to.sql()))
            .with_message(format!("{} cannot be cast to {}.", typed.ty.sql(), to.sql()))
    };
    if !ansi {
        return error("CAST_WITHOUT_SUGGESTION");
    }
    if let Some(function) = suggested(&typed.ty, to) {
        return error("CAST_WITH_FUNC_SUGGESTION").param("functionNames", format!("`{function}`"));
    }
    if mode != CastMode::Try && can_legacy_cast(&typed.ty, to) {
        return error("CAST_WITH_CONF_SUGGESTION")
            .param("config", "\"spark.sql.ansi.enabled\"")
            .param("configVal", "'false'");
    }
    error("CAST_WITHOUT_SUGGESTION")
}

fn suggested(from: &DataType, to: &DataType) -> Option<&'static str> {
    match (from, to) {
        (f, DataType::Date) if f.is_numeric() => Some("DATE_FROM_UNIX_DATE"),
        (DataType::Date, t) if t.is_numeric() => Some("UNIX_DATE"),
        _ => None,
    }
}
