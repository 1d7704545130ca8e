"""Several real processes on one day at the same time, and some of them die."""

from __future__ import annotations

import random

import pytest
from tests.proof.ground import Ground, assert_mended, make_day
from tests.support.proxy_faults import Killer, at

PROCESSES = 4


@pytest.mark.parametrize("scenario", ["small", "large"])
@pytest.mark.parametrize("attempt", range(3))
def test_runs_at_the_same_time_lose_nothing(ground: Ground, scenario: str, attempt: int) -> None:
    """Four runs over the same day: each ends, nothing is lost, and a log object is in at most as
    many packs as there were runs.
    """
    day = make_day(ground, scenario)
    done = [process.wait() for process in [day.start() for _ in range(PROCESSES)]]
    assert {each.code for each in done} <= {0, 1}, done
    assert not any("Traceback" in each.err for each in done)
    assert_mended(day, copies_max=PROCESSES)


@pytest.mark.parametrize("seed", range(8))
def test_a_run_killed_next_to_others_loses_nothing(ground: Ground, seed: int) -> None:
    """One of three is killed at some request: the others continue, and what it left behind is
    repaired.
    """
    chance = random.Random(seed)
    day = make_day(ground, "small")
    killer = Killer(after=chance.random() < 0.5)
    ground.proxy.restart(at(chance.randrange(5, 90), killer))
    processes = [day.start() for _ in range(3)]
    killer.aim(processes[chance.randrange(3)].pid)
    codes = [process.wait().code for process in processes]
    assert set(codes) <= {0, 1, -9}
    assert_mended(day, f"seed {seed}", copies_max=3)
