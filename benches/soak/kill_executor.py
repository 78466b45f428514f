#!/usr/bin/env python3
"""Kills an executor with SIGKILL in the middle of every query, and compares the answers.

  kill_executor.py tpch --data DIR --binary PATH/TO/firesteel [--executors 3] [--rounds 1] [--seed N]

Starts a development cluster of its own, answers every query undisturbed first, then again with an
executor killed at a moment drawn from the first nine tenths of the time that took. An answer that
fails or differs makes the exit code 1. The cluster replaces each executor that dies; the next kill
waits until it has.
"""

import argparse
import json
import os
import pathlib
import random
import signal
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "tpc"))
import tpc


class Cluster:
    """`firesteel cluster` with every query sent to the executors."""

    def __init__(self, binary, executors, memory):
        self.executors = executors
        self.port = free_port()
        command = [binary, "cluster", f"--executors={executors}", f"--listen=127.0.0.1:{self.port}", f"--memory={memory}"]
        command += ["--cluster-listen=127.0.0.1:0", "--vcores=1", "--conf", "firesteel.execution.runner=cluster"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def victims(self):
        """Process ids of the executors that live."""
        listed = subprocess.run(["ps", "-o", "pid=,stat=,args=", "--ppid", str(self.process.pid)], capture_output=True, text=True)
        lines = (line.split(None, 2) for line in listed.stdout.splitlines())
        return [int(pid) for pid, state, args in lines if " executor" in args and not state.startswith("Z")]

    def whole(self, seconds=60):
        """Waits until every executor is there."""
        until = time.monotonic() + seconds
        while len(self.victims()) < self.executors:
            if time.monotonic() > until:
                raise SystemExit("the cluster did not replace an executor that died")
            time.sleep(0.05)
        time.sleep(1.0)  # a process that is there has yet to register

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def connect(port, data):
    from pyspark.sql import SparkSession

    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            break
        except OSError:
            time.sleep(0.1)
    spark = SparkSession.builder.remote(f"sc://127.0.0.1:{port}").create()
    tpc.register(spark, data)
    return spark


def answer(spark, benchmark, query):
    started = time.monotonic()
    lines = tpc.rows(tpc.run(spark, benchmark, query))
    return tpc.digest(lines), time.monotonic() - started


def disturbed(cluster, spark, benchmark, query, delay, chance):
    """The answer to a query during which an executor is killed after `delay` seconds, and whether it still ran then."""
    cluster.whole()
    victim = chance.choice(cluster.victims())
    running = threading.Event()
    running.set()
    hit = []

    def strike():
        hit.append(running.is_set())
        os.kill(victim, signal.SIGKILL)

    timer = threading.Timer(delay, strike)
    timer.start()
    try:
        digest, seconds = answer(spark, benchmark, query)
    finally:
        running.clear()
        timer.join()
    return digest, seconds, hit[0]


def report(cluster, spark, options, query, expected, usual, chance):
    """One disturbed run as a line of JSON; whether its answer was right."""
    delay = usual * chance.uniform(0.05, 0.9)
    line = {"query": query, "usual": round(usual, 3), "killed_after": round(delay, 3)}
    try:
        digest, seconds, hit = disturbed(cluster, spark, options.benchmark, query, delay, chance)
        verdict = "ok" if digest == expected else "DIFFERS"
        line |= {"seconds": round(seconds, 3), "while_running": hit}
    except Exception as error:
        verdict = f"FAILED {str(error).splitlines()[0][:200]}"
    print(json.dumps(line | {"verdict": verdict}), flush=True)
    return verdict == "ok"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("benchmark", choices=["tpch", "tpcds"])
    parser.add_argument("--data", type=pathlib.Path, required=True, help="folder of <table>.parquet")
    parser.add_argument("--binary", required=True, help="the firesteel program")
    parser.add_argument("--executors", type=int, default=3)
    parser.add_argument("--memory", default="2g", help="of each executor")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--queries", help="only these, such as q1,q6")
    options = parser.parse_args()
    chance = random.Random(options.seed)
    cluster = Cluster(options.binary, options.executors, options.memory)
    wrong = 0
    try:
        spark = connect(cluster.port, options.data.resolve())
        cluster.whole()
        for query in options.queries.split(",") if options.queries else tpc.names(options.benchmark):
            expected, usual = answer(spark, options.benchmark, query)
            for _ in range(options.rounds):
                wrong += not report(cluster, spark, options, query, expected, usual, chance)
        spark.stop()
    finally:
        cluster.close()
    print(f"{wrong} wrong or failed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
