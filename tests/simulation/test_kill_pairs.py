"""The run dies, the next one dies too, and the one after that repairs it: at every pair of calls of
the smallest world.
"""

from __future__ import annotations

import pytest
from tests.simulation.test_kills import assert_settled
from tests.support.world import (
    World,
    count_copies,
    document,
    find_losses,
    kill_at,
    make_world,
    nothing,
    trail_key,
)

from log_aggregator_lab.stores.faults import FaultyStore, Killed

CALLS_MAX = 200


def build(versioning: str | None) -> World:
    world = make_world(versioning=versioning)
    for number in range(2):
        world.put("logs", trail_key(number), document(number), metadata={"signature": f"s{number}"})
    return world


@pytest.mark.parametrize(
    "after",
    [(False, False), (False, True), (True, False), (True, True)],
    ids=["bb", "ba", "ab", "aa"],
)
@pytest.mark.parametrize("versioning", ["Enabled", None], ids=["versioned", "unversioned"])
def test_two_kills_in_a_row_lose_nothing(versioning: str | None, after: tuple[bool, bool]) -> None:
    """Wherever two runs in a row die, before or after the call, nothing is lost, and the third
    finishes.
    """
    _, calls = build(versioning).run_faulty(nothing)
    for first in range(len(calls)):
        for second in range(CALLS_MAX):
            world = build(versioning)
            where = f"killed at call {first}, then at call {second} ({after})"
            assert run_killed(world, first, after=after[0]), where
            assert find_losses(world) == [], where
            world.clock.advance(hours=1)
            was_killed = run_killed(world, second, after=after[1])
            assert find_losses(world) == [], where
            if not was_killed:
                break  # the second run has fewer calls
            world.clock.advance(days=1.1)
            assert world.run().failures == [], where
            assert_settled(world, where)
            assert set(count_copies(world).values()) == {1}, where


def run_killed(world: World, number: int, *, after: bool) -> bool:
    """Whether it died: a run may be over before that call."""
    try:
        world.run(FaultyStore(world.store, kill_at(number, after=after)))
    except Killed:
        return True
    return False
