//! Type and name texts inside messages, read by the SQL parser.

use std::sync::Arc;

use spark::conf::ConfView;
use spark::{DataType, Result, Settings, StructType};
use sql::ParseOptions;

/// Reads texts under a session's settings.
#[derive(Debug, Clone, Default)]
pub struct TextReader {
    options: ParseOptions,
}

impl TextReader {
    /// A reader under the session's configuration.
    pub fn from_conf(conf: &Arc<ConfView>) -> Self {
        let defaults = Settings::default();
        let settings = Settings {
            ansi: conf.get_bool("spark.sql.ansi.enabled", true),
            timestamp_ntz: conf.get("spark.sql.timestampType").is_some_and(|t| t.eq_ignore_ascii_case("TIMESTAMP_NTZ")),
            timestamp_nanos: conf.get_bool("spark.sql.timestampNanosTypes.enabled", false),
            time_zone: conf.get("spark.sql.session.timeZone").map_or(defaults.time_zone.clone(), Arc::from),
            conf: conf.clone(),
            ..defaults
        };
        TextReader { options: ParseOptions::from(&settings) }
    }

    /// A type such as `array<int>`.
    pub fn data_type(&self, text: &str) -> Result<DataType> {
        sql::parse_data_type(text, &self.options).map_err(spark::Error::nowhere)
    }

    /// A timestamp type with digits below the microsecond, nine by default.
    pub fn timestamp_nanos(&self, ltz: bool, precision: Option<i32>) -> Result<DataType> {
        let name = if ltz { "TIMESTAMP_LTZ" } else { "TIMESTAMP_NTZ" };
        match precision.unwrap_or(9) {
            p @ 7..=9 if self.options.timestamp_nanos => Ok(DataType::TimestampNanos { ltz, precision: p as u8 }),
            7..=9 => Err(sql::timestamp_nanos_disabled()),
            p => Err(sql::timestamp_precision(name, p.into())),
        }
    }

    /// A type in the form of `DataType.json`, if the text is one.
    pub fn json_type(&self, text: &str) -> Option<DataType> {
        sql::parse_json_type(text, &self.options)
    }

    /// Columns such as `a INT, b STRING`.
    pub fn schema(&self, text: &str) -> Result<StructType> {
        sql::parse_table_schema(text, &self.options).map_err(spark::Error::nowhere)
    }

    /// The parts of a table's name.
    pub fn table_name(&self, text: &str) -> Result<Vec<String>> {
        sql::parse_multipart_identifier(text, &self.options)
    }
}
