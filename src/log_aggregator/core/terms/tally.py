"""Counts the values in one pack, in bounded memory.

Values are kept as they are in the events until they are frozen, so that slow work (normalising,
sorting, compressing) is done once for each value of a pack and not for each event.
"""

from __future__ import annotations

import zlib
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from heapq import merge
from itertools import repeat
from typing import Any, NamedTuple

import msgspec

from log_aggregator.core.terms.model import Field, PlainSighting
from log_aggregator.core.terms.normalise import VALUE_CHARS_MAX, to_keep
from log_aggregator.limits import KIB, MIB

Times = Sequence[int] | None
"""The times of events, in their order; None if they have none."""

Keep = Callable[[Field, str], tuple[Field, str]]
"""(field, value of an event) -> (field, value to keep)."""

WEIGHT_MAX = 3 * MIB
"""When counted values take this much memory, they are frozen: sorted and compressed."""
FROZEN_BYTES_MAX = 3 * MIB
"""The limit of frozen terms in a pack, about 200,000 random ones; no more are taken then."""
MEMBER_TERMS_MAX = 100_000
"""The limit of new terms in one member, that is terms that no earlier member had."""

_ENTRY_WEIGHT = 360
"""Bytes of memory for one value, without its text. 230 were measured; sorting takes more."""
_GROUP_WEIGHT = 1_000
"""Bytes for its tuple and texts, and for its terms while it is frozen."""
_MARK_WEIGHT = 64
_PLACE_WEIGHT = 4
_ARRAY_WEIGHT = 96

Group = tuple[str | None, ...]
"""Values of one event that often come together, such as everything that is known about a caller."""

Expand = Callable[[Group], Iterable[tuple[Field, str]]]
"""The terms of a group, each once."""

Entry = list[Any]
"""[count, first, last, place, places]: a list, because it is changed in place for each event.
`place` is that of the newest member, `places` an array of all, or None while there is only one.
"""
Row = tuple[Field, str, int, int, int, list[int]]
"""(field, value, count, first, last, places), the form in which terms are frozen and merged."""


_ROWS = msgspec.json.Encoder()
_FROZEN_ROWS = msgspec.json.Decoder(Row)


class Span(NamedTuple):
    """A number of events, and the times of the first and the last."""

    events: int
    first: int
    last: int


NO_TIME = Span(1, 1 << 62, -1)
"""An event without a time. Its `first` is later and its `last` earlier than any time, so that it
changes neither minimum nor maximum.
"""


class TooMany(Exception):
    """There is no room for more terms."""


class Tally:
    """Counts values by field, in one member after the other."""

    def __init__(self, keep: Keep = to_keep) -> None:
        self._keep = keep
        self._seen: dict[Field, dict[str, Entry]] = {field: {} for field in Field}
        self._groups: dict[Expand, dict[Group, Entry]] = {}
        self._once: set[int] = set()
        """Hashes of groups that came once."""
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
        """Freezes if needed; to be called now and then within large members. Raises TooMany."""
        if self._weight >= WEIGHT_MAX:
            self._freeze()
        if self._frozen_bytes >= FROZEN_BYTES_MAX:
            raise TooMany

    def count(self, field: Field, values: Sequence[str | None], times: Times) -> None:
        """Counts values of one field, one for each event, with the events' times. Empty values are
        ignored. Raises TooMany.
        """
        if not any(values):
            return
        seen, place = self._seen[field], self._place
        new, chars, get = 0, 0, seen.get
        firsts: Iterable[int] = times or repeat(NO_TIME.first)
        lasts: Iterable[int] = times or repeat(NO_TIME.last)
        for value, first, last in zip(values, firsts, lasts, strict=False):
            entry = get(value)  # type: ignore[arg-type]  # None is never a key
            if entry is not None:
                entry[0] += 1
                if last > entry[2]:  # noqa: PLR1730 - max() takes three times as long
                    entry[2] = last
                if first < entry[1]:  # noqa: PLR1730
                    entry[1] = first
                if entry[3] != place:
                    self._add_place(entry)
            elif value and len(value) <= VALUE_CHARS_MAX:
                seen[value] = [1, first, last, place, None]
                new += 1
                chars += len(value)
            elif value:
                self.add(field, value, Span(1, first, last))
        self._charge(new, chars)

    def count_groups(self, expand: Expand, groups: Sequence[Group], times: Times) -> None:
        """Like `count`, for one group of each event. From its second appearance on, a group is
        counted as a whole and only becomes terms when it is frozen. (For groups that come only once
        that would take twice the time.) Raises TooMany.
        """
        seen, place = self._groups.setdefault(expand, {}), self._place
        new, chars, get = 0, 0, seen.get
        firsts: Iterable[int] = times or repeat(NO_TIME.first)
        lasts: Iterable[int] = times or repeat(NO_TIME.last)
        for group, first, last in zip(groups, firsts, lasts, strict=False):
            entry = get(group)
            if entry is not None:
                entry[0] += 1
                if last > entry[2]:  # noqa: PLR1730 - as above
                    entry[2] = last
                if first < entry[1]:  # noqa: PLR1730
                    entry[1] = first
                if entry[3] != place:
                    self._add_place(entry)
                continue
            mark = hash(group)
            if mark in self._once and all(len(v or "") <= VALUE_CHARS_MAX for v in group):
                seen[group] = [1, first, last, place, None]
                new += 1
                chars += _GROUP_WEIGHT
                continue
            self._once.add(mark)
            chars += _MARK_WEIGHT
            for field, value in expand(group):
                self.add(field, value, Span(1, first, last))
        self._charge(new, chars)

    def add(self, field: Field, value: str | None, span: Span) -> None:
        """Like `count`, for a value of several events."""
        if not value:
            return
        value = value[:VALUE_CHARS_MAX]
        events, first, last = span
        entry = self._seen[field].get(value)
        if entry is None:
            self._seen[field][value] = [events, first, last, self._place, None]
            self._charge(1, len(value))
            return
        entry[0] += events
        entry[1:3] = min(first, entry[1]), max(last, entry[2])
        if entry[3] != self._place:
            self._add_place(entry)

    def finish(self, place_of: Callable[[int], int]) -> Iterator[PlainSighting]:
        """All sightings, sorted by term; `place_of` translates the places of members. Empties the
        tally.
        """
        runs: list[Iterable[Row]] = [_read_run(run) for run in self._runs]
        runs.append(self._drain())
        self._runs = []
        for field, value, count, first, last, seen_in in _join(merge(*runs)):
            begin, end = (None, None) if last == NO_TIME.last else (first, last)
            yield field, value, count, begin, end, _translate(seen_in, place_of)

    def _add_place(self, entry: Entry) -> None:
        if entry[4] is None:
            entry[4] = array("I", (entry[3],))
            self._weight += _ARRAY_WEIGHT
        entry[4].append(self._place)
        entry[3] = self._place
        self._weight += _PLACE_WEIGHT

    def _charge(self, terms: int, chars: int) -> None:
        self._new += terms
        self._weight += terms * _ENTRY_WEIGHT + chars
        if self._new > MEMBER_TERMS_MAX:
            raise TooMany
        if self._weight >= WEIGHT_MAX:
            self.make_room()

    def _freeze(self) -> None:
        deflater = zlib.compressobj(1)
        pieces = [deflater.compress(_ROWS.encode(row) + b"\n") for row in _join(self._drain())]
        run = b"".join((*pieces, deflater.flush()))
        self._runs.append(run)
        self._frozen_bytes += len(run)

    def _drain(self) -> list[Row]:
        """Everything counted so far, by the term to keep, sorted. Empties the counts."""
        rows: list[Row] = []
        keep = self._keep
        for field, seen in self._seen.items():
            for value, entry in seen.items():
                rows.append((*keep(field, value), *entry[:3], _places(entry)))
            seen.clear()
        for (field, value), (count, first, last, members) in self._expand().items():
            rows.append((*keep(field, value), count, first, last, list(dict.fromkeys(members))))
        # Cleared and not replaced, because a running `count_groups` holds the dictionary.
        for groups in self._groups.values():
            groups.clear()
        self._once.clear()
        self._weight = 0
        rows.sort()
        return rows

    def _expand(self) -> dict[tuple[Field, str], list[Any]]:
        """The terms of all groups, with count, first, last and places (with duplicates)."""
        terms: dict[tuple[Field, str], list[Any]] = {}
        for expand, groups in self._groups.items():
            for group, entry in groups.items():
                for term in expand(group):
                    known = terms.get(term)
                    if known is None:
                        terms[term] = [*entry[:3], _places(entry)]
                        continue
                    known[0] += entry[0]
                    known[1:3] = min(known[1], entry[1]), max(known[2], entry[2])
                    known[3] += _places(entry)
        return terms


def _places(entry: Entry) -> list[int]:
    """The places of an entry, as a new list."""
    _, _, _, place, places = entry
    return [place] if places is None else places.tolist()


def _translate(seen_in: Sequence[int], place_of: Callable[[int], int]) -> Sequence[int]:
    if len(seen_in) == 1:
        return (place_of(seen_in[0]),)
    return sorted(set(map(place_of, seen_in)))


def _join(rows: Iterable[Row]) -> Iterator[Row]:
    """Joins consecutive rows of the same term."""
    joined: Row | None = None
    for row in rows:
        if joined is None or joined[1] != row[1] or joined[0] != row[0]:
            if joined is not None:
                yield joined
            joined = row
        else:
            first, last = min(joined[3], row[3]), max(joined[4], row[4])
            count, places = joined[2] + row[2], joined[5] + row[5]
            joined = (row[0], row[1], count, first, last, places)
    if joined is not None:
        yield joined


def _read_run(run: bytes) -> Iterator[Row]:
    inflater, rest = zlib.decompressobj(), b""
    while not inflater.eof:
        rest += inflater.decompress(run, _RUN_PIECE_BYTES)
        run = inflater.unconsumed_tail
        *lines, rest = rest.split(b"\n")
        yield from map(_FROZEN_ROWS.decode, lines)


_RUN_PIECE_BYTES = 32 * KIB
