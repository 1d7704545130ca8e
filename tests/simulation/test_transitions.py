"""The cost model's state transitions are those of a real run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from cost_model.transitions import count_transitions
from tests.simulation.test_statemachine import two_halves
from tests.support.cloud import make_cloud
from tests.support.statemachine import load_definition


def test_a_run_enters_the_states_that_are_charged_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once through the definition, plus the states of each child that a map starts; its start,
    which is also billed, is not a state.
    """
    definition = load_definition("combine_log_files")
    found = count_transitions(
        definition,
        {"$.main.count": 1, "$.auxiliary.count": 1, "$.dry_run": False, "$.nightly": True},
    )
    with make_cloud(two_halves(), monkeypatch) as cloud:
        cloud.run()
    children = {name: cloud.visited.count(first) for name, first in first_states(definition)}
    assert children.keys() == found.children.keys()
    assert min(children.values()) > 0
    states = found.execution + sum(
        count * (found.children[name] - 1) for name, count in children.items()
    )
    assert len(cloud.visited) == states


def first_states(machine: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(a map, the first state of its children), at any depth."""
    for name, state in machine["States"].items():
        if state["Type"] == "Map":
            yield name, state["ItemProcessor"]["StartAt"]
        for branch in state.get("Branches", ()):
            yield from first_states(branch)
