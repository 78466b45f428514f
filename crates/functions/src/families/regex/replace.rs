//! `regexp_replace`.

use datafusion::common::Result;
use datafusion::logical_expr::ColumnarValue;
use fancy_regex::Captures;
use spark::types::DataType;
use spark::{Error, Result as SparkResult};

use super::pattern::{Last, Pattern, after};
use super::rlike::{effective, lower_case_options, regex_argument};
use crate::call::Call;
use crate::coerce::Expected;
use crate::error::fail;
use crate::families::collation;
use crate::families::rows::{self, Ints, Text};
use crate::fold;
use crate::kernel::{Kernel, KernelArgs};
use crate::registry::{Build, Function};
use crate::room::Room;
use crate::typed::Typed;

/// Functions of this file.
pub const FUNCTIONS: &[Function] = &[Function { name: "regexp_replace", build: Build::Scalar(replace) }];

const REPLACE: Kernel = Kernel::new("regexp_replace", eval);

/// Kernels of this file.
pub const KERNELS: &[Kernel] = &[REPLACE];

fn replace(mut call: Call) -> SparkResult<Typed> {
    call.arity(3..=4)?;
    if call.args.len() == 3 {
        rows::push_default(&mut call, rows::int_literal(1));
    }
    call.collate(&[0, 1, 2])?;
    for i in 0..3 {
        if collation::of(&call.args[i].ty).as_deref() == Some(collation::INDETERMINATE) {
            return Err(call.unexpected_type(i, "\"STRING\""));
        }
        regex_argument(&mut call, i)?;
    }
    let int = Expected::Type(DataType::Integer);
    call.expect_all(&[Expected::String, Expected::String, Expected::String, int])?;
    if !call.args[3].foldable() {
        return Err(call
            .mismatch("NON_FOLDABLE_INPUT")
            .param("inputName", "`position`")
            .param("inputType", "\"INT\"")
            .param("inputExpr", format!("\"{}\"", call.args[3].name)));
    }
    if let Some(position) = fold::integer(&call.args[3])
        && position < 1
    {
        return Err(call
            .mismatch("VALUE_OUT_OF_RANGE")
            .param("exprName", "position")
            .param("valueRange", "(0, 2147483647]")
            .param("currentValue", position.to_string()));
    }
    let collation = collation::unify(&mut call, &[0, 1, 2])?;
    let (options, nullable) = (lower_case_options(&call, &collation), call.any_nullable());
    Ok(call.kernel_with(&REPLACE, options, collation::string_type(&collation), nullable))
}

/// A piece of a replacement.
enum Part {
    Text(String),
    Group(usize),
}

/// Reads a replacement: `$1`, `${name}`, and `\` before a character that stands for itself; `None` if
/// it is malformed for the pattern.
fn parse(replacement: &str, pattern: &Pattern) -> Option<Vec<Part>> {
    let mut parts = Vec::new();
    let mut text = String::new();
    let mut chars = replacement.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => text.push(chars.next()?),
            '$' => {
                if !text.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut text)));
                }
                let group = if chars.peek() == Some(&'{') {
                    chars.next();
                    let mut name = String::new();
                    loop {
                        match chars.next()? {
                            '}' => break,
                            c if c.is_ascii_alphanumeric() => name.push(c),
                            _ => return None,
                        }
                    }
                    pattern.group_named(&name)?
                } else {
                    let mut number = chars.next()?.to_digit(10)? as usize;
                    while let Some(digit) = chars.peek().and_then(|c| c.to_digit(10)) {
                        let longer = number * 10 + digit as usize;
                        if longer > pattern.groups() {
                            break;
                        }
                        number = longer;
                        chars.next();
                    }
                    number
                };
                if group > pattern.groups() {
                    return None;
                }
                parts.push(Part::Group(group));
            }
            c => text.push(c),
        }
    }
    if !text.is_empty() {
        parts.push(Part::Text(text));
    }
    Some(parts)
}

fn eval(args: &KernelArgs) -> Result<ColumnarValue> {
    let (text, pattern, with) = (Text::of(args, 0)?, Text::of(args, 1)?, Text::of(args, 2)?);
    let position = Ints::of(args, 3)?;
    let mut last = Last::new("regexp_replace");
    let mut parsed: Option<(String, String, Option<Vec<Part>>)> = None;
    rows::strings(args, |row, out| {
        let (Some(s), Some(p), Some(with), Some(position)) =
            (text.get(row), pattern.get(row), with.get(row), position.get(row))
        else {
            return Ok(false);
        };
        let regex = last.get(&effective(args, p))?;
        if parsed.as_ref().is_none_or(|(a, b, _)| a != p || b != with) {
            parsed = Some((p.to_string(), with.to_string(), parse(with, regex)));
        }
        let parts = parsed.as_ref().and_then(|(_, _, parts)| parts.as_deref());
        let invalid = || fail(invalid_replacement(s, p, with, position));
        replace_all(s, regex, parts, position, out)?.map_or_else(invalid, |()| Ok(true))
    })
}

/// Writes `s` with every match replaced; `None` if something is to be replaced with a malformed text.
fn replace_all(
    s: &str,
    regex: &Pattern,
    parts: Option<&[Part]>,
    position: i64,
    out: &mut String,
) -> Result<Option<()>> {
    let first = s.char_indices().map(|(i, _)| i).nth((position - 1).max(0) as usize);
    let Some(first) = first.or((position == 1).then_some(0)) else {
        out.push_str(s);
        return Ok(Some(()));
    };
    // The part before the position takes no part in matching: anchors see the position as the start.
    let region = &s[first..];
    out.push_str(&s[..first]);
    let (mut done, mut from) = (0, Some(0));
    let (mut room, start) = (Room::new(), out.len());
    while let Some(at) = from {
        let Some(captures) = regex.captures(region, at)? else { break };
        room.take_up_to(out.len() - start)?;
        let Some(whole) = captures.get(0) else { break };
        let Some(parts) = parts else { return Ok(None) };
        out.push_str(&region[done..whole.start()]);
        write_parts(parts, &captures, out);
        done = whole.end();
        from = after(region, whole.start(), whole.end());
    }
    out.push_str(&region[done..]);
    Ok(Some(()))
}

fn write_parts(parts: &[Part], captures: &Captures, out: &mut String) {
    for part in parts {
        match part {
            Part::Text(text) => out.push_str(text),
            Part::Group(group) => out.push_str(captures.get(*group).map_or("", |m| m.as_str())),
        }
    }
}

fn invalid_replacement(source: &str, pattern: &str, replacement: &str, position: i64) -> Error {
    Error::runtime("INVALID_REGEXP_REPLACE")
        .param("source", source)
        .param("pattern", pattern)
        .param("replacement", replacement)
        .param("position", position.to_string())
        .with_message(format!("'{replacement}' cannot replace the matches of '{pattern}'."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families::rows::testing::{n, s, text};

    #[test]
    fn replacements() {
        for (input, pattern, with, position, expected) in [
            ("100-200", r"(\d+)", "num", 1, "num-num"),
            ("abc", "(?<x>b)", r"${x}-$0-\$", 1, "ab-b-$c"),
            ("abcabc", "b", "x", 3, "abcaxc"),
            ("abc", "b", "x", 10, "abc"),
            ("aaa", "^a", "x", 2, "axa"),
            ("ab", "(a)(b)?", "$2$1", 1, "ba"),
            ("b", "(a)?b", "[$1]", 1, "[]"),
            ("baac", "a*", "-", 1, "-b--c-"),
            ("a", "a", "$1", 1, "!INVALID_REGEXP_REPLACE"),
            ("b", "a", "$1", 1, "b"),
            ("", "^", "x", 1, "x"),
        ] {
            let args = [s(input), s(pattern), s(with), n(position)];
            assert_eq!(text(&REPLACE, &args), expected, "{input} {pattern} {with}");
        }
    }
}
