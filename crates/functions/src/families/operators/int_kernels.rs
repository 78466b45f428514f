//! Arithmetic on integers that errors, or yields null, where the result does not fit.

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray};
use arrow::compute::kernels::numeric;
use arrow::datatypes::{DataType as Arrow, Int8Type, Int16Type, Int32Type, Int64Type};
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::ColumnarValue;
use num_traits::{CheckedAdd, CheckedMul, CheckedSub, PrimInt, WrappingSub, Zero};
use spark::Error;

use crate::error::{divide_by_zero, fail, overflow};
use crate::kernel::{Kernel, KernelArgs};

pub const ADD: Kernel = Kernel::new("add", |a| dispatch(a, &IntOp::ADD));
pub const SUBTRACT: Kernel = Kernel::new("subtract", |a| dispatch(a, &IntOp::SUBTRACT));
pub const MULTIPLY: Kernel = Kernel::new("multiply", |a| dispatch(a, &IntOp::MULTIPLY));
pub const INTEGRAL_DIVIDE: Kernel = Kernel::new("integral_divide", |a| dispatch(a, &IntOp::DIVIDE));
/// Intervals by their months or microseconds.
pub const INTERVAL_DIVIDE: Kernel = Kernel::new("interval_integral_divide", |a| {
    let l: ArrayRef = std::sync::Arc::new(crate::families::datetime::numbers(&a.array(0)?)?);
    let r: ArrayRef = std::sync::Arc::new(crate::families::datetime::numbers(&a.array(1)?)?);
    Ok(ColumnarValue::Array(run::<Int64Type>(a, &l, &r, &IntOp::DIVIDE)?))
});
pub const REMAINDER: Kernel = Kernel::new("remainder", |a| dispatch(a, &IntOp::REMAINDER));
pub const PMOD: Kernel = Kernel::new("pmod", |a| dispatch(a, &IntOp::PMOD));

/// What to do with a result that does not fit.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    Error,
    Null,
}

/// How a kernel was asked to treat failures.
pub fn on_failure(args: &KernelArgs) -> OnFailure {
    if args.ansi() && args.extra() != "try" { OnFailure::Error } else { OnFailure::Null }
}

/// An operation with its symbol and the function Spark suggests instead.
struct IntOp {
    kind: Kind,
    symbol: &'static str,
    alternative: &'static str,
}

/// An operation of arithmetic.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Pmod,
}

impl IntOp {
    const ADD: IntOp = IntOp { kind: Kind::Add, symbol: "+", alternative: "try_add" };
    const SUBTRACT: IntOp = IntOp { kind: Kind::Subtract, symbol: "-", alternative: "try_subtract" };
    const MULTIPLY: IntOp = IntOp { kind: Kind::Multiply, symbol: "*", alternative: "try_multiply" };
    const DIVIDE: IntOp = IntOp { kind: Kind::Divide, symbol: "div", alternative: "try_divide" };
    const REMAINDER: IntOp = IntOp { kind: Kind::Remainder, symbol: "%", alternative: "try_mod" };
    const PMOD: IntOp = IntOp { kind: Kind::Pmod, symbol: "pmod", alternative: "" };
}

fn dispatch(args: &KernelArgs, op: &IntOp) -> Result<ColumnarValue> {
    if let Some(fast) = fast_path(args, op)? {
        return Ok(ColumnarValue::Array(fast));
    }
    let (l, r) = (args.array(0)?, args.array(1)?);
    let array = match l.data_type() {
        Arrow::Int8 => run::<Int8Type>(args, &l, &r, op)?,
        Arrow::Int16 => run::<Int16Type>(args, &l, &r, op)?,
        Arrow::Int32 => run::<Int32Type>(args, &l, &r, op)?,
        Arrow::Int64 => run::<Int64Type>(args, &l, &r, op)?,
        other => return internal_err!("integer arithmetic on {other}"),
    };
    Ok(ColumnarValue::Array(array))
}

/// Arrow's own checked kernels; `None` if a value does not fit, to find out which one.
fn fast_path(args: &KernelArgs, op: &IntOp) -> Result<Option<ArrayRef>> {
    let run = match op.kind {
        Kind::Add => numeric::add,
        Kind::Subtract => numeric::sub,
        Kind::Multiply => numeric::mul,
        _ => return Ok(None),
    };
    let (l, r) = (args.value(0)?, args.value(1)?);
    Ok(match (l, r) {
        (ColumnarValue::Array(l), ColumnarValue::Array(r)) => run(l, r).ok(),
        (ColumnarValue::Array(l), ColumnarValue::Scalar(r)) => run(l, &r.to_scalar()?).ok(),
        (ColumnarValue::Scalar(l), ColumnarValue::Array(r)) => run(&l.to_scalar()?, r).ok(),
        _ => None,
    })
}

fn run<T>(args: &KernelArgs, l: &ArrayRef, r: &ArrayRef, op: &IntOp) -> Result<ArrayRef>
where
    T: ArrowPrimitiveType,
    T::Native: PrimInt + CheckedAdd + CheckedSub + CheckedMul + WrappingSub + std::fmt::Display,
{
    let (l, r) = (l.as_primitive::<T>(), r.as_primitive::<T>());
    let failure = on_failure(args);
    let strict = args.ansi();
    let mut out = PrimitiveArray::<T>::builder(l.len());
    for i in 0..l.len() {
        if l.is_null(i) || r.is_null(i) {
            out.append_null();
            continue;
        }
        let (x, y) = (l.value(i), r.value(i));
        match compute(op.kind, x, y, strict) {
            Some(v) => out.append_value(v),
            None if failure == OnFailure::Null => out.append_null(),
            None => return fail(failed(op, &x, &y, T::DATA_TYPE, y.is_zero())),
        }
    }
    Ok(std::sync::Arc::new(out.finish()))
}

fn compute<N>(kind: Kind, x: N, y: N, strict: bool) -> Option<N>
where
    N: PrimInt + CheckedAdd + CheckedSub + CheckedMul + WrappingSub,
{
    match kind {
        Kind::Add => x.checked_add(&y),
        Kind::Subtract => x.checked_sub(&y),
        Kind::Multiply => x.checked_mul(&y),
        _ if y.is_zero() => None,
        // The smallest value divided by -1 does not fit; outside ANSI mode it wraps to itself.
        Kind::Divide if is_minus_one(y) => match N::zero().checked_sub(&x) {
            Some(v) => Some(v),
            None if strict => None,
            None => Some(x),
        },
        Kind::Divide => Some(x / y),
        Kind::Remainder | Kind::Pmod if is_minus_one(y) => Some(N::zero()),
        Kind::Remainder => Some(x % y),
        Kind::Pmod => {
            let rest = x % y;
            Some(if rest < N::zero() { wrapping_rem(rest, y) } else { rest })
        }
    }
}

fn is_minus_one<N: PrimInt>(y: N) -> bool {
    y < N::zero() && y + N::one() == N::zero()
}

/// `(rest + y) % y`; the sum cannot overflow when `y` is positive and is wrapped when it is not.
fn wrapping_rem<N: PrimInt + WrappingSub>(rest: N, y: N) -> N {
    let sum = rest.wrapping_sub(&N::zero().wrapping_sub(&y));
    sum % y
}

fn failed<N: std::fmt::Display>(op: &IntOp, x: &N, y: &N, ty: Arrow, zero: bool) -> Error {
    match op.kind {
        Kind::Divide if zero => divide_by_zero(),
        Kind::Remainder | Kind::Pmod if zero => remainder_by_zero(),
        Kind::Divide => overflow("Overflow in integral divide", "try_divide"),
        _ if matches!(ty, Arrow::Int8 | Arrow::Int16) => Error::arithmetic("BINARY_ARITHMETIC_OVERFLOW")
            .param("value1", format!("{x}S"))
            .param("symbol", op.symbol)
            .param("value2", format!("{y}S"))
            .param("functionName", format!("`{}`", op.alternative)),
        _ => overflow("overflow", op.alternative),
    }
}

/// `REMAINDER_BY_ZERO`.
pub fn remainder_by_zero() -> Error {
    Error::arithmetic("REMAINDER_BY_ZERO")
        .param("config", "\"spark.sql.ansi.enabled\"")
        .with_message("Remainder by zero; use try_mod to get NULL instead.")
}
