"""The nouns: what was listed, what is planned, what is written, what is verified.

A state is a type. A log object goes through

    LogObject  ->  PackPlan  ->  WrittenPack  ->  VerifiedPack  ->  (deleted)

and each step accepts only what the step before it made. Originals are deleted only by a
`VerifiedPack`, and that cannot be made unless S3's own checksum of the stored pack, or every byte
read back, matches what was written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from log_aggregator.errors import VerificationError

NULL_VERSION = "null"
"""The version id that S3 gives to objects and delete markers written before versioning was enabled,
or while it was suspended
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/versioning-workflows.html).
"""

NO_ACCOUNT = "all"
"""The account in a pack's key where the sources' keys name none."""


class ContentKind(StrEnum):
    """What a log object's key promises about its bytes. Reading them checks it."""

    GZIP_DOCUMENT = (
        "gzip-document"  # gzip of one JSON document without a final newline: CloudTrail, Config
    )
    GZIP_LINES = "gzip-lines"  # gzip of text lines
    TEXT = "text"  # text, not compressed
    BINARY = "binary"  # parquet, zip, anything that must not be concatenated

    @property
    def pack_format(self) -> PackFormat:
        return PackFormat.TAR if self is ContentKind.BINARY else PackFormat.GZIP


class Stage(StrEnum):
    """What a run does with originals."""

    PACK = "pack"  # packs them, and keeps them
    DELETE = "delete"  # deletes them once their pack is verified, and as old as the settings say


class PackFormat(StrEnum):
    """How a pack holds its members; see docs/internals/pack-format.md."""

    GZIP = "gzip"
    TAR = "tar"
    COPY = "copy"  # one very large object, copied by itself, byte for byte


@dataclass(frozen=True, slots=True)
class LogObject:
    """One version of one object, exactly as it was listed: its identity for reading, copying and
    deleting.

    `version_id` is None in a bucket that never had versioning; "null" is a real version id in S3.
    `etag` is without its quotes.
    """

    bucket: str
    key: str
    version_id: str | None
    etag: str
    size_bytes: int
    last_modified: datetime
    storage_class: str = "STANDARD"
    is_latest: bool = True

    @property
    def identity(self) -> Identity:
        written = None if is_fixed(self.version_id) else self.last_modified
        return (self.key, self.version_id, self.etag, self.size_bytes, written)


Identity = tuple[str, str | None, str, int, datetime | None]
"""(key, version id, ETag, size in bytes, last modified), within one bucket. Last modified is None
where the version id alone identifies an object.
"""


def is_fixed(version_id: str | None) -> bool:
    """Whether a key and this version id always mean the same object. Without a version id, or with
    "null", an object can be replaced by another one with the same ETag, because an ETag is an MD5,
    and MD5 collisions can be made.
    """
    return version_id not in (None, NULL_VERSION)


@dataclass(frozen=True, slots=True)
class DeleteMarker:
    """A delete marker, as it was listed."""

    bucket: str
    key: str
    version_id: str
    last_modified: datetime
    is_latest: bool


@dataclass(frozen=True, slots=True)
class ListedKey:
    """Everything that a bucket holds under one key, newest first. `versions` is empty if only
    delete markers are left.
    """

    key: str
    versions: tuple[LogObject, ...]
    markers: tuple[DeleteMarker, ...] = ()

    @property
    def is_deleted(self) -> bool:
        """Whether its newest entry is a delete marker: someone deleted the key, so it is left
        alone.

        S3 always marks one entry as the newest. SeaweedFS may fail to when a deletion is
        interrupted: a key without any marker does not count as deleted.
        """
        return not self.versions or (
            bool(self.markers) and not any(version.is_latest for version in self.versions)
        )


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """What a key says, according to its layout."""

    log_type: str
    date: date
    account: str | None
    region: str | None
    hour: int | None
    kind: ContentKind


@dataclass(frozen=True, slots=True, order=True)
class Group:
    """Log objects that may share a pack."""

    bucket: str
    log_type: str
    account: str
    date: date

    def __post_init__(self) -> None:
        for value in (self.bucket, self.log_type, self.account):
            if not re.fullmatch(r"[A-Za-z0-9._-]+", value):
                raise ValueError(f"not usable as one segment of a key: {value!r}")

    @property
    def path(self) -> str:
        """`<source bucket>/<log type>/<account>/<YYYY>/<MM>/<DD>/`. Each group has its own, and
        none is a prefix of another.
        """
        return f"{self.bucket}/{self.log_type}/{self.account}/{self.date:%Y/%m/%d}/"

    def __str__(self) -> str:
        return f"{self.bucket} {self.log_type} {self.account} {self.date}"


BACKFILLS = "backfills/"
DRILLS = "drills/"
AT_REST = "at-rest/"
REPORTS = "reports/"
OWN_FOLDERS = (
    "packs/",
    "indexes/",
    "terms/",
    "tables/",
    "discards/",
    "custody/",
    "signatures/",
    "keys/",
    "adopted/",
    BACKFILLS,
    DRILLS,
    AT_REST,
    REPORTS,
)
"""What this program writes to a target, under its root."""


@dataclass(frozen=True, slots=True, order=True)
class Target:
    """Where packs and indexes go: a bucket, and `root`, the prefix of their keys ("" or something
    that ends in a slash).
    """

    bucket: str
    root: str = ""

    @property
    def probes_prefix(self) -> str:
        """Next to the root and not under it, because policies forbid deleting anything there."""
        return f"{self.root.removesuffix('/')}_probes/" if self.root else "probes/"

    @property
    def own_prefixes(self) -> tuple[str, ...]:
        """The prefixes of everything that this program writes, and so never takes for logs."""
        return (*(f"{self.root}{folder}" for folder in OWN_FOLDERS), self.probes_prefix)

    def packs_prefix(self, group: Group) -> str:
        return f"{self.root}packs/{group.path}"

    def indexes_prefix(self, group: Group) -> str:
        return f"{self.root}indexes/{group.path}"

    def index_key(self, pack_key: str) -> str:
        """The key of a pack's index. Raises ValueError where `pack_key` is not the key of a pack in
        this target.
        """
        packs = f"{self.root}packs/"
        if not pack_key.startswith(packs):
            raise ValueError(f"not the key of a pack: {pack_key!r}")
        return f"{self.root}indexes/{pack_key.removeprefix(packs)}.index.jsonl.gz"

    def terms_prefix(self, group: Group) -> str:
        return f"{self.root}terms/{group.path}"

    def terms_key(self, pack_key: str) -> str:
        """The key of a pack's terms; never longer than that of its index. Raises ValueError where
        `pack_key` is not the key of a pack in this target.
        """
        packs = f"{self.root}packs/"
        if not pack_key.startswith(packs):
            raise ValueError(f"not the key of a pack: {pack_key!r}")
        return f"{self.root}terms/{pack_key.removeprefix(packs)}.terms.jsonl.xz"

    def pack_key_of_terms(self, terms_key: str) -> str:
        """The inverse of `terms_key`."""
        terms, suffix = f"{self.root}terms/", ".terms.jsonl.xz"
        if not (terms_key.startswith(terms) and terms_key.endswith(suffix)):
            raise ValueError(f"not the key of a pack's terms: {terms_key!r}")
        return f"{self.root}packs/{terms_key.removeprefix(terms).removesuffix(suffix)}"

    def pack_key(self, index_key: str) -> str:
        """The inverse of `index_key`."""
        indexes, suffix = f"{self.root}indexes/", ".index.jsonl.gz"
        if not (index_key.startswith(indexes) and index_key.endswith(suffix)):
            raise ValueError(f"not the key of an index: {index_key!r}")
        return f"{self.root}packs/{index_key.removeprefix(indexes).removesuffix(suffix)}"


@dataclass(frozen=True, slots=True)
class PackPlan:
    """One pack to write: its members, in order, and its key, which is derived from their
    identities.
    """

    group: Group
    target: Target
    key: str
    format: PackFormat
    sources: tuple[LogObject, ...]
    document_keys: frozenset[str] = frozenset()
    """Keys whose members hold one document without a final newline. This matters only for members
    that S3 copies unread.
    """
    markers: tuple[DeleteMarker, ...] = ()
    """Old delete markers of the members' keys, which are deleted together with the members."""

    def __post_init__(self) -> None:
        if not self.sources:
            raise ValueError("a pack has at least one member")
        if any(source.bucket != self.group.bucket for source in self.sources):
            raise ValueError("a pack's members come from one bucket")
        if len({source.identity for source in self.sources}) != len(self.sources):
            raise ValueError("an object may be a member of a pack only once")

    @property
    def index_key(self) -> str:
        return self.target.index_key(self.key)

    @property
    def size_bytes(self) -> int:
        return sum(source.size_bytes for source in self.sources)


class Encoding(StrEnum):
    """How a member's bytes are stored in its pack."""

    RAW = "raw"  # its own bytes, `length_bytes` from `offset`
    BLOCK = "block"  # text, inside the gzip block at offset; `inner_offset` counts inflated bytes
    # bytes that no reader must inflate, carried in the extra fields of empty gzip members
    SEALED = "sealed"


@dataclass(frozen=True, slots=True)
class Member:
    """One line of an index: what the original was, and where its bytes are."""

    key: str
    version_id: str | None
    etag: str
    size_bytes: int
    last_modified: datetime
    offset: int
    length_bytes: int
    encoding: Encoding = Encoding.RAW
    inner_offset: int = 0
    sha256: str | None = None
    """Hex SHA-256 of the original bytes. None for a member that S3 copied unread, which has
    `crc64nvme` instead.
    """
    crc64nvme: int | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    """User metadata. A CloudTrail digest's signature lives only here."""
    content_type: str | None = None
    content_encoding: str | None = None
    is_latest: bool = True
    """Whether it was the newest version of its key when it was listed."""
    flags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.sha256 is None and self.crc64nvme is None:
            raise ValueError("a member must have a hash of its bytes")

    @property
    def identity(self) -> Identity:
        written = None if is_fixed(self.version_id) else self.last_modified
        return (self.key, self.version_id, self.etag, self.size_bytes, written)


@dataclass(frozen=True, slots=True)
class Index:
    """The list of a pack's members, and what the pack's bytes must add up to."""

    pack_key: str
    format: PackFormat
    group: Group
    content_length_bytes: int
    """Length of everything before the tail."""
    content_crc64nvme: int
    members: Sequence[Member]
    """In order. A tuple, or a sequence that reads them from a stored index each time."""
    markers: tuple[tuple[str, str], ...] = ()
    """(key, version id) of old delete markers that are deleted together with the members."""
    tool: str = ""


@dataclass(frozen=True, slots=True)
class PackedMember:
    """A member, and the pack that holds it."""

    target: Target
    pack_key: str
    member: Member

    @property
    def where(self) -> str:
        """The pack's address."""
        return f"s3://{self.target.bucket}/{self.pack_key}"


@dataclass(frozen=True, slots=True)
class WrittenPack:
    """A pack and its index that S3 has accepted. Nothing has been checked yet."""

    target: Target
    key: str
    source_count: int
    source_bytes: int
    size_bytes: int
    terms_error: str = ""
    """Why its terms were not written; empty if they were, or if none are wanted."""
    sha256: str | None = None
    """Hex SHA-256 of the whole pack; None if S3 copied a member unread."""

    @property
    def index_key(self) -> str:
        return self.target.index_key(self.key)


@dataclass(frozen=True, slots=True)
class Restore:
    """The temporary copy that S3 makes of an object in an archive class, to be read for some days.

    From HeadObject's x-amz-restore
    (https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html).
    """

    is_ongoing: bool
    expires: datetime | None = None
    """When S3 deletes the copy; None while it is being made, or if the store does not say."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """What S3 reports about a stored object (HeadObject)."""

    bucket: str
    key: str
    size_bytes: int
    etag: str
    version_id: str | None
    storage_class: str
    crc64nvme: int | None
    """CRC64NVME of the whole object, or None where S3 has none (or only one composed of the
    checksums of its parts).
    """
    has_md5_etag: bool = False
    """Whether the ETag is the MD5 of the bytes: the object was written in one piece, and is not
    encrypted with KMS or a customer-provided key.
    """
    restore: Restore | None = field(default=None, compare=False)
    """Only for an object in an archive class whose restore was requested. It comes and goes while
    the object stays the same.
    """
    archive_tier: str | None = field(default=None, compare=False)
    """Only for an object that Intelligent-Tiering has moved to ARCHIVE_ACCESS or
    DEEP_ARCHIVE_ACCESS: it cannot be read, although its class is not an archive class.
    """


@dataclass(frozen=True, slots=True)
class VerifiedPack:
    """A pack that is proven to be stored as its index describes it. Only its originals are deleted.

    It checks its evidence itself. `read_back_crc64nvme` is the checksum of the bytes when all of
    them were read back and every member was compared. It is required where S3 reports no checksum
    of the whole object.

    Raises VerificationError.
    """

    target: Target
    index: Index
    stored: StoredObject
    expected_size_bytes: int
    expected_crc64nvme: int
    read_back_crc64nvme: int | None = None
    index_sha256: str = ""
    """Hex SHA-256 of the index as it is stored, for the custody record."""

    def __post_init__(self) -> None:
        where = f"s3://{self.stored.bucket}/{self.stored.key}"
        if (self.stored.bucket, self.stored.key) != (self.target.bucket, self.index.pack_key):
            raise VerificationError(f"{where}: its index describes {self.index.pack_key}")
        if not self.stored.key.startswith(self.target.packs_prefix(self.index.group)):
            raise VerificationError(
                f"{where}: its index describes another group, {self.index.group}"
            )
        if self.stored.size_bytes != self.expected_size_bytes:
            raise VerificationError(
                f"{where}: {self.stored.size_bytes} bytes are stored, but "
                f"{self.expected_size_bytes} were written"
            )
        seen = [crc for crc in (self.stored.crc64nvme, self.read_back_crc64nvme) if crc is not None]
        if not seen:
            raise VerificationError(
                f"{where}: S3 reports no checksum of the whole object, and it was not read back"
            )
        if any(crc != self.expected_crc64nvme for crc in seen):
            raise VerificationError(
                f"{where}: the stored pack's checksum differs from that of the written pack"
            )

    @property
    def source_bucket(self) -> str:
        return self.index.group.bucket
