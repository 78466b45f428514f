//! Finding one string in another under a collation.

use super::key::{Collation, lower_chars};

/// Characters to trim.
pub struct CharSet {
    chars: Vec<char>,
    lower: bool,
}

impl CharSet {
    /// True if `c` is one of them.
    pub fn contains(&self, c: char) -> bool {
        if !self.lower {
            return self.chars.contains(&c);
        }
        let mut lowered = c;
        lower_chars(c, |l| lowered = l);
        self.chars.contains(&lowered)
    }
}

impl Collation {
    /// The characters of `set`, compared as this collation does where it ignores case.
    pub fn char_set(&self, set: &str) -> CharSet {
        let lower = self.name.case_insensitive;
        let chars = if lower {
            let mut chars = Vec::new();
            set.chars().for_each(|c| lower_chars(c, |l| chars.push(l)));
            chars
        } else {
            set.chars().collect()
        };
        CharSet { chars, lower }
    }

    /// `s` without the characters at its end.
    pub fn trim_end<'a>(&self, s: &'a str, members: &CharSet, _set: &str) -> &'a str {
        s.trim_end_matches(|c| members.contains(c))
    }

    /// The first place at or after byte `from` where `needle` stands: its byte range.
    pub fn find(&self, hay: &str, needle: &str, from: usize) -> Option<(usize, usize)> {
        let rest = hay.get(from..)?;
        if self.is_plain() {
            return rest.find(needle).map(|at| (from + at, from + at + needle.len()));
        }
        let needle = self.significant(needle);
        let starts = rest.char_indices().map(|(i, _)| i).chain([rest.len()]);
        for start in starts {
            if let Some(len) = self.prefix(&rest[start..], needle) {
                return Some((from + start, from + start + len));
            }
        }
        None
    }

    /// The last place at or before byte `until` where `needle` starts: its byte range.
    pub fn rfind(&self, hay: &str, needle: &str, until: usize) -> Option<(usize, usize)> {
        if self.is_plain() {
            let end = (until + needle.len()).min(hay.len());
            let end = (end..=hay.len()).find(|e| hay.is_char_boundary(*e))?;
            let at = hay[..end].rfind(needle).filter(|at| *at <= until)?;
            return Some((at, at + needle.len()));
        }
        let needle = self.significant(needle);
        let mut starts: Vec<usize> = hay.char_indices().map(|(i, _)| i).collect();
        starts.push(hay.len());
        starts.into_iter().rev().filter(|s| *s <= until).find_map(|s| Some((s, s + self.prefix(&hay[s..], needle)?)))
    }

    /// The length of the beginning of `hay` that equals `needle`.
    pub fn prefix(&self, hay: &str, needle: &str) -> Option<usize> {
        if self.name.is_binary() {
            return hay.starts_with(needle).then_some(needle.len());
        }
        if needle.is_empty() {
            return Some(0);
        }
        if self.name.is_lcase() {
            return lcase_prefix(hay, needle);
        }
        let key = self.key(needle);
        let limit = needle.chars().count() * 3 + 3;
        let mut best = None;
        for (i, c) in hay.char_indices().take(limit) {
            let end = i + c.len_utf8();
            if self.key(&hay[..end]) == key {
                best = Some(end);
            } else if best.is_some() {
                break;
            }
        }
        best
    }

    /// True if `hay` ends with `needle`.
    pub fn ends_with(&self, hay: &str, needle: &str) -> bool {
        if self.is_plain() {
            return hay.ends_with(needle);
        }
        let (hay, needle) = (self.significant(hay), self.significant(needle));
        if needle.is_empty() {
            return true;
        }
        hay.char_indices().any(|(i, _)| self.equal(&hay[i..], needle))
    }

    /// True if `hay` starts with `needle`.
    pub fn starts_with(&self, hay: &str, needle: &str) -> bool {
        if self.is_plain() {
            return hay.starts_with(needle);
        }
        self.prefix(hay, self.significant(needle)).is_some()
    }

    /// True if `needle` stands somewhere in `hay`.
    pub fn contains(&self, hay: &str, needle: &str) -> bool {
        if self.is_plain() { hay.contains(needle) } else { self.find(hay, needle, 0).is_some() }
    }
}

fn lcase_prefix(hay: &str, needle: &str) -> Option<usize> {
    let mut wanted = Vec::with_capacity(needle.len());
    needle.chars().for_each(|c| lower_chars(c, |l| wanted.push(l)));
    let mut matched = 0;
    for (i, c) in hay.char_indices() {
        let mut fits = true;
        lower_chars(c, |l| {
            fits &= wanted.get(matched) == Some(&l);
            matched += 1;
        });
        if !fits {
            return None;
        }
        if matched == wanted.len() {
            return Some(i + c.len_utf8());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds() {
        for (name, hay, needle, expected) in [
            ("UTF8_BINARY", "abcabc", "c", Some((2, 3))),
            ("UTF8_LCASE", "xABC", "ab", Some((1, 3))),
            ("UNICODE_CI", "xABC", "bc", Some((2, 4))),
            ("UNICODE_CI_AI", "abÅ", "å", Some((0, 1))),
            ("UTF8_LCASE", "abc", "d", None),
        ] {
            let Ok(collation) = Collation::named(name) else { panic!("{name}") };
            assert_eq!(collation.find(hay, needle, 0), expected, "{needle} in {hay} by {name}");
        }
    }
}
