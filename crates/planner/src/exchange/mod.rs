//! Repartitioning that users ask for, sorting within partitions, and join hints.
//!
//! DataFusion moves rows as it sees fit: its rules drop and add exchanges. What a user asked for stands
//! in the plan as operators that those rules do not know ([`exec`]), until they are done; then
//! [`Lowering`] puts exchanges in their place.

mod exec;
mod lowering;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::Result;
use datafusion::common::stats::Precision;
use datafusion::execution::context::QueryPlanner;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{LogicalPlan, UserDefinedLogicalNode};
use datafusion::physical_expr::{LexOrdering, PhysicalExpr};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::statistics::{StatisticsArgs, StatisticsContext};
use datafusion::physical_planner::{DefaultPhysicalPlanner, ExtensionPlanner, PhysicalPlanner};
use functions::operators::{Exchange, Kind, Operator};

pub(crate) use exec::ONE_PARTITION;
pub use exec::{CoalesceExec, ExchangeExec, JoinHintExec};
pub use lowering::Lowering;

/// Data of an adaptive exchange that is worth a partition of its own.
const MIN_PARTITION_BYTES: usize = 1 << 20;

/// Data of an adaptive exchange that one partition takes.
const MAX_PARTITION_BYTES: usize = 64 << 20;

/// Plans queries with the operators of [`functions::operators`] in them.
#[derive(Debug, Default)]
pub struct OperatorQueryPlanner;

#[async_trait]
impl QueryPlanner for OperatorQueryPlanner {
    async fn create_physical_plan(
        &self,
        logical_plan: &LogicalPlan,
        session: &dyn Session,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let planner = DefaultPhysicalPlanner::with_extension_planners(vec![
            Arc::new(Operators),
            Arc::new(crate::observe::Observers),
            Arc::new(crate::recursion::Recursions),
            Arc::new(crate::parse_text::Parsers),
        ]);
        planner.create_physical_plan(logical_plan, session).await
    }
}

struct Operators;

#[async_trait]
impl ExtensionPlanner for Operators {
    async fn plan_extension(
        &self,
        planner: &dyn PhysicalPlanner,
        node: &dyn UserDefinedLogicalNode,
        _logical_inputs: &[&LogicalPlan],
        physical_inputs: &[Arc<dyn ExecutionPlan>],
        session: &dyn Session,
        context: &PhysicalPlanningContext,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let (Some(operator), [input]) = (node.as_any().downcast_ref::<Operator>(), physical_inputs) else {
            return Ok(None);
        };
        let input = Arc::clone(input);
        let schema = operator.input.schema();
        Ok(Some(match &operator.kind {
            Kind::Exchange(exchange) => {
                let bucket = exchange
                    .bucket
                    .as_ref()
                    .map(|b| planner.create_physical_expr(b, schema, session, context))
                    .transpose()?;
                let partitions = partitions(exchange, &input, session.config().target_partitions());
                Arc::new(ExchangeExec::new(input, bucket, exchange.buckets, partitions))
            }
            Kind::Coalesce { partitions } => Arc::new(CoalesceExec::new(input, *partitions)),
            Kind::SortWithin { order } => {
                let mut keys = Vec::with_capacity(order.len());
                for key in order {
                    let expr = planner.create_physical_expr(&key.expr, schema, session, context)?;
                    keys.push(sort_key(expr, key.asc, key.nulls_first));
                }
                match LexOrdering::new(keys) {
                    Some(ordering) => Arc::new(SortExec::new(ordering, input).with_preserve_partitioning(true)),
                    None => input,
                }
            }
            Kind::JoinHint(strategy) => Arc::new(JoinHintExec::new(input, *strategy)),
            Kind::MetricView => {
                return functions::error::fail(spark::Error::unsupported(
                    "a metric view outside GROUP BY and aggregates",
                ));
            }
            Kind::InPlace => input,
        }))
    }
}

fn sort_key(
    expr: Arc<dyn PhysicalExpr>,
    ascending: bool,
    nulls_first: bool,
) -> datafusion::physical_expr::PhysicalSortExpr {
    let options = datafusion::arrow::compute::SortOptions { descending: !ascending, nulls_first };
    datafusion::physical_expr::PhysicalSortExpr { expr, options }
}

/// How many partitions the buckets of an exchange share.
fn partitions(exchange: &Exchange, input: &Arc<dyn ExecutionPlan>, target: usize) -> usize {
    if !exchange.adaptive {
        return exchange.buckets;
    }
    let wanted = match bytes(input) {
        Some(bytes) => {
            let each = (bytes / target.max(1)).clamp(MIN_PARTITION_BYTES, MAX_PARTITION_BYTES);
            bytes.div_ceil(each)
        }
        None => target,
    };
    wanted.clamp(1, exchange.buckets.max(1))
}

/// About how much data comes out of `plan`: by its own estimate, or by what it reads.
fn bytes(plan: &Arc<dyn ExecutionPlan>) -> Option<usize> {
    const ROW_BYTES: usize = 64;
    let stats = StatisticsContext::new().compute(plan.as_ref(), &StatisticsArgs::new()).ok();
    let known = stats.and_then(|s| match (s.total_byte_size, s.num_rows) {
        (Precision::Exact(bytes) | Precision::Inexact(bytes), _) => Some(bytes),
        (Precision::Absent, Precision::Exact(rows) | Precision::Inexact(rows)) => Some(rows.saturating_mul(ROW_BYTES)),
        (Precision::Absent, Precision::Absent) => None,
    });
    let children = plan.children();
    if known.is_some() || children.is_empty() {
        return known;
    }
    children.into_iter().map(bytes).sum()
}

/// `base` with the operators of this module replaced at the end; applying it twice changes nothing.
pub fn with_lowering(
    base: &[Arc<dyn PhysicalOptimizerRule + Send + Sync>],
) -> Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> {
    let lowering: Arc<dyn PhysicalOptimizerRule + Send + Sync> = Arc::new(Lowering { distributed: false });
    let others = base.iter().filter(|rule| rule.name() != lowering.name()).cloned();
    others.chain(std::iter::once(Arc::clone(&lowering))).collect()
}
