//! Wire form of scans over files of text records: DataFusion's for the scan, ours for the format.

use super::*;
use crate::source::rows::{RowFormat, RowSource};
use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion_proto::physical_plan::from_proto::{parse_protobuf_file_scan_config, parse_table_schema_from_proto};
use datafusion_proto::physical_plan::to_proto::serialize_file_scan_config;
use datafusion_proto::physical_plan::{DefaultPhysicalProtoConverter, PhysicalPlanDecodeContext};
use datafusion_proto::protobuf::FileScanExecConf;
use serde::{Deserialize, Serialize};

/// Scans of [`RowSource`].
pub(super) static ROW_SCAN: NodeCodec = NodeCodec { name: "row_scan", encode: encode_scan, decode: decode_scan };

/// What DataFusion's form of a scan does not say.
#[derive(Serialize, Deserialize)]
struct Source {
    format: RowFormat,
    splittable: bool,
}

fn encode_scan(node: &Arc<dyn ExecutionPlan>, encoder: &Encoder<'_>) -> Result<Option<Vec<u8>>> {
    let Some(scan) = node.downcast_ref::<DataSourceExec>() else {
        return Ok(None);
    };
    let source: &dyn std::any::Any = scan.data_source().as_ref();
    let Some(config) = source.downcast_ref::<FileScanConfig>() else {
        return Ok(None);
    };
    let source: &dyn std::any::Any = config.file_source().as_ref();
    let Some(source) = source.downcast_ref::<RowSource>() else {
        return Ok(None);
    };
    let ours = Source { format: source.format().clone(), splittable: source.splittable() };
    let ours =
        serde_json::to_vec(&ours).map_err(|e| exec_datafusion_err!("a file format could not be encoded: {e}"))?;
    let scan = serialize_file_scan_config(config, encoder.codec, &DefaultPhysicalProtoConverter {})?;
    let length =
        u32::try_from(ours.len()).map_err(|_| exec_datafusion_err!("a file format takes {} bytes", ours.len()))?;
    let mut payload = length.to_le_bytes().to_vec();
    payload.extend_from_slice(&ours);
    payload.extend_from_slice(&scan.encode_to_vec());
    Ok(Some(payload))
}

fn decode_scan(body: &[u8], _: &[Arc<dyn ExecutionPlan>], decoder: &Decoder<'_>) -> Result<Arc<dyn ExecutionPlan>> {
    let malformed = |what: &str| exec_datafusion_err!("a file scan arrived malformed: {what}");
    let (length, rest) = body.split_first_chunk().ok_or_else(|| malformed("no length"))?;
    let (ours, scan) =
        rest.split_at_checked(u32::from_le_bytes(*length) as usize).ok_or_else(|| malformed("truncated"))?;
    let ours: Source = serde_json::from_slice(ours).map_err(|e| malformed(&e.to_string()))?;
    let scan = FileScanExecConf::decode(scan).map_err(|e| malformed(&e.to_string()))?;
    let schema = parse_table_schema_from_proto(&scan)?;
    let source = Arc::new(RowSource::new(Arc::new(ours.format), schema, ours.splittable));
    let ctx = PhysicalPlanDecodeContext::new(decoder.ctx, decoder.codec);
    let converter = DefaultPhysicalProtoConverter {};
    let config = parse_protobuf_file_scan_config(&scan, &ctx, &converter, source)?;
    Ok(DataSourceExec::from_data_source(config))
}
