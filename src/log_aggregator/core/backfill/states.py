"""The progress of a backfill, from the entries of its ledger."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import groupby

from log_aggregator.core.backfill.entries import BackfillPlan, Entry, EntryPlace, Kind, Totals
from log_aggregator.core.windows import DateWindow, split_window

BEAT_SECONDS = 120.0
EXPIRY = timedelta(minutes=10)
"""A claim is given up when nothing was heard of it for this long, that is for five beats. Giving it
up too early loses nothing, because two runs may work on the same days; it only does work twice.
"""


class State(StrEnum):
    """The state of a window."""

    TO_DO = "to do"
    UNDER_WAY = "under way"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Seen:
    """An entry as it was listed; `written` is S3's time. `entry` is None if it did not have to be
    read.
    """

    place: EntryPlace
    written: datetime
    entry: Entry | None = None


@dataclass(frozen=True, slots=True)
class WindowState:
    """The state of a window. `worker`, `began` and `heard` are those of its newest attempt."""

    window: DateWindow
    state: State = State.TO_DO
    attempts: int = 0
    worker: str = ""
    began: datetime | None = None
    heard: datetime | None = None
    totals: Totals = field(default_factory=Totals)
    """Of all attempts together."""
    current: Totals = field(default_factory=Totals)
    """Of the newest attempt."""
    failures: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BackfillState:
    """All windows of a backfill, oldest first, at the time `now` of S3's clock."""

    plan: BackfillPlan
    windows: tuple[WindowState, ...]
    now: datetime

    def of(self, state: State) -> list[WindowState]:
        return [each for each in self.windows if each.state is state]

    def count(self, state: State) -> int:
        return len(self.of(state))

    @property
    def totals(self) -> Totals:
        return sum((each.totals for each in self.windows), Totals())

    @property
    def is_over(self) -> bool:
        """Whether only failed windows are left, if any."""
        return not self.count(State.TO_DO) and not self.count(State.UNDER_WAY)

    @property
    def objects_per_second(self) -> float:
        """The rate of all workers together, each since it began its window."""
        return sum(
            each.current.objects / seconds
            for each in self.of(State.UNDER_WAY)
            if each.began and each.heard and (seconds := (each.heard - each.began).total_seconds())
        )

    @property
    def seconds_left(self) -> float | None:
        """The time for the rest, if windows take as long as those that are done, and as many
        workers work on them as now. None if none is done yet.
        """
        done = [each.totals.seconds for each in self.of(State.DONE)]
        if not done:
            return None
        each_takes = sum(done) / len(done)
        under_way = self.of(State.UNDER_WAY)
        spent = sum(
            min(each_takes, (self.now - each.began).total_seconds())
            for each in under_way
            if each.began is not None
        )
        left = each_takes * (self.count(State.TO_DO) + len(under_way)) - spent
        return max(0.0, left) / max(1, len(under_way))


def judge(plan: BackfillPlan, seen: Iterable[Seen], now: datetime) -> BackfillState:
    """The state of every window of the plan. Entries of other windows are ignored."""
    by_window: dict[DateWindow, list[Seen]] = {}
    for each in seen:
        by_window.setdefault(each.place.window, []).append(each)
    windows = split_window(plan.window, plan.window_days)
    states = tuple(judge_window(window, by_window.get(window, ()), now) for window in windows)
    return BackfillState(plan, states, now)


def judge_window(window: DateWindow, seen: Iterable[Seen], now: datetime) -> WindowState:
    """Done if any attempt finished it, otherwise the state of the newest attempt."""
    there = list(seen)
    attempts = _by_attempt(there)
    tried = max((each.place.attempt for each in there), default=0)
    if not attempts:
        return WindowState(window, attempts=tried)
    newest = attempts[max(attempts)]
    ends = [_end_of(entries) for entries in attempts.values()]
    heard = max(each.written for each in newest)
    last = _last_read(newest)
    return WindowState(
        window,
        _state_of(ends, ends[-1], heard, now),
        tried,
        last.worker if last else "",
        min(each.written for each in newest),
        heard,
        sum((entry.totals for e in attempts.values() if (entry := _last_read(e))), Totals()),
        last.totals if last else Totals(),
        last.failures if last else (),
    )


def _state_of(
    ends: Sequence[Kind | None], newest: Kind | None, heard: datetime, now: datetime
) -> State:
    if Kind.DONE in ends:
        return State.DONE
    if newest is None:
        return State.UNDER_WAY if now - heard < EXPIRY else State.TO_DO
    return State.FAILED if newest is Kind.FAILED else State.TO_DO


def _by_attempt(seen: Iterable[Seen]) -> Mapping[int, list[Seen]]:
    """The entries of each attempt, in order. An end that could not be read is ignored."""
    believed = (each for each in seen if not each.place.kind.is_end or each.entry is not None)
    ordered = sorted(
        believed, key=lambda each: (each.place.attempt, _RANK[each.place.kind], each.place.number)
    )
    return {
        attempt: list(entries)
        for attempt, entries in groupby(ordered, key=lambda each: each.place.attempt)
    }


_RANK = {Kind.CLAIM: 0, Kind.BEAT: 1, Kind.STOPPED: 2, Kind.FAILED: 3, Kind.DONE: 4}


def _end_of(entries: Sequence[Seen]) -> Kind | None:
    last = entries[-1].place.kind
    return last if last.is_end else None


def _last_read(entries: Sequence[Seen]) -> Entry | None:
    return next((each.entry for each in reversed(entries) if each.entry is not None), None)
