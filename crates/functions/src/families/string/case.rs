//! `upper`, `lower`, `initcap` and their aliases.

use datafusion::common::Result;
use datafusion::logical_expr::ColumnarValue;
use spark::Result as SparkResult;

use crate::call::Call;
use crate::coerce::Expected;
use crate::families::rows::{self, Text};
use crate::kernel::{Kernel, KernelArgs};
use crate::registry::{Build, Function};
use crate::typed::Typed;

/// Functions of this file.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "upper", build: Build::Scalar(upper) },
    Function { name: "ucase", build: Build::Scalar(upper) },
    Function { name: "lower", build: Build::Scalar(lower) },
    Function { name: "lcase", build: Build::Scalar(lower) },
    Function { name: "initcap", build: Build::Scalar(initcap) },
];

const UPPER: Kernel = Kernel::new("upper", |args| each(args, push_upper));
const LOWER: Kernel = Kernel::new("lower", |args| each(args, push_lower));
const INITCAP: Kernel = Kernel::new("initcap", |args| each(args, push_initcap));

/// Kernels of this file.
pub const KERNELS: &[Kernel] = &[UPPER, LOWER, INITCAP];

fn upper(call: Call) -> SparkResult<Typed> {
    typed(call, &UPPER)
}

fn lower(call: Call) -> SparkResult<Typed> {
    typed(call, &LOWER)
}

fn initcap(call: Call) -> SparkResult<Typed> {
    typed(call, &INITCAP)
}

fn typed(mut call: Call, kernel: &'static Kernel) -> SparkResult<Typed> {
    call.arity(1..=1)?;
    call.expect(0, Expected::String)?;
    let (ty, nullable) = (rows::text_type(&call, 0), call.any_nullable());
    Ok(call.kernel(kernel, ty, nullable))
}

fn each(args: &KernelArgs, f: impl Fn(&str, &mut String)) -> Result<ColumnarValue> {
    let text = Text::of(args, 0)?;
    rows::strings(args, |row, out| {
        let Some(s) = text.get(row) else { return Ok(false) };
        f(s, out);
        Ok(true)
    })
}

fn push_upper(s: &str, out: &mut String) {
    if s.is_ascii() {
        out.push_str(s);
        out.make_ascii_uppercase();
    } else {
        out.push_str(&s.to_uppercase());
    }
}

/// Appends the lower case of `s`.
pub fn push_lower(s: &str, out: &mut String) {
    if s.is_ascii() {
        let start = out.len();
        out.push_str(s);
        out[start..].make_ascii_lowercase();
    } else {
        out.push_str(&s.to_lowercase());
    }
}

/// Title case after every space, lower case elsewhere.
fn push_initcap(s: &str, out: &mut String) {
    let lowered = s.to_lowercase();
    let mut first = true;
    for c in lowered.chars() {
        if first {
            push_title(c, out);
        } else {
            out.push(c);
        }
        first = c == ' ';
    }
}

fn push_title(c: char, out: &mut String) {
    let digraph = match c {
        'Ǆ' | 'ǅ' | 'ǆ' => Some('ǅ'),
        'Ǉ' | 'ǈ' | 'ǉ' => Some('ǈ'),
        'Ǌ' | 'ǋ' | 'ǌ' => Some('ǋ'),
        'Ǳ' | 'ǲ' | 'ǳ' => Some('ǲ'),
        _ => None,
    };
    if let Some(title) = digraph {
        out.push(title);
        return;
    }
    let mut upper = c.to_uppercase();
    out.extend(upper.next());
    for rest in upper {
        out.extend(rest.to_lowercase());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families::rows::testing::{s, text};

    #[test]
    fn cases() {
        for (kernel, input, expected) in [
            (&UPPER, "aß1", "ASS1"),
            (&LOWER, "ABÇ", "abç"),
            (&INITCAP, "hello wORLD-foo bar_baz  x", "Hello World-foo Bar_baz  X"),
            (&INITCAP, "éa ßb", "Éa Ssb"),
        ] {
            assert_eq!(text(kernel, &[s(input)]), expected, "{} of {input}", kernel.name);
        }
    }
}
