//! From an analysed query to its stream of rows.

use std::sync::Arc;

use analyzer::{Analyzed, Observation};
use arrow::array::RecordBatch;
use datafusion::execution::{SendableRecordBatchStream, SessionState};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::SessionContext;
use futures::{Stream, StreamExt};
use planner::observe::Tap;
use spark::{Error, Result};

use crate::boundary::Boundary;
use crate::depth::Stack;
use crate::engine::Engine;
use crate::operation::{Elsewhere, Metrics, Observed, OperationContext, QueryResult};
use crate::route::{Wish, route};
use crate::runner::{JobRunner, JobSpec};
use crate::tasks;

/// A query that is ready to run.
pub struct Prepared {
    pub plan: Arc<dyn ExecutionPlan>,
    pub runner: Arc<dyn JobRunner>,
    pub state: SessionState,
    /// Why it runs where it runs, if that needs a word.
    pub note: Option<String>,
}

impl Prepared {
    /// Starts the query.
    pub async fn start(&self, name: &str, op: &OperationContext) -> Result<SendableRecordBatchStream> {
        self.start_measured(name, op, None).await
    }

    /// As [`Self::start`]; `measured` hears what the operators measured if they are not the plan's own.
    async fn start_measured(
        &self,
        name: &str,
        op: &OperationContext,
        measured: Option<Elsewhere>,
    ) -> Result<SendableRecordBatchStream> {
        let job = JobSpec { measured, ..job(name, op) };
        let ctx = Arc::new(SessionContext::new_with_state(self.state.clone()));
        self.runner.run(Arc::clone(&self.plan), ctx, job).await.map_err(functions::error::from_datafusion)
    }

    /// Starts the query with a stream for each of its partitions.
    pub async fn start_partitioned(&self, name: &str, op: &OperationContext) -> Result<Vec<SendableRecordBatchStream>> {
        let ctx = Arc::new(SessionContext::new_with_state(self.state.clone()));
        let plan = Arc::clone(&self.plan);
        self.runner.run_partitioned(plan, ctx, job(name, op)).await.map_err(functions::error::from_datafusion)
    }
}

fn job(name: &str, op: &OperationContext) -> JobSpec {
    JobSpec { name: name.to_string(), cancel: op.cancel.clone(), progress: Some(op.progress.clone()), measured: None }
}

/// The physical plan of `logical`.
pub async fn physical(state: &SessionState, logical: &LogicalPlan) -> Result<Arc<dyn ExecutionPlan>> {
    state.create_physical_plan(logical).await.map_err(functions::error::from_datafusion)
}

/// Runs an analysed query; its rows come in wire form.
pub async fn run(
    engine: &Engine,
    analyzed: Analyzed,
    time_zone: Arc<str>,
    wish: Wish,
    op: &OperationContext,
) -> Result<QueryResult> {
    let prepared = route(engine, &analyzed.plan, wish).await?;
    let measured = Elsewhere::default();
    let rows = prepared.start_measured("query", op, Some(Arc::clone(&measured))).await?;
    let boundary = Boundary::new(analyzed.schema.clone(), analyzed.columns, Arc::clone(&time_zone));
    let end = Ending {
        engine: engine.clone(),
        wish,
        observations: analyzed.observations,
        taps: planner::observe::taps(&prepared.plan),
        op: op.clone(),
    };
    let arrow_schema = boundary.wire_schema();
    let stream =
        tasks::drive(engine.runtime(), Stack::for_physical(&prepared.plan), wire_rows(rows, boundary, op.clone(), end));
    Ok(QueryResult {
        schema: analyzed.schema,
        arrow_schema,
        stream,
        metrics: Metrics::new(prepared.plan, measured),
        observed: Arc::clone(&op.observed),
    })
}

/// What happens when the last row is out.
struct Ending {
    engine: Engine,
    wish: Wish,
    observations: Vec<Observation>,
    taps: Vec<Arc<Tap>>,
    op: OperationContext,
}

fn wire_rows(
    rows: SendableRecordBatchStream,
    boundary: Boundary,
    op: OperationContext,
    end: Ending,
) -> impl Stream<Item = Result<RecordBatch>> {
    let cancel = op.cancel.clone();
    let batches = futures::stream::unfold(Some(rows), move |rows| {
        let (cancel, boundary) = (cancel.clone(), boundary.clone());
        async move {
            let mut rows = rows?;
            tokio::select! {
                biased;
                () = cancel.cancelled() => Some((Err(cancelled()), None)),
                batch = rows.next() => match batch? {
                    Ok(batch) => Some((boundary.cast(&batch), Some(rows))),
                    Err(e) => Some((Err(functions::error::from_datafusion(e)), None)),
                },
            }
        }
    });
    let batches = batches.filter(|b| futures::future::ready(!matches!(b, Ok(batch) if batch.num_rows() == 0)));
    batches.chain(futures::stream::once(observe(end)).filter_map(|()| async { None }))
}

/// The error of a query that was cancelled.
pub fn cancelled() -> Error {
    Error::new(spark::ErrorKind::Handle, "OPERATION_CANCELED").with_message("The operation was cancelled.")
}

async fn observe(end: Ending) {
    gather(&end.engine, &end.observations, &end.taps, end.wish, &end.op).await;
}

/// Tells the operation what was observed while a query ran: metrics of the rows as they passed its taps,
/// or else those of a query of their own.
pub async fn gather(
    engine: &Engine,
    observations: &[Observation],
    taps: &[Arc<Tap>],
    wish: Wish,
    op: &OperationContext,
) {
    for observation in observations {
        let mut observed = Observed {
            name: observation.name.clone(),
            keys: observation.schema.fields.iter().map(|f| f.name.clone()).collect(),
            values: Vec::new(),
            plan_id: observation.plan_id,
            error: None,
        };
        let gathered = match taps.iter().find(|tap| tap.id == observation.id) {
            Some(tap) => tap.finish().await,
            None => None,
        };
        let values = match gathered {
            Some(batches) => {
                let batches = batches.map_err(functions::error::from_datafusion);
                batches.and_then(|batches| first_row(observation, &batches))
            }
            None => values_of_own_query(engine, observation, wish, op).await,
        };
        match values {
            Ok(values) => observed.values = values,
            Err(e) => observed.error = Some(e),
        }
        op.observed.lock().push(observed);
    }
}

async fn values_of_own_query(
    engine: &Engine,
    observation: &Observation,
    wish: Wish,
    op: &OperationContext,
) -> Result<Vec<spark::Literal>> {
    let plan = functions::observe::unobserved(&observation.plan).map_err(functions::error::from_datafusion)?;
    let prepared = route(engine, &plan, wish).await?;
    let mut rows = prepared.start("observe", op).await?;
    let mut batches = Vec::new();
    while let Some(batch) = rows.next().await {
        batches.push(batch.map_err(functions::error::from_datafusion)?);
    }
    first_row(observation, &batches)
}

fn first_row(observation: &Observation, batches: &[RecordBatch]) -> Result<Vec<spark::Literal>> {
    let Some(batch) = batches.iter().find(|b| b.num_rows() > 0) else { return Ok(Vec::new()) };
    let fields = observation.schema.fields.iter().zip(batch.columns());
    fields.map(|(f, c)| crate::literals::literal(c, 0, &f.data_type)).collect()
}

/// The named columns of a batch in canonical types.
///
/// # Errors
/// If the plan does not yield what analysis said.
pub fn project(batch: &RecordBatch, columns: &[usize], schema: &arrow::datatypes::SchemaRef) -> Result<RecordBatch> {
    let arrays = columns.iter().zip(schema.fields()).map(|(&i, field)| {
        let array = batch.columns().get(i).ok_or_else(|| Error::internal(format!("the plan has no column {i}")))?;
        if array.data_type() == field.data_type() {
            return Ok(Arc::clone(array));
        }
        arrow::compute::cast(array, field.data_type())
            .map_err(|e| Error::internal(format!("a column has another type: {e}")))
    });
    let arrays = arrays.collect::<Result<Vec<_>>>()?;
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(schema), arrays, &options).map_err(|e| Error::internal(e.to_string()))
}
