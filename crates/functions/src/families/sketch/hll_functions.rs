//! Functions over HyperLogLog sketches.

use arrow::array::{Array, ArrayRef, AsArray};
use datafusion::common::Result as DfResult;
use datafusion::logical_expr::{ColumnarValue, lit};
use datafusion::scalar::ScalarValue;
use spark::types::DataType;
use spark::{Error, Result};

use super::hll::{Sketch, coupon};
use super::{hashed_bytes, integer_argument, invalid_buffer};
use crate::aggregate::AggregateKernel;
use crate::call::Call;
use crate::coerce::Expected;
use crate::error::fail;
use crate::families::aggregate::folding::{self, Fold};
use crate::families::aggregate::kernel as aggregate;
use crate::families::rows::{Bytes, binaries, longs, strict};
use crate::fold;
use crate::kernel::{Kernel, KernelArgs};
use crate::registry::{Build, Function};
use crate::typed::Typed;

/// Functions of this file.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "hll_sketch_agg", build: Build::Aggregate(sketch_agg) },
    Function { name: "hll_union_agg", build: Build::Aggregate(union_agg) },
    Function { name: "hll_sketch_estimate", build: Build::Scalar(estimate) },
    Function { name: "hll_union", build: Build::Scalar(union) },
];

/// Scalar kernels.
pub const KERNELS: &[Kernel] =
    &[Kernel::new("hll_sketch_estimate", eval_estimate), Kernel::new("hll_union", eval_union)];

/// Aggregate kernels.
pub const AGGREGATE_KERNELS: &[AggregateKernel] = &[
    AggregateKernel {
        name: "hll_sketch_agg",
        accumulator: |a| folding::boxed(Values(Sketch::new(folding::parameters(a)?))),
        state: folding::state_types,
        groups: None,
    },
    AggregateKernel {
        name: "hll_union_agg",
        accumulator: |a| folding::boxed(Union { allowed: folding::parameters(a)?, all: None }),
        state: folding::state_types,
        groups: None,
    },
];

fn sketch_agg(mut call: Call) -> Result<Typed> {
    call.arity(1..=2)?;
    if call.args.len() == 2 {
        strict(&mut call, 1, Expected::Type(DataType::Integer))?;
    }
    let lg_k = integer_argument(&mut call, 1, "lgConfigK", 12, 4..=21, "HLL_INVALID_LG_K")?;
    call.typed_null(0, Expected::Type(DataType::Integer))?;
    match &call.args[0].ty {
        DataType::Integer | DataType::Long | DataType::Binary => {}
        t if t.is_string() => {}
        _ => return Err(call.unexpected_type(0, "(\"INT\" or \"BIGINT\" or \"STRING\" or \"BINARY\")")),
    }
    let name = call.display_name();
    let args = vec![call.args[0].expr.clone()];
    let options = call.options().with_extra(lg_k.to_string());
    let expr = aggregate(&call, &AGGREGATE_KERNELS[0], options, args, &DataType::Binary);
    Ok(Typed::new(expr, DataType::Binary, false, name))
}

/// Adds the `allowDifferentLgConfigK` argument in place `i` if it is missing.
fn allow_different(call: &mut Call, i: usize) -> Result<()> {
    if call.args.len() <= i {
        call.args.push(Typed::new(lit(false), DataType::Boolean, false, "false"));
    }
    strict(call, i, Expected::Type(DataType::Boolean))
}

fn union_agg(mut call: Call) -> Result<Typed> {
    call.arity(1..=2)?;
    allow_different(&mut call, 1)?;
    strict(&mut call, 0, Expected::Type(DataType::Binary))?;
    let name = call.display_name();
    let allowed = fold::evaluate(&call.args[1])? == ScalarValue::Boolean(Some(true));
    let args = vec![call.args[0].expr.clone()];
    let options = call.options().with_extra(allowed.to_string());
    let expr = aggregate(&call, &AGGREGATE_KERNELS[1], options, args, &DataType::Binary);
    Ok(Typed::new(expr, DataType::Binary, false, name))
}

fn estimate(mut call: Call) -> Result<Typed> {
    call.arity(1..=1)?;
    let name = call.display_name();
    strict(&mut call, 0, Expected::Type(DataType::Binary))?;
    let nullable = call.args[0].nullable;
    Ok(call.kernel(&KERNELS[0], DataType::Long, nullable).named(name))
}

fn union(mut call: Call) -> Result<Typed> {
    call.arity(2..=3)?;
    allow_different(&mut call, 2)?;
    strict(&mut call, 0, Expected::Type(DataType::Binary))?;
    strict(&mut call, 1, Expected::Type(DataType::Binary))?;
    let name = call.display_name();
    let nullable = call.any_nullable();
    Ok(call.kernel(&KERNELS[1], DataType::Binary, nullable).named(name))
}

fn read(bytes: &[u8], function: &str) -> DfResult<Sketch> {
    match Sketch::from_bytes(bytes) {
        Some(sketch) => Ok(sketch),
        None => fail(invalid_buffer("HLL_INVALID_INPUT_SKETCH_BUFFER", function)),
    }
}

fn join(a: &mut Sketch, b: &Sketch, allowed: bool, function: &str) -> DfResult<()> {
    if a.lg_k != b.lg_k && !allowed {
        return fail(
            Error::runtime("HLL_UNION_DIFFERENT_LG_K")
                .param("left", a.lg_k.to_string())
                .param("right", b.lg_k.to_string())
                .param("function", format!("`{function}`"))
                .with_message("The sketches have different sizes."),
        );
    }
    if b.lg_k < a.lg_k && a.is_empty() {
        *a = Sketch::new(b.lg_k);
    }
    a.union(b);
    Ok(())
}

/// `hll_sketch_agg`: the sketch of values.
#[derive(Debug)]
struct Values(Sketch);

impl Fold for Values {
    fn add(&mut self, columns: &[ArrayRef]) -> DfResult<()> {
        for row in 0..columns[0].len() {
            if let Some(bytes) = hashed_bytes(&columns[0], row)? {
                self.0.update(coupon(&bytes));
            }
        }
        Ok(())
    }

    fn merge(&mut self, bytes: &[u8]) -> DfResult<()> {
        let other = read(bytes, "hll_sketch_agg")?;
        if self.0.is_empty() {
            self.0 = other;
        } else {
            self.0.union(&other);
        }
        Ok(())
    }

    fn bytes(&mut self) -> Vec<u8> {
        self.0.to_bytes()
    }

    fn size(&self) -> usize {
        size_of_val(self) + (1 << self.0.lg_k)
    }
}

/// `hll_union_agg`: sketches as one.
#[derive(Debug)]
struct Union {
    allowed: bool,
    all: Option<Sketch>,
}

impl Fold for Union {
    fn add(&mut self, columns: &[ArrayRef]) -> DfResult<()> {
        columns[0].as_binary::<i32>().iter().flatten().try_for_each(|bytes| self.merge(bytes))
    }

    fn merge(&mut self, bytes: &[u8]) -> DfResult<()> {
        if bytes.is_empty() && self.all.is_none() {
            return Ok(());
        }
        let sketch = read(bytes, "hll_union_agg")?;
        match &mut self.all {
            None => self.all = Some(sketch),
            Some(all) => join(all, &sketch, self.allowed, "hll_union_agg")?,
        }
        Ok(())
    }

    fn bytes(&mut self) -> Vec<u8> {
        self.all.as_ref().map(Sketch::to_bytes).unwrap_or_default()
    }

    fn result(&mut self) -> DfResult<ScalarValue> {
        let bytes = self.all.as_ref().map_or_else(|| Sketch::new(12).to_bytes(), Sketch::to_bytes);
        Ok(ScalarValue::Binary(Some(bytes)))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.all.as_ref().map_or(0, |all| 1 << all.lg_k)
    }
}

fn eval_estimate(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let sketches = Bytes::of(args, 0)?;
    longs(args, |row| match sketches.get(row) {
        None => Ok(None),
        Some(bytes) => Ok(Some(read(bytes, "hll_sketch_estimate")?.estimate().round() as i64)),
    })
}

fn eval_union(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let (a, b) = (Bytes::of(args, 0)?, Bytes::of(args, 1)?);
    let allowed = args.typed::<arrow::array::BooleanArray>(2)?;
    binaries(args, |row, out| {
        let at = row.min(allowed.len().saturating_sub(1));
        let Some((a, b)) = a.get(row).zip(b.get(row)).filter(|_| allowed.is_valid(at)) else { return Ok(false) };
        let mut sketch = read(a, "hll_union")?;
        join(&mut sketch, &read(b, "hll_union")?, allowed.value(at), "hll_union")?;
        out.extend(sketch.to_bytes());
        Ok(true)
    })
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
        agrees_in_parts(|| Values(Sketch::new(12)), [&[ids(0..5)], &[ids(3..9)]]);
        agrees_in_parts(|| Values(Sketch::new(12)), [&[ids(0..0)], &[ids(3..9)]]);
    }
}
