//! The option map and the schema that `from_json`, `to_csv` and their kin take.

use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::compute::cast;
use arrow::datatypes::DataType as Arrow;
use datafusion::scalar::ScalarValue;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use spark::types::{DataType, StructField, StructType};
use spark::{Error, ErrorKind, Result, Settings};

use crate::call::Call;
use crate::families::datetime::legacy::TimeParser;
use crate::families::datetime::locale::{ENGLISH, Locale};
use crate::fold;
use crate::typed::Typed;

/// Options by lower-case name.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct OptionMap(IndexMap<String, String>, TimeParser);

impl OptionMap {
    /// The options in argument `i`, none if there is no such argument.
    ///
    /// # Errors
    /// `INVALID_OPTIONS.NON_MAP_FUNCTION`, `INVALID_OPTIONS.NON_STRING_TYPE`.
    pub fn of(call: &Call, i: usize) -> Result<OptionMap> {
        let Some(arg) = call.args.get(i) else {
            return Ok(OptionMap(IndexMap::new(), TimeParser::of(call.settings)));
        };
        let DataType::Map { key, value, .. } = &arg.ty else {
            return Err(Error::analysis("INVALID_OPTIONS.NON_MAP_FUNCTION")
                .with_message("Options must be a call of map().")
                .at(call.origin.as_ref()));
        };
        let text = |t: &DataType| t.is_string() || *t == DataType::Null;
        if !text(key) || !text(value) {
            return Err(Error::analysis("INVALID_OPTIONS.NON_STRING_TYPE")
                .param("mapType", format!("\"{}\"", arg.ty.sql()))
                .with_message("Keys and values of options must be strings.")
                .at(call.origin.as_ref()));
        }
        if !arg.foldable() {
            return Err(Error::analysis("INVALID_OPTIONS.NON_MAP_FUNCTION")
                .with_message("Options must be constant.")
                .at(call.origin.as_ref()));
        }
        let mut map = IndexMap::new();
        if let ScalarValue::Map(entries) = fold::evaluate(arg)? {
            let strings = |a| cast(a, &Arrow::Utf8).map_err(|e| Error::internal(e.to_string()));
            let (keys, values) = (strings(entries.keys())?, strings(entries.values())?);
            let (keys, values) = (keys.as_string::<i32>(), values.as_string::<i32>());
            for i in (0..keys.len()).filter(|i| values.is_valid(*i)) {
                map.insert(keys.value(i).to_ascii_lowercase(), values.value(i).to_string());
            }
        }
        Ok(OptionMap(map, TimeParser::of(call.settings)))
    }

    /// Options given as pairs.
    pub fn from_pairs(pairs: impl IntoIterator<Item = (String, String)>) -> OptionMap {
        OptionMap(pairs.into_iter().map(|(k, v)| (k.to_ascii_lowercase(), v)).collect(), TimeParser::Corrected)
    }

    /// The same options, their datetime patterns read as `parser` says.
    pub fn with_time_parser(self, parser: TimeParser) -> OptionMap {
        OptionMap(self.0, parser)
    }

    /// What datetime patterns mean.
    pub fn time_parser(&self) -> TimeParser {
        self.1
    }

    /// The value of an option; `name` in any case.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(&name.to_ascii_lowercase()).map(String::as_str)
    }

    /// A Boolean option.
    pub fn flag(&self, name: &str, default: bool) -> bool {
        self.get(name).map_or(default, |v| v.trim().eq_ignore_ascii_case("true"))
    }

    /// The language of names and numbers.
    ///
    /// # Errors
    /// For one whose names are not known, and for other than English where dates are read as Spark 2 read them.
    pub fn locale(&self) -> Result<&'static Locale> {
        let Some(tag) = self.get("locale") else { return Ok(&ENGLISH) };
        let legacy = matches!(self.time_parser(), TimeParser::Legacy { .. });
        match Locale::named(tag).filter(|l| !legacy || std::ptr::eq(*l, &ENGLISH)) {
            Some(locale) => Ok(locale),
            None => Err(Error::unsupported(format!("dates and numbers with locale={tag}"))),
        }
    }

    /// The mode, refusing what only file readers can do.
    ///
    /// # Errors
    /// `PARSE_MODE_UNSUPPORTED`.
    pub fn mode(&self, function: &str) -> Result<ParseMode> {
        match self.get("mode").unwrap_or("").to_ascii_uppercase().as_str() {
            "FAILFAST" => Ok(ParseMode::FailFast),
            "DROPMALFORMED" => Err(Error::analysis("PARSE_MODE_UNSUPPORTED")
                .param("funcName", format!("`{function}`"))
                .param("mode", "DROPMALFORMED")
                .with_message(format!("{function} cannot drop rows; use PERMISSIVE or FAILFAST."))
                .nowhere()),
            _ => Ok(ParseMode::Permissive),
        }
    }
}

/// What to do with malformed input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ParseMode {
    Permissive,
    FailFast,
}

/// What kernels that read text carry.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReadSpec {
    pub schema: DataType,
    pub options: OptionMap,
    pub mode: ParseMode,
    /// Where a malformed record's text goes, if the schema has such a field.
    pub corrupt_record: String,
    /// An empty text stands for no number; else it makes its record malformed.
    pub empty_is_null: bool,
}

impl ReadSpec {
    /// For a schema and options, under the session's settings.
    ///
    /// # Errors
    /// `PARSE_MODE_UNSUPPORTED`.
    pub fn new(schema: DataType, options: OptionMap, function: &str, settings: &Settings) -> Result<ReadSpec> {
        let mode = options.mode(function)?;
        let configured = settings.conf.get("spark.sql.columnNameOfCorruptRecord").unwrap_or("_corrupt_record");
        let corrupt_record = options.get("columnNameOfCorruptRecord").unwrap_or(configured).to_string();
        let empty_is_null = settings.conf.get_bool("spark.sql.legacy.json.allowEmptyString.enabled", false);
        Ok(ReadSpec { schema, options, mode, corrupt_record, empty_is_null })
    }

    /// The form the kernel's options carry.
    pub fn to_text(&self) -> Arc<str> {
        serde_json::to_string(self).unwrap_or_default().into()
    }
}

/// `MALFORMED_RECORD_IN_PARSING`, for the mode that fails on malformed input.
pub fn malformed_record(record: &str) -> Error {
    Error::new(ErrorKind::Spark, "MALFORMED_RECORD_IN_PARSING.WITHOUT_SUGGESTION")
        .param("badRecord", record)
        .param("failFastMode", "FAILFAST")
        .with_message(format!("A record is malformed: {record}."))
}

/// The type in argument `i`: a constant string with a type, a list of columns or Spark's JSON form.
///
/// # Errors
/// `INVALID_SCHEMA.NON_STRING_LITERAL` and what parsing raises.
pub fn schema_argument(call: &Call, i: usize) -> Result<DataType> {
    let text = call.args.get(i).filter(|a| a.ty.is_string()).and_then(fold::string);
    match text {
        Some(text) if text.trim().is_empty() => {
            Err(Error::analysis("PARSE_EMPTY_STATEMENT").with_message("The schema is empty.").at(call.origin.as_ref()))
        }
        Some(text) => parse_schema_under(&text, call.settings.timestamp_nanos)
            .map_err(|e| e.with_kind(ErrorKind::Analysis).at(call.origin.as_ref())),
        None => Err(Error::analysis("INVALID_SCHEMA.NON_STRING_LITERAL")
            .param("inputSchema", format!("\"{}\"", call.args.get(i).map_or("", |a: &Typed| a.name.as_str())))
            .with_message("The schema must be a constant string.")
            .at(call.origin.as_ref())),
    }
}

/// Reads a type, a list of columns as a struct type, or a type in its JSON form.
///
/// # Errors
/// What the parser raises for the type.
pub fn parse_schema(text: &str) -> Result<DataType> {
    parse_schema_under(text, false)
}

/// [`parse_schema`], with or without timestamps that have digits below the microsecond.
fn parse_schema_under(text: &str, timestamp_nanos: bool) -> Result<DataType> {
    let options = sql::ParseOptions { timestamp_nanos, ..Default::default() };
    let first = match sql::parse_data_type(text, &options) {
        Ok(ty) => return Ok(ty),
        Err(first) => first,
    };
    if let Ok(schema) = sql::parse_table_schema(text, &options) {
        return Ok(DataType::Struct(schema));
    }
    if let Some(ty) = sql::parse_json_type(text, &options) {
        return Ok(ty);
    }
    // What follows a type's name is reported rather than that there is no such type.
    let mut words = text.split_whitespace();
    match (first.condition(), words.next(), words.next()) {
        ("UNSUPPORTED_DATATYPE", Some(_), Some(extra)) => Err(Error::analysis("PARSE_SYNTAX_ERROR")
            .param("error", format!("'{extra}'"))
            .param("hint", format!(": extra input '{extra}'"))
            .with_message(format!("'{extra}' does not belong behind a type."))),
        _ => Err(first),
    }
}

/// The type with everything nullable, as parsed data has it.
pub fn as_nullable(ty: &DataType) -> DataType {
    match ty {
        DataType::Array { element, .. } => DataType::array(as_nullable(element), true),
        DataType::Map { key, value, .. } => DataType::map(as_nullable(key), as_nullable(value), true),
        DataType::Struct(s) => DataType::Struct(StructType::new(
            s.fields
                .iter()
                .map(|f| StructField { data_type: as_nullable(&f.data_type), nullable: true, ..f.clone() })
                .collect(),
        )),
        other => other.clone(),
    }
}
