"""Pretended buckets: each is a prefix in a real bucket. A run that uses this store cannot list,
write or delete anything outside these prefixes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from log_aggregator.errors import NoSuchBucket, StoreError
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


@dataclass(frozen=True, slots=True)
class Room:
    """A prefix of a real bucket. It ends in a slash."""

    bucket: str
    prefix: str

    def __post_init__(self) -> None:
        if not self.prefix.endswith("/") or self.prefix.startswith("/"):
            raise ValueError(f"{self.prefix!r}: expected a prefix that ends in a slash")

    def outer(self, key: str) -> str:
        return self.prefix + key

    def inner(self, key: str) -> str:
        """Raises StoreError if the key is outside: the server listed what was not asked for."""
        if not key.startswith(self.prefix):
            raise StoreError(
                f"s3://{self.bucket}/{self.prefix}: the server lists keys outside this prefix",
                code="InvalidListing",
            )
        return key[len(self.prefix) :]


class RoomStore:
    """Implements `log_aggregator.ports.ObjectStore` over another one. Its only buckets are the
    rooms.
    """

    def __init__(self, inner: ObjectStore, rooms: Mapping[str, Room]) -> None:
        self._inner = inner
        self._rooms = dict(rooms)

    def list_object_versions(
        self, bucket: str, *, prefix: str = "", start: ListStart | None = None
    ) -> Page:
        room = self._find(bucket)
        page = self._inner.list_object_versions(
            room.bucket, prefix=room.outer(prefix), start=_begin(room, start)
        )
        return _enter(room, bucket, page)

    def list_objects(
        self, bucket: str, *, prefix: str = "", start: ListStart | None = None
    ) -> Page:
        room = self._find(bucket)
        page = self._inner.list_objects(
            room.bucket, prefix=room.outer(prefix), start=_begin(room, start)
        )
        return _enter(room, bucket, page)

    def list_prefixes(self, bucket: str, *, prefix: str, start: ListStart | None = None) -> Page:
        room = self._find(bucket)
        page = self._inner.list_prefixes(
            room.bucket, prefix=room.outer(prefix), start=_begin(room, start)
        )
        return _enter(room, bucket, page)

    def list_buckets(self) -> list[str]:
        return sorted(self._rooms)

    def get_bucket_versioning(self, bucket: str) -> str | None:
        return self._inner.get_bucket_versioning(self._find(bucket).bucket)

    def get_object(
        self,
        bucket: str,
        key: str,
        *,
        version_id: str | None = None,
        if_match: str | None = None,
        byte_range: tuple[int, int] | None = None,
    ) -> Body:
        room = self._find(bucket)
        return self._inner.get_object(
            room.bucket,
            room.outer(key),
            version_id=version_id,
            if_match=if_match,
            byte_range=byte_range,
        )

    def get_objects(self, sources: Iterable[LogObject]) -> Bodies:
        yield from self._inner.get_objects(self._leave(source) for source in sources)

    def get_object_checked(
        self, bucket: str, key: str, *, version_id: str | None = None, if_match: str | None = None
    ) -> tuple[Body, bool]:
        room = self._find(bucket)
        return self._inner.get_object_checked(
            room.bucket, room.outer(key), version_id=version_id, if_match=if_match
        )

    def head_object(
        self, bucket: str, key: str, *, version_id: str | None = None, if_match: str | None = None
    ) -> StoredObject:
        room = self._find(bucket)
        stored = self._inner.head_object(
            room.bucket, room.outer(key), version_id=version_id, if_match=if_match
        )
        return replace(stored, bucket=bucket, key=key)

    def put_object(
        self,
        bucket: str,
        key: str,
        data: bytes | bytearray,
        *,
        crc64nvme: int,
        options: WriteOptions,
    ) -> None:
        room = self._find(bucket)
        self._inner.put_object(
            room.bucket, room.outer(key), data, crc64nvme=crc64nvme, options=options
        )

    def create_multipart_upload(self, bucket: str, key: str, *, options: WriteOptions) -> Upload:
        room = self._find(bucket)
        upload = self._inner.create_multipart_upload(room.bucket, room.outer(key), options=options)
        return replace(upload, bucket=bucket, key=key)

    def upload_part(
        self, upload: Upload, number: int, data: bytes | bytearray, *, crc64nvme: int
    ) -> Part:
        return self._inner.upload_part(
            self._leave_upload(upload), number, data, crc64nvme=crc64nvme
        )

    def upload_part_copy(
        self, upload: Upload, number: int, source: LogObject, byte_range: tuple[int, int]
    ) -> Part:
        return self._inner.upload_part_copy(
            self._leave_upload(upload), number, self._leave(source), byte_range
        )

    def complete_multipart_upload(
        self, upload: Upload, parts: Sequence[Part], *, size_bytes: int, crc64nvme: int
    ) -> None:
        self._inner.complete_multipart_upload(
            self._leave_upload(upload), parts, size_bytes=size_bytes, crc64nvme=crc64nvme
        )

    def abort_multipart_upload(self, upload: Upload) -> None:
        self._inner.abort_multipart_upload(self._leave_upload(upload))

    def list_multipart_uploads(self, bucket: str, *, prefix: str) -> list[Upload]:
        room = self._find(bucket)
        found = self._inner.list_multipart_uploads(room.bucket, prefix=room.outer(prefix))
        return [replace(each, bucket=bucket, key=room.inner(each.key)) for each in found]

    def restore_object(self, bucket: str, key: str, *, days: int, tier: str) -> None:
        room = self._find(bucket)
        self._inner.restore_object(room.bucket, room.outer(key), days=days, tier=tier)

    def delete_objects(self, bucket: str, deletions: Sequence[Deletion]) -> list[DeletionFailure]:
        room = self._find(bucket)
        outer = [replace(each, key=room.outer(each.key)) for each in deletions]
        failures = self._inner.delete_objects(room.bucket, outer)
        return [
            replace(each, deletion=replace(each.deletion, key=room.inner(each.deletion.key)))
            for each in failures
        ]

    def _find(self, bucket: str) -> Room:
        if bucket not in self._rooms:
            raise NoSuchBucket(f"s3://{bucket}: the rehearsal has no such bucket")
        return self._rooms[bucket]

    def _leave(self, source: LogObject) -> LogObject:
        room = self._find(source.bucket)
        return replace(source, bucket=room.bucket, key=room.outer(source.key))

    def _leave_upload(self, upload: Upload) -> Upload:
        room = self._find(upload.bucket)
        return replace(upload, bucket=room.bucket, key=room.outer(upload.key))


def _begin(room: Room, start: ListStart | None) -> ListStart | None:
    return None if start is None else replace(start, key=room.outer(start.key))


def _enter(room: Room, bucket: str, page: Page) -> Page:
    start = page.next_start
    return Page(
        tuple(replace(each, bucket=bucket, key=room.inner(each.key)) for each in page.objects),
        tuple(replace(each, bucket=bucket, key=room.inner(each.key)) for each in page.markers),
        tuple(room.inner(each) for each in page.prefixes),
        None if start is None else replace(start, key=room.inner(start.key)),
    )
