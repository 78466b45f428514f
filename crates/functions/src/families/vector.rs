//! Functions of vectors: arrays of floats.

use std::sync::Arc;

use arrow::array::{Array, AsArray, Float32Array, Float32Builder, ListBuilder};
use arrow::datatypes::{DataType as Arrow, Float32Type};
use datafusion::common::Result as DfResult;
use datafusion::logical_expr::{ColumnarValue, lit};
use spark::types::DataType;
use spark::{Error, Result};

use crate::call::Call;
use crate::cast::format::float_to_string;
use crate::coerce::Expected;
use crate::error::fail;
use crate::families::rows::push_default;
use crate::kernel::{Kernel, KernelArgs};
use crate::registry::{Build, Function};
use crate::typed::Typed;
use crate::types::list_field;

/// What users call.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "vector_inner_product", build: Build::Scalar(|c| pair(c, &INNER_PRODUCT)) },
    Function { name: "vector_l2_distance", build: Build::Scalar(|c| pair(c, &L2_DISTANCE)) },
    Function { name: "vector_cosine_similarity", build: Build::Scalar(|c| pair(c, &COSINE_SIMILARITY)) },
    Function { name: "vector_norm", build: Build::Scalar(|c| degree(c, &NORM, DataType::Float)) },
    Function {
        name: "vector_normalize",
        build: Build::Scalar(|c| degree(c, &NORMALIZE, DataType::array(DataType::Float, true))),
    },
];

/// What they run.
pub const KERNELS: &[Kernel] = &[INNER_PRODUCT, L2_DISTANCE, COSINE_SIMILARITY, NORM, NORMALIZE];

const INNER_PRODUCT: Kernel = Kernel::new("vector_inner_product", |a| pair_kernel(a, |x, y| Some(dot(x, y))));
const L2_DISTANCE: Kernel = Kernel::new("vector_l2_distance", |a| {
    pair_kernel(a, |x, y| Some(x.iter().zip(y).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>().sqrt()))
});
const COSINE_SIMILARITY: Kernel = Kernel::new("vector_cosine_similarity", |a| {
    pair_kernel(a, |x, y| {
        let norms = (dot(x, x) * dot(y, y)).sqrt();
        (norms != 0.0).then(|| dot(x, y) / norms)
    })
});
const NORM: Kernel = Kernel::new("vector_norm", norm_kernel);
const NORMALIZE: Kernel = Kernel::new("vector_normalize", normalize_kernel);

/// Nothing but an array of floats will do.
pub(crate) fn expect_vector(call: &Call, i: usize) -> Result<()> {
    match &call.args[i].ty {
        DataType::Array { element, .. } if **element == DataType::Float => Ok(()),
        _ => Err(call.unexpected_type(i, "\"ARRAY<FLOAT>\"")),
    }
}

fn pair(call: Call, kernel: &'static Kernel) -> Result<Typed> {
    call.arity(2..=2)?;
    expect_vector(&call, 0)?;
    expect_vector(&call, 1)?;
    Ok(call.kernel(kernel, DataType::Float, true))
}

fn degree(mut call: Call, kernel: &'static Kernel, ty: DataType) -> Result<Typed> {
    call.arity(1..=2)?;
    if call.args.len() == 1 {
        push_default(&mut call, Typed::new(lit(2.0f32), DataType::Float, false, "2.0"));
    }
    expect_vector(&call, 0)?;
    super::rows::strict(&mut call, 1, Expected::Type(DataType::Float))?;
    Ok(call.kernel(kernel, ty, true))
}

fn dot(x: &[f32], y: &[f32]) -> f64 {
    x.iter().zip(y).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

/// The vectors of an argument, row by row; one with a null inside is none.
fn vectors(args: &KernelArgs, i: usize) -> DfResult<Vec<Option<Vec<f32>>>> {
    let array = args.array(i)?;
    let list = array.as_list::<i32>();
    Ok((0..list.len())
        .map(|row| {
            if list.is_null(row) {
                return None;
            }
            let values = list.value(row);
            let values = values.as_primitive::<Float32Type>();
            (values.null_count() == 0).then(|| values.values().to_vec())
        })
        .collect())
}

fn pair_kernel(args: &KernelArgs, function: fn(&[f32], &[f32]) -> Option<f64>) -> DfResult<ColumnarValue> {
    let mut out = Float32Array::builder(args.rows);
    for pair in vectors(args, 0)?.into_iter().zip(vectors(args, 1)?) {
        let (Some(x), Some(y)) = pair else {
            out.append_null();
            continue;
        };
        if x.len() != y.len() {
            return fail(
                Error::runtime("VECTOR_DIMENSION_MISMATCH")
                    .param("functionName", format!("`{}`", args.udf.kernel.name))
                    .param("leftDim", x.len().to_string())
                    .param("rightDim", y.len().to_string()),
            );
        }
        out.append_option(function(&x, &y).map(|v| v as f32));
    }
    Ok(ColumnarValue::Array(Arc::new(out.finish())))
}

/// The norm of degree 1, 2 or infinity.
fn norm(args: &KernelArgs, x: &[f32], degree: f32) -> DfResult<f64> {
    let sizes = x.iter().map(|v| f64::from(v.abs()));
    Ok(match degree {
        1.0 => sizes.sum(),
        2.0 => dot(x, x).sqrt(),
        f32::INFINITY => sizes.fold(0.0, f64::max),
        other => {
            return fail(
                Error::runtime("INVALID_VECTOR_NORM_DEGREE")
                    .param("functionName", format!("`{}`", args.udf.kernel.name))
                    .param("degree", float_to_string(other)),
            );
        }
    })
}

/// Calls `each` with the vector, its norm and the builder's turn for every row.
fn with_norms(args: &KernelArgs, mut each: impl FnMut(Option<(Vec<f32>, f64)>)) -> DfResult<()> {
    let degrees = args.array(1)?;
    let degrees = degrees.as_primitive::<Float32Type>();
    for (row, x) in vectors(args, 0)?.into_iter().enumerate() {
        each(match x {
            Some(x) if degrees.is_valid(row) => {
                let norm = norm(args, &x, degrees.value(row))?;
                Some((x, norm))
            }
            _ => None,
        });
    }
    Ok(())
}

fn norm_kernel(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let mut out = Float32Array::builder(args.rows);
    with_norms(args, |v| out.append_option(v.map(|(_, norm)| norm as f32)))?;
    Ok(ColumnarValue::Array(Arc::new(out.finish())))
}

fn normalize_kernel(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let mut out = ListBuilder::new(Float32Builder::new()).with_field(list_field(Arrow::Float32));
    with_norms(args, |v| match v {
        Some((x, norm)) if norm != 0.0 => {
            x.iter().for_each(|v| out.values().append_value((f64::from(*v) / norm) as f32));
            out.append(true);
        }
        _ => out.append(false),
    })?;
    Ok(ColumnarValue::Array(Arc::new(out.finish())))
}
