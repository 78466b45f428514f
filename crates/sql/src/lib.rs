//! Spark SQL text to Spark's plain values: plans, commands, expressions, types.

mod call;
mod datetime;
mod ddl;
mod ddl_alter;
mod ddl_table;
mod dml;
mod error;
mod expr;
mod function;
mod interval;
mod json_type;
mod keywords;
mod lexer;
mod literal;
mod metric_view;
mod misc;
mod name;
mod options;
mod parser;
mod pipe;
mod primary;
mod query;
mod relation;
#[cfg(test)]
mod round_trips;
mod script;
mod set;
#[cfg(test)]
mod shape;
mod show;
mod statement;
mod substitute;
#[cfg(test)]
mod tests;
mod types;

use spark::expr::{SortOrder, WindowRef};
use spark::{DataType, Expr, Plan, Result, StructType};

pub use datetime::{Zone, parse_date, parse_time, parse_timestamp, special_date, special_instant};
pub use error::{timestamp_nanos_disabled, timestamp_precision};
pub use interval::{Interval, parse_multi_units as parse_interval};
pub use json_type::parse_json_type;
pub use keywords::Kw;
pub use metric_view::parse_metric_view;
pub use options::{IdentifierResolver, ParameterValues, ParseOptions};
pub use statement::Statement;

use parser::Parser;

/// Parses all of `text` by `f`.
fn whole<'a, T>(text: &str, options: &'a ParseOptions, f: impl FnOnce(&mut Parser<'a>) -> Result<T>) -> Result<T> {
    let mut parser = Parser::new(text, options)?;
    let value = f(&mut parser)?;
    parser.expect_end()?;
    parser.take_deferred().map_or(Ok(value), Err)
}

/// A statement: a query, a command or a script.
pub fn parse_statement(text: &str, options: &ParseOptions) -> Result<Statement> {
    if text.trim().is_empty() {
        return Err(error::empty_statement());
    }
    whole(text, options, Parser::statement)
}

/// The names of objects in a statement with their positions, as far as it can be read.
pub fn object_names(text: &str, options: &ParseOptions) -> Vec<(Vec<String>, std::sync::Arc<spark::Origin>)> {
    let Ok(mut parser) = Parser::new(text, options) else { return Vec::new() };
    parser.note_names();
    // What is wrong with the text was said when it was parsed to be run.
    let _read = parser.statement();
    parser.take_names()
}

/// The position of a whole statement.
pub fn whole_origin(text: &str, options: &ParseOptions) -> Option<std::sync::Arc<spark::Origin>> {
    let parser = Parser::new(text, options).ok()?;
    Some(parser.whole_origin())
}

/// A query.
pub fn parse_query(text: &str, options: &ParseOptions) -> Result<Plan> {
    if text.trim().is_empty() {
        return Err(error::empty_statement());
    }
    whole(text, options, Parser::query)
}

/// An expression with an optional alias, as `F.expr` and `selectExpr` take it.
pub fn parse_expression(text: &str, options: &ParseOptions) -> Result<Expr> {
    if text.trim().is_empty() {
        return Err(error::empty_statement());
    }
    whole(text, options, Parser::named_expression)
}

/// A sort item: `a DESC NULLS LAST`.
pub fn parse_sort_order(text: &str, options: &ParseOptions) -> Result<SortOrder> {
    whole(text, options, Parser::sort_item)
}

/// A window: a name, or a definition in parentheses.
pub fn parse_window(text: &str, options: &ParseOptions) -> Result<WindowRef> {
    whole(text, options, Parser::window_reference)
}

/// A data type.
pub fn parse_data_type(text: &str, options: &ParseOptions) -> Result<DataType> {
    if text.trim().is_empty() {
        return Err(error::empty_statement());
    }
    whole(text, options, Parser::data_type)
}

/// What `SET PATH =` takes.
pub fn parse_path(text: &str, options: &ParseOptions) -> Result<Vec<spark::command::PathEntry>> {
    whole(text, options, Parser::path)
}

/// A dotted name: `` a.`b c`.d ``.
pub fn parse_multipart_identifier(text: &str, options: &ParseOptions) -> Result<Vec<String>> {
    if text.trim().is_empty() {
        return Err(error::empty_statement());
    }
    whole(text, options, Parser::dotted_name)
}

/// A schema: a list of columns, a struct type, or Spark's JSON form of either.
pub fn parse_table_schema(text: &str, options: &ParseOptions) -> Result<StructType> {
    types::parse_schema(text, options)
}
