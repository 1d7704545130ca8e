"""The run dies at every call to S3, before and after the call took effect; the next day's run
repairs it.
"""

from __future__ import annotations

import pytest
from tests.support.scenarios import SCENARIOS, Scenario
from tests.support.terms import assert_same_but_for_terms
from tests.support.world import (
    World,
    count_copies,
    find_losses,
    kill_at,
    left_in_place,
    nothing,
    writes_of,
)

from log_aggregator.steps.packing.results import RunResult
from log_aggregator_lab.stores.faults import FaultyStore, Killed

pytestmark = pytest.mark.usefixtures("small_parts")


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_an_undisturbed_run_packs_everything(scenario: Scenario) -> None:
    """Without any fault, everything that can be packed is in exactly one pack, none of it is left,
    and a further run writes nothing.
    """
    world = scenario.build()
    result, _ = world.run_faulty(nothing)
    assert [failure for failure in result.failures if failure.error != "UnreadableSources"] == []
    assert_settled(world)
    assert set(count_copies(world).values()) == {1}


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_the_next_run_repairs_a_killed_run(scenario: Scenario, *, after: bool) -> None:
    """Wherever a run dies, nothing is lost, and the next run ends in the same state as an
    undisturbed run, except for the terms of a pack if it died after writing that pack's index.
    """
    undisturbed = scenario.build()
    _, calls = undisturbed.run_faulty(nothing)
    for number in range(len(calls)):
        world = scenario.build()
        where = (
            f"{scenario}, killed {'after' if after else 'before'} call {number}: {calls[number]}"
        )
        store = FaultyStore(world.store, kill_at(number, after=after))
        with pytest.raises(Killed):
            world.run(store)
        assert find_losses(world) == [], where
        world.clock.advance(days=1.1)
        mended = world.run()
        assert mended.failures == [], where
        assert_settled(world, where)
        assert set(count_copies(world).values()) == {1}, where
        assert_same_but_for_terms(without_lists(world), without_lists(undisturbed), where)


def without_lists(world: World) -> list[tuple[object, ...]]:
    """Everything stored, except lists of discards: a run that died between two of them writes
    another one.
    """
    return [entry for entry in world.store.snapshot() if not str(entry[1]).startswith("discards/")]


def assert_settled(world: World, where: str = "") -> None:
    """Nothing is lost, nothing packed is left, no upload is open, and a further run only reads."""
    assert find_losses(world) == [], where
    packed = count_copies(world)
    assert [
        source for source in left_in_place(world) if (source.bucket, source.identity) in packed
    ] == [], where
    assert world.store.open_uploads() == [], where
    before = world.store.snapshot()
    further, calls = world.run_faulty(nothing)
    assert writes_of(calls) == [], where
    assert world.store.snapshot() == before, where
    assert counts(further) == (0, 0, 0), where


def counts(result: RunResult) -> tuple[int, int, int]:
    groups = result.groups
    return (
        sum(group.packed for group in groups),
        sum(group.copied for group in groups),
        sum(group.deleted for group in groups),
    )
