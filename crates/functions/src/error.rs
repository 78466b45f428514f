//! Spark's errors inside DataFusion's, and back.

use std::any::Any;
use std::io::ErrorKind as ErrorNumber;
use std::sync::Arc;

use arrow::error::ArrowError;
use datafusion::common::DataFusionError;
use spark::error::QueryContext;
use spark::{Error, ErrorKind};

/// What a panic said, if it said anything.
pub fn panic_text(panic: &(dyn Any + Send)) -> Option<&str> {
    panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str))
}

/// Wraps a Spark error so that it survives DataFusion's operators.
pub fn external(error: Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

/// A kernel's failure with a Spark error.
pub fn fail<T>(error: Error) -> datafusion::common::Result<T> {
    Err(external(error))
}

/// Adds the position of the call to a Spark error that has none.
pub fn with_context(error: DataFusionError, context: Option<&Arc<QueryContext>>) -> DataFusionError {
    let Some(context) = context else { return error };
    match error {
        DataFusionError::External(inner) => match inner.downcast::<Error>() {
            Ok(spark) => external(if is_placed(&spark) { spark.or_context(context) } else { *spark }),
            Err(inner) => DataFusionError::External(inner),
        },
        DataFusionError::ArrowError(e, b) => match arrow_condition(&e) {
            Some(spark) => external(spark.or_context(context)),
            None => DataFusionError::ArrowError(e, b),
        },
        other => other,
    }
}

/// True for the conditions that Spark reports with the place of the expression: those of arithmetic, casts
/// and lookups. What other functions find wrong with a value has none.
fn is_placed(error: &Error) -> bool {
    const PLACED: &[&str] = &[
        "INVALID_INDEX_OF_ZERO",
        "ARITHMETIC_OVERFLOW",
        "CAST_INVALID_INPUT",
        "DIVIDE_BY_ZERO",
        "INTERVAL_ARITHMETIC_OVERFLOW",
        "INTERVAL_DIVIDED_BY_ZERO",
        "INTERNAL_ERROR",
        "INVALID_ARRAY_INDEX",
        "INVALID_ARRAY_INDEX_IN_ELEMENT_AT",
        "MAP_KEY_DOES_NOT_EXIST",
        "NUMERIC_VALUE_OUT_OF_RANGE",
        "SCALAR_SUBQUERY_TOO_MANY_ROWS",
        "REMAINDER_BY_ZERO",
        "USER_RAISED_EXCEPTION",
    ];
    if error.condition() == "INTERVAL_ARITHMETIC_OVERFLOW.WITH_SUGGESTION" {
        return false;
    }
    let class = error.condition().split('.').next().unwrap_or_default();
    PLACED.contains(&class)
}

/// The Spark error behind an Arrow error, if Spark has a condition for it.
fn arrow_condition(error: &ArrowError) -> Option<Error> {
    match error {
        ArrowError::DivideByZero => Some(divide_by_zero()),
        ArrowError::ArithmeticOverflow(detail) => Some(overflow(detail.clone(), "")),
        ArrowError::ExternalError(inner) => inner
            .downcast_ref::<Error>()
            .cloned()
            .or_else(|| inner.downcast_ref::<DataFusionError>().and_then(spark_error)),
        ArrowError::IoError(_, inner) => full_disk(inner),
        _ => None,
    }
}

/// `UNABLE_TO_ACQUIRE_MEMORY`: the query needs more than it may have, and could not spill.
fn out_of_memory(why: &str) -> Error {
    Error::new(ErrorKind::Runtime, "UNABLE_TO_ACQUIRE_MEMORY")
        .with_message(format!("The query needs more memory than it may use, and cannot spill: {why}"))
}

/// `TASK_WRITE_FAILED` where there is no space left for what is spilled, shuffled or written.
pub fn full_disk(error: &std::io::Error) -> Option<Error> {
    matches!(error.kind(), ErrorNumber::StorageFull | ErrorNumber::QuotaExceeded).then(|| {
        Error::new(ErrorKind::Runtime, "TASK_WRITE_FAILED")
            .param("path", "")
            .with_message(format!("There is no space left on the disk for the query's files: {error}"))
    })
}

/// `DIVIDE_BY_ZERO`.
pub fn divide_by_zero() -> Error {
    Error::arithmetic("DIVIDE_BY_ZERO")
        .param("config", "\"spark.sql.ansi.enabled\"")
        .with_message("Division by zero; use try_divide to get NULL instead.")
}

/// `ARITHMETIC_OVERFLOW`; `alternative` is a hint such as `try_add`, or empty.
pub fn overflow(message: impl Into<String>, alternative: &str) -> Error {
    let message = message.into();
    let alternative = if alternative.is_empty() {
        String::new()
    } else {
        format!(" Use '{alternative}' to tolerate overflow and return NULL instead.")
    };
    Error::arithmetic("ARITHMETIC_OVERFLOW")
        .param("message", &message)
        .param("alternative", &alternative)
        .param("config", "\"spark.sql.ansi.enabled\"")
        .with_message(message)
}

/// The Spark error inside a DataFusion error, if there is one.
pub fn spark_error(error: &DataFusionError) -> Option<Error> {
    match error {
        DataFusionError::External(inner) => inner
            .downcast_ref::<Error>()
            .cloned()
            .or_else(|| inner.downcast_ref::<DataFusionError>().and_then(spark_error))
            .or_else(|| inner.downcast_ref::<ArrowError>().and_then(arrow_condition)),
        DataFusionError::ArrowError(e, _) => arrow_condition(e),
        DataFusionError::ResourcesExhausted(why) => Some(out_of_memory(why)),
        DataFusionError::IoError(e) => full_disk(e),
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => spark_error(inner),
        DataFusionError::Shared(inner) => spark_error(inner),
        DataFusionError::Collection(all) => all.iter().find_map(spark_error),
        DataFusionError::ParquetError(e) => match e.as_ref() {
            datafusion::parquet::errors::ParquetError::External(inner) => inner.downcast_ref::<Error>().cloned(),
            _ => None,
        },
        _ => None,
    }
}

/// The Spark error for anything DataFusion reports; what Spark has no condition for is `INTERNAL_ERROR`.
pub fn from_datafusion(error: DataFusionError) -> Error {
    spark_error(&error).unwrap_or_else(|| Error::internal(error.strip_backtrace()))
}
