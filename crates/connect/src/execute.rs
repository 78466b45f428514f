//! `ExecutePlan`: starts an operation, and its task turns what the engine yields into responses.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use futures::StreamExt;
use proto::spark_connect as pb;
use proto::spark_connect::execute_plan_request::request_option::RequestOption;
use proto::spark_connect::execute_plan_response::{self as wire, ResponseType};
use scheduler::Progress;
use spark::{Plan, Result};
use tokio::sync::watch;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use crate::backend::{CommandOutcome, Finished, OperationContext, QueryResult, SqlOutcome};
use crate::from_proto::{CommandKind, Decoded, Pending, on_plan_stack};
use crate::ipc::{BatchEncoder, ipc_table};
use crate::operation::{Failed, Operation, cancelled};
use crate::sessions::{SessionHolder, check_uuid};
use crate::to_proto::data_type;
use crate::to_proto::error::Failure;
use crate::to_proto::literal::literal;

/// How often progress is told unless `spark.connect.progress.reportInterval` says otherwise.
const PROGRESS_INTERVAL_MS: i64 = 2000;

/// What a client asked for besides the plan.
#[derive(Debug, Clone, Default)]
struct Options {
    reattachable: bool,
    chunk_bytes: Option<usize>,
    /// The schema goes with the first batch and the metrics with the last response, instead of each in
    /// a response of its own as Spark sends them.
    terse: bool,
}

/// How the clients that are known to take a response apart field by field call themselves. They also
/// release every response with a call of its own, which costs them more than a small result does.
const FIELD_BY_FIELD: &str = "_SPARK_CONNECT_PYTHON";

impl Options {
    fn read(request: &pb::ExecutePlanRequest) -> Options {
        let terse = request.client_type.as_deref().is_some_and(|client| client.contains(FIELD_BY_FIELD));
        let mut out = Options { terse, ..Options::default() };
        for option in &request.request_options {
            match &option.request_option {
                Some(RequestOption::ReattachOptions(o)) => out.reattachable = o.reattachable,
                Some(RequestOption::ResultChunkingOptions(o)) => {
                    out.chunk_bytes =
                        BatchEncoder::chunk_size(o.allow_arrow_batch_chunking, o.preferred_arrow_chunk_size);
                }
                // Extensions are hints of other vendors.
                Some(RequestOption::Extension(_)) | None => {}
            }
        }
        out
    }
}

/// Starts an operation in a session, or finds the one that the same request started.
pub fn start(holder: &Arc<SessionHolder>, request: pb::ExecutePlanRequest) -> Result<Arc<Operation>, Failure> {
    for tag in &request.tags {
        check_tag(tag)?;
    }
    let options = Options::read(&request);
    let id = match request.operation_id {
        Some(id) => {
            check_uuid(&id)?;
            id
        }
        None => Uuid::new_v4().to_string(),
    };
    let plan = Pending::open(request.plan)?;
    if let Some(known) = holder.operation(&id)
        && known.asked.as_ref() == Some(&plan)
    {
        return Ok(known);
    }
    let operation = Operation::new(id, request.tags, options.reattachable.then(|| plan.clone()));
    holder.add_operation(operation.clone())?;
    let execution = Execution { holder: holder.clone(), operation: operation.clone(), options };
    // Executions outlive the call that starts them; the operation owns its task.
    operation.own(AbortOnDropHandle::new(holder.runtime.spawn(execution.run(plan))));
    Ok(operation)
}

/// Tags are words without commas.
pub fn check_tag(tag: &str) -> Result<(), Failure> {
    if tag.is_empty() {
        return Err(Failure::IllegalArgument("A tag of an operation is not empty.".into()));
    }
    if tag.contains(',') {
        return Err(Failure::IllegalArgument("A tag of an operation holds no ','.".into()));
    }
    Ok(())
}

/// A running operation.
struct Execution {
    holder: Arc<SessionHolder>,
    operation: Arc<Operation>,
    options: Options,
}

impl Drop for Execution {
    /// However the task ends, the operation ends with it.
    fn drop(&mut self) {
        let failure = Failure::from(cancelled());
        if self.operation.is_running() {
            let status = failure.status(None);
            self.operation.finish(Err(Failed::new(&failure, status)));
        }
        if !self.operation.reattachable {
            self.holder.remove_operation(&self.operation.id);
        }
    }
}

impl Execution {
    async fn run(self, plan: Pending) {
        let cancel = self.operation.cancel.clone();
        let end = tokio::select! {
            biased;
            () = cancel.cancelled() => Err(cancelled()),
            end = self.produce(plan) => end,
        };
        let end = match end {
            Ok(metrics) if self.options.reattachable => {
                self.send(Some(ResponseType::ResultComplete(wire::ResultComplete {})), |r| r.metrics = metrics).await;
                Ok(())
            }
            end => end.map(drop),
        };
        self.operation.finish(end.map_err(|error| {
            let failure = Failure::from(error);
            tracing::debug!(operation = %self.operation.id, error = %failure.message(), "operation failed");
            let status = self.holder.fail(&failure);
            Failed::new(&failure, status)
        }));
    }

    /// Sends all responses but the last, and returns the metrics that go with that one.
    async fn produce(&self, plan: Pending) -> Result<Option<wire::Metrics>> {
        let (progress, watched) = watch::channel(Progress::default());
        let context = OperationContext {
            operation_id: self.operation.id.clone(),
            tags: self.operation.tags.clone(),
            cancel: self.operation.cancel.clone(),
            progress,
        };
        let conf = self.holder.session.conf();
        let millis = conf.get_millis("spark.connect.progress.reportInterval", PROGRESS_INTERVAL_MS);
        let mut reporter = Reporter::new(watched, millis);
        let reader = self.holder.reader();
        let echo = plan.get().and_then(echo_of);
        let work = plan.read(|decoded| match decoded {
            Decoded::Root(relation) => reader.relation(*relation).map(Work::Query),
            Decoded::Command(command) => reader.command(*command).map(Work::Command),
        })?;
        match work {
            Work::Query(plan) => self.query(plan, &context, &mut reporter).await,
            Work::Command(command) => self.command(command, echo, &context, &mut reporter).await.map(|()| None),
        }
    }

    async fn query(
        &self,
        plan: Plan,
        context: &OperationContext,
        reporter: &mut Reporter,
    ) -> Result<Option<wire::Metrics>> {
        let QueryResult { schema, arrow_schema, mut stream, finished } =
            reporter.during(self, self.holder.session.execute(plan, context)).await?;
        let mut schema = Some(data_type::schema(&schema));
        if !self.options.terse {
            let schema = schema.take();
            self.send(None, |r| r.schema = schema).await;
        }
        let mut encoder = BatchEncoder::new(self.options.chunk_bytes);
        while let Some(batch) = reporter.during(self, stream.next()).await {
            for message in encoder.encode(&batch?)? {
                let schema = schema.take();
                self.send(Some(ResponseType::ArrowBatch(message)), |r| r.schema = schema).await;
            }
        }
        if !encoder.any_sent() {
            // A result without rows still has one batch, which tells its schema.
            for message in encoder.encode(&RecordBatch::new_empty(arrow_schema))? {
                let schema = schema.take();
                self.send(Some(ResponseType::ArrowBatch(message)), |r| r.schema = schema).await;
            }
        }
        drop(stream);
        Ok(self.finish_query(self.flushing(finished).await).await)
    }

    /// Tells what was measured and observed; metrics that can go with the last response are returned.
    async fn finish_query(&self, finished: Finished) -> Option<wire::Metrics> {
        let metrics = finished.metrics.into_iter().map(metric_object).collect();
        let mut metrics = Some(wire::Metrics { metrics });
        if !(self.options.terse && self.options.reattachable) {
            let metrics = metrics.take();
            self.send(None, |r| r.metrics = metrics).await;
        }
        if !finished.observed.is_empty() {
            let observed = finished.observed.into_iter().map(observed_metrics).collect();
            self.send(None, |r| r.observed_metrics = observed).await;
        }
        metrics
    }

    async fn command(
        &self,
        command: CommandKind,
        echo: Option<Box<pb::Relation>>,
        context: &OperationContext,
        reporter: &mut Reporter,
    ) -> Result<()> {
        let session = &self.holder.session;
        match command {
            CommandKind::Sql(plan) => {
                let outcome = reporter.during(self, session.sql_command(plan, context)).await?;
                self.sql_result(outcome, echo).await
            }
            CommandKind::Run(command) => {
                let outcome = reporter.during(self, session.command(*command, context)).await?;
                match outcome {
                    CommandOutcome::Done => {}
                    CommandOutcome::Observed(observed) => {
                        let observed = observed.into_iter().map(observed_metrics).collect();
                        self.send(None, |r| r.observed_metrics = observed).await;
                    }
                    CommandOutcome::Checkpoint { relation_id } => {
                        let relation = Some(pb::CachedRemoteRelation { relation_id });
                        let result = pb::CheckpointCommandResult { relation };
                        self.send(Some(ResponseType::CheckpointCommandResult(result)), |_| {}).await;
                    }
                }
                Ok(())
            }
            CommandKind::GetResources => {
                let result = pb::GetResourcesCommandResult::default();
                self.send(Some(ResponseType::GetResourcesCommandResult(result)), |_| {}).await;
                Ok(())
            }
        }
    }

    /// A query is echoed, to be executed when rows are wanted; a command's rows go inside a relation.
    async fn sql_result(&self, outcome: SqlOutcome, echo: Option<Box<pb::Relation>>) -> Result<()> {
        match outcome {
            SqlOutcome::Query => {
                let result = wire::SqlCommandResult { relation: echo.map(|r| *r) };
                self.send(Some(ResponseType::SqlCommandResult(result)), |_| {}).await;
            }
            SqlOutcome::Rows { schema, types, batches } => {
                let data = ipc_table(&schema, &batches)?;
                let json = (!types.fields.is_empty()).then(|| types.to_json().to_string());
                let local = pb::LocalRelation { data: Some(data.into()), schema: json };
                let relation =
                    pb::Relation { common: None, rel_type: Some(pb::relation::RelType::LocalRelation(local)) };
                let result = wire::SqlCommandResult { relation: Some(relation) };
                self.send(Some(ResponseType::SqlCommandResult(result)), |_| {}).await;
                self.send(None, |r| r.metrics = Some(wire::Metrics::default())).await;
            }
        }
        Ok(())
    }

    /// `work`; as soon as it has to be waited for, the reader is told of what was sent before.
    ///
    /// What comes at once, the whole of a small result, goes out at once: each packet costs the
    /// client as much as making the rows did.
    async fn flushing<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        poll_fn(|cx| {
            let polled = work.as_mut().poll(cx);
            if polled.is_pending() {
                self.operation.flush();
            }
            polled
        })
        .await
    }

    async fn send(&self, response_type: Option<ResponseType>, fill: impl FnOnce(&mut pb::ExecutePlanResponse)) {
        let mut response = pb::ExecutePlanResponse {
            session_id: self.holder.id.clone(),
            server_side_session_id: self.holder.server_side_id.clone(),
            response_type,
            ..Default::default()
        };
        fill(&mut response);
        self.operation.push(response).await;
    }
}

/// What a plan turned out to be.
enum Work {
    Query(Plan),
    Command(CommandKind),
}

/// The relation of a SQL command, to be sent back if it is a query.
fn echo_of(plan: &Decoded) -> Option<Box<pb::Relation>> {
    let Decoded::Command(message) = plan else { return None };
    let Some(pb::command::CommandType::SqlCommand(sql)) = &message.command_type else { return None };
    if let Some(input) = &sql.input {
        return Some(Box::new(on_plan_stack(|| input.clone())));
    }
    #[allow(deprecated)]
    let sql = pb::Sql {
        query: sql.sql.clone(),
        args: sql.args.clone(),
        pos_args: sql.pos_args.clone(),
        named_arguments: sql.named_arguments.clone(),
        pos_arguments: sql.pos_arguments.clone(),
    };
    Some(Box::new(pb::Relation { common: None, rel_type: Some(pb::relation::RelType::Sql(sql)) }))
}

fn metric_object(operator: crate::backend::OperatorMetrics) -> wire::metrics::MetricObject {
    let value = |(name, value, metric_type): (String, i64, &str)| {
        let metric = wire::metrics::MetricValue { name: name.clone(), value, metric_type: metric_type.into() };
        (name, metric)
    };
    wire::metrics::MetricObject {
        name: operator.name,
        plan_id: operator.plan_id,
        parent: operator.parent,
        execution_metrics: operator.values.into_iter().map(value).collect(),
    }
}

fn observed_metrics(observed: crate::backend::Observed) -> wire::ObservedMetrics {
    let (keys, values) = observed.values.iter().map(|(k, v)| (k.clone(), literal(v))).unzip();
    let error = observed.error.map(|e| Failure::from(e).details());
    wire::ObservedMetrics {
        name: observed.name,
        keys,
        values,
        plan_id: observed.plan_id,
        root_error_idx: error.as_ref().map(|_| 0),
        errors: error.into_iter().collect(),
    }
}

/// Tells the client how far the engine is, at intervals, while something else is awaited.
struct Reporter {
    progress: watch::Receiver<Progress>,
    ticks: Option<Interval>,
}

impl Reporter {
    fn new(progress: watch::Receiver<Progress>, millis: i64) -> Self {
        let ticks = u64::try_from(millis).ok().filter(|ms| *ms > 0).map(|ms| {
            let period = Duration::from_millis(ms);
            let mut ticks = interval_at(Instant::now() + period, period);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticks
        });
        Reporter { progress, ticks }
    }

    async fn during<T>(&mut self, execution: &Execution, work: impl Future<Output = T>) -> T {
        let work = execution.flushing(work);
        let Some(ticks) = &mut self.ticks else { return work.await };
        tokio::pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done,
                _ = ticks.tick() => {
                    let message = progress_message(&self.progress.borrow());
                    execution.send(Some(ResponseType::ExecutionProgress(message)), |_| {}).await;
                }
            }
        }
    }
}

fn progress_message(progress: &Progress) -> wire::ExecutionProgress {
    let stages = progress.stages.iter().map(|s| wire::execution_progress::StageInfo {
        stage_id: count(s.id),
        num_tasks: count(s.partitions),
        num_completed_tasks: count(s.done),
        input_bytes_read: 0,
        done: s.finished,
    });
    wire::ExecutionProgress { stages: stages.collect(), num_inflight_tasks: count(progress.running_tasks) }
}

fn count(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
