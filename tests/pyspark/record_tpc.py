"""Records Spark's answers to the TPC queries: `record_tpc.py --remote sc://HOST:PORT --data DIR`.

DIR holds tpch/ and tpcds/ at the tests' scale. Run it against Apache Spark only: what it writes is
what this engine is compared with.
"""

import argparse
import json
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "benches" / "tpc"))
import tpc
from pyspark.sql import SparkSession

# Queries whose order leaves ties that Spark happens to break the same way every time: q77 orders by
# columns that are null both in the data and in the subtotals of its rollup.
TIES = {("tpcds", "q77")}

# More rows than this are kept as a digest only.
KEPT_ROWS = 100


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--remote", required=True)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    options = parser.parse_args()
    spark = SparkSession.builder.remote(options.remote).getOrCreate()
    for benchmark in ("tpch", "tpcds"):
        tpc.register(spark, options.data / benchmark)
        goldens = {query: record(spark, benchmark, query) for query in tpc.names(benchmark)}
        path = pathlib.Path(__file__).parent / "goldens" / f"{benchmark}.json"
        path.write_text(json.dumps(goldens, indent=1, ensure_ascii=False) + "\n")
        print(f"{path}: {len(goldens)} answers")


def record(spark, benchmark, query):
    answer = tpc.run(spark, benchmark, query)
    lines = tpc.rows(answer)
    golden = {"columns": answer.schema.names, "count": len(lines), "digest": tpc.digest(lines), "ordered": False}
    if len(lines) <= KEPT_ROWS:
        golden["rows"] = lines
        text = " ".join(tpc.statements(benchmark, query))
        # An order that leaves ties is Spark's own: only a second run tells whether it is decided.
        ordered = (benchmark, query) not in TIES and re.search(r"(?is)order\s+by[^()]*$", text) is not None
        golden["ordered"] = ordered and tpc.rows(tpc.run(shuffled(spark), benchmark, query)) == lines
    spark.conf.unset("spark.sql.shuffle.partitions")
    spark.conf.unset("spark.sql.adaptive.enabled")
    return golden


def shuffled(spark):
    """The same session, planning so differently that ties come out in another order."""
    spark.conf.set("spark.sql.shuffle.partitions", "3")
    spark.conf.set("spark.sql.adaptive.enabled", "false")
    return spark


if __name__ == "__main__":
    main()
