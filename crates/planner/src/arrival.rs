//! Says that rows come in the order of their arrival.
//!
//! A hash join emits the rows of its probe side in their order where that side has one; where it has
//! none, those without a match come last. Spark keeps the order in which the rows arrive in any case.
//! [`ArrivalExec`] gives its input an ordering that nothing asks for and nothing else has.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Schema};
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::{PhysicalExpr, PhysicalSortExpr};
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};

use crate::codec::{NodeCodec, plain_codec};
use crate::{hands_on, one_input};

/// The operator; see the module.
#[derive(Debug)]
pub(crate) struct ArrivalExec {
    input: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
}

impl ArrivalExec {
    pub(crate) fn new(input: Arc<dyn ExecutionPlan>) -> Self {
        let mut known = input.properties().equivalence_properties().clone();
        known.add_ordering([PhysicalSortExpr::new_default(Arc::new(Arrival))]);
        let properties = Arc::new(input.properties().as_ref().clone().with_eq_properties(known));
        ArrivalExec { input, properties }
    }
}

impl DisplayAs for ArrivalExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "ArrivalExec")
    }
}

impl ExecutionPlan for ArrivalExec {
    one_input!(ArrivalExec, |_, input| ArrivalExec::new(input));

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    hands_on!();
}

/// The operator has nothing to tell but itself.
pub(crate) static ARRIVAL: NodeCodec = plain_codec!(ArrivalExec, "arrival", |input| Arc::new(ArrivalExec::new(input)));

/// The time at which a row arrived: a name for an order, never a value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Arrival;

impl fmt::Display for Arrival {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("arrival")
    }
}

impl PhysicalExpr for Arrival {
    fn data_type(&self, _: &Schema) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn nullable(&self, _: &Schema) -> Result<bool> {
        Ok(false)
    }

    fn evaluate(&self, _: &RecordBatch) -> Result<ColumnarValue> {
        internal_err!("the arrival of a row is not known as a value")
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        Vec::new()
    }

    fn with_new_children(self: Arc<Self>, _: Vec<Arc<dyn PhysicalExpr>>) -> Result<Arc<dyn PhysicalExpr>> {
        Ok(self)
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("arrival")
    }
}
