"""A server on loopback that stalls in every way that a server can.

    with StallingServer(trickle) as server:
        ... run something against server.endpoint_url ...

Its answers, if any, are the beginning of something that S3 could send. After a minute it hangs up,
and leaving the block raises AssertionError: a client that would wait forever fails its test soon.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.support.waiting import SECONDS_MAX

HOST = "127.0.0.1"
TICK_SECONDS = 0.02
PATIENCE_SECONDS = SECONDS_MAX / 10
RECEIVE_BYTES = 4096
LENGTH = 1_000_000
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\n"
SIZED = HEAD + b"Content-Length: %d\r\n\r\n" % LENGTH
ENDLESS = HEAD + b"Connection: close\r\n\r\n"
"""Without a length: the body ends with the connection."""
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Connection:
    """One client's connection. Everything ends with the server."""

    def __init__(self, sock: socket.socket, stopped: threading.Event) -> None:
        self.sock = sock
        self._stopped = stopped
        self._ends = time.monotonic() + PATIENCE_SECONDS
        sock.settimeout(PATIENCE_SECONDS)

    @property
    def is_over(self) -> bool:
        """Nothing ended in all this time."""
        return time.monotonic() >= self._ends

    def wait(self, seconds: float = PATIENCE_SECONDS) -> bool:
        """Waits this long, or until it is over. Returns whether it is not."""
        return not self._stopped.wait(seconds) and not self.is_over

    def read_head(self) -> bytes:
        """Up to the empty line, or until the client is gone."""
        head = b""
        while b"\r\n\r\n" not in head and (data := self.sock.recv(RECEIVE_BYTES)):
            head += data
        return head

    def drop_the_rest(self) -> None:
        """Discards whatever the client still sends, until it is gone."""
        while self.sock.recv(RECEIVE_BYTES):
            pass

    def say_slowly(self, data: bytes) -> None:
        """One byte at a time, and never the last one."""
        place = 0
        while self.wait(TICK_SECONDS):
            self.sock.sendall(data[place : place + 1])
            place = min(place + 1, len(data) - 1)


Stall = Callable[[Connection], object]


def deaf(connection: Connection) -> None:
    """Accepts, and neither reads nor answers."""
    connection.wait()


def silent(connection: Connection) -> None:
    """Reads everything, and never answers."""
    connection.drop_the_rest()


def trickle(connection: Connection) -> None:
    """Answers one byte at a time from the start."""
    connection.read_head()
    connection.say_slowly(HEAD + b"x-slow: yes")


def silent_after_headers(connection: Connection) -> None:
    """Promises a body, and sends none."""
    connection.read_head()
    connection.sock.sendall(SIZED)
    connection.drop_the_rest()


def silent_in_body(connection: Connection) -> None:
    """Sends the beginning of a body."""
    connection.read_head()
    connection.sock.sendall(SIZED + b"<?xml version='1.0'?>\n<")
    connection.drop_the_rest()


def trickle_body(connection: Connection) -> None:
    """Sends a body of known length, one byte at a time."""
    connection.read_head()
    connection.sock.sendall(SIZED)
    connection.say_slowly(b" ")


def trickle_chunks(connection: Connection) -> None:
    """Sends a body in chunks of one byte."""
    connection.read_head()
    connection.sock.sendall(CHUNKED)
    while connection.wait(TICK_SECONDS):
        connection.sock.sendall(b"1\r\n \r\n")


def trickle_endless(connection: Connection) -> None:
    """Sends a body that would end with the connection."""
    connection.read_head()
    connection.sock.sendall(ENDLESS)
    connection.say_slowly(b" ")


def stop_reading(connection: Connection) -> None:
    """Wants a body, and does not read it."""
    connection.read_head()
    connection.sock.sendall(CONTINUE)
    connection.wait()


def sip(connection: Connection) -> None:
    """Wants a body, and reads it one byte at a time."""
    connection.read_head()
    connection.sock.sendall(CONTINUE)
    while connection.wait(TICK_SECONDS) and connection.sock.recv(1):
        pass


def trickle_after_upload(connection: Connection) -> None:
    """Reads a body as fast as it arrives, and answers one byte at a time."""
    head, _, body = connection.read_head().partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].split()[0])
    connection.sock.sendall(CONTINUE)
    left = length - len(body)
    while left and (data := connection.sock.recv(min(left, 1024 * 1024))):
        left -= len(data)
    connection.say_slowly(HEAD + b"x-slow: yes")


def trickle_handshake(connection: Connection) -> None:
    """Begins a TLS handshake, one byte at a time. For a server without `context`."""
    connection.read_head()
    connection.say_slowly(b"\x16\x03\x03\x40\x00" + bytes(0x4000))


STALLS: dict[str, Stall] = {
    stall.__name__: stall
    for stall in (
        deaf,
        silent,
        trickle,
        silent_after_headers,
        silent_in_body,
        trickle_body,
        trickle_chunks,
        trickle_endless,
        stop_reading,
        sip,
    )
}


class StallingServer:
    """A context manager around the server. `stall` may be changed at any time, for later
    connections.
    """

    def __init__(self, stall: Stall, context: ssl.SSLContext | None = None) -> None:
        self.stall = stall
        self.connections = 0
        self.has_hung_up = False
        self._context = context
        self._stopped = threading.Event()
        self._threads: list[threading.Thread] = []
        self._sockets: list[socket.socket] = []
        self._listener = socket.socket()
        # so that a client soon notices that no one reads
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
        self._listener.bind((HOST, 0))
        self._listener.listen(128)

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    @property
    def endpoint_url(self) -> str:
        return f"http{'s' if self._context else ''}://{HOST}:{self.port}"

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopped.set()
        for sock in [self._listener, *self._sockets]:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
        for thread in self._threads:
            thread.join()
        assert error is not None or not self.has_hung_up, "the client waited for too long"

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                self.connections += 1
                self._sockets.append(sock)
                self._start(self._serve, sock)

    def _serve(self, sock: socket.socket) -> None:
        with suppress(OSError):  # the client is gone, or we are
            if self._context is not None:
                sock = self._context.wrap_socket(sock, server_side=True)
                self._sockets.append(sock)
            with sock:
                connection = Connection(sock, self._stopped)
                try:
                    self.stall(connection)
                finally:
                    self.has_hung_up |= connection.is_over


def make_context(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """A server's TLS, and the certificate by which a client can verify it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST))]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate_path, key_path = folder / "certificate.pem", folder / "key.pem"
    certificate_path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate_path, key_path)
    return context, certificate_path
