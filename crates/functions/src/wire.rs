//! The wire form of kernels: name, result type and options, so that a plan can go to another process.

use arrow::datatypes::{DataType as Arrow, Field, Schema};
use arrow::ipc::convert::IpcSchemaEncoder;
use datafusion::common::{DataFusionError, Result};
use datafusion::logical_expr::{AggregateUDF, HigherOrderUDF, ScalarUDF};
use serde::{Deserialize, Serialize};

use crate::aggregate::KernelUdaf;
use crate::hof::HofUdf;
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

#[derive(Serialize, Deserialize)]
struct WireHof {
    kernel: WireKernel,
    /// Parameter types of each lambda: an Arrow IPC schema message with a field for each.
    params: Vec<Vec<u8>>,
}

/// The wire form of a higher-order function, `None` if it is not one of ours.
///
/// # Errors
/// If the options cannot be written.
pub fn encode_hof(udf: &HigherOrderUDF) -> Result<Option<Vec<u8>>> {
    let Some(h) = (udf.inner().as_ref() as &dyn std::any::Any).downcast_ref::<HofUdf>() else { return Ok(None) };
    let params = h.params.iter().map(|types| {
        let fields: Vec<Field> = types.iter().map(|t| Field::new("p", t.clone(), true)).collect();
        IpcSchemaEncoder::new().schema_to_fb(&Schema::new(fields)).finished_data().to_vec()
    });
    let wire = WireHof {
        kernel: WireKernel {
            name: h.kernel.name.to_string(),
            return_type: encode_type(&h.return_type),
            options: h.options.clone(),
        },
        params: params.collect(),
    };
    serde_json::to_vec(&wire)
        .map(Some)
        .map_err(|e| DataFusionError::Internal(format!("cannot encode {}: {e}", h.kernel.name)))
}

/// The higher-order function behind its wire form.
///
/// # Errors
/// If the bytes are not ours or name an unknown kernel.
pub fn decode_hof(bytes: &[u8]) -> Result<HigherOrderUDF> {
    let wire: WireHof = serde_json::from_slice(bytes)
        .map_err(|e| DataFusionError::Internal(format!("cannot decode a function: {e}")))?;
    let kernel = registry::hof_kernel(&wire.kernel.name).ok_or_else(|| unknown(&wire.kernel.name))?;
    let params = wire
        .params
        .iter()
        .map(|bytes| {
            let schema = arrow::ipc::root_as_schema(bytes)
                .map_err(|e| DataFusionError::Internal(format!("cannot decode a lambda's parameters: {e}")))?;
            let schema = arrow::ipc::convert::fb_to_schema(schema);
            Ok(schema.fields().iter().map(|f| f.data_type().clone()).collect())
        })
        .collect::<Result<Vec<Vec<Arrow>>>>()?;
    let udf = HofUdf::new(kernel, decode_type(&wire.kernel.return_type)?, params, wire.kernel.options);
    Ok(HigherOrderUDF::new_from_impl(udf))
}
