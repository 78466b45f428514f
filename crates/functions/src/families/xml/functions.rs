//! Definitions of `from_xml`, `to_xml` and `schema_of_xml`.

use arrow::array::ArrayRef;
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, Expr};
use datafusion::scalar::ScalarValue;
use serde::{Deserialize, Serialize};
use spark::types::DataType;
use spark::{Error, Result as SparkResult};

use super::dom::Document;
use super::infer::infer;
use super::read::{Naming, Reader};
use super::write::Writer;
use crate::call::Call;
use crate::coerce::Expected;
use crate::families::json::functions::spec;
use crate::families::json::infer::canonical;
use crate::families::rows::{self, Text};
use crate::families::text_data::cells::Cells;
use crate::families::text_data::datum::{Datum, build};
use crate::families::text_data::options::{OptionMap, ReadSpec, as_nullable, malformed_record, schema_argument};
use crate::fold;
use crate::kernel::{Kernel, KernelArgs};
use crate::registry::{Build, Function};
use crate::typed::Typed;

/// Functions of this file.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "from_xml", build: Build::Scalar(from_xml) },
    Function { name: "to_xml", build: Build::Scalar(to_xml) },
    Function { name: "schema_of_xml", build: Build::Scalar(schema_of_xml) },
];

const FROM_XML: Kernel = Kernel::new("from_xml", eval_from_xml);
const TO_XML: Kernel = Kernel::new("to_xml", eval_to_xml);

/// Kernels of this file.
pub const KERNELS: &[Kernel] = &[FROM_XML, TO_XML];

fn from_xml(mut call: Call) -> SparkResult<Typed> {
    call.arity(2..=3)?;
    let schema = schema_argument(&call, 1)?;
    if !matches!(schema, DataType::Struct(_) | DataType::Variant) {
        return Err(Error::analysis("INVALID_SCHEMA.NON_STRUCT_TYPE")
            .param("inputSchema", format!("\"{}\"", call.args[1].name))
            .param("dataType", format!("\"{}\"", schema.sql()))
            .at(call.origin.as_ref()));
    }
    let options = OptionMap::of(&call, 2)?;
    call.args.truncate(1);
    rows::strict(&mut call, 0, Expected::String)?;
    let spec = ReadSpec::new(as_nullable(&schema), options, "from_xml", call.settings)
        .map_err(|e| e.at(call.origin.as_ref()))?;
    let (ty, options) = (spec.schema.clone(), call.options_tz().with_extra(spec.to_text()));
    Ok(call.kernel_with(&FROM_XML, options, ty, true))
}

#[derive(Serialize, Deserialize)]
struct WriteSpec {
    ty: DataType,
    options: OptionMap,
}

fn to_xml(mut call: Call) -> SparkResult<Typed> {
    call.arity(1..=2)?;
    let options = OptionMap::of(&call, 1)?;
    call.args.truncate(1);
    let ty = call.args[0].ty.clone();
    if !matches!(ty, DataType::Struct(_) | DataType::Variant) {
        return Err(call.unexpected_type(0, "\"STRUCT\""));
    }
    let spec = WriteSpec { ty, options };
    let options = call.options_tz().with_extra(serde_json::to_string(&spec).unwrap_or_default());
    Ok(call.kernel_with(&TO_XML, options, DataType::STRING, true))
}

fn schema_of_xml(mut call: Call) -> SparkResult<Typed> {
    call.arity(1..=2)?;
    let options = OptionMap::of(&call, 1)?;
    call.args.truncate(1);
    rows::strict(&mut call, 0, Expected::String)?;
    if !call.args[0].foldable() {
        return Err(call
            .mismatch("NON_FOLDABLE_INPUT")
            .param("inputName", "`xml`")
            .param("inputType", "\"STRING\"")
            .param("inputExpr", format!("\"{}\"", call.args[0].name)));
    }
    let Some(text) = fold::string(&call.args[0]) else {
        return Err(call.mismatch("UNEXPECTED_NULL").param("exprName", "xml"));
    };
    let doc = Document::parse(&text).ok_or_else(|| malformed_record(&text).at(call.origin.as_ref()))?;
    let ty = infer(&doc, doc.root().unwrap_or(0), &Naming::of(&options));
    let ddl = canonical(&ty).unwrap_or_else(|| DataType::Struct(Default::default())).sql();
    Ok(call.finish(Expr::Literal(ScalarValue::Utf8(Some(ddl)), None), DataType::STRING, false))
}

fn eval_from_xml(args: &KernelArgs) -> Result<ColumnarValue> {
    let spec: ReadSpec = spec(args)?;
    let reader = Reader::new(&spec, args.time_zone()?)?;
    let text = Text::of(args, 0)?;
    let values = (0..rows::row_count(args))
        .map(|row| text.get(row).map_or(Ok(Datum::Null), |s| reader.record(s)))
        .collect::<Result<Vec<_>>>()?;
    let values: Vec<&Datum> = values.iter().collect();
    rows::finish(args, build(&values, &spec.schema)?)
}

fn eval_to_xml(args: &KernelArgs) -> Result<ColumnarValue> {
    let spec: WriteSpec = spec(args)?;
    let writer = Writer::new(&spec.options, args.time_zone()?)?;
    let array: ArrayRef = args.value(0)?.to_array(rows::row_count(args))?;
    let cells = Cells::new(&array, &spec.ty)?;
    rows::strings(args, |row, out| {
        if cells.is_null(row) {
            return Ok(false);
        }
        writer.row(&cells, row, out)?;
        Ok(true)
    })
}
