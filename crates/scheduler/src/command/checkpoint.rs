//! `df.checkpoint` and `df.localCheckpoint`: the rows as they are now, held by the session.

use std::sync::Arc;

use spark::{Error, Plan, Result};

use super::CommandOutcome;
use crate::operation::Table;
use crate::session::Session;

/// Relations a session may hold.
const MAX_HELD: usize = 10_000;

/// Holds the rows of `input`.
pub async fn create(session: &Arc<Session>, input: &Plan) -> Result<CommandOutcome> {
    if session.names.lock().remote.len() >= MAX_HELD {
        return Err(Error::unsupported("holding more checkpoints in one session"));
    }
    let relation = session.keep(input).await?;
    let relation_id = uuid::Uuid::new_v4().to_string();
    session.names.lock().remote.insert(relation_id.clone(), relation);
    Ok(CommandOutcome::Checkpoint { relation_id })
}

/// Lets go of held rows; an unknown id is no error, as clients clean up more than once.
pub fn remove(session: &Session, id: &str) -> Table {
    session.names.lock().remote.remove(id);
    Table::empty()
}
