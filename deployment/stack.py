"""The stack before a deployment, and what a deployment that was not executed leaves behind."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from deployment.errors import DeploymentFailed
from log_aggregator.errors import CannotStart

IN_REVIEW = "REVIEW_IN_PROGRESS"
"""The status of a stack that has only a change set, and no resources."""

MUST_BE_DELETED = frozenset({"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED"})
BUCKET = "AWS::S3::Bucket"
REMOVED = "is removed from the stack"
REPLACED = {"True": "is replaced", "Conditional": "may be replaced"}
STAYS, GOES = "; the existing one stays, outside the stack", "; the existing one is deleted"
FATES = {"Retain": STAYS, "ReplaceAndRetain": STAYS, "Delete": GOES, "ReplaceAndDelete": GOES}
"""https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ResourceChange.html"""


@dataclass(frozen=True, slots=True)
class Stack:
    """What CloudFormation says about a stack. `status` is empty where there is none."""

    name: str
    status: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_new(self) -> bool:
        """Whether it has no resources yet."""
        return self.status in ("", IN_REVIEW)

    def check_can_change(self) -> None:
        """Raises CannotStart in a state that allows no change set."""
        if self.status in MUST_BE_DELETED:
            raise CannotStart(
                f"stack {self.name} is {self.status}, and must be deleted before it can be made "
                f"again: aws cloudformation delete-stack --stack-name {self.name} (buckets with "
                "logs are kept)"
            )
        if not self.is_new and not self.status.endswith("_COMPLETE"):
            raise CannotStart(
                f"stack {self.name} is {self.status}: another deployment is under way or stuck; "
                f"see aws cloudformation describe-stack-events --stack-name {self.name}"
            )


def read_stack(cloudformation: Any, name: str) -> Stack:
    """Raises botocore's errors, like the other functions here."""
    try:
        found = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in str(error):
            return Stack(name)
        raise
    given = {item["ParameterKey"]: item["ParameterValue"] for item in found.get("Parameters", ())}
    return Stack(name, found["StackStatus"], given)


def list_open(cloudformation: Any, stack: Stack) -> set[str]:
    """The ARNs of change sets that were not executed."""
    if not stack.status:
        return set()
    pages = cloudformation.get_paginator("list_change_sets").paginate(StackName=stack.name)
    return {
        item["ChangeSetId"]
        for page in pages
        for item in page["Summaries"]
        if not item.get("ExecutionStatus", "").startswith("EXECUTE_")
    }


def remove_open(cloudformation: Any, before: Stack, known: Collection[str]) -> bool:
    """Deletes change sets that were not executed, except those that are `known`; and the stack if
    it did not exist before and is empty. False where there was nothing to delete. Raises
    DeploymentFailed.
    """
    name = before.name
    try:
        found = list_open(cloudformation, read_stack(cloudformation, name)).difference(known)
        for change_set in found:
            cloudformation.delete_change_set(ChangeSetName=change_set)
        if not before.status and read_stack(cloudformation, name).status == IN_REVIEW:
            cloudformation.delete_stack(StackName=name)
            waiter = cloudformation.get_waiter("stack_delete_complete")
            waiter.wait(StackName=name, WaiterConfig={"Delay": 2, "MaxAttempts": 60})
    except (BotoCoreError, ClientError) as error:
        text = f"stack {name}: a change set that was not executed may be left behind: {error}"
        raise DeploymentFailed(text) from error
    return bool(found)


def read_warnings(cloudformation: Any, change_set: str) -> list[str]:
    """A line for every resource that would be replaced or removed. Buckets come first, because they
    hold logs.
    """
    pages = cloudformation.get_paginator("describe_change_set").paginate(ChangeSetName=change_set)
    changes = [each["ResourceChange"] for page in pages for each in page.get("Changes", ())]
    changes.sort(key=lambda each: (each["ResourceType"] != BUCKET, each["LogicalResourceId"]))
    return [
        f"WARNING: {each['LogicalResourceId']} ({each['ResourceType']}) {verb}"
        f"{FATES.get(each.get('PolicyAction'), '')}"
        for each in changes
        if (
            verb := REMOVED if each["Action"] == "Remove" else REPLACED.get(each.get("Replacement"))
        )
    ]
