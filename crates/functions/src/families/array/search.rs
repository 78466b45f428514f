//! Arrays asked: `array_contains`, `array_position`, `array_max`, `array_min`, `array_size`, `size`,
//! `array_join`.

use arrow::array::{Array, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType as Arrow;
use datafusion::common::Result as DfResult;
use datafusion::logical_expr::ColumnarValue;
use spark::Result;
use spark::types::DataType;
use std::sync::Arc;

use super::super::lists::{Column, Lists, Picks, contains_null, element};
use super::super::rows::{Text, booleans, ints, longs, row_count, strict, strings};
use super::{by_element, expect_array, expect_orderable, keys_of, unify_element};
use crate::call::Call;
use crate::coerce::{self, Expected};
use crate::kernel::{Kernel, KernelArgs, downcast};
use crate::registry::{Build, Function};
use crate::room::check_value;
use crate::typed::Typed;

/// Functions of this file.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "array_contains", build: Build::Scalar(contains) },
    Function { name: "array_position", build: Build::Scalar(position) },
    Function { name: "array_max", build: Build::Scalar(extreme) },
    Function { name: "array_min", build: Build::Scalar(extreme) },
    Function { name: "array_size", build: Build::Scalar(array_size) },
    Function { name: "size", build: Build::Scalar(size) },
    Function { name: "cardinality", build: Build::Scalar(size) },
    Function { name: "array_join", build: Build::Scalar(join) },
];

/// Kernels of this file.
pub const KERNELS: &[Kernel] = &[
    Kernel::new("array_contains", eval_contains),
    Kernel::new("array_position", eval_position),
    Kernel::new("array_max", |a| eval_extreme(a, true)),
    Kernel::new("array_min", |a| eval_extreme(a, false)),
    Kernel::new("size", eval_size),
    Kernel::new("array_join", eval_join),
];

fn contains(mut call: Call) -> Result<Typed> {
    call.arity(2..=2)?;
    call.collate(&[0, 1])?;
    let name = call.display_name();
    if call.args.iter().any(|a| a.ty == DataType::Null) {
        return Err(call.mismatch("NULL_TYPE").param("functionName", "`array_contains`"));
    }
    expect_array(&call, 0)?;
    let nulls = contains_null(&call.args[0].ty);
    let common = unify_element(&mut call, 0, 1)?;
    expect_orderable(&call, &common, &common)?;
    let nullable = call.any_nullable() || nulls;
    let options = by_element(&call, &common);
    Ok(call.kernel_with(&KERNELS[0], options, DataType::Boolean, nullable).named(name))
}

fn position(mut call: Call) -> Result<Typed> {
    call.arity(2..=2)?;
    call.collate(&[0, 1])?;
    let name = call.display_name();
    let common = unify_element(&mut call, 0, 1)?;
    let nullable = call.any_nullable();
    let options = by_element(&call, &common);
    Ok(call.kernel_with(&KERNELS[1], options, DataType::Long, nullable).named(name))
}

fn extreme(mut call: Call) -> Result<Typed> {
    call.arity(1..=1)?;
    call.typed_null(0, Expected::Array)?;
    expect_array(&call, 0)?;
    let ty = element(&call.args[0].ty);
    expect_orderable(&call, &ty, &call.args[0].ty.clone())?;
    let kernel = &KERNELS[if call.name == "array_max" { 2 } else { 3 }];
    let options = by_element(&call, &ty);
    Ok(call.kernel_with(kernel, options, ty, true))
}

fn array_size(mut call: Call) -> Result<Typed> {
    call.arity(1..=1)?;
    if call.args[0].ty == DataType::Null {
        call.args[0] = coerce::cast_implicitly(&call.args[0], &DataType::array(DataType::Null, true), call.settings);
    }
    expect_array(&call, 0)?;
    let nullable = call.args[0].nullable;
    let mut options = call.options();
    options.ansi = true;
    Ok(call.kernel_with(&KERNELS[4], options, DataType::Integer, nullable))
}

fn size(mut call: Call) -> Result<Typed> {
    call.arity(1..=1)?;
    let name = call.display_name();
    match call.args[0].ty {
        DataType::Array { .. } | DataType::Map { .. } => {}
        DataType::Null => {
            let void = DataType::array(DataType::Null, true);
            call.args[0] = coerce::cast_implicitly(&call.args[0], &void, call.settings);
        }
        _ => return Err(call.unexpected_type(0, "(\"ARRAY\" or \"MAP\")")),
    }
    // Outside ANSI mode the size of null is -1, unless that was switched off.
    let is_minus_one = !call.settings.ansi && call.settings.conf.get_bool("spark.sql.legacy.sizeOfNull", true);
    let nullable = !is_minus_one && call.args[0].nullable;
    let options = crate::kernel::Options { ansi: !is_minus_one, ..call.options() };
    Ok(call.kernel_with(&KERNELS[4], options, DataType::Integer, nullable).named(name))
}

fn join(mut call: Call) -> Result<Typed> {
    call.arity(2..=3)?;
    let name = call.display_name();
    call.typed_null(0, Expected::Type(DataType::array(DataType::STRING, true)))?;
    if !matches!(call.args[0].ty, DataType::Array { .. }) {
        return Err(call.unexpected_type(0, "\"ARRAY<STRING>\""));
    }
    let nulls = contains_null(&call.args[0].ty);
    let strings = DataType::array(DataType::STRING, nulls);
    if !element(&call.args[0].ty).is_string() {
        if !is_printed(&element(&call.args[0].ty), call.settings) {
            return Err(call.unexpected_type(0, "\"ARRAY<STRING>\""));
        }
        call.args[0] = coerce::cast_implicitly(&call.args[0], &strings, call.settings);
    }
    for i in 1..call.args.len() {
        strict(&mut call, i, Expected::String)?;
    }
    let all: Vec<usize> = (0..call.args.len()).collect();
    let collated = super::super::collation::unify(&mut call, &all)?.is_some();
    let name = if collated { call.display_name() } else { name };
    let nullable = call.any_nullable();
    let ty = match element(&call.args[0].ty) {
        collated @ DataType::String { .. } => collated,
        _ => DataType::STRING,
    };
    Ok(call.kernel(&KERNELS[5], ty, nullable).named(name))
}

fn is_printed(ty: &DataType, settings: &spark::Settings) -> bool {
    coerce::implicit(&Typed::null(ty.clone()), &Expected::String, settings).is_some()
}

fn eval_contains(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let (lists, value) = (Lists::of(args, 0)?, Column::of(args, 1)?);
    let keys = keys_of(args, &[lists.values(), &value.array])?;
    booleans(args, |row| {
        let Some(range) = lists.get(row).filter(|_| !value.is_null(row)) else { return Ok(None) };
        let wanted = keys[1].row(value.at(row));
        let mut null = false;
        for i in range {
            if keys[0].row(i) == wanted {
                return Ok(Some(true));
            }
            null |= lists.values().is_null(i);
        }
        Ok((!null).then_some(false))
    })
}

fn eval_position(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let (lists, value) = (Lists::of(args, 0)?, Column::of(args, 1)?);
    let keys = keys_of(args, &[lists.values(), &value.array])?;
    longs(args, |row| {
        let Some(mut range) = lists.get(row).filter(|_| !value.is_null(row)) else { return Ok(None) };
        let wanted = keys[1].row(value.at(row));
        Ok(Some(range.position(|i| keys[0].row(i) == wanted).map_or(0, |p| p as i64 + 1)))
    })
}

fn eval_extreme(args: &KernelArgs, max: bool) -> DfResult<ColumnarValue> {
    let lists = Lists::of(args, 0)?;
    let keys = keys_of(args, &[lists.values()])?;
    let mut out = Picks::new(vec![Arc::clone(lists.values())], args.return_type());
    for row in 0..row_count(args) {
        let mut best: Option<usize> = None;
        for i in lists.get(row).unwrap_or(0..0).filter(|i| lists.values().is_valid(*i)) {
            let better = best
                .is_none_or(|b| if max { keys[0].row(i) > keys[0].row(b) } else { keys[0].row(i) < keys[0].row(b) });
            if better {
                best = Some(i);
            }
        }
        match best {
            Some(i) => out.push(0, i),
            None => out.push_null(),
        }
    }
    out.finish(args)
}

fn eval_size(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let lists = Lists::of(args, 0)?;
    let of_null = (!args.ansi()).then_some(-1);
    ints(args, |row| Ok(lists.get(row).map_or(of_null, |r| Some(r.len() as i32))))
}

fn eval_join(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let lists = Lists::of(args, 0)?;
    let texts = cast(lists.values(), &Arrow::Utf8)?;
    let texts = downcast::<StringArray>(&texts)?;
    let separator = Text::of(args, 1)?;
    let for_null = if args.args.len() == 3 { Some(Text::of(args, 2)?) } else { None };
    strings(args, |row, out| {
        let Some((range, separator)) = lists.get(row).zip(separator.get(row)) else { return Ok(false) };
        let null = match &for_null {
            Some(text) => match text.get(row) {
                Some(text) => Some(text),
                None => return Ok(false),
            },
            None => None,
        };
        let offsets = texts.value_offsets();
        let held = (offsets[range.end] - offsets[range.start]) as usize;
        check_value(held.saturating_add(separator.len().saturating_mul(range.len())))?;
        let mut first = true;
        for i in range {
            let Some(text) = (if texts.is_valid(i) { Some(texts.value(i)) } else { null }) else { continue };
            if !first {
                out.push_str(separator);
            }
            first = false;
            out.push_str(text);
        }
        Ok(true)
    })
}
