//! `split_part` and `substring_index`: parts between delimiters.

use datafusion::common::Result;
use datafusion::logical_expr::ColumnarValue;
use spark::types::DataType;
use spark::{Error, Result as SparkResult};

use crate::call::Call;
use crate::coerce::Expected;
use crate::error::fail;
use crate::families::collation::{self, Collation};
use crate::families::rows::{self, Ints, Text};
use crate::kernel::{Kernel, KernelArgs};
use crate::registry::{Build, Function};
use crate::typed::Typed;

/// Functions of this file.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "split_part", build: Build::Scalar(split_part) },
    Function { name: "substring_index", build: Build::Scalar(substring_index) },
];

const SPLIT_PART: Kernel = Kernel::new("split_part", eval_split_part);
const SUBSTRING_INDEX: Kernel = Kernel::new("substring_index", eval_substring_index);

/// Kernels of this file.
pub const KERNELS: &[Kernel] = &[SPLIT_PART, SUBSTRING_INDEX];

fn split_part(call: Call) -> SparkResult<Typed> {
    let mut typed = parts(call, &SPLIT_PART)?;
    typed.nullable = true;
    Ok(typed)
}

fn substring_index(call: Call) -> SparkResult<Typed> {
    parts(call, &SUBSTRING_INDEX)
}

fn parts(mut call: Call, kernel: &'static Kernel) -> SparkResult<Typed> {
    call.arity(3..=3)?;
    call.expect_all(&[Expected::String, Expected::String, Expected::Type(DataType::Integer)])?;
    let collation = collation::unify(&mut call, &[0, 1])?;
    collation::determined(&collation).map_err(|e| e.at(call.origin.as_ref()))?;
    let (options, nullable) = (collation::options(&call, &collation), call.any_nullable());
    Ok(call.kernel_with(kernel, options, collation::string_type(&collation), nullable))
}

/// Byte ranges between the occurrences of `delimiter`, not overlapping.
fn pieces(collation: &Collation, s: &str, delimiter: &str) -> Vec<(usize, usize)> {
    let mut out = Vec::new();
    let mut from = 0;
    if !delimiter.is_empty() {
        while let Some((start, end)) = collation.find(s, delimiter, from).filter(|(start, end)| end > start) {
            out.push((from, start));
            from = end;
        }
    }
    out.push((from, s.len()));
    out
}

fn eval_split_part(args: &KernelArgs) -> Result<ColumnarValue> {
    let (text, delimiter, index) = (Text::of(args, 0)?, Text::of(args, 1)?, Ints::of(args, 2)?);
    let collation = Collation::of(args)?;
    rows::slices(args, |row| {
        let (Some(s), Some(delimiter), Some(index)) = (text.get(row), delimiter.get(row), index.get(row)) else {
            return Ok(None);
        };
        if index == 0 {
            return fail(
                Error::runtime("INVALID_INDEX_OF_ZERO")
                    .with_message("Parts are counted from 1, or from -1 at the end.")
                    .nowhere(),
            );
        }
        let all = pieces(&collation, s, delimiter);
        let at = if index > 0 { index - 1 } else { all.len() as i64 + index };
        let found = usize::try_from(at).ok().and_then(|at| all.get(at));
        Ok(Some(found.map_or("", |(start, end)| &s[*start..*end])))
    })
}

fn eval_substring_index(args: &KernelArgs) -> Result<ColumnarValue> {
    let (text, delimiter, count) = (Text::of(args, 0)?, Text::of(args, 1)?, Ints::of(args, 2)?);
    let collation = Collation::of(args)?;
    rows::slices(args, |row| {
        let (Some(s), Some(delimiter), Some(count)) = (text.get(row), delimiter.get(row), count.get(row)) else {
            return Ok(None);
        };
        Ok(Some(before(&collation, s, delimiter, count)))
    })
}

/// What stands before the `count`th delimiter, or after it counted from the end.
fn before<'a>(collation: &Collation, s: &'a str, delimiter: &str, count: i64) -> &'a str {
    if delimiter.is_empty() || count == 0 || s.is_empty() {
        return "";
    }
    let step = |at: usize| s[at..].chars().next().map_or(1, char::len_utf8);
    if count > 0 {
        let mut from = 0;
        let mut left = count;
        while let Some((start, _)) = collation.find(s, delimiter, from) {
            left -= 1;
            if left == 0 {
                return &s[..start];
            }
            from = start + step(start);
        }
        return s;
    }
    let mut left = -count;
    let mut until = s.len();
    while let Some((start, end)) = collation.rfind(s, delimiter, until) {
        left -= 1;
        if left == 0 {
            return &s[end..];
        }
        match s[..start].char_indices().next_back() {
            Some((previous, _)) => until = previous,
            None => break,
        }
    }
    s
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families::rows::testing::{n, s, text};

    #[test]
    fn parts_of_strings() {
        for (kernel, input, delimiter, index, expected) in [
            (&SPLIT_PART, "11.12.13", ".", 3, "13"),
            (&SPLIT_PART, "a.b.c", ".", -1, "c"),
            (&SPLIT_PART, "abc", ".", 2, ""),
            (&SPLIT_PART, "a.b.c", "", -1, "a.b.c"),
            (&SPLIT_PART, "a", ".", 0, "!INVALID_INDEX_OF_ZERO"),
            (&SUBSTRING_INDEX, "www.apache.org", ".", 2, "www.apache"),
            (&SUBSTRING_INDEX, "a.b.c", ".", -2, "b.c"),
            (&SUBSTRING_INDEX, "a.b.c", "", 1, ""),
            (&SUBSTRING_INDEX, "aaa", "aa", 2, "a"),
            (&SUBSTRING_INDEX, "a.b", ".", 5, "a.b"),
        ] {
            assert_eq!(text(kernel, &[s(input), s(delimiter), n(index)]), expected, "{}({input})", kernel.name);
        }
    }
}
