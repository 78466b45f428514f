//! How a physical plan becomes a stream of batches, whoever runs it.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::SessionContext;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::operation::Elsewhere;

/// Runs physical plans.
#[async_trait]
pub trait JobRunner: Send + Sync + fmt::Debug {
    /// The runner's name in `EXPLAIN`, metrics and configuration.
    fn name(&self) -> &'static str;

    /// Starts a job. The stream ends with an error when `job.cancel` is cancelled; dropping the
    /// stream stops everything behind it.
    async fn run(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        ctx: Arc<SessionContext>,
        job: JobSpec,
    ) -> Result<SendableRecordBatchStream>;

    /// As [`Self::run`], with a stream for each partition of the plan, in their order.
    async fn run_partitioned(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        ctx: Arc<SessionContext>,
        job: JobSpec,
    ) -> Result<Vec<SendableRecordBatchStream>>;
}

/// What a runner is told about a job beside its plan.
#[derive(Debug, Clone, Default)]
pub struct JobSpec {
    /// A name for people: it appears in logs and on the status page.
    pub name: String,
    /// Cancels the job.
    pub cancel: CancellationToken,
    /// Where to report progress; runners that know none report nothing.
    pub progress: Option<watch::Sender<Progress>>,
    /// Where to tell what the operators measured, once the job has ended; runners that run the plan's own
    /// operators leave it to these.
    pub measured: Option<Elsewhere>,
}

/// How far a job has come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// By stage, in the order of their numbers.
    pub stages: Vec<StageProgress>,
    /// Tasks that run now.
    pub running_tasks: usize,
}

/// How far one stage has come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StageProgress {
    /// Number of the stage within the job.
    pub id: usize,
    /// Partitions to be processed.
    pub partitions: usize,
    /// Partitions that have been processed.
    pub done: usize,
    /// Whether the whole stage is done.
    pub finished: bool,
}

/// The error of a cancelled job.
pub fn cancelled() -> DataFusionError {
    DataFusionError::External(Box::new(spark::Error::new(spark::ErrorKind::Handle, "OPERATION_CANCELED")))
}
