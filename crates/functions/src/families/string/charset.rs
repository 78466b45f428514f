//! Bytes and characters: `encode`, `decode`, `to_binary`, `try_to_binary`.

use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, Expr};
use datafusion::scalar::ScalarValue;
use spark::types::DataType;
use spark::{Error, ErrorKind, Result as SparkResult};

use super::base::decode_mime;
use crate::call::Call;
use crate::coerce::{self, Expected};
use crate::error::fail;
use crate::families::collation;
use crate::families::rows::{self, Bytes, Text};
use crate::fold;
use crate::kernel::{Kernel, KernelArgs, KernelUdf};
use crate::registry::{Build, Function};
use crate::typed::Typed;

/// Functions of this file.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "encode", build: Build::Scalar(encode) },
    Function { name: "decode", build: Build::Scalar(decode) },
    Function { name: "to_binary", build: Build::Scalar(to_binary) },
    Function { name: "try_to_binary", build: Build::Scalar(try_to_binary) },
];

const ENCODE: Kernel = Kernel::new("encode", eval_encode);
/// Also what `to_char(…, 'utf-8')` is.
pub const DECODE: Kernel = Kernel::new("decode", eval_decode);
const TO_BINARY: Kernel = Kernel::new("to_binary", eval_to_binary);

/// Kernels of this file.
pub const KERNELS: &[Kernel] = &[ENCODE, DECODE, TO_BINARY];

fn encode(mut call: Call) -> SparkResult<Typed> {
    call.arity(2..=2)?;
    call.expect_all(&[Expected::String, Expected::String])?;
    Ok(call.kernel(&ENCODE, DataType::Binary, true))
}

fn decode(mut call: Call) -> SparkResult<Typed> {
    match call.args.len() {
        0 | 1 => Err(call.wrong_arity("2")),
        2 => {
            call.expect_all(&[Expected::Type(DataType::Binary), Expected::String])?;
            Ok(call.kernel(&DECODE, DataType::STRING, true))
        }
        _ => choose(call),
    }
}

/// `decode(value, search, result, …[, default])`: the first search equal to the value, nulls too.
fn choose(mut call: Call) -> SparkResult<Typed> {
    let name = call.display_name();
    let count = call.args.len();
    determined_searches(&call)?;
    let pairs = (count - 1) / 2;
    let has_default = count.is_multiple_of(2);
    let keys: Vec<usize> = (0..pairs).map(|p| 1 + 2 * p).collect();
    let mut results: Vec<usize> = (0..pairs).map(|p| 2 + 2 * p).collect();
    if has_default {
        results.push(count - 1);
    }
    // Without a default the last branch is a null string.
    let mut types: Vec<DataType> = results.iter().map(|i| call.args[*i].ty.clone()).collect();
    if !has_default {
        types.push(DataType::STRING);
    }
    let result_type = coerce::common_type(&types, call.settings).ok_or_else(|| {
        let types: Vec<String> = types.iter().map(|t| format!("\"{}\"", t.sql())).collect();
        call.mismatch("DATA_DIFF_TYPES")
            .param("sqlExpr", format!("\"{}\"", as_case(&call, pairs)))
            .param("functionName", "`casewhen`")
            .param("dataType", format!("[{}]", types.join(", ")))
    })?;
    for i in results {
        call.args[i] = coerce::cast_implicitly(&call.args[i], &result_type, call.settings);
    }
    let mut when_then = Vec::with_capacity(pairs);
    for key in keys {
        let pair = coerce::unify_pair(call.args[0].clone(), call.args[key].clone(), call.settings)?;
        let Some((value, search)) = pair else {
            return Err(call
                .mismatch("BINARY_OP_DIFF_TYPES")
                .param("sqlExpr", format!("\"({} <=> {})\"", call.args[0].name, call.args[key].name))
                .param("left", format!("\"{}\"", call.args[0].ty.sql()))
                .param("right", format!("\"{}\"", call.args[key].ty.sql())));
        };
        let is = datafusion::logical_expr::Operator::IsNotDistinctFrom;
        let same = crate::families::predicate::comparison_expr(&value, is, &search);
        when_then.push((Box::new(same), Box::new(call.args[key + 1].expr.clone())));
    }
    let nullable =
        !has_default || call.args.iter().skip(2).step_by(2).any(|a| a.nullable) || call.args[count - 1].nullable;
    let otherwise = if has_default { Some(Box::new(call.args[count - 1].expr.clone())) } else { None };
    let case = Expr::Case(datafusion::logical_expr::Case::new(None, when_then, otherwise));
    Ok(Typed::new(case, result_type, nullable, name))
}

/// Refuses a value and a search whose collation is not decided.
fn determined_searches(call: &Call) -> SparkResult<()> {
    let mut value = call.args[0].clone();
    for search in call.args[1..].chunks_exact(2).map(|pair| &pair[0]) {
        if !value.ty.is_string() || !search.ty.is_string() {
            continue;
        }
        let name = format!("({} <=> {})", value.name, search.name);
        let chosen = collation::unify_typed(&mut [&mut value, &mut search.clone()])?;
        if chosen.as_deref() == Some(collation::INDETERMINATE) {
            return Err(Error::analysis("INDETERMINATE_COLLATION_IN_EXPRESSION")
                .param("expr", format!("\"{name}\""))
                .with_message(format!("The collation to compare by in {name} is not determined."))
                .at(call.origin.as_ref()));
        }
        value = call.args[0].clone();
    }
    Ok(())
}

/// The call as the `CASE` that it stands for.
fn as_case(call: &Call, pairs: usize) -> String {
    let name = |i: usize| call.args.get(i).map_or("NULL", |a| a.name.as_str());
    let whens: Vec<String> =
        (0..pairs).map(|p| format!("WHEN ({} <=> {}) THEN {}", name(0), name(1 + 2 * p), name(2 + 2 * p))).collect();
    format!("CASE {} ELSE {} END", whens.join(" "), name(1 + 2 * pairs))
}

/// The character sets Spark knows.
#[derive(Clone, Copy, PartialEq)]
enum Charset {
    Ascii,
    Latin1,
    Utf8,
    Utf16,
    Utf16Be,
    Utf16Le,
    Utf32,
}

fn charset(name: &str, function: &str) -> Result<Charset> {
    Ok(match name.to_ascii_lowercase().as_str() {
        "us-ascii" => Charset::Ascii,
        "iso-8859-1" => Charset::Latin1,
        "utf-8" => Charset::Utf8,
        "utf-16" => Charset::Utf16,
        "utf-16be" => Charset::Utf16Be,
        "utf-16le" => Charset::Utf16Le,
        "utf-32" => Charset::Utf32,
        _ => {
            return fail(
                Error::new(ErrorKind::IllegalArgument, "INVALID_PARAMETER_VALUE.CHARSET")
                    .param("functionName", format!("`{function}`"))
                    .param("parameter", "`charset`")
                    .param("charset", name)
                    .param("charsets", "iso-8859-1, us-ascii, utf-16, utf-16be, utf-16le, utf-32, utf-8")
                    .with_message(format!("{name} is not a known character set.")),
            );
        }
    })
}

fn malformed(function: &str, name: &str) -> Error {
    Error::runtime("MALFORMED_CHARACTER_CODING")
        .param("function", format!("`{function}`"))
        .param("charset", name)
        .with_message(format!("{function} met something that {name} cannot represent."))
}

fn eval_encode(args: &KernelArgs) -> Result<ColumnarValue> {
    let (text, names) = (Text::of(args, 0)?, Text::of(args, 1)?);
    rows::binaries(args, |row, out| {
        let (Some(s), Some(name)) = (text.get(row), names.get(row)) else { return Ok(false) };
        if encode_into(s, charset(name, "encode")?, out) { Ok(true) } else { fail(malformed("encode", name)) }
    })
}

fn encode_into(s: &str, charset: Charset, out: &mut Vec<u8>) -> bool {
    match charset {
        Charset::Utf8 => out.extend_from_slice(s.as_bytes()),
        Charset::Ascii if s.is_ascii() => out.extend_from_slice(s.as_bytes()),
        Charset::Ascii => return false,
        Charset::Latin1 => {
            for c in s.chars() {
                match u8::try_from(c as u32) {
                    Ok(b) => out.push(b),
                    Err(_) => return false,
                }
            }
        }
        Charset::Utf16 => {
            if !s.is_empty() {
                out.extend_from_slice(&[0xFE, 0xFF]);
            }
            out.extend(s.encode_utf16().flat_map(u16::to_be_bytes));
        }
        Charset::Utf16Be => out.extend(s.encode_utf16().flat_map(u16::to_be_bytes)),
        Charset::Utf16Le => out.extend(s.encode_utf16().flat_map(u16::to_le_bytes)),
        Charset::Utf32 => out.extend(s.chars().flat_map(|c| (c as u32).to_be_bytes())),
    }
    true
}

fn eval_decode(args: &KernelArgs) -> Result<ColumnarValue> {
    let (bytes, names) = (Bytes::of(args, 0)?, Text::of(args, 1)?);
    rows::strings(args, |row, out| {
        let (Some(b), Some(name)) = (bytes.get(row), names.get(row)) else { return Ok(false) };
        if decode_into(b, charset(name, "decode")?, out) { Ok(true) } else { fail(malformed("decode", name)) }
    })
}

fn decode_into(b: &[u8], charset: Charset, out: &mut String) -> bool {
    match charset {
        Charset::Utf8 => match std::str::from_utf8(b) {
            Ok(s) => out.push_str(s),
            Err(_) => return false,
        },
        Charset::Ascii if b.is_ascii() => out.extend(b.iter().map(|b| char::from(*b))),
        Charset::Ascii => return false,
        Charset::Latin1 => out.extend(b.iter().map(|b| char::from(*b))),
        Charset::Utf16 => match b {
            [0xFE, 0xFF, rest @ ..] => return decode_utf16(rest, u16::from_be_bytes, out),
            [0xFF, 0xFE, rest @ ..] => return decode_utf16(rest, u16::from_le_bytes, out),
            _ => return decode_utf16(b, u16::from_be_bytes, out),
        },
        Charset::Utf16Be => return decode_utf16(b, u16::from_be_bytes, out),
        Charset::Utf16Le => return decode_utf16(b, u16::from_le_bytes, out),
        Charset::Utf32 => return decode_utf32(b, out),
    }
    true
}

fn decode_utf16(b: &[u8], unit: fn([u8; 2]) -> u16, out: &mut String) -> bool {
    let (pairs, rest) = b.as_chunks::<2>();
    if !rest.is_empty() {
        return false;
    }
    for c in char::decode_utf16(pairs.iter().map(|p| unit(*p))) {
        match c {
            Ok(c) => out.push(c),
            Err(_) => return false,
        }
    }
    true
}

fn decode_utf32(b: &[u8], out: &mut String) -> bool {
    type Unit = fn([u8; 4]) -> u32;
    let (b, unit): (&[u8], Unit) = match b {
        [0, 0, 0xFE, 0xFF, rest @ ..] => (rest, u32::from_be_bytes),
        [0xFF, 0xFE, 0, 0, rest @ ..] => (rest, u32::from_le_bytes),
        _ => (b, u32::from_be_bytes),
    };
    let (quads, rest) = b.as_chunks::<4>();
    if !rest.is_empty() {
        return false;
    }
    for quad in quads {
        match char::from_u32(unit(*quad)) {
            Some(c) => out.push(c),
            None => return false,
        }
    }
    true
}

fn to_binary(call: Call) -> SparkResult<Typed> {
    converted(call, false)
}

fn try_to_binary(call: Call) -> SparkResult<Typed> {
    converted(call, true)
}

/// The format is a constant: `hex` (the default), `utf-8`, `utf8` or `base64` in any case.
fn converted(mut call: Call, is_try: bool) -> SparkResult<Typed> {
    call.arity(1..=2)?;
    let name = call.display_name();
    call.expect_all(&[Expected::String, Expected::String])?;
    let format = match call.args.get(1) {
        None => Some("hex".to_string()),
        Some(arg) if !arg.foldable() => {
            return Err(call
                .mismatch("NON_FOLDABLE_INPUT")
                .param("inputName", "`fmt`")
                .param("inputType", "\"STRING\"")
                .param("inputExpr", format!("\"{}\"", arg.name)));
        }
        Some(arg) => fold::string(arg).map(|f| f.to_ascii_lowercase()),
    };
    let null = || Typed::new(Expr::Literal(ScalarValue::Binary(None), None), DataType::Binary, true, name.clone());
    let Some(format) = format else { return Ok(null()) };
    if !["hex", "utf-8", "utf8", "base64"].contains(&format.as_str()) {
        if is_try {
            return Ok(null());
        }
        return Err(call
            .mismatch("INVALID_ARG_VALUE")
            .param("inputName", "fmt")
            .param("requireType", "case-insensitive \"STRING\"")
            .param("validValues", "'hex', 'utf-8', 'utf8', or 'base64'")
            .param("inputValue", format!("'{format}'")));
    }
    let nullable = is_try || format != "base64" || call.args[0].nullable;
    let options = crate::kernel::Options { ansi: !is_try, ..call.options() }.with_extra(format);
    let arg = call.args.swap_remove(0);
    let expr = KernelUdf::call(&TO_BINARY, arrow::datatypes::DataType::Binary, options, vec![arg.expr]);
    Ok(Typed::new(expr, DataType::Binary, nullable, name))
}

/// `ansi` here means that malformed input is an error rather than null.
fn eval_to_binary(args: &KernelArgs) -> Result<ColumnarValue> {
    let text = Text::of(args, 0)?;
    let format = args.extra();
    rows::binaries(args, |row, out| {
        let Some(s) = text.get(row) else { return Ok(false) };
        let done = match format {
            "base64" => strict_base64(s) && decode_mime(s, out),
            "hex" => unhex(s, out),
            _ => {
                out.extend_from_slice(s.as_bytes());
                true
            }
        };
        if done || !args.ansi() {
            return Ok(done);
        }
        fail(
            Error::new(ErrorKind::IllegalArgument, "CONVERSION_INVALID_INPUT")
                .param("str", format!("'{s}'"))
                .param("fmt", format!("'{}'", format.to_uppercase()))
                .param("targetType", "\"BINARY\"")
                .param("suggestion", "`try_to_binary`")
                .with_message(format!("'{s}' cannot be read as {format}.")),
        )
    })
}

/// Only digits and white space, and padding that completes the last group.
fn strict_base64(s: &str) -> bool {
    let mut digits = 0usize;
    let mut padding = 0usize;
    for b in s.bytes() {
        match b {
            b' ' | b'\t' | b'\r' | b'\n' => {}
            b'=' => padding += 1,
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' if padding == 0 => digits += 1,
            _ => return false,
        }
    }
    match digits % 4 {
        0 => padding == 0,
        2 => padding == 2 || padding == 0,
        3 => padding == 1 || padding == 0,
        _ => false,
    }
}

/// Hexadecimal; an odd number of digits has a leading zero.
fn unhex(s: &str, out: &mut Vec<u8>) -> bool {
    let value = |b: u8| char::from(b).to_digit(16).map(|d| d as u8);
    let mut bytes = s.bytes();
    if s.len() % 2 == 1 {
        match bytes.next().and_then(value) {
            Some(d) => out.push(d),
            None => return false,
        }
    }
    while let (Some(high), Some(low)) = (bytes.next(), bytes.next()) {
        match (value(high), value(low)) {
            (Some(high), Some(low)) => out.push(high << 4 | low),
            _ => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charsets() {
        for (charset, text, bytes) in [
            (Charset::Utf16, "é", &[0xFE, 0xFF, 0, 0xE9][..]),
            (Charset::Utf16Be, "é", &[0, 0xE9]),
            (Charset::Utf16Le, "é", &[0xE9, 0]),
            (Charset::Utf32, "é", &[0, 0, 0, 0xE9]),
            (Charset::Latin1, "é", &[0xE9]),
        ] {
            let (mut encoded, mut decoded) = (Vec::new(), String::new());
            assert!(encode_into(text, charset, &mut encoded) && decode_into(bytes, charset, &mut decoded));
            assert_eq!((encoded.as_slice(), decoded.as_str()), (bytes, text));
        }
        assert!(!encode_into("é", Charset::Ascii, &mut Vec::new()));
        assert!(!decode_into(&[0x80], Charset::Utf8, &mut String::new()));
    }

    #[test]
    fn hex_and_base64() {
        for (input, expected) in [("abc", Some(vec![0x0A, 0xBC])), ("GG", None), ("", Some(vec![]))] {
            let mut out = Vec::new();
            assert_eq!(unhex(input, &mut out).then_some(out), expected, "{input}");
        }
        for (input, ok) in [("abc", true), ("a!", false), ("YWJj=", false), ("a", false), ("YWI=", true)] {
            assert_eq!(strict_base64(input), ok, "{input}");
        }
    }
}
