//! Casts, to the letter of Spark: which are allowed, how each value is converted, what overflows.

use datafusion::logical_expr::cast as df_cast;
use spark::expr::CastMode;
use spark::types::DataType;
use spark::{Result, Settings};

use crate::kernel::Kernel;
use crate::typed::Typed;
use crate::types::to_arrow;

/// The kernels of this module.
pub const KERNELS: &[Kernel] = &[];

/// `CAST(typed AS to)` as the user wrote it.
///
/// # Errors
/// `DATATYPE_MISMATCH.CAST_WITHOUT_SUGGESTION` and its kin where Spark has no such cast.
pub fn explicit(typed: &Typed, to: &DataType, mode: CastMode, settings: &Settings) -> Result<Typed> {
    let _ = mode;
    let name = format!("CAST({} AS {})", typed.name, to.sql());
    Ok(implicit(typed, to, settings).named(name))
}

/// A cast that Spark inserts itself: the name stays.
pub fn implicit(typed: &Typed, to: &DataType, _settings: &Settings) -> Typed {
    if typed.ty == *to {
        return typed.clone();
    }
    let mut out = typed.clone();
    if to_arrow(&typed.ty) != to_arrow(to) {
        out.expr = df_cast(typed.expr.clone(), to_arrow(to));
    }
    out.ty = to.clone();
    out
}
