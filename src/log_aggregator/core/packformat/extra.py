"""Empty gzip members that carry bytes in their extra field, which no reader that inflates ever sees
(RFC 1952, section 2.3.1, FEXTRA).

The length of an extra field has 16 bits, so longer data takes several members. Pieces are far below
64 KiB, because some readers refuse longer fields: DuckDB above 32,768 bytes.
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

# FEXTRA, no time, unknown system, so that the bytes are the same on every machine.
_HEADER = b"\x1f\x8b\x08\x04\x00\x00\x00\x00\x00\xff"
_EMPTY = b"\x03\x00" + b"\x00" * 8  # an empty deflate stream, CRC-32 and length of nothing
OVERHEAD_BYTES = len(_HEADER) + 2 + 4 + len(_EMPTY)
"""The length of an extra member minus that of its payload."""

NEWLINE = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff\xe3\x02\x00" + struct.pack(
    "<II", zlib.crc32(b"\n"), 1
)
"""A gzip member that inflates to one newline."""


def encode_extra(subfield: bytes, payload: bytes) -> bytes:
    """One empty gzip member with `payload` (at most EXTRA_PIECE_BYTES_MAX) in its extra field."""
    if len(payload) > EXTRA_PIECE_BYTES_MAX:
        raise ValueError(f"expected at most {EXTRA_PIECE_BYTES_MAX} bytes, not {len(payload)}")
    return (
        _HEADER + struct.pack("<H2sH", len(payload) + 4, subfield, len(payload)) + payload + _EMPTY
    )


def encode_pieces(subfield: bytes, data: bytes) -> Iterator[bytes]:
    """`data` in as many extra members as needed, at least one."""
    for start in range(0, max(len(data), 1), EXTRA_PIECE_BYTES_MAX):
        yield encode_extra(subfield, data[start : start + EXTRA_PIECE_BYTES_MAX])


def decode_pieces(subfield: bytes, data: bytes) -> bytes:
    """The inverse of `encode_pieces`. Raises BadPack if `data` is anything but a sequence of these
    members.
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
        raise BadPack(f"there is no extra member at byte {position}")
    extra_length, name, length = struct.unpack("<H2sH", fixed[len(_HEADER) :])
    start = position + len(fixed)
    if (
        name != subfield
        or extra_length != length + 4
        or data[start + length : start + length + len(_EMPTY)] != _EMPTY
    ):
        raise BadPack(f"there is no whole extra member {subfield.decode()} at byte {position}")
    return data[start : start + length]
