//! Wire form of functions.
//!
//! A kernel of ours travels with its options. A function of DataFusion's travels by name, but only
//! when the name leads back to the very same implementation: DataFusion and its Spark extension use
//! the same name for different functions, and an executor must not pick the other one.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use ballista_core::extension::{ballista_aggregate_functions, ballista_scalar_functions, ballista_window_functions};
use ballista_core::registry::BallistaFunctionRegistry;
use datafusion::common::{Result, exec_datafusion_err, exec_err};
use datafusion::logical_expr::{AggregateUDF, HigherOrderUDF, ScalarUDF};

/// Payload that stands for "the function of this name in DataFusion's Spark extension".
const EXTENSION: &[u8] = b"spark-extension";

/// The functions that plans may name without a payload, as every executor registers them.
pub fn function_registry() -> BallistaFunctionRegistry {
    BallistaFunctionRegistry {
        scalar_functions: NAMED.scalar.clone(),
        aggregate_functions: NAMED.aggregate.clone(),
        window_functions: ballista_window_functions().into_iter().map(|f| (f.name().to_owned(), f)).collect(),
        ..Default::default()
    }
}

struct Named {
    scalar: HashMap<String, Arc<ScalarUDF>>,
    aggregate: HashMap<String, Arc<AggregateUDF>>,
}

static NAMED: LazyLock<Named> = LazyLock::new(|| Named {
    scalar: by_name(ballista_scalar_functions(), |f| f.name()),
    aggregate: by_name(ballista_aggregate_functions(), |f| f.name()),
});

static SPARK_EXTENSION: LazyLock<Named> = LazyLock::new(|| Named {
    scalar: by_name(datafusion_spark::all_default_scalar_functions(), |f| f.name()),
    aggregate: by_name(datafusion_spark::all_default_aggregate_functions(), |f| f.name()),
});

fn by_name<T>(functions: Vec<Arc<T>>, name: fn(&T) -> &str) -> HashMap<String, Arc<T>> {
    functions.into_iter().map(|f| (name(&f).to_owned(), f)).collect()
}

fn scalar_type(udf: &ScalarUDF) -> TypeId {
    let inner: &dyn Any = udf.inner().as_ref();
    inner.type_id()
}

fn aggregate_type(udaf: &AggregateUDF) -> TypeId {
    let inner: &dyn Any = udaf.inner().as_ref();
    inner.type_id()
}

pub(super) fn encode_udf(udf: &ScalarUDF, buf: &mut Vec<u8>) -> Result<()> {
    if let Some(kernel) = ::functions::wire::encode_udf(udf)? {
        buf.extend_from_slice(&kernel);
        return Ok(());
    }
    let (name, own) = (udf.name(), scalar_type(udf));
    let is_in = |named: &Named| named.scalar.get(name).is_some_and(|f| scalar_type(f) == own);
    encode_by_name(name, is_in, buf)
}

pub(super) fn encode_udaf(udaf: &AggregateUDF, buf: &mut Vec<u8>) -> Result<()> {
    if let Some(kernel) = ::functions::wire::encode_udaf(udaf)? {
        buf.extend_from_slice(&kernel);
        return Ok(());
    }
    let (name, own) = (udaf.name(), aggregate_type(udaf));
    let is_in = |named: &Named| named.aggregate.get(name).is_some_and(|f| aggregate_type(f) == own);
    encode_by_name(name, is_in, buf)
}

fn encode_by_name(name: &str, is_in: impl Fn(&Named) -> bool, buf: &mut Vec<u8>) -> Result<()> {
    if is_in(&NAMED) {
        return Ok(());
    }
    if is_in(&SPARK_EXTENSION) {
        buf.extend_from_slice(EXTENSION);
        return Ok(());
    }
    exec_err!("the function {name} has no wire form")
}

pub(super) fn decode_udf(name: &str, buf: &[u8]) -> Result<Arc<ScalarUDF>> {
    match buf {
        [] => NAMED.scalar.get(name).cloned().ok_or_else(|| unknown(name)),
        EXTENSION => SPARK_EXTENSION.scalar.get(name).cloned().ok_or_else(|| unknown(name)),
        kernel => ::functions::wire::decode_udf(kernel).map(Arc::new),
    }
}

pub(super) fn decode_udaf(name: &str, buf: &[u8]) -> Result<Arc<AggregateUDF>> {
    match buf {
        [] => NAMED.aggregate.get(name).cloned().ok_or_else(|| unknown(name)),
        EXTENSION => SPARK_EXTENSION.aggregate.get(name).cloned().ok_or_else(|| unknown(name)),
        kernel => ::functions::wire::decode_udaf(kernel).map(Arc::new),
    }
}

pub(super) fn encode_higher_order(udf: &HigherOrderUDF, buf: &mut Vec<u8>) -> Result<()> {
    // DataFusion's own travel by name: there is no second set of them.
    if let Some(kernel) = ::functions::wire::encode_hof(udf)? {
        buf.extend_from_slice(&kernel);
    }
    Ok(())
}

pub(super) fn decode_higher_order(name: &str, buf: &[u8]) -> Result<Arc<HigherOrderUDF>> {
    match buf {
        [] => Err(unknown(name)),
        kernel => ::functions::wire::decode_hof(kernel).map(Arc::new),
    }
}

fn unknown(name: &str) -> datafusion::common::DataFusionError {
    exec_datafusion_err!("this executor knows no function named {name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_named_function_comes_back_as_itself() {
        for named in [&*NAMED, &*SPARK_EXTENSION] {
            for (name, udf) in &named.scalar {
                // Registered under an alias of its own, such a function is found by its own name.
                if udf.name() != name {
                    continue;
                }
                let mut buf = Vec::new();
                encode_udf(udf, &mut buf).expect(name);
                let back = decode_udf(name, &buf).expect(name);
                assert_eq!(scalar_type(udf), scalar_type(&back), "{name}");
            }
            for (name, udaf) in &named.aggregate {
                let mut buf = Vec::new();
                encode_udaf(udaf, &mut buf).expect(name);
                let back = decode_udaf(name, &buf).expect(name);
                assert_eq!(aggregate_type(udaf), aggregate_type(&back), "{name}");
            }
        }
    }

    #[test]
    fn unknown_functions_are_errors() {
        assert!(decode_udf("no_such_function", &[]).is_err());
        assert!(decode_udaf("no_such_function", EXTENSION).is_err());
    }
}
