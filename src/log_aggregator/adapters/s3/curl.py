"""GETs of S3 by libcurl. botocore decides where a request goes, in whose name, by which proxy and
certificates; libcurl only carries it: a GET takes a tenth of the CPU that boto3 takes.

Each thread has a connection of its own, which stays open. No variable of the environment that
libcurl knows has a say: all that it would take from there is set.
"""

from __future__ import annotations

import io
import random
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pycurl
from botocore.awsrequest import AWSResponse
from botocore.httpsession import get_cert_path

from log_aggregator.adapters.s3.deadlines import (
    DOWNLOAD_BYTES_MAX,
    WATCHDOG,
    DeadlineExceeded,
    estimate_seconds,
)
from log_aggregator.adapters.s3.errors import (
    BAD_ANSWER,
    BAD_HEADER,
    NO_ANSWER,
    find_element,
    make_error,
    store_errors,
)
from log_aggregator.adapters.s3.regions import Regions
from log_aggregator.adapters.s3.signing import Signer, encode_path, encode_query
from log_aggregator.errors import Interrupted
from log_aggregator.limits import KIB

SLOWEST_BYTES_PER_SECOND = 10 * KIB
"""What comes slower than this over the whole of a client's read timeout does not come: an attempt
has a deadline that grows with the size of what is read.
"""

SILENT_ATTEMPTS_MAX = 3
"""So often a request is tried to which nobody gives a whole answer."""

RETRIED_STATUSES = frozenset({408, 429, 500, 502, 503, 504})
RETRIED_CODES = frozenset({"RequestTimeout", "SlowDown", "ThrottlingException", "Throttling"})
PAUSE_SECONDS_MAX = 20.0

SERVICES = frozenset({"s3", "s3-outposts", "s3-object-lambda"})
"""That a GET is signed for: a bucket's, an access point's. Directory buckets and multi-Region
access points have signatures of their own
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/MultiRegionAccessPointRequests.html).
"""

_BAD_ANSWERS = frozenset(
    {
        pycurl.E_FTP_WEIRD_SERVER_REPLY,
        pycurl.E_PARTIAL_FILE,
        pycurl.E_UNSUPPORTED_PROTOCOL,
    }
)
"""An answer came, and cannot be used. All other errors of libcurl say that none came, or not all
of it in time.
"""

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Answer:
    """What S3 said. Names of headers are in lower case, a character of a value is a byte."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Place:
    """Where the objects of a bucket are asked for, as botocore has it."""

    base_url: str
    host: str
    path: str
    """What stands before the key."""
    signer: Signer
    proxy: str = ""


class _Transfer:
    """A thread's own handle, and how long its present transfer may take."""

    def __init__(self, request_seconds: float) -> None:
        self.handle = pycurl.Curl()
        self._request_seconds = request_seconds
        self._began = 0.0
        self.seconds = request_seconds
        """What it was given."""

    def begin(self) -> None:
        self._began = time.monotonic()

    def watch(self, total: int, _done: int, _to_send: int, _sent: int) -> int:
        """Libcurl asks whether to go on, at least every second. There is more time for more bytes,
        as far as the server's word counts.
        """
        size_bytes = min(total, DOWNLOAD_BYTES_MAX)
        self.seconds = estimate_seconds("GetObject", size_bytes, self._request_seconds)
        return int(WATCHDOG.is_stopping or time.monotonic() - self._began > self.seconds)


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

    def get(
        self, bucket: str, key: str, headers: Mapping[str, str], query: Mapping[str, str]
    ) -> Answer:
        """A whole answer with status 200 or 206. Raises what `make_error` makes of anything else,
        after all attempts, each signed anew; Interrupted where the run was told to stop.
        """
        odd = next((name for name, value in headers.items() if _CONTROL.search(value)), None)
        if odd is not None:
            text = f"the header {odd} cannot be sent"
            raise make_error("GetObject", bucket, key, BAD_HEADER, 0, text)
        # credentials that cannot be renewed, a key that is no Unicode
        with store_errors("GetObject", bucket, key):
            return self._try(bucket, key, headers, query)

    def _try(
        self, bucket: str, key: str, headers: Mapping[str, str], query: Mapping[str, str]
    ) -> Answer:
        place = self._place(bucket)
        path, text = f"{place.path}{encode_path(key)}", encode_query(query)
        silent = 0
        for attempt in range(1, self.settings.attempts_max + 1):
            try:
                answer = self._send(place, path, text, headers)
            except pycurl.error as error:
                if WATCHDOG.is_stopping:
                    raise Interrupted("the run was stopped") from error
                silent += 1
                failure = _describe_failure(error, self._transfer().seconds)
                if silent >= min(SILENT_ATTEMPTS_MAX, self.settings.attempts_max):
                    break
            else:
                flaw = _find_flaw(answer)
                if flaw is None:
                    return answer
                failure = flaw
                if not (answer.status in RETRIED_STATUSES or failure[0] in RETRIED_CODES):
                    break
            if WATCHDOG.is_stopping:
                break
            if attempt < self.settings.attempts_max:
                pause(attempt)
        code, status, message = failure
        raise make_error("GetObject", bucket, key, code, status, message)

    def _send(self, place: Place, path: str, query: str, headers: Mapping[str, str]) -> Answer:
        transfer = self._transfer()
        handle = transfer.handle
        sent = place.signer.sign(place.host, path, query, headers)
        head: list[bytes] = []
        body: list[bytes] = []
        handle.setopt(pycurl.URL, f"{place.base_url}{path}{'?' if query else ''}{query}")
        # Accept-Encoding must not be sent: what is stored is what has to come.
        lines = [f"{name}: {value}".encode() for name, value in sent.items()]
        handle.setopt(pycurl.HTTPHEADER, lines)
        handle.setopt(pycurl.HEADERFUNCTION, head.append)
        handle.setopt(pycurl.WRITEFUNCTION, body.append)
        handle.setopt(pycurl.PROXY, place.proxy)
        transfer.begin()
        handle.perform()
        status = handle.getinfo(pycurl.RESPONSE_CODE)
        return Answer(status, _parse_head(head), body[0] if len(body) == 1 else b"".join(body))

    def _transfer(self) -> _Transfer:
        """This thread's own."""
        transfer: _Transfer | None = getattr(self._own, "transfer", None)
        if transfer is None:
            transfer = self._own.transfer = self._make_transfer()
        return transfer

    def _make_transfer(self) -> _Transfer:
        settings = self.settings
        transfer = _Transfer(settings.request_seconds)
        handle = transfer.handle
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
            (pycurl.NOPROGRESS, 0),
            (pycurl.XFERINFOFUNCTION, transfer.watch),
            (pycurl.LOW_SPEED_LIMIT, SLOWEST_BYTES_PER_SECOND),
            (pycurl.LOW_SPEED_TIME, max(1, int(settings.read_timeout_seconds))),
            (pycurl.SSL_VERIFYPEER, 1 if verify else 0),
            (pycurl.SSL_VERIFYHOST, 2 if verify else 0),
        ):
            handle.setopt(option, value)
        if verify:
            handle.setopt(pycurl.CAINFO, get_cert_path(verify))
        return transfer

    def _place(self, bucket: str) -> Place:
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


def pause(attempt: int) -> None:
    """Longer and longer, and never as long as the others'."""
    time.sleep(random.random() * min(PAUSE_SECONDS_MAX, 0.1 * 2**attempt))


def _parse_head(lines: list[bytes]) -> dict[str, str]:
    """Of the last of several heads: an answer may be announced by a `100 Continue`."""
    headers: dict[str, str] = {}
    for line in lines:
        if line.startswith(b"HTTP/"):
            headers = {}
            continue
        name, colon, value = line.decode("latin-1").partition(":")
        if colon:
            headers[name.lower()] = value.strip(" \t\r\n")
    return headers


def _find_flaw(answer: Answer) -> tuple[str, int, str] | None:
    """(S3's code, HTTP status, message); None where the answer can be used."""
    odd = next((name for name, value in answer.headers.items() if _CONTROL.search(value)), None)
    if odd is not None:
        return BAD_HEADER, 0, f"the header {odd!a} cannot be read"
    if answer.status in (200, 206):
        return None
    text = answer.body.decode(errors="replace")
    return find_element(text, "Code"), answer.status, find_element(text, "Message")


def _describe_failure(error: pycurl.error, seconds: float) -> tuple[str, int, str]:
    if error.args[0] == pycurl.E_ABORTED_BY_CALLBACK:
        return DeadlineExceeded.__name__, 0, DeadlineExceeded.fmt.format(seconds=seconds)
    number, message = error.args[0], str(error.args[1] if len(error.args) > 1 else error)
    return BAD_ANSWER if number in _BAD_ANSWERS else NO_ANSWER, 0, message
