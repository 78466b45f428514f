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
    out.nullable = typed.nullable || force_nullable(&typed.ty, to);
    out.ty = to.clone();
    out
}

/// True if a cast between these types may turn a value into null, or is said to by Spark.
pub fn force_nullable(from: &DataType, to: &DataType) -> bool {
    use DataType as T;
    match (from, to) {
        (T::Null, _) => false,
        (a, b) if a == b => false,
        (T::Variant, _) => true,
        (f, t) if f.is_string() => !(t.is_string() || *t == T::Binary),
        (_, t) if t.is_string() => false,
        (T::Timestamp, T::Byte | T::Short | T::Integer) => true,
        (T::Float | T::Double, T::Timestamp) => true,
        (T::Timestamp | T::TimestampNtz, T::Date) => false,
        (T::Date, T::Timestamp | T::TimestampNtz) => false,
        (T::Date, _) | (_, T::Date | T::CalendarInterval) => true,
        (f, T::Decimal { .. }) => !safe_to_decimal(f, to),
        (T::Float | T::Double | T::Decimal { .. }, t) if t.is_integral() => true,
        _ => false,
    }
}

fn safe_to_decimal(from: &DataType, to: &DataType) -> bool {
    let DataType::Decimal { precision, scale } = to else { return false };
    let digits = i16::from(*precision) - i16::from(*scale);
    match from {
        DataType::Boolean => digits >= 1,
        DataType::Decimal { precision: p, scale: s } => {
            let from_digits = i16::from(*p) - i16::from(*s);
            digits > from_digits || (digits == from_digits && scale >= s)
        }
        f if f.is_integral() => crate::coerce::decimal_for(f).is_some_and(|d| crate::coerce::is_wider_decimal(to, &d)),
        _ => false,
    }
}
