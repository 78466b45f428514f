//! Strings of a declared length: what `CHAR(n)` and `VARCHAR(n)` columns accept.

use std::sync::Arc;

use arrow::array::{Array, StringArray};
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, Expr};
use spark::Error;
use spark::types::DataType;

use crate::error::fail;
use crate::kernel::{Kernel, KernelArgs, KernelUdf, Options};
use crate::types::to_arrow;

/// The kernels of this file.
pub const KERNELS: &[Kernel] = &[Kernel::new(NAME, check)];

const NAME: &str = "string_of_length";
static STRING_OF_LENGTH: Kernel = Kernel::new(NAME, check);

/// `value` as a column of type `ty` stores it; an error for what is too long but for trailing blanks.
pub fn stored(value: Expr, ty: &DataType) -> Expr {
    let extra = match ty {
        DataType::Char(n) => format!("char {n}"),
        DataType::Varchar(n) => format!("varchar {n}"),
        _ => return value,
    };
    let options = Options::default().with_extra(extra);
    KernelUdf::call(&STRING_OF_LENGTH, to_arrow(&DataType::STRING), options, vec![value])
}

fn check(args: &KernelArgs) -> Result<ColumnarValue> {
    let (kind, limit) = args.extra().split_once(' ').unwrap_or_default();
    let limit: usize = limit.parse().unwrap_or(usize::MAX);
    let values = args.strings(0)?;
    let mut out = Vec::with_capacity(values.len());
    for value in values.iter() {
        out.push(value.map(|v| fitted(v, limit, kind == "char")).transpose()?);
    }
    Ok(ColumnarValue::Array(Arc::new(StringArray::from(out))))
}

fn fitted(value: &str, limit: usize, pads: bool) -> Result<String> {
    let length = value.chars().count();
    if length > limit {
        let kept: String = value.chars().take(limit).collect();
        if value[kept.len()..].bytes().any(|b| b != b' ') {
            return fail(
                Error::runtime("EXCEED_LIMIT_LENGTH")
                    .param("limit", limit.to_string())
                    .with_message(format!("The string is longer than the {limit} characters of its column.")),
            );
        }
        return Ok(kept);
    }
    let blanks = if pads { limit - length } else { 0 };
    Ok(format!("{value}{}", " ".repeat(blanks)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_fitted() {
        for (value, pads, expected) in [
            ("ab", true, Some("ab  ")),
            ("ab", false, Some("ab")),
            ("abcd  ", true, Some("abcd")),
            ("abcd  ", false, Some("abcd")),
            ("abcde", true, None),
            ("äöüß", false, Some("äöüß")),
        ] {
            assert_eq!(fitted(value, 4, pads).ok().as_deref(), expected, "{value}");
        }
    }
}
