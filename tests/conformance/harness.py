"""What the suite needs of each kind of store beyond the port: buckets, and objects written the way
AWS's services write them.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, Protocol

import obstore
import pytest
from tests.support.waiting import SECONDS_MAX

from log_aggregator.adapters.s3 import ClientSettings, S3Store
from log_aggregator.ports.store import ObjectStore
from log_aggregator_lab.servers.s3 import HOST, find_free_ports
from log_aggregator_lab.stores.memory import MemoryStore

NUMBERS = count(1)


class Harness(Protocol):
    """A store under test."""

    name: str

    @property
    def store(self) -> ObjectStore: ...

    def set_page_size(self, page_size: int) -> None: ...

    def create_bucket(self, *, versioning: str | None = None, has_lock: bool = False) -> str: ...

    def set_versioning(self, bucket: str, status: str) -> None: ...

    def put(
        self,
        bucket: str,
        key: str,
        data: bytes = b"",
        *,
        metadata: Mapping[str, str] | None = None,
        content_type: str = "binary/octet-stream",
        content_encoding: str | None = None,
        storage_class: str = "STANDARD",
    ) -> None: ...

    def put_empty(self, bucket: str, keys: Iterable[str]) -> None: ...

    def delete(self, bucket: str, key: str) -> None: ...

    def retain(self, bucket: str, key: str) -> None: ...


class MemoryHarness:
    name = "memory"

    def __init__(self) -> None:
        self.store = MemoryStore()

    def set_page_size(self, page_size: int) -> None:
        self.store._page_size = page_size

    def create_bucket(self, *, versioning: str | None = None, has_lock: bool = False) -> str:
        bucket = make_bucket_name()
        self.store.create_bucket(bucket, versioning=versioning)
        return bucket

    def set_versioning(self, bucket: str, status: str) -> None:
        self.store.set_versioning(bucket, status)

    def put(
        self,
        bucket: str,
        key: str,
        data: bytes = b"",
        *,
        metadata: Mapping[str, str] | None = None,
        content_type: str = "binary/octet-stream",
        content_encoding: str | None = None,
        storage_class: str = "STANDARD",
    ) -> None:
        self.store.put(
            bucket,
            key,
            data,
            metadata=metadata,
            content_type=content_type,
            content_encoding=content_encoding,
            storage_class=storage_class,
        )

    def put_empty(self, bucket: str, keys: Iterable[str]) -> None:
        for key in keys:
            self.put(bucket, key)

    def delete(self, bucket: str, key: str) -> None:
        self.store.delete(bucket, key)

    def retain(self, bucket: str, key: str) -> None:
        self.store.retain(bucket, key)


class SmallPages:
    """boto3's client, which asks for small pages of listings."""

    def __init__(self, s3: Any, page_size: int) -> None:
        self._s3, self._page_size = s3, page_size

    def __getattr__(self, name: str) -> Any:
        return getattr(self._s3, name)

    def list_object_versions(self, **request: Any) -> Any:
        return self._s3.list_object_versions(**{"MaxKeys": self._page_size, **request})

    def list_objects_v2(self, **request: Any) -> Any:
        return self._s3.list_objects_v2(**{"MaxKeys": self._page_size, **request})


class ServerHarness:
    """Anything that speaks S3 over HTTP. What it sets up, it sets up with boto3 alone, but for many
    plain keys.
    """

    def __init__(
        self, name: str, store: S3Store, make_room: Callable[[str], None] | None = None
    ) -> None:
        self.name = name
        self.store = store
        self._s3: Any = store._s3
        self._make_room = make_room

    def set_page_size(self, page_size: int) -> None:
        self.store = S3Store(self.store._clients)
        self.store._s3 = SmallPages(self._s3, page_size)

    def create_bucket(self, *, versioning: str | None = None, has_lock: bool = False) -> str:
        bucket = make_bucket_name()
        self._s3.create_bucket(
            Bucket=bucket, **({"ObjectLockEnabledForBucket": True} if has_lock else {})
        )
        if versioning is not None:
            self.set_versioning(bucket, versioning)
        if self._make_room is not None:
            self._make_room(bucket)
        return bucket

    def set_versioning(self, bucket: str, status: str) -> None:
        self._s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})

    def put(
        self,
        bucket: str,
        key: str,
        data: bytes = b"",
        *,
        metadata: Mapping[str, str] | None = None,
        content_type: str = "binary/octet-stream",
        content_encoding: str | None = None,
        storage_class: str = "STANDARD",
    ) -> None:
        optional = {"ContentEncoding": content_encoding} if content_encoding else {}
        self._s3.put_object(
            Bucket=bucket,
            Key=key,
            Body=data,
            Metadata=metadata or {},
            ContentType=content_type,
            StorageClass=storage_class,
            **optional,
        )

    def put_empty(self, bucket: str, keys: Iterable[str]) -> None:
        """Many at once, of plain names. boto3 would take ten times as long as the server."""
        client = self.store._clients.reader(bucket)

        def put(key: str) -> None:
            obstore.put(client, key, b"", use_multipart=False)

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(put, keys))

    def delete(self, bucket: str, key: str) -> None:
        self._s3.delete_object(Bucket=bucket, Key=key)

    def retain(self, bucket: str, key: str) -> None:
        until = datetime.now(UTC) + timedelta(days=1)
        self._s3.put_object_retention(
            Bucket=bucket, Key=key, Retention={"Mode": "COMPLIANCE", "RetainUntilDate": until}
        )


def make_bucket_name() -> str:
    """Tests share a server, and workers of xdist may share none; no two buckets of a session have
    one name.
    """
    return f"conformance-{os.getpid()}-{next(NUMBERS)}"


def find_emulators() -> Path:
    """The folder of programs of the emulators' own environment."""
    root = Path(
        os.environ.get("LOG_AGGREGATOR_EMULATORS", Path(__file__).parents[2] / ".venv-emulators")
    )
    return root / "bin"


@contextmanager
def run_emulator(name: str) -> Iterator[ClientSettings]:
    """Starts moto or ministack, and stops it at the end. Skips the test where they are not
    installed.
    """
    programs = find_emulators()
    if not (programs / "python").exists():
        pytest.skip(
            f"{name} needs the environment of tests/conformance/requirements.txt, which is "
            f"not at {programs.parent}"
        )
    (port,) = find_free_ports(1)
    commands = {
        "moto": [str(programs / "moto_server"), "-H", HOST, "-p", str(port)],
        "ministack": [str(programs / "python"), "-m", "ministack"],
    }
    with tempfile.TemporaryDirectory() as directory, (Path(directory) / "log").open("wb") as log:
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": directory,
            "TMPDIR": directory,
            "GATEWAY_PORT": str(port),
            "BIND_HOST": HOST,
            "MINISTACK_HOST": HOST,
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "LOG_LEVEL": "WARNING",
        }
        process = subprocess.Popen(
            commands[name],
            env=environment,
            cwd=directory,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            wait_until_answering(process, f"http://{HOST}:{port}", Path(directory) / "log")
            yield ClientSettings(
                region="us-east-1",
                endpoint_url=f"http://{HOST}:{port}",
                access_key="test",
                secret_key="test",
            )
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_until_answering(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + SECONDS_MAX
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            urllib.request.urlopen(url, timeout=SECONDS_MAX).close()
        except urllib.error.HTTPError as error:
            error.close()
            return
        except OSError:
            time.sleep(0.05)
        else:
            return
    pytest.fail(
        f"the emulator at {url} does not answer; its log ends "
        f"with:\n{log.read_text(errors='replace')[-2000:]}"
    )
