"""An S3 with canned answers, for answers that AWS gives and no emulator does."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from tests.support.waiting import wait_until

from log_aggregator.adapters.s3 import ClientSettings, S3Store
from log_aggregator.adapters.s3.deadlines import WATCHDOG


@dataclass(frozen=True)
class Answer:
    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut_bytes: int = 0
    """So many bytes of the body are promised and not sent."""


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


class CannedS3:
    """Gives the answers of `answers` in turn, repeating the last one, and records the requests."""

    def __init__(self) -> None:
        self.answers = [Answer(500)]
        self.requests: list[Request] = []
        canned = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                canned.requests.append(Request(self.command, self.path, headers, body))
                answer = canned.answers.pop(0) if len(canned.answers) > 1 else canned.answers[0]
                self.send_response(answer.status)
                for name, value in {
                    "Content-Length": str(len(answer.body)),
                    **answer.headers,
                }.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(answer.body[: len(answer.body) - answer.cut_bytes])
                if answer.cut_bytes:
                    self.close_connection = True

            do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = answer  # noqa: N815 - the names that http.server looks for

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's own name
                """Log nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}
        )
        self._thread.start()
        endpoint_url = f"http://127.0.0.1:{self._server.server_port}"
        self.settings = ClientSettings(
            region="us-east-1",
            endpoint_url=endpoint_url,
            access_key="k",
            secret_key="s",
            attempts_max=3,
        )
        self.store = S3Store.connect(self.settings)

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture(scope="session")
def canned_server() -> Iterator[CannedS3]:
    server = CannedS3()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def no_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the caller's certificates, proxies and AWS settings."""
    for name in os.environ:
        if name.startswith("AWS_") or name.lower().endswith(("_proxy", "_bundle")):
            monkeypatch.delenv(name)


@pytest.fixture
def watchdog() -> Iterator[None]:
    """The process's own watchdog, resumed afterwards with nothing left to watch."""
    yield
    WATCHDOG.go_on()
    wait_until(lambda: not WATCHDOG._attempts)


@pytest.fixture(autouse=True)
def _no_back_off(no_back_off: None) -> None:
    """No test in this folder backs off."""


@pytest.fixture
def canned(canned_server: CannedS3) -> CannedS3:
    canned_server.answers = [Answer(500)]
    canned_server.requests.clear()
    return canned_server
