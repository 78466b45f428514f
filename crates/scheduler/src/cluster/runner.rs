//! Runs plans on the cluster: submit, wait, fetch, and again when executors took something along.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use ballista_core::config::BallistaConfig;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::{DataFusionError, Result, exec_datafusion_err, exec_err};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::prelude::SessionContext;
use planner::stage_lint::{self, Refusal};
use tokio::sync::mpsc;

use super::buffer::PartitionBuffer;
use super::job::{Job, Outcome};
use super::results::{self, FetchError};
use super::server::Shared;
use super::session::{session_config, with_config};
use crate::runner::{JobRunner, JobSpec, cancelled};

/// Batches between the buffer and the reader of the stream.
const STREAM_BUFFER: usize = 2;

/// A runner that submits to the embedded scheduler.
#[derive(Clone)]
pub struct ClusterRunner {
    shared: Arc<Shared>,
}

impl fmt::Debug for ClusterRunner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClusterRunner").finish_non_exhaustive()
    }
}

impl ClusterRunner {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        ClusterRunner { shared }
    }

    /// Whether the plan can be run here at all; the router asks before it decides.
    pub fn check(&self, plan: &Arc<dyn ExecutionPlan>) -> std::result::Result<(), Refusal> {
        stage_lint::lint(plan, &self.shared.codec, self.shared.config.max_encoded_plan).map(drop)
    }
}

#[async_trait]
impl JobRunner for ClusterRunner {
    fn name(&self) -> &'static str {
        "cluster"
    }

    async fn run(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        ctx: Arc<SessionContext>,
        job: JobSpec,
    ) -> Result<SendableRecordBatchStream> {
        self.check(&plan).map_err(|refusal| DataFusionError::External(Box::new(refusal)))?;
        let ctx = distributable(&self.shared, ctx);
        let schema = plan.schema();
        let (tx, rx) = mpsc::channel(STREAM_BUFFER);
        let driver = SpawnedTask::spawn(drive(Arc::clone(&self.shared), plan, ctx, job, tx));
        Ok(stream(schema, rx, driver))
    }

    async fn run_partitioned(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        ctx: Arc<SessionContext>,
        job: JobSpec,
    ) -> Result<Vec<SendableRecordBatchStream>> {
        self.check(&plan).map_err(|refusal| DataFusionError::External(Box::new(refusal)))?;
        let ctx = distributable(&self.shared, ctx);
        let schema = plan.schema();
        let buffers = results(&self.shared, plan, ctx, &job).await?;
        Ok(buffers.into_iter().map(|buffer| drained(Arc::clone(&schema), buffer, &job)).collect())
    }
}

/// The context with what the stage planner reads from its configuration.
fn distributable(shared: &Shared, ctx: Arc<SessionContext>) -> Arc<SessionContext> {
    let config = ctx.copied_config();
    let config = match config.options().extensions.get::<BallistaConfig>() {
        Some(_) => config,
        None => session_config(config),
    };
    let config = config.set_usize("ballista.scheduler.max_partitions_per_task", shared.config.max_partitions_per_task);
    Arc::new(SessionContext::new_with_state(with_config(&ctx.state(), config).build()))
}

/// The stream of the driver's batches; it holds the driver, which stops when it is dropped.
fn stream(
    schema: SchemaRef,
    rx: mpsc::Receiver<Result<RecordBatch>>,
    driver: SpawnedTask<()>,
) -> SendableRecordBatchStream {
    let batches = futures::stream::unfold((rx, Some(driver)), |(mut rx, driver)| async move {
        if let Some(batch) = rx.recv().await {
            return Some((batch, (rx, driver)));
        }
        // A driver that broke must not look like the end of the results.
        match driver?.join().await {
            Ok(()) => None,
            Err(e) => Some((exec_err!("the job's driver broke: {e}"), (rx, None))),
        }
    });
    Box::pin(RecordBatchStreamAdapter::new(schema, batches))
}

/// The rows of one partition.
fn drained(schema: SchemaRef, buffer: PartitionBuffer, job: &JobSpec) -> SendableRecordBatchStream {
    let (tx, rx) = mpsc::channel(STREAM_BUFFER);
    let cancel = job.cancel.clone();
    let driver = SpawnedTask::spawn(async move {
        let drained = tokio::select! {
            drained = buffer.drain(&tx) => drained.map(drop),
            () = cancel.cancelled() => Err(cancelled()),
        };
        if let Err(e) = drained {
            // Nobody listening is nobody to tell.
            let _ = tx.send(Err(e)).await;
        }
    });
    stream(schema, rx, driver)
}

async fn drive(
    shared: Arc<Shared>,
    plan: Arc<dyn ExecutionPlan>,
    ctx: Arc<SessionContext>,
    job: JobSpec,
    tx: mpsc::Sender<Result<RecordBatch>>,
) {
    let end = async {
        for buffer in results(&shared, plan, ctx, &job).await? {
            let open = tokio::select! {
                open = buffer.drain(&tx) => open?,
                () = job.cancel.cancelled() => return Err(cancelled()),
            };
            if !open {
                break;
            }
        }
        Ok(())
    };
    if let Err(e) = end.await {
        // Nobody listening is nobody to tell.
        let _ = tx.send(Err(e)).await;
    }
}

/// All results of the job. Nothing is handed on before everything is here: the next attempt may
/// bring the rows in another order, so that half an answer could not be completed.
async fn results(
    shared: &Arc<Shared>,
    plan: Arc<dyn ExecutionPlan>,
    ctx: Arc<SessionContext>,
    spec: &JobSpec,
) -> Result<Vec<PartitionBuffer>> {
    let mut losses = Vec::new();
    for _ in 0..=shared.config.job_retries {
        match attempt(shared, Arc::clone(&plan), Arc::clone(&ctx), spec).await? {
            Attempt::Done(buffers) => return Ok(buffers),
            Attempt::Lost(what) => {
                tracing::warn!(name = spec.name, "running the job again: {what}");
                losses.push(what);
            }
        }
    }
    Err(exec_datafusion_err!("the job was given up after it was lost again: {}", losses.join("; ")))
}

enum Attempt {
    Done(Vec<PartitionBuffer>),
    Lost(String),
}

async fn attempt(
    shared: &Arc<Shared>,
    plan: Arc<dyn ExecutionPlan>,
    ctx: Arc<SessionContext>,
    spec: &JobSpec,
) -> Result<Attempt> {
    let schema = plan.schema();
    // Dropped at the end of the attempt, however it ends, which removes the job's data.
    let mut job = Job::submit(shared, plan, ctx, &spec.name).await?;
    tracing::debug!(job = %job.id(), name = spec.name, "submitted");
    let success = match job.wait(spec).await {
        Outcome::Succeeded(success) => success,
        Outcome::Lost(what) => return Ok(Attempt::Lost(what)),
        Outcome::Failed(error) => return Err(error),
        Outcome::Cancelled => return Err(cancelled()),
    };
    let locations = match results::locations(&success, job.last_stage(spec).await.as_ref()) {
        Ok(locations) => locations,
        Err(lost) => return Ok(Attempt::Lost(lost.to_string())),
    };
    let fetched = tokio::select! {
        fetched = results::fetch(shared, locations, &schema) => fetched,
        () = spec.cancel.cancelled() => return Err(cancelled()),
    };
    match fetched {
        Ok(buffers) => Ok(Attempt::Done(buffers)),
        Err(FetchError::Lost(lost)) => Ok(Attempt::Lost(lost.to_string())),
        Err(FetchError::Local(error)) => Err(error),
    }
}
