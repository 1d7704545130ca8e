"""The local AWS: ministack as a child process, on loopback, without the caller's environment.

    with LocalAws(directory, access_key="test") as aws:
        aws.client("s3").list_buckets()

It runs functions as real processes on this machine, so it listens only on 127.0.0.1.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import boto3
from botocore.config import Config
from tests.support.waiting import SECONDS_MAX
from tests.support.xray import FakeDaemon

from log_aggregator_lab.servers.s3 import HOST, find_free_ports

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / ".venv-ministack" / "bin" / "python"
REGION = "eu-west-1"
ACCOUNT = "111122223333"
STOP_SECONDS_MAX = 15.0
LOG_TAIL_BYTES = 4_000


@dataclass(slots=True)
class LocalAws:
    """A context manager around one process. With `is_enforcing` it checks IAM policies for everyone
    except the account's root.

    It is an `Endpoint` for the lab's upload. An access key of twelve digits is the root of the
    account with that number.
    """

    directory: Path
    is_enforcing: bool = False
    endpoint_url: str = ""
    region: str = REGION
    access_key: str = ACCOUNT
    secret_key: str = field(default="test", repr=False)
    session_token: str | None = None
    daemon: FakeDaemon = field(default_factory=FakeDaemon, repr=False)
    """Receives what the functions send to X-Ray."""
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def __enter__(self) -> Self:
        self.directory.mkdir(parents=True, exist_ok=True)
        for path in (self.directory / "tmp", self.output_path, self.output_path / "traces"):
            path.mkdir(exist_ok=True)
        self.daemon.__enter__()
        (port,) = find_free_ports(1)
        self.endpoint_url = f"http://{HOST}:{port}"
        with self.log_path.open("wb") as log:
            self._process = subprocess.Popen(
                [str(PROGRAM), "-m", "ministack"],
                cwd=self.directory,
                env=self._environment(port),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def log_path(self) -> Path:
        return self.directory / "ministack.log"

    @property
    def output_path(self) -> Path:
        """Output of the functions: `<function name>.<process id>`, written by tests.e2e.runtime."""
        return self.directory / "output"

    @property
    def environment(self) -> dict[str, str]:
        """For programs that should use it: the AWS configuration and no other AWS variables."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        return kept | {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": str(self.directory / "no-config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(self.directory / "no-credentials"),
            "SAM_CLI_TELEMETRY": "0",
        }

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.endpoint_url,
            region_name=self.region,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            aws_session_token=self.session_token,
            config=Config(
                retries={"max_attempts": 1}, read_timeout=SECONDS_MAX, max_pool_connections=32
            ),
        )

    def stop(self) -> None:
        """Ends the process by its id and removes its functions' code. The output stays."""
        process, self._process = self._process, None
        if process is None:
            return
        self.daemon.__exit__(None, None, None)
        process.terminate()
        try:
            process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        shutil.rmtree(self.directory / "tmp", ignore_errors=True)

    def kill_function_at(self, text: str) -> None:
        """The first function that writes a line with this text is killed by SIGKILL there."""
        (self.output_path / "kill").write_text(text)

    def log_tail(self) -> str:
        return self.log_path.read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace")

    def _environment(self, port: int) -> dict[str, str]:
        """Functions inherit all of it, so it has no credentials, no proxies and no home."""
        enforcing = {"AUTH": "true"} if self.is_enforcing else {}
        return enforcing | {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.directory),
            "TMPDIR": str(self.directory / "tmp"),
            "LANG": "C.UTF-8",
            "TZ": "UTC",
            "GATEWAY_PORT": str(port),
            "BIND_HOST": HOST,  # its default is every interface
            "MINISTACK_HOST": HOST,
            "MINISTACK_ACCOUNT_ID": ACCOUNT,
            "MINISTACK_REGION": self.region,
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "LOG_LEVEL": "INFO",
            "SFN_WAIT_SCALE": "0.02",  # shortened waits between retries
            # functions with custom runtimes get it only from here
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_XRAY_DAEMON_ADDRESS": self.daemon.address,
            "E2E_OUTPUT": str(self.output_path),
        }

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + SECONDS_MAX
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                raise AssertionError(
                    f"the local AWS ended while it was starting:\n{self.log_tail()}"
                )
            try:
                with urllib.request.urlopen(f"{self.endpoint_url}/_ministack/health", timeout=30):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.05)
        raise AssertionError(
            f"the local AWS is not ready after {SECONDS_MAX} s:\n{self.log_tail()}"
        )
