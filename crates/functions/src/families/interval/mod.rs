//! Intervals: made from parts, added, multiplied and divided.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, Int64Array, StructArray};
use arrow::buffer::NullBuffer;
use datafusion::common::Result as DfResult;
use datafusion::logical_expr::{ColumnarValue, Expr, lit};
use datafusion::scalar::ScalarValue;
use spark::types::DataType;
use spark::{Error, Result, Settings};

use super::aggregate::sum::half_up;
use super::datetime::arithmetic::Calendars;
use super::datetime::calendar::{MICROS_PER_DAY, MICROS_PER_HOUR, MICROS_PER_MINUTE};
use super::datetime::{Numbers, each_row, interval_overflow};
use super::rows::{finish, row_count};
use crate::call::Call;
use crate::coerce::{self, Expected};
use crate::error::{self, external, fail};
use crate::kernel::{Kernel, KernelArgs, KernelUdf, Options};
use crate::registry::{Build, Function};
use crate::typed::Typed;
use crate::types::{calendar_interval_fields, to_arrow};

/// Functions of this file.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "make_interval", build: Build::Scalar(make_interval) },
    Function { name: "try_make_interval", build: Build::Scalar(make_interval) },
    Function { name: "make_dt_interval", build: Build::Scalar(make_dt_interval) },
    Function { name: "make_ym_interval", build: Build::Scalar(make_ym_interval) },
];

/// Kernels of this file.
pub const KERNELS: &[Kernel] = &[
    Kernel::new("interval_days", eval_days),
    Kernel::new("make_interval", eval_make_interval),
    Kernel::new("make_dt_interval", eval_make_dt_interval),
    Kernel::new("make_ym_interval", eval_make_ym_interval),
    Kernel::new("interval_times", eval_times),
];

/// The days of a day-time interval as an integer.
pub fn days_of(interval: Typed, settings: &Settings) -> Typed {
    let expr =
        KernelUdf::call(&KERNELS[0], to_arrow(&DataType::Integer), Options::ansi(settings.ansi), vec![interval.expr]);
    Typed::new(expr, DataType::Integer, interval.nullable, interval.name)
}

fn eval_days(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let values = Numbers::of(args, 0)?;
    each_row(args, |i| Ok(values.get(i).map(|v| v / MICROS_PER_DAY)))
}

/// The parts of `a ± b`.
///
/// # Errors
/// Overflow, in ANSI mode.
pub fn sum_parts(a: Parts, b: Parts, sign: i64, ansi: bool) -> DfResult<Option<Parts>> {
    let add = |x: i64, y: i64| y.checked_mul(sign).and_then(|y| x.checked_add(y));
    let parts = add(a.0, b.0).zip(add(a.1, b.1)).zip(add(a.2, b.2)).map(|((m, d), us)| (m, d, us));
    match parts.filter(fits) {
        Some(p) => Ok(Some(p)),
        None if ansi => fail(interval_overflow()),
        None => Ok(Some((
            i64::from((a.0 + sign * b.0) as i32),
            i64::from((a.1 + sign * b.1) as i32),
            a.2.wrapping_add(b.2.wrapping_mul(sign)),
        ))),
    }
}

/// Months, days, microseconds.
pub type Parts = (i64, i64, i64);

fn fits(p: &Parts) -> bool {
    i32::try_from(p.0).is_ok() && i32::try_from(p.1).is_ok()
}

/// A kernel of calendar intervals, computed by row.
///
/// # Errors
/// As the rows.
pub fn calendars(args: &KernelArgs, row: impl FnMut(usize) -> DfResult<Option<Parts>>) -> DfResult<ColumnarValue> {
    let parts = (0..row_count(args)).map(row).collect::<DfResult<Vec<_>>>()?;
    finish(args, calendar_array(&parts))
}

/// Calendar intervals as an array.
pub fn calendar_array(parts: &[Option<Parts>]) -> ArrayRef {
    let valid: NullBuffer = parts.iter().map(Option::is_some).collect::<Vec<bool>>().into();
    let part = |f: fn(&Parts) -> i64| parts.iter().map(move |p| p.as_ref().map(f));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(part(|p| p.0).map(|v| v.map(|v| v as i32)).collect::<Int32Array>()),
        Arc::new(part(|p| p.1).map(|v| v.map(|v| v as i32)).collect::<Int32Array>()),
        Arc::new(part(|p| p.2).collect::<Int64Array>()),
    ];
    Arc::new(StructArray::new(calendar_interval_fields(), columns, Some(valid)))
}

fn zero() -> Typed {
    Typed::new(lit(0_i32), DataType::Integer, false, "0")
}

fn zero_seconds() -> Typed {
    let value = Expr::Literal(ScalarValue::Decimal128(Some(0), 18, 6), None);
    Typed::new(value, DataType::decimal(18, 6), false, "0.000000")
}

/// Fills missing arguments with zeros and casts all: integers, and seconds with their fraction last.
fn with_defaults(call: &mut Call, integers: usize) -> Result<String> {
    call.arity(0..=integers + 1)?;
    while call.args.len() < integers {
        call.args.push(zero());
    }
    if call.args.len() == integers {
        call.args.push(zero_seconds());
    }
    let name = call.display_name();
    if call.name == "try_make_interval" {
        call.in_errors("make_interval");
    }
    for i in 0..integers {
        call.expect(i, Expected::Type(DataType::Integer))?;
    }
    call.expect(integers, Expected::Type(DataType::decimal(18, 6)))?;
    Ok(name)
}

fn make_interval(mut call: Call) -> Result<Typed> {
    let tolerant = call.name == "try_make_interval";
    let name = with_defaults(&mut call, 6)?;
    // Spark does not say where an overflow happened.
    let mut options = Options { context: None, ..call.options() };
    options.ansi &= !tolerant;
    let nullable = call.any_nullable() || !options.ansi;
    Ok(call.kernel_with(&KERNELS[1], options, DataType::CalendarInterval, nullable).named(name))
}

fn make_dt_interval(mut call: Call) -> Result<Typed> {
    let name = with_defaults(&mut call, 3)?;
    let nullable = call.any_nullable();
    Ok(call.kernel(&KERNELS[2], DataType::DayTimeInterval { start: 0, end: 3 }, nullable).named(name))
}

fn make_ym_interval(mut call: Call) -> Result<Typed> {
    call.arity(0..=2)?;
    while call.args.len() < 2 {
        call.args.push(zero());
    }
    let name = call.display_name();
    call.expect_all(&[Expected::Type(DataType::Integer), Expected::Type(DataType::Integer)])?;
    let nullable = call.any_nullable();
    Ok(call.kernel(&KERNELS[3], DataType::YearMonthInterval { start: 0, end: 1 }, nullable).named(name))
}

/// Unscaled seconds of a `DECIMAL(18, 6)` argument: microseconds.
pub fn seconds_as_micros(args: &KernelArgs, i: usize) -> DfResult<arrow::array::Decimal128Array> {
    args.typed::<arrow::array::Decimal128Array>(i)
}

fn micros_at(seconds: &arrow::array::Decimal128Array, row: usize) -> Option<i64> {
    use arrow::array::Array;
    let row = row.min(seconds.len().saturating_sub(1));
    seconds.is_valid(row).then(|| seconds.value(row) as i64)
}

fn columns(args: &KernelArgs, n: usize) -> DfResult<Vec<Numbers>> {
    (0..n).map(|i| Numbers::of(args, i)).collect()
}

fn row_of(columns: &[Numbers], row: usize) -> Option<Vec<i64>> {
    columns.iter().map(|c| c.get(row)).collect()
}

fn eval_make_interval(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let parts = columns(args, 6)?;
    let seconds = seconds_as_micros(args, 6)?;
    let ansi = args.ansi();
    calendars(args, |i| {
        let Some((p, micros)) = row_of(&parts, i).zip(micros_at(&seconds, i)) else { return Ok(None) };
        let months = p[0] * 12 + p[1];
        let days = p[2] * 7 + p[3];
        let time = p[4]
            .checked_mul(MICROS_PER_HOUR)
            .and_then(|h| h.checked_add(p[5] * MICROS_PER_MINUTE))
            .and_then(|t| t.checked_add(micros));
        match time.map(|t| (months, days, t)).filter(fits) {
            Some(parts) => Ok(Some(parts)),
            None if ansi => fail(error::overflow("overflow", "")),
            None => Ok(None),
        }
    })
}

fn eval_make_dt_interval(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let parts = columns(args, 3)?;
    let seconds = seconds_as_micros(args, 3)?;
    each_row(args, |i| {
        let Some((p, micros)) = row_of(&parts, i).zip(micros_at(&seconds, i)) else { return Ok(None) };
        let total = i128::from(p[0]) * i128::from(MICROS_PER_DAY)
            + i128::from(p[1]) * i128::from(MICROS_PER_HOUR)
            + i128::from(p[2]) * i128::from(MICROS_PER_MINUTE)
            + i128::from(micros);
        i64::try_from(total).map(Some).map_err(|_| external(interval_overflow()))
    })
}

fn eval_make_ym_interval(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let parts = columns(args, 2)?;
    each_row(args, |i| match row_of(&parts, i) {
        Some(p) => match i32::try_from(p[0] * 12 + p[1]) {
            Ok(months) => Ok(Some(i64::from(months))),
            Err(_) => fail(interval_overflow()),
        },
        None => Ok(None),
    })
}

/// `interval * n`, either way round; `None` if neither is a year-month or day-time interval.
pub fn multiply(a: Typed, b: Typed, settings: &Settings, origin: Option<&Arc<spark::Origin>>) -> Option<Result<Typed>> {
    let (interval, factor) = match (scalable(&a.ty), scalable(&b.ty)) {
        (true, _) => (a, b),
        (_, true) => (b, a),
        _ => return None,
    };
    // The interval is printed first, wherever it was written.
    let name = match interval.ty {
        DataType::CalendarInterval => format!("multiply_interval({}, {})", interval.name, factor.name),
        _ => format!("({} * {})", interval.name, factor.name),
    };
    Some(times(interval, factor, "*", name, settings, origin))
}

/// `interval / n`; `None` if `a` is no interval.
pub fn divide(a: Typed, b: Typed, settings: &Settings, origin: Option<&Arc<spark::Origin>>) -> Option<Result<Typed>> {
    let name = match a.ty {
        DataType::CalendarInterval => format!("divide_interval({}, {})", a.name, b.name),
        _ => format!("({} / {})", a.name, b.name),
    };
    scalable(&a.ty).then(|| times(a, b, "/", name, settings, origin))
}

fn scalable(ty: &DataType) -> bool {
    ty.is_ansi_interval() || *ty == DataType::CalendarInterval
}

fn times(
    interval: Typed,
    factor: Typed,
    operator: &str,
    name: String,
    settings: &Settings,
    origin: Option<&Arc<spark::Origin>>,
) -> Result<Typed> {
    let ty = match &interval.ty {
        DataType::YearMonthInterval { .. } => DataType::YearMonthInterval { start: 0, end: 1 },
        DataType::DayTimeInterval { .. } => DataType::DayTimeInterval { start: 0, end: 3 },
        other => other.clone(),
    };
    let mut call = Call::new(operator, vec![interval, factor], settings);
    call.origin = origin.cloned();
    if !call.args[1].ty.is_numeric() || ty == DataType::CalendarInterval {
        call.args[1] = match coerce::implicit(&call.args[1], &Expected::Type(DataType::Double), settings) {
            Some(typed) => typed,
            None => {
                let required = if ty == DataType::CalendarInterval { "\"DOUBLE\"" } else { "\"NUMERIC\"" };
                return Err(Error::analysis("DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE")
                    .param("sqlExpr", format!("\"{name}\""))
                    .param("paramIndex", "second")
                    .param("requiredType", required)
                    .param("inputSql", format!("\"{}\"", call.args[1].name))
                    .param("inputType", format!("\"{}\"", call.args[1].ty.sql()))
                    .at(origin));
            }
        };
    }
    // Exact for integers and decimals, by double for floating point factors.
    let factor = &call.args[1];
    let exact = match &factor.ty {
        DataType::Float | DataType::Double => DataType::Double,
        t if t.is_integral() => DataType::Long,
        t => t.clone(),
    };
    call.args[1] = coerce::cast_implicitly(factor, &exact, settings);
    let nullable = call.any_nullable();
    let options = call.options().with_extra(operator);
    Ok(call.kernel_with(&KERNELS[4], options, ty, nullable).named(name))
}

/// A factor of an interval.
enum Factor {
    Exact { unscaled: i128, scale: i128 },
    Double(f64),
}

fn factor_at(array: &ArrayRef, row: usize) -> Option<Factor> {
    use arrow::array::{Array, AsArray};
    use arrow::datatypes::{Decimal128Type, Float64Type, Int64Type};
    let row = row.min(array.len().saturating_sub(1));
    if array.is_null(row) {
        return None;
    }
    Some(match array.data_type() {
        arrow::datatypes::DataType::Int64 => {
            Factor::Exact { unscaled: i128::from(array.as_primitive::<Int64Type>().value(row)), scale: 1 }
        }
        arrow::datatypes::DataType::Decimal128(_, s) => Factor::Exact {
            unscaled: array.as_primitive::<Decimal128Type>().value(row),
            scale: 10_i128.pow(u32::try_from(*s).unwrap_or(0)),
        },
        _ => Factor::Double(array.as_primitive::<Float64Type>().value(row)),
    })
}

/// `value * factor` or `value / factor`, rounded half up; `None` if it does not fit 64 bits.
fn scaled(value: i64, factor: &Factor, divide: bool) -> DfResult<Option<i64>> {
    let exact = |n: i128, d: i128| {
        if d == 0 {
            return fail(
                Error::arithmetic("INTERVAL_DIVIDED_BY_ZERO").with_message("An interval was divided by zero."),
            );
        }
        let (n, d) = if d < 0 { (-n, -d) } else { (n, d) };
        Ok(i64::try_from(half_up(n, d)).ok())
    };
    match factor {
        Factor::Exact { unscaled, scale } if divide => match i128::from(value).checked_mul(*scale) {
            Some(n) => exact(n, *unscaled),
            None => Ok(None),
        },
        Factor::Exact { unscaled, scale } => match i128::from(value).checked_mul(*unscaled) {
            Some(n) => exact(n, *scale),
            None => Ok(None),
        },
        Factor::Double(f) => {
            if divide && *f == 0.0 {
                return exact(0, 0);
            }
            let out = if divide { value as f64 / f } else { value as f64 * f };
            let rounded = out.round();
            Ok((rounded.is_finite() && rounded.abs() < 9.223_372_036_854_775e18).then_some(rounded as i64))
        }
    }
}

fn eval_times(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let divide = args.extra() == "/";
    let factors = args.array(1)?;
    if matches!(args.return_type(), arrow::datatypes::DataType::Struct(_)) {
        let intervals = Calendars::of(args, 0)?;
        return calendars(args, |i| match intervals.get(i).zip(factor_at(&factors, i)) {
            Some((p, f)) => times_calendar(p, &f, divide),
            None => Ok(None),
        });
    }
    let months = matches!(args.return_type(), arrow::datatypes::DataType::Interval(_));
    let values = Numbers::of(args, 0)?;
    each_row(args, |i| match values.get(i).zip(factor_at(&factors, i)) {
        Some((v, f)) => match scaled(v, &f, divide)?.filter(|v| !months || i32::try_from(*v).is_ok()) {
            Some(v) => Ok(Some(v)),
            None => fail(times_overflow(&f, divide, months)),
        },
        None => Ok(None),
    })
}

/// The error of a product or quotient that is no interval: Spark gives some of them no condition.
fn times_overflow(factor: &Factor, divide: bool, months: bool) -> Error {
    match factor {
        Factor::Exact { scale: 1, .. } if divide => Error::arithmetic("INTERVAL_ARITHMETIC_OVERFLOW.WITH_SUGGESTION")
            .param("functionName", "`try_divide`")
            .with_message("The interval is out of range."),
        Factor::Exact { .. } if !divide && !months => interval_overflow(),
        _ => Error::arithmetic("").with_message("not in range"),
    }
}

/// A calendar interval times a number: fractions of months become days, of days microseconds.
fn times_calendar(p: Parts, factor: &Factor, divide: bool) -> DfResult<Option<Parts>> {
    let f = match factor {
        Factor::Double(f) => *f,
        Factor::Exact { unscaled, scale } => *unscaled as f64 / *scale as f64,
    };
    if divide && f == 0.0 {
        return fail(Error::arithmetic("INTERVAL_DIVIDED_BY_ZERO").with_message("An interval was divided by zero."));
    }
    let by = |v: f64| if divide { v / f } else { v * f };
    let months = by(p.0 as f64);
    let days = by(p.1 as f64) + (months - months.trunc()) * 31.0;
    let micros = by(p.2 as f64) + (days - days.trunc()) * MICROS_PER_DAY as f64;
    let parts = (months.trunc() as i64, days.trunc() as i64, micros.round() as i64);
    if fits(&parts) { Ok(Some(parts)) } else { fail(interval_overflow()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_half_up() {
        for (value, unscaled, scale, divide, expect) in
            [(1, 25, 10, false, 3), (10, 3, 1, true, 3), (-1, 25, 10, false, -3), (11, 2, 1, true, 6)]
        {
            let out = scaled(value, &Factor::Exact { unscaled, scale }, divide).unwrap();
            assert_eq!(out, Some(expect), "{value} {unscaled}/{scale}");
        }
    }
}
