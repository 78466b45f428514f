//! Writing variants: Spark's binary encoding of a value and of the dictionary of its field names.

use indexmap::IndexSet;
use num_traits::ToPrimitive;

/// A variant taken apart so far that fields and elements can be changed.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// A scalar, encoded.
    Leaf(Vec<u8>),
    /// Fields in the order in which their values are stored.
    Object(Vec<(String, Node)>),
    Array(Vec<Node>),
}

/// Low bits of a value's first byte.
pub const PRIMITIVE: u8 = 0;
pub const SHORT_STRING: u8 = 1;
pub const OBJECT: u8 = 2;
pub const ARRAY: u8 = 3;

/// Kinds of primitives.
pub const NULL: u8 = 0;
pub const TRUE: u8 = 1;
pub const FALSE: u8 = 2;
pub const INT1: u8 = 3;
pub const INT2: u8 = 4;
pub const INT4: u8 = 5;
pub const INT8: u8 = 6;
pub const DOUBLE: u8 = 7;
pub const DECIMAL4: u8 = 8;
pub const DECIMAL8: u8 = 9;
pub const DECIMAL16: u8 = 10;
pub const DATE: u8 = 11;
pub const TIMESTAMP: u8 = 12;
pub const TIMESTAMP_NTZ: u8 = 13;
pub const FLOAT: u8 = 14;
pub const BINARY: u8 = 15;
pub const LONG_STRING: u8 = 16;
pub const UUID: u8 = 20;

/// Strings up to this length have it in their first byte.
const MAX_SHORT: usize = 0x3F;

/// The largest value or dictionary.
pub const SIZE_LIMIT: usize = 128 * 1024 * 1024;

fn primitive(kind: u8, bytes: &[u8]) -> Node {
    let mut out = Vec::with_capacity(bytes.len() + 1);
    out.push(kind << 2 | PRIMITIVE);
    out.extend_from_slice(bytes);
    Node::Leaf(out)
}

impl Node {
    /// The null of variants.
    pub fn null() -> Node {
        primitive(NULL, &[])
    }

    pub fn boolean(v: bool) -> Node {
        primitive(if v { TRUE } else { FALSE }, &[])
    }

    /// In as few bytes as hold the number.
    pub fn int(v: i64) -> Node {
        if let Some(v) = v.to_i8() {
            primitive(INT1, &v.to_le_bytes())
        } else if let Some(v) = v.to_i16() {
            primitive(INT2, &v.to_le_bytes())
        } else if let Some(v) = v.to_i32() {
            primitive(INT4, &v.to_le_bytes())
        } else {
            primitive(INT8, &v.to_le_bytes())
        }
    }

    pub fn double(v: f64) -> Node {
        primitive(DOUBLE, &v.to_le_bytes())
    }

    pub fn float(v: f32) -> Node {
        primitive(FLOAT, &v.to_le_bytes())
    }

    /// In as few bytes as hold the digits.
    pub fn decimal(unscaled: i128, scale: u8) -> Node {
        let digits = unscaled.unsigned_abs().to_string().len().max(usize::from(scale));
        let mut bytes = vec![scale];
        let kind = if digits <= 9 {
            bytes.extend_from_slice(&(unscaled as i32).to_le_bytes());
            DECIMAL4
        } else if digits <= 18 {
            bytes.extend_from_slice(&(unscaled as i64).to_le_bytes());
            DECIMAL8
        } else {
            bytes.extend_from_slice(&unscaled.to_le_bytes());
            DECIMAL16
        };
        primitive(kind, &bytes)
    }

    pub fn date(days: i32) -> Node {
        primitive(DATE, &days.to_le_bytes())
    }

    pub fn timestamp(micros: i64) -> Node {
        primitive(TIMESTAMP, &micros.to_le_bytes())
    }

    pub fn timestamp_ntz(micros: i64) -> Node {
        primitive(TIMESTAMP_NTZ, &micros.to_le_bytes())
    }

    pub fn binary(v: &[u8]) -> Node {
        let mut bytes = (v.len() as u32).to_le_bytes().to_vec();
        bytes.extend_from_slice(v);
        primitive(BINARY, &bytes)
    }

    pub fn text(v: &str) -> Node {
        if v.len() <= MAX_SHORT {
            let mut out = Vec::with_capacity(v.len() + 1);
            out.push((v.len() as u8) << 2 | SHORT_STRING);
            out.extend_from_slice(v.as_bytes());
            return Node::Leaf(out);
        }
        let mut bytes = (v.len() as u32).to_le_bytes().to_vec();
        bytes.extend_from_slice(v.as_bytes());
        primitive(LONG_STRING, &bytes)
    }

    /// True for the null of variants.
    pub fn is_null(&self) -> bool {
        matches!(self, Node::Leaf(bytes) if bytes.as_slice() == [0])
    }

    /// The value's and the dictionary's bytes.
    pub fn encode(&self) -> (Vec<u8>, Vec<u8>) {
        let mut keys = IndexSet::new();
        let mut value = Vec::new();
        write(self, &mut keys, &mut value);
        (value, dictionary(&keys))
    }
}

/// Bytes needed for unsigned numbers up to `max`.
fn width(max: usize) -> usize {
    match max {
        0..=0xFF => 1,
        0x100..=0xFFFF => 2,
        0x1_0000..=0xFF_FFFF => 3,
        _ => 4,
    }
}

fn push_uint(v: usize, width: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(&(v as u64).to_le_bytes()[..width]);
}

fn write(node: &Node, keys: &mut IndexSet<String>, out: &mut Vec<u8>) {
    match node {
        Node::Leaf(bytes) => out.extend_from_slice(bytes),
        Node::Array(items) => {
            let mut data = Vec::new();
            let mut offsets = Vec::with_capacity(items.len() + 1);
            for item in items {
                offsets.push(data.len());
                write(item, keys, &mut data);
            }
            offsets.push(data.len());
            let large = items.len() > 0xFF;
            let offset_width = width(data.len());
            out.push(u8::from(large) << 4 | ((offset_width - 1) as u8) << 2 | ARRAY);
            push_uint(items.len(), if large { 4 } else { 1 }, out);
            offsets.into_iter().for_each(|o| push_uint(o, offset_width, out));
            out.extend_from_slice(&data);
        }
        Node::Object(fields) => write_object(fields, keys, out),
    }
}

/// Field ids are in the order of the names, values in the order in which they came.
fn write_object(fields: &[(String, Node)], keys: &mut IndexSet<String>, out: &mut Vec<u8>) {
    let mut data = Vec::new();
    let mut entries = Vec::with_capacity(fields.len());
    for (name, value) in fields {
        let id = match keys.get_index_of(name.as_str()) {
            Some(id) => id,
            None => keys.insert_full(name.clone()).0,
        };
        entries.push((name.as_str(), id, data.len()));
        write(value, keys, &mut data);
    }
    entries.sort_by(|a, b| a.0.encode_utf16().cmp(b.0.encode_utf16()));
    let large = fields.len() > 0xFF;
    let id_width = width(entries.iter().map(|e| e.1).max().unwrap_or(0));
    let offset_width = width(data.len());
    out.push(u8::from(large) << 6 | ((id_width - 1) as u8) << 4 | ((offset_width - 1) as u8) << 2 | OBJECT);
    push_uint(fields.len(), if large { 4 } else { 1 }, out);
    entries.iter().for_each(|e| push_uint(e.1, id_width, out));
    entries.iter().for_each(|e| push_uint(e.2, offset_width, out));
    push_uint(data.len(), offset_width, out);
    out.extend_from_slice(&data);
}

fn dictionary(keys: &IndexSet<String>) -> Vec<u8> {
    let total: usize = keys.iter().map(String::len).sum();
    let width = width(total.max(keys.len()));
    let mut out = vec![1 | ((width - 1) as u8) << 6];
    push_uint(keys.len(), width, &mut out);
    let mut offset = 0;
    for key in keys {
        push_uint(offset, width, &mut out);
        offset += key.len();
    }
    push_uint(offset, width, &mut out);
    keys.iter().for_each(|k| out.extend_from_slice(k.as_bytes()));
    out
}
