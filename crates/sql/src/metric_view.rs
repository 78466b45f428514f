//! Metric views: `CREATE VIEW … WITH METRICS LANGUAGE YAML AS $$ … $$`, and the text between the dollars.

use std::sync::Arc;

use serde::{Deserialize, Deserializer};
use serde_norway::Value;
use spark::command::CreateView;
use spark::plan::{Aggregate, GroupKind, MetricColumn, MetricView};
use spark::types::Metadata;
use spark::{Error, Expr, Literal, Node, Origin, Plan, Result};

use crate::ParseOptions;
use crate::lexer::Tok;
use crate::parser::Parser;

/// The only version of the text.
const VERSION: &str = "0.1";

/// The clauses by which a view is one of metrics.
#[derive(Debug, Default)]
pub(crate) struct MetricClauses {
    pub with_metrics: bool,
    pub language: Option<String>,
}

impl MetricClauses {
    /// True if there is any of them.
    pub fn is_named(&self) -> bool {
        self.with_metrics || self.language.is_some()
    }
}

/// The text, field by field.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    #[serde(rename = "version")]
    _version: Value,
    #[serde(deserialize_with = "text")]
    source: String,
    #[serde(default, deserialize_with = "optional_text")]
    filter: Option<String>,
    #[serde(default)]
    dimensions: Vec<Column>,
    #[serde(default)]
    measures: Vec<Column>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Column {
    #[serde(deserialize_with = "text")]
    name: String,
    #[serde(deserialize_with = "text")]
    expr: String,
}

/// A scalar as text, as it was written: `0.1` and `"0.1"` are the same.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        _ => None,
    }
}

fn text<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<String, D::Error> {
    scalar(&Value::deserialize(from)?).ok_or_else(|| serde::de::Error::custom("this is no text"))
}

fn optional_text<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<Option<String>, D::Error> {
    match Value::deserialize(from)? {
        Value::Null => Ok(None),
        value => scalar(&value).map(Some).ok_or_else(|| serde::de::Error::custom("this is no text")),
    }
}

fn invalid(message: impl Into<String>) -> Error {
    let message = message.into();
    let told = format!("The text of the metric view cannot be read: {message}");
    Error::analysis("INVALID_METRIC_VIEW_YAML").param("message", message).with_message(told)
}

/// Reads the text of a metric view, which stands at `origin`.
///
/// # Errors
/// `INVALID_METRIC_VIEW_YAML`, and those of the SQL in it.
pub fn parse_metric_view(yaml: &str, options: &ParseOptions, origin: Option<&Arc<Origin>>) -> Result<MetricView> {
    read(yaml, options, origin).map_err(|e| match e.condition() {
        "INVALID_METRIC_VIEW_YAML" => e,
        _ => e.at(origin),
    })
}

fn read(yaml: &str, options: &ParseOptions, origin: Option<&Arc<Origin>>) -> Result<MetricView> {
    let unreadable = |e: serde_norway::Error| invalid(format!("Failed to parse YAML: {e}"));
    let fields: Value = serde_norway::from_str(yaml).map_err(unreadable)?;
    if !fields.is_mapping() {
        return Err(invalid("Failed to parse YAML: there are no fields"));
    }
    match fields.get("version").map(scalar) {
        Some(Some(version)) if version == VERSION => {}
        Some(Some(version)) => return Err(invalid(format!("Invalid YAML version: {version}"))),
        Some(None) => return Err(invalid("Failed to parse YAML: the version is no text")),
        None => return Err(invalid("Invalid YAML version: null")),
    }
    let text: Text = serde_norway::from_value(fields).map_err(unreadable)?;
    let at = |node: Node| Plan { origin: origin.cloned(), ..Plan::from(node) };
    let (source, is_from_query) = match crate::parse_multipart_identifier(&text.source, options) {
        Ok(name) => (at(Node::Table { name, options: Vec::new(), is_streaming: false, time_travel: None }), false),
        Err(_) => (crate::parse_query(&text.source, options)?, true),
    };
    let source = match &text.filter {
        Some(filter) => {
            // It is judged as a whole, by where the view is made.
            let condition = crate::parse_expression(filter, options)?.unpositioned().clone();
            at(Node::Filter { input: Box::new(source), condition })
        }
        None => source,
    };
    let columns = |columns: Vec<Column>, kind: &str| -> Result<Vec<MetricColumn>> {
        let column = |column: Column| {
            let expr = crate::parse_expression(&column.expr, options)?;
            let said = serde_json::json!({ "metric_view.type": kind, "metric_view.expr": column.expr });
            Ok(MetricColumn { name: column.name, expr, metadata: Metadata::from_json(&said) })
        };
        columns.into_iter().map(column).collect()
    };
    Ok(MetricView {
        source,
        dimensions: columns(text.dimensions, "dimension")?,
        measures: columns(text.measures, "measure")?,
        from: text.source,
        is_from_query,
        filter: text.filter,
    })
}

/// A query that yields all columns of a metric view, each measure by all dimensions.
fn all_columns(view: &MetricView) -> Plan {
    let named = |column: &MetricColumn| Expr::Alias {
        child: Box::new(column.expr.clone()),
        names: vec![column.name.clone()],
        metadata: Some(column.metadata.to_json().to_string()),
    };
    // A number would be a position.
    let is_number = |expr: &Expr| matches!(expr.unpositioned(), Expr::Literal(Literal::Integer(_)));
    Plan::from(Node::Aggregate(Box::new(Aggregate {
        input: view.source.clone(),
        kind: GroupKind::GroupBy,
        grouping: view.dimensions.iter().map(|d| d.expr.clone()).filter(|e| !is_number(e)).collect(),
        aggregates: view.dimensions.iter().chain(&view.measures).map(named).collect(),
        prepend_grouping: false,
    })))
}

impl Parser<'_> {
    /// The text of a metric view behind `AS`; `mark` is where the statement begins.
    pub(crate) fn metric_view(&mut self, mark: usize, view: &mut CreateView, clauses: MetricClauses) -> Result<()> {
        if !self.at_code() {
            return Err(self.syntax_error());
        }
        let token = self.advance();
        let code = self.text_of(token);
        let fence = code.get(1..).and_then(|rest| rest.find('$')).map_or(0, |end| end + 2);
        let yaml = code.get(fence..code.len() - fence).unwrap_or_default().to_string();
        let missing = |clause: &str| {
            Err(self
                .error(mark, "MISSING_CLAUSES_FOR_OPERATION")
                .param("clauses", clause)
                .param("operation", "CREATE METRIC VIEW")
                .with_message(format!("A view of metrics needs the clause {clause}")))
        };
        if !clauses.with_metrics {
            return missing("WITH METRICS");
        }
        let Some(language) = clauses.language else { return missing("LANGUAGE") };
        if !language.eq_ignore_ascii_case("YAML") {
            let message = format!("Unsupported language for metric view: {language}");
            return Err(self
                .error(mark, "_LEGACY_ERROR_TEMP_0035")
                .param("message", &message)
                .with_message("The text of a view of metrics is YAML"));
        }
        let metrics = parse_metric_view(&yaml, self.options, Some(&self.origin(mark)))?;
        view.plan = all_columns(&metrics);
        view.text = Some(yaml);
        view.metric_view = Some(Box::new(metrics));
        Ok(())
    }

    fn at_code(&self) -> bool {
        self.peek() == Tok::Code
    }
}
