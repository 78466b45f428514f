//! The Flight service: Ballista's, behind a check of what is asked for, and the task probe.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arrow_flight::flight_service_server::FlightService;
use arrow_flight::{
    Action, Criteria, Empty, FlightData, FlightDescriptor, FlightInfo, HandshakeRequest, PollInfo, SchemaResult, Ticket,
};
use ballista_core::serde::decode_protobuf;
use ballista_core::serde::scheduler::Action as BallistaAction;
use ballista_executor::flight_service::BallistaFlightService;
use futures::StreamExt;
use planner::task_probe::{self, KeptJobs};
use tokio_util::task::TaskTracker;
use tonic::{Request, Response, Status, Streaming};

use crate::engine::TaskLedger;

/// The files of a job are removed once more after this time.
const LAST_FILES: Duration = Duration::from_millis(500);

type Inner = BallistaFlightService;

/// Serves shuffle files and answers for tasks.
pub(crate) struct ShuffleFlight {
    inner: Inner,
    shuffle_dir: PathBuf,
    ledger: Arc<TaskLedger>,
    cleanup: TaskTracker,
}

impl ShuffleFlight {
    pub(crate) fn new(shuffle_dir: String, ledger: Arc<TaskLedger>) -> Self {
        ShuffleFlight {
            shuffle_dir: (&shuffle_dir).into(),
            inner: Inner::new(shuffle_dir),
            ledger,
            cleanup: TaskTracker::new(),
        }
    }

    /// Ends what is left of a job and removes its files.
    async fn forget_job(&self, body: &[u8]) -> Result<arrow_flight::Result, Status> {
        let job = std::str::from_utf8(body).ok().filter(|job| task_probe::is_job_id(job));
        let job = job.ok_or_else(|| Status::invalid_argument("malformed job identifier"))?;
        self.forget(job).await;
        Ok(arrow_flight::Result::default())
    }

    async fn forget(&self, job: &str) {
        self.ledger.end_job(job).await;
        let dir = self.shuffle_dir.join(job);
        remove(&dir).await;
        // What an ended task has spawned may be about to make a last file.
        self.cleanup.spawn(async move {
            tokio::time::sleep(LAST_FILES).await;
            remove(&dir).await;
        });
    }

    /// Ends what is left of jobs that the scheduler does not know, and removes their files.
    async fn keep_jobs(&self, body: &[u8]) -> Result<arrow_flight::Result, Status> {
        let kept = KeptJobs::decode(body).ok_or_else(|| Status::invalid_argument("malformed list of jobs"))?;
        let mut held: BTreeSet<String> = self.ledger.jobs().into_iter().collect();
        for entry in std::fs::read_dir(&self.shuffle_dir).into_iter().flatten().flatten() {
            held.extend(entry.file_name().into_string().ok().filter(|name| task_probe::is_job_id(name)));
        }
        for job in held.iter().filter(|job| !kept.keeps(job)) {
            tracing::info!(job, "forgetting a job that the scheduler does not know");
            self.forget(job).await;
        }
        Ok(arrow_flight::Result::default())
    }

    fn answer_probe(&self, body: &[u8]) -> Result<arrow_flight::Result, Status> {
        let tasks = task_probe::decode_question(body)
            .ok_or_else(|| Status::invalid_argument("malformed question about tasks"))?;
        let states: Vec<_> = tasks.iter().map(|t| self.ledger.state(t)).collect();
        Ok(arrow_flight::Result { body: task_probe::encode_answer(&states).into() })
    }
}

/// Removes a directory if it is there.
async fn remove(dir: &Path) {
    match tokio::fs::remove_dir_all(dir).await {
        Err(e) if e.kind() != io::ErrorKind::NotFound => {
            tracing::warn!("could not remove {}: {e}", dir.display());
        }
        Ok(()) | Err(_) => {}
    }
}

/// Refuses a request whose job identifier could leave the shuffle directory.
fn check_fetch(body: &[u8]) -> Result<(), Status> {
    let action = decode_protobuf(body).map_err(|_| Status::invalid_argument("malformed fetch request"))?;
    let BallistaAction::FetchPartition { job_id, .. } = action;
    if !task_probe::is_job_id(job_id.as_str()) {
        return Err(Status::invalid_argument("malformed job identifier"));
    }
    Ok(())
}

#[tonic::async_trait]
impl FlightService for ShuffleFlight {
    type HandshakeStream = <Inner as FlightService>::HandshakeStream;
    type ListFlightsStream = <Inner as FlightService>::ListFlightsStream;
    type DoGetStream = <Inner as FlightService>::DoGetStream;
    type DoPutStream = <Inner as FlightService>::DoPutStream;
    type DoActionStream = <Inner as FlightService>::DoActionStream;
    type ListActionsStream = <Inner as FlightService>::ListActionsStream;
    type DoExchangeStream = <Inner as FlightService>::DoExchangeStream;

    async fn do_get(&self, request: Request<Ticket>) -> Result<Response<Self::DoGetStream>, Status> {
        check_fetch(&request.get_ref().ticket)?;
        self.inner.do_get(request).await
    }

    async fn do_action(&self, request: Request<Action>) -> Result<Response<Self::DoActionStream>, Status> {
        let action = request.get_ref();
        let answer = match action.r#type.as_str() {
            task_probe::TASK_STATES => self.answer_probe(&action.body)?,
            task_probe::FORGET_JOB => self.forget_job(&action.body).await?,
            task_probe::KEEP_JOBS => self.keep_jobs(&action.body).await?,
            _ => {
                check_fetch(&action.body)?;
                return self.inner.do_action(request).await;
            }
        };
        Ok(Response::new(futures::stream::once(async { Ok(answer) }).boxed()))
    }

    async fn handshake(
        &self,
        request: Request<Streaming<HandshakeRequest>>,
    ) -> Result<Response<Self::HandshakeStream>, Status> {
        self.inner.handshake(request).await
    }

    async fn list_flights(&self, request: Request<Criteria>) -> Result<Response<Self::ListFlightsStream>, Status> {
        self.inner.list_flights(request).await
    }

    async fn get_flight_info(&self, request: Request<FlightDescriptor>) -> Result<Response<FlightInfo>, Status> {
        self.inner.get_flight_info(request).await
    }

    async fn poll_flight_info(&self, request: Request<FlightDescriptor>) -> Result<Response<PollInfo>, Status> {
        self.inner.poll_flight_info(request).await
    }

    async fn get_schema(&self, request: Request<FlightDescriptor>) -> Result<Response<SchemaResult>, Status> {
        self.inner.get_schema(request).await
    }

    async fn do_put(&self, request: Request<Streaming<FlightData>>) -> Result<Response<Self::DoPutStream>, Status> {
        self.inner.do_put(request).await
    }

    async fn list_actions(&self, request: Request<Empty>) -> Result<Response<Self::ListActionsStream>, Status> {
        self.inner.list_actions(request).await
    }

    async fn do_exchange(
        &self,
        request: Request<Streaming<FlightData>>,
    ) -> Result<Response<Self::DoExchangeStream>, Status> {
        self.inner.do_exchange(request).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ballista_core::serde::protobuf;
    use prost::Message;

    #[test]
    fn a_job_identifier_cannot_leave_the_directory() {
        let check = |job: &str| {
            let fetch = protobuf::FetchPartition { job_id: job.to_owned(), ..Default::default() };
            let action = protobuf::Action {
                action_type: Some(protobuf::action::ActionType::FetchPartition(fetch)),
                ..Default::default()
            };
            check_fetch(&action.encode_to_vec()).is_ok()
        };
        assert!(check("019aabc0-1111-7000-8000-000000000000"));
        for bad in ["", "..", "../x", "/etc", "a/b", "a\\b", "a b", "a\0"] {
            assert!(!check(bad), "{bad:?}");
        }
        assert!(check_fetch(b"\xff\xff").is_err());
    }
}
