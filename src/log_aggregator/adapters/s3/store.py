"""The object store: S3, or a server with S3's API."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from log_aggregator.adapters.s3 import deleting, listing, reading, restoring, writing
from log_aggregator.adapters.s3.clients import Clients, ClientSettings, make_clients
from log_aggregator.adapters.s3.errors import store_errors
from log_aggregator.errors import NotFound
from log_aggregator.model import LogObject, StoredObject
from log_aggregator.ports.store import (
    Bodies,
    Body,
    Deletion,
    DeletionFailure,
    ListStart,
    Page,
    Part,
    Upload,
    WriteOptions,
)


class S3Store:
    """Implements `log_aggregator.ports.ObjectStore`. Thread safe."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._s3 = clients.s3

    @classmethod
    def connect(cls, settings: ClientSettings) -> S3Store:
        """Makes the clients. Raises BadConfiguration if there are no credentials."""
        return cls(make_clients(settings))

    def find_owner(self) -> None:
        """Finds the account of the credentials now; otherwise the first request does. Raises
        CannotStart.
        """
        self._clients.owners.check()

    def list_object_versions(
        self, bucket: str, *, prefix: str = "", start: ListStart | None = None
    ) -> Page:
        return listing.list_object_versions(self._clients, bucket, prefix, start)

    def list_objects(
        self, bucket: str, *, prefix: str = "", start: ListStart | None = None
    ) -> Page:
        return listing.list_objects(self._clients, bucket, prefix, start)

    def list_prefixes(self, bucket: str, *, prefix: str, start: ListStart | None = None) -> Page:
        return listing.list_prefixes(self._clients, bucket, prefix, start)

    def list_buckets(self) -> list[str]:
        names: list[str] = []
        # Without MaxBuckets S3 answers unpaginated, which accounts with many buckets are refused.
        request: dict[str, Any] = {"MaxBuckets": 1_000}
        with store_errors("ListBuckets"):
            while True:
                response = self._s3.list_buckets(**request)
                names += [bucket["Name"] for bucket in response.get("Buckets", [])]
                if not (token := response.get("ContinuationToken")):
                    return names
                request["ContinuationToken"] = token

    def get_bucket_versioning(self, bucket: str) -> str | None:
        with store_errors("GetBucketVersioning", bucket):
            status = self._s3.get_bucket_versioning(Bucket=bucket).get("Status")
        return str(status) if status else None

    def get_object(
        self,
        bucket: str,
        key: str,
        *,
        version_id: str | None = None,
        if_match: str | None = None,
        byte_range: tuple[int, int] | None = None,
    ) -> Body:
        return reading.get_object(self._clients, bucket, key, version_id, if_match, byte_range)

    def get_objects(self, sources: Iterable[LogObject]) -> Bodies:
        return reading.get_objects(self._clients, sources)

    def get_object_checked(
        self, bucket: str, key: str, *, version_id: str | None = None, if_match: str | None = None
    ) -> tuple[Body, bool]:
        return reading.get_object_checked(self._clients, bucket, key, version_id, if_match)

    def head_object(
        self, bucket: str, key: str, *, version_id: str | None = None, if_match: str | None = None
    ) -> StoredObject:
        return reading.head_object(self._clients, bucket, key, version_id, if_match)

    def put_object(
        self,
        bucket: str,
        key: str,
        data: bytes | bytearray,
        *,
        crc64nvme: int,
        options: WriteOptions,
    ) -> None:
        writing.put_object(self._s3, bucket, key, data, crc64nvme, options)

    def create_multipart_upload(self, bucket: str, key: str, *, options: WriteOptions) -> Upload:
        return writing.create_multipart_upload(self._s3, bucket, key, options)

    def upload_part(
        self, upload: Upload, number: int, data: bytes | bytearray, *, crc64nvme: int
    ) -> Part:
        return writing.upload_part(self._s3, upload, number, data, crc64nvme)

    def upload_part_copy(
        self, upload: Upload, number: int, source: LogObject, byte_range: tuple[int, int]
    ) -> Part:
        return writing.upload_part_copy(self._s3, upload, number, source, byte_range)

    def complete_multipart_upload(
        self, upload: Upload, parts: Sequence[Part], *, size_bytes: int, crc64nvme: int
    ) -> None:
        writing.complete_multipart_upload(self._s3, upload, parts, size_bytes, crc64nvme)

    def abort_multipart_upload(self, upload: Upload) -> None:
        try:
            with store_errors("AbortMultipartUpload", upload.bucket, upload.key):
                self._s3.abort_multipart_upload(**writing.encode_upload(upload))
        except NotFound as error:
            # NoSuchUpload means that the upload is gone, aborted or completed; NoSuchBucket is an
            # error.
            if error.code != "NoSuchUpload":
                raise

    def list_multipart_uploads(self, bucket: str, *, prefix: str) -> list[Upload]:
        pages = self._s3.get_paginator("list_multipart_uploads").paginate(
            Bucket=bucket, Prefix=prefix
        )
        with store_errors("ListMultipartUploads", bucket, prefix):
            return [
                Upload(bucket, entry["Key"], entry["UploadId"], entry.get("Initiated"))
                for page in pages
                for entry in page.get("Uploads", [])
            ]

    def restore_object(self, bucket: str, key: str, *, days: int, tier: str) -> None:
        restoring.restore_object(self._s3, bucket, key, days, tier)

    def delete_objects(self, bucket: str, deletions: Sequence[Deletion]) -> list[DeletionFailure]:
        return deleting.delete_objects(self._s3, bucket, deletions)
