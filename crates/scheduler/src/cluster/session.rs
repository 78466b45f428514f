//! Sessions whose plans can be distributed.

use ballista_core::extension::SessionConfigExt;
use ballista_core::optimizer::with_ballista_optimizer_rules;
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::prelude::SessionConfig;
use planner::cluster_rules;
use planner::finer_scans::FinerScans;
use planner::small_aggregate::MergedAggregate;
use planner::string_views::StringViews;

/// Build sides up to this size are collected once and broadcast to the tasks of the probe side.
const BROADCAST_BYTES: usize = 32 << 20;

/// The same where only the number of rows is known.
const BROADCAST_ROWS: usize = 512 << 10;

/// Fewer partitions would change plans more than spare work.
const MIN_PARTITIONS: usize = 2;

/// More partitions cost more in messages than they bring, one core each or not.
const MAX_PARTITIONS: usize = 512;

/// Message limit of every channel that takes it from the session.
const MESSAGE_BYTES: &str = "268435456";

/// `base` with every setting that a distributed plan depends on.
pub fn session_config(base: SessionConfig) -> SessionConfig {
    base.upgrade_for_ballista()
        // A lost executor would hang an adaptive job; see the ADR on embedding Ballista.
        .with_ballista_adaptive_query_planner(false)
        .with_round_robin_repartition(false)
        // Arrow IPC ships the whole buffers behind views.
        .set_bool("datafusion.execution.parquet.schema_force_view_types", false)
        .set_bool("datafusion.sql_parser.map_string_types_to_utf8view", false)
        // These three hand values through shared memory, which ends at a stage's border.
        .set_bool("datafusion.optimizer.enable_dynamic_filter_pushdown", false)
        .set_bool("datafusion.optimizer.enable_physical_uncorrelated_scalar_subquery", false)
        .set_bool("datafusion.optimizer.enable_piecewise_merge_join", false)
        // A shuffle does not keep the order of its input.
        .set_bool("datafusion.optimizer.prefer_existing_sort", false)
        // Hash joins are planned so that small sides are broadcast; `JoinChoice` turns what may not
        // fit into sort-merge joins.
        .set_bool("datafusion.optimizer.prefer_hash_join", true)
        .set_usize("datafusion.optimizer.hash_join_single_partition_threshold", BROADCAST_BYTES)
        .set_usize("datafusion.optimizer.hash_join_single_partition_threshold_rows", BROADCAST_ROWS)
        .with_ballista_broadcast_join_threshold_bytes(BROADCAST_BYTES)
        .with_ballista_broadcast_join_threshold_rows(BROADCAST_ROWS)
        .set_str("ballista.client.grpc_max_message_size", MESSAGE_BYTES)
        // Fetches are retried by the stage; waiting 3 s per attempt first only delays that.
        .set_str("ballista.client.io_retry_wait_time_ms", "200")
        .set_str("ballista.client.grpc_connect_timeout_seconds", "5")
}

/// `base` made to plan for the cluster: settings, logical and physical rules.
pub fn session_state(base: &SessionState) -> SessionState {
    let logical = with_ballista_optimizer_rules(base.optimizers());
    // Arrow IPC ships the whole buffers behind views: they stay in one process. A part of a scan is a task
    // here, which has a thread to itself; and one task aggregates what another reads.
    let local_only = [StringViews.name(), FinerScans.name(), MergedAggregate.name()];
    let rules: Vec<_> =
        base.physical_optimizers().iter().filter(|r| !local_only.contains(&r.name())).cloned().collect();
    let physical = cluster_rules::physical_rules(&rules);
    with_config(base, session_config(base.config().clone()))
        .with_optimizer_rules(logical)
        .with_physical_optimizer_rules(physical)
        .build()
}

/// `state`, which plans for the cluster, with as many partitions as there are cores.
pub fn planning_state(state: &SessionState, vcores: usize) -> SessionState {
    let partitions = vcores.clamp(MIN_PARTITIONS, MAX_PARTITIONS);
    let config = state.config().clone().with_target_partitions(partitions);
    with_config(state, config).build()
}

/// `base` under another configuration, with the same tables: a builder that is given one makes a
/// new default catalog in the place of the old, in the list that both share.
pub(super) fn with_config(base: &SessionState, config: SessionConfig) -> SessionStateBuilder {
    SessionStateBuilder::new_from_existing(base.clone())
        // Executors keep caches by session.
        .with_session_id(base.session_id().to_owned())
        .with_config(config.with_create_default_catalog_and_schema(false))
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::prelude::SessionContext;

    #[test]
    fn what_hangs_or_repeats_rows_is_off_whatever_the_base_says() {
        let base = SessionConfig::new()
            .with_target_partitions(7)
            .with_round_robin_repartition(true)
            .set_bool("datafusion.optimizer.enable_dynamic_filter_pushdown", true)
            .with_ballista_adaptive_query_planner(true);
        let config = session_config(session_config(base));
        assert!(!config.ballista_adaptive_query_planner_enabled());
        let options = config.options();
        assert_eq!(options.execution.target_partitions, 7);
        assert!(!options.optimizer.enable_round_robin_repartition);
        assert!(!options.optimizer.enable_dynamic_filter_pushdown);
        assert!(!options.optimizer.enable_physical_uncorrelated_scalar_subquery);
    }

    #[tokio::test]
    async fn tables_stay_where_they_are() {
        let ctx = SessionContext::new();
        ctx.sql("CREATE TABLE t AS VALUES (1)").await.expect("a table");
        let cluster = SessionContext::new_with_state(session_state(&ctx.state()));
        assert!(ctx.table_exist("t").expect("catalog") && cluster.table_exist("t").expect("catalog"));
        assert_eq!(ctx.session_id(), cluster.session_id());
    }

    #[test]
    fn a_state_keeps_its_own_rules() {
        let state = session_state(&SessionContext::new().state());
        let again = session_state(&state);
        assert_eq!(state.physical_optimizers().len(), again.physical_optimizers().len());
        assert_eq!(state.optimizers().len(), again.optimizers().len());
    }
}
