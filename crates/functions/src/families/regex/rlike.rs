//! `rlike`, `regexp`, `regexp_like`: does the pattern occur?

use datafusion::common::Result;
use datafusion::logical_expr::ColumnarValue;
use spark::Result as SparkResult;
use spark::types::DataType;

use super::pattern::Last;
use crate::call::Call;
use crate::coerce::Expected;
use crate::families::collation;
use crate::families::rows::{self, Text};
use crate::kernel::{Kernel, KernelArgs};
use crate::registry::{Build, Function};
use crate::typed::Typed;

/// Functions of this file.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "rlike", build: Build::Scalar(rlike) },
    Function { name: "regexp", build: Build::Scalar(rlike) },
    Function { name: "regexp_like", build: Build::Scalar(rlike) },
];

const RLIKE: Kernel = Kernel::new("rlike", eval);

/// Kernels of this file.
pub const KERNELS: &[Kernel] = &[RLIKE];

fn rlike(mut call: Call) -> SparkResult<Typed> {
    call.arity(2..=2)?;
    call.name = call.name.to_uppercase();
    let name = call.display_name();
    for i in 0..2 {
        regex_argument(&mut call, i)?;
    }
    call.expect_all(&[Expected::String, Expected::String])?;
    let pattern_name = call.args[1].name.clone();
    let collation = collation::unify(&mut call, &[0, 1])?;
    call.args[1].name = pattern_name;
    let options = lower_case_options(&call, &collation);
    let nullable = call.any_nullable();
    Ok(call.kernel_with(&RLIKE, options, DataType::Boolean, nullable).named(name))
}

/// Options of kernels that match patterns: whether the collation ignores case.
pub fn lower_case_options(call: &Call, collation: &Option<std::sync::Arc<str>>) -> crate::kernel::Options {
    if is_lower_case(collation) { call.options().with_extra(IGNORE_CASE) } else { call.options() }
}

/// Patterns are defined for byte and lower-case collations only.
///
/// # Errors
/// `DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE` for others.
pub fn regex_argument(call: &mut Call, i: usize) -> SparkResult<()> {
    match &call.args[i].ty {
        DataType::String { collation: Some(name) } if !matches!(name.as_ref(), "UTF8_LCASE" | "null") => {
            Err(call.unexpected_type(i, "\"STRING\""))
        }
        _ => Ok(()),
    }
}

/// What `extra` says if case does not matter.
pub const IGNORE_CASE: &str = "ignore_case";

/// True for the collation that compares lower-case forms.
pub fn is_lower_case(collation: &Option<std::sync::Arc<str>>) -> bool {
    collation.as_deref().is_some_and(|c| c.starts_with("UTF8_LCASE"))
}

/// The pattern as it is compiled: with case ignored if the kernel's options say so.
pub fn effective<'a>(args: &KernelArgs, pattern: &'a str) -> std::borrow::Cow<'a, str> {
    if args.extra() == IGNORE_CASE { format!("(?ui){pattern}").into() } else { pattern.into() }
}

fn eval(args: &KernelArgs) -> Result<ColumnarValue> {
    let (text, pattern) = (Text::of(args, 0)?, Text::of(args, 1)?);
    let mut last = Last::new("rlike");
    rows::booleans(args, |row| {
        let (Some(s), Some(p)) = (text.get(row), pattern.get(row)) else { return Ok(None) };
        last.get(&effective(args, p))?.is_match(s).map(Some)
    })
}
