//! Dates and times by the pattern letters of files' `dateFormat` and `timestampFormat` options.

use functions::families::datetime::calendar::{MONTHS, WEEKDAYS, weekday};

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// Prints a wall clock time; `offset` in seconds for the zone letters.
pub fn format(pattern: &str, micros: i64, offset: Option<i32>) -> String {
    let fields = Fields::new(micros, offset);
    let mut out = String::new();
    let chars: Vec<char> = pattern.chars().collect();
    let mut i = 0;
    while i < chars.len() {
        let c = chars[i];
        if c == '\'' {
            let (text, next) = quoted(&chars, i);
            out.push_str(&text);
            i = next;
        } else if c == '[' || c == ']' {
            i += 1;
        } else if c.is_ascii_alphabetic() {
            let run = chars[i..].iter().take_while(|x| **x == c).count();
            out.push_str(&fields.letter(c, run));
            i += run;
        } else {
            out.push(c);
            i += 1;
        }
    }
    out
}

fn quoted(chars: &[char], at: usize) -> (String, usize) {
    if chars.get(at + 1) == Some(&'\'') {
        return ("'".into(), at + 2);
    }
    let end = chars[at + 1..].iter().position(|c| *c == '\'').map_or(chars.len(), |p| at + 1 + p);
    (chars[at + 1..end].iter().collect(), end + 1)
}

struct Fields {
    date: String,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
    micro: i64,
    offset: Option<i32>,
}

impl Fields {
    fn new(micros: i64, offset: Option<i32>) -> Self {
        let day = micros.div_euclid(MICROS_PER_DAY);
        let rest = micros.rem_euclid(MICROS_PER_DAY);
        let seconds = rest / 1_000_000;
        Fields {
            date: crate::text::date_text(day),
            day,
            hour: seconds / 3600,
            minute: seconds / 60 % 60,
            second: seconds % 60,
            micro: rest % 1_000_000,
            offset,
        }
    }

    fn part(&self, from_end: usize) -> &str {
        // The year may have a sign; month and day are always the last two parts.
        let at = self.date.len() - from_end;
        &self.date[at..at + 2]
    }

    fn letter(&self, letter: char, run: usize) -> String {
        let number = |n: i64| format!("{n:0run$}");
        match letter {
            'y' | 'u' => {
                let year = &self.date[..self.date.len() - 6];
                if run == 2 { year[year.len() - 2..].to_string() } else { year.to_string() }
            }
            'M' | 'L' => {
                let month: usize = self.part(5).parse().unwrap_or(1);
                match run {
                    1 => month.to_string(),
                    2 => self.part(5).to_string(),
                    3 => MONTHS[month - 1][..3].to_string(),
                    _ => MONTHS[month - 1].to_string(),
                }
            }
            'd' => {
                if run == 1 {
                    self.part(2).trim_start_matches('0').to_string()
                } else {
                    self.part(2).to_string()
                }
            }
            'E' => {
                let name = WEEKDAYS[weekday(self.day) as usize];
                if run < 4 { name[..3].to_string() } else { name.to_string() }
            }
            'H' => number(self.hour),
            'k' => number(if self.hour == 0 { 24 } else { self.hour }),
            'h' => number(if self.hour % 12 == 0 { 12 } else { self.hour % 12 }),
            'K' => number(self.hour % 12),
            'a' => {
                if self.hour < 12 {
                    "AM".into()
                } else {
                    "PM".into()
                }
            }
            'm' => number(self.minute),
            's' => number(self.second),
            'S' => format!("{:06}000", self.micro).chars().take(run).collect(),
            'X' | 'x' | 'Z' => self.zone(letter, run),
            other => other.to_string().repeat(run),
        }
    }

    fn zone(&self, letter: char, run: usize) -> String {
        let Some(offset) = self.offset else { return String::new() };
        if letter == 'X' && offset == 0 {
            return "Z".into();
        }
        let sign = if offset < 0 { '-' } else { '+' };
        let (h, m, s) = (offset.abs() / 3600, offset.abs() / 60 % 60, offset.abs() % 60);
        let colon = if letter == 'Z' { run == 5 } else { run == 3 || run == 5 };
        let mut text = format!("{sign}{h:02}");
        if letter == 'Z' || run > 1 || m != 0 {
            text.push_str(&if colon { format!(":{m:02}") } else { format!("{m:02}") });
        }
        if s != 0 && run >= 4 {
            text.push_str(&if colon { format!(":{s:02}") } else { format!("{s:02}") });
        }
        text
    }
}

/// What a text says by a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parsed {
    /// Microseconds of the wall clock.
    pub micros: i64,
    /// Seconds east of Greenwich, where the pattern has zone letters.
    pub offset: Option<i32>,
}

/// Reads `text` by `pattern`; optional sections may be absent.
pub fn parse(pattern: &str, text: &str) -> Option<Parsed> {
    let mut parser = PatternParser {
        rest: text,
        year: 1970,
        month: 1,
        day: 1,
        hour: 0,
        minute: 0,
        second: 0,
        micro: 0,
        pm: None,
        offset: None,
    };
    let chars: Vec<char> = pattern.chars().collect();
    parser.section(&chars)?;
    parser.rest.is_empty().then_some(())?;
    parser.result()
}

struct PatternParser<'a> {
    rest: &'a str,
    year: i32,
    month: u32,
    day: u32,
    hour: u32,
    minute: u32,
    second: u32,
    micro: u32,
    pm: Option<bool>,
    offset: Option<i32>,
}

impl PatternParser<'_> {
    fn section(&mut self, chars: &[char]) -> Option<()> {
        let mut i = 0;
        while i < chars.len() {
            let c = chars[i];
            if c == '\'' {
                let (text, next) = quoted(chars, i);
                self.rest = self.rest.strip_prefix(text.as_str())?;
                i = next;
            } else if c == '[' {
                let end = closing(chars, i);
                let before = (self.rest, self.micro, self.offset);
                if self.section(&chars[i + 1..end]).is_none() {
                    (self.rest, self.micro, self.offset) = before;
                }
                i = end + 1;
            } else if c.is_ascii_alphabetic() {
                let run = chars[i..].iter().take_while(|x| **x == c).count();
                self.letter(c, run)?;
                i += run;
            } else {
                self.rest = self.rest.strip_prefix(c)?;
                i += 1;
            }
        }
        Some(())
    }

    fn number(&mut self, min: usize, max: usize) -> Option<u32> {
        let digits = self.rest.bytes().take(max).take_while(u8::is_ascii_digit).count();
        if digits < min {
            return None;
        }
        let (number, rest) = self.rest.split_at(digits);
        self.rest = rest;
        number.parse().ok()
    }

    fn letter(&mut self, letter: char, run: usize) -> Option<()> {
        let two = if run == 1 { (1, 2) } else { (run, run) };
        match letter {
            'y' | 'u' if run == 2 => self.year = 2000 + self.number(2, 2)? as i32,
            'y' | 'u' => {
                self.year = self.number(if run == 1 { 1 } else { run }, if run == 1 { 6 } else { run })? as i32
            }
            'M' | 'L' if run >= 3 => self.month = self.month_name()?,
            'M' | 'L' => self.month = self.number(two.0, two.1)?,
            'd' => self.day = self.number(two.0, two.1)?,
            'H' | 'k' | 'h' | 'K' => self.hour = self.number(two.0, two.1)?,
            'm' => self.minute = self.number(two.0, two.1)?,
            's' => self.second = self.number(two.0, two.1)?,
            'S' => {
                let before = self.rest;
                self.number(run.min(1), run.max(1))?;
                let digits = &before[..before.len() - self.rest.len()];
                self.micro = format!("{digits:0<6}").get(..6)?.parse().ok()?;
            }
            'a' => {
                let upper = self.rest.get(..2)?.to_ascii_uppercase();
                self.pm = Some(if upper == "PM" {
                    true
                } else if upper == "AM" {
                    false
                } else {
                    return None;
                });
                self.rest = &self.rest[2..];
            }
            'X' | 'x' | 'Z' | 'V' | 'z' | 'O' => self.zone()?,
            'E' => self.rest = self.rest.trim_start_matches(|c: char| c.is_alphabetic()),
            _ => return None,
        }
        Some(())
    }

    fn month_name(&mut self) -> Option<u32> {
        const SHORT: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
        let end = self.rest.find(|c: char| !c.is_alphabetic()).unwrap_or(self.rest.len());
        let name = self.rest[..end].to_ascii_lowercase();
        let month = SHORT.iter().position(|m| name.starts_with(m))?;
        self.rest = &self.rest[end..];
        Some(month as u32 + 1)
    }

    fn zone(&mut self) -> Option<()> {
        let end = self.rest.find([' ', ']', ',']).unwrap_or(self.rest.len());
        let (zone, rest) = self.rest.split_at(end);
        self.offset = Some(match sql::Zone::parse(zone)? {
            sql::Zone::Fixed(seconds) => seconds,
            region => {
                let micros = self.result()?.micros;
                region.offset_at(micros)?
            }
        });
        self.rest = rest;
        Some(())
    }

    fn result(&self) -> Option<Parsed> {
        let hour = match self.pm {
            Some(pm) => self.hour % 12 + if pm { 12 } else { 0 },
            None => self.hour,
        };
        let at = chrono::NaiveDate::from_ymd_opt(self.year, self.month, self.day)?.and_hms_micro_opt(
            hour,
            self.minute,
            self.second,
            self.micro,
        )?;
        Some(Parsed { micros: at.and_utc().timestamp_micros(), offset: self.offset })
    }
}

fn closing(chars: &[char], open: usize) -> usize {
    let mut depth = 0;
    for (i, c) in chars.iter().enumerate().skip(open) {
        match c {
            '[' => depth += 1,
            ']' => {
                depth -= 1;
                if depth == 0 {
                    return i;
                }
            }
            _ => {}
        }
    }
    chars.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters() {
        let micros = 1_577_836_800_120_000; // 2020-01-01 00:00:00.12
        for (pattern, offset, expect) in [
            ("yyyy-MM-dd'T'HH:mm:ss[.SSS][XXX]", Some(0), "2020-01-01T00:00:00.120Z"),
            ("yyyy-MM-dd'T'HH:mm:ss[.SSS][XXX]", Some(-28_800), "2020-01-01T00:00:00.120-08:00"),
            ("d/M/yy h a EEE MMM ''", None, "1/1/20 12 AM Wed Jan '"),
        ] {
            assert_eq!(format(pattern, micros, offset), expect);
        }
    }

    #[test]
    fn texts_are_read_back() {
        for (pattern, text, micros, offset) in [
            ("yyyy-MM-dd", "2020-01-01", Some(1_577_836_800_000_000), None),
            ("d/M/yyyy", "1/1/2020", Some(1_577_836_800_000_000), None),
            (
                "yyyy-MM-dd'T'HH:mm:ss[.SSS][XXX]",
                "2020-01-01T00:00:00.120+01:00",
                Some(1_577_836_800_120_000),
                Some(3600),
            ),
            ("yyyy-MM-dd'T'HH:mm:ss[.SSS][XXX]", "2020-01-01T00:00:00", Some(1_577_836_800_000_000), None),
            ("yyyy-MM-dd", "2020-13-01", None, None),
            ("yyyy-MM-dd", "2020-01-01x", None, None),
        ] {
            assert_eq!(parse(pattern, text), micros.map(|micros| Parsed { micros, offset }), "{text}");
        }
    }
}
