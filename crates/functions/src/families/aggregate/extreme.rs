//! `min` and `max` of floating point numbers: NaN is greater than everything else.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType as Arrow, Float64Type};
use datafusion::common::Result;
use datafusion::logical_expr::{Accumulator, EmitTo, GroupsAccumulator};
use datafusion::scalar::ScalarValue;

use crate::aggregate::{AggregateArgs, AggregateKernel};

/// Kernels of this file.
pub const KERNELS: &[AggregateKernel] = &[
    AggregateKernel { name: "min", accumulator: |a| single(a, false), state, groups: Some(|a| groups(a, false)) },
    AggregateKernel { name: "max", accumulator: |a| single(a, true), state, groups: Some(|a| groups(a, true)) },
];

fn state(args: &AggregateArgs) -> Vec<Arrow> {
    vec![args.return_type.clone()]
}

fn single(args: &AggregateArgs, max: bool) -> Result<Box<dyn Accumulator>> {
    Ok(Box::new(FloatExtreme { best: Vec::new(), ty: args.return_type.clone(), max }))
}

fn groups(args: &AggregateArgs, max: bool) -> Result<Box<dyn GroupsAccumulator>> {
    Ok(Box::new(FloatExtreme { best: Vec::new(), ty: args.return_type.clone(), max }))
}

/// The best value of each group; a float fits a double exactly.
#[derive(Debug)]
struct FloatExtreme {
    best: Vec<Option<f64>>,
    ty: Arrow,
    max: bool,
}

/// True if `a` is less than `b` as Spark orders: NaN last, zeros equal.
pub(crate) fn less(a: f64, b: f64) -> bool {
    a < b || (b.is_nan() && !a.is_nan())
}

impl FloatExtreme {
    fn take(&mut self, values: &ArrayRef, group: impl Fn(usize) -> usize, keep: impl Fn(usize) -> bool) -> Result<()> {
        let values = cast(values, &Arrow::Float64)?;
        let values = values.as_primitive::<Float64Type>();
        for (i, v) in values.values().iter().enumerate() {
            if values.is_null(i) || !keep(i) {
                continue;
            }
            let best = &mut self.best[group(i)];
            let better = match *best {
                None => true,
                Some(b) if self.max => less(b, *v),
                Some(b) => less(*v, b),
            };
            if better {
                *best = Some(*v);
            }
        }
        Ok(())
    }

    fn array(&self, best: Vec<Option<f64>>) -> Result<ArrayRef> {
        let array: ArrayRef = Arc::new(Float64Array::from(best));
        Ok(cast(&array, &self.ty)?)
    }
}

impl Accumulator for FloatExtreme {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.best.resize(1, None);
        self.take(&values[0], |_| 0, |_| true)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        ScalarValue::try_from_array(&self.array(vec![self.best.first().copied().flatten()])?, 0)
    }

    fn size(&self) -> usize {
        size_of_val(self) + 16
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![Accumulator::evaluate(self)?])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        Accumulator::update_batch(self, states)
    }
}

impl GroupsAccumulator for FloatExtreme {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        self.best.resize(total, None);
        self.take(&values[0], |i| group_indices[i], |i| filter.is_none_or(|f| f.is_valid(i) && f.value(i)))
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let best = emit_to.take_needed(&mut self.best);
        self.array(best)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(vec![GroupsAccumulator::evaluate(self, emit_to)?])
    }

    fn merge_batch(&mut self, values: &[ArrayRef], group_indices: &[usize], total: usize) -> Result<()> {
        GroupsAccumulator::update_batch(self, values, group_indices, None, total)
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let Some(filter) = filter else { return Ok(values.to_vec()) };
        let dropped = arrow::compute::not(&arrow::compute::prep_null_mask_filter(filter))?;
        Ok(vec![arrow::compute::nullif(&values[0], &dropped)?])
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.best.capacity() * size_of::<Option<f64>>()
    }
}

#[cfg(test)]
mod tests {
    use super::less;

    #[test]
    fn nan_is_greatest_and_zeros_are_equal() {
        for (a, b, expect) in [
            (1.0, 2.0, true),
            (f64::NAN, 1.0, false),
            (1.0, f64::NAN, true),
            (-0.0, 0.0, false),
            (f64::NAN, f64::NAN, false),
        ] {
            assert_eq!(less(a, b), expect, "{a} {b}");
        }
    }
}
