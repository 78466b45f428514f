"""Servers that a test starts for itself: to kill, to signal, to configure."""

import contextlib
import os
import pathlib
import re
import signal
import socket
import subprocess
import time


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_until(what, seconds=30.0):
    """Waits for `what()` to be true; says whether it came about."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if what():
            return True
        time.sleep(0.02)
    return False


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Server:
    """A `firesteel` process and what it prints."""

    def __init__(self, binary, log, *arguments):
        self.port = free_port()
        self.log = pathlib.Path(log)
        command = [str(binary), arguments[0], f"--listen=127.0.0.1:{self.port}", *arguments[1:]]
        with open(self.log, "w") as out:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        if not wait_until(lambda: listens(self.port) or self.process.poll() is not None):
            raise AssertionError("the server does not listen")
        assert self.process.poll() is None, self.log.read_text()

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def executors(self):
        """Process ids of the executors that run now, by number."""
        started = re.findall(r"executor (\d+): pid (\d+)", self.log.read_text())
        return {int(number): int(pid) for number, pid in started}

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def stop(self):
        if self.process.poll() is None:
            self.terminate()
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError("the server did not end on SIGTERM")


@contextlib.contextmanager
def running(binary, log, *arguments):
    server = Server(binary, log, *arguments)
    try:
        yield server
    finally:
        server.stop()


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A process that ended but was not waited for still has a number.
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"


def open_files(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))
