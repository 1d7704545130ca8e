"""Passes bytes on to a server: with TLS in front of it, or with its answers late, as they are from
far away. A process of its own, on a core of its own if told so.

    with relay(url, late_ms=30) as endpoint_url:
        ...
"""

from __future__ import annotations

import argparse
import asyncio
import os
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.report import BenchmarkBroken

ROOT = Path(__file__).resolve().parent.parent
PIECE_BYTES = 256 * 1024
STOP_SECONDS_MAX = 10


@contextmanager
def relay(
    endpoint_url: str, *, late_ms: int = 0, tls_folder: Path | None = None, core: int | None = None
) -> Iterator[str]:
    """The URL to use instead. `tls_folder` has a server's certificate.pem and key.pem."""
    command = [sys.executable, "-m", "benchmarks.relay", endpoint_url, "--late-ms", str(late_ms)]
    command += ["--tls", str(tls_folder)] if tls_folder else []
    command += ["--core", str(core)] if core is not None else []
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            if process.stdout is None:
                raise BenchmarkBroken("no pipe to the relay")
            port = int(process.stdout.readline())
            yield f"http{'s' if tls_folder else ''}://127.0.0.1:{port}"
        finally:
            process.terminate()


async def serve(host: str, port: int, late_seconds: float, context: ssl.SSLContext | None) -> None:
    """Until it is told to end. Says its port."""

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            upstream_reader, upstream_writer = await asyncio.open_connection(host, port)
            await asyncio.gather(
                pump(reader, upstream_writer, 0), pump(upstream_reader, writer, late_seconds)
            )

    server = await asyncio.start_server(pass_on, "127.0.0.1", 0, ssl=context, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


async def pump(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, late_seconds: float
) -> None:
    """All pieces are as late, so they stay in order."""
    loop = asyncio.get_running_loop()
    with suppress(OSError):
        while data := await reader.read(PIECE_BYTES):
            if late_seconds:
                loop.call_later(late_seconds, writer.write, data)
            else:
                writer.write(data)
                await writer.drain()
    if late_seconds:
        loop.call_later(late_seconds, writer.close)
    else:
        writer.close()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--late-ms", type=int, default=0)
    parser.add_argument("--tls", type=Path)
    parser.add_argument("--core", type=int)
    told = parser.parse_args()
    if told.core is not None:
        os.sched_setaffinity(0, {told.core})
    context = None
    if told.tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(told.tls / "certificate.pem", told.tls / "key.pem")
    url = urlsplit(told.url)
    asyncio.run(serve(url.hostname or "", url.port or 80, told.late_ms / 1000, context))


if __name__ == "__main__":
    main()
