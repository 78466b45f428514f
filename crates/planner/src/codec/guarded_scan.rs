//! Wire form of guarded scans: the scan without its guard, what the guard passes over, and what stands in for
//! columns that files lack.

use super::*;
use crate::source::AddedDefaults;
use crate::source::bad_files::BadFiles;
use crate::source::guarded::GuardedSource;
use datafusion::datasource::physical_plan::{FileScanConfig, FileScanConfigBuilder, FileSource};
use datafusion::datasource::source::DataSourceExec;

/// Scans of [`GuardedSource`].
pub(super) static GUARDED_SCAN: NodeCodec =
    NodeCodec { name: "guarded_scan", encode: encode_scan, decode: decode_scan };

fn config_of(node: &Arc<dyn ExecutionPlan>) -> Option<&FileScanConfig> {
    let source: &dyn std::any::Any = node.downcast_ref::<DataSourceExec>()?.data_source().as_ref();
    source.downcast_ref::<FileScanConfig>()
}

fn with_source(config: &FileScanConfig, source: Arc<dyn FileSource>) -> Arc<dyn ExecutionPlan> {
    DataSourceExec::from_data_source(FileScanConfigBuilder::from(config.clone()).with_source(source).build())
}

fn encode_scan(node: &Arc<dyn ExecutionPlan>, encoder: &Encoder<'_>) -> Result<Option<Vec<u8>>> {
    let Some(config) = config_of(node) else { return Ok(None) };
    let source: &dyn std::any::Any = config.file_source().as_ref();
    let Some(source) = source.downcast_ref::<GuardedSource>() else { return Ok(None) };
    let (inner, policy, defaults) = source.parts();
    let mut payload = vec![u8::from(policy.ignore_corrupt) | u8::from(policy.ignore_missing) << 1];
    let texts = serde_json::to_vec(&defaults.to_texts()?).map_err(|e| exec_datafusion_err!("{e}"))?;
    let length = u32::try_from(texts.len()).map_err(|_| exec_datafusion_err!("defaults of 4 GiB"))?;
    payload.extend(length.to_le_bytes());
    payload.extend(texts);
    payload.extend(encoder.codec.encode_plan(&with_source(config, Arc::clone(inner)))?);
    Ok(Some(payload))
}

fn decode_scan(body: &[u8], _: &[Arc<dyn ExecutionPlan>], decoder: &Decoder<'_>) -> Result<Arc<dyn ExecutionPlan>> {
    let malformed = || exec_datafusion_err!("a guarded scan arrived malformed");
    let (&flags, body) = body.split_first().ok_or_else(malformed)?;
    let (length, body) = body.split_first_chunk::<4>().ok_or_else(malformed)?;
    let length = usize::try_from(u32::from_le_bytes(*length)).map_err(|_| malformed())?;
    let (texts, scan) = body.split_at_checked(length).ok_or_else(malformed)?;
    let texts = serde_json::from_slice(texts).map_err(|_| malformed())?;
    let defaults = Arc::new(AddedDefaults::from_texts(&texts)?);
    let policy = BadFiles { ignore_corrupt: flags & 1 != 0, ignore_missing: flags & 2 != 0 };
    let scan = decoder.codec.decode_plan(scan, decoder.ctx)?;
    let config = config_of(&scan).ok_or_else(malformed)?;
    Ok(with_source(config, GuardedSource::wrap(Arc::clone(config.file_source()), policy, defaults)))
}
