//! `substring`, `substr`, `left`, `right`.

use datafusion::common::Result;
use datafusion::logical_expr::ColumnarValue;
use spark::Result as SparkResult;
use spark::types::DataType;

use crate::call::Call;
use crate::coerce::Expected;
use crate::families::rows::{self, Bytes, Ints, Text};
use crate::kernel::{Kernel, KernelArgs};
use crate::registry::{Build, Function};
use crate::typed::Typed;

/// Functions of this file.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "substring", build: Build::Scalar(substring) },
    Function { name: "substr", build: Build::Scalar(substring) },
    Function { name: "left", build: Build::Scalar(left) },
    Function { name: "right", build: Build::Scalar(right) },
];

const SUBSTRING: Kernel = Kernel::new("substring", eval_string);
const SUBSTRING_BINARY: Kernel = Kernel::new("substring_binary", eval_binary);
const LEFT: Kernel = Kernel::new("left", eval_left);
const LEFT_BINARY: Kernel = Kernel::new("left_binary", eval_left_binary);
const RIGHT: Kernel = Kernel::new("right", eval_right);

/// Kernels of this file.
pub const KERNELS: &[Kernel] = &[SUBSTRING, SUBSTRING_BINARY, LEFT, LEFT_BINARY, RIGHT];

const INT: Expected = Expected::Type(DataType::Integer);

fn substring(mut call: Call) -> SparkResult<Typed> {
    call.arity(2..=3)?;
    if call.args.len() == 2 {
        rows::push_default(&mut call, rows::int_literal(i32::MAX));
    }
    call.expect_all(&[Expected::StringOrBinary, INT, INT])?;
    let (ty, nullable) = (rows::text_type(&call, 0), call.any_nullable());
    let kernel = if ty == DataType::Binary { &SUBSTRING_BINARY } else { &SUBSTRING };
    Ok(call.kernel(kernel, ty, nullable))
}

fn left(mut call: Call) -> SparkResult<Typed> {
    call.arity(2..=2)?;
    call.expect_all(&[Expected::StringOrBinary, INT])?;
    let (ty, nullable) = (rows::text_type(&call, 0), call.any_nullable());
    let kernel = if ty == DataType::Binary { &LEFT_BINARY } else { &LEFT };
    Ok(call.kernel(kernel, ty, nullable))
}

fn right(mut call: Call) -> SparkResult<Typed> {
    call.arity(2..=2)?;
    call.expect_all(&[Expected::String, INT])?;
    let ty = rows::text_type(&call, 0);
    Ok(call.kernel(&RIGHT, ty, true))
}

/// Half-open character range of Spark's `substring(pos, len)` in a value of `length` units; positions
/// count from 1, negative ones from the end.
fn range(pos: i64, len: i64, length: i64) -> (i64, i64) {
    let start = match pos {
        1.. => pos - 1,
        0 => 0,
        _ => length + pos,
    };
    let end = (start + len).clamp(i64::from(i32::MIN), i64::from(i32::MAX));
    (start.max(0), end.max(0))
}

/// Characters `start..end` of `s`, clamped to it.
pub fn chars(s: &str, start: i64, end: i64) -> &str {
    if end <= start {
        return "";
    }
    let (start, end) = (start.max(0) as usize, end.max(0) as usize);
    if s.is_ascii() {
        return s.get(start.min(s.len())..end.min(s.len())).unwrap_or("");
    }
    let mut indices = s.char_indices().map(|(i, _)| i);
    let from = indices.nth(start).unwrap_or(s.len());
    let to = if end > start { indices.nth(end - start - 1).unwrap_or(s.len()) } else { from };
    s.get(from..to).unwrap_or("")
}

fn eval_string(args: &KernelArgs) -> Result<ColumnarValue> {
    let (text, pos, len) = (Text::of(args, 0)?, Ints::of(args, 1)?, Ints::of(args, 2)?);
    rows::slices(args, |row| {
        let (Some(s), Some(pos), Some(len)) = (text.get(row), pos.get(row), len.get(row)) else { return Ok(None) };
        let length = if pos < 0 { super::length::char_count(s) as i64 } else { 0 };
        let (start, end) = range(pos, len, length);
        Ok(Some(chars(s, start, end)))
    })
}

fn eval_binary(args: &KernelArgs) -> Result<ColumnarValue> {
    let (bytes, pos, len) = (Bytes::of(args, 0)?, Ints::of(args, 1)?, Ints::of(args, 2)?);
    rows::binaries(args, |row, out| {
        let (Some(b), Some(pos), Some(len)) = (bytes.get(row), pos.get(row), len.get(row)) else { return Ok(false) };
        let (start, end) = range(pos, len, b.len() as i64);
        let end = (end as usize).min(b.len());
        out.extend_from_slice(b.get(start as usize..end).unwrap_or(&[]));
        Ok(true)
    })
}

fn eval_left(args: &KernelArgs) -> Result<ColumnarValue> {
    let (text, len) = (Text::of(args, 0)?, Ints::of(args, 1)?);
    rows::slices(args, |row| Ok(text.get(row).zip(len.get(row)).map(|(s, n)| chars(s, 0, n))))
}

fn eval_left_binary(args: &KernelArgs) -> Result<ColumnarValue> {
    let (bytes, len) = (Bytes::of(args, 0)?, Ints::of(args, 1)?);
    rows::binaries(args, |row, out| {
        let (Some(b), Some(n)) = (bytes.get(row), len.get(row)) else { return Ok(false) };
        out.extend_from_slice(&b[..(n.max(0) as usize).min(b.len())]);
        Ok(true)
    })
}

fn eval_right(args: &KernelArgs) -> Result<ColumnarValue> {
    let (text, len) = (Text::of(args, 0)?, Ints::of(args, 1)?);
    rows::slices(args, |row| {
        let (Some(s), Some(n)) = (text.get(row), len.get(row)) else { return Ok(None) };
        let total = super::length::char_count(s) as i64;
        Ok(Some(if n <= 0 { "" } else { chars(s, total - n, total) }))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families::rows::testing::{n, s, text};

    #[test]
    fn substrings() {
        for (input, pos, len, expected) in [
            ("Spark SQL", 5, i32::MAX, "k SQL"),
            ("Spark SQL", -3, i32::MAX, "SQL"),
            ("Spark SQL", 5, 1, "k"),
            ("abc", -5, 3, "a"),
            ("abc", 0, 2, "ab"),
            ("abc", 2, -1, ""),
            ("aé😀d", 2, 2, "é😀"),
            ("aé😀d", -2, 1, "😀"),
            ("abc", 10, 2, ""),
        ] {
            assert_eq!(text(&SUBSTRING, &[s(input), n(pos), n(len)]), expected, "substring({input}, {pos}, {len})");
        }
    }

    #[test]
    fn ends() {
        for (kernel, input, len, expected) in
            [(&LEFT, "abcd", 2, "ab"), (&LEFT, "abcd", -2, ""), (&RIGHT, "ahoj", 3, "hoj"), (&RIGHT, "é😀", 9, "é😀")]
        {
            assert_eq!(text(kernel, &[s(input), n(len)]), expected, "{}({input}, {len})", kernel.name);
        }
    }
}
