//! Spark Connect: the only crate that names its messages. Decodes plans, runs operations that
//! clients can come back to, frames results and errors as clients expect them.

mod analyze;
mod artifact_store;
mod artifacts;
pub mod backend;
mod config;
mod engine;
mod execute;
pub mod from_proto;
mod ipc;
mod ipc_check;
mod local_relations;
mod operation;
mod response_log;
mod server;
mod service;
mod sessions;
mod text;
pub mod to_proto;
mod tree;

#[cfg(test)]
mod tests;

pub use server::{ServeOptions, serve, serve_backend};
pub use text::TextReader;
