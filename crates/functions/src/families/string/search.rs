//! Finding strings in strings: `instr`, `locate`, `position`, `contains`, `startswith`, `endswith`,
//! `find_in_set`.

use datafusion::common::Result;
use datafusion::logical_expr::ColumnarValue;
use spark::types::DataType;
use spark::{Error, Result as SparkResult};

use super::length::char_count;
use crate::call::Call;
use crate::coerce::{self, Expected};
use crate::error::fail;
use crate::families::collation::{self, Collation};
use crate::families::rows::{self, Bytes, Ints, Text};
use crate::kernel::{Kernel, KernelArgs};
use crate::registry::{Build, Function};
use crate::typed::Typed;

/// Functions of this file.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "instr", build: Build::Scalar(instr) },
    Function { name: "locate", build: Build::Scalar(locate) },
    Function { name: "position", build: Build::Scalar(locate) },
    Function { name: "contains", build: Build::Scalar(contains) },
    Function { name: "startswith", build: Build::Scalar(startswith) },
    Function { name: "endswith", build: Build::Scalar(endswith) },
    Function { name: "find_in_set", build: Build::Scalar(find_in_set) },
];

const INSTR: Kernel = Kernel::new("instr", eval_instr);
const LOCATE: Kernel = Kernel::new("locate", eval_locate);
const CONTAINS: Kernel = Kernel::new("contains", |args| eval_match(args, Collation::contains));
const STARTS_WITH: Kernel = Kernel::new("startswith", |args| eval_match(args, Collation::starts_with));
const ENDS_WITH: Kernel = Kernel::new("endswith", |args| eval_match(args, Collation::ends_with));
const CONTAINS_BINARY: Kernel = Kernel::new("contains_binary", |args| {
    eval_match_binary(args, |hay, needle| needle.is_empty() || hay.windows(needle.len()).any(|w| w == needle))
});
const STARTS_WITH_BINARY: Kernel =
    Kernel::new("startswith_binary", |args| eval_match_binary(args, |h, n| h.starts_with(n)));
const ENDS_WITH_BINARY: Kernel = Kernel::new("endswith_binary", |args| eval_match_binary(args, |h, n| h.ends_with(n)));
const FIND_IN_SET: Kernel = Kernel::new("find_in_set", eval_find_in_set);

/// Kernels of this file.
pub const KERNELS: &[Kernel] = &[
    INSTR,
    LOCATE,
    CONTAINS,
    STARTS_WITH,
    ENDS_WITH,
    CONTAINS_BINARY,
    STARTS_WITH_BINARY,
    ENDS_WITH_BINARY,
    FIND_IN_SET,
];

const INT: Expected = Expected::Type(DataType::Integer);

fn instr(mut call: Call) -> SparkResult<Typed> {
    call.arity(2..=4)?;
    if call.args.len() == 3 {
        rows::push_default(&mut call, rows::int_literal(1));
    }
    call.expect_all(&[Expected::String, Expected::String, INT, INT])?;
    searching(call, &INSTR, [0, 1], DataType::Integer)
}

fn locate(mut call: Call) -> SparkResult<Typed> {
    call.arity(2..=3)?;
    if call.args.len() == 2 {
        rows::push_default(&mut call, rows::int_literal(1));
    }
    call.expect_all(&[Expected::String, Expected::String, INT])?;
    let nullable = call.args[0].nullable || call.args[1].nullable;
    let mut typed = searching(call, &LOCATE, [0, 1], DataType::Integer)?;
    typed.nullable = nullable;
    Ok(typed)
}

fn find_in_set(mut call: Call) -> SparkResult<Typed> {
    call.arity(2..=2)?;
    call.expect_all(&[Expected::String, Expected::String])?;
    searching(call, &FIND_IN_SET, [0, 1], DataType::Integer)
}

fn contains(call: Call) -> SparkResult<Typed> {
    matching(call, &CONTAINS, &CONTAINS_BINARY)
}

fn startswith(call: Call) -> SparkResult<Typed> {
    matching(call, &STARTS_WITH, &STARTS_WITH_BINARY)
}

fn endswith(call: Call) -> SparkResult<Typed> {
    matching(call, &ENDS_WITH, &ENDS_WITH_BINARY)
}

fn matching(mut call: Call, string: &'static Kernel, binary: &'static Kernel) -> SparkResult<Typed> {
    call.arity(2..=2)?;
    if rows::is_binary(&call, 0) && rows::is_binary(&call, 1) {
        return Ok(call.kernel(binary, DataType::Boolean, true));
    }
    for i in 0..2 {
        if rows::is_binary(&call, i) {
            call.args[i] = coerce::cast_implicitly(&call.args[i], &DataType::STRING, call.settings);
        }
    }
    call.expect_all(&[Expected::String, Expected::String])?;
    searching(call, string, [0, 1], DataType::Boolean)
}

/// Finishes a call that compares the strings in places `strings` by their common collation.
fn searching(mut call: Call, kernel: &'static Kernel, strings: [usize; 2], ty: DataType) -> SparkResult<Typed> {
    let collation = collation::unify(&mut call, &strings)?;
    collation::determined(&collation).map_err(|e| e.at(call.origin.as_ref()))?;
    let (options, nullable) = (collation::options(&call, &collation), call.any_nullable());
    Ok(call.kernel_with(kernel, options, ty, nullable))
}

/// The 1-based place of character `byte` in `s`.
fn place(s: &str, byte: usize) -> i32 {
    char_count(&s[..byte]) as i32 + 1
}

/// The byte at which character number `chars` (from 0) starts, `None` if there are fewer.
fn byte_of(s: &str, chars: usize) -> Option<usize> {
    if s.is_ascii() {
        return (chars <= s.len()).then_some(chars);
    }
    s.char_indices().map(|(i, _)| i).chain([s.len()]).nth(chars)
}

fn eval_instr(args: &KernelArgs) -> Result<ColumnarValue> {
    let (text, sub, collation) = (Text::of(args, 0)?, Text::of(args, 1)?, Collation::of(args)?);
    if args.args.len() == 2 {
        return rows::ints(args, |row| {
            let (Some(s), Some(sub)) = (text.get(row), sub.get(row)) else { return Ok(None) };
            Ok(Some(collation.find(s, sub, 0).map_or(0, |(at, _)| place(s, at))))
        });
    }
    let (start, occurrence) = (Ints::of(args, 2)?, Ints::of(args, 3)?);
    rows::ints(args, |row| {
        let (Some(s), Some(sub), Some(start), Some(nth)) =
            (text.get(row), sub.get(row), start.get(row), occurrence.get(row))
        else {
            return Ok(None);
        };
        if nth < 1 {
            return fail(bad_occurrence(nth));
        }
        Ok(Some(nth_place(&collation, s, sub, start, nth)))
    })
}

fn bad_occurrence(actual: i64) -> Error {
    Error::runtime("INVALID_PARAMETER_VALUE.OCCURRENCE")
        .param("functionName", "`instr`")
        .param("parameter", "`occurrence`")
        .param("actual", actual.to_string())
        .with_message(format!("The occurrence to look for must be 1 or more, not {actual}."))
}

/// The place of the `nth` occurrence, counted forwards from `start` or, if that is negative, backwards
/// from that many characters before the end; 0 if there is none.
fn nth_place(collation: &Collation, s: &str, sub: &str, start: i64, nth: i64) -> i32 {
    if start == 0 {
        return 0;
    }
    let mut left = nth;
    if start > 0 {
        let Some(mut from) = byte_of(s, (start - 1) as usize) else { return 0 };
        while let Some((at, _)) = collation.find(s, sub, from) {
            left -= 1;
            if left == 0 {
                return place(s, at);
            }
            let Some(c) = s[at..].chars().next() else { return 0 };
            from = at + c.len_utf8();
        }
        return 0;
    }
    let length = char_count(s) as i64;
    let Some(mut until) = usize::try_from(length + start).ok().and_then(|chars| byte_of(s, chars)) else { return 0 };
    while let Some((at, _)) = collation.rfind(s, sub, until) {
        left -= 1;
        if left == 0 {
            return place(s, at);
        }
        match s[..at].char_indices().next_back() {
            Some((previous, _)) => until = previous,
            None => return 0,
        }
    }
    0
}

fn eval_locate(args: &KernelArgs) -> Result<ColumnarValue> {
    let (sub, text, start) = (Text::of(args, 0)?, Text::of(args, 1)?, Ints::of(args, 2)?);
    let collation = Collation::of(args)?;
    rows::ints(args, |row| {
        let Some(start) = start.get(row) else { return Ok(Some(0)) };
        let (Some(s), Some(sub)) = (text.get(row), sub.get(row)) else { return Ok(None) };
        if start < 1 {
            return Ok(Some(0));
        }
        if sub.is_empty() {
            return Ok(Some(1));
        }
        let from = byte_of(s, (start - 1) as usize);
        Ok(Some(from.and_then(|from| collation.find(s, sub, from)).map_or(0, |(at, _)| place(s, at))))
    })
}

fn eval_match(args: &KernelArgs, test: fn(&Collation, &str, &str) -> bool) -> Result<ColumnarValue> {
    let (text, sub, collation) = (Text::of(args, 0)?, Text::of(args, 1)?, Collation::of(args)?);
    rows::booleans(args, |row| Ok(text.get(row).zip(sub.get(row)).map(|(s, sub)| test(&collation, s, sub))))
}

fn eval_match_binary(args: &KernelArgs, test: impl Fn(&[u8], &[u8]) -> bool) -> Result<ColumnarValue> {
    let (hay, needle) = (Bytes::of(args, 0)?, Bytes::of(args, 1)?);
    rows::booleans(args, |row| Ok(hay.get(row).zip(needle.get(row)).map(|(h, n)| test(h, n))))
}

fn eval_find_in_set(args: &KernelArgs) -> Result<ColumnarValue> {
    let (word, set, collation) = (Text::of(args, 0)?, Text::of(args, 1)?, Collation::of(args)?);
    rows::ints(args, |row| {
        let (Some(word), Some(set)) = (word.get(row), set.get(row)) else { return Ok(None) };
        if word.contains(',') {
            return Ok(Some(0));
        }
        let found = set.split(',').position(|item| collation.equal(item, word));
        Ok(Some(found.map_or(0, |i| i as i32 + 1)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families::rows::testing::{int, n, s};

    #[test]
    fn instrs() {
        for (hay, sub, start, nth, expected) in [
            ("abcabc", "b", 1, 1, 2),
            ("abcabc", "b", 1, 2, 5),
            ("abcabc", "b", -1, 1, 5),
            ("abcabc", "b", 10, 1, 0),
            ("abcabc", "b", -10, 1, 0),
            ("abcabc", "bc", -1, 2, 2),
            ("aaaa", "aa", 1, 2, 2),
            ("éaéa", "a", 3, 1, 4),
        ] {
            let args = [s(hay), s(sub), n(start), n(nth)];
            assert_eq!(int(&INSTR, &args), expected, "instr({hay}, {sub}, {start}, {nth})");
        }
    }

    #[test]
    fn locates() {
        for (sub, hay, start, expected) in
            [("bar", "foobarbar", 1, 4), ("bar", "foobarbar", 5, 7), ("", "abc", 3, 1), ("b", "abc", 0, 0)]
        {
            assert_eq!(int(&LOCATE, &[s(sub), s(hay), n(start)]), expected, "locate({sub}, {hay}, {start})");
        }
        for (word, set, expected) in [("ab", "abc,b,ab,c,def", 3), ("a,b", "a,b", 0), ("", "a,,b", 2), ("", "", 1)] {
            assert_eq!(int(&FIND_IN_SET, &[s(word), s(set)]), expected, "find_in_set({word}, {set})");
        }
    }
}
