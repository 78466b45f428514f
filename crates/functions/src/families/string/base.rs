//! `base64`, `unbase64`, `to_base32`, `from_base32`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use datafusion::common::Result;
use datafusion::logical_expr::ColumnarValue;
use spark::types::DataType;
use spark::{Error, ErrorKind, Result as SparkResult};

use crate::call::Call;
use crate::coerce::Expected;
use crate::error::fail;
use crate::families::rows::{self, Bytes, Text};
use crate::kernel::{Kernel, KernelArgs};
use crate::registry::{Build, Function};
use crate::typed::Typed;

/// Functions of this file.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "base64", build: Build::Scalar(base64) },
    Function { name: "unbase64", build: Build::Scalar(unbase64) },
    Function { name: "to_base32", build: Build::Scalar(to_base32) },
    Function { name: "from_base32", build: Build::Scalar(from_base32) },
];

/// Also what `to_char(…, 'base64')` is.
pub const BASE64: Kernel = Kernel::new("base64", eval_base64);
const UNBASE64: Kernel = Kernel::new("unbase64", eval_unbase64);
const TO_BASE32: Kernel = Kernel::new("to_base32", eval_to_base32);
const FROM_BASE32: Kernel = Kernel::new("from_base32", eval_from_base32);

/// Kernels of this file.
pub const KERNELS: &[Kernel] = &[BASE64, UNBASE64, TO_BASE32, FROM_BASE32];

/// Extra options of [`BASE64`]: no line breaks.
const UNCHUNKED: &str = "unchunked";

fn base64(call: Call) -> SparkResult<Typed> {
    let chunked = call.settings.conf.get_bool("spark.sql.chunkBase64String.enabled", false);
    let mut typed = encoded(call, chunked)?;
    typed.metadata = Default::default();
    Ok(typed)
}

fn encoded(mut call: Call, chunked: bool) -> SparkResult<Typed> {
    call.arity(1..=1)?;
    call.expect(0, Expected::Type(DataType::Binary))?;
    let nullable = call.any_nullable();
    let options = if chunked { call.options() } else { call.options().with_extra(UNCHUNKED) };
    Ok(call.kernel_with(&BASE64, options, DataType::STRING, nullable))
}

fn unbase64(call: Call) -> SparkResult<Typed> {
    rows::plain(call, &[Expected::String], &UNBASE64, DataType::Binary)
}

fn to_base32(call: Call) -> SparkResult<Typed> {
    call.arity(1..=1)?;
    let ty = &call.args[0].ty;
    if !(ty.is_string() || matches!(ty, DataType::Binary | DataType::Null)) {
        return Err(call.unexpected_type(0, "\"BINARY\""));
    }
    rows::plain(call, &[Expected::StringOrBinary], &TO_BASE32, DataType::STRING)
}

fn from_base32(call: Call) -> SparkResult<Typed> {
    rows::plain(call, &[Expected::String], &FROM_BASE32, DataType::Binary)
}

/// MIME base 64 has lines of 76 characters.
const LINE: usize = 76;

fn eval_base64(args: &KernelArgs) -> Result<ColumnarValue> {
    let bytes = Bytes::of(args, 0)?;
    let chunked = args.extra() != UNCHUNKED;
    let mut text = String::new();
    rows::strings(args, |row, out| {
        let Some(b) = bytes.get(row) else { return Ok(false) };
        if !chunked {
            STANDARD.encode_string(b, out);
            return Ok(true);
        }
        text.clear();
        STANDARD.encode_string(b, &mut text);
        let mut rest = text.as_str();
        while rest.len() > LINE {
            out.push_str(&rest[..LINE]);
            out.push_str("\r\n");
            rest = &rest[LINE..];
        }
        out.push_str(rest);
        Ok(true)
    })
}

fn eval_unbase64(args: &KernelArgs) -> Result<ColumnarValue> {
    let text = Text::of(args, 0)?;
    rows::binaries(args, |row, out| {
        let Some(s) = text.get(row) else { return Ok(false) };
        if decode_mime(s, out) {
            return Ok(true);
        }
        // Java's own decoder says this, and Spark passes it on.
        fail(Error::new(ErrorKind::IllegalArgument, "").with_message(format!("'{s}' is not base 64.")))
    })
}

/// The value of a base 64 digit.
fn digit64(b: u8) -> Option<u32> {
    Some(u32::from(match b {
        b'A'..=b'Z' => b - b'A',
        b'a'..=b'z' => b - b'a' + 26,
        b'0'..=b'9' => b - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    }))
}

/// MIME base 64: bytes that are no digits are skipped; false if it ends in the middle of a byte.
pub fn decode_mime(s: &str, out: &mut Vec<u8>) -> bool {
    let (mut bits, mut count) = (0u32, 0u32);
    let mut bytes = s.bytes();
    for b in bytes.by_ref() {
        if b == b'=' {
            break;
        }
        let Some(digit) = digit64(b) else { continue };
        bits = bits << 6 | digit;
        count += 1;
        if count == 4 {
            out.extend_from_slice(&bits.to_be_bytes()[1..]);
            (bits, count) = (0, 0);
        }
    }
    match count {
        0 => true,
        2 => {
            out.push((bits >> 4) as u8);
            true
        }
        3 => {
            out.push((bits >> 10) as u8);
            out.push((bits >> 2) as u8);
            true
        }
        _ => false,
    }
}

const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

fn eval_to_base32(args: &KernelArgs) -> Result<ColumnarValue> {
    let bytes = Bytes::of(args, 0)?;
    rows::strings(args, |row, out| {
        let Some(b) = bytes.get(row) else { return Ok(false) };
        for chunk in b.chunks(5) {
            let mut block = [0u8; 8];
            block[3..3 + chunk.len()].copy_from_slice(chunk);
            let value = u64::from_be_bytes(block);
            let digits = (chunk.len() * 8).div_ceil(5);
            for i in 0..8 {
                let digit = (value >> (35 - 5 * i)) & 31;
                out.push(if i < digits { char::from(BASE32[digit as usize]) } else { '=' });
            }
        }
        Ok(true)
    })
}

/// Skips what is no digit; left-over bits make a byte of their own only if nothing else came of them.
fn eval_from_base32(args: &KernelArgs) -> Result<ColumnarValue> {
    let text = Text::of(args, 0)?;
    rows::binaries(args, |row, out| {
        let Some(s) = text.get(row) else { return Ok(false) };
        let (mut bits, mut count) = (0u64, 0u32);
        for b in s.bytes().take_while(|b| *b != b'=') {
            let digit = match b.to_ascii_uppercase() {
                b @ b'A'..=b'Z' => b - b'A',
                b @ b'2'..=b'7' => b - b'2' + 26,
                _ => continue,
            };
            bits = bits << 5 | u64::from(digit);
            count += 5;
            if count >= 8 {
                count -= 8;
                out.push((bits >> count) as u8);
                bits &= (1 << count) - 1;
            }
        }
        Ok(true)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families::rows::testing::{run, s, text};
    use crate::kernel::Options;
    use datafusion::scalar::ScalarValue;

    #[test]
    fn encodes() {
        for (kernel, input, expected) in [
            (&BASE64, "Spark SQL", "U3BhcmsgU1FM"),
            (&TO_BASE32, "foobar", "MZXW6YTBOI======"),
            (&TO_BASE32, "f", "MY======"),
            (&TO_BASE32, "", ""),
        ] {
            assert_eq!(text(kernel, &[s(input)]), expected, "{}({input})", kernel.name);
        }
        assert_eq!(text(&BASE64, &[s(&"x".repeat(80))]).find("\r\n"), Some(76));
    }

    #[test]
    fn decodes() {
        for (kernel, input, expected) in [
            (&UNBASE64, "U3BhcmsgU1FM", Some("Spark SQL")),
            (&UNBASE64, "a G!k=", Some("hi")),
            (&UNBASE64, "a", None),
            (&FROM_BASE32, "MZXW6YTBOI======", Some("foobar")),
            (&FROM_BASE32, "my", Some("f")),
            (&FROM_BASE32, "1", Some("")),
        ] {
            let got = run(kernel, &DataType::Binary, Options::default(), &[s(input)]).ok();
            let expected = expected.map(|e| ScalarValue::Binary(Some(e.as_bytes().to_vec())));
            assert_eq!(got, expected, "{}({input})", kernel.name);
        }
    }
}
