//! Strings of a declared length: what `CHAR(n)` and `VARCHAR(n)` columns accept.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, MapArray, StringArray, StructArray};
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
/// Strings of a declared length may be anywhere inside.
pub fn stored(value: Expr, ty: &DataType) -> Expr {
    if !is_limited(ty) {
        return value;
    }
    let mut extra = String::new();
    encode(ty, &mut extra);
    let options = Options::default().with_extra(extra);
    KernelUdf::call(&STRING_OF_LENGTH, to_arrow(&unlimited(ty)), options, vec![value])
}

/// The strings of a `CHAR` column with the blanks that they lack; longer ones stay as they are.
pub fn padded(value: Expr, length: u32) -> Expr {
    let options = Options::default().with_extra(format!("p{length};"));
    KernelUdf::call(&STRING_OF_LENGTH, to_arrow(&DataType::STRING), options, vec![value])
}

/// True if there is a `CHAR` or `VARCHAR` in a type.
pub fn is_limited(ty: &DataType) -> bool {
    match ty {
        DataType::Char(_) | DataType::Varchar(_) => true,
        DataType::Array { element, .. } => is_limited(element),
        DataType::Map { key, value, .. } => is_limited(key) || is_limited(value),
        DataType::Struct(fields) => fields.fields.iter().any(|f| is_limited(&f.data_type)),
        _ => false,
    }
}

/// The type with `STRING` for `CHAR` and `VARCHAR`.
pub fn unlimited(ty: &DataType) -> DataType {
    match ty {
        DataType::Char(_) | DataType::Varchar(_) => DataType::STRING,
        DataType::Array { element, contains_null } => {
            DataType::Array { element: Arc::new(unlimited(element)), contains_null: *contains_null }
        }
        DataType::Map { key, value, value_contains_null } => DataType::Map {
            key: Arc::new(unlimited(key)),
            value: Arc::new(unlimited(value)),
            value_contains_null: *value_contains_null,
        },
        DataType::Struct(fields) => {
            let mut fields = fields.clone();
            for field in &mut fields.fields {
                field.data_type = unlimited(&field.data_type);
            }
            DataType::Struct(fields)
        }
        other => other.clone(),
    }
}

/// The limits in a type, for the kernel: `c5;` and `v3;` (`p5;` where there are only blanks to add), `[…]` around what is inside, `_` for the rest.
fn encode(ty: &DataType, out: &mut String) {
    let mut children = |types: Vec<&DataType>| {
        out.push('[');
        types.into_iter().for_each(|t| encode(t, out));
        out.push(']');
    };
    match ty {
        DataType::Array { element, .. } => children(vec![element]),
        DataType::Map { key, value, .. } => children(vec![key, value]),
        DataType::Struct(fields) => children(fields.fields.iter().map(|f| &f.data_type).collect()),
        DataType::Char(n) => out.push_str(&format!("c{n};")),
        DataType::Varchar(n) => out.push_str(&format!("v{n};")),
        _ => out.push('_'),
    }
}

/// The limits of a type.
enum Limits {
    None,
    Text { limit: usize, pads: bool, checks: bool },
    Inside(Vec<Limits>),
}

fn decode(text: &mut std::str::Chars) -> Limits {
    match text.next() {
        Some('[') => {
            let mut inside = Vec::new();
            while !text.as_str().is_empty() && !text.as_str().starts_with(']') {
                inside.push(decode(text));
            }
            text.next();
            Limits::Inside(inside)
        }
        Some(kind @ ('c' | 'v' | 'p')) => {
            let digits: String = text.take_while(|c| *c != ';').collect();
            Limits::Text { limit: digits.parse().unwrap_or(usize::MAX), pads: kind != 'v', checks: kind != 'p' }
        }
        _ => Limits::None,
    }
}

fn check(args: &KernelArgs) -> Result<ColumnarValue> {
    let limits = decode(&mut args.extra().chars());
    let values: ArrayRef = match limits {
        Limits::Text { .. } => Arc::new(args.strings(0)?),
        _ => args.array(0)?,
    };
    Ok(ColumnarValue::Array(limited(&values, &limits)?))
}

fn limited(values: &ArrayRef, limits: &Limits) -> Result<ArrayRef> {
    let children: &[Limits] = match limits {
        Limits::None => return Ok(Arc::clone(values)),
        Limits::Text { limit, pads, checks } => {
            let values = values.as_string::<i32>();
            let mut out = Vec::with_capacity(values.len());
            for value in values.iter() {
                let fit = |v: &str| if *checks { fitted(v, *limit, *pads) } else { Ok(format!("{v:<limit$}")) };
                out.push(value.map(fit).transpose()?);
            }
            return Ok(Arc::new(StringArray::from(out)));
        }
        Limits::Inside(children) => children,
    };
    match (values.data_type(), children) {
        (arrow::datatypes::DataType::List(field), [inner]) => {
            let list = values.as_list::<i32>();
            let items = limited(list.values(), inner)?;
            let list = ListArray::try_new(field.clone(), list.offsets().clone(), items, list.nulls().cloned())?;
            Ok(Arc::new(list))
        }
        (arrow::datatypes::DataType::Map(field, sorted), _) => {
            let map = values.as_map();
            let entries = fields_limited(map.entries(), children)?;
            let (offsets, nulls) = (map.offsets().clone(), map.nulls().cloned());
            Ok(Arc::new(MapArray::try_new(field.clone(), offsets, entries, nulls, *sorted)?))
        }
        (arrow::datatypes::DataType::Struct(_), _) => Ok(Arc::new(fields_limited(values.as_struct(), children)?)),
        _ => Ok(Arc::clone(values)),
    }
}

fn fields_limited(values: &StructArray, children: &[Limits]) -> Result<StructArray> {
    let columns = values.columns().iter().zip(children).map(|(c, l)| limited(c, l)).collect::<Result<Vec<_>>>()?;
    Ok(StructArray::try_new(values.fields().clone(), columns, values.nulls().cloned())?)
}

/// A constant as a column stores it that was declared as `char(3)` or `varchar(3)`.
///
/// # Errors
/// `EXCEED_LIMIT_LENGTH`.
pub fn fitted_to(value: String, declared: &str) -> spark::Result<String> {
    let length = |kind: &str| declared.strip_prefix(kind)?.strip_suffix(')')?.parse::<usize>().ok();
    let fitted = match (length("char("), length("varchar(")) {
        (Some(limit), _) => fitted(&value, limit, true),
        (_, Some(limit)) => fitted(&value, limit, false),
        _ => return Ok(value),
    };
    fitted.map_err(crate::error::from_datafusion)
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
