//! Texts of dates, times and timestamps to values, as Spark's casts read them.

use chrono::{NaiveDateTime, Offset, TimeZone};
use chrono_tz::Tz;

const MICROS_PER_SECOND: i64 = 1_000_000;
const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND;
const NANOS_PER_MICRO: i64 = 1_000;

/// A time zone: a region or a fixed offset in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Zone {
    Region(Tz),
    Fixed(i32),
}

impl Zone {
    /// Reads `Europe/Paris`, `Z`, `UTC`, `GMT+8`, `+08:00`, `-8`.
    pub fn parse(text: &str) -> Option<Zone> {
        let text = text.trim();
        if matches!(text, "Z" | "UTC" | "GMT" | "UT") {
            return Some(Zone::Fixed(0));
        }
        let offset = ["UTC", "GMT", "UT"].iter().find_map(|p| text.strip_prefix(p)).unwrap_or(text);
        if offset.starts_with(['+', '-']) {
            return parse_offset(offset).map(Zone::Fixed);
        }
        if let Some(id) = short_id(text) {
            return Zone::parse(id);
        }
        text.parse::<Tz>().ok().map(Zone::Region)
    }

    /// Local microseconds to UTC microseconds. In a gap the clock goes forward by the gap; in an
    /// overlap the earlier instant counts.
    pub fn to_utc(self, local: i64) -> Option<i64> {
        match self {
            Zone::Fixed(seconds) => local.checked_sub(seconds as i64 * MICROS_PER_SECOND),
            Zone::Region(tz) => {
                let seconds = local.div_euclid(MICROS_PER_SECOND);
                let offset = region_offset(tz, seconds)?;
                local.checked_sub(offset as i64 * MICROS_PER_SECOND)
            }
        }
    }

    /// The offset in seconds at a UTC instant in microseconds.
    pub fn offset_at(self, utc: i64) -> Option<i32> {
        match self {
            Zone::Fixed(seconds) => Some(seconds),
            Zone::Region(tz) => {
                let at = naive(utc.div_euclid(MICROS_PER_SECOND))?;
                Some(tz.offset_from_utc_datetime(&at).fix().local_minus_utc())
            }
        }
    }
}

fn naive(seconds: i64) -> Option<NaiveDateTime> {
    chrono::DateTime::from_timestamp(seconds, 0).map(|t| within_tables(t.naive_utc()))
}

/// The tables of time zones end in 2037, and Java goes on with their last rules: a later time counts as
/// that of a year of the tables that begins on the same weekday and is as long.
fn within_tables(at: NaiveDateTime) -> NaiveDateTime {
    use chrono::Datelike;
    let first = |year: i32| chrono::NaiveDate::from_yo_opt(year, 1);
    let kind = |year: i32| first(year).map(|d| (d.leap_year(), d.weekday()));
    if at.year() < 2037 {
        return at;
    }
    let model = (2009..2037).rev().find(|year| kind(*year) == kind(at.year()));
    match (model.and_then(first), first(at.year())) {
        (Some(model), Some(own)) => at + (model - own),
        _ => at,
    }
}

/// The offset that holds at a local time.
fn region_offset(tz: Tz, local_seconds: i64) -> Option<i32> {
    let local = naive(local_seconds)?;
    match tz.offset_from_local_datetime(&local) {
        chrono::LocalResult::Single(offset) => Some(offset.fix().local_minus_utc()),
        chrono::LocalResult::Ambiguous(first, _) => Some(first.fix().local_minus_utc()),
        chrono::LocalResult::None => {
            // In the gap: the offset from before it.
            let before = naive(local_seconds - 86_400)?;
            Some(tz.offset_from_utc_datetime(&before).fix().local_minus_utc())
        }
    }
}

fn short_id(text: &str) -> Option<&'static str> {
    const IDS: &[(&str, &str)] = &[
        ("ACT", "Australia/Darwin"),
        ("AET", "Australia/Sydney"),
        ("AGT", "America/Argentina/Buenos_Aires"),
        ("ART", "Africa/Cairo"),
        ("AST", "America/Anchorage"),
        ("BET", "America/Sao_Paulo"),
        ("BST", "Asia/Dhaka"),
        ("CAT", "Africa/Harare"),
        ("CNT", "America/St_Johns"),
        ("CST", "America/Chicago"),
        ("CTT", "Asia/Shanghai"),
        ("EAT", "Africa/Addis_Ababa"),
        ("ECT", "Europe/Paris"),
        ("EST", "-05:00"),
        ("HST", "-10:00"),
        ("IET", "America/Indiana/Indianapolis"),
        ("IST", "Asia/Kolkata"),
        ("JST", "Asia/Tokyo"),
        ("MIT", "Pacific/Apia"),
        ("MST", "-07:00"),
        ("NET", "Asia/Yerevan"),
        ("NST", "Pacific/Auckland"),
        ("PLT", "Asia/Karachi"),
        ("PNT", "America/Phoenix"),
        ("PRT", "America/Puerto_Rico"),
        ("PST", "America/Los_Angeles"),
        ("SST", "Pacific/Guadalcanal"),
        ("VST", "Asia/Ho_Chi_Minh"),
    ];
    IDS.iter().find(|(id, _)| *id == text).map(|(_, zone)| *zone)
}

/// `+h`, `+hh`, `+hh:mm`, `+hhmm`, `+hh:mm:ss`, within 18 hours.
fn parse_offset(text: &str) -> Option<i32> {
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let body = &text[1..];
    let parts: Vec<&str> = if body.contains(':') {
        body.split(':').collect()
    } else {
        match body.len() {
            1 | 2 => vec![body],
            4 => vec![body.get(..2)?, body.get(2..)?],
            6 => vec![body.get(..2)?, body.get(2..4)?, body.get(4..)?],
            _ => return None,
        }
    };
    let mut fields = [0i32; 3];
    if parts.len() > 3 {
        return None;
    }
    for (field, part) in fields.iter_mut().zip(&parts) {
        if part.is_empty() || part.len() > 2 || !part.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        *field = part.parse().ok()?;
    }
    let [hours, minutes, seconds] = fields;
    let total = hours * 3600 + minutes * 60 + seconds;
    (minutes < 60 && seconds < 60 && total <= 18 * 3600).then_some(sign * total)
}

/// Days since the epoch of a proleptic date, if it exists and Spark can hold it.
fn days_of(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let longest = match month {
        2 => 28 + leap as i64,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    if day > longest {
        return None;
    }
    // Years run from March so that the leap day comes last.
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let of_era = y.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
}

/// Reads digits of a date or time, with bounds on their number.
struct Cursor<'a> {
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    fn digits(&mut self, min: usize, max: usize) -> Option<i64> {
        let len = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        if len < min || len > max {
            return None;
        }
        let (number, rest) = self.rest.split_at(len);
        self.rest = rest;
        number.parse().ok()
    }

    fn eat(&mut self, c: char) -> bool {
        match self.rest.strip_prefix(c) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }
}

/// Blanks as the JVM trims them.
fn trim(text: &str) -> &str {
    text.trim_matches(|c: char| c <= ' ' || c.is_whitespace() || c.is_control())
}

/// `[+-]y{4,7}[-m[-d]]`, leaving what follows.
fn date_part(cursor: &mut Cursor<'_>) -> Option<i64> {
    let negative = cursor.eat('-');
    if !negative {
        cursor.eat('+');
    }
    let year = cursor.digits(4, 7)? * if negative { -1 } else { 1 };
    let (mut month, mut day) = (1, 1);
    if cursor.eat('-') {
        month = cursor.digits(1, 2)?;
        if cursor.eat('-') {
            day = cursor.digits(1, 2)?;
            return days_of(year, month, day);
        }
    }
    cursor.rest.is_empty().then(|| days_of(year, month, day)).flatten()
}

/// A date as `CAST(text AS DATE)` reads it: days since the epoch.
pub fn parse_date(text: &str) -> Option<i32> {
    let mut cursor = Cursor { rest: trim(text) };
    let days = date_part(&mut cursor)?;
    if !cursor.rest.is_empty() && !cursor.rest.starts_with([' ', 'T']) {
        return None;
    }
    i32::try_from(days).ok()
}

/// A time of day.
#[derive(Debug, Default)]
struct Clock {
    micros: i64,
    /// Nanoseconds below the microsecond.
    nanos: i64,
}

/// `h:m[:s[.f]]`.
fn time_part(cursor: &mut Cursor<'_>) -> Option<Clock> {
    let hour = cursor.digits(1, 2)?;
    if !cursor.eat(':') {
        return (hour < 24).then_some(Clock { micros: hour * 3600 * MICROS_PER_SECOND, nanos: 0 });
    }
    let minute = cursor.digits(1, 2)?;
    let (mut second, mut below) = (0, 0);
    if cursor.eat(':') {
        second = cursor.digits(1, 2)?;
        if cursor.eat('.') {
            below = fraction(cursor);
        }
    }
    let seconds = (hour * 60 + minute) * 60 + second;
    (hour < 24 && minute < 60 && second < 60).then_some(Clock {
        micros: seconds * MICROS_PER_SECOND + below / NANOS_PER_MICRO,
        nanos: below % NANOS_PER_MICRO,
    })
}

/// Digits after the point as nanoseconds; further ones are dropped.
fn fraction(cursor: &mut Cursor<'_>) -> i64 {
    let len = cursor.rest.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, rest) = cursor.rest.split_at(len);
    cursor.rest = rest;
    digits.bytes().chain(std::iter::repeat(b'0')).take(9).fold(0, |sum, d| sum * 10 + (d - b'0') as i64)
}

/// A timestamp's local microseconds and the zone written after it.
#[derive(Debug, PartialEq)]
pub struct LocalTimestamp {
    pub micros: i64,
    /// Nanoseconds below the microsecond.
    pub nanos: i64,
    pub zone: Option<Zone>,
    /// No date was written: the time is of the current day.
    pub time_only: bool,
}

/// A timestamp as Spark's casts read it.
pub fn parse_timestamp(text: &str) -> Option<LocalTimestamp> {
    let text = trim(text);
    let mut cursor = Cursor { rest: text };
    let time_only = text.starts_with('T') || text.bytes().take(3).any(|b| b == b':');
    let days = if time_only {
        cursor.eat('T');
        0
    } else {
        date_part(&mut cursor)?
    };
    let mut clock = Clock::default();
    let mut zone = None;
    if !cursor.rest.is_empty() {
        if !(time_only || cursor.eat('T') || cursor.eat(' ')) {
            return None;
        }
        if !time_only && cursor.rest.is_empty() {
            return Some(LocalTimestamp { micros: days.checked_mul(MICROS_PER_DAY)?, nanos: 0, zone, time_only });
        }
        clock = time_part(&mut cursor)?;
        if !cursor.rest.is_empty() {
            zone = Some(Zone::parse(cursor.rest)?);
        }
    } else if time_only {
        return None;
    }
    let micros = days.checked_mul(MICROS_PER_DAY)?.checked_add(clock.micros)?;
    Some(LocalTimestamp { micros, nanos: clock.nanos, zone, time_only })
}

/// `h:m[:s[.f]]` of a `TIME`, in nanoseconds.
pub fn parse_time(text: &str) -> Option<i64> {
    let text = trim(text);
    let upper = text.to_ascii_uppercase();
    let (body, half) = match (upper.strip_suffix("AM"), upper.strip_suffix("PM")) {
        (Some(body), _) => (body.trim_end(), Some(0)),
        (_, Some(body)) => (body.trim_end(), Some(12)),
        _ => (upper.as_str(), None),
    };
    let mut cursor = Cursor { rest: body.strip_prefix('T').unwrap_or(body) };
    if !cursor.rest.contains(':') {
        return None;
    }
    let clock = time_part(&mut cursor)?;
    let mut micros = clock.micros;
    if !cursor.rest.is_empty() {
        return None;
    }
    if let Some(half) = half {
        let hour = micros / (3600 * MICROS_PER_SECOND);
        if !(1..=12).contains(&hour) {
            return None;
        }
        micros += ((hour % 12 + half) - hour) * 3600 * MICROS_PER_SECOND;
    }
    Some(micros * NANOS_PER_MICRO + clock.nanos)
}

/// `epoch`, `now`, `today`, `tomorrow`, `yesterday`: local microseconds of the day in `zone`, or of
/// the instant for `now` (UTC microseconds).
pub fn special_instant(text: &str, zone: Zone, now: i64) -> Option<i64> {
    let day = |shift: i64| {
        let local = now + zone.offset_at(now)? as i64 * MICROS_PER_SECOND;
        zone.to_utc((local.div_euclid(MICROS_PER_DAY) + shift) * MICROS_PER_DAY)
    };
    match trim(text).to_ascii_lowercase().as_str() {
        "epoch" => Some(0),
        "now" => Some(now),
        "today" => day(0),
        "tomorrow" => day(1),
        "yesterday" => day(-1),
        _ => None,
    }
}

/// The special words as a date.
pub fn special_date(text: &str, zone: Zone, now: i64) -> Option<i32> {
    let local = now + zone.offset_at(now)? as i64 * MICROS_PER_SECOND;
    let today = local.div_euclid(MICROS_PER_DAY) as i32;
    match trim(text).to_ascii_lowercase().as_str() {
        "epoch" => Some(0),
        "now" | "today" => Some(today),
        "tomorrow" => Some(today + 1),
        "yesterday" => Some(today - 1),
        _ => None,
    }
}

/// The day of a UTC instant in `zone`, in microseconds at its local midnight.
pub fn local_midnight(zone: Zone, now: i64) -> Option<i64> {
    let local = now + zone.offset_at(now)? as i64 * MICROS_PER_SECOND;
    Some(local.div_euclid(MICROS_PER_DAY) * MICROS_PER_DAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        for (text, expect) in [
            ("1970-01-01", Some(0)),
            ("2020-2-9", Some(18301)),
            ("2020", Some(18262)),
            ("2020-02", Some(18293)),
            ("2020-02-30", None),
            ("-0001-01-01", Some(-719_893)),
            ("2020-01-01T", Some(18262)),
            ("2020-01-01 x", Some(18262)),
            ("20-01-01", None),
            ("2020-13-01", None),
            (" 1970-01-02 ", Some(1)),
        ] {
            assert_eq!(parse_date(text), expect, "{text}");
        }
    }

    #[test]
    fn timestamps() {
        let check = |text: &str, micros: i64, zone: Option<Zone>| {
            let got = parse_timestamp(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((got.micros, got.zone), (micros, zone), "{text}");
        };
        check("1970-01-01 00:00:01.5", 1_500_000, None);
        check("1970-01-01T01:02Z", 3_720_000_000, Some(Zone::Fixed(0)));
        check("1970-01-02", MICROS_PER_DAY, None);
        check("1970-01-01 00:00:00 +8:30", 0, Some(Zone::Fixed(30_600)));
        assert_eq!(parse_timestamp("1970-01-01 25:00"), None);
    }

    #[test]
    fn zones_handle_gaps_and_overlaps() {
        let zone = Zone::parse("America/Los_Angeles").unwrap();
        let local = |text: &str| parse_timestamp(text).unwrap().micros;
        let utc = |text: &str| zone.to_utc(local(text)).unwrap();
        assert_eq!(utc("2019-03-10 02:30:00"), local("2019-03-10 10:30:00"));
        assert_eq!(utc("2019-11-03 01:30:00"), local("2019-11-03 08:30:00"));
    }
}
