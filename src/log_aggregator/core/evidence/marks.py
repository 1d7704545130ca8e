"""What was found for each day, before it is compared with what should be there."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import IntFlag

from log_aggregator.core.evidence.calendar import DayState, RowName
from log_aggregator.core.windows import DateWindow


class Seen(IntFlag):
    """What was found for a day."""

    ORIGINAL = 1
    PACK = 2
    FROZEN = 4
    """A pack that must be thawed before it can be read."""
    LOST = 8
    """An index whose pack is gone."""


@dataclass(slots=True)
class Marks:
    """One byte for each day of a window, by row. Not thread safe."""

    window: DateWindow
    rows: dict[RowName, bytearray] = field(default_factory=dict)

    def mark(self, name: RowName, day: date, seen: Seen) -> None:
        """Days outside the window are ignored."""
        number = (day - self.window.first).days
        if day in self.window:
            self.row(name)[number] |= seen

    def row(self, name: RowName) -> bytearray:
        found = self.rows.get(name)
        if found is None:
            found = self.rows[name] = bytearray(self.days)
        return found

    @property
    def days(self) -> int:
        return (self.window.last - self.window.first).days + 1

    def merge(self, other: Marks) -> None:
        """Adds the marks of other rows in the same window."""
        for name, marks in other.rows.items():
            own = self.row(name)
            for number, mark in enumerate(marks):
                own[number] |= mark

    def day(self, number: int) -> date:
        return self.window.first + timedelta(days=number)


def state_of(seen: int) -> DayState:
    """The state of a day as long as nothing says what should be there."""
    if seen & Seen.LOST:
        return DayState.MISSING
    if not seen:
        return DayState.UNKNOWN
    if seen == Seen.ORIGINAL:
        return DayState.ORIGINALS
    if seen & Seen.ORIGINAL:
        return DayState.BOTH
    return DayState.ARCHIVED if seen & Seen.FROZEN else DayState.PACKED


_STATES = bytes(state_of(seen) for seen in range(256))


def states_of(marks: bytearray) -> bytearray:
    """The same for each day of a row."""
    return marks.translate(_STATES)


@dataclass(frozen=True, slots=True)
class TrailDays:
    """Days of a trail that need a closer look, by their numbers, when only its objects were
    listed.
    """

    holes: tuple[int, ...] = ()
    """Days without a digest after the first one; or with logs, if there is no digest at all."""
    silent: tuple[int, ...] = ()
    """Days with digests but without logs: the digests say whether logs are missing."""
    early: tuple[int, ...] = ()
    """Days before the first digest, which says whether there was one before it."""


def plan_trail(logs: bytes, digests: bytes, due_days: int) -> TrailDays:
    """`logs` and `digests` hold the marks of each day; from day `due_days` on, digests may still
    arrive.
    """
    first = next((number for number, seen in enumerate(digests) if seen), None)
    holes, silent, early = [], [], []
    for number in range(min(due_days, len(logs))):
        if digests[number]:
            if not logs[number]:
                silent.append(number)
        elif first is not None and number < first:
            early.append(number)
        elif first is not None or logs[number]:
            holes.append(number)
    return TrailDays(tuple(holes), tuple(silent), tuple(early))
