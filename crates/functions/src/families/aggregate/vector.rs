//! `vector_sum` and `vector_avg`: element by element.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float32Array, Int64Array};
use arrow::datatypes::{DataType as Arrow, Float32Type, Int64Type};
use datafusion::common::Result as DfResult;
use datafusion::logical_expr::Accumulator;
use datafusion::scalar::ScalarValue;
use spark::types::DataType;
use spark::{Error, Result};

use super::collect::one_list;
use super::finish;
use crate::aggregate::AggregateKernel;
use crate::call::Call;
use crate::error::fail;
use crate::families::vector::expect_vector;
use crate::registry::{Build, Function};
use crate::typed::Typed;
use crate::types::list_field;

/// Functions of this file.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "vector_sum", build: Build::Aggregate(|c| vector(c, &KERNELS[0])) },
    Function { name: "vector_avg", build: Build::Aggregate(|c| vector(c, &KERNELS[1])) },
];

/// Kernels of this file.
pub const KERNELS: &[AggregateKernel] = &[
    AggregateKernel {
        name: "vector_sum",
        accumulator: |_| Ok(Box::new(Vectors { average: false, ..Default::default() })),
        state,
        groups: None,
    },
    AggregateKernel {
        name: "vector_avg",
        accumulator: |_| Ok(Box::new(Vectors { average: true, ..Default::default() })),
        state,
        groups: None,
    },
];

fn state(_: &crate::aggregate::AggregateArgs) -> Vec<Arrow> {
    vec![Arrow::List(list_field(Arrow::Float32)), Arrow::Int64]
}

fn vector(call: Call, kernel: &'static AggregateKernel) -> Result<Typed> {
    call.arity(1..=1)?;
    expect_vector(&call, 0)?;
    Ok(finish(call, kernel, DataType::array(DataType::Float, false), true))
}

/// Sums or means of the elements so far, of as many vectors; those with a null inside do not count.
#[derive(Debug, Default)]
struct Vectors {
    average: bool,
    elements: Option<Vec<f32>>,
    count: i64,
}

impl Vectors {
    fn add(&mut self, other: &[f32], count: i64) -> DfResult<()> {
        let Some(mine) = &mut self.elements else {
            self.elements = Some(other.to_vec());
            self.count = count;
            return Ok(());
        };
        if mine.len() != other.len() {
            let name = if self.average { "`vector_avg`" } else { "`vector_sum`" };
            return fail(
                Error::runtime("VECTOR_DIMENSION_MISMATCH")
                    .param("functionName", name)
                    .param("leftDim", mine.len().to_string())
                    .param("rightDim", other.len().to_string()),
            );
        }
        self.count += count;
        // A running mean neither overflows nor needs the sum.
        let share = if self.average { count as f32 / self.count as f32 } else { 1.0 };
        for (a, b) in mine.iter_mut().zip(other) {
            *a += if self.average { (b - *a) * share } else { *b };
        }
        Ok(())
    }

    /// Adds every vector of a column, each with its weight.
    fn add_all(&mut self, column: &ArrayRef, counts: Option<&Int64Array>) -> DfResult<()> {
        let list = column.as_list::<i32>();
        for row in (0..list.len()).filter(|row| list.is_valid(*row)) {
            let values = list.value(row);
            let values = values.as_primitive::<Float32Type>();
            if values.null_count() == 0 {
                self.add(values.values(), counts.map_or(1, |c| c.value(row)))?;
            }
        }
        Ok(())
    }

    fn list(&self) -> DfResult<ScalarValue> {
        match &self.elements {
            Some(elements) => Ok(one_list(Arc::new(Float32Array::from(elements.clone())))),
            None => ScalarValue::try_from(&Arrow::List(list_field(Arrow::Float32))),
        }
    }
}

impl Accumulator for Vectors {
    fn update_batch(&mut self, values: &[ArrayRef]) -> DfResult<()> {
        self.add_all(&values[0], None)
    }

    fn evaluate(&mut self) -> DfResult<ScalarValue> {
        self.list()
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.elements.as_ref().map_or(0, |e| e.capacity() * size_of::<f32>())
    }

    fn state(&mut self) -> DfResult<Vec<ScalarValue>> {
        Ok(vec![self.list()?, ScalarValue::Int64(Some(self.count))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> DfResult<()> {
        self.add_all(&states[0], Some(states[1].as_primitive::<Int64Type>()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_and_means_merge() {
        for (average, expect) in [(false, [9.0f32, 12.0]), (true, [3.0, 4.0])] {
            let new = || Vectors { average, ..Default::default() };
            let (mut a, mut b) = (new(), new());
            a.add(&[1.0, 2.0], 1).expect("added");
            b.add(&[3.0, 4.0], 1).expect("added");
            b.add(&[5.0, 6.0], 1).expect("added");
            let state: Vec<ArrayRef> =
                b.state().expect("a state").iter().map(|s| s.to_array().expect("an array")).collect();
            a.merge_batch(&state).expect("merged");
            assert_eq!(a.elements.as_deref(), Some(expect.as_slice()));
            assert!(a.add(&[1.0], 1).is_err());
        }
    }
}
