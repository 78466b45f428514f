//! Functions of the TIME type.

use arrow::array::AsArray;
use arrow::datatypes::Decimal128Type;
use datafusion::common::Result as DfResult;
use datafusion::logical_expr::ColumnarValue;
use spark::types::DataType;
use spark::{Error, ErrorKind, Result};

use super::calendar::{MICROS_PER_SECOND, NANOS_PER_DAY};
use super::scan::checked_time;
use super::{Numbers, date_error, each_row};
use crate::call::Call;
use crate::coerce::Expected;
use crate::error::fail;
use crate::families::lists::Column;
use crate::families::rows::Text;
use crate::kernel::{Kernel, KernelArgs};
use crate::registry::{Build, Function};
use crate::typed::Typed;

/// Functions of this file.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "make_time", build: Build::Scalar(make_time) },
    Function { name: "time_diff", build: Build::Scalar(time_diff) },
    Function { name: "time_trunc", build: Build::Scalar(time_trunc) },
    Function { name: "time_from_seconds", build: Build::Scalar(time_from) },
    Function { name: "time_from_millis", build: Build::Scalar(time_from) },
    Function { name: "time_from_micros", build: Build::Scalar(time_from) },
    Function { name: "time_to_seconds", build: Build::Scalar(time_to) },
    Function { name: "time_to_millis", build: Build::Scalar(time_to) },
    Function { name: "time_to_micros", build: Build::Scalar(time_to) },
];

/// Kernels of this file.
pub const KERNELS: &[Kernel] = &[
    Kernel::new("make_time", eval_make),
    Kernel::new("time_diff", eval_diff),
    Kernel::new("time_trunc", eval_trunc),
    Kernel::new("time_from", eval_from),
    Kernel::new("time_to", eval_to),
];

/// Refuses the TIME type where it is switched off.
///
/// # Errors
/// `UNSUPPORTED_TIME_TYPE`.
pub fn enabled(call: &Call) -> Result<()> {
    if call.settings.time_type {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Analysis, "UNSUPPORTED_TIME_TYPE")
        .with_message("The TIME type is switched off.")
        .nowhere())
}

fn expect_time(call: &mut Call, i: usize) -> Result<()> {
    match call.args[i].ty {
        DataType::Time(_) => Ok(()),
        _ => call.expect(i, Expected::Type(DataType::Time(6))),
    }
}

// To Spark a call of a function on times may always give null.

fn make_time(mut call: Call) -> Result<Typed> {
    call.arity(3..=3)?;
    enabled(&call)?;
    let name = call.display_name();
    call.expect(0, Expected::Type(DataType::Integer))?;
    call.expect(1, Expected::Type(DataType::Integer))?;
    call.expect(2, Expected::Type(DataType::decimal(16, 6)))?;
    let nullable = true;
    Ok(call.kernel(&KERNELS[0], DataType::Time(6), nullable).named(name))
}

fn time_diff(mut call: Call) -> Result<Typed> {
    call.arity(3..=3)?;
    enabled(&call)?;
    let name = call.display_name();
    call.expect(0, Expected::String)?;
    expect_time(&mut call, 1)?;
    expect_time(&mut call, 2)?;
    let nullable = true;
    Ok(call.kernel(&KERNELS[1], DataType::Long, nullable).named(name))
}

fn time_trunc(mut call: Call) -> Result<Typed> {
    call.arity(2..=2)?;
    enabled(&call)?;
    let name = call.display_name();
    call.expect(0, Expected::String)?;
    expect_time(&mut call, 1)?;
    let ty = call.args[1].ty.clone();
    let nullable = true;
    Ok(call.kernel(&KERNELS[2], ty, nullable).named(name))
}

fn time_from(mut call: Call) -> Result<Typed> {
    call.arity(1..=1)?;
    enabled(&call)?;
    let name = call.display_name();
    if call.name == "time_from_seconds" {
        call.expect(0, Expected::Numeric)?;
        let decimal = DataType::decimal(38, 9);
        call.args[0] = crate::coerce::cast_implicitly(&call.args[0], &decimal, call.settings);
    } else {
        call.expect(0, Expected::Integral)?;
    }
    let nullable = true;
    let options = call.options().with_extra(call.name.as_str());
    Ok(call.kernel_with(&KERNELS[3], options, DataType::Time(6), nullable).named(name))
}

fn time_to(mut call: Call) -> Result<Typed> {
    call.arity(1..=1)?;
    enabled(&call)?;
    let name = call.display_name();
    expect_time(&mut call, 0)?;
    let ty = if call.name == "time_to_seconds" { DataType::decimal(14, 6) } else { DataType::Long };
    let nullable = true;
    let options = call.options().with_extra(call.name.as_str());
    Ok(call.kernel_with(&KERNELS[4], options, ty, nullable).named(name))
}

fn eval_make(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let (hours, minutes, seconds) = (Numbers::of(args, 0)?, Numbers::of(args, 1)?, Column::of(args, 2)?);
    each_row(args, |i| {
        let Some((h, m)) = hours.get(i).zip(minutes.get(i)).filter(|_| !seconds.is_null(i)) else { return Ok(None) };
        let micros = seconds.array.as_primitive::<Decimal128Type>().value(seconds.at(i)) as i64;
        match checked_time(h, m, micros.div_euclid(MICROS_PER_SECOND)) {
            Ok(time) => Ok(Some((time + micros.rem_euclid(MICROS_PER_SECOND)) * 1000)),
            Err(message) => fail(
                date_error("DATETIME_FIELD_OUT_OF_BOUNDS.WITHOUT_SUGGESTION")
                    .param("rangeMessage", &message)
                    .with_message(message),
            ),
        }
    })
}

/// Nanoseconds of a unit of time.
fn unit_nanos(unit: &str) -> Option<i64> {
    Some(match unit.to_uppercase().as_str() {
        "HOUR" => 3_600_000_000_000,
        "MINUTE" => 60_000_000_000,
        "SECOND" => 1_000_000_000,
        "MILLISECOND" => 1_000_000,
        "MICROSECOND" => 1000,
        _ => return None,
    })
}

fn unknown_unit(function: &str, unit: &str) -> Error {
    Error::new(ErrorKind::IllegalArgument, "INVALID_PARAMETER_VALUE.TIME_UNIT")
        .param("functionName", format!("`{function}`"))
        .param("parameter", "`unit`")
        .param("invalidValue", format!("'{unit}'"))
        .with_message(format!("{unit} is not a unit of time."))
}

fn eval_diff(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let (units, from, to) = (Text::of(args, 0)?, Numbers::of(args, 1)?, Numbers::of(args, 2)?);
    each_row(args, |i| {
        let Some(((unit, a), b)) = units.get(i).zip(from.get(i)).zip(to.get(i)) else { return Ok(None) };
        match unit_nanos(unit) {
            Some(n) => Ok(Some((b - a) / n)),
            None => fail(unknown_unit("time_diff", unit)),
        }
    })
}

fn eval_trunc(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let (units, times) = (Text::of(args, 0)?, Numbers::of(args, 1)?);
    each_row(args, |i| {
        let Some((unit, t)) = units.get(i).zip(times.get(i)) else { return Ok(None) };
        match unit_nanos(unit) {
            Some(n) => Ok(Some(t - t % n)),
            None => fail(unknown_unit("time_trunc", unit)),
        }
    })
}

fn eval_from(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let checked = |value: Option<i64>, shown: i64| match value {
        Some(v) if (0..NANOS_PER_DAY).contains(&v) => Ok(Some(v)),
        _ => fail(
            date_error("DATETIME_FIELD_OUT_OF_BOUNDS.WITHOUT_SUGGESTION")
                .param(
                    "rangeMessage",
                    format!("Invalid value for NanoOfDay (valid values 0 - 86399999999999): {shown}"),
                )
                .with_message("The time of day is out of range."),
        ),
    };
    if args.extra() == "time_from_seconds" {
        let seconds = Column::of(args, 0)?;
        let values = seconds.array.as_primitive::<Decimal128Type>();
        return each_row(args, |i| {
            if seconds.is_null(i) {
                return Ok(None);
            }
            let nanos = i64::try_from(values.value(seconds.at(i))).ok();
            checked(nanos, nanos.unwrap_or(i64::MAX))
        });
    }
    let unit = if args.extra() == "time_from_millis" { 1_000_000 } else { 1000 };
    let values = Numbers::of(args, 0)?;
    each_row(args, |i| match values.get(i) {
        None => Ok(None),
        Some(v) => checked(v.checked_mul(unit), v),
    })
}

fn eval_to(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let times = Numbers::of(args, 0)?;
    let of: fn(i64) -> i64 = match args.extra() {
        "time_to_millis" => |t| t / 1_000_000,
        // Seconds are a decimal of six places, rounded: its unscaled value is microseconds.
        "time_to_seconds" => |t| (t + 500) / 1000,
        _ => |t| t / 1000,
    };
    each_row(args, |i| Ok(times.get(i).map(of)))
}
