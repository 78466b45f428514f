//! Risk 1: rows must not be repeated by the way a plan is dealt out to tasks.

use std::sync::Arc;

use datafusion::arrow::array::{Int64Array, RecordBatch};
use datafusion::datasource::MemTable;
use scheduler::cluster::ClusterConfig;
use scheduler::operation::OperatorMetrics;
use scheduler::runner::{JobRunner, JobSpec};

use crate::harness::{Fixture, Setup, rows};
use futures::TryStreamExt;

/// Every shape of plan that is cut into stages differently.
const QUERIES: &[&str] = &[
    "SELECT * FROM t",
    "SELECT v, s FROM t WHERE v % 7 = 3",
    "SELECT count(*), sum(v) FROM t",
    "SELECT k, count(*), sum(v), max(s) FROM t GROUP BY k",
    "SELECT DISTINCT k FROM t",
    "SELECT * FROM t ORDER BY v DESC LIMIT 7",
    "SELECT * FROM t ORDER BY k, v OFFSET 11",
    "SELECT count(*) FROM (SELECT * FROM t LIMIT 13)",
    "SELECT k, v FROM t UNION ALL SELECT k, v FROM u",
    "SELECT k, count(*) FROM (SELECT k FROM t UNION ALL SELECT k FROM u) GROUP BY k",
    "SELECT 1 AS one UNION ALL SELECT 2 UNION ALL SELECT k FROM u",
    "SELECT * FROM (VALUES (1, 'a'), (2, 'b')) AS x(n, c)",
    "SELECT t.v, u.s FROM t JOIN u ON t.v = u.v",
    "SELECT t.v, u.s FROM t LEFT JOIN u ON t.v = u.v",
    "SELECT u.v, t.s FROM u LEFT JOIN t ON t.v = u.v + 700",
    "SELECT t.v, u.v FROM t FULL JOIN u ON t.v = u.v + 300",
    "SELECT a.k, count(*) FROM t a JOIN t b ON a.v = b.v GROUP BY a.k",
    "SELECT v FROM t WHERE v IN (SELECT v FROM u)",
    "SELECT v FROM t WHERE v NOT IN (SELECT v FROM u)",
    "SELECT v FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.v = t.v)",
    "SELECT v FROM t WHERE v > (SELECT avg(v) FROM u)",
    "SELECT count(*) FROM u a WHERE EXISTS (SELECT 1 FROM u b WHERE a.k = b.k AND a.v <> b.v)",
    "SELECT sum(v) FROM u a WHERE NOT EXISTS (SELECT 1 FROM u b WHERE a.v = b.v + 20)",
    "SELECT count(*), count(b.v) FROM u a LEFT JOIN u b ON a.v = b.v + 20",
    "SELECT u.v, count(t.v) FROM u LEFT JOIN t ON t.v < u.v - 300 GROUP BY u.v",
    "SELECT t.v, u.v FROM t LEFT JOIN u ON t.v > 1990 AND t.v < u.v * 4 AND u.v > 740",
    "SELECT t.v, u.v FROM t FULL JOIN u ON t.v > 1990 AND t.v < u.v * 4 AND u.v > 740",
    "SELECT count(*) FROM t CROSS JOIN (SELECT v FROM u WHERE v < 260) x",
    "SELECT k, v, row_number() OVER (PARTITION BY k ORDER BY v) AS r FROM t",
    "SELECT v, sum(v) OVER (ORDER BY v ROWS 2 PRECEDING) AS r FROM u",
    "SELECT v, rank() OVER (PARTITION BY k, s ORDER BY v) FROM (SELECT k, s, max(v) AS v FROM t WHERE k = 3 GROUP BY k, s)",
    "SELECT v, sum(v) OVER (PARTITION BY k, s), rank() OVER (PARTITION BY k, s ORDER BY v) FROM (SELECT k, s, max(v) AS v FROM t WHERE k = 3 GROUP BY k, s)",
    // The joined side is larger than it seems at first.
    "SELECT a.v, sum(a.v) OVER (ORDER BY a.v ROWS UNBOUNDED PRECEDING) FROM (SELECT v, row_number() OVER (ORDER BY v) AS r FROM t WHERE v < 50) a JOIN u ON u.v = 600 - a.v",
    "SELECT v, rank() OVER (ORDER BY v) FROM u UNION ALL SELECT k, rank() OVER (ORDER BY k, v) FROM t WHERE v < 90 UNION ALL SELECT k, v FROM u",
    "SELECT v, rank() OVER (PARTITION BY k ORDER BY v) FROM t UNION ALL SELECT v, rank() OVER (PARTITION BY s ORDER BY v) FROM t UNION ALL SELECT k, v FROM u",
    "SELECT k, max(v) FROM t GROUP BY k UNION ALL (SELECT k, v FROM t ORDER BY v DESC LIMIT 5)",
    "SELECT k, count(DISTINCT v % 3) FROM t GROUP BY k",
    "SELECT k FROM t EXCEPT SELECT k FROM u WHERE k > 4",
    "SELECT v FROM t INTERSECT SELECT v FROM u",
    "SELECT k, v FROM t WHERE false",
    "WITH x AS (SELECT k, sum(v) AS n FROM t GROUP BY k) SELECT a.k, b.n FROM x a JOIN x b ON a.k = b.k",
    "SELECT array_length(array_agg(v)) FROM t GROUP BY k",
    "SELECT upper(s), abs(v - 1000) FROM t",
];

async fn check_all(fixture: &Fixture) {
    for sql in QUERIES {
        fixture.check(sql).await;
    }
    fixture.settled().await;
}

/// The rows that the operators of a finished job have put out, by their names, parents first.
async fn rows_by_operator(fixture: &Fixture, sql: &str) -> Vec<(String, i64)> {
    let running = fixture.start(sql).await;
    let measured = Arc::clone(&running.measured);
    running.rows().await.expect(sql);
    let operators = measured.get().expect("measured").clone();
    assert!(operators.iter().enumerate().all(|(i, o)| o.id == i as i64 && o.parent < o.id), "{operators:?}");
    let rows = |o: &OperatorMetrics| o.values.iter().find(|v| v.name == "number of output rows").map(|v| v.value);
    operators.iter().filter_map(|o| Some((o.name.clone(), rows(o)?))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_tell_what_they_measured() {
    let fixture = Setup { executors: 2, vcores: 2, ..Default::default() }.start().await;
    let of = |rows: Vec<(String, i64)>, name: &str| -> Vec<i64> {
        rows.into_iter().filter(|(operator, _)| operator == name).map(|(_, rows)| rows).collect()
    };
    let counts = |sql: &'static str| async { fixture.expected(sql).await.concat() };
    let (t, u) = (counts("SELECT count(*) FROM t").await, counts("SELECT count(*) FROM u").await);
    // Each task of the union sees one of its scans.
    let rows = rows_by_operator(&fixture, "SELECT k, v FROM t UNION ALL SELECT k, v FROM u").await;
    let scanned: Vec<String> = of(rows, "DataSourceExec").into_iter().map(|n| format!("|{n}|")).collect();
    assert_eq!(scanned, [t, u]);
    // Stages hang together.
    let rows = rows_by_operator(&fixture, "SELECT k, count(*) FROM t GROUP BY k ORDER BY k").await;
    let grouped = of(rows, "AggregateExec");
    assert_eq!(grouped.first(), Some(&10), "{grouped:?}");
    assert_eq!(grouped.len(), 2, "{grouped:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_partition_per_task() {
    check_all(&Setup { executors: 3, vcores: 2, ..Default::default() }.start().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_partitions_in_one_task() {
    let config = ClusterConfig { max_partitions_per_task: 0, ..Default::default() };
    check_all(&Setup { executors: 1, vcores: 4, config, ..Default::default() }.start().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn results_beyond_memory_spill() {
    let config = ClusterConfig { result_memory: 1000, ..Setup::default().config };
    let fixture = Setup { config, ..Default::default() }.start().await;
    fixture.check("SELECT * FROM t").await;
    fixture.check("SELECT k, count(*) FROM t GROUP BY k").await;
    fixture.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_memory_tables_are_dealt_out_and_their_limits_kept() {
    let fixture = Setup::default().start().await;
    let batch = |from: i64| {
        let column = Arc::new(Int64Array::from_iter_values(from..from + 10)) as _;
        RecordBatch::try_from_iter([("n", column)]).expect("batch")
    };
    let partitions: Vec<_> = (0..4).map(|p| vec![batch(p * 10)]).collect();
    for sql in ["SELECT n FROM m", "SELECT sum(n) FROM m", "SELECT count(*) FROM (SELECT n FROM m LIMIT 5)"] {
        let run = async |distributed: bool| {
            let ctx = fixture.session(distributed).await;
            let table = MemTable::try_new(partitions[0][0].schema(), partitions.clone());
            ctx.register_table("m", Arc::new(table.expect("table"))).expect("table");
            let plan = ctx.sql(sql).await.expect(sql).create_physical_plan().await.expect(sql);
            if !distributed {
                let context = ctx.task_ctx();
                return rows(&datafusion::physical_plan::collect(plan, context).await.expect(sql));
            }
            let runner = fixture.cluster.runner();
            let run = runner.run(plan, ctx, JobSpec::default());
            rows(&run.await.expect(sql).try_collect::<Vec<_>>().await.expect(sql))
        };
        assert_eq!(run(true).await, run(false).await, "{sql}");
    }
}
