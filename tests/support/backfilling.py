"""Backfills over small worlds: three windows, workers whose pauses take no time, and a record of
what they did.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

from tests.support.world import SteppingClock, World, document, make_world, trail_key

from log_aggregator.core.backfill.entries import BackfillPlan, Totals, name_backfill
from log_aggregator.core.backfill.states import BackfillState
from log_aggregator.core.custody import sum_counts
from log_aggregator.core.windows import DateWindow
from log_aggregator.ports.store import ObjectStore
from log_aggregator.steps.backfill.ledger import Attempt, Ledger, choose_target, open_backfill
from log_aggregator.steps.backfill.recover import tell_of_killed_runs
from log_aggregator.steps.backfill.work import Outcome, Worker
from log_aggregator.steps.custody.keep import CustodyKeeper
from log_aggregator.steps.job import Job
from log_aggregator.steps.packing.listing import Progress
from log_aggregator.steps.packing.results import GroupResult
from log_aggregator.steps.packing.run import run
from log_aggregator.steps.workers import SerialWorkers

FIRST, DAYS = date(2025, 3, 1), 20
RANGE = DateWindow(FIRST, FIRST + timedelta(days=DAYS - 1))


def three_windows() -> World:
    """Logs on the first day of each week of a range of 20 days: two, two and one."""
    world = make_world()
    for number in range(5):
        day = FIRST + timedelta(days=7 * (number // 2))
        world.put("logs", trail_key(number, day=day), document(number))
    rules = world.rules
    world.rules = replace(rules, selection=replace(rules.selection, window=RANGE))
    return world


def plan_of(world: World, name: str | None = None) -> BackfillPlan:
    return BackfillPlan(name or name_backfill(RANGE), RANGE, 7, ("logs",), world.clock.now())


@dataclass(slots=True)
class Runs:
    """Records which windows were begun, how often, and after how many pauses; the worker is stopped
    in its `stops_in`th window.
    """

    stops_in: int | None = None
    begun: Counter[DateWindow] = field(default_factory=Counter)
    order: list[DateWindow] = field(default_factory=list)
    pauses: int = 0
    pauses_before: dict[DateWindow, int] = field(default_factory=dict)

    def begin(self, window: DateWindow) -> None:
        self.begun[window] += 1
        self.order.append(window)
        self.pauses_before[window] = self.pauses

    @property
    def is_stopped(self) -> bool:
        return len(self.order) == self.stops_in


@dataclass(frozen=True, slots=True)
class Away:
    """A machine whose clock is wrong by this much."""

    clock: SteppingClock
    skew: timedelta

    def now(self) -> datetime:
        return self.clock.now() + self.skew


@dataclass(slots=True)
class Pausing(SerialWorkers):
    """Its pauses only advance the world's clock."""

    clock: SteppingClock
    runs: Runs
    on_pause: Callable[[], None]

    def pause(self, seconds: float) -> None:
        self.clock.advance(seconds=seconds)
        self.runs.pauses += 1
        self.on_pause()


class Beating(Progress):
    """Beats whenever a group is settled."""

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt

    def settled(self, result: GroupResult, objects: int) -> None:
        self._attempt.beat(Totals(objects=objects))


def make_worker(
    world: World,
    name: str,
    store: ObjectStore | None = None,
    runs: Runs | None = None,
    *,
    skew: timedelta = timedelta(),
    on_pause: Callable[[], None] = lambda: None,
) -> Worker:
    """A worker that has joined the backfill of the world's range."""
    runs = runs or Runs()
    clock = Away(world.clock, skew)
    workers = Pausing(world.clock, runs, on_pause)
    job = Job(store or world.store, workers, world.rules, clock)
    target = choose_target(job)
    ledger = Ledger.join(job, target, open_backfill(job, target, plan_of(world)), name)

    def run_window(attempt: Attempt) -> Outcome:
        runs.begin(attempt.window)
        if runs.is_stopped:
            return Outcome(is_stopped=True)
        keeper = CustodyKeeper(job, f"{name} {len(runs.order)}", lambda _: None, recovers=False)
        result = run(job.for_days(attempt.window), Beating(attempt), None, keeper)
        counts = sum_counts(result.groups)
        return Outcome(Totals(objects=counts.packed), result.failures)

    return Worker(ledger, run_window)


def backfill(
    world: World,
    name: str,
    store: ObjectStore | None = None,
    runs: Runs | None = None,
    *,
    takes_over: bool = False,
) -> BackfillState:
    """Works until nothing is left, like the command."""
    worker = make_worker(world, name, store, runs)
    worker.takes_over = takes_over
    state = worker.work()
    if not worker.is_stopped:
        job = worker.ledger.reader.job
        assert tell_of_killed_runs(job, RANGE, f"{name} end", lambda _: None, lambda _: None) == []
    return state
