//! Accumulators that fold their rows into something small, a sketch or a summary, whose bytes are the partial
//! state: however many rows there are, no more than that is held.

use std::fmt::Debug;

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::DataType as Arrow;
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::Accumulator;
use datafusion::scalar::ScalarValue;

use crate::aggregate::AggregateArgs;

/// What rows are folded into.
pub trait Fold: Debug + Send + Sync {
    /// Adds the rows of a batch, one array an argument.
    ///
    /// # Errors
    /// If a value cannot be added.
    fn add(&mut self, columns: &[ArrayRef]) -> Result<()>;

    /// Adds what another has come to, as its [`Fold::bytes`].
    ///
    /// # Errors
    /// If the bytes are not those of one like this.
    fn merge(&mut self, bytes: &[u8]) -> Result<()>;

    /// What the rows have come to so far.
    fn bytes(&mut self) -> Vec<u8>;

    /// The aggregate's result.
    ///
    /// # Errors
    /// If there is none.
    fn result(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::Binary(Some(self.bytes())))
    }

    /// Bytes held.
    fn size(&self) -> usize;
}

/// The accumulator of a fold.
#[derive(Debug)]
struct Folding<F>(F);

/// The fold as an accumulator.
///
/// # Errors
/// Never: kept fallible for the kernels' signature.
pub fn boxed<F: Fold + 'static>(fold: F) -> Result<Box<dyn Accumulator>> {
    Ok(Box::new(Folding(fold)))
}

/// The state's types: the bytes.
pub fn state_types(_: &AggregateArgs) -> Vec<Arrow> {
    vec![Arrow::Binary]
}

/// The kernel's own parameters.
///
/// # Errors
/// If analysis gave none, or others.
pub fn parameters<T: serde::de::DeserializeOwned>(args: &AggregateArgs) -> Result<T> {
    serde_json::from_str(args.options.extra.as_deref().unwrap_or("null"))
        .or_else(|e| internal_err!("an aggregate's parameters: {e}"))
}

impl<F: Fold + 'static> Accumulator for Folding<F> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.0.add(values)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.0.result()
    }

    fn size(&self) -> usize {
        self.0.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![ScalarValue::Binary(Some(self.0.bytes()))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let [states] = states else { return internal_err!("a fold's state has one column") };
        states.as_binary::<i32>().iter().flatten().try_for_each(|bytes| self.0.merge(bytes))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Asserts that rows in one go and rows in two parts come to the same.
    pub(crate) fn agrees_in_parts<F: Fold>(make: impl Fn() -> F, parts: [&[ArrayRef]; 2]) {
        let mut whole = make();
        let mut merged = make();
        for columns in parts {
            whole.add(columns).expect("added");
            let mut part = make();
            part.add(columns).expect("added");
            merged.merge(&part.bytes()).expect("merged");
        }
        assert_eq!(merged.result().expect("a result"), whole.result().expect("a result"));
    }
}
