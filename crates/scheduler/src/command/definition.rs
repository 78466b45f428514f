//! What `CREATE TABLE` may define: storage clauses, defaults, partitions and buckets.

use std::sync::Arc;

use spark::command::{ColumnDef, CreateTable, PartitionTransform};
use spark::types::{DataType, StructType, quote_identifier};
use spark::{Error, Expr, Literal, Result};

use super::table::refused;
use crate::catalog::{TableEntry, shown};
use crate::naming::Place;
use crate::session::Session;

/// Formats that `STORED AS` knows by a word.
const STORAGE_WORDS: [&str; 7] = ["sequencefile", "rcfile", "orc", "parquet", "textfile", "avro", "jsonfile"];

/// Refuses Hive's clauses without `USING`.
///
/// # Errors
/// `NOT_SUPPORTED_COMMAND_WITHOUT_HIVE_SUPPORT`, and Spark's error for unknown words.
pub fn check_storage(create: &CreateTable) -> Result<()> {
    let Some(storage) = &create.storage else { return Ok(()) };
    if create.provider.is_some() {
        return Ok(());
    }
    if let Some(format) = &storage.format
        && !STORAGE_WORDS.contains(&format.to_lowercase().as_str())
    {
        return Err(Error::analysis("_LEGACY_ERROR_TEMP_1059")
            .param("serdeInfo", format)
            .with_message(format!("STORED AS {format} names no file format.")));
    }
    Err(Error::analysis("NOT_SUPPORTED_COMMAND_WITHOUT_HIVE_SUPPORT")
        .param("cmd", "CREATE Hive TABLE (AS SELECT)")
        .with_message("STORED AS and ROW FORMAT describe Hive's tables; use USING."))
}

/// Refuses clauses that do not go together.
///
/// # Errors
/// `CREATE_EXTERNAL_TABLE_WITHOUT_LOCATION`, `SPECIFY_PARTITION_IS_NOT_ALLOWED`,
/// `SPECIFY_CLUSTER_BY_WITH_PARTITIONED_BY_IS_NOT_ALLOWED`.
pub fn check_clauses(create: &CreateTable) -> Result<()> {
    if create.external && create.location.is_none() && !create.options.iter().any(|(k, _)| k == "path") {
        return Err(
            Error::parse("CREATE_EXTERNAL_TABLE_WITHOUT_LOCATION").with_message("An external table says where it is.")
        );
    }
    let is_partitioned = !create.partitioning.is_empty() || !create.partition_columns.is_empty();
    if !create.partitioning.is_empty()
        && create.query.is_none()
        && create.columns.is_empty()
        && create.partition_columns.is_empty()
    {
        return Err(
            Error::analysis("SPECIFY_PARTITION_IS_NOT_ALLOWED").with_message("PARTITIONED BY needs a list of columns.")
        );
    }
    if !create.cluster_by.is_empty() && is_partitioned {
        return Err(Error::parse("SPECIFY_CLUSTER_BY_WITH_PARTITIONED_BY_IS_NOT_ALLOWED")
            .with_message("A table is clustered or partitioned, not both."));
    }
    Ok(())
}

/// What only the session can tell about column definitions: generated columns and defaults.
///
/// # Errors
/// Spark's condition for what is wrong with a column or the buckets.
pub async fn check(session: &Arc<Session>, place: &Place, create: &CreateTable) -> Result<()> {
    let conf = session.conf().view();
    for column in create.columns.iter().chain(&create.partition_columns) {
        if column.identity.is_some() {
            return Err(refused(&shown(&place.parts()), "identity columns"));
        }
        if column.generated.is_some() {
            return Err(refused(&shown(&place.parts()), "generated columns"));
        }
        check_type(&column.data_type, conf.get_bool("spark.sql.collation.allowInMapKeys", false))?;
        if let Some((default, text)) = &column.default {
            check_default(session, "CREATE TABLE", column, default, text).await?;
        }
    }
    if let Some(collation) = &create.collation {
        functions::families::collation::name::parse(collation)?;
    }
    let most = i32::try_from(conf.get_int("spark.sql.sources.bucketing.maxBuckets", 100_000)).unwrap_or(i32::MAX);
    if let Some(bucket) = &create.bucket
        && !(1..=most).contains(&bucket.buckets)
    {
        return Err(Error::analysis("INVALID_BUCKET_COUNT")
            .param("bucketingMaxBuckets", most.to_string())
            .param("numBuckets", bucket.buckets.to_string())
            .with_message(format!("A table has between 1 and {most} buckets.")));
    }
    Ok(())
}

/// Refuses unknown collations, and collated keys of maps.
fn check_type(ty: &DataType, collated_keys: bool) -> Result<()> {
    match ty {
        DataType::String { collation: Some(name) } => functions::families::collation::name::parse(name).map(drop),
        DataType::Array { element, .. } => check_type(element, collated_keys),
        DataType::Map { key, value, .. } => {
            if !collated_keys && matches!(&**key, DataType::String { collation: Some(_) }) {
                return Err(Error::analysis("UNSUPPORTED_FEATURE.COLLATIONS_IN_MAP_KEYS")
                    .with_message("The keys of a map have no collation."));
            }
            check_type(key, collated_keys)?;
            check_type(value, collated_keys)
        }
        DataType::Struct(fields) => fields.fields.iter().try_for_each(|f| check_type(&f.data_type, collated_keys)),
        _ => Ok(()),
    }
}

/// A default must be a constant that its column can store.
///
/// # Errors
/// `INVALID_DEFAULT_VALUE`.
pub async fn check_default(
    session: &Arc<Session>,
    statement: &str,
    column: &ColumnDef,
    default: &Expr,
    text: &str,
) -> Result<()> {
    let name = column.name.last().map(|n| quote_identifier(n)).unwrap_or_default();
    check_default_value(session, statement, &name, &column.data_type, default, text).await
}

/// [`check_default`] for a column known by its shown name and type.
///
/// # Errors
/// `INVALID_DEFAULT_VALUE`.
pub async fn check_default_value(
    session: &Arc<Session>,
    statement: &str,
    name: &str,
    data_type: &DataType,
    default: &Expr,
    text: &str,
) -> Result<()> {
    let error = |sub: &str| {
        Error::analysis(format!("INVALID_DEFAULT_VALUE.{sub}"))
            .param("statement", statement)
            .param("colName", name)
            .param("defaultValue", text)
    };
    match default.unpositioned() {
        Expr::Subquery(_) => return Err(error("SUBQUERY_EXPRESSION")),
        Expr::Attribute(_) => return Err(error("NOT_CONSTANT")),
        _ => {}
    }
    super::function::refuse_in_definition(session, default, node_of(statement))?;
    let plan = spark::Plan::from(spark::plan::Node::Project {
        input: spark::Plan::boxed(spark::plan::Node::OneRow),
        exprs: vec![default.clone().alias("v")],
    });
    let settings = session.settings();
    let analyzed = session.analyze(&plan, settings.clone()).await.map_err(|e| match e.condition() {
        "UNRESOLVED_ROUTINE" => e,
        c if c.starts_with("UNRESOLVED_") => error("UNRESOLVED_EXPRESSION"),
        _ => e,
    })?;
    let actual = analyzed.schema.fields.first().map(|f| f.data_type.clone()).unwrap_or(DataType::Null);
    let expected = match data_type {
        DataType::Char(_) | DataType::Varchar(_) => DataType::STRING,
        other => other.clone(),
    };
    let is_literal = matches!(default.unpositioned(), Expr::Literal(_));
    let loses = !is_literal && has_fractions(&actual) && is_whole(&expected);
    if loses || !super::insert::storable(&actual, &expected, &settings) {
        return Err(error("DATA_TYPE")
            .param("expectedType", format!("\"{}\"", data_type.sql()))
            .param("actualType", format!("\"{}\"", actual.sql())));
    }
    Ok(())
}

/// The operator that Spark makes of a statement.
fn node_of(statement: &str) -> &'static str {
    match statement {
        "CREATE TABLE" => "CreateTable",
        "REPLACE TABLE" => "ReplaceTable",
        "ALTER TABLE ALTER COLUMN" => "AlterColumns",
        _ => "AddColumns",
    }
}

fn has_fractions(ty: &DataType) -> bool {
    matches!(ty, DataType::Double | DataType::Float | DataType::Decimal { .. })
}

fn is_whole(ty: &DataType) -> bool {
    matches!(ty, DataType::Byte | DataType::Short | DataType::Integer | DataType::Long)
}

/// What a transform in `PARTITIONED BY` says of a table's files.
pub enum Layout {
    Column(String),
    Buckets(Vec<String>, i32),
}

/// Reads a transform of `PARTITIONED BY`.
///
/// # Errors
/// `UNSUPPORTED_PARTITION_TRANSFORM`.
pub fn layout_of(transform: &PartitionTransform) -> Result<Layout> {
    let columns = |args: &[Expr]| -> Vec<String> {
        let name = |e: &Expr| match e.unpositioned() {
            Expr::Attribute(a) => a.parts.last().cloned(),
            _ => None,
        };
        args.iter().filter_map(name).collect()
    };
    match (transform.name.as_str(), transform.args.as_slice()) {
        ("identity", [only]) => {
            if let Some(name) = columns(std::slice::from_ref(only)).pop() {
                return Ok(Layout::Column(name));
            }
        }
        ("bucket", [count, rest @ ..]) => {
            if let Expr::Literal(Literal::Integer(count)) = count.unpositioned() {
                return Ok(Layout::Buckets(columns(rest), *count));
            }
        }
        _ => {}
    }
    let text = format!("{}({})", transform.name, columns(&transform.args).join(", "));
    Err(Error::analysis("UNSUPPORTED_PARTITION_TRANSFORM")
        .param("transform", quote_identifier(&text))
        .with_message(format!("Tables of files are not partitioned by {text}.")))
}

/// Checks the columns that a table is partitioned, bucketed and sorted by.
///
/// # Errors
/// Spark's condition for a column there is none of or whose type does not do.
pub fn check_layout(place: &Place, entry: &TableEntry) -> Result<()> {
    let schema = entry.schema()?;
    let field = |name: &String| schema.fields.iter().find(|f| f.name.eq_ignore_ascii_case(name));
    for field in entry.partition_columns.iter().filter_map(field) {
        let ty = &field.data_type;
        if ty.is_complex() || is_collated(ty) || *ty == DataType::Variant {
            return Err(Error::analysis("INVALID_PARTITION_COLUMN_DATA_TYPE")
                .param("type", format!("\"{}\"", ty.sql()))
                .with_message(format!("A table is not partitioned by a column of type {}.", ty.sql())));
        }
    }
    let Some((columns, sort, _)) = &entry.bucket else { return Ok(()) };
    known_columns(place, &schema, "bucket", columns)?;
    known_columns(place, &schema, "sort", sort)?;
    for name in columns {
        if entry.partition_columns.iter().any(|p| p.eq_ignore_ascii_case(name)) {
            return Err(Error::analysis("_LEGACY_ERROR_TEMP_1166")
                .param("bucketCol", name)
                .param("normalizedPartCols", entry.partition_columns.join(", "))
                .with_message(format!("The table is partitioned by {name}, so it has no buckets of it.")));
        }
        if let Some(field) = field(name).filter(|f| is_collated(&f.data_type)) {
            return Err(Error::analysis("INVALID_BUCKET_COLUMN_DATA_TYPE")
                .param("type", format!("\"{}\"", field.data_type.sql()))
                .with_message(format!("A column of type {} makes no buckets.", field.data_type.sql())));
        }
    }
    Ok(())
}

fn is_collated(ty: &DataType) -> bool {
    matches!(ty, DataType::String { collation: Some(_) })
}

fn known_columns(place: &Place, schema: &StructType, kind: &str, columns: &[String]) -> Result<()> {
    let known = |name: &&String| schema.fields.iter().any(|f| f.name.eq_ignore_ascii_case(name));
    let Some(unknown) = columns.iter().find(|c| !known(c)) else { return Ok(()) };
    let names: Vec<String> = schema.fields.iter().map(|f| quote_identifier(&f.name)).collect();
    Err(Error::analysis("COLUMN_NOT_DEFINED_IN_TABLE")
        .param("colType", kind)
        .param("colName", quote_identifier(unknown))
        .param("tableName", shown(&place.parts()))
        .param("tableCols", names.join(", "))
        .with_message(format!("The {kind} column {unknown} is not defined.")))
}
