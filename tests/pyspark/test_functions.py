"""Functions as PySpark calls them, with Spark 4.3's answers."""

import pytest
from pyspark.errors import AnalysisException
from pyspark.sql import Window
from pyspark.sql import functions as F


@pytest.fixture
def people(spark):
    return spark.createDataFrame([("Alice", 2), ("Bob", 5), ("Alice", None), ("Bob", 1)], ["name", "age"])


@pytest.mark.parametrize(
    "order, expect",
    [
        (F.asc, [("Alice", None, 2, [2]), ("Bob", 1, 5, [1, 5])]),
        (F.desc, [("Alice", 2, None, [2]), ("Bob", 5, 1, [5, 1])]),
    ],
)
def test_aggregates_see_the_order_below(people, order, expect):
    ordered = people.orderBy(order("age")).groupBy("name")
    rows = ordered.agg(F.first("age"), F.last("age"), F.collect_list("age")).orderBy("name").collect()
    assert [tuple(row) for row in rows] == expect


def test_the_order_below_is_of_all_partitions(spark):
    numbers = spark.range(0, 1000, 1, 4).orderBy(F.desc("id"))
    (row,) = numbers.agg(F.first("id"), F.last("id"), F.slice(F.collect_list("id"), 1, 3)).collect()
    assert tuple(row) == (999, 0, [999, 998, 997])


@pytest.mark.parametrize(
    "column, expect",
    [
        (lambda: F.approx_count_distinct("id"), 2770),
        (lambda: F.approx_count_distinct("id", 0.39), 3016),
        (lambda: F.approx_count_distinct("id", 0.005), 2996),
        (lambda: F.count(F.expr("*")), 3000),
        (lambda: F.corr("id", F.col("id") * 2), 1.0),
    ],
)
def test_aggregates(spark, column, expect):
    assert spark.range(3000).select(column()).first()[0] == expect


@pytest.mark.parametrize("function, expect", [("vector_sum", [4.0, 6.0]), ("vector_avg", [2.0, 3.0])])
def test_vectors(spark, function, expect):
    # Clients before 4.3 know these in SQL only.
    vectors = spark.createDataFrame([([1.0, 2.0],), (None,), ([3.0, 4.0],)], "v array<float>")
    assert vectors.select(F.expr(f"{function}(v)")).first()[0] == expect


@pytest.mark.parametrize("ignore, expect", [(False, [None, None, None]), (True, [None, None, 3])])
def test_nth_value(spark, ignore, expect):
    values = spark.createDataFrame([(1, 2), (2, None), (3, 3)], ["k", "v"])
    nth = F.nth_value("v", 2, ignore).over(Window.orderBy("k"))
    assert [row[0] for row in values.orderBy("k").select(nth).collect()] == expect


def test_schemas_of_json_in_json(spark):
    schema = spark.range(1).schema
    assert spark.range(1).select(F.from_json(F.lit('{"id": 7}'), schema)).first()[0] == (7,)


def test_names_are_shown_whole(spark, capsys):
    spark.sql("SELECT 1 AS a_name_of_more_than_twenty_letters, parse_json('[1, {\"a\": null}]') AS v").show()
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "|a_name_of_more_than_twenty_letters|             v|"
    assert lines[3] == "|                                 1|[1,{\"a\":null}]|"


@pytest.fixture
def written(spark, tmp_path):
    path = tmp_path / "a folder"
    spark.createDataFrame([(1, "x"), (3, "y")], ["a", "b"]).coalesce(1).write.csv(str(path), header=True)
    return path, spark.read.csv(str(path), header=True)


def test_files_of_rows(written):
    path, table = written
    (file,) = path.glob("part-*")
    url = "/" + str(file).lstrip("/").replace(" ", "%20")
    row = table.select("a").select("_metadata.*", F.input_file_name(), F.input_file_block_length()).first()
    size = file.stat().st_size
    assert row[:5] == (f"file:{url}", file.name, size, 0, size)
    assert row[6:] == (f"file://{url}", size)
    assert table.where("_metadata.file_size > 0").where(F.input_file_name().contains("part-")).count() == 2
    assert table.columns == ["a", "b"]


def test_rows_without_a_file(written):
    _, table = written
    assert table.groupBy("a").count().select(F.input_file_name()).distinct().collect() == [("",)]
    with pytest.raises(AnalysisException) as error:
        table.groupBy("a").count().select("_metadata").collect()
    assert error.value.getCondition() == "UNRESOLVED_COLUMN.WITH_SUGGESTION"


def test_windows_over_grouping_sets(spark):
    """Ordered by an expression of aggregates, beside `grouping`."""
    ranked = spark.sql(
        "SELECT a, grouping(b) AS g, rank() OVER (PARTITION BY grouping(b) ORDER BY sum(v) / count(*)) AS r "
        "FROM VALUES (1, 2, 3), (1, 3, 4) AS t(a, b, v) GROUP BY ROLLUP(a, b)"
    )
    assert sorted(ranked.collect(), key=str) == [(1, 0, 1), (1, 0, 2), (1, 1, 1), (None, 1, 1)]


@pytest.mark.parametrize(
    "expression, expect",
    [
        ("array_distinct(array('a' COLLATE UTF8_LCASE, 'A'))", ["a"]),
        ("array_position(array('a' COLLATE UTF8_LCASE), 'A')", 1),
        ("map('a' COLLATE UTF8_LCASE, 1)['A']", 1),
        ("decode('a' COLLATE UTF8_LCASE, 'A', 1)", 1),
        ("map_contains_key(map(1, 1), 1.0D)", True),
        ("element_at(map(1, 2), 1.0F)", 2),
        ("try_add(DATE'2020-01-01', int('x'))", None),
        ("try_multiply('x', 2)", None),
        ("upper(make_interval(1))", "1 YEARS"),
        ("concat('a', parse_json('1'))", "a1"),
        ("string(123456789F)", "1.23456792E8"),
        ("unix_timestamp(TIMESTAMP_NTZ'1970-01-01 00:00:01')", 1),
        ("sentences('2020-01-31')", [["2020", "01", "31"]]),
        ("typeof(decode(1, 1Y, 1Y))", "bigint"),
    ],
)
def test_arguments_become_what_functions_take(spark, expression, expect):
    assert spark.sql(f"SELECT {expression}").first()[0] == expect


def test_lag_takes_the_frame_that_it_has(spark):
    window = Window.orderBy("id")
    shifted = spark.range(3).select(F.lag("id", 1).over(window.rowsBetween(-1, -1)).alias("before"))
    assert [row.before for row in shifted.collect()] == [None, 0, 1]
    with pytest.raises(AnalysisException) as error:
        spark.range(3).select(F.lag("id", 1).over(window.rowsBetween(-2, -1))).collect()
    assert error.value.getCondition() == "_LEGACY_ERROR_TEMP_1035"


def test_aggregates_of_pandas_on_spark(spark):
    values = spark.createDataFrame([(1.0,), (2.0,), (4.0,), (8.0,)], "x double")
    call = lambda name, *args: F.call_function(name, "x", *args)
    row = values.select(
        call("pandas_var", F.lit(1)), call("pandas_stddev", F.lit(0)), call("pandas_skew"), call("pandas_kurt")
    ).first()
    assert list(row) == pytest.approx([9.583333333, 2.680951324, 1.137624367, 0.757655955], rel=1e-6)
