//! The cast kernel: which conversion a pair of types takes.

use arrow::array::{Array, ArrayRef, new_null_array};
use datafusion::common::{DataFusionError, Result};
use datafusion::logical_expr::ColumnarValue;
use serde::{Deserialize, Serialize};
use spark::types::DataType;
use spark::{Error, ErrorKind, Settings};

use super::{binary, datetime, format, interval, nested, numeric, parse};
use crate::error::fail;
use crate::families::datetime::zone::Zone;
use crate::kernel::{Kernel, KernelArgs};
use crate::types::to_arrow;

/// The cast kernel.
pub const CAST: Kernel = Kernel::new("cast", cast_kernel);

/// What happens to a value that does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// An error.
    Ansi,
    /// Null, or what Java's narrowing gives.
    Legacy,
    /// Null.
    Try,
}

/// A cast as it travels with the kernel.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Spec {
    from: DataType,
    to: DataType,
    mode: Mode,
    /// The query's time, for times of day and strings that hold only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    now: Option<i64>,
    /// The column that the value is stored in, for the error of one that does not fit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    column: Option<String>,
    /// Nested values as strings the way `spark.sql.legacy.castComplexTypesToString.enabled` has them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    legacy_nesting: bool,
}

impl Spec {
    /// The cast between two types under these settings.
    pub fn new(from: &DataType, to: &DataType, mode: Mode, settings: &Settings) -> Self {
        let has_zone = |ty: &DataType| matches!(ty, DataType::Timestamp | DataType::TimestampNanos { ltz: true, .. });
        let has_clock = |ty: &DataType| matches!(ty, DataType::Time(_));
        let reads_clock = (from.is_string() && has_zone(to)) || from.any(&has_clock);
        let nested_text = from.is_complex() && to.is_string();
        Spec {
            from: from.clone(),
            to: to.clone(),
            mode,
            now: reads_clock.then_some(settings.now_micros),
            column: None,
            legacy_nesting: nested_text
                && settings.conf.get_bool("spark.sql.legacy.castComplexTypesToString.enabled", false),
        }
    }

    /// The cast described by `text`, for values stored in `column`.
    pub fn stored(text: &str, column: &str) -> Option<Self> {
        Some(Spec { column: Some(column.to_string()), ..Spec::of(text)? })
    }

    /// The cast described by `text`.
    pub fn of(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// True for a cast of values of this type.
    pub fn is_from(&self, ty: &DataType) -> bool {
        self.from == *ty
    }

    /// What a value that does not fit is when it is stored.
    fn in_column(&self, error: DataFusionError) -> DataFusionError {
        let Some(column) = &self.column else { return error };
        let condition = crate::error::spark_error(&error).map(|e| e.condition().to_string()).unwrap_or_default();
        if condition != "CAST_OVERFLOW" && !condition.starts_with("NUMERIC_VALUE_OUT_OF_RANGE") {
            return error;
        }
        crate::error::external(
            Error::arithmetic("CAST_OVERFLOW_IN_TABLE_INSERT")
                .param("sourceType", format!("\"{}\"", self.from.sql()))
                .param("targetType", format!("\"{}\"", self.to.sql()))
                .param("columnName", spark::types::quote_identifier(column))
                .with_message(format!("A value does not fit the column {column}.")),
        )
    }

    /// The form the kernel's options carry.
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// What a conversion needs to know besides the types.
#[derive(Debug, Clone)]
pub struct Context {
    pub mode: Mode,
    pub zone: Zone,
    pub now: i64,
    /// See [`format::Style`].
    pub legacy_nesting: bool,
}

impl Context {
    /// A context for formatting and parsing in a zone.
    ///
    /// # Errors
    /// `INVALID_TIMEZONE`.
    pub fn new(mode: Mode, zone: &str) -> Result<Self> {
        Ok(Context { mode, zone: Zone::named(zone)?, now: 0, legacy_nesting: false })
    }

    /// True if a value that does not fit is found out rather than narrowed.
    pub fn checks(&self) -> bool {
        self.mode != Mode::Legacy
    }

    /// What to put where a value does not fit: an error in ANSI mode, else null.
    ///
    /// # Errors
    /// The given one.
    pub fn fail<T>(&self, error: impl FnOnce() -> Error) -> Result<Option<T>> {
        if self.mode == Mode::Ansi { fail(error()) } else { Ok(None) }
    }
}

fn cast_kernel(args: &KernelArgs) -> Result<ColumnarValue> {
    let spec: Spec = serde_json::from_str(args.extra())
        .map_err(|e| DataFusionError::Internal(format!("a cast was planned without its types: {e}")))?;
    let context = Context {
        mode: spec.mode,
        zone: Zone::named(args.time_zone()?)?,
        now: spec.now.unwrap_or(0),
        legacy_nesting: spec.legacy_nesting,
    };
    match args.value(0)? {
        ColumnarValue::Array(array) => {
            let cast = convert(array, &spec.from, &spec.to, &context).map_err(|e| spec.in_column(e))?;
            Ok(ColumnarValue::Array(cast))
        }
        ColumnarValue::Scalar(value) => {
            let array = convert(&value.to_array()?, &spec.from, &spec.to, &context).map_err(|e| spec.in_column(e))?;
            Ok(ColumnarValue::Scalar(datafusion::scalar::ScalarValue::try_from_array(&array, 0)?))
        }
    }
}

/// The values of `array`, of type `from`, as type `to`.
///
/// # Errors
/// In ANSI mode, Spark's error for the first value that does not fit.
pub fn convert(array: &ArrayRef, from: &DataType, to: &DataType, context: &Context) -> Result<ArrayRef> {
    use DataType as T;
    match (from, to) {
        (a, b) if super::same_values(a, b) => Ok(array.clone()),
        (T::Null, _) => Ok(new_null_array(&to_arrow(to), array.len())),
        (T::Udt { sql_type, .. }, _) => convert(array, sql_type, to, context),
        (T::Variant, _) | (_, T::Variant) => crate::families::variant::cast_array(array, from, to, context),
        (_, t) if t.is_string() => format::to_strings(array, from, &format::Style::cast(context)),
        (f, t) if f.is_complex() && t.is_complex() => nested::convert(array, from, to, context),
        (f, T::Binary) if f.is_string() || f.is_integral() => binary::convert(array, from),
        (f, _) if f.is_string() => parse::convert(array, to, context),
        (f, t) if f.is_ansi_interval() || t.is_ansi_interval() => interval::convert(array, from, to, context),
        (f, t) if f.is_timestamp_nanos() || t.is_timestamp_nanos() => datetime::nanos(array, from, to, context),
        (f, t) if f.is_datetime() || t.is_datetime() || matches!(f, T::Time(_)) || matches!(t, T::Time(_)) => {
            datetime::convert(array, from, to, context)
        }
        _ => numeric::convert(array, from, to, context),
    }
}

/// `CAST_INVALID_INPUT`; `value` as SQL text.
pub fn invalid_input(kind: ErrorKind, value: &str, from: &DataType, to: &DataType) -> Error {
    Error::new(kind, "CAST_INVALID_INPUT")
        .param("expression", value)
        .param("sourceType", format!("\"{}\"", from.sql()))
        .param("targetType", format!("\"{}\"", to.sql()))
        .param("ansiConfig", "\"spark.sql.ansi.enabled\"")
        .with_message(format!(
            "{value} of type {} is not a {}; use try_cast to get NULL instead.",
            from.sql(),
            to.sql()
        ))
}

/// `CAST_OVERFLOW`; `value` as SQL text.
pub fn overflow(value: &str, from: &DataType, to: &DataType) -> Error {
    Error::arithmetic("CAST_OVERFLOW")
        .param("value", value)
        .param("sourceType", format!("\"{}\"", from.sql()))
        .param("targetType", format!("\"{}\"", to.sql()))
        .param("ansiConfig", "\"spark.sql.ansi.enabled\"")
        .with_message(format!(
            "{value} of type {} does not fit {}; use try_cast to get NULL instead.",
            from.sql(),
            to.sql()
        ))
}

/// A conversion between types that analysis should have refused.
///
/// # Errors
/// Always.
pub fn no_such_cast<T>(from: &DataType, to: &DataType) -> Result<T> {
    Err(DataFusionError::Internal(format!("no cast from {from} to {to}")))
}
