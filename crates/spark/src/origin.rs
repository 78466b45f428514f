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

/// Fragments longer than this, in UTF-16 units, are cut: errors are kept and sent.
const MAX_SHOWN: usize = 16 << 10;

/// Longer lines are cut: every call that may fail has its place in the plan, and a statement may be
/// thousands of them on one line.
const MAX_LINE: usize = 4 << 10;

/// How much of a line that is cut stays around the span's beginning.
const AROUND: usize = 200;

impl SqlOrigin {
    /// The text of the span.
    pub fn fragment(&self) -> String {
        let start = self.start as usize;
        let width = (self.stop as usize + 1).saturating_sub(start);
        let mut out = slice_utf16(&self.text, start, width.min(MAX_SHOWN)).to_string();
        if width > MAX_SHOWN && start + MAX_SHOWN < self.text.len() {
            out.push_str("...");
        }
        out
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
            let width = if line.is_ascii() { line.len() } else { line.encode_utf16().count() };
            if at <= stop && at + width >= start {
                underline(&mut out, line, width, start.saturating_sub(at), (stop + 1).saturating_sub(at));
            }
            if out.len() > 4 * MAX_SHOWN {
                out.push_str("...\n");
                break;
            }
            at += width + 1;
        }
        out
    }
}

/// Adds a line and the marks below `start..stop` of it; of a long line, what is around `start`.
fn underline(out: &mut String, line: &str, width: usize, start: usize, stop: usize) {
    let (start, stop) = (start.min(width), stop.min(width));
    let (from, to) = if width > MAX_LINE {
        (start.saturating_sub(AROUND), (stop.min(start + MAX_LINE) + AROUND).min(width))
    } else {
        (0, width)
    };
    let before = if from > 0 { "..." } else { "" };
    let after = if to < width { "..." } else { "" };
    let shown = slice_utf16(line, from, to - from);
    out.extend([before, shown, after, "\n"]);
    out.extend(std::iter::repeat_n(' ', before.len() + start - from));
    out.extend(std::iter::repeat_n('^', stop.min(to).saturating_sub(start)));
    out.push('\n');
}

/// `len` UTF-16 units of `text` from unit `start` on, as far as there are so many.
fn slice_utf16(text: &str, start: usize, len: usize) -> &str {
    if text.is_ascii() {
        let start = start.min(text.len());
        return &text[start..(start + len).min(text.len())];
    }
    let byte_of = |text: &str, units: usize| {
        let mut seen = 0;
        let mut chars = text.char_indices();
        chars
            .find(|(_, c)| {
                let found = seen >= units;
                seen += c.len_utf16();
                found
            })
            .map_or(text.len(), |(at, _)| at)
    };
    let rest = &text[byte_of(text, start)..];
    &rest[..byte_of(rest, len)]
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

    #[test]
    fn long_texts_are_cut_around_the_span() {
        let text = format!("select '{}' from 😀t where {}", "x".repeat(1 << 20), "y".repeat(1 << 20));
        let start = (text.find("t where").unwrap_or(0) - 2) as u32;
        let origin = |stop| SqlOrigin {
            text: text.as_str().into(),
            start,
            stop,
            line: 1,
            column: start,
            object_type: "".into(),
            object_name: "".into(),
        };
        let short = origin(start);
        assert_eq!(short.fragment(), "t");
        let summary = short.summary();
        assert!(summary.len() < 2000 && summary.contains("xx' from 😀t where yy"), "{summary}");
        let marked = summary.lines().nth(2).map(|l| l.trim_start().to_string());
        assert_eq!(marked.as_deref(), Some("^"));
        let long = origin(text.len() as u32 - 4);
        assert!(long.fragment().len() < 2 * MAX_SHOWN && long.fragment().ends_with("y..."));
        assert!(long.summary().len() < 4 * MAX_SHOWN);
    }
}
