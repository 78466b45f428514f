//! Java's old calendar: Julian before 15 October 1582 and Gregorian from then on.

use crate::families::datetime::calendar::{MICROS_PER_DAY, MICROS_PER_SECOND, civil_from_days, days_from_civil};
use crate::families::datetime::zone::Zone;

/// The first day of the Gregorian calendar, 1582-10-15.
const CUTOVER: i64 = -141_427;

/// 1900-01-01: before it the old time zones know no more than today's winter time.
const STANDARD_TIME: i64 = -2_208_988_800 * MICROS_PER_SECOND;

/// The day of a date that may have a month or day out of range, in the calendar of its time.
pub fn hybrid_day(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = (year + (month - 1).div_euclid(12), ((month - 1).rem_euclid(12) + 1) as u32);
    let gregorian = days_from_civil(year, month, 1) + day - 1;
    if gregorian >= CUTOVER { gregorian } else { julian_day(year, month) + day - 1 }
}

/// The first day of a month of the Julian calendar.
fn julian_day(year: i64, month: u32) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let m = i64::from(month);
    let of_year = (153 * (if m > 2 { m - 3 } else { m + 9 }) + 2) / 5;
    y * 365 + y.div_euclid(4) + of_year - 719_470
}

/// Year, month and day of a day.
pub fn hybrid_date(day: i64) -> (i64, i64, i64) {
    if day >= CUTOVER {
        let date = civil_from_days(day);
        return (date.year, i64::from(date.month), i64::from(date.day));
    }
    let z = day + 719_470;
    let era = z.div_euclid(1461);
    let of_era = z.rem_euclid(1461);
    let of_year = of_era - of_era / 365 * 365;
    // The last of four years (from March on) is a day longer.
    let (years, of_year) = if of_era == 1460 { (3, 365) } else { (of_era / 365, of_year) };
    let mp = (5 * of_year + 2) / 153;
    let date = of_year - (153 * mp + 2) / 5 + 1;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    (era * 4 + years + i64::from(month <= 2), month, date)
}

/// The day with the same date in the calendar that is Gregorian throughout.
fn to_proleptic(day: i64) -> i64 {
    if day >= CUTOVER {
        return day;
    }
    let (year, month, date) = hybrid_date(day);
    days_from_civil(year, month as u32, 1) + date - 1
}

/// The day with the same date in the old calendar; dates it skips are its first Gregorian day.
pub fn from_proleptic(day: i64) -> i64 {
    if day >= CUTOVER {
        return day;
    }
    let date = civil_from_days(day);
    hybrid_day(date.year, i64::from(date.month), i64::from(date.day)).min(CUTOVER)
}

fn shift(micros: i64, day: impl Fn(i64) -> i64) -> i64 {
    let days = day(micros.div_euclid(MICROS_PER_DAY));
    days.saturating_mul(MICROS_PER_DAY).saturating_add(micros.rem_euclid(MICROS_PER_DAY))
}

/// The offset that Java's old time zones have: see [`STANDARD_TIME`].
fn old_offset(zone: Zone, utc_seconds: i64) -> i64 {
    match zone {
        Zone::Region(tz) if utc_seconds < STANDARD_TIME / MICROS_PER_SECOND => {
            use chrono::TimeZone;
            use chrono_tz::OffsetComponents;
            let today = chrono::DateTime::from_timestamp(1_577_836_800, 0).unwrap_or_default().naive_utc();
            tz.offset_from_utc_datetime(&today).base_utc_offset().num_seconds()
        }
        zone => i64::from(zone.offset_at(utc_seconds)),
    }
}

/// The instant of a wall clock in the old time zones: of two, the one in winter time.
fn old_to_utc(zone: Zone, local: i64) -> i64 {
    let seconds = local.div_euclid(MICROS_PER_SECOND);
    let later = old_offset(zone, seconds - old_offset(zone, seconds + 86_400));
    let earlier = old_offset(zone, seconds - old_offset(zone, seconds - 86_400));
    let holds = |offset: i64| old_offset(zone, seconds - offset) == offset;
    let offset = match (holds(earlier), holds(later)) {
        (true, true) => earlier.min(later),
        (true, false) => earlier,
        (false, true) => later,
        (false, false) => earlier.min(later),
    };
    local.saturating_sub(offset * MICROS_PER_SECOND)
}

/// A moment on the wall clock of the old calendar.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    pub day: i64,
    /// Microseconds of the day.
    pub time: i64,
    /// Offset from UTC in seconds.
    pub offset: i32,
    /// The instant in microseconds.
    pub instant: i64,
}

impl Clock {
    /// An instant on the clock of a zone.
    pub fn of_instant(instant: i64, zone: Zone) -> Clock {
        // Until zones were standardized the local clock is what the two calendars share.
        let old = if instant >= STANDARD_TIME {
            instant
        } else {
            old_to_utc(zone, shift(zone.to_local(instant), from_proleptic))
        };
        let offset = old_offset(zone, old.div_euclid(MICROS_PER_SECOND));
        let local = old.saturating_add(offset * MICROS_PER_SECOND);
        Clock {
            day: local.div_euclid(MICROS_PER_DAY),
            time: local.rem_euclid(MICROS_PER_DAY),
            offset: offset as i32,
            instant,
        }
    }
}

/// The instant of a day and time (microseconds, perhaps beyond the day) of the old calendar.
pub fn to_instant(day: i64, time: i64, zone: Zone, offset: Option<i64>) -> Option<i64> {
    let local = day.checked_mul(MICROS_PER_DAY)?.checked_add(time)?;
    let old = match offset {
        Some(seconds) => local.checked_sub(seconds * MICROS_PER_SECOND)?,
        None => old_to_utc(zone, local),
    };
    if old >= STANDARD_TIME {
        return Some(old);
    }
    let local = old.checked_add(old_offset(zone, old.div_euclid(MICROS_PER_SECOND)) * MICROS_PER_SECOND)?;
    zone.to_utc(shift(local, to_proleptic))
}

/// Sunday = 1 … Saturday = 7.
pub fn day_of_week(day: i64) -> i64 {
    (day + 4).rem_euclid(7) + 1
}

/// The latest day of the week `dow` that is not after `day`.
pub fn on_or_before(day: i64, dow: i64) -> i64 {
    day - (day_of_week(day) - dow).rem_euclid(7)
}

/// The week of `day` counted from the one that `first` is in; weeks begin on Sundays.
fn week_from(first: i64, day: i64) -> i64 {
    (day - on_or_before(first, 1)).div_euclid(7) + 1
}

/// The week of the month.
pub fn week_of_month(day: i64) -> i64 {
    let (year, month, _) = hybrid_date(day);
    week_from(hybrid_day(year, month, 1), day)
}

/// The week's year (before 1 counting down from 0) and its number in it.
pub fn week_of_year(day: i64) -> (i64, i64) {
    let (year, ..) = hybrid_date(day);
    if day >= on_or_before(hybrid_day(year + 1, 1, 1), 1) {
        return (year + 1, 1);
    }
    (year, week_from(hybrid_day(year, 1, 1), day))
}

/// The day of the year.
pub fn day_of_year(day: i64) -> i64 {
    let (year, ..) = hybrid_date(day);
    day - hybrid_day(year, 1, 1) + 1
}
