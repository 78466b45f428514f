//! The twelve calls of `spark.connect.SparkConnectService`.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt};
use proto::spark_connect as pb;
use proto::spark_connect::get_status_response::OperationStatus;
use proto::spark_connect::interrupt_request::{Interrupt, InterruptType};
use proto::spark_connect::release_execute_request::Release;
use proto::spark_connect::spark_connect_service_server::SparkConnectService;
use tokio_util::task::AbortOnDropHandle;
use tonic::{Request, Response, Status, Streaming};

use crate::analyze::analyze;
use crate::artifacts::{ReceiveError, receive_all};
use crate::config::configure;
use crate::execute;
use crate::operation::Operation;
use crate::sessions::{Caller, SessionHolder, Sessions, handle};
use crate::to_proto::error::{Failure, fetch_response};

/// The service over a server's sessions.
#[derive(Clone)]
pub struct Service {
    sessions: Arc<Sessions>,
}

type ResponseStream = Pin<Box<dyn Stream<Item = Result<pb::ExecutePlanResponse, Status>> + Send>>;

/// How long the headers of a stream wait for its first response.
const HEADERS_WAIT: Duration = Duration::from_millis(5);

/// The status of a call that has no session to keep details in.
fn refuse(error: spark::Error) -> Status {
    Failure::from(error).status(None)
}

impl Service {
    /// A service over `sessions`.
    pub fn new(sessions: Arc<Sessions>) -> Self {
        Service { sessions }
    }

    fn session(&self, caller: &Caller) -> Result<Arc<SessionHolder>, Status> {
        self.sessions.get_or_create(caller).map_err(refuse)
    }

    fn existing(&self, caller: &Caller) -> Result<Arc<SessionHolder>, Status> {
        self.sessions.get(caller).map_err(refuse)
    }
}

/// A stream over an operation's responses. Its headers wait a little, to go out with the first ones.
async fn attach(
    holder: &SessionHolder,
    operation: &Arc<Operation>,
    last_response_id: Option<&str>,
) -> Result<Response<ResponseStream>, Status> {
    let stream = operation.attach(last_response_id).map_err(|e| holder.fail(&e.into()))?;
    let mut stream = Box::pin(stream.peekable());
    let _ = tokio::time::timeout(HEADERS_WAIT, stream.as_mut().peek()).await;
    Ok(Response::new(stream))
}

#[async_trait::async_trait]
impl SparkConnectService for Service {
    type ExecutePlanStream = ResponseStream;
    type ReattachExecuteStream = ResponseStream;

    async fn execute_plan(&self, request: Request<pb::ExecutePlanRequest>) -> Result<Response<ResponseStream>, Status> {
        let mut request = request.into_inner();
        let caller = Caller::new(
            request.user_context.take(),
            request.session_id.clone(),
            request.client_observed_server_side_session_id.take(),
        );
        let holder = self.session(&caller)?;
        let operation = execute::start(&holder, request).map_err(|f| holder.fail(&f))?;
        attach(&holder, &operation, None).await
    }

    async fn analyze_plan(
        &self,
        request: Request<pb::AnalyzePlanRequest>,
    ) -> Result<Response<pb::AnalyzePlanResponse>, Status> {
        let request = request.into_inner();
        let observed = request.client_observed_server_side_session_id;
        let caller = Caller::new(request.user_context, request.session_id, observed);
        let holder = self.session(&caller)?;
        let (asked, question) = (holder.clone(), request.analyze);
        // The caller waits for the answer; if it leaves, the question is dropped.
        let task = AbortOnDropHandle::new(holder.runtime.spawn(async move { analyze(&asked, question).await }));
        let answer = task.await.unwrap_or_else(|e| Err(spark::Error::internal(format!("the analysis broke off: {e}"))));
        let answer = answer.map_err(|e| holder.fail(&e.into()))?;
        Ok(Response::new(pb::AnalyzePlanResponse {
            session_id: holder.id.clone(),
            server_side_session_id: holder.server_side_id.clone(),
            result: Some(answer),
        }))
    }

    async fn config(&self, request: Request<pb::ConfigRequest>) -> Result<Response<pb::ConfigResponse>, Status> {
        let request = request.into_inner();
        let observed = request.client_observed_server_side_session_id;
        let caller = Caller::new(request.user_context, request.session_id, observed);
        let holder = self.session(&caller)?;
        let operation = request.operation.and_then(|o| o.op_type);
        let (pairs, warnings) = configure(holder.session.as_ref(), operation).map_err(|e| holder.fail(&e.into()))?;
        Ok(Response::new(pb::ConfigResponse {
            session_id: holder.id.clone(),
            server_side_session_id: holder.server_side_id.clone(),
            pairs,
            warnings,
        }))
    }

    async fn add_artifacts(
        &self,
        request: Request<Streaming<pb::AddArtifactsRequest>>,
    ) -> Result<Response<pb::AddArtifactsResponse>, Status> {
        let mut stream = request.into_inner();
        let first = stream.message().await?.unwrap_or_default();
        let caller = Caller::new(first.user_context, first.session_id, first.client_observed_server_side_session_id);
        let holder = self.session(&caller)?;
        let received = receive_all(&holder.artifacts, first.payload, stream).await;
        let artifacts = received.map_err(|e| match e {
            ReceiveError::Refused(error) => holder.fail(&error.into()),
            ReceiveError::Broken(status) => status,
        })?;
        Ok(Response::new(pb::AddArtifactsResponse {
            session_id: holder.id.clone(),
            server_side_session_id: holder.server_side_id.clone(),
            artifacts,
        }))
    }

    async fn artifact_status(
        &self,
        request: Request<pb::ArtifactStatusesRequest>,
    ) -> Result<Response<pb::ArtifactStatusesResponse>, Status> {
        use pb::artifact_statuses_response::ArtifactStatus;
        let request = request.into_inner();
        let observed = request.client_observed_server_side_session_id;
        let caller = Caller::new(request.user_context, request.session_id, observed);
        let holder = self.session(&caller)?;
        let status = |name: String| {
            let exists = holder.artifacts.contains(&name);
            (name, ArtifactStatus { exists })
        };
        Ok(Response::new(pb::ArtifactStatusesResponse {
            session_id: holder.id.clone(),
            server_side_session_id: holder.server_side_id.clone(),
            statuses: request.names.into_iter().map(status).collect(),
        }))
    }

    async fn interrupt(
        &self,
        request: Request<pb::InterruptRequest>,
    ) -> Result<Response<pb::InterruptResponse>, Status> {
        let request = request.into_inner();
        let interrupt_type = request.interrupt_type();
        let observed = request.client_observed_server_side_session_id;
        let caller = Caller::new(request.user_context, request.session_id, observed);
        let holder = self.session(&caller)?;
        let chosen = chosen(interrupt_type, request.interrupt).map_err(|f| holder.fail(&f))?;
        let interrupted_ids = holder
            .operations()
            .into_iter()
            .filter(|o| chosen.matches(o) && o.interrupt())
            .map(|o| o.id.clone())
            .collect();
        Ok(Response::new(pb::InterruptResponse {
            session_id: holder.id.clone(),
            server_side_session_id: holder.server_side_id.clone(),
            interrupted_ids,
        }))
    }

    async fn reattach_execute(
        &self,
        request: Request<pb::ReattachExecuteRequest>,
    ) -> Result<Response<ResponseStream>, Status> {
        let request = request.into_inner();
        let observed = request.client_observed_server_side_session_id;
        let caller = Caller::new(request.user_context, request.session_id, observed);
        let holder = self.existing(&caller)?;
        let operation = holder
            .operation(&request.operation_id)
            .ok_or_else(|| holder.fail(&handle("OPERATION_NOT_FOUND", &request.operation_id).into()))?;
        if !operation.reattachable {
            let error = spark::Error::new(spark::ErrorKind::Handle, "INVALID_CURSOR.NOT_REATTACHABLE")
                .with_message("The operation was not started to be reattached to.");
            return Err(holder.fail(&error.into()));
        }
        attach(&holder, &operation, request.last_response_id.as_deref()).await
    }

    async fn release_execute(
        &self,
        request: Request<pb::ReleaseExecuteRequest>,
    ) -> Result<Response<pb::ReleaseExecuteResponse>, Status> {
        let request = request.into_inner();
        let observed = request.client_observed_server_side_session_id;
        let caller = Caller::new(request.user_context, request.session_id, observed);
        let holder = self.existing(&caller)?;
        let id = request.operation_id;
        let known = match (request.release, holder.operation(&id)) {
            (_, None) => false,
            (Some(Release::ReleaseUntil(until)), Some(operation)) => {
                operation.release_until(&until.response_id).map_err(|e| holder.fail(&e.into()))?;
                true
            }
            (Some(Release::ReleaseAll(_)) | None, Some(operation)) => {
                holder.remove_operation(&id);
                operation.abandon();
                true
            }
        };
        Ok(Response::new(pb::ReleaseExecuteResponse {
            session_id: holder.id.clone(),
            server_side_session_id: holder.server_side_id.clone(),
            operation_id: known.then_some(id),
        }))
    }

    async fn release_session(
        &self,
        request: Request<pb::ReleaseSessionRequest>,
    ) -> Result<Response<pb::ReleaseSessionResponse>, Status> {
        let request = request.into_inner();
        let caller = Caller::new(request.user_context, request.session_id.clone(), None);
        let closed = self.sessions.release(&caller, request.allow_reconnect).map_err(refuse)?;
        Ok(Response::new(pb::ReleaseSessionResponse {
            session_id: request.session_id,
            server_side_session_id: closed.map(|h| h.server_side_id.clone()).unwrap_or_default(),
        }))
    }

    async fn fetch_error_details(
        &self,
        request: Request<pb::FetchErrorDetailsRequest>,
    ) -> Result<Response<pb::FetchErrorDetailsResponse>, Status> {
        let request = request.into_inner();
        let observed = request.client_observed_server_side_session_id;
        let caller = Caller::new(request.user_context, request.session_id, observed);
        let holder = self.session(&caller)?;
        let failure = holder.take_error(&request.error_id);
        // An unknown id is answered with nothing at all.
        Ok(Response::new(match &failure {
            Some(_) => fetch_response(&holder.id, &holder.server_side_id, failure.as_ref()),
            None => pb::FetchErrorDetailsResponse::default(),
        }))
    }

    async fn clone_session(
        &self,
        request: Request<pb::CloneSessionRequest>,
    ) -> Result<Response<pb::CloneSessionResponse>, Status> {
        let request = request.into_inner();
        let observed = request.client_observed_server_side_session_id;
        let caller = Caller::new(request.user_context, request.session_id, observed);
        let (source, copy) = self.sessions.clone_session(&caller, request.new_session_id.as_deref()).map_err(refuse)?;
        Ok(Response::new(pb::CloneSessionResponse {
            session_id: source.id.clone(),
            server_side_session_id: source.server_side_id.clone(),
            new_session_id: copy.id.clone(),
            new_server_side_session_id: copy.server_side_id.clone(),
        }))
    }

    async fn get_status(
        &self,
        request: Request<pb::GetStatusRequest>,
    ) -> Result<Response<pb::GetStatusResponse>, Status> {
        let request = request.into_inner();
        let observed = request.client_observed_server_side_session_id;
        let caller = Caller::new(request.user_context, request.session_id, observed);
        let holder = self.existing(&caller)?;
        let statuses = match request.operation_status {
            None => Vec::new(),
            Some(asked) if asked.operation_ids.is_empty() => holder.statuses(),
            Some(asked) => asked.operation_ids.into_iter().map(|id| (id.clone(), holder.status_of(&id))).collect(),
        };
        let status = |(operation_id, state): (String, _)| OperationStatus {
            operation_id,
            state: state as i32,
            extensions: Vec::new(),
        };
        Ok(Response::new(pb::GetStatusResponse {
            session_id: holder.id.clone(),
            server_side_session_id: holder.server_side_id.clone(),
            operation_statuses: statuses.into_iter().map(status).collect(),
            extensions: Vec::new(),
        }))
    }
}

/// Which operations an interrupt means.
enum Chosen {
    All,
    Tagged(String),
    Id(String),
}

impl Chosen {
    fn matches(&self, operation: &Operation) -> bool {
        match self {
            Chosen::All => true,
            Chosen::Tagged(tag) => operation.tags.contains(tag),
            Chosen::Id(id) => operation.id == *id,
        }
    }
}

fn chosen(interrupt_type: InterruptType, interrupt: Option<Interrupt>) -> Result<Chosen, Failure> {
    match (interrupt_type, interrupt) {
        (InterruptType::All, _) => Ok(Chosen::All),
        (InterruptType::Tag, Some(Interrupt::OperationTag(tag))) => {
            execute::check_tag(&tag)?;
            Ok(Chosen::Tagged(tag))
        }
        (InterruptType::OperationId, Some(Interrupt::OperationId(id))) => Ok(Chosen::Id(id)),
        _ => Err(Failure::IllegalArgument("An interrupt names all operations, a tag or an operation.".into())),
    }
}
