//! `mask`: letters and digits replaced by a letter for their kind.

use datafusion::common::Result;
use datafusion::logical_expr::ColumnarValue;
use spark::Result as SparkResult;
use spark::types::DataType;

use crate::call::Call;
use crate::coerce::Expected;
use crate::families::collation;
use crate::families::rows::{self, Text};
use crate::fold;
use crate::kernel::{Kernel, KernelArgs};
use crate::registry::{Build, Function};
use crate::typed::Typed;

/// Functions of this file.
pub const FUNCTIONS: &[Function] = &[Function { name: "mask", build: Build::Scalar(mask) }];

const MASK: Kernel = Kernel::new("mask", eval_mask);

/// Kernels of this file.
pub const KERNELS: &[Kernel] = &[MASK];

/// Parameters with their defaults; `None` keeps the character.
const PARAMETERS: [(&str, Option<&str>); 5] =
    [("str", None), ("upperChar", Some("X")), ("lowerChar", Some("x")), ("digitChar", Some("n")), ("otherChar", None)];

fn mask(mut call: Call) -> SparkResult<Typed> {
    call.arity(1..=5)?;
    arrange(&mut call);
    for i in 0..5 {
        rows::strict(&mut call, i, Expected::String)?;
    }
    for (arg, (parameter, _)) in call.args.iter().zip(PARAMETERS).skip(1) {
        if !arg.foldable() {
            return Err(call
                .mismatch("NON_FOLDABLE_INPUT")
                .param("inputName", parameter)
                .param("inputType", "\"STRING\"")
                .param("inputExpr", format!("\"{}\"", arg.name)));
        }
        if fold::string(arg).is_some_and(|s| s.chars().count() != 1) {
            return Err(call.mismatch("INPUT_SIZE_NOT_ONE").param("exprName", parameter));
        }
    }
    let all: Vec<usize> = (0..call.args.len()).collect();
    let ty = collation::string_type(&collation::unify(&mut call, &all)?);
    Ok(call.kernel(&MASK, ty, true))
}

/// Puts named arguments in their places and fills in the defaults.
fn arrange(call: &mut Call) {
    let mut slots: [Option<Typed>; 5] = Default::default();
    for (i, (arg, name)) in call.args.drain(..).zip(&call.arg_names).enumerate() {
        let place = PARAMETERS.iter().position(|(p, _)| p.eq_ignore_ascii_case(name)).unwrap_or(i);
        slots[place] = Some(arg);
    }
    call.args = slots
        .into_iter()
        .zip(PARAMETERS)
        .map(|(slot, (_, default))| {
            slot.unwrap_or_else(|| default.map_or_else(|| Typed::null(DataType::STRING), rows::string_literal))
        })
        .collect();
    call.arg_names = vec![String::new(); 5];
}

fn eval_mask(args: &KernelArgs) -> Result<ColumnarValue> {
    let text = Text::of(args, 0)?;
    let letters = (1..5).map(|i| Text::of(args, i)).collect::<Result<Vec<_>>>()?;
    rows::strings(args, |row, out| {
        let Some(s) = text.get(row) else { return Ok(false) };
        let letter = |i: usize| letters[i].get(row).and_then(|l| l.chars().next());
        let (upper, lower, digit, other) = (letter(0), letter(1), letter(2), letter(3));
        out.extend(s.chars().map(|c| {
            let replacement = match kind(c) {
                Kind::Upper => upper,
                Kind::Lower => lower,
                Kind::Digit => digit,
                Kind::Other => other,
            };
            replacement.unwrap_or(c)
        }));
        Ok(true)
    })
}

enum Kind {
    Upper,
    Lower,
    Digit,
    Other,
}

/// By general category: upper-case letters, lower-case letters, decimal digits.
fn kind(c: char) -> Kind {
    if c.is_ascii() {
        return match c {
            'A'..='Z' => Kind::Upper,
            'a'..='z' => Kind::Lower,
            '0'..='9' => Kind::Digit,
            _ => Kind::Other,
        };
    }
    let letter = c.is_alphabetic() && !c.is_numeric();
    if letter && c.is_uppercase() {
        Kind::Upper
    } else if letter && c.is_lowercase() {
        Kind::Lower
    } else if is_decimal_digit(c) {
        Kind::Digit
    } else {
        Kind::Other
    }
}

fn is_decimal_digit(c: char) -> bool {
    const ZEROES: [u32; 20] = [
        0x660, 0x6F0, 0x7C0, 0x966, 0x9E6, 0xA66, 0xAE6, 0xB66, 0xBE6, 0xC66, 0xCE6, 0xD66, 0xDE6, 0xE50, 0xED0, 0xF20,
        0x1040, 0x17E0, 0x1810, 0xFF10,
    ];
    let code = c as u32;
    ZEROES.iter().any(|zero| (*zero..*zero + 10).contains(&code))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families::rows::testing::{s, text};
    use datafusion::scalar::ScalarValue;

    #[test]
    fn masks() {
        let null = || ScalarValue::Utf8(None);
        for (args, expected) in [
            ([s("abcd-EFGH-8765"), s("X"), s("x"), s("n"), null()], "xxxx-XXXX-nnnn"),
            ([s("AbCD123-@$#"), s("Q"), s("q"), s("d"), s("o")], "QqQQdddoooo"),
            ([s("AbCD123-@$#"), null(), null(), null(), s("o")], "AbCD123oooo"),
            ([null(), s("X"), s("x"), s("n"), null()], "NULL"),
            ([s("é中Ⅷ٣"), s("X"), s("x"), s("n"), s("o")], "xoon"),
        ] {
            assert_eq!(text(&MASK, &args), expected, "{args:?}");
        }
    }
}
