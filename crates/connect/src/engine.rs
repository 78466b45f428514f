//! The engine behind the service: [`scheduler::Engine`] as a [`Backend`].

use std::sync::Arc;

use async_trait::async_trait;
use scheduler::cache::StorageLevel;
use spark::command::Command;
use spark::conf::ConfView;
use spark::{Plan, Result, StructType};
use tokio::runtime::Handle;

use crate::backend::{
    Backend, CommandOutcome, Finished, Observed, OperationContext, OperatorMetrics, QueryResult, Session, SqlOutcome,
};

/// The engine as the service sees it.
pub struct EngineBackend(pub scheduler::Engine);

impl Backend for EngineBackend {
    fn runtime(&self) -> Handle {
        self.0.runtime().clone()
    }

    fn create_session(&self, user: &str, session_id: &str) -> Arc<dyn Session> {
        Arc::new(EngineSession(self.0.create_session(user, session_id)))
    }
}

struct EngineSession(Arc<scheduler::Session>);

#[async_trait]
impl Session for EngineSession {
    fn conf(&self) -> Arc<ConfView> {
        self.0.conf().view()
    }

    fn set_conf(&self, key: &str, value: &str) -> Result<()> {
        self.0.conf().set(key, value)
    }

    fn unset_conf(&self, key: &str) -> Result<()> {
        self.0.conf().unset(key)
    }

    async fn execute(&self, plan: Plan, operation: &OperationContext) -> Result<QueryResult> {
        let result = self.0.execute(plan, &context(operation)).await?;
        let (metrics, observed) = (result.metrics, result.observed);
        let finished = async move {
            Finished {
                metrics: metrics.collect().into_iter().map(operator).collect(),
                observed: observed.lock().drain(..).map(observation).collect(),
            }
        };
        Ok(QueryResult {
            schema: result.schema,
            arrow_schema: result.arrow_schema,
            stream: result.stream,
            finished: Box::pin(finished),
        })
    }

    async fn sql_command(&self, plan: Plan, operation: &OperationContext) -> Result<SqlOutcome> {
        Ok(match self.0.sql_command(plan, &context(operation)).await? {
            scheduler::SqlOutcome::Query => SqlOutcome::Query,
            scheduler::SqlOutcome::Table(table) => {
                SqlOutcome::Rows { schema: table.arrow_schema, types: table.schema, batches: table.batches }
            }
        })
    }

    async fn command(&self, command: Command, operation: &OperationContext) -> Result<CommandOutcome> {
        use scheduler::command::CommandOutcome as Outcome;
        let context = context(operation);
        Ok(match self.0.command(command, &context).await? {
            Outcome::Table(_) => {
                let observed: Vec<Observed> = context.observed.lock().drain(..).map(observation).collect();
                if observed.is_empty() { CommandOutcome::Done } else { CommandOutcome::Observed(observed) }
            }
            Outcome::Checkpoint { relation_id } => CommandOutcome::Checkpoint { relation_id },
        })
    }

    async fn schema(&self, plan: Plan) -> Result<StructType> {
        self.0.analyze_schema(plan).await
    }

    async fn explain(&self, plan: Plan, mode: &str) -> Result<String> {
        self.0.explain(plan, mode).await
    }

    async fn is_local(&self, plan: Plan) -> Result<bool> {
        self.0.is_local(plan).await
    }

    async fn is_streaming(&self, plan: Plan) -> Result<bool> {
        self.0.is_streaming(plan).await
    }

    async fn input_files(&self, plan: Plan) -> Result<Vec<String>> {
        self.0.input_files(plan).await
    }

    async fn same_semantics(&self, left: Plan, right: Plan) -> Result<bool> {
        self.0.same_semantics(left, right).await
    }

    async fn semantic_hash(&self, plan: Plan) -> Result<i32> {
        self.0.semantic_hash(plan).await
    }

    async fn persist(&self, plan: Plan, level: StorageLevel) -> Result<()> {
        self.0.persist(plan, level).await
    }

    async fn unpersist(&self, plan: Plan) -> Result<()> {
        self.0.unpersist(plan).await
    }

    async fn storage_level(&self, plan: Plan) -> Result<StorageLevel> {
        self.0.storage_level(plan).await
    }

    fn clone_session(&self, new_id: &str) -> Arc<dyn Session> {
        Arc::new(EngineSession(self.0.clone_session(new_id)))
    }

    fn close(&self) {}
}

/// The operation as the engine wants it; what the engine tells of its progress is passed on.
fn context(operation: &OperationContext) -> scheduler::OperationContext {
    scheduler::OperationContext {
        operation_id: operation.operation_id.clone(),
        tags: operation.tags.clone(),
        cancel: operation.cancel.clone(),
        progress: operation.progress.clone(),
        observed: Arc::default(),
    }
}

fn operator(metrics: scheduler::operation::OperatorMetrics) -> OperatorMetrics {
    let values = metrics.values.into_iter().map(|v| (v.name, v.value, v.kind.name())).collect();
    OperatorMetrics { name: metrics.name, plan_id: metrics.id, parent: metrics.parent, values }
}

fn observation(observed: scheduler::Observed) -> Observed {
    Observed {
        name: observed.name,
        plan_id: observed.plan_id.unwrap_or_default(),
        values: observed.keys.into_iter().zip(observed.values).collect(),
        error: observed.error,
    }
}
