//! Likeness of strings: `levenshtein`, `soundex`, `jaro_winkler_similarity`; and `luhn_check`.

use datafusion::common::Result;
use datafusion::logical_expr::ColumnarValue;
use spark::Result as SparkResult;
use spark::types::DataType;

use crate::call::Call;
use crate::coerce::Expected;
use crate::families::collation;
use crate::families::rows::{self, Ints, Text};
use crate::kernel::{Kernel, KernelArgs};
use crate::registry::{Build, Function};
use crate::typed::Typed;

/// Functions of this file.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "levenshtein", build: Build::Scalar(levenshtein_call) },
    Function { name: "soundex", build: Build::Scalar(soundex) },
    Function { name: "jaro_winkler_similarity", build: Build::Scalar(jaro_winkler) },
    Function { name: "luhn_check", build: Build::Scalar(luhn_check) },
];

const LEVENSHTEIN: Kernel = Kernel::new("levenshtein", eval_levenshtein);
const SOUNDEX: Kernel = Kernel::new("soundex", eval_soundex);
const JARO_WINKLER: Kernel = Kernel::new("jaro_winkler_similarity", eval_jaro_winkler);
const LUHN: Kernel = Kernel::new("luhn_check", eval_luhn);

/// Kernels of this file.
pub const KERNELS: &[Kernel] = &[LEVENSHTEIN, SOUNDEX, JARO_WINKLER, LUHN];

fn levenshtein_call(mut call: Call) -> SparkResult<Typed> {
    call.arity(2..=3)?;
    call.expect_all(&[Expected::String, Expected::String, Expected::Type(DataType::Integer)])?;
    collation::unify(&mut call, &[0, 1])?;
    let nullable = call.any_nullable();
    Ok(call.kernel(&LEVENSHTEIN, DataType::Integer, nullable))
}

fn soundex(mut call: Call) -> SparkResult<Typed> {
    call.arity(1..=1)?;
    rows::strict(&mut call, 0, Expected::String)?;
    let nullable = call.any_nullable();
    Ok(call.kernel(&SOUNDEX, DataType::STRING, nullable))
}

fn jaro_winkler(mut call: Call) -> SparkResult<Typed> {
    call.arity(2..=2)?;
    call.expect_all(&[Expected::String, Expected::String])?;
    collation::unify(&mut call, &[0, 1])?;
    Ok(call.kernel(&JARO_WINKLER, DataType::Double, true))
}

fn luhn_check(mut call: Call) -> SparkResult<Typed> {
    call.arity(1..=1)?;
    call.expect(0, Expected::String)?;
    Ok(call.kernel(&LUHN, DataType::Boolean, true))
}

/// The number of single-character edits between two strings; -1 if more than `limit`.
pub fn levenshtein(a: &str, b: &str, limit: Option<i64>) -> i32 {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if let Some(limit) = limit
        && (limit < 0 || (a.len() as i64 - b.len() as i64).abs() > limit)
    {
        return -1;
    }
    let mut previous: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = previous[0];
        previous[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(x != y);
            diagonal = previous[j + 1];
            previous[j + 1] = substituted.min(previous[j] + 1).min(diagonal + 1);
        }
    }
    let distance = previous[b.len()] as i64;
    if limit.is_some_and(|limit| distance > limit) { -1 } else { distance as i32 }
}

fn eval_levenshtein(args: &KernelArgs) -> Result<ColumnarValue> {
    let (a, b) = (Text::of(args, 0)?, Text::of(args, 1)?);
    let limit = if args.args.len() > 2 { Some(Ints::of(args, 2)?) } else { None };
    rows::ints(args, |row| {
        let (Some(a), Some(b)) = (a.get(row), b.get(row)) else { return Ok(None) };
        match &limit {
            None => Ok(Some(levenshtein(a, b, None))),
            Some(limit) => Ok(limit.get(row).map(|limit| levenshtein(a, b, Some(limit)))),
        }
    })
}

/// Letter codes: `0` for vowels (they part equal codes), `7` for H and W (they do not).
const SOUNDEX_CODES: &[u8; 26] = b"01230127022455012623017202";

fn push_soundex(s: &str, out: &mut String) {
    let Some(first) = s.bytes().next().filter(u8::is_ascii_alphabetic) else {
        out.push_str(s);
        return;
    };
    let code_of = |b: u8| SOUNDEX_CODES[usize::from(b.to_ascii_uppercase() - b'A')];
    out.push(char::from(first.to_ascii_uppercase()));
    let mut last = code_of(first);
    let mut written = 1;
    for b in s.bytes().skip(1) {
        if !b.is_ascii_alphabetic() {
            last = b'0';
            continue;
        }
        let code = code_of(b);
        if code == b'7' {
            continue;
        }
        if code != b'0' && code != last {
            out.push(char::from(code));
            written += 1;
            if written == 4 {
                return;
            }
        }
        last = code;
    }
    (written..4).for_each(|_| out.push('0'));
}

fn eval_soundex(args: &KernelArgs) -> Result<ColumnarValue> {
    let text = Text::of(args, 0)?;
    rows::strings(args, |row, out| {
        let Some(s) = text.get(row) else { return Ok(false) };
        push_soundex(s, out);
        Ok(true)
    })
}

/// Jaro similarity raised for a common beginning of up to four characters.
fn similarity(a: &str, b: &str) -> f64 {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.is_empty() && b.is_empty() {
        return 1.0;
    }
    let window = (a.len().max(b.len()) / 2).saturating_sub(1);
    let (mut a_hit, mut b_hit) = (vec![false; a.len()], vec![false; b.len()]);
    for (i, c) in a.iter().enumerate() {
        let range = i.saturating_sub(window)..(i + window + 1).min(b.len());
        if let Some(j) = range.into_iter().find(|j| !b_hit[*j] && b[*j] == *c) {
            a_hit[i] = true;
            b_hit[j] = true;
        }
    }
    let matched = |s: &[char], hit: &[bool]| -> Vec<char> {
        s.iter().zip(hit).filter(|(_, hit)| **hit).map(|(c, _)| *c).collect()
    };
    let (am, bm) = (matched(&a, &a_hit), matched(&b, &b_hit));
    if am.is_empty() {
        return 0.0;
    }
    let m = am.len() as f64;
    let moved = am.iter().zip(&bm).filter(|(x, y)| x != y).count() / 2;
    let jaro = (m / a.len() as f64 + m / b.len() as f64 + (m - moved as f64) / m) / 3.0;
    let prefix = a.iter().zip(&b).take(4).take_while(|(x, y)| x == y).count() as f64;
    jaro + 0.1 * prefix * (1.0 - jaro)
}

fn eval_jaro_winkler(args: &KernelArgs) -> Result<ColumnarValue> {
    let (a, b) = (Text::of(args, 0)?, Text::of(args, 1)?);
    rows::doubles(args, |row| Ok(a.get(row).zip(b.get(row)).map(|(a, b)| similarity(a, b))))
}

fn luhn(s: &str) -> bool {
    if s.is_empty() {
        return false;
    }
    let mut sum = 0u32;
    for (i, b) in s.bytes().rev().enumerate() {
        if !b.is_ascii_digit() {
            return false;
        }
        let digit = u32::from(b - b'0') << (i % 2);
        sum += if digit > 9 { digit - 9 } else { digit };
    }
    sum.is_multiple_of(10)
}

fn eval_luhn(args: &KernelArgs) -> Result<ColumnarValue> {
    let text = Text::of(args, 0)?;
    rows::booleans(args, |row| Ok(text.get(row).map(luhn)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families::rows::testing::{s, text};

    #[test]
    fn distances() {
        for (a, b, limit, expected) in [
            ("kitten", "sitting", None, 3),
            ("kitten", "sitting", Some(2), -1),
            ("kitten", "sitting", Some(3), 3),
            ("abc", "", None, 3),
            ("a", "a", Some(0), 0),
            ("a", "b", Some(-1), -1),
        ] {
            assert_eq!(levenshtein(a, b, limit), expected, "{a} {b} {limit:?}");
        }
        for (a, b, expected) in [
            ("MARTHA", "MARHTA", 0.961_111_111_111_111_1),
            ("kitten", "sitting", 0.746_031_746_031_746),
            ("DIXON", "DICKSONX", 0.813_333_333_333_333_2),
            ("", "", 1.0),
            ("a", "", 0.0),
        ] {
            assert_eq!(similarity(a, b), expected, "{a} {b}");
        }
    }

    #[test]
    fn sounds() {
        for (input, expected) in [
            ("Miller", "M460"),
            ("", ""),
            ("3ab", "3ab"),
            ("Ashcraft", "A261"),
            ("Tymczak", "T522"),
            ("a b", "A100"),
            ("Pfister", "P236"),
            ("Honeyman", "H555"),
            ("İo", "İo"),
        ] {
            assert_eq!(text(&SOUNDEX, &[s(input)]), expected, "{input}");
        }
        assert!(luhn("8112189876") && luhn("0") && !luhn("79927398714") && !luhn("1a") && !luhn(""));
    }
}
