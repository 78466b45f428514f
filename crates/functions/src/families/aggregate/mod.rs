//! Aggregates. DataFusion's own accumulators where they mean what Spark means, kernels where not.

pub mod approx;
pub mod basic;
pub mod best;
pub mod collect;
pub mod distinct;
pub mod extreme;
pub mod first;
pub mod float_sum;
pub mod folding;
pub mod frequent;
pub mod lists;
pub mod moments;
pub mod pandas;
pub mod percentile;
pub mod regression;
pub mod spread;
pub mod sum;
pub mod vector;

use std::sync::Arc;

use datafusion::logical_expr::expr::{AggregateFunction, NullTreatment};
use datafusion::logical_expr::{AggregateUDF, Expr};

use crate::aggregate::{AggregateArgs, AggregateKernel, KernelUdaf};
use crate::call::Call;
use crate::kernel::Options;
use crate::typed::Typed;
use crate::types::to_arrow;
use spark::types::DataType;

/// `udaf(args)` with the call's `DISTINCT`, `FILTER` and null treatment.
pub(crate) fn builtin(call: &Call, udaf: Arc<AggregateUDF>, args: Vec<Expr>, ignore_nulls: bool) -> Expr {
    Expr::AggregateFunction(AggregateFunction::new_udf(
        udaf,
        args,
        call.distinct,
        filter(call),
        Vec::new(),
        ignore_nulls.then_some(NullTreatment::IgnoreNulls),
    ))
}

/// The kernel over `args` with the call's `DISTINCT` and `FILTER`.
pub(crate) fn kernel(
    call: &Call,
    kernel: &'static AggregateKernel,
    options: Options,
    args: Vec<Expr>,
    ty: &DataType,
) -> Expr {
    KernelUdaf::call(
        kernel,
        to_arrow(ty),
        options,
        args,
        call.distinct,
        call.filter.as_ref().map(|f| f.expr.clone()),
        vec![],
    )
}

/// Extra options of a moment that is no number where it is undefined, rather than null.
const UNDEFINED_IS_NAN: &str = "nan";

/// A statistical aggregate, with what `spark.sql.legacy.statisticalAggregate` makes of undefined results.
fn finish_moment(call: Call, k: &'static AggregateKernel) -> Typed {
    let mut options = call.options();
    if call.settings.conf.get_bool("spark.sql.legacy.statisticalAggregate", false) {
        options = options.with_extra(UNDEFINED_IS_NAN);
    }
    let expr = kernel(&call, k, options, call.exprs(), &DataType::Double);
    call.finish(expr, DataType::Double, true)
}

/// True for a call that [`finish_moment`] told so.
fn undefined_is_nan(args: &AggregateArgs) -> bool {
    args.options.extra.as_deref() == Some(UNDEFINED_IS_NAN)
}

/// The kernel over the call's arguments, default options and name.
pub(crate) fn finish(call: Call, k: &'static AggregateKernel, ty: DataType, nullable: bool) -> Typed {
    let expr = kernel(&call, k, call.options(), call.exprs(), &ty);
    call.finish(expr, ty, nullable)
}

pub(crate) fn filter(call: &Call) -> Option<Box<Expr>> {
    call.filter.as_ref().map(|f| Box::new(f.expr.clone()))
}
