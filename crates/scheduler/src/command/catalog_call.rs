//! `spark.catalog`: every call as a table.

use std::sync::Arc;

use spark::command::CatalogCall as Call;
use spark::types::{DataType, StructField};
use spark::{Error, Result};

use super::{cache, describe, namespace, show, table};
use crate::catalog::{
    GLOBAL_TEMP, Kind, NamespaceEntry, SESSION_CATALOG, TableEntry, schema_not_found, table_not_found,
};
use crate::naming::Found;
use crate::operation::{OperationContext, Table};
use crate::report::{self, Cell, column, matches, text};
use crate::session::Session;

/// Runs a call.
pub async fn run(session: &Arc<Session>, call: Call, op: &OperationContext) -> Result<Table> {
    let builtin = matches!(
        call,
        Call::IsCached { .. } | Call::CacheTable { .. } | Call::UncacheTable { .. } | Call::RefreshTable { .. }
    );
    run_kind(session, call, op).await.map_err(|e| {
        if e.condition() != "TABLE_OR_VIEW_NOT_FOUND" || e.data().parameters.contains_key("searchPath") {
            return e;
        }
        let current = {
            let names = session.names.lock();
            crate::catalog::shown(&[names.catalog.to_string(), names.database.to_string()])
        };
        let first = if builtin { "`system`.`builtin`, " } else { "" };
        e.param("searchPath", format!("[{first}`system`.`session`, {current}]"))
    })
}

async fn run_kind(session: &Arc<Session>, call: Call, op: &OperationContext) -> Result<Table> {
    match call {
        Call::CurrentDatabase => one_text("current_database", session.names.lock().database.to_string()),
        Call::SetCurrentDatabase { name } => namespace::use_namespace(session, &parts(session, &name)?),
        Call::CurrentCatalog => one_text("current_catalog", SESSION_CATALOG.to_string()),
        Call::SetCurrentCatalog { name } => namespace::set_catalog(session, &name),
        Call::ListCatalogs { pattern } => {
            let rows = [SESSION_CATALOG]
                .iter()
                .filter(|c| matches(pattern.as_deref(), c))
                .map(|c| vec![(*c).into(), Cell::Null])
                .collect();
            report::table(vec![text("name", false), text("description", true)], rows)
        }
        Call::ListDatabases { pattern } => {
            let catalog = &session.engine().shared().catalog;
            let all = catalog
                .namespaces()
                .into_iter()
                .filter(|n| matches(pattern.as_deref(), n))
                .filter_map(|n| catalog.namespace(&n));
            report::table(database_columns(), all.map(database_row).collect())
        }
        Call::GetDatabase { name } => {
            let name = session.namespace(&parts(session, &name)?)?;
            let entry = session.engine().shared().catalog.namespace(&name);
            let entry = entry.ok_or_else(|| schema_not_found(&[SESSION_CATALOG.to_string(), name]))?;
            report::table(database_columns(), vec![database_row(entry)])
        }
        Call::DatabaseExists { name } => {
            let found = session
                .namespace(&parts(session, &name)?)
                .is_ok_and(|n| session.engine().shared().catalog.has_namespace(&n));
            one_bool("database_exists", found)
        }
        Call::ListTables { database, pattern } => list_tables(session, database, pattern, false),
        Call::ListViews { database, pattern } => list_tables(session, database, pattern, true),
        Call::GetTable { table, database } => get_table(session, &full(session, table, database)?),
        Call::TableExists { table, database } => {
            let found = !matches!(session.find(&full(session, table, database)?, &session.settings())?, Found::Nothing);
            one_bool("table_exists", found)
        }
        Call::ListColumns { table, database } => list_columns(session, &full(session, table, database)?),
        Call::ListFunctions { database, pattern } => list_functions(session, database, pattern),
        Call::GetFunction { name, database } => {
            let mut parts = parts(session, &name)?;
            if let Some(database) = database {
                parts.insert(0, database);
            }
            let row = function_row(session, &parts)?;
            let row = row.ok_or_else(|| describe::routine_not_found(session, &parts))?;
            report::table(function_columns(), vec![row])
        }
        Call::FunctionExists { name, .. } => {
            let name = parts(session, &name)?;
            let last = name.last().map(|n| n.to_lowercase()).unwrap_or_default();
            // A function of Spark's own is in no database.
            let found = match name.len() {
                1 => has_function(session, &last),
                _ => super::function::find(session, &name).is_ok_and(|f| f.is_some()),
            };
            one_bool("function_exists", found)
        }
        other => run_change(session, other, op).await,
    }
}

/// Calls that change something.
async fn run_change(session: &Arc<Session>, call: Call, op: &OperationContext) -> Result<Table> {
    match call {
        Call::DropTempView { name } => {
            let dropped = table::drop_temp(session, &[name], session.settings().case_sensitive);
            one_bool("drop_temp_view", dropped)
        }
        Call::DropGlobalTempView { name } => {
            let dropped =
                table::drop_temp(session, &[GLOBAL_TEMP.to_string(), name], session.settings().case_sensitive);
            one_bool("drop_global_temp_view", dropped)
        }
        Call::IsCached { table } => one_bool("is_cached", cache::is_cached(session, &parts(session, &table)?)?),
        Call::CacheTable { table, .. } => cache::cache(session, parts(session, &table)?, None, None).await,
        Call::UncacheTable { table } => cache::uncache(session, &parts(session, &table)?, false),
        Call::ClearCache => Ok(cache::clear(session)),
        Call::RefreshTable { table } => cache::refresh(session, &parts(session, &table)?).await,
        Call::RecoverPartitions { table } => {
            let name = parts(session, &table)?;
            let (place, entry) = session.table_entry(&name, "recoverPartitions()")?;
            super::partition::recover(session, &place, &entry, (true, false), "ALTER TABLE RECOVER PARTITIONS").await?;
            Ok(Table::empty())
        }
        Call::RefreshByPath { path } => Ok(cache::refresh_path(session, &path)),
        Call::CreateDatabase { name, if_not_exists, properties } => {
            let take = |key: &str| properties.iter().find(|(k, _)| k.eq_ignore_ascii_case(key)).map(|(_, v)| v.clone());
            namespace::create(
                session,
                &parts(session, &name)?,
                if_not_exists,
                namespace::Description { comment: take("comment"), location: take("location"), ..Default::default() },
            )
        }
        Call::DropDatabase { name, if_exists, cascade } => {
            namespace::drop(session, &parts(session, &name)?, if_exists, cascade)
        }
        Call::DropTable { table: name, if_exists, .. } => {
            table::drop(session, &parts(session, &name)?, if_exists, false)
        }
        Call::DropView { view, if_exists } => table::drop(session, &parts(session, &view)?, if_exists, true),
        Call::TruncateTable { table: name } => table::truncate(session, &parts(session, &name)?).await,
        Call::AnalyzeTable { table: name, no_scan } => {
            let scope = spark::command::AnalyzeScope::Table { no_scan };
            super::statistics::analyze(session, &parts(session, &name)?, &Vec::new(), scope).await
        }
        Call::ListPartitions { table } => {
            show::one_each("partition", show::partitions(session, &parts(session, &table)?, &Vec::new()).await?)
        }
        Call::GetTableProperties { table } => {
            let (_, entry) = session.entry(&parts(session, &table)?)?;
            let rows = entry.properties.into_iter().map(|(k, v)| vec![k.into(), v.into()]).collect();
            report::table(vec![text("key", false), text("value", false)], rows)
        }
        Call::GetCreateTableString { table, .. } => {
            let (place, entry) = session.entry(&parts(session, &table)?)?;
            one_text("createtab_stmt", show::create_statement(session, &place, &entry)?)
        }
        Call::CreateTable { source, path: None, schema, .. } if schema.as_ref().is_none_or(|s| s.fields.is_empty()) => {
            let provider = source.unwrap_or_else(|| "parquet".to_string());
            Err(planner::source::table::cannot_infer(&provider.to_ascii_lowercase()))
        }
        Call::CreateTable { name, path, source, description, schema, options } => {
            let columns = schema.map(|s| s.fields).unwrap_or_default();
            let create = spark::command::CreateTable {
                name: parts(session, &name)?,
                create: true,
                provider: source,
                location: path,
                comment: (!description.is_empty()).then_some(description),
                options,
                columns: columns.into_iter().map(column_def).collect(),
                ..Default::default()
            };
            let name = create.name.clone();
            table::create(session, create, op).await?;
            get_table(session, &name)
        }
        Call::Unsupported { what } => Err(Error::unsupported(what)),
        other => Err(Error::unsupported(format!("the catalog call {other:?}"))),
    }
}

fn column_def(field: StructField) -> spark::command::ColumnDef {
    spark::command::ColumnDef {
        name: vec![field.name],
        data_type: field.data_type,
        nullable: field.nullable,
        comment: field.metadata.get("comment").and_then(|v| v.as_str()).map(str::to_string),
        default: None,
        generated: None,
        identity: None,
        position: None,
        constraints: Vec::new(),
    }
}

/// The parts of a dotted name.
fn parts(session: &Session, name: &str) -> Result<Vec<String>> {
    sql::parse_multipart_identifier(name, &sql::ParseOptions::from(&session.settings()))
}

fn full(session: &Session, table: String, database: Option<String>) -> Result<Vec<String>> {
    match database {
        Some(database) => {
            let mut name = parts(session, &database)?;
            name.push(table);
            Ok(name)
        }
        None => parts(session, &table),
    }
}

fn one_text(name: &str, value: String) -> Result<Table> {
    report::table(vec![text(name, false)], vec![vec![value.into()]])
}

fn one_bool(name: &str, value: bool) -> Result<Table> {
    report::table(vec![column(name, DataType::Boolean, false)], vec![vec![value.into()]])
}

fn has_function(session: &Session, name: &str) -> bool {
    functions::registry::function(name).is_some()
        || super::function::find(session, std::slice::from_ref(&name.to_string())).is_ok_and(|f| f.is_some())
}

fn database_columns() -> Vec<StructField> {
    vec![text("name", false), text("catalog", true), text("description", true), text("locationUri", false)]
}

fn database_row(entry: NamespaceEntry) -> Vec<Cell> {
    vec![entry.name.into(), SESSION_CATALOG.into(), entry.comment.unwrap_or_default().into(), entry.location.into()]
}

fn table_columns() -> Vec<StructField> {
    vec![
        text("name", false),
        text("catalog", true),
        column("namespace", DataType::array(DataType::STRING, true), true),
        text("description", true),
        text("tableType", false),
        column("isTemporary", DataType::Boolean, false),
    ]
}

fn table_row(namespace: &str, name: &str, entry: Option<&TableEntry>) -> Vec<Cell> {
    match entry {
        None if namespace.is_empty() => {
            vec![name.into(), Cell::Null, Cell::Texts(Vec::new()), Cell::Null, "TEMPORARY".into(), true.into()]
        }
        None => {
            let namespace = Cell::Texts(vec![namespace.to_string()]);
            vec![name.into(), Cell::Null, namespace, Cell::Null, "TEMPORARY".into(), true.into()]
        }
        Some(entry) => {
            let kind = match entry.kind {
                Kind::Managed => "MANAGED",
                Kind::External => "EXTERNAL",
                Kind::View => "VIEW",
            };
            let namespace = Cell::Texts(vec![namespace.to_string()]);
            vec![
                name.into(),
                SESSION_CATALOG.into(),
                namespace,
                entry.comment.clone().into(),
                kind.into(),
                false.into(),
            ]
        }
    }
}

fn list_tables(session: &Session, database: Option<String>, pattern: Option<String>, views: bool) -> Result<Table> {
    let namespace = database.map(|d| parts(session, &d)).transpose()?;
    let rows = show::listing(session, namespace, views)?
        .into_iter()
        .filter(|(_, name, ..)| matches(pattern.as_deref(), name))
        .map(|(namespace, name, _, entry)| table_row(&namespace, &name, entry.as_ref()))
        .collect();
    report::table(table_columns(), rows)
}

fn get_table(session: &Session, name: &[String]) -> Result<Table> {
    let row = match session.find(name, &session.settings())? {
        Found::Temp(shown, _) if name.len() == 1 => table_row("", &shown, None),
        Found::Temp(shown, _) => table_row(GLOBAL_TEMP, &shown, None),
        Found::Entry(place, entry) => table_row(&place.namespace, &place.name, Some(&entry)),
        Found::Nothing => return Err(table_not_found(name)),
    };
    report::table(table_columns(), vec![row])
}

fn list_columns(session: &Session, name: &[String]) -> Result<Table> {
    let (schema, partitions, bucket, clustered) = match session.find(name, &session.settings())? {
        Found::Temp(_, relation) => (relation.schema, Vec::new(), Vec::new(), Vec::new()),
        Found::Entry(_, entry) => {
            let bucket = entry.bucket.clone().map(|(columns, _, _)| columns).unwrap_or_default();
            let clustered = entry.clustering().into_iter().filter_map(|parts| parts.first().cloned()).collect();
            (entry.schema()?, entry.partition_columns.clone(), bucket, clustered)
        }
        Found::Nothing => return Err(table_not_found(name)),
    };
    let within = |names: &[String], name: &str| names.iter().any(|n| n.eq_ignore_ascii_case(name));
    let rows = schema
        .fields
        .iter()
        .map(|f| {
            let comment = f.metadata.get("comment").and_then(|v| v.as_str()).map(str::to_string);
            vec![
                f.name.as_str().into(),
                comment.into(),
                f.data_type.simple_string().into(),
                f.nullable.into(),
                within(&partitions, &f.name).into(),
                within(&bucket, &f.name).into(),
                within(&clustered, &f.name).into(),
            ]
        })
        .collect();
    let flag = |name| column(name, DataType::Boolean, false);
    report::table(
        vec![
            text("name", false),
            text("description", true),
            text("dataType", false),
            flag("nullable"),
            flag("isPartition"),
            flag("isBucket"),
            flag("isCluster"),
        ],
        rows,
    )
}

fn function_columns() -> Vec<StructField> {
    vec![
        text("name", false),
        text("catalog", true),
        column("namespace", DataType::array(DataType::STRING, true), true),
        text("description", true),
        text("className", false),
        column("isTemporary", DataType::Boolean, false),
    ]
}

/// The functions of a database, Spark's own first.
fn list_functions(session: &Session, database: Option<String>, pattern: Option<String>) -> Result<Table> {
    let database = database.map(|d| session.namespace(&parts(session, &d)?)).transpose()?;
    let own = match &database {
        Some(name) => {
            let entry = session.engine().shared().catalog.namespace(name);
            let entry = entry.ok_or_else(|| schema_not_found(&[SESSION_CATALOG.to_string(), name.clone()]))?;
            entry.functions.values().map(|f| format!("{name}.{}", f.name.to_lowercase())).collect()
        }
        None => super::function::names(session),
    };
    let mut builtin = functions::registry::names();
    builtin.sort_unstable();
    builtin.dedup();
    let mut rows: Vec<Vec<Cell>> =
        builtin.into_iter().filter(|n| matches(pattern.as_deref(), n)).map(builtin_row).collect();
    for name in own {
        let parts: Vec<String> = name.split('.').map(str::to_string).collect();
        if parts.last().is_some_and(|last| matches(pattern.as_deref(), last)) {
            rows.extend(function_row(session, &parts)?);
        }
    }
    report::table(function_columns(), rows)
}

/// What there is to say of a function, if there is one of that name.
fn function_row(session: &Session, name: &[String]) -> Result<Option<Vec<Cell>>> {
    if let Some(function) = super::function::find(session, name)? {
        let last = function.name.last().cloned().unwrap_or_default();
        let (catalog, namespace, is_temporary) = match function.name.as_slice() {
            [_, schema, _] if !schema.eq_ignore_ascii_case("session") => {
                (SESSION_CATALOG.into(), Cell::Texts(vec![schema.clone()]), false)
            }
            _ => (Cell::Null, Cell::Null, true),
        };
        let comment = function.about.comment.clone().unwrap_or_default();
        return Ok(Some(vec![
            last.into(),
            catalog,
            namespace,
            comment.into(),
            "sqlFunction.".into(),
            is_temporary.into(),
        ]));
    }
    let builtin = match name {
        [only] => functions::registry::function(&only.to_lowercase()).map(|_| only.to_lowercase()),
        _ => None,
    };
    Ok(builtin.as_deref().map(builtin_row))
}

fn builtin_row(name: &str) -> Vec<Cell> {
    let class = format!("builtin.{name}");
    vec![name.into(), Cell::Null, Cell::Null, "".into(), class.into(), true.into()]
}
