"""What a log object's bytes really are. Keys and headers promise; only the bytes say."""

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
"""So much of what a member inflates to is kept until it is in the pack. One member of each group is
here at a time.
"""


class Shape(StrEnum):
    """What may be done with the bytes in a gzip pack."""

    GZIP = "gzip"  # whole gzip members and nothing else: may be concatenated as they are
    TEXT = "text"  # may be put into a gzip block
    SEALED = "sealed"  # must not be inflated by a reader of the pack: damaged, a bomb, binary data


@dataclass(frozen=True, slots=True)
class Contents:
    """`lacks_newline`: inflated, it is text that does not end in a newline, so that the next member
    would join its last line. `inflated`: all of it, where that is little and the gzip is whole, for
    whoever reads it while it is here; not to be kept for longer.
    """

    shape: Shape
    lacks_newline: bool = False
    flags: tuple[str, ...] = ()
    inflated: bytes | None = field(default=None, compare=False, repr=False)


def inspect(data: bytes, *, promises_gzip: bool) -> Contents:
    """Looks at all of `data`, unless it is a gzip bomb. Memory: 2 MiB of what it inflates to, twice
    while they are put together.
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
    """Text has no zero bytes; binary formats of more than a few bytes do."""
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
    is_text = ends.first != _GZIP_MAGIC
    lacks_newline = is_text and ends.last not in (b"", b"\n")
    return Contents(Shape.GZIP, lacks_newline=lacks_newline, inflated=ends.whole)


def _inflate_at_once(data: bytes) -> bytes | None:
    """What one whole gzip member inflates to, by zlib-ng, which takes half of zlib's time. None
    where it says anything else than that: the judge is zlib.

    It was never seen to accept what zlib refuses (`make fuzz` looks for it); other fast ones, isal
    and libdeflate, do. One call, because each takes the interpreter's lock anew.
    """
    inflater = zlib_ng.decompressobj(GZIP_WBITS)
    try:
        whole: bytes = inflater.decompress(data, INFLATED_BYTES)
    except zlib_ng.error:  # type: ignore[misc]  # its stubs do not say that it is an exception
        return None
    return whole if inflater.eof and not inflater.unused_data else None


@dataclass(frozen=True, slots=True)
class _Ends:
    """The first two and the last byte of what something inflates to, and all of it if it is
    little.
    """

    first: bytes
    last: bytes
    whole: bytes | None


def _inflate_ends(data: bytes) -> _Ends | None:
    """Over all its members; None where it is not whole gzip. Raises GzipBomb."""
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
    """Pieces, as long as they are not too many."""

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
