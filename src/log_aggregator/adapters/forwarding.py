"""A store in front of another store: the base class of the decorators, which only define what
happens around a call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from log_aggregator.errors import RequestFailed
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

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a store's method. `operation` is S3's name for it, `arguments` are the other
    arguments.
    """

    operation: str
    bucket: str = ""
    key: str = ""
    """The key, or a listing's prefix."""
    arguments: Mapping[str, Any] = field(default_factory=dict)


class ForwardingStore:
    """Implements `log_aggregator.ports.ObjectStore` by passing every call through `_call`."""

    def __init__(self, inner: ObjectStore) -> None:
        self.inner = inner

    def _call(self, call: Call, run: Callable[[], T]) -> T:
        raise NotImplementedError

    def list_object_versions(
        self, bucket: str, *, prefix: str = "", start: ListStart | None = None
    ) -> Page:
        call = Call("ListObjectVersions", bucket, prefix, {"start": start})
        return self._call(
            call, lambda: self.inner.list_object_versions(bucket, prefix=prefix, start=start)
        )

    def list_objects(
        self, bucket: str, *, prefix: str = "", start: ListStart | None = None
    ) -> Page:
        call = Call("ListObjectsV2", bucket, prefix, {"start": start})
        return self._call(call, lambda: self.inner.list_objects(bucket, prefix=prefix, start=start))

    def list_prefixes(self, bucket: str, *, prefix: str, start: ListStart | None = None) -> Page:
        call = Call("ListObjectsV2", bucket, prefix, {"start": start, "delimiter": "/"})
        return self._call(
            call, lambda: self.inner.list_prefixes(bucket, prefix=prefix, start=start)
        )

    def list_buckets(self) -> list[str]:
        return self._call(Call("ListBuckets"), self.inner.list_buckets)

    def get_bucket_versioning(self, bucket: str) -> str | None:
        return self._call(
            Call("GetBucketVersioning", bucket), lambda: self.inner.get_bucket_versioning(bucket)
        )

    def get_object(
        self,
        bucket: str,
        key: str,
        *,
        version_id: str | None = None,
        if_match: str | None = None,
        byte_range: tuple[int, int] | None = None,
    ) -> Body:
        call = Call(
            "GetObject",
            bucket,
            key,
            {"version_id": version_id, "if_match": if_match, "byte_range": byte_range},
        )
        return self._call(
            call,
            lambda: self.inner.get_object(
                bucket, key, version_id=version_id, if_match=if_match, byte_range=byte_range
            ),
        )

    def get_objects(self, sources: Iterable[LogObject]) -> Bodies:
        """One after the other, each a call."""
        return get_one_by_one(self, sources)

    def get_object_checked(
        self, bucket: str, key: str, *, version_id: str | None = None, if_match: str | None = None
    ) -> tuple[Body, bool]:
        call = Call(
            "GetObject",
            bucket,
            key,
            {"version_id": version_id, "if_match": if_match, "checked": True},
        )
        return self._call(
            call,
            lambda: self.inner.get_object_checked(
                bucket, key, version_id=version_id, if_match=if_match
            ),
        )

    def head_object(
        self, bucket: str, key: str, *, version_id: str | None = None, if_match: str | None = None
    ) -> StoredObject:
        call = Call("HeadObject", bucket, key, {"version_id": version_id, "if_match": if_match})
        return self._call(
            call,
            lambda: self.inner.head_object(bucket, key, version_id=version_id, if_match=if_match),
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
        call = Call("PutObject", bucket, key, {"size_bytes": len(data), "options": options})
        self._call(
            call,
            lambda: self.inner.put_object(bucket, key, data, crc64nvme=crc64nvme, options=options),
        )

    def create_multipart_upload(self, bucket: str, key: str, *, options: WriteOptions) -> Upload:
        call = Call("CreateMultipartUpload", bucket, key, {"options": options})
        return self._call(
            call, lambda: self.inner.create_multipart_upload(bucket, key, options=options)
        )

    def upload_part(
        self, upload: Upload, number: int, data: bytes | bytearray, *, crc64nvme: int
    ) -> Part:
        call = Call(
            "UploadPart",
            upload.bucket,
            upload.key,
            {"upload": upload, "number": number, "size_bytes": len(data)},
        )
        return self._call(
            call, lambda: self.inner.upload_part(upload, number, data, crc64nvme=crc64nvme)
        )

    def upload_part_copy(
        self, upload: Upload, number: int, source: LogObject, byte_range: tuple[int, int]
    ) -> Part:
        arguments = {"upload": upload, "number": number, "source": source, "byte_range": byte_range}
        call = Call("UploadPartCopy", upload.bucket, upload.key, arguments)
        return self._call(
            call, lambda: self.inner.upload_part_copy(upload, number, source, byte_range)
        )

    def complete_multipart_upload(
        self, upload: Upload, parts: Sequence[Part], *, size_bytes: int, crc64nvme: int
    ) -> None:
        call = Call(
            "CompleteMultipartUpload", upload.bucket, upload.key, {"upload": upload, "parts": parts}
        )
        self._call(
            call,
            lambda: self.inner.complete_multipart_upload(
                upload, parts, size_bytes=size_bytes, crc64nvme=crc64nvme
            ),
        )

    def abort_multipart_upload(self, upload: Upload) -> None:
        call = Call("AbortMultipartUpload", upload.bucket, upload.key, {"upload": upload})
        self._call(call, lambda: self.inner.abort_multipart_upload(upload))

    def list_multipart_uploads(self, bucket: str, *, prefix: str) -> list[Upload]:
        return self._call(
            Call("ListMultipartUploads", bucket, prefix),
            lambda: self.inner.list_multipart_uploads(bucket, prefix=prefix),
        )

    def restore_object(self, bucket: str, key: str, *, days: int, tier: str) -> None:
        call = Call("RestoreObject", bucket, key, {"days": days, "tier": tier})
        self._call(call, lambda: self.inner.restore_object(bucket, key, days=days, tier=tier))

    def delete_objects(self, bucket: str, deletions: Sequence[Deletion]) -> list[DeletionFailure]:
        call = Call("DeleteObjects", bucket, "", {"deletions": deletions})
        return self._call(call, lambda: self.inner.delete_objects(bucket, deletions))


def get_one_by_one(store: ObjectStore, sources: Iterable[LogObject]) -> Bodies:
    """`get_objects` for a store that cannot read several at the same time."""
    for source in sources:
        try:
            body = store.get_object(
                source.bucket, source.key, version_id=source.version_id, if_match=source.etag
            )
        except RequestFailed as error:
            yield error
        else:
            yield body
