"""A reverse proxy on loopback between a client and a real S3 server, which can inject faults.

    with Proxy(server.endpoint_url) as proxy:
        proxy.decide = once(lambda request: request.operation == "PutObject", reset_after)
        ... run something against proxy.endpoint_url ...
        proxy.requests

Heads and bodies pass unchanged, byte for byte, chunked ones with their trailers, so signatures stay
valid: the server checks them against the Host that the client wrote, not against its own address. A
message is read completely before it is passed on, which makes every fault a function of one
exchange (`tests.support.proxy_faults`); a request whose sender dies in the middle is never passed
on. Only `Expect: 100-continue` is answered here and removed; it is never signed.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import BinaryIO, Self
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.support.waiting import SECONDS_MAX

HOST = "127.0.0.1"
LINE_BYTES_MAX = 64 * 1024


@dataclass(frozen=True, slots=True)
class Request:
    """One request of the client, by S3's own names. `number` counts from 1, in the order in which
    complete requests arrived.
    """

    number: int
    operation: str
    method: str
    bucket: str
    key: str
    query: dict[str, str]

    def __str__(self) -> str:
        return f"{self.number} {self.operation} {self.bucket}/{self.key}"


@dataclass(slots=True)
class Message:
    """A request or an answer. `head` is everything up to and including the empty line."""

    head: bytes
    body: bytes = b""

    @property
    def start(self) -> list[str]:
        """The words of the first line."""
        return self.head.split(b"\r\n", 1)[0].decode("latin-1").split(" ", 2)

    @property
    def headers(self) -> dict[str, str]:
        """Headers by lower-case name."""
        lines = self.head.decode("latin-1").split("\r\n")[1:-2]
        return {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines)
        }

    def without(self, wanted: Callable[[str], bool]) -> Message:
        """The same without the headers with these (lower-case) names."""
        first, *lines = self.head.split(b"\r\n")[:-2]
        kept = [
            line
            for line in lines
            if not wanted(line.partition(b":")[0].strip().lower().decode("latin-1"))
        ]
        return Message(b"\r\n".join([first, *kept, b"", b""]), self.body)

    def having(self, name: str, value: str) -> Message:
        """The same with this header, replacing an existing one."""
        rest = self.without(lambda other: other == name.lower())
        return Message(rest.head[:-2] + f"{name}: {value}\r\n\r\n".encode("latin-1"), self.body)


class Gone(Exception):
    """The other side closed the connection, during a message or before one."""


class Exchange:
    """One request and its outcome: what a fault works with."""

    def __init__(
        self, proxy: Proxy, connection: Connection, request: Request, message: Message
    ) -> None:
        self.proxy, self.request, self.message = proxy, request, message
        self._connection = connection

    def forward(self) -> Message:
        """Passes the request on unchanged; returns the server's whole answer."""
        return self._connection.ask_server(self.message, has_body=self.request.method != "HEAD")

    def reply(self, answer: Message) -> None:
        """Sends the client an answer. Raises Gone."""
        self._connection.send(answer.head + answer.body)

    def reply_error(self, status: int, code: str) -> None:
        """As S3 reports it; an answer to HEAD has no body."""
        xml = (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>on '
            "purpose</Message></Error>"
        ).encode()
        head = (
            f"HTTP/1.1 {status} {code}\r\nContent-Type: application/xml\r\nContent-Length: "
            f"{len(xml)}\r\n\r\n"
        ).encode()
        self.reply(Message(head, b"" if self.request.method == "HEAD" else xml))

    def reply_part(self, answer: Message, length_bytes: int) -> None:
        """Sends an incomplete answer."""
        self._connection.send(answer.head + answer.body[:length_bytes])
        self.reset(abruptly=False)

    def reply_slowly(self, answer: Message, pieces: int, seconds: float) -> None:
        """Sends an answer's body in this many pieces, over this many seconds."""
        self._connection.send(answer.head)
        size = max(1, -(-len(answer.body) // pieces))
        for start in range(0, len(answer.body), size):
            time.sleep(seconds / pieces)
            self._connection.send(answer.body[start : start + size])

    def reset(self, *, abruptly: bool = True) -> None:
        """Resets the connection to the client. Nothing can be done with it afterwards."""
        self._connection.break_off(abruptly=abruptly)
        raise Gone

    def wait_until_gone(self, seconds: float) -> None:
        """Sends nothing until the client gives up, or for this long."""
        self._connection.wait_until_gone(seconds)


Action = Callable[[Exchange], None]
"""What is done with an exchange instead of passing it through."""

Decide = Callable[[Request], Action | None]
"""Called for every request, one after the other."""


def pass_through(exchange: Exchange) -> None:
    exchange.reply(exchange.forward())


@dataclass(slots=True)
class Proxy:
    """A context manager. `decide` may be changed at any time; `requests` are those that arrived."""

    upstream_url: str
    decide: Decide = lambda request: None
    requests: list[Request] = field(default_factory=list)
    faulty: list[Request] = field(default_factory=list)
    """Those of `requests` for which an action was decided."""
    _listener: socket.socket = field(init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _open: set[Connection] = field(default_factory=set)
    _idle: threading.Condition = field(default_factory=threading.Condition)
    _busy: int = 0

    def __enter__(self) -> Self:
        self._listener = socket.create_server((HOST, 0), backlog=256)
        threading.Thread(target=self._accept, daemon=True, name="proxy").start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Closes all connections and answers no more. May be called again."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            connections = list(self._open)
        for connection in connections:
            connection.hang_up()

    @property
    def endpoint_url(self) -> str:
        return f"http://{HOST}:{self._listener.getsockname()[1]}"

    @property
    def counts(self) -> Counter[str]:
        """Requests by operation."""
        with self._lock:
            return Counter(request.operation for request in self.requests)

    def restart(self, decide: Decide | None = None) -> None:
        """Counts from 1 again, under another schedule."""
        with self._lock:
            self.requests.clear()
            self.faulty.clear()
            self.decide = decide or (lambda request: None)

    def wait_until_idle(self, seconds: float = SECONDS_MAX) -> None:
        """Waits until nothing is in transit any more: a killed client leaves requests behind."""
        with self._idle:
            if not self._idle.wait_for(lambda: self._busy == 0, seconds):
                raise TimeoutError(f"{self._busy} requests are still under way after {seconds} s")

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                client, _ = self._listener.accept()
                connection = Connection(self, client)
                with self._lock:
                    self._open.add(connection)
                threading.Thread(
                    target=self._serve, args=(connection,), daemon=True, name="proxy connection"
                ).start()

    def _serve(self, connection: Connection) -> None:
        try:
            while (message := connection.take_request()) is not None:
                self._exchange(connection, message)
        except (Gone, OSError):
            pass
        finally:
            connection.close()
            with self._lock:
                self._open.discard(connection)

    def _exchange(self, connection: Connection, message: Message) -> None:
        with self._working(), self._lock:
            request = read_request(len(self.requests) + 1, message)
            self.requests.append(request)
            action = self.decide(request)
            if action is not None:
                self.faulty.append(request)
        with self._working():
            (action or pass_through)(Exchange(self, connection, request, message))

    @contextlib.contextmanager
    def _working(self) -> Iterator[None]:
        with self._idle:
            self._busy += 1
        try:
            yield
        finally:
            with self._idle:
                self._busy -= 1
                self._idle.notify_all()


class Connection:
    """A connection of the client, and its own one to the server; both are kept alive."""

    def __init__(self, proxy: Proxy, client: socket.socket) -> None:
        place = urlsplit(proxy.upstream_url)
        self._address = (place.hostname or HOST, place.port or 80)
        self._client = client
        self._client.settimeout(SECONDS_MAX)
        self._client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._from_client: BinaryIO = client.makefile("rb")
        self._server: socket.socket | None = None
        self._from_server: BinaryIO | None = None

    def take_request(self) -> Message | None:
        """The next complete request; None if the client is done. Raises Gone if it stops in the
        middle of one.
        """
        head = read_head(self._from_client)
        if not head:
            return None
        message = Message(head)
        if message.headers.get("expect", "").lower() == "100-continue":
            self.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            message = message.without(lambda name: name == "expect")
        message.body = read_body(self._from_client, message.headers)
        return message

    def ask_server(self, message: Message, *, has_body: bool) -> Message:
        if self._server is None or self._from_server is None:
            self._server = socket.create_connection(self._address, SECONDS_MAX)
            self._server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._from_server = self._server.makefile("rb")
        self._server.sendall(message.head + message.body)
        answer = Message(read_head(self._from_server))
        while answer.head and answer.start[1] == "100":
            answer = Message(read_head(self._from_server))
        if not answer.head:
            raise Gone
        if has_body and answer.start[1] not in ("204", "304"):
            answer.body = read_body(self._from_server, answer.headers)
        if answer.headers.get("connection", "").lower() == "close":
            self._server.close()
            self._server = None
        return answer

    def send(self, data: bytes) -> None:
        try:
            self._client.sendall(data)
        except OSError as error:
            raise Gone from error

    def break_off(self, *, abruptly: bool) -> None:
        """Abruptly: the client's system gets a reset (RST), otherwise an end of data (FIN)."""
        if abruptly:
            self._client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def wait_until_gone(self, seconds: float) -> None:
        self._client.settimeout(seconds)
        with contextlib.suppress(OSError):
            self._client.recv(
                1
            )  # a client that waits for an answer sends nothing; it can only close

    def hang_up(self) -> None:
        """From another thread: whatever waits at one of the sockets wakes up and closes."""
        for end in (self._client, self._server):
            if end is not None:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        for end in (self._from_client, self._from_server, self._client, self._server):
            if end is not None:
                with contextlib.suppress(OSError):
                    end.close()


def read_head(stream: BinaryIO) -> bytes:
    """Everything up to and including the empty line; nothing if the connection was closed. Raises
    Gone if it ends in between.
    """
    lines: list[bytes] = []
    while True:
        line = stream.readline(LINE_BYTES_MAX)
        if not line.endswith(b"\n"):
            if lines or line:
                raise Gone
            return b""
        lines.append(line)
        if line == b"\r\n":
            return b"".join(lines)


def read_body(stream: BinaryIO, headers: dict[str, str]) -> bytes:
    """The body as it is on the wire: a chunked one with its sizes and trailers."""
    if "chunked" in headers.get("transfer-encoding", "").lower():
        return b"".join(read_chunks(stream))
    return read_exactly(stream, int(headers.get("content-length", 0)))


def read_chunks(stream: BinaryIO) -> Iterator[bytes]:
    while True:
        line = stream.readline(LINE_BYTES_MAX)
        size = int(line.split(b";")[0] or b"-1", 16)
        if size < 0:
            raise Gone
        yield line
        if size == 0:
            break
        yield read_exactly(stream, size + 2)
    while (line := stream.readline(LINE_BYTES_MAX)) not in (b"\r\n", b""):
        yield line
    yield line


def read_exactly(stream: BinaryIO, length_bytes: int) -> bytes:
    data = stream.read(length_bytes)
    if len(data) < length_bytes:
        raise Gone
    return data


def read_request(number: int, message: Message) -> Request:
    """What S3 calls this request. Buckets are taken from the path, where clients of servers other
    than AWS put them.
    """
    method, target, _ = message.start
    path, _, query_text = target.partition("?")
    bucket, _, key = unquote(path).lstrip("/").partition("/")
    query = dict(parse_qsl(query_text, keep_blank_values=True))
    operation = name_operation(method, bucket, key, query, message.headers)
    return Request(number, operation, method, bucket, key, query)


def name_operation(
    method: str, bucket: str, key: str, query: dict[str, str], headers: dict[str, str]
) -> str:
    if "x-amz-target" in headers:
        return headers["x-amz-target"].rpartition(".")[2]
    if not bucket:
        return "ListBuckets"
    names = BUCKET_OPERATIONS if not key else OBJECT_OPERATIONS
    for asked_method, parameter, name in names:
        if method == asked_method and (not parameter or parameter in query):
            return (
                "UploadPartCopy"
                if name == "UploadPart" and "x-amz-copy-source" in headers
                else name
            )
    return f"{method} {'key' if key else 'bucket'}"


BUCKET_OPERATIONS = (
    ("GET", "versioning", "GetBucketVersioning"),
    ("GET", "versions", "ListObjectVersions"),
    ("GET", "uploads", "ListMultipartUploads"),
    ("GET", "list-type", "ListObjectsV2"),
    ("POST", "delete", "DeleteObjects"),
)
OBJECT_OPERATIONS = (
    ("GET", "", "GetObject"),
    ("HEAD", "", "HeadObject"),
    ("PUT", "partNumber", "UploadPart"),
    ("PUT", "", "PutObject"),
    ("POST", "uploads", "CreateMultipartUpload"),
    ("POST", "uploadId", "CompleteMultipartUpload"),
    ("DELETE", "uploadId", "AbortMultipartUpload"),
    ("DELETE", "", "DeleteObject"),
)
"""(method, a query parameter that must be present, operation); the first match counts."""
