"""History by S3 Inventory, with the real definitions and handlers over a store in memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import date
from typing import Any

import pytest
from tests.simulation.test_statemachine import MakeCloud, contents, result_of
from tests.support.cloud import WORK, make_cloud
from tests.support.inventories import DESTINATION, take_inventory
from tests.support.statemachine import StateError
from tests.support.terms import assert_same_but_for_terms
from tests.support.world import (
    World,
    count_copies,
    document,
    find_losses,
    kill_at,
    left_in_place,
    make_world,
    trail_key,
)

from log_aggregator.core.inventory.manifest import Format
from log_aggregator.steps.inventory import find_inventory


@pytest.fixture
def clouds(monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeCloud]:
    with ExitStack() as stack:
        yield lambda world: stack.enter_context(make_cloud(world, monkeypatch))


def main_logs_with_inventory(
    count: int = 12, last: str = "2025-03-31", **options: Any
) -> tuple[World, dict[str, str]]:
    """Main logs of every other day in an inventory of several files, and the input for a history
    that uses it.
    """
    world = make_world(control_tower_bucket="trail")
    world.store.create_bucket("trail", versioning="Enabled")
    for number in range(count):
        day = date(2025, 3, 1 + 2 * number)
        world.put(
            "trail",
            trail_key(number, day=day),
            document(number),
            metadata={"signature": f"{number}"},
        )
    return world, {
        "start_date": "2025-03-01",
        "end_date": last,
        "bucket_name": "trail",
        "inventory": take_inventory(world.store, "trail", rows_per_file=4, **options),
    }


@pytest.mark.parametrize("file_format", list(Format))
def test_history_by_an_inventory(file_format: Format, clouds: MakeCloud) -> None:
    """The same packs as without an inventory; the bucket is never listed; and a further run has
    nothing to do.
    """
    world, given = main_logs_with_inventory(format=file_format)
    listed, others = main_logs_with_inventory()
    clouds(listed).run(
        {name: value for name, value in others.items() if name != "inventory"},
        "ProcessHistoricalMainLogsSM",
    )
    cloud = clouds(world)
    assert cloud.run(given, "ProcessHistoricalMainLogsSM", "history")["windows"] == 5
    assert contents(world) == contents(listed)
    assert find_losses(world) == []
    assert [
        call
        for function, call in cloud.calls
        if function == "ListFunction" and call.bucket == "trail"
    ] == []
    found = result_of(world)
    assert found["inventories"] == [f"s3://{WORK}/runs/2025-04-05/history/files.json"]
    before = contents(world)
    cloud.run(given, "ProcessHistoricalMainLogsSM")
    assert contents(world) == before
    assert result_of(world)["objects"]["deleted"] == 0


@pytest.mark.parametrize("after", [False, True])
def test_a_history_by_inventory_survives_a_dead_function(clouds: MakeCloud, *, after: bool) -> None:
    """A function that dies at any request is called again; in the end everything is done, and each
    log object once.
    """
    world, given = main_logs_with_inventory(5, "2025-03-14")
    cloud = clouds(world)
    cloud.run(given, "ProcessHistoricalMainLogsSM", "history")
    for number in range(len(cloud.calls)):
        killed, again = main_logs_with_inventory(5, "2025-03-14")
        disturbed = clouds(killed)
        disturbed.decide = kill_at(number, after=after)
        disturbed.run(again, "ProcessHistoricalMainLogsSM", "history")
        assert_same_but_for_terms(contents(killed), contents(world), cloud.calls[number])
        assert set(count_copies(killed).values()) == {1}


def test_an_incomplete_inventory_is_refused(clouds: MakeCloud) -> None:
    """A damaged file, or one whose sorting left nothing: no window is begun."""
    world, given = main_logs_with_inventory()
    key = find_inventory(world.store, given["inventory"]).manifest.files[1].key
    world.store.put(DESTINATION, key, b"damaged")
    with pytest.raises(StateError, match="ExceedToleratedFailureThreshold"):
        clouds(world).run(given, "ProcessHistoricalMainLogsSM")
    assert len(left_in_place(world)) == 12
    world, given = main_logs_with_inventory()
    cloud = clouds(world)

    def lose_one(called: str, payload: Any) -> None:
        if called == "PrepareFunction":
            sorted_key = f"runs/{payload['input']['inventory']}/sorted/00002.json"
            world.store.delete(WORK, sorted_key)

    cloud.break_function = lose_one
    with pytest.raises(StateError, match="5 of 5 runs failed"):
        cloud.run(given, "ProcessHistoricalMainLogsSM")
    assert len(left_in_place(world)) == 12


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"inventory": "s3://inventories/nothing/here"}, "no complete inventory"),
        ({"inventory": "not a place"}, "SettingsError"),
        ({"bucket_name": "other-trail"}, "bucket_name"),
        ({"surprise": "x"}, "expected start_date"),
        ({"start_date": "2025-04-05", "end_date": "2025-04-05"}, ""),
    ],
)
def test_unsuitable_inventories_are_refused(
    changes: dict[str, str], said: str, clouds: MakeCloud
) -> None:
    """Before anything is begun, with a text that says why; a day that the inventory covers only in
    part is allowed.
    """
    world, given = main_logs_with_inventory()
    cloud = clouds(world)
    if not said:
        cloud.run(given | changes, "ProcessHistoricalMainLogsSM")
        return
    with pytest.raises(StateError, match=said):
        cloud.run(given | changes, "ProcessHistoricalMainLogsSM")
    assert "CombineFunction" not in cloud.invocations


@pytest.mark.parametrize(
    "given",
    [
        {"inventory": "2025-04-05/history"},
        {
            "inventory": "../../secrets",
            "start_date": "2025-03-01",
            "end_date": "2025-03-07",
            "bucket_name": "trail",
        },
        {
            "inventory": 7,
            "start_date": "2025-03-01",
            "end_date": "2025-03-07",
            "bucket_name": "trail",
        },
        {
            "inventory": "2025-04-05/history",
            "start_date": "2025-03-02",
            "end_date": "2025-03-07",
            "bucket_name": "trail",
        },
        {
            "inventory": "2025-04-05/history",
            "start_date": "2025-03-01",
            "end_date": "2025-03-07",
            "bucket_name": "logs",
        },
    ],
)
def test_a_run_only_takes_sorted_windows(given: dict[str, Any], clouds: MakeCloud) -> None:
    """Only windows made by a history: an unsorted window would look empty."""
    world, history = main_logs_with_inventory()
    cloud = clouds(world)
    cloud.run(history | {"end_date": "2025-03-21"}, "ProcessHistoricalMainLogsSM", "history")
    before = contents(world)
    with pytest.raises(StateError, match="SettingsError"):
        cloud.run(given)
    assert contents(world) == before
