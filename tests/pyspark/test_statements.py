"""Statements on tables: which folders they may empty, where they point at errors, what they report."""

import json
import uuid

import pytest
from pyspark.errors import PySparkException


def error_of(ask):
    with pytest.raises(PySparkException) as caught:
        ask()
    return caught.value


@pytest.fixture
def table(spark):
    spark.sql("DROP TABLE IF EXISTS statements_t")
    spark.sql("CREATE TABLE statements_t (a INT, b STRING COMMENT 'bee') USING parquet")
    spark.sql("INSERT INTO statements_t VALUES (1, 'x'), (2, NULL)")
    yield "statements_t"
    spark.sql("DROP TABLE IF EXISTS statements_t")


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE statements_t SET LOCATION ''",
        "ALTER DATABASE default SET LOCATION ''",
        "CREATE DATABASE statements_d LOCATION ''",
        "CREATE TABLE statements_u (a INT) USING parquet LOCATION ''",
    ],
)
def test_a_location_is_not_empty(spark, table, statement):
    assert error_of(lambda: spark.sql(statement)).getCondition() == "INVALID_EMPTY_LOCATION"


@pytest.mark.parametrize("statement", ["TRUNCATE TABLE", "DROP TABLE"])
def test_a_folder_that_was_not_made_for_a_table_stays(spark, tmp_path, statement):
    # The folder that the table had before stays as well, so its name is used once only.
    name = f"statements_{uuid.uuid4().hex}"
    bystander = tmp_path / "project" / "file"
    bystander.parent.mkdir()
    bystander.write_text("kept")
    spark.sql(f"CREATE TABLE {name} (a INT) USING parquet")
    spark.sql(f"ALTER TABLE {name} SET LOCATION '{tmp_path}'")
    try:
        spark.sql(f"{statement} {name}")
    except PySparkException:
        pass  # Refusing is as good as leaving the folder alone.
    assert bystander.read_text() == "kept"
    spark.sql(f"DROP TABLE IF EXISTS {name}")
    assert bystander.read_text() == "kept"


def test_a_dropped_schema_leaves_folders_of_others(spark, tmp_path):
    bystander = tmp_path / "file"
    bystander.write_text("kept")
    name = f"statements_{uuid.uuid4().hex}"
    spark.sql(f"CREATE DATABASE {name}")
    spark.sql(f"CREATE TABLE {name}.t (a INT) USING parquet")
    spark.sql(f"ALTER TABLE {name}.t SET LOCATION '{tmp_path}'")
    spark.sql(f"DROP DATABASE {name} CASCADE")
    assert bystander.read_text() == "kept"


@pytest.mark.parametrize(
    "statement, fragment",
    [
        ("SHOW COLUMNS IN statements_none", "statements_none"),
        ("INSERT INTO default.statements_none VALUES (1)", "default.statements_none"),
        ("ALTER TABLE statements_none RENAME TO x", "statements_none"),
    ],
)
def test_errors_point_at_the_name(spark, statement, fragment):
    error = error_of(lambda: spark.sql(statement))
    assert error.getCondition() == "TABLE_OR_VIEW_NOT_FOUND"
    assert [c.fragment() for c in error.getQueryContext()] == [fragment]


def test_statistics_and_reports(spark, table):
    spark.sql("ANALYZE TABLE statements_t COMPUTE STATISTICS FOR COLUMNS a, b")
    found = {r[0]: r[1] for r in spark.sql("DESC EXTENDED statements_t a").collect()}
    assert (found["min"], found["max"], found["num_nulls"], found["distinct_count"]) == ("1", "2", "0", "2")
    report = json.loads(spark.sql("DESC EXTENDED statements_t AS JSON").collect()[0][0])
    assert [c["name"] for c in report["columns"]] == ["a", "b"]
    assert report["statistics"]["num_rows"] == 2


def test_char_columns_are_compared_padded(spark):
    spark.sql("DROP TABLE IF EXISTS statements_c")
    spark.sql("CREATE TABLE statements_c (c CHAR(5), n STRUCT<v: VARCHAR(2)>) USING parquet")
    try:
        spark.sql("INSERT INTO statements_c VALUES ('a', named_struct('v', 'xy'))")
        assert spark.sql("SELECT c FROM statements_c WHERE c = 'a'").collect() == [("a    ",)]
        too_long = "INSERT INTO statements_c VALUES ('a', named_struct('v', 'xyz'))"
        assert error_of(lambda: spark.sql(too_long)).getCondition() == "EXCEED_LIMIT_LENGTH"
    finally:
        spark.sql("DROP TABLE statements_c")


def test_variables_of_scripts_hide_those_of_the_session(spark):
    spark.sql("DECLARE OR REPLACE VARIABLE statements_v INT = 5")
    script = "BEGIN DECLARE statements_v INT = 1; SET session.statements_v = 9; SELECT statements_v; END"
    assert spark.sql(script).collect() == [(1,)]
    assert spark.sql("SELECT statements_v").collect() == [(9,)]
    spark.sql("DROP TEMPORARY VARIABLE statements_v")


def test_a_default_is_not_lost_on_rows_that_are_there(spark, table):
    spark.sql("ALTER TABLE statements_t ADD COLUMNS (c INT DEFAULT 40 + 2, d STRING DEFAULT 'x''y', e INT DEFAULT NULL)")
    spark.sql("INSERT INTO statements_t (a, c) VALUES (3, NULL), (4, 5), (5, DEFAULT)")
    spark.sql("ALTER TABLE statements_t ALTER COLUMN c SET DEFAULT 1")
    for query, expected in [
        ("SELECT a, c, d, e FROM statements_t ORDER BY a",
         [(1, 42, "x'y", None), (2, 42, "x'y", None), (3, None, "x'y", None), (4, 5, "x'y", None), (5, 42, "x'y", None)]),
        ("SELECT a FROM statements_t WHERE c = 42 ORDER BY a", [(1,), (2,), (5,)]),
        ("SELECT a FROM statements_t WHERE c IS NULL", [(3,)]),
        ("SELECT count(c), count(*), max(c), min(d) FROM statements_t", [(4, 5, 42, "x'y")]),
    ]:
        assert [tuple(row) for row in spark.sql(query).collect()] == expected, query


@pytest.mark.parametrize("provider", ["csv", "json", "parquet", "xml"])
def test_rows_that_are_there_get_the_default_of_a_new_column(spark, provider):
    options = "OPTIONS (rowTag 'r')" if provider == "xml" else ""
    spark.sql("DROP TABLE IF EXISTS statements_rows")
    spark.sql(f"CREATE TABLE statements_rows (a INT) USING {provider} {options}")
    spark.sql("ALTER TABLE statements_rows ADD COLUMNS (b INT DEFAULT 1)")
    spark.sql("INSERT INTO statements_rows (a) VALUES (3)")
    if provider == "xml":
        refused = error_of(lambda: spark.sql("ALTER TABLE statements_rows ADD COLUMNS (c INT DEFAULT 42)"))
        assert refused.getCondition() == "UNSUPPORTED_CALL.WITHOUT_SUGGESTION"
        expect = [(3, 1)]
    else:
        spark.sql("ALTER TABLE statements_rows ADD COLUMNS (c INT DEFAULT 42, d STRING DEFAULT 'x')")
        spark.sql("INSERT INTO statements_rows VALUES (4, NULL, 5, NULL)")
        expect = [(3, 1, 42, "x"), (4, None, 5, None)]
    assert sorted(tuple(row) for row in spark.table("statements_rows").collect()) == expect
    spark.sql("DROP TABLE statements_rows")
