"""Empty gzip members that carry bytes in their extra field, where no reader that inflates ever sees
them (RFC 1952, FEXTRA).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from log_aggregator.errors import BadPack
from log_aggregator.limits import EXTRA_PIECE_BYTES_MAX

INDEX_PIECE = b"LI"
SEALED_PIECE = b"LS"
FILLER = b"LF"
LOCATOR = b"LT"

# FEXTRA, no time, unknown system: the same bytes on every machine
_HEADER = b"\x1f\x8b\x08\x04\x00\x00\x00\x00\x00\xff"
_EMPTY = b"\x03\x00" + b"\x00" * 8  # an empty deflate stream, CRC-32 and length of nothing
OVERHEAD_BYTES = len(_HEADER) + 2 + 4 + len(_EMPTY)
"""What an extra member is longer than its payload."""

NEWLINE = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff\xe3\x02\x00" + struct.pack(
    "<II", zlib.crc32(b"\n"), 1
)
"""A gzip member that holds one newline."""


def encode_extra(subfield: bytes, payload: bytes) -> bytes:
    """One empty gzip member with `payload` (at most EXTRA_PIECE_BYTES_MAX) in its extra field."""
    if len(payload) > EXTRA_PIECE_BYTES_MAX:
        raise ValueError(f"an extra field holds at most {EXTRA_PIECE_BYTES_MAX} bytes here")
    return (
        _HEADER + struct.pack("<H2sH", len(payload) + 4, subfield, len(payload)) + payload + _EMPTY
    )


def encode_pieces(subfield: bytes, data: bytes) -> Iterator[bytes]:
    """`data` over as many extra members as it takes; at least one."""
    for start in range(0, max(len(data), 1), EXTRA_PIECE_BYTES_MAX):
        yield encode_extra(subfield, data[start : start + EXTRA_PIECE_BYTES_MAX])


def decode_pieces(subfield: bytes, data: bytes) -> bytes:
    """The inverse of `encode_pieces`. Raises BadPack where `data` is anything but such members, end
    to end.
    """
    found, position = [], 0
    while position < len(data):
        payload = decode_extra(subfield, data, position)
        found.append(payload)
        position += len(payload) + OVERHEAD_BYTES
    return b"".join(found)


def decode_extra(subfield: bytes, data: bytes, position: int) -> bytes:
    """The payload of the extra member at `position`. Raises BadPack."""
    fixed = data[position : position + len(_HEADER) + 6]
    if len(fixed) < len(_HEADER) + 6 or not fixed.startswith(_HEADER):
        raise BadPack(f"no extra member at byte {position}")
    extra_length, name, length = struct.unpack("<H2sH", fixed[len(_HEADER) :])
    start = position + len(fixed)
    if (
        name != subfield
        or extra_length != length + 4
        or data[start + length : start + length + len(_EMPTY)] != _EMPTY
    ):
        raise BadPack(f"no whole extra member {subfield.decode()} at byte {position}")
    return data[start : start + length]
