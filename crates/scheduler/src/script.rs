//! SQL scripts: blocks with variables, conditions, loops and handlers, one statement after the other.

use std::collections::HashMap;
use std::sync::Arc;

use futures::future::BoxFuture;
use spark::command::Command;
use spark::plan::Node;
use spark::script::{Block, Handler, HandlerTrigger, ScriptNode, ScriptStatement};
use spark::{DataType, Error, Expr, Literal, Plan, Result};

use crate::command;
use crate::literals;
use crate::names::{Variable, hidden};
use crate::operation::{OperationContext, Table};
use crate::query;
use crate::session::Session;

/// Blocks inside blocks.
const MAX_NESTING: usize = 256;

/// Runs a script; its result is that of the last query in it.
///
/// # Errors
/// What a statement fails with and no handler catches.
pub async fn run(session: &Arc<Session>, block: &Block, op: &OperationContext) -> Result<Table> {
    let mut script = Script { session, op, result: None, nesting: 0, owners: HashMap::new(), declared: Vec::new() };
    match script.block(block).await? {
        Flow::Next => Ok(script.result.unwrap_or_else(Table::empty)),
        Flow::Leave(label) | Flow::Iterate(label) => Err(Error::parse("INVALID_LABEL_USAGE.DOES_NOT_EXIST")
            .param("labelName", spark::types::quote_identifier(&label.to_uppercase()))
            .param("statementType", "LEAVE")
            .with_message(format!("There is no label {label} around the statement."))),
    }
}

/// Where control goes after a statement.
enum Flow {
    Next,
    Leave(String),
    Iterate(String),
}

/// What a loop does after its body.
enum After {
    Again,
    Stop(Flow),
}

struct Script<'a> {
    session: &'a Arc<Session>,
    op: &'a OperationContext,
    result: Option<Table>,
    nesting: usize,
    /// The labels of the blocks that declare a variable, by its key, innermost last.
    owners: HashMap<String, Vec<String>>,
    /// What the running blocks have declared so far, innermost last.
    declared: Vec<Vec<String>>,
}

impl Script<'_> {
    fn block<'b>(&'b mut self, block: &'b Block) -> BoxFuture<'b, Result<Flow>> {
        Box::pin(async move {
            if self.nesting >= MAX_NESTING {
                return Err(Error::unsupported("scripts nested this deep"));
            }
            self.nesting += 1;
            // Variables declared inside hide those outside, until the end of the block.
            self.session.names.lock().labels.push(block.label.clone());
            self.declared.push(Vec::new());
            let flow = self.statements(block).await;
            self.uncover();
            self.nesting -= 1;
            flow
        })
    }

    async fn statements(&mut self, block: &Block) -> Result<Flow> {
        for statement in &block.statements {
            let flow = match self.statement(&block.label, statement).await {
                Ok(flow) => flow,
                Err(error) => match handler(block, &error) {
                    None => return Err(error),
                    Some(handler) => {
                        let flow = self.block(&handler.body).await?;
                        if handler.exit && matches!(flow, Flow::Next) {
                            return Ok(Flow::Next);
                        }
                        flow
                    }
                },
            };
            match flow {
                Flow::Next => {}
                Flow::Leave(label) if label.eq_ignore_ascii_case(&block.label) => return Ok(Flow::Next),
                other => return Ok(other),
            }
        }
        Ok(Flow::Next)
    }

    async fn statement(&mut self, label: &str, statement: &ScriptStatement) -> Result<Flow> {
        if self.op.cancel.is_cancelled() {
            return Err(query::cancelled());
        }
        match &statement.kind {
            ScriptNode::Query(plan) => {
                let result = Box::pin(self.session.execute_here((**plan).clone(), self.op)).await?;
                self.result = Some(result.collect().await?);
                Ok(Flow::Next)
            }
            ScriptNode::Command(command) => {
                self.command(label, command).await.map_err(|e| placed(e, &statement.origin))
            }
            ScriptNode::Block(block) => self.block(block).await,
            ScriptNode::If { branches, otherwise } => {
                for (condition, body) in branches {
                    if self.holds(condition).await? {
                        return self.block(body).await;
                    }
                }
                self.otherwise(otherwise).await
            }
            ScriptNode::Case { value, branches, otherwise } => {
                for (when, body) in branches {
                    let condition = match value {
                        Some(value) => Expr::operator("=", vec![value.clone(), when.clone()]),
                        None => when.clone(),
                    };
                    if self.holds(&condition).await? {
                        return self.block(body).await;
                    }
                }
                self.otherwise(otherwise).await
            }
            ScriptNode::Leave(label) => Ok(Flow::Leave(label.clone())),
            ScriptNode::Iterate(label) => Ok(Flow::Iterate(label.clone())),
            looping => self.repeat(looping).await,
        }
    }

    /// Makes room for variables that a block declares.
    fn shadow(&mut self, label: &str, names: &[Vec<String>]) -> Result<()> {
        let mut held = self.session.names.lock();
        for key in names.iter().filter_map(|n| n.last()).map(|n| n.to_lowercase()) {
            let Some(declared) = self.declared.last_mut() else { continue };
            if declared.contains(&key) {
                let quoted = spark::types::quote_identifier;
                return Err(Error::analysis("VARIABLE_ALREADY_EXISTS")
                    .param("variableName", format!("{}.{}", quoted(label), quoted(&key)))
                    .with_message(format!("There is a variable {key} already.")));
            }
            let owners = self.owners.entry(key.clone()).or_default();
            let owner = owners.last().map_or("session", String::as_str);
            if let Some(outer) = held.variables.get(&key).cloned() {
                held.variables.insert(hidden(owner, &key), outer);
            }
            owners.push(label.to_string());
            declared.push(key);
        }
        Ok(())
    }

    /// Takes away what a block declared: the variables that it hid are back.
    fn uncover(&mut self) {
        let declared = self.declared.pop().unwrap_or_default();
        let mut names = self.session.names.lock();
        for key in declared {
            let owners = self.owners.entry(key.clone()).or_default();
            owners.pop();
            let owner = owners.last().map_or("session", String::as_str);
            names.variables.remove(&key);
            if let Some((_, variable)) = names.variables.remove(&hidden(owner, &key)) {
                names.variables.insert(key.clone(), (key, variable));
            }
        }
        names.labels.pop();
    }

    async fn command(&mut self, label: &str, command: &Command) -> Result<Flow> {
        let mut command = command.clone();
        if let Command::DeclareVariables { names, replace, .. } = &mut command {
            self.shadow(label, names)?;
            *replace = true;
        }
        // A script yields what its queries do; a command has no result in it.
        let is_query = matches!(command, Command::ExecuteImmediate { .. });
        if let command::CommandOutcome::Table(table) = Box::pin(command::run(self.session, command, self.op)).await?
            && is_query
            && !table.schema.fields.is_empty()
        {
            self.result = Some(table);
        }
        Ok(Flow::Next)
    }

    async fn otherwise(&mut self, otherwise: &Option<Block>) -> Result<Flow> {
        match otherwise {
            Some(body) => self.block(body).await,
            None => Ok(Flow::Next),
        }
    }

    async fn repeat(&mut self, looping: &ScriptNode) -> Result<Flow> {
        match looping {
            ScriptNode::While { label, condition, body } => {
                while self.holds(condition).await? {
                    if let After::Stop(flow) = self.round(label, body).await? {
                        return Ok(flow);
                    }
                }
                Ok(Flow::Next)
            }
            ScriptNode::Repeat { label, condition, body } => loop {
                if let After::Stop(flow) = self.round(label, body).await? {
                    return Ok(flow);
                }
                if self.holds(condition).await? {
                    return Ok(Flow::Next);
                }
            },
            ScriptNode::Loop { label, body } => loop {
                if let After::Stop(flow) = self.round(label, body).await? {
                    return Ok(flow);
                }
            },
            ScriptNode::For { label, variable, query, body } => {
                self.each_row(label, variable.as_deref(), query, body).await
            }
            _ => Err(Error::unsupported("this statement in a script")),
        }
    }

    async fn round(&mut self, label: &str, body: &Block) -> Result<After> {
        if self.op.cancel.is_cancelled() {
            return Err(query::cancelled());
        }
        Ok(match self.block(body).await? {
            Flow::Next => After::Again,
            Flow::Iterate(to) if to.eq_ignore_ascii_case(label) => After::Again,
            Flow::Leave(to) if to.eq_ignore_ascii_case(label) => After::Stop(Flow::Next),
            other => After::Stop(other),
        })
    }

    /// `FOR`: the columns of each row are variables of the body.
    async fn each_row(&mut self, label: &str, variable: Option<&str>, plan: &Plan, body: &Block) -> Result<Flow> {
        let (analyzed, batches) = self.session.collect(plan, self.session.settings(), usize::MAX).await?;
        let outside = self.session.names.lock().variables.clone();
        let mut end = Flow::Next;
        'rows: for batch in &batches {
            for row in 0..batch.num_rows() {
                let mut values = Vec::new();
                for (field, &column) in analyzed.schema.fields.iter().zip(&analyzed.columns) {
                    values.push(literals::literal(batch.column(column), row, &field.data_type)?);
                }
                self.bind(variable, &analyzed.schema, values);
                if let After::Stop(flow) = self.round(label, body).await? {
                    end = flow;
                    break 'rows;
                }
            }
        }
        let mut names = self.session.names.lock();
        let bound = analyzed.schema.fields.iter().map(|f| f.name.as_str()).chain(variable);
        for key in bound.map(str::to_lowercase) {
            match outside.get(&key) {
                Some(before) => names.variables.insert(key, before.clone()),
                None => names.variables.remove(&key),
            };
        }
        Ok(end)
    }

    fn bind(&self, variable: Option<&str>, schema: &spark::StructType, values: Vec<Literal>) {
        let mut names = self.session.names.lock();
        let mut put = |name: &str, data_type: DataType, value: Literal| {
            let key = name.to_lowercase();
            names.variables.insert(key.clone(), (key, Variable { value, data_type, default: None }));
        };
        if let Some(name) = variable {
            let data_type = DataType::Struct(schema.clone());
            put(name, data_type.clone(), Literal::Struct { data_type, values: values.clone() });
        }
        for (field, value) in schema.fields.iter().zip(values) {
            put(&field.name, field.data_type.clone(), value);
        }
    }

    /// Whether a condition is true; null is not.
    async fn holds(&self, condition: &Expr) -> Result<bool> {
        let exprs = vec![condition.clone().alias("c")];
        let plan = Plan::from(Node::Project { input: Plan::boxed(Node::OneRow), exprs });
        let (analyzed, batches) = self.session.collect(&plan, self.session.settings(), 1).await?;
        if analyzed.schema.fields.first().is_none_or(|f| f.data_type != DataType::Boolean) {
            return Err(Error::analysis("INVALID_BOOLEAN_STATEMENT")
                .param("invalidStatement", text_of(condition))
                .with_message("A condition of a script is a BOOLEAN."));
        }
        let Some(batch) = batches.iter().find(|b| b.num_rows() > 0) else { return Ok(false) };
        Ok(literals::literal(batch.column(analyzed.columns[0]), 0, &DataType::Boolean)? == Literal::Boolean(true))
    }
}

/// A condition as it is written, in capitals.
fn text_of(condition: &Expr) -> String {
    match condition {
        Expr::At { origin, .. } => match &**origin {
            spark::Origin::Sql(origin) => origin.fragment().to_uppercase(),
            spark::Origin::DataFrame { .. } => String::new(),
        },
        Expr::Literal(Literal::Null(_)) => "NULL".to_string(),
        Expr::Literal(Literal::Integer(n)) => n.to_string(),
        Expr::Literal(Literal::Long(n)) => format!("{n}L"),
        Expr::Literal(Literal::String(text)) => format!("'{}'", text.to_uppercase()),
        _ => String::new(),
    }
}

/// A value that does not fit a variable is an error of the statement.
fn placed(error: Error, origin: &Arc<spark::Origin>) -> Error {
    match error.condition() {
        "CAST_INVALID_INPUT" | "CAST_OVERFLOW" => error.at(Some(origin)),
        _ => error,
    }
}

/// The handler of a block that catches an error: the most exact one.
fn handler<'a>(block: &'a Block, error: &Error) -> Option<&'a Handler> {
    let state = error.data().sql_state.as_deref().unwrap_or("");
    let rank = |trigger: &HandlerTrigger| match trigger {
        HandlerTrigger::Condition(name) => {
            let own = block.conditions.iter().any(|c| c.name.eq_ignore_ascii_case(name) && c.sql_state == state);
            let main = error.condition().split('.').next().unwrap_or_default();
            (own || name.eq_ignore_ascii_case(error.condition()) || name.eq_ignore_ascii_case(main)).then_some(3)
        }
        HandlerTrigger::SqlState(s) => (s == state).then_some(2),
        HandlerTrigger::NotFound => state.starts_with("02").then_some(1),
        HandlerTrigger::SqlException => {
            (!state.starts_with("02") && !state.starts_with("00") && !state.starts_with("XX")).then_some(0)
        }
    };
    let best = |h: &Handler| h.triggers.iter().filter_map(rank).max();
    block.handlers.iter().filter_map(|h| best(h).map(|r| (r, h))).max_by_key(|(r, _)| *r).map(|(_, h)| h)
}
