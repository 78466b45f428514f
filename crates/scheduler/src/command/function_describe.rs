//! `DESCRIBE FUNCTION [EXTENDED]`.

use analyzer::world::{SqlFunction, SqlFunctionBody};
use spark::Result;

use super::describe::routine_not_found;
use super::show::created;
use crate::operation::Table;
use crate::report::{self, text};
use crate::session::Session;

/// Describes a function.
///
/// # Errors
/// If there is none.
pub fn run(session: &Session, name: &[String], extended: bool) -> Result<Table> {
    let last = name.last().map(|n| n.to_lowercase()).unwrap_or_default();
    let lines = match super::function::class_of(session, name) {
        Some((full, class)) => of_class(&full, &class, extended),
        None => match super::function::find(session, name)? {
            Some(function) => described(&function, extended),
            None if functions::registry::function(&last).is_some() => {
                vec![format!("Function: {last}"), "Class: built in".to_string()]
            }
            None => return Err(routine_not_found(session, name)),
        },
    };
    report::table(vec![text("function_desc", false)], lines.into_iter().map(|l| vec![l.into()]).collect())
}

/// A function of which nothing but its class is known.
fn of_class(full: &[String], class: &str, extended: bool) -> Vec<String> {
    let mut lines = vec![format!("Function: {}", full.join(".")), format!("Class: {class}"), "Usage: N/A.".to_string()];
    if extended {
        let last = full.last().map(String::as_str).unwrap_or_default();
        lines.push(format!("Extended Usage:\n    No example/argument for {last}.\n"));
    }
    lines
}

/// A parameter or a column of the result, as a row of equal columns.
struct Row {
    name: String,
    ty: String,
    notes: Vec<String>,
}

/// Rows with their names and types in columns of equal width.
fn aligned(rows: &[Row]) -> Vec<String> {
    let width = |of: fn(&Row) -> &String| rows.iter().map(|r| of(r).chars().count()).max().unwrap_or(0);
    let (names, types) = (width(|r| &r.name), width(|r| &r.ty));
    let line = |r: &Row| {
        let notes: String = r.notes.iter().map(|n| format!(" {n}")).collect();
        format!("{:<names$} {:<types$}{notes}", r.name, r.ty)
    };
    rows.iter().map(line).collect()
}

/// A SQL function's kind, parameters and result; with `extended` all that is known of it.
fn described(function: &SqlFunction, extended: bool) -> Vec<String> {
    let about = &function.about;
    let width = if extended { 15 } else { 10 };
    let mut lines = Vec::new();
    let mut put = |label: &str, items: Vec<String>| {
        for (i, item) in items.into_iter().enumerate() {
            let head = if i == 0 { label } else { "" };
            lines.push(format!("{head:<width$}{item}"));
        }
    };
    put("Function:", vec![function.name.join(".")]);
    let inputs: Vec<Row> = function
        .parameters
        .iter()
        .zip(&about.parameters)
        .map(|((name, ty, _), (default, comment))| Row {
            name: name.clone(),
            ty: ty.sql(),
            notes: notes(extended, default.as_deref(), comment.as_deref()),
        })
        .collect();
    let (kind, returns) = match &function.body {
        SqlFunctionBody::Scalar { returns, .. } => ("SCALAR", returns.iter().map(|ty| ty.sql()).collect()),
        SqlFunctionBody::Table { returns, .. } => {
            let fields = returns.iter().flat_map(|r| &r.fields);
            let rows: Vec<Row> = fields
                .map(|f| Row {
                    name: f.name.clone(),
                    ty: f.data_type.sql(),
                    notes: notes(extended, None, super::function::comment_of(f).as_deref()),
                })
                .collect();
            ("TABLE", aligned(&rows))
        }
    };
    put("Type:", vec![kind.to_string()]);
    put("Input:", if inputs.is_empty() { vec!["()".to_string()] } else { aligned(&inputs) });
    put("Returns:", returns);
    if extended {
        put("Collation:", function.collation.iter().map(|c| c.to_string()).collect());
        put("Comment:", about.comment.iter().cloned().collect());
        put("Deterministic:", vec![about.deterministic.to_string()]);
        let access = if about.reads_data { "READS SQL DATA" } else { "CONTAINS SQL" };
        put("Data Access:", vec![access.to_string()]);
        put("Create Time:", vec![created(about.created_micros)]);
        put("Body:", vec![about.text.clone()]);
    }
    lines
}

fn notes(extended: bool, default: Option<&str>, comment: Option<&str>) -> Vec<String> {
    if !extended {
        return Vec::new();
    }
    let mut all: Vec<String> = default.iter().map(|d| format!("DEFAULT {d}")).collect();
    all.extend(comment.map(|c| format!("'{c}'")));
    all
}
