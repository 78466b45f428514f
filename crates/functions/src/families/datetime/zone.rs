//! Time zones with Java's rules: in a gap the clock goes forward by the gap, in an overlap the earlier
//! instant counts.

use std::str::FromStr;

use chrono::{MappedLocalTime, NaiveDateTime, Offset, TimeZone};
use chrono_tz::Tz;
use datafusion::common::Result;
use spark::{Error, ErrorKind};

use super::calendar::MICROS_PER_SECOND;
use crate::error::external;

/// A region or a fixed offset in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Zone {
    Fixed(i32),
    Region(Tz),
}

/// Furthest offsets allowed: 18 hours.
const MAX_OFFSET: i32 = 18 * 3600;

impl Zone {
    /// Reads `Europe/Paris`, `Z`, `UTC`, `GMT+8`, `+08:00`, `-8`, `PST`.
    pub fn parse(text: &str) -> Option<Zone> {
        if matches!(text, "Z" | "UTC" | "GMT" | "UT") {
            return Some(Zone::Fixed(0));
        }
        let offset = ["UTC", "GMT", "UT"].iter().find_map(|p| text.strip_prefix(p)).unwrap_or(text);
        if offset.starts_with(['+', '-']) {
            return parse_offset(offset).map(Zone::Fixed);
        }
        match short_id(text) {
            Some(id) => Zone::parse(id),
            None => Tz::from_str(text).ok().map(Zone::Region),
        }
    }

    /// [`Zone::parse`] with Spark's error.
    ///
    /// # Errors
    /// `INVALID_TIMEZONE`.
    pub fn named(text: &str) -> Result<Zone> {
        Zone::parse(text).ok_or_else(|| {
            external(
                Error::new(ErrorKind::DateTime, "INVALID_TIMEZONE")
                    .param("timeZone", text)
                    .with_message(format!("There is no time zone {text}.")),
            )
        })
    }

    /// The offset from UTC in seconds at an instant.
    pub fn offset_at(self, utc_seconds: i64) -> i32 {
        match self {
            Zone::Fixed(offset) => offset,
            Zone::Region(tz) => tz.offset_from_utc_datetime(&naive(utc_seconds)).fix().local_minus_utc(),
        }
    }

    /// The offset that Java takes for a local time.
    pub fn offset_for_local(self, local_seconds: i64) -> i32 {
        match self {
            Zone::Fixed(offset) => offset,
            Zone::Region(tz) => region_offset(tz, local_seconds),
        }
    }

    /// Microseconds of the local clock at an instant.
    pub fn to_local(self, micros: i64) -> i64 {
        let offset = self.offset_at(micros.div_euclid(MICROS_PER_SECOND));
        micros.saturating_add(i64::from(offset) * MICROS_PER_SECOND)
    }

    /// The instant of a local clock's microseconds, `None` if out of range.
    pub fn to_utc(self, local: i64) -> Option<i64> {
        let offset = self.offset_for_local(local.div_euclid(MICROS_PER_SECOND));
        local.checked_sub(i64::from(offset) * MICROS_PER_SECOND)
    }

    /// The zone's text as Java prints its id.
    pub fn id(self) -> String {
        match self {
            Zone::Fixed(0) => "Z".into(),
            Zone::Fixed(offset) => offset_text(offset),
            Zone::Region(tz) => tz.name().to_string(),
        }
    }
}

/// `+08:00`, with seconds only if there are some.
pub fn offset_text(offset: i32) -> String {
    let (sign, n) = if offset < 0 { ('-', -offset) } else { ('+', offset) };
    let text = format!("{sign}{:02}:{:02}", n / 3600, n / 60 % 60);
    if n % 60 == 0 { text } else { format!("{text}:{:02}", n % 60) }
}

/// The end of the tables of time zones, 2037-01-01; Java goes on with their last rules.
const LAST_RULES: i64 = 2_114_380_800;

/// The same day of a year of the tables that begins on the same weekday and is as long: the Gregorian
/// calendar repeats after 400 years, and within a century after 28.
fn year_alike(seconds: i64) -> i64 {
    use super::calendar::{civil_from_days, days_from_civil, is_leap, weekday};
    let day = seconds.div_euclid(86_400);
    let year = civil_from_days(day).year;
    let first = days_from_civil(year, 1, 1);
    let alike = |y: &i64| is_leap(*y) == is_leap(year) && weekday(days_from_civil(*y, 1, 1)) == weekday(first);
    let model = (2009..2037).rev().find(alike).unwrap_or(2036);
    seconds + (days_from_civil(model, 1, 1) - first) * 86_400
}

fn naive(seconds: i64) -> NaiveDateTime {
    // Beyond what chrono counts the rules no longer change.
    let seconds = seconds.clamp(-8_000_000_000_000, 8_000_000_000_000);
    let seconds = if seconds < LAST_RULES { seconds } else { year_alike(seconds) };
    chrono::DateTime::from_timestamp(seconds, 0).unwrap_or_default().naive_utc()
}

fn region_offset(tz: Tz, local_seconds: i64) -> i32 {
    // A gap is never longer than a day and a bit: the offset before it is the one that held earlier.
    for hours in 0..=26 {
        match tz.offset_from_local_datetime(&naive(local_seconds - hours * 3600)) {
            MappedLocalTime::Single(o) => return o.fix().local_minus_utc(),
            MappedLocalTime::Ambiguous(a, b) => {
                let (a, b) = (a.fix().local_minus_utc(), b.fix().local_minus_utc());
                return if hours == 0 { a.max(b) } else { a.min(b) };
            }
            MappedLocalTime::None => {}
        }
    }
    0
}

/// `+8`, `+08`, `+8:00`, `+0800`, `+08:00`, `+08:00:00`.
fn parse_offset(text: &str) -> Option<i32> {
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", d) => (1, d),
        ("-", d) => (-1, d),
        _ => return None,
    };
    let parts: Vec<&str> = if digits.contains(':') {
        digits.split(':').collect()
    } else {
        match digits.len() {
            1 | 2 => vec![digits],
            4 => vec![&digits[..2], &digits[2..]],
            6 => vec![&digits[..2], &digits[2..4], &digits[4..]],
            _ => return None,
        }
    };
    let number = |part: &str, max: i32| -> Option<i32> {
        let ok = (1..=2).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        ok.then(|| part.parse::<i32>().ok()).flatten().filter(|n| *n <= max)
    };
    let hours = number(parts.first()?, 18)?;
    let minutes = parts.get(1).map_or(Some(0), |p| number(p, 59))?;
    let seconds = parts.get(2).map_or(Some(0), |p| number(p, 59))?;
    let total = hours * 3600 + minutes * 60 + seconds;
    (parts.len() <= 3 && total <= MAX_OFFSET).then_some(sign * total)
}

/// Java's three-letter ids.
fn short_id(text: &str) -> Option<&'static str> {
    Some(match text {
        "EST" => "-05:00",
        "MST" => "-07:00",
        "HST" => "-10:00",
        "ACT" => "Australia/Darwin",
        "AET" => "Australia/Sydney",
        "AGT" => "America/Argentina/Buenos_Aires",
        "ART" => "Africa/Cairo",
        "AST" => "America/Anchorage",
        "BET" => "America/Sao_Paulo",
        "BST" => "Asia/Dhaka",
        "CAT" => "Africa/Harare",
        "CNT" => "America/St_Johns",
        "CST" => "America/Chicago",
        "CTT" => "Asia/Shanghai",
        "EAT" => "Africa/Addis_Ababa",
        "ECT" => "Europe/Paris",
        "IET" => "America/Indiana/Indianapolis",
        "IST" => "Asia/Kolkata",
        "JST" => "Asia/Tokyo",
        "MIT" => "Pacific/Apia",
        "NET" => "Asia/Yerevan",
        "NST" => "Pacific/Auckland",
        "PLT" => "Asia/Karachi",
        "PNT" => "America/Phoenix",
        "PRT" => "America/Puerto_Rico",
        "PST" => "America/Los_Angeles",
        "SST" => "Pacific/Guadalcanal",
        "VST" => "Asia/Ho_Chi_Minh",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::calendar::{MICROS_PER_DAY, MICROS_PER_HOUR, days_from_civil};
    use super::*;

    #[test]
    fn reads_ids() {
        for (text, expect) in [
            ("Z", Some(Zone::Fixed(0))),
            ("+8", Some(Zone::Fixed(28_800))),
            ("GMT-03:30", Some(Zone::Fixed(-12_600))),
            ("UTC+19", None),
            ("EST", Some(Zone::Fixed(-18_000))),
            ("nowhere", None),
        ] {
            assert_eq!(Zone::parse(text), expect, "{text}");
        }
    }

    #[test]
    fn gaps_go_forward_and_overlaps_take_the_earlier_instant() {
        let la = Zone::parse("America/Los_Angeles").unwrap();
        let local = |y, m, d, h| days_from_civil(y, m, d) * MICROS_PER_DAY + h * MICROS_PER_HOUR;
        assert_eq!(la.to_utc(local(2020, 3, 8, 2)), Some(local(2020, 3, 8, 10)));
        assert_eq!(la.to_utc(local(2020, 11, 1, 1)), Some(local(2020, 11, 1, 8)));
        assert_eq!(la.to_local(local(2020, 7, 1, 7)), local(2020, 7, 1, 0));
    }
}
