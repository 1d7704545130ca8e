"""A CloudFormation with one stack, as far as ./deploy and sam use it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError, WaiterError

MINE = "arn:aws:cloudformation:eu-west-1:111122223333:changeSet/samcli-deploy1/0"
OTHERS = "arn:aws:cloudformation:eu-west-1:111122223333:changeSet/somebody-else/1"


def refuse(code: str, message: str, operation: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


@dataclass
class FakeCloudFormation:
    """An empty `status` means that there is no stack. `denied` operations are refused. `calls` has
    all changing requests.
    """

    status: str = ""
    changes: list[dict[str, Any]] = field(default_factory=list)
    change_sets: dict[str, str] = field(default_factory=dict)
    denied: set[str] = field(default_factory=set)
    calls: list[str] = field(default_factory=list)
    is_stuck: bool = False

    def make_change_set(self, execution_status: str = "AVAILABLE") -> None:
        """Make a change set, as sam does."""
        self.status = self.status or "REVIEW_IN_PROGRESS"
        self.change_sets[MINE] = execution_status

    def describe_stacks(self, StackName: str) -> dict[str, Any]:  # noqa: N803 - as in boto3
        self.ask("DescribeStacks")
        if not self.status:
            text = f"Stack with id {StackName} does not exist"
            raise refuse("ValidationError", text, "DescribeStacks")
        parameters = [{"ParameterKey": "KeepOriginalsDays", "ParameterValue": "7"}]
        return {"Stacks": [{"StackStatus": self.status, "Parameters": parameters}]}

    def delete_change_set(
        self,
        ChangeSetName: str,  # noqa: N803
        StackName: str = "",  # noqa: N803
    ) -> None:
        self.ask("DeleteChangeSet")
        if ChangeSetName in self.change_sets:
            self.calls.append(f"delete {ChangeSetName}")
            del self.change_sets[ChangeSetName]
        elif not self.status:
            raise refuse("ValidationError", f"{StackName} does not exist", "DeleteChangeSet")

    def delete_stack(self, StackName: str) -> None:  # noqa: N803
        self.calls.append(f"delete {StackName}")
        self.status = ""

    def get_waiter(self, name: str) -> FakeCloudFormation:
        assert name == "stack_delete_complete"
        return self

    def wait(self, StackName: str, WaiterConfig: Any) -> None:  # noqa: N803
        if self.is_stuck:
            raise WaiterError(StackName, "Max attempts exceeded", {})

    def get_paginator(self, operation: str) -> FakePaginator:
        return FakePaginator(self, operation)

    def ask(self, operation: str) -> None:
        if operation in self.denied:
            raise refuse("AccessDenied", "not authorized", operation)


@dataclass
class FakePaginator:
    """Gives each item on its own page."""

    of: FakeCloudFormation
    operation: str

    def paginate(self, **which: str) -> Iterator[dict[str, Any]]:
        if self.operation == "describe_change_set":
            assert which["ChangeSetName"] in self.of.change_sets
            yield from ({"Changes": [{"ResourceChange": each}]} for each in self.of.changes)
            yield {}
            return
        assert self.operation == "list_change_sets"
        self.of.ask("ListChangeSets")
        for name, status in self.of.change_sets.items():
            yield {"Summaries": [{"ChangeSetId": name, "ExecutionStatus": status}]}
