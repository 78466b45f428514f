//! Files of text records: CSV, JSON, plain lines, whole files.
//!
//! One file source serves all of them. It finds the records of its byte range, hands them to the
//! format, and the format fills column builders; what a format means is in the file of its name.

mod builder;
mod csv;
mod encoding;
mod infer;
mod json;
mod json_text;
mod lines;
mod single;
mod source;
mod strings;
mod text;
mod values;
mod xml;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use spark::types::{DataType, StructType};
use spark::{Error, Result};

pub use builder::ColumnBuilder;
pub(crate) use csv::separator as csv_separator;
pub use encoding::Encoding;
pub use infer::{infer, infer_texts};
pub use source::RowSource;
pub use strings::TextRows;
pub use values::Readers;
pub use xml::row_tag;

use super::{BadFiles, ReadRequest};
use builder::Builders;

/// What happens to records that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    Permissive,
    DropMalformed,
    FailFast,
}

/// How the records of a file are told apart and read; travels to executors as it is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RowFormat {
    pub kind: Kind,
    /// The columns in the files.
    pub schema: StructType,
    pub mode: Mode,
    /// Where the text of a bad record goes, if the schema has such a column.
    pub corrupt_column: String,
    pub readers: Readers,
    /// Ends a record; `None`: any of the usual line ends.
    pub line_separator: Option<String>,
    /// A record is a whole file.
    pub whole_file: bool,
    /// The part of the records that an inference of their schema looks at.
    pub sampled: f64,
    pub encoding: Encoding,
    pub bad_files: BadFiles,
    /// The column that whole records go to as variants, instead of one for each of their fields.
    pub single_variant: Option<String>,
    /// The values of columns that a record lacks, in the form of [`super::defaults::to_text`], by name.
    pub defaults: BTreeMap<String, String>,
}

/// The formats.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Kind {
    Csv(csv::Csv),
    Json(json::Json),
    Xml(xml::Xml),
    Text,
    /// `binaryFile`: path, time, length and content.
    Binary,
}

impl RowFormat {
    /// The format of a request; the schema is set once it is known.
    ///
    /// # Errors
    /// The conditions of bad options.
    pub fn new(request: &ReadRequest) -> Result<Self> {
        let o = &request.options;
        let multi_line = o.bool("multiLine", false)?;
        let kind = match request.format.as_str() {
            "csv" => Kind::Csv(csv::Csv::new(o, multi_line, request.case_sensitive)?),
            "json" => Kind::Json(json::Json::new(o)?),
            "xml" => Kind::Xml(xml::Xml::new(o)?),
            "text" => Kind::Text,
            "binaryfile" => Kind::Binary,
            other => return Err(super::table::not_found(other)),
        };
        let whole_file = match &kind {
            Kind::Csv(_) | Kind::Json(_) => multi_line,
            Kind::Text => o.bool("wholetext", false)?,
            Kind::Xml(_) | Kind::Binary => true,
        };
        let readers = Readers::new(o, &request.time_zone);
        readers.check()?;
        Ok(RowFormat {
            kind,
            schema: StructType::default(),
            mode: mode(o.get("mode").unwrap_or("PERMISSIVE")),
            corrupt_column: o.get("columnNameOfCorruptRecord").unwrap_or("_corrupt_record").to_string(),
            readers,
            line_separator: o.line_separator(&request.format)?,
            whole_file,
            sampled: sampled(o)?,
            encoding: encoding(o, &request.format, whole_file)?,
            bad_files: BadFiles::new(o, request.bad_files)?,
            single_variant: single::column(&request.format, o),
            defaults: request.added_defaults.to_texts().map_err(functions::error::from_datafusion)?,
        })
    }

    /// The same format for files with these columns.
    pub fn with_schema(&self, schema: &StructType) -> Self {
        RowFormat { schema: schema.clone(), ..self.clone() }
    }

    /// Whether a query of the column of corrupt records alone is refused.
    pub fn reports_corrupt(&self) -> bool {
        matches!(self.kind, Kind::Csv(_) | Kind::Json(_))
    }

    /// How a file is encoded that was read as a whole: JSON shows it by how it begins.
    fn encoding_of(&self, bytes: &[u8]) -> Encoding {
        match (&self.kind, self.encoding) {
            (Kind::Json(_), Encoding::Utf8) if self.whole_file => Encoding::of_json(bytes),
            (_, encoding) => encoding,
        }
    }

    /// Whether a file may be read in parts.
    pub fn splittable(&self) -> bool {
        // The names in a variant are those of the file's header.
        let header = self.single_variant.is_some() && matches!(&self.kind, Kind::Csv(csv) if csv.header);
        !self.whole_file && !header && self.encoding.splits_at_bytes()
    }

    /// Reads one record into the builders of the wanted columns.
    fn read(&self, record: &str, first_of_file: bool, out: &mut Builders) -> Result<()> {
        match &self.kind {
            Kind::Csv(csv) => csv.read(self, record, first_of_file, out),
            Kind::Json(json) => json.read(self, record, out),
            Kind::Xml(xml) => xml.read(self, record, out),
            Kind::Text | Kind::Binary => {
                text::read(record, out);
                Ok(())
            }
        }
    }
}

/// The part of the files that an inference looks at.
fn sampled(o: &super::Options) -> Result<f64> {
    let Some(text) = o.get("samplingRatio") else { return Ok(1.0) };
    let kind = match text.trim().parse::<f64>() {
        Ok(ratio) if ratio > 0.0 => return Ok(ratio),
        Ok(_) => spark::ErrorKind::IllegalArgument,
        Err(_) => spark::ErrorKind::NumberFormat,
    };
    Err(Error::new(kind, "").with_message(format!("The option samplingRatio must be a positive number, not '{text}'.")))
}

/// How the files are encoded. Lines of JSON can be told apart only where it is known what ends one.
fn encoding(o: &super::Options, format: &str, whole_file: bool) -> Result<Encoding> {
    let name = o.any(&["encoding", "charset"]).unwrap_or("UTF-8");
    let encoding = Encoding::named(name, format)?;
    let ambiguous = matches!(name.to_ascii_uppercase().as_str(), "UTF-16" | "UTF-32");
    if format == "json" && !whole_file && encoding != Encoding::Utf8 && (ambiguous || o.get("lineSep").is_none()) {
        return Err(Error::new(spark::ErrorKind::IllegalArgument, "").with_message(format!(
            "JSON lines in {name} need the option lineSep, and an order of bytes that is known."
        )));
    }
    Ok(encoding)
}

/// Unknown modes count as the default, as in Spark.
fn mode(text: &str) -> Mode {
    match text.to_ascii_uppercase().as_str() {
        "DROPMALFORMED" => Mode::DropMalformed,
        "FAILFAST" => Mode::FailFast,
        _ => Mode::Permissive,
    }
}

/// What to do with a record that could not be read in full.
///
/// # Errors
/// `MALFORMED_RECORD_IN_PARSING` in the mode `FAILFAST`.
fn malformed(format: &RowFormat, record: &str) -> Result<bool> {
    match format.mode {
        Mode::Permissive => Ok(true),
        Mode::DropMalformed => Ok(false),
        Mode::FailFast => Err(Error::new(spark::ErrorKind::Spark, "MALFORMED_RECORD_IN_PARSING.WITHOUT_SUGGESTION")
            .param("badRecord", record)
            .param("failFastMode", "FAILFAST")
            .with_message("A record cannot be read, and the mode FAILFAST stops at the first.")),
    }
}

/// The column types that these formats can fill.
fn check_schema(format: &str, schema: &StructType) -> Result<()> {
    let unsupported = |name: &str, ty: &DataType| crate::write::unsupported_type(format, name, ty);
    for field in &schema.fields {
        let complex =
            field.data_type.is_complex() || matches!(field.data_type, DataType::Variant | DataType::CalendarInterval);
        if format == "CSV" && complex {
            return Err(unsupported(&field.name, &field.data_type));
        }
        if format == "Text" && !field.data_type.is_string() {
            return Err(unsupported(&field.name, &field.data_type));
        }
    }
    Ok(())
}

/// The schema a format has of itself, whatever its files hold.
pub fn fixed_schema(request: &ReadRequest) -> Option<StructType> {
    use spark::types::StructField;
    if let Some(name) = single::column(&request.format, &request.options) {
        return Some(single::schema(&name));
    }
    match request.format.as_str() {
        "text" => Some(StructType::new(vec![StructField::new("value", DataType::STRING, true)])),
        "binaryfile" => Some(StructType::new(vec![
            StructField::new("path", DataType::STRING, false),
            StructField::new("modificationTime", DataType::Timestamp, false),
            StructField::new("length", DataType::Long, false),
            StructField::new("content", DataType::Binary, true),
        ])),
        _ => None,
    }
}

/// Checks a schema that the user gave a reader. Unlike a table of files, it may read variants of CSV and XML.
///
/// # Errors
/// `UNSUPPORTED_DATA_TYPE_FOR_DATASOURCE`, `INVALID_CORRUPT_RECORD_TYPE`, `INVALID_SINGLE_VARIANT_COLUMN`.
pub fn check_read(request: &ReadRequest, schema: &StructType) -> Result<()> {
    let corrupt = request.options.get("columnNameOfCorruptRecord").unwrap_or("_corrupt_record");
    if let Some(name) = single::column(&request.format, &request.options) {
        return single::check(&name, corrupt, schema);
    }
    if request.format == "binaryfile" && fixed_schema(request).is_some_and(|own| own != *schema) {
        return Err(Error::new(spark::ErrorKind::IllegalArgument, "")
            .with_message("Whole files have the columns path, modificationTime, length and content, and no others."));
    }
    check_corrupt(request, schema)?;
    let plain = schema.fields.iter().filter(|f| f.data_type != DataType::Variant).cloned().collect();
    match request.format.as_str() {
        "csv" | "xml" => check(request, &StructType::new(plain)),
        _ => check(request, schema),
    }
}

/// The column of corrupt records is text.
///
/// # Errors
/// `INVALID_CORRUPT_RECORD_TYPE`.
pub fn check_corrupt(request: &ReadRequest, schema: &StructType) -> Result<()> {
    let name = request.options.get("columnNameOfCorruptRecord").unwrap_or("_corrupt_record");
    if !matches!(request.format.as_str(), "csv" | "json" | "xml") {
        return Ok(());
    }
    match schema.fields.iter().find(|f| f.name == name && !f.data_type.is_string()) {
        None => Ok(()),
        Some(field) => Err(Error::analysis("INVALID_CORRUPT_RECORD_TYPE")
            .param("columnName", spark::types::quote_identifier(name))
            .param("actualType", format!("\"{}\"", field.data_type.sql()))
            .with_message(format!("The column {name} of corrupt records must be of type STRING."))),
    }
}

/// Checks the columns of a table of files.
///
/// # Errors
/// `UNSUPPORTED_DATA_TYPE_FOR_DATASOURCE`.
pub fn check(request: &ReadRequest, schema: &StructType) -> Result<()> {
    match request.format.as_str() {
        "csv" => check_schema("CSV", schema),
        "xml" => match schema.fields.iter().find(|f| f.data_type == DataType::Variant) {
            Some(field) => Err(crate::write::unsupported_type("XML", &field.name, &field.data_type)),
            None => Ok(()),
        },
        "text" => {
            if schema.fields.len() > 1 {
                return Err(Error::analysis("_LEGACY_ERROR_TEMP_1290")
                    .param("schemaSize", schema.fields.len().to_string())
                    .with_message("A text file has exactly one column."));
            }
            check_schema("Text", schema)
        }
        "parquet" => match schema.fields.iter().find(|f| f.data_type.any(&|t| *t == DataType::CalendarInterval)) {
            Some(field) => Err(crate::write::unsupported_type("Parquet", &field.name, &field.data_type)),
            None => Ok(()),
        },
        _ => Ok(()),
    }
}

/// Whether a file's name says that it is compressed.
pub fn is_compressed(path: &str) -> bool {
    lines::compression(path).is_compressed()
}

/// A shared format.
pub type Shared = Arc<RowFormat>;
