//! `IDENTIFIER(…)` clauses and names given as text.

use spark::{Error, Expr, Literal, Result};

use crate::parser::Parser;

impl Parser<'_> {
    /// `IDENTIFIER(constant)` where a name is needed now.
    pub fn identifier_clause(&mut self) -> Result<Vec<String>> {
        let mark = self.mark();
        self.advance();
        self.expect_sym("(")?;
        let inner = self.expression()?;
        self.expect_sym(")")?;
        let text = match constant_text(&inner) {
            Some(text) => text,
            None => match &self.options.identifiers {
                Some(resolve) => resolve(&inner)?,
                None => {
                    return Err(Error::unsupported("IDENTIFIER of an expression in this statement").at(Some(&self.origin(mark))));
                }
            },
        };
        self.parse_name_text(mark, &text)
    }

    /// The parts of a name given as text.
    pub fn parse_name_text(&self, mark: usize, text: &str) -> Result<Vec<String>> {
        let mut parser = Parser::new(text, self.options)?;
        let parts = parser.dotted_name().and_then(|parts| parser.expect_end().map(|()| parts));
        parts.map_err(|e| e.at(Some(&self.origin(mark))))
    }
}

/// The value of string literals put together.
fn constant_text(expr: &Expr) -> Option<String> {
    match expr.unpositioned() {
        Expr::Literal(Literal::String(text)) => Some(text.clone()),
        Expr::Function(call) if call.is_operator && call.name == ["||"] => {
            call.args.iter().map(constant_text).collect::<Option<Vec<_>>>().map(|parts| parts.concat())
        }
        _ => None,
    }
}

/// The value of a literal as text, for property lists.
pub fn constant_value(expr: &Expr) -> Option<String> {
    match expr.unpositioned() {
        Expr::Literal(Literal::String(text)) => Some(text.clone()),
        Expr::Literal(Literal::Boolean(value)) => Some(value.to_string()),
        Expr::Literal(Literal::Integer(value)) => Some(value.to_string()),
        Expr::Literal(Literal::Long(value)) => Some(value.to_string()),
        _ => constant_text(expr),
    }
}
