"""Gzip members with the same header and trailer on every system and Python; only the deflate stream
depends on zlib.
"""

from __future__ import annotations

import struct
import zlib

GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
"""No name, no time, unknown system (RFC 1952)."""

_LEVEL = 6


def encode_gzip(data: bytes | bytearray) -> bytes:
    """One gzip member that inflates to `data`."""
    member = GzipEncoder()
    return member.begin() + member.take(data) + member.finish()


class GzipEncoder:
    """One gzip member, piece by piece."""

    def __init__(self) -> None:
        self._deflater = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
        self._crc32 = 0
        self._length_bytes = 0

    def begin(self) -> bytes:
        return GZIP_HEADER

    def take(self, data: bytes | bytearray) -> bytes:
        self._crc32 = zlib.crc32(data, self._crc32)
        self._length_bytes += len(data)
        return self._deflater.compress(data)

    def finish(self) -> bytes:
        return self._deflater.flush() + struct.pack(
            "<II", self._crc32, self._length_bytes & 0xFFFFFFFF
        )
