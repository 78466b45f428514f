//! Dates and timestamps from numbers: `make_date`, `make_timestamp…`, `timestamp_seconds`, `unix_date` and
//! their kin, and between time zones.

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Decimal128Type, Float64Type};
use datafusion::common::Result as DfResult;
use datafusion::logical_expr::ColumnarValue;
use spark::Result;
use spark::types::DataType;

use super::calendar::{MICROS_PER_DAY, MICROS_PER_MINUTE, MICROS_PER_SECOND};
use super::scan::{checked_date, checked_time};
use super::zone::Zone;
use super::{Numbers, date_error, datetime_overflow, each_row};
use crate::call::Call;
use crate::coerce::{self, Expected};
use crate::error::{external, fail};
use crate::families::lists::Column;
use crate::families::rows::{Text, strict};
use crate::kernel::{Kernel, KernelArgs};
use crate::registry::{Build, Function};
use crate::typed::Typed;

/// Functions of this file.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "make_date", build: Build::Scalar(make_date) },
    Function { name: "make_timestamp", build: Build::Scalar(make_timestamp) },
    Function { name: "make_timestamp_ltz", build: Build::Scalar(make_timestamp) },
    Function { name: "make_timestamp_ntz", build: Build::Scalar(make_timestamp) },
    Function { name: "try_make_timestamp", build: Build::Scalar(make_timestamp) },
    Function { name: "try_make_timestamp_ltz", build: Build::Scalar(make_timestamp) },
    Function { name: "try_make_timestamp_ntz", build: Build::Scalar(make_timestamp) },
    Function { name: "timestamp_seconds", build: Build::Scalar(timestamp_seconds) },
    Function { name: "timestamp_millis", build: Build::Scalar(timestamp_units) },
    Function { name: "timestamp_micros", build: Build::Scalar(timestamp_units) },
    Function { name: "unix_seconds", build: Build::Scalar(unix_units) },
    Function { name: "unix_millis", build: Build::Scalar(unix_units) },
    Function { name: "unix_micros", build: Build::Scalar(unix_units) },
    Function { name: "timestamp_nanos", build: Build::Scalar(timestamp_nanos) },
    Function { name: "unix_nanos", build: Build::Scalar(unix_nanos) },
    Function { name: "unix_date", build: Build::Scalar(unix_date) },
    Function { name: "date_from_unix_date", build: Build::Scalar(date_from_unix_date) },
    Function { name: "from_utc_timestamp", build: Build::Scalar(utc_timestamp) },
    Function { name: "to_utc_timestamp", build: Build::Scalar(utc_timestamp) },
    Function { name: "convert_timezone", build: Build::Scalar(convert_timezone) },
];

/// Kernels of this file.
pub const KERNELS: &[Kernel] = &[
    Kernel::new("make_date", eval_make_date),
    Kernel::new("make_timestamp", eval_make_timestamp),
    Kernel::new("make_timestamp_of_date", eval_make_of_date),
    Kernel::new("timestamp_seconds", eval_timestamp_seconds),
    Kernel::new("timestamp_units", eval_timestamp_units),
    Kernel::new("unix_units", eval_unix_units),
    Kernel::new("from_utc_timestamp", |a| eval_utc(a, false)),
    Kernel::new("to_utc_timestamp", |a| eval_utc(a, true)),
    Kernel::new("convert_timezone", eval_convert),
    Kernel::new("days_as_date", eval_same),
    Kernel::new("timestamp_nanos", eval_timestamp_nanos),
    Kernel::new("unix_nanos", eval_unix_nanos),
];

fn make_date(mut call: Call) -> Result<Typed> {
    call.arity(3..=3)?;
    let name = call.display_name();
    for i in 0..3 {
        call.expect(i, Expected::Type(DataType::Integer))?;
    }
    let nullable = call.any_nullable() || !call.settings.ansi;
    Ok(call.kernel(&KERNELS[0], DataType::Date, nullable).named(name))
}

fn make_timestamp(mut call: Call) -> Result<Typed> {
    let tolerant = call.name.starts_with("try_");
    let ty = if call.name.ends_with("_ntz") {
        DataType::TimestampNtz
    } else if call.name.ends_with("_ltz") || !call.settings.timestamp_ntz {
        DataType::Timestamp
    } else {
        DataType::TimestampNtz
    };
    let with_zone = ty == DataType::Timestamp;
    let ok = match call.args.len() {
        1 | 2 => true,
        3 => with_zone,
        // Where the session's timestamps have no zone, the one given is checked and no more.
        7 => with_zone || !call.name.ends_with("_ntz"),
        6 => true,
        _ => false,
    };
    if !ok {
        return Err(call.wrong_arity(if with_zone { "[1, 2, 3, 6, 7]" } else { "[2, 6]" }));
    }
    if call.args.len() <= 3 {
        return make_of_date(call, ty);
    }
    let mut name = call.display_name();
    if call.name == "try_make_timestamp" && call.args.len() == 7 {
        let shown: Vec<&str> = call.args[..6].iter().map(|a| a.name.as_str()).collect();
        name = format!("try_make_timestamp({})", shown.join(", "));
    }
    if call.name == "try_make_timestamp" {
        call.in_errors("make_timestamp");
    }
    for i in 0..5 {
        call.expect(i, Expected::Type(DataType::Integer))?;
    }
    call.expect(5, Expected::Type(DataType::decimal(16, 6)))?;
    if call.args.len() == 7 {
        call.expect(6, Expected::String)?;
    }
    let mut options =
        if with_zone { call.options_tz() } else { call.options().with_time_zone(crate::types::UTC.into()) };
    options.ansi &= !tolerant;
    let nullable = call.any_nullable() || !options.ansi;
    Ok(call.kernel_with(&KERNELS[1], options, ty, nullable).named(name))
}

fn make_of_date(mut call: Call, ty: DataType) -> Result<Typed> {
    let shown: Vec<&str> = call.args.iter().map(|a| a.name.as_str()).collect();
    let shown = shown.join(", ");
    let name = match call.name.as_str() {
        "make_timestamp_ltz" | "try_make_timestamp_ltz" => format!("make_timestamp({shown})"),
        "try_make_timestamp_ntz" => format!("try_make_timestamp_ntz(make_timestamp_ntz({shown}))"),
        other => format!("{other}({shown})"),
    };
    let in_errors = if ty == DataType::TimestampNtz { "make_timestamp_ntz" } else { "make_timestamp" };
    call.in_errors(in_errors);
    strict(&mut call, 0, Expected::Type(DataType::Date))?;
    if call.args.len() > 1 && !matches!(call.args[1].ty, DataType::Time(_)) {
        strict(&mut call, 1, Expected::Type(DataType::Time(6)))?;
    }
    if call.args.len() == 3 {
        strict(&mut call, 2, Expected::String)?;
    }
    let ntz = ty == DataType::TimestampNtz;
    let options = if ntz { call.options().with_time_zone(crate::types::UTC.into()) } else { call.options_tz() };
    let nullable = call.any_nullable() || ntz;
    Ok(call.kernel_with(&KERNELS[2], options, ty, nullable).named(name))
}

fn timestamp_seconds(mut call: Call) -> Result<Typed> {
    call.arity(1..=1)?;
    let name = call.display_name();
    super::super::rows::strict(&mut call, 0, Expected::Numeric)?;
    if call.args[0].ty.is_integral() {
        call.args[0] = coerce::cast_implicitly(&call.args[0], &DataType::Long, call.settings);
    } else if call.args[0].ty == DataType::Float {
        call.args[0] = coerce::cast_implicitly(&call.args[0], &DataType::Double, call.settings);
    }
    let nullable = call.args[0].nullable || call.args[0].ty == DataType::Double;
    Ok(call.kernel(&KERNELS[3], DataType::Timestamp, nullable).named(name))
}

fn timestamp_units(mut call: Call) -> Result<Typed> {
    call.arity(1..=1)?;
    let name = call.display_name();
    super::super::rows::strict(&mut call, 0, Expected::Integral)?;
    let nullable = call.args[0].nullable;
    let options = call.options().with_extra(call.name.as_str());
    Ok(call.kernel_with(&KERNELS[4], options, DataType::Timestamp, nullable).named(name))
}

fn unix_units(mut call: Call) -> Result<Typed> {
    call.arity(1..=1)?;
    let name = call.display_name();
    // Without a zone the count is of the wall clock.
    if super::without_nanos(&mut call, 0).is_none() {
        call.typed_null(0, Expected::Type(DataType::Timestamp))?;
        if !matches!(call.args[0].ty, DataType::Timestamp | DataType::TimestampNtz) {
            return Err(call.unexpected_type(0, super::ANY_TIMESTAMP_OR_NANOS));
        }
    }
    let nullable = call.args[0].nullable;
    let options = call.options().with_extra(call.name.as_str());
    Ok(call.kernel_with(&KERNELS[5], options, DataType::Long, nullable).named(name))
}

/// `timestamp_nanos(number)`.
fn timestamp_nanos(mut call: Call) -> Result<Typed> {
    call.arity(1..=1)?;
    if !call.settings.timestamp_nanos {
        return Err(sql::timestamp_nanos_disabled().nowhere());
    }
    let name = call.display_name();
    match &call.args[0].ty {
        DataType::Decimal { .. } => {}
        t if t.is_integral() || *t == DataType::Null => call.expect(0, Expected::Type(DataType::Long))?,
        _ => return Err(call.unexpected_type(0, "(\"INTEGRAL\" or \"DECIMAL\")")),
    }
    let nullable = call.args[0].nullable;
    let ty = DataType::TimestampNanos { ltz: true, precision: 9 };
    Ok(call.kernel(&KERNELS[10], ty, nullable).named(name))
}

/// `unix_nanos(timestamp)`.
fn unix_nanos(mut call: Call) -> Result<Typed> {
    call.arity(1..=1)?;
    let name = call.display_name();
    match &call.args[0].ty {
        DataType::TimestampNanos { .. } => {}
        DataType::Null => call.args[0] = Typed::null(DataType::TimestampNanos { ltz: true, precision: 9 }),
        _ => return Err(call.unexpected_type(0, "\"(TIMESTAMP_LTZ(P) OR TIMESTAMP_NTZ(P) WITH P IN [7, 9])\"")),
    }
    let nullable = call.args[0].nullable;
    Ok(call.kernel(&KERNELS[11], DataType::decimal(21, 0), nullable).named(name))
}

fn unix_date(mut call: Call) -> Result<Typed> {
    call.arity(1..=1)?;
    let name = call.display_name();
    super::super::rows::strict(&mut call, 0, Expected::Type(DataType::Date))?;
    let nullable = call.args[0].nullable;
    Ok(call.kernel(&KERNELS[9], DataType::Integer, nullable).named(name))
}

fn date_from_unix_date(mut call: Call) -> Result<Typed> {
    call.arity(1..=1)?;
    let name = call.display_name();
    call.expect(0, Expected::Type(DataType::Integer))?;
    let nullable = call.args[0].nullable;
    Ok(call.kernel(&KERNELS[9], DataType::Date, nullable).named(name))
}

fn utc_timestamp(mut call: Call) -> Result<Typed> {
    call.arity(2..=2)?;
    let name = call.display_name();
    super::expect_datetime(&mut call, 0, &DataType::Timestamp)?;
    call.expect_all(&[Expected::Type(DataType::Timestamp), Expected::String])?;
    let nullable = call.any_nullable();
    let kernel = &KERNELS[if call.name == "from_utc_timestamp" { 6 } else { 7 }];
    Ok(call.kernel(kernel, DataType::Timestamp, nullable).named(name))
}

fn convert_timezone(mut call: Call) -> Result<Typed> {
    call.arity(2..=3)?;
    if call.args.len() == 2 {
        let zone = call.settings.time_zone.to_string();
        let current = Typed::new(datafusion::logical_expr::lit(zone), DataType::STRING, false, "current_timezone()");
        call.args.insert(0, current);
    }
    let name = call.display_name();
    call.expect(0, Expected::String)?;
    call.expect(1, Expected::String)?;
    super::expect_datetime(&mut call, 2, &DataType::TimestampNtz)?;
    let nullable = call.any_nullable();
    Ok(call.kernel(&KERNELS[8], DataType::TimestampNtz, nullable).named(name))
}

fn out_of_bounds(message: String) -> spark::Error {
    date_error("DATETIME_FIELD_OUT_OF_BOUNDS.WITHOUT_SUGGESTION").param("rangeMessage", &message).with_message(message)
}

/// The value, or null outside ANSI mode, or the error.
fn or_null<T>(result: Result<T, String>, ansi: bool) -> DfResult<Option<T>> {
    match result {
        Ok(v) => Ok(Some(v)),
        Err(message) if ansi => fail(out_of_bounds(message)),
        Err(_) => Ok(None),
    }
}

fn eval_make_date(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let (y, m, d) = (Numbers::of(args, 0)?, Numbers::of(args, 1)?, Numbers::of(args, 2)?);
    each_row(args, |i| match y.get(i).zip(m.get(i)).zip(d.get(i)) {
        Some(((y, m), d)) => or_null(checked_date(y, m, d), args.ansi()),
        None => Ok(None),
    })
}

fn eval_make_timestamp(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let parts = (0..5).map(|i| Numbers::of(args, i)).collect::<DfResult<Vec<_>>>()?;
    let seconds = Column::of(args, 5)?;
    let zones = if args.args.len() == 7 { Some(Text::of(args, 6)?) } else { None };
    let session = Zone::named(args.time_zone()?)?;
    let local = matches!(args.return_type(), arrow::datatypes::DataType::Timestamp(_, None));
    let ansi = args.ansi();
    each_row(args, |i| {
        let part: Option<Vec<i64>> = parts.iter().map(|p| p.get(i)).collect();
        let Some(p) = part.filter(|_| !seconds.is_null(i)) else { return Ok(None) };
        let zone = match &zones {
            None => session,
            Some(zones) => match zones.get(i) {
                None => return Ok(None),
                Some(id) => match Zone::named(id) {
                    Ok(_) if local => session,
                    Ok(zone) => zone,
                    Err(e) if ansi => return Err(e),
                    Err(_) => return Ok(None),
                },
            },
        };
        let micros = seconds.array.as_primitive::<Decimal128Type>().value(seconds.at(i)) as i64;
        let (whole, fraction) = (micros.div_euclid(MICROS_PER_SECOND), micros.rem_euclid(MICROS_PER_SECOND));
        // The 60th second is the first of the next minute, if it has no fraction.
        let leap = whole == 60;
        if leap && fraction != 0 {
            if ansi {
                let shown = format!("60.{}", format!("{fraction:06}").trim_end_matches('0'));
                return fail(
                    date_error("INVALID_FRACTION_OF_SECOND")
                        .param("secAndMicros", &shown)
                        .with_message(format!("{shown} is not a second of a minute.")),
                );
            }
            return Ok(None);
        }
        let local = checked_date(p[0], p[1], p[2]).and_then(|d| {
            checked_time(p[3], p[4], if leap { 0 } else { whole }).map(|t| d * MICROS_PER_DAY + t + fraction)
        });
        let Some(local) = or_null(local, ansi)? else { return Ok(None) };
        let local = if leap { local + MICROS_PER_MINUTE } else { local };
        Ok(zone.to_utc(local))
    })
}

fn eval_make_of_date(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let dates = Numbers::of(args, 0)?;
    let times = if args.args.len() > 1 { Some(Numbers::of(args, 1)?) } else { None };
    let zones = if args.args.len() > 2 { Some(Text::of(args, 2)?) } else { None };
    let session = Zone::named(args.time_zone()?)?;
    each_row(args, |i| {
        let Some(date) = dates.get(i) else { return Ok(None) };
        let time = match &times {
            None => Some(0),
            Some(times) => times.get(i),
        };
        let zone = match &zones {
            None => Some(session),
            Some(zones) => zones.get(i).map(Zone::named).transpose()?,
        };
        Ok(time.zip(zone).and_then(|(t, zone)| zone.to_utc(date * MICROS_PER_DAY + t / 1000)))
    })
}

fn eval_timestamp_seconds(args: &KernelArgs) -> DfResult<ColumnarValue> {
    use arrow::datatypes::DataType as Arrow;
    let column = Column::of(args, 0)?;
    match column.array.data_type() {
        Arrow::Float64 => {
            let values = column.array.as_primitive::<Float64Type>();
            each_row(args, |i| {
                let at = column.at(i);
                let micros = values.is_valid(at).then(|| values.value(at) * MICROS_PER_SECOND as f64);
                Ok(micros.filter(|m| m.is_finite()).map(|m| m as i64))
            })
        }
        Arrow::Decimal128(_, scale) => {
            let values = column.array.as_primitive::<Decimal128Type>();
            let scale = i32::from(*scale);
            each_row(args, |i| {
                let at = column.at(i);
                if values.is_null(at) {
                    return Ok(None);
                }
                match decimal_micros(values.value(at), scale) {
                    Some(micros) => Ok(Some(micros)),
                    None => fail(crate::error::overflow("Overflow", "")),
                }
            })
        }
        _ => {
            let values = Numbers::of(args, 0)?;
            each_row(args, |i| match values.get(i) {
                None => Ok(None),
                Some(v) => from_units(v, MICROS_PER_SECOND, "seconds").map(Some),
            })
        }
    }
}

/// Microseconds of exact seconds; `None` if there are digits below the microsecond or it does not fit.
fn decimal_micros(unscaled: i128, scale: i32) -> Option<i64> {
    let out = if scale <= 6 {
        unscaled.checked_mul(10_i128.checked_pow((6 - scale) as u32)?)?
    } else {
        let d = 10_i128.checked_pow((scale - 6) as u32)?;
        if unscaled % d != 0 {
            return None;
        }
        unscaled / d
    };
    i64::try_from(out).ok()
}

fn from_units(value: i64, unit: i64, name: &str) -> DfResult<i64> {
    value
        .checked_mul(unit)
        .ok_or_else(|| external(datetime_overflow(format!("create a TIMESTAMP from {value}L {name} since the epoch"))))
}

fn eval_timestamp_units(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let values = Numbers::of(args, 0)?;
    let millis = args.extra() == "timestamp_millis";
    each_row(args, |i| match values.get(i) {
        None => Ok(None),
        Some(v) if millis => from_units(v, 1000, "milliseconds").map(Some),
        Some(v) => Ok(Some(v)),
    })
}

fn eval_unix_units(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let values = Numbers::of(args, 0)?;
    let unit = match args.extra() {
        "unix_seconds" => MICROS_PER_SECOND,
        "unix_millis" => 1000,
        _ => 1,
    };
    each_row(args, |i| Ok(values.get(i).map(|v| v.div_euclid(unit))))
}

fn eval_timestamp_nanos(args: &KernelArgs) -> DfResult<ColumnarValue> {
    use arrow::datatypes::{DataType as Arrow, Int64Type};
    let column = args.array(0)?;
    let counts: Vec<Option<i128>> = match column.data_type() {
        Arrow::Decimal128(_, scale) => {
            let unit = 10_i128.pow(u32::from(scale.unsigned_abs()));
            column.as_primitive::<Decimal128Type>().iter().map(|v| v.map(|v| v.div_euclid(unit))).collect()
        }
        _ => column.as_primitive::<Int64Type>().iter().map(|v| v.map(i128::from)).collect(),
    };
    let beyond = |count: &&i128| i64::try_from(count.div_euclid(crate::nanos::PER_MICRO)).is_err();
    if let Some(count) = counts.iter().flatten().find(beyond) {
        return fail(datetime_overflow(format!("create a TIMESTAMP_LTZ(9) from {count} nanoseconds since the epoch")));
    }
    Ok(ColumnarValue::Array(crate::nanos::array(counts.into_iter(), true, 9)?))
}

fn eval_unix_nanos(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let counts = args.array(0)?.as_primitive::<Decimal128Type>().clone();
    Ok(ColumnarValue::Array(std::sync::Arc::new(counts.with_data_type(args.return_type().clone()))))
}

fn eval_same(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let values = Numbers::of(args, 0)?;
    each_row(args, |i| Ok(values.get(i)))
}

fn eval_utc(args: &KernelArgs, to_utc: bool) -> DfResult<ColumnarValue> {
    let (times, zones) = (Numbers::of(args, 0)?, Text::of(args, 1)?);
    let constant = match zones.constant() {
        Some(Some(id)) => Some(Zone::named(id)?),
        _ => None,
    };
    each_row(args, |i| {
        let Some((t, id)) = times.get(i).zip(zones.get(i)) else { return Ok(None) };
        let zone = match constant {
            Some(zone) => zone,
            None => Zone::named(id)?,
        };
        Ok(if to_utc { zone.to_utc(t) } else { Some(zone.to_local(t)) })
    })
}

fn eval_convert(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let (from, to, times) = (Text::of(args, 0)?, Text::of(args, 1)?, Numbers::of(args, 2)?);
    each_row(args, |i| {
        let Some(((from, to), t)) = from.get(i).zip(to.get(i)).zip(times.get(i)) else { return Ok(None) };
        let (from, to) = (Zone::named(from)?, Zone::named(to)?);
        Ok(from.to_utc(t).map(|utc| to.to_local(utc)))
    })
}

#[cfg(test)]
mod tests {
    use super::decimal_micros;

    #[test]
    fn exact_seconds_as_micros() {
        for (unscaled, scale, expect) in
            [(1230219000123, 3, Some(1230219000123000)), (1, 7, None), (10, 7, Some(1)), (5, 0, Some(5_000_000))]
        {
            assert_eq!(decimal_micros(unscaled, scale), expect);
        }
    }
}
