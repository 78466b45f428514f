//! The wire form of physical plans sent to executors.
//!
//! One codec dispatches over three sources of nodes: ours (a closed table of [`NodeCodec`]s, each
//! kept beside its node), the Ballista nodes whose nested expressions Ballista would encode without
//! us, and everything else, which Ballista's own codec handles. Every payload of ours opens with a
//! magic number, a version and the name of its codec, so that a mismatch is an error and not a
//! misreading.

use std::sync::Arc;

use ballista_core::execution_plans::{ShuffleReaderExec, SortShuffleWriterExec};
use ballista_core::serde::BallistaPhysicalExtensionCodec;
use datafusion::arrow::datatypes::Schema;
use datafusion::common::{Result, exec_datafusion_err, exec_err};
use datafusion::execution::TaskContext;
use datafusion::logical_expr::{AggregateUDF, HigherOrderUDF, ScalarUDF, WindowUDF};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{Partitioning, PhysicalExpr};
use datafusion::physical_plan::ExecutionPlan;
use datafusion_proto::physical_plan::from_proto::parse_physical_expr;
use datafusion_proto::physical_plan::to_proto::serialize_physical_expr;
use datafusion_proto::physical_plan::{AsExecutionPlan, PhysicalExtensionCodec, PhysicalProtoConverterExtension};
use datafusion_proto::protobuf::{PhysicalExprNode, PhysicalPlanNode};
use prost::Message;

mod functions;
mod guarded_scan;
mod range_scan;
mod row_scan;
mod shuffle;

pub use functions::function_registry;

/// First bytes of every payload of ours; no protobuf message of Ballista's can start with them
/// (0xF1 is an invalid protobuf tag).
const MAGIC: [u8; 3] = [0xF1, b'F', b'S'];

/// Version of the payload layout; raised when an old executor could misread a new payload.
const VERSION: u8 = 1;

/// The payload of a node, or `None` when the node is of another kind.
type Encode = fn(&Arc<dyn ExecutionPlan>, &Encoder<'_>) -> Result<Option<Vec<u8>>>;

/// A node from its payload and its decoded children.
type Decode = fn(&[u8], &[Arc<dyn ExecutionPlan>], &Decoder<'_>) -> Result<Arc<dyn ExecutionPlan>>;

/// How one operator of ours travels. Children are encoded by the caller and handed back decoded.
pub struct NodeCodec {
    /// Name on the wire; never reused for something else.
    pub name: &'static str,
    /// The payload, or `None` when the node is of another kind.
    pub encode: Encode,
    /// Rebuilds the node over its decoded children.
    pub decode: Decode,
}

/// The codec of an operator that has nothing to tell but itself, under its name on the wire; the closure is what
/// it becomes where it is decoded, over its input.
macro_rules! plain_codec {
    ($exec:ident, $name:literal, |$input:ident| $again:expr) => {
        $crate::codec::NodeCodec {
            name: $name,
            encode: |node, _| Ok(node.is::<$exec>().then(Vec::new)),
            decode: |_, children, _| match children {
                [$input] => {
                    let $input = ::std::sync::Arc::clone($input);
                    Ok($again)
                }
                _ => ::datafusion::common::exec_err!("{} has one input", stringify!($exec)),
            },
        }
    };
}
pub(crate) use plain_codec;

/// The operators that have a wire form of ours. To add one, add its codec here.
static NODES: &[&NodeCodec] = &[
    &shuffle::SORT_SHUFFLE_WRITER,
    &range_scan::RANGE_SCAN,
    &row_scan::ROW_SCAN,
    &guarded_scan::GUARDED_SCAN,
    &crate::arrival::ARRIVAL,
    &crate::gathered::GATHERED,
    &crate::probe_side::PROBE_SIDE,
    &crate::row_position::ROW_POSITION,
    &crate::cluster_rules::OWN_STAGE,
    &crate::parse_text::PARSE_TEXT,
    &crate::kept_order::KEPT_ORDER,
    &crate::outer_side::OUTER_SIDE,
    &crate::exchange::ONE_PARTITION,
];

/// What a [`NodeCodec`] needs to encode expressions.
pub struct Encoder<'a> {
    codec: &'a FiresteelCodec,
}

impl Encoder<'_> {
    /// Encodes an expression with our functions in it.
    pub fn expr(&self, expr: &Arc<dyn PhysicalExpr>) -> Result<Vec<u8>> {
        Ok(self.expr_node(expr)?.encode_to_vec())
    }

    /// The protobuf node of an expression.
    pub fn expr_node(&self, expr: &Arc<dyn PhysicalExpr>) -> Result<PhysicalExprNode> {
        serialize_physical_expr(expr, self.codec)
    }
}

/// What a [`NodeCodec`] needs to decode expressions.
pub struct Decoder<'a> {
    codec: &'a FiresteelCodec,
    ctx: &'a TaskContext,
}

impl Decoder<'_> {
    /// Decodes what [`Encoder::expr`] wrote.
    pub fn expr(&self, bytes: &[u8], schema: &Schema) -> Result<Arc<dyn PhysicalExpr>> {
        let node = PhysicalExprNode::decode(bytes)
            .map_err(|e| exec_datafusion_err!("a plan expression could not be decoded: {e}"))?;
        self.expr_node(&node, schema)
    }

    /// Rebuilds an expression from its protobuf node.
    pub fn expr_node(&self, node: &PhysicalExprNode, schema: &Schema) -> Result<Arc<dyn PhysicalExpr>> {
        parse_physical_expr(node, self.ctx, schema, self.codec)
    }

    /// The context of the task the plan is decoded for.
    pub fn task_context(&self) -> &TaskContext {
        self.ctx
    }
}

/// The physical codec of scheduler and executors.
#[derive(Debug, Default)]
pub struct FiresteelCodec {
    ballista: BallistaPhysicalExtensionCodec,
}

impl FiresteelCodec {
    /// Encodes a whole plan, as a task of it would travel.
    pub fn encode_plan(&self, plan: &Arc<dyn ExecutionPlan>) -> Result<Vec<u8>> {
        let node = PhysicalPlanNode::try_from_physical_plan(Arc::clone(plan), self)?;
        Ok(node.encode_to_vec())
    }

    /// Decodes what [`Self::encode_plan`] wrote.
    pub fn decode_plan(&self, bytes: &[u8], ctx: &TaskContext) -> Result<Arc<dyn ExecutionPlan>> {
        let node =
            PhysicalPlanNode::decode(bytes).map_err(|e| exec_datafusion_err!("a plan could not be decoded: {e}"))?;
        node.try_into_physical_plan(ctx, self)
    }
}

fn wrap(name: &str, payload: &[u8], buf: &mut Vec<u8>) -> Result<()> {
    let length =
        u8::try_from(name.len()).map_err(|_| exec_datafusion_err!("codec name {name} is longer than 255 bytes"))?;
    buf.extend_from_slice(&MAGIC);
    buf.push(VERSION);
    buf.push(length);
    buf.extend_from_slice(name.as_bytes());
    buf.extend_from_slice(payload);
    Ok(())
}

/// Splits a payload of ours into codec name and body; `None` when it is not ours.
fn unwrap(buf: &[u8]) -> Result<Option<(&str, &[u8])>> {
    let Some(rest) = buf.strip_prefix(&MAGIC) else {
        return Ok(None);
    };
    let truncated = || exec_datafusion_err!("a plan payload of Firesteel's is truncated");
    let (&version, rest) = rest.split_first().ok_or_else(truncated)?;
    if version != VERSION {
        return exec_err!(
            "a plan payload has layout version {version}, this process reads {VERSION}: \
             scheduler and executors must run the same release"
        );
    }
    let (&length, rest) = rest.split_first().ok_or_else(truncated)?;
    let (name, body) = rest.split_at_checked(usize::from(length)).ok_or_else(truncated)?;
    let name = std::str::from_utf8(name)
        .map_err(|_| exec_datafusion_err!("a plan payload names its codec in invalid UTF-8"))?;
    Ok(Some((name, body)))
}

impl PhysicalExtensionCodec for FiresteelCodec {
    fn try_decode(
        &self,
        buf: &[u8],
        inputs: &[Arc<dyn ExecutionPlan>],
        ctx: &TaskContext,
        proto_converter: &dyn PhysicalProtoConverterExtension,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let Some((name, body)) = unwrap(buf)? else {
            return self.ballista.try_decode(buf, inputs, ctx, proto_converter);
        };
        let Some(node) = NODES.iter().find(|n| n.name == name) else {
            return exec_err!("this executor knows no operator named {name}");
        };
        (node.decode)(body, inputs, &Decoder { codec: self, ctx })
    }

    fn try_encode(
        &self,
        node: Arc<dyn ExecutionPlan>,
        buf: &mut Vec<u8>,
        proto_converter: &dyn PhysicalProtoConverterExtension,
    ) -> Result<()> {
        let encoder = Encoder { codec: self };
        for ours in NODES {
            if let Some(payload) = (ours.encode)(&node, &encoder)? {
                return wrap(ours.name, &payload, buf);
            }
        }
        let node = shuffle::reader_without_nested_functions(node)?;
        self.ballista.try_encode(node, buf, proto_converter)
    }

    fn try_encode_udf(&self, node: &ScalarUDF, buf: &mut Vec<u8>) -> Result<()> {
        functions::encode_udf(node, buf)
    }

    fn try_decode_udf(&self, name: &str, buf: &[u8]) -> Result<Arc<ScalarUDF>> {
        functions::decode_udf(name, buf)
    }

    fn try_encode_udaf(&self, node: &AggregateUDF, buf: &mut Vec<u8>) -> Result<()> {
        functions::encode_udaf(node, buf)
    }

    fn try_decode_udaf(&self, name: &str, buf: &[u8]) -> Result<Arc<AggregateUDF>> {
        functions::decode_udaf(name, buf)
    }

    fn try_encode_udwf(&self, node: &WindowUDF, buf: &mut Vec<u8>) -> Result<()> {
        buf.extend(::functions::window_udf::encode(node).unwrap_or_default());
        Ok(())
    }

    fn try_decode_udwf(&self, name: &str, buf: &[u8]) -> Result<Arc<WindowUDF>> {
        ::functions::window_udf::decode(name, buf)
    }

    fn try_encode_higher_order_function(&self, node: &HigherOrderUDF, buf: &mut Vec<u8>) -> Result<()> {
        functions::encode_higher_order(node, buf)
    }

    fn try_decode_higher_order_function(&self, name: &str, buf: &[u8]) -> Result<Arc<HigherOrderUDF>> {
        functions::decode_higher_order(name, buf)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_of_ours_are_recognised_and_checked() {
        let mut buf = Vec::new();
        wrap("node", b"body", &mut buf).expect("short name");
        assert_eq!(unwrap(&buf).expect("ours"), Some(("node", b"body".as_slice())));
        assert_eq!(unwrap(b"\x0a\x00").expect("not ours"), None);
        let mut newer = buf.clone();
        newer[MAGIC.len()] = VERSION + 1;
        assert!(unwrap(&newer).is_err(), "another version is refused");
        for cut in MAGIC.len()..buf.len() - b"body".len() {
            assert!(unwrap(&buf[..cut]).is_err(), "cut at {cut}");
        }
    }

    /// A function that Ballista's codec would encode by a name that leads elsewhere.
    #[test]
    fn functions_in_shuffle_keys_come_back() {
        use ballista_core::execution_plans::sort_shuffle::SortShuffleConfig;
        use datafusion::arrow::datatypes::{DataType, Field};
        use datafusion::config::ConfigOptions;
        use datafusion::physical_expr::ScalarFunctionExpr;
        use datafusion::physical_plan::empty::EmptyExec;

        let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int32, true)]));
        let input = Arc::new(EmptyExec::new(Arc::clone(&schema)));
        let function = datafusion_spark::all_default_scalar_functions()
            .into_iter()
            .find(|f| f.name() == "hex")
            .expect("a function of the extension");
        let argument = Arc::new(Column::new("n", 0)) as Arc<dyn PhysicalExpr>;
        let options = Arc::new(ConfigOptions::default());
        let key = ScalarFunctionExpr::try_new(function, vec![argument], &schema, options);
        let keys: Vec<Arc<dyn PhysicalExpr>> = vec![Arc::new(key.expect("a call"))];
        let writer = SortShuffleWriterExec::try_new(
            "job".into(),
            1,
            input,
            String::new(),
            Partitioning::Hash(keys.clone(), 3),
            SortShuffleConfig::new(true, 100),
        );
        let codec = FiresteelCodec::default();
        let plan: Arc<dyn ExecutionPlan> = Arc::new(writer.expect("a writer"));
        let bytes = codec.encode_plan(&plan).expect("encodes");
        let back = codec.decode_plan(&bytes, &TaskContext::default()).expect("decodes");
        let back = back.downcast_ref::<SortShuffleWriterExec>().expect("a writer");
        let Partitioning::Hash(decoded, 3) = back.shuffle_output_partitioning() else {
            panic!("three partitions by hash");
        };
        assert_eq!(decoded, &keys);
    }
}
