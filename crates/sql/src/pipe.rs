//! Pipe syntax: `query |> operator |> …`.

use spark::{Plan, Result};

use crate::parser::Parser;

impl Parser<'_> {
    /// The pipe operators over `plan`.
    pub fn pipes(&mut self, plan: Plan) -> Result<Plan> {
        Ok(plan)
    }
}
