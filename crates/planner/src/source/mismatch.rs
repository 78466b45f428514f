//! Columns of parquet files that do not have the type they are read as.

use std::sync::Arc;

use datafusion::parquet::basic::Type as Physical;
use datafusion::parquet::file::metadata::ParquetMetaData;
use spark::types::{DataType, StructType};
use spark::{Error, ErrorKind};

use super::same_name;

/// The columns of `wanted` that the file holds as another type, with the error that reading them is.
pub(super) fn find(
    path: &str,
    footer: &Arc<ParquetMetaData>,
    found: &StructType,
    wanted: &StructType,
    case_sensitive: bool,
) -> Vec<(String, Error)> {
    let mut all = Vec::new();
    for field in &wanted.fields {
        let of_file = found.fields.iter().find(|f| same_name(&f.name, &field.name, case_sensitive));
        let Some(of_file) = of_file else { continue };
        if !readable(&of_file.data_type, &field.data_type) {
            all.push((field.name.clone(), mismatch(path, footer, &of_file.name, &field.data_type)));
        }
    }
    all
}

/// Whether Spark reads a file's `from` as `to`.
fn readable(from: &DataType, to: &DataType) -> bool {
    use DataType as T;
    match (from, to) {
        _ if from.same_type(to) => true,
        // Not told apart by what the file stores.
        (T::Byte | T::Short | T::Integer, to) if to.is_integral() => true,
        (T::Byte | T::Short | T::Integer, T::Double | T::YearMonthInterval { .. }) => true,
        (T::Integer | T::Short | T::Byte, T::Decimal { precision, scale }) => {
            i16::from(*precision) - i16::from(*scale) >= 10
        }
        (T::Long, T::Decimal { precision, scale }) => i16::from(*precision) - i16::from(*scale) >= 20,
        (T::Long, T::DayTimeInterval { .. } | T::Time(_)) => true,
        (T::YearMonthInterval { .. }, T::YearMonthInterval { .. } | T::Integer) => true,
        (T::DayTimeInterval { .. }, T::DayTimeInterval { .. } | T::Long) => true,
        (T::Float, T::Double) => true,
        (T::Decimal { precision: p, scale: s }, T::Decimal { precision: q, scale: r }) => {
            r >= s && i16::from(*q) - i16::from(*r) >= i16::from(*p) - i16::from(*s)
        }
        (T::Date, T::TimestampNtz) | (T::TimestampNtz, T::Timestamp) | (T::Time(_), T::Time(_)) => true,
        (from, to) if is_bytes(from) && is_bytes(to) => true,
        // Nested columns are matched field by field, where a missing one is null.
        (T::Array { element: a, .. }, T::Array { element: b, .. }) => readable(a, b),
        (T::Map { key: a, value: b, .. }, T::Map { key: c, value: d, .. }) => readable(a, c) && readable(b, d),
        (T::Struct(a), T::Struct(b)) => b.fields.iter().all(|wanted| {
            let found = a.fields.iter().find(|f| f.name == wanted.name);
            found.is_none_or(|found| readable(&found.data_type, &wanted.data_type))
        }),
        // Types that parquet has no own form for: whatever they are stored as.
        (from, to) => !is_plain(from) || !is_plain(to),
    }
}

fn is_bytes(ty: &DataType) -> bool {
    ty.is_string() || matches!(ty, DataType::Binary | DataType::Char(_) | DataType::Varchar(_))
}

/// Types whose stored form is known and is no other's.
fn is_plain(ty: &DataType) -> bool {
    ty.is_numeric()
        || is_bytes(ty)
        || matches!(
            ty,
            DataType::Boolean
                | DataType::Date
                | DataType::Timestamp
                | DataType::TimestampNtz
                | DataType::TimestampNanos { .. }
                | DataType::Array { .. }
                | DataType::Map { .. }
        )
}

/// A stored type by the name that Spark has for it.
fn physical_name(ty: Physical) -> String {
    match ty {
        Physical::BYTE_ARRAY => "BINARY".to_string(),
        other => other.to_string(),
    }
}

fn mismatch(path: &str, footer: &Arc<ParquetMetaData>, column: &str, wanted: &DataType) -> Error {
    let schema = footer.file_metadata().schema_descr();
    let stored = schema.columns().iter().find(|c| c.path().parts().first().is_some_and(|p| p == column));
    let actual = stored.map_or_else(|| "group".to_string(), |c| physical_name(c.physical_type()));
    let expected = wanted.simple_string();
    Error::new(ErrorKind::Spark, "FAILED_READ_FILE.PARQUET_COLUMN_DATA_TYPE_MISMATCH")
        .with_message(format!("{path} holds the column {column} as {actual}, which cannot be read as {expected}."))
        .param("path", path)
        .param("column", format!("[{column}]"))
        .param("expectedType", expected)
        .param("actualType", actual)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_matched() {
        let decimal = DataType::decimal;
        for (from, to, expect) in [
            (DataType::Integer, DataType::Long, true),
            (DataType::Integer, DataType::STRING, false),
            (DataType::Long, DataType::Integer, false),
            (DataType::Long, DataType::Timestamp, false),
            (DataType::STRING, DataType::Integer, false),
            (DataType::STRING, DataType::Binary, true),
            (DataType::Float, DataType::Double, true),
            (DataType::Double, DataType::Float, false),
            (decimal(10, 2), decimal(12, 4), true),
            (decimal(10, 2), decimal(10, 4), false),
            (DataType::Timestamp, DataType::TimestampNtz, false),
            (DataType::array(DataType::Integer, true), DataType::array(DataType::STRING, true), false),
            (DataType::array(DataType::Integer, true), DataType::STRING, false),
        ] {
            assert_eq!(readable(&from, &to), expect, "{} as {}", from.sql(), to.sql());
        }
    }
}
