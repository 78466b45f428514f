//! Java's regular expression syntax, rewritten into that of the engine used here.
//!
//! The two differ where it hurts: `\d`, `\w` and `\s` are ASCII in Java, `.` and `$` know more line
//! terminators, `\Q…\E`, octal and Unicode escapes, POSIX and `java…` classes, and which mistakes are
//! errors. The rewriting walks the pattern once, keeping track of the inline flags in force.

use super::java_class::{Class, property};

/// Why a pattern is not one.
#[derive(Debug, PartialEq)]
pub struct Malformed(pub String);

type Result<T> = std::result::Result<T, Malformed>;

/// What ends a line in Java.
const LINE_END: &str = r"\n\r\x{85}\x{2028}\x{2029}";

#[derive(Clone, Copy, Default)]
struct Flags {
    dot_all: bool,
    multi_line: bool,
    unix_lines: bool,
    comments: bool,
    unicode: bool,
    literal_case: bool,
}

/// Rewrites `pattern`.
///
/// # Errors
/// If Java would refuse it, as far as the rewriting can tell; the engine finds the rest.
pub fn translate(pattern: &str) -> Result<String> {
    let mut t = Translator {
        chars: pattern.chars().collect(),
        at: 0,
        out: String::with_capacity(pattern.len() + 16),
        flags: Flags::default(),
        stack: Vec::new(),
    };
    t.run()?;
    if !t.stack.is_empty() {
        return Err(Malformed("Unclosed group".into()));
    }
    Ok(t.out)
}

struct Translator {
    chars: Vec<char>,
    at: usize,
    out: String,
    flags: Flags,
    stack: Vec<Flags>,
}

impl Translator {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek(0)?;
        self.at += 1;
        Some(c)
    }

    fn run(&mut self) -> Result<()> {
        let mut quantifiable = false;
        while let Some(c) = self.next() {
            let is_atom = match c {
                '\\' => self.escape()?,
                '[' => {
                    self.class()?;
                    true
                }
                '(' => self.group_start()?,
                ')' => {
                    self.flags = self.stack.pop().ok_or_else(|| Malformed("Unmatched closing ')'".into()))?;
                    self.out.push(')');
                    true
                }
                '.' => self.dot(),
                '^' => self.caret(),
                '$' => self.dollar(),
                '|' => {
                    self.out.push('|');
                    false
                }
                '*' | '+' | '?' if quantifiable => {
                    self.out.push(c);
                    self.quantifier_suffix();
                    quantifiable = false;
                    continue;
                }
                '{' if quantifiable => {
                    self.braces()?;
                    self.quantifier_suffix();
                    quantifiable = false;
                    continue;
                }
                '*' | '+' | '?' => return Err(Malformed(format!("Dangling meta character '{c}'"))),
                '{' => return Err(Malformed("Illegal repetition".into())),
                '#' if self.flags.comments => {
                    while self.next().is_some_and(|c| c != '\n') {}
                    continue;
                }
                c if self.flags.comments && c.is_ascii_whitespace() => continue,
                c => {
                    self.literal(c);
                    true
                }
            };
            quantifiable = is_atom;
        }
        Ok(())
    }

    /// `+` (possessive) and `?` (reluctant) after a quantifier.
    fn quantifier_suffix(&mut self) {
        if let Some(c @ ('+' | '?')) = self.peek(0) {
            self.at += 1;
            self.out.push(c);
        }
    }

    fn braces(&mut self) -> Result<()> {
        let digits = |t: &mut Self| {
            let start = t.at;
            while t.peek(0).is_some_and(|c| c.is_ascii_digit()) {
                t.at += 1;
            }
            t.chars[start..t.at].iter().collect::<String>()
        };
        let illegal = || Malformed("Illegal repetition".into());
        let low = digits(self);
        if low.is_empty() {
            return Err(illegal());
        }
        let mut text = low.clone();
        if self.peek(0) == Some(',') {
            self.at += 1;
            let high = digits(self);
            let parse = |s: &str| s.parse::<u32>().unwrap_or(u32::MAX);
            if !high.is_empty() && parse(&high) < parse(&low) {
                return Err(Malformed("Illegal repetition range".into()));
            }
            text.push(',');
            text.push_str(&high);
        }
        if self.next() != Some('}') {
            return Err(Malformed("Unclosed counted closure".into()));
        }
        self.out.push_str(&format!("{{{text}}}"));
        Ok(())
    }

    fn literal(&mut self, c: char) {
        push_literal(c, &mut self.out);
    }

    fn dot(&mut self) -> bool {
        self.out.push_str(if self.flags.dot_all {
            "(?s:.)"
        } else if self.flags.unix_lines {
            r"[^\n]"
        } else {
            r"[^\n\r\x{85}\x{2028}\x{2029}]"
        });
        true
    }

    fn caret(&mut self) -> bool {
        match (self.flags.multi_line, self.flags.unix_lines) {
            (false, _) => self.out.push_str(r"\A"),
            (true, true) => self.out.push_str(r"(?:\A|(?<=\n)(?!\z))"),
            (true, false) => {
                self.out.push_str(r"(?:\A|(?:(?<=[\n\x{85}\x{2028}\x{2029}])|(?<=\r)(?!\n))(?!\z))");
            }
        }
        true
    }

    fn dollar(&mut self) -> bool {
        match (self.flags.multi_line, self.flags.unix_lines) {
            (false, true) => self.out.push_str(r"(?=\n?\z)"),
            (false, false) => self.out.push_str(&format!(r"(?=(?:\r\n|[{LINE_END}])?\z)(?!(?<=\r)\n\z)")),
            (true, true) => self.out.push_str(r"(?=\n|\z)"),
            (true, false) => self.out.push_str(&format!(r"(?=[{LINE_END}]|\z)(?!(?<=\r)\n)")),
        }
        true
    }

    /// After `(`: groups, look-around, inline flags.
    fn group_start(&mut self) -> Result<bool> {
        self.stack.push(self.flags);
        if self.peek(0) != Some('?') {
            self.out.push('(');
            return Ok(false);
        }
        let rest: String = self.chars[self.at..].iter().take(3).collect();
        for prefix in ["?:", "?=", "?!", "?>", "?<=", "?<!"] {
            if rest.starts_with(prefix) {
                self.at += prefix.len();
                self.out.push('(');
                self.out.push_str(prefix);
                return Ok(false);
            }
        }
        if rest.starts_with("?<") {
            self.at += 2;
            let mut name = String::new();
            loop {
                match self.next() {
                    Some('>') => break,
                    Some(c) if c.is_ascii_alphanumeric() => name.push(c),
                    _ => return Err(Malformed("named capturing group is missing trailing '>'".into())),
                }
            }
            if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
                return Err(Malformed("capturing group name does not start with a Latin letter".into()));
            }
            self.out.push_str(&format!("(?<{name}>"));
            return Ok(false);
        }
        self.at += 1;
        self.inline_flags()
    }

    /// `(?i-s)` or `(?i-s:`.
    fn inline_flags(&mut self) -> Result<bool> {
        let mut on = true;
        let mut case = None;
        loop {
            match self.next() {
                Some('-') if on => on = false,
                Some('i') => case = Some(on),
                Some('s') => self.flags.dot_all = on,
                Some('m') => self.flags.multi_line = on,
                Some('d') => self.flags.unix_lines = on,
                Some('x') => self.flags.comments = on,
                Some('u') => self.flags.literal_case = on,
                Some('U') => self.flags.unicode = on,
                Some(':') => {
                    self.out.push_str(match case {
                        Some(true) => "(?i:",
                        Some(false) => "(?-i:",
                        None => "(?:",
                    });
                    return Ok(false);
                }
                Some(')') => {
                    // The flags hold to the end of the enclosing group, which keeps its own entry.
                    self.stack.pop();
                    match case {
                        Some(true) => self.out.push_str("(?i)"),
                        Some(false) => self.out.push_str("(?-i)"),
                        None => {}
                    }
                    return Ok(false);
                }
                _ => return Err(Malformed("Unknown inline modifier".into())),
            }
        }
    }

    /// After `\` outside a class; true if a quantifier may follow.
    fn escape(&mut self) -> Result<bool> {
        let Some(c) = self.next() else { return Err(Malformed("Unexpected internal error".into())) };
        if let Some(class) = Class::predefined(c, self.flags.unicode) {
            self.out.push_str(&class.outside());
            return Ok(true);
        }
        match c {
            'A' | 'z' | 'b' | 'B' | 'G' => {
                self.out.push('\\');
                self.out.push(c);
            }
            'Z' => self.out.push_str(&format!(r"(?=(?:\r\n|[{LINE_END}])?\z)")),
            'R' => self.out.push_str(&format!(r"(?:\r\n|[\x0B\x0C{LINE_END}])")),
            'X' => self.out.push_str(r"(?:\r\n|(?s:.)\p{M}*)"),
            'p' | 'P' => {
                let class = self.property(c == 'P')?;
                self.out.push_str(&class.outside());
            }
            'Q' => {
                while self.at < self.chars.len() {
                    if self.peek(0) == Some('\\') && self.peek(1) == Some('E') {
                        self.at += 2;
                        break;
                    }
                    if let Some(c) = self.next() {
                        self.literal(c);
                    }
                }
            }
            'E' => {}
            'k' => self.named_reference()?,
            '1'..='9' => self.back_reference(c)?,
            _ => {
                let c = self.character(c)?;
                self.literal(c);
            }
        }
        Ok(true)
    }

    fn named_reference(&mut self) -> Result<()> {
        let mut name = String::new();
        if self.next() != Some('<') {
            return Err(Malformed("\\k is not followed by '<' for named capturing group".into()));
        }
        loop {
            match self.next() {
                Some('>') => break,
                Some(c) if c.is_ascii_alphanumeric() => name.push(c),
                _ => return Err(Malformed("named capturing group is missing trailing '>'".into())),
            }
        }
        self.out.push_str(&format!(r"\k<{name}>"));
        Ok(())
    }

    /// As many digits as still name a group that has been opened.
    fn back_reference(&mut self, first: char) -> Result<()> {
        let groups = self.groups_so_far();
        let mut number = first.to_digit(10).unwrap_or(0);
        while let Some(digit) = self.peek(0).and_then(|c| c.to_digit(10)) {
            if number * 10 + digit > groups {
                break;
            }
            number = number * 10 + digit;
            self.at += 1;
        }
        if number > groups {
            // A group that does not exist never matches.
            self.out.push_str("(?!)");
        } else {
            self.out.push_str(&format!(r"(?:\{number})"));
        }
        Ok(())
    }

    fn groups_so_far(&self) -> u32 {
        let mut count = 0;
        let mut escaped = false;
        let mut in_class = 0u32;
        for (i, c) in self.chars[..self.at].iter().enumerate() {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '[' => in_class += 1,
                ']' => in_class = in_class.saturating_sub(1),
                '(' if in_class == 0 => {
                    let plain = self.chars.get(i + 1) != Some(&'?');
                    let named =
                        self.chars.get(i + 2) == Some(&'<') && !matches!(self.chars.get(i + 3), Some('=' | '!'));
                    count += u32::from(plain || named);
                }
                _ => {}
            }
        }
        count
    }

    fn property(&mut self, negated: bool) -> Result<Class> {
        let mut name = String::new();
        match self.next() {
            Some('{') => loop {
                match self.next() {
                    Some('}') => break,
                    Some(c) => name.push(c),
                    None => return Err(Malformed("Unclosed character family".into())),
                }
            },
            Some(c) => name.push(c),
            None => return Err(Malformed("Illegal/unsupported escape sequence".into())),
        }
        property(&name, negated).ok_or_else(|| Malformed(format!("Unknown character property name {{{name}}}")))
    }

    /// The character that `\c…` stands for.
    fn character(&mut self, c: char) -> Result<char> {
        let illegal = || Malformed("Illegal/unsupported escape sequence".into());
        Ok(match c {
            't' => '\t',
            'n' => '\n',
            'r' => '\r',
            'f' => '\x0C',
            'a' => '\x07',
            'e' => '\x1B',
            'c' => {
                let c = self.next().ok_or_else(illegal)?;
                char::from_u32(c as u32 ^ 64).ok_or_else(illegal)?
            }
            '0' => self.octal()?,
            'x' => self.hexadecimal()?,
            'u' => self.utf16_unit()?,
            c if c.is_ascii_alphabetic() => return Err(illegal()),
            c => c,
        })
    }

    fn octal(&mut self) -> Result<char> {
        let mut value = 0;
        let mut digits = 0;
        while let Some(digit) = self.peek(0).and_then(|c| c.to_digit(8)) {
            if digits == 3 || value * 8 + digit > 0o377 {
                break;
            }
            value = value * 8 + digit;
            digits += 1;
            self.at += 1;
        }
        if digits == 0 {
            return Err(Malformed("Illegal octal escape sequence".into()));
        }
        char::from_u32(value).ok_or_else(|| Malformed("Illegal octal escape sequence".into()))
    }

    fn hex_digits(&mut self, count: usize) -> Result<u32> {
        let mut value = 0;
        for _ in 0..count {
            let digit = self.next().and_then(|c| c.to_digit(16));
            value = value * 16 + digit.ok_or_else(|| Malformed("Illegal hexadecimal escape sequence".into()))?;
        }
        Ok(value)
    }

    fn hexadecimal(&mut self) -> Result<char> {
        let bad = || Malformed("Illegal hexadecimal escape sequence".into());
        if self.peek(0) != Some('{') {
            let value = self.hex_digits(2)?;
            return char::from_u32(value).ok_or_else(bad);
        }
        self.at += 1;
        let mut text = String::new();
        loop {
            match self.next() {
                Some('}') => break,
                Some(c) if c.is_ascii_hexdigit() && text.len() < 8 => text.push(c),
                _ => return Err(bad()),
            }
        }
        u32::from_str_radix(&text, 16).ok().and_then(char::from_u32).ok_or_else(bad)
    }

    fn utf16_unit(&mut self) -> Result<char> {
        let bad = || Malformed("Illegal Unicode escape sequence".into());
        let high = self.hex_digits(4)?;
        if !(0xD800..0xDC00).contains(&high) {
            return char::from_u32(high).ok_or_else(bad);
        }
        if self.next() != Some('\\') || self.next() != Some('u') {
            return Err(bad());
        }
        let low = self.hex_digits(4)?;
        char::decode_utf16([high as u16, low as u16]).next().and_then(|c| c.ok()).ok_or_else(bad)
    }

    /// After `[`: the whole class, nested ones included.
    fn class(&mut self) -> Result<()> {
        self.out.push('[');
        if self.peek(0) == Some('^') {
            self.at += 1;
            self.out.push('^');
        }
        let mut first = true;
        loop {
            let Some(c) = self.next() else { return Err(Malformed("Unclosed character class".into())) };
            match c {
                ']' if !first => {
                    self.out.push(']');
                    return Ok(());
                }
                '[' => self.class()?,
                '&' if self.peek(0) == Some('&') => {
                    self.at += 1;
                    self.out.push_str("&&");
                    while self.peek(0) == Some('&') {
                        self.at += 1;
                    }
                }
                '\\' => self.class_escape()?,
                '-' if self.is_range_dash(first) => self.out.push('-'),
                c if self.flags.comments && c.is_ascii_whitespace() => {}
                c => push_in_class(c, &mut self.out),
            }
            first = false;
        }
    }

    /// True if a `-` just read stands between two ends of a range.
    fn is_range_dash(&self, first: bool) -> bool {
        let ends = matches!(self.peek(0), None | Some(']' | '['));
        let after_class = self.at >= 3
            && self.chars[self.at - 3] == '\\'
            && matches!(self.chars[self.at - 2], 'd' | 'w' | 's' | 'D' | 'W' | 'S' | 'h' | 'v' | 'H' | 'V');
        let before_class = self.peek(0) == Some('\\')
            && matches!(self.peek(1), Some('d' | 'w' | 's' | 'D' | 'W' | 'S' | 'h' | 'v' | 'p' | 'P'));
        !first
            && !ends
            && !after_class
            && !before_class
            && !matches!(self.chars.get(self.at.wrapping_sub(2)), Some('[' | '^' | ']' | '}'))
    }

    fn class_escape(&mut self) -> Result<()> {
        let Some(c) = self.next() else { return Err(Malformed("Unclosed character class".into())) };
        if let Some(class) = Class::predefined(c, self.flags.unicode) {
            self.out.push_str(&class.inside());
            return Ok(());
        }
        match c {
            'p' | 'P' => {
                let class = self.property(c == 'P')?;
                self.out.push_str(&class.inside());
            }
            'Q' => {
                while self.at < self.chars.len() {
                    if self.peek(0) == Some('\\') && self.peek(1) == Some('E') {
                        self.at += 2;
                        break;
                    }
                    if let Some(c) = self.next() {
                        push_in_class(c, &mut self.out);
                    }
                }
            }
            'E' => {}
            _ => {
                let c = self.character(c)?;
                push_in_class(c, &mut self.out);
            }
        }
        Ok(())
    }
}

/// A character that stands for itself.
fn push_literal(c: char, out: &mut String) {
    if matches!(
        c,
        '\\' | '.' | '+' | '*' | '?' | '(' | ')' | '|' | '[' | ']' | '{' | '}' | '^' | '$' | '#' | '&' | '-' | '~'
    ) {
        out.push('\\');
    }
    if c.is_control() || c.is_whitespace() {
        out.push_str(&format!("\\x{{{:X}}}", c as u32));
    } else {
        out.push(c);
    }
}

/// A character that stands for itself in a class.
fn push_in_class(c: char, out: &mut String) {
    push_literal(c, out);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_as_java_does() {
        for (pattern, text, expected) in [
            (r"^\d+$", "123\n", true),
            (r"^\d+$", "123\n\n", false),
            (r"\w", "é", false),
            (r"a.b", "a\rb", false),
            (r"(?s)a.b", "a\nb", true),
            (r"(?m)^b$", "a\nb\nc", true),
            (r"\Qa.b\E", "a.b", true),
            (r"\Qa.b\E", "axb", false),
            (r"(ab)\1", "abab", true),
            (r"[0-9&&[^1]]", "1", false),
            (r"[\w-]+y", "x-y", true),
            (r"[^\s,]+", "  ,", false),
            (r"\p{Alpha}\p{Punct}", "a!", true),
            (r"\p{Lu}\p{IsAlphabetic}", "Éé", true),
            (r"\u0041\x42\0103", "ABC", true),
            (r"foo(?=bar)", "foobar", true),
            (r"(?<!a)b", "ab", false),
            (r"a++a", "aaa", false),
            (r"(?i)ABC", "abc", true),
            (r"[a\-z]", "-", true),
            (r"[]a]", "]", true),
            (r"x{2,3}", "xx", true),
        ] {
            let rewritten = translate(pattern).unwrap_or_else(|e| panic!("{pattern}: {e:?}"));
            let regex = fancy_regex::Regex::new(&rewritten).unwrap_or_else(|e| panic!("{pattern} → {rewritten}: {e}"));
            assert_eq!(regex.is_match(text).ok(), Some(expected), "{pattern} → {rewritten} on {text:?}");
        }
    }

    #[test]
    fn malformed() {
        for pattern in ["(", ")", "a{", "*a", r"\y", "[a", "a{2,1}", r"\p{Foo}", "(?z)"] {
            let bad = match translate(pattern) {
                Err(_) => true,
                Ok(rewritten) => fancy_regex::Regex::new(&rewritten).is_err(),
            };
            assert!(bad, "{pattern}");
        }
    }
}
