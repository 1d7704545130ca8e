"""State transitions of a run, counted by walking a state machine's definition (Amazon States
Language).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Transitions:
    """What one execution is billed for, without retries: once, and for each child that a
    distributed map starts.
    """

    execution: int = 0
    children: dict[str, int] = field(default_factory=dict)
    """By name of the map's state. Starting a child is a transition of its own."""


def count_transitions(definition: Mapping[str, Any], values: Mapping[str, Any]) -> Transitions:
    """Counts every state that is entered from `StartAt` to the end, where choices see `values`
    (path -> value) and nothing fails.

    A distributed map is charged one transition for each child that it starts, an inline one none
    for its iterations
    (https://docs.aws.amazon.com/step-functions/latest/dg/concepts-transitions.html). Raises
    ValueError for what is not known here: an inline map, a comparison, a path without value.
    """
    found = Transitions()
    found.execution = _walk(definition, values, found)
    return found


def _walk(machine: Mapping[str, Any], values: Mapping[str, Any], found: Transitions) -> int:
    count, name, seen = 0, machine["StartAt"], set[str]()
    while name is not None:
        if name in seen:
            raise ValueError(f"{name} is entered twice")
        seen.add(name)
        state = machine["States"][name]
        count += 1 + sum(_walk(branch, values, found) for branch in state.get("Branches", ()))
        if state["Type"] == "Map":
            processor = state["ItemProcessor"]
            if processor["ProcessorConfig"]["Mode"] != "DISTRIBUTED":
                raise ValueError(f"{name} is an inline map")
            found.children[name] = 1 + _walk(processor, values, found)
        name = _choose(state, values) if state["Type"] == "Choice" else state.get("Next")
    return count


def _choose(state: Mapping[str, Any], values: Mapping[str, Any]) -> str:
    for choice in state["Choices"]:
        if _holds(choice, values):
            return str(choice["Next"])
    return str(state["Default"])


def _holds(choice: Mapping[str, Any], values: Mapping[str, Any]) -> bool:
    if "And" in choice:
        return all(_holds(inner, values) for inner in choice["And"])
    path = str(choice.get("Variable"))
    if "IsPresent" in choice:
        return (path in values) is choice["IsPresent"]
    if path not in values:
        raise ValueError(f"a choice looks at {path}, which has no value")
    if "NumericGreaterThan" in choice:
        return bool(values[path] > choice["NumericGreaterThan"])
    for comparison in ("BooleanEquals", "StringEquals"):
        if comparison in choice:
            return bool(values[path] == choice[comparison])
    raise ValueError(f"a choice compares in a way that is not known: {sorted(choice)}")
