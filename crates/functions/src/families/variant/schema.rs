//! `schema_of_variant` and `schema_of_variant_agg`: the type a variant's value has.

use arrow::array::{Array, ArrayRef, StringArray};
use arrow::datatypes::DataType as Arrow;
use datafusion::common::Result;
use datafusion::logical_expr::{Accumulator, ColumnarValue};
use datafusion::scalar::ScalarValue;
use spark::Result as SparkResult;
use spark::types::{DataType, quote_if_needed};

use super::decode::{Content, Scalar, View};
use super::functions::variant_argument;
use super::json::stripped;
use crate::aggregate::{AggregateArgs, AggregateKernel, KernelUdaf};
use crate::call::Call;
use crate::families::rows;
use crate::families::text_data::cells::Cells;
use crate::kernel::{Kernel, KernelArgs, downcast};
use crate::registry::{Build, Function};
use crate::typed::Typed;

/// Functions of this file.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "schema_of_variant", build: Build::Scalar(schema_of_variant) },
    Function { name: "schema_of_variant_agg", build: Build::Aggregate(schema_of_variant_agg) },
];

const SCHEMA: Kernel = Kernel::new("schema_of_variant", eval_schema);

/// Kernels of this file.
pub const KERNELS: &[Kernel] = &[SCHEMA];

const SCHEMA_AGG: AggregateKernel = AggregateKernel {
    name: "schema_of_variant_agg",
    accumulator: |_: &AggregateArgs| Ok(Box::new(Merged { shape: Shape::Void })),
    state: |_| vec![Arrow::Utf8],
    groups: None,
};

/// Aggregate kernels of this file.
pub const AGGREGATE_KERNELS: &[AggregateKernel] = &[SCHEMA_AGG];

fn schema_of_variant(mut call: Call) -> SparkResult<Typed> {
    call.arity(1..=1)?;
    variant_argument(&mut call, 0)?;
    let nullable = call.any_nullable();
    Ok(call.kernel(&SCHEMA, DataType::STRING, nullable))
}

fn schema_of_variant_agg(mut call: Call) -> SparkResult<Typed> {
    call.arity(1..=1)?;
    variant_argument(&mut call, 0)?;
    let name = call.display_name();
    let filter = call.filter.clone().map(|f| f.expr);
    let (options, args) = (call.options(), call.exprs());
    let expr = KernelUdaf::call(&SCHEMA_AGG, Arrow::Utf8, options, args, call.distinct, filter, vec![]);
    Ok(Typed::new(expr, DataType::STRING, false, name))
}

/// The type of a variant: that of its value, or `Any` where values differ.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
enum Shape {
    Void,
    /// Values of several types.
    Any,
    Type(DataType),
    Uuid,
    Array(Box<Shape>),
    /// Fields in the order of their names.
    Object(Vec<(String, Shape)>),
}

fn shape(view: View) -> Result<Shape> {
    Ok(match view.content()? {
        Content::Scalar(scalar) => match scalar {
            Scalar::Null => Shape::Void,
            Scalar::Bool(_) => Shape::Type(DataType::Boolean),
            Scalar::Int(_) => Shape::Type(DataType::Long),
            Scalar::Float(_) => Shape::Type(DataType::Float),
            Scalar::Double(_) => Shape::Type(DataType::Double),
            Scalar::Decimal { unscaled, scale } => {
                let (unscaled, scale) = stripped(unscaled, scale);
                let digits = unscaled.unsigned_abs().to_string().len().max(usize::from(scale));
                Shape::Type(DataType::decimal(digits as u8, scale as i8))
            }
            Scalar::Date(_) => Shape::Type(DataType::Date),
            Scalar::Timestamp(_) => Shape::Type(DataType::Timestamp),
            Scalar::TimestampNtz(_) => Shape::Type(DataType::TimestampNtz),
            Scalar::Binary(_) => Shape::Type(DataType::Binary),
            Scalar::Text(_) => Shape::Type(DataType::STRING),
            Scalar::Uuid(_) => Shape::Uuid,
        },
        Content::Array(array) => {
            let mut element = Shape::Void;
            for i in 0..array.size() {
                element = merge(element, shape(array.element(i)?)?);
            }
            Shape::Array(Box::new(element))
        }
        Content::Object(object) => {
            let mut fields = Vec::with_capacity(object.size());
            for i in 0..object.size() {
                let (name, value) = object.field(i)?;
                fields.push((name.to_string(), shape(value)?));
            }
            Shape::Object(fields)
        }
    })
}

fn merge(a: Shape, b: Shape) -> Shape {
    match (a, b) {
        (Shape::Void, s) | (s, Shape::Void) => s,
        (Shape::Array(a), Shape::Array(b)) => Shape::Array(Box::new(merge(*a, *b))),
        (Shape::Object(mut a), Shape::Object(b)) => {
            for (name, shape) in b {
                match a.iter_mut().find(|(n, _)| *n == name) {
                    Some((_, known)) => *known = merge(std::mem::replace(known, Shape::Void), shape),
                    None => a.push((name, shape)),
                }
            }
            a.sort_by(|x, y| x.0.cmp(&y.0));
            Shape::Object(a)
        }
        (Shape::Type(a), Shape::Type(b)) => merge_types(a, b),
        (a, b) if a == b => a,
        _ => Shape::Any,
    }
}

/// Numbers widen, everything else must be the same.
fn merge_types(a: DataType, b: DataType) -> Shape {
    use DataType as T;
    let decimal = |t: &T| match t {
        T::Long => Some((20, 0)),
        T::Decimal { precision, scale } => Some((i32::from(*precision), i32::from(*scale))),
        _ => None,
    };
    match (&a, &b) {
        _ if a == b => Shape::Type(a),
        (T::Double, t) | (t, T::Double) if t.is_numeric() => Shape::Type(T::Double),
        (T::Float, T::Float) => Shape::Type(T::Float),
        (T::Float, t) | (t, T::Float) if t.is_numeric() => Shape::Type(T::Double),
        _ => match (decimal(&a), decimal(&b)) {
            (Some((p1, s1)), Some((p2, s2))) => {
                let scale = s1.max(s2);
                let precision = (p1 - s1).max(p2 - s2) + scale;
                if precision > 38 {
                    Shape::Type(T::Double)
                } else {
                    Shape::Type(T::decimal(precision as u8, scale as i8))
                }
            }
            _ => Shape::Any,
        },
    }
}

fn write(shape: &Shape, out: &mut String) {
    match shape {
        Shape::Void => out.push_str("VOID"),
        Shape::Any => out.push_str("VARIANT"),
        Shape::Uuid => out.push_str("UUID"),
        Shape::Type(ty) => out.push_str(&ty.sql()),
        Shape::Array(element) => {
            out.push_str("ARRAY<");
            write(element, out);
            out.push('>');
        }
        Shape::Object(fields) => {
            out.push_str("OBJECT<");
            for (i, (name, shape)) in fields.iter().enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                out.push_str(&quote_if_needed(name));
                out.push_str(": ");
                write(shape, out);
            }
            out.push('>');
        }
    }
}

fn eval_schema(args: &KernelArgs) -> Result<ColumnarValue> {
    let array = args.value(0)?.to_array(rows::row_count(args))?;
    let cells = Cells::new(&array, &DataType::Variant)?;
    rows::strings(args, |row, out| {
        let Cells::Variant(_, value, metadata) = &cells else { return Ok(false) };
        if cells.is_null(row) {
            return Ok(false);
        }
        write(&shape(View::new(value.value(row), metadata.value(row))?)?, out);
        Ok(true)
    })
}

#[derive(Debug)]
struct Merged {
    shape: Shape,
}

impl Merged {
    fn add(&mut self, shape: Shape) {
        self.shape = merge(std::mem::replace(&mut self.shape, Shape::Void), shape);
    }
}

impl Accumulator for Merged {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let Some(array) = values.first() else { return Ok(()) };
        let cells = Cells::new(array, &DataType::Variant)?;
        if let Cells::Variant(_, value, metadata) = &cells {
            for row in (0..array.len()).filter(|row| !cells.is_null(*row)) {
                self.add(shape(View::new(value.value(row), metadata.value(row))?)?);
            }
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let Some(state) = states.first() else { return Ok(()) };
        for text in downcast::<StringArray>(state)?.iter().flatten() {
            match serde_json::from_str(text) {
                Ok(shape) => self.add(shape),
                Err(e) => return datafusion::common::internal_err!("a partial schema is malformed: {e}"),
            }
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![ScalarValue::Utf8(Some(serde_json::to_string(&self.shape).unwrap_or_default()))])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let mut out = String::new();
        write(&self.shape, &mut out);
        Ok(ScalarValue::Utf8(Some(out)))
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::variant;
    use super::*;

    #[test]
    fn schemas() {
        for (json, expected) in [
            ("null", "VOID"),
            (r#"[{"b":true,"a":0}]"#, "ARRAY<OBJECT<a: BIGINT, b: BOOLEAN>>"),
            (
                r#"{"a":[1,"x",null],"d":[],"e":{},"g h":1}"#,
                "OBJECT<a: ARRAY<VARIANT>, d: ARRAY<VOID>, e: OBJECT<>, `g h`: BIGINT>",
            ),
            ("[1,1.5]", "ARRAY<DECIMAL(21,1)>"),
            ("[1,1e10]", "ARRAY<DOUBLE>"),
            ("[1.5,10.25]", "ARRAY<DECIMAL(4,2)>"),
        ] {
            let (value, metadata) = variant(json).encode();
            let mut out = String::new();
            let Ok(shape) = View::new(&value, &metadata).and_then(shape) else { panic!("{json}") };
            write(&shape, &mut out);
            assert_eq!(out, expected, "{json}");
        }
    }
}
