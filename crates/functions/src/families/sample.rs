//! What `df.sample` draws: Spark's samplers, so that a seed takes the rows that Spark takes.
//!
//! Like the generators of [`super::random`], a sampler depends on the partition and runs on from row to
//! row. Rows that are in this process as a whole are one partition here but several in Spark; a call can
//! say into how many runs Spark would cut them ([`Runs`]).

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use arrow::array::{Float64Array, Int32Array};
use datafusion::common::Result as DfResult;
use datafusion::logical_expr::{ColumnarValue, Expr, cast, lit};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use spark::types::DataType;
use spark::{Error, Result};

use super::random::{Position, XorShift};
use crate::call::Call;
use crate::kernel::{Kernel, KernelArgs, KernelUdf, Options};
use crate::registry::{Build, Function};
use crate::typed::Typed;
use crate::types::to_arrow;

/// What clients call by themselves.
pub const FUNCTIONS: &[Function] =
    &[Function { name: "distributed_sequence_id", build: Build::Scalar(distributed_sequence_id) }];

/// The number of a row in the whole result, from 0 (`df.zipWithIndex`).
fn distributed_sequence_id(call: Call) -> Result<Typed> {
    // Whether the numbers may be cached makes no difference to them.
    call.arity(0..=1)?;
    let number = cast(datafusion::functions_window::expr_fn::row_number(), arrow::datatypes::DataType::Int64);
    Ok(Typed::new(number - lit(1_i64), DataType::Long, false, "distributed_sequence_id()"))
}

/// What the plans of samples run.
pub const KERNELS: &[Kernel] = &[NUMBER, COUNT, RUN];

const NUMBER: Kernel = Kernel::volatile("sample_number", number_kernel);
const COUNT: Kernel = Kernel::volatile("sample_count", count_kernel);
const RUN: Kernel = Kernel::volatile("sample_run", run_kernel);

/// How Spark would cut rows that are one partition here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Runs {
    pub rows: i64,
    pub runs: i64,
}

impl Runs {
    /// The run of row `row`, and the first row of that run and of the next.
    fn of(self, row: i64) -> (i64, i64, i64) {
        let (rows, runs) = (self.rows.max(1), self.runs.max(1));
        let row = row.clamp(0, rows - 1);
        let run = ((row + 1) * runs - 1) / rows;
        (run, run * rows / runs, (run + 1) * rows / runs)
    }
}

/// A sampler's parameters, as they travel with the call.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Sampler {
    seed: i64,
    mean: f64,
    runs: Option<Runs>,
}

impl Sampler {
    fn call(self, kernel: &'static Kernel, ty: DataType) -> Result<Typed> {
        let extra = serde_json::to_string(&self).map_err(|e| Error::internal(e.to_string()))?;
        let options = Options::default().with_extra(extra);
        Ok(Typed::new(KernelUdf::call(kernel, to_arrow(&ty), options, Vec::new()), ty, false, kernel.name))
    }
}

/// True for what the plans of samples run: chance that Spark does not count among functions of chance.
pub fn draws(expr: &Expr) -> bool {
    matches!(expr, Expr::ScalarFunction(f) if KERNELS.iter().any(|k| k.name == f.func.name()))
}

/// For each row a number from 0 to 1, by which a sample without replacement decides.
///
/// # Errors
/// Never: the parameters can always be written.
pub fn number(seed: i64, runs: Option<Runs>) -> Result<Typed> {
    Sampler { seed, mean: 0.0, runs }.call(&NUMBER, DataType::Double)
}

/// How often each row is in a sample with replacement.
///
/// # Errors
/// As [`number`].
pub fn count(seed: i64, mean: f64, runs: Option<Runs>) -> Result<Typed> {
    Sampler { seed, mean, runs }.call(&COUNT, DataType::Integer)
}

/// The run that each row belongs to.
///
/// # Errors
/// As [`number`].
pub fn run(runs: Runs) -> Result<Typed> {
    Sampler { seed: 0, mean: 0.0, runs: Some(runs) }.call(&RUN, DataType::Long)
}

fn parameters(args: &KernelArgs) -> DfResult<Sampler> {
    serde_json::from_str(args.extra()).or_else(|e| datafusion::common::internal_err!("the parameters of a sample: {e}"))
}

/// Where a generator stands before a row: parameters, run, row of the run.
type Place = (String, i64, i64);

/// Generators that have drawn the rows before a place; they only save drawing those again.
type Drawn<G> = LazyLock<Mutex<HashMap<Place, G>>>;

static NUMBERS: Drawn<XorShift> = LazyLock::new(Mutex::default);
static COUNTS: Drawn<Poisson> = LazyLock::new(Mutex::default);

/// Places remembered at a time.
const REMEMBERED: usize = 256;

/// Draws a value for each row of the batch, each run with a generator of its own.
fn draw<G: Clone, T>(
    args: &KernelArgs,
    sampler: &Sampler,
    drawn: &Drawn<G>,
    new: impl Fn(i64) -> G,
    mut one: impl FnMut(&mut G) -> T,
) -> DfResult<Vec<T>> {
    let position = Position::of(args, 0)?;
    let positioned = args.args.len() >= 2;
    let mut out = Vec::with_capacity(args.rows);
    let (mut row, end) = (position.first_row, position.first_row + args.rows as i64);
    while row < end {
        let (run, first, next) = match sampler.runs {
            Some(runs) => runs.of(row),
            None => (i64::from(position.partition), 0, i64::MAX),
        };
        let place = |row: i64| (args.extra().to_string(), run, row - first);
        let remembered = drawn.lock().remove(&place(row));
        let mut generator = remembered.unwrap_or_else(|| {
            let mut generator = new(run);
            for _ in first..row {
                one(&mut generator);
            }
            generator
        });
        // The last run takes whatever rows there are beyond those announced.
        let stop = if next > row { next.min(end) } else { end };
        out.extend((row..stop).map(|_| one(&mut generator)));
        row = stop;
        if positioned && row == end {
            let mut drawn = drawn.lock();
            if drawn.len() >= REMEMBERED {
                drawn.clear();
            }
            drawn.insert(place(row), generator);
        }
    }
    Ok(out)
}

fn number_kernel(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let sampler = parameters(args)?;
    let new = |run: i64| XorShift::new(sampler.seed.wrapping_add(run));
    let values = draw(args, &sampler, &NUMBERS, new, XorShift::next_double)?;
    Ok(ColumnarValue::Array(Arc::new(Float64Array::from(values))))
}

fn count_kernel(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let sampler = parameters(args)?;
    let new = |run: i64| Poisson::new(sampler.mean, seed_of_run(sampler.seed, run));
    let values = draw(args, &sampler, &COUNTS, new, Poisson::sample)?;
    Ok(ColumnarValue::Array(Arc::new(Int32Array::from(values))))
}

fn run_kernel(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let runs = parameters(args)?.runs.unwrap_or(Runs { rows: 1, runs: 1 });
    let first = Position::of(args, 0)?.first_row;
    let values: arrow::array::Int64Array = (first..first + args.rows as i64).map(|row| runs.of(row).0).collect();
    Ok(ColumnarValue::Array(Arc::new(values)))
}

/// The seed of a partition: the numbers that Java's generator draws from the sample's seed, one after
/// the other.
fn seed_of_run(seed: i64, run: i64) -> i64 {
    const MULTIPLIER: i64 = 0x5_DEEC_E66D;
    const MASK: i64 = (1 << 48) - 1;
    let mut state = (seed ^ MULTIPLIER) & MASK;
    let mut half = || {
        state = state.wrapping_mul(MULTIPLIER).wrapping_add(0xB) & MASK;
        i64::from((state >> 16) as i32)
    };
    let mut drawn = 0;
    for _ in 0..=run {
        let high = half();
        drawn = (high << 32).wrapping_add(half());
    }
    drawn
}

/// The generator WELL19937c (Panneton, L'Ecuyer, Matsumoto 2006).
#[derive(Clone)]
struct Well {
    state: Box<[u32; 624]>,
    index: usize,
    spare_gaussian: Option<f64>,
}

impl Well {
    fn new(seed: i64) -> Self {
        let mut state = Box::new([0_u32; 624]);
        state[0] = (seed >> 32) as u32;
        state[1] = seed as u32;
        for i in 2..624 {
            let before = i64::from(state[i - 2].cast_signed());
            state[i] = 1_812_433_253_i64.wrapping_mul(before ^ (before >> 30)).wrapping_add(i as i64) as u32;
        }
        Well { state, index: 0, spare_gaussian: None }
    }

    fn next(&mut self, bits: u32) -> u32 {
        const N: usize = 624;
        let at = |offset: usize| (self.index + offset) % N;
        let (before, before_that) = (at(N - 1), at(N - 2));
        let v = &self.state;
        let (v0, m1, m2, m3) = (v[self.index], v[at(70)], v[at(179)], v[at(449)]);
        let z0 = (0x8000_0000 & v[before]) ^ (0x7FFF_FFFF & v[before_that]);
        let z1 = (v0 ^ (v0 << 25)) ^ (m1 ^ (m1 >> 27));
        let z2 = (m2 >> 9) ^ (m3 ^ (m3 >> 1));
        let z3 = z1 ^ z2;
        let mut z4 = z0 ^ (z1 ^ (z1 << 9)) ^ (z2 ^ (z2 << 21)) ^ (z3 ^ (z3 >> 21));
        self.state[self.index] = z3;
        self.state[before] = z4;
        self.state[before_that] &= 0x8000_0000;
        self.index = before;
        z4 ^= (z4 << 7) & 0xe46e_1700;
        z4 ^= (z4 << 15) & 0x9b86_8000;
        z4 >> (32 - bits)
    }

    fn next_double(&mut self) -> f64 {
        let high = u64::from(self.next(26)) << 26;
        (high | u64::from(self.next(26))) as f64 * (1.0 / (1_u64 << 52) as f64)
    }

    /// From the normal distribution, by the method of Box and Muller.
    fn next_gaussian(&mut self) -> f64 {
        if let Some(spare) = self.spare_gaussian.take() {
            return spare;
        }
        let angle = 2.0 * std::f64::consts::PI * self.next_double();
        let radius = (-2.0 * self.next_double().ln()).sqrt();
        self.spare_gaussian = Some(radius * angle.sin());
        radius * angle.cos()
    }

    /// From the exponential distribution of mean 1, by algorithm SA of Ahrens and Dieter (1972).
    fn next_exponential(&mut self) -> f64 {
        let steps: &[f64] = &EXPONENTIAL_STEPS;
        let mut whole = 0.0;
        let mut u = self.next_double();
        while u < 0.5 {
            whole += steps[0];
            u *= 2.0;
        }
        u += u - 1.0;
        if u <= steps[0] {
            return whole + u;
        }
        let mut least = self.next_double();
        for step in &steps[1..] {
            least = least.min(self.next_double());
            if u <= *step {
                break;
            }
        }
        whole + least * steps[0]
    }
}

/// Partial sums of the series of 2 = e^(ln 2), less its first term, up to 1.
static EXPONENTIAL_STEPS: LazyLock<Vec<f64>> = LazyLock::new(|| {
    let (mut sum, mut factorial, mut steps) = (0.0, 1.0, Vec::new());
    let mut i = 1;
    while sum < 1.0 && i <= 20 {
        factorial *= f64::from(i);
        sum += std::f64::consts::LN_2.powi(i) / factorial;
        steps.push(sum);
        i += 1;
    }
    steps
});

/// Draws from a Poisson distribution.
#[derive(Clone)]
struct Poisson {
    mean: f64,
    random: Well,
}

impl Poisson {
    fn new(mean: f64, seed: i64) -> Self {
        Poisson { mean, random: Well::new(seed) }
    }

    fn sample(&mut self) -> i32 {
        if self.mean <= 0.0 {
            return 0;
        }
        self.next(self.mean).min(i64::from(i32::MAX)) as i32
    }

    fn next(&mut self, mean: f64) -> i64 {
        /// From here on, products of numbers take longer than the other method.
        const LARGE: f64 = 40.0;
        if mean < LARGE { self.by_products(mean) } else { self.by_rejection(mean) }
    }

    fn by_products(&mut self, mean: f64) -> i64 {
        let threshold = (-mean).exp();
        let (mut n, mut product) = (0, 1.0);
        while (n as f64) < 1000.0 * mean {
            product *= self.random.next_double();
            if product < threshold {
                break;
            }
            n += 1;
        }
        n
    }

    /// Devroye's rejection method for large means.
    fn by_rejection(&mut self, mean: f64) -> i64 {
        let lambda = mean.floor();
        let fraction = mean - lambda;
        let rest = if fraction < f64::from_bits(1) { 0 } else { self.next(fraction) };
        let log_lambda = lambda.ln();
        let log_factorial = factorial_log(lambda);
        let delta = (lambda * (32.0 * lambda / std::f64::consts::PI + 1.0).ln()).sqrt();
        let span = 2.0 * lambda + delta;
        let a1 = (std::f64::consts::PI * span).sqrt() * (1.0 / (8.0 * lambda)).exp();
        let a2 = (span / delta) * (-delta * (1.0 + delta) / span).exp();
        let sum = a1 + a2 + 1.0;
        let (p1, p2) = (a1 / sum, a2 / sum);
        let y = loop {
            let u = self.random.next_double();
            let (x, y, v) = if u <= p1 {
                let n = self.random.next_gaussian();
                let x = n * (lambda + delta / 2.0).sqrt() - 0.5;
                if x > delta || x < -lambda {
                    continue;
                }
                let y = if x < 0.0 { x.floor() } else { x.ceil() };
                (x, y, -self.random.next_exponential() - n * n / 2.0 + 1.0 / (8.0 * lambda))
            } else if u > p1 + p2 {
                break lambda;
            } else {
                let x = delta + (span / delta) * self.random.next_exponential();
                (x, x.ceil(), -self.random.next_exponential() - delta * (x + 1.0) / span)
            };
            let below = if x < 0.0 { 1.0 } else { 0.0 };
            let t = y * (y + 1.0) / (2.0 * lambda);
            if v < -t && below == 0.0 {
                break lambda + y;
            }
            let qr = t * ((2.0 * y + 1.0) / (6.0 * lambda) - 1.0);
            let qa = qr - t * t / (3.0 * (lambda + below * (y + 1.0)));
            if v < qa {
                break lambda + y;
            }
            if v <= qr && v < y * log_lambda - factorial_log(y + lambda) + log_factorial {
                break lambda + y;
            }
        };
        rest + y as i64
    }
}

/// `ln(n!)`.
fn factorial_log(n: f64) -> f64 {
    let n = n as i64;
    if n <= 20 {
        return ((1..=n).product::<i64>() as f64).ln();
    }
    (2..=n).map(|i| (i as f64).ln()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_fall_into_runs_as_slices_of_a_list() {
        for (rows, runs, row, expect) in [
            (20, 2, 9, (0, 0, 10)),
            (20, 2, 10, (1, 10, 20)),
            (5, 2, 1, (0, 0, 2)),
            (5, 2, 2, (1, 2, 5)),
            (1, 1, 0, (0, 0, 1)),
            (40, 3, 13, (1, 13, 26)),
        ] {
            assert_eq!(Runs { rows, runs }.of(row), expect, "row {row} of {rows} in {runs}");
        }
    }

    #[test]
    fn seeds_of_partitions_are_javas() {
        assert_eq!(seed_of_run(42, 0), -5_025_562_857_975_149_833);
        assert_eq!(seed_of_run(42, 1), -5_843_495_416_241_995_736);
    }

    #[test]
    fn the_series_of_the_exponential_ends_at_one() {
        assert!(EXPONENTIAL_STEPS.len() >= 16);
        assert!((EXPONENTIAL_STEPS.last().copied().unwrap_or_default() - 1.0).abs() < 1e-15);
    }

    #[test]
    fn means_are_met() {
        for mean in [0.5, 3.0, 60.5] {
            let mut poisson = Poisson::new(mean, 7);
            let total: i64 = (0..20_000).map(|_| i64::from(poisson.sample())).sum();
            let average = total as f64 / 20_000.0;
            assert!((average - mean).abs() < 0.05 * mean, "{average} for {mean}");
        }
    }
}
