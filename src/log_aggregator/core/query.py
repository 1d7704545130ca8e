"""A query for packed log objects. Pure: which indexes can have matches, and which members match."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta

from log_aggregator.core.layouts import Dated, DateGrammar, parse_key
from log_aggregator.core.layouts.declared import NEEDS_LISTING, BucketLayouts, Layouts
from log_aggregator.core.layouts.grammar import YEAR_MAX, YEAR_MIN
from log_aggregator.core.layouts.hints import hint_of
from log_aggregator.core.layouts.parse import ONE_DAY
from log_aggregator.core.layouts.table import BUILT_IN_TYPES, OTHER
from log_aggregator.core.planning import group_of
from log_aggregator.core.windows import DateWindow
from log_aggregator.model import Group

_ADDRESS = "s3://"
_GLOB = re.compile(r"[*?\[]")
_YEARS_MAX = 12
"""A glob that allows more years is not narrowed by date."""
_BUILT_IN_TYPES = BUILT_IN_TYPES | {OTHER}
"""No declared layout has one of these names (`declarations`), so the members of their packs are
dated by their head or name.
"""


@dataclass(frozen=True, slots=True)
class Query:
    """Conditions that must all hold. An empty one always holds.

    `keys` are keys, `s3://bucket/key`, or globs of either (`*`, `?`, `[abc]`; `*` spans slashes).
    `first` and `last` are UTC and both included. A log object matches if the hour in its key
    overlaps them, or its day if the key has no hour.

    The head or name of a key narrows the search. A declaration or a hint does not, because a pack
    may have been made when another layout was declared; `first_look` says where to look for those
    keys first. `layouts` are those that are declared now.
    """

    buckets: frozenset[str] = frozenset()
    log_types: frozenset[str] = frozenset()
    accounts: frozenset[str] = frozenset()
    regions: frozenset[str] = frozenset()
    keys: tuple[str, ...] = ()
    first: datetime | None = None
    last: datetime | None = None
    layouts: Layouts = field(default_factory=Layouts, repr=False, compare=False)
    is_first_look: bool = False
    _scopes: frozenset[_Scope] = field(init=False, repr=False, compare=False)
    _whole_keys: frozenset[str] = field(init=False, repr=False, compare=False)
    _key_globs: tuple[re.Pattern[str], ...] = field(init=False, repr=False, compare=False)
    _address_globs: tuple[re.Pattern[str], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.first is not None and self.last is not None and self.first > self.last:
            raise ValueError(f"the range ends before it begins: {self.first} to {self.last}")
        globs = [pattern for pattern in self.keys if _GLOB.search(pattern)]
        object.__setattr__(self, "_scopes", frozenset(self._scope_of(key) for key in self.keys))
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

    def first_look(self) -> Query:
        """The same query, but `hinted_keys` are only looked for in packs of the days in their
        hints.
        """
        return replace(self, is_first_look=True)

    def second_look(self, found: Container[str]) -> Query | None:
        """A query in all packs for those of the `hinted_keys` that were not found. None if all
        were found.
        """
        missing = tuple(key for key in self.hinted_keys if key not in found)
        return replace(self, keys=missing, is_first_look=False) if missing else None

    @property
    def hinted_keys(self) -> tuple[str, ...]:
        """Whole keys without certain facts, but with a hint of their days."""
        return tuple(key for key in self.keys if self._hint_of(key) is not None)

    def window_of(self, log_type: str) -> DateWindow:
        """The log dates that can match in a log type. If there is no bound, it is that of the
        calendar.
        """
        first = self.first.date() if self.first else date.min
        last = self.last.date() if self.last else date.max
        scopes = [scope.days_of(log_type) for scope in self._scopes]
        days = {day for found in scopes for day in found or (date.min, date.max)}
        if days and max(first, min(days)) <= min(last, max(days)):
            return DateWindow(max(first, min(days)), min(last, max(days)))
        return DateWindow(first, last)

    @property
    def bucket_names(self) -> frozenset[str] | None:
        """The source buckets that can match, None for any; the next two are alike."""
        return self._names(self.buckets, lambda scope: scope.bucket)

    @property
    def log_type_names(self) -> frozenset[str] | None:
        return self._names(self.log_types, lambda scope: scope.log_type)

    @property
    def account_names(self) -> frozenset[str] | None:
        return self._names(self.accounts, lambda scope: scope.account)

    def may_hold(self, group: Group) -> bool:
        """Whether a pack of this group can have a matching member; if not, its index need not be
        read.
        """
        return (
            _holds(self.buckets, group.bucket)
            and _holds(self.log_types, group.log_type)
            and _holds(self.accounts, group.account)
            and (self.first is None or group.date >= self.first.date())
            and (self.last is None or group.date <= self.last.date())
            and (not self._scopes or any(scope.may_hold(group) for scope in self._scopes))
        )

    def matches(self, group: Group, key: str) -> bool:
        """Whether a member matches, in a pack of a group for which `may_hold` is true.

        If region and hour are not certain from the key, they are taken from its hint. Without a
        hint the member has no region, and its time is the whole day of its group.
        """
        if self.keys and not self._is_named(group.bucket, key):
            return False
        if self.regions and region_of(self.layouts, group.bucket, key) not in self.regions:
            return False
        if _is_begin(self.first) and _is_end(self.last):
            return True
        begin, end = _span(*self._moment_of(group, key))
        return (self.first is None or end >= self.first) and (
            self.last is None or begin <= self.last
        )

    def _is_named(self, bucket: str, key: str) -> bool:
        address = f"{_ADDRESS}{bucket}/{key}"
        return (
            key in self._whole_keys
            or address in self._whole_keys
            or any(glob.match(key) for glob in self._key_globs)
            or any(glob.match(address) for glob in self._address_globs)
        )

    def _moment_of(self, group: Group, key: str) -> tuple[date, int | None]:
        """The date and the hour of a member. A hint is ignored if its date is not the group's."""
        parsed = self.layouts.of(group.bucket).read(key)
        if isinstance(parsed, Dated):
            return parsed.facts.date, parsed.facts.hour
        hint = hint_of(key)
        return group.date, hint.hour if hint.date == group.date else None

    def _scope_of(self, pattern: str) -> _Scope:
        days = self._hint_of(pattern) if self.is_first_look else None
        return replace(_scope_of(pattern), days=days) if days else _scope_of(pattern)

    def _hint_of(self, pattern: str) -> frozenset[date] | None:
        """The possible days of a whole key, by a declared layout or by all dates in it. None if a
        certain date narrows the search already, or if there is no hint.
        """
        bucket, key = _split_address(pattern)
        if _GLOB.search(pattern) or isinstance(parse_key(key), Dated):
            return None
        declared = self.layouts.of(bucket) if bucket else BucketLayouts(self.layouts.declared)
        parsed = declared.read(key)
        if isinstance(parsed, Dated):
            return frozenset({parsed.facts.date})
        if parsed.reason == NEEDS_LISTING:
            return None
        days = {found.date for found in hint_of(key).dates}
        near = {day + delta for day in days for delta in (-ONE_DAY, timedelta(0), ONE_DAY)}
        return frozenset(near) or None

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
    """What a key in a query says about its group. If `is_certain` is False, a declared layout may
    give another date to keys with the same beginning.
    """

    bucket: str | None = None
    log_type: str | None = None
    account: str | None = None
    days: frozenset[date] | None = None
    is_certain: bool = True

    def may_hold(self, group: Group) -> bool:
        return (
            self.bucket in (None, group.bucket)
            and self.log_type in (None, group.log_type)
            and self.account in (None, group.account)
            and ((days := self.days_of(group.log_type)) is None or group.date in days)
        )

    def days_of(self, log_type: str) -> frozenset[date] | None:
        """The possible days, None for any."""
        return self.days if self.is_certain or log_type in _BUILT_IN_TYPES else None


def region_of(layouts: Layouts, bucket: str, key: str) -> str | None:
    """The region of a member: that of its layout, otherwise that of a hint."""
    parsed = layouts.of(bucket).read(key)
    return parsed.facts.region if isinstance(parsed, Dated) else hint_of(key).region


def _compile(globs: Iterable[str]) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(fnmatch.translate(glob)) for glob in globs)


def _scope_of(pattern: str) -> _Scope:
    """`*` spans slashes: if there is one in the bucket, the rest of the pattern may be anywhere."""
    bucket, key = _split_address(pattern)
    if bucket is not None and _GLOB.search(bucket):
        return _Scope()
    glob = _GLOB.search(key)
    return _scope_of_beginning(bucket, key[: glob.start()]) if glob else _scope_of_key(bucket, key)


def _split_address(pattern: str) -> tuple[str | None, str]:
    """The bucket, if there is one in front, and the key."""
    if not pattern.startswith(_ADDRESS):
        return None, pattern
    bucket, _, key = pattern.removeprefix(_ADDRESS).partition("/")
    return bucket, key


def _scope_of_key(bucket: str | None, key: str) -> _Scope:
    parsed = parse_key(key)
    if not isinstance(parsed, Dated):
        return _Scope(bucket)
    group = group_of("any", parsed.facts)
    return _Scope(bucket, group.log_type, group.account, frozenset([group.date]))


def _scope_of_beginning(bucket: str | None, beginning: str) -> _Scope:
    """What all keys with this beginning have in common. By the laws of `core.layouts.parse` that
    follows from the position of the date in one of them. Declared layouts are not tried after the
    stem of a head; elsewhere one may date these keys differently.
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
        return _Scope(bucket, days=days, is_certain=position.whole_stem)
    group = group_of("any", example.facts)
    return _Scope(bucket, group.log_type, group.account, days)


def _days_of(grammar: DateGrammar, text: str) -> frozenset[date] | None:
    """The days whose text can begin like this; None if there are too many."""
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


def _span(day: date, hour: int | None) -> tuple[datetime, datetime]:
    """The span of an hour, or of a whole day."""
    if hour is None:
        begin = datetime.combine(day, time.min, UTC)
        return begin, begin + timedelta(days=1, microseconds=-1)
    begin = datetime.combine(day, time(hour), UTC)
    return begin, begin + timedelta(hours=1, microseconds=-1)


def _holds(wanted: frozenset[str], value: str) -> bool:
    return not wanted or value in wanted


def _is_begin(moment: datetime | None) -> bool:
    """Whether it is the beginning of a day. Then the group's date decides for all its members."""
    return moment is None or moment.time() == time.min


def _is_end(moment: datetime | None) -> bool:
    return moment is None or moment.time() == time.max
