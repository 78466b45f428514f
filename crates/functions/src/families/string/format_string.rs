//! `format_string` and `printf`.

use datafusion::common::Result;
use datafusion::logical_expr::ColumnarValue;
use spark::types::DataType;
use spark::{Error, Result as SparkResult};

use super::java_format::{Piece, Problem, Value, format, parse};
use crate::call::Call;
use crate::coerce::Expected;
use crate::error::fail;
use crate::families::rows::{self, Text};
use crate::families::text_data::cells::Cells;
use crate::families::text_data::forms::spec;
use crate::families::text_data::scalars::write_java;
use crate::fold;
use crate::kernel::{Kernel, KernelArgs};
use crate::registry::{Build, Function};
use crate::typed::Typed;

/// Functions of this file.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "format_string", build: Build::Scalar(format_string) },
    Function { name: "printf", build: Build::Scalar(format_string) },
];

const FORMAT_STRING: Kernel = Kernel::new("format_string", eval);

/// Kernels of this file.
pub const KERNELS: &[Kernel] = &[FORMAT_STRING];

fn format_string(mut call: Call) -> SparkResult<Typed> {
    if call.args.is_empty() {
        return Err(call.wrong_arity("> 0").nowhere());
    }
    call.expect(0, Expected::String)?;
    if fold::string(&call.args[0]).is_some_and(|f| f.contains("%0$")) {
        return Err(Error::analysis("INVALID_PARAMETER_VALUE.ZERO_INDEX")
            .param("parameter", "`strfmt`")
            .param("functionName", "`format_string`")
            .with_message("Arguments of a format are counted from 1.")
            .at(call.origin.as_ref()));
    }
    let nullable = call.args[0].nullable;
    let ty = rows::text_type(&call, 0);
    let types: Vec<DataType> = call.args[1..].iter().map(|a| a.ty.clone()).collect();
    let options = call.options().with_extra(serde_json::to_string(&types).unwrap_or_default());
    Ok(call.kernel_with(&FORMAT_STRING, options, ty, nullable))
}

fn eval(args: &KernelArgs) -> Result<ColumnarValue> {
    let types: Vec<DataType> = spec(args)?;
    let formats = Text::of(args, 0)?;
    let rows_here = rows::row_count(args);
    let mut columns = Vec::with_capacity(types.len());
    for (i, ty) in types.iter().enumerate() {
        columns.push(Cells::new(&args.value(i + 1)?.to_array(rows_here)?, ty)?);
    }
    let mut last: Option<(String, Vec<Piece>)> = None;
    let mut values = Vec::with_capacity(columns.len());
    rows::strings(args, |row, out| {
        let Some(text) = formats.get(row) else { return Ok(false) };
        if last.as_ref().is_none_or(|(t, _)| t != text) {
            last = Some((text.to_string(), parse(text).or_else(|p| fail(illegal(p)))?));
        }
        values.clear();
        for cells in &columns {
            values.push(value(cells, row)?);
        }
        let pieces = last.as_ref().map_or(&[][..], |(_, pieces)| pieces);
        format(pieces, &values, out).or_else(|p| fail(illegal(p)))?;
        Ok(true)
    })
}

/// Java's exceptions for formats have no condition.
fn illegal(problem: Problem) -> Error {
    Error::new(problem.kind, "").with_message(problem.text)
}

fn value(cells: &Cells, row: usize) -> Result<Value> {
    if cells.is_null(row) {
        return Ok(Value::Null);
    }
    let other = |class| -> Result<Value> {
        let mut text = String::new();
        write_java(cells, row, &mut text)?;
        Ok(Value::Other(class, text))
    };
    Ok(match cells {
        Cells::Bool(a) => Value::Bool(a.value(row)),
        Cells::Int(a, ty) => {
            let bits = match ty {
                DataType::Byte => 8,
                DataType::Short => 16,
                DataType::Integer => 32,
                _ => 64,
            };
            Value::Int(a.value(row), bits)
        }
        Cells::Float(a) => Value::Float(a.value(row)),
        Cells::Double(a) => Value::Double(a.value(row)),
        Cells::Text(a) => Value::Text(a.value(row).to_string()),
        Cells::Date(a) => Value::Int(i64::from(a.value(row)), 32),
        Cells::YearMonth(a, ..) => Value::Int(i64::from(a.value(row)), 32),
        Cells::Timestamp(a) | Cells::TimestampNtz(a) => Value::Int(a.value(row), 64),
        Cells::TimestampNanos(a, _) => {
            let (micros, below) = crate::nanos::split(a.value(row));
            Value::Text(format!("TimestampNanosVal({micros}, {below})"))
        }
        Cells::Time(a, _) => Value::Int(a.value(row), 64),
        Cells::DayTime(a, ..) => Value::Int(a.value(row), 64),
        Cells::Decimal(..) => other("org.apache.spark.sql.types.Decimal")?,
        Cells::Bytes(_) => other("[B")?,
        Cells::List(..) => other("org.apache.spark.sql.catalyst.util.ArrayData")?,
        Cells::Map(..) => other("org.apache.spark.sql.catalyst.util.MapData")?,
        Cells::Variant(..) => other("org.apache.spark.unsafe.types.VariantVal")?,
        _ => other("org.apache.spark.sql.catalyst.InternalRow")?,
    })
}
