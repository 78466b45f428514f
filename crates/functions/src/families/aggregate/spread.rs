//! Variance and standard deviation by running central moments, with Spark's rounding.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array};
use arrow::datatypes::{DataType as Arrow, Float64Type};
use datafusion::common::Result as DfResult;
use datafusion::logical_expr::{Accumulator, EmitTo, GroupsAccumulator};
use datafusion::scalar::ScalarValue;
use spark::Result;
use spark::types::DataType;

use crate::aggregate::{AggregateArgs, AggregateKernel};
use crate::call::Call;
use crate::coerce::Expected;
use crate::registry::{Build, Function};
use crate::typed::Typed;

/// Functions of this file.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "stddev", build: Build::Aggregate(spread) },
    Function { name: "std", build: Build::Aggregate(spread) },
    Function { name: "stddev_samp", build: Build::Aggregate(spread) },
    Function { name: "stddev_pop", build: Build::Aggregate(spread) },
    Function { name: "variance", build: Build::Aggregate(spread) },
    Function { name: "var_samp", build: Build::Aggregate(spread) },
    Function { name: "var_pop", build: Build::Aggregate(spread) },
];

/// Kernels of this file.
pub const KERNELS: &[AggregateKernel] = &[
    kernel("var_pop", |_| single(VAR_POP), |_| groups(VAR_POP)),
    kernel("var_samp", |a| single(VAR_SAMP.by(a)), |a| groups(VAR_SAMP.by(a))),
    kernel("stddev_pop", |_| single(STDDEV_POP), |_| groups(STDDEV_POP)),
    kernel("stddev_samp", |a| single(STDDEV_SAMP.by(a)), |a| groups(STDDEV_SAMP.by(a))),
];

const VAR_POP: Measure = Measure { sample: false, root: false, nan: false };
const VAR_SAMP: Measure = Measure { sample: true, ..VAR_POP };
const STDDEV_POP: Measure = Measure { root: true, ..VAR_POP };
const STDDEV_SAMP: Measure = Measure { sample: true, ..STDDEV_POP };

const fn kernel(
    name: &'static str,
    accumulator: fn(&AggregateArgs) -> DfResult<Box<dyn Accumulator>>,
    groups: fn(&AggregateArgs) -> DfResult<Box<dyn GroupsAccumulator>>,
) -> AggregateKernel {
    AggregateKernel { name, accumulator, state: |_| vec![Arrow::Float64; 3], groups: Some(groups) }
}

fn spread(mut call: Call) -> Result<Typed> {
    call.arity(1..=1)?;
    call.expect(0, Expected::Type(DataType::Double))?;
    let kernel = match call.name.as_str() {
        "var_pop" => &KERNELS[0],
        "variance" | "var_samp" => &KERNELS[1],
        "stddev_pop" => &KERNELS[2],
        _ => &KERNELS[3],
    };
    let name = call.display_name();
    Ok(super::finish_moment(call, kernel).named(name))
}

/// Which of the four functions.
#[derive(Debug, Clone, Copy)]
struct Measure {
    sample: bool,
    root: bool,
    /// Of a single value it is no number, rather than null.
    nan: bool,
}

impl Measure {
    /// As the call asks for it.
    fn by(self, args: &AggregateArgs) -> Self {
        Measure { nan: super::undefined_is_nan(args), ..self }
    }
}

/// Count, mean, and the sum of squared distances from it.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Cell {
    pub n: f64,
    pub mean: f64,
    pub m2: f64,
}

impl Cell {
    pub fn add(&mut self, x: f64) {
        let n = self.n + 1.0;
        let delta = x - self.mean;
        let per = delta / n;
        *self = Cell { n, mean: self.mean + per, m2: self.m2 + delta * (delta - per) };
    }

    pub fn merge(&mut self, o: &Cell) {
        if o.n == 0.0 {
            return;
        }
        let n = self.n + o.n;
        let delta = o.mean - self.mean;
        let per = delta / n;
        *self = Cell { n, mean: self.mean + per * o.n, m2: self.m2 + o.m2 + delta * per * self.n * o.n };
    }

    fn result(&self, measure: Measure) -> Option<f64> {
        if measure.nan && self.n == 1.0 {
            return Some(f64::NAN);
        }
        let n = if measure.sample { self.n - 1.0 } else { self.n };
        let variance = (n > 0.0).then(|| self.m2 / n)?;
        Some(if measure.root { variance.sqrt() } else { variance })
    }
}

fn single(measure: Measure) -> DfResult<Box<dyn Accumulator>> {
    Ok(Box::new(Spread { cell: Cell::default(), measure }))
}

fn groups(measure: Measure) -> DfResult<Box<dyn GroupsAccumulator>> {
    Ok(Box::new(Spreads { cells: Vec::new(), measure }))
}

#[derive(Debug)]
struct Spread {
    cell: Cell,
    measure: Measure,
}

impl Accumulator for Spread {
    /// The halves of a batch are added apart and merged, which rounds less than one long run, and as
    /// Spark does with the partitions of a small table.
    fn update_batch(&mut self, values: &[ArrayRef]) -> DfResult<()> {
        let values: Vec<f64> = values[0].as_primitive::<Float64Type>().iter().flatten().collect();
        let (first, second) = values.split_at(values.len() / 2);
        for half in [first, second] {
            let mut part = Cell::default();
            half.iter().for_each(|x| part.add(*x));
            self.cell.merge(&part);
        }
        Ok(())
    }

    fn evaluate(&mut self) -> DfResult<ScalarValue> {
        Ok(ScalarValue::Float64(self.cell.result(self.measure)))
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }

    fn state(&mut self) -> DfResult<Vec<ScalarValue>> {
        Ok([self.cell.n, self.cell.mean, self.cell.m2].map(|v| ScalarValue::Float64(Some(v))).to_vec())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> DfResult<()> {
        for part in parts(states) {
            self.cell.merge(&part);
        }
        Ok(())
    }
}

fn parts(states: &[ArrayRef]) -> impl Iterator<Item = Cell> {
    let column = |i: usize| states[i].as_primitive::<Float64Type>();
    let (n, mean, m2) = (column(0), column(1), column(2));
    (0..n.len()).map(|row| Cell { n: n.value(row), mean: mean.value(row), m2: m2.value(row) })
}

/// [`Spread`] for each group.
#[derive(Debug)]
struct Spreads {
    cells: Vec<Cell>,
    measure: Measure,
}

fn add_rows(
    cells: &mut [Cell],
    values: &Float64Array,
    rows: std::ops::Range<usize>,
    group: impl Fn(usize) -> usize,
    filter: Option<&BooleanArray>,
) {
    for row in rows {
        if values.is_valid(row) && filter.is_none_or(|f| f.is_valid(row) && f.value(row)) {
            cells[group(row)].add(values.value(row));
        }
    }
}

fn states(cells: &[Cell]) -> Vec<ArrayRef> {
    let column = |f: fn(&Cell) -> f64| Arc::new(Float64Array::from_iter_values(cells.iter().map(f))) as ArrayRef;
    vec![column(|c| c.n), column(|c| c.mean), column(|c| c.m2)]
}

impl GroupsAccumulator for Spreads {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> DfResult<()> {
        self.cells.resize(total, Cell::default());
        let values = values[0].as_primitive::<Float64Type>();
        let (rows, group) = (values.len(), |row: usize| group_indices[row]);
        if total > rows {
            // Few rows of each group: halves are not worth their memory.
            add_rows(&mut self.cells, values, 0..rows, group, filter);
            return Ok(());
        }
        for half in [0..rows / 2, rows / 2..rows] {
            let mut each = vec![Cell::default(); total];
            add_rows(&mut each, values, half, group, filter);
            self.cells.iter_mut().zip(&each).for_each(|(cell, part)| cell.merge(part));
        }
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> DfResult<ArrayRef> {
        let cells = emit_to.take_needed(&mut self.cells);
        Ok(Arc::new(cells.iter().map(|c| c.result(self.measure)).collect::<Float64Array>()))
    }

    fn state(&mut self, emit_to: EmitTo) -> DfResult<Vec<ArrayRef>> {
        Ok(states(&emit_to.take_needed(&mut self.cells)))
    }

    fn merge_batch(&mut self, values: &[ArrayRef], group_indices: &[usize], total: usize) -> DfResult<()> {
        self.cells.resize(total, Cell::default());
        for (row, part) in parts(values).enumerate() {
            self.cells[group_indices[row]].merge(&part);
        }
        Ok(())
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> DfResult<Vec<ArrayRef>> {
        let values = values[0].as_primitive::<Float64Type>();
        let mut each = vec![Cell::default(); values.len()];
        add_rows(&mut each, values, 0..values.len(), |row| row, filter);
        Ok(states(&each))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.cells.capacity() * size_of::<Cell>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_as_spark() {
        for (values, expect) in [
            (vec![100_000_003.0, 100_000_004.0, 100_000_006.0, 100_000_007.0], Some(2.5)),
            (vec![7_000_000_000_005.0, 7_000_000_000_007.0], Some(1.0)),
            (vec![], None),
            (vec![3.0], Some(0.0)),
        ] {
            let values: ArrayRef = Arc::new(Float64Array::from(values));
            let mut spread = Spread { cell: Cell::default(), measure: VAR_POP };
            assert!(spread.update_batch(&[values]).is_ok());
            assert_eq!(spread.cell.result(VAR_POP), expect);
        }
    }

    #[test]
    fn infinity_has_no_spread() {
        let mut cell = Cell::default();
        cell.add(f64::INFINITY);
        assert!(cell.result(VAR_POP).is_some_and(f64::is_nan));
        assert_eq!(cell.result(VAR_SAMP), None);
    }
}
