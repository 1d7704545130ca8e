"""Counts of some keys: log objects by type, day, class and size; keys that a run would leave alone;
and what lifecycle rules will take.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from typing import Any, NamedTuple

from log_aggregator.core.costs.estate import Load
from log_aggregator.core.layouts import Dated
from log_aggregator.core.layouts.grammar import YEAR_MIN
from log_aggregator.model import Group, ListedKey, LogObject
from log_aggregator.ports.account import LifecycleRule
from log_aggregator.steps.packing.buckets import SourceBucket
from log_aggregator.steps.packing.prefixes import is_main_log
from log_aggregator.steps.packing.selection import (
    FROZEN_CLASSES,
    Left,
    LeftKeys,
    LeftWhy,
    Selection,
    select,
)
from log_aggregator.steps.rules import Rules, RunRules

_FIRST_DAY = date(YEAR_MIN, 1, 1)

HORIZONS_DAYS = (30, 90, 365)
"""How far ahead the effects of lifecycle rules are counted."""


class Fate(StrEnum):
    """What a lifecycle rule does to a log object that was not packed."""

    EXPIRED = "expired"
    FROZEN = "frozen"  # moved to a class from which it cannot be read


class Cell(NamedTuple):
    """Log objects that have all this in common."""

    bucket: str
    log_type: str
    day: date
    storage_class: str
    size_class: int
    """As in `Sizes`."""


class Due(NamedTuple):
    """What a rule takes within a number of days from now."""

    bucket: str
    fate: Fate
    within_days: int


@dataclass(frozen=True, slots=True)
class Yard:
    """A bucket to survey: how its keys are read, what to take from it, and its lifecycle rules, or
    None if they are unknown. `skipped` are our own prefixes.
    """

    bucket: SourceBucket
    rules: Rules
    today: date
    lifecycle: Sequence[LifecycleRule] | None = None
    skipped: tuple[str, ...] = ()
    organization_id: str | None = None

    @classmethod
    def of(cls, bucket: SourceBucket, rules: RunRules, today: date) -> Yard:
        skipped = rules.own_prefixes(bucket.name)
        # A survey discards nothing: logs of other regions are counted as left alone.
        selection = replace(rules.selection, discard_other_regions=False)
        return cls(bucket, selection, today, None, skipped, rules.organization_id)

    def tally(self, keys: Iterable[ListedKey], *, keeps_keys: bool = False) -> Tally:
        """Counts all keys but our own. `keeps_keys`: keep one key of each day."""
        tally = Tally()
        wanted, selection = [], Selection()
        for key in keys:
            if key.key.startswith(self.skipped):
                continue
            if self.is_elsewhere(key.key):
                why = LeftWhy(self.bucket.name, Left.UNKNOWN, "outside Control Tower's folders")
                selection.leave(why, key.key, 1, sum(each.size_bytes for each in key.versions))
                continue
            wanted.append(key)
        selection.merge(select(self.bucket, wanted, self.rules))
        for group, found in selection.groups.items():
            for source in found.sources:
                tally.take(group, source.log_object)
                self._take_fates(tally, source.log_object)
            if keeps_keys and found.sources:
                day = (group.bucket, group.log_type, group.account, group.date)
                tally.day_keys[day] = found.sources[0].log_object.key
        tally.left = selection.left_why
        return tally

    def is_elsewhere(self, key: str) -> bool:
        """Whether a key of a main bucket looks like a log but lies where a run does not look."""
        return (
            self.bucket.is_main
            and not is_main_log(key, self.organization_id)
            and isinstance(self.bucket.layouts.read(key), Dated)
        )

    def _take_fates(self, tally: Tally, found: LogObject) -> None:
        for fate, days in self._days_left(found):
            for horizon in HORIZONS_DAYS:
                if days <= horizon:
                    _add(tally.due, Due(self.bucket.name, fate, horizon), 1, found.size_bytes)

    def _days_left(self, found: LogObject) -> Iterator[tuple[Fate, int]]:
        """Days until a rule takes it. AWS delivers logs without tags, so a rule with a tag filter
        never does.
        """
        age_days = (self.today - found.last_modified.date()).days
        rules = [
            rule
            for rule in self.lifecycle or ()
            if not rule.has_tags and found.key.startswith(rule.prefix)
        ]
        expiries = [r.expiration_days - age_days for r in rules if r.expiration_days is not None]
        expiries += [
            (r.expiration_date - self.today).days for r in rules if r.expiration_date is not None
        ]
        frozen = [
            move.days - age_days
            for rule in rules
            for move in rule.transitions
            if move.storage_class in FROZEN_CLASSES and not move.is_noncurrent
            if move.days is not None
        ]
        if expiries:
            yield Fate.EXPIRED, min(expiries)
        if frozen:
            yield Fate.FROZEN, min(frozen)


@dataclass(slots=True)
class Tally:
    """Counts of some keys."""

    cells: dict[Cell, list[float]] = field(default_factory=dict)
    """Objects and bytes of what a run would take."""
    days: dict[tuple[str, str, str], int] = field(default_factory=dict)
    """By bucket, log type and account: a bit for each day that has logs. Each bit is a group."""
    day_keys: dict[tuple[str, str, str, date], str] = field(default_factory=dict)
    """One key of each group, if that was asked for."""
    accounts: dict[str, list[float]] = field(default_factory=dict)
    left: dict[LeftWhy, LeftKeys] = field(default_factory=dict)
    due: dict[Due, list[float]] = field(default_factory=dict)

    def take(self, group: Group, found: LogObject) -> None:
        """A log object that a run would pack."""
        size_bytes = found.size_bytes
        cell = Cell(
            group.bucket, group.log_type, group.date, found.storage_class, size_bytes.bit_length()
        )
        _add(self.cells, cell, 1, size_bytes)
        _add(self.accounts, group.account, 1, size_bytes)
        place = (group.bucket, group.log_type, group.account)
        self.days[place] = self.days.get(place, 0) | 1 << (group.date - _FIRST_DAY).days

    def merge(self, other: Tally) -> None:
        """Adds the counts of other keys."""
        for cell, (objects, size_bytes) in other.cells.items():
            _add(self.cells, cell, objects, size_bytes)
        for account, (objects, size_bytes) in other.accounts.items():
            _add(self.accounts, account, objects, size_bytes)
        for due, (objects, size_bytes) in other.due.items():
            _add(self.due, due, objects, size_bytes)
        for place, bits in other.days.items():
            self.days[place] = self.days.get(place, 0) | bits
        for why, keys in other.left.items():
            self.left.setdefault(why, LeftKeys()).add(keys)

    @property
    def load(self) -> Load:
        """The totals."""
        return Load(
            sum(objects for objects, _ in self.cells.values()),
            sum(size_bytes for _, size_bytes in self.cells.values()),
            sum(bits.bit_count() for bits in self.days.values()),
        )


def _add(counts: dict[Any, list[float]], key: Any, objects: float, size_bytes: float) -> None:
    found = counts.get(key)
    if found is None:
        counts[key] = [objects, size_bytes]
    else:
        found[0] += objects
        found[1] += size_bytes
