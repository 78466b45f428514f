//! Covariance and linear regression by running moments of pairs, with Spark's rounding.

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::{DataType as Arrow, Float64Type};
use datafusion::common::Result as DfResult;
use datafusion::functions_aggregate as df;
use datafusion::logical_expr::{Accumulator, when};
use datafusion::scalar::ScalarValue;
use spark::Result;
use spark::types::DataType;

use super::basic::{as_type, avg};
use super::builtin;
use super::moments::CoMoments;
use super::spread::Cell;
use crate::aggregate::{AggregateArgs, AggregateKernel};
use crate::call::Call;
use crate::coerce::Expected;
use crate::error::from_datafusion;
use crate::registry::{Build, Function};
use crate::typed::Typed;

/// Functions of this file.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "covar_pop", build: Build::Aggregate(pair) },
    Function { name: "covar_samp", build: Build::Aggregate(pair) },
    Function { name: "regr_avgx", build: Build::Aggregate(average) },
    Function { name: "regr_avgy", build: Build::Aggregate(average) },
    Function { name: "regr_count", build: Build::Aggregate(count) },
    Function { name: "regr_intercept", build: Build::Aggregate(pair) },
    Function { name: "regr_r2", build: Build::Aggregate(pair) },
    Function { name: "regr_slope", build: Build::Aggregate(pair) },
    Function { name: "regr_sxx", build: Build::Aggregate(pair) },
    Function { name: "regr_sxy", build: Build::Aggregate(pair) },
    Function { name: "regr_syy", build: Build::Aggregate(pair) },
];

/// Kernels of this file.
pub const KERNELS: &[AggregateKernel] = &[
    kernel("covar_pop", |a| pairs(a, Measure::CovarPop)),
    kernel("covar_samp", |a| pairs(a, Measure::CovarSamp)),
    kernel("regr_intercept", |a| pairs(a, Measure::Intercept)),
    kernel("regr_r2", |a| pairs(a, Measure::R2)),
    kernel("regr_slope", |a| pairs(a, Measure::Slope)),
    kernel("regr_sxx", |a| pairs(a, Measure::Sxx)),
    kernel("regr_sxy", |a| pairs(a, Measure::Sxy)),
    kernel("regr_syy", |a| pairs(a, Measure::Syy)),
];

const fn kernel(
    name: &'static str,
    accumulator: fn(&AggregateArgs) -> DfResult<Box<dyn Accumulator>>,
) -> AggregateKernel {
    AggregateKernel { name, accumulator, state: |_| vec![Arrow::Float64; 12], groups: None }
}

fn pair(mut call: Call) -> Result<Typed> {
    call.arity(2..=2)?;
    let name = call.display_name();
    call.expect_all(&[Expected::Type(DataType::Double), Expected::Type(DataType::Double)])?;
    match KERNELS.iter().find(|k| k.name == call.name) {
        Some(kernel) => Ok(super::finish_moment(call, kernel).named(name)),
        None => Err(spark::Error::internal(format!("{} is no function of pairs", call.name))),
    }
}

/// Both numbers, as doubles unless they are to stay as they are.
fn numbers(call: &mut Call, as_doubles: bool) -> Result<()> {
    for i in 0..2 {
        call.expect(i, Expected::Numeric)?;
        if as_doubles {
            call.expect(i, Expected::Type(DataType::Double))?;
        }
    }
    Ok(())
}

/// `avg` of one side of the pairs that are whole.
fn average(mut call: Call) -> Result<Typed> {
    call.arity(2..=2)?;
    let name = call.display_name();
    let averaged = usize::from(call.name == "regr_avgx");
    let exact =
        call.args.iter().all(|a| a.ty.is_numeric()) && matches!(call.args[averaged].ty, DataType::Decimal { .. });
    numbers(&mut call, !exact)?;
    let there = call.args[0].expr.clone().is_not_null().and(call.args[1].expr.clone().is_not_null());
    let kept = when(there, call.args[averaged].expr.clone()).end().map_err(from_datafusion)?;
    let value = call.args.swap_remove(averaged);
    call.args = vec![Typed { expr: kept, nullable: true, ..value }];
    avg(call).map(|average| average.named(name))
}

fn count(mut call: Call) -> Result<Typed> {
    call.arity(2..=2)?;
    let name = call.display_name();
    numbers(&mut call, true)?;
    let expr = builtin(&call, df::regr::regr_count_udaf(), call.exprs(), false);
    Ok(Typed::new(as_type(expr, &DataType::Long), DataType::Long, false, name))
}

/// Which of the functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Measure {
    CovarPop,
    CovarSamp,
    Intercept,
    R2,
    Slope,
    Sxx,
    Sxy,
    Syy,
}

fn pairs(args: &AggregateArgs, measure: Measure) -> DfResult<Box<dyn Accumulator>> {
    let both = CoMoments { nan: super::undefined_is_nan(args), ..CoMoments::default() };
    Ok(Box::new(Pairs { measure, both, first: Cell::default(), second: Cell::default() }))
}

/// Moments of the first and the second arguments, and of both.
#[derive(Debug)]
struct Pairs {
    measure: Measure,
    both: CoMoments,
    first: Cell,
    second: Cell,
}

impl Pairs {
    fn add(&mut self, first: f64, second: f64) {
        // Rounding depends on which side is multiplied before its mean moves: that of the slope is the other.
        match self.measure {
            Measure::Slope | Measure::Intercept => self.both.add(second, first),
            _ => self.both.add(first, second),
        }
        self.first.add(first);
        self.second.add(second);
    }

    fn result(&self) -> Option<f64> {
        let both = &self.both;
        if both.n == 0.0 {
            return None;
        }
        let sloped = self.second.m2 != 0.0;
        match self.measure {
            Measure::CovarPop => Some(both.xy / both.n),
            Measure::CovarSamp if both.n == 1.0 => both.nan.then_some(f64::NAN),
            Measure::CovarSamp => Some(both.xy / (both.n - 1.0)),
            Measure::Slope => sloped.then(|| both.xy / self.second.m2),
            Measure::Intercept => sloped.then(|| both.y - both.xy / self.second.m2 * both.x),
            Measure::R2 if both.yy == 0.0 => None,
            // One value of the dependent variable everywhere is explained entirely.
            Measure::R2 if both.xx == 0.0 => Some(1.0),
            Measure::R2 => {
                let correlation = both.xy / (both.xx * both.yy).sqrt();
                Some(correlation * correlation)
            }
            Measure::Sxx => Some(self.second.m2),
            Measure::Sxy => Some(both.xy),
            Measure::Syy => Some(self.first.m2),
        }
    }
}

impl Accumulator for Pairs {
    fn update_batch(&mut self, values: &[ArrayRef]) -> DfResult<()> {
        let (first, second) = (values[0].as_primitive::<Float64Type>(), values[1].as_primitive::<Float64Type>());
        for pair in first.iter().zip(second) {
            if let (Some(first), Some(second)) = pair {
                self.add(first, second);
            }
        }
        Ok(())
    }

    fn evaluate(&mut self) -> DfResult<ScalarValue> {
        Ok(ScalarValue::Float64(self.result()))
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }

    fn state(&mut self) -> DfResult<Vec<ScalarValue>> {
        let (a, b) = (self.first, self.second);
        let parts = self.both.parts().into_iter().chain([a.n, a.mean, a.m2, b.n, b.mean, b.m2]);
        Ok(parts.map(|v| ScalarValue::Float64(Some(v))).collect())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> DfResult<()> {
        let column = |i: usize| states[i].as_primitive::<Float64Type>();
        for row in 0..states[0].len() {
            let cell = |at: usize| {
                let [n, mean, m2] = [at, at + 1, at + 2].map(|i| column(i).value(row));
                Cell { n, mean, m2 }
            };
            self.both.merge(&CoMoments::of([0, 1, 2, 3, 4, 5].map(|i| column(i).value(row)), self.both.nan));
            self.first.merge(&cell(6));
            self.second.merge(&cell(9));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(measure: Measure, rows: &[(f64, f64)]) -> Option<f64> {
        let empty = || Pairs { measure, both: CoMoments::default(), first: Cell::default(), second: Cell::default() };
        let mut whole = empty();
        rows.iter().for_each(|(a, b)| whole.add(*a, *b));
        let mut merged = empty();
        let state: Vec<ArrayRef> =
            whole.state().expect("a state").iter().map(|s| s.to_array().expect("an array")).collect();
        merged.merge_batch(&state).expect("merged");
        assert_eq!(merged.result(), whole.result(), "{measure:?} through its state");
        whole.result()
    }

    #[test]
    fn regression_of_points() {
        let rows = [(1.0, 1.0), (3.0, 2.0), (5.0, 3.0)];
        for (measure, expect) in [
            (Measure::Slope, 2.0),
            (Measure::Intercept, -1.0),
            (Measure::R2, 1.0),
            (Measure::Sxx, 2.0),
            (Measure::Sxy, 4.0),
            (Measure::Syy, 8.0),
            (Measure::CovarSamp, 2.0),
        ] {
            assert_eq!(measured(measure, &rows), Some(expect), "{measure:?}");
            assert_eq!(measured(measure, &[]), None, "{measure:?} of nothing");
        }
        assert_eq!(measured(Measure::R2, &[(1.0, 1.0), (1.0, 2.0)]), Some(1.0));
        assert_eq!(measured(Measure::R2, &[(1.0, 1.0), (2.0, 1.0)]), None);
        assert_eq!(measured(Measure::Slope, &[(1.0, 1.0), (2.0, 1.0)]), None);
        assert_eq!(measured(Measure::CovarSamp, &[(1.0, 1.0)]), None);
    }
}
