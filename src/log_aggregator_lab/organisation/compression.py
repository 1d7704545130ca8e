"""gzip as AWS writes it: one member, an empty header (no name, no time, no system)."""

from __future__ import annotations

import struct
import zlib
from itertools import pairwise

# Java's GZIPOutputStream, which AWS's services use, writes these ten bytes
_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x00"
_STORED_BYTES_MAX = 65_535


def gzip_member(data: bytes, level: int = 6) -> bytes:
    """One gzip member. Level 0 does not use zlib, so its bytes are the same on every machine."""
    body = _stored(data) if level == 0 else _deflated(data, level)
    return b"".join((_HEADER, body, struct.pack("<II", zlib.crc32(data), len(data) & 0xFFFFFFFF)))


def truncated(member: bytes) -> bytes:
    """A member whose last third is missing, as after a broken upload."""
    return member[: max(len(member) * 2 // 3, 11)]


def _deflated(data: bytes, level: int) -> bytes:
    compressor = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS)
    return compressor.compress(data) + compressor.flush()


def _stored(data: bytes) -> bytes:
    """DEFLATE's stored blocks (RFC 1951, 3.2.4): a byte that marks the last one, the length, its
    complement, the bytes.
    """
    bounds = [*range(0, len(data), _STORED_BYTES_MAX), len(data)] if data else [0, 0]
    pieces: list[bytes] = []
    for first, last in pairwise(bounds):
        length = last - first
        pieces += (
            struct.pack("<BHH", last == len(data), length, length ^ 0xFFFF),
            data[first:last],
        )
    return b"".join(pieces)
