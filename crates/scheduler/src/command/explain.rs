//! `EXPLAIN`: the plans of a query, under Spark's headings.

use std::sync::Arc;

use datafusion::physical_plan::statistics::{StatisticsArgs, StatisticsContext};
use datafusion::physical_plan::{ExecutionPlan, displayable};
use spark::types::StructType;
use spark::{Plan, Result};

use crate::cache::StorageLevel;
use crate::operation::Table;
use crate::report::{self, text};
use crate::route::route;
use crate::session::Session;

/// `EXPLAIN` as a statement.
pub async fn command(session: &Arc<Session>, mode: &str, plan: &Plan) -> Result<Table> {
    // What is wrong with the query is its explanation.
    let explained = match explain(session, plan, mode).await {
        Ok(explained) => explained,
        Err(e) if e.kind() == spark::ErrorKind::Analysis => {
            format!("Error occurred during query planning: \n{}", e.text())
        }
        Err(e) => return Err(e),
    };
    report::table(vec![text("plan", true)], vec![vec![explained.into()]])
}

/// The text of a plan's explanation.
pub async fn explain(session: &Arc<Session>, plan: &Plan, mode: &str) -> Result<String> {
    let analyzed = session.analyze(plan, session.settings()).await?;
    let state = &session.engine().shared().state;
    let prepared = route(session.engine(), &analyzed.plan, session.wish()?).await?;
    let physical = displayable(prepared.plan.as_ref()).indent(false).to_string();
    let physical = match session.persisted_level(plan) {
        Some(level) => in_memory(&physical, &analyzed.schema, level),
        None => physical,
    };
    let physical = format!("== Physical Plan ==\n{physical}\n");
    let note = prepared.note.as_ref().map(|note| format!(" ({note})")).unwrap_or_default();
    let runner = format!("== Runner ==\n{}{note}\n", prepared.runner.name());
    let optimized = || -> Result<String> {
        let plan = state.optimize(&analyzed.plan).map_err(functions::error::from_datafusion)?;
        Ok(format!("== Optimized Logical Plan ==\n{}\n\n", plan.display_indent()))
    };
    Ok(match mode.to_ascii_uppercase().as_str() {
        "EXTENDED" => {
            let columns: Vec<String> =
                analyzed.schema.fields.iter().map(|f| format!("{}: {}", f.name, f.data_type.simple_string())).collect();
            format!(
                "== Parsed Logical Plan ==\n{}\n\n== Analyzed Logical Plan ==\n{}\n{}\n\n{}{physical}\n{runner}",
                crate::command::explain::parsed(plan),
                columns.join(", "),
                analyzed.plan.display_indent(),
                optimized()?,
            )
        }
        "COST" => format!("{}{}\n\n{physical}\n{runner}", optimized()?.trim_end(), statistics(&prepared.plan)),
        "FORMATTED" => {
            let verbose = displayable(prepared.plan.as_ref()).set_show_statistics(true).indent(true).to_string();
            format!("== Physical Plan ==\n{verbose}\n\n{runner}")
        }
        _ => format!("{physical}\n{runner}"),
    })
}

/// The plan of kept rows, which stand in for `physical` once they were needed.
fn in_memory(physical: &str, schema: &StructType, level: StorageLevel) -> String {
    let columns: Vec<&str> = schema.fields.iter().map(|f| f.name.as_str()).collect();
    let columns = columns.join(", ");
    let mut out = format!("InMemoryTableScan [{columns}]\n   +- InMemoryRelation [{columns}], {level:?}\n");
    for line in physical.lines() {
        out.push_str(&format!("         {line}\n"));
    }
    out
}

/// What is known of the size of a plan's result.
fn statistics(plan: &Arc<dyn ExecutionPlan>) -> String {
    let known = StatisticsContext::new().compute(plan.as_ref(), &StatisticsArgs::new()).ok();
    let (bytes, rows) = match known {
        Some(s) => (s.total_byte_size.get_value().copied(), s.num_rows.get_value().copied()),
        None => (None, None),
    };
    let part = |name: &str, n: Option<usize>| n.map(|n| format!("{name}={n}"));
    let parts = [part("sizeInBytes", bytes), part("rowCount", rows)];
    format!("Statistics({})", parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
}

/// A plan as it was written: the kind of each node, above those that it reads.
fn parsed(plan: &Plan) -> String {
    let mut out = String::new();
    parsed_below(&mut plan.clone(), 0, &mut out);
    out.trim_end().to_string()
}

fn parsed_below(plan: &mut Plan, depth: usize, out: &mut String) {
    if let Some(above) = depth.checked_sub(1) {
        out.push_str(&"   ".repeat(above));
        out.push_str("+- ");
    }
    let mut kind = Kind(String::new());
    // The writer refuses what follows the name, so that no data is printed.
    let _ = std::fmt::write(&mut kind, format_args!("{:?}", plan.node));
    out.push_str(&kind.0);
    out.push('\n');
    plan.for_each_child_mut(&mut |child| parsed_below(child, depth + 1, out));
}

/// The first word of what is written.
struct Kind(String);

impl std::fmt::Write for Kind {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let end = text.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(text.len());
        self.0.push_str(&text[..end]);
        if end < text.len() { Err(std::fmt::Error) } else { Ok(()) }
    }
}
