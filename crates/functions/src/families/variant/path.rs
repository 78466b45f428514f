//! Paths into variants.

use datafusion::common::Result;

use super::decode::{Content, View};

/// A step of a path.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    Key(String),
    Index(usize),
}

/// Reads `$.a['b']["c"][0]`; `None` if it is malformed.
pub fn parse(text: &str) -> Option<Vec<Step>> {
    let mut rest = text.trim().strip_prefix('$')?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('.') {
            let end = after.find(['.', '[']).unwrap_or(after.len());
            if end == 0 {
                return None;
            }
            steps.push(Step::Key(after[..end].to_string()));
            rest = &after[end..];
            continue;
        }
        let after = rest.strip_prefix('[')?;
        let quote = after.chars().next().filter(|c| matches!(c, '\'' | '"'));
        let end = match quote {
            Some(quote) => {
                let close = after[1..].find(quote)? + 1;
                steps.push(Step::Key(after[1..close].to_string()));
                close + 1
            }
            None => {
                let close = after.find(']')?;
                let digits = &after[..close];
                if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
                    return None;
                }
                steps.push(Step::Index(digits.parse().ok().filter(|i| *i <= i32::MAX as usize)?));
                close
            }
        };
        rest = after[end..].strip_prefix(']')?;
    }
    Some(steps)
}

/// What the path leads to.
///
/// # Errors
/// `MALFORMED_VARIANT`.
pub fn follow<'a>(mut view: View<'a>, steps: &[Step]) -> Result<Option<View<'a>>> {
    for step in steps {
        let next = match (step, view.content()?) {
            (Step::Key(name), Content::Object(object)) => object.get(name)?,
            (Step::Index(i), Content::Array(array)) if *i < array.size() => Some(array.element(*i)?),
            _ => None,
        };
        match next {
            Some(next) => view = next,
            None => return Ok(None),
        }
    }
    Ok(Some(view))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        let key = |s: &str| Step::Key(s.into());
        for (text, expected) in [
            ("$", Some(vec![])),
            ("$.a[0]['b c']", Some(vec![key("a"), Step::Index(0), key("b c")])),
            ("$[\"a\"]", Some(vec![key("a")])),
            ("a", None),
            ("$.", None),
            ("$[x]", None),
            ("$['a", None),
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
    }
}
