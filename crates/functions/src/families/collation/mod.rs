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
