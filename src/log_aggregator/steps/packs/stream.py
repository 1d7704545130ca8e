"""A stored object as a stream from front to end: read by ranges, with one of them in memory, and
with a checksum of everything read.
"""

from __future__ import annotations

from collections.abc import Iterator

from log_aggregator.core.checksums import RunningChecksum
from log_aggregator.errors import VerificationError
from log_aggregator.model import StoredObject
from log_aggregator.ports.store import ObjectStore
from log_aggregator.steps.packs.ranges import READ_BYTES, RangeReader


class ObjectStream:
    """One object, as HeadObject described it. Every range is read on the condition that the object
    has not changed.
    """

    def __init__(self, store: ObjectStore, stored: StoredObject) -> None:
        self._stored = stored
        self._reader = RangeReader.of_stored(store, stored)
        self._held = b""
        self._taken_bytes = 0
        self.running = RunningChecksum()

    def read(self, length_bytes: int) -> Iterator[bytes]:
        """The next bytes, piece by piece. Raises VerificationError if the object ends too soon."""
        left = length_bytes
        while left:
            piece = self._next(left)
            left -= len(piece)
            yield piece

    def skip_to(self, offset: int) -> None:
        """Reads up to an offset. Raises VerificationError if that is already passed."""
        if offset < self.running.length_bytes:
            raise VerificationError(f"{self._stored.key}: members overlap in the index")
        for _ in self.read(offset - self.running.length_bytes):
            pass

    def _next(self, length_bytes_max: int) -> bytes:
        if self._taken_bytes == len(self._held):
            self._held, self._taken_bytes = b"", 0
            first = self.running.length_bytes
            end = min(first + READ_BYTES, self._stored.size_bytes)
            if first >= end:
                raise VerificationError(
                    f"{self._stored.key}: the index points past the end of the pack"
                )
            self._held = self._reader.read(first, end).data
        piece = self._held[
            self._taken_bytes : self._taken_bytes + length_bytes_max
        ]  # a slice of the whole does not copy
        self._taken_bytes += len(piece)
        self.running.take(piece)
        return piece
