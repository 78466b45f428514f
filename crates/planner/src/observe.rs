//! Metrics of rows as they pass (`df.observe`), without a second query.
//!
//! [`ObserveExec`] hands every batch on and lends it, through a channel for each partition, to a plan of
//! its own that computes the metrics. The query's end closes the channels and takes the row of metrics.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::{Result, exec_err};
use datafusion::datasource::provider_as_source;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{Expr, LogicalPlanBuilder, TableType, UserDefinedLogicalNode};
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, Partitioning, PlanProperties, collect,
};
use datafusion::physical_planner::{ExtensionPlanner, PhysicalPlanner};
use functions::observe::Observe;
use futures::StreamExt;
use parking_lot::Mutex;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::{no_input, one_input};

/// Batches that wait for the metrics before the rows do.
const LENT: usize = 4;

/// The name of the observed rows in the plan of the metrics.
const OBSERVED: &str = "observed";

/// The way of one partition's batches to the metrics.
#[derive(Debug)]
struct Lane {
    sender: Mutex<Option<Sender<RecordBatch>>>,
    receiver: Mutex<Option<Receiver<RecordBatch>>>,
}

/// What the rows' operator and the metrics' plan share.
#[derive(Debug)]
pub struct Tap {
    /// The observation's.
    pub id: u64,
    schema: SchemaRef,
    lanes: Vec<Lane>,
    metrics: Mutex<Option<Arc<dyn ExecutionPlan>>>,
    task: Mutex<Option<SpawnedTask<Result<Vec<RecordBatch>>>>>,
}

impl Tap {
    fn new(id: u64, schema: SchemaRef, partitions: usize) -> Arc<Tap> {
        let lane = |_| {
            let (sender, receiver) = channel(LENT);
            Lane { sender: Mutex::new(Some(sender)), receiver: Mutex::new(Some(receiver)) }
        };
        let lanes = (0..partitions.max(1)).map(lane).collect();
        Arc::new(Tap { id, schema, lanes, metrics: Mutex::default(), task: Mutex::default() })
    }

    /// Starts computing, once.
    fn start(&self, context: &Arc<TaskContext>) {
        if let Some(plan) = self.metrics.lock().take() {
            *self.task.lock() = Some(SpawnedTask::spawn(collect(plan, Arc::clone(context))));
        }
    }

    /// The metrics of all rows that passed; `None` if none ever could, or the metrics were taken.
    ///
    /// # Errors
    /// What computing them met.
    pub async fn finish(&self) -> Option<Result<Vec<RecordBatch>>> {
        self.lanes.iter().for_each(|lane| drop(lane.sender.lock().take()));
        let task = self.task.lock().take()?;
        Some(match task.join().await {
            Ok(batches) => batches,
            Err(e) => exec_err!("computing metrics ended early: {e}"),
        })
    }
}

/// The taps in a plan.
pub fn taps(plan: &Arc<dyn ExecutionPlan>) -> Vec<Arc<Tap>> {
    let mut found: Vec<Arc<Tap>> = plan.downcast_ref::<ObserveExec>().map(|o| Arc::clone(&o.tap)).into_iter().collect();
    for child in plan.children() {
        found.extend(taps(child));
    }
    found
}

/// Hands on its input's batches and lends them to the metrics.
#[derive(Debug)]
pub struct ObserveExec {
    input: Arc<dyn ExecutionPlan>,
    tap: Arc<Tap>,
    /// Rows of a partition that are wanted from above.
    fetch: Option<usize>,
    properties: Arc<PlanProperties>,
}

impl ObserveExec {
    fn new(input: Arc<dyn ExecutionPlan>, tap: Arc<Tap>, fetch: Option<usize>) -> Self {
        let properties = Arc::clone(input.properties());
        ObserveExec { input, tap, fetch, properties }
    }
}

impl DisplayAs for ObserveExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        match self.fetch {
            Some(fetch) => write!(f, "ObserveExec: fetch={fetch}"),
            None => write!(f, "ObserveExec"),
        }
    }
}

impl ExecutionPlan for ObserveExec {
    one_input!(ObserveExec, |this, input| ObserveExec::new(input, Arc::clone(&this.tap), this.fetch));

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn fetch(&self) -> Option<usize> {
        self.fetch
    }

    fn with_fetch(&self, fetch: Option<usize>) -> Option<Arc<dyn ExecutionPlan>> {
        Some(Arc::new(ObserveExec::new(Arc::clone(&self.input), Arc::clone(&self.tap), fetch)))
    }

    /// Columns that the metrics use must stay below.
    fn try_swapping_with_projection(&self, _: &ProjectionExec) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        Ok(None)
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        self.tap.start(&context);
        let input = self.input.execute(partition, context)?;
        let lane = &self.tap.lanes[partition % self.tap.lanes.len()];
        // A partition that shares its lane leaves the sender to the others.
        let shared = self.input.output_partitioning().partition_count() > self.tap.lanes.len();
        let sender = if shared { lane.sender.lock().clone() } else { lane.sender.lock().take() };
        let left = self.fetch.unwrap_or(usize::MAX);
        let batches = futures::stream::try_unfold((input, sender, left), |(mut input, sender, left)| async move {
            if left == 0 {
                return Ok(None);
            }
            let Some(batch) = input.next().await else { return Ok(None) };
            let batch = batch?;
            let batch = if batch.num_rows() > left { batch.slice(0, left) } else { batch };
            if let Some(sender) = &sender {
                // Nobody listens where computing the metrics has failed, which the query's end reports.
                let _ = sender.send(batch.clone()).await;
            }
            let left = left - batch.num_rows();
            Ok(Some((batch, (input, sender, left))))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), batches)))
    }
}

/// The rows that were lent.
#[derive(Debug)]
struct LentTable {
    tap: Arc<Tap>,
}

#[async_trait]
impl TableProvider for LentTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.tap.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Temporary
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(LentExec::new(Arc::clone(&self.tap), projection.cloned())?))
    }
}

#[derive(Debug)]
struct LentExec {
    tap: Arc<Tap>,
    projection: Option<Vec<usize>>,
    properties: Arc<PlanProperties>,
}

impl LentExec {
    fn new(tap: Arc<Tap>, projection: Option<Vec<usize>>) -> Result<Self> {
        let schema = match &projection {
            Some(columns) => Arc::new(tap.schema.project(columns)?),
            None => Arc::clone(&tap.schema),
        };
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(tap.lanes.len()),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Ok(LentExec { tap, projection, properties: Arc::new(properties) })
    }
}

impl DisplayAs for LentExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "LentExec")
    }
}

impl ExecutionPlan for LentExec {
    no_input!(LentExec);

    fn execute(&self, partition: usize, _: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let Some(receiver) = self.tap.lanes[partition].receiver.lock().take() else {
            return exec_err!("observed rows can be read once");
        };
        let projection = self.projection.clone();
        let batches = futures::stream::unfold(receiver, |mut receiver| async move {
            receiver.recv().await.map(|batch| (batch, receiver))
        });
        let batches = batches.map(move |batch| match &projection {
            Some(columns) => Ok(batch.project(columns)?),
            None => Ok(batch),
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), batches)))
    }
}

/// Plans [`Observe`].
pub struct Observers;

#[async_trait]
impl ExtensionPlanner for Observers {
    async fn plan_extension(
        &self,
        _: &dyn PhysicalPlanner,
        node: &dyn UserDefinedLogicalNode,
        _: &[&datafusion::logical_expr::LogicalPlan],
        physical_inputs: &[Arc<dyn ExecutionPlan>],
        session: &dyn Session,
        _: &PhysicalPlanningContext,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let (Some(observe), [input]) = (node.as_any().downcast_ref::<Observe>(), physical_inputs) else {
            return Ok(None);
        };
        let tap = Tap::new(observe.id, input.schema(), input.output_partitioning().partition_count());
        let table = provider_as_source(Arc::new(LentTable { tap: Arc::clone(&tap) }));
        let names = tap.schema.fields().iter().map(|f| {
            let column = datafusion::common::Column::new(Some(OBSERVED), f.name());
            Expr::Column(column).alias(f.name())
        });
        let rows = LogicalPlanBuilder::scan(OBSERVED, table, None)?.project(names.collect::<Vec<_>>())?.build()?;
        let metrics = session.create_physical_plan(&observe.metrics_of(rows)?).await?;
        *tap.metrics.lock() = Some(metrics);
        Ok(Some(Arc::new(ObserveExec::new(Arc::clone(input), tap, None))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::OperatorQueryPlanner;
    use datafusion::arrow::array::{AsArray, Int64Array};
    use datafusion::arrow::datatypes::{DataType, Field, Int64Type, Schema};
    use datafusion::datasource::MemTable;
    use datafusion::execution::SessionStateBuilder;
    use datafusion::functions_aggregate::expr_fn::{count, sum};
    use datafusion::logical_expr::{LogicalPlan, col, lit};
    use datafusion::prelude::SessionContext;

    fn numbers(partitions: &[&[i64]]) -> LogicalPlan {
        let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, true)]));
        let batches = partitions
            .iter()
            .map(|p| {
                let column = Arc::new(Int64Array::from(p.to_vec()));
                vec![RecordBatch::try_new(Arc::clone(&schema), vec![column]).expect("a batch")]
            })
            .collect();
        let table = provider_as_source(Arc::new(MemTable::try_new(schema, batches).expect("a table")));
        let scan = LogicalPlanBuilder::scan("t", table, None).expect("a scan");
        scan.project(vec![Expr::Column("t.n".into()).alias("n")]).expect("columns").build().expect("a plan")
    }

    fn observed(input: LogicalPlan) -> LogicalPlan {
        let leaf = Observe::observed(input.schema());
        let metrics = LogicalPlanBuilder::from(leaf)
            .aggregate(Vec::<Expr>::new(), vec![count(lit(1_i64)), sum(col("n"))])
            .expect("metrics")
            .build()
            .expect("a plan");
        Observe { input, metrics, id: 7 }.plan()
    }

    async fn run(plan: LogicalPlan) -> (usize, Vec<i64>) {
        let state = SessionStateBuilder::new()
            .with_default_features()
            .with_query_planner(Arc::new(OperatorQueryPlanner))
            .build();
        let ctx = SessionContext::new_with_state(state.clone());
        let physical = state.create_physical_plan(&plan).await.expect("plans");
        let rows: usize =
            collect(Arc::clone(&physical), ctx.task_ctx()).await.expect("runs").iter().map(RecordBatch::num_rows).sum();
        let taps = taps(&physical);
        let [tap] = taps.as_slice() else { panic!("one observation") };
        let metrics = tap.finish().await.expect("was started").expect("computes");
        let values = metrics
            .iter()
            .flat_map(|b| b.columns().iter().map(|c| c.as_primitive::<Int64Type>().value(0)).collect::<Vec<_>>());
        (rows, values.collect())
    }

    #[tokio::test]
    async fn metrics_are_of_the_rows_that_passed() {
        let two = || numbers(&[&[1, 2, 3], &[4, 5]]);
        let above = |plan, n: i64| {
            LogicalPlanBuilder::from(plan).filter(col("n").gt(lit(n))).expect("a filter").build().expect("a plan")
        };
        for (plan, expect) in [
            (observed(two()), (5, vec![5, 15])),
            (above(observed(two()), 3), (2, vec![5, 15])),
            (observed(above(two(), 3)), (2, vec![2, 9])),
        ] {
            assert_eq!(run(plan).await, expect);
        }
    }
}
