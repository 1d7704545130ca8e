"""GETs of S3 by libcurl. botocore decides where a request goes, in whose name, by which proxy and
certificates; libcurl only carries it: a GET takes a tenth of the CPU that boto3 takes, and one of
many a twentieth.

Each thread has a connection of its own, and each loop of many GETs some more, which all stay open.
No variable of the environment that libcurl knows has a say: all that it would take from there is
set.
"""

from __future__ import annotations

import io
import re
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pycurl
from botocore.awsrequest import AWSResponse
from botocore.httpsession import get_cert_path

from log_aggregator.adapters.s3.attempts import (
    CONTROL,
    Answer,
    Attempts,
    Failure,
    describe_deadline,
    describe_failure,
)
from log_aggregator.adapters.s3.curl_loop import GetLoop, LoopLimits, Share
from log_aggregator.adapters.s3.deadlines import (
    DOWNLOAD_BYTES_MAX,
    WATCHDOG,
    estimate_seconds,
)
from log_aggregator.adapters.s3.errors import BAD_HEADER, make_error, store_errors
from log_aggregator.adapters.s3.regions import Regions
from log_aggregator.adapters.s3.signing import Signer, encode_path, encode_query
from log_aggregator.errors import Interrupted, RequestFailed
from log_aggregator.limits import KIB

SLOWEST_BYTES_PER_SECOND = 10 * KIB
"""What comes slower than this over the whole of a client's read timeout does not come: an attempt
has a deadline that grows with the size of what is read.
"""

SERVICES = frozenset({"s3", "s3-outposts", "s3-object-lambda"})
"""That a GET is signed for: a bucket's, an access point's. Directory buckets and multi-Region
access points have signatures of their own
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/MultiRegionAccessPointRequests.html).
"""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the objects of a bucket are asked for, as botocore has it."""

    base_url: str
    host: str
    path: str
    """What stands before the key."""
    signer: Signer
    proxy: str = ""


@dataclass(slots=True)
class GetRequest:
    """A GET of one object, which can be signed and sent again and again."""

    reader: CurlReader
    bucket: str
    key: str
    headers: Mapping[str, str]
    query: Mapping[str, str]
    size_bytes: int = 0
    """As far as it is known."""

    @property
    def seconds(self) -> float:
        """What an attempt is given."""
        return estimate_seconds("GetObject", self.size_bytes, self.reader.settings.request_seconds)

    def prepare(self, handle: pycurl.Curl) -> None:
        """Signs it, and tells the handle of it. Raises RequestFailed."""
        odd = next((name for name, value in self.headers.items() if CONTROL.search(value)), None)
        if odd is not None:
            raise self.fail((BAD_HEADER, 0, f"the header {odd} cannot be sent"))
        # credentials that cannot be renewed, a key that is no Unicode
        with store_errors("GetObject", self.bucket, self.key):
            place = self.reader.place(self.bucket)
            path, query = f"{place.path}{encode_path(self.key)}", encode_query(self.query)
            sent = place.signer.sign(place.host, path, query, self.headers)
            # Accept-Encoding must not be sent: what is stored is what has to come.
            lines = [f"{name}: {value}".encode() for name, value in sent.items()]
        handle.setopt(pycurl.URL, f"{place.base_url}{path}{'?' if query else ''}{query}")
        handle.setopt(pycurl.HTTPHEADER, lines)
        handle.setopt(pycurl.PROXY, place.proxy)

    def fail(self, failure: Failure) -> RequestFailed:
        """The error that becomes of a failure."""
        code, status, message = failure
        return make_error("GetObject", self.bucket, self.key, code, status, message)


class _ThreadHandle:
    """A thread's own handle, and how long its present transfer may take."""

    def __init__(self, handle: pycurl.Curl, request_seconds: float) -> None:
        self.handle = handle
        self._request_seconds = request_seconds
        self._began = 0.0
        self.seconds = request_seconds
        """What it was given."""

    def perform(self) -> None:
        """Raises pycurl.error."""
        self._began = time.monotonic()
        self.handle.perform()

    def watch(self, total: int, _done: int, _to_send: int, _sent: int) -> int:
        """Libcurl asks whether to go on, at least every second. There is more time for more bytes,
        as far as the server's word counts.
        """
        size_bytes = min(total, DOWNLOAD_BYTES_MAX)
        self.seconds = estimate_seconds("GetObject", size_bytes, self._request_seconds)
        return int(WATCHDOG.is_stopping or time.monotonic() - self._began > self.seconds)

    def describe(self, error: pycurl.error) -> Failure:
        """What came of it."""
        if error.args[0] == pycurl.E_ABORTED_BY_CALLBACK:
            return describe_deadline(self.seconds)
        return describe_failure(error.args[0], str(error.args[-1]))


@dataclass(slots=True)
class CurlReader:
    """Sends GETs. Thread safe."""

    s3: Any
    credentials: Any
    settings: Any
    regions: Regions | None = None
    """Where the server is AWS, which has a bucket in one Region, and may have it in another one
    than the client's.
    """
    _places: dict[str, Place] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _own: threading.local = field(default_factory=threading.local)
    _idle: list[GetLoop] = field(default_factory=list)
    _share: Share = field(init=False)

    def __post_init__(self) -> None:
        self._share = Share(self.settings.concurrency)

    def get(
        self, bucket: str, key: str, headers: Mapping[str, str], query: Mapping[str, str]
    ) -> Answer:
        """A whole answer with status 200 or 206. Raises what `make_error` makes of anything else,
        after all attempts, each signed anew; Interrupted where the run was told to stop.
        """
        request = GetRequest(self, bucket, key, headers, query)
        transfer = self._transfer()
        attempts = Attempts(self.settings.attempts_max)
        while True:
            head, body = list[bytes](), list[bytes]()
            transfer.handle.setopt(pycurl.HEADERFUNCTION, head.append)
            transfer.handle.setopt(pycurl.WRITEFUNCTION, body.append)
            request.prepare(transfer.handle)
            try:
                transfer.perform()
            except pycurl.error as error:
                if WATCHDOG.is_stopping:
                    raise Interrupted("the run was stopped") from error
                attempts.take_silence(transfer.describe(error))
            else:
                answer = Answer.of(transfer.handle, head, body)
                if attempts.take(answer):
                    return answer
            if attempts.are_over or WATCHDOG.is_stopping:
                raise request.fail(attempts.failure)
            pause(attempts)

    def get_many(self, gets: Iterable[GetRequest]) -> Iterator[Answer | RequestFailed]:
        """The same of each, in their order, many at once; an error is given, not raised."""
        with self._lock:
            loop = self._idle.pop() if self._idle else None
        if loop is None:
            settings = self.settings
            limits = LoopLimits(settings.attempts_max, settings.read_timeout_seconds)
            loop = GetLoop(self._make_handle, self._share, limits)
        try:
            yield from loop.read(gets)
        finally:
            with self._lock:
                self._idle.append(loop)

    def _transfer(self) -> _ThreadHandle:
        """This thread's own."""
        transfer: _ThreadHandle | None = getattr(self._own, "transfer", None)
        if transfer is None:
            transfer = self._own.transfer = self._make_transfer()
        return transfer

    def _make_transfer(self) -> _ThreadHandle:
        handle, settings = self._make_handle(), self.settings
        transfer = _ThreadHandle(handle, settings.request_seconds)
        handle.setopt(pycurl.NOPROGRESS, 0)
        handle.setopt(pycurl.XFERINFOFUNCTION, transfer.watch)
        handle.setopt(pycurl.LOW_SPEED_LIMIT, SLOWEST_BYTES_PER_SECOND)
        handle.setopt(pycurl.LOW_SPEED_TIME, max(1, int(settings.read_timeout_seconds)))
        return transfer

    def _make_handle(self) -> pycurl.Curl:
        settings, handle = self.settings, pycurl.Curl()
        verify = _session_of(self.s3)._verify  # noqa: SLF001 - see there
        for option, value in (
            (pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1),
            (pycurl.NOSIGNAL, 1),
            (pycurl.PATH_AS_IS, 1),
            (pycurl.TCP_NODELAY, 1),
            (pycurl.TCP_KEEPALIVE, 1),
            (pycurl.FOLLOWLOCATION, 0),
            (pycurl.NETRC, pycurl.NETRC_IGNORED),
            (pycurl.NOPROXY, ""),
            (pycurl.BUFFERSIZE, 128 * KIB),
            (pycurl.USERAGENT, "log-aggregator"),
            (pycurl.CONNECTTIMEOUT_MS, int(settings.connect_timeout_seconds * 1000)),
            (pycurl.SSL_VERIFYPEER, 1 if verify else 0),
            (pycurl.SSL_VERIFYHOST, 2 if verify else 0),
        ):
            handle.setopt(option, value)
        if verify:
            handle.setopt(pycurl.CAINFO, get_cert_path(verify))
        return handle

    def place(self, bucket: str) -> Place:
        """Where a bucket is. Raises RequestFailed."""
        place = self._places.get(bucket)
        if place is None:
            with self._lock:
                place = self._places.get(bucket)
                if place is None:
                    place = self._places[bucket] = self._find_place(bucket)
        return place

    def _find_place(self, bucket: str) -> Place:
        """By a GET of the bucket that botocore prepares and signs, and that is not sent."""
        if self.regions is not None:
            self.regions.find(bucket)
        with store_errors("GetObject", bucket, ""):
            request = _prepare_get(self.s3, bucket)
        parts = urlsplit(request.url)
        pattern = rb"AWS4-HMAC-SHA256 Credential=[^,]*/([^/,]+)/([^/,]+)/aws4_request"
        signed = re.search(pattern, _authorization(request))
        if signed is None or signed[2].decode() not in SERVICES:
            text = "it is signed for in a way of its own; name a general purpose bucket"
            raise make_error("GetObject", bucket, "", "Unsigned", 0, text)
        proxies = _session_of(self.s3)._proxy_config  # noqa: SLF001 - see there
        return Place(
            base_url=f"{parts.scheme}://{parts.netloc}",
            host=parts.netloc,
            path=parts.path.removesuffix("k"),
            signer=Signer(self.credentials, signed[1].decode(), signed[2].decode()),
            proxy=proxies.proxy_url_for(request.url) or "",
        )


def _prepare_get(client: Any, bucket: str) -> Any:
    """What botocore would send for the object `k`."""
    caught: list[Any] = []

    def catch(request: Any, **_: object) -> AWSResponse:
        caught.append(request)
        return AWSResponse(request.url, 200, {}, io.BytesIO())

    client.meta.events.register_first("before-send.s3.GetObject", catch)
    try:
        client.get_object(Bucket=bucket, Key="k")
    finally:
        client.meta.events.unregister("before-send.s3.GetObject", catch)
    return caught[0]


def _authorization(request: Any) -> bytes:
    value = request.headers.get("Authorization", b"")
    return value if isinstance(value, bytes) else value.encode()


def _session_of(client: Any) -> Any:
    """What botocore sends a client's requests with. It tells nobody else which certificates and
    proxies it found; a test sees that it still keeps them there.
    """
    return client._endpoint.http_session  # noqa: SLF001


def pause(attempts: Attempts) -> None:
    """Before the next one."""
    time.sleep(attempts.draw_pause_seconds())
