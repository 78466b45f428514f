"""Errors are typed: the exception class, the condition and the SQLSTATE are Spark's."""

import pytest
from pyspark.errors import AnalysisException, ArithmeticException, ParseException


@pytest.mark.parametrize(
    "statement, kind, condition, state",
    [
        ("SELEC 1", ParseException, "PARSE_SYNTAX_ERROR", "42601"),
        ("SELECT nope FROM range(1)", AnalysisException, "UNRESOLVED_COLUMN.WITH_SUGGESTION", "42703"),
        ("SELECT * FROM no_such_table", AnalysisException, "TABLE_OR_VIEW_NOT_FOUND", "42P01"),
        ("SELECT no_such_function(1)", AnalysisException, "UNRESOLVED_ROUTINE", "42883"),
        ("SELECT 1/0", ArithmeticException, "DIVIDE_BY_ZERO", "22012"),
        ("SELECT CAST('x' AS INT)", None, "CAST_INVALID_INPUT", "22018"),
        ("SELECT 2147483647 + 1", ArithmeticException, "ARITHMETIC_OVERFLOW", "22003"),
        ("SELECT array_repeat(1, 2L)", AnalysisException, "DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE", "42K09"),
        ("SELECT array_append(array(1.5), 1L)", AnalysisException, "DATATYPE_MISMATCH.ARRAY_FUNCTION_DIFF_TYPES", "42K09"),
        ("SELECT atan2(DISTINCT 1)", AnalysisException, "WRONG_NUM_ARGS.WITHOUT_SUGGESTION", "42605"),
        ("SELECT 1 div 1.5D", AnalysisException, "DATATYPE_MISMATCH.BINARY_OP_DIFF_TYPES", "42K09"),
        ("SELECT map(NULL, 1)", None, "NULL_MAP_KEY", "2200E"),
        ("SELECT date_add('2020-01-01', 'x')", None, "CAST_INVALID_INPUT", "22018"),
        ("SELECT CAST('x' AS INTERVAL MONTH)", None, "INVALID_INTERVAL_FORMAT.UNMATCHED_FORMAT_STRING", "22006"),
    ],
)
def test_conditions(spark, statement, kind, condition, state):
    with pytest.raises(Exception) as caught:
        spark.sql(statement).collect()
    error = caught.value
    assert error.getCondition() == condition
    assert error.getSqlState() == state
    if kind is not None:
        assert isinstance(error, kind)


def test_the_session_survives_errors(spark):
    for _ in range(20):
        with pytest.raises(AnalysisException):
            spark.sql("SELECT nope").collect()
    assert spark.sql("SELECT 1 AS one").first().one == 1


def test_deep_plans(spark):
    frame = spark.range(10)
    for n in range(300):
        frame = frame.filter(f"id != {n + 100}")
    assert frame.count() == 10


def test_a_long_statement(spark):
    terms = " + ".join(["1"] * 300)
    assert spark.sql(f"SELECT {terms} AS n").first().n == 300
