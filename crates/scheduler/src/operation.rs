//! One operation of a client: what it may do to it, and what it gets back.

use std::fmt;
use std::sync::{Arc, OnceLock};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::physical_plan::ExecutionPlan;
use futures::stream::BoxStream;
use parking_lot::Mutex;
use planner::operator_metrics::{self, Value};
use spark::types::StructType;
use spark::{Literal, Result};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::runner::Progress;

/// What an operation is known by, and how it is stopped and watched.
#[derive(Clone)]
pub struct OperationContext {
    pub operation_id: String,
    pub tags: Vec<String>,
    pub cancel: CancellationToken,
    pub progress: watch::Sender<Progress>,
    /// Metrics observed by the queries of the operation, once they have ended.
    pub observed: Arc<Mutex<Vec<Observed>>>,
}

impl OperationContext {
    /// An operation nobody watches.
    pub fn detached() -> Self {
        OperationContext {
            operation_id: uuid::Uuid::new_v4().to_string(),
            tags: Vec::new(),
            cancel: CancellationToken::new(),
            progress: watch::Sender::new(Progress::default()),
            observed: Arc::default(),
        }
    }
}

/// The rows of a query, as clients see them.
pub struct QueryResult {
    pub schema: StructType,
    /// The Arrow schema of every batch.
    pub arrow_schema: SchemaRef,
    /// Dropping it cancels the query.
    pub stream: BoxStream<'static, Result<RecordBatch>>,
    /// Complete when the stream has ended.
    pub metrics: Metrics,
    /// Filled when the stream has ended.
    pub observed: Arc<Mutex<Vec<Observed>>>,
}

impl fmt::Debug for QueryResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueryResult").field("schema", &self.schema).finish_non_exhaustive()
    }
}

impl QueryResult {
    /// A result that is there already.
    pub fn of(table: Table) -> Self {
        let arrow_schema = Arc::clone(&table.arrow_schema);
        QueryResult {
            schema: table.schema,
            arrow_schema,
            stream: Box::pin(futures::stream::iter(table.batches.into_iter().map(Ok))),
            metrics: Metrics::default(),
            observed: Arc::default(),
        }
    }

    /// Reads the stream to its end.
    pub async fn collect(mut self) -> Result<Table> {
        use futures::StreamExt;
        let mut batches = Vec::new();
        while let Some(batch) = self.stream.next().await {
            batches.push(batch?);
        }
        Ok(Table { schema: self.schema, arrow_schema: self.arrow_schema, batches })
    }
}

/// Rows with their schema, in the form clients see.
#[derive(Debug, Clone)]
pub struct Table {
    pub schema: StructType,
    pub arrow_schema: SchemaRef,
    pub batches: Vec<RecordBatch>,
}

impl Table {
    /// A table without columns and rows, as commands without a result give.
    pub fn empty() -> Self {
        Table {
            schema: StructType::default(),
            arrow_schema: Arc::new(arrow::datatypes::Schema::empty()),
            batches: Vec::new(),
        }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }
}

/// What `spark.sql` gives.
#[derive(Debug)]
pub enum SqlOutcome {
    /// A query: analysed, not run.
    Query,
    /// A command: run once.
    Table(Table),
}

/// Metrics observed while a query ran.
#[derive(Debug, Clone)]
pub struct Observed {
    pub name: String,
    pub keys: Vec<String>,
    pub values: Vec<Literal>,
    pub plan_id: Option<i64>,
    /// Why there are no values.
    pub error: Option<spark::Error>,
}

/// The metrics of a query's operators.
#[derive(Clone, Default)]
pub struct Metrics {
    plan: Option<Arc<dyn ExecutionPlan>>,
    elsewhere: Elsewhere,
}

/// What was measured by a runner whose operators are not those of the plan that it was given.
pub type Elsewhere = Arc<OnceLock<Vec<OperatorMetrics>>>;

/// The metrics of one operator.
#[derive(Debug, Clone)]
pub struct OperatorMetrics {
    pub name: String,
    pub id: i64,
    pub parent: i64,
    pub values: Vec<Value>,
}

impl Metrics {
    pub(crate) fn new(plan: Arc<dyn ExecutionPlan>, elsewhere: Elsewhere) -> Self {
        Metrics { plan: Some(plan), elsewhere }
    }

    /// The metrics so far, one entry for each operator, parents first.
    pub fn collect(&self) -> Vec<OperatorMetrics> {
        if let Some(measured) = self.elsewhere.get() {
            return measured.clone();
        }
        let mut out = Vec::new();
        let mut todo: Vec<(Arc<dyn ExecutionPlan>, i64)> = self.plan.iter().map(|p| (Arc::clone(p), -1)).collect();
        while let Some((plan, parent)) = todo.pop() {
            let id = out.len() as i64;
            let values = plan.metrics().map(|m| operator_metrics::values(&m)).unwrap_or_default();
            out.push(OperatorMetrics { name: plan.name().to_string(), id, parent, values });
            todo.extend(plan.children().into_iter().rev().map(|c| (Arc::clone(c), id)));
        }
        out
    }
}
