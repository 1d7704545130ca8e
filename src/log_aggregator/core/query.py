"""What somebody looks for among packed log objects. Pure: which indexes can hold it, and which
members are it.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

from log_aggregator.core.layouts import Dated, DateGrammar, parse_key
from log_aggregator.core.layouts.grammar import YEAR_MAX, YEAR_MIN
from log_aggregator.core.planning import group_of
from log_aggregator.core.windows import DateWindow
from log_aggregator.model import Group, KeyFacts

_ADDRESS = "s3://"
_GLOB = re.compile(r"[*?\[]")
_YEARS_MAX = 12
"""A glob that leaves more years open is not narrowed by date."""


@dataclass(frozen=True, slots=True)
class Query:
    """Conditions that all must hold. An empty one always holds.

    `keys` are keys, `s3://bucket/key`, or globs of either (`*`, `?`, `[abc]`; `*` spans slashes).
    `first` and `last` are UTC and both included; a log object whose key names an hour is wanted
    where that hour overlaps them, any other where its day does.
    """

    buckets: frozenset[str] = frozenset()
    log_types: frozenset[str] = frozenset()
    accounts: frozenset[str] = frozenset()
    regions: frozenset[str] = frozenset()
    keys: tuple[str, ...] = ()
    first: datetime | None = None
    last: datetime | None = None
    _scopes: frozenset[_Scope] = field(init=False, repr=False, compare=False)
    _whole_keys: frozenset[str] = field(init=False, repr=False, compare=False)
    _key_globs: tuple[re.Pattern[str], ...] = field(init=False, repr=False, compare=False)
    _address_globs: tuple[re.Pattern[str], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.first is not None and self.last is not None and self.first > self.last:
            raise ValueError(f"the range ends before it begins: {self.first} to {self.last}")
        globs = [pattern for pattern in self.keys if _GLOB.search(pattern)]
        object.__setattr__(self, "_scopes", frozenset(map(_scope_of, self.keys)))
        object.__setattr__(self, "_whole_keys", frozenset(self.keys))
        object.__setattr__(
            self, "_key_globs", _compile(glob for glob in globs if not glob.startswith(_ADDRESS))
        )
        object.__setattr__(
            self, "_address_globs", _compile(glob for glob in globs if glob.startswith(_ADDRESS))
        )

    @classmethod
    def of_days(cls, first: date, last: date) -> Query:
        """Everything of these log dates, both included."""
        return cls(
            first=datetime.combine(first, time.min, UTC), last=datetime.combine(last, time.max, UTC)
        )

    @property
    def window(self) -> DateWindow:
        """No other log dates can match. A bound that nothing gives is the calendar's."""
        first = self.first.date() if self.first else date.min
        last = self.last.date() if self.last else date.max
        days = {day for scope in self._scopes for day in scope.days or (date.min, date.max)}
        if days and max(first, min(days)) <= min(last, max(days)):
            return DateWindow(max(first, min(days)), min(last, max(days)))
        return DateWindow(first, last)

    @property
    def bucket_names(self) -> frozenset[str] | None:
        """No other source buckets can match. None: any may; the same for the next two."""
        return self._names(self.buckets, lambda scope: scope.bucket)

    @property
    def log_type_names(self) -> frozenset[str] | None:
        return self._names(self.log_types, lambda scope: scope.log_type)

    @property
    def account_names(self) -> frozenset[str] | None:
        return self._names(self.accounts, lambda scope: scope.account)

    def may_hold(self, group: Group) -> bool:
        """Whether a pack of this group can have a member that matches; if not, its index need not
        be read.
        """
        return (
            _holds(self.buckets, group.bucket)
            and _holds(self.log_types, group.log_type)
            and _holds(self.accounts, group.account)
            and (self.first is None or group.date >= self.first.date())
            and (self.last is None or group.date <= self.last.date())
            and (not self._scopes or any(scope.may_hold(group) for scope in self._scopes))
        )

    def matches(self, bucket: str, key: str) -> bool:
        """Whether a member that lies in a pack of a group that `may_hold` it is wanted.

        A key that no layout knows (of a pack that another tool wrote) has no region and no hour;
        its group's date stands for it.
        """
        if self.keys and not self._is_named(bucket, key):
            return False
        if not self.regions and _is_begin(self.first) and _is_end(self.last):
            return True
        parsed = parse_key(key)
        return self._facts_match(parsed.facts) if isinstance(parsed, Dated) else not self.regions

    def _is_named(self, bucket: str, key: str) -> bool:
        address = f"{_ADDRESS}{bucket}/{key}"
        return (
            key in self._whole_keys
            or address in self._whole_keys
            or any(glob.match(key) for glob in self._key_globs)
            or any(glob.match(address) for glob in self._address_globs)
        )

    def _facts_match(self, facts: KeyFacts) -> bool:
        begin, end = _span(facts)
        return (
            (not self.regions or facts.region in self.regions)
            and (self.first is None or end >= self.first)
            and (self.last is None or begin <= self.last)
        )

    def _names(
        self, asked: frozenset[str], name_of: Callable[[_Scope], str | None]
    ) -> frozenset[str] | None:
        named = {name_of(scope) for scope in self._scopes}
        known = frozenset(name for name in named if name is not None)
        if not named or None in named:
            return asked or None
        return known & asked if asked else known


@dataclass(frozen=True, slots=True)
class _Scope:
    """What a wanted key says of its group, as far as it does."""

    bucket: str | None = None
    log_type: str | None = None
    account: str | None = None
    days: frozenset[date] | None = None

    def may_hold(self, group: Group) -> bool:
        return (
            self.bucket in (None, group.bucket)
            and self.log_type in (None, group.log_type)
            and self.account in (None, group.account)
            and (self.days is None or group.date in self.days)
        )


def _compile(globs: Iterable[str]) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(fnmatch.translate(glob)) for glob in globs)


def _scope_of(pattern: str) -> _Scope:
    """`*` spans slashes: where the bucket has one, the rest of the pattern may stand anywhere."""
    bucket: str | None = None
    key = pattern
    if pattern.startswith(_ADDRESS):
        bucket, _, key = pattern.removeprefix(_ADDRESS).partition("/")
        if _GLOB.search(bucket):
            return _Scope()
    glob = _GLOB.search(key)
    return _scope_of_beginning(bucket, key[: glob.start()]) if glob else _scope_of_key(bucket, key)


def _scope_of_key(bucket: str | None, key: str) -> _Scope:
    parsed = parse_key(key)
    if not isinstance(parsed, Dated):
        return _Scope(bucket)
    group = group_of("any", parsed.facts)
    return _Scope(bucket, group.log_type, group.account, frozenset([group.date]))


def _scope_of_beginning(bucket: str | None, beginning: str) -> _Scope:
    """What all keys say that begin so: by the laws of `core.layouts.parse`, what the date's
    position says of one of them.
    """
    parsed = parse_key(beginning + "x")
    position = parsed.position
    if position is None or not beginning.startswith(position.stem):
        return _Scope(bucket)
    days = _days_of(position.grammar, beginning.removeprefix(position.stem))
    example = parse_key(
        position.stem + position.grammar.forms[0].format(date(YEAR_MIN, 1, 1)) + "x"
    )
    if not (position.whole_stem and isinstance(example, Dated)):
        return _Scope(bucket, days=days)
    group = group_of("any", example.facts)
    return _Scope(bucket, group.log_type, group.account, days)


def _days_of(grammar: DateGrammar, text: str) -> frozenset[date] | None:
    """The days that a text can stand for which begins so; None where that says little."""
    years = [
        year for year in range(YEAR_MIN, YEAR_MAX + 1) if _may_begin(grammar.year_text(year), text)
    ]
    if len(years) > _YEARS_MAX:
        return None
    days = (date(year, 1, 1) + timedelta(days=count) for year in years for count in range(366))
    return frozenset(
        day for day in days if any(_may_begin(spelled, text) for spelled in grammar.spell(day))
    )


def _may_begin(spelled: str, text: str) -> bool:
    return spelled.startswith(text) or text.startswith(spelled)


def _span(facts: KeyFacts) -> tuple[datetime, datetime]:
    """The hour that a key names, or its day."""
    if facts.hour is None:
        begin = datetime.combine(facts.date, time.min, UTC)
        return begin, begin + timedelta(days=1, microseconds=-1)
    begin = datetime.combine(facts.date, time(facts.hour), UTC)
    return begin, begin + timedelta(hours=1, microseconds=-1)


def _holds(wanted: frozenset[str], value: str) -> bool:
    return not wanted or value in wanted


def _is_begin(moment: datetime | None) -> bool:
    """The beginning of a day: which members are behind it follows from their group's date."""
    return moment is None or moment.time() == time.min


def _is_end(moment: datetime | None) -> bool:
    return moment is None or moment.time() == time.max
