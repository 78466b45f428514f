//! Commands: one file for each family; this one only says which.

mod cache;
mod catalog_call;
mod checkpoint;
mod conf;
mod definition;
mod describe;
mod describe_json;
pub mod explain;
mod folders;
mod function;
mod function_check;
mod function_describe;
mod insert;
mod namespace;
mod partition;
mod path;
mod save;
mod show;
mod statistics;
mod table;
mod variable;
mod view;
mod write;

use std::sync::Arc;

use spark::command::Command as C;
use spark::{Error, Result};

use crate::operation::{OperationContext, Table};
use crate::session::Session;

pub(crate) use catalog_call::run as run_catalog_call;
pub(crate) use function::find as user_function;
pub(crate) use partition::known as known_partitions;
pub(crate) use path::{check_default as check_default_path, in_force as search_path, schemas as path_schemas};

/// What a command leaves.
#[derive(Debug)]
pub enum CommandOutcome {
    Table(Table),
    /// The id of a relation that the session now holds.
    Checkpoint {
        relation_id: String,
    },
}

impl From<Table> for CommandOutcome {
    fn from(table: Table) -> Self {
        CommandOutcome::Table(table)
    }
}

/// Runs a command, once.
///
/// # Errors
/// Spark's condition for what is wrong with it.
pub async fn run(session: &Arc<Session>, command: C, op: &OperationContext) -> Result<CommandOutcome> {
    let path = path_of(session, &command);
    run_kind(session, command, op).await.map_err(|e| {
        let lacks = e.condition() == "TABLE_OR_VIEW_NOT_FOUND" && !e.data().parameters.contains_key("searchPath");
        if lacks { e.param("searchPath", &path) } else { e }
    })
}

/// Where a command looks for tables, as Spark prints it.
fn path_of(session: &Session, command: &C) -> String {
    let current = {
        let names = session.names.lock();
        format!(
            "{}.{}",
            spark::types::quote_identifier(&names.catalog),
            spark::types::quote_identifier(&names.database)
        )
    };
    match command {
        C::DropTable { name, .. } | C::DropView { name, .. } => match session.place(name) {
            Ok(place) => format!("[{}]", crate::catalog::shown(&place.parts()[..2])),
            Err(_) => format!("[{current}]"),
        },
        C::Insert(_)
        | C::Delete { .. }
        | C::Update { .. }
        | C::Merge(_)
        | C::Describe(_)
        | C::CacheTable { .. }
        | C::UncacheTable { .. } => format!("[`system`.`builtin`, `system`.`session`, {current}]"),
        _ => format!("[`system`.`session`, {current}]"),
    }
}

async fn run_kind(session: &Arc<Session>, command: C, op: &OperationContext) -> Result<CommandOutcome> {
    let table = match command {
        C::Set { key, value, verbose } => conf::set(session, key, value, verbose)?,
        C::Reset { key } => conf::reset(session, key)?,
        C::SetTimeZone { zone } => conf::set_time_zone(session, &zone)?,
        C::Explain { mode, plan } => explain::command(session, &mode, &plan).await?,
        C::ExplainCommand { command, .. } => {
            let text = format!("== Physical Plan ==\nExecute {}Command\n\n", name(&command));
            crate::report::table(vec![crate::report::text("plan", true)], vec![vec![text.into()]])?
        }
        C::Checkpoint { input, .. } => return checkpoint::create(session, &input).await,
        C::RemoveCachedRemoteRelation { id } => checkpoint::remove(session, &id),
        C::UseNamespace { name } | C::Use { name } => namespace::use_namespace(session, &name)?,
        C::SetPath { entries } => path::set(session, entries)?,
        C::SetCatalog { name } => namespace::set_catalog(session, &name)?,
        C::DeclareVariables { names, replace, data_type, default, default_text } => {
            variable::declare(session, names, replace, data_type, default, default_text).await?
        }
        C::DropVariable { name, if_exists } => variable::drop(session, &name, if_exists)?,
        C::SetVariables { assignments } => variable::set(session, assignments).await?,
        C::SetVariablesFrom { names, query } => variable::set_from(session, &names, &query).await?,
        C::ExecuteImmediate { text, into, using } => {
            Box::pin(variable::execute_immediate(session, text, into, using, op)).await?
        }
        C::Show(show) => show::run(session, show).await?,
        C::Describe(describe) => describe::run(session, describe).await?,
        C::Sequence(commands) => {
            for command in commands {
                Box::pin(run(session, command, op)).await?;
            }
            Table::empty()
        }
        other => run_object(session, other, op).await?,
    };
    Ok(table.into())
}

/// Commands on namespaces, tables, views, functions and their rows.
async fn run_object(session: &Arc<Session>, command: C, op: &OperationContext) -> Result<Table> {
    match command {
        C::CreateView(view) => view::create(session, view).await,
        C::DropTable { name, if_exists, .. } => table::drop(session, &name, if_exists, false),
        C::DropView { name, if_exists } => table::drop(session, &name, if_exists, true),
        C::CreateTable(create) => table::create(session, *create, op).await,
        C::CreateTempViewUsing { name, schema, global, replace, provider, options } => {
            view::using(session, name, schema, global, replace, provider, options).await
        }
        C::AlterTable { name, action } => table::alter(session, &name, action, false).await,
        C::AlterView { name, action } => table::alter(session, &name, action, true).await,
        C::TruncateTable { name, partition } if partition.is_empty() => table::truncate(session, &name).await,
        C::TruncateTable { name, partition } => {
            let (place, entry) = session.table_entry(&name, "TRUNCATE TABLE")?;
            partition::truncate(session, &place, &entry, &partition).await?;
            session.rows_changed(&entry.location);
            Ok(Table::empty())
        }
        C::CreateTableLike { name, source, if_not_exists, provider, location, properties, .. } => {
            table::like(session, &name, &source, if_not_exists, provider, location, properties)
        }
        C::AnalyzeTable { name, scope, partition } => {
            Box::pin(statistics::analyze(session, &name, &partition, scope)).await
        }
        C::AnalyzeTables { namespace, no_scan } => Box::pin(statistics::analyze_all(session, namespace, no_scan)).await,
        C::CommentOnTable { name, comment } => {
            let (place, _) = session.table_entry(&name, "COMMENT ON TABLE")?;
            session.engine().shared().catalog.update_table(&place.namespace, &place.name, |t| {
                t.comment = comment;
                Ok(())
            })?;
            Ok(Table::empty())
        }
        C::CommentOnColumn { table, column, comment } => {
            let (place, _) = session.table_entry(&table, "COMMENT ON COLUMN")?;
            table::comment_column(session, &place, &column, comment)?;
            Ok(Table::empty())
        }
        C::Insert(insert) => insert::run(session, *insert, op).await,
        C::InsertDirectory(insert) => write::directory(session, *insert, op).await,
        C::With { ctes, recursive, mut command } => {
            // The statement's queries are in the scope of the common table expressions.
            crate::statement::for_each_plan(&mut command, &mut |plan| {
                let input = Box::new(std::mem::replace(plan, spark::Plan::from(spark::plan::Node::OneRow)));
                *plan = spark::Plan::from(spark::plan::Node::With { ctes: ctes.clone(), recursive, input });
            });
            Box::pin(run_object(session, *command, op)).await
        }
        C::Sequence(commands) => {
            for command in commands {
                Box::pin(run_object(session, command, op)).await?;
            }
            Ok(Table::empty())
        }
        C::Resource { verb, .. } if verb.eq_ignore_ascii_case("list") => {
            // Nothing can be added, so there is nothing to list.
            crate::report::table(vec![crate::report::text("Results", false)], Vec::new())
        }
        C::Delete { table, .. } => table::unchangeable(session, &table, "DELETE"),
        C::Update { table, .. } => table::unchangeable(session, &table, "UPDATE TABLE"),
        C::Merge(merge) => table::unchangeable(session, &merge.target, "MERGE INTO TABLE"),
        C::MergeInto(merge) => table::unmergeable(session, &merge),
        C::Write(write) => write::run(session, write, op).await,
        C::WriteV2(write) => save::v2(session, write, op).await,
        C::CacheTable { name, query, text, .. } => cache::cache(session, name, query, text).await,
        C::UncacheTable { name, if_exists } => cache::uncache(session, &name, if_exists),
        C::ClearCache => Ok(cache::clear(session)),
        C::RefreshTable { name } => cache::refresh(session, &name).await,
        C::RepairTable { name, add, drop } => {
            let (place, entry) = session.table_entry(&name, "MSCK REPAIR TABLE")?;
            partition::recover(session, &place, &entry, (add, drop), "MSCK REPAIR TABLE").await?;
            session.rows_changed(&entry.location);
            Ok(Table::empty())
        }
        C::RefreshResource { path } => Ok(cache::refresh_path(session, &path)),
        C::RefreshFunction { name } => function::refresh(session, &name),
        C::CreateFunction { name, class, temporary, replace, if_not_exists, .. } => {
            function::create_of_class(session, &name, class, [temporary, replace, if_not_exists])
        }
        C::LoadData { table, .. } => {
            let (place, _) = session.table_entry(&table, "LOAD DATA")?;
            Err(Error::analysis("_LEGACY_ERROR_TEMP_1261")
                .param("tableIdentWithDB", crate::catalog::shown(&place.parts()))
                .with_message("LOAD DATA is for tables of Hive's formats."))
        }
        C::CreateSqlFunction(function) => function::create(session, *function).await,
        C::DropFunction { name, if_exists, temporary } => function::drop(session, &name, if_exists, temporary),
        C::CreateNamespace { name, if_not_exists, comment, location, properties, collation } => {
            let described = namespace::Description { comment, location, properties, collation };
            namespace::create(session, &name, if_not_exists, described)
        }
        C::DropNamespace { name, if_exists, cascade } => namespace::drop(session, &name, if_exists, cascade),
        C::SetNamespaceProperties { name, properties } => namespace::alter(session, &name, properties, &[]),
        C::UnsetNamespaceProperties { name, keys } => namespace::alter(session, &name, Vec::new(), &keys),
        C::SetNamespaceLocation { name, location } => namespace::set_location(session, &name, &location),
        C::SetNamespaceCollation { name, collation } => namespace::set_collation(session, &name, &collation),
        C::CommentOnNamespace { name, comment } => namespace::comment(session, &name, comment),
        C::Call { procedure, .. } => Err(describe::procedure_not_found(session, &procedure)),
        other => Err(Error::unsupported(format!("the command {}", name(&other)))),
    }
}

/// The command's name in messages.
fn name(command: &C) -> String {
    let debug = format!("{command:?}");
    debug.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default().to_string()
}
