//! Functions over KLL sketches.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType as Arrow, Float64Type, Int64Type};
use datafusion::common::{Result as DfResult, internal_err};
use datafusion::logical_expr::ColumnarValue;
use datafusion::scalar::ScalarValue;
use spark::types::DataType;
use spark::{Error, Result};

use super::invalid_buffer;
use super::kll::{Kind, Sketch};
use crate::aggregate::AggregateKernel;
use crate::call::Call;
use crate::coerce::{self, Expected};
use crate::error::fail;
use crate::families::aggregate::folding::{self, Fold};
use crate::families::aggregate::kernel as aggregate;
use crate::families::lists::{Column, Lists, list_array};
use crate::families::rows::{Bytes, binaries, finish, longs, row_count, strict, strings};
use crate::fold;
use crate::kernel::{Kernel, KernelArgs};
use crate::registry::{Build, Function};
use crate::typed::Typed;

macro_rules! functions {
    ($build:ident, $typing:ident: $($name:literal),*) => { &[$(Function { name: $name, build: Build::$build($typing) }),*] };
}

/// Aggregates.
pub const AGGREGATES: &[Function] = functions!(Aggregate, aggregates:
    "kll_sketch_agg_bigint", "kll_sketch_agg_double", "kll_sketch_agg_float",
    "kll_merge_agg_bigint", "kll_merge_agg_double", "kll_merge_agg_float");

/// Scalar functions.
pub const FUNCTIONS: &[Function] = functions!(Scalar, scalar:
    "kll_sketch_get_n_bigint", "kll_sketch_get_n_double", "kll_sketch_get_n_float",
    "kll_sketch_get_quantile_bigint", "kll_sketch_get_quantile_double", "kll_sketch_get_quantile_float",
    "kll_sketch_get_rank_bigint", "kll_sketch_get_rank_double", "kll_sketch_get_rank_float",
    "kll_sketch_merge_bigint", "kll_sketch_merge_double", "kll_sketch_merge_float",
    "kll_sketch_to_string_bigint", "kll_sketch_to_string_double", "kll_sketch_to_string_float");

/// Scalar kernels.
pub const KERNELS: &[Kernel] = &[
    Kernel::new("kll_n", eval_n),
    Kernel::new("kll_quantile", |a| eval_ask(a, true)),
    Kernel::new("kll_rank", |a| eval_ask(a, false)),
    Kernel::new("kll_merge", eval_merge),
    Kernel::new("kll_to_string", eval_string),
];

/// Aggregate kernels.
pub const AGGREGATE_KERNELS: &[AggregateKernel] = &[
    AggregateKernel {
        name: "kll_sketch_agg",
        accumulator: |a| {
            let (name, k): (String, Option<u16>) = folding::parameters(a)?;
            let sketch = Some(Sketch::new(kind_of(&name), k.unwrap_or(200)));
            folding::boxed(Numbers { name, sketch })
        },
        state: folding::state_types,
        groups: None,
    },
    AggregateKernel {
        name: "kll_merge_agg",
        accumulator: |a| {
            let (name, k): (String, Option<u16>) = folding::parameters(a)?;
            let sketch = k.map(|k| Sketch::new(kind_of(&name), k));
            folding::boxed(Numbers { name, sketch })
        },
        state: folding::state_types,
        groups: None,
    },
];

fn kind_of(name: &str) -> Kind {
    match name {
        n if n.ends_with("_bigint") => Kind::Long,
        n if n.ends_with("_float") => Kind::Float,
        _ => Kind::Double,
    }
}

fn item_type(kind: Kind) -> DataType {
    match kind {
        Kind::Long => DataType::Long,
        Kind::Double => DataType::Double,
        Kind::Float => DataType::Float,
    }
}

/// The constant size in place 1, if it is given.
fn size(call: &Call) -> Result<Option<u16>> {
    let Some(arg) = call.args.get(1) else { return Ok(None) };
    if !matches!(arg.ty, DataType::Byte | DataType::Short | DataType::Integer | DataType::Null) {
        return Err(call.unexpected_type(1, "\"INT\""));
    }
    if arg.foldable() && fold::evaluate(arg)?.is_null() {
        return Err(call.mismatch("UNEXPECTED_NULL").param("exprName", "k"));
    }
    if !arg.foldable() {
        return Err(Error::analysis("KLL_SKETCH_K_MUST_BE_CONSTANT")
            .param("functionName", format!("`{}`", call.name))
            .at(call.origin.as_ref()));
    }
    match fold::integer(arg).and_then(|k| u16::try_from(k).ok()).filter(|k| *k >= 8) {
        Some(k) => Ok(Some(k)),
        None => Err(super::failed_check(call, "KLL_SKETCH_K_OUT_OF_RANGE")),
    }
}

fn aggregates(mut call: Call) -> Result<Typed> {
    call.arity(1..=2)?;
    let name = call.display_name();
    let kind = kind_of(&call.name);
    let merge = call.name.starts_with("kll_merge");
    let k = size(&call)?;
    if merge {
        call.expect(0, Expected::Type(DataType::Binary))?;
    } else {
        if kind == Kind::Long && !call.args[0].ty.is_integral() && call.args[0].ty != DataType::Null {
            return Err(call.unexpected_type(0, "(\"TINYINT\" or \"INT\" or \"BIGINT\" or \"SMALLINT\")"));
        }
        let taken = match kind {
            Kind::Double => vec![Expected::Type(DataType::Float), Expected::Type(DataType::Double)],
            Kind::Float => vec![Expected::Type(DataType::Float)],
            Kind::Long => vec![Expected::Integral],
        };
        let required = match taken.as_slice() {
            [one] => one.clone(),
            _ => Expected::OneOf(taken),
        };
        strict(&mut call, 0, required)?;
        call.args[0] = coerce::cast_implicitly(&call.args[0], &item_type(kind), call.settings);
    }
    let extra = serde_json::to_string(&(call.name.clone(), k)).map_err(|e| Error::internal(e.to_string()))?;
    let args = vec![call.args[0].expr.clone()];
    let kernel = &AGGREGATE_KERNELS[usize::from(merge)];
    let expr = aggregate(&call, kernel, call.options().with_extra(extra), args, &DataType::Binary);
    Ok(Typed::new(expr, DataType::Binary, false, name))
}

fn scalar(mut call: Call) -> Result<Typed> {
    let name = call.display_name();
    let kind = kind_of(&call.name);
    let two = !(call.name.contains("_get_n_") || call.name.contains("_to_string_"));
    call.arity(if two { 2..=2 } else { 1..=1 })?;
    call.expect(0, Expected::Type(DataType::Binary))?;
    let item = item_type(kind);
    let (kernel, ty) = if call.name.contains("_get_n_") {
        (0, DataType::Long)
    } else if call.name.contains("_to_string_") {
        (4, DataType::STRING)
    } else if call.name.contains("_merge_") {
        call.expect(1, Expected::Type(DataType::Binary))?;
        (3, DataType::Binary)
    } else {
        let quantile = call.name.contains("_get_quantile_");
        let (asked, answer) = if quantile { (DataType::Double, item) } else { (item, DataType::Double) };
        let many = matches!(call.args[1].ty, DataType::Array { .. });
        let all = DataType::array(asked.clone(), true);
        let required = Expected::OneOf(vec![Expected::Type(asked.clone()), Expected::Type(all)]).describe();
        let fits = |t: &DataType| t.is_numeric() || t.is_string() || *t == DataType::Null;
        let taken = match &call.args[1].ty {
            DataType::Array { element, .. } => fits(element),
            ty => fits(ty),
        };
        if !taken {
            return Err(call.unexpected_type(1, &required));
        }
        let target = if many { DataType::array(asked.clone(), true) } else { asked };
        call.args[1] = coerce::cast_implicitly(&call.args[1], &target, call.settings);
        (if quantile { 1 } else { 2 }, if many { DataType::array(answer, true) } else { answer })
    };
    let nullable = call.any_nullable();
    let options = call.options().with_extra(call.name.as_str());
    Ok(call.kernel_with(&KERNELS[kernel], options, ty, nullable).named(name))
}

fn read(bytes: &[u8], function: &str) -> DfResult<Sketch> {
    match Sketch::from_bytes(bytes, kind_of(function)) {
        Some(sketch) => Ok(sketch),
        None => fail(invalid_buffer("KLL_INVALID_INPUT_SKETCH_BUFFER", function)),
    }
}

/// Numbers as comparable keys.
fn keys(array: &ArrayRef, kind: Kind) -> DfResult<Vec<Option<i64>>> {
    Ok(match kind {
        Kind::Long => cast(array, &Arrow::Int64)?.as_primitive::<Int64Type>().iter().collect(),
        _ => cast(array, &Arrow::Float64)?
            .as_primitive::<Float64Type>()
            .iter()
            .map(|v| v.filter(|v| !v.is_nan()).map(|v| kind.key(v)))
            .collect(),
    })
}

/// The sketch of numbers (`kll_sketch_agg_*`) or of sketches (`kll_merge_agg_*`), which has the size of the
/// first where none is asked for.
#[derive(Debug)]
struct Numbers {
    name: String,
    sketch: Option<Sketch>,
}

impl Fold for Numbers {
    fn add(&mut self, columns: &[ArrayRef]) -> DfResult<()> {
        if self.name.starts_with("kll_merge") {
            return columns[0].as_binary::<i32>().iter().flatten().try_for_each(|bytes| self.take_in(bytes));
        }
        let kind = kind_of(&self.name);
        let Some(sketch) = &mut self.sketch else { return internal_err!("a sketch of numbers has no size") };
        keys(&columns[0], kind)?.into_iter().flatten().for_each(|v| sketch.update(v));
        Ok(())
    }

    fn merge(&mut self, bytes: &[u8]) -> DfResult<()> {
        if bytes.is_empty() { Ok(()) } else { self.take_in(bytes) }
    }

    fn bytes(&mut self) -> Vec<u8> {
        self.sketch.as_ref().map(Sketch::to_bytes).unwrap_or_default()
    }

    fn result(&mut self) -> DfResult<ScalarValue> {
        let empty = || Sketch::new(kind_of(&self.name), 200).to_bytes();
        Ok(ScalarValue::Binary(Some(self.sketch.as_ref().map_or_else(empty, Sketch::to_bytes))))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.sketch.as_ref().map_or(0, Sketch::size)
    }
}

impl Numbers {
    fn take_in(&mut self, bytes: &[u8]) -> DfResult<()> {
        let other = read(bytes, &self.name)?;
        match &mut self.sketch {
            Some(sketch) if sketch.n > 0 || self.name.starts_with("kll_merge") => sketch.merge(&other),
            sketch => *sketch = Some(other),
        }
        Ok(())
    }
}

fn eval_n(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let sketches = Bytes::of(args, 0)?;
    longs(args, |row| match sketches.get(row) {
        None => Ok(None),
        Some(bytes) => Ok(Some(read(bytes, args.extra())?.n as i64)),
    })
}

fn eval_string(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let sketches = Bytes::of(args, 0)?;
    strings(args, |row, out| match sketches.get(row) {
        None => Ok(false),
        Some(bytes) => {
            out.push_str(&read(bytes, args.extra())?.describe());
            Ok(true)
        }
    })
}

fn eval_merge(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let (a, b) = (Bytes::of(args, 0)?, Bytes::of(args, 1)?);
    binaries(args, |row, out| {
        let Some((a, b)) = a.get(row).zip(b.get(row)) else { return Ok(false) };
        let mut sketch = read(a, args.extra())?;
        sketch.merge(&read(b, args.extra())?);
        out.extend(sketch.to_bytes());
        Ok(true)
    })
}

/// Quantiles of ranks, or ranks of items: for one, or for each element of an array.
fn eval_ask(args: &KernelArgs, quantile: bool) -> DfResult<ColumnarValue> {
    let kind = kind_of(args.extra());
    let sketches = Bytes::of(args, 0)?;
    let asked = Column::of(args, 1)?;
    let many = matches!(asked.array.data_type(), Arrow::List(_));
    let lists = if many { Some(Lists::new(&asked.array, asked.constant)?) } else { None };
    let flat = lists.as_ref().map_or(&asked.array, |l| l.values());
    let ranks = cast(flat, &Arrow::Float64)?;
    let ranks = ranks.as_primitive::<Float64Type>();
    let items = if quantile { Vec::new() } else { keys(flat, kind)? };
    let mut out = Vec::new();
    let (mut offsets, mut valid) = (vec![0_i32], Vec::new());
    for row in 0..row_count(args) {
        let range = match &lists {
            Some(l) => l.get(row),
            None => Some(asked.at(row)..asked.at(row) + 1),
        };
        let both = range.zip(sketches.get(row));
        valid.push(both.is_some());
        if let Some((range, bytes)) = both {
            let sketch = read(bytes, args.extra())?;
            for i in range {
                out.push(if quantile {
                    one_quantile(&sketch, ranks, i, args.extra())?
                } else {
                    items[i].and_then(|v| sketch.rank(v))
                });
            }
        } else if !many {
            out.push(None);
        }
        offsets.push(out.len() as i32);
    }
    let values: ArrayRef = Arc::new(Float64Array::from(out));
    match args.return_type() {
        Arrow::List(f) => finish(args, list_array(cast(&values, f.data_type())?, offsets, valid)?),
        ty => finish(args, cast(&values, ty)?),
    }
}

fn one_quantile(sketch: &Sketch, ranks: &Float64Array, i: usize, function: &str) -> DfResult<Option<f64>> {
    if ranks.is_null(i) {
        return Ok(None);
    }
    let rank = ranks.value(i);
    if !(0.0..=1.0).contains(&rank) {
        return fail(
            Error::runtime("KLL_SKETCH_INVALID_QUANTILE_RANGE")
                .param("functionName", format!("`{function}`"))
                .with_message("A rank is between 0 and 1."),
        );
    }
    Ok(sketch.quantile(rank).map(|k| if sketch.kind == Kind::Long { k as f64 } else { sketch.kind.number(k) }))
}
