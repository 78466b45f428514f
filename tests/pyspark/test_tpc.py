"""The 22 TPC-H and 99 TPC-DS queries answer as Spark 4.3 did. `record_tpc.py` records those answers."""

import json
import pathlib

import pytest
import tpc

GOLDENS = pathlib.Path(__file__).parent / "goldens"


def cases():
    for benchmark in ("tpch", "tpcds"):
        for query in tpc.names(benchmark):
            yield pytest.param(benchmark, query, id=f"{benchmark}-{query}")


@pytest.fixture(scope="module")
def tables(spark, data):
    """Registers a benchmark's tables before its first query: both have a `customer`."""
    registered = []

    def register(benchmark):
        if registered[-1:] != [benchmark]:
            tpc.register(spark, data / benchmark)
            registered.append(benchmark)

    return register


@pytest.fixture(scope="session")
def goldens():
    return {b: json.loads((GOLDENS / f"{b}.json").read_text()) for b in ("tpch", "tpcds")}


@pytest.mark.parametrize("benchmark, query", cases())
def test_query(spark, tables, goldens, benchmark, query):
    tables(benchmark)
    golden = goldens[benchmark][query]
    answer = tpc.run(spark, benchmark, query)
    assert answer.schema.names == golden["columns"]
    lines = tpc.rows(answer)
    if "rows" in golden:
        assert sorted(lines) == sorted(golden["rows"])
    assert len(lines) == golden["count"]
    assert tpc.digest(lines) == golden["digest"]
    if "rows" in golden and golden["ordered"]:
        assert lines == golden["rows"]
