"""Where rows go, and groups over windows of time; every expectation was recorded on Spark 4.3 with two cores."""

import datetime
import glob
import json

import pytest
from pyspark.errors import AnalysisException
from pyspark.sql import functions as F

@pytest.fixture(scope="module", autouse=True)
def utc(spark):
    before = spark.conf.get("spark.sql.session.timeZone")
    spark.conf.set("spark.sql.session.timeZone", "UTC")
    yield
    spark.conf.set("spark.sql.session.timeZone", before)


def placed(df):
    return [tuple(row) for row in df.select("*", F.spark_partition_id()).collect()]


def numbers(spark, partitions=2):
    return spark.range(0, 10, 1, partitions)


PLACED = {
    "in turn": (
        lambda df: df.repartition(3),
        [(3, 0), (4, 0), (6, 0), (0, 1), (1, 1), (7, 1), (8, 1), (2, 2), (5, 2), (9, 2)],
    ),
    "by hash": (
        lambda df: df.repartition(3, "id"),
        [(3, 0), (6, 0), (7, 0), (0, 1), (1, 2), (2, 2), (4, 2), (5, 2), (8, 2), (9, 2)],
    ),
    "by hash, as many as there is data for": (
        lambda df: df.repartition("id"),
        [(0, 0), (1, 0), (3, 0), (2, 0), (4, 0), (7, 0), (6, 0), (9, 0), (5, 0), (8, 0)],
    ),
    "by range": (
        lambda df: df.repartitionByRange(3, "id"),
        [(0, 0), (1, 0), (2, 0), (3, 0), (4, 1), (5, 1), (6, 1), (7, 2), (8, 2), (9, 2)],
    ),
    "by descending range": (
        lambda df: df.repartitionByRange(3, F.desc("id")),
        [(6, 0), (7, 0), (8, 0), (9, 0), (3, 1), (4, 1), (5, 1), (0, 2), (1, 2), (2, 2)],
    ),
    "sorted within": (
        lambda df: df.sortWithinPartitions(F.desc("id")),
        [(4, 0), (3, 0), (2, 0), (1, 0), (0, 0), (9, 1), (8, 1), (7, 1), (6, 1), (5, 1)],
    ),
    "sorted within, moved": (
        lambda df: df.repartition(3).sortWithinPartitions("id"),
        [(3, 0), (4, 0), (6, 0), (0, 1), (1, 1), (7, 1), (8, 1), (2, 2), (5, 2), (9, 2)],
    ),
    "coalesced to more than there are": (
        lambda df: df.coalesce(8),
        [(n, n // 5) for n in range(10)],
    ),
    "a hint": (lambda df: df.hint("repartition", 1), None),
    "an unknown hint": (lambda df: df.hint("nope", 3), [(n, n // 5) for n in range(10)]),
}


@pytest.mark.parametrize("case", PLACED)
def test_placement(spark, runner, case):
    move, expected = PLACED[case]
    rows = placed(move(numbers(spark)))
    if expected is None:
        assert {p for _, p in rows} == {0}
    elif runner == "cluster":
        # A shuffle does not keep the order of the rows of a partition.
        assert sorted(rows) == sorted(expected)
    else:
        assert rows == expected


def test_coalesce_joins_neighbours(spark):
    rows = placed(spark.range(0, 14, 1, 7).coalesce(3))
    assert rows == [(n, 0 if n < 4 else 1 if n < 8 else 2) for n in range(14)]


def test_shuffle_partitions_count_where_nothing_is_adapted(spark):
    spark.conf.set("spark.sql.adaptive.enabled", "false")
    try:
        expected = {0: 5, 7: 11, 6: 45, 9: 49, 5: 68, 1: 69, 3: 107, 8: 116, 2: 128, 4: 140}
        assert dict(placed(numbers(spark).repartition("id"))) == expected
        spark.conf.set("spark.sql.shuffle.partitions", "4")
        assert max(p for _, p in placed(numbers(spark).repartition("id"))) <= 3
    finally:
        spark.conf.unset("spark.sql.shuffle.partitions")
        spark.conf.unset("spark.sql.adaptive.enabled")


def test_a_filter_by_partition_stays_above(spark):
    moved = numbers(spark).repartition(3, "id").where(F.spark_partition_id() == 0)
    assert sorted(row.id for row in moved.collect()) == [3, 6, 7]


FILES = {
    "three": (lambda df: df.repartition(3), 3),
    "one": (lambda df: df.coalesce(1), 1),
    "five for two rows": (lambda df: df.limit(2).repartition(5), 2),
    "by hint": (lambda df: df.hint("repartition", 4), 4),
}


@pytest.mark.parametrize("case", FILES)
def test_files_are_as_many_as_partitions(spark, tmp_path, case):
    move, count = FILES[case]
    path = str(tmp_path / "out")
    df = move(spark.range(0, 1000, 1, 4))
    df.write.parquet(path)
    assert len(glob.glob(path + "/part-*")) == count
    assert spark.read.parquet(path).count() == df.count()


HINTS = {
    "COALESCE": "_LEGACY_ERROR_TEMP_1048",
    "COALESCE(id)": "_LEGACY_ERROR_TEMP_1048",
    "REPARTITION(3, 4)": "_LEGACY_ERROR_TEMP_1047",
    "REPARTITION(3, nope)": "UNRESOLVED_COLUMN.WITH_SUGGESTION",
}


@pytest.mark.parametrize("hint", HINTS)
def test_wrong_hints(spark, hint):
    numbers(spark).createOrReplaceTempView("numbers")
    with pytest.raises(AnalysisException) as error:
        spark.sql(f"SELECT /*+ {hint} */ * FROM numbers").collect()
    assert error.value.getCondition() == HINTS[hint]


@pytest.mark.parametrize("hint", ["BROADCAST(a)", "MERGE(a, b)", "SHUFFLE_HASH(b)", "SHUFFLE_REPLICATE_NL(a)", "BROADCAST(no_table)"])
def test_join_hints_change_no_answer(spark, hint):
    numbers(spark).createOrReplaceTempView("numbers")
    joined = spark.sql(f"SELECT /*+ {hint} */ a.id FROM numbers a LEFT JOIN numbers b ON a.id = b.id + 1")
    assert sorted(row.id for row in joined.collect()) == list(range(10))


@pytest.fixture(scope="module")
def events(spark):
    spark.sql(
        """SELECT * FROM VALUES (timestamp'2024-03-10 09:05:00', 'a', 1), (timestamp'2024-03-10 09:12:00', 'a', 2),
           (timestamp'2024-03-10 10:01:00', 'b', 3), (null, 'a', 4), (timestamp'1970-01-01 07:59:59.5', 'b', 5)
           AS t(ts, k, v)"""
    ).createOrReplaceTempView("events")


def at(text):
    return datetime.datetime.fromisoformat(text)


GROUPS = {
    "SELECT window.start s, window.end e, count(*) c FROM events GROUP BY window(ts, '10 minutes') ORDER BY s": [
        ("1970-01-01 07:50", "1970-01-01 08:00", 1),
        ("2024-03-10 09:00", "2024-03-10 09:10", 1),
        ("2024-03-10 09:10", "2024-03-10 09:20", 1),
        ("2024-03-10 10:00", "2024-03-10 10:10", 1),
    ],
    "SELECT window.start s, window.end e, sum(v) c FROM events WHERE k = 'a' GROUP BY window(ts, '10 minutes', '5 minutes') "
    "ORDER BY s": [
        ("2024-03-10 09:00", "2024-03-10 09:10", 1),
        ("2024-03-10 09:05", "2024-03-10 09:15", 3),
        ("2024-03-10 09:10", "2024-03-10 09:20", 2),
    ],
    "SELECT w.start s, w.end e, v c FROM (SELECT window(ts, '1 hour', '30 minutes', '15 minutes') w, v FROM events WHERE v = 1)": [
        ("2024-03-10 08:45", "2024-03-10 09:45", 1),
        ("2024-03-10 08:15", "2024-03-10 09:15", 1),
    ],
    "SELECT session_window.start s, session_window.end e, sum(v) c FROM events GROUP BY session_window(ts, '10 minutes') "
    "ORDER BY s": [
        ("1970-01-01 07:59:59.500", "1970-01-01 08:09:59.500", 5),
        ("2024-03-10 09:05", "2024-03-10 09:22", 3),
        ("2024-03-10 10:01", "2024-03-10 10:11", 3),
    ],
    "SELECT session_window.start s, session_window.end e, sum(v) c FROM events "
    "GROUP BY k, session_window(ts, CASE WHEN k = 'a' THEN '5 minutes' ELSE '2 hours' END) ORDER BY s": [
        ("1970-01-01 07:59:59.500", "1970-01-01 09:59:59.500", 5),
        ("2024-03-10 09:05", "2024-03-10 09:10", 1),
        ("2024-03-10 09:12", "2024-03-10 09:17", 2),
        ("2024-03-10 10:01", "2024-03-10 12:01", 3),
    ],
}


@pytest.mark.parametrize("query", GROUPS)
def test_windows_of_time(spark, events, query):
    expected = [(at(start), at(end), count) for start, end, count in GROUPS[query]]
    assert [tuple(row) for row in spark.sql(query).collect()] == expected


def test_windows_of_time_in_the_api(spark, events):
    counts = spark.table("events").groupBy(F.window("ts", "10 minutes")).count()
    window = json.loads(counts.schema.json())["fields"][0]
    assert (window["name"], window["nullable"], window["metadata"]) == ("window", False, {"spark.timeWindow": True})
    times = counts.select(F.window_time("window").alias("t")).orderBy("t").collect()
    assert [row.t for row in times][:2] == [at("1970-01-01 07:59:59.999999"), at("2024-03-10 09:09:59.999999")]


@pytest.mark.parametrize(
    ("group", "condition"),
    [
        ("window(ts, '0 minutes')", "DATATYPE_MISMATCH.VALUE_OUT_OF_RANGE"),
        ("window(ts, '1 minute', '2 minutes')", "DATATYPE_MISMATCH.PARAMETER_CONSTRAINT_VIOLATION"),
        ("window(v, '1 minute')", "DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE"),
        ("window(ts, k)", "_LEGACY_ERROR_TEMP_1207"),
        ("window(ts, '1 minute'), session_window(ts, '1 minute')", "_LEGACY_ERROR_TEMP_1039"),
        ("session_window(ts, v)", "_LEGACY_ERROR_TEMP_1040"),
    ],
)
def test_windows_that_are_none(spark, events, group, condition):
    with pytest.raises(AnalysisException) as error:
        spark.sql(f"SELECT count(*) FROM events GROUP BY {group}").collect()
    assert error.value.getCondition() == condition


def test_deep_queries(spark):
    """Twenty times what a stack of the usual size takes."""
    sums = " + ".join(["id"] + ["1"] * 2000)
    either = " OR ".join(f"id = {n}" for n in range(2000))
    assert spark.sql(f"SELECT {sums} s FROM range(1) WHERE {either}").collect()[0].s == 2000
    df = spark.range(1)
    for n in range(300):
        df = df.withColumn(f"c{n}", F.col("id") + n)
    assert len(df.columns) == 301 and df.collect()[0].c299 == 299
