//! `parse_json`, `variant_get`, `is_variant_null`, `is_valid_variant`, `to_variant_object` and their
//! `try_` forms.

use datafusion::common::Result;
use datafusion::logical_expr::ColumnarValue;
use spark::types::DataType;
use spark::{Error, ErrorKind, Result as SparkResult};

use super::cast::{from_view, null_flags, to_datum, to_node};
use super::decode::View;
use super::encode::SIZE_LIMIT;
use super::json::to_node as json_to_node;
use super::path::{Step, follow, parse as parse_path};
use super::shape::object_like;
use crate::call::Call;
use crate::coerce::Expected;
use crate::error::fail;
use crate::families::datetime::zone::Zone;
use crate::families::json::parse::{Leniency, parse};
use crate::families::rows::{self, Text};
use crate::families::text_data::cells::Cells;
use crate::families::text_data::datum::{Datum, build};
use crate::families::text_data::forms::spec;
use crate::families::text_data::options::{as_nullable, malformed_record, schema_argument};
use crate::kernel::{Kernel, KernelArgs, Options};
use crate::registry::{Build, Function};
use crate::typed::Typed;

/// Functions of this file.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "parse_json", build: Build::Scalar(parse_json) },
    Function { name: "try_parse_json", build: Build::Scalar(parse_json) },
    Function { name: "variant_get", build: Build::Scalar(variant_get) },
    // `v:a.b` in SQL.
    Function { name: "semi_structured_extract", build: Build::Scalar(extract) },
    Function { name: "try_variant_get", build: Build::Scalar(variant_get) },
    Function { name: "is_variant_null", build: Build::Scalar(is_variant_null) },
    Function { name: "is_valid_variant", build: Build::Scalar(is_valid_variant) },
    Function { name: "to_variant_object", build: Build::Scalar(to_variant_object) },
];

const PARSE_JSON: Kernel = Kernel::new("parse_json", eval_parse_json);
const VARIANT_GET: Kernel = Kernel::new("variant_get", eval_variant_get);
const IS_VARIANT_NULL: Kernel = Kernel::new("is_variant_null", eval_is_null);
const IS_VALID: Kernel = Kernel::new("is_valid_variant", eval_is_valid);
const TO_OBJECT: Kernel = Kernel::new("to_variant_object", eval_to_object);

/// Kernels of this file.
pub const KERNELS: &[Kernel] = &[PARSE_JSON, VARIANT_GET, IS_VARIANT_NULL, IS_VALID, TO_OBJECT];

/// Argument `i` must be a variant, or a null.
///
/// # Errors
/// `DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE`.
pub fn variant_argument(call: &mut Call, i: usize) -> SparkResult<()> {
    if call.args[i].is_null_literal() && call.args[i].ty == DataType::Null {
        let name = call.args[i].name.clone();
        call.args[i] = Typed::null(DataType::Variant).named(name);
        return Ok(());
    }
    rows::strict(call, i, Expected::Type(DataType::Variant))
}

/// The error for a type that does not become a variant.
pub fn no_cast(call: &Call, i: usize) -> Error {
    call.mismatch("CAST_WITHOUT_SUGGESTION")
        .param("srcType", format!("\"{}\"", call.args[i].ty.sql()))
        .param("targetType", "\"VARIANT\"")
}

fn parse_json(mut call: Call) -> SparkResult<Typed> {
    call.arity(1..=1)?;
    rows::strict(&mut call, 0, Expected::String)?;
    let is_try = call.name.starts_with("try_");
    let nullable = is_try || call.any_nullable();
    let options = Options { ansi: !is_try, ..call.options() };
    Ok(call.kernel_with(&PARSE_JSON, options, DataType::Variant, nullable))
}

fn variant_get(mut call: Call) -> SparkResult<Typed> {
    call.arity(2..=3)?;
    let ty = if call.args.len() == 3 { as_nullable(&schema_argument(&call, 2)?) } else { DataType::Variant };
    call.args.truncate(2);
    variant_argument(&mut call, 0)?;
    rows::strict(&mut call, 1, Expected::String)?;
    let is_try = call.name.starts_with("try_");
    let extra = serde_json::to_string(&(&ty, &call.name)).unwrap_or_default();
    let options = Options { ansi: !is_try, ..call.options_tz() }.with_extra(extra);
    Ok(call.kernel_with(&VARIANT_GET, options, ty, true))
}

/// The operator `:`, which takes nothing but variants.
fn extract(mut call: Call) -> SparkResult<Typed> {
    call.arity(2..=2)?;
    if !matches!(call.args[0].ty, DataType::Variant | DataType::Null) {
        return Err(Error::analysis("COLUMN_IS_NOT_VARIANT_TYPE")
            .with_message("The operator : takes a variant.")
            .at(call.origin.as_ref()));
    }
    call.name = "variant_get".into();
    let alias = crate::fold::string(&call.args[1]).and_then(|path| last_key(&path));
    let typed = variant_get(call)?;
    Ok(match alias {
        Some(alias) => {
            let name = format!("{} AS {alias}", typed.name);
            typed.named(name)
        }
        None => typed,
    })
}

/// The last field that a path names: what Spark calls a column that is extracted with `:`.
pub fn last_key(path: &str) -> Option<String> {
    let steps = super::path::parse(path)?;
    steps.into_iter().rev().find_map(|step| match step {
        super::path::Step::Key(key) => Some(key),
        super::path::Step::Index(_) => None,
    })
}

fn is_variant_null(mut call: Call) -> SparkResult<Typed> {
    call.arity(1..=1)?;
    variant_argument(&mut call, 0)?;
    Ok(call.kernel(&IS_VARIANT_NULL, DataType::Boolean, false))
}

fn is_valid_variant(mut call: Call) -> SparkResult<Typed> {
    call.arity(1..=1)?;
    variant_argument(&mut call, 0)?;
    let nullable = call.any_nullable();
    Ok(call.kernel(&IS_VALID, DataType::Boolean, nullable))
}

fn to_variant_object(call: Call) -> SparkResult<Typed> {
    call.arity(1..=1)?;
    let ty = call.args[0].ty.clone();
    if !object_like(&ty) {
        return Err(no_cast(&call, 0));
    }
    let nullable = call.any_nullable();
    let options = call.options().with_extra(serde_json::to_string(&ty).unwrap_or_default());
    Ok(call.kernel_with(&TO_OBJECT, options, DataType::Variant, nullable))
}

/// JSON as the standard has it.
const STRICT: Leniency = Leniency { single_quotes: false, ..Leniency::DEFAULT };

fn eval_parse_json(args: &KernelArgs) -> Result<ColumnarValue> {
    let text = Text::of(args, 0)?;
    let mut out = Vec::with_capacity(rows::row_count(args));
    for row in 0..rows::row_count(args) {
        let Some(s) = text.get(row) else {
            out.push(Datum::Null);
            continue;
        };
        let node = parse(s, STRICT).ok().flatten().and_then(|json| json_to_node(&json).ok());
        let datum = node.as_ref().map(to_datum);
        out.push(match datum {
            Some(Datum::Variant { value, metadata }) if value.len().max(metadata.len()) <= SIZE_LIMIT => {
                Datum::Variant { value, metadata }
            }
            _ if !args.ansi() => Datum::Null,
            Some(_) => return fail(too_large()),
            None => return fail(malformed_record(s).with_kind(ErrorKind::Spark)),
        });
    }
    let out: Vec<&Datum> = out.iter().collect();
    rows::finish(args, build(&out, &DataType::Variant)?)
}

fn too_large() -> Error {
    Error::runtime("VARIANT_SIZE_LIMIT")
        .param("sizeLimit", "128.0 MiB")
        .param("functionName", "`parse_json`")
        .with_message("The variant would be larger than 128 MiB.")
}

fn eval_variant_get(args: &KernelArgs) -> Result<ColumnarValue> {
    let (ty, function): (DataType, String) = spec(args)?;
    let zone = Zone::named(args.time_zone()?)?;
    let rows_here = rows::row_count(args);
    let variants = Cells::new(&args.value(0)?.to_array(rows_here)?, &DataType::Variant)?;
    let paths = Text::of(args, 1)?;
    let mut last: Option<(String, Vec<Step>)> = None;
    let mut out = Vec::with_capacity(rows_here);
    for row in 0..rows_here {
        let (Cells::Variant(_, value, metadata), Some(path), false) =
            (&variants, paths.get(row), variants.is_null(row))
        else {
            out.push(Datum::Null);
            continue;
        };
        if last.as_ref().is_none_or(|(text, _)| text != path) {
            let Some(steps) = parse_path(path) else { return fail(invalid_path(&function, path)) };
            last = Some((path.to_string(), steps));
        }
        let steps = last.as_ref().map_or(&[][..], |(_, steps)| steps);
        let view = View::new(value.value(row), metadata.value(row))?;
        out.push(match follow(view, steps)? {
            Some(found) => from_view(found, &ty, args.ansi(), zone)?,
            None => Datum::Null,
        });
    }
    let out: Vec<&Datum> = out.iter().collect();
    rows::finish(args, build(&out, &ty)?)
}

fn invalid_path(function: &str, path: &str) -> Error {
    Error::runtime("INVALID_VARIANT_GET_PATH")
        .param("path", path)
        .param("functionName", format!("`{function}`"))
        .with_message(format!("{path} is not a path; paths look like `$.a[0]['b']`."))
}

fn eval_is_null(args: &KernelArgs) -> Result<ColumnarValue> {
    let rows_here = rows::row_count(args);
    let cells = Cells::new(&args.value(0)?.to_array(rows_here)?, &DataType::Variant)?;
    rows::finish(args, null_flags(&cells, rows_here)?)
}

fn eval_is_valid(args: &KernelArgs) -> Result<ColumnarValue> {
    let cells = Cells::new(&args.value(0)?.to_array(rows::row_count(args))?, &DataType::Variant)?;
    rows::booleans(args, |row| {
        let Cells::Variant(_, value, metadata) = &cells else { return Ok(None) };
        if cells.is_null(row) {
            return Ok(None);
        }
        Ok(Some(View::new(value.value(row), metadata.value(row)).and_then(|v| v.check()).is_ok()))
    })
}

fn eval_to_object(args: &KernelArgs) -> Result<ColumnarValue> {
    let ty: DataType = spec(args)?;
    let rows_here = rows::row_count(args);
    let cells = Cells::new(&args.value(0)?.to_array(rows_here)?, &ty)?;
    let mut out = Vec::with_capacity(rows_here);
    for row in 0..rows_here {
        out.push(if cells.is_null(row) { Datum::Null } else { to_datum(&to_node(&cells, row)?) });
    }
    let out: Vec<&Datum> = out.iter().collect();
    rows::finish(args, build(&out, &DataType::Variant)?)
}
