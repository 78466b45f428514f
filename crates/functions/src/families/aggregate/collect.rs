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

/// Keeps every row of the group.
pub struct Collect {
    types: Vec<Arrow>,
    columns: Vec<Vec<ArrayRef>>,
    rows: usize,
    /// Rows equal to an earlier one are dropped.
    distinct: bool,
    /// Rows at which duplicates are next removed early.
    compact_at: usize,
    finish: Finish,
}

const FIRST_COMPACTION: usize = 8192;

impl Collect {
    pub fn new(types: Vec<Arrow>, distinct: bool, finish: Finish) -> Self {
        let columns = vec![Vec::new(); types.len()];
        Collect { types, columns, rows: 0, distinct, compact_at: FIRST_COMPACTION, finish }
    }

    /// An accumulator whose result is `finish` of all rows.
    ///
    /// # Errors
    /// Never: kept fallible for the kernels' signature.
    pub fn boxed(
        args: &AggregateArgs,
        finish: fn(&[ArrayRef], &Finished) -> Result<ScalarValue>,
    ) -> Result<Box<dyn Accumulator>> {
        let context = Finished { return_type: args.return_type.clone(), options: args.options.clone() };
        Ok(Box::new(Collect::new(args.arg_types.clone(), false, Box::new(move |c| finish(c, &context)))))
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
        if self.distinct { distinct(&out) } else { Ok(out) }
    }

    fn push(&mut self, values: &[ArrayRef]) -> Result<()> {
        let rows = values.first().map_or(0, |v| v.len());
        if rows == 0 {
            return Ok(());
        }
        for (column, value) in self.columns.iter_mut().zip(values) {
            column.push(Arc::clone(value));
        }
        self.rows += rows;
        if self.distinct && self.rows >= self.compact_at {
            let all = self.all()?;
            self.rows = all.first().map_or(0, |v| v.len());
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
        let held: usize =
            self.columns.iter().flatten().map(|a| a.to_data().get_slice_memory_size().unwrap_or(0) + 64).sum();
        size_of_val(self) + held
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
                    column.remove(0);
                } else {
                    column[0] = column[0].slice(cut, len - cut);
                }
            }
            gone -= cut;
        }
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }
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
