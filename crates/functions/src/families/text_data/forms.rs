//! What `from_csv`, `from_json` and `from_xml` have in common, and their counterparts: how their
//! arguments are typed, and how their kernels go through rows.

use arrow::array::ArrayRef;
use datafusion::common::{DataFusionError, Result};
use datafusion::logical_expr::{ColumnarValue, Expr};
use datafusion::scalar::ScalarValue;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use spark::Result as SparkResult;
use spark::types::DataType;

use super::cells::Cells;
use super::datum::{Datum, build};
use super::options::{OptionMap, ReadSpec, as_nullable};
use crate::call::Call;
use crate::cast::format::BinaryStyle;
use crate::coerce::Expected;
use crate::families::rows::{self, Text};
use crate::fold;
use crate::kernel::{Kernel, KernelArgs};
use crate::typed::Typed;

/// What kernels that write text carry.
#[derive(Debug, Serialize, Deserialize)]
pub struct WriteSpec {
    pub ty: DataType,
    pub options: OptionMap,
    pub binary: BinaryStyle,
}

/// Types `from_x(text, schema, options)`; the text is what is left of the arguments.
///
/// # Errors
/// For options that make no sense and a text that is none.
pub fn read_arguments(call: &mut Call, schema: &DataType, function: &str) -> SparkResult<ReadSpec> {
    let options = OptionMap::of(call, 2)?;
    call.args.truncate(1);
    rows::strict(call, 0, Expected::String)?;
    ReadSpec::new(as_nullable(schema), options, function, call.settings).map_err(|e| e.at(call.origin.as_ref()))
}

/// The call of a kernel that reads.
pub fn reading(call: Call, kernel: &'static Kernel, spec: ReadSpec, nullable: bool) -> Typed {
    let options = call.options_tz().with_extra(spec.to_text());
    call.kernel_with(kernel, options, spec.schema, nullable)
}

/// Types `to_x(value, options)`; the value is what is left of the arguments.
///
/// # Errors
/// For another number of arguments, and options that make no sense.
pub fn write_arguments(call: &mut Call) -> SparkResult<WriteSpec> {
    call.arity(1..=2)?;
    let options = OptionMap::of(call, 1)?;
    call.args.truncate(1);
    let binary = BinaryStyle::of(call.settings);
    Ok(WriteSpec { ty: call.args[0].ty.clone(), options, binary })
}

/// The call of a kernel that writes.
pub fn writing(call: Call, kernel: &'static Kernel, spec: &impl Serialize) -> Typed {
    let options = call.options_tz().with_extra(serde_json::to_string(spec).unwrap_or_default());
    call.kernel_with(kernel, options, DataType::STRING, true)
}

/// Types `schema_of_x(text, options)`: the text, which must be constant, and the options. `form` is the
/// name of the argument.
///
/// # Errors
/// `DATATYPE_MISMATCH.NON_FOLDABLE_INPUT`, `DATATYPE_MISMATCH.UNEXPECTED_NULL`.
pub fn sample(call: &mut Call, form: &str) -> SparkResult<(String, OptionMap)> {
    call.arity(1..=2)?;
    let options = OptionMap::of(call, 1)?;
    call.args.truncate(1);
    rows::strict(call, 0, Expected::String)?;
    if crate::families::collation::is_collated(&call.args[0].ty) {
        return Err(call.unexpected_type(0, "\"STRING\""));
    }
    if !call.args[0].foldable() {
        return Err(call
            .mismatch("NON_FOLDABLE_INPUT")
            .param("inputName", format!("`{form}`"))
            .param("inputType", "\"STRING\"")
            .param("inputExpr", format!("\"{}\"", call.args[0].name)));
    }
    match fold::string(&call.args[0]) {
        Some(text) => Ok((text, options)),
        None => Err(call.mismatch("UNEXPECTED_NULL").param("exprName", form)),
    }
}

/// The schema of a sample as the constant that `schema_of_x` is.
pub fn schema_text(call: Call, schema: &DataType) -> Typed {
    call.finish(Expr::Literal(ScalarValue::Utf8(Some(schema.sql())), None), DataType::STRING, false)
}

/// Reads a kernel's parameters.
///
/// # Errors
/// If the plan was not made by the same version.
pub fn spec<T: DeserializeOwned>(args: &KernelArgs) -> Result<T> {
    serde_json::from_str(args.extra()).map_err(|e| {
        DataFusionError::Internal(format!("{} was planned without its options: {e}", args.udf.kernel.name))
    })
}

/// The value of each text.
///
/// # Errors
/// As `record`.
pub fn read_rows(
    args: &KernelArgs,
    schema: &DataType,
    record: impl Fn(&str) -> Result<Datum>,
) -> Result<ColumnarValue> {
    let text = Text::of(args, 0)?;
    let values = (0..rows::row_count(args))
        .map(|row| text.get(row).map_or(Ok(Datum::Null), &record))
        .collect::<Result<Vec<_>>>()?;
    let values: Vec<&Datum> = values.iter().collect();
    rows::finish(args, build(&values, schema)?)
}

/// The text of each value of type `ty`; `None` for nulls.
///
/// # Errors
/// As `write`.
pub fn write_rows(
    args: &KernelArgs,
    ty: &DataType,
    write: impl Fn(&Cells, usize, &mut String) -> Result<()>,
) -> Result<ColumnarValue> {
    let array: ArrayRef = args.value(0)?.to_array(rows::row_count(args))?;
    let cells = Cells::new(&array, ty)?;
    rows::strings(args, |row, out| {
        if cells.is_null(row) {
            return Ok(false);
        }
        write(&cells, row, out)?;
        Ok(true)
    })
}
