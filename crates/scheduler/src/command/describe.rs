//! `DESCRIBE …`.

use std::sync::Arc;

use spark::command::Describe;
use spark::types::{DataType, StructField, StructType, quote_identifier};
use spark::{Error, ErrorKind, Result};

use super::show::created;
use crate::catalog::{GLOBAL_TEMP, SESSION_CATALOG, TableEntry, schema_not_found, table_not_found};
use crate::naming::{Found, Place};
use crate::operation::Table;
use crate::report::{self, Cell, commented};
use crate::session::Session;

/// Runs a `DESCRIBE`.
pub async fn run(session: &Arc<Session>, describe: Describe) -> Result<Table> {
    match describe {
        Describe::Table { name, extended, as_json, partition } => {
            super::view::follow_query(session, &name).await?;
            let described = match partition.is_empty() {
                true => None,
                false => Some(check_partition(session, &name, &partition).await?),
            };
            match as_json {
                true => super::describe_json::table(session, &name, described.as_ref()),
                false => table(session, &name, extended, described.as_ref()),
            }
        }
        Describe::Column { table, column, extended } => one_column(session, &table, &column, extended),
        Describe::Namespace { name, extended } => namespace(session, &name, extended),
        Describe::Function { name, extended } => super::function_describe::run(session, &name, extended),
        Describe::Query(plan) => {
            let schema = session.analyze(&plan, session.settings()).await?.schema;
            report::table(columns(), schema.fields.iter().map(row).collect())
        }
        Describe::Procedure { name } => Err(procedure_not_found(session, &name)),
    }
}

/// Refuses a partition that is not there, and partitions of views.
async fn check_partition(
    session: &Arc<Session>,
    name: &[String],
    partition: &spark::command::PartitionSpec,
) -> Result<super::partition::Selected> {
    let forbidden = |object: String, kind: &str| {
        Error::analysis("FORBIDDEN_OPERATION")
            .param("statement", "DESC PARTITION")
            .param("objectType", kind)
            .param("objectName", object)
            .with_message("A view has no partitions.")
    };
    match session.find(name, &session.settings())? {
        Found::Temp(shown, _) => Err(forbidden(quote_identifier(&shown), "TEMPORARY VIEW")),
        Found::Entry(place, entry) if entry.is_view() => Err(forbidden(quote_identifier(&place.name), "VIEW")),
        Found::Entry(place, entry) => {
            super::partition::partitioned(session, &place, &entry, "DESC PARTITION")?;
            super::partition::found(session, &place, &entry, partition).await
        }
        Found::Nothing => Err(table_not_found(name)),
    }
}

fn columns() -> Vec<StructField> {
    vec![
        commented("col_name", false, "name of the column"),
        commented("data_type", false, "data type of the column"),
        commented("comment", true, "comment of the column"),
    ]
}

fn row(field: &StructField) -> Vec<Cell> {
    let comment = field.metadata.get("comment").and_then(|v| v.as_str()).map(str::to_string);
    vec![field.name.as_str().into(), type_text(field).into(), comment.into()]
}

fn line(a: &str, b: &str) -> Vec<Cell> {
    vec![a.into(), b.into(), "".into()]
}

fn table(
    session: &Session,
    name: &[String],
    extended: bool,
    partition: Option<&super::partition::Selected>,
) -> Result<Table> {
    let (place, entry) = match session.find(name, &session.settings())? {
        Found::Temp(_, view) => return report::table(columns(), view.schema.fields.iter().map(row).collect()),
        Found::Entry(place, entry) => (place, entry),
        Found::Nothing => return Err(missing(session, name)),
    };
    let schema = entry.schema()?;
    let mut rows: Vec<Vec<Cell>> = schema.fields.iter().map(row).collect();
    let clustered = entry.clustering();
    if !clustered.is_empty() {
        rows.push(line("# Clustering Information", ""));
        rows.push(vec!["# col_name".into(), "data_type".into(), "comment".into()]);
        let find = |c: &Vec<String>| schema.fields.iter().find(|f| c.len() == 1 && f.name.eq_ignore_ascii_case(&c[0]));
        rows.extend(clustered.iter().filter_map(find).map(row));
    }
    if !entry.partition_columns.is_empty() {
        rows.push(line("# Partition Information", ""));
        rows.push(vec!["# col_name".into(), "data_type".into(), "comment".into()]);
        let is_partition = |f: &&StructField| entry.partition_columns.iter().any(|p| p.eq_ignore_ascii_case(&f.name));
        rows.extend(schema.fields.iter().filter(is_partition).map(row));
    }
    match partition {
        _ if !extended => {}
        Some(partition) => {
            let redact = super::show::Redaction::of(session)?;
            rows.extend(partition_details(&place, &entry, partition, &redact));
        }
        None => {
            rows.push(line("", ""));
            rows.push(line("# Detailed Table Information", ""));
            let details = details(session, &place, &entry)?;
            rows.extend(details.iter().filter(|(k, _)| k != "Partition Columns").map(|(k, v)| line(k, v)));
        }
    }
    let defaults: Vec<_> = schema.fields.iter().filter(|f| f.metadata.get("CURRENT_DEFAULT").is_some()).collect();
    if !defaults.is_empty() {
        rows.push(line("", ""));
        rows.push(line("# Column Default Values", ""));
        for field in defaults {
            let default = field.metadata.get("CURRENT_DEFAULT").and_then(|v| v.as_str()).unwrap_or("");
            rows.push(vec![field.name.as_str().into(), type_text(field).into(), default.into()]);
        }
    }
    report::table(columns(), rows)
}

/// The error for a name that nothing has.
pub fn missing(session: &Session, name: &[String]) -> Error {
    // A name with too many parts is refused as such.
    session.place(name).err().unwrap_or_else(|| table_not_found(name))
}

fn partition_details(
    place: &Place,
    entry: &TableEntry,
    partition: &super::partition::Selected,
    redact: &super::show::Redaction,
) -> Vec<Vec<Cell>> {
    let mut rows = vec![line("", ""), line("# Detailed Partition Information", "")];
    rows.push(line("Database", &place.namespace));
    rows.push(line("Table", &place.name.to_lowercase()));
    rows.extend(partition.details(entry, redact).iter().map(|(k, v)| line(k, v)));
    rows.push(line("", ""));
    rows.push(line("# Storage Information", ""));
    if let Some((columns, sort, buckets)) = &entry.bucket {
        rows.push(line("Num Buckets", &buckets.to_string()));
        rows.push(line("Bucket Columns", &name_list(columns)));
        rows.push(line("Sort Columns", &name_list(sort)));
    }
    rows.push(line("Location", &entry.location));
    rows.extend(redact.listed(&entry.options).iter().map(|options| line("Storage Properties", options)));
    rows
}

/// `` [`a`, `b`] ``.
fn name_list(names: &[String]) -> String {
    format!("[{}]", names.iter().map(|n| quote_identifier(n)).collect::<Vec<_>>().join(", "))
}

/// A column's type as declared.
pub fn type_text(field: &StructField) -> String {
    match field.metadata.get("__CHAR_VARCHAR_TYPE_STRING").and_then(|v| v.as_str()) {
        Some(raw) => raw.to_string(),
        None => field.data_type.simple_string(),
    }
}

/// What is known of a table beside its columns.
pub fn details(session: &Session, place: &Place, entry: &TableEntry) -> Result<Vec<(String, String)>> {
    let mut out: Vec<(String, String)> = Vec::new();
    let mut put = |key: &str, value: String| out.push((key.to_string(), value));
    put("Catalog", SESSION_CATALOG.into());
    put("Database", place.namespace.clone());
    put("Table", place.name.to_lowercase());
    put("Created Time", created(entry.created_micros));
    put("Last Access", "UNKNOWN".into());
    put("Created By", "Spark 4.3.0".into());
    put("Type", entry.kind_name().into());
    let redact = super::show::Redaction::of(session)?;
    let listed = |pairs: &[(String, String)]| redact.listed(pairs).unwrap_or_default();
    if !entry.provider.is_empty() {
        put("Provider", entry.provider.clone());
    }
    if let Some((columns, sort, buckets)) = &entry.bucket {
        put("Num Buckets", buckets.to_string());
        put("Bucket Columns", name_list(columns));
        put("Sort Columns", name_list(sort));
    }
    if let Some(comment) = &entry.comment {
        put("Comment", comment.clone());
    }
    if let Some(collation) = &entry.collation {
        put("Collation", collation.clone());
    }
    if let Some(view) = &entry.view {
        put("View Text", view.text.clone());
    }
    if let Some(language) = entry.view.as_ref().and_then(|view| view.language.clone()) {
        put("Language", language);
    } else if let Some(view) = &entry.view {
        put("View Original Text", view.text.clone());
        if !view.schema_mode.is_empty() {
            put("View Schema Mode", view.schema_mode.clone());
        }
        put("View Catalog and Namespace", format!("{}.{}", view.catalog, view.database));
        if !view.query_columns.is_empty() {
            let names: Vec<String> = view.query_columns.iter().map(|n| quote_identifier(n)).collect();
            put("View Query Output Columns", format!("[{}]", names.join(", ")));
        }
    }
    if !entry.properties.is_empty() {
        put("Table Properties", listed(&entry.properties));
    }
    if let Some((bytes, rows)) = entry.statistics {
        let rows = rows.map(|r| format!(", {r} rows")).unwrap_or_default();
        put("Statistics", format!("{bytes} bytes{rows}"));
    }
    if !entry.location.is_empty() {
        put("Location", entry.location.clone());
    }
    if !entry.options.is_empty() {
        put("Storage Properties", listed(&entry.options));
    }
    if entry.registry.is_some() {
        put("Partition Provider", "Catalog".into());
    }
    if !entry.partition_columns.is_empty() {
        put(
            "Partition Columns",
            format!("[{}]", entry.partition_columns.iter().map(|c| quote_identifier(c)).collect::<Vec<_>>().join(", ")),
        );
    }
    Ok(out)
}

fn one_column(session: &Session, name: &[String], column: &[String], extended: bool) -> Result<Table> {
    let (schema, entry) = match session.find(name, &session.settings())? {
        Found::Temp(_, view) => (view.schema, None),
        Found::Entry(_, entry) => (entry.schema()?, Some(entry)),
        Found::Nothing => return Err(missing(session, name)),
    };
    let find = |wanted: &str| schema.fields.iter().find(|f| f.name.eq_ignore_ascii_case(wanted));
    let table_part = name.last().and_then(|t| column.iter().rposition(|c| c.eq_ignore_ascii_case(t)));
    let field = match column {
        [only] => find(only),
        [first, .., last] => match (find(first), table_part) {
            (Some(base), _) => return Err(inside_column(base, column)),
            (None, Some(at)) if at + 2 == column.len() => find(last),
            _ => None,
        },
        [] => None,
    };
    let field = field.ok_or_else(|| {
        Error::analysis("COLUMN_NOT_FOUND")
            .param("colName", crate::catalog::shown(column))
            .param("caseSensitiveConfig", "\"spark.sql.caseSensitive\"")
            .with_message(format!("There is no column {}.", column.join(".")))
    })?;
    let comment = field.metadata.get("comment").and_then(|v| v.as_str()).unwrap_or("NULL");
    let mut rows = vec![
        ("col_name", column.last().cloned().unwrap_or_default()),
        ("data_type", type_text(field)),
        ("comment", comment.to_string()),
    ];
    if extended {
        let known = entry.as_ref().and_then(|e| e.column_statistics.get(&field.name.to_lowercase()).cloned());
        rows.extend(statistics_rows(known.unwrap_or_default()));
        let default = field.metadata.get("CURRENT_DEFAULT").and_then(|v| v.as_str());
        rows.extend(default.map(|text| ("default", text.to_string())));
    }
    report::table(
        vec![
            commented("info_name", false, "name of the column info"),
            commented("info_value", false, "value of the column info"),
        ],
        rows.into_iter().map(|(k, v)| vec![k.into(), v.into()]).collect(),
    )
}

fn statistics_rows(known: crate::catalog::ColumnStatistics) -> Vec<(&'static str, String)> {
    let number = |n: Option<u64>| n.map(|n| n.to_string());
    let rows = [
        ("min", known.min),
        ("max", known.max),
        ("num_nulls", number(known.null_count)),
        ("distinct_count", number(known.distinct_count)),
        ("avg_col_len", number(known.avg_len)),
        ("max_col_len", number(known.max_len)),
        ("histogram", None),
    ];
    rows.into_iter().map(|(k, v)| (k, v.unwrap_or_else(|| "NULL".to_string()))).collect()
}

/// `DESCRIBE t a.b`: columns are described whole.
fn inside_column(base: &StructField, column: &[String]) -> Error {
    if !base.data_type.is_complex() {
        return Error::analysis("INVALID_EXTRACT_BASE_FIELD_TYPE")
            .param("base", format!("\"{}\"", base.name))
            .param("other", format!("\"{}\"", base.data_type.sql()))
            .with_message(format!("There are no fields in a {}.", base.data_type.sql()));
    }
    Error::analysis("_LEGACY_ERROR_TEMP_1060")
        .param("command", "DESC TABLE COLUMN")
        .param("column", column.join("."))
        .with_message("Columns inside columns are not described.")
}

fn namespace(session: &Session, name: &[String], extended: bool) -> Result<Table> {
    let name = session.namespace(name)?;
    let entry = session.engine().shared().catalog.namespace(&name);
    let entry = match entry {
        Some(entry) => entry,
        None if name.eq_ignore_ascii_case(GLOBAL_TEMP) => Default::default(),
        None => return Err(schema_not_found(&[SESSION_CATALOG.to_string(), name])),
    };
    let mut rows = vec![("Catalog Name", SESSION_CATALOG.to_string()), ("Namespace Name", entry.name.clone())];
    rows.push(("Comment", entry.comment.clone().unwrap_or_default()));
    rows.extend(entry.collation.clone().map(|collation| ("Collation", collation)));
    rows.push(("Location", entry.location.clone()));
    if !entry.owner.is_empty() {
        rows.push(("Owner", entry.owner.clone()));
    }
    if extended {
        let mut all = entry.properties.clone();
        all.sort();
        let shown: Vec<String> = all.iter().map(|(k, v)| format!("({k},{v})")).collect();
        let shown = if shown.is_empty() { String::new() } else { format!("({})", shown.join(", ")) };
        rows.push(("Properties", shown));
    }
    let (name, value) = match super::show::keeps_old_names(session) {
        true => ("database_description_item", "database_description_value"),
        false => ("info_name", "info_value"),
    };
    report::table(
        vec![
            commented(name, false, "name of the namespace info"),
            commented(value, true, "value of the namespace info"),
        ],
        rows.into_iter().map(|(k, v)| vec![k.into(), v.into()]).collect(),
    )
}

/// `UNRESOLVED_ROUTINE`.
pub fn routine_not_found(session: &Session, name: &[String]) -> Error {
    let database = session.names.lock().database.to_string();
    Error::new(ErrorKind::NoSuchObject, "UNRESOLVED_ROUTINE")
        .param("routineName", crate::catalog::shown(name))
        .param(
            "searchPath",
            format!("[`system`.`builtin`, `system`.`session`, `spark_catalog`.{}]", quote_identifier(&database)),
        )
        .with_message(format!("There is no function {}.", crate::catalog::shown(name)))
}

/// Why there is no procedure of that name: the session's catalog has none, and other catalogs there are not.
pub fn procedure_not_found(session: &Session, name: &[String]) -> Error {
    match name {
        [catalog, _, .., _] if catalog.eq_ignore_ascii_case(SESSION_CATALOG) => no_procedures(),
        _ => routine_not_found(session, name),
    }
}

/// `MISSING_CATALOG_ABILITY.PROCEDURES`.
pub fn no_procedures() -> Error {
    Error::analysis("MISSING_CATALOG_ABILITY.PROCEDURES")
        .param("plugin", SESSION_CATALOG)
        .with_message("The session catalog has no procedures.")
}

/// A schema as `printSchema` shows it.
pub fn tree(schema: &StructType) -> String {
    let mut out = String::from("root\n");
    fields(schema, " |", &mut out);
    out
}

fn fields(schema: &StructType, prefix: &str, out: &mut String) {
    for field in &schema.fields {
        out.push_str(&format!(
            "{prefix}-- {}: {} (nullable = {})\n",
            field.name,
            field.data_type.type_name(),
            field.nullable
        ));
        inside(&field.data_type, &format!("{prefix}    |"), out);
    }
}

fn inside(ty: &DataType, prefix: &str, out: &mut String) {
    match ty {
        DataType::Array { element, contains_null } => {
            out.push_str(&format!("{prefix}-- element: {} (containsNull = {contains_null})\n", element.type_name()));
            inside(element, &format!("{prefix}    |"), out);
        }
        DataType::Map { key, value, value_contains_null } => {
            out.push_str(&format!("{prefix}-- key: {}\n", key.type_name()));
            inside(key, &format!("{prefix}    |"), out);
            out.push_str(&format!(
                "{prefix}-- value: {} (valueContainsNull = {value_contains_null})\n",
                value.type_name()
            ));
            inside(value, &format!("{prefix}    |"), out);
        }
        DataType::Struct(s) => fields(s, prefix, out),
        _ => {}
    }
}
