//! The wire form of kernels: name, result type and options, so that a plan can go to another process.

use arrow::datatypes::{DataType as Arrow, Field, Schema};
use arrow::ipc::convert::IpcSchemaEncoder;
use datafusion::common::{DataFusionError, Result};
use datafusion::logical_expr::{AggregateUDF, ScalarUDF};
use serde::{Deserialize, Serialize};

use crate::aggregate::KernelUdaf;
use crate::kernel::{KernelUdf, Options};
use crate::registry;

#[derive(Serialize, Deserialize)]
struct WireKernel {
    name: String,
    /// Arrow IPC schema message with the result type as its only field.
    return_type: Vec<u8>,
    options: Options,
}

/// The wire form of a scalar function, `None` if it is not a kernel.
///
/// # Errors
/// If the options cannot be written.
pub fn encode_udf(udf: &ScalarUDF) -> Result<Option<Vec<u8>>> {
    let Some(k) = (udf.inner().as_ref() as &dyn std::any::Any).downcast_ref::<KernelUdf>() else { return Ok(None) };
    encode(k.kernel.name, &k.return_type, &k.options).map(Some)
}

/// The scalar function behind its wire form.
///
/// # Errors
/// If the bytes are not ours or name an unknown kernel.
pub fn decode_udf(bytes: &[u8]) -> Result<ScalarUDF> {
    let wire = decode(bytes)?;
    let kernel = registry::kernel(&wire.name).ok_or_else(|| unknown(&wire.name))?;
    Ok(ScalarUDF::new_from_impl(KernelUdf::new(kernel, decode_type(&wire.return_type)?, wire.options)))
}

/// The wire form of an aggregate, `None` if it is not a kernel.
///
/// # Errors
/// If the options cannot be written.
pub fn encode_udaf(udaf: &AggregateUDF) -> Result<Option<Vec<u8>>> {
    let Some(k) = (udaf.inner().as_ref() as &dyn std::any::Any).downcast_ref::<KernelUdaf>() else { return Ok(None) };
    encode(k.kernel.name, &k.return_type, &k.options).map(Some)
}

/// The aggregate behind its wire form.
///
/// # Errors
/// If the bytes are not ours or name an unknown kernel.
pub fn decode_udaf(bytes: &[u8]) -> Result<AggregateUDF> {
    let wire = decode(bytes)?;
    let kernel = registry::aggregate_kernel(&wire.name).ok_or_else(|| unknown(&wire.name))?;
    Ok(AggregateUDF::new_from_impl(KernelUdaf::new(kernel, decode_type(&wire.return_type)?, wire.options)))
}

fn encode(name: &str, return_type: &Arrow, options: &Options) -> Result<Vec<u8>> {
    let wire = WireKernel { name: name.to_string(), return_type: encode_type(return_type), options: options.clone() };
    serde_json::to_vec(&wire).map_err(|e| DataFusionError::Internal(format!("cannot encode {name}: {e}")))
}

fn decode(bytes: &[u8]) -> Result<WireKernel> {
    serde_json::from_slice(bytes).map_err(|e| DataFusionError::Internal(format!("cannot decode a function: {e}")))
}

fn unknown(name: &str) -> DataFusionError {
    DataFusionError::Internal(format!("this process has no function kernel named {name}; are all of one version?"))
}

fn encode_type(data_type: &Arrow) -> Vec<u8> {
    let schema = Schema::new(vec![Field::new("r", data_type.clone(), true)]);
    IpcSchemaEncoder::new().schema_to_fb(&schema).finished_data().to_vec()
}

fn decode_type(bytes: &[u8]) -> Result<Arrow> {
    let schema = arrow::ipc::root_as_schema(bytes)
        .map_err(|e| DataFusionError::Internal(format!("cannot decode a function's result type: {e}")))?;
    let schema = arrow::ipc::convert::fb_to_schema(schema);
    schema
        .fields()
        .first()
        .map(|f| f.data_type().clone())
        .ok_or_else(|| DataFusionError::Internal("a function's result type is missing".into()))
}
