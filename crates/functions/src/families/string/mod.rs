//! String functions, one file for each tight family.

pub mod base;
pub mod case;
pub mod chars;
pub mod charset;
pub mod concat;
pub mod distance;
pub mod edit;
pub mod format_number;
pub mod format_string;
pub mod java_format;
pub mod length;
pub mod limit;
pub mod mask;
pub mod number_pattern;
pub mod pad;
pub mod search;
pub mod sentences;
pub mod split_part;
pub mod substring;
pub mod to_number;
pub mod trim;
pub mod utf8;
