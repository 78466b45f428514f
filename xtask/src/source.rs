//! Reading Rust text just well enough to measure it: what is code, and how long functions are.

/// A function and how long it is.
#[derive(Debug, PartialEq)]
pub struct Function {
    pub name: String,
    pub first_line: usize,
    pub lines: usize,
}

/// Blanks comments, strings and characters; lines stay where they are.
pub fn without_comments_and_literals(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let skipped = skip(rest, out.chars().next_back());
        if skipped == 0 {
            out.push(c);
            rest = &rest[c.len_utf8()..];
        } else {
            let (blank, after) = rest.split_at(skipped);
            out.extend(blank.chars().filter(|c| *c == '\n'));
            // Keeps what stood on either side apart.
            out.push(' ');
            rest = after;
        }
    }
    out
}

/// Bytes of the comment or literal that `text` starts with; 0 if it starts with code.
fn skip(text: &str, before: Option<char>) -> usize {
    if text.starts_with("//") {
        return text.find('\n').unwrap_or(text.len());
    }
    if text.starts_with("/*") {
        return block_comment(text);
    }
    if let Some(inside) = text.strip_prefix('"') {
        return 1 + quoted(inside, '"');
    }
    let after_name = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let raw = text.strip_prefix("br").or_else(|| text.strip_prefix('r'));
    if let (Some(raw), false) = (raw, after_name) {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if raw[hashes..].starts_with('"') {
            let end = format!("\"{}", "#".repeat(hashes));
            let opened = text.len() - raw.len() + hashes + 1;
            return text[opened..].find(&end).map_or(text.len(), |at| opened + at + end.len());
        }
    }
    if text.starts_with('\'') { character(text) } else { 0 }
}

fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0usize, 0);
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// Bytes up to and including the closing quote.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

/// A character literal's bytes; 0 for a lifetime, which has no closing quote after one character.
fn character(text: &str) -> usize {
    let mut chars = text[1..].char_indices();
    match chars.next() {
        Some((_, '\\')) => 1 + quoted(&text[1..], '\''),
        Some(_) => match chars.next() {
            Some((at, '\'')) => 1 + at + 1,
            _ => 0,
        },
        None => 0,
    }
}

/// Every function with a body, nested ones included.
pub fn functions(text: &str) -> Vec<Function> {
    let code = without_comments_and_literals(text);
    let mut found = Vec::new();
    for (at, _) in code.match_indices("fn ") {
        let starts_word = !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        if let (true, Some(end)) = (starts_word, body_end(&code[at..])) {
            let name: String = code[at + 3..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            if name.is_empty() {
                continue; // a function pointer's type
            }
            let newlines = |s: &str| s.bytes().filter(|b| *b == b'\n').count();
            let lines = newlines(&code[at..at + end]) + 1;
            found.push(Function { name, first_line: newlines(&code[..at]) + 1, lines });
        }
    }
    found
}

/// Where the body of the function that `code` starts with ends; none if it has no body.
fn body_end(code: &str) -> Option<usize> {
    let (mut braces, mut parens) = (0usize, 0usize);
    for (at, c) in code.char_indices() {
        match c {
            '(' | '[' => parens += 1,
            ')' | ']' => parens = parens.saturating_sub(1),
            '{' => braces += 1,
            '}' => {
                braces = braces.saturating_sub(1);
                if braces == 0 {
                    return Some(at);
                }
            }
            ';' if braces == 0 && parens == 0 => return None,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blanked() {
        let check = |text: &str, expect: &str| {
            let got = without_comments_and_literals(text);
            assert_eq!(got.split_whitespace().collect::<Vec<_>>().join(" "), expect, "{text}");
        };
        check("a // b\nc", "a c");
        check("a /* b /* c */ d */ e", "a e");
        check(r#"f("x\" y") g"#, "f( ) g");
        check(r##"f(r#"x " y"#) g"##, "f( ) g");
        check("f(b'x', '\\'', 'a) g", "f(b , , 'a) g");
        check("for r in x", "for r in x");
    }

    #[test]
    fn functions_are_measured() {
        let text = "fn a() {\n  1\n}\ntrait T { fn b(); }\nfn c(f: fn (u8)) -> [u8; 3] { { } }\n";
        let names: Vec<_> = functions(text).into_iter().map(|f| (f.name, f.first_line, f.lines)).collect();
        assert_eq!(names, [("a".to_owned(), 1, 3), ("c".to_owned(), 5, 1)]);
    }
}
