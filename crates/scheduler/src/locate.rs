//! Where a command's text names the object that an error is about.

use spark::Error;
use sql::ParseOptions;

/// The error at the name of the object that it is about, if that is written in `text`.
///
/// Statements that make or drop an object have no position, as in Spark.
pub fn at_name(error: Error, text: &str, options: &ParseOptions) -> Error {
    let first = text.split_whitespace().next().unwrap_or_default();
    let is = |words: &[&str]| words.iter().any(|w| first.eq_ignore_ascii_case(w));
    let data = error.data();
    let about_variable = error.condition() == "UNRESOLVED_VARIABLE";
    let unlocated = is(&["CREATE", "DROP"]) && !is_about_source(text) && !about_variable;
    if !data.contexts.is_empty() || unlocated {
        return error;
    }
    let condition = error.condition();
    // A value that does not fit where the statement puts it, and columns that it does not find.
    let stores = is(&["DECLARE", "SET", "ALTER", "SHOW", "TRUNCATE", "DESCRIBE", "DESC", "ANALYZE"])
        && matches!(condition, "CAST_INVALID_INPUT" | "CAST_OVERFLOW" | "NUMERIC_VALUE_OUT_OF_RANGE.WITH_SUGGESTION");
    let alters = is(&["ALTER", "COMMENT"])
        && (condition == "NOT_SUPPORTED_CHANGE_COLUMN" || condition.starts_with("UNRESOLVED_COLUMN"));
    let second = text.split_whitespace().nth(1).unwrap_or_default();
    let is_of_procedure = is(&["CALL"]) || (is(&["DESCRIBE", "DESC"]) && second.eq_ignore_ascii_case("PROCEDURE"));
    if stores || alters || (is_of_procedure && condition == "UNRESOLVED_ROUTINE") {
        return error.at(sql::whole_origin(text, options).as_ref());
    }
    let key = match condition.split('.').next().unwrap_or_default() {
        "TABLE_OR_VIEW_NOT_FOUND" => "relationName",
        "EXPECT_TABLE_NOT_VIEW" | "EXPECT_PERMANENT_VIEW_NOT_TEMP" => "viewName",
        "EXPECT_VIEW_NOT_TABLE" => "tableName",
        "UNRESOLVED_ROUTINE" => "routineName",
        "_LEGACY_ERROR_TEMP_1256" | "_LEGACY_ERROR_TEMP_1257" => "functionName",
        "UNRESOLVED_VARIABLE" => "variableName",
        _ => return error,
    };
    let Some(about) = data.parameters.get(key).cloned() else { return error };
    let names = sql::object_names(text, options);
    let found = names.iter().find(|(name, _)| {
        let shown = crate::catalog::shown(name);
        about == name.join(".") || about == shown || about.ends_with(&format!(".{shown}"))
    });
    match found {
        Some((_, origin)) => error.at(Some(origin)),
        None => error,
    }
}

/// True for `CREATE TABLE … LIKE …`, whose source is looked up.
fn is_about_source(text: &str) -> bool {
    let mut words = text.split_whitespace();
    words.next().is_some_and(|w| w.eq_ignore_ascii_case("CREATE")) && words.any(|w| w.eq_ignore_ascii_case("LIKE"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_at_the_name() {
        let check = |text: &str, expect: Option<&str>| {
            let error = Error::analysis("TABLE_OR_VIEW_NOT_FOUND").param("relationName", "`nope`");
            let error = at_name(error, text, &ParseOptions::default());
            let fragment = error.data().contexts.first().map(|c| c.fragment.as_str());
            assert_eq!(fragment, expect, "{text}");
        };
        check("SHOW COLUMNS IN nope", Some("nope"));
        check("CREATE TABLE x LIKE nope", Some("nope"));
        check("DROP TABLE nope", None);
    }

    #[test]
    fn variables_are_located_in_every_statement() {
        for text in ["DECLARE a.v INT", "DROP TEMPORARY VARIABLE a.v", "SET VAR a.v = 1"] {
            let error = Error::analysis("UNRESOLVED_VARIABLE").param("variableName", "`a`.`v`");
            let error = at_name(error, text, &ParseOptions::default());
            let fragment = error.data().contexts.first().map(|c| c.fragment.as_str());
            assert_eq!(fragment, Some("a.v"), "{text}");
        }
    }
}
