//! URL functions.

use datafusion::common::Result;
use datafusion::logical_expr::ColumnarValue;
use spark::types::DataType;
use spark::{Error, ErrorKind, Result as SparkResult};

use super::regex::pattern::Pattern;
use super::rows::{self, Text};
use crate::call::Call;
use crate::coerce::Expected;
use crate::error::fail;
use crate::kernel::{Kernel, KernelArgs, Options};
use crate::registry::{Build, Function};
use crate::typed::Typed;

/// Functions of this file.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "parse_url", build: Build::Scalar(parse_url) },
    Function { name: "try_parse_url", build: Build::Scalar(parse_url) },
    Function { name: "url_encode", build: Build::Scalar(url_encode) },
    Function { name: "url_decode", build: Build::Scalar(url_decode) },
    Function { name: "try_url_decode", build: Build::Scalar(url_decode) },
];

const PARSE_URL: Kernel = Kernel::new("parse_url", eval_parse);
const URL_ENCODE: Kernel = Kernel::new("url_encode", eval_encode);
const URL_DECODE: Kernel = Kernel::new("url_decode", eval_decode);

/// Kernels of this file.
pub const KERNELS: &[Kernel] = &[PARSE_URL, URL_ENCODE, URL_DECODE];

fn parse_url(mut call: Call) -> SparkResult<Typed> {
    // Without ANSI mode a malformed URL is null, as in the `try_` form.
    let ansi = call.settings.ansi && call.name == "parse_url";
    let name = call.display_name();
    call.in_errors("parse_url");
    // Spark counts these arguments when it checks their types, and says no place.
    call.arity(2..=3).map_err(spark::Error::nowhere)?;
    for i in 0..call.args.len() {
        rows::strict(&mut call, i, Expected::String)?;
    }
    let options = Options { ansi, ..call.options() };
    Ok(call.kernel_with(&PARSE_URL, options, DataType::STRING, true).named(name))
}

fn url_encode(mut call: Call) -> SparkResult<Typed> {
    call.arity(1..=1)?;
    call.expect(0, Expected::String)?;
    Ok(call.kernel(&URL_ENCODE, DataType::STRING, true))
}

fn url_decode(mut call: Call) -> SparkResult<Typed> {
    call.arity(1..=1)?;
    let name = call.display_name();
    let options = Options { ansi: call.name == "url_decode", ..call.options() };
    call.in_errors("url_decode");
    call.expect(0, Expected::String)?;
    Ok(call.kernel_with(&URL_DECODE, options, DataType::STRING, true).named(name))
}

/// A URI's parts, undecoded, as `java.net.URI` has them.
struct Uri<'a> {
    scheme: Option<&'a str>,
    authority: Option<&'a str>,
    path: Option<&'a str>,
    query: Option<&'a str>,
    fragment: Option<&'a str>,
}

impl<'a> Uri<'a> {
    /// `None` if the text is no URI.
    fn parse(text: &'a str) -> Option<Uri<'a>> {
        let legal = |c: char| {
            c.is_alphanumeric() && !c.is_control()
                || "-_.!~*'();:@&=+$,/?#[]%".contains(c)
                || !c.is_ascii() && !c.is_whitespace() && !c.is_control()
        };
        if !text.chars().all(legal) || !escapes_are_valid(text) {
            return None;
        }
        let (rest, fragment) = split(text, '#');
        if fragment.is_some_and(|f| f.contains('#')) {
            return None;
        }
        let (scheme, rest) = match rest.find([':', '/', '?']).filter(|i| rest.as_bytes()[*i] == b':') {
            Some(i) => (Some(&rest[..i]), &rest[i + 1..]),
            None => (None, rest),
        };
        if let Some(scheme) = scheme {
            let mut chars = scheme.chars();
            let fine = chars.next().is_some_and(|c| c.is_ascii_alphabetic())
                && chars.all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
            if !fine || rest.is_empty() {
                return None;
            }
            if !rest.starts_with('/') {
                // Opaque: nothing but a scheme and a fragment.
                return Some(Uri { scheme: Some(scheme), authority: None, path: None, query: None, fragment });
            }
        }
        let (rest, query) = split(rest, '?');
        let (authority, path) = match rest.strip_prefix("//") {
            Some(after) => {
                let end = after.find('/').unwrap_or(after.len());
                let authority = &after[..end];
                if authority.is_empty() && end == after.len() {
                    return None;
                }
                (Some(authority).filter(|a| !a.is_empty()), &after[end..])
            }
            None => (None, rest),
        };
        if path.contains(['[', ']']) {
            return None;
        }
        Some(Uri { scheme, authority, path: Some(path), query, fragment })
    }

    /// User and host, `None` if the authority is no server.
    fn server(&self) -> Option<(Option<&'a str>, &'a str)> {
        let authority = self.authority?;
        let (user, rest) = match authority.rsplit_once('@') {
            Some((user, rest)) => (Some(user), rest),
            None => (None, authority),
        };
        let host_end = match rest.starts_with('[') {
            true => rest.find(']')? + 1,
            false => rest.find(':').unwrap_or(rest.len()),
        };
        let (host, port) = rest.split_at(host_end);
        let port = port.strip_prefix(':').unwrap_or(port);
        let port_fine = port.bytes().all(|b| b.is_ascii_digit());
        let host_fine = host.starts_with('[') || is_host_name(host);
        (port_fine && host_fine && !host.is_empty()).then_some((user, host))
    }

    fn part(&self, part: &str) -> Option<String> {
        let query = || self.query.map(str::to_string);
        match part {
            "HOST" => self.server().map(|(_, host)| host.to_string()),
            "PATH" => self.path.map(str::to_string),
            "QUERY" => query(),
            "REF" => self.fragment.map(str::to_string),
            "PROTOCOL" => self.scheme.map(str::to_string),
            "FILE" => {
                let path = self.path?;
                Some(self.query.map_or(path.to_string(), |q| format!("{path}?{q}")))
            }
            "AUTHORITY" => self.authority.map(str::to_string),
            "USERINFO" => self.server().and_then(|(user, _)| user.map(str::to_string)),
            _ => None,
        }
    }
}

fn split(text: &str, at: char) -> (&str, Option<&str>) {
    text.split_once(at).map_or((text, None), |(before, after)| (before, Some(after)))
}

fn escapes_are_valid(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes
        .iter()
        .enumerate()
        .filter(|(_, b)| **b == b'%')
        .all(|(i, _)| bytes.get(i + 1..i + 3).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)))
}

/// Labels of letters, digits and inner hyphens; the last starts with a letter unless it is an address.
fn is_host_name(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    let labels: Vec<&str> = host.split('.').collect();
    let fine = labels.iter().all(|l| {
        !l.is_empty()
            && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !l.starts_with('-')
            && !l.ends_with('-')
    });
    let address = labels.len() == 4 && labels.iter().all(|l| l.parse::<u8>().is_ok());
    fine && (address || labels.last().is_some_and(|l| l.starts_with(|c: char| c.is_ascii_alphabetic())))
}

fn eval_parse(args: &KernelArgs) -> Result<ColumnarValue> {
    let (urls, parts) = (Text::of(args, 0)?, Text::of(args, 1)?);
    let keys = if args.args.len() > 2 { Some(Text::of(args, 2)?) } else { None };
    rows::strings(args, |row, out| {
        let (Some(url), Some(part)) = (urls.get(row), parts.get(row)) else { return Ok(false) };
        let key = match &keys {
            None => None,
            Some(keys) => match keys.get(row) {
                Some(key) if part == "QUERY" => Some(key),
                _ => return Ok(false),
            },
        };
        let Some(uri) = Uri::parse(url) else {
            return if args.ansi() { fail(invalid_url(url)) } else { Ok(false) };
        };
        let Some(found) = uri.part(part) else { return Ok(false) };
        match key {
            None => out.push_str(&found),
            Some(key) => match query_value(&found, key)? {
                Some(value) => out.push_str(&value),
                None => return Ok(false),
            },
        }
        Ok(true)
    })
}

/// The key is a pattern, as it always was.
fn query_value(query: &str, key: &str) -> Result<Option<String>> {
    let pattern = Pattern::compile(&format!("(&|^){key}=([^&]*)"), "parse_url")?;
    Ok(pattern.captures(query, 0)?.and_then(|c| c.get(2).map(|m| m.as_str().to_string())))
}

fn invalid_url(url: &str) -> Error {
    Error::new(ErrorKind::IllegalArgument, "INVALID_URL")
        .param("url", url)
        .with_message(format!("{url} is not a URL; use try_parse_url to get NULL instead."))
}

fn eval_encode(args: &KernelArgs) -> Result<ColumnarValue> {
    let text = Text::of(args, 0)?;
    rows::strings(args, |row, out| {
        let Some(s) = text.get(row) else { return Ok(false) };
        out.push_str(&encode(s));
        Ok(true)
    })
}

/// `application/x-www-form-urlencoded` in UTF-8.
pub fn encode(s: &str) -> String {
    let mut out = String::with_capacity(s.len());
    for b in s.bytes() {
        match b {
            b' ' => out.push('+'),
            b if b.is_ascii_alphanumeric() || b"-_.*".contains(&b) => out.push(char::from(b)),
            b => out.push_str(&format!("%{b:02X}")),
        }
    }
    out
}

/// The text that [`encode`] made; `None` if an escape is malformed.
pub fn decode(s: &str) -> Option<String> {
    if !escapes_are_valid(s) {
        return None;
    }
    let mut bytes = Vec::with_capacity(s.len());
    let mut rest = s.as_bytes();
    while let Some((b, after)) = rest.split_first() {
        rest = after;
        match b {
            b'+' => bytes.push(b' '),
            b'%' => {
                let hex = std::str::from_utf8(&after[..2]).unwrap_or("0");
                bytes.push(u8::from_str_radix(hex, 16).unwrap_or(0));
                rest = &after[2..];
            }
            b => bytes.push(*b),
        }
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn eval_decode(args: &KernelArgs) -> Result<ColumnarValue> {
    let text = Text::of(args, 0)?;
    rows::strings(args, |row, out| {
        let Some(s) = text.get(row) else { return Ok(false) };
        match decode(s) {
            Some(decoded) => out.push_str(&decoded),
            None if !args.ansi() => return Ok(false),
            None => {
                return fail(
                    Error::new(ErrorKind::IllegalArgument, "CANNOT_DECODE_URL")
                        .param("url", s)
                        .with_message(format!("{s} has a malformed escape.")),
                );
            }
        }
        Ok(true)
    })
}

#[cfg(test)]
mod tests {
    use super::super::rows::testing::{s, text};
    use super::*;

    #[test]
    fn parts() {
        let url = "http://user:pw@host.com:8080/p/a?x=1&y=2#ref";
        for (url, part, expected) in [
            (url, "AUTHORITY", "user:pw@host.com:8080"),
            (url, "USERINFO", "user:pw"),
            (url, "FILE", "/p/a?x=1&y=2"),
            (url, "REF", "ref"),
            (url, "PROTOCOL", "http"),
            ("http://h", "PATH", ""),
            ("http://h", "QUERY", "NULL"),
            ("/rel/p?q=1", "PATH", "/rel/p"),
            ("mailto:a@b.c", "HOST", "NULL"),
            ("http://[::1]:80/", "HOST", "[::1]"),
            ("http://h_a/", "HOST", "NULL"),
            ("inva lid://a", "HOST", "!INVALID_URL"),
            ("http://h/?a=[", "QUERY", "a=["),
        ] {
            assert_eq!(text(&PARSE_URL, &[s(url), s(part)]), expected, "{url} {part}");
        }
        assert_eq!(text(&PARSE_URL, &[s(url), s("QUERY"), s("y")]), "2");
        assert_eq!(text(&URL_ENCODE, &[s("a b+c/é~*-_.")]), "a+b%2Bc%2F%C3%A9%7E*-_.");
        assert_eq!(text(&URL_DECODE, &[s("a+b%20c")]), "a b c");
        assert_eq!(text(&URL_DECODE, &[s("%zz")]), "!CANNOT_DECODE_URL");
    }
}
