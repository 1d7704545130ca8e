"""Random worlds in random storms. `make simulate SEED=… COUNT=…` runs more of them."""

from __future__ import annotations

from functools import cache

import pytest
from tests.simulation.simulate import simulate

SEEDS = 500
SEEDS_AT_ONCE = 50

simulated = cache(simulate)
"""Two tests use the same runs."""


@pytest.mark.parametrize("first", range(0, SEEDS, SEEDS_AT_ONCE))
def test_every_invariant_is_kept(first: int) -> None:
    """Whatever fails, dies, gives wrong answers or happens outside: no original is lost, nothing
    else is deleted, and calm runs repair everything.
    """
    for seed in range(first, first + SEEDS_AT_ONCE):
        report = simulated(seed)
        assert report.violation is None, "\n".join(
            [
                *report.story,
                f"seed {seed}: {report.violation}",
                f"make simulate SEED={seed} COUNT=1",
            ]
        )


def test_a_seed_always_gives_the_same_run() -> None:
    """The same seed gives the same world, storm and calls, so a failure can be repeated."""
    for seed in range(30):
        first, second = simulate(seed), simulate(seed)
        assert (first.story, first.calls, first.counts) == (
            second.story,
            second.calls,
            second.counts,
        )


def test_every_kind_of_fault_occurs() -> None:
    """Every kind of fault occurs in some seed: a simulation without faults would prove nothing."""
    seen: set[str] = set()
    for seed in range(SEEDS):
        seen |= simulated(seed).counts.keys()
    assert {
        "killed",
        "InternalError",
        "SlowDown",
        "ReadTimeoutError",
        "ConnectionClosedError",
        "ConditionalRequestConflict",
    } <= seen
    assert {"cut", "flipped", "listed", "wrong", "no", "AccessDenied", "repeated", "rotten"} <= seen
