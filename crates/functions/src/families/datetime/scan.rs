//! Text by datetime pattern to values, strict as Java's parser is.

use super::calendar::{self, MICROS_PER_DAY, MICROS_PER_HOUR, MICROS_PER_MINUTE, MICROS_PER_SECOND, MONTHS};
use super::locale::Locale;
use super::pattern::{Item, Pattern};
use super::zone::Zone;

/// Why a text does not fit, in Java's words for the error's `message` parameter.
pub type Problem = String;

/// What a text says.
#[derive(Debug, Default, Clone)]
struct Fields {
    era: Option<i64>,
    year: Option<i64>,
    month: Option<i64>,
    day: Option<i64>,
    day_of_year: Option<i64>,
    half: Option<i64>,
    hour12: Option<i64>,
    hour: Option<i64>,
    minute: Option<i64>,
    second: Option<i64>,
    nanos: Option<i64>,
    offset: Option<i32>,
    zone: Option<Zone>,
    /// What is wrong with a number whose meaning was lost.
    problem: Option<Problem>,
}

/// A parsed local time, with the zone the text names.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scanned {
    pub days: i64,
    /// Nanoseconds of the day.
    pub nanos: i64,
    pub zone: Option<Zone>,
}

impl Scanned {
    /// Microseconds of the local clock.
    pub fn local_micros(&self) -> Option<i64> {
        self.days.checked_mul(MICROS_PER_DAY)?.checked_add(self.nanos / 1000)
    }

    /// The instant, in the text's own zone or else in `zone`.
    pub fn instant(&self, zone: Zone) -> Option<i64> {
        self.zone.unwrap_or(zone).to_utc(self.local_micros()?)
    }
}

/// Reads `text`.
///
/// # Errors
/// Where and why the text does not fit.
pub fn scan(pattern: &Pattern, text: &str) -> Result<Scanned, Problem> {
    let mut scanner = Scanner { text, at: 0, fields: Fields::default(), locale: pattern.locale };
    if let Err(index) = scanner.items(&pattern.items, 0) {
        return Err(format!("Text '{text}' could not be parsed at index {}", utf16(text, index)));
    }
    if scanner.at < text.len() {
        return Err(format!(
            "Text '{text}' could not be parsed, unparsed text found at index {}",
            utf16(text, scanner.at)
        ));
    }
    resolve(&scanner.fields, |problem| format!("Text '{text}' could not be parsed: {problem}"))
}

fn utf16(text: &str, at: usize) -> usize {
    text[..at].encode_utf16().count()
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
    fields: Fields,
    locale: &'static Locale,
}

impl Scanner<'_> {
    /// Reads all items; on failure answers where. `reserved` digits belong to what follows.
    fn items(&mut self, items: &[Item], reserved: usize) -> Result<(), usize> {
        for (i, item) in items.iter().enumerate() {
            match item {
                Item::Text(expected) => self.literal(expected)?,
                Item::Optional(inner) => {
                    let before = (self.at, self.fields.clone());
                    if self.items(inner, 0).is_err() {
                        (self.at, self.fields) = before;
                    }
                }
                Item::Field(c, count) => {
                    let behind = fixed_digits(&items[i + 1..]);
                    self.field(*c, *count, if i + 1 == items.len() { reserved } else { behind })?;
                }
            }
        }
        Ok(())
    }

    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn literal(&mut self, expected: &str) -> Result<(), usize> {
        let found = self.rest().get(..expected.len()).is_some_and(|t| t.eq_ignore_ascii_case(expected));
        if !found {
            return Err(self.at);
        }
        self.at += expected.len();
        Ok(())
    }

    fn field(&mut self, c: char, count: usize, behind: usize) -> Result<(), usize> {
        match c {
            'y' => self.fields.year = Some(self.year(count, behind)?),
            'u' => self.fields.year = Some(self.proleptic_year(count, behind)?),
            'G' => {
                let eras = self.locale.eras;
                self.fields.era = Some(self.one_of(eras.iter().flat_map(|names| names.iter().copied().zip(0..)))?);
            }
            'M' | 'L' if count >= 3 => {
                self.fields.month = Some(1 + self.one_of(self.locale.months_of(c, count).iter().copied().zip(0..))?)
            }
            'M' | 'L' => self.fields.month = Some(self.digits(count, behind)?),
            'd' => self.fields.day = Some(self.digits(count, behind)?),
            'D' => {
                self.fields.day_of_year =
                    Some(if count == 1 { self.digits(1, behind)? } else { self.number(count, 3, behind)? })
            }
            'a' => self.fields.half = Some(self.one_of(self.locale.halves.into_iter().zip(0..))?),
            'h' => self.fields.hour12 = Some(self.clock_hour(count, behind, "ClockHourOfAmPm", 12)?),
            'K' => self.fields.hour12 = Some(self.digits(count, behind)?),
            'k' => self.fields.hour = Some(self.clock_hour(count, behind, "ClockHourOfDay", 24)?),
            'H' => self.fields.hour = Some(self.digits(count, behind)?),
            'm' => self.fields.minute = Some(self.digits(count, behind)?),
            's' => self.fields.second = Some(self.digits(count, behind)?),
            'S' => {
                let (start, value) = (self.at, self.number(1, count, 0)?);
                let nanos = value * 10_i64.pow(9 - (self.at - start) as u32);
                if self.fields.nanos.is_some_and(|before| before != nanos) {
                    return Err(start);
                }
                self.fields.nanos = Some(nanos);
            }
            'V' | 'z' => self.fields.zone = Some(self.zone()?),
            'O' => self.fields.offset = Some(self.localized()?),
            'Z' if count == 4 => self.fields.offset = Some(self.localized()?),
            _ => self.fields.offset = Some(self.offset(c, count)?),
        }
        Ok(())
    }

    /// One letter: any number of digits; more: exactly as many.
    fn digits(&mut self, count: usize, behind: usize) -> Result<i64, usize> {
        self.number(count, if count == 1 { 18 } else { count }, if count == 1 { behind } else { 0 })
    }

    /// A number of `min` to `max` digits, leaving `behind` digits for the fields that follow.
    fn number(&mut self, min: usize, max: usize, behind: usize) -> Result<i64, usize> {
        let run = self.rest().bytes().take_while(u8::is_ascii_digit).count();
        let take = if behind > 0 && run >= min + behind { (run - behind).min(max) } else { run.min(max) };
        if take < min {
            return Err(self.at);
        }
        let value = self.rest()[..take].parse().map_err(|_| self.at)?;
        self.at += take;
        Ok(value)
    }

    fn year(&mut self, count: usize, behind: usize) -> Result<i64, usize> {
        if count == 2 {
            return Ok(2000 + self.number(2, 2, 0)?);
        }
        let start = self.at;
        let plus = self.rest().starts_with('+');
        if plus {
            self.at += 1;
        }
        let value = self.number(count, 18, behind)?;
        let length = self.at - start - usize::from(plus);
        // A sign is for years longer than the pattern, and then needed.
        if count >= 4 && (plus != (length > count)) || (count < 4 && plus) {
            return Err(start);
        }
        Ok(value)
    }

    /// A year that may have a minus sign.
    fn proleptic_year(&mut self, count: usize, behind: usize) -> Result<i64, usize> {
        if count != 2 && self.rest().starts_with('-') {
            self.at += 1;
            return Ok(-self.number(count, 18, behind)?);
        }
        self.year(count, behind)
    }

    /// An hour counted from 1 to `last`.
    fn clock_hour(&mut self, count: usize, behind: usize, name: &str, last: i64) -> Result<i64, usize> {
        let hour = self.digits(count, behind)?;
        self.fields.problem = self.fields.problem.take().or(check(hour, name, 1..=last).err());
        Ok(hour % last)
    }

    /// The longest of the names that the text goes on with, in any case.
    fn one_of<'n>(&mut self, names: impl Iterator<Item = (&'n str, i64)>) -> Result<i64, usize> {
        let rest = self.rest();
        let said = |name: &str| {
            let text = rest.get(..name.len())?;
            let same = text.eq_ignore_ascii_case(name) || text.to_lowercase() == name.to_lowercase();
            same.then_some(name.len())
        };
        let longest = names.filter_map(|(name, value)| Some((said(name)?, value))).max_by_key(|found| found.0);
        let (length, value) = longest.ok_or(self.at)?;
        self.at += length;
        Ok(value)
    }

    fn zone(&mut self) -> Result<Zone, usize> {
        let end = self
            .rest()
            .find(|c: char| !(c.is_ascii_alphanumeric() || "/_+-:~".contains(c)))
            .unwrap_or(self.rest().len());
        // The longest text that names a zone.
        for length in (1..=end).rev() {
            if let Some(zone) = self.rest().get(..length).and_then(Zone::parse) {
                self.at += length;
                return Ok(zone);
            }
        }
        Err(self.at)
    }

    fn localized(&mut self) -> Result<i32, usize> {
        self.literal("GMT")?;
        let end = self.rest().find(|c: char| !(c.is_ascii_digit() || "+-:".contains(c))).unwrap_or(self.rest().len());
        if end == 0 {
            return Ok(0);
        }
        match Zone::parse(&self.rest()[..end]) {
            Some(Zone::Fixed(offset)) => {
                self.at += end;
                Ok(offset)
            }
            _ => Err(self.at),
        }
    }

    fn offset(&mut self, c: char, count: usize) -> Result<i32, usize> {
        let z_allowed = c == 'X' || (c == 'Z' && count == 5);
        if z_allowed && self.rest().starts_with(['Z', 'z']) {
            self.at += 1;
            return Ok(0);
        }
        let start = self.at;
        let sign = match self.rest().bytes().next() {
            Some(b'+') => 1,
            Some(b'-') => -1,
            _ => return Err(start),
        };
        self.at += 1;
        let style = if c == 'Z' && count < 4 { 2 } else { count };
        let colon = matches!(style, 3 | 5);
        let hours = self.number(2, 2, 0)?;
        let mut total = hours * 3600;
        let minutes_needed = style != 1;
        let before = self.at;
        if colon && self.rest().starts_with(':') {
            self.at += 1;
        }
        match self.number(2, 2, 0) {
            Ok(minutes) if (!colon || self.at - before == 3) && minutes < 60 => total += minutes * 60,
            _ if minutes_needed => return Err(start),
            _ => self.at = before,
        }
        if total > 18 * 3600 {
            return Err(start);
        }
        Ok(sign * total as i32)
    }
}

/// The digits that fixed-width fields right behind take.
fn fixed_digits(items: &[Item]) -> usize {
    items
        .iter()
        .map_while(|item| match item {
            Item::Field('M' | 'L' | 'd' | 'H' | 'h' | 'k' | 'K' | 'm' | 's', 2) => Some(2),
            Item::Field('y' | 'u', 2) => Some(2),
            _ => None,
        })
        .sum()
}

fn check(value: i64, name: &str, range: std::ops::RangeInclusive<i64>) -> Result<i64, Problem> {
    if range.contains(&value) {
        return Ok(value);
    }
    Err(format!("Invalid value for {name} (valid values {} - {}): {value}", range.start(), range.end()))
}

/// The day number of a date whose parts may be wrong.
///
/// # Errors
/// In Java's words.
pub fn checked_date(year: i64, month: i64, day: i64) -> Result<i64, Problem> {
    check(year, "Year", -999_999_999..=999_999_999)?;
    let month = check(month, "MonthOfYear", 1..=12)?;
    check(day, "DayOfMonth", 1..=31)?;
    if day > i64::from(calendar::month_length(year, month as u32)) {
        return Err(match (month, day) {
            (2, 29) => format!("Invalid date 'February 29' as '{year}' is not a leap year"),
            _ => format!("Invalid date '{} {day}'", MONTHS[month as usize - 1].to_uppercase()),
        });
    }
    Ok(calendar::days_from_civil(year, month as u32, day as u32))
}

/// Microseconds of the day of a time whose parts may be wrong.
///
/// # Errors
/// In Java's words.
pub fn checked_time(hour: i64, minute: i64, second: i64) -> Result<i64, Problem> {
    check(hour, "HourOfDay", 0..=23)?;
    check(minute, "MinuteOfHour", 0..=59)?;
    check(second, "SecondOfMinute", 0..=59)?;
    Ok(hour * MICROS_PER_HOUR + minute * MICROS_PER_MINUTE + second * MICROS_PER_SECOND)
}

/// What the fields say together. `in_text` words what Java finds while it parses: all but a wrong date
/// whose year is only assumed.
fn resolve(f: &Fields, in_text: impl Fn(Problem) -> Problem) -> Result<Scanned, Problem> {
    if let Some(problem) = &f.problem {
        return Err(in_text(problem.clone()));
    }
    let year = match (f.year, f.era) {
        (Some(y), Some(0)) => 1 - y,
        (Some(y), _) => y,
        (None, _) => 1970,
    };
    let days = resolve_day(f, year).map_err(|p| if f.year.is_some() { in_text(p) } else { p })?;
    let nanos = resolve_time(f).map_err(in_text)?;
    let zone = f.zone.or(f.offset.map(Zone::Fixed));
    Ok(Scanned { days, nanos, zone })
}

fn resolve_day(f: &Fields, year: i64) -> Result<i64, Problem> {
    let Some(doy) = f.day_of_year else {
        return checked_date(year, f.month.unwrap_or(1), f.day.unwrap_or(1));
    };
    if let (Some(_), Some(month), Some(day)) = (f.year, f.month, f.day) {
        let days = checked_date(year, month, day)?;
        agree("DayOfYear", calendar::day_of_year(days), doy, days)?;
        return Ok(days);
    }
    if !(1..=366).contains(&doy) {
        return Err(format!("Invalid value for DayOfYear (valid values 1 - 365/366): {doy}"));
    }
    if doy == 366 && !calendar::is_leap(year) {
        return Err(format!("Invalid date 'DayOfYear 366' as '{year}' is not a leap year"));
    }
    let days = calendar::days_from_civil(year, 1, 1) + doy - 1;
    if f.year.is_some() {
        let date = calendar::civil_from_days(days);
        agree("MonthOfYear", date.month.into(), f.month.unwrap_or(date.month.into()), days)?;
        agree("DayOfMonth", date.day.into(), f.day.unwrap_or(date.day.into()), days)?;
    }
    Ok(days)
}

/// A field that a date says another thing of.
fn agree(name: &str, of_date: i64, of_text: i64, days: i64) -> Result<(), Problem> {
    if of_date == of_text {
        return Ok(());
    }
    let date = calendar::civil_from_days(days);
    Err(format!(
        "Conflict found: Field {name} {of_date} differs from {name} {of_text} derived from {:04}-{:02}-{:02}",
        date.year, date.month, date.day
    ))
}

/// Nanoseconds of the day.
fn resolve_time(f: &Fields) -> Result<i64, Problem> {
    let hour = match (f.hour, f.hour12) {
        (Some(h), _) => h,
        (None, Some(h)) => check(h, "HourOfAmPm", 0..=11)? + 12 * f.half.unwrap_or(0),
        (None, None) => 0,
    };
    let time = checked_time(hour, f.minute.unwrap_or(0), f.second.unwrap_or(0))?;
    Ok(time * 1000 + f.nanos.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pattern: &str, text: &str) -> Result<i64, Problem> {
        scan(&Pattern::new(pattern, true).unwrap(), text).map(|s| s.instant(Zone::Fixed(0)).unwrap())
    }

    #[test]
    fn reads_by_pattern() {
        let day = |y, m, d| calendar::days_from_civil(y, m, d) * MICROS_PER_DAY;
        for (pattern, text, expect) in [
            ("yyyy-MM-dd", "2016-12-31", Ok(day(2016, 12, 31))),
            ("yyyyMMdd", "20161231", Ok(day(2016, 12, 31))),
            ("d/M/yy", "1/2/21", Ok(day(2021, 2, 1))),
            ("HH:mm", "01:30", Ok(90 * MICROS_PER_MINUTE)),
            ("yyyy-MM-dd'T'HH:mm:ssXXX", "2020-01-01T01:00:00+01:00", Ok(day(2020, 1, 1))),
            ("MMM d yyyy h a", "Jan 2 2020 12 AM", Ok(day(2020, 1, 2))),
            ("yyyy", "xx", Err("Text 'xx' could not be parsed at index 0")),
            (
                "yyyy-MM-dd",
                "2020-01-01 10",
                Err("Text '2020-01-01 10' could not be parsed, unparsed text found at index 10"),
            ),
            (
                "yyyy-MM-dd",
                "2020-13-01",
                Err("Text '2020-13-01' could not be parsed: Invalid value for MonthOfYear (valid values 1 - 12): 13"),
            ),
        ] {
            assert_eq!(read(pattern, text), expect.map_err(str::to_string), "{pattern} {text}");
        }
    }
}
