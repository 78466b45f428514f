//! `sequence`: numbers, dates and timestamps at regular steps.

use datafusion::common::Result as DfResult;
use datafusion::logical_expr::ColumnarValue;
use spark::types::DataType;
use spark::{Error, ErrorKind, Result};

use super::super::datetime::arithmetic::{Calendars, add_parts};
use super::super::datetime::calendar::MICROS_PER_DAY;
use super::super::datetime::zone::Zone;
use super::super::datetime::{Numbers, typed};
use super::super::lists::{element_type, list_array};
use super::super::rows::{finish, row_count};
use crate::call::Call;
use crate::coerce;
use crate::error::fail;
use crate::kernel::{Kernel, KernelArgs};
use crate::registry::{Build, Function};
use crate::room::Room;
use crate::typed::Typed;

/// Functions of this file.
pub const FUNCTIONS: &[Function] = &[Function { name: "sequence", build: Build::Scalar(sequence) }];

/// Kernels of this file.
pub const KERNELS: &[Kernel] = &[Kernel::new("sequence", eval_integers), Kernel::new("sequence_of_times", eval_times)];

fn sequence(mut call: Call) -> Result<Typed> {
    call.arity(2..=3)?;
    let name = call.display_name();
    let bounds: Vec<DataType> = call.args[..2].iter().map(|a| a.ty.clone()).collect();
    let common = coerce::common_type(&bounds, call.settings);
    let step = call.args.get(2).map(|s| s.ty.clone());
    match common {
        Some(ty) if ty.is_integral() && step.as_ref().is_none_or(|s| s.is_integral() || *s == DataType::Null) => {
            let mut types = bounds;
            types.extend(step);
            let ty = coerce::common_type(&types, call.settings).unwrap_or(ty);
            for i in 0..call.args.len() {
                call.args[i] = coerce::cast_implicitly(&call.args[i], &ty, call.settings);
            }
            let nullable = call.any_nullable();
            Ok(call.kernel(&KERNELS[0], DataType::array(ty, false), nullable).named(name))
        }
        Some(ty) if ty.is_datetime() && step.as_ref().is_none_or(is_interval) => {
            for i in 0..2 {
                call.args[i] = coerce::cast_implicitly(&call.args[i], &ty, call.settings);
            }
            let nullable = call.any_nullable();
            let zone =
                if ty == DataType::Timestamp { call.settings.time_zone.clone() } else { crate::types::UTC.into() };
            let options = call.options().with_time_zone(zone);
            Ok(call.kernel_with(&KERNELS[1], options, DataType::array(ty, false), nullable).named(name))
        }
        _ => Err(call
            .mismatch("SEQUENCE_WRONG_INPUT_TYPES")
            .param("functionName", "`sequence`")
            .param("startType", "(\"TIMESTAMP\" or \"TIMESTAMP_NTZ\" or \"DATE\")")
            .param("stepType", "(\"INTERVAL\" or \"INTERVAL YEAR TO MONTH\" or \"INTERVAL DAY TO SECOND\")")
            .param("otherStartType", "\"INTEGRAL\"")),
    }
}

fn is_interval(ty: &DataType) -> bool {
    ty.is_ansi_interval() || matches!(ty, DataType::CalendarInterval | DataType::Null)
}

fn illegal(start: i64, stop: i64, step: &str) -> Error {
    Error::new(ErrorKind::IllegalArgument, "")
        .with_message(format!("requirement failed: no sequence from {start} to {stop} by {step}"))
}

fn too_long(count: i128) -> Error {
    Error::runtime("COLLECTION_SIZE_LIMIT_EXCEEDED.PARAMETER")
        .param("numberOfElements", count.to_string())
        .param("functionName", "`sequence`")
        .param("maxRoundedArrayLength", super::construct::MAX_LENGTH.to_string())
        .param("parameter", "`count`")
        .with_message(format!("A sequence of {count} elements is too long."))
}

fn eval_integers(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let (starts, stops) = (Numbers::of(args, 0)?, Numbers::of(args, 1)?);
    let steps = if args.args.len() == 3 { Some(Numbers::of(args, 2)?) } else { None };
    let mut out = Times::default();
    for row in 0..row_count(args) {
        let Some((start, stop)) = starts.get(row).zip(stops.get(row)) else {
            out.close(false);
            continue;
        };
        let step = match &steps {
            None => {
                if start <= stop {
                    1
                } else {
                    -1
                }
            }
            Some(steps) => match steps.get(row) {
                Some(step) => step,
                None => {
                    out.close(false);
                    continue;
                }
            },
        };
        if (step > 0 && start > stop) || (step < 0 && start < stop) || (step == 0 && start != stop) {
            return fail(illegal(start, stop, &step.to_string()));
        }
        let count = if step == 0 { 1 } else { (i128::from(stop) - i128::from(start)) / i128::from(step) + 1 };
        if count > i128::from(super::construct::MAX_LENGTH) {
            return fail(too_long(count));
        }
        out.room.take((count as usize).saturating_mul(Times::ELEMENT))?;
        out.values.extend((0..count as i64).map(|i| Some(start.wrapping_add(i.wrapping_mul(step)))));
        out.close(true);
    }
    out.finish(args)
}

/// Lists of numbers in the making.
#[derive(Default)]
struct Times {
    values: Vec<Option<i64>>,
    ends: Vec<i32>,
    valid: Vec<bool>,
    room: Room,
}

impl Times {
    /// Bytes of an element, while it is made and in the array.
    const ELEMENT: usize = size_of::<Option<i64>>() + size_of::<i64>();

    fn close(&mut self, valid: bool) {
        self.ends.push(self.values.len() as i32);
        self.valid.push(valid);
    }

    fn finish(self, args: &KernelArgs) -> DfResult<ColumnarValue> {
        let mut offsets = vec![0];
        offsets.extend(self.ends);
        let values = typed(self.values, &element_type(args)?)?;
        finish(args, list_array(values, offsets, self.valid)?)
    }
}

/// The step of a row: months, days, microseconds.
enum Steps {
    Default,
    Months(Numbers),
    Micros(Numbers),
    Calendar(Calendars),
}

impl Steps {
    fn of(args: &KernelArgs) -> DfResult<Steps> {
        use arrow::datatypes::DataType as Arrow;
        Ok(match args.args.get(2).map(ColumnarValue::data_type) {
            None => Steps::Default,
            Some(Arrow::Interval(_)) => Steps::Months(Numbers::of(args, 2)?),
            Some(Arrow::Struct(_)) => Steps::Calendar(Calendars::of(args, 2)?),
            Some(_) => Steps::Micros(Numbers::of(args, 2)?),
        })
    }

    fn get(&self, row: usize) -> Option<(i64, i64, i64)> {
        match self {
            Steps::Default => Some((0, 1, 0)),
            Steps::Months(n) => n.get(row).map(|m| (m, 0, 0)),
            Steps::Micros(n) => n.get(row).map(|us| (0, us / MICROS_PER_DAY, us % MICROS_PER_DAY)),
            Steps::Calendar(c) => c.get(row),
        }
    }
}

fn eval_times(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let (starts, stops, steps) = (Numbers::of(args, 0)?, Numbers::of(args, 1)?, Steps::of(args)?);
    let zone = Zone::named(args.time_zone()?)?;
    let dates = element_type(args)? == arrow::datatypes::DataType::Date32;
    let mut out = Times::default();
    for row in 0..row_count(args) {
        let Some(((start, stop), mut step)) = starts.get(row).zip(stops.get(row)).zip(steps.get(row)) else {
            out.close(false);
            continue;
        };
        if matches!(steps, Steps::Default) && start > stop {
            step = (0, -1, 0);
        }
        if dates && step.0 == 0 && step.1 == 0 && step.2 != 0 {
            return fail(
                Error::new(ErrorKind::IllegalArgument, "_LEGACY_ERROR_TEMP_3242")
                    .param("intervalType", "interval day to second")
                    .with_message("A sequence of dates takes steps of at least a day."),
            );
        }
        times_of_row(&mut out, start, stop, step, dates, zone)?;
    }
    out.finish(args)
}

fn times_of_row(
    out: &mut Times,
    start: i64,
    stop: i64,
    step: (i64, i64, i64),
    dates: bool,
    zone: Zone,
) -> DfResult<()> {
    let unit = if dates { MICROS_PER_DAY } else { 1 };
    let (from, to) = (start * unit, stop * unit);
    let rough = step.0 as i128 * 28 * i128::from(MICROS_PER_DAY)
        + step.1 as i128 * i128::from(MICROS_PER_DAY)
        + i128::from(step.2);
    if (rough > 0 && from > to) || (rough < 0 && from < to) || (rough == 0 && from != to) {
        return fail(illegal(start, stop, &rough.to_string()));
    }
    let count = if rough == 0 { 1 } else { (i128::from(to) - i128::from(from)) / rough + 1 };
    if count > i128::from(super::construct::MAX_LENGTH) {
        return fail(too_long(count));
    }
    out.room.take((count as usize).saturating_mul(Times::ELEMENT))?;
    for i in 0_i64.. {
        let t = add_parts(from, i * step.0, i * step.1, i.wrapping_mul(step.2), zone)?;
        let past = if rough >= 0 { t > to } else { t < to };
        if past {
            break;
        }
        out.values.push(Some(t.div_euclid(unit)));
        if rough == 0 {
            break;
        }
    }
    out.close(true);
    Ok(())
}
