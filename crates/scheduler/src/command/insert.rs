//! Rows into tables: `INSERT`, `CREATE TABLE … AS`, `saveAsTable`, `insertInto`, `writeTo`.

use std::sync::Arc;

use analyzer::Analyzed;
use datafusion::common::Column;
use datafusion::logical_expr::{Expr as DfExpr, LogicalPlan, Projection, lit};
use datafusion::scalar::ScalarValue;
use functions::Typed;
use planner::source::{Options, paths};
use planner::write::{SaveMode, WriteSpec, Written};
use spark::command::{Insert, InsertMode};
use spark::expr::CastMode;
use spark::types::{DataType, StructField, StructType, quote_identifier};
use spark::{Error, Expr, Literal, Result, Settings};

use crate::catalog::{TableEntry, shown};
use crate::naming::Place;
use crate::operation::{OperationContext, Table};
use crate::session::Session;

/// `INSERT`.
pub async fn run(session: &Arc<Session>, insert: Insert, op: &OperationContext) -> Result<Table> {
    let table = session.on_path(&insert.table, &session.settings())?;
    let (place, entry) = session.table_entry(&table, "INSERT")?;
    let overwrite = match insert.mode {
        InsertMode::Append => false,
        InsertMode::Overwrite => true,
        InsertMode::ReplaceWhere(_) | InsertMode::ReplaceOn(_) | InsertMode::ReplaceUsing(_) => {
            let operation = match &insert.mode {
                InsertMode::ReplaceWhere(_) => "INSERT INTO ... REPLACE WHERE",
                _ => "INSERT INTO ... REPLACE ON/USING",
            };
            return Err(super::table::refused(&shown(&place.parts()), operation));
        }
    };
    if insert.schema_evolution {
        return Err(Error::analysis("UNSUPPORTED_INSERT_WITH_SCHEMA_EVOLUTION")
            .with_message("Tables of files do not take new columns from an INSERT."));
    }
    check_partition_spec(&insert, &entry)?;
    let settings = session.settings();
    let origin = insert.origin.clone();
    let selected = super::partition::select(session, &place, &entry, &insert.partition).await;
    let placed = |e: Error| match e.condition() {
        "PARTITIONS_NOT_FOUND" => e,
        _ => e.at(origin.as_ref()),
    };
    let selected = selected.map_err(placed)?;
    let query = with_defaults(&insert, &entry)?;
    let analyzed = session.analyze(&query, settings.clone()).await?;
    if overwrite && !dynamic(&settings) && reads(&analyzed, &entry) {
        return Err(Error::analysis("UNSUPPORTED_OVERWRITE.TABLE")
            .param("table", shown(&place.parts()))
            .with_message("The rows come from the table that they would overwrite."));
    }
    let mut fixed = Vec::new();
    for (name, value) in &insert.partition {
        if let Some(value) = value {
            fixed.push((name.clone(), value.clone()));
        }
    }
    let target =
        Target { place: &place, entry: &entry, columns: insert.columns.clone(), by_name: insert.by_name, fixed };
    let rows = arranged(session, &analyzed, &target, &settings).await;
    let rows =
        rows.map_err(|e| if e.condition().starts_with("UNRESOLVED_COLUMN") { e.at(origin.as_ref()) } else { e })?;
    check_partitions_named(&insert, &place, &entry)?;
    let path = selected.path();
    let known = super::partition::known(&entry, &settings);
    if insert.if_partition_not_exists && known.is_some_and(|r| r.contains(&path)) {
        return Ok(Table::empty());
    }
    let is_full = !path.is_empty() && target.fixed.len() == entry.partition_columns.len();
    let dynamic = dynamic(&settings) && !is_full && !entry.partition_columns.is_empty();
    let mode = match (overwrite, dynamic) {
        (false, _) => SaveMode::Append,
        (true, true) => SaveMode::OverwriteDynamic,
        (true, false) => SaveMode::Overwrite,
    };
    let whole = is_full.then(|| path.clone());
    into_table(session, &place, &entry, &rows, Put { mode, within: path, whole }, op).await
}

/// Checks which partition columns an insert gives, and how.
fn check_partition_spec(insert: &Insert, entry: &TableEntry) -> Result<()> {
    let spec = &insert.partition;
    if spec.is_empty() {
        return Ok(());
    }
    let is_fixed = |name: &str| spec.iter().any(|(n, v)| n.eq_ignore_ascii_case(name) && v.is_some());
    if spec.iter().any(|(_, v)| v.as_ref().is_some_and(is_default)) {
        return Err(
            Error::parse("REF_DEFAULT_VALUE_IS_NOT_ALLOWED_IN_PARTITION").with_message("PARTITION takes no DEFAULT.")
        );
    }
    let first_dynamic = entry.partition_columns.iter().position(|c| !is_fixed(c));
    if let Some(at) = first_dynamic
        && spec.len() >= entry.partition_columns.len()
        && entry.partition_columns[at..].iter().any(|c| is_fixed(c))
    {
        return Err(Error::analysis("_LEGACY_ERROR_TEMP_1147")
            .param("partColumns", format!("[{}]", entry.partition_columns.join(",")))
            .with_message("Partition columns with a value come before those without."));
    }
    Ok(())
}

/// An insert that names partition columns names all of them.
fn check_partitions_named(insert: &Insert, place: &Place, entry: &TableEntry) -> Result<()> {
    let names: Vec<&str> = insert.partition.iter().map(|(n, _)| n.as_str()).collect();
    if names.is_empty() || names.len() >= entry.partition_columns.len() {
        return Ok(());
    }
    Err(Error::analysis("_LEGACY_ERROR_TEMP_1169")
        .param("tableName", shown(&place.parts()))
        .param("normalizedPartSpec", names.join(","))
        .param("partColNames", entry.partition_columns.join(","))
        .with_message("PARTITION names all partition columns."))
}

/// True if a plan scans the files of the table.
fn reads(analyzed: &Analyzed, entry: &TableEntry) -> bool {
    use datafusion::common::tree_node::TreeNode;
    let folder = format!("{}/", entry.location.trim_end_matches('/'));
    let is_own = |node: &LogicalPlan| {
        let LogicalPlan::TableScan(scan) = node else { return false };
        let Ok(provider) = datafusion::datasource::source_as_provider(&scan.source) else { return false };
        let any: &dyn std::any::Any = provider.as_ref();
        let files = any.downcast_ref::<planner::source::table::FileTable>().map(|f| f.input_files());
        files.unwrap_or_default().iter().any(|f| f.replace("file:///", "file:/").starts_with(&folder))
    };
    analyzed.plan.exists(|node| Ok(is_own(node))).unwrap_or(false)
}

/// The query with `DEFAULT` in rows of `VALUES` replaced by what the columns have as default.
fn with_defaults(insert: &Insert, entry: &TableEntry) -> Result<spark::Plan> {
    let mut query = insert.query.clone();
    let schema = entry.schema()?;
    let is_fixed =
        |f: &&StructField| !insert.partition.iter().any(|(n, v)| v.is_some() && n.eq_ignore_ascii_case(&f.name));
    let columns: Vec<&StructField> = match insert.columns.is_empty() {
        true => schema.fields.iter().filter(is_fixed).collect(),
        false => insert
            .columns
            .iter()
            .filter_map(|c| schema.fields.iter().find(|f| f.name.eq_ignore_ascii_case(c)))
            .collect(),
    };
    fill(&mut query, &columns)?;
    Ok(query)
}

/// Puts the columns' defaults for `DEFAULT` in the rows of `VALUES` or the list of a `SELECT`.
fn fill(plan: &mut spark::Plan, columns: &[&StructField]) -> Result<()> {
    let rows: Vec<&mut Vec<Expr>> = match &mut plan.node {
        spark::plan::Node::SubqueryAlias { input, .. } => return fill(input, columns),
        spark::plan::Node::InlineTable { rows } => rows.iter_mut().collect(),
        spark::plan::Node::Project { exprs, .. } => vec![exprs],
        _ => Vec::new(),
    };
    for row in rows {
        for (cell, column) in row.iter_mut().zip(columns) {
            if is_default(cell) {
                *cell = default_of(column);
            }
        }
        if row.iter().any(holds_default) {
            return Err(Error::analysis("DEFAULT_PLACEMENT_INVALID")
                .with_message("DEFAULT can only stand alone as a value to insert or assign."));
        }
    }
    Ok(())
}

/// True if `DEFAULT` is a part of an expression.
fn holds_default(expr: &Expr) -> bool {
    if matches!(expr.unpositioned(), Expr::Subquery(_)) {
        return false;
    }
    let mut found = false;
    expr.clone().for_each_child_mut(&mut |child| found |= is_default(child) || holds_default(child));
    found
}

/// True for `DEFAULT` alone.
fn is_default(expr: &Expr) -> bool {
    match expr.unpositioned() {
        Expr::Default => true,
        Expr::Attribute(a) => a.parts.len() == 1 && a.parts[0].eq_ignore_ascii_case("default"),
        _ => false,
    }
}

/// A table created by a query: its rows first, then its entry, so that a failure leaves neither.
pub async fn into_new(
    session: &Arc<Session>,
    place: &Place,
    entry: TableEntry,
    analyzed: &Analyzed,
    op: &OperationContext,
) -> Result<Table> {
    let settings = session.settings();
    let target = Target { place, entry: &entry, columns: Vec::new(), by_name: true, fixed: Vec::new() };
    let rows = arranged(session, analyzed, &target, &settings).await?;
    let mode = if entry.kind == crate::catalog::Kind::Managed { SaveMode::Overwrite } else { SaveMode::ErrorIfExists };
    let written = into_entry(session, &entry, &rows, Put::of(mode), op).await?;
    let registry = super::partition::registry_of(&settings, &entry.partition_columns, &written.partitions);
    let entry = TableEntry { registry, ..entry };
    session.engine().shared().catalog.put_table(&place.namespace, entry, false)?;
    Ok(Table::empty())
}

/// What a write does to a table.
pub struct Put {
    pub mode: SaveMode,
    /// The partition, as `p=1`, of which it replaces everything; empty for the whole table.
    pub within: String,
    /// The only partition that it writes, which there is then even without rows.
    pub whole: Option<String>,
}

impl Put {
    /// A write anywhere in the table.
    pub fn of(mode: SaveMode) -> Self {
        Put { mode, within: String::new(), whole: None }
    }
}

/// Writes rows into a table that exists, and enters their partitions.
pub async fn into_table(
    session: &Arc<Session>,
    place: &Place,
    entry: &TableEntry,
    rows: &Analyzed,
    put: Put,
    op: &OperationContext,
) -> Result<Table> {
    let whole = put.whole.clone();
    let (replaces, within) = (put.mode == SaveMode::Overwrite, format!("{}/", put.within));
    let mut new = into_entry(session, entry, rows, put, op).await?.partitions;
    new.extend(whole);
    let is_within = |p: &&String| within == "/" || format!("{p}/").starts_with(&within);
    let before = super::partition::known(entry, &session.settings()).cloned().unwrap_or_default();
    let before = before.iter().map(|(path, _)| path).filter(|_| replaces);
    let gone = before.filter(is_within).filter(|p| !new.contains(*p)).cloned().collect();
    super::partition::written(session, place, entry, &new, &gone)?;
    super::statistics::changed(session, place, entry).await?;
    Ok(Table::empty())
}

/// Writes rows that have the table's columns.
pub async fn into_entry(
    session: &Arc<Session>,
    entry: &TableEntry,
    rows: &Analyzed,
    put: Put,
    op: &OperationContext,
) -> Result<Written> {
    let settings = session.settings();
    let mut options = Options::new(&entry.options);
    options.set_time_parser(&settings);
    options.set_write_defaults(&settings);
    let spec = WriteSpec {
        format: entry.provider.clone(),
        location: paths::locate(&entry.location)?,
        mode: put.mode,
        options,
        schema: rows.schema.clone(),
        columns: rows.columns.clone(),
        partition_by: entry.partition_columns.clone(),
        located: super::partition::located(entry, &settings)?,
        within: put.within,
        time_zone: Arc::clone(&settings.time_zone),
        case_sensitive: settings.case_sensitive,
        default_compression: settings.conf.get("spark.sql.parquet.compression.codec").unwrap_or("snappy").to_string(),
    };
    super::write::rows(session, rows, spec, op).await
}

/// Whether overwriting leaves the partitions alone that get no rows.
pub fn dynamic(settings: &Settings) -> bool {
    let mode = settings.conf.get("spark.sql.sources.partitionOverwriteMode");
    mode.is_some_and(|m| m.eq_ignore_ascii_case("dynamic"))
}

/// Where rows go, and how their columns are matched.
pub struct Target<'a> {
    pub place: &'a Place,
    pub entry: &'a TableEntry,
    /// The columns listed; all, in order, if empty.
    pub columns: Vec<String>,
    pub by_name: bool,
    /// Partition columns with a given value.
    pub fixed: Vec<(String, Expr)>,
}

/// The rows of a query with exactly the columns and types of the table.
///
/// # Errors
/// `INSERT_COLUMN_ARITY_MISMATCH`, `INCOMPATIBLE_DATA_FOR_TABLE`.
pub async fn arranged(
    session: &Arc<Session>,
    analyzed: &Analyzed,
    target: &Target<'_>,
    settings: &Settings,
) -> Result<Analyzed> {
    let schema = target.entry.schema()?;
    let same = |a: &str, b: &str| planner::source::same_name(a, b, settings.case_sensitive);
    let is_fixed = |name: &str| target.fixed.iter().any(|(n, _)| same(n, name));
    for (i, name) in target.columns.iter().enumerate() {
        if target.columns[..i].iter().any(|n| same(n, name)) {
            return Err(Error::analysis("COLUMN_ALREADY_EXISTS")
                .param("columnName", quote_identifier(name))
                .with_message(format!("The column {name} is listed twice.")));
        }
    }
    if target.columns.iter().any(|n| is_fixed(n)) {
        let given: Vec<&str> = target.columns.iter().map(String::as_str).collect();
        return Err(partition_arity(target, &given));
    }
    let wanted: Vec<&StructField> = if target.columns.is_empty() {
        schema.fields.iter().filter(|f| !is_fixed(&f.name)).collect()
    } else {
        let find = |name: &String| {
            schema.fields.iter().find(|f| same(&f.name, name)).ok_or_else(|| unknown_column(name, &schema))
        };
        target.columns.iter().map(find).collect::<Result<_>>()?
    };
    let sources = matched(analyzed, target, &wanted, settings)?;
    let plan_schema = analyzed.plan.schema();
    let mut exprs = Vec::new();
    for field in &schema.fields {
        let source = wanted.iter().position(|w| w.name == field.name).and_then(|i| sources[i]);
        let fixed = target.fixed.iter().find(|(n, _)| same(n, &field.name));
        let expr = match (source, fixed) {
            (Some(column), _) => {
                let (qualifier, arrow) = plan_schema.qualified_field(analyzed.columns[column]);
                let typed = &analyzed.schema.fields[column];
                stored(DfExpr::Column(Column::from((qualifier, arrow))), typed, field, target, settings)?
            }
            (None, Some((_, value))) => limited(constant(session, value.clone(), field).await?, field, settings),
            (None, None) => {
                check_missing(field, target, settings)?;
                constant(session, default_of(field), field).await?
            }
        };
        exprs.push(expr.alias(field.name.clone()));
    }
    let plan = Projection::try_new(exprs, Arc::new(analyzed.plan.clone()))
        .map(LogicalPlan::Projection)
        .map_err(functions::error::from_datafusion)?;
    let columns = (0..schema.fields.len()).collect();
    Ok(Analyzed { plan, columns, schema, observations: Vec::new() })
}

/// A column without a value needs a default, unless nulls stand in for missing ones.
fn check_missing(field: &StructField, target: &Target<'_>, settings: &Settings) -> Result<()> {
    let nulls = settings.conf.get_bool("spark.sql.defaultColumn.useNullsForMissingDefaultValues", true);
    if nulls || field.metadata.get("CURRENT_DEFAULT").is_some() {
        return Ok(());
    }
    Err(Error::analysis("INCOMPATIBLE_DATA_FOR_TABLE.CANNOT_FIND_DATA")
        .param("tableName", shown(&target.place.parts()))
        .param("colName", quote_identifier(&field.name))
        .with_message(format!("The query gives no value for the column {}.", field.name)))
}

/// The table's spelling of a column's name.
fn wanted_name(wanted: &[&StructField], given: &StructField, settings: &Settings) -> String {
    let same = |w: &&&StructField| planner::source::same_name(&w.name, &given.name, settings.case_sensitive);
    wanted.iter().find(same).map_or_else(|| given.name.clone(), |w| w.name.clone())
}

fn unknown_column(name: &str, schema: &StructType) -> Error {
    let proposal = schema.fields.iter().map(|f| quote_identifier(&f.name)).collect::<Vec<_>>().join(", ");
    Error::analysis("UNRESOLVED_COLUMN.WITH_SUGGESTION")
        .param("objectName", quote_identifier(name))
        .param("proposal", proposal)
        .with_message(format!("The table has no column {name}."))
}

/// For each wanted column, the column of the query that fills it.
fn matched(
    analyzed: &Analyzed,
    target: &Target<'_>,
    wanted: &[&StructField],
    settings: &Settings,
) -> Result<Vec<Option<usize>>> {
    let given = &analyzed.schema.fields;
    if target.by_name {
        let find = |w: &&StructField| {
            given.iter().position(|g| planner::source::same_name(&g.name, &w.name, settings.case_sensitive))
        };
        for (i, field) in given.iter().enumerate() {
            let same = |g: &StructField| planner::source::same_name(&g.name, &field.name, settings.case_sensitive);
            if given[..i].iter().any(same) {
                return Err(Error::analysis("INCOMPATIBLE_DATA_FOR_TABLE.AMBIGUOUS_COLUMN_NAME")
                    .param("tableName", shown(&target.place.parts()))
                    .param("colName", quote_identifier(&wanted_name(wanted, field, settings)))
                    .with_message(format!("The query has two columns called {}.", field.name)));
            }
        }
        let found: Vec<Option<usize>> = wanted.iter().map(find).collect();
        let used = found.iter().flatten().count();
        if used < given.len() {
            let extra: Vec<String> = (0..given.len())
                .filter(|i| !found.contains(&Some(*i)))
                .map(|i| quote_identifier(&given[i].name))
                .collect();
            return Err(Error::analysis("INCOMPATIBLE_DATA_FOR_TABLE.EXTRA_COLUMNS")
                .param("tableName", shown(&target.place.parts()))
                .param("extraColumns", extra.join(", "))
                .with_message("The query has columns that the table does not have."));
        }
        return Ok(found);
    }
    if given.len() == wanted.len() {
        return Ok((0..wanted.len()).map(Some).collect());
    }
    if !target.fixed.is_empty() && target.columns.is_empty() {
        let given: Vec<&str> = given.iter().map(|f| f.name.as_str()).collect();
        return Err(partition_arity(target, &given));
    }
    let sub = if given.len() < wanted.len() { "NOT_ENOUGH_DATA_COLUMNS" } else { "TOO_MANY_DATA_COLUMNS" };
    let names = |all: Vec<&str>| all.into_iter().map(quote_identifier).collect::<Vec<_>>().join(", ");
    Err(Error::analysis(format!("INSERT_COLUMN_ARITY_MISMATCH.{sub}"))
        .param("tableName", shown(&target.place.parts()))
        .param("tableColumns", names(wanted.iter().map(|f| f.name.as_str()).collect()))
        .param("dataColumns", names(given.iter().map(|f| f.name.as_str()).collect()))
        .with_message("The query has another number of columns than the table."))
}

fn partition_arity(target: &Target<'_>, given: &[&str]) -> Error {
    let names = |all: Vec<&str>| all.into_iter().map(quote_identifier).collect::<Vec<_>>().join(", ");
    let columns = target.entry.schema().map(|s| s.fields).unwrap_or_default();
    Error::analysis("INSERT_PARTITION_COLUMN_ARITY_MISMATCH")
        .param("tableName", shown(&target.place.parts()))
        .param("tableColumns", names(columns.iter().map(|f| f.name.as_str()).collect()))
        .param("staticPartCols", names(target.fixed.iter().map(|(n, _)| n.as_str()).collect()))
        .param("dataColumns", names(given.to_vec()))
        .with_message("The query has another number of columns than the table has besides the fixed ones.")
}

/// A column as the table stores it.
fn stored(
    expr: DfExpr,
    from: &StructField,
    to: &StructField,
    target: &Target<'_>,
    settings: &Settings,
) -> Result<DfExpr> {
    if settings.store_assignment.as_ref() != "LEGACY" && !assignable(&from.data_type, &to.data_type, settings) {
        return Err(Error::analysis("INCOMPATIBLE_DATA_FOR_TABLE.CANNOT_SAFELY_CAST")
            .param("tableName", shown(&target.place.parts()))
            .param("colName", quote_identifier(&to.name))
            .param("srcType", format!("\"{}\"", from.data_type.sql()))
            .param("targetType", format!("\"{}\"", to.data_type.sql()))
            .with_message(format!("A {} cannot be stored safely in the column {}.", from.data_type.sql(), to.name)));
    }
    let typed = Typed {
        expr,
        ty: from.data_type.clone(),
        nullable: true,
        name: from.name.clone(),
        metadata: Default::default(),
    };
    let mode = if settings.store_assignment.as_ref() == "LEGACY" { CastMode::Legacy } else { CastMode::Ansi };
    let expr = match from.data_type.same_type(&to.data_type) {
        true => functions::cast::implicit(&typed, &to.data_type, settings).expr,
        false if mode == CastMode::Legacy => functions::cast::explicit(&typed, &to.data_type, mode, settings)?.expr,
        false => {
            let cast = functions::cast::explicit(&typed, &to.data_type, mode, settings)?;
            functions::cast::stored(cast.expr, &to.name)
        }
    };
    Ok(limited(expr, to, settings))
}

/// [`of_length`], unless the session takes `CHAR` and `VARCHAR` for strings.
fn limited(expr: DfExpr, to: &StructField, settings: &Settings) -> DfExpr {
    let as_strings = settings.conf.get_bool("spark.sql.legacy.charVarcharAsString", false);
    if as_strings { expr } else { of_length(expr, to) }
}

/// Strings as a `CHAR` or `VARCHAR` column stores them.
fn of_length(expr: DfExpr, to: &StructField) -> DfExpr {
    let declared = to.metadata.get("__CHAR_VARCHAR_TYPE_STRING").and_then(|v| v.as_str());
    match declared.and_then(|d| sql::parse_data_type(d, &sql::ParseOptions::default()).ok()) {
        Some(ty) => functions::families::string::limit::stored(expr, &ty),
        None => expr,
    }
}

/// Whether a default of type `from` can be one of a column of type `to`.
pub fn storable(from: &DataType, to: &DataType, settings: &Settings) -> bool {
    assignable(from, to, settings)
}

/// Whether ANSI store assignment (or the strict one) lets a type into a column.
fn assignable(from: &DataType, to: &DataType, settings: &Settings) -> bool {
    use DataType as T;
    if settings.store_assignment.as_ref() == "STRICT" {
        return from.same_type(to)
            || functions::cast::is_upcast(from, to)
            || functions::coerce::tightest_type(from, to, settings).is_some_and(|t| t.same_type(to));
    }
    match (from, to) {
        (a, b) if a.same_type(b) => true,
        (T::Null, _) => true,
        (a, b) if a.is_numeric() && b.is_numeric() => true,
        (T::Array { element: a, .. }, T::Array { element: b, .. }) => assignable(a, b, settings),
        (T::Map { key: a, value: x, .. }, T::Map { key: b, value: y, .. }) => {
            assignable(a, b, settings) && assignable(x, y, settings)
        }
        (T::Struct(a), T::Struct(b)) => {
            a.fields.len() == b.fields.len()
                && a.fields.iter().zip(&b.fields).all(|(x, y)| assignable(&x.data_type, &y.data_type, settings))
        }
        (a, b) if a.is_complex() || b.is_complex() => false,
        (a, b) if b.is_string() => !matches!(a, T::Variant),
        (a, b) if a.is_datetime() && b.is_datetime() => true,
        // No digit is lost.
        (a, T::TimestampNanos { .. }) if a.is_datetime() => true,
        (T::TimestampNanos { precision: a, .. }, T::TimestampNanos { precision: b, .. }) => a <= b,
        (T::YearMonthInterval { .. }, T::YearMonthInterval { .. })
        | (T::DayTimeInterval { .. }, T::DayTimeInterval { .. }) => true,
        _ => false,
    }
}

fn default_of(field: &StructField) -> Expr {
    match field.metadata.get("CURRENT_DEFAULT").and_then(|v| v.as_str()) {
        Some(text) => Expr::Text(text.to_string()),
        None => Expr::Literal(Literal::Null(DataType::Null)),
    }
}

/// A constant as a value of the column.
async fn constant(session: &Arc<Session>, value: Expr, field: &StructField) -> Result<DfExpr> {
    value_of(session, value, field).await.map(lit)
}

/// The default of a column as it is now.
///
/// # Errors
/// Those of evaluating it.
pub(super) async fn default_value(session: &Arc<Session>, field: &StructField) -> Result<ScalarValue> {
    value_of(session, default_of(field), field).await
}

async fn value_of(session: &Arc<Session>, value: Expr, field: &StructField) -> Result<ScalarValue> {
    let cast = Expr::Cast { child: Box::new(value), to: field.data_type.clone(), mode: CastMode::Session };
    let plan = spark::Plan::from(spark::plan::Node::Project {
        input: spark::Plan::boxed(spark::plan::Node::OneRow),
        exprs: vec![cast.alias("v")],
    });
    let (analyzed, batches) = session.collect(&plan, session.settings(), 1).await?;
    let batch =
        batches.iter().find(|b| b.num_rows() > 0).ok_or_else(|| Error::internal("a row of constants is missing"))?;
    ScalarValue::try_from_array(batch.column(analyzed.columns[0]), 0).map_err(functions::error::from_datafusion)
}
