//! Chooses the runner of a query, right after analysis: the two plan differently.
//!
//! Small inputs run in this process, where a query takes a millisecond or two; large and unknown
//! ones go to the cluster. What the cluster cannot run correctly stays here, and says so.

use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::datasource::{MemTable, source_as_provider};
use datafusion::execution::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlan};
use planner::in_order::merge_in_order;
use planner::source::range::RangeTable;
use planner::source::table::FileTable;
use spark::{Error, Result};

use crate::cache::KeptTable;
use crate::cluster::{Cluster, planning_state};
use crate::conf::{RunnerChoice, runner_choice};
use crate::engine::Engine;
use crate::local::LocalRunner;
use crate::query::{Prepared, physical};
use crate::session::Session;

/// Inputs up to this size are not worth the way to the executors.
const LOCAL_BYTES: u64 = 64 << 20;

/// Bytes of a number of a range.
const BYTES_PER_NUMBER: u64 = 8;

/// Views within views are followed this far.
const MAX_VIEW_DEPTH: usize = 16;

/// What a session asks for.
#[derive(Debug, Clone, Copy)]
pub struct Wish {
    pub runner: RunnerChoice,
    /// Refuse what the wished runner cannot run, instead of running it here.
    pub strict: bool,
}

impl Session {
    /// The session's wish.
    ///
    /// # Errors
    /// If the configuration names no runner.
    pub(crate) fn wish(&self) -> Result<Wish> {
        let (runner, strict) = runner_choice(&self.conf.view())?;
        Ok(Wish { runner, strict })
    }
}

/// Optimises and plans `logical` for the runner that it is to run on.
///
/// # Errors
/// If it cannot be planned, or the wish is strict and cannot be met.
pub async fn route(engine: &Engine, logical: &LogicalPlan, wish: Wish) -> Result<Prepared> {
    let shared = engine.shared();
    let strict = wish.strict && wish.runner == RunnerChoice::Cluster;
    let (Some(cluster), Some(state)) = (&shared.cluster, &shared.cluster_state) else {
        return here(engine, logical, strict, "this server has no cluster").await;
    };
    if wish.runner == RunnerChoice::Local || (wish.runner == RunnerChoice::Auto && is_small(logical)) {
        return local(engine, logical, None).await;
    }
    let vcores = cluster.active_vcores().await;
    if vcores == 0 {
        return here(engine, logical, strict, "no executor is there").await;
    }
    match distributed(cluster, state, logical, vcores).await? {
        Ok(prepared) => Ok(prepared),
        Err(refusal) => here(engine, logical, strict, &refusal).await,
    }
}

/// The plan for the cluster, or why it cannot run there.
async fn distributed(
    cluster: &Cluster,
    state: &SessionState,
    logical: &LogicalPlan,
    vcores: usize,
) -> Result<std::result::Result<Prepared, String>> {
    let state = planning_state(state, vcores);
    // Metrics are gathered in one process; a query that is spread out gets them by one more.
    let logical = functions::observe::unobserved(logical).map_err(functions::error::from_datafusion)?;
    if filters_in_window(&logical)? {
        return Ok(Err("a window aggregates what a filter leaves, which its wire form forgets".to_owned()));
    }
    let plan = match physical(&state, &logical).await {
        Ok(plan) => plan,
        // What is wrong with the query itself is said by the runner here.
        Err(e) => return Ok(Err(format!("it cannot be planned for the cluster: {e}"))),
    };
    let runner = cluster.runner();
    Ok(match runner.check(&plan) {
        Ok(()) => Ok(Prepared { plan, runner: Arc::new(runner), state, note: None }),
        Err(refusal) => Err(refusal.to_string()),
    })
}

/// Whether an aggregate over a window has a `FILTER`.
fn filters_in_window(plan: &LogicalPlan) -> Result<bool> {
    let mut found = false;
    let walk = plan.apply_with_subqueries(|node| {
        node.apply_expressions(|root| {
            root.apply(|expr| {
                found |= matches!(expr, Expr::WindowFunction(window) if window.params.filter.is_some());
                Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
            })
        })
    });
    walk.map_err(functions::error::from_datafusion)?;
    Ok(found)
}

async fn here(engine: &Engine, logical: &LogicalPlan, strict: bool, why: &str) -> Result<Prepared> {
    if strict {
        return Err(Error::unsupported(format!("running this query on the cluster ({why})")));
    }
    local(engine, logical, Some(format!("not on the cluster: {why}"))).await
}

async fn local(engine: &Engine, logical: &LogicalPlan, note: Option<String>) -> Result<Prepared> {
    let state = engine.shared().state.clone();
    let plan = merge_in_order(physical(&state, logical).await?).map_err(functions::error::from_datafusion)?;
    Ok(Prepared { plan, runner: Arc::new(LocalRunner), state, note })
}

/// Whether all inputs together are known to be small.
fn is_small(plan: &LogicalPlan) -> bool {
    input_bytes(plan, 0).is_some_and(|bytes| bytes <= LOCAL_BYTES)
}

/// Bytes that the plan reads; `None` when some source does not say.
fn input_bytes(plan: &LogicalPlan, depth: usize) -> Option<u64> {
    if depth > MAX_VIEW_DEPTH {
        return None;
    }
    let mut total = Some(0u64);
    let walk = plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            let bytes = source_as_provider(&scan.source).ok().and_then(|p| table_bytes(&p, depth));
            total = total.zip(bytes).map(|(a, b)| a.saturating_add(b));
        }
        Ok(if total.is_some() { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
    });
    walk.ok().and(total)
}

fn table_bytes(table: &Arc<dyn TableProvider>, depth: usize) -> Option<u64> {
    if let Some(view) = table.get_logical_plan() {
        return input_bytes(&view, depth + 1);
    }
    let any: &dyn std::any::Any = table.as_ref();
    if let Some(files) = any.downcast_ref::<FileTable>() {
        return Some(files.total_bytes());
    }
    if let Some(numbers) = any.downcast_ref::<RangeTable>() {
        let rows = u64::try_from(numbers.range.rows()).unwrap_or(u64::MAX);
        return Some(rows.saturating_mul(BYTES_PER_NUMBER));
    }
    // These rows are in this process already.
    (any.is::<MemTable>() || any.is::<KeptTable>()).then_some(0)
}
