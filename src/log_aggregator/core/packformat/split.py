"""Finds where each gzip member of a plain concatenation begins and ends, by streaming it."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from log_aggregator.core.packformat.inflate import (
    GZIP_WBITS,
    INFLATED_BYTES,
    cut_slices,
    inflated_bytes_max,
)
from log_aggregator.errors import BadPack

_MAGIC = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class GzipMember:
    """One gzip member of a concatenation: the position of its bytes, and their SHA-256 in hex."""

    offset: int
    length_bytes: int
    sha256: str


def split_gzip(pieces: Iterable[bytes]) -> Iterator[GzipMember]:
    """The gzip members. Each is inflated and its CRC-32 compared. Zero bytes between and after them
    are padding, as for gzip(1).

    Raises BadPack, which names the byte, if there is anything else between them, if one is damaged
    or a gzip bomb, or if the last is cut short.
    """
    current: _Current | None = None
    offset = 0
    for data in chain.from_iterable(map(cut_slices, pieces)):
        rest = data
        while rest:
            if current is None:
                kept = rest.lstrip(b"\x00")
                offset, rest = offset + len(rest) - len(kept), kept
                current = _Current(offset) if rest else None
            else:
                before = len(rest)
                rest = current.take(rest)
                offset += before - len(rest)
                if current.is_complete:
                    yield current.finish()
                    current = None
    if current is not None:
        current.drain()
        yield current.finish()


class _Current:
    """The gzip member that is being read."""

    def __init__(self, offset: int) -> None:
        self._offset = offset
        self._length_bytes = 0
        self._inflated_bytes = 0
        self._inflater = zlib.decompressobj(GZIP_WBITS)
        self._digest = hashlib.sha256()
        self._begin = b""

    @property
    def is_complete(self) -> bool:
        return self._inflater.eof

    def take(self, data: bytes) -> bytes:
        """Inflates some more. Returns the bytes that are not consumed yet, or belong to the next
        member.
        """
        self._begin = (self._begin + data[:2])[:2]
        rest = self._inflate(data)
        self._digest.update(memoryview(data)[: len(data) - len(rest)])
        self._length_bytes += len(data) - len(rest)
        if self._inflated_bytes > inflated_bytes_max(self._length_bytes):
            raise BadPack(f"the gzip member at byte {self._offset} is a gzip bomb")
        return rest

    def drain(self) -> None:
        """Inflates what zlib still holds back at the end of all bytes. Raises BadPack if the member
        is not whole.
        """
        while not self._inflater.eof:
            try:
                held_back = self._inflater.decompress(b"", INFLATED_BYTES)
            except zlib.error:
                held_back = b""
            if not held_back and not self._inflater.eof:
                raise BadPack(
                    f"the gzip member at byte {self._offset} is cut short"
                    if self._is_gzip
                    else self._foreign
                )

    def finish(self) -> GzipMember:
        return GzipMember(self._offset, self._length_bytes, self._digest.hexdigest())

    @property
    def _is_gzip(self) -> bool:
        return _MAGIC.startswith(self._begin)

    @property
    def _foreign(self) -> str:
        return (
            f"the data at byte {self._offset} is not gzip; only plain concatenations of gzip "
            "files can be adopted"
        )

    def _inflate(self, data: bytes) -> bytes:
        try:
            self._inflated_bytes += len(self._inflater.decompress(data, INFLATED_BYTES))
        except zlib.error:
            raise BadPack(
                f"the gzip member at byte {self._offset} is damaged"
                if self._is_gzip
                else self._foreign
            ) from None
        return self._inflater.unused_data if self._inflater.eof else self._inflater.unconsumed_tail
