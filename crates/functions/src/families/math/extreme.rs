//! `greatest` and `least`.

use arrow::array::{Array, ArrayRef, make_comparator};
use arrow::compute::{SortOptions, interleave};
use datafusion::common::Result as DfResult;
use datafusion::logical_expr::ColumnarValue;
use spark::types::DataType;
use spark::{Error, Result};

use crate::call::Call;
use crate::coerce::{cast_implicitly, common_type_without_strings};
use crate::families::predicate::{comparison_key, is_orderable};
use crate::kernel::{Kernel, KernelArgs, KernelUdf};
use crate::registry::{Build, Function};
use crate::typed::Typed;
use crate::types::to_arrow;

/// What users call.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "greatest", build: Build::Scalar(extreme) },
    Function { name: "least", build: Build::Scalar(extreme) },
];

/// What they run.
pub const KERNELS: &[Kernel] =
    &[Kernel::new("greatest", |a| extreme_kernel(a, true)), Kernel::new("least", |a| extreme_kernel(a, false))];

fn extreme(mut call: Call) -> Result<Typed> {
    if call.args.len() < 2 {
        return Err(call.wrong_arity("> 1"));
    }
    let all: Vec<usize> = (0..call.args.len()).collect();
    call.collate(&all)?;
    let name = call.display_name();
    let types: Vec<DataType> = call.args.iter().map(|a| a.ty.clone()).collect();
    let Some(ty) = common_type_without_strings(&types, call.settings) else {
        let types: Vec<String> = types.iter().map(|t| format!("\"{}\"", t.sql())).collect();
        return Err(call
            .mismatch("DATA_DIFF_TYPES")
            .param("functionName", format!("`{}`", call.name))
            .param("dataType", format!("[{}]", types.join(", "))));
    };
    if !is_orderable(&ty) {
        return Err(call
            .mismatch("INVALID_ORDERING_TYPE")
            .param("functionName", format!("`{}`", call.name))
            .param("dataType", format!("\"{}\"", ty.sql()))
            .at(call.origin.as_ref()));
    }
    let args: Vec<Typed> = call.args.iter().map(|a| cast_implicitly(a, &ty, call.settings)).collect();
    let nullable = args.iter().all(|a| a.nullable);
    // What is compared goes before what is chosen from.
    let keys = args.iter().map(comparison_key);
    let exprs = keys.chain(args.iter().map(|a| a.expr.clone())).collect();
    let Some(kernel) = KERNELS.iter().find(|k| k.name == call.name) else {
        return Err(Error::internal(format!("no kernel for {}", call.name)));
    };
    let expr = KernelUdf::call(kernel, to_arrow(&ty), call.options(), exprs);
    Ok(Typed::new(expr, ty, nullable, name))
}

fn extreme_kernel(args: &KernelArgs, greatest: bool) -> DfResult<ColumnarValue> {
    let arrays = args.arrays()?;
    let (keys, values) = arrays.split_at(arrays.len() / 2);
    let mut best: Vec<(usize, usize)> = (0..args.rows).map(|row| (0, row)).collect();
    for (i, candidate) in keys.iter().enumerate().skip(1) {
        for against in 0..i {
            choose(&mut best, keys, against, i, candidate, greatest)?;
        }
    }
    let values: Vec<&dyn Array> = values.iter().map(AsRef::as_ref).collect();
    Ok(ColumnarValue::Array(interleave(&values, &best)?))
}

/// Takes `candidate` for the rows whose best so far is in array `against` and is beaten (or null).
fn choose(
    best: &mut [(usize, usize)],
    keys: &[ArrayRef],
    against: usize,
    i: usize,
    candidate: &ArrayRef,
    greatest: bool,
) -> DfResult<()> {
    let held = &keys[against];
    let compare = make_comparator(candidate, held, SortOptions::default())?;
    for (row, choice) in best.iter_mut().enumerate() {
        if choice.0 != against || candidate.is_null(row) {
            continue;
        }
        let order = compare(row, row);
        if held.is_null(row) || (greatest && order.is_gt()) || (!greatest && order.is_lt()) {
            *choice = (i, row);
        }
    }
    Ok(())
}
