//! `${key}` in a statement's text: the value of a configuration key, put there before the text is read.

use std::borrow::Cow;

use spark::conf::ConfView;

/// Names that may stand before the key; all of them are the session's configuration.
const PREFIXES: [&str; 4] = ["spark", "sparkconf", "hivevar", "hiveconf"];

/// Values inside values are followed no further than this.
const MAX_DEPTH: usize = 16;

/// `text` with its references replaced. A key that is not set is nothing; a reference to the machine's
/// environment is left as it is.
pub fn variables<'a>(text: &'a str, conf: &ConfView) -> Cow<'a, str> {
    if text.contains("${") { replaced(text, conf, MAX_DEPTH).into() } else { text.into() }
}

fn replaced(text: &str, conf: &ConfView, depth: usize) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        out.push_str(before);
        match reference(after) {
            Some((key, behind)) => {
                match value(key, conf) {
                    Some(value) if depth > 0 => out.push_str(&replaced(value, conf, depth - 1)),
                    Some(value) => out.push_str(value),
                    None => out.push_str(&format!("${{{key}}}")),
                }
                rest = behind;
            }
            None => {
                out.push_str("${");
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

/// The inside of a reference, and what follows it: at least one character and no blanks up to a `}`.
fn reference(after: &str) -> Option<(&str, &str)> {
    let (key, behind) = after.split_once('}')?;
    (!key.is_empty() && !key.contains(char::is_whitespace)).then_some((key, behind))
}

fn value<'a>(key: &str, conf: &'a ConfView) -> Option<&'a str> {
    let key = match key.split_once(':') {
        Some((prefix, key)) if PREFIXES.contains(&prefix) => key,
        Some((prefix, _)) if prefix.chars().all(|c| c.is_alphanumeric() || c == '_') => return None,
        _ => key,
    };
    Some(conf.iter().find(|(known, _)| *known == key).map_or("", |(_, value)| value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_values_of_keys() {
        let conf = ConfView::new([("a.b", "1"), ("c", "${a.b}2")].map(|(k, v)| (k.to_string(), v.to_string())).into());
        for (text, expected) in [
            ("SELECT ${a.b}", "SELECT 1"),
            ("'${hiveconf:a.b}' ${spark:c}", "'1' 12"),
            ("[${none}]", "[]"),
            ("${env:HOME} ${} ${a b}", "${env:HOME} ${} ${a b}"),
            ("no ${end", "no ${end"),
        ] {
            assert_eq!(variables(text, &conf), expected, "{text}");
        }
    }
}
