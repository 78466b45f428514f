"""TPC-H and TPC-DS for harnesses: the tables, the queries, and answers reduced to what can be compared."""

import datetime
import decimal
import hashlib
import math
import pathlib
import re

QUERIES = pathlib.Path(__file__).parent / "queries"

# Queries differ in how their engines order floating-point additions: digits after these are noise.
FLOAT_DIGITS = 12


def names(benchmark):
    """The queries of a benchmark, in order: q1, q2, …"""
    files = (QUERIES / benchmark).glob("q*.sql")
    return sorted((f.stem for f in files), key=lambda n: int(n[1:]))


def statements(benchmark, query):
    """The statements of one query. A view a query makes for itself is made temporary, for it is
    defined on tables that are temporary views here."""
    text = (QUERIES / benchmark / f"{query}.sql").read_text()
    text = re.sub(r"--[^\n]*", "", text)
    text = re.sub(r"(?i)\bcreate\s+view\b", "create or replace temporary view", text)
    return [s.strip() for s in text.split(";") if s.strip()]


def register(spark, folder):
    """Makes a temporary view of every table in `folder` and returns their names."""
    tables = sorted(pathlib.Path(folder).glob("*.parquet"))
    if not tables:
        raise SystemExit(f"no <table>.parquet in {folder}")
    for path in tables:
        spark.read.parquet(str(path)).createOrReplaceTempView(path.stem)
    return [path.stem for path in tables]


def run(spark, benchmark, query):
    """Runs one query to its end and returns its answer as an Arrow table."""
    answer = None
    for statement in statements(benchmark, query):
        frame = spark.sql(statement)
        if statement[:6].lower() in ("select", "with r", "with c") or statement[:4].lower() == "with":
            answer = frame.toArrow()
    return answer


def rows(table):
    """An Arrow table as lines of text: one a row, values in a form every engine shares."""
    columns = [column.to_pylist() for column in table.columns]
    return ["|".join(_text(value) for value in row) for row in zip(*columns)]


def digest(lines):
    """A short name for an answer, whatever the order of its rows."""
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()[:16]


def _text(value):
    if value is None:
        return "∅"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        if math.isnan(value) or math.isinf(value):
            return str(value)
        return f"{value + 0.0:.{FLOAT_DIGITS}g}"
    if isinstance(value, decimal.Decimal):
        return f"{value:f}"
    if isinstance(value, (datetime.date, datetime.datetime)):
        return value.isoformat()
    return str(value)
