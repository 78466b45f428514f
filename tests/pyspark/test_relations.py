"""Relations that only the DataFrame API has; what they answer was recorded on Spark 4.3."""

import pytest
from pyspark.errors import AnalysisException, IllegalArgumentException, PySparkException
from pyspark.sql import Observation, Row
from pyspark.sql import functions as sf


def rows(df):
    return [tuple(row) for row in df.collect()]


@pytest.fixture
def quotes(spark):
    left = [(1, "a", 10), (5, "b", 20), (10, "a", 30), (None, "c", 40)]
    right = [(1, "a", 100), (2, "a", 200), (3, "b", 300), (6, "b", 400), (7, "a", 500), (6, "c", 600)]
    return (
        spark.createDataFrame(left, "t int, k string, v int"),
        spark.createDataFrame(right, "t int, k string, w int"),
    )


def as_of(quotes, options):
    left, right = quotes
    options = dict(options)
    # Expressions need a session, which there is none of while tests are collected.
    if "tolerance" in options:
        options["tolerance"] = sf.expr(options["tolerance"])
    return left._joinAsOf(right, "t", "t", **options)


@pytest.mark.parametrize(
    "options, matches",
    [
        ({}, [100, 300, 500]),
        ({"how": "left"}, [100, 300, 500, None]),
        ({"how": "left", "direction": "forward"}, [100, 600, None, None]),
        ({"how": "left", "direction": "nearest"}, [100, 600, 500, None]),
        ({"how": "left", "on": "k"}, [100, 300, 500, None]),
        ({"how": "left", "tolerance": "1"}, [100, None, None, None]),
        ({"how": "left", "tolerance": "2", "direction": "nearest"}, [100, 600, None, None]),
        ({"how": "left", "allowExactMatches": False}, [None, 300, 500, None]),
        ({"how": "left", "allowExactMatches": False, "direction": "nearest"}, [200, 600, 500, None]),
    ],
)
def test_as_of_joins(quotes, options, matches):
    joined = as_of(quotes, options)
    assert joined.columns == ["t", "k", "v", "t", "k", "w"]
    assert [row[5] for row in rows(joined.sort("v"))] == matches


@pytest.mark.parametrize(
    "options, condition",
    [
        ({"direction": "sideways"}, "AS_OF_JOIN.UNSUPPORTED_DIRECTION"),
        ({"tolerance": "-1"}, "AS_OF_JOIN.TOLERANCE_IS_NON_NEGATIVE"),
        ({"on": "zz"}, "UNRESOLVED_COLUMN.WITH_SUGGESTION"),
    ],
)
def test_wrong_as_of_joins(quotes, options, condition):
    with pytest.raises(AnalysisException) as raised:
        as_of(quotes, options).collect()
    assert raised.value.getCondition() == condition


@pytest.mark.parametrize(
    "count, direction, join_type, expect",
    [
        (1, "distance", "inner", [(1, "A"), (2, "B")]),
        (2, "distance", "inner", [(1, "A"), (1, "C"), (2, "A"), (2, "B")]),
        (2, "distance", "leftouter", [(1, "A"), (1, "C"), (2, "A"), (2, "B"), (3, None)]),
        (2, "similarity", "left_outer", [(1, "B"), (1, "C"), (2, "A"), (2, "C"), (3, None)]),
    ],
)
def test_nearest_by_joins(spark, count, direction, join_type, expect):
    users = spark.createDataFrame([(1, 10.0), (2, 20.0), (3, None)], "uid int, score double")
    products = spark.createDataFrame([("A", 11.0), ("B", 22.0), ("C", 5.0), ("D", None)], "product string, price double")
    if not hasattr(users, "nearestByJoin"):
        pytest.skip("an older client")
    ranking = sf.abs(users.score - products.price)
    joined = users.nearestByJoin(products, ranking, count, "exact", direction, joinType=join_type)
    assert rows(joined.select("uid", "product").sort("uid", "product")) == expect


def test_zip(spark):
    base = spark.range(5).withColumn("x", sf.col("id") * 2)
    if not callable(getattr(type(base), "zip", None)):
        pytest.skip("an older client")
    zipped = base.select("id").zip(base.select((sf.col("x") + 1).alias("y")))
    assert rows(zipped) == [(0, 1), (1, 3), (2, 5), (3, 7), (4, 9)]
    assert rows(base.where("id > 2").select("id").zip(base.where("id > 2").select("x"))) == [(3, 6), (4, 8)]
    ranked = base.selectExpr("row_number() over (order by id) r")
    for left, right in [(base.where("id > 1"), base), (spark.range(3), spark.range(4)), (ranked, base)]:
        with pytest.raises(AnalysisException) as raised:
            left.zip(right).collect()
        assert raised.value.getCondition() == "ZIP_PLANS_NOT_MERGEABLE"


def test_zip_with_index(spark):
    frame = spark.range(0, 10, 1, 3)
    if not hasattr(frame, "zipWithIndex"):
        pytest.skip("an older client")
    assert rows(frame.zipWithIndex("row")) == [(i, i) for i in range(10)]


@pytest.mark.parametrize(
    "query, schema, expect",
    [
        (
            "values ('B', 1, 2.5D), ('A', 3, 4.5D), (null, 5, 6.5D) as t(id, x, y)",
            "struct<key:string,A:double,B:double>",
            [("x", 3.0, 1.0), ("y", 4.5, 2.5)],
        ),
        ("values (10, 1), (9, 2) as t(i, x)", "struct<key:string,9:int,10:int>", [("x", 2, 1)]),
        ("values ('a', 1), ('a', 2) as t(i, x)", "struct<key:string,a:int,a:int>", [("x", 1, 2)]),
        ("values (1) as t(i)", "struct<key:string,1:string>", []),
    ],
)
def test_transpose(spark, query, schema, expect):
    transposed = spark.sql(f"select * from {query}").transpose()
    assert transposed.schema.simpleString() == schema
    assert rows(transposed) == expect


@pytest.mark.parametrize(
    "query, column, condition",
    [
        ("select 'a' id, 1 x, 'q' y", None, "TRANSPOSE_NO_LEAST_COMMON_TYPE"),
        ("select array(1) id, 1 x", None, "TRANSPOSE_INVALID_INDEX_COLUMN"),
        ("select 'a' id, 1 x", "upper(id)", "TRANSPOSE_INVALID_INDEX_COLUMN"),
        ("select id, id x from range(600)", None, "TRANSPOSE_EXCEED_ROW_LIMIT"),
    ],
)
def test_wrong_transposes(spark, query, column, condition):
    with pytest.raises(AnalysisException) as raised:
        spark.sql(query).transpose(column and sf.expr(column)).collect()
    assert raised.value.getCondition() == condition


def test_frequent_items(spark):
    frame = spark.createDataFrame([(1, 11), (1, 11), (3, 10), (4, 8), (4, 8)], ["c1", "c2"])
    assert rows(frame.freqItems(["c1", "c2"])) == [([1, 3, 4], [8, 10, 11])]
    assert rows(frame.freqItems(["c1", "c2"], 0.4)) == [([1, 4], [8, 11])]
    with pytest.raises(IllegalArgumentException):
        frame.freqItems(["c1"], 0.00001).collect()


# Which rows a seed takes depends on the partitions, which are given here.
@pytest.mark.parametrize(
    "seed, fraction, expect",
    [
        (3, 0.1, [7, 22, 36, 37]),
        (3, 0.5, [5, 6, 10, 16, 17, 20, 22, 23, 23, 24, 24, 31, 32, 32, 33, 33, 33, 35, 37]),
        (-7, 0.1, [8, 9, 12, 15, 18, 19, 21]),
        (42, 0.5, [5, 6, 7, 12, 15, 15, 19, 21, 22, 23, 25, 26, 30, 31, 33, 34, 37, 38]),
    ],
)
def test_samples_with_replacement(spark, seed, fraction, expect):
    assert [row.id for row in spark.range(0, 40, 1, 3).sample(True, fraction, seed).collect()] == expect


def test_samples_with_a_large_fraction(spark):
    sampled = spark.range(0, 40, 1, 3).sample(True, 60.0, 3).groupBy("id").count().sort("id")
    assert [row["count"] for row in sampled.limit(3).collect()] == [63, 71, 76]


@pytest.mark.parametrize(
    "seed, splits",
    [
        (3, [[4, 5, 7, 8, 10, 13, 14, 18], [0, 1, 3, 9, 11, 12, 16, 17, 19], [2, 6, 15]]),
        (42, [[9], [0, 1, 3, 4, 5, 7, 8, 10, 15, 17, 18, 19], [2, 6, 11, 12, 13, 14, 16]]),
    ],
)
def test_random_splits(spark, seed, splits):
    parts = spark.range(0, 20, 1, 3).randomSplit([1.0, 2.0, 1.0], seed)
    assert [[row.id for row in part.collect()] for part in parts] == splits


def test_strata(spark):
    frame = spark.range(0, 40, 1, 3).selectExpr("id", "id % 3 k")
    expect = [(1, 1), (3, 0), (7, 1), (10, 1), (15, 0), (16, 1), (22, 1), (28, 1), (31, 1), (34, 1)]
    assert rows(frame.sampleBy("k", {0: 0.3, 1: 0.6}, 42)) == expect
    assert frame.sampleBy("k", {"x": 0.3}, 5).count() == 0


@pytest.mark.parametrize(
    "sample",
    [
        lambda df: df.sample(False, 1.5, 1),
        lambda df: df.sampleBy("id", {0: 1.3}, 5),
    ],
)
def test_fractions_are_checked(spark, sample):
    with pytest.raises(IllegalArgumentException):
        sample(spark.range(10)).collect()


def texts(spark, *values):
    return spark.createDataFrame([(value,) for value in values], "value string")


@pytest.mark.parametrize(
    "format, options, values, schema, expect",
    [
        (
            "json",
            {},
            ['{"a":1,"b":"x"}', '{"a":2.5,"c":[1,2]}', None, "bad"],
            "struct<_corrupt_record:string,a:double,b:string,c:array<bigint>>",
            [(None, 1.0, "x", None), (None, 2.5, None, [1, 2]), (None, None, None, None), ("bad", None, None, None)],
        ),
        ("json", {}, ['[{"a":1},{"a":2}]'], "struct<a:bigint>", [(1,), (2,)]),
        ("json", {"mode": "DROPMALFORMED"}, ['{"a":1}', "bad"], "struct<a:bigint>", [(1,)]),
        (
            "csv",
            {"header": True, "inferSchema": True},
            ["a,b", "1,x", "2,y"],
            "struct<a:int,b:string>",
            [(1, "x"), (2, "y")],
        ),
        ("csv", {}, ["1,x", "2,y", "3"], "struct<_c0:string,_c1:string>", [("1", "x"), ("2", "y"), ("3", None)]),
    ],
)
def test_texts_are_parsed(spark, format, options, values, schema, expect):
    read = getattr(spark.read.options(**options), format)(texts(spark, *values))
    assert read.schema.simpleString() == schema
    assert rows(read) == expect


def test_texts_are_parsed_by_a_schema(spark):
    read = spark.read.schema("a int, b string")
    assert rows(read.json(texts(spark, '{"a":1,"b":"x"}', "bad"))) == [(1, "x"), (None, None)]
    assert rows(read.option("header", True).csv(texts(spark, "a,b", "1,x", "a,b"))) == [(1, "x")]


@pytest.mark.parametrize(
    "query, condition",
    [
        ("select 1 a", "DATAFRAME_INPUT_NOT_STRING_TYPE"),
        ("select 'a' a, 'b' b", "DATAFRAME_INPUT_NOT_SINGLE_COLUMN"),
    ],
)
def test_only_a_column_of_text_is_parsed(spark, query, condition):
    with pytest.raises(AnalysisException) as raised:
        spark.read.json(spark.sql(query)).collect()
    assert raised.value.getCondition() == condition


@pytest.mark.parametrize(
    "action",
    [
        lambda df: df.collect(),
        lambda df: df.where("id > 5").collect(),
        lambda df: df.count(),
        lambda df: df.write.mode("overwrite").format("noop").save(),
    ],
)
def test_observations(spark, action):
    observation = Observation()
    metrics = [sf.count(sf.lit(1)).alias("rows"), sf.max("id"), (sf.sum("id") / sf.count(sf.lit(1))).alias("mean")]
    action(spark.range(10).observe(observation, *metrics))
    assert observation.get == {"rows": 10, "max(id)": 9, "mean": 4.5}


def test_two_observations_of_a_query(spark):
    first, second = Observation(), Observation()
    frame = spark.range(5).observe(first, sf.count("*").alias("n")).where("id > 2")
    frame.observe(second, sf.count("*").alias("n")).collect()
    assert (first.get, second.get) == ({"n": 5}, {"n": 2})


@pytest.mark.parametrize(
    "metric, sub",
    [
        ("id", "NON_AGGREGATE_FUNC_ARG_IS_ATTRIBUTE"),
        ("count(distinct id)", "AGGREGATE_EXPRESSION_WITH_DISTINCT_UNSUPPORTED"),
        ("count(1) filter (where id > 3)", "AGGREGATE_EXPRESSION_WITH_FILTER_UNSUPPORTED"),
        ("sum(sum(id))", "NESTED_AGGREGATES_UNSUPPORTED"),
        ("max(id) + rand(1)", "NON_AGGREGATE_FUNC_ARG_IS_NON_DETERMINISTIC"),
    ],
)
def test_what_is_no_metric(spark, metric, sub):
    with pytest.raises(PySparkException) as raised:
        spark.range(10).observe("o", sf.expr(metric).alias("x")).collect()
    assert raised.value.getCondition() == f"INVALID_OBSERVED_METRICS.{sub}"


def test_watermarks_and_batches(spark):
    frame = spark.sql("select timestamp'2020-01-01' t, 1 a")
    assert frame.withWatermark("t", "1 minute").count() == 1
    with pytest.raises(AnalysisException) as raised:
        frame.withWatermark("t", "1 foo").collect()
    assert raised.value.getCondition() == "CANNOT_PARSE_INTERVAL"
    with pytest.raises(AnalysisException):
        frame.withWatermark("t", "1 minute").dropDuplicatesWithinWatermark(["a"]).collect()


def test_columns_are_named_by_their_path(spark):
    frame = spark.sql("select named_struct('a', named_struct('b', 1)) r")
    assert frame.select(sf.col("r").a.b, sf.col("r.a").b, sf.col("r.a.b")).columns == ["r.a.b", "r.a.b", "b"]


def test_fields_of_a_struct_may_share_a_name(spark):
    frame = spark.sql("select named_struct('a', 1, 'a', 2) s, array(named_struct('b', 1, 'b', id, 'c', 3)) t from range(2)")
    rows = frame.collect()
    assert [tuple(row.s) for row in rows] == [(1, 2), (1, 2)]
    assert [tuple(row.t[0]) for row in rows] == [(1, 0, 3), (1, 1, 3)]
    assert frame.where("false").collect() == []
    assert frame.schema["s"].dataType.names == ["a", "a"]


def test_views_are_read_beside_themselves_and_in_subqueries(spark):
    spark.range(10).selectExpr("id", "id % 3 AS g").createOrReplaceTempView("rows_of_view")
    spark.sql("SELECT g, sum(id) AS t FROM rows_of_view GROUP BY g").createOrReplaceTempView("sums_of_view")
    spark.sql(
        "SELECT r.id, s.t, s.g FROM rows_of_view r JOIN sums_of_view s ON r.g = s.g"
    ).createOrReplaceTempView("joined_view")
    spark.range(9).select(sf.rand(3).alias("r")).createOrReplaceTempView("drawn_view")
    for query, expected in [
        ("SELECT x.id, y.t FROM joined_view x JOIN joined_view y ON x.id = y.id WHERE x.t > 15 ORDER BY 1",
         [(0, 18), (3, 18), (6, 18), (9, 18)]),
        ("SELECT * FROM sums_of_view WHERE t > (SELECT min(t) FROM sums_of_view) ORDER BY g", [(0, 18), (2, 15)]),
        ("SELECT g FROM sums_of_view s WHERE EXISTS (SELECT 1 FROM joined_view j WHERE j.g = s.g AND j.id > 8)", [(0,)]),
        ("SELECT count(*) FROM joined_view", [(10,)]),
        ("SELECT g, t FROM sums_of_view EXCEPT SELECT g, t FROM joined_view", []),
        ("SELECT count(*) FROM (SELECT r, r AS q FROM drawn_view) WHERE r <> q", [(0,)]),
    ]:
        assert [tuple(row) for row in spark.sql(query).collect()] == expected, query


def test_partitions_are_read_in_their_order(spark, runner):
    if runner == "cluster":
        pytest.skip("a shuffle between executors keeps no order")
    ids = spark.range(0, 40, 1, 4)
    for _ in range(5):
        assert [r[0] for r in ids.union(ids).limit(50).collect()] == [*range(40), *range(10)]
        assert [r[0] for r in ids.selectExpr("id % 7 AS k").groupBy("k").count().limit(5).collect()] == [0, 1, 2, 3, 4]
        ranged = spark.createDataFrame([(14, "Tom"), (23, "Alice"), (16, "Bob")], ["age", "name"])
        assert [r[0] for r in ranged.repartitionByRange(2, "age").limit(9).collect()] == [14, 16, 23]


def test_full_outer_joins_come_by_their_keys(spark, runner):
    if runner == "cluster":
        pytest.skip("a shuffle between executors keeps no order")
    rows = spark.range(5).join(spark.range(3, 8), "id", "full").collect()
    assert [row.id for row in rows] == list(range(8))


def test_one_partition_is_one_where_nothing_needs_it(spark):
    ids = spark.range(0, 10, 1, 3)
    for one in (ids.coalesce(1), ids.repartition(1)):
        assert [r[0] for r in one.select(sf.spark_partition_id()).distinct().collect()] == [0]


def test_rows_of_the_left_side_stay_together(spark):
    left, right = spark.range(3).toDF("a"), spark.range(2).toDF("b")
    pairs = [(a, b) for a in range(3) for b in range(2)]
    assert [tuple(row) for row in left.crossJoin(right).collect()] == pairs
    less = left.join(right, left.a > right.b)
    assert [tuple(row) for row in less.collect()] == [(a, b) for a, b in pairs if a > b]


def test_a_data_frame_on_both_sides_of_a_join(spark):
    frame = spark.createDataFrame([("a", 1), ("b", 2)], "k string, v int")
    counted = frame.groupBy("k").count()
    assert sorted(frame.join(counted, "k").select(frame.k, "count").collect()) == [("a", 1), ("b", 1)]
    assert frame.join(frame.alias("z"), frame.v == sf.col("z.v")).count() == 2
    assert frame.join(frame.filter("v > 1"), frame.v == 2).count() == 1


def test_schemas_are_met_by_the_names_of_fields(spark):
    frame = spark.sql("SELECT named_struct('x', 1, 'y', 's') AS s, array(1) AS a, map('k', 1) AS m")
    schema = "s struct<y: string, x: bigint, z: int>, a array<bigint>, m map<string, double>"
    fitted = frame.to(spark.createDataFrame([], schema).schema)
    assert fitted.collect() == [Row(s=Row(y="s", x=1, z=None), a=[1], m={"k": 1.0})]


def test_sets_may_leave_keys_out(spark):
    query = "SELECT a, b, count(*), grouping_id() FROM VALUES (1, 2), (1, 3) t(a, b) GROUP BY a, b GROUPING SETS ((a))"
    assert [tuple(row) for row in spark.sql(query).collect()] == [(1, None, 2, 1)]
