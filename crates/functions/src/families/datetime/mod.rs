//! Dates, times and timestamps.

pub mod arithmetic;
pub mod bucket;
pub mod calendar;
pub mod fields;
pub mod legacy;
pub mod locale;
pub mod make;
pub mod now;
pub mod pattern;
pub mod print;
pub mod scan;
pub mod text;
pub mod time;
pub mod trunc;
pub mod zone;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType as Arrow, IntervalUnit, TimeUnit};
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::ColumnarValue;
use spark::types::DataType;
use spark::{Error, ErrorKind};

use crate::call::Call;
use crate::coerce::{self, Expected};
use crate::families::rows::{finish, row_count};
use crate::kernel::{KernelArgs, downcast};

/// A temporal or integral argument as plain numbers in its own unit.
pub struct Numbers {
    values: Int64Array,
    constant: bool,
}

impl Numbers {
    /// Argument `i`.
    ///
    /// # Errors
    /// If it is neither temporal nor integral.
    pub fn of(args: &KernelArgs, i: usize) -> Result<Numbers> {
        let constant = args.scalar(i).is_some();
        let array = match args.value(i)? {
            ColumnarValue::Scalar(v) => v.to_array()?,
            ColumnarValue::Array(a) => Arc::clone(a),
        };
        Ok(Numbers { values: numbers(&array)?, constant })
    }

    /// The value of `row`.
    #[inline]
    pub fn get(&self, row: usize) -> Option<i64> {
        let row = if self.constant { 0 } else { row };
        self.values.is_valid(row).then(|| self.values.value(row))
    }
}

/// Any temporal or integral array as 64-bit numbers in its own unit.
pub fn numbers(array: &ArrayRef) -> Result<Int64Array> {
    let narrow = match array.data_type() {
        Arrow::Date32 => cast(array, &Arrow::Int32)?,
        Arrow::Interval(IntervalUnit::YearMonth) => {
            let months = downcast::<arrow::array::IntervalYearMonthArray>(array)?;
            Arc::new(months.unary::<_, arrow::datatypes::Int64Type>(i64::from)) as ArrayRef
        }
        Arrow::Timestamp(..) | Arrow::Duration(_) | Arrow::Time64(_) => cast(array, &Arrow::Int64)?,
        _ => Arc::clone(array),
    };
    Ok(downcast::<Int64Array>(&cast(&narrow, &Arrow::Int64)?)?.clone())
}

/// A kernel of plain numbers, computed by row; the result takes the kernel's type.
pub fn each_row(args: &KernelArgs, mut row: impl FnMut(usize) -> Result<Option<i64>>) -> Result<ColumnarValue> {
    let values = (0..row_count(args)).map(&mut row).collect::<Result<Vec<Option<i64>>>>()?;
    finish(args, typed(values, args.return_type())?)
}

/// Numbers as an array of a temporal or integral type.
pub fn typed(values: Vec<Option<i64>>, ty: &Arrow) -> Result<ArrayRef> {
    use arrow::array as a;
    fn small(values: Vec<Option<i64>>) -> impl Iterator<Item = Option<i32>> {
        values.into_iter().map(|v| v.map(|v| v as i32))
    }
    Ok(match ty {
        Arrow::Int64 => Arc::new(Int64Array::from(values)),
        Arrow::Int32 => Arc::new(small(values).collect::<a::Int32Array>()),
        Arrow::Int8 => Arc::new(values.into_iter().map(|v| v.map(|v| v as i8)).collect::<a::Int8Array>()),
        Arrow::Date32 => Arc::new(small(values).collect::<a::Date32Array>()),
        Arrow::Timestamp(TimeUnit::Microsecond, zone) => {
            Arc::new(a::TimestampMicrosecondArray::from(values).with_timezone_opt(zone.clone()))
        }
        Arrow::Time64(TimeUnit::Nanosecond) => Arc::new(a::Time64NanosecondArray::from(values)),
        Arrow::Duration(TimeUnit::Microsecond) => Arc::new(a::DurationMicrosecondArray::from(values)),
        Arrow::Interval(IntervalUnit::YearMonth) => Arc::new(small(values).collect::<a::IntervalYearMonthArray>()),
        Arrow::Decimal128(p, s) => Arc::new(
            values
                .into_iter()
                .map(|v| v.map(i128::from))
                .collect::<a::Decimal128Array>()
                .with_precision_and_scale(*p, *s)?,
        ),
        other => return internal_err!("no temporal results of type {other}"),
    })
}

/// Casts argument `i` to a date as Spark does implicitly; timestamps lose their time.
///
/// # Errors
/// `DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE`.
pub fn expect_date(call: &mut Call, i: usize) -> spark::Result<()> {
    expect_datetime(call, i, &DataType::Date)
}

/// Casts argument `i` to `ty` as Spark does implicitly, from any date or timestamp.
///
/// # Errors
/// `DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE`.
pub fn expect_datetime(call: &mut Call, i: usize, ty: &DataType) -> spark::Result<()> {
    if call.args[i].ty.is_datetime() {
        call.args[i] = coerce::cast_implicitly(&call.args[i], ty, call.settings);
        return Ok(());
    }
    call.expect(i, Expected::Type(ty.clone()))
}

/// Casts argument `i`, if it has digits below the microsecond, to the timestamp without them; answers what
/// it was.
pub fn without_nanos(call: &mut Call, i: usize) -> Option<DataType> {
    let DataType::TimestampNanos { ltz, .. } = call.args[i].ty else { return None };
    let micros = if ltz { DataType::Timestamp } else { DataType::TimestampNtz };
    let plain = coerce::cast_implicitly(&call.args[i], &micros, call.settings);
    Some(std::mem::replace(&mut call.args[i], plain).ty)
}

/// [`expect_date`] where Spark takes timestamps, but none with digits below the microsecond.
///
/// # Errors
/// `DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE`.
pub fn expect_plain_date(call: &mut Call, i: usize) -> spark::Result<()> {
    if call.args[i].ty.is_timestamp_nanos() {
        return Err(call.unexpected_type(i, "\"DATE\""));
    }
    expect_date(call, i)
}

/// A timestamp with or without a time zone, as errors word it.
pub const ANY_TIMESTAMP: &str = "\"(TIMESTAMP OR TIMESTAMP WITHOUT TIME ZONE)\"";

/// [`ANY_TIMESTAMP`] or one with digits below the microsecond.
pub const ANY_TIMESTAMP_OR_NANOS: &str =
    "(\"(TIMESTAMP OR TIMESTAMP WITHOUT TIME ZONE)\" or \"(TIMESTAMP_LTZ(P) OR TIMESTAMP_NTZ(P) WITH P IN [7, 9])\")";

/// [`expect_datetime`] of a timestamp, with the types that the error asks for.
///
/// # Errors
/// `DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE`.
pub fn expect_timestamp(call: &mut Call, i: usize, required: &str) -> spark::Result<()> {
    let refused = call.unexpected_type(i, required);
    expect_datetime(call, i, &DataType::Timestamp).map_err(|_| refused)
}

/// A `DateTimeException`.
pub fn date_error(condition: &str) -> Error {
    Error::new(ErrorKind::DateTime, condition)
}

/// An overflow of interval arithmetic.
pub fn interval_overflow() -> Error {
    Error::arithmetic("INTERVAL_ARITHMETIC_OVERFLOW.WITHOUT_SUGGESTION").with_message("The interval is out of range.")
}

/// `DATETIME_OVERFLOW` of an operation.
pub fn datetime_overflow(operation: impl Into<String>) -> Error {
    let operation = operation.into();
    Error::arithmetic("DATETIME_OVERFLOW")
        .param("operation", &operation)
        .with_message(format!("Out of range: {operation}."))
}
