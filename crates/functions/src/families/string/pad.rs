//! `lpad` and `rpad`, on strings and on binary values.

use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, Expr};
use datafusion::scalar::ScalarValue;
use spark::Result as SparkResult;
use spark::types::DataType;

use crate::call::Call;
use crate::coerce::{self, Expected};
use crate::families::collation;
use crate::families::rows::{self, Bytes, Ints, Text};
use crate::kernel::{Kernel, KernelArgs};
use crate::registry::{Build, Function};
use crate::room::Room;
use crate::typed::Typed;

/// Functions of this file.
pub const FUNCTIONS: &[Function] =
    &[Function { name: "lpad", build: Build::Scalar(lpad) }, Function { name: "rpad", build: Build::Scalar(rpad) }];

const LPAD: Kernel = Kernel::new("lpad", |args| eval_string(args, true));
const RPAD: Kernel = Kernel::new("rpad", |args| eval_string(args, false));
const LPAD_BINARY: Kernel = Kernel::new("lpad_binary", |args| eval_binary(args, true));
const RPAD_BINARY: Kernel = Kernel::new("rpad_binary", |args| eval_binary(args, false));

/// Kernels of this file.
pub const KERNELS: &[Kernel] = &[LPAD, RPAD, LPAD_BINARY, RPAD_BINARY];

fn lpad(call: Call) -> SparkResult<Typed> {
    typed(call, &LPAD, &LPAD_BINARY)
}

fn rpad(call: Call) -> SparkResult<Typed> {
    typed(call, &RPAD, &RPAD_BINARY)
}

fn typed(mut call: Call, string: &'static Kernel, binary: &'static Kernel) -> SparkResult<Typed> {
    call.arity(2..=3)?;
    if call.args.len() == 2 {
        let pad = if rows::is_binary(&call, 0) {
            Typed::new(Expr::Literal(ScalarValue::Binary(Some(vec![0])), None), DataType::Binary, false, "X'00'")
        } else {
            rows::string_literal(" ")
        };
        rows::push_default(&mut call, pad);
    }
    let name = call.display_name();
    call.expect(1, Expected::Type(DataType::Integer))?;
    if rows::is_binary(&call, 0) && rows::is_binary(&call, 2) {
        let nullable = call.any_nullable();
        return Ok(call.kernel(binary, DataType::Binary, nullable));
    }
    for i in [0, 2] {
        if rows::is_binary(&call, i) {
            call.args[i] = coerce::cast_implicitly(&call.args[i], &DataType::STRING, call.settings);
        }
        call.expect(i, Expected::String)?;
    }
    let collation = collation::unify(&mut call, &[0, 2])?;
    let name = if collation.is_some() { call.display_name() } else { name };
    let (ty, nullable) = (collation::string_type(&collation), call.any_nullable());
    Ok(call.kernel(string, ty, nullable).named(name))
}

fn eval_string(args: &KernelArgs, left: bool) -> Result<ColumnarValue> {
    let (text, len, pad) = (Text::of(args, 0)?, Ints::of(args, 1)?, Text::of(args, 2)?);
    let mut room = Room::new();
    rows::strings(args, |row, out| {
        let (Some(s), Some(len), Some(pad)) = (text.get(row), len.get(row), pad.get(row)) else { return Ok(false) };
        let missing = len - super::length::char_count(s) as i64;
        if missing <= 0 || pad.is_empty() {
            out.push_str(super::substring::chars(s, 0, len));
            return Ok(true);
        }
        check_size(missing as usize, pad.len())?;
        room.take((missing as usize).saturating_mul(pad.len().min(4)))?;
        if !left {
            out.push_str(s);
        }
        out.extend(pad.chars().cycle().take(missing as usize));
        if left {
            out.push_str(s);
        }
        Ok(true)
    })
}

fn eval_binary(args: &KernelArgs, left: bool) -> Result<ColumnarValue> {
    let (bytes, len, pad) = (Bytes::of(args, 0)?, Ints::of(args, 1)?, Bytes::of(args, 2)?);
    let mut room = Room::new();
    rows::binaries(args, |row, out| {
        let (Some(b), Some(len), Some(pad)) = (bytes.get(row), len.get(row), pad.get(row)) else { return Ok(false) };
        let len = len.max(0) as usize;
        if len <= b.len() || pad.is_empty() {
            out.extend_from_slice(&b[..len.min(b.len())]);
            return Ok(true);
        }
        check_size(len, 1)?;
        room.take(len)?;
        let padding = pad.iter().copied().cycle().take(len - b.len());
        if left {
            out.extend(padding);
            out.extend_from_slice(b);
        } else {
            out.extend_from_slice(b);
            out.extend(padding);
        }
        Ok(true)
    })
}

fn check_size(count: usize, unit: usize) -> Result<()> {
    let size = count.saturating_mul(unit.min(4));
    if size > (i32::MAX - 15) as usize {
        return crate::error::fail(rows::too_large("lpad", size));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families::rows::testing::{n, s, text};

    #[test]
    fn pads() {
        for (kernel, input, len, pad, expected) in [
            (&LPAD, "hi", 5, "??", "???hi"),
            (&LPAD, "hi", 1, "??", "h"),
            (&RPAD, "hi", 5, "ab", "hiaba"),
            (&RPAD, "hi", 5, "", "hi"),
            (&RPAD, "hi", -1, "x", ""),
            (&LPAD, "é", 3, "😀", "😀😀é"),
        ] {
            assert_eq!(text(kernel, &[s(input), n(len), s(pad)]), expected, "{}({input}, {len}, {pad})", kernel.name);
        }
    }
}
