//! Errors of the parser, in our own words.

use spark::Error;
use spark::types::quote_identifier;

/// A token as Spark shows it in errors.
pub fn token_text(text: &str) -> String {
    let shown = text.replace('\n', "\\n").replace('\t', "\\t").replace('\r', "\\r");
    format!("'{shown}'")
}

/// The condition of every error of syntax.
pub const SYNTAX_ERROR: &str = "PARSE_SYNTAX_ERROR";

/// A syntax error at a token.
pub fn syntax(shown: &str, hint: &str, line: u32, column: u32) -> Error {
    Error::parse(SYNTAX_ERROR)
        .param("error", shown)
        .param("hint", hint)
        .with_message(format!("The text cannot be read from {shown} on{hint} (line {line}, pos {column})"))
}

/// Nothing but blanks.
pub fn empty_statement() -> Error {
    Error::parse("PARSE_EMPTY_STATEMENT").with_message("The statement is empty")
}

/// Nested deeper than the parser goes.
pub fn too_complex() -> Error {
    Error::parse("FAILED_TO_PARSE_TOO_COMPLEX")
        .with_message("The statement nests too deep to be read; split it into simpler parts")
}

/// A name that needs back-ticks.
pub fn invalid_identifier(name: &str) -> Error {
    Error::parse("INVALID_IDENTIFIER")
        .param("ident", name)
        .with_message(format!("{name} is no plain name; put it in back-ticks: {}", quote_identifier(name)))
}

/// A typed literal whose text does not read as its type.
pub fn invalid_typed_literal(value_type: &str, shown: &str) -> Error {
    Error::parse("INVALID_TYPED_LITERAL")
        .param("valueType", format!("\"{}\"", value_type.to_uppercase()))
        .param("value", shown)
        .with_message(format!("{shown} is no valid {} literal", value_type.to_uppercase()))
}

/// The types with digits below the microsecond are switched off.
pub fn timestamp_nanos_disabled() -> Error {
    Error::new(spark::ErrorKind::Spark, "FEATURE_NOT_ENABLED")
        .param("featureName", "Nanosecond-precision timestamp types")
        .param("configKey", "spark.sql.timestampNanosTypes.enabled")
        .param("configValue", "true")
        .with_message("Timestamps with more than 6 digits after the second are switched off.")
}

/// A timestamp type with a number of digits that there is not.
pub fn timestamp_precision(type_name: &str, precision: i64) -> Error {
    Error::new(spark::ErrorKind::Spark, "INVALID_TIMESTAMP_PRECISION")
        .param("precision", precision.to_string())
        .param("type", type_name)
        .with_message(format!("{type_name} has 6 to 9 digits after the second, not {precision}."))
}

/// A clause that Spark reads and refuses.
pub fn refusal(operation: &str) -> Error {
    Error::parse("INVALID_STATEMENT_OR_CLAUSE")
        .param("operation", operation)
        .with_message(format!("{operation} is not supported"))
}

/// An operation that Spark does not allow, in the words it has for it.
pub fn not_allowed(message: impl Into<String>) -> Error {
    let message = message.into();
    Error::parse("_LEGACY_ERROR_TEMP_0035")
        .param("message", &message)
        .with_message(format!("This is not allowed: {message}"))
}

/// A temporary object with a catalog or schema before its name.
pub fn qualified_temporary(object_type: &str, name: &[String]) -> Error {
    let (qualifier, last) = name.split_at(name.len().saturating_sub(1));
    Error::parse("INVALID_TEMP_OBJ_QUALIFIER")
        .param("objectType", object_type)
        .param("objectName", shown_name(last))
        .param("qualifier", shown_name(qualifier))
        .with_message("A temporary object belongs to no catalog or schema")
}

/// A name of an object as errors show it.
pub fn shown_name(parts: &[String]) -> String {
    parts.iter().map(|p| quote_identifier(p)).collect::<Vec<_>>().join(".")
}
