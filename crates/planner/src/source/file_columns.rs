//! Columns behind those of the files, which say what file a row is from: what `_metadata` and
//! `input_file_name()` show. Their names start with `#`, as no user's column does; those of `_metadata`'s
//! fields with `#file_`. A scan fills in those that are asked for, like partition columns.

use std::sync::Arc;

use arrow::datatypes::{DataType as Arrow, Field, FieldRef, TimeUnit};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::scalar::ScalarValue;

/// The columns, in the order of [`with_values`].
pub(super) fn fields() -> Vec<FieldRef> {
    let time = Arrow::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    [
        ("#file_path", Arrow::Utf8),
        ("#file_name", Arrow::Utf8),
        ("#file_size", Arrow::Int64),
        ("#file_block_start", Arrow::Int64),
        ("#file_block_length", Arrow::Int64),
        ("#file_modification_time", time),
        ("#input_file_name", Arrow::Utf8),
    ]
    .into_iter()
    .map(|(name, ty)| Arc::new(Field::new(name, ty, true)))
    .collect()
}

/// The file with the values of these columns behind those of its partition.
pub(super) fn with_values(mut file: PartitionedFile, store: &ObjectStoreUrl) -> PartitionedFile {
    let path = encoded(file.object_meta.location.as_ref());
    let name = path.rsplit('/').next().unwrap_or(&path).to_string();
    let size = ScalarValue::Int64(i64::try_from(file.object_meta.size).ok());
    let text = |text: String| ScalarValue::Utf8(Some(text));
    file.partition_values.extend([
        text(format!("{}{path}", prefix(store).replace("file:///", "file:/"))),
        text(name),
        size.clone(),
        ScalarValue::Int64(Some(0)),
        size,
        // Spark knows times of files to the millisecond.
        ScalarValue::TimestampMicrosecond(
            Some(file.object_meta.last_modified.timestamp_millis() * 1000),
            Some("UTC".into()),
        ),
        text(format!("{}{path}", prefix(store))),
    ]);
    file
}

/// The URL of a file.
pub(super) fn url(store: &ObjectStoreUrl, location: &str) -> String {
    format!("{}{}", prefix(store), encoded(location))
}

fn prefix(store: &ObjectStoreUrl) -> String {
    match store.as_str() {
        "file:///" => "file:///".to_string(),
        other => format!("{}/", other.trim_end_matches('/')),
    }
}

/// A path as it stands in a URL: what is not allowed there as its bytes, letters of all scripts as they are.
fn encoded(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for c in path.chars() {
        let plain = c.is_ascii_alphanumeric() || "-_.!~*'()/,;:$&+=@".contains(c);
        if plain || !c.is_ascii() && !c.is_control() && !c.is_whitespace() {
            out.push(c);
        } else {
            let mut bytes = [0; 4];
            c.encode_utf8(&mut bytes).bytes().for_each(|b| out.push_str(&format!("%{b:02X}")));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_in_urls() {
        for (path, expect) in
            [("tmp/m d/x y.csv", "tmp/m%20d/x%20y.csv"), ("a=1/b%2", "a=1/b%252"), ("für/#1?[]", "für/%231%3F%5B%5D")]
        {
            assert_eq!(encoded(path), expect);
        }
        assert_eq!(url(&ObjectStoreUrl::local_filesystem(), "tmp/a b"), "file:///tmp/a%20b");
    }
}
