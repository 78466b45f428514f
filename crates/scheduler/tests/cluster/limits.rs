//! Risks 1 and 5: plans that the linter refuses, before they can do harm.

use std::sync::Arc;

use datafusion::arrow::array::{Int64Array, RecordBatch};
use datafusion::datasource::MemTable;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::placeholder_row::PlaceholderRowExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::{ExecutionPlanProperties, Partitioning};
use planner::stage_lint::Refusal;
use scheduler::cluster::Cluster;
use scheduler::runner::{JobRunner, JobSpec};

use crate::harness::{Fixture, Setup};

/// A plan of rows that nobody knows how to deal out: DataFusion's generated series.
async fn series(fixture: &Fixture) -> Arc<dyn ExecutionPlan> {
    let (plan, _) = fixture.plan("SELECT * FROM generate_series(1, 1000)").await;
    plan
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_go_wrong_silently_is_refused() {
    let fixture = Setup { executors: 0, ..Default::default() }.start().await;
    let runner = fixture.cluster.runner();
    let refusal = |plan: Arc<dyn ExecutionPlan>| runner.check(&plan).expect_err("refused");
    let (scan, ctx) = fixture.plan("SELECT v FROM t").await;
    let schema = scan.schema();

    let rows = PlaceholderRowExec::new(Arc::clone(&schema)).with_partitions(3);
    assert!(matches!(refusal(Arc::new(rows)), Refusal::GeneratedLeaf { partitions: 3, .. }));
    let empty = EmptyExec::new(schema).with_partitions(2);
    assert!(matches!(refusal(Arc::new(empty)), Refusal::GeneratedLeaf { partitions: 2, .. }));

    let spread = RepartitionExec::try_new(Arc::clone(&scan), Partitioning::RoundRobinBatch(2));
    let spread = Arc::new(spread.expect("repartition"));
    assert!(matches!(refusal(spread), Refusal::Repartition { .. }));

    let leaf = series(&fixture).await;
    if leaf.output_partitioning().partition_count() > 1 {
        assert!(matches!(refusal(leaf), Refusal::UnknownLeaf { .. }));
    }

    let recursive = "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 9) SELECT * FROM n";
    let (plan, _) = fixture.plan(recursive).await;
    assert_eq!(refusal(plan), Refusal::Recursion);

    // The local planner leaves dynamic filters and scalar subqueries in; the cluster's does not.
    for sql in [
        "SELECT t.v FROM t JOIN u ON t.v = u.v",
        "SELECT v FROM t WHERE v > (SELECT avg(v) FROM u)",
        "SELECT v FROM t ORDER BY v LIMIT 3",
    ] {
        let local = fixture.session(false).await;
        let plan = local.sql(sql).await.expect(sql).create_physical_plan().await.expect(sql);
        refusal(plan);
        let (plan, _) = fixture.plan(sql).await;
        assert_eq!(runner.check(&plan), Ok(()), "{sql}");
    }

    let started =
        runner.run(Arc::new(PlaceholderRowExec::new(scan.schema()).with_partitions(2)), ctx, JobSpec::default());
    let error = started.await.err().expect("refused");
    assert!(error.to_string().contains("PlaceholderRowExec"), "{error}");
}

async fn with_table(
    fixture: &Fixture,
    rows: i64,
) -> (Arc<dyn ExecutionPlan>, Arc<datafusion::prelude::SessionContext>) {
    let ctx = fixture.session(true).await;
    let partitions: Vec<_> = (0..8)
        .map(|p| {
            let column = Arc::new(Int64Array::from_iter_values(p * rows / 8..(p + 1) * rows / 8)) as _;
            vec![RecordBatch::try_from_iter([("n", column)]).expect("batch")]
        })
        .collect();
    let table = MemTable::try_new(partitions[0][0].schema(), partitions).expect("table");
    ctx.register_table("m", Arc::new(table)).expect("table");
    let frame = ctx.sql("SELECT n % 5 AS g, count(*) AS c FROM m GROUP BY n % 5").await.expect("query");
    (frame.create_physical_plan().await.expect("plan"), ctx)
}

async fn executors(cluster: &Cluster) -> Vec<String> {
    cluster.executors().await.into_iter().map(|e| e.id).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn oversized_plans_are_refused_and_large_ones_cost_no_executor() {
    let fixture = Setup { executors: 2, ..Default::default() }.start().await;
    let before = executors(&fixture.cluster).await;
    let runner = fixture.cluster.runner();

    let (plan, _) = with_table(&fixture, 5 << 20).await;
    assert!(matches!(runner.check(&plan), Err(Refusal::Oversized { .. })));

    // 8 MiB of rows: below the limit, above Ballista's default for a message.
    let (plan, ctx) = with_table(&fixture, 1 << 20).await;
    let stream = runner.run(plan, ctx, JobSpec::default()).await.expect("accepted");
    let batches: Vec<_> = futures::TryStreamExt::try_collect(stream).await.expect("result");
    assert_eq!(crate::harness::rows(&batches).len(), 5);
    assert_eq!(executors(&fixture.cluster).await, before);
    fixture.settled().await;
}
