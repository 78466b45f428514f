//! Any bytes as a plan message: decoded, decompressed and read into plain values, or refused with an
//! error that has a condition.

#![no_main]

use bytes::Bytes;
use fuzz::from_proto::{Decoded, Pending, Reader};
use libfuzzer_sys::fuzz_target;
use proto::codec;
use proto::spark_connect as pb;

fuzz_target!(|data: &[u8]| {
    let Ok((plan, depth)) = codec::decode::<pb::Plan>(Bytes::copy_from_slice(data)) else { return };
    assert!((1..=codec::MAX_DEPTH).contains(&depth));
    let reader = Reader::default();
    let outcome = Pending::open(Some(plan)).and_then(|pending| {
        pending.read(|decoded| match decoded {
            Decoded::Root(relation) => reader.relation(*relation).map(drop),
            Decoded::Command(command) => reader.command(*command).map(drop),
        })
    });
    if let Err(error) = outcome {
        assert!(!error.condition().is_empty(), "an error without a condition: {error:?}");
    }
});
