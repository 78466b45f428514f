//! Predefined character classes and properties of Java's regular expressions.

/// A set of characters as it is written inside brackets.
pub struct Class {
    items: String,
    negated: bool,
}

impl Class {
    fn new(items: impl Into<String>, negated: bool) -> Self {
        Class { items: items.into(), negated }
    }

    /// `\d`, `\w`, `\s`, `\h`, `\v` and their opposites; `None` for other letters.
    pub fn predefined(c: char, unicode: bool) -> Option<Class> {
        let items = match c.to_ascii_lowercase() {
            'd' if unicode => r"\p{Nd}",
            'd' => "0-9",
            'w' if unicode => r"\p{Alphabetic}\p{M}\p{Nd}\p{Pc}",
            'w' => "A-Za-z0-9_",
            's' if unicode => r"\p{White_Space}",
            's' => r"\x20\t\n\x0B\x0C\r",
            'h' => r"\x20\t\x{A0}\x{1680}\x{180E}\x{2000}-\x{200A}\x{202F}\x{205F}\x{3000}",
            'v' => r"\n\x0B\x0C\r\x{85}\x{2028}\x{2029}",
            _ => return None,
        };
        Some(Class::new(items, c.is_ascii_uppercase()))
    }

    /// As an expression of its own.
    pub fn outside(&self) -> String {
        format!("[{}{}]", if self.negated { "^" } else { "" }, self.items)
    }

    /// As a part of a class.
    pub fn inside(&self) -> String {
        if self.negated { self.outside() } else { self.items.clone() }
    }
}

/// `\p{name}`; `None` if there is no such property.
pub fn property(name: &str, negated: bool) -> Option<Class> {
    let items = match name {
        "Lower" => "a-z",
        "Upper" => "A-Z",
        "ASCII" => r"\x00-\x7F",
        "Alpha" => "A-Za-z",
        "Digit" => "0-9",
        "Alnum" => "A-Za-z0-9",
        "Punct" => r"!-/:-@\[-`{-\x7E",
        "Graph" => r"!-\x7E",
        "Print" => r"\x20-\x7E",
        "Blank" => r"\x20\t",
        "Cntrl" => r"\x00-\x1F\x7F",
        "XDigit" => "0-9A-Fa-f",
        "Space" => r"\x20\t\n\x0B\x0C\r",
        "javaLowerCase" => r"\p{Lowercase}",
        "javaUpperCase" => r"\p{Uppercase}",
        "javaWhitespace" => {
            r"\t\n\x0B\x0C\r\x1C-\x1F\x20\x{1680}\x{2000}-\x{2006}\x{2008}-\x{200A}\x{2028}\x{2029}\x{205F}\x{3000}"
        }
        "javaLetter" | "javaAlphabetic" => r"\p{L}",
        "javaDigit" => r"\p{Nd}",
        "javaLetterOrDigit" => r"\p{L}\p{Nd}",
        "javaTitleCase" => r"\p{Lt}",
        "LC" => r"\p{Lu}\p{Ll}\p{Lt}",
        "LD" => r"\p{L}\p{Nd}",
        "L1" => r"\x00-\x{FF}",
        "all" => r"\x{0}-\x{10FFFF}",
        _ => return unicode_property(name, negated),
    };
    Some(Class::new(items, negated))
}

/// General categories, scripts, blocks and binary properties, in Java's spellings.
fn unicode_property(name: &str, negated: bool) -> Option<Class> {
    let candidate = match name.split_once('=') {
        Some((key, value)) => match key.to_ascii_lowercase().as_str() {
            "sc" | "script" => format!("Script={value}"),
            "gc" | "general_category" => value.to_string(),
            "blk" | "block" => return block(value, negated),
            _ => return None,
        },
        None => match (name.strip_prefix("Is"), name.strip_prefix("In")) {
            (Some(property), _) => binary_property(property),
            (_, Some(name)) => return block(name, negated),
            _ if name.len() <= 2 => name.to_string(),
            _ => return None,
        },
    };
    let items = format!(r"\p{{{candidate}}}");
    regex::Regex::new(&items).ok().map(|_| Class::new(items, negated))
}

fn binary_property(name: &str) -> String {
    match name.to_ascii_uppercase().as_str() {
        "LETTER" => "L".into(),
        "DIGIT" => "Nd".into(),
        "PUNCTUATION" => "P".into(),
        "CONTROL" => "Cc".into(),
        "TITLECASE" => "Lt".into(),
        "WHITE_SPACE" | "WHITESPACE" => "White_Space".into(),
        "HEX_DIGIT" => "Hex_Digit".into(),
        "JOIN_CONTROL" => "Join_Control".into(),
        "NONCHARACTER_CODE_POINT" => "Noncharacter_Code_Point".into(),
        "IDEOGRAPHIC" => "Ideographic".into(),
        "ALPHABETIC" => "Alphabetic".into(),
        "LOWERCASE" => "Lowercase".into(),
        "UPPERCASE" => "Uppercase".into(),
        "ASSIGNED" => "Assigned".into(),
        "EMOJI" => "Emoji".into(),
        _ => name.into(),
    }
}

/// The blocks that people name.
fn block(name: &str, negated: bool) -> Option<Class> {
    let plain: String = name.chars().filter(|c| c.is_ascii_alphanumeric()).collect::<String>().to_ascii_uppercase();
    let items = match plain.as_str() {
        "BASICLATIN" => r"\x00-\x7F",
        "LATIN1SUPPLEMENT" => r"\x{80}-\x{FF}",
        "LATINEXTENDEDA" => r"\x{100}-\x{17F}",
        "LATINEXTENDEDB" => r"\x{180}-\x{24F}",
        "COMBININGDIACRITICALMARKS" => r"\x{300}-\x{36F}",
        "GREEK" | "GREEKANDCOPTIC" => r"\x{370}-\x{3FF}",
        "CYRILLIC" => r"\x{400}-\x{4FF}",
        "ARMENIAN" => r"\x{530}-\x{58F}",
        "HEBREW" => r"\x{590}-\x{5FF}",
        "ARABIC" => r"\x{600}-\x{6FF}",
        "DEVANAGARI" => r"\x{900}-\x{97F}",
        "THAI" => r"\x{E00}-\x{E7F}",
        "GENERALPUNCTUATION" => r"\x{2000}-\x{206F}",
        "CURRENCYSYMBOLS" => r"\x{20A0}-\x{20CF}",
        "HIRAGANA" => r"\x{3040}-\x{309F}",
        "KATAKANA" => r"\x{30A0}-\x{30FF}",
        "CJKUNIFIEDIDEOGRAPHS" => r"\x{4E00}-\x{9FFF}",
        "HANGULSYLLABLES" => r"\x{AC00}-\x{D7AF}",
        _ => return None,
    };
    Some(Class::new(items, negated))
}
