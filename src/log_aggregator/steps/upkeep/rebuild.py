"""Rebuilds lost indexes from the pack's own tail. A copy has no tail; its index is rebuilt from the
copy and what is known about its original.

An existing index is never overwritten, damaged or not: an operator must examine it, remove it, and
start again.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from log_aggregator.core.packformat.index import TOOL, encode_index
from log_aggregator.core.planning import pack_id
from log_aggregator.errors import BadPack, NoSuchBucket, VerificationError
from log_aggregator.model import (
    Encoding,
    Index,
    LogObject,
    Member,
    PackFormat,
    StoredObject,
    Target,
)
from log_aggregator.ports.store import Body, ObjectStore, WriteOptions
from log_aggregator.steps.packs.index import (
    format_of,
    read_index,
    read_tail,
    restore_index,
    write_index,
)
from log_aggregator.steps.packs.pages import list_all, list_pages
from log_aggregator.steps.packs.ranges import RangeReader
from log_aggregator.steps.packs.stream import ObjectStream
from log_aggregator.steps.packs.verify import verify_pack
from log_aggregator.steps.retrieval.catalog import CatalogEntry

IDENTITY_UNKNOWN = "identity-unknown"
"""A flag: version id, ETag and time of the original are lost, so no run will ever match a log
object to this member.
"""

_ID = re.compile("[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """A pack that has its index. `was_there`: it already had it."""

    pack_key: str
    member_count: int
    was_there: bool = False
    is_identity_known: bool = True


def rebuild_index(
    store: ObjectStore, target: Target, entry: CatalogEntry, options: WriteOptions
) -> Rebuilt:
    """Writes the index of a pack that has none, and verifies the pack against it.

    Raises BadPack (the pack's tail is damaged, or it is not a pack, or an index exists that is not
    the pack's own), ObjectFrozen, VerificationError (the index is written, but the pack does not
    match it), NotFound, AccessDenied.
    """
    index_key = target.index_key(entry.pack_key)
    pack_format = format_of(entry.group, target, entry.pack_key)
    if any(found.key == index_key for found in list_all(store, target.bucket, index_key)):
        return _look_at_index(store, target, entry, pack_format)
    if pack_format is PackFormat.COPY:
        index = _rebuild_copy(store, target, entry, options)
    else:
        index = restore_index(store, target, entry.pack_key, options)
    if (
        store.head_object(target.bucket, entry.pack_key).crc64nvme is not None
    ):  # else it would have to be read back for it
        verify_pack(store, target, entry.pack_key)
    is_known = all(IDENTITY_UNKNOWN not in member.flags for member in index.members)
    return Rebuilt(entry.pack_key, len(index.members), is_identity_known=is_known)


def _look_at_index(
    store: ObjectStore, target: Target, entry: CatalogEntry, pack_format: PackFormat
) -> Rebuilt:
    where = f"s3://{target.bucket}/{target.index_key(entry.pack_key)}"
    stays = "an existing index is never overwritten: examine it, remove it, and start again"
    try:
        stored = read_index(store, target, entry.pack_key)
        index = stored.decode()
    except BadPack as error:
        raise BadPack(f"{error}; {stays}") from error
    if (
        pack_format is not PackFormat.COPY
        and read_tail(store, target, entry.pack_key).data != stored.data
    ):
        raise BadPack(f"{where} differs from the index in its pack's own tail; {stays}")
    return Rebuilt(entry.pack_key, len(index.members), was_there=True)


def _rebuild_copy(
    store: ObjectStore, target: Target, entry: CatalogEntry, options: WriteOptions
) -> Index:
    """Rebuilds the index of a copy. Its key contains the original's key and a hash of its identity,
    which shows whether a version of that key is the original.
    """
    name = entry.pack_key.removeprefix(target.packs_prefix(entry.group))
    id_, _, original_key = name.partition("/")
    if not _ID.fullmatch(id_):
        raise BadPack(f"s3://{target.bucket}/{entry.pack_key}: not the name of a pack")
    stored = store.head_object(target.bucket, entry.pack_key)
    original = next(
        (
            each
            for each in _versions(store, entry.group.bucket, original_key)
            if pack_id([each]) == id_
        ),
        None,
    )
    if original is None:
        member = _unknown_member(store, stored, entry, original_key)
    else:
        crc = stored.crc64nvme if stored.crc64nvme is not None else _read_all(store, stored)[0]
        member = _member_of(original, crc, RangeReader.of_source(store, original).read(0, 1))
    if member.size_bytes != stored.size_bytes:
        raise VerificationError(
            f"s3://{target.bucket}/{entry.pack_key}: it has {stored.size_bytes} bytes, but its "
            f"original has {member.size_bytes}"
        )
    content_crc = member.crc64nvme or 0
    index = Index(
        entry.pack_key,
        PackFormat.COPY,
        entry.group,
        stored.size_bytes,
        content_crc,
        (member,),
        (),
        f"{TOOL} (index rebuild)",
    )
    write_index(store, target, entry.pack_key, encode_index(index), options)
    return index


def _versions(store: ObjectStore, bucket: str, key: str) -> Iterator[LogObject]:
    """All versions of a key, with the identity under which it was packed. In a bucket that never
    had versioning ListObjectVersions gives the id "null", but ListObjectsV2, which a run uses
    there, gives none.
    """
    try:
        has_versions = store.get_bucket_versioning(bucket) is not None
        for page in list_pages(store.list_object_versions, bucket, key):
            same = [each for each in page.objects if each.key == key]
            yield from (each if has_versions else replace(each, version_id=None) for each in same)
            if not same and not page.markers:
                return
    except NoSuchBucket:
        return


def _unknown_member(
    store: ObjectStore, stored: StoredObject, entry: CatalogEntry, key: str
) -> Member:
    """A member whose original is gone, and with it its version id, ETag and time."""
    crc, sha256 = _read_all(store, stored)
    (listed,) = (
        each
        for each in store.list_objects(stored.bucket, prefix=stored.key).objects
        if each.key == stored.key
    )
    unknown = LogObject(entry.group.bucket, key, None, "", stored.size_bytes, listed.last_modified)
    member = _member_of(unknown, crc, None)
    return replace(member, sha256=sha256, flags=(IDENTITY_UNKNOWN,))


def _read_all(store: ObjectStore, stored: StoredObject) -> tuple[int, str]:
    """(CRC64NVME, SHA-256) of all bytes. Raises VerificationError, ObjectFrozen."""
    stream, sha256 = ObjectStream(store, stored), hashlib.sha256()
    for piece in stream.read(stored.size_bytes):
        sha256.update(piece)
    if stored.crc64nvme not in (None, stream.running.crc):
        raise VerificationError(
            f"s3://{stored.bucket}/{stored.key}: what was read differs from S3's checksum"
        )
    return stream.running.crc, sha256.hexdigest()


def _member_of(original: LogObject, crc: int, body: Body | None) -> Member:
    return Member(
        key=original.key,
        version_id=original.version_id,
        etag=original.etag,
        size_bytes=original.size_bytes,
        last_modified=original.last_modified,
        offset=0,
        length_bytes=original.size_bytes,
        encoding=Encoding.RAW,
        crc64nvme=crc,
        metadata=dict(body.metadata) if body else {},
        content_type=body.content_type if body else None,
        content_encoding=body.content_encoding if body else None,
        is_latest=original.is_latest,
    )
