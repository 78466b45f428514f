//! Where a piece of a query was written: the query context of Spark's errors.

use std::sync::Arc;

/// A span of SQL text, or a DataFrame call site.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Origin {
    Sql(SqlOrigin),
    /// A DataFrame call: the API's name and the user's source location.
    DataFrame { fragment: String, call_site: String },
}

/// A span of SQL text.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SqlOrigin {
    /// The whole text.
    pub text: Arc<str>,
    /// Index of the first character, counted in UTF-16 units as the JVM counts.
    pub start: u32,
    /// Index of the last character, inclusive.
    pub stop: u32,
    /// 1-based line of `start`.
    pub line: u32,
    /// 0-based column of `start`.
    pub column: u32,
    /// `VIEW` or a routine kind and its name, if the text is the body of one.
    pub object_type: Arc<str>,
    pub object_name: Arc<str>,
}

impl SqlOrigin {
    /// The text of the span.
    pub fn fragment(&self) -> String {
        let units: Vec<u16> = self.text.encode_utf16().collect();
        let start = (self.start as usize).min(units.len());
        let stop = (self.stop as usize + 1).clamp(start, units.len());
        String::from_utf16_lossy(&units[start..stop])
    }
}
