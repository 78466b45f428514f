//! SQL scripts: compound statements with variables, conditions, handlers and loops.

use std::sync::Arc;

use crate::command::Command;
use crate::expr::Expr;
use crate::origin::Origin;
use crate::plan::Plan;

/// `[label:] BEGIN … END`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Block {
    /// Lower case; made up if none is written.
    pub label: String,
    pub conditions: Vec<Condition>,
    pub handlers: Vec<Handler>,
    pub statements: Vec<ScriptStatement>,
}

/// `DECLARE name CONDITION [FOR SQLSTATE '…']`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    pub name: String,
    pub sql_state: String,
}

/// `DECLARE EXIT|CONTINUE HANDLER FOR … statement`.
#[derive(Debug, Clone, PartialEq)]
pub struct Handler {
    /// True for `EXIT`.
    pub exit: bool,
    pub triggers: Vec<HandlerTrigger>,
    pub body: Block,
}

/// What a handler catches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HandlerTrigger {
    SqlException,
    NotFound,
    SqlState(String),
    /// A declared condition or one of Spark's.
    Condition(String),
}

/// One step of a script with its position.
#[derive(Debug, Clone, PartialEq)]
pub struct ScriptStatement {
    pub origin: Arc<Origin>,
    pub kind: ScriptNode,
}

/// The kinds of steps.
#[derive(Debug, Clone, PartialEq)]
pub enum ScriptNode {
    Query(Box<Plan>),
    Command(Box<Command>),
    Block(Block),
    If {
        branches: Vec<(Expr, Block)>,
        otherwise: Option<Block>,
    },
    /// `CASE [value] WHEN … THEN …`.
    Case {
        value: Option<Expr>,
        branches: Vec<(Expr, Block)>,
        otherwise: Option<Block>,
    },
    While {
        label: String,
        condition: Expr,
        body: Block,
    },
    /// Until `condition` holds.
    Repeat {
        label: String,
        condition: Expr,
        body: Block,
    },
    Loop {
        label: String,
        body: Block,
    },
    /// `variable` holds the current row as a struct; its columns are variables too.
    For {
        label: String,
        variable: Option<String>,
        query: Plan,
        body: Block,
    },
    Leave(String),
    Iterate(String),
}
