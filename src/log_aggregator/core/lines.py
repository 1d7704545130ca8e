"""Originals as streams of text lines: gzip is inflated, and a missing final newline is added."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

from log_aggregator.core.packformat.contents import looks_like_gzip, looks_like_text
from log_aggregator.core.packformat.inflate import (
    GzipBomb,
    inflate_members,
    inflated_bytes_max,
)
from log_aggregator.errors import NoLines


def iter_lines(pieces: Iterable[bytes], size_bytes: int) -> Iterator[bytes]:
    """The text of an original of `size_bytes`, in pieces that end anywhere; the last one ends in a
    newline. Raises NoLines.
    """
    first, rest = _split_first(pieces)
    if looks_like_gzip(first):
        first, rest = _split_first(_inflate(_chain(first, rest), size_bytes))
    if looks_like_gzip(first) or not looks_like_text(first):
        raise NoLines("binary data, not text")
    last = b"\n"
    for piece in _chain(first, rest):
        if b"\x00" in piece:
            raise NoLines("binary data, not text")
        if piece:
            last = piece[-1:]
            yield piece
    if last != b"\n":
        yield b"\n"


def _split_first(pieces: Iterable[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """The first piece, joined with others until it has the 4 bytes that decide the content kind, if
    there are as many; and the rest.
    """
    rest = iter(pieces)
    first = b""
    for piece in rest:
        first += piece
        if len(first) >= 4:
            break
    return first, rest


def _chain(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _inflate(pieces: Iterable[bytes], size_bytes: int) -> Iterator[bytes]:
    bytes_max = inflated_bytes_max(size_bytes)
    try:
        yield from inflate_members(pieces, bytes_max)
    except (zlib.error, EOFError):
        raise NoLines("damaged gzip") from None
    except GzipBomb:
        raise NoLines(f"a gzip bomb: it inflates to more than {bytes_max:,} bytes") from None
