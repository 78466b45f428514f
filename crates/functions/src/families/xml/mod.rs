//! XML functions.

pub mod dom;
pub mod functions;
pub mod infer;
pub mod read;
pub mod write;
pub mod xpath;
mod xpath_eval;
mod xpath_parse;
