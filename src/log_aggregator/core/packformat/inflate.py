"""Inflates streams of gzip in bounded memory."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

from log_aggregator.limits import BOMB_BYTES_MIN, BOMB_RATIO_MIN, KIB

INFLATED_BYTES = 256 * KIB
"""At most this much is inflated at a time, so that data that inflates a thousandfold costs time but
no memory.
"""

SLICE_BYTES = 64 * KIB
"""At most this much is passed to zlib at a time, because it copies what it has not consumed."""

GZIP_WBITS = zlib.MAX_WBITS | 16
"""zlib's window bits for gzip: one member only, so that the end of each is noticed."""


class GzipBomb(Exception):
    """It inflates to more than any log of that size would."""


def inflated_bytes_max(size_bytes: int) -> int:
    """The size to which a log object of `size_bytes` may inflate; more is a gzip bomb."""
    return max(BOMB_BYTES_MIN, BOMB_RATIO_MIN * size_bytes)


def inflate_members(pieces: Iterable[bytes], bytes_max: int) -> Iterator[bytes]:
    """All gzip members of a stream, as one. Raises zlib.error, EOFError, and GzipBomb if they
    inflate to more than `bytes_max`; at most one byte more is inflated.
    """
    allowance = _Allowance(bytes_max)
    inflater = zlib.decompressobj(GZIP_WBITS)
    for piece in pieces:
        rest = piece
        while rest:
            if inflater.eof:
                inflater = zlib.decompressobj(GZIP_WBITS)
            yield allowance.inflate(inflater, rest)
            rest = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
    while not inflater.eof:
        held_back = allowance.inflate(inflater, b"")
        if not held_back and not inflater.eof:
            raise EOFError
        yield held_back


def inflate_whole(data: bytes, bytes_max: int) -> bytes:
    """All members of whole gzip, in one piece. Raises GzipBomb if that is more than `bytes_max`,
    before it is inflated; zlib.error and EOFError if it is not whole gzip.
    """
    return b"".join(inflate_members(cut_slices(data), bytes_max))


class _Allowance:
    """The number of bytes to which all members together may still inflate.

    It is exact to the byte, so that whether damage or the limit is noticed first depends only on
    the bytes and not on the sizes of the pieces.
    """

    def __init__(self, bytes_max: int) -> None:
        self._left_bytes = bytes_max

    def inflate(self, inflater: zlib._Decompress, data: bytes) -> bytes:
        inflated = inflater.decompress(data, min(INFLATED_BYTES, self._left_bytes + 1))
        self._left_bytes -= len(inflated)
        if self._left_bytes < 0:
            raise GzipBomb
        return inflated


def cut_slices(data: bytes) -> Iterator[bytes]:
    """Pieces that are small enough for zlib."""
    view = memoryview(data)
    for start in range(0, len(view), SLICE_BYTES):
        yield bytes(view[start : start + SLICE_BYTES])
