//! Wire form of Ballista's shuffle nodes where theirs would lose our functions.
//!
//! Ballista encodes the expressions nested in its own nodes with a codec that knows functions by
//! name only. The hash keys of a shuffle may hold one of ours, which carries options, so the writer
//! is encoded here; the reader's declared partitioning is only of use to planning, which is over
//! when a task is encoded, and is dropped where it could not be decoded.

use super::*;
use ballista_core::execution_plans::sort_shuffle::SortShuffleConfig;
use ballista_core::serde::protobuf::SortShuffleWriterExecNode;
use datafusion_proto::protobuf::PhysicalHashRepartition;

/// The writer of hash-partitioned stages.
pub(super) static SORT_SHUFFLE_WRITER: NodeCodec =
    NodeCodec { name: "sort_shuffle_writer", encode: encode_writer, decode: decode_writer };

fn encode_writer(node: &Arc<dyn ExecutionPlan>, encoder: &Encoder<'_>) -> Result<Option<Vec<u8>>> {
    let Some(writer) = node.downcast_ref::<SortShuffleWriterExec>() else {
        return Ok(None);
    };
    let Partitioning::Hash(keys, partitions) = writer.shuffle_output_partitioning() else {
        return exec_err!("a sort shuffle must be hash partitioned");
    };
    let hash_expr = keys.iter().map(|k| encoder.expr_node(k)).collect::<Result<Vec<_>>>()?;
    let config = writer.config();
    let message = SortShuffleWriterExecNode {
        job_id: writer.job_id().to_string(),
        stage_id: writer.stage_id() as u32,
        input: None,
        output_partitioning: Some(PhysicalHashRepartition { hash_expr, partition_count: *partitions as u64 }),
        batch_size: config.batch_size as u64,
        memory_limit_per_task_bytes: Some(config.memory_limit_per_task_bytes as u64),
    };
    Ok(Some(message.encode_to_vec()))
}

fn decode_writer(
    body: &[u8],
    inputs: &[Arc<dyn ExecutionPlan>],
    decoder: &Decoder<'_>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let malformed = |what: &str| exec_datafusion_err!("a shuffle writer arrived malformed: {what}");
    let message = SortShuffleWriterExecNode::decode(body).map_err(|e| malformed(&e.to_string()))?;
    let [input] = inputs else {
        return Err(malformed("it must have one input"));
    };
    let hash = message.output_partitioning.ok_or_else(|| malformed("no partitioning"))?;
    let schema = input.schema();
    let keys = hash.hash_expr.iter().map(|k| decoder.expr_node(k, &schema)).collect::<Result<Vec<_>>>()?;
    let mut config = SortShuffleConfig::new(true, message.batch_size.max(1) as usize);
    if let Some(bytes) = message.memory_limit_per_task_bytes {
        config = config.with_memory_limit_per_task_bytes(bytes as usize);
    }
    let writer = SortShuffleWriterExec::try_new(
        message.job_id.into(),
        message.stage_id as usize,
        Arc::clone(input),
        // The executor fills in its own directory.
        String::new(),
        Partitioning::Hash(keys, hash.partition_count as usize),
        config,
    )?;
    Ok(Arc::new(writer))
}

/// A shuffle reader hashed on more than columns loses its declared partitioning; any other node is
/// returned as it is.
pub(super) fn reader_without_nested_functions(node: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let Some(reader) = node.downcast_ref::<ShuffleReaderExec>() else {
        return Ok(node);
    };
    let Partitioning::Hash(keys, partitions) = &reader.properties().partitioning else {
        return Ok(node);
    };
    if reader.broadcast || reader.coalesce.is_some() || keys.iter().all(|k| k.is::<Column>()) {
        return Ok(node);
    }
    let plain = ShuffleReaderExec::try_new(
        reader.stage_id,
        reader.partition.clone(),
        reader.schema(),
        Partitioning::UnknownPartitioning(*partitions),
    )?;
    Ok(Arc::new(plain))
}
