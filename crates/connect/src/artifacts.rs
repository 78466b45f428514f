//! `AddArtifacts`: files that clients send, in batches or in chunks, each with its checksum.

use futures::{Stream, StreamExt};
use proto::spark_connect as pb;
use proto::spark_connect::add_artifacts_request::{ArtifactChunk, BeginChunkedArtifact, Payload};
use proto::spark_connect::add_artifacts_response::ArtifactSummary;
use spark::{Error, Result};

use crate::artifact_store::ArtifactStore;

/// The largest artifact.
const MAX_ARTIFACT_BYTES: usize = 2 << 30;

/// Takes artifacts one message after another.
#[derive(Debug, Default)]
pub struct Receiver {
    summaries: Vec<ArtifactSummary>,
    open: Option<Chunked>,
}

#[derive(Debug)]
struct Chunked {
    name: String,
    data: Vec<u8>,
    total: usize,
    chunks_left: i64,
    crc_ok: bool,
}

impl Receiver {
    /// Takes one message.
    pub fn receive(&mut self, store: &ArtifactStore, payload: Option<Payload>) -> Result<()> {
        match payload {
            Some(Payload::Batch(batch)) => {
                for artifact in batch.artifacts {
                    let chunk = artifact.data.unwrap_or_default();
                    self.store(store, artifact.name, chunk.data.to_vec(), crc_matches(&chunk))?;
                }
                Ok(())
            }
            Some(Payload::BeginChunk(begin)) => self.begin(store, begin),
            Some(Payload::Chunk(chunk)) => self.chunk(store, &chunk),
            None => Err(crate::from_proto::not_set("spark.connect.AddArtifactsRequest", "PAYLOAD_NOT_SET")),
        }
    }

    /// What became of every artifact.
    pub fn finish(self) -> Result<Vec<ArtifactSummary>> {
        match self.open {
            Some(chunked) => Err(malformed(&format!("the artifact {} ends before its last chunk", chunked.name))),
            None => Ok(self.summaries),
        }
    }

    fn begin(&mut self, store: &ArtifactStore, begin: BeginChunkedArtifact) -> Result<()> {
        if self.open.is_some() {
            return Err(malformed("an artifact begins before the one before it ends"));
        }
        check_name(&begin.name)?;
        let total = usize::try_from(begin.total_bytes).unwrap_or(usize::MAX);
        if total > MAX_ARTIFACT_BYTES || begin.num_chunks < 1 {
            return Err(malformed("an artifact has at least one chunk and at most 2 GiB"));
        }
        let data = Vec::with_capacity(total.min(1 << 20));
        self.open = Some(Chunked { name: begin.name, data, total, chunks_left: begin.num_chunks, crc_ok: true });
        self.chunk(store, &begin.initial_chunk.unwrap_or_default())
    }

    fn chunk(&mut self, store: &ArtifactStore, chunk: &ArtifactChunk) -> Result<()> {
        let Some(mut open) = self.open.take() else {
            return Err(malformed("a chunk belongs to no artifact"));
        };
        open.crc_ok &= crc_matches(chunk);
        open.chunks_left -= 1;
        if open.data.len() + chunk.data.len() > open.total {
            return Err(malformed("an artifact is longer than it said"));
        }
        open.data.extend_from_slice(&chunk.data);
        if open.chunks_left > 0 {
            self.open = Some(open);
            return Ok(());
        }
        if open.data.len() != open.total {
            return Err(malformed("an artifact is shorter than it said"));
        }
        self.store(store, open.name, open.data, open.crc_ok)
    }

    /// A wrong checksum is told, not an error; the file is not kept.
    fn store(&mut self, store: &ArtifactStore, name: String, data: Vec<u8>, crc_ok: bool) -> Result<()> {
        check_name(&name)?;
        if crc_ok {
            store.put(&name, &data)?;
        }
        self.summaries.push(ArtifactSummary { name, is_crc_successful: crc_ok });
        Ok(())
    }
}

/// Reads the messages of one call, of which the first was read already.
pub async fn receive_all(
    store: &ArtifactStore,
    first: Option<Payload>,
    mut rest: impl Stream<Item = Result<pb::AddArtifactsRequest, tonic::Status>> + Unpin,
) -> Result<Vec<ArtifactSummary>, ReceiveError> {
    let mut receiver = Receiver::default();
    receiver.receive(store, first)?;
    while let Some(message) = rest.next().await {
        receiver.receive(store, message.map_err(ReceiveError::Broken)?.payload)?;
    }
    Ok(receiver.finish()?)
}

/// Why artifacts were not received.
#[derive(Debug)]
pub enum ReceiveError {
    /// The messages are wrong.
    Refused(Error),
    /// The stream broke.
    Broken(tonic::Status),
}

impl From<Error> for ReceiveError {
    fn from(error: Error) -> Self {
        ReceiveError::Refused(error)
    }
}

fn crc_matches(chunk: &ArtifactChunk) -> bool {
    i64::from(crc32fast::hash(&chunk.data)) == chunk.crc
}

/// Names are relative paths that stay below their folder.
fn check_name(name: &str) -> Result<()> {
    let inside = !name.starts_with('/')
        && !name.is_empty()
        && !name.contains('\0')
        && name.split('/').all(|part| !part.is_empty() && part != "." && part != "..");
    if inside {
        return Ok(());
    }
    Err(Error::runtime("INVALID_ARTIFACT_PATH")
        .param("name", name)
        .with_message(format!("The artifact {name} is refused: a name is a relative path that leads nowhere else.")))
}

fn malformed(why: &str) -> Error {
    crate::from_proto::invalid("ASSERTION_FAILURE", format!("Artifacts were not received: {why}."))
        .param("message", why)
}
