"""Reads the bytes of packs: ranges read ahead, the ranges of a pack as one stream with gaps, and
what its extents decode to.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from log_aggregator.core.packformat.extents import Extent
from log_aggregator.core.packformat.unpack import decode_stored
from log_aggregator.errors import (
    BadPack,
    GroupFailed,
    StoreError,
    VerificationError,
)
from log_aggregator.model import Member
from log_aggregator.ports.store import ObjectStore
from log_aggregator.steps.packs.index import naming
from log_aggregator.steps.packs.ranges import PackReader
from log_aggregator.steps.retrieval.find import FoundPack


@dataclass(frozen=True, slots=True)
class PackRead:
    """A range of a pack to read, [first, last)."""

    pack: FoundPack
    first: int
    last: int


Answer = bytes | StoreError | VerificationError
"""The result of a read."""


class ReadAhead:
    """Reads ranges in the workers' threads. A pack that was refused once is not tried again."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._refused: dict[tuple[str, str], StoreError] = {}

    def read(self, read: PackRead) -> Answer:
        bucket, key = read.pack.target.bucket, read.pack.pack_key
        if (refused := self._refused.get((bucket, key))) is not None:
            return refused
        try:
            return PackReader(self._store, bucket, key).read(read.first, read.last).data
        except StoreError as error:
            return self._refused.setdefault((bucket, key), error)
        except VerificationError as error:
            return error


class PackRanges:
    """The ranges of one pack that were read, as one stream with gaps."""

    def __init__(self, ranges: Sequence[tuple[int, int]], answers: Iterator[Answer]) -> None:
        self._waiting = list(reversed(ranges))
        self._answers = answers
        self._first = self._last = 0
        self._held: Answer = b""

    def read(self, first: int, last: int) -> Iterator[bytes]:
        """Bytes [first, last). Earlier bytes cannot be read any more."""
        while first < last:
            while first >= self._last:
                self._next()
            if not isinstance(self._held, bytes):
                raise self._held
            end = min(last, self._last)
            yield self._held[first - self._first : end - self._first]
            first = end

    def finish(self) -> None:
        """Drops the ranges that were not consumed, so that the next pack's answers come next."""
        while self._waiting:
            self._next()

    def _next(self) -> None:
        self._first, self._last = self._waiting.pop()
        self._held = next(self._answers)


class DecodedExtent:
    """The decoded bytes of an extent, from which its members are cut one after the other."""

    def __init__(self, extent: Extent, ranges: PackRanges, pack: FoundPack) -> None:
        self._pieces = decode_stored(extent.encoding, ranges.read(extent.first, extent.last))
        self._pack = pack
        self._position = 0
        self._held = b""
        self._error: GroupFailed | None = None

    def cut(self, member: Member) -> Iterator[bytes]:
        """The member's bytes. After an error every further call raises it again: nothing after a
        damaged place can be decoded.
        """
        if self._error is not None:
            raise self._error
        try:
            with naming(self._pack.where):
                yield from self._cut(member.inner_offset, member.inner_offset + member.size_bytes)
        except GroupFailed as error:
            self._error = error
            raise

    def _cut(self, first: int, last: int) -> Iterator[bytes]:
        if first < self._position:
            raise BadPack("members overlap in the index")
        while self._position < last:
            if not self._held:
                piece = next(self._pieces, None)
                if piece is None:
                    return  # too short; the member's own check reports it
                self._held = piece
            skip = min(len(self._held), max(0, first - self._position))
            piece = self._held[skip : last - self._position]
            self._position += skip + len(piece)
            self._held = self._held[skip + len(piece) :]
            if piece:
                yield piece
