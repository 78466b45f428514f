//! `child[key]`, `child.field`: out of arrays, maps and structs.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, StructArray};
use arrow::buffer::NullBuffer;
use arrow::compute::nullif;
use arrow::datatypes::DataType as Arrow;
use datafusion::common::{Result as DfResult, internal_err};
use datafusion::logical_expr::{ColumnarValue, Expr};
use spark::types::{DataType, StructType};
use spark::{Error, ErrorKind, Origin, Result, Settings};

use super::datetime::Numbers;
use super::lists::{Column, Lists, Picks};
use super::rows::{finish, row_count};
use crate::call::Call;
use crate::coerce::{self, Expected};
use crate::error::fail;
use crate::fold;
use crate::kernel::{Kernel, KernelArgs, KernelUdf};
use crate::registry::{Build, Function};
use crate::typed::Typed;
use crate::types::list_field;

/// Functions of this file.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "element_at", build: Build::Scalar(element_at) },
    Function { name: "try_element_at", build: Build::Scalar(element_at) },
    Function { name: "get", build: Build::Scalar(get) },
    // Not a function users can name: what the analyzer calls for `child[key]`.
    Function { name: "$extract", build: Build::Scalar(extract_call) },
];

/// Kernels of this file.
pub const KERNELS: &[Kernel] = &[
    Kernel::new("get_struct_field", eval_struct_field),
    Kernel::new("get_array_struct_fields", eval_array_struct_fields),
    Kernel::new("get_array_item", eval_array_item),
    Kernel::new("get_map_value", eval_map_value),
    Kernel::new("element_at", eval_element_at),
];

/// `child[key]`, or `child.key` for a constant string key of a struct.
///
/// # Errors
/// `FIELD_NOT_FOUND`, `AMBIGUOUS_REFERENCE_TO_FIELDS`, `INVALID_EXTRACT_BASE_FIELD_TYPE` and their kin.
pub fn extract(child: Typed, key: Typed, settings: &Settings, origin: Option<&Arc<Origin>>) -> Result<Typed> {
    let field_name = if key.ty.is_string() { fold::string(&key) } else { None };
    match (&child.ty, field_name) {
        (DataType::Struct(s), Some(field)) => {
            let s = s.clone();
            field_of(child, &s, &field, settings, origin)
        }
        (DataType::Struct(_), None) => Err(Error::analysis("INVALID_EXTRACT_FIELD_TYPE")
            .param("extraction", format!("\"{}\"", key.name))
            .at(origin)),
        (DataType::Array { element, .. }, Some(field)) if matches!(**element, DataType::Struct(_)) => {
            let DataType::Struct(s) = &**element else { return Err(Error::internal("an array of structs")) };
            let s = s.clone();
            fields_of(child, &s, &field, settings, origin)
        }
        (DataType::Array { .. }, _) => array_item(child, key, settings, origin),
        (DataType::Map { .. }, _) => map_value(child, key, settings, origin),
        (ty, _) => Err(Error::analysis("INVALID_EXTRACT_BASE_FIELD_TYPE")
            .param("base", format!("\"{}\"", child.name))
            .param("other", format!("\"{}\"", ty.sql()))
            .with_message(format!("{} has no fields or elements.", ty.sql()))
            .at(origin)),
    }
}

fn extract_call(mut call: Call) -> Result<Typed> {
    call.arity(2..=2)?;
    let key = call.args.remove(1);
    let child = call.args.remove(0);
    extract(child, key, call.settings, call.origin.as_ref())
}

/// The position of a field by its name.
///
/// # Errors
/// `FIELD_NOT_FOUND`, `AMBIGUOUS_REFERENCE_TO_FIELDS`.
pub fn find_field(s: &StructType, name: &str, settings: &Settings, origin: Option<&Arc<Origin>>) -> Result<usize> {
    let same = |other: &str| if settings.case_sensitive { other == name } else { other.eq_ignore_ascii_case(name) };
    let found: Vec<usize> = (0..s.fields.len()).filter(|i| same(&s.fields[*i].name)).collect();
    match found.as_slice() {
        [one] => Ok(*one),
        [] => {
            let all: Vec<String> = s.fields.iter().map(|f| spark::types::quote_identifier(&f.name)).collect();
            Err(Error::analysis("FIELD_NOT_FOUND")
                .param("fieldName", spark::types::quote_identifier(name))
                .param("fields", all.join(", "))
                .with_message(format!("There is no field {name} among {}.", all.join(", ")))
                .at(origin))
        }
        many => Err(Error::analysis("AMBIGUOUS_REFERENCE_TO_FIELDS")
            .param("field", spark::types::quote_identifier(name))
            .param("count", many.len().to_string())
            .with_message(format!("{} fields are called {name}.", many.len()))
            .at(origin)),
    }
}

fn field_of(
    child: Typed,
    s: &StructType,
    name: &str,
    settings: &Settings,
    origin: Option<&Arc<Origin>>,
) -> Result<Typed> {
    let index = find_field(s, name, settings, origin)?;
    Ok(struct_field(child, s, index))
}

/// Field `index` of a struct, printed `child.field`.
pub fn struct_field(child: Typed, s: &StructType, index: usize) -> Typed {
    let field = &s.fields[index];
    let name = format!("{}.{}", child.name, field.name);
    let nullable = child.nullable || field.nullable;
    let metadata = field.metadata.clone();
    let mut typed = apply(&KERNELS[0], index.to_string(), vec![child], field.data_type.clone(), nullable, name);
    typed.metadata = metadata;
    typed
}

fn fields_of(
    child: Typed,
    s: &StructType,
    name: &str,
    settings: &Settings,
    origin: Option<&Arc<Origin>>,
) -> Result<Typed> {
    let index = find_field(s, name, settings, origin)?;
    let field = &s.fields[index];
    let nulls = super::lists::contains_null(&child.ty) || field.nullable;
    let ty = DataType::array(field.data_type.clone(), nulls);
    let name = format!("{}.{}", child.name, field.name);
    let nullable = child.nullable;
    Ok(apply(&KERNELS[1], index.to_string(), vec![child], ty, nullable, name))
}

fn apply(
    kernel: &'static Kernel,
    extra: String,
    args: Vec<Typed>,
    ty: DataType,
    nullable: bool,
    name: String,
) -> Typed {
    let options = crate::kernel::Options::ansi(true).with_extra(extra);
    let args = args.into_iter().map(|a| a.expr).collect();
    Typed::new(KernelUdf::call(kernel, crate::types::to_arrow(&ty), options, args), ty, nullable, name)
}

/// Whether the element at a constant index of an array is null, as far as the array's constructor shows;
/// `None` if it does not.
fn constructed_null(array: &Typed, index: &Typed, one_based: bool) -> Option<bool> {
    let Expr::ScalarFunction(f) = &array.expr else { return None };
    if f.func.name() != "array" {
        return None;
    }
    let index = fold::integer(index)?;
    let place = match index {
        i if one_based && i < 0 => usize::try_from(f.args.len() as i64 + i).ok()?,
        i if one_based => usize::try_from(i - 1).ok()?,
        i => usize::try_from(i).ok()?,
    };
    match f.args.get(place)? {
        Expr::Literal(v, _) => Some(v.is_null()),
        _ => (!super::lists::contains_null(&array.ty)).then_some(false),
    }
}

/// Whether an element may be null: known from the constructor, else unless the index is of this row,
/// out-of-range fails and no element is null.
fn item_nullable(array: &Typed, index: &Typed, fails: bool, one_based: bool) -> bool {
    if index.foldable() && !index.nullable {
        return match constructed_null(array, index, one_based) {
            Some(null) => null,
            None => {
                let constructed = matches!(&array.expr, Expr::ScalarFunction(f) if f.func.name() == "array");
                !(constructed && fails && !super::lists::contains_null(&array.ty))
            }
        };
    }
    !fails || super::lists::contains_null(&array.ty) || array.nullable || index.nullable
}

fn array_item(child: Typed, key: Typed, settings: &Settings, origin: Option<&Arc<Origin>>) -> Result<Typed> {
    let name = format!("{}[{}]", child.name, key.name);
    let ty = super::lists::element(&child.ty);
    let mut call = Call::new("[]", vec![child, key], settings);
    call.origin = origin.cloned();
    if !call.args[1].ty.is_integral() {
        return Err(Error::analysis("DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE")
            .param("sqlExpr", format!("\"{name}\""))
            .param("paramIndex", "second")
            .param("requiredType", "\"INTEGRAL\"")
            .param("inputSql", format!("\"{}\"", call.args[1].name))
            .param("inputType", format!("\"{}\"", call.args[1].ty.sql()))
            .at(origin));
    }
    let nullable = item_nullable(&call.args[0], &call.args[1], settings.ansi, false);
    Ok(call.kernel(&KERNELS[2], ty, nullable).named(name))
}

fn map_value(child: Typed, key: Typed, settings: &Settings, origin: Option<&Arc<Origin>>) -> Result<Typed> {
    let name = format!("{}[{}]", child.name, key.name);
    let DataType::Map { key: key_type, value, .. } = child.ty.clone() else {
        return Err(Error::internal("a map was expected"));
    };
    let Some(key) = coerce::implicit(&key, &Expected::Type((*key_type).clone()), settings) else {
        return Err(Error::analysis("DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE")
            .param("sqlExpr", format!("\"{name}\""))
            .param("paramIndex", "second")
            .param("requiredType", format!("\"{}\"", key_type.sql()))
            .param("inputSql", format!("\"{}\"", key.name))
            .param("inputType", format!("\"{}\"", key.ty.sql()))
            .at(origin));
    };
    let key = coerce::cast_implicitly(&key, &key_type, settings);
    let mut call = Call::new("[]", vec![child, key], settings);
    call.origin = origin.cloned();
    let options = super::array::by_element(&call, &key_type);
    Ok(call.kernel_with(&KERNELS[3], options, (*value).clone(), true).named(name))
}

fn get(mut call: Call) -> Result<Typed> {
    call.arity(2..=2)?;
    call.expect(0, Expected::Array)?;
    let name = call.display_name();
    call.expect(1, Expected::Integral)?;
    let ty = super::lists::element(&call.args[0].ty);
    let nullable = constructed_null(&call.args[0], &call.args[1], false).unwrap_or(true);
    let mut options = call.options();
    options.ansi = false;
    Ok(call.kernel_with(&KERNELS[2], options, ty, nullable).named(name))
}

fn element_at(mut call: Call) -> Result<Typed> {
    call.arity(2..=2)?;
    let tolerant = call.name == "try_element_at";
    let name = call.display_name();
    call.in_errors("element_at");
    match call.args[0].ty.clone() {
        DataType::Array { element, .. } => {
            if !matches!(call.args[1].ty, DataType::Byte | DataType::Short | DataType::Integer)
                && (tolerant || call.args[1].ty != DataType::Null)
            {
                return Err(call.unexpected_type(1, "\"INT\""));
            }
            call.expect(1, Expected::Type(DataType::Integer))?;
            let fails = call.settings.ansi && !tolerant;
            let nullable = match (fails, constructed_null(&call.args[0], &call.args[1], true)) {
                (false, known) => known.unwrap_or(true),
                (true, _) => item_nullable(&call.args[0], &call.args[1], true, true),
            };
            let mut options = call.options();
            options.ansi = fails;
            Ok(call.kernel_with(&KERNELS[4], options, (*element).clone(), nullable).named(name))
        }
        DataType::Map { key, value, value_contains_null } => {
            let common = match super::array::other_collation(&key, &call.args[1].ty) {
                true => None,
                false => coerce::tightest_type(&key, &call.args[1].ty, call.settings),
            };
            let options;
            match common {
                Some(common) => {
                    call.args[1] = coerce::cast_implicitly(&call.args[1], &common, call.settings);
                    options = super::array::by_element(&call, &common);
                    let map = DataType::map(common, (*value).clone(), value_contains_null);
                    call.args[0] = coerce::cast_implicitly(&call.args[0], &map, call.settings);
                }
                None => {
                    return Err(call
                        .mismatch("MAP_FUNCTION_DIFF_TYPES")
                        .param("functionName", spark::types::quote_identifier(&call.name))
                        .param("dataType", "\"MAP\"")
                        .param("leftType", format!("\"{}\"", call.args[0].ty.sql()))
                        .param("rightType", format!("\"{}\"", call.args[1].ty.sql())));
                }
            }
            Ok(call.kernel_with(&KERNELS[3], options, (*value).clone(), true).named(name))
        }
        _ => Err(call.unexpected_type(0, "(\"ARRAY\" or \"MAP\")")),
    }
}

/// The field's column with the struct's nulls.
fn field_column(s: &StructArray, index: usize) -> DfResult<ArrayRef> {
    let Some(column) = s.columns().get(index) else { return internal_err!("no field {index} in a struct") };
    match s.nulls() {
        None => Ok(Arc::clone(column)),
        Some(nulls) if nulls.null_count() == 0 => Ok(Arc::clone(column)),
        Some(nulls) => {
            if column.data_type() == &Arrow::Null {
                return Ok(Arc::clone(column));
            }
            let mask = arrow::array::BooleanArray::new(!nulls.inner(), None);
            Ok(nullif(column, &mask)?)
        }
    }
}

fn index_of(args: &KernelArgs) -> DfResult<usize> {
    args.extra().parse().or_else(|_| internal_err!("a field's position is missing"))
}

fn eval_struct_field(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let child = Column::of(args, 0)?;
    finish(args, field_column(child.array.as_struct(), index_of(args)?)?)
}

fn eval_array_struct_fields(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let child = Column::of(args, 0)?;
    let list = child.array.as_list::<i32>();
    let values = field_column(list.values().as_struct(), index_of(args)?)?;
    let field = list_field(values.data_type().clone());
    let nulls: Option<NullBuffer> = list.nulls().cloned();
    finish(args, Arc::new(ListArray::new(field, list.offsets().clone(), values, nulls)))
}

fn index_error(condition: &str, index: i64, size: usize) -> Error {
    Error::new(ErrorKind::ArrayIndex, condition)
        .param("indexValue", index.to_string())
        .param("arraySize", size.to_string())
        .with_message(format!("There is no element {index} in an array of {size}."))
}

fn eval_array_item(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let (lists, index) = (Lists::of(args, 0)?, Numbers::of(args, 1)?);
    let mut out = Picks::new(vec![Arc::clone(lists.values())], args.return_type());
    for row in 0..row_count(args) {
        let Some((range, i)) = lists.get(row).zip(index.get(row)) else {
            out.push_null();
            continue;
        };
        match usize::try_from(i).ok().filter(|i| *i < range.len()) {
            Some(at) => out.push(0, range.start + at),
            None if args.ansi() => return fail(index_error("INVALID_ARRAY_INDEX", i, range.len())),
            None => out.push_null(),
        }
    }
    out.finish(args)
}

fn eval_element_at(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let (lists, index) = (Lists::of(args, 0)?, Numbers::of(args, 1)?);
    let mut out = Picks::new(vec![Arc::clone(lists.values())], args.return_type());
    for row in 0..row_count(args) {
        let Some((range, i)) = lists.get(row).zip(index.get(row)) else {
            out.push_null();
            continue;
        };
        let size = range.len();
        if i.unsigned_abs() > size as u64 {
            if args.ansi() {
                return fail(index_error("INVALID_ARRAY_INDEX_IN_ELEMENT_AT", i, size));
            }
            out.push_null();
        } else if i == 0 {
            return fail(index_of_zero());
        } else if i > 0 {
            out.push(0, range.start + i as usize - 1);
        } else {
            out.push(0, range.end - i.unsigned_abs() as usize);
        }
    }
    out.finish(args)
}

/// `INVALID_INDEX_OF_ZERO`.
pub fn index_of_zero() -> Error {
    Error::runtime("INVALID_INDEX_OF_ZERO").with_message("Positions start at 1 (or -1 from the end), not 0.")
}

fn eval_map_value(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let (maps, key) = (Lists::of(args, 0)?, Column::of(args, 1)?);
    let Some(map_values) = maps.map_values() else { return internal_err!("expected a map") };
    let rows = super::array::keys_of(args, &[maps.values(), &key.array])?;
    let mut out = Picks::new(vec![Arc::clone(map_values)], args.return_type());
    for row in 0..row_count(args) {
        let found = match maps.get(row) {
            Some(mut range) if !key.is_null(row) => {
                let wanted = rows[1].row(key.at(row));
                range.find(|i| rows[0].row(*i) == wanted)
            }
            _ => None,
        };
        match found {
            Some(i) => out.push(0, i),
            None => out.push_null(),
        }
    }
    out.finish(args)
}
