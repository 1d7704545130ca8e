"""What somebody looks for among packed log objects. Pure: which indexes can hold it, and which members are it."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

from log_aggregator.core.layouts import Dated, parse_key
from log_aggregator.core.planning import group_of
from log_aggregator.core.skipscan import DateWindow
from log_aggregator.model import NO_ACCOUNT, Group, KeyFacts

_GLOB = re.compile(r"[*?\[]")


@dataclass(frozen=True, slots=True)
class Query:
    """Conditions that all must hold. An empty one always holds.

    `keys` are keys, `s3://bucket/key`, or globs of either (`*`, `?`, `[abc]`; `*` spans slashes). `first` and `last` are UTC and both
    included; a log object whose key names an hour is wanted where that hour overlaps them, any other where its day does.
    """

    buckets: frozenset[str] = frozenset()
    log_types: frozenset[str] = frozenset()
    accounts: frozenset[str] = frozenset()
    regions: frozenset[str] = frozenset()
    keys: tuple[str, ...] = ()
    first: datetime | None = None
    last: datetime | None = None
    _groups: frozenset[tuple[str, str, date]] | None = field(init=False, repr=False, compare=False)
    """The (log type, account, log date) of the keys, where all of them are whole keys of known layouts."""

    def __post_init__(self) -> None:
        if self.first is not None and self.last is not None and self.first > self.last:
            raise ValueError(f"the range ends before it begins: {self.first} to {self.last}")
        object.__setattr__(self, "_groups", _groups_of(self.keys))

    @classmethod
    def of_days(cls, first: date, last: date) -> Query:
        """Everything of these log dates, both included."""
        return cls(first=datetime.combine(first, time.min, UTC), last=datetime.combine(last, time.max, UTC))

    @property
    def window(self) -> DateWindow:
        """The log dates that can match."""
        return DateWindow(self.first.date() if self.first else date.min, self.last.date() if self.last else date.max)

    def may_hold(self, group: Group) -> bool:
        """Whether a pack of this group can have a member that matches; if not, its index need not be read."""
        return (
            _holds(self.buckets, group.bucket)
            and _holds(self.log_types, group.log_type)
            and _holds(self.accounts, group.account)
            and group.date in self.window
            and (self._groups is None or (group.log_type, group.account, group.date) in self._groups)
        )

    def matches(self, bucket: str, key: str) -> bool:
        """Whether a member that lies in a pack of a group that `may_hold` it is wanted."""
        if self.keys and not any(_key_matches(pattern, bucket, key) for pattern in self.keys):
            return False
        if not self.regions and self.first is None and self.last is None:
            return True
        parsed = parse_key(key)
        return isinstance(parsed, Dated) and self._facts_match(parsed.facts)

    def _facts_match(self, facts: KeyFacts) -> bool:
        begin, end = _span(facts)
        return (
            (not self.regions or facts.region in self.regions)
            and (self.first is None or end >= self.first)
            and (self.last is None or begin <= self.last)
        )


def _span(facts: KeyFacts) -> tuple[datetime, datetime]:
    """The hour that a key names, or its day."""
    if facts.hour is None:
        begin = datetime.combine(facts.date, time.min, UTC)
        return begin, begin + timedelta(days=1, microseconds=-1)
    begin = datetime.combine(facts.date, time(facts.hour), UTC)
    return begin, begin + timedelta(hours=1, microseconds=-1)


def _holds(wanted: frozenset[str], value: str) -> bool:
    return not wanted or value in wanted


def _key_matches(pattern: str, bucket: str, key: str) -> bool:
    text = f"s3://{bucket}/{key}" if pattern.startswith("s3://") else key
    return text == pattern or (_GLOB.search(pattern) is not None and fnmatch.fnmatchcase(text, pattern))


def _groups_of(keys: Iterable[str]) -> frozenset[tuple[str, str, date]] | None:
    groups = set()
    for pattern in keys:
        key = pattern.removeprefix("s3://").partition("/")[2] if pattern.startswith("s3://") else pattern
        parsed = parse_key(key)
        if _GLOB.search(key) or not isinstance(parsed, Dated):
            return None
        group = group_of("any", parsed.facts)
        groups.add((group.log_type, group.account or NO_ACCOUNT, group.date))
    return frozenset(groups) if groups else None
