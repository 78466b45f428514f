//! `skewness`, `kurtosis` and `corr` by running central moments, with Spark's rounding; bitwise aggregates.

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::{DataType as Arrow, Float64Type};
use datafusion::common::Result as DfResult;
use datafusion::functions_aggregate as df;
use datafusion::logical_expr::Accumulator;
use datafusion::scalar::ScalarValue;
use spark::Result;
use spark::types::DataType;

use super::{builtin, finish};
use crate::aggregate::{AggregateArgs, AggregateKernel};
use crate::call::Call;
use crate::coerce::Expected;
use crate::registry::{Build, Function};
use crate::typed::Typed;

/// Functions of this file.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "skewness", build: Build::Aggregate(moment) },
    Function { name: "kurtosis", build: Build::Aggregate(moment) },
    Function { name: "corr", build: Build::Aggregate(corr) },
    Function { name: "bit_and", build: Build::Aggregate(bits) },
    Function { name: "bit_or", build: Build::Aggregate(bits) },
    Function { name: "bit_xor", build: Build::Aggregate(bits) },
    Function { name: "product", build: Build::Aggregate(product) },
    Function { name: "pandas_skew", build: Build::Aggregate(adjusted_moment) },
    Function { name: "pandas_kurt", build: Build::Aggregate(adjusted_moment) },
];

/// Kernels of this file.
pub const KERNELS: &[AggregateKernel] = &[
    AggregateKernel { name: "skewness", accumulator: |a| moments(a, false), state: state_types, groups: None },
    AggregateKernel { name: "kurtosis", accumulator: |a| moments(a, true), state: state_types, groups: None },
    AggregateKernel {
        name: "product",
        accumulator: |_| Ok(Box::new(Product(None))),
        state: |_| vec![Arrow::Float64],
        groups: None,
    },
    AggregateKernel {
        name: "corr",
        accumulator: |a| Ok(Box::new(CoMoments { nan: super::undefined_is_nan(a), ..CoMoments::default() })),
        state: |_| vec![Arrow::Float64; 6],
        groups: None,
    },
    AggregateKernel { name: "pandas_skew", accumulator: |_| adjusted(false), state: state_types, groups: None },
    AggregateKernel { name: "pandas_kurt", accumulator: |_| adjusted(true), state: state_types, groups: None },
];

fn moment(mut call: Call) -> Result<Typed> {
    call.arity(1..=1)?;
    let name = call.display_name();
    call.expect(0, Expected::Type(DataType::Double))?;
    let kernel = &KERNELS[usize::from(call.name == "kurtosis")];
    Ok(super::finish_moment(call, kernel).named(name))
}

/// The moment of a sample, without bias, as pandas has it.
fn adjusted_moment(mut call: Call) -> Result<Typed> {
    call.arity(1..=1)?;
    let name = call.display_name();
    call.expect(0, Expected::Type(DataType::Double))?;
    let kernel = &KERNELS[if call.name == "pandas_kurt" { 5 } else { 4 }];
    Ok(finish(call, kernel, DataType::Double, true).named(name))
}

fn product(mut call: Call) -> Result<Typed> {
    call.arity(1..=1)?;
    let name = call.display_name();
    call.expect(0, Expected::Type(DataType::Double))?;
    Ok(finish(call, &KERNELS[2], DataType::Double, true).named(name))
}

fn corr(mut call: Call) -> Result<Typed> {
    call.arity(2..=2)?;
    let name = call.display_name();
    call.expect_all(&[Expected::Type(DataType::Double), Expected::Type(DataType::Double)])?;
    Ok(super::finish_moment(call, &KERNELS[3]).named(name))
}

fn bits(mut call: Call) -> Result<Typed> {
    call.arity(1..=1)?;
    let name = call.display_name();
    // A string is not made a number here.
    if call.args[0].ty.is_string() {
        return Err(call.unexpected_type(0, "\"INTEGRAL\""));
    }
    call.expect(0, Expected::Integral)?;
    let udaf = match call.name.as_str() {
        "bit_and" => df::bit_and_or_xor::bit_and_udaf(),
        "bit_or" => df::bit_and_or_xor::bit_or_udaf(),
        _ => df::bit_and_or_xor::bit_xor_udaf(),
    };
    let ty = call.args[0].ty.clone();
    let expr = builtin(&call, udaf, call.exprs(), false);
    Ok(Typed::new(expr, ty, true, name))
}

fn state_types(_: &AggregateArgs) -> Vec<Arrow> {
    vec![Arrow::Float64; 5]
}

fn moments(args: &AggregateArgs, fourth: bool) -> DfResult<Box<dyn Accumulator>> {
    Ok(Box::new(Moments { fourth, nan: super::undefined_is_nan(args), ..Default::default() }))
}

fn adjusted(fourth: bool) -> DfResult<Box<dyn Accumulator>> {
    Ok(Box::new(Moments { fourth, adjusted: true, ..Default::default() }))
}

/// Count, mean and central moments.
#[derive(Debug, Default)]
struct Moments {
    n: f64,
    mean: f64,
    m2: f64,
    m3: f64,
    m4: f64,
    fourth: bool,
    nan: bool,
    /// For the sample instead of the values themselves.
    adjusted: bool,
}

impl Moments {
    fn merge(&mut self, o: &Moments) {
        if o.n == 0.0 {
            return;
        }
        if self.n == 0.0 {
            *self = Moments { nan: self.nan, adjusted: self.adjusted, fourth: self.fourth, ..*o };
            return;
        }
        let (n1, n2) = (self.n, o.n);
        let n = n1 + n2;
        let delta = o.mean - self.mean;
        let per = delta / n;
        let m4 = self.m4
            + o.m4
            + per * per * per * delta * n1 * n2 * (n1 * n1 - n1 * n2 + n2 * n2)
            + 6.0 * per * per * (n1 * n1 * o.m2 + n2 * n2 * self.m2)
            + 4.0 * per * (n1 * o.m3 - n2 * self.m3);
        let m3 = self.m3 + o.m3 + per * per * delta * n1 * n2 * (n1 - n2) + 3.0 * per * (n1 * o.m2 - n2 * self.m2);
        self.m2 = self.m2 + o.m2 + delta * per * n1 * n2;
        (self.n, self.mean, self.m3, self.m4) = (n, self.mean + per * n2, m3, m4);
    }

    fn add(&mut self, x: f64) {
        let n = self.n + 1.0;
        let delta = x - self.mean;
        let per = delta / n;
        let mean = self.mean + per;
        let m2 = self.m2 + delta * (delta - per);
        let delta2 = delta * delta;
        let per2 = per * per;
        let m3 = self.m3 - 3.0 * per * m2 + delta * (delta2 - per2);
        let m4 = self.m4 - 4.0 * per * m3 - 6.0 * per2 * m2 + delta * (delta * delta2 - per * per2);
        *self = Moments { n, mean, m2, m3, m4, ..*self };
    }
}

impl Moments {
    /// Without bias, `None` of too few values.
    fn of_sample(&self) -> Option<f64> {
        /// What a spread of equal values may come to by rounding.
        const NOTHING: f64 = 1e-14;
        let n = self.n;
        let none = |moment: f64| if moment.abs() < NOTHING { 0.0 } else { moment };
        let (m2, m3, m4) = (none(self.m2), none(self.m3), none(self.m4));
        match self.fourth {
            _ if n < if self.fourth { 4.0 } else { 3.0 } => None,
            _ if m2 == 0.0 => Some(0.0),
            true => {
                let less = (n - 2.0) * (n - 3.0);
                let normal = 3.0 * (n - 1.0) * (n - 1.0) / less;
                Some(n * (n + 1.0) * (n - 1.0) * m4 / (less * m2 * m2) - normal)
            }
            false => Some((n - 1.0).sqrt() * (n / (n - 2.0)) * m3 / (m2 * m2 * m2).sqrt()),
        }
    }
}

impl Accumulator for Moments {
    /// The halves of a batch are added apart and merged, which rounds less than one long run, and as
    /// Spark does with the partitions of a small table.
    fn update_batch(&mut self, values: &[ArrayRef]) -> DfResult<()> {
        let values: Vec<f64> = values[0].as_primitive::<Float64Type>().iter().flatten().collect();
        if let [one] = values.as_slice() {
            self.add(*one);
            return Ok(());
        }
        let (first, second) = values.split_at(values.len() / 2);
        for half in [first, second] {
            let mut moments = Moments { fourth: self.fourth, ..Default::default() };
            half.iter().for_each(|x| moments.add(*x));
            self.merge(&moments);
        }
        Ok(())
    }

    fn evaluate(&mut self) -> DfResult<ScalarValue> {
        if self.adjusted {
            return Ok(ScalarValue::Float64(self.of_sample()));
        }
        let value = if self.n == 0.0 || self.m2 == 0.0 {
            (self.nan && self.n > 0.0).then_some(f64::NAN)
        } else if self.fourth {
            Some(self.n * self.m4 / (self.m2 * self.m2) - 3.0)
        } else {
            Some(self.n.sqrt() * self.m3 / (self.m2 * self.m2 * self.m2).sqrt())
        };
        Ok(ScalarValue::Float64(value))
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }

    fn state(&mut self) -> DfResult<Vec<ScalarValue>> {
        Ok([self.n, self.mean, self.m2, self.m3, self.m4].map(|v| ScalarValue::Float64(Some(v))).to_vec())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> DfResult<()> {
        let column = |i: usize| states[i].as_primitive::<Float64Type>();
        for row in 0..states[0].len() {
            let [n, mean, m2, m3, m4] = [0, 1, 2, 3, 4].map(|i| column(i).value(row));
            self.merge(&Moments { n, mean, m2, m3, m4, ..Default::default() });
        }
        Ok(())
    }
}

/// Count, means, and central moments of pairs.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct CoMoments {
    pub n: f64,
    pub x: f64,
    pub y: f64,
    pub xy: f64,
    pub xx: f64,
    pub yy: f64,
    pub nan: bool,
}

impl CoMoments {
    pub fn add(&mut self, x: f64, y: f64) {
        let n = self.n + 1.0;
        let (dx, dy) = (x - self.x, y - self.y);
        let (mean_x, mean_y) = (self.x + dx / n, self.y + dy / n);
        self.xy += dx * (y - mean_y);
        self.xx += dx * (x - mean_x);
        self.yy += dy * (y - mean_y);
        (self.n, self.x, self.y) = (n, mean_x, mean_y);
    }

    pub fn merge(&mut self, o: &CoMoments) {
        if o.n == 0.0 {
            return;
        }
        if self.n == 0.0 {
            *self = CoMoments { nan: self.nan, ..*o };
            return;
        }
        let (n1, n2) = (self.n, o.n);
        let n = n1 + n2;
        let (dx, dy) = (o.x - self.x, o.y - self.y);
        let (per_x, per_y) = (dx / n, dy / n);
        *self = CoMoments {
            n,
            x: self.x + per_x * n2,
            y: self.y + per_y * n2,
            xy: self.xy + o.xy + dx * per_y * n1 * n2,
            xx: self.xx + o.xx + dx * per_x * n1 * n2,
            yy: self.yy + o.yy + dy * per_y * n1 * n2,
            nan: self.nan,
        };
    }

    /// What partial states carry.
    pub fn parts(&self) -> [f64; 6] {
        [self.n, self.x, self.y, self.xy, self.xx, self.yy]
    }

    /// The moments with these [`CoMoments::parts`].
    pub fn of([n, x, y, xy, xx, yy]: [f64; 6], nan: bool) -> Self {
        CoMoments { n, x, y, xy, xx, yy, nan }
    }

    fn correlation(&self) -> Option<f64> {
        if self.nan && self.n == 1.0 {
            return Some(f64::NAN);
        }
        let spread = (self.xx * self.yy).sqrt();
        (self.n > 1.0 && spread != 0.0).then(|| self.xy / spread)
    }
}

impl Accumulator for CoMoments {
    fn update_batch(&mut self, values: &[ArrayRef]) -> DfResult<()> {
        let (xs, ys) = (values[0].as_primitive::<Float64Type>(), values[1].as_primitive::<Float64Type>());
        for (x, y) in xs.iter().zip(ys) {
            if let (Some(x), Some(y)) = (x, y) {
                self.add(x, y);
            }
        }
        Ok(())
    }

    fn evaluate(&mut self) -> DfResult<ScalarValue> {
        Ok(ScalarValue::Float64(self.correlation()))
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }

    fn state(&mut self) -> DfResult<Vec<ScalarValue>> {
        Ok(self.parts().map(|v| ScalarValue::Float64(Some(v))).to_vec())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> DfResult<()> {
        let column = |i: usize| states[i].as_primitive::<Float64Type>();
        for row in 0..states[0].len() {
            self.merge(&CoMoments::of([0, 1, 2, 3, 4, 5].map(|i| column(i).value(row)), self.nan));
        }
        Ok(())
    }
}

/// The product of the values so far.
#[derive(Debug)]
struct Product(Option<f64>);

impl Accumulator for Product {
    fn update_batch(&mut self, values: &[ArrayRef]) -> DfResult<()> {
        for x in values[0].as_primitive::<Float64Type>().iter().flatten() {
            self.0 = Some(self.0.unwrap_or(1.0) * x);
        }
        Ok(())
    }

    fn evaluate(&mut self) -> DfResult<ScalarValue> {
        Ok(ScalarValue::Float64(self.0))
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }

    fn state(&mut self) -> DfResult<Vec<ScalarValue>> {
        Ok(vec![ScalarValue::Float64(self.0)])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> DfResult<()> {
        self.update_batch(states)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_of_a_batch_round_as_in_spark() {
        for (values, fourth, expect) in [
            (vec![1.0, 1.0, 2.0], true, -1.5),
            (vec![1.0, 1.0, 2.0], false, 0.7071067811865475),
            (vec![1.0, 1.0, 2.0, 5.0, 9.0], true, -0.8631858661304226),
            (vec![1.0, 1.0, 2.0, 5.0, 9.0], false, 0.8340916669618882),
        ] {
            let mut moments = Moments { fourth, ..Default::default() };
            let batch: ArrayRef = std::sync::Arc::new(arrow::array::Float64Array::from(values.clone()));
            moments.update_batch(&[batch]).expect("added");
            assert_eq!(moments.evaluate().expect("a value"), ScalarValue::Float64(Some(expect)), "{values:?}");
        }
    }

    #[test]
    fn correlation_in_one_go_and_merged() {
        for (pairs, expect) in [
            ((0..20).map(|i| (f64::from(i), 2.0 * f64::from(i))).collect::<Vec<_>>(), Some(1.0)),
            (vec![(1.0, 1.0), (1.0, 2.0)], None),
            (vec![(1.0, 1.0)], None),
            (vec![], None),
        ] {
            let of = |pairs: &[(f64, f64)]| {
                let mut moments = CoMoments::default();
                pairs.iter().for_each(|(x, y)| moments.add(*x, *y));
                moments
            };
            let (mut a, b) = (of(&pairs[..pairs.len() / 2]), of(&pairs[pairs.len() / 2..]));
            a.merge(&b);
            assert_eq!((of(&pairs).correlation(), a.correlation()), (expect, expect), "{pairs:?}");
        }
    }

    #[test]
    fn kurtosis_in_one_go_and_merged() {
        let all = [-10.0, -20.0, 100.0, 1000.0];
        let mut one = Moments { fourth: true, ..Default::default() };
        all.iter().for_each(|x| one.add(*x));
        let mut a = Moments { fourth: true, ..Default::default() };
        let mut b = Moments { fourth: true, ..Default::default() };
        all[..2].iter().for_each(|x| a.add(*x));
        all[2..].iter().for_each(|x| b.add(*x));
        a.merge(&b);
        for m in [&mut one, &mut a] {
            let ScalarValue::Float64(Some(v)) = m.evaluate().unwrap() else { panic!("no kurtosis") };
            assert!((v - -0.7014368047529627).abs() < 1e-12, "{v}");
        }
    }
}
