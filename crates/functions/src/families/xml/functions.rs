//! Definitions of `from_xml`, `to_xml` and `schema_of_xml`.

use datafusion::common::Result;
use datafusion::logical_expr::ColumnarValue;
use spark::types::{DataType, StructField, StructType};
use spark::{Error, ErrorKind, Result as SparkResult};

use super::dom::Document;
use super::infer::{infer, merge_rows};
use super::read::{Naming, Reader};
use super::write::Writer;
use crate::call::Call;
use crate::families::json::infer::canonical;
use crate::families::text_data::forms::{self, WriteSpec};
use crate::families::text_data::options::{OptionMap, ReadSpec, malformed_record, schema_argument};
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
    let spec = forms::read_arguments(&mut call, &schema, "from_xml")?;
    Ok(forms::reading(call, &FROM_XML, spec, true))
}

fn to_xml(mut call: Call) -> SparkResult<Typed> {
    let spec = forms::write_arguments(&mut call)?;
    if spec.ty == DataType::Null {
        return Ok(Typed::null(DataType::STRING).named(call.display_name()));
    }
    let interval = |t: &DataType| t.is_ansi_interval() || *t == DataType::CalendarInterval;
    if matches!(spec.ty, DataType::Struct(_)) && spec.ty.any(&interval) {
        return Err(Error::new(ErrorKind::IllegalArgument, "_LEGACY_ERROR_TEMP_3238")
            .param("dt", spec.ty.sql())
            .with_message("XML has no form for intervals."));
    }
    if !matches!(spec.ty, DataType::Struct(_) | DataType::Variant) {
        return Err(call.unexpected_type(0, "\"STRUCT\""));
    }
    Ok(forms::writing(call, &TO_XML, &spec))
}

fn schema_of_xml(mut call: Call) -> SparkResult<Typed> {
    let (text, options) = forms::sample(&mut call, "xml")?;
    let Some(doc) = Document::parse(&text) else {
        let name = options.get("columnNameOfCorruptRecord");
        let name = name.or(call.settings.conf.get("spark.sql.columnNameOfCorruptRecord")).unwrap_or("_corrupt_record");
        if options.get("mode").is_some_and(|mode| mode.eq_ignore_ascii_case("FAILFAST")) {
            return Err(malformed_record(name).nowhere());
        }
        let corrupt = StructField::new(name, DataType::STRING, true);
        return Ok(forms::schema_text(call, &DataType::Struct(StructType::new(vec![corrupt]))));
    };
    let naming = Naming::of(&options);
    let ty = merge_rows(DataType::Null, infer(&doc, doc.root().unwrap_or(0), &naming), &naming);
    let schema = canonical(&ty).unwrap_or_else(|| DataType::Struct(Default::default()));
    Ok(forms::schema_text(call, &schema))
}

/// The columns of texts that are an element each; text that is no XML says nothing.
///
/// # Errors
/// `INVALID_OPTIONS`.
pub fn schema_of_texts<'a>(
    texts: impl Iterator<Item = &'a str>,
    options: &[(String, String)],
) -> SparkResult<spark::StructType> {
    let naming = Naming::of(&OptionMap::from_pairs(options.iter().cloned()));
    let types = texts.filter_map(|text| {
        let doc = Document::parse(text)?;
        Some(infer(&doc, doc.root().unwrap_or(0), &naming))
    });
    let merged = types.fold(DataType::Null, crate::families::json::infer::merge);
    Ok(match canonical(&merged) {
        Some(DataType::Struct(schema)) => schema,
        _ => spark::StructType::default(),
    })
}

fn eval_from_xml(args: &KernelArgs) -> Result<ColumnarValue> {
    let spec: ReadSpec = forms::spec(args)?;
    let reader = Reader::new(&spec, args.time_zone()?)?;
    forms::read_rows(args, &spec.schema, |text| reader.record(text))
}

fn eval_to_xml(args: &KernelArgs) -> Result<ColumnarValue> {
    let spec: WriteSpec = forms::spec(args)?;
    let writer = Writer::new(&spec.options, args.time_zone()?)?;
    forms::write_rows(args, &spec.ty, |cells, row, out| writer.row(cells, row, out))
}
