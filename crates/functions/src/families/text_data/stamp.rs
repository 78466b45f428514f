//! Dates and times inside text data: the default formats, and user patterns.

use datafusion::common::Result;
use spark::types::DataType;

use super::options::OptionMap;
use crate::error::external;
use crate::families::datetime::calendar::civil_from_days;
use crate::families::datetime::legacy::{LegacyPattern, Style, TimeParser};
use crate::families::datetime::locale::Locale;
use crate::families::datetime::pattern::Pattern;
use crate::families::datetime::print::{Moment, print};
use crate::families::datetime::scan::scan;
use crate::families::datetime::text::nanos_by_legacy_patterns;
use crate::families::datetime::zone::{Zone, offset_text};

const MICROS_PER_SECOND: i64 = 1_000_000;
const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND;

/// A pattern as the session's policy reads it.
#[derive(Debug)]
enum Form {
    Today(Pattern),
    /// With the query's time, which places years of two digits.
    Old(LegacyPattern, i64),
}

/// How dates and times are read and written.
#[derive(Debug)]
pub struct Stamps {
    pub zone: Zone,
    /// Whose names and numbers are read and written.
    pub locale: &'static Locale,
    zone_id: String,
    date: Option<Form>,
    timestamp: Option<Form>,
    timestamp_ntz: Option<Pattern>,
}

impl Stamps {
    /// By options, in the session's zone unless `timeZone` says otherwise.
    ///
    /// # Errors
    /// `INVALID_TIMEZONE`, and for malformed patterns.
    pub fn new(options: &OptionMap, session_zone: &str, parsing: bool) -> Result<Stamps> {
        let zone_id = options.get("timeZone").unwrap_or(session_zone).to_string();
        let locale = options.locale().map_err(external)?;
        let own = |name| options.get(name);
        let pattern = |name| {
            own(name).map(|text| Pattern::new(text, parsing).map_err(external).map(|p| p.in_locale(locale))).transpose()
        };
        let plain = |name| {
            own(name)
                .map(|text| Pattern::without_zone(text, parsing).map_err(external).map(|p| p.in_locale(locale)))
                .transpose()
        };
        let form = |name, default| match options.time_parser() {
            TimeParser::Legacy { now } => {
                let text = options.get(name).unwrap_or(default);
                LegacyPattern::new(text, Style::Fast).map(|p| Some(Form::Old(p, now))).map_err(external)
            }
            _ => Ok(pattern(name)?.map(Form::Today)),
        };
        Ok(Stamps {
            zone: Zone::named(&zone_id)?,
            locale,
            zone_id,
            date: form("dateFormat", "yyyy-MM-dd")?,
            timestamp: form("timestampFormat", "yyyy-MM-dd'T'HH:mm:ss.SSSXXX")?,
            timestamp_ntz: plain("timestampNTZFormat")?,
        })
    }

    /// Reads a date.
    pub fn parse_date(&self, text: &str) -> Option<i32> {
        match &self.date {
            None => sql::parse_date(text),
            Some(Form::Old(pattern, now)) => {
                let day = pattern.parse(text, Zone::Fixed(0), *now).map(|t| t.div_euclid(MICROS_PER_DAY));
                day.and_then(|d| i32::try_from(d).ok()).or_else(|| sql::parse_date(text))
            }
            Some(Form::Today(pattern)) => {
                let local = scan(pattern, text).ok()?.local_micros()?;
                i32::try_from(local.div_euclid(MICROS_PER_DAY)).ok()
            }
        }
    }

    /// True if a text of unknown type counts as a date. There are none by the patterns of Spark 2.
    pub fn infers_date(&self, text: &str) -> bool {
        match (&self.date, &self.timestamp) {
            (_, Some(Form::Old(..))) => false,
            (None, _) => text.len() == 10 && sql::parse_date(text).is_some(),
            (Some(_), _) => self.parse_date(text).is_some(),
        }
    }

    /// True if a text of unknown type counts as an instant.
    pub fn infers_timestamp(&self, text: &str) -> bool {
        match &self.timestamp {
            None => text.as_bytes().first().is_some_and(u8::is_ascii_digit) && self.by_cast(text).is_some(),
            Some(Form::Old(pattern, now)) => pattern.parse(text, self.zone, *now).is_some(),
            Some(Form::Today(_)) => self.parse_timestamp(text).is_some(),
        }
    }

    /// Reads an instant.
    pub fn parse_timestamp(&self, text: &str) -> Option<i64> {
        match &self.timestamp {
            None => self.by_cast(text),
            Some(Form::Old(pattern, now)) => pattern.parse(text, self.zone, *now).or_else(|| self.by_cast(text)),
            Some(Form::Today(pattern)) => scan(pattern, text).ok()?.instant(self.zone),
        }
    }

    fn by_cast(&self, text: &str) -> Option<i64> {
        let parsed = sql::parse_timestamp(text).filter(|p| !p.time_only)?;
        match parsed.zone {
            Some(zone) => zone.to_utc(parsed.micros),
            None => self.zone.to_utc(parsed.micros),
        }
    }

    /// Reads a wall clock time; one with a zone is refused.
    pub fn parse_timestamp_ntz(&self, text: &str) -> Option<i64> {
        match &self.timestamp_ntz {
            None => sql::parse_timestamp(text).filter(|p| !p.time_only && p.zone.is_none()).map(|p| p.micros),
            Some(pattern) => scan(pattern, text).ok()?.local_micros(),
        }
    }

    /// Reads a timestamp as nanoseconds since 1970-01-01, of UTC or of a wall clock.
    pub fn parse_nanos(&self, text: &str, ltz: bool) -> Option<i128> {
        let whole = |micros: i64, below: i64| i128::from(micros) * 1000 + i128::from(below);
        let pattern = match (&self.timestamp, &self.timestamp_ntz, ltz) {
            (Some(Form::Today(pattern)), _, true) | (_, Some(pattern), false) => Some(pattern),
            // Spark 2 knows no more than milliseconds.
            (Some(Form::Old(..)), _, true) => return None,
            _ => None,
        };
        if let Some(pattern) = pattern {
            let scanned = scan(pattern, text).ok()?;
            let micros = if ltz { scanned.instant(self.zone)? } else { scanned.local_micros()? };
            return Some(whole(micros, scanned.nanos % 1000));
        }
        let micros = if ltz { self.by_cast(text)? } else { self.parse_timestamp_ntz(text)? };
        Some(whole(micros, sql::parse_timestamp(text)?.nanos))
    }

    /// Refuses instants with digits below the microsecond where the patterns of Spark 2 would write them.
    ///
    /// # Errors
    /// `UNSUPPORTED_FEATURE.TIMESTAMP_NANOS_WITH_LEGACY_TIME_PARSER`.
    pub fn check_writes(&self, ty: &DataType) -> spark::Result<()> {
        let instants = |t: &DataType| matches!(t, DataType::TimestampNanos { ltz: true, .. });
        match &self.timestamp {
            Some(Form::Old(..)) if ty.any(&instants) => Err(nanos_by_legacy_patterns()),
            _ => Ok(()),
        }
    }

    /// Writes a timestamp given in nanoseconds since 1970-01-01.
    pub fn write_nanos(&self, count: i128, ltz: bool, out: &mut String) {
        let (micros, nanos) = crate::nanos::split(count);
        match (&self.timestamp, &self.timestamp_ntz, ltz) {
            (Some(Form::Today(pattern)), _, true) => {
                print(pattern, &Moment { nanos, ..Moment::at(micros, self.zone, &self.zone_id) }, out);
            }
            (_, Some(pattern), false) => {
                print(pattern, &Moment { nanos, ..Moment::at(micros, Zone::Fixed(0), "Z") }, out)
            }
            (_, _, true) => self.write_timestamp(micros, out),
            (_, _, false) => self.write_timestamp_ntz(micros, out),
        }
    }

    /// Writes a date.
    pub fn write_date(&self, days: i32, out: &mut String) {
        match &self.date {
            None => push_date(i64::from(days), out),
            Some(Form::Old(pattern, _)) => {
                pattern.print(i64::from(days) * MICROS_PER_DAY, Zone::Fixed(0), "UTC", out);
            }
            Some(Form::Today(pattern)) => {
                print(pattern, &Moment::at(i64::from(days) * MICROS_PER_DAY, Zone::Fixed(0), "Z"), out);
            }
        }
    }

    /// Writes an instant.
    pub fn write_timestamp(&self, micros: i64, out: &mut String) {
        match &self.timestamp {
            None => {
                push_local(self.zone.to_local(micros), out);
                let offset = self.zone.offset_at(micros.div_euclid(MICROS_PER_SECOND));
                if offset == 0 { out.push('Z') } else { out.push_str(&offset_text(offset)) }
            }
            Some(Form::Old(pattern, _)) => pattern.print(micros, self.zone, &self.zone_id, out),
            Some(Form::Today(pattern)) => print(pattern, &Moment::at(micros, self.zone, &self.zone_id), out),
        }
    }

    /// Writes a wall clock time.
    pub fn write_timestamp_ntz(&self, micros: i64, out: &mut String) {
        match &self.timestamp_ntz {
            None => push_local(micros, out),
            Some(pattern) => print(pattern, &Moment::at(micros, Zone::Fixed(0), "Z"), out),
        }
    }
}

fn push_date(days: i64, out: &mut String) {
    let ymd = civil_from_days(days);
    if ymd.year > 9999 {
        out.push('+');
    }
    out.push_str(&format!("{:04}-{:02}-{:02}", ymd.year, ymd.month, ymd.day));
}

/// `yyyy-MM-dd'T'HH:mm:ss.SSS`, with more digits only if there are some.
fn push_local(micros: i64, out: &mut String) {
    push_date(micros.div_euclid(MICROS_PER_DAY), out);
    let of_day = micros.rem_euclid(MICROS_PER_DAY);
    let (seconds, fraction) = (of_day / MICROS_PER_SECOND, of_day % MICROS_PER_SECOND);
    out.push_str(&format!("T{:02}:{:02}:{:02}.", seconds / 3600, seconds / 60 % 60, seconds % 60));
    out.push_str(&format!("{:03}", fraction / 1000));
}
