//! Any text, read as everything the parser reads: it must end with a value or an error that has a
//! condition, and what parses must parse the same when asked again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use spark::Result;
use sql::ParseOptions;

fuzz_target!(|data: &[u8]| {
    let Some((&mode, text)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let options = options(mode);
    let statement = checked(|| sql::parse_statement(text, &options));
    if mode & 1 == 0 {
        // The same text as the smaller things the API takes.
        checked(|| sql::parse_expression(text, &options));
        checked(|| sql::parse_sort_order(text, &options));
        checked(|| sql::parse_window(text, &options));
        checked(|| sql::parse_data_type(text, &options));
        checked(|| sql::parse_table_schema(text, &options));
        checked(|| sql::parse_multipart_identifier(text, &options));
    }
    if let Some(statement) = statement {
        let again = sql::parse_statement(text, &options);
        assert_eq!(format!("{statement:?}"), format!("{:?}", again.unwrap()), "parsing is a function of the text");
    }
});

/// Settings that change the grammar, from the bits of a byte.
fn options(mode: u8) -> ParseOptions {
    ParseOptions {
        ansi: mode & 2 == 0,
        double_quoted_identifiers: mode & 4 != 0,
        escaped_string_literals: mode & 8 != 0,
        quoted_regex_column_names: mode & 16 != 0,
        legacy_interval: mode & 32 != 0,
        exponent_as_decimal: mode & 64 != 0,
        legacy_set_operations: mode & 128 != 0,
        ..ParseOptions::default()
    }
}

/// An error must be one that a client can branch on, and its places must lie in the text.
fn checked<T>(parse: impl Fn() -> Result<T>) -> Option<T> {
    match parse() {
        Ok(value) => Some(value),
        Err(error) => {
            assert!(!error.condition().is_empty(), "an error without a condition: {error:?}");
            assert_ne!(error.condition(), "INTERNAL_ERROR", "{error:?}");
            for context in &error.data().contexts {
                assert!(context.start_index <= context.stop_index + 1, "{context:?}");
            }
            None
        }
    }
}
