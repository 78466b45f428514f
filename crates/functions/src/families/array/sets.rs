//! Arrays as sets: `array_distinct`, `array_union`, `array_except`, `array_intersect`, `arrays_overlap`.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::Array;
use datafusion::common::Result as DfResult;
use datafusion::logical_expr::ColumnarValue;
use spark::Result;
use spark::types::DataType;

use super::super::lists::{ListPicks, Lists, contains_null, element, element_type};
use super::super::rows::{booleans, row_count};
use super::{by_element, expect_array, expect_orderable, keys_of, unify_arrays};
use crate::call::Call;
use crate::coerce::Expected;
use crate::kernel::{Kernel, KernelArgs};
use crate::registry::{Build, Function};
use crate::typed::Typed;

/// Functions of this file.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "array_distinct", build: Build::Scalar(distinct) },
    Function { name: "array_union", build: Build::Scalar(set) },
    Function { name: "array_except", build: Build::Scalar(set) },
    Function { name: "array_intersect", build: Build::Scalar(set) },
    Function { name: "arrays_overlap", build: Build::Scalar(overlap) },
];

/// Kernels of this file.
pub const KERNELS: &[Kernel] = &[
    Kernel::new("array_distinct", eval_distinct),
    Kernel::new("array_union", eval_union),
    Kernel::new("array_except", |a| eval_filter(a, false)),
    Kernel::new("array_intersect", |a| eval_filter(a, true)),
    Kernel::new("arrays_overlap", eval_overlap),
];

fn distinct(mut call: Call) -> Result<Typed> {
    call.arity(1..=1)?;
    call.typed_null(0, Expected::Array)?;
    expect_array(&call, 0)?;
    let ty = call.args[0].ty.clone();
    expect_orderable(&call, &element(&ty), &element(&ty))?;
    let nullable = call.args[0].nullable;
    let options = by_element(&call, &element(&ty));
    Ok(call.kernel_with(&KERNELS[0], options, ty, nullable))
}

fn set(mut call: Call) -> Result<Typed> {
    let name = call.display_name();
    let common = unify_arrays(&mut call)?;
    let (a, b) = (contains_null(&call.args[0].ty), contains_null(&call.args[1].ty));
    let (index, nulls) = match call.name.as_str() {
        "array_union" => (1, a || b),
        "array_except" => (2, a),
        _ => (3, a && b),
    };
    let nullable = call.any_nullable();
    let options = by_element(&call, &common);
    Ok(call.kernel_with(&KERNELS[index], options, DataType::array(common, nulls), nullable).named(name))
}

fn overlap(mut call: Call) -> Result<Typed> {
    let name = call.display_name();
    let common = unify_arrays(&mut call)?;
    let options = by_element(&call, &common);
    let nullable = call.any_nullable() || call.args.iter().any(|a| contains_null(&a.ty));
    Ok(call.kernel_with(&KERNELS[4], options, DataType::Boolean, nullable).named(name))
}

fn eval_distinct(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let lists = Lists::of(args, 0)?;
    let keys = keys_of(args, &[lists.values()])?;
    let mut out = ListPicks::new(vec![Arc::clone(lists.values())], &element_type(args)?);
    let mut seen = HashSet::new();
    for row in 0..row_count(args) {
        let Some(range) = lists.get(row) else {
            out.close_null();
            continue;
        };
        seen.clear();
        for i in range {
            if seen.insert(keys[0].row(i)) {
                out.push(0, i);
            }
        }
        out.close();
    }
    out.finish(args)
}

fn eval_union(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let lists = [Lists::of(args, 0)?, Lists::of(args, 1)?];
    let keys = keys_of(args, &[lists[0].values(), lists[1].values()])?;
    let sources = lists.iter().map(|l| Arc::clone(l.values())).collect();
    let mut out = ListPicks::new(sources, &element_type(args)?);
    let mut seen = HashSet::new();
    for row in 0..row_count(args) {
        let Some((a, b)) = lists[0].get(row).zip(lists[1].get(row)) else {
            out.close_null();
            continue;
        };
        seen.clear();
        for (source, range) in [(0, a), (1, b)] {
            for i in range {
                if seen.insert(keys[source].row(i)) {
                    out.push(source, i);
                }
            }
        }
        out.close();
    }
    out.finish(args)
}

/// The distinct elements of the first array that are in the second (`keep`) or are not.
fn eval_filter(args: &KernelArgs, keep: bool) -> DfResult<ColumnarValue> {
    let (a, b) = (Lists::of(args, 0)?, Lists::of(args, 1)?);
    let keys = keys_of(args, &[a.values(), b.values()])?;
    let mut out = ListPicks::new(vec![Arc::clone(a.values())], &element_type(args)?);
    for row in 0..row_count(args) {
        let Some((left, right)) = a.get(row).zip(b.get(row)) else {
            out.close_null();
            continue;
        };
        let other: HashSet<_> = right.map(|i| keys[1].row(i)).collect();
        let mut seen = HashSet::new();
        for i in left {
            let key = keys[0].row(i);
            if other.contains(&key) == keep && seen.insert(key) {
                out.push(0, i);
            }
        }
        out.close();
    }
    out.finish(args)
}

fn eval_overlap(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let (a, b) = (Lists::of(args, 0)?, Lists::of(args, 1)?);
    let keys = keys_of(args, &[a.values(), b.values()])?;
    booleans(args, |row| {
        let Some((left, right)) = a.get(row).zip(b.get(row)) else { return Ok(None) };
        let either_empty = left.is_empty() || right.is_empty();
        let nulls = left.clone().any(|i| a.values().is_null(i)) || right.clone().any(|i| b.values().is_null(i));
        let other: HashSet<_> = right.filter(|i| b.values().is_valid(*i)).map(|i| keys[1].row(i)).collect();
        let found = left.filter(|i| a.values().is_valid(*i)).any(|i| other.contains(&keys[0].row(i)));
        Ok(match found {
            true => Some(true),
            false if nulls && !either_empty => None,
            false => Some(false),
        })
    })
}
