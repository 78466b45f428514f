//! `regexp_extract`, `regexp_extract_all`, `regexp_count`, `regexp_substr`, `regexp_instr`.

use datafusion::common::Result;
use datafusion::logical_expr::ColumnarValue;
use spark::types::DataType;
use spark::{Error, Result as SparkResult};

use super::pattern::{Last, Pattern, after};
use super::rlike::{effective, lower_case_options, regex_argument};
use crate::call::Call;
use crate::coerce::Expected;
use crate::error::fail;
use crate::families::collation;
use crate::families::rows::{self, Ints, Text};
use crate::kernel::{Kernel, KernelArgs};
use crate::registry::{Build, Function};
use crate::typed::Typed;

/// Functions of this file.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "regexp_extract", build: Build::Scalar(extract) },
    Function { name: "regexp_extract_all", build: Build::Scalar(extract_all) },
    Function { name: "regexp_count", build: Build::Scalar(count) },
    Function { name: "regexp_substr", build: Build::Scalar(substr) },
    Function { name: "regexp_instr", build: Build::Scalar(instr) },
];

const EXTRACT: Kernel = Kernel::new("regexp_extract", eval_extract);
const EXTRACT_ALL: Kernel = Kernel::new("regexp_extract_all", eval_extract_all);
const COUNT: Kernel = Kernel::new("regexp_count", eval_count);
const SUBSTR: Kernel = Kernel::new("regexp_substr", eval_substr);
const INSTR: Kernel = Kernel::new("regexp_instr", eval_instr);

/// Kernels of this file.
pub const KERNELS: &[Kernel] = &[EXTRACT, EXTRACT_ALL, COUNT, SUBSTR, INSTR];

fn extract(call: Call) -> SparkResult<Typed> {
    let mut typed = grouped(call, 1, &EXTRACT, DataType::STRING)?;
    typed.metadata = Default::default();
    Ok(typed)
}

fn extract_all(call: Call) -> SparkResult<Typed> {
    grouped(call, 1, &EXTRACT_ALL, DataType::array(DataType::STRING, true))
}

fn instr(call: Call) -> SparkResult<Typed> {
    grouped(call, 0, &INSTR, DataType::Integer)
}

/// Text, pattern and the number of a group.
fn grouped(mut call: Call, default: i32, kernel: &'static Kernel, ty: DataType) -> SparkResult<Typed> {
    call.arity(2..=3)?;
    if call.args.len() == 2 {
        rows::push_default(&mut call, rows::int_literal(default));
    }
    finish(call, kernel, ty)
}

fn count(call: Call) -> SparkResult<Typed> {
    call.arity(2..=2)?;
    finish(call, &COUNT, DataType::Integer)
}

fn substr(call: Call) -> SparkResult<Typed> {
    call.arity(2..=2)?;
    let mut typed = finish(call, &SUBSTR, DataType::STRING)?;
    typed.nullable = true;
    Ok(typed)
}

fn finish(mut call: Call, kernel: &'static Kernel, ty: DataType) -> SparkResult<Typed> {
    regex_argument(&mut call, 0)?;
    regex_argument(&mut call, 1)?;
    call.expect_all(&[Expected::String, Expected::String, Expected::Type(DataType::Integer)])?;
    let ty = match (ty, &call.args[0].ty) {
        (DataType::String { .. }, ty @ DataType::String { .. }) => ty.clone(),
        (DataType::Array { element, contains_null }, text) if element.is_string() && text.is_string() => {
            DataType::array(text.clone(), contains_null)
        }
        (ty, _) => ty,
    };
    // Spark prints these as they were written.
    let written = call.display_name();
    let collation = collation::unify(&mut call, &[0, 1])?;
    let (options, nullable) = (lower_case_options(&call, &collation), call.any_nullable());
    Ok(call.kernel_with(kernel, options, ty, nullable).named(written))
}

fn check_group(function: &str, pattern: &Pattern, group: i64) -> Result<usize> {
    match usize::try_from(group) {
        Ok(g) if g <= pattern.groups() => Ok(g),
        _ => fail(
            Error::runtime("INVALID_PARAMETER_VALUE.REGEX_GROUP_INDEX")
                .param("functionName", format!("`{function}`"))
                .param("parameter", "`idx`")
                .param("groupCount", pattern.groups().to_string())
                .param("groupIndex", group.to_string())
                .with_message(format!("The pattern has {} groups; there is no group {group}.", pattern.groups())),
        ),
    }
}

fn eval_extract(args: &KernelArgs) -> Result<ColumnarValue> {
    let (text, pattern, group) = (Text::of(args, 0)?, Text::of(args, 1)?, Ints::of(args, 2)?);
    let mut last = Last::new("regexp_extract");
    rows::strings(args, |row, out| {
        let (Some(s), Some(p), Some(group)) = (text.get(row), pattern.get(row), group.get(row)) else {
            return Ok(false);
        };
        let regex = last.get(&effective(args, p))?;
        if let Some(captures) = regex.captures(s, 0)? {
            let group = check_group("regexp_extract", regex, group)?;
            out.push_str(captures.get(group).map_or("", |m| m.as_str()));
        }
        Ok(true)
    })
}

fn eval_extract_all(args: &KernelArgs) -> Result<ColumnarValue> {
    let (text, pattern, group) = (Text::of(args, 0)?, Text::of(args, 1)?, Ints::of(args, 2)?);
    let mut last = Last::new("regexp_extract_all");
    rows::string_lists(args, |row, out| {
        let (Some(s), Some(p), Some(group)) = (text.get(row), pattern.get(row), group.get(row)) else {
            return Ok(false);
        };
        let regex = last.get(&effective(args, p))?;
        let mut from = Some(0);
        while let Some(at) = from {
            let Some(captures) = regex.captures(s, at)? else { break };
            let group = check_group("regexp_extract_all", regex, group)?;
            out.append_value(captures.get(group).map_or("", |m| m.as_str()));
            from = captures.get(0).and_then(|m| after(s, m.start(), m.end()));
        }
        Ok(true)
    })
}

fn eval_count(args: &KernelArgs) -> Result<ColumnarValue> {
    let (text, pattern) = (Text::of(args, 0)?, Text::of(args, 1)?);
    let mut last = Last::new("regexp_extract_all");
    rows::ints(args, |row| {
        let (Some(s), Some(p)) = (text.get(row), pattern.get(row)) else { return Ok(None) };
        let regex = last.get(&effective(args, p))?;
        let (mut count, mut from) = (0, Some(0));
        while let Some(at) = from {
            let Some((start, end)) = regex.find(s, at)? else { break };
            count += 1;
            from = after(s, start, end);
        }
        Ok(Some(count))
    })
}

fn eval_substr(args: &KernelArgs) -> Result<ColumnarValue> {
    let (text, pattern) = (Text::of(args, 0)?, Text::of(args, 1)?);
    let mut last = Last::new("regexp_extract");
    rows::slices(args, |row| {
        let (Some(s), Some(p)) = (text.get(row), pattern.get(row)) else { return Ok(None) };
        let found = last.get(&effective(args, p))?.find(s, 0)?;
        Ok(found.filter(|(start, end)| end > start).map(|(start, end)| &s[start..end]))
    })
}

fn eval_instr(args: &KernelArgs) -> Result<ColumnarValue> {
    let (text, pattern, group) = (Text::of(args, 0)?, Text::of(args, 1)?, Ints::of(args, 2)?);
    let mut last = Last::new("regexp_instr");
    rows::ints(args, |row| {
        let (Some(s), Some(p), Some(_)) = (text.get(row), pattern.get(row), group.get(row)) else { return Ok(None) };
        let found = last.get(&effective(args, p))?.find(s, 0)?;
        Ok(Some(found.map_or(0, |(start, _)| s[..start].encode_utf16().count() as i32 + 1)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families::rows::testing::{int, n, s, text};

    #[test]
    fn extracts() {
        for (input, pattern, group, expected) in [
            ("100-200", r"(\d+)-(\d+)", 1, "100"),
            ("100", r"(\d+)|(x)", 2, ""),
            ("foo", r"(\d+)", 1, ""),
            ("100-200", r"(\d+)-(\d+)", 3, "!INVALID_PARAMETER_VALUE.REGEX_GROUP_INDEX"),
            ("a", "(", 0, "!INVALID_PARAMETER_VALUE.PATTERN"),
        ] {
            assert_eq!(text(&EXTRACT, &[s(input), s(pattern), n(group)]), expected, "{input} {pattern}");
        }
        for (input, pattern, expected) in [("abc", "x*", 4), ("baac", "a*", 4), ("Steven Stephen", "Ste(v|ph)en", 2)] {
            assert_eq!(int(&COUNT, &[s(input), s(pattern)]), expected, "{input} {pattern}");
        }
        assert_eq!(int(&INSTR, &[s(r"\abc"), s(r"^\\abc$"), n(0)]), 1);
        assert_eq!(text(&SUBSTR, &[s("abc"), s("x*")]), "NULL");
    }
}
