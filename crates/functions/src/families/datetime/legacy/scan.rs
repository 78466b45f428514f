//! Text by old datetime pattern to instants.

use super::hybrid::{
    Clock, day_of_week, day_of_year, hybrid_date, hybrid_day, on_or_before, to_instant, week_of_month, week_of_year,
};
use super::{Item, LegacyPattern, Style};
use crate::families::datetime::calendar::{
    MICROS_PER_DAY, MICROS_PER_HOUR, MICROS_PER_MINUTE, MICROS_PER_SECOND, MONTHS, WEEKDAYS, civil_from_days,
};
use crate::families::datetime::zone::Zone;

/// What a field of a text says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Era,
    Year,
    WeekYear,
    Month,
    WeekOfYear,
    WeekOfMonth,
    Day,
    DayOfYear,
    DayOfWeek,
    DayOfWeekInMonth,
    Half,
    Hour12,
    Hour,
    Minute,
    Second,
    /// Milliseconds, or in data what the letters of the fraction count.
    Fraction,
}

/// The parts in the order in which the text has them: of contradicting ones the last counts.
#[derive(Default)]
struct Parts {
    set: Vec<(Part, i64)>,
    offset: Option<i64>,
    /// A year of two digits that is the earliest they may mean: it is so only if the whole moment is.
    ambiguous: bool,
}

impl Parts {
    fn put(&mut self, part: Part, value: i64) {
        self.set.push((part, value));
    }

    fn get(&self, part: Part) -> Option<i64> {
        self.set.iter().rev().find(|(p, _)| *p == part).map(|(_, v)| *v)
    }

    /// When the part was set, from 1; 0 if never.
    fn stamp(&self, part: Part) -> usize {
        self.set.iter().rposition(|(p, _)| *p == part).map_or(0, |i| i + 1)
    }

    /// When the later of two parts was set, 0 unless both were.
    fn both(&self, a: Part, b: Part) -> usize {
        let (a, b) = (self.stamp(a), self.stamp(b));
        if a == 0 || b == 0 { 0 } else { a.max(b) }
    }
}

/// The instant that `text` begins with.
pub fn parse(pattern: &LegacyPattern, text: &str, zone: Zone, now: i64) -> Option<i64> {
    let century_start = now.saturating_sub(MICROS_PER_DAY * 29_220);
    let mut scanner = Scanner {
        text,
        at: 0,
        start_year: civil_from_days(century_start.div_euclid(MICROS_PER_DAY)).year,
        parts: Parts::default(),
    };
    for (i, item) in pattern.items.iter().enumerate() {
        match item {
            Item::Text(expected) => scanner.literal(expected)?,
            Item::Field(c, count) => {
                let numeric_next = matches!(pattern.items.get(i + 1), Some(Item::Field(next, n))
                    if pattern.style == Style::Simple || is_number(*next, *n));
                match pattern.style {
                    Style::Simple => scanner.simple_field(*c, *count, numeric_next)?,
                    Style::Fast => scanner.fast_field(*c, *count, numeric_next)?,
                }
            }
        }
    }
    if pattern.style == Style::Simple && scanner.at == 0 {
        return None;
    }
    let found = moment(&scanner.parts, pattern, zone)?;
    if scanner.parts.ambiguous && found < century_start {
        let year = scanner.parts.get(Part::Year)? + 100;
        scanner.parts.put(Part::Year, year);
        return moment(&scanner.parts, pattern, zone);
    }
    Some(found)
}

/// True for fields of digits.
fn is_number(c: char, count: usize) -> bool {
    match c {
        'M' | 'L' => count <= 2,
        'G' | 'E' | 'a' | 'z' | 'Z' | 'X' => false,
        _ => true,
    }
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
    /// The first year that two digits may mean.
    start_year: i64,
    parts: Parts,
}

impl Scanner<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn literal(&mut self, expected: &str) -> Option<()> {
        self.rest().starts_with(expected).then(|| self.at += expected.len())
    }

    /// The name that the text goes on with, the longest if several do.
    fn name(&mut self, names: impl Iterator<Item = (&'static str, i64)>) -> Option<i64> {
        let rest = self.rest();
        let fits = |name: &str| rest.get(..name.len()).is_some_and(|t| t.eq_ignore_ascii_case(name));
        let (name, value) = names.filter(|(name, _)| fits(name)).max_by_key(|(name, _)| name.len())?;
        self.at += name.len();
        Some(value)
    }

    fn text_field(&mut self, c: char) -> Option<()> {
        let (part, value) = match c {
            'G' => (Part::Era, self.name([("BC", 0), ("AD", 1)].into_iter())?),
            'a' => (Part::Half, self.name([("AM", 0), ("PM", 1)].into_iter())?),
            'E' => (Part::DayOfWeek, self.name(with_short(&WEEKDAYS))? % 7 + 1),
            _ => (Part::Month, self.name(with_short(&MONTHS))?),
        };
        self.parts.put(part, value);
        Some(())
    }

    /// A field as `SimpleDateFormat` reads it; `exact` if a field follows, so that digits are counted.
    fn simple_field(&mut self, c: char, count: usize, exact: bool) -> Option<()> {
        let start = self.at;
        self.at += self.rest().len() - self.rest().trim_start_matches([' ', '\t']).len();
        if self.at >= self.text.len() {
            return None;
        }
        match c {
            'z' | 'Z' => return self.zone(),
            'X' => return self.iso_zone(count),
            _ if !is_number(c, count) => return self.text_field(c),
            _ => {}
        }
        let from = self.at;
        let end = if exact { start + count } else { self.text.len() };
        let (value, used) = signed(self.text.get(from..end)?)?;
        self.at += used;
        let value = match c {
            'y' | 'Y' if count <= 2 && used == 2 && value >= 0 => self.two_digits(value),
            'k' if !(1..=24).contains(&value) => return None,
            'k' => value % 24,
            'h' if !(1..=12).contains(&value) => return None,
            'h' => value % 12,
            'u' => value % 7 + 1,
            _ => value,
        };
        self.parts.put(number_part(c), value);
        Some(())
    }

    /// A field as `FastDateFormat` reads it.
    fn fast_field(&mut self, c: char, count: usize, exact: bool) -> Option<()> {
        match c {
            'X' => return self.iso_zone(count),
            'Z' if count == 2 => return self.iso_zone(3),
            'z' | 'Z' => return self.zone(),
            _ if !is_number(c, count) => return self.text_field(c),
            _ => {}
        }
        if !exact {
            self.at += self.rest().len() - self.rest().trim_start().len();
        }
        let digits = self.rest().bytes().take_while(u8::is_ascii_digit).count();
        let digits = if exact { digits.min(count) } else { digits };
        let value: i64 = self.rest()[..digits].parse().ok()?;
        self.at += digits;
        let value = match c {
            'y' | 'Y' if count <= 2 && value < 100 => {
                let century = self.start_year / 100 * 100;
                century + value + if value >= self.start_year % 100 { 0 } else { 100 }
            }
            'k' if value == 24 => 0,
            'h' if value == 12 => 0,
            'u' => value % 7 + 1,
            _ => value,
        };
        self.parts.put(number_part(c), value);
        Some(())
    }

    fn two_digits(&mut self, value: i64) -> i64 {
        let earliest = self.start_year % 100;
        self.parts.ambiguous = value == earliest;
        self.start_year / 100 * 100 + value + if value < earliest { 100 } else { 0 }
    }

    /// `GMT+8:00`, `-0800`, `PST`, `Pacific Standard Time`.
    fn zone(&mut self) -> Option<()> {
        let rest = self.rest();
        if rest.get(..3).is_some_and(|t| t.eq_ignore_ascii_case("GMT")) {
            self.at += 3;
            self.parts.offset = Some(0);
            return if self.rest().starts_with(['+', '-']) { self.signed_offset(0, true) } else { Some(()) };
        }
        if rest.starts_with(['+', '-']) {
            return self.signed_offset(0, false);
        }
        if let Some((name, seconds)) = ZONES
            .iter()
            .filter(|(n, _)| rest.get(..n.len()).is_some_and(|t| t.eq_ignore_ascii_case(n)))
            .max_by_key(|(n, _)| n.len())
        {
            self.at += name.len();
            self.parts.offset = Some(*seconds);
            return Some(());
        }
        None
    }

    fn iso_zone(&mut self, count: usize) -> Option<()> {
        if self.rest().starts_with('Z') {
            self.at += 1;
            self.parts.offset = Some(0);
            return Some(());
        }
        self.signed_offset(count, count == 3)
    }

    /// An offset after its sign: of hours only if `count` is 1; with a colon, or four digits.
    fn signed_offset(&mut self, count: usize, colon: bool) -> Option<()> {
        let sign = match self.rest().bytes().next()? {
            b'+' => 1,
            b'-' => -1,
            _ => return None,
        };
        self.at += 1;
        let digit = |s: &mut Self| -> Option<i64> {
            let d = s.rest().bytes().next().filter(u8::is_ascii_digit)?;
            s.at += 1;
            Some(i64::from(d - b'0'))
        };
        let mut hours = digit(self)?;
        match digit(self) {
            Some(d) => hours = hours * 10 + d,
            None if count > 0 || !colon => return None,
            None => {}
        }
        let mut minutes = 0;
        if count != 1 {
            if colon {
                self.literal(":")?;
            }
            minutes = digit(self)? * 10 + digit(self)?;
        }
        if hours > 23 || minutes > 59 {
            return None;
        }
        self.parts.offset = Some(sign * (hours * 3600 + minutes * 60));
        Some(())
    }
}

/// Names by number from 1, in full and as their first three letters.
fn with_short(names: &'static [&'static str]) -> impl Iterator<Item = (&'static str, i64)> {
    names.iter().zip(1..).flat_map(|(name, n)| [(*name, n), (&name[..3], n)])
}

/// Names of zones of a fixed offset in seconds.
const ZONES: &[(&str, i64)] = &[
    ("UTC", 0),
    ("PST", -28_800),
    ("PDT", -25_200),
    ("MST", -25_200),
    ("MDT", -21_600),
    ("CST", -21_600),
    ("CDT", -18_000),
    ("EST", -18_000),
    ("EDT", -14_400),
    ("CET", 3600),
    ("CEST", 7200),
    ("EET", 7200),
    ("EEST", 10_800),
    ("BST", 3600),
    ("JST", 32_400),
    ("IST", 19_800),
    ("HST", -36_000),
    ("AKST", -32_400),
    ("AKDT", -28_800),
    ("Pacific Standard Time", -28_800),
    ("Pacific Daylight Time", -25_200),
    ("Mountain Standard Time", -25_200),
    ("Mountain Daylight Time", -21_600),
    ("Central Standard Time", -21_600),
    ("Central Daylight Time", -18_000),
    ("Eastern Standard Time", -18_000),
    ("Eastern Daylight Time", -14_400),
    ("Coordinated Universal Time", 0),
    ("Greenwich Mean Time", 0),
];

/// A whole number that may be negative, and how many bytes it takes.
fn signed(text: &str) -> Option<(i64, usize)> {
    let sign = usize::from(text.starts_with('-'));
    let used = sign + text[sign..].bytes().take_while(u8::is_ascii_digit).count();
    Some((text[..used].parse().ok()?, used))
}

fn number_part(c: char) -> Part {
    match c {
        'y' => Part::Year,
        'Y' => Part::WeekYear,
        'M' | 'L' => Part::Month,
        'w' => Part::WeekOfYear,
        'W' => Part::WeekOfMonth,
        'D' => Part::DayOfYear,
        'd' => Part::Day,
        'F' => Part::DayOfWeekInMonth,
        'u' => Part::DayOfWeek,
        'H' | 'k' => Part::Hour,
        'K' | 'h' => Part::Hour12,
        'm' => Part::Minute,
        's' => Part::Second,
        _ => Part::Fraction,
    }
}

/// The instant that the parts say.
fn moment(parts: &Parts, pattern: &LegacyPattern, zone: Zone) -> Option<i64> {
    let strict = pattern.style == Style::Simple;
    if strict && !parts.set.iter().all(|(part, value)| limits(*part).contains(value)) {
        return None;
    }
    let era = parts.get(Part::Era).unwrap_or(1);
    let year = parts.get(Part::Year).unwrap_or(1970);
    let year = if era == 0 { 1 - year } else { year };
    let day = by_week(parts).or_else(|| day_of(parts, year))?;
    let (time, of_clock) = time_of(parts, pattern);
    if strict && !agrees(parts, day, of_clock) {
        return None;
    }
    let found = to_instant(day, time, zone, parts.offset)?;
    // A clock that is put forward skips times.
    let skipped = || Clock::of_instant(found, zone).time != time.rem_euclid(MICROS_PER_DAY);
    (!(strict && parts.offset.is_none() && skipped())).then_some(found)
}

/// What a calendar that is not lenient takes.
fn limits(part: Part) -> std::ops::RangeInclusive<i64> {
    match part {
        Part::Era | Part::Half => 0..=1,
        Part::Year => 1..=292_278_994,
        Part::WeekYear => i64::MIN..=i64::MAX,
        Part::Month => 1..=12,
        Part::WeekOfYear => 1..=53,
        Part::WeekOfMonth => 0..=6,
        Part::Day => 1..=31,
        Part::DayOfYear => 1..=366,
        Part::DayOfWeek => 1..=7,
        Part::DayOfWeekInMonth => -1..=6,
        Part::Hour12 => 0..=11,
        Part::Hour => 0..=23,
        Part::Minute | Part::Second => 0..=59,
        Part::Fraction => 0..=999,
    }
}

/// The day of a week's year, if that was said after any year.
fn by_week(parts: &Parts) -> Option<i64> {
    let year = parts.get(Part::WeekYear)?;
    if parts.stamp(Part::WeekYear) < parts.stamp(Part::Year) {
        return None;
    }
    let week = parts.get(Part::WeekOfYear).unwrap_or(1);
    let dow = parts.get(Part::DayOfWeek).unwrap_or(1);
    Some(on_or_before(hybrid_day(year, 1, 1), 1) + (week - 1) * 7 + dow - 1)
}

/// The day by the most recent parts that make one, as Java's calendar chooses them.
fn day_of(parts: &Parts, year: i64) -> Option<i64> {
    use Part::{Day, DayOfWeek, DayOfWeekInMonth, DayOfYear, WeekOfMonth, WeekOfYear};
    let dom = parts.stamp(Day);
    let mut wom = parts.both(WeekOfMonth, DayOfWeek);
    let mut dowim = parts.both(DayOfWeekInMonth, DayOfWeek);
    let doy = parts.stamp(DayOfYear);
    let mut woy = parts.both(WeekOfYear, DayOfWeek);
    let mut best = dom.max(wom).max(dowim).max(doy).max(woy);
    if best == 0 {
        wom = parts.stamp(WeekOfMonth);
        dowim = parts.stamp(DayOfWeekInMonth).max(parts.stamp(DayOfWeek));
        woy = parts.stamp(WeekOfYear);
        best = wom.max(dowim).max(woy);
    }
    let month = parts.get(Part::Month).unwrap_or(1);
    let first = hybrid_day(year, month, 1);
    let dow = parts.get(DayOfWeek);
    let later = |part| parts.stamp(part) >= parts.stamp(WeekOfYear);
    if best == dom {
        return Some(hybrid_day(year, month, parts.get(Day).unwrap_or(1)));
    }
    if (best == wom && later(WeekOfMonth)) || (best == dowim && later(DayOfWeekInMonth)) {
        let by_week =
            if wom == dowim { parts.stamp(WeekOfMonth) >= parts.stamp(DayOfWeekInMonth) } else { best == wom };
        let dow_or_first = dow.unwrap_or(1);
        return Some(if by_week {
            on_or_before(first, 1) + dow_or_first - 1 + 7 * (parts.get(WeekOfMonth)? - 1)
        } else {
            let nth = parts.get(DayOfWeekInMonth).unwrap_or(1);
            on_or_before(first + 7 * nth - 1, dow_or_first)
        });
    }
    let first = hybrid_day(year, 1, 1);
    if best == doy {
        return Some(first + parts.get(DayOfYear)? - 1);
    }
    Some(on_or_before(first, 1) + dow.unwrap_or(1) - 1 + 7 * (parts.get(WeekOfYear)? - 1))
}

/// Microseconds of the day, and the parts of the clock they come from.
fn time_of(parts: &Parts, pattern: &LegacyPattern) -> (i64, i64) {
    let (hour, half) = (parts.stamp(Part::Hour), parts.both(Part::Hour12, Part::Half));
    let loose = if hour == 0 && half == 0 { parts.stamp(Part::Hour12).max(parts.stamp(Part::Half)) } else { half };
    let hours = if loose > hour {
        parts.get(Part::Hour12).unwrap_or(0) + 12 * parts.get(Part::Half).unwrap_or(0)
    } else {
        parts.get(Part::Hour).unwrap_or(0)
    };
    let fraction = parts.get(Part::Fraction).unwrap_or(0);
    let micros = match pattern.style {
        Style::Simple => fraction * 1000,
        Style::Fast => (i128::from(fraction) * 1_000_000 / 10_i128.pow(pattern.fraction.min(18))) as i64,
    };
    let time = hours * MICROS_PER_HOUR
        + parts.get(Part::Minute).unwrap_or(0) * MICROS_PER_MINUTE
        + parts.get(Part::Second).unwrap_or(0) * MICROS_PER_SECOND
        + micros;
    (time, hours)
}

/// True if all parts of the text fit the day and the hour that were chosen.
fn agrees(parts: &Parts, day: i64, hours: i64) -> bool {
    let (year, month, date) = hybrid_date(day);
    let by_week = by_week(parts).is_some();
    parts.set.iter().all(|(part, value)| {
        let actual = match part {
            Part::Year if by_week => return true,
            Part::Era => i64::from(year > 0),
            Part::Year => {
                if year > 0 {
                    year
                } else {
                    1 - year
                }
            }
            Part::Month if !by_week => month,
            Part::Day if !by_week => date,
            Part::DayOfYear => day_of_year(day),
            Part::DayOfWeek => day_of_week(day),
            Part::WeekOfYear => week_of_year(day).1,
            Part::WeekOfMonth => week_of_month(day),
            Part::DayOfWeekInMonth => (date - 1) / 7 + 1,
            Part::Half => hours / 12,
            Part::Hour12 => hours % 12,
            Part::Hour => hours,
            _ => return true,
        };
        // Of a part that the text has twice the last counts.
        parts.get(*part) == Some(actual) || parts.get(*part) != Some(*value)
    })
}
