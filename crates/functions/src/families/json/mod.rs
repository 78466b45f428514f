//! JSON functions.

pub mod functions;
pub mod infer;
pub mod parse;
pub mod path;
pub mod read;
pub mod tuple;
pub mod write;
