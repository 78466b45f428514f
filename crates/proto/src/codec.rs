//! A gRPC codec for messages of any depth: nesting is measured before decoding, and decoding runs on
//! a stack that is large enough. prost's own recursion limit is off in this binary.

use std::collections::HashMap;
use std::marker::PhantomData;
use std::sync::LazyLock;

use bytes::{Buf, Bytes};
use prost::{Message, Name};
use tonic::Status;
use tonic::codec::{BufferSettings, Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};

/// Nesting beyond this is refused: what no plan reaches but a hostile sender does.
pub const MAX_DEPTH: usize = 100_000;

/// Up to this depth the stack a thread has is enough.
const SHALLOW_DEPTH: usize = 64;

/// Stack bytes per message level, for decoding, converting or dropping. Measured on debug builds,
/// whose frames are several times those of a release build; untouched pages cost nothing.
const STACK_PER_LEVEL: usize = 16 * 1024;

const BASE_STACK: usize = 4 << 20;

/// Runs `work` on a stack that holds a recursion through `depth` message levels.
pub fn with_stack<R>(depth: usize, work: impl FnOnce() -> R) -> R {
    if depth <= SHALLOW_DEPTH {
        // A thread's own stack, unless most of it is in use already.
        return stacker::maybe_grow(SHALLOW_DEPTH * STACK_PER_LEVEL / 2, BASE_STACK, work);
    }
    stacker::grow(BASE_STACK + depth.min(MAX_DEPTH) * STACK_PER_LEVEL, work)
}

/// Why bytes are not a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DecodeError {
    /// Nested deeper than [`MAX_DEPTH`].
    TooDeep,
    /// Not the wire format, or not this message.
    Malformed(String),
}

/// Decodes a message of any depth up to [`MAX_DEPTH`]; also says how deep it was.
pub fn decode<M: Message + Default + Name>(bytes: Bytes) -> Result<(M, usize), DecodeError> {
    let depth = depth_of(&M::full_name(), &bytes)?;
    let message = with_stack(depth, || M::decode(bytes)).map_err(|e| DecodeError::Malformed(e.to_string()))?;
    Ok((message, depth))
}

/// How deep messages nest in the encoded form of the message called `name`.
pub fn depth_of(name: &str, bytes: &[u8]) -> Result<usize, DecodeError> {
    let Some(&root) = SHAPES.index.get(name) else { return Ok(1) };
    // What is being read, innermost last: the message (`None` inside an unknown group) and its end.
    let mut open: Vec<(Option<usize>, usize)> = vec![(Some(root), bytes.len())];
    let mut at = 0;
    let mut deepest = 1;
    while let Some(&(shape, end)) = open.last() {
        if at == end && shape.is_some() {
            open.pop();
            continue;
        }
        let tag = varint(bytes, &mut at, end)?;
        match tag & 7 {
            0 => {
                varint(bytes, &mut at, end)?;
            }
            1 => skip(&mut at, 8, end)?,
            5 => skip(&mut at, 4, end)?,
            2 => {
                let len = usize::try_from(varint(bytes, &mut at, end)?).map_err(|_| truncated())?;
                let stop = at.checked_add(len).filter(|stop| *stop <= end).ok_or_else(truncated)?;
                match shape.and_then(|s| SHAPES.children[s].get(&(tag >> 3))) {
                    Some(&child) => open.push((Some(child), stop)),
                    None => at = stop,
                }
            }
            // Groups: in none of our messages, yet skipping an unknown one recurses.
            3 => open.push((None, end)),
            4 if shape.is_none() => {
                open.pop();
            }
            other => return Err(DecodeError::Malformed(format!("wire type {other}"))),
        }
        deepest = deepest.max(open.len());
        if deepest > MAX_DEPTH {
            return Err(DecodeError::TooDeep);
        }
    }
    Ok(deepest)
}

fn truncated() -> DecodeError {
    DecodeError::Malformed("a field ends after its message".into())
}

fn skip(at: &mut usize, len: usize, end: usize) -> Result<(), DecodeError> {
    *at = at.checked_add(len).filter(|stop| *stop <= end).ok_or_else(truncated)?;
    Ok(())
}

fn varint(bytes: &[u8], at: &mut usize, end: usize) -> Result<u64, DecodeError> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.get(*at).filter(|_| *at < end).ok_or_else(truncated)?;
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(DecodeError::Malformed("a varint is too long".into()))
}

/// Which fields of which messages hold messages.
struct Shapes {
    index: HashMap<String, usize>,
    /// By message: field number to message.
    children: Vec<HashMap<u64, usize>>,
}

static SHAPES: LazyLock<Shapes> = LazyLock::new(|| {
    let mut messages = Vec::new();
    if let Ok(set) = prost_types::FileDescriptorSet::decode(crate::FILE_DESCRIPTOR_SET) {
        for file in set.file {
            let package = file.package().to_string();
            collect(&package, file.message_type, &mut messages);
        }
    }
    let index: HashMap<String, usize> = messages.iter().enumerate().map(|(i, (name, _))| (name.clone(), i)).collect();
    let children = messages
        .iter()
        .map(|(_, fields)| {
            fields
                .iter()
                .filter_map(|f| {
                    let target = index.get(f.type_name().trim_start_matches('.'))?;
                    Some((u64::try_from(f.number()).ok()?, *target))
                })
                .collect()
        })
        .collect();
    Shapes { index, children }
});

type Described = (String, Vec<prost_types::FieldDescriptorProto>);

fn collect(prefix: &str, messages: Vec<prost_types::DescriptorProto>, out: &mut Vec<Described>) {
    for message in messages {
        let name = format!("{prefix}.{}", message.name());
        out.push((name.clone(), message.field));
        collect(&name, message.nested_type, out);
    }
}

/// The codec of every generated service.
#[derive(Debug, Clone)]
pub struct DeepCodec<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for DeepCodec<T, U> {
    fn default() -> Self {
        DeepCodec(PhantomData)
    }
}

impl<T, U> Codec for DeepCodec<T, U>
where
    T: Message + Send + 'static,
    U: Message + Default + Name + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = DeepEncoder<T>;
    type Decoder = DeepDecoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        DeepEncoder(PhantomData)
    }

    fn decoder(&mut self) -> Self::Decoder {
        DeepDecoder(PhantomData)
    }
}

/// Encodes as prost does.
#[derive(Debug, Clone)]
pub struct DeepEncoder<T>(PhantomData<T>);

impl<T: Message> Encoder for DeepEncoder<T> {
    type Item = T;
    type Error = Status;

    fn encode(&mut self, item: T, buf: &mut EncodeBuf<'_>) -> Result<(), Status> {
        item.encode(buf).map_err(|e| Status::internal(e.to_string()))
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::default()
    }
}

/// Decodes with [`decode`].
#[derive(Debug, Clone)]
pub struct DeepDecoder<U>(PhantomData<U>);

impl<U: Message + Default + Name> Decoder for DeepDecoder<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, buf: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        let bytes = buf.copy_to_bytes(buf.remaining());
        match decode(bytes) {
            Ok((message, _)) => Ok(Some(message)),
            Err(DecodeError::TooDeep) => {
                Err(Status::resource_exhausted(format!("the message nests deeper than {MAX_DEPTH} levels")))
            }
            Err(DecodeError::Malformed(why)) => Err(Status::internal(format!("the message cannot be decoded: {why}"))),
        }
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spark_connect as pb;

    fn nested(levels: usize) -> pb::Relation {
        let mut relation = pb::Relation::default();
        for _ in 0..levels {
            let limit = pb::Limit { input: Some(Box::new(relation)), limit: 1 };
            relation = pb::Relation { rel_type: Some(pb::relation::RelType::Limit(Box::new(limit))), common: None };
        }
        relation
    }

    /// The encoded form, built from the inside out: encoding a message recurses too.
    fn nested_bytes(levels: usize) -> Bytes {
        with_stack(levels * 2, || {
            let relation = nested(levels);
            // Lengths are computed anew at every level, so deep plans are encoded by hand.
            let mut inner: Vec<u8> = Vec::new();
            drop(relation);
            for _ in 0..levels {
                let mut limit = vec![0x0a];
                prost::encoding::encode_varint(inner.len() as u64, &mut limit);
                limit.extend_from_slice(&inner);
                let mut outer = vec![0x42];
                prost::encoding::encode_varint(limit.len() as u64, &mut outer);
                outer.extend_from_slice(&limit);
                inner = outer;
            }
            Bytes::from(inner)
        })
    }

    #[test]
    fn depth_counts_messages_not_bytes() {
        for levels in [0, 1, 7, 500] {
            assert_eq!(depth_of("spark.connect.Relation", &nested_bytes(levels)), Ok(1 + 2 * levels), "{levels}");
        }
        let text = pb::Relation {
            rel_type: Some(pb::relation::RelType::Sql(pb::Sql { query: "\u{b}".repeat(1000), ..Default::default() })),
            common: None,
        };
        assert_eq!(depth_of("spark.connect.Relation", &text.encode_to_vec()), Ok(2));
    }

    #[test]
    fn ten_thousand_levels_decode_and_drop() -> Result<(), DecodeError> {
        let (relation, depth) = decode::<pb::Relation>(nested_bytes(10_000))?;
        assert_eq!(depth, 20_001);
        with_stack(depth, || drop(relation));
        Ok(())
    }

    #[test]
    fn hostile_bytes_are_refused() {
        assert_eq!(decode::<pb::Relation>(Bytes::from(vec![0x0b; 200_000])).err(), Some(DecodeError::TooDeep));
        for bytes in [vec![0xff; 20], vec![0x42, 0x05, 0x00], vec![0x0a], vec![0x0f], vec![0x0b]] {
            assert!(matches!(decode::<pb::Relation>(Bytes::from(bytes)), Err(DecodeError::Malformed(_))));
        }
    }
}
