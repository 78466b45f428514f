//! Changing strings: `replace`, `translate`, `overlay`, `repeat`, `reverse`.

use std::collections::HashMap;

use arrow::array::{Array, AsArray};
use datafusion::common::Result;
use datafusion::logical_expr::ColumnarValue;
use spark::Result as SparkResult;
use spark::types::DataType;

use super::substring::chars;
use crate::call::Call;
use crate::coerce::{self, Expected};
use crate::error::fail;
use crate::families::collation::{self, Collation};
use crate::families::rows::{self, Bytes, Ints, Text};
use crate::kernel::{Kernel, KernelArgs};
use crate::registry::{Build, Function};
use crate::room::{Room, check_value};
use crate::typed::Typed;

/// Functions of this file.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "replace", build: Build::Scalar(replace) },
    Function { name: "translate", build: Build::Scalar(translate) },
    Function { name: "overlay", build: Build::Scalar(overlay) },
    Function { name: "repeat", build: Build::Scalar(repeat) },
    Function { name: "reverse", build: Build::Scalar(reverse) },
];

const REPLACE: Kernel = Kernel::new("replace", eval_replace);
const TRANSLATE: Kernel = Kernel::new("translate", eval_translate);
const OVERLAY: Kernel = Kernel::new("overlay", eval_overlay);
const OVERLAY_BINARY: Kernel = Kernel::new("overlay_binary", eval_overlay_binary);
const REPEAT: Kernel = Kernel::new("repeat", eval_repeat);
const REVERSE: Kernel = Kernel::new("reverse", eval_reverse);
const REVERSE_BINARY: Kernel = Kernel::new("reverse_binary", eval_reverse_binary);
const REVERSE_ARRAY: Kernel = Kernel::new("reverse_array", eval_reverse_array);

/// Kernels of this file.
pub const KERNELS: &[Kernel] =
    &[REPLACE, TRANSLATE, OVERLAY, OVERLAY_BINARY, REPEAT, REVERSE, REVERSE_BINARY, REVERSE_ARRAY];

const INT: Expected = Expected::Type(DataType::Integer);

fn replace(mut call: Call) -> SparkResult<Typed> {
    call.arity(2..=3)?;
    if call.args.len() == 2 {
        rows::push_default(&mut call, rows::string_literal(""));
    }
    three_strings(call, &REPLACE)
}

fn translate(call: Call) -> SparkResult<Typed> {
    call.arity(3..=3)?;
    three_strings(call, &TRANSLATE)
}

fn three_strings(mut call: Call, kernel: &'static Kernel) -> SparkResult<Typed> {
    call.expect_all(&[Expected::String, Expected::String, Expected::String])?;
    let collation = collation::unify(&mut call, &[0, 1, 2])?;
    collation::determined(&collation).map_err(|e| e.at(call.origin.as_ref()))?;
    let (options, nullable) = (collation::options(&call, &collation), call.any_nullable());
    Ok(call.kernel_with(kernel, options, collation::string_type(&collation), nullable))
}

fn overlay(mut call: Call) -> SparkResult<Typed> {
    call.arity(3..=4)?;
    if call.args.len() == 3 {
        rows::push_default(&mut call, rows::int_literal(-1));
    }
    call.expect(2, INT)?;
    call.expect(3, INT)?;
    if rows::is_binary(&call, 0) && rows::is_binary(&call, 1) {
        let nullable = call.any_nullable();
        return Ok(call.kernel(&OVERLAY_BINARY, DataType::Binary, nullable));
    }
    for i in 0..2 {
        if rows::is_binary(&call, i) {
            call.args[i] = coerce::cast_implicitly(&call.args[i], &DataType::STRING, call.settings);
        }
        call.expect(i, Expected::String)?;
    }
    let collation = collation::unify(&mut call, &[0, 1])?;
    let nullable = call.any_nullable();
    Ok(call.kernel(&OVERLAY, collation::string_type(&collation), nullable))
}

fn repeat(mut call: Call) -> SparkResult<Typed> {
    call.arity(2..=2)?;
    call.expect_all(&[Expected::String, INT])?;
    let (ty, nullable) = (rows::text_type(&call, 0), call.any_nullable());
    Ok(call.kernel(&REPEAT, ty, nullable))
}

fn reverse(mut call: Call) -> SparkResult<Typed> {
    call.arity(1..=1)?;
    let nullable = call.any_nullable();
    let kernel = match &call.args[0].ty {
        DataType::Array { .. } => &REVERSE_ARRAY,
        DataType::Binary => &REVERSE_BINARY,
        DataType::Map { .. } | DataType::Struct(_) | DataType::Variant => {
            return Err(call.unexpected_type(0, "(\"STRING\" or \"ARRAY\" or \"BINARY\")"));
        }
        _ => {
            call.expect(0, Expected::String)?;
            &REVERSE
        }
    };
    let ty = call.args[0].ty.clone();
    Ok(call.kernel(kernel, ty, nullable))
}

/// Bytes that a replacement may make without being counted first.
const ASKED: usize = 1 << 24;

fn eval_replace(args: &KernelArgs) -> Result<ColumnarValue> {
    let (text, from, to) = (Text::of(args, 0)?, Text::of(args, 1)?, Text::of(args, 2)?);
    let collation = Collation::of(args)?;
    rows::strings(args, |row, out| {
        let (Some(s), Some(from), Some(to)) = (text.get(row), from.get(row), to.get(row)) else { return Ok(false) };
        if s.is_empty() || from.is_empty() {
            out.push_str(s);
            return Ok(true);
        }
        if s.len() / from.len() * to.len() >= ASKED {
            let found = s.matches(from).count();
            check_value(s.len().saturating_add(found.saturating_mul(to.len())))?;
        }
        let mut done = 0;
        while let Some((start, end)) = collation.find(s, from, done).filter(|(start, end)| end > start) {
            out.push_str(&s[done..start]);
            out.push_str(to);
            done = end;
        }
        out.push_str(&s[done..]);
        Ok(true)
    })
}

/// What each character becomes; `None` is dropped. The first of several wins.
fn translation(from: &str, to: &str, fold: bool) -> HashMap<char, Option<char>> {
    let mut map = HashMap::new();
    let mut targets = to.chars();
    for c in from.chars() {
        let target = targets.next();
        map.entry(if fold { folded(c) } else { c }).or_insert(target.filter(|t| *t != '\0'));
    }
    map
}

fn folded(c: char) -> char {
    c.to_lowercase().next().unwrap_or(c)
}

fn eval_translate(args: &KernelArgs) -> Result<ColumnarValue> {
    let (text, from, to) = (Text::of(args, 0)?, Text::of(args, 1)?, Text::of(args, 2)?);
    let fold = Collation::of(args)?.name.case_insensitive;
    let constant = match (from.constant(), to.constant()) {
        (Some(Some(from)), Some(Some(to))) => Some(translation(from, to, fold)),
        _ => None,
    };
    rows::strings(args, |row, out| {
        let (Some(s), Some(from), Some(to)) = (text.get(row), from.get(row), to.get(row)) else { return Ok(false) };
        let own;
        let map = match &constant {
            Some(map) => map,
            None => {
                own = translation(from, to, fold);
                &own
            }
        };
        for c in s.chars() {
            match map.get(&if fold { folded(c) } else { c }) {
                None => out.push(c),
                Some(target) => out.extend(*target),
            }
        }
        Ok(true)
    })
}

fn eval_overlay(args: &KernelArgs) -> Result<ColumnarValue> {
    let (text, with) = (Text::of(args, 0)?, Text::of(args, 1)?);
    let (pos, len) = (Ints::of(args, 2)?, Ints::of(args, 3)?);
    rows::strings(args, |row, out| {
        let (Some(s), Some(with), Some(pos), Some(len)) = (text.get(row), with.get(row), pos.get(row), len.get(row))
        else {
            return Ok(false);
        };
        let len = if len >= 0 { len } else { super::length::char_count(with) as i64 };
        out.push_str(chars(s, 0, pos - 1));
        out.push_str(with);
        out.push_str(chars(s, pos + len - 1, i64::from(i32::MAX)));
        Ok(true)
    })
}

fn eval_overlay_binary(args: &KernelArgs) -> Result<ColumnarValue> {
    let (bytes, with) = (Bytes::of(args, 0)?, Bytes::of(args, 1)?);
    let (pos, len) = (Ints::of(args, 2)?, Ints::of(args, 3)?);
    rows::binaries(args, |row, out| {
        let (Some(b), Some(with), Some(pos), Some(len)) = (bytes.get(row), with.get(row), pos.get(row), len.get(row))
        else {
            return Ok(false);
        };
        let len = if len >= 0 { len } else { with.len() as i64 };
        let clamp = |at: i64| at.clamp(0, b.len() as i64) as usize;
        out.extend_from_slice(&b[..clamp(pos - 1)]);
        out.extend_from_slice(with);
        out.extend_from_slice(&b[clamp(pos + len - 1)..]);
        Ok(true)
    })
}

fn eval_repeat(args: &KernelArgs) -> Result<ColumnarValue> {
    let (text, count) = (Text::of(args, 0)?, Ints::of(args, 1)?);
    let mut room = Room::new();
    rows::strings(args, |row, out| {
        let (Some(s), Some(n)) = (text.get(row), count.get(row)) else { return Ok(false) };
        let n = n.max(0) as usize;
        let size = s.len().saturating_mul(n);
        if size > (i32::MAX - 15) as usize {
            return fail(rows::too_large("repeat", size));
        }
        room.take(size)?;
        out.reserve(size);
        (0..n).for_each(|_| out.push_str(s));
        Ok(true)
    })
}

fn eval_reverse(args: &KernelArgs) -> Result<ColumnarValue> {
    let text = Text::of(args, 0)?;
    rows::strings(args, |row, out| {
        let Some(s) = text.get(row) else { return Ok(false) };
        out.extend(s.chars().rev());
        Ok(true)
    })
}

fn eval_reverse_binary(args: &KernelArgs) -> Result<ColumnarValue> {
    let bytes = Bytes::of(args, 0)?;
    rows::binaries(args, |row, out| {
        let Some(b) = bytes.get(row) else { return Ok(false) };
        out.extend(b.iter().rev());
        Ok(true)
    })
}

fn eval_reverse_array(args: &KernelArgs) -> Result<ColumnarValue> {
    let array = args.value(0)?.to_array(rows::row_count(args))?;
    let list = array.as_list::<i32>();
    let offsets = list.value_offsets();
    let first = offsets[0];
    let mut indices: Vec<u32> = Vec::with_capacity(list.values().len());
    for row in 0..list.len() {
        indices.extend((offsets[row]..offsets[row + 1]).rev().map(|i| i as u32));
    }
    let values = arrow::compute::take(list.values(), &arrow::array::UInt32Array::from(indices), None)?;
    let moved: Vec<i32> = offsets.iter().map(|o| o - first).collect();
    let (field, nulls) = match list.data_type() {
        arrow::datatypes::DataType::List(field) => (field.clone(), list.nulls().cloned()),
        other => return datafusion::common::internal_err!("{other} is not a list"),
    };
    let offsets = arrow::buffer::OffsetBuffer::new(moved.into());
    rows::finish(args, std::sync::Arc::new(arrow::array::ListArray::try_new(field, offsets, values, nulls)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families::rows::testing::{n, s, text};

    #[test]
    fn edits() {
        for (kernel, args, expected) in [
            (&REPLACE, vec![s("ABCabc"), s("abc"), s("DEF")], "ABCDEF"),
            (&REPLACE, vec![s("abc"), s(""), s("x")], "abc"),
            (&REPLACE, vec![s("aaa"), s("aa"), s("b")], "ba"),
            (&TRANSLATE, vec![s("AaBbCc"), s("abc"), s("123")], "A1B2C3"),
            (&TRANSLATE, vec![s("abc"), s("abc"), s("x")], "x"),
            (&TRANSLATE, vec![s("aabb"), s("aab"), s("xyz")], "xxzz"),
            (&OVERLAY, vec![s("Spark SQL"), s("tructured"), n(2), n(4)], "Structured SQL"),
            (&OVERLAY, vec![s("abc"), s("x"), n(0), n(-1)], "xabc"),
            (&OVERLAY, vec![s("abc"), s("x"), n(10), n(-1)], "abcx"),
            (&REPEAT, vec![s("ab"), n(2)], "abab"),
            (&REPEAT, vec![s("ab"), n(-1)], ""),
            (&REVERSE, vec![s("a😀b")], "b😀a"),
        ] {
            assert_eq!(text(kernel, &args), expected, "{}{args:?}", kernel.name);
        }
    }
}
