//! Accumulators that keep their input: for results that need all values at once (percentiles, lists),
//! for `DISTINCT` over kernels, and for sliding windows over accumulators that cannot retract.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, UInt32Array, new_empty_array};
use arrow::buffer::OffsetBuffer;
use arrow::compute::{concat, take};
use arrow::datatypes::DataType as Arrow;
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::Accumulator;
use datafusion::scalar::ScalarValue;

use crate::aggregate::AggregateArgs;
use crate::kernel::Options;
use crate::types::list_field;
use crate::values::rows;

/// Computes the result from all rows of the group, one array an argument.
pub type Finish = Box<dyn Fn(&[ArrayRef]) -> Result<ScalarValue> + Send + Sync>;

/// What a result is made for.
pub struct Finished {
    pub return_type: Arrow,
    pub options: Options,
}

impl Finished {
    /// The kernel's own parameters.
    ///
    /// # Errors
    /// If analysis gave none, or others.
    pub fn parameters<T: serde::de::DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_str(self.options.extra.as_deref().unwrap_or("null"))
            .or_else(|e| internal_err!("an aggregate's parameters: {e}"))
    }

    /// A null result.
    ///
    /// # Errors
    /// If the type has no scalars.
    pub fn null(&self) -> Result<ScalarValue> {
        ScalarValue::try_from(&self.return_type)
    }
}

/// Leaves out the rows that do not matter beside the others.
pub type Compact = fn(&[ArrayRef]) -> Result<Vec<ArrayRef>>;

/// What finishing takes beside the rows that are held, which is asked for while they are gathered: the end is
/// too late to find that memory is short.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    /// Copies of the values, those held included.
    pub copies: usize,
    /// Bytes for each row.
    pub per_row: usize,
}

impl Cost {
    /// The arrays of batches put together.
    const CONCATENATED: Cost = Cost { copies: 2, per_row: 0 };
    /// Besides, a table of the rows in a form that can be compared.
    pub const TABLE: Cost = Cost { copies: 4, per_row: 64 };
    /// Besides, numbers sorted with their counts.
    pub const SORTED: Cost = Cost { copies: 2, per_row: 48 };
}

/// Keeps every row of the group.
pub struct Collect {
    types: Vec<Arrow>,
    columns: Vec<Vec<ArrayRef>>,
    rows: usize,
    /// Bytes of the columns.
    held: usize,
    cost: Cost,
    /// Leaves out rows early.
    compact: Option<Compact>,
    /// Rows at which that is done next.
    compact_at: usize,
    finish: Finish,
}

const FIRST_COMPACTION: usize = 8192;

impl Collect {
    pub fn new(types: Vec<Arrow>, distinct: bool, finish: Finish) -> Self {
        let columns = vec![Vec::new(); types.len()];
        let (cost, compact) = match distinct {
            true => (Cost::TABLE, Some(self::distinct as Compact)),
            false => (Cost::CONCATENATED, None),
        };
        Collect { types, columns, rows: 0, held: 0, cost, compact, compact_at: FIRST_COMPACTION, finish }
    }

    /// [`Collect::boxed`] for a `finish` that takes more memory than the rows, of which `compact` leaves out
    /// those that do not matter.
    ///
    /// # Errors
    /// Never: kept fallible for the kernels' signature.
    pub fn costly(
        args: &AggregateArgs,
        cost: Cost,
        compact: Option<Compact>,
        finish: fn(&[ArrayRef], &Finished) -> Result<ScalarValue>,
    ) -> Result<Box<dyn Accumulator>> {
        let context = Finished { return_type: args.return_type.clone(), options: args.options.clone() };
        let plain = Collect::new(args.arg_types.clone(), false, Box::new(move |c| finish(c, &context)));
        Ok(Box::new(Collect { cost, compact, ..plain }))
    }

    /// An accumulator whose result is `finish` of all rows.
    ///
    /// # Errors
    /// Never: kept fallible for the kernels' signature.
    pub fn boxed(
        args: &AggregateArgs,
        finish: fn(&[ArrayRef], &Finished) -> Result<ScalarValue>,
    ) -> Result<Box<dyn Accumulator>> {
        Collect::costly(args, Cost::CONCATENATED, None, finish)
    }

    /// The state's types: a list for each argument.
    pub fn state_types(args: &AggregateArgs) -> Vec<Arrow> {
        args.arg_types.iter().map(|t| Arrow::List(list_field(t.clone()))).collect()
    }

    fn all(&self) -> Result<Vec<ArrayRef>> {
        let mut out = Vec::with_capacity(self.types.len());
        for (parts, ty) in self.columns.iter().zip(&self.types) {
            let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
            out.push(if parts.is_empty() { new_empty_array(ty) } else { concat(&parts)? });
        }
        match self.compact {
            Some(compact) => compact(&out),
            None => Ok(out),
        }
    }

    fn push(&mut self, values: &[ArrayRef]) -> Result<()> {
        let rows = values.first().map_or(0, |v| v.len());
        if rows == 0 {
            return Ok(());
        }
        for (column, value) in self.columns.iter_mut().zip(values) {
            self.held += held(value);
            column.push(Arc::clone(value));
        }
        self.rows += rows;
        if self.compact.is_some() && self.rows >= self.compact_at {
            let all = self.all()?;
            self.rows = all.first().map_or(0, |v| v.len());
            self.held = all.iter().map(held).sum();
            self.compact_at = FIRST_COMPACTION.max(self.rows * 2);
            self.columns = all.into_iter().map(|a| vec![a]).collect();
        }
        Ok(())
    }
}

/// The rows without those equal to an earlier one; NaN equals NaN and zeros are equal.
pub fn distinct(columns: &[ArrayRef]) -> Result<Vec<ArrayRef>> {
    let rows = rows(columns)?;
    let mut seen = std::collections::HashSet::with_capacity(rows.num_rows());
    let keep: Vec<u32> = (0..rows.num_rows()).filter(|&i| seen.insert(rows.row(i))).map(|i| i as u32).collect();
    if keep.len() == rows.num_rows() {
        return Ok(columns.to_vec());
    }
    let keep = UInt32Array::from(keep);
    Ok(columns.iter().map(|c| take(c, &keep, None)).collect::<Result<_, _>>()?)
}

impl std::fmt::Debug for Collect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Collect({} rows)", self.rows)
    }
}

impl Accumulator for Collect {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.push(values)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        (self.finish)(&self.all()?)
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.held * self.cost.copies + self.rows * self.cost.per_row
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(self.all()?.into_iter().map(one_list).collect())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let Some(first) = states.first() else { return internal_err!("an aggregate state without columns") };
        for row in 0..first.len() {
            let lists: Vec<ArrayRef> =
                states.iter().filter(|s| s.is_valid(row)).map(|s| s.as_list::<i32>().value(row)).collect();
            if lists.len() == states.len() {
                self.push(&lists)?;
            }
        }
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let mut gone = values.first().map_or(0, |v| v.len());
        self.rows -= gone.min(self.rows);
        while gone > 0 {
            let Some(len) = self.columns.first().and_then(|c| c.first()).map(|a| a.len()) else { break };
            let cut = gone.min(len);
            for column in &mut self.columns {
                if cut == len {
                    self.held = self.held.saturating_sub(held(&column.remove(0)));
                } else {
                    column[0] = column[0].slice(cut, len - cut);
                }
            }
            gone -= cut;
        }
        Ok(())
    }

    /// Rows that were left out for the sake of others cannot come back.
    fn supports_retract_batch(&self) -> bool {
        self.compact.is_none()
    }
}

/// Bytes of an array's values.
fn held(array: &ArrayRef) -> usize {
    array.to_data().get_slice_memory_size().unwrap_or(0) + 64
}

/// A list scalar of these values.
pub fn one_list(values: ArrayRef) -> ScalarValue {
    let list = ListArray::new(
        list_field(values.data_type().clone()),
        OffsetBuffer::from_lengths([values.len()]),
        values,
        None,
    );
    ScalarValue::List(Arc::new(list))
}
