//! What types variants can hold.

use spark::types::DataType;

/// True if a value of `ty` can become a variant by a cast: scalars and arrays of them.
pub fn castable(ty: &DataType) -> bool {
    match ty {
        DataType::Array { element, .. } => castable(element),
        other => scalar(other) || *other == DataType::Null,
    }
}

/// True if `to_variant_object` takes `ty`: arrays, structs and maps with string keys of what it takes.
pub fn object_like(ty: &DataType) -> bool {
    match ty {
        DataType::Array { element, .. } => holds(element),
        DataType::Map { key, value, .. } => key.is_string() && holds(value),
        DataType::Struct(s) => s.fields.iter().all(|f| holds(&f.data_type)),
        _ => false,
    }
}

fn holds(ty: &DataType) -> bool {
    scalar(ty) || object_like(ty)
}

fn scalar(ty: &DataType) -> bool {
    ty.is_numeric()
        || ty.is_string()
        || matches!(
            ty,
            DataType::Boolean
                | DataType::Binary
                | DataType::Date
                | DataType::Timestamp
                | DataType::TimestampNtz
                | DataType::Variant
        )
}
