"""What tests ask of a session."""

from pyspark.errors import PySparkException


def answer(spark, statement):
    """The rows of a statement, or the condition of its error."""
    try:
        return [tuple(row) for row in spark.sql(statement).collect()]
    except PySparkException as error:
        return error.getCondition()
