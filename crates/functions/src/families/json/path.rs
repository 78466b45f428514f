//! JSON paths of `get_json_object`, and what they select.

use super::parse::{Json, write_string};

/// A step of a path.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// `.name`, `['name']`
    Name(String),
    /// `.*`
    AnyName,
    /// `[n]`
    Index(usize),
    /// `[*]`
    AnyIndex,
}

/// Reads a path; `None` if it is malformed, which selects nothing.
pub fn parse_path(text: &str) -> Option<Vec<Step>> {
    let mut rest = text.strip_prefix('$')?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix("['") {
            let end = after.find("']")?;
            if end == 0 || after[..end].contains(['\'', '?']) {
                return None;
            }
            steps.push(if &after[..end] == "*" { Step::AnyName } else { Step::Name(after[..end].to_string()) });
            rest = &after[end + 2..];
        } else if let Some(after) = rest.strip_prefix('[') {
            let end = after.find(']')?;
            steps.push(if &after[..end] == "*" { Step::AnyIndex } else { Step::Index(after[..end].parse().ok()?) });
            rest = &after[end + 1..];
        } else {
            let after = rest.strip_prefix('.')?;
            let end = after.find(['.', '[']).unwrap_or(after.len());
            if end == 0 {
                return None;
            }
            steps.push(if &after[..end] == "*" { Step::AnyName } else { Step::Name(after[..end].to_string()) });
            rest = &after[end..];
        }
    }
    Some(steps)
}

#[derive(Clone, Copy, PartialEq)]
enum Style {
    /// Strings bare: a single value at the top.
    Raw,
    /// Strings quoted.
    Quoted,
    /// Arrays merged into the one above.
    Flatten,
}

/// Writes what `steps` select from `json`; false if that is nothing.
pub fn select(json: &Json, steps: &[Step], out: &mut String) -> bool {
    let mut writer = Writer { out, needs_comma: false };
    walk(json, steps, Style::Raw, &mut writer)
}

struct Writer<'a> {
    out: &'a mut String,
    /// A value was written in the current array.
    needs_comma: bool,
}

impl Writer<'_> {
    fn separate(&mut self) {
        if std::mem::replace(&mut self.needs_comma, true) {
            self.out.push(',');
        }
    }

    fn array(&mut self, f: impl FnOnce(&mut Self) -> bool) -> bool {
        self.separate();
        self.out.push('[');
        self.needs_comma = false;
        let dirty = f(self);
        self.out.push(']');
        self.needs_comma = true;
        dirty
    }
}

fn walk(json: &Json, steps: &[Step], style: Style, writer: &mut Writer) -> bool {
    match (json, steps) {
        (Json::Text(text), []) if style == Style::Raw => {
            // An empty string is written but selects nothing by itself.
            writer.separate();
            writer.out.push_str(text);
            true
        }
        (Json::List(items), []) if style == Style::Flatten => {
            let mut dirty = false;
            for item in items {
                dirty |= walk(item, &[], style, writer);
            }
            dirty
        }
        (_, []) => {
            writer.separate();
            match json {
                Json::Text(text) => write_string(text, writer.out),
                other => other.write(writer.out),
            }
            true
        }
        (Json::Object(fields), [Step::Name(name), rest @ ..]) => {
            for (key, value) in fields {
                if key == name {
                    return !matches!(value, Json::Null) && walk(value, rest, style, writer);
                }
            }
            false
        }
        (Json::List(items), [Step::AnyIndex, Step::AnyIndex, rest @ ..]) => writer.array(|w| {
            let mut dirty = false;
            for item in items {
                dirty |= walk(item, rest, Style::Flatten, w);
            }
            dirty
        }),
        (Json::List(items), [Step::AnyIndex, rest @ ..]) if style != Style::Quoted => every(items, rest, style, writer),
        (Json::List(items), [Step::AnyIndex, rest @ ..]) => writer.array(|w| {
            let mut dirty = false;
            for item in items {
                dirty |= walk(item, rest, Style::Quoted, w);
            }
            dirty
        }),
        (Json::List(items), [Step::Index(i), rest @ ..]) => {
            let quoted = matches!(rest, [Step::AnyIndex, ..]);
            items.get(*i).is_some_and(|item| walk(item, rest, if quoted { Style::Quoted } else { style }, writer))
        }
        _ => false,
    }
}

/// All elements: an array if there are several, the element itself if there is one.
fn every(items: &[Json], rest: &[Step], style: Style, writer: &mut Writer) -> bool {
    let next = match style {
        Style::Raw => Style::Quoted,
        Style::Flatten => Style::Flatten,
        Style::Quoted => Style::Quoted,
    };
    let mut buffer = String::new();
    let mut inner = Writer { out: &mut buffer, needs_comma: false };
    let mut dirty = 0;
    for item in items {
        dirty += usize::from(walk(item, rest, next, &mut inner));
    }
    match dirty {
        0 => false,
        1 => {
            writer.separate();
            writer.out.push_str(&buffer);
            true
        }
        _ => {
            writer.separate();
            writer.out.push('[');
            writer.out.push_str(&buffer);
            writer.out.push(']');
            true
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse::{Leniency, parse};
    use super::*;

    #[test]
    fn selects() {
        for (text, path, expected) in [
            (r#"{"a":"b"}"#, "$.a", Some("b")),
            (r#"[{"a":"b"},{"a":"c"}]"#, "$[0].a", Some("b")),
            (r#"[{"a":"b"},{"a":"c"}]"#, "$[*].a", Some(r#"["b","c"]"#)),
            (r#"{"a":[{"b":1}]}"#, "$.a[*].b", Some("1")),
            (r#"{"a":["x"]}"#, "$.a[*]", Some("\"x\"")),
            (r#"{"a":["x"]}"#, "$.a[0]", Some("x")),
            (r#"{"a":[]}"#, "$.a[*]", None),
            ("[[1,2],[3]]", "$[*][*]", Some("[1,2,3]")),
            ("[[1,2],[3]]", "$[*][0]", Some("[1,3]")),
            (r#"{"a":[["x"],["y"]]}"#, "$.a[*][0]", Some(r#"["x","y"]"#)),
            (r#"{"a":{"b":1}}"#, "$.a.*", None),
            (r#"{"e":null}"#, "$.e", None),
            (r#"{"a b":1}"#, "$['a b']", Some("1")),
            (r#"{"a":1}"#, "$", Some(r#"{"a":1}"#)),
            (r#"{"a":1,"a":2}"#, "$.a", Some("1")),
        ] {
            let steps = parse_path(path).unwrap_or_default();
            let Ok(Some(json)) = parse(text, Leniency::DEFAULT) else { panic!("{text}") };
            let mut out = String::new();
            let got = select(&json, &steps, &mut out).then_some(out.as_str());
            assert_eq!(got, expected, "{text} {path}");
        }
        assert_eq!(parse_path("a"), None);
        assert_eq!(parse_path("$.a[x]"), None);
    }
}
