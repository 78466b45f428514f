//! Makes every stage meet its operators' requirements by what is known inside the stage.
//!
//! DataFusion leaves out a sort or a shuffle that something far below makes needless: a filter on one
//! value sorts by that column, an equality makes hashing by one column hashing by the other. That
//! knowledge ends at a stage's border. There the stage planner would add what is missing without
//! cutting a stage for it, or an executor would refuse to run. So each stage is looked at the way its
//! executors will see it, and what it lacks is added here, where it is still cut into stages.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::ensure_requirements::EnsureRequirements;
use datafusion::physical_optimizer::sanity_checker::SanityCheckPlan;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::{ExecutionPlan, replace_children_if_necessary};

use crate::stages::{StageInput, is_sealed, seal, unseal};

/// A shuffle that is added makes two stages of one, which may lack something in turn; no plan is
/// known that needs a third look.
const MAX_ROUNDS: usize = 8;

/// The pass; see the module.
#[derive(Debug, Clone, Copy)]
pub struct StageRequirements;

impl PhysicalOptimizerRule for StageRequirements {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        settle(&plan, false, config, MAX_ROUNDS)
    }

    fn name(&self) -> &str {
        "firesteel_stage_requirements"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// Why the stage's requirements are not met; `None` if they are.
pub(crate) fn lacks(stage: &Arc<dyn ExecutionPlan>, config: &ConfigOptions) -> Option<String> {
    SanityCheckPlan::new().optimize(Arc::clone(stage), config).err().map(|e| e.strip_backtrace())
}

/// `plan` with every stage of it made whole. The stage planner looks again at those that are
/// `exchanged`, and must find nothing to do.
fn settle(
    plan: &Arc<dyn ExecutionPlan>,
    exchanged: bool,
    config: &ConfigOptions,
    rounds: usize,
) -> Result<Arc<dyn ExecutionPlan>> {
    let mut stage = seal(plan)?;
    if rounds > 0 && (exchanged || lacks(&stage, config).is_some()) {
        stage = EnsureRequirements::new().optimize(stage, config)?;
        if !is_sealed(&stage) {
            return settle(&stage, exchanged, config, rounds - 1);
        }
    }
    unseal(stage, |input| settle_input(input, config))
}

fn settle_input(input: &StageInput, config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
    let source = input.source();
    match source.downcast_ref::<RepartitionExec>() {
        Some(repartition) => {
            let child = settle(repartition.input(), true, config, MAX_ROUNDS)?;
            replace_children_if_necessary(Arc::clone(source), vec![child])
        }
        None => settle(source, input.is_gathered(), config, MAX_ROUNDS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FiresteelCodec;
    use crate::cluster_rules::physical_rules;
    use crate::stage_lint::{MAX_ENCODED_PLAN, lint};
    use crate::stages;
    use datafusion::arrow::array::{Int64Array, RecordBatch};
    use datafusion::arrow::util::pretty::pretty_format_batches;
    use datafusion::datasource::MemTable;
    use datafusion::execution::SessionStateBuilder;
    use datafusion::physical_plan::collect;
    use datafusion::prelude::{SessionConfig, SessionContext};

    /// A session that plans for the cluster, over `t` in four partitions and `u` in one.
    fn session(settled: bool) -> SessionContext {
        let config = SessionConfig::new()
            .with_target_partitions(4)
            .with_round_robin_repartition(false)
            .set_bool("datafusion.optimizer.enable_dynamic_filter_pushdown", false)
            .set_bool("datafusion.optimizer.prefer_existing_sort", false);
        let base = SessionStateBuilder::new().with_default_features().with_config(config).build();
        let mut rules = physical_rules(base.physical_optimizers());
        if !settled {
            rules.retain(|rule| rule.name() != StageRequirements.name());
        }
        let state = SessionStateBuilder::new_from_existing(base).with_physical_optimizer_rules(rules).build();
        let ctx = SessionContext::new_with_state(state);
        for (name, partitions) in [("t", 4), ("u", 1)] {
            let rows = |p: i64| {
                let column = |f: fn(i64) -> i64| Arc::new(Int64Array::from_iter_values((p * 50..p * 50 + 50).map(f)));
                let columns = [("k", column(|v| v % 5) as _), ("m", column(|v| v % 7) as _), ("v", column(|v| v) as _)];
                vec![RecordBatch::try_from_iter(columns).expect("batch")]
            };
            let partitions: Vec<_> = (0..partitions).map(rows).collect();
            let table = MemTable::try_new(partitions[0][0].schema(), partitions).expect("table");
            ctx.register_table(name, Arc::new(table)).expect("table");
        }
        ctx
    }

    async fn planned(ctx: &SessionContext, sql: &str) -> Arc<dyn ExecutionPlan> {
        ctx.sql(sql).await.expect(sql).create_physical_plan().await.expect(sql)
    }

    fn lacking(plan: &Arc<dyn ExecutionPlan>) -> Option<String> {
        let config = ConfigOptions::default();
        stages::find(plan, &mut |stage| lacks(stage, &config)).expect("stages")
    }

    async fn answer(ctx: &SessionContext, plan: Arc<dyn ExecutionPlan>) -> Vec<String> {
        let batches = collect(plan, ctx.task_ctx()).await.expect("rows");
        let mut lines: Vec<_> =
            pretty_format_batches(&batches).expect("text").to_string().lines().map(str::to_owned).collect();
        lines.sort();
        lines
    }

    /// What DataFusion's plan alone makes of the query, and what is made of it here.
    async fn check(sql: &str, lacked: bool) {
        let (before, after) = (session(false), session(true));
        let (alone, settled) = (planned(&before, sql).await, planned(&after, sql).await);
        assert_eq!(lacking(&alone).is_some(), lacked, "{sql}");
        assert_eq!(lacking(&settled), None, "{sql}");
        assert!(lint(&settled, &FiresteelCodec::default(), MAX_ENCODED_PLAN).is_ok(), "{sql}");
        assert_eq!(answer(&after, settled).await, answer(&before, alone).await, "{sql}");
    }

    #[tokio::test]
    async fn what_is_known_to_be_constant_is_sorted_by_all_the_same() {
        let grouped = "(SELECT k, m, max(v) AS v FROM t WHERE k = 3 GROUP BY k, m)";
        check(&format!("SELECT v, rank() OVER (PARTITION BY k, m ORDER BY v) FROM {grouped}"), true).await;
        check(&format!("SELECT v, sum(v) OVER (PARTITION BY k, m) FROM {grouped}"), true).await;
        check(
            &format!("SELECT sum(n) FROM (SELECT rank() OVER (PARTITION BY k, m ORDER BY v) AS n FROM {grouped})"),
            true,
        )
        .await;
    }

    #[tokio::test]
    async fn what_is_whole_stays() {
        for sql in [
            "SELECT k, sum(v) FROM t GROUP BY k ORDER BY k",
            "SELECT v, rank() OVER (PARTITION BY k ORDER BY v) FROM t",
            "SELECT v, rank() OVER (ORDER BY v) FROM t UNION ALL SELECT v, rank() OVER (ORDER BY k, v) FROM u",
            "SELECT t.v FROM t JOIN u ON t.k = u.k WHERE t.v < 9",
            "SELECT v FROM t WHERE v NOT IN (SELECT v + 5 FROM u)",
            "SELECT t.v, u.v FROM t LEFT JOIN u ON t.v = u.v + 5",
            "SELECT k FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.k = t.k AND u.v <> t.v)",
        ] {
            check(sql, false).await;
        }
    }
}
