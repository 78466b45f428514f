//! `percentile_approx` with the Greenwald-Khanna summary that Spark keeps.

use arrow::array::ArrayRef;
use datafusion::common::Result as DfResult;
use datafusion::logical_expr::lit;
use datafusion::scalar::ScalarValue;
use serde::{Deserialize, Serialize};
use spark::types::DataType;
use spark::{Error, Result};

use super::collect::{Collect, Finished};
use super::kernel;
use super::percentile::{doubles, fractions, one_or_many};
use crate::aggregate::AggregateKernel;
use crate::call::Call;
use crate::coerce::{self, Expected};
use crate::families::rows::strict;
use crate::fold;
use crate::registry::{Build, Function};
use crate::typed::Typed;

/// Functions of this file.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "percentile_approx", build: Build::Aggregate(percentile_approx) },
    Function { name: "approx_percentile", build: Build::Aggregate(percentile_approx) },
];

/// Kernels of this file.
pub const KERNELS: &[AggregateKernel] = &[AggregateKernel {
    name: "percentile_approx",
    accumulator: |a| Collect::boxed(a, finish_approx),
    state: Collect::state_types,
    groups: None,
}];

#[derive(Serialize, Deserialize)]
struct Wanted {
    fractions: Vec<f64>,
    many: bool,
    accuracy: i64,
}

fn percentile_approx(mut call: Call) -> Result<Typed> {
    call.arity(2..=3)?;
    if call.args.len() == 2 {
        call.args.push(Typed::new(lit(10_000_i32), DataType::Integer, false, "10000"));
    }
    let name = call.display_name();
    if call.args[0].ty.is_timestamp_nanos() {
        call.expect(0, Expected::Type(DataType::Date))?;
    }
    let ty = call.args[0].ty.clone();
    if ty.is_string() || ty == DataType::Null {
        call.args[0] = coerce::cast_implicitly(&call.args[0], &DataType::Double, call.settings);
    } else if !(ty.is_numeric() || ty.is_ansi_interval() || ty.is_datetime()) {
        return Err(call.unexpected_type(
            0,
            "(\"NUMERIC\" or \"DATE\" or \"TIMESTAMP\" or \"TIMESTAMP_NTZ\" or \"INTERVAL DAY TO SECOND\" or \"INTERVAL YEAR TO MONTH\")",
        ));
    }
    let (fractions, many) = fractions(&call, 1)?;
    strict(&mut call, 2, Expected::Integral)?;
    if !call.args[2].foldable() {
        return Err(call
            .mismatch("NON_FOLDABLE_INPUT")
            .param("inputName", "`accuracy`")
            .param("inputType", format!("\"{}\"", call.args[2].ty.sql()))
            .param("inputExpr", format!("\"{}\"", call.args[2].name)));
    }
    let accuracy =
        fold::integer(&call.args[2]).ok_or_else(|| call.mismatch("UNEXPECTED_NULL").param("exprName", "accuracy"))?;
    if !(1..=i64::from(i32::MAX)).contains(&accuracy) {
        return Err(call
            .mismatch("VALUE_OUT_OF_RANGE")
            .param("exprName", "accuracy")
            .param("valueRange", "(0, 2147483647]")
            .param("currentValue", format!("{accuracy}L")));
    }
    let one = call.args[0].ty.clone();
    let ty = if many { DataType::array(one, false) } else { one };
    let extra =
        serde_json::to_string(&Wanted { fractions, many, accuracy }).map_err(|e| Error::internal(e.to_string()))?;
    let args = vec![call.args[0].expr.clone()];
    let expr = kernel(&call, &KERNELS[0], call.options().with_extra(extra), args, &ty);
    Ok(Typed::new(expr, ty, true, name))
}

/// A value with the rows it stands for: at least `g`, at most `g + delta`.
#[derive(Clone, Copy, Debug)]
struct Sample {
    value: f64,
    g: i64,
    delta: i64,
}

/// The summary of a stream of values.
#[derive(Default)]
struct Summary {
    samples: Vec<Sample>,
    head: Vec<f64>,
    count: i64,
    error: f64,
}

/// Values gathered before they are sorted into the summary.
const HEAD: usize = 50_000;
/// Samples above which the summary is compressed.
const COMPRESS: usize = 10_000;

impl Summary {
    fn insert(&mut self, value: f64) {
        self.head.push(value);
        if self.head.len() >= HEAD {
            self.sort_in();
            if self.samples.len() >= COMPRESS {
                self.compress();
            }
        }
    }

    fn sort_in(&mut self) {
        let mut head = std::mem::take(&mut self.head);
        head.sort_by(f64::total_cmp);
        let mut merged = Vec::with_capacity(self.samples.len() + head.len());
        let mut samples = self.samples.iter().copied().peekable();
        let mut count = self.count;
        for (i, value) in head.iter().enumerate() {
            while let Some(s) = samples.next_if(|s| s.value <= *value) {
                merged.push(s);
            }
            count += 1;
            let at_edge = merged.is_empty() || (i + 1 == head.len() && samples.peek().is_none());
            let delta = if at_edge { 0 } else { (2.0 * self.error * count as f64).floor() as i64 };
            merged.push(Sample { value: *value, g: 1, delta });
        }
        merged.extend(samples);
        self.samples = merged;
        self.count = count;
    }

    fn compress(&mut self) {
        self.sort_in();
        let threshold = 2.0 * self.error * self.count as f64;
        let Some(last) = self.samples.last().copied() else { return };
        let mut kept = Vec::new();
        let mut head = last;
        for s in self.samples[..self.samples.len() - 1].iter().skip(1).rev() {
            if ((s.g + head.g + head.delta) as f64) < threshold {
                head.g += s.g;
            } else {
                kept.push(head);
                head = *s;
            }
        }
        kept.push(head);
        let first = self.samples[0];
        if self.samples.len() > 1 && first.value <= head.value {
            kept.push(first);
        }
        kept.reverse();
        self.samples = kept;
    }

    /// The value at a fraction of the rows.
    fn query(&self, fraction: f64) -> f64 {
        let target = self.samples.iter().map(|s| s.delta + s.g).max().unwrap_or(0) as f64 / 2.0;
        let (Some(first), Some(last)) = (self.samples.first(), self.samples.last()) else { return f64::NAN };
        if fraction <= self.error {
            return first.value;
        }
        if fraction >= 1.0 - self.error {
            return last.value;
        }
        let rank = (fraction * self.count as f64).ceil();
        let mut least = 0;
        for (i, s) in self.samples.iter().enumerate() {
            least += s.g;
            let most = least + s.delta;
            let fits = most as f64 - target <= rank && rank <= least as f64 + target;
            if fits && i + 1 < self.samples.len() {
                return s.value;
            }
        }
        last.value
    }
}

fn finish_approx(columns: &[ArrayRef], context: &Finished) -> DfResult<ScalarValue> {
    let wanted: Wanted = context.parameters()?;
    let values = doubles(&columns[0])?;
    let mut summary = Summary { error: 1.0 / wanted.accuracy as f64, ..Default::default() };
    values.iter().flatten().for_each(|v| summary.insert(v));
    summary.compress();
    if summary.count == 0 {
        return context.null();
    }
    let results = wanted.fractions.iter().map(|f| summary.query(*f)).collect();
    one_or_many(results, wanted.many, context)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_as_recorded() {
        for (values, accuracy, fraction, expect) in [
            (vec![0.0, 1.0, 2.0, 10.0], 100, 0.5, 1.0),
            (vec![0.0, 1.0, 2.0, 10.0], 100, 0.4, 1.0),
            (vec![0.0, 1.0, 2.0, 10.0], 100, 0.1, 0.0),
            (vec![0.0, 1.0, 2.0, 10.0], 100, 0.7, 2.0),
            (vec![0.0, 6.0, 7.0, 9.0, 10.0], 100, 0.5, 7.0),
        ] {
            let mut summary = Summary { error: 1.0 / f64::from(accuracy), ..Default::default() };
            values.into_iter().for_each(|v| summary.insert(v));
            summary.compress();
            assert_eq!(summary.query(fraction), expect, "{fraction}");
        }
    }
}
