"""A small interpreter of the Amazon States Language: the parts that our definitions use, and
stricter than any emulator.

A missing path is an error, as on AWS, and so is every field that this interpreter does not know.
Time does not pass: retries happen immediately. Branches and map items run one after the other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

DEFINITIONS = Path(__file__).parents[2] / "statemachines"
DATA_BYTES_MAX = 262_144
"""For a state's input or output, as JSON
(https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html).
"""

SUBSTITUTIONS = {
    "Partition": "aws",
    "ListConcurrency": "2",
    "PackConcurrency": "2",
    "HistoryConcurrency": "2",
    "RoleArns": "arn:aws:iam::111122223333:role/logs-PrepareFunctionRole",
}

_KNOWN = {
    "Task": {
        "Resource",
        "Parameters",
        "TimeoutSeconds",
        "Retry",
        "Catch",
        "OutputPath",
        "ResultPath",
        "ResultSelector",
    },
    "Parallel": {"Branches", "Catch", "ResultPath"},
    "Map": {
        "Label",
        "ItemReader",
        "MaxConcurrencyPath",
        "ToleratedFailurePercentage",
        "ItemProcessor",
        "ResultPath",
    },
    "Choice": {"Choices", "Default"},
    "Pass": {"Parameters", "OutputPath"},
    "Succeed": set(),
    "Fail": {"ErrorPath", "CausePath"},
}


class StateError(Exception):
    """A state ended with a named error."""

    def __init__(self, name: str, cause: str = "") -> None:
        super().__init__(f"{name}: {cause}")
        self.name, self.cause = name, cause


def load_definition(name: str, **substitutions: str) -> dict[str, Any]:
    """A definition as it is deployed. The ARN of a function is its logical id."""
    text = (DEFINITIONS / f"{name}.asl.json").read_text(encoding="utf-8")
    values = {**SUBSTITUTIONS, **substitutions}

    def substitute(found: re.Match[str]) -> str:
        return values[found[1]] if found[1] in values else found[1].removesuffix("Arn")

    loaded: dict[str, Any] = json.loads(re.sub(r"\$\{(\w+)\}", substitute, text))
    return loaded


@dataclass
class StateMachine:
    """`call(function, payload)` runs a function, `start(machine, name, input)` another machine,
    `read(bucket, key)` an object.
    """

    definition: Mapping[str, Any]
    call: Callable[[str, Any], Any]
    read: Callable[[str, str], bytes]
    start: Callable[[str, str, Any], Any] | None = None
    visited: list[str] = field(default_factory=list)

    def run(self, name: str, given: Any) -> Any:
        """The output. Raises StateError."""
        return self._run(self.definition, given, {"Execution": {"Name": name, "Input": given}})

    def _run(self, machine: Mapping[str, Any], given: Any, context: Mapping[str, Any]) -> Any:
        name, data = machine["StartAt"], given
        while True:
            state = machine["States"][name]
            self.visited.append(name)
            unknown = set(state) - _KNOWN[state["Type"]] - {"Type", "Comment", "Next", "End"}
            assert not unknown, f"{name}: {unknown}"
            data, following = self._enter(state, data, context)
            if following is None:
                return json.loads(json.dumps(data))
            name = following

    def _enter(
        self, state: Mapping[str, Any], data: Any, context: Mapping[str, Any]
    ) -> tuple[Any, str | None]:
        try:
            result = self._do(state, data, context)
        except StateError as error:
            for catcher in state.get("Catch", ()):
                if error.name in catcher["ErrorEquals"] or "States.ALL" in catcher["ErrorEquals"]:
                    caught = {"Error": error.name, "Cause": error.cause}
                    return put(data, catcher.get("ResultPath", "$"), caught), catcher["Next"]
            raise
        if state["Type"] == "Choice":
            return data, result
        if "ResultSelector" in state:
            result = fill(state["ResultSelector"], result, context)
        output = put(data, state.get("ResultPath", "$"), result)
        if "OutputPath" in state:
            output = (
                {} if state["OutputPath"] is None else find(output, state["OutputPath"], context)
            )
        for value in (result, output):  # a map's result counts even if it is dropped
            if len(json.dumps(value).encode()) > DATA_BYTES_MAX:
                raise StateError("States.DataLimitExceeded", state["Type"])
        return output, state.get("Next")

    def _do(self, state: Mapping[str, Any], data: Any, context: Mapping[str, Any]) -> Any:
        match state["Type"]:
            case "Task":
                return self._try(state, fill(state["Parameters"], data, context))
            case "Fail":
                raise StateError(
                    find(data, state["ErrorPath"], context), find(data, state["CausePath"], context)
                )
            case "Parallel":
                return [self._run(branch, data, context) for branch in state["Branches"]]
            case "Map":
                return self._map(state, data, context)
            case "Choice":
                return choose(state, data, context)
            case "Pass":
                return fill(state["Parameters"], data, context) if "Parameters" in state else data
            case _:
                return data

    def _try(self, state: Mapping[str, Any], parameters: Any) -> Any:
        attempts = [0] * len(state.get("Retry", ()))
        while True:
            try:
                return self._integrate(state["Resource"], parameters)
            except StateError as error:
                position = next(
                    (
                        n
                        for n, rule in enumerate(state.get("Retry", ()))
                        if error.name in rule["ErrorEquals"]
                    ),
                    None,
                )
                if (
                    position is None
                    or attempts[position] >= state["Retry"][position]["MaxAttempts"]
                ):
                    raise
                attempts[position] += 1

    def _integrate(self, resource: str, parameters: Any) -> Any:
        match resource:
            case "arn:aws:states:::lambda:invoke":
                return {
                    "StatusCode": 200,
                    "Payload": self.call(parameters["FunctionName"], parameters["Payload"]),
                }
            case "arn:aws:states:::states:startExecution.sync:2" if self.start is not None:
                try:
                    return {
                        "Output": self.start(
                            parameters["StateMachineArn"], parameters["Name"], parameters["Input"]
                        )
                    }
                except StateError as error:
                    raise StateError("States.TaskFailed", error.cause) from error
            case _:
                raise AssertionError(resource)

    def _map(
        self, state: Mapping[str, Any], data: Any, context: Mapping[str, Any]
    ) -> Sequence[Any]:
        reader = state["ItemReader"]
        assert reader["Resource"] == "arn:aws:states:::s3:getObject"
        assert reader["ReaderConfig"] == {"InputType": "JSON"}
        place = fill(reader["Parameters"], data, context)
        at_once = find(data, state["MaxConcurrencyPath"], context)
        assert type(at_once) is int
        assert at_once > 0, "0 would be without a limit"
        items = json.loads(self.read(place["Bucket"], place["Key"]))
        results, failed = [], 0
        for item in items:
            try:
                results.append(
                    self._run(
                        state["ItemProcessor"],
                        item,
                        {"Execution": {"Name": "child", "Input": item}},
                    )
                )
            except StateError:
                failed += 1
                results.append(None)
        if failed * 100 > state.get("ToleratedFailurePercentage", 0) * len(items):
            raise StateError("States.ExceedToleratedFailureThreshold")
        return results


def choose(state: Mapping[str, Any], data: Any, context: Mapping[str, Any]) -> str:
    """The next state's name."""
    for rule in state["Choices"]:
        if all(holds(part, data, context) for part in rule.get("And", [rule])):
            return str(rule["Next"])
    return str(state["Default"])


def holds(rule: Mapping[str, Any], data: Any, context: Mapping[str, Any]) -> bool:
    """One comparison of a choice. A missing variable is an error, unless the comparison tests for
    it.
    """
    if "IsPresent" in rule:
        try:
            find(data, rule["Variable"], context)
        except StateError:
            return rule["IsPresent"] is False
        return rule["IsPresent"] is True
    value = find(data, rule["Variable"], context)
    if "NumericGreaterThan" in rule:
        return bool(value > rule["NumericGreaterThan"])
    return bool(value is rule["BooleanEquals"])


def find(data: Any, path: str, context: Mapping[str, Any]) -> Any:
    """What a path refers to. Raises StateError if it is missing."""
    root, steps = (context, path[2:]) if path.startswith("$$") else (data, path[1:])
    for step in steps.split(".")[1:]:
        if not isinstance(root, Mapping) or step not in root:
            raise StateError("States.Runtime", f"the path {path} is not in the input")
        root = root[step]
    return root


def fill(template: Any, data: Any, context: Mapping[str, Any]) -> Any:
    """A template with its paths filled in."""
    if not isinstance(template, Mapping):
        return template
    filled = {}
    for name, value in template.items():
        if name.endswith(".$"):
            filled[name.removesuffix(".$")] = find(data, value, context)
        else:
            filled[name] = fill(value, data, context)
    return filled


def put(data: Any, path: str | None, result: Any) -> Any:
    """The state's output: the result replaces the input, is put into it, or is dropped."""
    if path is None:
        return data
    if path == "$":
        return result
    assert path.count(".") == 1
    return {**data, path[2:]: result}
