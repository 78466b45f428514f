//! Files that cannot be read: Spark's conditions for them, and the options that pass over them.

use std::any::Any;
use std::error::Error as StdError;
use std::panic::AssertUnwindSafe;

use arrow::array::RecordBatch;
use datafusion::common::{DataFusionError, Result as DfResult};
use futures::StreamExt;
use futures::stream::BoxStream;
use serde::{Deserialize, Serialize};
use spark::{Error, ErrorKind, Result};

use super::Options;

/// Which bad files a reader passes over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BadFiles {
    /// `ignoreCorruptFiles`: what a file yields before it breaks counts, the rest is passed over.
    pub ignore_corrupt: bool,
    /// `ignoreMissingFiles`: files that are gone since they were listed are passed over.
    pub ignore_missing: bool,
}

impl BadFiles {
    /// What the options say; `defaults` is what the session says.
    ///
    /// # Errors
    /// If a value is no Boolean.
    pub fn new(options: &Options, defaults: BadFiles) -> Result<Self> {
        Ok(BadFiles {
            ignore_corrupt: options.bool("ignoreCorruptFiles", defaults.ignore_corrupt)?,
            ignore_missing: options.bool("ignoreMissingFiles", defaults.ignore_missing)?,
        })
    }
}

/// One file, and what its failures are to become.
#[derive(Debug, Clone)]
pub struct Blame {
    /// The file as Spark prints it.
    pub path: String,
    pub policy: BadFiles,
}

impl Blame {
    /// What a reader makes of a failure: `None` where the file is passed over.
    pub fn judge(&self, error: DataFusionError) -> Option<DataFusionError> {
        // Of the whole query rather than of the file, or judged before: a malformed record makes no corrupt file.
        if !is_of_the_file(&error) || functions::error::spark_error(&error).is_some() {
            return Some(error);
        }
        let missing = is_missing(&error);
        let passed = if missing { self.policy.ignore_missing } else { self.policy.ignore_corrupt };
        if passed {
            tracing::warn!(path = self.path, %error, "passing over a file");
            return None;
        }
        Some(functions::error::external(match missing {
            true => gone(&self.path),
            false => unreadable(&self.path, &error.strip_backtrace()),
        }))
    }

    /// What becomes of a reader that panicked: that a file is corrupt is no reason for the server to break.
    pub fn panicked(&self, panic: &(dyn Any + Send)) -> Option<DataFusionError> {
        let why = functions::error::panic_text(panic).unwrap_or("its reader broke");
        self.judge(DataFusionError::Execution(why.to_string()))
    }

    /// The batches of a file with its failures judged.
    pub fn guard(self, stream: BoxStream<'static, DfResult<RecordBatch>>) -> BoxStream<'static, DfResult<RecordBatch>> {
        AssertUnwindSafe(stream)
            .catch_unwind()
            .map(move |item| match item {
                Ok(Ok(batch)) => Some(Ok(batch)),
                Ok(Err(error)) => self.judge(error).map(Err),
                Err(panic) => self.panicked(panic.as_ref()).map(Err),
            })
            .take_while(|item| std::future::ready(item.is_some()))
            .filter_map(std::future::ready)
            .boxed()
    }
}

/// `FAILED_READ_FILE.NO_HINT`.
pub fn unreadable(path: &str, why: &str) -> Error {
    Error::new(ErrorKind::Spark, "FAILED_READ_FILE.NO_HINT")
        .param("path", path)
        .with_message(format!("{path} cannot be read: {why}"))
}

/// `FAILED_READ_FILE.FILE_NOT_EXIST`.
fn gone(path: &str) -> Error {
    Error::new(ErrorKind::Spark, "FAILED_READ_FILE.FILE_NOT_EXIST")
        .param("path", path)
        .with_message(format!("{path} is gone since it was listed; refresh the table, or make the DataFrame anew."))
}

/// `FAILED_READ_FILE.CANNOT_READ_FILE_FOOTER`.
pub fn bad_footer(path: &str, why: &str) -> Error {
    // Spark reads footers by way of another library, which prints paths with one slash.
    let path = path.replacen("file:///", "file:/", 1);
    Error::new(ErrorKind::Spark, "FAILED_READ_FILE.CANNOT_READ_FILE_FOOTER")
        .param("path", &path)
        .with_message(format!("The footer of {path} cannot be read: {why}"))
}

/// Whether a failure says something of the bytes that were read.
fn is_of_the_file(error: &DataFusionError) -> bool {
    match error {
        DataFusionError::ParquetError(_)
        | DataFusionError::ArrowError(..)
        | DataFusionError::ObjectStore(_)
        | DataFusionError::IoError(_)
        | DataFusionError::External(_)
        | DataFusionError::Execution(_) => true,
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => is_of_the_file(inner),
        DataFusionError::Shared(inner) => is_of_the_file(inner),
        _ => false,
    }
}

/// Whether anything behind an error says that there is no such file.
fn is_missing(error: &DataFusionError) -> bool {
    let mut next: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(object_store::Error::NotFound { .. }) = error.downcast_ref() {
            return true;
        }
        if error.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == std::io::ErrorKind::NotFound) {
            return true;
        }
        next = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::RecordBatchOptions;
    use arrow::datatypes::Schema;
    use futures::{FutureExt, stream};
    use std::sync::Arc;

    fn batch() -> DfResult<RecordBatch> {
        let options = RecordBatchOptions::new().with_row_count(Some(1));
        Ok(RecordBatch::try_new_with_options(Arc::new(Schema::empty()), vec![], &options)?)
    }

    fn io(kind: std::io::ErrorKind) -> DataFusionError {
        DataFusionError::IoError(std::io::Error::new(kind, "x"))
    }

    /// Rows before the failure, and its condition.
    fn outcome(policy: BadFiles, fail: impl Fn() -> DfResult<RecordBatch> + Send + 'static) -> (usize, String) {
        let blame = Blame { path: "file:///f".into(), policy };
        let items = stream::iter(0..3).map(move |i| if i == 1 { fail() } else { batch() }).boxed();
        let all: Vec<_> = blame.guard(items).collect().now_or_never().unwrap();
        let rows = all.iter().flatten().count();
        let condition = all.into_iter().find_map(|item| item.err()).map(functions::error::from_datafusion);
        (rows, condition.map(|e| e.condition().to_string()).unwrap_or_default())
    }

    #[test]
    fn failures_are_judged() {
        let strict = BadFiles::default();
        let corrupt = BadFiles { ignore_corrupt: true, ignore_missing: false };
        let missing = BadFiles { ignore_corrupt: false, ignore_missing: true };
        let eof = || Err(io(std::io::ErrorKind::UnexpectedEof));
        let none = || Err(io(std::io::ErrorKind::NotFound));
        assert_eq!(outcome(strict, eof), (2, "FAILED_READ_FILE.NO_HINT".into()));
        assert_eq!(outcome(strict, none), (2, "FAILED_READ_FILE.FILE_NOT_EXIST".into()));
        assert_eq!(outcome(strict, || panic!("broken")), (1, "FAILED_READ_FILE.NO_HINT".into()));
        assert_eq!(outcome(corrupt, eof), (1, String::new()));
        assert_eq!(outcome(corrupt, || panic!("broken")), (1, String::new()));
        assert_eq!(outcome(corrupt, none), (2, "FAILED_READ_FILE.FILE_NOT_EXIST".into()));
        assert_eq!(outcome(missing, none), (1, String::new()));
        assert_eq!(outcome(missing, eof), (2, "FAILED_READ_FILE.NO_HINT".into()));
        let other = || Err(functions::error::external(Error::arithmetic("DIVIDE_BY_ZERO")));
        assert_eq!(outcome(corrupt, other), (2, "DIVIDE_BY_ZERO".into()));
        let memory = || Err(DataFusionError::ResourcesExhausted("x".into()));
        assert_eq!(outcome(corrupt, memory).0, 2);
    }
}
