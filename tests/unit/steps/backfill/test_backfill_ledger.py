"""The ledger in the target: written once, joined only with the same plan, and believed no further
than necessary.
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


def test_nothing_of_it_is_ever_written_over() -> None:
    """Every entry has its one version, and none is deleted, over two workers one after the
    other.
    """
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
    """Or what it calls done would be what the first one did."""
    world = three_windows()
    plan = plan_of(world)
    open_backfill(world.job(), TARGET, plan)
    with pytest.raises(SettingsError, match=message):
        open_backfill(world.job(), TARGET, change(plan))
    later = replace(plan, began=plan.began + timedelta(days=1))
    assert open_backfill(world.job(), TARGET, later) == plan


def test_without_a_ledger_nothing_begins() -> None:
    """Where it may not be written, no window is touched."""
    world = three_windows()
    refused = AccessDenied("AccessDenied", code="AccessDenied", operation="PutObject")
    store = FaultyStore(world.store, fail_on(lambda call: call.operation == "PutObject", refused))
    with pytest.raises(CannotStart, match=r"backfills/2025-03-01-to-2025-03-20/plan\.json"):
        backfill(world, "first", store)
    assert len(left_in_place(world)) == 5


def test_a_plan_that_cannot_be_read_is_not_joined() -> None:
    """What the backfill of this name is about nobody knows."""
    world = three_windows()
    world.store.put("dest", "backfills/2025-03-01-to-2025-03-20/plan.json", b"{}")
    with pytest.raises(CannotStart, match="another --name"):
        backfill(world, "first")
    assert len(left_in_place(world)) == 5


def test_one_of_two_claims_a_window() -> None:
    """Both want the same one; S3 lets one have it. Each knows its own claim again where the answer
    was lost.
    """
    world = three_windows()
    first, second = (make_worker(world, name).ledger for name in ("first", "second"))
    state = first.reader.read().windows[0]
    assert first.claim(state) is not None
    assert second.claim(state) is None
    assert first.claim(state) is not None
    assert second.reader.read().windows[0].worker == "first"


def test_what_became_of_a_window_is_told() -> None:
    """Its failures, the first of them, and the worker; they are read by whoever looks."""
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


def test_what_is_read_once_is_not_read_again() -> None:
    """A look at a ledger costs a listing, however many windows are done."""
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
    """Who can write there can have windows passed over; their logs stay where they are. What is no
    entry, or one of another place, is passed over itself.
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


def test_backfills_are_found_by_their_names() -> None:
    """All of a target; where there is none, none."""
    world = three_windows()
    job = world.job()
    assert choose_target(job) == TARGET
    assert list_backfills(job, TARGET) == []
    for name in ("b", "a"):
        open_backfill(job, TARGET, plan_of(world, name))
    assert list_backfills(job, TARGET) == ["a", "b"]
    with pytest.raises(NotFound):
        read_plan(job, TARGET, "c")


def test_a_worker_knows_what_time_it_is_at_s3() -> None:
    """By the time that S3 gives its own first entry, however wrong its clock is."""
    world = three_windows()
    for hours in (-30, 0, 30):
        ledger = make_worker(world, f"worker {hours}", skew=timedelta(hours=hours)).ledger
        assert abs(ledger.reader.skew + timedelta(hours=hours)) < timedelta(seconds=1)


def test_a_lost_answer_to_an_end_is_no_failure() -> None:
    """S3 has it: the retried request finds it there."""
    world = three_windows()

    ledger = make_worker(world, "first").ledger
    attempt = ledger.claim(ledger.reader.read().windows[0])
    assert attempt is not None
    attempt.end(Kind.DONE, Totals())
    attempt.end(Kind.DONE, Totals())
    assert ledger.reader.read().windows[0].state is State.DONE
