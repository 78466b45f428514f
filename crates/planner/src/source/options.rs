//! Options of a reader or writer: keys are compared without regard to case.

use functions::families::datetime::legacy::TimeParser;
use functions::families::text_data::options::OptionMap;
use functions::families::text_data::stamp::Stamps;
use spark::{Error, Result, Settings};

/// Key and value pairs; of two equal keys the later one counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Options(Vec<(String, String)>);

/// The option by which the session's datetime policy reaches a format; no client sets it.
const TIME_PARSER: &str = "session time parser";

/// The options by which the session's types reach the inference of schemas; no client sets them.
const TIMES: &str = "session times of day";
const WALL_CLOCK: &str = "session timestamps without zone";

impl Options {
    pub fn new(pairs: &[(String, String)]) -> Self {
        Options(pairs.to_vec())
    }

    /// The value of `key`.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().rev().find(|(k, _)| k.eq_ignore_ascii_case(key)).map(|(_, v)| v.as_str())
    }

    /// The value of the first of `keys` that is set.
    pub fn any(&self, keys: &[&str]) -> Option<&str> {
        keys.iter().find_map(|k| self.get(k))
    }

    /// The pairs as given.
    pub fn pairs(&self) -> &[(String, String)] {
        &self.0
    }

    /// Adds a pair.
    pub fn set(&mut self, key: &str, value: &str) {
        self.0.push((key.to_string(), value.to_string()));
    }

    /// What a write takes from the session where it does not say so itself.
    pub fn set_write_defaults(&mut self, settings: &Settings) {
        let most = settings.conf.get_int("spark.sql.files.maxRecordsPerFile", 0);
        if most > 0 && self.get("maxRecordsPerFile").is_none() {
            self.set("maxRecordsPerFile", &most.to_string());
        }
    }

    /// Lets formats know what the session makes of datetime patterns.
    pub fn set_time_parser(&mut self, settings: &Settings) {
        let parser = TimeParser::of(settings);
        if !parser.is_corrected() {
            self.set(TIME_PARSER, &serde_json::to_string(&parser).unwrap_or_default());
        }
    }

    /// What a read takes from the session where it does not say so itself.
    pub fn set_read_defaults(&mut self, settings: &Settings) {
        const CORRUPT: &str = "columnNameOfCorruptRecord";
        if let Some(name) = settings.conf.get("spark.sql.columnNameOfCorruptRecord")
            && self.get(CORRUPT).is_none()
        {
            let name = name.to_string();
            self.set(CORRUPT, &name);
        }
        if settings.time_type {
            self.set(TIMES, "true");
        }
        if settings.timestamp_ntz {
            self.set(WALL_CLOCK, "true");
        }
    }

    /// Whether times of day are told from texts, and timestamps without a zone from those of instants.
    pub fn told_apart(&self) -> (bool, bool) {
        (self.get(TIMES).is_some(), self.get(WALL_CLOCK).is_some())
    }

    /// What the session makes of datetime patterns.
    pub fn time_parser(&self) -> TimeParser {
        self.get(TIME_PARSER).and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }

    /// The pairs that say how dates and times look.
    pub fn formats(&self) -> Vec<(String, String)> {
        const KEYS: [&str; 4] = ["dateFormat", "timestampFormat", "timestampNTZFormat", TIME_PARSER];
        let value = |key: &&str| self.get(key).map(|value| (key.to_string(), value.to_string()));
        KEYS.iter().filter_map(value).collect()
    }

    /// How the dates and times of text files are read or written.
    ///
    /// # Errors
    /// For patterns that are none.
    pub fn stamps(&self, time_zone: &str, reading: bool) -> Result<Stamps> {
        let map = OptionMap::from_pairs(self.pairs().iter().cloned()).with_time_parser(self.time_parser());
        Stamps::new(&map, time_zone, reading).map_err(functions::error::from_datafusion)
    }

    /// A boolean option.
    ///
    /// # Errors
    /// If the value is neither `true` nor `false`.
    pub fn bool(&self, key: &str, default: bool) -> Result<bool> {
        match self.get(key).map(str::to_ascii_lowercase).as_deref() {
            None => Ok(default),
            Some("true") => Ok(true),
            Some("false") => Ok(false),
            Some(other) => Err(Error::new(spark::ErrorKind::IllegalArgument, "")
                .with_message(format!("The option {key} must be true or false, not '{other}'."))),
        }
    }

    /// A boolean option of the CSV reader or writer, which has an error of its own.
    ///
    /// # Errors
    /// If the value is neither `true` nor `false`.
    pub fn csv_bool(&self, key: &str, default: bool) -> Result<bool> {
        self.bool(key, default).map_err(|_| {
            Error::new(spark::ErrorKind::Spark, "_LEGACY_ERROR_TEMP_2147")
                .param("paramName", key)
                .with_message(format!("The option {key} is either true or false."))
        })
    }

    /// A one-character option of the CSV reader or writer, `None` where it is set to nothing.
    ///
    /// # Errors
    /// `OPTION_VALUE_EXCEEDS_ONE_CHARACTER`.
    pub fn csv_char(&self, key: &str, default: Option<char>) -> Result<Option<char>> {
        let Some(text) = self.get(key) else { return Ok(default) };
        let mut chars = text.chars();
        match (chars.next(), chars.next()) {
            (first, None) => Ok(first),
            _ => Err(Error::new(spark::ErrorKind::Runtime, "OPTION_VALUE_EXCEEDS_ONE_CHARACTER")
                .param("paramName", key)
                .param("actualValue", text)
                .with_message(format!("The option {key} must be one character, not '{text}'."))),
        }
    }

    /// A whole-number option of the CSV reader.
    ///
    /// # Errors
    /// If the value is not a number.
    pub fn csv_int(&self, key: &str, default: i64) -> Result<i64> {
        let Some(text) = self.get(key) else { return Ok(default) };
        text.parse().map_err(|_| {
            Error::new(spark::ErrorKind::Runtime, "_LEGACY_ERROR_TEMP_2146")
                .param("paramName", key)
                .param("value", text)
                .with_message(format!("The option {key} must be a whole number, not '{text}'."))
        })
    }

    /// What ends a record, if an option says so.
    ///
    /// # Errors
    /// For an empty one, and for one that is longer than the CSV reader knows to find.
    pub fn line_separator(&self, format: &str) -> Result<Option<String>> {
        let Some(text) = self.get("lineSep") else { return Ok(None) };
        let csv = |sub: &str| Error::new(spark::ErrorKind::IllegalArgument, format!("INVALID_LINE_SEPARATOR.{sub}"));
        let length = text.chars().count();
        match (format, length) {
            ("csv", 0) => Err(csv("EMPTY").with_message("The option lineSep must not be empty.")),
            ("csv", 3..) => Err(csv("TOO_LONG")
                .param("length", length.to_string())
                .with_message("The option lineSep must be one or two characters.")),
            (_, 0) => {
                Err(Error::new(spark::ErrorKind::IllegalArgument, "")
                    .with_message("The option lineSep must not be empty."))
            }
            _ => Ok(Some(text.to_string())),
        }
    }

    /// A whole-number option.
    ///
    /// # Errors
    /// If the value is not a number.
    pub fn int(&self, key: &str, default: i64) -> Result<i64> {
        match self.get(key) {
            None => Ok(default),
            Some(text) => text.trim().parse().map_err(|_| {
                Error::analysis("INVALID_OPTIONS")
                    .with_message(format!("The option {key} must be a number, not '{text}'."))
            }),
        }
    }
}
