"""What a stack's state allows, what a change set removes, and that no change set is left behind."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.unit.deployment.fake_cloudformation import MINE, OTHERS, FakeCloudFormation

from deployment.errors import DeploymentFailed
from deployment.stack import Stack, list_open, read_stack, read_warnings, remove_open
from log_aggregator.errors import CannotStart

NONE = Stack("logs")


def test_a_missing_stack_is_new() -> None:
    """A stack without resources, as made by a change set, is new too."""
    assert read_stack(FakeCloudFormation(), "logs") == NONE
    assert NONE.is_new
    assert Stack("logs", "REVIEW_IN_PROGRESS").is_new
    there = read_stack(FakeCloudFormation("UPDATE_COMPLETE"), "logs")
    assert there == Stack("logs", "UPDATE_COMPLETE", {"KeepOriginalsDays": "7"})
    assert not there.is_new


def test_without_permission_to_look_a_stack_is_not_new() -> None:
    with pytest.raises(ClientError, match=r"AccessDenied.*DescribeStacks"):
        read_stack(FakeCloudFormation(denied={"DescribeStacks"}), "logs")


@pytest.mark.parametrize(
    "status", ["", "REVIEW_IN_PROGRESS", "CREATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"]
)
def test_a_stack_that_can_change_passes(status: str) -> None:
    Stack("logs", status).check_can_change()


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        ("ROLLBACK_COMPLETE", "aws cloudformation delete-stack --stack-name logs"),
        ("DELETE_FAILED", "aws cloudformation delete-stack --stack-name logs"),
        ("UPDATE_IN_PROGRESS", "aws cloudformation describe-stack-events --stack-name logs"),
        ("UPDATE_ROLLBACK_FAILED", "aws cloudformation describe-stack-events --stack-name logs"),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "another deployment is under way"),
    ],
)
def test_a_stack_that_cannot_change_comes_with_advice(status: str, advice: str) -> None:
    with pytest.raises(CannotStart, match=f"is {status}.*{advice}"):
        Stack("logs", status).check_can_change()


def test_a_first_change_set_is_removed_completely() -> None:
    """It is deleted, and so is the stack that it made."""
    cloudformation = FakeCloudFormation()
    cloudformation.make_change_set()
    assert remove_open(cloudformation, NONE, set())
    assert cloudformation.calls == [f"delete {MINE}", "delete logs"]


@pytest.mark.parametrize("status", ["CREATE_COMPLETE", "REVIEW_IN_PROGRESS"])
def test_an_existing_stack_is_never_deleted(status: str) -> None:
    """This includes one in review, which may have another user's change set."""
    cloudformation = FakeCloudFormation(status, change_sets={OTHERS: "AVAILABLE"})
    cloudformation.make_change_set()
    assert remove_open(cloudformation, Stack("logs", status), {OTHERS})
    assert cloudformation.change_sets == {OTHERS: "AVAILABLE"}
    assert cloudformation.status == status


@pytest.mark.parametrize("status", ["CREATE_IN_PROGRESS", "CREATE_COMPLETE", "ROLLBACK_COMPLETE"])
def test_a_stack_in_creation_is_never_deleted(status: str) -> None:
    """A user who stops watching finds it where it got to."""
    cloudformation = FakeCloudFormation(status)
    assert not remove_open(cloudformation, NONE, set())
    assert cloudformation.status == status


def test_only_unexecuted_change_sets_are_open() -> None:
    """A change set that could not be made counts as open."""
    change_sets = {MINE: "EXECUTE_IN_PROGRESS", OTHERS: "UNAVAILABLE"}
    cloudformation = FakeCloudFormation("UPDATE_IN_PROGRESS", change_sets=change_sets)
    assert list_open(cloudformation, Stack("logs", "UPDATE_IN_PROGRESS")) == {OTHERS}
    assert list_open(cloudformation, NONE) == set()


@pytest.mark.parametrize(
    "cloudformation",
    [
        FakeCloudFormation(denied={"DeleteChangeSet"}),
        FakeCloudFormation(denied={"DescribeStacks"}),
        FakeCloudFormation(is_stuck=True),
    ],
    ids=["denied", "expired", "stuck"],
)
def test_a_change_set_that_cannot_be_removed_is_an_error(
    cloudformation: FakeCloudFormation,
) -> None:
    cloudformation.make_change_set()
    with pytest.raises(
        DeploymentFailed, match="stack logs: a change set that was not executed may be left"
    ):
        remove_open(cloudformation, NONE, set())


def changed(logical_id: str, kind: str, action: str = "Modify", **more: str) -> dict[str, Any]:
    return {"Action": action, "LogicalResourceId": logical_id, "ResourceType": kind, **more}


def test_replaced_resources_are_listed_buckets_first() -> None:
    """Buckets come first; the line says whether they are retained, if CloudFormation tells."""
    bucket = "AWS::S3::Bucket"
    cloudformation = FakeCloudFormation(
        changes=[
            changed("Alarm", "AWS::CloudWatch::Alarm", "Remove", PolicyAction="Delete"),
            changed("Fine", "AWS::Lambda::Function", Replacement="False"),
            changed("New", bucket, "Add"),
            changed("Packs", bucket, Replacement="True", PolicyAction="ReplaceAndRetain"),
            changed("Work", bucket, Replacement="Conditional", PolicyAction="ReplaceAndDelete"),
            changed("Zoo", bucket, "Remove", PolicyAction="Retain"),
            changed("Rule", "AWS::Events::Rule", Replacement="Conditional"),
        ]
    )
    cloudformation.make_change_set()
    stays = "the existing one stays, outside the stack"
    goes = "the existing one is deleted"
    assert read_warnings(cloudformation, MINE) == [
        f"WARNING: Packs ({bucket}) is replaced; {stays}",
        f"WARNING: Work ({bucket}) may be replaced; {goes}",
        f"WARNING: Zoo ({bucket}) is removed from the stack; {stays}",
        f"WARNING: Alarm (AWS::CloudWatch::Alarm) is removed from the stack; {goes}",
        "WARNING: Rule (AWS::Events::Rule) may be replaced",
    ]
