"""Logs of one event a line, piece by piece: what is made of a line takes several times its size."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import repeat
from typing import TypeVar

import msgspec

from log_aggregator.core.terms.model import Field
from log_aggregator.core.terms.readers.unparsable import Unparsable
from log_aggregator.core.terms.tally import Tally, Times
from log_aggregator.limits import KIB

PIECE_BYTES = 256 * KIB
_Event = TypeVar("_Event")


def cut_lines(data: bytes) -> Iterator[bytes]:
    """Whole lines, about so many bytes at a time."""
    start = 0
    while start < len(data):
        end = data.find(b"\n", start + PIECE_BYTES) + 1 or len(data)
        yield data[start:end]
        start = end


def read_json_lines(
    data: bytes, decoder: msgspec.json.Decoder[_Event], count: Callable[[Sequence[_Event]], None]
) -> None:
    """Counts the events, piece by piece. Raises Unparsable when all others were counted."""
    damaged = False
    for piece in cut_lines(data):
        try:
            events = decoder.decode_lines(piece)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            events = list(_decode_each(piece, decoder))
            damaged = True
        count(events)
    if damaged:
        raise Unparsable


def _decode_each(piece: bytes, decoder: msgspec.json.Decoder[_Event]) -> Iterator[_Event]:
    for line in piece.splitlines():
        try:
            yield decoder.decode(line)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            continue


def once(*columns: Sequence[str | None]) -> Iterator[Sequence[str | None]]:
    """The columns, in which a value stands once in each row."""
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
    """Counts any number of values of each event."""
    values: list[str | None] = []
    moments: list[int] = []
    for some, time in zip(each, times or repeat(0), strict=False):
        for value in some:
            values.append(value)
            moments.append(time)
    tally.count(field, values, moments if times else None)
