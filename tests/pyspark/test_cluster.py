"""A cluster of processes: executors join, die and are replaced, and answers stay right."""

import os
import signal
import threading
import time

import pytest
import tpc
from processes import alive, free_port, running, wait_until
from pyspark.sql.connect.session import SparkSession

EXECUTORS = 3

# Queries with several stages between which an executor can be lost.
QUERIES = ("q1", "q3", "q5", "q7", "q9", "q10", "q18", "q21")


@pytest.fixture(scope="module")
def cluster(request, runner, data, tmp_path_factory):
    binary = request.config.getoption("--binary")
    if binary is None or runner != "cluster":
        pytest.skip("needs --binary and --runner cluster")
    log = tmp_path_factory.mktemp("cluster") / "log"
    plane = f"--cluster-listen=127.0.0.1:{free_port()}"
    with running(binary, log, "cluster", plane, f"--executors={EXECUTORS}", "--vcores=1", "--memory=1g") as server:
        yield server


@pytest.fixture(scope="module")
def spark(cluster, data):
    session = SparkSession.builder.remote(f"sc://{cluster.address}").create()
    session.conf.set("firesteel.execution.runner", "cluster")
    tpc.register(session, data / "tpch")
    yield session
    session.stop()


@pytest.fixture(scope="module")
def answers(spark):
    """What the queries answer when nothing is killed."""
    return {query: sorted(tpc.rows(tpc.run(spark, "tpch", query))) for query in QUERIES}


def test_only_executors_are_children(cluster):
    assert wait_until(lambda: len(cluster.executors()) == EXECUTORS)
    for pid in cluster.executors().values():
        with open(f"/proc/{pid}/cmdline") as command:
            assert "executor" in command.read().split("\0")


@pytest.mark.parametrize("query", QUERIES)
def test_an_executor_is_killed_during_a_query(cluster, spark, answers, query):
    assert wait_until(lambda: sum(alive(pid) for pid in cluster.executors().values()) == EXECUTORS)
    victim = cluster.executors()[1 + QUERIES.index(query) % EXECUTORS]
    got = []
    work = threading.Thread(target=lambda: got.append(sorted(tpc.rows(tpc.run(spark, "tpch", query)))))
    work.start()
    time.sleep(0.15)
    os.kill(victim, signal.SIGKILL)
    work.join(120)
    assert got == [answers[query]]


def test_a_dead_executor_is_replaced(cluster, spark):
    number, victim = next(iter(cluster.executors().items()))
    os.kill(victim, signal.SIGKILL)
    assert wait_until(lambda: cluster.executors()[number] != victim)
    assert wait_until(lambda: alive(cluster.executors()[number]))
    assert spark.range(1000).repartition(4).count() == 1000


def test_an_executor_that_is_asked_to_leave_finishes_its_tasks(cluster, spark, answers):
    victim = cluster.executors()[2]
    got = []
    work = threading.Thread(target=lambda: got.append(sorted(tpc.rows(tpc.run(spark, "tpch", "q9")))))
    work.start()
    time.sleep(0.1)
    os.kill(victim, signal.SIGTERM)
    work.join(120)
    assert got == [answers["q9"]]
    assert wait_until(lambda: not alive(victim), 60)


def test_nothing_is_left_behind(request, data, runner, tmp_path):
    binary = request.config.getoption("--binary")
    if binary is None or runner != "cluster":
        pytest.skip("needs --binary and --runner cluster")
    plane = f"--cluster-listen=127.0.0.1:{free_port()}"
    with running(binary, tmp_path / "log", "cluster", plane, "--executors=2", "--vcores=1", "--memory=512m") as server:
        assert wait_until(lambda: len(server.executors()) == 2)
        pids = list(server.executors().values())
    assert not any(alive(pid) for pid in pids)
