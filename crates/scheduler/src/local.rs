//! Runs plans in this process, with DataFusion's whole optimizer.

use std::num::NonZeroUsize;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::common::Result as DfResult;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{FairSpillPool, MemoryPool, TrackConsumersPool, UnboundedMemoryPool};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::{SendableRecordBatchStream, SessionState, SessionStateBuilder};
use datafusion::functions_aggregate::first_last::first_value_udaf;
use datafusion::optimizer::Optimizer;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::physical_plan::{ExecutionPlan, execute_stream, execute_stream_partitioned};
use datafusion::prelude::{SessionConfig, SessionContext};
use planner::in_order::in_order;
use planner::source::stores::EnvironmentStores;
use spark::{Error, Result};

use crate::engine::EngineConfig;
use crate::runner::{JobRunner, JobSpec};

/// Consumers named when memory runs out.
const NAMED_CONSUMERS: usize = 5;

/// Space for spilled data.
const MAX_SPILL_BYTES: u64 = 1 << 40;

/// Memory, spilled data and object stores of local plans.
///
/// # Errors
/// If the folder for spilled data cannot be made.
pub fn runtime(config: &EngineConfig) -> Result<Arc<RuntimeEnv>> {
    if let Some(bytes) = config.memory_bytes {
        functions::room::set_memory(bytes);
    }
    let spill = config.data_dir.join("spill");
    std::fs::create_dir_all(&spill).map_err(|e| Error::internal(format!("cannot make {}: {e}", spill.display())))?;
    let disk = DiskManagerBuilder::default()
        .with_mode(DiskManagerMode::Directories(vec![spill]))
        .with_max_temp_directory_size(MAX_SPILL_BYTES);
    RuntimeEnvBuilder::new()
        .with_memory_pool(memory_pool(config.memory_bytes))
        .with_disk_manager_builder(disk)
        .with_object_store_registry(Arc::new(EnvironmentStores::default()))
        .build_arc()
        .map_err(functions::error::from_datafusion)
}

/// The state that local plans are optimised with.
pub fn session_state(config: SessionConfig, runtime: Arc<RuntimeEnv>) -> SessionState {
    SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(runtime)
        .with_default_features()
        // The state is copied for every query, and nothing in it looks functions up by name but the
        // rule for DISTINCT ON: plans hold the functions themselves.
        .with_scalar_functions(Vec::new())
        .with_aggregate_functions(vec![first_value_udaf()])
        .with_window_functions(Vec::new())
        .with_analyzer_rules(planner::coercion::analyzer_rules())
        .with_optimizer_rules(planner::coercion::optimizer_rules(&Optimizer::new().rules))
        .with_query_planner(Arc::new(planner::exchange::OperatorQueryPlanner))
        .with_physical_optimizer_rules(planner::hinted_join::with_hinted_join(planner::small_join::with_small_join(
            planner::exchange::with_lowering(&planner::row_position::with_row_rules(&PhysicalOptimizer::new().rules)),
        )))
        .with_physical_optimizer_rule(Arc::new(planner::string_views::StringViews))
        .with_physical_optimizer_rule(Arc::new(planner::finer_scans::FinerScans))
        .build()
}

fn memory_pool(bytes: Option<usize>) -> Arc<dyn MemoryPool> {
    match bytes {
        Some(bytes) => Arc::new(TrackConsumersPool::new(
            FairSpillPool::new(bytes),
            NonZeroUsize::MIN.saturating_add(NAMED_CONSUMERS - 1),
        )),
        None => Arc::new(UnboundedMemoryPool::default()),
    }
}

/// The configuration of local plans.
pub fn session_config(config: &EngineConfig) -> SessionConfig {
    SessionConfig::new()
        .with_target_partitions(config.threads.max(1))
        .with_information_schema(false)
        // Dealing batches out in turn would lose the order of the rows.
        .with_round_robin_repartition(false)
        // So would unions of partitions of the same keys.
        .set_bool("datafusion.optimizer.prefer_existing_union", true)
        .set_bool("datafusion.execution.parquet.schema_force_view_types", false)
        .set_bool("datafusion.sql_parser.map_string_types_to_utf8view", false)
        // INT96 holds instants; Spark reads them as microseconds.
        .set_str("datafusion.execution.parquet.coerce_int96", "us")
        .set_str("datafusion.execution.parquet.coerce_int96_tz", "UTC")
}

/// The runner.
#[derive(Debug, Clone, Copy)]
pub struct LocalRunner;

#[async_trait]
impl JobRunner for LocalRunner {
    fn name(&self) -> &'static str {
        "local"
    }

    async fn run(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        ctx: Arc<SessionContext>,
        _job: JobSpec,
    ) -> DfResult<SendableRecordBatchStream> {
        execute_stream(in_order(plan), ctx.task_ctx())
    }

    async fn run_partitioned(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        ctx: Arc<SessionContext>,
        _job: JobSpec,
    ) -> DfResult<Vec<SendableRecordBatchStream>> {
        execute_stream_partitioned(plan, ctx.task_ctx())
    }
}
