"""Reads logs with one event in each line, piece by piece, because parsed lines take several times
their size in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import repeat
from typing import TypeVar

import msgspec

from log_aggregator.core.terms.model import Field
from log_aggregator.core.terms.readers.records import UNREADABLE
from log_aggregator.core.terms.readers.unparsable import TooLarge, Unparsable
from log_aggregator.core.terms.tally import Tally, Times
from log_aggregator.limits import KIB

PIECE_BYTES = 64 * KIB
LINE_BYTES_MAX = 256 * KIB
"""No log has longer lines. A long line of short words or empty lists would take a lot of memory."""
_Event = TypeVar("_Event")


class Pieces:
    """Whole lines of a log, about PIECE_BYTES at a time, without lines that are too long."""

    def __init__(self, data: bytes, start: int = 0) -> None:
        self._data, self._start = data, start
        self._has_long = False

    def __iter__(self) -> Iterator[bytes]:
        data, start = self._data, self._start
        while start < len(data):
            end = data.rfind(b"\n", start, start + PIECE_BYTES) + 1
            end = end or data.find(b"\n", start + PIECE_BYTES) + 1 or len(data)
            if end - start > LINE_BYTES_MAX:
                self._has_long = True
            else:
                yield data[start:end]
            start = end

    def check(self) -> None:
        """To be called after the last piece. Raises TooLarge if lines were left out."""
        if self._has_long:
            raise TooLarge


def read_json_lines(
    data: bytes, decoder: msgspec.json.Decoder[_Event], count: Callable[[Sequence[_Event]], None]
) -> None:
    """Counts the events, piece by piece. If some cannot be decoded, raises Unparsable after the
    others were counted.
    """
    damaged = False
    pieces = Pieces(data)
    for piece in pieces:
        try:
            events = decoder.decode_lines(piece)
        except UNREADABLE:
            events = list(_decode_each(piece, decoder))
            damaged = True
        count(events)
    pieces.check()
    if damaged:
        raise Unparsable


def _decode_each(piece: bytes, decoder: msgspec.json.Decoder[_Event]) -> Iterator[_Event]:
    for line in piece.split(b"\n"):
        try:
            yield decoder.decode(line)
        except UNREADABLE:
            continue


def once(*columns: Sequence[str | None]) -> Iterator[Sequence[str | None]]:
    """The columns, with each value only once in a row."""
    for number, column in enumerate(columns):
        earlier = columns[:number]
        yield (
            column
            if not earlier
            else [
                None if value in before else value
                for value, before in zip(column, zip(*earlier, strict=True), strict=True)
            ]
        )


def count_sets(
    field: Field, each: Sequence[Iterable[str | None]], times: Times, tally: Tally
) -> None:
    """Counts any number of values for each event."""
    values: list[str | None] = []
    moments: list[int] = []
    for some, time in zip(each, times or repeat(0), strict=False):
        for value in some:
            values.append(value)
            moments.append(time)
    tally.count(field, values, moments if times else None)
