"""S3's reads by libcurl: objects, their headers, listings. botocore decides the endpoint, the
credentials, the proxy and the certificates; libcurl only carries the request. A GET costs a tenth
of the CPU that it costs in boto3, and a twentieth when there are many.

Every reader has its own loop, whose connections stay open. libcurl's environment variables have no
effect: every option that it would take from them is set here.
"""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pycurl
from botocore.awsrequest import AWSResponse
from botocore.httpsession import get_cert_path

from log_aggregator.adapters.s3.attempts import CONTROL, Answer, Failure
from log_aggregator.adapters.s3.curl_loop import LoopLimits, ReadLoop, Share
from log_aggregator.adapters.s3.deadlines import DOWNLOAD_BYTES_MAX, estimate_seconds
from log_aggregator.adapters.s3.errors import BAD_ANSWER, BAD_HEADER, make_error, store_errors
from log_aggregator.adapters.s3.owners import OWNER_HEADER, name_expected
from log_aggregator.adapters.s3.regions import Regions
from log_aggregator.adapters.s3.signing import Signer, encode_path, encode_query
from log_aggregator.errors import RequestFailed
from log_aggregator.limits import KIB

SERVICES = frozenset({"s3", "s3-outposts", "s3-object-lambda"})
"""The service names that we can sign a GET for: of a bucket or an access point. Directory buckets
and multi-Region access points use other signatures
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/MultiRegionAccessPointRequests.html).
"""


@dataclass(frozen=True, slots=True)
class Place:
    """The URL, signer and proxy for requests about a bucket, as botocore chose them."""

    base_url: str
    host: str
    path: str
    """The part before the key."""
    bucket_path: str
    """The path of the bucket itself, for listings."""
    signer: Signer
    proxy: str = ""


@dataclass(slots=True)
class ReadRequest:
    """A read of an object or a bucket. It can be sent several times, signed anew each time."""

    reader: CurlReader
    bucket: str
    key: str
    headers: Mapping[str, str]
    query: Mapping[str, str]
    size_bytes: int = 0
    """0 if it is not known."""
    operation: str = "GetObject"

    @property
    def method(self) -> str:
        return "HEAD" if self.operation.startswith("Head") else "GET"

    @property
    def is_of_bucket(self) -> bool:
        """Whether the body is written by S3 itself and is not an object's bytes."""
        return self.operation.startswith("List")

    def allow_seconds(self, announced_bytes: int) -> float:
        """The deadline of an attempt. It grows with the object's bytes; a size that only the server
        announces counts up to `DOWNLOAD_BYTES_MAX`.
        """
        size_bytes = max(self.size_bytes, min(announced_bytes, DOWNLOAD_BYTES_MAX))
        return estimate_seconds(
            self.operation,
            0 if self.is_of_bucket else size_bytes,
            self.reader.settings.request_seconds,
        )

    def prepare(self, handle: pycurl.Curl) -> None:
        """Signs the request and configures the handle for it. Raises RequestFailed."""
        odd = next((name for name, value in self.headers.items() if CONTROL.search(value)), None)
        if odd is not None:
            raise self.fail((BAD_HEADER, 0, f"the header {odd} cannot be sent"))
        # A GET of the empty key is a GET of the bucket: S3 would answer with a listing.
        if not (self.key or self.is_of_bucket):
            raise self.fail((BAD_ANSWER, 0, "an object with an empty key cannot be read"))
        # Signing fails if credentials cannot be renewed, or if a key is not valid Unicode.
        with store_errors(self.operation, self.bucket, self.key):
            place = self.reader.place(self.bucket)
            path = (
                place.bucket_path if self.is_of_bucket else f"{place.path}{encode_path(self.key)}"
            )
            query = encode_query(self.query)
            sent = place.signer.sign(place.host, path, query, self.headers, method=self.method)
            # No Accept-Encoding: CloudTrail and Config store objects with Content-Encoding: gzip,
            # and the stored bytes are what we hash. libcurl inflates only if it is asked to.
            lines = [f"{name}: {value}".encode() for name, value in sent.items()]
        handle.setopt(pycurl.URL, f"{place.base_url}{path}{'?' if query else ''}{query}")
        handle.setopt(pycurl.HTTPHEADER, lines)
        handle.setopt(pycurl.PROXY, place.proxy)
        handle.setopt(pycurl.NOBODY, self.method == "HEAD")

    def fail(self, failure: Failure) -> RequestFailed:
        """Turns a failure into the error to raise."""
        code, status, message = failure
        if owner := self.headers.get(OWNER_HEADER):
            message = name_expected([(self.bucket, owner)], code, status, message)
        return make_error(self.operation, self.bucket, self.key, code, status, message)


@dataclass(slots=True)
class CurlReader:
    """Sends requests that only read. Thread safe."""

    s3: Any
    credentials: Any
    settings: Any
    regions: Regions | None = None
    """Set if the server is AWS, where a bucket may be in another Region than the client."""
    _places: dict[str, Place] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _idle: list[ReadLoop] = field(default_factory=list)
    _share: Share = field(init=False)

    def __post_init__(self) -> None:
        self._share = Share(self.settings.concurrency)

    def ask(self, request: ReadRequest) -> Answer:
        """A whole answer with status 200 or 206. Anything else is raised as an error, after all
        attempts. Raises Interrupted if the run was told to stop.
        """
        (outcome,) = self._read([request], counts=False)
        if isinstance(outcome, RequestFailed):
            raise outcome
        return outcome

    def ask_many(self, requests: Iterable[ReadRequest]) -> Iterator[Answer | RequestFailed]:
        """The same for many requests at the same time, in their order. Errors are yielded, not
        raised.
        """
        return self._read(requests, counts=True)

    def _read(
        self, requests: Iterable[ReadRequest], *, counts: bool
    ) -> Iterator[Answer | RequestFailed]:
        with self._lock:
            loop = self._idle.pop() if self._idle else None
        if loop is None:
            settings = self.settings
            limits = LoopLimits(settings.attempts_max, settings.read_timeout_seconds)
            loop = ReadLoop(self._make_handle, self._share, limits)
        try:
            yield from loop.read(requests, counts=counts)
        finally:
            with self._lock:
                self._idle.append(loop)

    def _make_handle(self) -> pycurl.Curl:
        settings, handle = self.settings, pycurl.Curl()
        verify = _session_of(self.s3)._verify  # noqa: SLF001 - see there
        for option, value in (
            # S3 speaks nothing newer.
            (pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1),
            # libcurl would otherwise use SIGALRM for name lookups, in a process with threads.
            (pycurl.NOSIGNAL, 1),
            # A key may contain `/../` or `//`, which S3 takes literally, in the signature as well.
            (pycurl.PATH_AS_IS, 1),
            (pycurl.TCP_NODELAY, 1),
            (pycurl.TCP_KEEPALIVE, 1),
            # The signature includes the host, so a redirect must be signed anew: see `regions`.
            (pycurl.FOLLOWLOCATION, 0),
            (pycurl.NETRC, pycurl.NETRC_IGNORED),
            # botocore has decided about the proxy already; this hides the variable NO_PROXY.
            (pycurl.NOPROXY, ""),
            # Fewer reads from the socket than with libcurl's default of 16 KiB.
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
        """How a bucket is reached; found once. Raises RequestFailed."""
        place = self._places.get(bucket)
        if place is None:
            with self._lock:
                place = self._places.get(bucket)
                if place is None:
                    place = self._places[bucket] = self._find_place(bucket)
        return place

    def _find_place(self, bucket: str) -> Place:
        """Has botocore prepare and sign a GET that is never sent, and takes it apart. botocore
        offers no other way to its endpoint rules (paths or host names, dualstack, access points).
        """
        if self.regions is not None:
            self.regions.find(bucket)
        with store_errors("GetObject", bucket, ""):
            request = _prepare_get(self.s3, bucket)
        parts = urlsplit(request.url)
        pattern = rb"AWS4-HMAC-SHA256 Credential=[^,]*/([^/,]+)/([^/,]+)/aws4_request"
        signed = re.search(pattern, _authorization(request))
        if signed is None or signed[2].decode() not in SERVICES:
            text = "this kind of bucket needs another signature; name a general purpose bucket"
            raise make_error("GetObject", bucket, "", "Unsigned", 0, text)
        proxies = _session_of(self.s3)._proxy_config  # noqa: SLF001 - see there
        return Place(
            base_url=f"{parts.scheme}://{parts.netloc}",
            host=parts.netloc,
            path=parts.path.removesuffix("k"),
            bucket_path=parts.path.removesuffix("k").rstrip("/") or "/",
            signer=Signer(self.credentials, signed[1].decode(), signed[2].decode()),
            proxy=proxies.proxy_url_for(request.url) or "",
        )


def _prepare_get(client: Any, bucket: str) -> Any:
    """The request that botocore would send for the object `k`."""
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
    """The HTTP session of a client. botocore has no public way to the certificates and proxies that
    it found; a test checks that these private attributes still exist.
    """
    return client._endpoint.http_session  # noqa: SLF001
