//! Tests of the service over a backend of their own: what Spark answers to the same calls.

mod operations;
mod sessions;

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{Int32Array, RecordBatch};
use arrow_schema::{DataType as ArrowType, Field, Schema};
use async_trait::async_trait;
use futures::StreamExt;
use parking_lot::Mutex;
use prost::Message;
use proto::spark_connect as pb;
use proto::spark_connect::relation::RelType;
use proto::spark_connect::spark_connect_service_client::SparkConnectServiceClient;
use scheduler::cache::StorageLevel;
use spark::command::Command;
use spark::conf::ConfView;
use spark::{DataType, Error, Literal, Node, Plan, Result, StructField, StructType};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::Status;
use tonic::transport::Channel;
use uuid::Uuid;

use crate::backend::{Backend, CommandOutcome, Finished, Observed, OperationContext, QueryResult, Session, SqlOutcome};
use crate::to_proto::error::{ErrorInfo, RpcStatus};
use crate::{ServeOptions, serve_backend};

/// A session whose queries count: a range of n rows yields n batches of one row, a range whose step
/// is 7 never ends, and SQL text is an error with the text as its condition unless it is `select`.
#[derive(Default)]
struct FakeSession {
    conf: Mutex<ConfView>,
}

struct Fake;

impl Backend for Fake {
    fn runtime(&self) -> tokio::runtime::Handle {
        tokio::runtime::Handle::current()
    }

    fn create_session(&self, _user: &str, _session_id: &str) -> Arc<dyn Session> {
        Arc::new(FakeSession::default())
    }
}

fn schema() -> StructType {
    StructType::new(vec![StructField::new("a", DataType::Integer, false)])
}

fn arrow_schema() -> arrow_schema::SchemaRef {
    Arc::new(Schema::new(vec![Field::new("a", ArrowType::Int32, false)]))
}

fn row(n: i32) -> Result<RecordBatch> {
    RecordBatch::try_new(arrow_schema(), vec![Arc::new(Int32Array::from(vec![n]))])
        .map_err(|e| Error::internal(e.to_string()))
}

#[async_trait]
impl Session for FakeSession {
    fn conf(&self) -> Arc<ConfView> {
        Arc::new(self.conf.lock().clone())
    }

    fn set_conf(&self, key: &str, value: &str) -> Result<()> {
        self.conf.lock().set(key, value)
    }

    fn unset_conf(&self, key: &str) -> Result<()> {
        self.conf.lock().unset(key)
    }

    async fn execute(&self, plan: Plan, _operation: &OperationContext) -> Result<QueryResult> {
        let stream = match plan.node {
            Node::Range { end, step: 1, .. } => futures::stream::iter((0..end as i32).map(row)).boxed(),
            Node::Range { .. } => futures::stream::pending().boxed(),
            Node::Sql { text, .. } if text != "select" => return Err(Error::analysis(text)),
            _ => futures::stream::empty().boxed(),
        };
        let observed =
            Observed { name: "m".into(), plan_id: 9, values: vec![("c".into(), Literal::Long(1))], error: None };
        let finished = Finished { metrics: Vec::new(), observed: vec![observed] };
        Ok(QueryResult {
            schema: schema(),
            arrow_schema: arrow_schema(),
            stream,
            finished: Box::pin(async move { finished }),
        })
    }

    async fn sql_command(&self, plan: Plan, _operation: &OperationContext) -> Result<SqlOutcome> {
        match plan.node {
            Node::Sql { text, .. } if text == "select" => Ok(SqlOutcome::Query),
            _ => Ok(SqlOutcome::Rows {
                schema: arrow_schema(),
                types: Default::default(),
                batches: vec![row(1)?, row(2)?],
            }),
        }
    }

    async fn command(&self, _command: Command, _operation: &OperationContext) -> Result<CommandOutcome> {
        Ok(CommandOutcome::Done)
    }

    async fn schema(&self, _plan: Plan) -> Result<StructType> {
        Ok(schema())
    }

    async fn explain(&self, _plan: Plan, mode: &str) -> Result<String> {
        Ok(mode.to_string())
    }

    async fn is_local(&self, _plan: Plan) -> Result<bool> {
        Ok(true)
    }

    async fn is_streaming(&self, _plan: Plan) -> Result<bool> {
        Ok(false)
    }

    async fn input_files(&self, _plan: Plan) -> Result<Vec<String>> {
        Ok(vec!["f".into()])
    }

    async fn same_semantics(&self, left: Plan, right: Plan) -> Result<bool> {
        Ok(left == right)
    }

    async fn semantic_hash(&self, _plan: Plan) -> Result<i32> {
        Ok(42)
    }

    async fn persist(&self, _plan: Plan, _level: StorageLevel) -> Result<()> {
        Ok(())
    }

    async fn unpersist(&self, _plan: Plan) -> Result<()> {
        Ok(())
    }

    async fn storage_level(&self, _plan: Plan) -> Result<StorageLevel> {
        Ok(StorageLevel { use_memory: true, replication: 1, ..Default::default() })
    }

    fn clone_session(&self, _new_id: &str) -> Arc<dyn Session> {
        Arc::new(FakeSession { conf: Mutex::new(self.conf.lock().clone()) })
    }

    fn close(&self) {}
}

type Client = SparkConnectServiceClient<Channel>;

/// A running server and a session id of its own.
struct Fixture {
    client: Client,
    session: String,
    address: std::net::SocketAddr,
    _stop: DropGuard,
    _serving: JoinSet<std::io::Result<()>>,
}

type Outcome = std::result::Result<(), Box<dyn std::error::Error>>;

async fn start(options: ServeOptions) -> std::result::Result<Fixture, Box<dyn std::error::Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let shutdown = CancellationToken::new();
    let mut serving = JoinSet::new();
    serving.spawn(serve_backend(Arc::new(Fake), listener, options, shutdown.clone()));
    let client = SparkConnectServiceClient::connect(format!("http://{address}")).await?;
    Ok(Fixture {
        client,
        session: Uuid::new_v4().to_string(),
        address,
        _stop: shutdown.drop_guard(),
        _serving: serving,
    })
}

impl Fixture {
    fn request(&self, kind: RelType) -> pb::ExecutePlanRequest {
        let root = pb::Relation { common: None, rel_type: Some(kind) };
        pb::ExecutePlanRequest {
            session_id: self.session.clone(),
            plan: Some(pb::Plan { op_type: Some(pb::plan::OpType::Root(root)) }),
            ..Default::default()
        }
    }

    fn reattachable(&self, kind: RelType, operation_id: &str) -> pb::ExecutePlanRequest {
        use pb::execute_plan_request::{RequestOption, request_option};
        let option = request_option::RequestOption::ReattachOptions(pb::ReattachOptions { reattachable: true });
        pb::ExecutePlanRequest {
            operation_id: Some(operation_id.to_string()),
            request_options: vec![RequestOption { request_option: Some(option) }],
            ..self.request(kind)
        }
    }

    async fn run(&mut self, request: pb::ExecutePlanRequest) -> (Vec<pb::ExecutePlanResponse>, Option<Status>) {
        match self.client.execute_plan(request).await {
            Ok(stream) => drain(stream.into_inner()).await,
            Err(status) => (Vec::new(), Some(status)),
        }
    }

    async fn reattach(
        &mut self,
        operation_id: &str,
        last: Option<&str>,
    ) -> (Vec<pb::ExecutePlanResponse>, Option<Status>) {
        let request = pb::ReattachExecuteRequest {
            session_id: self.session.clone(),
            operation_id: operation_id.to_string(),
            last_response_id: last.map(str::to_string),
            ..Default::default()
        };
        match self.client.reattach_execute(request).await {
            Ok(stream) => drain(stream.into_inner()).await,
            Err(status) => (Vec::new(), Some(status)),
        }
    }
}

async fn drain(
    mut stream: tonic::Streaming<pb::ExecutePlanResponse>,
) -> (Vec<pb::ExecutePlanResponse>, Option<Status>) {
    let mut responses = Vec::new();
    loop {
        match tokio::time::timeout(Duration::from_secs(20), stream.next()).await {
            Ok(Some(Ok(response))) => responses.push(response),
            Ok(Some(Err(status))) => return (responses, Some(status)),
            Ok(None) => return (responses, None),
            Err(_) => return (responses, Some(Status::deadline_exceeded("the stream does not end"))),
        }
    }
}

fn range(rows: i64, step: i64) -> RelType {
    RelType::Range(pb::Range { start: None, end: rows, step, num_partitions: None })
}

/// The kinds of responses, in short.
fn shape(responses: &[pb::ExecutePlanResponse]) -> Vec<&'static str> {
    use pb::execute_plan_response::ResponseType;
    let kind = |r: &pb::ExecutePlanResponse| match &r.response_type {
        None if r.schema.is_some() => "schema",
        None if r.metrics.is_some() => "metrics",
        None if !r.observed_metrics.is_empty() => "observed",
        Some(ResponseType::ArrowBatch(_)) => "batch",
        Some(ResponseType::ResultComplete(_)) => "complete",
        Some(ResponseType::SqlCommandResult(_)) => "sql",
        Some(ResponseType::ExecutionProgress(_)) => "progress",
        _ => "other",
    };
    responses.iter().map(kind).collect()
}

fn info(status: &Status) -> ErrorInfo {
    RpcStatus::decode(status.details())
        .ok()
        .and_then(|s| s.details.into_iter().next())
        .and_then(|any| ErrorInfo::decode(any.value.as_slice()).ok())
        .unwrap_or_default()
}

/// The condition a call failed with.
fn condition(status: Option<&Status>) -> String {
    status
        .map(|s| info(s).metadata.get("errorClass").cloned().unwrap_or_else(|| s.message().to_string()))
        .unwrap_or_default()
}
