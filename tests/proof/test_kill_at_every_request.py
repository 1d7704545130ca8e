"""A real process is killed at its k-th request to a real server, for every k; the next run repairs
it.

Requests come from several threads, so which one is the k-th varies, but every place in the run is
covered.
"""

from __future__ import annotations

import os

import pytest
from tests.proof.ground import Day, Ground, assert_mended, make_day
from tests.support.proxy_faults import Killer, at

STEP = int(os.environ.get("KILL_STEP", "1"))
"""The step between requests; `make test` does not try all of them."""

REQUESTS_MAX = 400


def run_killed(day: Day, number: int, *, after: bool) -> bool:
    """Whether the run got far enough to die."""
    killer = Killer(after)
    day.ground.proxy.restart(at(number, killer))
    process = day.start()
    killer.aim(process.pid)
    done = process.wait()
    assert killer.was_used == (done.code == -9), done
    return killer.was_used


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("scenario", ["small", "large"])
def test_killed_at_every_request(ground: Ground, scenario: str, *, after: bool) -> None:
    """Whichever request it dies at, nothing is lost, the next run ends well, and then nothing is
    left to do.
    """
    begin = 1 + (STEP // 2 if after else 0)
    for number in range(begin, REQUESTS_MAX, STEP):
        day = make_day(ground, scenario)
        was_killed = run_killed(day, number, after=after)
        assert_mended(
            day, f"{scenario}, killed {'after' if after else 'before'} request {number}: {day.date}"
        )
        if not was_killed:
            assert number > 20
            return
    raise AssertionError(f"a run of {scenario} has more than {REQUESTS_MAX} requests")
