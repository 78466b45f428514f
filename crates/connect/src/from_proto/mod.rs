//! Spark Connect messages → `spark` values. One file per family of messages; a `match` over kinds
//! only dispatches. What a message cannot say is refused with a typed error, never dropped.

mod catalog;
mod command;
mod data_type;
mod errors;
mod expression;
mod function;
mod join;
mod leaf;
mod literal;
mod names;
mod operation;
mod relation;
mod statistics;

#[cfg(test)]
mod tests;

use proto::spark_connect as pb;
use spark::{Expr, Result};

pub use catalog::level_text;
pub use command::CommandKind;
pub use errors::{extension, invalid, not_set};
pub use names::attribute_parts;
pub use operation::{Decoded, Pending, on_plan_stack};

use crate::local_relations::LocalRelations;
use crate::text::TextReader;

/// Reads messages; holds what of the session decides how type texts are read.
#[derive(Debug, Clone, Default)]
pub struct Reader {
    pub text: TextReader,
    local: LocalRelations,
}

/// Stack that must be left before another level of recursion.
const RED_ZONE: usize = 192 * 1024;
const MORE_STACK: usize = 8 << 20;

/// Runs one level of a recursion, on a new stack segment where the present one is nearly used up.
pub(crate) fn level<R>(work: impl FnOnce() -> R) -> R {
    stacker::maybe_grow(RED_ZONE, MORE_STACK, work)
}

impl Reader {
    /// A reader under a session's settings, with the local relations it was sent.
    pub fn new(text: TextReader, local: LocalRelations) -> Self {
        Reader { text, local }
    }

    fn exprs(&self, messages: Vec<pb::Expression>) -> Result<Vec<Expr>> {
        messages.into_iter().map(|m| self.expr(m)).collect()
    }

    fn optional_expr(&self, message: Option<Box<pb::Expression>>) -> Result<Option<Expr>> {
        message.map(|m| self.expr(*m)).transpose()
    }

    /// An expression that must be there: an absent message is one of no kind.
    fn required_expr(&self, message: Option<Box<pb::Expression>>) -> Result<Expr> {
        self.expr(*message.unwrap_or_default())
    }
}

/// The pairs of a map in an order that does not change from run to run.
fn sorted<V>(map: std::collections::HashMap<String, V>) -> Vec<(String, V)> {
    let mut pairs: Vec<(String, V)> = map.into_iter().collect();
    pairs.sort_by(|a, b| a.0.cmp(&b.0));
    pairs
}
