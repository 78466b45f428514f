//! Constants: which expressions are constant, and what they come to.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use datafusion::common::DFSchema;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::execution_props::ExecutionProps;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{ColumnarValue, Expr, Volatility};
use datafusion::physical_expr::create_physical_expr;
use datafusion::scalar::ScalarValue;
use spark::Result;

use crate::error::from_datafusion;
use crate::typed::Typed;

/// True if `expr` has no columns, subqueries, aggregates or volatile functions.
pub fn is_foldable(expr: &Expr) -> bool {
    let mut foldable = true;
    let walked = expr.apply(|e| {
        let varies = match e {
            Expr::Column(_)
            | Expr::OuterReferenceColumn(..)
            | Expr::ScalarSubquery(_)
            | Expr::Exists(_)
            | Expr::InSubquery(_)
            | Expr::AggregateFunction(_)
            | Expr::WindowFunction(_)
            | Expr::Placeholder(_) => true,
            Expr::ScalarFunction(f) => f.func.signature().volatility == Volatility::Volatile,
            _ => false,
        };
        if varies {
            foldable = false;
            return Ok(TreeNodeRecursion::Stop);
        }
        Ok(TreeNodeRecursion::Continue)
    });
    walked.is_ok() && foldable
}

/// The value of a constant expression.
///
/// # Errors
/// What evaluating it raises, or `INTERNAL_ERROR` if it is not constant.
pub fn evaluate(typed: &Typed) -> Result<ScalarValue> {
    if let Some(value) = typed.literal() {
        return Ok(value.clone());
    }
    evaluate_expr(&typed.expr)
}

fn evaluate_expr(expr: &Expr) -> Result<ScalarValue> {
    let run = || -> datafusion::common::Result<ScalarValue> {
        let physical = create_physical_expr(
            expr,
            &DFSchema::empty(),
            &ExecutionProps::new(),
            &PhysicalPlanningContext::default(),
        )?;
        let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(1));
        let batch = RecordBatch::try_new_with_options(Arc::new(Schema::empty()), vec![], &options)?;
        match physical.evaluate(&batch)? {
            ColumnarValue::Scalar(value) => Ok(value),
            ColumnarValue::Array(array) => ScalarValue::try_from_array(&array, 0),
        }
    };
    run().map_err(from_datafusion)
}

/// The value as a string, `None` if null or not a constant string.
pub fn string(typed: &Typed) -> Option<String> {
    if !typed.foldable() {
        return None;
    }
    match evaluate(typed).ok()? {
        ScalarValue::Utf8(v) | ScalarValue::LargeUtf8(v) | ScalarValue::Utf8View(v) => v,
        _ => None,
    }
}

/// The value as an integer, `None` if null or not a constant integer.
pub fn integer(typed: &Typed) -> Option<i64> {
    if !typed.foldable() {
        return None;
    }
    match evaluate(typed).ok()? {
        ScalarValue::Int8(v) => v.map(i64::from),
        ScalarValue::Int16(v) => v.map(i64::from),
        ScalarValue::Int32(v) => v.map(i64::from),
        ScalarValue::Int64(v) => v,
        _ => None,
    }
}
