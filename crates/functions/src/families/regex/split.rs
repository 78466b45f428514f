//! `split` by a pattern.

use arrow::array::StringBuilder;
use datafusion::common::Result;
use datafusion::logical_expr::ColumnarValue;
use spark::Result as SparkResult;
use spark::types::DataType;

use super::pattern::{Last, Pattern, after};
use super::rlike::{effective, lower_case_options, regex_argument};
use crate::call::Call;
use crate::coerce::Expected;
use crate::families::collation;
use crate::families::rows::{self, Ints, Text};
use crate::kernel::{Kernel, KernelArgs};
use crate::registry::{Build, Function};
use crate::typed::Typed;

/// Functions of this file.
pub const FUNCTIONS: &[Function] = &[Function { name: "split", build: Build::Scalar(split) }];

const SPLIT: Kernel = Kernel::new("split", eval);

/// Kernels of this file.
pub const KERNELS: &[Kernel] = &[SPLIT];

fn split(mut call: Call) -> SparkResult<Typed> {
    call.arity(2..=3)?;
    if call.args.len() == 2 {
        rows::push_default(&mut call, rows::int_literal(-1));
    }
    regex_argument(&mut call, 0)?;
    regex_argument(&mut call, 1)?;
    call.expect_all(&[Expected::String, Expected::String, Expected::Type(DataType::Integer)])?;
    let pattern_name = call.args[1].name.clone();
    let collation = collation::unify(&mut call, &[0, 1])?;
    call.args[1].name = pattern_name;
    let (options, nullable) = (lower_case_options(&call, &collation), call.any_nullable());
    let ty = DataType::array(rows::text_type(&call, 0), false);
    Ok(call.kernel_with(&SPLIT, options, ty, nullable))
}

fn eval(args: &KernelArgs) -> Result<ColumnarValue> {
    let (text, pattern, limit) = (Text::of(args, 0)?, Text::of(args, 1)?, Ints::of(args, 2)?);
    let mut last = Last::new("split");
    rows::string_lists(args, |row, out| {
        let (Some(s), Some(p), Some(limit)) = (text.get(row), pattern.get(row), limit.get(row)) else {
            return Ok(false);
        };
        let limit = usize::try_from(limit).ok().filter(|l| *l > 0).unwrap_or(usize::MAX);
        if p.is_empty() && !s.is_empty() {
            each_character(s, limit, out);
        } else {
            by_pattern(s, last.get(&effective(args, p))?, limit, out)?;
        }
        Ok(true)
    })
}

fn each_character(s: &str, limit: usize, out: &mut StringBuilder) {
    let mut rest = s;
    let mut parts = 1;
    while parts < limit {
        let Some(c) = rest.chars().next() else { break };
        if c.len_utf8() == rest.len() {
            break;
        }
        out.append_value(&rest[..c.len_utf8()]);
        rest = &rest[c.len_utf8()..];
        parts += 1;
    }
    out.append_value(rest);
}

/// Java's `split`: an empty match at the very beginning makes no empty first part.
fn by_pattern(s: &str, regex: &Pattern, limit: usize, out: &mut StringBuilder) -> Result<()> {
    let (mut done, mut parts, mut from) = (0, 1, Some(0));
    while let Some(at) = from.filter(|_| parts < limit) {
        let Some((start, end)) = regex.find(s, at)? else { break };
        from = after(s, start, end);
        if end == 0 || (start == end && start == s.len() && done == s.len()) {
            continue;
        }
        out.append_value(&s[done..start]);
        parts += 1;
        done = end;
    }
    out.append_value(&s[done..]);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits() {
        for (input, pattern, limit, expected) in [
            ("oneAtwoBthreeC", "[ABC]", usize::MAX, "one|two|three|"),
            ("oneAtwoBthreeC", "[ABC]", 2, "one|twoBthreeC"),
            ("abc", "(?=b)", usize::MAX, "a|bc"),
            ("a,b,,", ",", usize::MAX, "a|b||"),
            ("", "a", usize::MAX, ""),
            ("abc", "b", 1, "abc"),
        ] {
            let mut out = StringBuilder::new();
            let done = Pattern::compile(pattern, "split").and_then(|p| by_pattern(input, &p, limit, &mut out));
            assert!(done.is_ok());
            let parts: Vec<String> = out.finish().iter().flatten().map(str::to_string).collect();
            assert_eq!(parts.join("|"), expected, "{input} {pattern} {limit}");
        }
    }
}
