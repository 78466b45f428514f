//! `length` in characters, bytes and bits.

use datafusion::common::Result;
use datafusion::logical_expr::ColumnarValue;
use spark::Result as SparkResult;
use spark::types::DataType;

use crate::call::Call;
use crate::coerce::Expected;
use crate::families::rows::{self, Bytes, Text};
use crate::kernel::{Kernel, KernelArgs};
use crate::registry::{Build, Function};
use crate::typed::Typed;

/// Functions of this file.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "length", build: Build::Scalar(length) },
    Function { name: "len", build: Build::Scalar(length) },
    Function { name: "char_length", build: Build::Scalar(length) },
    Function { name: "character_length", build: Build::Scalar(length) },
    Function { name: "octet_length", build: Build::Scalar(octet_length) },
    Function { name: "bit_length", build: Build::Scalar(bit_length) },
];

const CHARS: Kernel = Kernel::new("char_length", eval_chars);
const OCTETS: Kernel = Kernel::new("octet_length", |args| eval_bytes(args, 1));
const BITS: Kernel = Kernel::new("bit_length", |args| eval_bytes(args, 8));

/// Kernels of this file.
pub const KERNELS: &[Kernel] = &[CHARS, OCTETS, BITS];

fn length(call: Call) -> SparkResult<Typed> {
    call.arity(1..=1)?;
    let kernel = if rows::is_binary(&call, 0) { &OCTETS } else { &CHARS };
    rows::plain(call, &[Expected::StringOrBinary], kernel, DataType::Integer)
}

fn octet_length(mut call: Call) -> SparkResult<Typed> {
    call.bytes_of_strings();
    rows::plain(call, &[Expected::StringOrBinary], &OCTETS, DataType::Integer)
}

fn bit_length(mut call: Call) -> SparkResult<Typed> {
    call.bytes_of_strings();
    rows::plain(call, &[Expected::StringOrBinary], &BITS, DataType::Integer)
}

fn eval_chars(args: &KernelArgs) -> Result<ColumnarValue> {
    let text = Text::of(args, 0)?;
    rows::ints(args, |row| Ok(text.get(row).map(|s| char_count(s) as i32)))
}

/// The number of code points.
pub fn char_count(s: &str) -> usize {
    if s.is_ascii() { s.len() } else { s.chars().count() }
}

fn eval_bytes(args: &KernelArgs, unit: usize) -> Result<ColumnarValue> {
    let bytes = Bytes::of(args, 0)?;
    rows::ints(args, |row| Ok(bytes.get(row).map(|b| b.len().wrapping_mul(unit) as i32)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families::rows::testing::{int, s};

    #[test]
    fn lengths() {
        for (kernel, input, expected) in
            [(&CHARS, "Spark SQL ", 10), (&CHARS, "é😀", 2), (&OCTETS, "é😀", 6), (&BITS, "é", 16), (&CHARS, "", 0)]
        {
            assert_eq!(int(kernel, &[s(input)]), expected, "{} of {input}", kernel.name);
        }
    }
}
