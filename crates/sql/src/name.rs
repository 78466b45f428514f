//! `IDENTIFIER(…)` clauses and names given as text.

use spark::expr::Parameter;
use spark::{Error, Expr, Literal, Result};

use crate::options::ParseOptions;
use crate::parser::Parser;

impl Parser<'_> {
    /// `IDENTIFIER(constant)` where a name is needed now.
    pub fn identifier_clause(&mut self) -> Result<Vec<String>> {
        let mark = self.mark();
        self.advance();
        self.expect_sym("(")?;
        let inner = self.expression()?;
        self.expect_sym(")")?;
        let text = match constant_text(&inner, self.options) {
            Some(text) => text,
            None => match &self.options.identifiers {
                Some(resolve) => resolve(&inner)?,
                None => {
                    return Err(Error::unsupported("IDENTIFIER of an expression in this statement")
                        .at(Some(&self.origin(mark))));
                }
            },
        };
        self.parse_name_text(mark, &text)
    }

    /// The value of a parameter marker here, if it has one; takes the marker then.
    pub fn parameter_value(&mut self) -> Option<Literal> {
        let values = self.options.parameters.as_ref()?;
        let parameter = if self.at_sym("?") {
            Parameter::Positional(self.positional)
        } else if self.at_sym(":") && self.name_at(1) {
            Parameter::Named(self.name_text(self.token(1)))
        } else {
            return None;
        };
        let value = values.get(&parameter)?.clone();
        self.advance();
        match parameter {
            Parameter::Positional(_) => self.positional += 1,
            Parameter::Named(_) => drop(self.advance()),
        }
        Some(value)
    }

    /// A marker without a fitting value where the grammar takes a constant; the error is held back.
    pub fn unexpected_marker<T>(&mut self, placeholder: T) -> Result<T> {
        let mark = self.mark();
        let named = self.at_sym(":") && self.name_at(1);
        if !named && !self.at_sym("?") {
            return Err(self.syntax_error());
        }
        self.advance();
        if named {
            self.advance();
        }
        let marker = self.source_since(mark).to_string();
        let error = Error::parse("UNEXPECTED_USE_OF_PARAMETER_MARKER")
            .param("parameterMarker", &marker)
            .with_message(format!("The parameter {marker} has no value that fits here"));
        self.deferring(Err(error), placeholder)
    }

    /// The parts of a name given as text.
    pub fn parse_name_text(&self, mark: usize, text: &str) -> Result<Vec<String>> {
        if text.trim().is_empty() {
            return Err(crate::error::empty_statement().at(Some(&self.origin(mark))));
        }
        let mut parser = Parser::new(text, self.options)?;
        let parts = parser.dotted_name().and_then(|parts| parser.expect_end().map(|()| parts));
        parts.map_err(|e| e.at(Some(&self.origin(mark))))
    }
}

/// The value of string literals, and parameters with a value, put together.
pub fn constant_text(expr: &Expr, options: &ParseOptions) -> Option<String> {
    match expr.unpositioned() {
        Expr::Literal(Literal::String(text)) => Some(text.clone()),
        Expr::Parameter(parameter) => match options.parameters.as_ref()?.get(parameter)? {
            Literal::String(text) => Some(text.clone()),
            _ => None,
        },
        Expr::Function(call)
            if call.name == ["||"] || matches!(call.name.as_slice(), [n] if n.eq_ignore_ascii_case("concat")) =>
        {
            let parts = call.args.iter().map(|arg| constant_text(arg, options));
            parts.collect::<Option<Vec<_>>>().map(|parts| parts.concat())
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
        _ => None,
    }
}

/// True if a name can be that of a temporary object: alone, or behind the schema of the session.
pub fn is_of_session(name: &[String]) -> bool {
    match name {
        [schema, _] => schema.eq_ignore_ascii_case("session"),
        [catalog, schema, _] => catalog.eq_ignore_ascii_case("system") && schema.eq_ignore_ascii_case("session"),
        _ => name.len() < 2,
    }
}
