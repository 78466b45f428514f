//! Where rows go, in one process and as shuffles.

use std::sync::Arc;

use datafusion::arrow::array::{AsArray, Int64Array, RecordBatch};
use datafusion::arrow::datatypes::{DataType, Field, Int64Type, Schema};
use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::execution::TaskContext;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{CastExpr, Column};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::ensure_requirements::EnsureRequirements;
use datafusion::physical_plan::displayable;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties, collect, execute_stream_partitioned};
use futures::TryStreamExt;

use super::{CoalesceExec, ExchangeExec, Lowering};

/// Numbers from 0 in partitions of `each`.
fn numbers(partitions: i64, each: i64) -> Result<Arc<dyn ExecutionPlan>> {
    let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, true)]));
    let batches = (0..partitions)
        .map(|p| {
            let column = Int64Array::from_iter_values(p * each..(p + 1) * each);
            Ok(vec![RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(column)])?])
        })
        .collect::<Result<Vec<_>>>()?;
    Ok(MemorySourceConfig::try_new_exec(&batches, schema, None)?)
}

/// The number itself as a bucket.
fn own_bucket() -> Arc<dyn PhysicalExpr> {
    Arc::new(CastExpr::new(Arc::new(Column::new("n", 0)), DataType::Int32, None))
}

async fn lowered(plan: Arc<dyn ExecutionPlan>, distributed: bool) -> Result<Vec<Vec<i64>>> {
    let plan = Lowering { distributed }.optimize(plan, &ConfigOptions::default())?;
    let mut out = Vec::new();
    for stream in execute_stream_partitioned(plan, Arc::new(TaskContext::default()))? {
        let batches: Vec<RecordBatch> = stream.try_collect().await?;
        out.push(batches.iter().flat_map(|b| b.column(0).as_primitive::<Int64Type>().values().to_vec()).collect());
    }
    Ok(out)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn buckets_are_partitions() -> Result<()> {
    for (inputs, each, buckets, partitions, expect) in [
        (2, 3, 6, 6, vec![vec![0], vec![1], vec![2], vec![3], vec![4], vec![5]]),
        (3, 2, 6, 3, vec![vec![0, 1], vec![2, 3], vec![4, 5]]),
        (2, 3, 6, 1, vec![vec![0, 1, 2, 3, 4, 5]]),
        (3, 1, 1, 1, vec![vec![0, 1, 2]]),
        (1, 4, 200, 4, vec![vec![0, 1, 2, 3], vec![], vec![], vec![]]),
    ] {
        let exchange = ExchangeExec::new(numbers(inputs, each)?, Some(own_bucket()), buckets, partitions);
        let exchange: Arc<dyn ExecutionPlan> = Arc::new(exchange);
        assert_eq!(lowered(Arc::clone(&exchange), false).await?, expect, "{buckets} in {partitions}");
        let mut shuffled = lowered(exchange, true).await?;
        shuffled.iter_mut().for_each(|rows| rows.sort_unstable());
        assert_eq!(shuffled, expect, "{buckets} shuffled into {partitions}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_are_dealt_out_as_spark_deals_them() -> Result<()> {
    let dealt = lowered(Arc::new(ExchangeExec::new(numbers(1, 10)?, None, 3, 3)), false).await?;
    assert_eq!(dealt, [vec![3, 5, 2, 1], vec![7, 6, 9], vec![0, 8, 4]]);
    let shuffled = lowered(Arc::new(ExchangeExec::new(numbers(4, 50)?, None, 3, 3)), true).await?;
    assert_eq!(shuffled.len(), 3);
    assert_eq!(shuffled.iter().map(Vec::len).sum::<usize>(), 200);
    assert!(shuffled.iter().all(|rows| rows.len() > 30), "{shuffled:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neighbours_are_coalesced() -> Result<()> {
    for (wanted, expect) in [
        (1, vec![vec![0, 1, 2, 3, 4, 5, 6]]),
        (3, vec![vec![0, 1], vec![2, 3], vec![4, 5, 6]]),
        (9, (0..7).map(|n| vec![n]).collect()),
    ] {
        let coalesced: Arc<dyn ExecutionPlan> = Arc::new(CoalesceExec::new(numbers(7, 1)?, wanted));
        assert_eq!(lowered(Arc::clone(&coalesced), false).await?, expect, "{wanted}");
        let shuffled = lowered(coalesced, true).await?;
        assert_eq!((shuffled.len(), shuffled.concat().len()), (expect.len(), 7), "{wanted}");
    }
    Ok(())
}

#[test]
fn one_partition_stays_though_nothing_needs_it() -> Result<()> {
    let config = ConfigOptions::default();
    for asked in [true, false] {
        let numbers = numbers(3, 2)?;
        let plan: Arc<dyn ExecutionPlan> = match asked {
            true => Arc::new(CoalesceExec::new(numbers, 1)),
            false => Arc::new(ExchangeExec::new(numbers, None, 1, 1)),
        };
        let plan = Lowering { distributed: true }.optimize(plan, &config)?;
        let plan = EnsureRequirements::new().optimize(plan, &config)?;
        assert_eq!(plan.output_partitioning().partition_count(), 1);
        let text = displayable(plan.as_ref()).indent(false).to_string();
        assert!(text.contains("CoalescePartitionsExec"), "{text}");
    }
    Ok(())
}

#[tokio::test]
async fn a_row_without_columns_is_moved_too() -> Result<()> {
    use datafusion::physical_plan::projection::ProjectionExec;
    let empty: Vec<(Arc<dyn PhysicalExpr>, String)> = Vec::new();
    for distributed in [false, true] {
        let rows: Arc<dyn ExecutionPlan> = Arc::new(ProjectionExec::try_new(empty.clone(), numbers(2, 5)?)?);
        let exchange: Arc<dyn ExecutionPlan> = Arc::new(ExchangeExec::new(rows, None, 4, 4));
        let plan = Lowering { distributed }.optimize(exchange, &ConfigOptions::default())?;
        assert_eq!(plan.output_partitioning().partition_count(), 4);
        let batches = collect(plan, Arc::new(TaskContext::default())).await?;
        assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 10, "{distributed}");
    }
    Ok(())
}
