//! Any bytes as a plan message: decoded, decompressed and read into plain values, or refused with an
//! error that says what is wrong: by a condition, or in words where Spark has none.

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
        let (condition, message) = (error.condition(), &error.data().message);
        assert!(!condition.is_empty() || !message.is_empty(), "an error that says nothing: {error:?}");
    }
});
