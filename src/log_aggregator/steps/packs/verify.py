"""Verification: the only place where a `VerifiedPack` is made.

"checksum": compares S3's own CRC64NVME of the whole pack and its size with the index. No byte of
the pack is read. "tail": also compares the index in the pack's own tail with the stored one.
"read-back": reads the whole pack and compares every member's hash, and what lies between members,
and the tail. A pack in a store that reports no checksum of whole objects is always read back.

S3 computes the CRC64NVME itself when it stores the object, for multipart uploads over the full
object (https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from itertools import groupby

from log_aggregator.core.packformat import expected_pack
from log_aggregator.core.packformat.tail import encode_tail
from log_aggregator.core.packformat.unpack import MemberCheck, decode_stored
from log_aggregator.errors import BadPack, NotFound, RequestFailed, Unsound, VerificationError
from log_aggregator.model import Index, Member, PackFormat, StoredObject, Target, VerifiedPack
from log_aggregator.ports.store import ObjectStore
from log_aggregator.steps.packs.index import StoredIndex, naming, read_index, read_tail
from log_aggregator.steps.packs.ranges import missing_pack
from log_aggregator.steps.packs.stream import ObjectStream
from log_aggregator.steps.rules import Level


def verify_pack(
    store: ObjectStore, target: Target, pack_key: str, level: Level = Level.CHECKSUM
) -> VerifiedPack:
    """Checks a stored pack against its stored index. Raises VerificationError, BadPack, NotFound,
    ObjectFrozen.
    """
    stored_index = _read_index(store, target, pack_key)
    index, index_data = stored_index.scan(), stored_index.data
    stored = _head(store, target, pack_key)
    size, crc = expected_pack(index, index_data)
    if level is Level.TAIL:
        _compare_tail_explained(store, target, stored, index, index_data, size)
    read_back = None
    if level is Level.READ_BACK or stored.crc64nvme is None:
        read_back = _read_back_explained(store, target, stored, index, index_data, size)
    return VerifiedPack(target, index, stored, size, crc, read_back, stored_index.sha256)


def verify_again(store: ObjectStore, pack: VerifiedPack) -> None:
    """Checks with one HEAD request, immediately before deletion, that S3 still holds exactly the
    object that was verified. Raises VerificationError, NotFound.
    """
    now = store.head_object(pack.target.bucket, pack.index.pack_key)
    if now != pack.stored:
        raise VerificationError(
            f"s3://{pack.target.bucket}/{pack.index.pack_key} has changed since it was verified"
        )


def _read_index(store: ObjectStore, target: Target, pack_key: str) -> StoredIndex:
    where = f"s3://{target.bucket}/{pack_key}"
    try:
        return read_index(store, target, pack_key)
    except NotFound as error:
        try:
            store.head_object(target.bucket, pack_key)
        except NotFound as missing:
            raise NotFound(
                f"{where}: neither this pack nor its index exists", code=missing.code
            ) from None
        raise NotFound(
            f"{where}: the pack has no index; `log-aggregator index rebuild` writes a new one",
            code=error.code,
        ) from None


def _head(store: ObjectStore, target: Target, pack_key: str) -> StoredObject:
    try:
        return store.head_object(target.bucket, pack_key)
    except NotFound as error:
        raise missing_pack(f"s3://{target.bucket}/{pack_key}", error) from None


def _compare_tail_explained(
    store: ObjectStore,
    target: Target,
    stored: StoredObject,
    index: Index,
    index_data: bytes,
    size_bytes: int,
) -> None:
    """A tail that cannot be read is mostly missing, because the pack was truncated: says so."""
    try:
        _compare_tail(store, target, index, index_data)
    except BadPack:
        _compare_size(stored, size_bytes)
        raise


def _compare_size(stored: StoredObject, size_bytes: int) -> None:
    if stored.size_bytes != size_bytes:
        raise VerificationError(
            f"s3://{stored.bucket}/{stored.key}: {stored.size_bytes} bytes are stored, "
            f"{size_bytes} were written"
        )


def _compare_tail(store: ObjectStore, target: Target, index: Index, index_data: bytes) -> None:
    """Raises VerificationError if the index in the pack's tail differs from the stored index, and
    BadPack if the tail is damaged.
    """
    if (
        index.format is not PackFormat.COPY
        and read_tail(store, target, index.pack_key).data != index_data
    ):
        raise VerificationError(
            f"s3://{target.bucket}/{index.pack_key}: the index in the pack's own tail differs from "
            f"its stored index, s3://{target.bucket}/{target.index_key(index.pack_key)}"
        )


def _read_back_explained(
    store: ObjectStore,
    target: Target,
    stored: StoredObject,
    index: Index,
    index_data: bytes,
    size_bytes: int,
) -> int:
    """The CRC64NVME of the whole pack. If the pack does not match its index, but its own tail is
    intact and has another index, the error says that.
    """
    try:
        with naming(f"s3://{target.bucket}/{index.pack_key}"):
            return _read_back(store, stored, index, index_data, size_bytes)
    except Unsound:
        with contextlib.suppress(BadPack, RequestFailed):
            _compare_tail(store, target, index, index_data)
        raise


def _read_back(
    store: ObjectStore, stored: StoredObject, index: Index, index_data: bytes, size_bytes: int
) -> int:
    """Reads a pack once from front to end, and returns its CRC64NVME. Memory: one range, one
    member's decoder, and the tail.
    """
    _compare_size(stored, size_bytes)
    stream = ObjectStream(store, stored)
    members = sorted(index.members, key=lambda member: (member.offset, member.inner_offset))
    for (offset, length), extent in groupby(
        members, key=lambda member: (member.offset, member.length_bytes)
    ):
        stream.skip_to(offset)
        _check_extent(list(extent), stream.read(length))
    stream.skip_to(index.content_length_bytes)
    if stream.running.crc != index.content_crc64nvme:
        raise VerificationError(
            f"s3://{stored.bucket}/{stored.key}: every member is intact, but bytes between them "
            "have changed"
        )
    tail = b"".join(stream.read(stored.size_bytes - index.content_length_bytes))
    if tail != encode_tail(index.format, index_data, index.content_length_bytes):
        raise VerificationError(
            f"s3://{stored.bucket}/{stored.key}: every member is intact, but the pack's tail is not"
        )
    return stream.running.crc


def _check_extent(members: list[Member], stored: Iterator[bytes]) -> None:
    """Checks the members of one extent of the pack: a single one, or all those of a text block."""
    checks = [MemberCheck(member) for member in members]
    position = 0
    for piece in decode_stored(members[0].encoding, stored):
        for member, check in zip(members, checks, strict=True):
            first, last = (
                member.inner_offset - position,
                member.inner_offset + member.size_bytes - position,
            )
            if last > 0 and first < len(piece):
                check.take(piece[max(0, first) : last])
        position += len(piece)
    for piece in stored:
        if piece:
            raise VerificationError(
                f"{members[0].key}: the pack contains more bytes than its index says"
            )
    for check in checks:
        check.finish()
