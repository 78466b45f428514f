//! The errors of malformed messages: conditions under `CONNECT_INVALID_PLAN`.

use spark::{Error, ErrorKind};

/// `CONNECT_INVALID_PLAN.<sub>` with a sentence of ours.
pub fn invalid(sub: &str, message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidPlan, format!("CONNECT_INVALID_PLAN.{sub}")).with_message(message)
}

/// A oneof of the message `full_name` holds nothing.
pub fn not_set(full_name: &str, name: &str) -> Error {
    invalid("INVALID_ONE_OF_FIELD_NOT_SET", format!("{full_name} does not say of which kind it is ({name})."))
        .param("fullName", full_name)
        .param("name", name)
}

/// An enum field holds no value that means something.
pub fn bad_enum(full_name: &str, name: &str, number: i32) -> Error {
    invalid("INVALID_ENUM", format!("{full_name} has the value {number} ({name}), which means nothing here."))
        .param("fullName", full_name)
        .param("name", name)
        .param("number", number.to_string())
}

/// An extension message nobody registered.
pub fn extension(type_url: &str) -> Error {
    invalid("NO_HANDLER_FOR_EXTENSION", format!("Nothing here handles the extension {type_url}."))
        .param("extensionTypeUrl", type_url)
}

/// A condition that Spark states as an assertion.
pub fn assertion(message: &str) -> Error {
    invalid("ASSERTION_FAILURE", message).param("message", message)
}
