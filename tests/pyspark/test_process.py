"""The process around the engine: it starts, drains, refuses nonsense, and leaves nothing behind."""

import socket
import subprocess
import sys
import time

import pytest
from processes import open_files, running, wait_until
from pyspark.errors import PySparkException
from pyspark.sql.connect.session import SparkSession


@pytest.fixture(scope="module")
def binary(request, runner):
    path = request.config.getoption("--binary")
    if path is None or runner == "cluster":
        pytest.skip("needs --binary, and does not depend on the runner")
    return path


def connect(server):
    return SparkSession.builder.remote(f"sc://{server.address}").create()


def test_unknown_settings_are_refused(binary, tmp_path):
    config = tmp_path / "firesteel.toml"
    config.write_text("[serve]\nlissten = '127.0.0.1:1'\n")
    done = subprocess.run([binary, "serve", "--config", str(config)], capture_output=True, text=True)
    assert done.returncode == 2
    assert "lissten" in done.stderr


def test_a_taken_port_is_said(binary, tmp_path):
    with running(binary, tmp_path / "log", "serve") as server:
        done = subprocess.run([binary, "serve", "--listen", server.address], capture_output=True, text=True)
        assert done.returncode == 1
        assert server.address in done.stderr


def test_configuration_reaches_sessions(binary, tmp_path):
    with running(binary, tmp_path / "log", "serve", "--conf=spark.sql.session.timeZone=Asia/Tokyo") as server:
        spark = connect(server)
        assert spark.conf.get("spark.sql.session.timeZone") == "Asia/Tokyo"
        spark.stop()


def test_status(binary, tmp_path):
    with running(binary, tmp_path / "log", "serve") as server:
        done = subprocess.run([binary, "status", "--remote", server.address], capture_output=True, text=True)
        assert done.returncode == 0 and "serving" in done.stdout
    done = subprocess.run([binary, "status", "--remote", server.address], capture_output=True, text=True)
    assert done.returncode == 1


SLOW = """
import os, sys
from pyspark.sql.connect.session import SparkSession
spark = SparkSession.builder.remote(sys.argv[1]).create()
query = "SELECT sum(a.id * b.id % 7) AS s FROM range(3000) a CROSS JOIN range(2000) b"
frame = spark.sql(query)
print("started", flush=True)
print(frame.collect()[0].s, flush=True)
os._exit(0)  # the server is gone: a client that says goodbye would try for minutes
"""


def test_sigterm_lets_a_query_finish(binary, tmp_path):
    with running(binary, tmp_path / "log", "serve") as server:
        program = tmp_path / "slow.py"
        program.write_text(SLOW)
        command = [sys.executable, str(program), f"sc://{server.address}"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as client:
            assert client.stdout.readline() == "started\n"
            time.sleep(0.2)
            server.terminate()
            assert int(client.stdout.readline()) > 0
            assert client.wait(30) == 0
        assert server.process.wait(60) == 0


def test_temporary_files_go_with_the_process(binary, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with running(binary, tmp_path / "log", "serve") as server:
        folders = lambda: list(tmp_path.glob("firesteel-*/run-*"))
        assert wait_until(lambda: len(folders()) == 1)
        spark = connect(server)
        assert spark.range(10).count() == 10
        spark.stop()
    assert folders() == []


def test_garbage_on_the_port(binary, tmp_path):
    with running(binary, tmp_path / "log", "serve") as server:
        pid = server.process.pid
        before = open_files(pid)
        for n in range(200):
            with socket.create_connection(("127.0.0.1", server.port)) as stream:
                stream.sendall(bytes((n * i) % 256 for i in range(512)))
        assert wait_until(lambda: open_files(pid) <= before + 2)
        spark = connect(server)
        assert spark.sql("SELECT 1 AS one").first().one == 1
        spark.stop()


def test_clients_that_vanish(binary, tmp_path):
    with running(binary, tmp_path / "log", "serve") as server:
        program = tmp_path / "vanish.py"
        program.write_text(
            "import os, sys\n"
            "from pyspark.sql import SparkSession\n"
            "spark = SparkSession.builder.remote(sys.argv[1]).getOrCreate()\n"
            "rows = spark.range(10_000_000).toLocalIterator()\n"
            "next(rows)\n"
            "os._exit(0)\n"
        )
        for _ in range(3):
            subprocess.run([sys.executable, str(program), f"sc://{server.address}"], check=True, timeout=120)
        spark = connect(server)
        assert spark.range(100).count() == 100
        spark.stop()


def test_a_deep_plan(binary, tmp_path):
    with running(binary, tmp_path / "log", "serve") as server:
        spark = connect(server)
        column = " + ".join(["id"] * 300)
        assert spark.range(1, 2).selectExpr(f"{column} AS n").first().n == 300
        nested = "(" * 2000 + "1" + ")" * 2000
        try:
            answer = spark.sql(f"SELECT {nested} AS n").first().n
        except PySparkException as error:  # refusing is fine, dying is not
            assert error.getCondition() is not None
        else:
            assert answer == 1
        assert spark.sql("SELECT 1 AS one").first().one == 1
        spark.stop()


def test_many_errors_cost_nothing(binary, tmp_path):
    with running(binary, tmp_path / "log", "serve") as server:
        spark = connect(server)
        pid = server.process.pid

        def fail():
            for statement in ("SELEC", "SELECT nope", "SELECT * FROM parquet.`/no/such`"):
                with pytest.raises(PySparkException) as caught:
                    spark.sql(statement).collect()
                assert caught.value.getCondition() is not None

        fail()
        before = open_files(pid)
        for _ in range(50):
            fail()
        assert open_files(pid) <= before + 2
        spark.stop()
