//! Names as clients write them: parts separated by dots, back-ticks around odd ones.

use spark::{Error, Result};

/// The parts of an attribute name (`a.b`, `` `a.b`.c ``), as `df["…"]` reads them.
pub fn attribute_parts(name: &str) -> Result<Vec<String>> {
    let syntax_error = || {
        Error::analysis("INVALID_ATTRIBUTE_NAME_SYNTAX")
            .param("name", name)
            .with_message(format!("'{name}' is not the name of a column: check its back-ticks and dots."))
    };
    let mut parts = Vec::new();
    let mut part = String::new();
    let mut quoted = false;
    // A part that was closed by a back-tick takes no more characters.
    let mut closed = false;
    let mut chars = name.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '`' if quoted && chars.peek() == Some(&'`') => {
                chars.next();
                part.push('`');
            }
            '`' if quoted => {
                quoted = false;
                closed = true;
                if !matches!(chars.peek(), None | Some('.')) {
                    return Err(syntax_error());
                }
            }
            '`' if part.is_empty() && !closed => quoted = true,
            '`' => return Err(syntax_error()),
            '.' if !quoted => {
                if chars.peek().is_none() || (part.is_empty() && !closed) {
                    return Err(syntax_error());
                }
                parts.push(std::mem::take(&mut part));
                closed = false;
            }
            other => part.push(other),
        }
    }
    if quoted {
        return Err(syntax_error());
    }
    parts.push(part);
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_split_at_dots_outside_back_ticks() {
        for (name, parts) in [
            ("a", Some(vec!["a"])),
            ("a.b", Some(vec!["a", "b"])),
            ("`a.b`.c", Some(vec!["a.b", "c"])),
            ("`a``b`", Some(vec!["a`b"])),
            ("a b", Some(vec!["a b"])),
            ("", Some(vec![""])),
            ("a.", None),
            (".a", None),
            ("a..b", None),
            ("`a", None),
            ("a`b`", None),
            ("`a`b", None),
        ] {
            let found = attribute_parts(name).ok();
            assert_eq!(found, parts.map(|p| p.into_iter().map(str::to_string).collect()), "{name}");
        }
    }
}
