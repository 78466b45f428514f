//! A client's session: its configuration, what it named, and everything it may ask for.

use std::sync::Arc;

use analyzer::{Analyzed, Answer, world};
use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::Schema;
use futures::StreamExt;
use parking_lot::Mutex;
use spark::plan::Node;
use spark::types::{DataType, StructField, StructType};
use spark::{Error, Literal, Plan, Result, Settings};

use crate::analysis;
use crate::boundary::Boundary;
use crate::conf::SessionConf;
use crate::depth::Stack;
use crate::engine::Engine;
use crate::literals;
use crate::operation::{OperationContext, QueryResult, Table};
use crate::query;
use crate::route::route;
use crate::show::Cells;
use crate::tasks;

/// Rows that deciding queries (pivot values and the like) may return.
const MAX_DECIDING_ROWS: usize = 100_000;

/// A session; clones of the `Arc` share it.
pub struct Session {
    engine: Engine,
    id: String,
    user: String,
    pub(crate) conf: SessionConf,
    pub(crate) names: Mutex<crate::names::Names>,
}

impl Session {
    pub(crate) fn new(engine: Engine, user: &str, id: &str) -> Self {
        let conf = SessionConf::new(Arc::clone(&engine.shared().conf));
        Session { engine, id: id.to_string(), user: user.to_string(), conf, names: Mutex::default() }
    }

    /// The session's configuration.
    pub fn conf(&self) -> &SessionConf {
        &self.conf
    }

    pub fn id(&self) -> &str {
        &self.id
    }

    pub fn user(&self) -> &str {
        &self.user
    }

    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// A session with the same configuration, names and current namespace.
    pub fn clone_session(&self, new_id: &str) -> Arc<Session> {
        Arc::new(Session {
            engine: self.engine.clone(),
            id: new_id.to_string(),
            user: self.user.clone(),
            conf: self.conf.copy(),
            names: Mutex::new(self.names.lock().clone()),
        })
    }

    /// What the configuration means for a query that is analysed now.
    pub fn settings(&self) -> Settings {
        let view = self.conf.view();
        let flag = |key: &str, default: bool| view.get_bool(key, default);
        let text = |key: &str, default: &str| -> Arc<str> { view.get(key).unwrap_or(default).into() };
        let names = self.names.lock();
        let now = chrono::Utc::now();
        Settings {
            ansi: flag("spark.sql.ansi.enabled", true),
            time_zone: self.time_zone(),
            case_sensitive: flag("spark.sql.caseSensitive", false),
            timestamp_ntz: text("spark.sql.timestampType", "TIMESTAMP_LTZ").eq_ignore_ascii_case("TIMESTAMP_NTZ"),
            timestamp_nanos: flag("spark.sql.timestampNanosTypes.enabled", false),
            time_type: flag("spark.sql.timeType.enabled", false),
            time_parser_policy: text("spark.sql.legacy.timeParserPolicy", "CORRECTED").to_uppercase().into(),
            store_assignment: text("spark.sql.storeAssignmentPolicy", "ANSI").to_uppercase().into(),
            group_by_ordinal: flag("spark.sql.groupByOrdinal", true),
            order_by_ordinal: flag("spark.sql.orderByOrdinal", true),
            group_by_aliases: flag("spark.sql.groupByAliases", true),
            map_keys_last_win: text("spark.sql.mapKeyDedupPolicy", "EXCEPTION").eq_ignore_ascii_case("LAST_WIN"),
            cross_join: flag("spark.sql.crossJoin.enabled", true),
            default_collation: None,
            now_micros: now.timestamp_micros(),
            now_nanos: i64::from(now.timestamp_subsec_nanos() % 1000),
            seed: rand::random(),
            parallelism: usize::try_from(view.get_int("spark.sql.leafNodeDefaultParallelism", 0))
                .ok()
                .filter(|n| *n > 0)
                .unwrap_or_else(|| self.engine.shared().config.threads.max(1)),
            current_catalog: Arc::clone(&names.catalog),
            current_database: Arc::clone(&names.database),
            current_user: self.user.as_str().into(),
            path: crate::command::search_path(names.path.as_deref(), &view)
                .map(|path| crate::command::path_schemas(&path, &names.catalog, &names.database).into()),
            conf: view,
        }
    }

    /// The session's time zone; the host's where none is set.
    pub fn time_zone(&self) -> Arc<str> {
        match self.conf.view().get("spark.sql.session.timeZone") {
            Some(zone) if !zone.is_empty() && !zone.starts_with('<') => zone.into(),
            _ => "UTC".into(),
        }
    }

    /// Runs a plan; commands run before this returns, queries while their stream is read.
    ///
    /// # Errors
    /// Spark's condition for what is wrong with it.
    pub async fn execute(self: &Arc<Self>, plan: Plan, op: &OperationContext) -> Result<QueryResult> {
        let (session, op) = (Arc::clone(self), op.clone());
        let (plan, stack) = Stack::for_plan(plan)?;
        tasks::on(self.engine.runtime(), stack, async move { session.execute_here(plan, &op).await }).await
    }

    pub(crate) async fn execute_here(self: &Arc<Self>, plan: Plan, op: &OperationContext) -> Result<QueryResult> {
        let plan = self.with_kept(plan).await?;
        match &plan.node {
            Node::ShowString { input, rows, truncate, vertical } => {
                let cells = self.cells(input, *rows, *truncate, op).await?;
                let text = if *vertical { cells.vertical() } else { cells.horizontal() };
                Ok(QueryResult { observed: Arc::clone(&op.observed), ..one_string("show_string", &text)? })
            }
            Node::HtmlString { input, rows, truncate } => {
                let cells = self.cells(input, *rows, *truncate, op).await?;
                Ok(QueryResult { observed: Arc::clone(&op.observed), ..one_string("html_string", &cells.html())? })
            }
            Node::Tail { input, limit } => {
                let limit = usize::try_from(*limit).map_err(|_| {
                    Error::analysis("INVALID_LIMIT_LIKE_EXPRESSION.IS_NEGATIVE")
                        .param("name", "tail")
                        .param("expr", format!("\"{limit}\""))
                        .param("v", limit.to_string())
                })?;
                self.tail(input, limit, op).await
            }
            Node::Command(_) | Node::Catalog(_) | Node::Sql { .. } | Node::WithRelations { .. } => {
                if let Some(done) = self.run_command_plan(&plan, op).await? {
                    return Ok(done);
                }
                self.run_query(&plan, op).await
            }
            _ => self.run_query(&plan, op).await,
        }
    }

    pub(crate) async fn run_query(self: &Arc<Self>, plan: &Plan, op: &OperationContext) -> Result<QueryResult> {
        let settings = self.settings();
        let zone = Arc::clone(&settings.time_zone);
        let has_time = settings.time_type;
        let analyzed = self.analyze(plan, settings).await?;
        if !has_time && analyzed.schema.fields.iter().any(|f| f.data_type.any(&|t| matches!(t, DataType::Time(_)))) {
            return Err(functions::cast::time_switched_off());
        }
        query::run(&self.engine, analyzed, zone, self.wish()?, op).await
    }

    /// Analyses a plan.
    ///
    /// # Errors
    /// Spark's condition for what is wrong with it.
    pub async fn analyze(self: &Arc<Self>, plan: &Plan, settings: Settings) -> Result<Analyzed> {
        let _leave = self.engine.planning().await?;
        analysis::analyze(self, plan, settings).await
    }

    /// The schema of a plan.
    ///
    /// # Errors
    /// As [`Self::analyze`].
    pub async fn analyze_schema(self: &Arc<Self>, plan: Plan) -> Result<StructType> {
        let session = Arc::clone(self);
        let (plan, stack) = Stack::for_plan(plan)?;
        tasks::on(self.engine.runtime(), stack, async move {
            let settings = session.settings();
            Ok(session.analyze(&plan, settings).await?.schema)
        })
        .await
    }

    /// Canonical batches of a query, until there are `limit` rows.
    pub(crate) async fn collect(
        self: &Arc<Self>,
        plan: &Plan,
        settings: Settings,
        limit: usize,
    ) -> Result<(Analyzed, Vec<RecordBatch>)> {
        self.collect_for(plan, settings, limit, &OperationContext::detached()).await
    }

    /// [`Self::collect`] as a part of an operation, which is told what was observed.
    async fn collect_for(
        self: &Arc<Self>,
        plan: &Plan,
        settings: Settings,
        limit: usize,
        op: &OperationContext,
    ) -> Result<(Analyzed, Vec<RecordBatch>)> {
        let analyzed = self.analyze(plan, settings).await?;
        let prepared = route(&self.engine, &analyzed.plan, self.wish()?).await?;
        let mut rows = prepared.start("collect", op).await?;
        let (mut batches, mut count) = (Vec::new(), 0);
        while count < limit
            && let Some(batch) = rows.next().await
        {
            let batch = batch.map_err(functions::error::from_datafusion)?;
            count += batch.num_rows();
            batches.push(batch);
        }
        drop(rows);
        if !analyzed.observations.is_empty() {
            let taps = planner::observe::taps(&prepared.plan);
            query::gather(&self.engine, &analyzed.observations, &taps, self.wish()?, op).await;
        }
        Ok((analyzed, batches))
    }

    async fn cells(self: &Arc<Self>, input: &Plan, rows: i32, truncate: i32, op: &OperationContext) -> Result<Cells> {
        // One row more than shown says whether there are more.
        let rows = rows.clamp(0, i32::MAX - 16);
        let limited = Plan::from(Node::Limit {
            input: Box::new(input.clone()),
            limit: spark::Expr::Literal(Literal::Integer(rows + 1)),
        });
        let settings = self.settings();
        let style = functions::cast::format::BinaryStyle::of(&settings);
        let printer = planner::text::Printer::new(&settings.time_zone).with_binary(style);
        let (analyzed, batches) = self.collect_for(&limited, settings, rows as usize + 1, op).await?;
        Ok(Cells::new(&batches, &analyzed.columns, &analyzed.schema, rows as usize, truncate.max(0) as usize, printer))
    }

    async fn tail(self: &Arc<Self>, input: &Plan, limit: usize, op: &OperationContext) -> Result<QueryResult> {
        let settings = self.settings();
        let zone = Arc::clone(&settings.time_zone);
        let analyzed = self.analyze(input, settings).await?;
        let mut result = query::run(&self.engine, analyzed, zone, self.wish()?, op).await?;
        let mut kept: std::collections::VecDeque<RecordBatch> = Default::default();
        let mut rows = 0;
        while let Some(batch) = result.stream.next().await {
            let batch = batch?;
            rows += batch.num_rows();
            kept.push_back(batch);
            while let Some(first) = kept.front()
                && rows - first.num_rows() >= limit
            {
                rows -= first.num_rows();
                kept.pop_front();
            }
        }
        if let Some(first) = kept.front_mut()
            && rows > limit
        {
            let skip = rows - limit;
            *first = first.slice(skip, first.num_rows() - skip);
        }
        let batches = if limit == 0 { Vec::new() } else { kept.into() };
        let table = Table { schema: result.schema, arrow_schema: result.arrow_schema, batches };
        Ok(QueryResult { metrics: result.metrics, observed: result.observed, ..QueryResult::of(table) })
    }

    /// The rows of a query that decides the shape of another.
    pub(crate) async fn query_rows(self: &Arc<Self>, plan: &Plan, settings: &Settings) -> Result<Answer> {
        let (analyzed, batches) = self.collect(plan, settings.clone(), MAX_DECIDING_ROWS).await?;
        let mut rows = Vec::new();
        for batch in &batches {
            for row in 0..batch.num_rows() {
                let fields = analyzed.schema.fields.iter().zip(&analyzed.columns);
                rows.push(
                    fields
                        .map(|(f, &c)| literals::literal(batch.column(c), row, &f.data_type))
                        .collect::<Result<_>>()?,
                );
            }
        }
        Ok(Answer::Rows(rows))
    }
}

/// A table of one string, as clients see it.
pub fn one_string(column: &str, text: &str) -> Result<QueryResult> {
    let schema = StructType::new(vec![StructField::new(column, DataType::STRING, false)]);
    let values: ArrayRef = Arc::new(StringArray::from(vec![text]));
    Ok(QueryResult::of(wire_table(schema, vec![values])?))
}

/// A table of canonical columns, as clients see it.
///
/// # Errors
/// If the columns do not fit the schema.
pub fn wire_table(schema: StructType, columns: Vec<ArrayRef>) -> Result<Table> {
    let arrow = planner::source::table::arrow_schema(&schema);
    let unnamed = Schema::new(
        arrow
            .fields()
            .iter()
            .enumerate()
            .map(|(i, f)| f.as_ref().clone().with_name(format!("#{i}")))
            .collect::<Vec<_>>(),
    );
    let batch = RecordBatch::try_new(Arc::new(unnamed), columns)
        .map_err(|e| Error::internal(format!("a command's rows do not fit its schema: {e}")))?;
    let boundary = Boundary::new(schema.clone(), (0..schema.fields.len()).collect(), "UTC".into());
    let wire = boundary.cast(&batch)?;
    Ok(Table { schema, arrow_schema: wire.schema(), batches: vec![wire] })
}

/// A relation that can be scanned: what the analyzer gets for a name.
pub(crate) fn scannable(name: Vec<String>, relation: &crate::names::Relation) -> Answer {
    Answer::Table(world::Table { name, schema: relation.schema.clone(), source: Arc::clone(&relation.source) })
}

impl Session {
    /// The explanation of a plan; `mode` is `SIMPLE`, `EXTENDED`, `CODEGEN`, `COST` or `FORMATTED`.
    ///
    /// # Errors
    /// As [`Self::analyze`].
    pub async fn explain(self: &Arc<Self>, plan: Plan, mode: &str) -> Result<String> {
        let (session, mode) = (Arc::clone(self), mode.to_string());
        let (plan, stack) = Stack::for_plan(plan)?;
        tasks::on(self.engine.runtime(), stack, async move {
            crate::command::explain::explain(&session, &plan, &mode).await
        })
        .await
    }

    /// A user's function; none is built in here.
    pub(crate) fn find_function(&self, name: &[String]) -> Result<Answer> {
        Ok(match crate::command::user_function(self, name) {
            Ok(Some(function)) => Answer::SqlFunction(function),
            Ok(None) => Answer::NotFound,
            Err(error) => Answer::Failed(error),
        })
    }
}
