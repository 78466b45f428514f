"""What a data engineer's first hour uses: make, look at, transform, join, aggregate."""

import datetime
import decimal

import pandas as pd
import pyarrow as pa
import pytest
from pyspark.sql import Row, Window
from pyspark.sql import functions as F


@pytest.fixture(scope="module")
def people(spark):
    rows = [("ann", 34, "oslo"), ("bob", 45, "rome"), ("cyd", 29, "oslo"), ("dan", None, None)]
    return spark.createDataFrame(rows, "name string, age int, city string")


def test_version_names_spark(spark):
    assert spark.version.startswith("4.3")


def test_select_one(spark):
    assert spark.sql("SELECT 1 AS one").collect() == [Row(one=1)]


def test_show(people, capsys):
    people.orderBy("name").show()
    assert capsys.readouterr().out == (
        "+----+----+----+\n|name| age|city|\n+----+----+----+\n| ann|  34|oslo|\n| bob|  45|rome|\n"
        "| cyd|  29|oslo|\n| dan|NULL|NULL|\n+----+----+----+\n\n"
    )


def test_schema(people, capsys):
    assert people.columns == ["name", "age", "city"]
    assert dict(people.dtypes) == {"name": "string", "age": "int", "city": "string"}
    people.printSchema()
    assert "|-- age: integer (nullable = true)" in capsys.readouterr().out


def test_results_in_every_form(people):
    ordered = people.orderBy("name")
    assert [r.name for r in ordered.collect()] == ["ann", "bob", "cyd", "dan"]
    assert list(ordered.toPandas()["name"]) == ["ann", "bob", "cyd", "dan"]
    assert ordered.toArrow().column("name").to_pylist() == ["ann", "bob", "cyd", "dan"]
    assert [r.name for r in ordered.toLocalIterator()] == ["ann", "bob", "cyd", "dan"]
    assert ordered.first().name == "ann"
    assert [r.name for r in ordered.take(2)] == ["ann", "bob"]
    assert [r.name for r in ordered.tail(1)] == ["dan"]
    assert people.count() == 4
    assert not people.isEmpty()


def test_empty_results_keep_their_schema(people):
    none = people.filter("age > 100")
    assert none.collect() == []
    assert none.toArrow().schema.names == ["name", "age", "city"]
    assert list(none.toPandas().columns) == ["name", "age", "city"]


@pytest.mark.parametrize("source", ["rows", "pandas", "arrow", "dicts"])
def test_create_data_frame(spark, source):
    made = {
        "rows": lambda: spark.createDataFrame([(1, "a"), (2, None)], ["n", "s"]),
        "pandas": lambda: spark.createDataFrame(pd.DataFrame({"n": [1, 2], "s": ["a", None]})),
        "arrow": lambda: spark.createDataFrame(pa.table({"n": [1, 2], "s": ["a", None]})),
        "dicts": lambda: spark.createDataFrame([{"n": 1, "s": "a"}, {"n": 2, "s": None}]),
    }[source]()
    assert [(r.n, r.s) for r in made.orderBy("n").collect()] == [(1, "a"), (2, None)]


def test_values_survive_the_round_trip(spark):
    row = (
        True, 127, 1.5, decimal.Decimal("12.34"), "é", bytearray(b"\x00\xff"), datetime.date(1582, 10, 15),
        datetime.datetime(2024, 2, 29, 12, 30, 0, 123456), [1, None], {"k": 1}, Row(a=1, b="x"),
    )
    schema = (
        "b boolean, t tinyint, d double, m decimal(10,2), s string, y binary, e date, ts timestamp_ntz, "
        "l array<int>, p map<string,int>, r struct<a:int,b:string>"
    )
    assert tuple(spark.createDataFrame([row], schema).collect()[0]) == row


def test_filter_project_and_expressions(people):
    got = (
        people.filter((F.col("age") > 30) & F.col("city").isNotNull())
        .select("name", (F.col("age") + 1).alias("next"), F.upper("city").alias("CITY"))
        .withColumn("kind", F.when(F.col("next") > 40, "senior").otherwise("junior"))
        .orderBy("name")
        .collect()
    )
    assert [tuple(r) for r in got] == [("ann", 35, "OSLO", "junior"), ("bob", 46, "ROME", "senior")]


def test_group_and_aggregate(people):
    got = people.groupBy("city").agg(F.count("*").alias("n"), F.avg("age").alias("mean")).orderBy("city").collect()
    assert [tuple(r) for r in got] == [(None, 1, None), ("oslo", 2, 31.5), ("rome", 1, 45.0)]


def test_rollup_and_cube(people):
    got = people.na.drop().rollup("city").agg(F.sum("age").alias("s")).orderBy("s").collect()
    assert [tuple(r) for r in got] == [("rome", 45), ("oslo", 63), (None, 108)]
    assert people.cube("city", "name").count().count() == 3 + 4 + 4 + 1


def test_pivot(people):
    got = people.na.drop().groupBy().pivot("city").sum("age").collect()
    assert [r.asDict() for r in got] == [{"oslo": 63, "rome": 45}]


@pytest.mark.parametrize(
    "how, expect",
    [
        ("inner", [("ann", "no"), ("cyd", "no")]),
        ("left", [("ann", "no"), ("bob", None), ("cyd", "no"), ("dan", None)]),
        ("left_semi", [("ann",), ("cyd",)]),
        ("left_anti", [("bob",), ("dan",)]),
    ],
)
def test_joins(spark, people, how, expect):
    countries = spark.createDataFrame([("oslo", "no"), ("lima", "pe")], ["city", "country"])
    columns = ["name", "country"][: len(expect[0])]
    got = people.join(countries, "city", how).select(*columns).orderBy("name").collect()
    assert [tuple(r) for r in got] == expect


def test_full_outer_and_cross_join(spark, people):
    countries = spark.createDataFrame([("oslo", "no"), ("lima", "pe")], ["city", "country"])
    assert people.join(countries, "city", "full").count() == 5
    assert people.crossJoin(countries).count() == 8


def test_self_join_by_data_frame_columns(people):
    a, b = people.alias("a"), people.alias("b")
    pairs = a.join(b, (F.col("a.city") == F.col("b.city")) & (F.col("a.name") < F.col("b.name")))
    assert [tuple(r) for r in pairs.select("a.name", "b.name").collect()] == [("ann", "cyd")]


def test_windows(people):
    by_city = Window.partitionBy("city").orderBy("name")
    got = people.na.drop().select(
        "name", F.row_number().over(by_city).alias("n"), F.sum("age").over(by_city).alias("s")
    )
    assert [tuple(r) for r in got.orderBy("name").collect()] == [("ann", 1, 34), ("bob", 1, 45), ("cyd", 2, 63)]


def test_set_operations(spark):
    a, b = spark.range(4), spark.range(2, 6)
    check = lambda frame, expect: [r.id for r in frame.orderBy("id").collect()] == expect
    assert check(a.union(b), [0, 1, 2, 2, 3, 3, 4, 5])
    assert check(a.intersect(b), [2, 3])
    assert check(a.subtract(b), [0, 1])
    assert check(a.union(b).distinct(), [0, 1, 2, 3, 4, 5])


def test_missing_values(people):
    assert people.na.fill({"age": 0, "city": "?"}).filter("name = 'dan'").collect() == [Row(name="dan", age=0, city="?")]
    assert people.na.drop().count() == 3
    assert people.na.replace("oslo", "bergen", "city").filter("city = 'bergen'").count() == 2


def test_describe(people):
    got = {r["summary"]: r["age"] for r in people.describe("age").collect()}
    assert (got["count"], got["mean"], got["min"], got["max"]) == ("3", "36.0", "29", "45")


def test_nested_values(spark):
    frame = spark.createDataFrame([(1, ["a", "b"]), (2, [])], "id int, tags array<string>")
    assert [tuple(r) for r in frame.select("id", F.explode("tags")).orderBy("col").collect()] == [(1, "a"), (1, "b")]
    assert frame.select(F.transform("tags", lambda t: F.upper(t)).alias("t")).first().t == ["A", "B"]
    assert frame.filter(F.size("tags") > 0).select(F.element_at("tags", 1).alias("e")).first().e == "a"


def test_views(spark, people):
    people.createOrReplaceTempView("people_view")
    assert spark.sql("SELECT count(*) AS n FROM people_view WHERE city = 'oslo'").first().n == 2
    assert spark.table("people_view").count() == 4
    spark.catalog.dropTempView("people_view")
    with pytest.raises(Exception, match="TABLE_OR_VIEW_NOT_FOUND"):
        spark.table("people_view").collect()


def test_sql_arguments(spark):
    assert spark.sql("SELECT :a + :b AS s", args={"a": 1, "b": 2}).first().s == 3
    assert spark.sql("SELECT ? AS x", args=["y"]).first().x == "y"
    assert spark.sql("SELECT sum(id) AS s FROM {ids}", ids=spark.range(4)).first().s == 6


def test_explain(people, capsys):
    people.filter("age > 1").explain()
    assert "Physical Plan" in capsys.readouterr().out


def test_configuration(spark):
    spark.conf.set("spark.sql.shuffle.partitions", "7")
    assert spark.conf.get("spark.sql.shuffle.partitions") == "7"
    spark.conf.unset("spark.sql.shuffle.partitions")
    assert spark.conf.get("spark.sql.shuffle.partitions") == "200"
    assert spark.conf.get("no.such.key", "dflt") == "dflt"
