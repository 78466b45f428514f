//! One execution: its responses, who reads them, and how it ends.
//!
//! A task of its own produces the responses into the log; at most one stream reads them. A second
//! stream that attaches takes over, and the first ends with an error that clients retry on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::Stream;
use futures::stream;
use parking_lot::Mutex;
use prost::Message;
use proto::spark_connect::ExecutePlanResponse;
use proto::spark_connect::get_status_response::operation_status::OperationState;
use spark::{Error, ErrorKind, Result};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tonic::Status;
use uuid::Uuid;

use crate::from_proto::Pending;
use crate::response_log::ResponseLog;
use crate::to_proto::error::Failure;

/// A stream of a reattachable execution ends by itself after this time or this many bytes; the
/// client comes back for the rest.
const MAX_STREAM_TIME: Duration = Duration::from_secs(120);
const MAX_STREAM_BYTES: usize = 1 << 30;

/// Responses of this many bytes are worth waking their reader for.
const UNTOLD_BYTES: usize = 64 << 10;

/// One execution.
pub struct Operation {
    pub id: String,
    pub tags: Vec<String>,
    pub reattachable: bool,
    /// What was asked for, where asking again means to attach: a client that never got a response does.
    pub asked: Option<Pending>,
    /// Cancelled by an interrupt, by release, by the session's end.
    pub cancel: CancellationToken,
    state: Mutex<State>,
    /// Counts what happened, for those who wait.
    changed: watch::Sender<u64>,
}

/// How an execution failed, as far as clients that read it are told.
#[derive(Debug, Clone)]
pub struct Failed {
    status: Status,
    /// Somebody interrupted it.
    cancelled: bool,
}

impl Failed {
    /// The failure that `status` tells of.
    pub fn new(failure: &Failure, status: Status) -> Failed {
        let cancelled = matches!(failure, Failure::Spark(e) if e.condition() == "OPERATION_CANCELED");
        Failed { status, cancelled }
    }
}

struct State {
    log: ResponseLog<ExecutePlanResponse>,
    /// How the execution ended, once it has.
    end: Option<Result<(), Failed>>,
    /// Which stream may read: every attachment gets the next number.
    reader: u64,
    attached: bool,
    /// When the last reader left, or when the execution began.
    idle_since: Instant,
    interrupted: bool,
    /// Bytes appended that readers were not told of.
    untold: usize,
    task: Option<AbortOnDropHandle<()>>,
}

impl Operation {
    /// A new execution that produces nothing yet; one that was `asked` for can be reattached to.
    pub fn new(id: String, tags: Vec<String>, asked: Option<Pending>) -> Arc<Operation> {
        let reattachable = asked.is_some();
        Arc::new(Operation {
            id,
            tags,
            reattachable,
            asked,
            cancel: CancellationToken::new(),
            state: Mutex::new(State {
                log: ResponseLog::new(Uuid::new_v4(), reattachable),
                end: None,
                reader: 0,
                attached: false,
                idle_since: Instant::now(),
                interrupted: false,
                untold: 0,
                task: None,
            }),
            changed: watch::Sender::new(0),
        })
    }

    /// Hands over the task that produces the responses; it is aborted with the operation.
    pub fn own(&self, task: AbortOnDropHandle<()>) {
        let mut state = self.state.lock();
        if state.end.is_none() {
            state.task = Some(task);
        }
    }

    /// Appends a response, waiting while too many are unread. Readers hear of it at the next
    /// [`Self::flush`], or when there is a packet's worth.
    pub async fn push(&self, mut response: ExecutePlanResponse) {
        response.operation_id.clone_from(&self.id);
        let mut changed = None;
        let worth_telling = loop {
            {
                let mut state = self.state.lock();
                if state.log.has_room() {
                    let number = state.log.next();
                    response.response_id = state.log.id(number).to_string();
                    let bytes = response.encoded_len();
                    state.log.push(response, bytes);
                    state.untold += bytes.max(1);
                    break state.untold > UNTOLD_BYTES;
                }
                changed.get_or_insert_with(|| self.changed.subscribe()).borrow_and_update();
            }
            self.flush();
            if let Some(changed) = &mut changed
                && changed.changed().await.is_err()
            {
                return;
            }
        };
        if worth_telling {
            self.flush();
        }
    }

    /// Tells readers of what was appended since they were last told.
    pub fn flush(&self) {
        if std::mem::take(&mut self.state.lock().untold) > 0 {
            self.notify();
        }
    }

    /// Ends the execution: nothing more is produced. The first end counts.
    pub fn finish(&self, end: Result<(), Failed>) {
        {
            let mut state = self.state.lock();
            if state.end.is_none() {
                state.end = Some(end);
                state.idle_since = Instant::now();
            }
        }
        self.notify();
    }

    /// Whether it still runs.
    pub fn is_running(&self) -> bool {
        self.state.lock().end.is_none()
    }

    /// Asks the execution to stop; false if it has ended.
    pub fn interrupt(&self) -> bool {
        let running = {
            let mut state = self.state.lock();
            let running = state.end.is_none();
            state.interrupted |= running;
            running
        };
        if running {
            self.cancel.cancel();
        }
        running
    }

    /// Stops everything: for a client that is gone or needs no more.
    pub fn abandon(&self) {
        self.cancel.cancel();
        let task = {
            let mut state = self.state.lock();
            state.reader += 1;
            state.task.take()
        };
        drop(task);
        self.notify();
    }

    /// The state that `GetStatus` tells.
    pub fn status(&self) -> OperationState {
        let state = self.state.lock();
        match &state.end {
            None if state.interrupted => OperationState::Terminating,
            None => OperationState::Running,
            Some(Ok(())) => OperationState::Succeeded,
            Some(Err(failed)) if failed.cancelled => OperationState::Cancelled,
            Some(Err(_)) => OperationState::Failed,
        }
    }

    /// For how long nobody has been reading.
    pub fn idle(&self) -> Duration {
        let state = self.state.lock();
        if state.attached { Duration::ZERO } else { state.idle_since.elapsed() }
    }

    /// Bytes of responses that are kept.
    pub fn held_bytes(&self) -> usize {
        self.state.lock().log.bytes()
    }

    /// Forgets responses up to the one called `id`.
    pub fn release_until(&self, id: &str) -> Result<()> {
        let released = self.state.lock().log.release_until(id);
        self.notify();
        released
    }

    /// A stream of the responses after `last_response_id`, or of all. It replaces any other.
    pub fn attach(
        self: &Arc<Self>,
        last_response_id: Option<&str>,
    ) -> Result<impl Stream<Item = Result<ExecutePlanResponse, Status>> + Send + use<>> {
        let (cursor, reader) = {
            let mut state = self.state.lock();
            let cursor = state.log.cursor_after(last_response_id)?;
            state.reader += 1;
            state.attached = true;
            (cursor, state.reader)
        };
        self.notify();
        let attachment = Attachment { operation: self.clone(), reader };
        let changed = self.changed.subscribe();
        let reading = Reading { attachment, changed, cursor, begun: Instant::now(), bytes: 0, over: false };
        Ok(stream::unfold(reading, |mut reading| async move {
            let item = reading.next().await?;
            Some((item, reading))
        }))
    }

    fn notify(&self) {
        self.changed.send_modify(|n| *n = n.wrapping_add(1));
    }
}

/// The error of an interrupted execution.
pub fn cancelled() -> Error {
    Error::new(ErrorKind::Handle, "OPERATION_CANCELED").with_message("The operation was cancelled.")
}

/// A reader's hold on an execution. When it goes, a client that cannot come back is gone for good.
struct Attachment {
    operation: Arc<Operation>,
    reader: u64,
}

impl Drop for Attachment {
    fn drop(&mut self) {
        let left = {
            let mut state = self.operation.state.lock();
            let mine = state.reader == self.reader;
            if mine {
                state.attached = false;
                state.idle_since = Instant::now();
            }
            mine
        };
        if left && !self.operation.reattachable {
            self.operation.abandon();
        }
    }
}

/// A stream over the log.
struct Reading {
    attachment: Attachment,
    changed: watch::Receiver<u64>,
    cursor: u64,
    begun: Instant,
    bytes: usize,
    over: bool,
}

/// What a look at the log finds.
enum Look {
    Response(Box<ExecutePlanResponse>),
    Error(Status),
    End,
    Wait,
}

impl Reading {
    async fn next(&mut self) -> Option<Result<ExecutePlanResponse, Status>> {
        if self.over {
            return None;
        }
        loop {
            self.changed.borrow_and_update();
            match self.look() {
                Look::Response(response) => {
                    self.bytes += response.encoded_len();
                    return Some(Ok(*response));
                }
                Look::Error(status) => {
                    self.over = true;
                    return Some(Err(status));
                }
                Look::End => return None,
                Look::Wait => {}
            }
            let reattachable = self.attachment.operation.reattachable;
            let left = MAX_STREAM_TIME.saturating_sub(self.begun.elapsed());
            if !reattachable {
                self.changed.changed().await.ok()?;
            } else if tokio::time::timeout(left, self.changed.changed()).await.map_or(true, |r| r.is_err()) {
                return None;
            }
        }
    }

    fn look(&mut self) -> Look {
        let operation = &self.attachment.operation;
        let mut state = operation.state.lock();
        if state.reader != self.attachment.reader {
            let error = Error::new(ErrorKind::Handle, "INVALID_CURSOR.DISCONNECTED")
                .with_message("The cursor is invalid: another call reads this operation now.");
            return Look::Error(Failure::from(error).status(None));
        }
        let spent = self.begun.elapsed() >= MAX_STREAM_TIME || self.bytes >= MAX_STREAM_BYTES;
        if operation.reattachable && spent {
            return Look::End;
        }
        match state.log.get(self.cursor) {
            Err(error) => Look::Error(Failure::from(error).status(None)),
            Ok(Some(response)) => {
                state.log.sent(self.cursor);
                self.cursor += 1;
                drop(state);
                operation.notify();
                Look::Response(Box::new(response))
            }
            Ok(None) => match &state.end {
                None => Look::Wait,
                Some(Ok(())) => Look::End,
                Some(Err(failed)) => Look::Error(failed.status.clone()),
            },
        }
    }
}
