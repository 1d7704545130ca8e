"""Gzip inflated as it comes, in bounded memory."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

from log_aggregator.limits import KIB

INFLATED_BYTES = 256 * KIB
"""At most so much at a time: what inflates a thousandfold costs time, never memory."""

SLICE_BYTES = 64 * KIB
"""At most so much is given to zlib at a time: it copies what it has not taken."""

GZIP_WBITS = zlib.MAX_WBITS | 16
"""zlib's window bits for a gzip member."""


def inflate_members(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """All gzip members of a stream, as one. Raises zlib.error, EOFError."""
    inflater = zlib.decompressobj(GZIP_WBITS)
    for piece in pieces:
        rest = piece
        while rest:
            if inflater.eof:
                inflater = zlib.decompressobj(GZIP_WBITS)
            yield inflater.decompress(rest, INFLATED_BYTES)
            rest = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
    while not inflater.eof:
        held_back = inflater.decompress(b"", INFLATED_BYTES)
        if not held_back and not inflater.eof:
            raise EOFError
        yield held_back


def cut_slices(data: bytes) -> Iterator[bytes]:
    """Pieces that are small enough for zlib."""
    view = memoryview(data)
    for start in range(0, len(view), SLICE_BYTES):
        yield bytes(view[start : start + SLICE_BYTES])
