"""The coverage calendar: which logs there are for each day, by log type, account, perhaps Region.

A row has one byte for each day, so a year of three log types in 1,000 accounts takes a megabyte.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import IntEnum, StrEnum

from log_aggregator.errors import Failure


class DayState(IntEnum):
    """The state of a log type in an account (and Region) on one day. Worse states have higher
    numbers; if several apply, a day has the worst.
    """

    NOTHING_DUE = 0
    """No log, and none expected: the digests name none, or the trail's first digest is later. Only
    known for CloudTrail.
    """
    UNKNOWN = 1
    """No log, and nothing says whether one is expected."""
    ARCHIVED = 2
    """Packed, and at least one pack of the day must be thawed before it can be read."""
    PACKED = 3
    """Packed, and no original is left."""
    BOTH = 4
    """Packs and originals."""
    ORIGINALS = 5
    """Originals only: not packed yet."""
    UNCHECKED = 6
    """The evidence could not be read: frozen digests, a pack without a readable index."""
    HOLE = 7
    """CloudTrail: no digest covers some of the day's hours, so nothing shows what was expected."""
    MISSING = 8
    """CloudTrail: a digest names log files that are neither in their bucket nor in a pack."""

    @property
    def is_there(self) -> bool:
        """Whether there are logs, and nothing is known to be wrong."""
        return DayState.ARCHIVED <= self <= DayState.ORIGINALS

    @property
    def is_bad(self) -> bool:
        """Whether something is known to be missing."""
        return self in (DayState.HOLE, DayState.MISSING)


class By(StrEnum):
    """What each row of a calendar is about."""

    ACCOUNT = "account"
    REGION = "region"


@dataclass(frozen=True, slots=True, order=True)
class RowName:
    """`region` is "" if rows are by account, or if a key has no Region."""

    log_type: str
    account: str
    region: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """`states` has a DayState for each day, from the calendar's first to its last."""

    name: RowName
    states: bytes

    def count(self) -> Counter[DayState]:
        return Counter({DayState(state): count for state, count in Counter(self.states).items()})


class GapKind(StrEnum):
    MISSING = "missing"
    """A digest names log files that are nowhere."""
    HOLE = "hole"
    """No digest covers these hours."""
    UNCHECKED = "unchecked"
    """Digests are there and could not be read."""


@dataclass(frozen=True, slots=True)
class Gap:
    """What is wrong with one day of a row.

    The day's digests name `named` log files, and `missing` of them are nowhere; `samples` are a few
    of their keys. `hours` are those that a hole leaves uncovered: (begin, end), in order, in UTC.
    """

    kind: GapKind
    name: RowName
    date: date
    named: int = 0
    missing: int = 0
    hours: tuple[tuple[datetime, datetime], ...] = ()
    samples: tuple[str, ...] = ()
    text: str = ""
    """One sentence, without the account and the day."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """What was found from `first` to `last`, both included. Rows are ordered by name, gaps by name
    and day.
    """

    first: date
    last: date
    by: By
    rows: tuple[Row, ...]
    gaps: tuple[Gap, ...] = ()
    failures: tuple[Failure, ...] = ()
    """What could not be read."""
    unlisted: int = 0
    """Further gaps that are not in `gaps`. Their days are marked all the same."""
    has_every_digest: bool = True
    """Whether all of CloudTrail's digests were read. If not, a day with some logs looks complete.
    """

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    def each_day(self) -> Iterator[date]:
        return (self.first + timedelta(days=number) for number in range(self.days))

    def count(self) -> Counter[DayState]:
        """The number of days in all rows, by state."""
        counts: Counter[DayState] = Counter()
        for row in self.rows:
            counts += row.count()
        return counts

    @property
    def is_complete(self) -> bool:
        """Whether there are logs, nothing is known to be missing, and everything could be read."""
        return bool(self.rows) and not self.failures and not self.gaps and not self.unlisted
