//! `sum` and `avg` of doubles, added in the order of their rows as Spark adds them: rounding depends on it.
//!
//! A window frame that moves is added anew for each of its rows: a value that has left it (an infinity, one
//! that the others vanish beside) leaves nothing behind.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array};
use arrow::datatypes::{DataType as Arrow, Float64Type, Int64Type};
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::{Accumulator, EmitTo, GroupsAccumulator};
use datafusion::scalar::ScalarValue;

use crate::aggregate::{AggregateArgs, AggregateKernel};

/// Kernels of this file.
pub const KERNELS: &[AggregateKernel] = &[
    AggregateKernel {
        name: "float_sum",
        accumulator: |a| Ok(single(a, false)),
        state: state_types,
        groups: Some(|_| Ok(Box::new(FloatSums { average: false, cells: Vec::new() }))),
    },
    AggregateKernel {
        name: "float_avg",
        accumulator: |a| Ok(single(a, true)),
        state: state_types,
        groups: Some(|_| Ok(Box::new(FloatSums { average: true, cells: Vec::new() }))),
    },
];

fn state_types(_: &AggregateArgs) -> Vec<Arrow> {
    vec![Arrow::Float64, Arrow::Int64]
}

fn single(args: &AggregateArgs, average: bool) -> Box<dyn Accumulator> {
    if args.sliding {
        return Box::new(Frame { average, values: VecDeque::new() });
    }
    Box::new(FloatSum { average, cell: Cell::default() })
}

/// What a group's sum has come to.
#[derive(Debug, Clone, Copy, Default)]
struct Cell {
    sum: f64,
    count: i64,
}

impl Cell {
    #[inline(always)]
    fn add(&mut self, value: f64) {
        self.sum += value;
        self.count += 1;
    }

    /// Adds what was added elsewhere.
    fn merge(&mut self, other: Cell) {
        if other.count > 0 {
            self.sum += other.sum;
            self.count += other.count;
        }
    }

    fn result(self, average: bool) -> Option<f64> {
        (self.count > 0).then(|| if average { self.sum / self.count as f64 } else { self.sum })
    }
}

fn add_all(cell: &mut Cell, values: &Float64Array) {
    if values.null_count() == 0 {
        values.values().iter().for_each(|v| cell.sum += v);
        cell.count += values.len() as i64;
    } else {
        values.iter().flatten().for_each(|v| cell.add(v));
    }
}

/// The states' cells.
fn parts(states: &[ArrayRef]) -> Result<impl Iterator<Item = Cell>> {
    let [sums, counts] = states else { return internal_err!("a sum's state has two columns") };
    let (sums, counts) = (sums.as_primitive::<Float64Type>(), counts.as_primitive::<Int64Type>());
    Ok(sums.values().iter().zip(counts.values()).map(|(sum, count)| Cell { sum: *sum, count: *count }))
}

/// The sum of one group.
#[derive(Debug)]
struct FloatSum {
    average: bool,
    cell: Cell,
}

impl Accumulator for FloatSum {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        add_all(&mut self.cell, values[0].as_primitive::<Float64Type>());
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::Float64(self.cell.result(self.average)))
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![ScalarValue::Float64(Some(self.cell.sum)), ScalarValue::Int64(Some(self.cell.count))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        parts(states)?.for_each(|part| self.cell.merge(part));
        Ok(())
    }
}

/// The values of a frame that moves.
#[derive(Debug)]
struct Frame {
    average: bool,
    values: VecDeque<f64>,
}

impl Accumulator for Frame {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.values.extend(values[0].as_primitive::<Float64Type>().iter().flatten());
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let sum = self.values.iter().fold(0.0, |sum, v| sum + v);
        let cell = Cell { sum, count: self.values.len() as i64 };
        Ok(ScalarValue::Float64(cell.result(self.average)))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.values.capacity() * size_of::<f64>()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        internal_err!("a window frame has no state")
    }

    fn merge_batch(&mut self, _: &[ArrayRef]) -> Result<()> {
        internal_err!("window frames are not merged")
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let gone = values[0].len() - values[0].null_count();
        self.values.drain(..gone.min(self.values.len()));
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }
}

/// The sums of groups.
#[derive(Debug)]
struct FloatSums {
    average: bool,
    cells: Vec<Cell>,
}

fn add_rows(cells: &mut [Cell], values: &Float64Array, filter: Option<&BooleanArray>, group: impl Fn(usize) -> usize) {
    match (filter, values.nulls()) {
        (None, None) => values.values().iter().enumerate().for_each(|(row, v)| cells[group(row)].add(*v)),
        _ => {
            for (row, value) in values.iter().enumerate() {
                if let Some(value) = value
                    && filter.is_none_or(|f| f.is_valid(row) && f.value(row))
                {
                    cells[group(row)].add(value);
                }
            }
        }
    }
}

fn states(cells: &[Cell]) -> Vec<ArrayRef> {
    let sums = Float64Array::from_iter_values(cells.iter().map(|c| c.sum));
    let counts = Int64Array::from_iter_values(cells.iter().map(|c| c.count));
    vec![Arc::new(sums), Arc::new(counts)]
}

impl GroupsAccumulator for FloatSums {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        self.cells.resize(total, Cell::default());
        add_rows(&mut self.cells, values[0].as_primitive::<Float64Type>(), filter, |row| group_indices[row]);
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let cells = emit_to.take_needed(&mut self.cells);
        Ok(Arc::new(cells.iter().map(|c| c.result(self.average)).collect::<Float64Array>()))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(states(&emit_to.take_needed(&mut self.cells)))
    }

    fn merge_batch(&mut self, values: &[ArrayRef], group_indices: &[usize], total: usize) -> Result<()> {
        self.cells.resize(total, Cell::default());
        for (part, group) in parts(values)?.zip(group_indices) {
            self.cells[*group].merge(part);
        }
        Ok(())
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let values = values[0].as_primitive::<Float64Type>();
        let mut each = vec![Cell::default(); values.len()];
        add_rows(&mut each, values, filter, |row| row);
        Ok(states(&each))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.cells.capacity() * size_of::<Cell>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doubles(values: &[Option<f64>]) -> ArrayRef {
        Arc::new(Float64Array::from(values.to_vec()))
    }

    #[test]
    fn adds_in_the_order_of_rows() {
        let values: Vec<Option<f64>> = (0..100).map(|i| Some(f64::from(i) * 0.1)).collect();
        let expect = values.iter().flatten().fold(0.0, |sum, v| sum + v);
        let mut one = FloatSum { average: false, cell: Cell::default() };
        one.update_batch(&[doubles(&values)]).expect("added");
        assert_eq!(one.evaluate().expect("a sum"), ScalarValue::Float64(Some(expect)));

        let mut groups = FloatSums { average: true, cells: Vec::new() };
        groups.update_batch(&[doubles(&values)], &[1; 100], None, 2).expect("added");
        let states = GroupsAccumulator::state(&mut groups, EmitTo::All).expect("states");
        groups.merge_batch(&states, &[0, 1], 2).expect("merged");
        let averages = GroupsAccumulator::evaluate(&mut groups, EmitTo::All).expect("averages");
        assert_eq!(averages.as_ref(), doubles(&[None, Some(expect / 100.0)]).as_ref());
    }

    #[test]
    fn nothing_is_left_of_what_left_the_frame() {
        let mut frame = Frame { average: false, values: VecDeque::new() };
        for (added, gone, expect) in [
            (vec![Some(1e308), None], vec![], Some(1e308)),
            (vec![Some(2.0)], vec![Some(1e308), None], Some(2.0)),
            (vec![Some(f64::INFINITY)], vec![], Some(f64::INFINITY)),
            (vec![Some(3.0)], vec![Some(2.0), Some(f64::INFINITY)], Some(3.0)),
            (vec![], vec![Some(3.0)], None),
        ] {
            frame.update_batch(&[doubles(&added)]).expect("added");
            frame.retract_batch(&[doubles(&gone)]).expect("gone");
            assert_eq!(frame.evaluate().expect("a sum"), ScalarValue::Float64(expect), "{added:?} {gone:?}");
        }
    }
}
