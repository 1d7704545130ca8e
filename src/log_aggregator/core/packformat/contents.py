"""What a log object's bytes really are. Its key and headers may be wrong; only the bytes decide.

CloudTrail and Config store gzip with Content-Encoding: gzip, other services only with a suffix, and
some objects called .gz are plain text.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from enum import StrEnum

from zlib_ng import zlib_ng

from log_aggregator.core.packformat.inflate import (
    GZIP_WBITS,
    INFLATED_BYTES,
    SLICE_BYTES,
    GzipBomb,
    cut_slices,
    inflate_members,
    inflated_bytes_max,
)
from log_aggregator.limits import MIB

_GZIP_MAGIC = b"\x1f\x8b"
KEPT_BYTES_MAX = 2 * MIB
"""A member's inflated bytes are kept up to this size until the member is in the pack, so that its
terms can be read from them. There is one member of each group at a time.
"""


class Shape(StrEnum):
    """How a gzip pack can hold the bytes."""

    GZIP = "gzip"  # whole gzip members and nothing else: may be concatenated as they are
    TEXT = "text"  # may be put into a gzip block
    SEALED = "sealed"  # damaged, a bomb or binary: must be hidden from readers of the pack


@dataclass(frozen=True, slots=True)
class Contents:
    """`lacks_newline`: inflated, it is text that does not end in a newline, so that the next member
    would join its last line. `inflated`: all inflated bytes if they are few and the gzip is whole;
    they should not be kept for long.
    """

    shape: Shape
    lacks_newline: bool = False
    flags: tuple[str, ...] = ()
    inflated: bytes | None = field(default=None, compare=False, repr=False)


def inspect(data: bytes, *, promises_gzip: bool) -> Contents:
    """Inspects all of `data`, unless it is a gzip bomb. It takes 2 MiB of memory for the inflated
    bytes, and twice that while they are joined.
    """
    if data.startswith(_GZIP_MAGIC):
        return _inspect_gzip(data)
    flags = ("not-gzip",) if promises_gzip else ()
    if looks_like_text(data):
        return Contents(Shape.TEXT, bool(data) and not data.endswith(b"\n"), flags)
    return Contents(Shape.SEALED, flags=(*flags, "binary"))


def looks_like_gzip(head: bytes) -> bool:
    return head.startswith(_GZIP_MAGIC)


def looks_like_text(head: bytes) -> bool:
    """Text has no zero bytes; binary formats of more than a few bytes have some."""
    # Parquet, zip, zstd, bzip2, xz.
    return b"\x00" not in head and not head.startswith(
        (b"PAR1", b"PK\x03\x04", b"\x28\xb5\x2f\xfd", b"BZh", b"\xfd7zXZ")
    )


def _inspect_gzip(data: bytes) -> Contents:
    try:
        ends = _inflate_ends(data)
    except GzipBomb:
        return Contents(Shape.SEALED, flags=("gzip-bomb",))
    if ends is None:
        return Contents(Shape.SEALED, flags=("damaged-gzip",))
    is_text = ends.first != _GZIP_MAGIC  # Firehose may deliver gzip inside gzip
    lacks_newline = is_text and ends.last not in (b"", b"\n")
    return Contents(Shape.GZIP, lacks_newline=lacks_newline, inflated=ends.whole)


def _inflate_at_once(data: bytes) -> bytes | None:
    """Inflates one whole gzip member with zlib-ng, in half of zlib's time. None in any other case;
    then zlib decides.

    zlib-ng was never seen to accept what zlib refuses (`make fuzz` looks for that); isal and
    libdeflate, which are fast too, do. It is one call, because each call takes the interpreter's
    lock again.
    """
    inflater = zlib_ng.decompressobj(GZIP_WBITS)
    try:
        whole: bytes = inflater.decompress(data, INFLATED_BYTES)
    except zlib_ng.error:  # type: ignore[misc]  # its stubs do not say that it is an exception
        return None
    return whole if inflater.eof and not inflater.unused_data else None


@dataclass(frozen=True, slots=True)
class _Ends:
    """The first two and the last of the inflated bytes, and all of them if they are few."""

    first: bytes
    last: bytes
    whole: bytes | None


def _inflate_ends(data: bytes) -> _Ends | None:
    """Over all gzip members of `data`; None if it is not whole gzip. Raises GzipBomb."""
    # Nearly every log is one small member.
    whole = _inflate_at_once(data) if len(data) <= SLICE_BYTES else None
    if whole is not None:
        return _Ends(whole[:2], whole[-1:], whole)
    first, last, kept = b"", b"", _Kept()
    try:
        for piece in inflate_members(cut_slices(data), inflated_bytes_max(len(data))):
            first = first if len(first) > 1 else (first + piece[:2])[:2]
            last = piece[-1:] or last
            kept.take(piece)
    except (zlib.error, EOFError):
        return None
    return _Ends(first, last, kept.join())


class _Kept:
    """Collects pieces, unless they have too many bytes."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._left_bytes = KEPT_BYTES_MAX

    def take(self, piece: bytes) -> None:
        self._left_bytes -= len(piece)
        if self._left_bytes < 0:
            self._pieces.clear()
        else:
            self._pieces.append(piece)

    def join(self) -> bytes | None:
        return b"".join(self._pieces) if self._left_bytes >= 0 else None
