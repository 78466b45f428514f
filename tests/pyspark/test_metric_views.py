"""Metric views: dimensions and measures that are made once and asked for under any grouping."""

import pytest
from pyspark.errors import PySparkException

TEXT = """
version: 0.1
source: metric_rows
filter: qty > 0
dimensions:
  - name: region
    expr: upper(region)
  - name: size
    expr: if(qty > 1, 'many', 'one')
measures:
  - name: total
    expr: sum(amount)
  - name: mean
    expr: sum(amount) / sum(qty)
"""


@pytest.fixture(scope="module")
def view(spark):
    spark.sql("DROP TABLE IF EXISTS metric_rows")
    spark.sql("CREATE TABLE metric_rows (region STRING, qty INT, amount DOUBLE) USING parquet")
    spark.sql("INSERT INTO metric_rows VALUES ('e', 1, 1.5), ('e', 2, 2.5), ('w', 3, 3.5), ('w', 0, 100.0)")
    spark.sql("DROP VIEW IF EXISTS metrics")
    spark.sql(f"CREATE VIEW metrics WITH METRICS LANGUAGE YAML AS $${TEXT}$$")
    yield "metrics"
    spark.sql("DROP VIEW metrics")
    spark.sql("DROP TABLE metric_rows")


def rows(spark, query):
    return [tuple(r) for r in spark.sql(query).collect()]


def condition_of(ask):
    with pytest.raises(PySparkException) as caught:
        ask()
    return caught.value.getCondition()


@pytest.mark.parametrize(
    ("query", "expect"),
    [
        ("SELECT region, measure(total) FROM metrics GROUP BY region ORDER BY region", [("E", 4.0), ("W", 3.5)]),
        ("SELECT measure(total), measure(mean), count(*) FROM metrics", [(7.5, 1.25, 3)]),
        (
            "SELECT m.size, measure(m.total) + 1 AS t FROM metrics m WHERE m.region = 'E' GROUP BY ALL ORDER BY t",
            [("one", 2.5), ("many", 3.5)],
        ),
        ("FROM metrics |> AGGREGATE measure(total) GROUP BY region |> ORDER BY region", [("E", 4.0), ("W", 3.5)]),
        ("SELECT (SELECT measure(total) FROM metrics) AS t", [(7.5,)]),
    ],
)
def test_measures_are_computed_under_the_grouping(spark, view, query, expect):
    assert rows(spark, query) == expect


def test_columns_say_what_they_are(spark, view):
    region = spark.table(view).schema["region"]
    assert region.metadata == {"metric_view.type": "dimension", "metric_view.expr": "upper(region)"}
    described = {r.col_name: r.data_type for r in spark.sql(f"DESCRIBE EXTENDED {view}").collect()}
    assert (described["total"], described["Type"], described["Language"]) == ("double", "METRIC_VIEW", "YAML")


@pytest.mark.parametrize(
    ("query", "condition"),
    [
        ("SELECT region FROM metrics", "UNSUPPORTED_CALL.WITHOUT_SUGGESTION"),
        ("SELECT sum(total) FROM metrics", "MISSING_ATTRIBUTES.RESOLVED_ATTRIBUTE_MISSING_FROM_INPUT"),
        ("SELECT measure(nosuch) FROM metrics", "UNRESOLVED_COLUMN.WITH_SUGGESTION"),
        ("SELECT measure(qty) FROM metric_rows", "UNSUPPORTED_CALL.WITHOUT_SUGGESTION"),
        ("SHOW CREATE TABLE metrics", "UNSUPPORTED_SHOW_CREATE_TABLE.ON_METRIC_VIEW"),
        ("CREATE VIEW m2 WITH METRICS LANGUAGE YAML AS $$ version: 9 $$", "INVALID_METRIC_VIEW_YAML"),
        ("CREATE VIEW m2 WITH METRICS LANGUAGE YAML AS $$ version: 0.1 $$", "INVALID_METRIC_VIEW_YAML"),
        ("CREATE VIEW m2 WITH METRICS AS $$ x $$", "MISSING_CLAUSES_FOR_OPERATION"),
        ("CREATE VIEW m2 WITH METRICS LANGUAGE YAML AS SELECT 1", "PARSE_SYNTAX_ERROR"),
    ],
)
def test_what_is_wrong_is_refused(spark, view, query, condition):
    assert condition_of(lambda: spark.sql(query).collect()) == condition
