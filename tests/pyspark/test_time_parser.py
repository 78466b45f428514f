"""`spark.sql.legacy.timeParserPolicy`: datetime patterns of functions and files. Expected values are Spark's."""

import pytest
from pyspark.errors import PySparkException

POLICY = "spark.sql.legacy.timeParserPolicy"


@pytest.fixture
def policy(spark):
    yield lambda value: spark.conf.set(POLICY, value)
    spark.conf.unset(POLICY)


@pytest.mark.parametrize(
    "expression, expect",
    [
        ("string(to_timestamp('2020-1-2 rest', 'yyyy-MM-dd'))", "2020-01-02 00:00:00"),
        ("string(to_date('Sun, 2 Feb 2020', 'EEE, d MMM yyyy'))", "2020-02-02"),
        ("date_format(DATE'2018-11-17', 'u F W w Y')", "6 3 3 46 2018"),
        ("date_format(DATE'2018-11-17', 'GGGG MMMMM')", "AD November"),
        ("try_to_timestamp('2020-02-30', 'yyyy-MM-dd')", None),
        ("string(from_csv('2020-02-30', 'a DATE', map('dateFormat', 'yyyy-MM-dd')).a)", "2020-03-01"),
    ],
)
def test_patterns_of_spark_2(spark, policy, expression, expect):
    policy("LEGACY")
    assert spark.sql(f"SELECT {expression}").first()[0] == expect


def test_texts_that_only_spark_2_reads(spark, policy):
    policy("EXCEPTION")
    with pytest.raises(PySparkException) as error:
        spark.sql("SELECT to_date('2020-1-2', 'yyyy-MM-dd')").collect()
    assert error.value.getCondition() == "INCONSISTENT_BEHAVIOR_CROSS_VERSION.PARSE_DATETIME_BY_NEW_PARSER"


def test_files_follow_the_policy(spark, policy, tmp_path):
    (tmp_path / "a.csv").write_text("26/Oct/2015\n2020-1-2\n")
    read = spark.read.schema("d DATE").option("dateFormat", "dd/MMM/yyyy").csv(str(tmp_path))
    assert [str(r.d) for r in read.collect()] == ["2015-10-26", "None"]
    policy("LEGACY")
    read = spark.read.schema("d DATE").option("dateFormat", "dd/MMM/yyyy").csv(str(tmp_path))
    assert [str(r.d) for r in read.collect()] == ["2015-10-26", "2020-01-02"]


def test_a_cast_of_a_column_has_its_name(spark):
    row = spark.sql("SELECT 'x' AS a, 1 AS b, named_struct('x', 1) AS s")
    assert row.selectExpr("CAST(a AS STRING)", "b::INT", "CAST(s.x AS STRING)").columns == ["a", "b", "CAST(s.x AS STRING)"]
