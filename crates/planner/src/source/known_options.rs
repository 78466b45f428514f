//! Options of Spark's readers and writers that would change what is read or written and that are not
//! implemented: refused, unless they ask for what is done anyway. What is not listed is implemented, or
//! (like sizes and sampling) changes nothing of an answer.

use spark::{Error, Result};

use super::Options;

/// An option that only some values are taken of.
struct Limited {
    formats: &'static [&'static str],
    key: &'static str,
    /// In lower case.
    taken: &'static [&'static str],
}

const TEXTS: &[&str] = &["csv", "json", "xml"];

const fn limited(formats: &'static [&'static str], key: &'static str, taken: &'static [&'static str]) -> Limited {
    Limited { formats, key, taken }
}

const OF_READERS: &[Limited] = &[
    limited(TEXTS, "locale", &["en-us", "en_us", "en"]),
    limited(TEXTS, "enableDateTimeParsingFallback", &["false"]),
    limited(&["xml"], "rowValidationXSDPath", &[]),
    limited(&["xml"], "wildcardColName", &["xs_any"]),
    limited(&["parquet"], "datetimeRebaseMode", &["corrected", "exception"]),
    limited(&["parquet"], "int96RebaseMode", &["corrected", "exception"]),
];

const OF_WRITERS: &[Limited] = &[
    limited(&["csv"], "charToEscapeQuoteEscaping", &[]),
    limited(&["json"], "pretty", &["false"]),
    limited(&["xml"], "validateName", &["true"]),
    limited(TEXTS, "locale", &["en-us", "en_us", "en"]),
    limited(&["xml"], "encoding", &["utf-8", "utf8"]),
    limited(&["xml"], "charset", &["utf-8", "utf8"]),
];

/// Refuses what a reader of `format` would not do.
///
/// # Errors
/// `UNSUPPORTED_CALL.WITHOUT_SUGGESTION` with the option and its value.
pub fn check_read(format: &str, options: &Options) -> Result<()> {
    check(OF_READERS, "reading", format, options)
}

/// Refuses what a writer of `format` would not do.
///
/// # Errors
/// As [`check_read`].
pub fn check_write(format: &str, options: &Options) -> Result<()> {
    check(OF_WRITERS, "writing", format, options)
}

fn check(all: &[Limited], what: &str, format: &str, options: &Options) -> Result<()> {
    for limited in all.iter().filter(|l| l.formats.contains(&format)) {
        if let Some(value) = options.get(limited.key)
            && !limited.taken.contains(&value.to_ascii_lowercase().as_str())
        {
            return Err(Error::unsupported(format!("{what} {format} with {}={value}", limited.key)));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_ignored_is_refused() {
        let read =
            |format: &str, key: &str, value: &str| check_read(format, &Options::new(&[(key.into(), value.into())]));
        assert!(read("csv", "LOCALE", "de-DE").is_err());
        assert!(read("csv", "locale", "en-US").is_ok());
        assert!(read("text", "locale", "de-DE").is_ok());
        assert!(read("parquet", "datetimeRebaseMode", "LEGACY").is_err());
        assert!(check_write("xml", &Options::new(&[("encoding".into(), "UTF-16".into())])).is_err());
        assert!(check_write("json", &Options::new(&[("pretty".into(), "true".into())])).is_err());
    }
}
