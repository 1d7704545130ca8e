"""A CloudFormation with one stack, as far as ./deploy talks to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

ADD = {
    "Type": "Resource",
    "ResourceChange": {
        "Action": "Add",
        "LogicalResourceId": "Topic",
        "ResourceType": "AWS::SNS::Topic",
    },
}


def refuse(code: str, message: str, operation: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


@dataclass
class FakeCloudFormation:
    """`status` None: there is no stack. `endings` are the (status, events) that an execution goes
    through, one a poll.

    `calls` holds the names of all requests that change something.
    """

    status: str | None = None
    changes: list[dict[str, Any]] = field(default_factory=lambda: [ADD])
    refusal: str = ""
    endings: list[tuple[str, list[tuple[str, str, str]]]] = field(default_factory=list)
    validation: list[dict[str, Any]] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    change_sets: set[str] = field(default_factory=set)
    events: list[dict[str, Any]] = field(default_factory=list)
    is_executing: bool = False

    def describe_stacks(self, StackName: str) -> dict[str, Any]:  # noqa: N803 - as in boto3
        if self.is_executing and self.endings:
            self.status, happened = self.endings.pop(0)
            for logical_id, status, reason in happened:
                self.add_event(logical_id, status, reason)
        if self.status is None:
            raise refuse(
                "ValidationError", f"Stack with id {StackName} does not exist", "DescribeStacks"
            )
        parameters = [
            {"ParameterKey": "Days", "ParameterValue": "7"},
            {"ParameterKey": "Gone", "ParameterValue": "1"},
        ]
        return {
            "Stacks": [
                {"StackName": StackName, "StackStatus": self.status, "Parameters": parameters}
            ]
        }

    def create_change_set(self, **request: Any) -> None:
        self.calls.append("create_change_set")
        self.requests.append(request)
        self.change_sets.add(request["ChangeSetName"])
        if request["ChangeSetType"] == "CREATE" and self.status is None:
            self.status = "REVIEW_IN_PROGRESS"

    def describe_change_set(
        self,
        ChangeSetName: str,  # noqa: N803
        StackName: str,  # noqa: N803
        NextToken: str = "",  # noqa: N803
    ) -> dict[str, Any]:
        if self.refusal:
            return {"Status": "FAILED", "StatusReason": self.refusal}
        page = int(NextToken or 0)
        more = {"NextToken": str(page + 1)} if page + 1 < len(self.changes) else {}
        return {"Status": "CREATE_COMPLETE", "Changes": self.changes[page : page + 1], **more}

    def delete_change_set(self, ChangeSetName: str, StackName: str) -> None:  # noqa: N803
        self.calls.append("delete_change_set")
        if ChangeSetName not in self.change_sets:
            raise refuse("ChangeSetNotFound", "not found", "DeleteChangeSet")
        self.change_sets.remove(ChangeSetName)

    def delete_stack(self, StackName: str) -> None:  # noqa: N803
        self.calls.append("delete_stack")
        self.status = None

    def execute_change_set(self, ChangeSetName: str, StackName: str) -> None:  # noqa: N803
        self.calls.append("execute_change_set")
        self.is_executing = True

    def describe_stack_events(self, StackName: str) -> dict[str, Any]:  # noqa: N803
        return {"StackEvents": self.events}

    def get_paginator(self, operation: str) -> FakeCloudFormation:
        assert operation == "describe_stack_events"
        return self

    def paginate(self, StackName: str) -> Iterator[dict[str, Any]]:  # noqa: N803
        yield {"StackEvents": self.events[:1]}
        yield {"StackEvents": self.events[1:]}

    def describe_events(self, **which: str) -> dict[str, Any]:
        return {"OperationEvents": self.validation}

    def add_event(self, logical_id: str, status: str, reason: str = "") -> None:
        kind = "AWS::CloudFormation::Stack" if logical_id == "logs" else "AWS::SNS::Topic"
        self.events.insert(
            0,
            {
                "EventId": f"event-{len(self.events)}",
                "LogicalResourceId": logical_id,
                "ResourceType": kind,
                "ResourceStatus": status,
                "ResourceStatusReason": reason,
            },
        )
