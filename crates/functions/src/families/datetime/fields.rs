//! Parts of dates, timestamps, times and intervals: `year` … `second`, `extract`, `dayname`.

use datafusion::common::{Result as DfResult, internal_err};
use datafusion::logical_expr::ColumnarValue;
use spark::types::DataType;
use spark::{Error, Result};

use super::arithmetic::Calendars;
use super::calendar::{self, MICROS_PER_DAY, MICROS_PER_HOUR, MICROS_PER_MINUTE, MICROS_PER_SECOND, MONTHS, WEEKDAYS};
use super::zone::Zone;
use super::{Numbers, each_row};
use crate::call::Call;
use crate::families::rows::strings;
use crate::kernel::{Kernel, KernelArgs};
use crate::registry::{Build, Function};
use crate::typed::Typed;

/// Functions of this file.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "year", build: Build::Scalar(date_field) },
    Function { name: "quarter", build: Build::Scalar(date_field) },
    Function { name: "month", build: Build::Scalar(date_field) },
    Function { name: "day", build: Build::Scalar(date_field) },
    Function { name: "dayofmonth", build: Build::Scalar(date_field) },
    Function { name: "dayofweek", build: Build::Scalar(date_field) },
    Function { name: "weekday", build: Build::Scalar(date_field) },
    Function { name: "dayofyear", build: Build::Scalar(date_field) },
    Function { name: "weekofyear", build: Build::Scalar(date_field) },
    Function { name: "hour", build: Build::Scalar(time_field) },
    Function { name: "minute", build: Build::Scalar(time_field) },
    Function { name: "second", build: Build::Scalar(time_field) },
    Function { name: "dayname", build: Build::Scalar(name_of) },
    Function { name: "monthname", build: Build::Scalar(name_of) },
    Function { name: "extract", build: Build::Scalar(extract) },
    Function { name: "date_part", build: Build::Scalar(extract) },
    Function { name: "datepart", build: Build::Scalar(extract) },
];

/// Kernels of this file.
pub const KERNELS: &[Kernel] = &[
    Kernel::new("date_field", eval_date_field),
    Kernel::new("time_field", eval_time_field),
    Kernel::new("day_or_month_name", eval_name),
    Kernel::new("interval_field", eval_interval_field),
    Kernel::new("exact_seconds", eval_exact_seconds),
];

fn date_field(mut call: Call) -> Result<Typed> {
    call.arity(1..=1)?;
    let name = call.display_name();
    let field = call.name.clone();
    Ok(of_date(&mut call, &field)?.named(name))
}

/// Field `field` of argument 0, which is read as a date.
fn of_date(call: &mut Call, field: &str) -> Result<Typed> {
    super::expect_date(call, 0)?;
    let options = call.options().with_extra(field);
    let nullable = call.args[0].nullable;
    Ok(one(call, 0, options, DataType::Integer, nullable))
}

/// The kernel at `index` of [`KERNELS`] over argument 0.
fn one(call: &Call, index: usize, options: crate::kernel::Options, ty: DataType, nullable: bool) -> Typed {
    let expr = crate::kernel::KernelUdf::call(
        &KERNELS[index],
        crate::types::to_arrow(&ty),
        options,
        vec![call.args[0].expr.clone()],
    );
    Typed::new(expr, ty, nullable, call.display_name())
}

fn time_field(mut call: Call) -> Result<Typed> {
    call.arity(1..=1)?;
    let name = call.display_name();
    let field = call.name.clone();
    Ok(of_time(&mut call, &field)?.named(name))
}

/// Field `field` of argument 0: a time of day, or read as a timestamp.
fn of_time(call: &mut Call, field: &str) -> Result<Typed> {
    let has_nanos = matches!(call.args[0].ty, DataType::TimestampNanos { .. } | DataType::Time(7..=9));
    let exact = field == "fraction" && has_nanos;
    let ty = match field {
        "fraction" if exact => DataType::decimal(11, 9),
        "fraction" => DataType::decimal(8, 6),
        _ => DataType::Integer,
    };
    if exact {
        return exact_seconds(call, ty);
    }
    super::without_nanos(call, 0);
    if !matches!(call.args[0].ty, DataType::TimestampNtz | DataType::Time(_)) {
        super::expect_timestamp(call, 0, super::ANY_TIMESTAMP)?;
    }
    if matches!(call.args[0].ty, DataType::Time(_)) {
        super::time::enabled(call)?;
    }
    let zone = match call.args[0].ty {
        DataType::Timestamp => call.settings.time_zone.clone(),
        _ => crate::types::UTC.into(),
    };
    let options = call.options().with_time_zone(zone).with_extra(field);
    // To Spark a field of a time may always be null.
    let nullable = call.args[0].nullable || matches!(call.args[0].ty, DataType::Time(_));
    Ok(one(call, 1, options, ty, nullable))
}

/// The second of the minute, with all digits of a timestamp or time that has some below the microsecond.
fn exact_seconds(call: &mut Call, ty: DataType) -> Result<Typed> {
    let is_time = matches!(call.args[0].ty, DataType::Time(_));
    if is_time {
        super::time::enabled(call)?;
    }
    let zone = match call.args[0].ty {
        DataType::TimestampNanos { ltz: true, .. } => call.settings.time_zone.clone(),
        _ => crate::types::UTC.into(),
    };
    let options = call.options().with_time_zone(zone);
    let nullable = call.args[0].nullable || is_time;
    Ok(one(call, 4, options, ty, nullable))
}

fn name_of(mut call: Call) -> Result<Typed> {
    call.arity(1..=1)?;
    let name = call.display_name();
    super::expect_date(&mut call, 0)?;
    let options = call.options().with_extra(call.name.as_str());
    let nullable = call.args[0].nullable;
    Ok(one(&call, 2, options, DataType::STRING, nullable).named(name))
}

fn extract(mut call: Call) -> Result<Typed> {
    call.arity(2..=2)?;
    let separator = if call.name == "date_part" { ", " } else { " FROM " };
    let name = format!("{}({}{separator}{})", call.name, call.args[0].name, call.args[1].name);
    if !call.args[0].foldable() || !(call.args[0].ty.is_string() || call.args[0].ty == DataType::Null) {
        return Err(Error::analysis("NON_FOLDABLE_ARGUMENT")
            .param("funcName", spark::types::quote_identifier(&call.name))
            .param("paramName", "`field`")
            .param("paramType", "\"STRING\"")
            .at(call.origin.as_ref()));
    }
    let Some(field) = crate::fold::string(&call.args[0]) else {
        return Ok(Typed::null(DataType::Double).named(name));
    };
    let source = call.args.remove(1);
    let invalid = || {
        Error::analysis("INVALID_EXTRACT_FIELD")
            .param("field", spark::types::quote_identifier(&field))
            .param("expr", format!("\"{}\"", source.name))
            .with_message(format!("{} has no field {field}.", source.name))
            .at(call.origin.as_ref())
    };
    let part = part(&field);
    if source.ty.is_ansi_interval() || source.ty == DataType::CalendarInterval {
        let ty = part.and_then(|p| interval_part_type(p, &source.ty)).ok_or_else(invalid)?;
        let options = call.options().with_extra(part.unwrap_or_default());
        let nullable = source.nullable;
        call.args = vec![source];
        return Ok(one(&call, 3, options, ty, nullable).named(name));
    }
    let part = part.ok_or_else(invalid)?;
    if matches!(source.ty, DataType::Time(_)) && !matches!(part, "hour" | "minute" | "fraction") {
        return Err(invalid());
    }
    if !(source.ty.is_datetime()
        || source.ty.is_timestamp_nanos()
        || source.ty.is_string()
        || matches!(source.ty, DataType::Time(_) | DataType::Null))
    {
        let (function, required) = function_of(part);
        let mut inner = Call::new(function, vec![source], call.settings);
        inner.origin = call.origin.clone();
        return Err(inner.unexpected_type(0, required));
    }
    call.args = vec![source];
    call.arg_names = vec![String::new()];
    let typed = match part {
        "hour" | "minute" | "fraction" => of_time(&mut call, part)?,
        _ => of_date(&mut call, part)?,
    };
    Ok(typed.named(name))
}

/// The function of a field, and what it asks for.
fn function_of(part: &'static str) -> (&'static str, &'static str) {
    match part {
        "hour" | "minute" => (part, super::ANY_TIMESTAMP),
        "fraction" => ("secondwithfraction", super::ANY_TIMESTAMP),
        "day" => ("dayofmonth", "\"DATE\""),
        "dayofweek_iso" => ("weekday", "\"DATE\""),
        other => (other, "\"DATE\""),
    }
}

/// The field under any of the names Spark accepts.
fn part(field: &str) -> Option<&'static str> {
    Some(match field.to_uppercase().as_str() {
        "YEAR" | "Y" | "YEARS" | "YR" | "YRS" => "year",
        "YEAROFWEEK" => "yearofweek",
        "QUARTER" | "QTR" => "quarter",
        "MONTH" | "MON" | "MONS" | "MONTHS" => "month",
        "WEEK" | "W" | "WEEKS" => "weekofyear",
        "DAY" | "D" | "DAYS" => "day",
        "DAYOFWEEK" | "DOW" => "dayofweek",
        "DAYOFWEEK_ISO" | "DOW_ISO" => "dayofweek_iso",
        "DOY" => "dayofyear",
        "HOUR" | "H" | "HOURS" | "HR" | "HRS" => "hour",
        "MINUTE" | "M" | "MIN" | "MINS" | "MINUTES" => "minute",
        "SECOND" | "S" | "SEC" | "SECONDS" | "SECS" => "fraction",
        _ => return None,
    })
}

fn interval_part_type(part: &str, source: &DataType) -> Option<DataType> {
    // An interval has the fields that its type runs over.
    let months = |field: u8| match source {
        DataType::YearMonthInterval { start, end } => (*start..=*end).contains(&field),
        DataType::DayTimeInterval { .. } => false,
        _ => true,
    };
    let days = |field: u8| match source {
        DataType::YearMonthInterval { .. } => false,
        DataType::DayTimeInterval { start, end } => (*start..=*end).contains(&field),
        _ => true,
    };
    match part {
        "year" if months(0) => Some(DataType::Integer),
        "month" if months(1) => Some(DataType::Byte),
        "day" if days(0) => Some(DataType::Integer),
        "hour" if days(1) => Some(DataType::Byte),
        "minute" if days(2) => Some(DataType::Byte),
        "fraction" if days(3) => Some(DataType::decimal(8, 6)),
        _ => None,
    }
}

fn eval_date_field(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let days = Numbers::of(args, 0)?;
    let field: fn(i64) -> i64 = match args.extra() {
        "year" => |d| calendar::civil_from_days(d).year,
        "quarter" => |d| i64::from((calendar::civil_from_days(d).month - 1) / 3 + 1),
        "month" => |d| i64::from(calendar::civil_from_days(d).month),
        "day" | "dayofmonth" => |d| i64::from(calendar::civil_from_days(d).day),
        "dayofweek" => |d| (calendar::weekday(d) + 1) % 7 + 1,
        "dayofweek_iso" => |d| calendar::weekday(d) + 1,
        "weekday" => calendar::weekday,
        "dayofyear" => calendar::day_of_year,
        "weekofyear" => |d| calendar::iso_week(d).1,
        "yearofweek" => |d| calendar::iso_week(d).0,
        other => return internal_err!("a date has no {other}"),
    };
    each_row(args, |i| Ok(days.get(i).map(field)))
}

fn eval_time_field(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let zone = Zone::named(args.time_zone()?)?;
    let nanos = matches!(args.value(0)?.data_type(), arrow::datatypes::DataType::Time64(_));
    let values = Numbers::of(args, 0)?;
    let field: fn(i64) -> i64 = match args.extra() {
        "hour" => |t| t / MICROS_PER_HOUR,
        "minute" => |t| t / MICROS_PER_MINUTE % 60,
        "second" => |t| t / MICROS_PER_SECOND % 60,
        "fraction" => |t| t % MICROS_PER_MINUTE,
        other => return internal_err!("a time has no {other}"),
    };
    each_row(args, |i| {
        Ok(values.get(i).map(|v| {
            let micros = if nanos { v / 1000 } else { zone.to_local(v).rem_euclid(MICROS_PER_DAY) };
            field(micros)
        }))
    })
}

fn eval_exact_seconds(args: &KernelArgs) -> DfResult<ColumnarValue> {
    if matches!(args.value(0)?.data_type(), arrow::datatypes::DataType::Time64(_)) {
        let times = Numbers::of(args, 0)?;
        return each_row(args, |i| Ok(times.get(i).map(|t| t % (MICROS_PER_MINUTE * 1000))));
    }
    let zone = Zone::named(args.time_zone()?)?;
    let counts: Vec<Option<i128>> = crate::nanos::counts(&args.array(0)?).collect();
    each_row(args, |i| {
        Ok(counts.get(i).copied().flatten().map(|count| {
            let (micros, below) = crate::nanos::split(count);
            zone.to_local(micros).rem_euclid(MICROS_PER_MINUTE) * 1000 + below
        }))
    })
}

fn eval_name(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let days = Numbers::of(args, 0)?;
    let month = args.extra() == "monthname";
    strings(args, |i, out| {
        let Some(d) = days.get(i) else { return Ok(false) };
        let name = if month {
            MONTHS[calendar::civil_from_days(d).month as usize - 1]
        } else {
            WEEKDAYS[calendar::weekday(d) as usize]
        };
        out.push_str(&name[..3]);
        Ok(true)
    })
}

fn eval_interval_field(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let part = args.extra().to_string();
    let of = move |months: i64, days: i64, micros: i64| match part.as_str() {
        "year" => months / 12,
        "month" => months % 12,
        "day" => days,
        "hour" => micros / MICROS_PER_HOUR,
        "minute" => micros / MICROS_PER_MINUTE % 60,
        _ => micros % MICROS_PER_MINUTE,
    };
    match args.value(0)?.data_type() {
        arrow::datatypes::DataType::Struct(_) => {
            let values = Calendars::of(args, 0)?;
            each_row(args, |i| Ok(values.get(i).map(|(m, d, us)| of(m, d, us))))
        }
        arrow::datatypes::DataType::Interval(_) => {
            let values = Numbers::of(args, 0)?;
            each_row(args, |i| Ok(values.get(i).map(|m| of(m, 0, 0))))
        }
        _ => {
            let values = Numbers::of(args, 0)?;
            each_row(args, |i| Ok(values.get(i).map(|us| of(0, us / MICROS_PER_DAY, us % MICROS_PER_DAY))))
        }
    }
}
