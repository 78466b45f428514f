"""What names mean: SQL functions, search paths, views from another schema, columns below a subquery's ORDER BY."""

import pytest

from asking import answer

SETUP = [
    "create database if not exists names_a",
    "create database if not exists names_b",
    "create table names_a.t using parquet as select 1 as k, 'a' as v",
    "create table names_b.t using parquet as select 1 as k, 'b' as v",
    "create function names_a.f(x int) returns string return 'a' || x",
    "create function names_b.f(x int) returns string return 'b' || x",
    "create function names_a.total(x int) returns bigint return (select sum(k) from names_a.t where k = x)",
    "create temporary view m as select * from values (null, null), (null, 1.0), (2, 3.0), (4, 5.0) as m(a, b)",
    "create temporary view s as select * from values (null, 1.0), (2, 3.0), (6, 7.0), (8, null) as s(c, d)",
    "use names_a",
    "create view names_a.w as select v, f(k) as g from t",
    "use default",
]


@pytest.fixture(scope="module")
def names(spark):
    for statement in SETUP:
        spark.sql(statement)
    yield spark
    spark.sql("use default")
    for view in ("m", "s"):
        spark.catalog.dropTempView(view)
    spark.sql("drop database names_a cascade")
    spark.sql("drop database names_b cascade")


@pytest.mark.parametrize(
    "query, expect",
    [
        # A view looks where it was made, whatever the session's schema and temporary things are.
        ("select * from names_a.w", [("a", "a1")]),
        # A denied IN that is correlated tells unknown from false by its own rows.
        ("select a from m where a not in (select c from s where s.d = m.b) order by 1", [(None,), (4,)]),
        ("select a from m where a not in (select c from s where s.d < m.b) order by 1", [(None,), (None,)]),
        ("select a from m where a not in (select max(c) from s where s.d = m.b) order by 1", []),
        ("select a from m where not (a in (select c from s where s.d = m.b) or b > 4)", []),
        ("select a from m where struct(a, b) in (select struct(c, d) from s)",
         "DATATYPE_MISMATCH.IN_SUBQUERY_LENGTH_MISMATCH"),
        # A subquery sorts by its own columns first.
        ("select k, (select v from names_b.t order by k limit 1) from names_a.t", [(1, "b")]),
        # Functions written in SQL.
        ("select names_a.f(3), names_b.f(x => 4)", [("a3", "b4")]),
        ("select names_a.total(k), count(*) from names_a.t group by names_a.total(k)", [(1, 1)]),
        ("select names_a.total(k), count(*) from names_a.t group by k", [(1, 1)]),
        ("select k from names_a.t order by names_a.f(k)", "UNSUPPORTED_SQL_UDF_USAGE"),
        ("select k from names_a.t limit names_a.total(1)", "UNSUPPORTED_SQL_UDF_USAGE"),
        ("select transform(array(1), x -> names_a.f(x))", "UNSUPPORTED_FEATURE.LAMBDA_FUNCTION_WITH_SQL_UDF"),
        ("values (names_a.f(1))", "INVALID_INLINE_TABLE.CANNOT_EVALUATE_EXPRESSION_IN_INLINE_TABLE"),
        ("create function bad(x int) returns int return round(1.5, x)", "DATATYPE_MISMATCH.NON_FOLDABLE_INPUT"),
        ("create function bad(x varchar(3)) returns int return 1", "UNSUPPORTED_CHAR_OR_VARCHAR_AS_STRING"),
        ("create function bad() returns int comment 'a' comment 'b' return 1", "DUPLICATE_CLAUSES"),
        ("create function bad() returns table return select 1, 2",
         "USER_DEFINED_FUNCTIONS.SQL_TABLE_UDF_MISSING_COLUMN_NAMES"),
        ("create function bad(x int default y) returns int return x", "UNRESOLVED_COLUMN.WITHOUT_SUGGESTION"),
        ("set path = names_a.x", "UNSUPPORTED_FEATURE.SET_PATH_WHEN_DISABLED"),
    ],
)
def test_what_names_mean(names, query, expect):
    assert answer(names, query) == expect


@pytest.mark.parametrize(
    "path, query, expect",
    [
        ("spark_catalog.names_b, spark_catalog.names_a, system.builtin", "select v, f(1) from t", [("b", "b1")]),
        ("system.builtin, spark_catalog.names_a", "select v, current_path() from t",
         [("a", "system.builtin,spark_catalog.names_a")]),
        ("spark_catalog.names_a", "select count(*) from t", "UNRESOLVED_ROUTINE"),
        ("spark_catalog.names_a, system.builtin", "select * from m", "TABLE_OR_VIEW_NOT_FOUND"),
        ("spark_catalog.names_b, system.builtin", "select * from names_a.w", [("a", "a1")]),
    ],
)
def test_search_paths(names, path, query, expect):
    names.sql("set spark.sql.path.enabled=true")
    try:
        names.sql(f"set path = {path}")
        assert answer(names, query) == expect
    finally:
        names.sql("set path = default_path")
        names.sql("reset spark.sql.path.enabled")


def test_a_class_that_is_no_class(names):
    names.sql("create function names_a.c as 'a.b.C'")
    assert answer(names, "select names_a.c(1)") == "CANNOT_LOAD_FUNCTION_CLASS"
    described = [r[0] for r in names.sql("describe function names_a.c").collect()]
    assert described == ["Function: spark_catalog.names_a.c", "Class: a.b.C", "Usage: N/A."]
    names.sql("drop function names_a.c")
