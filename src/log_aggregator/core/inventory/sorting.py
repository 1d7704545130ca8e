"""Sorts the rows of an inventory into the order of a listing, in little memory: an external merge
sort over compressed runs.

A run is a sorted piece of the rows, as compressed lines of JSON: about 80 bytes for each row.
Merging reads all runs in parallel.
"""

from __future__ import annotations

import gzip
import heapq
import io
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from itertools import groupby

from log_aggregator.core.inventory.rows import Entry
from log_aggregator.core.jsontext import encode_json_line
from log_aggregator.core.listed import (
    Fields,
    decode_log_object,
    decode_marker,
    encode_log_object,
    encode_marker,
)
from log_aggregator.limits import KIB
from log_aggregator.model import DeleteMarker, ListedKey, LogObject

RUN_ENTRIES_MAX = 100_000
"""The number of rows that are held uncompressed before they become a run."""

Dated = tuple[date, Entry]
"""A row, and the log date in its key."""


class EntrySorter:
    """Takes rows in any order, and returns them by log date, then by key."""

    def __init__(self, run_entries_max: int | None = None) -> None:
        self._run_entries_max = RUN_ENTRIES_MAX if run_entries_max is None else run_entries_max
        self._runs: list[bytes] = []
        self._open: list[Dated] = []
        self.days: Counter[date] = Counter()
        """The number of rows for each day."""

    def take(self, rows: Iterable[Dated]) -> None:
        for row in rows:
            self._open.append(row)
            self.days[row[0]] += 1
            if len(self._open) >= self._run_entries_max:
                self._runs.append(encode_run(self._open))
                self._open = []

    def drop_after(self, last: date) -> None:
        """Forgets the rows of later days."""
        if any(day > last for day in self.days):
            self._open = [row for row in self._open if row[0] <= last]
            self._runs = [_without_later(run, last) for run in self._runs]
            self.days = Counter({day: count for day, count in self.days.items() if day <= last})

    def merge(self, bucket: str) -> Iterator[Dated]:
        """All rows, in order."""
        yield from merge_runs(bucket, [*self._runs, encode_run(self._open)])


def encode_run(rows: Sequence[Dated]) -> bytes:
    """Rows, sorted by day and key, as compressed lines."""
    return write_run(sorted(rows, key=_order))


def write_run(rows: Iterable[Dated]) -> bytes:
    """The same for rows that are sorted already, without holding them in memory."""
    return _compress(map(_encode_line, rows))


def merge_runs(bucket: str, runs: Iterable[bytes]) -> Iterator[Dated]:
    """The rows of several runs in one order. Raises OSError, EOFError, ValueError, KeyError or
    TypeError if a run is damaged.
    """
    for line in heapq.merge(*(_read_lines(run) for run in runs), key=_order_of_line):
        yield _decode_line(bucket, line)


def gather_keys(entries: Iterable[Entry]) -> Iterator[ListedKey]:
    """Entries in the order of their keys, grouped by key: all versions and delete markers, newest
    first.
    """
    for key, same in groupby(entries, key=lambda entry: entry.key):
        found = list(dict.fromkeys(same))  # an object may have two rows
        versions = [entry for entry in found if isinstance(entry, LogObject)]
        markers = [entry for entry in found if isinstance(entry, DeleteMarker)]
        versions.sort(key=_age, reverse=True)
        markers.sort(key=_age, reverse=True)
        yield ListedKey(key, tuple(versions), tuple(markers))


def _age(entry: Entry) -> tuple[object, ...]:
    return (entry.is_latest, entry.last_modified, entry.version_id or "")


def _order(row: Dated) -> tuple[date, str]:
    return (row[0], row[1].key)


def _order_of_line(line: Fields) -> tuple[str, str]:
    return (line[0], line[2])


def _encode_line(row: Dated) -> bytes:
    day, entry = row
    fields = (
        ["object", *encode_log_object(entry)]
        if isinstance(entry, LogObject)
        else ["marker", *encode_marker(entry)]
    )
    return encode_json_line([day.isoformat(), *fields])


def _decode_line(bucket: str, line: Fields) -> Dated:
    day, tag, *fields = line
    return date.fromisoformat(day), _DECODERS[tag](bucket, fields)


_DECODERS: Mapping[str, Callable[[str, Fields], Entry]] = {
    "object": decode_log_object,
    "marker": decode_marker,
}


def _read_lines(run: bytes) -> Iterator[Fields]:
    """Inflates a run as it is read, so that many runs can be read in parallel."""
    with io.BufferedReader(gzip.GzipFile(fileobj=io.BytesIO(run)), 64 * KIB) as lines:
        yield from map(json.loads, lines)


def _without_later(run: bytes, last: date) -> bytes:
    return _compress(
        encode_json_line(line) for line in _read_lines(run) if line[0] <= last.isoformat()
    )


def _compress(lines: Iterable[bytes]) -> bytes:
    """Fast rather than small, because a run is soon deleted."""
    data = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=data, mode="wb", compresslevel=1, mtime=0) as run,
        io.BufferedWriter(run, 64 * KIB) as buffered,
    ):
        buffered.writelines(lines)
    return data.getvalue()
