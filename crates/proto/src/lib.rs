//! Generated code only: the messages and services of Spark Connect and our own internal ones.
//!
//! The definitions are in `proto/` at the root of the repository; `cargo xtask codegen` rebuilds
//! Spark's from a released Python client. Nothing is written by hand here.

// Generated code is not ours to lint.
#![allow(clippy::all, clippy::unwrap_used, clippy::expect_used, deprecated)]

pub mod codec;

/// The package `spark.connect`: Spark Connect 4.3, which reads every older client.
pub mod spark_connect {
    tonic::include_proto!("spark.connect");
}

/// The serialized `FileDescriptorSet` of everything above, as gRPC reflection wants it.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
