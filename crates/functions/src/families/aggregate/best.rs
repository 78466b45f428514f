//! `max_by`, `min_by`: the value in the row where another is greatest or least.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::DataType as Arrow;
use datafusion::common::Result as DfResult;
use datafusion::logical_expr::Accumulator;
use datafusion::scalar::ScalarValue;
use spark::Result;
use spark::types::DataType;

use super::basic::is_orderable;
use super::collect::{Collect, Finished, one_list};
use super::kernel;
use crate::aggregate::{AggregateArgs, AggregateKernel};
use crate::call::Call;
use crate::coerce::Expected;
use crate::families::predicate::comparison_key;
use crate::fold;
use crate::registry::{Build, Function};
use crate::typed::Typed;
use crate::values;

/// Functions of this file.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "max_by", build: Build::Aggregate(by) },
    Function { name: "min_by", build: Build::Aggregate(by) },
];

/// Kernels of this file.
pub const KERNELS: &[AggregateKernel] = &[
    AggregateKernel { name: "max_by", accumulator: |a| best(a, true), state: |a| a.arg_types.clone(), groups: None },
    AggregateKernel { name: "min_by", accumulator: |a| best(a, false), state: |a| a.arg_types.clone(), groups: None },
    AggregateKernel {
        name: "max_by_k",
        accumulator: |a| Collect::boxed(a, |c, f| finish_k(c, f, true)),
        state: Collect::state_types,
        groups: None,
    },
    AggregateKernel {
        name: "min_by_k",
        accumulator: |a| Collect::boxed(a, |c, f| finish_k(c, f, false)),
        state: Collect::state_types,
        groups: None,
    },
];

fn by(mut call: Call) -> Result<Typed> {
    call.arity(2..=3)?;
    let name = call.display_name();
    let key = call.args[1].ty.clone();
    if !is_orderable(&key) {
        return Err(call
            .mismatch("INVALID_ORDERING_TYPE")
            .param("functionName", spark::types::quote_identifier(&call.name))
            .param("dataType", format!("\"{}\"", key.sql())));
    }
    let place = usize::from(call.name == "min_by");
    let value = call.args[0].ty.clone();
    let args = vec![call.args[0].expr.clone(), comparison_key(&call.args[1])];
    if call.args.len() == 2 {
        let expr = kernel(&call, &KERNELS[place], call.options(), args, &value);
        return Ok(Typed::new(expr, value, true, name));
    }
    call.expect(2, Expected::Type(DataType::Integer))?;
    if !call.args[2].foldable() {
        return Err(call
            .mismatch("NON_FOLDABLE_INPUT")
            .param("inputName", "k")
            .param("inputType", "int")
            .param("inputExpr", format!("\"{}\"", call.args[2].name)));
    }
    let k = fold::integer(&call.args[2]).unwrap_or(0);
    if !(1..=100_000).contains(&k) {
        return Err(call
            .mismatch("VALUE_OUT_OF_RANGE")
            .param("exprName", "`k`")
            .param("valueRange", "[1, 100000]")
            .param("currentValue", k.to_string()));
    }
    let ty = DataType::array(value, true);
    let expr = kernel(&call, &KERNELS[2 + place], call.options().with_extra(k.to_string()), args, &ty);
    Ok(Typed::new(expr, ty, true, name))
}

fn best(args: &AggregateArgs, max: bool) -> DfResult<Box<dyn Accumulator>> {
    let null = |i: usize| ScalarValue::try_from(&args.arg_types[i]);
    Ok(Box::new(Best { value: null(0)?, key: null(1)?, max }))
}

/// The best row so far.
#[derive(Debug)]
struct Best {
    value: ScalarValue,
    key: ScalarValue,
    max: bool,
}

impl Accumulator for Best {
    fn update_batch(&mut self, columns: &[ArrayRef]) -> DfResult<()> {
        let keys = &columns[1];
        if keys.len() == keys.null_count() || keys.data_type() == &Arrow::Null {
            return Ok(());
        }
        let rows = values::rows(std::slice::from_ref(keys))?;
        let mut winner: Option<usize> = None;
        for i in (0..keys.len()).filter(|i| keys.is_valid(*i)) {
            let better =
                winner.is_none_or(|w| if self.max { rows.row(i) >= rows.row(w) } else { rows.row(i) < rows.row(w) });
            if better {
                winner = Some(i);
            }
        }
        let Some(winner) = winner else { return Ok(()) };
        if !self.key.is_null() {
            let pair = values::rows_of(&[keys, &self.key.to_array()?])?;
            let (new, old) = (pair[0].row(winner), pair[1].row(0));
            if !(if self.max { new >= old } else { new < old }) {
                return Ok(());
            }
        }
        self.key = ScalarValue::try_from_array(keys, winner)?;
        self.value = ScalarValue::try_from_array(&columns[0], winner)?;
        self.key.compact();
        self.value.compact();
        Ok(())
    }

    fn evaluate(&mut self) -> DfResult<ScalarValue> {
        Ok(self.value.clone())
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.value.size() + self.key.size()
    }

    fn state(&mut self) -> DfResult<Vec<ScalarValue>> {
        Ok(vec![self.value.clone(), self.key.clone()])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> DfResult<()> {
        self.update_batch(states)
    }
}

/// The values of the best `k` rows, best first.
fn finish_k(columns: &[ArrayRef], context: &Finished, max: bool) -> DfResult<ScalarValue> {
    let k: usize = context.parameters()?;
    let keys = &columns[1];
    let rows = values::rows(std::slice::from_ref(keys))?;
    let mut places: Vec<u32> = (0..keys.len()).filter(|i| keys.is_valid(*i)).map(|i| i as u32).collect();
    if places.is_empty() {
        return context.null();
    }
    places.sort_by(|a, b| {
        let order = rows.row(*a as usize).cmp(&rows.row(*b as usize));
        if max { order.reverse() } else { order }
    });
    places.truncate(k);
    Ok(one_list(take(&Arc::clone(&columns[0]), &UInt32Array::from(places), None)?))
}
