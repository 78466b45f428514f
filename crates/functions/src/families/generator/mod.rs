//! Generators: `explode`, `posexplode`, `inline`, `stack` and their `_outer` forms.

use std::sync::Arc;

use arrow::array::{Array, BooleanArray, Int32Array, StringArray, StructArray};
use arrow::datatypes::DataType as Arrow;
use datafusion::common::{Result as DfResult, internal_err};
use datafusion::logical_expr::{ColumnarValue, Expr};
use datafusion::scalar::ScalarValue;
use spark::types::{DataType, StructField, StructType};
use spark::{Error, Result};

use crate::call::Call;
use crate::coerce::{self, Expected};
use crate::families::array::construct::array_of;
use crate::families::datetime::Numbers;
use crate::families::lists::{Column, Lists, list_array};
use crate::families::rows::{finish, row_count, strict};
use crate::families::structs::struct_of;
use crate::fold;
use crate::kernel::{Kernel, KernelArgs, KernelUdf, Options};
use crate::registry::{Build, Function, Generator};
use crate::typed::Typed;
use crate::types::to_arrow;

/// Functions of this file.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "explode", build: Build::Generator(explode) },
    Function { name: "explode_outer", build: Build::Generator(explode) },
    Function { name: "posexplode", build: Build::Generator(explode) },
    Function { name: "posexplode_outer", build: Build::Generator(explode) },
    Function { name: "inline", build: Build::Generator(inline) },
    Function { name: "inline_outer", build: Build::Generator(inline) },
    Function { name: "stack", build: Build::Generator(stack) },
    Function { name: "sql_keywords", build: Build::Generator(sql_keywords) },
];

/// Kernels of this file.
pub const KERNELS: &[Kernel] = &[
    Kernel::new("explode", eval_explode),
    Kernel::new("window_starts", eval_window_starts),
    Kernel::new("sql_keywords", eval_keywords),
];

/// The words of the language, one a line.
const KEYWORDS: &str = include_str!("keywords.txt");

/// The list type of rows with these columns.
fn rows_type(columns: &[(String, DataType, bool)]) -> DataType {
    let fields = columns.iter().map(|(n, t, null)| StructField::new(n, t.clone(), *null)).collect();
    DataType::array(DataType::Struct(StructType::new(fields)), true)
}

fn explode(mut call: Call) -> Result<Generator> {
    call.arity(1..=1)?;
    let outer = call.name.ends_with("_outer");
    let position = call.name.starts_with("pos");
    let mut columns = Vec::new();
    if position {
        columns.push(("pos".to_string(), DataType::Integer, outer));
    }
    match &call.args[0].ty {
        DataType::Array { element, contains_null } => {
            columns.push(("col".into(), (**element).clone(), outer || *contains_null));
        }
        DataType::Map { key, value, value_contains_null } => {
            columns.push(("key".into(), (**key).clone(), outer));
            columns.push(("value".into(), (**value).clone(), outer || *value_contains_null));
        }
        _ => {
            let inner = call.name.trim_end_matches("_outer").to_string();
            call.in_errors(&inner);
            return Err(call.unexpected_type(0, "(\"ARRAY\" or \"MAP\")"));
        }
    }
    let options = Options::ansi(true).with_extra(if position { "pos" } else { "" });
    let list = KernelUdf::call(&KERNELS[0], to_arrow(&rows_type(&columns)), options, call.exprs());
    let name = call.display_name();
    Ok(Generator { list, columns, outer, name })
}

fn inline(call: Call) -> Result<Generator> {
    call.arity(1..=1)?;
    let outer = call.name.ends_with("_outer");
    let (fields, nulls) = match &call.args[0].ty {
        DataType::Array { element, contains_null } => match &**element {
            DataType::Struct(s) => (s.fields.clone(), *contains_null),
            _ => return Err(call.unexpected_type(0, "\"ARRAY<STRUCT>\"")),
        },
        _ => return Err(call.unexpected_type(0, "\"ARRAY<STRUCT>\"")),
    };
    let columns = fields.into_iter().map(|f| (f.name, f.data_type, f.nullable || nulls || outer)).collect();
    let name = call.display_name();
    let list = call.args[0].expr.clone();
    Ok(Generator { list, columns, outer, name })
}

fn stack(mut call: Call) -> Result<Generator> {
    if call.args.len() < 2 {
        return Err(call.wrong_arity("> 1"));
    }
    let name = call.display_name();
    strict(&mut call, 0, Expected::Type(DataType::Integer))?;
    if !call.args[0].foldable() {
        return Err(call
            .mismatch("NON_FOLDABLE_INPUT")
            .param("inputName", "`n`")
            .param("inputType", "\"INT\"")
            .param("inputExpr", format!("\"{}\"", call.args[0].name)));
    }
    let n = match fold::integer(&call.args[0]) {
        Some(n) if n > 0 => n as usize,
        Some(n) => {
            return Err(call
                .mismatch("VALUE_OUT_OF_RANGE")
                .param("exprName", "`n`")
                .param("valueRange", "(0, 2147483647]")
                .param("currentValue", n.to_string()));
        }
        None => return Err(call.mismatch("UNEXPECTED_NULL").param("exprName", "`n`")),
    };
    let values = call.args.split_off(1);
    let width = values.len().div_ceil(n);
    let types = stack_types(&call, &name, &values, width)?;
    let fields: Vec<String> = (0..width).map(|i| format!("col{i}")).collect();
    let mut rows = Vec::new();
    for row in 0..n {
        let cells = (0..width)
            .map(|i| match values.get(row * width + i) {
                Some(v) => coerce::cast_implicitly(v, &types[i], call.settings),
                None => Typed::null(types[i].clone()),
            })
            .collect();
        rows.push(struct_of(fields.clone(), cells).expr);
    }
    let columns: Vec<(String, DataType, bool)> = fields.into_iter().zip(types).map(|(f, t)| (f, t, true)).collect();
    let list = array_of(rows, &rows_type(&columns));
    Ok(Generator { list, columns, outer: false, name })
}

fn sql_keywords(call: Call) -> Result<Generator> {
    call.arity(0..=0)?;
    let columns =
        vec![("keyword".to_string(), DataType::STRING, false), ("reserved".to_string(), DataType::Boolean, false)];
    let list = KernelUdf::call(&KERNELS[2], to_arrow(&rows_type(&columns)), Options::ansi(true), vec![]);
    Ok(Generator { list, columns, outer: false, name: call.display_name() })
}

/// The keywords; none is reserved.
fn eval_keywords(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let words: StringArray = KEYWORDS.lines().map(Some).collect();
    let total = words.len();
    let reserved = BooleanArray::from(vec![false; total]);
    let rows = StructArray::try_new(row_fields(args)?, vec![Arc::new(words), Arc::new(reserved)], None)?;
    let list = list_array(Arc::new(rows), vec![0, total as i32], vec![true])?;
    Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&list, 0)?))
}

/// The type of each column; values of a column must agree but for nulls.
fn stack_types(call: &Call, name: &str, values: &[Typed], width: usize) -> Result<Vec<DataType>> {
    let mut types: Vec<(DataType, usize)> = vec![(DataType::Null, 0); width];
    for (i, value) in values.iter().enumerate() {
        let (ty, first) = &mut types[i % width];
        if *ty == DataType::Null {
            (*ty, *first) = (value.ty.clone(), i);
        } else if value.ty != DataType::Null && !ty.same_type(&value.ty) {
            return Err(Error::analysis("DATATYPE_MISMATCH.STACK_COLUMN_DIFF_TYPES")
                .param("sqlExpr", format!("\"{name}\""))
                .param("columnIndex", (i % width).to_string())
                .param("leftParamIndex", (*first + 1).to_string())
                .param("leftType", format!("\"{}\"", ty.sql()))
                .param("rightParamIndex", (i + 1).to_string())
                .param("rightType", format!("\"{}\"", value.ty.sql()))
                .at(call.origin.as_ref()));
        }
    }
    Ok(types.into_iter().map(|(t, _)| t).collect())
}

fn row_fields(args: &KernelArgs) -> DfResult<arrow::datatypes::Fields> {
    if let Arrow::List(field) = args.return_type()
        && let Arrow::Struct(fields) = field.data_type()
    {
        return Ok(fields.clone());
    }
    internal_err!("a generator makes lists of structs")
}

fn eval_explode(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let column = Column::of(args, 0)?;
    let lists = Lists::new(&column.array, column.constant)?;
    let rows = column.array.len();
    let (mut offsets, mut valid, mut picks) = (vec![0_i32], Vec::new(), Vec::new());
    let mut positions = Vec::new();
    for row in 0..rows {
        let range = lists.get(row);
        valid.push(range.is_some());
        for (place, i) in range.unwrap_or(0..0).enumerate() {
            picks.push(i as u32);
            positions.push(place as i32);
        }
        offsets.push(picks.len() as i32);
    }
    let picks = arrow::array::UInt32Array::from(picks);
    let total = picks.len();
    let mut columns = Vec::new();
    if args.extra() == "pos" {
        columns.push(Arc::new(Int32Array::from(positions)) as arrow::array::ArrayRef);
    }
    columns.push(arrow::compute::take(lists.values(), &picks, None)?);
    if let Some(values) = lists.map_values() {
        columns.push(arrow::compute::take(values, &picks, None)?);
    }
    let structs = StructArray::try_new_with_length(row_fields(args)?, columns, None, total)?;
    let out = list_array(Arc::new(structs), offsets, valid)?;
    if column.constant && !args.all_scalar() {
        return internal_err!("explode has one argument");
    }
    finish(args, out)
}

/// The windows a timestamp is in: start of the first, count, slide and length in microseconds.
fn eval_window_starts(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let times = Numbers::of(args, 0)?;
    let numbers: Vec<i64> = args.extra().split(',').filter_map(|n| n.parse().ok()).collect();
    let [length, slide, start] = numbers[..] else { return internal_err!("a window has three durations") };
    let (mut offsets, mut valid, mut starts) = (vec![0_i32], Vec::new(), Vec::new());
    for row in 0..row_count(args) {
        let time = times.get(row);
        valid.push(time.is_some());
        if let Some(t) = time {
            let last = t - (t - start).rem_euclid(slide);
            let overlapping = (length + slide - 1) / slide;
            for i in 0..overlapping {
                let from = last - i * slide;
                if t >= from && t < from + length {
                    starts.push(from);
                }
            }
        }
        offsets.push(starts.len() as i32);
    }
    window_rows(args, starts, length, offsets, valid)
}

fn window_rows(
    args: &KernelArgs,
    starts: Vec<i64>,
    length: i64,
    offsets: Vec<i32>,
    valid: Vec<bool>,
) -> DfResult<ColumnarValue> {
    let fields = row_fields(args)?;
    let Some(Arrow::Struct(inner)) = fields.first().map(|f| f.data_type().clone()) else {
        return internal_err!("a window is a struct");
    };
    let total = starts.len();
    let ends: Vec<Option<i64>> = starts.iter().map(|s| Some(s + length)).collect();
    let starts: Vec<Option<i64>> = starts.into_iter().map(Some).collect();
    let columns = vec![
        super::datetime::typed(starts, inner[0].data_type())?,
        super::datetime::typed(ends, inner[1].data_type())?,
    ];
    let window = StructArray::try_new(inner, columns, None)?;
    let rows = StructArray::try_new_with_length(fields, vec![Arc::new(window)], None, total)?;
    finish(args, list_array(Arc::new(rows), offsets, valid)?)
}

/// The windows that hold `time`, as a generator's rows of one column `window`.
pub fn windows_of(time: Expr, ty: &DataType, length: i64, slide: i64, start: i64) -> Expr {
    let window = DataType::Struct(StructType::new(vec![
        StructField::new("start", ty.clone(), true),
        StructField::new("end", ty.clone(), true),
    ]));
    let rows = rows_type(&[("window".to_string(), window, false)]);
    let options = Options::ansi(true).with_extra(format!("{length},{slide},{start}"));
    KernelUdf::call(&KERNELS[1], to_arrow(&rows), options, vec![time])
}
