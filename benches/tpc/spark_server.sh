#!/bin/sh
# Starts Apache Spark 4.3's own Connect server to compare with, in the foreground:
#   benches/tpc/spark_server.sh [PORT [CORES [MEMORY]]]      default: 15003, 2 cores, 10g
# Needs Java 17 or later and python3; PySpark is installed into a virtual environment of its own.
set -eu
port=${1:-15003} cores=${2:-2} memory=${3:-10g}
version=4.3.0
home=${XDG_CACHE_HOME:-$HOME/.cache}/firesteel/spark-$version

command -v java >/dev/null || { echo "no java found: install a Java runtime, 17 or later" >&2; exit 1; }
if ! [ -f "$home/complete" ]; then
    python3 -m venv "$home"
    "$home/bin/pip" install --quiet "pyspark==$version"
    touch "$home/complete"
fi
SPARK_HOME=$("$home/bin/python" -c 'import os, pyspark; print(os.path.dirname(pyspark.__file__))')
export SPARK_HOME
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
"$SPARK_HOME/bin/spark-submit" \
    --class org.apache.spark.sql.connect.service.SparkConnectServer \
    --master "local[$cores]" \
    --conf "spark.driver.memory=$memory" \
    --conf "spark.connect.grpc.binding.port=$port" \
    --conf spark.ui.enabled=false \
    --conf "spark.local.dir=$work" \
    --conf "spark.sql.warehouse.dir=$work/warehouse" \
    spark-internal
