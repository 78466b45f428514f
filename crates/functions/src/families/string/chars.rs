//! `ascii`, `chr`, `elt`, `quote`, `space`.

use arrow::array::{Array, ArrayRef};
use arrow::compute::interleave;
use datafusion::common::Result;
use datafusion::logical_expr::ColumnarValue;
use spark::types::DataType;
use spark::{Error, ErrorKind, Result as SparkResult};

use crate::call::Call;
use crate::coerce::{self, Expected};
use crate::error::fail;
use crate::families::collation;
use crate::families::rows::{self, Ints, Text};
use crate::kernel::{Kernel, KernelArgs};
use crate::registry::{Build, Function};
use crate::room::Room;
use crate::typed::Typed;

/// Functions of this file.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "ascii", build: Build::Scalar(ascii) },
    Function { name: "chr", build: Build::Scalar(chr) },
    Function { name: "char", build: Build::Scalar(chr) },
    Function { name: "elt", build: Build::Scalar(elt) },
    Function { name: "quote", build: Build::Scalar(quote) },
    Function { name: "space", build: Build::Scalar(space) },
];

const ASCII: Kernel = Kernel::new("ascii", eval_ascii);
const CHR: Kernel = Kernel::new("chr", eval_chr);
const ELT: Kernel = Kernel::new("elt", eval_elt);
const QUOTE: Kernel = Kernel::new("quote", eval_quote);
const SPACE: Kernel = Kernel::new("space", eval_space);

/// Kernels of this file.
pub const KERNELS: &[Kernel] = &[ASCII, CHR, ELT, QUOTE, SPACE];

fn ascii(call: Call) -> SparkResult<Typed> {
    rows::plain(call, &[Expected::String], &ASCII, DataType::Integer)
}

fn chr(call: Call) -> SparkResult<Typed> {
    rows::plain(call, &[Expected::Type(DataType::Long)], &CHR, DataType::STRING)
}

fn quote(mut call: Call) -> SparkResult<Typed> {
    call.arity(1..=1)?;
    call.expect(0, Expected::String)?;
    Ok(call.kernel(&QUOTE, DataType::STRING, true))
}

fn space(call: Call) -> SparkResult<Typed> {
    rows::plain(call, &[Expected::Type(DataType::Integer)], &SPACE, DataType::STRING)
}

fn elt(mut call: Call) -> SparkResult<Typed> {
    if call.args.len() < 2 {
        return Err(call.wrong_arity("> 1"));
    }
    call.expect(0, Expected::Type(DataType::Integer))?;
    let values: Vec<usize> = (1..call.args.len()).collect();
    let as_text = call.settings.conf.get_bool("spark.sql.function.eltOutputAsString", false);
    if !as_text && values.iter().all(|i| rows::is_binary(&call, *i)) {
        return Ok(call.kernel(&ELT, DataType::Binary, true));
    }
    let name_before: Vec<String> = call.args.iter().map(|a| a.name.clone()).collect();
    let textual = |i: &usize| {
        rows::is_binary(&call, *i) || coerce::implicit(&call.args[*i], &Expected::String, call.settings).is_some()
    };
    if !values.iter().all(textual) {
        return Err(mixed_values(&call));
    }
    for i in &values {
        if rows::is_binary(&call, *i) {
            call.args[*i] = coerce::cast_implicitly(&call.args[*i], &DataType::STRING, call.settings);
        }
        call.expect(*i, Expected::String)?;
        call.args[*i].name.clone_from(&name_before[*i]);
    }
    let collation = collation::unify(&mut call, &values)?;
    Ok(call.kernel(&ELT, collation::string_type(&collation), true))
}

/// The error for values of which some are no text: it names them all, those that can be as text.
fn mixed_values(call: &Call) -> spark::Error {
    let types: Vec<String> = call.args[1..]
        .iter()
        .map(|a| {
            let ty = coerce::implicit(a, &Expected::String, call.settings).map_or(a.ty.clone(), |t| t.ty);
            format!("\"{}\"", ty.sql())
        })
        .collect();
    let inputs: Vec<String> = call.args[1..].iter().map(|a| format!("\"{}\"", a.name)).collect();
    call.mismatch("UNEXPECTED_INPUT_TYPE")
        .param("paramIndex", "second...")
        .param("requiredType", "\"STRING\" or \"BINARY\"")
        .param("inputSql", inputs.join(","))
        .param("inputType", types.join(","))
}

fn eval_ascii(args: &KernelArgs) -> Result<ColumnarValue> {
    let text = Text::of(args, 0)?;
    rows::ints(args, |row| Ok(text.get(row).map(|s| s.chars().next().map_or(0, |c| c as i32))))
}

fn eval_chr(args: &KernelArgs) -> Result<ColumnarValue> {
    let code = Ints::of(args, 0)?;
    rows::strings(args, |row, out| {
        let Some(code) = code.get(row) else { return Ok(false) };
        if code >= 0 {
            out.push(char::from((code & 0xFF) as u8));
        }
        Ok(true)
    })
}

fn eval_elt(args: &KernelArgs) -> Result<ColumnarValue> {
    let index = Ints::of(args, 0)?;
    let rows_here = rows::row_count(args);
    let count = args.args.len() - 1;
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(count + 1);
    for i in 1..=count {
        columns.push(args.value(i)?.to_array(rows_here)?);
    }
    columns.push(arrow::array::new_null_array(args.return_type(), 1));
    let mut picks = Vec::with_capacity(rows_here);
    for row in 0..rows_here {
        picks.push(match index.get(row) {
            None => (count, 0),
            Some(i) if i >= 1 && i <= count as i64 => ((i - 1) as usize, row),
            Some(i) if args.ansi() => return fail(out_of_bounds(i, count)),
            Some(_) => (count, 0),
        });
    }
    let sources: Vec<&dyn Array> = columns.iter().map(AsRef::as_ref).collect();
    rows::finish(args, interleave(&sources, &picks)?)
}

fn out_of_bounds(index: i64, count: usize) -> Error {
    Error::new(ErrorKind::ArrayIndex, "INVALID_ARRAY_INDEX")
        .param("indexValue", index.to_string())
        .param("arraySize", count.to_string())
        .with_message(format!("There is no element {index} among {count}."))
}

fn eval_quote(args: &KernelArgs) -> Result<ColumnarValue> {
    let text = Text::of(args, 0)?;
    rows::strings(args, |row, out| {
        let Some(s) = text.get(row) else { return Ok(false) };
        out.push('\'');
        for c in s.chars() {
            if c == '\'' {
                out.push('\\');
            }
            out.push(c);
        }
        out.push('\'');
        Ok(true)
    })
}

fn eval_space(args: &KernelArgs) -> Result<ColumnarValue> {
    let count = Ints::of(args, 0)?;
    let mut room = Room::new();
    rows::strings(args, |row, out| {
        let Some(n) = count.get(row) else { return Ok(false) };
        let n = n.max(0) as usize;
        if n > (i32::MAX - 15) as usize {
            return fail(rows::too_large("space", n));
        }
        room.take(n)?;
        out.extend(std::iter::repeat_n(' ', n));
        Ok(true)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families::rows::testing::{int, n, s, text};
    use datafusion::scalar::ScalarValue;

    #[test]
    fn codes() {
        for (input, expected) in [("222", 50), ("", 0), ("é", 233), ("😀", 128_512)] {
            assert_eq!(int(&ASCII, &[s(input)]), expected, "{input}");
        }
        for (code, expected) in [(65i64, "A"), (-1, ""), (256, "\0"), (321, "A"), (200, "È")] {
            assert_eq!(text(&CHR, &[ScalarValue::Int64(Some(code))]), expected, "{code}");
        }
    }

    #[test]
    fn choices() {
        for (index, expected) in [(1, "a"), (2, "b"), (3, "!INVALID_ARRAY_INDEX"), (0, "!INVALID_ARRAY_INDEX")] {
            assert_eq!(text(&ELT, &[n(index), s("a"), s("b")]), expected, "{index}");
        }
        assert_eq!(text(&QUOTE, &[s("Don't")]), "'Don\\'t'");
        assert_eq!(text(&SPACE, &[n(2)]), "  ");
    }
}
