"""What alarms see, with the real definitions and handlers over a store in memory: they last until
the problem itself is resolved, and a manual run does not count as a night.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest
from tests.support.cloud import Cloud, make_cloud
from tests.support.statemachine import StateError
from tests.support.world import document, flow_key, make_world, trail_key

from log_aggregator_lab.stores.memory import MemoryStore

MARCH = date(2025, 3, 15)
HISTORY = {"start_date": "2025-03-01", "end_date": "2025-03-31", "bucket_name": "trail"}
ALARMS = ("OutstandingLeftBehind", "OutstandingRetained")


@dataclass
class Stack:
    """A stack, and the metrics that its runs have written."""

    cloud: Cloud
    capsys: pytest.CaptureFixture[str]

    @property
    def store(self) -> MemoryStore:
        return self.cloud.world.store

    def night(self, **given: Any) -> dict[str, list[float]]:
        """A run of CombineLogFilesSM, and the metrics it wrote."""
        return self._run(given, "CombineLogFilesSM")

    def history(self) -> dict[str, list[float]]:
        return self._run(HISTORY, "ProcessHistoricalMainLogsSM")

    def _run(self, given: dict[str, Any], machine: str) -> dict[str, list[float]]:
        self.capsys.readouterr()
        try:
            self.cloud.run(given, machine)
        except StateError as error:
            assert error.name == "RunFailed"  # noqa: PT017  # with or without a failure
        written: dict[str, list[float]] = {}
        for line in self.capsys.readouterr().out.splitlines():
            found = json.loads(line)
            for row in found.get("_aws", {}).get("CloudWatchMetrics", ()):
                for metric in row["Metrics"]:
                    written.setdefault(metric["Name"], []).append(found[metric["Name"]])
        return written


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Stack]:
    """A log object of March that S3 refuses to delete, and one of this night."""
    world = make_world(control_tower_bucket="trail")
    world.store.create_bucket("trail", versioning="Enabled")
    for day in (MARCH, date(2025, 4, 4)):
        world.put("trail", trail_key(1, day=day), document(1))
    world.store.retain("trail", trail_key(1, day=MARCH))
    with ExitStack() as opened:
        yield Stack(opened.enter_context(make_cloud(world, monkeypatch)), capsys)


def test_nightly_runs_do_not_end_an_alarm_from_history(stack: Stack) -> None:
    """Later windows and nights have no information about March, and do not report 0."""
    found = stack.history()
    assert [found[name][-1] for name in ALARMS] == [1, 1]  # the last of five windows
    night = stack.night()
    assert [night[name] for name in ALARMS] == [[1], [1]]
    assert (night["ObjectsRetained"], night["ObjectsLeftBehind"]) == ([0], [0])


def test_an_alarm_ends_when_its_cause_is_resolved(stack: Stack) -> None:
    """When a run has deleted the object, and not when the reason disappears."""
    stack.history()
    stack.store.release("trail", trail_key(1, day=MARCH))
    assert [stack.night()[name] for name in ALARMS] == [[1], [1]]
    resolved = stack.night(date=str(MARCH))
    assert [resolved[name] for name in ALARMS] == [[0], [0]]
    assert [stack.night()[name] for name in ALARMS] == [[0], [0]]


def test_an_aborted_run_resolves_nothing(stack: Stack) -> None:
    """It did not see the retained object, because it had too many objects to touch any."""
    stack.history()
    stack.store.release("trail", trail_key(1, day=MARCH))

    def die(function: str, _payload: Any) -> None:
        if function == "PlanFunction":
            raise StateError("LimitExceeded")

    stack.cloud.break_function = die
    assert [stack.night(date=str(MARCH))[name] for name in ALARMS] == [[1], [1]]


@pytest.mark.parametrize(
    ("given", "counts"),
    [
        ({}, True),
        ({"look_back_days": 31}, True),
        ({"look_back_days": 0}, False),
        ({"dry_run": True}, False),
        ({"date": "2025-04-04"}, False),
        ({"start_date": "2025-03-01", "end_date": "2025-04-04"}, False),
        ({"bucket_name": "trail"}, False),
    ],
    ids=str,
)
def test_only_a_full_nightly_run_counts_as_a_night(
    given: dict[str, Any], *, counts: bool, stack: Stack
) -> None:
    """All buckets, all days of a night, and actually done."""
    stack.store.release("trail", trail_key(1, day=MARCH))
    assert stack.night(**given).get("NightsDone") == ([1] if counts else None)


def test_a_history_does_not_count_as_a_night(stack: Stack) -> None:
    """However many windows it has."""
    stack.store.release("trail", trail_key(1, day=MARCH))
    found = stack.history()
    assert (len(found["RunSeconds"]), found.get("NightsDone")) == (5, None)


def test_a_failed_night_does_not_count_as_a_night(stack: Stack) -> None:
    """Part of it still has to be done."""
    stack.cloud.world.put("logs", flow_key("1.log"), b"line\n")
    stack.store.retain("logs", flow_key("1.log"))
    assert "NightsDone" not in stack.night()
    stack.store.release("logs", flow_key("1.log"))
    assert stack.night()["NightsDone"] == [1]
