//! Array functions.

pub mod construct;
pub mod edit;
pub mod search;
pub mod sequence;
pub mod sets;
pub mod shuffle;

use arrow::array::ArrayRef;
use arrow::row::Rows;
use datafusion::common::Result as DfResult;
use spark::types::DataType;
use spark::{Result, Settings};

use super::collation::Collation;
use super::collation::key::keys as collation_keys;
use super::lists::{contains_null, element};
use crate::call::Call;
use crate::coerce;
use crate::kernel::{KernelArgs, Options};
use crate::typed::Typed;
use crate::values;

/// Argument `i` must be an array.
///
/// # Errors
/// `DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE`.
pub(crate) fn expect_array(call: &Call, i: usize) -> Result<()> {
    match call.args[i].ty {
        DataType::Array { .. } => Ok(()),
        _ => Err(call.unexpected_type(i, "\"ARRAY\"")),
    }
}

/// The type two operands of an array function share; strings do not become numbers here, nor numbers
/// strings.
pub(crate) fn common_element(a: &DataType, b: &DataType, settings: &Settings) -> Option<DataType> {
    if a.same_type(b) {
        return Some(a.clone());
    }
    if (a.is_string() != b.is_string()) && *a != DataType::Null && *b != DataType::Null {
        return None;
    }
    match (a, b) {
        (DataType::Array { element: x, contains_null: n }, DataType::Array { element: y, contains_null: m }) => {
            common_element(x, y, settings).map(|e| DataType::array(e, *n || *m))
        }
        _ => coerce::wider_type(a, b, settings),
    }
}

/// As [`common_element`], but for decimals, which are not widened or made doubles: what functions ask for
/// that change arrays.
fn tight_element(a: &DataType, b: &DataType, settings: &Settings) -> Option<DataType> {
    if (a.is_string() != b.is_string()) && *a != DataType::Null && *b != DataType::Null {
        return None;
    }
    coerce::tightest_type(a, b, settings)
}

/// Casts the array in place `array` and the value in place `value` to one element type.
///
/// # Errors
/// `DATATYPE_MISMATCH.ARRAY_FUNCTION_DIFF_TYPES`.
pub(crate) fn unify_element(call: &mut Call, array: usize, value: usize) -> Result<DataType> {
    if call.name != "array_insert" {
        call.collate(&[array, value])?;
    }
    let (list, item) = (call.args[array].ty.clone(), call.args[value].ty.clone());
    // These two say that the types differ also where there is no array at all.
    let lenient = matches!(call.name.as_str(), "array_remove" | "array_insert");
    if !lenient {
        expect_array(call, array)?;
    }
    let common = if call.name == "array_contains" { common_element } else { tight_element };
    let is_array = matches!(list, DataType::Array { .. });
    let Some(common) =
        common(&element(&list), &item, call.settings).filter(|_| is_array && !other_collation(&element(&list), &item))
    else {
        return Err(call
            .mismatch("ARRAY_FUNCTION_DIFF_TYPES")
            .param("functionName", spark::types::quote_identifier(&call.name))
            .param("dataType", "\"ARRAY\"")
            .param("leftType", format!("\"{}\"", list.sql()))
            .param("rightType", format!("\"{}\"", item.sql())));
    };
    call.args[array] = to_elements(&call.args[array], &common, call.settings);
    call.args[value] = coerce::cast_implicitly(&call.args[value], &common, call.settings);
    Ok(common)
}

/// The call's options, with the collation that its elements are compared by.
pub(crate) fn by_element(call: &Call, element: &DataType) -> Options {
    match element {
        DataType::String { collation: Some(name) } => call.options().with_extra(name.clone()),
        _ => call.options(),
    }
}

/// True for strings of different collations: a map's key is not given another one.
pub(crate) fn other_collation(key: &DataType, sought: &DataType) -> bool {
    match (key, sought) {
        (DataType::String { collation: a }, DataType::String { collation: b }) => a != b,
        _ => false,
    }
}

/// [`values::rows_of`] under the collation of [`by_element`].
pub(crate) fn keys_of(args: &KernelArgs, arrays: &[&ArrayRef]) -> DfResult<Vec<Rows>> {
    if args.extra().is_empty() {
        return values::rows_of(arrays);
    }
    collated_rows(&Collation::of(args)?, arrays)
}

/// [`values::rows_of`] for strings that a collation compares.
pub(crate) fn collated_rows(collation: &Collation, arrays: &[&ArrayRef]) -> DfResult<Vec<Rows>> {
    let keys = arrays.iter().map(|array| collation_keys(collation, array)).collect::<DfResult<Vec<_>>>()?;
    values::rows_of(&keys.iter().collect::<Vec<_>>())
}

/// The array with elements of another type.
pub(crate) fn to_elements(array: &Typed, element: &DataType, settings: &Settings) -> Typed {
    coerce::cast_implicitly(array, &DataType::array(element.clone(), contains_null(&array.ty)), settings)
}

/// Casts two arrays to one element type.
///
/// # Errors
/// `DATATYPE_MISMATCH.BINARY_ARRAY_DIFF_TYPES`.
pub(crate) fn unify_arrays(call: &mut Call) -> Result<DataType> {
    call.arity(2..=2)?;
    call.collate(&[0, 1])?;
    let (a, b) = (call.args[0].ty.clone(), call.args[1].ty.clone());
    let both = matches!((&a, &b), (DataType::Array { .. }, DataType::Array { .. }));
    let common = if both { tight_element(&element(&a), &element(&b), call.settings) } else { None };
    let Some(common) = common else {
        return Err(call
            .mismatch("BINARY_ARRAY_DIFF_TYPES")
            .param("functionName", spark::types::quote_identifier(&call.name))
            .param("arrayType", "\"ARRAY\"")
            .param("leftType", format!("\"{}\"", a.sql()))
            .param("rightType", format!("\"{}\"", b.sql())));
    };
    expect_orderable(call, &common, &common)?;
    for i in 0..2 {
        call.args[i] = to_elements(&call.args[i], &common, call.settings);
    }
    Ok(common)
}

/// `DATATYPE_MISMATCH.INVALID_ORDERING_TYPE` unless values of `ty` can be ordered.
pub(crate) fn expect_orderable(call: &Call, ty: &DataType, shown: &DataType) -> Result<()> {
    if super::aggregate::basic::is_orderable(ty) {
        return Ok(());
    }
    Err(call
        .mismatch("INVALID_ORDERING_TYPE")
        .param("functionName", spark::types::quote_identifier(&call.name))
        .param("dataType", format!("\"{}\"", shown.sql())))
}
