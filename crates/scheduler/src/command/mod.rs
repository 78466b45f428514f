//! Commands: one file for each family; this one only says which.

mod checkpoint;
mod conf;
pub mod explain;
mod view;
mod write;

use std::sync::Arc;

use spark::command::Command;
use spark::{Error, Result};

use crate::operation::{OperationContext, Table};
use crate::session::Session;

/// What a command leaves.
#[derive(Debug)]
pub enum CommandOutcome {
    Table(Table),
    /// The id of a relation that the session now holds.
    Checkpoint { relation_id: String },
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
pub async fn run(session: &Arc<Session>, command: Command, op: &OperationContext) -> Result<CommandOutcome> {
    let table = match command {
        Command::CreateView(view) => view::create(session, view).await?,
        Command::Set { key, value, verbose } => conf::set(session, key, value, verbose)?,
        Command::Reset { key } => conf::reset(session, key)?,
        Command::SetTimeZone { zone } => conf::set_time_zone(session, &zone)?,
        Command::Explain { mode, plan } => explain::command(session, &mode, &plan).await?,
        Command::Write(write) => write::run(session, write, op).await?,
        Command::Checkpoint { input, .. } => return checkpoint::create(session, &input).await,
        Command::RemoveCachedRemoteRelation { id } => checkpoint::remove(session, &id),
        other => return Err(Error::unsupported(format!("the command {}", name(&other)))),
    };
    Ok(table.into())
}

/// The command's name in messages.
fn name(command: &Command) -> String {
    let debug = format!("{command:?}");
    debug.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default().to_string()
}
