//! The query's time and zone: the same for every row and every task.

use datafusion::logical_expr::lit;
use datafusion::scalar::ScalarValue;
use spark::types::DataType;
use spark::{Error, Result};

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

/// The digits after the second that are asked for; six by default.
fn precision_of(call: &Call, type_name: &str) -> Result<u8> {
    call.arity(0..=1)?;
    let Some(arg) = call.args.first() else { return Ok(6) };
    if !arg.foldable() {
        return Err(Error::analysis("NON_FOLDABLE_ARGUMENT")
            .param("funcName", spark::types::quote_identifier(&call.name))
            .param("paramName", "`precision`")
            .param("paramType", format!("\"{}\"", arg.ty.sql()))
            .with_message(format!("The precision of {} must be a constant.", call.name))
            .at(call.origin.as_ref()));
    }
    let Some(precision) = crate::fold::integer(arg) else {
        return Err(Error::analysis("UNEXPECTED_INPUT_TYPE")
            .param("functionName", spark::types::quote_identifier(&call.name))
            .param("paramIndex", "first")
            .param("requiredType", "\"INT\"")
            .param("inputSql", format!("\"{}\"", arg.name))
            .param("inputType", format!("\"{}\"", arg.ty.sql()))
            .with_message(format!("The precision of {} is a number.", call.name))
            .at(call.origin.as_ref()));
    };
    match u8::try_from(precision) {
        Ok(p @ 6) => Ok(p),
        Ok(p @ 7..=9) if call.settings.timestamp_nanos => Ok(p),
        Ok(7..=9) => Err(sql::timestamp_nanos_disabled().nowhere()),
        _ => Err(sql::timestamp_precision(type_name, precision).nowhere()),
    }
}

/// A constant count of nanoseconds, from its microseconds.
fn nanos(micros: i64, ltz: bool, precision: u8, call: &Call, name: &str) -> Result<Typed> {
    let count = i128::from(micros) * crate::nanos::PER_MICRO + i128::from(call.settings.now_nanos);
    let unit = 10_i128.pow(9 - u32::from(precision));
    let literal = spark::Literal::TimestampNanos { nanos: count - count.rem_euclid(unit), ltz, precision };
    Ok(Typed::new(crate::scalar::literal_expr(&literal)?, literal.data_type(), false, name))
}

fn current_timestamp(call: Call) -> Result<Typed> {
    let precision = precision_of(&call, "TIMESTAMP_LTZ")?;
    if precision > 6 {
        return nanos(call.settings.now_micros, true, precision, &call, "current_timestamp()");
    }
    let value = ScalarValue::TimestampMicrosecond(Some(call.settings.now_micros), Some(crate::types::UTC.into()));
    let name = format!("{}()", call.name);
    Ok(Typed::new(lit(value), DataType::Timestamp, false, name))
}

fn local_timestamp(call: Call) -> Result<Typed> {
    let precision = precision_of(&call, "TIMESTAMP_NTZ")?;
    if precision > 6 {
        return nanos(local_now(&call)?, false, precision, &call, "localtimestamp()");
    }
    let value = ScalarValue::TimestampMicrosecond(Some(local_now(&call)?), None);
    Ok(Typed::new(lit(value), DataType::TimestampNtz, false, "localtimestamp()"))
}

fn current_time(call: Call) -> Result<Typed> {
    call.arity(0..=1)?;
    let precision = match call.args.first() {
        None => 6,
        Some(arg) => {
            crate::fold::integer(arg).and_then(|p| u8::try_from(p).ok()).filter(|p| *p <= 9).ok_or_else(|| {
                call.mismatch("VALUE_OUT_OF_RANGE")
                    .param("exprName", "`precision`")
                    .param("valueRange", "[0, 9]")
                    .param("currentValue", &arg.name)
            })?
        }
    };
    let nanos = (local_now(&call)?.rem_euclid(MICROS_PER_DAY) * 1000 + call.settings.now_nanos) % NANOS_PER_DAY;
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
