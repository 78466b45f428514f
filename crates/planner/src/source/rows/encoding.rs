//! The encodings of text files.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use spark::{Error, ErrorKind, Result};

/// How the bytes of a file stand for characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Encoding {
    Utf8,
    /// A byte is a character.
    Latin1,
    /// Two bytes a unit; the mark at the start says in which order, or else the flag (little first).
    Utf16 {
        little: bool,
    },
    /// Four bytes a character.
    Utf32,
}

/// Spark's list of what it reads.
const NAMES: &str = "iso-8859-1, us-ascii, utf-16, utf-16be, utf-16le, utf-32, utf-8";

impl Encoding {
    /// The encoding by its name, as the option of a reader or writer of `format` has it.
    ///
    /// # Errors
    /// `INVALID_PARAMETER_VALUE.CHARSET`.
    pub fn named(name: &str, format: &str) -> Result<Self> {
        match name.to_ascii_uppercase().replace('_', "-").as_str() {
            "UTF-8" | "UTF8" | "US-ASCII" | "ASCII" => Ok(Encoding::Utf8),
            "ISO-8859-1" | "LATIN1" => Ok(Encoding::Latin1),
            "UTF-16" | "UTF-16BE" => Ok(Encoding::Utf16 { little: false }),
            "UTF-16LE" => Ok(Encoding::Utf16 { little: true }),
            "UTF-32" => Ok(Encoding::Utf32),
            _ => Err(Error::new(ErrorKind::IllegalArgument, "INVALID_PARAMETER_VALUE.CHARSET")
                .param("functionName", format!("`{}Options`", format.to_ascii_uppercase()))
                .param("parameter", "`charset`")
                .param("charset", name)
                .param("charsets", NAMES)
                .with_message(format!("{name} is not an encoding that files are read in; these are: {NAMES}."))),
        }
    }

    /// The encoding of a JSON text without a name for it: a mark tells it, or the zeros around its first
    /// character, which is one of ASCII.
    pub fn of_json(bytes: &[u8]) -> Self {
        match bytes {
            [0, 0, 0xFE, 0xFF, ..] | [0xFF, 0xFE, 0, 0, ..] => Encoding::Utf32,
            [0, 0, 0, c, ..] if *c != 0 => Encoding::Utf32,
            [0xFE, 0xFF, ..] => Encoding::Utf16 { little: false },
            [0, c, ..] if *c != 0 => Encoding::Utf16 { little: false },
            [0xFF, 0xFE, ..] => Encoding::Utf16 { little: true },
            [c, 0, d, ..] if *c != 0 && *d != 0 => Encoding::Utf16 { little: true },
            _ => Encoding::Utf8,
        }
    }

    /// Whether a line end is always the byte of one, so that files may be cut at it.
    pub fn splits_at_bytes(self) -> bool {
        matches!(self, Encoding::Utf8 | Encoding::Latin1)
    }

    /// The text that the bytes are; a mark of the order of bytes is no part of it.
    pub fn decode(self, bytes: &[u8]) -> Cow<'_, str> {
        match self {
            Encoding::Utf8 => String::from_utf8_lossy(bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes)),
            Encoding::Latin1 => bytes.iter().map(|b| char::from(*b)).collect::<String>().into(),
            Encoding::Utf16 { little } => utf16(bytes, little).into(),
            Encoding::Utf32 => utf32(bytes).into(),
        }
    }

    /// The bytes of a text.
    pub fn encode(self, text: &str) -> Vec<u8> {
        match self {
            Encoding::Utf8 => text.as_bytes().to_vec(),
            Encoding::Latin1 => text.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect(),
            Encoding::Utf16 { little } => {
                text.encode_utf16().flat_map(|u| if little { u.to_le_bytes() } else { u.to_be_bytes() }).collect()
            }
            Encoding::Utf32 => text.chars().flat_map(|c| u32::from(c).to_be_bytes()).collect(),
        }
    }
}

fn utf16(bytes: &[u8], little: bool) -> String {
    let (little, bytes) = match bytes {
        [0xFE, 0xFF, rest @ ..] => (false, rest),
        [0xFF, 0xFE, rest @ ..] => (true, rest),
        _ => (little, bytes),
    };
    let unit = |pair: &[u8]| match pair {
        [a, b] if little => u16::from_le_bytes([*a, *b]),
        [a, b] => u16::from_be_bytes([*a, *b]),
        // Half a unit at the end.
        _ => 0xFFFD,
    };
    char::decode_utf16(bytes.chunks(2).map(unit)).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

fn utf32(bytes: &[u8]) -> String {
    let (little, bytes) = match bytes {
        [0, 0, 0xFE, 0xFF, rest @ ..] => (false, rest),
        [0xFF, 0xFE, 0, 0, rest @ ..] => (true, rest),
        _ => (false, bytes),
    };
    let character = |four: &[u8]| match four {
        [a, b, c, d] if little => char::from_u32(u32::from_le_bytes([*a, *b, *c, *d])),
        [a, b, c, d] => char::from_u32(u32::from_be_bytes([*a, *b, *c, *d])),
        _ => None,
    };
    bytes.chunks(4).map(|four| character(four).unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_back() {
        for name in ["utf-8", "UTF-16", "utf-16le", "UTF-32", "latin1"] {
            let encoding = Encoding::named(name, "csv").unwrap_or_else(|e| panic!("{name}: {e}"));
            assert_eq!(encoding.decode(&encoding.encode("aé\n")), "aé\n", "{name}");
        }
        for (bytes, expect) in [
            (&b"{}"[..], Encoding::Utf8),
            (b"{\0}\0", Encoding::Utf16 { little: true }),
            (b"\0{\0}", Encoding::Utf16 { little: false }),
            (b"\xFF\xFE{\0", Encoding::Utf16 { little: true }),
            (b"\0\0\0{", Encoding::Utf32),
        ] {
            assert_eq!(Encoding::of_json(bytes), expect, "{bytes:?}");
        }
        assert_eq!(Encoding::Utf16 { little: false }.decode(b"\xFF\xFEa\0"), "a");
        assert!(Encoding::named("bogus", "csv").is_err());
    }
}
