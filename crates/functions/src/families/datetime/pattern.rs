//! Spark's datetime patterns: the letters of Java's `DateTimeFormatter` that Spark allows.

use spark::{Error, ErrorKind};

use super::legacy::{LegacyPattern, Style};
use super::locale::{ENGLISH, Locale};
use crate::cast::format::quoted as quoted_text;

/// A piece of a pattern.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    Text(String),
    /// A letter and how often it is repeated.
    Field(char, usize),
    /// What may be missing when parsing.
    Optional(Vec<Item>),
}

/// A pattern that Spark accepts.
#[derive(Debug, Clone, PartialEq)]
pub struct Pattern {
    pub items: Vec<Item>,
    /// Whose names the fields have.
    pub locale: &'static Locale,
}

impl Pattern {
    /// Reads a pattern; `parsing` patterns may not have some letters.
    ///
    /// # Errors
    /// `INVALID_DATETIME_PATTERN…`, or `INCONSISTENT_BEHAVIOR_CROSS_VERSION.DATETIME_PATTERN_RECOGNITION` if
    /// Spark 2 would have accepted it.
    pub fn new(text: &str, parsing: bool) -> Result<Pattern, Error> {
        match Pattern::without_zone(text, parsing) {
            Ok(pattern) => Ok(pattern),
            Err(_) if LegacyPattern::new(text, Style::Simple).is_ok() => {
                Err(Error::new(ErrorKind::Upgrade, "INCONSISTENT_BEHAVIOR_CROSS_VERSION.DATETIME_PATTERN_RECOGNITION")
                    .param("pattern", quoted_text(text))
                    .param("config", "\"spark.sql.legacy.timeParserPolicy\"")
                    .param("docroot", "https://spark.apache.org/docs/latest")
                    .with_message(format!("Spark no longer takes the datetime pattern '{text}'.")))
            }
            Err(error) => Err(error),
        }
    }

    /// Reads a pattern for what Spark 2 did not have: times without a zone.
    ///
    /// # Errors
    /// `INVALID_DATETIME_PATTERN…`.
    pub fn without_zone(text: &str, parsing: bool) -> Result<Pattern, Error> {
        let mut items = compile(text, parsing)?;
        if !has_era(&items) {
            count_from_zero(&mut items);
        }
        Ok(Pattern { items, locale: &ENGLISH })
    }

    /// The same pattern with the names of a language.
    pub fn in_locale(self, locale: &'static Locale) -> Pattern {
        Pattern { locale, ..self }
    }
}

fn has_era(items: &[Item]) -> bool {
    items.iter().any(|item| match item {
        Item::Field(c, _) => *c == 'G',
        Item::Optional(inner) => has_era(inner),
        Item::Text(_) => false,
    })
}

/// Without an era the year is the one that counts on through 0 (Java's `u`).
fn count_from_zero(items: &mut [Item]) {
    for item in items {
        match item {
            Item::Field(c, _) if *c == 'y' => *c = 'u',
            Item::Optional(inner) => count_from_zero(inner),
            _ => {}
        }
    }
}

/// `INVALID_DATETIME_PATTERN.WITH_SUGGESTION` for a pattern.
pub fn invalid(text: &str) -> Error {
    Error::runtime("INVALID_DATETIME_PATTERN.WITH_SUGGESTION")
        .param("pattern", quoted_text(text))
        .param("docroot", "https://spark.apache.org/docs/latest")
        .with_message(format!("'{text}' is not a datetime pattern."))
}

fn week_based(c: char) -> Error {
    Error::new(ErrorKind::Upgrade, "INCONSISTENT_BEHAVIOR_CROSS_VERSION.DATETIME_WEEK_BASED_PATTERN")
        .param("c", c.to_string())
        .with_message(format!("The letter {c} counts weeks, which datetime patterns no longer do; use EXTRACT."))
}

fn illegal_character(c: char, text: &str) -> Error {
    Error::new(ErrorKind::IllegalArgument, "INVALID_DATETIME_PATTERN.ILLEGAL_CHARACTER")
        .param("c", c.to_string())
        .param("pattern", text)
        .with_message(format!("The letter {c} has no meaning in the datetime pattern {text}."))
}

fn compile(text: &str, parsing: bool) -> Result<Vec<Item>, Error> {
    // Letters that count weeks are refused before anything else is.
    let mut is_quoted = false;
    for c in text.chars() {
        is_quoted ^= c == '\'';
        if !is_quoted && matches!(c, 'Y' | 'W' | 'w' | 'u' | 'e' | 'c') {
            return Err(week_based(c));
        }
    }
    let mut stack: Vec<Vec<Item>> = vec![Vec::new()];
    let chars: Vec<char> = text.chars().collect();
    let mut i = 0;
    while i < chars.len() {
        let c = chars[i];
        if c.is_ascii_alphabetic() {
            let count = chars[i..].iter().take_while(|x| **x == c).count();
            check_field(c, count, text, parsing)?;
            push(&mut stack, Item::Field(c, count));
            i += count;
        } else if c == '\'' {
            i = quoted(&chars, i, &mut stack).ok_or_else(|| invalid(text))?;
        } else {
            match c {
                '[' => stack.push(Vec::new()),
                ']' if stack.len() > 1 => {
                    let inner = stack.pop().unwrap_or_default();
                    push(&mut stack, Item::Optional(inner));
                }
                ']' | '{' | '}' | '#' => return Err(invalid(text)),
                other => push_text(&mut stack, &other.to_string()),
            }
            i += 1;
        }
    }
    while stack.len() > 1 {
        let inner = stack.pop().unwrap_or_default();
        push(&mut stack, Item::Optional(inner));
    }
    Ok(stack.pop().unwrap_or_default())
}

/// Reads quoted text from its opening quote; answers where it ends.
fn quoted(chars: &[char], open: usize, stack: &mut [Vec<Item>]) -> Option<usize> {
    let mut i = open + 1;
    if chars.get(i) == Some(&'\'') {
        push_text(stack, "'");
        return Some(i + 1);
    }
    let mut out = String::new();
    loop {
        match chars.get(i)? {
            '\'' if chars.get(i + 1) == Some(&'\'') => {
                out.push('\'');
                i += 2;
            }
            '\'' => {
                push_text(stack, &out);
                return Some(i + 1);
            }
            c => {
                out.push(*c);
                i += 1;
            }
        }
    }
}

fn push(stack: &mut [Vec<Item>], item: Item) {
    if let Some(top) = stack.last_mut() {
        top.push(item);
    }
}

fn push_text(stack: &mut [Vec<Item>], text: &str) {
    if let Some(top) = stack.last_mut() {
        if let Some(Item::Text(before)) = top.last_mut() {
            before.push_str(text);
        } else {
            top.push(Item::Text(text.to_string()));
        }
    }
}

/// Which letters there are, and how often each may be repeated.
fn check_field(c: char, count: usize, text: &str, parsing: bool) -> Result<(), Error> {
    let length = |max: usize, shown: usize| {
        if count <= max {
            return Ok(());
        }
        Err(Error::new(ErrorKind::IllegalArgument, "INVALID_DATETIME_PATTERN.LENGTH")
            .param("pattern", c.to_string().repeat(shown))
            .with_message(format!("The letter {c} is repeated too often in the datetime pattern {text}.")))
    };
    match c {
        'A' | 'B' | 'n' | 'N' | 'p' => Err(illegal_character(c, text)),
        'E' | 'F' | 'q' | 'Q' if parsing => Err(illegal_character(c, text)),
        'G' | 'M' | 'L' | 'E' | 'Q' | 'q' => length(4, 5),
        'y' => length(6, 7),
        'D' if count > 3 => Err(invalid(text)),
        'd' | 'h' | 'k' | 'K' | 'H' | 'm' | 's' if count > 2 => Err(invalid(text)),
        'F' | 'a' if count > 1 => Err(invalid(text)),
        'S' if count > 9 => Err(invalid(text)),
        'V' if count != 2 => Err(invalid(text)),
        'z' if count > 4 => Err(invalid(text)),
        'O' if count != 1 && count != 4 => Err(invalid(text)),
        'X' | 'x' | 'Z' if count > 5 => Err(invalid(text)),
        'D' | 'd' | 'h' | 'k' | 'K' | 'H' | 'm' | 's' | 'F' | 'a' | 'S' | 'V' | 'z' | 'O' | 'X' | 'x' | 'Z' => Ok(()),
        _ => Err(invalid(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_and_refuses() {
        for (text, parsing, condition) in [
            ("yyyy-MM-dd HH:mm:ss.SSS", true, None),
            ("yyyy-MM-dd'T'HH:mm[:ss]''", true, None),
            ("YYYY", false, Some("INCONSISTENT_BEHAVIOR_CROSS_VERSION.DATETIME_PATTERN_RECOGNITION")),
            ("qqqqqq", false, Some("INVALID_DATETIME_PATTERN.LENGTH")),
            ("b", false, Some("INVALID_DATETIME_PATTERN.WITH_SUGGESTION")),
            ("QQ", false, None),
            ("QQ", true, Some("INVALID_DATETIME_PATTERN.ILLEGAL_CHARACTER")),
        ] {
            let found = Pattern::new(text, parsing).err().map(|e| e.condition().to_string());
            assert_eq!(found.as_deref(), condition, "{text}");
        }
    }
}
