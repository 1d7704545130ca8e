"""How a worker moves from window to window."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from tests.support.backfilling import RANGE, Runs, backfill, make_worker, three_windows
from tests.support.world import document, fail_on, find_losses, left_in_place, trail_key

from log_aggregator.core.backfill.entries import Totals
from log_aggregator.core.backfill.order import Order
from log_aggregator.core.backfill.states import BackfillState, State
from log_aggregator.core.windows import DateWindow, split_window
from log_aggregator.errors import (
    AccessDenied,
    CannotStart,
    Interrupted,
    LimitExceeded,
    Unreachable,
)
from log_aggregator.steps.backfill.ledger import Attempt
from log_aggregator.steps.backfill.work import Outcome, Watcher, WindowRunner
from log_aggregator_lab.stores.faults import FaultyStore

WINDOWS = list(split_window(RANGE))


def test_every_window_is_a_separate_run() -> None:
    """All logs are packed, each window has its custody records, and the ledger says what
    was done.
    """
    world, runs = three_windows(), Runs()
    state = backfill(world, "only", runs=runs)
    assert runs.order == WINDOWS
    assert [each.totals.objects for each in state.windows] == [2, 2, 1]
    assert (find_losses(world), left_in_place(world)) == ([], [])
    custody = world.store.list_objects("dest", prefix="custody/").objects
    assert len(custody) == 6


@pytest.mark.parametrize("order", Order)
def test_windows_are_taken_in_the_requested_order(order: Order) -> None:
    """Windows that a lifecycle rule deletes soon go first: the clock says 5 April."""
    for expiry, urgent in (((), []), ((29,), WINDOWS[:2]), ((date(2025, 9, 1),), [])):
        world, runs = three_windows(), Runs()
        worker = make_worker(world, "only", runs=runs)
        worker.order, worker.expiry = order, expiry
        worker.work()
        rest = [window for window in WINDOWS if window not in urgent]
        assert runs.order[: len(urgent)] == urgent
        assert runs.order[len(urgent) :] == (rest if order is Order.OLDEST else rest[::-1])


def test_a_failed_window_is_retried_by_the_next_worker() -> None:
    """The same worker does not retry a failed window, because it would only fail again."""
    world, runs = three_windows(), Runs()
    denied = AccessDenied("no", code="AccessDenied", operation="GetObject")
    middle = f"{WINDOWS[1].first:%Y/%m/%d}"
    faulty = fail_on(lambda call: call.bucket == "logs" and middle in call.key, denied)
    store = FaultyStore(world.store, faulty)
    state = backfill(world, "first", store, runs)
    states = [each.state for each in state.windows]
    assert states == [State.DONE, State.FAILED, State.DONE]
    assert runs.order == WINDOWS
    again = Runs()
    state = backfill(world, "second", runs=again)
    assert again.order == [WINDOWS[1]]
    assert state.count(State.DONE) == 3
    assert left_in_place(world) == []


def raising(*errors: Exception | None) -> WindowRunner:
    """Raise these errors, window by window."""
    left = list(errors)

    def run_window(attempt: Attempt) -> Outcome:
        error = left.pop(0)
        if error is not None:
            raise error
        return Outcome(Totals(objects=1))

    return run_window


def test_if_the_first_window_cannot_begin_none_does() -> None:
    """A bucket that is missing for the first window is missing for all; the ledger says why."""
    world = three_windows()
    worker = make_worker(world, "only")
    worker.run_window = raising(CannotStart("bucket 'logs' cannot be listed"))
    with pytest.raises(CannotStart, match="cannot be listed"):
        worker.work()
    state = worker.ledger.reader.read()
    assert [each.state for each in state.windows] == [State.FAILED, State.TO_DO, State.TO_DO]
    assert "cannot be listed" in state.windows[0].failures[0]


def test_an_oversized_window_is_skipped() -> None:
    """Other windows may be smaller; the worker stops after three too large in a row."""
    world = three_windows()
    worker = make_worker(world, "only")
    large = LimitExceeded("too many")
    worker.run_window = raising(large, None, large)
    assert [each.state for each in worker.work().windows] == [
        State.FAILED,
        State.DONE,
        State.FAILED,
    ]
    worker = make_worker(three_windows(), "only")
    worker.run_window = raising(large, large, large)
    with pytest.raises(LimitExceeded):
        worker.work()


@pytest.mark.parametrize("error", [KeyboardInterrupt(), Interrupted("stopped")])
def test_a_stop_releases_the_window(error: BaseException) -> None:
    """The next worker need not wait for the claim to expire."""
    world = three_windows()
    worker = make_worker(world, "only")

    def run_window(attempt: Attempt) -> Outcome:
        raise error

    worker.run_window = run_window
    with pytest.raises(type(error)):
        worker.work()
    assert worker.ledger.reader.read().windows[0].state is State.TO_DO


def test_take_over_ignores_the_claim_of_a_killed_worker() -> None:
    """--take-over takes claimed windows immediately, after the free ones."""
    world, runs = three_windows(), Runs()
    dead = make_worker(world, "dead").ledger
    assert dead.claim(dead.reader.read().windows[0]) is not None
    worker = make_worker(world, "next", runs=runs)
    worker.takes_over = True
    assert worker.work().count(State.DONE) == 3
    assert runs.order == [*WINDOWS[1:], WINDOWS[0]]
    assert runs.pauses == 0


class Told(Watcher):
    def __init__(self) -> None:
        self.done: list[int] = []
        self.waits = 0
        self.windows: list[DateWindow] = []

    def looked(self, state: BackfillState) -> None:
        self.done.append(state.count(State.DONE))

    def waiting(self, state: BackfillState) -> None:
        self.waits += 1

    def ended(self, window: DateWindow, outcome: Outcome) -> None:
        self.windows.append(window)


def test_a_watcher_is_told_the_progress() -> None:
    """Progress is reported before each window and at the end, and waiting is reported too."""
    world, told = three_windows(), Told()
    dead = make_worker(world, "dead").ledger
    assert dead.claim(dead.reader.read().windows[2]) is not None
    worker = make_worker(world, "only")
    worker.watcher = told
    worker.work()
    assert told.windows == WINDOWS
    assert sorted(set(told.done)) == [0, 1, 2, 3]
    assert told.waits >= 2


def test_the_ledger_is_not_packed() -> None:
    """In place, where packs lie among the logs, a further run leaves every ledger entry alone."""
    world = three_windows()
    rules = replace(world.rules, destination_bucket=None, final_aggregation_prefix="aggregated")
    world.rules = rules
    world.put("logs", trail_key(9, day=RANGE.first), document(9))
    state = backfill(world, "only")
    assert state.count(State.DONE) == 3
    entries = [
        each.key
        for each in world.store.list_objects("logs", prefix="aggregated/backfills/").objects
    ]
    assert len(entries) >= 2 + 2 * 3
    world.clock.advance(days=2)
    assert world.run().failures == []
    page = world.store.list_objects("logs", prefix="aggregated/backfills/")
    assert [each.key for each in page.objects] == entries


def test_an_unanswered_ledger_ends_a_backfill() -> None:
    """If S3 does not answer, the ledger cannot be read, and the rest waits for the next start."""
    world = three_windows()
    silent = Unreachable("no answer", code="ReadTimeoutError")
    store = FaultyStore(
        world.store, fail_on(lambda call: call.operation == "ListObjectsV2", silent)
    )
    with pytest.raises((CannotStart, Unreachable)):
        backfill(world, "only", store)
    assert find_losses(world) == []
