//! Dates and times from text and to text: `to_date`, `to_timestamp`, `date_format`, `unix_timestamp`,
//! `from_unixtime` and their kin.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::common::Result as DfResult;
use datafusion::logical_expr::{ColumnarValue, lit};
use spark::expr::CastMode;
use spark::types::DataType;
use spark::{Error, ErrorKind, Result};

use super::calendar::MICROS_PER_SECOND;
use super::legacy::{LegacyPattern, Style, TimeParser};
use super::pattern::Pattern;
use super::print::{Moment, print};
use super::scan::scan;
use super::zone::Zone;
use super::{Numbers, date_error, each_row};
use crate::call::Call;
use crate::cast;
use crate::coerce::{self, Expected};
use crate::error::{external, fail};
use crate::families::rows::{Text, strings};
use crate::kernel::{Kernel, KernelArgs, Options};
use crate::registry::{Build, Function};
use crate::typed::Typed;

/// Functions of this file.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "date_format", build: Build::Scalar(date_format) },
    Function { name: "from_unixtime", build: Build::Scalar(from_unixtime) },
    Function { name: "to_date", build: Build::Scalar(to_value) },
    Function { name: "try_to_date", build: Build::Scalar(to_value) },
    Function { name: "to_timestamp", build: Build::Scalar(to_value) },
    Function { name: "to_timestamp_ltz", build: Build::Scalar(to_value) },
    Function { name: "to_timestamp_ntz", build: Build::Scalar(to_value) },
    Function { name: "try_to_timestamp", build: Build::Scalar(to_value) },
    Function { name: "unix_timestamp", build: Build::Scalar(unix_timestamp) },
    Function { name: "to_unix_timestamp", build: Build::Scalar(unix_timestamp) },
    Function { name: "to_time", build: Build::Scalar(to_time) },
    Function { name: "try_to_time", build: Build::Scalar(to_time) },
];

/// Kernels of this file.
pub const KERNELS: &[Kernel] = &[
    Kernel::new("date_format", eval_date_format),
    Kernel::new("from_unixtime", eval_from_unixtime),
    Kernel::new("parse_timestamp", eval_parse),
    Kernel::new("unix_timestamp", eval_unix_timestamp),
    Kernel::new("timestamp_to_seconds", eval_seconds),
    Kernel::new("time_of_text", eval_time_of_text),
];

const DEFAULT_FORMAT: &str = "yyyy-MM-dd HH:mm:ss";

/// A pattern as the session's policy reads it.
enum Form {
    Today(Pattern),
    Old(LegacyPattern),
}

/// Patterns by text: most calls have one for all rows.
struct Patterns {
    parsing: bool,
    /// False for times without a zone, which Spark 2 did not have.
    zoned: bool,
    parser: TimeParser,
    known: HashMap<String, Arc<Form>>,
}

impl Patterns {
    fn new(parsing: bool, parser: TimeParser) -> Self {
        Patterns { parsing, zoned: true, parser, known: HashMap::new() }
    }

    fn get(&mut self, text: &str) -> DfResult<Arc<Form>> {
        if let Some(form) = self.known.get(text) {
            return Ok(Arc::clone(form));
        }
        let form = match self.parser {
            TimeParser::Legacy { .. } => LegacyPattern::new(text, Style::Simple).map(Form::Old),
            _ if !self.zoned => Pattern::without_zone(text, self.parsing).map(Form::Today),
            _ => Pattern::new(text, self.parsing).map(Form::Today),
        };
        let form = Arc::new(form.map_err(external)?);
        self.known.insert(text.to_string(), Arc::clone(&form));
        Ok(form)
    }

    /// An instant (or time of day without a zone) by a format.
    fn print(&mut self, format: &str, moment: &Moment, instant: i64, out: &mut String) -> DfResult<()> {
        match &*self.get(format)? {
            Form::Today(pattern) => print(pattern, moment, out),
            Form::Old(pattern) => pattern.print(instant, moment.zone, moment.zone_id, out),
        }
        Ok(())
    }

    /// The microseconds that a text says: an instant, or without a zone those of the local clock. The
    /// inner error says why the text does not fit.
    fn parse(
        &mut self,
        format: &str,
        text: &str,
        zone: Option<Zone>,
    ) -> DfResult<std::result::Result<Option<i64>, String>> {
        let utc = Zone::Fixed(0);
        let found = match &*self.get(format)? {
            Form::Today(pattern) => scan(pattern, text).map(|s| match zone {
                Some(zone) => s.instant(zone),
                None => s.local_micros(),
            }),
            Form::Old(pattern) => {
                let now = if let TimeParser::Legacy { now } = self.parser { now } else { 0 };
                let found = pattern.parse(text, zone.unwrap_or(utc), now);
                found.map(Some).ok_or_else(|| format!("Unparseable date: \"{text}\""))
            }
        };
        if let (Err(_), TimeParser::Exception { now }) = (&found, self.parser) {
            let old = LegacyPattern::new(format, Style::Simple).ok();
            if old.and_then(|p| p.parse(text, zone.unwrap_or(utc), now)).is_some() {
                return fail(
                    Error::new(ErrorKind::Upgrade, "INCONSISTENT_BEHAVIOR_CROSS_VERSION.PARSE_DATETIME_BY_NEW_PARSER")
                        .param("datetime", crate::cast::format::quoted(text))
                        .param("config", "\"spark.sql.legacy.timeParserPolicy\"")
                        .with_message(format!("Only the datetime patterns of Spark 2 fit {text}.")),
                );
            }
        }
        Ok(found)
    }
}

fn date_format(mut call: Call) -> Result<Typed> {
    call.arity(2..=2)?;
    let name = call.display_name();
    let mut zone = call.settings.time_zone.clone();
    match call.args[0].ty {
        DataType::Time(_) => zone = crate::types::UTC.into(),
        DataType::TimestampNanos { ltz, precision } => {
            if matches!(TimeParser::of(call.settings), TimeParser::Legacy { .. }) {
                return Err(nanos_by_legacy_patterns());
            }
            if !ltz {
                let instant = DataType::TimestampNanos { ltz: true, precision };
                call.args[0] = coerce::cast_implicitly(&call.args[0], &instant, call.settings);
            }
        }
        DataType::TimestampNtz => {
            call.args[0] = coerce::cast_implicitly(&call.args[0], &DataType::Timestamp, call.settings);
        }
        _ => super::expect_timestamp(
            &mut call,
            0,
            "(\"TIMESTAMP\" or \"TIME\" or \"(TIMESTAMP_LTZ(P) OR TIMESTAMP_NTZ(P) WITH P IN [7, 9])\")",
        )?,
    }
    call.expect(1, Expected::String)?;
    let nullable = call.any_nullable();
    let mut options = call.options_pattern().with_time_zone(zone);
    if matches!(call.args[0].ty, DataType::Time(_)) {
        options.time_parser = TimeParser::Corrected;
    }
    Ok(call.kernel_with(&KERNELS[0], options, DataType::STRING, nullable).named(name))
}

/// The patterns of Spark 2 know no digits below the microsecond.
pub fn nanos_by_legacy_patterns() -> Error {
    Error::new(ErrorKind::Unsupported, "UNSUPPORTED_FEATURE.TIMESTAMP_NANOS_WITH_LEGACY_TIME_PARSER")
        .param("config", "\"spark.sql.legacy.timeParserPolicy\"")
        .with_message("Datetime patterns of Spark 2 do not go with digits below the microsecond.")
        .nowhere()
}

fn string(value: &str) -> Typed {
    Typed::new(lit(value), DataType::STRING, false, value)
}

fn from_unixtime(mut call: Call) -> Result<Typed> {
    call.arity(1..=2)?;
    if call.args.len() == 1 {
        call.args.push(string(DEFAULT_FORMAT));
    }
    let name = call.display_name();
    call.expect_all(&[Expected::Type(DataType::Long), Expected::String])?;
    let options = call.options_pattern();
    Ok(call.kernel_with(&KERNELS[1], options, DataType::STRING, true).named(name))
}

/// `to_date(text)` is a cast; with a format the text is parsed by it.
fn to_value(mut call: Call) -> Result<Typed> {
    call.arity(1..=2)?;
    let name = call.display_name();
    let tolerant = call.name.starts_with("try_");
    let ty = match call.name.as_str() {
        "to_date" | "try_to_date" => DataType::Date,
        "to_timestamp_ntz" => DataType::TimestampNtz,
        "to_timestamp_ltz" => DataType::Timestamp,
        _ if call.settings.timestamp_ntz => DataType::TimestampNtz,
        _ => DataType::Timestamp,
    };
    let textual = call.args[0].ty.is_string();
    if call.args.len() == 1 || (!textual && call.args[0].ty.is_datetime()) {
        let allowed = textual
            || call.args[0].ty.is_datetime()
            || call.args[0].ty.is_timestamp_nanos()
            || call.args[0].ty == DataType::Null
            || (ty != DataType::Date && call.args[0].ty.is_numeric())
            || (ty == DataType::TimestampNtz && call.args[0].ty == DataType::Boolean);
        if !allowed {
            expect_text(&mut call, &ty)?;
        }
        let mode = if tolerant { CastMode::Try } else { CastMode::Session };
        // Without a zone a number is no count of seconds, but text.
        if ty == DataType::TimestampNtz && (call.args[0].ty.is_numeric() || call.args[0].ty == DataType::Boolean) {
            call.args[0] = coerce::cast_implicitly(&call.args[0], &DataType::STRING, call.settings);
        }
        let cast = cast::explicit(&call.args[0], &ty, mode, call.settings)?;
        let nullable = cast.nullable || tolerant || call.args[0].ty.is_timestamp_nanos();
        return Ok(Typed::new(cast.expr, ty, nullable, name));
    }
    expect_text(&mut call, &ty)?;
    call.expect(1, Expected::String)?;
    let parsed = if ty == DataType::Date { DataType::Timestamp } else { ty.clone() };
    let suggestion = if ty == DataType::Date { "`try_to_date`" } else { "`try_to_timestamp`" };
    let mut options = parse_options(&call, &parsed, suggestion);
    options.ansi &= !tolerant;
    let nullable = call.any_nullable() || !options.ansi;
    let settings = call.settings;
    let typed = call.kernel_with(&KERNELS[2], options, parsed, nullable);
    let typed = if ty == DataType::Date { coerce::cast_implicitly(&typed, &ty, settings) } else { typed };
    Ok(Typed::new(typed.expr, ty, nullable, name))
}

/// Argument 0 as text to be read as a value of type `ty`.
fn expect_text(call: &mut Call, ty: &DataType) -> Result<()> {
    let required = if *ty == DataType::Timestamp {
        "(\"STRING\" or \"DATE\" or \"TIMESTAMP\" or \"TIMESTAMP_NTZ\" or \"NUMERIC\")"
    } else {
        "(\"STRING\" or \"DATE\" or \"TIMESTAMP\" or \"TIMESTAMP_NTZ\")"
    };
    let refused = call.unexpected_type(0, required);
    call.expect(0, Expected::String).map_err(|_| refused)
}

fn parse_options(call: &Call, ty: &DataType, suggestion: &str) -> Options {
    let zone = if *ty == DataType::Timestamp { call.settings.time_zone.clone() } else { crate::types::UTC.into() };
    let options = call.options_pattern().with_time_zone(zone).with_extra(suggestion);
    // What has no zone was not there in Spark 2.
    if *ty == DataType::Timestamp { options } else { Options { time_parser: TimeParser::Corrected, ..options } }
}

fn to_time(mut call: Call) -> Result<Typed> {
    call.arity(1..=2)?;
    super::time::enabled(&call)?;
    let tolerant = call.name.starts_with("try_");
    let mut name = call.display_name();
    if tolerant {
        name = format!("try_to_time({})", name.trim_start_matches("try_"));
    }
    call.expect(0, Expected::String)?;
    let ty = DataType::Time(6);
    if call.args.len() == 1 {
        let (nullable, settings) = (true, call.settings);
        let mut options = call.options();
        options.ansi = !tolerant;
        // Whatever the type says, Spark keeps all digits that are written.
        let text = cast::cast_with(&call.args[0], &DataType::Time(9), cast::Mode::Try, settings);
        let args = vec![text.expr, call.args[0].expr.clone()];
        let expr = crate::kernel::KernelUdf::call(&KERNELS[5], crate::types::to_arrow(&ty), options, args);
        return Ok(Typed::new(expr, ty, nullable, name));
    }
    call.expect(1, Expected::String)?;
    let nullable = true;
    let mut options = parse_options(&call, &ty, "`try_to_time`");
    options.ansi = !tolerant;
    Ok(call.kernel_with(&KERNELS[2], options, ty, nullable).named(name))
}

fn unix_timestamp(mut call: Call) -> Result<Typed> {
    let least = usize::from(call.name == "to_unix_timestamp");
    call.arity(least..=2)?;
    if call.args.is_empty() {
        let now = datafusion::scalar::ScalarValue::TimestampMicrosecond(
            Some(call.settings.now_micros),
            Some(crate::types::UTC.into()),
        );
        call.args.push(Typed::new(lit(now), DataType::Timestamp, false, "current_timestamp()"));
    }
    if call.args.len() == 1 {
        call.args.push(string(DEFAULT_FORMAT));
    }
    let name = call.display_name();
    super::super::rows::strict(&mut call, 1, Expected::String)?;
    let had_nanos = super::without_nanos(&mut call, 0).is_some();
    if call.args[0].ty.is_datetime() {
        let nullable = call.any_nullable() || had_nanos && !call.settings.ansi;
        // Without a zone a timestamp counts as UTC here.
        if call.args[0].ty != DataType::TimestampNtz {
            call.args[0] = coerce::cast_implicitly(&call.args[0], &DataType::Timestamp, call.settings);
        }
        call.args.truncate(1);
        return Ok(call.kernel(&KERNELS[4], DataType::Long, nullable).named(name));
    }
    if !call.args[0].ty.is_string() && call.args[0].ty != DataType::Null {
        return Err(call.unexpected_type(
            0,
            "(\"STRING\" or \"DATE\" or \"TIMESTAMP\" or \"TIMESTAMP_NTZ\" or \"(TIMESTAMP_LTZ(P) OR TIMESTAMP_NTZ(P) WITH P IN [7, 9])\")",
        ));
    }
    call.expect(0, Expected::String)?;
    let nullable = call.any_nullable() || !call.settings.ansi;
    let options = parse_options(&call, &DataType::Timestamp, "`try_to_timestamp`");
    Ok(call.kernel_with(&KERNELS[3], options, DataType::Long, nullable).named(name))
}

fn eval_date_format(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let is_time = matches!(args.value(0)?.data_type(), arrow::datatypes::DataType::Time64(_));
    if crate::nanos::of_storage(&args.value(0)?.data_type()).is_some() {
        return format_nanos(args);
    }
    let (times, formats) = (Numbers::of(args, 0)?, Text::of(args, 1)?);
    let zone_id = args.time_zone()?;
    let zone = Zone::named(zone_id)?;
    let mut patterns = Patterns::new(false, args.options().time_parser);
    strings(args, |row, out| {
        let Some((t, format)) = times.get(row).zip(formats.get(row)) else { return Ok(false) };
        let moment = if is_time {
            Moment { local: t / 1000, nanos: t % 1000, offset: 0, zone, zone_id }
        } else {
            Moment::at(t, zone, zone_id)
        };
        patterns.print(format, &moment, t, out)?;
        Ok(true)
    })
}

/// Instants with digits below the microsecond by pattern.
fn format_nanos(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let counts: Vec<Option<i128>> = crate::nanos::counts(&args.array(0)?).collect();
    let formats = Text::of(args, 1)?;
    let zone_id = args.time_zone()?;
    let zone = Zone::named(zone_id)?;
    let mut patterns = Patterns::new(false, args.options().time_parser);
    strings(args, |row, out| {
        let count = counts.get(row).copied().flatten();
        let Some((count, format)) = count.zip(formats.get(row)) else { return Ok(false) };
        let (micros, nanos) = crate::nanos::split(count);
        patterns.print(format, &Moment { nanos, ..Moment::at(micros, zone, zone_id) }, micros, out)?;
        Ok(true)
    })
}

fn eval_from_unixtime(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let (seconds, formats) = (Numbers::of(args, 0)?, Text::of(args, 1)?);
    let zone_id = args.time_zone()?;
    let zone = Zone::named(zone_id)?;
    let mut patterns = Patterns::new(false, args.options().time_parser);
    strings(args, |row, out| {
        let Some((s, format)) = seconds.get(row).zip(formats.get(row)) else { return Ok(false) };
        let micros = s.wrapping_mul(MICROS_PER_SECOND);
        patterns.print(format, &Moment::at(micros, zone, zone_id), micros, out)?;
        Ok(true)
    })
}

fn cannot_parse(message: &str, suggestion: &str) -> Error {
    date_error("CANNOT_PARSE_TIMESTAMP")
        .param("func", suggestion)
        .param("message", message)
        .with_message(format!("{message}; {suggestion} gives NULL instead."))
}

/// Each text by its format; `None` for nulls, and for what does not fit outside ANSI mode.
fn parse_rows(args: &KernelArgs, zone: Option<Zone>, value: impl Fn(i64) -> i64) -> DfResult<ColumnarValue> {
    let (texts, formats) = (Text::of(args, 0)?, Text::of(args, 1)?);
    let mut patterns = Patterns::new(true, args.options().time_parser);
    patterns.zoned = zone.is_some();
    let (ansi, suggestion) = (args.ansi(), args.extra().to_string());
    each_row(args, |row| {
        let Some((text, format)) = texts.get(row).zip(formats.get(row)) else { return Ok(None) };
        match patterns.parse(format, text, zone)? {
            Ok(micros) => Ok(micros.map(&value)),
            Err(problem) if ansi => fail(cannot_parse(&problem, &suggestion)),
            Err(_) => Ok(None),
        }
    })
}

/// `CANNOT_PARSE_TIME`.
fn no_time(text: &str, format: &str) -> Error {
    date_error("CANNOT_PARSE_TIME")
        .param("input", crate::cast::format::quoted(text))
        .param("format", crate::cast::format::quoted(format))
        .with_message(format!("{text} is no time of the form {format}; try_to_time gives NULL instead."))
}

/// Each text as a time by its format.
fn parse_times(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let (texts, formats) = (Text::of(args, 0)?, Text::of(args, 1)?);
    let mut patterns = Patterns::new(true, args.options().time_parser);
    each_row(args, |row| {
        let Some((text, format)) = texts.get(row).zip(formats.get(row)) else { return Ok(None) };
        let Form::Today(pattern) = &*patterns.get(format)? else { return Ok(None) };
        match scan(pattern, text) {
            Ok(scanned) => Ok(Some(scanned.nanos)),
            Err(_) if args.ansi() => fail(no_time(text, format)),
            Err(_) => Ok(None),
        }
    })
}

/// The times read from texts, or the error for a text that is none.
fn eval_time_of_text(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let (times, texts) = (Numbers::of(args, 0)?, Text::of(args, 1)?);
    each_row(args, |row| match (times.get(row), texts.get(row)) {
        (None, Some(text)) if args.ansi() => fail(no_time(text, "HH:mm:ss.SSSSSS")),
        (time, _) => Ok(time),
    })
}

fn eval_parse(args: &KernelArgs) -> DfResult<ColumnarValue> {
    use arrow::datatypes::{DataType as Arrow, TimeUnit};
    let zone = Zone::named(args.time_zone()?)?;
    match args.return_type() {
        Arrow::Time64(_) => parse_times(args),
        Arrow::Timestamp(TimeUnit::Microsecond, None) => parse_rows(args, None, |t| t),
        _ => parse_rows(args, Some(zone), |t| t),
    }
}

fn eval_unix_timestamp(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let zone = Zone::named(args.time_zone()?)?;
    parse_rows(args, Some(zone), |t| t.div_euclid(MICROS_PER_SECOND))
}

fn eval_seconds(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let times = Numbers::of(args, 0)?;
    each_row(args, |row| Ok(times.get(row).map(|t| t / MICROS_PER_SECOND)))
}
