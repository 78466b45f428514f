//! Compiled patterns, kept for as long as they are in use, and Java's way of finding one match after
//! another.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use datafusion::common::Result;
use fancy_regex::{Captures, Regex, RegexBuilder};
use parking_lot::Mutex;
use spark::{Error, ErrorKind};

use super::java::translate;
use crate::error::{external, fail};

/// Patterns kept compiled; a column of patterns must not grow without bound.
const CACHE_SIZE: usize = 512;

/// How often a search may step back before it is given up.
const BACKTRACK_LIMIT: usize = 10_000_000;

static CACHE: LazyLock<Mutex<HashMap<String, Arc<Pattern>>>> = LazyLock::new(Mutex::default);

/// A compiled pattern.
pub struct Pattern {
    regex: Regex,
    /// As the user wrote it.
    pub text: String,
}

impl Pattern {
    /// Compiles a Java pattern for `function`, or takes it from the cache.
    ///
    /// # Errors
    /// `INVALID_PARAMETER_VALUE.PATTERN`.
    pub fn compile(text: &str, function: &str) -> Result<Arc<Pattern>> {
        if let Some(found) = CACHE.lock().get(text) {
            return Ok(found.clone());
        }
        let rewritten = translate(text).map_err(|_| external(invalid(text, function)))?;
        let regex = RegexBuilder::new(&rewritten)
            .backtrack_limit(BACKTRACK_LIMIT)
            .build()
            .map_err(|_| external(invalid(text, function)))?;
        let made = Arc::new(Pattern { regex, text: text.to_string() });
        let mut cache = CACHE.lock();
        if cache.len() >= CACHE_SIZE {
            cache.clear();
        }
        cache.insert(text.to_string(), made.clone());
        Ok(made)
    }

    /// The number of groups, not counting the whole match.
    pub fn groups(&self) -> usize {
        self.regex.captures_len() - 1
    }

    /// The number of the group of that name.
    pub fn group_named(&self, name: &str) -> Option<usize> {
        self.regex.capture_names().position(|n| n == Some(name))
    }

    /// True if the pattern occurs in `text`.
    ///
    /// # Errors
    /// If the search is given up.
    pub fn is_match(&self, text: &str) -> Result<bool> {
        self.regex.is_match(text).or_else(|e| self.gave_up(&e))
    }

    /// The first match at or after byte `from`: its range.
    ///
    /// # Errors
    /// If the search is given up.
    pub fn find(&self, text: &str, from: usize) -> Result<Option<(usize, usize)>> {
        match self.regex.find_from_pos(text, from) {
            Ok(found) => Ok(found.map(|m| (m.start(), m.end()))),
            Err(e) => self.gave_up(&e),
        }
    }

    /// The first match at or after byte `from` with its groups.
    ///
    /// # Errors
    /// If the search is given up.
    pub fn captures<'t>(&self, text: &'t str, from: usize) -> Result<Option<Captures<'t>>> {
        self.regex.captures_from_pos(text, from).or_else(|e| self.gave_up(&e))
    }

    fn gave_up<T>(&self, e: &fancy_regex::Error) -> Result<T> {
        fail(
            Error::new(ErrorKind::Runtime, "INVALID_PARAMETER_VALUE.PATTERN")
                .param("functionName", "`regexp`")
                .param("parameter", "`regexp`")
                .param("value", format!("'{}'", self.text))
                .with_message(format!("The pattern '{}' takes too many steps to match: {e}.", self.text)),
        )
    }
}

/// Where the next search starts after a match: behind it, or one character on if it was empty.
/// `None` at the end of the text.
pub fn after(text: &str, start: usize, end: usize) -> Option<usize> {
    if end > start {
        return Some(end);
    }
    text[end..].chars().next().map(|c| end + c.len_utf8())
}

/// Remembers the pattern of the last row: constants and long runs compile and look up once.
pub struct Last {
    function: &'static str,
    pattern: Option<Arc<Pattern>>,
}

impl Last {
    /// Nothing remembered; `function` is what errors name.
    pub fn new(function: &'static str) -> Self {
        Last { function, pattern: None }
    }

    /// The compiled pattern for `text`.
    ///
    /// # Errors
    /// As [`Pattern::compile`].
    pub fn get(&mut self, text: &str) -> Result<&Pattern> {
        if self.pattern.as_ref().is_none_or(|p| p.text != text) {
            self.pattern = Some(Pattern::compile(text, self.function)?);
        }
        match &self.pattern {
            Some(pattern) => Ok(pattern),
            None => datafusion::common::internal_err!("the pattern was just compiled"),
        }
    }
}

fn invalid(text: &str, function: &str) -> Error {
    Error::runtime("INVALID_PARAMETER_VALUE.PATTERN")
        .param("functionName", format!("`{function}`"))
        .param("parameter", "`regexp`")
        .param("value", format!("'{text}'"))
        .with_message(format!("'{text}' is not a valid regular expression."))
}
