//! Gathers the rows of a small input in one batch, in the order of its partitions or by the keys of a join.
//!
//! DataFusion's joins of every row with every row go through the batches of one side in turn, and through
//! the other side for each of them. Spark goes through one side row by row; in one batch the two are the
//! same. Of a full outer join Spark merges both sides by their keys, so its rows are sorted.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, UInt64Array};
use arrow::compute::{SortColumn, concat_batches, is_not_null, lexsort_to_indices, take_record_batch};
use datafusion::common::{Result, Statistics, exec_datafusion_err, exec_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{Distribution, EquivalenceProperties, Partitioning};
use datafusion::physical_plan::statistics::{ChildStats, StatisticsArgs};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, InputDistributionRequirements, PlanProperties,
};
use futures::{StreamExt, TryStreamExt};

use crate::codec::NodeCodec;
use crate::one_input;

/// Rows that are gathered; of more the first ones go on as they came, and all others behind them.
const MAX_ROWS: usize = 20_000;

/// The operator; see the module.
#[derive(Debug)]
pub(crate) struct GatheredExec {
    input: Arc<dyn ExecutionPlan>,
    /// The columns to sort by: of each pair the first one, and the second where that is null.
    keys: Vec<(usize, usize)>,
    properties: Arc<PlanProperties>,
}

impl GatheredExec {
    pub(crate) fn new(input: Arc<dyn ExecutionPlan>, keys: Vec<(usize, usize)>) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(input.schema()),
            Partitioning::UnknownPartitioning(1),
            input.pipeline_behavior(),
            input.boundedness(),
        );
        GatheredExec { input, keys, properties: Arc::new(properties) }
    }

    /// All rows of `plan`.
    pub(crate) fn of(plan: &Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
        Arc::new(GatheredExec::new(Arc::clone(plan), Vec::new()))
    }
}

impl DisplayAs for GatheredExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        match self.keys.as_slice() {
            [] => write!(f, "GatheredExec"),
            keys => write!(f, "GatheredExec: keys={keys:?}"),
        }
    }
}

impl ExecutionPlan for GatheredExec {
    one_input!(GatheredExec, |this, input| GatheredExec::new(input, this.keys.clone()));

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn required_input_distribution(&self) -> Vec<Distribution> {
        self.input_distribution_requirements().into_per_child()
    }

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        InputDistributionRequirements::new(vec![Distribution::SinglePartition])
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![self.keys.is_empty()]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn child_stats_requests(&self, _: Option<usize>) -> Vec<ChildStats> {
        vec![ChildStats::At(None)]
    }

    fn statistics_from_inputs(&self, inputs: &[Arc<Statistics>], _: &StatisticsArgs) -> Result<Arc<Statistics>> {
        match inputs {
            [input] => Ok(Arc::clone(input)),
            _ => Ok(Arc::new(Statistics::new_unknown(&self.input.schema()))),
        }
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let input = self.input.execute(partition, context)?;
        let gathered = futures::stream::once(gathered(input, self.keys.clone())).try_flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.input.schema(), gathered)))
    }
}

async fn gathered(
    mut input: SendableRecordBatchStream,
    keys: Vec<(usize, usize)>,
) -> Result<SendableRecordBatchStream> {
    let schema = input.schema();
    let mut batches = Vec::new();
    let mut rows = 0;
    while let Some(batch) = input.next().await.transpose()? {
        rows += batch.num_rows();
        batches.push(batch);
        if rows > MAX_ROWS {
            let first = futures::stream::iter(batches.into_iter().map(Ok));
            return Ok(Box::pin(RecordBatchStreamAdapter::new(schema, first.chain(input))));
        }
    }
    let one = sorted(concat_batches(&schema, &batches)?, &keys)?;
    let one = futures::stream::iter((one.num_rows() > 0).then_some(Ok(one)));
    Ok(Box::pin(RecordBatchStreamAdapter::new(schema, one)))
}

/// The rows by their keys, nulls first; those with equal keys stay as they are.
fn sorted(batch: RecordBatch, keys: &[(usize, usize)]) -> Result<RecordBatch> {
    if keys.is_empty() || batch.num_rows() < 2 {
        return Ok(batch);
    }
    let mut columns = Vec::new();
    for (first, second) in keys {
        let (first, second) = (batch.column(*first), batch.column(*second));
        let key: ArrayRef = arrow::compute::kernels::zip::zip(&is_not_null(first)?, first, second)?;
        columns.push(SortColumn { values: key, options: None });
    }
    let arrival: ArrayRef = Arc::new(UInt64Array::from_iter_values(0..batch.num_rows() as u64));
    columns.push(SortColumn { values: arrival, options: None });
    Ok(take_record_batch(&batch, &lexsort_to_indices(&columns, None)?)?)
}

/// The keys travel with the operator.
pub(crate) static GATHERED: NodeCodec = NodeCodec {
    name: "gathered",
    encode: |node, _| match node.downcast_ref::<GatheredExec>() {
        Some(gathered) => {
            serde_json::to_vec(&gathered.keys).map(Some).map_err(|e| exec_datafusion_err!("GatheredExec: {e}"))
        }
        None => Ok(None),
    },
    decode: |payload, children, _| {
        let keys = serde_json::from_slice(payload).map_err(|e| exec_datafusion_err!("GatheredExec: {e}"))?;
        match children {
            [input] => Ok(Arc::new(GatheredExec::new(Arc::clone(input), keys))),
            _ => exec_err!("GatheredExec has one input"),
        }
    },
};

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::Int32Array;
    use arrow::datatypes::{DataType, Field, Schema};

    #[test]
    fn rows_come_by_the_key_of_either_side() -> Result<()> {
        let schema = Arc::new(Schema::new(vec![
            Field::new("l", DataType::Int32, true),
            Field::new("r", DataType::Int32, true),
            Field::new("n", DataType::Int32, true),
        ]));
        let left = Int32Array::from(vec![Some(3), None, Some(1), Some(3), None]);
        let right = Int32Array::from(vec![Some(3), Some(2), None, Some(3), None]);
        let number = Int32Array::from(vec![0, 1, 2, 3, 4]);
        let batch = RecordBatch::try_new(schema, vec![Arc::new(left), Arc::new(right), Arc::new(number)])?;
        let batch = sorted(batch, &[(0, 1)])?;
        let expect: ArrayRef = Arc::new(Int32Array::from(vec![4, 2, 1, 0, 3]));
        assert_eq!(batch.column(2), &expect);
        Ok(())
    }
}
