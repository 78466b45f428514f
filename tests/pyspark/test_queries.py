"""Queries resolve as in Spark: subqueries, groups, windows, stars, pipes; what is wrong has Spark's condition and place."""

import pytest

VIEWS = {
    "qa": "values (1, 'a', 10), (2, 'b', 20), (3, 'c', null), (1, 'a', 30), (null, null, 5) as t(a, b, c)",
    "qb": "values (1, 'x', 100), (2, 'y', 200), (2, 'z', null), (4, 'w', 400), (null, 'n', 1) as t(a, g, h)",
}


@pytest.fixture(scope="module")
def views(spark):
    for name, rows in VIEWS.items():
        spark.sql(f"create or replace temporary view {name} as select * from {rows}")
    yield spark
    for name in VIEWS:
        spark.catalog.dropTempView(name)


def rows(frame):
    return sorted((tuple(r) for r in frame.collect()), key=lambda r: [(v is not None, v) for v in r])


@pytest.mark.parametrize(
    "query, expect",
    [
        # NOT IN as a value does not tell unknown from true.
        ("select a, a not in (select a from qb) from qa where a is null", [(None, False)]),
        ("select null in (select a from qb where false), null not in (select a from qb where false)", [(False, True)]),
        ("select 1 where 5 not in (select a from qb)", []),
        ("select a from qa where a not in (select a from qb where a = 1) or b = 'q'", [(2,), (3,)]),
        # What is constant on one side of an outer join is null where that side is missing.
        (
            "select qa.a, f, row_number() over (order by f nulls last, qa.a, c) from qa left join "
            "(select a, 1 as f from qb where a = 1) z on qa.a = z.a where c is not null and qa.a is not null",
            [(1, 1, 1), (1, 1, 2), (2, None, 3)],
        ),
        # Windows that differ in what becomes of nulls alone.
        (
            "select lag(c) over (order by a), lag(c) ignore nulls over (order by a) from qa where a >= 2",
            [(None, None), (20, 20)],
        ),
        ("select b, count(*) over () from qa where a = 1 group by all", [("a", 1)]),
        ("select explode(array(a, 5)) as e, e + 1 as f from qa where a = 2", [(2, 3), (5, 6)]),
        # An aggregate of the outer query inside its HAVING.
        (
            "select a from qa group by a having exists (select 1 from qb where h > sum(qa.c) + 300)",
            [(None,), (1,), (2,)],
        ),
        # Subqueries below windows and aggregates.
        ("select sum((select max(h) from qb where qb.a = qa.a)) from qa", [(400,)]),
        (
            "select a, count(*) over (partition by (select max(h) from qb where qb.a = qa.a)) from qa where c > 9",
            [(1, 2), (1, 2), (2, 1)],
        ),
        # Windows of windows.
        ("select a, sum(row_number() over (order by a)) over (order by a) from qa where a = 1", [(1, 3), (1, 3)]),
        # A frame that ends before it begins is empty.
        ("select sum(c) over (order by a rows between current row and 1 preceding) from qa where a = 2", [(None,)]),
        # Commas bind as joins do.
        ("select qa.a, qb.g from qa, (select 7) s join qb on qa.a = qb.a where qa.c = 20", [(2, "y"), (2, "z")]),
        # What is ambiguous in the select list is looked for below.
        ("select c as a, b as a from qa where b is not null order by a limit 1", [(10, "a")]),
        ("select map('k', a), count(*) from qa where a = 1 group by map('k', a)", [({"k": 1}, 2)]),
        ("select * except (s.p) from (select named_struct('p', 1, 'q', 2) s)", [((2,),)]),
        ("from qa |> where c = 20 |> extend c + 1 as d, d + 1 as e |> drop b", [(2, 20, 21, 22)]),
        ("select * from (select b, c from qa) pivot (sum(c) for b in ('a', 'b'))", [(40, 20)]),
    ],
)
def test_answers(views, query, expect):
    assert rows(views.sql(query)) == expect


@pytest.mark.parametrize(
    "query, condition, place",
    [
        ("select a from qa group by a having b = 'a'", "UNRESOLVED_COLUMN.WITH_SUGGESTION", "b"),
        ("select sum(sum(c)) from qa", "NESTED_AGGREGATE_FUNCTION", "sum(c)"),
        ("select a, sum(c) from qa group by 3", "GROUP_BY_POS_OUT_OF_RANGE", "3"),
        ("select * from qa group by 1", "STAR_GROUP_BY_POS", None),
        ("select a, b from qa group by a", "MISSING_AGGREGATION", None),
        ("select array(1) between 1 and 2", "DATATYPE_MISMATCH.BINARY_OP_DIFF_TYPES", "between 1 and 2"),
        ("select a from qa order by 2", "ORDER_BY_POS_OUT_OF_RANGE", "2"),
        ("select a from qa qualify a > 1", "QUALIFY_REQUIRES_WINDOW_FUNCTION", None),
        ("select a from qa limit -1", "INVALID_LIMIT_LIKE_EXPRESSION.IS_NEGATIVE", "-1"),
        ("select row_number() over (partition by a) from qa", "WINDOW_FUNCTION_FRAME_NOT_ORDERED", None),
        ("select (select a from qa)", "SCALAR_SUBQUERY_TOO_MANY_ROWS", "(select a from qa)"),
        ("select * from qa join qb on qa.a", "JOIN_CONDITION_IS_NOT_BOOLEAN_TYPE", "join qb on qa.a"),
        ("select a, from qa", "TRAILING_COMMA_IN_SELECT", "from qa"),
        ("select * except (a, a) from qa", "EXCEPT_OVERLAPPING_COLUMNS", "* except (a, a)"),
        (
            "select (select sum(qb.h + qa.a) from qb) from qa",
            "UNSUPPORTED_SUBQUERY_EXPRESSION_CATEGORY.AGGREGATE_FUNCTION_MIXED_OUTER_LOCAL_REFERENCES",
            None,
        ),
    ],
)
def test_refusals(views, query, condition, place):
    with pytest.raises(Exception) as caught:
        views.sql(query).collect()
    assert caught.value.getCondition() == condition
    if place is not None:
        assert [c.fragment() for c in caught.value.getQueryContext()] == [place]
