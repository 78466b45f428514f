//! `percentile_approx` with the Greenwald-Khanna summary that Spark keeps.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType as Arrow;
use datafusion::common::{Result as DfResult, internal_err};
use datafusion::logical_expr::lit;
use datafusion::scalar::ScalarValue;
use serde::{Deserialize, Serialize};
use spark::types::DataType;
use spark::{Error, Result};

use super::folding::{self, Fold};
use super::kernel;
use super::percentile::{doubles, fractions, one_or_many};
use crate::aggregate::{AggregateArgs, AggregateKernel};
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
    accumulator: |a| folding::boxed(Percentiles::new(a)?),
    state: folding::state_types,
    groups: None,
}];

#[derive(Debug, Serialize, Deserialize)]
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
#[derive(Debug, Default)]
struct Summary {
    samples: Vec<Sample>,
    head: Vec<f64>,
    count: i64,
    error: f64,
    /// Nothing was inserted since it was compressed.
    compressed: bool,
}

/// Values gathered before they are sorted into the summary.
const HEAD: usize = 50_000;
/// Samples above which the summary is compressed.
const COMPRESS: usize = 10_000;

impl Summary {
    fn insert(&mut self, value: f64) {
        self.compressed = false;
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
        if self.compressed {
            return;
        }
        self.sort_in();
        self.compressed = true;
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

    /// Takes in the summary of other values: where samples of both meet, either's may be off by what the
    /// other leaves open.
    fn merge(&mut self, other: Summary) {
        self.compress();
        if other.count == 0 {
            return;
        }
        if self.count == 0 {
            *self = other;
            return;
        }
        let open = |s: &Summary| (2.0 * s.error * s.count as f64).floor() as i64;
        let (mine_off, theirs_off) = (open(&other), open(self));
        let mut merged = Vec::with_capacity(self.samples.len() + other.samples.len());
        let (mut mine, mut theirs) = (self.samples.as_slice(), other.samples.as_slice());
        while let ([m, mine_rest @ ..], [t, theirs_rest @ ..]) = (mine, theirs) {
            let begun = if m.value < t.value {
                mine = mine_rest;
                (m, theirs.len() < other.samples.len(), mine_off)
            } else {
                theirs = theirs_rest;
                (t, mine.len() < self.samples.len(), theirs_off)
            };
            let (sample, among, off) = begun;
            merged.push(Sample { delta: sample.delta + if among { off } else { 0 }, ..*sample });
        }
        merged.extend(mine.iter().chain(theirs));
        self.samples = merged;
        self.count += other.count;
        self.compressed = false;
        self.compress();
    }

    /// The count and the samples, eight bytes a number.
    fn to_bytes(&self) -> Vec<u8> {
        let samples =
            self.samples.iter().flat_map(|s| [s.value.to_le_bytes(), s.g.to_le_bytes(), s.delta.to_le_bytes()]);
        [self.count.to_le_bytes()].into_iter().chain(samples).flatten().collect()
    }

    /// The compressed summary with these [`Summary::to_bytes`].
    fn from_bytes(bytes: &[u8], error: f64) -> Option<Summary> {
        let (words, rest) = bytes.as_chunks::<8>();
        let (count, samples) = words.split_first()?;
        let (samples, odd) = samples.as_chunks::<3>();
        if !rest.is_empty() || !odd.is_empty() {
            return None;
        }
        let samples = samples.iter().map(|[value, g, delta]| Sample {
            value: f64::from_le_bytes(*value),
            g: i64::from_le_bytes(*g),
            delta: i64::from_le_bytes(*delta),
        });
        let (samples, count) = (samples.collect(), i64::from_le_bytes(*count));
        Some(Summary { samples, head: Vec::new(), count, error, compressed: true })
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

/// The aggregate: a summary and what is asked of it.
#[derive(Debug)]
struct Percentiles {
    wanted: Wanted,
    return_type: Arrow,
    summary: Summary,
}

impl Percentiles {
    fn new(args: &AggregateArgs) -> DfResult<Self> {
        let wanted: Wanted = folding::parameters(args)?;
        let summary = Summary { error: 1.0 / wanted.accuracy as f64, ..Default::default() };
        Ok(Percentiles { wanted, return_type: args.return_type.clone(), summary })
    }
}

impl Fold for Percentiles {
    fn add(&mut self, columns: &[ArrayRef]) -> DfResult<()> {
        doubles(&columns[0])?.iter().flatten().for_each(|v| self.summary.insert(v));
        Ok(())
    }

    fn merge(&mut self, bytes: &[u8]) -> DfResult<()> {
        match Summary::from_bytes(bytes, self.summary.error) {
            Some(other) => self.summary.merge(other),
            None => return internal_err!("the state of percentile_approx is no summary"),
        }
        Ok(())
    }

    fn bytes(&mut self) -> Vec<u8> {
        self.summary.compress();
        self.summary.to_bytes()
    }

    fn result(&mut self) -> DfResult<ScalarValue> {
        self.summary.compress();
        if self.summary.count == 0 {
            return ScalarValue::try_from(&self.return_type);
        }
        let results = self.wanted.fractions.iter().map(|f| self.summary.query(*f)).collect();
        one_or_many(results, self.wanted.many, &self.return_type)
    }

    fn size(&self) -> usize {
        // Twice: what was is held while it is merged with what comes.
        let held = 2 * self.summary.samples.capacity() * size_of::<Sample>();
        size_of_val(self) + held + self.summary.head.capacity() * size_of::<f64>()
    }
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

    #[test]
    fn parts_are_as_near_as_the_whole() {
        let error = 0.001;
        let mut whole = Summary { error, ..Default::default() };
        let mut merged = Summary { error, ..Default::default() };
        for part in 0..3 {
            let mut one = Summary { error, ..Default::default() };
            for i in 0..70_000_u32 {
                let value = f64::from(i.wrapping_mul(2_654_435_761).wrapping_add(part) % 100_000);
                one.insert(value);
                whole.insert(value);
            }
            one.compress();
            let state = Summary::from_bytes(&one.to_bytes(), error).expect("a summary");
            assert_eq!(state.to_bytes(), one.to_bytes());
            merged.merge(state);
        }
        whole.compress();
        assert_eq!(merged.count, 210_000);
        assert!(merged.samples.len() < 20_000, "{} samples", merged.samples.len());
        for fraction in [0.01, 0.25, 0.5, 0.99] {
            assert!((merged.query(fraction) - whole.query(fraction)).abs() <= 400.0, "{fraction}");
        }
        assert!(Summary::from_bytes(&[0; 9], error).is_none());
    }
}
