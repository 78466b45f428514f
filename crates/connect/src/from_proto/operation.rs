//! Plans: a relation or a command, perhaps compressed.

use std::io::Read;

use bytes::Bytes;
use proto::codec::{self, DecodeError};
use proto::spark_connect as pb;
use proto::spark_connect::plan::OpType;
use proto::spark_connect::plan::compressed_operation::OpType as Compressed;
use spark::{Error, Result};

use super::errors::{invalid, not_set};

/// The largest plan after decompression (`spark.connect.maxPlanSize`).
const MAX_PLAN_BYTES: usize = 512 << 20;

/// Stack for reading a plan, and for dropping what was read of one that is refused midway.
/// Untouched pages cost nothing.
const PLAN_STACK: usize = 64 << 20;

/// Runs `work` on a stack that deep plans fit in: the thread's, where that much of it is left. The
/// server's threads are made so large because mapping a stack for every request takes longer than
/// reading a usual plan.
pub fn on_plan_stack<R>(work: impl FnOnce() -> R) -> R {
    stacker::maybe_grow(PLAN_STACK, PLAN_STACK, work)
}

/// A decoded plan that was not read yet. However deep it is, dropping it does not overflow.
#[derive(Debug)]
pub struct Pending(Option<Decoded>);

impl Clone for Pending {
    fn clone(&self) -> Self {
        on_plan_stack(|| Pending(self.0.clone()))
    }
}

impl PartialEq for Pending {
    fn eq(&self, other: &Self) -> bool {
        on_plan_stack(|| self.0 == other.0)
    }
}

impl Pending {
    /// Opens a plan: finds its kind and decompresses it.
    pub fn open(plan: Option<pb::Plan>) -> Result<Pending> {
        on_plan_stack(|| Decoded::open(plan)).map(|d| Pending(Some(d)))
    }

    /// Reads the plan by `f`, on a stack it fits in.
    pub fn read<R>(mut self, f: impl FnOnce(Decoded) -> Result<R>) -> Result<R> {
        match self.0.take() {
            Some(decoded) => on_plan_stack(|| f(decoded)),
            None => Err(Error::internal("a plan was read twice")),
        }
    }

    /// The plan before it is read.
    pub fn get(&self) -> Option<&Decoded> {
        self.0.as_ref()
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if let Some(decoded) = self.0.take() {
            on_plan_stack(|| drop(decoded));
        }
    }
}

/// What a plan message holds, still as messages.
#[derive(Debug, Clone, PartialEq)]
pub enum Decoded {
    Root(Box<pb::Relation>),
    Command(Box<pb::Command>),
}

impl Decoded {
    fn open(plan: Option<pb::Plan>) -> Result<Decoded> {
        match plan.and_then(|p| p.op_type) {
            Some(OpType::Root(relation)) => Ok(Decoded::Root(Box::new(relation))),
            Some(OpType::Command(command)) => Ok(Decoded::Command(Box::new(command))),
            Some(OpType::CompressedOperation(compressed)) => decompress(compressed),
            None => Err(not_set("spark.connect.Plan", "OPTYPE_NOT_SET")),
        }
    }

    /// The relation; a command in its place is malformed.
    pub fn relation(self) -> Result<pb::Relation> {
        match self {
            Decoded::Root(relation) => Ok(*relation),
            Decoded::Command(_) => {
                Err(invalid("INVALID_ONE_OF_FIELD_NOT_SUPPORTED", "A relation is expected here, not a command.")
                    .param("fullName", "spark.connect.Plan")
                    .param("name", "command")
                    .param("number", "2"))
            }
        }
    }
}

fn decompress(operation: pb::plan::CompressedOperation) -> Result<Decoded> {
    if operation.compression_codec() != pb::CompressionCodec::Zstd {
        return Err(cannot_parse("the compression codec is not known"));
    }
    let op_type = operation.op_type();
    let mut bytes = Vec::new();
    let reader = zstd::stream::read::Decoder::new(operation.data.as_ref()).map_err(|e| cannot_parse(&e.to_string()))?;
    reader.take(MAX_PLAN_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(|e| cannot_parse(&e.to_string()))?;
    if bytes.len() > MAX_PLAN_BYTES {
        return Err(invalid("PLAN_SIZE_LARGER_THAN_MAX", format!("The plan is larger than {MAX_PLAN_BYTES} bytes."))
            .param("planSize", "unknown")
            .param("maxPlanSize", MAX_PLAN_BYTES.to_string()));
    }
    let bytes = Bytes::from(bytes);
    match op_type {
        Compressed::Relation => decode::<pb::Relation>(bytes).map(|r| Decoded::Root(Box::new(r))),
        Compressed::Command => decode::<pb::Command>(bytes).map(|c| Decoded::Command(Box::new(c))),
        Compressed::Unspecified => Err(cannot_parse("the plan says neither relation nor command")),
    }
}

fn decode<M: prost::Message + Default + prost::Name>(bytes: Bytes) -> Result<M> {
    codec::decode::<M>(bytes).map(|(message, _)| message).map_err(|e| match e {
        DecodeError::TooDeep => cannot_parse(&format!("it nests deeper than {} levels", codec::MAX_DEPTH)),
        DecodeError::Malformed(why) => cannot_parse(&why),
    })
}

fn cannot_parse(why: &str) -> Error {
    invalid("CANNOT_PARSE", format!("The plan cannot be decoded: {why}.")).param("errorMsg", why)
}
