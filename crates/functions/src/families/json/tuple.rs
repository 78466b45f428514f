//! `json_tuple`: several fields of an object as columns.

use std::sync::Arc;

use arrow::array::{ArrayRef, ListArray, StringBuilder, StructArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType as Arrow, Field, Fields};
use datafusion::common::Result;
use datafusion::logical_expr::ColumnarValue;
use spark::Result as SparkResult;

use super::parse::{Json, Leniency, parse};
use crate::call::Call;
use crate::families::rows::{self, Text};
use crate::kernel::{Kernel, KernelArgs, KernelUdf};
use crate::registry::{Build, Function, Generator};

/// Functions of this file.
pub const FUNCTIONS: &[Function] = &[Function { name: "json_tuple", build: Build::Generator(json_tuple) }];

const JSON_TUPLE: Kernel = Kernel::new("json_tuple", eval);

/// Kernels of this file.
pub const KERNELS: &[Kernel] = &[JSON_TUPLE];

fn json_tuple(call: Call) -> SparkResult<Generator> {
    if call.args.len() < 2 {
        return Err(call.wrong_arity("> 1").nowhere());
    }
    if call.args.iter().any(|a| !a.ty.is_string()) {
        return Err(call.mismatch("NON_STRING_TYPE").param("funcName", "`json_tuple`"));
    }
    let names: Vec<String> = (0..call.args.len() - 1).map(|i| format!("c{i}")).collect();
    let list = Arrow::List(crate::types::list_field(Arrow::Struct(fields(&names))));
    Ok(Generator {
        list: KernelUdf::call(&JSON_TUPLE, list, call.options(), call.exprs()),
        columns: names.into_iter().map(|name| (name, call.args[0].ty.clone(), true)).collect(),
        outer: false,
        name: call.display_name(),
    })
}

fn fields(names: &[String]) -> Fields {
    names.iter().map(|name| Field::new(name, Arrow::Utf8, true)).collect()
}

/// One row for each input; all null if it is not an object.
fn eval(args: &KernelArgs) -> Result<ColumnarValue> {
    let text = Text::of(args, 0)?;
    let wanted = (1..args.args.len()).map(|i| Text::of(args, i)).collect::<Result<Vec<_>>>()?;
    let rows_here = rows::row_count(args);
    let mut columns: Vec<StringBuilder> = wanted.iter().map(|_| StringBuilder::new()).collect();
    let mut buffer = String::new();
    for row in 0..rows_here {
        let json = text.get(row).and_then(|s| parse(s, Leniency::DEFAULT).ok().flatten());
        for (column, name) in columns.iter_mut().zip(&wanted) {
            let found = match (&json, name.get(row)) {
                (Some(Json::Object(fields)), Some(name)) => fields.iter().rev().find(|(key, _)| key == name),
                _ => None,
            };
            match found {
                None | Some((_, Json::Null)) => column.append_null(),
                Some((_, value)) => {
                    buffer.clear();
                    value.write_bare(&mut buffer);
                    column.append_value(&buffer);
                }
            }
        }
    }
    let names: Vec<String> = (0..wanted.len()).map(|i| format!("c{i}")).collect();
    let columns: Vec<ArrayRef> = columns.iter_mut().map(|c| Arc::new(c.finish()) as ArrayRef).collect();
    let field = crate::types::list_field(Arrow::Struct(fields(&names)));
    let values = StructArray::new(fields(&names), columns, None);
    let offsets = OffsetBuffer::from_lengths(std::iter::repeat_n(1, rows_here));
    rows::finish(args, Arc::new(ListArray::try_new(field, offsets, Arc::new(values), None)?))
}
