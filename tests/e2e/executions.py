"""Starts executions of the state machines, waits for them and reads their results."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.e2e.deployment import Deployment
from tests.support.waiting import SECONDS_MAX

POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Execution:
    """An execution that has ended."""

    arn: str
    status: str
    output: Any
    error: str
    cause: str

    @property
    def message(self) -> str:
        """The message of the function that failed the execution: a failed task's cause is its error
        as JSON.
        """
        try:
            return str(json.loads(self.cause)["errorMessage"])
        except (ValueError, KeyError, TypeError):
            return self.cause


@dataclass(frozen=True, slots=True)
class MapChild:
    """One item of a Distributed Map. `errors` are those of all attempts of its tasks, including
    retried ones.
    """

    status: str
    input: Any
    error: str
    cause: str
    errors: tuple[str, ...]


def run(
    deployment: Deployment, machine: str, given: Mapping[str, Any], *, expect: str = "SUCCEEDED"
) -> Execution:
    """Starts the state machine with this logical id and waits until it has ended as expected."""
    execution = wait(deployment, start(deployment, machine, given))
    said = f"{execution.status} {execution.error}: {execution.cause}"
    assert execution.status == expect, f"{machine} ended as {said}\n" + "\n".join(
        map(str, failed_children(deployment, execution))
    )
    return execution


def start(deployment: Deployment, machine: str, given: Mapping[str, Any]) -> str:
    """Returns the ARN of the execution."""
    states = deployment.aws.client("stepfunctions")
    answer = states.start_execution(
        stateMachineArn=deployment.state_machine(machine), input=json.dumps(given)
    )
    return str(answer["executionArn"])


def scheduled_input(deployment: Deployment, schedule: str) -> dict[str, Any]:
    """The input that the schedule with this logical id passes on."""
    found = deployment.aws.client("scheduler").get_schedule(Name=deployment.resources[schedule])
    given: dict[str, Any] = json.loads(found["Target"]["Input"])
    return given


def stop(deployment: Deployment, arn: str) -> None:
    deployment.aws.client("stepfunctions").stop_execution(
        executionArn=arn, error="Stopped", cause="by hand"
    )


def wait(deployment: Deployment, arn: str) -> Execution:
    """Raises AssertionError if it does not end in time."""
    states = deployment.aws.client("stepfunctions")
    deadline = time.monotonic() + SECONDS_MAX
    while time.monotonic() < deadline:
        found = states.describe_execution(executionArn=arn)
        if found["status"] != "RUNNING":
            output = json.loads(found.get("output") or "null")
            return Execution(
                arn, found["status"], output, found.get("error") or "", found.get("cause") or ""
            )
        time.sleep(POLL_SECONDS)
    raise AssertionError(f"{arn} has not ended in {SECONDS_MAX} s\n{deployment.aws.log_tail()}")


def list_children(deployment: Deployment, execution: Execution) -> Iterator[MapChild]:
    """Every item of every Distributed Map of the execution."""
    states = deployment.aws.client("stepfunctions")
    for run_of_map in states.list_map_runs(executionArn=execution.arn)["mapRuns"]:
        pages = states.get_paginator("list_executions").paginate(mapRunArn=run_of_map["mapRunArn"])
        for child in (child for page in pages for child in page["executions"]):
            found = states.describe_execution(executionArn=child["executionArn"])
            errors = _errors_of_attempts(states, child["executionArn"])
            yield MapChild(
                found["status"],
                json.loads(found["input"]),
                found.get("error") or "",
                found.get("cause") or "",
                errors,
            )


def failed_children(deployment: Deployment, execution: Execution) -> list[MapChild]:
    return [child for child in list_children(deployment, execution) if child.status != "SUCCEEDED"]


def wait_until_quiet(deployment: Deployment, machine: str) -> None:
    """Waits until no execution of the state machine is running, including ones started by another
    execution.
    """
    states = deployment.aws.client("stepfunctions")
    arn = deployment.state_machine(machine)
    deadline = time.monotonic() + SECONDS_MAX
    while states.list_executions(stateMachineArn=arn, statusFilter="RUNNING")["executions"]:
        assert time.monotonic() < deadline, f"{machine} still runs"
        time.sleep(POLL_SECONDS)


def _errors_of_attempts(states: Any, arn: str) -> tuple[str, ...]:
    pages = states.get_paginator("get_execution_history").paginate(executionArn=arn)
    details = [
        event["taskFailedEventDetails"]
        for page in pages
        for event in page["events"]
        if "taskFailedEventDetails" in event
    ]
    return tuple(found["error"] for found in details)
