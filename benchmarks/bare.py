"""Loops of GETs that throw the bytes away: the least that any program must do. The same versions,
nothing else.
"""

from __future__ import annotations

import hashlib
import hmac
import socket
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote, urlsplit

import obstore
from benchmarks.report import BenchmarkBroken
from obstore.store import S3Store

from log_aggregator.errors import RequestFailed
from log_aggregator.model import LogObject
from log_aggregator.ports.store import ObjectStore
from log_aggregator.wiring import Connection, connect

Read = Callable[[LogObject], bytes]


def list_all(connection: Connection, bucket: str) -> list[LogObject]:
    """All versions in a bucket."""
    store, start, found = connect(connection), None, list[LogObject]()
    while True:
        page = store.list_object_versions(bucket, start=start)
        found += page.objects
        start = page.next_start
        if start is None:
            return found


def read_all(pool: ThreadPoolExecutor, read: Read, objects: Sequence[LogObject]) -> None:
    _check_total(sum(pool.map(lambda log_object: len(read(log_object)), objects)), objects)


def _check_total(total: int, objects: Sequence[LogObject]) -> None:
    if total != sum(log_object.size_bytes for log_object in objects):
        raise BenchmarkBroken(f"the bare loop read {total} bytes")


def read_as_this_program(store: ObjectStore, objects: Sequence[LogObject]) -> None:
    """Libcurl, many at once by the calling thread; nothing is looked at."""
    total = 0
    for body in store.get_objects(objects):
        if isinstance(body, RequestFailed):
            raise body
        total += len(body.data)
    _check_total(total, objects)


def make_obstore_reader(connection: Connection, bucket: str) -> Read:
    """A client in Rust with threads of its own, which this program once had: the yardstick."""
    store = S3Store(
        bucket,
        endpoint=connection.endpoint_url,
        region=connection.region,
        access_key_id=connection.access_key,
        secret_access_key=connection.secret_key,
        virtual_hosted_style_request=False,
        client_options={"allow_http": True, "allow_invalid_certificates": True},
    )

    def read(log_object: LogObject) -> bytes:
        body: bytes = obstore.get(
            store, log_object.key, options={"version": log_object.version_id}
        ).bytes()
        return body

    return read


class SocketReader:
    """As little as a GET can be made of in Python: a socket for each thread, a signature, and the
    answer's head and body.

    It knows no TLS, no retries, no timeouts, no redirects and no chunks: a floor to compare with,
    nothing to read logs with.
    """

    def __init__(self, connection: Connection, bucket: str) -> None:
        self._url = urlsplit(connection.endpoint_url or "")
        self._bucket = bucket
        self._access_key, self._region = connection.access_key, connection.region or ""
        self._day = time.strftime("%Y%m%d", time.gmtime())
        self._scope = f"{self._day}/{self._region}/s3/aws4_request"
        self._key = f"AWS4{connection.secret_key}".encode()
        for part in self._scope.split("/"):
            self._key = hmac.digest(self._key, part.encode(), "sha256")
        self._local = threading.local()

    def read(self, log_object: LogObject) -> bytes:
        connected = self._connect()
        connected.sendall(
            self._make_request(
                f"/{self._bucket}/{quote(log_object.key)}", f"versionId={log_object.version_id}"
            )
        )
        data = connected.recv(65_536)
        while (end := data.find(b"\r\n\r\n")) < 0:
            data += connected.recv(65_536)
        lines = data[:end].split(b"\r\n")
        fields = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(b":") for line in lines[1:])
        }
        if b" 200 " not in lines[0]:
            raise BenchmarkBroken(lines[0].decode())
        body, length = data[end + 4 :], int(fields[b"content-length"])
        while len(body) < length:
            body += connected.recv(65_536)
        return body

    def _connect(self) -> socket.socket:
        connected: socket.socket | None = getattr(self._local, "connected", None)
        if connected is None:
            self._local.connected = connected = socket.create_connection(
                (self._url.hostname or "", self._url.port or 80)
            )
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connected

    def _make_request(self, path: str, query: str) -> bytes:
        """Signed as https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
        tells.
        """
        now = f"{self._day}{time.strftime('T%H%M%SZ', time.gmtime())}"
        names, hashed = "host;x-amz-content-sha256;x-amz-date", "UNSIGNED-PAYLOAD"
        canonical = (
            f"GET\n{path}\n{query}\nhost:{self._url.netloc}\nx-amz-content-sha256:{hashed}\n"
            f"x-amz-date:{now}\n\n{names}\n{hashed}"
        )
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        text = f"AWS4-HMAC-SHA256\n{now}\n{self._scope}\n{digest}"
        signature = hmac.digest(self._key, text.encode(), "sha256").hex()
        signed = (
            f"AWS4-HMAC-SHA256 Credential={self._access_key}/{self._scope}, "
            f"SignedHeaders={names}, Signature={signature}"
        )
        head = (
            f"GET {path}?{query} HTTP/1.1\r\nHost: {self._url.netloc}\r\nx-amz-content-sha256: "
            f"{hashed}\r\nx-amz-date: {now}\r\n"
        )
        return f"{head}Authorization: {signed}\r\n\r\n".encode()
