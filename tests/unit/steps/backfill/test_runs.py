"""The runs of a stack, from its work bucket."""

from __future__ import annotations

import json

from tests.support.world import make_world

from log_aggregator.steps.backfill.runs import RUNS_MAX, StackRun, list_runs

RESULT = {
    "first_date": "2025-04-03",
    "last_date": "2025-04-04",
    "objects": {"packed": 7, "copied": 1, "deleted": 6},
    "bytes_in": 900,
    "failures": [{"where": "x"}],
    "dollars": {"estimated": 0.5},
    "seconds": 12.5,
}


def test_the_newest_runs_come_first() -> None:
    """The list is limited. A run without a result is under way; an unreadable result counts as
    none.
    """
    world = make_world()
    world.store.create_bucket("work", versioning=None)
    for number in range(RUNS_MAX + 4):
        folder = f"runs/2025-04-{number + 1:02}/night-{number:02}/"
        world.store.put("work", f"{folder}plan.json", b"{}")
        if number not in (12, 13):
            world.store.put("work", f"{folder}result.json", json.dumps(RESULT).encode())
    world.store.put("work", "runs/2025-04-13/night-12/result.json", b'{"objects": 7}')
    found = list_runs(world.store, "work")
    assert [run.name for run in found] == [
        f"2025-04-{number + 1:02}/night-{number:02}" for number in range(13, 3, -1)
    ]
    assert [run.has_ended for run in found] == [False, False, *[True] * 8]
    assert found[2] == StackRun(
        "2025-04-12/night-11", True, "2025-04-03", "2025-04-04", 8, 900, 6, 1, 0.5, 12.5
    )
