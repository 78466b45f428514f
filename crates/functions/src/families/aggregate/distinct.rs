//! `approx_count_distinct`: HyperLogLog++ over Spark's 64-bit hash, with Spark's choice of registers.

use std::f64::consts::LN_2;

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::{DataType as Arrow, Int64Type};
use datafusion::common::{Result as DfResult, exec_datafusion_err, exec_err};
use datafusion::logical_expr::{Accumulator, when};
use datafusion::scalar::ScalarValue;
use spark::types::DataType;
use spark::{Error, Result};

use super::kernel;
use crate::aggregate::AggregateKernel;
use crate::call::Call;
use crate::coerce::Expected;
use crate::error::from_datafusion;
use crate::families::hash;
use crate::fold;
use crate::kernel::KernelUdf;
use crate::registry::{Build, Function};
use crate::room::check_value;
use crate::typed::Typed;

/// Functions of this file.
pub const FUNCTIONS: &[Function] =
    &[Function { name: "approx_count_distinct", build: Build::Aggregate(count_distinct) }];

/// Kernels of this file.
pub const KERNELS: &[AggregateKernel] = &[AggregateKernel {
    name: "approx_count_distinct",
    accumulator: |args| {
        let bits = args.options.extra.as_deref().and_then(|t| t.parse().ok());
        let bits = bits.filter(|b| (4..=MAX_BITS).contains(b));
        let bits = bits.ok_or_else(|| exec_datafusion_err!("a sketch of distinct values has no size"))?;
        check_value(1 << bits)?;
        Ok(Box::new(Registers { bits, ranks: vec![0; 1 << bits] }))
    },
    state: |_| vec![Arrow::Binary],
    groups: None,
}];

/// The relative deviation that Spark aims at.
const DEFAULT_DEVIATION: f64 = 0.05;

/// More bits of the hash would leave too few to rank by; a deviation this small is not to be had anyway.
const MAX_BITS: u32 = 30;

fn count_distinct(mut call: Call) -> Result<Typed> {
    call.arity(1..=2)?;
    let deviation = if call.args.len() == 2 { deviation(&mut call)? } else { DEFAULT_DEVIATION };
    let bits = (2.0 * (1.106 / deviation).ln() / LN_2).ceil();
    let value = call.args[0].expr.clone();
    let hashed = KernelUdf::call(hash::XXHASH, Arrow::Int64, call.options(), vec![value.clone()]);
    // Nulls do not count.
    let hashed = when(value.is_not_null(), hashed).end().map_err(from_datafusion)?;
    let options = call.options().with_extra((bits as u32).clamp(4, MAX_BITS).to_string());
    let expr = kernel(&call, &KERNELS[0], options, vec![hashed], &DataType::Long);
    Ok(call.finish(expr, DataType::Long, false))
}

/// The second argument, which is then dropped.
fn deviation(call: &mut Call) -> Result<f64> {
    let literal =
        |arg: &Typed| matches!(arg.ty, DataType::Double | DataType::Decimal { .. }) && arg.literal().is_some();
    if !literal(&call.args[1]) {
        return Err(Error::analysis("_LEGACY_ERROR_TEMP_1104")
            .with_message("The relative error of approx_count_distinct is a fractional constant.")
            .at(call.origin.as_ref()));
    }
    call.expect(1, Expected::Type(DataType::Double))?;
    match fold::evaluate(&call.args[1])? {
        ScalarValue::Float64(Some(v)) if v > 0.0 && v <= 0.39 => {
            call.args.truncate(1);
            Ok(v)
        }
        _ => Err(Error::analysis("FAILED_FUNCTION_CALL")
            .param("funcName", "`approx_count_distinct`")
            .with_message("The relative error must be a constant between 0 and 0.39.")
            .at(call.origin.as_ref())),
    }
}

/// For each value of the first bits of a hash, the longest run of zeros behind them, plus one.
#[derive(Debug)]
struct Registers {
    bits: u32,
    ranks: Vec<u8>,
}

impl Registers {
    fn add(&mut self, hash: u64) {
        let index = (hash >> (64 - self.bits)) as usize;
        let rest = (hash << self.bits) | (1 << (self.bits - 1));
        let rank = rest.leading_zeros() as u8 + 1;
        self.ranks[index] = self.ranks[index].max(rank);
    }

    fn count(&self) -> i64 {
        let m = self.ranks.len() as f64;
        let sum: f64 = self.ranks.iter().map(|r| 2f64.powi(-i32::from(*r))).sum();
        let raw = alpha(self.bits) * m * m / sum;
        let empty = self.ranks.iter().filter(|r| **r == 0).count();
        if empty > 0 {
            let counted = m * (m / empty as f64).ln();
            if raw <= 2.5 * m || threshold(self.bits).is_some_and(|t| counted <= t) {
                return counted.round() as i64;
            }
        }
        let corrected = if threshold(self.bits).is_some() && raw < 5.0 * m { unbiased(raw, self.bits) } else { raw };
        corrected.round() as i64
    }
}

/// The constant that makes the estimate right for many values.
fn alpha(bits: u32) -> f64 {
    match bits {
        4 => 0.673,
        5 => 0.697,
        6 => 0.709,
        _ => 0.7213 / (1.0 + 1.079 / f64::from(1u32 << bits)),
    }
}

/// Up to which number of values counting the empty registers is the better estimate, as published with
/// HyperLogLog++ for 4 to 18 bits; with more the raw estimate needs no correction.
fn threshold(bits: u32) -> Option<f64> {
    const THRESHOLDS: [f64; 15] = [
        10.0, 20.0, 40.0, 80.0, 220.0, 400.0, 900.0, 1_800.0, 3_100.0, 6_500.0, 11_500.0, 20_000.0, 50_000.0,
        120_000.0, 350_000.0,
    ];
    THRESHOLDS.get(bits.checked_sub(4)? as usize).copied()
}

/// The number of values for which `raw` is what one expects.
fn unbiased(raw: f64, bits: u32) -> f64 {
    let (mut low, mut high) = (0.0, raw);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if expected(middle, bits) < raw { low = middle } else { high = middle }
    }
    low
}

/// The raw estimate that `n` values give on average: by the mean of the sum of the registers and, as it
/// stands in the denominator, their variance.
fn expected(n: f64, bits: u32) -> f64 {
    let m = f64::from(1u32 << bits);
    let ranks = 64 - bits as i32 + 1;
    // The chance that a register is at most `k`, and its slope in `n`, times `m`.
    let at_most = |k: i32| if k < ranks { (-n / m * 2f64.powi(-k)).exp() } else { 1.0 };
    let slope = |k: i32| if k < ranks { -at_most(k) * 2f64.powi(-k) } else { 0.0 };
    let (mut mean, mut square, mut change) = (0.0, 0.0, 0.0);
    let mut below = (0.0, 0.0);
    for k in 0..=ranks {
        let (weight, here) = (2f64.powi(-k), (at_most(k), slope(k)));
        mean += weight * (here.0 - below.0);
        square += weight * weight * (here.0 - below.0);
        change += weight * (here.1 - below.1);
        below = here;
    }
    let sum = m * mean;
    // That the values are a fixed number makes registers depend on each other.
    let variance = m * (square - mean * mean) - n * change * change;
    alpha(bits) * m * m / sum * (1.0 + variance / (sum * sum))
}

impl Accumulator for Registers {
    fn update_batch(&mut self, values: &[ArrayRef]) -> DfResult<()> {
        for hash in values[0].as_primitive::<Int64Type>().iter().flatten() {
            self.add(hash as u64);
        }
        Ok(())
    }

    fn evaluate(&mut self) -> DfResult<ScalarValue> {
        Ok(ScalarValue::Int64(Some(self.count())))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.ranks.capacity()
    }

    fn state(&mut self) -> DfResult<Vec<ScalarValue>> {
        Ok(vec![ScalarValue::Binary(Some(self.ranks.clone()))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> DfResult<()> {
        for ranks in states[0].as_binary::<i32>().iter().flatten() {
            if ranks.len() != self.ranks.len() {
                return exec_err!("sketches of {} and {} registers cannot be merged", ranks.len(), self.ranks.len());
            }
            for (mine, other) in self.ranks.iter_mut().zip(ranks) {
                *mine = (*mine).max(*other);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::Int64Array;

    use super::*;

    #[test]
    fn counts_as_recorded() {
        for (n, bits, expect) in [
            (0, 9, 0),
            (100, 9, 103),
            (600, 9, 612),
            (1500, 9, 1400),
            (3000, 9, 2770),
            (3000, 16, 2996),
            (3000, 4, 3016),
        ] {
            let ids: ArrayRef = Arc::new((0..n).collect::<Int64Array>());
            let hashes = hash::xxhash64(&[ids], n as usize).expect("hashes");
            let mut one = Registers { bits, ranks: vec![0; 1 << bits] };
            let mut halves = [0, 1].map(|_| Registers { bits, ranks: vec![0; 1 << bits] });
            for (i, h) in hashes.into_iter().enumerate() {
                one.add(h as u64);
                halves[i % 2].add(h as u64);
            }
            assert_eq!(one.count(), expect, "{n} values, {bits} bits");
            let [mut a, mut b] = halves;
            let state = b.state().and_then(|s| s[0].to_array()).expect("a state");
            a.merge_batch(&[state]).expect("merged");
            assert_eq!(a.ranks, one.ranks);
        }
    }

    #[test]
    fn the_bias_is_what_chance_makes_it() {
        for (n, bits, simulated) in [(600.0, 9, 736.6), (1000.0, 9, 1059.0), (1500.0, 9, 1517.0)] {
            assert!((expected(n, bits) / simulated - 1.0f64).abs() < 2e-3, "{n}");
        }
    }
}
