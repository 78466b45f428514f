//! The sessions of a server: by user and id, remembered for a while after they are closed.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use indexmap::IndexMap;
use parking_lot::Mutex;
use proto::spark_connect::get_status_response::operation_status::OperationState;
use spark::{Error, ErrorKind, Result};
use tokio::runtime::Handle;
use tonic::Status;
use uuid::Uuid;

use crate::artifact_store::ArtifactStore;
use crate::backend::{Backend, Session};
use crate::from_proto::Reader;
use crate::local_relations::LocalRelations;
use crate::operation::Operation;
use crate::text::TextReader;
use crate::to_proto::error::Failure;

/// A session nobody used for this long is closed.
const MAX_IDLE: Duration = Duration::from_secs(60 * 60);

/// An execution nobody reads for this long is dropped.
const MAX_DETACHED: Duration = Duration::from_secs(5 * 60);

/// Responses that executions nobody reads may hold together; beyond it, those left longest ago are dropped.
const MAX_DETACHED_BYTES: usize = 64 << 20;

/// Beyond this, not even the time to return is left to them.
const TOO_MANY_DETACHED_BYTES: usize = 256 << 20;

/// A client that only lost its connection is back within this time.
const TIME_TO_RETURN: Duration = Duration::from_secs(10);

/// Closed sessions that are remembered.
const MAX_CLOSED: usize = 1000;

/// Ended executions of a session that are remembered.
const MAX_ENDED: usize = 1000;

/// Errors of a session whose details can still be fetched, the bytes they hold together, and for how
/// long: a client asks at once or never.
const MAX_ERRORS: usize = 100;
const MAX_ERROR_BYTES: usize = 1 << 20;
const MAX_ERROR_AGE: Duration = Duration::from_secs(60);

/// A session's key: user and session id.
type Key = (String, String);

/// Who calls, and what it believes the session to be.
#[derive(Debug, Clone, Default)]
pub struct Caller {
    pub user_id: String,
    pub session_id: String,
    /// The server-side id that the client saw before.
    pub observed: Option<String>,
}

impl Caller {
    /// From the fields that every request has.
    pub fn new(
        user: Option<proto::spark_connect::UserContext>,
        session_id: String,
        observed: Option<String>,
    ) -> Caller {
        let observed = observed.filter(|o| !o.is_empty());
        Caller { user_id: user.map(|u| u.user_id).unwrap_or_default(), session_id, observed }
    }

    fn key(&self) -> Key {
        (self.user_id.clone(), self.session_id.clone())
    }
}

/// All sessions.
pub struct Sessions {
    backend: Arc<dyn Backend>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    open: HashMap<Key, Arc<SessionHolder>>,
    /// In the order in which they were closed.
    closed: IndexMap<Key, ()>,
}

impl Sessions {
    /// No sessions yet.
    pub fn new(backend: Arc<dyn Backend>) -> Self {
        Sessions { backend, state: Mutex::default() }
    }

    /// The caller's session, made if it is new.
    pub fn get_or_create(&self, caller: &Caller) -> Result<Arc<SessionHolder>> {
        check_uuid(&caller.session_id)?;
        let mut state = self.state.lock();
        let key = caller.key();
        if state.closed.contains_key(&key) {
            return Err(handle("SESSION_CLOSED", &caller.session_id));
        }
        let holder = match state.open.get(&key) {
            Some(holder) => holder.clone(),
            // The session the client means was another server's.
            None if caller.observed.is_some() => return Err(handle("SESSION_CHANGED", &caller.session_id)),
            None => {
                let session = self.backend.create_session(&caller.user_id, &caller.session_id);
                let (artifacts, runtime) = (ArtifactStore::default(), self.backend.runtime());
                let holder = Arc::new(SessionHolder::new(&caller.session_id, session, artifacts, runtime));
                state.open.insert(key, holder.clone());
                holder
            }
        };
        holder.check_observed(caller)?;
        Ok(holder)
    }

    /// The caller's session, which must exist.
    pub fn get(&self, caller: &Caller) -> Result<Arc<SessionHolder>> {
        check_uuid(&caller.session_id)?;
        let state = self.state.lock();
        let key = caller.key();
        if state.closed.contains_key(&key) {
            return Err(handle("SESSION_CLOSED", &caller.session_id));
        }
        let holder = state.open.get(&key).cloned().ok_or_else(|| handle("SESSION_NOT_FOUND", &caller.session_id))?;
        holder.check_observed(caller)?;
        Ok(holder)
    }

    /// Closes a session; answers it if it was open. With `allow_reconnect` its id may be used again.
    pub fn release(&self, caller: &Caller, allow_reconnect: bool) -> Result<Option<Arc<SessionHolder>>> {
        check_uuid(&caller.session_id)?;
        let holder = {
            let mut state = self.state.lock();
            let key = caller.key();
            let holder = state.open.remove(&key);
            if !allow_reconnect && holder.is_some() {
                state.remember_closed(key);
            }
            holder
        };
        if let Some(holder) = &holder {
            holder.close();
        }
        Ok(holder)
    }

    /// A copy of a session under a new id.
    pub fn clone_session(
        &self,
        caller: &Caller,
        new_id: Option<&str>,
    ) -> Result<(Arc<SessionHolder>, Arc<SessionHolder>)> {
        let source = self.get(caller)?;
        let new_id = match new_id {
            Some(id) => {
                check_uuid(id).map_err(|_| {
                    let condition = "INVALID_CLONE_SESSION_REQUEST.TARGET_SESSION_ID_FORMAT";
                    Error::new(ErrorKind::Handle, condition)
                        .param("targetSessionId", id)
                        .with_message(format!("A session is called by a UUID, not {id}."))
                })?;
                id.to_string()
            }
            None => Uuid::new_v4().to_string(),
        };
        let key = (caller.user_id.clone(), new_id.clone());
        let mut state = self.state.lock();
        if state.closed.contains_key(&key) || state.open.contains_key(&key) {
            return Err(Error::new(
                ErrorKind::Handle,
                "INVALID_CLONE_SESSION_REQUEST.TARGET_SESSION_ID_ALREADY_EXISTS",
            )
            .param("targetSessionId", &new_id)
            .with_message(format!("There is a session {new_id} already.")));
        }
        let session = source.session.clone_session(&new_id);
        let copy = Arc::new(SessionHolder::new(&new_id, session, source.artifacts.copy(), self.backend.runtime()));
        state.open.insert(key, copy.clone());
        Ok((source, copy))
    }

    /// Drops what nobody has used for long.
    pub fn reap(&self) {
        let idle: Vec<Arc<SessionHolder>> = {
            let mut state = self.state.lock();
            let keys: Vec<Key> =
                state.open.iter().filter(|(_, h)| h.idle() >= MAX_IDLE).map(|(k, _)| k.clone()).collect();
            let holders = keys.iter().filter_map(|k| state.open.remove(k)).collect();
            keys.into_iter().for_each(|k| state.remember_closed(k));
            holders
        };
        idle.iter().for_each(|h| h.close());
        let open: Vec<Arc<SessionHolder>> = self.state.lock().open.values().cloned().collect();
        open.iter().for_each(|h| h.drop_abandoned());
        drop_costly(&open);
    }

    /// Closes every session.
    pub fn close_all(&self) {
        let open: Vec<Arc<SessionHolder>> = self.state.lock().open.drain().map(|(_, h)| h).collect();
        open.iter().for_each(|h| h.close());
    }

    /// Whether any execution still runs.
    pub fn is_busy(&self) -> bool {
        self.state.lock().open.values().any(|h| h.is_busy())
    }
}

/// Drops executions that nobody reads while they hold too much together, the longest left first.
fn drop_costly(open: &[Arc<SessionHolder>]) {
    let mut detached: Vec<(Duration, usize, &Arc<SessionHolder>, String)> = Vec::new();
    for holder in open {
        for operation in holder.operations() {
            let (idle, bytes) = (operation.idle(), operation.held_bytes());
            if !idle.is_zero() && bytes > 0 {
                detached.push((idle, bytes, holder, operation.id.clone()));
            }
        }
    }
    let mut held: usize = detached.iter().map(|d| d.1).sum();
    detached.sort_by_key(|d| std::cmp::Reverse(d.0));
    for (idle, bytes, holder, id) in detached {
        if held <= MAX_DETACHED_BYTES || (idle < TIME_TO_RETURN && held <= TOO_MANY_DETACHED_BYTES) {
            return;
        }
        held -= bytes;
        if let Some(operation) = holder.remove_operation(&id) {
            operation.abandon();
        }
    }
}

impl State {
    fn remember_closed(&mut self, key: Key) {
        self.closed.insert(key, ());
        if self.closed.len() > MAX_CLOSED {
            self.closed.shift_remove_index(0);
        }
    }
}

/// A session and what the protocol keeps about it.
pub struct SessionHolder {
    pub id: String,
    /// Tells this session from one that another server, or this one earlier, had under the same id.
    pub server_side_id: String,
    pub session: Arc<dyn Session>,
    pub artifacts: ArtifactStore,
    /// Where plans are read and executions run, away from the network's threads.
    pub runtime: Handle,
    state: Mutex<HolderState>,
}

struct HolderState {
    operations: HashMap<String, Arc<Operation>>,
    /// How executions ended that are gone, oldest first.
    ended: IndexMap<String, OperationState>,
    /// Errors whose details were not fetched yet, oldest first.
    errors: IndexMap<String, KeptError>,
    last_used: Instant,
}

/// An error whose details may be asked for.
struct KeptError {
    failure: Failure,
    bytes: usize,
    since: Instant,
}

impl HolderState {
    fn keep_error(&mut self, id: String, failure: Failure) {
        let bytes = failure.size();
        self.errors.insert(id, KeptError { failure, bytes, since: Instant::now() });
        let mut held: usize = self.errors.values().map(|e| e.bytes).sum();
        while self.errors.len() > MAX_ERRORS || (held > MAX_ERROR_BYTES && self.errors.len() > 1) {
            held -= self.errors.shift_remove_index(0).map_or(held, |(_, e)| e.bytes);
        }
    }
}

impl SessionHolder {
    fn new(id: &str, session: Arc<dyn Session>, artifacts: ArtifactStore, runtime: Handle) -> Self {
        SessionHolder {
            id: id.to_string(),
            server_side_id: Uuid::new_v4().to_string(),
            session,
            artifacts,
            runtime,
            state: Mutex::new(HolderState {
                operations: HashMap::new(),
                ended: IndexMap::new(),
                errors: IndexMap::new(),
                last_used: Instant::now(),
            }),
        }
    }

    /// What reads this session's plans.
    pub fn reader(&self) -> Reader {
        let conf = self.session.conf();
        let local = LocalRelations::new(self.artifacts.clone(), &self.server_side_id, &conf);
        Reader::new(TextReader::from_conf(&conf), local)
    }

    fn check_observed(&self, caller: &Caller) -> Result<()> {
        self.state.lock().last_used = Instant::now();
        match &caller.observed {
            Some(observed) if *observed != self.server_side_id => Err(handle("SESSION_CHANGED", &caller.session_id)),
            _ => Ok(()),
        }
    }

    /// The status of a failed call, whose details are kept for the client to fetch.
    pub fn fail(&self, failure: &Failure) -> Status {
        let id = Uuid::new_v4().to_string();
        let mut state = self.state.lock();
        state.keep_error(id.clone(), failure.clone());
        failure.status(Some(&id))
    }

    /// The failure of that id; it is told once.
    pub fn take_error(&self, id: &str) -> Option<Failure> {
        self.state.lock().errors.shift_remove(id).map(|kept| kept.failure)
    }

    /// Registers an execution under an id that must be new.
    pub fn add_operation(&self, operation: Arc<Operation>) -> Result<()> {
        let mut state = self.state.lock();
        if state.operations.contains_key(&operation.id) {
            return Err(handle("OPERATION_ALREADY_EXISTS", &operation.id));
        }
        if state.ended.contains_key(&operation.id) {
            return Err(handle("OPERATION_ABANDONED", &operation.id));
        }
        state.operations.insert(operation.id.clone(), operation);
        Ok(())
    }

    /// A registered execution.
    pub fn operation(&self, id: &str) -> Option<Arc<Operation>> {
        self.state.lock().operations.get(id).cloned()
    }

    /// All registered executions.
    pub fn operations(&self) -> Vec<Arc<Operation>> {
        self.state.lock().operations.values().cloned().collect()
    }

    /// Forgets an execution but for how it ended.
    pub fn remove_operation(&self, id: &str) -> Option<Arc<Operation>> {
        let mut state = self.state.lock();
        let operation = state.operations.remove(id)?;
        let status = match operation.status() {
            OperationState::Running | OperationState::Terminating => OperationState::Cancelled,
            ended => ended,
        };
        state.ended.insert(id.to_string(), status);
        if state.ended.len() > MAX_ENDED {
            state.ended.shift_remove_index(0);
        }
        Some(operation)
    }

    /// The state of one execution.
    pub fn status_of(&self, id: &str) -> OperationState {
        let state = self.state.lock();
        let running = state.operations.get(id).map(|o| o.status());
        running.or_else(|| state.ended.get(id).copied()).unwrap_or(OperationState::Unknown)
    }

    /// The states of all executions known.
    pub fn statuses(&self) -> Vec<(String, OperationState)> {
        let state = self.state.lock();
        let running = state.operations.values().map(|o| (o.id.clone(), o.status()));
        running.chain(state.ended.iter().map(|(id, s)| (id.clone(), *s))).collect()
    }

    fn idle(&self) -> Duration {
        let state = self.state.lock();
        if state.operations.values().any(|o| o.is_running()) { Duration::ZERO } else { state.last_used.elapsed() }
    }

    fn is_busy(&self) -> bool {
        self.state.lock().operations.values().any(|o| o.is_running())
    }

    fn drop_abandoned(&self) {
        self.state.lock().errors.retain(|_, e| e.since.elapsed() < MAX_ERROR_AGE);
        for operation in self.operations() {
            if operation.idle() >= MAX_DETACHED
                && let Some(operation) = self.remove_operation(&operation.id)
            {
                operation.abandon();
            }
        }
    }

    fn close(&self) {
        let operations: Vec<Arc<Operation>> = self.state.lock().operations.drain().map(|(_, o)| o).collect();
        for operation in operations {
            operation.abandon();
        }
        self.artifacts.clear();
        self.session.close();
    }
}

/// Session and operation ids are UUIDs.
pub fn check_uuid(handle_text: &str) -> Result<()> {
    if handle_text.len() == 36 && Uuid::try_parse(handle_text).is_ok() {
        Ok(())
    } else {
        Err(handle("FORMAT", handle_text))
    }
}

/// `INVALID_HANDLE.<sub>`. Clients look for the condition in the text, and some for the words.
pub fn handle(sub: &str, handle: &str) -> Error {
    let (why, state) = match sub {
        "FORMAT" => ("A handle is a UUID such as '00112233-4455-6677-8899-aabbccddeeff'.", None),
        "SESSION_CLOSED" => ("The session was closed.", Some("08003")),
        "SESSION_CHANGED" => ("The server was restarted since; please connect anew.", Some("08003")),
        "SESSION_NOT_FOUND" => ("There is no such session.", Some("08003")),
        "OPERATION_NOT_FOUND" => ("There is no such operation.", None),
        "OPERATION_ABANDONED" => ("The operation was removed, because nobody asked for it or it was released.", None),
        _ => ("The operation exists already.", None),
    };
    let error = Error::new(ErrorKind::Handle, format!("INVALID_HANDLE.{sub}"))
        .param("handle", handle)
        .with_message(format!("The handle {handle} is invalid. {why}"));
    match state {
        Some(state) => error.with_sql_state(state),
        None => error,
    }
}
