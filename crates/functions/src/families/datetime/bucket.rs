//! Windows of time: `window`, `session_window`, `window_time`, `time_bucket`.

use std::sync::Arc;

use arrow::array::StructArray;
use arrow::datatypes::DataType as Arrow;
use datafusion::common::{Result as DfResult, internal_err};
use datafusion::logical_expr::{ColumnarValue, lit};
use datafusion::scalar::ScalarValue;
use spark::expr::CastMode;
use spark::types::{DataType, StructField, StructType};
use spark::{Error, Result};

use super::arithmetic::add_parts;
use super::calendar::{MICROS_PER_DAY, civil_from_days};
use super::zone::Zone;
use super::{Numbers, each_row, typed};
use crate::call::Call;
use crate::coerce::Expected;
use crate::error::from_datafusion;
use crate::families::rows::{finish, row_count};
use crate::kernel::{Kernel, KernelArgs};
use crate::registry::{Build, Function, Generator};
use crate::typed::Typed;
use crate::types::to_arrow;
use crate::{cast, fold};

/// Functions of this file.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "window", build: Build::Scalar(window) },
    Function { name: "session_window", build: Build::Scalar(session_window) },
    Function { name: "window_time", build: Build::Scalar(window_time) },
    Function { name: "time_bucket", build: Build::Scalar(time_bucket) },
];

/// Kernels of this file.
pub const KERNELS: &[Kernel] = &[
    Kernel::new("window", eval_window),
    Kernel::new("session_window", eval_session),
    Kernel::new("window_time", eval_window_time),
    Kernel::new("time_bucket", eval_bucket),
];

/// The metadata of a window's column.
pub const WINDOW_MARK: &str = "spark.timeWindow";

/// The metadata of a column of sessions.
pub const SESSION_MARK: &str = "spark.sessionWindow";

/// A `window(…)` call: what it is of, and its three durations in microseconds.
pub struct TimeWindow {
    pub time: Typed,
    pub length: i64,
    pub slide: i64,
    pub start: i64,
}

impl TimeWindow {
    /// Reads the call.
    ///
    /// # Errors
    /// If a duration is not a positive constant.
    pub fn of(mut call: Call) -> Result<TimeWindow> {
        call.arity(2..=4)?;
        let length = duration(&call, 1)?;
        let slide = if call.args.len() > 2 { duration(&call, 2)? } else { length };
        let start = if call.args.len() > 3 { duration(&call, 3)? } else { 0 };
        let shown = format!("\"window({}, {length}, {slide}, {start})\"", call.args[0].name);
        check_durations(&call, length, slide, start).map_err(|e| e.param("sqlExpr", &shown))?;
        time_of(&mut call).map_err(|e| e.param("sqlExpr", &shown))?;
        let time = call.args.swap_remove(0);
        Ok(TimeWindow { time, length, slide, start })
    }

    /// The latest window that a row is in.
    pub fn first(&self) -> Typed {
        let ty = window_type(&self.time.ty);
        let numbers = format!("{},{},{}", self.length, self.slide, self.start);
        let options = crate::kernel::Options::ansi(true).with_extra(numbers);
        let nullable = self.time.nullable;
        let expr = crate::kernel::KernelUdf::call(&KERNELS[0], to_arrow(&ty), options, vec![self.time.expr.clone()]);
        Typed::new(expr, ty, nullable, "window")
    }

    /// True if windows do not overlap.
    pub fn is_tumbling(&self) -> bool {
        self.length == self.slide
    }

    /// All windows a row is in, as rows of one column `window`.
    pub fn generator(self) -> Generator {
        let ty = window_type(&self.time.ty);
        let list =
            crate::families::generator::windows_of(self.time.expr, &self.time.ty, self.length, self.slide, self.start);
        Generator { list, columns: vec![("window".into(), ty, false)], outer: false, name: "window".into() }
    }
}

/// `struct<start, end>`.
pub fn window_type(time: &DataType) -> DataType {
    DataType::Struct(StructType::new(vec![
        StructField::new("start", time.clone(), true),
        StructField::new("end", time.clone(), true),
    ]))
}

/// The time that a row is put into windows by: a timestamp, or the time of an earlier window.
fn time_of(call: &mut Call) -> Result<()> {
    let time = &call.args[0];
    match &time.ty {
        DataType::TimestampNtz => return Ok(()),
        DataType::Struct(s) if is_window_struct(s) => {
            let ty = s.fields[1].data_type.clone();
            let options = call.options();
            let expr = crate::kernel::KernelUdf::call(&KERNELS[2], to_arrow(&ty), options, vec![time.expr.clone()]);
            let name = format!("window_time({})", time.name);
            call.args[0] = Typed::new(expr, ty, true, name);
            return Ok(());
        }
        _ => {}
    }
    let required = "(\"(TIMESTAMP OR TIMESTAMP WITHOUT TIME ZONE)\" or \"STRUCT<start: TIMESTAMP, end: TIMESTAMP>\" \
                    or \"STRUCT<start: TIMESTAMP_NTZ, end: TIMESTAMP_NTZ>\")";
    let refused = call.unexpected_type(0, required);
    super::expect_datetime(call, 0, &DataType::Timestamp).map_err(|_| refused)
}

fn is_window_struct(s: &StructType) -> bool {
    let is_time = |i: usize, name: &str| {
        s.fields[i].name == name && matches!(s.fields[i].data_type, DataType::Timestamp | DataType::TimestampNtz)
    };
    s.fields.len() == 2 && is_time(0, "start") && is_time(1, "end")
}

fn check_durations(call: &Call, length: i64, slide: i64, start: i64) -> Result<()> {
    for (name, value) in [("window_duration", length), ("slide_duration", slide)] {
        if value <= 0 {
            return Err(call
                .mismatch("VALUE_OUT_OF_RANGE")
                .param("exprName", format!("`{name}`"))
                .param("valueRange", format!("(0, {}]", i64::MAX))
                .param("currentValue", format!("{value}L"))
                .with_message("A window and its slide are longer than nothing."));
        }
    }
    let constraint = |left: &str, value: i64, sign: &str, right: &str, limit: i64| {
        call.mismatch("PARAMETER_CONSTRAINT_VIOLATION")
            .param("leftExprName", format!("`{left}`"))
            .param("leftExprValue", format!("{value}L"))
            .param("constraint", sign)
            .param("rightExprName", format!("`{right}`"))
            .param("rightExprValue", format!("{limit}L"))
            .with_message("A window slides by no more than its length and starts within its slide.")
    };
    if slide > length {
        return Err(constraint("slide_duration", slide, "<=", "window_duration", length));
    }
    if start.checked_abs().is_none_or(|s| s >= slide) {
        return Err(constraint("abs(start_time)", start.saturating_abs(), "<", "slide_duration", slide));
    }
    Ok(())
}

/// A constant interval text (or microseconds) in microseconds.
fn duration(call: &Call, i: usize) -> Result<i64> {
    let arg = &call.args[i];
    let refused = || {
        Error::analysis("_LEGACY_ERROR_TEMP_1207")
            .with_message("A window's durations are constants: numbers of microseconds or texts of intervals.")
            .at(call.origin.as_ref())
    };
    if !arg.foldable() {
        return Err(refused());
    }
    if arg.ty.is_string() {
        let Some(text) = fold::string(arg) else { return Err(refused()) };
        let typed = cast::explicit(arg, &DataType::CalendarInterval, CastMode::Ansi, call.settings)?;
        let value = fold::evaluate(&typed).ok();
        let Some((months, days, micros)) = value.and_then(|v| calendar_parts(&v).ok()) else {
            return Err(Error::analysis("CANNOT_PARSE_INTERVAL")
                .param("intervalString", format!("'{text}'"))
                .with_message(format!("'{text}' is no interval."))
                .at(call.origin.as_ref()));
        };
        if months != 0 {
            return Err(Error::new(spark::ErrorKind::IllegalArgument, "_LEGACY_ERROR_TEMP_3231")
                .param("interval", text)
                .with_message("A window's durations have no months."));
        }
        return Ok(days * MICROS_PER_DAY + micros);
    }
    match fold::evaluate(arg)? {
        ScalarValue::Int64(Some(v)) => Ok(v),
        ScalarValue::Int32(Some(v)) => Ok(i64::from(v)),
        _ => Err(refused()),
    }
}

fn calendar_parts(value: &ScalarValue) -> Result<(i64, i64, i64)> {
    use arrow::array::{Array, AsArray};
    use arrow::datatypes::{Int32Type, Int64Type};
    let array = value.to_array().map_err(from_datafusion)?;
    let Some(s) = array.as_struct_opt().filter(|s| s.is_valid(0) && s.num_columns() == 3) else {
        return Err(Error::internal("a window's duration is no interval"));
    };
    Ok((
        i64::from(s.column(0).as_primitive::<Int32Type>().value(0)),
        i64::from(s.column(1).as_primitive::<Int32Type>().value(0)),
        s.column(2).as_primitive::<Int64Type>().value(0),
    ))
}

/// A tumbling window as a value of its row. Overlapping windows multiply rows; the analyzer plans them
/// with [`TimeWindow::generator`].
fn window(call: Call) -> Result<Typed> {
    let window = TimeWindow::of(call)?;
    if !window.is_tumbling() {
        return Err(Error::unsupported("a sliding window in a condition of a join or inside another operator"));
    }
    Ok(window.first())
}

/// The session a row opens: from its time for the length of the gap. The analyzer merges sessions that
/// overlap.
fn session_window(mut call: Call) -> Result<Typed> {
    call.arity(2..=2)?;
    let shown = format!("\"sessionwindow({}, {})\"", call.args[0].name, call.args[1].name);
    time_of(&mut call).map_err(|e| e.param("sqlExpr", &shown))?;
    match &call.args[1].ty {
        ty if ty.is_string() => {
            let mode = CastMode::Session;
            call.args[1] = cast::explicit(&call.args[1], &DataType::CalendarInterval, mode, call.settings)?;
        }
        DataType::CalendarInterval | DataType::DayTimeInterval { .. } => {}
        other => {
            return Err(Error::analysis("_LEGACY_ERROR_TEMP_1040")
                .param("dt", format!("{other:?}Type"))
                .with_message(format!("The gap of sessions is an interval, not {}.", other.sql()))
                .at(call.origin.as_ref()));
        }
    }
    let ty = window_type(&call.args[0].ty);
    let nullable = call.args[0].nullable;
    let zone = if call.args[0].ty == DataType::TimestampNtz {
        call.options().with_time_zone(crate::types::UTC.into())
    } else {
        call.options_tz()
    };
    Ok(call.kernel_with(&KERNELS[1], zone, ty, nullable).named("session_window"))
}

fn window_time(call: Call) -> Result<Typed> {
    call.arity(1..=1)?;
    let arg = &call.args[0];
    let ty = match &arg.ty {
        DataType::Struct(s) if is_window_struct(s) && is_window(arg) => s.fields[1].data_type.clone(),
        DataType::Struct(_) => {
            return Err(Error::analysis("_LEGACY_ERROR_TEMP_3101")
                .param("windowTime", call.display_name())
                .with_message(format!("{} is not the column of a window.", arg.name))
                .at(call.origin.as_ref()));
        }
        _ => return Err(call.unexpected_type(0, "\"STRUCT\"")),
    };
    Ok(call.kernel(&KERNELS[2], ty, true))
}

/// True if the value is the window of an earlier operator.
fn is_window(typed: &Typed) -> bool {
    [WINDOW_MARK, SESSION_MARK].iter().any(|mark| typed.metadata.get(mark).is_some())
}

fn time_bucket(mut call: Call) -> Result<Typed> {
    call.arity(2..=3)?;
    if call.args[1].ty != DataType::TimestampNtz {
        let origin = if call.args.len() == 2 { ", TIMESTAMP '1970-01-01 00:00:00'" } else { "" };
        let shown = call.display_name();
        let shown = format!("\"{}{origin})\"", shown.strip_suffix(')').unwrap_or(&shown));
        let refused = call.unexpected_type(1, super::ANY_TIMESTAMP).param("sqlExpr", shown);
        if call.args[1].ty.is_timestamp_nanos() {
            return Err(refused);
        }
        super::expect_datetime(&mut call, 1, &DataType::Timestamp).map_err(|_| refused)?;
    }
    let ty = call.args[1].ty.clone();
    let ltz = ty == DataType::Timestamp;
    let zone_id = if ltz { call.settings.time_zone.clone() } else { crate::types::UTC.into() };
    if call.args.len() == 2 {
        let zone = Zone::named(&zone_id).map_err(from_datafusion)?;
        let origin = zone.to_utc(0).unwrap_or(0);
        let value = ScalarValue::TimestampMicrosecond(Some(origin), ltz.then(|| crate::types::UTC.into()));
        let kind = if ltz { "TIMESTAMP" } else { "TIMESTAMP_NTZ" };
        call.args.push(Typed::new(lit(value), ty.clone(), false, format!("{kind} '1970-01-01 00:00:00'")));
    }
    let name = call.display_name();
    let refused = call.unexpected_type(2, "\"(TIMESTAMP OR TIMESTAMP WITHOUT TIME ZONE)\"");
    call.expect(2, Expected::Type(ty.clone())).map_err(|_| refused)?;
    if !call.args[0].ty.is_ansi_interval() {
        return Err(call.unexpected_type(0, "(\"INTERVAL DAY TO SECOND\" or \"INTERVAL YEAR TO MONTH\")"));
    }
    let positive = match fold::evaluate(&call.args[0])? {
        ScalarValue::DurationMicrosecond(Some(v)) => v > 0,
        ScalarValue::IntervalYearMonth(Some(v)) => v > 0,
        _ => true,
    };
    if !positive {
        return Err(call
            .mismatch("VALUE_OUT_OF_RANGE")
            .param("exprName", "`bucketSize`")
            .param("valueRange", "(0, inf)")
            .param("currentValue", &call.args[0].name));
    }
    let nullable = call.any_nullable();
    let options = call.options().with_time_zone(zone_id);
    Ok(call.kernel_with(&KERNELS[3], options, ty, nullable).named(name))
}

/// Pairs of times as the kernel's struct result.
fn pairs(args: &KernelArgs, rows: Vec<Option<(i64, i64)>>) -> DfResult<ColumnarValue> {
    let Arrow::Struct(fields) = args.return_type() else { return internal_err!("a window is a struct") };
    let columns = vec![
        typed(rows.iter().map(|r| r.map(|p| p.0)).collect(), fields[0].data_type())?,
        typed(rows.iter().map(|r| r.map(|p| p.1)).collect(), fields[1].data_type())?,
    ];
    let nulls = rows.iter().map(Option::is_some).collect::<Vec<bool>>().into();
    finish(args, Arc::new(StructArray::try_new(fields.clone(), columns, Some(nulls))?))
}

fn eval_window(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let times = Numbers::of(args, 0)?;
    let numbers: Vec<i64> = args.extra().split(',').filter_map(|n| n.parse().ok()).collect();
    let [length, slide, start] = numbers[..] else {
        return internal_err!("a window has a length, a slide and a start");
    };
    let rows = (0..row_count(args))
        .map(|i| {
            times.get(i).map(|t| {
                let from = t - (t - start).rem_euclid(slide);
                (from, from + length)
            })
        })
        .collect();
    pairs(args, rows)
}

fn eval_session(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let times = Numbers::of(args, 0)?;
    let zone = Zone::named(args.time_zone()?)?;
    let calendar = matches!(args.value(1)?.data_type(), Arrow::Struct(_));
    let mut rows = Vec::new();
    if calendar {
        let gaps = super::arithmetic::Calendars::of(args, 1)?;
        for i in 0..row_count(args) {
            rows.push(match times.get(i).zip(gaps.get(i)) {
                Some((t, (m, d, us))) => Some((t, add_parts(t, m, d, us, zone)?)),
                None => None,
            });
        }
    } else {
        let gaps = Numbers::of(args, 1)?;
        for i in 0..row_count(args) {
            rows.push(times.get(i).zip(gaps.get(i)).map(|(t, gap)| (t, t + gap)));
        }
    }
    pairs(args, rows)
}

fn eval_window_time(args: &KernelArgs) -> DfResult<ColumnarValue> {
    use arrow::array::{Array, AsArray};
    let column = crate::families::lists::Column::of(args, 0)?;
    let windows = column.array.as_struct();
    let ends = super::numbers(windows.column(1))?;
    each_row(args, |i| {
        let at = column.at(i);
        Ok((windows.is_valid(at) && ends.is_valid(at)).then(|| ends.value(at) - 1))
    })
}

fn eval_bucket(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let (sizes, times, origins) = (Numbers::of(args, 0)?, Numbers::of(args, 1)?, Numbers::of(args, 2)?);
    let zone = Zone::named(args.time_zone()?)?;
    let months = matches!(args.value(0)?.data_type(), Arrow::Interval(_));
    each_row(args, |i| {
        let Some(((size, t), origin)) = sizes.get(i).zip(times.get(i)).zip(origins.get(i)) else { return Ok(None) };
        if size <= 0 {
            return Ok(None);
        }
        if months {
            return bucket_of_months(size, t, origin, zone).map(Some);
        }
        if size % MICROS_PER_DAY == 0 {
            // Whole days are counted on the local clock.
            let (local, from) = (zone.to_local(t), zone.to_local(origin));
            return Ok(zone.to_utc(local - (local - from).rem_euclid(size)));
        }
        Ok(Some(t - (t - origin).rem_euclid(size)))
    })
}

fn bucket_of_months(size: i64, t: i64, origin: i64, zone: Zone) -> DfResult<i64> {
    let month = |t: i64| {
        let d = civil_from_days(zone.to_local(t).div_euclid(MICROS_PER_DAY));
        d.year * 12 + i64::from(d.month)
    };
    let steps = (month(t) - month(origin)).div_euclid(size);
    let start = add_parts(origin, steps * size, 0, 0, zone)?;
    if start > t { add_parts(origin, (steps - 1) * size, 0, 0, zone) } else { Ok(start) }
}
