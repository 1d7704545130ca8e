"""The examination before a night's run: what it stores, and that no run depends on it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.account import FakeBucket
from tests.support.cloud import Cloud, make_cloud
from tests.support.scenarios import SCENARIOS
from tests.support.statemachine import StateError
from tests.support.world import DAY, left_in_place

(VERSIONED,) = (found for found in SCENARIOS if found.name == "versioned")


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    with make_cloud(VERSIONED.build(), monkeypatch) as made:
        made.account.buckets |= {"logs": FakeBucket(), "dest": FakeBucket()}
        yield made


def metrics_of(text: str, name: str) -> list[float]:
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    return [line[name] for line in lines if name in line and "_aws" in line]


def test_a_night_begins_with_an_examination(
    cloud: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    """Everything that it found is in the run's folder, and the number of worse findings is a
    metric.
    """
    cloud.run()
    assert cloud.invocations[:3] == ["PrepareFunction", "ExamineFunction", "ListFunction"]
    (key,) = (
        entry.key
        for entry in cloud.world.store.list_objects("work", prefix="runs/").objects
        if entry.key.endswith("/examination.json")
    )
    described = json.loads(cloud.world.store.get_object("work", key).data)
    seen = {where for found in described["findings"] for where in found["where"]}
    assert {"s3://logs", "s3://dest"} <= seen
    assert metrics_of(capsys.readouterr().out, "Drift") == [0]


def test_new_problems_are_counted_and_logged(
    cloud: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    """The advice is logged with it."""
    cloud.run()
    capsys.readouterr()
    del cloud.account.buckets["logs"]
    cloud.run()
    text = capsys.readouterr().out
    assert metrics_of(text, "Drift") == [1]
    (line,) = (json.loads(line) for line in text.splitlines() if '"message": "drift"' in line)
    assert (line["level"], line["where"], line["check"]) == ("WARN", "s3://logs", "exists")
    assert line["advice"]


@pytest.mark.parametrize(
    "given", [{"date": str(DAY)}, {"dry_run": True}, {"bucket_name": "logs"}], ids=str
)
def test_only_nightly_runs_begin_with_an_examination(cloud: Cloud, given: dict[str, Any]) -> None:
    """A window of history, of which there are thousands, has no examination."""
    cloud.run(given)
    assert "ExamineFunction" not in cloud.invocations


@pytest.mark.parametrize("error", ["StoreError", "Sandbox.Timedout", "Runtime.OutOfMemory"])
def test_a_failed_examination_does_not_stop_the_run(cloud: Cloud, error: str) -> None:
    """Whatever the failure, it only warns."""

    def fail(function: str, _payload: Any) -> None:
        if function == "ExamineFunction":
            raise StateError(error)

    cloud.break_function = fail
    cloud.run()
    assert left_in_place(cloud.world) == []
