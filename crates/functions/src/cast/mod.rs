//! Casts, to the letter of Spark: which are allowed, how each value is converted, what overflows.
//!
//! A widening that cannot fail is DataFusion's own cast, so that pushdown sees through it; all else is
//! one kernel that carries both Spark types, the mode and the time zone.

mod binary;
pub mod convert;
mod datetime;
pub mod format;
pub mod interval;
mod nested;
mod numeric;
pub mod parse;
pub mod pretty;
mod rules;

use datafusion::logical_expr::{Expr, cast as df_cast};
use datafusion::scalar::ScalarValue;
use spark::expr::CastMode;
use spark::types::DataType;
use spark::{Result, Settings};

use crate::families::datetime::zone::Zone;
use crate::kernel::{Kernel, KernelUdf, Options};
use crate::typed::Typed;
use crate::types::to_arrow;

pub use convert::{Context, Mode, convert};
pub use pretty::to_pretty_string;

/// The kernels of this module.
pub const KERNELS: &[Kernel] = &[convert::CAST, pretty::PRETTY];

/// `CAST(typed AS to)` as the user wrote it.
///
/// # Errors
/// `DATATYPE_MISMATCH.CAST_WITHOUT_SUGGESTION` and its kin where Spark has no such cast.
pub fn explicit(typed: &Typed, to: &DataType, mode: CastMode, settings: &Settings) -> Result<Typed> {
    let to = without_lengths(to);
    let word = if mode == CastMode::Try { "TRY_CAST" } else { "CAST" };
    let name = if to.is_complex() { typed.name.clone() } else { format!("{word}({} AS {})", typed.name, to.sql()) };
    let mode_of_values = match mode {
        CastMode::Session if settings.ansi => Mode::Ansi,
        CastMode::Session | CastMode::Legacy => Mode::Legacy,
        CastMode::Ansi => Mode::Ansi,
        CastMode::Try => Mode::Try,
    };
    let allowed = match mode_of_values {
        Mode::Legacy => rules::can_legacy_cast(&typed.ty, &to),
        _ => rules::can_ansi_cast(&typed.ty, &to),
    };
    if !allowed {
        return Err(rules::refused(typed, &to, mode, &name, settings));
    }
    if matches!(to, DataType::Time(_)) && !settings.time_type {
        return Err(time_switched_off());
    }
    let mut out = cast_with(typed, &to, mode_of_values, settings).named(name);
    if typed.ty == to && typed.literal().is_some() {
        // A cast that was written keeps the constant from counting as a literal.
        out.expr = df_cast(out.expr, to_arrow(&to));
    }
    if mode_of_values == Mode::Try {
        out.nullable |= !is_upcast(&typed.ty, &to);
    }
    Ok(out)
}

/// `UNSUPPORTED_TIME_TYPE`.
pub fn time_switched_off() -> spark::Error {
    spark::Error::analysis("UNSUPPORTED_TIME_TYPE").with_message("The TIME type is switched off.").nowhere()
}

/// True if every value of a type is kept by the other, so that `try_cast` has nothing to turn into null.
pub fn is_upcast(from: &DataType, to: &DataType) -> bool {
    use DataType as T;
    match (from, to) {
        (f, t) if f.same_type(t) => true,
        (T::Null, _) => true,
        (f, t) if t.is_string() => !f.is_complex(),
        (f, T::Binary) if f.is_string() => true,
        (T::Decimal { .. }, T::Decimal { .. }) => crate::coerce::is_wider_decimal(to, from),
        (f, T::Decimal { .. }) if f.is_integral() => safe_to_decimal(f, to),
        (T::YearMonthInterval { .. }, T::YearMonthInterval { .. })
        | (T::DayTimeInterval { .. }, T::DayTimeInterval { .. }) => true,
        (f, t) if f.is_integral() && matches!(t, T::Float | T::Double) => true,
        (T::Date, T::Timestamp | T::TimestampNtz)
        | (T::TimestampNtz, T::Timestamp)
        | (T::Timestamp, T::TimestampNtz) => true,
        (f, T::TimestampNanos { .. }) if f.is_datetime() => true,
        (T::TimestampNanos { precision: f, .. }, T::TimestampNanos { precision: t, .. }) => f <= t,
        (T::Array { element: f, .. }, T::Array { element: t, .. }) => is_upcast(f, t),
        (T::Map { key: fk, value: fv, .. }, T::Map { key: tk, value: tv, .. }) => {
            is_upcast(fk, tk) && is_upcast(fv, tv)
        }
        (T::Struct(f), T::Struct(t)) => {
            f.fields.iter().zip(&t.fields).all(|(f, t)| is_upcast(&f.data_type, &t.data_type))
        }
        _ => is_lossless(from, to),
    }
}

/// A cast treats lengths of `CHAR` and `VARCHAR` as if they were not written.
fn without_lengths(ty: &DataType) -> DataType {
    match ty {
        DataType::Char(_) | DataType::Varchar(_) => DataType::STRING,
        other => other.clone(),
    }
}

/// True if Spark has a cast between the types, in ANSI mode or out of it.
pub fn can_cast(from: &DataType, to: &DataType, ansi: bool) -> bool {
    if ansi { rules::can_ansi_cast(from, to) } else { rules::can_legacy_cast(from, to) }
}

/// A cast that Spark inserts itself: the name stays.
pub fn implicit(typed: &Typed, to: &DataType, settings: &Settings) -> Typed {
    implicit_owned(typed.clone(), to, settings)
}

/// As [`implicit`], without copying the expression: a tree is built in time that grows with its size.
pub fn implicit_owned(typed: Typed, to: &DataType, settings: &Settings) -> Typed {
    cast_owned(typed, to, if settings.ansi { Mode::Ansi } else { Mode::Legacy }, settings)
}

/// A cast in a mode of one's own; the name stays.
pub fn cast_with(typed: &Typed, to: &DataType, mode: Mode, settings: &Settings) -> Typed {
    cast_owned(typed.clone(), to, mode, settings)
}

/// The binary that `typed` is a plain string made of, under the same printed name.
pub fn bytes_beneath(typed: &Typed) -> Option<Typed> {
    if typed.ty != DataType::STRING {
        return None;
    }
    let Expr::ScalarFunction(call) = &typed.expr else { return None };
    let udf = (call.func.inner().as_ref() as &dyn std::any::Any).downcast_ref::<KernelUdf>()?;
    let from_binary = udf.kernel.name == convert::CAST.name
        && convert::Spec::of(udf.options.extra.as_deref()?).is_some_and(|spec| spec.is_from(&DataType::Binary));
    let bytes = call.args.first().filter(|_| from_binary)?;
    Some(Typed::new(bytes.clone(), DataType::Binary, typed.nullable, typed.name.clone()))
}

fn cast_owned(mut typed: Typed, to: &DataType, mode: Mode, settings: &Settings) -> Typed {
    if typed.ty == *to {
        return typed;
    }
    if *to == DataType::Binary
        && let Some(bytes) = bytes_beneath(&typed)
    {
        return bytes;
    }
    typed.expr = value_expr(&mut typed, to, mode, settings);
    typed.nullable = typed.nullable || force_nullable(&typed.ty, to);
    typed.ty = to.clone();
    typed
}

/// The cast value; takes the expression out of `typed`.
fn value_expr(typed: &mut Typed, to: &DataType, mode: Mode, settings: &Settings) -> Expr {
    let arrow = to_arrow(to);
    if typed.is_null_literal() {
        return Typed::null(to.clone()).expr;
    }
    if let Some(day) = special_day(typed, to, settings) {
        return df_cast(Expr::Literal(day, None), arrow);
    }
    let expr = std::mem::take(&mut typed.expr);
    if same_values(&typed.ty, to) {
        return expr;
    }
    if is_lossless(&typed.ty, to) {
        return df_cast(expr, arrow);
    }
    let spec = convert::Spec::new(&typed.ty, to, mode, settings);
    let options = Options { ansi: mode == Mode::Ansi, ..Options::default() }
        .with_time_zone(settings.time_zone.clone())
        .with_extra(spec.to_text());
    KernelUdf::call(&convert::CAST, arrow, options, vec![expr])
}

/// What `epoch`, `now`, `today`, `tomorrow` and `yesterday` are where a constant is made a date or time.
fn special_day(typed: &Typed, to: &DataType, settings: &Settings) -> Option<ScalarValue> {
    if !typed.ty.is_string() || !matches!(to, DataType::Date | DataType::Timestamp | DataType::TimestampNtz) {
        return None;
    }
    let text = typed.literal()?.try_as_str().flatten()?;
    let zone = sql::Zone::parse(&settings.time_zone)?;
    let now = settings.now_micros;
    Some(match to {
        DataType::Date => ScalarValue::Date32(Some(sql::special_date(text, zone, now)?)),
        DataType::Timestamp => {
            let instant = sql::special_instant(text, zone, now)?;
            ScalarValue::TimestampMicrosecond(Some(instant), Some(crate::types::UTC.into()))
        }
        _ => {
            let instant = sql::special_instant(text, zone, now)?;
            let local = if instant == 0 { 0 } else { Zone::named(&settings.time_zone).ok()?.to_local(instant) };
            ScalarValue::TimestampMicrosecond(Some(local), None)
        }
    })
}

/// A cast, as [`explicit`] made it, of values that are stored in `column`: one that does not fit is an
/// error of that column.
pub fn stored(expr: Expr, column: &str) -> Expr {
    let Expr::ScalarFunction(call) = &expr else { return expr };
    let Some(udf) = (call.func.inner().as_ref() as &dyn std::any::Any).downcast_ref::<KernelUdf>() else {
        return expr;
    };
    let text = udf.options.extra.as_deref().unwrap_or_default();
    match convert::Spec::stored(text, column).filter(|_| udf.kernel.name == convert::CAST.name) {
        Some(spec) => {
            let options = udf.options.clone().with_extra(spec.to_text());
            KernelUdf::call(udf.kernel, udf.return_type.clone(), options, call.args.clone())
        }
        None => expr,
    }
}

/// True if every value stays as it is: same Arrow type and same meaning.
fn same_values(from: &DataType, to: &DataType) -> bool {
    match (from, to) {
        (f, t) if f.same_type(t) => to_arrow(f) == to_arrow(t),
        (f, t) if f.is_string() && t.is_string() => true,
        (DataType::YearMonthInterval { end: a, .. }, DataType::YearMonthInterval { end: b, .. })
        | (DataType::DayTimeInterval { end: a, .. }, DataType::DayTimeInterval { end: b, .. }) => b >= a,
        (DataType::Time(a), DataType::Time(b)) => b >= a,
        (DataType::Geometry(_) | DataType::Geography(_), DataType::Geometry(_))
        | (DataType::Geography(_), DataType::Geography(_)) => true,
        (DataType::Udt { sql_type, .. }, t) => same_values(sql_type, t),
        _ => false,
    }
}

/// True for widenings in which no value fails or is rounded, and that Arrow does as Spark does.
fn is_lossless(from: &DataType, to: &DataType) -> bool {
    use DataType as T;
    match (from, to) {
        (T::Byte, T::Short | T::Integer | T::Long | T::Float | T::Double) => true,
        (T::Short, T::Integer | T::Long | T::Float | T::Double) => true,
        (T::Integer, T::Long | T::Double) | (T::Float, T::Double) => true,
        (f, T::Decimal { .. }) if f.is_integral() => safe_to_decimal(f, to),
        (T::Decimal { scale: s1, .. }, T::Decimal { scale: s2, .. }) => s2 >= s1 && safe_to_decimal(from, to),
        _ => false,
    }
}

/// True if a cast between these types may turn a value into null, or is said to by Spark.
pub fn force_nullable(from: &DataType, to: &DataType) -> bool {
    use DataType as T;
    match (from, to) {
        (T::Null, _) => false,
        (a, b) if a == b => false,
        (T::Variant, _) => true,
        (f, t) if f.is_string() => !(t.is_string() || *t == T::Binary || *t == T::Variant),
        (_, t) if t.is_string() => false,
        (T::Timestamp, T::Byte | T::Short | T::Integer) => true,
        (T::Float | T::Double, T::Timestamp) => true,
        (T::Timestamp | T::TimestampNanos { .. }, T::Date) => false,
        (T::Date, T::TimestampNanos { .. }) => false,
        (T::Date, T::Timestamp) => false,
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
