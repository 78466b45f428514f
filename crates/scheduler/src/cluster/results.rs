//! Brings the results of a finished job here, before their executors can go.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ballista_core::client_pool::BallistaClientPool;
use ballista_core::serde::protobuf::SuccessfulJob;
use ballista_core::serde::scheduler::PartitionLocation;
use ballista_core::utils::GrpcClientConfig;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion::common::DataFusionError;
use futures::{StreamExt, TryStreamExt};

use super::buffer::{Budget, PartitionBuffer};
use super::mend::Written;
use super::server::Shared;

/// Partitions fetched at the same time.
const PARALLEL_FETCHES: usize = 8;

/// Results that could not be had although the job succeeded: running it again may help.
#[derive(Debug)]
pub(super) struct Lost(pub(super) String);

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the results of a finished job were lost: {}", self.0)
    }
}

/// What may go wrong while fetching.
#[derive(Debug)]
pub(super) enum FetchError {
    Lost(Lost),
    /// Trouble on this side: a full disk.
    Local(DataFusionError),
}

/// Where one output partition is.
#[derive(Debug)]
pub(super) struct Part {
    location: PartitionLocation,
    /// Its rows, if the writer counted them.
    rows: Option<u64>,
}

/// One location per output partition, in the order of the partitions.
///
/// When an executor is lost after it finished a task of the last stage, the job's status lists
/// both what it wrote and what was written in its stead, in the order in which the tasks ended.
/// Only what a successful task has written counts, and of that the last.
pub(super) fn locations(job: &SuccessfulJob, last_stage: Option<&(usize, Written)>) -> Result<Vec<Part>, Lost> {
    let mut latest = BTreeMap::new();
    for location in &job.partition_location {
        let rows = location.partition_stats.as_ref().and_then(|s| u64::try_from(s.num_rows).ok());
        let location: PartitionLocation =
            location.clone().try_into().map_err(|e| Lost(format!("a location could not be read: {e}")))?;
        if last_stage.is_some_and(|(_, written)| !written.counts(&location)) {
            continue;
        }
        latest.insert(location.partition_id.partition_id, Part { location, rows });
    }
    match last_stage {
        Some((_, written)) if !written.is_whole() => Err(Lost("not every partition was read exactly once".to_owned())),
        Some((count, _)) if !latest.keys().copied().eq(0..*count) => {
            Err(Lost(format!("{} of {count} partitions are known", latest.len())))
        }
        _ => Ok(latest.into_values().collect()),
    }
}

/// Fetches all partitions; their order is kept.
pub(super) async fn fetch(
    shared: &Arc<Shared>,
    parts: Vec<Part>,
    schema: &SchemaRef,
) -> Result<Vec<PartitionBuffer>, FetchError> {
    let budget = Budget::new(shared.config.result_memory, shared.config.spill_dir.clone());
    futures::stream::iter(parts)
        .map(|part| fetch_partition(shared, part, Arc::clone(schema), budget.clone()))
        .buffered(PARALLEL_FETCHES)
        .try_collect()
        .await
}

async fn fetch_partition(
    shared: &Arc<Shared>,
    part: Part,
    schema: SchemaRef,
    budget: Budget,
) -> Result<PartitionBuffer, FetchError> {
    let mut buffer = PartitionBuffer::new(budget);
    if part.rows == Some(0) {
        return Ok(buffer);
    }
    let executor = part.location.executor_meta.clone();
    let fetched = fill(shared, &part, &schema, &mut buffer).await;
    if let Err(FetchError::Lost(lost)) = &fetched {
        tracing::warn!(executor = executor.id, "{lost}");
        shared.pool.forget(&executor.host, executor.port);
    }
    fetched?;
    buffer.finish().await.map_err(FetchError::Local)?;
    Ok(buffer)
}

async fn fill(
    shared: &Arc<Shared>,
    part: &Part,
    schema: &SchemaRef,
    buffer: &mut PartitionBuffer,
) -> Result<(), FetchError> {
    // An executor that is stopped accepts connections and answers nothing.
    let patience = shared.config.executor_timeout + Duration::from_secs(2);
    let lost = |what: String| FetchError::Lost(Lost(what));
    let location = &part.location;
    let executor = &location.executor_meta;
    let mut seen = 0;
    let mut batches = {
        let open = async {
            let mut client = shared.pool.acquire(&executor.host, executor.port, &client_config(shared), None).await?;
            let stream = client
                .fetch_partition(&executor.id, &location.partition_id, location.file_id, location.layout(), false)
                .await;
            match stream {
                Ok(stream) => Ok(stream),
                Err(e) => {
                    client.discard();
                    Err(e)
                }
            }
        };
        match tokio::time::timeout(patience, open).await {
            Ok(opened) => opened.map_err(|e| lost(e.to_string()))?,
            Err(_) => return Err(lost("the executor does not answer".to_owned())),
        }
    };
    loop {
        let batch = match tokio::time::timeout(patience, batches.next()).await {
            Err(_) => return Err(lost("the executor stopped sending".to_owned())),
            // A stream that breaks off may look like one that ends.
            Ok(None) if part.rows.is_some_and(|rows| rows != seen) => {
                return Err(lost(format!("{seen} of {:?} rows arrived", part.rows)));
            }
            Ok(None) => return Ok(()),
            Ok(Some(Err(e))) => return Err(lost(e.to_string())),
            Ok(Some(Ok(batch))) => batch,
        };
        seen += batch.num_rows() as u64;
        buffer.push(dressed(batch, schema)).await.map_err(FetchError::Local)?;
    }
}

/// The batch under the plan's schema: files do not keep all metadata and nullability.
fn dressed(batch: RecordBatch, schema: &SchemaRef) -> RecordBatch {
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    let columns = batch.columns().to_vec();
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options).unwrap_or(batch)
}

fn client_config(shared: &Shared) -> GrpcClientConfig {
    GrpcClientConfig {
        max_message_size: shared.config.max_message_size,
        io_retry_wait_time_ms: 100,
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ballista_core::serde::protobuf;

    fn at(partition: u32, executor: &str) -> protobuf::PartitionLocation {
        protobuf::PartitionLocation {
            partition_id: Some(protobuf::PartitionId { job_id: "j".to_owned(), stage_id: 1, partition_id: partition }),
            executor_meta: Some(protobuf::ExecutorMetadata {
                id: executor.to_owned(),
                host: "h".to_owned(),
                port: 1,
                grpc_port: 2,
                specification: Some(protobuf::ExecutorSpecification { resources: vec![] }),
                os_info: Some(Default::default()),
            }),
            partition_stats: Some(Default::default()),
            ..Default::default()
        }
    }

    #[test]
    fn the_last_location_of_a_partition_counts() {
        let check = |listed: &[(u32, &str)], written: Option<(usize, &[(usize, &str)])>, answer: Option<&[&str]>| {
            let partition_location = listed.iter().map(|(p, e)| at(*p, e)).collect();
            let job = SuccessfulJob { partition_location, ..Default::default() };
            let last = written.map(|(count, places)| {
                (count, Written::of(places.iter().map(|(partition, executor)| (*executor, *partition))))
            });
            let found = locations(&job, last.as_ref())
                .ok()
                .map(|l| l.into_iter().map(|l| l.location.executor_meta.id).collect::<Vec<_>>());
            let answer = answer.map(|a| a.iter().map(|e| (*e).to_owned()).collect());
            assert_eq!(found, answer, "{listed:?}");
        };
        check(&[], Some((0, &[])), Some(&[]));
        let both: (usize, &[_]) = (2, &[(0, "a"), (1, "b")]);
        check(&[(1, "b"), (0, "a")], Some(both), Some(&["a", "b"]));
        check(&[(0, "dead"), (1, "b"), (0, "a")], Some(both), Some(&["a", "b"]));
        check(&[(1, "b"), (0, "a"), (0, "dead")], Some(both), Some(&["a", "b"]));
        check(&[(0, "dead"), (0, "a")], None, Some(&["a"]));
        check(&[(0, "a")], Some(both), None);
        check(&[(0, "a"), (1, "dead")], Some(both), None);
    }
}
