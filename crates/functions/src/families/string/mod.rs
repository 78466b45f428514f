//! String functions, one file for each tight family.

pub mod base;
pub mod case;
pub mod chars;
pub mod charset;
pub mod concat;
pub mod distance;
pub mod edit;
pub mod length;
pub mod mask;
pub mod pad;
pub mod search;
pub mod split_part;
pub mod substring;
pub mod trim;
pub mod utf8;
