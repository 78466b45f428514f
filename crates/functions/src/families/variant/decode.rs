//! Reading variants.

use datafusion::common::Result;
use spark::Error;

use super::encode::{
    ARRAY, BINARY, DATE, DECIMAL4, DECIMAL8, DECIMAL16, DOUBLE, FALSE, FLOAT, INT1, INT2, INT4, INT8, LONG_STRING,
    NULL, Node, OBJECT, PRIMITIVE, SHORT_STRING, TIMESTAMP, TIMESTAMP_NTZ, TRUE, UUID,
};
use crate::error::fail;

/// A value inside a variant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct View<'a> {
    /// From the value's first byte on.
    value: &'a [u8],
    metadata: &'a [u8],
}

/// A scalar.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scalar<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Float(f32),
    Double(f64),
    Decimal { unscaled: i128, scale: u8 },
    Date(i32),
    Timestamp(i64),
    TimestampNtz(i64),
    Binary(&'a [u8]),
    Text(&'a str),
    Uuid([u8; 16]),
}

/// What a value is.
pub enum Content<'a> {
    Scalar(Scalar<'a>),
    Object(Object<'a>),
    Array(Array<'a>),
}

/// An object's fields, by name.
#[derive(Clone, Copy)]
pub struct Object<'a> {
    view: View<'a>,
    count: usize,
    ids: usize,
    id_width: usize,
    offsets: usize,
    offset_width: usize,
}

/// An array's elements.
#[derive(Clone, Copy)]
pub struct Array<'a> {
    view: View<'a>,
    count: usize,
    offsets: usize,
    offset_width: usize,
}

fn malformed<T>() -> Result<T> {
    fail(Error::runtime("MALFORMED_VARIANT").with_message("The bytes are not a variant."))
}

fn uint(bytes: &[u8], at: usize, width: usize) -> Result<usize> {
    match bytes.get(at..at + width) {
        Some(part) => Ok(part.iter().rev().fold(0usize, |v, b| v << 8 | usize::from(*b))),
        None => malformed(),
    }
}

fn fixed<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N]> {
    match bytes.get(at..at + N).and_then(|b| b.try_into().ok()) {
        Some(array) => Ok(array),
        None => malformed(),
    }
}

impl<'a> View<'a> {
    /// The top of a variant.
    ///
    /// # Errors
    /// `MALFORMED_VARIANT` if the dictionary is of an unknown version.
    pub fn new(value: &'a [u8], metadata: &'a [u8]) -> Result<View<'a>> {
        if metadata.first().is_none_or(|b| b & 0xF != 1) || value.is_empty() {
            return malformed();
        }
        Ok(View { value, metadata })
    }

    /// What the value is.
    ///
    /// # Errors
    /// `MALFORMED_VARIANT`.
    pub fn content(&self) -> Result<Content<'a>> {
        let Some(first) = self.value.first() else { return malformed() };
        let info = first >> 2;
        match first & 3 {
            OBJECT => {
                let count_width = if info >> 4 & 1 == 1 { 4 } else { 1 };
                let count = uint(self.value, 1, count_width)?;
                let (id_width, offset_width) = (usize::from(info >> 2 & 3) + 1, usize::from(info & 3) + 1);
                let ids = 1 + count_width;
                let offsets = ids + count * id_width;
                Ok(Content::Object(Object { view: *self, count, ids, id_width, offsets, offset_width }))
            }
            ARRAY => {
                let count_width = if info >> 2 & 1 == 1 { 4 } else { 1 };
                let count = uint(self.value, 1, count_width)?;
                let offset_width = usize::from(info & 3) + 1;
                Ok(Content::Array(Array { view: *self, count, offsets: 1 + count_width, offset_width }))
            }
            SHORT_STRING => self.text(1, usize::from(info)).map(Content::Scalar),
            _ => self.primitive(info).map(Content::Scalar),
        }
    }

    fn text(&self, at: usize, length: usize) -> Result<Scalar<'a>> {
        match self.value.get(at..at + length).map(std::str::from_utf8) {
            Some(Ok(text)) => Ok(Scalar::Text(text)),
            _ => malformed(),
        }
    }

    fn primitive(&self, kind: u8) -> Result<Scalar<'a>> {
        let v = self.value;
        Ok(match kind {
            NULL => Scalar::Null,
            TRUE => Scalar::Bool(true),
            FALSE => Scalar::Bool(false),
            INT1 => Scalar::Int(i8::from_le_bytes(fixed(v, 1)?).into()),
            INT2 => Scalar::Int(i16::from_le_bytes(fixed(v, 1)?).into()),
            INT4 => Scalar::Int(i32::from_le_bytes(fixed(v, 1)?).into()),
            INT8 => Scalar::Int(i64::from_le_bytes(fixed(v, 1)?)),
            DOUBLE => Scalar::Double(f64::from_le_bytes(fixed(v, 1)?)),
            FLOAT => Scalar::Float(f32::from_le_bytes(fixed(v, 1)?)),
            DECIMAL4 | DECIMAL8 | DECIMAL16 => {
                let unscaled = match kind {
                    DECIMAL4 => i32::from_le_bytes(fixed(v, 2)?).into(),
                    DECIMAL8 => i64::from_le_bytes(fixed(v, 2)?).into(),
                    _ => i128::from_le_bytes(fixed(v, 2)?),
                };
                let [scale] = fixed(v, 1)?;
                if scale > 38 {
                    return malformed();
                }
                Scalar::Decimal { unscaled, scale }
            }
            DATE => Scalar::Date(i32::from_le_bytes(fixed(v, 1)?)),
            TIMESTAMP => Scalar::Timestamp(i64::from_le_bytes(fixed(v, 1)?)),
            TIMESTAMP_NTZ => Scalar::TimestampNtz(i64::from_le_bytes(fixed(v, 1)?)),
            BINARY => {
                let length = uint(v, 1, 4)?;
                match v.get(5..5 + length) {
                    Some(bytes) => Scalar::Binary(bytes),
                    None => return malformed(),
                }
            }
            LONG_STRING => return self.text(5, uint(v, 1, 4)?),
            UUID => Scalar::Uuid(fixed(v, 1)?),
            _ => {
                return fail(
                    Error::runtime("UNKNOWN_PRIMITIVE_TYPE_IN_VARIANT")
                        .param("id", kind.to_string())
                        .with_message(format!("A variant holds a primitive of the unknown kind {kind}.")),
                );
            }
        })
    }

    /// The number of bytes the value takes.
    fn size(&self) -> Result<usize> {
        Ok(match self.content()? {
            Content::Object(o) => o.data() + uint(self.value, o.offsets + o.count * o.offset_width, o.offset_width)?,
            Content::Array(a) => a.data() + uint(self.value, a.offsets + a.count * a.offset_width, a.offset_width)?,
            Content::Scalar(_) => {
                let first = self.value[0];
                match (first & 3, first >> 2) {
                    (SHORT_STRING, length) => 1 + usize::from(length),
                    (PRIMITIVE, INT1) => 2,
                    (PRIMITIVE, INT2) => 3,
                    (PRIMITIVE, INT4 | DATE | FLOAT) => 5,
                    (PRIMITIVE, INT8 | DOUBLE | TIMESTAMP | TIMESTAMP_NTZ) => 9,
                    (PRIMITIVE, DECIMAL4) => 6,
                    (PRIMITIVE, DECIMAL8) => 10,
                    (PRIMITIVE, DECIMAL16) => 18,
                    (PRIMITIVE, UUID) => 17,
                    (PRIMITIVE, BINARY | LONG_STRING) => 5 + uint(self.value, 1, 4)?,
                    _ => 1,
                }
            }
        })
    }

    /// The value's own bytes.
    ///
    /// # Errors
    /// `MALFORMED_VARIANT`.
    pub fn bytes(&self) -> Result<&'a [u8]> {
        let size = self.size()?;
        match self.value.get(..size) {
            Some(bytes) => Ok(bytes),
            None => malformed(),
        }
    }

    /// The dictionary, which the value shares with the variant it is in.
    pub fn metadata(&self) -> &'a [u8] {
        self.metadata
    }

    fn key(&self, id: usize) -> Result<&'a str> {
        let Some(header) = self.metadata.first() else { return malformed() };
        let width = usize::from(header >> 6) + 1;
        let count = uint(self.metadata, 1, width)?;
        if id >= count {
            return malformed();
        }
        let start = uint(self.metadata, 1 + (id + 1) * width, width)?;
        let end = uint(self.metadata, 1 + (id + 2) * width, width)?;
        let text = 1 + (count + 2) * width;
        match self.metadata.get(text + start..text + end).map(std::str::from_utf8) {
            Some(Ok(key)) => Ok(key),
            _ => malformed(),
        }
    }

    /// The value taken apart.
    ///
    /// # Errors
    /// `MALFORMED_VARIANT`.
    pub fn node(&self) -> Result<Node> {
        Ok(match self.content()? {
            Content::Scalar(_) => Node::Leaf(self.bytes()?.to_vec()),
            Content::Object(o) => {
                let mut fields = Vec::with_capacity(o.size());
                for i in 0..o.size() {
                    let (key, value) = o.field(i)?;
                    fields.push((key.to_string(), value.node()?));
                }
                Node::Object(fields)
            }
            Content::Array(a) => Node::Array((0..a.size()).map(|i| a.element(i)?.node()).collect::<Result<_>>()?),
        })
    }

    /// Walks every value inside; an error if something is malformed.
    ///
    /// # Errors
    /// `MALFORMED_VARIANT`.
    pub fn check(&self) -> Result<()> {
        self.bytes()?;
        match self.content()? {
            Content::Scalar(_) => Ok(()),
            Content::Object(o) => (0..o.size()).try_for_each(|i| o.field(i)?.1.check()),
            Content::Array(a) => (0..a.size()).try_for_each(|i| a.element(i)?.check()),
        }
    }
}

impl<'a> Object<'a> {
    /// The number of fields.
    pub fn size(&self) -> usize {
        self.count
    }

    fn data(&self) -> usize {
        self.offsets + (self.count + 1) * self.offset_width
    }

    /// Field `i` in the order of names.
    ///
    /// # Errors
    /// `MALFORMED_VARIANT`.
    pub fn field(&self, i: usize) -> Result<(&'a str, View<'a>)> {
        let value = self.view.value;
        let id = uint(value, self.ids + i * self.id_width, self.id_width)?;
        let offset = uint(value, self.offsets + i * self.offset_width, self.offset_width)?;
        match value.get(self.data() + offset..) {
            Some(rest) if !rest.is_empty() => {
                Ok((self.view.key(id)?, View { value: rest, metadata: self.view.metadata }))
            }
            _ => malformed(),
        }
    }

    /// The field of that name.
    ///
    /// # Errors
    /// `MALFORMED_VARIANT`.
    pub fn get(&self, name: &str) -> Result<Option<View<'a>>> {
        for i in 0..self.count {
            let (key, value) = self.field(i)?;
            if key == name {
                return Ok(Some(value));
            }
        }
        Ok(None)
    }
}

impl<'a> Array<'a> {
    /// The number of elements.
    pub fn size(&self) -> usize {
        self.count
    }

    fn data(&self) -> usize {
        self.offsets + (self.count + 1) * self.offset_width
    }

    /// Element `i`.
    ///
    /// # Errors
    /// `MALFORMED_VARIANT`.
    pub fn element(&self, i: usize) -> Result<View<'a>> {
        let value = self.view.value;
        let offset = uint(value, self.offsets + i * self.offset_width, self.offset_width)?;
        match value.get(self.data() + offset..) {
            Some(rest) if !rest.is_empty() && i < self.count => Ok(View { value: rest, metadata: self.view.metadata }),
            _ => malformed(),
        }
    }
}
