"""Queries that are to run on the cluster do run there: the planner has to make their stages right."""

import pytest
import tpc


@pytest.fixture(scope="module")
def cluster_spark(spark, runner):
    if runner != "cluster":
        pytest.skip("needs --runner cluster")
    return spark


def runner_of(spark, statement):
    """The runner of a statement, and why it is not the one that was asked for."""
    explained = spark.sql(f"EXPLAIN {statement}").collect()[0][0]
    return explained.split("== Runner ==")[1].strip()


@pytest.mark.parametrize("benchmark", ("tpch", "tpcds"))
def test_nothing_falls_back(cluster_spark, data, benchmark):
    tpc.register(cluster_spark, data / benchmark)
    elsewhere = {}
    for query in tpc.names(benchmark):
        for statement in tpc.statements(benchmark, query):
            if statement[:6].lower() != "select" and statement[:4].lower() != "with":
                cluster_spark.sql(statement)
            elif (where := runner_of(cluster_spark, statement)) != "cluster":
                elsewhere[query] = where
    assert elsewhere == {}


@pytest.mark.parametrize(
    "query",
    (
        # Windows whose sort leaves out what is constant below a shuffle.
        "SELECT id, rank() OVER (PARTITION BY k, m ORDER BY id) FROM"
        " (SELECT k, m, max(id) AS id FROM n WHERE k = 3 GROUP BY k, m)",
        "SELECT id, sum(id) OVER (PARTITION BY k, m) AS s, lag(id) OVER (PARTITION BY k, m ORDER BY id) FROM"
        " (SELECT k, m, max(id) AS id FROM n WHERE k = 3 GROUP BY k, m)",
        # Functions whose direction or treatment of nulls must travel.
        "SELECT id, lag(id) OVER (PARTITION BY k ORDER BY id) AS a, lag(id) OVER (PARTITION BY k ORDER BY id DESC) AS b,"
        " lead(nullif(m, 3), 2) IGNORE NULLS OVER (PARTITION BY k ORDER BY id) AS c,"
        " nth_value(nullif(m, 3), 2) IGNORE NULLS OVER (PARTITION BY k ORDER BY id DESC) AS d,"
        " last_value(m) OVER (PARTITION BY k ORDER BY id DESC) AS e FROM n",
        # Joins that answer for their build side.
        "SELECT id FROM n a WHERE EXISTS (SELECT 1 FROM n b WHERE a.id = b.id + 7 AND a.k <> b.m)",
        "SELECT id FROM n a WHERE NOT EXISTS (SELECT 1 FROM n b WHERE a.id = b.id + 7)",
        "SELECT a.id, b.m FROM n a LEFT JOIN n b ON a.id = b.id + 7",
        "SELECT id FROM n WHERE id NOT IN (SELECT id + 7 FROM n)",
        # Unions over sorted, collected and shuffled sides.
        "SELECT id, rank() OVER (ORDER BY id) AS r FROM n WHERE k = 1 UNION ALL"
        " SELECT m, rank() OVER (ORDER BY -id) FROM n UNION ALL SELECT k, 0 FROM n",
        "SELECT k, max(id) FROM n GROUP BY k UNION ALL (SELECT m, id FROM n ORDER BY id DESC LIMIT 5)",
        # Sides of unions that are sorted or counted partition by partition.
        "SELECT id, rank() OVER (PARTITION BY k ORDER BY id) AS r FROM n UNION ALL"
        " SELECT m, rank() OVER (PARTITION BY m ORDER BY id) FROM n",
        "SELECT id, spark_partition_id() FROM range(0, 40, 1, 3) UNION ALL"
        " SELECT id, spark_partition_id() FROM range(0, 40, 1, 5)",
        # Rows and partitions that are counted.
        "SELECT id, rand(7), spark_partition_id(), monotonically_increasing_id() FROM range(0, 100, 1, 7)",
        "SELECT count(*), sum(id) FROM range(0, 1000, 1, 5) WHERE rand(3) < 0.3",
        # Rows in the order of their partitions.
        "SELECT id FROM range(0, 100, 1, 7) LIMIT 20",
    ),
)
def test_answers_are_the_same(cluster_spark, tmp_path, query):
    path = str(tmp_path / "n")
    cluster_spark.sql("SELECT id, id % 10 AS k, id % 7 AS m FROM range(400)").repartition(4).write.parquet(path)
    cluster_spark.read.parquet(path).createOrReplaceTempView("n")
    assert runner_of(cluster_spark, query) == "cluster"
    distributed = sorted(map(tuple, cluster_spark.sql(query).collect()))
    cluster_spark.conf.set("firesteel.execution.runner", "local")
    try:
        local = sorted(map(tuple, cluster_spark.sql(query).collect()))
    finally:
        cluster_spark.conf.set("firesteel.execution.runner", "cluster")
    assert distributed == local
