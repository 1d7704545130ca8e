"""A backfill dies at every request it makes and is started again: nothing is lost, every window is
done in the end, and no finished window is done again.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

import pytest
from tests.simulation.test_custody_chain import findings, lies
from tests.simulation.turns import Turns
from tests.support.backfilling import RANGE, Runs, backfill, make_worker, three_windows
from tests.support.world import find_losses, kill_at, left_in_place, nothing

from log_aggregator.adapters.forwarding import Call
from log_aggregator.core.backfill.entries import Totals
from log_aggregator.core.backfill.states import EXPIRY, BackfillState, State
from log_aggregator.core.windows import split_window
from log_aggregator.steps.backfill.work import LOOK_SECONDS
from log_aggregator_lab.stores.faults import Fault, FaultyStore, Killed

WINDOWS = list(split_window(RANGE))


def count_calls() -> int:
    world = three_windows()
    store = FaultyStore(world.store, nothing)
    backfill(world, "first", store)
    return len(store.calls)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_killed_backfill_is_finished_by_the_next_one(*, after: bool) -> None:
    """Wherever it dies, only the window it died in is begun again, once its claim has expired,
    which the second backfill waits for by itself. The custody records are complete, and a third
    backfill finds nothing to do.
    """
    for number in range(count_calls()):
        where = f"killed {'after' if after else 'before'} call {number}"
        world, runs = three_windows(), Runs()
        with pytest.raises(Killed):
            backfill(world, "first", FaultyStore(world.store, kill_at(number, after=after)), runs)
        assert find_losses(world) == [], where
        died_in = runs.order[-1:]
        state = backfill(world, "second", runs=runs)
        assert state.count(State.DONE) == len(WINDOWS), where
        assert find_losses(world) == [], where
        assert left_in_place(world) == [], where
        twice = [window for window, count in runs.begun.items() if count > 1]
        assert twice in ([], died_in), where
        assert max(runs.begun.values()) <= 2, where
        assert (findings(world), lies(world)) == ([], []), where
        third = Runs()
        assert backfill(world, "third", runs=third).is_over, where
        assert third.begun == Counter(), where


def test_two_workers_on_one_window_lose_nothing() -> None:
    """A second worker takes over whatever the first has claimed, at every request of the first,
    which continues: all windows are done, none has failed, and nothing is lost or left.
    """
    for number in range(0, count_calls(), 2):
        world = three_windows()
        ends: list[BackfillState] = []

        def come_in(at: int, _: Call) -> Fault | None:
            if at == number and not ends:  # noqa: B023 - it is called in this turn only
                ends.append(backfill(world, "second", takes_over=True))  # noqa: B023
            return None

        ends.append(backfill(world, "first", FaultyStore(world.store, come_in)))
        for state in ends:
            assert (state.count(State.DONE), state.count(State.FAILED)) == (3, 0), number
        assert find_losses(world) == [], number
        assert left_in_place(world) == [], number


def test_a_stopped_workers_window_is_free_immediately() -> None:
    """A window stopped in an orderly way is free immediately."""
    world, stopped = three_windows(), Runs(stops_in=2)
    state = backfill(world, "first", runs=stopped)
    assert [state.count(each) for each in (State.DONE, State.TO_DO)] == [1, 2]
    runs = Runs()
    assert backfill(world, "second", runs=runs).count(State.DONE) == len(WINDOWS)
    assert runs.pauses == 0
    assert runs.order == WINDOWS[1:]
    assert find_losses(world) == []


@pytest.mark.parametrize("skew_hours", [-30, 0, 30])
def test_a_wrong_clock_takes_no_window_from_a_running_worker(skew_hours: int) -> None:
    """A claim is as old as S3 says: while the other worker beats, the window is its own, and soon
    after its last beat it is not.
    """
    world, runs = three_windows(), Runs()
    alive = make_worker(world, "alive").ledger
    attempt = alive.claim(alive.reader.read().windows[0])
    assert attempt is not None
    beats = 3 * int(EXPIRY.total_seconds() / LOOK_SECONDS)

    def beat() -> None:
        if runs.pauses <= beats:
            attempt.beat(Totals())

    skew = timedelta(hours=skew_hours)
    state = make_worker(world, "other", runs=runs, skew=skew, on_pause=beat).work()
    assert state.count(State.DONE) == len(WINDOWS)
    assert runs.order == [*WINDOWS[1:], WINDOWS[0]]
    waited = (runs.pauses_before[WINDOWS[0]] - beats) * LOOK_SECONDS
    assert EXPIRY.total_seconds() <= waited <= EXPIRY.total_seconds() + 2 * LOOK_SECONDS


@pytest.mark.parametrize("seed", range(12))
def test_several_workers_share_the_windows(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three in parallel, in any order: each window is begun by only one of them, and each ends when
    all are done. If one is killed, the others finish its window too.
    """
    monkeypatch.setattr("log_aggregator.steps.backfill.work.LOOK_SECONDS", 1.0)
    rng, world, runs = random.Random(seed), three_windows(), Runs()
    ends: list[BackfillState] = []
    dies_at = rng.randrange(10, 60) if seed % 2 else None

    def make_job(name: int) -> Callable[[Callable[[], None]], None]:
        def job(pass_turn: Callable[[], None]) -> None:
            def decide(number: int, _: Call) -> Fault | None:
                pass_turn()
                return Fault(before=Killed()) if name == 0 and number == dies_at else None

            with suppress(Killed):
                ends.append(backfill(world, f"w{name}", FaultyStore(world.store, decide), runs))

        return job

    errors = Turns(rng, switch=0.5).run([make_job(name) for name in range(3)])
    assert errors == []
    assert [state.count(State.DONE) for state in ends] == [3] * len(ends)
    assert len(ends) >= 2
    assert max(runs.begun.values()) <= (1 if len(ends) == 3 else 2)
    assert (find_losses(world), left_in_place(world)) == ([], [])
