"""Search terms are merged into tables after a run, with the real definitions and handlers: they are
merged in the end whatever happens, and never change the outcome of a run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from tests.simulation.test_statemachine import MERGE, result_of, run_all, two_halves
from tests.support.cloud import Cloud, StoppableSerialWorkers, make_cloud
from tests.support.statemachine import StateError
from tests.support.world import World, document, find_losses, kill_at, trail_key

from log_aggregator.adapters.forwarding import Call
from log_aggregator.core.checksums import crc64nvme
from log_aggregator.core.query import Query
from log_aggregator.core.tables.keys import pack_name
from log_aggregator.errors import Interrupted
from log_aggregator.model import Target
from log_aggregator.ports.store import WriteOptions
from log_aggregator.steps.search.merge import list_terms
from log_aggregator.steps.search.tables import list_tables, open_table
from log_aggregator.steps.workers import SerialWorkers

HISTORY = {"start_date": "2025-03-01", "end_date": "2025-03-31", "bucket_name": "trail"}

MakeCloud = Callable[[World], Cloud]


@pytest.fixture
def clouds(monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeCloud]:
    with ExitStack() as stack:
        yield lambda world: stack.enter_context(make_cloud(world, monkeypatch))


def with_terms(world: World) -> set[str]:
    """The packs that have terms, by their short names."""
    target = Target("dest")
    keys = list_terms(world.store, SerialWorkers(), target, Query())
    return {pack_name(target, key) for key in keys}


def covered(world: World) -> list[str]:
    """The packs covered by tables, one entry for each time."""
    tables = list_tables(world.store, SerialWorkers(), Target("dest"), Query())
    return [name for each in tables for name in open_table(world.store, each).directory.names]


def tables_written(cloud: Cloud) -> list[Call]:
    return [
        call
        for _, call in cloud.calls
        if call.operation == "PutObject" and call.key.startswith("tables/")
    ]


def make_history() -> World:
    world = two_halves()
    for day in (1, 10, 20):
        world.put("trail", trail_key(day, day=date(2025, 3, day)), document(day))
    return world


def fail_account(called: str, payload: Any) -> None:
    """Main logs cannot be combined."""
    if called == "CombineFunction" and payload["kind"] == "main":
        raise StateError("AccessDenied")


def test_a_night_merges_its_terms_into_tables(clouds: MakeCloud) -> None:
    """Each pack with terms is in one table, and the execution reports how many there were."""
    world = two_halves()
    output = clouds(world).run()
    assert len(with_terms(world)) == 2
    assert sorted(covered(world)) == sorted(with_terms(world))
    assert output["search"] == {"is_done": True, "tables": 2, "packs": 2}
    assert output["packs"] == 2, "the run's own numbers are there as well"


def test_a_failed_run_is_merged_and_keeps_its_error(clouds: MakeCloud) -> None:
    """What it packed can be searched; its error is its own, not one of merging."""
    world = two_halves()
    cloud = clouds(world)
    cloud.break_function = fail_account
    with pytest.raises(
        StateError, match=r"RunFailed.*nothing was deleted that is not in a verified pack"
    ):
        cloud.run()
    assert len(with_terms(world)) == 1
    assert set(covered(world)) == with_terms(world)


@pytest.mark.parametrize("error", ["AccessDenied", "Runtime.OutOfMemory", "Lambda.Unknown"])
def test_a_failed_merge_is_made_up_for_by_the_next_run(error: str, clouds: MakeCloud) -> None:
    """The night succeeds and says so; the next one, which packs nothing, merges what was left."""
    world = two_halves()
    cloud = clouds(world)

    def break_merging(called: str, _payload: Any) -> None:
        if called == MERGE:
            raise StateError(error)

    cloud.break_function = break_merging
    output = cloud.run()
    assert output["search"]["Error"] == error
    assert result_of(world)["failures"] == []
    assert covered(world) == []
    cloud.break_function = lambda _called, _payload: None
    assert cloud.run()["packs"] == 0
    assert set(covered(world)) == with_terms(world) != set()


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_merge_that_dies_is_resumed(clouds: MakeCloud, *, after: bool) -> None:
    """At whichever request the function dies, it is called again, each pack is in one table in the
    end, and the night succeeds.
    """
    undisturbed = clouds(two_halves())
    undisturbed.run()
    numbers = [n for n, (function, _) in enumerate(undisturbed.calls) if function == MERGE]
    assert len(numbers) > 5
    for number in numbers:
        world = two_halves()
        cloud = clouds(world)
        cloud.decide = kill_at(number, after=after)
        assert cloud.run()["search"]["is_done"] is True, undisturbed.calls[number]
        assert cloud.invocations.count(MERGE) == 2
        assert find_losses(world) == []
        assert sorted(covered(world)) == sorted(with_terms(world)), undisturbed.calls[number]


def test_a_merge_can_take_several_calls(clouds: MakeCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that runs out of time after a table says that there is more to do; another call does
    it.
    """
    world = two_halves()
    cloud, written = clouds(world), list[str]()

    def note(_number: int, call: Call) -> None:
        if call.operation == "PutObject" and call.key.startswith("tables/"):
            written.append(call.key)

    def stop_after_a_table(_workers: object) -> None:
        if len(written) == cloud.invocations.count(MERGE) > 0:
            raise Interrupted

    monkeypatch.setattr(StoppableSerialWorkers, "check_stop", stop_after_a_table)
    monkeypatch.setattr(cloud, "decide", note)
    assert cloud.run()["search"]["is_done"] is True
    assert cloud.invocations.count(MERGE) == 2
    assert sorted(covered(world)) == sorted(with_terms(world))


def test_a_merge_without_progress_ends(clouds: MakeCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """If not even one table fits into a call, it fails after being retried, and the night
    does not.
    """
    world = two_halves()
    cloud = clouds(world)

    def stop(_workers: object) -> None:
        if MERGE in cloud.invocations:
            raise Interrupted

    monkeypatch.setattr(StoppableSerialWorkers, "check_stop", stop)
    assert cloud.run()["search"]["Error"] == "OutOfTime"
    assert cloud.invocations.count(MERGE) == 4


def test_unreadable_terms_are_reported_and_the_rest_is_merged(clouds: MakeCloud) -> None:
    """The function fails, which triggers its alarm, and names them; the night succeeds."""
    world = two_halves()
    cloud = clouds(world)

    def spoil(called: str, _payload: Any) -> None:
        if called == MERGE:
            (first, *_) = sorted(with_terms(world))
            spoiled.append(first)
            data, key = b"no terms", Target("dest").terms_key(f"packs/{first}")
            options = WriteOptions(may_replace=True)
            world.store.put_object("dest", key, data, crc64nvme=crc64nvme(data), options=options)

    spoiled: list[str] = []
    cloud.break_function = spoil
    output = cloud.run()
    assert output["search"]["Error"] == "RunFailed"
    assert spoiled[0] in output["search"]["Cause"]
    assert set(covered(world)) == with_terms(world) - set(spoiled) != set()


def test_a_dry_run_merges_nothing(clouds: MakeCloud) -> None:
    """What was unmerged before stays unmerged: nothing is written."""
    world = two_halves()
    cloud = clouds(world)
    cloud.break_function = fail_merging
    cloud.run()
    cloud.break_function = lambda _called, _payload: None
    assert cloud.run({"dry_run": True})["search"]["packs"] == 0
    assert covered(world) == []


def fail_merging(called: str, _payload: Any) -> None:
    if called == MERGE:
        raise StateError("AccessDenied")


def test_without_search_the_function_does_nothing(clouds: MakeCloud) -> None:
    """With Search = off the function sends no request to the destination."""
    world = two_halves()
    group = world.rules.group
    off = replace(group, combine=replace(group.combine, terms=None))
    world.rules = replace(world.rules, group=off)
    cloud = clouds(world)
    assert cloud.run()["search"] == {"is_done": True, "tables": 0, "packs": 0}
    assert [
        call for function, call in cloud.calls if function == MERGE and call.bucket == "dest"
    ] == []


def test_a_history_is_merged_once(clouds: MakeCloud) -> None:
    """Each window is a run that merges nothing; after the last of them a month is one table."""
    world = make_history()
    cloud = clouds(world)
    assert cloud.run(HISTORY, "ProcessHistoricalMainLogsSM")["windows"] == 5
    assert len(with_terms(world)) == 3
    assert len(tables_written(cloud)) == 1
    assert sorted(covered(world)) == sorted(with_terms(world))


def test_a_failed_history_is_merged_as_far_as_it_got(clouds: MakeCloud) -> None:
    """It fails because of its window and not because of its terms, whether these are merged
    or not.
    """
    for is_merged in (True, False):
        world = make_history()
        cloud = clouds(world)

        def fail_one(called: str, payload: Any, *, is_merged: bool = is_merged) -> None:
            given = payload.get("input", {})
            if called == "PrepareFunction" and given["start_date"] == "2025-03-08":
                raise StateError("AccessDenied")
            if called == MERGE and not is_merged:
                raise StateError("AccessDenied")

        cloud.break_function = fail_one
        with pytest.raises(StateError, match="1 of 5 runs failed"):
            cloud.run(HISTORY, "ProcessHistoricalMainLogsSM")
        assert len(with_terms(world)) == 2
        assert set(covered(world)) == (with_terms(world) if is_merged else set())


@pytest.mark.parametrize("history", ["history", 7, "2025-04-05/../x"])
def test_an_invalid_window_is_refused(history: Any, clouds: MakeCloud) -> None:
    """The input that a history passes to its windows is checked like any other."""
    with pytest.raises(StateError, match=r"SettingsError.*history = .*: expected the name of the"):
        clouds(two_halves()).run({"history": history})


def test_a_second_merge_writes_nothing(clouds: MakeCloud) -> None:
    """What is in a table is not merged again."""
    world = two_halves()
    cloud = clouds(world)
    run_all(cloud)
    cloud.calls.clear()
    run_all(cloud)
    assert tables_written(cloud) == []
