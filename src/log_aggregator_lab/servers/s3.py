"""An S3 server on this machine: starts, watches and removes SeaweedFS.

    with EmbeddedS3() as server:
        ... server.endpoint_url, server.access_key, server.secret_key ...

It listens on 127.0.0.1 only, sends no reports, and keeps its data in its own temporary directory.
It ends when the block ends, and also when this process is killed: the server is the child of a
small shell that reads from a pipe whose other end only we hold. The shell does the rest, so that
nothing can interrupt it.

`weed mini` serves the same S3 as `weed server`, but starts in 0.8 s instead of 3.4 s, and stops in
1.2 s instead of 16 s.
"""

from __future__ import annotations

import http.client
import json
import os
import secrets
import shlex
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
from typing import IO, Self
from urllib.parse import urlsplit

import botocore.auth
import botocore.awsrequest
import botocore.credentials

from log_aggregator.errors import CannotStart, NotInstalled

HOST = "127.0.0.1"
REGION = "us-east-1"
PREFIX = "log-aggregator-s3-"
ATTEMPTS_MAX = 3
START_SECONDS_MAX = 120.0
STOP_SECONDS_MAX = 3.0
"""Stopping takes 1.2 s, or 30 s while a client still holds a connection. Then it is killed, because
its data is removed anyway.
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
"""Every port that the server opens. Without these flags they would have fixed numbers, and some
would listen on all interfaces.
"""

FLAGS = {
    "dir": "data",  # places are relative: a socket's whole path has 108 bytes at most
    "s3.config": "s3.json",
    "s3.localSocket": "s3.sock",
    "filer.localSocket": "filer.sock",
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

# Prints the server's process id, waits until our end of the pipe sends something or is closed, or
# the server ends by itself, and removes everything. Only the server's parent can safely signal it:
# for others its process id may belong to another process by then.
SERVE = """
umask 077
mkdir {directory} && cd {directory} && mkdir data || exit
read -r identities
printf '%s\\n' "$identities" > s3.json
exec 3<&0
{server} </dev/null >&2 3<&- &
server=$!
trap '' PIPE
echo "$server"
{{
  read -r end <&3
  kill -TERM "$server"
  trap 'kill $sleep; exit' TERM
  sleep {stop_seconds_max} & sleep=$!
  wait "$sleep"
  kill -KILL "$server"
}} >/dev/null 2>&1 &
wait "$server"
kill "$!"
wait
cd /
rm -rf -- {left}
"""


class EmbeddedS3:
    """A context manager around one server process. It is neither reusable nor thread safe; the
    server is.

    Raises NotInstalled, and CannotStart where the server does not start.
    """

    def __init__(self, *, access_key: str = "", secret_key: str = "") -> None:
        self.access_key = access_key or f"LOCAL{secrets.token_hex(8).upper()}"
        self.secret_key = secret_key or secrets.token_urlsafe(30)
        self.region = REGION
        self.session_token: str | None = None
        self.endpoint_url = ""
        self._ports: dict[str, str] = {}
        self._program = find_program()
        self._process: subprocess.Popen[bytes] | None = None
        self._pid = 0
        self._directory = Path()
        self._log: IO[bytes] | None = None

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
        return self._pid

    @property
    def data_path(self) -> Path:
        """Where the server keeps what it stores."""
        if self._process is None:
            raise CannotStart("the embedded S3 server is not running")
        return self._directory / "data"

    def start(self) -> None:
        """Returns once the server can create buckets. Another program may take a port in between,
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
        """Gives a new bucket its first volume. Otherwise the first write would make it, and wait
        0.2 s.
        """
        connection = http.client.HTTPConnection(HOST, int(self._ports["master.port"]), timeout=60)
        try:
            connection.request("GET", f"/vol/grow?collection={bucket}&count=1")
            connection.getresponse().read()
        finally:
            connection.close()

    def stop(self) -> None:
        """Ends the process and removes its data. May be called again.

        If this is interrupted, the shell still finishes the work.
        """
        process, self._process = self._process, None
        if process is not None and process.stdin is not None:
            with process.stdin as pipe, suppress(BrokenPipeError):
                # closing is not enough, because a fork of ours may hold the pipe open
                pipe.write(b"stop\n")
            process.wait()
        if self._log is not None:
            self._log.close()

    @contextmanager
    def _stopped_on_failure(self) -> Iterator[None]:
        started = False
        try:
            yield
            started = True
        finally:  # after any exception, including ctrl-C
            if not started:
                self.stop()

    def _launch(self) -> None:
        self._directory = directory = Path(tempfile.gettempdir(), f"{PREFIX}{secrets.token_hex(8)}")
        ports = dict(zip(PORT_FLAGS, map(str, find_free_ports(len(PORT_FLAGS))), strict=True))
        self._ports = ports
        self.endpoint_url = f"http://{HOST}:{ports['s3.port']}"
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - it goes with the last who has it open
        self._process = process = subprocess.Popen(
            ["/bin/sh", "-c", self._make_script(directory, ports)],
            bufsize=0,
            env=self._environment(directory),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            # ctrl-C in the terminal is for us; we stop the server when we are done
            start_new_session=True,
        )
        if process.stdin is None or process.stdout is None:
            raise CannotStart("the embedded S3 server has no pipes")
        with process.stdout as said, suppress(BrokenPipeError):
            process.stdin.write(self._encode_identities())
            self._pid = int(said.readline() or 0)

    def _make_script(self, directory: Path, ports: dict[str, str]) -> str:
        flags = [f"-{name}={value}" for name, value in (FLAGS | ports).items()]
        sockets = [name_socket(flag, ports[flag]) for flag in PORT_FLAGS if flag.endswith(".grpc")]
        return SERVE.format(
            directory=shlex.quote(str(directory)),
            server=shlex.join([str(self._program), "-logdir=.", "mini", *flags]),
            stop_seconds_max=STOP_SECONDS_MAX,
            left=shlex.join([str(directory), *sockets]),
        )

    def _encode_identities(self) -> bytes:
        identity = {
            "name": "lab",
            "credentials": [{"accessKey": self.access_key, "secretKey": self.secret_key}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
        return json.dumps({"identities": [identity]}).encode() + b"\n"

    def _environment(self, directory: Path) -> dict[str, str]:
        """Takes over nothing from the caller: no credentials, proxies, or configuration in a home
        directory.
        """
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(directory),
            "TMPDIR": str(directory),
            "WEED_S3_SSE_KEY": self.secret_key,
        }

    def _wait_until_ready(self) -> None:
        """Ready means that a bucket can be created; the server's own health page reports ready too
        early.
        """
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                raise CannotStart(
                    "the embedded S3 server ended while it was starting; its log ends with:",
                    lines=self._log_tail().split("\n"),
                )
            with suppress(OSError, http.client.HTTPException):
                # a conflict: an earlier request, whose answer took too long, made it
                if self._request("PUT", "ready") in (http.HTTPStatus.OK, http.HTTPStatus.CONFLICT):
                    self._request("DELETE", "ready")
                    return
            time.sleep(0.02)
        raise CannotStart(
            f"the embedded S3 server is not ready after {START_SECONDS_MAX:.0f} s; its log "
            "ends with:",
            lines=self._log_tail().split("\n"),
        )

    def _request(self, method: str, bucket: str) -> int:
        """One signed request, because a boto3 client costs its import and 0.3 s."""
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
        if self._log is None:
            return ""
        # not with seek: the server writes at this file's position
        size = os.fstat(self._log.fileno()).st_size
        tail = os.pread(self._log.fileno(), LOG_TAIL_BYTES, max(0, size - LOG_TAIL_BYTES))
        return tail.decode(errors="replace").strip()


def name_socket(flag: str, port: str) -> str:
    """The socket that the server makes for a gRPC port. The folder cannot be changed, and it leaves
    some behind.
    """
    return f"/tmp/seaweedfs-{flag.partition('.')[0]}-grpc-{port}.sock"


def find_program() -> Path:
    """The server's program, from this interpreter's own environment first. Raises
    NotInstalled.
    """
    places = (
        str(Path(sys.executable).parent),
        sysconfig.get_path("scripts"),
        os.environ.get("PATH", os.defpath),
    )
    found = shutil.which("weed", path=os.pathsep.join(places))
    if found is None:
        raise NotInstalled.of("the embedded S3 server", "lab")
    return Path(found)


def find_free_ports(count: int) -> list[int]:
    """Holds all of them open until the last one is known, so that no two are the same."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind((HOST, 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
