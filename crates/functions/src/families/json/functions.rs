//! Definitions and kernels of the scalar JSON functions.

use datafusion::common::Result;
use datafusion::logical_expr::ColumnarValue;
use spark::types::DataType;
use spark::{Error, Result as SparkResult};

use super::infer::{Inference, canonical};
use super::parse::{Json, Leniency, parse};
use super::path::{Step, parse_path, select};
use super::read::Reader;
use super::write::{Writer, is_writable};
use crate::call::Call;
use crate::coerce::Expected;
use crate::families::rows::{self, Text};
use crate::families::text_data::forms::{self, WriteSpec};
use crate::families::text_data::options::{ReadSpec, schema_argument};
use crate::kernel::{Kernel, KernelArgs};
use crate::registry::{Build, Function};
use crate::typed::Typed;

/// Functions of this file.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "get_json_object", build: Build::Scalar(get_json_object) },
    Function { name: "json_array_length", build: Build::Scalar(json_array_length) },
    Function { name: "json_object_keys", build: Build::Scalar(json_object_keys) },
    Function { name: "from_json", build: Build::Scalar(from_json) },
    Function { name: "to_json", build: Build::Scalar(to_json) },
    Function { name: "schema_of_json", build: Build::Scalar(schema_of_json) },
];

const GET_JSON_OBJECT: Kernel = Kernel::new("get_json_object", eval_get);
const JSON_ARRAY_LENGTH: Kernel = Kernel::new("json_array_length", eval_array_length);
const JSON_OBJECT_KEYS: Kernel = Kernel::new("json_object_keys", eval_object_keys);
const FROM_JSON: Kernel = Kernel::new("from_json", eval_from_json);
const TO_JSON: Kernel = Kernel::new("to_json", eval_to_json);

/// Kernels of this file.
pub const KERNELS: &[Kernel] = &[GET_JSON_OBJECT, JSON_ARRAY_LENGTH, JSON_OBJECT_KEYS, FROM_JSON, TO_JSON];

fn get_json_object(mut call: Call) -> SparkResult<Typed> {
    call.arity(2..=2)?;
    rows::strict(&mut call, 0, Expected::String)?;
    rows::strict(&mut call, 1, Expected::String)?;
    Ok(call.kernel(&GET_JSON_OBJECT, DataType::STRING, true))
}

fn json_array_length(mut call: Call) -> SparkResult<Typed> {
    call.arity(1..=1)?;
    rows::strict(&mut call, 0, Expected::String)?;
    Ok(call.kernel(&JSON_ARRAY_LENGTH, DataType::Integer, true))
}

fn json_object_keys(mut call: Call) -> SparkResult<Typed> {
    call.arity(1..=1)?;
    rows::strict(&mut call, 0, Expected::String)?;
    Ok(call.kernel(&JSON_OBJECT_KEYS, DataType::array(DataType::STRING, true), true))
}

fn from_json(mut call: Call) -> SparkResult<Typed> {
    call.arity(2..=3)?;
    let schema = schema_argument(&call, 1)?;
    let spec = forms::read_arguments(&mut call, &schema, "from_json")?;
    check_schema(&call, &schema)?;
    let name = if matches!(schema, DataType::Map { .. }) { "entries".to_string() } else { call.display_name() };
    Ok(forms::reading(call, &FROM_JSON, spec, true).named(name))
}

fn check_schema(call: &Call, schema: &DataType) -> SparkResult<()> {
    let refused = |sub: &str| Err(call.mismatch(sub).param("schema", format!("\"{}\"", schema.sql())));
    match schema {
        DataType::Struct(_) | DataType::Map { .. } | DataType::Array { .. } | DataType::Variant
            if !string_keys(schema) =>
        {
            refused("INVALID_JSON_MAP_KEY_TYPE")
        }
        DataType::Struct(_) | DataType::Map { .. } | DataType::Array { .. } | DataType::Variant => Ok(()),
        _ => refused("INVALID_JSON_SCHEMA"),
    }
}

/// True if every map inside has strings for keys.
fn string_keys(ty: &DataType) -> bool {
    match ty {
        DataType::Map { key, value, .. } => key.is_string() && string_keys(value),
        DataType::Array { element, .. } => string_keys(element),
        DataType::Struct(s) => s.fields.iter().all(|f| string_keys(&f.data_type)),
        _ => true,
    }
}

fn to_json(mut call: Call) -> SparkResult<Typed> {
    let spec = forms::write_arguments(&mut call)?;
    if !is_writable(&spec.ty) {
        return Err(call.mismatch("INVALID_JSON_SCHEMA").param("schema", format!("\"{}\"", spec.ty.sql())));
    }
    let ignore_nulls = call.settings.conf.get_bool("spark.sql.jsonGenerator.ignoreNullFields", true);
    Ok(forms::writing(call, &TO_JSON, &(spec, ignore_nulls)))
}

fn schema_of_json(mut call: Call) -> SparkResult<Typed> {
    let (text, options) = forms::sample(&mut call, "json")?;
    let ty = match parse(&text, Leniency::of(&options)) {
        Ok(json) => Inference::of(&options, call.settings)?.infer(&json.unwrap_or(Json::Null)),
        Err(e) => {
            return Err(Error::runtime("MALFORMED_RECORD_IN_PARSING.WITHOUT_SUGGESTION")
                .param("badRecord", &text)
                .param("failFastMode", "FAILFAST")
                .with_message(format!("The text is not JSON: {} at byte {}.", e.reason, e.at))
                .at(call.origin.as_ref()));
        }
    };
    Ok(forms::schema_text(call, &canonical(&ty).unwrap_or_else(|| empty_of(&ty))))
}

/// A type of which nothing is left.
fn empty_of(ty: &DataType) -> DataType {
    match ty {
        DataType::Array { .. } => DataType::array(DataType::Struct(Default::default()), true),
        _ => DataType::Struct(Default::default()),
    }
}

fn eval_get(args: &KernelArgs) -> Result<ColumnarValue> {
    let (text, path) = (Text::of(args, 0)?, Text::of(args, 1)?);
    let mut last: Option<(String, Option<Vec<Step>>)> = None;
    rows::strings(args, |row, out| {
        let (Some(s), Some(p)) = (text.get(row), path.get(row)) else { return Ok(false) };
        if last.as_ref().is_none_or(|(text, _)| text != p) {
            last = Some((p.to_string(), parse_path(p)));
        }
        let Some((_, Some(steps))) = &last else { return Ok(false) };
        match parse(s, Leniency::DEFAULT) {
            Ok(Some(json)) => Ok(select(&json, steps, out)),
            _ => Ok(false),
        }
    })
}

fn eval_array_length(args: &KernelArgs) -> Result<ColumnarValue> {
    let text = Text::of(args, 0)?;
    rows::ints(args, |row| {
        let json = text.get(row).map(|s| parse(s, Leniency::DEFAULT));
        Ok(match json {
            Some(Ok(Some(Json::List(items)))) => Some(items.len() as i32),
            _ => None,
        })
    })
}

fn eval_object_keys(args: &KernelArgs) -> Result<ColumnarValue> {
    let text = Text::of(args, 0)?;
    rows::string_lists(args, |row, out| {
        let json = text.get(row).map(|s| parse(s, Leniency::DEFAULT));
        let Some(Ok(Some(Json::Object(fields)))) = json else { return Ok(false) };
        fields.iter().for_each(|(name, _)| out.append_value(name));
        Ok(true)
    })
}

fn eval_from_json(args: &KernelArgs) -> Result<ColumnarValue> {
    let spec: ReadSpec = forms::spec(args)?;
    let reader = Reader::new(&spec, args.time_zone()?)?;
    forms::read_rows(args, &spec.schema, |text| reader.record(text))
}

fn eval_to_json(args: &KernelArgs) -> Result<ColumnarValue> {
    let (spec, ignore_nulls): (WriteSpec, bool) = forms::spec(args)?;
    let writer = Writer::new(&spec.options, ignore_nulls, args.time_zone()?)?;
    writer.stamps.check_writes(&spec.ty).map_err(crate::error::external)?;
    forms::write_rows(args, &spec.ty, |cells, row, out| writer.value(cells, row, out))
}
