//! Local relations that clients send ahead as artifacts, put back into the plans that name them.

use std::io::Cursor;
use std::sync::Arc;

use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use proto::spark_connect as pb;
use spark::conf::ConfView;
use spark::{Error, Node, Result};

use crate::artifact_store::ArtifactStore;
use crate::from_proto::invalid;

/// Where a plan's named local relations are looked up.
#[derive(Debug, Clone, Default)]
pub struct LocalRelations {
    store: ArtifactStore,
    /// The server-side id of the session, for errors.
    session: String,
    /// `spark.sql.session.localRelationSizeLimit`; none if unset.
    limit: Option<u64>,
}

impl LocalRelations {
    /// Looks them up in a session's artifacts.
    pub fn new(store: ArtifactStore, session: &str, conf: &ConfView) -> Self {
        let limit = u64::try_from(conf.get_int("spark.sql.session.localRelationSizeLimit", -1)).ok();
        LocalRelations { store, session: session.to_string(), limit }
    }

    /// A relation sent as one artifact: the message of a local relation (clients before 4.1).
    pub fn whole(&self, hash: &str) -> Result<pb::LocalRelation> {
        let data = self.blob(hash, "NOT_FOUND_CACHED_LOCAL_RELATION")?;
        let (relation, _) = proto::codec::decode(data.into()).map_err(|e| {
            let why = format!("{e:?}");
            invalid("CANNOT_PARSE", "A cached local relation cannot be decoded.").param("errorMsg", why)
        })?;
        Ok(relation)
    }

    /// A relation sent in chunks, each an Arrow IPC stream, with its schema as another artifact.
    pub fn chunked(&self, message: &pb::ChunkedCachedLocalRelation) -> Result<Node> {
        const MISSING: &str = "NOT_FOUND_CHUNKED_CACHED_LOCAL_RELATION";
        let schema = match &message.schema_hash {
            Some(hash) => {
                let text = String::from_utf8(self.blob(hash, MISSING)?);
                Some(text.map_err(|_| Error::internal("the schema of a local relation is not text"))?)
            }
            None => None,
        };
        self.check_size(&message.data_hashes)?;
        let data = match message.data_hashes.as_slice() {
            [] => None,
            [hash] => {
                let data = self.blob(hash, MISSING)?;
                crate::ipc_check::stream(&data)?;
                Some(data)
            }
            hashes => {
                let chunks = hashes.iter().map(|h| self.blob(h, MISSING));
                Some(join(chunks)?)
            }
        };
        Ok(Node::LocalRelation { data: data.map(Arc::from), schema: schema.filter(|s| !s.is_empty()) })
    }

    fn blob(&self, hash: &str, missing: &str) -> Result<Vec<u8>> {
        self.store.read(&format!("cache/{hash}"))?.ok_or_else(|| {
            invalid(missing, format!("The session {} has no local relation {hash}.", self.session))
                .param("hash", hash)
                .param("sessionUUID", &self.session)
        })
    }

    fn check_size(&self, hashes: &[String]) -> Result<()> {
        let size: u64 = hashes.iter().filter_map(|h| self.store.size(&format!("cache/{h}"))).sum();
        match self.limit {
            Some(limit) if size > limit => Err(invalid(
                "LOCAL_RELATION_SIZE_LIMIT_EXCEEDED",
                format!("A local relation of {size} bytes is larger than {limit}."),
            )
            .param("actualSize", size.to_string())
            .param("limit", limit.to_string())),
            _ => Ok(()),
        }
    }
}

/// One IPC stream of the batches of several.
fn join(chunks: impl Iterator<Item = Result<Vec<u8>>>) -> Result<Vec<u8>> {
    let unreadable = |e: arrow_schema::ArrowError| Error::internal(format!("a local relation cannot be read: {e}"));
    let mut out = Vec::new();
    let mut writer: Option<StreamWriter<&mut Vec<u8>>> = None;
    let mut sink = Some(&mut out);
    for chunk in chunks {
        let chunk = chunk?;
        crate::ipc_check::stream(&chunk)?;
        let reader = StreamReader::try_new(Cursor::new(chunk), None).map_err(unreadable)?;
        if let Some(sink) = sink.take() {
            writer = Some(StreamWriter::try_new(sink, &reader.schema()).map_err(unreadable)?);
        }
        for batch in reader {
            if let Some(writer) = &mut writer {
                writer.write(&batch.map_err(unreadable)?).map_err(unreadable)?;
            }
        }
    }
    if let Some(mut writer) = writer {
        writer.finish().map_err(unreadable)?;
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int32Array, RecordBatch};
    use arrow_schema::{DataType, Field, Schema};
    use prost::Message;

    use super::*;
    use crate::ipc::ipc_stream;

    fn chunk(from: i32, to: i32) -> Result<Vec<u8>> {
        let schema = Arc::new(Schema::new(vec![Field::new("a", DataType::Int32, true)]));
        let batch = RecordBatch::try_new(schema.clone(), vec![Arc::new(Int32Array::from_iter_values(from..to))])
            .map_err(|e| Error::internal(e.to_string()))?;
        ipc_stream(&schema, Some(&batch))
    }

    fn rows(node: &Node) -> Vec<usize> {
        let Node::LocalRelation { data: Some(data), .. } = node else { return Vec::new() };
        StreamReader::try_new(&data[..], None).into_iter().flatten().flatten().map(|b| b.num_rows()).collect()
    }

    fn relations(limit: &str) -> Result<LocalRelations> {
        let store = ArtifactStore::default();
        store.put("cache/one", &chunk(0, 3)?)?;
        store.put("cache/two", &chunk(3, 8)?)?;
        store.put("cache/schema", b"a int")?;
        let relation = pb::LocalRelation { data: Some(chunk(0, 2)?.into()), schema: None };
        store.put("cache/whole", &relation.encode_to_vec())?;
        let mut conf = ConfView::default();
        conf.set("spark.sql.session.localRelationSizeLimit", limit)?;
        Ok(LocalRelations::new(store, "session", &conf))
    }

    fn message(hashes: &[&str]) -> pb::ChunkedCachedLocalRelation {
        pb::ChunkedCachedLocalRelation {
            data_hashes: hashes.iter().map(|h| h.to_string()).collect(),
            schema_hash: Some("schema".into()),
        }
    }

    #[test]
    fn chunks_become_one_relation() -> Result<()> {
        let relations = relations("1000000")?;
        let node = relations.chunked(&message(&["one", "two"]))?;
        assert_eq!(rows(&node), [3, 5]);
        assert!(matches!(node, Node::LocalRelation { schema: Some(s), .. } if s == "a int"));
        assert_eq!(rows(&relations.chunked(&message(&["two"]))?), [5]);
        assert!(relations.whole("whole")?.data.is_some());
        Ok(())
    }

    #[test]
    fn what_is_missing_or_too_large_is_told() -> Result<()> {
        let condition = |r: Result<Node>| r.err().map(|e| e.condition().to_string()).unwrap_or_default();
        let missing = relations("1000000")?.chunked(&message(&["none"]));
        assert_eq!(condition(missing), "CONNECT_INVALID_PLAN.NOT_FOUND_CHUNKED_CACHED_LOCAL_RELATION");
        let large = relations("10")?.chunked(&message(&["one"]));
        assert_eq!(condition(large), "CONNECT_INVALID_PLAN.LOCAL_RELATION_SIZE_LIMIT_EXCEEDED");
        Ok(())
    }
}
