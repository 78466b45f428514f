//! The operators as they stand among DataFusion's until its rules are done.

use std::fmt;
use std::sync::Arc;

use datafusion::common::stats::Precision;
use datafusion::common::{Result, Statistics, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{Distribution, EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_plan::common::spawn_buffered;
use datafusion::physical_plan::statistics::{ChildStats, StatisticsArgs};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, InputDistributionRequirements, PlanProperties,
};
use functions::operators::JoinStrategy;
use futures::StreamExt;

use crate::codec::{NodeCodec, plain_codec};
use crate::{hands_on, one_input};

/// Batches of a partition that wait for those before it.
const AHEAD: usize = 16;

/// Output as large as this is never broadcast.
const TOO_LARGE_TO_BROADCAST: usize = 1 << 40;

/// Rows by their bucket. It is lowered before it runs.
#[derive(Debug)]
pub struct ExchangeExec {
    pub(super) input: Arc<dyn ExecutionPlan>,
    /// The row's bucket; without it rows are dealt out in turn.
    pub(super) bucket: Option<Arc<dyn PhysicalExpr>>,
    pub(super) buckets: usize,
    pub(super) partitions: usize,
    properties: Arc<PlanProperties>,
}

impl ExchangeExec {
    /// `buckets` of rows in `partitions`, neighbours together.
    pub fn new(
        input: Arc<dyn ExecutionPlan>,
        bucket: Option<Arc<dyn PhysicalExpr>>,
        buckets: usize,
        partitions: usize,
    ) -> Self {
        let properties = Arc::new(without_order(&input, partitions));
        ExchangeExec { input, bucket, buckets, partitions, properties }
    }
}

/// Properties of an operator that moves rows between partitions.
fn without_order(input: &Arc<dyn ExecutionPlan>, partitions: usize) -> PlanProperties {
    PlanProperties::new(
        EquivalenceProperties::new(input.schema()),
        Partitioning::UnknownPartitioning(partitions),
        input.properties().emission_type,
        input.properties().boundedness,
    )
}

impl DisplayAs for ExchangeExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "ExchangeExec: buckets={}, partitions={}", self.buckets, self.partitions)
    }
}

impl ExecutionPlan for ExchangeExec {
    one_input! {
        ExchangeExec,
        |this, input| ExchangeExec::new(input, this.bucket.clone(), this.buckets, this.partitions),
        |this| &this.bucket
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn child_stats_requests(&self, _: Option<usize>) -> Vec<ChildStats> {
        vec![ChildStats::At(None)]
    }

    fn statistics_from_inputs(&self, inputs: &[Arc<Statistics>], args: &StatisticsArgs) -> Result<Arc<Statistics>> {
        Ok(shared(inputs, args, self.partitions, &self.input))
    }

    fn execute(&self, _: usize, _: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        internal_err!("an exchange was not lowered")
    }
}

/// The input's statistics; those of one of `partitions` are not known.
fn shared(
    inputs: &[Arc<Statistics>],
    args: &StatisticsArgs,
    partitions: usize,
    input: &Arc<dyn ExecutionPlan>,
) -> Arc<Statistics> {
    match (inputs, args.partition()) {
        ([whole], None) => Arc::clone(whole),
        ([whole], Some(_)) if partitions == 1 => Arc::clone(whole),
        _ => Arc::new(Statistics::new_unknown(&input.schema())),
    }
}

/// Neighbouring partitions one after the other, so that there are fewer.
#[derive(Debug)]
pub struct CoalesceExec {
    pub(super) input: Arc<dyn ExecutionPlan>,
    /// What was asked for; there may be fewer.
    wanted: usize,
    properties: Arc<PlanProperties>,
}

impl CoalesceExec {
    /// At most `wanted` partitions.
    pub fn new(input: Arc<dyn ExecutionPlan>, wanted: usize) -> Self {
        let partitions = wanted.clamp(1, input.output_partitioning().partition_count().max(1));
        let properties = Arc::new(without_order(&input, partitions));
        CoalesceExec { input, wanted, properties }
    }

    /// The input's partitions that make up partition `i`.
    fn group(&self, i: usize) -> std::ops::Range<usize> {
        let from = self.input.output_partitioning().partition_count();
        let to = self.properties.output_partitioning().partition_count();
        i * from / to..(i + 1) * from / to
    }
}

impl DisplayAs for CoalesceExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "CoalesceExec: partitions={}", self.wanted)
    }
}

impl ExecutionPlan for CoalesceExec {
    one_input!(CoalesceExec, |this, input| CoalesceExec::new(input, this.wanted));

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        // How rows are grouped shows in the result.
        vec![false]
    }

    fn child_stats_requests(&self, _: Option<usize>) -> Vec<ChildStats> {
        vec![ChildStats::At(None)]
    }

    fn statistics_from_inputs(&self, inputs: &[Arc<Statistics>], args: &StatisticsArgs) -> Result<Arc<Statistics>> {
        Ok(shared(inputs, args, self.properties.output_partitioning().partition_count(), &self.input))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let group = self.group(partition);
        let mut inputs = Vec::with_capacity(group.len());
        for i in group.clone() {
            let input = self.input.execute(i, Arc::clone(&context))?;
            // The first one is read at once.
            inputs.push(if i == group.start { input } else { spawn_buffered(input, AHEAD) });
        }
        let rows = futures::stream::iter(inputs).flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), rows)))
    }
}

/// One partition that was asked for, brought together by the operator below: a rule that found nothing in
/// need of it would take that one away.
#[derive(Debug)]
pub(crate) struct OnePartitionExec {
    input: Arc<dyn ExecutionPlan>,
}

impl OnePartitionExec {
    pub(super) fn new(input: Arc<dyn ExecutionPlan>) -> Self {
        OnePartitionExec { input }
    }
}

impl DisplayAs for OnePartitionExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("OnePartitionExec")
    }
}

impl ExecutionPlan for OnePartitionExec {
    one_input!(OnePartitionExec, |_, input| OnePartitionExec::new(input));
    hands_on!();

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn required_input_distribution(&self) -> Vec<Distribution> {
        self.input_distribution_requirements().into_per_child()
    }

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        InputDistributionRequirements::new(vec![Distribution::SinglePartition])
    }

    fn child_stats_requests(&self, _: Option<usize>) -> Vec<ChildStats> {
        vec![ChildStats::At(None)]
    }

    fn statistics_from_inputs(&self, inputs: &[Arc<Statistics>], args: &StatisticsArgs) -> Result<Arc<Statistics>> {
        Ok(shared(inputs, args, 1, &self.input))
    }
}

/// An executor plans nothing anew: what arrives is the input.
pub(crate) static ONE_PARTITION: NodeCodec = plain_codec!(OnePartitionExec, "one_partition", |input| input);

/// A side of a join with a hint. It speaks to the choice of the join through its statistics: a side to
/// broadcast is as good as empty, one to merge too large. It is gone before the plan runs.
#[derive(Debug)]
pub struct JoinHintExec {
    pub(super) input: Arc<dyn ExecutionPlan>,
    strategy: JoinStrategy,
    properties: Arc<PlanProperties>,
}

impl JoinHintExec {
    /// `input` with a hint.
    pub fn new(input: Arc<dyn ExecutionPlan>, strategy: JoinStrategy) -> Self {
        let properties = Arc::clone(input.properties());
        JoinHintExec { input, strategy, properties }
    }

    /// What the hint asks for.
    pub fn strategy(&self) -> JoinStrategy {
        self.strategy
    }
}

impl DisplayAs for JoinHintExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "JoinHintExec: {:?}", self.strategy)
    }
}

impl ExecutionPlan for JoinHintExec {
    one_input!(JoinHintExec, |this, input| JoinHintExec::new(input, this.strategy));

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn child_stats_requests(&self, partition: Option<usize>) -> Vec<ChildStats> {
        vec![ChildStats::At(partition)]
    }

    fn statistics_from_inputs(&self, inputs: &[Arc<Statistics>], _: &StatisticsArgs) -> Result<Arc<Statistics>> {
        let mut stats = match inputs {
            [input] => input.as_ref().clone(),
            _ => Statistics::new_unknown(&self.schema()),
        };
        match self.strategy {
            JoinStrategy::Broadcast => {
                stats.num_rows = Precision::Inexact(1);
                stats.total_byte_size = Precision::Inexact(1);
            }
            JoinStrategy::Merge => {
                stats.num_rows = Precision::Inexact(TOO_LARGE_TO_BROADCAST);
                stats.total_byte_size = Precision::Inexact(TOO_LARGE_TO_BROADCAST);
            }
            // The kind of join is changed once the sides are chosen.
            JoinStrategy::Hash | JoinStrategy::Loop => {}
        }
        Ok(Arc::new(stats))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        self.input.execute(partition, context)
    }
}
