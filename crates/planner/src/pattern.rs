//! Dates and times by the pattern letters of files' `dateFormat` and `timestampFormat` options.

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
        const MONTHS: [&str; 12] = [
            "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
        ];
        const DAYS: [&str; 7] = ["Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"];
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
            'd' => if run == 1 { self.part(2).trim_start_matches('0').to_string() } else { self.part(2).to_string() },
            'E' => {
                let name = DAYS[self.day.rem_euclid(7) as usize];
                if run < 4 { name[..3].to_string() } else { name.to_string() }
            }
            'H' => number(self.hour),
            'k' => number(if self.hour == 0 { 24 } else { self.hour }),
            'h' => number(if self.hour % 12 == 0 { 12 } else { self.hour % 12 }),
            'K' => number(self.hour % 12),
            'a' => if self.hour < 12 { "AM".into() } else { "PM".into() },
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
}
