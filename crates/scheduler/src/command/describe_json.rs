//! `DESCRIBE … AS JSON`, `SHOW TABLES … AS JSON`: reports as one JSON text.

use spark::Result;
use spark::types::{DataType, StructField, StructType};

use crate::catalog::{SESSION_CATALOG, TableEntry};
use crate::naming::{Found, Place};
use crate::operation::Table;
use crate::report;
use crate::session::Session;

/// A JSON object whose keys keep their order.
#[derive(Default)]
struct Object(Vec<String>);

impl Object {
    fn raw(&mut self, key: &str, value: impl std::fmt::Display) {
        self.0.push(format!("{}:{value}", quoted(key)));
    }

    fn text(&mut self, key: &str, value: &str) {
        self.raw(key, quoted(value));
    }

    fn texts(&mut self, key: &str, values: &[String]) {
        self.raw(key, list(values.iter().map(|v| quoted(v))));
    }

    fn pairs(&mut self, key: &str, pairs: &[(String, String)]) {
        let mut inner = Object::default();
        pairs.iter().for_each(|(k, v)| inner.text(k, v));
        self.raw(key, inner.end());
    }

    fn end(self) -> String {
        format!("{{{}}}", self.0.join(","))
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::String(text.to_string()).to_string()
}

fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(","))
}

/// One row with one JSON text.
fn one(json: String) -> Result<Table> {
    report::table(
        vec![report::commented("json_metadata", false, "JSON metadata of the table")],
        vec![vec![json.into()]],
    )
}

/// `DESCRIBE EXTENDED table [PARTITION …] AS JSON`.
///
/// # Errors
/// `TABLE_OR_VIEW_NOT_FOUND`.
pub fn table(session: &Session, name: &[String], partition: Option<&super::partition::Selected>) -> Result<Table> {
    match session.find(name, &session.settings())? {
        Found::Temp(shown, view) => one(temporary(session, &shown, &view)),
        Found::Entry(place, entry) => one(stored(&place, &entry, partition)?),
        Found::Nothing => Err(super::describe::missing(session, name)),
    }
}

fn temporary(session: &Session, name: &str, view: &crate::names::Relation) -> String {
    let mut out = Object::default();
    out.text("table_name", name);
    out.text("catalog_name", "system");
    out.texts("namespace", &["session".to_string()]);
    out.text("schema_name", "session");
    out.raw("columns", columns(&view.schema));
    out.text("created_time", &instant(chrono::Utc::now().timestamp_micros()));
    out.text("last_access", "UNKNOWN");
    out.text("created_by", "Spark 4.3.0");
    out.text("type", "VIEW");
    if let Some(comment) = &view.comment {
        out.text("comment", comment);
    }
    if let Some(text) = &view.text {
        out.text("view_text", text);
    }
    out.text("view_schema_mode", "BINDING");
    let names = session.names.lock();
    out.text("view_catalog_and_namespace", &format!("{}.{}", names.catalog, names.database));
    out.texts("view_query_output_columns", &column_names(&view.schema));
    out.text("collation", "UTF8_BINARY");
    out.end()
}

fn stored(place: &Place, entry: &TableEntry, partition: Option<&super::partition::Selected>) -> Result<String> {
    let schema = entry.schema()?;
    let mut out = Object::default();
    out.text("table_name", &place.name.to_lowercase());
    out.text("catalog_name", SESSION_CATALOG);
    out.texts("namespace", std::slice::from_ref(&place.namespace));
    out.text("schema_name", &place.namespace);
    out.raw("columns", columns(&schema));
    let (mut location, mut created) = (entry.location.clone(), entry.created_micros);
    if let Some(partition) = partition {
        let values: Vec<(String, String)> =
            partition.values().iter().map(|(c, v)| (c.clone(), v.clone().unwrap_or_default())).collect();
        out.pairs("partition_values", &values);
        let known = entry.registry.as_ref().and_then(|r| r.get(&partition.path())).cloned().unwrap_or_default();
        location = super::partition::location_of(entry, &partition.path(), &known);
        created = known.created_micros;
    }
    if !location.is_empty() {
        out.text("location", &location);
    }
    out.text("created_time", &instant(created));
    out.text("last_access", "UNKNOWN");
    out.text("created_by", "Spark 4.3.0");
    kind_and_layout(&mut out, entry);
    if let Some(comment) = &entry.comment {
        out.text("comment", comment);
    }
    if let Some(view) = &entry.view {
        if let Some(collation) = &entry.collation {
            out.text("collation", collation);
        }
        out.text("view_text", &view.text);
    }
    if let Some(language) = entry.view.as_ref().and_then(|view| view.language.as_deref()) {
        out.text("language", language);
    } else if let Some(view) = &entry.view {
        out.text("view_original_text", &view.text);
        out.text("view_schema_mode", &view.schema_mode);
        out.text("view_catalog_and_namespace", &format!("{}.{}", view.catalog, view.database));
        out.texts("view_query_output_columns", &column_names(&schema));
    }
    tail(&mut out, entry);
    Ok(out.end())
}

fn kind_and_layout(out: &mut Object, entry: &TableEntry) {
    out.text("type", entry.kind_name());
    if !entry.provider.is_empty() {
        out.text("provider", &entry.provider);
    }
    if let Some((columns, sort, buckets)) = &entry.bucket {
        out.raw("num_buckets", buckets);
        out.texts("bucket_columns", columns);
        out.texts("sort_columns", sort);
    }
}

fn tail(out: &mut Object, entry: &TableEntry) {
    if !entry.properties.is_empty() {
        let mut properties = entry.properties.clone();
        properties.sort();
        out.pairs("table_properties", &properties);
    }
    if let Some((bytes, rows)) = entry.statistics {
        let mut inner = Object::default();
        inner.raw("size_in_bytes", bytes);
        if let Some(rows) = rows {
            inner.raw("num_rows", rows);
        }
        out.raw("statistics", inner.end());
    }
    if !entry.options.is_empty() {
        out.pairs("storage_properties", &entry.options);
    }
    if entry.registry.is_some() {
        out.text("partition_provider", "Catalog");
    }
    if !entry.partition_columns.is_empty() {
        out.texts("partition_columns", &entry.partition_columns);
    }
    if entry.view.is_none() || entry.collation.is_none() {
        out.text("collation", entry.collation.as_deref().unwrap_or("UTF8_BINARY"));
    }
}

/// One line of `SHOW TABLES … AS JSON`.
pub struct Listed {
    pub name: String,
    pub namespace: String,
    pub temporary: bool,
    /// With `EXTENDED`: the kind.
    pub kind: Option<&'static str>,
}

/// `SHOW TABLES … AS JSON`.
///
/// # Errors
/// None that a user can cause.
pub fn tables(listed: Vec<Listed>) -> Result<Table> {
    let items = listed.into_iter().map(|t| {
        let mut out = Object::default();
        out.text("name", &t.name);
        if t.kind.is_some() {
            out.text("catalog", if t.temporary { "system" } else { SESSION_CATALOG });
        }
        let namespace = if t.namespace.is_empty() { Vec::new() } else { vec![t.namespace] };
        out.texts("namespace", &namespace);
        if let Some(kind) = t.kind {
            out.text("type", kind);
        }
        out.raw("isTemporary", t.temporary);
        out.end()
    });
    let mut out = Object::default();
    out.raw("tables", list(items));
    one(out.end())
}

/// `SHOW PARTITIONS … AS JSON`, of paths like `p=1/q=x`.
///
/// # Errors
/// None that a user can cause.
pub fn partitions(paths: &[String]) -> Result<Table> {
    let unescape = planner::source::partitions::unescape;
    let one_of = |path: &String| {
        let mut out = Object::default();
        for (key, value) in path.split('/').filter_map(|part| part.split_once('=')) {
            out.text(&unescape(key), &unescape(value));
        }
        out.end()
    };
    let mut out = Object::default();
    out.raw("partitions", list(paths.iter().map(one_of)));
    one(out.end())
}

/// An instant as JSON reports give it.
fn instant(micros: i64) -> String {
    let text = planner::text::Printer::new("UTC").instant_text(micros - micros.rem_euclid(1_000_000));
    format!("{}Z", text.replacen(' ', "T", 1))
}

fn column_names(schema: &StructType) -> Vec<String> {
    schema.fields.iter().map(|f| f.name.clone()).collect()
}

fn columns(schema: &StructType) -> String {
    list(schema.fields.iter().map(column))
}

fn column(field: &StructField) -> String {
    let mut out = Object::default();
    out.text("name", &field.name);
    out.raw("type", type_json(&field.data_type));
    out.raw("nullable", field.nullable);
    if let Some(comment) = field.metadata.get("comment").and_then(|v| v.as_str()) {
        out.text("comment", comment);
    }
    if let Some(default) = field.metadata.get("CURRENT_DEFAULT").and_then(|v| v.as_str()) {
        out.text("default", default);
    }
    out.end()
}

fn type_json(ty: &DataType) -> String {
    const UNITS: [&str; 4] = ["day", "hour", "minute", "second"];
    let mut out = Object::default();
    match ty {
        DataType::String { collation } => {
            out.text("name", "string");
            out.text("collation", collation.as_deref().unwrap_or("UTF8_BINARY"));
        }
        DataType::Char(n) | DataType::Varchar(n) => {
            out.text("name", if matches!(ty, DataType::Char(_)) { "char" } else { "varchar" });
            out.raw("length", n);
        }
        DataType::Decimal { precision, scale } => {
            out.text("name", "decimal");
            out.raw("precision", precision);
            out.raw("scale", scale);
        }
        DataType::Array { element, contains_null } => {
            out.text("name", "array");
            out.raw("element_type", type_json(element));
            out.raw("element_nullable", contains_null);
        }
        DataType::Map { key, value, value_contains_null } => {
            out.text("name", "map");
            out.raw("key_type", type_json(key));
            out.raw("value_type", type_json(value));
            out.raw("value_nullable", value_contains_null);
        }
        DataType::Struct(fields) => {
            out.text("name", "struct");
            out.raw("fields", columns(fields));
        }
        DataType::YearMonthInterval { start, end } => {
            let unit = |u: u8| if u == 0 { "year" } else { "month" };
            out.text("name", "interval");
            out.text("start_unit", unit(*start));
            out.text("end_unit", unit(*end));
        }
        DataType::DayTimeInterval { start, end } => {
            let unit = |u: u8| UNITS.get(usize::from(u)).copied().unwrap_or("second");
            out.text("name", "interval");
            out.text("start_unit", unit(*start));
            out.text("end_unit", unit(*end));
        }
        DataType::Timestamp => out.text("name", "timestamp_ltz"),
        other => out.text("name", &other.simple_string()),
    }
    out.end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_have_names_and_parts() {
        let check = |ty: DataType, expect: &str| assert_eq!(type_json(&ty), expect);
        check(DataType::Integer, r#"{"name":"int"}"#);
        check(DataType::STRING, r#"{"name":"string","collation":"UTF8_BINARY"}"#);
        check(
            DataType::Array { element: std::sync::Arc::new(DataType::Integer), contains_null: true },
            r#"{"name":"array","element_type":{"name":"int"},"element_nullable":true}"#,
        );
    }
}
