"""What was seen in one pack so far, in memory that is bounded.

Values are kept as they stand in the events until they are frozen: what costs time by the value
(normalising, sorting, compressing) is done once a pack, and not once an event.
"""

from __future__ import annotations

import zlib
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from heapq import merge
from typing import Any

import msgspec

from log_aggregator.core.terms.model import Field, Sighting, Term
from log_aggregator.core.terms.normalise import VALUE_CHARS_MAX, term_of
from log_aggregator.limits import KIB, MIB

Keep = Callable[[Field, str], Term]
"""Makes the term that is kept of a field and of the value that an event has in it."""

WEIGHT_MAX = 6 * MIB
"""From this size on what was seen is frozen: sorted and compressed."""
FROZEN_BYTES_MAX = 12 * MIB
"""All frozen terms of a pack; no more are taken then. About a million different ones."""
MEMBER_TERMS_MAX = 100_000
"""Different terms that one member may bring which no other had before."""

_ENTRY_WEIGHT = 360
"""Bytes of memory that one value takes, besides its text: measured."""
_PLACE_WEIGHT = 4
_ARRAY_WEIGHT = 96

Entry = list[Any]
"""[count, first, last, places]: a list, which is half as large as an object, and changed in place.
`places` is one number, or an array of them, in the order in which they came.
"""
Row = tuple[str, str, int, int | None, int | None, list[int]]
"""(field, value, count, first, last, places), as the frozen terms are sorted and merged."""


_ROWS = msgspec.json.Encoder()
_FROZEN_ROWS = msgspec.json.Decoder(Row)


class TooMany(Exception):
    """There is no room for more terms."""


class Tally:
    """Counts values by field, in one member after the other."""

    def __init__(self, keep: Keep = term_of) -> None:
        self._keep = keep
        self._seen: dict[Field, dict[str, Entry]] = {field: {} for field in Field}
        self._place = 0
        self._weight = 0
        self._new = 0
        self._runs: list[bytes] = []
        self._frozen_bytes = 0

    def begin_member(self, place: int) -> None:
        """Raises TooMany."""
        self._place = place
        self._new = 0
        self.make_room()

    def make_room(self) -> None:
        """To be called now and then within large members. Raises TooMany."""
        if self._weight >= WEIGHT_MAX:
            self._freeze()
        if self._frozen_bytes >= FROZEN_BYTES_MAX:
            raise TooMany

    def count(
        self, field: Field, values: Iterable[str | None], times: Sequence[int] | None
    ) -> None:
        """Values of one field, and the times of their events beside them (None: they tell none).
        An empty value is none. Raises TooMany.
        """
        seen, place, new = self._seen[field], self._place, 0
        if times is None:
            self._count_timeless(field, values)
            return
        for value, time in zip(values, times, strict=True):
            entry = seen.get(value)  # type: ignore[arg-type]  # None is never a key
            if entry is None:
                if value:
                    new += self._begin(seen, value, time)
                continue
            entry[0] += 1
            if time > entry[2]:
                entry[2] = time
            elif time < entry[1]:
                entry[1] = time
            if entry[3] != place:
                self._add_place(entry)
        self._charge(new)

    def finish(self, places: Mapping[int, int]) -> Iterator[Sighting]:
        """All sightings, sorted by term; `places` translates those of the members. The tally is
        empty then.
        """
        runs: list[Iterable[Row]] = [_read_run(run) for run in self._runs]
        runs.append(self._drain())
        self._runs = []
        for row in _join(merge(*runs, key=_term_of_row)):
            field, value, count, first, last, seen_in = row
            members = tuple(sorted({places[place] for place in seen_in}))
            yield Sighting(Term(Field(field), value), count, first, last, members)

    def _count_timeless(self, field: Field, values: Iterable[str | None]) -> None:
        """As `count`; a term that has a time elsewhere keeps it."""
        seen, new = self._seen[field], 0
        for value in filter(None, values):
            entry = seen.get(value)
            if entry is None:
                new += self._begin(seen, value, None)
            else:
                entry[0] += 1
                self._add_place(entry)
        self._charge(new)

    def _begin(self, seen: dict[str, Entry], value: str, time: int | None) -> int:
        """A value that is new, as far as it is kept. Returns how many terms that adds."""
        value = value[:VALUE_CHARS_MAX]
        self._weight += _ENTRY_WEIGHT + len(value)
        entry = seen.get(value)
        if entry is None:
            seen[value] = [1, time, time, self._place]
            return 1
        _join_times(entry, time, time)
        entry[0] += 1
        self._add_place(entry)
        return 0

    def _add_place(self, entry: Entry) -> None:
        places = entry[3]
        if isinstance(places, int):
            if places != self._place:
                entry[3] = array("I", (places, self._place))
                self._weight += _ARRAY_WEIGHT
        elif places[-1] != self._place:
            places.append(self._place)
            self._weight += _PLACE_WEIGHT

    def _charge(self, new: int) -> None:
        self._new += new
        if self._new > MEMBER_TERMS_MAX:
            raise TooMany
        if self._weight >= WEIGHT_MAX:
            self.make_room()

    def _freeze(self) -> None:
        deflater = zlib.compressobj(1)
        pieces = [deflater.compress(_ROWS.encode(row) + b"\n") for row in self._drain()]
        run = b"".join((*pieces, deflater.flush()))
        self._runs.append(run)
        self._frozen_bytes += len(run)

    def _drain(self) -> list[Row]:
        """What was seen, by term as it is kept, sorted; and forgets it."""
        rows: list[Row] = []
        for field, seen in self._seen.items():
            for value, (count, first, last, places) in seen.items():
                term = self._keep(field, value)
                members = [places] if isinstance(places, int) else places.tolist()
                rows.append((term.field.value, term.value, count, first, last, members))
            seen.clear()
        self._weight = 0
        rows.sort(key=_term_of_row)
        return list(_join(rows))


def _term_of_row(row: Row) -> tuple[str, str]:
    return row[0], row[1]


def _join(rows: Iterable[Row]) -> Iterator[Row]:
    """Rows of the same term, which follow one another, become one."""
    joined: Row | None = None
    for row in rows:
        if joined is None or _term_of_row(joined) != _term_of_row(row):
            if joined is not None:
                yield joined
            joined = row
        else:
            times: Entry = [0, joined[3], joined[4], None]
            _join_times(times, row[3], row[4])
            count, places = joined[2] + row[2], joined[5] + row[5]
            joined = (row[0], row[1], count, times[1], times[2], places)
    if joined is not None:
        yield joined


def _join_times(entry: Entry, first: int | None, last: int | None) -> None:
    if first is None or last is None:
        return
    if entry[1] is None:
        entry[1:3] = first, last
    else:
        entry[1:3] = min(first, entry[1]), max(last, entry[2])


def _read_run(run: bytes) -> Iterator[Row]:
    inflater, rest = zlib.decompressobj(), b""
    while not inflater.eof:
        rest += inflater.decompress(run, _RUN_PIECE_BYTES)
        run = inflater.unconsumed_tail
        *lines, rest = rest.split(b"\n")
        yield from map(_FROZEN_ROWS.decode, lines)


_RUN_PIECE_BYTES = 32 * KIB
