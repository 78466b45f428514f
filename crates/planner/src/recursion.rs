//! Runs recursions: the anchor once, then the step over the rows of the round before, until a round
//! has no rows.
//!
//! In every round the step is a fresh plan whose leaves hold that round's rows, so it may read them any
//! number of times. Rows are given out once the recursion is over, as a limit may yet be passed; where
//! memory for them runs out they go ahead.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, Statistics, exec_err, internal_err};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{LogicalPlan, UserDefinedLogicalNode};
use datafusion::physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_plan::common::spawn_buffered;
use datafusion::physical_plan::coop::cooperative;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::metrics::{
    BaselineMetrics, Count, ExecutionPlanMetricsSet, Gauge, MetricBuilder, MetricsSet,
};
use datafusion::physical_plan::statistics::StatisticsArgs;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::work_table::WorkTableExec;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties,
    ReplaceChildrenOptions,
};
use datafusion::physical_planner::{ExtensionPlanner, PhysicalPlanner};
use functions::recursion::{Limits, Recursion};
use futures::{StreamExt, stream};

use crate::no_input;
use crate::row_position::seeded_anew;

/// Batches of a partition that wait for those before it.
const AHEAD: usize = 4;

/// Rows that a round is taken to have when joins are planned: few, so that they are not dealt out anew
/// in every round.
const ROUND_ROWS: usize = 1000;

/// Plans [`Recursion`].
pub(crate) struct Recursions;

#[async_trait]
impl ExtensionPlanner for Recursions {
    async fn plan_extension(
        &self,
        _: &dyn PhysicalPlanner,
        node: &dyn UserDefinedLogicalNode,
        _: &[&LogicalPlan],
        physical_inputs: &[Arc<dyn ExecutionPlan>],
        _: &dyn Session,
        _: &PhysicalPlanningContext,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let (Some(recursion), [anchor, step]) = (node.as_any().downcast_ref::<Recursion>(), physical_inputs) else {
            return Ok(None);
        };
        let step = Arc::clone(step).transform_up(|plan| match plan.downcast_ref::<WorkTableExec>() {
            Some(scan) if scan.name() == recursion.table => {
                Ok(Transformed::yes(Arc::new(RoundExec::new(&recursion.table, scan.schema())) as _))
            }
            _ => Ok(Transformed::no(plan)),
        });
        Ok(Some(Arc::new(RecursionExec::new(
            &recursion.table,
            Arc::clone(anchor),
            step.data()?,
            Arc::clone(recursion.schema.inner()),
            recursion.limits,
            None,
        ))))
    }
}

/// The recursion; see the module.
#[derive(Debug)]
pub struct RecursionExec {
    table: String,
    anchor: Arc<dyn ExecutionPlan>,
    step: Arc<dyn ExecutionPlan>,
    limits: Limits,
    fetch: Option<usize>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl RecursionExec {
    fn new(
        table: &str,
        anchor: Arc<dyn ExecutionPlan>,
        step: Arc<dyn ExecutionPlan>,
        schema: SchemaRef,
        limits: Limits,
        fetch: Option<usize>,
    ) -> Self {
        let properties = properties(schema);
        RecursionExec {
            table: table.to_owned(),
            anchor,
            step,
            limits,
            fetch,
            properties,
            metrics: ExecutionPlanMetricsSet::new(),
        }
    }

    fn over(&self, anchor: &Arc<dyn ExecutionPlan>, step: &Arc<dyn ExecutionPlan>, fetch: Option<usize>) -> Self {
        let (anchor, step) = (Arc::clone(anchor), Arc::clone(step));
        RecursionExec::new(&self.table, anchor, step, self.schema(), self.limits, fetch)
    }
}

/// One partition whose rows come in the order of the rounds.
fn properties(schema: SchemaRef) -> Arc<PlanProperties> {
    Arc::new(PlanProperties::new(
        EquivalenceProperties::new(schema),
        Partitioning::UnknownPartitioning(1),
        EmissionType::Incremental,
        Boundedness::Bounded,
    ))
}

impl DisplayAs for RecursionExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecursionExec: table={}", self.table)?;
        match self.fetch {
            Some(fetch) => write!(f, ", fetch={fetch}"),
            None => Ok(()),
        }
    }
}

impl ExecutionPlan for RecursionExec {
    fn name(&self) -> &str {
        "RecursionExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.anchor, &self.step]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![false, false]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false, false]
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match children.as_slice() {
            [anchor, step] => Ok(Arc::new(self.over(anchor, step, self.fetch))),
            _ => exec_err!("RecursionExec has an anchor and a step"),
        }
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn fetch(&self) -> Option<usize> {
        self.fetch
    }

    fn with_fetch(&self, fetch: Option<usize>) -> Option<Arc<dyn ExecutionPlan>> {
        Some(Arc::new(self.over(&self.anchor, &self.step, fetch)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        if partition != 0 {
            return internal_err!("RecursionExec has no partition {partition}");
        }
        let pool = context.memory_pool();
        let run = Run {
            rows: partitions_in_order(&self.anchor, &context)?,
            table: self.table.clone(),
            step: Arc::clone(&self.step),
            schema: self.schema(),
            limits: self.limits,
            fetch: self.fetch,
            level: 0,
            total: 0,
            round: Vec::new(),
            round_room: MemoryConsumer::new("recursion's round").register(pool),
            held: VecDeque::new(),
            held_room: Some(MemoryConsumer::new("recursion's rows").register(pool)),
            full: false,
            over: false,
            baseline: BaselineMetrics::new(&self.metrics, partition),
            rounds: MetricBuilder::new(&self.metrics).counter("rounds", partition),
            memory: MetricBuilder::new(&self.metrics).gauge("peak_mem_used", partition),
            context,
        };
        let rows = stream::try_unfold(run, Run::next);
        Ok(Box::pin(cooperative(RecordBatchStreamAdapter::new(self.schema(), Box::pin(rows)))))
    }
}

/// All partitions of a plan as one stream, in their order.
fn partitions_in_order(plan: &Arc<dyn ExecutionPlan>, context: &Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
    let partitions = plan.output_partitioning().partition_count();
    let mut inputs = Vec::with_capacity(partitions);
    for i in 0..partitions {
        let input = plan.execute(i, Arc::clone(context))?;
        inputs.push(if i == 0 { input } else { spawn_buffered(input, AHEAD) });
    }
    Ok(Box::pin(RecordBatchStreamAdapter::new(plan.schema(), stream::iter(inputs).flatten())))
}

/// A recursion on its way.
struct Run {
    /// The rows of the round that is being computed.
    rows: SendableRecordBatchStream,
    table: String,
    step: Arc<dyn ExecutionPlan>,
    schema: SchemaRef,
    limits: Limits,
    fetch: Option<usize>,
    /// Rounds of the step that were begun.
    level: u64,
    /// Rows of all rounds.
    total: usize,
    round: Vec<RecordBatch>,
    round_room: MemoryReservation,
    /// Rows that wait for the end.
    held: VecDeque<RecordBatch>,
    /// What they take; `None` once they do not wait any longer.
    held_room: Option<MemoryReservation>,
    /// As many rows are there as were asked for.
    full: bool,
    over: bool,
    baseline: BaselineMetrics,
    rounds: Count,
    memory: Gauge,
    context: Arc<TaskContext>,
}

impl Run {
    async fn next(mut self) -> Result<Option<(RecordBatch, Self)>> {
        loop {
            if (self.over || self.held_room.is_none())
                && let Some(batch) = self.held.pop_front()
            {
                self.baseline.record_output(batch.num_rows());
                return Ok(Some((batch, self)));
            }
            if self.over {
                return Ok(None);
            }
            match self.rows.next().await.transpose()? {
                Some(batch) if batch.num_rows() > 0 => {
                    self.take(batch)?;
                    if self.full {
                        self.end_round()?;
                    }
                }
                Some(_) => {}
                None => self.end_round()?,
            }
        }
    }

    /// Rows of the present round.
    fn take(&mut self, batch: RecordBatch) -> Result<()> {
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let mut batch =
            RecordBatch::try_new_with_options(Arc::clone(&self.schema), batch.columns().to_vec(), &options)?;
        if let Some(fetch) = self.fetch
            && self.total + batch.num_rows() >= fetch
        {
            batch = batch.slice(0, fetch - self.total);
            self.full = true;
        }
        self.total += batch.num_rows();
        let passed = self.limits.rows.filter(|limit| self.fetch.is_none() && self.total as u64 >= *limit);
        if let Some(limit) = passed {
            return limit_exceeded("ROW", limit);
        }
        let bytes = batch.get_array_memory_size();
        if !self.full {
            self.round_room.try_grow(bytes)?;
            self.round.push(batch.clone());
        }
        if self.held_room.as_ref().is_some_and(|room| room.try_grow(bytes).is_err()) {
            self.held_room = None;
        }
        let held = self.held_room.as_ref().map_or(0, MemoryReservation::size);
        self.memory.set_max(self.round_room.size() + held);
        self.held.push_back(batch);
        Ok(())
    }

    /// The next round, if this one had rows.
    fn end_round(&mut self) -> Result<()> {
        if self.round.is_empty() && !self.full {
            self.over = true;
            return Ok(());
        }
        // Spark asks for one more round before it sees that it has enough rows.
        if let Some(limit) = self.limits.levels.filter(|limit| self.level >= *limit) {
            return limit_exceeded("LEVEL", limit);
        }
        if self.full {
            self.over = true;
            return Ok(());
        }
        self.level += 1;
        self.rounds.add(1);
        let round = Arc::new(Round { batches: std::mem::take(&mut self.round), _room: self.round_room.take() });
        let step = seeded_anew(fresh(&self.step, &self.table, &round)?, self.level - 1)?;
        self.rows = partitions_in_order(&step, &self.context)?;
        Ok(())
    }
}

fn limit_exceeded<T>(what: &str, limit: u64) -> Result<T> {
    functions::error::fail(
        spark::Error::new(spark::ErrorKind::Spark, format!("RECURSION_{what}_LIMIT_EXCEEDED"))
            .param(&format!("{}Limit", what.to_lowercase()), limit.to_string())
            .with_message(format!("The recursion passed its limit of {limit} {}s.", what.to_lowercase())),
    )
}

/// The step as if it had never run, over the rows of `round`.
fn fresh(step: &Arc<dyn ExecutionPlan>, table: &str, round: &Arc<Round>) -> Result<Arc<dyn ExecutionPlan>> {
    let plan = Arc::clone(step).transform_up(|plan| {
        let leaf = plan.downcast_ref::<RoundExec>().filter(|leaf| leaf.table == table).map(|leaf| leaf.over(round));
        match leaf {
            Some(leaf) => Ok(Transformed::yes(Arc::new(leaf) as _)),
            None => plan.reset_state().map(Transformed::yes),
        }
    });
    plan.data()
}

/// The rows of a round, which take their room until the last that reads them is gone.
#[derive(Debug)]
struct Round {
    batches: Vec<RecordBatch>,
    _room: MemoryReservation,
}

/// Reads the round before.
#[derive(Debug)]
pub struct RoundExec {
    table: String,
    round: Option<Arc<Round>>,
    properties: Arc<PlanProperties>,
}

impl RoundExec {
    fn new(table: &str, schema: SchemaRef) -> Self {
        RoundExec { table: table.to_owned(), round: None, properties: properties(schema) }
    }

    fn over(&self, round: &Arc<Round>) -> Self {
        let properties = Arc::clone(&self.properties);
        RoundExec { table: self.table.clone(), round: Some(Arc::clone(round)), properties }
    }
}

impl DisplayAs for RoundExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RoundExec: table={}", self.table)
    }
}

impl ExecutionPlan for RoundExec {
    no_input!(RoundExec);

    fn statistics_from_inputs(&self, _: &[Arc<Statistics>], _: &StatisticsArgs) -> Result<Arc<Statistics>> {
        let mut statistics = Statistics::new_unknown(&self.schema());
        statistics.num_rows = Precision::Inexact(ROUND_ROWS);
        Ok(Arc::new(statistics))
    }

    fn execute(&self, _: usize, _: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let Some(round) = &self.round else { return internal_err!("{} is read outside its recursion", self.table) };
        let schema = self.schema();
        let mut batches = Vec::with_capacity(round.batches.len());
        for batch in &round.batches {
            let whole = batch.schema();
            let columns: Result<Vec<usize>, _> = schema.fields().iter().map(|f| whole.index_of(f.name())).collect();
            let columns = columns?.into_iter().map(|i| Arc::clone(batch.column(i))).collect();
            let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
            batches.push(RecordBatch::try_new_with_options(Arc::clone(&schema), columns, &options)?);
        }
        let round = Arc::clone(round);
        let rows = stream::iter(batches).map(move |batch| {
            // The rows take their room until they are read.
            let _room = &round;
            Ok(batch)
        });
        Ok(Box::pin(cooperative(RecordBatchStreamAdapter::new(schema, rows))))
    }
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::AsArray;
    use datafusion::arrow::datatypes::{DataType, Field, Int64Type, Schema};
    use datafusion::common::DFSchema;
    use datafusion::datasource::cte_worktable::CteWorkTable;
    use datafusion::datasource::provider_as_source;
    use datafusion::execution::memory_pool::GreedyMemoryPool;
    use datafusion::execution::runtime_env::RuntimeEnvBuilder;
    use datafusion::execution::session_state::SessionStateBuilder;
    use datafusion::logical_expr::{Expr, LogicalPlanBuilder, col, lit};
    use datafusion::physical_plan::collect;
    use datafusion::prelude::{SessionConfig, SessionContext};

    use super::*;

    /// 1, and then sums of every two rows of the round before that are below `end`.
    fn sums(end: i64, limits: Limits) -> Result<LogicalPlan> {
        let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, true)]));
        let read = |name: &str| {
            let table = provider_as_source(Arc::new(CteWorkTable::new("t", Arc::clone(&schema))));
            LogicalPlanBuilder::scan("t", table, None)?.project([col("t.n").alias(name)])
        };
        let pairs = read("a")?.filter(col("a").lt(lit(end)))?.cross_join(read("b")?.build()?)?;
        let step = pairs.project([(col("a") + col("b")).alias("n")])?.build()?;
        let one: [Expr; 1] = [lit(1i64).alias("n")];
        let anchor = LogicalPlanBuilder::empty(true).project(one)?.build()?;
        let schema = Arc::new(DFSchema::try_from(schema.as_ref().clone())?);
        Ok(Recursion { table: "t".to_owned(), anchor, step, schema, limits }.plan())
    }

    async fn run(plan: LogicalPlan, fetch: Option<usize>, memory: usize) -> Result<Vec<i64>> {
        let pool = Arc::new(GreedyMemoryPool::new(memory));
        let state = SessionStateBuilder::new()
            .with_default_features()
            .with_config(SessionConfig::new().with_target_partitions(2))
            .with_runtime_env(RuntimeEnvBuilder::new().with_memory_pool(pool).build_arc()?)
            .with_query_planner(Arc::new(crate::exchange::OperatorQueryPlanner))
            .build();
        let plan = LogicalPlanBuilder::from(plan).limit(0, fetch)?.build()?;
        let physical = state.create_physical_plan(&plan).await?;
        let rows = collect(physical, SessionContext::new_with_state(state).task_ctx()).await?;
        Ok(rows.iter().flat_map(|b| b.column(0).as_primitive::<Int64Type>().values().to_vec()).collect())
    }

    const FREE: Limits = Limits { levels: None, rows: None };

    #[tokio::test]
    async fn a_step_reads_the_round_before_twice() -> Result<()> {
        assert_eq!(run(sums(10, FREE)?, None, 1 << 24).await?, [1, 2, 4, 8, 16]);
        assert_eq!(run(sums(i64::MAX, FREE)?, Some(3), 1 << 24).await?, [1, 2, 4]);
        Ok(())
    }

    #[tokio::test]
    async fn limits_are_those_of_spark() -> Result<()> {
        let levels = |n| Limits { levels: Some(n), rows: None };
        let rows = |n| Limits { levels: None, rows: Some(n) };
        for (limits, fetch, fails) in [
            // Five rounds: four with rows, and one that is empty.
            (levels(4), None, Some("RECURSION_LEVEL_LIMIT_EXCEEDED")),
            (levels(5), None, None),
            (levels(2), Some(3), Some("RECURSION_LEVEL_LIMIT_EXCEEDED")),
            (levels(3), Some(3), None),
            (rows(5), None, Some("RECURSION_ROW_LIMIT_EXCEEDED")),
            (rows(6), None, None),
            (rows(2), Some(4), None),
        ] {
            let outcome = run(sums(10, limits)?, fetch, 1 << 24).await;
            let condition = outcome.err().map(|e| functions::error::from_datafusion(e).condition().to_owned());
            assert_eq!(condition.as_deref(), fails, "{limits:?} {fetch:?}");
        }
        Ok(())
    }

    #[tokio::test]
    async fn memory_is_asked_for() -> Result<()> {
        let outcome = run(sums(i64::MAX, FREE)?, None, 100).await;
        assert!(outcome.is_err_and(|e| e.to_string().contains("recursion")));
        Ok(())
    }
}
