//! `trunc`, `date_trunc`, `last_day`, `next_day`, `months_between`.

use datafusion::common::Result as DfResult;
use datafusion::logical_expr::{ColumnarValue, lit};
use spark::types::DataType;
use spark::{Error, ErrorKind, Result};

use super::calendar::{
    self, MICROS_PER_DAY, MICROS_PER_HOUR, MICROS_PER_MINUTE, MICROS_PER_SECOND, civil_from_days, days_from_civil,
};
use super::zone::Zone;
use super::{Numbers, each_row};
use crate::call::Call;
use crate::coerce::Expected;
use crate::error::fail;
use crate::families::rows::{Text, doubles};
use crate::kernel::{Kernel, KernelArgs};
use crate::registry::{Build, Function};
use crate::typed::Typed;

/// Functions of this file.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "trunc", build: Build::Scalar(trunc) },
    Function { name: "date_trunc", build: Build::Scalar(date_trunc) },
    Function { name: "last_day", build: Build::Scalar(last_day) },
    Function { name: "next_day", build: Build::Scalar(next_day) },
    Function { name: "months_between", build: Build::Scalar(months_between) },
];

/// Kernels of this file.
pub const KERNELS: &[Kernel] = &[
    Kernel::new("trunc", eval_trunc),
    Kernel::new("date_trunc", eval_date_trunc),
    Kernel::new("last_day", eval_last_day),
    Kernel::new("next_day", eval_next_day),
    Kernel::new("months_between", eval_months_between),
];

fn trunc(mut call: Call) -> Result<Typed> {
    call.arity(2..=2)?;
    let name = call.display_name();
    super::expect_date(&mut call, 0)?;
    call.expect_all(&[Expected::Type(DataType::Date), Expected::String])?;
    Ok(call.kernel(&KERNELS[0], DataType::Date, true).named(name))
}

fn date_trunc(mut call: Call) -> Result<Typed> {
    call.arity(2..=2)?;
    let name = call.display_name();
    call.expect(0, Expected::String)?;
    if let Some(exact) = super::without_nanos(&mut call, 1) {
        // What is cut off is never less than the digits below the microsecond.
        let (ty, settings) = (call.args[1].ty.clone(), call.settings);
        let options = if ty == DataType::Timestamp {
            call.options_tz()
        } else {
            call.options().with_time_zone(crate::types::UTC.into())
        };
        let cut = call.kernel_with(&KERNELS[1], options, ty, true).named(name);
        return Ok(crate::coerce::cast_implicitly(&cut, &exact, settings));
    }
    super::expect_timestamp(
        &mut call,
        1,
        "(\"TIMESTAMP\" or \"(TIMESTAMP_LTZ(P) OR TIMESTAMP_NTZ(P) WITH P IN [7, 9])\")",
    )?;
    let options = call.options_tz();
    Ok(call.kernel_with(&KERNELS[1], options, DataType::Timestamp, true).named(name))
}

fn last_day(mut call: Call) -> Result<Typed> {
    call.arity(1..=1)?;
    let name = call.display_name();
    super::expect_date(&mut call, 0)?;
    let nullable = call.any_nullable();
    Ok(call.kernel(&KERNELS[2], DataType::Date, nullable).named(name))
}

fn next_day(mut call: Call) -> Result<Typed> {
    call.arity(2..=2)?;
    let name = call.display_name();
    super::expect_date(&mut call, 0)?;
    call.expect_all(&[Expected::Type(DataType::Date), Expected::String])?;
    Ok(call.kernel(&KERNELS[3], DataType::Date, true).named(name))
}

fn months_between(mut call: Call) -> Result<Typed> {
    call.arity(2..=3)?;
    if call.args.len() == 2 {
        call.args.push(Typed::new(lit(true), DataType::Boolean, false, "true"));
    }
    let name = call.display_name();
    super::expect_datetime(&mut call, 0, &DataType::Timestamp)?;
    super::expect_datetime(&mut call, 1, &DataType::Timestamp)?;
    call.expect(2, Expected::Type(DataType::Boolean))?;
    let nullable = call.any_nullable();
    let options = call.options_tz();
    Ok(call.kernel_with(&KERNELS[4], options, DataType::Double, nullable).named(name))
}

/// What a time is cut to.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Level {
    Micro,
    Milli,
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
}

fn level(text: &str) -> Option<Level> {
    Some(match text.to_uppercase().as_str() {
        "MICROSECOND" => Level::Micro,
        "MILLISECOND" => Level::Milli,
        "SECOND" => Level::Second,
        "MINUTE" => Level::Minute,
        "HOUR" => Level::Hour,
        "DAY" | "DD" => Level::Day,
        "WEEK" => Level::Week,
        "MON" | "MONTH" | "MM" => Level::Month,
        "QUARTER" => Level::Quarter,
        "YEAR" | "YYYY" | "YY" => Level::Year,
        _ => return None,
    })
}

/// The first day of the period a day is in.
fn cut_days(level: Level, days: i64) -> i64 {
    let d = civil_from_days(days);
    match level {
        Level::Week => days - calendar::weekday(days),
        Level::Month => days_from_civil(d.year, d.month, 1),
        Level::Quarter => days_from_civil(d.year, (d.month - 1) / 3 * 3 + 1, 1),
        Level::Year => days_from_civil(d.year, 1, 1),
        _ => days,
    }
}

fn eval_trunc(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let (dates, formats) = (Numbers::of(args, 0)?, Text::of(args, 1)?);
    each_row(args, |i| {
        let Some((d, level)) = dates.get(i).zip(formats.get(i).and_then(level)) else { return Ok(None) };
        Ok((level >= Level::Week).then(|| cut_days(level, d)))
    })
}

/// `ts` cut to `level` on the clock of `zone`.
fn cut_timestamp(level: Level, ts: i64, zone: Zone) -> Option<i64> {
    let unit = match level {
        Level::Micro => return Some(ts),
        Level::Milli => return Some(ts - ts.rem_euclid(1000)),
        Level::Second => return Some(ts - ts.rem_euclid(MICROS_PER_SECOND)),
        Level::Minute => MICROS_PER_MINUTE,
        Level::Hour => MICROS_PER_HOUR,
        _ => MICROS_PER_DAY,
    };
    let local = zone.to_local(ts);
    if unit < MICROS_PER_DAY {
        // Within an hour the offset of the instant itself holds: an overlap keeps its side.
        return Some(ts - local.rem_euclid(unit));
    }
    zone.to_utc(cut_days(level, local.div_euclid(MICROS_PER_DAY)) * MICROS_PER_DAY)
}

fn eval_date_trunc(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let (formats, times) = (Text::of(args, 0)?, Numbers::of(args, 1)?);
    let zone = Zone::named(args.time_zone()?)?;
    let constant = formats.constant().map(|f| f.and_then(level));
    each_row(args, |i| {
        let level = constant.unwrap_or_else(|| formats.get(i).and_then(level));
        Ok(times.get(i).zip(level).and_then(|(t, level)| cut_timestamp(level, t, zone)))
    })
}

fn eval_last_day(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let dates = Numbers::of(args, 0)?;
    each_row(args, |i| {
        Ok(dates.get(i).map(|d| {
            let ymd = civil_from_days(d);
            days_from_civil(ymd.year, ymd.month, calendar::month_length(ymd.year, ymd.month))
        }))
    })
}

/// Monday = 0 … Sunday = 6.
fn day_of_week(text: &str) -> Option<i64> {
    Some(match text.to_uppercase().as_str() {
        "MO" | "MON" | "MONDAY" => 0,
        "TU" | "TUE" | "TUESDAY" => 1,
        "WE" | "WED" | "WEDNESDAY" => 2,
        "TH" | "THU" | "THURSDAY" => 3,
        "FR" | "FRI" | "FRIDAY" => 4,
        "SA" | "SAT" | "SATURDAY" => 5,
        "SU" | "SUN" | "SUNDAY" => 6,
        _ => return None,
    })
}

fn eval_next_day(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let (dates, names) = (Numbers::of(args, 0)?, Text::of(args, 1)?);
    let ansi = args.ansi();
    each_row(args, |i| {
        let Some((d, name)) = dates.get(i).zip(names.get(i)) else { return Ok(None) };
        match day_of_week(name.trim()) {
            Some(day) => Ok(Some(d + 1 + (day - calendar::weekday(d) - 1).rem_euclid(7))),
            None if ansi => fail(
                Error::new(ErrorKind::IllegalArgument, "ILLEGAL_DAY_OF_WEEK")
                    .param("string", name)
                    .with_message(format!("{name} is not a day of the week.")),
            ),
            None => Ok(None),
        }
    })
}

fn eval_months_between(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let (a, b) = (Numbers::of(args, 0)?, Numbers::of(args, 1)?);
    let round = args.typed::<arrow::array::BooleanArray>(2)?;
    let zone = Zone::named(args.time_zone()?)?;
    doubles(args, |i| {
        use arrow::array::Array;
        let at = i.min(round.len().saturating_sub(1));
        if round.is_null(at) {
            return Ok(None);
        }
        Ok(a.get(i).zip(b.get(i)).map(|(a, b)| between(zone.to_local(a), zone.to_local(b), round.value(at))))
    })
}

/// Months between two local times: whole ones if on the same day of the month or both at its end,
/// otherwise with 31 days to the month.
fn between(a: i64, b: i64, round: bool) -> f64 {
    let split = |t: i64| {
        let day = t.div_euclid(MICROS_PER_DAY);
        (civil_from_days(day), t.rem_euclid(MICROS_PER_DAY) / MICROS_PER_SECOND)
    };
    let ((d1, s1), (d2, s2)) = (split(a), split(b));
    let months = ((d1.year - d2.year) * 12 + i64::from(d1.month) - i64::from(d2.month)) as f64;
    let at_end = |d: calendar::Ymd| d.day == calendar::month_length(d.year, d.month);
    if d1.day == d2.day || (at_end(d1) && at_end(d2)) {
        return months;
    }
    let seconds = (i64::from(d1.day) - i64::from(d2.day)) * 86_400 + s1 - s2;
    let out = months + seconds as f64 / (31.0 * 86_400.0);
    if round { (out * 1e8).round() / 1e8 } else { out }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_between_days() {
        let at = |y, m, d, s: i64| days_from_civil(y, m, d) * MICROS_PER_DAY + s * MICROS_PER_SECOND;
        let a = at(1997, 2, 28, 37_800);
        let b = at(1996, 10, 30, 0);
        assert_eq!(between(a, b, true), 3.94959677);
        assert_eq!(between(a, b, false), 3.9495967741935485);
        assert_eq!(between(at(2020, 2, 29, 0), at(2020, 1, 31, 5), true), 1.0);
    }

    #[test]
    fn cuts_to_periods() {
        let day = |y, m, d| days_from_civil(y, m, d);
        for (text, expect) in
            [("week", day(2019, 7, 29)), ("quarter", day(2019, 7, 1)), ("MM", day(2019, 8, 1)), ("yy", day(2019, 1, 1))]
        {
            assert_eq!(cut_days(level(text).unwrap(), day(2019, 8, 4)), expect, "{text}");
        }
    }
}
