//! `+` and `-` where one side is a date, a timestamp, a time or an interval.

use arrow::array::{Array, AsArray, StructArray};
use arrow::datatypes::{Int32Type, Int64Type};
use datafusion::common::{Result as DfResult, internal_err};
use datafusion::logical_expr::ColumnarValue;
use spark::types::DataType;
use spark::{Error, ErrorKind, Origin, Result, Settings};

use super::calendar::{self, MICROS_PER_DAY, NANOS_PER_DAY};
use super::zone::Zone;
use super::{Numbers, datetime_overflow, each_row, interval_overflow};
use crate::call::Call;
use crate::coerce::{self, Expected};
use crate::error::{external, fail};
use crate::families::interval;
use crate::kernel::{Kernel, KernelArgs};
use crate::registry::{Build, Function};
use crate::typed::Typed;

/// Functions of this file.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "date_add", build: Build::Scalar(date_add) },
    Function { name: "dateadd", build: Build::Scalar(date_add) },
    Function { name: "date_sub", build: Build::Scalar(date_add) },
    Function { name: "datediff", build: Build::Scalar(date_diff) },
    Function { name: "date_diff", build: Build::Scalar(date_diff) },
    Function { name: "add_months", build: Build::Scalar(add_months) },
    Function { name: "timestampadd", build: Build::Scalar(timestamp_add) },
    Function { name: "timestampdiff", build: Build::Scalar(timestamp_diff) },
];

/// Kernels of this file.
pub const KERNELS: &[Kernel] = &[
    Kernel::new("date_add", eval_date_add),
    Kernel::new("date_sub", eval_date_sub),
    Kernel::new("datediff", eval_datediff),
    Kernel::new("add_months", eval_add_months),
    Kernel::new("date_add_interval", eval_date_add_interval),
    Kernel::new("timestamp_add_months", eval_timestamp_add_months),
    Kernel::new("timestamp_add_micros", eval_timestamp_add_micros),
    Kernel::new("timestamp_add_interval", eval_timestamp_add_interval),
    Kernel::new("subtract_dates", eval_subtract_dates),
    Kernel::new("subtract_timestamps", eval_subtract_timestamps),
    Kernel::new("interval_sum", eval_interval_sum),
    Kernel::new("time_add_interval", eval_time_add),
    Kernel::new("subtract_times", eval_subtract_times),
    Kernel::new("timestampadd", eval_timestamp_add),
    Kernel::new("timestampdiff", eval_timestamp_diff),
    Kernel::new("below_micros", eval_below_micros),
];

const INT_TYPES: &str = "(\"INT\" or \"SMALLINT\" or \"TINYINT\")";

fn kernel(name: &str) -> &'static Kernel {
    // The names are those of `KERNELS` above; the first stands in for none.
    KERNELS.iter().find(|k| k.name == name).unwrap_or(&KERNELS[0])
}

type Origins<'a> = Option<&'a std::sync::Arc<Origin>>;

/// `a + b` if it is date or interval arithmetic; `None` if it is not.
pub fn add(a: Typed, b: Typed, settings: &Settings, origin: Origins) -> Option<Result<Typed>> {
    use DataType as D;
    let out = match (&a.ty, &b.ty) {
        (D::Date, t) if is_interval(t) => date_interval(a, b, false, settings, origin),
        (t, D::Date) if is_interval(t) => date_interval(b, a, false, settings, origin),
        (D::YearMonthInterval { .. }, D::YearMonthInterval { .. })
        | (D::DayTimeInterval { .. }, D::DayTimeInterval { .. })
        | (D::CalendarInterval, D::CalendarInterval) => Ok(same_intervals(a, b, false, settings, origin)),
        (D::Null, t) if is_interval(t) => {
            let null = Typed::null(t.clone());
            Ok(same_intervals(null, b, false, settings, origin))
        }
        (t, D::Null) if is_interval(t) => {
            let null = Typed::null(t.clone());
            Ok(same_intervals(a, null, false, settings, origin))
        }
        (D::Timestamp | D::TimestampNtz, t) if is_interval(t) => Ok(timestamp_interval(a, b, false, settings, origin)),
        (t, D::Timestamp | D::TimestampNtz) if is_interval(t) => Ok(timestamp_interval(b, a, false, settings, origin)),
        (D::TimestampNanos { .. }, t) if is_interval(t) => nanos_interval(a, b, false, settings, origin),
        (t, D::TimestampNanos { .. }) if is_interval(t) => nanos_interval(b, a, false, settings, origin),
        (D::Time(_), D::DayTimeInterval { .. }) => Ok(time_interval(a, b, false, settings, origin)),
        (D::DayTimeInterval { .. }, D::Time(_)) => Ok(time_interval(b, a, false, settings, origin)),
        (t, D::CalendarInterval | D::DayTimeInterval { .. }) => {
            any_interval(a.clone(), t.clone(), b, false, settings, origin)
        }
        (D::CalendarInterval | D::DayTimeInterval { .. }, t) => {
            any_interval(b.clone(), t.clone(), a, false, settings, origin)
        }
        (D::Date, t) if !t.is_string() => days("date_add", a, b, settings, origin),
        (t, D::Date) if !t.is_string() => days("date_add", b, a, settings, origin),
        (D::Date, _) => days("date_add", a, b, settings, origin),
        (_, D::Date) => days("date_add", b, a, settings, origin),
        _ => return None,
    };
    Some(out)
}

/// `a - b` if it is date or interval arithmetic; `None` if it is not.
pub fn subtract(a: Typed, b: Typed, settings: &Settings, origin: Origins) -> Option<Result<Typed>> {
    use DataType as D;
    let out = match (&a.ty, &b.ty) {
        (D::Date, t) if is_interval(t) => date_interval(a, b, true, settings, origin),
        (D::YearMonthInterval { .. }, D::YearMonthInterval { .. })
        | (D::DayTimeInterval { .. }, D::DayTimeInterval { .. })
        | (D::CalendarInterval, D::CalendarInterval) => Ok(same_intervals(a, b, true, settings, origin)),
        (D::Null, t) if is_interval(t) => {
            let null = Typed::null(t.clone());
            Ok(same_intervals(null, b, true, settings, origin))
        }
        (t, D::Null) if is_interval(t) => {
            let null = Typed::null(t.clone());
            Ok(same_intervals(a, null, true, settings, origin))
        }
        (D::Timestamp | D::TimestampNtz, t) if is_interval(t) => Ok(timestamp_interval(a, b, true, settings, origin)),
        (D::TimestampNanos { .. }, t) if is_interval(t) => nanos_interval(a, b, true, settings, origin),
        (D::TimestampNanos { .. }, _) | (_, D::TimestampNanos { .. }) => timestamps(a, b, settings, origin),
        (D::Time(_), D::DayTimeInterval { .. }) => Ok(time_interval(a, b, true, settings, origin)),
        (D::Time(_), D::Time(_)) => Ok(times(a, b, settings, origin)),
        (t, D::CalendarInterval | D::DayTimeInterval { .. }) => {
            any_interval(a.clone(), t.clone(), b, true, settings, origin)
        }
        (D::Timestamp | D::TimestampNtz, _) | (_, D::Timestamp | D::TimestampNtz) => timestamps(a, b, settings, origin),
        (_, D::Date) => dates(a, b, settings, origin),
        (D::Date, t) if t.is_string() && settings.ansi => dates(a, b, settings, origin),
        (D::Date, _) => days("date_sub", a, b, settings, origin),
        _ => return None,
    };
    Some(out)
}

fn is_interval(ty: &DataType) -> bool {
    ty.is_ansi_interval() || *ty == DataType::CalendarInterval
}

fn call<'a>(name: &str, args: Vec<Typed>, settings: &'a Settings, origin: Origins) -> Call<'a> {
    let mut call = Call::new(name, args, settings);
    call.origin = origin.cloned();
    call.is_operator = true;
    call
}

/// A kernel over two operands, negating the second if asked, named `a + b`.
fn infix(
    name: &str,
    (a, b): (Typed, Typed),
    negate: bool,
    ty: DataType,
    (settings, origin): (&Settings, Origins),
    brackets: bool,
) -> Typed {
    let sign = if negate { '-' } else { '+' };
    let text =
        if brackets { format!("({} {sign} {})", a.name, b.name) } else { format!("{} {sign} {}", a.name, b.name) };
    let nullable = a.nullable || b.nullable;
    let call = call(name, vec![a, b], settings, origin);
    let mut options = if ty == DataType::TimestampNtz {
        call.options().with_time_zone(crate::types::UTC.into())
    } else {
        call.options_tz()
    };
    if negate {
        options = options.with_extra("-");
    }
    call.kernel_with(kernel(name), options, ty, nullable).named(text)
}

fn date_interval(date: Typed, interval: Typed, negate: bool, settings: &Settings, origin: Origins) -> Result<Typed> {
    match interval.ty {
        DataType::DayTimeInterval { start: 0, end: 0 } => {
            let nullable = interval.nullable;
            let text = format!("extractansiintervaldays({})", interval.name);
            let days = interval::days_of(interval, settings);
            let text = if negate { format!("(- {text})") } else { text };
            let name = format!("date_add({}, {text})", date.name);
            let nullable = nullable || date.nullable;
            let function = if negate { "date_sub" } else { "date_add" };
            let call = call(function, vec![date, days], settings, origin);
            Ok(call.kernel(kernel(function), DataType::Date, nullable).named(name))
        }
        DataType::DayTimeInterval { .. } => {
            let timestamp = coerce::cast_implicitly(&date, &DataType::Timestamp, settings);
            Ok(timestamp_interval(timestamp, interval, negate, settings, origin))
        }
        _ => Ok(infix("date_add_interval", (date, interval), negate, DataType::Date, (settings, origin), false)),
    }
}

fn timestamp_interval(ts: Typed, interval: Typed, negate: bool, settings: &Settings, origin: Origins) -> Typed {
    let name = match interval.ty {
        DataType::YearMonthInterval { .. } => "timestamp_add_months",
        DataType::DayTimeInterval { .. } => "timestamp_add_micros",
        _ => "timestamp_add_interval",
    };
    let ty = ts.ty.clone();
    infix(name, (ts, interval), negate, ty, (settings, origin), false)
}

/// Anything else with a day-time or calendar interval: read as a timestamp, and given back as it was.
fn any_interval(
    value: Typed,
    ty: DataType,
    interval: Typed,
    negate: bool,
    settings: &Settings,
    origin: Origins,
) -> Result<Typed> {
    if !(ty.is_string() || ty == DataType::Null) {
        let added = if negate { format!("(- {})", interval.name) } else { interval.name.clone() };
        return Err(Error::analysis("DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE")
            .param("sqlExpr", format!("\"{} + {added}\"", value.name))
            .param("paramIndex", "first")
            .param(
                "requiredType",
                "(\"(TIMESTAMP OR TIMESTAMP WITHOUT TIME ZONE)\" or \"(TIMESTAMP_LTZ(P) OR TIMESTAMP_NTZ(P) WITH P IN [7, 9])\")",
            )
            .param("inputSql", format!("\"{}\"", value.name))
            .param("inputType", format!("\"{}\"", ty.sql()))
            .at(origin));
    }
    let timestamp = coerce::cast_implicitly(&value, &DataType::Timestamp, settings);
    let out = timestamp_interval(timestamp, interval, negate, settings, origin);
    Ok(if ty.is_string() { coerce::cast_implicitly(&out, &DataType::STRING, settings) } else { out })
}

/// A timestamp with digits below the microsecond and an interval, which has none: they stay as they are.
fn nanos_interval(stamp: Typed, interval: Typed, negate: bool, settings: &Settings, origin: Origins) -> Result<Typed> {
    let ty = stamp.ty.clone();
    let exact = stamp.expr.clone();
    let sign = if negate { '-' } else { '+' };
    let name = format!("{} {sign} {}", stamp.name, interval.name);
    let mut call = call(&sign.to_string(), vec![stamp, interval], settings, origin);
    if call.args[1].ty == DataType::CalendarInterval {
        let call_name = format!("\"{name}\"");
        return Err(call.unexpected_type(1, "\"INTERVAL DAY TO SECOND\"").param("sqlExpr", call_name));
    }
    super::without_nanos(&mut call, 0);
    let mut args = std::mem::take(&mut call.args).into_iter();
    let (Some(micros), Some(interval)) = (args.next(), args.next()) else {
        return Err(Error::internal("two operands"));
    };
    let sum = timestamp_interval(micros, interval, negate, settings, origin);
    let args = vec![sum.expr, exact];
    let expr =
        crate::kernel::KernelUdf::call(kernel("below_micros"), crate::types::to_arrow(&ty), call.options(), args);
    Ok(Typed::new(expr, ty, sum.nullable, name))
}

/// Microseconds with the digits below that another timestamp has.
fn eval_below_micros(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let Some(DataType::TimestampNanos { ltz, precision }) = crate::nanos::of_storage(args.return_type()) else {
        return internal_err!("a timestamp of nanoseconds was expected");
    };
    let micros = Numbers::of(args, 0)?;
    let exact = args.array(1)?;
    let below = crate::nanos::counts(&exact).enumerate().map(|(i, count)| {
        let (micros, (_, below)) = micros.get(i).zip(count.map(crate::nanos::split))?;
        Some(i128::from(micros) * crate::nanos::PER_MICRO + i128::from(below))
    });
    Ok(ColumnarValue::Array(crate::nanos::array(below, ltz, precision)?))
}

fn same_intervals(a: Typed, b: Typed, negate: bool, settings: &Settings, origin: Origins) -> Typed {
    let ty = match (&a.ty, &b.ty) {
        (DataType::YearMonthInterval { start: a, end: b }, DataType::YearMonthInterval { start: c, end: d }) => {
            DataType::YearMonthInterval { start: *a.min(c), end: *b.max(d) }
        }
        (DataType::DayTimeInterval { start: a, end: b }, DataType::DayTimeInterval { start: c, end: d }) => {
            DataType::DayTimeInterval { start: *a.min(c), end: *b.max(d) }
        }
        (t, _) => t.clone(),
    };
    infix("interval_sum", (a, b), negate, ty, (settings, origin), true)
}

fn time_interval(time: Typed, interval: Typed, negate: bool, settings: &Settings, origin: Origins) -> Typed {
    let precision = match (&time.ty, &interval.ty) {
        (DataType::Time(p), DataType::DayTimeInterval { end, .. }) => {
            if *end == 3 {
                *p.max(&6)
            } else {
                *p
            }
        }
        _ => 6,
    };
    let ty = DataType::Time(precision);
    let typed = infix("time_add_interval", (time, interval), negate, ty, (settings, origin), false);
    Typed { nullable: true, ..typed }
}

fn times(a: Typed, b: Typed, settings: &Settings, origin: Origins) -> Typed {
    let ty = DataType::DayTimeInterval { start: 1, end: 3 };
    let name = format!("{} - {}", a.name, b.name);
    let typed = infix("subtract_times", (a, b), false, ty, (settings, origin), false).named(name);
    Typed { nullable: true, ..typed }
}

fn dates(a: Typed, b: Typed, settings: &Settings, origin: Origins) -> Result<Typed> {
    let name = format!("({} - {})", a.name, b.name);
    let mut call = call("-", vec![a, b], settings, origin);
    super::expect_date(&mut call, 0)?;
    super::expect_date(&mut call, 1)?;
    let nullable = call.any_nullable();
    let ty = DataType::DayTimeInterval { start: 0, end: 0 };
    Ok(call.kernel(kernel("subtract_dates"), ty, nullable).named(name))
}

fn timestamps(a: Typed, b: Typed, settings: &Settings, origin: Origins) -> Result<Typed> {
    let name = format!("({} - {})", a.name, b.name);
    let from_nanos = a.ty.is_timestamp_nanos() || b.ty.is_timestamp_nanos();
    // Beside such a timestamp a date never becomes null.
    let keeps = |x: &DataType| x.is_timestamp_nanos() || x.is_datetime();
    let never_null = from_nanos && keeps(&a.ty) && keeps(&b.ty) && !a.nullable && !b.nullable;
    let both_ntz = |x: &DataType, y: &DataType| *x == DataType::TimestampNtz && *y == DataType::TimestampNtz;
    let target = if both_ntz(&a.ty, &b.ty)
        || (*settings_ntz(&a.ty) && matches!(b.ty, DataType::Date | DataType::Null))
        || (*settings_ntz(&b.ty) && matches!(a.ty, DataType::Date | DataType::Null))
    {
        DataType::TimestampNtz
    } else {
        DataType::Timestamp
    };
    let mut call = call("-", vec![a, b], settings, origin);
    for i in 0..2 {
        super::without_nanos(&mut call, i);
    }
    let ntz_or_day = |ty: &DataType| matches!(ty, DataType::TimestampNtz | DataType::Date | DataType::Null);
    let target =
        if from_nanos && call.args.iter().all(|a| ntz_or_day(&a.ty)) { DataType::TimestampNtz } else { target };
    for i in 0..2 {
        if call.args[i].ty.is_datetime() {
            call.args[i] = coerce::cast_implicitly(&call.args[i], &target, settings);
        } else {
            let refused = call.unexpected_type(i, super::ANY_TIMESTAMP_OR_NANOS);
            // Only in ANSI mode is a text beside a timestamp one too.
            if call.args[i].ty.is_string() && !settings.ansi {
                return Err(refused);
            }
            call.expect(i, Expected::Type(target.clone())).map_err(|_| refused)?;
        }
    }
    let nullable = call.any_nullable() && !never_null;
    let zone = if target == DataType::TimestampNtz { crate::types::UTC.into() } else { settings.time_zone.clone() };
    let options = call.options().with_time_zone(zone);
    let ty = DataType::DayTimeInterval { start: 0, end: 3 };
    Ok(call.kernel_with(kernel("subtract_timestamps"), options, ty, nullable).named(name))
}

fn settings_ntz(ty: &DataType) -> &'static bool {
    if *ty == DataType::TimestampNtz { &true } else { &false }
}

/// `date_add(date, n)`, also written with operators.
fn days(name: &str, date: Typed, days: Typed, settings: &Settings, origin: Origins) -> Result<Typed> {
    let mut call = call(name, vec![date, days], settings, origin);
    if call.args[1].ty.is_string() {
        // The string has become what the operator makes of it.
        call.args[1].ty = if settings.ansi { DataType::Date } else { DataType::Double };
        return Err(call.unexpected_type(1, INT_TYPES));
    }
    call.is_operator = false;
    date_add(call)
}

fn date_add(mut call: Call) -> Result<Typed> {
    call.arity(2..=2)?;
    if call.name == "dateadd" {
        call.name = "date_add".into();
    }
    constant_days(&mut call)?;
    let name = call.display_name();
    super::expect_plain_date(&mut call, 0)?;
    match call.args[1].ty {
        DataType::Integer | DataType::Short | DataType::Byte => {}
        DataType::String { .. } | DataType::Null => {
            call.args[1] = coerce::cast_implicitly(&call.args[1], &DataType::Integer, call.settings);
        }
        _ => return Err(call.unexpected_type(1, INT_TYPES)),
    }
    let nullable = call.any_nullable();
    let kernel = kernel(if call.name == "date_sub" { "date_sub" } else { "date_add" });
    Ok(call.kernel(kernel, DataType::Date, nullable).named(name))
}

/// A constant string of days becomes the number that it holds, which the call is then printed with.
fn constant_days(call: &mut Call) -> Result<()> {
    if !call.args[1].ty.is_string() || !call.args[1].foldable() {
        return Ok(());
    }
    let days = crate::cast::cast_with(&call.args[1], &DataType::Integer, crate::cast::Mode::Ansi, call.settings);
    match crate::fold::evaluate(&days) {
        Ok(value) => {
            let name = if value.is_null() { "NULL".to_string() } else { value.to_string() };
            call.args[1] =
                Typed::new(datafusion::logical_expr::Expr::Literal(value, None), DataType::Integer, true, name);
            Ok(())
        }
        // In ANSI mode it fails like any other string.
        Err(_) if call.settings.ansi => Ok(()),
        Err(_) => Err(Error::analysis("SECOND_FUNCTION_ARGUMENT_NOT_INTEGER")
            .param("functionName", &call.name)
            .with_message(format!("The second argument of {} is a number of days.", call.name))
            .nowhere()),
    }
}

fn date_diff(mut call: Call) -> Result<Typed> {
    call.arity(2..=2)?;
    let name = call.display_name();
    super::expect_date(&mut call, 0)?;
    super::expect_date(&mut call, 1)?;
    let nullable = call.any_nullable();
    Ok(call.kernel(kernel("datediff"), DataType::Integer, nullable).named(name))
}

fn add_months(mut call: Call) -> Result<Typed> {
    call.arity(2..=2)?;
    let name = call.display_name();
    super::expect_date(&mut call, 0)?;
    call.expect_all(&[Expected::Type(DataType::Date), Expected::Type(DataType::Integer)])?;
    let nullable = call.any_nullable();
    Ok(call.kernel(kernel("add_months"), DataType::Date, nullable).named(name))
}

/// `timestampadd(UNIT, n, ts)`: the unit comes as a string literal.
fn timestamp_add(mut call: Call) -> Result<Typed> {
    call.arity(3..=3)?;
    let name = call.display_name();
    let unit = unit(&call)?;
    // Spark does not count the unit among the arguments.
    let refused = |call: &Call, i: usize, required: &str| {
        call.unexpected_type(i, required).param("paramIndex", crate::call::ordinal(i))
    };
    let number = refused(&call, 1, "\"BIGINT\"");
    call.expect(1, Expected::Type(DataType::Long)).map_err(|_| number)?;
    if call.args[2].ty != DataType::TimestampNtz {
        let stamp = refused(&call, 2, super::ANY_TIMESTAMP);
        super::expect_datetime(&mut call, 2, &DataType::Timestamp).map_err(|_| stamp)?;
    }
    let ty = call.args[2].ty.clone();
    let nullable = call.any_nullable();
    call.args.remove(0);
    let zone = if ty == DataType::TimestampNtz { crate::types::UTC.into() } else { call.settings.time_zone.clone() };
    let options = call.options().with_time_zone(zone).with_extra(unit);
    Ok(call.kernel_with(kernel("timestampadd"), options, ty, nullable).named(name))
}

fn timestamp_diff(mut call: Call) -> Result<Typed> {
    call.arity(3..=3)?;
    let name = call.display_name();
    let unit = unit(&call)?;
    call.args.remove(0);
    let ntz = call.args.iter().all(|a| a.ty == DataType::TimestampNtz);
    let ty = if ntz { DataType::TimestampNtz } else { DataType::Timestamp };
    for i in 0..2 {
        let shown = format!("\"{name}\"");
        super::expect_datetime(&mut call, i, &ty).map_err(|e| e.param("sqlExpr", shown))?;
    }
    let nullable = call.any_nullable();
    let zone = if ntz { crate::types::UTC.into() } else { call.settings.time_zone.clone() };
    let options = call.options().with_time_zone(zone).with_extra(unit);
    Ok(call.kernel_with(kernel("timestampdiff"), options, DataType::Long, nullable).named(name))
}

/// The unit of `timestampadd` and `timestampdiff`.
fn unit(call: &Call) -> Result<String> {
    let text = crate::fold::string(&call.args[0]).unwrap_or_else(|| call.args[0].name.clone()).to_uppercase();
    const UNITS: [&str; 11] = [
        "YEAR",
        "QUARTER",
        "MONTH",
        "WEEK",
        "DAY",
        "DAYOFYEAR",
        "HOUR",
        "MINUTE",
        "SECOND",
        "MILLISECOND",
        "MICROSECOND",
    ];
    if UNITS.contains(&text.as_str()) {
        return Ok(text);
    }
    Err(Error::new(ErrorKind::Parse, "INVALID_PARAMETER_VALUE.DATETIME_UNIT")
        .param("functionName", spark::types::quote_identifier(&call.name))
        .param("parameter", "`unit`")
        .param("invalidValue", format!("'{text}'"))
        .at(call.origin.as_ref()))
}

fn int_days(days: i64) -> DfResult<Option<i64>> {
    match i32::try_from(days) {
        Ok(_) => Ok(Some(days)),
        Err(_) => fail(crate::error::overflow("integer overflow", "")),
    }
}

fn eval_date_add(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let (dates, n) = (Numbers::of(args, 0)?, Numbers::of(args, 1)?);
    // As Java adds: integers wrap.
    each_row(args, |i| Ok(dates.get(i).zip(n.get(i)).map(|(d, n)| i64::from((d as i32).wrapping_add(n as i32)))))
}

fn eval_date_sub(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let (dates, n) = (Numbers::of(args, 0)?, Numbers::of(args, 1)?);
    each_row(args, |i| Ok(dates.get(i).zip(n.get(i)).map(|(d, n)| i64::from((d as i32).wrapping_sub(n as i32)))))
}

fn eval_datediff(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let (a, b) = (Numbers::of(args, 0)?, Numbers::of(args, 1)?);
    each_row(args, |i| Ok(a.get(i).zip(b.get(i)).map(|(a, b)| i64::from((a as i32).wrapping_sub(b as i32)))))
}

fn eval_add_months(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let (dates, months) = (Numbers::of(args, 0)?, Numbers::of(args, 1)?);
    each_row(args, |i| match dates.get(i).zip(months.get(i)) {
        Some((d, m)) => int_days(calendar::add_months(d, m)),
        None => Ok(None),
    })
}

fn sign(args: &KernelArgs) -> i64 {
    if args.extra() == "-" { -1 } else { 1 }
}

/// Calendar intervals by row.
pub struct Calendars {
    array: StructArray,
    constant: bool,
}

impl Calendars {
    /// Argument `i`.
    ///
    /// # Errors
    /// If it is not a calendar interval.
    pub fn of(args: &KernelArgs, i: usize) -> DfResult<Self> {
        let constant = args.scalar(i).is_some();
        let array = match args.value(i)? {
            ColumnarValue::Scalar(v) => v.to_array()?,
            ColumnarValue::Array(a) => std::sync::Arc::clone(a),
        };
        Ok(Calendars { array: array.as_struct().clone(), constant })
    }

    /// Months, days and microseconds of `row`.
    pub fn get(&self, row: usize) -> Option<(i64, i64, i64)> {
        let row = if self.constant { 0 } else { row };
        self.array.is_valid(row).then(|| {
            (
                i64::from(self.array.column(0).as_primitive::<Int32Type>().value(row)),
                i64::from(self.array.column(1).as_primitive::<Int32Type>().value(row)),
                self.array.column(2).as_primitive::<Int64Type>().value(row),
            )
        })
    }
}

fn is_struct(args: &KernelArgs, i: usize) -> bool {
    matches!(args.value(i), Ok(v) if matches!(v.data_type(), arrow::datatypes::DataType::Struct(_)))
}

fn eval_date_add_interval(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let dates = Numbers::of(args, 0)?;
    let sign = sign(args);
    if !is_struct(args, 1) {
        let months = Numbers::of(args, 1)?;
        return each_row(args, |i| match dates.get(i).zip(months.get(i)) {
            Some((d, m)) => int_days(calendar::add_months(d, sign * m)),
            None => Ok(None),
        });
    }
    let intervals = Calendars::of(args, 1)?;
    let (ansi, zone) = (args.ansi(), Zone::named(args.time_zone()?)?);
    each_row(args, |i| match dates.get(i).zip(intervals.get(i)) {
        Some((d, (m, days, 0))) => int_days(calendar::add_months(d, sign * m) + sign * days),
        Some(_) if ansi => fail(
            Error::new(ErrorKind::IllegalArgument, "INVALID_INTERVAL_WITH_MICROSECONDS_ADDITION")
                .with_message("An interval with hours or smaller units cannot be added to a date."),
        ),
        Some((d, (m, days, micros))) => {
            let start = zone.to_utc(d * MICROS_PER_DAY).ok_or_else(overflow)?;
            let end = add_parts(start, sign * m, sign * days, sign * micros, zone)?;
            Ok(Some(zone.to_local(end).div_euclid(MICROS_PER_DAY)))
        }
        None => Ok(None),
    })
}

fn overflow() -> datafusion::common::DataFusionError {
    external(crate::error::overflow("long overflow", ""))
}

/// A timestamp moved by months, days and microseconds on the clock of `zone`.
///
/// # Errors
/// If the result is out of range.
pub fn add_parts(ts: i64, months: i64, days: i64, micros: i64, zone: Zone) -> DfResult<i64> {
    let moved = if months == 0 && days == 0 {
        ts
    } else {
        let local = zone.to_local(ts);
        let (day, time) = (local.div_euclid(MICROS_PER_DAY), local.rem_euclid(MICROS_PER_DAY));
        let day = calendar::add_months(day, months) + days;
        let local = day.checked_mul(MICROS_PER_DAY).and_then(|d| d.checked_add(time)).ok_or_else(overflow)?;
        zone.to_utc(local).ok_or_else(overflow)?
    };
    moved.checked_add(micros).ok_or_else(overflow)
}

fn eval_timestamp_add_months(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let (ts, months) = (Numbers::of(args, 0)?, Numbers::of(args, 1)?);
    let (sign, zone) = (sign(args), Zone::named(args.time_zone()?)?);
    each_row(args, |i| match ts.get(i).zip(months.get(i)) {
        Some((t, m)) => add_parts(t, sign * m, 0, 0, zone).map(Some),
        None => Ok(None),
    })
}

fn eval_timestamp_add_micros(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let (ts, micros) = (Numbers::of(args, 0)?, Numbers::of(args, 1)?);
    let (sign, zone) = (sign(args), Zone::named(args.time_zone()?)?);
    each_row(args, |i| match ts.get(i).zip(micros.get(i)) {
        Some((t, n)) => {
            let n = n.checked_mul(sign).ok_or_else(overflow)?;
            add_parts(t, 0, n / MICROS_PER_DAY, n % MICROS_PER_DAY, zone).map(Some)
        }
        None => Ok(None),
    })
}

fn eval_timestamp_add_interval(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let (ts, intervals) = (Numbers::of(args, 0)?, Calendars::of(args, 1)?);
    let (sign, zone) = (sign(args), Zone::named(args.time_zone()?)?);
    each_row(args, |i| match ts.get(i).zip(intervals.get(i)) {
        Some((t, (m, d, us))) => add_parts(t, sign * m, sign * d, sign * us, zone).map(Some),
        None => Ok(None),
    })
}

fn eval_subtract_dates(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let (a, b) = (Numbers::of(args, 0)?, Numbers::of(args, 1)?);
    each_row(args, |i| match a.get(i).zip(b.get(i)) {
        Some((a, b)) => (a - b).checked_mul(MICROS_PER_DAY).map(Some).ok_or_else(|| external(interval_overflow())),
        None => Ok(None),
    })
}

fn eval_subtract_timestamps(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let (a, b) = (Numbers::of(args, 0)?, Numbers::of(args, 1)?);
    let zone = Zone::named(args.time_zone()?)?;
    each_row(args, |i| match a.get(i).zip(b.get(i)) {
        Some((a, b)) => zone.to_local(a).checked_sub(zone.to_local(b)).map(Some).ok_or_else(overflow),
        None => Ok(None),
    })
}

fn eval_interval_sum(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let sign = sign(args);
    if is_struct(args, 0) {
        let (a, b) = (Calendars::of(args, 0)?, Calendars::of(args, 1)?);
        let ansi = args.ansi();
        return interval::calendars(args, |i| match a.get(i).zip(b.get(i)) {
            Some((a, b)) => interval::sum_parts(a, b, sign, ansi),
            None => Ok(None),
        });
    }
    let (a, b) = (Numbers::of(args, 0)?, Numbers::of(args, 1)?);
    let months = matches!(args.return_type(), arrow::datatypes::DataType::Interval(_));
    each_row(args, |i| match a.get(i).zip(b.get(i)) {
        Some((a, b)) => {
            let out = b.checked_mul(sign).and_then(|b| a.checked_add(b));
            match out.filter(|v| !months || i32::try_from(*v).is_ok()) {
                Some(v) => Ok(Some(v)),
                None => fail(
                    Error::arithmetic("INTERVAL_ARITHMETIC_OVERFLOW.WITH_SUGGESTION")
                        .param("functionName", if sign < 0 { "`try_subtract`" } else { "`try_add`" })
                        .with_message("The interval is out of range."),
                ),
            }
        }
        None => Ok(None),
    })
}

fn eval_time_add(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let (time, micros) = (Numbers::of(args, 0)?, Numbers::of(args, 1)?);
    let sign = sign(args);
    each_row(args, |i| match time.get(i).zip(micros.get(i)) {
        Some((t, n)) => match n.checked_mul(1000 * sign).and_then(|n| t.checked_add(n)) {
            Some(v) if (0..NANOS_PER_DAY).contains(&v) => Ok(Some(v)),
            _ => fail(datetime_overflow("add an interval to a TIME")),
        },
        None => Ok(None),
    })
}

fn eval_subtract_times(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let (a, b) = (Numbers::of(args, 0)?, Numbers::of(args, 1)?);
    each_row(args, |i| Ok(a.get(i).zip(b.get(i)).map(|(a, b)| (a - b) / 1000)))
}

fn eval_timestamp_add(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let (n, ts) = (Numbers::of(args, 0)?, Numbers::of(args, 1)?);
    let zone = Zone::named(args.time_zone()?)?;
    let unit = args.extra();
    each_row(args, |i| match n.get(i).zip(ts.get(i)) {
        Some((n, t)) => timestamp_plus(unit, n, t, zone).map(Some).map_err(|_| {
            external(datetime_overflow({
                // Without a zone the moment is its own local time.
                let shown = shown_instant(t, zone, args);
                format!("add {n}L {unit} to {shown}")
            }))
        }),
        None => Ok(None),
    })
}

/// A timestamp as an SQL literal.
fn shown_instant(t: i64, zone: Zone, args: &KernelArgs) -> String {
    use arrow::datatypes::DataType as Arrow;
    let without_zone = matches!(args.return_type(), Arrow::Timestamp(_, None));
    let word = if without_zone { "TIMESTAMP_NTZ" } else { "TIMESTAMP" };
    format!("{word} '{}'", crate::cast::format::timestamp_to_string(t, zone))
}

fn timestamp_plus(unit: &str, n: i64, t: i64, zone: Zone) -> DfResult<i64> {
    let times = |k: i64| n.checked_mul(k).filter(|v| i32::try_from(*v).is_ok()).ok_or_else(overflow);
    let micros = |k: i64| n.checked_mul(k).ok_or_else(overflow);
    match unit {
        "YEAR" => add_parts(t, times(12)?, 0, 0, zone),
        "QUARTER" => add_parts(t, times(3)?, 0, 0, zone),
        "MONTH" => add_parts(t, times(1)?, 0, 0, zone),
        "WEEK" => add_parts(t, 0, times(7)?, 0, zone),
        "DAY" | "DAYOFYEAR" => add_parts(t, 0, times(1)?, 0, zone),
        "HOUR" => add_parts(t, 0, 0, micros(calendar::MICROS_PER_HOUR)?, zone),
        "MINUTE" => add_parts(t, 0, 0, micros(calendar::MICROS_PER_MINUTE)?, zone),
        "SECOND" => add_parts(t, 0, 0, micros(calendar::MICROS_PER_SECOND)?, zone),
        "MILLISECOND" => add_parts(t, 0, 0, micros(1000)?, zone),
        _ => add_parts(t, 0, 0, n, zone),
    }
}

fn eval_timestamp_diff(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let (a, b) = (Numbers::of(args, 0)?, Numbers::of(args, 1)?);
    let zone = Zone::named(args.time_zone()?)?;
    let unit = args.extra();
    each_row(args, |i| Ok(a.get(i).zip(b.get(i)).map(|(a, b)| units_between(unit, zone.to_local(a), zone.to_local(b)))))
}

/// Whole units from one local clock time to another, towards zero.
pub fn units_between(unit: &str, start: i64, end: i64) -> i64 {
    let micros = end - start;
    match unit {
        "YEAR" => whole_months(start, end) / 12,
        "QUARTER" => whole_months(start, end) / 3,
        "MONTH" => whole_months(start, end),
        "WEEK" => micros / (7 * MICROS_PER_DAY),
        "DAY" | "DAYOFYEAR" => micros / MICROS_PER_DAY,
        "HOUR" => micros / calendar::MICROS_PER_HOUR,
        "MINUTE" => micros / calendar::MICROS_PER_MINUTE,
        "SECOND" => micros / calendar::MICROS_PER_SECOND,
        "MILLISECOND" => micros / 1000,
        _ => micros,
    }
}

fn whole_months(start: i64, end: i64) -> i64 {
    let part = |t: i64| {
        let d = calendar::civil_from_days(t.div_euclid(MICROS_PER_DAY));
        (d.year * 12 + i64::from(d.month), i64::from(d.day) * MICROS_PER_DAY + t.rem_euclid(MICROS_PER_DAY))
    };
    let ((m1, r1), (m2, r2)) = (part(start), part(end));
    let months = m2 - m1;
    match months {
        m if m > 0 && r2 < r1 => m - 1,
        m if m < 0 && r2 > r1 => m + 1,
        m => m,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_whole_units() {
        let at = |y, m, d| calendar::days_from_civil(y, m, d) * MICROS_PER_DAY;
        for (unit, a, b, expect) in [
            ("MONTH", at(2020, 1, 31), at(2020, 2, 29), 0),
            ("MONTH", at(2020, 1, 31), at(2020, 3, 31), 2),
            ("YEAR", at(2020, 2, 29), at(2019, 2, 28), -1),
            ("DAY", at(2020, 1, 1), at(2020, 2, 1), 31),
            ("WEEK", at(2020, 1, 1), at(2020, 1, 14), 1),
        ] {
            assert_eq!(units_between(unit, a, b), expect, "{unit}");
        }
    }
}
