//! Files of text: CSV, JSON lines, plain lines.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use datafusion::datasource::file_format::file_compression_type::FileCompressionType;
use functions::families::text_data::stamp::Stamps;
use object_store::buffered::BufWriter;
use spark::types::{DataType, StructField, StructType};
use spark::{Error, Result};
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::xml::{self, XmlForm};
use super::{WriteSpec, unsupported_type};
use crate::source::rows::{Encoding, csv_separator};
use crate::text::Printer;

/// Bytes gathered before they go to the file.
const BUFFER: usize = 256 << 10;

/// Refuses what a format of text has no form for.
///
/// # Errors
/// `UNSUPPORTED_DATA_TYPE_FOR_DATASOURCE`, and for text anything but one string column.
pub fn check(format: &str, fields: &[StructField]) -> Result<()> {
    match format {
        "text" => match (fields.iter().find(|f| !f.data_type.is_string()), fields) {
            (Some(bad), _) => Err(unsupported_type("Text", &bad.name, &bad.data_type)),
            (None, [_]) => Ok(()),
            _ => Err(Error::analysis("_LEGACY_ERROR_TEMP_1290")
                .param("schemaSize", fields.len().to_string())
                .with_message("A text file takes exactly one column.")),
        },
        "csv" => fields.iter().try_for_each(|f| match &f.data_type {
            DataType::Array { .. }
            | DataType::Map { .. }
            | DataType::Struct(_)
            | DataType::Variant
            | DataType::Null
            | DataType::CalendarInterval => Err(unsupported_type("CSV", &f.name, &f.data_type)),
            _ => Ok(()),
        }),
        "xml" => fields.iter().try_for_each(xml::check),
        "json" => fields.iter().try_for_each(|f| match f.data_type.any(&|t| *t == DataType::CalendarInterval) {
            true => Err(unsupported_type("JSON", &f.name, &f.data_type)),
            false => Ok(()),
        }),
        _ => Ok(()),
    }
}

/// A file being written.
pub struct RowFile {
    out: Box<dyn AsyncWrite + Send + Unpin>,
    buffer: Vec<u8>,
    form: Form,
    schema: StructType,
    encoding: Encoding,
    /// What a file of the encoding begins with.
    mark: &'static str,
}

enum Form {
    Csv(CsvForm),
    Json { values: JsonForm, line_separator: String },
    Xml(Box<XmlForm>),
    Text { line_separator: String },
}

impl RowFile {
    /// The end of the file's name.
    ///
    /// # Errors
    /// For a codec there is none of.
    pub fn extension(spec: &WriteSpec) -> Result<String> {
        let base = match spec.format.as_str() {
            "csv" => spec.options.get("extension").map_or(".csv".to_string(), |e| format!(".{e}")),
            "json" => ".json".to_string(),
            "xml" => ".xml".to_string(),
            _ => ".txt".to_string(),
        };
        Ok(format!("{base}{}", compression(spec)?.1))
    }

    pub fn create(file: BufWriter, schema: &StructType, spec: &WriteSpec) -> Result<Self> {
        let out = compression(spec)?.0.convert_async_writer(file).map_err(functions::error::from_datafusion)?;
        let line_separator = spec.options.line_separator(&spec.format)?.unwrap_or_else(|| "\n".to_string());
        let form = match spec.format.as_str() {
            "csv" => Form::Csv(CsvForm::new(spec, line_separator)?),
            "json" => Form::Json { values: JsonForm::new(spec)?, line_separator },
            "xml" => Form::Xml(Box::new(XmlForm::new(spec)?)),
            _ => Form::Text { line_separator },
        };
        // Plain lines are written in UTF-8, whatever encoding they are read in.
        let name = spec.options.any(&["encoding", "charset"]).filter(|_| spec.format != "text").unwrap_or("UTF-8");
        let encoding = Encoding::named(name, &spec.format)?;
        // The encoding whose name leaves the order of bytes open says which it is.
        let mark = if name.eq_ignore_ascii_case("utf-16") { "\u{feff}" } else { "" };
        let mut file = RowFile { out, buffer: Vec::new(), form, schema: schema.clone(), encoding, mark };
        file.header();
        Ok(file)
    }

    fn header(&mut self) {
        if let Form::Csv(csv) = &self.form
            && csv.header
        {
            let names: Vec<String> = self.schema.fields.iter().map(|f| csv.quoted(&f.name)).collect();
            self.buffer.extend_from_slice(names.join(&csv.separator).as_bytes());
            self.buffer.extend_from_slice(csv.line_separator.as_bytes());
        }
    }

    pub async fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        if let Form::Xml(xml) = &mut self.form {
            xml.batch(batch, &self.schema, &mut self.buffer)?;
            return self.flush().await;
        }
        for row in 0..batch.num_rows() {
            match &self.form {
                // Written as a whole, above.
                Form::Xml(_) => {}
                Form::Csv(csv) => csv.row(batch, row, &self.schema, &mut self.buffer),
                Form::Json { values, line_separator } => {
                    values.object(batch.columns(), row, &self.schema, &mut self.buffer);
                    self.buffer.extend_from_slice(line_separator.as_bytes());
                }
                Form::Text { line_separator } => {
                    let column = batch.column(0);
                    if !column.is_null(row) {
                        self.buffer.extend_from_slice(column.as_string::<i32>().value(row).as_bytes());
                    }
                    self.buffer.extend_from_slice(line_separator.as_bytes());
                }
            }
            if self.buffer.len() >= BUFFER {
                self.flush().await?;
            }
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<()> {
        if self.encoding == Encoding::Utf8 {
            self.out.write_all(&self.buffer).await.map_err(failed)?;
        } else {
            let text = format!("{}{}", std::mem::take(&mut self.mark), String::from_utf8_lossy(&self.buffer));
            self.out.write_all(&self.encoding.encode(&text)).await.map_err(failed)?;
        }
        self.buffer.clear();
        Ok(())
    }

    pub async fn finish(mut self) -> Result<()> {
        if let Form::Xml(xml) = &self.form {
            xml.finish(&mut self.buffer);
        }
        self.flush().await?;
        self.out.shutdown().await.map_err(failed)
    }
}

fn failed(error: std::io::Error) -> Error {
    Error::new(spark::ErrorKind::Spark, "TASK_WRITE_FAILED")
        .with_message(format!("A file could not be written: {error}"))
}

fn compression(spec: &WriteSpec) -> Result<(FileCompressionType, &'static str)> {
    let name = spec.options.any(&["compression", "codec"]).unwrap_or("none");
    match name.to_ascii_lowercase().as_str() {
        "none" | "uncompressed" => Ok((FileCompressionType::UNCOMPRESSED, "")),
        "gzip" | "org.apache.hadoop.io.compress.gzipcodec" => Ok((FileCompressionType::GZIP, ".gz")),
        "bzip2" | "org.apache.hadoop.io.compress.bzip2codec" => Ok((FileCompressionType::BZIP2, ".bz2")),
        "zstd" => Ok((FileCompressionType::ZSTD, ".zst")),
        "xz" => Ok((FileCompressionType::XZ, ".xz")),
        other => {
            Err(Error::new(spark::ErrorKind::IllegalArgument, "CODEC_NOT_AVAILABLE.WITH_AVAILABLE_CODECS_SUGGESTION")
                .param("codecName", other)
                .param("availableCodecs", "bzip2, deflate, uncompressed, snappy, none, lz4, gzip")
                .with_message(format!("There is no codec {other}.")))
        }
    }
}

/// How CSV is laid out.
struct CsvForm {
    separator: String,
    line_separator: String,
    quote: Option<char>,
    escape: Option<char>,
    header: bool,
    quote_all: bool,
    escape_quotes: bool,
    null: String,
    empty: Option<String>,
    trim_left: bool,
    trim_right: bool,
    printer: FilePrinter,
}

impl CsvForm {
    fn new(spec: &WriteSpec, line_separator: String) -> Result<Self> {
        let o = &spec.options;
        Ok(CsvForm {
            separator: csv_separator(o)?,
            line_separator,
            quote: o.csv_char("quote", Some('"'))?,
            escape: o.csv_char("escape", Some('\\'))?,
            header: o.csv_bool("header", false)?,
            quote_all: o.csv_bool("quoteAll", false)?,
            escape_quotes: o.csv_bool("escapeQuotes", true)?,
            null: o.get("nullValue").unwrap_or("").to_string(),
            empty: o.get("emptyValue").map(str::to_string),
            trim_left: o.csv_bool("ignoreLeadingWhiteSpace", true)?,
            trim_right: o.csv_bool("ignoreTrailingWhiteSpace", true)?,
            printer: FilePrinter::new(spec)?,
        })
    }

    fn row(&self, batch: &RecordBatch, row: usize, schema: &StructType, out: &mut Vec<u8>) {
        for (i, (field, column)) in schema.fields.iter().zip(batch.columns()).enumerate() {
            if i > 0 {
                out.extend_from_slice(self.separator.as_bytes());
            }
            if column.is_null(row) {
                out.extend_from_slice(self.quoted(&self.null).as_bytes());
                continue;
            }
            let text = self.printer.cell(column, row, &field.data_type);
            if text.is_empty() {
                let empty = self.empty.as_deref().map_or_else(|| "\"\"".to_string(), |e| self.quoted(e));
                out.extend_from_slice(empty.as_bytes());
            } else {
                out.extend_from_slice(self.quoted(&text).as_bytes());
            }
        }
        out.extend_from_slice(self.line_separator.as_bytes());
    }

    fn quoted(&self, text: &str) -> String {
        let text = if self.trim_left { text.trim_start_matches(' ') } else { text };
        let text = if self.trim_right { text.trim_end_matches(' ') } else { text };
        let Some(quote) = self.quote else { return text.to_string() };
        let needed = self.quote_all
            || text.contains(&self.separator)
            || text.contains(['\n', '\r'])
            || (self.escape_quotes && text.contains(quote))
            || text.starts_with(quote);
        if !needed {
            return text.to_string();
        }
        let mut out = String::with_capacity(text.len() + 2);
        out.push(quote);
        for c in text.chars() {
            if c == quote || Some(c) == self.escape {
                out.push(self.escape.unwrap_or(quote));
            }
            out.push(c);
        }
        out.push(quote);
        out
    }
}

/// Dates and times in the layout of files rather than of `show()`.
struct FilePrinter {
    printer: Printer,
    stamps: Stamps,
}

impl FilePrinter {
    fn new(spec: &WriteSpec) -> Result<Self> {
        let zone = spec.options.any(&["timeZone"]).unwrap_or(&spec.time_zone);
        let stamps = spec.options.stamps(zone, false)?;
        stamps.check_writes(&DataType::Struct(spec.schema.clone()))?;
        Ok(FilePrinter { printer: Printer::new(zone), stamps })
    }

    fn cell(&self, column: &ArrayRef, row: usize, ty: &DataType) -> String {
        use arrow::datatypes::{Date32Type, Decimal128Type, TimestampMicrosecondType};
        let mut out = String::new();
        match ty {
            DataType::Timestamp => {
                self.stamps.write_timestamp(column.as_primitive::<TimestampMicrosecondType>().value(row), &mut out);
            }
            DataType::TimestampNtz => {
                self.stamps.write_timestamp_ntz(column.as_primitive::<TimestampMicrosecondType>().value(row), &mut out);
            }
            DataType::TimestampNanos { ltz, .. } => {
                self.stamps.write_nanos(column.as_primitive::<Decimal128Type>().value(row), *ltz, &mut out);
            }
            DataType::Date => self.stamps.write_date(column.as_primitive::<Date32Type>().value(row), &mut out),
            _ => return self.printer.cell(column, row, ty),
        }
        out
    }
}

/// How JSON is laid out.
struct JsonForm {
    printer: FilePrinter,
    ignore_nulls: bool,
    /// Everything that is not ASCII is written as its code.
    ascii: bool,
}

impl JsonForm {
    fn new(spec: &WriteSpec) -> Result<Self> {
        Ok(JsonForm {
            printer: FilePrinter::new(spec)?,
            ignore_nulls: spec.options.bool("ignoreNullFields", true)?,
            ascii: spec.options.bool("writeNonAsciiCharacterAsCodePoint", false)?,
        })
    }

    fn object(&self, columns: &[ArrayRef], row: usize, schema: &StructType, out: &mut Vec<u8>) {
        out.push(b'{');
        let mut first = true;
        for (field, column) in schema.fields.iter().zip(columns) {
            // A reader would take a column that is left out for its default.
            if column.is_null(row) && self.ignore_nulls && field.metadata.get("EXISTS_DEFAULT").is_none() {
                continue;
            }
            if !first {
                out.push(b',');
            }
            first = false;
            self.string(&field.name, out);
            out.push(b':');
            self.value(column, row, &field.data_type, out);
        }
        out.push(b'}');
    }

    fn value(&self, column: &ArrayRef, row: usize, ty: &DataType, out: &mut Vec<u8>) {
        if column.is_null(row) {
            out.extend_from_slice(b"null");
            return;
        }
        match ty {
            DataType::Struct(s) => self.object(column.as_struct().columns(), row, s, out),
            DataType::Array { element, .. } => {
                let values = column.as_list::<i32>().value(row);
                out.push(b'[');
                for i in 0..values.len() {
                    if i > 0 {
                        out.push(b',');
                    }
                    self.value(&values, i, element, out);
                }
                out.push(b']');
            }
            DataType::Map { key, value, .. } => self.map(column, row, key, value, out),
            DataType::Variant => out.extend_from_slice(self.printer.cell(column, row, ty).as_bytes()),
            DataType::Binary => {
                use base64_of as encode;
                self.string(&encode(column.as_binary::<i32>().value(row)), out);
            }
            DataType::Float | DataType::Double => {
                let text = self.printer.cell(column, row, ty);
                let finite = text.ends_with(|c: char| c.is_ascii_digit());
                if finite { out.extend_from_slice(text.as_bytes()) } else { self.string(&text, out) }
            }
            DataType::Boolean
            | DataType::Byte
            | DataType::Short
            | DataType::Integer
            | DataType::Long
            | DataType::Decimal { .. } => {
                out.extend_from_slice(self.printer.cell(column, row, ty).as_bytes());
            }
            _ => self.string(&self.printer.cell(column, row, ty), out),
        }
    }

    fn string(&self, text: &str, out: &mut Vec<u8>) {
        if self.ascii && !text.is_ascii() {
            let mut plain = Vec::with_capacity(text.len() + 2);
            json_string(text, &mut plain);
            as_codes(&plain, out);
        } else {
            json_string(text, out);
        }
    }

    fn map(&self, column: &ArrayRef, row: usize, key: &DataType, value: &DataType, out: &mut Vec<u8>) {
        let entries = column.as_map().value(row);
        out.push(b'{');
        for i in 0..entries.len() {
            if i > 0 {
                out.push(b',');
            }
            self.string(&self.printer.cell(entries.column(0), i, key), out);
            out.push(b':');
            self.value(entries.column(1), i, value, out);
        }
        out.push(b'}');
    }
}

/// Makes codes of what is not ASCII in a text of JSON, as units of UTF-16.
fn as_codes(text: &[u8], out: &mut Vec<u8>) {
    for unit in String::from_utf8_lossy(text).encode_utf16() {
        match u8::try_from(unit) {
            Ok(byte) if byte.is_ascii() => out.push(byte),
            _ => out.extend_from_slice(format!("\\u{unit:04X}").as_bytes()),
        }
    }
}

fn base64_of(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let n = u32::from(chunk[0]) << 16
            | u32::from(*chunk.get(1).unwrap_or(&0)) << 8
            | u32::from(*chunk.get(2).unwrap_or(&0));
        for i in 0..4 {
            let symbol = ALPHABET[(n >> (18 - 6 * i) & 63) as usize];
            out.push(if i > chunk.len() { '=' } else { char::from(symbol) });
        }
    }
    out
}

fn json_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for c in text.chars() {
        match c {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\n' => out.extend_from_slice(b"\\n"),
            '\r' => out.extend_from_slice(b"\\r"),
            '\t' => out.extend_from_slice(b"\\t"),
            '\u{8}' => out.extend_from_slice(b"\\b"),
            '\u{c}' => out.extend_from_slice(b"\\f"),
            c if (c as u32) < 0x20 => out.extend_from_slice(format!("\\u{:04X}", c as u32).as_bytes()),
            c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_stand_for_what_is_not_ascii() {
        for (text, expect) in [("a", "a"), ("é日", "\\u00E9\\u65E5"), ("😀", "\\uD83D\\uDE00")] {
            let mut out = Vec::new();
            as_codes(text.as_bytes(), &mut out);
            assert_eq!(String::from_utf8_lossy(&out), expect);
        }
    }

    #[test]
    fn binary_is_base64() {
        for (bytes, text) in [(&b""[..], ""), (b"f", "Zg=="), (b"fo", "Zm8="), (b"foo", "Zm9v")] {
            assert_eq!(base64_of(bytes), text);
        }
    }
}
