//! Configuration keys of Spark 4.3 with their types and defaults, and a session's view of them.
//!
//! `confs.tsv` beside `src` holds one entry a line: key, default, version, kind, allowed values.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use crate::error::{Error, ErrorKind, Result};

/// What values an entry takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Boolean,
    Int,
    Long,
    Double,
    /// A size such as `64MB`; a bare number counts bytes.
    Bytes,
    /// A size; a bare number counts mebibytes.
    Mib,
    /// A duration such as `2s`; a bare number counts milliseconds.
    Millis,
    /// A duration; a bare number counts seconds.
    Seconds,
    /// One of the values listed in [`Entry::allowed`].
    Options,
    /// As `Options`, compared in upper case.
    Upper,
    /// A time zone id or offset.
    Zone,
    /// Any text.
    Text,
    /// Fixed when the server starts, a setting of the SQL engine.
    Static,
    /// Fixed when the server starts, a setting of the core engine.
    Core,
}

/// A known configuration entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    pub key: &'static str,
    /// Empty or `<undefined>` where Spark has none.
    pub default: &'static str,
    pub kind: Kind,
    /// Listed values, or a lower bound written `>=n` or `>n`.
    pub allowed: &'static str,
}

/// How Spark writes the default of an optional entry that has none.
const UNDEFINED: &str = "<undefined>";

/// Prefixes of core settings, which a session cannot change.
const CORE_PREFIXES: [&str; 22] = [
    "spark.executor.",
    "spark.driver.",
    "spark.memory.",
    "spark.storage.",
    "spark.shuffle.",
    "spark.network.",
    "spark.rpc.",
    "spark.task.",
    "spark.scheduler.",
    "spark.speculation",
    "spark.eventLog.",
    "spark.ui.",
    "spark.dynamicAllocation.",
    "spark.serializer",
    "spark.kryo",
    "spark.broadcast.",
    "spark.cores.max",
    "spark.submit.",
    "spark.kubernetes.",
    "spark.yarn.",
    "spark.history.",
    "spark.locality.",
];

/// Keys that Spark removed: key, version, what to use instead. Setting them to anything but the
/// value they last had is refused.
const REMOVED: [(&str, &str, &str, &str); 4] = [
    (
        "spark.sql.hive.verifyPartitionPath",
        "4.0.0",
        "false",
        "This config was replaced by 'spark.sql.files.ignoreMissingFiles'.",
    ),
    (
        "spark.sql.fromJsonForceNullableSchema",
        "3.0.0",
        "true",
        "It was removed to prevent errors with non-nullable columns.",
    ),
    (
        "spark.sql.legacy.allowCreatingManagedTableUsingNonemptyLocation",
        "3.0.0",
        "false",
        "It was removed to prevent losing data.",
    ),
    (
        "spark.sql.legacy.compareDateTimestampInTimestamp",
        "3.0.0",
        "true",
        "It was removed to prevent errors in comparisons.",
    ),
];

/// Keys whose other values would change answers in ways that this server does not have: each may only be
/// set to one of what is given here.
const ONLY: [(&str, &str); 19] = [
    ("spark.sql.csv.parser.columnPruning.enabled", "true"),
    ("spark.sql.defaultCatalog", "spark_catalog"),
    ("spark.sql.fileSource.insert.enforceNotNull", "false"),
    ("spark.sql.files.archive.reader.enabled", "false"),
    ("spark.sql.files.ignoreInvalidPartitionPaths", "false"),
    ("spark.sql.files.ignoredPathSegmentRegex", "^[._]"),
    ("spark.sql.legacy.allowNegativeScaleOfDecimal", "false"),
    ("spark.sql.legacy.raiseErrorWithoutErrorClass", "false"),
    ("spark.sql.parquet.binaryAsString", "false"),
    ("spark.sql.parquet.fieldId.read.enabled", "false"),
    ("spark.sql.parquet.fieldId.write.enabled", "true"),
    ("spark.sql.parquet.inferTimestampNTZ.enabled", "true"),
    ("spark.sql.parquet.int96AsTimestamp", "true"),
    ("spark.sql.parquet.outputTimestampType", "INT96, TIMESTAMP_MICROS"),
    ("spark.sql.parquet.writeLegacyFormat", "false"),
    ("spark.sql.preserveCharVarcharTypeInfo", "false"),
    ("spark.sql.statistics.histogram.enabled", "false"),
    ("spark.sql.xml.variant.respectInferSchema", "true"),
    ("spark.sql.streaming.checkpointLocation", ""),
];

/// The known entries by key.
pub fn entries() -> &'static HashMap<&'static str, Entry> {
    static TABLE: LazyLock<HashMap<&'static str, Entry>> = LazyLock::new(|| {
        include_str!("../confs.tsv").lines().skip(1).filter_map(parse_entry).map(|e| (e.key, e)).collect()
    });
    &TABLE
}

fn parse_entry(line: &'static str) -> Option<Entry> {
    let mut parts = line.split('\t');
    let key = parts.next()?;
    let default = parts.next().unwrap_or("");
    let kind = match parts.nth(1).unwrap_or("") {
        "boolean" => Kind::Boolean,
        "int" => Kind::Int,
        "long" => Kind::Long,
        "double" => Kind::Double,
        "bytes" => Kind::Bytes,
        "mib" => Kind::Mib,
        "millis" => Kind::Millis,
        "seconds" => Kind::Seconds,
        "options" => Kind::Options,
        "upper" => Kind::Upper,
        "zone" => Kind::Zone,
        "static" => Kind::Static,
        "core" => Kind::Core,
        _ => Kind::Text,
    };
    Some(Entry { key, default, kind, allowed: parts.next().unwrap_or("") })
}

/// True for keys that a session may set and that Spark knows.
pub fn is_modifiable(key: &str) -> bool {
    entries().get(key).is_some_and(|e| !matches!(e.kind, Kind::Static | Kind::Core)) && !key.starts_with("spark.app.")
}

/// Whether a session may set `key` to `value`.
pub fn check_set(key: &str, value: &str) -> Result<()> {
    check_mutable(key)?;
    if let Some((_, version, last, comment)) = REMOVED.iter().find(|r| r.0 == key)
        && !value.eq_ignore_ascii_case(last)
    {
        return Err(Error::analysis("_LEGACY_ERROR_TEMP_1226")
            .param("configName", key)
            .param("version", *version)
            .param("comment", *comment)
            .with_message(format!("The SQL config '{key}' was removed in the version {version}. {comment}")));
    }
    entries().get(key).map_or(Ok(()), |entry| entry.check(value))?;
    match ONLY.iter().find(|(only, _)| *only == key) {
        Some((_, taken)) if !taken.split(", ").any(|t| value.trim().eq_ignore_ascii_case(t)) => {
            Err(Error::unsupported(format!("the value '{value}' of {key}")))
        }
        _ => Ok(()),
    }
}

/// Refuses keys that are fixed when the server starts.
pub fn check_mutable(key: &str) -> Result<()> {
    let quoted = format!("\"{key}\"");
    match entries().get(key).map(|e| e.kind) {
        Some(Kind::Static) => Err(Error::analysis("CANNOT_MODIFY_STATIC_CONFIG")
            .with_message(format!("The static configuration {quoted} cannot be changed in a session."))
            .param("key", quoted)),
        Some(Kind::Core) => Err(cannot_modify(quoted)),
        None if CORE_PREFIXES.iter().any(|p| key.starts_with(p)) => Err(cannot_modify(quoted)),
        _ => Ok(()),
    }
}

fn cannot_modify(quoted: String) -> Error {
    Error::analysis("CANNOT_MODIFY_CONFIG")
        .with_message(format!("The configuration {quoted} cannot be changed in a session."))
        .param("key", quoted)
        .param("docroot", "https://spark.apache.org/docs/latest")
}

impl Entry {
    /// Whether `value` has the type of the entry and is in its range.
    pub fn check(&self, value: &str) -> Result<()> {
        let text = value.trim();
        let number = match self.kind {
            Kind::Boolean if !matches!(text.to_ascii_lowercase().as_str(), "true" | "false") => {
                return Err(self.type_mismatch(value, "boolean"));
            }
            Kind::Int => text.parse::<i32>().map(f64::from).map_err(|_| self.type_mismatch(value, "int"))?,
            Kind::Long => text.parse::<i64>().map(|n| n as f64).map_err(|_| self.type_mismatch(value, "long"))?,
            Kind::Double => text.parse::<f64>().map_err(|_| self.type_mismatch(value, "double"))?,
            Kind::Bytes => {
                parse_bytes(text, 1).map(|n| n as f64).ok_or_else(|| self.type_mismatch(value, "bytes in BYTE"))?
            }
            Kind::Mib => {
                parse_bytes(text, 1 << 20).map(|n| n as f64).ok_or_else(|| self.type_mismatch(value, "bytes in MiB"))?
            }
            Kind::Millis => parse_millis(text, 1)
                .map(|n| n as f64)
                .ok_or_else(|| self.type_mismatch(value, "time in MILLISECONDS"))?,
            Kind::Seconds => parse_millis(text, 1000)
                .map(|n| n as f64)
                .ok_or_else(|| self.type_mismatch(value, "time in SECONDS"))?,
            Kind::Options | Kind::Upper => return self.check_option(value),
            Kind::Zone => return check_zone(self.key, value),
            _ => return Ok(()),
        };
        self.check_range(value, number)
    }

    fn check_range(&self, value: &str, number: f64) -> Result<()> {
        let within = if let Some(bound) = self.allowed.strip_prefix(">=") {
            bound.parse::<f64>().map_or(true, |b| number >= b)
        } else if let Some(bound) = self.allowed.strip_prefix('>') {
            bound.parse::<f64>().map_or(true, |b| number > b)
        } else {
            true
        };
        if within {
            return Ok(());
        }
        let requirement = match self.key {
            "spark.sql.shuffle.partitions" => format!("The value of {} must be positive", self.key),
            _ => format!("The value must be {}.", self.allowed),
        };
        Err(invalid("REQUIREMENT", self.key, value, &requirement).param("confRequirement", requirement.clone()))
    }

    fn check_option(&self, value: &str) -> Result<()> {
        if self.allowed.split(", ").any(|o| o.eq_ignore_ascii_case(value.trim())) {
            return Ok(());
        }
        let shown = if self.kind == Kind::Upper { value.to_uppercase() } else { value.to_string() };
        Err(invalid("OUT_OF_RANGE_OF_OPTIONS", self.key, &shown, &format!("It must be one of: {}.", self.allowed))
            .param("confOptions", self.allowed))
    }

    fn type_mismatch(&self, value: &str, expected: &str) -> Error {
        invalid("TYPE_MISMATCH", self.key, value, &format!("A value of type '{expected}' is expected."))
            .param("confType", expected)
    }
}

fn invalid(sub: &str, key: &str, value: &str, why: &str) -> Error {
    Error::new(ErrorKind::IllegalArgument, format!("INVALID_CONF_VALUE.{sub}"))
        .param("confName", key)
        .param("confValue", value)
        .with_message(format!("'{value}' is not a valid value of \"{key}\". {why}"))
}

/// Accepts what Java's `ZoneId` does, by shape: a region name of letters, or an offset.
fn check_zone(key: &str, value: &str) -> Result<()> {
    if is_zone(value.trim()) {
        return Ok(());
    }
    Err(invalid("TIME_ZONE", key, value, "It is not the id of a time zone."))
}

fn is_zone(zone: &str) -> bool {
    let offset = zone
        .strip_prefix("UTC")
        .or_else(|| zone.strip_prefix("GMT"))
        .or_else(|| zone.strip_prefix("UT"))
        .unwrap_or(zone);
    if let Some(digits) = offset.strip_prefix(['+', '-']) {
        let parts: Vec<&str> = digits.split(':').collect();
        let number = |s: &str, max: u32| s.len() <= 2 && s.parse::<u32>().is_ok_and(|n| n <= max);
        return match parts.as_slice() {
            [h] if h.len() == 4 => number(&h[..2], 18) && number(&h[2..], 59),
            [h] => number(h, 18),
            [h, m] => number(h, 18) && number(m, 59),
            [h, m, s] => number(h, 18) && number(m, 59) && number(s, 59),
            _ => false,
        };
    }
    if matches!(zone, "Z" | "UTC" | "GMT" | "UT") {
        return true;
    }
    // Region ids: `Area/City`, and the few legacy ids without an area.
    const LEGACY: [&str; 40] = [
        "CET",
        "CST6CDT",
        "Cuba",
        "EET",
        "EST",
        "EST5EDT",
        "Egypt",
        "Eire",
        "GB",
        "GB-Eire",
        "GMT0",
        "Greenwich",
        "HST",
        "Hongkong",
        "Iceland",
        "Iran",
        "Israel",
        "Jamaica",
        "Japan",
        "Kwajalein",
        "Libya",
        "MET",
        "MST",
        "MST7MDT",
        "NZ",
        "NZ-CHAT",
        "Navajo",
        "PRC",
        "PST8PDT",
        "Poland",
        "Portugal",
        "ROK",
        "Singapore",
        "Turkey",
        "UCT",
        "Universal",
        "W-SU",
        "WET",
        "Zulu",
        "PST",
    ];
    const AREAS: [&str; 16] = [
        "Africa",
        "America",
        "Antarctica",
        "Arctic",
        "Asia",
        "Atlantic",
        "Australia",
        "Brazil",
        "Canada",
        "Chile",
        "Etc",
        "Europe",
        "Indian",
        "Mexico",
        "Pacific",
        "US",
    ];
    const SHORT: [&str; 27] = [
        "ACT", "AET", "AGT", "ART", "AST", "BET", "BST", "CAT", "CNT", "CST", "CTT", "EAT", "ECT", "IET", "IST", "JST",
        "MIT", "NET", "NST", "PLT", "PNT", "PRT", "SST", "VST", "SystemV", "PDT", "EDT",
    ];
    match zone.split_once('/') {
        Some((area, city)) => {
            AREAS.contains(&area)
                && !city.is_empty()
                && city.chars().all(|c| c.is_ascii_alphanumeric() || "/_-+".contains(c))
        }
        None => LEGACY.contains(&zone) || SHORT.contains(&zone),
    }
}

/// Bytes of a size such as `64MB`, `1g`, `10`; a bare number counts `unit` bytes.
pub fn parse_bytes(text: &str, unit: i64) -> Option<i64> {
    let lower = text.trim().to_ascii_lowercase();
    let split = lower.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(lower.len());
    let (digits, suffix) = lower.split_at(split);
    let scale: i64 = match suffix {
        "" => unit,
        "b" => 1,
        "k" | "kb" => 1 << 10,
        "m" | "mb" => 1 << 20,
        "g" | "gb" => 1 << 30,
        "t" | "tb" => 1 << 40,
        "p" | "pb" => 1 << 50,
        _ => return None,
    };
    digits.trim().parse::<i64>().ok()?.checked_mul(scale)
}

/// Milliseconds of a duration such as `2s`, `100ms`; a bare number counts `unit` milliseconds.
pub fn parse_millis(text: &str, unit: i64) -> Option<i64> {
    let lower = text.trim().to_ascii_lowercase();
    let split = lower.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(lower.len());
    let (digits, suffix) = lower.split_at(split);
    let scale: i64 = match suffix {
        "" => unit,
        "us" => return Some(digits.trim().parse::<i64>().ok()? / 1000),
        "ms" => 1,
        "s" => 1_000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    digits.trim().parse::<i64>().ok()?.checked_mul(scale)
}

/// Keys as set in a session, over the documented defaults.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct ConfView {
    set: BTreeMap<String, String>,
}

impl ConfView {
    /// A view of the keys that were set.
    pub fn new(set: BTreeMap<String, String>) -> Self {
        ConfView { set }
    }

    /// The value of `key`: as set, else the documented default, else `None`.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.set
            .get(key)
            .map(String::as_str)
            .or_else(|| entries().get(key).map(|e| e.default).filter(|d| !d.is_empty() && *d != UNDEFINED))
    }

    /// The value of `key` as `spark.conf.get(key)` answers: unknown keys are an error, known ones
    /// without a value are shown as Spark shows them.
    pub fn lookup(&self, key: &str) -> Result<String> {
        self.option(key).ok_or_else(|| {
            Error::new(ErrorKind::NoSuchElement, "SQL_CONF_NOT_FOUND")
                .param("sqlConf", format!("\"{key}\""))
                .with_message(format!("There is no SQL configuration \"{key}\"."))
        })
    }

    /// The value of `key` if it was set or is known.
    pub fn option(&self, key: &str) -> Option<String> {
        self.set.get(key).cloned().or_else(|| {
            entries().get(key).filter(|e| e.kind != Kind::Core || !e.default.is_empty()).map(|e| e.default.to_string())
        })
    }

    /// The value of `key` if it was set, else `default`, which must suit a known key.
    pub fn get_with_default(&self, key: &str, default: Option<&str>) -> Result<Option<String>> {
        if let (Some(entry), Some(default)) = (entries().get(key), default)
            && default != UNDEFINED
        {
            entry.check(default)?;
        }
        Ok(self.set.get(key).cloned().or_else(|| default.map(str::to_string)))
    }

    /// Sets `key` if a session may.
    pub fn set(&mut self, key: &str, value: &str) -> Result<()> {
        check_set(key, value)?;
        self.set.insert(key.to_string(), value.to_string());
        Ok(())
    }

    /// Sets `key` without any check: for what the server itself is started with.
    pub fn set_unchecked(&mut self, key: &str, value: &str) {
        self.set.insert(key.to_string(), value.to_string());
    }

    /// Puts `key` back to its default.
    pub fn unset(&mut self, key: &str) -> Result<()> {
        check_mutable(key)?;
        self.set.remove(key);
        Ok(())
    }

    /// The keys that were set and begin with `prefix`, with the prefix cut off.
    pub fn get_all(&self, prefix: Option<&str>) -> Vec<(String, String)> {
        let prefix = prefix.unwrap_or("");
        self.set.iter().filter_map(|(k, v)| Some((k.strip_prefix(prefix)?.to_string(), v.clone()))).collect()
    }

    /// The value as a boolean; `default` where unset or unreadable.
    pub fn get_bool(&self, key: &str, default: bool) -> bool {
        match self.get(key).map(str::to_ascii_lowercase).as_deref() {
            Some("true") => true,
            Some("false") => false,
            _ => default,
        }
    }

    /// The value as an integer; `default` where unset or unreadable.
    pub fn get_int(&self, key: &str, default: i64) -> i64 {
        self.get(key).and_then(|v| v.trim().parse().ok()).unwrap_or(default)
    }

    /// The value as a number of bytes; `default` where unset or unreadable.
    pub fn get_bytes(&self, key: &str, default: i64) -> i64 {
        let unit = if entries().get(key).is_some_and(|e| e.kind == Kind::Mib) { 1 << 20 } else { 1 };
        self.get(key).and_then(|v| parse_bytes(v, unit)).unwrap_or(default)
    }

    /// The value as milliseconds; `default` where unset or unreadable.
    pub fn get_millis(&self, key: &str, default: i64) -> i64 {
        let unit = if entries().get(key).is_some_and(|e| e.kind == Kind::Seconds) { 1000 } else { 1 };
        self.get(key).and_then(|v| parse_millis(v, unit)).unwrap_or(default)
    }

    /// The keys that were set.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.set.iter().map(|(k, v)| (k.as_str(), v.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(key: &str, value: &str) -> String {
        check_set(key, value).err().map(|e| e.condition().to_string()).unwrap_or_default()
    }

    #[test]
    fn sets_are_checked_by_the_entry() {
        for (key, value, condition) in [
            ("spark.sql.ansi.enabled", "maybe", "INVALID_CONF_VALUE.TYPE_MISMATCH"),
            ("spark.sql.ansi.enabled", "FALSE", ""),
            ("spark.sql.shuffle.partitions", "0", "INVALID_CONF_VALUE.REQUIREMENT"),
            ("spark.sql.shuffle.partitions", "x", "INVALID_CONF_VALUE.TYPE_MISMATCH"),
            ("spark.sql.shuffle.partitions", "8", ""),
            ("spark.sql.files.maxPartitionBytes", "64MB", ""),
            ("spark.sql.files.maxPartitionBytes", "64QB", "INVALID_CONF_VALUE.TYPE_MISMATCH"),
            ("spark.sql.timestampType", "zzz", "INVALID_CONF_VALUE.OUT_OF_RANGE_OF_OPTIONS"),
            ("spark.sql.timestampType", "timestamp_ntz", ""),
            ("spark.sql.session.timeZone", "zzz!", "INVALID_CONF_VALUE.TIME_ZONE"),
            ("spark.sql.session.timeZone", "America/Los_Angeles", ""),
            ("spark.sql.session.timeZone", "+05:30", ""),
            ("spark.sql.warehouse.dir", "/x", "CANNOT_MODIFY_STATIC_CONFIG"),
            ("spark.executor.memory", "1g", "CANNOT_MODIFY_CONFIG"),
            ("spark.executor.memoryOverhead", "1g", "CANNOT_MODIFY_CONFIG"),
            ("spark.sql.hive.verifyPartitionPath", "true", "_LEGACY_ERROR_TEMP_1226"),
            ("spark.sql.parquet.outputTimestampType", "TIMESTAMP_MICROS", ""),
            ("spark.sql.parquet.outputTimestampType", "TIMESTAMP_MILLIS", "UNSUPPORTED_CALL.WITHOUT_SUGGESTION"),
            ("spark.sql.path.enabled", "true", ""),
            ("foo.bar", "1", ""),
        ] {
            assert_eq!(refused(key, value), condition, "{key}={value}");
        }
    }

    #[test]
    fn every_default_suits_its_own_entry() {
        for entry in entries().values() {
            if entry.default != UNDEFINED && !entry.default.is_empty() {
                assert!(entry.check(entry.default).is_ok(), "{}={}", entry.key, entry.default);
            }
        }
    }

    #[test]
    fn reads_follow_the_session_then_the_default() {
        let mut conf = ConfView::default();
        assert_eq!(conf.lookup("spark.sql.ansi.enabled").as_deref(), Ok("true"));
        assert_eq!(
            conf.lookup("no.such").err().map(|e| e.condition().to_string()).as_deref(),
            Some("SQL_CONF_NOT_FOUND")
        );
        assert_eq!(conf.get_with_default("no.such", Some("x")), Ok(Some("x".into())));
        assert!(conf.get_with_default("spark.sql.ansi.enabled", Some("zzz")).is_err());
        assert_eq!(conf.set("foo.bar", "1"), Ok(()));
        assert_eq!(conf.get_all(Some("foo.")), vec![("bar".to_string(), "1".to_string())]);
        assert_eq!(conf.unset("foo.bar"), Ok(()));
        assert!(conf.get_all(None).is_empty());
        assert!(
            is_modifiable("spark.sql.ansi.enabled")
                && !is_modifiable("foo.bar")
                && !is_modifiable("spark.executor.memory")
        );
    }

    #[test]
    fn sizes_and_durations_have_units() {
        for (text, bytes) in
            [("64MB", Some(64 << 20)), ("10", Some(10)), ("1g", Some(1 << 30)), ("x", None), ("-1b", Some(-1))]
        {
            assert_eq!(parse_bytes(text, 1), bytes, "{text}");
        }
        for (text, millis) in [("2s", Some(2000)), ("300", Some(300)), ("1h", Some(3_600_000)), ("1q", None)] {
            assert_eq!(parse_millis(text, 1), millis, "{text}");
        }
    }
}
