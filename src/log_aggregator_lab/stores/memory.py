"""S3 in memory, for tests of this package and of programs that use it. It passes the same
conformance suite as the real stores.

    store = MemoryStore()
    store.create_bucket("logs", versioning="Enabled")
    source = store.put("logs", "2025/01/01/a.json.gz", b"...")

It behaves like S3 in versions, null versions, delete markers, conditions, parts of at least 5 MiB,
checksums of whole objects, archive classes, and order by UTF-8 bytes. Version ids, upload ids and
times come from a counter, so every run is the same.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Never

from awscrt.checksums import crc64nvme as compute_crc64nvme

from log_aggregator.adapters.forwarding import get_one_by_one
from log_aggregator.errors import (
    AccessDenied,
    NoSuchBucket,
    NotFound,
    ObjectFrozen,
    PreconditionFailed,
    StoreError,
)
from log_aggregator.limits import (
    DELETE_COUNT_MAX,
    KEY_BYTES_MAX,
    LIST_PAGE_COUNT_MAX,
    PART_COUNT_MAX,
    PART_SIZE_BYTES_MIN,
)
from log_aggregator.model import NULL_VERSION, LogObject, StoredObject
from log_aggregator.ports.store import (
    Bodies,
    Body,
    Clock,
    Deletion,
    DeletionFailure,
    ListStart,
    Page,
    Part,
    Upload,
    WriteOptions,
)
from log_aggregator_lab.stores.memory_bucket import (
    RESTORE_TIMES,
    Bucket,
    Entry,
    PendingPart,
    PendingUpload,
)

FIRST_TIME = datetime(2025, 1, 1, tzinfo=UTC)

KINDS: dict[str, type[StoreError]] = {
    "AccessDenied": AccessDenied,
    "InvalidObjectState": ObjectFrozen,
    "MethodNotAllowed": NotFound,  # the version is a delete marker
    "NoSuchBucket": NoSuchBucket,
    "NoSuchKey": NotFound,
    "NoSuchUpload": NotFound,
    "NoSuchVersion": NotFound,
    "PreconditionFailed": PreconditionFailed,
}
"""Codes that have their own error class."""


class MemoryStore:
    """Implements `log_aggregator.ports.ObjectStore`. Thread safe.

    `reports_object_checksums=False` makes it one of those stores that know no checksum of an object
    that was written in parts.
    """

    def __init__(
        self,
        *,
        page_size: int = LIST_PAGE_COUNT_MAX,
        part_size_bytes_min: int = PART_SIZE_BYTES_MIN,
        reports_object_checksums: bool = True,
        clock: Clock | None = None,
    ) -> None:
        self._page_size = page_size
        self._part_size_bytes_min = part_size_bytes_min
        self._reports_object_checksums = reports_object_checksums
        self._clock = clock
        self._buckets: dict[str, Bucket] = {}
        self._sequence = 0
        self._lock = threading.RLock()

    # What a test sets up and looks at.

    def create_bucket(
        self, bucket: str, *, versioning: str | None = None, has_kms: bool = False
    ) -> None:
        """`has_kms`: its objects are encrypted with KMS, so their ETags are not MD5s."""
        with self._lock:
            if bucket in self._buckets:
                fail("BucketAlreadyOwnedByYou", "CreateBucket", bucket)
            self._buckets[bucket] = Bucket(bucket, versioning, has_kms)

    def set_versioning(self, bucket: str, versioning: str) -> None:
        """Sets "Enabled" or "Suspended"; S3 has no way back to None."""
        with self._lock:
            self._find_bucket("PutBucketVersioning", bucket).versioning = versioning

    def put(
        self,
        bucket: str,
        key: str,
        data: bytes,
        *,
        metadata: Mapping[str, str] | None = None,
        content_type: str | None = None,
        content_encoding: str | None = None,
        storage_class: str = "STANDARD",
        with_checksum: bool = False,
        last_modified: datetime | None = None,
    ) -> LogObject:
        """Writes as AWS's services do, without any condition. In a bucket without versions, what it
        returns has no version id.
        """
        with self._lock:
            found = self._find_bucket("PutObject", bucket)
            entry = self._add(
                found,
                key,
                data,
                storage_class=storage_class,
                metadata=metadata or {},
                content_type=content_type,
                has_kms=found.has_kms,
            )
            entry.content_encoding = content_encoding
            entry.crc64nvme = compute_crc64nvme(data) if with_checksum else None
            entry.last_modified = last_modified or entry.last_modified
            return found.make_log_object(entry, with_version=found.versioning is not None)

    def delete(self, bucket: str, key: str) -> None:
        """A plain delete: where there are versions, it leaves a delete marker."""
        with self._lock:
            self._delete_current(self._find_bucket("DeleteObject", bucket), key)

    def retain(self, bucket: str, key: str) -> None:
        """Object Lock on all versions of the key that are there now: none of them can be
        deleted.
        """
        with self._lock:
            for entry in self._find_bucket("PutObjectRetention", bucket).entries[key]:
                entry.is_retained = True

    def release(self, bucket: str, key: str) -> None:
        """Ends it: its retention has passed, or someone removed a legal hold."""
        with self._lock:
            for entry in self._find_bucket("PutObjectRetention", bucket).entries.get(key, ()):
                entry.is_retained = False

    def deny_reading(self, bucket: str, key: str) -> None:
        """Acts like a KMS key without a grant: all current versions answer AccessDenied."""
        with self._lock:
            for entry in self._find_bucket("PutObjectAcl", bucket).entries[key]:
                entry.is_denied = True

    def thaw(self, bucket: str, key: str) -> None:
        """RestoreObject, done immediately and forever."""
        with self._lock:
            for entry in self._find_bucket("RestoreObject", bucket).entries[key]:
                entry.is_thawed = True

    def read_at_rest(
        self, bucket: str, key: str, version_id: str | None
    ) -> tuple[bytes, str, str | None, bool] | None:
        """(bytes, ETag, version id, whether KMS has encrypted it) as they are stored, ignoring
        archive classes; None where there is no such object.
        """
        with self._lock:
            found = self._find_bucket("GetObject", bucket)
            entry = (
                found.find_current(key)
                if version_id is None
                else found.find_version(key, version_id)
            )
            if entry is None or entry.data is None:
                return None
            return entry.data, entry.etag, entry.version_id, entry.has_opaque_etag

    def rot(self, bucket: str, key: str, data: bytes) -> None:
        """Changes the newest version's bytes on the disk, but nothing that S3 reports about it."""
        with self._lock:
            entry = self._find_bucket("GetObject", bucket).find_current(key)
            if entry is None:
                fail("NoSuchKey", "GetObject", bucket, key)
            entry.data = data

    def open_uploads(self) -> list[Upload]:
        """Multipart uploads of all buckets that were neither completed nor aborted."""
        with self._lock:
            return [
                pending.upload
                for bucket in self._buckets.values()
                for pending in bucket.uploads.values()
            ]

    def snapshot(self) -> tuple[tuple[object, ...], ...]:
        """Everything that is stored, for comparison: bucket, key, SHA-256 (None for a delete
        marker), size, class, metadata; newest first. Version ids and times are left out, because
        they depend on the order of events, which may differ.
        """
        with self._lock:
            return tuple(
                (
                    bucket.name,
                    key,
                    None if entry.data is None else hashlib.sha256(entry.data).hexdigest(),
                    len(entry.data or b""),
                    entry.storage_class,
                    tuple(sorted(entry.metadata.items())),
                )
                for bucket in sorted(self._buckets.values(), key=lambda bucket: bucket.name)
                for key in bucket.select_keys("")
                for entry in bucket.entries[key]
            )

    # ObjectStore.

    def list_object_versions(
        self, bucket: str, *, prefix: str = "", start: ListStart | None = None
    ) -> Page:
        with self._lock:
            found = self._find_bucket("ListObjectVersions", bucket)
            entries, is_truncated = self._take_page(found.select_versions(prefix, start))
            return Page(
                objects=tuple(
                    found.make_log_object(entry, with_version=True)
                    for entry in entries
                    if not entry.is_marker
                ),
                markers=tuple(
                    found.make_delete_marker(entry) for entry in entries if entry.is_marker
                ),
                next_start=ListStart(entries[-1].key, entries[-1].version_id)
                if is_truncated
                else None,
            )

    def list_objects(
        self, bucket: str, *, prefix: str = "", start: ListStart | None = None
    ) -> Page:
        with self._lock:
            found = self._find_bucket("ListObjectsV2", bucket)
            entries, is_truncated = self._take_page(
                found.select_current(prefix, start.key if start else "")
            )
            return Page(
                objects=tuple(
                    found.make_log_object(entry, with_version=False) for entry in entries
                ),
                next_start=ListStart(entries[-1].key) if is_truncated else None,
            )

    def list_prefixes(self, bucket: str, *, prefix: str, start: ListStart | None = None) -> Page:
        with self._lock:
            found = self._find_bucket("ListObjectsV2", bucket)
            objects: list[LogObject] = []
            prefixes: dict[str, None] = {}
            for entry in found.select_current(prefix, start.key if start else ""):
                name, slash, _ = entry.key.removeprefix(prefix).partition("/")
                if slash:
                    prefixes[f"{prefix}{name}/"] = None
                else:
                    objects.append(found.make_log_object(entry, with_version=False))
            return Page(objects=tuple(objects), prefixes=tuple(prefixes))

    def list_buckets(self) -> list[str]:
        with self._lock:
            return sorted(self._buckets)

    def get_bucket_versioning(self, bucket: str) -> str | None:
        with self._lock:
            return self._find_bucket("GetBucketVersioning", bucket).versioning

    def get_object(
        self,
        bucket: str,
        key: str,
        *,
        version_id: str | None = None,
        if_match: str | None = None,
        byte_range: tuple[int, int] | None = None,
    ) -> Body:
        if byte_range is not None and byte_range[0] >= byte_range[1]:
            raise ValueError(f"an empty range: {byte_range}")
        with self._lock:
            found = self._find_bucket("GetObject", bucket)
            entry, data = self._read("GetObject", found, key, version_id, if_match)
            if byte_range is not None:
                if byte_range[0] >= len(data):
                    fail("InvalidRange", "GetObject", bucket, key)
                data = data[slice(*byte_range)]
            return Body(
                data=data,
                metadata=dict(entry.metadata),
                content_type=entry.content_type,
                content_encoding=entry.content_encoding,
                etag=entry.etag,
                version_id=None if found.versioning is None else entry.version_id,
                has_opaque_etag=entry.has_opaque_etag,
            )

    def get_objects(self, sources: Iterable[LogObject]) -> Bodies:
        return get_one_by_one(self, sources)

    def get_object_checked(
        self, bucket: str, key: str, *, version_id: str | None = None, if_match: str | None = None
    ) -> tuple[Body, bool]:
        with self._lock:
            body = self.get_object(bucket, key, version_id=version_id, if_match=if_match)
            entry, _ = self._read(
                "GetObject", self._find_bucket("GetObject", bucket), key, version_id, if_match
            )
            return body, body.has_opaque_etag or entry.crc64nvme is not None

    def head_object(
        self, bucket: str, key: str, *, version_id: str | None = None, if_match: str | None = None
    ) -> StoredObject:
        with self._lock:
            found = self._find_bucket("HeadObject", bucket)
            entry, data = self._find_entry("HeadObject", found, key, version_id, if_match)
            return StoredObject(
                bucket,
                key,
                len(data),
                entry.etag,
                None if found.versioning is None else entry.version_id,
                entry.storage_class,
                entry.crc64nvme,
                has_md5_etag="-" not in entry.etag and not entry.has_opaque_etag,
                restore=entry.find_restore(self._now()) if entry.is_archived else None,
            )

    def put_object(
        self,
        bucket: str,
        key: str,
        data: bytes | bytearray,
        *,
        crc64nvme: int,
        options: WriteOptions,
    ) -> None:
        with self._lock:
            found = self._find_bucket("PutObject", bucket)
            if compute_crc64nvme(bytes(data)) != crc64nvme:
                fail("BadDigest", "PutObject", bucket, key)
            if found.find_current(key) is not None and not options.may_replace:
                fail("PreconditionFailed", "PutObject", bucket, key)
            self._add_with_options(found, key, bytes(data), options).crc64nvme = crc64nvme

    def create_multipart_upload(self, bucket: str, key: str, *, options: WriteOptions) -> Upload:
        with self._lock:
            found = self._find_bucket("CreateMultipartUpload", bucket)
            sequence, time = self._tick()
            upload = Upload(bucket, key, f"upload-{sequence:08d}", time)
            found.uploads[upload.upload_id] = PendingUpload(upload, options)
            # S3 returns the time only in listings.
            return Upload(
                bucket, key, upload.upload_id, has_object_checksum=self._reports_object_checksums
            )

    def upload_part(
        self, upload: Upload, number: int, data: bytes | bytearray, *, crc64nvme: int
    ) -> Part:
        with self._lock:
            pending = self._find_upload("UploadPart", upload)
            if compute_crc64nvme(bytes(data)) != crc64nvme:
                fail("BadDigest", "UploadPart", upload.bucket, upload.key)
            return self._add_part("UploadPart", pending, number, bytes(data))

    def upload_part_copy(
        self, upload: Upload, number: int, source: LogObject, byte_range: tuple[int, int]
    ) -> Part:
        with self._lock:
            pending = self._find_upload("UploadPartCopy", upload)
            found = self._find_bucket("UploadPartCopy", source.bucket)
            _, data = self._read(
                "UploadPartCopy", found, source.key, source.version_id, source.etag
            )
            first, last = byte_range
            is_whole = byte_range == (0, len(data))
            if not 0 <= first < last <= len(data) or (
                not is_whole and len(data) <= self._part_size_bytes_min
            ):
                fail("InvalidRange", "UploadPartCopy", source.bucket, source.key)
            part = self._add_part("UploadPartCopy", pending, number, data[first:last])
            return (
                part
                if self._reports_object_checksums
                else Part(part.number, part.etag, part.size_bytes, None)
            )

    def complete_multipart_upload(
        self, upload: Upload, parts: Sequence[Part], *, size_bytes: int, crc64nvme: int
    ) -> None:
        with self._lock:
            pending = self._find_upload("CompleteMultipartUpload", upload)
            data, etag = self._join_parts(pending, parts)
            found = self._find_bucket("CompleteMultipartUpload", upload.bucket)
            if len(data) != size_bytes:
                fail("InvalidRequest", "CompleteMultipartUpload", upload.bucket, upload.key)
            if compute_crc64nvme(data) != crc64nvme:
                fail("BadDigest", "CompleteMultipartUpload", upload.bucket, upload.key)
            if found.find_current(upload.key) is not None:
                fail("PreconditionFailed", "CompleteMultipartUpload", upload.bucket, upload.key)
            del found.uploads[upload.upload_id]
            entry = self._add_with_options(found, upload.key, data, pending.options)
            entry.etag = etag
            entry.crc64nvme = crc64nvme if self._reports_object_checksums else None

    def abort_multipart_upload(self, upload: Upload) -> None:
        with self._lock:
            self._find_bucket("AbortMultipartUpload", upload.bucket).uploads.pop(
                upload.upload_id, None
            )

    def list_multipart_uploads(self, bucket: str, *, prefix: str) -> list[Upload]:
        with self._lock:
            uploads = [
                pending.upload
                for pending in self._find_bucket("ListMultipartUploads", bucket).uploads.values()
            ]
            return sorted(
                (upload for upload in uploads if upload.key.startswith(prefix)),
                key=lambda upload: upload.key.encode(),
            )

    def restore_object(self, bucket: str, key: str, *, days: int, tier: str) -> None:
        """Takes as long as S3's documentation says, by the store's clock. Without a clock it never
        ends; see `thaw`.
        """
        with self._lock:
            found = self._find_bucket("RestoreObject", bucket)
            entry, _ = self._find_entry("RestoreObject", found, key, None, None)
            if not entry.is_archived:
                fail("InvalidObjectState", "RestoreObject", bucket, key, kind=StoreError)
            if days < 1 or (entry.storage_class, tier) not in RESTORE_TIMES:
                fail("InvalidArgument", "RestoreObject", bucket, key)
            entry.restore(self._now(), days, tier)

    def delete_objects(self, bucket: str, deletions: Sequence[Deletion]) -> list[DeletionFailure]:
        if len(deletions) > DELETE_COUNT_MAX:
            raise ValueError(f"{len(deletions)} deletions, at most {DELETE_COUNT_MAX} are allowed")
        with self._lock:
            found = self._find_bucket("DeleteObjects", bucket)
            refusals = [(deletion, self._delete(found, deletion)) for deletion in deletions]
            return [
                DeletionFailure(deletion, code, "refused") for deletion, code in refusals if code
            ]

    # What they need.

    def _delete(self, bucket: Bucket, deletion: Deletion) -> str:
        """S3's error code where it is refused, or else nothing."""
        current = bucket.find_current(deletion.key)
        if deletion.etag is not None and current is not None and current.etag != deletion.etag:
            return "PreconditionFailed"
        if deletion.version_id is None:
            if current is not None:
                self._delete_current(bucket, deletion.key)
            return ""
        if deletion.etag is not None and current is None:
            return "PreconditionFailed"
        entry = bucket.find_version(deletion.key, deletion.version_id)
        if entry is not None and entry.is_retained:
            return "AccessDenied"
        if entry is not None:
            bucket.remove(entry)
        return ""

    def _delete_current(self, bucket: Bucket, key: str) -> None:
        if bucket.versioning is not None:
            sequence, time = self._tick()
            bucket.add(Entry(key, make_version_id(bucket, sequence), sequence, time))
        elif (entry := bucket.find_current(key)) is not None:
            bucket.remove(entry)

    def _read(
        self, operation: str, bucket: Bucket, key: str, version_id: str | None, if_match: str | None
    ) -> tuple[Entry, bytes]:
        entry, data = self._find_entry(operation, bucket, key, version_id, if_match)
        if entry.is_denied:
            fail("AccessDenied", operation, bucket.name, key)
        if entry.is_archived and entry.is_frozen(self._now()):
            fail("InvalidObjectState", operation, bucket.name, key)
        return entry, data

    def _find_entry(
        self, operation: str, bucket: Bucket, key: str, version_id: str | None, if_match: str | None
    ) -> tuple[Entry, bytes]:
        if version_id is None:
            entry = bucket.find_current(key) or fail("NoSuchKey", operation, bucket.name, key)
        else:
            entry = bucket.find_version(key, version_id) or fail(
                "NoSuchVersion", operation, bucket.name, key
            )
        if entry.data is None:
            fail("MethodNotAllowed", operation, bucket.name, key)
        if if_match is not None and entry.etag != if_match:
            fail("PreconditionFailed", operation, bucket.name, key)
        return entry, entry.data

    def _add_with_options(
        self, bucket: Bucket, key: str, data: bytes, options: WriteOptions
    ) -> Entry:
        entry = self._add(
            bucket,
            key,
            data,
            storage_class=options.storage_class,
            metadata=options.metadata,
            content_type=options.content_type,
            has_kms=(bucket.has_kms and not options.is_sse_s3) or options.kms_key_id is not None,
        )
        entry.content_encoding = options.content_encoding
        return entry

    def _add(
        self,
        bucket: Bucket,
        key: str,
        data: bytes,
        *,
        storage_class: str,
        metadata: Mapping[str, str],
        content_type: str | None,
        has_kms: bool,
    ) -> Entry:
        if not 0 < len(key.encode()) <= KEY_BYTES_MAX:
            fail("KeyTooLongError", "PutObject", bucket.name, key)
        sequence, time = self._tick()
        entry = Entry(
            key,
            make_version_id(bucket, sequence),
            sequence,
            time,
            data,
            storage_class=storage_class,
            content_type=content_type,
        )
        entry.metadata = {name.lower(): value for name, value in metadata.items()}
        entry.has_opaque_etag = has_kms
        entry.etag = hashlib.md5(
            (b"kms" if entry.has_opaque_etag else b"") + data, usedforsecurity=False
        ).hexdigest()
        bucket.add(entry)
        return entry

    def _add_part(self, operation: str, pending: PendingUpload, number: int, data: bytes) -> Part:
        if not 1 <= number <= PART_COUNT_MAX:
            fail("InvalidArgument", operation, pending.upload.bucket, pending.upload.key)
        part = PendingPart(
            data, hashlib.md5(data, usedforsecurity=False).hexdigest(), compute_crc64nvme(data)
        )
        pending.parts[number] = part
        return Part(number, part.etag, len(data), part.crc64nvme)

    def _join_parts(self, pending: PendingUpload, parts: Sequence[Part]) -> tuple[bytes, str]:
        """The object's bytes and ETag, by the rules of CompleteMultipartUpload."""

        def refuse(code: str) -> Never:
            fail(code, "CompleteMultipartUpload", pending.upload.bucket, pending.upload.key)

        numbers = [part.number for part in parts]
        if not numbers:
            refuse("MalformedXML")
        if numbers != sorted(set(numbers)):
            refuse("InvalidPartOrder")
        chosen: list[PendingPart] = []
        for part in parts:
            stored = pending.parts.get(part.number)
            if (
                stored is None
                or stored.etag != part.etag
                or part.crc64nvme not in (None, stored.crc64nvme)
            ):
                refuse("InvalidPart")
            chosen.append(stored)
        if any(len(part.data) < self._part_size_bytes_min for part in chosen[:-1]):
            refuse("EntityTooSmall")
        digest = hashlib.md5(
            b"".join(bytes.fromhex(part.etag) for part in chosen), usedforsecurity=False
        ).hexdigest()
        return b"".join(part.data for part in chosen), f"{digest}-{len(chosen)}"

    def _take_page(self, entries: Iterator[Entry]) -> tuple[list[Entry], bool]:
        page = list(islice(entries, self._page_size + 1))
        return page[: self._page_size], len(page) > self._page_size

    def _find_bucket(self, operation: str, bucket: str) -> Bucket:
        return self._buckets.get(bucket) or fail("NoSuchBucket", operation, bucket)

    def _find_upload(self, operation: str, upload: Upload) -> PendingUpload:
        found = self._find_bucket(operation, upload.bucket).uploads.get(upload.upload_id)
        return found or fail("NoSuchUpload", operation, upload.bucket, upload.key)

    def _tick(self) -> tuple[int, datetime]:
        self._sequence += 1
        return self._sequence, self._now()

    def _now(self) -> datetime:
        return self._clock.now() if self._clock else FIRST_TIME + timedelta(seconds=self._sequence)


def make_version_id(bucket: Bucket, sequence: int) -> str:
    return f"v{sequence:08d}" if bucket.versioning == "Enabled" else NULL_VERSION


def fail(
    code: str, operation: str, bucket: str, key: str = "", kind: type[StoreError] | None = None
) -> Never:
    where = f"s3://{bucket}/{key}"
    message = f"{operation} {where}: {code}"
    raise (kind or KINDS.get(code, StoreError))(message, code=code, operation=operation)
