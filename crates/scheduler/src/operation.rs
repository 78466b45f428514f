//! One operation of a client: what it may do to it, and what it gets back.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::metrics::MetricValue;
use futures::stream::BoxStream;
use parking_lot::Mutex;
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
}

/// The metrics of one operator.
#[derive(Debug, Clone)]
pub struct OperatorMetrics {
    pub name: String,
    pub id: i64,
    pub parent: i64,
    /// Name, value and Spark's metric type (`sum`, `timing`, `size`).
    pub values: Vec<(String, i64, &'static str)>,
}

impl Metrics {
    pub(crate) fn new(plan: Arc<dyn ExecutionPlan>) -> Self {
        Metrics { plan: Some(plan) }
    }

    /// The metrics so far, one entry for each operator, parents first.
    pub fn collect(&self) -> Vec<OperatorMetrics> {
        let mut out = Vec::new();
        let mut todo: Vec<(Arc<dyn ExecutionPlan>, i64)> = self.plan.iter().map(|p| (Arc::clone(p), -1)).collect();
        while let Some((plan, parent)) = todo.pop() {
            let id = out.len() as i64;
            out.push(OperatorMetrics { name: plan.name().to_string(), id, parent, values: values(&plan) });
            todo.extend(plan.children().into_iter().rev().map(|c| (Arc::clone(c), id)));
        }
        out
    }
}

fn values(plan: &Arc<dyn ExecutionPlan>) -> Vec<(String, i64, &'static str)> {
    let Some(metrics) = plan.metrics() else { return Vec::new() };
    metrics
        .aggregate_by_name()
        .iter()
        .filter_map(|m| {
            let kind = match m.value() {
                MetricValue::OutputRows(_) | MetricValue::Count { .. } | MetricValue::SpillCount(_) => "sum",
                MetricValue::ElapsedCompute(_) | MetricValue::Time { .. } => "nsTiming",
                MetricValue::SpilledBytes(_) | MetricValue::OutputBytes(_) => "size",
                _ => return None,
            };
            let name = match m.value() {
                MetricValue::OutputRows(_) => "number of output rows".to_string(),
                other => other.name().to_string(),
            };
            Some((name, i64::try_from(m.value().as_usize()).unwrap_or(i64::MAX), kind))
        })
        .collect()
}
