//! Errors as data: Spark's condition name, SQLSTATE, message parameters and query context.
//!
//! The message text is made here, in our own words, from the condition and its parameters; clients
//! branch on the condition, never on the text.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, LazyLock};

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::origin::Origin;

/// The result of anything that may fail as Spark does.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Which of Spark's exception families an error belongs to; clients pick their exception class by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ErrorKind {
    /// The text does not parse (`ParseException`).
    Parse,
    /// The query is wrong (`AnalysisException`).
    Analysis,
    /// A name that does not exist: table, view, namespace (`AnalysisException` family).
    NoSuchObject,
    /// A name that exists already.
    AlreadyExists,
    /// Overflow, division by zero (`ArithmeticException`).
    Arithmetic,
    /// `ArrayIndexOutOfBoundsException`.
    ArrayIndex,
    /// A date or time that does not exist or does not parse (`DateTimeException`).
    DateTime,
    /// A number that does not parse (`NumberFormatException`).
    NumberFormat,
    /// A wrong argument (`IllegalArgumentException`).
    IllegalArgument,
    /// A value that a format has no form for (`IllegalFormatConversionException`).
    FormatConversion,
    /// A format that asks for more values than there are (`MissingFormatArgumentException`).
    FormatArgument,
    /// A format that is none (`UnknownFormatConversionException`).
    FormatUnknown,
    /// A format whose flags are given twice (`DuplicateFormatFlagsException`).
    FormatDuplicate,
    /// A format whose flags exclude each other (`IllegalFormatFlagsException`).
    FormatFlags,
    /// A format with a flag that its values do not have (`FormatFlagsConversionMismatchException`).
    FormatMismatch,
    /// A format that is to be padded to no width (`MissingFormatWidthException`).
    FormatWidth,
    /// A format with a precision that its values do not have (`IllegalFormatPrecisionException`).
    FormatPrecision,
    /// A format of a character that is none (`IllegalFormatCodePointException`).
    FormatCodePoint,
    /// A failure of Java's own without a more telling class (`RuntimeException`).
    Java,
    /// `NoSuchElementException`.
    NoSuchElement,
    /// An operation Spark or this server does not offer (`UnsupportedOperationException`).
    Unsupported,
    /// Fails while running (`SparkRuntimeException`).
    Runtime,
    /// Behaviour that changed between versions (`SparkUpgradeException`).
    Upgrade,
    /// The SQL-specific execution failures (`SparkException`).
    Spark,
    /// A malformed plan message (`InvalidPlanInput`).
    InvalidPlan,
    /// A session or operation handle that is not valid here (`SparkSQLException`).
    Handle,
    /// A failure of the server itself.
    Internal,
}

/// An error as Spark reports it.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Error(Box<ErrorData>);

/// The parts of an [`Error`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ErrorData {
    pub kind: ErrorKind,
    /// Condition with its sub-condition, e.g. `UNRESOLVED_COLUMN.WITH_SUGGESTION`.
    pub condition: String,
    pub sql_state: Option<String>,
    /// In the order in which they were given.
    pub parameters: IndexMap<String, String>,
    pub contexts: Vec<QueryContext>,
    /// One sentence for people; without the condition and the SQLSTATE.
    pub message: String,
    /// True if Spark names no place in the query for it, wherever it arises.
    #[serde(default)]
    pub unplaced: bool,
}

/// Conditions that Spark places at an operator although an expression is to blame.
const OPERATOR_PLACED: &[&str] = &["WINDOW_FUNCTION_WITHOUT_OVER_CLAUSE"];

/// Conditions that Spark raises without a place in the query.
const UNPLACED: &[&str] = &[
    "AMBIGUOUS_LATERAL_COLUMN_ALIAS",
    "CANNOT_MERGE_INCOMPATIBLE_DATA_TYPE",
    "AMBIGUOUS_ALIAS_IN_NESTED_CTE",
    "INVALID_RECURSIVE_CTE",
    "INVALID_RECURSIVE_REFERENCE.PLACE",
    "MISSING_AGGREGATION",
    "MISSING_WINDOW_SPECIFICATION",
    "STAR_GROUP_BY_POS",
    "UNPIVOT_VALUE_DATA_TYPE_MISMATCH",
    "UNRESOLVED_USING_COLUMN_FOR_JOIN",
    "WINDOW_FUNCTION_FRAME_NOT_ORDERED",
    "WINDOW_FUNCTION_NOT_ALLOWED_IN_CLAUSE",
    "_LEGACY_ERROR_TEMP_1031",
    "_LEGACY_ERROR_TEMP_1035",
    "_LEGACY_ERROR_TEMP_1047",
    "_LEGACY_ERROR_TEMP_1048",
    "INVALID_IDENTIFIER",
    "INVALID_USAGE_OF_STAR_WITH_TABLE_IDENTIFIER_IN_COUNT",
    "UNSUPPORTED_FEATURE.LATERAL_COLUMN_ALIAS_IN_AGGREGATE_FUNC",
    "UNSUPPORTED_FEATURE.LATERAL_COLUMN_ALIAS_IN_GROUP_BY",
    "UNSUPPORTED_FEATURE.LATERAL_COLUMN_ALIAS_IN_WINDOW",
    "_LEGACY_ERROR_TEMP_1036",
];

/// Where in the query an error arose.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QueryContext {
    pub is_dataframe: bool,
    pub object_type: String,
    pub object_name: String,
    /// Zero-based, inclusive.
    pub start_index: i32,
    pub stop_index: i32,
    pub line: i32,
    pub start_position: i32,
    pub fragment: String,
    pub call_site: String,
    /// The place for people: the lines of the text with the span underlined, or the call.
    #[serde(default)]
    pub summary: String,
}

impl From<&Origin> for QueryContext {
    fn from(origin: &Origin) -> Self {
        match origin {
            Origin::Sql(sql) => QueryContext {
                is_dataframe: false,
                object_type: sql.object_type.to_string(),
                object_name: sql.object_name.to_string(),
                start_index: sql.start as i32,
                stop_index: sql.stop as i32,
                line: sql.line as i32,
                start_position: sql.column as i32,
                fragment: sql.fragment(),
                call_site: String::new(),
                summary: sql.summary(),
            },
            Origin::DataFrame { fragment, call_site } => QueryContext {
                is_dataframe: true,
                object_type: String::new(),
                object_name: String::new(),
                start_index: -1,
                stop_index: -1,
                line: -1,
                start_position: -1,
                fragment: fragment.clone(),
                call_site: call_site.clone(),
                summary: format!("== DataFrame ==\n\"{fragment}\" was called from\n{call_site}\n"),
            },
        }
    }
}

impl Error {
    /// An error of `kind` with Spark's condition name; the SQLSTATE follows from the condition.
    pub fn new(kind: ErrorKind, condition: impl Into<String>) -> Self {
        let condition = condition.into();
        Error(Box::new(ErrorData {
            kind,
            sql_state: sql_state(&condition).map(str::to_string),
            unplaced: UNPLACED.contains(&condition.as_str()),
            condition,
            parameters: IndexMap::new(),
            contexts: Vec::new(),
            message: String::new(),
        }))
    }

    /// An `AnalysisException`.
    pub fn analysis(condition: impl Into<String>) -> Self {
        Error::new(ErrorKind::Analysis, condition)
    }

    /// A `ParseException`.
    pub fn parse(condition: impl Into<String>) -> Self {
        Error::new(ErrorKind::Parse, condition)
    }

    /// An `ArithmeticException`.
    pub fn arithmetic(condition: impl Into<String>) -> Self {
        Error::new(ErrorKind::Arithmetic, condition)
    }

    /// A `SparkRuntimeException`.
    pub fn runtime(condition: impl Into<String>) -> Self {
        Error::new(ErrorKind::Runtime, condition)
    }

    /// A failure of this server that no user caused.
    pub fn internal(message: impl Into<String>) -> Self {
        let message = message.into();
        Error::new(ErrorKind::Internal, "INTERNAL_ERROR").param("message", &message).with_message(message)
    }

    /// Something Spark has and this server does not (yet), by name.
    pub fn unsupported(what: impl Into<String>) -> Self {
        let what = what.into();
        Error::new(ErrorKind::Unsupported, "UNSUPPORTED_CALL.WITHOUT_SUGGESTION")
            .param("className", "Firesteel")
            .param("methodName", &what)
            .with_message(format!("{what} is not supported by this server"))
    }

    /// Adds a message parameter.
    pub fn param(mut self, name: &str, value: impl Into<String>) -> Self {
        self.0.parameters.insert(name.to_string(), shortened(value.into()));
        self
    }

    /// Sets the sentence for people.
    pub fn with_message(mut self, message: impl Into<String>) -> Self {
        self.0.message = shortened(message.into());
        self
    }

    /// Sets the SQLSTATE where it is not the one of the condition's table entry.
    pub fn with_sql_state(mut self, state: &str) -> Self {
        self.0.sql_state = Some(state.to_string());
        self
    }

    /// Adds the position, unless there is one already: the innermost position wins.
    pub fn at(mut self, origin: Option<&Arc<Origin>>) -> Self {
        if self.0.contexts.is_empty()
            && !self.0.unplaced
            && let Some(origin) = origin
        {
            self.0.contexts.push(QueryContext::from(&**origin));
        }
        self
    }

    /// Adds a context, unless there is one already.
    pub fn or_context(mut self, context: &QueryContext) -> Self {
        if self.0.contexts.is_empty() && !self.0.unplaced {
            self.0.contexts.push(context.clone());
        }
        self
    }

    /// Adds the place of the operator in which the error arose; some conditions have it instead of that
    /// of the expression.
    pub fn at_operator(self, origin: Option<&Arc<Origin>>) -> Self {
        if origin.is_none() || !OPERATOR_PLACED.contains(&self.0.condition.as_str()) || self.0.unplaced {
            return self.at(origin);
        }
        let mut error = self;
        error.0.contexts.clear();
        error = error.at(origin);
        // The operators around it are not asked.
        error.0.unplaced = true;
        error
    }

    /// The error without a place, also for those who would add one.
    pub fn nowhere(mut self) -> Self {
        self.0.contexts.clear();
        self.0.unplaced = true;
        self
    }

    /// The same error as another kind.
    pub fn with_kind(mut self, kind: ErrorKind) -> Self {
        self.0.kind = kind;
        self
    }

    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    pub fn condition(&self) -> &str {
        &self.0.condition
    }

    /// All the parts.
    pub fn data(&self) -> &ErrorData {
        &self.0
    }

    /// `[CONDITION] sentence SQLSTATE: xxxxx`.
    pub fn text(&self) -> String {
        let data = &self.0;
        // Conditions that Spark never named: their errors show neither name nor state.
        if data.condition.is_empty() || data.condition.starts_with("_LEGACY_ERROR") {
            return self.sentence();
        }
        let state = data.sql_state.as_ref().map(|s| format!(" SQLSTATE: {s}")).unwrap_or_default();
        format!("[{}] {}{state}", data.condition, self.sentence())
    }

    fn sentence(&self) -> String {
        if !self.0.message.is_empty() {
            return self.0.message.clone();
        }
        let words = self.0.condition.replace(['_', '.'], " ").to_lowercase();
        let params: Vec<String> = self.0.parameters.iter().map(|(k, v)| format!("{k}={v}")).collect();
        if params.is_empty() { format!("{words}.") } else { format!("{words}: {}.", params.join(", ")) }
    }
}

/// Longer parameters and messages are cut: errors are kept for those who ask for their details.
const MAX_TEXT: usize = 64 << 10;

fn shortened(mut text: String) -> String {
    if text.len() > MAX_TEXT {
        text.truncate(text.floor_char_boundary(MAX_TEXT - 3));
        text.push_str("...");
        text.shrink_to_fit();
    }
    text
}

/// Spark's published table: conditions, with their SQLSTATE and the names of their parameters.
static TABLE: LazyLock<HashMap<&'static str, (&'static str, &'static str)>> = LazyLock::new(|| {
    include_str!("../error-conditions.tsv")
        .lines()
        .skip(1)
        .filter_map(|line| {
            let mut parts = line.split('\t');
            Some((parts.next()?, (parts.next()?, parts.next().unwrap_or_default())))
        })
        .collect()
});

/// The SQLSTATE of a condition, from Spark's published table.
pub fn sql_state(condition: &str) -> Option<&'static str> {
    let main = condition.split('.').next().unwrap_or(condition);
    [condition, main].into_iter().filter_map(|c| TABLE.get(c)).map(|(state, _)| *state).find(|s| !s.is_empty())
}

/// The names of a condition's parameters, from Spark's published table. Clients on the JVM write the message
/// themselves from these, and fail if one is missing.
pub fn parameter_names(condition: &str) -> impl Iterator<Item = &'static str> {
    let names = TABLE.get(condition).map(|(_, names)| *names).unwrap_or_default();
    names.split(',').filter(|name| !name.is_empty())
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sql_states_come_from_the_table() {
        for (condition, state) in [
            ("DIVIDE_BY_ZERO", "22012"),
            ("UNRESOLVED_COLUMN.WITH_SUGGESTION", "42703"),
            ("PARSE_SYNTAX_ERROR", "42601"),
        ] {
            assert_eq!(sql_state(condition), Some(state), "{condition}");
        }
        assert_eq!(sql_state("NO_SUCH_CONDITION"), None);
    }
}
