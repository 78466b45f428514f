//! `SHOW …`.

use std::sync::Arc;

use planner::text::Printer;
use spark::command::Show;
use spark::types::{DataType, quote_if_needed};
use spark::{Error, Result};

use super::{describe, describe_json};
use crate::catalog::{
    GLOBAL_TEMP, Kind, SESSION_CATALOG, TableEntry, ViewEntry, schema_not_found, shown, table_not_found,
};
use crate::naming::{Found, Place};
use crate::operation::Table;
use crate::report::{self, Cell, column, matches, text};
use crate::session::Session;

/// Runs a `SHOW`.
pub async fn run(session: &Arc<Session>, show: Show) -> Result<Table> {
    match show {
        Show::Catalogs { pattern } => {
            let rows = [SESSION_CATALOG]
                .iter()
                .filter(|c| matches(pattern.as_deref(), c))
                .map(|c| vec![(*c).into()])
                .collect();
            report::table(vec![text("catalog", false)], rows)
        }
        Show::Namespaces { parent: Some(parent), .. } if !is_session_catalog(&parent) => {
            let full: Vec<String> = std::iter::once(SESSION_CATALOG.to_string()).chain(parent).collect();
            Err(schema_not_found(&full))
        }
        Show::Namespaces { pattern, .. } => {
            let names = session.engine().shared().catalog.namespaces();
            let rows = names
                .into_iter()
                .filter(|n| matches(pattern.as_deref(), n))
                .map(|n| vec![quote_if_needed(&n).into()])
                .collect();
            let name = if keeps_old_names(session) { "databaseName" } else { "namespace" };
            report::table(vec![text(name, false)], rows)
        }
        Show::Tables { namespace, pattern, as_json: true } => {
            let mut rows = listing(session, namespace, false)?;
            rows.retain(|(_, name, ..)| matches(pattern.as_deref(), name));
            describe_json::tables(rows.into_iter().map(|row| listed(row, false)).collect())
        }
        Show::Tables { namespace, pattern, .. } => tables(session, namespace, pattern.as_deref(), false),
        Show::Views { namespace, pattern } => tables(session, namespace, pattern.as_deref(), true),
        Show::TableExtended { namespace, pattern, as_json: true, .. } => {
            let mut rows = listing(session, namespace, false)?;
            rows.retain(|(_, name, ..)| matches(Some(&pattern), name));
            describe_json::tables(rows.into_iter().map(|row| listed(row, true)).collect())
        }
        Show::TableExtended { namespace, pattern, partition, .. } if !partition.is_empty() => {
            partition_extended(session, namespace, pattern, &partition).await
        }
        Show::TableExtended { namespace, pattern, .. } => table_extended(session, namespace, &pattern).await,
        Show::Columns { table, namespace } => columns(session, table, namespace),
        Show::Partitions { table, partition, as_json } => {
            let names = partitions(session, &table, &partition).await?;
            if as_json { describe_json::partitions(&names) } else { one_each("partition", names) }
        }
        Show::TableProperties { table, key } => properties(session, &table, key),
        Show::CreateTable { table, as_serde: true } => {
            if matches!(session.find(&table, &session.settings())?, Found::Entry(_, entry) if entry.is_view()) {
                return create_table(session, &table);
            }
            let (place, _) = session.table_entry(&table, "SHOW CREATE TABLE ... AS SERDE")?;
            Err(Error::analysis("UNSUPPORTED_SHOW_CREATE_TABLE.ON_DATA_SOURCE_TABLE_WITH_AS_SERDE")
                .param("tableName", shown(&place.parts()))
                .with_message("AS SERDE is for tables of Hive's formats."))
        }
        Show::CreateTable { table, .. } => create_table(session, &table),
        Show::Functions { scope, namespace, pattern, name } => {
            check_function_filter(session, namespace.as_deref(), name.as_deref())?;
            functions(session, &scope, pattern, name)
        }
        Show::CurrentNamespace => {
            let database = session.names.lock().database.to_string();
            report::table(
                vec![text("catalog", false), text("namespace", false)],
                vec![vec![SESSION_CATALOG.into(), database.into()]],
            )
        }
        Show::CachedTables => Err(Error::unsupported("SHOW CACHED TABLES")),
        Show::Procedures { .. } => Err(super::describe::no_procedures()),
        Show::Collations { pattern } => collations(session, pattern.as_deref()).await,
    }
}

type Row = (String, String, bool, Option<TableEntry>);

fn is_session_catalog(name: &[String]) -> bool {
    matches!(name, [only] if only.eq_ignore_ascii_case(SESSION_CATALOG))
}

/// `SHOW FUNCTIONS IN namespace` takes a pattern, not a name.
fn check_function_filter(session: &Session, namespace: Option<&[String]>, name: Option<&[String]>) -> Result<()> {
    let Some(namespace) = namespace else { return Ok(()) };
    let own = session.namespace(namespace)?;
    if !session.engine().shared().catalog.has_namespace(&own) {
        return Err(schema_not_found(&[SESSION_CATALOG.to_string(), own]));
    }
    let Some(name) = name else { return Ok(()) };
    Err(Error::analysis("INVALID_SQL_SYNTAX.SHOW_FUNCTIONS_INVALID_PATTERN")
        .param("pattern", shown(name))
        .with_message("With IN, SHOW FUNCTIONS takes a pattern in quotes."))
}

/// A row of a listing for JSON, with the kind where it is wanted.
fn listed((namespace, name, temporary, entry): Row, extended: bool) -> describe_json::Listed {
    let kind = entry.map_or("VIEW", |e| e.kind_name());
    describe_json::Listed { name, namespace, temporary, kind: extended.then_some(kind) }
}

/// `SHOW TABLE EXTENDED … PARTITION (…)`: one table's partition.
async fn partition_extended(
    session: &Arc<Session>,
    namespace: Option<Vec<String>>,
    pattern: String,
    spec: &spark::command::PartitionSpec,
) -> Result<Table> {
    let mut name = namespace.unwrap_or_default();
    name.push(pattern);
    let (place, entry) = session.table_entry(&name, "SHOW TABLE EXTENDED")?;
    super::partition::partitioned(session, &place, &entry, "SHOW TABLE EXTENDED")?;
    let found = super::partition::found(session, &place, &entry, spec).await?;
    let lines: Vec<String> =
        found.details(&entry, &Redaction::of(session)?).into_iter().map(|(k, v)| format!("{k}: {v}")).collect();
    let information = format!("{}\n", lines.join("\n"));
    let row = vec![place.namespace.into(), place.name.to_lowercase().into(), false.into(), information.into()];
    report::table(extended_columns(session), vec![row])
}

/// `spark.sql.legacy.keepCommandOutputSchema`: columns are called what they were called long ago.
pub fn keeps_old_names(session: &Session) -> bool {
    session.conf().view().get_bool("spark.sql.legacy.keepCommandOutputSchema", false)
}

fn extended_columns(session: &Session) -> Vec<spark::types::StructField> {
    vec![
        text(if keeps_old_names(session) { "database" } else { "namespace" }, false),
        text("tableName", false),
        column("isTemporary", DataType::Boolean, false),
        text("information", false),
    ]
}

/// `SHOW COLLATIONS`, from the function that lists them.
async fn collations(session: &Arc<Session>, pattern: Option<&str>) -> Result<Table> {
    const COLUMNS: [&str; 7] =
        ["NAME", "LANGUAGE", "COUNTRY", "ACCENT_SENSITIVITY", "CASE_SENSITIVITY", "PAD_ATTRIBUTE", "ICU_VERSION"];
    let settings = session.settings();
    let query = format!("SELECT {} FROM collations()", COLUMNS.join(", "));
    let plan = sql::parse_query(&query, &sql::ParseOptions::from(&settings))?;
    let analyzer::Answer::Rows(rows) = session.query_rows(&plan, &settings).await? else {
        return Err(Error::internal("a listing has rows"));
    };
    let cell = |value: spark::Literal| match value {
        spark::Literal::String(text) => Cell::Text(text),
        _ => Cell::Null,
    };
    let rows: Vec<Vec<Cell>> = rows.into_iter().map(|row| row.into_iter().map(cell).collect()).collect();
    let rows = rows.into_iter().filter(|r| matches!(r.first(), Some(Cell::Text(n)) if matches(pattern, n))).collect();
    report::table(COLUMNS.iter().enumerate().map(|(i, c)| text(c, matches!(i, 1 | 2 | 6))).collect(), rows)
}

/// Tables and views of a namespace, and the temporary views.
pub fn listing(session: &Session, namespace: Option<Vec<String>>, views_only: bool) -> Result<Vec<Row>> {
    let namespace = session.namespace(&namespace.unwrap_or_default())?;
    let mut out = Vec::new();
    if namespace.eq_ignore_ascii_case(GLOBAL_TEMP) {
        let views = session.engine().shared().global_views.read();
        out.extend(views.keys().map(|key| (GLOBAL_TEMP.to_string(), key.clone(), true, None)));
    } else {
        let entry = session.engine().shared().catalog.namespace(&namespace);
        let entry = entry.ok_or_else(|| schema_not_found(&[SESSION_CATALOG.to_string(), namespace.clone()]))?;
        let tables = entry.tables.into_values().filter(|t| !views_only || t.is_view());
        out.extend(tables.map(|t| (entry.name.clone(), t.name.to_lowercase(), false, Some(t))));
    }
    out.extend(session.names.lock().temp_views.keys().map(|key| (String::new(), key.clone(), true, None)));
    Ok(out)
}

fn tables(session: &Session, namespace: Option<Vec<String>>, pattern: Option<&str>, views: bool) -> Result<Table> {
    let rows = listing(session, namespace, views)?
        .into_iter()
        .filter(|(_, name, ..)| matches(pattern, name))
        .map(|(namespace, name, temporary, _)| vec![namespace.into(), name.into(), temporary.into()])
        .collect();
    let name = if views { "viewName" } else { "tableName" };
    let namespace = if !views && keeps_old_names(session) { "database" } else { "namespace" };
    report::table(
        vec![text(namespace, false), text(name, false), column("isTemporary", DataType::Boolean, false)],
        rows,
    )
}

async fn table_extended(session: &Arc<Session>, namespace: Option<Vec<String>>, pattern: &str) -> Result<Table> {
    let mut rows = Vec::new();
    for (namespace, name, temporary, entry) in listing(session, namespace, false)? {
        if !matches(Some(pattern), &name) {
            continue;
        }
        let information = match &entry {
            Some(entry) => {
                let place = Place { namespace: namespace.clone(), name: name.clone() };
                let details = describe::details(session, &place, entry)?;
                let lines: Vec<String> = details.into_iter().map(|(k, v)| format!("{k}: {v}")).collect();
                format!("{}\nSchema: {}\n", lines.join("\n"), describe::tree(&entry.schema()?))
            }
            None => {
                let view = session.temp_view(std::slice::from_ref(&name), session.settings().case_sensitive);
                view.map(|(_, r)| temporary_information(session, &name, &r)).unwrap_or_default()
            }
        };
        rows.push(vec![namespace.into(), name.into(), temporary.into(), information.into()]);
    }
    report::table(extended_columns(session), rows)
}

/// What `SHOW TABLE EXTENDED` tells of a temporary view.
fn temporary_information(session: &Session, name: &str, view: &crate::names::Relation) -> String {
    let mut lines = vec![
        format!("Table: {name}"),
        format!("Created Time: {}", created(chrono::Utc::now().timestamp_micros())),
        "Last Access: UNKNOWN".to_string(),
        "Created By: Spark 4.3.0".to_string(),
        "Type: VIEW".to_string(),
    ];
    if let Some(text) = &view.text {
        let columns: Vec<String> = view.schema.fields.iter().map(|f| spark::types::quote_identifier(&f.name)).collect();
        let names = session.names.lock();
        lines.push(format!("View Text: {text}"));
        lines.push("View Schema Mode: BINDING".to_string());
        lines.push(format!("View Catalog and Namespace: {}.{}", names.catalog, names.database));
        lines.push(format!("View Query Output Columns: [{}]", columns.join(", ")));
    }
    format!("{}\nSchema: {}\n", lines.join("\n"), describe::tree(&view.schema))
}

fn columns(session: &Session, table: Vec<String>, namespace: Option<Vec<String>>) -> Result<Table> {
    let name = match (namespace, table.as_slice()) {
        (Some(mut namespace), [only]) => {
            namespace.push(only.clone());
            namespace
        }
        (Some(namespace), [.., own, _]) if !namespace.last().is_some_and(|n| n.eq_ignore_ascii_case(own)) => {
            return Err(Error::analysis("SHOW_COLUMNS_WITH_CONFLICT_NAMESPACE")
                .param("namespaceA", shown(&namespace))
                .param("namespaceB", shown(std::slice::from_ref(own)))
                .with_message("SHOW COLUMNS names two schemas."));
        }
        _ => table,
    };
    let schema = match session.find(&name, &session.settings())? {
        Found::Temp(_, relation) => relation.schema,
        Found::Entry(_, entry) => entry.schema()?,
        Found::Nothing => return Err(table_not_found(&name)),
    };
    report::table(vec![text("col_name", false)], schema.fields.into_iter().map(|f| vec![f.name.into()]).collect())
}

/// A column of texts.
pub fn one_each(name: &str, values: Vec<String>) -> Result<Table> {
    report::table(vec![text(name, false)], values.into_iter().map(|v| vec![v.into()]).collect())
}

/// `p=1/q=x` of every partition that is meant.
///
/// # Errors
/// For a table without a registry of partitions.
pub async fn partitions(
    session: &Arc<Session>,
    table: &[String],
    spec: &spark::command::PartitionSpec,
) -> Result<Vec<String>> {
    let (place, entry) = session.table_entry(table, "SHOW PARTITIONS")?;
    if entry.partition_columns.is_empty() {
        return Err(Error::analysis("INVALID_PARTITION_OPERATION.PARTITION_SCHEMA_IS_EMPTY")
            .param("name", shown(&place.parts()))
            .with_message("The table has no partition columns."));
    }
    let registry = super::partition::partitioned(session, &place, &entry, "SHOW PARTITIONS")?;
    let selected = super::partition::select(session, &place, &entry, spec).await?;
    let names = registry.iter().map(|(path, _)| path.clone()).filter(|n| selected.holds(n));
    Ok(names.collect())
}

fn properties(session: &Session, table: &[String], key: Option<String>) -> Result<Table> {
    let pair = vec![text("key", false), text("value", false)];
    let (place, entry) = match session.find(table, &session.settings())? {
        Found::Entry(place, entry) => (place, entry),
        Found::Temp(..) => return report::table(pair, Vec::new()),
        Found::Nothing => return Err(table_not_found(table)),
    };
    let redact = Redaction::of(session)?;
    let mut all = entry.properties.clone();
    all.extend(entry.options.iter().map(|(k, v)| (format!("option.{k}"), v.clone())));
    all.sort();
    let all = redact.pairs(&all);
    let rows = match key {
        Some(key) => {
            let missing = || format!("Table {} does not have property: {key}", place.parts().join("."));
            let value = all.into_iter().find(|(k, _)| *k == key).map_or_else(missing, |(_, v)| v);
            if keeps_old_names(session) {
                return report::table(vec![text("value", false)], vec![vec![value.into()]]);
            }
            vec![vec![key.into(), value.into()]]
        }
        None => all.into_iter().map(|(k, v)| vec![k.into(), v.into()]).collect(),
    };
    report::table(pair, rows)
}

fn create_table(session: &Session, table: &[String]) -> Result<Table> {
    let (place, entry) = match session.find(table, &session.settings())? {
        Found::Entry(place, entry) => (place, entry),
        Found::Temp(shown_name, _) => {
            return Err(Error::analysis("EXPECT_PERMANENT_VIEW_NOT_TEMP")
                .param("viewName", shown(&[shown_name]))
                .param("operation", "SHOW CREATE TABLE")
                .with_message("A temporary view has no statement that creates it."));
        }
        Found::Nothing => return Err(table_not_found(table)),
    };
    report::table(vec![text("createtab_stmt", false)], vec![vec![create_statement(session, &place, &entry)?.into()]])
}

/// What `spark.sql.redaction.options.regex` keeps out of sight.
pub struct Redaction(Vec<regex::Regex>);

impl Redaction {
    /// As the session has it.
    ///
    /// # Errors
    /// If the pattern is none.
    pub fn of(session: &Session) -> Result<Self> {
        const KEYS: [(&str, &str); 2] = [
            ("spark.sql.redaction.options.regex", ""),
            ("spark.redaction.regex", "(?i)secret|password|token|access[.]?key"),
        ];
        let conf = session.conf().view();
        let mut patterns = Vec::new();
        for (key, default) in KEYS {
            let pattern = conf.get(key).unwrap_or(default);
            if !pattern.is_empty() {
                let compiled = regex::Regex::new(pattern);
                patterns
                    .push(compiled.map_err(|e| Error::unsupported(format!("the pattern {pattern} of {key}: {e}")))?);
            }
        }
        Ok(Redaction(patterns))
    }

    /// `[k=v, …]`, or nothing if there are none.
    pub fn listed(&self, pairs: &[(String, String)]) -> Option<String> {
        let mut all = self.pairs(pairs);
        all.sort();
        let text = || all.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(", ");
        (!all.is_empty()).then(|| format!("[{}]", text()))
    }

    /// The pairs with the values of those hidden that match by key or value.
    pub fn pairs(&self, pairs: &[(String, String)]) -> Vec<(String, String)> {
        let hidden = |text: &str| self.0.iter().any(|r| r.is_match(text));
        let shown = |(k, v): &(String, String)| {
            let value = if hidden(k) || hidden(v) { "*********(redacted)".to_string() } else { v.clone() };
            (k.clone(), value)
        };
        pairs.iter().map(shown).collect()
    }
}

/// The statement that would create a table or view.
pub fn create_statement(session: &Session, place: &Place, entry: &TableEntry) -> Result<String> {
    let redact = Redaction::of(session)?;
    let name = place.parts().iter().map(|p| quote_if_needed(p)).collect::<Vec<_>>().join(".");
    let schema = entry.schema()?;
    let comment = |c: &str| format!(" COMMENT '{}'", c.replace('\\', "\\\\").replace('\'', "\\'"));
    let mut out = String::new();
    if entry.view.as_ref().is_some_and(ViewEntry::is_metrics) {
        return Err(Error::analysis("UNSUPPORTED_SHOW_CREATE_TABLE.ON_METRIC_VIEW")
            .param("tableName", shown(std::slice::from_ref(&place.name)))
            .with_message("SHOW CREATE TABLE does not show views of metrics."));
    }
    if let Some(view) = &entry.view {
        let columns: Vec<String> = schema
            .fields
            .iter()
            .map(|f| {
                let note = f.metadata.get("comment").and_then(|v| v.as_str()).map(comment).unwrap_or_default();
                format!("  {}{note}", quote_if_needed(&f.name))
            })
            .collect();
        let name = format!("{}.{}", quote_if_needed(&place.namespace), quote_if_needed(&place.name));
        out.push_str(&format!("CREATE VIEW {name} (\n{})\n", columns.join(",\n")));
        if let Some(c) = &entry.comment {
            out.push_str(&format!("{}\n", comment(c).trim_start()));
        }
        if let Some(collation) = &entry.collation {
            out.push_str(&format!("DEFAULT COLLATION {collation}\n"));
        }
        out.push_str(&pairs("TBLPROPERTIES", &entry.properties));
        if !view.schema_mode.is_empty() {
            out.push_str(&format!("WITH SCHEMA {}\n", view.schema_mode));
        }
        out.push_str(&format!("AS {}\n", view.text));
        return Ok(out);
    }
    let columns: Vec<String> = schema
        .fields
        .iter()
        .map(|f| {
            let ty = match (&f.data_type, f.metadata.get("__CHAR_VARCHAR_TYPE_STRING").and_then(|v| v.as_str())) {
                (_, Some(raw)) => match sql::parse_data_type(raw, &sql::ParseOptions::default()) {
                    Ok(declared) => collated_sql(&declared),
                    Err(_) => raw.to_uppercase(),
                },
                (ty, _) => collated_sql(ty),
            };
            let default = f
                .metadata
                .get("CURRENT_DEFAULT")
                .and_then(|v| v.as_str())
                .map(|d| format!(" DEFAULT {d}"))
                .unwrap_or_default();
            let note = f.metadata.get("comment").and_then(|v| v.as_str()).map(comment).unwrap_or_default();
            format!("  {} {ty}{default}{note}", quote_if_needed(&f.name))
        })
        .collect();
    out.push_str(&format!("CREATE TABLE {name} (\n{})\nUSING {}\n", columns.join(",\n"), entry.provider));
    out.push_str(&pairs("OPTIONS", &redact.pairs(&entry.options)));
    if !entry.partition_columns.is_empty() {
        let names: Vec<String> = entry.partition_columns.iter().map(|c| quote_if_needed(c)).collect();
        out.push_str(&format!("PARTITIONED BY ({})\n", names.join(", ")));
    }
    let clustered: Vec<String> =
        entry.clustering().iter().map(|c| c.iter().map(|p| quote_if_needed(p)).collect::<Vec<_>>().join(".")).collect();
    if !clustered.is_empty() {
        out.push_str(&format!("PARTITIONED BY (cluster_by({}))\n", clustered.join(", ")));
    }
    if let Some((columns, sort, buckets)) = &entry.bucket {
        let sorted = if sort.is_empty() { String::new() } else { format!("\nSORTED BY ({})", sort.join(", ")) };
        out.push_str(&format!("CLUSTERED BY ({}){sorted}\nINTO {buckets} BUCKETS\n", columns.join(", ")));
    }
    if let Some(c) = &entry.comment {
        out.push_str(&format!("{}\n", comment(c).trim_start()));
    }
    if let Some(collation) = &entry.collation {
        out.push_str(&format!("DEFAULT COLLATION {collation}\n"));
    }
    if entry.kind == Kind::External {
        out.push_str(&format!("LOCATION '{}'\n", entry.location));
    }
    let mut properties = redact.pairs(&entry.properties);
    properties.retain(|(key, _)| !entry.options.iter().any(|(option, _)| option == key));
    out.push_str(&pairs("TBLPROPERTIES", &properties));
    Ok(out)
}

/// A type as SQL with the collation of every string in it.
fn collated_sql(ty: &DataType) -> String {
    match ty {
        DataType::String { collation: None } => "STRING COLLATE UTF8_BINARY".to_string(),
        DataType::Char(_) | DataType::Varchar(_) => format!("{} COLLATE UTF8_BINARY", ty.sql()),
        DataType::Array { element, .. } => format!("ARRAY<{}>", collated_sql(element)),
        DataType::Map { key, value, .. } => format!("MAP<{}, {}>", collated_sql(key), collated_sql(value)),
        DataType::Struct(fields) => {
            let field = |f: &spark::types::StructField| {
                let not_null = if f.nullable { "" } else { " NOT NULL" };
                format!("{}: {}{not_null}", quote_if_needed(&f.name), collated_sql(&f.data_type))
            };
            format!("STRUCT<{}>", fields.fields.iter().map(field).collect::<Vec<_>>().join(", "))
        }
        other => other.sql(),
    }
}

fn pairs(keyword: &str, pairs: &[(String, String)]) -> String {
    if pairs.is_empty() {
        return String::new();
    }
    let mut sorted = pairs.to_vec();
    sorted.sort();
    let lines: Vec<String> = sorted.iter().map(|(k, v)| format!("  '{k}' = '{v}'")).collect();
    format!("{keyword} (\n{})\n", lines.join(",\n"))
}

fn functions(session: &Session, scope: &str, pattern: Option<String>, name: Option<Vec<String>>) -> Result<Table> {
    let pattern = pattern.or_else(|| name.and_then(|n| n.last().cloned()));
    let mut all: Vec<String> = Vec::new();
    if !scope.eq_ignore_ascii_case("USER") {
        all.extend(functions::registry::names().into_iter().map(str::to_string));
    }
    if !scope.eq_ignore_ascii_case("SYSTEM") {
        all.extend(super::function::names(session));
    }
    all.sort();
    all.dedup();
    let rows = all
        .into_iter()
        .filter(|f| matches(pattern.as_deref(), f.rsplit('.').next().unwrap_or(f)))
        .map(|f| vec![Cell::Text(f)])
        .collect();
    report::table(vec![text("function", false)], rows)
}

/// Created when, as `DESCRIBE` prints it.
pub fn created(micros: i64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let text = Printer::new("UTC").instant_text(micros - micros.rem_euclid(1_000_000));
    let (date, time) = text.split_once(' ').unwrap_or((&text, ""));
    let mut parts = date.split('-');
    let (year, month, day) = (parts.next().unwrap_or(""), parts.next().unwrap_or("1"), parts.next().unwrap_or(""));
    let weekday = DAYS[micros.div_euclid(86_400_000_000).rem_euclid(7) as usize];
    let month = MONTHS[month.parse::<usize>().unwrap_or(1).clamp(1, 12) - 1];
    format!("{weekday} {month} {day} {time} UTC {year}")
}
