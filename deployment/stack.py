"""The stack as it is, and a deployment as it goes on: its events, its end, its outputs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from deployment.errors import DeploymentFailed, aws_errors, error_text
from deployment.rendering import Output
from log_aggregator.errors import CannotStart

GOOD_ENDS = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"})
CAN_BE_UPDATED = GOOD_ENDS | {"UPDATE_ROLLBACK_COMPLETE", "IMPORT_ROLLBACK_COMPLETE"}
IN_REVIEW = "REVIEW_IN_PROGRESS"
"""What a first change set makes: a stack without resources."""

POLL_SECONDS = 2.0
DEPLOY_SECONDS_MAX = 3600.0
CANCELLED = "cancelled"
LEFT_BEHIND = (
    "A stack leaves its buckets behind when it is deleted. Delete an empty one; one with "
    "packs can be imported: "
    "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/resource-import.html"
)


@dataclass(frozen=True, slots=True)
class Stack:
    """What CloudFormation says of a stack. `status` is empty where there is none."""

    name: str
    status: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    outputs: tuple[Output, ...] = ()
    status_reason: str = ""

    @property
    def exists(self) -> bool:
        return bool(self.status)

    @property
    def is_new(self) -> bool:
        """A change set for it is one that creates."""
        return self.status in ("", IN_REVIEW)

    def check_can_change(self) -> None:
        """Raises CannotStart in a state that takes no change set."""
        if self.is_new or self.status in CAN_BE_UPDATED:
            return
        if self.status in ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED"):
            raise CannotStart(
                f"stack {self.name} is {self.status}, and has to be deleted before it can be "
                "made anew: "
                f"aws cloudformation delete-stack --stack-name {self.name} (buckets with "
                "logs are kept)"
            )
        raise CannotStart(
            f"stack {self.name} is {self.status}: another deployment is under way, or one "
            "has got stuck; look at its events"
        )


def read_stack(cloudformation: Any, name: str) -> Stack:
    """Raises CannotStart, DeploymentFailed."""
    try:
        with aws_errors(f"stack {name}"):
            found = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    except DeploymentFailed as error:
        if isinstance(error.__cause__, ClientError) and "does not exist" in error_text(
            error.__cause__
        ):
            return Stack(name)
        raise
    if found["StackStatus"] == "DELETE_COMPLETE":
        return Stack(name)
    return Stack(
        name,
        found["StackStatus"],
        {
            item["ParameterKey"]: item.get("ParameterValue", "")
            for item in found.get("Parameters", ())
        },
        tuple(
            Output(item["OutputKey"], item["OutputValue"], item.get("Description", ""))
            for item in found.get("Outputs", ())
        ),
        found.get("StackStatusReason", ""),
    )


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a stack's history."""

    event_id: str
    logical_id: str
    type: str
    status: str
    reason: str

    @property
    def is_failure(self) -> bool:
        """A cause, not one of its consequences."""
        return self.status.endswith("_FAILED") and CANCELLED not in self.reason.lower()

    def is_of(self, stack_name: str) -> bool:
        """About the stack itself."""
        return self.type == "AWS::CloudFormation::Stack" and self.logical_id == stack_name

    def is_end_of(self, stack_name: str) -> bool:
        return self.is_of(stack_name) and not self.status.endswith("_IN_PROGRESS")


def read_events(cloudformation: Any, name: str, until: str) -> list[Event]:
    """Those after the event `until`, oldest first; all where it is empty."""
    found: list[Event] = []
    with aws_errors(f"events of stack {name}"):
        for page in cloudformation.get_paginator("describe_stack_events").paginate(StackName=name):
            for item in page["StackEvents"]:
                if item["EventId"] == until:
                    return found[::-1]
                found.append(_make_event(item))
    return found[::-1]


def newest_event_id(cloudformation: Any, name: str) -> str:
    with aws_errors(f"events of stack {name}"):
        events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
    return str(events[0]["EventId"]) if events else ""


def follow(
    cloudformation: Any,
    name: str,
    until: str,
    show: Callable[[Event], None],
    sleep: Callable[[float], None] = time.sleep,
) -> Stack:
    """Hands every event to `show`, until the deployment has ended. Raises DeploymentFailed with the
    reasons.

    The end is an event of the stack itself: its status alone may still be the one from before the
    deployment began.
    """
    failures: list[Event] = []
    has_ended = False
    for _ in range(int(DEPLOY_SECONDS_MAX / POLL_SECONDS)):
        stack = read_stack(
            cloudformation, name
        )  # before the events, so that none after the end is missed
        for event in read_events(cloudformation, name, until):
            until = event.event_id
            failures += [event] if event.is_failure else []
            has_ended = event.is_end_of(name) or (has_ended and not event.is_of(name))
            show(event)
        if has_ended and not stack.status.endswith("_IN_PROGRESS"):
            return _check_end(cloudformation, stack, failures)
        sleep(POLL_SECONDS)
    raise DeploymentFailed(
        f"stack {name}: not done after {DEPLOY_SECONDS_MAX / 60:.0f} minutes; it goes on in "
        "CloudFormation"
    )


def read_validation(cloudformation: Any, **which: str) -> list[str]:
    """What CloudFormation found wrong when it looked at the resources beforehand, in the newest
    operation of a stack or change set. Their own reasons only say that there is something.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/validate-stack-deployments.html
    """
    try:
        with aws_errors("events"):
            events = cloudformation.describe_events(**which).get("OperationEvents", ())
    except (CannotStart, DeploymentFailed) as error:
        return [f"(its reasons cannot be read: {error})"]
    wrong = [
        event
        for event in events
        if event.get("ValidationStatusReason")
        and event.get("OperationId") == events[0].get("OperationId")
    ]
    lines = [
        f"{event.get('LogicalResourceId', '')} ({event.get('ResourceType', '')}): "
        f"{event['ValidationStatusReason']}"
        for event in wrong
    ]
    return [*lines, LEFT_BEHIND] if any("already exists" in line for line in lines) else lines


def _check_end(cloudformation: Any, stack: Stack, failures: list[Event]) -> Stack:
    if stack.status in GOOD_ENDS:
        return stack
    reasons = list(_reasons(stack, failures))
    if any("DescribeEvents" in reason for reason in reasons):
        reasons += read_validation(cloudformation, StackName=stack.name)
    raise DeploymentFailed(
        f"stack {stack.name} ended as {stack.status or 'deleted'}:",
        lines=[f"  {reason}" for reason in reasons],
    )


def _reasons(stack: Stack, failures: list[Event]) -> Iterator[str]:
    for event in failures:
        yield f"{event.logical_id} ({event.type}) {event.status}: {event.reason}"
    if not failures:
        yield stack.status_reason or "CloudFormation gives no reason"


def _make_event(item: Mapping[str, Any]) -> Event:
    return Event(
        item["EventId"],
        item.get("LogicalResourceId", ""),
        item.get("ResourceType", ""),
        item.get("ResourceStatus", ""),
        item.get("ResourceStatusReason", ""),
    )
