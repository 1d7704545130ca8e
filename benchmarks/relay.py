"""Passes bytes on to a server: with TLS in front of it, or with its answers late, as they are from
far away. A process of its own, on a core of its own if told so.

    with relay(url, late_ms=30) as endpoint_url:
        ...

It can remember log objects, and answer for them itself when they are asked for again: the server
here takes ten times as long for a GET as the relay, and would be all that is measured.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

from benchmarks.report import BenchmarkBroken

ROOT = Path(__file__).resolve().parent.parent
LOG_OBJECTS_END = b".gz"
HEAD_END = b"\r\n\r\n"


@contextmanager
def relay(
    endpoint_url: str,
    *,
    late_ms: int = 0,
    tls_folder: Path | None = None,
    core: int | None = None,
    remembers: bool = False,
) -> Iterator[str]:
    """The URL to use instead. `tls_folder` has a server's certificate.pem and key.pem."""
    command = [sys.executable, "-m", "benchmarks.relay", endpoint_url, "--late-ms", str(late_ms)]
    command += ["--tls", str(tls_folder)] if tls_folder else []
    command += ["--core", str(core)] if core is not None else []
    command += ["--remember"] if remembers else []
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            if process.stdout is None:
                raise BenchmarkBroken("no pipe to the relay")
            port = int(process.stdout.readline())
            yield f"http{'s' if tls_folder else ''}://127.0.0.1:{port}"
        finally:
            process.terminate()


@dataclass(frozen=True, slots=True)
class Far:
    """The server, and how far away it seems. `remembered`: answers by request line; None where
    nothing is to be remembered.
    """

    host: str
    port: int
    late_seconds: float
    remembered: dict[bytes, bytes] | None


class FromClient(asyncio.Protocol):
    """A client's connection, with one of its own to the server."""

    def __init__(self, far: Far) -> None:
        self._far = far
        self._transport: asyncio.Transport
        self._upstream: asyncio.Transport | None = None
        self._waiting: list[bytes] = []
        self._asked: bytes | None = None
        """The line of a GET whose answer is to be remembered."""
        self._answer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._opening = asyncio.get_running_loop().create_task(self._open())

    async def _open(self) -> None:
        with suppress(OSError):
            self._upstream, _ = await asyncio.get_running_loop().create_connection(
                lambda: FromServer(self), self._far.host, self._far.port
            )
            self._upstream.writelines(self._waiting)
            return
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        line = find_log_object(data) if self._far.remembered is not None else None
        if line is not None and self._far.remembered is not None:
            if (answer := self._far.remembered.get(line)) is not None:
                self._send(answer)
                return
            self._asked, self._answer = line, b""
        if self._upstream is None:
            self._waiting.append(data)
        else:
            self._upstream.write(data)

    def take_answer(self, data: bytes) -> None:
        """Some bytes of the server's."""
        self._send(data)
        if self._asked is None or self._far.remembered is None:
            return
        self._answer += data
        if is_whole(self._answer):
            self._far.remembered[self._asked], self._asked = self._answer, None

    def _send(self, data: bytes) -> None:
        """All bytes are as late, so they stay in order."""
        if self._far.late_seconds:
            asyncio.get_running_loop().call_later(
                self._far.late_seconds, self._transport.write, data
            )
        else:
            self._transport.write(data)

    def connection_lost(self, error: Exception | None) -> None:
        if self._upstream is not None:
            self._upstream.close()

    def close(self) -> None:
        """As late as everything."""
        asyncio.get_running_loop().call_later(self._far.late_seconds, self._transport.close)


class FromServer(asyncio.Protocol):
    """The server's end of a client's connection."""

    def __init__(self, client: FromClient) -> None:
        self._client = client

    def data_received(self, data: bytes) -> None:
        self._client.take_answer(data)

    def connection_lost(self, error: Exception | None) -> None:
        self._client.close()


def find_log_object(data: bytes) -> bytes | None:
    """The request line, where these bytes are all of a request for a log object."""
    line, _, _ = data.partition(b"\r\n")
    path, _, _ = line.partition(b"?")
    is_whole_request = line.startswith(b"GET ") and data.endswith(HEAD_END)
    if is_whole_request and path.split(b" ")[1].endswith(LOG_OBJECTS_END):
        return line
    return None


def is_whole(answer: bytes) -> bool:
    """Whether it is a good answer, up to its last byte."""
    head, found, body = answer.partition(HEAD_END)
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    if not found or length is None or not head.startswith(b"HTTP/1.1 200"):
        return False
    return len(body) == int(length[1])


async def serve(far: Far, context: ssl.SSLContext | None) -> None:
    """Runs until it is told to end. Prints its port."""
    server = await asyncio.get_running_loop().create_server(
        lambda: FromClient(far), "127.0.0.1", 0, ssl=context, backlog=512
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--late-ms", type=int, default=0)
    parser.add_argument("--tls", type=Path)
    parser.add_argument("--core", type=int)
    parser.add_argument("--remember", action="store_true")
    told = parser.parse_args()
    if told.core is not None:
        os.sched_setaffinity(0, {told.core})
    context = None
    if told.tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(told.tls / "certificate.pem", told.tls / "key.pem")
    url = urlsplit(told.url)
    remembered: dict[bytes, bytes] | None = {} if told.remember else None
    far = Far(url.hostname or "", url.port or 80, told.late_ms / 1000, remembered)
    asyncio.run(serve(far, context))


if __name__ == "__main__":
    main()
