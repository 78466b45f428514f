//! Variants: Spark's binary encoding, paths, casts and functions.

pub mod cast;
pub mod decode;
pub mod edit;
pub mod encode;
pub mod explode;
pub mod functions;
pub mod json;
pub mod path;
pub mod schema;
mod shape;

pub use cast::convert as cast_array;
pub use json::{from_json, write_json};

/// The variant that a text of JSON is: its value and its metadata; `None` if it is none.
pub fn of_json(text: &str) -> Option<(Vec<u8>, Vec<u8>)> {
    let json = super::json::parse::parse(text, super::json::parse::Leniency::DEFAULT).ok()??;
    Some(json::to_node(&json).ok()?.encode())
}

/// What the tests of this family share.
#[cfg(test)]
pub mod testing {
    use super::encode::Node;
    use crate::families::json::parse::{Leniency, parse};

    /// A variant from JSON.
    pub fn variant(json: &str) -> Node {
        match parse(json, Leniency::DEFAULT) {
            Ok(Some(json)) => super::json::to_node(&json).unwrap_or_else(|e| panic!("{e:?}")),
            other => panic!("{json}: {other:?}"),
        }
    }

    /// Bytes in hexadecimal.
    pub fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|b| format!("{b:02x}")).collect()
    }

    /// A variant's JSON.
    pub fn text(node: &Node) -> String {
        let (value, metadata) = node.encode();
        let mut out = String::new();
        let zone = crate::families::datetime::zone::Zone::Fixed(0);
        match super::write_json(&value, &metadata, zone, &mut out) {
            Ok(()) => out,
            Err(e) => e.to_string(),
        }
    }
}
