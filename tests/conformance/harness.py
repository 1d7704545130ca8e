"""What the suite needs of each kind of store beyond the port: buckets, and objects written the way
AWS's services write them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Protocol

import obstore
import pytest
from obstore.store import S3Store as ObstoreS3
from tests.servers.starting import Missing, NotStarted, run_server

from log_aggregator.adapters.s3 import ClientSettings, S3Store
from log_aggregator.adapters.s3.attempts import Answer
from log_aggregator.adapters.s3.curl import CurlReader, ReadRequest
from log_aggregator.ports.store import ObjectStore
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


@dataclass
class SmallPages:
    """Reads a store's listings in small pages."""

    reader: CurlReader
    page_size: int

    def ask(self, request: ReadRequest) -> Answer:
        query = {**request.query, "max-keys": str(self.page_size)}
        return self.reader.ask(replace(request, reader=self.reader, query=query))


class ServerHarness:
    """Anything that speaks S3 over HTTP. It is set up with boto3 alone, except for large numbers of
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
        clients = self.store._clients
        pages: Any = SmallPages(clients.reader, page_size)
        self.store = S3Store(replace(clients, reader=pages))

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
        """Puts many plain keys in parallel, which would take boto3 ten times as long as the
        server.
        """
        settings = self.store._clients.settings
        client = ObstoreS3(
            bucket,
            config={
                "endpoint": settings.endpoint_url,
                "region": settings.region,
                "access_key_id": settings.access_key,
                "secret_access_key": settings.secret_key,
            },
            client_options={"allow_http": True},
        )

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
    """A name that no other bucket of the session has: tests share a server, and xdist workers may
    share one too.
    """
    return f"conformance-{os.getpid()}-{next(NUMBERS)}"


@contextmanager
def run_emulator(name: str) -> Iterator[ClientSettings]:
    """Starts moto or ministack, and stops it at the end. Skips the test if it is not installed."""
    with ExitStack() as stack:
        try:
            running = stack.enter_context(run_server(name))
        except Missing as error:
            pytest.skip(f"{name} {error}")
        except NotStarted as error:
            pytest.fail(str(error))
        yield running.settings
