//! Runs [`ParseText`]: the texts of a column as rows.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::Session;
use datafusion::common::{DataFusionError, Result, exec_datafusion_err, exec_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{LogicalPlan, UserDefinedLogicalNode};
use datafusion::physical_expr::{EquivalenceProperties, Partitioning};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties};
use datafusion::physical_planner::{ExtensionPlanner, PhysicalPlanner};
use datafusion_proto::protobuf;
use functions::parse_text::ParseText;
use futures::StreamExt;
use prost::Message;
use serde::{Deserialize, Serialize};

use crate::codec::NodeCodec;
use crate::one_input;
use crate::source::rows::TextRows;

/// Reads the first column of its input as records.
#[derive(Debug)]
pub struct ParseTextExec {
    input: Arc<dyn ExecutionPlan>,
    rows: Arc<TextRows>,
    schema: SchemaRef,
    properties: Arc<PlanProperties>,
}

impl ParseTextExec {
    fn new(input: Arc<dyn ExecutionPlan>, rows: Arc<TextRows>, schema: SchemaRef) -> Self {
        let partitions = input.output_partitioning().partition_count();
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&schema)),
            Partitioning::UnknownPartitioning(partitions),
            input.properties().emission_type,
            input.properties().boundedness,
        );
        ParseTextExec { input, rows, schema, properties: Arc::new(properties) }
    }
}

impl DisplayAs for ParseTextExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "ParseTextExec")
    }
}

impl ExecutionPlan for ParseTextExec {
    one_input!(ParseTextExec, |this, input| {
        ParseTextExec::new(input, Arc::clone(&this.rows), Arc::clone(&this.schema))
    });

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let input = self.input.execute(partition, context)?;
        let (rows, schema) = (Arc::clone(&self.rows), Arc::clone(&self.schema));
        let batches = input.map(move |batch| rows.read(batch?.column(0), &schema));
        Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), batches)))
    }
}

/// What travels of the operator.
#[derive(Serialize, Deserialize)]
struct Wire {
    rows: TextRows,
    schema: Vec<u8>,
}

pub(crate) static PARSE_TEXT: NodeCodec = NodeCodec {
    name: "parse_text",
    encode: |node, _| {
        let Some(parse) = node.downcast_ref::<ParseTextExec>() else { return Ok(None) };
        let schema = protobuf::Schema::try_from(parse.schema.as_ref())
            .map_err(|e| exec_datafusion_err!("a schema could not be encoded: {e}"))?;
        let wire = Wire { rows: parse.rows.as_ref().clone(), schema: schema.encode_to_vec() };
        let bytes = serde_json::to_vec(&wire);
        bytes.map(Some).map_err(|e| exec_datafusion_err!("a text format could not be encoded: {e}"))
    },
    decode: |body, children, _| {
        let [input] = children else { return exec_err!("ParseTextExec has one input") };
        let malformed = |e: String| exec_datafusion_err!("a text format arrived malformed: {e}");
        let wire: Wire = serde_json::from_slice(body).map_err(|e| malformed(e.to_string()))?;
        let schema = protobuf::Schema::decode(wire.schema.as_slice()).map_err(|e| malformed(e.to_string()))?;
        let schema: datafusion::arrow::datatypes::Schema =
            (&schema).try_into().map_err(|e| malformed(format!("{e:?}")))?;
        Ok(Arc::new(ParseTextExec::new(Arc::clone(input), Arc::new(wire.rows), Arc::new(schema))))
    },
};

/// Plans [`ParseText`].
pub struct Parsers;

#[async_trait]
impl ExtensionPlanner for Parsers {
    async fn plan_extension(
        &self,
        _: &dyn PhysicalPlanner,
        node: &dyn UserDefinedLogicalNode,
        _: &[&LogicalPlan],
        physical_inputs: &[Arc<dyn ExecutionPlan>],
        _: &dyn Session,
        _: &PhysicalPlanningContext,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let (Some(parse), [input]) = (node.as_any().downcast_ref::<ParseText>(), physical_inputs) else {
            return Ok(None);
        };
        let format = TextRows::format(&parse.format, &parse.options, &parse.time_zone)
            .map_err(|e| DataFusionError::External(Box::new(e)))?;
        let rows = TextRows::new(&format, &parse.schema, parse.header.clone());
        let schema: SchemaRef =
            Arc::new(datafusion::logical_expr::UserDefinedLogicalNode::schema(parse).as_arrow().clone());
        Ok(Some(Arc::new(ParseTextExec::new(Arc::clone(input), Arc::new(rows), schema))))
    }
}
