//! The query's time and zone: the same for every row and every task.

use datafusion::logical_expr::lit;
use datafusion::scalar::ScalarValue;
use spark::types::DataType;
use spark::{Error, ErrorKind, Result};

use super::calendar::{MICROS_PER_DAY, NANOS_PER_DAY};
use super::zone::Zone;
use crate::call::Call;
use crate::error::from_datafusion;
use crate::registry::{Build, Function};
use crate::typed::Typed;

/// Functions of this file.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "current_date", build: Build::Scalar(current_date) },
    Function { name: "curdate", build: Build::Scalar(current_date) },
    Function { name: "current_timestamp", build: Build::Scalar(current_timestamp) },
    Function { name: "now", build: Build::Scalar(current_timestamp) },
    Function { name: "localtimestamp", build: Build::Scalar(local_timestamp) },
    Function { name: "current_time", build: Build::Scalar(current_time) },
    Function { name: "localtime", build: Build::Scalar(current_time) },
    Function { name: "current_timezone", build: Build::Scalar(current_timezone) },
];

fn local_now(call: &Call) -> Result<i64> {
    let zone = Zone::named(&call.settings.time_zone).map_err(from_datafusion)?;
    Ok(zone.to_local(call.settings.now_micros))
}

fn current_date(call: Call) -> Result<Typed> {
    call.arity(0..=0)?;
    let days = local_now(&call)?.div_euclid(MICROS_PER_DAY) as i32;
    let value = lit(ScalarValue::Date32(Some(days)));
    Ok(Typed::new(value, DataType::Date, false, "current_date()"))
}

/// Only the default precision is offered.
fn precision_of(call: &Call, type_name: &str) -> Result<()> {
    call.arity(0..=1)?;
    if let Some(arg) = call.args.first()
        && crate::fold::integer(arg) != Some(6)
    {
        return Err(Error::new(ErrorKind::Spark, "INVALID_TIMESTAMP_PRECISION")
            .param("precision", &arg.name)
            .param("type", type_name)
            .with_message(format!("{type_name} has no precision {}.", arg.name))
            .at(call.origin.as_ref()));
    }
    Ok(())
}

fn current_timestamp(call: Call) -> Result<Typed> {
    precision_of(&call, "TIMESTAMP_LTZ")?;
    let value = ScalarValue::TimestampMicrosecond(Some(call.settings.now_micros), Some(crate::types::UTC.into()));
    let name = format!("{}()", if call.args.is_empty() { call.name.as_str() } else { "current_timestamp" });
    Ok(Typed::new(lit(value), DataType::Timestamp, false, name))
}

fn local_timestamp(call: Call) -> Result<Typed> {
    precision_of(&call, "TIMESTAMP_NTZ")?;
    let value = ScalarValue::TimestampMicrosecond(Some(local_now(&call)?), None);
    Ok(Typed::new(lit(value), DataType::TimestampNtz, false, "localtimestamp()"))
}

fn current_time(call: Call) -> Result<Typed> {
    call.arity(0..=1)?;
    super::time::enabled(&call)?;
    let precision = match call.args.first() {
        None => 6,
        Some(arg) => {
            crate::fold::integer(arg).and_then(|p| u8::try_from(p).ok()).filter(|p| *p <= 6).ok_or_else(|| {
                call.mismatch("VALUE_OUT_OF_RANGE")
                    .param("exprName", "`precision`")
                    .param("valueRange", "[0, 6]")
                    .param("currentValue", &arg.name)
            })?
        }
    };
    let nanos = (local_now(&call)?.rem_euclid(MICROS_PER_DAY) * 1000) % NANOS_PER_DAY;
    let unit = 10_i64.pow(9 - u32::from(precision));
    let value = ScalarValue::Time64Nanosecond(Some(nanos / unit * unit));
    let shown = precision.to_string();
    let name = format!("current_time({shown})");
    Ok(Typed::new(lit(value), DataType::Time(precision), false, name))
}

fn current_timezone(call: Call) -> Result<Typed> {
    call.arity(0..=0)?;
    let zone = call.settings.time_zone.to_string();
    Ok(Typed::new(lit(zone), DataType::STRING, false, "current_timezone()"))
}
