//! Columns that stand in folder names: `year=2024/month=1`.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::DataType as Arrow;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::scalar::ScalarValue;
use object_store::path::Path;
use spark::types::{DataType, StructField};
use spark::{Error, Result};

use super::listing::{Listed, Listing};
use super::{ReadRequest, same_name};

/// How a null stands in a folder name.
pub const NULL_NAME: &str = "__HIVE_DEFAULT_PARTITION__";

/// The partition columns of a file's folder, with their values.
type Folders = Vec<(String, Option<String>)>;

/// The partition columns of a listing, and the files that they keep.
pub struct Partitions {
    pub columns: Vec<StructField>,
    values: Vec<Vec<ScalarValue>>,
    kept: Vec<bool>,
}

impl Partitions {
    /// The files of the listing, each with the values of its partition columns.
    pub fn keep(&self, files: Vec<Listed>) -> Vec<PartitionedFile> {
        files
            .into_iter()
            .zip(&self.values)
            .zip(&self.kept)
            .filter(|(_, kept)| **kept)
            .map(|((file, values), _)| PartitionedFile::new_from_meta(file.meta).with_partition_values(values.clone()))
            .collect()
    }
}

/// Finds the partition columns of a listing and their types.
///
/// # Errors
/// `CONFLICTING_PARTITION_COLUMN_NAMES` where folders disagree.
pub fn infer(listing: &Listing, request: &ReadRequest) -> Result<Partitions> {
    if request.registry.is_some() && request.partition_columns.as_ref().is_some_and(|c| !c.is_empty()) {
        return registered(listing, request);
    }
    let raw: Vec<Folders> = listing.files.iter().map(folders).collect();
    let recursive = request.options.bool("recursiveFileLookup", false)?;
    let names = if recursive { Vec::new() } else { names(&raw, listing, request)? };
    if names.is_empty() {
        return Ok(Partitions {
            columns: known_columns(request),
            values: vec![Vec::new(); raw.len()],
            kept: listing.files.iter().map(|f| recursive || folders(f).is_empty()).collect(),
        });
    }
    let column = |i: usize| raw.iter().filter_map(move |r| r.get(i)).map(|(_, v)| v.as_deref());
    let columns: Vec<StructField> =
        names.iter().enumerate().map(|(i, name)| column_of(name, column(i), request)).collect();
    let kept: Vec<bool> = raw.iter().map(|r| r.len() == names.len()).collect();
    let zone = time_zone(request);
    let values = raw
        .iter()
        .map(|r| {
            let columns = r.iter().zip(&columns);
            columns.map(|((_, v), c)| value(v.as_deref(), &c.data_type, &zone)).collect::<Result<Vec<_>>>()
        })
        .collect::<Result<Vec<_>>>()?;
    Ok(Partitions { columns, values, kept })
}

/// The partitions of files of which the catalog knows the partition.
fn registered(listing: &Listing, request: &ReadRequest) -> Result<Partitions> {
    let columns = known_columns(request);
    let zone = time_zone(request);
    let mut parsed: HashMap<&str, Vec<ScalarValue>> = HashMap::new();
    let mut values = Vec::with_capacity(listing.files.len());
    for file in &listing.files {
        let partition = file.partition.as_deref().unwrap_or_default();
        if let Some(known) = parsed.get(partition) {
            values.push(known.clone());
            continue;
        }
        let raw = folders(file);
        let these = raw.iter().zip(&columns).map(|((_, v), c)| value(v.as_deref(), &c.data_type, &zone));
        let these = these.collect::<Result<Vec<_>>>()?;
        if these.len() != columns.len() {
            return Err(Error::internal(format!("the partition {partition} lacks a column")));
        }
        parsed.insert(partition, these.clone());
        values.push(these);
    }
    Ok(Partitions { columns, kept: vec![true; values.len()], values })
}

/// The partition columns of an empty table whose catalog entry names them.
fn known_columns(request: &ReadRequest) -> Vec<StructField> {
    let (Some(names), Some(schema)) = (&request.partition_columns, &request.schema) else { return Vec::new() };
    names
        .iter()
        .filter_map(|n| schema.fields.iter().find(|f| same_name(&f.name, n, request.case_sensitive)).cloned())
        .collect()
}

fn names(raw: &[Folders], listing: &Listing, request: &ReadRequest) -> Result<Vec<String>> {
    let mut names: Option<Vec<&str>> = None;
    for folders in raw {
        let these: Vec<&str> = folders.iter().map(|(n, _)| n.as_str()).collect();
        match &names {
            None => names = Some(these),
            Some(seen) => {
                let equal = seen.len() == these.len()
                    && seen.iter().zip(&these).all(|(a, b)| same_name(a, b, request.case_sensitive));
                if !equal {
                    return Err(conflict(seen, &these, raw, listing));
                }
            }
        }
    }
    Ok(names.unwrap_or_default().into_iter().map(str::to_string).collect())
}

/// The folders of files by their partition columns, as `\n\tA folder`.
fn suspicious(raw: &[Folders], listing: &Listing, names: &[&str]) -> Vec<String> {
    let mut paths = Vec::new();
    for (_, file) in
        raw.iter().zip(&listing.files).filter(|(r, _)| r.iter().map(|(n, _)| n.as_str()).eq(names.iter().copied()))
    {
        let url = super::file_columns::url(&listing.store, file.meta.location.as_ref());
        let folder = url.rsplit_once('/').map_or(url.as_str(), |(folder, _)| folder);
        let line = format!("\n\t{}", folder.replacen("file:///", "file:/", 1));
        if !paths.contains(&line) {
            paths.push(line);
        }
    }
    paths
}

fn conflict(a: &[&str], b: &[&str], raw: &[Folders], listing: &Listing) -> Error {
    if a.is_empty() || b.is_empty() {
        return Error::new(spark::ErrorKind::Spark, "CONFLICTING_DIRECTORY_STRUCTURES")
            .param("discoveredBasePaths", "")
            .with_message("Some files are in partition folders and some are not.");
    }
    let lists: Vec<String> = [a, b]
        .iter()
        .enumerate()
        .map(|(i, names)| format!("\n\tPartition column name list #{i}: {}", names.join(", ")))
        .collect();
    let paths = [a, b].iter().flat_map(|names| suspicious(raw, listing, names)).collect::<String>();
    Error::new(spark::ErrorKind::Runtime, "CONFLICTING_PARTITION_COLUMN_NAMES")
        .param("distinctPartColLists", format!("{}\n", lists.concat()))
        .param("suspiciousPaths", paths)
        .with_message(format!("Folders disagree on the partition columns: {} and {}.", a.join(", "), b.join(", ")))
}

/// The `key=value` folders of a file below its base.
fn folders(file: &Listed) -> Folders {
    let base = file.base.parts().count();
    let parts: Vec<String> = match &file.partition {
        Some(partition) => partition.split('/').chain([""]).map(str::to_string).collect(),
        None => file.meta.location.parts().skip(base).map(|p| p.as_ref().to_string()).collect(),
    };
    parts[..parts.len().saturating_sub(1)]
        .iter()
        .filter_map(|p| {
            let (key, value) = p.split_once('=')?;
            let value = unescape(value);
            Some((unescape(key), (value != NULL_NAME).then_some(value)))
        })
        .collect()
}

/// Turns `%41` into `A`; anything that is no such escape stays.
pub fn unescape(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        let escaped =
            (bytes[i] == b'%').then(|| text.get(i + 1..i + 3).and_then(|h| u8::from_str_radix(h, 16).ok())).flatten();
        match escaped {
            Some(byte) => {
                out.push(byte);
                i += 3;
            }
            None => {
                out.push(bytes[i]);
                i += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Escapes a value for a folder name as Hive does.
pub fn escape(text: &str) -> String {
    const SPECIAL: &str = "\"#%'*/:=?\\\u{7f}{[]^";
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if (c as u32) < 0x20 || SPECIAL.contains(c) {
            out.push_str(&format!("%{:02X}", c as u32));
        } else {
            out.push(c);
        }
    }
    out
}

fn column_of<'a>(name: &str, values: impl Iterator<Item = Option<&'a str>>, request: &ReadRequest) -> StructField {
    let given = request
        .schema
        .as_ref()
        .and_then(|s| s.fields.iter().find(|f| same_name(&f.name, name, request.case_sensitive)));
    if let Some(field) = given {
        return StructField { nullable: true, ..field.clone() };
    }
    let ty = if request.infer_partition_types {
        values.flatten().map(infer_type).reduce(wider).unwrap_or(DataType::STRING)
    } else {
        DataType::STRING
    };
    StructField::new(name, ty, true)
}

/// The type Spark gives one folder value.
fn infer_type(text: &str) -> DataType {
    if text.parse::<i32>().is_ok() {
        return DataType::Integer;
    }
    if text.parse::<i64>().is_ok() {
        return DataType::Long;
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !digits.is_empty() && digits.len() <= 38 && digits.bytes().all(|b| b.is_ascii_digit()) {
        return DataType::decimal(38, 0);
    }
    if text.parse::<f64>().is_ok() && text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) {
        return DataType::Double;
    }
    if is_date(text) {
        return DataType::Date;
    }
    if text.len() >= 19
        && is_date(&text[..10])
        && ScalarValue::try_from_string(
            text.to_string(),
            &Arrow::Timestamp(arrow::datatypes::TimeUnit::Microsecond, None),
        )
        .is_ok()
    {
        return DataType::Timestamp;
    }
    DataType::STRING
}

fn is_date(text: &str) -> bool {
    text.len() == 10 && text.is_char_boundary(4) && chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok()
}

fn wider(a: DataType, b: DataType) -> DataType {
    let rank = |t: &DataType| match t {
        DataType::Integer => Some(0),
        DataType::Long => Some(1),
        DataType::Decimal { .. } => Some(2),
        DataType::Double => Some(3),
        _ => None,
    };
    match (rank(&a), rank(&b)) {
        _ if a == b => a,
        (Some(x), Some(y)) => {
            if x >= y {
                a
            } else {
                b
            }
        }
        (None, None) => match (&a, &b) {
            (DataType::Date, DataType::Timestamp) | (DataType::Timestamp, DataType::Date) => DataType::Timestamp,
            _ => DataType::STRING,
        },
        _ => DataType::STRING,
    }
}

/// A folder's value as a value of the column's type.
fn value(text: Option<&str>, ty: &DataType, zone: &str) -> Result<ScalarValue> {
    let arrow = functions::types::to_arrow(ty);
    let null = || ScalarValue::try_from(&arrow).map_err(functions::error::from_datafusion);
    let parsed = |text: &str| match ty {
        DataType::Timestamp | DataType::TimestampNanos { .. } => timestamp(text, ty, zone),
        _ => ScalarValue::try_from_string(text.to_string(), &arrow).ok(),
    };
    match text {
        None => null(),
        Some(text) => parsed(text).ok_or_else(|| {
            Error::runtime("CAST_INVALID_INPUT")
                .param("expression", format!("'{text}'"))
                .param("sourceType", "\"STRING\"")
                .param("targetType", format!("\"{}\"", ty.sql()))
                .param("ansiConfig", "\"spark.sql.ansi.enabled\"")
                .with_message(format!("The folder value '{text}' is not a {}.", ty.sql()))
        }),
    }
}

/// The zone whose clock the instants in folder names are on.
fn time_zone(request: &ReadRequest) -> Arc<str> {
    request.options.get("timeZone").map_or_else(|| Arc::clone(&request.time_zone), Arc::from)
}

/// A folder's value as a timestamp.
fn timestamp(text: &str, ty: &DataType, zone: &str) -> Option<ScalarValue> {
    let datum = functions::families::text_data::scalars::cast_text(text, ty, zone)?;
    let array = functions::families::text_data::datum::build(&[&datum], ty).ok()?;
    ScalarValue::try_from_array(&array, 0).ok()
}

/// A path made of the parts of another, for the base of a single file.
pub fn parent(path: &Path) -> Path {
    let parts: Vec<_> = path.parts().collect();
    Path::from_iter(parts[..parts.len().saturating_sub(1)].iter().cloned())
}

/// The Arrow fields of partition columns.
pub fn arrow_fields(columns: &[StructField]) -> Vec<Arc<arrow::datatypes::Field>> {
    columns
        .iter()
        .map(|c| Arc::new(arrow::datatypes::Field::new(&c.name, functions::types::to_arrow(&c.data_type), true)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folder_values_have_types() {
        for (text, ty) in [
            ("1", DataType::Integer),
            ("3000000000", DataType::Long),
            ("30000000000000000000", DataType::decimal(38, 0)),
            ("1.5", DataType::Double),
            ("2024-01-31", DataType::Date),
            ("2024-13-31", DataType::STRING),
            ("nan", DataType::STRING),
            ("abc", DataType::STRING),
        ] {
            assert_eq!(infer_type(text), ty, "{text}");
        }
        assert_eq!(wider(DataType::Integer, DataType::Double), DataType::Double);
        assert_eq!(wider(DataType::Integer, DataType::Date), DataType::STRING);
    }

    #[test]
    fn names_are_escaped_as_hive_does() {
        assert_eq!(escape("a/b=c"), "a%2Fb%3Dc");
        assert_eq!(unescape("a%2Fb%3Dc%"), "a/b=c%");
    }
}
