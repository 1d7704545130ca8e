"""A run by inventory dies at every call to S3; a run by the same inventory, and one by listing,
repair it.
"""

from __future__ import annotations

import pytest
from tests.simulation.test_kills import assert_settled, without_lists
from tests.support.inventories import DESTINATION, run_by_inventory, take_inventory
from tests.support.scenarios import SCENARIOS, Scenario
from tests.support.terms import assert_same_but_for_terms
from tests.support.world import World, count_copies, find_losses, kill_at, nothing

from log_aggregator_lab.stores.faults import FaultyStore, Killed

pytestmark = pytest.mark.usefixtures("small_parts")

MENDABLE = tuple(scenario for scenario in SCENARIOS if scenario.name != "discarding")
"""Nothing found by an inventory is ever discarded."""


def build(scenario: Scenario) -> tuple[World, list[str]]:
    world = scenario.build()
    names = world.job().list_source_buckets()
    return world, [take_inventory(world.store, name) for name in names]


def packs_of(world: World) -> list[tuple[object, ...]]:
    return [entry for entry in without_lists(world) if entry[0] != DESTINATION]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("scenario", MENDABLE, ids=str)
def test_a_killed_run_is_repaired(scenario: Scenario, *, after: bool) -> None:
    """Nothing is lost wherever it dies, and a second run by the inventory, which is outdated by
    then, ends in the same state.
    """
    undisturbed, locations = build(scenario)
    store = FaultyStore(undisturbed.store, nothing)
    run_by_inventory(undisturbed, *locations, store=store)
    for number in range(len(store.calls)):
        world, locations = build(scenario)
        where = (
            f"{scenario}, killed {'after' if after else 'before'} call {number}: "
            f"{store.calls[number]}"
        )
        with pytest.raises(Killed):
            run_by_inventory(
                world, *locations, store=FaultyStore(world.store, kill_at(number, after=after))
            )
        assert find_losses(world) == [], where
        world.clock.advance(days=1.1)
        mended = run_by_inventory(world, *locations)
        assert mended.failures == [], where
        assert find_losses(world) == [], where
        assert set(count_copies(world).values()) == {1}, where
        assert_same_but_for_terms(packs_of(world), packs_of(undisturbed), where)
        again = run_by_inventory(world, *locations)
        assert sum(group.packed + group.copied + group.deleted for group in again.groups) == 0, (
            where
        )
        assert_settled(world, where)
