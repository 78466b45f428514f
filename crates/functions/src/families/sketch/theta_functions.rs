//! Functions over theta and tuple sketches.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType as Arrow, Float64Type};
use datafusion::common::Result as DfResult;
use datafusion::logical_expr::{ColumnarValue, lit};
use datafusion::scalar::ScalarValue;
use serde::{Deserialize, Serialize};
use spark::types::DataType;
use spark::{Error, Result};

use super::theta::{Mode, Sketch};
use super::{expect_key, hashed_bytes, integer_argument, invalid_buffer};
use crate::aggregate::AggregateKernel;
use crate::call::Call;
use crate::coerce::Expected;
use crate::error::fail;
use crate::families::aggregate::folding::{self, Fold};
use crate::families::aggregate::kernel as aggregate;
use crate::families::rows::{Bytes, binaries, doubles, longs, strict};
use crate::fold;
use crate::kernel::{Kernel, KernelArgs};
use crate::registry::{Build, Function};
use crate::typed::Typed;

macro_rules! functions {
    ($build:ident, $typing:ident: $($name:literal),*) => { &[$(Function { name: $name, build: Build::$build($typing) }),*] };
}

/// Aggregates that build sketches of keys.
pub const BUILDERS: &[Function] =
    functions!(Aggregate, build_sketch: "theta_sketch_agg", "tuple_sketch_agg_double", "tuple_sketch_agg_integer");

/// Aggregates that combine sketches.
pub const COMBINERS: &[Function] = functions!(Aggregate, combine_sketches:
    "theta_union_agg", "theta_intersection_agg", "tuple_union_agg_double", "tuple_union_agg_integer",
    "tuple_intersection_agg_double", "tuple_intersection_agg_integer");

/// What sketches answer.
pub const QUESTIONS: &[Function] = functions!(Scalar, question:
    "theta_sketch_estimate", "tuple_sketch_estimate_double", "tuple_sketch_estimate_integer",
    "tuple_sketch_summary_double", "tuple_sketch_summary_integer", "tuple_sketch_theta_double",
    "tuple_sketch_theta_integer");

/// Set operations on two sketches.
pub const OPERATIONS: &[Function] = functions!(Scalar, operation:
    "theta_union", "theta_intersection", "theta_difference", "tuple_union_double", "tuple_union_integer",
    "tuple_intersection_double", "tuple_intersection_integer", "tuple_difference_double",
    "tuple_difference_integer", "tuple_union_theta_double", "tuple_union_theta_integer",
    "tuple_intersection_theta_double", "tuple_intersection_theta_integer", "tuple_difference_theta_double",
    "tuple_difference_theta_integer");

/// Scalar kernels.
pub const KERNELS: &[Kernel] =
    &[Kernel::new("sketch_question", eval_question), Kernel::new("sketch_operation", eval_operation)];

/// Aggregate kernels.
pub const AGGREGATE_KERNELS: &[AggregateKernel] = &[
    AggregateKernel {
        name: "sketch_of_keys",
        accumulator: |a| folding::boxed(Keys { spec: folding::parameters(a)?, sketch: Sketch::default() }),
        state: folding::state_types,
        groups: None,
    },
    AggregateKernel {
        name: "sketch_of_sketches",
        accumulator: |a| folding::boxed(Combined { spec: folding::parameters(a)?, all: None }),
        state: folding::state_types,
        groups: None,
    },
];

/// What a call decided.
#[derive(Debug, Serialize, Deserialize)]
struct Spec {
    function: String,
    nominal: usize,
    mode: String,
}

impl Spec {
    fn mode(&self) -> Mode {
        Mode::named(&self.mode).unwrap_or(Mode::Sum)
    }

    fn integers(&self) -> bool {
        self.function.ends_with("_integer")
    }

    fn is_theta(&self) -> bool {
        self.function.starts_with("theta_")
    }

    /// Reads the first argument's kind of sketch, or a theta sketch.
    fn read(&self, bytes: &[u8], theta: bool) -> DfResult<Sketch> {
        let (read, condition) = if theta {
            (Sketch::from_theta_bytes(bytes), "THETA_INVALID_INPUT_SKETCH_BUFFER")
        } else {
            (Sketch::from_tuple_bytes(bytes, self.integers()), "TUPLE_INVALID_INPUT_SKETCH_BUFFER")
        };
        match read {
            Some(sketch) => Ok(sketch),
            None => fail(invalid_buffer(condition, &self.function)),
        }
    }

    fn write(&self, sketch: &Sketch) -> Vec<u8> {
        if self.is_theta() { sketch.to_theta_bytes() } else { sketch.to_tuple_bytes(self.integers(), self.mode()) }
    }
}

const KEYS: &str = "(\"ARRAY<INT>\" or \"ARRAY<BIGINT>\" or \"BINARY\" or \"DOUBLE\" or \"FLOAT\" or \"INT\" or \"BIGINT\" or \"STRING\")";

/// Reads the trailing `lgNomEntries` and `mode` arguments from place `i` on.
fn settings(call: &mut Call, i: usize, with_size: bool, with_mode: bool) -> Result<Spec> {
    let mut spec = Spec { function: call.name.clone(), nominal: 4096, mode: "sum".into() };
    let mut next = i;
    if with_size {
        let lg = integer_argument(call, next, "lgNomEntries", 12, 4..=26, "SKETCH_INVALID_LG_NOM_ENTRIES")?;
        spec.nominal = 1 << lg;
        next += 1;
    }
    if with_mode {
        if call.args.len() <= next {
            call.args.push(Typed::new(lit("sum"), DataType::STRING, false, "sum"));
        }
        let text = fold::string(&call.args[next]).unwrap_or_default();
        if Mode::named(&text).is_none() && call.name.contains("_agg_") {
            if !call.args[next].ty.is_string() {
                return Err(call.unexpected_type(next, "\"STRING\""));
            }
            return Err(super::failed_check(call, "TUPLE_INVALID_SKETCH_MODE"));
        }
        if Mode::named(&text).is_none() {
            return Err(Error::runtime("TUPLE_INVALID_SKETCH_MODE")
                .param("function", format!("`{}`", call.name))
                .param("mode", &text)
                .param("validModes", "alwaysone, max, min, sum")
                .with_message(format!("{text} is no way to combine summaries."))
                .at(call.origin.as_ref()));
        }
        spec.mode = text;
    }
    Ok(spec)
}

fn options(call: &Call, spec: &Spec) -> Result<crate::kernel::Options> {
    let extra = serde_json::to_string(spec).map_err(|e| Error::internal(e.to_string()))?;
    Ok(call.options().with_extra(extra))
}

fn build_sketch(mut call: Call) -> Result<Typed> {
    let tuple = call.name.starts_with("tuple_");
    call.arity(if tuple { 2..=4 } else { 1..=2 })?;
    call.typed_null(0, Expected::Type(DataType::array(DataType::Integer, true)))?;
    let spec = settings(&mut call, if tuple { 2 } else { 1 }, true, tuple)?;
    expect_key(&call, 0, KEYS)?;
    let name = call.display_name();
    let mut args = vec![call.args[0].expr.clone()];
    if tuple {
        let ty = if spec.integers() { DataType::Integer } else { DataType::Double };
        call.expect(1, Expected::Type(ty))?;
        args.push(call.args[1].expr.clone());
    }
    let expr = aggregate(&call, &AGGREGATE_KERNELS[0], options(&call, &spec)?, args, &DataType::Binary);
    Ok(Typed::new(expr, DataType::Binary, false, name))
}

fn combine_sketches(mut call: Call) -> Result<Typed> {
    let tuple = call.name.starts_with("tuple_");
    let union = call.name.contains("_union_");
    let most = 1 + usize::from(union) + usize::from(tuple);
    call.arity(1..=most)?;
    let spec = settings(&mut call, 1, union, tuple)?;
    strict(&mut call, 0, Expected::Type(DataType::Binary))?;
    let name = call.display_name();
    let args = vec![call.args[0].expr.clone()];
    let expr = aggregate(&call, &AGGREGATE_KERNELS[1], options(&call, &spec)?, args, &DataType::Binary);
    Ok(Typed::new(expr, DataType::Binary, false, name))
}

fn question(mut call: Call) -> Result<Typed> {
    let summary = call.name.contains("_summary_");
    call.arity(1..=1 + usize::from(summary))?;
    let spec = settings(&mut call, 1, false, summary)?;
    strict(&mut call, 0, Expected::Type(DataType::Binary))?;
    let name = call.display_name();
    let ty = if spec.is_theta() || (summary && spec.integers()) { DataType::Long } else { DataType::Double };
    call.args.truncate(1);
    let nullable = call.args[0].nullable;
    let options = options(&call, &spec)?;
    Ok(call.kernel_with(&KERNELS[0], options, ty, nullable).named(name))
}

fn operation(mut call: Call) -> Result<Typed> {
    let tuple = call.name.starts_with("tuple_");
    let union = call.name.contains("_union");
    let mode = tuple && !call.name.contains("_difference");
    call.arity(2..=2 + usize::from(union) + usize::from(mode))?;
    let spec = settings(&mut call, 2, union, mode)?;
    strict(&mut call, 0, Expected::Type(DataType::Binary))?;
    strict(&mut call, 1, Expected::Type(DataType::Binary))?;
    let name = call.display_name();
    call.args.truncate(2);
    let nullable = call.any_nullable();
    let options = options(&call, &spec)?;
    Ok(call.kernel_with(&KERNELS[1], options, DataType::Binary, nullable).named(name))
}

fn binary(bytes: Vec<u8>) -> ScalarValue {
    ScalarValue::Binary(Some(bytes))
}

/// A sketch of keys, with their summaries if it is one of tuples.
#[derive(Debug)]
struct Keys {
    spec: Spec,
    sketch: Sketch,
}

impl Fold for Keys {
    fn add(&mut self, columns: &[ArrayRef]) -> DfResult<()> {
        let summaries = columns.get(1).map(|c| cast(c, &Arrow::Float64)).transpose()?;
        for row in 0..columns[0].len() {
            let Some(bytes) = hashed_bytes(&columns[0], row)? else { continue };
            let summary = match &summaries {
                None => 1.0,
                Some(s) if s.is_null(row) => continue,
                Some(s) => s.as_primitive::<Float64Type>().value(row),
            };
            self.sketch.update(&bytes, summary, self.spec.mode(), self.spec.nominal);
        }
        Ok(())
    }

    fn merge(&mut self, bytes: &[u8]) -> DfResult<()> {
        let other = self.spec.read(bytes, self.spec.is_theta())?;
        self.sketch.union(&other, self.spec.mode(), self.spec.nominal);
        Ok(())
    }

    fn bytes(&mut self) -> Vec<u8> {
        self.sketch.cut(self.spec.nominal);
        self.spec.write(&self.sketch)
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.sketch.entries.len() * size_of::<(u64, f64)>() * 2
    }
}

/// The union or the intersection of sketches.
#[derive(Debug)]
struct Combined {
    spec: Spec,
    all: Option<Sketch>,
}

impl Fold for Combined {
    fn add(&mut self, columns: &[ArrayRef]) -> DfResult<()> {
        columns[0].as_binary::<i32>().iter().flatten().try_for_each(|bytes| self.take_in(bytes))
    }

    fn merge(&mut self, bytes: &[u8]) -> DfResult<()> {
        if bytes.is_empty() { Ok(()) } else { self.take_in(bytes) }
    }

    fn bytes(&mut self) -> Vec<u8> {
        self.all.as_ref().map(|all| self.spec.write(all)).unwrap_or_default()
    }

    fn result(&mut self) -> DfResult<ScalarValue> {
        let mut sketch = self.all.clone().unwrap_or_default();
        if self.spec.function.contains("_union_") {
            sketch.cut(self.spec.nominal);
        }
        Ok(binary(self.spec.write(&sketch)))
    }

    fn size(&self) -> usize {
        let entries = self.all.as_ref().map_or(0, |all| all.entries.len());
        size_of_val(self) + entries * size_of::<(u64, f64)>() * 2
    }
}

impl Combined {
    fn take_in(&mut self, bytes: &[u8]) -> DfResult<()> {
        let sketch = self.spec.read(bytes, self.spec.is_theta())?;
        self.all = Some(match self.all.take() {
            None => sketch,
            Some(mut so_far) if self.spec.function.contains("_union_") => {
                so_far.union(&sketch, self.spec.mode(), self.spec.nominal);
                so_far
            }
            Some(so_far) => so_far.intersection(&sketch, self.spec.mode()),
        });
        Ok(())
    }
}

fn spec_of(args: &KernelArgs) -> DfResult<Spec> {
    serde_json::from_str(args.extra())
        .map_err(|e| datafusion::common::DataFusionError::Internal(format!("a sketch function's parameters: {e}")))
}

fn eval_question(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let spec = spec_of(args)?;
    let sketches = Bytes::of(args, 0)?;
    let answer = |row: usize| -> DfResult<Option<f64>> {
        let Some(bytes) = sketches.get(row) else { return Ok(None) };
        let sketch = spec.read(bytes, spec.is_theta())?;
        Ok(Some(if spec.function.contains("_estimate") {
            sketch.estimate()
        } else if spec.function.contains("_summary_") {
            let mode = spec.mode();
            sketch.entries.values().copied().reduce(|a, b| mode.merge(a, b)).unwrap_or(0.0)
        } else {
            sketch.theta()
        }))
    };
    if *args.return_type() == Arrow::Int64 {
        return longs(args, |row| Ok(answer(row)?.map(|v| v.round() as i64)));
    }
    doubles(args, answer)
}

fn eval_operation(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let spec = spec_of(args)?;
    let (a, b) = (Bytes::of(args, 0)?, Bytes::of(args, 1)?);
    let second_is_theta = spec.is_theta() || spec.function.contains("_theta_");
    binaries(args, |row, out| {
        let Some((a, b)) = a.get(row).zip(b.get(row)) else { return Ok(false) };
        let (mut a, b) = (spec.read(a, spec.is_theta())?, spec.read(b, second_is_theta)?);
        let result = if spec.function.contains("_union") {
            a.union(&b, spec.mode(), spec.nominal);
            a
        } else if spec.function.contains("_intersection") {
            // A theta sketch brings keys only: the summary stays.
            let kept = a.intersection(&b, spec.mode());
            if spec.function.contains("_theta_") { keep_summaries(&a, kept) } else { kept }
        } else {
            a.difference(&b)
        };
        out.extend(spec.write(&result));
        Ok(true)
    })
}

/// The keys of `kept` with the summaries of `from`.
fn keep_summaries(from: &Sketch, mut kept: Sketch) -> Sketch {
    for (hash, summary) in &mut kept.entries {
        if let Some(own) = from.entries.get(hash) {
            *summary = *own;
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::Int64Array;

    use super::*;
    use crate::families::aggregate::folding::tests::agrees_in_parts;

    #[test]
    fn parts_make_the_sketch_of_the_whole() {
        let ids = |range: std::ops::Range<i64>| -> ArrayRef { Arc::new(range.collect::<Int64Array>()) };
        let make = || Keys {
            spec: Spec { function: "theta_sketch_agg".into(), nominal: 16, mode: "sum".into() },
            sketch: Sketch::default(),
        };
        agrees_in_parts(make, [&[ids(0..5)], &[ids(3..9)]]);
        agrees_in_parts(make, [&[ids(0..0)], &[ids(3..9)]]);
    }
}
