//! A window function that knows by itself how it treats nulls and which way it looks.
//!
//! DataFusion keeps both beside the function, where its wire form forgets them: an executor would
//! respect the nulls that were to be ignored, and look the wrong way where the planner has turned the
//! rows around to spare a sort. A [`DirectedWindow`] has them inside.

use std::sync::Arc;

use arrow::compute::SortOptions;
use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{DataFusionError, Result};
use datafusion::functions_window::all_default_window_functions;
use datafusion::logical_expr::function::{
    ExpressionArgs, PartitionEvaluatorArgs, WindowFunctionSimplification, WindowUDFFieldArgs,
};
use datafusion::logical_expr::{
    Documentation, LimitEffect, PartitionEvaluator, ReversedUDWF, Signature, WindowUDF, WindowUDFImpl,
};
use datafusion::physical_expr::PhysicalExpr;

/// The function; see the module.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DirectedWindow {
    inner: Arc<WindowUDF>,
    ignore_nulls: bool,
    is_reversed: bool,
}

impl DirectedWindow {
    /// `inner` with nulls respected or ignored.
    pub fn udwf(inner: Arc<WindowUDF>, ignore_nulls: bool) -> Arc<WindowUDF> {
        Arc::new(WindowUDF::from(DirectedWindow { inner, ignore_nulls, is_reversed: false }))
    }
}

// It delegates, so every method is here.
#[warn(clippy::missing_trait_methods)]
impl WindowUDFImpl for DirectedWindow {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn expressions(&self, args: ExpressionArgs) -> Vec<Arc<dyn PhysicalExpr>> {
        self.inner.expressions(args)
    }

    fn partition_evaluator(&self, args: PartitionEvaluatorArgs) -> Result<Box<dyn PartitionEvaluator>> {
        let (exprs, fields) = (args.input_exprs(), args.input_fields());
        let directed = PartitionEvaluatorArgs::new(exprs, fields, self.is_reversed, self.ignore_nulls);
        self.inner.partition_evaluator_factory(directed)
    }

    fn simplify(&self) -> Option<WindowFunctionSimplification> {
        // It would put the function itself in the place of this one.
        None
    }

    fn field(&self, args: WindowUDFFieldArgs) -> Result<FieldRef> {
        self.inner.field(args)
    }

    fn sort_options(&self) -> Option<SortOptions> {
        self.inner.sort_options()
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(types)
    }

    fn reverse_expr(&self) -> ReversedUDWF {
        match self.inner.reverse_expr() {
            ReversedUDWF::Reversed(inner) => {
                let reversed = DirectedWindow { inner, is_reversed: !self.is_reversed, ..*self };
                ReversedUDWF::Reversed(Arc::new(WindowUDF::from(reversed)))
            }
            other => other,
        }
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }

    fn limit_effect(&self, args: &[Arc<dyn PhysicalExpr>]) -> LimitEffect {
        self.inner.inner().limit_effect(args)
    }
}

/// The wire form of a window function beside its name, `None` if it is not a [`DirectedWindow`].
pub fn encode(udwf: &WindowUDF) -> Option<Vec<u8>> {
    let inner: &dyn std::any::Any = udwf.inner().as_ref();
    let directed = inner.downcast_ref::<DirectedWindow>()?;
    Some(vec![u8::from(directed.ignore_nulls), u8::from(directed.is_reversed)])
}

/// The function of a name and its wire form.
///
/// # Errors
/// If there is no such function, or the bytes are not ours.
pub fn decode(name: &str, bytes: &[u8]) -> Result<Arc<WindowUDF>> {
    let unknown = || DataFusionError::Internal(format!("this process has no window function named {name}"));
    let inner = all_default_window_functions().into_iter().find(|f| f.name() == name).ok_or_else(unknown)?;
    match bytes {
        [] => Ok(inner),
        [ignore_nulls @ (0 | 1), is_reversed @ (0 | 1)] => {
            let (ignore_nulls, is_reversed) = (*ignore_nulls == 1, *is_reversed == 1);
            Ok(Arc::new(WindowUDF::from(DirectedWindow { inner, ignore_nulls, is_reversed })))
        }
        _ => Err(DataFusionError::Internal(format!("cannot decode the window function {name}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::functions_window::{lead_lag, nth_value};

    #[test]
    fn the_wire_form_leads_back() {
        for inner in [lead_lag::lag_udwf(), lead_lag::lead_udwf(), nth_value::nth_value_udwf()] {
            for ignore_nulls in [false, true] {
                let udwf = DirectedWindow::udwf(Arc::clone(&inner), ignore_nulls);
                let reversed = match udwf.reverse_expr() {
                    ReversedUDWF::Reversed(reversed) => reversed,
                    _ => panic!("{} can be reversed", inner.name()),
                };
                for udwf in [udwf, reversed] {
                    let bytes = encode(&udwf).expect("directed");
                    assert_eq!(decode(udwf.name(), &bytes).expect("ours"), udwf);
                }
            }
        }
        assert_eq!(encode(&lead_lag::lag_udwf()), None);
        assert!(decode("lag", &[2, 0]).is_err());
        assert!(decode("no_such_function", &[]).is_err());
    }
}
