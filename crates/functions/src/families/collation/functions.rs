//! `collate`, `collation` and the listing of collations.

use std::sync::Arc;

use arrow::array::{ArrayRef, ListArray, StringBuilder, StructArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType as Arrow, Field, Fields};
use datafusion::common::Result;
use datafusion::logical_expr::ColumnarValue;
use datafusion::scalar::ScalarValue;
use spark::types::DataType;
use spark::{Error, Result as SparkResult};

use super::key::{KEY, NESTED_KEY};
use super::locales::LOCALES;
use super::name::{CollationName, parse};
use crate::call::Call;
use crate::fold;
use crate::kernel::{Kernel, KernelArgs, KernelUdf};
use crate::registry::{Build, Function, Generator};
use crate::typed::Typed;

/// Functions of this family.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "collate", build: Build::Scalar(collate) },
    Function { name: "collation", build: Build::Scalar(collation) },
    Function { name: "collations", build: Build::Generator(collations) },
];

/// The value unchanged; its presence says that the collation was asked for explicitly.
const COLLATE: Kernel = Kernel::new("collate", |args| args.value(0).cloned());
const COLLATIONS: Kernel = Kernel::new("collations", eval_collations);

/// Kernels of this family.
pub const KERNELS: &[Kernel] = &[KEY, NESTED_KEY, COLLATE, COLLATIONS];

fn collate(mut call: Call) -> SparkResult<Typed> {
    call.arity(2..=2)?;
    let Some(name) = fold::string(&call.args[1]) else {
        return Err(Error::analysis("UNEXPECTED_INPUT_TYPE")
            .param("functionName", "`collate`")
            .param("paramIndex", "first")
            .param("inputSql", format!("\"{}\"", call.args[1].name))
            .param("inputType", format!("\"{}\"", call.args[1].ty.sql()))
            .param("requiredType", "\"STRING\"")
            .at(call.origin.as_ref()));
    };
    let parsed = parse(&name).map_err(|e| e.at(call.origin.as_ref()))?;
    if !call.args[0].ty.is_string() && call.args[0].ty != DataType::Null {
        return Err(call.unexpected_type(0, "\"STRING\""));
    }
    const SCHEMA: &str = "system.builtin.";
    let plain =
        name.get(..SCHEMA.len()).filter(|s| s.eq_ignore_ascii_case(SCHEMA)).map(|s| name[s.len()..].to_string());
    call.args[1].name = plain.unwrap_or(name);
    let display = call.display_name();
    let nullable = call.args[0].nullable;
    let ty = DataType::String { collation: parsed.type_collation() };
    let value = crate::coerce::cast_implicitly(&call.args[0], &DataType::STRING, call.settings);
    let options = call.options().with_extra(parsed.text());
    let expr = KernelUdf::call(&COLLATE, Arrow::Utf8, options, vec![value.expr]);
    Ok(Typed::new(expr, ty, nullable, display))
}

fn collation(call: Call) -> SparkResult<Typed> {
    call.arity(1..=1)?;
    let name = match &call.args[0].ty {
        DataType::String { collation } => collation.as_deref().unwrap_or("UTF8_BINARY").to_string(),
        ty if ty.is_string() || *ty == DataType::Null => "UTF8_BINARY".to_string(),
        _ => return Err(call.unexpected_type(0, "\"STRING\"")),
    };
    let value = if name == super::precedence::INDETERMINATE { name } else { format!("SYSTEM.BUILTIN.{name}") };
    Ok(crate::families::misc::said_of_type(call, &value))
}

const COLUMNS: [(&str, bool); 9] = [
    ("CATALOG", false),
    ("SCHEMA", false),
    ("NAME", false),
    ("LANGUAGE", true),
    ("COUNTRY", true),
    ("ACCENT_SENSITIVITY", false),
    ("CASE_SENSITIVITY", false),
    ("PAD_ATTRIBUTE", false),
    ("ICU_VERSION", true),
];

/// Version of the collation data that Spark 4.3 reports.
const ICU_VERSION: &str = "78.3.0.0";

fn collations(call: Call) -> SparkResult<Generator> {
    call.arity(0..=0)?;
    let list = Arrow::List(crate::types::list_field(Arrow::Struct(fields())));
    Ok(Generator {
        list: KernelUdf::call(&COLLATIONS, list, call.options(), vec![]),
        columns: COLUMNS.iter().map(|(name, nullable)| ((*name).to_string(), DataType::STRING, *nullable)).collect(),
        outer: false,
        name: call.display_name(),
    })
}

fn fields() -> Fields {
    COLUMNS.iter().map(|(name, _)| Field::new(*name, Arrow::Utf8, true)).collect()
}

fn eval_collations(_: &KernelArgs) -> Result<ColumnarValue> {
    let mut columns: Vec<StringBuilder> = COLUMNS.iter().map(|_| StringBuilder::new()).collect();
    let mut rows = 0;
    let mut add = |name: CollationName, language: &str, country: &str| {
        let text = name.text();
        let some = |s: &'static str| Some(s);
        let values = [
            some("SYSTEM"),
            some("BUILTIN"),
            Some(text.as_str()),
            Some(language).filter(|s| !s.is_empty()),
            Some(country).filter(|s| !s.is_empty()),
            some(if name.accent_insensitive { "ACCENT_INSENSITIVE" } else { "ACCENT_SENSITIVE" }),
            some(if name.case_insensitive { "CASE_INSENSITIVE" } else { "CASE_SENSITIVE" }),
            some(if name.rtrim { "RTRIM" } else { "NO_PAD" }),
            (!name.is_utf8()).then_some(ICU_VERSION),
        ];
        columns.iter_mut().zip(values).for_each(|(c, v)| c.append_option(v));
        rows += 1;
    };
    for rtrim in [false, true] {
        for (base, case_insensitive) in [("UTF8_BINARY", false), ("UTF8_LCASE", true)] {
            add(CollationName { base, case_insensitive, accent_insensitive: false, rtrim }, "", "");
        }
    }
    for (base, language, country) in LOCALES {
        for (case_insensitive, accent_insensitive, rtrim) in VARIANTS {
            add(CollationName { base, case_insensitive, accent_insensitive, rtrim }, language, country);
        }
    }
    let columns: Vec<ArrayRef> = columns.iter_mut().map(|c| Arc::new(c.finish()) as ArrayRef).collect();
    let values = StructArray::new(fields(), columns, None);
    let list = ListArray::new(
        crate::types::list_field(Arrow::Struct(fields())),
        OffsetBuffer::from_lengths([rows]),
        Arc::new(values),
        None,
    );
    Ok(ColumnarValue::Scalar(ScalarValue::List(Arc::new(list))))
}

/// Case-insensitive, accent-insensitive, trimming: in alphabetical order of their suffixes.
const VARIANTS: [(bool, bool, bool); 8] = [
    (false, false, false),
    (false, true, false),
    (false, true, true),
    (true, false, false),
    (true, true, false),
    (true, true, true),
    (true, false, true),
    (false, false, true),
];
