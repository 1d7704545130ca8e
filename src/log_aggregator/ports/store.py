"""What the steps need from the outside, as Protocols in S3's own verbs.

Every adapter passes tests/conformance. Retries, counting, fault injection are decorators of
`ObjectStore`; the steps know nothing of them. All methods may be called from several threads. ETags
are without quotes, times are UTC.

Every method raises the errors of `log_aggregator.errors.RequestFailed`'s branch and nothing else of
its own: `Unreachable` where nobody answered, else `StoreError` or one of its children.
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
    """One page of a listing: at most 1,000 entries, in key order (UTF-8 bytes); of one key newest
    first.

    `next_start` is what to pass as `start` for the next page, None at the end.
    """

    objects: tuple[LogObject, ...]
    markers: tuple[DeleteMarker, ...] = ()
    prefixes: tuple[str, ...] = ()
    next_start: ListStart | None = None


@dataclass(frozen=True, slots=True)
class ListStart:
    """Where a page begins: behind `key` (exclusive), or, with a version id, behind that version of
    that key.
    """

    key: str = ""
    version_id: str | None = None


@dataclass(frozen=True, slots=True)
class Body:
    """An object's bytes (or the asked range of them) as they are stored, never decoded, and what
    came with them for free.
    """

    data: bytes
    metadata: Mapping[str, str] = field(default_factory=dict)
    content_type: str | None = None
    content_encoding: str | None = None
    etag: str = ""
    version_id: str | None = None
    has_opaque_etag: bool = False
    """This very answer showed that the ETag is no MD5 (KMS encryption)."""


Bodies = Generator[Body | RequestFailed, None, None]
"""Of many objects, as they are read."""


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """How a new object is stored."""

    storage_class: str = "STANDARD"
    kms_key_id: str | None = None
    content_type: str = "application/octet-stream"
    metadata: Mapping[str, str] = field(default_factory=dict)
    content_encoding: str | None = None
    may_replace: bool = False
    """PutObject writes over what is there. Only for what can be made anew at any time, and that
    nothing is deleted by: a pack's terms.
    """
    is_sse_s3: bool = False
    """Encrypted with S3's own keys, whatever the bucket's default is: S3 Batch Operations reads no
    manifest that is encrypted with KMS.
    """


@dataclass(frozen=True, slots=True)
class Part:
    """A part that S3 has accepted. `crc64nvme` is None where the store reports none for a copied
    part.
    """

    number: int
    etag: str
    size_bytes: int
    crc64nvme: int | None
    is_told: bool = True
    """The checksum is the store's own word. Else we computed it, and the store, which has none to
    compare with, would take a part that names it for another one.
    """


@dataclass(frozen=True, slots=True)
class Upload:
    """A multipart upload under way."""

    bucket: str
    key: str
    upload_id: str
    initiated: datetime | None = None
    has_object_checksum: bool = True
    """The store computes the CRC64NVME of the whole object. One that does not must be read back to
    be verified.
    """


@dataclass(frozen=True, slots=True)
class Deletion:
    """One entry to delete, exactly: by version id, or on the condition that the key's current
    version still has this ETag, or both.
    """

    key: str
    version_id: str | None = None
    etag: str | None = None

    def __post_init__(self) -> None:
        if self.version_id is None and self.etag is None:
            raise ValueError("a deletion names a version or an ETag")


@dataclass(frozen=True, slots=True)
class DeletionFailure:
    """A per-key error of DeleteObjects. `code` is S3's: AccessDenied, PreconditionFailed,
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
        """One page of all versions and delete markers. Works for buckets of every versioning
        state.
        """

    def list_objects(
        self, bucket: str, *, prefix: str = "", start: ListStart | None = None
    ) -> Page:
        """One page of ListObjectsV2: current objects, `version_id` None, nothing about versions."""

    def list_prefixes(self, bucket: str, *, prefix: str, start: ListStart | None = None) -> Page:
        """ListObjectsV2 with delimiter "/", all pages at once: `prefixes`, and the `objects`
        directly under `prefix`.

        `next_start` is always None. Raises StoreError where there are more than 100,000 entries.
        """

    def list_buckets(self) -> list[str]:
        """Names of all buckets of the account."""

    def get_bucket_versioning(self, bucket: str) -> str | None:
        """Enabled, Suspended or None. Raises NotFound where the bucket does not exist."""

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

        Raises NotFound, PreconditionFailed (ETag is another), ObjectFrozen, AccessDenied,
        ObjectRefused (any other answer that says something of this object only).
        """

    def get_objects(self, sources: Iterable[LogObject]) -> Bodies:
        """As get_object of each, by version id and ETag, in their order, some of them read ahead,
        within bounds. Errors are given in their places, not raised. Raises Interrupted.

        `sources` is iterated over as they are asked for. To be read by one thread, and closed.
        """

    def get_object_checked(
        self, bucket: str, key: str, *, version_id: str | None = None, if_match: str | None = None
    ) -> tuple[Body, bool]:
        """As get_object, but the checksum that S3 stores is compared too. The second value: the
        ETag need not be the MD5 of the body (KMS encryption), or a stored checksum was there and
        equal, so that the body can be trusted.
        """

    def head_object(
        self, bucket: str, key: str, *, version_id: str | None = None, if_match: str | None = None
    ) -> StoredObject:
        """Raises NotFound, PreconditionFailed (ETag is another)."""

    def put_object(
        self,
        bucket: str,
        key: str,
        data: bytes | bytearray,
        *,
        crc64nvme: int,
        options: WriteOptions,
    ) -> None:
        """Writes a new object; S3 checks the bytes. Raises PreconditionFailed where the key exists
        (If-None-Match: *), unless `options` let it be replaced.
        """

    def create_multipart_upload(self, bucket: str, key: str, *, options: WriteOptions) -> Upload:
        """For an object whose full CRC64NVME S3 will compute."""

    def upload_part(
        self, upload: Upload, number: int, data: bytes | bytearray, *, crc64nvme: int
    ) -> Part:
        """S3 checks the bytes against the checksum."""

    def upload_part_copy(
        self, upload: Upload, number: int, source: LogObject, byte_range: tuple[int, int]
    ) -> Part:
        """Bytes [first, last) of exactly that source (version id, CopySourceIfMatch). Raises
        PreconditionFailed, NotFound.
        """

    def complete_multipart_upload(
        self, upload: Upload, parts: Sequence[Part], *, size_bytes: int, crc64nvme: int
    ) -> None:
        """Raises PreconditionFailed where the key exists by now (If-None-Match: *); the upload is
        then still open.
        """

    def abort_multipart_upload(self, upload: Upload) -> None:
        """Silent where the upload is gone already."""

    def list_multipart_uploads(self, bucket: str, *, prefix: str) -> list[Upload]:
        """All of them, over all pages."""

    def restore_object(self, bucket: str, key: str, *, days: int, tier: str) -> None:
        """Asks for a readable copy of an object in an archive class, for so many days;
        `head_object` tells when it is there.

        `tier` is Expedited, Standard or Bulk. Silent where that is under way already; where a copy
        is there, it is kept for so many days from now. Raises StoreError: InvalidObjectState where
        the class needs no restore, and what the tier cannot do.
        """

    def delete_objects(self, bucket: str, deletions: Sequence[Deletion]) -> list[DeletionFailure]:
        """At most 1,000. Returns what was refused; an entry that was gone already by version id is
        no failure.
        """


class Clock(Protocol):
    """The time of day, so that tests can set it."""

    def now(self) -> datetime:
        """UTC, with its time zone."""
