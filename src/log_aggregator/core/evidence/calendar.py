"""The coverage calendar: what there is of each day, by log type, account and maybe Region.

A row holds a byte a day, so 1,000 accounts' year of three log types takes about a megabyte.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import IntEnum, StrEnum

from log_aggregator.errors import Failure


class DayState(IntEnum):
    """What there is of a log type, account (and Region) on one day. What is worse stands further
    down: of several states that hold, a day has the last.
    """

    NOTHING_DUE = 0
    """No log, and none is due: the digests name none, or the trail's first digest comes later.
    Only known of CloudTrail.
    """
    UNKNOWN = 1
    """No log, and nothing says whether there ought to be one."""
    ARCHIVED = 2
    """Packed, and at least one pack of the day must be thawed before it can be read."""
    PACKED = 3
    """Packed, and no original is left."""
    BOTH = 4
    """Packs and originals."""
    ORIGINALS = 5
    """Originals only: not packed yet."""
    UNCHECKED = 6
    """What would tell could not be read: frozen digests, a pack without a readable index."""
    HOLE = 7
    """CloudTrail: no digest covers some of the day's hours, so nothing shows what was due."""
    MISSING = 8
    """CloudTrail: a digest names log files that are neither in their bucket nor in a pack."""

    @property
    def is_there(self) -> bool:
        """There are logs, and nothing is known to be wrong."""
        return DayState.ARCHIVED <= self <= DayState.ORIGINALS

    @property
    def is_bad(self) -> bool:
        """Something is missing that must be there."""
        return self in (DayState.HOLE, DayState.MISSING)


class By(StrEnum):
    """What a calendar's rows are of."""

    ACCOUNT = "account"
    REGION = "region"


@dataclass(frozen=True, slots=True, order=True)
class RowName:
    """`region` is "" where rows are by account, and where a key names none."""

    log_type: str
    account: str
    region: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """`states` holds a DayState a day, from the calendar's first day to its last."""

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
    """What is wrong with one day of a row, and by how much.

    `named` log files are named by the day's digests and `missing` of them are nowhere; `samples`
    are keys of a few. `hours` are the uncovered ones of a hole: (begin, end), one after the other,
    in UTC.
    """

    kind: GapKind
    name: RowName
    date: date
    named: int = 0
    missing: int = 0
    hours: tuple[tuple[datetime, datetime], ...] = ()
    samples: tuple[str, ...] = ()
    text: str = ""
    """One sentence for people, without the account and the day."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """Everything that was found from `first` to `last`, both included. Rows are in the order of
    their names, gaps in that of names and days.
    """

    first: date
    last: date
    by: By
    rows: tuple[Row, ...]
    gaps: tuple[Gap, ...] = ()
    failures: tuple[Failure, ...] = ()
    """What could not be looked into."""
    unlisted: int = 0
    """Gaps beyond what is kept. Their days are marked all the same."""
    has_every_digest: bool = True
    """All digests of CloudTrail were read. Otherwise a day with some logs looks whole."""

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    def each_day(self) -> Iterator[date]:
        return (self.first + timedelta(days=number) for number in range(self.days))

    def count(self) -> Counter[DayState]:
        """Days of rows, by state."""
        counts: Counter[DayState] = Counter()
        for row in self.rows:
            counts += row.count()
        return counts

    @property
    def is_complete(self) -> bool:
        """There is something, nothing is known to be missing, and all that decides could be looked
        into.
        """
        return bool(self.rows) and not self.failures and not self.gaps and not self.unlisted
