//! Which collation several strings have together: an explicit `COLLATE` wins over a column's, which
//! wins over the default.

use std::sync::Arc;

use datafusion::logical_expr::Expr;
use spark::types::DataType;
use spark::{Error, ErrorKind, Result};

use crate::call::Call;
use crate::kernel::{KernelUdf, Options};
use crate::typed::Typed;

/// The type that two different column collations have together; comparing it is an error.
pub const INDETERMINATE: &str = "null";

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Strength {
    Default,
    Implicit,
    Explicit,
}

/// Gives the string arguments in places `indices` one collation and answers it.
///
/// # Errors
/// `COLLATION_MISMATCH.EXPLICIT` if two `COLLATE`s disagree.
pub fn unify(call: &mut Call, indices: &[usize]) -> Result<Option<Arc<str>>> {
    let mut args: Vec<&mut Typed> =
        call.args.iter_mut().enumerate().filter(|(i, _)| indices.contains(i)).map(|(_, a)| a).collect();
    unify_typed(&mut args)
}

/// [`unify`] for expressions that are not arguments of one call.
///
/// # Errors
/// As [`unify`].
pub fn unify_typed(args: &mut [&mut Typed]) -> Result<Option<Arc<str>>> {
    if args.iter().all(|a| of(&a.ty).is_none()) {
        return Ok(None);
    }
    let strengths: Vec<Strength> = args.iter().map(|a| strength(a)).collect();
    let strongest = |at: Strength| {
        let mut found: Vec<Option<Arc<str>>> = Vec::new();
        for (arg, s) in args.iter().zip(&strengths) {
            let collation = of(&arg.ty);
            if *s == at && string_inside(&arg.ty) && !found.contains(&collation) {
                found.push(collation);
            }
        }
        found
    };
    let explicit = strongest(Strength::Explicit);
    let chosen = match explicit.as_slice() {
        [one] => one.clone(),
        [] => match strongest(Strength::Implicit).as_slice() {
            [] => strongest(Strength::Default).into_iter().flatten().next(),
            [one] => one.clone(),
            _ => Some(INDETERMINATE.into()),
        },
        several => return Err(mismatch(several)),
    };
    for arg in args.iter_mut() {
        adopt(arg, &chosen);
    }
    Ok(chosen)
}

/// Gives the operands of a comparison one collation, if they are strings.
///
/// # Errors
/// As [`unify`], and `INDETERMINATE_COLLATION` where two columns disagree.
pub fn unify_comparison(call: &mut Call) -> Result<()> {
    if call.args.iter().all(|a| of(&a.ty).is_none()) {
        return Ok(());
    }
    if !call.args.iter().all(|a| string_inside(&a.ty)) {
        return Ok(());
    }
    let all: Vec<usize> = (0..call.args.len()).collect();
    let chosen = unify(call, &all)?;
    determined(&chosen).map_err(|e| e.at(call.origin.as_ref()))
}

fn mismatch(several: &[Option<Arc<str>>]) -> Error {
    let types: Vec<String> =
        several.iter().map(|c| format!("\"STRING COLLATE {}\"", c.as_deref().unwrap_or("UTF8_BINARY"))).collect();
    Error::analysis("COLLATION_MISMATCH.EXPLICIT")
        .param("explicitTypes", types.join(", "))
        .with_message(format!("Two explicit collations meet: {}; keep one.", types.join(", ")))
        .nowhere()
}

/// The collation of a string, or of the strings of an array.
pub fn of(ty: &DataType) -> Option<Arc<str>> {
    match ty {
        DataType::String { collation } => collation.clone(),
        DataType::Array { element, .. } => of(element),
        _ => None,
    }
}

/// True if strings in the same place of both types are compared differently.
pub fn collations_differ(a: &DataType, b: &DataType) -> bool {
    match (a, b) {
        (DataType::Array { element: a, .. }, DataType::Array { element: b, .. }) => collations_differ(a, b),
        (DataType::Struct(a), DataType::Struct(b)) => {
            a.fields.iter().zip(&b.fields).any(|(a, b)| collations_differ(&a.data_type, &b.data_type))
        }
        (DataType::Map { key: ka, value: va, .. }, DataType::Map { key: kb, value: vb, .. }) => {
            collations_differ(ka, kb) || collations_differ(va, vb)
        }
        (a, b) => a.is_string() && b.is_string() && of(a) != of(b),
    }
}

/// True for strings and arrays of them.
pub fn string_inside(ty: &DataType) -> bool {
    match ty {
        DataType::Array { element, .. } => string_inside(element),
        other => other.is_string(),
    }
}

/// Changes the collation in the type; a literal is then printed with it.
fn adopt(arg: &mut Typed, chosen: &Option<Arc<str>>) {
    if !string_inside(&arg.ty) || of(&arg.ty) == *chosen {
        return;
    }
    if arg.literal().is_some_and(|v| !v.is_null()) && matches!(arg.ty, DataType::String { .. }) {
        let name = chosen.as_deref().unwrap_or("UTF8_BINARY");
        arg.name = format!("'{}' collate {name}", arg.name);
    }
    arg.ty = with_collation(&arg.ty, chosen);
}

fn with_collation(ty: &DataType, chosen: &Option<Arc<str>>) -> DataType {
    match ty {
        DataType::Array { element, contains_null } => DataType::array(with_collation(element, chosen), *contains_null),
        _ => DataType::String { collation: chosen.clone() },
    }
}

fn strength(arg: &Typed) -> Strength {
    fn walk(expr: &Expr) -> Strength {
        match expr {
            Expr::Alias(alias) => walk(&alias.expr),
            Expr::Column(_) | Expr::OuterReferenceColumn(..) | Expr::ScalarSubquery(_) => Strength::Implicit,
            Expr::LambdaVariable(_) => Strength::Implicit,
            Expr::ScalarFunction(f) => {
                let inner: &dyn std::any::Any = f.func.inner().as_ref();
                if inner.downcast_ref::<KernelUdf>().is_some_and(|k| k.kernel.name == "collate") {
                    return Strength::Explicit;
                }
                f.args.iter().map(walk).max().unwrap_or(Strength::Default)
            }
            Expr::AggregateFunction(f) => f.params.args.iter().map(walk).max().unwrap_or(Strength::Default),
            _ => Strength::Default,
        }
    }
    walk(&arg.expr)
}

/// The string type of that collation.
pub fn string_type(collation: &Option<Arc<str>>) -> DataType {
    DataType::String { collation: collation.clone() }
}

/// The call's options with the collation its kernel compares by.
pub fn options(call: &Call, collation: &Option<Arc<str>>) -> Options {
    match collation {
        None => call.options(),
        Some(name) => call.options().with_extra(name.clone()),
    }
}

/// Refuses a collation that could not be decided, for operations that compare.
///
/// # Errors
/// `INDETERMINATE_COLLATION`.
pub fn determined(collation: &Option<Arc<str>>) -> Result<()> {
    if collation.as_deref() == Some(INDETERMINATE) {
        return Err(Error::new(ErrorKind::Runtime, "INDETERMINATE_COLLATION")
            .with_message("The collation to compare by is not determined; add a COLLATE clause."));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences() {
        let text = |name: Option<&str>| DataType::String { collation: name.map(Into::into) };
        let list = |name| DataType::array(text(name), true);
        for (a, b, expected) in [
            (text(None), text(None), false),
            (text(None), text(Some("UNICODE")), true),
            (text(Some("UNICODE")), text(Some("UNICODE")), false),
            (list(None), list(Some("UNICODE")), true),
            (DataType::Integer, text(Some("UNICODE")), false),
        ] {
            assert_eq!(collations_differ(&a, &b), expected, "{} {}", a.sql(), b.sql());
        }
    }
}
