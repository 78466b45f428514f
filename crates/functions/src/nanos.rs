//! Timestamps with digits below the microsecond, inside plans and at their edges.
//!
//! Arrow's 64 bits of nanoseconds end in the year 2262 and Spark's own end in 9999, so that inside plans
//! these timestamps are 128-bit counts of nanoseconds since 1970-01-01: a decimal, which sorts, groups,
//! joins and hashes as the number it is, of a negative scale, which no decimal of Spark's has. The scale is
//! the number of digits and the precision says whether the count is of UTC or of a wall clock, so that the
//! Arrow type alone says the Spark type. What leaves has Arrow's own type, or is refused.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array, TimestampMicrosecondArray, TimestampNanosecondArray};
use arrow::datatypes::{DataType as Arrow, Decimal128Type, FieldRef, TimeUnit};
use datafusion::common::Result;
use datafusion::logical_expr::ColumnarValue;
use spark::types::DataType;

use crate::error::external;
use crate::families::datetime::datetime_overflow;
use crate::kernel::{Kernel, KernelUdf, Options};
use crate::types::UTC;

/// Nanoseconds of a microsecond.
pub const PER_MICRO: i128 = 1000;

/// The precision of the decimals that count instants, and of those that count wall clocks.
const INSTANT: u8 = 38;
const WALL_CLOCK: u8 = 37;

/// The Arrow type inside plans.
pub fn storage(ltz: bool, precision: u8) -> Arrow {
    Arrow::Decimal128(if ltz { INSTANT } else { WALL_CLOCK }, -(precision as i8))
}

/// The Spark type that a storage type stands for; `None` if it is none.
pub fn of_storage(arrow: &Arrow) -> Option<DataType> {
    match arrow {
        Arrow::Decimal128(width @ (INSTANT | WALL_CLOCK), scale @ -9..=-7) => {
            Some(DataType::TimestampNanos { ltz: *width == INSTANT, precision: scale.unsigned_abs() })
        }
        _ => None,
    }
}

/// The microseconds before a count of nanoseconds, and the nanoseconds since.
pub fn split(nanos: i128) -> (i64, i64) {
    (nanos.div_euclid(PER_MICRO) as i64, nanos.rem_euclid(PER_MICRO) as i64)
}

/// The counts of an array of timestamps in storage form.
pub fn counts(array: &ArrayRef) -> impl Iterator<Item = Option<i128>> {
    array.as_primitive::<Decimal128Type>().iter()
}

/// Counts of nanoseconds as timestamps of `precision` digits: what is below the last one is cut off.
///
/// # Errors
/// Never for the precisions there are.
pub fn array(counts: impl Iterator<Item = Option<i128>>, ltz: bool, precision: u8) -> Result<ArrayRef> {
    let unit = 10_i128.pow(9 - u32::from(precision.min(9)));
    let cut: Decimal128Array = counts.map(|c| c.map(|c| c - c.rem_euclid(unit))).collect();
    Ok(Arc::new(cut.with_data_type(storage(ltz, precision))))
}

/// Timestamps in storage form as microseconds, without what is below.
pub fn to_micros(array: &ArrayRef, ltz: bool) -> ArrayRef {
    let micros: TimestampMicrosecondArray = counts(array).map(|c| c.map(|c| split(c).0)).collect();
    Arc::new(micros.with_timezone_opt(ltz.then_some(UTC)))
}

/// A count in 64 bits, which the microseconds in it must fit too.
fn in_arrow(count: i128) -> Option<i64> {
    split(count).0.checked_mul(1000)?;
    i64::try_from(count).ok()
}

/// Timestamps in storage form as clients and files have them, 64 bits of nanoseconds.
///
/// # Errors
/// `DATETIME_OVERFLOW` for what those do not reach.
pub fn to_arrow_nanos(array: &ArrayRef, ltz: bool, zone: Option<&str>) -> Result<ArrayRef> {
    let out = counts(array)
        .map(|count| match count.map(|c| in_arrow(c).ok_or(c)) {
            None => Ok(None),
            Some(Ok(nanos)) => Ok(Some(nanos)),
            Some(Err(count)) => Err(external(datetime_overflow(format!(
                "write the timestamp value {} as Arrow INT64 epoch-nanoseconds (supported range: \
                 1677-09-21T00:12:43.145224192Z to 2262-04-11T23:47:16.854775807Z)",
                iso(count, ltz)
            )))),
        })
        .collect::<Result<TimestampNanosecondArray>>()?;
    Ok(Arc::new(out.with_timezone_opt(zone)))
}

/// Arrow's timestamps of any unit in storage form.
///
/// # Errors
/// If the array holds no timestamps.
pub fn from_arrow_timestamps(array: &ArrayRef, ltz: bool, precision: u8) -> Result<ArrayRef> {
    let Arrow::Timestamp(unit, _) = array.data_type() else {
        return datafusion::common::internal_err!("timestamps were expected, not {}", array.data_type());
    };
    let per: i128 = match unit {
        TimeUnit::Second => 1_000_000_000,
        TimeUnit::Millisecond => 1_000_000,
        TimeUnit::Microsecond => 1000,
        TimeUnit::Nanosecond => 1,
    };
    let plain = arrow::compute::cast(array, &Arrow::Int64)?;
    let numbers = plain.as_primitive::<arrow::datatypes::Int64Type>();
    self::array(numbers.iter().map(|n| n.map(|n| i128::from(n) * per)), ltz, precision)
}

/// The type that files have where plans have `ty`: the same but for the timestamps inside.
pub fn in_files(ty: &Arrow) -> Arrow {
    let field = |f: &FieldRef| Arc::new(f.as_ref().clone().with_data_type(in_files(f.data_type())));
    match ty {
        Arrow::List(f) => Arrow::List(field(f)),
        Arrow::Map(f, sorted) => Arrow::Map(field(f), *sorted),
        Arrow::Struct(fields) => Arrow::Struct(fields.iter().map(field).collect()),
        other => match of_storage(other) {
            Some(DataType::TimestampNanos { ltz, .. }) => {
                Arrow::Timestamp(TimeUnit::Nanosecond, ltz.then(|| UTC.into()))
            }
            _ => other.clone(),
        },
    }
}

/// `array` as `to`, which differs from its type in the form of such timestamps alone.
///
/// # Errors
/// `DATETIME_OVERFLOW`, as [`to_arrow_nanos`].
pub fn in_form(array: &ArrayRef, to: &Arrow) -> Result<ArrayRef> {
    if array.data_type() == to {
        return Ok(Arc::clone(array));
    }
    match (of_storage(array.data_type()), of_storage(to), to) {
        (Some(DataType::TimestampNanos { ltz, .. }), None, Arrow::Timestamp(_, zone)) => {
            to_arrow_nanos(array, ltz, zone.as_deref())
        }
        (None, Some(DataType::TimestampNanos { ltz, precision }), _) => from_arrow_timestamps(array, ltz, precision),
        (_, _, Arrow::List(f) | Arrow::Map(f, _)) => children_in_form(array, to, std::slice::from_ref(f)),
        (_, _, Arrow::Struct(fields)) => children_in_form(array, to, fields),
        _ => Ok(arrow::compute::cast(array, to)?),
    }
}

fn children_in_form(array: &ArrayRef, to: &Arrow, fields: &[FieldRef]) -> Result<ArrayRef> {
    let data = array.to_data();
    let children = data
        .child_data()
        .iter()
        .zip(fields)
        .map(|(child, f)| Ok(in_form(&arrow::array::make_array(child.clone()), f.data_type())?.to_data()))
        .collect::<Result<Vec<_>>>()?;
    Ok(arrow::array::make_array(data.into_builder().data_type(to.clone()).child_data(children).build()?))
}

/// The kernel that [`in_form`] is for what comes from files.
const OF_FILES: Kernel =
    Kernel::new("nanos_of_files", |args| Ok(ColumnarValue::Array(in_form(&args.array(0)?, args.return_type())?)));

/// Kernels of this file.
pub const KERNELS: &[Kernel] = &[OF_FILES];

/// The function from a column of files to its canonical type.
pub fn of_files(ty: Arrow) -> KernelUdf {
    KernelUdf::new(&KERNELS[0], ty, Options::default())
}

/// A count as ISO 8601 writes it, with as many digits as needed in threes.
fn iso(count: i128, ltz: bool) -> String {
    let (micros, below) = split(count);
    let text =
        crate::cast::format::timestamp_ntz_to_string(micros - micros.rem_euclid(1_000_000)).replacen(' ', "T", 1);
    let fraction = micros.rem_euclid(1_000_000) * 1000 + below;
    let digits = match fraction {
        0 => String::new(),
        f if f % 1_000_000 == 0 => format!(".{:03}", f / 1_000_000),
        f if f % 1000 == 0 => format!(".{:06}", f / 1000),
        f => format!(".{f:09}"),
    };
    format!("{text}{digits}{}", if ltz { "Z" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_storage_says_the_type() {
        for ltz in [true, false] {
            for precision in 7..=9 {
                let ty = DataType::TimestampNanos { ltz, precision };
                assert_eq!(of_storage(&crate::types::to_arrow(&ty)), Some(ty));
            }
        }
        assert_eq!(of_storage(&Arrow::Decimal128(38, 0)), None);
    }

    #[test]
    fn counts_are_cut_before_the_epoch_too() {
        for (count, precision, expect) in
            [(123_456_789, 9, 123_456_789), (123_456_789, 7, 123_456_700), (-1, 9, -1), (-1, 8, -10), (-1, 7, -100)]
        {
            let cut = array(std::iter::once(Some(count)), true, precision).unwrap();
            assert_eq!(counts(&cut).next(), Some(Some(expect)), "{count} of {precision}");
        }
        assert_eq!(split(-1), (-1, 999));
    }

    #[test]
    fn what_arrow_does_not_reach_is_refused() {
        let reach =
            array([Some(i128::from(i64::MIN) + 808), Some(i128::from(i64::MAX)), None].into_iter(), true, 9).unwrap();
        let wire = to_arrow_nanos(&reach, true, Some("Asia/Tokyo")).unwrap();
        assert_eq!(wire.data_type().to_string(), "Timestamp(ns, \"Asia/Tokyo\")");
        for beyond in [i128::from(i64::MIN), i128::from(i64::MAX) + 1, -62_135_596_799_876_543_211] {
            let beyond = array(std::iter::once(Some(beyond)), false, 9).unwrap();
            let error = to_arrow_nanos(&beyond, false, None).unwrap_err();
            let error = crate::error::spark_error(&error).unwrap();
            assert_eq!(error.condition(), "DATETIME_OVERFLOW");
        }
        assert_eq!(iso(-62_135_596_799_876_543_211, false), "0001-01-01T00:00:00.123456789");
    }

    /// A text cast to `ty`, then to each of the others, and printed.
    #[track_caller]
    fn check(text: &str, ty: &str, others: &[&str], expect: Option<&str>) {
        use crate::cast::convert::{Context, Mode, convert};
        let context = Context::new(Mode::Try, "America/Los_Angeles").unwrap();
        let parsed = |t: &&str| sql::parse_data_type(t, &sql::ParseOptions::default()).unwrap();
        let mut from = DataType::STRING;
        let mut array: ArrayRef = Arc::new(arrow::array::StringArray::from(vec![text]));
        for to in std::iter::once(&ty).chain(others).chain(&["string"]).map(parsed) {
            array = convert(&array, &from, &to, &context).unwrap();
            assert_eq!(*array.data_type(), crate::types::to_arrow(&to));
            from = to;
        }
        let shown = array.as_string::<i32>();
        assert_eq!((!shown.is_null(0)).then(|| shown.value(0)), expect, "{text} as {ty}, {others:?}");
    }

    #[test]
    fn casts() {
        let text = "2020-06-01 01:02:03.123456789";
        for (ty, others, expect) in [
            ("timestamp_ntz(9)", &[][..], "2020-06-01 01:02:03.123456789"),
            ("timestamp_ltz(7)", &[], "2020-06-01 01:02:03.1234567"),
            ("timestamp_ltz(9)", &["timestamp_ntz(8)"], "2020-06-01 01:02:03.12345678"),
            ("timestamp_ntz(9)", &["timestamp_ltz(9)", "timestamp"], "2020-06-01 01:02:03.123456"),
            ("timestamp_ltz(9)", &["date", "timestamp_ntz(9)"], "2020-06-01 00:00:00"),
            ("timestamp_ntz", &["timestamp_ltz(9)"], "2020-06-01 01:02:03.123456"),
            ("timestamp_ntz(9)", &["time(6)"], "01:02:03.123456"),
        ] {
            check(text, ty, others, Some(expect));
        }
        check("0001-01-01T00:00:00.0000000019Z", "timestamp_ntz(9)", &[], Some("0001-01-01 00:00:00.000000001"));
        check("2020-06-01T00:00:00.1234567Z", "timestamp_ltz(9)", &[], Some("2020-05-31 17:00:00.1234567"));
        check("2020-13-01", "timestamp_ntz(9)", &[], None);
    }

    #[test]
    fn nested_values_have_a_form_in_files() {
        let inner = array([Some(1_001), None].into_iter(), true, 9).unwrap();
        let list: ArrayRef = Arc::new(arrow::array::ListArray::new(
            crate::types::list_field(inner.data_type().clone()),
            arrow::buffer::OffsetBuffer::from_lengths([2]),
            inner,
            None,
        ));
        let stored = in_form(&list, &in_files(list.data_type())).unwrap();
        assert_eq!(stored.data_type().to_string(), "List(Timestamp(ns, \"UTC\"))");
        assert_eq!(&in_form(&stored, list.data_type()).unwrap(), &list);
    }
}
