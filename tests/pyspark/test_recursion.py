"""`WITH RECURSIVE`: what a step may read, in what order rows come, and what is refused."""

import pytest
from pyspark.errors import PySparkException

STEPS = [
    ("SELECT a.n + b.n FROM t a, t b WHERE a.n < 20", [1, 2, 4, 8, 16, 32]),
    ("(SELECT n + 1 FROM t WHERE n < 4 UNION ALL SELECT n + 10 FROM t WHERE n < 4)", [1, 2, 11, 3, 12, 4, 13]),
    ("SELECT n + 1 FROM t WHERE EXISTS (SELECT 1 FROM t b WHERE b.n < 4)", [1, 2, 3, 4]),
    ("SELECT n + 1 FROM t WHERE n IN (SELECT n FROM t b WHERE b.n < 4)", [1, 2, 3, 4]),
    ("SELECT n + 1 FROM t WHERE n < (SELECT n + 3 FROM t LIMIT 1) AND n < 4", [1, 2, 3, 4]),
    ("SELECT t1.n + 1 FROM t t1 JOIN LATERAL (SELECT t1.n AS k) l WHERE t1.n < 3", [1, 2, 3]),
    ("(SELECT n + 1 FROM t WHERE n < 4 EXCEPT ALL SELECT 3)", [1, 2]),
    ("SELECT DISTINCT n + 1 FROM t WHERE n < 4", [1, 2, 3, 4]),
]

REFUSED = [
    "SELECT max(n) + 1 FROM t",
    "SELECT n + row_number() OVER (ORDER BY n) FROM t WHERE n < 4",
    "(SELECT n + 1 FROM t WHERE n < 4 ORDER BY n)",
    "SELECT n + 1 FROM t WHERE n < (SELECT max(n) FROM t)",
    "SELECT a.n + 1 FROM t a LEFT JOIN t b ON a.n = b.n",
    "SELECT v.n FROM VALUES (1) v(n) LEFT SEMI JOIN t ON t.n = v.n",
]


def recursion(step):
    return f"WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL {step}) SELECT * FROM t"


@pytest.mark.parametrize("step, expect", STEPS)
def test_steps(spark, step, expect):
    assert [r[0] for r in spark.sql(recursion(step)).collect()] == expect


@pytest.mark.parametrize("step", REFUSED)
def test_where_a_recursion_may_not_stand(spark, step):
    with pytest.raises(PySparkException) as error:
        spark.sql(recursion(step)).collect()
    assert error.value.getCondition() == "INVALID_RECURSIVE_REFERENCE.PLACE"


def test_random_numbers_are_drawn_anew_in_every_round(spark):
    query = "WITH RECURSIVE t(n, r) AS (SELECT 1, rand(3) UNION ALL SELECT n + 1, rand(4) FROM t WHERE n < 4) SELECT r FROM t"
    expect = [0.25738143505962285, 0.9531453492357947, 0.02390696427502892, 0.07039836716341774]
    assert [r[0] for r in spark.sql(query).collect()] == expect


def test_limits(spark):
    endless = recursion("SELECT n + 1 FROM t")
    assert [r[0] for r in spark.sql(endless).limit(3).collect()] == [1, 2, 3]
    with pytest.raises(PySparkException) as error:
        spark.sql(endless).collect()
    assert error.value.getCondition() == "RECURSION_LEVEL_LIMIT_EXCEEDED"
    spark.conf.set("spark.sql.cteRecursionRowLimit", "20")
    try:
        with pytest.raises(PySparkException) as error:
            spark.sql(endless).where("n < 5").collect()
        assert error.value.getCondition() == "RECURSION_ROW_LIMIT_EXCEEDED"
    finally:
        spark.conf.unset("spark.sql.cteRecursionRowLimit")
