//! From an analysed query to its stream of rows.

use std::sync::Arc;

use analyzer::{Analyzed, Observation};
use arrow::array::RecordBatch;
use datafusion::execution::{SendableRecordBatchStream, SessionState};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::SessionContext;
use futures::{Stream, StreamExt};
use parking_lot::Mutex;
use spark::{Error, Result};

use crate::boundary::Boundary;
use crate::depth::Stack;
use crate::engine::Engine;
use crate::operation::{Metrics, Observed, OperationContext, QueryResult};
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
        let job = JobSpec { name: name.to_string(), cancel: op.cancel.clone(), progress: Some(op.progress.clone()) };
        let ctx = Arc::new(SessionContext::new_with_state(self.state.clone()));
        self.runner.run(Arc::clone(&self.plan), ctx, job).await.map_err(functions::error::from_datafusion)
    }
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
    let rows = prepared.start("query", op).await?;
    let boundary = Boundary::new(analyzed.schema.clone(), analyzed.columns, Arc::clone(&time_zone));
    let observed: Arc<Mutex<Vec<Observed>>> = Arc::default();
    let end = Ending {
        engine: engine.clone(),
        wish,
        observations: analyzed.observations,
        observed: Arc::clone(&observed),
        op: op.clone(),
    };
    let arrow_schema = boundary.wire_schema();
    let stream =
        tasks::drive(engine.runtime(), Stack::for_physical(&prepared.plan), wire_rows(rows, boundary, op.clone(), end));
    Ok(QueryResult { schema: analyzed.schema, arrow_schema, stream, metrics: Metrics::new(prepared.plan), observed })
}

/// What happens when the last row is out.
struct Ending {
    engine: Engine,
    wish: Wish,
    observations: Vec<Observation>,
    observed: Arc<Mutex<Vec<Observed>>>,
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
    for observation in &end.observations {
        let mut observed = Observed {
            name: observation.name.clone(),
            keys: observation.schema.fields.iter().map(|f| f.name.clone()).collect(),
            values: Vec::new(),
            plan_id: observation.plan_id,
            error: None,
        };
        match observation_values(&end, observation).await {
            Ok(values) => observed.values = values,
            Err(e) => observed.error = Some(e),
        }
        end.observed.lock().push(observed);
    }
}

async fn observation_values(end: &Ending, observation: &Observation) -> Result<Vec<spark::Literal>> {
    let prepared = route(&end.engine, &observation.plan, end.wish).await?;
    let mut rows = prepared.start("observe", &end.op).await?;
    while let Some(batch) = rows.next().await {
        let batch = batch.map_err(functions::error::from_datafusion)?;
        if batch.num_rows() > 0 {
            let fields = observation.schema.fields.iter().zip(batch.columns());
            return fields.map(|(f, c)| crate::literals::literal(c, 0, &f.data_type)).collect();
        }
    }
    Ok(Vec::new())
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
