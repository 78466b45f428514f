//! What the fuzz targets drive beside the small crates: modules of `connect` that need nothing of the
//! engine, compiled here from their own files, because `connect` itself links all of it.

// Compiled from files of another crate: what that crate uses and this one does not is no mistake.
#![allow(dead_code, unused_imports)]

#[path = "../../crates/connect/src/from_proto/mod.rs"]
pub mod from_proto;
#[path = "../../crates/connect/src/ipc_check.rs"]
pub mod ipc_check;
#[path = "../../crates/connect/src/response_log.rs"]
pub mod response_log;
#[path = "../../crates/connect/src/text.rs"]
pub mod text;

/// Local relations sent ahead, of which a fuzzed plan has none.
pub mod local_relations {
    use proto::spark_connect as pb;
    use spark::{Error, Node, Result};

    #[derive(Debug, Clone, Default)]
    pub struct LocalRelations;

    impl LocalRelations {
        pub fn whole(&self, _hash: &str) -> Result<pb::LocalRelation> {
            Err(Error::internal("no local relation was sent"))
        }

        pub fn chunked(&self, _message: &pb::ChunkedCachedLocalRelation) -> Result<Node> {
            Err(Error::internal("no local relation was sent"))
        }
    }
}
