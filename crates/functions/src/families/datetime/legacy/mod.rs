//! Datetime patterns as Spark 2 understood them (`spark.sql.legacy.timeParserPolicy`): Java's
//! `SimpleDateFormat` for functions, commons' `FastDateFormat` for text data, both on a calendar that
//! is Julian before 15 October 1582.

mod hybrid;
mod print;
mod scan;

use serde::{Deserialize, Serialize};
use spark::Settings;

use super::pattern::invalid;
use super::zone::Zone;
use hybrid::Clock;

/// What `spark.sql.legacy.timeParserPolicy` makes of datetime patterns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum TimeParser {
    /// Only the patterns of today.
    #[default]
    Corrected,
    /// As `Corrected`, but an error where only the old patterns fit a text. `now` is the query's time
    /// in microseconds: years of two digits are around it.
    Exception { now: i64 },
    /// Only the old patterns.
    Legacy { now: i64 },
}

impl TimeParser {
    /// The session's policy.
    pub fn of(settings: &Settings) -> TimeParser {
        let now = settings.now_micros;
        match &*settings.time_parser_policy {
            "LEGACY" => TimeParser::Legacy { now },
            "EXCEPTION" => TimeParser::Exception { now },
            _ => TimeParser::Corrected,
        }
    }

    /// True for the default.
    pub fn is_corrected(&self) -> bool {
        *self == TimeParser::Corrected
    }
}

/// Which of Java's old formatters a pattern is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// `SimpleDateFormat`, not lenient: texts whose fields contradict one another are refused.
    Simple,
    /// `FastDateFormat`, lenient: fields out of range carry over.
    Fast,
}

/// A piece of a pattern.
#[derive(Debug, Clone, PartialEq)]
enum Item {
    Text(String),
    /// A letter and how often it is repeated.
    Field(char, usize),
}

/// An old datetime pattern.
#[derive(Debug, Clone, PartialEq)]
pub struct LegacyPattern {
    items: Vec<Item>,
    style: Style,
    /// How many letters stand for the fraction of a second.
    fraction: u32,
}

impl LegacyPattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// `INVALID_DATETIME_PATTERN.WITH_SUGGESTION`.
    pub fn new(text: &str, style: Style) -> spark::Result<LegacyPattern> {
        let items = compile(text).ok_or_else(|| invalid(text))?;
        let fraction = items.iter().map(|i| if let Item::Field('S', n) = i { *n as u32 } else { 0 }).sum();
        Ok(LegacyPattern { items, style, fraction })
    }

    /// Appends an instant on the clock of a zone.
    pub fn print(&self, instant: i64, zone: Zone, zone_id: &str, out: &mut String) {
        let clock = Clock::of_instant(instant, zone);
        print::print(self, &clock, zone, zone_id, out);
    }

    /// The instant that `text` begins with, `None` if it does not fit; `now` places years of two digits.
    pub fn parse(&self, text: &str, zone: Zone, now: i64) -> Option<i64> {
        scan::parse(self, text, zone, now)
    }
}

fn compile(text: &str) -> Option<Vec<Item>> {
    let chars: Vec<char> = text.chars().collect();
    let mut items = Vec::new();
    let mut i = 0;
    while i < chars.len() {
        let c = chars[i];
        if c.is_ascii_alphabetic() {
            let count = chars[i..].iter().take_while(|x| **x == c).count();
            if !"GyYMLwWDdFEuaHkKhmsSzZX".contains(c) || (c == 'X' && count > 3) {
                return None;
            }
            items.push(Item::Field(c, count));
            i += count;
        } else if c == '\'' {
            i = quoted(&chars, i, &mut items)?;
        } else {
            push_text(&mut items, c);
            i += 1;
        }
    }
    Some(items)
}

/// Reads quoted text from its opening quote; answers where it ends.
fn quoted(chars: &[char], open: usize, items: &mut Vec<Item>) -> Option<usize> {
    let mut i = open + 1;
    if chars.get(i) == Some(&'\'') {
        push_text(items, '\'');
        return Some(i + 1);
    }
    loop {
        match (chars.get(i)?, chars.get(i + 1)) {
            ('\'', Some('\'')) => {
                push_text(items, '\'');
                i += 2;
            }
            ('\'', _) => return Some(i + 1),
            (c, _) => {
                push_text(items, *c);
                i += 1;
            }
        }
    }
}

fn push_text(items: &mut Vec<Item>, c: char) {
    if let Some(Item::Text(before)) = items.last_mut() {
        before.push(c);
    } else {
        items.push(Item::Text(c.to_string()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_patterns_print_and_parse() {
        let zone = Zone::Fixed(0);
        let now = 1_600_000_000_000_000;
        for (pattern, style, text, printed) in [
            ("yyyy-MM-dd", Style::Simple, "2020-1-2 rest", Some("2020-01-02")),
            ("yyyy-MM-dd", Style::Simple, "2020-02-30", None),
            ("yyyy-MM-dd", Style::Fast, "2020-02-30", Some("2020-03-01")),
            ("yy-M-d", Style::Simple, "99-1-2", Some("99-1-2")),
            ("EEE, d MMM yyyy", Style::Simple, "Sun, 2 Feb 2020", Some("Sun, 2 Feb 2020")),
            ("EEE, d MMM yyyy", Style::Simple, "Mon, 2 Feb 2020", None),
            ("HH:mm:ss.SSS", Style::Simple, "01:02:03.004", Some("01:02:03.004")),
            ("HH:mm:ss.SSSSSS", Style::Fast, "01:02:03.004005", Some("01:02:03.004005")),
            ("yyyy-MM-dd", Style::Simple, "1500-02-29", Some("1500-03-01")),
            ("YYYY-ww-u", Style::Simple, "2020-05-3", Some("2020-05-3")),
            ("yyyy X", Style::Simple, "2020 Z", Some("2020 Z")),
        ] {
            let pattern = LegacyPattern::new(pattern, style).unwrap();
            let found = pattern.parse(text, zone, now).map(|t| {
                let mut out = String::new();
                pattern.print(t, zone, "UTC", &mut out);
                out
            });
            assert_eq!(found.as_deref(), printed, "{text}");
        }
        assert!(LegacyPattern::new("b", Style::Simple).is_err());
    }
}
