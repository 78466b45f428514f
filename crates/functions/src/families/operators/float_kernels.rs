//! Division and remainder of floating-point numbers, where a zero divisor is not infinity but an error or null.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray};
use arrow::datatypes::{DataType as Arrow, Float32Type, Float64Type};
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::ColumnarValue;
use num_traits::{Float, Zero};

use super::int_kernels::{OnFailure, on_failure, remainder_by_zero};
use crate::error::{divide_by_zero, fail};
use crate::kernel::{Kernel, KernelArgs};

pub const DIVIDE: Kernel = Kernel::new("divide", |a| dispatch(a, Kind::Divide));
pub const REMAINDER: Kernel = Kernel::new("float_remainder", |a| dispatch(a, Kind::Remainder));
pub const PMOD: Kernel = Kernel::new("float_pmod", |a| dispatch(a, Kind::Pmod));

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Divide,
    Remainder,
    Pmod,
}

fn dispatch(args: &KernelArgs, kind: Kind) -> Result<ColumnarValue> {
    let (l, r) = (args.array(0)?, args.array(1)?);
    let array = match l.data_type() {
        Arrow::Float32 => run::<Float32Type>(args, &l, &r, kind)?,
        Arrow::Float64 => run::<Float64Type>(args, &l, &r, kind)?,
        other => return internal_err!("floating-point arithmetic on {other}"),
    };
    Ok(ColumnarValue::Array(array))
}

fn run<T>(args: &KernelArgs, l: &ArrayRef, r: &ArrayRef, kind: Kind) -> Result<ArrayRef>
where
    T: ArrowPrimitiveType,
    T::Native: Float,
{
    let (l, r) = (l.as_primitive::<T>(), r.as_primitive::<T>());
    let failure = on_failure(args);
    let mut out = PrimitiveArray::<T>::builder(l.len());
    for i in 0..l.len() {
        if l.is_null(i) || r.is_null(i) {
            out.append_null();
            continue;
        }
        let (x, y) = (l.value(i), r.value(i));
        if y.is_zero() {
            match failure {
                OnFailure::Null => out.append_null(),
                OnFailure::Error if kind == Kind::Divide => return fail(divide_by_zero()),
                OnFailure::Error => return fail(remainder_by_zero()),
            }
            continue;
        }
        out.append_value(match kind {
            Kind::Divide => x / y,
            Kind::Remainder => x % y,
            Kind::Pmod => {
                let rest = x % y;
                if rest < T::Native::zero() { (rest + y) % y } else { rest }
            }
        });
    }
    Ok(Arc::new(out.finish()))
}
