"""Two simultaneous runs on the same day: a whole second run happens at the k-th call of the first,
for every k.
"""

from __future__ import annotations

import pytest
from tests.simulation.test_kills import assert_settled
from tests.support.scenarios import SCENARIOS, Scenario
from tests.support.world import World, count_copies, find_losses, left_in_place, nothing

from log_aggregator.adapters.forwarding import Call
from log_aggregator.steps.packing.results import RunResult
from log_aggregator_lab.stores.faults import Fault, FaultyStore

pytestmark = pytest.mark.usefixtures("small_parts")


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_a_second_run_inside_the_first_loses_nothing(scenario: Scenario) -> None:
    """Wherever the second run starts, nothing is lost, neither fails, each object is in two packs
    at most, and a third run leaves no more behind than one undisturbed run does.
    """
    undisturbed = scenario.build()
    alone, calls = undisturbed.run_faulty(nothing)
    unreadable = {failure.error for failure in alone.failures}
    for number in range(0, len(calls), 2 if scenario.name == "multipart" else 1):
        world = scenario.build()
        where = f"{scenario}, second run before call {number}: {calls[number]}"
        first, second = run_interleaved(world, number)
        assert find_losses(world) == [], where
        for result in (first, second):
            assert {failure.error for failure in result.failures} <= unreadable, (
                where,
                result.failures,
            )
        world.clock.advance(days=1.1)
        assert {failure.error for failure in world.run().failures} <= unreadable, where
        assert_settled(world, where)
        assert max(count_copies(world).values()) <= 2, where
        assert left_in_place(world) == left_in_place(undisturbed), where


def run_interleaved(world: World, at: int) -> tuple[RunResult, RunResult]:
    """(the run that began first, the one that ran completely before its call number `at`)."""
    others: list[RunResult] = []

    def decide(number: int, call: Call) -> Fault | None:
        if number == at:
            others.append(world.run())
        return None

    return world.run(FaultyStore(world.store, decide)), others[0]
