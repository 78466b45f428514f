//! Numbers written in other bases, and `factorial`.

use datafusion::common::Result as DfResult;
use datafusion::logical_expr::ColumnarValue;
use spark::Result;
use spark::types::DataType;

use crate::call::Call;
use crate::coerce::Expected;
use crate::error::{fail, overflow};
use crate::families::rows::{self, Bytes, Ints, Text};
use crate::kernel::{Kernel, KernelArgs};
use crate::registry::{Build, Function};
use crate::typed::Typed;

/// What users call.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "bin", build: Build::Scalar(bin) },
    Function { name: "hex", build: Build::Scalar(hex) },
    Function { name: "unhex", build: Build::Scalar(unhex) },
    Function { name: "conv", build: Build::Scalar(conv) },
    Function { name: "factorial", build: Build::Scalar(factorial) },
];

/// What they run.
pub const KERNELS: &[Kernel] = &[BIN, HEX_NUMBER, HEX_BYTES, UNHEX, CONV, FACTORIAL];

const BIN: Kernel = Kernel::new("bin", bin_kernel);
const HEX_NUMBER: Kernel = Kernel::new("hex_number", hex_number_kernel);
const HEX_BYTES: Kernel = Kernel::new("hex_bytes", hex_bytes_kernel);
const UNHEX: Kernel = Kernel::new("unhex", unhex_kernel);
const CONV: Kernel = Kernel::new("conv", conv_kernel);
const FACTORIAL: Kernel = Kernel::new("factorial", factorial_kernel);

fn bin(call: Call) -> Result<Typed> {
    rows::plain(call, &[Expected::Type(DataType::Long)], &BIN, DataType::STRING)
}

fn hex(mut call: Call) -> Result<Typed> {
    call.arity(1..=1)?;
    call.bytes_of_strings();
    let numeric = call.args[0].ty.is_numeric();
    let expected = if numeric {
        Expected::Type(DataType::Long)
    } else {
        Expected::OneOf(vec![Expected::Type(DataType::Long), Expected::Type(DataType::Binary), Expected::String])
    };
    if !numeric && !call.args[0].ty.is_string() && call.args[0].ty != DataType::Binary {
        let required = expected.describe();
        let wanted = if call.args[0].ty == DataType::Null { expected } else { Expected::String };
        call.expect(0, wanted).map_err(|_| call.unexpected_type(0, &required))?;
    } else {
        call.expect(0, expected)?;
    }
    let nullable = call.any_nullable();
    let kernel = if call.args[0].ty == DataType::Long { &HEX_NUMBER } else { &HEX_BYTES };
    let ty = if call.args[0].ty.is_string() { rows::text_type(&call, 0) } else { DataType::STRING };
    Ok(call.kernel(kernel, ty, nullable))
}

fn unhex(mut call: Call) -> Result<Typed> {
    call.arity(1..=1)?;
    call.expect(0, Expected::String)?;
    Ok(call.kernel(&UNHEX, DataType::Binary, true))
}

fn conv(mut call: Call) -> Result<Typed> {
    call.arity(3..=3)?;
    call.expect_all(&[Expected::String, Expected::Type(DataType::Integer), Expected::Type(DataType::Integer)])?;
    let ty = rows::text_type(&call, 0);
    Ok(call.kernel(&CONV, ty, true))
}

fn factorial(mut call: Call) -> Result<Typed> {
    call.arity(1..=1)?;
    call.expect(0, Expected::Type(DataType::Integer))?;
    Ok(call.kernel(&FACTORIAL, DataType::Long, true))
}

fn bin_kernel(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let values = Ints::of(args, 0)?;
    rows::strings(args, |row, out| {
        let Some(v) = values.get(row) else { return Ok(false) };
        out.push_str(&format!("{v:b}"));
        Ok(true)
    })
}

fn hex_number_kernel(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let values = Ints::of(args, 0)?;
    rows::strings(args, |row, out| {
        let Some(v) = values.get(row) else { return Ok(false) };
        out.push_str(&format!("{v:X}"));
        Ok(true)
    })
}

fn hex_bytes_kernel(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let values = Bytes::of(args, 0)?;
    rows::strings(args, |row, out| {
        let Some(v) = values.get(row) else { return Ok(false) };
        out.push_str(&::hex::encode_upper(v));
        Ok(true)
    })
}

fn unhex_kernel(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let values = Text::of(args, 0)?;
    rows::binaries(args, |row, out| {
        let Some(text) = values.get(row) else { return Ok(false) };
        Ok(decode_hex(text.as_bytes(), out))
    })
}

/// The bytes that hexadecimal digits stand for; an odd first digit is a byte of its own.
fn decode_hex(text: &[u8], out: &mut Vec<u8>) -> bool {
    let digit = |b: u8| char::from(b).to_digit(16).map(|d| d as u8);
    let (first, pairs) = text.split_at(text.len() % 2);
    for b in first {
        match digit(*b) {
            Some(d) => out.push(d),
            None => return false,
        }
    }
    for pair in pairs.chunks_exact(2) {
        match (digit(pair[0]), digit(pair[1])) {
            (Some(h), Some(l)) => out.push(h << 4 | l),
            _ => return false,
        }
    }
    true
}

fn conv_kernel(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let values = Text::of(args, 0)?;
    let (from, to) = (Ints::of(args, 1)?, Ints::of(args, 2)?);
    rows::strings(args, |row, out| {
        let (Some(text), Some(from), Some(to)) = (values.get(row), from.get(row), to.get(row)) else {
            return Ok(false);
        };
        match convert(text, from, to, args.ansi()) {
            Ok(Some(text)) => {
                out.push_str(&text);
                Ok(true)
            }
            Ok(None) => Ok(false),
            Err(Overflow) => fail(overflow("Overflow in function conv()", "")),
        }
    })
}

struct Overflow;

/// A number from one base to another; unsigned 64 bits, signed if the target base is negative.
fn convert(text: &str, from: i64, to: i64, strict: bool) -> Result<Option<String>, Overflow> {
    let text = text.trim_matches(' ');
    if !(2..=36).contains(&from) || !(2..=36).contains(&to.abs()) || text.is_empty() {
        return Ok(None);
    }
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |d| (true, d));
    let mut value: u64 = 0;
    for c in digits.chars() {
        let Some(d) = c.to_digit(from as u32) else { break };
        match value.checked_mul(from as u64).and_then(|v| v.checked_add(u64::from(d))) {
            Some(v) => value = v,
            None if strict => return Err(Overflow),
            None => {
                value = u64::MAX;
                break;
            }
        }
    }
    let mut sign = "";
    if negative && to > 0 {
        value = if value.cast_signed() < 0 { u64::MAX } else { value.wrapping_neg() };
    } else if to < 0 && (negative || value.cast_signed() < 0) {
        if !negative {
            value = value.wrapping_neg();
        }
        sign = "-";
    }
    Ok(Some(format!("{sign}{}", in_base(value, to.unsigned_abs()))))
}

fn in_base(mut value: u64, base: u64) -> String {
    let mut digits = Vec::new();
    loop {
        let digit = char::from_digit((value % base) as u32, base as u32).unwrap_or('0');
        digits.push(digit.to_ascii_uppercase());
        value /= base;
        if value == 0 {
            return digits.into_iter().rev().collect();
        }
    }
}

fn factorial_kernel(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let values = Ints::of(args, 0)?;
    rows::longs(args, |row| Ok(values.get(row).filter(|n| (0..=20).contains(n)).map(|n| (1..=n).product())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bases() {
        for (text, from, to, expected) in [
            ("100", 2, 10, Some("4")),
            ("-10", 16, -10, Some("-16")),
            ("ff", 16, 10, Some("255")),
            ("zz", 36, 2, Some("10100001111")),
            ("-1", 10, 16, Some("FFFFFFFFFFFFFFFF")),
            ("-1", 10, -16, Some("-1")),
            ("9223372036854775808", 10, 16, Some("8000000000000000")),
            ("abc", 10, 16, Some("0")),
            ("12x", 10, 16, Some("C")),
            ("", 10, 16, None),
            ("1", 1, 10, None),
        ] {
            assert_eq!(convert(text, from, to, true).ok().flatten().as_deref(), expected, "{text}");
        }
        assert!(convert("99999999999999999999", 10, 16, true).is_err());
    }

    #[test]
    fn hexadecimal() {
        for (text, expected) in [("F", Some(vec![15])), ("0A1", Some(vec![0, 0xA1])), ("", Some(vec![])), ("G1", None)]
        {
            let mut out = Vec::new();
            let done = decode_hex(text.as_bytes(), &mut out);
            assert_eq!(done.then_some(out), expected, "{text}");
        }
    }
}
