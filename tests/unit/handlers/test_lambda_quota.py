"""The number of parallel functions in the state machines follows Lambda's quota."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.support.cloud import Cloud, make_cloud
from tests.support.scenarios import SCENARIOS
from tests.support.statemachine import StateError
from tests.support.world import find_losses

from log_aggregator.ports.account import LambdaConcurrency
from log_aggregator_lab.stores.faults import Fault, Killed

WANTED = {"list": 20, "pack": 30}
(VERSIONED,) = (found for found in SCENARIOS if found.name == "versioned")


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Any:
    with make_cloud(VERSIONED.build(), monkeypatch) as made:
        yield made


def prepare(cloud: Cloud) -> Any:
    return cloud.call("PrepareFunction", {"execution": "e", "input": {}, "at_once": WANTED})


def test_a_quota_of_ten_is_shared(cloud: Cloud) -> None:
    """Four for each branch, from the unreserved quota; Plan passes it on."""
    cloud.account.concurrency = LambdaConcurrency(1000, 10)
    prepared = prepare(cloud)
    assert prepared["at_once"] == {"list": 4, "pack": 4}
    planned = cloud.call("PlanFunction", {"run": prepared["run"], "at_once": prepared["at_once"]})
    assert planned["at_once"] == prepared["at_once"]


@pytest.mark.parametrize("is_told", [True, False])
def test_with_room_or_no_answer_the_parameters_apply(cloud: Cloud, is_told: bool) -> None:
    """A missing permission stops no run."""
    if not is_told:
        cloud.account.deny("GetAccountSettings")
    assert prepare(cloud)["at_once"] == WANTED


def test_an_item_without_room_did_not_run(cloud: Cloud) -> None:
    """It is not reported as out of time; its originals stay, and the next run takes them."""

    def refuse(function: str, payload: Any) -> None:
        if function == "CombineFunction" and payload["item"].startswith("00001-"):
            raise StateError("Lambda.TooManyRequestsException", "Rate Exceeded.")

    cloud.break_function = refuse
    with pytest.raises(StateError) as raised:
        cloud.run()
    assert "NeverRan: it never ran" in json.loads(raised.value.cause)["errorMessage"]
    assert find_losses(cloud.world) == []
    cloud.break_function = lambda *_: None
    cloud.run()


def test_a_killed_item_had_begun(cloud: Cloud) -> None:
    """A killed item is told apart from one that never ran."""

    cloud.decide = lambda _, call: (
        Fault(before=Killed()) if call.operation == "GetObject" and "/work/" in call.key else None
    )
    with pytest.raises(StateError) as raised:
        cloud.run()
    assert "OutOfTime: it ended before it was combined" in str(raised.value)
