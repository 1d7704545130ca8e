"""Traces: what the daemon receives over UDP, and that tracing cannot harm the job."""

from __future__ import annotations

import contextvars
import json
import re
import select
import socket
import threading
import time
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from tests.support.waiting import SECONDS_MAX
from tests.support.xray import find_problems

from log_aggregator.errors import GroupFailed, VerificationError
from log_aggregator.telemetry.tracing import span

ROOT = "1-5759e988-bd862e3fe1be46a994272793"
PARENT = "53995c3f42cd8ad8"
SECRET = "AKIAEXAMPLE-in-a-log-line"
HEADER = b'{"format": "json", "version": 1}\n'


class Daemon:
    """Receives what is sent to it, on a free local port."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(SECONDS_MAX)
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"

    def receive_raw(self) -> bytes:
        """Everything received must be valid for X-Ray."""
        raw = self._socket.recv(70_000)
        assert find_problems(raw) == []
        return raw

    def receive(self) -> dict[str, Any]:
        header, newline, document = self.receive_raw().partition(b"\n")
        assert header + newline == HEADER
        received: dict[str, Any] = json.loads(document)
        return received

    def is_quiet(self) -> bool:
        """Whether nothing is waiting. Over loopback a datagram arrives as soon as it was sent."""
        readable, _, _ = select.select([self._socket], [], [], 0)
        return not readable

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def daemon(monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    """A daemon, and a sampled trace."""
    made = Daemon()
    monkeypatch.setenv("AWS_XRAY_DAEMON_ADDRESS", made.address)
    monkeypatch.setenv(
        "_X_AMZN_TRACE_ID", f"Root={ROOT};Parent={PARENT};Sampled=1;Lineage=1:a84cdf6d:0"
    )
    yield made
    made.close()


def test_a_span_is_a_subsegment_of_the_function(daemon: Daemon) -> None:
    """All fields that an independent subsegment must have, with the times of the enclosed work, and
    the annotations.
    """
    before = time.time()
    with span(
        "combine",
        date=date(2025, 4, 3),
        bucket="logs",
        objects=3,
        share=0.5,
        is_first=True,
        account=None,
    ):
        time.sleep(0.01)
    received = daemon.receive()
    assert set(received) == {
        "name",
        "id",
        "trace_id",
        "parent_id",
        "type",
        "start_time",
        "end_time",
        "annotations",
    }
    assert (received["name"], received["type"], received["trace_id"], received["parent_id"]) == (
        "combine",
        "subsegment",
        ROOT,
        PARENT,
    )
    assert re.fullmatch("[0-9a-f]{16}", received["id"])
    assert received["annotations"] == {
        "date": "2025-04-03",
        "bucket": "logs",
        "objects": 3,
        "share": 0.5,
        "is_first": True,
    }
    assert before <= received["start_time"]
    assert 0.01 <= received["end_time"] - received["start_time"] < time.time() - before


def test_spans_can_be_nested(daemon: Daemon) -> None:
    """The parent is the enclosing span, for siblings too; afterwards it is the function again."""
    with span("outer"):
        with span("first"), span("innermost"):
            pass
        with span("second"):
            pass
    with span("later"):
        pass
    received = {document["name"]: document for document in (daemon.receive() for _ in range(5))}
    names = {document["id"]: name for name, document in received.items()} | {PARENT: "function"}
    parents = {name: names[document["parent_id"]] for name, document in received.items()}
    assert parents == {
        "outer": "function",
        "first": "outer",
        "innermost": "first",
        "second": "outer",
        "later": "function",
    }
    assert len(names) == 6


def test_a_thread_belongs_to_the_function_unless_given_a_context(daemon: Daemon) -> None:
    """Two threads never become each other's children; a copied context takes the parent along."""

    def work(name: str) -> None:
        with span(name):
            pass

    with span("outer"):
        copied = contextvars.copy_context()
        for target in (lambda: work("bare"), lambda: copied.run(work, "given")):
            thread = threading.Thread(target=target)
            thread.start()
            thread.join()
    received = {document["name"]: document for document in (daemon.receive() for _ in range(3))}
    assert received["bare"]["parent_id"] == PARENT
    assert received["given"]["parent_id"] == received["outer"]["id"]


def test_a_thread_of_an_earlier_invocation_gets_the_current_trace(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container lives on: a parent in another trace does not count."""
    with span("earlier"):
        left_over = contextvars.copy_context()
    daemon.receive()
    other = ROOT[:-1] + "0"
    monkeypatch.setenv("_X_AMZN_TRACE_ID", f"Root={other};Parent={PARENT};Sampled=1")

    def work() -> None:
        with span("now"):
            pass

    left_over.run(work)
    received = daemon.receive()
    assert (received["trace_id"], received["parent_id"]) == (other, PARENT)


def test_each_invocation_has_its_own_trace(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lambda sets the variable anew for each: another trace, another segment, sampled or not."""
    seen = []
    for number in range(4):
        root, parent = f"1-5759e988-{number:024x}", f"{number:016x}"
        header = f"Root={root};Parent={parent};Sampled={number % 2};Lineage=1:a84cdf6d:{number}"
        monkeypatch.setenv("_X_AMZN_TRACE_ID", header)
        with span("combine"):
            pass
        if number % 2:
            received = daemon.receive()
            seen.append((received["trace_id"], received["parent_id"]) == (root, parent))
        assert daemon.is_quiet()
    assert seen == [True, True]


def test_our_errors_are_traced_with_their_text(daemon: Daemon) -> None:
    """An error is passed on, and each span that it leaves is marked with it; later spans
    are not.
    """
    with pytest.raises(VerificationError), span("outer"), span("verify"):
        raise VerificationError("s3://logs/packs/x: 3 bytes are stored, 4 were written")
    with span("after"):
        pass
    inner, outer, after = (daemon.receive() for _ in range(3))
    for received in (inner, outer):
        assert received["error"] is True
        assert "fault" not in received
        (told,) = received["cause"]["exceptions"]
        assert (told["type"], told["message"]) == (
            "VerificationError",
            "s3://logs/packs/x: 3 bytes are stored, 4 were written",
        )
        assert re.fullmatch("[0-9a-f]{16}", told["id"])
    assert outer["id"] == inner["parent_id"]
    assert "error" not in after
    assert after["parent_id"] == PARENT


@pytest.mark.parametrize("error", [ValueError(f"bad: {SECRET}"), KeyboardInterrupt(SECRET)])
def test_other_errors_are_traced_by_name_and_place(daemon: Daemon, error: BaseException) -> None:
    """Their text may quote the contents of a log."""
    with pytest.raises(type(error)), span("read"):
        raise error
    raw = daemon.receive_raw()
    received = json.loads(raw.removeprefix(HEADER))
    assert SECRET.encode() not in raw
    assert received["fault"] is True
    assert "error" not in received
    (told,) = received["cause"]["exceptions"]
    assert set(told) == {"id", "type", "message"}
    assert told["type"] == type(error).__name__
    place = r"log_aggregator/telemetry/tracing\.py:[0-9]+ in span"
    assert re.fullmatch(f"{told['type']} at {place}", told["message"])


@pytest.mark.parametrize(
    "header",
    [
        "",
        f"Root={ROOT};Parent={PARENT};Sampled=0;Lineage=1:a84cdf6d:0",
        f"Root={ROOT};Parent={PARENT}",
        f"Root={ROOT};Sampled=1",
        f"Parent={PARENT};Sampled=1",
        f"Root=1-5759e988;Parent={PARENT};Sampled=1",
        f"Root={ROOT};Parent={PARENT};Sampled=?",
        "nonsense;;=;",
    ],
)
def test_an_unsampled_trace_is_not_sent(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch, header: str
) -> None:
    """Without a sampled trace nothing is sent, and errors still pass."""
    monkeypatch.setenv("_X_AMZN_TRACE_ID", header)
    with pytest.raises(GroupFailed), span("combine", bucket="logs"):
        raise GroupFailed("x")
    assert daemon.is_quiet()


@pytest.mark.parametrize(
    "address",
    [
        "",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:99999",
        "daemon:2000",
        "999.0.0.1:2000",
        "a..b:1",
        "[::1]:2000",
    ],
)
def test_without_a_usable_daemon_there_is_no_tracing(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    """A missing or malformed address is not looked up, and does no harm."""
    monkeypatch.setenv("AWS_XRAY_DAEMON_ADDRESS", address)

    def no_socket(*_: object) -> None:
        pytest.fail("a socket was opened")

    monkeypatch.setattr(socket, "socket", no_socket)
    with span("combine"):
        pass


@pytest.mark.parametrize("failing", ["open", "send"])
def test_a_failing_network_does_not_fail_the_job(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    """The job ends as without tracing: with its result, or with its own error."""

    class NoRoom(socket.socket):
        def __init__(self, *arguments: Any) -> None:
            if failing == "open":
                raise OSError(24, "Too many open files")
            super().__init__(*arguments)

        def sendto(self, *_: Any) -> int:
            raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(socket, "socket", NoRoom)
    with span("combine"):
        result = 1
    assert result == 1
    with pytest.raises(GroupFailed), span("combine"):
        raise GroupFailed("the job's own")


def test_a_missing_daemon_does_not_fail_the_job(monkeypatch: pytest.MonkeyPatch) -> None:
    """No process listens on the port any more."""
    gone = Daemon()
    gone.close()
    monkeypatch.setenv("AWS_XRAY_DAEMON_ADDRESS", gone.address)
    monkeypatch.setenv("_X_AMZN_TRACE_ID", f"Root={ROOT};Parent={PARENT};Sampled=1")
    for _ in range(3):
        with span("combine"):
            pass


@pytest.mark.parametrize("header", ["", f"Root={ROOT};Parent={PARENT};Sampled=1"])
@pytest.mark.parametrize(
    "annotations",
    [
        {"log-type": "x"},
        {"": "x"},
        {"ü": "x"},
        {"a" * 501: "x"},
        {"a": b"x"},
        {"a": ["x"]},
        {"a": float("nan")},
        {f"a{number}": "x" for number in range(51)},
    ],
)
def test_invalid_annotations_are_refused(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch, header: str, annotations: Any
) -> None:
    """They are refused even if not sampled: a fault in one trace of twenty would be found
    too late.
    """
    monkeypatch.setenv("_X_AMZN_TRACE_ID", header)
    with pytest.raises(ValueError, match="annotation"), span("combine", **annotations):
        pytest.fail("the job began")
    assert daemon.is_quiet()


def test_texts_are_cut_and_names_are_cleaned(daemon: Daemon) -> None:
    """X-Ray refuses longer texts, and other characters in names."""
    with pytest.raises(GroupFailed), span("a*b (c)\\\t\n" + "n" * 500, key="k" * 500):
        raise GroupFailed("m" * 50_000)
    received = daemon.receive()
    assert received["name"].startswith("a_b _c____nnn")
    assert len(received["name"]) == 200
    assert len(received["annotations"]["key"]) == 250
    assert len(received["cause"]["exceptions"][0]["message"]) == 1_000


def test_an_oversized_span_loses_its_annotations(daemon: Daemon) -> None:
    """A datagram holds at most 64 kB; the span itself, its place and its error are worth more than
    its annotations.
    """
    many = {f"a{number}": "\U0001f600" * 250 for number in range(40)}
    with pytest.raises(GroupFailed), span("combine", **many):
        raise GroupFailed("\U0001f600" * 5_000)
    raw = daemon.receive_raw()
    assert len(raw) <= 64_000
    received = json.loads(raw.removeprefix(HEADER))
    assert (received["parent_id"], received["annotations"], received["error"]) == (PARENT, {}, True)


@pytest.mark.parametrize(
    "wrong",
    [
        {"type": "segment"},
        {"type": None},
        {"parent_id": None},
        {"trace_id": "1-5759e988"},
        {"id": "53995C3F42CD8AD8"},
        {"name": "n" * 201},
        {"name": "a\tb"},
        {"end_time": None},
        {"end_time": 1.0},
        {"annotations": {"log-type": "x"}},
        {"annotations": {"a": ["x"]}},
        {"annotations": {"a": "x" * 1001}},
        {"cause": {"exceptions": [{"message": "x"}]}},
        {"message": "x"},
    ],
    ids=str,
)
def test_the_schema_finds_invalid_subsegments(daemon: Daemon, wrong: dict[str, Any]) -> None:
    """A subsegment of ours passes; with one wrong or missing field it does not."""
    with span("combine", bucket="logs"):
        pass
    broken = {
        name: value for name, value in {**daemon.receive(), **wrong}.items() if value is not None
    }
    assert find_problems(HEADER + json.dumps(broken).encode()) != []


@pytest.mark.parametrize(
    "header", [b"", b'{"format": "json", "version": 2}\n', b'{"format": "json"}\n']
)
def test_the_daemon_gets_its_header(daemon: Daemon, header: bytes) -> None:
    """The document comes after one line of JSON."""
    with span("combine"):
        pass
    document = daemon.receive_raw().removeprefix(HEADER)
    assert any("header" in problem for problem in find_problems(header + document))
