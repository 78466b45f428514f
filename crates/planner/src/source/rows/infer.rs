//! The schema that Spark gives to CSV and JSON files of which the user says nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::datasource::listing::PartitionedFile;
use functions::families::random::XorShift;
use futures::StreamExt;
use object_store::ObjectStore;
use spark::types::{DataType, StructField, StructType};
use spark::{Error, Result};

use super::csv::Csv;
use super::json::Json;
use super::json_text::Json as Value;
use super::lines::{LineSplitter, bytes};
use super::xml::{Inferred, Xml};
use super::{Kind, RowFormat};

/// Infers the schema of files.
///
/// # Errors
/// If a file cannot be read.
pub async fn infer(
    format: &RowFormat,
    store: &Arc<dyn ObjectStore>,
    files: &[PartitionedFile],
    name: &str,
) -> Result<StructType> {
    match &format.kind {
        Kind::Csv(csv) => infer_csv(format, csv, store, files, name).await,
        Kind::Json(json) => infer_json(format, json, store, files).await,
        Kind::Xml(xml) => infer_xml(format, xml, store, files).await,
        Kind::Text | Kind::Binary => Err(crate::source::table::cannot_infer(name)),
    }
}

/// Calls `f` on each record of a file until it says to stop; files that break are passed over if the
/// options say so.
async fn each_record(
    format: &RowFormat,
    store: &Arc<dyn ObjectStore>,
    file: &PartitionedFile,
    f: &mut (dyn FnMut(&str) -> bool + Send),
) -> Result<()> {
    match read_records(format, store, file, f).await {
        Err(error) if format.bad_files.ignore_corrupt && error.condition().starts_with("FAILED_READ_FILE") => {
            tracing::warn!(%error, "passing over a file");
            Ok(())
        }
        read => read,
    }
}

async fn read_records(
    format: &RowFormat,
    store: &Arc<dyn ObjectStore>,
    file: &PartitionedFile,
    f: &mut (dyn FnMut(&str) -> bool + Send),
) -> Result<()> {
    let failed = |e| functions::error::spark_error(&e).unwrap_or_else(|| unreadable(file, &e.to_string()));
    let mut stream = bytes(store, file).await.map_err(failed)?;
    let mut splitter = LineSplitter::new(file, format.line_separator.as_deref());
    let mut whole = Vec::new();
    let mut going = true;
    // What is no text in bytes is turned into one first.
    let encoding = if format.encoding.splits_at_bytes() { format.encoding } else { super::Encoding::Utf8 };
    let mut on_line = |line: &[u8]| {
        if going {
            going = f(&encoding.decode(line));
        }
        Ok(())
    };
    let gathered = !format.splittable();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(failed)?;
        if gathered {
            whole.extend_from_slice(&chunk);
        } else {
            splitter.push(&chunk, &mut on_line).map_err(failed)?;
        }
    }
    let wide = format.encoding_of(&whole);
    if !wide.splits_at_bytes() {
        whole = wide.decode(&whole).into_owned().into_bytes();
    }
    if format.whole_file {
        return on_line(&whole).map_err(failed);
    }
    splitter.push(&whole, &mut on_line).map_err(failed)?;
    splitter.finish(&mut on_line).map_err(failed)
}

fn unreadable(file: &PartitionedFile, why: &str) -> Error {
    let path = format!("file:///{}", file.object_meta.location);
    Error::new(spark::ErrorKind::Spark, "FAILED_READ_FILE.NO_HINT")
        .param("path", &path)
        .with_message(format!("{path} cannot be read: {why}"))
}

/// The seed of the sample that an inference looks at.
const SAMPLE_SEED: i64 = 1;

/// Which records an inference looks at: those that Spark's sampler draws.
struct Drawn {
    ratio: f64,
    chance: XorShift,
}

impl Drawn {
    /// For the records of partition `at`.
    fn new(format: &RowFormat, at: i64) -> Self {
        // Records that span lines are not lines to draw from.
        let ratio = if format.whole_file { 1.0 } else { format.sampled };
        Drawn { ratio, chance: XorShift::new(SAMPLE_SEED + at) }
    }

    /// Whether the next record is one.
    fn next(&mut self) -> bool {
        self.ratio > 0.99 || self.chance.next_double() < self.ratio
    }
}

/// The files with the partitions that Spark reads them in, while there are few: each in one of its own, the
/// largest first.
fn in_partitions(files: &[PartitionedFile]) -> impl Iterator<Item = (i64, &PartitionedFile)> {
    let mut order: Vec<usize> = (0..files.len()).collect();
    order.sort_by_key(|i| std::cmp::Reverse(files[*i].object_meta.size));
    let at = |i: usize| order.iter().position(|o| *o == i).unwrap_or_default() as i64;
    files.iter().enumerate().map(|(i, file)| (at(i), file)).collect::<Vec<_>>().into_iter()
}

async fn infer_csv(
    format: &RowFormat,
    csv: &Csv,
    store: &Arc<dyn ObjectStore>,
    files: &[PartitionedFile],
    name: &str,
) -> Result<StructType> {
    let mut inference = CsvInference::new(format, csv);
    for (at, file) in in_partitions(files) {
        inference.first_of_file = true;
        let mut drawn = Drawn::new(format, at);
        each_record(format, store, file, &mut |record| inference.record(record, drawn.next())).await?;
        if inference.header.is_some() && !csv.infer_schema {
            break;
        }
    }
    if inference.header.is_none() && files.is_empty() {
        return Err(crate::source::table::cannot_infer(name));
    }
    inference.schema()
}

/// Infers the schema of records that are at hand: the values of a column of text.
///
/// # Errors
/// `MALFORMED_RECORD_IN_PARSING` in the mode `FAILFAST`.
pub fn infer_texts<'a>(format: &RowFormat, texts: impl Iterator<Item = &'a str>) -> Result<StructType> {
    if let Some(name) = &format.single_variant {
        return Ok(super::single::schema(name));
    }
    match &format.kind {
        Kind::Csv(csv) => {
            let mut inference = CsvInference::new(format, csv);
            for text in texts {
                if !inference.record(text, true) {
                    break;
                }
            }
            inference.schema()
        }
        Kind::Json(json) => {
            let mut inference = JsonInference::new(format, json);
            texts.for_each(|text| inference.record(text));
            if inference.corrupt {
                refuse_corrupt(format)?;
            }
            Ok(inference.schema())
        }
        // Elements at hand are the business of the function that reads one.
        Kind::Xml(_) | Kind::Text | Kind::Binary => Ok(StructType::default()),
    }
}

/// What the records of CSV so far say of the columns.
struct CsvInference<'a> {
    format: &'a RowFormat,
    csv: &'a Csv,
    first_of_file: bool,
    header: Option<Vec<Option<String>>>,
    types: Vec<DataType>,
    /// A record that is larger than the options allow.
    error: Option<Error>,
}

impl<'a> CsvInference<'a> {
    fn new(format: &'a RowFormat, csv: &'a Csv) -> Self {
        CsvInference { format, csv, first_of_file: true, header: None, types: Vec::new(), error: None }
    }

    /// Takes a record in, its types if it is `drawn`; false if no more are needed.
    fn record(&mut self, record: &str, drawn: bool) -> bool {
        let csv = self.csv;
        let records = if self.format.whole_file { csv.records(record) } else { vec![record] };
        for record in records.into_iter().filter(|r| !csv.is_skipped(r)) {
            let fields = csv.fields(record);
            if let Err(error) = csv.check_size(record, &fields) {
                self.error = Some(error);
                return false;
            }
            let is_header = std::mem::take(&mut self.first_of_file) && csv.header;
            if self.header.is_none() {
                self.types.resize(fields.len(), DataType::Null);
                self.header = Some(fields.clone());
            }
            if is_header || !drawn {
                continue;
            }
            for (ty, token) in self.types.iter_mut().zip(&fields) {
                *ty = csv_type(std::mem::replace(ty, DataType::Null), token.as_deref(), self.format, csv);
            }
        }
        csv.infer_schema || self.header.is_none()
    }

    fn schema(self) -> Result<StructType> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let Some(header) = self.header else { return Ok(StructType::default()) };
        let fields = column_names(&header, self.csv.header).into_iter().zip(self.types).map(|(name, ty)| {
            let ty = if self.csv.infer_schema && ty != DataType::Null { ty } else { DataType::STRING };
            StructField::new(name, ty, true)
        });
        Ok(StructType::new(fields.collect()))
    }
}

/// Names from a header; missing and repeated ones are made up.
fn column_names(header: &[Option<String>], is_header: bool) -> Vec<String> {
    if !is_header {
        return (0..header.len()).map(|i| format!("_c{i}")).collect();
    }
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for name in header.iter().flatten() {
        *counts.entry(name.to_lowercase()).or_default() += 1;
    }
    header
        .iter()
        .enumerate()
        .map(|(i, name)| match name {
            None => format!("_c{i}"),
            Some(name) if counts.get(&name.to_lowercase()).is_some_and(|n| *n > 1) => format!("{name}{i}"),
            Some(name) => name.clone(),
        })
        .collect()
}

/// The type of a column so far with one more token.
fn csv_type(so_far: DataType, token: Option<&str>, format: &RowFormat, csv: &Csv) -> DataType {
    let Some(token) = token else { return so_far };
    if so_far == DataType::STRING {
        return so_far;
    }
    wider(so_far, token_type(token, format, csv))
}

fn token_type(token: &str, format: &RowFormat, csv: &Csv) -> DataType {
    if token.parse::<i32>().is_ok() {
        return DataType::Integer;
    }
    if token.parse::<i64>().is_ok() {
        return DataType::Long;
    }
    let digits = token.strip_prefix(['-', '+']).unwrap_or(token);
    if !digits.is_empty() && digits.len() <= 38 && digits.bytes().all(|b| b.is_ascii_digit()) {
        return DataType::decimal(digits.len() as u8, 0);
    }
    if format.readers.float(token).is_some() {
        return DataType::Double;
    }
    let digit_first = token.as_bytes().first().is_some_and(u8::is_ascii_digit);
    if csv.times && digit_first && token.contains(':') && sql::parse_time(token).is_some() {
        return DataType::Time(6);
    }
    if csv.prefer_date && format.readers.infers_date(token) {
        return DataType::Date;
    }
    if csv.wall_clock && digit_first && format.readers.timestamp_ntz(token).is_some() {
        return DataType::TimestampNtz;
    }
    if format.readers.infers_timestamp(token) {
        return DataType::Timestamp;
    }
    if token.eq_ignore_ascii_case("true") || token.eq_ignore_ascii_case("false") {
        return DataType::Boolean;
    }
    DataType::STRING
}

/// The narrowest type for values of both.
fn wider(a: DataType, b: DataType) -> DataType {
    use DataType as T;
    match (&a, &b) {
        _ if a == b => a,
        (T::Null, _) => b,
        (_, T::Null) => a,
        (T::Integer, T::Long) | (T::Long, T::Integer) => T::Long,
        (T::Decimal { precision: p, .. }, T::Decimal { precision: q, .. }) => T::decimal((*p).max(*q), 0),
        (T::Decimal { precision, .. }, T::Integer | T::Long) | (T::Integer | T::Long, T::Decimal { precision, .. }) => {
            T::decimal((*precision).max(20), 0)
        }
        (T::Double, t) | (t, T::Double) if t.is_numeric() => T::Double,
        (T::Date | T::TimestampNtz, T::Timestamp) | (T::Timestamp, T::Date | T::TimestampNtz) => T::Timestamp,
        (T::Date, T::TimestampNtz) | (T::TimestampNtz, T::Date) => T::TimestampNtz,
        _ => T::STRING,
    }
}

async fn infer_json(
    format: &RowFormat,
    json: &Json,
    store: &Arc<dyn ObjectStore>,
    files: &[PartitionedFile],
) -> Result<StructType> {
    let mut inference = JsonInference::new(format, json);
    for (at, file) in in_partitions(files) {
        let mut drawn = Drawn::new(format, at);
        let mut on_record = |record: &str| {
            if drawn.next() {
                inference.record(record);
            }
            true
        };
        each_record(format, store, file, &mut on_record).await?;
    }
    if inference.corrupt {
        refuse_corrupt(format)?;
    }
    Ok(inference.schema())
}

/// A record that cannot be read ends the inference in the mode `FAILFAST`.
fn refuse_corrupt(format: &RowFormat) -> Result<()> {
    match format.mode {
        super::Mode::FailFast => super::malformed(format, &format.corrupt_column).map(drop),
        _ => Ok(()),
    }
}

/// What the records of JSON so far say of the columns.
struct JsonInference<'a> {
    format: &'a RowFormat,
    json: &'a Json,
    merged: DataType,
    corrupt: bool,
}

impl<'a> JsonInference<'a> {
    fn new(format: &'a RowFormat, json: &'a Json) -> Self {
        JsonInference { format, json, merged: DataType::Struct(StructType::default()), corrupt: false }
    }

    fn record(&mut self, record: &str) {
        if record.trim().is_empty() {
            return;
        }
        let Some(objects) = self.json.objects(record) else {
            self.corrupt = true;
            return;
        };
        for object in objects {
            match &object {
                Value::Object(..) => {
                    let ty = json_type(&object, self.format, self.json);
                    self.merged = merge(std::mem::replace(&mut self.merged, DataType::Null), ty);
                }
                Value::Null => {}
                _ => self.corrupt = true,
            }
        }
    }

    fn schema(self) -> StructType {
        let mut schema = match settle(self.merged, self.json.drop_all_null) {
            Some(DataType::Struct(s)) => s,
            _ => StructType::default(),
        };
        if self.corrupt && self.format.mode == super::Mode::Permissive {
            schema.fields.insert(0, StructField::new(&self.format.corrupt_column, DataType::STRING, true));
            schema.fields.sort_by(|a, b| a.name.cmp(&b.name));
        }
        schema
    }
}

async fn infer_xml(
    format: &RowFormat,
    xml: &Xml,
    store: &Arc<dyn ObjectStore>,
    files: &[PartitionedFile],
) -> Result<StructType> {
    let mut inferred = Inferred::new(xml);
    for file in files {
        let mut on_file = |text: &str| {
            inferred.add(xml, text);
            true
        };
        each_record(format, store, file, &mut on_file).await?;
    }
    if inferred.corrupt() {
        refuse_corrupt(format)?;
    }
    Ok(inferred.finish(format, xml))
}

fn json_type(value: &Value, format: &RowFormat, json: &Json) -> DataType {
    match value {
        Value::Null => DataType::Null,
        Value::Bool(_) | Value::Number(_) if json.primitives_as_string => DataType::STRING,
        Value::Bool(_) => DataType::Boolean,
        Value::Number(text) => number_type(text, json),
        Value::String(text) => {
            if json.infer_timestamp && format.readers.timestamp(text).is_some() {
                DataType::Timestamp
            } else {
                DataType::STRING
            }
        }
        Value::Array(values, _) => {
            let element = values.iter().map(|v| json_type(v, format, json)).fold(DataType::Null, merge);
            DataType::array(element, true)
        }
        Value::Object(fields, _) => {
            let mut by_name: BTreeMap<&str, DataType> = BTreeMap::new();
            for (name, value) in fields {
                by_name.insert(name, json_type(value, format, json));
            }
            DataType::Struct(StructType::new(by_name.into_iter().map(|(n, t)| StructField::new(n, t, true)).collect()))
        }
    }
}

fn number_type(text: &str, json: &Json) -> DataType {
    if text.parse::<i64>().is_ok() {
        return DataType::Long;
    }
    let digits = text.trim_start_matches('-');
    if digits.bytes().all(|b| b.is_ascii_digit()) {
        return if digits.len() <= 38 { DataType::decimal(digits.len() as u8, 0) } else { DataType::Double };
    }
    if json.prefers_decimal
        && let Some((whole, fraction)) = digits.split_once('.')
        && fraction.bytes().chain(whole.bytes()).all(|b| b.is_ascii_digit())
    {
        let precision = (whole.trim_start_matches('0').len() + fraction.len()).max(1);
        if precision <= 38 {
            return DataType::decimal(precision.max(fraction.len()) as u8, fraction.len() as i8);
        }
    }
    DataType::Double
}

/// The type for values of both.
fn merge(a: DataType, b: DataType) -> DataType {
    use DataType as T;
    match (a, b) {
        (T::Null, t) | (t, T::Null) => t,
        (T::Struct(x), T::Struct(y)) => {
            let mut by_name: BTreeMap<String, DataType> = x.fields.into_iter().map(|f| (f.name, f.data_type)).collect();
            for field in y.fields {
                let known = by_name.remove(&field.name).unwrap_or(T::Null);
                by_name.insert(field.name, merge(known, field.data_type));
            }
            T::Struct(StructType::new(by_name.into_iter().map(|(n, t)| StructField::new(n, t, true)).collect()))
        }
        (T::Array { element: x, .. }, T::Array { element: y, .. }) => T::array(merge((*x).clone(), (*y).clone()), true),
        (T::Decimal { precision: p, scale: s }, T::Decimal { precision: q, scale: r }) => {
            let scale = s.max(r);
            let precision = (i16::from(p) - i16::from(s)).max(i16::from(q) - i16::from(r)) + i16::from(scale);
            if precision <= 38 { T::decimal(precision as u8, scale) } else { T::Double }
        }
        (T::Long, T::Decimal { precision, scale }) | (T::Decimal { precision, scale }, T::Long) => {
            let precision = (i16::from(precision) - i16::from(scale)).max(20) + i16::from(scale);
            if precision <= 38 { T::decimal(precision as u8, scale) } else { T::Double }
        }
        (a, b) if a == b => a,
        (T::Double, t) | (t, T::Double) if t.is_numeric() => T::Double,
        _ => T::STRING,
    }
}

/// Strings for what was always null; structs without fields go.
fn settle(ty: DataType, drop_null: bool) -> Option<DataType> {
    match ty {
        DataType::Null => (!drop_null).then_some(DataType::STRING),
        DataType::Array { element, .. } => Some(DataType::array(settle((*element).clone(), drop_null)?, true)),
        DataType::Struct(s) => {
            let fields: Vec<StructField> = s
                .fields
                .into_iter()
                .filter(|f| !f.name.is_empty())
                .filter_map(|f| Some(StructField::new(f.name, settle(f.data_type, drop_null)?, true)))
                .collect();
            (!fields.is_empty()).then(|| DataType::Struct(StructType::new(fields)))
        }
        other => Some(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_safe() {
        let header = [Some("a".into()), None, Some("A".into()), Some("b".into())];
        assert_eq!(column_names(&header, true), ["a0", "_c1", "A2", "b"]);
        assert_eq!(column_names(&header[..2], false), ["_c0", "_c1"]);
    }

    #[test]
    fn types_widen() {
        for (a, b, expect) in [
            (DataType::Integer, DataType::Double, DataType::Double),
            (DataType::Integer, DataType::Date, DataType::STRING),
            (DataType::Date, DataType::Timestamp, DataType::Timestamp),
            (DataType::Null, DataType::Boolean, DataType::Boolean),
            (DataType::TimestampNtz, DataType::Timestamp, DataType::Timestamp),
            (DataType::Time(6), DataType::Date, DataType::STRING),
        ] {
            assert_eq!(wider(a, b), expect);
        }
    }
}
