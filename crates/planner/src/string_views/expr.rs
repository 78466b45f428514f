//! Expressions over strings that are views.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::datatypes::{DataType, Schema};
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::expressions::{
    BinaryExpr, CastExpr, Column, InListExpr, IsNotNullExpr, IsNullExpr, Literal, NotExpr,
};
use datafusion::physical_expr::utils::collect_columns;
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};
use functions::kernel::KernelUdf;

/// Kernels that look at their first argument in whatever layout it comes.
const LAYOUT_BLIND: &[&str] = &["like"];

fn is_column(expr: &Arc<dyn PhysicalExpr>, index: usize) -> bool {
    expr.downcast_ref::<Column>().is_some_and(|c| c.index() == index)
}

fn is_string(expr: &Arc<dyn PhysicalExpr>) -> bool {
    expr.downcast_ref::<Literal>().is_some_and(|l| matches!(l.value(), ScalarValue::Utf8(_)))
}

/// Whether `expr` looks at the column at `index`.
pub fn uses(expr: &Arc<dyn PhysicalExpr>, index: usize) -> bool {
    collect_columns(expr).iter().any(|c| c.index() == index)
}

fn is_comparison(op: &Operator) -> bool {
    use Operator::{Eq, Gt, GtEq, Lt, LtEq, NotEq};
    matches!(op, Eq | NotEq | Lt | LtEq | Gt | GtEq)
}

/// The call's arguments, if its kernel does not mind the layout of the first.
fn layout_blind(expr: &Arc<dyn PhysicalExpr>) -> Option<&[Arc<dyn PhysicalExpr>]> {
    let call = expr.downcast_ref::<ScalarFunctionExpr>()?;
    let udf = call.fun().inner().downcast_ref::<KernelUdf>()?;
    LAYOUT_BLIND.contains(&udf.kernel.name).then(|| call.args())
}

/// Whether all that `expr` does with a column works on views, once [`viewed`] has seen to it.
pub fn only_compared(expr: &Arc<dyn PhysicalExpr>, index: usize) -> bool {
    if !uses(expr, index) {
        return true;
    }
    if let Some(binary) = expr.downcast_ref::<BinaryExpr>() {
        let (l, r) = (binary.left(), binary.right());
        return match binary.op() {
            Operator::And | Operator::Or => only_compared(l, index) && only_compared(r, index),
            op if is_comparison(op) => (is_column(l, index) && is_string(r)) || (is_string(l) && is_column(r, index)),
            _ => false,
        };
    }
    if let Some(not) = expr.downcast_ref::<NotExpr>() {
        return only_compared(not.arg(), index);
    }
    if let Some(null) = expr.downcast_ref::<IsNullExpr>() {
        return is_column(null.arg(), index);
    }
    if let Some(null) = expr.downcast_ref::<IsNotNullExpr>() {
        return is_column(null.arg(), index);
    }
    if let Some(among) = expr.downcast_ref::<InListExpr>() {
        return is_column(among.expr(), index) && among.list().iter().all(is_string);
    }
    if let Some(args) = layout_blind(expr) {
        return is_column(&args[0], index) && args[1..].iter().all(|arg| !uses(arg, index));
    }
    false
}

/// The expression with strings that are compared with these columns as views; `schema` has them so.
pub fn viewed(
    expr: &Arc<dyn PhysicalExpr>,
    columns: &HashSet<usize>,
    schema: &Schema,
) -> Result<Arc<dyn PhysicalExpr>> {
    let is_view = |e: &Arc<dyn PhysicalExpr>| columns.iter().any(|c| is_column(e, *c));
    if let Some(binary) = expr.downcast_ref::<BinaryExpr>() {
        let (l, r) = (binary.left(), binary.right());
        let (l, r) = match binary.op() {
            Operator::And | Operator::Or => (viewed(l, columns, schema)?, viewed(r, columns, schema)?),
            op if is_comparison(op) && is_view(l) => (Arc::clone(l), as_view(r)),
            op if is_comparison(op) && is_view(r) => (as_view(l), Arc::clone(r)),
            _ => return Ok(Arc::clone(expr)),
        };
        return Ok(Arc::new(BinaryExpr::new(l, *binary.op(), r)));
    }
    if let Some(not) = expr.downcast_ref::<NotExpr>() {
        return Ok(Arc::new(NotExpr::new(viewed(not.arg(), columns, schema)?)));
    }
    match expr.downcast_ref::<InListExpr>().filter(|among| is_view(among.expr())) {
        Some(among) => {
            let list = among.list().iter().map(as_view).collect();
            Ok(Arc::new(InListExpr::try_new(Arc::clone(among.expr()), list, among.negated(), schema)?))
        }
        None => Ok(Arc::clone(expr)),
    }
}

fn as_view(expr: &Arc<dyn PhysicalExpr>) -> Arc<dyn PhysicalExpr> {
    match expr.downcast_ref::<Literal>().map(Literal::value) {
        Some(ScalarValue::Utf8(text)) => Arc::new(Literal::new(ScalarValue::Utf8View(text.clone()))),
        _ => Arc::clone(expr),
    }
}

/// `expr` over columns some of which are views: it compares them as they are, or sees them as plain strings.
pub fn over_views(
    expr: &Arc<dyn PhysicalExpr>,
    views: &HashSet<usize>,
    schema: &Schema,
) -> Result<Arc<dyn PhysicalExpr>> {
    let compared = views.iter().copied().filter(|v| only_compared(expr, *v)).collect();
    let expr = viewed(expr, &compared, schema)?;
    let copied = expr.transform_down(|e| {
        Ok(match e.downcast_ref::<Column>() {
            Some(column) if views.contains(&column.index()) && !compared.contains(&column.index()) => {
                let plain: Arc<dyn PhysicalExpr> = Arc::new(CastExpr::new(e, DataType::Utf8, None));
                Transformed::new(plain, true, TreeNodeRecursion::Jump)
            }
            _ => Transformed::no(e),
        })
    });
    copied.data()
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::datatypes::Field;
    use datafusion::physical_expr::expressions::{col, lit};

    fn compare(op: Operator, l: Arc<dyn PhysicalExpr>, r: Arc<dyn PhysicalExpr>) -> Arc<dyn PhysicalExpr> {
        Arc::new(BinaryExpr::new(l, op, r))
    }

    #[test]
    fn only_comparisons_with_constants_take_views() {
        let field = |name: &str, ty: DataType| Field::new(name, ty, true);
        let plain = Schema::new(vec![field("a", DataType::Utf8), field("b", DataType::Utf8)]);
        let views = Schema::new(vec![field("a", DataType::Utf8View), field("b", DataType::Utf8)]);
        let a = || col("a", &plain).expect("column");
        let b = || col("b", &plain).expect("column");
        let among = || -> Arc<dyn PhysicalExpr> {
            Arc::new(InListExpr::try_new(a(), vec![lit("x"), lit("y")], true, &plain).expect("list"))
        };
        let check = |expr: Arc<dyn PhysicalExpr>, taken: bool| {
            assert_eq!(only_compared(&expr, 0), taken, "{expr}");
            if taken {
                let viewed = viewed(&expr, &HashSet::from([0]), &views).expect("views");
                assert_eq!(viewed.data_type(&views).expect("types agree"), DataType::Boolean, "{expr}");
            }
        };
        check(compare(Operator::Eq, a(), lit("x")), true);
        check(compare(Operator::Lt, lit("x"), a()), true);
        check(
            compare(Operator::Or, compare(Operator::NotEq, a(), lit("x")), compare(Operator::Eq, b(), lit("y"))),
            true,
        );
        check(Arc::new(NotExpr::new(among())), true);
        check(Arc::new(IsNullExpr::new(a())), true);
        check(compare(Operator::Eq, a(), b()), false);
        check(compare(Operator::And, compare(Operator::Eq, a(), lit("x")), compare(Operator::Lt, a(), b())), false);
        check(compare(Operator::StringConcat, a(), lit("x")), false);
    }
}
