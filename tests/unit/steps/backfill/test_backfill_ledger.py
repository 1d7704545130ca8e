"""The ledger in the target: written once, joined only with the same plan, and trusted as little as
possible.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from tests.support.backfilling import FIRST, RANGE, backfill, make_worker, plan_of, three_windows
from tests.support.world import World, fail_on, find_losses, left_in_place, nothing, trail_key

from log_aggregator.core.backfill.entries import BackfillPlan, Kind, Totals
from log_aggregator.core.backfill.states import State
from log_aggregator.core.windows import DateWindow
from log_aggregator.errors import AccessDenied, CannotStart, Failure, NotFound, SettingsError
from log_aggregator.model import Target
from log_aggregator.steps.backfill.ledger import (
    Reader,
    choose_target,
    list_backfills,
    open_backfill,
    read_plan,
)
from log_aggregator_lab.stores.faults import FaultyStore

TARGET = Target("dest")


def keys(world: World) -> list[str]:
    return [each.key for each in world.store.list_objects("dest", prefix="backfills/").objects]


def test_ledger_entries_are_never_overwritten() -> None:
    """Every entry has one version, and none is deleted, over two workers one after the other."""
    world = three_windows()
    backfill(world, "first")
    backfill(world, "second")
    page = world.store.list_object_versions("dest", prefix="backfills/")
    assert [each.key for each in page.objects] == sorted(keys(world))
    assert page.markers == ()
    assert len([key for key in keys(world) if key.endswith("-done.json")]) == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda plan: replace(plan, sources=("logs", "more")), "takes logs from logs"),
        (lambda plan: replace(plan, window_days=3), "windows of 7 days"),
        (
            lambda plan: replace(plan, window=DateWindow(RANGE.first, RANGE.first)),
            "2025-03-01 to 2025-03-20",
        ),
    ],
)
def test_another_backfill_needs_another_name(
    change: Callable[[BackfillPlan], BackfillPlan], message: str
) -> None:
    """Under the first one's name its ledger would count the first one's windows as done."""
    world = three_windows()
    plan = plan_of(world)
    open_backfill(world.job(), TARGET, plan)
    with pytest.raises(SettingsError, match=message):
        open_backfill(world.job(), TARGET, change(plan))
    later = replace(plan, began=plan.began + timedelta(days=1))
    assert open_backfill(world.job(), TARGET, later) == plan


def test_without_a_ledger_no_window_begins() -> None:
    """Without permission to write the ledger, no window is touched."""
    world = three_windows()
    refused = AccessDenied("AccessDenied", code="AccessDenied", operation="PutObject")
    store = FaultyStore(world.store, fail_on(lambda call: call.operation == "PutObject", refused))
    with pytest.raises(CannotStart, match=r"backfills/2025-03-01-to-2025-03-20/plan\.json"):
        backfill(world, "first", store)
    assert len(left_in_place(world)) == 5


def test_an_unreadable_plan_is_not_joined() -> None:
    """A plan that cannot be read does not say what the backfill is about."""
    world = three_windows()
    world.store.put("dest", "backfills/2025-03-01-to-2025-03-20/plan.json", b"{}")
    with pytest.raises(CannotStart, match="another --name"):
        backfill(world, "first")
    assert len(left_in_place(world)) == 5


def test_only_one_of_two_workers_gets_a_window() -> None:
    """When two workers claim one window, S3 lets one have it. Each recognises its own claim if the
    answer was lost.
    """
    world = three_windows()
    first, second = (make_worker(world, name).ledger for name in ("first", "second"))
    state = first.reader.read().windows[0]
    assert first.claim(state) is not None
    assert second.claim(state) is None
    assert first.claim(state) is not None
    assert second.reader.read().windows[0].worker == "first"


def test_the_result_of_a_window_is_recorded() -> None:
    """The ledger shows the failures of a window, the first of them, and the worker."""
    world = three_windows()
    ledger = make_worker(world, "first").ledger
    attempt = ledger.claim(ledger.reader.read().windows[1])
    assert attempt is not None
    attempt.beat(Totals(objects=1))
    failures = [
        Failure(f"group {number}", "AccessDenied", "no", "grant it") for number in range(30)
    ]
    attempt.end(Kind.FAILED, Totals(objects=2, failures=30), failures)
    plan = read_plan(world.job(), TARGET, ledger.reader.plan.name)
    state = Reader(world.job(), TARGET, plan).read()
    assert state.windows[1].state is State.FAILED
    assert state.windows[1].failures[0] == "group 0: AccessDenied: no"
    assert len(state.windows[1].failures) == 20
    assert state.totals.objects == 2


def test_finished_windows_are_read_only_once() -> None:
    """Reading a ledger again costs one listing, however many windows are done."""
    world = three_windows()
    backfill(world, "first")
    store = FaultyStore(world.store, nothing)
    reader = Reader(world.job(store), TARGET, plan_of(world))
    reader.read()
    assert [call.operation for call in store.calls].count("GetObject") == 3
    before = len(store.calls)
    reader.read()
    assert [call.operation for call in store.calls[before:]] == ["ListObjectsV2"]


def test_a_forged_ledger_loses_nothing() -> None:
    """Someone who can write to the ledger can have windows skipped, but their logs stay. Anything
    that is not an entry, or belongs elsewhere, is ignored.
    """
    world = three_windows()
    forger = make_worker(world, "forger").ledger
    first, second, third = forger.reader.read().windows
    attempt = forger.claim(first)
    assert attempt is not None
    attempt.end(Kind.DONE, Totals())
    done = next(key for key in keys(world) if key.endswith("-done.json"))
    data = world.store.get_object("dest", done).data
    folder = "backfills/2025-03-01-to-2025-03-20/windows/"
    for window, body in ((second.window, data), (third.window, b"[" * 100_000)):
        world.store.put("dest", f"{folder}{window.first}_{window.last}/000001-done.json", body)
    assert backfill(world, "honest").count(State.DONE) == 3
    assert find_losses(world) == []
    packed_by_nobody = {trail_key(0, day=FIRST), trail_key(1, day=FIRST)}
    assert {source.key for source in left_in_place(world)} == packed_by_nobody


def test_backfills_are_found_by_name() -> None:
    """All backfills of a target; none if there are none."""
    world = three_windows()
    job = world.job()
    assert choose_target(job) == TARGET
    assert list_backfills(job, TARGET) == []
    for name in ("b", "a"):
        open_backfill(job, TARGET, plan_of(world, name))
    assert list_backfills(job, TARGET) == ["a", "b"]
    with pytest.raises(NotFound):
        read_plan(job, TARGET, "c")


def test_a_worker_uses_s3s_clock() -> None:
    """A worker takes the time that S3 gives its first entry, however wrong its own clock is."""
    world = three_windows()
    for hours in (-30, 0, 30):
        ledger = make_worker(world, f"worker {hours}", skew=timedelta(hours=hours)).ledger
        assert abs(ledger.reader.skew + timedelta(hours=hours)) < timedelta(seconds=1)


def test_a_lost_answer_is_not_a_failure() -> None:
    """The retried request finds that S3 already has the entry."""
    world = three_windows()

    ledger = make_worker(world, "first").ledger
    attempt = ledger.claim(ledger.reader.read().windows[0])
    assert attempt is not None
    attempt.end(Kind.DONE, Totals())
    attempt.end(Kind.DONE, Totals())
    assert ledger.reader.read().windows[0].state is State.DONE
