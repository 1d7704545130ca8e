"""A change set: made, looked at, and then either executed or taken away again."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from deployment.configuration import Configuration
from deployment.errors import DeploymentFailed, aws_errors
from deployment.rendering import Change, parse_changes
from deployment.stack import (
    IN_REVIEW,
    Event,
    Stack,
    follow,
    newest_event_id,
    read_stack,
    read_validation,
)
from log_aggregator.errors import CannotStart, Interrupted

TEMPLATE_BYTES_MAX = 51_200
"""Larger ones must lie in S3.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
"""

NO_CHANGES = ("didn't contain changes", "No updates are to be performed")
CHANGE_SET_POLLS_MAX = 600
STACK_GONE_POLLS_MAX = 120
POLL_SECONDS = 1.0

Sleep = Callable[[float], None]


@dataclass(slots=True)
class ChangeSet:
    """`changes` is empty where nothing would change. `executed` says that it is CloudFormation's
    now.
    """

    stack: Stack
    name: str
    changes: list[Change] = field(default_factory=list)
    is_empty: bool = False
    executed: bool = False


def plan_request(
    configuration: Configuration, stack: Stack, names: Sequence[str], name: str
) -> dict[str, Any]:
    """What CreateChangeSet is asked, without the template. A parameter that is not given keeps the
    value it has in the stack, if the template still has it (`names`).
    """
    given = [
        {"ParameterKey": key, "ParameterValue": value}
        for key, value in configuration.parameters.items()
    ]
    kept = (
        []
        if stack.is_new
        else [
            key for key in stack.parameters if key in names and key not in configuration.parameters
        ]
    )
    request: dict[str, Any] = {
        "StackName": stack.name,
        "ChangeSetName": name,
        "ChangeSetType": "CREATE" if stack.is_new else "UPDATE",
        "Description": "Made by ./deploy of the log aggregator",
        "Parameters": given + [{"ParameterKey": key, "UsePreviousValue": True} for key in kept],
        "Capabilities": list(configuration.capabilities),
        "Tags": [{"Key": key, "Value": value} for key, value in configuration.tags.items()],
    }
    return {**request, "RoleARN": configuration.role_arn} if configuration.role_arn else request


def write_template(s3: Any, packaged: Path, prefix: str) -> dict[str, str]:
    """The packaged template as CreateChangeSet takes it; a large one is put beside the functions'
    zips.
    """
    text = packaged.read_text(encoding="utf-8")
    if len(text.encode()) <= TEMPLATE_BYTES_MAX:
        return {"TemplateBody": text}
    found = re.search(r"s3://([^/\s]+)/", text)
    if not found:
        raise DeploymentFailed(
            f"{packaged}: sam package has put nothing into S3, and the template is too large "
            "to go without"
        )
    key = f"{prefix}/{hashlib.sha256(text.encode()).hexdigest()[:32]}.template"
    with aws_errors(f"template into {found[1]}"):
        s3.put_object(Bucket=found[1], Key=key, Body=text.encode())
    return {"TemplateURL": f"{s3.meta.endpoint_url}/{found[1]}/{key}"}


@contextmanager
def open_change_set(
    cloudformation: Any, stack: Stack, request: Mapping[str, Any], sleep: Sleep = time.sleep
) -> Iterator[ChangeSet]:
    """A change set that is ready to be looked at. On the way out, whatever the way, it is deleted
    unless it was executed; so is the empty stack that a first one makes.
    """
    change_set = ChangeSet(stack, str(request["ChangeSetName"]))
    try:
        with aws_errors(f"change set for stack {stack.name}"):
            cloudformation.create_change_set(**request)
        _wait_until_ready(cloudformation, change_set, sleep)
        yield change_set
    finally:
        if not change_set.executed:
            remove(cloudformation, change_set, sleep)


def execute(
    cloudformation: Any,
    change_set: ChangeSet,
    show: Callable[[Event], None],
    sleep: Sleep = time.sleep,
) -> Stack:
    """Until the deployment has ended. Raises DeploymentFailed; Interrupted where ctrl-C stops the
    watching.
    """
    name = change_set.stack.name
    until = newest_event_id(cloudformation, name)
    change_set.executed = (
        True  # before the request: a change set that may be under way must not be deleted
    )
    try:
        try:
            with aws_errors(f"stack {name}"):
                cloudformation.execute_change_set(ChangeSetName=change_set.name, StackName=name)
        except (CannotStart, DeploymentFailed):
            change_set.executed = False
            raise
        return follow(cloudformation, name, until, show, sleep)
    except KeyboardInterrupt:
        raise Interrupted(
            f"stopped watching. The deployment of stack {name} goes on in CloudFormation; to "
            "see it: "
            f"aws cloudformation describe-stack-events --stack-name {name}; to undo an update: "
            f"aws cloudformation cancel-update-stack --stack-name {name}"
        ) from None


def remove(cloudformation: Any, change_set: ChangeSet, sleep: Sleep = time.sleep) -> None:
    """Deletes the change set, and the stack if it was not there before and holds nothing."""
    name = change_set.stack.name
    with aws_errors(f"removing the change set of stack {name}"):
        try:
            cloudformation.delete_change_set(ChangeSetName=change_set.name, StackName=name)
        except ClientError as error:
            if not re.search(r"ChangeSetNotFound|does not exist", str(error)):
                raise
        if change_set.stack.exists or read_stack(cloudformation, name).status != IN_REVIEW:
            return
        cloudformation.delete_stack(StackName=name)
    for _ in range(STACK_GONE_POLLS_MAX):
        if not read_stack(cloudformation, name).exists:
            return
        sleep(POLL_SECONDS)
    raise DeploymentFailed(
        f"stack {name} is still in review: aws cloudformation delete-stack --stack-name {name}"
    )


def make_name() -> str:
    return f"deploy-{datetime.now(UTC):%Y%m%d-%H%M%S}"


def _wait_until_ready(cloudformation: Any, change_set: ChangeSet, sleep: Sleep) -> None:
    for _ in range(CHANGE_SET_POLLS_MAX):
        found = _describe(cloudformation, change_set)
        if found["Status"] == "CREATE_COMPLETE":
            change_set.changes = _read_changes(cloudformation, change_set, found)
            return
        if found["Status"] == "FAILED":
            reason = found.get("StatusReason", "")
            if any(text in reason for text in NO_CHANGES):
                change_set.is_empty = True
                return
            named = {"StackName": change_set.stack.name, "ChangeSetName": change_set.name}
            reasons = [reason, *read_validation(cloudformation, **named)]
            raise DeploymentFailed(
                "CloudFormation refuses the change set:", lines=[f"  {each}" for each in reasons]
            )
        sleep(POLL_SECONDS)
    raise DeploymentFailed(
        f"the change set of stack {change_set.stack.name} is not ready after "
        f"{CHANGE_SET_POLLS_MAX * POLL_SECONDS:.0f} s"
    )


def _describe(cloudformation: Any, change_set: ChangeSet, **more: str) -> dict[str, Any]:
    with aws_errors(f"change set of stack {change_set.stack.name}"):
        found: dict[str, Any] = cloudformation.describe_change_set(
            ChangeSetName=change_set.name, StackName=change_set.stack.name, **more
        )
    return found


def _read_changes(
    cloudformation: Any, change_set: ChangeSet, first: dict[str, Any]
) -> list[Change]:
    """All pages of them."""
    page, changes = first, parse_changes(first)
    while page.get("NextToken"):
        page = _describe(cloudformation, change_set, NextToken=page["NextToken"])
        changes += parse_changes(page)
    return changes
