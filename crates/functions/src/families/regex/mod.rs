//! Regular expressions with Java's meaning, and `LIKE`.

pub mod extract;
pub mod java;
mod java_class;
pub mod like;
pub mod pattern;
pub mod replace;
pub mod rlike;
pub mod split;
