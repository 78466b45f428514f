"""A PySpark job of real shape: read, join, aggregate, window, write parquet, read back.

It is what `cargo xtask demo` runs, and it knows nothing of the engine but its address and which
runner to ask for.
"""

import argparse
import json
import time

from pyspark.sql import SparkSession, Window
from pyspark.sql import functions as F

TABLES = ("customer", "orders", "lineitem", "nation", "supplier", "part", "partsupp", "region")


class Steps:
    """Times what is done, and keeps it for the report."""

    def __init__(self):
        self.done = []

    def run(self, name, work):
        started = time.perf_counter()
        answer = work()
        seconds = time.perf_counter() - started
        self.done.append({"name": name, "seconds": seconds})
        print(f"   {name:<34} {seconds:8.2f} s", flush=True)
        return answer


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--remote", required=True)
    parser.add_argument("--runner", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--report", required=True)
    options = parser.parse_args()

    spark = SparkSession.builder.remote(f"sc://{options.remote}").getOrCreate()
    spark.conf.set("firesteel.execution.runner", options.runner)
    steps = Steps()
    answers = job(spark, options.data, options.out, steps)
    with open(options.report, "w") as report:
        json.dump({"steps": steps.done, "answers": answers}, report, default=str)
    spark.stop()


def job(spark, data, out, steps):
    tables = {name: spark.read.parquet(f"{data}/{name}.parquet") for name in TABLES}
    for name, table in tables.items():
        table.createOrReplaceTempView(name)

    rows = steps.run("count order lines", tables["lineitem"].count)
    revenue = revenue_by_customer(tables)
    top = steps.run("join and aggregate", lambda: revenue.orderBy(F.desc("revenue"), "c_custkey").limit(5).collect())
    steps.run("window, write parquet", lambda: ranked(revenue).write.mode("overwrite").parquet(out))
    again = spark.read.parquet(out)
    best = again.filter("place = 1").orderBy(F.desc("revenue"), "n_name")
    winners = steps.run("read back", lambda: best.collect())
    best.select("n_name", "c_name", "revenue").show(5)
    monthly = steps.run("SQL over views", lambda: spark.sql(MONTHLY).collect())
    return {
        "lines": rows,
        "top": [[str(v) for v in r] for r in top],
        "winners": [[str(v) for v in r] for r in winners],
        "monthly": [[str(v) for v in r] for r in monthly],
    }


def revenue_by_customer(tables):
    price = F.col("l_extendedprice") * (1 - F.col("l_discount"))
    return (
        tables["customer"]
        .join(tables["orders"], F.col("c_custkey") == F.col("o_custkey"))
        .join(tables["lineitem"], F.col("o_orderkey") == F.col("l_orderkey"))
        .join(tables["nation"], F.col("c_nationkey") == F.col("n_nationkey"))
        .groupBy("n_name", "c_custkey", "c_name")
        .agg(F.sum(price).alias("revenue"), F.countDistinct("o_orderkey").alias("orders"))
    )


def ranked(revenue):
    by_nation = Window.partitionBy("n_name").orderBy(F.desc("revenue"), "c_custkey")
    return revenue.withColumn("place", F.row_number().over(by_nation)).filter("place <= 10")


MONTHLY = """
    SELECT date_trunc('MONTH', o_orderdate) AS month, o_orderpriority AS priority, count(*) AS orders
    FROM orders
    WHERE o_orderdate >= DATE '1995-01-01' AND o_orderdate < DATE '1995-04-01'
      AND EXISTS (SELECT 1 FROM lineitem WHERE l_orderkey = o_orderkey AND l_commitdate < l_receiptdate)
    GROUP BY ALL
    ORDER BY month, priority
"""

if __name__ == "__main__":
    main()
