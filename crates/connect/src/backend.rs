//! What the service needs of the engine: the seam by which it is tested without one.

use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use arrow_schema::SchemaRef;
use async_trait::async_trait;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use scheduler::Progress;
use scheduler::cache::StorageLevel;
use spark::command::Command;
use spark::conf::ConfView;
use spark::{Error, Literal, Plan, Result, StructType};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Makes sessions.
pub trait Backend: Send + Sync + 'static {
    /// Where query work runs, apart from the network's threads.
    fn runtime(&self) -> Handle;

    /// A new session with the configuration that sessions start from.
    fn create_session(&self, user: &str, session_id: &str) -> Arc<dyn Session>;
}

/// One user's session: configuration, views, catalog, artifacts.
#[async_trait]
pub trait Session: Send + Sync + 'static {
    /// The configuration as it is now.
    fn conf(&self) -> Arc<ConfView>;

    /// Sets a key, if a session may.
    fn set_conf(&self, key: &str, value: &str) -> Result<()>;

    /// Puts a key back to its default.
    fn unset_conf(&self, key: &str) -> Result<()>;

    /// Starts a query.
    async fn execute(&self, plan: Plan, operation: &OperationContext) -> Result<QueryResult>;

    /// SQL text: a query is only analysed, a command runs now.
    async fn sql_command(&self, plan: Plan, operation: &OperationContext) -> Result<SqlOutcome>;

    /// Runs a command.
    async fn command(&self, command: Command, operation: &OperationContext) -> Result<CommandOutcome>;

    /// The schema of a plan's result.
    async fn schema(&self, plan: Plan) -> Result<StructType>;

    /// The plan as text; `mode` is `SIMPLE`, `EXTENDED`, `CODEGEN`, `COST` or `FORMATTED`.
    async fn explain(&self, plan: Plan, mode: &str) -> Result<String>;

    /// Whether the rows can be had without running anything.
    async fn is_local(&self, plan: Plan) -> Result<bool>;

    /// Whether a source of the plan is unbounded.
    async fn is_streaming(&self, plan: Plan) -> Result<bool>;

    /// The files the plan reads.
    async fn input_files(&self, plan: Plan) -> Result<Vec<String>>;

    /// Whether two plans compute the same, as far as their form tells.
    async fn same_semantics(&self, left: Plan, right: Plan) -> Result<bool>;

    /// A hash that is equal for plans of the same semantics.
    async fn semantic_hash(&self, plan: Plan) -> Result<i32>;

    /// Keeps the plan's result once it was computed.
    async fn persist(&self, plan: Plan, level: StorageLevel) -> Result<()>;

    /// Drops a kept result.
    async fn unpersist(&self, plan: Plan) -> Result<()>;

    /// How the plan's result is kept.
    async fn storage_level(&self, plan: Plan) -> Result<StorageLevel>;

    /// A session that starts as a copy of this one.
    fn clone_session(&self, new_id: &str) -> Arc<dyn Session>;

    /// The session has ended.
    fn close(&self);
}

/// What the engine is told about an operation.
#[derive(Debug, Clone)]
pub struct OperationContext {
    pub operation_id: String,
    pub tags: Vec<String>,
    /// Cancelled when the client interrupts or leaves.
    pub cancel: CancellationToken,
    /// Where the engine says how far it is.
    pub progress: watch::Sender<Progress>,
}

/// A running query. Dropping the stream cancels it.
pub struct QueryResult {
    pub schema: StructType,
    /// The Arrow schema of every batch.
    pub arrow_schema: SchemaRef,
    /// Batches as they go out: of the wire's Arrow types, named as the schema.
    pub stream: BoxStream<'static, Result<RecordBatch>>,
    /// What is known once the stream has ended.
    pub finished: BoxFuture<'static, Finished>,
}

/// What a query leaves besides its rows.
#[derive(Debug, Clone, Default)]
pub struct Finished {
    pub metrics: Vec<OperatorMetrics>,
    pub observed: Vec<Observed>,
}

/// Counters of one operator of the executed plan.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OperatorMetrics {
    pub name: String,
    pub plan_id: i64,
    pub parent: i64,
    /// Name, value and Spark's metric type (`sum`, `timing`, `size`).
    pub values: Vec<(String, i64, &'static str)>,
}

/// What `df.observe` collected.
#[derive(Debug, Clone, PartialEq)]
pub struct Observed {
    pub name: String,
    pub plan_id: i64,
    pub values: Vec<(String, Literal)>,
    pub error: Option<Error>,
}

/// The result of SQL text.
pub enum SqlOutcome {
    /// A query: the client executes it when it wants rows.
    Query,
    /// A command's rows; `types` are their columns with what Arrow does not tell of them.
    Rows { schema: SchemaRef, types: spark::types::StructType, batches: Vec<RecordBatch> },
}

/// The result of a command.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum CommandOutcome {
    #[default]
    Done,
    /// Done, and what was observed.
    Observed(Vec<Observed>),
    /// The id of a relation that the server now holds.
    Checkpoint { relation_id: String },
}
