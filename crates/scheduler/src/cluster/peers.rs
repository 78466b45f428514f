//! Conversations with executors beside Ballista's protocol.

use std::collections::HashMap;
use std::time::Duration;

use arrow_flight::Action;
use arrow_flight::flight_service_client::FlightServiceClient;
use ballista_core::serde::scheduler::ExecutorMetadata;
use parking_lot::Mutex;
use planner::task_probe::{self, KeptJobs, TaskName, TaskState};
use tokio::time::timeout;
use tonic::transport::{Channel, Endpoint};

/// An executor that does not answer a question in this time is left to its heartbeat.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// An executor may wait for tasks to end before it forgets a job.
const FORGET_TIMEOUT: Duration = Duration::from_secs(10);

/// What an executor answered.
pub(super) enum Answer {
    States(Vec<TaskState>),
    /// Nothing listens there any more.
    Refused,
    /// No answer, which may mean anything.
    Silence,
}

/// Connections to executors, by their identifiers.
#[derive(Default)]
pub(super) struct Peers(Mutex<HashMap<String, FlightServiceClient<Channel>>>);

impl Peers {
    /// Closes the connections to all but these.
    pub(super) fn retain(&self, known: impl Fn(&str) -> bool) {
        self.0.lock().retain(|id, _| known(id));
    }

    /// Asks what became of tasks.
    pub(super) async fn ask(&self, executor: &ExecutorMetadata, tasks: &[TaskName]) -> Answer {
        let client = match timeout(PROBE_TIMEOUT, self.client(executor)).await {
            Ok(Ok(client)) => client,
            Ok(Err(answer)) => return answer,
            Err(_) => return Answer::Silence,
        };
        let question = task_probe::encode_question(tasks);
        let answer = act(client, task_probe::TASK_STATES, question);
        match timeout(PROBE_TIMEOUT, answer).await {
            Ok(Some(body)) => match task_probe::decode_answer(&body) {
                Some(states) if states.len() == tasks.len() => Answer::States(states),
                _ => Answer::Silence,
            },
            // The connection may have died with the process: only a new one can tell.
            Ok(None) => {
                self.0.lock().remove(&executor.id);
                match timeout(PROBE_TIMEOUT, self.client(executor)).await {
                    Ok(Err(answer)) => answer,
                    Ok(Ok(_)) | Err(_) => Answer::Silence,
                }
            }
            Err(_) => Answer::Silence,
        }
    }

    /// Makes an executor end a job's tasks and remove its files; whether it said that it did.
    pub(super) async fn forget_job(&self, executor: &ExecutorMetadata, job: &str) -> bool {
        let forget = async {
            let client = self.client(executor).await.ok()?;
            act(client, task_probe::FORGET_JOB, job.to_owned()).await
        };
        matches!(timeout(FORGET_TIMEOUT, forget).await, Ok(Some(_)))
    }

    /// Makes an executor end and remove all that is left of jobs that are not kept.
    pub(super) async fn keep_jobs(&self, executor: &ExecutorMetadata, kept: &KeptJobs) -> bool {
        let keep = async {
            let client = self.client(executor).await.ok()?;
            act(client, task_probe::KEEP_JOBS, kept.encode()).await
        };
        matches!(timeout(FORGET_TIMEOUT, keep).await, Ok(Some(_)))
    }

    async fn client(&self, executor: &ExecutorMetadata) -> Result<FlightServiceClient<Channel>, Answer> {
        if let Some(client) = self.0.lock().get(&executor.id) {
            return Ok(client.clone());
        }
        let url = format!("http://{}:{}", executor.host, executor.port);
        let endpoint = Endpoint::from_shared(url).map_err(|_| Answer::Silence)?;
        let channel = endpoint.connect().await.map_err(|e| match is_refusal(&e) {
            true => Answer::Refused,
            false => Answer::Silence,
        })?;
        let client = FlightServiceClient::new(channel);
        self.0.lock().insert(executor.id.clone(), client.clone());
        Ok(client)
    }
}

/// The body of the answer to an action.
async fn act(mut client: FlightServiceClient<Channel>, action: &str, body: String) -> Option<Vec<u8>> {
    let action = Action { r#type: action.to_owned(), body: body.into() };
    let mut answer = client.do_action(action).await.ok()?.into_inner();
    Some(answer.message().await.ok()??.body.to_vec())
}

fn is_refusal(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(io) = error.downcast_ref::<std::io::Error>()
            && io.kind() == std::io::ErrorKind::ConnectionRefused
        {
            return true;
        }
        next = error.source();
    }
    false
}
