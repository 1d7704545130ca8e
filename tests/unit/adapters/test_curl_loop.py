"""Many parallel GETs: each gets its own answer, in its place, within limits, whatever happens to
the others.
"""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from tests.support.stalling import Connection, StallingServer, silent
from tests.support.waiting import SECONDS_MAX, wait_until
from tests.unit.adapters.conftest import Answer, CannedS3

from log_aggregator.adapters.s3 import ClientSettings, S3Store, curl_loop
from log_aggregator.adapters.s3.curl_loop import AHEAD_BYTES_MAX, AHEAD_COUNT_MAX, Share
from log_aggregator.adapters.s3.deadlines import WATCHDOG
from log_aggregator.errors import Interrupted, NotFound, RequestFailed, StoreError
from log_aggregator.model import LogObject
from log_aggregator.ports.store import Body

CONCURRENCY = 8
ETAG = "e" * 32


pytestmark = pytest.mark.usefixtures("no_surroundings", "watchdog")


class Echo:
    """Answers each GET with its own key, unless `answer` has something else. Counts the requests
    per key.
    """

    def __init__(self, answer: Callable[[str, int], bytes | None] = lambda *_: None) -> None:
        self.asked: Counter[str] = Counter()
        self._answer = answer
        self._lock = threading.Lock()

    def __call__(self, connection: Connection) -> None:
        while head := connection.read_head():
            key = head.split(b" ", 2)[1].decode().split("/b/", 1)[1]
            with self._lock:
                self.asked[key] += 1
                times = self.asked[key]
            connection.sock.sendall(self._answer(key, times) or says(200, key.encode()))


def says(status: int, body: bytes = b"") -> bytes:
    return (
        b'HTTP/1.1 %d X\r\nETag: "%s"\r\nContent-Length: %d\r\n\r\n'
        % (status, ETAG.encode(), len(body))
    ) + body


def says_code(status: int, code: str) -> bytes:
    return says(status, f"<Error><Code>{code}</Code></Error>".encode())


def connect(server: StallingServer, **limits: Any) -> S3Store:
    settings = ClientSettings(
        region="us-east-1",
        endpoint_url=server.endpoint_url,
        access_key="k",
        secret_key="s",
        concurrency=CONCURRENCY,
        attempts_max=3,
    )
    return S3Store.connect(replace(settings, **limits))


def sources(keys: Sequence[str], size_bytes: int = 1) -> list[LogObject]:
    now = datetime(2025, 1, 1, tzinfo=UTC)
    return [LogObject("b", key, None, ETAG, size_bytes, now) for key in keys]


def names(count: int) -> list[str]:
    return [f"key-{number:04}" for number in range(count)]


def texts(found: Sequence[Body | RequestFailed]) -> list[str]:
    return [each.data.decode() if isinstance(each, Body) else each.code for each in found]


class TestOrder:
    def test_each_read_gets_its_own_answer(self) -> None:
        """A few reused connections give each key its own body."""
        with StallingServer(Echo()) as server:
            store = connect(server)
            for _ in range(2):
                assert texts(list(store.get_objects(sources(names(300))))) == names(300)
            assert server.connections <= CONCURRENCY

    def test_a_later_read_may_be_answered_first(self) -> None:
        """The first keeps being retried while the others are there."""
        echo = Echo(lambda key, times: says(503) if key == "key-0000" and times < 3 else None)
        with StallingServer(echo) as server:
            assert texts(list(connect(server).get_objects(sources(names(40))))) == names(40)
        assert (echo.asked["key-0000"], max(echo.asked[key] for key in names(40)[1:])) == (3, 1)

    def test_reading_nothing_sends_nothing(self) -> None:
        with StallingServer(Echo()) as server:
            assert list(connect(server).get_objects([])) == []
            assert server.connections == 0

    def test_errors_keep_their_places(self) -> None:
        """Refused, impossible and cut reads are errors in their places, and the others arrive."""
        odd = {
            "key-0003": says_code(404, "NoSuchKey"),
            "key-0005": says_code(403, "AccessDenied"),
            "key-0007": says(200, b"key-0007")[:-3] + b"",
        }

        def answer(key: str, _: int) -> bytes | None:
            return odd.get(key)

        def hang_up(connection: Connection) -> None:
            head = connection.read_head()
            while head:
                key = head.split(b" ", 2)[1].decode().split("/b/", 1)[1]
                connection.sock.sendall(answer(key, 1) or says(200, key.encode()))
                if key == "key-0007":
                    return
                head = connection.read_head()

        wanted = sources(names(10))
        wanted[1] = replace(wanted[1], key="no\ud800unicode")
        wanted[2] = replace(wanted[2], etag="e\x01")
        with StallingServer(hang_up) as server:
            found = list(connect(server, attempts_max=1).get_objects(wanted))
        assert isinstance(found[3], NotFound)
        failed = [number for number, each in enumerate(found) if not isinstance(each, Body)]
        assert failed == [1, 2, 3, 5, 7]
        assert all(isinstance(found[number], RequestFailed) for number in failed)

    def test_it_sends_the_same_request_as_a_single_get(self, canned: CannedS3) -> None:
        """It uses the same address and headers; only the signature may differ."""
        canned.answers = [Answer(200, b"x", {"ETag": f'"{ETAG}"'})]
        for key, version_id in (("k", None), ("k//ü +?", "v 1")):
            source = replace(sources([key])[0], version_id=version_id)
            canned.requests.clear()
            canned.store.get_object("b", key, version_id=version_id, if_match=ETAG)
            (body,) = canned.store.get_objects([source])
            assert isinstance(body, Body)
            one, other = canned.requests
            assert one.path == other.path
            changing = {"authorization", "x-amz-date"}
            assert [each.headers.keys() for each in (one, other)] == [one.headers.keys()] * 2
            for name in one.headers.keys() - changing:
                assert one.headers[name] == other.headers[name]
            signed = [
                re.search("SignedHeaders=[^,]*", r.headers["authorization"])
                for r in canned.requests
            ]
            assert signed[0] is not None
            assert signed[1] is not None
            assert signed[0][0] == signed[1][0]


class TestBounds:
    def test_reading_ahead_is_limited_by_count(self) -> None:
        """No request is taken from the iterator before there is room for it."""
        taken = 0

        def wanted() -> Iterator[LogObject]:
            nonlocal taken
            for source in sources(names(400)):
                taken += 1
                yield source

        with StallingServer(Echo()) as server:
            bodies = connect(server).get_objects(wanted())
            for number, _ in enumerate(bodies, 1):
                assert taken <= number + AHEAD_COUNT_MAX * CONCURRENCY + 1
        assert taken == 400

    @pytest.mark.parametrize(("size_bytes", "ahead"), [(AHEAD_BYTES_MAX // 3, 3), (10**10, 1)])
    def test_reading_ahead_is_limited_by_bytes(self, size_bytes: int, ahead: int) -> None:
        """One object is always read, however large."""
        echo = Echo()
        with StallingServer(echo) as server:
            bodies = connect(server).get_objects(sources(names(20), size_bytes))
            for number, _ in enumerate(bodies):
                assert sum(echo.asked.values()) <= number + ahead
        assert sum(echo.asked.values()) == 20

    def test_parallel_reads_stay_within_the_limit(self) -> None:
        """Readers share the allowed connections, and each gets its turn."""
        with StallingServer(Echo()) as server, ThreadPoolExecutor(4) as pool:
            store = connect(server)
            barrier = threading.Barrier(4)

            def read(_: int) -> list[str]:
                bodies = store.get_objects(sources(names(200)))
                first = next(bodies)
                barrier.wait(SECONDS_MAX)
                return texts([first, *bodies])

            assert list(pool.map(read, range(4))) == [names(200)] * 4
            assert server.connections <= 4 * CONCURRENCY


class TestShare:
    def test_loops_share_the_connections(self) -> None:
        share = Share(64)
        assert share.of_each == 64
        for loops, each in ((1, 64), (2, 32), (3, 21)):
            share.join()
            assert share.of_each == each, loops
        share.leave()
        assert share.of_each == 32

    def test_each_loop_gets_at_least_one_connection(self) -> None:
        share = Share(2)
        for _ in range(5):
            share.join()
        assert share.of_each == 1

    def test_slow_down_halves_the_share(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Concurrency is halved at most once a second, and good answers restore it up to
        the limit.
        """
        times = iter((0.0, 0.5, 1.0, 1.9, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0))
        monkeypatch.setattr(curl_loop, "time", SimpleNamespace(monotonic=lambda: next(times)))
        share, seen = Share(64), []
        for _ in range(10):
            share.note_slow_down()
            seen.append(share.of_each)
        assert seen == [32, 32, 16, 16, 8, 4, 2, 1, 1, 1]
        for _ in range(64 * 64):
            share.note_answer()
        assert share.of_each == 64

    @pytest.mark.parametrize(
        ("answer", "count"),
        [
            (says_code(503, "SlowDown"), 1),
            (says(503), 1),
            (says_code(500, "InternalError"), 0),
            (says_code(404, "NoSuchKey"), 0),
        ],
    )
    def test_which_errors_count_as_slow_down(
        self, answer: bytes, count: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Only answers that mean too many requests count."""
        said: list[Share] = []
        monkeypatch.setattr(Share, "note_slow_down", lambda share: said.insert(0, share))
        echo = Echo(lambda _, times: answer if times == 1 else None)
        with StallingServer(echo) as server:
            list(connect(server).get_objects(sources(["a"])))
        assert len(said) == count


class TestAttempts:
    @pytest.mark.parametrize("attempts_max", [1, 2, 5])
    def test_attempts_are_limited(self, attempts_max: int) -> None:
        """The last failure is then the error."""
        echo = Echo(lambda *_: says_code(503, "SlowDown"))
        with StallingServer(echo) as server:
            (found,) = connect(server, attempts_max=attempts_max).get_objects(sources(["a"]))
        assert isinstance(found, StoreError)
        assert (found.code, echo.asked["a"]) == ("SlowDown", attempts_max)

    def test_each_attempt_is_signed_again(
        self, canned: CannedS3, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Each attempt is signed with its own time."""
        canned.answers = [Answer(503), Answer(503), Answer(200, b"x", {"ETag": f'"{ETAG}"'})]
        times = iter([1_700_000_000.0, 1_700_000_100.0, 1_700_090_000.0])
        signing = "log_aggregator.adapters.s3.signing.time"
        fake = SimpleNamespace(time=lambda: next(times), strftime=time.strftime, gmtime=time.gmtime)
        monkeypatch.setattr(signing, fake)
        (body,) = canned.store.get_objects(sources(["k"]))
        assert isinstance(body, Body)
        dates = [each.headers["x-amz-date"] for each in canned.requests]
        assert dates == ["20231114T221320Z", "20231114T221500Z", "20231115T231320Z"]
        assert len({each.headers["authorization"] for each in canned.requests}) == 3


class TestTime:
    def test_time_while_the_caller_works_does_not_count(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Time that the caller spends between bodies cuts no read and repeats none."""
        away = 0.0
        monkeypatch.setattr(
            curl_loop, "time", SimpleNamespace(monotonic=lambda: time.monotonic() + away)
        )
        echo = Echo()
        with StallingServer(echo) as server:
            found = []
            for body in connect(server).get_objects(sources(names(100))):
                found.append(body)
                away += 1_000
            assert texts(found) == names(100)
        assert set(echo.asked.values()) == {1}

    def test_a_stop_ends_the_waiting(self) -> None:
        """A stop interrupts the waiting."""
        with StallingServer(silent) as server, ThreadPoolExecutor(1) as pool:
            store = connect(server)
            reading = pool.submit(list, store.get_objects(sources(names(20))))
            wait_until(lambda: server.connections)
            WATCHDOG.stop_all()
            with pytest.raises(Interrupted):
                reading.result(SECONDS_MAX)


class TestLeaving:
    def test_abandoned_reads_leave_nothing_behind(self) -> None:
        """Neither an answer nor a handle is left: the next reader gets its own."""
        with StallingServer(Echo()) as server:
            store = connect(server)
            for turn in range(5):
                keys = [f"{turn}-{number}" for number in range(60)]
                bodies = store.get_objects(sources(keys))
                assert texts([next(bodies) for _ in range(turn + 1)]) == keys[: turn + 1]
                bodies.close()
            (loop,) = store._clients.reader._idle
            assert not loop._active
            assert not loop._later
            assert store._clients.reader._share.of_each == CONCURRENCY
            assert texts(list(store.get_objects(sources(names(50))))) == names(50)

    def test_an_error_of_the_caller_does_not_break_the_loop(self) -> None:
        """An iterator of requests that raises ends this reading and nothing else."""

        def wanted() -> Iterator[LogObject]:
            yield from sources(names(3))
            raise ZeroDivisionError

        with StallingServer(Echo()) as server:
            store = connect(server)
            with pytest.raises(ZeroDivisionError):
                list(store.get_objects(wanted()))
            assert texts(list(store.get_objects(sources(names(50))))) == names(50)
