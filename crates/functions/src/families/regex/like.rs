//! `like`, `ilike` and their forms over several patterns.

use std::sync::Arc;

use arrow::array::{ArrayAccessor, AsArray, BooleanArray};
use arrow::buffer::BooleanBuffer;
use datafusion::common::Result;
use datafusion::logical_expr::ColumnarValue;
use memchr::memmem::Finder;
use spark::types::DataType;
use spark::{Error, Result as SparkResult};

use super::rlike::{IGNORE_CASE, lower_case_options, regex_argument};
use crate::call::Call;
use crate::coerce::Expected;
use crate::error::fail;
use crate::families::collation;
use crate::families::rows::{self, Text};
use crate::fold;
use crate::kernel::{Kernel, KernelArgs};
use crate::registry::{Build, Function};
use crate::typed::Typed;

/// Functions of this file. Those over several patterns are how the parser names `LIKE ALL` and its kin.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "like", build: Build::Scalar(like) },
    Function { name: "ilike", build: Build::Scalar(ilike) },
    Function { name: "likeall", build: Build::Scalar(|call| several(call, &LIKE_ALL)) },
    Function { name: "likeany", build: Build::Scalar(|call| several(call, &LIKE_ANY)) },
    Function { name: "notlikeall", build: Build::Scalar(|call| several(call, &NOT_LIKE_ALL)) },
    Function { name: "notlikeany", build: Build::Scalar(|call| several(call, &NOT_LIKE_ANY)) },
];

const LIKE: Kernel = Kernel::new("like", |args| eval(args, false));
const ILIKE: Kernel = Kernel::new("ilike", |args| eval(args, true));
const LIKE_ALL: Kernel = Kernel::new("likeall", |args| eval_several(args, false, true));
const LIKE_ANY: Kernel = Kernel::new("likeany", |args| eval_several(args, false, false));
const NOT_LIKE_ALL: Kernel = Kernel::new("notlikeall", |args| eval_several(args, true, true));
const NOT_LIKE_ANY: Kernel = Kernel::new("notlikeany", |args| eval_several(args, true, false));

/// Kernels of this file.
pub const KERNELS: &[Kernel] = &[LIKE, ILIKE, LIKE_ALL, LIKE_ANY, NOT_LIKE_ALL, NOT_LIKE_ANY];

fn like(call: Call) -> SparkResult<Typed> {
    typed(call, &LIKE)
}

fn ilike(call: Call) -> SparkResult<Typed> {
    typed(call, &ILIKE)
}

fn typed(mut call: Call, kernel: &'static Kernel) -> SparkResult<Typed> {
    call.arity(2..=3)?;
    let escape = escape_character(&call)?;
    call.args.truncate(2);
    let name = if kernel.name == "ilike" {
        format!("ilike({}, {})", call.args[0].name, call.args[1].name)
    } else {
        let suffix = if escape == '\\' { String::new() } else { format!(" ESCAPE '{escape}'") };
        format!("{} LIKE {}{suffix}", call.args[0].name, call.args[1].name)
    };
    for i in 0..2 {
        regex_argument(&mut call, i).map_err(|e| e.param("sqlExpr", format!("\"{name}\"")))?;
        call.expect(i, Expected::String).map_err(|e| e.param("sqlExpr", format!("\"{name}\"")))?;
    }
    if let Some(pattern) = fold::string(&call.args[1]) {
        Matcher::new(&pattern, escape).map_err(|e| e.with_kind(spark::ErrorKind::Analysis).at(call.origin.as_ref()))?;
    }
    let own = collation::of(&call.args[0].ty);
    let mut collation = collation::unify(&mut call, &[0, 1])?;
    if collation.as_deref() == Some(collation::INDETERMINATE) {
        collation = own;
    }
    let ignore = lower_case_options(&call, &collation).extra.is_some();
    let extra = format!("{escape}{}", if ignore { IGNORE_CASE } else { "" });
    let (options, nullable) = (call.options().with_extra(extra), call.any_nullable());
    Ok(call.kernel_with(kernel, options, DataType::Boolean, nullable).named(name))
}

/// The third argument, a constant of one character; a back-slash without one.
fn escape_character(call: &Call) -> SparkResult<char> {
    let Some(arg) = call.args.get(2) else { return Ok('\\') };
    let text = fold::string(arg).unwrap_or_default();
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(c), None) => Ok(c),
        _ => Err(Error::analysis("INVALID_ESCAPE_CHAR")
            .param("sqlExpr", format!("\"{}\"", arg.name))
            .with_message("The escape must be one character.")
            .at(call.origin.as_ref())),
    }
}

/// The value and constant patterns, of which the printed form shows only the value.
fn several(mut call: Call, kernel: &'static Kernel) -> SparkResult<Typed> {
    if call.args.is_empty() {
        return Err(call.wrong_arity("> 0"));
    }
    let name = format!("{}({})", call.name, call.args[0].name);
    for i in 0..call.args.len() {
        regex_argument(&mut call, i).map_err(|e| e.param("sqlExpr", format!("\"{name}\"")))?;
        call.expect(i, Expected::String)?;
    }
    let all: Vec<usize> = (0..call.args.len()).collect();
    let collation = collation::unify(&mut call, &all)?;
    let ignore = lower_case_options(&call, &collation).extra.is_some();
    let options = call.options().with_extra(format!("\\{}", if ignore { IGNORE_CASE } else { "" }));
    Ok(call.kernel_with(kernel, options, DataType::Boolean, true).named(name))
}

/// A part of a pattern.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Token {
    Char(char),
    /// `_`
    One,
    /// `%`
    Any,
}

/// A compiled `LIKE` pattern.
pub enum Matcher {
    Exact(String),
    Prefix(String),
    Suffix(String),
    Contains(Box<Finder<'static>>),
    /// Literals in order, any text between them: the first where the text starts, the last where it ends.
    Pieces {
        prefix: String,
        inner: Vec<Finder<'static>>,
        suffix: String,
    },
    General(Vec<Token>),
}

impl Matcher {
    /// Reads a pattern.
    ///
    /// # Errors
    /// `INVALID_FORMAT.ESC_IN_THE_MIDDLE`, `INVALID_FORMAT.ESC_AT_THE_END`.
    pub fn new(pattern: &str, escape: char) -> SparkResult<Self> {
        let mut tokens = Vec::with_capacity(pattern.len());
        let mut chars = pattern.chars();
        while let Some(c) = chars.next() {
            tokens.push(if c == escape {
                match chars.next() {
                    Some(c) if c == '_' || c == '%' || c == escape => Token::Char(c),
                    Some(c) => return Err(misplaced("ESC_IN_THE_MIDDLE", pattern).param("char", format!("'{c}'"))),
                    None => return Err(misplaced("ESC_AT_THE_END", pattern)),
                }
            } else {
                match c {
                    '_' => Token::One,
                    '%' => Token::Any,
                    c => Token::Char(c),
                }
            });
        }
        Ok(Self::classify(tokens))
    }

    /// The cheapest form for the tokens.
    fn classify(mut tokens: Vec<Token>) -> Self {
        tokens.dedup_by(|a, b| *a == Token::Any && *b == Token::Any);
        let literal = |tokens: &[Token]| {
            tokens.iter().map(|t| if let Token::Char(c) = t { Some(*c) } else { None }).collect::<Option<String>>()
        };
        if let Some(exact) = literal(&tokens) {
            return Matcher::Exact(exact);
        }
        let special = match tokens.as_slice() {
            [Token::Any, inner @ .., Token::Any] => literal(inner).map(|l| Matcher::Contains(Box::new(finder(&l)))),
            [Token::Any, rest @ ..] => literal(rest).map(Matcher::Suffix),
            [rest @ .., Token::Any] => literal(rest).map(Matcher::Prefix),
            _ => None,
        };
        if let Some(special) = special {
            return special;
        }
        let pieces: Option<Vec<String>> = tokens.split(|t| *t == Token::Any).map(literal).collect();
        match pieces.as_deref() {
            Some([prefix, inner @ .., suffix]) => Matcher::Pieces {
                prefix: prefix.clone(),
                inner: inner.iter().map(|piece| finder(piece)).collect(),
                suffix: suffix.clone(),
            },
            _ => Matcher::General(tokens),
        }
    }

    /// True if all of `s` fits the pattern.
    pub fn matches(&self, s: &str) -> bool {
        match self {
            Matcher::Exact(p) => s == p,
            Matcher::Prefix(p) => s.starts_with(p.as_str()),
            Matcher::Suffix(p) => s.ends_with(p.as_str()),
            Matcher::Contains(p) => p.find(s.as_bytes()).is_some(),
            Matcher::Pieces { prefix, inner, suffix } => pieces(prefix, inner, suffix, s),
            Matcher::General(tokens) => general(tokens, s),
        }
    }
}

fn finder(literal: &str) -> Finder<'static> {
    Finder::new(literal).into_owned()
}

/// The leftmost place of each piece in turn leaves the most room for the next.
fn pieces(prefix: &str, inner: &[Finder<'_>], suffix: &str, s: &str) -> bool {
    // Comparing with an empty string costs more than all the rest: its address is none, and a masked
    // load from there makes the processor stumble.
    let (before, after) = (!prefix.is_empty(), !suffix.is_empty());
    if (before && !s.starts_with(prefix)) || s.len() < prefix.len() + suffix.len() || (after && !s.ends_with(suffix)) {
        return false;
    }
    let mut rest = &s.as_bytes()[prefix.len()..s.len() - suffix.len()];
    inner.iter().all(|piece| match piece.find(rest) {
        Some(at) => {
            rest = &rest[at + piece.needle().len()..];
            true
        }
        None => false,
    })
}

/// Greedy with one place to step back to: linear in practice, never exponential.
fn general(tokens: &[Token], s: &str) -> bool {
    let (mut t, mut at) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    loop {
        let here = s[at..].chars().next();
        match (tokens.get(t), here) {
            (Some(Token::Any), _) => {
                back = Some((t + 1, at));
                t += 1;
                continue;
            }
            (Some(Token::One), Some(c)) => {
                t += 1;
                at += c.len_utf8();
                continue;
            }
            (Some(Token::Char(p)), Some(c)) if *p == c => {
                t += 1;
                at += c.len_utf8();
                continue;
            }
            (None, None) => return true,
            _ => {}
        }
        let Some((token, from)) = back else { return false };
        let Some(c) = s[from..].chars().next() else { return false };
        let next = from + c.len_utf8();
        back = Some((token, next));
        (t, at) = (token, next);
    }
}

fn misplaced(sub: &str, pattern: &str) -> Error {
    Error::runtime(format!("INVALID_FORMAT.{sub}"))
        .param("format", format!("'{}'", pattern.replace('\\', "\\\\")))
        .with_message(format!("The escape character stands in a wrong place of the pattern '{pattern}'."))
        .nowhere()
}

/// Escape character and whether case is ignored.
fn settings(args: &KernelArgs) -> (char, bool) {
    let extra = args.extra();
    let escape = extra.chars().next().unwrap_or('\\');
    (escape, extra[escape.len_utf8().min(extra.len())..] == *IGNORE_CASE)
}

/// Which of these texts match.
fn matching<'a>(texts: impl ArrayAccessor<Item = &'a str>, matcher: &Matcher) -> ColumnarValue {
    let matches = BooleanBuffer::collect_bool(texts.len(), |row| matcher.matches(texts.value(row)));
    ColumnarValue::Array(Arc::new(BooleanArray::new(matches, texts.nulls().cloned())))
}

fn eval(args: &KernelArgs, lower: bool) -> Result<ColumnarValue> {
    let (escape, ignore_case) = settings(args);
    let lower = lower || ignore_case;
    let pattern = Text::of(args, 1)?;
    if let (Text::Const(Some(pattern)), ColumnarValue::Array(texts), false) = (&pattern, args.value(0)?, lower) {
        let matcher = compile(pattern, escape, false)?;
        if let Some(texts) = texts.as_string_opt::<i32>() {
            return Ok(matching(texts, &matcher));
        }
        if let Some(texts) = texts.as_string_view_opt() {
            return Ok(matching(texts, &matcher));
        }
    }
    let text = Text::of(args, 0)?;
    let mut last: Option<(String, Matcher)> = None;
    let mut lowered = String::new();
    rows::booleans(args, |row| {
        let (Some(s), Some(p)) = (text.get(row), pattern.get(row)) else { return Ok(None) };
        if last.as_ref().is_none_or(|(text, _)| text != p) {
            last = Some((p.to_string(), compile(p, escape, lower)?));
        }
        let Some((_, matcher)) = &last else { return Ok(None) };
        if !lower {
            return Ok(Some(matcher.matches(s)));
        }
        lowered.clear();
        crate::families::string::case::push_lower(s, &mut lowered);
        Ok(Some(matcher.matches(&lowered)))
    })
}

fn compile(pattern: &str, escape: char, lower: bool) -> Result<Matcher> {
    let made = if lower { Matcher::new(&pattern.to_lowercase(), escape) } else { Matcher::new(pattern, escape) };
    made.or_else(fail)
}

fn eval_several(args: &KernelArgs, negated: bool, all: bool) -> Result<ColumnarValue> {
    let text = Text::of(args, 0)?;
    let (escape, lower) = settings(args);
    let mut matchers = Vec::with_capacity(args.args.len());
    for i in 1..args.args.len() {
        matchers.push(match Text::of(args, i)?.get(0) {
            Some(p) => Some(compile(p, escape, lower)?),
            None => None,
        });
    }
    rows::booleans(args, |row| {
        let Some(s) = text.get(row) else { return Ok(None) };
        let s = if lower { s.to_lowercase() } else { s.to_string() };
        let mut unknown = false;
        for matcher in &matchers {
            match matcher {
                None => unknown = true,
                Some(m) if (m.matches(&s) != negated) != all => return Ok(Some(!all)),
                Some(_) => {}
            }
        }
        Ok((!unknown).then_some(all))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    /// `LIKE` by its definition.
    fn defined(pattern: &[char], text: &[char]) -> bool {
        match (pattern, text) {
            ([], rest) => rest.is_empty(),
            (['%', after @ ..], rest) => (0..=rest.len()).any(|at| defined(after, &rest[at..])),
            (['_', after @ ..], [_, rest @ ..]) => defined(after, rest),
            ([c, after @ ..], [first, rest @ ..]) => c == first && defined(after, rest),
            _ => false,
        }
    }

    #[test]
    fn every_form_of_a_pattern_follows_the_definition() {
        let mut rng = StdRng::seed_from_u64(0x11CE);
        let mut some = |from: &[char], most: usize| -> Vec<char> {
            (0..rng.random_range(0..=most)).map(|_| from[rng.random_range(0..from.len())]).collect()
        };
        for _ in 0..50_000 {
            let (pattern, text) = (some(&['a', 'é', '%', '%', '_'], 7), some(&['a', 'é', '😀'], 8));
            let written: String = pattern.iter().collect();
            let found = Matcher::new(&written, '\\').map(|m| m.matches(&text.iter().collect::<String>()));
            assert_eq!(found.ok(), Some(defined(&pattern, &text)), "{text:?} LIKE {written}");
        }
    }

    #[test]
    fn patterns() {
        for (pattern, text, expected) in [
            ("_park", "Spark", true),
            ("a%", "abc", true),
            ("%c", "abc", true),
            ("%b%", "abc", true),
            ("a\\_c", "a_c", true),
            ("a\\_c", "abc", false),
            ("%a%b%", "xaxbx", true),
            ("a%b_", "aXbYbZ", true),
            ("%ab%ba%", "abba", true),
            ("%ab%ba%", "aba", false),
            ("ab%ba", "aba", false),
            ("a%b%c", "a-bb-c", true),
            ("a%b%c", "acb", false),
            ("", "", true),
            ("%", "", true),
            ("_", "😀", true),
            ("a_b", "a\nb", true),
            ("abc", "abcd", false),
        ] {
            let matcher = Matcher::new(pattern, '\\').map(|m| m.matches(text));
            assert_eq!(matcher.ok(), Some(expected), "{text} LIKE {pattern}");
        }
        for (pattern, condition) in
            [("a\\x", "INVALID_FORMAT.ESC_IN_THE_MIDDLE"), ("abc\\", "INVALID_FORMAT.ESC_AT_THE_END")]
        {
            assert_eq!(
                Matcher::new(pattern, '\\').err().map(|e| e.condition().to_string()).as_deref(),
                Some(condition)
            );
        }
    }
}
