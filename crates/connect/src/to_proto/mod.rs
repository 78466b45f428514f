//! `spark` values → Spark Connect messages.

pub mod data_type;
pub mod error;
pub mod literal;
