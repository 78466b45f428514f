//! Where a piece of a query was written: the query context of Spark's errors.

use std::sync::Arc;

/// A span of SQL text, or a DataFrame call site.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Origin {
    Sql(SqlOrigin),
    /// A DataFrame call: the API's name and the user's source location.
    DataFrame {
        fragment: String,
        call_site: String,
    },
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

    /// The lines the span touches, with the span underlined, under a heading with its position.
    pub fn summary(&self) -> String {
        let owner = if self.object_type.is_empty() || self.object_name.is_empty() {
            String::new()
        } else {
            format!(" of {} {}", self.object_type, self.object_name)
        };
        let mut out = format!("== SQL{owner} (line {}, position {}) ==\n", self.line, self.column + 1);
        let (start, stop) = (self.start as usize, self.stop as usize);
        let mut at = 0;
        for line in self.text.split('\n') {
            let width = line.encode_utf16().count();
            if at <= stop && at + width >= start {
                out.push_str(line);
                out.push('\n');
                out.push_str(&" ".repeat(start.saturating_sub(at).min(width)));
                let marks = (stop + 1).min(at + width).saturating_sub(start.max(at));
                out.push_str(&"^".repeat(marks));
                out.push('\n');
            }
            at += width + 1;
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_underlines_the_span() {
        let origin = SqlOrigin {
            text: "select 1/0".into(),
            start: 7,
            stop: 9,
            line: 1,
            column: 7,
            object_type: "".into(),
            object_name: "".into(),
        };
        assert_eq!(origin.summary(), "== SQL (line 1, position 8) ==\nselect 1/0\n       ^^^\n");
        assert_eq!(origin.fragment(), "1/0");
    }
}
