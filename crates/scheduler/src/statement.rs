//! SQL text: which statements run at once, and which are queries that wait for an action.

use std::collections::HashMap;
use std::sync::Arc;

use analyzer::{Answer, world};
use datafusion::datasource::{MemTable, provider_as_source};
use spark::command::Command;
use spark::expr::Parameter;
use spark::plan::Node;
use spark::{Error, Expr, Plan, Result};
use sql::{ParseOptions, Statement};

use crate::boundary;
use crate::command::{self, CommandOutcome};
use crate::depth::Stack;
use crate::operation::{OperationContext, QueryResult, SqlOutcome, Table};
use crate::session::Session;
use crate::tasks;

impl Session {
    /// Runs SQL text: a query is only analysed, a command runs now.
    ///
    /// # Errors
    /// Spark's condition for what is wrong with it.
    pub async fn sql_command(self: &Arc<Self>, plan: Plan, op: &OperationContext) -> Result<SqlOutcome> {
        let (session, op) = (Arc::clone(self), op.clone());
        let (plan, stack) = Stack::for_plan(plan)?;
        tasks::on(self.engine().runtime(), stack, async move {
            if let Some(block) = session.script_of(&plan)? {
                return crate::script::run(&session, &block, &op).await.map(SqlOutcome::Table);
            }
            match session.command_of(&plan)? {
                Some(command) => {
                    let done = session.table_of(command, &op).await;
                    done.map(SqlOutcome::Table).map_err(|e| session.at_name(e, &plan))
                }
                None => {
                    session.analyze(&plan, session.settings()).await?;
                    Ok(SqlOutcome::Query)
                }
            }
        })
        .await
    }

    /// Runs a command.
    ///
    /// # Errors
    /// Spark's condition for what is wrong with it.
    pub async fn command(self: &Arc<Self>, command: Command, op: &OperationContext) -> Result<CommandOutcome> {
        let (session, op) = (Arc::clone(self), op.clone());
        let (command, stack) = Stack::for_command(command)?;
        tasks::on(self.engine().runtime(), stack, async move { command::run(&session, command, &op).await }).await
    }

    /// The command that a plan is, if it is one.
    pub(crate) fn command_of(&self, plan: &Plan) -> Result<Option<Command>> {
        let (root, references) = match &plan.node {
            Node::WithRelations { root, references } => (&root.node, Some(references)),
            node => (node, None),
        };
        match root {
            Node::Command(command) => Ok(Some((**command).clone())),
            Node::Sql { text, named_args, positional_args } => {
                let settings = self.settings();
                let options = ParseOptions {
                    identifiers: Some(identifiers(named_args, positional_args)),
                    ..ParseOptions::from(&settings)
                };
                let mut command = match sql::parse_statement(text, &options)? {
                    Statement::Query(_) => return Ok(None),
                    Statement::Command(command) => command,
                    // Scripts are taken before; inside another statement there is no place for one.
                    Statement::Script(_) => return Err(Error::unsupported("a script inside a statement")),
                };
                bind(&mut command, named_args, positional_args)?;
                if let Some(references) = references {
                    for_each_plan(&mut command, &mut |p| {
                        let root = Box::new(std::mem::replace(p, Plan::from(Node::OneRow)));
                        *p = Plan::from(Node::WithRelations { root, references: references.clone() });
                    });
                }
                Ok(Some(command))
            }
            _ => Ok(None),
        }
    }

    /// The script that a plan is, if it is one.
    fn script_of(&self, plan: &Plan) -> Result<Option<spark::script::Block>> {
        let Node::Sql { text, .. } = &plan.node else { return Ok(None) };
        if !text.trim_start().get(..5).is_some_and(|w| w.eq_ignore_ascii_case("BEGIN")) {
            return Ok(None);
        }
        match sql::parse_statement(text, &ParseOptions::from(&self.settings()))? {
            Statement::Script(block) => Ok(Some(block)),
            _ => Ok(None),
        }
    }

    async fn table_of(self: &Arc<Self>, command: Command, op: &OperationContext) -> Result<Table> {
        match command::run(self, command, op).await? {
            CommandOutcome::Table(table) => Ok(table),
            CommandOutcome::Checkpoint { .. } => Ok(Table::empty()),
        }
    }

    /// Runs a plan that is a command or a catalog call; `None` for queries.
    pub(crate) async fn run_command_plan(
        self: &Arc<Self>,
        plan: &Plan,
        op: &OperationContext,
    ) -> Result<Option<QueryResult>> {
        if let Some(block) = self.script_of(plan)? {
            return Ok(Some(QueryResult::of(crate::script::run(self, &block, op).await?)));
        }
        if let Node::Catalog(call) = &plan.node {
            if let spark::command::CatalogCall::CreateTable { name, .. } = &**call {
                let name = sql::parse_multipart_identifier(name, &ParseOptions::from(&self.settings()))?;
                return self.created_table(plan, name, op).await.map(Some);
            }
            return Ok(Some(QueryResult::of(command::run_catalog_call(self, (**call).clone(), op).await?)));
        }
        match self.command_of(plan)? {
            Some(command) => {
                let table = self.table_of(command, op).await.map_err(|e| self.at_name(e, plan))?;
                Ok(Some(QueryResult::of(table)))
            }
            None => Ok(None),
        }
    }

    /// An error about an object that a command names, positioned at that name.
    fn at_name(&self, error: Error, plan: &Plan) -> Error {
        let node = match &plan.node {
            Node::WithRelations { root, .. } => &root.node,
            node => node,
        };
        let Node::Sql { text, named_args, positional_args } = node else { return error };
        let options = ParseOptions {
            identifiers: Some(identifiers(named_args, positional_args)),
            ..ParseOptions::from(&self.settings())
        };
        crate::locate::at_name(error, text, &options)
    }

    /// `spark.catalog.createTable`: the table, which the first use of the DataFrame creates.
    async fn created_table(
        self: &Arc<Self>,
        plan: &Plan,
        name: Vec<String>,
        op: &OperationContext,
    ) -> Result<QueryResult> {
        let known = plan.plan_id.is_some_and(|id| self.names.lock().created.contains(&id));
        if let (false, Node::Catalog(call)) = (known, &plan.node) {
            command::run_catalog_call(self, (**call).clone(), op).await?;
            self.names.lock().created.extend(plan.plan_id);
        }
        let table = Node::Table { name, options: Default::default(), is_streaming: false, time_travel: None };
        self.run_query(&Plan::from(table), op).await
    }

    /// The result of a command as a relation of another query.
    pub(crate) async fn command_table(self: &Arc<Self>, plan: &Plan) -> Result<Answer> {
        let op = OperationContext::detached();
        let Some(result) = self.run_command_plan(plan, &op).await? else {
            return Err(Error::internal("a command was expected"));
        };
        let table = result.collect().await?;
        let arrow = planner::source::table::arrow_schema(&table.schema);
        let mut batches = Vec::new();
        for batch in &table.batches {
            let columns =
                batch.columns().iter().zip(&table.schema.fields).map(|(c, f)| boundary::from_wire(c, &f.data_type));
            let columns = columns.collect::<Result<Vec<_>>>()?;
            let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
            let batch = arrow::array::RecordBatch::try_new_with_options(Arc::clone(&arrow), columns, &options);
            batches.push(batch.map_err(|e| Error::internal(e.to_string()))?);
        }
        let provider = MemTable::try_new(arrow, vec![batches]).map_err(functions::error::from_datafusion)?;
        Ok(Answer::Table(world::Table {
            name: Vec::new(),
            schema: table.schema,
            source: provider_as_source(Arc::new(provider)),
        }))
    }
}

/// Names written as `IDENTIFIER(…)` of literals and of markers with an argument.
fn identifiers(named: &[(String, Expr)], positional: &[Expr]) -> sql::IdentifierResolver {
    let (named, positional) = (named.to_vec(), positional.to_vec());
    Arc::new(move |expr| {
        let text = constant_text(expr, &named, &positional);
        text.ok_or_else(|| {
            if let Expr::Parameter(Parameter::Named(name)) = expr.unpositioned() {
                return Error::analysis("UNBOUND_SQL_PARAMETER")
                    .param("name", name)
                    .with_message(format!("The parameter {name} has no value."));
            }
            Error::analysis("NOT_A_CONSTANT_STRING.NOT_CONSTANT")
                .param("name", "IDENTIFIER")
                .param("expr", "")
                .with_message("A name must be a constant string.")
        })
    })
}

fn constant_text(expr: &Expr, named: &[(String, Expr)], positional: &[Expr]) -> Option<String> {
    match expr.unpositioned() {
        Expr::Literal(spark::Literal::String(text)) => Some(text.clone()),
        Expr::Parameter(Parameter::Named(name)) => {
            let (_, value) = named.iter().find(|(n, _)| n == name)?;
            constant_text(value, &[], &[])
        }
        Expr::Parameter(Parameter::Positional(at)) => constant_text(positional.get(*at)?, &[], &[]),
        Expr::Function(call) if matches!(call.name.last().map(String::as_str), Some("||" | "concat")) => {
            call.args.iter().map(|a| constant_text(a, named, positional)).collect()
        }
        _ => None,
    }
}

/// Whether a statement has named markers, and whether it has question marks.
pub(crate) fn markers(session: &Session, text: &str) -> Result<(bool, bool)> {
    let found = Arc::new(parking_lot::Mutex::new((false, false)));
    let note = {
        let found = Arc::clone(&found);
        move |expr: &Expr| {
            if let Expr::Parameter(parameter) = expr.unpositioned() {
                match parameter {
                    Parameter::Named(_) => found.lock().0 = true,
                    Parameter::Positional(_) => found.lock().1 = true,
                }
            }
        }
    };
    let in_names = note.clone();
    let resolver: sql::IdentifierResolver = Arc::new(move |expr| {
        in_names(expr);
        Ok("x".to_string())
    });
    let options = ParseOptions { identifiers: Some(resolver), ..ParseOptions::from(&session.settings()) };
    let mut visit = |e: &mut Expr| note(e);
    match sql::parse_statement(text, &options)? {
        Statement::Query(mut plan) => plan.visit_exprs_mut(&mut visit),
        Statement::Command(mut command) => {
            for_each_plan(&mut command, &mut |p| p.visit_exprs_mut(&mut visit));
            for_each_expr(&mut command, &mut |e| e.visit_mut(&mut visit));
        }
        Statement::Script(_) => {}
    }
    let found = *found.lock();
    Ok(found)
}

/// Puts arguments in the place of the parameter markers of a command.
fn bind(command: &mut Command, named: &[(String, Expr)], positional: &[Expr]) -> Result<()> {
    if named.is_empty() && positional.is_empty() {
        return Ok(());
    }
    let named: HashMap<&str, &Expr> = named.iter().map(|(k, v)| (k.as_str(), v)).collect();
    let mut missing = None;
    let mut replace = |e: &mut Expr| {
        let Expr::Parameter(parameter) = e else { return };
        let value = match parameter {
            Parameter::Named(name) => named.get(name.as_str()).copied(),
            Parameter::Positional(at) => positional.get(*at),
        };
        match value {
            Some(value) => *e = value.clone(),
            None => missing = Some(parameter.clone()),
        }
    };
    for_each_plan(command, &mut |p| p.visit_exprs_mut(&mut replace));
    for_each_expr(command, &mut |e| e.visit_mut(&mut replace));
    match missing {
        None => Ok(()),
        Some(parameter) => {
            let name = match parameter {
                Parameter::Named(name) => name,
                Parameter::Positional(at) => format!("_{at}"),
            };
            Err(Error::analysis("UNBOUND_SQL_PARAMETER")
                .param("name", &name)
                .with_message(format!("The parameter {name} has no value.")))
        }
    }
}

/// The queries directly inside a command.
pub(crate) fn for_each_plan(command: &mut Command, f: &mut dyn FnMut(&mut Plan)) {
    use Command as C;
    match command {
        C::CreateView(view) => f(&mut view.plan),
        C::Explain { plan, .. } => f(plan),
        C::ExplainCommand { command, .. } => for_each_plan(command, f),
        C::Write(write) => f(&mut write.input),
        C::WriteV2(write) => f(&mut write.input),
        C::Checkpoint { input, .. } => f(input),
        C::SetVariablesFrom { query, .. } => f(query),
        C::CreateTable(table) => table.query.iter_mut().for_each(f),
        C::CacheTable { query, .. } => query.iter_mut().for_each(|q| f(q)),
        C::Insert(insert) => f(&mut insert.query),
        C::InsertDirectory(insert) => f(&mut insert.query),
        C::Sequence(commands) => commands.iter_mut().for_each(|c| for_each_plan(c, f)),
        C::Describe(spark::command::Describe::Query(plan)) => f(plan),
        C::With { ctes, command, .. } => {
            ctes.iter_mut().for_each(|c| f(&mut c.plan));
            for_each_plan(command, f);
        }
        _ => {}
    }
}

/// The expressions directly inside a command.
fn for_each_expr(command: &mut Command, f: &mut dyn FnMut(&mut Expr)) {
    use Command as C;
    match command {
        C::DeclareVariables { default, .. } => default.iter_mut().for_each(f),
        C::SetVariables { assignments } => assignments.iter_mut().for_each(|(_, e)| f(e)),
        C::ExecuteImmediate { text, using, .. } => {
            f(text);
            using.iter_mut().for_each(f);
        }
        C::Insert(insert) => insert.partition.iter_mut().filter_map(|(_, e)| e.as_mut()).for_each(f),
        C::Sequence(commands) => commands.iter_mut().for_each(|c| for_each_expr(c, f)),
        C::With { command, .. } => for_each_expr(command, f),
        _ => {}
    }
}
