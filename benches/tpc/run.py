#!/usr/bin/env python3
"""Times TPC-H or TPC-DS on Spark Connect endpoints, interleaved, and compares their answers.

  run.py tpch --data DIR --remote HOST:PORT
  run.py tpch --data DIR --remote firesteel=HOST:PORT --against spark=HOST:PORT --floor PATH/TO/floor

Every engine answers a query before any goes on to the next, run by run, so that what disturbs the
machine disturbs them all. The first run of each is a warm-up and not counted. Times are the
client's: from sending the statement to holding the whole answer as Arrow. `--floor` adds plain
DataFusion, in a process of its own, over the same files. Results go to benches/runs/ as JSON.
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import time
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import tpc

RUNS = pathlib.Path(__file__).resolve().parents[1] / "runs"


class Endpoint:
    """A Spark Connect server with the tables registered in a session of its own."""

    def __init__(self, name, address, data, confs):
        from pyspark.sql.connect.session import SparkSession

        self.name = name
        # A session id in the address makes sessions on several servers possible in one process.
        url = f"sc://{address}/;session_id={uuid.uuid4()}"
        self.spark = SparkSession.builder.remote(url).create()
        for key, value in confs:
            self.spark.conf.set(key, value)
        tpc.register(self.spark, data)

    def run(self, benchmark, query):
        started = time.perf_counter()
        answer = tpc.run(self.spark, benchmark, query)
        seconds = time.perf_counter() - started
        lines = tpc.rows(answer)
        return {"seconds": seconds, "rows": len(lines), "digest": tpc.digest(lines)}

    def close(self):
        self.spark.stop()


class Floor:
    """Plain DataFusion: a program that runs the queries named on its standard input."""

    def __init__(self, program, data, options):
        self.name = "floor"
        command = [program, "--data", str(data), "--queries", str(tpc.QUERIES / options.benchmark)]
        if options.threads:
            command += ["--threads", str(options.threads)]
        if options.memory:
            command += ["--memory", str(options.memory)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run(self, _benchmark, query):
        self.process.stdin.write(query + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("the floor program ended")
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("benchmark", choices=["tpch", "tpcds"])
    parser.add_argument("--data", type=pathlib.Path, required=True, help="folder of <table>.parquet, seen by every engine")
    parser.add_argument("--remote", required=True, metavar="[NAME=]HOST:PORT", help="the endpoint to time")
    parser.add_argument("--against", action="append", default=[], metavar="[NAME=]HOST:PORT", help="one to compare it with")
    parser.add_argument("--floor", metavar="PROGRAM", help="the bench binary of plain DataFusion")
    parser.add_argument("--threads", type=int, help="partitions of the floor")
    parser.add_argument("--memory", type=int, help="bytes the floor may use")
    parser.add_argument("--runs", type=int, default=3, help="counted runs of each query")
    parser.add_argument("--cold", action="store_true", help="no uncounted first run: for large data, where it takes as long as the rest")
    parser.add_argument("--queries", help="only these, such as q1,q6")
    parser.add_argument("--conf", action="append", default=[], metavar="KEY=VALUE", help="set on --remote's session")
    parser.add_argument("--pid", action="append", default=[], metavar="NAME=PID", help="report this process's peak memory")
    parser.add_argument("--label", default="", help="kept in the report")
    parser.add_argument("--out", type=pathlib.Path, help="the report [default: a dated file in benches/runs]")
    return parser.parse_args()


def main():
    options = arguments()
    data = options.data.resolve()
    confs = [conf.split("=", 1) for conf in options.conf]
    engines = [Endpoint(*named(options.remote, "remote"), data, confs)]
    engines += [Endpoint(*named(a, f"against{n}"), data, []) for n, a in enumerate(options.against)]
    if options.floor:
        engines.append(Floor(options.floor, data, options))
    queries = options.queries.split(",") if options.queries else tpc.names(options.benchmark)
    warm_ups = 0 if options.cold else 1
    results = {query: measure(engines, options.benchmark, query, warm_ups, options.runs) for query in queries}
    for engine in engines:
        engine.close()
    report = summarize(options, [e.name for e in engines], results)
    path = options.out or RUNS / f"{report['when'][:19].replace(':', '')}-{options.benchmark}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=1) + "\n")
    show(report)
    print(f"\nreport: {path}")
    return 0 if not report["differences"] and not report["failures"] else 1


def named(text, default):
    name, _, address = text.rpartition("=")
    return name or default, address


def measure(engines, benchmark, query, warm_ups, runs):
    """One query on every engine: warm-ups, then the counted runs in turn."""
    measured = {engine.name: {"seconds": []} for engine in engines}
    for number in range(warm_ups + runs):
        for engine in engines:
            into = measured[engine.name]
            if "error" in into:
                continue
            try:
                answer = engine.run(benchmark, query)
            except Exception as error:
                into["error"] = str(error).strip().splitlines()[0][:300] if str(error).strip() else repr(error)
                continue
            if number >= warm_ups:
                into["seconds"].append(answer["seconds"])
            into["rows"] = answer["rows"]
            into["digest"] = answer.get("digest")
    line = "  ".join(f"{name} {cell(m)}" for name, m in measured.items())
    print(f"{query:>4}  {line}", flush=True)
    return measured


def cell(measured):
    return "failed  " if "error" in measured else f"{min(measured['seconds']):7.3f}s"


def summarize(options, names, results):
    first = names[0]
    whole = [q for q, m in results.items() if all("error" not in m[n] for n in names)]
    totals = {
        name: {
            "best": sum(min(results[q][name]["seconds"]) for q in whole),
            "median": sum(statistics.median(results[q][name]["seconds"]) for q in whole),
        }
        for name in names
    }
    ratio = lambda name: totals[first]["best"] / totals[name]["best"] if totals[name]["best"] else None
    return {
        "when": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "label": options.label,
        "benchmark": options.benchmark,
        "data": options.data.name,
        "runs": options.runs,
        "warm_ups": 0 if options.cold else 1,
        "machine": {"cpus": os.cpu_count(), "platform": platform.platform()},
        "totals": totals,
        "ratios_of_best": {f"{first}/{name}": ratio(name) for name in names[1:]},
        "compared_queries": len(whole),
        "peak_memory_bytes": {name: peak(pid) for name, pid in (p.split("=", 1) for p in options.pid)},
        "differences": differences(names, results),
        "failures": {q: {n: m[n]["error"] for n in names if "error" in m[n]} for q, m in results.items() if any("error" in m[n] for n in names)},
        "queries": results,
    }


def differences(names, results):
    """Queries whose answers are not the same everywhere. The floor's are compared by their size: it
    prints some values in another form."""
    found = []
    for query, measured in results.items():
        answered = [m for m in measured.values() if "error" not in m]
        digests = {m["digest"] for m in answered if m["digest"]}
        if len(digests) > 1 or len({m["rows"] for m in answered}) > 1:
            found.append(query)
    return found


def peak(pid):
    with open(f"/proc/{int(pid)}/status") as status:
        for line in status:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return None


def show(report):
    print()
    for name, total in report["totals"].items():
        print(f"{name:<14} sum of best {total['best']:9.3f} s   sum of medians {total['median']:9.3f} s")
    for names, ratio in report["ratios_of_best"].items():
        print(f"{names:<28} {ratio:.3f}" if ratio else names)
    for name, size in report["peak_memory_bytes"].items():
        print(f"{name:<14} peak resident memory {(size or 0) / 2**20:.0f} MiB")
    print(f"answers differ: {', '.join(report['differences']) or 'none'}")
    for query, errors in report["failures"].items():
        for name, error in errors.items():
            print(f"{query} failed on {name}: {error}")


if __name__ == "__main__":
    sys.exit(main())
