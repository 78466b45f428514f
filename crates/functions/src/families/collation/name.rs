//! Names of collations: reading them in any spelling, and suggestions for wrong ones.

use std::sync::Arc;

use spark::{Error, ErrorKind, Result};

use super::locales::LOCALES;

/// A collation by its parts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CollationName {
    /// `UTF8_BINARY`, `UTF8_LCASE`, `UNICODE` or a locale.
    pub base: &'static str,
    pub case_insensitive: bool,
    pub accent_insensitive: bool,
    /// Trailing spaces do not count.
    pub rtrim: bool,
}

const UTF8_BINARY: &str = "UTF8_BINARY";
const UTF8_LCASE: &str = "UTF8_LCASE";

impl CollationName {
    /// True if it is one of the two that need no locale data.
    pub fn is_utf8(&self) -> bool {
        self.base == UTF8_BINARY || self.base == UTF8_LCASE
    }

    /// True for bytes compared as they are.
    pub fn is_binary(&self) -> bool {
        self.base == UTF8_BINARY
    }

    /// True for lower-case comparison without a locale.
    pub fn is_lcase(&self) -> bool {
        self.base == UTF8_LCASE
    }

    /// The canonical spelling.
    pub fn text(&self) -> String {
        let mut text = self.base.to_string();
        if !self.is_utf8() {
            if self.case_insensitive {
                text.push_str("_CI");
            }
            if self.accent_insensitive {
                text.push_str("_AI");
            }
        }
        if self.rtrim {
            text.push_str("_RTRIM");
        }
        text
    }

    /// As the `collation` of a string type: nothing for the default.
    pub fn type_collation(&self) -> Option<Arc<str>> {
        if self.is_binary() && !self.rtrim { None } else { Some(self.text().into()) }
    }
}

/// Reads a name in any case, with or without `SYSTEM.BUILTIN`.
///
/// # Errors
/// `COLLATION_INVALID_NAME`.
pub fn parse(text: &str) -> Result<CollationName> {
    let upper = text.to_ascii_uppercase();
    let upper = upper.strip_prefix("SYSTEM.BUILTIN.").unwrap_or(&upper);
    split(upper).ok_or_else(|| {
        Error::new(ErrorKind::Spark, "COLLATION_INVALID_NAME")
            .param("collationName", text)
            .param("proposals", suggestions(text).join(", "))
            .with_message(format!("There is no collation named {text}."))
            .nowhere()
    })
}

fn split(upper: &str) -> Option<CollationName> {
    let roots = [UTF8_BINARY, UTF8_LCASE].into_iter().chain(LOCALES.iter().map(|l| l.0));
    let base = roots
        .filter(|name| {
            let n = name.len();
            upper.len() >= n
                && upper[..n].eq_ignore_ascii_case(name)
                && matches!(upper.as_bytes().get(n), None | Some(b'_'))
        })
        .max_by_key(|name| name.len())?;
    let mut out = CollationName { base, case_insensitive: base == UTF8_LCASE, accent_insensitive: false, rtrim: false };
    let (mut case, mut accent) = (false, false);
    for part in upper[base.len()..].split('_').skip(1) {
        let seen = match part {
            "RTRIM" => std::mem::replace(&mut out.rtrim, true),
            _ if out.is_utf8() => return None,
            "CI" | "CS" => {
                out.case_insensitive = part == "CI";
                std::mem::replace(&mut case, true)
            }
            "AI" | "AS" => {
                out.accent_insensitive = part == "AI";
                std::mem::replace(&mut accent, true)
            }
            _ => return None,
        };
        if seen {
            return None;
        }
    }
    Some(out)
}

/// Names close to a wrong one: always one, and up to two more if they are very close.
fn suggestions(text: &str) -> Vec<String> {
    let (roots, modifiers): (Vec<&str>, &[&str]) = if text.starts_with("UTF8_") {
        (vec![UTF8_BINARY, UTF8_LCASE], &["_RTRIM"])
    } else {
        (LOCALES.iter().map(|l| l.0).collect(), &["_CI", "_AI", "_CS", "_AS", "_RTRIM"])
    };
    let upper = text.to_uppercase();
    let mut locale = upper.as_str();
    let mut found = Vec::new();
    while let Some((m, rest)) = modifiers.iter().find_map(|m| Some((*m, locale.strip_suffix(m)?))) {
        locale = rest;
        if !found.contains(&m) {
            found.insert(0, m);
        }
    }
    let conflicting = |a: &str, b: &str| found.contains(&a) && found.contains(&b);
    let (no_ci, no_ai) = (conflicting("_CI", "_CS"), conflicting("_AI", "_AS"));
    found.retain(|m| !(no_ci && *m == "_CI" || no_ai && *m == "_AI"));
    let suffix = found.concat();
    let distance = |a: &str, b: &str| crate::families::string::distance::levenshtein(&a.to_uppercase(), b, None);
    let mut by_distance = roots;
    by_distance.sort_by_key(|root| distance(root, locale));
    let mut out: Vec<String> = Vec::new();
    for root in by_distance.into_iter().take(3) {
        let candidate = format!("{root}{suffix}");
        if !out.is_empty() && distance(&candidate, &upper) >= 3 {
            break;
        }
        out.push(candidate);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (text, expected) in [
            ("utf8_binary", "UTF8_BINARY"),
            ("UTF8_LCASE_rtrim", "UTF8_LCASE_RTRIM"),
            ("unicode_ci_ai", "UNICODE_CI_AI"),
            ("en_AI_CI_RTRIM", "en_CI_AI_RTRIM"),
            ("en_CS_AS", "en"),
            ("sr_cyrl_srb_ci", "sr_Cyrl_SRB_CI"),
            ("system.builtin.de", "de"),
        ] {
            assert_eq!(parse(text).map(|n| n.text()).unwrap_or_default(), expected, "{text}");
        }
    }

    #[test]
    fn wrong_names() {
        for (text, expected) in [
            ("foo", "fo, blo, bo"),
            ("UTF8_LCASE_AI", "UTF8_LCASE"),
            ("de_DE", "de"),
            ("unicode_cix", "UNICODE"),
            ("en_CI_CI", "en_CI"),
        ] {
            let error = parse(text).err();
            let proposals = error.as_ref().and_then(|e| e.data().parameters.get("proposals")).cloned();
            assert_eq!(proposals.as_deref(), Some(expected), "{text}");
        }
    }
}
