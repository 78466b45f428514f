"""Keys of the configuration that change answers, join hints, and partitions with a location of their own."""

import pytest

from asking import answer


@pytest.mark.parametrize(
    "key, value, statement, expected",
    [
        ("function.concatBinaryAsString", True, "SELECT typeof(concat(x'41', x'42'))", [("string",)]),
        ("function.eltOutputAsString", True, "SELECT typeof(elt(1, x'41', x'42'))", [("string",)]),
        ("lateralColumnAlias.enableImplicitResolution", False, "SELECT 1 AS a, a + 1",
         "UNRESOLVED_COLUMN.WITHOUT_SUGGESTION"),
        ("legacy.allowHashOnMapType", True, "SELECT hash(map(1, 2))", [(-222940379,)]),
        ("legacy.castComplexTypesToString.enabled", True,
         "SELECT CAST(array(1, null) AS STRING), CAST(map(1, null, 2, 3) AS STRING), "
         "CAST(struct(1, null, 'a') AS STRING)", [("[1,]", "[1 ->, 2 -> 3]", "[1,, a]")]),
        ("legacy.followThreeValuedLogicInArrayExists", False, "SELECT exists(array(1, null), x -> x > 5)", [(False,)]),
        ("legacy.literal.pickMinimumPrecision", False, "SELECT typeof(1.50BD * 2)", [("decimal(14,2)",)]),
        ("legacy.statisticalAggregate", True, "SELECT isnan(stddev(x)), isnan(covar_samp(x, x)) FROM VALUES (1D) t(x)",
         [(True, True)]),
        ("allowNamedFunctionArguments", False, "SELECT mask(str => 'a')", "NAMED_PARAMETER_SUPPORT_DISABLED"),
        ("operatorPipeSyntaxEnabled", False, "SELECT 1 AS a |> SELECT a", "_LEGACY_ERROR_TEMP_0035"),
        ("scripting.enabled", False, "BEGIN SELECT 1; END", "UNSUPPORTED_FEATURE.SQL_SCRIPTING"),
        ("chunkBase64String.enabled", True, "SELECT length(base64(CAST(repeat('a', 80) AS BINARY)))", [(110,)]),
        ("sources.bucketing.maxBuckets", 3,
         "CREATE TABLE conf_b (a INT) USING parquet CLUSTERED BY (a) INTO 4 BUCKETS", "INVALID_BUCKET_COUNT"),
        ("variable.substitute", True, "SELECT '${spark.sql.variable.substitute}${conf.none}'", [("true",)]),
        ("variable.substitute", False, "SELECT '${conf.none}'", [("${conf.none}",)]),
    ],
)
def test_a_key_is_honoured(spark, key, value, statement, expected):
    spark.conf.set(f"spark.sql.{key}", str(value).lower())
    try:
        assert answer(spark, statement) == expected
    finally:
        spark.conf.unset(f"spark.sql.{key}")


@pytest.mark.parametrize(
    "key", ["parquet.binaryAsString", "preserveCharVarcharTypeInfo", "legacy.allowNegativeScaleOfDecimal"]
)
def test_what_is_not_honoured_is_refused(spark, key):
    assert answer(spark, f"SET spark.sql.{key}=true") == "UNSUPPORTED_CALL.WITHOUT_SUGGESTION"
    assert answer(spark, f"SET spark.sql.{key}=false") == [(f"spark.sql.{key}", "false")]


def test_single_bars_are_pipes_before_operators(spark):
    assert answer(spark, "VALUES (1), (6) t(a) | WHERE a > 1 | SELECT a | 1 AS b") == [(7,)]


@pytest.mark.parametrize(
    "hint, operator",
    [("BROADCAST", "CollectLeft"), ("SHUFFLE_HASH", "Partitioned"), ("MERGE", "SortMergeJoin"),
     ("SHUFFLE_REPLICATE_NL", "NestedLoopJoin")],
)
def test_hints_choose_the_join(spark, runner, hint, operator):
    if runner == "cluster":
        pytest.skip("the plan of stages is another one")
    query = (f"SELECT /*+ {hint}(b) */ a.id, b.v FROM range(4) a "
             "JOIN (SELECT id AS k, id * 2 AS v FROM range(3)) b ON a.id = b.k AND a.id < b.v + 1")
    assert sorted(answer(spark, query)) == [(0, 0), (1, 2), (2, 4)]
    assert operator in spark.sql(f"EXPLAIN {query}").collect()[0][0]


def test_partitions_have_locations(spark, tmp_path):
    def ask(statement):
        return answer(spark, statement)

    ask("DROP TABLE IF EXISTS conf_p")
    ask("CREATE TABLE conf_p (a INT, d INT) USING parquet PARTITIONED BY (d)")
    try:
        assert ask(f"ALTER TABLE conf_p ADD PARTITION (d=1) LOCATION '{tmp_path}/one' PARTITION (d=2)") == []
        assert ask("INSERT INTO conf_p PARTITION (d=1) VALUES (7)") == []
        assert ask("INSERT INTO conf_p PARTITION (d=2) SELECT 8") == []
        assert list((tmp_path / "one").glob("*.parquet"))
        assert ask("SELECT * FROM conf_p ORDER BY d") == [(7, 1), (8, 2)]
        assert ask("SELECT a FROM conf_p WHERE d = 1") == [(7,)]
        assert ask(f"ALTER TABLE conf_p PARTITION (d=2) SET LOCATION '{tmp_path}/two'") == []
        assert ask("SELECT * FROM conf_p") == [(7, 1)]
        assert ask("INSERT OVERWRITE conf_p PARTITION (d=2) VALUES (9)") == []
        assert ask("SELECT * FROM conf_p ORDER BY d") == [(7, 1), (9, 2)]
        assert ask("INSERT INTO conf_p VALUES (1, 1), (3, 3)") == []
        assert ask("SELECT * FROM conf_p ORDER BY a") == [(1, 1), (3, 3), (7, 1), (9, 2)]
        assert not list((tmp_path / "one").glob("d=*"))
        assert ask(f"ALTER TABLE conf_p PARTITION (d=9) SET LOCATION '{tmp_path}'") == "PARTITIONS_NOT_FOUND"
        assert ask("ALTER TABLE conf_p DROP PARTITION (d=1)") == []
        assert ask("SHOW PARTITIONS conf_p") == [("d=2",), ("d=3",)]
        assert list((tmp_path / "one").glob("*.parquet")), "a folder of its own is not the table's to remove"
    finally:
        ask("DROP TABLE conf_p")
