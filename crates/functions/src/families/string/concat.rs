//! `concat` (strings, binary values, arrays), `||` and `concat_ws`.

use arrow::array::{Array, ArrayRef, AsArray, ListArray};
use arrow::compute::cast;
use arrow::datatypes::DataType as Arrow;
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, Expr};
use datafusion::scalar::ScalarValue;
use spark::Result as SparkResult;
use spark::types::{DataType, quote_identifier};

use crate::call::Call;
use crate::coerce::{self, Expected};
use crate::families::collation;
use crate::families::rows::{self, Bytes, Text};
use crate::kernel::{Kernel, KernelArgs, downcast};
use crate::registry::{Build, Function};
use crate::room::check_value;
use crate::typed::Typed;

/// Functions of this file.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "concat", build: Build::Scalar(concat) },
    Function { name: "||", build: Build::Scalar(concat) },
    Function { name: "concat_ws", build: Build::Scalar(concat_ws) },
];

const CONCAT: Kernel = Kernel::new("concat", eval_concat);
const CONCAT_BINARY: Kernel = Kernel::new("concat_binary", eval_concat_binary);
const CONCAT_ARRAYS: Kernel = Kernel::new("concat_arrays", eval_concat_arrays);
const CONCAT_WS: Kernel = Kernel::new("concat_ws", eval_concat_ws);

/// Kernels of this file.
pub const KERNELS: &[Kernel] = &[CONCAT, CONCAT_BINARY, CONCAT_ARRAYS, CONCAT_WS];

fn concat(mut call: Call) -> SparkResult<Typed> {
    call.name = "concat".into();
    if call.args.is_empty() {
        return Ok(call.finish(Expr::Literal(ScalarValue::Utf8(Some(String::new())), None), DataType::STRING, false));
    }
    for i in 0..call.args.len() {
        if matches!(call.args[i].ty, DataType::Map { .. } | DataType::Struct(_)) {
            return Err(call.unexpected_type(i, "(\"STRING\" or \"BINARY\" or \"ARRAY\")"));
        }
    }
    let is_array = |a: &Typed| matches!(a.ty, DataType::Array { .. });
    if call.args.iter().any(is_array) {
        return concat_arrays(call);
    }
    let as_text = call.settings.conf.get_bool("spark.sql.function.concatBinaryAsString", false);
    if !as_text && call.args.iter().all(|a| a.ty == DataType::Binary) {
        let nullable = call.any_nullable();
        return Ok(call.kernel(&CONCAT_BINARY, DataType::Binary, nullable));
    }
    for i in 0..call.args.len() {
        let name = call.args[i].name.clone();
        if rows::is_binary(&call, i) {
            call.args[i] = coerce::cast_implicitly(&call.args[i], &DataType::STRING, call.settings);
        }
        match coerce::implicit(&call.args[i], &Expected::String, call.settings) {
            Some(text) => call.args[i] = text,
            None => return Err(call.unexpected_type(i, "(\"STRING\" or \"BINARY\" or \"ARRAY\")")),
        }
        call.args[i].name = name;
    }
    let all: Vec<usize> = (0..call.args.len()).collect();
    let collation = collation::unify(&mut call, &all)?;
    let nullable = call.any_nullable();
    Ok(call.kernel(&CONCAT, collation::string_type(&collation), nullable))
}

fn concat_arrays(mut call: Call) -> SparkResult<Typed> {
    let others = call.args.iter().any(|a| !matches!(a.ty, DataType::Array { .. }));
    if others {
        let shown = |a: &Typed| coerce::implicit(a, &Expected::String, call.settings).map_or(a.ty.clone(), |t| t.ty);
        let types: Vec<String> = call.args.iter().map(|a| format!("\"{}\"", shown(a).sql())).collect();
        return Err(call
            .mismatch("DATA_DIFF_TYPES")
            .param("functionName", quote_identifier(&call.name))
            .param("dataType", format!("({})", types.join(" or "))));
    }
    let count = call.args.len();
    let mut ty = call.unify(0..count)?;
    if let DataType::Array { contains_null, .. } = &mut ty {
        *contains_null =
            call.args.iter().any(|a| matches!(&a.ty, DataType::Array { contains_null, .. } if *contains_null));
    }
    let nullable = call.any_nullable();
    Ok(call.kernel(&CONCAT_ARRAYS, ty, nullable))
}

fn concat_ws(mut call: Call) -> SparkResult<Typed> {
    if call.args.is_empty() {
        return Err(call.wrong_arity("> 0"));
    }
    call.expect(0, Expected::String)?;
    for i in 1..call.args.len() {
        let name = call.args[i].name.clone();
        match &call.args[i].ty {
            DataType::Array { element, contains_null } if !element.is_string() => {
                let target = DataType::array(DataType::STRING, *contains_null);
                call.args[i] = coerce::cast_implicitly(&call.args[i], &target, call.settings);
            }
            DataType::Array { .. } => {}
            DataType::Map { .. } | DataType::Struct(_) | DataType::Variant => {
                return Err(call.unexpected_type(i, "(\"ARRAY<STRING>\" or \"STRING\")"));
            }
            DataType::Binary => {
                call.args[i] = coerce::cast_implicitly(&call.args[i], &DataType::STRING, call.settings);
            }
            _ => call.expect(i, Expected::String)?,
        }
        call.args[i].name = name;
    }
    let all: Vec<usize> = (0..call.args.len()).collect();
    let collation = collation::unify(&mut call, &all)?;
    let nullable = call.args[0].nullable;
    Ok(call.kernel(&CONCAT_WS, collation::string_type(&collation), nullable))
}

fn eval_concat(args: &KernelArgs) -> Result<ColumnarValue> {
    let parts = (0..args.args.len()).map(|i| Text::of(args, i)).collect::<Result<Vec<_>>>()?;
    rows::strings(args, |row, out| {
        check_value(parts.iter().filter_map(|part| part.get(row)).map(str::len).sum())?;
        for part in &parts {
            match part.get(row) {
                Some(s) => out.push_str(s),
                None => return Ok(false),
            }
        }
        Ok(true)
    })
}

fn eval_concat_binary(args: &KernelArgs) -> Result<ColumnarValue> {
    let parts = (0..args.args.len()).map(|i| Bytes::of(args, i)).collect::<Result<Vec<_>>>()?;
    rows::binaries(args, |row, out| {
        check_value(parts.iter().filter_map(|part| part.get(row)).map(<[u8]>::len).sum())?;
        for part in &parts {
            match part.get(row) {
                Some(b) => out.extend_from_slice(b),
                None => return Ok(false),
            }
        }
        Ok(true)
    })
}

fn eval_concat_arrays(args: &KernelArgs) -> Result<ColumnarValue> {
    let rows_here = rows::row_count(args);
    let mut lists: Vec<ListArray> = Vec::with_capacity(args.args.len());
    for i in 0..args.args.len() {
        let array = cast(&args.value(i)?.to_array(rows_here)?, args.return_type())?;
        lists.push(downcast::<ListArray>(&array)?.clone());
    }
    let values: Vec<&dyn Array> = lists.iter().map(|l| l.values().as_ref()).collect();
    let (mut picks, mut lengths, mut valid) =
        (Vec::new(), Vec::with_capacity(rows_here), Vec::with_capacity(rows_here));
    for row in 0..rows_here {
        let start = picks.len();
        let is_valid = lists.iter().all(|l| l.is_valid(row));
        if is_valid {
            for (which, list) in lists.iter().enumerate() {
                let offsets = list.value_offsets();
                picks.extend((offsets[row]..offsets[row + 1]).map(|i| (which, i as usize)));
            }
        }
        lengths.push(picks.len() - start);
        valid.push(is_valid);
    }
    let Arrow::List(field) = args.return_type() else {
        return datafusion::common::internal_err!("concat of arrays yields an array");
    };
    let merged = arrow::compute::interleave(&values, &picks)?;
    let offsets = arrow::buffer::OffsetBuffer::from_lengths(lengths);
    let list = ListArray::try_new(field.clone(), offsets, merged, Some(valid.into()))?;
    rows::finish(args, std::sync::Arc::new(list))
}

enum Part {
    One(Text),
    Many(ListArray, arrow::array::StringArray),
}

fn eval_concat_ws(args: &KernelArgs) -> Result<ColumnarValue> {
    let separator = Text::of(args, 0)?;
    let rows_here = rows::row_count(args);
    let mut parts = Vec::with_capacity(args.args.len());
    for i in 1..args.args.len() {
        if matches!(args.value(i)?.data_type(), Arrow::List(_)) {
            let array: ArrayRef = args.value(i)?.to_array(rows_here)?;
            let list = array.as_list::<i32>().clone();
            let values = cast(list.values(), &Arrow::Utf8)?.as_string::<i32>().clone();
            parts.push(Part::Many(list, values));
        } else {
            parts.push(Part::One(Text::of(args, i)?));
        }
    }
    rows::strings(args, |row, out| {
        let Some(separator) = separator.get(row) else { return Ok(false) };
        let mut first = true;
        let mut add = |s: &str| {
            if !std::mem::replace(&mut first, false) {
                out.push_str(separator);
            }
            out.push_str(s);
        };
        for part in &parts {
            match part {
                Part::One(text) => text.get(row).into_iter().for_each(&mut add),
                Part::Many(list, values) if list.is_valid(row) => {
                    let offsets = list.value_offsets();
                    (offsets[row]..offsets[row + 1])
                        .filter(|i| values.is_valid(*i as usize))
                        .for_each(|i| add(values.value(i as usize)));
                }
                Part::Many(..) => {}
            }
        }
        Ok(true)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families::rows::testing::{s, text};

    #[test]
    fn concats() {
        let null = ScalarValue::Utf8(None);
        for (kernel, args, expected) in [
            (&CONCAT, vec![s("a"), s("b"), s("")], "ab"),
            (&CONCAT, vec![s("a"), null.clone()], "NULL"),
            (&CONCAT_WS, vec![s("/"), s("foo"), null.clone(), s("bar")], "foo/bar"),
            (&CONCAT_WS, vec![s("/")], ""),
            (&CONCAT_WS, vec![null.clone(), s("a")], "NULL"),
        ] {
            assert_eq!(text(kernel, &args), expected, "{}{args:?}", kernel.name);
        }
    }
}
