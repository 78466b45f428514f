//! `xpath` and its forms for single values.

use std::collections::HashMap;

use datafusion::common::Result;
use datafusion::logical_expr::ColumnarValue;
use datafusion::scalar::ScalarValue;
use spark::types::DataType;
use spark::{Error, ErrorKind, Result as SparkResult};

use super::dom::Document;
use super::xpath_eval::{Value, evaluate, node_value};
use super::xpath_parse::{Expr, parse};
use crate::call::Call;
use crate::coerce::Expected;
use crate::error::fail;
use crate::families::rows::{self, Text};
use crate::kernel::{Kernel, KernelArgs};
use crate::registry::{Build, Function};
use crate::typed::Typed;

/// Functions of this file.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "xpath", build: Build::Scalar(xpath) },
    Function { name: "xpath_boolean", build: Build::Scalar(|call| typed(call, &BOOLEAN, DataType::Boolean)) },
    Function { name: "xpath_string", build: Build::Scalar(|call| typed(call, &STRING, DataType::STRING)) },
    Function { name: "xpath_short", build: Build::Scalar(|call| typed(call, &NUMBER, DataType::Short)) },
    Function { name: "xpath_int", build: Build::Scalar(|call| typed(call, &NUMBER, DataType::Integer)) },
    Function { name: "xpath_long", build: Build::Scalar(|call| typed(call, &NUMBER, DataType::Long)) },
    Function { name: "xpath_float", build: Build::Scalar(|call| typed(call, &NUMBER, DataType::Float)) },
    Function { name: "xpath_double", build: Build::Scalar(|call| typed(call, &NUMBER, DataType::Double)) },
    Function { name: "xpath_number", build: Build::Scalar(|call| typed(call, &NUMBER, DataType::Double)) },
];

const XPATH: Kernel = Kernel::new("xpath", eval_list);
const BOOLEAN: Kernel = Kernel::new("xpath_boolean", eval_boolean);
const STRING: Kernel = Kernel::new("xpath_string", eval_string);
const NUMBER: Kernel = Kernel::new("xpath_number", eval_number);

/// Kernels of this file.
pub const KERNELS: &[Kernel] = &[XPATH, BOOLEAN, STRING, NUMBER];

fn xpath(call: Call) -> SparkResult<Typed> {
    typed(call, &XPATH, DataType::array(DataType::STRING, true))
}

fn typed(mut call: Call, kernel: &'static Kernel, ty: DataType) -> SparkResult<Typed> {
    call.arity(2..=2)?;
    rows::strict(&mut call, 0, Expected::String)?;
    rows::strict(&mut call, 1, Expected::String)?;
    if !call.args[1].foldable() {
        return Err(call
            .mismatch("NON_FOLDABLE_INPUT")
            .param("inputName", "`path`")
            .param("inputType", "\"STRING\"")
            .param("inputExpr", format!("\"{}\"", call.args[1].name)));
    }
    Ok(call.kernel(kernel, ty, true))
}

/// Paths that have been read, by their text.
#[derive(Default)]
struct Paths(HashMap<String, Expr>);

impl Paths {
    /// The document and the path's value in it; `None` for null or empty arguments.
    fn value(&mut self, xml: Option<&str>, path: Option<&str>) -> Result<Option<(Document, Value)>> {
        let (Some(xml), Some(path)) = (xml.filter(|x| !x.is_empty()), path.filter(|p| !p.is_empty())) else {
            return Ok(None);
        };
        if !self.0.contains_key(path) {
            let Some(expr) = parse(path) else { return fail(invalid(format!("{path} is not an XPath expression."))) };
            self.0.insert(path.to_string(), expr);
        }
        let Some(doc) = Document::parse(xml) else { return fail(invalid(format!("{xml} is not well-formed XML."))) };
        let value = self.0.get(path).and_then(|expr| evaluate(&doc, expr));
        match value {
            Some(value) => Ok(Some((doc, value))),
            None => fail(invalid(format!("{path} uses what is not in XPath 1.0."))),
        }
    }
}

/// Spark reports these as plain runtime exceptions.
fn invalid(message: String) -> Error {
    Error::new(ErrorKind::Java, "").with_message(message)
}

fn eval_list(args: &KernelArgs) -> Result<ColumnarValue> {
    let (xml, path) = (Text::of(args, 0)?, Text::of(args, 1)?);
    let mut paths = Paths::default();
    rows::string_lists(args, |row, out| {
        let Some((doc, value)) = paths.value(xml.get(row), path.get(row))? else { return Ok(false) };
        if let Value::Nodes(nodes) = value {
            nodes.iter().for_each(|n| out.append_option(node_value(&doc, *n)));
            return Ok(true);
        }
        fail(invalid("The path does not select nodes.".into()))
    })
}

fn eval_boolean(args: &KernelArgs) -> Result<ColumnarValue> {
    let (xml, path) = (Text::of(args, 0)?, Text::of(args, 1)?);
    let mut paths = Paths::default();
    rows::booleans(args, |row| Ok(paths.value(xml.get(row), path.get(row))?.map(|(_, v)| v.boolean())))
}

fn eval_string(args: &KernelArgs) -> Result<ColumnarValue> {
    let (xml, path) = (Text::of(args, 0)?, Text::of(args, 1)?);
    let mut paths = Paths::default();
    rows::strings(args, |row, out| {
        let Some((doc, value)) = paths.value(xml.get(row), path.get(row))? else { return Ok(false) };
        out.push_str(&value.text(&doc));
        Ok(true)
    })
}

/// The number narrowed as Java narrows doubles.
fn eval_number(args: &KernelArgs) -> Result<ColumnarValue> {
    let (xml, path) = (Text::of(args, 0)?, Text::of(args, 1)?);
    let mut paths = Paths::default();
    let mut out = Vec::with_capacity(rows::row_count(args));
    for row in 0..rows::row_count(args) {
        let number = paths.value(xml.get(row), path.get(row))?.map(|(doc, v)| v.number(&doc));
        out.push(match args.return_type() {
            arrow::datatypes::DataType::Int16 => ScalarValue::Int16(number.map(|v| v as i32 as i16)),
            arrow::datatypes::DataType::Int32 => ScalarValue::Int32(number.map(|v| v as i32)),
            arrow::datatypes::DataType::Int64 => ScalarValue::Int64(number.map(|v| v as i64)),
            arrow::datatypes::DataType::Float32 => ScalarValue::Float32(number.map(|v| v as f32)),
            _ => ScalarValue::Float64(number),
        });
    }
    if out.is_empty() {
        return rows::finish(args, arrow::array::new_empty_array(args.return_type()));
    }
    rows::finish(args, ScalarValue::iter_to_array(out)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        let xml = "<a><b>b1</b><b id='x'>b2</b><b>b3</b><c>c1</c><d><e>1</e><e>2</e></d></a>";
        for (path, expected) in [
            ("a/c", "c1"),
            ("/a/b[2]", "b2"),
            ("//b[@id='x']", "b2"),
            ("a/b[last()]", "b3"),
            ("sum(a/d/e)", "3"),
            ("count(//b)", "3"),
            ("a/b/@id", "x"),
            ("a/d/e[. > 1]", "2"),
            ("concat(a/c, '-', a/b)", "c1-b1"),
            ("a/zz", ""),
            ("count(a/b | a/c)", "4"),
            ("a/d/e[2]/preceding-sibling::e", "1"),
            ("1 + 2 * 3 div 2", "4"),
            ("not(a/zz) and true()", "true"),
            ("name(a/*[4])", "c"),
            ("string-length(a/b)", "2"),
        ] {
            let value = Paths::default().value(Some(xml), Some(path));
            let Ok(Some((doc, value))) = value else { panic!("{path}: {value:?}") };
            assert_eq!(value.text(&doc), expected, "{path}");
        }
        for path in ["a[", "!", "foo(1)"] {
            assert!(Paths::default().value(Some(xml), Some(path)).is_err(), "{path}");
        }
    }
}
