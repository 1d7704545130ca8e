"""Every request ends, whatever the server does."""

from __future__ import annotations

import itertools
import os
import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from awscrt.checksums import crc64nvme
from tests.support.stalling import (
    HEAD,
    STALLS,
    Connection,
    StallingServer,
    deaf,
    make_context,
    silent,
    sip,
    stop_reading,
    trickle,
    trickle_after_upload,
    trickle_body,
    trickle_handshake,
)
from tests.support.waiting import SECONDS_MAX, wait_until
from tests.unit.adapters.conftest import Answer, CannedS3
from tests.unit.adapters.test_s3_store import CALLS, UPLOAD

from log_aggregator.adapters.s3 import ClientSettings, S3Store, deadlines, wire
from log_aggregator.adapters.s3.clients import make_clients, make_service_client, make_session
from log_aggregator.adapters.s3.deadlines import (
    ALLOWANCES,
    WATCHDOG,
    Attempt,
    Call,
    Watchdog,
    calling,
    estimate_seconds,
)
from log_aggregator.adapters.s3.errors import BAD_ANSWERS
from log_aggregator.adapters.s3.inspection import S3Inspector
from log_aggregator.adapters.s3.wire import Wire
from log_aggregator.errors import Interrupted, RequestFailed, Unreachable
from log_aggregator.limits import GIB, KIB, MIB
from log_aggregator.ports.store import ObjectStore, WriteOptions

SOON = 0.2
LARGE = bytes(16 * MIB)
"""More than the sockets of both ends take by themselves."""

REQUESTS: dict[str, Callable[[ObjectStore], object]] = {
    **CALLS,
    "RestoreObject": lambda store: store.restore_object("b", "k", days=1, tier="Bulk"),
    "PutObject large": lambda store: store.put_object(
        "b", "k", LARGE, crc64nvme=crc64nvme(LARGE), options=WriteOptions()
    ),
    "UploadPart large": lambda store: store.upload_part(UPLOAD, 1, LARGE, crc64nvme=5),
}
AT_WORK = ["UploadPartCopy", "CompleteMultipartUpload"]
UPLOADS = [name for name in REQUESTS if name.endswith("large")]


pytestmark = pytest.mark.usefixtures("no_surroundings", "watchdog")


@pytest.fixture(autouse=True)
def allowances(monkeypatch: pytest.MonkeyPatch) -> None:
    """A large body gets no more time than any other."""
    soon = {
        name: deadlines.Allowance(1, GIB, allowance.is_silent_at_work)
        for name, allowance in ALLOWANCES.items()
    }
    for name in ("PutObject", "UploadPart"):
        soon[name] = deadlines.Allowance(1, GIB)
    monkeypatch.setattr(deadlines, "ALLOWANCES", soon)


def connect(endpoint_url: str, **limits: Any) -> S3Store:
    settings = ClientSettings(
        region="us-east-1",
        endpoint_url=endpoint_url,
        access_key="k",
        secret_key="s",
        **{
            "attempts_max": 1,
            "request_seconds": SOON,
            "read_timeout_seconds": SECONDS_MAX,
            "connect_timeout_seconds": SECONDS_MAX,
        }
        | limits,
    )
    return S3Store.connect(settings)


def answer_once(connection: Connection) -> None:
    """Give a good answer, then silence on the same connection."""
    connection.read_head()
    body = b"<ListAllMyBucketsResult/>"
    connection.sock.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    connection.drop_the_rest()


def is_whole(name: str, stall: str) -> bool:
    """An answer to HEAD has no body that could come late."""
    return name == "HeadObject" and stall in {
        "silent_after_headers",
        "silent_in_body",
        "trickle_body",
        "trickle_chunks",
        "trickle_endless",
    }


def fail_all(store: ObjectStore, names: Sequence[str]) -> dict[str, RequestFailed]:
    """Send all these requests in parallel and return how each fails."""

    def fail(name: str) -> RequestFailed:
        with pytest.raises(RequestFailed) as caught:
            REQUESTS[name](store)
        return caught.value

    with ThreadPoolExecutor(len(names)) as pool:
        return dict(zip(names, pool.map(fail, names), strict=True))


def check_cut(error: RequestFailed, seconds: str = "0.2") -> None:
    """Check that the deadline ended it."""
    assert type(error) is Unreachable
    assert error.code == "DeadlineExceeded"
    assert f"no whole answer within {seconds}" in str(error)


class TestStalls:
    @pytest.mark.parametrize("stall", STALLS)
    def test_every_request_ends(self, stall: str) -> None:
        """Only the deadline can end it: there is no socket timeout."""
        names = [name for name in REQUESTS if not is_whole(name, stall)]
        with StallingServer(STALLS[stall]) as server:
            errors = fail_all(connect(server.endpoint_url), names)
        for error in errors.values():
            check_cut(error)

    @pytest.mark.parametrize("stall", ["deaf", "silent", "silent_after_headers", "silent_in_body"])
    def test_silence_is_noticed_before_the_deadline(self, stall: str) -> None:
        """Complete silence is noticed after a short time, except where S3 may be at work; there
        only the deadline counts.
        """
        names = [name for name in REQUESTS if not is_whole(name, stall)]
        limits = {"request_seconds": SECONDS_MAX, "read_timeout_seconds": SOON}
        with StallingServer(STALLS[stall]) as server:
            store = connect(server.endpoint_url, **limits)
            errors = fail_all(store, [name for name in names if name not in AT_WORK])
            for error in errors.values():
                assert error.code != "DeadlineExceeded"
                assert isinstance(error, Unreachable) or error.code in BAD_ANSWERS
            limits = {"request_seconds": SOON, "read_timeout_seconds": SOON / 10}
            store = connect(server.endpoint_url, **limits)
            for error in fail_all(store, AT_WORK).values():
                assert error.code == "DeadlineExceeded"

    @pytest.mark.parametrize("stall", [stop_reading, deaf])
    @pytest.mark.parametrize("name", UPLOADS)
    def test_an_upload_that_the_server_does_not_read_ends(
        self, name: str, stall: Callable[..., object]
    ) -> None:
        """Its size gives it a distant deadline, but it ends as soon."""
        limits = {"request_seconds": SECONDS_MAX, "read_timeout_seconds": SOON}
        with StallingServer(stall) as server:
            store = connect(server.endpoint_url, **limits)
            with pytest.raises(Unreachable):
                REQUESTS[name](store)

    def test_the_answer_to_an_upload_has_the_usual_deadline(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Once all is sent, the answer to an upload of any size has the usual time."""
        for name in deadlines.UPLOADS:
            monkeypatch.setitem(deadlines.ALLOWANCES, name, deadlines.Allowance(1, 1))
        assert estimate_seconds("UploadPart", len(LARGE), SOON) > SECONDS_MAX
        with StallingServer(trickle_after_upload) as server:
            for error in fail_all(connect(server.endpoint_url), UPLOADS).values():
                assert error.code == "DeadlineExceeded"

    @pytest.mark.parametrize("stall", [deaf, silent, trickle, trickle_body, sip, stop_reading])
    def test_stalls_over_tls_end(
        self,
        stall: Callable[..., object],
        tls: tuple[ssl.SSLContext, Path],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """TLS changes nothing."""
        context, certificate = tls
        monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate))
        with StallingServer(stall, context) as server:
            store = connect(server.endpoint_url, request_seconds=1)  # a handshake comes first
            for error in fail_all(store, ["ListObjectVersions", *UPLOADS, "GetObject"]).values():
                check_cut(error, "1")

    @pytest.mark.parametrize("stall", [deaf, silent, trickle_handshake])
    def test_a_stalled_handshake_ends(self, stall: Callable[..., object]) -> None:
        """The handshake counts towards the request's deadline: libcurl lists, botocore writes."""
        with StallingServer(stall) as server:
            store = connect(server.endpoint_url.replace("http:", "https:"))
            for error in fail_all(store, ["ListObjectsV2", "PutObject"]).values():
                check_cut(error)

    @pytest.mark.parametrize("stall", [deaf, silent, trickle])
    def test_a_stalled_proxy_ends(
        self, stall: Callable[..., object], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A proxy's CONNECT counts towards the request's deadline, too."""
        with StallingServer(stall) as server:
            monkeypatch.setenv("HTTPS_PROXY", server.endpoint_url)
            with pytest.raises(Unreachable) as caught:
                connect("https://s3.invalid").list_objects("b")
        check_cut(caught.value)

    @pytest.mark.parametrize("stall", STALLS)
    def test_other_services_have_deadlines(self, stall: str) -> None:
        """Clients of other services have deadlines, too."""
        with StallingServer(STALLS[stall]) as server:
            settings = ClientSettings(
                region="us-east-1",
                endpoint_url=server.endpoint_url,
                access_key="k",
                secret_key="s",
                attempts_max=1,
                request_seconds=SOON,
                read_timeout_seconds=SECONDS_MAX,
            )
            made = make_clients(settings)
            clients = {
                "s3": made.s3,
                "sts": make_service_client(
                    make_session(settings), "sts", settings, server.endpoint_url
                ),
            }
            inspector = S3Inspector(clients.__getitem__, made.owners)
            for ask in (
                inspector.get_caller_identity,
                lambda: inspector.get_bucket_versioning("b"),
            ):
                with pytest.raises(Unreachable):
                    ask()

    def test_assuming_a_role_has_a_deadline(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """botocore makes its own client for this, which has deadlines, too."""
        with StallingServer(trickle) as server:
            config = tmp_path / "config"
            config.write_text(
                "[profile p]\nrole_arn = arn:aws:iam::123456789012:role/r\n"
                "credential_source = Environment\nregion = us-east-1\n"
                f"endpoint_url = {server.endpoint_url}\n"
            )
            for name, value in {
                "AWS_CONFIG_FILE": str(config),
                "AWS_ACCESS_KEY_ID": "k",
                "AWS_SECRET_ACCESS_KEY": "s",
                "AWS_MAX_ATTEMPTS": "1",
            }.items():
                monkeypatch.setenv(name, value)
            settings = ClientSettings(profile="p", request_seconds=SOON, attempts_max=1)
            with pytest.raises(Unreachable, match=r"no whole answer within 0\.2"):
                S3Store.connect(settings).list_buckets()


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
    return make_context(tmp_path_factory.mktemp("tls"))


class TestAfterwards:
    def test_finished_requests_are_no_longer_watched(self, canned: CannedS3) -> None:
        """A reused connection is watched for the current request, and only until that ends."""
        canned.answers = [Answer(200, b"<ListAllMyBucketsResult/>")]
        store = S3Store.connect(canned.settings)
        for _ in range(3):
            assert store.list_buckets() == []
            assert not WATCHDOG._attempts

    def test_a_stall_on_a_reused_connection_ends(self) -> None:
        """A request that gets no answer on a reused connection is cut by its deadline."""
        with StallingServer(answer_once) as server:
            store = connect(server.endpoint_url)
            assert store.list_buckets() == []
            with pytest.raises(Unreachable) as caught:
                store.list_buckets()
            assert server.connections == 1
        check_cut(caught.value)

    def test_no_descriptor_is_leaked(self, canned: CannedS3) -> None:
        """No descriptor is left after good or failed requests."""
        canned.answers = [Answer(200, b"<ListAllMyBucketsResult/>")]
        store = S3Store.connect(canned.settings)
        store.list_buckets()

        def count() -> int:
            return len(list(Path("/dev/fd").iterdir()))

        before = count()
        for _ in range(2):
            store.list_buckets()
            with StallingServer(silent) as server, pytest.raises(Unreachable):
                connect(server.endpoint_url).list_buckets()
        wait_until(lambda: count() <= before)


def make_call(operation: str = "", **state: Any) -> Call:
    call = Call(operation)
    for name, value in state.items():
        setattr(call, name, value)
    return call


class TestRetries:
    @pytest.mark.parametrize(
        ("has_answered", "unanswered", "seconds", "expected"),
        [
            (False, 1, 0, True),
            (False, 2, 0, True),
            (False, 3, 0, False),  # refused at once: an endpoint that is none
            (True, 3, 0, True),  # a server that restarts
            (True, 7, 44, True),
            (True, 7, 45, False),
            (True, 1, 46, True),  # a second try at least
            (True, 2, 46, False),
            (True, 1, 119, True),
            (True, 1, 120, False),  # but not of what took so long
            (False, 1, 120, False),
        ],
    )
    def test_attempts_without_an_answer_are_repeated(
        self,
        has_answered: bool,
        unanswered: int,
        seconds: float,
        expected: bool,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Attempts without an answer are many if they fail fast, and few if each is waited for."""
        monkeypatch.setattr(wire, "time", SimpleNamespace(monotonic=lambda: 1_000 + seconds))
        sender = Wire(30, 20, has_answered)
        call = make_call(unanswered=unanswered, began=1_000)
        assert sender.may_retry(call) is expected
        caught = NotImplementedError()
        with calling("ListBuckets") as now:
            now.unanswered, now.began = unanswered, 1_000
            if expected:
                assert sender.check_retry(caught) is None
            else:
                with pytest.raises(NotImplementedError) as raised:
                    sender.check_retry(caught)
                assert raised.value is caught
            assert sender.check_retry(None) is None  # an answer: botocore knows

    def test_a_silent_server_is_tried_three_times(self) -> None:
        """It is asked three times, whatever the limit for a server that answers."""
        limits = {"attempts_max": 8, "request_seconds": SECONDS_MAX, "read_timeout_seconds": SOON}
        with StallingServer(silent) as server, pytest.raises(Unreachable):
            connect(server.endpoint_url, **limits).list_buckets()
        assert server.connections == 3

    def test_an_answer_resets_the_count(self, canned: CannedS3) -> None:
        """An answer resets the count of unanswered attempts."""
        canned.answers = [Answer(503), Answer(503), Answer(200, b"<ListAllMyBucketsResult/>")]
        store = S3Store.connect(canned.settings)
        with calling("ListBuckets") as call:
            store._s3.list_buckets()
            assert call.unanswered == 0


class TestSeconds:
    @pytest.mark.parametrize(
        ("operation", "size_bytes", "seconds"),
        [
            ("ListObjectsV2", 0, 30),
            ("HeadObject", 0, 30),
            ("PutObject", 64 * KIB, 31),
            ("UploadPart", 16 * MIB, 286),
            ("UploadPartCopy", 5 * GIB, 380),
            ("CompleteMultipartUpload", 100 * GIB, 250),
            ("DeleteObjects", 0, 60),
        ],
    )
    def test_deadlines_grow_with_the_size(
        self, operation: str, size_bytes: int, seconds: float, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A deadline allows for a slow line and stops only a stalled one."""
        monkeypatch.setattr(deadlines, "ALLOWANCES", ALLOWANCES)
        assert estimate_seconds(operation, size_bytes, 30) == seconds

    def test_the_store_tells_how_much_it_sends(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The store states how much it sends, copies or puts together."""
        seen: dict[str, int] = {}
        begin = Wire._begin

        def note(sender: Wire, call: Call) -> Attempt:
            seen[call.operation] = call.size_bytes
            return begin(sender, call)

        monkeypatch.setattr(Wire, "_begin", note)
        with StallingServer(silent) as server:
            store = connect(server.endpoint_url)
            for name in ("PutObject large", "UploadPart large", "UploadPartCopy"):
                with pytest.raises(Unreachable):
                    REQUESTS[name](store)
            with pytest.raises(Unreachable):
                store.complete_multipart_upload(UPLOAD, [], size_bytes=7, crc64nvme=5)
        assert seen == {
            "PutObject": len(LARGE),
            "UploadPart": len(LARGE),
            "UploadPartCopy": 5 * MIB,
            "CompleteMultipartUpload": 7,
        }


class TestStop:
    def test_a_stop_interrupts_reads_first_and_writes_soon(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A read is Interrupted; a write's outcome is unknown. Neither is repeated."""
        monkeypatch.setattr(deadlines, "STOP_SECONDS", SOON)
        limits = {"request_seconds": SECONDS_MAX, "attempts_max": 8}
        came: dict[str, BaseException] = {}

        def work(name: str) -> None:
            try:
                REQUESTS[name](store)
            except (RequestFailed, Interrupted) as error:
                came[name] = error

        with StallingServer(silent) as server, ThreadPoolExecutor(len(REQUESTS)) as pool:
            store = connect(server.endpoint_url, **limits)
            for name in REQUESTS:
                pool.submit(work, name)
            wait_until(lambda: server.connections == len(REQUESTS))
            WATCHDOG.stop_all()
            pool.shutdown()
            assert server.connections == len(REQUESTS)
        for name in REQUESTS:
            is_read = name.split()[0].startswith(("Get", "Head", "List"))
            assert type(came[name]) is (Interrupted if is_read else Unreachable)
            assert is_read or "Stopped" in str(came[name])

    def test_requests_after_a_stop_get_a_moment(
        self, canned: CannedS3, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A request begun after the stop is sent with a short deadline, and a 503 is not
        retried.
        """
        monkeypatch.setattr(deadlines, "STOP_SECONDS", SOON)
        WATCHDOG.stop_all()
        canned.answers = [Answer(200, b"<ListAllMyBucketsResult/>")]
        assert canned.store.list_buckets() == []
        canned.requests.clear()
        canned.answers = [Answer(503)]
        with pytest.raises(RequestFailed):
            canned.store.list_buckets()
        assert len(canned.requests) == 1
        limits = {"request_seconds": SECONDS_MAX, "attempts_max": 8}
        with StallingServer(silent) as server:
            store = connect(server.endpoint_url, **limits)
            with pytest.raises(Interrupted):
                store.list_buckets()
            with pytest.raises(Unreachable):
                REQUESTS["PutObject"](store)


class TestWatchdog:
    def test_the_watchdog_wakes_for_the_earliest_deadline(self) -> None:
        """The soonest deadline counts, whichever request began first."""
        dog = Watchdog()
        later, sooner = Attempt(Call(), SECONDS_MAX, 1), Attempt(Call(), 0.05, 1)
        dog.watch(later)
        wait_until(lambda: dog._looks_at < float("inf"))
        dog.watch(sooner)
        wait_until(lambda: sooner.is_cut)
        assert not later.is_cut
        dog.end(later)

    def test_a_forked_process_has_its_own_watchdog(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Threads are not inherited by a fork."""
        dog = Watchdog()
        dog._thread = threading.Thread()  # as after a fork: one that does not run
        attempt = Attempt(Call(), 0.05, 1)
        dog.watch(attempt)
        wait_until(lambda: attempt.is_cut)
        assert dog._thread.is_alive()
        assert not dog._attempts

    def test_a_late_socket_is_shut_down(self) -> None:
        """It is shut down immediately, but a finished attempt's socket is left alone."""
        ours, theirs = socket.socketpair()
        with ours, theirs:
            attempt = Attempt(Call(), 1, 1)
            attempt.end()
            attempt.hold(ours)
            attempt.cut()
            ours.sendall(b"x")
            assert theirs.recv(1) == b"x"
            late = Attempt(Call(), 1, 1)
            late.cut()
            late.hold(ours)
            assert theirs.recv(1) == b""
            late.end()

    def test_a_finished_attempt_is_not_cut(self) -> None:
        """An answer that has arrived stays valid."""
        attempt = Attempt(Call(), 1, 1)
        attempt.end()
        attempt.cut()
        assert not attempt.is_cut

    def test_many_attempts_are_each_cut_in_time(self) -> None:
        """Each is cut at its own time, and none is forgotten."""
        dog = Watchdog()
        attempts = [Attempt(Call(), 0.01 * (index % 7), 1) for index in range(200)]
        for attempt in attempts:
            dog.watch(attempt)
        wait_until(lambda: all(attempt.is_cut for attempt in attempts))
        assert not dog._attempts


def test_botocore_still_has_what_we_replace(canned: CannedS3) -> None:
    """Everything that `guard` replaces exists and is used."""
    store = S3Store.connect(canned.settings)
    session = store._s3._endpoint.http_session
    pool = session._manager.connection_from_url(canned.settings.endpoint_url)
    assert type(pool) is wire.WatchedPool
    assert type(pool._new_conn()) is wire.WatchedConnection
    tls_pool = session._manager.connection_from_url("https://127.0.0.1:1")
    assert type(tls_pool) is wire.WatchedTLSPool
    proxied = session._get_proxy_manager("http://127.0.0.1:1").connection_from_url("http://b:1")
    assert type(proxied) is wire.WatchedPool


def test_a_changed_botocore_is_noticed() -> None:
    """It is an error, rather than running without deadlines."""
    session = SimpleNamespace(
        send=None, _pool_classes_by_scheme={}, _manager=SimpleNamespace(pool_classes_by_scheme={})
    )
    client = SimpleNamespace(_endpoint=SimpleNamespace(http_session=session))
    with pytest.raises(AttributeError):
        wire.guard(client, 1, 1)
    with pytest.raises(AttributeError):
        wire.guard(SimpleNamespace(), 1, 1)


def test_bodies_are_sent_in_pieces(canned: CannedS3) -> None:
    """Every kind of buffer, at every size around a piece's, arrives whole."""
    canned.answers = [Answer(200, b"", {"ETag": '"e"'})]
    sizes = [0, 1, wire.PIECE_BYTES - 1, wire.PIECE_BYTES, wire.PIECE_BYTES + 1, 1_000_003]
    for size, kind in itertools.product(sizes, (bytes, bytearray)):
        data = kind(os.urandom(size))
        canned.store.put_object("b", "k", data, crc64nvme=crc64nvme(data), options=WriteOptions())
        assert canned.requests[-1].body == data
