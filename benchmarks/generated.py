"""An object store that makes its keys and bytes up as it is asked for them, so that an organisation
of any size fits into no memory.

A bucket is an ordered sequence of keys that exists only as a function from a number to a key.
Listings are answered by bisection. Every log object has the same bytes. What is written is
forgotten, but for indexes and for what a HEAD has to say.
"""

from __future__ import annotations

import hashlib
import pickle
import threading
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

from log_aggregator.adapters.forwarding import get_one_by_one
from log_aggregator.core.checksums import RunningChecksum, crc64nvme
from log_aggregator.errors import NotFound
from log_aggregator.limits import LIST_PAGE_COUNT_MAX
from log_aggregator.model import LogObject, StoredObject
from log_aggregator.ports.store import (
    Bodies,
    Body,
    Deletion,
    DeletionFailure,
    ListStart,
    ObjectStore,
    Page,
    Part,
    Upload,
    WriteOptions,
)

_LAST = "\U0010ffff"
_DELIVERED = datetime(2026, 3, 14, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class GeneratedBucket:
    """`key_of(n)` for n from 0 to `count`, exclusive, in the order of the keys. All of ASCII, so
    that the order is S3's.
    """

    count: int
    key_of: Callable[[int], str]
    versioning: str | None = None


class GeneratedStore:
    """As much of an object store as listing, combining, verifying and deleting need."""

    def __init__(self, buckets: Mapping[str, GeneratedBucket], body: bytes) -> None:
        self.requests: Counter[str] = Counter()
        self._buckets = buckets
        self._body = body
        self._etag = hashlib.md5(body, usedforsecurity=False).hexdigest()
        self._kept: dict[tuple[str, str], bytes] = {}
        self._stored: dict[tuple[str, str], StoredObject] = {}
        self._lock = threading.Lock()

    def save(self, path: Path) -> None:
        """What was written, for another process."""
        path.write_bytes(pickle.dumps((self._kept, self._stored)))

    def restore(self, path: Path) -> None:
        self._kept, self._stored = pickle.loads(path.read_bytes())

    def get_bucket_versioning(self, bucket: str) -> str | None:
        self._count("GetBucketVersioning")
        return self._buckets[bucket].versioning if bucket in self._buckets else "Enabled"

    def list_objects(
        self, bucket: str, *, prefix: str = "", start: ListStart | None = None
    ) -> Page:
        self._count("ListObjectsV2")
        if bucket in self._buckets:
            return self._page(bucket, prefix, start)
        found = sorted(
            (
                stored
                for (name, key), stored in self._stored.items()
                if name == bucket and key.startswith(prefix)
            ),
            key=_key,
        )
        return Page(tuple(_as_listed(stored) for stored in found))

    def list_object_versions(
        self, bucket: str, *, prefix: str = "", start: ListStart | None = None
    ) -> Page:
        self._count("ListObjectVersions")
        return self._page(bucket, prefix, start)

    def list_prefixes(self, bucket: str, *, prefix: str, start: ListStart | None = None) -> Page:
        keys = self._buckets[bucket]
        prefixes: list[str] = []
        objects: list[LogObject] = []
        number = bisect_left(range(keys.count), prefix, key=keys.key_of)
        while number < keys.count and (key := keys.key_of(number)).startswith(prefix):
            folder, slash, _ = key[len(prefix) :].partition("/")
            if slash:
                prefixes.append(f"{prefix}{folder}/")
                number = bisect_left(
                    range(keys.count), f"{prefix}{folder}/{_LAST}", number, key=keys.key_of
                )
            else:
                objects.append(self._log_object(bucket, number))
                number += 1
        self._count(
            "ListObjectsV2", max(1, -(-(len(prefixes) + len(objects)) // LIST_PAGE_COUNT_MAX))
        )
        return Page(tuple(objects), prefixes=tuple(prefixes))

    def get_object(
        self,
        bucket: str,
        key: str,
        *,
        version_id: str | None = None,
        if_match: str | None = None,
        byte_range: tuple[int, int] | None = None,
    ) -> Body:
        self._count("GetObject")
        if bucket in self._buckets:
            # As many objects of their own as a real answer has.
            return Body(
                bytes(bytearray(self._body)),
                {},
                "application/json",
                "gzip",
                if_match or "",
                version_id,
            )
        if (bucket, key) not in self._kept:
            raise NotFound(f"s3://{bucket}/{key}", code="NoSuchKey", operation="GetObject")
        return Body(self._kept[bucket, key])

    def get_objects(self, sources: Iterable[LogObject]) -> Bodies:
        return get_one_by_one(cast("ObjectStore", self), sources)

    def list_multipart_uploads(self, bucket: str, *, prefix: str) -> list[Upload]:
        self._count("ListMultipartUploads")
        return []

    def head_object(
        self, bucket: str, key: str, *, version_id: str | None = None, if_match: str | None = None
    ) -> StoredObject:
        self._count("HeadObject")
        return self._stored[bucket, key]

    def put_object(
        self,
        bucket: str,
        key: str,
        data: bytes | bytearray,
        *,
        crc64nvme: int,
        options: WriteOptions,
    ) -> None:
        self._count("PutObject")
        if "packs/" not in key:
            self._kept[bucket, key] = bytes(data)
        self._store(bucket, key, len(data), crc64nvme)

    def create_multipart_upload(self, bucket: str, key: str, *, options: WriteOptions) -> Upload:
        self._count("CreateMultipartUpload")
        return Upload(bucket, key, key)

    def upload_part(
        self, upload: Upload, number: int, data: bytes | bytearray, *, crc64nvme: int
    ) -> Part:
        self._count("UploadPart")
        return Part(number, f"{number:032x}", len(data), crc64nvme)

    def complete_multipart_upload(
        self, upload: Upload, parts: Sequence[Part], *, size_bytes: int, crc64nvme: int
    ) -> None:
        self._count("CompleteMultipartUpload")
        whole = RunningChecksum()
        for part in parts:
            whole.take_piece(part.size_bytes, part.crc64nvme or 0)
        if whole != RunningChecksum(size_bytes, crc64nvme):
            raise ValueError("the parts do not add up to what was announced")
        self._store(upload.bucket, upload.key, size_bytes, crc64nvme)

    def abort_multipart_upload(self, upload: Upload) -> None:
        self._count("AbortMultipartUpload")

    def delete_objects(self, bucket: str, deletions: Sequence[Deletion]) -> list[DeletionFailure]:
        self._count("DeleteObjects")
        return []

    def _page(self, bucket: str, prefix: str, start: ListStart | None) -> Page:
        keys = self._buckets[bucket]
        numbers = range(keys.count)
        first = bisect_left(numbers, prefix, key=keys.key_of)
        if start is not None and start.key >= prefix:
            first = bisect_right(numbers, start.key, first, key=keys.key_of)
        last = min(first + LIST_PAGE_COUNT_MAX, keys.count)
        if last > first and not keys.key_of(last - 1).startswith(prefix):
            last = bisect_left(numbers, prefix + _LAST, first, last, key=keys.key_of)
        objects = tuple(self._log_object(bucket, number) for number in range(first, last))
        is_truncated = last < keys.count and keys.key_of(last).startswith(prefix)
        return Page(objects, next_start=ListStart(objects[-1].key) if is_truncated else None)

    def _log_object(self, bucket: str, number: int) -> LogObject:
        keys = self._buckets[bucket]
        key = keys.key_of(number)
        # Texts of their own, as parsed out of a listing.
        version_id = None if keys.versioning is None else f"{number:032x}"
        etag = self._etag[:16] + self._etag[16:]
        return LogObject(
            bucket,
            key,
            version_id,
            etag,
            len(self._body),
            _DELIVERED + timedelta(seconds=number % 86_400),
        )

    def _store(self, bucket: str, key: str, size_bytes: int, crc: int) -> None:
        etag = f"{crc64nvme(key.encode()):032x}"
        with self._lock:
            self._stored[bucket, key] = StoredObject(
                bucket, key, size_bytes, etag, "1", "STANDARD", crc
            )

    def _count(self, operation: str, requests: int = 1) -> None:
        with self._lock:
            self.requests[operation] += requests


def _key(stored: StoredObject) -> str:
    return stored.key


def _as_listed(stored: StoredObject) -> LogObject:
    return LogObject(stored.bucket, stored.key, None, stored.etag, stored.size_bytes, _DELIVERED)
