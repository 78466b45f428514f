//! Arrays made from values: `array`, `array_repeat`, `arrays_zip`, `flatten`.

use std::sync::Arc;

use arrow::array::{Array, StructArray};
use arrow::datatypes::DataType as Arrow;
use datafusion::common::{Result as DfResult, internal_err};
use datafusion::logical_expr::{ColumnarValue, Expr};
use spark::types::{DataType, StructField, StructType};
use spark::{Error, Result};

use super::super::datetime::Numbers;
use super::super::lists::{Column, ListPicks, Lists, contains_null, element, element_type, list_array};
use super::super::rows::{finish, row_count, strict};
use super::expect_array;
use crate::call::Call;
use crate::coerce::Expected;
use crate::error::fail;
use crate::kernel::{Kernel, KernelArgs};
use crate::registry::{Build, Function};
use crate::room::Room;
use crate::typed::Typed;

/// Functions of this file.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "array", build: Build::Scalar(array) },
    Function { name: "array_repeat", build: Build::Scalar(repeat) },
    Function { name: "arrays_zip", build: Build::Scalar(zip) },
    Function { name: "flatten", build: Build::Scalar(flatten) },
];

/// Kernels of this file.
pub const KERNELS: &[Kernel] = &[
    Kernel::new("array", eval_array),
    Kernel::new("array_repeat", eval_repeat),
    Kernel::new("arrays_zip", eval_zip),
    Kernel::new("flatten", eval_flatten),
];

/// Longest array Spark makes.
pub const MAX_LENGTH: i64 = i32::MAX as i64 - 15;

fn array(mut call: Call) -> Result<Typed> {
    let all: Vec<usize> = (0..call.args.len()).collect();
    call.collate(&all)?;
    let name = call.display_name();
    let ty = if call.args.is_empty() {
        DataType::array(DataType::Null, false)
    } else {
        let common = call.unify(0..call.args.len())?;
        DataType::array(common, call.any_nullable())
    };
    Ok(call.kernel(&KERNELS[0], ty, false).named(name))
}

fn repeat(mut call: Call) -> Result<Typed> {
    call.arity(2..=2)?;
    let name = call.display_name();
    strict(&mut call, 1, Expected::Type(DataType::Integer))?;
    let nullable = call.args[1].nullable;
    let ty = DataType::array(call.args[0].ty.clone(), call.args[0].nullable);
    Ok(call.kernel(&KERNELS[1], ty, nullable).named(name))
}

/// The name of a field made from an argument: a column's own, otherwise its place.
fn zip_name(arg: &Typed, place: usize) -> String {
    super::super::structs::own_name(arg).unwrap_or_else(|| place.to_string())
}

fn zip(mut call: Call) -> Result<Typed> {
    let name = call.display_name();
    let mut fields = Vec::new();
    for i in 0..call.args.len() {
        call.typed_null(i, Expected::Array)?;
    }
    for (i, arg) in call.args.iter().enumerate() {
        expect_array(&call, i)?;
        let field = match call.arg_names.get(i).filter(|n| !n.is_empty()) {
            Some(alias) => alias.clone(),
            None => zip_name(arg, i),
        };
        fields.push(StructField::new(field, element(&arg.ty), true));
    }
    let nullable = call.any_nullable();
    let ty = DataType::array(DataType::Struct(StructType::new(fields)), false);
    Ok(call.kernel(&KERNELS[2], ty, nullable).named(name))
}

fn flatten(call: Call) -> Result<Typed> {
    call.arity(1..=1)?;
    let inner = match &call.args[0].ty {
        DataType::Array { element, .. } if matches!(**element, DataType::Array { .. }) => (**element).clone(),
        _ => return Err(call.unexpected_type(0, "\"ARRAY\" of \"ARRAY\"")),
    };
    let nullable = call.args[0].nullable || contains_null(&call.args[0].ty);
    Ok(call.kernel(&KERNELS[3], inner, nullable))
}

/// An array of expressions of one type.
pub fn array_of(values: Vec<Expr>, ty: &DataType) -> Expr {
    crate::kernel::KernelUdf::call(&KERNELS[0], crate::types::to_arrow(ty), crate::kernel::Options::default(), values)
}

fn eval_array(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let columns = (0..args.args.len()).map(|i| Column::of(args, i)).collect::<DfResult<Vec<_>>>()?;
    let sources = columns.iter().map(|c| Arc::clone(&c.array)).collect();
    let mut out = ListPicks::new(sources, &element_type(args)?);
    for row in 0..row_count(args) {
        for (source, column) in columns.iter().enumerate() {
            out.push(source, column.at(row));
        }
        out.close();
    }
    out.finish(args)
}

/// The error for an array that would be too long.
pub fn too_long(function: &str, length: i64) -> Error {
    Error::runtime("COLLECTION_SIZE_LIMIT_EXCEEDED.FUNCTION")
        .param("numberOfElements", length.to_string())
        .param("maxRoundedArrayLength", MAX_LENGTH.to_string())
        .param("functionName", spark::types::quote_identifier(function))
        .with_message(format!("{function} would make an array of {length} elements."))
}

fn eval_repeat(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let (value, count) = (Column::of(args, 0)?, Numbers::of(args, 1)?);
    let mut room = Room::new();
    let each = element_bytes(value.array.as_ref());
    let mut out = ListPicks::new(vec![Arc::clone(&value.array)], &element_type(args)?);
    for row in 0..row_count(args) {
        match count.get(row) {
            None => out.close_null(),
            Some(n) if n > MAX_LENGTH => return fail(too_long("array_repeat", n)),
            Some(n) => {
                room.take((n.max(0) as usize).saturating_mul(each))?;
                for _ in 0..n.max(0) {
                    out.push(0, value.at(row));
                }
                out.close();
            }
        }
    }
    out.finish(args)
}

/// About what one more element costs: its value, as large as they are on average, and what says which it is.
fn element_bytes(values: &dyn Array) -> usize {
    values.to_data().get_slice_memory_size().unwrap_or(0) / values.len().max(1) + size_of::<(usize, usize)>()
}

fn eval_zip(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let lists = (0..args.args.len()).map(|i| Lists::of(args, i)).collect::<DfResult<Vec<_>>>()?;
    let Arrow::Struct(fields) = element_type(args)? else { return internal_err!("arrays_zip makes structs") };
    let mut columns: Vec<ListPicks> = lists
        .iter()
        .zip(fields.iter())
        .map(|(l, f)| ListPicks::new(vec![Arc::clone(l.values())], f.data_type()))
        .collect();
    let (mut offsets, mut valid) = (vec![0_i32], Vec::new());
    for row in 0..row_count(args) {
        let ranges: Option<Vec<_>> = lists.iter().map(|l| l.get(row)).collect();
        let length = ranges.as_ref().map(|r| r.iter().map(|r| r.len()).max().unwrap_or(0));
        valid.push(length.is_some());
        for (i, column) in columns.iter_mut().enumerate() {
            let range = ranges.as_ref().map_or(0..0, |r| r[i].clone());
            column.extend(0, range.clone());
            for _ in range.len()..length.unwrap_or(0) {
                column.push_null();
            }
        }
        offsets.push(offsets.last().copied().unwrap_or(0) + length.unwrap_or(0) as i32);
    }
    let total = offsets.last().copied().unwrap_or(0) as usize;
    let columns = columns.iter().map(|c| c.picks.array()).collect::<DfResult<Vec<_>>>()?;
    let structs = StructArray::try_new_with_length(fields, columns, None, total)?;
    finish(args, list_array(Arc::new(structs), offsets, valid)?)
}

fn eval_flatten(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let outer = Lists::of(args, 0)?;
    let inner = Lists::new(outer.values(), false)?;
    let mut out = ListPicks::new(vec![Arc::clone(inner.values())], &element_type(args)?);
    for row in 0..row_count(args) {
        let parts: Option<Vec<_>> = outer.get(row).and_then(|range| range.map(|i| inner.get(i)).collect());
        match parts {
            None => out.close_null(),
            Some(parts) => {
                parts.into_iter().for_each(|r| out.extend(0, r));
                out.close();
            }
        }
    }
    out.finish(args)
}
