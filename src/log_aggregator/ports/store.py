"""What the steps need from the outside, as Protocols in S3's own verbs.

Every adapter passes tests/conformance. Retries, counting and fault injection are decorators of
`ObjectStore`; the steps do not know about them. All methods may be called from several threads.
ETags are without quotes, times are UTC.

Every method raises only errors of the branch `log_aggregator.errors.RequestFailed`: `Unreachable`
if no answer came, otherwise `StoreError` or one of its subclasses.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from log_aggregator.errors import RequestFailed
from log_aggregator.model import DeleteMarker, LogObject, StoredObject


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a listing: at most 1,000 entries, in key order (UTF-8 bytes); the versions of a
    key come newest first.

    `next_start` is the `start` of the next page, None at the end.
    """

    objects: tuple[LogObject, ...]
    markers: tuple[DeleteMarker, ...] = ()
    prefixes: tuple[str, ...] = ()
    next_start: ListStart | None = None


@dataclass(frozen=True, slots=True)
class ListStart:
    """Where a page begins: after `key`, or, with a version id, after that version of the key."""

    key: str = ""
    version_id: str | None = None


@dataclass(frozen=True, slots=True)
class Body:
    """An object's bytes, or a range of them, as they are stored (never decoded, whatever its
    Content-Encoding), and the headers of the answer.
    """

    data: bytes
    metadata: Mapping[str, str] = field(default_factory=dict)
    content_type: str | None = None
    content_encoding: str | None = None
    etag: str = ""
    version_id: str | None = None
    has_opaque_etag: bool = False
    """The answer showed that the ETag is not an MD5 (KMS encryption)."""


Bodies = Generator[Body | RequestFailed, None, None]
"""The bodies of many objects, or the errors in their places, as they are read."""


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """How a new object is stored."""

    storage_class: str = "STANDARD"
    kms_key_id: str | None = None
    content_type: str = "application/octet-stream"
    metadata: Mapping[str, str] = field(default_factory=dict)
    content_encoding: str | None = None
    may_replace: bool = False
    """PutObject may overwrite. Only for objects that can be made anew at any time and that no
    deletion relies on: a pack's terms.
    """
    is_sse_s3: bool = False
    """Encrypted with S3's own keys, whatever the bucket's default is: S3 Batch Operations cannot
    read a manifest that is encrypted with KMS
    (https://docs.aws.amazon.com/AmazonS3/latest/userguide/batch-ops-create-job.html).
    """


@dataclass(frozen=True, slots=True)
class Part:
    """A part that S3 has accepted. `crc64nvme` is None if the store reports none for a copy."""

    number: int
    etag: str
    size_bytes: int
    crc64nvme: int | None
    is_told: bool = True
    """Whether the store reported the checksum. If we computed it, CompleteMultipartUpload must not
    name it: the store has none to compare it with and would report an invalid part.
    """


@dataclass(frozen=True, slots=True)
class Upload:
    """A multipart upload under way."""

    bucket: str
    key: str
    upload_id: str
    initiated: datetime | None = None
    has_object_checksum: bool = True
    """Whether the store computes the CRC64NVME of the whole object. If not, the object must be read
    back to be verified.
    """


@dataclass(frozen=True, slots=True)
class Deletion:
    """One object to delete: by version id, or on the condition that the key's current version still
    has this ETag, or both.
    """

    key: str
    version_id: str | None = None
    etag: str | None = None

    def __post_init__(self) -> None:
        if self.version_id is None and self.etag is None:
            raise ValueError("expected a version id or an ETag for a deletion")


@dataclass(frozen=True, slots=True)
class DeletionFailure:
    """An error of DeleteObjects for one key. `code` is S3's: AccessDenied, PreconditionFailed,
    NoSuchKey, InternalError ...
    """

    deletion: Deletion
    code: str
    message: str = ""


class ObjectStore(Protocol):
    """S3, as far as this system needs it."""

    def list_object_versions(
        self, bucket: str, *, prefix: str = "", start: ListStart | None = None
    ) -> Page:
        """One page of all versions and delete markers. Works whether versioning is enabled,
        suspended or was never used.
        """

    def list_objects(
        self, bucket: str, *, prefix: str = "", start: ListStart | None = None
    ) -> Page:
        """One page of ListObjectsV2: current objects, without version ids."""

    def list_prefixes(self, bucket: str, *, prefix: str, start: ListStart | None = None) -> Page:
        """ListObjectsV2 with delimiter "/", all pages in one: `prefixes`, and the `objects`
        directly under `prefix`.

        `next_start` is always None. Raises StoreError if there are more than 100,000 entries.
        """

    def list_buckets(self) -> list[str]:
        """The names of all buckets of the account."""

    def get_bucket_versioning(self, bucket: str) -> str | None:
        """Enabled, Suspended or None. Raises NotFound if the bucket does not exist."""

    def get_object(
        self,
        bucket: str,
        key: str,
        *,
        version_id: str | None = None,
        if_match: str | None = None,
        byte_range: tuple[int, int] | None = None,
    ) -> Body:
        """The whole object, or bytes [first, last) of it.

        Raises NotFound, PreconditionFailed (the ETag differs), ObjectFrozen, AccessDenied,
        ObjectRefused (any other answer that is only about this object).
        """

    def get_objects(self, sources: Iterable[LogObject]) -> Bodies:
        """Like get_object for each, by version id and ETag, in their order. Some are read ahead,
        within limits. Errors are yielded in their places, not raised. Raises Interrupted.

        `sources` is consumed as they are requested. Use it from one thread, and close it.
        """

    def get_object_checked(
        self, bucket: str, key: str, *, version_id: str | None = None, if_match: str | None = None
    ) -> tuple[Body, bool]:
        """Like get_object, and compares the checksum that S3 stores. The second value is True if
        the body can be trusted without an MD5 in the ETag: a stored checksum was equal, or the ETag
        is not an MD5 (KMS encryption).
        """

    def head_object(
        self, bucket: str, key: str, *, version_id: str | None = None, if_match: str | None = None
    ) -> StoredObject:
        """Raises NotFound, PreconditionFailed (the ETag differs)."""

    def put_object(
        self,
        bucket: str,
        key: str,
        data: bytes | bytearray,
        *,
        crc64nvme: int,
        options: WriteOptions,
    ) -> None:
        """Writes a new object; S3 checks the bytes. Raises PreconditionFailed if the key exists
        (If-None-Match: *), unless `options` allow it to be replaced.
        """

    def create_multipart_upload(self, bucket: str, key: str, *, options: WriteOptions) -> Upload:
        """Begins an object whose full CRC64NVME S3 will compute."""

    def upload_part(
        self, upload: Upload, number: int, data: bytes | bytearray, *, crc64nvme: int
    ) -> Part:
        """S3 checks the bytes against the checksum."""

    def upload_part_copy(
        self, upload: Upload, number: int, source: LogObject, byte_range: tuple[int, int]
    ) -> Part:
        """Copies bytes [first, last) of exactly that source (version id, CopySourceIfMatch).
        Raises PreconditionFailed, NotFound.
        """

    def complete_multipart_upload(
        self, upload: Upload, parts: Sequence[Part], *, size_bytes: int, crc64nvme: int
    ) -> None:
        """Raises PreconditionFailed if the key exists by now (If-None-Match: *). The upload is then
        still open and must be aborted.
        """

    def abort_multipart_upload(self, upload: Upload) -> None:
        """Does nothing if the upload is gone already."""

    def list_multipart_uploads(self, bucket: str, *, prefix: str) -> list[Upload]:
        """All of them, over all pages."""

    def restore_object(self, bucket: str, key: str, *, days: int, tier: str) -> None:
        """Requests a readable copy of an object in an archive class, for `days`. `head_object`
        shows when it is there.

        `tier` is Expedited, Standard or Bulk. Does nothing if a restore is under way already; an
        existing copy is kept for `days` from now. Raises StoreError: InvalidObjectState if the
        class needs no restore, and other codes if the tier is not available.
        """

    def delete_objects(self, bucket: str, deletions: Sequence[Deletion]) -> list[DeletionFailure]:
        """Deletes at most 1,000. Returns those that S3 refused; an object that was gone already is
        not a failure.
        """


class Clock(Protocol):
    """The time of day, so that tests can set it."""

    def now(self) -> datetime:
        """UTC, with its time zone."""
