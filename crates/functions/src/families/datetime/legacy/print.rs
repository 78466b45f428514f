//! Moments by old datetime pattern to text.

use super::hybrid::{Clock, day_of_week, day_of_year, hybrid_date, week_of_month, week_of_year};
use super::{Item, LegacyPattern, Style};
use crate::families::datetime::calendar::{MICROS_PER_HOUR, MICROS_PER_MINUTE, MICROS_PER_SECOND, MONTHS, WEEKDAYS};
use crate::families::datetime::print::{Moment, zone_name};
use crate::families::datetime::zone::Zone;

/// Appends the moment in the pattern's form.
pub fn print(pattern: &LegacyPattern, clock: &Clock, zone: Zone, zone_id: &str, out: &mut String) {
    for item in &pattern.items {
        match item {
            Item::Text(text) => out.push_str(text),
            Item::Field('z', count) => name_of_zone(clock, zone, zone_id, *count, out),
            Item::Field('Z', count) if pattern.style == Style::Fast && *count > 1 => {
                if *count == 2 && clock.offset == 0 {
                    out.push('Z');
                } else {
                    offset(clock.offset, 3, out);
                }
            }
            Item::Field('Z', _) => offset(clock.offset, 2, out),
            Item::Field('X', _) if clock.offset == 0 => out.push('Z'),
            Item::Field('X', count) => offset(clock.offset, *count, out),
            Item::Field('S', count) => {
                let micros = clock.time % MICROS_PER_SECOND;
                let value = match pattern.style {
                    Style::Simple => micros / 1000,
                    Style::Fast => (i128::from(micros) * 10_i128.pow(pattern.fraction.min(18)) / 1_000_000) as i64,
                };
                number(value, *count, out);
            }
            Item::Field(c, count) => field(*c, *count, clock, pattern.style, out),
        }
    }
}

fn number(value: i64, width: usize, out: &mut String) {
    let sign = if value < 0 { "-" } else { "" };
    out.push_str(&format!("{sign}{:0width$}", value.abs()));
}

fn field(c: char, count: usize, clock: &Clock, style: Style, out: &mut String) {
    let (year, month, date) = hybrid_date(clock.day);
    let hour = clock.time / MICROS_PER_HOUR;
    match c {
        'G' => out.push_str(if year > 0 { "AD" } else { "BC" }),
        'y' => print_year(if year > 0 { year } else { 1 - year }, count, style, out),
        'Y' => print_year(week_of_year(clock.day).0, count, style, out),
        'M' | 'L' => {
            let name = MONTHS[(month - 1) as usize];
            match count {
                1 | 2 => number(month, count, out),
                3 => out.push_str(&name[..3]),
                _ => out.push_str(name),
            }
        }
        'E' => {
            let name = WEEKDAYS[((day_of_week(clock.day) + 5) % 7) as usize];
            out.push_str(if count >= 4 { name } else { &name[..3] });
        }
        'a' => out.push_str(if hour < 12 { "AM" } else { "PM" }),
        'd' => number(date, count, out),
        'D' => number(day_of_year(clock.day), count, out),
        'F' => number((date - 1) / 7 + 1, count, out),
        'w' => number(week_of_year(clock.day).1, count, out),
        'W' => number(week_of_month(clock.day), count, out),
        'u' => number((day_of_week(clock.day) + 5) % 7 + 1, count, out),
        'H' => number(hour, count, out),
        'k' => number(if hour == 0 { 24 } else { hour }, count, out),
        'K' => number(hour % 12, count, out),
        'h' => number(if hour % 12 == 0 { 12 } else { hour % 12 }, count, out),
        'm' => number(clock.time / MICROS_PER_MINUTE % 60, count, out),
        _ => number(clock.time / MICROS_PER_SECOND % 60, count, out),
    }
}

fn print_year(year: i64, count: usize, style: Style, out: &mut String) {
    match (count, style) {
        (2, _) => number(year % 100, 2, out),
        (_, Style::Simple) => number(year, count, out),
        (_, Style::Fast) => number(year, count.max(4), out),
    }
}

/// `+08`, `+0800`, `+08:00`.
fn offset(seconds: i32, style: usize, out: &mut String) {
    let (sign, n) = if seconds < 0 { ('-', -seconds) } else { ('+', seconds) };
    let (h, m) = (n / 3600, n / 60 % 60);
    out.push(sign);
    out.push_str(&match style {
        1 => format!("{h:02}"),
        2 => format!("{h:02}{m:02}"),
        _ => format!("{h:02}:{m:02}"),
    });
}

fn name_of_zone(clock: &Clock, zone: Zone, zone_id: &str, count: usize, out: &mut String) {
    match zone {
        Zone::Fixed(seconds) if seconds != 0 => {
            out.push_str("GMT");
            offset(seconds, 3, out);
        }
        // The old formatters never say Z.
        Zone::Fixed(_) if zone_id == "Z" => zone_name(&Moment::at(clock.instant, zone, "UTC"), count.max(3), out),
        _ => zone_name(&Moment::at(clock.instant, zone, zone_id), if count >= 4 { 4 } else { 3 }, out),
    }
}
