"""Verification: the only place where a `VerifiedPack` is made.

"checksum": S3's own CRC64NVME of the whole pack, its size, and the index that describes them. No byte of the pack is read.
"read-back": the whole pack is read again, and every member's hash is compared. So is every pack in a store that reports
no checksum of the whole object.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from itertools import groupby

from log_aggregator.core.checksums import RunningChecksum
from log_aggregator.core.packformat import expected_pack
from log_aggregator.core.packformat.unpack import MemberCheck, decode_stored
from log_aggregator.errors import VerificationError
from log_aggregator.limits import MIB
from log_aggregator.model import Index, Member, StoredObject, Target, VerifiedPack
from log_aggregator.ports import ObjectStore
from log_aggregator.steps.ledger import naming, read_index

_READ_BYTES = 8 * MIB


class Level(StrEnum):
    """How closely a pack is looked at."""

    CHECKSUM = "checksum"
    READ_BACK = "read-back"


def verify_pack(store: ObjectStore, target: Target, pack_key: str, level: Level = Level.CHECKSUM) -> VerifiedPack:
    """Checks a stored pack against its stored index. Raises VerificationError, BadPack, NotFound, ObjectFrozen."""
    index, index_data = read_index(store, target, pack_key)
    stored = store.head_object(target.bucket, pack_key)
    size, crc = expected_pack(index, index_data)
    read_back = None
    if level is Level.READ_BACK or stored.crc64nvme is None:
        with naming(target.bucket, pack_key):
            read_back = _read_back(store, stored, index)
    return VerifiedPack(target, index, stored, size, crc, read_back)


def verify_again(store: ObjectStore, pack: VerifiedPack) -> None:
    """One HEAD, right before deletion: S3 still holds the very object that was verified. Raises VerificationError, NotFound."""
    now = store.head_object(pack.target.bucket, pack.index.pack_key)
    if now != pack.stored:
        raise VerificationError(f"s3://{pack.target.bucket}/{pack.index.pack_key} has changed since it was verified")


def _read_back(store: ObjectStore, stored: StoredObject, index: Index) -> int:
    """Reads all of a pack once, front to end; gives its CRC64NVME. Memory: one read, and one member's decoder."""
    reader = _Reader(store, stored)
    members = sorted(index.members, key=lambda member: (member.offset, member.inner_offset))
    for (offset, length), extent in groupby(members, key=lambda member: (member.offset, member.length_bytes)):
        reader.skip_to(offset)
        _check_extent(list(extent), reader.read(length))
    reader.skip_to(stored.size_bytes)
    return reader.running.crc


def _check_extent(members: list[Member], stored: Iterator[bytes]) -> None:
    """Members that share one extent of the pack: one, or all those of a text block."""
    checks = [MemberCheck(member) for member in members]
    position = 0
    for piece in decode_stored(members[0].encoding, stored):
        for member, check in zip(members, checks, strict=True):
            first, last = member.inner_offset - position, member.inner_offset + member.size_bytes - position
            if last > 0 and first < len(piece):
                check.take(piece[max(0, first) : last])
        position += len(piece)
    for piece in stored:
        if piece:
            raise VerificationError(f"{members[0].key}: there is more in the pack than its index says")
    for check in checks:
        check.finish()


class _Reader:
    """The pack as a stream of pieces, with the checksum of all that has passed."""

    def __init__(self, store: ObjectStore, stored: StoredObject) -> None:
        self._store = store
        self._stored = stored
        self._held = memoryview(b"")
        self.running = RunningChecksum()

    def read(self, length_bytes: int) -> Iterator[bytes]:
        left = length_bytes
        while left:
            piece = self._next(left)
            left -= len(piece)
            yield piece

    def skip_to(self, offset: int) -> None:
        if offset < self.running.length_bytes:
            raise VerificationError(f"{self._stored.key}: members overlap in the index")
        for _ in self.read(offset - self.running.length_bytes):
            pass

    def _next(self, length_bytes_max: int) -> bytes:
        if not self._held:
            first = self.running.length_bytes
            last = min(first + _READ_BYTES, self._stored.size_bytes)
            if first >= last:
                raise VerificationError(f"{self._stored.key}: the index points behind the end of the pack")
            body = self._store.get_object(self._stored.bucket, self._stored.key, if_match=self._stored.etag, byte_range=(first, last))
            self._held = memoryview(body.data)
            if len(self._held) != last - first:
                raise VerificationError(f"{self._stored.key}: a range of it came back with another length")
        piece, self._held = bytes(self._held[:length_bytes_max]), self._held[length_bytes_max:]
        self.running.take(piece)
        return piece
