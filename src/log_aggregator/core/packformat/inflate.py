"""Gzip inflated as it comes, in bounded memory."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

from log_aggregator.limits import BOMB_BYTES_MIN, BOMB_RATIO_MIN, KIB

INFLATED_BYTES = 256 * KIB
"""At most so much at a time: what inflates a thousandfold costs time, never memory."""

SLICE_BYTES = 64 * KIB
"""At most so much is given to zlib at a time: it copies what it has not taken."""

GZIP_WBITS = zlib.MAX_WBITS | 16
"""zlib's window bits for a gzip member."""


class GzipBomb(Exception):
    """More came out than any log of that size has in it."""


def inflated_bytes_max(size_bytes: int) -> int:
    """What a log object of `size_bytes` may inflate to: beyond it is a gzip bomb."""
    return max(BOMB_BYTES_MIN, BOMB_RATIO_MIN * size_bytes)


def inflate_members(pieces: Iterable[bytes], bytes_max: int) -> Iterator[bytes]:
    """All gzip members of a stream, as one. Raises zlib.error, EOFError, and GzipBomb where they
    inflate to more than `bytes_max`; no more than one byte beyond that is ever inflated.
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
    """All members of whole gzip, in one piece. Raises GzipBomb where that is more than `bytes_max`,
    which is seen before it is here; zlib.error and EOFError where it is no whole gzip.
    """
    return b"".join(inflate_members(cut_slices(data), bytes_max))


class _Allowance:
    """How much may still come out of all members together.

    It is counted to the byte, so that whether damage or the limit comes first depends on the bytes
    alone, and not on the sizes of the pieces.
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
