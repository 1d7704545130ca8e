"""Counts what zlib inflates, so that a test can limit it without a clock."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from unittest import mock

from log_aggregator.core.packformat import inflate

_make_inflater = zlib.decompressobj


@dataclass(slots=True)
class Inflated:
    """How many bytes came out, of all inflaters together, and at most in one piece."""

    total_bytes: int = 0
    piece_bytes_max: int = 0

    def count(self, piece: bytes) -> bytes:
        self.total_bytes += len(piece)
        self.piece_bytes_max = max(self.piece_bytes_max, len(piece))
        return piece


class _CountingInflater:
    def __init__(self, inflated: Inflated, wbits: int) -> None:
        self._inflated = inflated
        self._inner = _make_inflater(wbits)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    @property
    def unconsumed_tail(self) -> bytes:
        return self._inner.unconsumed_tail

    def decompress(self, data: bytes, max_length: int = 0) -> bytes:
        return self._inflated.count(self._inner.decompress(data, max_length))


@contextmanager
def counted_inflating() -> Iterator[Inflated]:
    """Everything inflated by `zlib.decompressobj`, including Python's gzip module."""
    inflated = Inflated()
    with mock.patch.object(
        zlib,
        "decompressobj",
        lambda wbits=zlib.MAX_WBITS: _CountingInflater(inflated, wbits),
    ):
        yield inflated


@contextmanager
def bombs_from(bytes_min: int, ratio_min: int = 100) -> Iterator[None]:
    """Lower limits, so that a bomb is made quickly."""
    with (
        mock.patch.object(inflate, "BOMB_BYTES_MIN", bytes_min),
        mock.patch.object(inflate, "BOMB_RATIO_MIN", ratio_min),
    ):
        yield
