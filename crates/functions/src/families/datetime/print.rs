//! Values by datetime pattern to text.

use super::calendar::{
    MICROS_PER_DAY, MICROS_PER_HOUR, MICROS_PER_MINUTE, MICROS_PER_SECOND, civil_from_days, day_of_year, weekday,
};
use super::locale::Locale;
use super::pattern::{Item, Pattern};
use super::zone::{Zone, offset_text};

/// What is printed: a local time, and the zone it is in.
pub struct Moment<'a> {
    /// Local microseconds since 1970-01-01 00:00.
    pub local: i64,
    /// Nanoseconds below the microsecond.
    pub nanos: i64,
    /// Offset from UTC in seconds.
    pub offset: i32,
    pub zone: Zone,
    /// The zone's id as the session spells it.
    pub zone_id: &'a str,
}

impl<'a> Moment<'a> {
    /// An instant on the clock of a zone.
    pub fn at(instant: i64, zone: Zone, zone_id: &'a str) -> Self {
        let offset = zone.offset_at(instant.div_euclid(MICROS_PER_SECOND));
        let local = instant.saturating_add(i64::from(offset) * MICROS_PER_SECOND);
        Moment { local, nanos: 0, offset, zone, zone_id }
    }
}

/// Appends the moment in the pattern's form.
pub fn print(pattern: &Pattern, moment: &Moment, out: &mut String) {
    print_items(&pattern.items, pattern.locale, moment, out);
}

fn print_items(items: &[Item], locale: &Locale, moment: &Moment, out: &mut String) {
    for item in items {
        match item {
            Item::Text(text) => out.push_str(text),
            Item::Optional(inner) => print_items(inner, locale, moment, out),
            Item::Field(c, count) => field(*c, *count, locale, moment, out),
        }
    }
}

fn number(value: i64, width: usize, out: &mut String) {
    out.push_str(&format!("{value:0width$}"));
}

fn field(c: char, count: usize, locale: &Locale, m: &Moment, out: &mut String) {
    let days = m.local.div_euclid(MICROS_PER_DAY);
    let time = m.local.rem_euclid(MICROS_PER_DAY);
    let date = civil_from_days(days);
    let hour = time / MICROS_PER_HOUR;
    match c {
        'G' => out.push_str(locale.eras[usize::from(count != 4)][usize::from(date.year > 0)]),
        'y' => year(if date.year > 0 { date.year } else { 1 - date.year }, count, out),
        'u' => proleptic_year(date.year, count, out),
        'M' | 'L' if count < 3 => number(i64::from(date.month), count, out),
        'M' | 'L' => out.push_str(locale.months_of(c, count)[date.month as usize - 1]),
        'd' => number(i64::from(date.day), count, out),
        'D' => number(day_of_year(days), count, out),
        'Q' | 'q' if count < 3 => number((i64::from(date.month) - 1) / 3 + 1, count, out),
        'Q' | 'q' => out.push_str(locale.quarters[usize::from(count == 3)][(date.month as usize - 1) / 3]),
        'E' => out.push_str(locale.weekdays[usize::from(count != 4)][weekday(days) as usize]),
        'F' => number((i64::from(date.day) - 1) % 7 + 1, 1, out),
        'a' => out.push_str(locale.halves[usize::from(hour >= 12)]),
        'h' => number((hour + 11) % 12 + 1, count, out),
        'K' => number(hour % 12, count, out),
        'k' => number((hour + 23) % 24 + 1, count, out),
        'H' => number(hour, count, out),
        'm' => number(time / MICROS_PER_MINUTE % 60, count, out),
        's' => number(time / MICROS_PER_SECOND % 60, count, out),
        'S' => {
            let nanos = time % MICROS_PER_SECOND * 1000 + m.nanos;
            out.push_str(&format!("{nanos:09}")[..count]);
        }
        'V' => out.push_str(m.zone_id),
        'z' => zone_name(m, count, out),
        'O' => localized(m.offset, count == 4, out),
        'X' if m.offset == 0 => out.push('Z'),
        'X' | 'x' => offset(m.offset, count, out),
        'Z' if count == 4 => localized(m.offset, true, out),
        'Z' if count == 5 && m.offset == 0 => out.push('Z'),
        'Z' if count == 5 => offset(m.offset, 5, out),
        _ => offset(m.offset, 2, out),
    }
}

fn year(year: i64, count: usize, out: &mut String) {
    if count == 2 {
        return number(year.rem_euclid(100), 2, out);
    }
    if count >= 4 && year >= 10_i64.pow(count as u32) {
        out.push('+');
    }
    number(year, count, out);
}

/// A year that may be 0 or less: `-0044`.
fn proleptic_year(value: i64, count: usize, out: &mut String) {
    if value < 0 && count != 2 {
        out.push('-');
    }
    year(value.abs(), count, out);
}

/// `+08`, `+0800`, `+08:00`, `+080000`, `+08:00:00`, by the number of letters.
fn offset(offset: i32, count: usize, out: &mut String) {
    let (sign, n) = if offset < 0 { ('-', -offset) } else { ('+', offset) };
    let (h, m, s) = (n / 3600, n / 60 % 60, n % 60);
    out.push(sign);
    out.push_str(&match count {
        1 if m == 0 => format!("{h:02}"),
        1 | 2 => format!("{h:02}{m:02}"),
        3 => format!("{h:02}:{m:02}"),
        4 if s == 0 => format!("{h:02}{m:02}"),
        4 => format!("{h:02}{m:02}{s:02}"),
        _ if s == 0 => format!("{h:02}:{m:02}"),
        _ => format!("{h:02}:{m:02}:{s:02}"),
    });
}

/// `GMT`, `GMT+8`, `GMT+08:00`.
fn localized(offset: i32, full: bool, out: &mut String) {
    out.push_str("GMT");
    if offset == 0 {
        return;
    }
    if full {
        out.push_str(&offset_text(offset));
        return;
    }
    let (sign, n) = if offset < 0 { ('-', -offset) } else { ('+', offset) };
    out.push_str(&format!("{sign}{}", n / 3600));
    if n % 3600 != 0 {
        out.push_str(&format!(":{:02}", n / 60 % 60));
    }
    if n % 60 != 0 {
        out.push_str(&format!(":{:02}", n % 60));
    }
}

/// The zone's name: in full for four letters.
pub fn zone_name(m: &Moment, count: usize, out: &mut String) {
    let short = match m.zone {
        Zone::Fixed(_) => m.zone_id.to_string(),
        Zone::Region(tz) => {
            use chrono::{Offset, TimeZone};
            use chrono_tz::OffsetName;
            let seconds = (m.local.div_euclid(MICROS_PER_SECOND) - i64::from(m.offset))
                .clamp(-8_000_000_000_000, 8_000_000_000_000);
            let named = |seconds: i64| {
                let at = chrono::DateTime::from_timestamp(seconds, 0).unwrap_or_default().naive_utc();
                tz.offset_from_utc_datetime(&at)
            };
            // Times before zones had names go by today's name for winter.
            let offset = Some(named(seconds))
                .filter(|o| o.abbreviation() != Some("LMT"))
                .unwrap_or_else(|| named(1_577_836_800));
            match offset.abbreviation() {
                Some(name) if name.starts_with(|c: char| c.is_ascii_alphabetic()) => name.to_string(),
                _ => offset_text(offset.fix().local_minus_utc()),
            }
        }
    };
    out.push_str(if count == 4 { long_name(&short) } else { &short });
}

fn long_name(short: &str) -> &str {
    match short {
        "PST" => "Pacific Standard Time",
        "PDT" => "Pacific Daylight Time",
        "MST" => "Mountain Standard Time",
        "MDT" => "Mountain Daylight Time",
        "CST" => "Central Standard Time",
        "CDT" => "Central Daylight Time",
        "EST" => "Eastern Standard Time",
        "EDT" => "Eastern Daylight Time",
        "UTC" | "Z" => "Coordinated Universal Time",
        "GMT" => "Greenwich Mean Time",
        "BST" => "British Summer Time",
        "CET" => "Central European Standard Time",
        "CEST" => "Central European Summer Time",
        "EET" => "Eastern European Standard Time",
        "EEST" => "Eastern European Summer Time",
        "JST" => "Japan Standard Time",
        "IST" => "India Standard Time",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::super::calendar::days_from_civil;
    use super::*;

    #[test]
    fn prints_by_pattern() {
        let zone = Zone::parse("America/Los_Angeles").unwrap();
        let local =
            days_from_civil(2016, 4, 8) * MICROS_PER_DAY + 13 * MICROS_PER_HOUR + 5 * MICROS_PER_SECOND + 120_000;
        let instant = zone.to_utc(local).unwrap();
        for (pattern, expect) in [
            ("y", "2016"),
            ("yy-M-d", "16-4-8"),
            ("yyyy-MM-dd HH:mm:ss.SSS", "2016-04-08 13:00:05.120"),
            ("EEEE, MMM d h a", "Friday, Apr 8 1 PM"),
            ("QQQ D", "Q2 99"),
            ("VV z O XXX xx Z", "America/Los_Angeles PDT GMT-7 -07:00 -0700 -0700"),
        ] {
            let mut out = String::new();
            print(&Pattern::new(pattern, false).unwrap(), &Moment::at(instant, zone, "America/Los_Angeles"), &mut out);
            assert_eq!(out, expect, "{pattern}");
        }
    }
}
