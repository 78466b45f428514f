//! `struct`, `named_struct` and the change of a struct's fields.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StructArray};
use arrow::datatypes::DataType as Arrow;
use datafusion::common::{Result as DfResult, internal_err};
use datafusion::logical_expr::{ColumnarValue, Expr};
use spark::types::{DataType, StructField, StructType};
use spark::{Error, Result};

use super::aggregate::basic::as_type;
use super::rows::{finish, row_count};
use crate::call::Call;
use crate::kernel::{Kernel, KernelArgs, KernelUdf, Options};
use crate::registry::{Build, Function};
use crate::typed::Typed;
use crate::types::to_arrow;

/// Functions of this file.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "struct", build: Build::Scalar(structure) },
    Function { name: "named_struct", build: Build::Scalar(named_struct) },
    Function { name: "unwrap_udt", build: Build::Scalar(unwrap_udt) },
];

/// Kernels of this file.
pub const KERNELS: &[Kernel] = &[Kernel::new("named_struct", eval_struct), Kernel::new("update_struct", eval_update)];

/// The name an expression has of its own: a column's, or a field's.
pub fn own_name(arg: &Typed) -> Option<String> {
    match &arg.expr {
        Expr::Alias(alias) => Some(alias.name.clone()),
        Expr::Column(_) | Expr::OuterReferenceColumn(..) => {
            Some(arg.name.rsplit('.').next().unwrap_or(&arg.name).to_string())
        }
        Expr::ScalarFunction(f) if f.func.name() == "get_struct_field" => {
            Some(arg.name.rsplit('.').next().unwrap_or(&arg.name).to_string())
        }
        _ => None,
    }
}

fn structure(call: Call) -> Result<Typed> {
    if call.args.is_empty() {
        return Err(call.wrong_arity("> 0"));
    }
    let names = call
        .args
        .iter()
        .enumerate()
        .map(|(i, arg)| match call.arg_names.get(i).filter(|n| !n.is_empty()) {
            Some(alias) => alias.clone(),
            None => own_name(arg).unwrap_or_else(|| format!("col{}", i + 1)),
        })
        .collect();
    let name = call.display_name();
    let args = call.args;
    Ok(struct_of(names, args).named(name))
}

/// The value of a user-defined type as the type that it is stored in.
fn unwrap_udt(call: Call) -> Result<Typed> {
    call.arity(1..=1)?;
    let name = call.display_name();
    let arg = &call.args[0];
    match &arg.ty {
        DataType::Udt { sql_type, .. } => {
            // A column of its own, no longer the one that it is read from.
            let expr = as_type(arg.expr.clone(), sql_type);
            Ok(Typed::new(expr, (**sql_type).clone(), arg.nullable, name))
        }
        _ => Err(call.unexpected_type(0, "\"USER DEFINED TYPE\"")),
    }
}

fn named_struct(call: Call) -> Result<Typed> {
    if call.args.len() % 2 == 1 {
        return Err(call.wrong_arity("2n (n > 0)"));
    }
    let mut names = Vec::new();
    let mut invalid = Vec::new();
    for arg in call.args.iter().step_by(2) {
        match crate::fold::string(arg) {
            Some(name) => names.push(name),
            None => invalid.push(arg.name.clone()),
        }
    }
    if !invalid.is_empty() {
        let shown: Vec<String> = invalid.iter().map(|n| format!("\"{n}\"")).collect();
        return Err(call
            .mismatch("CREATE_NAMED_STRUCT_WITHOUT_FOLDABLE_STRING")
            .param("inputExprs", format!("[{}]", shown.join(", "))));
    }
    let name = call.display_name();
    let values = call.args.into_iter().skip(1).step_by(2).collect();
    Ok(struct_of(names, values).named(name))
}

/// A struct of these fields.
pub fn struct_of(names: Vec<String>, values: Vec<Typed>) -> Typed {
    let fields = names
        .into_iter()
        .zip(&values)
        .map(|(name, v)| {
            let mut field = StructField::new(name, v.ty.clone(), v.nullable);
            field.metadata = v.metadata.clone();
            field
        })
        .collect();
    let ty = DataType::Struct(StructType::new(fields));
    let args = values.into_iter().map(|v| v.expr).collect();
    Typed::new(KernelUdf::call(&KERNELS[0], to_arrow(&ty), Options::ansi(true), args), ty, false, "struct")
}

/// The struct with field `name` set to `value` (appended if new), or dropped if there is no value. Path
/// and name rules are the analyzer's.
///
/// # Errors
/// If `child` is no struct, or no field would be left.
pub fn with_field(child: Typed, name: &str, value: Option<Typed>, settings: &spark::Settings) -> Result<Typed> {
    let DataType::Struct(s) = child.ty.clone() else {
        return Err(Error::analysis("DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE")
            .param("sqlExpr", format!("\"update_fields({})\"", child.name))
            .param("paramIndex", "first")
            .param("requiredType", "\"STRUCT\"")
            .param("inputSql", format!("\"{}\"", child.name))
            .param("inputType", format!("\"{}\"", child.ty.sql())));
    };
    let same = |other: &str| if settings.case_sensitive { other == name } else { other.eq_ignore_ascii_case(name) };
    let mut places: Vec<String> = Vec::new();
    let mut fields = Vec::new();
    let mut used = false;
    for (i, field) in s.fields.iter().enumerate() {
        match &value {
            _ if !same(&field.name) => {
                places.push(i.to_string());
                fields.push(field.clone());
            }
            Some(v) => {
                places.push("new".into());
                fields.push(StructField::new(name, v.ty.clone(), v.nullable));
                used = true;
            }
            None => {}
        }
    }
    if let Some(v) = value.as_ref().filter(|_| !used) {
        places.push("new".into());
        fields.push(StructField::new(name, v.ty.clone(), v.nullable));
    }
    if fields.is_empty() {
        return Err(Error::analysis("DATATYPE_MISMATCH.CANNOT_DROP_ALL_FIELDS")
            .param("sqlExpr", format!("\"update_fields({}, dropfield())\"", child.name)));
    }
    let ty = DataType::Struct(StructType::new(fields));
    let nullable = child.nullable;
    let text = match &value {
        Some(v) => format!("update_fields({}, WithField({}))", child.name, v.name),
        None => format!("update_fields({}, dropfield())", child.name),
    };
    let mut args = vec![child.expr];
    args.extend(value.map(|v| v.expr));
    let options = Options::ansi(true).with_extra(places.join(","));
    Ok(Typed::new(KernelUdf::call(&KERNELS[1], to_arrow(&ty), options, args), ty, nullable, text))
}

fn fields_of(args: &KernelArgs) -> DfResult<arrow::datatypes::Fields> {
    match args.return_type() {
        Arrow::Struct(fields) => Ok(fields.clone()),
        other => internal_err!("expected a struct result, not {other}"),
    }
}

fn full_column(args: &KernelArgs, i: usize, rows: usize) -> DfResult<ArrayRef> {
    match args.value(i)? {
        ColumnarValue::Array(a) => Ok(Arc::clone(a)),
        ColumnarValue::Scalar(v) => v.to_array_of_size(rows),
    }
}

fn eval_struct(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let rows = row_count(args);
    let columns = (0..args.args.len()).map(|i| full_column(args, i, rows)).collect::<DfResult<Vec<_>>>()?;
    finish(args, Arc::new(StructArray::try_new_with_length(fields_of(args)?, columns, None, rows)?))
}

fn eval_update(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let rows = row_count(args);
    let child = full_column(args, 0, rows)?;
    let child = child.as_struct();
    let mut columns = Vec::new();
    for place in args.extra().split(',') {
        columns.push(match place.parse::<usize>() {
            Ok(i) => Arc::clone(child.column(i)),
            Err(_) => full_column(args, 1, rows)?,
        });
    }
    let out = StructArray::try_new_with_length(fields_of(args)?, columns, child.nulls().cloned(), rows)?;
    finish(args, Arc::new(out))
}
