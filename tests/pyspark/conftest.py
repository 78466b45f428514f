"""Options and fixtures of the PySpark tests. `cargo xtask test` starts the server and passes them."""

import pathlib
import sys

import pytest
from pyspark.sql import SparkSession

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benches" / "tpc"))


def pytest_addoption(parser):
    parser.addoption("--remote", default="127.0.0.1:15002", help="HOST:PORT of the server under test")
    parser.addoption("--data", help="folder with tpch/ and tpcds/ at scale 0.01")
    parser.addoption("--binary", help="the firesteel binary, for tests that start processes")
    parser.addoption("--runner", default="auto", help="which runner every session asks for")
    parser.addoption("--pid", type=int, help="process id of the server, for tests that watch it")


@pytest.fixture(scope="session")
def runner(request):
    return request.config.getoption("--runner")


@pytest.fixture(scope="session")
def remote(request):
    return "sc://" + request.config.getoption("--remote")


@pytest.fixture(scope="session")
def data(request):
    folder = request.config.getoption("--data")
    if folder is None:
        pytest.skip("needs --data")
    return pathlib.Path(folder)


@pytest.fixture(scope="session")
def server_pid(request):
    pid = request.config.getoption("--pid")
    if pid is None:
        pytest.skip("needs --pid")
    return pid


@pytest.fixture(scope="session")
def spark(remote, runner):
    """One session for all tests that do not change it for good."""
    session = SparkSession.builder.remote(remote).getOrCreate()
    session.conf.set("firesteel.execution.runner", runner)
    yield session
    session.stop()
