"""Views that are stored: what becomes of their columns when their query yields others, and what they refuse."""

import pytest
from pyspark.errors import PySparkException

MODES = {"vb": "BINDING", "vc": "COMPENSATION", "vt": "TYPE EVOLUTION", "ve": "EVOLUTION"}


@pytest.fixture
def views(spark):
    spark.sql("create database if not exists views_db")
    spark.sql("use views_db")
    spark.sql("create table t (c1 int, c2 string) using parquet")
    for name, mode in MODES.items():
        spark.sql(f"create view {name} with schema {mode} as select * from t")
    spark.sql("create view vn (a comment 'first', b) as select * from t")
    yield spark
    spark.sql("use default")
    spark.sql("drop database views_db cascade")


def again(spark, columns, values):
    spark.sql("drop table t")
    spark.sql(f"create table t ({columns}) using parquet")
    spark.sql(f"insert into t values ({values})")


def outcome(spark, query):
    try:
        frame = spark.sql(query)
        return frame.schema.simpleString(), [tuple(r) for r in frame.collect()]
    except PySparkException as error:
        return error.getCondition()


@pytest.mark.parametrize(
    "columns, values, expect",
    [
        (
            "c1 bigint, c2 string, c3 int",
            "5000000000, 'a', 3",
            {
                "vb": "CANNOT_UP_CAST_DATATYPE",
                "vc": "CAST_OVERFLOW",
                "vt": ("struct<c1:bigint,c2:string>", [(5000000000, "a")]),
                "ve": ("struct<c1:bigint,c2:string,c3:int>", [(5000000000, "a", 3)]),
                "vn": "CAST_OVERFLOW",
            },
        ),
        (
            "c2 string, c1 smallint",
            "'a', 1",
            {
                "vb": ("struct<c1:int,c2:string>", [(1, "a")]),
                "vc": ("struct<c1:int,c2:string>", [(1, "a")]),
                "vt": ("struct<c1:smallint,c2:string>", [(1, "a")]),
                "ve": ("struct<c2:string,c1:smallint>", [("a", 1)]),
                "vn": ("struct<a:int,b:string>", [(1, "a")]),
            },
        ),
        (
            "c1 int",
            "1",
            {
                "vb": "INCOMPATIBLE_VIEW_SCHEMA_CHANGE",
                "vt": "INCOMPATIBLE_VIEW_SCHEMA_CHANGE",
                "ve": ("struct<c1:int>", [(1,)]),
                "vn": "INCOMPATIBLE_VIEW_SCHEMA_CHANGE",
            },
        ),
    ],
)
def test_columns_change(views, columns, values, expect):
    again(views, columns, values)
    assert {name: outcome(views, f"select * from {name}") for name in expect} == expect


def test_described_columns_follow(views):
    again(views, "c1 bigint, c2 string, c3 int", "1, 'a', 3")
    described = {name: [tuple(r)[:2] for r in views.sql(f"describe {name}").collect()] for name in MODES}
    assert described["vb"] == [("c1", "int"), ("c2", "string")]
    assert described["vt"] == [("c1", "bigint"), ("c2", "string")]
    assert described["ve"] == [("c1", "bigint"), ("c2", "string"), ("c3", "int")]


@pytest.mark.parametrize(
    "statement, condition",
    [
        ("create view v6 as select 1 + 1", "CREATE_PERMANENT_VIEW_WITHOUT_ALIAS"),
        ("create or replace view vb as select * from vb", "RECURSIVE_VIEW"),
        ("alter view vb as select * from vb", "RECURSIVE_VIEW"),
        ("create view v7 (x) as select 1, 2", "CREATE_VIEW_COLUMN_ARITY_MISMATCH.TOO_MANY_DATA_COLUMNS"),
        (
            "create temporary view v8 with schema evolution as select 1 as c",
            "UNSUPPORTED_FEATURE.TEMPORARY_VIEW_WITH_SCHEMA_BINDING_MODE",
        ),
        ("create view no_such_db.v9 as select 1 as a", "SCHEMA_NOT_FOUND"),
    ],
)
def test_refusals(views, statement, condition):
    assert outcome(views, statement) == condition


def test_constants_need_no_names(views):
    views.sql("create view constants as select 1, 'a', date'2020-01-01'")
    assert views.table("constants").columns == ["1", "a", "DATE '2020-01-01'"]


def test_a_view_keeps_the_mode_it_was_made_in(views):
    views.sql("create view division as select 1 / (c1 - c1) as q from t")
    views.sql("insert into t values (1, 'a')")
    views.conf.set("spark.sql.ansi.enabled", "false")
    try:
        assert outcome(views, "select * from division") == "DIVIDE_BY_ZERO"
    finally:
        views.conf.unset("spark.sql.ansi.enabled")
