"""What the reader sends, how it handles answers, and that botocore alone chooses endpoint and
route.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import CredentialRetrievalError
from botocore.httpsession import get_cert_path
from tests.support.stalling import STALLS, Connection, StallingServer, make_context
from tests.support.waiting import SECONDS_MAX
from tests.unit.adapters.conftest import Answer, CannedS3
from tests.unit.adapters.test_s3_store import ENCRYPTIONS, error

from log_aggregator.adapters.s3 import ClientSettings, S3Store, attempts, curl, deadlines, signing
from log_aggregator.adapters.s3.attempts import (
    PAUSE_SECONDS_MAX,
    RETRIED_CODES,
    RETRIED_STATUSES,
    SILENT_ATTEMPTS_MAX,
    Attempts,
)
from log_aggregator.adapters.s3.clients import make_clients
from log_aggregator.adapters.s3.curl import CurlReader, ReadRequest
from log_aggregator.adapters.s3.curl_loop import LOOK_SECONDS
from log_aggregator.adapters.s3.deadlines import WATCHDOG
from log_aggregator.adapters.s3.reading import CHECKSUMS, compare_checksum, is_opaque
from log_aggregator.errors import (
    AccessDenied,
    Interrupted,
    NotFound,
    ObjectRefused,
    PreconditionFailed,
    RequestFailed,
    StoreError,
    Unreachable,
)
from log_aggregator.limits import GIB

ETAG = {"ETag": '"e"', "Last-Modified": "Wed, 01 Jan 2025 00:00:00 GMT"}
WHOLE = Answer(200, b"0123456789", ETAG)
EMPTY = b'HTTP/1.1 200 OK\r\nETag: "e"\r\nContent-Length: 0\r\n'
NOBODY = "http://127.0.0.1:1"
"""Nothing listens there."""
ATTEMPTS_MAX = 5


@pytest.fixture(scope="module", autouse=True)
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Remove the caller's AWS settings, certificates, proxies and home."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("AWS_", "SSL_", "CURL_")) or name.lower().endswith(
                ("_proxy", "_bundle")
            ):
                patch.delenv(name)
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        yield


@pytest.fixture(scope="module")
def canned_server(environment: None) -> Iterator[CannedS3]:
    """A canned server, also without the caller's environment."""
    server = CannedS3()
    try:
        yield server
    finally:
        server.stop()


def connect(endpoint_url: str | None, **named: Any) -> S3Store:
    settings = ClientSettings(
        region="us-east-1",
        endpoint_url=endpoint_url,
        access_key="k",
        secret_key="s",
        attempts_max=1,
    )
    return S3Store.connect(replace(settings, **named))


@pytest.fixture(scope="module")
def trying_often(canned_server: CannedS3) -> S3Store:
    return S3Store.connect(replace(canned_server.settings, attempts_max=ATTEMPTS_MAX))


def says(*pieces: bytes) -> Callable[[Connection], None]:
    """A server that answers every request with the same bytes."""

    def answer(connection: Connection) -> None:
        while connection.read_head():
            for piece in pieces:
                connection.sock.sendall(piece)

    return answer


def says_once(*pieces: bytes) -> Callable[[Connection], None]:
    """The same, but it hangs up afterwards."""

    def answer(connection: Connection) -> None:
        connection.read_head()
        for piece in pieces:
            connection.sock.sendall(piece)

    return answer


TROUBLES = [
    *[Answer(status, b"<html>") for status in sorted(RETRIED_STATUSES)],
    *[Answer(status, error(code)) for code in sorted(RETRIED_CODES) for status in (400, 503)],
]


class TestAttempts:
    @pytest.mark.parametrize("trouble", TROUBLES, ids=lambda it: f"{it.status} {it.body[36:50]!r}")
    def test_temporary_errors_are_retried(
        self, canned: CannedS3, trying_often: S3Store, trouble: Answer
    ) -> None:
        """Passing trouble is retried as often as the settings say, and not once more."""
        canned.answers = [*[trouble] * (ATTEMPTS_MAX - 1), WHOLE]
        assert trying_often.get_object("b", "k").data == WHOLE.body
        canned.requests.clear()
        canned.answers = [trouble]
        with pytest.raises(StoreError):
            trying_often.get_object("b", "k")
        assert len(canned.requests) == ATTEMPTS_MAX

    @pytest.mark.parametrize(
        ("status", "code", "kind"),
        [
            (204, "", StoreError),
            (301, "PermanentRedirect", StoreError),
            (304, "", StoreError),
            (307, "TemporaryRedirect", StoreError),
            (400, "InvalidRequest", ObjectRefused),
            (403, "AccessDenied", AccessDenied),
            (404, "NoSuchKey", NotFound),
            (412, "PreconditionFailed", PreconditionFailed),
            (416, "InvalidRange", ObjectRefused),
            (501, "NotImplemented", StoreError),
        ],
    )
    def test_permanent_errors_are_not_retried(
        self,
        canned: CannedS3,
        trying_often: S3Store,
        status: int,
        code: str,
        kind: type[RequestFailed],
    ) -> None:
        """A lasting error is not retried, and no redirect is followed, where the signature must not
        go.
        """
        body = error(code) if status not in (204, 304) else b""
        canned.answers = [Answer(status, body, {"Location": f"{NOBODY}/b/other"}), WHOLE]
        with pytest.raises(RequestFailed) as caught:
            trying_often.get_object("b", "k")
        assert isinstance(caught.value, kind)
        assert len(canned.requests) == 1

    def test_each_attempt_is_signed_again(
        self, canned: CannedS3, trying_often: S3Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A retry may come much later."""
        moments = iter(range(1_800_000_000, 1_900_000_000, 60))
        clock = SimpleNamespace(
            time=lambda: float(next(moments)), strftime=time.strftime, gmtime=time.gmtime
        )
        monkeypatch.setattr(signing, "time", clock)
        canned.answers = [*[Answer(503, error("SlowDown"))] * (ATTEMPTS_MAX - 1), WHOLE]
        trying_often.get_object("b", "k")
        for name in ("authorization", "x-amz-date"):
            assert len({request.headers[name] for request in canned.requests}) == ATTEMPTS_MAX

    @pytest.mark.parametrize(
        ("said", "kind"),
        [
            (b"", Unreachable),
            (b"HTTP/1.1 20", Unreachable),
            (EMPTY.replace(b": 0", b": 9") + b"\r\n01234", ObjectRefused),
            (b"\x16\x03\x01 no HTTP at all\r\n\r\n", ObjectRefused),
        ],
        ids=["nothing", "half a line", "half a body", "something else"],
    )
    @pytest.mark.parametrize("attempts_max", [2, 8])
    def test_incomplete_answers_are_retried_three_times(
        self, attempts_max: int, said: bytes, kind: type[RequestFailed]
    ) -> None:
        """An incomplete answer is read three times, whatever the limit for refusals."""
        with StallingServer(says_once(said)) as server:
            with pytest.raises(kind):
                connect(server.endpoint_url, attempts_max=attempts_max).get_object("b", "k")
            assert server.connections == min(attempts_max, SILENT_ATTEMPTS_MAX)

    def test_a_missing_server_is_unreachable(self) -> None:
        with pytest.raises(Unreachable, match="GetObject s3://b/k: NoAnswer"):
            connect(NOBODY, attempts_max=8).get_object("b", "k")

    def test_pauses_grow_up_to_a_limit(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Pauses grow up to a limit, and none follows the last attempt."""
        monkeypatch.setattr(attempts, "PAUSE_SECONDS_MAX", PAUSE_SECONDS_MAX)
        monkeypatch.setattr(attempts, "random", SimpleNamespace(random=lambda: 1.0))
        drawn: list[float] = []
        tries = Attempts(64)
        for _ in range(1, 64):
            tries.take(attempts.Answer(503, {}, b""))
            drawn.append(tries.draw_pause_seconds())
        assert drawn == sorted(drawn)
        assert 0 < drawn[0] < 1
        assert drawn[-1] == PAUSE_SECONDS_MAX
        drawn.clear()

        def draw(_: Attempts) -> float:
            drawn.append(0)
            return 0.0

        monkeypatch.setattr(Attempts, "draw_pause_seconds", draw)
        with pytest.raises(Unreachable):
            connect(NOBODY, attempts_max=2).get_object("b", "k")
        assert len(drawn) == 1


class TestSeconds:
    @pytest.mark.parametrize(
        ("size_bytes", "seconds"), [(0, 30), (256, 30 + 1 / 1024), (GIB, 286), (10**18, 286)]
    )
    def test_a_body_has_time_for_its_length(
        self, canned: CannedS3, size_bytes: int, seconds: float
    ) -> None:
        """A server cannot claim a length worth years, and a listing's length adds no time."""
        reader = replace(canned.store._clients.reader, settings=ClientSettings())
        request = ReadRequest(reader, "b", "k", {}, {})
        assert request.allow_seconds(size_bytes) == seconds
        listing = replace(request, key="", operation="ListObjectsV2")
        assert listing.allow_seconds(size_bytes) == 30

    def test_time_counts_from_the_announcement(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A body that outlasts the request's limit arrives whole if it has the announced length."""
        slow = deadlines.Allowance(1, 1)
        monkeypatch.setitem(deadlines.ALLOWANCES, "GetObject", slow)

        def send_late(connection: Connection) -> None:
            connection.read_head()
            connection.sock.sendall(EMPTY.replace(b": 0", b": 600") + b"\r\n")
            time.sleep(LOOK_SECONDS + 0.2)
            connection.sock.sendall(b"x" * 600)

        with StallingServer(send_late) as server:
            store = connect(server.endpoint_url, request_seconds=0.1, read_timeout_seconds=600)
            assert store.get_object("b", "k").data == b"x" * 600


class TestSilence:
    def test_every_stalled_read_ends(self) -> None:
        """Every kind of stall is ended. They run in parallel, because each takes a second,
        libcurl's shortest limit.
        """

        def fail(stall: Callable[[Connection], object]) -> Exception:
            with StallingServer(stall) as server, pytest.raises(RequestFailed) as caught:
                connect(server.endpoint_url, read_timeout_seconds=0.1).get_object("b", "k")
            return caught.value

        with ThreadPoolExecutor(len(STALLS)) as pool:
            failed = dict(zip(STALLS, pool.map(fail, STALLS.values()), strict=True))
        assert {name: type(caught) for name, caught in failed.items()} == dict.fromkeys(
            STALLS, Unreachable
        )

    def test_a_stalled_tls_handshake_ends(self) -> None:
        """A TLS handshake without progress is ended."""
        with StallingServer(STALLS["silent"]) as server, pytest.raises(Unreachable):
            connect(
                server.endpoint_url.replace("http:", "https:"), connect_timeout_seconds=0.2
            ).get_object("b", "k")


VALUES = {
    "every sign": bytes(range(0x21, 0x7F)),
    "every byte of the upper half": bytes(range(0x80, 0x100)),
    "spaces and tabs inside": b"a  b\tc",
    "colons": b"::a: b:",
    "quotes": b'"a"',
    "nothing": b"",
    "long": b"x" * 8_000,
}


class TestRequests:
    @pytest.mark.parametrize("etag", ["a\r\nx-evil: 1", "a\nb", "\x00", "\x7f"])
    def test_a_condition_that_no_header_can_contain_is_refused(
        self, canned: CannedS3, etag: str
    ) -> None:
        """A listed ETag is untrusted and never becomes a header of its own."""
        with pytest.raises(ObjectRefused, match="the header if-match cannot be sent"):
            canned.store.get_object("b", "k", if_match=etag)
        assert not canned.requests

    def test_a_condition_that_is_not_ascii_is_sent_as_utf8(self, canned: CannedS3) -> None:
        """It is sent in UTF-8, as botocore would send it."""
        canned.answers = [WHOLE]
        canned.store.get_object("b", "k", if_match="\xfc")
        canned.store.head_object("b", "k", if_match="\xfc")
        sent = [request.headers["if-match"] for request in canned.requests]
        assert sent == ['"\xc3\xbc"'] * 2

    @pytest.mark.parametrize("name", ["get_object", "get_object_checked", "head_object"])
    def test_an_empty_key_is_refused(self, canned: CannedS3, name: str) -> None:
        """Its address would be the bucket's, and a listing would look like a log."""
        with pytest.raises(ObjectRefused, match="an empty key"):
            getattr(canned.store, name)("b", "")
        assert not canned.requests

    def test_a_key_that_is_not_unicode_is_refused(self, canned: CannedS3) -> None:
        with pytest.raises(ObjectRefused, match="the answer cannot be read"):
            canned.store.get_object("b", "a\udcff")
        assert not canned.requests

    def test_credentials_that_cannot_be_renewed_are_a_store_error(self, canned: CannedS3) -> None:
        """It is a store error, as with every other request."""

        class Gone:
            def get_frozen_credentials(self) -> object:
                raise CredentialRetrievalError(provider="sso", error_msg="expired")

        reader = canned.store._clients.reader
        with pytest.raises(StoreError, match="CredentialRetrievalError"):
            reader.ask(
                ReadRequest(CurlReader(reader.s3, Gone(), reader.settings), "b", "k", {}, {})
            )

    def test_a_stopped_run_does_not_wait(self) -> None:
        """A read under way ends within moments and is not retried."""
        asked = threading.Event()

        def hang(connection: Connection) -> None:
            connection.read_head()
            asked.set()
            connection.drop_the_rest()

        with StallingServer(hang) as server, ThreadPoolExecutor(1) as pool:
            store = connect(server.endpoint_url, read_timeout_seconds=SECONDS_MAX, attempts_max=8)
            read = pool.submit(store.get_object, "b", "k")
            try:
                assert asked.wait(SECONDS_MAX)
                WATCHDOG.stop_all()
                with pytest.raises(Interrupted):
                    read.result(SECONDS_MAX / 2)
            finally:
                WATCHDOG.go_on()
            assert server.connections == 1


class TestAnswers:
    @pytest.mark.parametrize("name", VALUES)
    def test_a_header_value_comes_back_byte_for_byte(self, name: str) -> None:
        """The value does not depend on its name's case or the spaces around it."""
        value = VALUES[name]
        said = EMPTY + b"X-Amz-META-Note:\t " + value + b" \t\r\n\r\n"
        with StallingServer(says(said)) as server:
            body = connect(server.endpoint_url).get_object("b", "k")
        assert body.metadata == {"note": value.decode("latin-1")}

    @pytest.mark.parametrize(
        "before",
        [
            b"HTTP/1.1 100 Continue\r\n\r\n",
            b"HTTP/1.1 100 Continue\r\n\r\n" * 3,
            b"HTTP/1.1 100 Continue\r\nx-amz-meta-note: no\r\nETag: no\r\n\r\n",
            b"HTTP/1.1 103 Early Hints\r\nx-amz-meta-note: no\r\n\r\n",
        ],
    )
    def test_only_the_last_response_head_counts(self, before: bytes) -> None:
        """Earlier heads may announce an answer."""
        with StallingServer(says(before + EMPTY + b"\r\n")) as server:
            body = connect(server.endpoint_url).get_object("b", "k")
        assert (body.metadata, body.etag, body.data) == ({}, "e", b"")

    @pytest.mark.parametrize(
        "said",
        [
            (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789",),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01", b"23", b"456789"),
            (
                b"HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n",
                b"a\r\n0123456789\r\n0\r\n\r\n",
            ),
        ],
        ids=["at once", "in pieces", "in chunks"],
    )
    def test_bodies_are_read_on_one_connection(self, said: tuple[bytes, ...]) -> None:
        with StallingServer(says(*said)) as server:
            store = connect(server.endpoint_url)
            assert [store.get_object("b", "k").data for _ in range(3)] == [b"0123456789"] * 3
            assert server.connections == 1

    def test_bodies_are_never_inflated(self, canned: CannedS3) -> None:
        """A body is never inflated on the way, and no other encoding is requested."""
        data = gzip.compress(b"0123456789")
        canned.answers = [Answer(200, data, ETAG | {"Content-Encoding": "gzip"})]
        body = canned.store.get_object("b", "k")
        assert (body.data, body.content_encoding) == (data, "gzip")
        assert "accept-encoding" not in canned.requests[0].headers

    def test_threads_do_not_share_answers(self, canned: CannedS3) -> None:
        """Each thread has its own connection."""
        canned.answers = [Answer(200, b"%d" % n, {"ETag": f'"{n}"'}) for n in range(64)]
        with ThreadPoolExecutor(8) as pool:
            bodies = list(pool.map(lambda _: canned.store.get_object("b", "k"), range(64)))
        assert sorted(int(body.data) for body in bodies) == list(range(64))
        assert all(body.etag == body.data.decode() for body in bodies)


def ask_both(store: S3Store) -> tuple[bool, bool]:
    """Whether the reader gets an answer, and whether botocore does."""
    came = []
    for ask in (store.get_object, store.head_object):
        try:
            ask("b", "k")
        except Unreachable:
            came.append(False)
        else:
            came.append(True)
    return came[0], came[1]


class TestProxies:
    """The canned server is both S3 and a proxy, which is asked for a whole URL."""

    @pytest.mark.parametrize(
        ("variables", "is_proxied"),
        [
            ({}, False),
            ({"http_proxy": "PROXY"}, True),
            ({"HTTP_PROXY": "PROXY"}, True),
            ({"https_proxy": "PROXY"}, False),
            ({"all_proxy": "PROXY"}, False),
            ({"ALL_PROXY": "PROXY"}, False),
            ({"http_proxy": "PROXY", "no_proxy": "127.0.0.1"}, False),
            ({"http_proxy": "PROXY", "NO_PROXY": "127.0.0.1"}, False),
            ({"http_proxy": "PROXY", "no_proxy": "*"}, False),
            ({"http_proxy": "PROXY", "no_proxy": "localhost,10.0.0.0/8"}, True),
            ({"http_proxy": "PROXY", "no_proxy": "127.0.0.0/8"}, True),
        ],
    )
    def test_botocore_chooses_the_proxy(
        self,
        canned: CannedS3,
        monkeypatch: pytest.MonkeyPatch,
        variables: dict[str, str],
        is_proxied: bool,
    ) -> None:
        """libcurl would use `all_proxy` and networks, and ignore `HTTP_PROXY`."""
        url = canned.settings.endpoint_url or ""
        for name, value in variables.items():
            monkeypatch.setenv(name, value.replace("PROXY", url))
        canned.answers = [WHOLE]
        assert ask_both(connect(url)) == (True, True)
        expected = (f"{url}/b/k" if is_proxied else "/b/k",) * 2
        assert tuple(request.path for request in canned.requests) == expected

    @pytest.mark.parametrize("name", ["http_proxy", "all_proxy", "ALL_PROXY", "no_proxy"])
    def test_later_proxy_variables_are_ignored(
        self, canned: CannedS3, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        """libcurl would look each time; botocore has looked already."""
        url = canned.settings.endpoint_url or ""
        if name == "no_proxy":
            monkeypatch.setenv("http_proxy", url)
        store = connect(url)
        monkeypatch.setenv(name, "*" if name == "no_proxy" else NOBODY)
        canned.answers = [WHOLE]
        store.get_object("b", "k")
        expected = f"{url}/b/k" if name == "no_proxy" else "/b/k"
        assert canned.requests[0].path == expected

    def test_the_proxy_password_is_sent_as_by_botocore(
        self, canned: CannedS3, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The proxy gets the password in botocore's form."""
        url = canned.settings.endpoint_url or ""
        monkeypatch.setenv("http_proxy", url.replace("//", "//user:p%40s%3As@"))
        canned.answers = [WHOLE]
        ask_both(connect(url))
        told = [request.headers["proxy-authorization"] for request in canned.requests]
        assert told == ["Basic " + base64.b64encode(b"user:p@s:s").decode()] * 2

    def test_a_missing_proxy_is_not_bypassed(
        self, canned: CannedS3, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A missing proxy is not bypassed."""
        monkeypatch.setenv("http_proxy", NOBODY)
        canned.answers = [WHOLE]
        assert ask_both(connect(canned.settings.endpoint_url)) == (False, False)
        assert not canned.requests


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A TLS server that answers everything, and the certificate to trust."""
    context, certificate_path = make_context(tmp_path_factory.mktemp("tls"))
    said = EMPTY + b"Last-Modified: Wed, 01 Jan 2025 00:00:00 GMT\r\n\r\n"
    with StallingServer(says(said), context) as server:
        yield server.endpoint_url, certificate_path


class TestCertificates:
    @pytest.mark.parametrize(
        ("name", "is_trusted"),
        [
            ("AWS_CA_BUNDLE", True),
            ("profile", True),
            ("CURL_CA_BUNDLE", False),
            ("SSL_CERT_FILE", False),
            ("nothing", False),
        ],
    )
    def test_botocore_chooses_the_certificates(
        self,
        secure: tuple[str, Path],
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
        name: str,
        is_trusted: bool,
    ) -> None:
        """libcurl trusts exactly the certificates that botocore trusts."""
        endpoint_url, certificate_path = secure
        config_path = tmp_path / "config"
        config_path.write_text(
            f"[default]\nca_bundle = {certificate_path}\n" if name == "profile" else ""
        )
        monkeypatch.setenv("AWS_CONFIG_FILE", str(config_path))
        if name.isupper():
            monkeypatch.setenv(name, str(certificate_path))
        assert ask_both(connect(endpoint_url)) == (is_trusted, is_trusted)

    def test_a_certificate_for_another_host_is_refused(
        self, secure: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A valid certificate for another host name is refused."""
        endpoint_url, certificate_path = secure
        monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate_path))
        store = connect(endpoint_url.replace("127.0.0.1", "localhost"))
        assert ask_both(store) == (False, False)


class TestSurroundings:
    def test_botocore_still_has_the_expected_attributes(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """`curl._session_of` reads certificates and proxies from internal attributes of botocore's.
        If this fails after an update of botocore, look for the new ones in
        `botocore.httpsession.URLLib3Session`: without them the reader would use other certificates
        and proxies than the rest of the program.
        """
        monkeypatch.setenv("AWS_CA_BUNDLE", "/some/bundle.pem")
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:3128")
        client = make_clients(
            ClientSettings(endpoint_url=NOBODY, access_key="k", secret_key="s", region="r")
        ).s3
        session = client._endpoint.http_session
        assert session is curl._session_of(client)
        assert session._verify == "/some/bundle.pem"
        assert get_cert_path(session._verify) == "/some/bundle.pem"
        assert get_cert_path(True).endswith(".pem")
        assert session._proxy_config.proxy_url_for("http://h/b/k") == "http://127.0.0.1:3128"
        assert session._proxy_config.proxy_url_for("https://h/b/k") is None

    def test_netrc_passwords_are_not_used(
        self, canned: CannedS3, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """botocore alone decides the credentials."""
        (tmp_path / ".netrc").write_text("machine 127.0.0.1 login l password p\n")
        monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
        monkeypatch.setenv("HOME", str(tmp_path))
        canned.answers = [WHOLE]
        connect(canned.settings.endpoint_url).get_object("b", "k")
        assert canned.requests[0].headers["authorization"].startswith("AWS4-HMAC-SHA256 ")

    @pytest.mark.parametrize("path", ["", "/", "/a/b", "/a/b/", "/k"])
    def test_an_endpoint_path_is_kept(self, canned: CannedS3, path: str) -> None:
        """botocore's path comes before the bucket and the key."""
        canned.answers = [WHOLE]
        store = connect(f"{canned.settings.endpoint_url}{path}")
        for bucket, key in (("b", "k"), ("k", "k"), ("b", "/k"), ("b", "k/")):
            canned.requests.clear()
            store.get_object(bucket, key)
            store.head_object(bucket, key)
            asked, expected = (request.path for request in canned.requests)
            assert asked == expected

    @pytest.mark.parametrize(
        ("region", "host"),
        [
            ("us-east-1", "s3.amazonaws.com"),
            ("eu-central-1", "s3.eu-central-1.amazonaws.com"),
            ("cn-north-1", "s3.cn-north-1.amazonaws.com.cn"),
        ],
    )
    def test_aws_is_addressed_as_by_botocore(self, region: str, host: str) -> None:
        """The bucket is in the host name where a certificate can cover it. Nothing is sent."""
        settings = ClientSettings(
            region=region,
            access_key="k",
            secret_key="s",
            bucket_accounts=(("*", "123456789012"),),  # or STS is asked
        )
        reader = make_clients(settings).reader
        reader.regions = None
        plain, dotted = reader.place("bucket"), reader.place("with.dots")
        assert (plain.base_url, plain.path) == (f"https://bucket.{host}", "/")
        assert (dotted.base_url, dotted.path) == (f"https://{host}", "/with.dots/")
        assert f"/{region}/s3/aws4_request" in plain.signer.sign("h", "/", "", {})["authorization"]
        assert reader.place("bucket") is plain


DIGITS = b"123456789"
SUMS = {
    "crc32": bytes.fromhex("cbf43926"),
    "crc32c": bytes.fromhex("e3069283"),
    "crc64nvme": bytes.fromhex("ae8b14860a799888"),
    "sha1": hashlib.sha1(DIGITS, usedforsecurity=False).digest(),
    "sha256": hashlib.sha256(DIGITS).digest(),
}
"""Of the nine digits: the check values of the catalogues of CRCs."""
OF_THE_WHOLE = {"x-amz-checksum-type": "FULL_OBJECT"}
OF_PARTS = {"x-amz-checksum-type": "COMPOSITE"}


def compare(name: str, stored: str, kind: dict[str, str], body: bytes = DIGITS) -> bool | None:
    return compare_checksum(attempts.Answer(200, {f"x-amz-checksum-{name}": stored, **kind}, body))


class TestChecksums:
    @pytest.mark.parametrize("name", SUMS)
    def test_each_checksum_algorithm_is_compared(self, name: str) -> None:
        """A right checksum, a wrong one, and one of an incomplete body."""
        right = base64.b64encode(SUMS[name]).decode()
        wrong = base64.b64encode(SUMS[name][:-1] + bytes([SUMS[name][-1] ^ 1])).decode()
        for kind in (OF_THE_WHOLE, {}):
            assert compare(name, right, kind) is True
            assert compare(name, wrong, kind) is False
            assert compare(name, right, kind, DIGITS[:-1]) is False
            assert compare(name, right, kind, b"") is False

    @pytest.mark.parametrize("name", SUMS)
    def test_a_checksum_of_parts_checksums_is_ignored(self, name: str) -> None:
        """A composite checksum has the same length but is not the bytes' checksum."""
        some = base64.b64encode(bytes(len(SUMS[name]))).decode()
        for stored, kind in ((some, OF_PARTS), (f"{some}-2", OF_PARTS), (f"{some}-2", {})):
            assert compare(name, stored, kind) is None
        assert compare(name, some, {"x-amz-checksum-type": "OF_ANOTHER_DAY"}) is None

    @pytest.mark.parametrize("name", SUMS)
    @pytest.mark.parametrize("stored", ["", "A", "AAA=", "=", "\xff", "AAAAAAAAAAAAAAAAAAAA", "-1"])
    def test_an_invalid_checksum_is_ignored(self, name: str, stored: str) -> None:
        """A value of another length or not in Base64 is ignored."""
        assert compare(name, stored, OF_THE_WHOLE) is None

    def test_a_usable_checksum_among_others_is_found(self) -> None:
        """It is found among unusable ones."""
        right = base64.b64encode(SUMS["sha256"]).decode()
        headers = {"x-amz-checksum-crc64nvme": "A", "x-amz-checksum-sha256": right}
        assert compare_checksum(attempts.Answer(200, headers, DIGITS)) is True
        assert compare_checksum(attempts.Answer(200, headers, b"other")) is False

    def test_unknown_algorithms_are_ignored(self) -> None:
        """An object with one of botocore's other algorithms counts as having no checksum."""
        model = connect(NOBODY)._s3.meta.service_model.operation_model("GetObject").output_shape
        names = {
            member.serialization["name"].removeprefix("x-amz-checksum-")
            for name, member in model.members.items()
            if name.startswith("Checksum") and name != "ChecksumType"
        }
        assert names >= set(CHECKSUMS) == set(SUMS)
        for name in names - set(CHECKSUMS):
            assert compare(name, "AAAAAAAAAAAAAAAAAAAAAA==", OF_THE_WHOLE) is None

    def test_a_wrong_checksum_fails_only_a_checked_read(self, canned: CannedS3) -> None:
        """An unchecked read ignores it, because it compares in its own ways."""
        for name, right in SUMS.items():
            headers = ETAG | {f"x-amz-checksum-{name}": base64.b64encode(right).decode()}
            canned.answers = [Answer(200, b"987654321", headers)]
            assert canned.store.get_object("b", "k").data == b"987654321"
            with pytest.raises(ObjectRefused, match="do not have the checksum that S3 stores"):
                canned.store.get_object_checked("b", "k")

    @pytest.mark.parametrize(("headers", "is_other"), ENCRYPTIONS)
    def test_etags_of_encrypted_objects_are_not_md5(
        self, canned: CannedS3, headers: dict[str, str], is_other: bool
    ) -> None:
        """The answer's encryption tells whether its ETag is an MD5."""
        assert is_opaque(headers) is is_other
        canned.answers = [Answer(200, DIGITS, ETAG | headers)]
        assert canned.store.get_object("b", "k").has_opaque_etag is is_other
        assert canned.store.get_object_checked("b", "k")[1] is is_other
