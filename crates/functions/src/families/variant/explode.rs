//! `variant_explode` and `variant_explode_outer`: a row for each field or element.

use datafusion::common::Result;
use datafusion::logical_expr::ColumnarValue;
use spark::Result as SparkResult;
use spark::types::{DataType, StructField, StructType};

use super::decode::{Content, View};
use super::functions::variant_argument;
use crate::call::Call;
use crate::families::rows;
use crate::families::text_data::cells::Cells;
use crate::families::text_data::datum::{Datum, build};
use crate::kernel::{Kernel, KernelArgs, KernelUdf};
use crate::registry::{Build, Function, Generator};
use crate::types::to_arrow;

/// Functions of this file.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "variant_explode", build: Build::Generator(explode) },
    Function { name: "variant_explode_outer", build: Build::Generator(explode) },
];

const EXPLODE: Kernel = Kernel::new("variant_explode", eval);

/// Kernels of this file.
pub const KERNELS: &[Kernel] = &[EXPLODE];

fn explode(mut call: Call) -> SparkResult<Generator> {
    call.arity(1..=1)?;
    let outer = call.name.ends_with("_outer");
    let name = call.display_name();
    call.in_errors("variant_explode");
    variant_argument(&mut call, 0)?;
    let columns = vec![
        ("pos".to_string(), DataType::Integer, outer),
        ("key".to_string(), DataType::STRING, true),
        ("value".to_string(), DataType::Variant, outer),
    ];
    let list = KernelUdf::call(&EXPLODE, to_arrow(&list_type()), call.options(), call.exprs());
    Ok(Generator { list, columns, outer, name })
}

fn list_type() -> DataType {
    let fields = vec![
        StructField::new("pos", DataType::Integer, true),
        StructField::new("key", DataType::STRING, true),
        StructField::new("value", DataType::Variant, true),
    ];
    DataType::array(DataType::Struct(StructType::new(fields)), true)
}

fn eval(args: &KernelArgs) -> Result<ColumnarValue> {
    let rows_here = rows::row_count(args);
    let variants = Cells::new(&args.value(0)?.to_array(rows_here)?, &DataType::Variant)?;
    let mut out = Vec::with_capacity(rows_here);
    for row in 0..rows_here {
        out.push(match &variants {
            Cells::Variant(_, value, metadata) if !variants.is_null(row) => {
                Datum::List(children(View::new(value.value(row), metadata.value(row))?)?)
            }
            _ => Datum::Null,
        });
    }
    let out: Vec<&Datum> = out.iter().collect();
    rows::finish(args, build(&out, &list_type())?)
}

/// Position, name and value; values keep the dictionary of the whole.
fn children(view: View) -> Result<Vec<Datum>> {
    let row = |i: usize, key: Option<&str>, value: View| -> Result<Datum> {
        let variant = Datum::Variant { value: value.bytes()?.to_vec(), metadata: value.metadata().to_vec() };
        let key = key.map_or(Datum::Null, |k| Datum::Text(k.to_string()));
        Ok(Datum::Row(vec![Datum::Int(i as i64), key, variant]))
    };
    match view.content()? {
        Content::Scalar(_) => Ok(Vec::new()),
        Content::Array(array) => (0..array.size()).map(|i| row(i, None, array.element(i)?)).collect(),
        Content::Object(object) => (0..object.size())
            .map(|i| {
                let (key, value) = object.field(i)?;
                row(i, Some(key), value)
            })
            .collect(),
    }
}
