//! The guard of scalar subqueries: the value of the only row, or an error once there are more.

use std::sync::Arc;

use arrow::array::Int64Array;
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, Expr};
use spark::Error;
use spark::error::QueryContext;
use spark::types::DataType;

use crate::error::fail;
use crate::kernel::{Kernel, KernelArgs, KernelUdf, Options};
use crate::types::to_arrow;

/// The kernels of this file.
pub const KERNELS: &[Kernel] = &[Kernel::new(NAME, check)];

const NAME: &str = "only_row";
static ONLY_ROW: Kernel = Kernel::new(NAME, check);

/// `value` of type `ty` where `count` (long) is at most one.
pub fn only_row(value: Expr, count: Expr, ty: &DataType, origin: Option<&Arc<spark::Origin>>) -> Expr {
    let context = origin.map(|o| Arc::new(QueryContext::from(&**o)));
    KernelUdf::call(&ONLY_ROW, to_arrow(ty), Options { context, ..Options::default() }, vec![value, count])
}

fn check(args: &KernelArgs) -> Result<ColumnarValue> {
    let counts = args.typed::<Int64Array>(1)?;
    if counts.iter().flatten().any(|n| n > 1) {
        return fail(
            Error::new(spark::ErrorKind::Spark, "SCALAR_SUBQUERY_TOO_MANY_ROWS")
                .with_message("A subquery that stands for one value yields more than one row."),
        );
    }
    Ok(ColumnarValue::Array(args.array(0)?))
}

#[cfg(test)]
mod tests {
    use datafusion::logical_expr::lit;

    use super::*;
    use crate::fold;
    use crate::typed::Typed;

    #[test]
    fn more_than_one_row_is_refused() {
        for (count, fails) in [(0i64, false), (1, false), (2, true)] {
            let expr = only_row(lit(7i32), lit(count), &DataType::Integer, None);
            let typed = Typed::new(expr, DataType::Integer, true, "x");
            assert_eq!(fold::evaluate(&typed).is_err(), fails, "{count}");
        }
    }
}
