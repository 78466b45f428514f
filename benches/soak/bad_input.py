#!/usr/bin/env python3
"""Sends a running server bad input, again and again, and compares what it holds before and after.

  bad_input.py --remote HOST:PORT --pid PID [--rounds 1000] [--only NAME,NAME]

Every kind of input must end in the named condition or a clean close, the server must still answer,
and its resident memory, open files and temporary files must come back to where they were. The first
tenth of the rounds warms caches and is not counted. Exit code 1 if anything did not come back.
"""

import argparse
import logging
import os
import pathlib
import random
import socket
import sys
import tempfile
import time
import uuid

DETACHED_SECONDS = 330
"""Results that a client left are kept for it as long as Spark keeps them, five minutes, unless there are many."""

SETTLING_SECONDS = 15
"""After anything else, memory that was freed is back with the system this soon."""

GROWTH_MIB = 32
"""Resident memory may differ by this much: allocators keep what threads have used."""


def session(address):
    from pyspark.sql.connect.session import SparkSession

    return SparkSession.builder.remote(f"sc://{address}/;session_id={uuid.uuid4()}").create()


def fails(run, *conditions):
    """`run` must raise one of these conditions."""
    from pyspark.errors import PySparkException

    try:
        run()
    except PySparkException as error:
        condition = error.getCondition() or ""
        if not any(condition.startswith(c) for c in conditions):
            raise AssertionError(f"{condition!r} in place of {conditions}: {error}") from error
        return
    raise AssertionError(f"no error in place of {conditions}")


class Inputs:
    """Kinds of bad input, by name; each is sent once a call."""

    def __init__(self, address, folder):
        self.address = address
        self.spark = session(address)
        self.corrupt = folder / "corrupt.parquet"
        self.corrupt.write_bytes(b"PAR1" + bytes(random.Random(1).randbytes(2000)) + b"PAR1")
        self.deep = "SELECT " + "(" * 10_000 + "1" + ")" * 10_000
        self.large = "SELECT '" + "x" * (100 << 20) + "' AS a FROM nowhere"

    def unparsable(self):
        fails(lambda: self.spark.sql("SELEC 1 FRM t"), "PARSE_SYNTAX_ERROR")

    def unknown_column(self):
        fails(lambda: self.spark.sql("SELECT nope FROM range(3)").collect(), "UNRESOLVED_COLUMN")

    def missing_file(self):
        fails(lambda: self.spark.read.parquet("/no/such/file").collect(), "PATH_NOT_FOUND")

    def corrupt_parquet(self):
        read = self.spark.read.schema("a INT").parquet(str(self.corrupt))
        fails(read.collect, "FAILED_READ_FILE", "CANNOT_READ_FILE_FOOTER")

    def nested(self):
        fails(lambda: self.spark.sql(self.deep).collect(), "FAILED_TO_PARSE_TOO_COMPLEX", "PARSE_SYNTAX_ERROR")

    def garbage(self):
        host, port = self.address.rsplit(":", 1)
        with socket.create_connection((host, int(port)), 5) as peer:
            peer.settimeout(5)
            try:
                peer.sendall(random.randbytes(4096))
                while peer.recv(4096):
                    pass
            except OSError:
                pass

    def vanish(self):
        """A client that takes one batch of a long result and goes without a word."""
        other = session(self.address)
        rows = other.range(50_000_000).selectExpr("id", "cast(id AS string) AS s").toLocalIterator()
        next(rows)
        other.client._channel.close()

    def large_statement(self):
        fails(lambda: self.spark.sql(self.large).collect(), "TABLE_OR_VIEW_NOT_FOUND")


RARE = {"vanish": 10, "large_statement": 100, "nested": 10}
"""Inputs that take long are sent once in so many rounds."""


def held(pid):
    """Resident MiB, open files, and temporary files of a process."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    resident = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024
    files = [os.readlink(f) for f in pathlib.Path(f"/proc/{pid}/fd").iterdir() if f.is_symlink()]
    return {"resident_mib": round(resident), "open": len(files), "temporary": sum("spill" in f for f in files)}


def settle(pid):
    time.sleep(3)
    return held(pid)


def grew(before, after):
    """Whether a process holds more than it did."""
    memory = after["resident_mib"] - before["resident_mib"] > GROWTH_MIB
    return memory or after["open"] > before["open"] + 2 or after["temporary"] > before["temporary"]


def settled(pid, before, seconds):
    """What is held once it is back to what it was, or after so many seconds, and how long that took."""
    started = time.monotonic()
    while True:
        after = settle(pid)
        waited = time.monotonic() - started
        if not grew(before, after) or waited > seconds:
            return after, waited


def main():
    # The client logs every error that it raises; here they are what is asked for.
    logging.disable(logging.CRITICAL)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--remote", required=True, metavar="HOST:PORT")
    parser.add_argument("--pid", required=True, type=int)
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        inputs = Inputs(options.remote, pathlib.Path(folder))
        names = [n for n in vars(Inputs) if not n.startswith("_")]
        for name in options.only.split(",") if options.only else names:
            rounds = max(options.rounds // RARE.get(name, 1), 5)
            send = getattr(inputs, name)
            for _ in range(max(rounds // 10, 2)):
                send()
            left = name == "vanish"
            time.sleep(DETACHED_SECONDS if left else SETTLING_SECONDS)
            before = settle(options.pid)
            started = time.perf_counter()
            for _ in range(rounds):
                send()
            seconds = time.perf_counter() - started
            after, waited = settled(options.pid, before, DETACHED_SECONDS if left else SETTLING_SECONDS)
            answer = inputs.spark.sql("SELECT 1").collect()[0][0]
            bad = grew(before, after) or answer != 1
            failed |= bad
            line = f"{name:16} {rounds:5} times in {seconds:6.1f} s, back after {waited:3.0f} s  {before} -> {after}"
            print(f"{line}{'  GREW' if bad else ''}", flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
