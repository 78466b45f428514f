//! Errors: gRPC status with `ErrorInfo`, and the answer of `FetchErrorDetails`.
//!
//! Clients choose their exception by the list of Java classes, so every kind of error has one.

use std::collections::HashMap;

use prost::Message;
use proto::spark_connect as pb;
use proto::spark_connect::fetch_error_details_response as details;
use spark::error::QueryContext;
use spark::{Error, ErrorKind};
use tonic::{Code, Status};

/// What a call can fail with: an error of Spark's, or one that Spark never gave a condition.
#[derive(Debug, Clone, PartialEq)]
pub enum Failure {
    Spark(Box<Error>),
    IllegalArgument(String),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Spark(Box::new(error))
    }
}

/// Above Java's exceptions for formats.
const FORMAT: &str = "java.util.IllegalFormatException";
const ARGUMENT: &str = "java.lang.IllegalArgumentException";

/// Metadata values longer than this are cut or left out; the details have them whole.
const MAX_METADATA: usize = 1024;

/// The status message is abbreviated to this.
const MAX_STATUS_MESSAGE: usize = 2048;

const DOMAIN: &str = "org.apache.spark";

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, Message)]
pub struct RpcStatus {
    #[prost(int32, tag = "1")]
    pub code: i32,
    #[prost(string, tag = "2")]
    pub message: String,
    #[prost(message, repeated, tag = "3")]
    pub details: Vec<prost_types::Any>,
}

/// `google.rpc.ErrorInfo`.
#[derive(Clone, PartialEq, Message)]
pub struct ErrorInfo {
    #[prost(string, tag = "1")]
    pub reason: String,
    #[prost(string, tag = "2")]
    pub domain: String,
    #[prost(map = "string, string", tag = "3")]
    pub metadata: HashMap<String, String>,
}

impl Failure {
    /// The Java classes of the exception, most specific first.
    pub fn classes(&self) -> Vec<&'static str> {
        match self {
            Failure::Spark(error) => classes(error),
            Failure::IllegalArgument(_) => {
                vec!["java.lang.IllegalArgumentException", RUNTIME, EXCEPTION, THROWABLE, OBJECT]
            }
        }
    }

    /// About how many bytes it holds.
    pub fn size(&self) -> usize {
        match self {
            Failure::IllegalArgument(text) => text.len(),
            Failure::Spark(error) => {
                let data = error.data();
                let parameters: usize = data.parameters.iter().map(|(k, v)| k.len() + v.len()).sum();
                let contexts: usize = data.contexts.iter().map(|c| c.fragment.len() + c.summary.len()).sum();
                data.message.len() + parameters + contexts + size_of::<spark::error::ErrorData>()
            }
        }
    }

    /// The whole message.
    pub fn message(&self) -> String {
        match self {
            Failure::Spark(error) => message(error),
            Failure::IllegalArgument(text) => text.clone(),
        }
    }

    /// The gRPC status; `error_id` lets the client ask for more.
    pub fn status(&self, error_id: Option<&str>) -> Status {
        let classes = self.classes();
        let mut metadata = HashMap::new();
        let mut put = |key: &str, value: String| {
            if value.len() <= MAX_METADATA {
                metadata.insert(key.to_string(), value);
            }
        };
        put("classes", serde_json::json!(classes).to_string());
        if let Some(id) = error_id {
            put("errorId", id.to_string());
        }
        if let Failure::Spark(error) = self {
            let data = error.data();
            if !data.condition.is_empty() {
                put("errorClass", data.condition.clone());
            }
            put("messageParameters", serde_json::json!(parameters(data)).to_string());
            if let Some(state) = &data.sql_state {
                put("sqlState", state.clone());
            }
        }
        let reason = classes.first().copied().unwrap_or(OBJECT).to_string();
        let info = ErrorInfo { reason, domain: DOMAIN.into(), metadata };
        let message = abbreviate(&self.message(), MAX_STATUS_MESSAGE);
        let status = RpcStatus {
            code: Code::Internal as i32,
            message: message.clone(),
            details: vec![prost_types::Any {
                type_url: "type.googleapis.com/google.rpc.ErrorInfo".into(),
                value: info.encode_to_vec(),
            }],
        };
        Status::with_details(Code::Internal, message, status.encode_to_vec().into())
    }

    /// One entry of `FetchErrorDetailsResponse`, which is also how observed metrics carry errors.
    pub fn details(&self) -> details::Error {
        details::Error {
            error_type_hierarchy: self.classes().into_iter().map(str::to_string).collect(),
            message: self.message(),
            stack_trace: Vec::new(),
            cause_idx: None,
            spark_throwable: match self {
                Failure::Spark(error) => Some(throwable(error)),
                Failure::IllegalArgument(_) => None,
            },
        }
    }
}

fn throwable(error: &Error) -> details::SparkThrowable {
    let data = error.data();
    details::SparkThrowable {
        error_class: (!data.condition.is_empty()).then(|| data.condition.clone()),
        message_parameters: parameters(data),
        query_contexts: if is_placed_nowhere(data) {
            vec![context(&nowhere())]
        } else {
            data.contexts.iter().map(context).collect()
        },
        sql_state: data.sql_state.clone(),
        breaking_change_info: None,
    }
}

/// The parameters; those the condition has and we know nothing of are empty rather than missing, for clients
/// that fill them into a text of their own.
fn parameters(data: &spark::error::ErrorData) -> HashMap<String, String> {
    let known = data.parameters.iter().map(|(k, v)| (k.clone(), v.clone()));
    let named = spark::error::parameter_names(&data.condition).map(|name| (name.to_string(), String::new()));
    named.chain(known).collect()
}

/// Whether an expression that no text and no call of the client stands for failed over a value: a cast that
/// was put around the argument of a function, say. Spark sends a place for those too, with nothing in it.
fn is_placed_nowhere(data: &spark::error::ErrorData) -> bool {
    const OF_VALUES: &[&str] = &[
        "CAST_INVALID_INPUT",
        "DIVIDE_BY_ZERO",
        "INVALID_ARRAY_INDEX",
        "INVALID_ARRAY_INDEX_IN_ELEMENT_AT",
        "INVALID_INDEX_OF_ZERO",
        "SCALAR_SUBQUERY_TOO_MANY_ROWS",
    ];
    data.contexts.is_empty() && !data.unplaced && OF_VALUES.contains(&data.condition.as_str())
}

/// A place in a text that is not known.
fn nowhere() -> QueryContext {
    QueryContext {
        is_dataframe: false,
        object_type: String::new(),
        object_name: String::new(),
        start_index: -1,
        stop_index: -1,
        line: -1,
        start_position: -1,
        fragment: String::new(),
        call_site: String::new(),
        summary: String::new(),
    }
}

fn context(c: &QueryContext) -> details::QueryContext {
    use proto::spark_connect::fetch_error_details_response::query_context::ContextType;
    let context_type = if c.is_dataframe { ContextType::Dataframe } else { ContextType::Sql };
    details::QueryContext {
        context_type: context_type as i32,
        object_type: c.object_type.clone(),
        object_name: c.object_name.clone(),
        start_index: if c.is_dataframe { 0 } else { c.start_index },
        stop_index: if c.is_dataframe { 0 } else { c.stop_index },
        fragment: c.fragment.clone(),
        call_site: c.call_site.clone(),
        summary: c.summary.clone(),
    }
}

/// The answer to `FetchErrorDetails`.
pub fn fetch_response(
    session_id: &str,
    server_side_session_id: &str,
    failure: Option<&Failure>,
) -> pb::FetchErrorDetailsResponse {
    pb::FetchErrorDetailsResponse {
        server_side_session_id: server_side_session_id.to_string(),
        session_id: session_id.to_string(),
        root_error_idx: failure.map(|_| 0),
        errors: failure.map(Failure::details).into_iter().collect(),
    }
}

/// The text of an error as Spark lays it out for its kind: parse errors begin on a new line,
/// analysis errors end with their position, runtime errors show the place underlined.
fn message(error: &Error) -> String {
    let text = error.text();
    let context = error.data().contexts.first();
    match error.kind() {
        ErrorKind::Parse => match context {
            Some(c) if !c.summary.is_empty() => {
                format!("\n{text} (line {}, pos {})\n\n{}", c.line, c.start_position, c.summary)
            }
            _ => format!("\n{text}\n"),
        },
        ErrorKind::Analysis | ErrorKind::NoSuchObject | ErrorKind::AlreadyExists => match context {
            Some(c) if !c.is_dataframe => format!("{text}; line {} pos {}", c.line, c.start_position),
            _ => text,
        },
        _ => match context {
            Some(c) if !c.summary.is_empty() => format!("{text}\n{}", c.summary),
            _ => text,
        },
    }
}

const RUNTIME: &str = "java.lang.RuntimeException";
const EXCEPTION: &str = "java.lang.Exception";
const THROWABLE: &str = "java.lang.Throwable";
const OBJECT: &str = "java.lang.Object";
const ANALYSIS: &str = "org.apache.spark.sql.AnalysisException";

/// Conditions that Spark raises with the failing plan attached.
const WITH_PLAN: [&str; 6] = [
    "UNRESOLVED_COLUMN",
    "TABLE_OR_VIEW_NOT_FOUND",
    "DATATYPE_MISMATCH",
    "MISSING_AGGREGATION",
    "UNRESOLVED_USING_COLUMN_FOR_JOIN",
    "UNSUPPORTED_SUBQUERY_EXPRESSION_CATEGORY",
];

fn classes(error: &Error) -> Vec<&'static str> {
    let specific: &[&'static str] = match error.kind() {
        ErrorKind::Parse => &["org.apache.spark.sql.catalyst.parser.ParseException", ANALYSIS],
        ErrorKind::Analysis | ErrorKind::NoSuchObject if with_plan(error) => {
            &["org.apache.spark.sql.catalyst.ExtendedAnalysisException", ANALYSIS]
        }
        ErrorKind::Analysis => &[ANALYSIS],
        ErrorKind::NoSuchObject => no_such_object(error.condition()),
        ErrorKind::AlreadyExists => already_exists(error.condition()),
        ErrorKind::Arithmetic => {
            &["org.apache.spark.SparkArithmeticException", "java.lang.ArithmeticException", RUNTIME]
        }
        ErrorKind::ArrayIndex => &[
            "org.apache.spark.SparkArrayIndexOutOfBoundsException",
            "java.lang.ArrayIndexOutOfBoundsException",
            "java.lang.IndexOutOfBoundsException",
            RUNTIME,
        ],
        ErrorKind::DateTime => &["org.apache.spark.SparkDateTimeException", "java.time.DateTimeException", RUNTIME],
        ErrorKind::NumberFormat => &[
            "org.apache.spark.SparkNumberFormatException",
            "java.lang.NumberFormatException",
            "java.lang.IllegalArgumentException",
            RUNTIME,
        ],
        ErrorKind::IllegalArgument => {
            &["org.apache.spark.SparkIllegalArgumentException", "java.lang.IllegalArgumentException", RUNTIME]
        }
        ErrorKind::FormatConversion => &["java.util.IllegalFormatConversionException", FORMAT, ARGUMENT, RUNTIME],
        ErrorKind::FormatArgument => &["java.util.MissingFormatArgumentException", FORMAT, ARGUMENT, RUNTIME],
        ErrorKind::FormatUnknown => &["java.util.UnknownFormatConversionException", FORMAT, ARGUMENT, RUNTIME],
        ErrorKind::FormatDuplicate => &["java.util.DuplicateFormatFlagsException", FORMAT, ARGUMENT, RUNTIME],
        ErrorKind::FormatFlags => &["java.util.IllegalFormatFlagsException", FORMAT, ARGUMENT, RUNTIME],
        ErrorKind::FormatMismatch => &["java.util.FormatFlagsConversionMismatchException", FORMAT, ARGUMENT, RUNTIME],
        ErrorKind::FormatWidth => &["java.util.MissingFormatWidthException", FORMAT, ARGUMENT, RUNTIME],
        ErrorKind::FormatPrecision => &["java.util.IllegalFormatPrecisionException", FORMAT, ARGUMENT, RUNTIME],
        ErrorKind::FormatCodePoint => &["java.util.IllegalFormatCodePointException", FORMAT, ARGUMENT, RUNTIME],
        ErrorKind::Java => &[RUNTIME],
        ErrorKind::NoSuchElement => {
            &["org.apache.spark.SparkNoSuchElementException", "java.util.NoSuchElementException", RUNTIME]
        }
        ErrorKind::Unsupported => {
            &["org.apache.spark.SparkUnsupportedOperationException", "java.lang.UnsupportedOperationException", RUNTIME]
        }
        ErrorKind::Runtime => &["org.apache.spark.SparkRuntimeException", RUNTIME],
        ErrorKind::Upgrade => &["org.apache.spark.SparkUpgradeException", RUNTIME],
        ErrorKind::Spark | ErrorKind::Internal => &["org.apache.spark.SparkException"],
        ErrorKind::InvalidPlan => &["org.apache.spark.sql.connect.common.InvalidPlanInput"],
        ErrorKind::Handle => &["org.apache.spark.SparkSQLException", "java.sql.SQLException"],
    };
    // An error without a condition is Java's own: Spark's class beside it always has one.
    let own = error.condition().is_empty()
        && specific.first().is_some_and(|class| class.starts_with("org."))
        && specific.get(1).is_some_and(|twin| twin.starts_with("java.") && *twin != RUNTIME);
    let specific = if own { &specific[1..] } else { specific };
    specific.iter().copied().chain([EXCEPTION, THROWABLE, OBJECT]).collect()
}

fn with_plan(error: &Error) -> bool {
    let main = error.condition().split('.').next().unwrap_or_default();
    WITH_PLAN.contains(&main)
}

fn no_such_object(condition: &str) -> &'static [&'static str] {
    match condition {
        "DATA_SOURCE_NOT_FOUND" => &[
            "org.apache.spark.SparkClassNotFoundException",
            "java.lang.ClassNotFoundException",
            "java.lang.ReflectiveOperationException",
        ],
        "SCHEMA_NOT_FOUND" => &["org.apache.spark.sql.catalyst.analysis.NoSuchNamespaceException", ANALYSIS],
        "ROUTINE_NOT_FOUND" => &["org.apache.spark.sql.catalyst.analysis.NoSuchFunctionException", ANALYSIS],
        _ => &[ANALYSIS],
    }
}

fn already_exists(condition: &str) -> &'static [&'static str] {
    match condition {
        "SCHEMA_ALREADY_EXISTS" => {
            &["org.apache.spark.sql.catalyst.analysis.NamespaceAlreadyExistsException", ANALYSIS]
        }
        "TABLE_OR_VIEW_ALREADY_EXISTS" => {
            &["org.apache.spark.sql.catalyst.analysis.TableAlreadyExistsException", ANALYSIS]
        }
        "TEMP_TABLE_OR_VIEW_ALREADY_EXISTS" => {
            &["org.apache.spark.sql.catalyst.analysis.TempTableAlreadyExistsException", ANALYSIS]
        }
        _ => &[ANALYSIS],
    }
}

fn abbreviate(text: &str, max: usize) -> String {
    if text.len() <= max {
        return text.to_string();
    }
    let mut end = max - 3;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}...", &text[..end])
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use spark::{Origin, SqlOrigin};

    use super::*;

    fn info(status: &Status) -> ErrorInfo {
        RpcStatus::decode(status.details())
            .ok()
            .and_then(|s| s.details.into_iter().next())
            .and_then(|any| ErrorInfo::decode(any.value.as_slice()).ok())
            .unwrap_or_default()
    }

    fn positioned(error: Error) -> Error {
        let origin = Origin::Sql(SqlOrigin {
            text: "select 1/0".into(),
            start: 7,
            stop: 9,
            line: 1,
            column: 7,
            object_type: "".into(),
            object_name: "".into(),
        });
        error.at(Some(&Arc::new(origin)))
    }

    #[test]
    fn the_status_carries_classes_condition_and_parameters() {
        let error = Error::arithmetic("DIVIDE_BY_ZERO").param("config", "\"spark.sql.ansi.enabled\"");
        let status = Failure::from(error).status(Some("42"));
        assert_eq!(status.code(), Code::Internal);
        let info = info(&status);
        assert_eq!(info.reason, "org.apache.spark.SparkArithmeticException");
        assert_eq!(info.domain, "org.apache.spark");
        for (key, value) in [
            ("errorClass", "DIVIDE_BY_ZERO"),
            ("sqlState", "22012"),
            ("errorId", "42"),
            ("messageParameters", r#"{"config":"\"spark.sql.ansi.enabled\""}"#),
        ] {
            assert_eq!(info.metadata.get(key).map(String::as_str), Some(value), "{key}");
        }
        assert!(
            info.metadata["classes"]
                .starts_with(r#"["org.apache.spark.SparkArithmeticException","java.lang.ArithmeticException""#)
        );
    }

    #[test]
    fn an_error_without_a_condition_is_of_javas_own_class() {
        assert_eq!(classes(&Error::arithmetic(""))[0], "java.lang.ArithmeticException");
        assert_eq!(classes(&Error::runtime(""))[0], "org.apache.spark.SparkRuntimeException");
    }

    #[test]
    fn long_values_stay_out_of_the_metadata() {
        let error = Error::analysis("UNRESOLVED_COLUMN.WITH_SUGGESTION").param("proposal", "x".repeat(5000));
        let failure = Failure::from(error.with_message("m".repeat(5000)));
        let status = failure.status(None);
        assert!(!info(&status).metadata.contains_key("messageParameters"));
        assert_eq!(status.message().len(), MAX_STATUS_MESSAGE);
        let full = failure.details();
        assert_eq!(full.spark_throwable.map(|t| t.message_parameters["proposal"].len()), Some(5000));
    }

    #[test]
    fn messages_are_laid_out_by_kind() {
        for (error, suffix) in [
            (
                positioned(Error::arithmetic("DIVIDE_BY_ZERO")),
                "\n== SQL (line 1, position 8) ==\nselect 1/0\n       ^^^\n",
            ),
            (positioned(Error::analysis("UNRESOLVED_ROUTINE")), "; line 1 pos 7"),
        ] {
            let text = Failure::from(error).message();
            assert!(text.ends_with(suffix), "{text}");
        }
        assert!(Failure::from(Error::parse("PARSE_SYNTAX_ERROR")).message().starts_with("\n[PARSE_SYNTAX_ERROR]"));
    }

    #[test]
    fn every_kind_ends_in_object() {
        for kind in [
            ErrorKind::Parse,
            ErrorKind::Analysis,
            ErrorKind::NoSuchObject,
            ErrorKind::AlreadyExists,
            ErrorKind::ArrayIndex,
            ErrorKind::DateTime,
            ErrorKind::NumberFormat,
            ErrorKind::IllegalArgument,
            ErrorKind::FormatConversion,
            ErrorKind::FormatArgument,
            ErrorKind::FormatUnknown,
            ErrorKind::FormatDuplicate,
            ErrorKind::FormatFlags,
            ErrorKind::FormatMismatch,
            ErrorKind::FormatWidth,
            ErrorKind::FormatPrecision,
            ErrorKind::FormatCodePoint,
            ErrorKind::Java,
            ErrorKind::NoSuchElement,
            ErrorKind::Unsupported,
            ErrorKind::Runtime,
            ErrorKind::Upgrade,
            ErrorKind::Spark,
            ErrorKind::InvalidPlan,
            ErrorKind::Handle,
            ErrorKind::Internal,
        ] {
            let classes = Failure::from(Error::new(kind, "X")).classes();
            assert_eq!(&classes[classes.len() - 3..], [EXCEPTION, THROWABLE, OBJECT], "{kind:?}");
        }
    }
}
