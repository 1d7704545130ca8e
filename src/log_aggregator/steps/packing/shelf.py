"""Keeps a listing by groups until each group's turn comes, in little memory: large listings are
folded into compressed blocks.

A log object takes about 650 bytes as Python objects, and about 80 folded. Small listings are never
folded.
"""

from __future__ import annotations

import json
import threading
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby

from log_aggregator.core.jsontext import encode_json
from log_aggregator.core.planning import Source
from log_aggregator.model import DeleteMarker, Group
from log_aggregator.steps.packing.group_lines import decode_entries, encode_entries
from log_aggregator.steps.packing.selection import GroupSources, Selection

OPEN_OBJECTS_MAX = 100_000
"""This many log objects are held unfolded, in about 65 MB, before all of them are folded."""

PART_OBJECTS_MAX = 100_000
"""A folded group is handed out in parts of this many log objects, unless the caller sets another
number. A part with its members takes about 100 MB; for CloudTrail it makes a pack of two thirds of
a GiB.
"""

_BLOCK_OBJECTS_MAX = 10_000


@dataclass(frozen=True, slots=True)
class _Block:
    """Some log objects of a group, in the order in which they were listed."""

    first_key: str
    count: int
    data: bytes


@dataclass(slots=True)
class _Row:
    """A group on the shelf."""

    objects: int = 0
    blocks: list[_Block] = field(default_factory=list)
    open: GroupSources = field(default_factory=GroupSources)

    def fold(self) -> None:
        if self.open.count:
            self.blocks += map(_make_block, _cut(self.open))
            self.open = GroupSources()


class Shelf:
    """Takes selections, in any order and from any thread, and hands out groups."""

    def __init__(
        self, open_objects_max: int | None = None, part_objects_max: int | None = None
    ) -> None:
        self._open_objects_max = OPEN_OBJECTS_MAX if open_objects_max is None else open_objects_max
        self._part_objects_max = part_objects_max or PART_OBJECTS_MAX
        self._rows: dict[Group, _Row] = {}
        self._open_objects = 0
        self._lock = threading.Lock()

    @property
    def objects(self) -> int:
        """All log objects, including those of other regions that are to be deleted."""
        return sum(row.objects for row in self._rows.values())

    @property
    def groups(self) -> dict[Group, int]:
        """Each group, and how many log objects it has."""
        return {group: row.objects for group, row in self._rows.items()}

    def take(self, selection: Selection) -> None:
        """Takes a selection's groups, but not its counts of what was left alone. All versions of a
        key must be in one selection.
        """
        with self._lock:
            for group, found in selection.groups.items():
                row = self._rows.setdefault(group, _Row())
                row.open.add(found)
                row.objects += found.count
                self._open_objects += found.count
            if self._open_objects > self._open_objects_max:
                self._fold()

    def parts(self, group: Group) -> Iterator[GroupSources]:
        """A group in one part, or a very large one in several; each has all versions of its
        keys.
        """
        part = GroupSources()
        for piece in self._pieces(group):
            if part.count and part.count + piece.count > self._part_objects_max:
                yield part
                part = GroupSources()
            part.add(piece)
        if part.count:
            yield part

    def _pieces(self, group: Group) -> Iterator[GroupSources]:
        row = self._rows[group]
        if row.blocks:
            row.fold()  # the open rest would use memory while earlier parts are worked on
        for block in sorted(row.blocks, key=lambda block: block.first_key):
            yield decode_entries(group, json.loads(zlib.decompress(block.data)))
        yield row.open

    def _fold(self) -> None:
        for row in self._rows.values():
            row.fold()
        self._open_objects = 0


def _cut(found: GroupSources) -> Iterator[GroupSources]:
    """Cuts into pieces small enough for parts; versions of a key stay together."""
    block = GroupSources()
    for piece in _by_key(found):
        if block.count >= _BLOCK_OBJECTS_MAX:
            yield block
            block = GroupSources()
        block.add(piece)
    yield block


def _by_key(found: GroupSources) -> Iterator[GroupSources]:
    for key, sources in groupby(found.sources, key=_key_of):
        markers: dict[str, tuple[DeleteMarker, ...]] = (
            {key: found.markers[key]} if key in found.markers else {}
        )
        yield GroupSources(list(sources), markers)
    for _, discards in groupby(found.discards, key=lambda each: each.key):
        yield GroupSources(discards=list(discards))


def _key_of(source: Source) -> str:
    return source.log_object.key


def _make_block(found: GroupSources) -> _Block:
    lines = list(encode_entries(found))
    return _Block(lines[0][1], found.count, zlib.compress(encode_json(lines), 1))
