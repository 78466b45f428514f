//! Takes a limit out of an in-memory scan and puts it above it.
//!
//! When a scan of in-memory batches is cut down to the partitions of one task it is rebuilt without
//! its limit, so a `LIMIT` that was pushed all the way into it would be lost.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::limit::{GlobalLimitExec, LocalLimitExec};
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};

/// The pass; see the module.
#[derive(Debug, Clone, Copy)]
pub struct MemoryFetch;

impl PhysicalOptimizerRule for MemoryFetch {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
            let (Some(scan), Some(fetch)) = (memory_scan(&node), node.fetch()) else {
                return Ok(Transformed::no(node));
            };
            let unlimited = DataSourceExec::from_data_source(scan.clone().with_limit(None));
            let limited: Arc<dyn ExecutionPlan> = if node.output_partitioning().partition_count() == 1 {
                Arc::new(GlobalLimitExec::new(unlimited, 0, Some(fetch)))
            } else {
                Arc::new(LocalLimitExec::new(unlimited, fetch))
            };
            Ok(Transformed::yes(limited))
        })
        .data()
    }

    fn name(&self) -> &str {
        "firesteel_memory_fetch"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn memory_scan(node: &Arc<dyn ExecutionPlan>) -> Option<&MemorySourceConfig> {
    let source: &dyn std::any::Any = node.downcast_ref::<DataSourceExec>()?.data_source().as_ref();
    source.downcast_ref()
}
