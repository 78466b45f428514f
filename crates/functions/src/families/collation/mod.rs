//! Collations: their names, comparison, keys and searching, and the rule by which the collation of
//! several strings is decided.

mod functions;
pub(crate) mod key;
mod locales;
pub mod name;
mod precedence;
mod search;

pub use functions::{FUNCTIONS, KERNELS};
pub use key::{Collation, is_collated, key_expr};
pub use name::{CollationName, parse};
pub use precedence::{
    INDETERMINATE, collations_differ, determined, of, options, string_inside, string_type, unify, unify_comparison,
    unify_typed,
};
pub use search::CharSet;

use std::sync::Arc;

use spark::Result;
use spark::types::DataType;

/// A type whose strings without a collation have `default`, where there is one.
pub fn by_default(ty: &DataType, default: Option<&Arc<str>>) -> DataType {
    let Some(name) = default else { return ty.clone() };
    match ty {
        DataType::String { collation: None } => DataType::String { collation: Some(Arc::clone(name)) },
        DataType::Array { element, contains_null } => {
            DataType::Array { element: Arc::new(by_default(element, default)), contains_null: *contains_null }
        }
        DataType::Map { key, value, value_contains_null } => DataType::Map {
            key: Arc::new(by_default(key, default)),
            value: Arc::new(by_default(value, default)),
            value_contains_null: *value_contains_null,
        },
        DataType::Struct(fields) => {
            let mut fields = fields.clone();
            for field in &mut fields.fields {
                field.data_type = by_default(&field.data_type, default);
            }
            DataType::Struct(fields)
        }
        other => other.clone(),
    }
}

/// A collation's name as the `collation` of string types.
///
/// # Errors
/// `COLLATION_INVALID_NAME`.
pub fn of_types(name: Option<&str>) -> Result<Option<Arc<str>>> {
    name.map_or(Ok(None), |name| Ok(name::parse(name)?.type_collation()))
}
