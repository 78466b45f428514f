//! `first` and `last`: the value of the first or last row of the group.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::DataType as Arrow;
use datafusion::common::Result;
use datafusion::logical_expr::Accumulator;
use datafusion::scalar::ScalarValue;

use crate::aggregate::{AggregateArgs, AggregateKernel};

/// Kernels of this file.
pub const KERNELS: &[AggregateKernel] = &[
    AggregateKernel { name: "first", accumulator: |a| edge(a, false), state, groups: None },
    AggregateKernel { name: "last", accumulator: |a| edge(a, true), state, groups: None },
];

fn state(args: &AggregateArgs) -> Vec<Arrow> {
    vec![args.return_type.clone(), Arrow::Boolean]
}

fn edge(args: &AggregateArgs, last: bool) -> Result<Box<dyn Accumulator>> {
    let ignore_nulls = args.options.extra.as_deref() == Some("IGNORE NULLS");
    Ok(Box::new(Edge { value: ScalarValue::try_from(args.return_type)?, found: false, last, ignore_nulls }))
}

/// The value so far.
#[derive(Debug)]
struct Edge {
    value: ScalarValue,
    found: bool,
    last: bool,
    ignore_nulls: bool,
}

impl Edge {
    /// Takes the value of `row` if it comes first or last.
    fn take(&mut self, values: &ArrayRef, row: Option<usize>) -> Result<()> {
        if let Some(row) = row
            && (self.last || !self.found)
        {
            self.value = ScalarValue::try_from_array(values, row)?;
            self.value.compact();
            self.found = true;
        }
        Ok(())
    }
}

impl Accumulator for Edge {
    fn update_batch(&mut self, columns: &[ArrayRef]) -> Result<()> {
        if self.found && !self.last {
            return Ok(());
        }
        let values = &columns[0];
        let nulls = if self.ignore_nulls { values.logical_nulls() } else { None };
        let counts = |i: &usize| nulls.as_ref().is_none_or(|n| n.is_valid(*i));
        let row = if self.last { (0..values.len()).rev().find(counts) } else { (0..values.len()).find(counts) };
        self.take(values, row)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(self.value.clone())
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.value.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.value.clone(), ScalarValue::Boolean(Some(self.found))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let found = states[1].as_boolean();
        for row in 0..found.len() {
            let row = (found.is_valid(row) && found.value(row)).then_some(row);
            self.take(&states[0], row)?;
        }
        Ok(())
    }
}
