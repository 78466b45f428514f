//! The guard of recursive CTEs: a condition that is always true, or fails once a count passes its limit.

use arrow::array::Int64Array;
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, Expr};
use datafusion::scalar::ScalarValue;
use spark::Error;
use spark::types::DataType;

use crate::error::fail;
use crate::kernel::{Kernel, KernelArgs, KernelUdf, Options};
use crate::typed::Typed;
use crate::types::to_arrow;

/// The kernels of this file.
pub const KERNELS: &[Kernel] = &[Kernel::volatile(NAME, check)];

// Volatile: a filter on a constant-looking guard must be neither folded nor moved.
const NAME: &str = "recursion_limit";
static RECURSION_LIMIT: Kernel = Kernel::volatile(NAME, check);

/// What a recursion is limited by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Rounds: `spark.sql.cteRecursionLevelLimit`.
    Levels(i64),
    /// Rows: `spark.sql.cteRecursionRowLimit`.
    Rows(i64),
}

/// True while `count` (long) is within `limit`. Checked once for each batch, by its first row, so that a
/// `LIMIT` above can be satisfied by the batch that passes the limit.
pub fn guard(count: Expr, limit: Limit) -> Typed {
    let extra = match limit {
        Limit::Levels(n) => format!("LEVEL {n}"),
        Limit::Rows(n) => format!("ROW {n}"),
    };
    let options = Options::default().with_extra(extra);
    let call = KernelUdf::call(&RECURSION_LIMIT, to_arrow(&DataType::Boolean), options, vec![count]);
    Typed::new(call, DataType::Boolean, false, "recursion limit")
}

fn check(args: &KernelArgs) -> Result<ColumnarValue> {
    let counts = args.typed::<Int64Array>(0)?;
    let (what, limit) = args.extra().split_once(' ').unwrap_or(("LEVEL", "100"));
    let exceeded = counts.iter().next().flatten().is_some_and(|n| limit.parse().is_ok_and(|l: i64| n > l));
    if exceeded {
        let parameter = if what == "LEVEL" { "levelLimit" } else { "rowLimit" };
        return fail(
            Error::new(spark::ErrorKind::Spark, format!("RECURSION_{what}_LIMIT_EXCEEDED"))
                .param(parameter, limit)
                .with_message(format!("The recursion passed its limit of {limit} {}s.", what.to_lowercase())),
        );
    }
    Ok(ColumnarValue::Scalar(ScalarValue::Boolean(Some(true))))
}
