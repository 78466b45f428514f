//! Arrays changed: `array_append`, `array_prepend`, `array_insert`, `array_remove`, `array_compact`,
//! `slice`, `sort_array`.

use std::sync::Arc;

use arrow::array::Array;
use datafusion::common::Result as DfResult;
use datafusion::logical_expr::{ColumnarValue, lit};
use spark::types::DataType;
use spark::{Error, Result};

use super::super::datetime::Numbers;
use super::super::extract::index_of_zero;
use super::super::lists::{Column, ListPicks, Lists, element, element_type};
use super::super::rows::row_count;
use super::{by_element, expect_array, expect_orderable, keys_of, unify_element};
use crate::call::Call;
use crate::coerce::Expected;
use crate::error::fail;
use crate::kernel::{Kernel, KernelArgs};
use crate::registry::{Build, Function};
use crate::typed::Typed;

/// Functions of this file.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "array_append", build: Build::Scalar(append) },
    Function { name: "array_prepend", build: Build::Scalar(append) },
    Function { name: "array_insert", build: Build::Scalar(insert) },
    Function { name: "array_remove", build: Build::Scalar(remove) },
    Function { name: "array_compact", build: Build::Scalar(compact) },
    Function { name: "slice", build: Build::Scalar(slice) },
    Function { name: "sort_array", build: Build::Scalar(sort) },
];

/// Kernels of this file.
pub const KERNELS: &[Kernel] = &[
    Kernel::new("array_append", |a| eval_append(a, false)),
    Kernel::new("array_prepend", |a| eval_append(a, true)),
    Kernel::new("array_insert", eval_insert),
    Kernel::new("array_remove", eval_remove),
    Kernel::new("array_compact", eval_compact),
    Kernel::new("slice", eval_slice),
    Kernel::new("sort_array", eval_sort),
];

fn append(mut call: Call) -> Result<Typed> {
    call.arity(2..=2)?;
    call.collate(&[0, 1])?;
    let name = call.display_name();
    let common = unify_element(&mut call, 0, 1)?;
    let nullable = call.args[0].nullable;
    let kernel = &KERNELS[usize::from(call.name == "array_prepend")];
    Ok(call.kernel(kernel, DataType::array(common, true), nullable).named(name))
}

fn insert(mut call: Call) -> Result<Typed> {
    call.arity(3..=3)?;
    let name = call.display_name();
    if !matches!(call.args[1].ty, DataType::Byte | DataType::Short | DataType::Integer) {
        return Err(call.unexpected_type(1, "\"INT\""));
    }
    call.expect(1, Expected::Type(DataType::Integer))?;
    let common = unify_element(&mut call, 0, 2)?;
    let nullable = call.args[0].nullable || call.args[1].nullable;
    Ok(call.kernel(&KERNELS[2], DataType::array(common, true), nullable).named(name))
}

fn remove(mut call: Call) -> Result<Typed> {
    call.arity(2..=2)?;
    call.collate(&[0, 1])?;
    let name = call.display_name();
    let common = unify_element(&mut call, 0, 1)?;
    let ty = call.args[0].ty.clone();
    let nullable = call.any_nullable();
    let options = by_element(&call, &common);
    Ok(call.kernel_with(&KERNELS[3], options, ty, nullable).named(name))
}

fn compact(mut call: Call) -> Result<Typed> {
    call.arity(1..=1)?;
    call.typed_null(0, Expected::Array)?;
    expect_array(&call, 0)?;
    let ty = DataType::array(element(&call.args[0].ty), false);
    let nullable = call.args[0].nullable;
    Ok(call.kernel(&KERNELS[4], ty, nullable))
}

fn slice(mut call: Call) -> Result<Typed> {
    call.arity(3..=3)?;
    let name = call.display_name();
    call.typed_null(0, Expected::Array)?;
    expect_array(&call, 0)?;
    call.expect(1, Expected::Type(DataType::Integer))?;
    call.expect(2, Expected::Type(DataType::Integer))?;
    let ty = call.args[0].ty.clone();
    let nullable = call.any_nullable();
    Ok(call.kernel(&KERNELS[5], ty, nullable).named(name))
}

fn sort(mut call: Call) -> Result<Typed> {
    call.arity(1..=2)?;
    if call.args.len() == 1 {
        call.args.push(Typed::new(lit(true), DataType::Boolean, false, "true"));
    }
    let name = call.display_name();
    call.typed_null(0, Expected::Array)?;
    call.typed_null(1, Expected::Type(DataType::Boolean))?;
    expect_array(&call, 0)?;
    let ty = call.args[0].ty.clone();
    expect_orderable(&call, &element(&ty), &ty)?;
    if !matches!(call.args[1].ty, DataType::Boolean) {
        return Err(call.unexpected_type(1, "\"BOOLEAN\""));
    }
    let nullable = call.any_nullable();
    let options = by_element(&call, &element(&ty));
    Ok(call.kernel_with(&KERNELS[6], options, ty, nullable).named(name))
}

fn eval_append(args: &KernelArgs, front: bool) -> DfResult<ColumnarValue> {
    let (lists, value) = (Lists::of(args, 0)?, Column::of(args, 1)?);
    let mut out = ListPicks::new(vec![Arc::clone(lists.values()), Arc::clone(&value.array)], &element_type(args)?);
    for row in 0..row_count(args) {
        let Some(range) = lists.get(row) else {
            out.close_null();
            continue;
        };
        if front {
            out.push(1, value.at(row));
        }
        out.extend(0, range);
        if !front {
            out.push(1, value.at(row));
        }
        out.close();
    }
    out.finish(args)
}

fn eval_insert(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let (lists, places, value) = (Lists::of(args, 0)?, Numbers::of(args, 1)?, Column::of(args, 2)?);
    let mut out = ListPicks::new(vec![Arc::clone(lists.values()), Arc::clone(&value.array)], &element_type(args)?);
    for row in 0..row_count(args) {
        let Some((range, place)) = lists.get(row).zip(places.get(row)) else {
            out.close_null();
            continue;
        };
        let size = range.len() as i64;
        if place == 0 {
            return fail(index_of_zero());
        }
        if place.abs() > super::construct::MAX_LENGTH {
            return fail(super::construct::too_long("array_insert", place.abs()));
        }
        if place > size {
            out.extend(0, range);
            (size + 1..place).for_each(|_| out.push_null());
            out.push(1, value.at(row));
        } else if place < -size - 1 {
            out.push(1, value.at(row));
            (place..-size - 1).for_each(|_| out.push_null());
            out.extend(0, range);
        } else {
            let at = range.start + if place > 0 { place - 1 } else { size + place + 1 } as usize;
            out.extend(0, range.start..at);
            out.push(1, value.at(row));
            out.extend(0, at..range.end);
        }
        out.close();
    }
    out.finish(args)
}

fn eval_remove(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let (lists, value) = (Lists::of(args, 0)?, Column::of(args, 1)?);
    let keys = keys_of(args, &[lists.values(), &value.array])?;
    let mut out = ListPicks::new(vec![Arc::clone(lists.values())], &element_type(args)?);
    for row in 0..row_count(args) {
        match lists.get(row) {
            Some(range) if !value.is_null(row) => {
                let gone = keys[1].row(value.at(row));
                range.filter(|i| keys[0].row(*i) != gone).for_each(|i| out.push(0, i));
                out.close();
            }
            _ => out.close_null(),
        }
    }
    out.finish(args)
}

fn eval_compact(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let lists = Lists::of(args, 0)?;
    let nulls = lists.values().logical_nulls();
    let mut out = ListPicks::new(vec![Arc::clone(lists.values())], &element_type(args)?);
    for row in 0..row_count(args) {
        match lists.get(row) {
            Some(range) => {
                range.filter(|i| nulls.as_ref().is_none_or(|n| n.is_valid(*i))).for_each(|i| out.push(0, i));
                out.close();
            }
            None => out.close_null(),
        }
    }
    out.finish(args)
}

fn slice_error(sub: &str) -> Error {
    Error::runtime(format!("INVALID_PARAMETER_VALUE.{sub}"))
        .param("parameter", if sub == "START" { "`start`" } else { "`length`" })
        .param("functionName", "`slice`")
}

fn eval_slice(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let (lists, starts, lengths) = (Lists::of(args, 0)?, Numbers::of(args, 1)?, Numbers::of(args, 2)?);
    let mut out = ListPicks::new(vec![Arc::clone(lists.values())], &element_type(args)?);
    for row in 0..row_count(args) {
        let parts = lists.get(row).zip(starts.get(row)).zip(lengths.get(row));
        let Some(((range, start), length)) = parts else {
            out.close_null();
            continue;
        };
        let size = range.len() as i64;
        let from = match start {
            0 => return fail(slice_error("START").with_message("A slice starts at 1 (or -1 from the end).")),
            s if s > 0 => s - 1,
            s => size + s,
        };
        if length < 0 {
            return fail(
                slice_error("LENGTH")
                    .param("length", length.to_string())
                    .with_message("A slice's length is not negative."),
            );
        }
        if (0..size).contains(&from) {
            let end = (from + length).min(size);
            out.extend(0, range.start + from as usize..range.start + end as usize);
        }
        out.close();
    }
    out.finish(args)
}

fn eval_sort(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let lists = Lists::of(args, 0)?;
    let ascending = args.typed::<arrow::array::BooleanArray>(1)?;
    let keys = keys_of(args, &[lists.values()])?;
    let mut out = ListPicks::new(vec![Arc::clone(lists.values())], &element_type(args)?);
    for row in 0..row_count(args) {
        let at = row.min(ascending.len().saturating_sub(1));
        let Some(range) = lists.get(row).filter(|_| ascending.is_valid(at)) else {
            out.close_null();
            continue;
        };
        let start = out.start();
        out.extend(0, range);
        let up = ascending.value(at);
        // Nulls come first ascending and last descending, as the row form orders them.
        let picks = out.picks.tail(start);
        picks.sort_by(|a, b| keys[0].row(a.1).cmp(&keys[0].row(b.1)));
        if !up {
            picks.reverse();
        }
        out.close();
    }
    out.finish(args)
}
