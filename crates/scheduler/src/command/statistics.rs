//! `ANALYZE TABLE`, `ANALYZE TABLES`: bytes and rows of tables, and what their columns hold.

use std::collections::BTreeMap;
use std::sync::Arc;

use spark::command::{AnalyzeScope, PartitionSpec};
use spark::types::{DataType, StructField, quote_identifier};
use spark::{Error, Literal, Result};

use crate::catalog::{ColumnStatistics, TableEntry, shown};
use crate::naming::{Found, Place};
use crate::operation::Table;
use crate::session::Session;

/// `ANALYZE TABLE`.
///
/// # Errors
/// Spark's condition for a table, partition or column that cannot be analysed.
pub async fn analyze(
    session: &Arc<Session>,
    name: &[String],
    partition: &PartitionSpec,
    scope: AnalyzeScope,
) -> Result<Table> {
    refuse_view(session, name)?;
    let (place, entry) = session.table_entry(name, "ANALYZE TABLE")?;
    if !partition.is_empty() {
        let no_scan = matches!(scope, AnalyzeScope::Table { no_scan: true });
        return partitions(session, &place, &entry, partition, no_scan).await;
    }
    let columns = match scope {
        AnalyzeScope::Table { no_scan } => {
            table(session, &place, &entry, no_scan).await?;
            return Ok(Table::empty());
        }
        AnalyzeScope::AllColumns => entry.schema()?.fields,
        AnalyzeScope::Columns(names) => named(&entry, &names)?,
    };
    for column in &columns {
        check_type(&place, column)?;
    }
    let found = columns_of(session, &place, &columns).await?;
    table(session, &place, &entry, false).await?;
    session.engine().shared().catalog.update_table(&place.namespace, &place.name, |t| {
        t.column_statistics.extend(found);
        Ok(())
    })?;
    Ok(Table::empty())
}

fn refuse_view(session: &Session, name: &[String]) -> Result<()> {
    match session.find(name, &session.settings())? {
        Found::Temp(shown_name, _) => Err(Error::analysis("EXPECT_PERMANENT_VIEW_NOT_TEMP")
            .param("viewName", shown(&[shown_name]))
            .param("operation", "ANALYZE TABLE")
            .with_message("A temporary view is not analysed.")),
        Found::Entry(_, entry) if entry.is_view() => {
            Err(Error::analysis("UNSUPPORTED_FEATURE.ANALYZE_VIEW")
                .with_message("A view has no statistics of its own."))
        }
        _ => Ok(()),
    }
}

/// `ANALYZE TABLE … PARTITION (…)`: bytes, and rows unless it may not scan, of each partition that is meant.
async fn partitions(
    session: &Arc<Session>,
    place: &Place,
    entry: &TableEntry,
    spec: &PartitionSpec,
    no_scan: bool,
) -> Result<Table> {
    let fixed: PartitionSpec = spec.iter().filter(|(_, v)| v.is_some()).cloned().collect();
    super::partition::select(session, place, entry, spec).await?;
    let meant = super::partition::select(session, place, entry, &fixed).await?;
    check_prefix(place, entry, spec)?;
    let registry = entry.registry.clone().unwrap_or_default();
    let all: Vec<_> = registry.iter().filter(|(path, _)| meant.holds(path)).collect();
    if all.is_empty() && !fixed.is_empty() {
        return Err(super::partition::missing(&[&meant], place));
    }
    let mut found = Vec::new();
    for (path, partition) in all {
        let location = super::partition::location_of(entry, path, partition);
        let of_files = TableEntry {
            location,
            partition_columns: Vec::new(),
            registry: None,
            added_defaults: Default::default(),
            schema_json: without_partition_columns(entry)?,
            ..entry.clone()
        };
        let request = crate::names::table_request(&of_files, &Vec::new(), &session.settings())?;
        let opened = planner::source::open(&session.engine().shared().state, request).await?;
        let rows = if no_scan { None } else { opened.table.exact_rows().map(|n| n as u64) };
        found.push((path.clone(), (opened.table.total_bytes(), rows)));
    }
    session.engine().shared().catalog.update_table(&place.namespace, &place.name, |t| {
        let mut registry = t.registry.iter_mut().map(|r| r.change());
        let Some(all) = registry.next() else { return Ok(()) };
        for (path, statistics) in found {
            if let Some(partition) = all.get_mut(&path) {
                partition.statistics = Some(statistics);
            }
        }
        Ok(())
    })?;
    Ok(Table::empty())
}

/// Refuses a specification that gives a value behind a column without.
fn check_prefix(place: &Place, entry: &TableEntry, spec: &PartitionSpec) -> Result<()> {
    let is_given = |c: &&String| spec.iter().any(|(n, v)| v.is_some() && n.eq_ignore_ascii_case(c));
    let given = entry.partition_columns.iter().filter(is_given).count();
    if entry.partition_columns.iter().take(given).all(|c| is_given(&c)) {
        return Ok(());
    }
    let named: Vec<&str> = entry.partition_columns.iter().filter(is_given).map(String::as_str).collect();
    Err(Error::analysis("_LEGACY_ERROR_TEMP_1237")
        .param("specColumns", named.join(","))
        .param("schemaColumns", entry.partition_columns.join(","))
        .param("table", &place.name)
        .param("database", &place.namespace)
        .with_message("A value is given for a partition column behind one without."))
}

/// The schema of the files inside a partition.
fn without_partition_columns(entry: &TableEntry) -> Result<String> {
    let mut schema = entry.schema()?;
    schema.fields.retain(|f| !entry.partition_columns.iter().any(|c| c.eq_ignore_ascii_case(&f.name)));
    Ok(schema.to_json().to_string())
}

/// `ANALYZE TABLES [IN namespace]`.
///
/// # Errors
/// If a table's files cannot be listed.
pub async fn analyze_all(session: &Arc<Session>, namespace: Option<Vec<String>>, no_scan: bool) -> Result<Table> {
    for (namespace, name, _, entry) in super::show::listing(session, namespace, false)? {
        let Some(entry) = entry.filter(|e| !e.is_view()) else { continue };
        table(session, &Place { namespace, name }, &entry, no_scan).await?;
    }
    Ok(Table::empty())
}

/// What is known of a table after its rows changed: nothing, or with `spark.sql.statistics.size.autoUpdate.enabled`
/// its size.
///
/// # Errors
/// If the table's files cannot be listed.
pub async fn changed(session: &Arc<Session>, place: &Place, entry: &TableEntry) -> Result<()> {
    let settings = session.settings();
    let updates = settings.conf.get_bool("spark.sql.statistics.size.autoUpdate.enabled", false);
    let has_none = entry.statistics.is_none() && entry.column_statistics.is_empty();
    let of_partitions = entry.registry.as_ref().is_some_and(|r| r.iter().any(|(_, p)| p.statistics.is_some()));
    if !updates && has_none && !of_partitions {
        return Ok(());
    }
    let size = match updates {
        true => {
            let request = crate::names::table_request(entry, &Vec::new(), &settings)?;
            let opened = planner::source::open(&session.engine().shared().state, request).await?;
            // Spark knows no rows then, and prints none as zero.
            Some((opened.table.total_bytes(), Some(0)))
        }
        false => None,
    };
    session.engine().shared().catalog.update_table(&place.namespace, &place.name, |t| {
        t.statistics = size;
        t.column_statistics.clear();
        if of_partitions && let Some(registry) = &mut t.registry {
            registry.change().values_mut().for_each(|p| p.statistics = None);
        }
        Ok(())
    })
}

/// Bytes, and rows unless it may not scan.
async fn table(session: &Arc<Session>, place: &Place, entry: &TableEntry, no_scan: bool) -> Result<()> {
    let settings = session.settings();
    let request = crate::names::table_request(entry, &Vec::new(), &settings)?;
    let opened = planner::source::open(&session.engine().shared().state, request).await?;
    let rows = match (no_scan, opened.table.exact_rows()) {
        (true, _) => None,
        (false, Some(rows)) => Some(rows as u64),
        (false, None) => {
            let plan = spark::Plan::from(spark::plan::Node::Table {
                name: place.parts(),
                options: Vec::new(),
                is_streaming: false,
                time_travel: None,
            });
            let (_, batches) = session.collect(&plan, settings, usize::MAX).await?;
            Some(batches.iter().map(|b| b.num_rows() as u64).sum())
        }
    };
    session.engine().shared().catalog.update_table(&place.namespace, &place.name, |t| {
        t.statistics = Some((opened.table.total_bytes(), rows));
        Ok(())
    })
}

fn named(entry: &TableEntry, names: &[String]) -> Result<Vec<StructField>> {
    let schema = entry.schema()?;
    let find = |name: &String| {
        schema.fields.iter().find(|f| f.name.eq_ignore_ascii_case(name)).cloned().ok_or_else(|| {
            Error::analysis("COLUMN_NOT_FOUND")
                .param("colName", quote_identifier(name))
                .param("caseSensitiveConfig", "\"spark.sql.caseSensitive\"")
                .with_message(format!("There is no column {name}."))
        })
    };
    names.iter().map(find).collect()
}

fn check_type(place: &Place, column: &StructField) -> Result<()> {
    if has_range(&column.data_type) || is_text(&column.data_type) {
        return Ok(());
    }
    Err(Error::analysis("UNSUPPORTED_FEATURE.ANALYZE_UNSUPPORTED_COLUMN_TYPE")
        .param("columnType", format!("\"{}\"", column.data_type.sql()))
        .param("columnName", quote_identifier(&column.name))
        .param("tableName", shown(&place.parts()))
        .with_message(format!("A column of type {} has no statistics.", column.data_type.sql())))
}

fn is_text(ty: &DataType) -> bool {
    ty.is_string() || *ty == DataType::Binary
}

/// True if a least and a greatest value are kept.
fn has_range(ty: &DataType) -> bool {
    use DataType as T;
    ty.is_numeric() || matches!(ty, T::Boolean | T::Date | T::Timestamp | T::TimestampNtz)
}

/// Bytes of a value of a type of fixed width.
fn width(ty: &DataType) -> u64 {
    match ty {
        DataType::Boolean | DataType::Byte => 1,
        DataType::Short => 2,
        DataType::Integer | DataType::Float | DataType::Date => 4,
        DataType::Decimal { precision, .. } if *precision > 18 => 16,
        _ => 8,
    }
}

/// Statistics of columns by one query over the table.
async fn columns_of(
    session: &Arc<Session>,
    place: &Place,
    columns: &[StructField],
) -> Result<BTreeMap<String, ColumnStatistics>> {
    let mut items = Vec::new();
    for column in columns {
        let c = quote_identifier(&column.name);
        items.push(format!("count(*) - count({c})"));
        items.push(format!("approx_count_distinct({c})"));
        if is_text(&column.data_type) {
            items.push(format!("coalesce(CAST(ceil(avg(octet_length({c}))) AS BIGINT), 0L)"));
            items.push(format!("coalesce(CAST(max(octet_length({c})) AS BIGINT), 0L)"));
        } else {
            items.push(format!("CAST(min({c}) AS STRING)"));
            items.push(format!("CAST(max({c}) AS STRING)"));
        }
    }
    let settings = session.settings();
    let text = format!("SELECT {} FROM {}", items.join(", "), shown(&place.parts()));
    let plan = sql::parse_query(&text, &sql::ParseOptions::from(&settings))?;
    let analyzer::Answer::Rows(rows) = session.query_rows(&plan, &settings).await? else {
        return Err(Error::internal("statistics are a row"));
    };
    let values = rows.into_iter().next().unwrap_or_default();
    let number = |v: Option<&Literal>| match v {
        Some(Literal::Long(n)) => u64::try_from(*n).ok(),
        _ => None,
    };
    let string = |v: Option<&Literal>| match v {
        Some(Literal::String(text)) => Some(text.clone()),
        _ => None,
    };
    let mut out = BTreeMap::new();
    for (column, values) in columns.iter().zip(values.chunks(4)) {
        let mut found = ColumnStatistics {
            null_count: number(values.first()),
            distinct_count: number(values.get(1)),
            ..Default::default()
        };
        if is_text(&column.data_type) {
            (found.avg_len, found.max_len) = (number(values.get(2)), number(values.get(3)));
        } else {
            (found.min, found.max) = (string(values.get(2)), string(values.get(3)));
            (found.avg_len, found.max_len) = (Some(width(&column.data_type)), Some(width(&column.data_type)));
        }
        out.insert(column.name.to_lowercase(), found);
    }
    Ok(out)
}
